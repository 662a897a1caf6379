#include "app/admin.h"

#include "base/log.h"
#include "sys/clock.h"

#define ADMIN_BODY_MAX  MIB
#define ADMIN_REPLY_MAX (32 * MIB)

/* ---- the frame of every call ---- */

static void write_problem(struct buf *out, int status, const struct err *err)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "type"), jw_cstr(&w, "about:blank");
    jw_key(&w, "title"), jw_cstr(&w, http_reason(status));
    jw_key(&w, "status"), jw_i64(&w, status);
    jw_key(&w, "detail"), jw_cstr(&w, err->text);
    jw_key(&w, "code"), jw_cstr(&w, err_code_name(err->code));
    jw_object_end(&w);
    buf_char(out, '\n');
}

static void send_json(struct http_exchange *x, int status, struct str type, struct buf *body)
{
    struct http_reply reply = {.status = status, .content_type = type};
    struct err err = {0};
    struct str text;

    if (!buf_finish(body, &text, &err)) {
        text = STR("{\"title\":\"the answer is larger than an answer may be\",\"status\":500}\n");
        reply.status = 500;
        reply.content_type = STR("application/problem+json");
    }
    struct err gone = {0};
    if (!http_send(x, &reply, text, &gone) && gone.code != ERR_CANCELLED)
        log_info("an administrator did not get the answer: %s", gone.text);
}

void admin_refuse(struct http_exchange *x, int status, const struct err *err)
{
    struct buf b;

    if (status == 401)
        http_reply_field(x, (struct http_field){STR("www-authenticate"), STR("Bearer")});
    buf_init(&b, http_arena(x), 64 * KIB);
    write_problem(&b, status, err);
    send_json(x, status, STR("application/problem+json"), &b);
}

static struct str bearer(const struct http_head *head)
{
    struct str value = http_field(&head->fields, STR("authorization"));

    if (str_eq_nocase(str_slice(value, 0, 7), STR("Bearer ")))
        return str_trim(str_slice(value, 7, value.len));
    return http_field(&head->fields, STR("x-api-key"));
}

static bool admit(struct admin_call *call, struct err *err)
{
    if (http_peer_is_local(call->http)) {
        call->who = accounts_local_admin(call->house->accounts);
        return true;
    }
    struct str token = bearer(http_head(call->http));
    if (token.len == 0)
        return err_set(err, ERR_UNAUTHENTICATED,
                       "no key: send \"Authorization: Bearer wr_...\" with an admin key");
    if (!authenticate_key(call->house->accounts, token, &call->who, err))
        return false;
    if (call->who->role == ROLE_ADMIN)
        return true;
    return err_set(err, ERR_DENIED, "key " STR_FMT " may not administer: this needs an admin key",
                   STR_ARG(call->who->key_id));
}

static bool read_body(struct admin_call *call, struct err *err)
{
    struct str method = http_head(call->http)->method, text;

    if (!str_eq(method, STR("POST")) && !str_eq(method, STR("PATCH")))
        return true;
    if (!http_body(call->http, &text, err))
        return false;
    if (text.len > ADMIN_BODY_MAX)
        return err_set(err, ERR_TOO_LARGE, "the body has %zu bytes, at most %zu are read", text.len,
                       ADMIN_BODY_MAX);
    call->body = json_parse(call->arena, text, err);
    if (!call->body)
        return err_wrap(err, "the body is not JSON");
    if (json_kind(call->body, json_root(call->body)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    return true;
}

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
    struct str method = http_head(call->http)->method;

    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) ||
           audit_ready(call->house->audit, err);
}

void admin_handle(struct http_exchange *x, struct house *house, admin_fn *run, struct str pattern)
{
    struct admin_call call = {
        .house = house, .http = x, .arena = http_arena(x), .status = 200, .note = STR("")};
    struct err err = {0};

    if (str_ends(pattern, STR("*")))
        call.tail = str_slice(http_head(x)->path, pattern.len - 1, http_head(x)->path.len);
    buf_init(&call.reply_buf, call.arena, ADMIN_REPLY_MAX);
    jw_init(&call.reply, &call.reply_buf);
    bool ok = admit(&call, &err) && can_be_recorded(&call, &err) && read_body(&call, &err) &&
              run(&call, &err);
    if (!ok)
        call.status = err_http_status(err.code);
    (void)record(&call, &err);
    if (ok) {
        buf_char(&call.reply_buf, '\n');
        send_json(x, call.status, STR("application/json"), &call.reply_buf);
    } else {
        admin_refuse(x, call.status, &err);
    }
    principal_release(&call.who);
}

