#include "accounts/audit.h"

#include <string.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "base/fault.h"
#include "sys/file.h"
#include "test.h"

#define SMALL_SEGMENT ((size_t)40 * KIB)

/* ---- helpers ---- */

static struct audit_record record_number(uint64_t n)
{
    return (struct audit_record){
        .time = 1795262400123 + (wall_ms)n,
        .request_id = n * 0x9e3779b97f4a7c15u,
        .key_id = STR("k_0123456789abcdef"),
        .tenant = STR("default"),
        .route = STR("POST /v1/chat/completions"),
        .model = STR("small"),
        .provider = STR("somewhere"),
        .remote_model = STR("small-2026"),
        .status = 200,
        .outcome = STR("complete"),
        .streamed = true,
        .tokens_in = 100,
        .tokens_out = (int64_t)n,
        .tokens_cached = -1,
        .cost = (usd_micro)n * 7,
        .bytes_in = 1000,
        .bytes_out = 2000,
        .took = 12 * MILLISECOND,
    };
}

static struct audit *open_log(const char *dir, size_t segment_bytes)
{
    const struct audit_options options = {.dir = dir, .segment_bytes = segment_bytes};
    struct audit *audit = NULL;
    struct err err = {0};

    EXPECT(audit_open(&options, &audit, &err), "%s", err.text);
    return audit;
}

static void append(struct audit *audit, uint64_t count)
{
    while (count--) {
        struct audit_record r = record_number(audit_last_seq(audit) + 1);
        struct err err = {0};
        uint64_t before = audit_last_seq(audit);

        EXPECT(audit_append(audit, &r, &err), "%s", err.text);
        EXPECT(r.seq == before + 1);
    }
}

static void expect_sound(const char *dir, uint64_t records, bool torn)
{
    struct audit_report report = {0};
    struct err err = {0};

    EXPECT(audit_verify(dir, &report, &err), "%s", err.text);
    EXPECT(report.records == records, "%" PRIu64, report.records);
    EXPECT(report.torn_tail == torn);
}

/* The one segment of a small log, as the files stand now. */
static struct str load_segment(struct arena *arena, const char *dir, uint64_t first)
{
    char path[AUDIT_PATH_MAX];
    struct str bytes = {0};
    struct err err = {0};

    EXPECT(audit_path(path, dir, first, ".log", &err) &&
               file_load(arena, path, 64 * MIB, &bytes, &err),
           "%s", err.text);
    return bytes;
}

static void store_segment(const char *dir, uint64_t first, struct str bytes)
{
    char path[AUDIT_PATH_MAX];
    struct err err = {0};

    EXPECT(audit_path(path, dir, first, ".log", &err) && file_store(path, bytes, 0600, &err), "%s",
           err.text);
}

static const char *sub_dir(struct arena *arena, const char *dir, const char *name)
{
    struct str path = arena_fmt(arena, "%s/%s", dir, name);
    struct err err = {0};

    EXPECT(file_make_dir(path.ptr, 0700, &err), "%s", err.text);
    return path.ptr;
}

static struct str small_log(struct arena *arena, const char *dir, uint64_t records)
{
    struct audit *audit = open_log(dir, SMALL_SEGMENT);

    if (audit)
        append(audit, records);
    audit_close(&audit);
    return load_segment(arena, dir, 1);
}

static bool check(struct str bytes, bool is_last, uint64_t *seq, bool *torn, struct err *err)
{
    struct sha256 prev = {0};

    *seq = 0;
    return audit_check_segment(bytes, "small.log", is_last, &prev, seq, NULL, NULL, torn, err);
}

/* ---- text ---- */

