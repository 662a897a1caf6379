#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sim.h"

#define OLD_RECORDS_MAX 46
#define PPM(share)      ((uint32_t)((share)*1000000))

/* ---- the world's odds ---- */

/* A generator of its own: the world is not up while its odds are drawn. */
static uint64_t next_of(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static const struct {
    enum sim_fault fault;
    uint32_t ppm; /* at most */
} odds[] = {
    {SIM_CONNECT_REFUSED, PPM(0.15)},
    {SIM_CONNECT_HANG, PPM(0.1)},
    {SIM_ACCEPT_FAILED, PPM(0.2)},
    {SIM_RESET, PPM(0.3)},
    {SIM_CUT, PPM(0.3)},
    {SIM_STALL, PPM(0.05)},
    {SIM_FORGETTING, PPM(1)},
    {SIM_PIECES, PPM(1)},
    {SIM_SHORT_READ, PPM(0.5)},
    {SIM_SHORT_WRITE, PPM(0.5)},
    {SIM_SPURIOUS, PPM(0.3)},
    {SIM_POOL_SLOW, PPM(0.3)},
    {SIM_POOL_FULL, PPM(0.2)},
    {SIM_FILE_FAILED, PPM(0.1)},
    {SIM_DISK_FULL, PPM(0.2)},
    {SIM_NO_MEMORY, PPM(0.02)},
};

/* Of ten seeds two see no fault of the world at all, and two only those that may not change a
 * byte; in the others each fault is in play one time in three. */
void story_options(uint64_t seed, struct sim_options *out)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    uint64_t mood = seed % 10;

    *out = (struct sim_options){.seed = seed, .time_max = 24 * 3600 * SECOND};
    if (mood < 2)
        return;
    for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
        enum sim_fault fault = odds[i].fault;
        bool is_harmless = fault == SIM_PIECES || fault == SIM_SHORT_READ ||
                           fault == SIM_SHORT_WRITE || fault == SIM_SPURIOUS;
        uint32_t in_play = next_of(&state) % 3 == 0;
        uint32_t ppm = (uint32_t)(next_of(&state) % (odds[i].ppm + 1));

        if (in_play && (is_harmless || mood >= 4))
            out->ppm[fault] = ppm;
    }
    if (next_of(&state) % 3 == 0) {
        out->pipe_bytes_min = 64;
        out->pipe_bytes_max = 4096;
    }
    if (next_of(&state) % 4 == 0) {
        out->latency_min = 20 * MILLISECOND;
        out->latency_max = 300 * MILLISECOND;
    }
}

/* ---- what is drawn in the world ---- */

static bool one_in(uint64_t n)
{
    return sim_random(n) == 0;
}

static dur_ns draw_time(dur_ns max)
{
    return (dur_ns)sim_random((uint64_t)max >> sim_random(12));
}

static const int refusals[] = {400, 401, 404, 429, 500, 502, 503, 529};

static void draw_provider(struct ask *ask)
{
    ask->way = one_in(2) ? PROVIDER_ANSWERS : (enum provider_way)sim_random(PROVIDER_WAYS);
    if (ask->client == CLIENT_LEAVES_AFTER_TIME && one_in(3))
        ask->way = PROVIDER_IS_SILENT; /* then its going must be seen at once */
    ask->status = refusals[sim_random(ARRAY_LEN(refusals))];
    ask->pieces = (int)sim_random(one_in(6) ? 60 : 8);
    ask->piece_bytes = 1 + (size_t)sim_random(one_in(5) ? 3000 : 40);
    ask->gap = one_in(3) ? draw_time(SECOND) : 0;
    ask->odd_event = (int)sim_random((uint64_t)ask->pieces + 1);
    ask->cut_at = sim_random(1000000);
    ask->reports_usage = !one_in(4);
    ask->by_length = one_in(2);
    ask->closes = one_in(4);
}

static void draw_route(struct story *story)
{
    struct story_route *route = &story->route;

    *route = (struct story_route){.first = one_in(4) ? -1 : (int)sim_random(PROVIDERS),
                                  .attempts_max = 2 + (uint32_t)sim_random(3),
                                  .breaker_failures = one_in(2) ? 0 : 2,
                                  .first_token_timeout = one_in(2) ? 0 : 2 * SECOND,
                                  .hedge_delay = one_in(3) ? SECOND : 0,
                                  .continues = !one_in(3),
                                  .prefills = one_in(2)};
    for (int i = 0; i < story->ask_count; i++) {
        struct ask *ask = &story->asks[i];

        ask->routed = one_in(2) && !ask->lists_models;
        if (ask->routed && route->first >= 0)
            ask->provider = route->first;
        ask->other_way =
            one_in(3) ? (enum provider_way)sim_random(PROVIDER_WAYS) : PROVIDER_ANSWERS;
    }
}

