/* Heads are read in two passes. The first looks for control bytes only, sixteen bytes at a time: it
 * finds where each line ends and whether the blank line has come, and refuses bare LF, bare CR and
 * NUL wherever they stand. The second takes the lines apart; it runs once per head, when it is whole. */
#include "net/http_parse.h"

#include <string.h>

#include "base/scan.h"

#define HEAD_BYTES_DEFAULT   (16 * KIB)
#define TARGET_BYTES_DEFAULT (8 * KIB)
#define LINES_MAX            (HTTP_FIELDS_MAX + 1)
#define OVERHEAD_MAX         (16 * KIB) /* of a chunked body, beyond what its data pays for */

/* clang-format off */
/* tchar of RFC 9110 */
static const char token[256] =
    "................" "................" /* 00 to 1f */
    ".x.xxxxx..xx.xx." "xxxxxxxxxx......" /* 20 to 3f */
    ".xxxxxxxxxxxxxxx" "xxxxxxxxxxx...xx" /* 40 to 5f */
    "xxxxxxxxxxxxxxxx" "xxxxxxxxxxx.x.x." /* 60 to 7f */;

/* What clients send in targets: RFC 3986, and what browsers leave unescaped in queries */
static const char in_target[256] =
    "................" "................" /* 00 to 1f */
    ".x..xxxxxxxxxxxx" "xxxxxxxxxxxx.x.x" /* 20 to 3f */
    "xxxxxxxxxxxxxxxx" "xxxxxxxxxxxx.xxx" /* 40 to 5f */
    "xxxxxxxxxxxxxxxx" "xxxxxxxxxxxxxxx." /* 60 to 7f */;

/* uri-host and port of RFC 3986 */
static const char in_host[256] =
    "................" "................" /* 00 to 1f */
    ".x..xxxxxxxxxxx." "xxxxxxxxxxxx.x.." /* 20 to 3f */
    ".xxxxxxxxxxxxxxx" "xxxxxxxxxxxx.x.x" /* 40 to 5f */
    ".xxxxxxxxxxxxxxx" "xxxxxxxxxxx...x." /* 60 to 7f */;
/* clang-format on */

#define IS(table, c) ((table)[(uint8_t)(c)] == 'x')

struct lines {
    uint32_t end[LINES_MAX]; /* of each line, without its CRLF */
    size_t count, used;      /* used: with the blank line */
};

/* What the fields of one head have said so far. */
struct reading {
    struct http_head *head;
    struct str host;
    bool request, host_seen, length_seen, chunked_seen, close, keep_alive;
};

static enum http_parse bad(struct err *err, const char *what)
{
    err_set(err, ERR_INVALID, "%s", what);
    return HTTP_BAD;
}

static struct http_limits limits_of(const struct http_limits *given)
{
    struct http_limits l = given ? *given : (struct http_limits){0};

    l.head_bytes = l.head_bytes ? MIN_OF(l.head_bytes, (size_t)UINT32_MAX) : HEAD_BYTES_DEFAULT;
    l.fields = l.fields ? MIN_OF(l.fields, (size_t)HTTP_FIELDS_MAX) : HTTP_FIELDS_MAX;
    l.target_bytes = l.target_bytes ? l.target_bytes : TARGET_BYTES_DEFAULT;
    return l;
}

/* ---- the first pass ---- */

static enum http_parse bad_control(struct err *err, char c)
{
    return bad(err, c == '\n' ? "a line ends with LF alone" : "control byte in the head");
}

static enum http_parse incomplete(struct str bytes, const struct http_limits *limits,
                                  struct err *err)
{
    if (bytes.len < limits->head_bytes)
        return HTTP_MORE;
    err_set(err, ERR_TOO_LARGE, "head above %zu bytes", limits->head_bytes);
    return HTTP_BAD;
}

static enum http_parse find_lines(struct str bytes, const struct http_limits *limits,
                                  struct lines *out, struct err *err)
{
    const char *at = bytes.ptr, *line = at, *end = at + MIN_OF(bytes.len, limits->head_bytes);

