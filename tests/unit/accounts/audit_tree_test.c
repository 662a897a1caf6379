/* The tree in files, the checkpoints over it, and what is said when either does not fit the records. */
#include "accounts/audit_tree.h"

#include <string.h>

#include "accounts/audit_internal.h"
#include "accounts/audit_proof.h"
#include "accounts/audit_query.h"
#include "accounts/audit_runs.h"
#include "base/fault.h"
#include "sys/file.h"
#include "test.h"

#define SMALL_SEGMENT ((size_t)256 * KIB)

/* ---- a log with its tree ---- */

struct log {
    const char *dir;
    struct arena *arena;
    struct audit *audit;
    struct audit_tree *tree;
    struct audit_tree_options options;
};

static bool open_log(struct log *log, const char *dir, struct err *err)
{
    if (!log->arena)
        log->arena = arena_new(256 * MIB);
    if (!log->arena)
        return err_set(err, ERR_EXHAUSTED, "no memory");
    log->dir = arena_fmt(log->arena, "%s/audit", dir).ptr;
    log->options =
        (struct audit_tree_options){.key_file = arena_fmt(log->arena, "%s/audit.key", dir).ptr,
                                    .public_file = arena_fmt(log->arena, "%s/audit.pub", dir).ptr};

    const struct audit_options options = {.dir = log->dir, .segment_bytes = SMALL_SEGMENT};

    return audit_open(&options, &log->audit, err) &&
           audit_tree_open(log->audit, &log->options, &log->tree, err);
}

static void close_log(struct log *log)
{
    audit_tree_close(&log->tree);
    audit_close(&log->audit);
}

static void log_done(struct log *log)
{
    close_log(log);
    arena_end(&log->arena);
}

static void append(struct log *log, uint64_t count)
{
    while (count--) {
        struct audit_record r = {.time = 1795262400123, .request_id = count, .model = STR("m")};
        struct err err = {0};

        EXPECT(audit_append(log->audit, &r, &err), "%s", err.text);
    }
}

/* As it stands in the log before records go, audit_keep.c. */
static void append_removal(struct log *log)
{
    struct audit_record r = {
        .time = 1795262400123, .outcome = STR("complete"), .tokens_in = -1, .tokens_out = -1};
    struct err err = {0};

    r.note = STR("records 1 to 5000 are removed: older than 180 days");
    EXPECT(audit_append(log->audit, &r, &err), "%s", err.text);
}

static void advance(struct log *log)
{
    struct err err = {0};

    EXPECT(audit_tree_advance(log->tree, &err), "%s", err.text);
}

static void load_trust(const struct log *log, struct audit_trust *trust)
{
    struct err err = {0};
    struct str text;

    trust->count = 0;
    EXPECT(file_load(log->arena, log->options.public_file, MIB, &text, &err) &&
               note_keys_read(text, trust->keys, &trust->count, &err),
           "%s", err.text);
}

static bool verify(const struct log *log, struct audit_verdict *out, struct err *err)
{
    static struct audit_trust trust;

    load_trust(log, &trust);
    return audit_verify_signed(log->dir, &trust, NULL, 0, out, err);
}

static void expect_signed(const struct log *log, uint64_t records)
{
    struct audit_verdict verdict = {0};
    struct err err = {0};

    EXPECT(verify(log, &verdict, &err), "%s", err.text);
    EXPECT(verdict.signed_size == records, "%" PRIu64, verdict.signed_size);
}

/* ---- growing ---- */

TEST(audit_tree_signs_what_was_appended)
{
    struct log log CLEANUP(log_done) = {0};
    struct file_info key;
    struct err err = {0};

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 3);
    EXPECT(audit_tree_size(log.tree) == 0);
    advance(&log);
    EXPECT(audit_tree_size(log.tree) == 3);
    expect_signed(&log, 3);
    append(&log, 1000); /* rolls over, fills tiles */
    advance(&log);
    expect_signed(&log, 1003);
    EXPECT(file_stat(log.options.key_file, &key, &err) && (key.mode & 0777u) == 0600);
}

/* Every size around a tile's edge, opened anew each time. */
TEST(audit_tree_goes_on_where_it_stopped)
{
    const char *dir = test_dir();
    uint64_t total = 0;

    for (uint64_t step = 1; total < 900; step = step * 7 % 61 + 1) {
        struct log log CLEANUP(log_done) = {0};
        struct err err = {0};

        REQUIRE(open_log(&log, dir, &err), "%s", err.text);
        append(&log, step);
        total += step;
        advance(&log);
        expect_signed(&log, total);
    }
}

/* ---- files ---- */

static const char *path_in(struct log *log, const char *name)
{
    return arena_fmt(log->arena, "%s/%s", log->dir, name).ptr;
}

static size_t hashes_in(struct log *log, const char *name)
{
    struct file_info info;
    struct err err = {0};

    EXPECT(file_stat(path_in(log, name), &info, &err), "%s", err.text);
    EXPECT(info.bytes % SHA256_BYTES == 0);
    return (size_t)info.bytes / SHA256_BYTES;
}

/* A level is one file that grows, whoever stops and starts in between. */
TEST(audit_tree_appends_its_hashes)
{
    const char *dir = test_dir();
    uint64_t total = 0;

    for (int life = 0; life < 3; life++) {
        struct log log CLEANUP(log_done) = {0};
        struct err err = {0};
        struct str *names;
        size_t count;

        REQUIRE(open_log(&log, dir, &err), "%s", err.text);
        for (int i = 0; i < 40; i++) {
            append(&log, 37);
            total += 37;
            advance(&log);
            expect_signed(&log, total);
            EXPECT(hashes_in(&log, "tree/0/0000000000000000") == total);
        }
        EXPECT(hashes_in(&log, "tree/1/0000000000000000") == total / 256);
        EXPECT(file_list(log.arena, path_in(&log, "tree"), 10, &names, &count, &err) && count == 2);
    }
}

