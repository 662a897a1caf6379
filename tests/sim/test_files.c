/* The simulated disk. */
#include <string.h>

#include "sys/file.h"
#include "sys/sim.h"
#include "test.h"

static struct sim_options calm_disk = {.seed = 1};

static void begin(int64_t disk_bytes)
{
    struct sim_options options = calm_disk;

    options.disk_bytes = disk_bytes;
    sim_begin(&options);
}

static void end(void)
{
    struct sim_report report;

    sim_end(&report);
    EXPECT(report.files == 0 && report.maps == 0);
}

static void put(const char *path, const char *text)
{
    struct err err = {0};

    EXPECT(file_store(path, str_from(text), 0600, &err), "%s", err.text);
}

static void expect_text(const char *path, const char *want)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str got;

    EXPECT(file_load(arena, path, 1000, &got, &err), "%s", err.text);
    EXPECT(err.code || str_eq(got, str_from(want)), "%s: " STR_FMT, path, STR_ARG(got));
}

TEST(files_are_written_read_and_renamed)
{
    struct err err = {0};
    struct file_info before, after;

    begin(0);
    EXPECT(file_make_dir("/data/audit", 0700, &err), "%s", err.text);
    put("/data/audit/a", "first");
    EXPECT(file_stat("/data//audit/./a", &before, &err) && before.bytes == 5 && !before.is_dir);
    EXPECT(file_rename("/data/audit/a", "/data/b", &err), "%s", err.text);
    EXPECT(file_stat("data/b", &after, &err) && after.inode == before.inode);
    EXPECT(!file_stat("/data/audit/a", &after, &err) && err.code == ERR_NOT_FOUND);
    expect_text("/data/b", "first");
    put("/data/b", "second");
    expect_text("/data/b", "second");
    EXPECT(!file_remove("/data", &err), "not empty");
    EXPECT(file_rename("/data", "/moved", &err), "%s", err.text);
    expect_text("/moved/b", "second");
    end();
}

TEST(a_missing_directory_is_not_made_by_opening)
{
    struct err err = {0};
    struct file *f = NULL;

    begin(0);
    EXPECT(!file_open("/no/such/file", FILE_WRITE, 0600, &f, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!file_open("/none", FILE_READ, 0600, &f, &err) && err.code == ERR_NOT_FOUND);
    end();
}

TEST(listings_are_sorted_and_bounded)
{
    struct err err = {0};
    struct str *names;
    size_t count;

    begin(0);
    EXPECT(file_make_dir("/d/sub/deep", 0700, &err));
    put("/d/c", "");
    put("/d/a", "");
    put("/d/b", "");
    struct arena *arena = arena_new(MIB);
    EXPECT(file_list(arena, "/d", 4, &names, &count, &err) && count == 4, "%s", err.text);
    EXPECT(str_eq(names[0], STR("a")) && str_eq(names[2], STR("c")) &&
           str_eq(names[3], STR("sub")));
    EXPECT(!file_list(arena, "/d", 3, &names, &count, &err) && err.code == ERR_TOO_LARGE);
    EXPECT(!file_list(arena, "/none", 3, &names, &count, &err) && err.code == ERR_NOT_FOUND);
    arena_end(&arena);
    end();
}

TEST(a_map_is_the_file)
{
    struct err err = {0};
    struct file *f = NULL;
    void *map;
    char bytes[4];
    size_t got;

    begin(0);
    EXPECT(file_open("/m", FILE_WRITE, 0600, &f, &err), "%s", err.text);
    EXPECT(file_reserve(f, 8192, &err), "%s", err.text);
    EXPECT(file_map(f, 8192, true, &map, &err), "%s", err.text);
    memcpy((char *)map + 4000, "here", 4);
    EXPECT(file_read_at(f, 4000, bytes, 4, &got, &err) && got == 4 && !memcmp(bytes, "here", 4));
    EXPECT(file_remove("/m", &err));
    file_close(&f);
    memcpy((char *)map, "late", 4); /* removed and closed, still mapped */
    file_unmap(map, 8192);
    end();
}

static size_t nameless(const char *dir)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct file_nameless *list;
    struct err err = {0};
    size_t count = 99;

    EXPECT(file_nameless(arena, dir, &list, &count, &err), "%s", err.text);
    EXPECT(count == 0 || str_eq(list[0].name, STR("f")), "its name");
    return count;
}

TEST(what_is_held_without_a_name_is_known)
{
    struct err err = {0};
    struct file *f = NULL;
    void *map = NULL;

    begin(0);
    EXPECT(file_make_dir("/data", 0700, &err));
    put("/data/f", "bytes");
    EXPECT(file_open("/data/f", FILE_READ, 0, &f, &err) && file_map(f, 5, false, &map, &err));
    EXPECT(nameless("/data") == 0);
    EXPECT(file_remove("/data/f", &err) && nameless("/data") == 1 && nameless("/dat") == 0);
    file_close(&f);
    EXPECT(nameless("/data/") == 1, "mapped alone");
    file_unmap(map, 5);
    EXPECT(nameless("/data") == 0);
    end();
}

