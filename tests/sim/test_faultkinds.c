/* The sixteen ways in which providers fail (docs/faults.md), on the virtual clock: a route of two, the first
 * of which fails in this way. */
#include "route_kit.h"
#include "test.h"

#define BODY "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"code\":\"c\"}}"
#define PAGE "<html><body>Welcome to the network</body></html>"

static const struct fake_move good[] = {STREAMED(TEXT("One two ") TEXT("three") STOP USAGE DONE)};
static const struct fake_move rest[] = {STREAMED(TEXT("three") STOP USAGE DONE)};

struct fault {
    const char *text; /* that the client hears */
    const struct fake_move *moves;
    enum attempt_end end; /* of the first attempt */
    dur_ns within;
    bool is_cut; /* the second goes on */
};

static SUSPENDS void open_fault(struct route_kit *kit)
{
    kit_open(kit, 2);
    kit->policy.on_cut = CUT_CONTINUE;
    kit->policy.first_token_timeout = 2 * SECOND;
    kit->providers[0].gap_timeout = kit->providers[1].gap_timeout = 5 * SECOND;
    kit->models[1].abilities = UINT32_MAX; /* it goes on from a turn that stands last */
    kit->fakes[1].moves = good;
}

static SUSPENDS void stream_fault(struct route_kit *kit, const struct fault *fault)
{
    kit->fakes[0].moves = fault->moves;
    kit->fakes[1].moves = fault->is_cut ? rest : good;
    EXPECT(kit_ask(kit, true), "%s", kit->err.text);
    EXPECT(str_eq(kit_text(kit), STR("One two three")), STR_FMT, STR_ARG(kit_text(kit)));
    EXPECT(kit->fakes[0].requests <= 1 && kit->fakes[1].requests == 1);
    EXPECT(kit->log.count == 2 && kit_end(kit, 0) == fault->end, "%s",
           attempt_end_name(kit_end(kit, 0)));
    EXPECT(attempts_speaker(&kit->log, NULL) == &kit->models[1]);
    EXPECT(kit->took <= fault->within, "%" PRId64, kit->took);
    EXPECT(kit_has(kit, "continued_by") == fault->is_cut);
    EXPECT(kit_count(kit, "[DONE]") == 1);
}

static SUSPENDS void falls_back(const struct fake_move *moves, enum attempt_end end)
{
    struct route_kit kit;

    open_fault(&kit);
    stream_fault(&kit, &(struct fault){.moves = moves, .end = end, .within = SECOND});
    kit_close(&kit);
}

static SUSPENDS void status_falls_back(int status, enum attempt_end end)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    falls_back(kit_reply(arena, status, status == 429 ? "Retry-After: 9\r\n" : "", BODY), end);
}

ROUTE_TEST(f01_connection_refused)
{
    struct route_kit kit;
    struct err err = {0};

    open_fault(&kit);
    EXPECT(http_url_parse(STR("http://127.0.0.1:9/v1"), &kit.providers[0].url, &err));
    stream_fault(&kit, &(struct fault){.end = ATTEMPT_FAILED, .within = SECOND});
    kit_close(&kit);
}

ROUTE_TEST(f02_reset_before_reply)
{
    struct route_kit kit;

    open_fault(&kit);
    kit.fakes[0].moves = (const struct fake_move[]){CLOSE, END};
    EXPECT(kit_ask(&kit, true) && str_eq(kit_text(&kit), STR("One two three")));
    EXPECT(kit_end(&kit, 0) == ATTEMPT_FAILED && kit.log.count == 2);
    kit_close(&kit);
}

ROUTE_TEST(f03_too_many_requests)
{
    struct route_kit kit;

    status_falls_back(429, ATTEMPT_LIMITED);
    open_fault(&kit);
    kit.fakes[0].moves = kit_reply(kit.arena, 429, "Retry-After: 9\r\n", BODY);
    EXPECT(kit_ask(&kit, true) && kit_ask(&kit, true));
    EXPECT(kit.fakes[0].requests == 1, "left alone as long as it said");
    kit_close(&kit);
}

ROUTE_TEST(f04_server_error)
{
    status_falls_back(500, ATTEMPT_FAILED);
}

ROUTE_TEST(f05_unavailable)
{
    status_falls_back(503, ATTEMPT_FAILED);
}

ROUTE_TEST(f06_our_key_is_refused)
{
    status_falls_back(401, ATTEMPT_REFUSED);
}

