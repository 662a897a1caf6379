#include "net/redis.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/pages.h"
#include "net/resolve.h"
#include "net/stock.h"
#include "net/tls.h"
#include "sys/loop.h"

#define OWN_MEMORY       (64 * KIB)
#define BREAKER_FAILURES 3
#define PAUSE_FIRST      SECOND
#define PAUSE_MOST       (30 * SECOND)
#define WORDS_MAX        1024 /* pieces of one write */
#define TIMEOUT_DEFAULT  (5 * MILLISECOND)

struct connection {
    struct connection *next; /* kept for reuse */
    struct stream *stream;
};

/* Of one loop. */
struct lane {
    struct redis *redis;
    uint64_t number;     /* of the client: another may come to stand where one was closed */
    struct arena *arena; /* holds this struct */
    struct connection *idle;
    struct stock connections;
    struct semaphore room; /* for calls: as many as connections */
    struct tls_client *tls;
    uint32_t open;
    uint32_t failures; /* in a row */
    mono_ns closed_until;
    dur_ns pause;
    bool tries; /* one call is out to see whether the server is back */
};

struct redis {
    struct arena *arena; /* holds this struct */
    struct redis_options options;
    bool tls;
    struct str host;
    uint16_t port;
    uint64_t db;
    uint64_t number;
    int slot; /* of lanes */
    atomic_uint_fast64_t calls, failures, refused;
    atomic_int open; /* loops whose breaker is */
};

/* ---- opening ---- */

static bool read_url(struct redis *r, struct err *err)
{
    struct str rest = arena_str(r->arena, r->options.url), db, port = STR("6379");
    uint64_t number;

    if (!rest.ptr)
        return err_arena(err, r->arena);
    if (str_starts(rest, STR("unix:"))) {
        r->host = rest;
        return true;
    }
    r->tls = str_starts(rest, STR("rediss://"));
    if (!r->tls && !str_starts(rest, STR("redis://")))
        return err_set(err, ERR_INVALID, "expected redis://host:port, rediss://... or unix:/path");
    rest = str_slice(rest, r->tls ? 9 : 8, rest.len);
    if (str_find_char(rest, '@') < rest.len) /* what is a secret is in no address, and in no log */
        return err_set(err, ERR_INVALID, "an address with user or password is not taken");
    size_t slash = str_find_char(rest, '/');
    db = str_slice(rest, slash + 1, rest.len);
    rest = str_slice(rest, 0, slash);
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':' && rest.ptr[colon - 1] != ']')
        colon--;
    if (colon > 0 && rest.ptr[colon - 1] == ':') {
        port = str_slice(rest, colon, rest.len);
        rest = str_slice(rest, 0, colon - 1);
    }
    if (rest.len > 2 && rest.ptr[0] == '[')
        rest = str_slice(rest, 1, rest.len - 1);
    if (rest.len == 0 || rest.len > 253 || !u64_parse(port, &number) || number < 1 ||
        number > 65535)
        return err_set(err, ERR_INVALID, "expected redis://host:port with a port from 1 to 65535");
    if (db.len > 0 && (!u64_parse(db, &r->db) || r->db > 1000000))
        return err_set(err, ERR_INVALID, "expected a number of a database behind the last /");
    r->host =
        arena_fmt(r->arena, STR_FMT, STR_ARG(rest)); /* by itself: TLS compares it with names */
    r->port = (uint16_t)number;
    return r->host.ptr || err_arena(err, r->arena);
}

bool redis_url_check(struct str url, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(OWN_MEMORY);
    struct redis r = {.arena = arena, .options = {.url = url}};

    return arena ? read_url(&r, err) : err_no_room(err, "no memory to read a url of Redis");
}

static void drop_connection(struct lane *lane, struct connection *c)
{
    stream_close(&c->stream);
    stock_give(&lane->connections, c);
    lane->open--;
}

static void lane_free(void *value)
{
    struct lane *lane = value;

    if (!lane)
        return;
    while (lane->idle) {
        struct connection *c = lane->idle;

        lane->idle = c->next;
        drop_connection(lane, c);
    }
    ASSERT(lane->open == 0);
    tls_client_free(&lane->tls);
    struct arena *arena = lane->arena;
    arena_end(&arena);
}