static struct sha256 numbered(int level, uint64_t n)
{
    uint64_t words[4] = {n + 1, (uint64_t)level, ~n, 7};
    struct sha256 hash;

    memcpy(hash.bytes, words, sizeof hash.bytes);
    return hash;
}

/* Tiles `from` to `to` of a level, and `width` hashes more; each tile is given twice. */
static bool add_numbered(struct audit_runs *runs, int level, uint64_t from, uint64_t to,
                         uint32_t width, struct err *err)
{
    for (uint64_t tile = from; tile <= to; tile++) {
        uint32_t count = tile < to ? TILE_WIDTH : width;
        struct sha256 hashes[64];

        for (uint32_t at = 64; at <= TILE_WIDTH + 63; at += 64) {
            uint32_t end = MIN_OF(at, count);
            static struct sha256 all[TILE_WIDTH];

            for (uint32_t i = at - 64; i < end; i++) {
                hashes[i % 64] = numbered(level, tile * TILE_WIDTH + i);
                all[i] = hashes[i % 64];
            }
            if (end && !audit_runs_add(runs, level, tile, all, end, err))
                return false;
        }
    }
    return true;
}

static void expect_numbered(const char *dir, int level, uint64_t from, uint64_t to)
{
    static struct sha256 tile[TILE_WIDTH];
    struct err err = {0};

    for (uint64_t index = from; index < to; index++) {
        EXPECT(audit_tile_read(dir, level, index, TILE_WIDTH, tile, &err), "%s", err.text);
        for (uint32_t i = 0; i < TILE_WIDTH; i++) {
            struct sha256 want = numbered(level, index * TILE_WIDTH + i);

            EXPECT(sha256_equal(&tile[i], &want), "%d/%" PRIu64 " %" PRIu32, level, index, i);
        }
    }
}

/* Over the end of a file, above all: leaves by many, one checkpoint after the other and none for long. */
TEST(audit_runs_go_on_in_the_next_file)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const char *dir = test_dir();
    struct audit_runs runs CLEANUP(audit_runs_done) = {0};
    static struct sha256 tile[TILE_WIDTH];
    struct err err = {0};

    REQUIRE(audit_runs_init(&runs, arena, dir, &err), "%s", err.text);
    audit_runs_begin(&runs, 65000);
    EXPECT(add_numbered(&runs, 0, 253, 300, 100, &err) && audit_runs_write(&runs, true, &err), "%s",
           err.text);
    EXPECT(add_numbered(&runs, 0, 300, 301, 1, &err) && add_numbered(&runs, 1, 0, 1, 9, &err) &&
               audit_runs_write(&runs, true, &err),
           "%s", err.text);
    expect_numbered(dir, 0, 253, 301);
    expect_numbered(dir, 1, 0, 1);
    EXPECT(audit_tile_read(dir, 0, 301, 1, tile, &err), "%s", err.text);
    EXPECT(!audit_tile_read(dir, 0, 301, 2, tile, &err) && err.code == ERR_NOT_FOUND, "%s",
           err.text);
    EXPECT(strstr(err.text, "tile 0/301 of the audit tree is not in \"tree/0/0000000000065536\""),
           "%s", err.text);
    /* What stood before the first that was written is a hole, not a tile of zeros. */
    EXPECT(!audit_tile_read(dir, 0, 252, TILE_WIDTH, tile, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!audit_tile_read(dir, 2, 0, 1, tile, &err) && err.code == ERR_NOT_FOUND);
}

/* first: what power loss takes nothing from. */
TEST(audit_runs_sync_leaves_when_many_wait)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct audit_runs runs CLEANUP(audit_runs_done) = {0};
    const char *dir = test_dir();
    struct err err = {0};

    REQUIRE(audit_runs_init(&runs, arena, dir, &err), "%s", err.text);
    audit_runs_begin(&runs, 0);
    for (uint64_t tile = 0; tile < 260; tile++) {
        EXPECT(add_numbered(&runs, 0, tile, tile + 1, 3, &err) &&
                   audit_runs_write(&runs, false, &err),
               "%s", err.text);
        EXPECT(runs.at[0].written == runs.at[0].have, "all is in the file");
        EXPECT(runs.at[0].have - runs.at[0].first <= AUDIT_LEAVES_WAITING, "%" PRIu64,
               runs.at[0].have - runs.at[0].first);
        if (tile == 255)
            EXPECT(runs.at[0].first == AUDIT_RUN_HASHES, "a file that is full: %" PRIu64,
                   runs.at[0].first);
        if (tile == 3)
            EXPECT(runs.at[0].first == 0, "few wait: %" PRIu64, runs.at[0].first);
    }
    EXPECT(runs.at[0].first == AUDIT_RUN_HASHES);
    EXPECT(audit_runs_write(&runs, true, &err) && runs.at[0].first == (uint64_t)260 * TILE_WIDTH);
    expect_numbered(dir, 0, 0, 260);
}

#ifdef WEIR_FAULT
/* What failed is written again as a whole, also what was taken before it failed. */
TEST(audit_runs_survive_every_fault)
{
    const char *failed = "";
    uint64_t nth;

    for (nth = 1; failed; nth++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        const char *dir = test_dir();
        struct audit_runs runs CLEANUP(audit_runs_done) = {0};
        struct err err = {0};
        bool ok = true;

        REQUIRE(audit_runs_init(&runs, arena, dir, &err), "%s", err.text);
        audit_runs_begin(&runs, 65024);
        fault_begin(nth);
        for (uint64_t tile = 254; tile < 280 && ok; tile++)
            ok = add_numbered(&runs, 0, tile, tile + 1, 3, &err) &&
                 add_numbered(&runs, 1, 0, 0, 30, &err) &&
                 (tile % 3 || audit_runs_write(&runs, tile % 2, &err));
        ok = ok && audit_runs_write(&runs, true, &err);
        failed = fault_end();
        EXPECT(ok == !failed, "%s", err.text);
        /* The same once more, from where its owner stands. */
        for (uint64_t tile = 254; tile < 280; tile++)
            if (runs.at[0].have < (tile + 1) * TILE_WIDTH)
                EXPECT(add_numbered(&runs, 0, tile, tile + 1, 3, &err), "%s", err.text);
        EXPECT(add_numbered(&runs, 1, 0, 0, 30, &err) && audit_runs_write(&runs, true, &err), "%s",
               err.text);
        expect_numbered(dir, 0, 254, 280);
    }
    EXPECT(nth > 30, "%" PRIu64, nth);
}
#endif

