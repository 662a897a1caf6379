#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "sys/file.h"
#include "test.h"

/* A path in the test's directory; good until eight more were asked for. */
static const char *in_dir(const char *dir, const char *name)
{
    static struct {
        char text[500];
    } paths[8];
    static int turn;
    struct str parts[2] = {str_from(dir), str_from(name)};
    char *path = paths[turn++ % 8].text;

    memmove(path, parts[0].ptr, parts[0].len);
    path[parts[0].len] = '/';
    memcpy(path + parts[0].len + 1, parts[1].ptr, parts[1].len + 1);
    return path;
}

static void expect_text(const char *path, const char *want)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str got = STR_NONE;

    EXPECT(file_load(arena, path, 1000, &got, &err), "%s", err.text);
    EXPECT(str_eq(got, str_from(want)), "%s: " STR_FMT, path, STR_ARG(got));
}

TEST(bytes_are_written_appended_read_and_cut)
{
    struct err err = {0};
    const char *path = in_dir(test_dir(), "f");
    struct file *f CLEANUP(file_close) = NULL;
    char bytes[16];
    size_t got;
    int64_t size;

    REQUIRE(file_open(path, FILE_WRITE, 0600, &f, &err), "%s", err.text);
    EXPECT(file_append(f, "hello", 5, &err) && file_append(f, " world", 6, &err));
    EXPECT(file_write_at(f, 0, "J", 1, &err) && file_sync(f, &err));
    EXPECT(file_read_at(f, 0, bytes, sizeof bytes, &got, &err) && got == 11);
    EXPECT(memcmp(bytes, "Jello world", 11) == 0);
    EXPECT(file_read_at(f, 11, bytes, sizeof bytes, &got, &err) && got == 0, "at the end");
    EXPECT(file_read_at(f, 100, bytes, sizeof bytes, &got, &err) && got == 0, "past it");
    EXPECT(file_cut(f, 5, &err) && file_append(f, "!", 1, &err));
    EXPECT(file_size(f, &size, &err) && size == 6);
    expect_text(path, "Jello!");
    file_close(&f);
    REQUIRE(file_open(path, FILE_WRITE, 0600, &f, &err));
    EXPECT(file_append(f, "?", 1, &err), "appends go to the end of what was there");
    expect_text(path, "Jello!?");
    file_close(&f);
    REQUIRE(file_open(path, FILE_REPLACE, 0600, &f, &err));
    expect_text(path, "");
}

static const struct {
    const char *name, *path;
    enum file_mode mode;
    enum err_code want;
    int sys;
} open_cases[] = {
    {"absent", "none", FILE_READ, ERR_NOT_FOUND, ENOENT},
    {"in no directory", "none/f", FILE_WRITE, ERR_NOT_FOUND, ENOENT},
    {"a directory", ".", FILE_READ, ERR_UNAVAILABLE, EISDIR},
    {"a directory to write", ".", FILE_WRITE, ERR_UNAVAILABLE, EISDIR},
};

TEST(opening_fails_with_a_reason)
{
    const char *dir = test_dir();

    for (size_t i = 0; i < ARRAY_LEN(open_cases); i++) {
        struct err err = {0};
        struct file *f = NULL;
        bool ok = file_open(in_dir(dir, open_cases[i].path), open_cases[i].mode, 0600, &f, &err);

        EXPECT(!ok && !f && err.code == open_cases[i].want && err.sys == open_cases[i].sys,
               "%s: %s", open_cases[i].name, err.text);
    }
}

TEST(a_fifo_does_not_hold_the_reader)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str text;
    const char *path = in_dir(test_dir(), "fifo");

    REQUIRE(mkfifo(path, 0600) == 0);
    EXPECT(!file_load(arena, path, 100, &text, &err) && err.sys == ESPIPE, "%s", err.text);
}

