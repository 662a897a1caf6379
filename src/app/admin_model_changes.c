/* Models that are added, changed, retired and removed while Weir runs; kept in the store. */
#include <stdio.h>
#include <string.h>

#include "app/admin_fields.h"
#include "app/admin_models.h"
#include "app/house_models.h"

#define OUTPUT_TOKENS 4096 /* as the setting's default */

#define PRICE(name, help)                                       \
    {                                                           \
        name, FIELD_USD, FIELD_OPTIONAL, help, 0, 0, NULL, NULL \
    }

static const struct schema_field price_row_fields[] = {
    {"hours", FIELD_TEXT, FIELD_OPTIONAL,
     "From when to when it holds, UTC, e.g. 16:30-00:30; default: the whole day.", 1, 40, NULL,
     NULL},
    {"prompt_tokens", FIELD_TEXT, FIELD_OPTIONAL,
     "For prompts of how many tokens, e.g. 200000- or 0-128000 (the end is not included); default: "
     "all.",
     1, 60, NULL, NULL},
    {"tenants", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST,
     "What these tenants are charged; default: whoever asks.", 1, 128, NULL, NULL},
    PRICE("price_input_usd", "What is not said is as in the model."),
    PRICE("price_output_usd", "For a million completion tokens."),
    PRICE("price_cached_usd", "Of prompt tokens the provider had cached."),
    PRICE("price_cache_write_usd", "Of those that it wrote to its cache."),
    PRICE("price_cache_write_long_usd", "Of those it keeps for an hour."),
    PRICE("price_reasoning_usd", "Of completion tokens for reasoning."),
    PRICE("price_audio_input_usd", "Of prompt tokens that are audio."),
    PRICE("price_audio_output_usd", "Of completion tokens that are audio."),
    PRICE("price_image_input_usd", "Of prompt tokens that are images."),
    PRICE("price_request_usd", "For each request, whatever its tokens."),
    {0},
};
const struct schema price_row_schema = {"PriceRow", "Prices that hold at times, or for some.",
                                        price_row_fields, NULL};

static const struct schema_field fact_fields[] = {
    {"remote_name", FIELD_TEXT, FIELD_OPTIONAL, "What the provider calls it; default: the name.", 1,
     128, NULL, NULL},
    PRICE("price_input_usd", "For a million prompt tokens; default 0."),
    PRICE("price_output_usd", "For a million completion tokens; default 0."),
    PRICE("price_cached_usd", "Of prompt tokens the provider had cached; default: as input."),
    PRICE("price_cache_write_usd", "Of those that it wrote to its cache; default: as input."),
    PRICE("price_cache_write_long_usd", "Of those it keeps for an hour; default: as written ones."),
    PRICE("price_reasoning_usd", "Of completion tokens for reasoning; default: as output."),
    PRICE("price_audio_input_usd", "Of prompt tokens that are audio; default: as input."),
    PRICE("price_audio_output_usd", "Of completion tokens that are audio; default: as output."),
    PRICE("price_image_input_usd", "Of prompt tokens that are images; default: as input."),
    PRICE("price_request_usd", "For each request, whatever its tokens; default 0."),
    {"output_tokens_max", FIELD_COUNT, FIELD_OPTIONAL,
     "Set aside when a request names no maximum; default 4096.", 1, 10000000, NULL, NULL},
    {"window", FIELD_COUNT, FIELD_OPTIONAL, "Tokens of prompt and answer together; 0: not known.",
     0, 1000000000, NULL, NULL},
    {"in_flight_max", FIELD_COUNT, FIELD_OPTIONAL, "Requests at once; 0: unlimited.", 0, 1000000,
     NULL, NULL},
    {"abilities", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST,
     "What it can do: stream, tools, ...; none: what its kind of provider usually can.", 1, 40,
     NULL, NULL},
    {"zone", FIELD_CHOICE, FIELD_OPTIONAL, "Where prompts go with it; default unsaid.", 0, 0,
     "unsaid|local|trusted|public", NULL},
    {"lifecycle", FIELD_CHOICE, FIELD_OPTIONAL, "Retired ones are refused; default active.", 0, 0,
     "active|preview|deprecated|retired", NULL},
    {"cache", FIELD_CHOICE, FIELD_OPTIONAL,
     "Whether its answers are kept; default: as the setting cache.mode says.", 0, 0,
     "default|off|asked|on", NULL},
    {"prices", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST,
     "Other prices at some hours, prompt sizes or for some tenants: all rows, the first that fits "
     "holds; []: none.",
     0, 0, NULL, &price_row_schema},
    {"successor", FIELD_TEXT, FIELD_OPTIONAL,
     "The model to use in place of one that is deprecated or retired; \"\": none.", 0, 128, NULL,
     NULL},
    {"licence", FIELD_TEXT, FIELD_OPTIONAL, "Under which it may be used.", 0, 128, NULL, NULL},
    {0},
};
static const struct schema fact_schema = {"ModelFacts", "What may be said of a model.", fact_fields,
                                          NULL};

