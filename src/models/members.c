#include "models/members.h"

#include <stdio.h>

#define PLACE_MAX 200 /* of a place in an error's text */

json_ref member(const struct json *j, json_ref object, const char *key)
{
    json_ref v = json_get(j, object, str_from(key));

    return json_kind(j, v) == JSON_NULL ? 0 : v;
}

static void put_place(struct buf *out, const struct at *at)
{
    if (at->up) {
        put_place(out, at->up);
        buf_char(out, '.');
    }
    if (at->key)
        buf_str(out, str_from(at->key));
    else
        buf_u64(out, at->index);
}

bool at_error(const struct at *at, const char *expected, struct err *err)
{
    char memory[PLACE_MAX];
    struct buf place;

    buf_init_fixed(&place, memory, sizeof memory);
    put_place(&place, at);
    return err_set(err, ERR_INVALID, STR_FMT ": %s", STR_ARG(buf_view(&place)), expected);
}

bool at_expected(const struct at *at, const char *what, struct err *err)
{
    char text[160];

    snprintf(text, sizeof text, "expected %s", what);
    return at_error(at, text, err);
}

struct str at_text(struct arena *arena, const struct at *at)
{
    char memory[PLACE_MAX];
    struct buf place;

    buf_init_fixed(&place, memory, sizeof memory);
    put_place(&place, at);
    return arena_str(arena, buf_view(&place));
}

bool member_text(const struct field_reader *r, json_ref object, const struct at *at,
                 struct str *out, struct err *err)
{
    json_ref v = member(r->json, object, at->key);

    if (!v)
        return true;
    if (json_kind(r->json, v) != JSON_STRING)
        return at_error(at, "expected a string", err);
    return json_str(r->json, v, r->arena, out) || err_arena(err, r->arena);
}

bool member_text_needed(const struct field_reader *r, json_ref object, const struct at *at,
                        struct str *out, struct err *err)
{
    if (!member(r->json, object, at->key))
        return at_error(at, "expected a string", err);
    return member_text(r, object, at, out, err);
}

bool member_flag(const struct field_reader *r, json_ref object, const struct at *at, int *out,
                 struct err *err)
{
    json_ref v = member(r->json, object, at->key);
    bool set;

    if (!v)
        return true;
    if (!json_bool(r->json, v, &set))
        return at_error(at, "expected true or false", err);
    *out = set;
    return true;
}

bool member_raw(const struct field_reader *r, json_ref object, const struct at *at,
                enum json_kind kind, struct str *out, struct err *err)
{
    json_ref v = member(r->json, object, at->key);

    if (!v)
        return true;
    if (json_kind(r->json, v) != kind)
        return at_error(at,
                        kind == JSON_OBJECT  ? "expected an object"
                        : kind == JSON_ARRAY ? "expected an array"
                                             : "expected another kind of value",
                        err);
    *out = json_raw(r->json, v);
    return true;
}

bool member_is(const struct json *j, json_ref object, const char *key, struct str word)
{
    json_ref v = json_get(j, object, str_from(key));
    struct str raw = json_kind(j, v) == JSON_STRING ? json_raw(j, v) : STR_NONE;

    return raw.len == word.len + 2 && str_eq(str_slice(raw, 1, raw.len - 1), word);
}

bool member_is_known(const char *const *known, struct str key)
{
    for (; *known; known++)
        if (str_eq(key, str_from(*known)))
            return true;
    return false;
}

/* Keys and values as they stand in the text, so escapes need no thought. */
bool members_unknown(const struct field_reader *r, json_ref object, const char *const *known,
                     struct str *out, struct err *err)
{
    struct buf text;

    buf_init(&text, r->arena, MADE_BYTES_MAX);
    for (json_ref v = json_first(r->json, object); v; v = json_next(r->json, v)) {
        struct str key = json_key_raw(r->json, v);

        if (member_is_known(known, key))
            continue;
        buf_str(&text, text.len ? STR(",\"") : STR("{\""));
        buf_str(&text, key);
        buf_str(&text, STR("\":"));
        buf_str(&text, json_raw(r->json, v));
    }
    if (text.len == 0)
        return true;
    buf_char(&text, '}');
    return buf_finish(&text, out, err);
}

/* The writer is told of one value: commas within are the text's own. */
static void begin_members(struct json_writer *w)
{
    ASSERT(w->depth > 0 && !w->after_key);
    if (w->has_items >> w->depth & 1)
        buf_char(w->to, ',');
    w->has_items |= (uint64_t)1 << w->depth;
}

