/* Schemas. Gemini's clients may write the OpenAPI subset (upper case types, nullable, int64 as text);
 * its providers take JSON schema in responseJsonSchema and parametersJsonSchema, but heed a part of its
 * keywords only. Both walks follow the places where schemas stand inside schemas. */
#include "models/gemini_internal.h"

#define DEPTH_MAX \
    48 /* of schemas inside schemas; the writer's nesting is 63 and ours is around it */

enum keyword_kind {
    WORD_KEEP,    /* as it is */
    WORD_SCHEMA,  /* a schema (or true, false) */
    WORD_SCHEMAS, /* an array of them */
    WORD_MAP,     /* an object of them */
    WORD_QUIET,   /* says nothing that would be enforced */
    WORD_LOST,
};

/* What Gemini's documentation of responseJsonSchema names; then annotations; all else is lost. */
static const struct keyword {
    const char *name;
    enum keyword_kind kind;
} keywords[] = {
    {"$id", WORD_KEEP},         {"$defs", WORD_MAP},
    {"definitions", WORD_MAP},  {"$ref", WORD_KEEP},
    {"$anchor", WORD_KEEP},     {"type", WORD_KEEP},
    {"format", WORD_KEEP},      {"title", WORD_KEEP},
    {"description", WORD_KEEP}, {"enum", WORD_KEEP},
    {"items", WORD_SCHEMA},     {"prefixItems", WORD_SCHEMAS},
    {"minItems", WORD_KEEP},    {"maxItems", WORD_KEEP},
    {"minimum", WORD_KEEP},     {"maximum", WORD_KEEP},
    {"anyOf", WORD_SCHEMAS},    {"oneOf", WORD_SCHEMAS},
    {"properties", WORD_MAP},   {"additionalProperties", WORD_SCHEMA},
    {"required", WORD_KEEP},    {"propertyOrdering", WORD_KEEP},
    {"$schema", WORD_QUIET},    {"$comment", WORD_QUIET},
    {"default", WORD_QUIET},    {"examples", WORD_QUIET},
    {"example", WORD_QUIET},    {"deprecated", WORD_QUIET},
    {"readOnly", WORD_QUIET},   {"writeOnly", WORD_QUIET},
};

static enum keyword_kind kind_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (str_eq(name, str_from(keywords[i].name)))
            return keywords[i].kind;
    return WORD_LOST;
}

struct walk {
    struct arena *arena;
    const struct json *json;
    struct json_writer w;
    bool reading; /* the client's subset -> JSON schema; else JSON schema -> what is heeded */
    struct str field;
    struct losses *losses;
};

static bool walk_schema(struct walk *k, json_ref v, int depth, struct err *err);

static bool walk_all(struct walk *k, json_ref v, bool is_map, int depth, struct err *err)
{
    if (is_map)
        jw_object(&k->w);
    else
        jw_array(&k->w);
    for (json_ref m = json_first(k->json, v); m; m = json_next(k->json, m)) {
        struct str key = json_key_raw(k->json, m);

        if (is_map)
            jw_key_raw(&k->w, key);
        if (!walk_schema(k, m, depth + 1, err))
            return false;
    }
    if (is_map)
        jw_object_end(&k->w);
    else
        jw_array_end(&k->w);
    return true;
}

static bool lose(struct walk *k, struct str name, struct err *err)
{
    struct str field;

    if (!k->losses)
        return true;
    field = arena_fmt(k->arena, STR_FMT "." STR_FMT, STR_ARG(k->field),
                      STR_ARG(str_slice(name, 0, 64)));
    if (!field.ptr)
        return err_arena(err, k->arena);
    return losses_note(k->losses, field, "gemini does not heed this keyword of a schema", err);
}

/* One value is an enumeration of one; Gemini knows those of text and numbers. */
static bool walk_const(struct walk *k, json_ref v, struct err *err)
{
    enum json_kind kind = json_kind(k->json, v);

    if (kind != JSON_STRING && kind != JSON_NUMBER)
        return lose(k, STR("const"), err);
    jw_key(&k->w, "enum");
    jw_array(&k->w);
    jw_raw(&k->w, json_raw(k->json, v));
    jw_array_end(&k->w);
    return true;
}

static bool walk_keyword(struct walk *k, json_ref v, int depth, struct err *err)
{
    struct str name = json_key_raw(k->json, v);
    enum keyword_kind kind = kind_of(name);
    enum json_kind is = json_kind(k->json, v);

    if (kind == WORD_QUIET)
        return true;
    if (str_eq(name, STR("const")))
        return walk_const(k, v, err);
    if (kind == WORD_LOST)
        return lose(k, name, err);
    jw_key_raw(&k->w, name);
    if (kind == WORD_SCHEMA && is == JSON_OBJECT)
        return walk_schema(k, v, depth + 1, err);
    if (kind == WORD_SCHEMAS && is == JSON_ARRAY)
        return walk_all(k, v, false, depth + 1, err);
    if (kind == WORD_MAP && is == JSON_OBJECT)
        return walk_all(k, v, true, depth + 1, err);
    jw_raw(&k->w, json_raw(k->json, v));
    return true;
}

