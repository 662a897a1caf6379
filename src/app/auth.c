#include "app/auth.h"

#include "app/auth_pages.h"
#include "base/log.h"
#include "sys/clock.h"

#define TEXT_MAX (16 * KIB)
#define FORM_MAX ((size_t)4 * KIB)
#define HOME     STR("/auth/me")

/* ---- cookies ---- */

static bool is_secure(const struct house *house)
{
    return str_starts(house->origin, STR("https:"));
}

static struct str cookie_of(struct http_exchange *x, struct str name)
{
    struct str field = http_field(&http_head(x)->fields, STR("cookie"));

    return field.len && name.ptr ? http_cookie(field, name) : STR_NONE;
}

static struct str session_name(const struct house *house)
{
    return is_secure(house) ? STR("__Host-weir_session") : STR("weir_session");
}

struct str auth_cookie(struct http_exchange *x, struct house *house)
{
    return cookie_of(x, session_name(house));
}

/* ---- not from another site ---- */

static bool check_origin(struct http_exchange *x, const struct house *house, struct err *err)
{
    struct str origin = http_field(&http_head(x)->fields, STR("origin"));

    if (house->origin.len && str_eq_nocase(origin, house->origin))
        return true;
    return err_set(err, ERR_DENIED,
                   "a session changes nothing from another site: Origin is \"" STR_FMT
                   "\", expected \"" STR_FMT "\" (login.url)",
                   STR_ARG(str_slice(origin, 0, 60)), STR_ARG(str_slice(house->origin, 0, 60)));
}

static bool check_csrf(struct house *house, struct str cookie, struct str shown, struct err *err)
{
    char memory[SESSION_COOKIE_LEN];

    return str_equal_secret(shown, session_csrf(house->sessions, cookie, memory)) ||
           err_set(err, ERR_DENIED,
                   "a session changes nothing without x-weir-csrf, as /auth/me says it");
}

static bool only_looks(const struct http_head *head)
{
    return str_eq(head->method, STR("GET")) || str_eq(head->method, STR("HEAD"));
}

bool auth_admit(struct http_exchange *x, struct house *house, struct str cookie,
                const struct principal **out, struct err *err)
{
    const struct http_head *head = http_head(x);
    struct session session;

    if (!session_enter(house->sessions, cookie, &session, err))
        return false;
    if (!only_looks(head) &&
        (!check_origin(x, house, err) ||
         !check_csrf(house, cookie, http_field(&head->fields, STR("x-weir-csrf")), err))) {
        principal_release(&session.who);
        return false;
    }
    *out = session.who;
    return true;
}

/* ---- the record ---- */

struct told {
    struct str person, tenant, note;
    const struct err *why; /* of what failed; NULL: it was done */
    int status;
};

static bool record(struct house *house, struct http_exchange *x, const struct told *told,
                   struct err *err)
{
    const struct http_head *head = http_head(x);
    struct hold none = {0};
    struct audit_record r = {
        .time = clock_wall(),
        .request_id = http_request_id(x),
        .key_id = told->person,
        .tenant = told->tenant,
        .route = arena_fmt(http_arena(x), STR_FMT " " STR_FMT, STR_ARG(head->method),
                           STR_ARG(str_slice(head->path, 0, 60))),
        .status = told->status,
        .outcome = told->why ? STR("refused") : STR("complete"),
        .error = told->why ? str_from(err_code_name(told->why->code)) : STR(""),
        .tokens_in = -1,
        .tokens_out = -1,
        .tokens_cached = -1,
        .bytes_in = http_received_bytes(x),
        .took = fiber_now() - http_started(x),
        .note = told->note,
    };

    return accounts_record(house->accounts, &none, &r, err);
}

/* With an errno it is the house that has no memory left. */
static int status_of(const struct err *err)
{
    return err->code == ERR_EXHAUSTED && err->sys ? 503 : err_http_status(err->code);
}