static SUSPENDS void whole_falls_back(const struct fake_move *moves)
{
    struct route_kit kit;

    open_fault(&kit);
    kit.fakes[0].moves = moves;
    kit.fakes[1].moves = kit_reply(kit.arena, 200, "", kit_answer);
    EXPECT(kit_ask(&kit, false) && kit_has(&kit, "Four"), "%s", kit.err.text);
    EXPECT(kit.log.count == 2 && kit_end(&kit, 0) == ATTEMPT_FAILED, "%s",
           attempt_end_name(kit_end(&kit, 0)));
    kit_close(&kit);
}

ROUTE_TEST(f07_malformed_json)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    whole_falls_back(kit_reply(arena, 200, "", "{\"choices\": oops"));
    falls_back((const struct fake_move[]){STREAMED("data: {\"choices\": oops\n\n")},
               ATTEMPT_FAILED);
}

ROUTE_TEST(f08_cut_stream)
{
    struct route_kit kit;

    open_fault(&kit);
    stream_fault(&kit, &(struct fault){
                           .moves = (const struct fake_move[]){STREAMED(TEXT("One ") TEXT("two "))},
                           .end = ATTEMPT_CUT,
                           .within = SECOND,
                           .is_cut = true});
    kit_close(&kit);
}

ROUTE_TEST(f09_stalled_stream)
{
    const struct fake_move stalls[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE TEXT("One ") TEXT("two ")),
                                       HANG, END};
    struct route_kit kit;
    struct err err = {0};

    open_fault(&kit);
    stream_fault(
        &kit,
        &(struct fault){.moves = stalls, .end = ATTEMPT_CUT, .within = 6 * SECOND, .is_cut = true});
    EXPECT(event_wait(&kit.fakes[0].left, &err));
    kit_close(&kit);
}

ROUTE_TEST(f10_truncated_body)
{
    whole_falls_back((const struct fake_move[]){
        WRITE(FAKE_JSON_HEAD("400") "{\"choices\":[{\"index\":0,\"message\":{\"con"), CLOSE, END});
}

ROUTE_TEST(f11_error_inside_200)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    falls_back((const struct fake_move[]){STREAMED(ERROR)}, ATTEMPT_FAILED);
    whole_falls_back(kit_reply(arena, 200, "", BODY));
}

ROUTE_TEST(f12_slow_first_token)
{
    struct route_kit kit;
    struct err err = {0};

    open_fault(&kit);
    stream_fault(&kit, &(struct fault){.moves = (const struct fake_move[]){HANG, END},
                                       .end = ATTEMPT_LATE,
                                       .within = 3 * SECOND});
    EXPECT(event_wait(&kit.fakes[0].left, &err));
    kit_close(&kit);
    open_fault(&kit);
    stream_fault(
        &kit, &(struct fault){
                  .moves = (const struct fake_move[]){WRITE(FAKE_STREAM_HEAD_TO_CLOSE), HANG, END},
                  .end = ATTEMPT_LATE,
                  .within = 3 * SECOND});
    kit_close(&kit);
}

ROUTE_TEST(f13_content_filter)
{
    struct route_kit kit;

    open_fault(&kit);
    kit.fakes[0].moves = kit_reply(
        kit.arena, 400, "", "{\"error\":{\"message\":\"filtered\",\"code\":\"content_filter\"}}");
    EXPECT(!kit_ask(&kit, true) && kit.err.code == ERR_INVALID, "%s", kit.err.text);
    EXPECT(kit.plan.why.status == 400 && str_eq(kit.plan.why.code, STR("content_filter")));
    EXPECT(kit.fakes[0].requests == 1 && kit.fakes[1].requests == 0);
    kit_close(&kit);
}

ROUTE_TEST(f14_wrong_content_type)
{
    whole_falls_back((const struct fake_move[]){
        WRITE("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 48\r\n\r\n" PAGE),
        END});
}

ROUTE_TEST(f15_client_leaves)
{
    struct route_kit kit;
    struct scope client;
    struct err err = {0};

    open_fault(&kit);
    kit.policy.first_token_timeout = 0;
    kit.fakes[0].moves = (const struct fake_move[]){HANG, END};
    scope_open(&client, fiber_now() + SECOND);
    EXPECT(!kit_ask(&kit, true));
    scope_close(&client);
    EXPECT(event_wait(&kit.fakes[0].left, &err), "dropped");
    EXPECT(kit.fakes[1].requests == 0 && kit.took < 2 * SECOND, "nobody else is asked");
    EXPECT(deployment_look(kit.models[0].deployment, fiber_now()).failed == 0);
    kit_close(&kit);
}

ROUTE_TEST(f16_empty_answer)
{
    falls_back((const struct fake_move[]){STREAMED(STOP DONE)}, ATTEMPT_EMPTY);
}
