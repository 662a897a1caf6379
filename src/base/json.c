/* The validating pass. One loop over values; open containers are linked through their own nodes, so
 * depth costs no stack.
 *
 *   begin_value --scalar, or empty container--> after_value --"," and maybe a key--> begin_value
 *        |                                        ^     |
 *        '--"{" or "[", maybe a key--> begin_value      '--"}" or "]": the container is a value
 *                                                          that just ended
 *
 * Functions that move on return the new position, or NULL after fail(). */
#include "base/json.h"

#include "base/hash.h"
#include "base/json_internal.h"
#include "base/scan.h"

#define DEPTH_DEFAULT   128
#define NODES_DEFAULT   (4u << 20)
#define NODES_FIRST_MAX 512
#define PAIRWISE_MAX    16 /* objects with more members go through a set of hashes */

struct parser {
    struct json *json;
    const char *start, *end;
    struct json_limits limits;
    bool escaped; /* the string passed last has a backslash */
    struct arena *arena;
    struct err *err;
};

/* Where the pass stands. Its address goes to no function that is called, so it lives in registers.
 * Of containers outside the innermost open one, `members` waits in their node's `end` and `keys` in
 * `outer`, by depth. */
struct walk {
    struct node *nodes;
    uint32_t count, cap;
    uint32_t open, depth; /* open: the innermost open container, 0 for none */
    uint32_t last;        /* the value that ended last, where siblings are to be linked */
    uint32_t members;     /* of `open`, so far */
    bool object;          /* `open` is one */
    uint64_t keys;        /* of `open`, each a bit; all set when two may be equal */
};

#define KEYS_SUSPECT UINT64_MAX
#define OUTER_MAX    32 /* objects nested deeper have their keys compared in any case */

/* Say where, in front of what err already says. */
static const char *fail_at(struct parser *p, const char *at)
{
    size_t line = 1;

    for (const char *c = p->start; c < at; c++)
        line += *c == '\n';
    err_wrap(p->err, "line %zu, byte %zu", line, (size_t)(at - p->start));
    return NULL;
}