/* Failed logins are recorded as other refusals are: of an address the first of a minute by itself. */
static SUSPENDS void refuse(struct auth_reply *r, struct house *house, const struct err *err)
{
    struct addr peer = http_peer(r->http);
    int status = status_of(err);
    struct err why = {0};

    if (err->code != ERR_EXHAUSTED &&
        stranger_is_first(house->accounts, str_from(peer.text), STR("login"), clock_wall())) {
        const struct told told = {
            .person = STR(""),
            .tenant = STR(""),
            .note = arena_fmt(r->arena, "login refused: %s", err->text),
            .why = err,
            .status = status,
        };

        if (!record(house, r->http, &told, &why))
            log_error("a refused login could not be recorded: %s", why.text);
    }
    reply_failure(r, status, err);
}

/* ---- login ---- */

static bool can_log_in(const struct house *house, struct http_exchange *x, struct err *err)
{
    struct addr peer = http_peer(x);

    if (!house->logins)
        return err_set(err, ERR_NOT_FOUND,
                       "nobody logs in here: no issuer in the settings has a client_id");
    return login_allowed(house->logins, str_from(peer.text), clock_wall(), err);
}

static SUSPENDS void choose_issuer(struct auth_reply *r, const struct str *names, size_t count,
                                   struct str next)
{
    struct buf b;

    buf_init(&b, r->arena, TEXT_MAX);
    buf_str(&b, STR("<ul>"));
    for (size_t i = 0; i < count; i++) {
        buf_str(&b, STR("<li><a href=\"/auth/login?issuer="));
        http_escape(&b, names[i]);
        buf_str(&b, STR("&amp;next="));
        http_escape(&b, next);
        buf_str(&b, STR("\">"));
        buf_html(&b, names[i]);
        buf_str(&b, STR("</a>"));
    }
    buf_str(&b, STR("</ul>"));
    reply_page(r, 200, "Log in at", &b);
}

static SUSPENDS void begin(struct auth_reply *r, struct house *house, struct str issuer,
                           struct str next)
{
    struct login_begun begun;
    struct err err = {0};

    if (!login_begin(house->logins, issuer, next, r->arena, &begun, &err) ||
        (!reply_cookie(r, cookie_name(r, "weir_login", begun.slot), begun.cookie,
                       house->running->login.timeout) &&
         !err_arena(&err, r->arena)))
        reply_failure(r, status_of(&err), &err);
    else
        reply_redirect(r, begun.url);
}

void auth_login(struct http_exchange *x, struct house *house)
{
    struct str query = http_head(x)->query, issuer, next, *names;
    struct auth_reply r;
    struct err err = {0};

    reply_init(&r, x, is_secure(house));
    if (!can_log_in(house, x, &err)) {
        reply_failure(&r, status_of(&err), &err);
        return;
    }
    issuer = http_query(r.arena, query, STR("issuer"));
    next = http_query(r.arena, query, STR("next"));
    if (!next.ptr)
        next = HOME;

    size_t count = login_issuers(house->logins, r.arena, &names);

    if (!issuer.len && count > 1 && login_next_is_safe(next))
        choose_issuer(&r, names, count, next);
    else
        begin(&r, house, issuer.len || !count ? issuer : names[0], next);
}

/* ---- the callback ---- */

/* A browser has one session; what it had before ends with the login that takes its place. */
static SUSPENDS void end_former(struct http_exchange *x, struct house *house)
{
    struct str cookie = auth_cookie(x, house);
    struct err ignored = {0};
    struct session former;

    if (!cookie.len || !session_enter(house->sessions, cookie, &former, &ignored))
        return;
    principal_release(&former.who);
    if (!session_end(house->sessions, str_from(former.id), &ignored))
        log_warn("the session before this login goes on: %s", ignored.text);
}

/* Recorded before the browser has it: nobody is in of whom the log does not know. */
static SUSPENDS bool begin_session(struct auth_reply *r, struct house *house,
                                   const struct identity *who, struct secret *cookie,
                                   struct err *err)
{
    struct session_info info;
    uint32_t replaced;

    if (!session_begin(house->sessions, who, r->arena, &info, cookie, &replaced, err))
        return false;

