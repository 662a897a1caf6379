/* base/asan.h: tell AddressSanitizer which memory of a pool is out of bounds right now.
 * Empty without it. Ranges begin 8-byte aligned. */
#ifndef WEIR_BASE_ASAN_H
#define WEIR_BASE_ASAN_H

#if defined(__SANITIZE_ADDRESS__)
#    define WEIR_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define WEIR_ASAN 1
#    endif
#endif

#ifdef WEIR_ASAN
#    include <sanitizer/asan_interface.h>
#    define MEMORY_POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#    define MEMORY_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#    define HAVE_ASAN             true
#else
#    define MEMORY_POISON(p, n)   ((void)(p), (void)(n))
#    define MEMORY_UNPOISON(p, n) ((void)(p), (void)(n))
#    define HAVE_ASAN             false
#endif

#endif