/* A part must not look like the whole, and a character is not cut in two. */
TEST(audit_line_says_where_a_text_was_cut)
{
    static const struct {
        const char *name;
        size_t len;
        const char *end; /* of the value, or NULL: untouched */
    } cases[] = {
        {"as long as may be", 200, NULL},
        {"one more", 201, "…\""},
        {"far too long", 5000, "…\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct audit_record record = record_number(1);
        struct audit_line line;
        char *text = arena_alloc(arena, cases[i].len);

        REQUIRE(text != NULL);
        for (size_t at = 0; at + 2 <= cases[i].len; at += 2)
            memcpy(text + at, "é", 2);
        if (cases[i].len % 2)
            text[cases[i].len - 1] = 'x';
        record.model = (struct str){text, cases[i].len};
        audit_line_format(&record, &line);
        struct str json = {line.body, line.len};
        size_t from = str_find(json, STR("\"model\":\"")) + 9;
        struct str value = str_slice(json, from, json.len);

        value = str_slice(value, 0, str_find_char(value, '"') + 1);
        EXPECT(value.len <= 201, "%s: %zu", cases[i].name, value.len);
        EXPECT(str_ends(value, str_from(cases[i].end ? cases[i].end : "é\"")), "%s: " STR_FMT,
               cases[i].name, STR_ARG(value));
        EXPECT((str_find(value, STR("…")) < value.len) == (cases[i].end != NULL), "%s",
               cases[i].name);
    }
}

static struct str line_of(const struct audit_record *r, struct sha256 *head)
{
    struct audit_line line;
    struct audit_sealed sealed;

    audit_line_format(r, &line);
    audit_line_seal(&line, 18446744073709551615u, head, &sealed);
    return sealed.text;
}

TEST(audit_line_text)
{
    struct audit_record r = record_number(3);
    struct sha256 head = {0};
    struct str text = line_of(&r, &head);
    struct str want = STR(
        "{\"seq\":18446744073709551615,\"time\":\"2026-11-21T12:00:00.126Z\","
        "\"request\":\"daa66d2c7ddf743f\",\"key\":\"k_0123456789abcdef\",\"tenant\":\"default\","
        "\"route\":\"POST /v1/chat/completions\",\"model\":\"small\","
        "\"provider\":\"somewhere\",\"remote_model\":\"small-2026\",\"status\":200,"
        "\"outcome\":\"complete\",\"streamed\":true,\"tokens_in\":100,\"tokens_out\":3,"
        "\"cost\":0.000021,\"bytes_in\":1000,\"bytes_out\":2000,\"took_us\":12000,\"hash\":\"");

    EXPECT(str_starts(text, want), STR_FMT, STR_ARG(text));
    EXPECT(text.len == want.len + 64 + 3 && str_ends(text, STR("\"}\n")));
}

/* Every text that is read: as it was written, or not at all. */
static const struct {
    const char *name, *text;
    size_t entries; /* that can be read */
    usd_micro cost; /* of all of them */
} apart_cases[] = {
    {"none", "", 0, 0},
    {"one", "b there lost 0.000012", 1, 12},
    {"two, the second with tokens", "b there lost 0.000012,c/x@y here cut 1.000000 7 2", 2,
     1000012},
    {"more than had room", "b there lost 0.000012,…", 1, 12},
    {"only that there was more", "…", 0, 0},
    {"no amount", "b there lost x", 0, 0},
    {"less than nothing", "b there lost -0.000012", 0, 0},
    {"too few words", "b there lost", 0, 0},
    {"tokens below nothing", "b there cut 0.000012 -1 2", 0, 0},
};

TEST(audit_apart_is_read_as_it_was_written)
{
    for (size_t i = 0; i < ARRAY_LEN(apart_cases); i++) {
        struct str rest = str_from(apart_cases[i].text);
        struct audit_apart one;
        usd_micro cost = 0;
        size_t n = 0;

        for (; audit_apart_next(&rest, &one); n++)
            cost += one.cost;
        EXPECT(n == apart_cases[i].entries && cost == apart_cases[i].cost, "%s: %zu, %" PRId64,
               apart_cases[i].name, n, cost);
    }
}

TEST(audit_apart_has_whole_entries_and_says_when_there_were_more)
{
    static char long_name[500];
    const struct audit_apart one = {.deployment = STR("gpt-4o"),
                                    .provider = STR("openai"),
                                    .end = STR("failed"),
                                    .cost = 1,
                                    .tokens_in = 7},
                             huge = {.deployment = {long_name, sizeof long_name}, .cost = 1};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct buf list;
    struct str rest;
    struct audit_apart read;
    size_t n = 0;

    memset(long_name, 'x', sizeof long_name);
    buf_init(&list, arena, AUDIT_APART_MAX);
    for (int i = 0; i < 100; i++)
        audit_apart_add(&list, &one);
    REQUIRE(buf_ok(&list) && list.len <= AUDIT_APART_MAX);
    EXPECT(str_ends(buf_view(&list), STR(",…")));
    for (rest = buf_view(&list); audit_apart_next(&rest, &read); n++)
        EXPECT(str_eq(read.deployment, one.deployment) && str_eq(read.provider, one.provider) &&
               str_eq(read.end, one.end) && read.cost == 1 && read.tokens_in == 7 &&
               !read.tokens_out);
    EXPECT(n > 10 && n < 100, "%zu", n);
    buf_init(&list, arena, AUDIT_APART_MAX);
    audit_apart_add(&list, &huge);
    EXPECT(str_eq(buf_view(&list), STR("…")));
}

TEST(audit_line_leaves_out_what_is_not_known)
{
    struct audit_record r = {.tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    struct sha256 head = {0};
    struct str text = line_of(&r, &head);

    EXPECT(
        str_starts(text, STR("{\"seq\":18446744073709551615,\"time\":\"1970-01-01T00:00:00.000Z\","
                             "\"bytes_in\":0,\"bytes_out\":0,"
                             "\"took_us\":0,\"hash\":")),
        STR_FMT, STR_ARG(text));
}

/* Text that clients choose cannot break out of its line, and the largest record fits. */
TEST(audit_line_bounds_and_escapes_text)
{
    static char nasty[5000], long_list[AUDIT_APART_MAX];
    struct sha256 head = {0};

    for (size_t i = 0; i < sizeof nasty; i++)
        nasty[i] = (char)(i % 256);
    memset(long_list, 'x', sizeof long_list);

    struct str text = {nasty, sizeof nasty};
    struct audit_record r = {.time = INT64_MAX / 1000000,
                             .request_id = UINT64_MAX,
                             .parent_id = UINT64_MAX,
                             .key_id = text,
                             .tenant = text,
                             .route = text,
                             .model = text,
                             .provider = text,
                             .remote_model = text,
                             .team = text,
                             .subject = text,
                             .tags = text,
                             .route_name = text,
                             .fallback_from = text,
                             .deployment = text,
                             .apart = {long_list, sizeof long_list},
                             .attempts = UINT32_MAX,
                             .cache = text,
                             .dropped = text,
                             .status = INT32_MAX,
                             .outcome = text,
                             .error = text,
                             .streamed = true,
                             .tokens_in = INT64_MAX,
                             .tokens_out = INT64_MAX,
                             .tokens_cached = INT64_MAX,
                             .tokens_cache_write = INT64_MAX,
                             .tokens_reasoning = INT64_MAX,
                             .tokens_audio = INT64_MAX,
                             .tokens_estimated = true,
                             .cost = INT64_MAX,
                             .cost_in = INT64_MAX,
                             .cost_out = INT64_MAX,
                             .cost_cached = INT64_MAX,
                             .cost_cache_write = INT64_MAX,
                             .cost_reasoning = INT64_MAX,
                             .cost_hedge = INT64_MAX,
                             .cost_attempts = INT64_MAX,
                             .citations = UINT32_MAX,
                             .bytes_in = INT64_MAX,
                             .bytes_out = INT64_MAX,
                             .took = INT64_MAX,
                             .first_byte = INT64_MAX,
                             .body = text,
                             .body_hash = text,
                             .body_truncated = true,
                             .note = text};
    struct str line = line_of(&r, &head);

    EXPECT(line.len < AUDIT_LINE_MAX, "%zu", line.len);
    EXPECT(str_find_char(line, '\n') == line.len - 1);
    EXPECT(!memchr(line.ptr, 0, line.len));
    memset(nasty, 1, sizeof nasty); /* every byte as six */
    line = line_of(&r, &head);
    EXPECT(line.len < AUDIT_LINE_MAX, "%zu", line.len);
}

/* What was not filled leaves no trace: a line of a version that knew fewer fields looks the same. */
TEST(audit_line_shows_only_what_is_known)
{
    struct audit_record r = {.time = 5,
                             .tokens_in = -1,
                             .tokens_out = -1,
                             .tokens_cached = -1,
                             .tokens_reasoning = -1,
                             .team = STR("blue"),
                             .tags = STR("a,b"),
                             .attempts = 2,
                             .fallback_from = STR("east"),
                             .cache = STR("miss"),
                             .dropped = STR("seed,logit_bias"),
                             .cost = 30,
                             .cost_hedge = 10};
    struct sha256 head = {0};
    struct str line = line_of(&r, &head);

    EXPECT(
        str_starts(line, STR("{\"seq\":18446744073709551615,\"time\":\"1970-01-01T00:00:00.005Z\","
                             "\"team\":\"blue\",\"tags\":\"a,b\","
                             "\"attempts\":2,\"fallback_from\":\"east\",\"cache\":\"miss\","
                             "\"dropped\":\"seed,logit_bias\",\"cost\":0.000030,"
                             "\"cost_hedge\":0.000010,\"bytes_in\":0,\"bytes_out\":0,"
                             "\"took_us\":0,\"hash\":")),
        STR_FMT, STR_ARG(line));
}

TEST(audit_line_reads_back)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct audit_record r = record_number(1234567890);
    struct sha256 head = {0};
    struct audit_record entry;
    struct err err = {0};

    r.key_id = STR("k_\"quoted\"");
    REQUIRE(audit_line_read(arena, str_trim(line_of(&r, &head)), &entry, &err), "%s", err.text);
    EXPECT(entry.time == r.time && entry.cost == r.cost && str_eq(entry.key_id, r.key_id));
    r = (struct audit_record){.time = 5};
    REQUIRE(audit_line_read(arena, str_trim(line_of(&r, &head)), &entry, &err), "%s", err.text);
    EXPECT(entry.time == 5 && entry.cost == 0 && entry.key_id.len == 0);
}

/* ---- writing and reading ---- */

TEST(audit_appends_and_verifies)
{
    const char *dir = test_dir();
    struct audit *audit = open_log(dir, 0);
    struct audit_report report = {0};
    struct err err = {0};

    REQUIRE(audit);
    expect_sound(dir, 0, false);
    append(audit, 500);
    expect_sound(dir, 500, false); /* beside the writer, over its reservation */
    EXPECT(audit_sync(audit, &err), "%s", err.text);
    audit_close(&audit);
    REQUIRE(audit_verify(dir, &report, &err), "%s", err.text);
    EXPECT(report.records == 500 && report.segments == 1);
    EXPECT(report.first_seq == 1 && report.last_seq == 500);
}

TEST(audit_goes_on_where_it_stopped)
{
    const char *dir = test_dir();

    for (uint64_t round = 1; round <= 5; round++) {
        struct audit *audit = open_log(dir, SMALL_SEGMENT);

        REQUIRE(audit);
        append(audit, 30);
        audit_close(&audit);
        expect_sound(dir, 30 * round, false);
    }
}

TEST(audit_rolls_over)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct audit *audit = open_log(dir, SMALL_SEGMENT);
    struct audit_report report = {0};
    struct str *names;
    size_t count;
    struct err err = {0};

    REQUIRE(audit);
    for (int i = 0; i < 20; i++) { /* more full segments than may wait for a sync */
        append(audit, 100);
        EXPECT(audit_ready(audit, &err), "%s", err.text);
        if (i % 7 == 6)
            EXPECT(audit_sync(audit, &err), "%s", err.text);
    }
    REQUIRE(audit_verify(dir, &report, &err), "%s", err.text);
    EXPECT(report.records == 2000 && report.segments > 20, "%" PRIu64, report.segments);
    audit_close(&audit);
    expect_sound(dir, 2000, false);
    REQUIRE(file_list(arena, dir, 1000, &names, &count, &err), "%s", err.text);
    EXPECT(count == report.segments + 1, "%zu files: the segments and the lock", count);
}

