#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/pages.h"
#include "cache/cache_internal.h"
#include "cache/disk_internal.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "test.h"

static struct entry *make(uint64_t n, size_t body_bytes, const char *space, const char *tag)
{
    struct err err = {0};
    struct arena *arena = arena_new(16 * MIB);
    char *body = arena_alloc(arena, body_bytes + 64);
    struct entry_facts facts = {.status = 200,
                                .stored = clock_wall(),
                                .expires = clock_wall() + 100000,
                                .space = str_from(space),
                                .model = STR("m"),
                                .body = {body, body_bytes}};

    memset(body, 'a' + (int)(n % 26), body_bytes);
    snprintf(body, 64, "SECRET-%06" PRIu64 "-", n);
    if (tag)
        facts.tags[facts.tag_count++] = str_from(tag);
    memcpy(facts.key.bytes + 8, &n, sizeof n);
    struct entry *e = entry_new(&facts, &err);
    arena_end(&arena);
    return e;
}

static struct cache_key key_of(uint64_t n)
{
    struct cache_key key = {{0}};

    memcpy(key.bytes + 8, &n, sizeof n);
    return key;
}

static size_t put_batch(struct disk *d, const struct disk_batch *b, uint64_t mark, struct err *err)
{
    const atomic_uint_fast64_t now = mark;
    size_t of = 0, kept = disk_put(d, b, &now, &of, err);

    EXPECT(kept <= of && of <= b->count);
    return kept;
}

/* In as many batches as it takes. */
static size_t put_all(struct disk *d, struct entry *const *entries, size_t count, struct err *err)
{
    struct disk_batch *b = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (b && !disk_batch_fits(b, entries[i])) {
            kept += put_batch(d, b, 1, err);
            disk_batch_free(&b);
        }
        if (!b)
            b = disk_batch_new(entries[i]);
        ASSERT(b);
        disk_batch_add(b, entries[i], 1);
    }
    kept += b ? put_batch(d, b, 1, err) : 0;
    disk_batch_free(&b);
    return kept;
}

static bool put(struct disk *d, uint64_t n, size_t bytes)
{
    struct entry *e CLEANUP(entry_unref) =
        make(n, bytes, n % 2 ? "odd" : "even", n % 5 ? NULL : "five");
    struct err err = {0};
    bool ok = put_all(d, &e, 1, &err) == 1;

    EXPECT(ok, "%s", err.text);
    return ok;
}

static bool has(struct disk *d, uint64_t n)
{
    struct cache_key key = key_of(n);
    struct entry *e CLEANUP(entry_unref) = disk_get(d, &key, clock_wall(), -1);
    char want[32];

    snprintf(want, sizeof want, "SECRET-%06" PRIu64 "-", n);
    EXPECT(!e || str_starts(e->facts.body, str_from(want)));
    return e != NULL;
}

static struct disk *open_disk(const char *dir, int64_t bytes, uint32_t entries)
{
    struct disk_options options = {
        .dir = dir, .bytes_max = bytes, .segment_bytes = bytes / 8, .entries_max = entries};
    struct disk *d = NULL;
    struct err err = {0};

    EXPECT(disk_open(&options, &d, &err), "%s", err.text);
    return d;
}

static const char *fresh_dir(struct arena *arena, const char *name)
{
    return arena_fmt(arena, "%s/%s", test_dir(), name).ptr;
}

/* How often the text stands in any file of the directory. */
static size_t grep(const char *dir, const char *text)
{
    struct arena *arena = arena_new(64 * MIB);
    struct str *names;
    size_t count, found = 0;
    struct err err = {0};

    EXPECT(file_list(arena, dir, 1000, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        struct str all;

        EXPECT(file_load(arena, arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(names[i])).ptr,
                         32 * MIB, &all, &err),
               "%s", err.text);
        for (size_t at; (at = str_find(all, str_from(text))) < all.len; found++)
            all = str_slice(all, at + 1, all.len);
    }
    arena_end(&arena);
    return found;
}

TEST(disk_survives_reopening)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "again");
    size_t before = pages_in_use();
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);

    for (uint64_t n = 0; n < 100; n++)
        put(d, n, 1000 + n);
    put(d, 7, 50); /* replaces */
    disk_close(&d);
    d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    for (uint64_t n = 0; n < 100; n++)
        EXPECT(has(d, n), "%" PRIu64, n);
    EXPECT(!has(d, 100));
    EXPECT(disk_stats(d).entries == 100);
    struct cache_key key = key_of(7);
    struct entry *e = disk_get(d, &key, clock_wall(), -1);
    EXPECT(e && e->facts.body.len == 50, "the newest");
    entry_unref(&e);
    EXPECT(grep(dir, "SECRET-000007-") == 1, "the one before is not in the files");
    disk_close(&d);
    EXPECT(pages_in_use() == before);
    arena_end(&arena);
}

