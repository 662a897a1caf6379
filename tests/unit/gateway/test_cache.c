/* Many who ask the same: one question to the provider, whatever becomes of the one who asked first. */
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "cache/cache.h"
#include "small_house.h"
#include "test.h"

#define ASK(rest)   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define STREAM      ",\"stream\":true"
#define EVENT(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE        "data: [DONE]\n\n"
#define USAGE       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":77}}\n\n"
#define REPLY                                                                                      \
    "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"     \
    "\"Hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}" \
    "}"
#define CROWD 100

struct crowd {
    struct small_house *h;
    const char *body;
    struct reply *replies[CROWD];
    int done;
};

struct asker {
    struct crowd *crowd;
    int index;
};

static void open_limited(struct small_house *h, const struct limits *limits, size_t entry_bytes)
{
    struct cache_options options = {
        .bytes_max = 4 * MIB, .tenant_bytes_max = 4 * MIB, .entry_bytes_max = entry_bytes};
    struct cache *cache = NULL;
    struct err err = {0};

    house_open(h, limits);
    EXPECT(cache_open(&options, &cache, &err), "%s", err.text);
    h->config.cache = (struct cache_config){.cache = cache,
                                            .rules = {.use = CACHE_ALWAYS,
                                                      .sampled = CACHE_ALWAYS,
                                                      .ttl = 3600 * SECOND,
                                                      .ttl_max = 3600 * SECOND}};
}

static void open_with_cache(struct small_house *h, size_t entry_bytes)
{
    open_limited(h, NULL, entry_bytes);
}

static void close_with_cache(struct small_house *h)
{
    struct cache *cache = h->config.cache.cache;

    house_close(h);
    EXPECT(cache_stats(cache).flights == 0);
    cache_close(&cache);
}

static SUSPENDS void ask_one(void *arg)
{
    struct asker *a = arg;

    a->crowd->replies[a->index] = house_chat(a->crowd->h, a->crowd->body);
    a->crowd->done++;
}

static SUSPENDS void ask_all(struct crowd *crowd, int count)
{
    struct asker askers[CROWD];
    struct scope scope;
    struct err err = {0};

    scope_open(&scope, 0);
    for (int i = 0; i < count; i++) {
        askers[i] = (struct asker){crowd, i};
        EXPECT(scope_spawn(&scope, ask_one, &askers[i], &err), "%s", err.text);
    }
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
}

static const char *whole(struct small_house *h, const char *status, const char *body)
{
    return arena_fmt(
               h->arena,
               "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               status, strlen(body), body)
        .ptr;
}

static int count_said(const struct crowd *crowd, int count, const char *said)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        n += str_eq(reply_field(crowd->replies[i], "x-weir-cache"), str_from(said));
    return n;
}

FIBER_TEST(a_hundred_identical_misses_make_one_call)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {
        {FAKE_WAIT, NULL, 100}, {FAKE_WRITE, whole(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    ask_all(&crowd, CROWD);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    for (int i = 0; i < CROWD; i++)
        EXPECT(crowd.replies[i]->whole && crowd.replies[i]->status == 200 &&
                   str_eq(crowd.replies[i]->body, STR(REPLY)),
               "%d", i);
    EXPECT(count_said(&crowd, CROWD, "stored") == 1);
    EXPECT(count_said(&crowd, CROWD, "joined") == CROWD - 1, "%d",
           count_said(&crowd, CROWD, "joined"));
    EXPECT(house_records(&h) == CROWD, "each is recorded");
    close_with_cache(&h);
}

FIBER_TEST(a_hundred_read_one_stream_as_it_goes)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK(STREAM)};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, EVENT("One")), 0},
                                {FAKE_WAIT, NULL, 100},
                                {FAKE_WRITE, fake_chunk(h.arena, EVENT("Two")), 0},
                                {FAKE_WAIT, NULL, 20},
                                {FAKE_WRITE, fake_chunk(h.arena, FINISH DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    ask_all(&crowd, CROWD);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    for (int i = 0; i < CROWD; i++)
        EXPECT(crowd.replies[i]->whole &&
                   str_eq(crowd.replies[i]->body, STR(EVENT("One") EVENT("Two") FINISH DONE)),
               "%d: " STR_FMT, i, STR_ARG(crowd.replies[i]->body));
    EXPECT(count_said(&crowd, CROWD, "joined") == CROWD - 1);
    struct reply *after = house_chat(&h, ASK(STREAM));
    EXPECT(str_eq(reply_field(after, "x-weir-cache"), STR("hit")));
    EXPECT(str_eq(after->body, STR(EVENT("One") EVENT("Two") FINISH DONE)));
    close_with_cache(&h);
}

/* ---- who asked first leaves ---- */

struct leaver {
    struct small_house *h;
    dur_ns after;
    const char *body;
};

static SUSPENDS void ask_and_leave(void *arg)
{
    struct leaver *l = arg;
    struct scope scope;

    scope_open(&scope, fiber_now() + l->after);
    (void)house_chat(l->h, l->body);
    scope_close(&scope);
}

static void with_a_leaver(struct small_house *h, struct crowd *crowd, dur_ns after)
{
    struct leaver leaver = {h, after, crowd->body};
    struct scope scope;
    struct err err = {0};

    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, ask_and_leave, &leaver, &err), "%s", err.text);
    EXPECT(fiber_sleep(20 * MILLISECOND, &err));
    ask_all(crowd, 5);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
}

