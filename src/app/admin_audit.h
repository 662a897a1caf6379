/* app/admin_audit.h: what the parts of /api/v1/audit share. */
#ifndef WEIR_APP_ADMIN_AUDIT_H
#define WEIR_APP_ADMIN_AUDIT_H

#include "accounts/audit_query.h"
#include "app/admin.h"

/* The filters of the call's query; whoever is no operator sees their own tenant alone. */
bool admin_audit_query(struct admin_call *call, struct audit_query *out, struct err *err)
    MUST_CHECK;
/* GET /api/v1/audit/export: admin_audit_export.c. */
SUSPENDS bool admin_audit_export(struct admin_call *call, struct err *err);

#endif