static void remove_all(struct arena *arena, const char *path)
{
    struct err err = {0};
    struct str *names;
    size_t count;

    if (file_list(arena, path, 10000, &names, &count, &err))
        for (size_t i = 0; i < count; i++)
            remove_all(arena, arena_fmt(arena, "%s/" STR_FMT, path, STR_ARG(names[i])).ptr);
    (void)!file_remove(path, &err);
}

TEST(audit_tree_is_made_again_from_the_records)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 700);
    advance(&log);
    close_log(&log);
    remove_all(log.arena, arena_fmt(log.arena, "%s/tree", log.dir).ptr);
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 1);
    advance(&log);
    expect_signed(&log, 701);
}

/* Power was lost: of the leaves that were not synced some are not in the file. They are hashed again, also when the
 * first records are not kept any more, so that nothing could be made anew from the beginning. */
TEST(audit_tree_makes_good_what_power_loss_took)
{
    static const struct {
        const char *name;
        uint64_t size, lost; /* leaves, from the end */
        bool cut, pruned;
    } cases[] = {
        {"nothing", 9000, 0, true, true},
        {"the end", 9000, 500, true, true},
        {"all that may wait", 9000, AUDIT_LEAVES_WAITING, true, true},
        {"all that may wait, as zeros", 9001, AUDIT_LEAVES_WAITING, false, true},
        {"some zeros", 8960, 3000, false, true},
        {"all of a small tree", 300, 300, true, false},
        {"more than may be", 9000, 8000, true, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *dir = test_dir(), *path;
        struct log log CLEANUP(log_done) = {0};
        struct err err = {0};
        struct str leaves;

        REQUIRE(open_log(&log, dir, &err), "%s", err.text);
        for (uint64_t left = cases[i].size - 1, some; left; left -= some) {
            some = MIN_OF(left, 1000u);
            append(&log, some);
            advance(&log);
        }
        append_removal(&log);
        advance(&log);
        close_log(&log);
        path = path_in(&log, "tree/0/0000000000000000");
        REQUIRE(file_load(log.arena, path, MIB, &leaves, &err), "%s", err.text);
        size_t kept = leaves.len - (size_t)cases[i].lost * SHA256_BYTES;
        if (cases[i].cut)
            leaves.len = kept;
        else
            memset((char *)(uintptr_t)leaves.ptr + kept, 0, 100 * sizeof(struct sha256));
        REQUIRE(file_store(path, leaves, 0600, &err), "%s", err.text);
        if (cases[i].pruned)
            REQUIRE(file_remove(path_in(&log, "0000000000000001.log"), &err), "%s", err.text);
        REQUIRE(open_log(&log, dir, &err), "%s: %s", cases[i].name, err.text);
        expect_signed(&log, cases[i].size);
        append(&log, 300);
        advance(&log);
        expect_signed(&log, cases[i].size + 300);
    }
}

/* The tiles as versions before wrote them: a file each, and one of the hashes that fill no tile. */
static void as_before(struct log *log, uint64_t size)
{
    struct err err = {0};

    for (int level = 0; level < 2; level++) {
        uint64_t width = size >> 8 * level;
        struct str run;

        EXPECT(file_load(log->arena,
                         arena_fmt(log->arena, "%s/tree/%d/0000000000000000", log->dir, level).ptr,
                         MIB, &run, &err),
               "%s", err.text);
        for (uint64_t at = 0; at < width; at += TILE_WIDTH) {
            uint64_t count = MIN_OF(width - at, (uint64_t)TILE_WIDTH);
            struct str path = arena_fmt(log->arena, "%s/tile/%d/%03" PRIu64 "%s", log->dir, level,
                                        at / TILE_WIDTH, count < TILE_WIDTH ? ".p" : "");

            EXPECT(file_make_dir(arena_fmt(log->arena, "%s/tile/%d", log->dir, level).ptr, 0700,
                                 &err));
            if (count < TILE_WIDTH) {
                EXPECT(file_make_dir(path.ptr, 0700, &err));
                path = arena_fmt(log->arena, STR_FMT "/%" PRIu64, STR_ARG(path), count);
            }
            EXPECT(file_store(path.ptr,
                              str_slice(run, at * SHA256_BYTES, (at + count) * SHA256_BYTES), 0600,
                              &err),
                   "%s", err.text);
        }
    }
    remove_all(log->arena, path_in(log, "tree"));
}

static struct str bundle_of(const struct log *log, uint64_t seq, struct str older);

/* Verified and proved where it lies, opened, and gone on with in the files of this version. */
TEST(audit_tree_of_a_version_before_is_read_and_gone_on_with)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct file_info info;
    struct err err = {0};
    struct str before, older;

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 700);
    advance(&log);
    REQUIRE(audit_tree_note(log.tree, log.arena, &older, &err));
    before = bundle_of(&log, 300, STR_NONE);
    close_log(&log);
    as_before(&log, 700);
    expect_signed(&log, 700);
    EXPECT(str_eq(before, bundle_of(&log, 300, STR_NONE)));
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    expect_signed(&log, 700);
    EXPECT(!file_stat(path_in(&log, "tree/0/0000000000000000"), &info, &err) ||
           info.bytes == 700 * 32);
    append(&log, 500);
    advance(&log);
    expect_signed(&log, 1200);
    close_log(&log);
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 1);
    advance(&log);
    expect_signed(&log, 1201);
    (void)bundle_of(&log, 200, older);
    (void)bundle_of(&log, 900, older);
    close_log(&log);
    /* A tile of before that is missing is made again from the records, as any other. */
    REQUIRE(file_remove(path_in(&log, "tile/0/001"), &err));
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    expect_signed(&log, 1201);
    remove_all(log.arena, path_in(&log, "tile"));
    expect_signed(&log, 1201);
}

