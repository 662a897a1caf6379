/* Event streams: what the WHATWG text says, cut anywhere, and passed on untouched. */
#include "net/sse.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define EVENTS_MAX 8

struct event_row {
    const char *data; /* NULL: no data */
    const char *event, *id;
};

static const struct {
    const char *name;
    struct str text;
    struct event_row want[EVENTS_MAX]; /* ends at the first row without `event` */
    size_t left;                       /* bytes of no event at the end */
} cases[] = {
    {"nothing", STR(""), {{0}}, 0},
    {"one", STR("data: a\n\n"), {{"a", "", ""}}, 0},
    {"two", STR("data: a\n\ndata: b\n\n"), {{"a", "", ""}, {"b", "", ""}}, 0},
    {"CRLF", STR("data: a\r\n\r\ndata: b\r\n\r\n"), {{"a", "", ""}, {"b", "", ""}}, 0},
    {"CR", STR("data: a\r\rdata: b\r\r"), {{"a", "", ""}, {"b", "", ""}}, 0},
    {"line ends mixed",
     STR("data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n"),
     {{"a\nb\nc", "", ""}, {"d", "", ""}},
     0},
    {"CR then LF is one line end", STR("data: a\r\ndata: b\r\n\r\n"), {{"a\nb", "", ""}}, 0},
    {"LF then CR are two", STR("data: a\n\rdata: b\n\n"), {{"a", "", ""}, {"b", "", ""}}, 0},
    {"no space after the colon", STR("data:a\n\n"), {{"a", "", ""}}, 0},
    {"two spaces after the colon", STR("data:  a\n\n"), {{" a", "", ""}}, 0},
    {"space at the end stays", STR("data: a \n\n"), {{"a ", "", ""}}, 0},
    {"tab is no space", STR("data:\ta\n\n"), {{"\ta", "", ""}}, 0},
    {"colons in the value", STR("data: a: b: c\n\n"), {{"a: b: c", "", ""}}, 0},
    {"several lines", STR("data: a\ndata: b\ndata: c\n\n"), {{"a\nb\nc", "", ""}}, 0},
    {"empty lines of data", STR("data\ndata:\ndata: \n\n"), {{"\n\n", "", ""}}, 0},
    {"empty data", STR("data:\n\n"), {{"", "", ""}}, 0},
    {"data without colon", STR("data\n\n"), {{"", "", ""}}, 0},
    {"two events of several lines",
     STR("data: a\ndata: b\n\ndata: c\ndata: d\ndata: e\n\n"),
     {{"a\nb", "", ""}, {"c\nd\ne", "", ""}},
     0},
    {"event", STR("event: ping\ndata: {}\n\n"), {{"{}", "ping", ""}}, 0},
    {"event after data", STR("data: {}\nevent: ping\n\n"), {{"{}", "ping", ""}}, 0},
    {"event without data", STR("event: ping\n\n"), {{NULL, "ping", ""}}, 0},
    {"the last event name counts", STR("event: a\nevent: b\ndata: 1\n\n"), {{"1", "b", ""}}, 0},
    {"event does not last",
     STR("event: a\ndata: 1\n\ndata: 2\n\n"),
     {{"1", "a", ""}, {"2", "", ""}},
     0},
    {"id", STR("id: 7\ndata: a\n\n"), {{"a", "", "7"}}, 0},
    {"id with NUL is ignored", STR("id: 7\0\ndata: a\n\n"), {{"a", "", ""}}, 0},
    {"empty id", STR("id\ndata: a\n\n"), {{"a", "", ""}}, 0},
    {"retry and others are ignored",
     STR("retry: 100\nwhat: x\nData: y\n data: z\ndata: a\n\n"),
     {{"a", "", ""}},
     0},
    {"comment", STR(": hello\ndata: a\n\n"), {{"a", "", ""}}, 0},
    {"comment between", STR("data: a\n: and\ndata: b\n\n"), {{"a\nb", "", ""}}, 0},
    {"comment alone", STR(": ping\n\ndata: a\n\n"), {{NULL, "", ""}, {"a", "", ""}}, 0},
    {"comments without colon text", STR(":\n\n"), {{NULL, "", ""}}, 0},
    {"blank line first", STR("\ndata: a\n\n"), {{NULL, "", ""}, {"a", "", ""}}, 0},
    {"blank lines between",
     STR("data: a\n\n\r\n\ndata: b\n\n"),
     {{"a", "", ""}, {NULL, "", ""}, {NULL, "", ""}, {"b", "", ""}},
     0},
    {"byte order mark",
     STR("\xef\xbb\xbf"
         "data: a\n\ndata: b\n\n"),
     {{"a", "", ""}, {"b", "", ""}},
     0},
    {"byte order mark and a blank line",
     STR("\xef\xbb\xbf\n"
         "data: a\n\n"),
     {{NULL, "", ""}, {"a", "", ""}},
     0},
    {"second byte order mark is text",
     STR("data: a\n\n\xef\xbb\xbf"
         "data: b\n\n"),
     {{"a", "", ""}, {NULL, "", ""}},
     0},
    {"part of a byte order mark",
     STR("\xef\xbb"
         "data: a\n\n"),
     {{NULL, "", ""}},
     0},
    {"[DONE]",
     STR("data: {\"x\":1}\n\ndata: [DONE]\n\n"),
     {{"{\"x\":1}", "", ""}, {"[DONE]", "", ""}},
     0},
    {"UTF-8", STR("data: \xe6\xbc\xa2\xe5\xad\x97\n\n"), {{"\xe6\xbc\xa2\xe5\xad\x97", "", ""}}, 0},
    {"no blank line at the end", STR("data: a\n\ndata: b\n"), {{"a", "", ""}}, 8},
    {"no line end at the end", STR("data: a\n\ndata: b"), {{"a", "", ""}}, 7},
    {"cut inside CRLF of the blank line",
     STR("data: a\r\n\r\ndata: b\r\n\r"),
     {{"a", "", ""}, {"b", "", ""}},
     0},
    {"cut before the blank line", STR("data: a\r\n"), {{0}}, 9},
};

