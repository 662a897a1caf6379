#include "app/house.h"

#include <string.h>

#include "app/forget.h"
#include "app/house_changes.h"
#include "app/house_models.h"
#include "app/house_people.h"
#include "app/house_vectors.h"
#include "app/receive.h"
#include "app/v1.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pages.h"
#include "knowledge/pieces.h"
#include "knowledge/shelf.h"
#include "knowledge/sources.h"
#include "models/responses_store.h"
#include "net/resolve.h"
#include "sys/clock.h"

#define HOUSE_MEMORY      (4 * MIB)
#define KEPT_MEMORY       (8 * MIB)
#define DATABASES_AT_ONCE 8 /* that runs of sources wait for */
#define LOCK_WAIT         (3 * SECOND)
#define LOCK_LOOK         (20 * MILLISECOND)

const char *house_path(const struct house *house, const char *name)
{
    struct str path = arena_fmt(house->arena, STR_FMT "/%s", STR_ARG(house->dir), name);

    ASSERT(path.ptr);
    return path.ptr;
}

/* Settings, and what the store says over them. */
static bool publish(struct house *house, const struct settings *settings, bool *unread,
                    struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(KEPT_MEMORY);
    struct house_config *made = NULL;
    struct kept_models kept;

    if (!arena)
        return err_no_room(err, "no memory for the models of the store");
    *unread = !kept_models_read(house->store, arena, &kept, err);
    if (*unread || !house_make(house, settings, &kept, &made, err))
        return false;
    if (!bases_rename(house->bases, settings->knowledge.model, err)) {
        house_unmake(made);
        return false;
    }
    house_put(house, made);
    log_set_level((enum log_level)settings->log.level);
    return true;
}

bool house_publish(struct house *house, struct err *err)
{
    bool unread = false;

    return publish(house, house->settings, &unread, err);
}

/* ---- reload ---- */

/* In the terminal where it was set since, `weir config check` says that all is good. */
static void tell_of_variables(const struct settings_problems *problems)
{
    struct str what = STR("the environment variable ");

    for (size_t i = 0; i < problems->count; i++)
        if (str_find(problems->at[i], what) < problems->at[i].len) {
            log_error("a variable counts that was set where Weir was started: start it again with "
                      "it, or write file:PATH, which needs no restart");
            return;
        }
}

/* What is being written is empty for a moment, and what a full disk had no room for stays so. */
static bool is_emptied(const struct house *house, const struct settings *fresh)
{
    if (!settings_come_of_file(house->settings) || settings_come_of_file(fresh))
        return false;
    log_error("settings: " STR_FMT " says nothing any more: taken for a file that was not written "
              "to its end; a restart takes it as it is",
              STR_ARG(fresh->file));
    return true;
}

static SUSPENDS void reload(struct house *house, const char *why)
{
    struct settings_problems problems = {0};
    struct settings *fresh = NULL;
    struct err err = {0};
    char text[1024];
    struct buf restart;

    house->reload_waits = false;
    buf_init_fixed(&restart, text, sizeof text);
    /* A file that is gone is no file without settings. */
    const char *file = house->config_file || house->settings->file.len == 0
                           ? house->config_file
                           : house->settings->file.ptr;
    bool ok = settings_read(file, house->environment, &problems, &fresh);
    for (size_t i = 0; i < problems.warning_count; i++)
        log_warn(STR_FMT, STR_ARG(problems.warnings[i]));
    for (size_t i = 0; i < problems.count; i++)
        log_error("settings: " STR_FMT, STR_ARG(problems.at[i]));
    if (problems.beyond > 0)
        log_error("settings: ... and %zu more", problems.beyond);
    tell_of_variables(&problems);
    ok = ok && !is_emptied(house, fresh);
    if (ok && !publish(house, fresh, &house->reload_waits, &err)) {
        log_error("settings: %s%s", err.text,
                  house->reload_waits ? "; they are read again when the database is back" : "");
        ok = false;
    }
    if (house->tls && !tls_server_reload(house->tls, &err))
        log_error("the old certificate stays: %s", err.text);
    if (!ok) {
        log_error("settings were not taken over (%s); the old ones stay in force", why);
        settings_free(&fresh);
    } else {
        settings_need_restart(house->running, fresh, &restart);
        if (restart.len > 0)
            log_warn("settings that wait for a restart: " STR_FMT, STR_ARG(buf_view(&restart)));
        house_check_names(house, fresh);
        log_info("settings taken over (%s)", why);
        if (house->settings != house->running)
            settings_free(&house->settings);
        house->settings = fresh;
    }
    settings_problems_free(&problems);
}

