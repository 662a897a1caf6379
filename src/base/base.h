/* base/base.h: the dozen macros and the scalars every file may use.
 * Compiler extensions live behind these names and nowhere else. */
#ifndef WEIR_BASE_BASE_H
#define WEIR_BASE_BASE_H

#include <assert.h> /* static_assert */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Time. Never mixed: a deadline is mono, a record is wall, a length is dur. */
typedef int64_t mono_ns; /* since some fixed point; 0 means "none" where a deadline is asked */
typedef int64_t wall_ms; /* since 1970-01-01 UTC */
typedef int64_t dur_ns;
typedef int64_t usd_micro; /* money: micro-dollars */

#define NANOSECOND  ((dur_ns)1)
#define MICROSECOND ((dur_ns)1000)
#define MILLISECOND ((dur_ns)1000000)
#define SECOND      ((dur_ns)1000000000)
#define KIB         ((size_t)1024)
#define MIB         ((size_t)1024 * 1024)
#define GIB         ((size_t)1024 * 1024 * 1024)

#define ARRAY_LEN(a)                  (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Each argument is evaluated once: a clock that is read twice may have passed the bound in between. */
#define MIN_OF(a, b)      ONCE(a, b, <, __COUNTER__)
#define MAX_OF(a, b)      ONCE(a, b, >, __COUNTER__)
#define ONCE(a, b, is, n) ONCE_NAMED(a, b, is, n)
#define ONCE_NAMED(a, b, is, n)         \
    __extension__({                     \
        const __auto_type a_##n = (a);  \
        const __auto_type b_##n = (b);  \
        a_##n is b_##n ? a_##n : b_##n; \
    })

/* CLEANUP(fn): fn(&variable) runs when the variable leaves scope. fn takes the address, accepts
 * NULL and half-built objects and leaves NULL. */
#define CLEANUP(fn)        __attribute__((cleanup(fn), unused))
#define MUST_CHECK         __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN           __attribute__((noreturn))
#define UNUSED             __attribute__((unused))
#define NOINLINE           __attribute__((noinline)) /* keeps a rare path's locals off hot stacks */
#define ALWAYS_INLINE      __attribute__((always_inline))
/* Of what goes wrong: callers keep the way there out of the line of their code. */
#define COLD               __attribute__((cold))
#define LIKELY(x)          __builtin_expect(!!(x), 1)
#define UNLIKELY(x)        __builtin_expect(!!(x), 0)
/* Marks functions that may switch fibers: hold no lock across one, re-check afterwards. */
#define SUSPENDS

/* For our own mistakes only, never for input. Stays on in production. */
#define ASSERT(cond) ((void)(LIKELY(cond) || (assert_failed(__FILE__, __LINE__, #cond), 0)))

/* So many bytes from here on are written soon: fetched into the processor's cache meanwhile. Else the next lock that is given
 * back, or any other atomic step, waits until all that was written before it has reached memory that is far away. */
static inline void expect_write(const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        __builtin_prefetch((const char *)from + at, 1);
}

NORETURN COLD void assert_failed(const char *file, int line, const char *what);

#endif
