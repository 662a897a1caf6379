/* POST /v1/embeddings: texts to vectors, as numbers or as base64 of 32-bit floats. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "models/openai_internal.h"

#define INPUTS_MAX     100000
#define REPLY_MAX      (256 * MIB) /* the request's arena is the limit */
#define DIMENSIONS_MAX 1e6

/* ---- requests ---- */

static bool read_input(struct field_reader *r, json_ref v, struct err *err)
{
    const struct json *j = r->json;
    enum json_kind kind = json_kind(j, v), first = json_kind(j, json_first(j, v));
    size_t count = kind == JSON_ARRAY ? json_count(j, v) : 1;

    if (kind != JSON_STRING &&
        !(kind == JSON_ARRAY &&
          (first == JSON_STRING || first == JSON_ARRAY || first == JSON_NUMBER)))
        return err_set(err, ERR_INVALID, "input: expected a string, strings or tokens");
    for (json_ref p = kind == JSON_ARRAY ? json_first(j, v) : 0; p; p = json_next(j, p))
        if (json_kind(j, p) != first)
            return err_set(err, ERR_INVALID, "input: expected all of one kind");
    if (count > INPUTS_MAX)
        return err_set(err, ERR_INVALID, "input: expected at most %d", INPUTS_MAX);
    r->to->inputs = json_raw(j, v);
    r->to->input_count = first == JSON_NUMBER ? 1 : (uint32_t)count;
    r->to->prompt_bytes += json_raw(j, v).len;
    return true;
}

static bool read_encoding(struct field_reader *r, json_ref v, struct err *err)
{
    struct str word = json_raw(r->json, v);

    if (!str_eq(word, STR("\"float\"")) && !str_eq(word, STR("\"base64\"")))
        return err_set(err, ERR_INVALID, "encoding_format: expected float or base64");
    r->to->encoding = str_slice(word, 1, word.len - 1);
    return true;
}

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
static const struct field fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, openai_read_model, "the model that is asked"},
    {"input", FIELD_OWN, AT(inputs), 0, 0, read_input,
     "a string, strings, tokens or lists of tokens"},
    {"dimensions", FIELD_INT, AT(dimensions), 1, DIMENSIONS_MAX, NULL,
     "how long the vectors are to be"},
    {"encoding_format", FIELD_OWN, AT(encoding), 0, 0, read_encoding, "float or base64"},
    {"user", FIELD_TEXT, AT(user), 0, 0, NULL, "who the end user is"},
};
/* clang-format on */

static bool read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err)
{
    struct conversation c;
    struct field_reader r = {.arena = arena, .json = json, .to = &c};

    if (!openai_read_fields(&r, &dialect_embeddings, ASK_EMBEDDING, "an embedding request", err))
        return false;
    if (!c.inputs.ptr)
        return err_set(err, ERR_INVALID, "input: expected a string, strings or tokens");
    *out = c;
    return true;
}

bool embeddings_write_request(struct arena *arena, const struct conversation *in,
                              const struct model *to, struct losses *losses, struct outgoing *out,
                              struct err *err)
{
    struct json_writer w;
    struct buf body;

    openai_body_begin(&w, &body, arena, to);
    jw_key(&w, "input");
    jw_raw(&w, in->inputs);
    if (in->encoding.ptr) {
        jw_key(&w, "encoding_format");
        jw_str(&w, in->encoding);
    }
    fields_write(&w, in, fields, ARRAY_LEN(fields));
    return fields_losses(in, fields, ARRAY_LEN(fields), losses, err) &&
           openai_body_end(&w, in, losses, "/embeddings", out, err);
}

/* ---- answers, read ---- */

bool embeddings_read_data(struct said_reader *r, const struct json *j, struct err *err)
{
    json_ref data = json_get(j, json_root(j), STR("data"));
    uint32_t i = 0;

    if (json_kind(j, data) != JSON_ARRAY)
        return err_set(err, ERR_UNAVAILABLE, "the answer cannot be read: it has no data");
    for (json_ref v = json_first(j, data); v; v = json_next(j, v), i++) {
        json_ref vector = json_get(j, v, STR("embedding"));
        struct said said = {.kind = SAID_VECTOR, .choice = i};
        int64_t index;

        if (json_i64(j, json_get(j, v, STR("index")), &index) && index >= 0 && index < INPUTS_MAX)
            said.choice = (uint32_t)index;
        if (json_kind(j, vector) == JSON_ARRAY)
            said.raw = json_raw(j, vector);
        else if (json_kind(j, vector) != JSON_STRING ||
                 !json_str(j, vector, r->scratch, &said.text))
            return err_set(err, ERR_UNAVAILABLE, "the answer cannot be read: a vector is missing");
        if (!openai_say(r, &said, err))
            return false;
    }
    return true;
}

/* ---- numbers and base64 ---- */

/* "[0.1,-2e-3]" to the base64 of little-endian floats. False: something in it is no finite number. */
static bool numbers_to_base64(struct buf *out, struct str array)
{
    uint8_t waiting[8];
    size_t count = 0;

    for (struct str rest = str_slice(array, 1, array.len - 1), cell;
         str_split(&rest, ',', &cell);) {
        double n = 0;
        float f;
        uint32_t bits;

        if (str_is_empty(str_trim(cell)))
            continue;
        if (!f64_parse(str_trim(cell), &n) || !(fabs(n) <= (double)FLT_MAX))
            return false;
        f = (float)n;
        memcpy(&bits, &f, sizeof bits);
        for (size_t i = 0; i < 4; i++)
            waiting[count++] = (uint8_t)(bits >> (8 * i));
        for (; count >= 3; count -= 3) {
            buf_base64(out, waiting, 3);
            memmove(waiting, waiting + 3, count - 3);
        }
    }
    if (count)
        buf_base64(out, waiting, count);
    return true;
}

