/* /api/v1/models: what clients may ask for. */
#include <stdlib.h>

#include "app/admin_fields.h"
#include "app/admin_models.h"
#include "models/health.h"
#include "models/price_rows.h"
#include "sys/clock.h"

static const struct schema_field model_fields[] = {
    {"name", FIELD_TEXT, 0, "What clients say in \"model\".", 0, 0, NULL, NULL},
    {"provider", FIELD_TEXT, 0, "Who answers; \"documents\": Weir itself.", 0, 0, NULL, NULL},
    {"url", FIELD_TEXT, 0, "Of the provider; empty for Weir itself.", 0, 0, NULL, NULL},
    {"remote_name", FIELD_TEXT, 0, "What the provider calls it.", 0, 0, NULL, NULL},
    {"price_input_usd", FIELD_USD, 0, "Now, for a million prompt tokens.", 0, 0, NULL, NULL},
    {"price_output_usd", FIELD_USD, 0, "Now, for a million completion tokens.", 0, 0, NULL, NULL},
    {"price_cached_usd", FIELD_USD, 0, "Now, for a million prompt tokens the provider had cached.",
     0, 0, NULL, NULL},
    {"zone", FIELD_CHOICE, 0, "Where prompts go with it.", 0, 0, "unsaid|local|trusted|public",
     NULL},
    {"lifecycle", FIELD_CHOICE, 0, "Retired ones are refused.", 0, 0,
     "active|preview|deprecated|retired", NULL},
    {"breaker", FIELD_CHOICE, 0, "Open: it rests after failures.", 0, 0, "closed|open|half-open",
     NULL},
    {"in_flight", FIELD_COUNT, 0, "Requests it has now.", 0, 0, NULL, NULL},
    {"price_rows", FIELD_COUNT, 0, "Rows of prices by hour, prompt size or tenant.", 0, 0, NULL,
     NULL},
    {"origin", FIELD_CHOICE, 0,
     "Where its row stands: in the settings, or in the store where it was added; house: Weir "
     "itself.",
     0, 0, "file|store|house", NULL},
    {0},
};
static const struct schema model_schema = {"Model", "A model that clients may ask for.",
                                           model_fields, NULL};

#define NOW(name, help)                            \
    {                                              \
        name, FIELD_USD, 0, help, 0, 0, NULL, NULL \
    }