bool redis_open(const struct redis_options *options, struct redis **out, struct err *err)
{
    static atomic_uint_fast64_t opened;
    static int slot; /* of the process: loops keep what they have for one server */
    struct arena *arena = arena_new(OWN_MEMORY);
    struct redis *r = arena ? arena_alloc(arena, sizeof *r) : NULL;

    if (!r) {
        arena_end(&arena);
        return err_no_room(err, "no memory for a client of Redis");
    }
    r->arena = arena;
    r->options = *options;
    r->options.password = (struct secret){0};
    r->number = atomic_fetch_add(&opened, 1);
    r->options.user = arena_str(arena, options->user);
    if (options->ca_file && !(r->options.ca_file = arena_fmt(arena, "%s", options->ca_file).ptr)) {
        redis_close(&r);
        return err_no_room(err, "no memory for a client of Redis");
    }
    if (r->options.timeout <= 0)
        r->options.timeout = TIMEOUT_DEFAULT;
    if (!r->options.connections_max)
        r->options.connections_max = 32;
    if (!r->options.reply_bytes_max)
        r->options.reply_bytes_max = 64 * MIB;
    if (!read_url(r, err) || !secret_copy(&r->options.password, &options->password, err)) {
        redis_close(&r);
        return false;
    }
    if (!slot)
        slot = loop_slot_new(lane_free) + 1;
    r->slot = slot - 1;
    *out = r;
    return true;
}

void redis_close(struct redis **at)
{
    struct redis *r = *at;

    *at = NULL;
    if (!r)
        return;
    secret_wipe(&r->options.password);
    struct arena *arena = r->arena;
    arena_end(&arena);
}

static struct lane *lane_of(struct redis *r, struct err *err)
{
    struct lane *lane = loop_slot(r->slot);
    struct tls_client_options tls = {.ca_file = r->options.ca_file};
    struct arena *arena;

    if (lane && lane->number == r->number)
        return lane;
    lane_free(lane); /* of one that was closed */
    loop_slot_set(r->slot, NULL);
    arena = arena_new(OWN_MEMORY);
    lane = arena ? arena_alloc(arena, sizeof *lane) : NULL;
    if (!lane) {
        arena_end(&arena);
        err_no_room(err, "no memory for connections to Redis");
        return NULL;
    }
    *lane = (struct lane){.redis = r, .number = r->number, .arena = arena};
    lane->connections.size = sizeof(struct connection);
    lane->room.free = r->options.connections_max;
    if (r->tls && !tls_client_new(&tls, &lane->tls, err)) {
        arena_end(&arena);
        return NULL;
    }
    loop_slot_set(r->slot, lane);
    return lane;
}

/* ---- one exchange ---- */

static SUSPENDS bool write_commands(struct connection *c, struct arena *arena,
                                    const struct redis_command *commands, size_t count,
                                    struct err *err)
{
    struct buf b;
    struct str all;

    buf_init(&b, arena, SIZE_MAX / 2);
    for (size_t i = 0; i < count; i++) {
        ASSERT(commands[i].count > 0 && commands[i].count <= WORDS_MAX);
        buf_char(&b, '*');
        buf_u64(&b, commands[i].count);
        buf_str(&b, STR("\r\n"));
        for (size_t w = 0; w < commands[i].count; w++) {
            buf_char(&b, '$');
            buf_u64(&b, commands[i].words[w].len);
            buf_str(&b, STR("\r\n"));
            buf_str(&b, commands[i].words[w]);
            buf_str(&b, STR("\r\n"));
        }
    }
    if (!buf_finish(&b, &all, err))
        return false;
    struct iovec iov = {(void *)(uintptr_t)all.ptr, all.len};
    return stream_write(c->stream, &iov, 1, err);
}

struct incoming {
    char *bytes;
    size_t got, len; /* of the block; read */
};

static bool make_room(struct incoming *in, size_t need, size_t max, struct err *err)
{
    size_t got;
    char *bytes;

    if (need <= in->got)
        return true;
    if (need > max)
        return err_set(err, ERR_TOO_LARGE, "the reply has more than %zu bytes", max);
    bytes = pages_take(need, &got);
    if (!bytes)
        return err_no_room(err, "no memory for a reply of %zu bytes", need);
    if (in->bytes) {
        memcpy(bytes, in->bytes, in->len);
        pages_give(in->bytes, in->got);
    }
    in->bytes = bytes;
    in->got = got;
    return true;
}

static SUSPENDS bool read_replies(struct redis *r, struct connection *c, struct arena *arena,
                                  size_t count, struct redis_value *replies, struct incoming *in,
                                  struct err *err)
{
    size_t at = 0;

