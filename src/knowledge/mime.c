#include "knowledge/mime.h"

#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "knowledge/encoding.h"

#define HEADER_BYTES_MAX ((size_t)64 * KIB)
#define WORD_BYTES_MAX   1000 /* of an encoded word: 75 by the rules */

struct mime_part mime_split(struct str bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        struct str line = str_slice(bytes, at, bytes.len);
        size_t end = str_find_char(line, '\n');

        line = str_slice(line, 0, end);
        if (!line.len || str_eq(line, STR("\r")))
            return (struct mime_part){str_slice(bytes, 0, at),
                                      str_slice(bytes, at + end + 1, bytes.len)};
        at += end + 1;
    }
    return (struct mime_part){bytes, STR_NONE};
}

/* --- transfer encodings ----------------------------------------------------------------------- */

/* What is no digit is passed over: line ends, and what bad programs put between. */
static void put_base64(struct buf *to, struct str s)
{
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < s.len && s.ptr[i] != '='; i++) {
        int digit = base64_digit(s.ptr[i]);

        if (digit < 0)
            continue;
        bits = (bits << 6 | (uint32_t)digit) & 0xFFFFFF;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_char(to, (char)(bits >> have));
        }
    }
}

static void put_quoted(struct buf *to, struct str s, bool in_header)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte;
        struct str rest = str_slice(s, i + 1, s.len);

        if (s.ptr[i] == '_' && in_header) {
            buf_char(to, ' ');
        } else if (s.ptr[i] != '=') {
            buf_char(to, s.ptr[i]);
        } else if (hex_parse(str_slice(rest, 0, 2), &byte, 1)) {
            buf_char(to, (char)byte);
            i += 2;
        } else {
            size_t end = str_find_char(rest, '\n'); /* a soft line break */
            bool soft = str_is_empty(str_trim(str_slice(rest, 0, end)));
            if (soft)
                i += end + 1;
            else
                buf_char(to, '=');
        }
    }
}

bool mime_body(struct arena *arena, const struct mime_part *part, struct str *out, struct err *err)
{
    struct str how = mime_header(arena, part, "content-transfer-encoding");
    struct buf b;

    buf_init(&b, arena, part->body.len + 16);
    if (str_eq_nocase(how, STR("base64")))
        put_base64(&b, part->body);
    else if (str_eq_nocase(how, STR("quoted-printable")))
        put_quoted(&b, part->body, false);
    else {
        *out = part->body;
        return true;
    }
    return buf_finish(&b, out, err);
}

/* --- headers ---------------------------------------------------------------------------------- */

static bool put_converted(struct arena *arena, struct str bytes, struct str charset, struct buf *to)
{
    struct str text;
    struct err err = {0};

    if (!encoding_convert(arena, bytes, charset, &text, &err))
        return false;
    buf_str(to, text);
    return true;
}

/* "=?utf-8?Q?Caf=C3=A9?=" at the front: its bytes, or 0. A language may follow the charset, RFC 2231. */
static size_t put_encoded_word(struct arena *arena, struct str s, struct buf *to)
{
    struct str rest = str_slice(s, 2, MIN_OF(s.len, (size_t)WORD_BYTES_MAX)), charset, how, text;
    struct buf bytes;

    if (!str_starts(s, STR("=?")) || !str_split(&rest, '?', &charset) || !rest.ptr ||
        !str_split(&rest, '?', &how) || !rest.ptr || how.len != 1)
        return 0;
    size_t end = str_find(rest, STR("?="));
    if (end == rest.len)
        return 0;
    text = str_slice(rest, 0, end);
    buf_init(&bytes, arena, WORD_BYTES_MAX);
    if ((how.ptr[0] | 32) == 'b')
        put_base64(&bytes, text);
    else
        put_quoted(&bytes, text, true);
    charset = str_slice(charset, 0, str_find_char(charset, '*'));
    if (!put_converted(arena, buf_view(&bytes), charset, to))
        return 0;
    return (size_t)(text.ptr + text.len + 2 - s.ptr);
}

/* Space between two encoded words is none. */
static struct str decode_words(struct arena *arena, struct str s)
{
    struct buf b;
    bool after_word = false;

    buf_init(&b, arena, 4 * HEADER_BYTES_MAX);
    for (size_t at = 0; at < s.len;) {
        struct str rest = str_slice(s, at, s.len), trimmed = str_trim(rest);
        size_t space = trimmed.len ? (size_t)(trimmed.ptr - rest.ptr) : 0;
        size_t len =
            put_encoded_word(arena, after_word ? str_slice(rest, space, rest.len) : rest, &b);

        if (len) {
            at += len + (after_word ? space : 0);
            after_word = true;
            continue;
        }
        buf_char(&b, s.ptr[at++]);
        after_word = false;
    }
    return buf_view(&b);
}

static struct str unfolded(struct arena *arena, struct str s)
{
    struct decoded d;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, HEADER_BYTES_MAX);
    for (size_t i = 0; i < s.len && b.len + 1 < HEADER_BYTES_MAX; i++)
        buf_char(&b, s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\t' ? ' ' : s.ptr[i]);
    struct str text = str_trim(buf_view(&b));
    /* Eight bits where only seven may be: as old programs write them. */
    return encoding_decode(arena, text, STR_NONE, &d, &err) ? d.text : text;
}

static struct str raw_header(struct arena *arena, const struct mime_part *part, const char *name)
{
    struct str wanted = str_from(name);

