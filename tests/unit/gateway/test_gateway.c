#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "net/http_server.h"
#include "small_house.h"
#include "test.h"

#define ASK(rest)     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define STREAM        ",\"stream\":true"
#define EVENT(choice) "data: {\"choices\":[" choice "]}\n\n"
#define HELLO         EVENT("{\"index\":0,\"delta\":{\"content\":\"Hello\"}}")
#define FINISH        EVENT("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}")
#define USAGE         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n"
#define DONE          "data: [DONE]\n\n"

#define REPLY                                                                                      \
    "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"     \
    "\"Hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}" \
    "}"

static const char *json_reply(struct small_house *h, const char *status, const char *body)
{
    return arena_fmt(h->arena,
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nx-request-id: up-1\r\n"
                     "Retry-After: 7\r\nContent-Length: %zu\r\n\r\n%s",
                     status, strlen(body), body)
        .ptr;
}

static bool record_is(struct small_house *h, uint64_t seq, const char *field, const char *want)
{
    struct str got = house_record(h, seq, field);

    if (str_eq(got, str_from(want)))
        return true;
    EXPECT(false, "%s of record %" PRIu64 ": " STR_FMT, field, seq, STR_ARG(got));
    return false;
}

/* ---- answers ---- */

FIBER_TEST(whole_answer_passes_with_key_budget_and_record)
{
    struct small_house h;

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, json_reply(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    struct reply *r = house_chat(&h, ASK(",\"seed\":7,\"x\":[1.0]"));
    EXPECT(r->whole && r->status == 200, "%d " STR_FMT, r->status, STR_ARG(r->body));
    EXPECT(str_eq(r->body, STR(REPLY)), STR_FMT, STR_ARG(r->body));
    EXPECT(str_eq(h.fake.body, STR("{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\","
                                   "\"content\":\"hi\"}],\"seed\":7,\"x\":[1.0]}")),
           STR_FMT, STR_ARG(h.fake.body));
    EXPECT(str_starts(reply_field(r, "x-request-id"), STR("req_")));
    EXPECT(reply_field(r, "x-request-id").len == 20);
    EXPECT(str_eq(reply_field(r, "x-weir-model"), STR("m")));
    EXPECT(str_eq(reply_field(r, "x-weir-provider"), STR("fake")));
    EXPECT(str_eq(reply_field(r, "x-weir-provider-request-id"), STR("up-1")));
    EXPECT(str_eq(reply_field(r, "x-weir-cost-usd"), STR("0.000013")), STR_FMT,
           STR_ARG(reply_field(r, "x-weir-cost-usd")));
    EXPECT(str_eq(fake_field(&h.fake, "x-request-id"), reply_field(r, "x-request-id")));
    EXPECT(!fake_field(&h.fake, "authorization").ptr, "the client's key goes nowhere");
    EXPECT(house_records(&h) == 1);
    record_is(&h, 1, "outcome", "\"complete\"");
    record_is(&h, 1, "status", "200");
    record_is(&h, 1, "tokens_in", "9");
    record_is(&h, 1, "tokens_out", "2");
    record_is(&h, 1, "cost", "0.000013");
    record_is(&h, 1, "provider", "\"fake\"");
    record_is(&h, 1, "remote_model", "\"remote-m\"");
    house_close(&h);
}

FIBER_TEST(stream_passes_and_is_recorded_before_its_end)
{
    struct small_house h;

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO), 0},
                                {FAKE_WAIT, NULL, 5},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO FINISH USAGE DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    struct reply *r = house_chat(&h, ASK(STREAM));
    EXPECT(r->whole && r->status == 200, "%d " STR_FMT, r->status, STR_ARG(r->body));
    EXPECT(str_eq(r->body, STR(HELLO HELLO FINISH DONE)), STR_FMT, STR_ARG(r->body));
    EXPECT(str_eq(reply_field(r, "content-type"), STR("text/event-stream")));
    EXPECT(str_eq(reply_field(r, "cache-control"), STR("no-cache")));
    EXPECT(house_records(&h) == 1);
    record_is(&h, 1, "outcome", "\"complete\"");
    record_is(&h, 1, "streamed", "true");
    record_is(&h, 1, "tokens_out", "2");
    house_close(&h);
}

