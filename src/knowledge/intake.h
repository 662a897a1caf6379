/* knowledge/intake.h: what a source has, compared with what the index holds, item by item.
 *   intake_open, then for each item of the source:
 *     intake_look        is it as it was, by its mark?        -> intake_keep
 *                        else fetch it                        -> intake_put (the hash decides)
 *                        or it cannot be had                  -> intake_fail, intake_skip
 *   intake_finish        what the source no longer has goes; the last commit
 * Batches  every step may commit what there is so far (struct ingest_batch), so that a run that is killed
 *          goes on behind it. Only intake_finish() removes what nobody saw or cannot be read any more, and not more
 *          of it at once than delete_percent allows; knowledge_vanish() removes what was made from it.
 * Others   may label and forget documents between two batches: each step looks at the index as it is.
 * Errors   of a step: the index or memory failed, and the run with it. A bad item is none.
 * Blocks   all of it: on a pool's thread. */
#ifndef WEIR_KNOWLEDGE_INTAKE_H
#define WEIR_KNOWLEDGE_INTAKE_H

#include "knowledge/answer.h"
#include "knowledge/labels.h"
#include "knowledge/runs.h"

#define PROBLEMS_MAX 10000

struct item {
    struct str source; /* what names it for ever: a path, a URL, "s3://bucket/key" */
    struct str shown;  /* for people */
    struct str mark;   /* while it is the same, so is the item; empty: nobody can know */
    struct str title;  /* where its text has none; may be empty */
    enum document_type type;
};

struct intake;
struct intake_options {
    struct knowledge *knowledge;
    struct str root; /* of this source's documents; empty: a single item, nothing is ever missing */
    const struct ingest_wish *wish; /* what is said of all of them */
    struct run_slot *run;           /* who is told; NULL: nobody */
    uint32_t delete_percent;        /* of the root's documents that may go at once; 100: all */
};
bool intake_open(struct arena *arena, const struct intake_options *options, struct intake **out,
                 struct err *err) MUST_CHECK;
void intake_close(
    struct intake **intake); /* CLEANUP-able; what is not committed is as if never seen */

/* Items that are known to come; for who watches. */
void intake_expect(struct intake *intake, uint64_t known);
void intake_is_at(struct intake *intake, struct str shown); /* which of them is waited for */
bool intake_is_stopped(const struct intake *intake);

struct intake_known {
    bool is_known, is_same; /* same: by its mark */
    struct str mark;        /* as it was; in the arena given */
    struct str root;        /* which source it came from */
};
bool intake_look(struct intake *intake, struct arena *arena, const struct item *item,
                 struct intake_known *out, struct err *err) MUST_CHECK;
/* It is as it was; what is said of it may have changed. */
bool intake_keep(struct intake *intake, const struct item *item, const struct beside *beside,
                 struct err *err) MUST_CHECK;
bool intake_put(struct intake *intake, const struct item *item, const struct beside *beside,
                struct str bytes, struct err *err) MUST_CHECK;
/* It is there and could not be had: its version stays. */
bool intake_fail(struct intake *intake, struct str source, struct str shown, const struct err *why,
                 struct err *err) MUST_CHECK;
/* It is not wanted: a version that is known counts as missing. */
bool intake_skip(struct intake *intake, struct str shown, const char *reason, struct err *err)
    MUST_CHECK;
/* The same, of an item that intake_expect() counted. */
bool intake_pass(struct intake *intake, struct str shown, const char *reason, struct err *err)
    MUST_CHECK;
void intake_note(struct intake *intake, struct str shown, struct str text);
/* Something could not be looked at: nothing is missing for certain. */
void intake_is_incomplete(struct intake *intake);

/* What is open is committed now: who goes on to wait for something holds nobody up who wants to write. */
bool intake_rest(struct intake *intake, struct err *err) MUST_CHECK;
/* Not after a stop: then what is done is committed, and nothing removed. */
bool intake_finish(struct intake *intake, struct err *err) MUST_CHECK;
/* Lists live in the intake's arena. */
const struct ingest_report *intake_report(struct intake *intake);

#endif