/* {"allOf": [one]} is what generators write around a reference: its members stand in for it. */
static json_ref only_of_all(const struct walk *k, json_ref v)
{
    json_ref all = json_get(k->json, v, STR("allOf"));

    return json_count(k->json, all) == 1 && json_count(k->json, v) == 1 ? json_first(k->json, all)
                                                                        : 0;
}

/* ---- the client's subset ---- */

static void put_type(struct walk *k, json_ref type, bool nullable)
{
    struct str raw = json_raw(k->json, type);
    char lower[16];
    size_t len = MIN_OF(raw.len > 2 ? raw.len - 2 : 0, sizeof lower);

    for (size_t i = 0; i < len; i++)
        lower[i] = (char)(raw.ptr[1 + i] >= 'A' && raw.ptr[1 + i] <= 'Z' ? raw.ptr[1 + i] | 0x20
                                                                         : raw.ptr[1 + i]);
    jw_key(&k->w, "type");
    if (nullable)
        jw_array(&k->w);
    jw_str(&k->w, (struct str){lower, len});
    if (nullable) {
        jw_cstr(&k->w, "null");
        jw_array_end(&k->w);
    }
}

/* int64 comes as text in proto JSON: "minItems": "1". */
static bool is_count(struct str name)
{
    static const char *const names[] = {"minItems",  "maxItems",      "minLength",
                                        "maxLength", "minProperties", "maxProperties"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, str_from(names[i])))
            return true;
    return false;
}

static bool read_keyword(struct walk *k, json_ref v, bool nullable, int depth, struct err *err)
{
    struct str name = json_key_raw(k->json, v), raw = json_raw(k->json, v);
    enum json_kind is = json_kind(k->json, v);
    enum keyword_kind kind = kind_of(name);
    uint64_t count;

    if (str_eq(name, STR("nullable")) || str_eq(name, STR("propertyOrdering")) ||
        str_eq(name, STR("property_ordering")))
        return true;
    if (str_eq(name, STR("type")) && is == JSON_STRING) {
        put_type(k, v, nullable);
        return true;
    }
    jw_key_raw(&k->w, name);
    if (is_count(name) && is == JSON_STRING && u64_parse(str_slice(raw, 1, raw.len - 1), &count))
        jw_u64(&k->w, count);
    else if (kind == WORD_SCHEMA && is == JSON_OBJECT)
        return walk_schema(k, v, depth + 1, err);
    else if (kind == WORD_SCHEMAS && is == JSON_ARRAY)
        return walk_all(k, v, false, depth + 1, err);
    else if (kind == WORD_MAP && is == JSON_OBJECT)
        return walk_all(k, v, true, depth + 1, err);
    else
        jw_raw(&k->w, raw);
    return true;
}

static bool walk_schema(struct walk *k, json_ref v, int depth, struct err *err)
{
    bool nullable = false;
    json_ref only;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_INVALID, STR_FMT ": a schema nested deeper than %d",
                       STR_ARG(k->field), DEPTH_MAX);
    if (json_kind(k->json, v) != JSON_OBJECT) {
        jw_raw(&k->w, json_raw(k->json, v));
        return true;
    }
    only = k->reading ? 0 : only_of_all(k, v);
    if (json_kind(k->json, only) == JSON_OBJECT)
        return walk_schema(k, only, depth + 1, err);
    if (k->reading)
        (void)!json_bool(k->json, json_get(k->json, v, STR("nullable")), &nullable);
    jw_object(&k->w);
    for (json_ref m = json_first(k->json, v); m; m = json_next(k->json, m))
        if (!(k->reading ? read_keyword(k, m, nullable, depth, err)
                         : walk_keyword(k, m, depth, err)))
            return false;
    jw_object_end(&k->w);
    return true;
}

bool gemini_schema_read(struct arena *arena, const struct json *json, json_ref schema,
                        struct str *out, struct err *err)
{
    struct walk k = {.arena = arena, .json = json, .reading = true, .field = STR("schema")};
    struct buf b;

    buf_init(&b, arena, 8 * json_raw(json, schema).len + 64);
    jw_init(&k.w, &b);
    return walk_schema(&k, schema, 0, err) && buf_finish(&b, out, err);
}

bool gemini_schema_write(struct arena *arena, struct str schema, struct str field,
                         struct losses *losses, struct str *out, struct err *err)
{
    struct walk k = {.arena = arena, .field = field, .losses = losses};
    struct buf b;

    k.json = json_parse(arena, schema, err);
    if (!k.json)
        return err_wrap(err, STR_FMT, STR_ARG(field));
    buf_init(&b, arena, 8 * schema.len + 64);
    jw_init(&k.w, &b);
    return walk_schema(&k, json_root(k.json), 0, err) && buf_finish(&b, out, err);
}