FIBER_TEST(answer_without_usage_is_charged_by_estimate)
{
    struct small_house h;

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO FINISH DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    EXPECT(house_chat(&h, ASK(STREAM))->whole);
    record_is(&h, 1, "tokens_estimated", "true");
    record_is(&h, 1, "tokens_in", "1");
    record_is(&h, 1, "tokens_out", "2");
    record_is(&h, 1, "cost", "0.000005");
    house_close(&h);
}

/* ---- refusals, before anything is asked ---- */

static const struct {
    const char *name, *body;
    int status;
    const char *type, *code, *param;
} refusal_cases[] = {
    {"not JSON", "{", 400, "invalid_request_error", "", ""},
    {"no messages", "{\"model\":\"m\"}", 400, "invalid_request_error", "", "messages"},
    {"unknown model", "{\"model\":\"zz\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
     404, "not_found_error", "model_not_found", "model"},
    {"two models", "{\"model\":\"m\",\"model\":\"book\",\"messages\":[]}", 400,
     "invalid_request_error", "", ""},
};

FIBER_TEST(refusals_have_a_status_a_shape_and_a_record)
{
    struct small_house h;

    house_open(&h, NULL);
    for (size_t i = 0; i < ARRAY_LEN(refusal_cases); i++) {
        struct reply *r = house_chat(&h, refusal_cases[i].body);
        const char *name = refusal_cases[i].name;

        EXPECT(r->whole && r->status == refusal_cases[i].status, "%s: %d", name, r->status);
        EXPECT(str_eq(reply_text(&h, r, "error.type"), str_from(refusal_cases[i].type)), "%s",
               name);
        EXPECT(str_eq(reply_text(&h, r, "error.code"), str_from(refusal_cases[i].code)), "%s",
               name);
        EXPECT(str_eq(reply_text(&h, r, "error.param"), str_from(refusal_cases[i].param)), "%s",
               name);
        EXPECT(str_starts(reply_field(r, "x-request-id"), STR("req_")), "%s", name);
        EXPECT(house_records(&h) == i + 1, "%s", name);
        record_is(&h, i + 1, "outcome", "\"refused\"");
    }
    EXPECT(h.fake.requests == 0);
    house_close(&h);
}

FIBER_TEST(body_above_the_limit_is_refused)
{
    struct small_house h;

    house_open(&h, NULL);
    char *big = arena_alloc(h.arena, 300 * KIB);
    REQUIRE(big != NULL);
    memset(big, ' ', 300 * KIB - 1);
    struct reply *r = house_chat(&h, big);
    EXPECT(r->status == 413, "%d", r->status);
    EXPECT(str_eq(reply_text(&h, r, "error.code"), STR("request_too_large")));
    house_close(&h);
}

FIBER_TEST(keys_that_are_missing_wrong_or_revoked_are_refused)
{
    struct small_house h;
    struct err err = {0};

    house_open(&h, NULL);
    struct reply *none = house_ask(&h, "/v1/chat/completions", NULL, ASK(""));
    struct reply *wrong = house_ask(&h, "/v1/chat/completions", "wr_nonsense", ASK(""));
    EXPECT(none->status == 401 && wrong->status == 401, "%d %d", none->status, wrong->status);
    EXPECT(str_eq(reply_text(&h, none, "error.code"), STR("invalid_api_key")));
    EXPECT(str_eq(reply_field(none, "www-authenticate"), STR("Bearer")));
    REQUIRE(key_revoke(h.accounts, h.key_id, &err), "%s", err.text);
    struct reply *revoked = house_chat(&h, ASK(""));
    EXPECT(revoked->status == 401, "%d", revoked->status);
    EXPECT(h.fake.requests == 0);
    house_close(&h);
}

