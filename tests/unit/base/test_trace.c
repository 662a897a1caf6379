#include "base/trace.h"
#include "base/utf8.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static mono_ns now;

static mono_ns test_clock(void)
{
    return now;
}

static struct str json_of(const struct trace *trace, struct arena *arena)
{
    struct err err = {0};
    struct str text = STR_NONE;
    struct buf out;

    buf_init(&out, arena, MIB);
    trace_json(trace, &out);
    EXPECT(buf_finish(&out, &text, &err), "%s", err.text);
    return text;
}

TEST(spans_and_events_are_told_in_the_order_they_ended)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    trace_set_clock(test_clock);
    now = 5 * SECOND;
    struct trace *trace = trace_new(arena, 77);
    REQUIRE(trace);
    EXPECT(trace_id(trace) == 77);
    struct span *outer = span_begin(trace, "call");
    now += 2 * MILLISECOND;
    struct span *inner = span_begin(trace, "connect");
    now += 3 * MILLISECOND;
    span_end(&inner);
    EXPECT(!inner);
    span_end(&inner);
    trace_event(trace, "call.sent", "provider=%s \"x\"", "one");
    trace_event(trace, "empty", "%s", "");
    now += 4 * MILLISECOND;
    EXPECT(trace_span_total(trace, "call") == 0, "not yet ended");
    span_end(&outer);
    EXPECT(trace_span_total(trace, "call") == 9 * MILLISECOND);
    EXPECT(trace_span_total(trace, "connect") == 3 * MILLISECOND);
    EXPECT(trace_span_total(trace, "never") == 0);
    struct str text = json_of(trace, arena);
    EXPECT(str_eq(text, STR("[{\"name\":\"connect\",\"at_us\":2000,\"dur_us\":3000},"
                            "{\"name\":\"call.sent\",\"at_us\":5000,\"text\":\"provider=one "
                            "\\\"x\\\"\"},{\"name\":\"empty\",\"at_us\":5000},"
                            "{\"name\":\"call\",\"at_us\":0,\"dur_us\":9000}]")),
           STR_FMT, STR_ARG(text));
    EXPECT(trace_dropped(trace) == 0);
    trace_set_clock(NULL);
}

TEST(totals_add_up_and_outlive_the_ring)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);

    REQUIRE(trace);
    trace_set_clock(test_clock);
    for (int i = 0; i < 3; i++) {
        struct span *span CLEANUP(span_end) = span_begin(trace, "deliver");

        now += SECOND;
    }
    for (int i = 0; i < TRACE_EVENTS_MAX; i++)
        trace_event(trace, "chunk", "number=%d", i);
    EXPECT(trace_span_total(trace, "deliver") == 3 * SECOND);
    EXPECT(trace_dropped(trace) == 3 && trace_dropped_spans(trace) == 3);
    trace_event(trace, "chunk", "number=%d", TRACE_EVENTS_MAX);
    EXPECT(trace_dropped(trace) == 4 && trace_dropped_spans(trace) == 3, "an event is no span");
    trace_set_clock(NULL);
}

TEST(the_oldest_are_overwritten_and_counted)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);
    size_t used = 0;

    REQUIRE(trace);
    for (int i = 0; i < 1000; i++) {
        trace_event(trace, "chunk", "number=%d", i);
        if (i == TRACE_EVENTS_MAX)
            used = arena_used(arena);
    }
    EXPECT(arena_used(arena) == used, "a long stream takes no more memory");
    EXPECT(trace_dropped(trace) == 1000 - TRACE_EVENTS_MAX);
    struct str text = json_of(trace, arena);
    EXPECT(str_find(text, STR("\"number=935\"")) == text.len);
    EXPECT(str_find(text, STR("\"number=936\"")) < str_find(text, STR("\"number=999\"")));
    EXPECT(str_find(text, STR("\"number=999\"")) < text.len);
}

TEST(a_long_event_text_is_cut_between_characters)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);

    REQUIRE(trace);
    for (int before = TRACE_TEXT_MAX - 6; before < TRACE_TEXT_MAX + 1; before++)
        trace_event(trace, "long", "%*d\xe4\xbd\xa0", before, 1);
    struct str text = json_of(trace, arena);
    EXPECT(str_find(text, STR("\xef\xbf\xbd")) == text.len, STR_FMT, STR_ARG(text));
    EXPECT(str_find(text, STR("1\xe4\xbd\xa0\"")) < text.len, "what fits stays whole");
}

