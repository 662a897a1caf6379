/* accounts/principal.c: roles, rights and what a principal is allowed; no counters. */
#include "accounts/principal.h"

#define A (1u << RIGHT_ASK)
#define L (1u << RIGHT_LOOK)
#define U (1u << RIGHT_USAGE)
#define T (1u << RIGHT_AUDIT)
#define K (1u << RIGHT_KEYS)
#define C (1u << RIGHT_ACCOUNTS)
#define B (1u << RIGHT_BASES)
#define H (1u << RIGHT_CHANGE)
#define O (1u << RIGHT_OWN)

/* Read this table first: what is not in it is refused. */
static const struct {
    const char *name;
    uint32_t rights;
} roles[ROLES] = {
    [ROLE_APP] = {"app", A},
    [ROLE_DEVELOPER] = {"developer", A | L | U | K | B},
    [ROLE_AUDITOR] = {"auditor", L | U | T},
    [ROLE_ADMIN] = {"admin", A | L | U | T | K | C | B | H},
    [ROLE_OWNER] = {"owner", A | L | U | T | K | C | B | H | O},
};

bool role_may(enum role role, enum right right)
{
    return (unsigned)role < ROLES && (roles[role].rights >> right & 1u) != 0;
}

bool principal_is_operator(const struct principal *who)
{
    return str_eq(who->tenant, TENANT_OPERATOR);
}

bool principal_may(const struct principal *who, enum right right)
{
    if (right == RIGHT_CHANGE && !principal_is_operator(who))
        return false;
    return role_may(who->role, right);
}

const char *role_name(enum role role)
{
    return (unsigned)role < ROLES ? roles[role].name : "unknown";
}

bool role_parse(struct str name, enum role *out)
{
    for (unsigned i = 0; i < ROLES; i++)
        if (str_eq(name, str_from(roles[i].name))) {
            *out = (enum role)i;
            return true;
        }
    return false;
}

/* Greedy: on a mismatch the last "*" takes one character more. */
bool pattern_fits(struct str pattern, struct str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, from = 0;

    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool fits_one(const struct allowed *allowed, struct str name)
{
    for (uint32_t i = 0; i < allowed->count; i++)
        if (pattern_fits(allowed->at[i], name))
            return true;
    return allowed->count == 0;
}

bool principal_may_ask(const struct principal *who, struct str model)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (!fits_one(&who->models[i], model))
            return false;
    return true;
}

bool principal_may_zone(const struct principal *who, unsigned zone)
{
    return zone < 32 && (who->zones >> zone & 1u) != 0;
}

bool principal_has_tag(const struct principal *who, struct str tag)
{
    for (uint32_t i = 0; i < who->tag_count; i++)
        if (str_eq(who->tags[i], tag))
            return true;
    return false;
}
