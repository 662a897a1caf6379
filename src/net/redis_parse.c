#include "net/redis.h"

#define DEPTH_MAX      8
#define NUMBER_BYTES   64 /* of a number */
#define ITEMS_MAX      ((int64_t)1 << 20)
#define TEXT_BYTES_MAX ((int64_t)64 << 20)

struct parser {
    struct arena *arena;
    struct str bytes;
    size_t at, need;
    struct err *err;
};

static enum redis_parse bad(struct parser *p, const char *what)
{
    err_set(p->err, ERR_UNAVAILABLE, "the server's reply is not RESP: %s at byte %zu", what, p->at);
    return REDIS_BAD;
}

/* Up to CRLF; the parser stands behind it. */
static enum redis_parse read_line(struct parser *p, size_t max, struct str *out)
{
    size_t end = p->at;

    while (end < p->bytes.len && p->bytes.ptr[end] != '\r' && p->bytes.ptr[end] != '\n') {
        if (end - p->at >= max)
            return bad(p, "a line that is too long");
        end++;
    }
    if (end + 1 >= p->bytes.len) {
        p->need = end + 2;
        return end < p->bytes.len && p->bytes.ptr[end] == '\n' ? bad(p, "a bare line feed")
                                                               : REDIS_MORE;
    }
    if (p->bytes.ptr[end] != '\r' || p->bytes.ptr[end + 1] != '\n')
        return bad(p, "a line without CRLF");
    *out = str_slice(p->bytes, p->at, end);
    p->at = end + 2;
    return REDIS_OK;
}

static enum redis_parse read_number(struct parser *p, int64_t min, int64_t max, int64_t *out)
{
    struct str line;
    enum redis_parse did = read_line(p, NUMBER_BYTES, &line);

    if (did != REDIS_OK)
        return did;
    if (line.len > 1 && line.ptr[0] == '+')
        line = str_slice(line, 1, line.len);
    if (!i64_parse(line, out) || *out < min || *out > max)
        return bad(p, "a number out of range");
    return REDIS_OK;
}

static enum redis_parse keep(struct parser *p, struct str s, enum redis_kind kind,
                             struct redis_value *out)
{
    out->kind = kind;
    out->text = arena_str(p->arena, s);
    if (out->text.ptr)
        return REDIS_OK;
    err_arena(p->err, p->arena);
    return REDIS_BAD;
}

static enum redis_parse read_bulk(struct parser *p, enum redis_kind kind, bool verbatim,
                                  struct redis_value *out)
{
    int64_t length;
    enum redis_parse did = read_number(p, -1, TEXT_BYTES_MAX, &length);

    if (did != REDIS_OK || length < 0)
        return did; /* -1: nil in RESP2 */
    if (p->bytes.len - p->at < (size_t)length + 2) {
        p->need = p->at + (size_t)length + 2;
        return REDIS_MORE;
    }
    struct str text = str_slice(p->bytes, p->at, p->at + (size_t)length);
    p->at += (size_t)length;
    if (!str_eq(str_slice(p->bytes, p->at, p->at + 2), STR("\r\n")))
        return bad(p, "a text without its end");
    p->at += 2;
    if (verbatim && length >= 4) /* "txt:" */
        text = str_slice(text, 4, text.len);
    return keep(p, text, kind, out);
}

static enum redis_parse read_value(struct parser *p, int depth, struct redis_value *out);

static enum redis_parse read_items(struct parser *p, int64_t each, int depth,
                                   struct redis_value *out)
{
    int64_t count;
    enum redis_parse did = read_number(p, -1, ITEMS_MAX, &count);

    if (did != REDIS_OK || count < 0)
        return did;
    count *= each;
    if (depth >= DEPTH_MAX)
        return bad(p, "nesting that is too deep");
    if (p->bytes.len - p->at < (size_t)count * 3) { /* the least a value has */
        p->need = p->at + (size_t)count * 3;
        return REDIS_MORE;
    }
    out->kind = REDIS_ARRAY;
    out->items = arena_array(p->arena, (size_t)count + 1, sizeof *out->items);
    if (!out->items) {
        err_arena(p->err, p->arena);
        return REDIS_BAD;
    }
    for (out->count = 0; out->count < (size_t)count; out->count++) {
        did = read_value(p, depth + 1, &out->items[out->count]);
        if (did != REDIS_OK)
            return did;
    }
    return REDIS_OK;
}

static enum redis_parse read_bool(struct parser *p, struct redis_value *out)
{
    struct str line;
    enum redis_parse did = read_line(p, 1, &line);

    if (did != REDIS_OK)
        return did;
    if (!str_eq(line, STR("t")) && !str_eq(line, STR("f")))
        return bad(p, "a truth that is neither t nor f");
    *out = (struct redis_value){.kind = REDIS_INTEGER, .integer = line.ptr[0] == 't'};
    return REDIS_OK;
}

static enum redis_parse read_value(struct parser *p, int depth, struct redis_value *out)
{
    struct str line;
    enum redis_parse did;

    *out = (struct redis_value){.kind = REDIS_NIL};
    if (p->at >= p->bytes.len) {
        p->need = p->at + 3;
        return REDIS_MORE;
    }
    char type = p->bytes.ptr[p->at++];
    switch (type) {
    case '+':
    case '-':
    case ',':
    case '(':
        did = read_line(p, 4096, &line);
        return did == REDIS_OK ? keep(p, line, type == '-' ? REDIS_ERROR : REDIS_TEXT, out) : did;
    case ':': out->kind = REDIS_INTEGER; return read_number(p, INT64_MIN, INT64_MAX, &out->integer);
    case '$': return read_bulk(p, REDIS_TEXT, false, out);
    case '!': return read_bulk(p, REDIS_ERROR, false, out);
    case '=': return read_bulk(p, REDIS_TEXT, true, out);
    case '*':
    case '~': return read_items(p, 1, depth, out);
    case '%': return read_items(p, 2, depth, out);
    case '#': return read_bool(p, out);
    case '_': did = read_line(p, 0, &line); return did;
    }
    p->at--;
    return bad(p, "an unknown kind of value");
}

enum redis_parse redis_parse(struct arena *arena, struct str bytes, struct redis_value *out,
                             size_t *used, size_t *need, struct err *err)
{
    struct parser p = {.arena = arena, .bytes = bytes, .need = bytes.len + 1, .err = err};
    size_t mark = arena_mark(arena);
    enum redis_parse did = read_value(&p, 0, out);

    if (did == REDIS_OK)
        *used = p.at;
    else
        arena_rewind(arena, mark);
    *need = MAX_OF(p.need, bytes.len + 1);
    return did;
}
