/* accounts/principal.h: who a request speaks for; the value the rest of the house sees. */
#ifndef WEIR_ACCOUNTS_PRINCIPAL_H
#define WEIR_ACCOUNTS_PRINCIPAL_H

#include "base/str.h"

enum role { ROLE_APP, ROLE_ADMIN };

struct key_state; /* counters of the key, shared by all loops; accounts' own */

struct principal {
    struct str key_id; /* "k_7f3a...": names the key in logs, audit and metrics; not secret */
    struct str name;   /* what its maker called it */
    struct str tenant; /* "default" until tenants have an API */
    enum role role;
    struct key_state *state;
};

#endif