    out->count = 0;
    for (;;) {
        at = scan_control(at, end);
        if (at < end && *at == '\t') {
            at++;
            continue;
        }
        if (at < end && *at != '\r')
            return bad_control(err, *at);
        if (end - at < 2)
            return incomplete(bytes, limits, err);
        if (at[1] != '\n')
            return bad(err, "CR without LF");
        if (at == line)
            break;
        if (out->count == limits->fields + 1) {
            err_set(err, ERR_TOO_LARGE, "more than %zu header fields", limits->fields);
            return HTTP_BAD;
        }
        out->end[out->count++] = (uint32_t)(at - bytes.ptr);
        line = at += 2;
    }
    if (out->count == 0)
        return bad(err, "empty line where the first line is due");
    out->used = (size_t)(at + 2 - bytes.ptr);
    return HTTP_OK;
}

/* ---- fields that mean something here ---- */

static bool take_host(struct reading *r, struct str value, struct err *err)
{
    if (!r->request)
        return true;
    if (r->host_seen)
        return err_set(err, ERR_INVALID, "Host given twice");
    for (size_t i = 0; i < value.len; i++)
        if (!IS(in_host, value.ptr[i]))
            return err_set(err, ERR_INVALID, "Host is not a host and port");
    r->host_seen = true;
    r->host = value;
    return true;
}

static bool take_length(struct reading *r, struct str value, struct err *err)
{
    if (r->length_seen)
        return err_set(err, ERR_INVALID, "Content-Length given twice");
    if (!u64_parse(value, &r->head->content_length))
        return err_set(err, ERR_INVALID, "Content-Length is not a number of bytes");
    r->length_seen = true;
    return true;
}

static bool take_coding(struct reading *r, struct str value, struct err *err)
{
    if (r->chunked_seen)
        return err_set(err, ERR_INVALID, "Transfer-Encoding given twice");
    if (!str_eq_nocase(value, STR("chunked")))
        return err_set(err, ERR_INVALID, "Transfer-Encoding is not \"chunked\"");
    r->chunked_seen = true;
    return true;
}

static bool take_connection(struct reading *r, struct str value, struct err *err)
{
    for (struct str rest = value, option; str_split(&rest, ',', &option);) {
        option = str_trim(option);
        for (size_t i = 0; i < option.len; i++)
            if (!IS(token, option.ptr[i]))
                return err_set(err, ERR_INVALID, "Connection is not a list of options");
        r->close |= str_eq_nocase(option, STR("close"));
        r->keep_alive |= str_eq_nocase(option, STR("keep-alive"));
    }
    return true;
}

static bool take_expect(struct reading *r, struct str value, struct err *err)
{
    if (r->request && !str_eq_nocase(value, STR("100-continue")))
        return err_set(err, ERR_INVALID, "Expect asks for something other than 100-continue");
    r->head->expect_continue = r->request && r->head->minor == 1;
    return true;
}

static bool take_upgrade(struct reading *r, struct str value, struct err *err)
{
    (void)value, (void)err;
    r->head->upgrade = true;
    return true;
}

/* No two of these names are of one length, so the length finds the row. */
static const struct known {
    struct str name;
    bool (*take)(struct reading *r, struct str value, struct err *err);
} known_by_len[] = {
    [4] = {{"host", 4}, take_host},
    [6] = {{"expect", 6}, take_expect},
    [7] = {{"upgrade", 7}, take_upgrade},
    [10] = {{"connection", 10}, take_connection},
    [14] = {{"content-length", 14}, take_length},
    [17] = {{"transfer-encoding", 17}, take_coding},
};

static bool take_if_known(struct reading *r, const struct http_field *field, struct err *err)
{
    if (field->name.len >= ARRAY_LEN(known_by_len))
        return true;
    const struct known *k = &known_by_len[field->name.len];
    return !k->take || !str_eq_nocase(field->name, k->name) || k->take(r, field->value, err);
}

/* ---- the second pass ---- */

