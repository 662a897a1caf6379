#include "app/schema.h"

#include "base/log.h"

#define NAME_BYTES_MAX 100 /* of a field's name in a fault: clients make names up */

static struct str shown(struct str s)
{
    return str_slice(s, 0, NAME_BYTES_MAX);
}

int choice_find(const char *choices, struct str text)
{
    struct str rest = str_from(choices), one;

    for (int i = 0; str_split(&rest, '|', &one); i++)
        if (str_eq(one, text))
            return i;
    return -1;
}

/* ---- checking ---- */

static bool fault(struct schema_faults *faults, struct str where, const char *fmt,
                  struct str detail)
{
    if (faults->count < FAULTS_MAX)
        faults->at[faults->count++] =
            (struct schema_fault){where, detail.ptr || !fmt ? detail : str_from(fmt)};
    return false;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

static int digits(struct str s, size_t from, size_t count)
{
    uint64_t n;
    struct str part = str_slice(s, from, from + count);

    return part.len == count && part.ptr[0] != '+' && u64_parse(part, &n) ? (int)n : -1;
}

/* RFC 3339, section 5.6, with the ranges of its section 5.7 except for leap seconds and months' ends. */
bool schema_is_time(struct str s)
{
    static const struct {
        uint8_t at, count;
        int most;
        char after;
    } parts[] = {{0, 4, 9999, '-'}, {5, 2, 12, '-'},  {8, 2, 31, 'T'},
                 {11, 2, 23, ':'},  {14, 2, 59, ':'}, {17, 2, 60, 0}};
    size_t at = 19;

    if (s.len <= at)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int n = digits(s, parts[i].at, parts[i].count);

        if (n < 0 || n > parts[i].most ||
            (parts[i].after && s.ptr[parts[i].at + parts[i].count] != parts[i].after))
            return false;
    }
    if (at < s.len && s.ptr[at] == '.')
        for (at++; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++) {
        }
    struct str zone = str_slice(s, at, s.len);
    if (str_eq(zone, STR("Z")))
        return true;
    if (zone.len != 6 || (zone.ptr[0] != '+' && zone.ptr[0] != '-') || zone.ptr[3] != ':')
        return false;
    int hours = digits(zone, 1, 2), minutes = digits(zone, 4, 2);

    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static struct str length_wanted(const struct schema_field *f, struct arena *arena)
{
    if (f->max <= 0)
        return arena_fmt(arena, "expected at least %" PRId64 " bytes", f->min);
    if (f->min == f->max)
        return arena_fmt(arena, "expected %" PRId64 " bytes", f->min);
    return arena_fmt(arena, "expected %" PRId64 " to %" PRId64 " bytes", f->min, f->max);
}

static bool text_fits(const struct schema_field *f, struct str s, struct str where,
                      struct schema_faults *faults)
{
    size_t most = f->max > 0 ? (size_t)f->max : SIZE_MAX;

    if (s.len < (size_t)f->min || s.len > most)
        return fault(faults, where, NULL, length_wanted(f, faults->arena));
    if (f->type == FIELD_TEXT && has_control(s))
        return fault(faults, where, "expected no control characters", STR_NONE);
    return true;
}

static bool count_fits(const struct schema_field *f, bool whole, int64_t n, struct str where,
                       struct schema_faults *faults)
{
    int64_t most = f->max > 0 ? f->max : INT64_MAX;

    if (whole && n >= f->min && n <= most)
        return true;
    return fault(faults, where, NULL,
                 f->max > 0
                     ? arena_fmt(faults->arena,
                                 "expected a whole number from %" PRId64 " to %" PRId64, f->min,
                                 f->max)
                     : arena_fmt(faults->arena, "expected a whole number from %" PRId64, f->min));
}

static bool choice_fits(const struct schema_field *f, struct str s, struct str where,
                        struct schema_faults *faults)
{
    if (choice_find(f->choices, s) >= 0)
        return true;
    return fault(faults, where, NULL, arena_fmt(faults->arena, "expected one of %s", f->choices));
}

static const char usd_expected[] = "expected US dollars such as 2.50, at most six decimals";

static bool string_fits(const struct schema_field *f, const struct json *j, json_ref v,
                        struct str where, struct schema_faults *faults)
{
    struct str s;