/* A segment as versions before wrote it, without them: records from 1 on, chained the other way round. */
static void write_old_segment(struct log *log, const char *dir, uint64_t records)
{
    char header[AUDIT_HEADER_MAX], path[AUDIT_PATH_MAX];
    struct sha256 head = {0};
    struct err err = {0};
    struct buf b;

    log->arena = log->arena ? log->arena : arena_new(256 * MIB);
    log->dir = arena_fmt(log->arena, "%s/audit", dir).ptr;
    buf_init(&b, log->arena, MIB);
    buf_str(&b, audit_header(header, AUDIT_PREV_FIRST, 1, &head));
    for (uint64_t seq = 1; seq <= records; seq++) {
        struct str text = arena_fmt(log->arena,
                                    "{\"seq\":%" PRIu64 ",\"time\":\"2026-11-21T00:00:00.000Z\","
                                    "\"model\":\"m\",\"bytes_in\":0,\"bytes_out\":0,\"took_us\":0",
                                    seq);

        head = audit_hash(AUDIT_PREV_FIRST, &head, text);
        buf_str(&b, text);
        buf_str(&b, STR(",\"hash\":\""));
        buf_hex(&b, head.bytes, sizeof head.bytes);
        buf_str(&b, STR("\"}\n"));
    }
    EXPECT(file_make_dir(log->dir, 0700, &err) && audit_path(path, log->dir, 1, ".log", &err) &&
               file_store(path, buf_view(&b), 0600, &err),
           "%s", err.text);
}

/* It is closed as it is, and the log goes on in a segment of its own: one log, one chain, one tree. */
TEST(audit_log_of_the_version_before_goes_on)
{
    static const uint64_t sizes[] = {0, 1, 300};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const char *dir = test_dir();
        struct log log CLEANUP(log_done) = {0};
        struct audit_report report = {0};
        struct err err = {0};

        write_old_segment(&log, dir, sizes[i]);
        for (uint64_t life = 1; life <= 3; life++) {
            REQUIRE(open_log(&log, dir, &err), "%s", err.text);
            append(&log, 10);
            advance(&log);
            expect_signed(&log, sizes[i] + 10 * life);
            close_log(&log);
        }
        EXPECT(audit_verify(log.dir, &report, &err), "%s", err.text);
        EXPECT(report.records == sizes[i] + 30 && report.segments == 1 + (sizes[i] > 0),
               "%" PRIu64 " of %" PRIu64, report.segments, report.records);
    }
}

/* Leaves are those of the lines, also of records that are too many to wait for the tree. */
TEST(audit_tree_hashes_what_it_was_not_given)
{
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};
    uint64_t size = 0;

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    for (uint64_t more = 1; more < 7000; more = 3 * more + 1) {
        append(&log, more);
        advance(&log);
        size += more;
        expect_signed(&log, size);
    }
}

/* A log of a version that had no tree. */
TEST(audit_tree_takes_over_an_old_log)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 600);
    close_log(&log);
    remove_all(log.arena, arena_fmt(log.arena, "%s/tree", log.dir).ptr);
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    advance(&log);
    expect_signed(&log, 600);
}

/* Most of a line is like the one before it, and then not read: the row must be that of the line all the same. */
TEST(audit_row_is_of_its_line_alone)
{
    static const char *const lines[] = {
        "{\"seq\":1,\"time\":\"2026-11-22T10:00:00.001Z\",\"request\":\"0000000000000001\",\"key\":"
        "\"k\",\"status\":200,\"outcome\":\"complete\",\"cost\":0.000005}",
        "{\"seq\":2,\"time\":\"2026-11-22T10:00:00.002Z\",\"request\":\"0000000000000002\",\"key\":"
        "\"k\",\"status\":200,\"outcome\":\"complete\",\"cost\":0.000007}",
        "{\"seq\":3,\"time\":\"2026-11-22T10:00:00.003Z\",\"request\":\"0000000000000003\",\"key\":"
        "\"k\",\"status\":429,\"outcome\":\"complete\"}",
        "{\"seq\":4,\"time\":\"2026-11-22T10:00:00.004Z\",\"request\":\"0000000000000004\",\"key\":"
        "\"k\",\"status\":429,\"outcome\":\"complete\",\"status\":7}",
        "{\"seq\":5,\"time\":\"2026-11-22T10:00:00.005Z\",\"key\":\"other\",\"request\":"
        "\"0000000000000005\",\"key\":\"k\",\"status\":429,\"outcome\":\"complete\"}",
        "{\"seq\":6,\"time\":\"2026-11-22T10:00:00.006Z\",\"team\":\"t\",\"request\":"
        "\"0000000000000006\",\"key\":\"k\",\"status\":429,\"outcome\":\"complete\"}",
        "{\"seq\":7,\"time\":\"2026-11-22T10:00:00.007Z\",\"request\":\"0000000000000007\",\"key\":"
        "\"k\",\"cost\":0.5,\"outcome\":\"complete\"}",
        "{\"seq\":8,\"time\":\"2026-11-22T10:00:00.008Z\",\"request\":\"0000000000000008\",\"key\":"
        "\"k\",\"cost\":0.5,\"outcome\":\"complete\"}",
        "{\"seq\":9,\"time\":\"2026-11-22T10:00:00.009Z\",\"request\":\"0000000000000009\",\"key\":"
        "\"k\",\"outcome\":5,\"cost\":1}",
        "{\"seq\":10,\"time\":\"2026-11-22T10:00:00.010Z\",\"request\":\"0000000000000010\","
        "\"key\":\"k\",\"outcome\":57,\"cost\":2}",
        "{\"seq\":11,\"time\":\"2026-11-22T10:00:00.011Z\",\"request\":\"0000000000000011\","
        "\"key\":\"k\",\"outcome\":5}",
        "{\"seq\":11,\"time\":\"2026-11-22T10:00:00.011Z\",\"request\":\"0000000000000001\","
        "\"key\":\"k\",\"request\":\"0000000000000002\",\"outcome\":\"a\"}",
        "{\"seq\":12,\"time\":\"2026-11-22T10:00:00.012Z\",\"request\":\"0000000000000012\","
        "\"key\":\"k\",\"outcome\":5",
    };
    static struct audit_memo memo;

    for (size_t i = 0; i < 4 * ARRAY_LEN(lines); i++) /* each after itself, and after all others */
        for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
            struct str line = str_from(lines[(k * (1 + i % 4) + i) % ARRAY_LEN(lines)]);
            struct audit_row alone, after;

            audit_row_read(line, &alone);
            audit_row_read_after(&memo, line, &after);
            EXPECT(memcmp(&alone, &after, sizeof alone) == 0, STR_FMT, STR_ARG(line));
        }
}