static const char *colon_missing(char found, bool first)
{
    if (first && (found == ' ' || found == '\t'))
        return "folded or indented line";
    if (found == ' ' || found == '\t')
        return "space before the colon";
    return first && found == ':' ? "empty name" : "name is not a token";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool split_field(const char *line, const char *end, struct http_field *out, struct err *err)
{
    const char *at = scan_word(line, end); /* nearly always the whole name */

    while (at < end && IS(token, *at))
        at++;
    if (at == end)
        return err_set(err, ERR_INVALID, "no colon");
    if (*at != ':' || at == line)
        return err_set(err, ERR_INVALID, "%s", colon_missing(*at, at == line));
    out->name = (struct str){line, (size_t)(at - line)};
    at++;
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    out->value = (struct str){at, (size_t)(end - at)};
    return true;
}

static bool read_fields(struct reading *r, const char *bytes, const struct lines *lines,
                        struct err *err)
{
    struct http_fields *fields = &r->head->fields;

    fields->names = 0;
    for (fields->count = 0; fields->count + 1 < lines->count; fields->count++) {
        struct http_field *field = &fields->at[fields->count];
        const char *line = bytes + lines->end[fields->count] + 2;

        if (!split_field(line, bytes + lines->end[fields->count + 1], field, err) ||
            !take_if_known(r, field, err))
            return err_wrap(err, "header field %zu", fields->count + 1);
        fields->names |= http_name_bit(field->name);
    }
    return true;
}

/* "HTTP/1.0" or "HTTP/1.1", nothing else. */
static bool read_version(struct str s, int *minor)
{
    if (s.len != 8 || memcmp(s.ptr, "HTTP/1.", 7) != 0 || (s.ptr[7] != '0' && s.ptr[7] != '1'))
        return false;
    *minor = s.ptr[7] - '0';
    return true;
}

static bool settle(struct reading *r, struct err *err)
{
    struct http_head *h = r->head;

    if (r->chunked_seen && r->length_seen)
        return err_set(err, ERR_INVALID, "both Content-Length and Transfer-Encoding");
    if (r->chunked_seen && h->minor == 0)
        return err_set(err, ERR_INVALID, "Transfer-Encoding in HTTP/1.0");
    h->framing = r->chunked_seen ? HTTP_CHUNKED : r->length_seen ? HTTP_LENGTH : HTTP_NO_BODY;
    h->keep_alive = !r->close && (h->minor == 1 || r->keep_alive);
    return true;
}

/* ---- requests ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool escapes_are_whole(struct str target)
{
    struct str rest = target, part;

    (void)str_split(&rest, '%', &part);
    while (str_split(&rest, '%', &part))
        if (part.len < 2 || !is_hex(part.ptr[0]) || !is_hex(part.ptr[1]))
            return false;
    return true;
}

/* Method and target, each followed by one space; *at is left at the version. */
static bool read_words(struct http_head *h, const char **at, const char *end, struct err *err)
{
    const char *from = *at, *p = from;

    while (p < end && IS(token, *p))
        p++;
    if (p == from || p == end || *p != ' ')
        return err_set(err, ERR_INVALID, "request line: the method is not a token and a space");
    h->method = (struct str){from, (size_t)(p - from)};
    from = ++p;
    while (p < end && IS(in_target, *p))
        p++;
    if (p == from || p == end || *p != ' ')
        return err_set(err, ERR_INVALID, "request line: the target is not a URL and a space");
    h->target = (struct str){from, (size_t)(p - from)};
    *at = p + 1;
    return true;
}

static bool read_request_line(struct http_head *h, const char *at, const char *end,
                              const struct http_limits *limits, struct err *err)
{
    if (!read_words(h, &at, end, err))
        return false;
    if (h->target.len > limits->target_bytes)
        return err_set(err, ERR_TOO_LARGE, "request target above %zu bytes", limits->target_bytes);
    if (!read_version((struct str){at, (size_t)(end - at)}, &h->minor))
        return err_set(err, ERR_INVALID, "request line: the version is not HTTP/1.0 or HTTP/1.1");
    if (!escapes_are_whole(h->target))
        return err_set(err, ERR_INVALID, "request line: \"%%\" without two hex digits");
    return true;
}

/* The part of "http://authority/path" after the authority, which must be what Host says: one
 * request names one host. */
static bool cut_authority(const struct reading *r, struct str *target, struct err *err)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!str_eq_nocase(str_slice(*target, 0, schemes[i].len), schemes[i]))
            continue;
        struct str rest = str_slice(*target, schemes[i].len, target->len);
        size_t len = MIN_OF(str_find_char(rest, '/'), str_find_char(rest, '?'));
        if (r->host_seen && !str_eq_nocase(str_slice(rest, 0, len), r->host))
            return err_set(err, ERR_INVALID, "the target names another host than Host");
        *target = str_slice(rest, len, rest.len);
        return true;
    }
    return err_set(err, ERR_INVALID, "the target is neither a path nor a URL");
}

