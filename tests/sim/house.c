#include "house.h"

#include <stdio.h>
#include <string.h>

#include "accounts/audit_tree.h"
#include "accounts/directory.h"
#include "base/hash.h"
#include "cache/cache.h"
#include "collector.h"
#include "models/dialect.h"
#include "models/health.h"
#include "models/route.h"
#include "net/resolve.h"
#include "provider.h"
#include "sys/clock.h"
#include "sys/file.h"

#define CATALOGUE_MEMORY MIB
#define WRONG_TOKEN      "wr_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* ---- providers and models ---- */

struct house_config {
    struct config config; /* first: what the snapshot holds */
    struct arena *arena;
    struct catalogue catalogue;
    struct route_table *routes;
    struct provider providers[PROVIDERS];
    struct model models[PROVIDERS];
};

static void config_free(void *object)
{
    struct house_config *c = object;
    struct arena *arena = c->arena;

    for (int i = 0; i < PROVIDERS; i++)
        secret_wipe(&c->providers[i].api_key);
    arena_end(&arena);
}

static bool add_model(struct sim_house *house, struct house_config *c, int i,
                      const struct story *story, struct err *err)
{
    bool prefills = story->route.prefills;
    struct provider *p = &c->providers[i];
    struct model *m = &c->models[i];

    *p = (struct provider){.name = arena_fmt(c->arena, "provider-%d", i),
                           .url_text = str_from(provider_url(i)),
                           .connect_timeout = 5 * SECOND,
                           .first_byte_timeout = 5 * SECOND,
                           .gap_timeout = 5 * SECOND,
                           .total_timeout = 300 * SECOND,
                           .reply_bytes_max = REPLY_BYTES_MAX,
                           .event_bytes_max = EVENT_BYTES_MAX};
    *m = (struct model){.name = arena_fmt(c->arena, "m%d", i),
                        .provider = p,
                        .remote_name = STR("remote"),
                        .prices = {.plain = PRICES(1000000, 3000000)},
                        .output_tokens_max = 1000,
                        .abilities = prefills ? UINT32_MAX : UINT32_MAX & ~(uint32_t)CAN_CONTINUE};
    if (!p->name.ptr || !m->name.ptr)
        return err_arena(err, c->arena);
    if (i == 1 && story->second_is_anthropic) {
        p->kind = KIND_ANTHROPIC;
        p->dialect = &dialect_anthropic;
    }
    m->deployment = deployment_of(house->deployments, m->name);
    return http_url_parse(p->url_text, &p->url, err) &&
           (table_put(&c->catalogue.by_name, m->name, m, NULL) || err_arena(err, c->arena));
}

static bool add_route(struct house_config *c, const struct story_route *route, struct err *err)
{
    struct route_text row = {.name = STR("r"),
                             .models = STR("r"),
                             .use = route->first < 0    ? STR("m0, m1*2")
                                    : route->first == 0 ? STR("m0 > m1")
                                                        : STR("m1 > m0"),
                             .policy = {.attempts_max = route->attempts_max,
                                        .backoff = 100 * MILLISECOND,
                                        .backoff_max = SECOND,
                                        .retry_after_max = 10 * SECOND,
                                        .first_token_timeout = route->first_token_timeout,
                                        .on_cut = route->continues ? CUT_CONTINUE : CUT_ERROR,
                                        .hedge_delay = route->hedge_delay,
                                        .breaker_failures = route->breaker_failures,
                                        .breaker_time = 5 * SECOND,
                                        .retry_empty = true}};

    return route_table_read(c->arena, &row, 1, &c->catalogue, &c->routes, err);
}

static bool publish(struct sim_house *house, const struct story *story, struct err *err)
{
    bool ok = true;

    struct arena *arena = arena_new(CATALOGUE_MEMORY);
    struct house_config *c = arena ? arena_alloc(arena, sizeof *c) : NULL;

    if (!c) {
        arena_end(&arena);
        return err_set(err, ERR_EXHAUSTED, "no memory for the catalogue");
    }
    c->arena = arena;
    c->catalogue = (struct catalogue){.arena = arena,
                                      .providers = c->providers,
                                      .provider_count = PROVIDERS,
                                      .models = c->models,
                                      .model_count = PROVIDERS};
    table_init(&c->catalogue.by_name, arena, PROVIDERS);
    for (int i = 0; i < PROVIDERS && ok; i++)
        ok = add_model(house, c, i, story, err);
    if (!ok || !add_route(c, &story->route, err)) {
        config_free(c);
        return false;
    }
    c->config = (struct config){.catalogue = &c->catalogue,
                                .routes = c->routes,
                                .cache = {.cache = house->cache,
                                          .rules = {.use = CACHE_ALWAYS,
                                                    .sampled = CACHE_ALWAYS,
                                                    .ttl = 3600 * SECOND,
                                                    .ttl_max = 3600 * SECOND}},
                                .body_bytes_max = BODY_BYTES_MAX,
                                .request_timeout = 600 * SECOND,
                                .log_requests = true,
                                .telemetry = {.sample_millionths = 1000000, .propagate = true}};
    snapshot_publish(house->config, c);
    return true;
}

