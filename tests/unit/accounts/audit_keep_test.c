/* Finding records, keeping them, and letting them go. */
#include "accounts/audit_keep.h"

#include <stdio.h>
#include <string.h>

#include "accounts/audit_body.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_proof.h"
#include "accounts/audit_query.h"
#include "accounts/audit_tree.h"
#include "accounts/calendar.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/secret.h"
#include "sys/clock.h"
#include "sys/fiber.h"
#include "sys/file.h"
#include "test.h"

#define SMALL_SEGMENT ((size_t)64 * KIB)
#define RETENTION     (AUDIT_RETENTION_DAYS_MIN * DAY_MS)

struct log {
    const char *dir;
    struct arena *arena;
    struct audit *audit;
    struct audit_tree *tree;
    struct audit_keep *keep;
    dur_ns first_prune;
};

static bool open_log(struct log *log, const char *dir, struct err *err)
{
    struct audit_options options = {.segment_bytes = SMALL_SEGMENT};
    struct audit_tree_options tree;
    struct audit_keep_options keep = {.retention = RETENTION, .first_prune = log->first_prune};

    log->arena = arena_new(512 * MIB);
    log->dir = arena_fmt(log->arena, "%s/audit", dir).ptr;
    options.dir = log->dir;
    tree =
        (struct audit_tree_options){.key_file = arena_fmt(log->arena, "%s/audit.key", dir).ptr,
                                    .public_file = arena_fmt(log->arena, "%s/audit.pub", dir).ptr};
    return audit_open(&options, &log->audit, err) &&
           audit_tree_open(log->audit, &tree, &log->tree, err) &&
           audit_keep_open(log->audit, log->tree, &keep, &log->keep, err);
}

static void log_done(struct log *log)
{
    audit_keep_close(&log->keep);
    audit_tree_close(&log->tree);
    audit_close(&log->audit);
    arena_end(&log->arena);
}

/* Record n: of tenant n % 3, key n % 5, status by n % 4, one second after the other. */
static void append(struct log *log, uint64_t from, uint64_t count, wall_ms start)
{
    static const struct str tenants[] = {{"red", 3}, {"green", 5}, {"a \"b\"", 5}};
    static const int statuses[] = {200, 200, 429, 503};

    for (uint64_t n = from; n < from + count; n++) {
        char key[8];
        struct audit_record r = {.time = start + (wall_ms)n * 1000,
                                 .request_id = n * 0x9e3779b97f4a7c15u,
                                 .tenant = tenants[n % 3],
                                 .model = n % 7 ? STR("small") : STR("large"),
                                 .tags = n % 10 ? STR("web") : STR("web,batch"),
                                 .status = statuses[n % 4],
                                 .cost = (usd_micro)n};
        struct err err = {0};

        snprintf(key, sizeof key, "k_%d", (int)(n % 5));
        r.key_id = str_from(key);
        EXPECT(audit_append(log->audit, &r, &err), "%s", err.text);
    }
}

/* ---- queries ---- */

struct found {
    uint64_t count, sum, last;
};

static bool count_found(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct found *found = ctx;
    (void)line, (void)err;

    found->count++;
    found->sum += seq;
    found->last = seq;
    return true;
}

#define RECORDS ((uint64_t)1000)
#define START   ((wall_ms)1795262400000)

static bool is_red(uint64_t n)
{
    return n % 3 == 0;
}
static bool is_quoted(uint64_t n)
{
    return n % 3 == 2;
}
static bool is_key_4(uint64_t n)
{
    return n % 5 == 4;
}
static bool is_large_and_red(uint64_t n)
{
    return n % 7 == 0 && n % 3 == 0;
}
static bool is_batch(uint64_t n)
{
    return n % 10 == 0;
}
static bool is_refused(uint64_t n)
{
    return n % 4 == 2;
}
static bool is_failed(uint64_t n)
{
    return n % 4 >= 2;
}
static bool is_between(uint64_t n)
{
    return n >= 100 && n < 450;
}
static bool is_dear(uint64_t n)
{
    return n >= 990;
}
static bool is_one(uint64_t n)
{
    return n == 77;
}
static bool is_none(uint64_t n)
{
    return n > RECORDS;
}

