#include "accounts/audit_export.h"

#include "accounts/audit_query.h"

bool audit_export_begin(struct audit_export *e, struct arena *arena, const char *dir,
                        struct buf *to, struct err *err)
{
    if (e->format == EXPORT_CSV)
        audit_csv_head(to);
    return e->format != EXPORT_PROOF || (audit_prover_open(&e->prover, arena, dir, err) &&
                                         audit_prove_head(&e->prover, STR_NONE, to, err));
}

bool audit_export_record(struct audit_export *e, struct str line, struct buf *to, struct err *err)
{
    switch (e->format) {
    case EXPORT_CSV: return audit_csv_line(line, e->scratch, to, err);
    case EXPORT_PROOF: return audit_prove_record(&e->prover, line, to, err);
    case EXPORT_JSONL: break;
    }
    buf_str(to, line);
    buf_char(to, '\n');
    return true;
}

uint64_t audit_export_last(const struct audit_export *e)
{
    return e->format == EXPORT_PROOF ? e->prover.checkpoint.size : UINT64_MAX;
}