/* More than are written at once, some too long for that, one too long for the disk, a key twice. */
TEST(many_are_put_at_once)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "many");
    size_t before = pages_in_use();
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct entry *entries[200];
    struct err err = {0};

    for (uint64_t n = 0; n < ARRAY_LEN(entries); n++)
        entries[n] = make(n == 150 ? 7 : n,
                          n == 33  ? 5 * (size_t)MIB
                          : n % 50 ? 300 + 40 * n
                                   : 200 * (size_t)KIB,
                          "even", NULL);
    EXPECT(put_all(d, entries, ARRAY_LEN(entries), &err) == ARRAY_LEN(entries) - 1);
    EXPECT(err.code == ERR_TOO_LARGE, "%s", err.text);
    for (uint64_t n = 0; n < ARRAY_LEN(entries); n++)
        entry_unref(&entries[n]);
    for (int round = 0; round < 2; round++) {
        for (uint64_t n = 0; n < ARRAY_LEN(entries); n++)
            EXPECT(has(d, n) == (n != 33 && n != 150), "%" PRIu64, n);
        EXPECT(disk_stats(d).entries == ARRAY_LEN(entries) - 2 && disk_stats(d).damaged == 0);
        EXPECT(grep(dir, "SECRET-000007-") == 1, "the one before is not in the files");
        disk_close(&d);
        d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    }
    disk_close(&d);
    EXPECT(pages_in_use() == before);
    arena_end(&arena);
}

/* What a purge has made old meanwhile is left out, wherever it stands among the others. */
TEST(of_a_batch_only_what_carries_the_mark_is_put)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "mark");
    size_t before = pages_in_use();
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct disk_batch *b = NULL;
    struct err err = {0};

    for (uint64_t n = 0; n < 40; n++) {
        struct entry *e CLEANUP(entry_unref) = make(n, 100, "even", NULL);

        if (!b)
            b = disk_batch_new(e);
        ASSERT(b && disk_batch_fits(b, e));
        disk_batch_add(b, e, n < 3 || n % 7 == 0 || n > 37 ? 5 : 6);
    }
    EXPECT(put_batch(d, b, 6, &err) == 40 - 3 - 5 - 2 && err.code == ERR_NONE, "%s", err.text);
    for (int round = 0; round < 2; round++) {
        for (uint64_t n = 0; n < 40; n++)
            EXPECT(has(d, n) == !(n < 3 || n % 7 == 0 || n > 37), "%" PRIu64, n);
        EXPECT(grep(dir, "SECRET-000007-") == 0 && grep(dir, "SECRET-000008-") == 1);
        disk_close(&d);
        d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    }
    disk_batch_free(&b);
    disk_close(&d);
    EXPECT(pages_in_use() == before);
    arena_end(&arena);
}

/* More keys end in the same bits than the filter counts: they are found all the same, and none is missed when others
 * have gone. */
TEST(keys_that_end_alike_are_found_and_purged)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "alike");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    uint64_t gone = 0, step = (uint64_t)1 << 32;
    struct err err = {0};

    for (uint64_t n = 1; n <= 300; n++)
        EXPECT(put(d, n * step, 30));
    struct cache_key one = key_of(7 * step), none = key_of(301 * step), other = key_of(1);
    EXPECT(disk_purge(d, &(struct cache_selector){.key = &one}, &gone, &err) && gone == 1, "%s",
           err.text);
    for (uint64_t n = 1; n <= 300; n++) {
        struct cache_key key = key_of(n * step);

        EXPECT(disk_has(d, &key, clock_wall()) == (n != 7), "%" PRIu64, n);
    }
    EXPECT(!disk_has(d, &none, clock_wall()) && !disk_has(d, &other, clock_wall()));
    EXPECT(disk_purge(d, &(struct cache_selector){0}, &gone, &err) && gone == 300, "%s", err.text);
    EXPECT(put(d, step, 30) && disk_has(d, &(struct cache_key){0}, clock_wall()) == false);
    disk_close(&d);
    arena_end(&arena);
}

