/* Bodies of /api/v1 against a shape with every kind of field: accepted is what a second reader of the rules
 * accepts, and what is refused says where and why. */
#include "app/schema.h"

#include <string.h>

#include "fuzz.h"

static const struct schema_field inner_fields[] = {
    {"name", FIELD_TEXT, 0, NULL, 1, 8, NULL, NULL},
    {"usd", FIELD_USD, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema inner = {"Inner", "", inner_fields, NULL};
static const struct schema_field base_fields[] = {
    {"id", FIELD_COUNT, 0, NULL, 1, 1000, NULL, NULL},
    {0},
};
static const struct schema base = {"Base", "", base_fields, NULL};
static const struct schema_field fields[] = {
    {"prose", FIELD_PROSE, FIELD_OPTIONAL, NULL, 0, 20, NULL, NULL},
    {"number", FIELD_NUMBER, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"is", FIELD_BOOL, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"when", FIELD_TIME, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"kind", FIELD_CHOICE, 0, NULL, 0, 0, "app|admin", NULL},
    {"one", FIELD_OBJECT, FIELD_OPTIONAL, NULL, 0, 0, NULL, &inner},
    {"list", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST, NULL, 0, 0, NULL, &inner},
    {"map", FIELD_TEXT, FIELD_OPTIONAL | FIELD_MAP, NULL, 0, 10, NULL, NULL},
    {"any", FIELD_ANY, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema outer = {"Outer", "", fields, &base};

static const struct schema_field *field_of(const struct schema *s, struct str name)
{
    for (; s; s = s->base)
        for (const struct schema_field *f = s->fields; f->name; f++)
            if (str_eq(str_from(f->name), name))
                return f;
    return NULL;
}

static void check_object(const struct schema *s, const struct json *j, json_ref v);

static void check_value(const struct schema_field *f, const struct json *j, json_ref v)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    enum json_kind kind = json_kind(j, v);
    struct str text;
    int64_t n;

    if (kind == JSON_NULL && f->flags & FIELD_NULL)
        return;
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_PROSE:
    case FIELD_TIME:
    case FIELD_CHOICE:
        ASSERT(json_str(j, v, arena, &text));
        ASSERT(f->max == 0 || ((int64_t)text.len >= f->min && (int64_t)text.len <= f->max));
        ASSERT(f->type != FIELD_TEXT || !memchr(text.ptr, '\n', text.len));
        ASSERT(f->type != FIELD_CHOICE || str_eq(text, STR("app")) || str_eq(text, STR("admin")));
        break;
    case FIELD_COUNT: ASSERT(json_i64(j, v, &n) && n >= f->min && n <= f->max); break;
    case FIELD_NUMBER:
    case FIELD_USD: ASSERT(kind == JSON_NUMBER); break;
    case FIELD_BOOL: ASSERT(kind == JSON_TRUE || kind == JSON_FALSE); break;
    case FIELD_OBJECT: check_object(f->schema, j, v); break;
    case FIELD_ANY: break;
    }
}

static void check_object(const struct schema *s, const struct json *j, json_ref v)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    ASSERT(json_kind(j, v) == JSON_OBJECT);
    for (const struct schema *up = s; up; up = up->base)
        for (const struct schema_field *f = up->fields; f->name; f++)
            ASSERT(f->flags & FIELD_OPTIONAL || json_get(j, v, str_from(f->name)));
    for (json_ref m = json_first(j, v); m; m = json_next(j, m)) {
        const struct schema_field *f = NULL;
        struct str key = json_key_raw(j, m);

        if (memchr(key.ptr, '\\', key.len))
            continue; /* written with escapes: the same name, another spelling */
        f = field_of(s, key);
        ASSERT(f);
        if (!(f->flags & (FIELD_LIST | FIELD_MAP))) {
            check_value(f, j, m);
            continue;
        }
        ASSERT(json_kind(j, m) == (f->flags & FIELD_LIST ? JSON_ARRAY : JSON_OBJECT));
        for (json_ref e = json_first(j, m); e; e = json_next(j, e))
            check_value(f, j, e);
    }
}

static void check_faults(const struct schema_faults *faults)
{
    ASSERT(faults->count >= 1 && faults->count <= FAULTS_MAX);
    for (size_t i = 0; i < faults->count; i++)
        ASSERT(faults->at[i].detail.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct schema_faults faults = {.arena = arena}, of_text = {.arena = arena};
    struct err err = {0};
    const struct json *j = json_parse(arena, text, &err);

    for (const struct schema_field *f = fields; f->name; f++)
        if (!schema_check_text(f, text, &of_text))
            ASSERT(of_text.count >= 1);
    if (!j)
        return 0;
    if (schema_check(&outer, j, json_root(j), &faults)) {
        ASSERT(faults.count == 0);
        check_object(&outer, j, json_root(j));
    } else {
        check_faults(&faults);
    }
    return 0;
}
