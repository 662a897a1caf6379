/* Tables of fields: the reader, the writer and the list of what a target has no field for. */
#include "models/dialect.h"

#include <math.h>
#include <string.h>

#define NUMBER_MAX 1e15 /* every integer below it is exact in a double */

/* ---- places in a conversation ---- */

#define PLACE(type)                                                  \
    static type *type##_at(struct conversation *c, uint16_t at)      \
    {                                                                \
        return (type *)(void *)((char *)c + at);                     \
    }                                                                \
    static type type##_of(const struct conversation *c, uint16_t at) \
    {                                                                \
        return *(const type *)(const void *)((const char *)c + at);  \
    }

PLACE(bool)
PLACE(int)
PLACE(int64_t)
PLACE(double)

#define AT(member) offsetof(struct conversation, member)

/* The integer that says nothing. */
static int64_t unsaid(uint16_t at)
{
    return at == AT(seed) ? SEED_UNSAID : -1;
}

static struct str *text_at(struct conversation *c, uint16_t at)
{
    return (struct str *)(void *)((char *)c + at);
}

static struct str text_of(const struct conversation *c, uint16_t at)
{
    return *(const struct str *)(const void *)((const char *)c + at);
}

/* ---- reading ---- */

static const char *prefix_of(const struct field_reader *r)
{
    return r->path ? r->path : "";
}

static COLD bool expected(const struct field_reader *r, const struct field *f, const char *what,
                          struct err *err)
{
    return err_set(err, ERR_INVALID, "%s%s: expected %s", prefix_of(r), f->name, what);
}

static COLD bool out_of_range(const struct field_reader *r, const struct field *f, const char *what,
                              struct err *err)
{
    if (f->min == 0 && f->max == 0)
        return expected(r, f, what, err);
    return err_set(err, ERR_INVALID, "%s%s: expected %s from %g to %g", prefix_of(r), f->name, what,
                   f->min, f->max);
}

static bool in_range(const struct field *f, double n)
{
    if (f->min == 0 && f->max == 0)
        return n > -NUMBER_MAX && n < NUMBER_MAX;
    return n >= f->min && n <= f->max;
}

static bool read_bool(const struct field_reader *r, json_ref v, const struct field *f, bool *out,
                      struct err *err)
{
    return json_bool(r->json, v, out) || expected(r, f, "true or false", err);
}

/* 100.0 is an integer too; a seed may need all 64 bits. */
bool fields_read_int(const struct field_reader *r, json_ref v, const struct field *f, int64_t *out,
                     struct err *err)
{
    double real;
    int64_t n;

    if (json_i64(r->json, v, &n)) {
        if ((f->min != 0 || f->max != 0) && !in_range(f, (double)n))
            return out_of_range(r, f, "an integer", err);
        *out = n;
        return true;
    }
    if (!json_f64(r->json, v, &real) || !in_range(f, real))
        return out_of_range(r, f, "an integer", err);
    if (floor(real) != real)
        return expected(r, f, "an integer, not a fraction", err);
    *out = (int64_t)real;
    return true;
}

static bool read_number(const struct field_reader *r, json_ref v, const struct field *f,
                        struct err *err)
{
    double n;

    if (!json_f64(r->json, v, &n) || !in_range(f, n))
        return out_of_range(r, f, "a number", err);
    *double_at(r->to, f->at) = n;
    return true;
}

static bool read_string(const struct field_reader *r, json_ref v, const struct field *f,
                        struct err *err)
{
    if (json_kind(r->json, v) != JSON_STRING)
        return expected(r, f, "a string", err);
    return json_str(r->json, v, r->arena, text_at(r->to, f->at)) || err_arena(err, r->arena);
}

/* Behind all there are; *tail stands somewhere in the list and moves on, so that many cost no more than few each. */
static bool keep_extra(const struct field_reader *r, json_ref v, struct extra ***tail,
                       struct err *err)
{
    struct extra *extra = arena_alloc(r->arena, sizeof *extra);

    if (!extra)
        return err_arena(err, r->arena);
    extra->name = json_key_raw(r->json, v);
    extra->raw = json_raw(r->json, v);
    while (**tail)
        *tail = &(**tail)->next;
    **tail = extra;
    return true;
}

static bool read_field(struct field_reader *r, json_ref v, const struct field *f,
                       struct extra ***tail, struct err *err)
{
    bool flag;

