/* cache/policy.h: whether a request may be answered from the cache and its answer kept: what the settings
 * allow, narrowed by what the request says in "weir": {"cache": ...} and in Cache-Control. */
#ifndef WEIR_CACHE_POLICY_H
#define WEIR_CACHE_POLICY_H

#include "base/json.h"

#define CACHE_TAGS_MAX 8
#define CACHE_TAG_MAX  64 /* bytes of one */

/* ---- what the settings say of a model ---- */
enum cache_rule { CACHE_NEVER, CACHE_ASKED, CACHE_ALWAYS }; /* asked: by the request */

struct cache_rules {
    enum cache_rule use;
    enum cache_rule sampled; /* where the temperature is not 0 */
    enum cache_rule shared;  /* between tenants */
    dur_ns ttl, ttl_max;     /* unless the request says; the most it may say */
};

/* ---- what a request says ---- */
enum cache_mode { CACHE_UNSAID, CACHE_OFF, CACHE_ON, CACHE_REFRESH, CACHE_ONLY };

struct cache_wish {
    enum cache_mode mode;
    bool no_store;      /* Cache-Control */
    bool refresh, only; /* Cache-Control: no-cache or max-age=0; only-if-cached */
    dur_ns max_age;     /* Cache-Control; -1: unsaid */
    dur_ns ttl;         /* weir.cache.ttl; -1: unsaid */
    int shared;         /* -1: unsaid */
    struct str tags[CACHE_TAGS_MAX];
    uint32_t tag_count;
};
/* weir: the request's member of that name, or 0; then body may be NULL. ERR_INVALID names the field: "weir.cache.ttl: expected ...". */
bool cache_wish_read(struct arena *arena, const struct json *body, json_ref weir,
                     struct str cache_control, struct cache_wish *out, struct err *err) MUST_CHECK;

/* ---- what is done ---- */
struct cache_plan {
    bool may_read, may_store, only; /* only: without an answer at hand the client gets 504 */
    bool shared;
    dur_ns ttl, max_age; /* max_age -1: any */
};
/* sampled: the request's temperature is not 0. ERR_DENIED when the request asks to share what may not be. */
bool cache_decide(const struct cache_rules *rules, const struct cache_wish *wish, bool sampled,
                  struct cache_plan *out, struct err *err) MUST_CHECK;

#endif
