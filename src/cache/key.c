#include "cache/key.h"

#include <string.h>

const char *const key_ignored[] = {
    "weir",              /* our own options */
    "model",             /* counts as cache_identity.model and .target */
    "stream",            /* counts as cache_identity.stream, absent or false being the same */
    "user",              /* who asks, for the provider's abuse control */
    "safety_identifier", /* the same, newer */
    "metadata",          /* notes of the client for itself */
    "prompt_cache_key",  /* where the provider looks for the prompt's beginning: price, not words */
    "prompt_cache_retention",
    NULL,
};

/* The form: a letter for the kind, then what it holds; texts and containers with their length before
 * them, so that no value is the beginning of another. */
struct form {
    const struct json *json;
    struct arena *arena;
    struct buf to;
    bool failed; /* no memory for a text or for the order of members */
};

static void put_length(struct form *f, char kind, size_t n)
{
    uint32_t length = (uint32_t)n; /* JSON texts are below 4 GiB */

    buf_char(&f->to, kind);
    buf_put(&f->to, &length, sizeof length);
}

static void put_text(struct form *f, char kind, struct str s)
{
    put_length(f, kind, s.len);
    buf_str(&f->to, s);
}

/* ---- numbers: digits without zeros at either end, and the power of ten before them ---- */

static int64_t read_exponent(struct str digits)
{
    bool negative = digits.len > 0 && digits.ptr[0] == '-';
    int64_t n = 0;

    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] >= '0' && digits.ptr[i] <= '9' && n < INT64_MAX / 20)
            n = n * 10 + (digits.ptr[i] - '0');
    return negative ? -n : n;
}

static void put_number(struct form *f, struct str raw)
{
    size_t e = MIN_OF(str_find_char(raw, 'e'), str_find_char(raw, 'E'));
    int64_t power = e < raw.len ? read_exponent(str_slice(raw, e + 1, raw.len)) : 0;
    bool negative = raw.ptr[0] == '-', after_point = false;
    size_t from, zeros = 0;

    buf_char(&f->to, negative ? 'm' : 'n');
    from = f->to.len;
    for (size_t i = negative; i < e; i++) {
        char c = raw.ptr[i];

        if (c == '.') {
            after_point = true;
            continue;
        }
        power -= after_point;
        zeros = c == '0' ? zeros + 1 : 0;
        if (c != '0' || f->to.len > from)
            buf_char(&f->to, c);
    }
    zeros = MIN_OF(zeros, f->to.len - from);
    if (buf_ok(&f->to))
        f->to.len -= zeros;
    if (f->to.len == from) /* zero, whatever its sign: the providers know one */
        f->to.len -= buf_ok(&f->to), buf_char(&f->to, 'n'), power = 0, zeros = 0;
    power += (int64_t)zeros;
    buf_char(&f->to, 'e');
    buf_put(&f->to, &power, sizeof power);
}

/* ---- members in the order of their names ---- */

struct member {
    struct str name;
    json_ref value;
};

static bool is_ignored(struct str name)
{
    for (const char *const *at = key_ignored; *at; at++)
        if (str_is(name, *at))
            return true;
    return false;
}

/* The name as it is meant: escapes undone, by parsing it as a text of its own where there are any. */
static struct str name_of(struct form *f, json_ref member)
{
    struct str raw = json_key_raw(f->json, member), quoted, name = raw;
    struct err err = {0};

    if (str_find_char(raw, '\\') == raw.len)
        return raw;
    quoted = arena_fmt(f->arena, "\"" STR_FMT "\"", STR_ARG(raw));
    struct json *j = quoted.ptr ? json_parse(f->arena, quoted, &err) : NULL;
    if (!j || !json_str(j, json_root(j), f->arena, &name))
        f->failed = true;
    return name;
}

