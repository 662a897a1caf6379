/* Settings that must fit together: every mistake is named at once, and none twice. A rule whose values
 * were already refused says nothing, for what it would say follows from that mistake. */
#include <stdio.h>
#include <string.h>

#include "accounts/audit_body.h"
#include "app/settings_internal.h"
#include "gateway/otlp.h"
#include "gateway/traces.h"
#include "net/http_client.h"
#include "net/redis.h"

bool settings_is_sound(const struct reading *r, const char *path)
{
    struct str wanted = str_from(path);

    for (size_t i = 0; i < r->wrong_count; i++) {
        struct str wrong = r->wrong[i];

        if (str_starts(wrong, wanted) && (wrong.len == wanted.len || wrong.ptr[wanted.len] == '.'))
            return false;
    }
    return true;
}

static void must(struct reading *r, bool ok, const char *path, const char *what)
{
    if (!ok && settings_is_sound(r, path))
        settings_wrong(r, path, what);
}

static bool is_row(const struct section *section, struct str name)
{
    for (size_t i = 0; i < section->count; i++)
        if (str_eq(name, str_from(section->rows[i].name)))
            return true;
    return false;
}

const struct section *settings_section(const char *name)
{
    for (size_t i = 0; i < settings_section_count; i++)
        if (strcmp(settings_sections[i].name, name) == 0)
            return &settings_sections[i];
    ASSERT(false);
    return NULL;
}

/* A name that is missed may be the one that was misspelt. */
static bool item_has_stranger(const struct reading *r, const struct section *section, long item)
{
    char path[SETTING_PATH_MAX];

    setting_path(path, section, item, STR_NONE);
    for (size_t i = 0; i < r->wrong_count; i++) {
        size_t skip = strlen(path);
        struct str wrong = r->wrong[i];

        if (str_starts(wrong, str_from(path)) && wrong.len > skip && wrong.ptr[skip] == '.' &&
            !is_row(section, str_slice(wrong, skip + 1, wrong.len)))
            return true;
    }
    return false;
}

size_t settings_items(const struct settings *settings, const struct section *section)
{
    const char *base = (const char *)settings;

    return section->item_size ? *(const size_t *)(const void *)(base + section->items_count_offset)
                              : 1;
}

struct str settings_where(const struct settings *settings, const char *path)
{
    for (size_t i = 0; i < settings->origin_count; i++)
        if (str_eq(settings->origins[i].path, str_from(path)))
            return settings->origins[i].where;
    return STR_NONE;
}

bool settings_said(const struct reading *r, const char *path)
{
    return settings_where(r->settings, path).len > 0;
}

/* A text that was said may be empty; of a choice its first word is as good as none. */
static bool is_given(const struct reading *r, const struct setting *row, const char *item,
                     const char *path)
{
    if (row->type == SET_CHOICE)
        return settings_said(r, path);
    return ((const struct str *)(const void *)(item + row->offset))->len > 0;
}

static void check_required(struct reading *r, const struct section *section)
{
    const char *base = (const char *)r->settings;
    const char *items = *(char *const *)(const void *)(base + section->items_offset);
    size_t count = settings_items(r->settings, section);
    char path[SETTING_PATH_MAX];

    for (size_t item = 0; item < count; item++)
        for (size_t i = 0; i < section->count; i++) {
            const struct setting *row = &section->rows[i];

            setting_path(path, section, (long)item, str_from(row->name));
            if (!row->fallback && !is_given(r, row, items + item * section->item_size, path) &&
                !item_has_stranger(r, section, (long)item))
                must(r, false, path, "must be given");
        }
}

/* Every name of the list is known, so that one which is not found there is wrong. */
static bool names_known(const struct reading *r, const char *list)
{
    const struct section *section = settings_section(list);
    size_t count = settings_items(r->settings, section);

    for (size_t i = 0; i < r->wrong_count; i++)
        if (str_eq(r->wrong[i], str_from(list)))
            return false;
    for (size_t item = 0; item < count; item++) {
        char path[SETTING_PATH_MAX];

        setting_path(path, section, (long)item, STR("name"));
        if (!settings_is_sound(r, path) || item_has_stranger(r, section, (long)item))
            return false;
    }
    return true;
}

static bool has_provider(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->provider_count; i++)
        if (str_eq(s->providers[i].name, name))
            return true;
    return false;
}

