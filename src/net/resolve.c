#include "net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/pages.h"
#include "base/table.h"
#include "net/stock.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define NAME_MAX_BYTES 253 /* RFC 1035, written out */
#define QUEUE_MAX      256

/* One name and what is known of it. A loop's own: nothing here is locked. */
struct entry {
    char name[NAME_MAX_BYTES + 1];
    char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES];
    size_t count; /* 0: the last answer was a failure, err says which */
    int failed;   /* getaddrinfo()'s code */
    struct err err;
    mono_ns good_until;
    struct event answered; /* for those who ask while somebody asks already */
    bool asking;
    uint32_t users;              /* fibers inside resolve() that hold it */
    struct entry *older, *newer; /* by the last time somebody asked */
};

struct names {
    struct arena *arena; /* owns this too */
    struct table by_name;
    struct stock entries;
    struct entry *oldest, *newest;
};

static struct {
    struct resolve_options options;
    /* Names that had an answer the last time, and all others: whoever brings names of silent servers keeps only
     * others of these waiting. */
    struct pool *known, *strangers;
    int slot; /* from 1, so that 0 is none */
    atomic_uint_fast64_t questions;
} resolver;

/* ---- texts ---- */

/* Without printf, which needs a page of the caller's stack. */
static void write_addr(struct addr *out, struct str host, uint16_t port)
{
    bool bare = str_find_char(host, ':') < host.len && host.ptr[0] != '[';
    struct buf b;

    buf_init_fixed(&b, out->text, sizeof out->text - 1);
    buf_str(&b, bare ? STR("[") : STR(""));
    buf_str(&b, host);
    buf_str(&b, bare ? STR("]:") : STR(":"));
    buf_u64(&b, port);
    out->text[b.len] = 0;
}

static bool is_ipv4(const char *host)
{
    struct in_addr ip;

    return inet_pton(AF_INET, host, &ip) == 1;
}

static bool is_ipv6(const char *host)
{
    struct in6_addr ip;

    return inet_pton(AF_INET6, host, &ip) == 1;
}

static bool simulated(struct str host, char out[RESOLVE_HOST_BYTES])
{
    uint64_t n;

    if (!str_starts(host, STR("host-")) || !str_ends(host, STR(".sim")) ||
        !u64_parse(str_slice(host, 5, host.len - 4), &n) || n > 0xffffff)
        return false;
    snprintf(out, RESOLVE_HOST_BYTES, "10.%u.%u.%u", (unsigned)(n >> 16), (unsigned)(n >> 8 & 255),
             (unsigned)(n & 255));
    return true;
}

/* Hosts that say their own address. */
static bool needs_no_question(struct str host, const char *name, uint16_t port, struct addr *out)
{
    char text[RESOLVE_HOST_BYTES];

    if (str_starts(host, STR("unix:")))
        memcpy(out->text, name, host.len + 1);
    else if (is_ipv4(name) || is_ipv6(name))
        write_addr(out, host, port);
    else if (simulated(host, text))
        write_addr(out, str_from(text), port);
    else
        return false;
    return true;
}

/* ---- the question itself: on a thread of the pool ---- */

