/* A question asked again byte for byte is answered without reading its body: nobody can tell that from the answer, the
 * audit record, the log line or what was spent. */
#include <string.h>

#include "base/log.h"
#include "cache/cache.h"
#include "gateway/request.h"
#include "models/route.h"
#include "small_house.h"
#include "test.h"

#define HI        "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ASK(rest) "{\"model\":\"m\"," HI rest "}"
#define STREAM_TEXT \
    "data: "        \
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n"
#define REPLY                                                                                      \
    "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"     \
    "\"Hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}" \
    "}"
#define LINE_BYTES 2048

/* What one request left behind. */
struct trail {
    struct reply *reply;
    struct str record, log;
    struct balance balance; /* of the key, afterwards */
};

struct logged {
    char line[LINE_BYTES];
    size_t len;
};

static void take_line(void *ctx, enum log_level level, struct str line)
{
    struct logged *l = ctx;

    if (level != LOG_INFO || line.len > sizeof l->line ||
        str_find(line, STR("\"event\":\"request\"")) == line.len)
        return;
    memcpy(l->line, line.ptr, line.len);
    l->len = line.len;
}

static struct logged logged;

static const struct fake_move *decide(struct fake_provider *fake)
{
    static struct fake_move moves[5];
    const char *whole =
        arena_fmt(fake->arena, FAKE_JSON_HEAD("%zu") "%s", strlen(REPLY), REPLY).ptr;
    bool stream = str_find(fake->body, STR("\"stream\": true")) < fake->body.len ||
                  str_find(fake->body, STR("\"stream\":true")) < fake->body.len;

    if (!stream) {
        moves[0] = (struct fake_move){FAKE_WRITE, whole, 0};
        moves[1] = (struct fake_move){0};
        return moves;
    }
    moves[0] = (struct fake_move){FAKE_WRITE, FAKE_STREAM_HEAD, 0};
    moves[1] = (struct fake_move){FAKE_WRITE, fake_chunk(fake->arena, STREAM_TEXT), 0};
    moves[2] = (struct fake_move){FAKE_WRITE, fake_chunk(fake->arena, "data: [DONE]\n\n"), 0};
    moves[3] = (struct fake_move){FAKE_WRITE, "0\r\n\r\n", 0};
    moves[4] = (struct fake_move){0};
    return moves;
}

static void open_house(struct small_house *h)
{
    struct cache_options options = {
        .bytes_max = 4 * MIB, .tenant_bytes_max = 4 * MIB, .entry_bytes_max = MIB};
    struct limits limits = {.requests_per_minute = 100000, .tokens_per_minute = 100000000};
    struct err err = {0};

    house_open_named(h, &limits);
    h->fake.decide = decide;
    h->config.log_requests = true;
    h->config.cache = (struct cache_config){.price_percent = 10,
                                            .rules = {.use = CACHE_ALWAYS,
                                                      .sampled = CACHE_ALWAYS,
                                                      .shared = CACHE_ASKED,
                                                      .ttl = 3600 * SECOND,
                                                      .ttl_max = 3600 * SECOND}};
    EXPECT(cache_open(&options, &h->config.cache.cache, &err), "%s", err.text);
    log_set_level(LOG_INFO);
    log_to(take_line, &logged);
}

static void close_house(struct small_house *h)
{
    struct cache *cache = h->config.cache.cache;

    log_to(NULL, NULL);
    house_close(h);
    cache_close(&cache);
}

/* As house_ask(), with a field of the head besides. */
static SUSPENDS struct reply *ask_with(struct small_house *h, struct str token, const char *body,
                                       struct http_field extra)
{
    struct str url = arena_fmt(h->arena, "http://%s", h->at.text), text = str_from(body), bytes;
    struct http_field fields[] = {
        {STR("Authorization"), arena_fmt(h->arena, "Bearer " STR_FMT, STR_ARG(token))}, extra};
    struct http_outgoing send = {.method = STR("POST"),
                                 .path = STR("/v1/chat/completions"),
                                 .fields = fields,
                                 .field_count = extra.name.len ? 2 : 1,
                                 .body = &text,
                                 .body_count = 1};
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct reply *reply = arena_alloc(h->arena, sizeof *reply);
    struct err err = {0};
    struct http_url to;
    struct buf all;

    EXPECT(reply && http_url_parse(url, &to, &err) && http_call(h->arena, &to, &send, &call, &err),
           "%s", err.text);
    if (!call)
        return reply;
    reply->status = http_call_head(call)->status;
    for (size_t i = 0; i < http_call_head(call)->fields.count; i++) {
        struct http_field f = http_call_head(call)->fields.at[i];

        reply->fields.at[reply->fields.count++] =
            (struct http_field){arena_str(h->arena, f.name), arena_str(h->arena, f.value)};
    }
    buf_init(&all, h->arena, MIB);
    while (http_call_next(call, &bytes, &err) && bytes.len)
        buf_str(&all, bytes);
    reply->whole = !err.code;
    reply->body = buf_view(&all);
    return reply;
}

