/* What requests work with, made of the settings and of what the store says over them: a snapshot that is replaced as a
 * whole. */
#include "app/house.h"
#include "app/house_models.h"
#include "base/log.h"
#include "models/dialect.h"

#define CONFIG_MEMORY (64 * MIB)

struct house_config {
    struct config config; /* first: the snapshot is of struct config */
    struct arena *arena;
    struct catalogue catalogue;
    struct route_table *routes;
    struct answerer answerer;
    struct body_tenant *body_tenants;
    struct knowledge_model knowledge_model;
    struct str links;            /* in front of the addresses of citations */
    const struct model *through; /* who writes the documents' answers, or NULL */
};

static void wipe_provider(struct provider *p)
{
    secret_wipe(&p->api_key);
    secret_wipe(&p->aws_secret_key);
    secret_wipe(&p->aws_session_token);
}

static void config_free(void *object)
{
    struct house_config *c = object;

    for (size_t i = 0; i < c->catalogue.provider_count; i++)
        wipe_provider(&c->catalogue.providers[i]);
    struct arena *arena = c->arena;
    arena_end(&arena);
}

static const struct model *through(const struct config *config)
{
    return ((const struct house_config *)(const void *)config)->through;
}

/* Read now: a wrong file is a mistake in the settings and not one of the first request. */
static bool add_trust(struct house_config *c, struct provider *p, struct str ca_file,
                      struct err *err)
{
    struct str path = arena_str(c->arena, ca_file);

    if (ca_file.len == 0)
        return true;
    p->trust = arena_alloc(c->arena, sizeof *p->trust);
    if (!path.ptr || !p->trust)
        return err_arena(err, c->arena);
    return http_trust_read(path.ptr, p->trust, err) || err_wrap(err, "ca_file");
}

const struct dialect *settings_dialect(const struct provider_settings *from)
{
    static const struct dialect *const said[] = {NULL, &dialect_openai, &dialect_responses,
                                                 &dialect_anthropic};

    return from->dialect ? said[from->dialect] : dialect_of_kind((enum provider_kind)from->kind);
}

static bool add_provider(struct house_config *c, const struct provider_settings *from,
                         struct err *err)
{
    struct provider *p = &c->catalogue.providers[c->catalogue.provider_count];

    *p = (struct provider){
        .name = arena_str(c->arena, from->name),
        .url_text = arena_str(c->arena, from->url),
        .kind = (enum provider_kind)from->kind,
        .dialect = settings_dialect(from),
        .auth =
            from->auth ? (enum auth)(from->auth - 1) : auth_of_kind((enum provider_kind)from->kind),
        .api_version = arena_str(c->arena, from->api_version),
        .region = arena_str(c->arena, from->region),
        .refuse_unsupported = from->unsupported == 1,
        .connect_timeout = from->connect_timeout,
        .first_byte_timeout = from->first_byte_timeout,
        .gap_timeout = from->gap_timeout,
        .total_timeout = from->total_timeout,
        .probe_interval = from->probe_interval,
        .probe_failures = (uint32_t)from->probe_failures,
        .reply_bytes_max = (size_t)from->reply_bytes,
        .event_bytes_max = (size_t)from->event_bytes,
    };
    if (!p->name.ptr || !p->url_text.ptr || !p->api_version.ptr || !p->region.ptr)
        return err_arena(err, c->arena);
    c->catalogue.provider_count++; /* from here config_free() wipes its key */
    return http_url_parse(p->url_text, &p->url, err) && add_trust(c, p, from->ca_file, err) &&
           secret_copy(&p->api_key, &from->api_key, err) &&
           secret_copy(&p->aws_secret_key, &from->aws_secret_key, err) &&
           secret_copy(&p->aws_session_token, &from->aws_session_token, err);
}

static const struct provider *find_provider(const struct catalogue *c, struct str name)
{
    for (size_t i = 0; i < c->provider_count; i++)
        if (str_eq(c->providers[i].name, name))
            return &c->providers[i];
    return NULL;
}

