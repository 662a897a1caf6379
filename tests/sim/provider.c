#include "provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peer.h"
#include "sys/sim.h"

#define PAUSES_MAX 80

/* An answer as bytes, and where the provider rests while it sends them. */
struct wire {
    char *bytes;
    size_t len, cap;
    struct {
        size_t at;
        dur_ns length;
    } pauses[PAUSES_MAX];
    int pause_count;
    bool closes;       /* the connection ends behind it */
    bool is_anthropic; /* what is said on it */
};

struct serving {
    struct story *story;
    int provider;
    struct sock *sock;
};

static struct {
    struct story *story;
    struct scope *scope;
    struct listener *listeners[PROVIDERS];
} providers;

#define ASSISTANT "\"role\":\"assistant\",\"content\":"

/* ---- writing the wire ---- */

static void put(struct wire *w, const char *bytes, size_t len)
{
    if (w->cap - w->len < len) {
        w->cap = w->cap * 2 + len + 4096;
        w->bytes = realloc(w->bytes, w->cap);
        if (!w->bytes)
            abort();
    }
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put_text(struct wire *w, const char *text)
{
    put(w, text, strlen(text));
}

PRINTF(2, 3) static void put_fmt(struct wire *w, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_text(w, text);
}

static void put_padding(struct wire *w, size_t bytes)
{
    while (bytes-- > 0)
        put(w, "x", 1);
}

static void pause_here(struct wire *w, dur_ns length)
{
    if (length <= 0 || w->pause_count == PAUSES_MAX)
        return;
    w->pauses[w->pause_count].at = w->len;
    w->pauses[w->pause_count++].length = length;
}

static void put_chunk(struct wire *w, const struct wire *body)
{
    /* Now and then one event in two chunks, cut anywhere. */
    size_t first = body->len > 1 && sim_random(4) == 0 ? 1 + sim_random(body->len - 1) : body->len;

    put_fmt(w, "%zx\r\n", first);
    put(w, body->bytes, first);
    put_text(w, "\r\n");
    if (first < body->len) {
        put_fmt(w, "%zX\r\n", body->len - first);
        put(w, body->bytes + first, body->len - first);
        put_text(w, "\r\n");
    }
}

static void put_usage(struct wire *w, const struct ask *ask)
{
    if (w->is_anthropic) {
        put_fmt(w, "\"usage\":{\"input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64 "}",
                ask_tokens_in(ask), ask_tokens_out(ask));
        return;
    }
    put_fmt(w,
            "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64
            ",\"total_tokens\":%" PRId64 "}",
            ask_tokens_in(ask), ask_tokens_out(ask), ask_tokens_in(ask) + ask_tokens_out(ask));
}

/* ---- streams ---- */

/* An event of Anthropic: its type, and what stands beside it. */
PRINTF(3, 4)
static void put_named(struct wire *w, const char *type, const char *fmt, ...)
{
    struct wire event = {0};
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_fmt(&event, "event: %s\ndata: {\"type\":\"%s\"", type, type);
    put_text(&event, text);
    put_text(&event, "}\n\n");
    put_chunk(w, &event);
    free(event.bytes);
}

static void event_head(struct wire *event, const char *delta)
{
    event->len = 0;
    put_fmt(event,
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"
            "\"model\":\"remote\",\"choices\":[{\"index\":0,\"delta\":{%s",
            delta);
}