FIBER_TEST(the_first_leaves_a_stream_and_the_others_read_on)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK(STREAM)};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, EVENT("One")), 0},
                                {FAKE_WAIT, NULL, 200},
                                {FAKE_WRITE, fake_chunk(h.arena, EVENT("Two") FINISH DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    h.fake.moves = moves;
    with_a_leaver(&h, &crowd, 60 * MILLISECOND);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    for (int i = 0; i < 5; i++)
        EXPECT(crowd.replies[i]->whole &&
                   str_eq(crowd.replies[i]->body, STR(EVENT("One") EVENT("Two") FINISH DONE)),
               "%d: " STR_FMT, i, STR_ARG(crowd.replies[i]->body));
    EXPECT(house_records(&h) == 6);
    close_with_cache(&h);
}

FIBER_TEST(the_first_leaves_before_the_answer_and_another_asks)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {
        {FAKE_WAIT, NULL, 150}, {FAKE_WRITE, whole(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    with_a_leaver(&h, &crowd, 60 * MILLISECOND);
    EXPECT(h.fake.requests == 2, "%d", h.fake.requests);
    for (int i = 0; i < 5; i++)
        EXPECT(crowd.replies[i]->whole && str_eq(crowd.replies[i]->body, STR(REPLY)), "%d", i);
    close_with_cache(&h);
}

/* Six are asked, and no more are counted: who asks in place of the first has been. */
FIBER_TEST(who_asks_in_place_of_the_first_is_one_request_of_the_minute)
{
    const struct limits limits = {.requests_per_minute = 6};
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};

    open_limited(&h, &limits, MIB);
    struct fake_move moves[] = {
        {FAKE_WAIT, NULL, 150}, {FAKE_WRITE, whole(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    with_a_leaver(&h, &crowd, 60 * MILLISECOND);
    for (int i = 0; i < 5; i++)
        EXPECT(crowd.replies[i]->status == 200, "%d: %d", i, crowd.replies[i]->status);
    EXPECT(house_chat(&h, ASK(""))->status == 429, "six there were");
    close_with_cache(&h);
}

/* The first question is never answered, the second is. */
static const struct fake_move *hang_at_first(struct fake_provider *fake)
{
    static struct fake_move hangs[] = {{FAKE_HANG, NULL, 0}, {0}}, answers[2];

    answers[0] = (struct fake_move){
        FAKE_WRITE, arena_fmt(fake->arena, FAKE_JSON_HEAD("%zu") "%s", strlen(REPLY), REPLY).ptr,
        0};
    return fake->requests == 1 ? hangs : answers;
}

/* Who came later has not waited that long. */
FIBER_TEST(the_time_of_the_first_is_over_and_another_asks)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};
    struct asker first = {&crowd, CROWD - 1};
    struct scope scope;
    struct err err = {0};

    open_with_cache(&h, MIB);
    h.config.request_timeout = 400 * MILLISECOND;
    h.fake.decide = hang_at_first;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, ask_one, &first, &err), "%s", err.text);
    EXPECT(fiber_sleep(200 * MILLISECOND, &err));
    ask_all(&crowd, 5);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    EXPECT(crowd.replies[CROWD - 1]->status == 504, "%d", crowd.replies[CROWD - 1]->status);
    for (int i = 0; i < 5; i++)
        EXPECT(crowd.replies[i]->status == 200, "%d: %d " STR_FMT, i, crowd.replies[i]->status,
               STR_ARG(crowd.replies[i]->body));
    EXPECT(h.fake.requests == 2, "%d", h.fake.requests);
    close_with_cache(&h);
}

/* The others read on: what the provider counted in the end is paid, once. */
FIBER_TEST(the_time_of_the_first_is_over_and_it_pays_what_the_others_read)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK(STREAM)};
    struct asker first = {&crowd, CROWD - 1};
    struct scope scope;
    struct err err = {0};

    open_with_cache(&h, MIB);
    h.config.request_timeout = 400 * MILLISECOND;
    struct fake_move moves[] = {
        {FAKE_WRITE, FAKE_STREAM_HEAD, 0},
        {FAKE_WRITE, fake_chunk(h.arena, EVENT("One")), 0},
        {FAKE_WAIT, NULL, 500},
        {FAKE_WRITE, fake_chunk(h.arena, EVENT("Two") FINISH USAGE DONE), 0},
        {FAKE_WRITE, "0\r\n\r\n", 0},
        {0}};
    h.fake.moves = moves;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, ask_one, &first, &err), "%s", err.text);
    EXPECT(fiber_sleep(200 * MILLISECOND, &err));
    ask_all(&crowd, 1);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    EXPECT(crowd.replies[0]->whole && !crowd.replies[CROWD - 1]->whole);
    EXPECT(str_find(crowd.replies[CROWD - 1]->body, STR("request_timeout")) <
               crowd.replies[CROWD - 1]->body.len,
           STR_FMT, STR_ARG(crowd.replies[CROWD - 1]->body));
    uint64_t first_seq = str_eq(house_record(&h, 1, "cache"), STR("\"joined\"")) ? 2 : 1;
    EXPECT(str_eq(house_record(&h, first_seq, "tokens_out"), STR("77")), STR_FMT,
           STR_ARG(house_record(&h, first_seq, "tokens_out")));
    EXPECT(house_records(&h) == 2);
    close_with_cache(&h);
}