FIBER_TEST(requests_a_minute_are_limited_and_told)
{
    struct limits limits = {.requests_per_minute = 2};
    struct small_house h;

    house_open(&h, &limits);
    struct fake_move moves[] = {{FAKE_WRITE, json_reply(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    struct reply *first = house_chat(&h, ASK("")), *second = house_chat(&h, ASK(""));
    struct reply *third = house_chat(&h, ASK(""));
    EXPECT(first->status == 200 && second->status == 200);
    EXPECT(str_eq(reply_field(first, "x-ratelimit-limit-requests"), STR("2")));
    EXPECT(str_eq(reply_field(first, "x-ratelimit-remaining-requests"), STR("1")));
    EXPECT(str_eq(reply_field(second, "x-ratelimit-remaining-requests"), STR("0")));
    EXPECT(third->status == 429, "%d", third->status);
    EXPECT(str_eq(reply_text(&h, third, "error.code"), STR("rate_limit_exceeded")));
    EXPECT(str_eq(reply_text(&h, third, "error.type"), STR("rate_limit_error")));
    EXPECT(reply_field(third, "retry-after").len > 0);
    EXPECT(h.fake.requests == 2);
    record_is(&h, 3, "outcome", "\"refused\"");
    house_close(&h);
}

FIBER_TEST(budget_that_is_used_up_refuses_before_anything_costs)
{
    struct limits limits = {.spend_day = 400};
    struct small_house h;

    house_open(&h, &limits);
    struct fake_move moves[] = {{FAKE_WRITE, json_reply(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    /* At worst 2 bytes in, 104 tokens around them and 100 out: 306 micro-dollars are held, 13 are spent. */
    EXPECT(house_chat(&h, ASK(""))->status == 200);
    struct reply *r = house_chat(&h, ASK(",\"max_tokens\":200"));
    EXPECT(r->status == 429, "%d", r->status);
    EXPECT(str_eq(reply_text(&h, r, "error.code"), STR("insufficient_quota")));
    EXPECT(str_eq(reply_text(&h, r, "error.type"), STR("insufficient_quota")));
    EXPECT(str_eq(reply_field(r, "x-should-retry"), STR("false")));
    EXPECT(h.fake.requests == 1);
    EXPECT(house_chat(&h, ASK(",\"max_tokens\":100"))->status == 200, "the hold was given back");
    house_close(&h);
}

/* ---- what providers do ---- */

static const struct {
    const char *name, *status_line, *body;
    int status;
    const char *outcome;
} provider_cases[] = {
    {"bad request", "400 Bad Request",
     "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\","
     "\"code\":\"c\"}}",
     400, "\"failed\""},
    {"too many requests", "429 Too Many Requests", "{\"error\":{}}", 429, "\"failed\""},
    {"its own failure", "500 Internal Server Error", "oops", 500, "\"failed\""},
    {"overloaded", "529 Overloaded", "{}", 529, "\"failed\""},
};

FIBER_TEST(provider_errors_pass_with_status_and_body)
{
    struct small_house h;

    house_open(&h, NULL);
    for (size_t i = 0; i < ARRAY_LEN(provider_cases); i++) {
        struct fake_move moves[] = {
            {FAKE_WRITE, json_reply(&h, provider_cases[i].status_line, provider_cases[i].body), 0},
            {0}};
        h.fake.moves = moves;
        struct reply *r = house_chat(&h, ASK(STREAM));
        const char *name = provider_cases[i].name;

        EXPECT(r->status == provider_cases[i].status, "%s: %d", name, r->status);
        EXPECT(str_eq(r->body, str_from(provider_cases[i].body)), "%s", name);
        EXPECT(str_eq(reply_field(r, "retry-after"), STR("7")), "%s", name);
        EXPECT(str_starts(reply_field(r, "x-request-id"), STR("req_")), "%s", name);
        record_is(&h, i + 1, "outcome", provider_cases[i].outcome);
        EXPECT(str_is_empty(house_record(&h, i + 1, "cost")), "%s: nothing is charged", name);
    }
    house_close(&h);
}

FIBER_TEST(provider_that_hangs_becomes_504)
{
    static const struct fake_move silent[] = {{FAKE_HANG, NULL, 0}, {0}};
    struct small_house h;
    struct err err = {0};

    house_open(&h, NULL);
    h.fake.moves = silent;
    h.provider.first_byte_timeout = 30 * MILLISECOND;
    struct reply *r = house_chat(&h, ASK(""));
    EXPECT(r->status == 504, "%d", r->status);
    EXPECT(str_eq(reply_text(&h, r, "error.code"), STR("timeout")));
    EXPECT(event_wait(&h.fake.left, &err));
    record_is(&h, 1, "outcome", "\"failed\"");
    record_is(&h, 1, "error", "\"timeout\"");
    house_close(&h);
}

FIBER_TEST(request_has_a_whole_time_of_its_own)
{
    static const struct fake_move silent[] = {{FAKE_HANG, NULL, 0}, {0}};
    struct small_house h;

    house_open(&h, NULL);
    h.fake.moves = silent;
    h.config.request_timeout = 30 * MILLISECOND;
    struct reply *r = house_chat(&h, ASK(""));
    EXPECT(r->status == 504, "%d", r->status);
    EXPECT(
        str_starts(reply_text(&h, r, "error.message"), STR("the request was not done after 30 ms")),
        STR_FMT, STR_ARG(r->body));
    house_close(&h);
}

FIBER_TEST(provider_that_is_away_becomes_503)
{
    struct small_house h;
    struct err err = {0};

    house_open(&h, NULL);
    REQUIRE(http_url_parse(STR("http://127.0.0.1:1"), &h.provider.url, &err));
    struct reply *r = house_chat(&h, ASK(""));
    EXPECT(r->status == 503, "%d", r->status);
    EXPECT(str_eq(reply_text(&h, r, "error.type"), STR("server_error")));
    record_is(&h, 1, "error", "\"unavailable\"");
    house_close(&h);
}

/* The client must see an explicit error and no clean end, wherever the stream is cut. */
FIBER_TEST(cut_stream_ends_with_an_error_event_and_never_cleanly)
{
    static const char body[] = HELLO HELLO FINISH DONE;
    struct small_house h;
    uint64_t seq = 0;

    house_open(&h, NULL);
    for (size_t at = sizeof HELLO - 1; at < sizeof HELLO HELLO FINISH - 1; at += 13) {
        struct str sent = arena_str(h.arena, (struct str){body, at});
        struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                    {FAKE_WRITE, fake_chunk(h.arena, sent.ptr), 0},
                                    {FAKE_CLOSE, NULL, 0}};
        h.fake.moves = moves;
        struct reply *r = house_chat(&h, ASK(STREAM));

        EXPECT(r->status == 200 && !r->whole, "cut at %zu", at);
        EXPECT(str_starts(r->body, STR(HELLO)), "cut at %zu", at);
        EXPECT(
            str_find(r->body, STR("data: {\"error\":{\"message\":\"provider \\\"fake\\\" cut the "
                                  "stream after ")) < r->body.len,
            "cut at %zu: " STR_FMT, at, STR_ARG(r->body));
        EXPECT(str_find(r->body, STR("[DONE]")) == r->body.len, "cut at %zu", at);
        record_is(&h, ++seq, "outcome", "\"cut\"");
        record_is(&h, seq, "tokens_estimated", "true");
    }
    EXPECT(house_records(&h) == seq);
    house_close(&h);
}

FIBER_TEST(stream_cut_before_its_first_event_is_an_error_status)
{
    struct small_house h;

    house_open(&h, NULL);
    struct fake_move moves[] = {
        {FAKE_WRITE, FAKE_STREAM_HEAD, 0}, {FAKE_WRITE, "5\r\ndata:", 0}, {FAKE_CLOSE, NULL, 0}};
    h.fake.moves = moves;
    struct reply *r = house_chat(&h, ASK(STREAM));
    EXPECT(r->status == 503 && r->whole, "%d", r->status);
    record_is(&h, 1, "outcome", "\"failed\"");
    house_close(&h);
}

FIBER_TEST(stream_that_stalls_ends_with_an_error_event)
{
    struct small_house h;
    struct err err = {0};

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO), 0},
                                {FAKE_HANG, NULL, 0},
                                {0}};
    h.fake.moves = moves;
    h.provider.gap_timeout = 30 * MILLISECOND;
    struct reply *r = house_chat(&h, ASK(STREAM));
    EXPECT(r->status == 200 && !r->whole);
    EXPECT(str_find(r->body, STR("sent nothing more within 30 ms")) < r->body.len, STR_FMT,
           STR_ARG(r->body));
    EXPECT(event_wait(&h.fake.left, &err));
    record_is(&h, 1, "error", "\"timeout\"");
    house_close(&h);
}

#define ERROR "data: {\"error\":{\"message\":\"overloaded\",\"code\":\"x\"}}\n\n"

FIBER_TEST(error_inside_a_stream_passes_once_and_ends_it)
{
    struct small_house h;

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO ERROR DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    struct reply *r = house_chat(&h, ASK(STREAM));
    EXPECT(r->status == 200 && !r->whole);
    EXPECT(str_eq(r->body, STR(HELLO ERROR)), STR_FMT, STR_ARG(r->body));
    record_is(&h, 1, "outcome", "\"cut\"");
    house_close(&h);
}

FIBER_TEST(error_at_the_beginning_of_a_stream_becomes_a_status)
{
    struct small_house h;

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, ERROR), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    struct reply *r = house_chat(&h, ASK(STREAM));
    EXPECT(r->status == 503 && r->whole, "%d", r->status);
    EXPECT(str_eq(reply_text(&h, r, "error.code"), STR("x")));
    EXPECT(str_eq(reply_field(r, "content-type"), STR("application/json")));
    record_is(&h, 1, "outcome", "\"failed\"");
    house_close(&h);
}

/* ---- clients that leave ---- */

/* Send a request by hand, read `want` of the answer, leave. */
static SUSPENDS void leave_after(struct small_house *h, const char *body, const char *want)
{
    struct str text = arena_fmt(h->arena,
                                "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: "
                                "Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
                                h->token.ptr, strlen(body), body);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text.ptr, .iov_len = text.len};
    struct sock *sock CLEANUP(sock_close) = NULL;
    char bytes[2048];
    struct err err = {0};
    size_t len = 0, got;

    REQUIRE(sock_connect(&h->at, &sock, &err), "%s", err.text);
    REQUIRE(sock_write(sock, &iov, 1, &err), "%s", err.text);
    while (want && str_find((struct str){bytes, len}, str_from(want)) == len) {
        REQUIRE(sock_read(sock, bytes + len, sizeof bytes - len, &got, &err) && got, "%s",
                err.text);
        len += got;
    }
    while (!want && h->fake.requests == 0)
        fiber_yield();
}