TEST(texts_are_what_printf_would_make)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);
    struct span *span = span_begin(trace, "x");
    char want[400], big[TRACE_TEXT_MAX + 20];

    REQUIRE(span);
    memset(big, 'b', sizeof big);
    span_note(span, "a=%s b=%.*s c=%d d=%u e=%" PRIu64 "!", "", 2, "xyz", -7, 4000000000u,
              UINT64_MAX);
    span_note(span, "f=%.*s 100%%", 0, "");
    span_note(span, "g=%5d %c", 3, 'q');
    span_end(&span);
    snprintf(want, sizeof want, "a=%s b=%.*s c=%d d=%u e=%" PRIu64 "! f= 100%% g=%5d q", "", 2,
             "xyz", -7, 4000000000u, UINT64_MAX, 3);
    EXPECT(str_eq(trace_entry(trace, 0)->text, str_from(want)), STR_FMT,
           STR_ARG(trace_entry(trace, 0)->text));
    trace_event(trace, "long", "%.*s", (int)sizeof big, big);
    EXPECT(trace_entry(trace, 1)->text.len == TRACE_TEXT_MAX - 2, "cut before the last character");
    trace_event(trace, "whole", "%.*s", TRACE_TEXT_MAX - 1, big);
    EXPECT(trace_entry(trace, 2)->text.len == TRACE_TEXT_MAX - 1);
}

TEST(parts_make_the_same_text_as_a_format)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);
    struct span *span = span_begin(trace, "x");
    char big[TRACE_TEXT_MAX + 20];

    REQUIRE(span);
    memset(big, 'b', sizeof big);
    const struct trace_part parts[] = {trace_text(STR("a"), STR_NONE), trace_number(STR("n"), -7),
                                       trace_text(STR("c"), STR("x\xe4\xbd\xa0"))};
    span_add(span, parts, ARRAY_LEN(parts));
    span_note(span, "f=%d", 1);
    span_add(span, parts, 2);
    span_add(NULL, parts, 1);
    span_end(&span);
    EXPECT(str_eq(trace_entry(trace, 0)->text, STR("a= n=-7 c=x\xe4\xbd\xa0 f=1 a= n=-7")), STR_FMT,
           STR_ARG(trace_entry(trace, 0)->text));
    for (size_t len = TRACE_TEXT_MAX - 20; len < sizeof big; len++) {
        const struct trace_part cut[] = {trace_text(STR("k"), (struct str){big, len}), parts[2]};
        char want[2 * TRACE_TEXT_MAX];
        uint32_t at = trace_count(trace);

        trace_event_add(trace, "parts", cut, ARRAY_LEN(cut));
        snprintf(want, sizeof want, "k=%.*s c=x\xe4\xbd\xa0", (int)len, big);
        struct str got = trace_entry(trace, at)->text, whole = str_from(want);
        EXPECT(str_starts(whole, got) && utf8_valid(got), STR_FMT, STR_ARG(got));
        EXPECT(got.len >= MIN_OF(whole.len, (size_t)TRACE_TEXT_MAX - 5), "%zu of %zu", got.len,
               whole.len);
        EXPECT(got.len == whole.len || whole.len >= TRACE_TEXT_MAX - 1);
    }
}

TEST(the_last_entries_are_copied)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);
    struct trace_entry out[TRACE_EVENTS_MAX];

    EXPECT(trace_copy(trace, out, 5) == 0 && trace_copy(NULL, out, 5) == 0);
    for (uint32_t n = 1; n < 3 * TRACE_EVENTS_MAX; n++) {
        trace_event(trace, "e", "%u", n);
        for (uint32_t most = 0; most <= TRACE_EVENTS_MAX; most += 7) {
            uint32_t count = trace_copy(trace, out, most),
                     have = MIN_OF(n, (uint32_t)TRACE_EVENTS_MAX);

            EXPECT(count == MIN_OF(most, have), "%u of %u", count, n);
            for (uint32_t i = 0; i < count; i++) {
                const struct trace_entry *e = trace_entry(trace, have - count + i);

                EXPECT(e->text.ptr == out[i].text.ptr && e->text.len == out[i].text.len, "%u of %u",
                       i, n);
            }
        }
    }
}