    if (!json_str(j, v, faults->arena, &s))
        return fault(faults, where, "expected a string", STR_NONE);
    if (f->type == FIELD_CHOICE)
        return choice_fits(f, s, where, faults);
    if (f->type == FIELD_TIME)
        return schema_is_time(s) ||
               fault(faults, where, "expected a time such as 2026-01-31T12:00:00Z", STR_NONE);
    return text_fits(f, s, where, faults);
}

static bool object_fits(const struct schema *schema, const struct json *j, json_ref v,
                        struct str where, struct schema_faults *faults);

static bool value_fits(const struct schema_field *f, const struct json *j, json_ref v,
                       struct str where, struct schema_faults *faults)
{
    int64_t n = 0;
    double number;
    bool truth, whole;
    usd_micro usd;

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_PROSE:
    case FIELD_CHOICE:
    case FIELD_TIME: return string_fits(f, j, v, where, faults);
    case FIELD_COUNT: whole = json_i64(j, v, &n); return count_fits(f, whole, n, where, faults);
    case FIELD_NUMBER:
        return json_f64(j, v, &number) || fault(faults, where, "expected a number", STR_NONE);
    case FIELD_USD:
        return (json_kind(j, v) == JSON_NUMBER && usd_parse(json_raw(j, v), &usd)) ||
               fault(faults, where, usd_expected, STR_NONE);
    case FIELD_BOOL:
        return json_bool(j, v, &truth) || fault(faults, where, "expected true or false", STR_NONE);
    case FIELD_OBJECT: return object_fits(f->schema, j, v, where, faults);
    case FIELD_ANY: return true;
    }
    return false;
}

static bool list_fits(const struct schema_field *f, const struct json *j, json_ref v,
                      struct str where, struct schema_faults *faults)
{
    bool ok = true, map = f->flags & FIELD_MAP;
    size_t i = 0;

    if (json_kind(j, v) != (map ? JSON_OBJECT : JSON_ARRAY))
        return fault(faults, where, map ? "expected an object" : "expected an array", STR_NONE);
    for (json_ref item = json_first(j, v); item; item = json_next(j, item), i++) {
        struct str place = map ? arena_fmt(faults->arena, STR_FMT "." STR_FMT, STR_ARG(where),
                                           STR_ARG(shown(json_key_raw(j, item))))
                               : arena_fmt(faults->arena, STR_FMT "[%zu]", STR_ARG(where), i);

        if (!value_fits(f, j, item, place, faults)) {
            ok = false;
            if (faults->count == FAULTS_MAX)
                break;
        }
    }
    return ok;
}

static const struct schema_field *find_field(const struct schema *schema, struct str name)
{
    for (; schema; schema = schema->base)
        for (const struct schema_field *f = schema->fields; f->name; f++)
            if (str_eq(str_from(f->name), name))
                return f;
    return NULL;
}

static struct str inside(struct schema_faults *faults, struct str where, struct str name)
{
    if (where.len == 0)
        return arena_str(faults->arena, name);
    return arena_fmt(faults->arena, STR_FMT "." STR_FMT, STR_ARG(where), STR_ARG(name));
}

static bool all_there(const struct schema *schema, const struct json *j, json_ref v,
                      struct str where, struct schema_faults *faults)
{
    bool ok = true;

    for (; schema; schema = schema->base)
        for (const struct schema_field *f = schema->fields; f->name; f++)
            if (!(f->flags & FIELD_OPTIONAL) && !json_get(j, v, str_from(f->name)))
                ok =
                    fault(faults, inside(faults, where, str_from(f->name)), "is missing", STR_NONE);
    return ok;
}

/* A misspelt limit must not look like one that is set: what no row names is a mistake. */
static bool object_fits(const struct schema *schema, const struct json *j, json_ref v,
                        struct str where, struct schema_faults *faults)
{
    bool ok;

    if (json_kind(j, v) != JSON_OBJECT)
        return fault(faults, where, "expected an object", STR_NONE);
    ok = all_there(schema, j, v, where, faults);
    for (json_ref m = json_first(j, v); m; m = json_next(j, m)) {
        struct str name = json_key_raw(j, m), place = inside(faults, where, shown(name));
        const struct schema_field *f = find_field(schema, name);

        if (!f)
            ok = fault(faults, place, "is not a field of this", STR_NONE);
        else if (json_kind(j, m) == JSON_NULL && f->flags & FIELD_NULL)
            continue;
        else if (f->flags & (FIELD_LIST | FIELD_MAP))
            ok &= list_fits(f, j, m, place, faults);
        else
            ok &= value_fits(f, j, m, place, faults);
    }
    return ok;
}

bool schema_check(const struct schema *schema, const struct json *j, json_ref v,
                  struct schema_faults *faults)
{
    return object_fits(schema, j, v, STR(""), faults);
}

bool schema_check_text(const struct schema_field *f, struct str value, struct schema_faults *faults)
{
    struct str where = str_from(f->name);
    int64_t n = 0;
    double number;
    usd_micro usd;
    bool whole;

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_PROSE: return text_fits(f, value, where, faults);
    case FIELD_CHOICE: return choice_fits(f, value, where, faults);
    case FIELD_TIME:
        return schema_is_time(value) ||
               fault(faults, where, "expected a time such as 2026-01-31T12:00:00Z", STR_NONE);
    case FIELD_COUNT: whole = i64_parse(value, &n); return count_fits(f, whole, n, where, faults);
    case FIELD_NUMBER:
        return f64_parse(value, &number) || fault(faults, where, "expected a number", STR_NONE);
    case FIELD_USD: return usd_parse(value, &usd) || fault(faults, where, usd_expected, STR_NONE);
    case FIELD_BOOL:
        return choice_find("true|false", value) >= 0 ||
               fault(faults, where, "expected true or false", STR_NONE);
    case FIELD_OBJECT:
    case FIELD_ANY: break;
    }
    return fault(faults, where, "expected no such parameter", STR_NONE);
}

