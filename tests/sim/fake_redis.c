#include "fake_redis.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "peer.h"
#include "sys/clock.h"
#include "sys/sim.h"

#define WORDS_MAX   32
#define SCRIPTS_MAX 4
#define HASHES_MAX  8
#define FIELDS_MAX  512
#define NAMES_MAX   512
#define WINDOW      61 /* seconds */
#define EPOCH       1000

struct field {
    char kind, rest[64]; /* r or t and a second, f and a name */
    int64_t n;
};

struct hash {
    char key[128];
    struct field fields[FIELDS_MAX];
    int count;
};

struct alive {
    char name[128];
    mono_ns until;
};

static struct {
    struct fake_redis_options options;
    struct scope *scope;
    struct listener *listener;
    bool sound, away;
    char scripts[SCRIPTS_MAX][41]; /* that are known; empty: free */
    bool takes[SCRIPTS_MAX];
    struct hash hashes[HASHES_MAX];
    struct alive names[NAMES_MAX];
    uint64_t struck[REDIS_FAULTS], runs;
} redis;

/* ---- what it keeps ---- */

static void forget(void)
{
    memset(redis.scripts, 0, sizeof redis.scripts);
    memset(redis.hashes, 0, sizeof redis.hashes);
    memset(redis.names, 0, sizeof redis.names);
}

static void copy_text(char *to, size_t room, struct str from)
{
    ASSERT(from.len < room);
    memcpy(to, from.ptr, from.len);
    to[from.len] = 0;
}

static struct hash *hash_of(struct str key)
{
    for (int i = 0; i < HASHES_MAX; i++) {
        struct hash *h = &redis.hashes[i];

        if (!h->key[0])
            copy_text(h->key, sizeof h->key, key);
        if (str_is(key, h->key))
            return h;
    }
    abort();
}

static void add(struct hash *h, char kind, struct str rest, int64_t n)
{
    for (int i = 0; i < h->count; i++)
        if (h->fields[i].kind == kind && str_is(rest, h->fields[i].rest)) {
            h->fields[i].n += n;
            return;
        }
    ASSERT(h->count < FIELDS_MAX);
    h->fields[h->count].kind = kind;
    copy_text(h->fields[h->count].rest, sizeof h->fields[0].rest, rest);
    h->fields[h->count++].n = n;
}

static bool is_alive(const char *name)
{
    for (int i = 0; i < NAMES_MAX; i++)
        if (strcmp(redis.names[i].name, name) == 0)
            return redis.names[i].until > fiber_now();
    return false;
}

static void set_alive(struct str name, int64_t seconds)
{
    for (int i = 0; i < NAMES_MAX; i++)
        if (!redis.names[i].name[0] || str_is(name, redis.names[i].name)) {
            copy_text(redis.names[i].name, sizeof redis.names[i].name, name);
            redis.names[i].until = fiber_now() + seconds * SECOND;
            return;
        }
    abort();
}

static int64_t now_second(void)
{
    return EPOCH + fiber_now() / SECOND;
}

/* Fields that count no more are taken out. */
static int64_t sum_of(struct hash *h, char kind, const char *prefix, const char *own)
{
    int64_t sum = 0;
    int kept = 0;

    for (int i = 0; i < h->count; i++) {
        struct field *f = &h->fields[i];
        char name[200];

        snprintf(name, sizeof name, "%s%s", prefix, f->rest);
        bool old = f->kind == 'f' ? strcmp(f->rest, own) != 0 && !is_alive(name)
                                  : atoll(f->rest) <= now_second() - WINDOW;
        if (old)
            continue;
        sum += f->kind == kind ? f->n : 0;
        h->fields[kept++] = *f;
    }
    h->count = kept;
    return sum;
}

/* ---- the scripts ---- */

static int64_t number(struct str text)
{
    int64_t n;

    return i64_parse(text, &n) ? n : 0;
}

static void write_three(char *to, size_t room, int64_t a, int64_t b, int64_t c)
{
    snprintf(to, room, "*3\r\n:%" PRId64 "\r\n:%" PRId64 "\r\n:%" PRId64 "\r\n", a, b, c);
}