TEST(audit_dir_has_one_writer)
{
    const char *dir = test_dir();
    const struct audit_options options = {.dir = dir};
    struct audit *audit CLEANUP(audit_close) = open_log(dir, 0);
    struct audit *other = NULL;
    struct err err = {0};

    EXPECT(!audit_open(&options, &other, &err));
    EXPECT(err.code == ERR_UNAVAILABLE, "%s", err.text);
}

struct collected {
    uint64_t first, last, count, stop_at;
};

static bool collect(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct collected *c = ctx;
    char want[32];
    struct buf b;

    buf_init_fixed(&b, want, sizeof want);
    buf_fmt(&b, "{\"seq\":%" PRIu64 ",", seq);
    EXPECT(str_starts(line, buf_view(&b)) && str_ends(line, STR("\"}")));
    if (!c->count++)
        c->first = seq;
    c->last = seq;
    return seq != c->stop_at || err_set(err, ERR_CANCELLED, "enough");
}

TEST(audit_read_begins_anywhere)
{
    static const uint64_t froms[] = {0, 1, 2, 77, 78, 79, 80, 399, 400, 401};
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct audit *audit CLEANUP(audit_close) = open_log(dir, SMALL_SEGMENT);

    REQUIRE(audit);
    append(audit, 400);
    for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
        struct collected c = {0};
        struct err err = {0};
        uint64_t from = MAX_OF(froms[i], 1);

        REQUIRE(audit_read(arena, dir, froms[i], collect, &c, &err), "%s", err.text);
        EXPECT(c.count == 401 - from, "%" PRIu64 " from %" PRIu64, c.count, froms[i]);
        EXPECT(!c.count || (c.first == from && c.last == 400));
    }
}