    const struct told told = {
        .person = info.person,
        .tenant = info.tenant,
        .note = arena_fmt(
            r->arena, "login at " STR_FMT " as %s, session " STR_FMT ", %u older ones ended for it",
            STR_ARG(info.issuer), role_name(info.role), STR_ARG(info.id), replaced),
        .status = 303,
    };
    struct err ignored = {0};

    if (record(house, r->http, &told, err))
        return true;
    if (!session_end(house->sessions, info.id, &ignored))
        log_error("a session that could not be recorded goes on: %s", ignored.text);
    err->code = ERR_UNAVAILABLE;
    return err_wrap(err, "the login could not be recorded");
}

static SUSPENDS bool finish(struct auth_reply *r, struct house *house, struct secret *cookie,
                            struct str *login_cookie, struct str *next, struct err *err)
{
    struct str query = http_head(r->http)->query;
    const struct login_callback came = {
        .state = http_query(r->arena, query, STR("state")),
        .code = http_query(r->arena, query, STR("code")),
        .issuer = http_query(r->arena, query, STR("iss")),
        .error = http_query(r->arena, query, STR("error")),
        .error_description = http_query(r->arena, query, STR("error_description")),
    };
    char slot = login_slot(r->arena, came.state);
    struct identity who;

    *login_cookie = cookie_name(r, "weir_login", slot ? slot : '0');
    if (!login_finish(house->logins, &came, cookie_of(r->http, *login_cookie), r->arena, &who, next,
                      err))
        return false;
    end_former(r->http, house);
    return begin_session(r, house, &who, cookie, err);
}

void auth_callback(struct http_exchange *x, struct house *house)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct str login_cookie, next;
    struct auth_reply r;
    struct err err = {0};

    reply_init(&r, x, is_secure(house));
    if (!can_log_in(house, x, &err)) {
        reply_failure(&r, status_of(&err), &err);
        return;
    }
    if (!audit_ready(house->audit, &err) ||
        !finish(&r, house, &cookie, &login_cookie, &next, &err) ||
        ((!reply_cookie(&r, session_name(house), secret_reveal(&cookie),
                        house->running->login.lifetime) ||
          !reply_cookie(&r, login_cookie, STR(""), 0)) &&
         !err_arena(&err, r.arena)))
        refuse(&r, house, &err);
    else
        reply_redirect(&r, next);
}

/* ---- who is logged in ---- */

static void write_me(struct house *house, const struct session *s, struct str cookie,
                     struct buf *out)
{
    char memory[SESSION_COOKIE_LEN], time[32];
    struct json_writer w;

    wall_format(s->expires, time);
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "person"), jw_str(&w, s->who->key_id);
    jw_key(&w, "name"), jw_str(&w, s->who->name);
    jw_key(&w, "tenant"), jw_str(&w, s->who->tenant);
    jw_key(&w, "team");
    if (s->who->team.len)
        jw_str(&w, s->who->team);
    else
        jw_null(&w);
    jw_key(&w, "role"), jw_cstr(&w, role_name(s->who->role));
    jw_key(&w, "issuer"), jw_cstr(&w, s->issuer);
    jw_key(&w, "session"), jw_cstr(&w, s->id);
    jw_key(&w, "expires"), jw_cstr(&w, time);
    jw_key(&w, "csrf"), jw_str(&w, session_csrf(house->sessions, cookie, memory));
    jw_object_end(&w);
}

static void draw_me(struct house *house, const struct session *s, struct str cookie,
                    struct buf *out)
{
    char memory[SESSION_COOKIE_LEN];

    buf_str(out, STR("<p>"));
    buf_html(out, s->who->name);
    buf_str(out, STR(" ("));
    buf_html(out, s->who->key_id);
    buf_fmt(out, "), %s of tenant ", role_name(s->who->role));
    buf_html(out, s->who->tenant);
    buf_str(out, STR(", logged in at "));
    buf_html(out, str_from(s->issuer));
    buf_str(out, STR(".</p><form method=\"post\" action=\"/auth/logout\"><input type=\"hidden\" "
                     "name=\"csrf\" value=\""));
    buf_html(out, session_csrf(house->sessions, cookie, memory));
    buf_str(out, STR("\"><button>Log out</button></form>"));
}

