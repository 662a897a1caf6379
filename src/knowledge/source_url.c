#include "knowledge/source_url.h"

#include <string.h>

#include "base/buf.h"

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "http:" of "http://x": how many bytes with the colon, 0 for none. */
static size_t scheme_len(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == ':')
            return i ? i + 1 : 0;
        if (!is_alnum(c) && (i == 0 || (c != '+' && c != '-' && c != '.')))
            return 0;
    }
    return 0;
}

/* As browsers read attributes: white space around is none of it, tabs and line breaks inside neither. */
static struct str clean(struct arena *arena, struct str text)
{
    struct buf b;

    while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ')
        text = str_slice(text, 1, text.len);
    while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ')
        text.len--;
    text = str_slice(text, 0, str_find_char(text, '#'));
    buf_init(&b, arena, URL_BYTES_MAX + 1);
    for (size_t i = 0; i < text.len && b.len <= URL_BYTES_MAX; i++)
        if (text.ptr[i] != '\n' && text.ptr[i] != '\r' && text.ptr[i] != '\t')
            buf_char(&b, text.ptr[i]);
    return buf_view(&b);
}

static void put_encoded(struct buf *b, struct str part)
{
    static const char allowed[] = "-._~!$&'()*+,;=:@/?%[]";

    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];

        if (c == '%' &&
            !(i + 2 < part.len && hex_parse(str_slice(part, i + 1, i + 3), (uint8_t[1]){0}, 1)))
            buf_str(b, STR("%25"));
        else if (is_alnum(c) || (c && strchr(allowed, c)))
            buf_char(b, c);
        else
            buf_fmt(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}

/* RFC 3986, 5.2.4, of a path that begins with "/": segments are put one by one, ".." takes one back. */
static void put_path(struct buf *b, struct str path)
{
    size_t begin = b->len;
    struct str rest = str_slice(path, 1, path.len), part;

    rest.ptr = rest.ptr ? rest.ptr : "";
    while (str_split(&rest, '/', &part)) {
        bool last = !rest.ptr;

        if (str_eq(part, STR("..")))
            while (b->len > begin && b->ptr[--b->len] != '/')
                ;
        if (str_eq(part, STR(".")) || str_eq(part, STR(".."))) {
            if (last)
                buf_char(b, '/');
            continue;
        }
        buf_char(b, '/');
        put_encoded(b, part);
    }
    if (b->len == begin)
        buf_char(b, '/');
}

static bool put_site(struct buf *b, const struct http_url *at)
{
    buf_str(b, at->tls ? STR("https://") : STR("http://"));
    bool v6 = str_find_char(at->host, ':') < at->host.len;
    if (v6)
        buf_char(b, '[');
    for (size_t i = 0; i < at->host.len; i++) {
        char c = at->host.ptr[i];

        buf_char(b, c >= 'A' && c <= 'Z' ? (char)(c | 32) : c);
    }
    if (v6)
        buf_char(b, ']');
    if (at->port != (at->tls ? 443 : 80)) {
        buf_char(b, ':');
        buf_u64(b, at->port);
    }
    return buf_ok(b);
}

/* Scheme and authority of a reference, and what is left of it. */
static bool take_site(struct arena *arena, const struct url *base, struct str text,
                      struct http_url *site, struct str *rest, struct err *err)
{
    size_t scheme = scheme_len(text);
    struct str whole = text;

    *rest = text;
    if (!scheme && !str_starts(text, STR("//"))) {
        if (!base)
            return err_set(err, ERR_INVALID, "expected an address with http:// or https://");
        *site = base->origin;
        return true;
    }
    if (!scheme)
        whole = arena_fmt(arena, "%s" STR_FMT,
                          base ? (base->origin.tls ? "https:" : "http:") : "https:", STR_ARG(text));
    if (!whole.ptr)
        return err_arena(err, arena);
    scheme = str_find(whole, STR("://"));
    struct str behind = str_slice(whole, MIN_OF(scheme + 3, whole.len), whole.len);
    size_t end = MIN_OF(str_find_char(behind, '/'), str_find_char(behind, '?'));
    struct str authority = str_slice(whole, 0, scheme + 3 + end);

    if (str_starts(whole, STR("unix:")) || !http_url_parse(authority, site, err))
        return err_set(err, ERR_INVALID, "no address of http or https");
    *rest = str_slice(behind, end, behind.len);
    if (!str_starts(*rest, STR("/")))
        *rest = arena_fmt(arena, "/" STR_FMT, STR_ARG(*rest));
    return rest->ptr || err_arena(err, arena);
}

/* What a relative path means beside that of the base. */
static struct str merged(struct arena *arena, const struct url *base, struct str path)
{
    size_t end = base ? base->path.len : 0;

    if (str_starts(path, STR("/")))
        return path;
    if (path.len == 0)
        return base ? base->path : STR("/");
    while (end > 0 && base->path.ptr[end - 1] != '/')
        end--;
    return arena_fmt(arena, STR_FMT STR_FMT,
                     STR_ARG(end ? str_slice(base->path, 0, end) : STR("/")), STR_ARG(path));
}

static bool spell(struct arena *arena, const struct http_url *site, struct str path,
                  struct str query, struct url *out, struct err *err)
{
    struct buf b;

    buf_init(&b, arena, 4 * URL_BYTES_MAX);
    (void)put_site(&b, site);
    size_t host = b.len, path_end;
    put_path(&b, path);
    path_end = b.len;
    put_encoded(&b, query);
    if (!buf_ok(&b) || b.len > URL_BYTES_MAX)
        return err_set(err, ERR_INVALID, "an address of more than %u bytes", URL_BYTES_MAX);
    out->text = buf_view(&b);
    out->site = str_slice(out->text, 0, host);
    out->target = str_slice(out->text, host, out->text.len);
    out->path = str_slice(out->text, host, path_end);
    return http_url_parse(out->site, &out->origin, err);
}

bool url_resolve(struct arena *arena, const struct url *base, struct str reference, struct url *out,
                 struct err *err)
{
    struct str text = clean(arena, reference), rest;
    struct http_url site;

    if (text.len > URL_BYTES_MAX)
        return err_set(err, ERR_INVALID, "an address of more than %u bytes", URL_BYTES_MAX);
    if (!take_site(arena, base, text, &site, &rest, err))
        return false;
    size_t question = str_find_char(rest, '?');
    struct str path = str_slice(rest, 0, question), query = str_slice(rest, question, rest.len);

    if (rest.len == 0 && base)
        query = str_slice(base->target, base->path.len, base->target.len);
    path = merged(arena, base, path);
    if (!path.ptr)
        return err_arena(err, arena);
    return spell(arena, &site, path, query, out, err);
}