    switch (f->kind) {
    case FIELD_BOOL: return read_bool(r, v, f, bool_at(r->to, f->at), err);
    case FIELD_TRI:
        if (!read_bool(r, v, f, &flag, err))
            return false;
        *int_at(r->to, f->at) = flag;
        return true;
    case FIELD_INT: return fields_read_int(r, v, f, int64_t_at(r->to, f->at), err);
    case FIELD_NUMBER: return read_number(r, v, f, err);
    case FIELD_TEXT: return read_string(r, v, f, err);
    case FIELD_RAW: *text_at(r->to, f->at) = json_raw(r->json, v); return true;
    case FIELD_OWN: return !f->read || f->read(r, v, err);
    case FIELD_EXTRA:
    case FIELD_IGNORED: return keep_extra(r, v, tail, err);
    }
    return true;
}

static const struct field *find(const struct field *fields, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, fields[i].name))
            return &fields[i];
    return NULL;
}

bool fields_read(struct field_reader *r, json_ref object, const struct field *fields, size_t count,
                 struct err *err)
{
    struct extra **tail = &r->to->extras;

    for (json_ref v = json_first(r->json, object); v; v = json_next(r->json, v)) {
        struct str name = json_key_raw(r->json, v);
        const struct field *f = find(fields, count, name);

        if (json_kind(r->json, v) == JSON_NULL || (!f && str_eq(name, STR("weir"))))
            continue;
        if (!(f ? read_field(r, v, f, &tail, err) : keep_extra(r, v, &tail, err)))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static void write_tri(struct json_writer *w, const struct field *f, int value)
{
    if (value < 0)
        return;
    jw_key(w, f->name);
    jw_bool(w, value > 0);
}

static void write_text(struct json_writer *w, const struct field *f, struct str text)
{
    if (!text.ptr)
        return;
    jw_key(w, f->name);
    if (f->kind == FIELD_RAW)
        jw_raw(w, text);
    else
        jw_str(w, text);
}

static void write_field(struct json_writer *w, const struct conversation *c, const struct field *f)
{
    switch (f->kind) {
    case FIELD_BOOL:
        write_tri(w, f, bool_of(c, f->at) ? 1 : -1); /* false is what absent means */
        break;
    case FIELD_TRI: write_tri(w, f, int_of(c, f->at)); break;
    case FIELD_INT:
        if (int64_t_of(c, f->at) == unsaid(f->at))
            break;
        jw_key(w, f->name);
        jw_i64(w, int64_t_of(c, f->at));
        break;
    case FIELD_NUMBER:
        if (isnan(double_of(c, f->at)))
            break;
        jw_key(w, f->name);
        jw_f64(w, double_of(c, f->at));
        break;
    case FIELD_TEXT:
    case FIELD_RAW: write_text(w, f, text_of(c, f->at)); break;
    case FIELD_OWN:
    case FIELD_EXTRA:
    case FIELD_IGNORED: break;
    }
}

void fields_write(struct json_writer *w, const struct conversation *from,
                  const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_field(w, from, &fields[i]);
}

/* ---- losses ---- */

/* What may be asked beside turns, by its place; `dull` is what asks for nothing that would not happen
 * anyway. */
static const struct member {
    const char *name; /* as the chat dialect calls it */
    enum field_kind kind;
    uint16_t at;
    double dull;
    const char *dull_text;
} members[] = {
    {"parallel_tool_calls", FIELD_TRI, AT(parallel_tools), 1, NULL},
    {"max_tokens", FIELD_INT, AT(max_tokens), -1, NULL},
    {"n", FIELD_INT, AT(n), 1, NULL},
    {"seed", FIELD_INT, AT(seed), (double)SEED_UNSAID, NULL},
    {"top_k", FIELD_INT, AT(top_k), -1, NULL},
    {"logprobs", FIELD_TRI, AT(logprobs), 0, NULL},
    {"top_logprobs", FIELD_INT, AT(top_logprobs), 0, NULL},
    {"temperature", FIELD_NUMBER, AT(temperature), -1, NULL},
    {"top_p", FIELD_NUMBER, AT(top_p), -1, NULL},
    {"frequency_penalty", FIELD_NUMBER, AT(frequency_penalty), 0, NULL},
    {"presence_penalty", FIELD_NUMBER, AT(presence_penalty), 0, NULL},
    {"min_p", FIELD_NUMBER, AT(min_p), 0, NULL},
    {"reasoning_effort", FIELD_TEXT, AT(reasoning_effort), 0, NULL},
    {"reasoning_budget", FIELD_INT, AT(reasoning_budget), -1, NULL},
    {"reasoning_summary", FIELD_TEXT, AT(reasoning_summary), 0, NULL},
    {"user", FIELD_TEXT, AT(user), 0, NULL},
    {"service_tier", FIELD_TEXT, AT(service_tier), 0, "auto"},
    {"verbosity", FIELD_TEXT, AT(verbosity), 0, NULL},
    {"logit_bias", FIELD_RAW, AT(logit_bias), 0, "{}"},
    {"metadata", FIELD_RAW, AT(metadata), 0, "{}"},
    {"modalities", FIELD_RAW, AT(modalities), 0, "[\"text\"]"},
    {"audio", FIELD_RAW, AT(audio), 0, NULL},
    {"prediction", FIELD_RAW, AT(prediction), 0, NULL},
    {"suffix", FIELD_TEXT, AT(suffix), 0, ""},
    {"echo", FIELD_RAW, AT(echo), 0, "false"},
    {"dimensions", FIELD_INT, AT(dimensions), -1, NULL},
};

/* Members that no number or text says all of. */
static const struct {
    const char *name;
    uint16_t at;
} others[] = {
    {"tools", AT(tools)},
    {"tool_choice", AT(tool_choice)},
    {"response_format", AT(format)},
    {"stop", AT(stops)},
};

static bool asks(const struct conversation *c, const struct member *m)
{
    struct str text;

    switch (m->kind) {
    case FIELD_TRI: return int_of(c, m->at) >= 0 && int_of(c, m->at) != (int)m->dull;
    case FIELD_INT:
        return int64_t_of(c, m->at) != unsaid(m->at) && int64_t_of(c, m->at) != (int64_t)m->dull;
    case FIELD_NUMBER: return !isnan(double_of(c, m->at)) && double_of(c, m->at) != m->dull;
    default:
        text = text_of(c, m->at);
        return text.ptr && !(m->dull_text && str_eq(text, str_from(m->dull_text)));
    }
}

static bool asks_other(const struct conversation *c, uint16_t at)
{
    if (at == AT(tools))
        return c->tools != NULL;
    if (at == AT(tool_choice))
        return c->tool_choice == CHOOSE_ANY || c->tool_choice == CHOOSE_NAMED ||
               (c->tool_choice == CHOOSE_NONE && c->tools);
    if (at == AT(format))
        return c->format == FORMAT_JSON || c->format == FORMAT_SCHEMA;
    return c->stop_count > 0;
}

static bool covers(const struct field *fields, size_t count, uint16_t at)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].at == at && fields[i].kind != FIELD_IGNORED && fields[i].kind != FIELD_EXTRA)
            return true;
    return false;
}