/* args: name, prefix of signs of life, tokens, then three limits a key. */
static void take(const struct str *keys, int key_count, const struct str *args, char *to,
                 size_t room)
{
    char own[128], prefix[128], second[32];
    int64_t tokens = number(args[2]);

    copy_text(own, sizeof own, args[0]);
    copy_text(prefix, sizeof prefix, args[1]);
    for (int i = 0; i < key_count; i++) {
        struct hash *h = hash_of(keys[i]);
        int64_t rpm = number(args[3 + 3 * i]), tpm = number(args[4 + 3 * i]);
        int64_t most = number(args[5 + 3 * i]);
        int64_t kind = most > 0 && sum_of(h, 'f', prefix, own) >= most                       ? 3
                       : rpm > 0 && sum_of(h, 'r', prefix, own) >= rpm                       ? 1
                       : tpm > 0 && tokens > 0 && sum_of(h, 't', prefix, own) + tokens > tpm ? 2
                                                                                             : 0;

        if (kind) {
            write_three(to, room, i + 1, kind, 1);
            return;
        }
    }
    snprintf(second, sizeof second, "%" PRId64, now_second());
    for (int i = 0; i < key_count; i++) {
        add(hash_of(keys[i]), 'r', str_from(second), 1);
        add(hash_of(keys[i]), 't', str_from(second), tokens);
        add(hash_of(keys[i]), 'f', args[0], 1);
    }
    write_three(to, room, 0, 0, now_second());
}

/* args: name, second, correction of the tokens, whether it was in progress under this name. */
static void settle(const struct str *keys, int key_count, const struct str *args, char *to,
                   size_t room)
{
    for (int k = 0; k < key_count; k++) {
        struct hash *h = hash_of(keys[k]);

        for (int i = 0; i < h->count; i++) {
            struct field *f = &h->fields[i];

            if (f->kind == 't' && str_is(args[1], f->rest))
                f->n += number(args[2]);
            if (f->kind == 'f' && str_is(args[0], f->rest) && str_eq(args[3], STR("1")) &&
                --f->n <= 0)
                *f = h->fields[--h->count], i--;
        }
    }
    snprintf(to, room, ":0\r\n");
}

static int find_script(struct str sha1)
{
    for (int i = 0; i < SCRIPTS_MAX; i++)
        if (redis.scripts[i][0] && str_is(sha1, redis.scripts[i]))
            return i;
    return -1;
}

static int learn_script(struct str text)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    char hex[41];
    struct buf b;

    ASSERT(EVP_Digest(text.ptr, text.len, sum, NULL, EVP_sha1(), NULL) == 1);
    buf_init_fixed(&b, hex, sizeof hex);
    buf_hex(&b, sum, 20);
    hex[40] = 0;
    for (int i = 0; i < SCRIPTS_MAX; i++) {
        if (redis.scripts[i][0] && strcmp(redis.scripts[i], hex) != 0)
            continue;
        memcpy(redis.scripts[i], hex, sizeof hex);
        redis.takes[i] = str_find(text, STR("'TIME'")) < text.len; /* the other one does not ask */
        return i;
    }
    abort();
}