    for (struct str rest = part->headers; rest.len > 0;) {
        size_t end = 0;

        do
            end += str_find_char(str_slice(rest, end, rest.len), '\n') + 1;
        while (end < rest.len && (rest.ptr[end] == ' ' || rest.ptr[end] == '\t'));
        struct str line = str_slice(rest, 0, end);
        size_t colon = str_find_char(line, ':');
        if (str_eq_nocase(str_trim(str_slice(line, 0, colon)), wanted) && colon < line.len)
            return unfolded(arena, str_slice(line, colon + 1, line.len));
        rest = str_slice(rest, end, rest.len);
    }
    return STR_NONE;
}

struct str mime_header(struct arena *arena, const struct mime_part *part, const char *name)
{
    struct str raw = raw_header(arena, part, name);

    return raw.ptr ? decode_words(arena, raw) : STR_NONE;
}

struct str mime_type(struct arena *arena, const struct mime_part *part)
{
    struct str raw = raw_header(arena, part, "content-type");
    struct str type = arena_str(arena, str_trim(str_slice(raw, 0, str_find_char(raw, ';'))));
    char *bytes = (char *)(uintptr_t)type.ptr;

    for (size_t i = 0; i < type.len; i++)
        bytes[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? (char)(bytes[i] + 32) : bytes[i];
    return type;
}

/* --- parameters ------------------------------------------------------------------------------- */

/* One "; name=value" off *rest. */
static bool take_parameter(struct str *rest, struct str *name, struct str *value)
{
    size_t semicolon = str_find_char(*rest, ';');
    struct str s = str_trim(str_slice(*rest, semicolon + 1, rest->len));
    size_t equals = str_find_char(s, '=');

    if (equals == s.len)
        return false;
    *name = str_trim(str_slice(s, 0, equals));
    s = str_trim(str_slice(s, equals + 1, s.len));
    bool quoted = str_starts(s, STR("\""));
    s = str_slice(s, quoted, s.len);
    size_t end = str_find_char(s, quoted ? '"' : ';');
    *value = str_trim(str_slice(s, 0, end));
    *rest = str_slice(s, end, s.len);
    return true;
}

/* "utf-8'en'%e2%82%ac" (RFC 2231) */
static struct str extended(struct arena *arena, struct str value)
{
    struct str rest = value, charset, language;
    struct buf bytes, out;

    if (!str_split(&rest, '\'', &charset) || !rest.ptr || !str_split(&rest, '\'', &language) ||
        !rest.ptr)
        return value;
    buf_init(&bytes, arena, HEADER_BYTES_MAX);
    buf_init(&out, arena, 4 * HEADER_BYTES_MAX);
    for (size_t i = 0; i < rest.len; i++) {
        uint8_t byte;
        bool escaped = rest.ptr[i] == '%' && hex_parse(str_slice(rest, i + 1, i + 3), &byte, 1);

        buf_char(&bytes, escaped ? (char)byte : rest.ptr[i]);
        i += escaped ? 2 : 0;
    }
    return put_converted(arena, buf_view(&bytes), charset, &out) ? buf_view(&out) : value;
}

/* The name may carry "*" (extended) or "*0", "*1*" (continued). */
struct str mime_parameter(struct arena *arena, const struct mime_part *part, const char *header,
                          const char *name)
{
    struct str rest = raw_header(arena, part, header), has, value, wanted = str_from(name);
    struct buf whole;
    bool is_extended = false;

    buf_init(&whole, arena, HEADER_BYTES_MAX);
    while (take_parameter(&rest, &has, &value)) {
        struct str more = str_slice(has, wanted.len, has.len);

        if (!str_eq_nocase(str_slice(has, 0, wanted.len), wanted) ||
            !(!more.len || more.ptr[0] == '*'))
            continue;
        is_extended = is_extended || str_ends(more, STR("*"));
        buf_str(&whole, value);
        if (!more.len)
            break;
    }
    if (!whole.len)
        return STR_NONE;
    return is_extended ? extended(arena, buf_view(&whole)) : decode_words(arena, buf_view(&whole));
}

/* --- pieces ----------------------------------------------------------------------------------- */

/* Where the line "--boundary" begins, and where it ends; s.len when there is none. */
static size_t find_boundary(struct str s, struct str boundary, size_t *end, bool *last)
{
    for (size_t at = 0; at < s.len;) {
        struct str line = str_slice(s, at, s.len);
        size_t len = str_find_char(line, '\n');

        line = str_slice(line, 0, len);
        if (str_starts(line, STR("--")) && str_starts(str_slice(line, 2, line.len), boundary)) {
            struct str after = str_trim(str_slice(line, 2 + boundary.len, line.len));
            *last = str_starts(after, STR("--"));
            *end = MIN_OF(at + len + 1, s.len);
            if (!after.len || *last)
                return at;
        }
        at += len + 1;
    }
    *end = s.len;
    *last = true;
    return s.len;
}

bool mime_next(struct str *rest, struct str boundary, struct mime_part *out)
{
    size_t begin, end, at;
    bool last = false;

    if (!boundary.len || find_boundary(*rest, boundary, &begin, &last) == rest->len || last)
        return false;
    struct str s = str_slice(*rest, begin, rest->len);
    at = find_boundary(s, boundary, &end, &last);
    *out = mime_split(str_slice(s, 0, at));
    *rest = str_slice(s, at, s.len);
    return true;
}