TEST(audit_read_stops_when_told)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct audit *audit CLEANUP(audit_close) = open_log(dir, 0);
    struct collected c = {.stop_at = 5};
    struct err err = {0};

    REQUIRE(audit);
    append(audit, 10);
    EXPECT(!audit_read(arena, dir, 3, collect, &c, &err));
    EXPECT(err.code == ERR_CANCELLED && c.count == 3 && c.last == 5);
}

/* ---- damage ---- */

/* Whatever happens to one byte is found, unless it looks like the end of an unfinished last record. */
/* A log of years is gigabytes: who wants its end does not wait for all of it. */
TEST(audit_extent_reads_the_last_file_alone)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    uint64_t first = 7, last = 7;
    struct err err = {0};

    REQUIRE(!audit_extent(arena, dir, &first, &last, &err) && err.code == ERR_NOT_FOUND);
    struct audit *audit CLEANUP(audit_close) = open_log(dir, SMALL_SEGMENT);
    REQUIRE(audit && audit_extent(arena, dir, &first, &last, &err), "%s", err.text);
    EXPECT(first == 1 && last == 0);
    append(audit, 400);
    REQUIRE(audit_extent(arena, dir, &first, &last, &err), "%s", err.text);
    EXPECT(first == 1 && last == 400);

    uint64_t *firsts;
    size_t count;
    REQUIRE(audit_segments(arena, dir, &firsts, &count, &err) && count > 2, "%s", err.text);
    store_segment(dir, firsts[0], STR("no log"));
    REQUIRE(audit_extent(arena, dir, &first, &last, &err), "%s", err.text);
    EXPECT(first == 1 && last == 400);
    char path[AUDIT_PATH_MAX];
    REQUIRE(audit_path(path, dir, firsts[0], ".log", &err) && file_remove(path, &err), "%s",
            err.text);
    REQUIRE(audit_extent(arena, dir, &first, &last, &err), "%s", err.text);
    EXPECT(first == firsts[1] && last == 400);
    store_segment(dir, firsts[count - 1], STR("{\"log\":1}\n{\"seq\":9999,"));
    EXPECT(audit_extent(arena, dir, &first, &last, &err) && last == firsts[count - 1] - 1);
}

