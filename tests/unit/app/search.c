/* Looking for what was forgotten, in all files: what cannot be looked at is told. */
#include "app/forget.h"
#include "base/fault.h"
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
