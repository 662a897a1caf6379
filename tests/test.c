#include "test.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pages.h"
#include "sys/loop.h"

static struct test *tests, **tests_end = &tests;
static struct test_child *children;
static int failures; /* of the running test */
static char dir[256];

void test_register(struct test *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

void test_child_register(struct test_child *child)
{
    child->next = children;
    children = child;
}

static int run_child(int argc, char **argv)
{
    for (struct test_child *c = children; c; c = c->next)
        if (strcmp(c->name, argv[0]) == 0)
            return c->run(argc, argv);
    return 2;
}

void test_record(bool ok, const char *file, int line, const char *what, const char *fmt, ...)
{
    va_list args;

    if (ok)
        return;
    failures++;
    if (failures > 50)
        return;
    printf("# %s:%d: %s", file, line, what);
    if (*fmt) {
        printf(" | ");
        va_start(args, fmt);
        vprintf(fmt, args);
        va_end(args);
    }
    printf("\n");
    fflush(stdout);
}

bool test_is_failing(void)
{
    return failures > 0;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_dir(void)
{
    if (dir[0])
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    dir[0] = 0;
}

const char *test_dir(void)
{
    remove_dir();
    snprintf(dir, sizeof dir, "%s/weir-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(dir)) {
        perror("mkdtemp");
        exit(2);
    }
    return dir;
}

static void in_fiber(void *arg)
{
    ((struct test *)arg)->run();
}

static void run_in_loop(struct test *test)
{
    struct err err = {0};
    struct loop *loop = loop_new(NULL, &err);

    test_record(loop != NULL, test->file, 0, "loop_new", "%s", err.text);
    if (!loop)
        return;
    loop_run(loop, in_fiber, test);
    struct loop_stats left = loop_stats(loop);
    test_record(left.fibers == 0, test->file, 0, "no fiber is left", "%u", left.fibers);
    test_record(left.timers == 0, test->file, 0, "no timer is left", "%u", left.timers);
    test_record(left.socks == 0, test->file, 0, "no socket is left", "%u", left.socks);
    loop_free(&loop);
}

int main(int argc, char **argv)
{
    int count = 0, number = 0, failed = 0;

    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return run_child(argc - 2, argv + 2);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test *t = tests; t; t = t->next)
        count += argc < 2 || strcmp(argv[1], t->name) == 0;
    printf("1..%d\n", count);
    for (struct test *t = tests; t; t = t->next) {
        if (argc > 1 && strcmp(argv[1], t->name) != 0)
            continue;
        failures = 0;
        size_t pages = pages_in_use();
        if (t->in_fiber)
            run_in_loop(t);
        else
            t->run();
        test_record(pages_in_use() == pages, t->file, 0, "no page is left", "%zu bytes",
                    pages_in_use() - pages);
        failed += failures > 0;
        printf("%sok %d - %s\n", failures ? "not " : "", ++number, t->name);
    }
    remove_dir();
    return failed ? 1 : 0;
}
