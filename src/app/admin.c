#include "app/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/admin_pages.h"
#include "app/auth.h"
#include "app/problems.h"
#include "base/log.h"
#include "base/metrics.h"
#include "sys/clock.h"

#define ADMIN_BODY_MAX  MIB
#define ADMIN_REPLY_MAX (32 * MIB)
#define CURSOR_MAX \
    4352 /* twice a URL and an id, the longest place in a list: they are in hexadecimal */

/* ---- metrics ---- */

enum { REQUESTS, DURATION };

static struct metric rows[] = {
    [REQUESTS] = {"weir_admin_requests",
                  METRIC_COUNTER,
                  "",
                  "Requests for /api/v1 by route and status.",
                  {"method", "route", "status", NULL},
                  0},
    [DURATION] = {"weir_admin_request_duration",
                  METRIC_HISTOGRAM,
                  "seconds",
                  "From the head of a request for /api/v1 to its reply.",
                  {"method", "route", NULL},
                  0},
};

void admin_register(void)
{
    metrics_register(rows, ARRAY_LEN(rows));
}

static void count(const struct admin_call *call)
{
    char memory[16];
    struct buf status;

    buf_init_fixed(&status, memory, sizeof memory);
    buf_i64(&status, call->status);
    struct str values[] = {str_from(call->route->method), str_from(call->route->path),
                           buf_view(&status)};
    series_add(metrics_series(&rows[REQUESTS], values), 1);
    series_observe(metrics_series(&rows[DURATION], values), fiber_now() - http_started(call->http));
}

/* ---- replies ---- */

static void send_bytes(struct http_exchange *x, int status, struct str type, struct buf *body)
{
    struct http_reply reply = {.status = status, .content_type = type};
    struct err err = {0}, gone = {0};
    struct str text;

    if (!buf_finish(body, &text, &err)) {
        text =
            STR("{\"type\":\"/api/v1/problems/internal\",\"title\":\"Internal error\",\"status\":"
                "500,\"detail\":\"the reply is larger than a reply may be\",\"code\":"
                "\"internal\"}\n");
        reply.status = 500;
        reply.content_type = STR(PROBLEM_MEDIA);
    }
    if (!http_send(x, &reply, text, &gone) && gone.code != ERR_CANCELLED)
        log_info("an administrator did not get the answer: %s", gone.text);
}

/* Clients of the dialect read errors in its shape, and know 400 for what is wrong with a body. */
static void refuse_in_dialect(struct http_exchange *x, const struct problem_report *report)
{
    int status = report->status == 422 ? 400 : report->status;
    struct err err = {0};
    struct buf b;

    err_set(&err, ERR_INVALID, STR_FMT, STR_ARG(report->detail));
    buf_init(&b, http_arena(x), 64 * KIB);
    gateway_write_refusal(http_head(x)->path, status, &err, &b);
    send_bytes(x, status, STR("application/json"), &b);
}

static void refuse(struct http_exchange *x, const struct problem_report *report)
{
    struct buf b;

    if (report->status == 401)
        http_reply_field(x, (struct http_field){STR("www-authenticate"), STR("Bearer")});
    if (str_starts(http_head(x)->path, STR("/v1/"))) {
        refuse_in_dialect(x, report);
        return;
    }
    buf_init(&b, http_arena(x), 64 * KIB);
    problem_write(report, &b);
    send_bytes(x, report->status, STR(PROBLEM_MEDIA), &b);
}

void admin_refuse(struct http_exchange *x, int status, const struct err *err)
{
    struct problem_report report = {
        .status = status, .code = problem_of(status, err->code), .detail = str_from(err->text)};

    refuse(x, &report);
}

bool admin_fail(struct admin_call *call, int status, const char *code, struct err *err,
                const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    call->status = status;
    call->problem = code;
    return err_set(err, ERR_INVALID, "%s", text);
}

/* ---- before the handler ---- */

static struct str bearer(const struct http_head *head)
{
    struct str value = http_field(&head->fields, STR("authorization"));

    if (str_eq_nocase(str_slice(value, 0, 7), STR("Bearer ")))
        return str_trim(str_slice(value, 7, value.len));
    return http_field(&head->fields, STR("x-api-key"));
}

