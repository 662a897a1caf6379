/* net/redis.h: a client of Redis and Valkey on fibers: RESP2, and the values of RESP3.
 * Calls    a batch of commands goes out in one write and its replies are read in order (pipelining) over
 *          a connection of its own from this loop's pool; scripts by EVALSHA, sent once when unknown.
 * Bounds   `timeout` for all of a call, connecting included, and waiting where all connections of the loop are in
 *          use; connections a loop; bytes of the replies.
 * Breaker  after BREAKER_FAILURES calls in a row that failed nothing is asked for a pause (1 s, doubling
 *          to 30 s), then one call tries: a server that is slow or away costs nobody more than that. Told
 *          in the log when it opens and when it closes.
 * Errors   ERR_UNAVAILABLE, ERR_TIMEOUT; what the server refuses is a reply of kind REDIS_ERROR.
 * Threads  a struct redis may serve many loops; connections belong to one. */
#ifndef WEIR_NET_REDIS_H
#define WEIR_NET_REDIS_H

#include "base/arena.h"
#include "base/secret.h"
#include "net/stream.h"

/* ---- replies ---- */
enum redis_kind { REDIS_NIL, REDIS_TEXT, REDIS_ERROR, REDIS_INTEGER, REDIS_ARRAY };

struct redis_value {
    enum redis_kind kind;
    struct str text; /* TEXT, ERROR; doubles and big numbers of RESP3 as they are written */
    int64_t integer; /* INTEGER; of booleans 0 and 1 */
    struct redis_value *items; /* ARRAY, sets, and maps as name, value, name, value */
    size_t count;
};

enum redis_parse { REDIS_MORE, REDIS_OK, REDIS_BAD };
/* One whole reply at the start of `bytes`: *used of them; texts are copied into the arena. MORE: *need is
 * how many bytes it has at least. Strict: lines end in CRLF, numbers are plain, nesting is bounded. */
enum redis_parse redis_parse(struct arena *arena, struct str bytes, struct redis_value *out,
                             size_t *used, size_t *need, struct err *err) MUST_CHECK;

/* ---- the client ---- */
struct redis;
struct redis_options {
    struct str url;           /* redis://host:port/db, rediss:// for TLS, unix:/path */
    struct str user;          /* ACL; empty: the default user */
    struct secret password;   /* copied; empty: none is sent */
    const char *ca_file;      /* rediss: NULL: the system's */
    dur_ns timeout;           /* default 5 ms */
    uint32_t connections_max; /* a loop; default 32 */
    size_t reply_bytes_max;   /* of one call; default 64 MiB */
};
bool redis_url_check(struct str url, struct err *err) MUST_CHECK; /* whether it is one */
bool redis_open(const struct redis_options *options, struct redis **out, struct err *err)
    MUST_CHECK;
void redis_close(struct redis **redis); /* when loops have ended */

struct redis_command {
    const struct str *words;
    size_t count;
};
/* replies: one for each command, in the arena. timeout 0: the client's. */
SUSPENDS bool redis_run(struct redis *redis, struct arena *arena, dur_ns timeout,
                        const struct redis_command *commands, size_t count,
                        struct redis_value *replies, struct err *err) MUST_CHECK;

/* A script that the server remembers: for limits that several Weirs share. */
struct redis_script {
    struct str text;
    char sha1[40]; /* of it, in hexadecimal: redis_script_init() */
};
void redis_script_init(struct redis_script *script, struct str text);
SUSPENDS bool redis_eval(struct redis *redis, struct arena *arena,
                         const struct redis_script *script, const struct str *keys,
                         size_t key_count, const struct str *args, size_t arg_count,
                         struct redis_value *reply, struct err *err) MUST_CHECK;

struct redis_stats {
    uint64_t calls, failures, refused; /* refused: by the breaker */
    bool open;
};
struct redis_stats redis_stats(struct redis *redis);

#endif
