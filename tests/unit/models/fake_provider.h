/* A provider on the loopback that reads a request strictly and then writes what the test says, byte by
 * byte: whole answers, streams, cuts anywhere, silence. Runs in fibers of the test's own loop. */
#ifndef WEIR_TESTS_FAKE_PROVIDER_H
#define WEIR_TESTS_FAKE_PROVIDER_H

#include "base/arena.h"
#include "models/models.h"
#include "sys/fiber.h"
#include "sys/sock.h"

enum fake_move_kind {
    FAKE_END,   /* of the list: wait for the next request on the connection */
    FAKE_WRITE, /* these bytes */
    FAKE_WAIT,  /* so many milliseconds */
    FAKE_HANG,  /* until the other side leaves */
    FAKE_CLOSE,
};
struct fake_move {
    enum fake_move_kind kind;
    const char *text;
    int ms;
};

struct fake_provider {
    struct arena *arena;
    struct listener *listener;
    struct scope scope;
    const struct fake_move *moves; /* what is done for each request */
    /* Or what is done for the newest one, whose head and body are there already. */
    const struct fake_move *(*decide)(struct fake_provider *fake);
    void *ctx; /* decide()'s */
    /* What was seen. */
    int requests, connections;
    struct str head, body; /* of the newest request */
    struct event left;     /* the other side closed a connection while we had not finished */
};

SUSPENDS void fake_start(struct fake_provider *fake, struct arena *arena);
SUSPENDS void fake_stop(struct fake_provider *fake);
/* Settings that point at it; every limit generous, the tests narrow what they are about. */
struct provider fake_settings(const struct fake_provider *fake, struct arena *arena);
/* A field of the newest request, by its lower-case name, as it came. */
struct str fake_field(const struct fake_provider *fake, const char *name);

/* Ready-made answers, heads and bodies apart so that streams can be cut. */
#define FAKE_JSON_HEAD(length)                                            \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: " \
    "up-1\r\nContent-Length: " length "\r\n\r\n"
#define FAKE_STREAM_HEAD                                                        \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: " \
    "chunked\r\n\r\n"
#define FAKE_STREAM_HEAD_TO_CLOSE \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

/* `text` as one chunk of a chunked body, in the arena. */
const char *fake_chunk(struct arena *arena, const char *text);

#endif