/* A key or token that is shown counts before a session's cookie. */
static SUSPENDS bool identify(struct admin_call *call, struct err *err)
{
    struct str token = bearer(http_head(call->http)), cookie;

    if (token.len)
        return authenticate_token(call->house->accounts, token, &call->who, err);
    cookie = auth_cookie(call->http, call->house);
    if (cookie.len)
        return auth_admit(call->http, call->house, cookie, &call->who, err);
    return err_set(err, ERR_UNAUTHENTICATED,
                   "no key: send \"Authorization: Bearer wr_...\" with an admin key, or log in");
}

static bool admit(struct admin_call *call, struct err *err)
{
    if (http_peer_is_local(call->http)) {
        call->who = accounts_local_admin(call->house->accounts);
        return true;
    }
    if (!identify(call, err))
        return false;
    if (principal_may(call->who, call->route->right))
        return true;
    return err_set(err, ERR_DENIED, "key " STR_FMT " may not do this: its role is %s",
                   STR_ARG(call->who->key_id), role_name(call->who->role));
}

static struct schema_faults *new_faults(struct admin_call *call)
{
    struct schema_faults *faults = arena_alloc(call->arena, sizeof *faults);

    if (faults)
        faults->arena = call->arena;
    return faults;
}

/* The first mistake in words, all of them in the reply's "errors". */
static bool tell_faults(struct admin_call *call, struct schema_faults *faults, int status,
                        const char *code, struct err *err)
{
    struct str field = faults->at[0].field, detail = faults->at[0].detail;

    call->faults = faults;
    if (field.len == 0)
        return admin_fail(call, status, code, err, STR_FMT, STR_ARG(detail));
    return admin_fail(call, status, code, err, "\"" STR_FMT "\": " STR_FMT, STR_ARG(field),
                      STR_ARG(detail));
}

static const struct schema_field page_query[] = {
    {"limit", FIELD_COUNT, FIELD_OPTIONAL, "Items of a page; 100 when absent.", 1, 1000, NULL,
     NULL},
    {"cursor", FIELD_TEXT, FIELD_OPTIONAL, "next_cursor of the page before.", 0, CURSOR_MAX, NULL,
     NULL},
    {0},
};

const struct schema_field *admin_page_query(void)
{
    return page_query;
}

static const struct schema_field *find_parameter(const struct admin_route *route, struct str name)
{
    const struct schema_field *tables[] = {route->paged ? page_query : NULL, route->query};

    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct schema_field *f = tables[i]; f && f->name; f++)
            if (str_eq(str_from(f->name), name))
                return f;
    return NULL;
}

static bool wrong_parameter(struct schema_faults *faults, struct str name, struct str detail)
{
    if (faults->count < FAULTS_MAX)
        faults->at[faults->count++] = (struct schema_fault){name, detail};
    return false;
}

/* Before `part` of the query. */
static bool was_given(struct str query, struct str part, struct str name)
{
    struct str before = str_slice(query, 0, (size_t)(part.ptr - query.ptr)), one;

    while (str_split(&before, '&', &one))
        if (str_eq(str_slice(one, 0, str_find_char(one, '=')), name))
            return true;
    return false;
}

static bool check_parameter(struct admin_call *call, struct str part, struct schema_faults *faults)
{
    struct str name = str_slice(part, 0, str_find_char(part, '='));
    const struct schema_field *f = find_parameter(call->route, name);

    if (!f)
        return wrong_parameter(faults, str_slice(name, 0, 100), STR("is not a parameter of this"));
    if (was_given(http_head(call->http)->query, part, name)) /* which of two would count? */
        return wrong_parameter(faults, name, STR("is given twice"));
    struct str value = http_query(call->arena, part, name);
    return value.ptr ? schema_check_text(f, value, faults)
                     : wrong_parameter(faults, name, STR("holds a broken %-escape"));
}