struct newest {
    struct arena *arena;
    struct str line;
};

static bool keep_newest(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct newest *n = ctx;

    (void)seq;
    (void)err;
    n->line = arena_str(n->arena, line);
    return true;
}

static SUSPENDS struct trail leave_trail(struct small_house *h, const struct key_info *key,
                                         struct str token, const char *body,
                                         struct http_field extra)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(8 * MIB);
    struct newest newest = {.arena = h->arena};
    struct trail trail = {0};
    struct key_info info;
    struct err err = {0};

    logged.len = 0;
    trail.reply = ask_with(h, token, body, extra);
    for (int i = 0; i < 1000 && !logged.len; i++)
        fiber_yield(); /* the line is written behind the last bytes */
    trail.log = arena_str(h->arena, (struct str){logged.line, logged.len});
    EXPECT(audit_read(scratch, arena_fmt(h->arena, "%s/audit", h->dir).ptr, 1, keep_newest, &newest,
                      &err),
           "%s", err.text);
    trail.record = newest.line;
    EXPECT(key_find(h->accounts, key->id, h->arena, &info, &err), "%s", err.text);
    trail.balance = info.balance;
    return trail;
}

/* Members whose value is of this one request: numbers, times and what is made of them. */
static const char *const own_members[] = {"seq",       "ts",     "time", "request",       "id",
                                          "prev",      "hash",   "ms",   "ms_first_byte", "took_us",
                                          "body_hash", "ms_call"};

static bool is_own(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(own_members); i++)
        if (str_eq(name, str_from(own_members[i])))
            return true;
    return false;
}

/* Both have the same members in the same order, byte for byte but for values of their own. */
static void expect_same_lines(struct small_house *h, const char *what, struct str a, struct str b)
{
    struct err err = {0};
    struct json *ja = json_parse(h->arena, a, &err), *jb = json_parse(h->arena, b, &err);

    EXPECT(ja && jb, "%s: %s", what, err.text);
    if (!ja || !jb)
        return;

    json_ref va = json_first(ja, json_root(ja)), vb = json_first(jb, json_root(jb));
    size_t members = 0;

    for (; va && vb; va = json_next(ja, va), vb = json_next(jb, vb), members++) {
        struct str name = json_key_raw(ja, va);

        EXPECT(str_eq(name, json_key_raw(jb, vb)), "%s: " STR_FMT, what, STR_ARG(name));
        if (!is_own(name))
            EXPECT(str_eq(json_raw(ja, va), json_raw(jb, vb)), "%s: " STR_FMT, what, STR_ARG(b));
    }
    EXPECT(!va && !vb && members > 8, "%s: %zu members", what, members);
}

static void expect_same(struct small_house *h, const char *what, const struct trail *a,
                        const struct trail *b)
{
    EXPECT(a->reply->status == b->reply->status && a->reply->whole && b->reply->whole &&
               str_eq(a->reply->body, b->reply->body),
           "%s: %d, %d " STR_FMT, what, a->reply->status, b->reply->status,
           STR_ARG(b->reply->body));
    EXPECT(a->reply->fields.count == b->reply->fields.count, "%s", what);
    for (size_t i = 0; i < a->reply->fields.count && i < b->reply->fields.count; i++) {
        struct http_field x = a->reply->fields.at[i], y = b->reply->fields.at[i];
        bool own = str_eq(x.name, STR("x-request-id")) || str_eq_nocase(x.name, STR("date")) ||
                   str_eq(x.name, STR("age")) || str_starts(x.name, STR("x-ratelimit-remaining")) ||
                   str_starts(x.name, STR("x-ratelimit-reset"));

        EXPECT(str_eq(x.name, y.name) && (own || str_eq(x.value, y.value)),
               "%s: " STR_FMT ": " STR_FMT ", " STR_FMT, what, STR_ARG(x.name), STR_ARG(x.value),
               STR_ARG(y.value));
    }
    expect_same_lines(h, what, a->record, b->record);
    expect_same_lines(h, what, a->log, b->log);
}

/* Is the body noted? Then the next who sends it is answered without reading it. */
static bool is_known(struct small_house *h, const char *tenant, const char *body)
{
    struct cache_identity asked = {
        .tenant = str_from(tenant), .dialect = STR("chat"), .text = str_from(body)};
    struct body_facts facts;

    return cache_recall_notes(h->config.cache.cache, &asked, &facts, sizeof facts);
}