TEST(a_full_disk_takes_what_fits_and_says_so)
{
    struct err err = {0};
    struct file *f = NULL;
    static char bytes[10000];
    int64_t size;

    begin(8192);
    EXPECT(file_open("/f", FILE_WRITE, 0600, &f, &err), "%s", err.text);
    EXPECT(file_append(f, bytes, 5000, &err), "%s", err.text);
    EXPECT(!file_append(f, bytes, 5000, &err) && err.code == ERR_UNAVAILABLE);
    EXPECT(file_size(f, &size, &err) && size == 8192);
    EXPECT(!file_reserve(f, 8193, &err));
    sim_disk(0);
    EXPECT(file_append(f, bytes, 5000, &err));
    EXPECT(file_cut(f, 0, &err));
    sim_disk(4096);
    EXPECT(file_reserve(f, 4096, &err), "the blocks were given back");
    EXPECT(!file_store("/g", STR("x"), 0600, &err));
    EXPECT(!file_stat("/g", &(struct file_info){0}, &err));
    file_close(&f);
    end();
}

TEST(locks_are_exclusive)
{
    struct err err = {0};
    struct file *a = NULL, *b = NULL;

    begin(0);
    EXPECT(file_open("/l", FILE_WRITE, 0600, &a, &err) && file_open("/l", FILE_WRITE, 0, &b, &err));
    EXPECT(file_lock(a, &err) && !file_lock(b, &err) && err.code == ERR_UNAVAILABLE);
    file_close(&a);
    EXPECT(file_lock(b, &err));
    file_close(&b);
    end();
}

TEST(kept_files_come_back)
{
    struct err err = {0};

    begin(0);
    put("/k", "kept");
    put("/gone", "later");
    sim_files_keep(false);
    put("/k", "changed");
    EXPECT(file_remove("/gone", &err));
    put("/new", "");
    sim_files_revert();
    expect_text("/k", "kept");
    expect_text("/gone", "later");
    EXPECT(!file_stat("/new", &(struct file_info){0}, &err));
    end();
}

TEST(without_power_only_synced_bytes_are_sure)
{
    struct err err = {0};
    struct file *f = NULL;
    char bytes[4096];
    size_t got;
    int lost = 0;

    memset(bytes, 'x', sizeof bytes);
    begin(0);
    EXPECT(file_open("/f", FILE_WRITE, 0600, &f, &err) &&
           file_append(f, bytes, sizeof bytes, &err));
    EXPECT(file_sync(f, &err));
    for (int i = 0; i < 64; i++)
        EXPECT(file_append(f, bytes, sizeof bytes, &err));
    sim_files_keep(true);
    file_close(&f);
    sim_files_revert();
    EXPECT(file_open("/f", FILE_READ, 0, &f, &err));
    for (int i = 0; i < 65; i++) {
        EXPECT(file_read_at(f, i * 4096, bytes, sizeof bytes, &got, &err) && got == 4096);
        EXPECT(i > 0 || bytes[0] == 'x');
        lost += bytes[0] == 0;
    }
    EXPECT(lost > 10 && lost < 54, "%d", lost);
    file_close(&f);
    end();
}

/* Pages before and behind the part are as sure as they were before. */
TEST(without_power_what_was_synced_in_part_is_sure)
{
    struct err err = {0};
    struct file *f = NULL;
    char bytes[4096];
    void *map = NULL;
    size_t got;
    int lost = 0;

    begin(0);
    EXPECT(file_open("/f", FILE_WRITE, 0600, &f, &err) && file_reserve(f, 64 * 4096, &err) &&
           file_map(f, 64 * 4096, true, &map, &err));
    memset(map, 'x', 64 * 4096);
    EXPECT(file_sync_part(f, map, 0, 4096, &err) &&
           file_sync_part(f, map, 20 * 4096, 30 * 4096, &err));
    memset((char *)map + 21 * 4096, 'y', 4096);
    EXPECT(file_sync_part(f, map, 21 * 4096 + 7, 22 * 4096, &err));
    sim_files_keep(true);
    file_unmap(map, 64 * 4096);
    file_close(&f);
    sim_files_revert();
    EXPECT(file_open("/f", FILE_READ, 0, &f, &err));
    for (int i = 0; i < 64; i++) {
        bool sure = i == 0 || (i >= 20 && i < 30);

        EXPECT(file_read_at(f, i * 4096, bytes, sizeof bytes, &got, &err) && got == 4096);
        EXPECT(!sure || bytes[4095] == (i == 21 ? 'y' : 'x'), "block %d", i);
        lost += bytes[0] == 0;
    }
    EXPECT(lost > 8 && lost < 45, "%d", lost);
    file_close(&f);
    end();
}

TEST(files_fail_by_the_odds)
{
    struct sim_options options = {.seed = 1, .ppm = {[SIM_FILE_FAILED] = 200000}};
    struct sim_report report;
    int failed = 0;

    sim_begin(&options);
    for (int i = 0; i < 1000; i++) {
        struct err err = {0};
        struct file *f = NULL;

        if (!file_open("/f", FILE_WRITE, 0600, &f, &err))
            failed++;
        file_close(&f);
    }
    EXPECT(failed > 150 && failed < 250, "%d", failed);
    sim_end(&report);
    EXPECT(report.struck[SIM_FILE_FAILED] == (uint64_t)failed);
}
