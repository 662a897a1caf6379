#include "base/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

/* A trace is made for every request, most of which record half a dozen entries: the ring's memory comes
 * in pieces of 8 entries and each entry's text when it first has one, all at most once. */
#define PIECE_ENTRIES 8
#define PIECES        (TRACE_EVENTS_MAX / PIECE_ENTRIES)
#define TEXT_MAX      96 /* bytes of an event's text, a longer one is cut */
#define SPANS_OPEN    8  /* nesting of spans */
#define NAMES_MAX     16 /* different span names that are summed */

struct span {
    struct trace *trace;
    const char *name; /* NULL: not in use */
    mono_ns begin;
};

struct entry {
    const char *name;
    mono_ns at;
    dur_ns dur;        /* of a span; -1 marks an event */
    char *text;        /* TEXT_MAX bytes, kept when the entry is overwritten */
    uint32_t text_len; /* 0 for spans */
};

struct trace {
    struct arena *arena;
    uint64_t id;
    mono_ns begin;
    uint32_t written, dropped; /* written: entries ever; the ring holds the last of them */
    struct entry *pieces[PIECES];
    struct span open[SPANS_OPEN];
    struct {
        const char *name;
        dur_ns dur;
    } totals[NAMES_MAX]; /* beside the ring: they survive its overwriting */
};

static mono_ns no_clock(void)
{
    return 0;
}

static mono_ns (*clock_now)(void) = no_clock;

void trace_set_clock(mono_ns (*now)(void))
{
    clock_now = now ? now : no_clock;
}

struct trace *trace_new(struct arena *arena, uint64_t id)
{
    struct trace *trace = arena_alloc(arena, sizeof *trace);

    if (trace) {
        trace->arena = arena;
        trace->id = id;
        trace->begin = clock_now();
    }
    return trace;
}

uint64_t trace_id(const struct trace *trace)
{
    return trace ? trace->id : 0;
}

static struct entry *entry_at(const struct trace *trace, uint32_t number)
{
    uint32_t at = number % TRACE_EVENTS_MAX;

    return &trace->pieces[at / PIECE_ENTRIES][at % PIECE_ENTRIES];
}

/* The next entry of the ring, over the oldest if need be; NULL when memory is gone. */
static struct entry *next_entry(struct trace *trace)
{
    struct entry **piece = &trace->pieces[trace->written % TRACE_EVENTS_MAX / PIECE_ENTRIES];

    if (!*piece)
        *piece = arena_array(trace->arena, PIECE_ENTRIES, sizeof **piece);
    if (!*piece) {
        trace->dropped++;
        return NULL;
    }
    if (trace->written >= TRACE_EVENTS_MAX)
        trace->dropped++;
    return entry_at(trace, trace->written++);
}

struct span *span_begin(struct trace *trace, const char *name)
{
    if (!trace)
        return NULL;
    for (size_t i = 0; i < SPANS_OPEN; i++) {
        struct span *span = &trace->open[i];

        if (!span->name) {
            *span = (struct span){trace, name, clock_now()};
            return span;
        }
    }
    trace->dropped++;
    return NULL;
}

/* Names are literals: mostly the very same one. */
static bool is_name(const char *a, const char *b)
{
    return a == b || strcmp(a, b) == 0;
}

static void add_total(struct trace *trace, const char *name, dur_ns dur)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (!trace->totals[i].name)
            trace->totals[i].name = name;
        if (is_name(trace->totals[i].name, name)) {
            trace->totals[i].dur += dur;
            return;
        }
    }
    trace->dropped++;
}

void span_end(struct span **span)
{
    struct span *ended = *span;

    if (!ended)
        return;
    ASSERT(ended->name);
    dur_ns dur = clock_now() - ended->begin;
    struct entry *entry = next_entry(ended->trace);

    add_total(ended->trace, ended->name, dur);
    if (entry)
        *entry = (struct entry){ended->name, ended->begin, dur, entry->text, 0};
    ended->name = NULL;
    *span = NULL;
}

dur_ns trace_span_total(const struct trace *trace, const char *name)
{
    for (size_t i = 0; trace && i < NAMES_MAX && trace->totals[i].name; i++)
        if (is_name(trace->totals[i].name, name))
            return trace->totals[i].dur;
    return 0;
}

void trace_event(struct trace *trace, const char *name, const char *fmt, ...)
{
    struct entry *entry = trace ? next_entry(trace) : NULL;
    va_list args;

    if (!entry)
        return;
    *entry = (struct entry){name, clock_now(), -1, entry->text, 0};
    if (!entry->text)
        entry->text = arena_alloc_raw(trace->arena, TEXT_MAX);
    if (!entry->text) /* the event stands, without its text */
        return;
    va_start(args, fmt);
    int len = vsnprintf(entry->text, TEXT_MAX, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    struct str kept = {entry->text, MIN_OF((size_t)len, TEXT_MAX - 1)};
    if (kept.len < (size_t)len)
        kept.len = utf8_boundary(kept, kept.len - 1); /* the last character may be half */
    entry->text_len = (uint32_t)kept.len;
}

uint32_t trace_dropped(const struct trace *trace)
{
    return trace ? trace->dropped : 0;
}

static void put_entry(struct json_writer *w, const struct trace *trace, const struct entry *entry)
{
    jw_object(w);
    jw_key(w, "name");
    jw_cstr(w, entry->name);
    jw_key(w, "at_us");
    jw_i64(w, (entry->at - trace->begin) / MICROSECOND);
    if (entry->dur >= 0) {
        jw_key(w, "dur_us");
        jw_i64(w, entry->dur / MICROSECOND);
    }
    if (entry->text_len) {
        jw_key(w, "text");
        jw_str(w, (struct str){entry->text, entry->text_len});
    }
    jw_object_end(w);
}

void trace_json(const struct trace *trace, struct buf *out)
{
    uint32_t from, to = trace ? trace->written : 0;
    struct json_writer w;

    jw_init(&w, out);
    jw_array(&w);
    from = to > TRACE_EVENTS_MAX ? to - TRACE_EVENTS_MAX : 0;
    for (; from < to; from++)
        put_entry(&w, trace, entry_at(trace, from));
    jw_array_end(&w);
}