static void draw_client(struct ask *ask)
{
    ask->key = one_in(3) ? (enum key_kind)sim_random(KEYS) : KEY_GOOD;
    ask->tongue = one_in(2) ? TONGUE_CHAT : (enum tongue)sim_random(TONGUES);
    ask->known_model = !one_in(20);
    ask->stream = !one_in(3);
    ask->wants_usage = one_in(3);
    ask->provider = (int)sim_random(PROVIDERS);
    ask->prompt_bytes = (size_t)sim_random(one_in(5) ? 100000 : 500);
    ask->client = one_in(3) ? (enum client_way)sim_random(CLIENT_WAYS) : CLIENT_READS;
    if (one_in(50))
        ask->prompt_bytes = BODY_BYTES_MAX - 1000 + (size_t)sim_random(2000);
    ask->lists_models = one_in(12);
    ask->in_chunks = one_in(6) && !ask->lists_models;
    ask->expects_continue = one_in(8) && !ask->lists_models;
    ask->leave_bytes = (size_t)sim_random(one_in(2) ? 300 : 5000);
    ask->leave_time = draw_time(10 * SECOND);
}

static void draw_connections(struct story *story)
{
    story->connection_count = 1 + (int)sim_random(CONNECTIONS_MAX);
    for (int i = 0; i < story->connection_count; i++) {
        story->connections[i].pipelined = one_in(3);
        story->connections[i].starts = one_in(2) ? 0 : draw_time(3 * SECOND);
    }
    for (int i = 0; i < story->ask_count; i++) {
        struct connection *on = &story->connections[sim_random((uint64_t)story->connection_count)];

        if (on->pipelined && story->asks[i].client == CLIENT_SENDS_HALF)
            story->asks[i].client = CLIENT_READS; /* to leave there is to leave all the others */
        on->asks[on->count++] = story->asks[i].number;
    }
}

/* With a cache, half of the questions are asked again, by others and in another way. */
static void draw_repeats(struct story *story)
{
    story->caches = one_in(2);
    for (int i = 1; i < story->ask_count && story->caches; i++) {
        struct ask *ask = &story->asks[i], same = story->asks[sim_random((uint64_t)i)];

        if (!one_in(2) || same.same_as || same.lists_models || ask->lists_models)
            continue;
        same.same_as = same.number;
        same.number = ask->number;
        same.key = ask->key;
        same.client = ask->client;
        same.leave_bytes = ask->leave_bytes;
        same.leave_time = ask->leave_time;
        same.in_chunks = ask->in_chunks;
        same.expects_continue = ask->expects_continue;
        *ask = same;
    }
}

void story_draw(struct story *story, uint64_t seed)
{
    *story = (struct story){.seed = seed, .calm = seed % 10 < 2};
    story->ask_count = 1 + (int)sim_random(ASKS_MAX);
    for (int i = 0; i < story->ask_count; i++) {
        story->asks[i].number = i + 1;
        draw_client(&story->asks[i]);
        draw_provider(&story->asks[i]);
    }
    draw_route(story);
    story->second_is_anthropic = one_in(2);
    draw_repeats(story);
    draw_connections(story);
    story->killed = one_in(3);
    story->power_fails = one_in(3);
    story->kill_at = draw_time(20 * SECOND);
    story->old_records = one_in(3)   ? (int)sim_random(OLD_RECORDS_MAX)
                         : one_in(3) ? OLD_RECORDS_MAX - 4
                                     : 0;
    story->small_disk = !story->calm && one_in(4);
    story->collector =
        one_in(3) ? COLLECTOR_ANSWERS : (enum collector_way)sim_random(COLLECTOR_WAYS);
}

void story_plain(struct story *story, bool stream, bool caches)
{
    *story = (struct story){
        .is_nth = true, .caches = caches, .ask_count = caches ? 2 : 1, .connection_count = 1};
    story->asks[0] = (struct ask){.number = 1,
                                  .key = KEY_GOOD,
                                  .known_model = true,
                                  .stream = stream,
                                  .pieces = 3,
                                  .piece_bytes = 20,
                                  .reports_usage = true};
    story->asks[1] = story->asks[0];
    story->asks[1].number = 2;
    story->asks[1].same_as = 1;
    story->connections[0] = (struct connection){.asks = {1, 2}, .count = story->ask_count};
}

void story_free(struct story *story)
{
    for (int i = 0; i < story->ask_count; i++) {
        free(story->asks[i].body);
        story->asks[i].body = NULL;
    }
}

struct ask *story_ask(struct story *story, int number)
{
    return number >= 1 && number <= story->ask_count ? &story->asks[number - 1] : NULL;
}

int ask_question(const struct ask *ask)
{
    return ask->same_as ? ask->same_as : ask->number;
}

int story_askers(const struct story *story, int question)
{
    int count = 0;

    for (int i = 0; i < story->ask_count; i++)
        count += ask_question(&story->asks[i]) == question;
    return count;
}

