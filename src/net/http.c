#include "net/http.h"

#include <string.h>

struct str http_field(const struct http_fields *fields, struct str name)
{
    if (fields->names && !(fields->names & http_name_bit(name)))
        return STR_NONE;
    for (size_t i = 0; i < fields->count; i++)
        if (fields->at[i].name.len == name.len && str_eq_nocase(fields->at[i].name, name))
            return fields->at[i].value;
    return STR_NONE;
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

/* Decode into out, which has room for in.len bytes; a "%" without two digits fails. */
static bool decode(struct str in, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i] == '+' ? ' ' : in.ptr[i];

        if (c == '%') {
            uint8_t byte;
            if (!hex_parse(str_slice(in, i + 1, i + 3), &byte, 1))
                return false;
            c = (char)byte;
            i += 2;
        }
        out[(*len)++] = c;
    }
    return true;
}

static bool is_plain(struct str s)
{
    return s.len == 0 || (!memchr(s.ptr, '%', s.len) && !memchr(s.ptr, '+', s.len));
}

/* A part without escapes is a view. */
static struct str decoded(struct arena *arena, struct str part)
{
    size_t len;

    if (is_plain(part))
        return part.ptr ? part : STR("");
    char *out = arena_alloc_raw(arena, part.len);
    return out && decode(part, out, &len) ? (struct str){out, len} : STR_NONE;
}

struct str http_query(struct arena *arena, struct str query, struct str name)
{
    for (struct str rest = query, part; str_split(&rest, '&', &part);) {
        size_t equals = str_find_char(part, '=');
        struct str key = decoded(arena, str_slice(part, 0, equals));

        if (key.ptr && str_eq(key, name))
            return decoded(arena, str_slice(part, equals + 1, part.len));
    }
    return STR_NONE;
}

struct str http_cookie(struct str field, struct str name)
{
    struct str found = STR_NONE;

    for (struct str part; field.len && str_split(&field, ';', &part);) {
        size_t equals = str_find_char(part, '=');

        if (equals == part.len || !str_eq(str_trim(str_slice(part, 0, equals)), name))
            continue;
        if (found.ptr)
            return STR_NONE;
        found = str_trim(str_slice(part, equals + 1, part.len));
    }
    return found;
}

void http_escape(struct buf *b, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        uint8_t byte = (uint8_t)c;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            buf_char(b, c);
            continue;
        }
        buf_char(b, '%');
        buf_char(b, digits[byte >> 4]);
        buf_char(b, digits[byte & 15]);
    }
}
