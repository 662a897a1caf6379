/* Settings that are said and cannot do anything are told, each by its place and with what it wants. */
#include "app/settings.h"

#include "test.h"

#define PROVIDER "providers: [{name: p, url: \"http://h/v1\"}]\n"
#define MODELS                                                                                 \
    PROVIDER "models: [{name: a, provider: p, abilities: \"stream, chat, tools\"}, {name: b, " \
             "provider: p, abilities: \"stream, chat\"}]\n"

static const struct {
    const char *name, *text, *want; /* want: the only warning, or NULL: none */
} rows[] = {
    {"hedge with one candidate", MODELS "routes:\n  - {name: r, use: a, hedge_delay: 1s}\n",
     "weir.yaml:4:36: routes.0.hedge_delay: does nothing: use names one candidate, so nobody else "
     "can be asked as well"},
    {"hedge by percentile with one candidate",
     MODELS "routes:\n  - {name: r, use: a, hedge_percentile: 95}\n",
     "weir.yaml:4:41: routes.0.hedge_percentile: does nothing: use names one candidate, so nobody "
     "else can be asked as well"},
    {"hedge with two", MODELS "routes:\n  - {name: r, use: \"a, b\", hedge_delay: 1s}\n", NULL},
    {"no hedge, said", MODELS "routes:\n  - {name: r, use: a, hedge_delay: 0s}\n", NULL},
    {"one attempt with fallbacks", MODELS "routes:\n  - {name: r, use: \"a > b\", attempts: 1}\n",
     "weir.yaml:4:39: routes.0.attempts: is 1, so nobody is asked after a failure: what stands "
     "behind > answers only while those before it rest or cannot take a request"},
    {"one attempt of several alike", MODELS "routes:\n  - {name: r, use: \"a, b\", attempts: 1}\n",
     NULL},
    {"nobody goes on", MODELS "routes:\n  - {name: r, use: a, attempts: 1, on_cut: continue}\n",
     "weir.yaml:4:44: routes.0.on_cut: does nothing: attempts is 1, so nobody may go on with what "
     "was said"},
    {"no second time", MODELS "routes:\n  - {name: r, use: a, attempts: 1, backoff: 1s}\n",
     "weir.yaml:4:45: routes.0.backoff: does nothing: attempts is 1"},
    {"doubling that ends below",
     MODELS "routes:\n  - {name: r, use: a, backoff: 9s, backoff_max: 2s}\n",
     "weir.yaml:4:49: routes.0.backoff_max: is less than backoff: pauses are never as long as "
     "backoff says"},
    {"no breaker", MODELS "routes:\n  - {name: r, use: a, breaker_failures: 0, breaker_time: 9s}\n",
     "weir.yaml:4:58: routes.0.breaker_time: does nothing: breaker_failures is 0, so nobody ever "
     "rests"},
    {"a cache that keeps nothing", "cache:\n  ttl: 2h\n",
     "weir.yaml:2:8: cache.ttl: does nothing: mode is off, and no model of this file has a cache "
     "of its own"},
    {"one model keeps", PROVIDER "models: [{name: a, provider: p, cache: on}]\ncache:\n  ttl: 2h\n",
     NULL},
    {"a lifetime above the most", "cache:\n  mode: on\n  ttl: 3h\n  ttl_max: 1h\n",
     "weir.yaml:3:8: cache.ttl: is more than ttl_max, which counts"},
    {"an answer that no tenant has room for",
     "cache:\n  mode: on\n  entry: 32MiB\n  memory_tenant: 1MiB\n",
     "weir.yaml:3:10: cache.entry: is more than memory_tenant: larger answers are kept on the disk "
     "alone"},
    {"no disk", "cache:\n  mode: on\n  disk: 0\n  disk_entries: 100\n",
     "weir.yaml:4:17: cache.disk_entries: does nothing: disk is 0"},
    {"no redis", "cache:\n  mode: on\n  redis_timeout: 9ms\n",
     "weir.yaml:3:18: cache.redis_timeout: does nothing: redis is empty"},
    {"an authority without TLS",
     "cache:\n  mode: on\n  redis: \"redis://h\"\n  redis_ca: /ca.pem\n",
     "weir.yaml:4:13: cache.redis_ca: does nothing: redis speaks TLS only as rediss://"},
    {"no collector", "telemetry:\n  service: x\n",
     "weir.yaml:2:12: telemetry.service: does nothing: endpoint is empty, so no span is exported"},
    {"nothing to show", "telemetry:\n  endpoint: http://h\n  header: x-key\n",
     "weir.yaml:3:11: telemetry.header: does nothing: header_value is empty, so the header is not "
     "sent"},
    {"no traces", "telemetry:\n  traces: 0\n  slow: 9s\n",
     "weir.yaml:3:9: telemetry.slow: does nothing: traces is 0"},
    {"no embedder", "knowledge:\n  vector_weight: 10\n",
     "weir.yaml:2:18: knowledge.vector_weight: does nothing: embedder is none"},
    {"an embedder of our own", "knowledge:\n  embedder: latent\n  embed_limit: 1s\n",
     "weir.yaml:3:16: knowledge.embed_limit: does nothing: no embedding model is asked"},
    {"no reranker", "knowledge:\n  rerank_limit: 1s\n",
     "weir.yaml:2:17: knowledge.rerank_limit: does nothing: reranker is none"},
    {"nobody writes", "knowledge:\n  through: none\n  unsupported: drop\n",
     "weir.yaml:3:16: knowledge.unsupported: does nothing: through is none, and documents say what "
     "they say"},
    {"no windows", "server:\n  batch_window: 0s\n  batch_streams: 9\n",
     "weir.yaml:3:18: server.batch_streams: does nothing: batch_window is 0"},
    {"links are said", "server:\n  public_url: https://h\n  links_from: host\n",
     "weir.yaml:3:15: server.links_from: does nothing: public_url says it"},
    {"no bodies", "audit:\n  body_bytes: 1MiB\n",
     "weir.yaml:2:15: audit.body_bytes: does nothing: bodies is none, for every tenant"},
    {"bodies of one tenant",
     "audit:\n  body_bytes: 1MiB\naudit_tenants: [{tenant: t, bodies: hash}]\n", NULL},
    {"a tenant twice", "audit_tenants: [{tenant: t, bodies: hash}, {tenant: t, bodies: none}]\n",
     "weir.yaml:1:53: audit_tenants.1.tenant: stands above already, and that row counts"},
    {"no answers are kept", "responses:\n  keep: 0s\n  count: 9\n",
     "weir.yaml:3:10: responses.count: does nothing: keep is 0"},
    {"more idle than there are", "upstream:\n  connections: 5\n", NULL},
    {"a version that nobody reads",
     "providers: [{name: p, url: \"http://h/v1\", api_version: x}]\n",
     "weir.yaml:1:56: providers.0.api_version: does nothing: only azure and Anthropic's dialect "
     "have one"},
    {"a region without signatures",
     "providers: [{name: p, url: \"http://h/v1\", region: eu-west-1}]\n",
     "weir.yaml:1:51: providers.0.region: does nothing: only requests with an AWS signature (auth: "
     "aws) have one"},
    {"an authority of http", "providers: [{name: p, url: \"http://h/v1\", ca_file: /ca.pem}]\n",
     "weir.yaml:1:52: providers.0.ca_file: does nothing: url is not https"},
    {"no probes", "providers: [{name: p, url: \"http://h/v1\", probe_failures: 2}]\n",
     "weir.yaml:1:59: providers.0.probe_failures: does nothing: probe_interval is 0"},
    {"a wait beyond the end",
     "providers: [{name: p, url: \"http://h/v1\", first_byte_timeout: 20m}]\n",
     "weir.yaml:1:63: providers.0.first_byte_timeout: is more than total_timeout, which ends it "
     "before"},
    {"a successor of who stays",
     PROVIDER "models: [{name: a, provider: p, successor: b}, {name: b, provider: p}]\n",
     "weir.yaml:2:44: models.0.successor: does nothing: lifecycle is active; say deprecated or "
     "retired"},
    {"its own successor",
     PROVIDER "models: [{name: a, provider: p, lifecycle: deprecated, successor: a}]\n",
     "weir.yaml:2:67: models.0.successor: is the model itself"},
    {"more to say than there is room", PROVIDER "models: [{name: a, provider: p, window: 1000}]\n",
     "weir.yaml:2:41: models.0.window: is not more than output_tokens_max: a request that names no "
     "maximum has no room for its prompt"},
    {"an issuer of nobody",
     "issuers: [{name: i, url: \"https://i\", audience: w, default_role: app}]\n",
     "weir.yaml:1:18: issuers.0: neither tenant nor tenant_claim is given: every token is refused"},
    {"an issuer without roles",
     "issuers: [{name: i, url: \"https://i\", audience: w, tenant: t}]\n",
     "weir.yaml:1:18: issuers.0: neither role_claim nor default_role is given: every token is "
     "refused"},
    {"a prefix of nothing",
     "issuers: [{name: i, url: \"https://i\", audience: w, tenant: t, default_role: app, "
     "role_prefix: x}]\n",
     "weir.yaml:1:95: issuers.0.role_prefix: does nothing: role_claim is empty"},
    {"nobody logs in there",
     "issuers: [{name: i, url: \"https://i\", audience: w, tenant: t, default_role: app, scopes: "
     "\"openid\"}]\n",
     "weir.yaml:1:90: issuers.0.scopes: does nothing: without client_id nobody logs in there"},
    {"nobody logs in", "login:\n  idle: 2h\n",
     "weir.yaml:2:9: login.idle: does nothing: no issuer has a client_id, so nobody logs in"},
    {"an issuer that stands above",
     "issuers:\n  - {name: i, url: \"https://i\", audience: w, tenant: t, default_role: app}\n"
     "  - {name: j, url: \"https://i\", audience: x, tenant: t, default_role: app}\n",
     "weir.yaml:3:20: issuers.1.url: is that of a row above: tokens are believed as that one says, "
     "and this one is for logins alone"},
    {"a bucket with links", "sources: [{name: s, kind: s3, location: \"s3://b/x\", depth: 2}]\n",
     "weir.yaml:1:60: sources.0.depth: does nothing: it is for kind web"},
    {"a folder with a query", "sources: [{name: s, location: /x, query: \"SELECT 1\"}]\n",
     "weir.yaml:1:42: sources.0.query: does nothing: it is for kind sql"},
    {"Bedrock without a region",
     "providers: [{name: b, kind: bedrock, url: \"https://h\", api_key: \"env:S\", aws_secret_key: "
     "\"env:S\"}]\n",
     "weir.yaml:1:20: providers.0: requests cannot be signed without api_key, aws_secret_key and "
     "region; with a key of Bedrock's own say auth: bearer"},
    {"Bedrock with a key of its own",
     "providers: [{name: b, kind: bedrock, url: \"https://h\", auth: bearer, api_key: "
     "\"env:S\"}]\n",
     NULL},
    {"keys of an issuer in the clear",
     "issuers: [{name: i, url: \"http://id\", audience: w, tenant: t, default_role: app}]\n",
     "weir.yaml:1:26: issuers.0.url: its keys are fetched in the clear: whoever is on the way can "
     "make tokens; use https"},
    {"an issuer of this machine",
     "issuers: [{name: i, url: \"http://127.0.0.1:9\", audience: w, tenant: t, default_role: "
     "app}]\n",
     NULL},
    {"the file needs what nobody has, stated",
     MODELS "routes:\n  - {name: r, use: b, needs: chat}\n", NULL},
};