/* ---- fields of a body ---- */

static bool field_text(struct admin_call *call, const char *name, struct str *out, struct err *err)
{
    json_ref v = json_get(call->body, json_root(call->body), str_from(name));

    if (v && !json_str(call->body, v, call->arena, out))
        return err_set(err, ERR_INVALID, "\"%s\": expected a string", name);
    return true;
}

static bool field_usd(struct admin_call *call, const char *name, usd_micro *out, struct err *err)
{
    json_ref v = json_get(call->body, json_root(call->body), str_from(name));

    if (v && (json_kind(call->body, v) != JSON_NUMBER || !usd_parse(json_raw(call->body, v), out)))
        return err_set(
            err, ERR_INVALID,
            "\"%s\": expected US dollars such as 2.50, at most six decimals; 0 is unlimited", name);
    return true;
}

static bool field_count(struct admin_call *call, const char *name, int64_t *out, struct err *err)
{
    json_ref v = json_get(call->body, json_root(call->body), str_from(name));

    if (v && (!json_i64(call->body, v, out) || *out < 0))
        return err_set(err, ERR_INVALID, "\"%s\": expected a whole number from 0; 0 is unlimited",
                       name);
    return true;
}

/* A misspelt limit must not look like one that is set. */
static bool only_fields(struct admin_call *call, const char *const *names, struct err *err)
{
    for (json_ref v = json_first(call->body, json_root(call->body)); v;
         v = json_next(call->body, v)) {
        struct str key = json_key_raw(call->body, v);
        bool known = false;

        for (const char *const *name = names; *name; name++)
            known |= str_eq(key, str_from(*name));
        if (!known)
            return err_set(err, ERR_INVALID, "unknown field \"" STR_FMT "\"",
                           STR_ARG(str_slice(key, 0, 60)));
    }
    return true;
}

static bool field_limits(struct admin_call *call, struct key_limits *out, struct err *err)
{
    return field_count(call, "requests_per_minute", &out->requests_per_minute, err) &&
           field_usd(call, "spend_day_usd", &out->spend_day, err) &&
           field_usd(call, "spend_month_usd", &out->spend_month, err);
}

static void write_time(struct json_writer *w, const char *name, wall_ms t)
{
    char text[25];

    jw_key(w, name);
    if (t == 0) {
        jw_null(w);
        return;
    }
    wall_format(t, text);
    jw_cstr(w, text);
}

/* ---- status ---- */

bool admin_status(struct admin_call *call, struct err *err)
{
    struct house *house = call->house;
    struct json_writer *w = &call->reply;

    (void)err;
    jw_object(w);
    jw_key(w, "version"), jw_cstr(w, WEIR_VERSION);
    write_time(w, "started", house->started);
    jw_key(w, "keys"), jw_u64(w, accounts_key_count(house->accounts));
    jw_key(w, "audit_last_sequence"), jw_u64(w, audit_last_seq(house->audit));
    jw_key(w, "holds_open"), jw_u64(w, accounts_holds_open(house->accounts));
    jw_object_end(w);
    return true;
}

/* ---- keys ---- */

static const char *role_name(enum role role)
{
    return role == ROLE_ADMIN ? "admin" : "app";
}