/* clang-format off: a table reads as a table */
static const struct {
    const char *name, *body;
    struct http_field head;
    bool unknown; /* its answer is kept, what was read in it is not */
} rows[] = {
    {"plain", ASK("")},
    {"spelled with room",
     " { \"messages\" : [ { \"content\" : \"hi\" , \"role\" : \"user\" } ] , \"model\" : \"m\" } "},
    {"a model in escapes", "{\"model\":\"\\u006d\"," HI "}", .unknown = true},
    {"limits", ASK(",\"max_tokens\":7,\"n\":1")},
    {"the newer limit", ASK(",\"max_completion_tokens\":9,\"max_tokens\":3")},
    {"nothing but the prompt", ASK(",\"max_tokens\":0")},
    {"not sampled", ASK(",\"temperature\":0")},
    {"sampled", ASK(",\"temperature\":0.7,\"top_p\":0.9,\"seed\":3")},
    {"a stream", ASK(",\"stream\":true")},
    {"a stream with usage", ASK(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")},
    {"no stream", ASK(",\"stream\":false,\"stream_options\":null")},
    {"a user", ASK(",\"user\":\"anna\"")},
    {"another user", ASK(",\"user\":\"bert\"")},
    {"a user in escapes", ASK(",\"user\":\"ann\\u0061\""), .unknown = true},
    {"an empty user", ASK(",\"user\":\"\"")},
    {"a user that is a number", ASK(",\"user\":7")},
    {"a user of the metadata", ASK(",\"metadata\":{\"user_id\":\"anna\"}")},
    {"a subject of the head",
     ASK(",\"user\":\"anna\",\"seed\":1"),
     {STR("X-Weir-Subject"), STR("carl")}},
    {"tags", ASK(",\"weir\":{\"tags\":[\"gold\",\"batch\",\"gold\"]}")},
    {"a class of data", ASK(",\"weir\":{\"data_class\":\"secret\",\"fallback\":false}")},
    {"tags of the cache", ASK(",\"weir\":{\"cache\":{\"tags\":[\"a\"],\"ttl\":60}}")},
    {"on in a word", ASK(",\"weir\":{\"cache\":\"on\"},\"seed\":2")},
    {"only what is kept", ASK(",\"weir\":{}"), {STR("Cache-Control"), STR("max-age=1000")}},
    {"shared on purpose", ASK(",\"weir\":{\"cache\":{\"shared\":true}}")},
    {"options in escapes", ASK(",\"\\u0077eir\":{\"tags\":[\"gold\"]},\"seed\":4")},
    {"null options", ASK(",\"weir\":null,\"seed\":5")},
    {"tools",
     ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]")},
    {"a form", ASK(",\"response_format\":{\"type\":\"json_object\"}")},
    {"parts",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"hi\"},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}}]}]}"},
    {"an own text", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                    "\"gr\xc3\xbc\xc3\x9f \\\"dich\\\"\"}]}"},
};
/* clang-format on */

static void make_key(struct small_house *h, struct key_info *key, struct str *token)
{
    struct secret shown CLEANUP(secret_wipe) = {0};
    struct key_info wanted = *key;
    struct err err = {0};

    EXPECT(key_create(h->accounts, &wanted, h->arena, key, &shown, &err), "%s", err.text);
    *token = arena_str(h->arena, secret_reveal(&shown));
}

static bool was_hit(const struct trail *trail)
{
    return str_eq(reply_field(trail->reply, "x-weir-cache"), STR("hit"));
}

/* Each row is answered by the provider, or under the key of a row before it; then by the cache after a parse, then without
 * one. */
FIBER_TEST(whoever_asks_again_leaves_the_same_trail)
{
    struct small_house h;
    struct key_info key = {0};

    open_house(&h);
    key.id = h.key_id;
    for (size_t i = 0; i < ARRAY_LEN(rows) && !test_is_failing(); i++) {
        struct trail trails[5];
        usd_micro spent = 0;

        for (size_t t = 0; t < ARRAY_LEN(trails); t++) {
            bool known = is_known(&h, "default", rows[i].body);

            EXPECT(known == (t > 0 && was_hit(&trails[t - 1]) && !rows[i].unknown), "%s: %zu",
                   rows[i].name, t);
            trails[t] = leave_trail(&h, &key, h.token, rows[i].body, rows[i].head);
            EXPECT(trails[t].reply->status == 200 && (t == 0 || was_hit(&trails[t])),
                   "%s: %d " STR_FMT, rows[i].name, trails[t].reply->status,
                   STR_ARG(trails[t].reply->body));
        }
        for (size_t t = 2; t < ARRAY_LEN(trails); t++) {
            usd_micro more = trails[t].balance.spent_total - trails[t - 1].balance.spent_total;

            expect_same(&h, rows[i].name, &trails[1], &trails[t]);
            EXPECT(t == 2 || more == spent, "%s", rows[i].name);
            spent = more;
        }
        EXPECT(trails[4].balance.held == 0 && trails[4].balance.in_flight == 0, "%s", rows[i].name);
    }
    close_house(&h);
}

/* Who is refused is refused the same way, whether or not somebody else's question of these bytes is known. */
FIBER_TEST(what_another_key_may_is_decided_anew)
{
    static const struct {
        const char *name;
        struct key_info key;
        int status;
    } others[] = {
        {"models", {.policy = {.models = STR("org/*")}}, 403},
        {"zones", {.policy = {.zones = 1u << ZONE_LOCAL}}, 403},
        {"a cent", {.limits = {.spend_day = 1}}, 429},
        {"tags", {.policy = {.tags = STR("night")}}, 200},
    };
    struct small_house h;
    struct key_info usual = {0};

    open_house(&h);
    usual.id = h.key_id;
    h.models[0].zone = ZONE_TRUSTED;
    for (size_t i = 0; i < ARRAY_LEN(others) && !test_is_failing(); i++) {
        const char *body = arena_fmt(h.arena, ASK(",\"seed\":%zu"), 100 + i).ptr;
        const char *other =
            arena_fmt(h.arena, "{\"seed\":%zu,\"model\":\"m\"," HI "}", 100 + i).ptr;
        struct http_field none = {0};
        struct key_info key = others[i].key;
        struct trail parsed, known;
        struct str token;

        key.name = str_from(others[i].name);
        make_key(&h, &key, &token);
        for (int n = 0; n < 2; n++)
            (void)leave_trail(&h, &usual, h.token, body, none);
        EXPECT(is_known(&h, "default", body) && !is_known(&h, "default", other), "%s",
               others[i].name);
        parsed = leave_trail(&h, &key, token, other, none);
        known = leave_trail(&h, &key, token, body, none);
        EXPECT(known.reply->status == others[i].status, "%s: %d", others[i].name,
               known.reply->status);
        expect_same(&h, others[i].name, &parsed, &known);
    }
    close_house(&h);
}

/* What is known of a body says nothing of what stands behind the model's name, nor whether there is an answer. */
FIBER_TEST(a_known_question_whose_answer_is_gone_is_asked)
{
    const char *body = ASK(",\"user\":\"anna\",\"weir\":{\"tags\":[\"gold\"]}");
    struct http_field none = {0}, refresh = {STR("Cache-Control"), STR("no-cache")};
    struct cache_selector all = {0};
    struct small_house h;
    struct key_info key = {0};
    struct trail trail;
    struct err err = {0};
    uint64_t gone;

    open_house(&h);
    key.id = h.key_id;
    for (int n = 0; n < 3; n++)
        trail = leave_trail(&h, &key, h.token, body, none);
    EXPECT(is_known(&h, "default", body) && h.fake.requests == 1);
    EXPECT(!is_known(&h, "acme", body), "another tenant's is not looked at");

    h.models[0].remote_name = STR("remote-2"); /* other settings: another answer is meant */
    trail = leave_trail(&h, &key, h.token, body, none);
    EXPECT(h.fake.requests == 2 && str_eq(reply_field(trail.reply, "x-weir-cache"), STR("stored")));
    EXPECT(str_find(h.fake.body, STR("remote-2")) < h.fake.body.len &&
               str_find(h.fake.body, STR("weir")) == h.fake.body.len,
           "the provider is asked as by the whole body: " STR_FMT, STR_ARG(h.fake.body));
    for (int n = 0; n < 2; n++)
        trail = leave_trail(&h, &key, h.token, body, none);
    EXPECT(h.fake.requests == 2 && str_eq(reply_field(trail.reply, "x-weir-cache"), STR("hit")));

    trail = leave_trail(&h, &key, h.token, body, refresh); /* asked anew on purpose */
    EXPECT(h.fake.requests == 3 && str_eq(reply_field(trail.reply, "x-weir-cache"), STR("stored")));
    EXPECT(str_find(h.fake.body, STR("\"user\":\"anna\"")) < h.fake.body.len);
    (void)leave_trail(&h, &key, h.token, body, none);
    (void)leave_trail(&h, &key, h.token, body, none);
    EXPECT(is_known(&h, "default", body));

    EXPECT(cache_purge(h.config.cache.cache, &all, &gone, &err), "%s", err.text);
    EXPECT(gone > 0 && !is_known(&h, "default", body), "texts of questions go with a purge");
    trail = leave_trail(&h, &key, h.token, body, none);
    EXPECT(h.fake.requests == 4 && str_eq(reply_field(trail.reply, "x-weir-cache"), STR("stored")));
    close_house(&h);
}