static const char *fail(struct parser *p, const char *at, const char *what)
{
    err_set(p->err, ERR_INVALID, "%s", what);
    return fail_at(p, at);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline const char *skip_space(const char *at, const char *end)
{
    if (LIKELY(at < end && (uint8_t)*at > ' '))
        return at;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* ---- strings ---- */

/* Four hex digits, or -1. */
static int32_t hex4(const char *at, const char *end)
{
    uint8_t two[2];

    if (end - at < 4 || !hex_parse((struct str){at, 4}, two, 2))
        return -1;
    return two[0] << 8 | two[1];
}

/* at: past "\u". */
static const char *pass_code_unit(struct parser *p, const char *at)
{
    int32_t unit = hex4(at, p->end);

    if (unit < 0)
        return fail(p, at, "expected four hex digits after \\u");
    at += 4;
    if (unit < 0xd800 || unit > 0xdfff || p->limits.lone_surrogates)
        return at;
    if (unit > 0xdbff)
        return fail(p, at - 6, "the second half of a surrogate pair stands alone");
    int32_t low = p->end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2, p->end) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return fail(p, at - 6, "the first half of a surrogate pair stands alone");
    return at + 6;
}

/* at: the backslash. */
static inline const char *pass_escape(struct parser *p, const char *at)
{
    static const bool plain[256] = {['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
                                    ['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true};

    if (UNLIKELY(p->end - at < 2))
        return fail(p, p->end, "the text ends inside a string");
    if (LIKELY(plain[(uint8_t)at[1]]))
        return at + 2;
    if (at[1] == 'u')
        return pass_code_unit(p, at + 2);
    return fail(p, at, "unknown escape in a string");
}

/* at: past the opening quote. Returns the closing one, and whether there is a backslash.
 * Escapes are ASCII, so the string is validated as UTF-8 in one go, and only where it must be. */
static NOINLINE const char *pass_long_string(struct parser *p, const char *at)
{
    const char *from = at;
    bool high = false;

    p->escaped = false;
    for (;;) {
        at = scan_json_special(at, p->end, &high);
        if (UNLIKELY(at == p->end))
            return fail(p, at, "the text ends inside a string");
        if (*at == '"')
            break;
        if (*at != '\\')
            return fail(p, at, "a control character in a string must be escaped");
        p->escaped = true;
        if (UNLIKELY(!(at = pass_escape(p, at))))
            return NULL;
    }
    const char *bad = high ? scan_bad_utf8(from, at) : at;
    return LIKELY(bad == at) ? at : fail(p, bad, "invalid UTF-8");
}

/* The same: of most strings the first block holds the end, and all is plain. */
static inline const char *pass_string(struct parser *p, const char *at)
{
    if (LIKELY((size_t)(p->end - at) >= SCAN_BLOCK)) {
        size_t i = scan_json_end(scan_load(at));

        if (LIKELY(i < SCAN_BLOCK && at[i] == '"')) {
            p->escaped = false;
            return at + i;
        }
    }
    return pass_long_string(p, at);
}

/* ---- numbers and names ---- */

static const char *pass_digits(struct parser *p, const char *at, const char *missing)
{
    if (at == p->end || !is_digit(*at))
        return fail(p, at, missing);
    while (at < p->end && is_digit(*at))
        at++;
    return at;
}

static NOINLINE const char *pass_any_number(struct parser *p, const char *at)
{
    if (*at == '-')
        at++;
    if (at < p->end && *at == '0') {
        at++;
        if (at < p->end && is_digit(*at))
            return fail(p, at, "a number may not begin with 0");
    } else if (!(at = pass_digits(p, at, "expected a digit"))) {
        return NULL;
    }
    if (at < p->end && *at == '.') {
        if (!(at = pass_digits(p, at + 1, "expected a digit after the decimal point")))
            return NULL;
    }
    if (at < p->end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < p->end && (*at == '+' || *at == '-'))
            at++;
        at = pass_digits(p, at, "expected a digit in the exponent");
    }
    return at;
}

/* at: a digit or a minus. Most are integers. */
static inline const char *pass_number(struct parser *p, const char *at)
{
    const char *c = at;

    if (LIKELY(*c != '0')) {
        while (c < p->end && is_digit(*c))
            c++;
        if (LIKELY(c > at && c < p->end && *c != '.' && (*c | 0x20) != 'e'))
            return c;
    }
    return pass_any_number(p, at);
}

static inline const char *pass_word(struct parser *p, const char *at, struct str word)
{
    if ((size_t)(p->end - at) < word.len || memcmp(at, word.ptr, word.len) != 0)
        return fail(p, at, "expected a value");
    return at + word.len;
}

/* ---- keys given twice ---- */

/* Equal keys without escapes have equal prints; different ones hardly ever. Four bytes can always be
 * read: a quote, a colon, a value and a brace follow the key. */
static uint64_t key_print(struct str key)
{
    uint64_t len = (uint64_t)key.len * UINT64_C(0x9e3779b97f4a7c15);

    if (key.len < 4)
        return (load_le32(key.ptr) & ((UINT32_C(1) << 8 * key.len) - 1)) ^ len;
    return (load_le32(key.ptr) | (uint64_t)load_le32(key.ptr + key.len - 4) << 32) ^ len;
}

static const char *fail_twice(struct parser *p, const struct node *second)
{
    return fail(p, p->start + second->key, "this key was given before in the same object");
}

static bool same_key(const struct parser *p, const struct node *a, const struct node *b)
{
    return json_same_text(node_key(p->json->text, a), a->bits & NODE_KEY_ESC,
                          node_key(p->json->text, b), b->bits & NODE_KEY_ESC);
}

/* The members before `at`, one by one. */
static bool seen_before(const struct parser *p, uint32_t first, uint32_t at)
{
    const struct node *nodes = p->json->nodes;

    for (uint32_t v = first; v != at; v = nodes[v].up)
        if (same_key(p, &nodes[v], &nodes[at]))
            return true;
    return false;
}

/* Few members: compare prints, and the keys where prints agree or cannot tell. */
static bool check_few_keys(struct parser *p, uint32_t first)
{
    const struct node *nodes = p->json->nodes;
    uint64_t prints[PAIRWISE_MAX];
    bool escapes = false;
    int count = 0;

    for (uint32_t v = first;; v = nodes[v].up) {
        uint64_t print = key_print(node_key(p->json->text, &nodes[v]));
        bool suspect = false;

        escapes |= (nodes[v].bits & NODE_KEY_ESC) != 0;
        for (int i = 0; i < count; i++)
            suspect |= prints[i] == print;
        if (UNLIKELY(suspect || escapes) && seen_before(p, first, v))
            return fail_twice(p, &nodes[v]);
        prints[count++] = print;
        if (nodes[v].bits & NODE_LAST)
            return true;
    }
}

/* The hash of the decoded key; false when memory is gone. */
static bool key_hash(struct parser *p, const struct node *n, uint64_t *hash)
{
    struct str key = node_key(p->json->text, n);

    if (n->bits & NODE_KEY_ESC) {
        size_t mark = arena_mark(p->arena);
        char *decoded = arena_alloc_raw(p->arena, key.len);

        if (!decoded)
            return err_arena(p->err, p->arena);
        *hash = siphash((struct str){decoded, json_unescape(key, decoded)});
        arena_rewind(p->arena, mark);
    } else {
        *hash = siphash(key);
    }
    return true;
}

/* Many members: an open-addressing set of their nodes, at most half full. */
static bool check_many_keys_in(struct parser *p, uint32_t first, uint32_t *set, uint32_t mask)
{
    const struct node *nodes = p->json->nodes;

    for (uint32_t v = first;; v = nodes[v].up) {
        uint64_t hash = 0;

        if (!key_hash(p, &nodes[v], &hash))
            return false;
        uint32_t slot = (uint32_t)hash & mask;
        for (; set[slot]; slot = (slot + 1) & mask)
            if (same_key(p, &nodes[set[slot]], &nodes[v]))
                return fail_twice(p, &nodes[v]);
        set[slot] = v;
        if (nodes[v].bits & NODE_LAST)
            return true;
    }
}

static bool check_many_keys(struct parser *p, uint32_t first, uint32_t members)
{
    size_t mark = arena_mark(p->arena);
    uint32_t slots = 64;

    while (slots < 2 * members)
        slots *= 2;
    uint32_t *set = arena_array(p->arena, slots, sizeof *set);
    if (!set)
        return err_arena(p->err, p->arena);
    bool ok = check_many_keys_in(p, first, set, slots - 1);
    arena_rewind(p->arena, mark);
    return ok;
}

/* Which bit stands for a key, from its length and both ends: at least a quote is on either side. The
 * factors part the keys that requests and answers have. */
static inline uint32_t key_bit(const char *key, size_t len)
{
    return ((uint8_t)key[0] + 3u * (uint8_t)key[(ptrdiff_t)len - 1] + 9u * (uint32_t)len) % 64;
}

static NOINLINE bool check_keys(struct parser *p, uint32_t object, uint32_t members)
{
    if (members < 2)
        return true;
    return members <= PAIRWISE_MAX ? check_few_keys(p, object + 1)
                                   : check_many_keys(p, object + 1, members);
}

/* ---- the index ---- */

/* The limit on nodes is the largest capacity, so that counting and growing are one check. Returns the new
 * capacity, or 0. */
static NOINLINE uint32_t grow(struct parser *p, uint32_t had, const char *at)
{
    struct json *j = p->json;
    uint32_t cap_max = p->limits.nodes + 1;
    uint32_t cap = had > cap_max / 2 ? cap_max : had * 2;

    if (cap == had) {
        err_set(p->err, ERR_TOO_LARGE, "more than %" PRIu32 " values", p->limits.nodes);
        fail_at(p, at);
        return 0;
    }
    struct node *nodes = arena_grow(p->arena, j->nodes, had * sizeof *nodes, cap * sizeof *nodes);
    if (!nodes) {
        err_arena(p->err, p->arena);
        return 0;
    }
    j->nodes = nodes;
    return cap;
}

/* at: where a key is due. Leaves its place in *key, and returns where its value begins. */
static inline const char *pass_key(struct parser *p, struct walk *w, const char *at, uint32_t *key,
                                   uint32_t *bits)
{
    if (UNLIKELY(at == p->end || *at != '"'))
        return fail(p, at, "expected a key in quotes");
    const char *from = at + 1;
    *key = (uint32_t)(at - p->start);
    if (UNLIKELY(!(at = pass_string(p, from))))
        return NULL;
    *bits = p->escaped ? NODE_MEMBER | NODE_KEY_ESC : NODE_MEMBER;
    uint32_t bit = key_bit(from, (size_t)(at - from));
    if (UNLIKELY((w->keys >> bit & 1) || p->escaped))
        w->keys = KEYS_SUSPECT;
    w->keys |= UINT64_C(1) << bit;
    if (LIKELY(p->end - at > 2 && at[1] == ':' && (uint8_t)at[2] > ' '))
        return at + 2;
    at = skip_space(at + 1, p->end);
    if (UNLIKELY(at == p->end || *at != ':'))
        return fail(p, at, "expected \":\" after a key");
    return skip_space(at + 1, p->end);
}

static inline const char *pass_scalar(struct parser *p, const char *at, uint32_t *bits)
{
    if (*at == '"') {
        at = pass_string(p, at + 1);
        *bits |= p->escaped ? JSON_STRING | NODE_ESCAPED : JSON_STRING;
        return at ? at + 1 : NULL;
    }
    if (is_digit(*at) || *at == '-') {
        *bits |= JSON_NUMBER;
        return pass_number(p, at);
    }
    switch (*at) {
    case 't': *bits |= JSON_TRUE; return pass_word(p, at, STR("true"));
    case 'f': *bits |= JSON_FALSE; return pass_word(p, at, STR("false"));
    case 'n': *bits |= JSON_NULL; return pass_word(p, at, STR("null"));
    default: return fail(p, at, "expected a value");
    }
}

/* The value ends before `at` and counts for the open container. */
static inline void end_value(const struct parser *p, struct walk *w, uint32_t v, const char *at)
{
    w->nodes[v].end = (uint32_t)(at - p->start);
    w->members++;
    w->last = v;
}

/* at: past the closing bracket. */
static inline const char *close_container(struct parser *p, struct walk *w, uint64_t *outer,
                                          const char *at)
{
    struct node *nodes = w->nodes;
    uint32_t v = w->open, around = nodes[v].up;

    nodes[v].bits |= w->members << NODE_BITS;
    if (w->members > 0) {
        nodes[w->last].bits |= NODE_LAST;
        nodes[w->last].up = v;
        if (UNLIKELY(w->keys == KEYS_SUSPECT) && w->object && !check_keys(p, v, w->members))
            return NULL;
    }
    w->open = around;
    w->depth--;
    w->members = nodes[around].end;
    w->keys = w->depth < OUTER_MAX ? outer[w->depth] : KEYS_SUSPECT;
    w->object = node_kind(&nodes[around]) == JSON_OBJECT;
    end_value(p, w, v, at);
    return at;
}

/* A value has ended: pass a comma, or closing brackets and then a comma. Returns where the next
 * value is due; when no container is left open, where the root ended. */
static inline const char *after_value(struct parser *p, struct walk *w, uint64_t *outer,
                                      const char *at)
{
    while (w->open) {
        if (UNLIKELY(at < p->end && (uint8_t)*at <= ' '))
            at = skip_space(at, p->end);
        if (LIKELY(at < p->end && *at == ',')) {
            w->nodes[w->last].up = w->count;
            return skip_space(at + 1, p->end);
        }
        if (UNLIKELY(at == p->end || *at != (w->object ? '}' : ']')))
            return fail(p, at,
                        w->object ? "expected \",\" or \"}\" after a member"
                                  : "expected \",\" or \"]\" after an element");
        if (UNLIKELY(!(at = close_container(p, w, outer, at + 1))))
            return NULL;
    }
    return at;
}

/* at: the opening bracket of the newest value. Returns where its first value, or its end, is due. */
static inline const char *open_container(struct parser *p, struct walk *w, uint64_t *outer,
                                         uint32_t bits, const char *at)
{
    uint32_t v = w->count - 1;

    if (UNLIKELY(w->depth == p->limits.depth)) {
        err_set(p->err, ERR_TOO_LARGE, "nested deeper than %" PRIu32, p->limits.depth);
        return fail_at(p, at);
    }
    if (LIKELY(w->depth < OUTER_MAX))
        outer[w->depth] = w->keys;
    w->nodes[w->open].end = w->members;
    w->depth++;
    w->object = *at == '{';
    w->nodes[v].bits = bits | (w->object ? JSON_OBJECT : JSON_ARRAY);
    w->nodes[v].up = w->open;
    w->open = v;
    w->members = 0;
    w->keys = w->depth < OUTER_MAX ? 0 : KEYS_SUSPECT;
    return skip_space(at + 1, p->end);
}

/* at: where a value is due, with its key in an object. Returns what after_value() returns, or, when
 * a container opens, where its first value is due. */
static inline const char *pass_value(struct parser *p, struct walk *w, uint64_t *outer,
                                     const char *at)
{
    uint32_t key = 0, bits = 0, v = w->count;

    if (w->object) {
        if (UNLIKELY(!(at = pass_key(p, w, at, &key, &bits))))
            return NULL;
    }
    if (UNLIKELY(at == p->end))
        return fail(p, at, "expected a value");
    if (UNLIKELY(v == w->cap)) {
        if (!(w->cap = grow(p, w->cap, at)))
            return NULL;
        w->nodes = p->json->nodes;
    }
    w->count++;
    w->nodes[v].start = (uint32_t)(at - p->start); /* `end` and `up` when they are known */
    w->nodes[v].key = key;
    if (*at == '{' || *at == '[') {
        char close = *at == '{' ? '}' : ']';

        if (UNLIKELY(!(at = open_container(p, w, outer, bits, at))) || at == p->end || *at != close)
            return at;
        at = close_container(p, w, outer, at + 1);
    } else {
        if (UNLIKELY(!(at = pass_scalar(p, at, &bits))))
            return NULL;
        w->nodes[v].bits = bits;
        end_value(p, w, v, at);
    }
    return LIKELY(at) ? after_value(p, w, outer, at) : NULL;
}

static bool pass_text(struct parser *p, uint32_t *cap)
{
    struct walk w = {.nodes = p->json->nodes, .count = 1, .cap = *cap};
    const char *at = p->start;
    uint64_t outer[OUTER_MAX]; /* written before it is read */

    if (p->json->text.len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        return fail(p, at, "expected a value, not a byte order mark");
    at = skip_space(at, p->end);
    do
        at = pass_value(p, &w, outer, at);
    while (LIKELY(at) && w.open);
    if (!at)
        return false;
    p->json->count = w.count;
    *cap = w.cap;
    at = skip_space(at, p->end);
    if (at < p->end)
        return fail(p, at, "expected the end of the text after the value");
    return true;
}

/* Values are sparse in long texts, which are mostly one long string: begin small and double. */
static bool begin(struct parser *p, struct str text, uint32_t *cap)
{
    p->limits.nodes = MIN_OF(p->limits.nodes, NODES_MAX - 1);
    *cap = (uint32_t)MIN_OF(MIN_OF(text.len / 16 + 16, (size_t)NODES_FIRST_MAX),
                            (size_t)p->limits.nodes + 1);
    p->json = arena_alloc_raw(p->arena, sizeof *p->json);
    struct node *nodes = arena_alloc_raw(p->arena, *cap * sizeof *nodes);
    if (!p->json || !nodes)
        return err_arena(p->err, p->arena);
    nodes[0] = (struct node){0};
    *p->json = (struct json){.text = text, .nodes = nodes, .count = 1};
    return true;
}

/* Node 0 held what waits for the end of the root, and the unused capacity goes back. */
static void end_index(struct parser *p, uint32_t cap)
{
    struct json *j = p->json;
    struct node *nodes =
        arena_grow(p->arena, j->nodes, cap * sizeof *nodes, j->count * sizeof *nodes);

    if (nodes)
        j->nodes = nodes;
    j->nodes[0] = (struct node){0};
    j->nodes[1].bits |= NODE_LAST;
    j->nodes[1].up = 0;
}

struct json *json_parse_within(struct arena *arena, struct str text,
                               const struct json_limits *limits, struct err *err)
{
    struct parser p = {
        .start = text.ptr ? text.ptr : "", .limits = *limits, .arena = arena, .err = err};

    if (text.len >= UINT32_MAX) {
        err_set(err, ERR_TOO_LARGE, "JSON text of %zu bytes", text.len);
        return NULL;
    }
    text.ptr = p.start;
    p.end = p.start + text.len;
    uint32_t cap;
    if (!begin(&p, text, &cap) || !pass_text(&p, &cap))
        return NULL;
    end_index(&p, cap);
    return p.json;
}

struct json *json_parse(struct arena *arena, struct str text, struct err *err)
{
    return json_parse_within(
        arena, text, &(struct json_limits){.depth = DEPTH_DEFAULT, .nodes = NODES_DEFAULT}, err);
}