static const struct schema_field new_fields[] = {
    {"name", FIELD_TEXT, 0, "What clients say in \"model\".", 1, 128, NULL, NULL},
    {"provider", FIELD_TEXT, 0, "Name of one of the settings' providers.", 1, 128, NULL, NULL},
    {0},
};
const struct schema model_new_schema = {"ModelNew", "A model to add.", new_fields, &fact_schema};

static const struct schema_field change_fields[] = {
    {"provider", FIELD_TEXT, FIELD_OPTIONAL, "Name of one of the settings' providers.", 1, 128,
     NULL, NULL},
    {"pinned", FIELD_BOOL, FIELD_OPTIONAL, "false: forget what a test measured.", 0, 0, NULL, NULL},
    {0},
};
const struct schema model_change_schema = {
    "ModelChange",
    "What is to be different. Of a model that stands in the settings: lifecycle, successor and "
    "pinned.",
    change_fields, &fact_schema};

static const struct schema_field retire_fields[] = {
    {"successor", FIELD_TEXT, FIELD_OPTIONAL, "The model that clients are told to ask instead.", 1,
     128, NULL, NULL},
    {0},
};
const struct schema model_retire_schema = {"ModelRetire", "How a model is retired.", retire_fields,
                                           NULL};

static const struct schema_field removed_fields[] = {
    {"name", FIELD_TEXT, 0, "The model.", 0, 0, NULL, NULL},
    {"removed", FIELD_BOOL, 0, "Always true.", 0, 0, NULL, NULL},
    {0},
};
const struct schema model_removed_schema = {"ModelRemoved", "A model that is gone.", removed_fields,
                                            NULL};

/* ---- fields of a body ---- */

static void read_prices(const struct admin_call *call, struct prices *prices)
{
    const char *name;
    usd_micro *price;

    for (size_t i = 0; (price = price_of_kind(prices, i, &name)); i++)
        field_usd(call, name, price);
}

/* The first that fits holds: one behind another that always fits would bill what nobody meant. */
static bool no_row_is_hidden(struct admin_call *call, const struct price_rows *rows,
                             struct err *err)
{
    char field[48];

    for (size_t i = 0; i < rows->count; i++)
        for (size_t above = 0; above < i; above++)
            if (price_row_hides(&rows->at[above], &rows->at[i])) {
                snprintf(field, sizeof field, "prices[%zu]", i);
                return field_wrong(call, field, err,
                                   "is never used: prices[%zu] before it holds wherever it would",
                                   above);
            }
    return true;
}

static bool read_price_rows(struct admin_call *call, struct price_rows *out, struct err *err)
{
    json_ref list = json_get(call->body, json_root(call->body), STR("prices"));
    struct price_rows_fault where;
    struct err why = {0};
    struct str field;

    if (!list)
        return true;
    if (price_rows_read(call->arena, call->body, list, out, &where, &why))
        return no_row_is_hidden(call, out, err);
    if (why.code != ERR_INVALID) {
        *err = why;
        return false;
    }
    field = arena_fmt(call->arena, "prices%s", where.field);
    return field.ptr ? field_wrong(call, field.ptr, err, "%s", why.text)
                     : err_arena(err, call->arena);
}

static bool read_abilities(struct admin_call *call, struct str *out, struct err *err)
{
    struct err why = {0};
    struct str *words;
    size_t count = 0;
    uint32_t bits;
    struct buf b;

    if (!field_given(call, "abilities"))
        return true;
    if (!field_list(call, "abilities", &words, &count, err))
        return false;
    buf_init(&b, call->arena, 64 * KIB);
    for (size_t i = 0; i < count; i++)
        buf_fmt(&b, "%s" STR_FMT, i ? ", " : "", STR_ARG(words[i]));
    if (!buf_finish(&b, out, err))
        return false;
    return abilities_parse(*out, &bits, &why) ||
           field_wrong(call, "abilities", err, "%s", why.text);
}

