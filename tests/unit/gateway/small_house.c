#include "small_house.h"

#include <string.h>

#include "gateway/metrics.h"
#include "net/http_server.h"
#include "sys/file.h"
#include "test.h"

/* ---- the house ---- */

static void keep_object(void *object)
{
    (void)object; /* the config lives in struct small_house */
}

static void fill_catalogue(struct small_house *h)
{
    struct catalogue *c = &h->catalogue;

    h->models[0] =
        (struct model){.name = STR("m"),
                       .provider = &h->provider,
                       .remote_name = STR("remote-m"),
                       .prices = {.plain = PRICES(1000000, 2000000)}, /* a micro-dollar a token */
                       .output_tokens_max = 100};
    h->models[1] = (struct model){
        .name = STR("org/free"), .provider = &h->provider, .remote_name = STR("org/free")};
    h->models[2] = (struct model){.name = BOOK_MODEL, .remote_name = BOOK_MODEL};
    h->answerer.model = BOOK_MODEL;
    *c = (struct catalogue){.arena = h->arena,
                            .providers = &h->provider,
                            .provider_count = 1,
                            .models = h->models,
                            .model_count = ARRAY_LEN(h->models)};
    table_init(&c->by_name, h->arena, 8);
    for (size_t i = 0; i < c->model_count; i++)
        EXPECT(table_put(&c->by_name, c->models[i].name, &c->models[i], NULL));
    h->config = (struct config){.catalogue = c,
                                .answerers = &h->answerer,
                                .answerer_count = 1,
                                .body_bytes_max = 256 * KIB,
                                .request_timeout = 30 * SECOND};
}

static const char *path_in(struct small_house *h, const char *name)
{
    return arena_fmt(h->arena, "%s/%s", h->dir, name).ptr;
}

static SUSPENDS bool open_accounts(struct small_house *h, const struct limits *limits,
                                   struct err *err)
{
    struct store_options store = {.path = path_in(h, "weir.db"),
                                  .migrations = accounts_migrations,
                                  .migration_count = accounts_migration_count};
    struct audit_options audit = {.dir = path_in(h, "audit"), .segment_bytes = MIB};
    struct accounts_options accounts = {.pepper_file = path_in(h, "pepper")};
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct key_info wanted = {.name = STR("test"), .limits = *limits};
    struct key_info key;

    if (!store_open(&store, &h->store, err) || !audit_open(&audit, &h->audit, err))
        return false;
    accounts.store = h->store;
    accounts.audit = h->audit;
    if (!accounts_open(&accounts, &h->accounts, err) ||
        !key_create(h->accounts, &wanted, h->arena, &key, &token, err))
        return false;
    h->key_id = key.id;
    h->token = arena_str(h->arena, secret_reveal(&token));
    return true;
}

static SUSPENDS void handle(struct http_exchange *x, void *ctx)
{
    struct small_house *h = ctx;
    const struct http_head *head = http_head(x);
    struct err err = {0};

    if (gateway_entry_find(head->path)) {
        gateway_serve(x, h->gateway);
    } else if (str_starts(head->path, STR("/v1/models"))) {
        gateway_models(x, h->gateway);
    } else {
        err_set(&err, ERR_NOT_FOUND, "no route " STR_FMT, STR_ARG(head->path));
        gateway_refuse(x, h->gateway, 404, &err);
    }
}

static uint64_t next_id(void *ctx)
{
    return gateway_next_id(((struct small_house *)ctx)->gateway);
}

static SUSPENDS void run_server(void *arg)
{
    struct small_house *h = arg;
    struct addr any;
    struct err err = {0};
    struct listener *listener = NULL;

    if (!addr_parse(STR("127.0.0.1:0"), &any, &err) ||
        !sock_listen(&any, &(struct listen_options){0}, &listener, &err)) {
        EXPECT(false, "%s", err.text);
        return;
    }
    h->at = listener_addr(listener);
    if (!http_server_run(h->server, listener, &err))
        EXPECT(err.code == ERR_CANCELLED, "%s", err.text);
}

static SUSPENDS bool open_gateway(struct small_house *h, struct err *err)
{
    struct gateway_options options = {.accounts = h->accounts, .bodies = h->bodies};
    struct http_server_options server = {.handler = handle, .ctx = h, .next_id = next_id};

    h->published = snapshot_new(keep_object);
    snapshot_publish(h->published, &h->config);
    options.config = h->published;
    if (!gateway_new(&options, &h->gateway, err) || !http_server_new(&server, &h->server, err))
        return false;
    scope_open(&h->scope, 0);
    if (!scope_spawn(&h->scope, run_server, h, err))
        return false;
    while (!h->at.text[0] && !test_is_failing())
        fiber_yield();
    return true;
}

static void open_bodies(struct small_house *h)
{
    static const struct secret none;
    struct audit_bodies_options options = {.dir = path_in(h, "bodies"),
                                           .key_file = path_in(h, "bodies.key"),
                                           .master = &none,
                                           .segment_bytes = MIB};
    struct err err = {0};

    EXPECT(audit_bodies_open(&options, &h->bodies, &err), "%s", err.text);
    h->config.bodies = BODIES_HASH;
    h->config.body_kept_max = 64 * KIB;
}

