/* What is said and cannot do anything: a warning each, with its place and what it wants. Only of what somebody
 * has written; what a default says is nobody's mistake. Read the table at the end first. */
#include <stdio.h>
#include <string.h>

#include "accounts/audit_body.h"
#include "app/settings_internal.h"
#include "cache/policy.h"
#include "knowledge/source.h"
#include "models/dialect.h"

typedef bool idle_if(const struct settings *s, size_t i);

/* ---- routes ---- */

struct use_count {
    size_t candidates, groups;
};

static struct use_count count_use(const struct route_settings *row)
{
    struct use_count n = {0};
    struct str group, item;

    for (struct str groups = row->use; str_split(&groups, '>', &group); n.groups++)
        for (struct str rest = group; str_split(&rest, ',', &item);)
            n.candidates++;
    return n;
}

static bool hedges_alone(const struct settings *s, size_t i)
{
    return s->routes[i].hedge_delay > 0 && count_use(&s->routes[i]).candidates < 2;
}

static bool hedges_by_percentile_alone(const struct settings *s, size_t i)
{
    return s->routes[i].hedge_percentile > 0 && count_use(&s->routes[i]).candidates < 2;
}

static bool falls_back_never(const struct settings *s, size_t i)
{
    return s->routes[i].attempts == 1 && count_use(&s->routes[i]).groups > 1;
}

static bool tries_once(const struct settings *s, size_t i)
{
    return s->routes[i].attempts == 1;
}

static bool goes_on_never(const struct settings *s, size_t i)
{
    return s->routes[i].attempts == 1 && s->routes[i].on_cut == CUT_CONTINUE;
}

static bool doubles_down(const struct settings *s, size_t i)
{
    return s->routes[i].attempts > 1 && s->routes[i].backoff_max < s->routes[i].backoff;
}

static bool breaks_never(const struct settings *s, size_t i)
{
    return s->routes[i].breaker_failures == 0;
}

/* ---- cache ---- */

bool settings_keeps_something(const struct settings *s)
{
    for (size_t i = 0; i < s->model_count; i++)
        if (s->models[i].cache > 1 + CACHE_NEVER) /* 0: as cache.mode says */
            return true;
    return s->cache.mode != CACHE_NEVER;
}

static bool keeps_nothing(const struct settings *s, size_t none)
{
    (void)none;
    return !settings_keeps_something(s);
}

static bool ttl_is_cut(const struct settings *s, size_t i)
{
    return !keeps_nothing(s, i) && s->cache.ttl > s->cache.ttl_max;
}

static bool entry_is_wide(const struct settings *s, size_t i)
{
    return !keeps_nothing(s, i) && s->cache.disk > 0 && s->cache.entry > s->cache.memory_tenant;
}

static bool has_no_disk(const struct settings *s, size_t i)
{
    return !keeps_nothing(s, i) && s->cache.disk == 0;
}

static bool has_no_redis(const struct settings *s, size_t i)
{
    return !keeps_nothing(s, i) && s->cache.redis.len == 0;
}

static bool redis_is_plain(const struct settings *s, size_t i)
{
    return !keeps_nothing(s, i) && s->cache.redis.len > 0 &&
           !str_starts(s->cache.redis, STR("rediss://"));
}

/* ---- what is around ---- */

static bool exports_nothing(const struct settings *s, size_t none)
{
    (void)none;
    return s->telemetry.endpoint.len == 0;
}

static bool sends_no_header(const struct settings *s, size_t i)
{
    return !exports_nothing(s, i) && secret_is_empty(&s->telemetry.header_value);
}

static bool collector_is_plain(const struct settings *s, size_t i)
{
    return !exports_nothing(s, i) && !str_starts(s->telemetry.endpoint, STR("https://"));
}

static bool shows_no_trace(const struct settings *s, size_t none)
{
    (void)none;
    return s->telemetry.traces == 0;
}

static bool never_gathers(const struct settings *s, size_t none)
{
    (void)none;
    return s->server.batch_window == 0;
}

static bool links_are_said(const struct settings *s, size_t none)
{
    (void)none;
    return s->server.public_url.len > 0;
}

