/* What the tests of net share: a server on a port of its own, and a client that speaks bytes. */
#ifndef WEIR_TESTS_NET_RIG_H
#define WEIR_TESTS_NET_RIG_H

#include "net/http_client.h"
#include "net/http_server.h"
#include "sys/sock.h"
#include "test.h"

#define PATIENCE (60 * SECOND) /* a test that waits longer than this hangs */

/* A server that runs from served_start() to served_stop(), in a fiber of its own. */
struct served {
    struct scope scope;
    struct http_server *server;
    struct listener *listener;
    struct addr at;
    bool returned, whole; /* from http_server_run() */
    char url[ADDR_TEXT_MAX + 16];
};
bool served_start(struct served *s, const struct http_server_options *options) MUST_CHECK;
bool served_start_at(struct served *s, const struct http_server_options *options,
                     const char *address) MUST_CHECK;
void served_stop(struct served *s);

/* A listener whose every connection runs `script` with the socket: an upstream that misbehaves. */
struct fake {
    struct scope scope;
    struct listener *listener;
    void (*script)(struct sock *s, int number); /* number: of the connection, from 0 */
    int connections;
    char url[ADDR_TEXT_MAX + 16];
};
bool fake_start(struct fake *f, void (*script)(struct sock *s, int number)) MUST_CHECK;
void fake_stop(struct fake *f);

/* A client of bytes. What was heard piles up in `heard`, NUL-terminated. */
struct talk {
    struct sock *sock;
    char heard[256 * 1024];
    size_t len;
    bool ended; /* the other side has closed */
};
struct talk *talk_open(struct arena *arena, const struct addr *to); /* NULL: recorded */
void talk_close(struct talk *t);
bool say(struct sock *s, struct str text);
bool say_text(struct sock *s, const char *text);
bool hear(struct talk *t, const char *needle); /* until it was heard; false at the end */
bool hear_end(struct talk *t);                 /* until the other side closes */
int count_of(const struct talk *t, const char *needle);
/* Read from s until `needle` has come; true when it has. */
bool swallow(struct sock *s, const char *needle);

bool have_kernel(void); /* as opposed to the simulator */

struct http_url url_of(const char *text);
bool ask_for(struct arena *arena, const char *base, const char *path, struct http_call **call,
             struct err *err);
/* GET, whole body; status 0 and err on failure. */
int fetch(struct arena *arena, const char *base, const char *path, struct str *body,
          struct err *err);

#endif
