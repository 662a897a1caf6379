/* models/route.h: which deployments may answer a request, best first.
 * A row says when it holds and whom it uses; the rows are read from the top and the first that holds is
 * taken. That must never be a surprise: a row that no request can reach, and two rows that some requests
 * fit both of without one being the exception of the other, are refused with both names. (Of tags a
 * request may have several; rows for different tags are taken in their order.)
 * Find     by name, then by what most rows differ in, so that 1,000 rows cost less than a microsecond.
 * Owner    the arena of the table; immutable. Threads any. */
#ifndef WEIR_MODELS_ROUTE_H
#define WEIR_MODELS_ROUTE_H

#include "models/models.h"

#define ROUTES_MAX      2000
#define CANDIDATES_MAX  32 /* of a row, over all groups */
#define GROUPS_MAX      8
#define ROUTE_WORDS_MAX 256 /* of one condition */

enum on_cut { CUT_ERROR, CUT_CONTINUE };

/* How often, how long and how else. Times 0: off. */
struct route_policy {
    uint32_t attempts_max;       /* asked in all, the first included */
    dur_ns attempts_time;        /* from the first question until an answer has begun */
    dur_ns backoff, backoff_max; /* before a deployment is asked again: a random part of it,
                                        which doubles */
    dur_ns retry_after_max;      /* a provider that wants longer is not waited for */
    dur_ns first_token_timeout;  /* then the next candidate is asked */
    enum on_cut on_cut;          /* a stream that breaks off */
    dur_ns hedge_delay;          /* without a first token until then a second is asked as well */
    uint32_t hedge_percentile;   /* the same, by what is usual: 95 */
    uint32_t breaker_failures;   /* in a row that take a deployment out; 0: never */
    dur_ns breaker_time;         /* for how long at first */
    bool retry_empty;            /* an answer without anything in it is a failure */
};
extern const struct route_policy route_policy_plain; /* a model asked for by its own name */

struct route_candidate {
    const struct model *model;
    uint32_t weight;
};
struct route_group {
    const struct route_candidate *candidates;
    size_t count;
};

/* Values of a condition; none: every value fits. */
struct route_words {
    const struct str *at;
    size_t count;
};
enum route_set { MATCH_MODEL, MATCH_TENANT, MATCH_TEAM, MATCH_TAG, MATCH_CLASS, ROUTE_SETS };

struct route {
    struct str name;
    struct route_words sets[ROUTE_SETS]; /* of MATCH_MODEL: names, or a beginning and "*" */
    struct hours hours;
    struct token_range prompt;
    uint32_t needs; /* holds for requests that need these abilities */
    const struct route_group *groups;
    size_t group_count;
    struct route_policy policy;
};

/* A row as settings write it: lists are "a, b"; use is "a*3, b > c": groups by ">", weights by "*". */
struct route_text {
    struct str name, models, tenants, teams, tags, data_classes, hours, prompt_tokens, needs, use;
    struct route_policy policy;
};

struct route_table;
/* ERR_INVALID names the row, or both. Without a catalogue the candidates' names are not looked up: for
 * checking settings alone. */
bool route_table_read(struct arena *arena, const struct route_text *rows, size_t count,
                      const struct catalogue *catalogue, struct route_table **out, struct err *err)
    MUST_CHECK;
/* One row alone, its candidates' names not looked up. */
bool route_text_check(struct arena *arena, const struct route_text *row, struct err *err)
    MUST_CHECK;
size_t route_count(const struct route_table *table); /* NULL: none */
const struct route *route_at(const struct route_table *table, size_t i);

struct route_ask {
    struct str values[ROUTE_SETS]; /* empty: none; not of MATCH_TAG */
    const struct str *tags;        /* all of them; a row holds when it names one */
    size_t tag_count;
    int minute;            /* of the day, UTC */
    int64_t prompt_tokens; /* an estimate */
    uint32_t needs;
};
bool route_name_fits(struct str pattern, struct str name); /* a name, or a beginning and "*" */
const struct route *route_find(const struct route_table *table, const struct route_ask *ask);

/* ---- for the files behind this header ---- */
bool routes_check(struct arena *arena, const struct route *routes, size_t count, struct err *err)
    MUST_CHECK; /* overlaps and rows out of reach */

#endif