static bool read_name(struct admin_call *call, const char *field, struct str *out, struct err *err)
{
    if (!field_text(call, field, out, err))
        return false;
    for (size_t i = 0; i < out->len; i++) {
        char c = out->ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && !memchr("._-/:@+", c, 7))
            return field_wrong(call, field, err,
                               "expected letters, digits and . _ - / : @ + alone");
    }
    return true;
}

/* What any model may be told, wherever its row stands. */
static bool read_lifecycle(struct admin_call *call, struct kept_model *row, struct err *err)
{
    return field_choice(call, "lifecycle", &row->lifecycle, err) &&
           read_name(call, "successor", &row->successor, err);
}

static bool read_facts(struct admin_call *call, struct kept_model *row, struct err *err)
{
    read_prices(call, &row->prices);
    field_count(call, "output_tokens_max", &row->output_tokens_max);
    field_count(call, "window", &row->window);
    field_count(call, "in_flight_max", &row->in_flight);
    return read_name(call, "provider", &row->provider, err) &&
           field_text(call, "remote_name", &row->remote_name, err) &&
           read_abilities(call, &row->abilities, err) &&
           field_choice(call, "zone", &row->zone, err) &&
           field_choice(call, "cache", &row->cache, err) &&
           read_price_rows(call, &row->price_rows, err) &&
           field_text(call, "licence", &row->licence, err) && read_lifecycle(call, row, err);
}

/* ---- what must hold ---- */

/* While the catalogue is held, as with all that looks into the settings. */
static bool is_house_model(const struct house *house, struct str name)
{
    return str_eq(name, house->settings->knowledge.model);
}

static bool check_provider(struct admin_call *call, const struct kept_model *row, struct err *err)
{
    const struct settings *s = call->house->settings;

    for (size_t i = 0; i < s->provider_count; i++)
        if (str_eq(s->providers[i].name, row->provider))
            return true;
    return field_wrong(call, "provider", err, "the settings have no provider of this name");
}

/* One that answers, and another. */
static bool check_successor(struct admin_call *call, const struct kept_model *row, struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    const struct model *m = catalogue_find(config->catalogue, row->successor);

    if (row->successor.len == 0)
        return true;
    if (str_eq(row->successor, row->name))
        return field_wrong(call, "successor", err, "a model cannot be its own successor");
    if (!m)
        return field_wrong(call, "successor", err, "no model has this name");
    return m->lifecycle != LIFE_RETIRED ||
           field_wrong(call, "successor", err, "this model is retired itself");
}

static bool nobodys_successor(struct admin_call *call, const struct model_change *change,
                              struct err *err)
{
    for (size_t i = 0; i < change->kept.count; i++)
        if (str_eq(change->kept.at[i].successor, change->row.name))
            return admin_fail(call, 409, "conflict", err,
                              "model \"" STR_FMT "\" is the successor of \"" STR_FMT
                              "\": name another one first",
                              STR_ARG(change->row.name), STR_ARG(change->kept.at[i].name));
    return true;
}

static bool commit(struct admin_call *call, struct model_change *change, struct err *err)
{
    struct err why = {0};

    if (model_change_commit(change, &why))
        return true;
    if (why.code == ERR_INVALID)
        return admin_fail(call, 409, "conflict", err, "%s", why.text);
    *err = why;
    return false;
}

/* ---- handlers ---- */

bool model_add(struct admin_call *call, struct err *err)
{
    struct model_change change CLEANUP(model_change_end) = {0};
    struct str name = STR("");

    if (!read_name(call, "name", &name, err) ||
        !model_change_begin(call->house, call->arena, name, &change, err))
        return false;
    if (change.in_settings || is_house_model(call->house, name))
        return admin_fail(call, 409, "conflict", err,
                          "model \"" STR_FMT "\" stands in the settings already", STR_ARG(name));
    if (change.is_kept && change.row.added)
        return admin_fail(call, 409, "conflict", err,
                          "model \"" STR_FMT "\" was added already: change or remove it",
                          STR_ARG(name));
    change.row = (struct kept_model){.name = name,
                                     .added = true,
                                     .remote_name = name,
                                     .prices = PRICES(0, 0),
                                     .output_tokens_max = OUTPUT_TOKENS};
    if (!read_facts(call, &change.row, err) || !check_provider(call, &change.row, err) ||
        !check_successor(call, &change.row, err) || !commit(call, &change, err))
        return false;
    call->note = arena_fmt(
        call->arena, "model \"" STR_FMT "\" added: \"" STR_FMT "\" of provider \"" STR_FMT "\"",
        STR_ARG(name), STR_ARG(change.row.remote_name), STR_ARG(change.row.provider));
    model_change_end(&change);
    return model_reply(call, name, err);
}