/* Copies, so that a view into bytes that have gone shows under the address sanitizer. */
static char *copy_of(struct str s)
{
    char *copy = malloc(s.len ? s.len : 1);

    memcpy(copy, s.ptr ? s.ptr : "", s.len);
    return copy;
}

static void check_event(const char *name, size_t step, const struct event_row *want,
                        const struct sse_event *e)
{
    EXPECT(want->event, "%s by %zu: one event too many", name, step);
    EXPECT(e->has_data == (want->data != NULL), "%s by %zu", name, step);
    EXPECT(str_eq(e->data, str_from(want->data)), "%s by %zu: " STR_FMT, name, step,
           STR_ARG(e->data));
    EXPECT(str_eq(e->event, str_from(want->event)), "%s by %zu: " STR_FMT, name, step,
           STR_ARG(e->event));
    EXPECT(str_eq(e->id, str_from(want->id)), "%s by %zu: " STR_FMT, name, step, STR_ARG(e->id));
}

/* Feed `text` in pieces of `step` bytes; the events are as wanted, their raw bytes are the text. */
static void read_in_steps(size_t row, size_t step)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str text = cases[row].text;
    struct sse_reader r;
    struct sse_event e;
    struct err err = {0};
    size_t count = 0, passed = 0;

    sse_reader_init(&r, arena, KIB);
    for (size_t at = 0;; at += step) {
        struct str part = str_slice(text, at, at + step);
        char *bytes = copy_of(part);

        if (at < text.len)
            EXPECT(sse_feed(&r, (struct str){bytes, part.len}, &err), "%s", err.text);
        else
            sse_finish(&r);
        while (count < EVENTS_MAX && sse_next(&r, &e)) {
            check_event(cases[row].name, step, &cases[row].want[count++], &e);
            EXPECT(str_eq(e.raw, str_slice(text, passed, passed + e.raw.len)), "%s by %zu: raw",
                   cases[row].name, step);
            passed += e.raw.len;
        }
        free(bytes);
        if (at >= text.len)
            break;
    }
    EXPECT(count == EVENTS_MAX || !cases[row].want[count].event, "%s by %zu: %zu events",
           cases[row].name, step, count);
    EXPECT(sse_left_over(&r) == cases[row].left, "%s by %zu: %zu left", cases[row].name, step,
           sse_left_over(&r));
    EXPECT(passed + cases[row].left == text.len, "%s by %zu", cases[row].name, step);
}