FIBER_TEST(client_that_leaves_a_stream_closes_the_provider)
{
    struct small_house h;
    struct err err = {0};

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO), 0},
                                {FAKE_HANG, NULL, 0},
                                {0}};
    h.fake.moves = moves;
    leave_after(&h, ASK(STREAM), "Hello");
    mono_ns then = fiber_now();
    EXPECT(event_wait(&h.fake.left, &err));
    EXPECT(fiber_now() - then < SECOND, "%" PRId64, fiber_now() - then);
    while (house_records(&h) == 0)
        fiber_yield();
    record_is(&h, 1, "outcome", "\"cancelled\"");
    record_is(&h, 1, "tokens_out", "2");
    record_is(&h, 1, "tokens_estimated", "true");
    house_close(&h);
}

FIBER_TEST(client_that_leaves_before_the_answer_pays_for_the_prompt)
{
    static const struct fake_move silent[] = {{FAKE_HANG, NULL, 0}, {0}};
    struct small_house h;
    struct err err = {0};

    house_open(&h, NULL);
    h.fake.moves = silent;
    leave_after(&h, ASK(""), NULL);
    EXPECT(event_wait(&h.fake.left, &err));
    while (house_records(&h) == 0)
        fiber_yield();
    record_is(&h, 1, "outcome", "\"cancelled\"");
    record_is(&h, 1, "status", "499");
    record_is(&h, 1, "cost", "0.000001");
    house_close(&h);
}