void house_reload(struct house *house, const char *why)
{
    struct err err = {0};

    if (!catalogue_hold(house, &err)) {
        log_error("settings were not read again (%s): %s", why, err.text);
        return;
    }
    reload(house, why);
    catalogue_let_go(house);
}

/* ---- open and close ---- */

/* One that was killed holds it until the kernel has taken its memory and its children back. */
static bool lock_taken(struct house *house)
{
    mono_ns until = clock_mono() + LOCK_WAIT;
    struct err why = {0};

    while (!file_lock(house->lock, &why)) {
        if (clock_mono() >= until)
            return false;
        clock_rest(LOCK_LOOK);
    }
    return true;
}

static bool lock_data(struct house *house, struct err *err)
{
    const char *dir = house_path(house, ".");

    if (!file_make_dir(dir, 0700, err))
        return err_wrap(err, "cannot make the data directory");
    if (!file_open(house_path(house, "lock"), FILE_WRITE, 0600, &house->lock, err))
        return err_wrap(err, "cannot write in the data directory");
    if (lock_taken(house))
        return true;
    return err_set(err, ERR_UNAVAILABLE,
                   "another Weir works in data directory \"" STR_FMT
                   "\": stop it or name another with --data-dir",
                   STR_ARG(house->settings->data.dir));
}

/* Modules in the order of the ladder. */
static bool join_migrations(struct house *house, struct store_options *options, struct err *err)
{
    const struct {
        const struct migration *rows;
        size_t count;
    } modules[] = {{kept_models_migrations, kept_models_migration_count},
                   {responses_migrations, responses_migration_count},
                   {accounts_migrations, accounts_migration_count}};
    struct migration *all;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(modules); i++)
        n += modules[i].count;
    all = arena_array(house->arena, n, sizeof *all);
    if (!all)
        return err_arena(err, house->arena);
    options->migrations = all;
    options->migration_count = n;
    for (size_t i = 0; i < ARRAY_LEN(modules); i++)
        for (size_t k = 0; k < modules[i].count; k++)
            *all++ = modules[i].rows[k];
    return true;
}

static bool open_responses(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct responses_options options = {.store = house->store,
                                        .age_max = s->responses.keep,
                                        .count_max = s->responses.count,
                                        .bytes_max = s->responses.bytes};

    return responses_store_open(&options, &house->responses, err);
}

/* The url has a password in it: it lives here no longer than the call. */
static bool open_shared(struct house *house, struct store_options *options, struct err *err)
{
    struct str url = str_trim(secret_reveal(&house->settings->data.store));
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * KIB);
    char *text = arena ? arena_alloc(arena, url.len + 1) : NULL;

    if (!text)
        return err_no_room(err, "no memory for data.store");
    if (!str_starts(url, STR("postgres://")) && !str_starts(url, STR("postgresql://")))
        return err_set(err, ERR_INVALID,
                       "data.store: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE");
    memcpy(text, url.ptr, url.len);
    options->path = text;
    bool ok = store_open(options, &house->store, err);
    bytes_wipe(text, url.len);
    return ok || err_wrap(err, "data.store");
}

static bool open_store(struct house *house, struct err *err)
{
    struct store_options options = {
        .path = house_path(house, "weir.db"),
        .queue_max = (uint32_t)house->settings->data.store_queue,
        .version = WEIR_VERSION,
    };

    if (!instance_id_load(house->arena, house_path(house, "instance"), &options.instance, err) ||
        !join_migrations(house, &options, err))
        return false;
    if (!secret_is_empty(&house->settings->data.store))
        return open_shared(house, &options, err);
    return store_open(&options, &house->store, err);
}

static bool open_instances(struct house *house, struct err *err)
{
    struct instances_options options = {
        .store = house->store, .version = WEIR_VERSION, .address = house->settings->server.listen};

    options.followers = house_followers(house, &options.follower_count);
    if (!options.followers)
        return err_arena(err, house->arena);
    return instances_open(&options, &house->instances, err);
}

