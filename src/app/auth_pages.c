#include "app/auth_pages.h"

#include "app/problems.h"
#include "base/log.h"

#define PAGE_MAX   (64 * KIB)
#define COOKIE_MAX ((size_t)512)

static void add_field(struct auth_reply *r, struct str name, struct str value)
{
    ASSERT(r->count < REPLY_FIELDS_MAX);
    r->fields[r->count++] = (struct http_field){name, value};
}

/* Nothing of a login is kept by a cache, shown inside another site or told to one. */
void reply_init(struct auth_reply *r, struct http_exchange *x, bool secure)
{
    *r = (struct auth_reply){.http = x, .arena = http_arena(x), .secure = secure};
    add_field(r, STR("cache-control"), STR("no-store"));
    add_field(r, STR("referrer-policy"), STR("no-referrer"));
    add_field(r, STR("x-content-type-options"), STR("nosniff"));
    add_field(r, STR("x-frame-options"), STR("DENY"));
    add_field(r, STR("content-security-policy"),
              STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri "
                  "'none'"));
}

struct str cookie_name(const struct auth_reply *r, const char *name, char slot)
{
    char tail[] = {slot ? '_' : 0, slot, 0};

    return arena_fmt(r->arena, "%s%s%s", r->secure ? "__Host-" : "", name, tail);
}

bool reply_cookie(struct auth_reply *r, struct str name, struct str value, dur_ns age)
{
    struct buf b;

    if (!name.ptr)
        return false;
    buf_init(&b, r->arena, COOKIE_MAX);
    buf_str(&b, name);
    buf_char(&b, '=');
    buf_str(&b, value);
    buf_fmt(&b, "; Path=/; HttpOnly; SameSite=Lax; Max-Age=%" PRId64 "%s", age / SECOND,
            r->secure ? "; Secure" : "");
    if (!buf_ok(&b))
        return false;
    add_field(r, STR("set-cookie"), buf_view(&b));
    return true;
}

bool wants_page(struct http_exchange *x)
{
    struct str accepted = http_field(&http_head(x)->fields, STR("accept"));

    return str_find(accepted, STR("text/html")) < accepted.len;
}

static SUSPENDS void send(struct auth_reply *r, int status, struct str type, struct str body)
{
    const struct http_reply reply = {
        .status = status, .content_type = type, .fields = r->fields, .field_count = r->count};
    struct err gone = {0};

    if (!http_send(r->http, &reply, body, &gone) && gone.code != ERR_CANCELLED)
        log_info("who logs in did not get the answer: %s", gone.text);
}

void reply_redirect(struct auth_reply *r, struct str to)
{
    add_field(r, STR("location"), to);
    send(r, 303, STR("text/plain"), STR("See Other\n"));
}

void reply_json(struct auth_reply *r, struct buf *body)
{
    struct err err = {0};
    struct str text;

    buf_char(body, '\n');
    if (buf_finish(body, &text, &err))
        send(r, 200, STR("application/json"), text);
    else
        reply_failure(r, 503, &err);
}

void buf_html(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        switch (text.ptr[i]) {
        case '&': buf_str(b, STR("&amp;")); break;
        case '<': buf_str(b, STR("&lt;")); break;
        case '>': buf_str(b, STR("&gt;")); break;
        case '"': buf_str(b, STR("&quot;")); break;
        case '\'': buf_str(b, STR("&#39;")); break;
        default: buf_char(b, text.ptr[i]); break;
        }
}

void reply_page(struct auth_reply *r, int status, const char *title, struct buf *html)
{
    struct buf b;

    buf_init(&b, r->arena, PAGE_MAX);
    buf_str(&b, STR("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta "
                    "name=\"color-scheme\" content=\"light dark\"><title>"));
    buf_html(&b, str_from(title));
    buf_str(&b, STR(" - Weir</title><style>body{font:16px/1.5 sans-serif;max-width:40em;margin:4em "
                    "auto;padding:0 1em}</style><h1>"));
    buf_html(&b, str_from(title));
    buf_str(&b, STR("</h1>"));
    buf_str(&b, buf_view(html));
    buf_char(&b, '\n');
    if (buf_ok(html) && buf_ok(&b))
        send(r, status, STR("text/html; charset=utf-8"), buf_view(&b));
    else
        send(r, 503, STR("text/plain"), STR("no memory for the page\n"));
}

static SUSPENDS void fail_page(struct auth_reply *r, int status, const struct err *err)
{
    struct buf b;

    buf_init(&b, r->arena, PAGE_MAX);
    buf_str(&b, STR("<p>"));
    buf_html(&b, str_from(err->text));
    buf_str(&b, STR(".</p><p><a href=\"/auth/login\">Log in</a></p>"));
    reply_page(r, status, http_reason(status), &b);
}

void reply_failure(struct auth_reply *r, int status, const struct err *err)
{
    const struct problem_report report = {
        .status = status, .code = problem_of(status, err->code), .detail = str_from(err->text)};
    struct buf b;

    if (wants_page(r->http)) {
        fail_page(r, status, err);
        return;
    }
    buf_init(&b, r->arena, PAGE_MAX);
    problem_write(&report, &b);
    send(r, status, STR(PROBLEM_MEDIA),
         buf_ok(&b) ? buf_view(&b) : STR("{\"title\":\"no memory\",\"status\":503}\n"));
}