/* ERR_NOT_FOUND unless settings or store have it. */
static bool begin_known(struct admin_call *call, struct model_change *change, struct err *err)
{
    struct str name = call->values[0];

    if (!model_change_begin(call->house, call->arena, name, change, err))
        return false;
    if (is_house_model(call->house, name))
        return admin_fail(call, 409, "conflict", err,
                          "model \"" STR_FMT "\" is Weir itself: see the setting knowledge.model",
                          STR_ARG(name));
    return change->in_settings || (change->is_kept && change->row.added) ||
           err_set(err, ERR_NOT_FOUND, "no model is called \"" STR_FMT "\"",
                   STR_ARG(str_slice(name, 0, 100)));
}

/* A row that was added under a name that the settings have by now says nothing of theirs. */
static void over_settings(struct model_change *change)
{
    if (change->in_settings && change->row.added)
        change->row =
            (struct kept_model){.name = change->row.name, .prices = PRICES_UNSAID, .lifecycle = -1};
}

static bool only_of_any(struct admin_call *call, const struct model_change *change, struct err *err)
{
    const struct schema_field *tables[] = {fact_fields, change_fields};

    if (!change->in_settings)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct schema_field *f = tables[i]; f->name; f++)
            if (field_given(call, f->name) && strcmp(f->name, "lifecycle") != 0 &&
                strcmp(f->name, "successor") != 0 && strcmp(f->name, "pinned") != 0)
                return admin_fail(call, 409, "conflict", err,
                                  "model \"" STR_FMT
                                  "\" stands in the settings: change \"%s\" there",
                                  STR_ARG(change->row.name), f->name);
    return true;
}

bool model_patch(struct admin_call *call, struct err *err)
{
    struct model_change change CLEANUP(model_change_end) = {0};
    bool pinned = true;

    if (!begin_known(call, &change, err) || !only_of_any(call, &change, err))
        return false;
    over_settings(&change);
    field_bool(call, "pinned", &pinned);
    if (field_given(call, "pinned") && pinned)
        return field_wrong(call, "pinned", err, "expected false: only a test pins");
    if (!pinned)
        change.row.measured = change.row.works = 0;
    if (change.row.added ? !read_facts(call, &change.row, err)
                         : !read_lifecycle(call, &change.row, err))
        return false;
    if (change.row.successor.len && change.row.lifecycle < 0)
        return field_wrong(call, "successor", err, "expected together with \"lifecycle\"");
    if ((change.row.added && !check_provider(call, &change.row, err)) ||
        !check_successor(call, &change.row, err) || !commit(call, &change, err))
        return false;
    call->note =
        arena_fmt(call->arena, "model \"" STR_FMT "\" changed: " STR_FMT, STR_ARG(call->values[0]),
                  STR_ARG(str_slice(json_raw(call->body, json_root(call->body)), 0, 500)));
    model_change_end(&change);
    return model_reply(call, call->values[0], err);
}

bool model_retire(struct admin_call *call, struct err *err)
{
    struct model_change change CLEANUP(model_change_end) = {0};

    if (!begin_known(call, &change, err))
        return false;
    over_settings(&change);
    change.row.lifecycle = LIFE_RETIRED;
    change.row.successor = STR("");
    if (!read_name(call, "successor", &change.row.successor, err) ||
        !check_successor(call, &change.row, err) || !nobodys_successor(call, &change, err) ||
        !commit(call, &change, err))
        return false;
    call->note = arena_fmt(call->arena, "model \"" STR_FMT "\" retired; successor \"" STR_FMT "\"",
                           STR_ARG(call->values[0]), STR_ARG(change.row.successor));
    model_change_end(&change);
    return model_reply(call, call->values[0], err);
}

bool model_remove(struct admin_call *call, struct err *err)
{
    struct model_change change CLEANUP(model_change_end) = {0};

    if (!begin_known(call, &change, err))
        return false;
    if (!change.is_kept || !change.row.added)
        return admin_fail(call, 409, "conflict", err,
                          "model \"" STR_FMT
                          "\" stands in the settings: take it out there, or retire it",
                          STR_ARG(call->values[0]));
    change.remove = true;
    if ((!change.in_settings && !nobodys_successor(call, &change, err)) ||
        !commit(call, &change, err))
        return false;
    call->note = arena_fmt(call->arena, "model \"" STR_FMT "\" removed", STR_ARG(call->values[0]));
    jw_object(&call->reply);
    reply_text(&call->reply, "name", call->values[0]);
    reply_bool(&call->reply, "removed", true);
    jw_object_end(&call->reply);
    return true;
}