/* From the bottom up: stable, n log n, no recursion; clients may send a hundred thousand members. */
static struct member *sort(struct member *list, struct member *spare, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = at, middle = MIN_OF(at + width, count), right = middle;
            size_t end = MIN_OF(at + 2 * width, count);

            for (size_t to = at; to < end; to++) {
                bool take_left = left < middle &&
                                 (right >= end || str_cmp(list[left].name, list[right].name) <= 0);
                spare[to] = take_left ? list[left++] : list[right++];
            }
        }
        struct member *sorted = spare;
        spare = list;
        list = sorted;
    }
    return list;
}

static void put_value(struct form *f, json_ref v);

static void put_object(struct form *f, json_ref object, bool is_body)
{
    size_t room = json_count(f->json, object), count = 0, bytes;
    struct member *all = NULL; /* and room to sort them */

    if (size_mul(2 * room + 1, sizeof *all, &bytes))
        all = arena_alloc_raw(f->arena, bytes);
    if (!all) {
        f->failed = true;
        return;
    }
    for (json_ref v = json_first(f->json, object); v; v = json_next(f->json, v)) {
        struct str name = name_of(f, v);

        /* null says the same as nothing, at the top, in every dialect. */
        if (is_body && (is_ignored(name) || json_kind(f->json, v) == JSON_NULL))
            continue;
        all[count++] = (struct member){name, v};
    }
    struct member *sorted = sort(all, all + room, count);
    put_length(f, 'o', count);
    for (size_t i = 0; i < count; i++) {
        put_text(f, 'k', sorted[i].name);
        put_value(f, sorted[i].value);
    }
}

static void put_array(struct form *f, json_ref array)
{
    put_length(f, 'a', json_count(f->json, array));
    for (json_ref v = json_first(f->json, array); v; v = json_next(f->json, v))
        put_value(f, v);
}

/* As deep as the parser lets a text be. */
static void put_value(struct form *f, json_ref v)
{
    struct str s;

    switch (json_kind(f->json, v)) {
    case JSON_ABSENT:
    case JSON_NULL: buf_char(&f->to, 'z'); break;
    case JSON_FALSE: buf_char(&f->to, 'f'); break;
    case JSON_TRUE: buf_char(&f->to, 't'); break;
    case JSON_NUMBER: put_number(f, json_raw(f->json, v)); break;
    case JSON_STRING:
        if (json_str(f->json, v, f->arena, &s))
            put_text(f, 's', s);
        else
            f->failed = true;
        break;
    case JSON_ARRAY: put_array(f, v); break;
    case JSON_OBJECT: put_object(f, v, false); break;
    }
}

#define FORM_VERSION 1 /* another one makes every key another */

bool cache_key_of(struct arena *arena, const struct cache_identity *from, struct cache_key *out,
                  struct err *err)
{
    size_t mark = arena_mark(arena);
    struct form f = {.json = from->body, .arena = arena};
    struct sha256 sum;
    bool ok;

    ASSERT(json_kind(from->body, json_root(from->body)) == JSON_OBJECT);
    buf_init(&f.to, arena, SIZE_MAX / 2);
    (void)buf_room(&f.to, json_raw(from->body, json_root(from->body)).len + 256);
    put_length(&f, 'v', FORM_VERSION);
    put_text(&f, 's', from->space);
    put_text(&f, 's', from->dialect);
    put_text(&f, 's', from->model);
    put_text(&f, 's', from->target);
    put_text(&f, 's', from->variant);
    buf_char(&f.to, from->stream ? 't' : 'f');
    put_object(&f, json_root(from->body), true);
    ok = !f.failed && buf_ok(&f.to);
    if (ok) {
        sum = sha256(buf_view(&f.to));
        memcpy(out->bytes, sum.bytes, sizeof out->bytes);
    }
    arena_rewind(arena, mark);
    return ok || err_arena(err, arena);
}

void cache_key_write(const struct cache_key *key, char out[CACHE_KEY_TEXT])
{
    struct buf text;

    buf_init_fixed(&text, out, CACHE_KEY_TEXT);
    buf_hex(&text, key->bytes, sizeof key->bytes);
}

bool cache_key_read(struct str text, struct cache_key *out)
{
    return hex_parse(text, out->bytes, sizeof out->bytes);
}
