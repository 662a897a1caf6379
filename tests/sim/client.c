#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "sys/sim.h"

#define PATIENCE      (1200 * SECOND) /* of the most patient client */
#define BODY_FIXED_MAX 400u

struct talk {
    struct clients *clients;
    const struct connection *plan;
    struct peer peer;
};

/* ---- asking ---- */

static char *write_request(const struct clients *clients, const struct ask *ask, size_t *len,
                           size_t *body_at)
{
    char *body = malloc(BODY_FIXED_MAX + ask->prompt_bytes);
    char *all = malloc(2 * BODY_FIXED_MAX + ask->prompt_bytes + 600);
    const char *token = clients->tokens[ask->key];

    if (!body || !all)
        abort();
    int n = snprintf(body, BODY_FIXED_MAX, "{\"model\":\"%s%d\",%s%s\"messages\":[{\"role\":\"user\","
                     "\"content\":\"ask-%d ",
                     ask->known_model ? "m" : "unknown-", ask->provider,
                     ask->stream ? "\"stream\":true," : "",
                     ask->stream && ask->wants_usage ? "\"stream_options\":{\"include_usage\":true},"
                                                     : "",
                     ask->number);
    memset(body + n, 'p', ask->prompt_bytes);
    size_t body_len = (size_t)n + ask->prompt_bytes;
    if (ask->client == CLIENT_SENDS_NONSENSE)
        body_len += (size_t)snprintf(body + body_len, 20, "\"}]");
    else
        body_len += (size_t)snprintf(body + body_len, 20, "\"}]}");
    *body_at = (size_t)snprintf(all, 1000,
                                "POST /v1/chat/completions HTTP/1.1\r\nHost: weir.sim\r\n"
                                "Content-Type: application/json\r\n%s%s%sContent-Length: %zu\r\n\r\n",
                                *token ? "Authorization: Bearer " : "", token, *token ? "\r\n" : "",
                                body_len);
    memcpy(all + *body_at, body, body_len);
    *len = *body_at + body_len;
    free(body);
    return all;
}

static SUSPENDS bool send_ask(struct talk *talk, struct ask *ask, struct err *err)
{
    size_t len, body_at;
    char *bytes = write_request(talk->clients, ask, &len, &body_at);

    if (ask->client == CLIENT_SENDS_HALF)
        len = body_at + (len - body_at) / 2;
    bool sent = peer_send(&talk->peer, bytes, len, err);
    free(bytes);
    if (sent && ask->client == CLIENT_SENDS_HALF) {
        (void)!fiber_sleep(ask->leave_time, err);
        ask->left = true;
        return false;
    }
    ask->sent_whole = sent;
    sim_log("client sent ask %d", ask->number);
    return sent;
}

/* ---- hearing ---- */

/* Body bytes that have arrived. False: enough heard. */
static bool hear(struct ask *ask, const char *bytes, size_t len)
{
    if (ask->body_cap - ask->body_len < len + 1) {
        ask->body_cap = ask->body_cap * 2 + len + 1024;
        ask->body = realloc(ask->body, ask->body_cap);
        if (!ask->body)
            abort();
    }
    memcpy(ask->body + ask->body_len, bytes, len);
    ask->body_len += len;
    ask->body[ask->body_len] = 0;
    return ask->client != CLIENT_LEAVES_AFTER_BYTES || ask->body_len < ask->leave_bytes;
}

static SUSPENDS bool more(struct peer *p, const struct ask *ask, struct err *err)
{
    if (ask->client == CLIENT_READS_SLOWLY && !fiber_sleep(5 * MILLISECOND, err))
        return false;
    return peer_more(p, err);
}

static SUSPENDS bool hear_length(struct peer *p, struct ask *ask, uint64_t left, struct err *err)
{
    for (;;) {
        size_t part = (size_t)MIN_OF(left, (uint64_t)p->len);

        if (part > 0 && !hear(ask, p->bytes, part)) {
            ask->left = true;
            return false;
        }
        peer_use(p, part);
        left -= part;
        if (left == 0)
            return true;
        if (!more(p, ask, err))
            return false;
    }
}

static SUSPENDS bool chunk_line(struct peer *p, struct ask *ask, uint64_t *size, struct err *err)
{
    for (;;) {
        size_t end = p->len ? str_find((struct str){p->bytes, p->len}, STR("\r\n")) : 0;

        if (end < p->len) {
            *size = 0;
            ASSERT(end > 0 && end <= 8); /* the house writes no extensions */
            for (size_t i = 0; i < end; i++) {
                const char *digit = strchr("0123456789abcdef", p->bytes[i] | 0x20);

                ASSERT(digit && *digit);
                *size = *size * 16 + (uint64_t)(digit - "0123456789abcdef");
            }
            peer_use(p, end + 2);
            return true;
        }
        if (!more(p, ask, err))
            return false;
    }
}

