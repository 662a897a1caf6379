/* The smallest proxy that src/net can make: every request goes to one upstream, body and answer as
 * they are. What it costs is what net and sys cost; src/net/README.md says how to measure it.
 *   net_proxy LISTEN UPSTREAM-URL      net_proxy 127.0.0.1:9100 http://127.0.0.1:9200 */
#include <stdio.h>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/resolve.h"
#include "sys/loop.h"

static struct addr at;
static struct http_url upstream;

SUSPENDS static bool relay(struct http_exchange *x, struct http_call *call, struct err *err)
{
    const struct http_head *head = http_call_head(call);
    struct http_reply reply = {.status = head->status,
                               .content_type = http_field(&head->fields, STR("content-type"))};
    struct str bytes;

    if (head->framing == HTTP_LENGTH)
        return http_call_body(call, 64 * MIB, &bytes, err) && http_send(x, &reply, bytes, err);
    if (!http_begin(x, &reply, err))
        return false;
    while (http_call_next(call, &bytes, err)) {
        if (bytes.len == 0)
            return http_end(x, STR_NONE, err);
        if (!http_piece(x, bytes, err))
            break;
    }
    http_abort(x);
    return false;
}

static void handle(struct http_exchange *x, void *ctx)
{
    static const struct http_field type = {{"Content-Type", 12}, {"application/json", 16}};
    struct http_call *call CLEANUP(http_call_end) = NULL;
    const struct http_head *head = http_head(x);
    struct http_outgoing out = {.method = head->method,
                                .path = head->target,
                                .fields = &type,
                                .field_count = 1,
                                .body_count = 1};
    struct err err = {0};
    struct str body;

    (void)ctx;
    out.body = &body;
    if (!http_body(x, &body, &err))
        return;
    if (http_call(http_arena(x), &upstream, &out, &call, &err) && relay(x, call, &err))
        return;
    if (err.code != ERR_CANCELLED)
        fprintf(stderr, "%s\n", err.text);
}

static void serve(void *arg)
{
    struct http_server_options options = {.handler = handle};
    struct http_server *server = NULL;
    struct listener *l = NULL;
    struct err *err = arg;

    if (http_server_new(&options, &server, err) && sock_listen(&at, NULL, &l, err))
        (void)!http_server_run(server, l, err);
    http_server_free(&server);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct loop *loop = NULL;

    if (argc == 3 && addr_parse(str_from(argv[1]), &at, &err) &&
        http_url_parse(str_from(argv[2]), &upstream, &err) && resolve_init(NULL, &err)) {
        http_client_init(NULL);
        loop = loop_new(NULL, &err);
    }
    if (loop)
        loop_run(loop, serve, &err);
    fprintf(stderr, "%s\n", argc == 3 ? err.text : "usage: net_proxy LISTEN UPSTREAM-URL");
    loop_free(&loop);
    resolve_done();
    return 1;
}
