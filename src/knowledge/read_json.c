/* JSON (RFC 8259), one value or several below each other: each object is a row of its own values, led by the
 * way to it: "order.items[2].price: 35; name: Bag". */
#include "base/utf8.h"
#include "knowledge/document_internal.h"

#define DEPTH_MAX 100
#define PATH_MAX_ 500
#define ROW_BYTES 1000 /* then a new row: large objects are cut between their values */
#define KEY_MAX   200

struct reader {
    struct writer *w;
    struct str s;
    uint32_t at, to;
    int depth;
    struct buf path;
};

static bool read_value(struct reader *r, struct str key);

static bool fail(struct reader *r, const char *what)
{
    if (!r->w->problem) {
        r->w->problem = what;
        r->w->problem_at = r->at;
    }
    return false;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->to && (r->s.ptr[r->at] == ' ' || r->s.ptr[r->at] == '\n' ||
                             r->s.ptr[r->at] == '\r' || r->s.ptr[r->at] == '\t'))
        r->at++;
}

static char peek(struct reader *r)
{
    skip_space(r);
    return r->at < r->to ? r->s.ptr[r->at] : 0;
}

/* --- strings ---------------------------------------------------------------------------------- */

/* Past the string that begins here; *inside without its quotes. */
static bool take_string(struct reader *r, struct str *inside)
{
    uint32_t from = ++r->at;

    while (r->at < r->to && r->s.ptr[r->at] != '"')
        r->at += r->s.ptr[r->at] == '\\' ? 2 : 1;
    if (r->at >= r->to) {
        r->at = from;
        return fail(r, "not JSON: a string without an end");
    }
    *inside = str_slice(r->s, from, r->at++);
    return true;
}

static bool unit_at(struct str s, uint32_t *unit)
{
    uint8_t bytes[2];

    if (s.len < 6 || s.ptr[0] != '\\' || s.ptr[1] != 'u' ||
        !hex_parse(str_slice(s, 2, 6), bytes, 2))
        return false;
    *unit = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

/* One escape at the front of s as text; how many bytes of s it is. */
static uint32_t escape_at(struct str s, char text[4], size_t *len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/     ";
    size_t which = s.len > 1 ? str_find_char(STR("\"\\/bfnrt"), s.ptr[1]) : sizeof from;
    uint32_t high, low;

    *len = 1;
    text[0] = ' ';
    if (unit_at(s, &high)) {
        bool pair = high >= 0xD800 && high < 0xDC00 && unit_at(str_slice(s, 6, s.len), &low) &&
                    low >= 0xDC00 && low < 0xE000;
        uint32_t rune = pair ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) : high;

        if (rune >= ' ')
            *len = utf8_put(text, rune);
        if (!*len)
            *len = utf8_put(text, 0xFFFD);
        return pair ? 12 : 6;
    }
    if (which >= sizeof from - 1)
        return 1; /* no escape: what follows stands for itself, and may be longer than a byte */
    text[0] = to[which];
    return 2;
}

