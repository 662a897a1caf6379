#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "sys/sim.h"

#define PATIENCE (1200 * SECOND) /* of the most patient client */

struct talk {
    struct clients *clients;
    const struct connection *plan;
    struct peer peer;
};

/* ---- asking ---- */

struct bytes {
    char *at;
    size_t len, cap;
};

static void add(struct bytes *b, const char *text, size_t len)
{
    if (b->cap - b->len < len) {
        b->cap = b->cap * 2 + len + 1024;
        b->at = realloc(b->at, b->cap);
        if (!b->at)
            abort();
    }
    memcpy(b->at + b->len, text, len);
    b->len += len;
}

PRINTF(2, 3) static void add_fmt(struct bytes *b, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(len < (int)sizeof text);
    add(b, text, (size_t)len);
}

static const struct {
    const char *path, *begin, *end, *broken_end;
} tongues[TONGUES] = {
    [TONGUE_CHAT] = {"/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"",
                     "\"}]}", "\"}]"},
    [TONGUE_MESSAGES] = {"/v1/messages",
                         "\"max_tokens\":1000,\"messages\":[{\"role\":\"user\",\"content\":\"",
                         "\"}]}", "\"}]"},
    [TONGUE_RESPONSES] = {"/v1/responses", "\"store\":false,\"input\":\"", "\"}", "\""},
};

static void add_body(struct bytes *b, const struct ask *ask)
{
    bool adds_usage = ask->tongue == TONGUE_CHAT && ask->stream && ask->wants_usage;
    char model[32];

    snprintf(model, sizeof model, "%s%d", ask->known_model ? "m" : "unknown-", ask->provider);
    add_fmt(b, "{\"model\":\"%s\",%s%s%sask-%d ", ask->routed && ask->known_model ? "r" : model,
            ask->stream ? "\"stream\":true," : "",
            adds_usage ? "\"stream_options\":{\"include_usage\":true}," : "",
            tongues[ask->tongue].begin, ask_question(ask));
    for (size_t left = ask->prompt_bytes, part; left > 0; left -= part) {
        static const char prompt[] =
            "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp";

        part = MIN_OF(left, sizeof prompt - 1);
        add(b, prompt, part);
    }
    add_fmt(b, "%s",
            ask->client == CLIENT_SENDS_NONSENSE ? tongues[ask->tongue].broken_end
                                                 : tongues[ask->tongue].end);
}

static void add_chunks(struct bytes *b, const struct bytes *body)
{
    for (size_t at = 0, part; at < body->len; at += part) {
        part = 1 + (size_t)sim_random(body->len);
        part = MIN_OF(part, body->len - at);
        add_fmt(b, "%zx\r\n", part);
        add(b, body->at + at, part);
        add_fmt(b, "\r\n");
    }
    add_fmt(b, "0\r\n\r\n");
}

/* Returns where the body begins. */
static size_t write_request(const struct clients *clients, const struct ask *ask, struct bytes *out)
{
    const char *token = clients->tokens[ask->key];
    struct bytes body = {0};

    if (!ask->lists_models)
        add_body(&body, ask);
    add_fmt(out, "%s %s HTTP/1.1\r\nHost: weir.sim\r\n%s", ask->lists_models ? "GET" : "POST",
            ask->lists_models ? "/v1/models" : tongues[ask->tongue].path,
            ask->client == CLIENT_TALKS_NONSENSE ? "No colon here\r\n" : "");
    add_fmt(out, "Content-Type: application/json\r\n%s",
            ask->expects_continue ? "Expect: 100-continue\r\n" : "");
    if (*token)
        add_fmt(out, "Authorization: Bearer %s\r\n", token);
    if (ask->in_chunks)
        add_fmt(out, "Transfer-Encoding: chunked\r\n\r\n");
    else
        add_fmt(out, "Content-Length: %zu\r\n\r\n", body.len);
    size_t body_at = out->len;
    if (ask->in_chunks)
        add_chunks(out, &body);
    else if (body.len > 0)
        add(out, body.at, body.len);
    free(body.at);
    return body_at;
}

static SUSPENDS bool send_ask(struct talk *talk, struct ask *ask, struct err *err)
{
    struct bytes bytes = {0};
    size_t body_at = write_request(talk->clients, ask, &bytes);

    if (ask->client == CLIENT_SENDS_HALF)
        bytes.len = body_at + (bytes.len - body_at) / 2;
    if (ask->client == CLIENT_STALLS)
        bytes.len = body_at / 2;
    bool sent = peer_send(&talk->peer, bytes.at, bytes.len, err);
    free(bytes.at);
    if (sent && ask->client == CLIENT_SENDS_HALF) {
        (void)!fiber_sleep(ask->leave_time, err);
        ask->left = true;
        return false;
    }
    ask->sent_whole = sent && ask->client != CLIENT_STALLS;
    sim_log("client sent ask %d", ask->number);
    return sent && ask->client != CLIENT_STALLS && ask->client != CLIENT_TALKS_NONSENSE;
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
    size_t head_len = 0;
    struct str head = STR_NONE;
    uint64_t status = 0, length = 0;

    while (status < 200) { /* "100 Continue" comes in front */
        peer_use(p, status ? head_len : 0);
        head_len = peer_head(p, err);
        if (!head_len)
            return false;
        head = (struct str){p->bytes, head_len};
        ASSERT(str_starts(head, STR("HTTP/1.1 ")) && u64_parse(str_slice(head, 9, 12), &status));
    }
    ask->got_status = (int)status;
    ask->request_id = read_id(head_field(head, "x-request-id"));
    struct str cache = head_field(head, "x-weir-cache");
    ask->from_cache = str_eq(cache, STR("hit")) || str_eq(cache, STR("joined"));
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

        bool goes_on = reach(talk, &err) && send_ask(talk, ask, &err);
        if (talk->peer.sock && !ask->left)
            goes_on = hear_ask(talk, ask, &err) && goes_on;
        if (!goes_on)
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