static bool read_abilities(struct model *m, struct str words, struct err *err)
{
    if (!abilities_parse(words, &m->abilities, err) ||
        !abilities_fit(m->abilities, m->provider->dialect, err))
        return err_wrap(err, "model \"" STR_FMT "\"", STR_ARG(m->name));
    if (!m->abilities)
        m->abilities = abilities_of_kind(m->provider->kind, m->remote_name);
    return true;
}

static bool add_model(struct house_config *c, struct house *house,
                      const struct model_settings *from, enum model_origin origin, struct err *err)
{
    struct model *m = &c->catalogue.models[c->catalogue.model_count++];

    *m = (struct model){
        .name = arena_str(c->arena, from->name),
        .provider = find_provider(&c->catalogue, from->provider),
        .remote_name = arena_str(c->arena, from->remote_name.len ? from->remote_name : from->name),
        .prices = {.plain = from->prices},
        .output_tokens_max = from->output_tokens_max,
        .window = from->window,
        .in_flight_max = from->in_flight,
        .zone = (enum zone)from->zone,
        .lifecycle = (enum lifecycle)from->lifecycle,
        .successor = arena_str(c->arena, from->successor),
        .licence = arena_str(c->arena, from->licence),
        .cache = from->cache,
        .origin = origin,
    };
    ASSERT(m->provider); /* settings_read() checked it, or add_kept() */
    m->deployment = deployment_of(house->deployments, m->name);
    if (!m->name.ptr || !m->remote_name.ptr || !m->successor.ptr || !m->licence.ptr ||
        !table_put(&c->catalogue.by_name, m->name, m, NULL))
        return err_arena(err, c->arena);
    return read_abilities(m, from->abilities, err);
}

/* The rows of `prices` that are about this model, in their order. */
static bool add_prices(struct house_config *c, const struct settings *s, struct model *m,
                       struct err *err)
{
    struct price_row *rows;
    size_t count = 0;

    for (size_t i = 0; i < s->price_count; i++)
        count += str_eq(s->prices[i].model, m->name);
    if (count == 0)
        return true;
    rows = arena_array(c->arena, count, sizeof *rows);
    if (!rows)
        return err_arena(err, c->arena);
    m->prices.rows = rows;
    for (size_t i = 0; i < s->price_count; i++) {
        struct price_row *row = &rows[m->prices.row_count];

        if (!str_eq(s->prices[i].model, m->name))
            continue;
        row->prices = s->prices[i].prices;
        row->tenants = arena_str(c->arena, s->prices[i].tenants);
        if (!row->tenants.ptr)
            return err_arena(err, c->arena);
        if (!hours_parse(s->prices[i].hours, &row->hours, err) ||
            !token_range_parse(s->prices[i].prompt_tokens, &row->prompt, err))
            return err_wrap(err, "prices of model \"" STR_FMT "\"", STR_ARG(m->name));
        m->prices.row_count++;
    }
    return true;
}

static bool add_kept_prices(struct house_config *c, const struct kept_model *row, struct model *m,
                            struct err *err)
{
    struct price_rows rows;

    if (!price_rows_copy(c->arena, &row->price_rows, &rows, err))
        return false;
    m->prices.rows = rows.at;
    m->prices.row_count = rows.count;
    return true;
}

/* One that was added: what the settings say of its name goes first, and its provider may be gone. At the
 * start that must not keep the house shut, or nobody could take the row away. */
static bool add_kept(struct house_config *c, const struct settings *s, struct house *house,
                     const struct kept_model *row, struct err *err)
{
    const struct model_settings as = kept_as_settings(row);

    if (catalogue_find(&c->catalogue, row->name) || str_eq(row->name, s->knowledge.model)) {
        log_warn("model \"" STR_FMT "\" stands in the settings; what was added under this name "
                 "does not count: `weir model remove` takes it away",
                 STR_ARG(row->name));
        return true;
    }
    if (find_provider(&c->catalogue, row->provider))
        return add_model(c, house, &as, ORIGIN_STORE, err) &&
               add_kept_prices(c, row, &c->catalogue.models[c->catalogue.model_count - 1], err);
    if (house->gateway)
        return err_set(err, ERR_INVALID,
                       "model \"" STR_FMT "\", which was added, needs provider \"" STR_FMT
                       "\", which the settings do not have",
                       STR_ARG(row->name), STR_ARG(row->provider));
    log_error("model \"" STR_FMT "\" is not served: the settings have no provider \"" STR_FMT "\"",
              STR_ARG(row->name), STR_ARG(row->provider));
    return true;
}