static SUSPENDS bool enter(struct http_exchange *x, struct house *house, struct str *cookie,
                           struct session *out, struct err *err)
{
    *cookie = auth_cookie(x, house);
    if (!cookie->len)
        return err_set(err, ERR_UNAUTHENTICATED, "nobody is logged in here");
    return session_enter(house->sessions, *cookie, out, err);
}

void auth_me(struct http_exchange *x, struct house *house)
{
    struct session session = {0};
    struct auth_reply r;
    struct err err = {0};
    struct str cookie;
    struct buf b;

    reply_init(&r, x, is_secure(house));
    if (!enter(x, house, &cookie, &session, &err)) {
        reply_failure(&r, status_of(&err), &err);
        return;
    }
    buf_init(&b, r.arena, TEXT_MAX);
    if (wants_page(x)) {
        draw_me(house, &session, cookie, &b);
        reply_page(&r, 200, "Logged in", &b);
    } else {
        write_me(house, &session, cookie, &b);
        reply_json(&r, &b);
    }
    principal_release(&session.who);
}

/* ---- logout ---- */

/* Of a script in a field of the head, of a form in a field of the body. */
static SUSPENDS bool check_form(struct http_exchange *x, struct house *house, struct str cookie,
                                struct err *err)
{
    struct str shown = http_field(&http_head(x)->fields, STR("x-weir-csrf")), form;

    if (!check_origin(x, house, err))
        return false;
    if (!shown.len) {
        if (!http_body(x, &form, err))
            return false;
        if (form.len > FORM_MAX)
            return err_set(err, ERR_TOO_LARGE, "the form has %zu bytes, at most %zu are read",
                           form.len, FORM_MAX);
        shown = http_query(http_arena(x), form, STR("csrf"));
    }
    return check_csrf(house, cookie, shown, err);
}

static SUSPENDS bool end_session(struct auth_reply *r, struct house *house,
                                 const struct session *session, struct err *err)
{
    const struct told told = {
        .person = session->who->key_id,
        .tenant = session->who->tenant,
        .note = arena_fmt(r->arena, "logout, session %s ended", session->id),
        .status = 200,
    };

    return session_end(house->sessions, str_from(session->id), err) &&
           record(house, r->http, &told, err);
}

static SUSPENDS void say_ended(struct auth_reply *r, struct house *house, const char *issuer)
{
    struct str elsewhere =
        house->logins ? login_end_url(house->logins, str_from(issuer), r->arena) : STR_NONE;
    struct json_writer w;
    struct buf b;

    buf_init(&b, r->arena, TEXT_MAX);
    if (wants_page(r->http) && elsewhere.len) {
        reply_redirect(r, elsewhere);
    } else if (wants_page(r->http)) {
        buf_str(&b, STR("<p><a href=\"/auth/login\">Log in</a></p>"));
        reply_page(r, 200, "Logged out", &b);
    } else {
        jw_init(&w, &b);
        jw_object(&w);
        jw_key(&w, "ended"), jw_bool(&w, true);
        jw_key(&w, "issuer_logout");
        if (elsewhere.len)
            jw_str(&w, elsewhere);
        else
            jw_null(&w);
        jw_object_end(&w);
        reply_json(r, &b);
    }
}

void auth_logout(struct http_exchange *x, struct house *house)
{
    struct session session = {0};
    struct auth_reply r;
    struct err err = {0};
    struct str cookie;

    reply_init(&r, x, is_secure(house));

    bool ok = enter(x, house, &cookie, &session, &err) && check_form(x, house, cookie, &err) &&
              end_session(&r, house, &session, &err) &&
              (reply_cookie(&r, session_name(house), STR(""), 0) || err_arena(&err, r.arena));

    principal_release(&session.who);
    if (ok)
        say_ended(&r, house, session.issuer);
    else
        reply_failure(&r, status_of(&err), &err);
}