static SUSPENDS bool hear_line_end(struct peer *p, struct ask *ask, struct err *err)
{
    while (p->len < 2)
        if (!more(p, ask, err))
            return false;
    ASSERT(p->bytes[0] == '\r' && p->bytes[1] == '\n');
    peer_use(p, 2);
    return true;
}

static SUSPENDS bool hear_chunks(struct peer *p, struct ask *ask, struct err *err)
{
    uint64_t size;

    do {
        if (!chunk_line(p, ask, &size, err) || (size && !hear_length(p, ask, size, err)) ||
            !hear_line_end(p, ask, err))
            return false;
    } while (size > 0);
    return true;
}

static uint64_t read_id(struct str text)
{
    uint8_t bytes[8];
    uint64_t id = 0;

    if (text.len != 20 || !hex_parse(str_slice(text, 4, 20), bytes, sizeof bytes))
        return 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        id = id << 8 | bytes[i];
    return id;
}

static SUSPENDS bool hear_reply(struct talk *talk, struct ask *ask, bool *closes, struct err *err)
{
    struct peer *p = &talk->peer;
    size_t head_len = peer_head(p, err);
    struct str head = {p->bytes, head_len};
    uint64_t status = 0, length = 0;

    if (!head_len)
        return false;
    ASSERT(str_starts(head, STR("HTTP/1.1 ")) && u64_parse(str_slice(head, 9, 12), &status));
    ask->got_status = (int)status;
    ask->request_id = read_id(head_field(head, "x-request-id"));
    *closes = str_eq_nocase(head_field(head, "connection"), STR("close"));
    bool is_chunked = str_eq(head_field(head, "transfer-encoding"), STR("chunked"));
    bool has_length = u64_parse(head_field(head, "content-length"), &length);
    ASSERT(is_chunked != has_length);
    sim_log("ask %d is told %d", ask->number, ask->got_status);
    peer_use(p, head_len);
    ask->got_end = is_chunked ? hear_chunks(p, ask, err) : hear_length(p, ask, length, err);
    return ask->got_end;
}

/* False: the connection is of no more use. */
static SUSPENDS bool hear_ask(struct talk *talk, struct ask *ask, struct err *err)
{
    dur_ns patience = ask->client == CLIENT_LEAVES_AFTER_TIME ? ask->leave_time : PATIENCE;
    struct scope limit;
    bool closes = false;

    scope_open(&limit, fiber_now() + patience);
    bool whole = hear_reply(talk, ask, &closes, err);
    if (!whole && limit.over == ERR_TIMEOUT)
        ask->left = true;
    scope_close(&limit);
    ask->ended = fiber_now();
    if (ask->left)
        ask->left_at = fiber_now();
    sim_log("ask %d %s", ask->number, whole ? "is answered" : ask->left ? "is left" : "breaks off");
    return whole && !closes;
}

/* ---- connections ---- */

static SUSPENDS bool reach(struct talk *talk, struct err *err)
{
    if (talk->peer.sock)
        return true;
    return sock_connect(&talk->clients->to, &talk->peer.sock, err);
}

static SUSPENDS void talk_in_turn(struct talk *talk)
{
    for (int i = 0; i < talk->plan->count; i++) {
        struct ask *ask = story_ask(talk->clients->story, talk->plan->asks[i]);
        struct err err = {0};

        if (!reach(talk, &err) || !send_ask(talk, ask, &err) || !hear_ask(talk, ask, &err))
            peer_done(&talk->peer);
    }
}

static void send_all(void *arg)
{
    struct talk *talk = arg;
    struct err err = {0};

    for (int i = 0; i < talk->plan->count; i++)
        if (!send_ask(talk, story_ask(talk->clients->story, talk->plan->asks[i]), &err))
            break;
}

static SUSPENDS void talk_in_a_row(struct talk *talk)
{
    struct err err = {0};
    struct scope sending;

    if (!reach(talk, &err))
        return;
    scope_open(&sending, 0);
    if (scope_spawn(&sending, send_all, talk, &err)) {
        for (int i = 0; i < talk->plan->count; i++)
            if (!hear_ask(talk, story_ask(talk->clients->story, talk->plan->asks[i]), &err))
                break;
    }
    scope_close(&sending);
}

static void talk_fiber(void *arg)
{
    struct talk *talk = arg;
    struct err err = {0};

    if (fiber_sleep(talk->plan->starts, &err)) {
        if (talk->plan->pipelined)
            talk_in_a_row(talk);
        else
            talk_in_turn(talk);
    }
    peer_done(&talk->peer);
}

SUSPENDS bool clients_run(struct clients *clients, struct err *err)
{
    struct talk talks[CONNECTIONS_MAX] = {0};
    struct scope all;
    bool ok = true;

    scope_open(&all, 0);
    for (int i = 0; i < clients->story->connection_count && ok; i++) {
        talks[i] = (struct talk){.clients = clients, .plan = &clients->story->connections[i]};
        ok = scope_spawn(&all, talk_fiber, &talks[i], err);
    }
    ok = scope_wait(&all, err) && ok;
    scope_close(&all);
    return ok;
}