/* ---- JSON Schema ---- */

static void write_type(struct json_writer *w, const char *type, bool null)
{
    jw_key(w, "type");
    if (!null) {
        jw_cstr(w, type);
        return;
    }
    jw_array(w);
    jw_cstr(w, type);
    jw_cstr(w, "null");
    jw_array_end(w);
}

static void write_range(struct json_writer *w, const struct schema_field *f, const char *least,
                        const char *most)
{
    jw_key(w, least), jw_i64(w, f->min);
    if (f->max > 0)
        jw_key(w, most), jw_i64(w, f->max);
}

static void write_choices(struct json_writer *w, const struct schema_field *f, bool null)
{
    struct str rest = str_from(f->choices), one;

    write_type(w, "string", null);
    jw_key(w, "enum");
    jw_array(w);
    while (str_split(&rest, '|', &one))
        jw_str(w, one);
    if (null)
        jw_null(w);
    jw_array_end(w);
}

static void write_reference(struct json_writer *w, const struct schema *schema)
{
    char text[160];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_fmt(&b, "#/components/schemas/%s", schema->name);
    jw_key(w, "$ref"), jw_str(w, buf_view(&b));
}

/* The keywords of one value. Bytes bound characters: a string of n bytes has at most n of them. */
static void write_value(struct json_writer *w, const struct schema_field *f, bool null)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_PROSE:
        write_type(w, "string", null);
        if (f->min > 0)
            jw_key(w, "minLength"), jw_i64(w, 1);
        if (f->max > 0)
            jw_key(w, "maxLength"), jw_i64(w, f->max);
        break;
    case FIELD_COUNT:
        write_type(w, "integer", null);
        write_range(w, f, "minimum", "maximum");
        break;
    case FIELD_NUMBER: write_type(w, "number", null); break;
    case FIELD_USD:
        write_type(w, "number", null);
        jw_key(w, "minimum"), jw_i64(w, 0);
        break;
    case FIELD_BOOL: write_type(w, "boolean", null); break;
    case FIELD_TIME:
        write_type(w, "string", null);
        jw_key(w, "format"), jw_cstr(w, "date-time");
        break;
    case FIELD_CHOICE: write_choices(w, f, null); break;
    case FIELD_OBJECT:
        if (null) {
            jw_key(w, "anyOf");
            jw_array(w);
            jw_object(w), write_reference(w, f->schema), jw_object_end(w);
            jw_object(w), write_type(w, "null", false), jw_object_end(w);
            jw_array_end(w);
        } else
            write_reference(w, f->schema);
        break;
    case FIELD_ANY: break;
    }
}

void schema_write_field(const struct schema_field *f, struct json_writer *w)
{
    bool null = f->flags & FIELD_NULL, list = f->flags & FIELD_LIST;

    jw_object(w);
    if (f->flags & (FIELD_LIST | FIELD_MAP)) {
        write_type(w, list ? "array" : "object", null);
        jw_key(w, list ? "items" : "additionalProperties");
        jw_object(w);
        write_value(w, f, false);
        jw_object_end(w);
    } else
        write_value(w, f, null);
    if (f->help)
        jw_key(w, "description"), jw_cstr(w, f->help);
    jw_object_end(w);
}

static void write_properties(const struct schema *schema, struct json_writer *w)
{
    if (schema->base)
        write_properties(schema->base, w);
    for (const struct schema_field *f = schema->fields; f->name; f++) {
        jw_key(w, f->name);
        schema_write_field(f, w);
    }
}

static void write_required(const struct schema *schema, struct json_writer *w)
{
    if (schema->base)
        write_required(schema->base, w);
    for (const struct schema_field *f = schema->fields; f->name; f++)
        if (!(f->flags & FIELD_OPTIONAL))
            jw_cstr(w, f->name);
}

void schema_write(const struct schema *schema, struct json_writer *w)
{
    jw_object(w);
    jw_key(w, "type"), jw_cstr(w, "object");
    if (schema->help)
        jw_key(w, "description"), jw_cstr(w, schema->help);
    jw_key(w, "properties");
    jw_object(w);
    write_properties(schema, w);
    jw_object_end(w);
    jw_key(w, "required");
    jw_array(w);
    write_required(schema, w);
    jw_array_end(w);
    jw_key(w, "additionalProperties"), jw_bool(w, false);
    jw_object_end(w);
}

static void walk(const struct schema *schema, void (*fn)(const struct schema *, void *ctx),
                 void *ctx, int depth)
{
    ASSERT(depth < 16); /* a table that refers to itself */
    for (const struct schema *s = schema; s; s = s->base)
        for (const struct schema_field *f = s->fields; f->name; f++)
            if (f->schema)
                walk(f->schema, fn, ctx, depth + 1);
    fn(schema, ctx);
}

void schema_walk(const struct schema *schema, void (*fn)(const struct schema *, void *ctx),
                 void *ctx)
{
    walk(schema, fn, ctx, 0);
}
