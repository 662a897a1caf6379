#include "knowledge/source_fetch.h"

#include "base/buf.h"
#include "knowledge/source_sitemap.h"
#include "net/http.h"
#include "sys/clock.h"

#define ACCEPT STR("text/html,application/xhtml+xml,application/pdf,*/*;q=0.8")

static struct str kept(struct arena *arena, const struct http_head *head, const char *name)
{
    struct str value = http_field(&head->fields, str_from(name));

    return value.ptr ? arena_str(arena, value) : STR("");
}

/* All of a field that may come several times, with commas between. */
static struct str joined(struct arena *arena, const struct http_head *head, struct str name)
{
    struct buf b;

    buf_init(&b, arena, 8 * KIB);
    for (size_t i = 0; i < head->fields.count; i++)
        if (str_eq_nocase(head->fields.at[i].name, name)) {
            buf_str(&b, b.len ? STR(", ") : STR(""));
            buf_str(&b, head->fields.at[i].value);
        }
    return buf_ok(&b) ? buf_view(&b) : STR("");
}

static struct str media_type(struct arena *arena, struct str field)
{
    struct str type = str_trim(str_slice(field, 0, str_find_char(field, ';')));
    struct buf b;

    buf_init(&b, arena, 200);
    for (size_t i = 0; i < type.len; i++)
        buf_char(&b,
                 type.ptr[i] >= 'A' && type.ptr[i] <= 'Z' ? (char)(type.ptr[i] | 32) : type.ptr[i]);
    return buf_ok(&b) ? buf_view(&b) : STR("");
}

static size_t put_fields(const struct fetching *how, struct http_field fields[5])
{
    size_t count = 0;

    fields[count++] = (struct http_field){STR("user-agent"), how->agent};
    fields[count++] = (struct http_field){STR("accept"), ACCEPT};
    fields[count++] = (struct http_field){STR("accept-encoding"), STR("identity")};
    if (how->etag.len > 0)
        fields[count++] = (struct http_field){STR("if-none-match"), how->etag};
    if (how->modified.len > 0)
        fields[count++] = (struct http_field){STR("if-modified-since"), how->modified};
    return count;
}

static SUSPENDS bool read_body(struct arena *arena, struct http_call *call,
                               const struct fetching *how, struct fetched *out, struct err *err)
{
    struct str encoding = http_field(&http_call_head(call)->fields, STR("content-encoding"));
    bool packed = str_eq_nocase(encoding, STR("gzip")) || str_eq_nocase(encoding, STR("x-gzip"));

    if (encoding.len > 0 && !packed && !str_eq_nocase(encoding, STR("identity")))
        return err_set(err, ERR_INVALID,
                       "it comes packed as \"" STR_FMT "\", which nobody asked for",
                       STR_ARG(str_slice(encoding, 0, 40)));
    if (!http_call_body(call, how->bytes_max, &out->body, err))
        return false;
    return !packed || gunzip(arena, out->body, how->bytes_max, &out->body, err);
}

static SUSPENDS bool get_once(struct arena *arena, const struct fetching *how, struct fetched *at,
                              struct str *location, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct http_field fields[5];
    struct http_outgoing send = {.method = STR("GET"),
                                 .path = at->url.target,
                                 .fields = fields,
                                 .field_count = put_fields(how, fields),
                                 .public_only = !how->private_addresses};

    if (!http_call(arena, &at->url.origin, &send, &call, err))
        return false;
    const struct http_head *head = http_call_head(call);
    at->status = head->status;
    at->type = media_type(arena, http_field(&head->fields, STR("content-type")));
    at->etag = kept(arena, head, "etag");
    at->modified = kept(arena, head, "last-modified");
    at->retry_after = retry_after_read(http_field(&head->fields, STR("retry-after")), clock_wall());
    at->robots = joined(arena, head, STR("x-robots-tag"));
    *location = kept(arena, head, "location");
    at->moved = at->status == 301 || at->status == 308;
    bool moved = at->status == 301 || at->status == 302 || at->status == 303 || at->status == 307 ||
                 at->status == 308;
    if (!moved)
        location->len = 0;
    at->body = STR("");
    if (at->status >= 200 && at->status < 300)
        return read_body(arena, call, how, at, err);
    struct str ignored;
    struct err too_long = {0}; /* of an answer that is not used: the connection is given up then */
    (void)!http_call_body(call, 64 * KIB, &ignored, &too_long);
    return true;
}

static SUSPENDS bool follow(struct arena *arena, const struct fetching *how, struct fetched *at,
                            struct err *err)
{
    struct str location;

    for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
        struct url next;

        if (!get_once(arena, how, at, &location, err))
            return false;
        if (location.len == 0)
            return true;
        if (!url_resolve(arena, &at->url, location, &next, err))
            return err_wrap(err, "it leads to another place");
        if (how->may && !how->may(how->ctx, &next, err))
            return err_wrap(err, "it leads to " STR_FMT, STR_ARG(str_slice(next.text, 0, 100)));
        at->url = next;
    }
    at->moved = false; /* it leads nowhere */
    return err_set(err, ERR_DENIED, "it leads on more than %d times", REDIRECTS_MAX);
}

bool web_fetch(struct arena *arena, const struct url *from, const struct fetching *how,
               struct fetched *out, struct err *err)
{
    struct fetched at = {.url = *from};
    struct scope within;

    scope_open(&within, fiber_now() + FETCH_TIME);
    bool ok = follow(arena, how, &at, err);
    scope_close(&within);
    *out = at;
    return ok;
}