/* What a query finds, against a plain loop over all there is. n counts from 1, as the sequence does. */
static const struct {
    const char *name;
    struct audit_query query;
    bool (*fits)(uint64_t n);
} cases[] = {
    {"tenant", {.tenant = {"red", 3}}, is_red},
    {"a tenant with quotes", {.tenant = {"a \"b\"", 5}}, is_quoted},
    {"key", {.key = {"k_4", 3}}, is_key_4},
    {"model and tenant", {.model = {"large", 5}, .tenant = {"red", 3}}, is_large_and_red},
    {"tag", {.tag = {"batch", 5}}, is_batch},
    {"status", {.status_min = 429, .status_max = 429}, is_refused},
    {"a class of status", {.status_min = 400, .status_max = 599}, is_failed},
    {"time", {.from = START + 100000, .until = START + 450000}, is_between},
    {"cost", {.cost_min = 990}, is_dear},
    {"request", {.request = 77 * 0x9e3779b97f4a7c15u}, is_one},
    {"nobody", {.tenant = {"blue", 4}}, is_none},
};

static void expect_query(const struct log *log, size_t i, bool oldest_first, size_t page)
{
    struct audit_query query = cases[i].query;
    struct found found = {0};
    struct err err = {0};
    uint64_t count = 0, sum = 0, pages = 0;

    for (uint64_t n = 1; n <= RECORDS; n++)
        if (cases[i].fits(n))
            count++, sum += n;
    query.oldest_first = oldest_first;
    query.limit = page;
    do {
        EXPECT(audit_query(log->dir, &query, count_found, &found, &query.after, &err), "%s",
               err.text);
        pages++;
    } while (query.after && pages < 2000);
    EXPECT(found.count == count && found.sum == sum, "%s, pages of %zu: %" PRIu64 " of %" PRIu64,
           cases[i].name, page, found.count, count);
    EXPECT(!page || pages == MAX_OF((count + page - 1) / page, (uint64_t)1), "%s: %" PRIu64,
           cases[i].name, pages);
}

TEST(audit_query_finds_what_fits)
{
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 1, RECORDS, START);
    for (int round = 0; round < 2; round++) { /* from the segments, then from the index */
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            expect_query(&log, i, false, 0);
            expect_query(&log, i, true, 0);
            expect_query(&log, i, false, 7);
            expect_query(&log, i, true, 50);
        }
        REQUIRE(audit_tree_advance(log.tree, &err), "%s", err.text); /* makes the index */
    }
}

/* A table that is damaged is not believed; one that lies about texts shows nothing that does not fit. */
TEST(audit_query_does_not_trust_a_damaged_index)
{
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};
    struct str path, bytes;

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 1, RECORDS, START);
    REQUIRE(audit_tree_advance(log.tree, &err), "%s", err.text); /* makes the index */
    path = arena_fmt(log.arena, "%s/" AUDIT_INDEX "/%016d", log.dir, 1);
    REQUIRE(file_load(log.arena, path.ptr, MIB, &bytes, &err), "%s", err.text);
    for (size_t at = 0; at < bytes.len; at += 97) {
        ((char *)(uintptr_t)bytes.ptr)[at] ^= 1;
        REQUIRE(file_store(path.ptr, bytes, 0600, &err), "%s", err.text);
        expect_query(&log, at % ARRAY_LEN(cases), false, 0);
        ((char *)(uintptr_t)bytes.ptr)[at] ^= 1;
        at += 1500;
    }
    REQUIRE(file_store(path.ptr, str_slice(bytes, 0, bytes.len - 1), 0600, &err));
    expect_query(&log, 0, false, 0);
}