static bool keeps_no_bodies(const struct settings *s, size_t none)
{
    (void)none;
    for (size_t i = 0; i < s->audit_tenant_count; i++)
        if (s->audit_tenants[i].bodies != BODIES_NONE)
            return false;
    return s->audit.bodies == BODIES_NONE;
}

static bool tenant_stands_above(const struct settings *s, size_t i)
{
    for (size_t above = 0; above < i; above++)
        if (str_eq(s->audit_tenants[above].tenant, s->audit_tenants[i].tenant))
            return true;
    return false;
}

static bool keeps_no_responses(const struct settings *s, size_t none)
{
    (void)none;
    return s->responses.keep == 0;
}

/* ---- documents ---- */

static bool has_no_embedder(const struct settings *s, size_t none)
{
    (void)none;
    return str_eq(s->knowledge.embedder, STR("none"));
}

static bool embeds_itself(const struct settings *s, size_t none)
{
    return has_no_embedder(s, none) || str_eq(s->knowledge.embedder, STR("latent")) ||
           str_eq(s->knowledge.embedder, STR("hashed"));
}

static bool has_no_reranker(const struct settings *s, size_t none)
{
    (void)none;
    return str_eq(s->knowledge.reranker, STR("none"));
}

static bool nobody_writes(const struct settings *s, size_t none)
{
    (void)none;
    return str_eq(s->knowledge.through, STR("none"));
}

static bool is_no_folder(const struct settings *s, size_t i)
{
    return s->sources[i].kind != SOURCE_FOLDER;
}

static bool is_no_site(const struct settings *s, size_t i)
{
    return s->sources[i].kind != SOURCE_WEB;
}

static bool is_no_bucket(const struct settings *s, size_t i)
{
    return s->sources[i].kind != SOURCE_S3;
}

static bool is_no_database(const struct settings *s, size_t i)
{
    return s->sources[i].kind != SOURCE_SQL;
}

static bool fetches_nothing(const struct settings *s, size_t i)
{
    return is_no_site(s, i) && is_no_bucket(s, i);
}

/* ---- providers and models ---- */

static bool has_no_version(const struct settings *s, size_t i)
{
    const struct provider_settings *p = &s->providers[i];

    return p->kind != KIND_AZURE && settings_dialect(p) != &dialect_anthropic;
}

static bool signs_nothing(const struct settings *s, size_t i)
{
    const struct provider_settings *p = &s->providers[i];

    return (p->auth ? p->auth - 1 : (int)auth_of_kind((enum provider_kind)p->kind)) != AUTH_AWS;
}

static bool provider_is_plain(const struct settings *s, size_t i)
{
    return !str_starts(s->providers[i].url, STR("https://"));
}

static bool probes_never(const struct settings *s, size_t i)
{
    return s->providers[i].probe_interval == 0;
}

static bool ends_before_first_byte(const struct settings *s, size_t i)
{
    return s->providers[i].first_byte_timeout > s->providers[i].total_timeout;
}

static bool ends_before_gap(const struct settings *s, size_t i)
{
    return s->providers[i].gap_timeout > s->providers[i].total_timeout;
}

static bool stays(const struct settings *s, size_t i)
{
    int life = s->models[i].lifecycle;

    return s->models[i].successor.len > 0 && (life == LIFE_ACTIVE || life == LIFE_PREVIEW);
}

static bool follows_itself(const struct settings *s, size_t i)
{
    return !stays(s, i) && s->models[i].successor.len > 0 &&
           str_eq(s->models[i].successor, s->models[i].name);
}

static bool has_no_room(const struct settings *s, size_t i)
{
    return s->models[i].window > 0 && s->models[i].window <= s->models[i].output_tokens_max;
}

/* ---- people ---- */

static bool has_no_claim(const struct settings *s, size_t i)
{
    return s->issuers[i].role_claim.len == 0;
}

static bool is_no_login(const struct settings *s, size_t i)
{
    return s->issuers[i].client_id.len == 0;
}

static bool issuer_stands_above(const struct settings *s, size_t i)
{
    for (size_t above = 0; above < i; above++)
        if (str_eq(s->issuers[above].url, s->issuers[i].url))
            return true;
    return false;
}

static bool nobody_logs_in(const struct settings *s, size_t none)
{
    (void)none;
    for (size_t i = 0; i < s->issuer_count; i++)
        if (s->issuers[i].client_id.len > 0)
            return false;
    return true;
}