TEST(a_span_turns_into_the_next)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);
    struct span *span = NULL;

    trace_set_clock(test_clock);
    span_turn(&span, trace, "one");
    now += MILLISECOND;
    span_turn(&span, trace, "two");
    now += 2 * MILLISECOND;
    span_end(&span);
    REQUIRE(trace_count(trace) == 2);
    EXPECT(trace_entry(trace, 0)->dur == MILLISECOND);
    EXPECT(trace_entry(trace, 1)->dur == 2 * MILLISECOND);
    EXPECT(trace_entry(trace, 1)->at == trace_entry(trace, 0)->at + MILLISECOND);
    EXPECT(trace_entry(trace, 1)->parent == trace_root_span(trace));
    span_turn(&span, NULL, "none");
    EXPECT(!span);
    trace_set_clock(NULL);
}

TEST(too_many_open_spans_are_dropped)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 1);
    struct span *spans[40];

    REQUIRE(trace);
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        spans[i] = span_begin(trace, "deep");
    EXPECT(spans[0] && !spans[39] && trace_dropped(trace) > 0);
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        span_end(&spans[i]);
    struct span *again = span_begin(trace, "again");
    EXPECT(again != NULL);
    span_end(&again);
}

TEST(no_trace_is_a_trace_that_records_nothing)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct arena *tiny CLEANUP(arena_end) = arena_new(64);
    struct span *span = span_begin(NULL, "x");

    span_end(&span);
    trace_event(NULL, "x", "%d", 1);
    EXPECT(trace_span_total(NULL, "x") == 0 && trace_dropped(NULL) == 0 && trace_id(NULL) == 0);
    EXPECT(str_eq(json_of(NULL, arena), STR("[]")));
    EXPECT(trace_new(tiny, 1) == NULL);
}

TEST(a_trace_without_memory_counts_what_it_loses)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2600);
    struct trace *trace = trace_new(arena, 1);

    REQUIRE(trace);
    for (int i = 0; i < 60; i++)
        trace_event(trace, "x", "number=%d", i);
    EXPECT(trace_dropped(trace) > 0 && trace_dropped(trace) < 60, "%u", trace_dropped(trace));
}

static const struct {
    const char *name, *text;
    bool ok, sampled;
} contexts[] = {
    {"sampled", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, true},
    {"not sampled", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true, false},
    {"other flags", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe", true, false},
    {"a later version", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true, true},
    {"version 00 with more", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false,
     false},
    {"later without a dash", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", false,
     false},
    {"version ff", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
    {"upper case", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
    {"no trace", "00-00000000000000000000000000000000-b7ad6b7169203331-01", false, false},
    {"no span", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, false},
    {"short", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false, false},
    {"no hex", "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", false, false},
    {"empty", "", false, false},
};

TEST(traceparent_is_read_strictly)
{
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
        struct trace_context got = {.parent = 7};
        bool ok = trace_context_parse(str_from(contexts[i].text), &got);

        EXPECT(ok == contexts[i].ok && got.sampled == contexts[i].sampled, "%s", contexts[i].name);
        EXPECT(got.parent == (ok ? 0xb7ad6b7169203331u : 7), "%s", contexts[i].name);
    }
}

TEST(spans_know_what_they_are_inside_of)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace *trace = trace_new(arena, 5);
    char told[TRACEPARENT_BYTES];
    struct trace_context context, back;

    REQUIRE(trace);
    struct span *step = span_begin(trace, "call");
    EXPECT(!span_traceparent(step, told), "it belongs to no trace");
    REQUIRE(trace_context_parse(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                                &context));
    context.recorded = context.told = true;
    trace_join(trace, &context);
    struct span *one = span_begin_leaf(trace, "upstream"),
                *two = span_begin_leaf(trace, "upstream");
    span_note(one, "provider=%s", "a");
    span_note(one, "status=%d", 200);
    REQUIRE(span_traceparent(one, told));
    REQUIRE(trace_context_parse((struct str){told, sizeof told}, &back));
    trace_event(trace, "seen", "x=1");
    span_end(&step);
    span_end(&one);
    span_end(&two);
    REQUIRE(trace_count(trace) == 4);
    const struct trace_entry seen = *trace_entry(trace, 0), call = *trace_entry(trace, 1),
                             first = *trace_entry(trace, 2), second = *trace_entry(trace, 3);
    EXPECT(call.parent == trace_root_span(trace) && seen.parent == call.span && seen.dur == -1);
    EXPECT(first.parent == call.span && second.parent == call.span && first.span != second.span);
    EXPECT(back.parent == first.span && back.sampled &&
           memcmp(back.trace_id, context.trace_id, 16) == 0);
    EXPECT(str_eq(first.text, STR("provider=a status=200")), STR_FMT, STR_ARG(first.text));
    EXPECT(second.text.len == 0 && second.leaf && !call.leaf);
    EXPECT(trace_inner_span(trace) == trace_root_span(trace));
}
