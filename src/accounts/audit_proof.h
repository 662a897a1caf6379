/* accounts/audit_proof.h: what holds outside this machine. From the files of a log and a public key alone:
 * checking all of it against what was signed, and proofs of single records for whoever has only those.
 *   bundle   a line of JSON each:
 *            {"weir_proof":1,"checkpoint":NOTE[,"older":NOTE,"growth":[HASH...]]}
 *            {"line":RECORD,"path":[HASH...]}  any number; hashes in base64, in the order of RFC 6962
 * Threads  any; one caller an object. Blocks. */
#ifndef WEIR_ACCOUNTS_AUDIT_PROOF_H
#define WEIR_ACCOUNTS_AUDIT_PROOF_H

#include "accounts/audit.h"
#include "accounts/audit_note.h"
#include "accounts/audit_tree.h"

/* ---- the whole log ---- */

struct audit_trust {
    struct note_key keys[NOTE_KEYS_MAX]; /* whom the caller trusts; successors are added */
    size_t count;                        /* 0: nobody; then only chain and tiles are checked */
};
struct audit_noted { /* a checkpoint that somebody kept elsewhere */
    struct str name, note;
};
struct audit_verdict {
    struct audit_report chain;
    uint64_t signed_size; /* records that the newest checkpoint signs for */
    wall_ms signed_time;  /* when it says it was signed */
    uint64_t checkpoints; /* checked, the noted ones too */
    uint64_t passed_over; /* of those kept in the log: signed by nobody who is trusted */
    uint64_t pruned;      /* records that are not kept any more; the tree still has their hashes */
    struct sha256 root;   /* of signed_size */
};
/* Every record against the chain, every tile against the records, every checkpoint against both. The
 * first thing that does not fit is the error. */
bool audit_verify_signed(const char *dir, struct audit_trust *trust,
                         const struct audit_noted *noted, size_t noted_count,
                         struct audit_verdict *out, struct err *err) MUST_CHECK;

/* ---- proofs ---- */

struct audit_prover {
    struct arena *arena;
    struct audit_tiles *tiles;
    struct merkle_source source;
    struct merkle_proof *proof;
    struct str note;
    struct checkpoint checkpoint;
};
/* Of the newest checkpoint in `dir`. */
bool audit_prover_open(struct audit_prover *p, struct arena *arena, const char *dir,
                       struct err *err) MUST_CHECK;
/* The first line of a bundle; `older` is a checkpoint that somebody noted, or empty. */
bool audit_prove_head(struct audit_prover *p, struct str older, struct buf *to, struct err *err)
    MUST_CHECK;
/* One record's line; ERR_NOT_FOUND while no checkpoint signs for it. */
bool audit_prove_record(struct audit_prover *p, struct str line, struct buf *to, struct err *err)
    MUST_CHECK;

struct audit_bundle {
    const struct audit_trust *trust;
    struct str noted; /* the checkpoint that it has to go on from, or empty */
    bool has_head;
    struct sha256 root;
    uint64_t size, older_size; /* older_size 0: it proves no growth */
    wall_ms time;
    uint64_t records; /* proved so far */
};
/* One line of a bundle after the other. */
bool audit_bundle_line(struct audit_bundle *bundle, struct arena *arena, struct str line,
                       struct err *err) MUST_CHECK;

#endif