/* What the store says over the rows of the settings. */
static bool add_all_kept(struct house_config *c, const struct settings *s, struct house *house,
                         const struct kept_models *kept, struct err *err)
{
    for (size_t i = 0; i < kept->count; i++)
        if (kept->at[i].added && !add_kept(c, s, house, &kept->at[i], err))
            return false;
    for (size_t i = 0; i < kept->count; i++) {
        struct model *m = table_get(&c->catalogue.by_name, kept->at[i].name);

        if (m && m->provider && kept->at[i].added == (m->origin == ORIGIN_STORE))
            kept_apply(&kept->at[i], m, c->arena);
    }
    return true;
}

/* The model that is the documents themselves: the last row of the catalogue. */
static bool add_documents(struct house_config *c, const struct settings *s, struct house *house,
                          struct err *err)
{
    struct model *m = &c->catalogue.models[c->catalogue.model_count++];

    *m = (struct model){.name = arena_str(c->arena, s->knowledge.model), .origin = ORIGIN_HOUSE};
    m->remote_name = m->name;
    if (!m->name.ptr || !table_put(&c->catalogue.by_name, m->name, m, NULL))
        return err_arena(err, c->arena);
    c->knowledge_model =
        (struct knowledge_model){.bases = house->bases,
                                 .unsupported = (enum unsupported)s->knowledge.unsupported,
                                 .through = through};
    c->answerer = (struct answerer){.model = m->name,
                                    .ask = knowledge_model_ask,
                                    .names = knowledge_model_names,
                                    .ctx = &c->knowledge_model};
    if (str_eq(s->knowledge.through, STR("auto")))
        c->through = c->catalogue.model_count > 1 ? &c->catalogue.models[0] : NULL;
    else if (!str_eq(s->knowledge.through, STR("none")))
        c->through = catalogue_find(&c->catalogue, s->knowledge.through);
    return true;
}

static bool add_routes(struct house_config *c, const struct settings *s, struct err *err)
{
    struct route_text *rows;

    return settings_routes(s, c->arena, &rows, err) &&
           route_table_read(c->arena, rows, s->route_count, &c->catalogue, &c->routes, err);
}

/* Models whose answers are kept; without one the gateway knows of no cache. */
static bool add_cache(struct house_config *c, const struct settings *s, struct house *house,
                      struct err *err)
{
    enum cache_rule *use = arena_array(c->arena, c->catalogue.model_count, sizeof *use);
    bool any = false;

    if (!use)
        return err_arena(err, c->arena);
    for (size_t i = 0; i + 1 < c->catalogue.model_count; i++) { /* the last is the documents */
        int said = c->catalogue.models[i].cache;

        use[i] = (enum cache_rule)(said > 0 ? said - 1 : s->cache.mode);
        any |= use[i] != CACHE_NEVER;
    }
    if (!any)
        return true;
    c->config.cache = (struct cache_config){
        .cache = house->cache,
        .rules = {.use = (enum cache_rule)s->cache.mode,
                  .sampled = (enum cache_rule)s->cache.sampled,
                  .shared = (enum cache_rule)s->cache.shared,
                  .ttl = s->cache.ttl,
                  .ttl_max = s->cache.ttl_max},
        .use = use,
        .price_percent = s->cache.price_percent,
    };
    return true;
}

/* Also on reload: what asks for sealing where nothing can be sealed is refused, never passed over. */
static bool add_body_tenants(struct house_config *c, const struct settings *s,
                             const struct house *house, struct err *err)
{
    bool sealed = s->audit.bodies == BODIES_SEALED;

    c->body_tenants = arena_array(c->arena, s->audit_tenant_count + 1, sizeof *c->body_tenants);
    if (!c->body_tenants)
        return err_arena(err, c->arena);
    for (size_t i = 0; i < s->audit_tenant_count; i++) {
        enum audit_body_policy policy = (enum audit_body_policy)s->audit_tenants[i].bodies;

        c->body_tenants[i] =
            (struct body_tenant){arena_str(c->arena, s->audit_tenants[i].tenant), policy};
        if (!c->body_tenants[i].tenant.ptr)
            return err_arena(err, c->arena);
        sealed |= policy == BODIES_SEALED;
    }
    return !sealed || audit_bodies_can_seal(house->audit_bodies) ||
           err_set(err, ERR_INVALID,
                   "audit bodies are to be sealed, but there is no audit.master_key");
}