TEST(audit_csv_is_no_formula)
{
    static const struct {
        const char *name, *note, *want;
    } notes[] = {
        {"plain", "key made", ",\"key made\","},
        {"equals", "=1+1", ",\"'=1+1\","},
        {"plus", "+1", ",\"'+1\","},
        {"minus", "-2+3", ",\"'-2+3\","},
        {"at", "@SUM(A1)", ",\"'@SUM(A1)\","},
        {"quotes", "say \"hi\"", ",\"say \"\"hi\"\"\","},
        {"a line break", "a\nb", ",\"a\nb\","},
        {"tab in front", "\t=1", ",\"'\t=1\","},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct arena *scratch CLEANUP(arena_end) = arena_new(4 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        struct audit_record r = {.time = 5, .note = str_from(notes[i].note)};
        struct sha256 head = {0};
        struct audit_line line;
        struct audit_sealed sealed;
        struct err err = {0};
        struct buf b;

        audit_line_format(&r, &line);
        audit_line_seal(&line, 1, &head, &sealed);
        buf_init(&b, arena, 64 * KIB);
        EXPECT(audit_csv_line(str_trim(sealed.text), scratch, &b, &err), "%s", err.text);
        EXPECT(str_find(buf_view(&b), str_from(notes[i].want)) < b.len, "%s: " STR_FMT,
               notes[i].name, STR_ARG(buf_view(&b)));
    }
}

#ifdef WEIR_FAULT
struct removing {
    const char *path;
    bool listed;
};

/* Retention comes to it when the files are listed, and none of them was opened. */
static bool remove_behind_list(void *ctx, const char *point)
{
    struct removing *r = ctx;
    struct err err = {0};

    if (r->listed && r->path && strcmp(point, "file.open") == 0) {
        const char *path = r->path;

        r->path = NULL;
        EXPECT(file_remove(path, &err), "%s", err.text);
    }
    r->listed = r->listed || strcmp(point, "file.list") == 0;
    return false;
}

TEST(audit_query_beside_retention_finds_what_is_left)
{
    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct log log CLEANUP(log_done) = {0};
        struct audit_query query = {.oldest_first = oldest_first};
        struct removing removing = {0};
        struct found found = {0};
        struct err err = {0};
        uint64_t next, *firsts;
        size_t count;

        REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
        append(&log, 1, RECORDS, START);
        REQUIRE(audit_segments(log.arena, log.dir, &firsts, &count, &err) && count > 1);
        removing.path = arena_fmt(log.arena, "%s/%016d.log", log.dir, 1).ptr;
        fault_decide(remove_behind_list, &removing);
        EXPECT(audit_query(log.dir, &query, count_found, &found, &next, &err), "%s", err.text);
        fault_decide(NULL, NULL);
        EXPECT(found.count == RECORDS + 1 - firsts[1], "%" PRIu64, found.count);
    }
}
#endif

/* Of a log that somebody has changed: a row without cells would be a record less, and nobody would be told. */
TEST(audit_csv_says_what_it_cannot_read)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct arena *scratch CLEANUP(arena_end) = arena_new(4 * MIB);
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    EXPECT(!audit_csv_line(
               STR("{\"seq\":7,\"time\":\"2026-11-23T00:00:00.000Z\",\"tenant\":\"a\"b\"}"),
               scratch, &b, &err) &&
               strstr(err.text, "{\"seq\":7\" cannot be read"),
           "%s", err.text);
}

/* ---- retention ---- */

static uint64_t first_kept(const struct log *log)
{
    struct err err = {0};
    uint64_t *firsts;
    size_t count;

    EXPECT(audit_segments(log->arena, log->dir, &firsts, &count, &err), "%s", err.text);
    return count ? firsts[0] : 0;
}

static bool verifies(const struct log *log, struct audit_verdict *verdict, struct err *err)
{
    static struct audit_trust trust;
    struct str keys;

    trust.count = 0;
    return audit_tree_keys(log->tree, log->arena, &keys, err) &&
           note_keys_read(keys, trust.keys, &trust.count, err) &&
           audit_verify_signed(log->dir, &trust, NULL, 0, verdict, err);
}

static uint64_t prune(struct log *log)
{
    struct err err = {0};
    uint64_t gone = 0;

    EXPECT(audit_tree_advance(log->tree, &err), "%s", err.text);
    EXPECT(audit_prune(log->keep, clock_wall(), &gone, &err), "%s", err.text);
    return gone;
}

TEST(audit_old_records_go_and_proofs_stay)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct audit_verdict verdict;
    struct err err = {0};
    wall_ms now = clock_wall();

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    append(&log, 1, 700, now - RETENTION - 3600000);
    append(&log, 701, 500, now - 3600000);
    EXPECT(prune(&log) > 0);

    uint64_t first = first_kept(&log);

    EXPECT(first > 256 && first <= 701, "%" PRIu64, first);
    EXPECT(verifies(&log, &verdict, &err), "%s", err.text);
    EXPECT(verdict.pruned == first - 1 && verdict.signed_size == 1201, "%" PRIu64,
           verdict.signed_size);
    EXPECT(prune(&log) == 0);
    log_done(&log);
    log = (struct log){0};
    REQUIRE(open_log(&log, dir, &err), "%s", err.text); /* a start without the old records */
    append(&log, 1202, 300, now - 3600000);
    EXPECT(audit_tree_advance(log.tree, &err), "%s", err.text);
    EXPECT(verifies(&log, &verdict, &err), "%s", err.text);
}