/* ---- services ---- */

static const struct audit_options audit_options = {.dir = HOUSE_AUDIT_DIR,
                                                   .segment_bytes = 1 /* least */};

static const struct audit_tree_options tree_options = {.key_file = "/data/audit.key",
                                                       .public_file = HOUSE_PUBLIC_KEY};

bool house_reopen_audit(struct err *err)
{
    struct audit_tree *tree = NULL;
    struct audit *audit = NULL;
    bool ok = audit_open(&audit_options, &audit, err) &&
              audit_tree_open(audit, &tree_options, &tree, err) && audit_tree_advance(tree, err);

    audit_tree_close(&tree);
    audit_close(&audit);
    return ok;
}

static bool open_cache(struct cache **out, struct err *err)
{
    static const struct cache_options options = {.bytes_max = MIB,
                                                 .tenant_bytes_max = MIB,
                                                 .entry_bytes_max = 256 * KIB,
                                                 .dir = "/data/cache",
                                                 .disk_bytes_max = 512 * KIB,
                                                 .segment_bytes = 64 * KIB,
                                                 .disk_entries_max = 64};

    return cache_open(&options, out, err);
}

bool house_reopen_cache(struct err *err)
{
    struct cache *cache = NULL;
    bool ok = open_cache(&cache, err);

    cache_close(&cache);
    return ok;
}

static bool open_telemetry(struct sim_house *house, const struct story *story, struct err *err)
{
    static const struct secret none;
    const struct telemetry_options options = {
        .endpoint = STR(COLLECTOR_URL),
        .secret = &none,
        .resource = {.service = STR("weir"), .instance = STR("sim")},
        .queue_bytes = story->collector == COLLECTOR_IS_FULL ? 256 : 256 * KIB,
        .batch_bytes = 4 * KIB,
        .interval = SECOND,
        .timeout = 2 * SECOND};

    return telemetry_open(&options, &house->telemetry, err);
}

static bool open_services(struct sim_house *house, struct err *err)
{
    struct store_options store = {.path = ":memory:",
                                  .migrations = accounts_migrations,
                                  .migration_count = accounts_migration_count};

    if (!file_make_dir("/data", 0700, err) || !store_open(&store, &house->store, err) ||
        !audit_open(&audit_options, &house->audit, err) ||
        !audit_tree_open(house->audit, &tree_options, &house->tree, err))
        return false;
    struct accounts_options accounts = {.store = house->store,
                                        .audit = house->audit,
                                        .pepper_file = "/data/pepper",
                                        .keys_max = 32};
    return accounts_open(&accounts, &house->accounts, err);
}

bool house_open(struct sim_house *house, const struct story *story, struct err *err)
{
    uint8_t seed[16];

    *house = (struct sim_house){0};
    clock_random(seed, sizeof seed);
    hash_seed(seed);
    http_client_init(NULL);
    if (!resolve_init(NULL, err) || !deployments_new(&house->deployments, err) ||
        !open_services(house, err) || (story->caches && !open_cache(&house->cache, err)) ||
        !open_telemetry(house, story, err))
        return false;
    house->config = snapshot_new(config_free);
    if (!house->config)
        return err_set(err, ERR_EXHAUSTED, "no memory for the snapshot of settings");
    return publish(house, story, err) &&
           gateway_new(&(struct gateway_options){.accounts = house->accounts,
                                                 .config = house->config,
                                                 .telemetry = house->telemetry},
                       &house->gateway, err);
}

