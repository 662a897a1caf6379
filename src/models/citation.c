#include "models/citation.h"

#include "models/members.h"

static bool text_of(const struct json *j, json_ref object, const char *key, struct arena *arena,
                    struct str *out, struct err *err)
{
    json_ref v = json_get(j, object, str_from(key));

    if (json_kind(j, v) != JSON_STRING)
        return true;
    return json_str(j, v, arena, out) || err_arena(err, arena);
}

static int64_t place_of(const struct json *j, json_ref object, const char *key)
{
    int64_t n;

    return json_i64(j, json_get(j, object, str_from(key)), &n) && n >= 0 ? n : -1;
}

bool citation_read(struct arena *arena, struct str raw, struct citation *out, struct err *err)
{
    static const char *const known[] = {"type",      "url",   "title",   "start_index",
                                        "end_index", "index", "file_id", "cited_text",
                                        "filename",  NULL};
    struct json *j = said_json(arena, raw, err); /* of a provider: as deep as its answer may be */
    json_ref from, nested;

    if (!j)
        return err_wrap(err, "a citation");
    *out = (struct citation){.start = -1, .end = -1};
    from = json_root(j);
    nested = json_get(j, from, STR("url_citation"));
    nested = nested ? nested : json_get(j, from, STR("file_citation"));
    from = nested ? nested : from;
    out->start = place_of(j, from, "start_index");
    out->end = place_of(j, from, "end_index");
    if (out->start < 0 && place_of(j, from, "index") >= 0) /* of a file: behind what it is for */
        out->start = out->end = place_of(j, from, "index");
    return text_of(j, from, "url", arena, &out->url, err) &&
           text_of(j, from, "title", arena, &out->title, err) &&
           (out->title.ptr || text_of(j, from, "filename", arena, &out->title, err)) &&
           text_of(j, from, "file_id", arena, &out->file_id, err) &&
           text_of(j, from, "cited_text", arena, &out->cited_text, err) &&
           members_unknown(&(struct field_reader){.arena = arena, .json = j}, from, known,
                           &out->rest, err);
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    if (!text.ptr)
        return;
    jw_key(w, key);
    jw_str(w, text);
}

static void put_place(struct json_writer *w, const char *key, int64_t n)
{
    if (n < 0)
        return;
    jw_key(w, key);
    jw_i64(w, n);
}

static const char *type_of(const struct citation *c)
{
    return c->url.len ? "url_citation" : "file_citation";
}

static void put_members(struct json_writer *w, const struct citation *c)
{
    bool url = c->url.len > 0;

    if (url)
        put_text(w, "url", c->url);
    put_text(w, url ? "title" : "filename", c->title);
    put_text(w, "file_id", c->file_id);
    if (!url)
        put_place(w, "index", c->end);
    put_place(w, "start_index", c->start);
    put_place(w, "end_index", c->end);
    put_text(w, "cited_text", c->cited_text);
    members_write(w, c->rest);
}

void citation_write(struct json_writer *w, const struct citation *c)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type_of(c));
    put_members(w, c);
    jw_object_end(w);
}

void citation_write_chat(struct json_writer *w, const struct citation *c)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type_of(c));
    jw_key(w, type_of(c));
    jw_object(w);
    put_members(w, c);
    jw_object_end(w);
    jw_object_end(w);
}

bool citation_raw(struct arena *arena, const struct citation *c, struct str *out, struct err *err)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, arena, MADE_BYTES_MAX);
    jw_init(&w, &b);
    citation_write(&w, c);
    return buf_finish(&b, out, err);
}

bool citation_place(const struct json *rest, const char *name, int64_t *out)
{
    return rest && json_i64(rest, json_get(rest, json_root(rest), str_from(name)), out);
}

void citation_lose(struct said_writer *w, const struct json *rest, const char *const *kept)
{
    for (json_ref v = rest ? json_first(rest, json_root(rest)) : 0; v; v = json_next(rest, v)) {
        struct str key = json_key_raw(rest, v);
        char memory[80];
        struct buf name;

        if (member_is_known(kept, key) || json_kind(rest, v) == JSON_NULL ||
            str_eq(json_raw(rest, v), STR("\"\"")))
            continue;
        buf_init_fixed(&name, memory, sizeof memory);
        buf_str(&name, STR("citations."));
        buf_str(&name, str_slice(key, 0, 48));
        said_lost(w, buf_view(&name));
    }
}