/* Tables made while records pass are those made from the segments: byte by byte, whatever the texts are, also
 * when lines were read twice because a write failed. */
TEST(audit_tables_made_on_the_way_are_the_same)
{
    static const char *const texts[] = {"m", "n", "a \"b\" \\", ""};
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};
    struct str *names, folder;
    size_t count = 0;

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    for (uint64_t i = 0; i < 5000; i++) {
        struct audit_record r = {.time = 1795262399000 + (wall_ms)i / 3,
                                 .request_id = i * 0x9e3779b97f4a7c15u,
                                 .model = str_from(texts[i % 4]),
                                 .key_id = str_from(texts[i / 64 % 4]),
                                 .tenant =
                                     STR("a tenant with a name of more than so many characters"),
                                 .provider = str_from(texts[i % 3]),
                                 .status = (int)(i % 600),
                                 .cost = (usd_micro)i % 5000};

        EXPECT(audit_append(log.audit, &r, &err), "%s", err.text);
        if (i % 77 == 5)
            advance(&log);
#ifdef WEIR_FAULT
        if (i % 501 == 500) {
            fault_begin(7 + i / 501);
            (void)!audit_tree_advance(log.tree, &err);
            (void)fault_end();
        }
#endif
    }
    advance(&log);
    folder = (struct str){path_in(&log, AUDIT_INDEX), strlen(path_in(&log, AUDIT_INDEX))};
    REQUIRE(file_list(log.arena, folder.ptr, 100, &names, &count, &err) && count > 3, "%zu", count);
    for (size_t i = 0; i < count; i++) {
        const char *path =
            arena_fmt(log.arena, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(names[i])).ptr;
        struct str on_the_way = STR_NONE, again = STR_NONE;

        EXPECT(file_load(log.arena, path, MIB, &on_the_way, &err) && file_remove(path, &err) &&
                   audit_index_missing(log.dir, audit_last_seq(log.audit), &err) &&
                   file_load(log.arena, path, MIB, &again, &err),
               "%s", err.text);
        EXPECT(str_eq(on_the_way, again), "table %s", path);
    }
}

/* ---- keys ---- */

TEST(audit_tree_key_is_replaced_with_the_old_ones_word)
{
    static struct audit_trust trust;
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct audit_verdict verdict = {0};
    struct err err = {0};

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 5);
    advance(&log);
    load_trust(&log, &trust); /* only the first key */
    EXPECT(trust.count == 1);
    for (uint64_t i = 0; i < 3; i++) {
        EXPECT(audit_tree_rotate(log.tree, &err), "%s", err.text);
        append(&log, 10);
        advance(&log);
    }
    EXPECT(audit_verify_signed(log.dir, &trust, NULL, 0, &verdict, &err), "%s", err.text);
    EXPECT(verdict.signed_size == 35 && trust.count == 4, "%zu", trust.count);
    close_log(&log);
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 1);
    advance(&log);
    expect_signed(&log, 36);
}

/* Two who replace it at once, or one who does it again because the first try failed behind the key's file. */
TEST(audit_tree_key_is_replaced_twice_with_no_record_between)
{
    static struct audit_trust trust;
    struct log log CLEANUP(log_done) = {0};
    struct audit_verdict verdict = {0};
    struct err err = {0};

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 5);
    advance(&log);
    load_trust(&log, &trust); /* only the first key */
    EXPECT(audit_tree_rotate(log.tree, &err) && audit_tree_rotate(log.tree, &err), "%s", err.text);
    append(&log, 1);
    advance(&log);
    EXPECT(audit_verify_signed(log.dir, &trust, NULL, 0, &verdict, &err), "%s", err.text);
    EXPECT(verdict.signed_size == 6 && trust.count == 3, "%zu", trust.count);
}

/* Who gets hold of a former key can sign with it: so the newest is trusted, and none of before. */
TEST(audit_log_verifies_with_the_newest_key_alone)
{
    static struct audit_trust trust;
    struct log log CLEANUP(log_done) = {0};
    struct audit_verdict verdict = {0};
    struct audit_noted noted = {.name = STR("noted")};
    struct err err = {0};

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 5);
    advance(&log);
    REQUIRE(audit_tree_note(log.tree, log.arena, &noted.note, &err));
    EXPECT(audit_tree_rotate(log.tree, &err), "%s", err.text);
    append(&log, 10);
    advance(&log);
    load_trust(&log, &trust); /* the newest first */
    EXPECT(trust.count == 2);
    trust.count = 1;
    EXPECT(audit_verify_signed(log.dir, &trust, NULL, 0, &verdict, &err), "%s", err.text);
    EXPECT(verdict.signed_size == 15 && verdict.checkpoints == 2 && verdict.passed_over == 1,
           "%" PRIu64 ", %" PRIu64, verdict.checkpoints, verdict.passed_over);
    load_trust(&log, &trust);
    trust.count = 1;
    EXPECT(!audit_verify_signed(log.dir, &trust, &noted, 1, &verdict, &err) &&
               strstr(err.text, "\"noted\": is signed by"),
           "%s", err.text);
}