    for (size_t done = 0; done < count;) {
        size_t used = 0, need, got;
        struct str rest = {in->bytes + at, in->len - at};

        switch (redis_parse(arena, rest, &replies[done], &used, &need, err)) {
        case REDIS_BAD: return false;
        case REDIS_OK:
            at += used;
            done++;
            continue;
        case REDIS_MORE: break;
        }
        if (!make_room(in, at + MAX_OF(need, PAGE_BYTES / 2), r->options.reply_bytes_max, err) ||
            !stream_read(c->stream, in->bytes + in->len, in->got - in->len, &got, err))
            return false;
        if (got == 0)
            return err_set(err, ERR_UNAVAILABLE, "the server closed the connection");
        in->len += got;
    }
    return at == in->len || err_set(err, ERR_UNAVAILABLE, "the server said more than was asked");
}

static SUSPENDS bool exchange(struct redis *r, struct connection *c, struct arena *arena,
                              const struct redis_command *commands, size_t count,
                              struct redis_value *replies, struct err *err)
{
    struct incoming in = {0};
    bool ok = make_room(&in, PAGE_BYTES, r->options.reply_bytes_max, err) &&
              write_commands(c, arena, commands, count, err) &&
              read_replies(r, c, arena, count, replies, &in, err);

    if (in.bytes)
        pages_give(in.bytes, in.got);
    return ok;
}

/* ---- connections ---- */