static bool has_model(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->model_count; i++)
        if (str_eq(s->models[i].name, name))
            return true;
    return false;
}

static void check_names(struct reading *r)
{
    struct settings *s = r->settings;
    bool providers = names_known(r, "providers");
    char path[SETTING_PATH_MAX];

    for (size_t i = 0; i < s->provider_count; i++)
        for (size_t j = 0; j < i; j++)
            if (str_eq(s->providers[i].name, s->providers[j].name)) {
                setting_path(path, settings_section("providers"), (long)i, STR("name"));
                must(r, false, path, "another provider has this name");
            }
    for (size_t i = 0; i < s->model_count; i++) {
        setting_path(path, settings_section("models"), (long)i, STR("name"));
        for (size_t j = 0; j < i; j++)
            must(r, !str_eq(s->models[i].name, s->models[j].name), path,
                 "another model has this name");
        must(r, !str_eq(s->models[i].name, s->knowledge.model), path,
             "knowledge.model has this name: rename one of them");
        setting_path(path, settings_section("models"), (long)i, STR("provider"));
        must(r, !providers || has_provider(s, s->models[i].provider), path,
             "no provider has this name");
    }
}

/* The first that fits holds: one behind another that always fits would bill what nobody meant. */
static void check_hidden_prices(struct reading *r, const struct price_row *rows, size_t i)
{
    const struct price_settings *all = r->settings->prices;
    char path[SETTING_PATH_MAX], text[120];

    for (size_t above = 0; above < i; above++) {
        if (!str_eq(all[above].model, all[i].model) || rows[above].prompt.from < 0 ||
            !price_row_hides(&rows[above], &rows[i]))
            continue;
        snprintf(path, sizeof path, "prices.%zu", i);
        snprintf(text, sizeof text, "is never used: prices.%zu above it holds wherever it would",
                 above);
        settings_wrong(r, path, text);
        return;
    }
}

static void check_prices(struct reading *r)
{
    struct settings *s = r->settings;
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct price_row *rows = arena ? arena_array(arena, s->price_count + 1, sizeof *rows) : NULL;
    bool models = names_known(r, "models");
    char path[SETTING_PATH_MAX];

    must(r, rows, "prices", "no memory to check them");
    for (size_t i = 0; rows && i < s->price_count; i++) {
        struct price_row *row = &rows[i];
        struct err err = {0};
        bool good;

        snprintf(path, sizeof path, "prices.%zu.model", i);
        must(r, !models || has_model(s, s->prices[i].model), path, "no model has this name");
        snprintf(path, sizeof path, "prices.%zu.hours", i);
        good = hours_parse(s->prices[i].hours, &row->hours, &err);
        must(r, good, path, err.text);
        snprintf(path, sizeof path, "prices.%zu.prompt_tokens", i);
        good = token_range_parse(s->prices[i].prompt_tokens, &row->prompt, &err) && good;
        must(r, good, path, err.text);
        row->tenants = s->prices[i].tenants;
        if (good)
            check_hidden_prices(r, rows, i);
        else
            row->prompt.from = -1; /* of which nothing follows */
    }
}

static const struct provider_settings *find_provider(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->provider_count; i++)
        if (str_eq(s->providers[i].name, name))
            return &s->providers[i];
    return NULL;
}

/* Also one of 0: then somebody has said so. */
static bool has_price(const struct settings *s, size_t model)
{
    char path[SETTING_PATH_MAX];

    snprintf(path, sizeof path, "models.%zu.price_", model);
    for (size_t i = 0; i < s->origin_count; i++)
        if (str_starts(s->origins[i].path, str_from(path)))
            return true;
    for (size_t i = 0; i < s->price_count; i++)
        if (str_eq(s->prices[i].model, s->models[model].name))
            return true;
    return false;
}

/* Who wants a key mostly wants money; an engine of one's own mostly neither. */
static void check_price(struct reading *r, size_t model)
{
    const struct provider_settings *p =
        find_provider(r->settings, r->settings->models[model].provider);
    char path[SETTING_PATH_MAX];

    if (!p || (secret_is_empty(&p->api_key) && secret_is_empty(&p->aws_secret_key)) ||
        has_price(r->settings, model))
        return;
    snprintf(path, sizeof path, "models.%zu", model);
    settings_doubtful(r, path,
                      "no price is given: budgets and usage count what it answers as free; say "
                      "price_input: 0 if it is");
}