static bool open_audit(struct house *house, struct err *err)
{
    struct audit_options audit = {.dir = house_path(house, "audit"),
                                  .segment_bytes =
                                      (size_t)house->settings->data.audit_segment_bytes};

    struct audit_tree_options tree = {.key_file = house_path(house, "audit.key"),
                                      .public_file = house_path(house, "audit.pub")};
    struct audit_bodies_options bodies = {.dir = house_path(house, "bodies"),
                                          .key_file = house_path(house, "body.keys"),
                                          .master = &house->settings->audit.master_key,
                                          .subjects_max =
                                              (uint32_t)house->settings->audit.subjects};
    struct audit_keep_options keep = {.retention = house->settings->audit.retention / MILLISECOND};

    if (!audit_bodies_open(&bodies, &house->audit_bodies, err))
        return false;
    tree.bodies = keep.bodies = house->audit_bodies;
    return audit_open(&audit, &house->audit, err) &&
           audit_tree_open(house->audit, &tree, &house->audit_tree, err) &&
           audit_keep_open(house->audit, house->audit_tree, &keep, &house->audit_keep, err);
}

static bool open_accounts(struct house *house, struct err *err)
{
    struct accounts_options accounts = {
        .store = house->store, .audit = house->audit, .pepper_file = house_path(house, "pepper")};
    if (!accounts_open(&accounts, &house->accounts, err))
        return false;
    if (store_is_shared(house->store) &&
        !accounts_share_subjects(house->accounts, house->audit_bodies, err))
        return false;
    accounts_join(house->accounts, house->instances);
    return true;
}

static int count_databases(const struct settings *s)
{
    int count = 0;

    for (size_t i = 0; i < s->source_count; i++)
        count += s->sources[i].kind == SOURCE_SQL;
    return count;
}

static bool open_pools(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct pool_options disk = {.name = "disk", .threads = 1, .queue_max = 1000};
    struct pool_options documents = {.name = "documents",
                                     .threads = (int)s->knowledge.threads,
                                     .queue_max = (uint32_t)s->knowledge.queue};

    struct pool_options ingest = {
        .name = "ingest", .threads = 1, .queue_max = (uint32_t)s->knowledge.queue};
    struct pool_options rows = {.name = "rows", .queue_max = SOURCES_MAX};
    struct pool_options log_writer = {.name = "log", .threads = 1, .queue_max = 4};

    house->disk = pool_new(&disk, err);
    house->log_writer = house->disk ? pool_new(&log_writer, err) : NULL;
    house->documents = house->log_writer ? pool_new(&documents, err) : NULL;
    house->ingest = house->documents ? pool_new(&ingest, err) : NULL;
    if (!house->ingest)
        return false;
    rows.threads = MIN_OF(count_databases(s), DATABASES_AT_ONCE);
    house->rows = rows.threads ? pool_new(&rows, err) : NULL;
    return house->rows || !rows.threads;
}

static bool open_knowledge(struct house *house, struct err *err)
{
    struct bases_options options = {.bases_max = (uint32_t)house->settings->knowledge.bases,
                                    .alias = house->settings->knowledge.model};
    struct err why = {0};

    options.each = (struct knowledge_options){
        .dir = house_path(house, "knowledge"),
        .pool = house->documents,
        .ingest = house->ingest,
        .rows = house->rows,
        .batch = {.files = (uint32_t)house->settings->knowledge.batch_files,
                  .bytes = (size_t)house->settings->knowledge.batch_bytes,
                  .time = house->settings->knowledge.batch_time},
        .file_bytes_max = (size_t)house->settings->knowledge.file_bytes,
        .files_max = (uint32_t)house->settings->knowledge.files,
        .index_threads = (int)house->settings->knowledge.threads,
        .readers = {.memory_max = (size_t)house->settings->knowledge.reader_memory,
                    .output_max = (size_t)house->settings->knowledge.reader_output,
                    .time_max = house->settings->knowledge.reader_time,
                    .children_max = (uint32_t)house->settings->knowledge.readers,
                    .without_sandbox = house->settings->knowledge.sandbox != 0},
    };

    house->forget_wait = house->settings->knowledge.forget_wait;
    house_embedder(house, &options.each.embedder);
    house_reranker(house, &options.each.reranker);
    options.each.vanish = (struct vanish_options){.begin = house_vanish_begin,
                                                  .end = house_vanish_end,
                                                  .forgotten = house_forgotten,
                                                  .changed = house_documents_changed,
                                                  .ctx = house};
    if (!receive_clean(house, err) || !shelf_clean(house_path(house, "files"), err) ||
        !pieces_clean(house_path(house, "pieces"), house_path(house, "files"), err) ||
        !house_forget_clean(house, err) || !bases_open(&options, &house->bases, &why, err))
        return false;
    house->knowledge = bases_default(house->bases);
    if (why.code == ERR_NONE) {
        if (!knowledge_has_sandbox(house->knowledge, &why))
            log_warn("%s", why.text);
        return true;
    }
    log_error(
        "%s: questions about documents get 503 until `weir ingest --rebuild PATH` has made the "
        "index anew, or it comes back from a backup; all else is served",
        why.text);
    return true;
}