/* As kill -9 leaves it: the newest file ends anywhere. */
TEST(a_torn_end_is_cut_off_at_every_byte)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "torn");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    const char *path = arena_fmt(arena, "%s/%016x.seg", dir, 0).ptr;
    struct file_info before, after;
    struct err err = {0};

    log_set_level(LOG_ERROR); /* it warns each time */
    for (uint64_t n = 0; n < 3; n++)
        put(d, n, 20);
    REQUIRE(file_stat(path, &before, &err), "%s", err.text);
    put(d, 3, 20);
    disk_close(&d);
    REQUIRE(file_stat(path, &after, &err), "%s", err.text);
    for (int64_t end = after.bytes - 1; end > before.bytes; end -= 7) {
        struct file *f;

        REQUIRE(file_open(path, FILE_WRITE, 0600, &f, &err) && file_cut(f, end, &err), "%s",
                err.text);
        file_close(&f);
        d = open_disk(dir, 8 * (int64_t)MIB, 1000);
        EXPECT(has(d, 0) && has(d, 1) && has(d, 2) && !has(d, 3), "cut at %" PRId64, end);
        put(d, 3, 20);
        EXPECT(has(d, 3));
        disk_close(&d);
    }
    log_set_level(LOG_INFO);
    arena_end(&arena);
}

TEST(a_damaged_record_is_not_given)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "damaged");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct file *f;
    struct err err = {0};

    put(d, 1, 1000);
    put(d, 2, 1000);
    REQUIRE(file_open(arena_fmt(arena, "%s/%016x.seg", dir, 0).ptr, FILE_WRITE, 0600, &f, &err) &&
                file_write_at(f, 700, "!", 1, &err),
            "%s", err.text);
    file_close(&f);
    EXPECT(!has(d, 1) && has(d, 2));
    EXPECT(disk_stats(d).damaged == 1);
    disk_close(&d);
    d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    EXPECT(!has(d, 1) && has(d, 2));
    disk_close(&d);
    arena_end(&arena);
}

TEST(bytes_and_entries_are_bounded_and_the_used_stay)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "bounded");
    struct disk *d = open_disk(dir, (int64_t)MIB, 400);

    for (uint64_t n = 0; n < 3000; n++) {
        put(d, n, n % 3 ? 500 : 5000);
        EXPECT(has(d, 0) || n < 1, "used all the time, at %" PRIu64, n);
        EXPECT(disk_stats(d).bytes <= MIB && disk_stats(d).entries <= 400);
    }
    EXPECT(has(d, 2999) && !has(d, 1));
    EXPECT(disk_stats(d).evictions > 2000);
    disk_close(&d);
    arena_end(&arena);
}

#ifdef WEIR_FAULT
static bool refuses_writes(void *ctx, const char *point)
{
    (void)ctx;
    return strcmp(point, "file.write") == 0;
}

TEST(a_purge_that_could_not_write_is_made_good_by_the_next)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "unpurged");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct cache_key key = key_of(7);
    struct err err = {0};
    uint64_t gone = 0;

    for (uint64_t n = 0; n < 10; n++)
        put(d, n, 3000);
    fault_decide(refuses_writes, NULL);
    bool purged = disk_purge(d, &(struct cache_selector){.key = &key}, &gone, &err);
    fault_decide(NULL, NULL);
    EXPECT(!purged && gone == 0 && err.code != ERR_NONE);
    EXPECT(!has(d, 7), "it is not given to anybody");
    EXPECT(disk_purge(d, &(struct cache_selector){.key = &key}, &gone, &err) && gone == 1,
           "%" PRIu64, gone);
    EXPECT(grep(dir, "SECRET-000007-") == 0 && grep(dir, "SECRET-") == 9);
    disk_close(&d);
    d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    EXPECT(disk_stats(d).entries == 9 && !has(d, 7) && has(d, 8));
    disk_close(&d);
    arena_end(&arena);
}

static bool refuses_syncs(void *ctx, const char *point)
{
    (void)ctx;
    return strcmp(point, "file.sync") == 0;
}

TEST(a_purge_that_could_not_be_synced_is_synced_by_the_next)
{
    struct arena *arena = arena_new(MIB);
    struct disk *d = open_disk(fresh_dir(arena, "unsynced"), 8 * (int64_t)MIB, 1000);
    struct cache_key key = key_of(1);
    struct cache_selector what = {.key = &key};
    struct err err = {0};
    uint64_t gone = 0;

    put(d, 1, 3000);
    fault_decide(refuses_syncs, NULL);
    EXPECT(!disk_purge(d, &what, &gone, &err));
    EXPECT(!disk_purge(d, &what, &gone, &err), "power loss would bring the answer back");
    fault_decide(NULL, NULL);
    EXPECT(disk_purge(d, &what, &gone, &err));
    disk_close(&d);
    arena_end(&arena);
}

struct failing {
    const char *point, *also;
    int from, seen; /* the first is 1 */
};