static void put_begin(struct wire *w, struct wire *event, const struct ask *ask)
{
    if (w->is_anthropic) {
        struct wire usage = {.is_anthropic = true};

        put_usage(&usage, ask);
        put_named(w, "message_start",
                  ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
                  "\"model\":\"remote\",\"content\":[],\"stop_reason\":null%s%.*s}",
                  ask->reports_usage ? "," : "", ask->reports_usage ? (int)usage.len : 0,
                  usage.bytes);
        free(usage.bytes);
        put_named(w, "content_block_start",
                  ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
        return;
    }
    event_head(event, "\"role\":\"assistant\",\"content\":\"\"");
    put_text(event, "},\"finish_reason\":null}]}\n\n");
    put_chunk(w, event);
}

static void put_piece(struct wire *w, struct wire *event, struct str piece)
{
    if (w->is_anthropic) {
        event->len = 0;
        put_text(event, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                        "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"");
        put(event, piece.ptr, piece.len);
        put_text(event, "\"}}\n\n");
    } else {
        event_head(event, "\"content\":\"");
        put(event, piece.ptr, piece.len);
        put_text(event, "\"},\"finish_reason\":null}]}\n\n");
    }
    put_chunk(w, event);
}

/* What comes in place of, or before, the odd event. False: the stream ends here. */
static bool put_odd(struct wire *w, struct wire *event, const struct ask *ask)
{
    event->len = 0;
    switch (ask->way) {
    case PROVIDER_BREAKS_CHUNK: put_text(w, "zz\r\n"); break;
    case PROVIDER_BREAKS_EVENT:
        put_text(event, "data: {\"id\": oops\n\n");
        put_chunk(w, event);
        break;
    case PROVIDER_OVERFLOWS:
        put_text(event, "data: {\"choices\":[],\"pad\":\"");
        put_padding(event, EVENT_BYTES_MAX);
        put_text(event, "\"}\n\n");
        put_chunk(w, event);
        break;
    case PROVIDER_CONFESSES:
        if (w->is_anthropic)
            put_text(event, "event: error\ndata: {\"type\":\"error\",");
        else
            put_text(event, "data: {");
        put_text(event, "\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n");
        put_chunk(w, event);
        return false;
    case PROVIDER_STOPS_SHORT: return false;
    case PROVIDER_PAUSES: pause_here(w, PROVIDER_PAUSE); break;
    default: break;
    }
    return true;
}

static void put_end(struct wire *w, struct wire *event, const struct ask *ask)
{
    if (w->is_anthropic) {
        put_named(w, "content_block_stop", ",\"index\":0");
        put_named(w, "message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}");
        if (ask->way != PROVIDER_FORGETS_DONE)
            put_named(w, "message_stop", "%s", "");
        return;
    }
    event_head(event, "");
    put_text(event, "},\"finish_reason\":\"stop\"}]}\n\n");
    put_chunk(w, event);
    if (ask->reports_usage) {
        event->len = 0;
        put_text(event, "data: {\"id\":\"chatcmpl-1\",\"choices\":[],");
        put_usage(event, ask);
        put_text(event, "}\n\n");
        put_chunk(w, event);
    }
    if (ask->way == PROVIDER_FORGETS_DONE)
        return;
    event->len = 0;
    put_text(event, "data: [DONE]\n\n");
    put_chunk(w, event);
}

static int pieces_before(const char *text, size_t at)
{
    int count = 0;

    for (size_t i = 0; i < at; i++)
        count += text[i] == ' ';
    return count;
}

static void put_stream(struct wire *w, const struct ask *ask, size_t from)
{
    struct wire event = {0};
    size_t len, at = from;
    char *text = ask_text(ask, &len);
    int first = pieces_before(text, from);
    bool goes_on = true;

    put_text(w, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
    put_text(w, w->closes ? "Connection: close\r\n" : "");
    put_text(w, "Transfer-Encoding: chunked\r\n\r\n");
    put_begin(w, &event, ask);
    for (int i = first; i <= ask->pieces && goes_on; i++) {
        struct str rest = {text + at, len - at};
        size_t piece = str_find_char(rest, ' ') + 1;

        pause_here(w, ask->gap);
        if (i == ask->odd_event)
            goes_on = put_odd(w, &event, ask);
        if (i == ask->pieces || !goes_on)
            break;
        put_piece(w, &event, str_slice(rest, 0, piece));
        at += piece;
    }
    if (goes_on)
        put_end(w, &event, ask);
    put_text(w, "0\r\n\r\n");
    free(text);
    free(event.bytes);
}

/* ---- whole answers ---- */

static void put_reply_body(struct wire *w, const struct ask *ask)
{
    size_t len;
    char *text = ask_text(ask, &len);

    if (ask->way == PROVIDER_CONFESSES) {
        put_text(w, w->is_anthropic ? "{\"type\":\"error\"," : "{");
        put_text(w, "\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}");
        free(text);
        return;
    }
    put_text(w, ask->way == PROVIDER_BREAKS_EVENT ? "{\"id\": oops," : "{\"id\":\"chatcmpl-1\",");
    put_text(w, w->is_anthropic
                    ? "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"remote\","
                      "\"content\":[{\"type\":\"text\",\"text\":\""
                    : "\"object\":\"chat.completion\",\"created\":1,\"model\":\"remote\","
                      "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                      "\"content\":\"");
    put(w, text, len);
    if (ask->way == PROVIDER_STOPS_SHORT) {
        free(text);
        return;
    }
    put_text(w, w->is_anthropic ? "\"}],\"stop_reason\":\"end_turn\""
                                : "\"},\"finish_reason\":\"stop\"}]");
    if (ask->way == PROVIDER_OVERFLOWS) {
        put_text(w, ",\"pad\":\"");
        put_padding(w, REPLY_BYTES_MAX);
        put_text(w, "\"");
    }
    if (ask->reports_usage) {
        put_text(w, ",");
        put_usage(w, ask);
    }
    put_text(w, "}");
    free(text);
}

static void put_whole(struct wire *w, const struct ask *ask, int status)
{
    struct wire body = {.is_anthropic = w->is_anthropic};

    if (status == 200)
        put_reply_body(&body, ask);
    else
        put_fmt(&body, "{%s\"error\":{\"message\":\"no\",\"type\":\"refused\",\"code\":%d}}",
                w->is_anthropic ? "\"type\":\"error\"," : "", status);
    put_fmt(w, "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n%s%s", status,
            w->closes ? "Connection: close\r\n" : "", status == 429 ? "Retry-After: 3\r\n" : "");
    if (ask->by_length && ask->way != PROVIDER_BREAKS_CHUNK) {
        put_fmt(w, "Content-Length: %zu\r\n\r\n", body.len);
        if (ask->way == PROVIDER_PAUSES)
            pause_here(w, PROVIDER_PAUSE);
        put(w, body.bytes, body.len);
    } else {
        put_text(w, "Transfer-Encoding: chunked\r\n\r\n");
        if (ask->way == PROVIDER_PAUSES)
            pause_here(w, PROVIDER_PAUSE);
        put_chunk(w, &body);
        put_text(w, ask->way == PROVIDER_BREAKS_CHUNK ? "-1\r\n\r\n" : "0\r\n\r\n");
    }
    free(body.bytes);
}

/* Where it begins: behind what stands in the question as its own words, whole or once more from the last
 * piece on, as those do that are only asked to go on. */
static size_t goes_on_from(const struct story *story, const struct ask *ask, struct str body)
{
    size_t at = str_find(body, STR(ASSISTANT)), len, from;
    struct str told = str_slice(body, at + sizeof ASSISTANT - 1, body.len);
    char *text;

    if (at == body.len)
        return 0;
    if (told.ptr[0] == '[') /* of blocks the first */
        told = str_slice(told, str_find(told, STR("\"text\":")) + 7, told.len);
    told = str_slice(told, 1, told.len);
    told = str_slice(told, 0, str_find_char(told, '"'));
    text = ask_text(ask, &len);
    if (told.len > len || memcmp(text, told.ptr, told.len) != 0)
        violated("ask %d: told to go on from what was never said: \"" STR_FMT "\"", ask->number,
                 STR_ARG(str_slice(told, 0, 80)));
    from = MIN_OF(told.len, len);
    if (!story->route.prefills && from > 0 && sim_random(2)) {
        size_t last = from - 1;

        while (last > 0 && text[last - 1] != ' ')
            last--;
        if (from - last >= 8)
            from = last;
    }
    free(text);
    return from;
}

static void write_wire(struct wire *w, const struct ask *ask, size_t from)
{
    w->closes = ask->closes || ask->way == PROVIDER_CUTS || ask->way == PROVIDER_BREAKS_CHUNK;
    if (ask->way == PROVIDER_REFUSES)
        put_whole(w, ask, ask->status);
    else if (ask->way == PROVIDER_TALKS_NONSENSE)
        put_text(w, "this is not the protocol you are looking for\r\n\r\n");
    else if (ask->stream)
        put_stream(w, ask, from);
    else
        put_whole(w, ask, 200);
    if (ask->way == PROVIDER_CUTS)
        w->len = (size_t)((uint64_t)(w->len - 1) * ask->cut_at / 1000000);
}

/* ---- serving ---- */

static SUSPENDS bool send_wire(struct peer *p, const struct wire *w, struct err *err)
{
    size_t at = 0;

    for (int i = 0; i < w->pause_count && w->pauses[i].at <= w->len; i++) {
        size_t until = w->pauses[i].at;

        if (until > at && !peer_send(p, w->bytes + at, until - at, err))
            return false;
        at = until;
        if (!fiber_sleep(w->pauses[i].length, err))
            return false;
    }
    return at == w->len || peer_send(p, w->bytes + at, w->len - at, err);
}

struct played { /* that a provider has */
    enum provider_way way;
    bool is_anthropic;
    size_t from; /* where in the text it begins */
};

static SUSPENDS bool play(struct peer *p, struct ask *ask, const struct played *part,
                          struct err *err)
{
    enum provider_way way = part->way;
    struct ask played = *ask;
    struct wire w = {.is_anthropic = part->is_anthropic};
    bool goes_on;

    played.way = way;
    if (way == PROVIDER_HANGS_UP)
        return false;
    if (way == PROVIDER_IS_SILENT) {
        while (peer_more(p, err)) {
        }
        ask->provider_dropped = fiber_now();
        return false;
    }
    write_wire(&w, &played, part->from);
    bool sent = send_wire(p, &w, err);
    if (!sent)
        ask->provider_dropped = fiber_now();
    else if (way != PROVIDER_CUTS)
        ask->provider_said_all = true;
    sim_log("provider sent %sask %d", sent ? "" : "part of ", ask->number);
    goes_on = sent && !w.closes && way != PROVIDER_TALKS_NONSENSE;
    free(w.bytes);
    return goes_on;
}

/* The ask whose number stands in the prompt. */
static struct ask *find_ask(struct story *story, struct str body)
{
    size_t at = str_find(body, STR("ask-"));

    return at + 4 < body.len ? story_ask(story, body.ptr[at + 4] - '0') : NULL;
}

static SUSPENDS bool serve_one(struct peer *p, struct story *story, int provider, struct err *err)
{
    size_t head = peer_head(p, err);
    uint64_t length = 0;

    if (!head || !u64_parse(head_field((struct str){p->bytes, head}, "content-length"), &length))
        return false;
    while (p->len < head + length)
        if (!peer_more(p, err))
            return false;
    struct ask *ask = find_ask(story, (struct str){p->bytes + head, (size_t)length});
    ASSERT(ask); /* the gateway sends nothing that no client asked for */
    struct played part = {
        .way = ask->routed && provider != ask->provider ? ask->other_way : ask->way,
        .is_anthropic = provider == 1 && story->second_is_anthropic,
        .from = goes_on_from(story, ask, (struct str){p->bytes + head, (size_t)length})};
    peer_use(p, head + (size_t)length);
    ask->provider_heard++;
    sim_log("provider hears ask %d", ask->number);
    return play(p, ask, &part, err);
}

static void serve_connection(void *arg)
{
    struct serving *serving = arg;
    struct peer p = {.sock = serving->sock};
    struct err err = {0};

    while (serve_one(&p, serving->story, serving->provider, &err)) {
    }
    peer_done(&p);
    free(serving);
}

static void accept_loop(void *arg)
{
    struct listener **at = arg;
    struct listener *l = *at;
    struct err err = {0};

    while (fiber_still_wanted(&err)) {
        struct sock *sock = NULL;
        struct serving *serving = malloc(sizeof *serving);

        if (!serving)
            abort();
        if (!sock_accept(l, &sock, &err)) {
            free(serving);
            if (!fiber_sleep(MILLISECOND, &err))
                break;
            continue;
        }
        *serving = (struct serving){providers.story, (int)(at - providers.listeners), sock};
        if (scope_spawn(providers.scope, serve_connection, serving, &err))
            continue;
        sock_close(&sock);
        free(serving);
    }
}

const char *provider_url(int provider)
{
    return provider == 0 ? "http://127.0.0.1:9001/v1" : "http://[::1]:9002";
}

bool providers_open(struct story *story, struct scope *scope, struct err *err)
{
    static const char *const at[PROVIDERS] = {"127.0.0.1:9001", "[::1]:9002"};

    providers.story = story;
    providers.scope = scope;
    for (int i = 0; i < PROVIDERS; i++) {
        struct addr addr;

        if (!addr_parse(str_from(at[i]), &addr, err) ||
            !sock_listen(&addr, NULL, &providers.listeners[i], err) ||
            !scope_spawn(scope, accept_loop, &providers.listeners[i], err))
            return false;
    }
    return true;
}

void providers_close(void)
{
    for (int i = 0; i < PROVIDERS; i++)
        listener_close(&providers.listeners[i]);
}