static bool write_host(const struct addrinfo *info, char out[RESOLVE_HOST_BYTES])
{
    bool v6 = info->ai_family == AF_INET6;
    const void *ip =
        v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr
           : (const void *)&((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;

    if (!v6 && info->ai_family != AF_INET)
        return false;
    return inet_ntop(info->ai_family, ip, out, RESOLVE_HOST_BYTES) != NULL;
}

static int ask_system(const char *name, char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                      size_t *count)
{
    struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    /* RFC 6761, 6.3: names below it are this machine, and no name server is asked for them. */
    bool is_below = str_ends(str_from(name), STR(".localhost"));
    int failed = getaddrinfo(is_below ? "localhost" : name, NULL, &wanted, &found);

    if (failed)
        return failed;
    for (const struct addrinfo *i = found; i && *count < RESOLVE_ADDRS_MAX; i = i->ai_next)
        *count += write_host(i, hosts[*count]);
    freeaddrinfo(found);
    return 0;
}

static void ask(void *arg)
{
    struct entry *e = arg; /* nobody else looks at its answer while it is asked for */

    e->count = 0;
    atomic_fetch_add_explicit(&resolver.questions, 1, memory_order_relaxed);
    e->failed = resolver.options.ask(e->name, e->hosts, &e->count);
}

/* ---- the cache ---- */

static void unlink_entry(struct names *names, struct entry *e)
{
    *(e->older ? &e->older->newer : &names->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &names->newest) = e->older;
    e->older = e->newer = NULL;
}

static void link_newest(struct names *names, struct entry *e)
{
    e->older = names->newest;
    *(names->newest ? &names->newest->newer : &names->oldest) = e;
    names->newest = e;
}

static void forget(struct names *names, struct entry *e)
{
    unlink_entry(names, e);
    table_remove(&names->by_name, str_from(e->name));
    stock_give(&names->entries, e);
}

static void forget_oldest_unused(struct names *names)
{
    for (struct entry *e = names->oldest; e; e = e->newer)
        if (e->users == 0) {
            forget(names, e);
            return;
        }
}

static void names_free(void *value)
{
    struct names *names = value;
    struct arena *arena = names->arena;

    while (names->oldest)
        forget(names, names->oldest);
    table_done(&names->by_name);
    arena_end(&arena);
}

/* This loop's cache; NULL when memory is gone. */
static struct names *names_here(void)
{
    struct names *names = loop_slot(resolver.slot - 1);
    struct arena *arena;

    if (names)
        return names;
    arena = arena_new(PAGE_BYTES);
    names = arena ? arena_alloc(arena, sizeof *names) : NULL;
    if (!names) {
        arena_end(&arena);
        return NULL;
    }
    names->arena = arena;
    names->entries.size = sizeof(struct entry);
    table_init(&names->by_name, NULL, (size_t)resolver.options.names_max + 1);
    loop_slot_set(resolver.slot - 1, names);
    return names;
}

static struct entry *find_or_add(struct names *names, struct str name)
{
    struct entry *e = table_get(&names->by_name, name);

    if (e) {
        unlink_entry(names, e);
        link_newest(names, e);
        return e;
    }
    if (names->by_name.count >= resolver.options.names_max)
        forget_oldest_unused(names);
    e = stock_take(&names->entries);
    if (!e)
        return NULL;
    memcpy(e->name, name.ptr, name.len);
    if (!table_put(&names->by_name, str_from(e->name), e, NULL)) {
        stock_give(&names->entries, e);
        return NULL;
    }
    link_newest(names, e);
    return e;
}

static void note_answer(struct entry *e)
{
    e->good_until =
        fiber_now() + (e->count > 0 ? resolver.options.ttl : resolver.options.ttl_failed);
    if (e->count == 0)
        err_set(&e->err, ERR_UNAVAILABLE, "could not resolve host \"%s\": %s", e->name,
                e->failed ? gai_strerror(e->failed) : "no address");
}

/* A fiber of its own: a name server that is silent keeps its question for seconds, and those who wait
 * for the answer must be able to leave before. */
static void ask_for(void *arg)
{
    struct entry *e = arg;
    struct pool *pool = e->count > 0 ? resolver.known : resolver.strangers;

    e->err = (struct err){0};
    if (pool_run(pool, ask, e, &e->err)) {
        note_answer(e);
    } else { /* not asked: those who wait hear it now, the next to come asks again */
        e->count = 0;
        e->good_until = fiber_now() + 1;
        (void)err_wrap(&e->err, "resolve host \"%s\"", e->name);
    }
    e->asking = false;
    e->users--;
    event_set(&e->answered);
}

static bool begin_asking(struct entry *e, struct err *err)
{
    event_clear(&e->answered);
    if (!fiber_spawn(ask_for, e, err))
        return err_wrap(err, "resolve host \"%s\"", e->name);
    e->asking = true;
    e->users++; /* the question's own, until it is answered */
    return true;
}

SUSPENDS static bool freshen(struct entry *e, struct err *err)
{
    while (e->good_until <= fiber_now()) {
        if (!e->asking && !begin_asking(e, err))
            return false;
        if (!event_wait(&e->answered, err))
            return err_wrap(err, "resolve host \"%s\"", e->name);
        if (!e->asking) /* what was waited for, be it good for no longer than that */
            break;
    }
    return true;
}

SUSPENDS static bool look_up(struct entry *e, uint16_t port, struct addr *out, size_t *count,
                             struct err *err)
{
    e->users++;
    bool fresh = freshen(e, err);
    e->users--;
    if (!fresh)
        return false;
    if (e->count == 0) {
        *err = e->err;
        return false;
    }
    for (size_t i = 0; i < e->count; i++)
        write_addr(&out[i], str_from(e->hosts[i]), port);
    *count = e->count;
    return true;
}

bool resolve(struct str host, uint16_t port, struct addr out[RESOLVE_ADDRS_MAX], size_t *count,
             struct err *err)
{
    char name[NAME_MAX_BYTES + 1];

    if (host.len == 0 || host.len > NAME_MAX_BYTES || memchr(host.ptr, 0, host.len))
        return err_set(err, ERR_INVALID, "cannot resolve a host name of %zu bytes", host.len);
    memcpy(name, host.ptr, host.len);
    name[host.len] = 0;
    if (str_starts(host, STR("unix:")) && host.len >= ADDR_TEXT_MAX)
        return err_set(err, ERR_INVALID, "the path of socket \"%s\" is too long", name);
    if (needs_no_question(host, name, port, &out[0])) {
        *count = 1;
        return true;
    }
    if (!resolver.known)
        return err_set(err, ERR_INTERNAL, "cannot resolve host \"%s\" before resolve_init()", name);
    struct names *names = names_here();
    struct entry *e = names ? find_or_add(names, host) : NULL;
    if (!e)
        return err_no_room(err, "no memory to resolve host \"%s\"", name);
    return look_up(e, port, out, count, err);
}

/* ---- life ---- */

bool resolve_init(const struct resolve_options *options, struct err *err)
{
    struct resolve_options o = options ? *options : (struct resolve_options){0};

    ASSERT(!resolver.known);
    o.ttl = o.ttl ? o.ttl : 60 * SECOND;
    o.ttl_failed = o.ttl_failed ? o.ttl_failed : 5 * SECOND;
    o.names_max = o.names_max ? o.names_max : 1024;
    o.threads = o.threads ? o.threads : 4;
    o.ask = o.ask ? o.ask : ask_system;
    (void)setenv("RES_OPTIONS", "timeout:2 attempts:2", 0); /* what the operator has set stays */
    resolver.options = o;
    if (!resolver.slot)
        resolver.slot = loop_slot_new(names_free) + 1;
    const struct pool_options pool = {
        .name = "names", .threads = o.threads, .queue_max = QUEUE_MAX};
    resolver.known = pool_new(&pool, err);
    resolver.strangers = resolver.known ? pool_new(&pool, err) : NULL;
    if (!resolver.strangers)
        resolve_done();
    return resolver.known != NULL;
}

uint64_t resolve_questions(void)
{
    return atomic_load_explicit(&resolver.questions, memory_order_relaxed);
}

void resolve_done(void)
{
    if (resolver.strangers)
        pool_free(&resolver.strangers);
    if (resolver.known)
        pool_free(&resolver.known);
}