/* They are those of the start, like the settings that name them. */
static bool open_sources(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct source_spec *specs = arena_array(house->arena, s->source_count + 1, sizeof *specs);
    struct sources_options options = {.bases = house->bases,
                                      .specs = specs,
                                      .count = s->source_count,
                                      .state_file = house_path(house, "sources.json"),
                                      .pool = house->documents};

    if (!specs)
        return err_arena(err, house->arena);
    for (size_t i = 0; i < s->source_count; i++)
        if (!settings_source(&s->sources[i], house->arena, &specs[i], err))
            return err_wrap(err, "source \"" STR_FMT "\"", STR_ARG(s->sources[i].name));
    return sources_open(house->arena, &options, &house->sources, err);
}

void house_sources_loop(void *house)
{
    sources_loop(((struct house *)house)->sources);
}

static bool open_tls(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct tls_server_options options = {
        .certificate_file = s->server.tls_certificate.ptr,
        .key_file = s->server.tls_key.ptr,
        .client_ca_file = s->server.tls_client_ca.len ? s->server.tls_client_ca.ptr : NULL,
    };
    return s->server.tls_key.len == 0 || tls_server_new(&options, &house->tls, err);
}

static bool open_telemetry(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct telemetry_options options = {
        .endpoint = s->telemetry.endpoint,
        .header = s->telemetry.header,
        .scheme = s->telemetry.scheme,
        .secret = &s->telemetry.header_value,
        .ca_file = s->telemetry.ca_file,
        .resource = {s->telemetry.service, s->telemetry.instance, s->telemetry.resource},
        .queue_bytes = (size_t)s->telemetry.queue,
        .batch_bytes = (size_t)MIN_OF(s->telemetry.batch, s->telemetry.queue / 4),
        .interval = s->telemetry.interval,
        .timeout = s->telemetry.timeout,
    };
    if (options.resource.service.len + options.resource.instance.len +
            options.resource.attributes.len >
        OTLP_RESOURCE_BYTES)
        return err_set(err, ERR_INVALID,
                       "telemetry: service, instance and resource have more than %d bytes together",
                       OTLP_RESOURCE_BYTES);
    return telemetry_open(&options, &house->telemetry, err) &&
           traces_open((uint32_t)s->telemetry.traces, &house->traces, err);
}

static bool open_redis(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct redis_options options = {
        .url = s->cache.redis,
        .user = s->cache.redis_user,
        .password = s->cache.redis_password,
        .ca_file = s->cache.redis_ca.len ? s->cache.redis_ca.ptr : NULL,
        .timeout = s->cache.redis_timeout,
        .reply_bytes_max = (size_t)s->cache.entry + 64 * KIB,
    };

    if (s->cache.redis.len == 0)
        return true;
    return redis_open(&options, &house->redis, err) || err_wrap(err, "cache.redis");
}

static bool open_cache(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct cache_options options = {
        .bytes_max = (size_t)s->cache.memory,
        .tenant_bytes_max = (size_t)s->cache.memory_tenant,
        .entry_bytes_max = (size_t)s->cache.entry,
        .dir = s->cache.disk > 0 ? house_path(house, "cache") : NULL,
        .disk_bytes_max = s->cache.disk,
        .segment_bytes = s->cache.disk_segment,
        .disk_entries_max = (uint32_t)s->cache.disk_entries,
        .redis_prefix = arena_str(house->arena, s->cache.redis_prefix),
    };

    if (!open_redis(house, err))
        return false;
    if (!accounts_share_windows(house->accounts, house->redis, options.redis_prefix, err))
        return false;
    options.redis = house->redis;
    return cache_open(&options, &house->cache, err);
}