TEST(audit_prune_keeps_what_a_hold_is_on)
{
    static const struct {
        const char *name;
        struct audit_hold hold;
        bool keeps;
    } holds[] = {
        {"tenant", {.tenant = {"red", 3}}, true},
        {"a tenant with quotes", {.tenant = {"a \"b\"", 5}}, true},
        {"key", {.key = {"k_1", 3}}, true},
        {"request", {.request = 5 * 0x9e3779b97f4a7c15u}, true},
        {"another tenant", {.tenant = {"blue", 4}}, false},
        {"key of another tenant", {.tenant = {"blue", 4}, .key = {"k_1", 3}}, false},
        {"time long ago", {.until = 1000}, false},
        {"all of time", {.from = 1}, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
        struct log log CLEANUP(log_done) = {0};
        struct audit_hold hold = holds[i].hold;
        struct err err = {0};

        REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
        append(&log, 1, 700, clock_wall() - 2 * RETENTION);
        hold.reason = STR("case 12");
        EXPECT(audit_hold_add(log.keep, &hold, log.arena, &err), "%s", err.text);
        EXPECT((prune(&log) == 0) == holds[i].keeps, "%s", holds[i].name);
        EXPECT(audit_hold_release(log.keep, hold.id, &err), "%s", err.text);
        if (holds[i].keeps)
            EXPECT(prune(&log) > 0, "%s", holds[i].name);
    }
}

TEST(audit_holds_survive_a_restart)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct audit_hold hold = {.tenant = STR("red"),
                              .reason = STR("a \"case\""),
                              .request = 7,
                              .from = 1000,
                              .until = 2000,
                              .by = STR("k_1"),
                              .made = 3000};
    struct audit_hold none = {.reason = STR("nothing")}, *holds;
    struct err err = {0};
    size_t count;

    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    EXPECT(!audit_hold_add(log.keep, &none, log.arena, &err));
    none.tenant = STR("red");
    none.reason = STR("");
    EXPECT(!audit_hold_add(log.keep, &none, log.arena, &err));
    REQUIRE(audit_hold_add(log.keep, &hold, log.arena, &err), "%s", err.text);
    log_done(&log);
    log = (struct log){0};
    REQUIRE(open_log(&log, dir, &err), "%s", err.text);
    REQUIRE(audit_hold_list(log.keep, log.arena, &holds, &count, &err) && count == 1);
    EXPECT(str_eq(holds[0].tenant, STR("red")) && str_eq(holds[0].reason, STR("a \"case\"")));
    EXPECT(holds[0].request == 7 && holds[0].from == 1000 && holds[0].until == 2000 &&
           holds[0].made == 3000 && str_eq(holds[0].by, STR("k_1")));
    EXPECT(!audit_hold_release(log.keep, STR("h_other"), &err));
}

TEST(audit_prune_does_not_trust_a_clock_that_jumped)
{
    struct log log CLEANUP(log_done) = {0};
    struct err err = {0};
    uint64_t gone;

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 1, 700, clock_wall());
    EXPECT(audit_tree_advance(log.tree, &err), "%s", err.text);
    EXPECT(!audit_prune(log.keep, clock_wall() + 2 * RETENTION, &gone, &err) &&
               strstr(err.text, "the clock has jumped"),
           "%s", err.text);
    EXPECT(first_kept(&log) == 1);
}

/* Somebody with two names, of which one is in records that are held. */
TEST(audit_erases_all_names_of_a_subject_or_none)
{
    const char *dir = test_dir();
    struct log log CLEANUP(log_done) = {0};
    struct audit_bodies *bodies CLEANUP(audit_bodies_close) = NULL;
    struct audit_keep *keep CLEANUP(audit_keep_close) = NULL;
    struct secret master CLEANUP(secret_wipe) = {0};
    struct audit_keep_options options = {.retention = RETENTION};
    struct audit_hold hold = {.subject = STR("s_22222222222222222222222222222222"),
                              .reason = STR("case 12")};
    const struct str names[] = {STR("s_11111111111111111111111111111111"), hold.subject};
    struct audit_record r = {.time = 5, .subject = hold.subject};
    struct audit_body body = {names[0], 7, STR("what?"), STR("that")}, opened;
    struct audit_place place;
    struct err err = {0};
    struct str by;
    bool had;

    REQUIRE(open_log(&log, dir, &err) &&
                secret_set(&master, "0123456789abcdef0123456789abcdef", 32, &err),
            "%s", err.text);
    const struct audit_bodies_options sealed = {.dir = arena_fmt(log.arena, "%s/bodies", dir).ptr,
                                                .key_file =
                                                    arena_fmt(log.arena, "%s/body.keys", dir).ptr,
                                                .master = &master,
                                                .subjects_max = 50};
    REQUIRE(audit_bodies_open(&sealed, &bodies, &err), "%s", err.text);
    options.bodies = bodies;
    REQUIRE(audit_keep_open(log.audit, log.tree, &options, &keep, &err), "%s", err.text);
    REQUIRE(audit_append(log.audit, &r, &err) &&
                audit_body_seal(bodies, &body, log.arena, &place, &err) &&
                audit_hold_add(keep, &hold, log.arena, &err),
            "%s", err.text);
    EXPECT(audit_erase_bodies(keep, names, 2, log.arena, &by, &had, &err) && !had &&
               str_eq(by, hold.id),
           "%s", err.text);
    EXPECT(audit_body_open(bodies, str_from(place.place), str_from(place.hash), log.arena, &opened,
                           &err),
           "%s", err.text);
    REQUIRE(audit_hold_release(keep, hold.id, &err), "%s", err.text);
    EXPECT(audit_erase_bodies(keep, names, 2, log.arena, &by, &had, &err) && had && !by.len, "%s",
           err.text);
    EXPECT(!audit_body_open(bodies, str_from(place.place), str_from(place.hash), log.arena, &opened,
                            &err));
}

