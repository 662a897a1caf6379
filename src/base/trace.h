/* base/trace.h: what one request did, as spans and events with times, in a fixed ring of its own.
 * Steps are spans, requests to others are leaf spans; trace points are typed functions per folder that
 * call trace_event(). Texts are "key=value key=value", so that whoever shows them can tell them apart.
 * Clock    handed in once with trace_set_clock().
 * Limits   TRACE_EVENTS_MAX events; past it the oldest are overwritten and trace_dropped() counts.
 * Owner    the request's arena; NULL is a valid trace that records nothing.
 * Source   W3C Trace Context for ids and the traceparent field. */
#ifndef WEIR_BASE_TRACE_H
#define WEIR_BASE_TRACE_H

#include "base/arena.h"
#include "base/buf.h"

#define TRACE_EVENTS_MAX  64
#define TRACE_TEXT_MAX    360 /* bytes of an event's or a span's text, a longer one is cut */
#define TRACEPARENT_BYTES 55

struct trace;
struct span;

void trace_set_clock(mono_ns (*now)(void));
struct trace *trace_new(struct arena *arena, uint64_t id);
uint64_t trace_id(const struct trace *trace); /* for log lines; 0 without a trace */
struct span *span_begin(struct trace *trace, const char *name); /* name: a literal */
/* One that others are not inside of: several may be open side by side and outlive what began them. */
struct span *span_begin_leaf(struct trace *trace, const char *name);
/* Ends *span, where there is one, and begins the next at the same moment: the clock is asked once. */
void span_turn(struct span **span, struct trace *trace, const char *name);
/* Adds "key=value ..." to the span's text; NULL is fine. */
void span_note(struct span *span, const char *fmt, ...) PRINTF(2, 3);
/* The same in parts, for what every request says: without a format that must be read. */
struct trace_part {
    struct str key, value;
    int64_t number; /* when value.ptr is NULL */
};
static inline struct trace_part trace_text(struct str key, struct str value)
{
    return (struct trace_part){.key = key, .value = {value.len ? value.ptr : "", value.len}};
}
static inline struct trace_part trace_number(struct str key, int64_t number)
{
    return (struct trace_part){.key = key, .number = number};
}
void span_add(struct span *span, const struct trace_part *parts, size_t count);
void trace_event_add(struct trace *trace, const char *name, const struct trace_part *parts,
                     size_t count);
void span_end(struct span **span);                                    /* CLEANUP-able */
dur_ns trace_span_total(const struct trace *trace, const char *name); /* 0 when it never ran */
void trace_event(struct trace *trace, const char *name, const char *fmt, ...) PRINTF(3, 4);
uint32_t trace_dropped(const struct trace *trace);
uint32_t trace_dropped_spans(const struct trace *trace); /* of them, without the events */
void trace_json(
    const struct trace *trace,
    struct buf *out); /* array of {name,at_us[,dur_us][,text]}, in the order they ended */

/* ---- belonging to a trace of several services ---- */
struct trace_context {
    uint8_t trace_id[16];
    uint64_t parent; /* span of whoever asked us; 0: nobody */
    bool sampled;    /* whoever comes before or after us keeps its spans */
    struct str
        state; /* tracestate of whoever asked us, passed on as it came; as long-lived as the trace */
    /* Ours; parse leaves them false. */
    bool recorded; /* our spans are exported */
    bool told;     /* those we ask learn of the trace */
};
/* Of a traceparent field; version 00, or a later one read as that. */
bool trace_context_parse(struct str traceparent, struct trace_context *out) MUST_CHECK;
void trace_join(struct trace *trace, const struct trace_context *context);
const struct trace_context *trace_joined(const struct trace *trace); /* NULL: to none */
uint64_t trace_root_span(const struct trace *trace);                 /* of the request itself */
uint64_t trace_inner_span(const struct trace *trace);                /* what is open now */
/* What the other side of the span is told; false when it is told nothing. */
bool span_traceparent(const struct span *span, char out[TRACEPARENT_BYTES]);
struct str span_tracestate(const struct span *span); /* beside it; empty: nothing */

/* ---- reading ---- */
struct trace_entry {
    const char *name; /* a literal */
    uint64_t span, parent;
    mono_ns at;
    dur_ns dur; /* -1: an event */
    bool leaf;
    struct str text;
};
uint32_t trace_count(const struct trace *trace); /* of entries still there */
/* In the order they ended. */
const struct trace_entry *trace_entry(const struct trace *trace, uint32_t i);
/* Entry i and the *run that stand behind each other from there; NULL and 0: there is none. */
const struct trace_entry *trace_run(const struct trace *trace, uint32_t i, uint32_t *run);
/* Copies the last `most` of them, their texts remaining the trace's. Returns how many. */
uint32_t trace_copy(const struct trace *trace, struct trace_entry *out, uint32_t most);

#endif