TEST(settings_that_are_said_and_do_nothing_are_told)
{
    static const char *const environment[] = {"S=hush", NULL};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct settings_problems p = {0};
        struct settings *s = NULL;

        EXPECT(settings_read_text(str_from(rows[i].text), "weir.yaml", environment, &p, &s),
               "%s: %.*s", rows[i].name, STR_ARG(p.count ? p.at[0] : STR("")));
        EXPECT(p.warning_count == (rows[i].want ? 1 : 0), "%s: %zu", rows[i].name, p.warning_count);
        if (rows[i].want)
            EXPECT(p.warning_count && str_eq(p.warnings[0], str_from(rows[i].want)), "%s: " STR_FMT,
                   rows[i].name, STR_ARG(p.warning_count ? p.warnings[0] : STR("no warning")));
        settings_free(&s);
        settings_problems_free(&p);
    }
}

/* What a default says is nobody's mistake. */
TEST(defaults_are_no_reason_for_a_warning)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(settings_read_text(STR(MODELS), "weir.yaml", NULL, &p, &s));
    EXPECT(p.warning_count == 0, STR_FMT, STR_ARG(p.warnings[0]));
    settings_free(&s);
    settings_problems_free(&p);
}

#define LOGINS                                                                            \
    "issuers: [{name: i, url: \"https://i\", audience: w, tenant: t, default_role: app, " \
    "client_id: c}]\n"

