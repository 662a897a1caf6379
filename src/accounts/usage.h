/* accounts/usage.h: what was used and what it cost, by day, tenant, team, key, model, deployment, provider, route
 * and tag.
 * Kept in the store, a row a kind of usage and day. Counted in memory as records are made, written with the
 * sequence they include in one transaction; what memory lost is read from the audit log again, so nothing
 * counts twice and nothing is missing. A request with two tags counts once, and under each when asked by tag.
 * Route    the row of the routes table where one was taken, else the endpoint.
 * Model    as asked for, where somebody answered or was to; empty for what nobody was asked.
 * Deployment  the catalogue's name of who answered, or was asked last. What hedges that lost and attempts that
 *          failed cost stands with the deployment that made them, in a row without requests; tokens of one that
 *          another went on from too. Empty: nobody was asked, or an older Weir took a route and did not note it.
 * Limits   the rows of a page; kinds in memory: accounts_options.usage_cells, past it the log is read. */
#ifndef WEIR_ACCOUNTS_USAGE_H
#define WEIR_ACCOUNTS_USAGE_H

#include "accounts/accounts.h"

enum usage_by { /* in the order of the store's columns */
                USAGE_BY_DAY,
                USAGE_BY_TENANT,
                USAGE_BY_TEAM,
                USAGE_BY_KEY,
                USAGE_BY_MODEL,
                USAGE_BY_DEPLOYMENT,
                USAGE_BY_PROVIDER,
                USAGE_BY_ROUTE,
                USAGE_BY_TAG,
                USAGE_BYS
};
extern const char *const usage_by_names[USAGE_BYS];

enum usage_count { /* what is counted; money in micro-dollars */
                   USED_REQUESTS,
                   USED_FAILED, /* requests that were refused or did not end well */
                   USED_TOKENS_IN,
                   USED_TOKENS_OUT,
                   USED_TOKENS_CACHED,
                   USED_TOKENS_CACHE_WRITE, /* this and the next two: 0 of what older Weirs counted */
                   USED_TOKENS_REASONING,
                   USED_TOKENS_AUDIO,
                   USED_ESTIMATED, /* requests whose tokens nobody counted: Weir estimated them */
                   USED_COST,
                   USED_COST_LEFT,     /* of cost: of clients that left before the end */
                   USED_COST_HEDGE,    /* of cost: hedges that lost */
                   USED_COST_ATTEMPTS, /* of cost: attempts that failed */
                   USAGE_COUNTS
};
extern const char *const usage_count_names[USAGE_COUNTS];

struct usage_row {
    int64_t day;                /* when asked by day */
    struct str what[USAGE_BYS]; /* of those asked by; of USAGE_BY_DAY unused */
    int64_t counts[USAGE_COUNTS];
};
struct usage_query {
    int64_t from_day, to_day;      /* days since 1970, both included */
    uint32_t by;                   /* bits 1 << enum usage_by */
    struct str only[USAGE_BYS];    /* empty: any; of USAGE_BY_DAY ignored */
    const struct usage_row *after; /* the last of the page before; NULL: from the first */
    size_t most;
};
/* Up to the last record: what is in memory is written first. */
SUSPENDS bool usage_read(struct accounts *accounts, const struct usage_query *query,
                         struct arena *arena, struct usage_row **out, size_t *count,
                         struct err *err) MUST_CHECK;

#endif
