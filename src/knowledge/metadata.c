#include "knowledge/metadata.h"

/* --- metadata --------------------------------------------------------------------------------- */

static bool is_plain(enum json_kind kind)
{
    return kind == JSON_STRING || kind == JSON_NUMBER || kind == JSON_TRUE || kind == JSON_FALSE;
}

static bool is_list_of_strings(const struct json *j, json_ref list)
{
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (json_kind(j, v) != JSON_STRING)
            return false;
    return true;
}

static bool check_member(const struct json *j, json_ref v, struct err *err)
{
    enum json_kind kind = json_kind(j, v);

    if (is_plain(kind) || (kind == JSON_ARRAY && is_list_of_strings(j, v)))
        return true;
    return err_set(err, ERR_INVALID,
                   "metadata \"" STR_FMT
                   "\": expected a string, a number, true, false or a list of strings",
                   STR_ARG(str_slice(json_key_raw(j, v), 0, 60)));
}

static void write_member(struct json_writer *w, const struct json *j, json_ref v)
{
    jw_key_raw(w, json_key_raw(j, v));
    if (json_kind(j, v) != JSON_ARRAY) {
        jw_raw(w, json_raw(j, v));
        return;
    }
    jw_array(w);
    for (json_ref item = json_first(j, v); item; item = json_next(j, item))
        jw_raw(w, json_raw(j, item));
    jw_array_end(w);
}

bool metadata_read(struct arena *arena, const struct json *j, json_ref object, struct str *out,
                   struct err *err)
{
    struct json_writer w;
    struct buf b;

    if (json_kind(j, object) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "metadata: expected an object");
    if (json_count(j, object) > METADATA_KEYS_MAX)
        return err_set(err, ERR_INVALID, "metadata: more than %u keys", METADATA_KEYS_MAX);
    if (json_raw(j, object).len > METADATA_BYTES_MAX)
        return err_set(err, ERR_INVALID, "metadata: more than %zu bytes", METADATA_BYTES_MAX);
    buf_init(&b, arena, METADATA_BYTES_MAX + 16);
    jw_init(&w, &b);
    jw_object(&w);
    for (json_ref v = json_first(j, object); v; v = json_next(j, v)) {
        if (!check_member(j, v, err))
            return false;
        write_member(&w, j, v);
    }
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

/* --- filters ---------------------------------------------------------------------------------- */

enum operator{
    EQUALS,
    NOT_EQUALS,
    GREATER,
    GREATER_OR_EQUAL,
    LESS,
    LESS_OR_EQUAL,
    IN,
    NOT_IN,
    STARTS_WITH,
    STRING_CONTAINS,
    LIST_CONTAINS,
    AND_ALL,
    OR_ALL,
    OPERATORS
};

/* What an operator's value may be. */
enum wants { WANTS_PLAIN, WANTS_ORDERED, WANTS_LIST, WANTS_STRING, WANTS_CONDITIONS };

static const struct {
    const char *name;
    enum wants wants;
} operators[OPERATORS] = {
    [EQUALS] = {"equals", WANTS_PLAIN},
    [NOT_EQUALS] = {"notEquals", WANTS_PLAIN},
    [GREATER] = {"greaterThan", WANTS_ORDERED},
    [GREATER_OR_EQUAL] = {"greaterThanOrEquals", WANTS_ORDERED},
    [LESS] = {"lessThan", WANTS_ORDERED},
    [LESS_OR_EQUAL] = {"lessThanOrEquals", WANTS_ORDERED},
    [IN] = {"in", WANTS_LIST},
    [NOT_IN] = {"notIn", WANTS_LIST},
    [STARTS_WITH] = {"startsWith", WANTS_STRING},
    [STRING_CONTAINS] = {"stringContains", WANTS_STRING},
    [LIST_CONTAINS] = {"listContains", WANTS_STRING},
    [AND_ALL] = {"andAll", WANTS_CONDITIONS},
    [OR_ALL] = {"orAll", WANTS_CONDITIONS},
};

struct metadata_filter {
    enum operator operator;
    const struct json *j;
    struct str key; /* decoded */
    json_ref value;
    struct metadata_filter **below; /* of andAll and orAll */
    size_t count;
};

struct reading {
    struct arena *arena;
    const struct json *j;
    uint32_t conditions;
};

static bool find_operator(struct str name, enum operator* out)
{
    for (int i = 0; i < OPERATORS; i++)
        if (str_eq(name, str_from(operators[i].name))) {
            *out = (enum operator)i;
            return true;
        }
    return false;
}

static bool is_list_of_plain(const struct json *j, json_ref list)
{
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (!is_plain(json_kind(j, v)))
            return false;
    return json_kind(j, list) == JSON_ARRAY;
}

static bool check_value(const struct json *j, const struct metadata_filter *f, struct err *err)
{
    static const char *const expected[] = {
        [WANTS_PLAIN] = "a string, a number, true or false",
        [WANTS_ORDERED] = "a number or a string",
        [WANTS_LIST] = "a list of strings, numbers, true or false",
        [WANTS_STRING] = "a string",
    };
    enum json_kind kind = json_kind(j, f->value);
    enum wants wants = operators[f->operator].wants;
    bool fits = (wants == WANTS_PLAIN && is_plain(kind)) ||
                (wants == WANTS_ORDERED && (kind == JSON_NUMBER || kind == JSON_STRING)) ||
                (wants == WANTS_LIST && is_list_of_plain(j, f->value)) ||
                (wants == WANTS_STRING && kind == JSON_STRING);

    return fits || err_set(err, ERR_INVALID, "filter: %s: value: expected %s",
                           operators[f->operator].name, expected[wants]);
}

static bool read_condition(struct reading *r, json_ref v, struct metadata_filter *out,
                           struct err *err)
{
    const char *name = operators[out->operator].name;
    json_ref key = json_get(r->j, v, STR("key"));