/* The first address that somebody is at; all within the call's time. */
static SUSPENDS bool connect_any(struct redis *r, struct sock **out, struct err *err)
{
    struct addr addrs[RESOLVE_ADDRS_MAX];
    struct err why = {0};
    size_t count = 0;

    if (!resolve(r->host, r->port, addrs, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        why = (struct err){0};
        if (sock_connect(&addrs[i], out, &why))
            return true;
    }
    *err = why;
    return false;
}

static SUSPENDS bool connect_stream(struct lane *lane, struct stream **out, struct err *err)
{
    struct redis *r = lane->redis;
    struct sock *sock = NULL;

    if (!connect_any(r, &sock, err))
        return false;
    return r->tls ? stream_tls_connect(&sock, lane->tls, r->host.ptr, out, err)
                  : stream_plain(&sock, out, err);
}

/* AUTH and SELECT, where they are needed. The password stands in the arena's text for the one write. */
static SUSPENDS bool introduce(struct redis *r, struct connection *c, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    struct str password = secret_reveal(&r->options.password);
    struct str auth[3] = {STR("AUTH"), r->options.user, password}, select[2] = {STR("SELECT")};
    struct redis_command commands[2];
    struct redis_value replies[2];
    size_t count = 0;

    if (!arena)
        return err_no_room(err, "no memory to connect to Redis");
    if (r->options.user.len == 0)
        auth[1] = password;
    if (password.len)
        commands[count++] = (struct redis_command){auth, r->options.user.len ? 3 : 2};
    if (r->db) {
        select[1] = arena_fmt(arena, "%" PRIu64, r->db);
        commands[count++] = (struct redis_command){select, 2};
    }
    if (count == 0)
        return true;
    if (!exchange(r, c, arena, commands, count, replies, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (replies[i].kind == REDIS_ERROR)
            return err_set(err, ERR_UNAVAILABLE, "the server refused %s: " STR_FMT,
                           str_eq(commands[i].words[0], STR("AUTH")) ? "the password" : "SELECT",
                           STR_ARG(str_slice(replies[i].text, 0, 100)));
    return true;
}

/* In there is room: a connection is idle, or fewer are open than may be. */
static SUSPENDS bool borrow(struct lane *lane, struct connection **out, struct err *err)
{
    struct connection *c;

    while (lane->idle) {
        c = lane->idle;
        lane->idle = c->next;
        if (stream_is_alive(c->stream)) {
            *out = c;
            return true;
        }
        drop_connection(lane, c);
    }
    ASSERT(lane->open < lane->redis->options.connections_max);
    c = stock_take(&lane->connections);
    if (!c)
        return err_no_room(err, "no memory for a connection to Redis");
    lane->open++;
    if (connect_stream(lane, &c->stream, err) && introduce(lane->redis, c, err)) {
        *out = c;
        return true;
    }
    drop_connection(lane, c);
    return false;
}

/* ---- the breaker ---- */

/* *tries: it is the one call that sees whether the server is back, and takes the mark away when it ends. */
static bool admits(struct lane *lane, bool *tries, struct err *err)
{
    *tries = false;
    if (lane->failures < BREAKER_FAILURES)
        return true;
    if (fiber_now() >= lane->closed_until && !lane->tries) {
        *tries = lane->tries = true;
        return true;
    }
    atomic_fetch_add(&lane->redis->refused, 1);
    return err_set(err, ERR_UNAVAILABLE, "Redis is away or slow and is not asked for now");
}

/* Those that were out already when it opened say nothing new: the pause grows by the one that tries. */
static void count_failure(struct lane *lane, bool tries, const struct err *err)
{
    atomic_fetch_add(&lane->redis->failures, 1);
    lane->failures++;
    if (lane->failures < BREAKER_FAILURES || (lane->pause && !tries))
        return;
    if (!lane->pause) {
        atomic_fetch_add(&lane->redis->open, 1);
        log_warn("Redis at " STR_FMT " fails and is not asked for a while: %s",
                 STR_ARG(lane->redis->host), err->text);
    }
    lane->pause = lane->pause ? MIN_OF(2 * lane->pause, PAUSE_MOST) : PAUSE_FIRST;
    lane->closed_until = fiber_now() + lane->pause;
}

static void count_success(struct lane *lane)
{
    if (lane->pause) {
        atomic_fetch_sub(&lane->redis->open, 1);
        log_info("Redis at " STR_FMT " is back", STR_ARG(lane->redis->host));
    }
    lane->failures = 0;
    lane->pause = 0;
}

/* ---- the door ---- */

bool redis_run(struct redis *redis, struct arena *arena, dur_ns timeout,
               const struct redis_command *commands, size_t count, struct redis_value *replies,
               struct err *err)
{
    struct lane *lane = lane_of(redis, err);
    struct connection *c = NULL;
    struct scope limit;
    struct err over = {0};
    bool tries;

    if (!lane || !admits(lane, &tries, err))
        return false;
    atomic_fetch_add(&redis->calls, 1);
    scope_open(&limit, fiber_now() + (timeout > 0 ? timeout : redis->options.timeout));
    bool room = semaphore_take(&lane->room, err);
    bool ok =
        room && borrow(lane, &c, err) && exchange(redis, c, arena, commands, count, replies, err);
    scope_close(&limit);
    bool left = !fiber_still_wanted(&over); /* our own end says nothing of the server */

    if (!room && !left)
        (void)err_no_room(err, "all %u connections to Redis are in use", lane->open);
    if (ok) {
        c->next = lane->idle;
        lane->idle = c;
        count_success(lane);
    } else {
        if (c)
            drop_connection(lane, c);
        if (!left && err->code != ERR_EXHAUSTED)
            count_failure(lane, tries, err);
    }
    if (room)
        semaphore_give(&lane->room);
    if (tries)
        lane->tries = false;
    return ok || err_wrap(err, "Redis");
}

void redis_script_init(struct redis_script *script, struct str text)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    struct buf b;

    *script = (struct redis_script){.text = text};
    ASSERT(EVP_Digest(text.ptr, text.len, sum, &length, EVP_sha1(), NULL) == 1 && length == 20);
    buf_init_fixed(&b, script->sha1, sizeof script->sha1);
    buf_hex(&b, sum, length);
}

bool redis_eval(struct redis *redis, struct arena *arena, const struct redis_script *script,
                const struct str *keys, size_t key_count, const struct str *args, size_t arg_count,
                struct redis_value *reply, struct err *err)
{
    struct str *words = arena_array(arena, 3 + key_count + arg_count, sizeof *words);
    struct redis_command command = {words, 3 + key_count + arg_count};

    if (!words)
        return err_arena(err, arena);
    words[0] = STR("EVALSHA");
    words[1] = (struct str){script->sha1, sizeof script->sha1};
    words[2] = arena_fmt(arena, "%zu", key_count);
    for (size_t i = 0; i < key_count; i++)
        words[3 + i] = keys[i];
    for (size_t i = 0; i < arg_count; i++)
        words[3 + key_count + i] = args[i];
    if (!redis_run(redis, arena, 0, &command, 1, reply, err))
        return false;
    if (reply->kind != REDIS_ERROR || !str_starts(reply->text, STR("NOSCRIPT")))
        return true;
    words[0] = STR("EVAL"); /* which the server remembers */
    words[1] = script->text;
    return redis_run(redis, arena, 0, &command, 1, reply, err);
}

struct redis_stats redis_stats(struct redis *redis)
{
    return (struct redis_stats){.calls = atomic_load(&redis->calls),
                                .failures = atomic_load(&redis->failures),
                                .refused = atomic_load(&redis->refused),
                                .open = atomic_load(&redis->open) > 0};
}