/* ---- lists, wrong routes ---- */

FIBER_TEST(models_are_listed_as_clients_expect)
{
    struct small_house h;

    house_open(&h, NULL);
    struct reply *all = house_ask(&h, "/v1/models", h.token.ptr, NULL);
    struct reply *one = house_ask(&h, "/v1/models/org%2Ffree", h.token.ptr, NULL);
    struct reply *plain = house_ask(&h, "/v1/models/org/free", h.token.ptr, NULL);
    struct reply *none = house_ask(&h, "/v1/models/zz", h.token.ptr, NULL);
    struct reply *broken = house_ask(&h, "/v1/models/a%2", h.token.ptr, NULL);
    struct reply *keyless = house_ask(&h, "/v1/models", NULL, NULL);
    EXPECT(all->status == 200 && str_eq(reply_text(&h, all, "object"), STR("list")));
    EXPECT(str_eq(reply_text(&h, all, "data.0.id"), STR("m")));
    EXPECT(str_eq(reply_text(&h, all, "data.2.id"), STR("book")));
    EXPECT(str_eq(reply_text(&h, all, "data.2.owned_by"), STR("weir")));
    EXPECT(one->status == 200 && str_eq(reply_text(&h, one, "id"), STR("org/free")));
    EXPECT(plain->status == 200);
    EXPECT(none->status == 404);
    EXPECT(str_eq(reply_text(&h, none, "error.code"), STR("model_not_found")));
    EXPECT(broken->status == 400, "%d", broken->status);
    EXPECT(keyless->status == 401);
    house_close(&h);
}