static void keep_until_cancelled(void *keep)
{
    audit_keep_loop(keep);
}

/* Whoever starts anew more often than once an hour has no other time for it. */
FIBER_TEST(audit_old_records_go_soon_after_a_start)
{
    struct log log CLEANUP(log_done) = {0};
    struct scope scope;
    struct err err = {0};

    log.first_prune = 10 * MILLISECOND;
    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    append(&log, 1, 700, clock_wall() - 2 * RETENTION);
    EXPECT(audit_tree_advance(log.tree, &err), "%s", err.text);
    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, keep_until_cancelled, log.keep, &err), "%s", err.text);
    for (int i = 0; i < 500 && first_kept(&log) == 1; i++)
        EXPECT(fiber_sleep(20 * MILLISECOND, &err), "%s", err.text);
    EXPECT(first_kept(&log) > 1);
    scope_close(&scope);
}

/* What a checkpoint says of when it was signed, as nobody checks here. */
static struct str checkpoint_of(const struct log *log, wall_ms time)
{
    char text[25];

    wall_format(time, text);
    return arena_fmt(log->arena,
                     "weir-audit-x\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\ntime %s\n\n",
                     text);
}

/* The first start after the jump signs a checkpoint by the clock that is wrong: the next is not to believe that one. */
TEST(audit_prune_does_not_trust_a_clock_that_jumped_before_the_last_start)
{
    static const struct {
        const char *name;
        wall_ms ago[3]; /* of checkpoints that were kept; 0: none */
        bool goes;
    } starts[] = {
        {"in order", {3 * DAY_MS, 20 * 3600000, 3600000}, true},
        {"an hour ago", {41 * DAY_MS, 40 * DAY_MS, 3600000}, false},
        {"just now", {41 * DAY_MS, 40 * DAY_MS, 0}, false},
        {"longer than a day ago", {40 * DAY_MS, 25 * 3600000, 3600000}, true},
        {"the only one kept", {40 * DAY_MS, 0, 0}, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        const char *dir = test_dir();
        struct log log CLEANUP(log_done) = {0};
        struct err err = {0};
        uint64_t gone = 0;
        wall_ms now = clock_wall();

        REQUIRE(open_log(&log, dir, &err), "%s", err.text);
        append(&log, 1, 700, now - 2 * RETENTION);
        EXPECT(audit_tree_advance(log.tree, &err), "%s", err.text);
        for (int n = 0; n < 3; n++)
            if (starts[i].ago[n] || !n)
                EXPECT(file_store(arena_fmt(log.arena, "%s/checkpoints/%016d", log.dir, n).ptr,
                                  checkpoint_of(&log, now - starts[i].ago[n]), 0600, &err),
                       "%s", err.text);
        log_done(&log);
        log = (struct log){0};
        REQUIRE(open_log(&log, dir, &err), "%s: %s", starts[i].name, err.text);
        EXPECT(audit_prune(log.keep, now, &gone, &err) == starts[i].goes &&
                   (gone > 0) == starts[i].goes,
               "%s: %s", starts[i].name, err.text);
    }
}

TEST(audit_retention_has_a_floor)
{
    struct log log CLEANUP(log_done) = {0};
    struct audit_keep_options options = {.retention = RETENTION - 1};
    struct audit_keep *keep = NULL;
    struct err err = {0};

    REQUIRE(open_log(&log, test_dir(), &err), "%s", err.text);
    EXPECT(!audit_keep_open(log.audit, log.tree, &options, &keep, &err) &&
               strstr(err.text, "180 days"),
           "%s", err.text);
}
