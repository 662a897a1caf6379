/* accounts/audit_export.h: records as others read them: lines of JSON as in the log, RFC 4180, or a bundle of
 * proofs. The caller finds the records, and sends what is written.
 * Threads  any; one caller an object. Blocks. */
#ifndef WEIR_ACCOUNTS_AUDIT_EXPORT_H
#define WEIR_ACCOUNTS_AUDIT_EXPORT_H

#include "accounts/audit_proof.h"

#define AUDIT_EXPORT_FORMATS "jsonl|csv|proof"
enum audit_export_format { EXPORT_JSONL, EXPORT_CSV, EXPORT_PROOF };

struct audit_export {
    enum audit_export_format format;
    struct arena *scratch; /* for one record; not the one that `to` grows in */
    struct audit_prover prover;
};
/* What stands in front of all records. The arena lives as long as the export. */
bool audit_export_begin(struct audit_export *e, struct arena *arena, const char *dir,
                        struct buf *to, struct err *err) MUST_CHECK;
bool audit_export_record(struct audit_export *e, struct str line, struct buf *to, struct err *err)
    MUST_CHECK;
/* Records up to this number can be written: of a bundle, those that its checkpoint signs for. */
uint64_t audit_export_last(const struct audit_export *e);

#endif