TEST(audit_every_changed_byte_is_found)
{
    static const unsigned char flips[] = {0x01, 0x20, 0x80, 0xff};
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct str bytes = small_log(arena, test_dir(), 4);
    size_t last_line = 0;

    REQUIRE(bytes.len > 1000);
    for (size_t i = 0; i + 1 < bytes.len; i++)
        if (bytes.ptr[i] == '\n')
            last_line = i + 1;

    char *copy = arena_alloc(arena, bytes.len);

    for (size_t i = 0; i < bytes.len; i++)
        for (size_t f = 0; f <= ARRAY_LEN(flips); f++) {
            struct err err = {0};
            uint64_t seq;
            bool torn = false;

            memcpy(copy, bytes.ptr, bytes.len);
            copy[i] = f < ARRAY_LEN(flips) ? (char)((unsigned char)copy[i] ^ flips[f]) : 0;

            bool ok = check((struct str){copy, bytes.len}, true, &seq, &torn, &err);

            if (ok)
                EXPECT(torn && i >= last_line && seq == 3, "byte %zu", i);
            else
                EXPECT(strstr(err.text, "small.log\" line "), "%s", err.text);
            EXPECT(!check((struct str){copy, bytes.len}, false, &seq, &torn, &err), "byte %zu", i);
        }
}

TEST(audit_every_cut_is_a_torn_tail_of_the_last_segment)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct str bytes = small_log(arena, test_dir(), 4);

    for (size_t len = 0; len <= bytes.len; len++) {
        struct str cut = str_slice(bytes, 0, len);
        bool torn = false, at_line_end = len == 0 || bytes.ptr[len - 1] == '\n';
        uint64_t seq;
        struct err err = {0};

        EXPECT(check(cut, true, &seq, &torn, &err), "%zu: %s", len, err.text);
        EXPECT(torn == !at_line_end, "%zu", len);
        EXPECT(check(cut, false, &seq, &torn, &err) == (len > 0 && at_line_end), "%zu", len);
    }
}

static const struct {
    const char *name;
    int from, to; /* lines: 0 is the header */
    const char *text;
} surgeries[] = {
    {"record taken out", 2, -1, "record 3 stands where 2 belongs"},
    {"header taken out", 0, -1, "not the header"},
    {"records exchanged", 2, 3, "record 3 stands where 2 belongs"},
    {"record twice", 3, 2, "stands where"},
};