FIBER_TEST(all_leave_and_the_provider_is_closed)
{
    struct small_house h;
    struct leaver leaver = {&h, 60 * MILLISECOND, ASK(STREAM)};
    struct scope scope;
    struct err err = {0};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, EVENT("One")), 0},
                                {FAKE_HANG, NULL, 0},
                                {0}};
    h.fake.moves = moves;
    scope_open(&scope, 0);
    for (int i = 0; i < 3; i++)
        EXPECT(scope_spawn(&scope, ask_and_leave, &leaver, &err), "%s", err.text);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    scope_open(&scope, fiber_now() + 2 * SECOND);
    EXPECT(event_wait(&h.fake.left, &err), "%s", err.text);
    scope_close(&scope);
    EXPECT(h.fake.requests == 1);
    close_with_cache(&h);
}

/* ---- what fails ---- */

FIBER_TEST(a_cut_stream_is_cut_for_all_and_not_kept)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK(STREAM)};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(h.arena, EVENT("One")), 0},
                                {FAKE_WAIT, NULL, 100},
                                {FAKE_CLOSE, NULL, 0},
                                {0}};
    h.fake.moves = moves;
    ask_all(&crowd, 10);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    for (int i = 0; i < 10; i++)
        EXPECT(!crowd.replies[i]->whole && str_starts(crowd.replies[i]->body, STR(EVENT("One"))) &&
                   str_find(crowd.replies[i]->body, STR("\"error\"")) < crowd.replies[i]->body.len,
               "%d: " STR_FMT, i, STR_ARG(crowd.replies[i]->body));
    EXPECT(cache_stats(h.config.cache.cache).stored == 0);
    close_with_cache(&h);
}

FIBER_TEST(a_refusal_is_shared_and_not_kept)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {
        {FAKE_WAIT, NULL, 100},
        {FAKE_WRITE, whole(&h, "400 Bad Request", "{\"error\":{\"message\":\"no\"}}"), 0},
        {0}};
    h.fake.moves = moves;
    ask_all(&crowd, 10);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    for (int i = 0; i < 10; i++)
        EXPECT(crowd.replies[i]->status == 400, "%d: %d", i, crowd.replies[i]->status);
    EXPECT(cache_stats(h.config.cache.cache).stored == 0);
    close_with_cache(&h);
}

FIBER_TEST(all_who_are_refused_are_told_when_to_ask_again)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {{FAKE_WAIT, NULL, 100},
                                {FAKE_WRITE,
                                 whole(&h, "429 Too Many Requests\r\nRetry-After: 17",
                                       "{\"error\":{\"message\":\"slowly\"}}"),
                                 0},
                                {0}};
    h.fake.moves = moves;
    ask_all(&crowd, 10);
    EXPECT(h.fake.requests == 1, "%d", h.fake.requests);
    for (int i = 0; i < 10; i++)
        EXPECT(crowd.replies[i]->status == 429 &&
                   str_eq(reply_field(crowd.replies[i], "retry-after"), STR("17")),
               "%d: %d, " STR_FMT, i, crowd.replies[i]->status,
               STR_ARG(reply_field(crowd.replies[i], "retry-after")));
    close_with_cache(&h);
}