static const struct {
    const char *name, *text, *want;
} wrong[] = {
    {"a route that needs what its models say they cannot",
     MODELS "routes:\n  - {name: r, models: x, use: \"b\", needs: tools}\n",
     "weir.yaml:4:43: routes.0.needs: none of its candidates is in service and can do what it "
     "needs"},
    {"bodies that nothing seals", "audit:\n  bodies: sealed\n",
     "weir.yaml:2:11: audit.bodies: sealed needs audit.master_key"},
    {"bodies of a tenant that nothing seals", "audit_tenants: [{tenant: t, bodies: sealed}]\n",
     "weir.yaml:1:37: audit_tenants.0.bodies: sealed needs audit.master_key"},
    {"a tenant of whom nothing is said", "audit_tenants: [{tenant: t}]\n",
     "weir.yaml:1:26: audit_tenants.0.bodies: must be given"},
    {"logins without an address",
     "issuers: [{name: i, url: \"https://i\", audience: w, tenant: t, default_role: app, "
     "client_id: c}]\n",
     "weir.yaml:1:93: issuers.0.client_id: needs login.url, where browsers reach this Weir"},
    {"logins in the clear", "login: {url: \"http://weir.example.com\"}\n" LOGINS,
     "weir.yaml:1:14: login.url: has to be https (http for localhost only)"},
    {"logins behind a path", "login: {url: \"https://h/weir\"}\n" LOGINS,
     "weir.yaml:1:14: login.url: is scheme, host and port alone, without a path"},
    {"algorithms with commas",
     "issuers: [{name: i, url: \"https://i\", audience: w, tenant: t, default_role: app, "
     "algorithms: \"RS256, ES256\"}]\n",
     "weir.yaml:1:94: issuers.0.algorithms: \"RS256,\" is no signature that is known (names stand "
     "with a blank between)"},
    {"two issuers of one name",
     "issuers:\n  - {name: i, url: \"https://i\", audience: w, tenant: t, default_role: app}\n"
     "  - {name: i, url: \"https://j\", audience: w, tenant: t, default_role: app}\n",
     "weir.yaml:3:12: issuers.1.name: another issuer has this name"},
    {"a collector that is no address", "telemetry: {endpoint: \"collector:4318\"}\n",
     "weir.yaml:1:23: telemetry.endpoint: a URL begins with \"http://\", \"https://\" or "
     "\"unix:/\""},
    {"a Redis with its password", "cache: {mode: on, redis: \"redis://:hush@h:6379\"}\n",
     "weir.yaml:1:26: cache.redis: a URL with user or password is not taken: redis_user and "
     "redis_password are for them"},
    {"a Redis that is no address", "cache: {mode: on, redis: \"redis:6379\"}\n",
     "weir.yaml:1:26: cache.redis: expected redis://host:port, rediss://... or unix:/path"},
};

TEST(settings_that_no_start_would_take_are_refused_before_it)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct settings_problems p = {0};
        struct settings *s = NULL;

        EXPECT(!settings_read_text(str_from(wrong[i].text), "weir.yaml", NULL, &p, &s), "%s",
               wrong[i].name);
        EXPECT(p.count && str_eq(p.at[0], str_from(wrong[i].want)), "%s: " STR_FMT, wrong[i].name,
               STR_ARG(p.count ? p.at[0] : STR("nothing")));
        settings_free(&s);
        settings_problems_free(&p);
    }
}