/* Lines copied over each other or left out. */
TEST(audit_moved_lines_are_found)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct str bytes = small_log(arena, test_dir(), 4), lines[8], rest = bytes;
    size_t count = 0;

    while (count < ARRAY_LEN(lines) && str_split(&rest, '\n', &lines[count]))
        count++;
    REQUIRE(count >= 5);
    for (size_t i = 0; i < ARRAY_LEN(surgeries); i++) {
        struct buf b;
        struct err err = {0};
        uint64_t seq;
        bool torn;

        buf_init(&b, arena, bytes.len * 2);
        for (int line = 0; line < 5; line++) {
            bool out = line == surgeries[i].from;

            if (out && surgeries[i].to < 0)
                continue;
            buf_str(&b, lines[out ? surgeries[i].to : line]);
            buf_char(&b, '\n');
        }
        EXPECT(!check(buf_view(&b), true, &seq, &torn, &err), "%s", surgeries[i].name);
        EXPECT(strstr(err.text, surgeries[i].text), "%s: %s", surgeries[i].name, err.text);
    }
}

/* What another version wrote is not called damaged; the version that a header claims must be that of its records. */
TEST(audit_versions_of_segments)
{
    static const struct {
        const char *name, *from, *to, *text;
    } headers[] = {
        {"newer", "\"weir_audit\":2", "\"weir_audit\":3", "was written by a newer Weir"},
        {"far newer", "\"weir_audit\":2", "\"weir_audit\":20", "was written by a newer Weir"},
        {"none", "\"weir_audit\":2", "\"weir_audit\":0", "is not the header"},
        {"that of before", "\"weir_audit\":2", "\"weir_audit\":1", "line 2: the hash does not fit"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct str bytes = small_log(arena, test_dir(), 4);

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct str from = str_from(headers[i].from);
        size_t at = str_find(bytes, from);
        struct err err = {0};
        uint64_t seq;
        bool torn;

        REQUIRE(at == 1);

        struct str changed = arena_fmt(arena, "{%s" STR_FMT, headers[i].to,
                                       STR_ARG(str_slice(bytes, at + from.len, bytes.len)));

        EXPECT(!check(changed, true, &seq, &torn, &err), "%s", headers[i].name);
        EXPECT(strstr(err.text, headers[i].text), "%s: %s", headers[i].name, err.text);
    }
}

TEST(audit_missing_and_foreign_segments_are_found)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    const char *dir = test_dir();
    struct audit *audit = open_log(dir, SMALL_SEGMENT);
    struct audit_report report;
    uint64_t *firsts;
    size_t count;
    char path[AUDIT_PATH_MAX];
    struct err err = {0};

    REQUIRE(audit);
    append(audit, 400);
    audit_close(&audit);
    REQUIRE(audit_segments(arena, dir, &firsts, &count, &err) && count >= 4, "%s", err.text);

    struct str third = load_segment(arena, dir, firsts[2]);

    REQUIRE(audit_path(path, dir, firsts[2], ".log", &err) && file_remove(path, &err));
    EXPECT(!audit_verify(dir, &report, &err));
    EXPECT(strstr(err.text, "where record"), "%s", err.text);
    store_segment(dir, firsts[2], third);
    expect_sound(dir, 400, false);

    /* The oldest may be kept elsewhere; the next one then begins the chain. */
    struct str first = load_segment(arena, dir, firsts[0]);

    REQUIRE(audit_path(path, dir, firsts[0], ".log", &err) && file_remove(path, &err));
    REQUIRE(audit_verify(dir, &report, &err), "%s", err.text);
    EXPECT(report.first_seq == firsts[1] && report.last_seq == 400);

    store_segment(dir, firsts[2], first); /* sound by itself, but in the wrong place */
    EXPECT(!audit_verify(dir, &report, &err));
    EXPECT(strstr(err.text, "line 1"), "%s", err.text);
}

/* ---- opening after an end that was not in order ---- */