static void write_key(struct json_writer *w, const struct key_info *k)
{
    jw_key(w, "id"), jw_str(w, k->id);
    jw_key(w, "name"), jw_str(w, k->name);
    jw_key(w, "role"), jw_cstr(w, role_name(k->role));
    jw_key(w, "tenant"), jw_str(w, k->tenant);
    jw_key(w, "requests_per_minute"), jw_i64(w, k->limits.requests_per_minute);
    jw_key(w, "spend_day_usd"), jw_usd(w, k->limits.spend_day);
    jw_key(w, "spend_month_usd"), jw_usd(w, k->limits.spend_month);
    jw_key(w, "spent_day_usd"), jw_usd(w, k->spent_day);
    jw_key(w, "spent_month_usd"), jw_usd(w, k->spent_month);
    jw_key(w, "spent_total_usd"), jw_usd(w, k->spent_total);
    jw_key(w, "held_usd"), jw_usd(w, k->held);
    write_time(w, "created", k->created);
    write_time(w, "last_used", k->last_used);
    write_time(w, "revoked", k->revoked);
}

bool admin_keys_list(struct admin_call *call, struct err *err)
{
    struct key_info *keys;
    size_t count;
    struct json_writer *w = &call->reply;

    if (!key_list(call->house->accounts, call->arena, &keys, &count, err))
        return false;
    jw_object(w);
    jw_key(w, "keys");
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        write_key(w, &keys[i]);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return true;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

bool admin_keys_create(struct admin_call *call, struct err *err)
{
    static const char *const fields[] = {
        "name", "role", "requests_per_minute", "spend_day_usd", "spend_month_usd", NULL};
    struct secret token CLEANUP(secret_wipe) = {0};
    struct str name = STR(""), role = STR("app");
    struct key_limits limits = {0};
    struct key_info key;
    struct json_writer *w = &call->reply;

    if (!only_fields(call, fields, err) || !field_text(call, "name", &name, err) ||
        !field_text(call, "role", &role, err) || !field_limits(call, &limits, err))
        return false;
    if (name.len == 0 || name.len > 100 || has_control(name))
        return err_set(err, ERR_INVALID,
                       "\"name\": expected 1 to 100 bytes that say whose key this is, without "
                       "control characters");
    if (!str_eq(role, STR("app")) && !str_eq(role, STR("admin")))
        return err_set(err, ERR_INVALID, "\"role\": expected \"app\" or \"admin\"");
    if (!key_create(call->house->accounts, name, role.ptr[1] == 'd' ? ROLE_ADMIN : ROLE_APP,
                    &limits, call->arena, &key, &token, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " created, role " STR_FMT, STR_ARG(key.id),
                           STR_ARG(role));
    call->status = 201;
    jw_object(w);
    jw_key(w, "key"), jw_str(w, secret_reveal(&token));
    write_key(w, &key);
    jw_object_end(w);
    return true;
}

static bool find_key(struct admin_call *call, struct key_info *out, struct err *err)
{
    struct key_info *keys;
    size_t count;

    if (!key_list(call->house->accounts, call->arena, &keys, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_eq(keys[i].id, call->tail)) {
            *out = keys[i];
            return true;
        }
    return err_set(err, ERR_NOT_FOUND,
                   "no key has the id \"" STR_FMT "\"; `weir key list` shows them",
                   STR_ARG(str_slice(call->tail, 0, 60)));
}

bool admin_keys_change(struct admin_call *call, struct err *err)
{
    static const char *const fields[] = {"requests_per_minute", "spend_day_usd", "spend_month_usd",
                                         NULL};
    struct json_writer *w = &call->reply;
    struct key_info key;

    if (!only_fields(call, fields, err) || !find_key(call, &key, err) ||
        !field_limits(call, &key.limits, err) ||
        !key_limits_set(call->house->accounts, key.id, &key.limits, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " limits changed", STR_ARG(key.id));
    jw_object(w);
    write_key(w, &key);
    jw_object_end(w);
    return true;
}

bool admin_keys_revoke(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct key_info key;

    if (!find_key(call, &key, err) || !key_revoke(call->house->accounts, key.id, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " revoked", STR_ARG(key.id));
    jw_object(w);
    jw_key(w, "id"), jw_str(w, key.id);
    jw_key(w, "revoked"), jw_bool(w, true);
    jw_object_end(w);
    return true;
}

/* ---- models ---- */

static void write_model(struct json_writer *w, const struct model *m)
{
    jw_object(w);
    jw_key(w, "name"), jw_str(w, m->name);
    jw_key(w, "provider"), jw_str(w, m->provider ? m->provider->name : STR("documents"));
    jw_key(w, "url"), jw_str(w, m->provider ? m->provider->url_text : STR(""));
    jw_key(w, "remote_name"), jw_str(w, m->remote_name);
    struct prices now = prices_at(&m->prices, 0, clock_wall());
    jw_key(w, "price_input_usd"), jw_usd(w, now.in);
    jw_key(w, "price_output_usd"), jw_usd(w, now.out);
    jw_key(w, "price_cached_usd"), jw_usd(w, now.cached);
    jw_object_end(w);
}

bool admin_models_list(struct admin_call *call, struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    struct json_writer *w = &call->reply;

    (void)err;
    jw_object(w);
    jw_key(w, "models");
    jw_array(w);
    for (size_t i = 0; i < config->catalogue->model_count; i++)
        write_model(w, &config->catalogue->models[i]);
    jw_array_end(w);
    jw_object_end(w);
    return true;
}

/* ---- documents ---- */

bool admin_documents_list(struct admin_call *call, struct err *err)
{
    struct document_info *documents;
    size_t count;
    struct json_writer *w = &call->reply;

    if (!knowledge_list(call->house->knowledge, call->arena, &documents, &count, err))
        return false;
    jw_object(w);
    jw_key(w, "documents");
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        jw_key(w, "id"), jw_str(w, documents[i].id);
        jw_key(w, "path"), jw_str(w, documents[i].path);
        jw_key(w, "title"), jw_str(w, documents[i].title);
        jw_key(w, "language"), jw_str(w, documents[i].language);
        jw_key(w, "bytes"), jw_u64(w, documents[i].bytes);
        jw_key(w, "passages"), jw_u64(w, documents[i].passages);
        write_time(w, "ingested", documents[i].ingested);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return true;
}

static void write_report(struct json_writer *w, const struct ingest_report *r)
{
    jw_object(w);
    jw_key(w, "added"), jw_u64(w, r->added);
    jw_key(w, "changed"), jw_u64(w, r->changed);
    jw_key(w, "unchanged"), jw_u64(w, r->unchanged);
    jw_key(w, "removed"), jw_u64(w, r->removed);
    jw_key(w, "failed"), jw_u64(w, r->failed);
    jw_key(w, "skipped"), jw_u64(w, r->skipped);
    jw_key(w, "passages"), jw_u64(w, r->passages);
    jw_key(w, "bytes"), jw_u64(w, r->bytes);
    jw_key(w, "problems");
    jw_array(w);
    for (size_t i = 0; i < r->problem_count; i++) {
        jw_object(w);
        jw_key(w, "path"), jw_str(w, r->problems[i].path);
        jw_key(w, "reason"), jw_str(w, r->problems[i].reason);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

bool admin_documents_ingest(struct admin_call *call, struct err *err)
{
    static const char *const fields[] = {"path", NULL};
    struct ingest_report report;
    struct str path = STR("");

    if (!only_fields(call, fields, err) || !field_text(call, "path", &path, err))
        return false;
    if (!str_starts(path, STR("/")))
        return err_set(
            err, ERR_INVALID,
            "\"path\": expected the absolute path of a file or folder on Weir's machine");
    if (!knowledge_ingest(call->house->knowledge, call->arena, path, &report, err))
        return false;
    call->note =
        arena_fmt(call->arena, "ingested " STR_FMT ": %u added, %u changed, %u removed, %u failed",
                  STR_ARG(str_slice(path, 0, 300)), report.added, report.changed, report.removed,
                  report.failed);
    write_report(&call->reply, &report);
    return true;
}

bool admin_documents_forget(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    uint32_t documents = 0;

    if (!knowledge_forget(call->house->knowledge, call->tail, &documents, err))
        return false;
    call->note = arena_fmt(call->arena, "document " STR_FMT " forgotten",
                           STR_ARG(str_slice(call->tail, 0, 300)));
    jw_object(w);
    jw_key(w, "forgotten"), jw_u64(w, documents);
    jw_object_end(w);
    return true;
}