static bool put_number(struct json_writer *w, const uint8_t bytes[4])
{
    uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                    (uint32_t)bytes[3] << 24;
    float f;

    memcpy(&f, &bits, sizeof f);
    if ((bits & 0x7f800000u) == 0x7f800000u) /* infinite or no number: JSON has no word for it */
        return false;
    jw_raw(w, STR(""));
    buf_fmt(w->to, "%.9g", (double)f); /* nine digits tell every float from its neighbours */
    return true;
}

static bool base64_to_numbers(struct json_writer *w, struct str text)
{
    uint32_t bits = 0;
    uint8_t bytes[4];
    size_t have = 0, filled = 0;

    jw_array(w);
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        int digit = base64_digit(text.ptr[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        bytes[filled++] = (uint8_t)(bits >> have);
        if (filled == sizeof bytes) {
            if (!put_number(w, bytes))
                return false;
            filled = 0;
        }
    }
    jw_array_end(w);
    return filled == 0;
}

/* ---- answers, written ---- */

struct telling {
    struct buf data;
    uint32_t count; /* of vectors */
    bool *seen;     /* of each text; NULL: nobody knows how many there are */
    struct usage usage;
};

static bool begin_telling(struct said_writer *sw, struct err *err)
{
    struct telling *own = arena_alloc(sw->arena, sizeof *own);

    if (!own)
        return err_arena(err, sw->arena);
    own->usage = usage_unknown;
    buf_init(&own->data, sw->arena, REPLY_MAX);
    if (sw->asked->input_count)
        own->seen = arena_array(sw->arena, sw->asked->input_count, sizeof *own->seen);
    if (sw->asked->input_count && !own->seen)
        return err_arena(err, sw->arena);
    sw->own = own;
    return true;
}

/* In the encoding that the client asked for, whichever the provider has. */
static bool write_vector(struct said_writer *sw, const struct said *said, struct err *err)
{
    struct telling *own = sw->own;
    bool wants_base64 = str_eq(sw->asked->encoding, STR("base64"));
    struct json_writer w;

    if (own->seen && (said->choice >= sw->asked->input_count || own->seen[said->choice]))
        return err_set(err, ERR_UNAVAILABLE,
                       "the answer cannot be read: a vector is of no text that was sent, or the "
                       "second of one");
    if (own->seen)
        own->seen[said->choice] = true;
    own->count++;
    if (own->data.len)
        buf_char(&own->data, ',');
    jw_init(&w, &own->data);
    jw_object(&w);
    jw_key(&w, "object");
    jw_cstr(&w, "embedding");
    jw_key(&w, "index");
    jw_i64(&w, said->choice);
    jw_key(&w, "embedding");
    if (said->raw.len > 1 && wants_base64) {
        jw_raw(&w, STR("\""));
        if (!numbers_to_base64(&own->data, said->raw))
            return err_set(err, ERR_UNAVAILABLE,
                           "the answer cannot be read: a vector holds what is no number");
        buf_char(&own->data, '"');
    } else if (said->raw.len) {
        jw_raw(&w, said->raw);
    } else if (wants_base64) {
        jw_str(&w, said->text);
    } else if (!base64_to_numbers(&w, said->text)) {
        return err_set(err, ERR_UNAVAILABLE, "the answer cannot be read: a vector is no base64");
    }
    jw_object_end(&w);
    return true;
}

static bool write_all(const struct said_writer *sw, struct buf *out, struct err *err)
{
    struct telling *own = sw->own;
    struct json_writer w;
    struct str data;

    if (sw->asked->input_count && own->count != sw->asked->input_count)
        return err_set(err, ERR_UNAVAILABLE,
                       "the answer cannot be read: it has %" PRIu32 " vectors for %" PRIu32
                       " texts",
                       own->count, sw->asked->input_count);
    if (!buf_finish(&own->data, &data, err))
        return false;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "object");
    jw_cstr(&w, "list");
    jw_key(&w, "data");
    jw_array(&w);
    jw_raw(&w, data);
    jw_array_end(&w);
    jw_key(&w, "model");
    jw_str(&w, sw->model);
    openai_write_read(&w, MAX_OF(own->usage.tokens_in, 0));
    openai_reply_end(&w, sw);
    return true;
}

static bool write_said(struct said_writer *sw, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct telling *own = sw->own;

    if (said->kind == SAID_VECTOR)
        return write_vector(sw, said, err);
    if (said->kind == SAID_USAGE)
        own->usage = said->usage;
    return said->kind != SAID_END || write_all(sw, out, err);
}

const struct dialect dialect_embeddings = {
    .name = "embeddings",
    .framing = FRAMING_SSE,
    .fields = fields,
    .field_count = ARRAY_LEN(fields),
    .read_request = read_request,
    .writer_init = begin_telling,
    .write_said = write_said,
    .carries = CARRIES(SAID_VECTOR) | CARRIES_CHOICES | CARRIES_MODALITIES | CARRIES_CACHE_WRITES,
    .stream_type = {"application/json", sizeof "application/json" - 1},
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
};