/* The files as kill -9 leaves them: with the reservation, and at most one unfinished append. */
TEST(audit_open_cuts_a_torn_record)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    struct str bytes = small_log(arena, sub_dir(arena, dir, "whole"), 5);
    size_t last_line = bytes.len - 1;

    while (bytes.ptr[last_line - 1] != '\n')
        last_line--;

    char *copy = arena_alloc(arena, SMALL_SEGMENT);

    for (size_t have = 0; last_line + have < bytes.len; have += 13) {
        struct str name = arena_fmt(arena, "cut-%zu", have);
        const char *at = sub_dir(arena, dir, name.ptr);

        memset(copy, 0, SMALL_SEGMENT);
        memcpy(copy, bytes.ptr, last_line);
        /* the first byte is written last, so it is missing whatever else is there */
        memcpy(copy + last_line + 1, bytes.ptr + last_line + 1, have);
        store_segment(at, 1, (struct str){copy, SMALL_SEGMENT});
        expect_sound(at, 4, have > 0);

        struct audit *audit = open_log(at, SMALL_SEGMENT);

        REQUIRE(audit);
        EXPECT(audit_last_seq(audit) == 4);

        struct str rest = load_segment(arena, at, 1);

        for (size_t i = last_line; i < rest.len; i++)
            EXPECT(rest.ptr[i] == 0, "%zu", i); /* a shorter record must not uncover old bytes */
        append(audit, 2);
        expect_sound(at, 6, false);
        audit_close(&audit);
        expect_sound(at, 6, false);
    }
}

TEST(audit_open_refuses_a_broken_chain)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const char *dir = test_dir();
    struct str bytes = small_log(arena, dir, 5);
    const struct audit_options options = {.dir = dir};
    struct audit *audit = NULL;
    struct audit_report report;
    struct err err = {0};
    char *copy = arena_alloc(arena, bytes.len);

    memcpy(copy, bytes.ptr, bytes.len);
    copy[str_find(bytes, STR("\"cost\":0.000007")) + 14]++;
    store_segment(dir, 1, (struct str){copy, bytes.len});
    EXPECT(!audit_open(&options, &audit, &err));
    EXPECT(strstr(err.text, "0000000000000001.log\" line 2: the hash does not fit the record"),
           "%s", err.text);
    EXPECT(!audit_verify(dir, &report, &err));
    EXPECT(str_eq(load_segment(arena, dir, 1), (struct str){copy, bytes.len})); /* left as it was */
}

/* A page that never reached the disk, with later ones that did: records since the last sync are lost,
 * but the log must open again, and what is left of them must not vanish. */
TEST(audit_open_sets_aside_what_power_loss_tore)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const char *dir = test_dir();
    struct str bytes = small_log(arena, dir, 40), aside;
    char *copy = arena_alloc(arena, bytes.len);
    char path[AUDIT_PATH_MAX];
    struct audit_report report;
    struct err err = {0};
    uint64_t kept = 0;

    REQUIRE(bytes.len > 3 * 4096);
    memcpy(copy, bytes.ptr, bytes.len);
    memset(copy + 4096, 0, 4096);
    for (size_t i = 0; i < 4096; i++)
        kept += copy[i] == '\n';
    kept--; /* the header */
    store_segment(dir, 1, (struct str){copy, bytes.len});
    EXPECT(!audit_verify(dir, &report, &err)); /* offline it is damage */

    struct audit *audit = open_log(dir, SMALL_SEGMENT);

    REQUIRE(audit);
    EXPECT(audit_last_seq(audit) == kept, "%" PRIu64 " %" PRIu64, audit_last_seq(audit), kept);
    append(audit, 3);
    audit_close(&audit);
    expect_sound(dir, kept + 3, false);
    REQUIRE(audit_path(path, dir, 1, ".torn", &err) && file_load(arena, path, MIB, &aside, &err),
            "%s", err.text);
    EXPECT(str_ends(aside, str_slice(bytes, 8192, bytes.len)));
}

/* Found by the simulator: power failed after the log went over to a new file and before the old one was
 * synced. The old one had lost a page, and the log went on in the new one with a broken chain. */
TEST(audit_open_goes_back_to_the_file_that_lost_records)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const char *dir = test_dir();
    char path[AUDIT_PATH_MAX];
    struct file_info info;
    struct err err = {0};
    uint64_t kept = 0, *firsts;
    size_t count;

    struct audit *audit = open_log(dir, SMALL_SEGMENT);
    REQUIRE(audit);
    append(audit, 200);
    audit_close(&audit);
    REQUIRE(audit_segments(arena, dir, &firsts, &count, &err) && count >= 3, "%s", err.text);

    struct str bytes = load_segment(arena, dir, firsts[count - 2]);
    char *torn = arena_alloc(arena, bytes.len + 4096); /* not cut yet, and a page short */
    memcpy(torn, bytes.ptr, bytes.len);
    memset(torn + 4096, 0, 4096);
    for (size_t i = 0; i < 4096; i++)
        kept += torn[i] == '\n';
    kept += firsts[count - 2] - 2; /* less the header, and those of the files before */
    store_segment(dir, firsts[count - 2], (struct str){torn, bytes.len + 4096});

    audit = open_log(dir, SMALL_SEGMENT);
    REQUIRE(audit);
    EXPECT(audit_last_seq(audit) == kept, "%" PRIu64 " %" PRIu64, audit_last_seq(audit), kept);
    append(audit, 3);
    audit_close(&audit);
    expect_sound(dir, kept + 3, false);
    EXPECT(audit_path(path, dir, firsts[count - 1], ".torn", &err) && file_stat(path, &info, &err),
           "%s", err.text);
}