static bool split_target(struct reading *r, struct err *err)
{
    struct http_head *h = r->head;
    struct str target = h->target;

    if (str_eq(target, STR("*")) && str_eq(h->method, STR("OPTIONS"))) {
        h->path = target;
        return true;
    }
    if (str_eq(h->method, STR("CONNECT")))
        return err_set(err, ERR_INVALID, "CONNECT is not served here");
    if (target.ptr[0] != '/' && !cut_authority(r, &target, err))
        return false;
    size_t mark = str_find_char(target, '?');
    h->path = mark ? str_slice(target, 0, mark) : STR("/");
    if (mark < target.len)
        h->query = str_slice(target, mark + 1, target.len);
    return true;
}

enum http_parse http_parse_request(struct str bytes, const struct http_limits *given,
                                   struct http_head *out, size_t *used, struct err *err)
{
    struct http_limits limits = limits_of(given);
    struct lines lines;
    struct reading r = {.head = out, .request = true};
    enum http_parse found = find_lines(bytes, &limits, &lines, err);

    if (found != HTTP_OK)
        return found;
    memset(out, 0, offsetof(struct http_head, fields));
    if (!read_request_line(out, bytes.ptr, bytes.ptr + lines.end[0], &limits, err) ||
        !read_fields(&r, bytes.ptr, &lines, err) || !settle(&r, err) || !split_target(&r, err))
        return HTTP_BAD;
    if (!r.host_seen && out->minor == 1)
        return bad(err, "no Host");
    *used = lines.used;
    return HTTP_OK;
}

/* ---- responses ---- */

static bool read_status_line(struct http_head *h, struct str line, struct err *err)
{
    uint64_t status;

    if (!read_version(str_slice(line, 0, 8), &h->minor))
        return err_set(err, ERR_INVALID, "status line: the version is not HTTP/1.0 or HTTP/1.1");
    if (line.len < 13 || line.ptr[8] != ' ' || line.ptr[12] != ' ' ||
        !u64_parse(str_slice(line, 9, 12), &status) || status < 100 || status > 599)
        return err_set(err, ERR_INVALID, "status line: no status of three digits");
    h->status = (int)status;
    return true;
}

/* RFC 9112, 6.3: whatever the fields say, these have no body. A 1xx or 204 that claims to have one
 * would put the next answer out of step, so it is refused. */
static bool settle_response(struct reading *r, bool to_head, struct err *err)
{
    struct http_head *h = r->head;
    bool never = h->status < 200 || h->status == 204;

    if (!settle(r, err))
        return false;
    if (never && (h->framing == HTTP_CHUNKED || h->content_length > 0))
        return err_set(err, ERR_INVALID, "status %d with a body", h->status);
    if (never || to_head || h->status == 304)
        h->framing = HTTP_NO_BODY;
    else if (h->framing == HTTP_NO_BODY)
        h->framing = HTTP_UNTIL_CLOSE;
    h->keep_alive &= h->framing != HTTP_UNTIL_CLOSE;
    return true;
}

enum http_parse http_parse_response(struct str bytes, bool to_head, const struct http_limits *given,
                                    struct http_head *out, size_t *used, struct err *err)
{
    struct http_limits limits = limits_of(given);
    struct lines lines;
    struct reading r = {.head = out};
    enum http_parse found = find_lines(bytes, &limits, &lines, err);

    if (found != HTTP_OK)
        return found;
    memset(out, 0, offsetof(struct http_head, fields));
    if (!read_status_line(out, str_slice(bytes, 0, lines.end[0]), err) ||
        !read_fields(&r, bytes.ptr, &lines, err) || !settle_response(&r, to_head, err))
        return HTTP_BAD;
    *used = lines.used;
    return HTTP_OK;
}

/* ---- chunked bodies ---- */

/* RFC 9112, 7.1, a byte at a time outside of data, so that any cut is a good cut.
 *
 *   SIZE -> DIGITS -> [EXTENSION] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                                       |
 *                                  (size 0) -> LINE -> [NAME -> VALUE -> VALUE_LF -> LINE]
 *                                                '---> LAST_LF -> done
 *
 * In DATA, `left` bytes are still to come, at least one. In DIGITS and up to SIZE_LF `left` is the
 * size as far as it has been read. */
enum chunk_state {
    SIZE,
    DIGITS,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE,
    NAME,
    VALUE,
    VALUE_LF,
    LAST_LF
};

void http_chunks_init(struct http_chunks *c)
{
    *c = (struct http_chunks){.state = SIZE};
}

