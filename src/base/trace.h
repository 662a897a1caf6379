/* base/trace.h: what one request did, as spans and events with times, in a fixed ring of its own.
 * Steps are spans; trace points are typed functions per folder that call trace_event().
 * Clock    handed in once with trace_set_clock().
 * Limits   TRACE_EVENTS_MAX events; past it the oldest are overwritten and trace_dropped() counts.
 * Owner    the request's arena; NULL is a valid trace that records nothing. */
#ifndef WEIR_BASE_TRACE_H
#define WEIR_BASE_TRACE_H

#include "base/arena.h"
#include "base/buf.h"

#define TRACE_EVENTS_MAX 64

struct trace;
struct span;

void trace_set_clock(mono_ns (*now)(void));
struct trace *trace_new(struct arena *arena, uint64_t id);
uint64_t trace_id(const struct trace *trace); /* for log lines; 0 without a trace */
struct span *span_begin(struct trace *trace, const char *name);       /* name: a literal */
void span_end(struct span **span);                                    /* CLEANUP-able */
dur_ns trace_span_total(const struct trace *trace, const char *name); /* 0 when it never ran */
void trace_event(struct trace *trace, const char *name, const char *fmt, ...) PRINTF(3, 4);
uint32_t trace_dropped(const struct trace *trace);
void trace_json(
    const struct trace *trace,
    struct buf *out); /* array of {name,at_us[,dur_us][,text]}, in the order they ended */

#endif
