/* gateway/traces.h: what recent requests did, step by step, in memory: `weir trace`.
 * Two rings of fixed slots: the usual requests, and those that failed or were slow, which the many good
 * ones cannot push out.
 * Limits   the slots, made at the start; a request with more entries than a slot holds is kept without the
 *          rest, and says how many are missing; a text for which there is no room ends with "...".
 * Threads  any: a slot has its own lock, held while it is copied. Cost: well under a microsecond. */
#ifndef WEIR_GATEWAY_TRACES_H
#define WEIR_GATEWAY_TRACES_H

#include "gateway/summary.h"

#define KEPT_ENTRIES_MAX 24
#define TRACE_KEPT_BYTES 4096u /* what a slot takes at most */

struct traces;

struct kept_trace {
    uint64_t id, parent_id, root;
    uint8_t trace_id[16];
    bool joined, sampled, streaming, estimated;
    wall_ms began;
    dur_ns took, first_byte, first_token;
    struct str route, model, deployment, provider, remote_model, key_id, tenant, outcome, error,
        why;
    int status;
    int64_t tokens_in, tokens_out, tokens_cached;
    usd_micro cost;
    uint64_t audit_seq, bytes_in, bytes_out;
    uint32_t entry_count, entries_missing;
    struct trace_entry entries[KEPT_ENTRIES_MAX]; /* `at` from the request's beginning */
};

/* count 0: nothing is kept. */
bool traces_open(uint32_t count, struct traces **out, struct err *err) MUST_CHECK;
void traces_close(struct traces **traces);
/* One will be kept soon: its place, which nobody has touched for thousands of requests, is fetched meanwhile. */
void traces_expect(struct traces *traces);                                     /* NULL is fine */
void traces_keep(struct traces *traces, const struct summary *s, dur_ns slow); /* NULL is fine */
/* A copy in the arena; NULL when it is not there any more, or memory is gone. */
struct kept_trace *traces_find(struct traces *traces, uint64_t id, struct arena *arena);
/* Where all stand, newest first: they may be more than a request has memory for. */
struct trace_place {
    wall_ms began;
    uint64_t id;
    uint32_t ring, slot;
};
bool traces_list(struct traces *traces, struct arena *arena, struct trace_place **out,
                 size_t *count, struct err *err) MUST_CHECK;
/* A copy of the one at that place; *out NULL: another is there by now. */
bool traces_take(struct traces *traces, const struct trace_place *place, struct arena *arena,
                 struct kept_trace **out, struct err *err) MUST_CHECK;

#endif
