/* POST /v1/moderations: a verdict for each text, or one for texts and pictures together. What a provider says of an
 * input goes to the client as it came; the house adds nothing but a `flagged` that Mistral leaves out. */
#include "models/moderation.h"

#include "models/openai_internal.h"

#define INPUTS_MAX 10000
#define REPLY_MAX  (256 * MIB) /* the request's arena is the limit */

/* ---- requests ---- */

static bool read_part(struct field_reader *r, json_ref part, size_t i, struct err *err)
{
    const struct json *j = r->json;
    struct str type = json_raw(j, json_get(j, part, STR("type")));
    json_ref text = json_get(j, part, STR("text"));
    json_ref url = json_get(j, json_get(j, part, STR("image_url")), STR("url"));

    if (str_eq(type, STR("\"text\""))) {
        r->to->prompt_bytes += openai_string_bytes(j, text);
        return json_kind(j, text) == JSON_STRING ||
               err_set(err, ERR_INVALID, "input.%zu.text: expected a string", i);
    }
    if (str_eq(type, STR("\"image_url\""))) {
        r->to->prompt_bytes += MEDIA_BYTES;
        return json_kind(j, url) == JSON_STRING ||
               err_set(err, ERR_INVALID, "input.%zu.image_url.url: expected a string", i);
    }
    return err_set(err, ERR_INVALID, "input.%zu.type: expected text or image_url", i);
}

/* Each text has a verdict of its own; parts have one together. */
static bool read_list(struct field_reader *r, json_ref list, struct err *err)
{
    const struct json *j = r->json;
    enum json_kind kind = json_kind(j, json_first(j, list));
    size_t i = 0;

    if (json_count(j, list) > INPUTS_MAX)
        return err_set(err, ERR_INVALID, "input: expected at most %d", INPUTS_MAX);
    for (json_ref v = json_first(j, list); v; v = json_next(j, v), i++) {
        if (json_kind(j, v) != kind)
            return err_set(err, ERR_INVALID, "input.%zu: expected all strings or all parts", i);
        if (kind == JSON_OBJECT && !read_part(r, v, i, err))
            return false;
        r->to->prompt_bytes += openai_string_bytes(j, v);
    }
    r->to->input_count = kind == JSON_STRING ? (uint32_t)i : 1;
    return true;
}

static bool read_input(struct field_reader *r, json_ref v, struct err *err)
{
    const struct json *j = r->json;
    enum json_kind first = json_kind(j, json_first(j, v));

    r->to->inputs = json_raw(j, v);
    if (json_kind(j, v) == JSON_ARRAY && (first == JSON_STRING || first == JSON_OBJECT))
        return read_list(r, v, err);
    if (json_kind(j, v) != JSON_STRING)
        return err_set(err, ERR_INVALID,
                       "input: expected a string, strings, or parts of type text and image_url");
    r->to->prompt_bytes += openai_string_bytes(j, v);
    r->to->input_count = 1;
    return true;
}

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
static const struct field fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, openai_read_model,
     "the model that is asked; " MODERATION_MODEL},
    {"input", FIELD_OWN, AT(inputs), 0, 0, read_input,
     "a string, strings, or parts of type text and image_url"},
    {"user", FIELD_TEXT, AT(user), 0, 0, NULL, "who the end user is"},
};
/* clang-format on */

static bool read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err)
{
    struct conversation c;
    struct field_reader r = {.arena = arena, .json = json, .to = &c};

    if (!openai_begin_fields(&r, &dialect_moderation, ASK_MODERATION, "a moderation request", err))
        return false;
    if (!c.model.ptr)
        c.model = STR(MODERATION_MODEL);
    if (!c.inputs.ptr)
        return err_set(err, ERR_INVALID,
                       "input: expected a string, strings, or parts of type text and image_url");
    *out = c;
    return openai_check_model(&c, err);
}

bool moderation_write_request(struct arena *arena, const struct conversation *in,
                              const struct model *to, struct losses *losses, struct outgoing *out,
                              struct err *err)
{
    struct json_writer w;
    struct buf body;

    openai_body_begin(&w, &body, arena, to);
    jw_key(&w, "input");
    jw_raw(&w, in->inputs);
    fields_write(&w, in, fields, ARRAY_LEN(fields));
    return fields_losses(in, fields, ARRAY_LEN(fields), losses, err) &&
           openai_body_end(&w, in, losses, "/moderations", out, err);
}