static bool refuses(void *ctx, const char *point)
{
    struct failing *r = ctx;

    return (strcmp(point, r->point) == 0 && ++r->seen >= r->from) ||
           (r->also && strcmp(point, r->also) == 0);
}

static bool purge(struct disk *d, const struct cache_key *key)
{
    struct err err = {0};
    uint64_t gone = 0;
    bool ok = disk_purge(d, &(struct cache_selector){.key = key}, &gone, &err);

    EXPECT(ok || err.code != ERR_NONE);
    return ok;
}

TEST(an_older_copy_that_could_not_be_wiped_goes_with_the_next_purge)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "older");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct entry *e CLEANUP(entry_unref) = make(7, 3000, "even", NULL);
    struct cache_key key = key_of(7);
    struct failing wiping = {"file.write", NULL, 2, 0}, any = {"file.write", NULL, 1, 0};
    struct err err = {0};

    for (uint64_t n = 0; n < 10; n++)
        put(d, n, 3000);
    fault_decide(refuses, &wiping);
    EXPECT(put_all(d, &e, 1, &err) == 0 && err.code != ERR_NONE, "the copy before stays");
    fault_decide(NULL, NULL);
    EXPECT(grep(dir, "SECRET-000007-") == 2);
    fault_decide(refuses, &any);
    EXPECT(!purge(d, &key), "nothing can be written");
    fault_decide(NULL, NULL);
    EXPECT(purge(d, &key) && grep(dir, "SECRET-000007-") == 0 && grep(dir, "SECRET-") == 9);
    disk_close(&d);
    d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    EXPECT(disk_stats(d).entries == 9 && !has(d, 7) && has(d, 8));
    disk_close(&d);
    arena_end(&arena);
}

TEST(an_expired_answer_that_could_not_be_wiped_goes_with_the_next_purge)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "expired");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct cache_key key = key_of(3);
    struct failing any = {"file.write", NULL, 1, 0};

    put(d, 3, 3000);
    put(d, 4, 3000);
    fault_decide(refuses, &any);
    EXPECT(!disk_get(d, &key, clock_wall() + 200000, -1));
    fault_decide(NULL, NULL);
    EXPECT(!has(d, 3) && has(d, 4) && grep(dir, "SECRET-000003-") == 1);
    EXPECT(purge(d, &key) && grep(dir, "SECRET-000003-") == 0 && has(d, 4));
    disk_close(&d);
    arena_end(&arena);
}

TEST(what_a_full_disk_let_in_and_nobody_could_cut_goes_with_the_next_purge)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "uncut");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct failing cutting = {"file.cut", NULL, 1, 0};
    struct rlimit before, now;
    struct entry *some[3];
    struct err err = {0};

    for (uint64_t n = 0; n < 3; n++)
        some[n] = make(n, 3000, "even", NULL);
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    now = before;
    now.rlim_cur = 8000; /* two of them */
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
    fault_decide(refuses, &cutting);
    EXPECT(put_all(d, some, 3, &err) == 0);
    fault_decide(NULL, NULL);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    put(d, 5, 100); /* over the beginning of them */
    EXPECT(grep(dir, "SECRET-") > 1);
    EXPECT(purge(d, NULL) && grep(dir, "SECRET-") == 0);
    disk_close(&d);
    for (size_t n = 0; n < ARRAY_LEN(some); n++)
        entry_unref(&some[n]);
    arena_end(&arena);
}

TEST(a_file_that_could_not_be_removed_is_still_purged)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "unremoved");
    struct disk *d = open_disk(dir, (int64_t)MIB, 4000);
    struct failing removing = {"file.remove", NULL, 1, 0};
    struct err err = {0};

    fault_decide(refuses, &removing);
    for (uint64_t n = 0; n < 600 && !err.code; n++) {
        struct entry *e CLEANUP(entry_unref) = make(n, 3000, "even", NULL);

        EXPECT(put_all(d, &e, 1, &err) == 1 || err.code != ERR_NONE);
    }
    EXPECT(err.code != ERR_NONE, "it has no room");
    EXPECT(purge(d, NULL) && grep(dir, "SECRET-") == 0);
    fault_decide(NULL, NULL);
    EXPECT(put(d, 1, 3000) && has(d, 1));
    disk_close(&d);
    arena_end(&arena);
}

struct syncs {
    int files, dirs;
};

static bool counts_syncs(void *ctx, const char *point)
{
    struct syncs *s = ctx;

    s->files += strcmp(point, "file.sync") == 0;
    s->dirs += strcmp(point, "file.sync_dir") == 0;
    return false;
}