static bool check_query(struct admin_call *call, struct err *err)
{
    struct schema_faults *faults = new_faults(call);
    bool ok = true;

    if (!faults)
        return err_arena(err, call->arena);
    for (struct str rest = http_head(call->http)->query, part; str_split(&rest, '&', &part);)
        if (part.len > 0)
            ok &= check_parameter(call, part, faults);
    return ok || tell_faults(call, faults, 400, "wrong_parameters", err);
}

static bool has_body(const struct admin_route *route)
{
    return route->takes != NULL && !route->uploads;
}

static bool is_json(struct str type)
{
    type = str_trim(str_slice(type, 0, str_find_char(type, ';')));
    return type.len == 0 || str_eq_nocase(type, STR("application/json"));
}

static bool take_body(struct admin_call *call, struct str *text, struct err *err)
{
    struct str type = http_field(&http_head(call->http)->fields, STR("content-type"));

    if (!is_json(type))
        return admin_fail(call, 415, "unsupported_media_type", err,
                          "the body is \"" STR_FMT "\": expected application/json",
                          STR_ARG(str_slice(type, 0, 60)));
    if (!http_body(call->http, text, err)) {
        if (err->code == ERR_TIMEOUT)
            call->status = 408;
        return false;
    }
    if (text->len > ADMIN_BODY_MAX)
        return err_set(err, ERR_TOO_LARGE, "the body has %zu bytes, at most %zu are read",
                       text->len, ADMIN_BODY_MAX);
    return true;
}

static bool read_body(struct admin_call *call, struct err *err)
{
    struct schema_faults *faults = has_body(call->route) ? new_faults(call) : NULL;
    struct str text;

    if (!has_body(call->route))
        return true;
    if (!faults)
        return err_arena(err, call->arena);
    if (!take_body(call, &text, err))
        return false;
    call->body = json_parse(call->arena, text, err);
    if (!call->body) {
        if (err->code == ERR_INVALID)
            call->problem = "not_json";
        return err_wrap(err, "the body is not JSON");
    }
    return schema_check(call->route->takes, call->body, json_root(call->body), faults) ||
           tell_faults(call, faults, 422, "wrong_fields", err);
}

static bool decode_values(struct admin_call *call, const struct str *escaped, struct err *err)
{
    for (size_t i = 0; i < ADMIN_PATH_VALUES && escaped[i].ptr; i++) {
        struct buf b;
        uint8_t byte;

        buf_init(&b, call->arena, escaped[i].len + 1);
        for (size_t at = 0; at < escaped[i].len; at++) {
            if (escaped[i].ptr[at] != '%')
                buf_char(&b, escaped[i].ptr[at]);
            else if (hex_parse(str_slice(escaped[i], at + 1, at + 3), &byte, 1))
                buf_char(&b, (char)byte), at += 2;
            else
                return err_set(err, ERR_INVALID, "the path holds a broken %%-escape");
        }
        if (!buf_finish(&b, &call->values[i], err))
            return false;
    }
    return true;
}

/* ---- what is left of a call ---- */

/* Changes and refusals are recorded; looking is not. */
static bool record(struct admin_call *call, const struct err *err)
{
    const struct http_head *head = http_head(call->http);
    struct hold none = {0};
    struct err why = {0};
    bool failed = err->code != ERR_NONE;

    if (call->note.len == 0 && !failed)
        return true;
    struct audit_record r = {
        .time = clock_wall(),
        .request_id = http_request_id(call->http),
        .key_id = call->who ? call->who->key_id : STR(""),
        .tenant = call->who ? call->who->tenant : STR(""),
        .team = call->who ? call->who->team : STR(""),
        .route = arena_fmt(call->arena, STR_FMT " " STR_FMT, STR_ARG(head->method),
                           STR_ARG(str_slice(head->path, 0, 200))),
        .status = call->status,
        .outcome = failed ? STR("refused") : STR("complete"),
        .error = failed ? str_from(err_code_name(err->code)) : STR(""),
        .tokens_in = -1,
        .tokens_out = -1,
        .tokens_cached = -1,
        .bytes_in = http_received_bytes(call->http),
        .took = fiber_now() - http_started(call->http),
        .note = call->note,
    };
    if (accounts_record(call->house->accounts, &none, &r, &why))
        return true;
    log_error("an administrative action could not be recorded: %s", why.text);
    return false;
}

