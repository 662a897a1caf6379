/* /api/v1/models: what clients may ask for. */
#include <stdlib.h>

#include "app/admin_fields.h"
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
    {0},
};
static const struct schema model_schema = {"Model", "A model that clients may ask for.",
                                           model_fields, NULL};

static void write_model(struct json_writer *w, const struct model *m)
{
    struct prices now = prices_at(&m->prices, 0, clock_wall());

    jw_object(w);
    reply_text(w, "name", m->name);
    reply_text(w, "provider", m->provider ? m->provider->name : STR("documents"));
    reply_text(w, "url", m->provider ? m->provider->url_text : STR(""));
    reply_text(w, "remote_name", m->remote_name);
    reply_usd(w, "price_input_usd", now.in);
    reply_usd(w, "price_output_usd", now.out);
    reply_usd(w, "price_cached_usd", now.cached);
    jw_object_end(w);
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
            write_model(&call->reply, models[i]);
    page_end(call, &page);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/models", "List models with providers and prices", RIGHT_LOOK, list, NULL,
     &model_schema, 0, true, NULL, NULL},
};
const struct admin_part admin_models_part = {"models", "What clients may ask for.", routes,
                                             ARRAY_LEN(routes)};
