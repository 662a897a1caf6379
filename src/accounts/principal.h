/* accounts/principal.h: who a request speaks for, and what that one may; the value the rest of the house
 * sees. A principal never changes: a change of its key, team or tenant makes another for the next request,
 * and who holds the old one keeps it until principal_release(). */
#ifndef WEIR_ACCOUNTS_PRINCIPAL_H
#define WEIR_ACCOUNTS_PRINCIPAL_H

#include "base/str.h"

enum role { /* the numbers stand in the store */
            ROLE_APP,
            ROLE_ADMIN,
            ROLE_OWNER,
            ROLE_DEVELOPER,
            ROLE_AUDITOR,
            ROLES
};

/* What a call needs; which role has it: the table in principal.c and docs/accounts.md. */
enum right {
    RIGHT_ASK,      /* ask models: /v1 */
    RIGHT_LOOK,     /* see status, models, routes, documents */
    RIGHT_USAGE,    /* see usage and cost: of one's team, else of one's tenant */
    RIGHT_AUDIT,    /* read, export and prove the audit log: of one's tenant */
    RIGHT_KEYS,     /* see, make and end keys for applications in one's team */
    RIGHT_ACCOUNTS, /* see, make, change and end teams and keys of one's tenant */
    RIGHT_BASES,    /* make knowledge bases and files of one's tenant, and change what is in them */
    RIGHT_CHANGE,   /* change what all tenants share: models, documents, cache; operators only */
    RIGHT_OWN,      /* tenants, owners and administrators, erasure; tenants: operators only */
    RIGHTS
};

#define TENANT_OPERATOR STR("default") /* who belongs to it works for the whole house */

enum level { LEVEL_TENANT, LEVEL_TEAM, LEVEL_KEY, LEVELS };

/* Patterns of names, "*" stands for any characters; none: any name will do. */
struct allowed {
    const struct str *at;
    uint32_t count;
};

struct key_state; /* counters of key, team and tenant, shared by all loops; accounts' own */
struct unit;

struct principal {
    struct str
        key_id; /* "k_7f3a...", of a person or a service "u_...": names who it is in logs, audit
                          and metrics; not secret */
    struct str name;   /* what its maker called it */
    struct str tenant; /* "default", "acme" */
    struct str team;   /* "acme/search", or empty */
    enum role role;
    struct allowed models[LEVELS]; /* all of them have to allow a model */
    uint32_t zones;                /* bits 1 << enum zone that all levels allow */
    struct str tag_list;           /* "batch,team:search", sorted, of all levels; may be empty */
    const struct str *tags;
    uint32_t tag_count;
    struct key_state *key;
    struct unit *tenant_unit, *team_unit; /* team: NULL when there is none */
};

bool role_may(enum role role, enum right right);
/* The same, and operators' rights only for operators. */
bool principal_may(const struct principal *who, enum right right);
bool principal_is_operator(const struct principal *who);
bool principal_may_ask(const struct principal *who, struct str model);
bool principal_may_zone(const struct principal *who, unsigned zone); /* enum zone of models.h */
bool principal_has_tag(const struct principal *who, struct str tag);

const char *role_name(enum role role);
bool role_parse(struct str name, enum role *out) MUST_CHECK;
/* "gpt-4*", "*-mini", "a*b*c": linear but for "*" after "*", bounded by both lengths. */
bool pattern_fits(struct str pattern, struct str name);

#endif