/* What changes something needs room for its record first; looking needs none, least of all when the disk
 * is full and somebody has to find out why. */
static bool can_be_recorded(struct admin_call *call, struct err *err)
{
    return str_eq(str_from(call->route->method), STR("GET")) ||
           audit_ready(call->house->audit, err);
}

/* Of many refusals of one address within a minute the first is recorded, and the others together. */
static bool is_flood(const struct admin_call *call, const struct err *err)
{
    struct addr peer = http_peer(call->http);

    return err->code == ERR_UNAUTHENTICATED &&
           !stranger_is_first(call->house->accounts, str_from(peer.text),
                              bearer(http_head(call->http)), clock_wall());
}

static void fail(struct admin_call *call, const struct err *err)
{
    /* With an errno it is the house that has no memory or no file left. */
    bool is_house = err->code == ERR_EXHAUSTED && err->sys;
    enum err_code code = is_house ? ERR_UNAVAILABLE : err->code;

    if (call->status < 400)
        call->status = err_http_status(code);
    if (!is_flood(call, err))
        (void)record(call, err);
    if (!call->answered && page_was_asked(call)) {
        if (err->code == ERR_INTERNAL)
            log_line(LOG_ERROR, http_request_id(call->http), "%s", err->text);
        call->status = page_refuse(call, call->status, err);
        return;
    }
    struct problem_report report = {
        .status = call->status,
        .code = call->problem ? call->problem : problem_of(call->status, code),
        .detail = str_from(err->text),
        .faults = call->faults,
    };
    if (err->code == ERR_INTERNAL)
        log_line(LOG_ERROR, http_request_id(call->http), "%s", err->text);
    if (call->answered)
        http_abort(call->http); /* the answer has begun: nobody may take it for whole */
    else
        refuse(call->http, &report);
}

static void succeed(struct admin_call *call, const struct err *err)
{
    (void)record(call, err);
    if (call->answered)
        return;
    if (call->route->media)
        send_bytes(call->http, call->status, str_from(call->route->media), &call->reply_buf);
    else {
        if (call->status != 204)
            buf_char(&call->reply_buf, '\n');
        send_bytes(call->http, call->status,
                   call->status == 204 ? STR_NONE : STR("application/json"), &call->reply_buf);
    }
}

void admin_handle(struct http_exchange *x, struct house *house, const struct admin_route *route,
                  const struct str *values)
{
    struct admin_call call = {.house = house,
                              .http = x,
                              .arena = http_arena(x),
                              .route = route,
                              .status = route->status ? route->status : 200,
                              .note = STR("")};
    struct err err = {0};

    buf_init(&call.reply_buf, call.arena, ADMIN_REPLY_MAX);
    jw_init(&call.reply, &call.reply_buf);
    bool ok = admit(&call, &err) && decode_values(&call, values, &err) &&
              check_query(&call, &err) && can_be_recorded(&call, &err) && read_body(&call, &err) &&
              route->run(&call, &err);
    if (ok)
        succeed(&call, &err);
    else
        fail(&call, &err);
    count(&call);
    principal_release(&call.who);
}

/* ---- paths ---- */

static struct str segment(struct str *rest)
{
    size_t end = str_find_char(*rest, '/');
    struct str one = str_slice(*rest, 0, end);

    *rest = str_slice(*rest, end + 1, rest->len);
    return one;
}

bool admin_path_fits(struct str pattern, struct str path, struct str values[ADMIN_PATH_VALUES])
{
    size_t count_of = 0;

    for (;;) {
        bool more = str_find_char(pattern, '/') < pattern.len;
        if (more != (str_find_char(path, '/') < path.len))
            return false;
        struct str want = segment(&pattern), have = segment(&path);

        if (want.len > 0 && want.ptr[0] == '{') {
            ASSERT(count_of < ADMIN_PATH_VALUES);
            if (have.len == 0)
                return false;
            values[count_of++] = have;
        } else if (!str_eq(want, have))
            return false;
        if (!more)
            break;
    }
    if (count_of < ADMIN_PATH_VALUES)
        values[count_of] = STR_NONE;
    return true;
}