/* ---- the table ---- */

#define ONE_CANDIDATE "does nothing: use names one candidate, so nobody else can be asked as well"
#define NO_ATTEMPT    "does nothing: attempts is 1"
#define NO_CACHE      "does nothing: mode is off, and no model of this file has a cache of its own"
#define NO_DISK       "does nothing: disk is 0"
#define NO_REDIS      "does nothing: redis is empty"
#define NO_EXPORT     "does nothing: endpoint is empty, so no span is exported"
#define NO_BODIES     "does nothing: bodies is none, for every tenant"
#define NO_VECTORS    "does nothing: embedder is none"
#define NO_ASKED      "does nothing: no embedding model is asked"
#define NO_RERANK     "does nothing: reranker is none"
#define NO_AWS        "does nothing: only requests with an AWS signature (auth: aws) have one"
#define NO_CLIENT     "does nothing: without client_id nobody logs in there"
#define NO_LOGIN      "does nothing: no issuer has a client_id, so nobody logs in"

static const struct idle {
    const char *section;
    const char *fields; /* with blanks between */
    idle_if *is;
    const char *why;
} table[] = {
    {"server", "batch_streams", never_gathers, "does nothing: batch_window is 0"},
    {"server", "links_from", links_are_said, "does nothing: public_url says it"},
    {"audit", "body_bytes subjects", keeps_no_bodies, NO_BODIES},
    {"audit_tenants", "tenant", tenant_stands_above, "stands above already, and that row counts"},
    {"telemetry",
     "header header_value scheme ca_file service instance resource sample_percent follow_parent "
     "queue batch interval timeout",
     exports_nothing, NO_EXPORT},
    {"telemetry", "header scheme", sends_no_header,
     "does nothing: header_value is empty, so the header is not sent"},
    {"telemetry", "ca_file", collector_is_plain, "does nothing: endpoint is not https"},
    {"telemetry", "slow", shows_no_trace, "does nothing: traces is 0"},
    {"knowledge", "vector_weight graph_from embed_batch embed_limit", has_no_embedder, NO_VECTORS},
    {"knowledge", "embed_batch embed_limit", embeds_itself, NO_ASKED},
    {"knowledge", "rerank_passages rerank_limit", has_no_reranker, NO_RERANK},
    {"knowledge", "unsupported", nobody_writes,
     "does nothing: through is none, and documents say what they say"},
    {"sources", "watch", is_no_folder, "does nothing: it is for kind folder"},
    {"sources", "depth hosts rate robots agent private_addresses", is_no_site,
     "does nothing: it is for kind web"},
    {"sources", "endpoint region access_key secret_key session_token path_style", is_no_bucket,
     "does nothing: it is for kind s3"},
    {"sources", "database query key title text metadata_columns timeout", is_no_database,
     "does nothing: it is for kind sql"},
    {"sources", "retries retry_wait", fetches_nothing, "does nothing: it is for kinds web and s3"},
    {"responses", "count bytes", keeps_no_responses, "does nothing: keep is 0"},
    {"providers", "api_version", has_no_version,
     "does nothing: only azure and Anthropic's dialect have one"},
    {"providers", "region aws_secret_key aws_session_token", signs_nothing, NO_AWS},
    {"providers", "ca_file", provider_is_plain, "does nothing: url is not https"},
    {"providers", "probe_failures", probes_never, "does nothing: probe_interval is 0"},
    {"providers", "first_byte_timeout", ends_before_first_byte,
     "is more than total_timeout, which ends it before"},
    {"providers", "gap_timeout", ends_before_gap,
     "is more than total_timeout, which ends it before"},
    {"models", "successor", stays, "does nothing: lifecycle is active; say deprecated or retired"},
    {"models", "successor", follows_itself, "is the model itself"},
    {"models", "window", has_no_room,
     "is not more than output_tokens_max: a request that names no maximum has no room for its "
     "prompt"},
    {"routes", "hedge_delay", hedges_alone, ONE_CANDIDATE},
    {"routes", "hedge_percentile", hedges_by_percentile_alone, ONE_CANDIDATE},
    {"routes", "attempts", falls_back_never,
     "is 1, so nobody is asked after a failure: what stands behind > answers only while those "
     "before it rest or cannot take a request"},
    {"routes", "on_cut", goes_on_never,
     "does nothing: attempts is 1, so nobody may go on with what was said"},
    {"routes", "attempts_time backoff backoff_max retry_after_max", tries_once, NO_ATTEMPT},
    {"routes", "backoff_max", doubles_down,
     "is less than backoff: pauses are never as long as backoff says"},
    {"routes", "breaker_time", breaks_never,
     "does nothing: breaker_failures is 0, so nobody ever rests"},
    {"cache",
     "sampled shared ttl ttl_max price_percent memory memory_tenant entry disk disk_segment "
     "disk_entries redis redis_user redis_password redis_ca redis_timeout redis_prefix",
     keeps_nothing, NO_CACHE},
    {"cache", "ttl", ttl_is_cut, "is more than ttl_max, which counts"},
    {"cache", "entry", entry_is_wide,
     "is more than memory_tenant: larger answers are kept on the disk alone"},
    {"cache", "disk_segment disk_entries", has_no_disk, NO_DISK},
    {"cache", "redis_user redis_password redis_ca redis_timeout redis_prefix", has_no_redis,
     NO_REDIS},
    {"cache", "redis_ca", redis_is_plain, "does nothing: redis speaks TLS only as rediss://"},
    {"issuers", "url", issuer_stands_above,
     "is that of a row above: tokens are believed as that one says, and this one is for logins "
     "alone"},
    {"issuers", "role_prefix", has_no_claim, "does nothing: role_claim is empty"},
    {"issuers", "client_secret client_auth scopes", is_no_login, NO_CLIENT},
    {"login",
     "url lifetime idle sessions sessions_per_person remember timeout per_minute per_address",
     nobody_logs_in, NO_LOGIN},
};