TEST(sse_reads_in_any_steps)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t step = 1; step <= cases[i].text.len + 1; step++)
            read_in_steps(i, step);
}

/* Two pieces, cut at every byte: the events of the first feed stay good until the second. */
TEST(sse_gives_events_as_soon_as_they_are_whole)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str text = STR("data: a\ndata: b\n\ndata: c\ndata: d\n\n: x");

    for (size_t cut = 0; cut <= text.len; cut++) {
        struct sse_reader r;
        struct sse_event first = {0}, second = {0}, none;
        struct err err = {0};

        sse_reader_init(&r, arena, KIB);
        EXPECT(sse_feed(&r, str_slice(text, 0, cut), &err));
        EXPECT(sse_next(&r, &first) == (cut >= 17), "%zu", cut);
        EXPECT(sse_next(&r, &second) == (cut >= 34), "%zu", cut);
        if (cut >= 34)
            EXPECT(str_eq(first.data, STR("a\nb")) && str_eq(second.data, STR("c\nd")), "%zu", cut);
        EXPECT(!sse_next(&r, &none) && !sse_next(&r, &none));
        EXPECT(sse_feed(&r, str_slice(text, cut, text.len), &err));
        EXPECT(sse_next(&r, &first) == (cut < 34), "%zu", cut);
        EXPECT(sse_next(&r, &second) == (cut < 17), "%zu", cut);
        EXPECT(!sse_next(&r, &none));
        EXPECT(sse_left_over(&r) == 3, "%zu", cut);
    }
}

TEST(sse_does_not_copy_whole_events)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str text = STR("data: a\n\nevent: b\ndata: c\n\n");
    struct sse_reader r;
    struct sse_event e;
    struct err err = {0};

    sse_reader_init(&r, arena, KIB);
    size_t before = arena_used(arena);
    for (int turn = 0; turn < 3; turn++) {
        REQUIRE(sse_feed(&r, text, &err));
        REQUIRE(sse_next(&r, &e));
        EXPECT(e.raw.ptr == text.ptr && e.data.ptr == text.ptr + 6);
        REQUIRE(sse_next(&r, &e));
        EXPECT(e.raw.ptr == text.ptr + 9 && e.event.ptr == text.ptr + 16);
        EXPECT(!sse_next(&r, &e));
    }
    EXPECT(arena_used(arena) == before, "%zu bytes", arena_used(arena) - before);
}

/* However long a stream lives, the reader's memory is that of its largest event. */
/* A relay gathers the events of one feed and writes them when there are no more. */
TEST(sse_views_hold_until_the_next_feed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    struct sse_reader r;
    struct sse_event e, none;
    struct err err = {0};

    sse_reader_init(&r, arena, KIB);
    REQUIRE(sse_feed(&r, STR("data: aa"), &err));
    EXPECT(!sse_next(&r, &e));
    REQUIRE(sse_feed(&r, STR("aa\n\ndata: bbbbbbbb"), &err));
    REQUIRE(sse_next(&r, &e));
    EXPECT(!sse_next(&r, &none), "what is left belongs to no whole event");
    EXPECT(str_eq(e.raw, STR("data: aaaa\n\n")), STR_FMT, STR_ARG(e.raw));
    REQUIRE(sse_feed(&r, STR("\n\n"), &err));
    REQUIRE(sse_next(&r, &e));
    EXPECT(str_eq(e.raw, STR("data: bbbbbbbb\n\n")), STR_FMT, STR_ARG(e.raw));
}

TEST(sse_memory_does_not_grow_with_the_stream)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct sse_reader r;
    struct sse_event e;
    struct err err = {0};
    size_t events = 0, settled = 0;

    sse_reader_init(&r, arena, KIB);
    for (int i = 0; i < 10000; i++) {
        REQUIRE(sse_feed(&r, STR("a: 1\ndata: a line\ndata: another\n\ndat"), &err), "%s",
                err.text);
        while (sse_next(&r, &e))
            events++;
        if (i == 10)
            settled = arena_used(arena);
    }
    EXPECT(events == 10000, "%zu", events);
    EXPECT(arena_used(arena) == settled);
}

