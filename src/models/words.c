/* Parts that one dialect has and others do not, but that are words to everybody: results of a search that the client
 * made itself, documents in pieces. Other dialects get them as text; what of them is no words is named. */
#include "models/members.h"
#include "models/tools.h"

/* What of an object is no words: into what leftovers.c looks at, by the object's path below the part. */
static void keep_rest(struct arena *arena, const struct json *j, json_ref object, struct str path,
                      struct json_writer *rest)
{
    static const char *const told[] = {"type",    "text",    "title",        "source",
                                       "content", "context", "cache_control"};

    for (json_ref v = json_first(j, object); v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v), name;
        bool off = json_kind(j, json_get(j, v, STR("enabled"))) == JSON_FALSE;
        size_t i = 0;

        while (i < ARRAY_LEN(told) && !str_eq(key, str_from(told[i])))
            i++;
        if (i < ARRAY_LEN(told) || (str_eq(key, STR("citations")) && off))
            continue;
        name = arena_fmt(arena, STR_FMT STR_FMT, STR_ARG(path), STR_ARG(str_slice(key, 0, 60)));
        extras_write(rest, &(struct extra){.name = name, .raw = json_raw(j, v)});
    }
}

/* The texts of a list of blocks, a line each. False: something in it is no text. */
static bool join_texts(struct arena *arena, const struct json *j, json_ref list, struct buf *out,
                       struct json_writer *rest)
{
    struct str text;
    size_t i = 0;

    for (json_ref v = json_first(j, list); v; v = json_next(j, v), i++) {
        if (!json_str(j, json_get(j, v, STR("text")), arena, &text))
            return false;
        if (out->len)
            buf_char(out, '\n');
        buf_str(out, text);
        keep_rest(arena, j, v, arena_fmt(arena, "content.%zu.", i), rest);
    }
    return true;
}

static void put_line(struct arena *arena, const struct json *j, json_ref v, struct buf *out)
{
    struct str text;

    if (!json_str(j, v, arena, &text) || !text.len)
        return;
    if (out->len)
        buf_char(out, '\n');
    buf_str(out, text);
}

/* Anthropic: {"type":"search_result","source","title","content":[...]}, {"type":"document","source":{"type":"content",
 * "content":[...]},"title","context"}. Bedrock: {"searchResult":{"source","title","content":[...]}}. */
static bool read_words(struct arena *arena, const struct json *j, struct str *out, struct str *rest)
{
    json_ref root = json_root(j), at = json_get(j, root, STR("searchResult"));
    json_ref source = member(j, root, "source"), content;
    struct buf text, other;
    struct json_writer w;
    struct err unused = {0};

    buf_init(&text, arena, MADE_BYTES_MAX);
    buf_init(&other, arena, MADE_BYTES_MAX);
    jw_init(&w, &other);
    if (!at && member_is(j, root, "type", STR("search_result")))
        at = root;
    if (!at && !(member_is(j, root, "type", STR("document")) &&
                 member_is(j, source, "type", STR("content"))))
        return false;
    content = at ? member(j, at, "content") : member(j, source, "content");
    at = at ? at : root;
    put_line(arena, j, member(j, at, "title"), &text);
    put_line(arena, j, member(j, at, "source"), &text);
    put_line(arena, j, member(j, at, "context"), &text);
    jw_object(&w);
    keep_rest(arena, j, at, STR(""), &w);
    if (json_kind(j, content) == JSON_STRING)
        put_line(arena, j, content, &text);
    else if (!join_texts(arena, j, content, &text, &w))
        return false;
    jw_object_end(&w);
    return buf_finish(&text, out, &unused) && buf_finish(&other, rest, &unused);
}

static bool tell_part(struct arena *arena, struct part *part, struct err *err)
{
    struct str text, rest;
    struct json *j;

    if (part->kind != PART_OTHER || !part->extra.len)
        return true;
    j = json_parse(arena, part->extra, err);
    if (!j)
        return false;
    if (!read_words(arena, j, &text, &rest))
        return true;
    part->kind = PART_TEXT;
    part->text = text;
    part->extra = rest;
    return true;
}

static struct part *copy_parts(struct arena *arena, const struct part *from)
{
    struct part *first = NULL, **end = &first;

    for (const struct part *p = from; p; p = p->next) {
        *end = arena_alloc(arena, sizeof **end);
        if (!*end)
            return NULL;
        **end = *p;
        end = &(*end)->next;
    }
    return first;
}

static bool has_other(const struct part *parts)
{
    for (const struct part *p = parts; p; p = p->next)
        if (p->kind == PART_OTHER || has_other(p->inner))
            return true;
    return false;
}

static bool tell_turn(void *ctx, const struct turn *from, struct turn *to, struct err *err)
{
    struct arena *arena = ctx;
    struct part *parts;

    if (!has_other(from->parts))
        return true;
    parts = copy_parts(arena, from->parts);
    if (!parts)
        return err_arena(err, arena);
    to->parts = parts;
    for (struct part *p = parts; p; p = p->next) {
        struct part *inner = copy_parts(arena, p->inner);

        if (p->inner && !inner)
            return err_arena(err, arena);
        if (!tell_part(arena, p, err))
            return false;
        p->inner = inner;
        for (; inner; inner = inner->next)
            if (!tell_part(arena, inner, err))
                return false;
    }
    return true;
}

static bool all_fit(const struct conversation *in, const struct dialect *to)
{
    if (to == in->spoken || (in->spoken != &dialect_anthropic && in->spoken != &dialect_bedrock))
        return true;
    for (const struct turn *t = in->turns; t; t = t->next)
        if (has_other(t->parts))
            return false;
    return true;
}

bool words_fit(struct arena *arena, const struct conversation *in, const struct dialect *to,
               const struct conversation **out, struct err *err)
{
    *out = all_fit(in, to) ? in : conversation_rewrite(arena, in, tell_turn, arena, err);
    return *out != NULL;
}