static bool take_digit(struct http_chunks *c, char digit, struct err *err)
{
    if (c->left >> 60)
        return err_set(err, ERR_INVALID, "chunk size above 64 bits");
    c->left = c->left << 4 | (uint64_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    c->state = DIGITS;
    return true;
}

/* The size line is whole. Each chunk pays for a plain size line and twice its own length of others:
 * who sends little data in long lines runs out (Go's answer to CVE-2023-39326). */
static void begin_chunk(struct http_chunks *c)
{
    uint64_t paid = c->left > OVERHEAD_MAX ? OVERHEAD_MAX : 16 + 2 * c->left;

    if (c->left > 0)
        c->overhead -= (uint32_t)MIN_OF(paid, (uint64_t)c->overhead);
    c->state = c->left > 0 ? DATA : LINE;
}

static bool expect_byte(struct http_chunks *c, char got, char want, enum chunk_state next,
                        struct err *err)
{
    if (got != want)
        return err_set(err, ERR_INVALID, "chunked body: CRLF expected");
    c->state = (uint8_t)next;
    return true;
}

/* The rest of a line whose text does not matter, to its CR. */
static bool pass_line(struct http_chunks *c, char got, enum chunk_state next, struct err *err)
{
    if (got == '\r')
        c->state = (uint8_t)next;
    else if (((uint8_t)got < 0x20 && got != '\t') || got == 0x7f)
        return err_set(err, ERR_INVALID, "chunked body: control byte in a line");
    return true;
}

static bool after_digits(struct http_chunks *c, char got, struct err *err)
{
    if (is_hex(got))
        return take_digit(c, got, err);
    if (got != '\r' && got != ';')
        return err_set(err, ERR_INVALID, "chunk size is not a hexadecimal number");
    c->state = got == ';' ? EXTENSION : SIZE_LF;
    return true;
}

static bool in_trailer(struct http_chunks *c, char got, struct err *err)
{
    if (IS(token, got))
        c->state = NAME;
    else if (c->state == LINE && got == '\r')
        c->state = LAST_LF;
    else if (c->state == NAME && got == ':')
        c->state = VALUE;
    else
        return err_set(err, ERR_INVALID, "chunked body: trailer is not a field");
    return true;
}

/* One byte that is not data. */
static bool step(struct http_chunks *c, char got, struct err *err)
{
    switch ((enum chunk_state)c->state) {
    case SIZE:
        if (!is_hex(got))
            return err_set(err, ERR_INVALID, "chunk size is not a hexadecimal number");
        return take_digit(c, got, err);
    case DIGITS: return after_digits(c, got, err);
    case EXTENSION: return pass_line(c, got, SIZE_LF, err);
    case SIZE_LF:
        if (!expect_byte(c, got, '\n', DATA, err))
            return false;
        begin_chunk(c);
        return true;
    case DATA_CR: return expect_byte(c, got, '\r', DATA_LF, err);
    case DATA_LF: return expect_byte(c, got, '\n', SIZE, err);
    case LINE:
    case NAME: return in_trailer(c, got, err);
    case VALUE: return pass_line(c, got, VALUE_LF, err);
    case VALUE_LF: return expect_byte(c, got, '\n', LINE, err);
    case LAST_LF: c->done = got == '\n'; return expect_byte(c, got, '\n', LAST_LF, err);
    case DATA: break;
    }
    ASSERT(false);
    return false;
}

static struct str take_data(struct http_chunks *c, const char *at, size_t len)
{
    struct str data = {at, c->left < len ? (size_t)c->left : len};

    c->left -= data.len;
    if (c->left == 0)
        c->state = DATA_CR;
    return data;
}

enum http_parse http_chunks_next(struct http_chunks *c, struct str bytes, size_t *used,
                                 struct str *data, struct err *err)
{
    const char *at = bytes.ptr, *end = at + bytes.len;
    struct str found = STR_NONE;

    while (at < end && !c->done) {
        if (c->state == DATA) {
            if (found.len > 0)
                break;
            found = take_data(c, at, (size_t)(end - at));
            at += found.len;
            continue;
        }
        if (!step(c, *at++, err))
            return HTTP_BAD;
        if (++c->overhead > OVERHEAD_MAX) {
            err_set(err, ERR_TOO_LARGE, "chunked body: more lines than data");
            return HTTP_BAD;
        }
    }
    *used = (size_t)(at - bytes.ptr);
    *data = found;
    return c->done ? HTTP_OK : HTTP_MORE;
}
