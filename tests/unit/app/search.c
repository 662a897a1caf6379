/* Looking for what was forgotten, in all files: what cannot be looked at is told. */
#include "app/forget.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "base/pages.h"
#include "sys/file.h"
#include "test.h"

TEST(a_search_that_could_not_look_everywhere_does_not_pass_for_one)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir(), *below = arena_fmt(arena, "%s/below", dir).ptr, *failed = "";
    const struct search_where where = {.dir = dir, .which = SEARCH_ALL};
    struct err err = {0};

    REQUIRE(file_store(arena_fmt(arena, "%s/one.txt", dir).ptr, STR("one"), 0600, &err) &&
                file_make_dir(below, 0700, &err) &&
                file_store(arena_fmt(arena, "%s/two.txt", below).ptr, STR("two"), 0600, &err),
            "%s", err.text);
    for (uint64_t nth = 1; failed; nth++) {
        struct fingerprints prints = {0};
        struct file_search found;

        err = (struct err){0};
        fault_begin(nth);
        bool ok = search_files(arena, &where, &prints, &found, &err);
        failed = fault_end();
        EXPECT(ok == !failed, "%s: %s", failed ? failed : "", err.text);
        EXPECT(failed || found.files == 2, "%" PRIu64, (uint64_t)found.files);
    }
}

enum { FOLDERS = 4, SEARCHES = 30000 };

struct coming_and_going {
    const char *path;
    atomic_bool over;
};

static void *come_and_go(void *arg)
{
    struct coming_and_going *c = arg;

    while (!atomic_load(&c->over)) {
        struct err err = {0};

        EXPECT(file_make_dir(c->path, 0700, &err) && file_remove(c->path, &err), "%s", err.text);
    }
    pages_thread_done();
    return NULL;
}

/* A folder that is removed while others are looked through, as an upload's or a base's, is no end of it. */
TEST(a_folder_that_goes_meanwhile_ends_no_search)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    const struct search_where where = {.dir = dir, .which = SEARCH_ALL};
    struct coming_and_going each[FOLDERS];
    pthread_t threads[FOLDERS];

    for (int i = 0; i < FOLDERS; i++) {
        each[i] = (struct coming_and_going){.path = arena_fmt(arena, "%s/%d", dir, i).ptr};
        REQUIRE(pthread_create(&threads[i], NULL, come_and_go, &each[i]) == 0);
    }
    for (int i = 0; i < SEARCHES; i++) {
        size_t mark = arena_mark(arena);
        struct fingerprints prints = {0};
        struct file_search found;
        struct err err = {0};

        EXPECT(search_files(arena, &where, &prints, &found, &err), "%s", err.text);
        arena_rewind(arena, mark);
    }
    for (int i = 0; i < FOLDERS; i++) {
        atomic_store(&each[i].over, true);
        (void)pthread_join(threads[i], NULL);
    }
}