TEST(sse_limit)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str just = STR("data: 12345678\n\n"), above = STR("data: 123456789\n\n");

    for (size_t step = 1; step <= 40; step++) {
        struct sse_reader r;
        struct sse_event e;
        struct err err = {0};
        bool ok = true;
        int events = 0;

        sse_reader_init(&r, arena, just.len);
        for (int i = 0; i < 3; i++) {
            for (size_t at = 0; at < just.len; at += step) {
                EXPECT(sse_feed(&r, str_slice(just, at, at + step), &err), "by %zu: %s", step,
                       err.text);
                while (sse_next(&r, &e))
                    events++;
            }
        }
        EXPECT(events == 3, "by %zu: %d", step, events);
        for (size_t at = 0; at < above.len && ok; at += step) {
            ok = sse_feed(&r, str_slice(above, at, at + step), &err);
            while (ok && sse_next(&r, &e))
                EXPECT(false, "by %zu: an event above the limit", step);
        }
        EXPECT(!ok && err.code == ERR_TOO_LARGE, "by %zu", step);
        EXPECT(strcmp(err.text, "event above 16 bytes") == 0, "%s", err.text);
    }
}

/* Many events in one feed may be larger together than one may be. */
TEST(sse_limit_is_for_one_event)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct sse_reader r;
    struct sse_event e;
    struct err err = {0};
    int events = 0;

    sse_reader_init(&r, arena, 9);
    REQUIRE(sse_feed(&r, STR("data: a\n\ndata: b\n\ndata: c\n\ndata: d"), &err), "%s", err.text);
    while (sse_next(&r, &e))
        events++;
    EXPECT(events == 3);
    EXPECT(sse_feed(&r, STR("\n"), &err) && !sse_next(&r, &e));
    EXPECT(sse_feed(&r, STR("\n"), &err) && sse_next(&r, &e));

    sse_reader_init(&r, arena, 9);
    EXPECT(!sse_feed(&r, STR("data: a\n\ndata: bc\n\n"), &err), "the second is too large");
}

TEST(sse_without_memory)
{
    struct arena *full CLEANUP(arena_end) = arena_new(16);
    struct sse_reader r;
    struct sse_event e;
    struct err err = {0};

    REQUIRE(arena_alloc_raw(full, 16));
    sse_reader_init(&r, full, KIB);
    REQUIRE(sse_feed(&r, STR("data: a\n\ndata: b"), &err));
    EXPECT(sse_next(&r, &e) && !sse_next(&r, &e));
    EXPECT(!sse_feed(&r, STR("\n\n"), &err) && err.code == ERR_EXHAUSTED, "%s", err.text);

    err = (struct err){0};
    sse_reader_init(&r, full, KIB);
    REQUIRE(sse_feed(&r, STR("data: a\ndata: b\n\n"), &err));
    EXPECT(!sse_next(&r, &e), "nowhere to join the lines");
    EXPECT(sse_left_over(&r) == 17);
    EXPECT(!sse_feed(&r, STR("\n"), &err) && err.code == ERR_EXHAUSTED, "%s", err.text);
}

TEST(sse_writes)
{
    static const struct {
        const char *event, *data, *want;
    } rows[] = {
        {"", "{\"a\":1}", "data: {\"a\":1}\n\n"},           {"", "", "data: \n\n"},
        {"error", "x", "event: error\ndata: x\n\n"},        {"", "a\nb", "data: a\ndata: b\n\n"},
        {"", "a\r\nb\rc", "data: a\ndata: b\ndata: c\n\n"}, {"", "a\n", "data: a\ndata: \n\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char memory[128];
        struct buf out;

        buf_init_fixed(&out, memory, sizeof memory);
        sse_write(&out, str_from(rows[i].event), str_from(rows[i].data));
        EXPECT(str_eq(buf_view(&out), str_from(rows[i].want)), STR_FMT, STR_ARG(buf_view(&out)));
    }
}