TEST(loading_is_bounded_and_sees_sizeless_files)
{
    static const struct {
        size_t bytes, max;
        bool fits;
    } cases[] = {{0, 0, true},           {0, 10, true},          {10, 10, true},
                 {11, 10, false},        {200000, 10, false},    {10, 0, false},
                 {200000, 200000, true}, {200001, 200000, false}};
    static char big[200001];
    const char *dir = test_dir();

    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct str got = STR_NONE;
        const char *path = in_dir(dir, "f");

        EXPECT(file_store(path, (struct str){big, cases[i].bytes}, 0600, &err), "%s", err.text);
        bool ok = file_load(arena, path, cases[i].max, &got, &err);
        EXPECT(ok == cases[i].fits && (ok || err.code == ERR_TOO_LARGE), "%zu: %s", i, err.text);
        EXPECT(!ok || (got.len == cases[i].bytes && got.ptr[got.len] == 0), "%zu", got.len);
    }
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str status = STR_NONE;
    EXPECT(file_load(arena, "/proc/self/status", 100000, &status, &err), "%s", err.text);
    EXPECT(str_starts(status, STR("Name:")) && status.len > 200);
}

TEST(a_store_is_whole_or_not_at_all)
{
    struct err err = {0};
    const char *dir = test_dir();
    const char *path = in_dir(dir, "f");
    struct file_info info;

    EXPECT(file_store(path, STR("one"), 0640, &err), "%s", err.text);
    EXPECT(file_stat(path, &info, &err) && (info.mode & 0777) == 0640 && info.bytes == 3);
    EXPECT(file_store(path, STR("two"), 0640, &err), "%s", err.text);
    expect_text(path, "two");
    EXPECT(!file_stat(in_dir(dir, "f.new"), &info, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!file_store(in_dir(dir, "none/f"), STR("x"), 0600, &err));
}

TEST(what_is_swapped_in_stands_there_whole)
{
    struct err err = {0};
    const char *dir = test_dir();
    const char *path = in_dir(dir, "f"), *beside = in_dir(dir, "f.beside");
    struct file_info one, two, info;

    EXPECT(file_store(beside, STR("one"), 0600, &err) && file_stat(beside, &one, &err));
    EXPECT(file_swap(beside, path, &err), "nothing stands there yet: %s", err.text);
    expect_text(path, "one");
    EXPECT(!file_stat(beside, &info, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(file_store(beside, STR("two"), 0600, &err) && file_stat(beside, &two, &err));
    EXPECT(file_swap(beside, path, &err), "%s", err.text);
    expect_text(path, "two");
    EXPECT(file_stat(path, &info, &err) && info.inode == two.inode);
    if (file_stat(beside, &info, &err)) /* where the file system can exchange names */
        EXPECT(info.inode == one.inode);
    EXPECT(!file_swap(in_dir(dir, "none"), path, &err));
    expect_text(path, "two");
}

TEST(reserved_room_is_real_and_can_be_mapped)
{
    struct err err = {0};
    const char *path = in_dir(test_dir(), "map");
    struct file *f CLEANUP(file_close) = NULL;
    struct stat info;
    void *map = NULL, *other = NULL;

    REQUIRE(file_open(path, FILE_WRITE, 0600, &f, &err));
    EXPECT(!file_map(f, 8192, true, &map, &err) && err.code == ERR_INVALID, "shorter than the map");
    EXPECT(file_reserve(f, 8192, &err), "%s", err.text);
    EXPECT(stat(path, &info) == 0 && info.st_size == 8192 && info.st_blocks * 512 >= 8192);
    EXPECT(file_reserve(f, 100, &err) && stat(path, &info) == 0 && info.st_size == 8192, "no cut");
    REQUIRE(file_map(f, 8192, true, &map, &err), "%s", err.text);
    REQUIRE(file_map(f, 8192, false, &other, &err), "%s", err.text);
    memcpy((char *)map + 5000, "shared", 6);
    EXPECT(memcmp((char *)other + 5000, "shared", 6) == 0);
    char bytes[6];
    size_t got;
    EXPECT(file_read_at(f, 5000, bytes, 6, &got, &err) && memcmp(bytes, "shared", 6) == 0);
    file_forget(map, 100, 8192); /* of the process's memory, not of the file */
    file_forget(map, 8000, 8100);
    EXPECT(memcmp((char *)map + 5000, "shared", 6) == 0);
    file_expect(map, 0, 8192); /* what stands there stays */
    file_expect(map, 5000, 5000);
    EXPECT(memcmp((char *)map + 5000, "shared", 6) == 0 && !memchr(map, 's', 5000));
    EXPECT(file_sync_part(f, map, 5000, 5006, &err) && file_sync_part(f, map, 8192, 8192, &err),
           "%s", err.text);
    file_unmap(map, 8192);
    file_unmap(other, 8192);
    file_unmap(NULL, 0);
}

TEST(a_lock_keeps_others_out_until_it_is_closed)
{
    struct err err = {0};
    const char *path = in_dir(test_dir(), "lock");
    struct file *a CLEANUP(file_close) = NULL;
    struct file *b CLEANUP(file_close) = NULL;

    REQUIRE(file_open(path, FILE_WRITE, 0600, &a, &err) &&
            file_open(path, FILE_WRITE, 0600, &b, &err));
    EXPECT(file_lock(a, &err) && file_lock(a, &err), "again is fine");
    EXPECT(!file_lock(b, &err) && err.code == ERR_UNAVAILABLE, "%s", err.text);
    file_close(&a);
    EXPECT(file_lock(b, &err), "%s", err.text);
}

TEST(directories_are_made_with_their_parents_and_listed_sorted)
{
    static const char *const names[] = {"b", "a", "c", "B", ".hidden", "aa"};
    static const char *const sorted[] = {".hidden", "B", "a", "aa", "b", "c"};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str *list;
    size_t count;
    const char *dir = test_dir(), *deep = in_dir(dir, "x/y//z/");
    struct file_info info;

    EXPECT(file_make_dir(deep, 0700, &err) && file_make_dir(deep, 0700, &err), "%s", err.text);
    EXPECT(file_stat(deep, &info, &err) && info.is_dir && (info.mode & 0777) == 0700);
    EXPECT(file_list(arena, deep, 0, &list, &count, &err) && count == 0, "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[500];
        snprintf(path, sizeof path, "%s/%s", deep, names[i]);
        EXPECT(file_store(path, STR(""), 0600, &err), "%s", err.text);
    }
    EXPECT(file_list(arena, deep, 6, &list, &count, &err) && count == 6, "%s", err.text);
    for (size_t i = 0; i < count; i++)
        EXPECT(str_eq(list[i], str_from(sorted[i])), STR_FMT, STR_ARG(list[i]));
    EXPECT(!file_list(arena, deep, 5, &list, &count, &err) && err.code == ERR_TOO_LARGE);
    EXPECT(!file_remove(deep, &err), "not empty");
    EXPECT(!file_make_dir(in_dir(deep, "a/b"), 0700, &err) && err.sys == ENOTDIR, "%s", err.text);
    EXPECT(!file_list(arena, in_dir(dir, "none"), 5, &list, &count, &err) &&
           err.code == ERR_NOT_FOUND);
}

static bool is_nameless(const char *dir, const char *name, int64_t bytes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct file_nameless *list;
    struct err err = {0};
    size_t count, seen = 0;

    EXPECT(file_nameless(arena, dir, &list, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].name, str_from(name))) {
            EXPECT(list[i].bytes >= bytes, "%s: %" PRId64, name, list[i].bytes);
            seen++;
        }
    EXPECT(seen < 2, "%s: each once", name);
    return seen > 0;
}

TEST(what_is_held_without_a_name_is_known_until_it_is_let_go)
{
    struct err err = {0};
    const char *dir = test_dir(), *path = in_dir(dir, "deep/held one");
    struct file *f CLEANUP(file_close) = NULL;
    void *map;

    REQUIRE(file_make_dir(in_dir(dir, "deep"), 0700, &err), "%s", err.text);
    REQUIRE(file_open(path, FILE_WRITE, 0600, &f, &err) && file_append(f, "hello", 5, &err));
    REQUIRE(file_map(f, 5, false, &map, &err), "%s", err.text);
    EXPECT(!is_nameless(dir, "deep/held one", 5), "it has its name");
    REQUIRE(file_remove(path, &err), "%s", err.text);
    EXPECT(is_nameless(dir, "deep/held one", 5), "open and mapped");
    EXPECT(is_nameless(in_dir(dir, "deep/."), "held one", 5), "a directory by another name");
    EXPECT(!is_nameless("/usr", "deep/held one", 5), "of another directory");
    file_close(&f);
    EXPECT(is_nameless(dir, "deep/held one", 5), "mapped alone");
    file_unmap(map, 5);
    EXPECT(!is_nameless(dir, "deep/held one", 5), "let go");
    REQUIRE(file_open(path, FILE_WRITE, 0600, &f, &err) && file_append(f, "hello", 5, &err));
    REQUIRE(file_store(path, STR("another"), 0600, &err), "%s", err.text);
    EXPECT(is_nameless(dir, "deep/held one", 5), "open alone, and another stands there");
    file_close(&f);
    EXPECT(!is_nameless(dir, "deep/held one", 5), "let go");
}

TEST(a_rename_keeps_who_the_file_is)
{
    struct err err = {0};
    const char *dir = test_dir(), *from = in_dir(dir, "from"), *to = in_dir(dir, "to");
    struct file_info before, after;

    EXPECT(file_store(from, STR("x"), 0600, &err) && file_stat(from, &before, &err));
    EXPECT(file_rename(from, to, &err) && file_stat(to, &after, &err));
    EXPECT(before.inode == after.inode && before.device == after.device && after.changed > 0);
    EXPECT(!file_rename(from, to, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(file_remove(to, &err) && !file_remove(to, &err) && err.code == ERR_NOT_FOUND);
}

#ifdef WEIR_FAULT
static bool use_every_call(const char *dir, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct file *f CLEANUP(file_close) = NULL;
    const char *path = in_dir(dir, "sub/f"), *other = in_dir(dir, "sub/g");
    struct str text, *names;
    struct file_nameless *held;
    struct file_info info;
    int64_t size;
    size_t count;
    void *map;
    bool ok;

    if (!arena)
        return err_arena(err, arena);
    if (!file_make_dir(in_dir(dir, "sub"), 0700, err) || !file_store(path, STR("abc"), 0600, err) ||
        !file_open(path, FILE_WRITE, 0600, &f, err) || !file_lock(f, err) ||
        !file_append(f, "d", 1, err) || !file_sync(f, err) || !file_size(f, &size, err) ||
        !file_cut(f, 2, err) || !file_reserve(f, 4096, err) || !file_map(f, 4096, true, &map, err))
        return false;
    ok = file_sync_part(f, map, 0, 100, err);
    file_unmap(map, 4096);
    if (!ok)
        return false;
    return file_load(arena, path, 5000, &text, err) && file_stat(path, &info, err) &&
           file_rename(path, other, err) && file_list(arena, dir, 10, &names, &count, err) &&
           file_nameless(arena, dir, &held, &count, err) && file_remove(other, err);
}

TEST(every_call_can_fail_and_says_what_it_did)
{
    const char *dir = test_dir();
    uint64_t nth = 1;

    for (; fault_arm(nth); nth++) {
        struct err err = {0};
        bool ok = use_every_call(dir, &err);

        EXPECT(ok || err.code == ERR_EXHAUSTED || err.sys == EIO || err.sys == ENOSPC, "%s: %s",
               fault_last(), err.text);
        EXPECT(ok || err.code == ERR_EXHAUSTED || strstr(err.text, "could not "), "%s", err.text);
    }
    fault_disarm();
    EXPECT(nth > 18, "%" PRIu64 " points", nth);
}
#endif