/* ---- what the provider means to say ---- */

/* Every piece is unlike every other, so that a hole or a repetition shows. */
char *ask_text(const struct ask *ask, size_t *len)
{
    size_t max = (size_t)ask->pieces * (ask->piece_bytes + 24) + 1, at = 0;
    char *text = malloc(max);

    if (!text)
        abort();
    for (int i = 0; i < ask->pieces; i++) {
        size_t start = at;

        at += (size_t)snprintf(text + at, max - at, "a%dp%d", ask_question(ask), i);
        while (at - start < ask->piece_bytes) {
            text[at] = (char)('a' + (at * 31 + (size_t)i) % 26);
            at++;
        }
        text[at++] = ' ';
    }
    text[at] = 0;
    *len = at;
    return text;
}

int64_t ask_tokens_in(const struct ask *ask)
{
    return 10 + ask_question(ask);
}

int64_t ask_tokens_out(const struct ask *ask)
{
    return 100 * ask_question(ask) + ask->pieces;
}

/* ---- for people ---- */

static const char *const key_names[] = {"good", "limited", "poor", "revoked", "wrong", "none"};
static const char *const tongue_names[] = {"chat", "messages", "responses"};
static const char *const client_names[] = {
    "reads",      "reads slowly",   "leaves after bytes", "leaves after time",
    "sends half", "sends nonsense", "talks nonsense",     "stalls"};
static const char *const provider_names[PROVIDER_WAYS] = {
    [PROVIDER_ANSWERS] = "answers",
    [PROVIDER_REFUSES] = "refuses",
    [PROVIDER_HANGS_UP] = "hangs up",
    [PROVIDER_CUTS] = "cuts",
    [PROVIDER_BREAKS_CHUNK] = "breaks a chunk",
    [PROVIDER_BREAKS_EVENT] = "breaks an event",
    [PROVIDER_OVERFLOWS] = "overflows",
    [PROVIDER_CONFESSES] = "confesses",
    [PROVIDER_FORGETS_DONE] = "forgets [DONE]",
    [PROVIDER_STOPS_SHORT] = "stops short",
    [PROVIDER_PAUSES] = "pauses",
    [PROVIDER_IS_SILENT] = "is silent",
    [PROVIDER_TALKS_NONSENSE] = "talks nonsense",
};

void story_print(const struct story *story)
{
    printf("seed %" PRIu64 "%s%s%s%s: %d asks over %d connections, %d old records\n", story->seed,
           story->calm ? ", calm" : "", story->small_disk ? ", small disk" : "",
           story->caches ? ", cache" : "",
           story->second_is_anthropic ? ", provider 1 is Anthropic" : "", story->ask_count,
           story->connection_count, story->old_records);
    printf("  route: first %d, %u attempts, breaker %u, first token %.1f s, hedge %.1f s%s%s\n",
           story->route.first, story->route.attempts_max, story->route.breaker_failures,
           (double)story->route.first_token_timeout / 1e9, (double)story->route.hedge_delay / 1e9,
           story->route.continues ? ", continues" : "", story->route.prefills ? ", prefills" : "");
    for (int i = 0; i < story->connection_count; i++) {
        const struct connection *c = &story->connections[i];

        printf("  connection %d%s, starts at %.3f s:", i, c->pipelined ? ", pipelined" : "",
               (double)c->starts / 1e9);
        for (int j = 0; j < c->count; j++)
            printf(" %d", c->asks[j]);
        printf("\n");
    }
    for (int i = 0; i < story->ask_count; i++) {
        const struct ask *a = &story->asks[i];

        printf(
            "  ask %d: %s, %s%s key, model %s%d, %s%s, prompt %zu bytes%s%s, client %s (%zu bytes, "
            "%.3f s)\n",
            a->number, tongue_names[a->tongue], a->lists_models ? "lists models, " : "",
            key_names[a->key], a->known_model ? "m" : "unknown", a->provider,
            a->stream ? "stream" : "whole", a->wants_usage ? " with usage" : "", a->prompt_bytes,
            a->in_chunks ? " in chunks" : "", a->expects_continue ? ", expects 100" : "",
            client_names[a->client], a->leave_bytes, (double)a->leave_time / 1e9);
        if (a->same_as)
            printf("         the same as ask %d\n", a->same_as);
        if (a->routed)
            printf("         by the route; the other provider %s\n", provider_names[a->other_way]);
        printf("         provider %s (status %d, odd event %d, cut at %.1f%%), %d pieces of %zu, "
               "gap %.3f s%s%s%s\n",
               provider_names[a->way], a->status, a->odd_event, (double)a->cut_at / 1e4, a->pieces,
               a->piece_bytes, (double)a->gap / 1e9, a->reports_usage ? ", usage" : "",
               a->by_length ? ", by length" : "", a->closes ? ", closes" : "");
    }
}