static void check_models(struct reading *r)
{
    struct settings *s = r->settings;
    bool models = names_known(r, "models");
    char path[SETTING_PATH_MAX];

    for (size_t i = 0; i < s->model_count; i++) {
        const struct provider_settings *p;
        struct err err = {0};
        uint32_t bits;

        snprintf(path, sizeof path, "models.%zu.abilities", i);
        must(r,
             abilities_parse(s->models[i].abilities, &bits, &err) &&
                 (!(p = find_provider(s, s->models[i].provider)) ||
                  abilities_fit(bits, settings_dialect(p), &err)),
             path, err.text);
        snprintf(path, sizeof path, "models.%zu.successor", i);
        must(r, !models || s->models[i].successor.len == 0 || has_model(s, s->models[i].successor),
             path, "no model has this name");
        check_price(r, i);
    }
}

static bool is_in_service(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->model_count; i++)
        if (str_eq(s->models[i].name, name))
            return s->models[i].lifecycle != LIFE_RETIRED;
    return true; /* the documents' */
}

/* Candidates may also come from `weir model add`, so that only the start knows all their names. */
static void check_candidates(struct reading *r, struct str use, const char *path)
{
    struct str group, item;
    bool any = false;

    for (struct str groups = use; str_split(&groups, '>', &group);)
        for (struct str rest = group; str_split(&rest, ',', &item);) {
            struct str name = str_trim(str_slice(item, 0, str_find_char(item, '*')));
            struct str text;

            if (has_model(r->settings, name)) {
                any = any || is_in_service(r->settings, name);
                continue;
            }
            text = arena_fmt(r->problems->arena,
                             "no model of this file is called \"" STR_FMT
                             "\": the start fails unless `weir model add` made it",
                             STR_ARG(str_slice(name, 0, 80)));
            settings_doubtful(r, path, text.ptr ? text.ptr : "");
            any = true;
        }
    if (!any)
        settings_doubtful(r, path,
                          "all models it names are retired: the start fails unless `weir model "
                          "change` has brought"
                          " one back");
}

/* Whether this model of the file may do it; one that does not say what it can was perhaps measured. */
static bool may_do(const struct settings *s, struct str name, uint32_t needs)
{
    struct err ignored = {0};
    uint32_t can;

    for (size_t i = 0; i < s->model_count; i++)
        if (str_eq(s->models[i].name, name))
            return s->models[i].abilities.len == 0 ||
                   !abilities_parse(s->models[i].abilities, &can, &ignored) || (needs & ~can) == 0;
    return true; /* added beside the file, or missed already */
}

/* The same is refused at the start and at each reload, without a line of the file. */
static void check_needs(struct reading *r, const struct route_settings *row, const char *path)
{
    struct str group, item;
    struct err ignored = {0};
    uint32_t needs;

    if (!abilities_parse(row->needs, &needs, &ignored) || !needs)
        return;
    for (struct str groups = row->use; str_split(&groups, '>', &group);)
        for (struct str rest = group; str_split(&rest, ',', &item);)
            if (may_do(r->settings, str_trim(str_slice(item, 0, str_find_char(item, '*'))), needs))
                return;
    settings_wrong(r, path, "none of its candidates is in service and can do what it needs");
}

/* The first row that does not go with those above it. */
static size_t row_too_many(struct arena *arena, const struct route_text *rows, size_t count)
{
    size_t good = 0, bad = count, mark = arena_mark(arena);

    while (bad - good > 1) {
        size_t half = good + (bad - good) / 2;
        struct route_table *table;
        struct err ignored = {0};

        if (route_table_read(arena, rows, half, NULL, &table, &ignored))
            good = half;
        else
            bad = half;
        arena_rewind(arena, mark);
    }
    return bad - 1;
}

