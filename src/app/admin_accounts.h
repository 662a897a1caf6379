/* app/admin_accounts.h: what endpoints of keys, teams and tenants share. */
#ifndef WEIR_APP_ADMIN_ACCOUNTS_H
#define WEIR_APP_ADMIN_ACCOUNTS_H

#include "accounts/directory.h"
#include "app/admin_fields.h"

extern const struct schema account_policy_schema;  /* what may be asked, and how much */
extern const struct schema account_balance_schema; /* the same, and what has been used */

/* Of the body; a field that is absent leaves *out alone. */
void account_read_limits(struct admin_call *call, struct limits *out);
bool account_read_policy(struct admin_call *call, struct policy *out, struct err *err) MUST_CHECK;

void account_write_policy(struct json_writer *w, const struct policy *p, const struct limits *l);
void account_write_balance(struct json_writer *w, const struct balance *b, wall_ms created);

bool account_in_reach(const struct principal *who, struct str tenant);
/* Returns false: 403, with the caller's role and tenant. */
bool account_too_far(const struct admin_call *call, struct str what, struct err *err);

#endif
