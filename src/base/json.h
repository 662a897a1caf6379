/* base/json.h: one validating pass that indexes the text; edits are splices on the text.
 * RFC 8259, strictly: valid UTF-8, no BOM, no trailing bytes, lone surrogate escapes refused,
 * duplicate keys in one object refused (compared after unescaping). Numbers keep their text.
 * Every byte that is not edited is preserved.
 * Limits   text below 2^32-1 bytes, depth and node count by struct json_limits; past them ERR_TOO_LARGE.
 * Owner    the index lives in the arena; the text stays the caller's and must outlive it.
 * Errors   ERR_INVALID with the line (from 1), the byte offset in the text (from 0) and what was
 *          expected; never the text itself. */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"

enum json_kind {
    JSON_ABSENT,
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json;               /* a parsed text */
typedef uint32_t json_ref; /* a value in it; 0 is "absent" and safe to pass everywhere */

struct json_limits {
    uint32_t depth; /* nesting, default 128 */
    uint32_t nodes; /* values, default 4 million */
    /* Accept an escape such as \ud83c without its other half, as RFC 8259 section 8.2 lets a reader do:
     * for what providers send, whose streams split anywhere. Decoded it is U+FFFD. */
    bool lone_surrogates;
};

struct json *json_parse(struct arena *arena, struct str text, struct err *err) MUST_CHECK;
struct json *json_parse_within(struct arena *arena, struct str text,
                               const struct json_limits *limits, struct err *err) MUST_CHECK;

json_ref json_root(const struct json *j);
enum json_kind json_kind(const struct json *j, json_ref v);
json_ref json_get(const struct json *j, json_ref object,
                  struct str key); /* 0: absent, or no object */
/* The same of several keys, in one pass over the object: out[i] is 0 or the member called keys[i]. */
void json_pick(const struct json *j, json_ref object, const struct str *keys, json_ref *out,
               size_t count);
json_ref json_at(const struct json *j, json_ref array, size_t i);
json_ref json_path(const struct json *j,
                   const char *path); /* "choices.0.delta.content" from the root */
size_t json_count(const struct json *j, json_ref container);
/* for (json_ref v = json_first(j, c); v; v = json_next(j, v))  members or elements in text order */
json_ref json_first(const struct json *j, json_ref container);
json_ref json_next(const struct json *j, json_ref v);
/* As in the text: escapes kept, without the quotes; STR_NONE for what is no member. */
struct str json_key_raw(const struct json *j, json_ref member);
struct str json_raw(const struct json *j, json_ref v); /* the bytes of the value, quotes too */

/* Decoded; false when the kind or the range differs, or (strings) when memory is gone.
 * A string without escapes is a view of the text, else a copy in the arena. */
bool json_str(const struct json *j, json_ref v, struct arena *arena, struct str *out) MUST_CHECK;
bool json_i64(const struct json *j, json_ref v, int64_t *out)
    MUST_CHECK; /* "1", not "1.0" or "1e0" */
bool json_f64(const struct json *j, json_ref v, double *out) MUST_CHECK;
bool json_bool(const struct json *j, json_ref v, bool *out) MUST_CHECK;
/* By value: numbers exactly whatever their spelling, members in any order. Linear when the order is
 * the same, else quadratic in the members of one object. */
bool json_equal(const struct json *a, json_ref va, const struct json *b, json_ref vb);

/* An edit replaces, adds or removes one member or element. Give them all at once, in any order;
 * edits of the same value, or of a value and one inside it, contradict each other. */
enum json_edit_kind { JSON_REPLACE, JSON_ADD_MEMBER, JSON_REMOVE };
struct json_edit {
    enum json_edit_kind kind;
    json_ref at;      /* REPLACE, REMOVE: the value; ADD_MEMBER: the object (added last) */
    struct str key;   /* ADD_MEMBER: unescaped key, not yet present */
    struct str value; /* REPLACE, ADD_MEMBER: JSON text, trusted to be valid */
};
/* The text with the edits made, as one string in the arena. ERR_EXHAUSTED, or ERR_INTERNAL for edits
 * that have no place: an absent value, a key already there, a contradiction. */
bool json_splice(struct arena *arena, const struct json *j, const struct json_edit *edits,
                 size_t count, struct str *out, struct err *err) MUST_CHECK;
/* The same as pieces that view the old text and the edits: for writev without a copy.
 * At most 3 * count + 1 pieces; 0 where json_splice() would fail. */
size_t json_splice_pieces(struct arena *arena, const struct json *j, const struct json_edit *edits,
                          size_t count, struct str *pieces) MUST_CHECK;

/* Writer: commas and quoting are its business; nesting is checked by assertion. */
struct json_writer {
    struct buf *to;
    uint64_t has_items; /* a bit a level */
    int depth;          /* at most 63 */
    bool after_key;
};
void jw_init(struct json_writer *w, struct buf *to);
void jw_object(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_key_str(struct json_writer *w, struct str key);
void jw_key_raw(struct json_writer *w, struct str raw); /* of json_key_raw(): escapes stay */
void jw_str(struct json_writer *w, struct str s);       /* bad UTF-8 becomes U+FFFD */
void jw_cstr(struct json_writer *w, const char *s);
void jw_text(struct json_writer *w, const char *key, struct str text); /* key and text */
void jw_i64(struct json_writer *w, int64_t n);
void jw_u64(struct json_writer *w, uint64_t n);
void jw_f64(struct json_writer *w,
            double n); /* shortest that reads back; NaN and inf become null */
void jw_bool(struct json_writer *w, bool b);
void jw_null(struct json_writer *w);
void jw_usd(struct json_writer *w, usd_micro n);     /* 0.000123: dollars with six decimals */
void jw_raw(struct json_writer *w, struct str json); /* trusted JSON text */
void buf_json_str(struct buf *b, struct str s);      /* quoted and escaped */

#endif
