/* Reading the index: walking, decoding, comparing. */
#include <string.h>

#include "base/json_internal.h"
#include "base/scan.h"
#include "base/utf8.h"

static inline const struct node *node_at(const struct json *j, json_ref v)
{
    ASSERT(v < j->count);
    return &j->nodes[v];
}

json_ref json_root(const struct json *j)
{
    ASSERT(j->count > 1);
    return 1;
}

enum json_kind json_kind(const struct json *j, json_ref v)
{
    return node_kind(node_at(j, v));
}

size_t json_count(const struct json *j, json_ref container)
{
    return node_count(node_at(j, container));
}

json_ref json_first(const struct json *j, json_ref container)
{
    return node_count(node_at(j, container)) > 0 ? container + 1 : 0;
}

json_ref json_next(const struct json *j, json_ref v)
{
    const struct node *n = node_at(j, v);

    return n->bits & NODE_LAST ? 0 : n->up;
}

json_ref json_parent(const struct json *j, json_ref v)
{
    while (!(node_at(j, v)->bits & NODE_LAST))
        v = j->nodes[v].up;
    return j->nodes[v].up;
}

/* Nothing that stands unescaped in a text can be a quote, so the quote after key.len bytes ends the key. */
static inline bool key_is(struct str text, const struct node *n, struct str key)
{
    if (UNLIKELY(n->bits & NODE_KEY_ESC))
        return json_same_text(node_key(text, n), true, key, false);
    const char *at = text.ptr + n->key + 1;
    return key.len < n->start - n->key - 2 && at[key.len] == '"' && scan_same(at, key.ptr, key.len);
}

json_ref json_get(const struct json *j, json_ref object, struct str key)
{
    const struct node *nodes = j->nodes, *of = node_at(j, object);
    json_ref v = object + 1;

    if (node_kind(of) != JSON_OBJECT || node_count(of) == 0)
        return 0;
    while (!key_is(j->text, &nodes[v], key)) {
        if (nodes[v].bits & NODE_LAST)
            return 0;
        v = nodes[v].up;
    }
    return v;
}

static inline size_t place_of(struct str text, const struct node *n, const struct str *keys,
                              size_t count)
{
    struct str key = node_key(text, n);
    size_t i = 0;

    if (UNLIKELY(n->bits & NODE_KEY_ESC)) {
        while (i < count && !json_same_text(key, true, keys[i], false))
            i++;
        return i;
    }
    for (; i < count; i++)
        if (key.len == keys[i].len && scan_same(key.ptr, keys[i].ptr, key.len))
            break;
    return i;
}

void json_pick(const struct json *j, json_ref object, const struct str *keys, json_ref *out,
               size_t count)
{
    const struct node *nodes = j->nodes, *of = node_at(j, object);
    bool last = node_kind(of) != JSON_OBJECT || node_count(of) == 0;

    memset(out, 0, count * sizeof *out);
    for (json_ref v = object + 1; !last; v = nodes[v].up) {
        size_t i = place_of(j->text, &nodes[v], keys, count);

        if (i < count && !out[i])
            out[i] = v;
        last = nodes[v].bits & NODE_LAST;
    }
}

json_ref json_at(const struct json *j, json_ref array, size_t i)
{
    if (json_kind(j, array) != JSON_ARRAY || i >= json_count(j, array))
        return 0;
    json_ref v = json_first(j, array);
    while (i-- > 0)
        v = json_next(j, v);
    return v;
}

json_ref json_path(const struct json *j, const char *path)
{
    json_ref v = json_root(j);

    for (struct str rest = str_from(path), part; v && str_split(&rest, '.', &part);) {
        uint64_t i;

        if (json_kind(j, v) == JSON_ARRAY)
            v = u64_parse(part, &i) && i < SIZE_MAX ? json_at(j, v, (size_t)i) : 0;
        else
            v = json_get(j, v, part);
    }
    return v;
}

struct str json_key_raw(const struct json *j, json_ref member)
{
    const struct node *n = node_at(j, member);

    return n->bits & NODE_MEMBER ? node_key(j->text, n) : STR_NONE;
}

struct str json_raw(const struct json *j, json_ref v)
{
    const struct node *n = node_at(j, v);

    return v ? (struct str){j->text.ptr + n->start, n->end - n->start} : STR_NONE;
}