static void put_string(struct reader *r, struct str inside)
{
    uint32_t at = (uint32_t)(inside.ptr - r->s.ptr), end = at + (uint32_t)inside.len, from = at;

    while (at < end) {
        char text[4];
        size_t len;

        if (r->s.ptr[at] != '\\') {
            at++;
            continue;
        }
        if (at > from)
            writer_text(r->w, from, at - from);
        uint32_t width = escape_at(str_slice(r->s, at, end), text, &len);
        writer_put(r->w, (struct str){text, len}, at, width);
        at += width;
        from = at;
    }
    if (end > from)
        writer_text(r->w, from, end - from);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* "path.key: ", or "; key: " within a row. */
static void put_label(struct reader *r, struct str key)
{
    struct writer *w = r->w;
    bool fresh = !w->open || w->text.len > ROW_BYTES;

    if (fresh) {
        writer_begin(w, BLOCK_ROW, 1);
        w->block.place.label = arena_str(w->arena, buf_view(&r->path));
        if (r->path.len)
            writer_put(w, w->block.place.label, r->at, 0);
        if (r->path.len && key.len)
            writer_put(w, STR("."), r->at, 0);
    } else {
        writer_put(w, key.len ? STR("; ") : STR(", "), r->at, 0);
    }
    if (key.len)
        writer_put(w, key, r->at, 0);
    if (key.len || (fresh && r->path.len))
        writer_put(w, STR(": "), r->at, 0);
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

/* A number, true, false, null; what else stands bare is no JSON. */
static bool read_plain(struct reader *r, struct str key)
{
    uint32_t from = r->at, end = from;
    double number;

    while (end < r->to && is_plain(r->s.ptr[end]))
        end++;
    struct str word = str_slice(r->s, from, end);
    if (!str_eq(word, STR("true")) && !str_eq(word, STR("false")) && !str_eq(word, STR("null")) &&
        !f64_parse(word, &number))
        return fail(r, "not JSON: a value that is none");
    put_label(r, key);
    writer_text(r->w, from, end - from);
    r->at = end;
    return true;
}

static bool read_scalar(struct reader *r, struct str key)
{
    struct str inside;
    uint32_t at = r->at;

    if (peek(r) != '"')
        return read_plain(r, key);
    if (!take_string(r, &inside))
        return false;
    uint32_t after = r->at;
    r->at = at;
    if (inside.len) {
        put_label(r, key);
        put_string(r, inside);
    }
    r->at = after;
    return true;
}

/* --- objects and arrays ----------------------------------------------------------------------- */

/* Enters a way; the value gives back where it began, for leave(). */
static size_t enter(struct reader *r, struct str key, int64_t index)
{
    size_t was = r->path.len;

    if (r->path.len + key.len + 24 > PATH_MAX_)
        return was; /* names deeper down are said without the rest of the way */
    if (index >= 0) {
        buf_fmt(&r->path, "[%" PRId64 "]", index);
    } else if (key.len) {
        if (r->path.len)
            buf_char(&r->path, '.');
        buf_str(&r->path, key);
    }
    return was;
}

/* A name as it is meant: programs that write ASCII alone escape what is none. */
static struct str unescaped(struct reader *r, struct str key)
{
    struct buf b;

    if (str_find_char(key, '\\') == key.len)
        return key;
    buf_init(&b, r->w->arena, 2 * key.len + 4);
    for (size_t at = 0; at < key.len;) {
        char text[4];
        size_t len;

        if (key.ptr[at] != '\\') {
            buf_char(&b, key.ptr[at++]);
            continue;
        }
        at += escape_at(str_slice(key, at, key.len), text, &len);
        buf_put(&b, text, len);
    }
    return buf_ok(&b) ? buf_view(&b) : key;
}

static bool read_member(struct reader *r)
{
    struct str key;

    if (peek(r) != '"')
        return fail(r, "not JSON: a member without a name");
    if (!take_string(r, &key))
        return false;
    if (peek(r) != ':')
        return fail(r, "not JSON: a member without a value");
    r->at++;
    key = unescaped(r, key);
    key = str_slice(key, 0, utf8_boundary(key, KEY_MAX));
    return read_value(r, key);
}

static bool read_elements(struct reader *r, char end, bool named)
{
    bool first = true;

    r->at++;
    writer_end(r->w);
    for (int64_t index = 0; peek(r) != end; index++) {
        bool ok;

        if (!first && peek(r) != ',')
            return fail(r, "not JSON: a comma is missing");
        if (!first)
            r->at++;
        first = false;
        if (named) {
            ok = read_member(r);
        } else {
            bool nested = peek(r) == '{' || peek(r) == '[';
            size_t was = nested ? enter(r, STR_NONE, index) : r->path.len;
            ok = read_value(r, STR_NONE);
            r->path.len = was;
        }
        if (!ok || r->w->failed)
            return false;
    }
    r->at++;
    writer_end(r->w);
    return true;
}

static bool read_value(struct reader *r, struct str key)
{
    char c = peek(r);

    if (c != '{' && c != '[')
        return read_scalar(r, key);
    if (r->depth == DEPTH_MAX)
        return fail(r, "JSON nested deeper than 100");
    size_t was = enter(r, key, -1);
    r->depth++;
    bool ok = read_elements(r, c == '{' ? '}' : ']', c == '{');
    r->depth--;
    r->path.len = was;
    return ok;
}

void read_json(struct writer *w, uint32_t from, uint32_t to)
{
    struct reader r = {.w = w, .s = w->source, .at = from, .to = to};
    char memory[PATH_MAX_ + 1];

    buf_init_fixed(&r.path, memory, sizeof memory);
    if (!peek(&r))
        fail(&r, "not JSON: nothing in it");
    while (!w->problem && !w->failed && peek(&r)) {
        r.path.len = 0;
        if (!read_value(&r, STR_NONE))
            return;
        writer_end(w);
    }
}