FIBER_TEST(wrong_routes_are_refused_and_recorded_for_a_key)
{
    struct small_house h;

    house_open(&h, NULL);
    struct reply *known = house_ask(&h, "/v1/nothing", h.token.ptr, NULL);
    struct reply *unknown = house_ask(&h, "/v1/nothing", NULL, NULL);
    EXPECT(known->status == 404 && unknown->status == 404);
    EXPECT(str_eq(reply_text(&h, known, "error.type"), STR("not_found_error")));
    EXPECT(house_records(&h) == 1);
    record_is(&h, 1, "status", "404");
    house_close(&h);
}

/* ---- answers from the house ---- */

struct book {
    struct small_house *h;
    const struct model *through; /* NULL: answers itself */
    int pulls;                   /* of the inner answer, before it is left; 0: all */
};

static SUSPENDS bool book_ask(void *ctx, struct request *req, struct answer **out, struct err *err)
{
    struct book *book = ctx;
    struct str body =
        STR("{\"model\":\"any\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    struct str bytes;
    bool last = false;

    EXPECT(req->magic == REQUEST_MAGIC);
    EXPECT(str_eq(req->chat.question, STR("hi")), STR_FMT, STR_ARG(req->chat.question));
    if (book->through) {
        struct answer *inner CLEANUP(answer_end) = NULL;

        if (!gateway_ask(req, book->through, body, &inner, err))
            return err_wrap(err, "ask through");
        while (!last && book->pulls != 0) {
            if (!inner->next(inner, &bytes, &last, err))
                return err_wrap(err, "ask through");
        }
        EXPECT(book->pulls == 0 || inner->meter.usage.tokens_out == 2);
    }
    *out = answer_from_bytes(req->arena, 200, STR("application/json"), STR("{\"from\":\"book\"}"));
    if (*out)
        (*out)->citations = 3;
    return *out || err_arena(err, req->arena);
}

#define ASK_BOOK "{\"model\":\"book\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

FIBER_TEST(house_answers_its_own_models)
{
    struct small_house h;
    struct book book = {0};

    house_open(&h, NULL);
    h.answerer.ask = book_ask;
    h.answerer.ctx = &book;
    struct reply *r = house_chat(&h, ASK_BOOK);
    EXPECT(r->status == 200 && str_eq(r->body, STR("{\"from\":\"book\"}")));
    EXPECT(house_records(&h) == 1);
    record_is(&h, 1, "citations", "3");
    record_is(&h, 1, "model", "\"book\"");
    house_close(&h);
}

FIBER_TEST(question_from_inside_is_paid_and_recorded_beside_its_parent)
{
    struct small_house h;
    struct book book = {.pulls = -1};

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, json_reply(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    book.through = &h.models[0];
    h.answerer.ask = book_ask;
    h.answerer.ctx = &book;
    struct reply *r = house_chat(&h, ASK_BOOK);
    EXPECT(r->status == 200, "%d " STR_FMT, r->status, STR_ARG(r->body));
    EXPECT(house_records(&h) == 2);
    record_is(&h, 1, "route", "\"ask\"");
    record_is(&h, 1, "cost", "0.000013");
    EXPECT(str_eq(house_record(&h, 1, "parent"), house_record(&h, 2, "request")));
    EXPECT(str_eq(house_record(&h, 1, "key"), house_record(&h, 2, "key")));
    house_close(&h);
}

FIBER_TEST(question_from_inside_that_is_left_is_recorded_too)
{
    struct small_house h;
    struct book book = {.pulls = 0};

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, json_reply(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    book.through = &h.models[0];
    h.answerer.ask = book_ask;
    h.answerer.ctx = &book;
    EXPECT(house_chat(&h, ASK_BOOK)->status == 200);
    EXPECT(house_records(&h) == 2);
    record_is(&h, 1, "outcome", "\"cancelled\"");
    house_close(&h);
}

FIBER_TEST(question_from_inside_is_bounded_by_the_same_budget)
{
    struct limits limits = {.spend_day = 10};
    struct small_house h;
    struct book book = {.pulls = -1};

    house_open(&h, &limits);
    book.through = &h.models[0];
    h.answerer.ask = book_ask;
    h.answerer.ctx = &book;
    struct reply *r = house_chat(&h, ASK_BOOK);
    EXPECT(r->status == 429, "%d", r->status);
    EXPECT(house_records(&h) == 2 && h.fake.requests == 0);
    record_is(&h, 1, "outcome", "\"refused\"");
    record_is(&h, 2, "outcome", "\"failed\"");
    house_close(&h);
}

struct captured {
    char bytes[4096];
    struct buf lines;
};

static void capture(void *ctx, enum log_level level, struct str line)
{
    struct captured *c = ctx;

    (void)level;
    buf_str(&c->lines, line);
    buf_char(&c->lines, '\n');
}

FIBER_TEST(log_has_one_line_of_json_a_request_and_no_prompt)
{
    static struct captured c;
    struct small_house h;

    buf_init_fixed(&c.lines, c.bytes, sizeof c.bytes);
    house_open(&h, NULL);
    h.config.log_requests = true;
    struct fake_move moves[] = {{FAKE_WRITE, json_reply(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    log_to(capture, &c);
    struct reply *r = house_chat(&h, ASK(",\"user\":\"Hildegard\""));
    struct reply *refused = house_chat(&h, "{\"model\":\"a\\nb\"}");
    while (http_server_stats(h.server).active > 0)
        fiber_yield();
    log_to(NULL, NULL);
    EXPECT(r->status == 200 && refused->status == 400);
    struct str rest = buf_view(&c.lines), line;
    size_t count = 0;
    while (str_split(&rest, '\n', &line) && line.len > 0) {
        struct reply as_reply = {.body = line};

        EXPECT(str_eq(reply_text(&h, &as_reply, "event"), STR("request")));
        EXPECT(str_eq(reply_text(&h, &as_reply, "request"),
                      reply_field(count == 0 ? r : refused, "x-request-id")));
        EXPECT(str_eq(reply_text(&h, &as_reply, "outcome"),
                      count == 0 ? STR("complete") : STR("refused")));
        count++;
    }
    EXPECT(count == 2, "%zu", count);
    EXPECT(str_find(buf_view(&c.lines), STR("Hildegard")) == c.lines.len);
    EXPECT(str_find(buf_view(&c.lines), STR(",\"cost_usd\":0.000013,")) < c.lines.len, STR_FMT,
           STR_ARG(buf_view(&c.lines)));
    EXPECT(str_find(buf_view(&c.lines), h.token) == c.lines.len);
    house_close(&h);
}

#ifdef WEIR_FAULT
/* Each fallible call of a request fails once: whatever the client sees, the books balance. */
FIBER_TEST(books_balance_whatever_fails)
{
    struct small_house h;
    uint64_t nth = 1;

    house_open(&h, NULL);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, HELLO FINISH USAGE DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    for (; fault_arm(nth); nth++) {
        struct reply *r = house_chat(&h, ASK(STREAM));

        while (http_server_stats(h.server).active > 0)
            fiber_yield();
        EXPECT(accounts_holds_open(h.accounts) == 0, "%" PRIu64 ": %s", nth, fault_last());
        EXPECT(!r || !r->whole || r->status != 200 || str_eq(r->body, STR(HELLO FINISH DONE)),
               "%" PRIu64 ": %s: " STR_FMT, nth, fault_last(), STR_ARG(r->body));
        /* What is used up is ours: the key has no limit, and none is blamed on it. */
        EXPECT(!r || r->status != 429, "%" PRIu64 ": %s: " STR_FMT, nth, fault_last(),
               STR_ARG(r->body));
    }
    fault_disarm();
    EXPECT(nth > 10, "%" PRIu64, nth);
    house_close(&h);
}
#endif

FIBER_TEST(request_ids_do_not_repeat)
{
    struct small_house h;
    struct str last = STR("");

    house_open(&h, NULL);
    for (int i = 0; i < 20; i++) {
        struct reply *r = house_chat(&h, "{");

        EXPECT(!str_eq(reply_field(r, "x-request-id"), last));
        last = reply_field(r, "x-request-id");
    }
    EXPECT(house_records(&h) == 20);
    house_close(&h);
}