static bool sum_keys(struct sim_house *house, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct key_info *keys;
    size_t count;

    if (!arena || !key_list(house->accounts, &(struct key_filter){0}, arena, &keys, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        house->spent += keys[i].balance.spent_total;
        house->held += keys[i].balance.held;
    }
    house->holds_open = accounts_holds_open(house->accounts);
    return true;
}

bool house_close(struct sim_house *house, struct err *err)
{
    bool ok = true;

    gateway_free(&house->gateway);
    telemetry_close(&house->telemetry);
    if (house->accounts)
        ok = accounts_flush_now(house->accounts, err) && sum_keys(house, err);
    snapshot_free(&house->config);
    cache_close(&house->cache);
    accounts_close(&house->accounts);
    if (house->tree)
        ok = audit_tree_advance(house->tree, err) && ok;
    audit_tree_close(&house->tree);
    audit_close(&house->audit);
    store_close(&house->store);
    deployments_free(&house->deployments);
    resolve_done();
    for (int i = 0; i < KEYS; i++)
        secret_wipe(&house->tokens[i]);
    return ok;
}

/* ---- serving ---- */

static SUSPENDS void serve(struct http_exchange *x, void *ctx)
{
    struct sim_house *house = ctx;

    house->reached++;
    if (str_eq(http_head(x)->method, STR("GET")))
        gateway_models(x, house->gateway);
    else
        gateway_serve(x, house->gateway);
}

static SUSPENDS bool make_key(struct sim_house *house, enum key_kind kind, struct err *err)
{
    static const struct limits limits[KEYS] = {
        [KEY_LIMITED] = {.requests_per_minute = HOUSE_LIMITED_PER_MINUTE},
        [KEY_POOR] = {.spend_day = 1},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    const struct key_info wanted = {.name = STR("simulated"), .limits = limits[kind]};
    struct key_info info;

    if (!arena || !key_create(house->accounts, &wanted, arena, &info, &house->tokens[kind], err))
        return false;
    snprintf(house->key_ids[kind], sizeof house->key_ids[kind], STR_FMT, STR_ARG(info.id));
    return kind != KEY_REVOKED || key_revoke(house->accounts, info.id, err);
}

static SUSPENDS bool make_keys(struct sim_house *house, struct err *err)
{
    for (enum key_kind kind = 0; kind < KEY_WRONG; kind++)
        if (!make_key(house, kind, err))
            return false;
    return secret_set(&house->tokens[KEY_WRONG], WRONG_TOKEN, sizeof WRONG_TOKEN - 1, err);
}

static void run_server(void *arg)
{
    struct sim_house *house = arg;
    struct err err = {0};

    (void)!http_server_run(house->server, house->listener, &err);
}

/* The log of a house that has worked before, so that segments end at any place. */
static bool add_old_records(struct sim_house *house, int count, struct err *err)
{
    static char padding[500];

    memset(padding, 'o', sizeof padding);
    for (int i = 0; i < count; i++) {
        struct audit_record record = {.time = clock_wall(),
                                      .outcome = STR(HOUSE_OLD_OUTCOME),
                                      .note = {padding, sizeof padding}};

        if (!audit_append(house->audit, &record, err))
            return false;
    }
    return true;
}

static uint64_t next_id(void *house)
{
    return gateway_next_id(((struct sim_house *)house)->gateway);
}

SUSPENDS bool house_start(struct sim_house *house, int old_records, struct err *err)
{
    struct http_server_options options = {.body_bytes_max = BODY_BYTES_MAX,
                                          .request_memory = 4 * MIB,
                                          .handler = serve,
                                          .ctx = house,
                                          .next_id = next_id};

    scope_open(&house->serving, 0);
    if (!addr_parse(STR("127.0.0.1:8080"), &house->addr, err) || !make_keys(house, err) ||
        !add_old_records(house, old_records, err) ||
        !sock_listen(&house->addr, NULL, &house->listener, err))
        return false;
    if (!http_server_new(&options, &house->server, err) ||
        !scope_spawn(&house->serving, run_server, house, err)) {
        listener_close(&house->listener);
        return false;
    }
    return scope_spawn(&house->serving, accounts_flush_loop, house->accounts, err) &&
           scope_spawn(&house->serving, audit_tree_loop, house->tree, err) &&
           scope_spawn(&house->serving, telemetry_loop, house->telemetry, err);
}

SUSPENDS void house_stop(struct sim_house *house)
{
    struct err err = {0};

    if (house->server && !http_server_drain(house->server, &err))
        printf("# could not drain: %s\n", err.text);
    if (house->server)
        house->connections_left = http_server_stats(house->server).connections;
    if (house->telemetry)
        telemetry_flush(house->telemetry);
    scope_close(&house->serving);
    http_server_free(&house->server);
    http_client_drop_idle();
}
