/* app/settings.h: every setting of Weir, once. The tables in settings_table.c name, type, bound, default
 * and explain each; the reader, `weir config check|show|schema`, and docs/configuration.md all come
 * from them.
 *   Sources   defaults < weir.yaml < WEIR_* environment (WEIR_SERVER_LISTEN, WEIR_PROVIDERS_0_URL)
 *   Secrets   never stand in a file of settings: "env:NAME" or "file:PATH"; never shown
 *   Errors    all of them, not only the first: file, line, field, what was expected, what to do
 * Owner     settings_read() makes them, settings_free() wipes them. Immutable in between. */
#ifndef WEIR_APP_SETTINGS_H
#define WEIR_APP_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/secret.h"
#include "models/route.h"
#include "sys/file.h"

struct provider_settings {
    struct str name, url, ca_file, api_version;
    int kind;        /* enum provider_kind */
    int dialect;     /* 0: as its kind has it; else of the setting's choices */
    int auth;        /* enum auth plus one; 0: as its kind has it */
    int unsupported; /* 1: refused */
    struct str region;
    struct secret api_key, aws_secret_key, aws_session_token;
    dur_ns connect_timeout, first_byte_timeout, gap_timeout, total_timeout, probe_interval;
    int64_t reply_bytes, event_bytes, probe_failures;
};

struct model_settings {
    struct str name, provider, remote_name;
    struct prices prices;
    int64_t output_tokens_max, window, in_flight;
    struct str abilities, licence, successor;
    int zone, lifecycle; /* enum zone, enum lifecycle */
    int cache;           /* 0: as cache.mode; else one more than enum cache_rule */
};

struct price_settings {
    struct str model, hours, prompt_tokens, tenants;
    struct prices prices;
};

struct route_settings {
    struct str name, models, tenants, teams, tags, data_classes, hours, prompt_tokens, needs, use;
    int64_t attempts, hedge_percentile, breaker_failures;
    dur_ns attempts_time, backoff, backoff_max, retry_after_max, first_token_timeout, hedge_delay,
        breaker_time;
    int on_cut; /* enum on_cut */
    bool retry_empty;
};

struct body_settings {
    struct str tenant;
    int bodies; /* enum audit_body_policy */
};

struct issuer_settings {
    struct str name, url, audience, jwks_url, ca_file, algorithms, tenant, tenant_claim, team_claim,
        role_claim, role_prefix;
    struct str client_id, scopes;
    struct secret client_secret;
    int default_role; /* of "none|app|developer|auditor" */
    int client_auth;  /* enum client_auth of issuers.h */
    dur_ns skew, refresh, stale, timeout;
};

struct source_settings {
    struct str name, base, location, readers, metadata, include, exclude, hosts, agent, endpoint,
        region, access_key, query, key, title, text, metadata_columns;
    int kind; /* enum source_type */
    struct secret secret_key, session_token, database;
    dur_ns every, time, timeout, retry_wait;
    int64_t delete_limit, item_bytes, items, bytes, depth, rate, retries;
    bool watch, robots, private_addresses, path_style;
};

struct settings {
    struct arena *arena;
    struct str file;       /* where they came from, or "" */
    struct file_info seen; /* of the file, before it was read */
    struct {
        struct str listen, public_url, tls_certificate, tls_key, tls_client_ca;
        int64_t loops, connections, connections_per_address, requests_per_connection;
        int64_t prompts_at_once;
        int64_t head_bytes, body_bytes, request_memory, memory, fibers;
        dur_ns head_timeout, body_timeout, idle_timeout, write_timeout, request_timeout,
            drain_timeout, drain_delay;
        dur_ns batch_window;
        int64_t batch_streams;
        int links_from; /* enum links_from */
        bool supervise;
    } server;
    struct {
        struct str dir;
        struct secret store;
        int64_t store_queue, audit_segment_bytes;
    } data;
    struct {
        dur_ns retention;
        int bodies; /* enum audit_body_policy */
        int64_t body_bytes, subjects;
        struct secret master_key;
    } audit;
    struct body_settings *audit_tenants;
    size_t audit_tenant_count;
    struct {
        int level; /* enum log_level */
        bool requests;
    } log;
    struct {
        struct str endpoint, header, scheme, ca_file, service, instance, resource;
        struct secret header_value;
        int64_t sample; /* millionths of a percent */
        bool follow_parent, propagate;
        int64_t queue, batch, traces;
        dur_ns interval, timeout, slow;
    } telemetry;
    struct {
        struct str model, through, examples;
        struct str embedder;
        int64_t embed_batch;
        dur_ns embed_limit, rerank_limit;
        int64_t vector_weight, graph_from;
        struct str reranker;
        int64_t rerank_passages;
        int64_t bases, uploads, file_bytes, files;
        int64_t threads, queue;
        int64_t batch_files, batch_bytes;
        dur_ns batch_time, forget_wait;
        int64_t readers, reader_memory, reader_output;
        dur_ns reader_time;
        int sandbox;     /* 0: required, 1: where the kernel has one */
        int unsupported; /* enum unsupported */
    } knowledge;
    struct source_settings *sources;
    size_t source_count;
    struct {
        dur_ns keep;
        int64_t count, bytes;
    } responses;
    struct {
        int64_t connections, idle;
        dur_ns idle_timeout;
    } upstream;
    struct {
        int mode, sampled, shared; /* enum cache_rule */
        dur_ns ttl, ttl_max;
        int64_t price_percent;
        int64_t memory, memory_tenant, entry, disk, disk_segment, disk_entries;
        struct str redis, redis_user, redis_ca, redis_prefix;
        struct secret redis_password;
        dur_ns redis_timeout;
    } cache;
    struct provider_settings *providers;
    size_t provider_count;
    struct model_settings *models;
    size_t model_count;
    struct price_settings *prices;
    size_t price_count;
    struct route_settings *routes;
    size_t route_count;
    struct {
        struct str url;
        dur_ns lifetime, idle, timeout, remember;
        int64_t sessions, sessions_per_person, per_minute, per_address;
    } login;
    struct issuer_settings *issuers;
    size_t issuer_count;
    struct setting_origin *origins; /* who said what: settings_show() */
    size_t origin_count;
};

