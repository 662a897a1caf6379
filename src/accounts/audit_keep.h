/* accounts/audit_keep.h: how long records are kept. Whole segments go, the oldest first, when all of
 * their records are older than the retention, are signed for, and no hold is on any of them or on an
 * older one. The tree keeps the hashes of what is gone, so later proofs still verify; that records are
 * about to go is recorded first.
 *   holds    a file of JSON lines in the log's directory, replaced as a whole
 *   clock    that jumped (against the processor's, or since the last checkpoint) prunes nothing
 * Threads  any; blocks. One lock inside. */
#ifndef WEIR_ACCOUNTS_AUDIT_KEEP_H
#define WEIR_ACCOUNTS_AUDIT_KEEP_H

#include "accounts/audit.h"

struct audit_bodies;
struct audit_tree;
struct audit_keep;

#define AUDIT_RETENTION_DAYS_MIN 180
#define AUDIT_HOLDS_MAX          1000u

/* What is empty or 0 does not matter; all that is given has to fit. */
struct audit_hold {
    struct str id; /* "h_1f3a5b7c"; made by audit_hold_add() */
    struct str tenant, key, subject;
    uint64_t request;
    wall_ms from, until;
    struct str reason; /* 1 to 200 bytes */
    struct str by;     /* key of who made it */
    wall_ms made;
};
struct audit_keep_options {
    wall_ms retention;           /* of at least AUDIT_RETENTION_DAYS_MIN days */
    struct audit_bodies *bodies; /* closed after this; NULL: none */
    /* After opening; default a minute: most clocks that are set at a start are set by then. */
    dur_ns first_prune;
};
bool audit_keep_open(struct audit *audit, struct audit_tree *tree,
                     const struct audit_keep_options *options, struct audit_keep **out,
                     struct err *err) MUST_CHECK;
/* hold->id is filled, in the arena. */
bool audit_hold_add(struct audit_keep *keep, struct audit_hold *hold, struct arena *arena,
                    struct err *err) MUST_CHECK;
bool audit_hold_release(struct audit_keep *keep, struct str id, struct err *err) MUST_CHECK;
bool audit_hold_list(struct audit_keep *keep, struct arena *arena, struct audit_hold **out,
                     size_t *count, struct err *err) MUST_CHECK;
/* Is any record of the subject held? *id: by which hold, in the arena. */
bool audit_hold_on_subject(struct audit_keep *keep, struct str subject, struct arena *arena,
                           struct str *id, struct err *err) MUST_CHECK;
/* Drops the keys of the bodies of somebody with several pseudonyms: of all of them, or of none while a hold is on records
 * of any; *hold says which, in the arena, else it is empty. *had: there was a key. */
bool audit_erase_bodies(struct audit_keep *keep, const struct str *subjects, size_t count,
                        struct arena *arena, struct str *hold, bool *had, struct err *err)
    MUST_CHECK;
/* Removes what may go at `now`; *gone: records. */
bool audit_prune(struct audit_keep *keep, wall_ms now, uint64_t *gone, struct err *err) MUST_CHECK;
/* A fiber's function: prunes soon after the start, then every hour until cancelled. */
SUSPENDS void audit_keep_loop(void *keep);
void audit_keep_close(struct audit_keep **keep);

/* The holds file: what the fuzz target calls. *holds in the arena. */
bool audit_holds_read(struct arena *arena, struct str text, struct audit_hold **holds,
                      size_t *count, struct err *err) MUST_CHECK;

#endif