static SUSPENDS void open_house(struct small_house *h, const struct limits *limits, bool named)
{
    static const struct limits unlimited;
    static bool registered;
    struct err err = {0};

    if (!registered)
        gateway_metrics_register();
    registered = true;
    *h = (struct small_house){.arena = arena_new(64 * MIB), .dir = test_dir()};
    fake_start(&h->fake, h->arena);
    h->provider = fake_settings(&h->fake, h->arena);
    fill_catalogue(h);
    EXPECT(open_accounts(h, limits ? limits : &unlimited, &err), "%s", err.text);
    if (named)
        open_bodies(h);
    EXPECT(open_gateway(h, &err), "%s", err.text);
}

void house_open(struct small_house *h, const struct limits *limits)
{
    open_house(h, limits, false);
}

void house_open_named(struct small_house *h, const struct limits *limits)
{
    open_house(h, limits, true);
}

void house_close(struct small_house *h)
{
    struct audit_report report;
    struct err err = {0};

    http_client_drop_idle();
    scope_close(&h->scope);
    EXPECT(http_server_drain(h->server, &err), "%s", err.text);
    http_server_free(&h->server);
    fake_stop(&h->fake);
    EXPECT(accounts_holds_open(h->accounts) == 0, "%zu", accounts_holds_open(h->accounts));
    gateway_free(&h->gateway);
    audit_bodies_close(&h->bodies);
    accounts_close(&h->accounts);
    audit_close(&h->audit);
    store_close(&h->store);
    EXPECT(audit_verify(path_in(h, "audit"), &report, &err), "%s", err.text);
    snapshot_free(&h->published);
    arena_end(&h->arena);
}

/* ---- asking ---- */

static SUSPENDS void read_body(struct http_call *call, struct arena *arena, struct reply *reply)
{
    struct str bytes = STR("x");
    struct err err = {0};
    struct buf body;

    buf_init(&body, arena, 8 * MIB);
    while (bytes.len > 0) {
        if (!http_call_next(call, &bytes, &err))
            break;
        buf_str(&body, bytes);
    }
    reply->whole = bytes.len == 0;
    reply->body = buf_view(&body);
}

struct reply *house_ask(struct small_house *h, const char *path, const char *token,
                        const char *body)
{
    struct str url = arena_fmt(h->arena, "http://%s", h->at.text), text = str_from(body);
    struct http_field fields[] = {
        {STR("Authorization"), arena_fmt(h->arena, "Bearer %s", token ? token : "")}};
    struct http_outgoing send = {.method = body ? STR("POST") : STR("GET"),
                                 .path = str_from(path),
                                 .fields = fields,
                                 .field_count = token ? 1 : 0,
                                 .body = &text,
                                 .body_count = body ? 1 : 0};
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct reply *reply = arena_alloc(h->arena, sizeof *reply);
    struct err err = {0};
    struct http_url to;

    EXPECT(reply && http_url_parse(url, &to, &err), "%s", err.text);
    if (!http_call(h->arena, &to, &send, &call, &err))
        return reply;
    reply->head = true;
    reply->status = http_call_head(call)->status;
    for (size_t i = 0; i < http_call_head(call)->fields.count; i++) {
        struct http_field f = http_call_head(call)->fields.at[i];

        reply->fields.at[i] =
            (struct http_field){arena_str(h->arena, f.name), arena_str(h->arena, f.value)};
        reply->fields.count++;
    }
    read_body(call, h->arena, reply);
    return reply;
}

struct reply *house_chat(struct small_house *h, const char *body)
{
    return house_ask(h, "/v1/chat/completions", h->token.ptr, body);
}

struct str reply_field(const struct reply *reply, const char *name)
{
    return http_field(&reply->fields, str_from(name));
}

struct str reply_text(struct small_house *h, const struct reply *reply, const char *path)
{
    struct err err = {0};
    struct json *j = json_parse(h->arena, reply->body, &err);
    struct str out = STR("");

    EXPECT(j != NULL, "%s: " STR_FMT, err.text, STR_ARG(reply->body));
    if (j && !json_str(j, json_path(j, path), h->arena, &out))
        out = STR("");
    return out;
}

/* ---- the audit log ---- */

struct lookup {
    struct small_house *h;
    uint64_t seq, records;
    const char *field;
    struct str value;
};

static bool look(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct lookup *l = ctx;
    struct str copy = arena_str(l->h->arena, line);
    struct json *j = json_parse(l->h->arena, copy, err);

    if (!j)
        return false;
    l->records++;
    if (seq == l->seq)
        l->value = json_raw(j, json_path(j, l->field));
    return true;
}

static struct lookup look_up(struct small_house *h, uint64_t seq, const char *field)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(8 * MIB);
    struct lookup l = {.h = h, .seq = seq, .field = field};
    struct err err = {0};

    EXPECT(audit_read(scratch, path_in(h, "audit"), 1, look, &l, &err), "%s", err.text);
    return l;
}

uint64_t house_records(struct small_house *h)
{
    return look_up(h, 0, "").records;
}

struct str house_record(struct small_house *h, uint64_t seq, const char *field)
{
    return look_up(h, seq, field).value;
}
