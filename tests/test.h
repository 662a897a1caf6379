/* tests/test.h: self-registering tests with TAP output. EXPECT records and goes on (no longjmp: it must
 * work in fibers); REQUIRE records and returns from the test function.
 *   TEST(name)        runs on the plain thread
 *   FIBER_TEST(name)  runs in a fiber of a fresh loop; fails when a fiber, timer or socket is left over
 * Run one by name: test_base NAME. */
#ifndef WEIR_TESTS_TEST_H
#define WEIR_TESTS_TEST_H

#include "base/base.h"

struct test {
    const char *name, *file;
    void (*run)(void);
    bool in_fiber;
    struct test *next;
};
void test_register(struct test *test);
void test_record(bool ok, const char *file, int line, const char *what, const char *fmt, ...)
    PRINTF(5, 6);
bool test_is_failing(void);
/* A fresh directory below the build's temporary place, removed when the program ends. */
const char *test_dir(void);

#define TEST_AS(name_, fiber_)                                                            \
    static void test_##name_(void);                                                       \
    static struct test test_row_##name_ = {#name_, __FILE__, test_##name_, fiber_, NULL}; \
    __attribute__((constructor)) static void test_add_##name_(void)                       \
    {                                                                                     \
        test_register(&test_row_##name_);                                                 \
    }                                                                                     \
    static void test_##name_(void)
#define TEST(name)       TEST_AS(name, false)
#define FIBER_TEST(name) TEST_AS(name, true)

/* CHILD(name) { ... } is what the test program does when a test starts it with the words "--child NAME":
 * for what only another process can show. The body sees argc and argv from NAME on; its value is the
 * exit status. */
struct test_child {
    const char *name;
    int (*run)(int argc, char **argv);
    struct test_child *next;
};
void test_child_register(struct test_child *child);
#define CHILD(name_)                                                            \
    static int child_##name_(int argc, char **argv);                            \
    static struct test_child child_row_##name_ = {#name_, child_##name_, NULL}; \
    __attribute__((constructor)) static void child_add_##name_(void)            \
    {                                                                           \
        test_child_register(&child_row_##name_);                                \
    }                                                                           \
    static int child_##name_(int argc UNUSED, char **argv UNUSED)

/* EXPECT(got == want, "%s: %d", case_name, got) */
#define EXPECT(cond, ...) test_record((cond), __FILE__, __LINE__, #cond, "" __VA_ARGS__)
#define REQUIRE(cond, ...)                                                   \
    do {                                                                     \
        bool require_ok_ = (cond);                                           \
        test_record(require_ok_, __FILE__, __LINE__, #cond, "" __VA_ARGS__); \
        if (!require_ok_)                                                    \
            return;                                                          \
    } while (0)

#endif
