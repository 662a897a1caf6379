#include "collector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "peer.h"

#define SLOW (3 * SECOND) /* beyond the house's patience with one try */

static struct {
    struct story *story;
    struct scope *scope;
    struct listener *listener;
} collector;

/* The whole request: 0 when it never comes. */
static SUSPENDS size_t take_request(struct peer *peer, struct err *err)
{
    size_t head = peer_head(peer, err);
    uint64_t body;

    if (!head || !u64_parse(head_field((struct str){peer->bytes, head}, "content-length"), &body))
        return 0;
    while (peer->len < head + body)
        if (!peer_more(peer, err))
            return 0;
    collector.story->spans_heard += body;
    return head + (size_t)body;
}

static SUSPENDS bool answer(struct peer *peer, struct err *err)
{
    static const char *const answers[COLLECTOR_WAYS] = {
        [COLLECTOR_ANSWERS] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        [COLLECTOR_IS_SLOW] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        [COLLECTOR_IS_BUSY] = "HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
        [COLLECTOR_REFUSES] = "HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\nno",
        [COLLECTOR_CUTS] = "HTTP/1.1 200 OK\r\ncontent-len",
        [COLLECTOR_IS_FULL] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    };
    enum collector_way way = collector.story->collector;

    if (way == COLLECTOR_IS_SLOW && !fiber_sleep(SLOW, err))
        return false;
    if (way == COLLECTOR_IS_SILENT)
        return peer_more(peer, err); /* until the house gives up */
    return peer_send(peer, answers[way], strlen(answers[way]), err) && way != COLLECTOR_CUTS;
}

static void serve_connection(void *arg)
{
    struct peer peer = {.sock = arg};
    struct err err = {0};

    for (size_t used; (used = take_request(&peer, &err)) > 0;) {
        peer_use(&peer, used);
        if (!answer(&peer, &err))
            break;
    }
    peer_done(&peer);
}

static void accept_loop(void *arg)
{
    struct err err = {0};
    (void)arg;

    while (fiber_still_wanted(&err)) {
        struct sock *sock = NULL;

        if (!sock_accept(collector.listener, &sock, &err)) {
            if (!fiber_sleep(MILLISECOND, &err))
                break;
        } else if (!scope_spawn(collector.scope, serve_connection, sock, &err)) {
            sock_close(&sock);
        }
    }
}

bool collector_open(struct story *story, struct scope *scope, struct err *err)
{
    struct addr addr;

    collector.story = story;
    collector.scope = scope;
    if (story->collector == COLLECTOR_IS_ABSENT)
        return true;
    return addr_parse(STR("127.0.0.1:4318"), &addr, err) &&
           sock_listen(&addr, NULL, &collector.listener, err) &&
           scope_spawn(scope, accept_loop, NULL, err);
}

void collector_close(void)
{
    listener_close(&collector.listener);
}

uint64_t collector_spans(const char *outcome)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    char name[100];
    uint64_t n = 0;
    struct buf b;

    buf_init(&b, arena, 2 * MIB);
    metrics_write(&b);
    snprintf(name, sizeof name, "weir_telemetry_spans_total{outcome=\"%s\"} ", outcome);
    size_t at = str_find(buf_view(&b), str_from(name));
    if (at < b.len) {
        struct str rest = str_slice(buf_view(&b), at + strlen(name), b.len);
        (void)!u64_parse(str_slice(rest, 0, str_find_char(rest, '\n')), &n);
    }
    return n;
}