static void run_script(const struct str *words, int count, char *to, size_t room)
{
    bool by_text = str_eq(words[0], STR("EVAL"));
    int script = by_text ? learn_script(words[1]) : find_script(words[1]);
    int keys = (int)number(words[2]);

    ASSERT(count >= 3 + keys);
    if (script < 0)
        snprintf(to, room, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    else if (redis.takes[script])
        take(words + 3, keys, words + 3 + keys, to, room);
    else
        settle(words + 3, keys, words + 3 + keys, to, room);
}

static void run(const struct str *words, int count, char *to, size_t room)
{
    redis.runs++;
    if (str_starts(words[0], STR("EVAL"))) {
        run_script(words, count, to, room);
    } else if (str_eq(words[0], STR("SET")) && count == 5) {
        set_alive(words[1], number(words[4]));
        snprintf(to, room, "+OK\r\n");
    } else {
        snprintf(to, room, "-ERR unknown command\r\n");
    }
}

/* ---- the wire ---- */

static bool take_line(const struct peer *p, size_t *at, char mark, int64_t *n)
{
    struct str rest = {p->bytes + *at, p->len - *at};
    size_t end = p->len > *at ? str_find(rest, STR("\r\n")) : rest.len;

    if (end >= rest.len)
        return false;
    ASSERT(rest.ptr[0] == mark && i64_parse(str_slice(rest, 1, end), n));
    *at += end + 2;
    return true;
}

/* One command of those that were read: how many bytes it has; 0: there are more to come. */
static size_t read_command(const struct peer *p, struct str words[WORDS_MAX], int *count)
{
    size_t at = 0;
    int64_t n, len;

    if (!take_line(p, &at, '*', &n))
        return 0;
    ASSERT(n > 0 && n <= WORDS_MAX);
    for (int i = 0; i < n; i++) {
        if (!take_line(p, &at, '$', &len) || p->len - at < (size_t)len + 2)
            return 0;
        words[i] = (struct str){p->bytes + at, (size_t)len};
        at += (size_t)len + 2;
    }
    *count = (int)n;
    return at;
}

static bool strikes(enum redis_fault fault)
{
    bool does = !redis.sound && redis.options.ppm[fault] && sim_chance(redis.options.ppm[fault]);

    redis.struck[fault] += does;
    if (does)
        sim_log("redis: fault %d", (int)fault);
    return does;
}

/* false: the connection ends. */
static SUSPENDS bool answer(struct peer *p, const struct str *words, int count)
{
    static const char refused[] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    static const char babble[] = "?!\r\n";
    char reply[256];
    struct err err = {0};

    if (redis.away || strikes(REDIS_CUTS))
        return false;
    if (strikes(REDIS_REFUSES))
        return peer_send(p, refused, sizeof refused - 1, &err);
    if (strikes(REDIS_FORGETS))
        forget();
    if (strikes(REDIS_IS_LATE) && !fiber_sleep(redis.options.delay, &err))
        return false;
    run(words, count, reply, sizeof reply);
    if (strikes(REDIS_LOSES))
        return false;
    if (strikes(REDIS_IS_SLOW) && !fiber_sleep(redis.options.delay, &err))
        return false;
    return strikes(REDIS_BABBLES) ? peer_send(p, babble, sizeof babble - 1, &err)
                                  : peer_send(p, reply, strlen(reply), &err);
}

static void serve_connection(void *arg)
{
    struct peer peer = {.sock = arg};
    struct str words[WORDS_MAX];
    struct err err = {0};
    bool goes_on = true;
    size_t used;
    int count;

    while (goes_on) {
        used = read_command(&peer, words, &count);
        if (!used) {
            goes_on = peer_more(&peer, &err);
            continue;
        }
        goes_on = answer(&peer, words, count);
        peer_use(&peer, used);
    }
    peer_done(&peer);
}

static void accept_loop(void *arg)
{
    struct err err = {0};
    (void)arg;

    while (fiber_still_wanted(&err)) {
        struct sock *sock = NULL;

        if (!sock_accept(redis.listener, &sock, &err)) {
            if (!fiber_sleep(MILLISECOND, &err))
                break;
        } else if (redis.away || !scope_spawn(redis.scope, serve_connection, sock, &err)) {
            sock_close(&sock);
        }
    }
}

bool fake_redis_open(const struct fake_redis_options *options, struct scope *scope, struct err *err)
{
    struct addr addr;

    memset(&redis, 0, sizeof redis);
    redis.options = *options;
    redis.scope = scope;
    redis.sound = true;
    return addr_parse(STR("127.0.0.1:" FAKE_REDIS_PORT), &addr, err) &&
           sock_listen(&addr, NULL, &redis.listener, err) &&
           scope_spawn(scope, accept_loop, NULL, err);
}

void fake_redis_close(void)
{
    listener_close(&redis.listener);
}

void fake_redis_sound(bool sound)
{
    redis.sound = sound;
}

void fake_redis_away(bool away)
{
    redis.away = away;
}

uint64_t fake_redis_struck(enum redis_fault fault)
{
    return redis.struck[fault];
}

uint64_t fake_redis_runs(void)
{
    return redis.runs;
}

static int64_t sum_kept(char kind)
{
    int64_t sum = 0;

    for (int i = 0; i < HASHES_MAX && redis.hashes[i].key[0]; i++)
        for (int k = 0; k < redis.hashes[i].count; k++)
            sum += redis.hashes[i].fields[k].kind == kind ? redis.hashes[i].fields[k].n : 0;
    return sum;
}

int64_t fake_redis_in_progress(void)
{
    return sum_kept('f');
}

int64_t fake_redis_tokens(void)
{
    return sum_kept('t');
}