/* Behind all there are: many cost no more than few each. */
static struct extra *add_inside(struct field_reader *r)
{
    struct extra *extra = arena_alloc(r->arena, sizeof *extra), **end = r->inside_end;

    for (end = end ? end : &r->to->inside; *end;)
        end = &(*end)->next;
    *end = extra;
    r->inside_end = end;
    return extra;
}

bool members_inside(struct field_reader *r, json_ref object, const char *const *known,
                    const char *field, struct err *err)
{
    for (json_ref v = json_first(r->json, object); v; v = json_next(r->json, v)) {
        struct str name = json_key_raw(r->json, v);
        struct extra *extra;

        if (member_is_known(known, name) || json_kind(r->json, v) == JSON_NULL)
            continue;
        extra = add_inside(r);
        name = arena_fmt(r->arena, "%s." STR_FMT, field, STR_ARG(str_slice(name, 0, 60)));
        if (!extra || !name.ptr)
            return err_arena(err, r->arena);
        *extra = (struct extra){.name = name, .raw = json_raw(r->json, v)};
    }
    return true;
}

bool members_lost(struct field_reader *r, json_ref object, const char *const *known,
                  const struct at *at, struct err *err)
{
    if (json_kind(r->json, object) != JSON_OBJECT)
        return true;
    for (json_ref v = json_first(r->json, object); v; v = json_next(r->json, v)) {
        struct str key = json_key_raw(r->json, v), place;
        struct extra *extra;

        if (member_is_known(known, key) || json_kind(r->json, v) == JSON_NULL)
            continue;
        extra = add_inside(r);
        place = at_text(r->arena, at);
        if (!extra || !place.ptr)
            return err_arena(err, r->arena);
        *extra = (struct extra){.raw = json_raw(r->json, v), .is_lost = true};
        extra->name = arena_fmt(r->arena, STR_FMT "." STR_FMT, STR_ARG(place),
                                STR_ARG(str_slice(key, 0, 60)));
        if (!extra->name.ptr)
            return err_arena(err, r->arena);
    }
    return true;
}

void members_write(struct json_writer *w, struct str extra)
{
    if (extra.len <= 2)
        return;
    begin_members(w);
    buf_str(w->to, str_slice(extra, 1, extra.len - 1));
}

void extras_write(struct json_writer *w, const struct extra *extras)
{
    for (; extras; extras = extras->next) {
        begin_members(w);
        buf_char(w->to, '"');
        buf_str(w->to, extras->name); /* escaped as it came */
        buf_str(w->to, STR("\":"));
        buf_str(w->to, extras->raw);
    }
}

static bool quote_broken(struct arena *arena, struct str arguments, struct str *out,
                         struct err *err)
{
    struct json_writer w;
    struct buf text;

    buf_init(&text, arena, MADE_BYTES_MAX);
    jw_init(&w, &text);
    jw_object(&w);
    jw_key(&w, "INVALID_JSON");
    jw_str(&w, arguments);
    jw_object_end(&w);
    return buf_finish(&text, out, err);
}

bool arguments_object(struct arena *arena, struct str arguments, struct str *out, struct err *err)
{
    static const struct json_limits kind = {
        .depth = 128, .nodes = 4000000, .lone_surrogates = true};
    struct err bad = {0};
    struct json *j;

    if (str_is_empty(str_trim(arguments))) {
        *out = STR("{}");
        return true;
    }
    j = json_parse_within(arena, arguments, &kind, &bad);
    if (!j && bad.code == ERR_EXHAUSTED) {
        *err = bad;
        return false;
    }
    if (!j || json_kind(j, json_root(j)) != JSON_OBJECT)
        return quote_broken(arena, arguments, out, err);
    *out = str_trim(arguments);
    return true;
}

struct turn *member_turn(const struct field_reader *r, struct turn ***end, enum turn_role role,
                         const struct at *at, struct err *err)
{
    struct turn *turn = turn_add(r->arena, end, role);

    if (turn)
        turn->path = at_text(r->arena, at);
    if (turn && turn->path.ptr)
        return turn;
    err_arena(err, r->arena);
    return NULL;
}

struct part *member_part(const struct field_reader *r, struct part ***end, enum part_kind kind,
                         struct err *err)
{
    struct part *part = part_add(r->arena, end, kind);

    if (!part)
        err_arena(err, r->arena);
    return part;
}

struct tool *member_tool(const struct field_reader *r, struct tool ***end, struct err *err)
{
    struct tool *tool = arena_alloc(r->arena, sizeof *tool);

    if (!tool) {
        err_arena(err, r->arena);
        return NULL;
    }
    tool->strict = -1;
    **end = tool;
    *end = &tool->next;
    return tool;
}