/* ---- answers, read ---- */

/* Mistral says no more than its categories: one that holds flags the input. */
static bool add_flag(struct said_reader *r, const struct json *j, json_ref result, struct str *raw,
                     struct err *err)
{
    json_ref categories = json_get(j, result, STR("categories"));
    bool flagged = false, holds;
    struct buf b;

    if (json_kind(j, categories) != JSON_OBJECT)
        return openai_unreadable(err, "a result has neither flagged nor categories");
    for (json_ref v = json_first(j, categories); v; v = json_next(j, v))
        flagged = flagged || (json_bool(j, v, &holds) && holds);
    buf_init(&b, r->scratch, raw->len + 32);
    buf_fmt(&b, "{\"flagged\":%s,", flagged ? "true" : "false");
    buf_str(&b, str_slice(*raw, 1, raw->len));
    return buf_finish(&b, raw, err);
}

bool moderation_read_results(struct said_reader *r, const struct json *j, struct err *err)
{
    static const char *const known[] = {"id", "model", "results", "usage", NULL};
    json_ref root = json_root(j), results = json_get(j, root, STR("results"));
    uint32_t i = 0;

    if (json_kind(j, results) != JSON_ARRAY)
        return openai_unreadable(err, "it has no results");
    for (json_ref v = json_first(j, results); v; v = json_next(j, v), i++) {
        struct said said = {.kind = SAID_VERDICT, .choice = i, .raw = json_raw(j, v)};
        bool flagged;

        if (json_kind(j, v) != JSON_OBJECT)
            return openai_unreadable(err, "a result is no object");
        if (!json_bool(j, json_get(j, v, STR("flagged")), &flagged) &&
            !add_flag(r, j, v, &said.raw, err))
            return false;
        if (!openai_say(r, &said, err))
            return false;
    }
    return said_others(r, j, root, known, "", err);
}

/* ---- answers, written ---- */

struct telling {
    struct buf results;
    uint32_t count;
    struct usage usage;
};

static bool begin_telling(struct said_writer *sw, struct err *err)
{
    struct telling *own = arena_alloc(sw->arena, sizeof *own);

    if (!own)
        return err_arena(err, sw->arena);
    *own = (struct telling){.usage = usage_unknown};
    buf_init(&own->results, sw->arena, REPLY_MAX);
    sw->own = own;
    return true;
}

static bool write_all(const struct said_writer *sw, struct buf *out, struct err *err)
{
    struct telling *own = sw->own;
    struct json_writer w;
    struct str results;
    char memory[80];
    struct buf id;

    if (own->count != sw->asked->input_count)
        return err_set(err, ERR_UNAVAILABLE,
                       "the answer cannot be read: it has %" PRIu32 " results for %" PRIu32
                       " inputs",
                       own->count, sw->asked->input_count);
    if (!buf_finish(&own->results, &results, err))
        return false;
    buf_init_fixed(&id, memory, sizeof memory);
    buf_fmt(&id, "modr-" STR_FMT, STR_ARG(str_slice(sw->id, 0, 64)));
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "id");
    jw_str(&w, buf_view(&id));
    jw_key(&w, "model");
    jw_str(&w, sw->model);
    jw_key(&w, "results");
    jw_array(&w);
    jw_raw(&w, results);
    jw_array_end(&w);
    if (own->usage.tokens_in >= 0)
        openai_write_usage(&w, &own->usage);
    openai_reply_end(&w, sw);
    return true;
}

static bool write_said(struct said_writer *sw, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct telling *own = sw->own;

    if (said->kind == SAID_VERDICT) {
        buf_str(&own->results, own->count++ ? STR(",") : STR_NONE);
        buf_str(&own->results, said->raw);
    }
    if (said->kind == SAID_USAGE)
        own->usage = said->usage;
    return said->kind != SAID_END || write_all(sw, out, err);
}

const struct dialect dialect_moderation = {
    .name = "moderation",
    .framing = FRAMING_SSE,
    .fields = fields,
    .field_count = ARRAY_LEN(fields),
    .read_request = read_request,
    .writer_init = begin_telling,
    .write_said = write_said,
    .carries = CARRIES(SAID_VERDICT) | CARRIES_CHOICES | CARRIES_MODALITIES | CARRIES_CACHE_WRITES,
    .stream_type = {"application/json", sizeof "application/json" - 1},
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
};