static struct str origin_of(const struct log *log)
{
    struct str note, origin = STR_NONE;
    struct err err = {0};

    EXPECT(audit_tree_note(log->tree, log->arena, &note, &err), "%s", err.text);
    (void)str_split(&note, '\n', &origin);
    return origin;
}

/* The process died when the new key stood among the public ones and the old one still in the signing key's file: the
 * log keeps its name, or no checkpoint of before could be shown to lead to one of after. */
TEST(audit_log_keeps_its_name_when_a_new_key_is_lost)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct str was, key;
    struct err err = {0};

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 5);
    advance(&log);
    was = origin_of(&log);
    REQUIRE(file_load(log.arena, log.options.key_file, KIB, &key, &err), "%s", err.text);
    REQUIRE(audit_tree_rotate(log.tree, &err), "%s", err.text);
    close_log(&log);
    REQUIRE(file_store(log.options.key_file, key, 0600, &err), "%s", err.text);
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 1);
    advance(&log);
    EXPECT(str_eq(origin_of(&log), was), STR_FMT " was " STR_FMT, STR_ARG(origin_of(&log)),
           STR_ARG(was));
    expect_signed(&log, 6);
}

TEST(audit_tree_refuses_a_lost_or_open_key)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};
    struct str key;

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 5);
    advance(&log);
    close_log(&log);
    REQUIRE(file_load(log.arena, log.options.key_file, KIB, &key, &err));
    REQUIRE(file_remove(log.options.key_file, &err));
    EXPECT(!open_log(&log, dir, &err) && strstr(err.text, "is missing"), "%s", err.text);
    close_log(&log);
    REQUIRE(file_store(log.options.key_file, key, 0644, &err));
    EXPECT(!open_log(&log, dir, &err) && strstr(err.text, "may be read by others"), "%s", err.text);
}

/* ---- what was done to it, and what is said ---- */

/* Chain hashes made anew, as somebody would who knows the format: only what was signed can tell. */
static void forge(struct arena *arena, const char *dir, uint64_t drop, uint64_t change,
                  uint64_t cut)
{
    char path[AUDIT_PATH_MAX], header[AUDIT_HEADER_MAX];
    struct sha256 head = {0};
    struct str rest, line;
    struct err err = {0};
    struct buf out;
    uint64_t seq = 0;

    EXPECT(audit_path(path, dir, 1, ".log", &err) && file_load(arena, path, MIB, &rest, &err));
    buf_init(&out, arena, MIB);
    buf_str(&out, audit_header(header, AUDIT_PREV_LAST, 1, &head));
    (void)str_split(&rest, '\n', &line);
    for (uint64_t at = 1; str_split(&rest, '\n', &line) && line.len; at++) {
        struct str text = str_slice(line, str_find_char(line, ','), line.len - 75);
        char number[64];
        struct buf front;

        if (at == drop || (cut && at > cut))
            continue;
        buf_init_fixed(&front, number, sizeof number);
        buf_str(&front, STR("{\"seq\":"));
        buf_u64(&front, ++seq);
        text = arena_fmt(arena, STR_FMT STR_FMT, STR_ARG(buf_view(&front)), STR_ARG(text));
        if (at == change)
            ((char *)(uintptr_t)text.ptr)[str_find(text, STR("\"m\"")) + 1] = 'x';
        head = audit_hash(AUDIT_PREV_LAST, &head, text);
        buf_str(&out, text);
        buf_str(&out, STR(",\"hash\":\""));
        buf_hex(&out, head.bytes, sizeof head.bytes);
        buf_str(&out, STR("\"}\n"));
    }
    EXPECT(file_store(path, buf_view(&out), 0600, &err), "%s", err.text);
}

static void flip(struct arena *arena, const char *dir, const char *name, size_t at)
{
    struct str path = arena_fmt(arena, "%s/%s", dir, name), bytes;
    struct err err = {0};

    EXPECT(file_load(arena, path.ptr, MIB, &bytes, &err), "%s", err.text);
    ((char *)(uintptr_t)bytes.ptr)[at % bytes.len] ^= 1;
    EXPECT(file_store(path.ptr, bytes, 0600, &err), "%s", err.text);
}

static const struct {
    const char *name, *flip; /* a file to change a bit of */
    size_t at;
    uint64_t drop, change, cut; /* records, with all hashes of the chain made anew */
    const char *remove, *said;
} tampers[] = {
    {"a record changed", "0000000000000001.log", 2000, 0, 0, 0, NULL, "the hash does not fit"},
    {"a record changed, chain made anew", NULL, 0, 0, 100, 0, NULL,
     "tile 0/0 of the audit tree: hash 99 is not that of the records from 100 on"},
    {"a record taken out, chain made anew", NULL, 0, 30, 0, 0, NULL,
     "tile 0/0 of the audit tree: hash 29"},
    {"the last tile's record changed, chain made anew", NULL, 0, 0, 290, 0, NULL,
     "were changed, put in or taken out"},
    {"records cut off the end", NULL, 0, 0, 0, 270, NULL,
     "signs for 300 records, but the log ends at record 270: 30 are missing"},
    {"all records cut off but one", NULL, 0, 0, 0, 1, NULL, "299 are missing"},
    {"a tile changed", "tree/0/0000000000000000", 77, 0, 0, 0, NULL,
     "tile 0/0 of the audit tree: hash 2"},
    {"a tile removed", NULL, 0, 0, 0, 0, "tree/0/0000000000000000",
     "tile 0/0 of the audit tree is not in"},
    {"the checkpoint's size changed", AUDIT_CHECKPOINT, 22, 0, 0, 0, NULL, "does not fit"},
    {"the checkpoint removed", NULL, 0, 0, 0, 0, AUDIT_CHECKPOINT, "there is no checkpoint"},
    {"a kept checkpoint changed", "checkpoints/0000000000000000", 25, 0, 0, 0, NULL,
     "does not fit"},
};

