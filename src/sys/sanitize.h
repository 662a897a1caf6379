/* sys/sanitize.h: what the sanitizers must be told about fibers and own memory. Internal to sys;
 * empty in plain builds. */
#ifndef WEIR_SYS_SANITIZE_H
#define WEIR_SYS_SANITIZE_H

#if defined(__has_feature)
#    define SANITIZE_HAS(feature) __has_feature(feature)
#else
#    define SANITIZE_HAS(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZE_HAS(address_sanitizer)
#    define SANITIZE_ADDRESS 1
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/common_interface_defs.h>
#    define SANITIZE_POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#    define SANITIZE_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#    define SANITIZE_ADDRESS        0
#    define SANITIZE_POISON(p, n)   ((void)(p), (void)(n))
#    define SANITIZE_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#if defined(__SANITIZE_THREAD__) || SANITIZE_HAS(thread_sanitizer)
#    define SANITIZE_THREAD 1
#    include <sanitizer/tsan_interface.h>
#else
#    define SANITIZE_THREAD 0
#endif

/* What the kernel writes must be told to all of them: the library's functions do. */
#define SANITIZE_CALLS (SANITIZE_ADDRESS || SANITIZE_THREAD || SANITIZE_HAS(memory_sanitizer))

#endif