/* ---- bounds ---- */

FIBER_TEST(a_stream_above_the_bound_passes_and_is_not_kept)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK(STREAM)};
    static char text[3000];
    struct fake_move moves[60] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0}};
    struct buf want;

    open_with_cache(&h, 16 * KIB);
    memset(text, 'x', sizeof text - 1);
    buf_init(&want, h.arena, MIB);
    for (int i = 1; i < 50; i++) {
        struct str event = arena_fmt(h.arena, EVENT("%d %s"), i, text);

        buf_str(&want, event);
        moves[i] = (struct fake_move){FAKE_WRITE, fake_chunk(h.arena, event.ptr), 0};
    }
    buf_str(&want, STR(FINISH DONE));
    moves[50] = (struct fake_move){FAKE_WRITE, fake_chunk(h.arena, FINISH DONE), 0};
    moves[51] = (struct fake_move){FAKE_WRITE, "0\r\n\r\n", 0};
    h.fake.moves = moves;
    ask_all(&crowd, 3);
    for (int i = 0; i < 3; i++)
        EXPECT(crowd.replies[i]->whole && str_eq(crowd.replies[i]->body, buf_view(&want)),
               "%d: %zu of %zu", i, crowd.replies[i]->body.len, want.len);
    EXPECT(cache_stats(h.config.cache.cache).stored == 0);
    close_with_cache(&h);
}

FIBER_TEST(a_purge_also_meets_what_is_on_its_way)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};
    struct scope scope;
    struct err err = {0};
    struct asker asker = {&crowd, 0};
    uint64_t gone;

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {
        {FAKE_WAIT, NULL, 100}, {FAKE_WRITE, whole(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, ask_one, &asker, &err));
    EXPECT(fiber_sleep(30 * MILLISECOND, &err));
    EXPECT(cache_purge(h.config.cache.cache, &(struct cache_selector){.model = STR("m")}, &gone,
                       &err));
    EXPECT(scope_wait(&scope, &err));
    scope_close(&scope);
    EXPECT(crowd.replies[0]->status == 200);
    EXPECT(str_eq(reply_field(crowd.replies[0], "x-weir-cache"), STR("miss")));
    EXPECT(cache_stats(h.config.cache.cache).memory_entries == 0);
    close_with_cache(&h);
}

/* The first answer may be made from what the purge is about: it is its asker's, and nobody's who asks now. */
FIBER_TEST(who_asks_after_a_purge_joins_nothing_from_before_it)
{
    struct small_house h;
    struct crowd crowd = {.h = &h, .body = ASK("")};
    struct scope scope;
    struct err err = {0};
    struct asker before = {&crowd, 0};
    uint64_t gone;

    open_with_cache(&h, MIB);
    struct fake_move moves[] = {
        {FAKE_WAIT, NULL, 150}, {FAKE_WRITE, whole(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, ask_one, &before, &err));
    EXPECT(fiber_sleep(30 * MILLISECOND, &err));
    EXPECT(cache_purge(h.config.cache.cache, &(struct cache_selector){.model = STR("m")}, &gone,
                       &err));
    const struct reply *after = house_chat(&h, ASK(""));
    EXPECT(scope_wait(&scope, &err));
    scope_close(&scope);
    EXPECT(crowd.replies[0]->status == 200 && after->status == 200);
    EXPECT(str_eq(reply_field(after, "x-weir-cache"), STR("stored")), STR_FMT,
           STR_ARG(reply_field(after, "x-weir-cache")));
    EXPECT(h.fake.requests == 2, "%d", h.fake.requests);
    EXPECT(cache_stats(h.config.cache.cache).memory_entries == 1);
    close_with_cache(&h);
}

/* ---- limits ---- */

FIBER_TEST(kept_answers_take_no_tokens_of_the_minute)
{
    const struct limits limits = {.tokens_per_minute = 200};
    struct small_house h;

    open_limited(&h, &limits, MIB);
    struct fake_move moves[] = {{FAKE_WRITE, whole(&h, "200 OK", REPLY), 0}, {0}};
    h.fake.moves = moves;
    for (int i = 0; i < 30; i++) {
        const struct reply *reply = house_chat(&h, ASK(",\"max_tokens\":5"));

        EXPECT(reply->status == 200, "%d: %d " STR_FMT, i, reply->status, STR_ARG(reply->body));
    }
    EXPECT(h.fake.requests == 1);
    const struct reply *other = house_chat(&h, ASK(",\"max_tokens\":6"));
    EXPECT(other->status == 200, "%d " STR_FMT, other->status, STR_ARG(other->body));
    close_with_cache(&h);
}