TEST(audit_open_passes_over_a_file_without_header)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const char *dir = test_dir();
    static const char zeros[8192];

    small_log(arena, dir, 5);
    store_segment(dir, 6, (struct str){zeros, sizeof zeros});
    expect_sound(dir, 5, false);

    struct audit *audit = open_log(dir, SMALL_SEGMENT);

    REQUIRE(audit);
    EXPECT(audit_last_seq(audit) == 5);
    append(audit, 5);
    audit_close(&audit);
    expect_sound(dir, 10, false);
}

TEST(audit_open_removes_spares)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const char *dir = test_dir();
    struct str spare = arena_fmt(arena, "%s/next.7", dir);
    struct file_info info;
    struct err err = {0};

    REQUIRE(file_store(spare.ptr, STR("left over"), 0600, &err));

    struct audit *audit CLEANUP(audit_close) = open_log(dir, 0);

    REQUIRE(audit);
    EXPECT(!file_stat(spare.ptr, &info, &err) && err.code == ERR_NOT_FOUND);
}

#ifdef WEIR_FAULT
/* Fails the nth point once; unlike fault_arm() it can be switched off for checking and on again. */
static uint64_t append_under_fault(const struct audit_options *options)
{
    struct audit *audit = NULL;
    struct err err = {0};
    uint64_t appended = 0;

    if (!audit_open(options, &audit, &err))
        return 0;
    for (uint64_t i = 0; i < 200; i++) {
        struct audit_record r = record_number(i);

        if (i % 50 == 49 && !audit_sync(audit, &err))
            EXPECT(err.code != ERR_NONE);
        if (audit_ready(audit, &err) && audit_append(audit, &r, &err))
            EXPECT(r.seq == ++appended);
    }
    audit_close(&audit);
    return appended;
}

/* Whatever fails, what was appended is there, and what was refused is not. */
TEST(audit_survives_every_fault)
{
    const char *failed = "";
    uint64_t nth;

    for (nth = 1; failed; nth++) {
        const char *dir = test_dir();
        const struct audit_options options = {.dir = dir, .segment_bytes = SMALL_SEGMENT};

        fault_begin(nth);
        uint64_t appended = append_under_fault(&options);
        failed = fault_end();

        struct audit *audit = open_log(dir, SMALL_SEGMENT);

        REQUIRE(audit, "after %s", failed);
        EXPECT(audit_last_seq(audit) == appended, "%" PRIu64 " of %" PRIu64 " after %s",
               audit_last_seq(audit), appended, failed);
        audit_close(&audit);
        expect_sound(dir, appended, false);
    }
    EXPECT(nth > 20);
}

static bool fail_second_sync(void *ctx, const char *point)
{
    int *syncs = ctx;

    return strcmp(point, "file.sync") == 0 && ++*syncs == 2;
}

/* A file that is cut behind its records says to a start after power loss that all before it are on the disk. */
TEST(audit_finishes_the_oldest_file_first)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct audit *audit CLEANUP(audit_close) = open_log(dir, SMALL_SEGMENT);
    struct err err = {0};
    uint64_t *firsts, n = 0;
    size_t count, finished = 0;
    int syncs = 0;

    REQUIRE(audit);
    fault_decide(fail_second_sync, &syncs);
    for (bool ok = true; ok && n < 10000; n++) { /* nobody syncs */
        struct audit_record r = record_number(n);

        ok = audit_append(audit, &r, &err);
    }
    fault_decide(NULL, NULL);
    EXPECT(syncs == 2 && n < 10000, "%d", syncs);
    REQUIRE(audit_segments(arena, dir, &firsts, &count, &err) && count > 4, "%zu", count);
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(arena, "%s/%016" PRIu64 ".log", dir, firsts[i]), bytes;

        REQUIRE(file_load(arena, path.ptr, MIB, &bytes, &err), "%s", err.text);
        if (!str_ends(bytes, STR("\n")))
            continue;
        EXPECT(finished == i, "file %zu is finished, and %zu before it", i + 1, finished);
        finished++;
    }
    EXPECT(finished == 1, "%zu", finished);
}
#endif
