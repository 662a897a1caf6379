/* knowledge/runs.h: what ingest runs are doing, and did: for people who watch and those who stop one.
 * Kept     the last RUNS_MAX runs, in memory: what they brought in stands in the index, not here.
 * Threads  any. A run belongs to whoever works on it from run_begin() to run_finish(). */
#ifndef WEIR_KNOWLEDGE_RUNS_H
#define WEIR_KNOWLEDGE_RUNS_H

#include "knowledge/knowledge.h"

#define RUNS_MAX 64

struct run_slot;
/* NULL: no memory. */
struct runs *runs_new(struct arena *arena);
void runs_free(struct runs **runs); /* no run may be going on */

/* what: a path, or the name of a source. ERR_EXHAUSTED: RUNS_MAX are going on. */
bool run_begin(struct runs *runs, struct str what, bool is_source, struct run_slot **out,
               struct err *err) MUST_CHECK;
uint64_t run_id(const struct run_slot *run);
/* Of its thread: where it is. known: items seen so far, done: of them. */
struct run_progress {
    const struct ingest_report *report; /* its lists are not looked at */
    uint64_t known, done;
    struct str current;
};
void run_tell(struct run_slot *run, const struct run_progress *progress);
bool run_is_stopped(const struct run_slot *run); /* asked to stop */
/* why: NULL, or why it failed. The report's lists are copied. */
void run_finish(struct run_slot **run, const struct ingest_report *report, const struct err *why);

/* A document is forgotten: nothing that is kept of runs that have ended names it. */
void runs_forget(struct runs *runs, struct str path, struct str source);

#endif