static void check_routes(struct reading *r)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    bool models = names_known(r, "models");
    struct route_table *table;
    struct route_text *rows;
    struct err err = {0};
    char path[SETTING_PATH_MAX];

    if (!arena || !settings_routes(r->settings, arena, &rows, &err)) {
        must(r, false, "routes", err.code ? err.text : "no memory to check them");
        return;
    }
    for (size_t i = 0; i < r->settings->route_count; i++) {
        setting_path(path, settings_section("routes"), (long)i, STR_NONE);
        if (!settings_is_sound(r, path))
            continue;
        if (!route_text_check(arena, &rows[i], &err))
            settings_wrong(r, path, err.text);
        else if (models)
            check_candidates(r, rows[i].use, path);
        setting_path(path, settings_section("routes"), (long)i, STR("needs"));
        if (models && settings_is_sound(r, path))
            check_needs(r, &r->settings->routes[i], path);
    }
    if (settings_is_sound(r, "routes") &&
        !route_table_read(arena, rows, r->settings->route_count, NULL, &table, &err)) {
        setting_path(path, settings_section("routes"),
                     (long)row_too_many(arena, rows, r->settings->route_count), STR_NONE);
        settings_wrong(r, path, err.text);
    }
}

/* Scheme, host and port: what stands behind them is Weir's. */
static bool is_origin(struct str url)
{
    struct err ignored = {0};
    struct http_url to;

    while (str_ends(url, STR("/")))
        url.len--;
    return http_url_parse(url, &to, &ignored) && to.path.len == 0;
}

static void check_server(struct reading *r)
{
    struct settings *s = r->settings;
    bool certificate = s->server.tls_certificate.len > 0, key = s->server.tls_key.len > 0;

    if (settings_is_sound(r, "server.tls_key"))
        must(r, certificate == key, "server.tls_certificate",
             "tls_certificate and tls_key go together");
    if (settings_is_sound(r, "server.tls_key"))
        must(r, s->server.tls_client_ca.len == 0 || key, "server.tls_client_ca",
             "needs tls_certificate and tls_key");
    if (s->server.public_url.len > 0)
        must(r, is_origin(s->server.public_url), "server.public_url",
             "is scheme, host and port alone, without a path");
    if (settings_is_sound(r, "server.body_bytes"))
        must(r, s->server.body_bytes <= s->server.request_memory / 2, "server.request_memory",
             "must be at least twice server.body_bytes");
}

/* Answers stay until others come: what they hold no request ever gets. */
static void check_cache(struct reading *r)
{
    const struct settings *s = r->settings;

    if (settings_keeps_something(s) && settings_is_sound(r, "server.memory"))
        must(r, s->cache.memory <= s->server.memory / 2, "cache.memory",
             "is more than half of server.memory, of which it is part: once it is full, requests "
             "find none");
}

/* Both are taken at the start, and all of a cache is taken in time. */
static void check_kept(struct reading *r)
{
    const struct settings *s = r->settings;
    bool sound = settings_is_sound(r, "server.memory") && settings_is_sound(r, "cache.memory") &&
                 settings_is_sound(r, "telemetry");
    int64_t memory = s->server.memory,
            queue = s->telemetry.endpoint.len > 0 ? s->telemetry.queue : 0,
            traces = s->telemetry.traces * (int64_t)TRACE_KEPT_BYTES,
            cache = settings_keeps_something(s) ? s->cache.memory : 0;

    if (!sound)
        return;
    must(r, queue <= memory / 2, "telemetry.queue",
         "is more than half of server.memory, of which it is part: requests find none");
    must(r, traces <= memory / 2, "telemetry.traces",
         "take, with 4 KiB each, more than half of server.memory: requests find none");
    if (settings_is_sound(r, "telemetry"))
        must(r, cache + queue + traces <= memory / 4 * 3, "server.memory",
             "is less than a third more than what telemetry.queue, telemetry.traces (4 KiB each) "
             "and cache.memory take of it: requests find none");
}

static bool is_own_embedder(struct str name)
{
    return str_eq(name, STR("none")) || str_eq(name, STR("latent")) || str_eq(name, STR("hashed"));
}

static void check_sources(struct reading *r)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);

    for (size_t i = 0; arena && i < r->settings->source_count; i++) {
        char path[SETTING_PATH_MAX];
        struct err err = {0};

        setting_path(path, settings_section("sources"), (long)i, STR_NONE);
        if (settings_is_sound(r, path) &&
            !settings_source_check(&r->settings->sources[i], arena, &err))
            settings_wrong(r, path, err.text);
        setting_path(path, settings_section("sources"), (long)i, STR("name"));
        for (size_t j = 0; j < i; j++)
            must(r, !str_eq(r->settings->sources[i].name, r->settings->sources[j].name), path,
                 "another source has this name");
    }
}