    out->value = json_get(r->j, v, STR("value"));
    if (json_kind(r->j, v) != JSON_OBJECT || json_kind(r->j, key) != JSON_STRING || !out->value ||
        json_count(r->j, v) != 2)
        return err_set(err, ERR_INVALID,
                       "filter: %s: expected {\"key\": \"...\", \"value\": ...} and nothing else",
                       name);
    return check_value(r->j, out, err) &&
           (json_str(r->j, key, r->arena, &out->key) || err_arena(err, r->arena));
}

static bool read_filter(struct reading *r, json_ref v, int depth, struct metadata_filter **out,
                        struct err *err);

static bool read_several(struct reading *r, json_ref list, int depth, struct metadata_filter *out,
                         struct err *err)
{
    const char *name = operators[out->operator].name;
    size_t count = json_count(r->j, list);

    if (json_kind(r->j, list) != JSON_ARRAY || count == 0)
        return err_set(err, ERR_INVALID, "filter: %s: expected a list of conditions", name);
    if (count > FILTER_CONDITIONS_MAX)
        return err_set(err, ERR_INVALID, "filter: more than %u conditions", FILTER_CONDITIONS_MAX);
    out->below = arena_array(r->arena, count, sizeof(struct metadata_filter *));
    if (!out->below)
        return err_arena(err, r->arena);
    for (json_ref v = json_first(r->j, list); v; v = json_next(r->j, v))
        if (!read_filter(r, v, depth + 1, &out->below[out->count++], err))
            return false;
    return true;
}

static bool read_filter(struct reading *r, json_ref v, int depth, struct metadata_filter **out,
                        struct err *err)
{
    struct metadata_filter *f = arena_alloc(r->arena, sizeof *f);
    json_ref operand = json_first(r->j, v);
    struct str name = json_key_raw(r->j, operand);

    if (!f)
        return err_arena(err, r->arena);
    if (json_kind(r->j, v) != JSON_OBJECT || json_count(r->j, v) != 1)
        return err_set(err, ERR_INVALID,
                       "filter: expected an object with one operator, such as {\"equals\": "
                       "{\"key\": \"team\", \"value\": \"claims\"}}");
    if (!find_operator(name, &f->operator))
        return err_set(err, ERR_INVALID,
                       "filter: unknown operator \"" STR_FMT
                       "\"; there are equals, notEquals, greaterThan, greaterThanOrEquals, "
                       "lessThan, lessThanOrEquals, in, notIn, startsWith, stringContains, "
                       "listContains, andAll, orAll",
                       STR_ARG(str_slice(name, 0, 40)));
    if (depth > FILTER_DEPTH_MAX)
        return err_set(err, ERR_INVALID, "filter: nested more than %d deep", FILTER_DEPTH_MAX);
    if (++r->conditions > FILTER_CONDITIONS_MAX)
        return err_set(err, ERR_INVALID, "filter: more than %u conditions", FILTER_CONDITIONS_MAX);
    f->j = r->j;
    *out = f;
    if (operators[f->operator].wants == WANTS_CONDITIONS)
        return read_several(r, operand, depth, f, err);
    return read_condition(r, operand, f, err);
}

bool metadata_filter_read(struct arena *arena, const struct json *j, json_ref v,
                          struct metadata_filter **out, struct err *err)
{
    struct reading r = {.arena = arena, .j = j};