TEST(audit_tampering_is_named)
{
    for (size_t i = 0; i < ARRAY_LEN(tampers); i++) {
        struct log log CLEANUP(log_done) = {0};
        struct audit_verdict verdict;
        struct err err = {0};

        REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
        append(&log, 300);
        advance(&log);
        close_log(&log);
        expect_signed(&log, 300);
        if (tampers[i].flip)
            flip(log.arena, log.dir, tampers[i].flip, tampers[i].at);
        else if (tampers[i].remove)
            REQUIRE(
                file_remove(arena_fmt(log.arena, "%s/%s", log.dir, tampers[i].remove).ptr, &err));
        else
            forge(log.arena, log.dir, tampers[i].drop, tampers[i].change, tampers[i].cut);
        EXPECT(!verify(&log, &verdict, &err) && strstr(err.text, tampers[i].said), "%s: %s",
               tampers[i].name, err.text);
    }
}

/* Somebody with the files and without the key takes a whole log back to an earlier state. Only who noted
 * a checkpoint elsewhere can tell. */
TEST(audit_log_taken_back_is_found_by_a_noted_checkpoint)
{
    static struct audit_trust trust;
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct audit_noted noted = {.name = STR("noted")};
    struct audit_verdict verdict;
    struct str early, path;
    struct err err = {0};

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 100);
    advance(&log);
    REQUIRE(audit_tree_note(log.tree, log.arena, &early, &err));
    append(&log, 50);
    advance(&log);
    REQUIRE(audit_tree_note(log.tree, log.arena, &noted.note, &err));
    load_trust(&log, &trust);
    EXPECT(audit_verify_signed(log.dir, &trust, &noted, 1, &verdict, &err), "%s", err.text);
    close_log(&log);
    forge(log.arena, log.dir, 0, 0, 100);
    path = arena_fmt(log.arena, "%s/" AUDIT_CHECKPOINT, log.dir);
    REQUIRE(file_store(path.ptr, early, 0600, &err));
    EXPECT(audit_verify_signed(log.dir, &trust, NULL, 0, &verdict, &err), "%s", err.text);
    EXPECT(!audit_verify_signed(log.dir, &trust, &noted, 1, &verdict, &err) &&
               strstr(err.text, "checkpoint \"noted\""),
           "%s", err.text);
    EXPECT(strstr(err.text, "50 are missing"), "%s", err.text);
}

/* Whole files are what retention removes, the oldest first; so does somebody who wants to be rid of records, but no
 * record that was signed for says so. */
TEST(audit_records_taken_off_the_front_are_found)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct audit_verdict verdict;
    struct err err = {0};

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 3000); /* rolls over */
    advance(&log);
    expect_signed(&log, 3000);
    REQUIRE(file_remove(arena_fmt(log.arena, "%s/%016d.log", log.dir, 1).ptr, &err));
    EXPECT(!verify(&log, &verdict, &err) && strstr(err.text, "no record that was signed for says"),
           "%s", err.text);
    append_removal(&log); /* as a forger would put it at the end: nothing signs for it */
    EXPECT(!verify(&log, &verdict, &err) && strstr(err.text, "no record that was signed for says"),
           "%s", err.text);
    advance(&log);
    EXPECT(verify(&log, &verdict, &err) && verdict.pruned > 0, "%s", err.text);
}

TEST(audit_tree_does_not_open_over_a_log_that_was_changed)
{
    static const struct {
        const char *name;
        uint64_t change, cut;
        const char *said;
    } cases[] = {
        {"cut off", 0, 200, "records are missing"},
        {"changed", 290, 0, "do not give the root that was signed"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *dir = test_dir();
        struct log log CLEANUP(log_done) = {0};
        struct err err = {0};

        REQUIRE(open_log(&log, dir, &err), "%s", err.text);
        append(&log, 300);
        advance(&log);
        close_log(&log);
        forge(log.arena, log.dir, 0, cases[i].change, cases[i].cut);
        EXPECT(!open_log(&log, dir, &err) && strstr(err.text, cases[i].said), "%s: %s",
               cases[i].name, err.text);
    }
}

/* The newest checkpoint is taken back, and of the records behind it the oldest are gone: what comes next would be hashed
 * in the place of what is missing, and signed so. */
TEST(audit_tree_does_not_open_over_a_gap)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};
    struct str early, path;
    uint64_t *firsts;
    size_t count;

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 300);
    advance(&log);
    REQUIRE(audit_tree_note(log.tree, log.arena, &early, &err));
    append(&log, 3000); /* rolls over */
    advance(&log);
    close_log(&log);
    path = arena_fmt(log.arena, "%s/" AUDIT_CHECKPOINT, log.dir);
    REQUIRE(file_store(path.ptr, early, 0600, &err), "%s", err.text);
    REQUIRE(audit_segments(log.arena, log.dir, &firsts, &count, &err) && count > 1);
    for (size_t i = 0; i + 1 < count; i++)
        REQUIRE(file_remove(arena_fmt(log.arena, "%s/%016" PRIu64 ".log", log.dir, firsts[i]).ptr,
                            &err));
    EXPECT(!open_log(&log, dir, &err) && strstr(err.text, "are missing"), "%s", err.text);
}

/* ---- faults ---- */

#ifdef WEIR_FAULT