/* ---- decoding ---- */

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static uint32_t code_unit(const char *digits)
{
    return hex_digit(digits[0]) << 12 | hex_digit(digits[1]) << 8 | hex_digit(digits[2]) << 4 |
           hex_digit(digits[3]);
}

/* The character of the escapes at *at; a half of a pair that stands alone is U+FFFD. */
static uint32_t decode_units(const char **at, const char *end)
{
    uint32_t unit = code_unit(*at + 2), low;

    *at += 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0xfffd;
    low = code_unit(*at + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* Decode the escape at *at, which is known to be valid, into at most four bytes. */
static size_t decode_escape(const char **at, const char *end, char out[4])
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    char kind = (*at)[1];

    if (kind != 'u') {
        out[0] = plain[(uint8_t)kind];
        *at += 2;
        return 1;
    }
    return utf8_put(out, decode_units(at, end));
}

size_t json_unescape(struct str raw, char *out)
{
    const char *at = raw.ptr, *end = raw.ptr + raw.len;
    size_t len = 0;

    while (at < end) {
        const char *stop = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((stop ? stop : end) - at);
        char bytes[4];

        memcpy(out + len, at, plain);
        len += plain;
        if (!stop)
            break;
        at = stop;
        size_t count = decode_escape(&at, end, bytes);
        memcpy(out + len, bytes, count);
        len += count;
    }
    return len;
}

/* Gives the decoded bytes of a string one at a time, without memory. */
struct decoder {
    const char *at, *end;
    bool escaped;
    char pending[4];
    size_t pending_at, pending_count;
};

static int next_byte(struct decoder *d)
{
    if (d->pending_at < d->pending_count)
        return (uint8_t)d->pending[d->pending_at++];
    if (d->at == d->end)
        return -1;
    if (!d->escaped || *d->at != '\\')
        return (uint8_t)*d->at++;
    d->pending_count = decode_escape(&d->at, d->end, d->pending);
    d->pending_at = 1;
    return (uint8_t)d->pending[0];
}

bool json_same_text(struct str a, bool a_escaped, struct str b, bool b_escaped)
{
    if (LIKELY(!a_escaped && !b_escaped))
        return str_eq(a, b);
    struct decoder da = {.at = a.ptr, .end = a.ptr + a.len, .escaped = a_escaped};
    struct decoder db = {.at = b.ptr, .end = b.ptr + b.len, .escaped = b_escaped};
    int byte;

    do {
        byte = next_byte(&da);
        if (byte != next_byte(&db))
            return false;
    } while (byte >= 0);
    return true;
}

/* The inside of a string value. */
static struct str inside(const struct json *j, json_ref v)
{
    struct str raw = json_raw(j, v);

    return (struct str){raw.ptr + 1, raw.len - 2};
}

bool json_str(const struct json *j, json_ref v, struct arena *arena, struct str *out)
{
    if (json_kind(j, v) != JSON_STRING)
        return false;
    struct str raw = inside(j, v);
    if (!(j->nodes[v].bits & NODE_ESCAPED)) {
        *out = raw;
        return true;
    }
    char *decoded = arena_alloc_raw(arena, raw.len);
    if (!decoded)
        return false;
    *out = (struct str){decoded, json_unescape(raw, decoded)};
    return true;
}

bool json_i64(const struct json *j, json_ref v, int64_t *out)
{
    return json_kind(j, v) == JSON_NUMBER && i64_parse(json_raw(j, v), out);
}

bool json_f64(const struct json *j, json_ref v, double *out)
{
    return json_kind(j, v) == JSON_NUMBER && f64_parse(json_raw(j, v), out);
}

bool json_bool(const struct json *j, json_ref v, bool *out)
{
    enum json_kind kind = json_kind(j, v);

    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return false;
    *out = kind == JSON_TRUE;
    return true;
}

/* ---- equality by value ---- */

/* A number as sign, digits without zeros at either end, and the power of ten of the first digit. The
 * digits stay in the text, `skip` the point among them. */
struct decimal {
    bool negative;
    const char *at, *end; /* first and past the last digit that counts; equal for zero */
    int64_t power;
};

static int64_t exponent_of(struct str raw, size_t *mantissa_len)
{
    size_t e = MIN_OF(str_find_char(raw, 'e'), str_find_char(raw, 'E'));
    int64_t exponent = 0;
    bool negative = false;

    *mantissa_len = e;
    for (size_t i = e + 1; i < raw.len; i++) {
        if (raw.ptr[i] == '-')
            negative = true;
        else if (raw.ptr[i] != '+' && exponent < INT64_MAX / 20)
            exponent = exponent * 10 + (raw.ptr[i] - '0');
    }
    return negative ? -exponent : exponent;
}

static struct decimal decimal_of(struct str raw)
{
    struct decimal d = {.negative = *raw.ptr == '-'};
    size_t len;

    d.power = exponent_of(raw, &len);
    d.at = raw.ptr + d.negative;
    d.end = raw.ptr + len;
    const char *point = memchr(d.at, '.', (size_t)(d.end - d.at));
    d.power += (point ? point : d.end) - d.at;
    for (; d.at < d.end && (*d.at == '0' || *d.at == '.'); d.at++)
        d.power -= *d.at == '0';
    while (point && d.end > d.at && (d.end[-1] == '0' || d.end[-1] == '.'))
        if (*--d.end == '.')
            break;
    while (d.end > d.at && d.end[-1] == '0')
        d.end--;
    if (d.at == d.end)
        d = (struct decimal){.at = d.at, .end = d.at};
    return d;
}

static int next_digit(struct decimal *d)
{
    if (d->at < d->end && *d->at == '.')
        d->at++;
    return d->at < d->end ? *d->at++ : -1;
}

/* Exactly, at any length: 1.0 is 1e0 is 10E-1, and 2^53+1 is not 2^53. */
static bool same_number(struct str a, struct str b)
{
    struct decimal da, db;
    int digit;

    if (str_eq(a, b))
        return true;
    da = decimal_of(a), db = decimal_of(b);
    if (da.negative != db.negative || da.power != db.power)
        return false;
    do {
        digit = next_digit(&da);
        if (digit != next_digit(&db))
            return false;
    } while (digit >= 0);
    return true;
}

/* Equal apart from what containers hold. */
static bool same_alone(const struct json *a, json_ref va, const struct json *b, json_ref vb)
{
    enum json_kind kind = json_kind(a, va);

    if (kind != json_kind(b, vb) || json_count(a, va) != json_count(b, vb))
        return false;
    switch (kind) {
    case JSON_NUMBER: return same_number(json_raw(a, va), json_raw(b, vb));
    case JSON_STRING:
        return json_same_text(inside(a, va), a->nodes[va].bits & NODE_ESCAPED, inside(b, vb),
                              b->nodes[vb].bits & NODE_ESCAPED);
    case JSON_ABSENT:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return true;
}

static bool same_member_key(const struct json *a, json_ref va, const struct json *b, json_ref vb)
{
    const struct node *na = &a->nodes[va], *nb = &b->nodes[vb];

    return json_same_text(node_key(a->text, na), na->bits & NODE_KEY_ESC, node_key(b->text, nb),
                          nb->bits & NODE_KEY_ESC);
}

/* What stands for a's child va in the container of b whose child `near` is the likeliest one; 0 for
 * none. Objects have no order; in the same order the search is one step. */
static json_ref partner(const struct json *a, json_ref va, const struct json *b, json_ref near)
{
    if (!(a->nodes[va].bits & NODE_MEMBER) || !near)
        return near;
    if (same_member_key(a, va, b, near))
        return near;
    for (json_ref v = json_first(b, json_parent(b, near)); v; v = json_next(b, v))
        if (same_member_key(a, va, b, v))
            return v;
    return 0;
}

/* Climb from a finished pair to the next one: the pair of the next sibling, else the parents'. */
static bool next_pair(const struct json *a, json_ref top, json_ref *va, const struct json *b,
                      json_ref *vb)
{
    while (*va != top && !json_next(a, *va)) {
        *va = json_parent(a, *va);
        *vb = json_parent(b, *vb);
    }
    if (*va == top)
        return false;
    json_ref near = json_next(b, *vb);
    *va = json_next(a, *va);
    *vb = partner(a, *va, b, near ? near : *vb);
    return true;
}

bool json_equal(const struct json *a, json_ref va, const struct json *b, json_ref vb)
{
    json_ref top = va;

    for (;;) {
        if (!same_alone(a, va, b, vb))
            return false;
        if (json_count(a, va) > 0) {
            va = json_first(a, va);
            vb = partner(a, va, b, json_first(b, vb));
        } else if (!next_pair(a, top, &va, b, &vb)) {
            return true;
        }
    }
}