static bool open_gateway(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct http_client_options client = {
        .connections_max = (uint32_t)s->upstream.connections,
        .idle_max = (uint32_t)s->upstream.idle,
        .idle_timeout = s->upstream.idle_timeout,
    };

    http_client_init(&client);
    house->config = house_snapshot();
    if (!deployments_new(&house->deployments, err))
        return false;
    struct gateway_options options = {.accounts = house->accounts,
                                      .bodies = house->audit_bodies,
                                      .config = house->config,
                                      .telemetry = house->telemetry,
                                      .traces = house->traces,
                                      .responses = house->responses,
                                      .stands = house_stands,
                                      .stands_ctx = house};
    house->cursors = cursors_new(house->arena);
    if (!house->cursors)
        return err_arena(err, house->arena);
    house_check_names(house, s);
    return publish(house, s, &house->reload_waits, err) &&
           gateway_new(&options, &house->gateway, err);
}

bool house_open(struct settings **settings, struct house **out, struct err *err)
{
    static const struct {
        bool (*run)(struct house *house, struct err *err);
        const char *help; /* what can be done when it is damaged */
    } steps[] = {
        {lock_data, NULL},
        {open_pools, NULL},
        {open_store, NULL},
        {open_instances, NULL},
        {open_audit, "`weir audit verify` says what is wrong with the audit log; keep it for those "
                     "who look into it, and bring what is damaged back from a backup"},
        {open_accounts, NULL},
        {house_open_issuers, NULL},
        {house_open_sessions, NULL},
        {open_knowledge, NULL},
        {open_sources,
         "sources.json in the data directory says which sources are paused: without it none is"},
        {open_cache, "a damaged cache costs nothing but what it saves: remove its folder"},
        {open_tls, NULL},
        {open_telemetry, NULL},
        {open_responses, NULL},
        {open_gateway, NULL},
    };
    struct arena *arena = arena_new(HOUSE_MEMORY);
    struct house *house = arena ? arena_alloc(arena, sizeof *house) : NULL;
    uint8_t seed[16];

    if (!house) {
        arena_end(&arena);
        settings_free(settings);
        return err_no_room(err, "no memory to start");
    }
    house->arena = arena;
    house->settings = house->running = *settings;
    house->started = clock_wall();
    house->dir = arena_str(arena, house->settings->data.dir);
    *settings = NULL;
    clock_random(seed, sizeof seed);
    hash_seed(seed);
    pages_limit((size_t)house->settings->server.memory);
    bool ok = resolve_init(NULL, err);
    for (size_t i = 0; ok && i < ARRAY_LEN(steps); i++)
        if (!(ok = steps[i].run(house, err)) && steps[i].help && err->code != ERR_NOT_FOUND)
            log_error("%s", steps[i].help);
    if (!ok)
        house_close(&house);
    else
        *out = house;
    return ok;
}

void house_close(struct house **at)
{
    struct house *house = *at;
    struct err err = {0};

    if (!house)
        return;
    gateway_free(&house->gateway);
    telemetry_close(&house->telemetry);
    traces_close(&house->traces);
    if (house->accounts && !accounts_flush_now(house->accounts, &err))
        log_error(
            "spend was not written back: %s (it is recovered from the audit log at the next start)",
            err.text);
    snapshot_free(&house->config);
    deployments_free(&house->deployments);
    tls_server_free(&house->tls);
    house->knowledge = NULL;
    sources_close(&house->sources);
    bases_close(&house->bases);
    cache_close(&house->cache);
    redis_close(&house->redis);
    sessions_free(&house->sessions);
    logins_free(&house->logins);
    cursors_done(house->cursors);
    house->cursors = NULL;
    issuers_free(&house->issuers);
    accounts_close(&house->accounts);
    audit_keep_close(&house->audit_keep);
    if (house->audit_tree && !audit_tree_advance(house->audit_tree, &err))
        log_error("%s (the next start signs what is missing)", err.text);
    audit_tree_close(&house->audit_tree);
    audit_bodies_close(&house->audit_bodies);
    audit_close(&house->audit);
    responses_store_close(&house->responses);
    instances_close(&house->instances);
    store_close(&house->store);
    pool_free(&house->documents);
    pool_free(&house->rows);
    pool_free(&house->ingest);
    pool_free(&house->log_writer);
    pool_free(&house->disk);
    file_close(&house->lock);
    resolve_done();
    if (house->settings != house->running)
        settings_free(&house->settings);
    settings_free(&house->running);
    struct arena *arena = house->arena;
    arena_end(&arena);
    *at = NULL;
}