static uint64_t work_under_fault(struct log *log, const char *dir)
{
    struct err err = {0};
    uint64_t appended = 0;

    if (!open_log(log, dir, &err))
        return 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            struct audit_record r = {.time = 5, .model = STR("m")};

            appended += audit_append(log->audit, &r, &err);
        }
        (void)!audit_tree_advance(log->tree, &err);
    }
    (void)!audit_tree_rotate(log->tree, &err);
    return appended;
}

/* Whatever fails, and wherever it ends: the next start opens, and what it signs verifies. */
TEST(audit_tree_survives_every_fault)
{
    const char *failed = "";
    uint64_t nth;

    for (nth = 1; failed; nth++) {
        const char *dir = test_dir();
        struct log log CLEANUP(log_done) = {0}, failing CLEANUP(log_done) = {0};
        struct err err = {0};

        failing.arena = arena_new(256 * MIB); /* the test's own: not to be failed */
        REQUIRE(failing.arena && arena_alloc(failing.arena, 1));
        fault_begin(nth);
        uint64_t appended = work_under_fault(&failing, dir);
        failed = fault_end();
        close_log(&failing);
        REQUIRE(open_log(&log, dir, &err), "after %s: %s", failed, err.text);
        append(&log, 1);
        advance(&log);
        expect_signed(&log, appended + 1);
    }
    EXPECT(nth > 60, "%" PRIu64, nth);
}
struct removing {
    const char *path;
    int lists;
};

/* Retention comes to it when the files are listed for the last time. */
static bool remove_at_list(void *ctx, const char *point)
{
    struct removing *r = ctx;
    struct err err = {0};

    if (strcmp(point, "file.list") == 0 && ++r->lists == 3)
        EXPECT(file_remove(r->path, &err), "%s", err.text);
    return false;
}

TEST(audit_verify_beside_retention_says_so)
{
    struct log log CLEANUP(log_done) = {0};
    struct removing removing = {0};
    struct audit_verdict verdict;
    struct err err = {0};

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 3000); /* rolls over */
    append_removal(&log);
    advance(&log);
    removing.path = arena_fmt(log.arena, "%s/%016d.log", log.dir, 1).ptr;
    fault_decide(remove_at_list, &removing);
    EXPECT(!verify(&log, &verdict, &err) && strstr(err.text, "verify once more"), "%s", err.text);
    fault_decide(NULL, NULL);
    EXPECT(removing.lists == 3 && verify(&log, &verdict, &err), "%s", err.text);
}
#endif

/* ---- bundles ---- */

static struct str bundle_of(const struct log *log, uint64_t seq, struct str older)
{
    struct audit_prover prover;
    struct err err = {0};
    struct buf b;

    buf_init(&b, log->arena, MIB);
    EXPECT(audit_prover_open(&prover, log->arena, log->dir, &err) &&
               audit_prove_head(&prover, older, &b, &err),
           "%s", err.text);

    struct str line = STR_NONE, rest;
    char path[AUDIT_PATH_MAX];

    EXPECT(audit_path(path, log->dir, 1, ".log", &err) &&
           file_load(log->arena, path, MIB, &rest, &err));
    for (uint64_t i = 0; i <= seq; i++)
        (void)str_split(&rest, '\n', &line);
    EXPECT(audit_prove_record(&prover, line, &b, &err), "%s", err.text);
    return buf_view(&b);
}

static bool check_bundle(const struct audit_trust *trust, struct arena *arena, struct str text,
                         uint64_t *records, struct err *err)
{
    struct audit_bundle bundle = {.trust = trust};
    struct str line;

    while (str_split(&text, '\n', &line))
        if (line.len && !audit_bundle_line(&bundle, arena, line, err))
            return false;
    *records = bundle.records;
    return bundle.has_head || err_set(err, ERR_INVALID, "is empty");
}

TEST(audit_bundle_proves_a_record_and_nothing_else)
{
    static struct audit_trust trust;
    struct log log CLEANUP(log_done) = {0};
    struct str older, text;
    struct err err = {0};
    uint64_t records = 0, accepted = 0;

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 40);
    advance(&log);
    REQUIRE(audit_tree_note(log.tree, log.arena, &older, &err));
    append(&log, 60);
    advance(&log);
    load_trust(&log, &trust);
    text = bundle_of(&log, 77, older);
    EXPECT(check_bundle(&trust, log.arena, text, &records, &err), "%s", err.text);
    EXPECT(records == 1);
    for (size_t i = 0; i < text.len; i++) {
        char *at = (char *)(uintptr_t)text.ptr + i, was = *at;
        size_t mark = arena_mark(log.arena);

        *at = (char)(was ^ 1);
        accepted += check_bundle(&trust, log.arena, text, &records, &err) && records == 1;
        arena_rewind(log.arena, mark);
        *at = was;
    }
    EXPECT(accepted == 0, "%" PRIu64, accepted);

    char *form = (char *)(uintptr_t)text.ptr + str_find_char(text, '1');

    *form = '2';
    EXPECT(!check_bundle(&trust, log.arena, text, &records, &err) && strstr(err.text, "is not 1"),
           "%s", err.text);
    *form = '1';
    trust.count = 0;
    EXPECT(!check_bundle(&trust, log.arena, text, &records, &err) &&
               strstr(err.text, "whose key is not known"),
           "%s", err.text);
}

/* Of two that were signed the second would stand for records proved by the first. */
TEST(audit_bundle_has_one_checkpoint)
{
    static struct audit_trust trust;
    struct log log CLEANUP(log_done) = {0};
    struct str early, late;
    struct err err = {0};
    uint64_t records = 0;

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 40);
    advance(&log);
    early = bundle_of(&log, 7, STR_NONE);
    append(&log, 60);
    advance(&log);
    late = bundle_of(&log, 77, STR_NONE);
    load_trust(&log, &trust);
    EXPECT(!check_bundle(&trust, log.arena,
                         arena_fmt(log.arena, STR_FMT STR_FMT, STR_ARG(late), STR_ARG(early)),
                         &records, &err) &&
               strstr(err.text, "second checkpoint"),
           "%s", err.text);
}