static const struct schema_field detail_fields[] = {
    {"abilities", FIELD_TEXT, 0, "What it can do; empty: not known.", 0, 0, NULL, NULL},
    {"pinned", FIELD_BOOL, 0, "A test measured what it can do.", 0, 0, NULL, NULL},
    {"window", FIELD_COUNT, 0, "Tokens of prompt and answer together; 0: not known.", 0, 0, NULL,
     NULL},
    {"output_tokens_max", FIELD_COUNT, 0, "Set aside when a request names no maximum.", 0, 0, NULL,
     NULL},
    {"in_flight_max", FIELD_COUNT, 0, "Requests at once; 0: unlimited.", 0, 0, NULL, NULL},
    {"successor", FIELD_TEXT, 0, "Of one that is deprecated or retired.", 0, 0, NULL, NULL},
    {"licence", FIELD_TEXT, 0, "Under which it may be used.", 0, 0, NULL, NULL},
    NOW("price_cache_write_usd", "Of those that it wrote to its cache."),
    NOW("price_cache_write_long_usd", "Of those it keeps for an hour."),
    NOW("price_reasoning_usd", "Of completion tokens for reasoning."),
    NOW("price_audio_input_usd", "Of prompt tokens that are audio."),
    NOW("price_audio_output_usd", "Of completion tokens that are audio."),
    NOW("price_image_input_usd", "Of prompt tokens that are images."),
    NOW("price_request_usd", "For each request, whatever its tokens."),
    {"plain", FIELD_OBJECT, 0, "What is said of its prices, where no row holds.", 0, 0, NULL,
     &price_row_schema},
    {"prices", FIELD_OBJECT, FIELD_LIST,
     "Rows: the first that fits holds; what it leaves out is as in plain. Of tenants, operators "
     "see "
     "all rows, others their own.",
     0, 0, NULL, &price_row_schema},
    {"cache", FIELD_CHOICE, 0, "Whether its answers are kept; default: as cache.mode says.", 0, 0,
     "default|off|asked|on", NULL},
    {"asked", FIELD_COUNT, 0, "Requests since the start.", 0, 0, NULL, NULL},
    {"failed", FIELD_COUNT, 0, "Of those, its failures.", 0, 0, NULL, NULL},
    {"failures_in_row", FIELD_COUNT, 0, "The newest ones.", 0, 0, NULL, NULL},
    {"latency_ms", FIELD_COUNT, 0, "Of whole answers, slow ones weighing more.", 0, 0, NULL, NULL},
    {"first_token_ms", FIELD_COUNT, 0, "Median of the last 128; 0: not known.", 0, 0, NULL, NULL},
    {"rests_ms", FIELD_COUNT, 0, "Until it is asked again; 0: it does not rest.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema detail_schema = {
    "ModelDetail", "A model with what it can do and how it fares.", detail_fields, &model_schema};

static const char *const origins[] =
    {[ORIGIN_FILE] = "file", [ORIGIN_STORE] = "store", [ORIGIN_HOUSE] = "house"};

static const char *const caches[] = {"default", "off", "asked", "on"};

static bool is_among(struct str list, struct str tenant)
{
    for (struct str rest = list, one; str_split(&rest, ',', &one);)
        if (str_eq(str_trim(one), tenant))
            return true;
    return false;
}

/* What others are charged, and who they are, is theirs. */
static bool may_see(const struct admin_call *call, const struct price_row *row)
{
    return principal_is_operator(call->who) || row->tenants.len == 0 ||
           is_among(row->tenants, call->who->tenant);
}

static int64_t count_rows(const struct admin_call *call, const struct model *m)
{
    int64_t seen = 0;

    for (size_t i = 0; i < m->prices.row_count; i++)
        seen += may_see(call, &m->prices.rows[i]);
    return seen;
}

static void write_rows(struct admin_call *call, const struct model *m)
{
    jw_array(&call->reply);
    for (size_t i = 0; i < m->prices.row_count; i++) {
        struct price_row row = m->prices.rows[i];

        if (!may_see(call, &row))
            continue;
        if (row.tenants.len > 0 && !principal_is_operator(call->who))
            row.tenants = call->who->tenant;
        price_row_write(&call->reply, &row);
    }
    jw_array_end(&call->reply);
}

static void write_facts(struct admin_call *call, const struct model *m)
{
    struct json_writer *w = &call->reply;
    struct prices now = prices_at(&m->prices, 0, &(struct price_for){.when = clock_wall()});
    struct deployment_state state = deployment_look(m->deployment, fiber_now());

    reply_text(w, "name", m->name);
    reply_text(w, "provider", m->provider ? m->provider->name : STR("documents"));
    reply_text(w, "url", m->provider ? m->provider->url_text : STR(""));
    reply_text(w, "remote_name", m->remote_name);
    reply_usd(w, "price_input_usd", now.in);
    reply_usd(w, "price_output_usd", now.out);
    reply_usd(w, "price_cached_usd", now.cached);
    reply_text(w, "zone", str_from(zone_name(m->zone)));
    reply_text(w, "lifecycle", str_from(lifecycle_name(m->lifecycle)));
    reply_text(w, "breaker", str_from(breaker_name(state.breaker)));
    reply_count(w, "in_flight", state.in_flight);
    reply_count(w, "price_rows", count_rows(call, m));
    reply_text(w, "origin", str_from(origins[m->origin]));
}

static void write_model(struct admin_call *call, const struct model *m)
{
    jw_object(&call->reply);
    write_facts(call, m);
    jw_object_end(&call->reply);
}

/* Those of write_facts() hold now; here are the other kinds, then what holds when. */
static void write_prices(struct admin_call *call, const struct model *m)
{
    struct json_writer *w = &call->reply;
    struct prices now = prices_at(&m->prices, 0, &(struct price_for){.when = clock_wall()});

    reply_usd(w, "price_cache_write_usd", now.cache_write);
    reply_usd(w, "price_cache_write_long_usd", now.cache_write_long);
    reply_usd(w, "price_reasoning_usd", now.reasoning);
    reply_usd(w, "price_audio_input_usd", now.audio_in);
    reply_usd(w, "price_audio_output_usd", now.audio_out);
    reply_usd(w, "price_image_input_usd", now.image_in);
    reply_usd(w, "price_request_usd", now.request);
    jw_key(w, "plain");
    price_row_write(w, &(struct price_row){.prices = m->prices.plain});
    jw_key(w, "prices");
    write_rows(call, m);
}

static void write_detail(struct admin_call *call, const struct model *m)
{
    struct json_writer *w = &call->reply;
    struct deployment_state state = deployment_look(m->deployment, fiber_now());
    char text[256];
    struct buf abilities;

    buf_init_fixed(&abilities, text, sizeof text);
    abilities_write(&abilities, m->abilities);
    jw_object(w);
    write_facts(call, m);
    reply_text(w, "abilities", buf_view(&abilities));
    reply_bool(w, "pinned", m->pinned);
    reply_count(w, "window", m->window);
    reply_count(w, "output_tokens_max", m->output_tokens_max);
    reply_count(w, "in_flight_max", m->in_flight_max);
    reply_text(w, "successor", m->successor);
    reply_text(w, "licence", m->licence);
    write_prices(call, m);
    reply_text(w, "cache", str_from(caches[m->cache]));
    reply_count(w, "asked", (int64_t)state.asked);
    reply_count(w, "failed", (int64_t)state.failed);
    reply_count(w, "failures_in_row", state.failures_in_row);
    reply_count(w, "latency_ms", state.latency / MILLISECOND);
    reply_count(w, "first_token_ms", state.first_token_median / MILLISECOND);
    reply_count(w, "rests_ms", MAX_OF(state.parked, state.open) / MILLISECOND);
    jw_object_end(w);
}

bool model_reply(struct admin_call *call, struct str name, struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    const struct model *m = catalogue_find(config->catalogue, name);

    if (!m)
        return err_set(err, ERR_NOT_FOUND, "no model is called \"" STR_FMT "\"",
                       STR_ARG(str_slice(name, 0, 100)));
    write_detail(call, m);
    return true;
}

static bool show(struct admin_call *call, struct err *err)
{
    return model_reply(call, call->values[0], err);
}

static int by_name(const void *one, const void *other)
{
    return str_cmp((*(const struct model *const *)one)->name,
                   (*(const struct model *const *)other)->name);
}

static bool list(struct admin_call *call, struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    size_t count = config->catalogue->model_count;
    const struct model **models = arena_array(call->arena, count + 1, sizeof(void *));
    struct page page;

    if (!models)
        return err_arena(err, call->arena);
    if (!page_begin(call, &page, err))
        return false;
    for (size_t i = 0; i < count; i++)
        models[i] = &config->catalogue->models[i];
    qsort(models, count, sizeof(void *), by_name);
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (page_wants(&page, models[i]->name))
            write_model(call, models[i]);
    page_end(call, &page);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/models", "List models with providers and prices", RIGHT_LOOK, list, NULL,
     &model_schema, 0, true, NULL, NULL},
    {"GET", "/api/v1/models/{name}", "Show a model: what it can do, how it fares", RIGHT_LOOK, show,
     NULL, &detail_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/models", "Add a model", RIGHT_CHANGE, model_add, &model_new_schema,
     &detail_schema, 201, false, NULL, NULL},
    {"PATCH", "/api/v1/models/{name}", "Change a model", RIGHT_CHANGE, model_patch,
     &model_change_schema, &detail_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/models/{name}/retire", "Retire a model: clients are told its successor",
     RIGHT_CHANGE, model_retire, &model_retire_schema, &detail_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/models/{name}/test", "Find out what a model can do, by asking it",
     RIGHT_CHANGE, model_test, &model_test_schema, &model_tested_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/models/{name}", "Remove a model that was added", RIGHT_CHANGE, model_remove,
     NULL, &model_removed_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_models_part = {"models", "What clients may ask for.", routes,
                                             ARRAY_LEN(routes)};