#define SETTINGS_PROBLEMS_MAX 50
struct settings_problems {
    struct arena *arena;
    struct str
        at[SETTINGS_PROBLEMS_MAX]; /* "weir.yaml:3:5: server.listen: expected ..., found ..." */
    size_t count, beyond;          /* beyond: more that did not fit */
    struct str warnings[SETTINGS_PROBLEMS_MAX];
    size_t warning_count;
};

#define SETTINGS_FILE "weir.yaml"
/* file: NULL for "weir.yaml if there is one"; a file that was named must exist. environment: NULL-ended
 * NAME=VALUE, as environ. False: problems says why, all of it; *out is untouched. */
bool settings_read(const char *file, const char *const *environment,
                   struct settings_problems *problems, struct settings **out) MUST_CHECK;
/* The same, and certificates that it names are looked at: what is good here can start. */
bool settings_read_to_start(const char *file, const char *const *environment,
                            struct settings_problems *problems, struct settings **out) MUST_CHECK;
/* The same for a command, which needs to know where the data are and may run where the daemon's secrets are not: what
 * env:NAME and file:PATH name is not looked at, "unread" stands for it. True with problems, too, of other sections. */
bool settings_read_but_secrets(const char *file, const char *const *environment,
                               struct settings_problems *problems, struct settings **out)
    MUST_CHECK;
/* The same from text: for tests and fuzzing; nothing outside is read but files named by secrets. */
bool settings_read_text(struct str text, const char *name, const char *const *environment,
                        struct settings_problems *problems, struct settings **out) MUST_CHECK;
/* The rows of `routes` as the table of routes reads them; in the arena. */
bool settings_routes(const struct settings *settings, struct arena *arena, struct route_text **out,
                     struct err *err) MUST_CHECK;
/* What a provider speaks: as it says, or as its kind does. NULL: OpenAI's dialect. */
struct dialect;
const struct dialect *settings_dialect(const struct provider_settings *provider);
/* A row of `sources` as it runs; texts and secrets stay the settings'. ERR_INVALID: what cannot be. */
struct source_spec; /* knowledge/source.h */
bool settings_source(const struct source_settings *row, struct arena *arena,
                     struct source_spec *out, struct err *err) MUST_CHECK;
bool settings_source_check(const struct source_settings *row, struct arena *arena, struct err *err)
    MUST_CHECK;
/* "RS256 ES256" as bits of enum jwt_alg. */
bool settings_algorithms(struct str list, uint32_t *out, struct err *err) MUST_CHECK;
/* "weir.yaml:3:5" or "WEIR_SERVER_LISTEN": who says the value at "routes.0.use"; empty: a default. */
struct str settings_where(const struct settings *settings, const char *path);
void settings_free(struct settings **settings);
void settings_problems_free(struct settings_problems *problems);

void settings_show(const struct settings *settings, bool json,
                   struct buf *out);   /* values with their source */
void settings_schema(struct buf *out); /* JSON Schema 2020-12 */
void settings_docs(struct buf *out);   /* docs/configuration.md */
/* Something of them stands in their file: else it is empty, or there is none. */
bool settings_come_of_file(const struct settings *settings);
/* Names of settings that differ and take effect only after a restart, separated by ", "; may be empty. When
 * `out` has no room for all, "..." is the last. */
void settings_need_restart(const struct settings *old, const struct settings *new, struct buf *out);

#endif