/* A field has one reason, the first. */
static bool is_doubted(const struct reading *r, const char *path)
{
    struct str place = arena_fmt(r->problems->arena, ": %s: ", path);

    for (size_t i = 0; i < r->problems->warning_count; i++)
        if (str_find(r->problems->warnings[i], place) < r->problems->warnings[i].len)
            return true;
    return false;
}

static void check_field(struct reading *r, const struct section *section, long item,
                        struct str field, const char *why)
{
    char path[SETTING_PATH_MAX];

    setting_path(path, section, item, field);
    if (settings_said(r, path) && !is_doubted(r, path))
        settings_doubtful(r, path, why);
}

static void check_rule(struct reading *r, const struct idle *rule)
{
    const struct section *section = settings_section(rule->section);
    size_t count = settings_items(r->settings, section);

    for (size_t i = 0; i < count; i++) {
        struct str rest = str_from(rule->fields), field;

        if (!rule->is(r->settings, i))
            continue;
        while (str_split(&rest, ' ', &field))
            check_field(r, section, section->item_size ? (long)i : -1, field, rule->why);
    }
}

/* AWS answers 403 to what is not signed, and does not say why. */
static void check_signing(struct reading *r)
{
    char path[SETTING_PATH_MAX];

    for (size_t i = 0; i < r->settings->provider_count; i++) {
        const struct provider_settings *p = &r->settings->providers[i];

        setting_path(path, settings_section("providers"), (long)i, STR_NONE);
        if (!signs_nothing(r->settings, i) &&
            (secret_is_empty(&p->api_key) || secret_is_empty(&p->aws_secret_key) || !p->region.len))
            settings_doubtful(r, path,
                              "requests cannot be signed without api_key, aws_secret_key and "
                              "region; with a key of Bedrock's own say auth: bearer");
    }
}

static void check_issuers(struct reading *r)
{
    char path[SETTING_PATH_MAX];

    for (size_t i = 0; i < r->settings->issuer_count; i++) {
        const struct issuer_settings *from = &r->settings->issuers[i];

        setting_path(path, settings_section("issuers"), (long)i, STR_NONE);
        if (!from->tenant.len && !from->tenant_claim.len)
            settings_doubtful(r, path,
                              "neither tenant nor tenant_claim is given: every token is refused");
        if (!from->role_claim.len && !from->default_role)
            settings_doubtful(
                r, path, "neither role_claim nor default_role is given: every token is refused");
    }
}

void settings_check_idle(struct reading *r)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        check_rule(r, &table[i]);
    check_signing(r);
    check_issuers(r);
}