/* The client's own word for it, where its table has one: of several the usual one, but for who asks in the older form. */
static struct str name_for(const struct conversation *c, uint16_t at, const char *usual)
{
    const struct field *first = NULL;

    for (size_t i = 0; c->spoken && i < c->spoken->field_count; i++) {
        const struct field *f = &c->spoken->fields[i];

        if (f->at != at || f->kind == FIELD_EXTRA || f->kind == FIELD_IGNORED)
            continue;
        if (!c->functions && strcmp(f->name, usual) == 0)
            return str_from(usual);
        first = first ? first : f;
    }
    return str_from(first ? first->name : usual);
}

#define NO_FIELD "the model's provider has no such field"

bool fields_losses(const struct conversation *from, const struct field *fields, size_t count,
                   struct losses *losses, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (asks(from, &members[i]) && !covers(fields, count, members[i].at) &&
            !losses_note(losses, name_for(from, members[i].at, members[i].name), NO_FIELD, err))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (asks_other(from, others[i].at) && !covers(fields, count, others[i].at) &&
            !losses_note(losses, name_for(from, others[i].at, others[i].name), NO_FIELD, err))
            return false;
    return true;
}

bool fields_lose(const struct conversation *from, const char *name, const char *why,
                 struct losses *losses, struct err *err)
{
    struct str told = str_from(name);

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (strcmp(members[i].name, name) == 0)
            told = name_for(from, members[i].at, name);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcmp(others[i].name, name) == 0)
            told = name_for(from, others[i].at, name);
    return losses_note(losses, told, why, err);
}

bool extras_losses(const struct conversation *from, struct losses *losses, struct err *err)
{
    for (const struct extra *e = from->extras; e; e = e->next)
        if (!losses_note(losses, e->name, NO_FIELD, err))
            return false;
    return true;
}