static void check_sealing(struct reading *r)
{
    const char *what = "sealed needs audit.master_key";
    struct settings *s = r->settings;
    char path[SETTING_PATH_MAX], text[80];

    snprintf(text, sizeof text, "has %zu bytes, at least %u are needed", s->audit.master_key.len,
             AUDIT_MASTER_KEY_MIN);
    if (!secret_is_empty(&s->audit.master_key) && !r->secrets_unread)
        must(r, s->audit.master_key.len >= AUDIT_MASTER_KEY_MIN, "audit.master_key", text);
    if (!secret_is_empty(&s->audit.master_key) || !settings_is_sound(r, "audit.master_key"))
        return;
    must(r, s->audit.bodies != BODIES_SEALED, "audit.bodies", what);
    for (size_t i = 0; i < s->audit_tenant_count; i++) {
        setting_path(path, settings_section("audit_tenants"), (long)i, STR("bodies"));
        must(r, s->audit_tenants[i].bodies != BODIES_SEALED, path, what);
    }
}

static void check_resource(struct reading *r)
{
    const struct settings *s = r->settings;
    struct str rest = s->telemetry.resource, one;
    char most[100];

    snprintf(most, sizeof most, "has with service and instance more than %d bytes",
             OTLP_RESOURCE_BYTES);
    must(r, s->telemetry.service.len + s->telemetry.instance.len + rest.len <= OTLP_RESOURCE_BYTES,
         "telemetry.resource", most);
    while (str_split(&rest, ',', &one)) {
        size_t equals = str_find_char(one, '=');
        char text[160];

        if (str_trim(one).len == 0 || (str_trim(str_slice(one, 0, equals)).len > 0 &&
                                       str_trim(str_slice(one, equals + 1, one.len)).len > 0))
            continue;
        snprintf(text, sizeof text,
                 "\"" STR_FMT "\" is no attribute: expected NAME=VALUE, with commas between",
                 STR_ARG(str_slice(str_trim(one), 0, 60)));
        settings_wrong(r, "telemetry.resource", text);
        return;
    }
}

/* What can only be asked of whoever is there is not asked: a file is checked where no network is. */
static void check_addresses(struct reading *r)
{
    struct settings *s = r->settings;
    struct err err = {0};
    struct http_url to;

    if (s->telemetry.endpoint.len > 0)
        must(r, http_url_parse(s->telemetry.endpoint, &to, &err), "telemetry.endpoint", err.text);
    err = (struct err){0};
    if (!str_starts(s->cache.redis, STR("unix:")) &&
        str_find_char(s->cache.redis, '@') < s->cache.redis.len)
        must(
            r, false, "cache.redis",
            "a URL with user or password is not taken: redis_user and redis_password are for them");
    else if (s->cache.redis.len > 0)
        must(r, redis_url_check(s->cache.redis, &err), "cache.redis", err.text);
}

void settings_check(struct reading *r)
{
    struct settings *s = r->settings;
    bool fixed =
        str_eq(s->knowledge.through, STR("auto")) || str_eq(s->knowledge.through, STR("none"));

    if (r->unreadable)
        return;
    check_server(r);
    check_cache(r);
    check_kept(r);
    for (size_t i = 0; i < settings_section_count; i++)
        if (settings_sections[i].item_size > 0)
            check_required(r, &settings_sections[i]);
    check_names(r);
    check_models(r);
    check_prices(r);
    check_routes(r);
    must(r,
         is_own_embedder(s->knowledge.embedder) || !names_known(r, "models") ||
             has_model(s, s->knowledge.embedder),
         "knowledge.embedder",
         "expected \"none\", \"latent\", \"hashed\" or the name of one of `models`");
    must(r,
         str_eq(s->knowledge.reranker, STR("none")) || !names_known(r, "models") ||
             has_model(s, s->knowledge.reranker),
         "knowledge.reranker", "expected \"none\" or the name of one of `models`");
    check_sources(r);
    check_sealing(r);
    settings_check_people(r);
    check_addresses(r);
    check_resource(r);
    must(r, fixed || !names_known(r, "models") || has_model(s, s->knowledge.through),
         "knowledge.through", "expected \"auto\", \"none\" or the name of one of `models`");
    if (!r->failed)
        settings_check_idle(r);
}