    return read_filter(&r, v, 1, out, err);
}

/* --- does it fit ------------------------------------------------------------------------------ */

struct pair {
    const struct json *document, *filter;
    struct arena *arena;
};

static bool same(const struct pair *p, json_ref have, json_ref want)
{
    return json_equal(p->document, have, p->filter, want);
}

static bool among(const struct pair *p, json_ref have, json_ref list)
{
    for (json_ref v = json_first(p->filter, list); v; v = json_next(p->filter, v))
        if (same(p, have, v))
            return true;
    return false;
}

static bool strings(const struct pair *p, json_ref have, json_ref want, struct str *a,
                    struct str *b)
{
    return json_str(p->document, have, p->arena, a) && json_str(p->filter, want, p->arena, b);
}

/* -1, 0, 1; false: not to be compared. */
static bool order(const struct pair *p, json_ref have, json_ref want, int *out)
{
    struct str a, b;
    double x, y;

    if (json_f64(p->document, have, &x) && json_f64(p->filter, want, &y)) {
        *out = (x > y) - (x < y);
        return true;
    }
    if (!strings(p, have, want, &a, &b))
        return false;
    *out = str_cmp(a, b);
    return true;
}

static bool list_has(const struct pair *p, json_ref list, json_ref want)
{
    if (json_kind(p->document, list) != JSON_ARRAY)
        return false;
    for (json_ref v = json_first(p->document, list); v; v = json_next(p->document, v))
        if (same(p, v, want))
            return true;
    return false;
}

static bool condition_fits(const struct metadata_filter *f, const struct pair *p, json_ref have)
{
    struct str a, b;
    int way;

    switch (f->operator) {
    case EQUALS: return same(p, have, f->value);
    case NOT_EQUALS: return !same(p, have, f->value);
    case GREATER: return order(p, have, f->value, &way) && way > 0;
    case GREATER_OR_EQUAL: return order(p, have, f->value, &way) && way >= 0;
    case LESS: return order(p, have, f->value, &way) && way < 0;
    case LESS_OR_EQUAL: return order(p, have, f->value, &way) && way <= 0;
    case IN: return among(p, have, f->value);
    case NOT_IN: return !among(p, have, f->value);
    case STARTS_WITH: return strings(p, have, f->value, &a, &b) && str_starts(a, b);
    case STRING_CONTAINS:
        return list_has(p, have, f->value) ||
               (strings(p, have, f->value, &a, &b) && str_find(a, b) < a.len + (b.len == 0));
    case LIST_CONTAINS: return list_has(p, have, f->value);
    case AND_ALL:
    case OR_ALL:
    case OPERATORS: break;
    }
    return false;
}

static bool fits(const struct metadata_filter *f, const struct json *document, struct arena *arena)
{
    if (f->operator== AND_ALL || f->operator== OR_ALL) {
        bool all = f->operator== AND_ALL;

        for (size_t i = 0; i < f->count; i++)
            if (fits(f->below[i], document, arena) != all)
                return !all;
        return all;
    }
    json_ref have = document ? json_get(document, json_root(document), f->key) : 0;

    if (!have)
        return f->operator== NOT_EQUALS || f->operator== NOT_IN;
    return condition_fits(f, &(struct pair){document, f->j, arena}, have);
}

bool metadata_filter_fits(const struct metadata_filter *filter, struct arena *scratch,
                          struct str metadata)
{
    struct json *document = NULL;
    struct err err = {0};

    if (metadata.len > 0) {
        document = json_parse(scratch, metadata, &err);
        if (!document)
            return false;
    }
    return fits(filter, document, scratch);
}