TEST(a_purge_syncs_what_was_wiped_or_removed_before_it)
{
    struct arena *arena = arena_new(MIB);
    struct disk *d = open_disk(fresh_dir(arena, "synced"), (int64_t)MIB, 4000);
    struct syncs syncs = {0}, evicted = {0};
    struct cache_key key = key_of(1);

    put(d, 1, 3000);
    for (uint64_t n = 2; n < 60; n++) /* more than a file takes */
        put(d, n, 3000);
    put(d, 1, 3000);
    fault_decide(counts_syncs, &syncs);
    EXPECT(purge(d, &key) && syncs.files == 2 && syncs.dirs == 0,
           "power loss would bring the older copy back: %d files synced", syncs.files);
    fault_decide(NULL, NULL);
    for (uint64_t n = 60; n < 600; n++)
        put(d, n, 3000);
    fault_decide(counts_syncs, &evicted);
    EXPECT(purge(d, &key) && purge(d, &key) && evicted.dirs == 1);
    fault_decide(NULL, NULL);
    disk_close(&d);
    arena_end(&arena);
}
#endif

TEST(purged_bytes_are_gone_from_the_files)
{
    struct arena *arena = arena_new(MIB);
    const char *dir = fresh_dir(arena, "purged");
    struct disk *d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    struct cache_key key = key_of(11);
    struct err err = {0};
    uint64_t gone = 0;

    for (uint64_t n = 0; n < 50; n++)
        put(d, n, 3000);
    EXPECT(grep(dir, "SECRET-") == 50);
    EXPECT(disk_purge(d, &(struct cache_selector){.key = &key}, &gone, &err) && gone == 1, "%s",
           err.text);
    EXPECT(grep(dir, "SECRET-000011-") == 0 && grep(dir, "SECRET-") == 49);
    gone = 0;
    EXPECT(disk_purge(d, &(struct cache_selector){.tag = STR("five")}, &gone, &err) && gone == 10);
    EXPECT(grep(dir, "five") == 0 && grep(dir, "SECRET-") == 39);
    gone = 0;
    EXPECT(disk_purge(d, &(struct cache_selector){.space = STR("odd")}, &gone, &err) && gone == 19,
           "%" PRIu64, gone);
    EXPECT(grep(dir, "SECRET-") == 20 && grep(dir, "odd") == 0);
    disk_close(&d);
    d = open_disk(dir, 8 * (int64_t)MIB, 1000);
    EXPECT(disk_stats(d).entries == 20 && has(d, 2) && !has(d, 11));
    gone = 0;
    EXPECT(disk_purge(d, &(struct cache_selector){0}, &gone, &err) && gone == 20);
    EXPECT(grep(dir, "SECRET-") == 0 && grep(dir, "zzzz") == 0);
    disk_close(&d);
    arena_end(&arena);
}

/* It waits for its turn to write while a purge has its own: behind the purge it would stand there until it is wiped, and
 * after a kill -9 in between for as long as it is good. */
FIBER_TEST(an_answer_that_waits_behind_a_purge_is_not_written)
{
    struct arena *arena = arena_new(MIB);
    struct cache_options options = {.bytes_max = MIB,
                                    .tenant_bytes_max = MIB,
                                    .entry_bytes_max = 64 * KIB,
                                    .dir = fresh_dir(arena, "behind"),
                                    .disk_bytes_max = 8 * (int64_t)MIB,
                                    .segment_bytes = MIB,
                                    .disk_entries_max = 1000};
    struct entry *e CLEANUP(entry_unref) = make(1, 3000, "acme", NULL);
    struct cache *c = NULL;
    struct err err = {0};

    REQUIRE(cache_open(&options, &c, &err), "%s", err.text);
    struct cache_ticket t = {.cache = c, .purges = atomic_load(&c->purges)};

    mutex_lock(&c->disk->writing); /* the purge's, which has counted and looked through the files */
    EXPECT(keep_entry(&t, e));
    EXPECT(fiber_sleep(100 * MILLISECOND, &err)); /* on another thread somebody wants to write */
    mutex_lock(&c->waiting.lock);
    EXPECT(!c->waiting.first, "it was taken to be written");
    mutex_unlock(&c->waiting.lock);
    atomic_fetch_add(&c->purges, 1);
    mutex_unlock(&c->disk->writing);
    EXPECT(fiber_sleep(100 * MILLISECOND, &err));
    EXPECT(disk_stats(c->disk).bytes == 0, "%" PRIu64, disk_stats(c->disk).bytes);
    cache_close(&c);
    arena_end(&arena);
}