static bool fill_catalogue(struct house_config *c, const struct settings *s, struct house *house,
                           const struct kept_models *kept, struct err *err)
{
    size_t rows = s->model_count + kept->count + 1;

    c->catalogue.arena = c->arena;
    c->catalogue.providers =
        arena_array(c->arena, s->provider_count + 1, sizeof *c->catalogue.providers);
    c->catalogue.models = arena_array(c->arena, rows, sizeof *c->catalogue.models);
    if (!c->catalogue.providers || !c->catalogue.models)
        return err_arena(err, c->arena);
    table_init(&c->catalogue.by_name, c->arena, rows);
    for (size_t i = 0; i < s->provider_count; i++)
        if (!add_provider(c, &s->providers[i], err))
            return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(s->providers[i].name));
    for (size_t i = 0; i < s->model_count; i++)
        if (!add_model(c, house, &s->models[i], ORIGIN_FILE, err) ||
            !add_prices(c, s, &c->catalogue.models[i], err))
            return false;
    return add_all_kept(c, s, house, kept, err) && add_documents(c, s, house, err) &&
           add_routes(c, s, err);
}

/* Where people log in is where they reach this house, when nothing else is said. */
static bool add_links(struct house_config *c, const struct settings *s, const struct house *house,
                      struct err *err)
{
    struct str url = s->server.public_url.len ? s->server.public_url : house->origin;

    while (str_ends(url, STR("/")))
        url.len--;
    c->links = arena_str(c->arena, url);
    return c->links.ptr || err_arena(err, c->arena);
}

static bool fill_config(struct house_config *c, const struct settings *s, struct house *house,
                        const struct kept_models *kept, struct err *err)
{
    if (!fill_catalogue(c, s, house, kept, err) || !add_body_tenants(c, s, house, err) ||
        !add_links(c, s, house, err))
        return false;
    c->config = (struct config){
        .catalogue = &c->catalogue,
        .routes = c->routes,
        .answerers = &c->answerer,
        .answerer_count = 1,
        .body_bytes_max = (size_t)s->server.body_bytes,
        .prompts_at_once = (uint32_t)s->server.prompts_at_once,
        .request_timeout = s->server.request_timeout,
        .log_requests = s->log.requests,
        .links = {.url = c->links,
                  .from = (enum links_from)s->server.links_from,
                  .tls = s->server.tls_certificate.len > 0},
        .bodies = (enum audit_body_policy)s->audit.bodies,
        .body_tenants = c->body_tenants,
        .body_tenant_count = s->audit_tenant_count,
        .body_kept_max = (size_t)s->audit.body_bytes,
        .telemetry = {.sample_millionths = s->telemetry.sample / 100,
                      .follow_parent = s->telemetry.follow_parent,
                      .propagate = s->telemetry.propagate,
                      .slow = s->telemetry.slow},
    };
    return add_cache(c, s, house, err);
}

struct snapshot *house_snapshot(void)
{
    return snapshot_new(config_free);
}

bool house_make(struct house *house, const struct settings *settings,
                const struct kept_models *kept, struct house_config **out, struct err *err)
{
    struct arena *arena = arena_new(CONFIG_MEMORY);
    struct house_config *c = arena ? arena_alloc(arena, sizeof *c) : NULL;

    if (!c) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the settings of requests");
    }
    c->arena = arena;
    if (!fill_config(c, settings, house, kept, err)) {
        config_free(c);
        return false;
    }
    *out = c;
    return true;
}

void house_put(struct house *house, struct house_config *made)
{
    snapshot_publish(house->config, made);
}

void house_unmake(struct house_config *made)
{
    config_free(made);
}
