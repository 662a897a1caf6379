/* Against the real server, started here on a Unix socket or a port of its own. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "identity.h"
#include "net/redis.h"
#include "net/resolve.h"
#include "net_rig.h"
#include "sys/process.h"
#include "sys/sock.h"
#include "test.h"

static const struct {
    const char *name, *bytes;
    enum redis_parse want;
} parse_cases[] = {
    {"text", "+OK\r\n", REDIS_OK},
    {"error", "-ERR no\r\n", REDIS_OK},
    {"number", ":-5\r\n", REDIS_OK},
    {"bulk", "$3\r\na\r\n\r\n", REDIS_OK},
    {"empty bulk", "$0\r\n\r\n", REDIS_OK},
    {"nil", "$-1\r\n", REDIS_OK},
    {"nil list", "*-1\r\n", REDIS_OK},
    {"nested", "*2\r\n*1\r\n:1\r\n$-1\r\n", REDIS_OK},
    {"map", "%1\r\n+a\r\n#t\r\n", REDIS_OK},
    {"null", "_\r\n", REDIS_OK},
    {"double", ",1.5\r\n", REDIS_OK},
    {"verbatim", "=5\r\ntxt:a\r\n", REDIS_OK},
    {"half a bulk", "$3\r\nab", REDIS_MORE},
    {"half a line", "+O", REDIS_MORE},
    {"half a line end", "+OK\r", REDIS_MORE},
    {"half a list", "*2\r\n:1\r\n", REDIS_MORE},
    {"nothing", "", REDIS_MORE},
    {"unknown kind", "?1\r\n", REDIS_BAD},
    {"push that nobody asked for", ">1\r\n:1\r\n", REDIS_BAD},
    {"bare line feed", "+OK\n", REDIS_BAD},
    {"bare carriage return", "+O\rK\r\n", REDIS_BAD},
    {"number with spaces", ": 5\r\n", REDIS_BAD},
    {"number that is none", ":abc\r\n", REDIS_BAD},
    {"length below nil", "$-2\r\n", REDIS_BAD},
    {"length of a petabyte", "$1125899906842624\r\n", REDIS_BAD},
    {"count of a billion", "*1000000000\r\n", REDIS_BAD},
    {"bulk without its end", "$1\r\naXX", REDIS_BAD},
    {"truth", "#x\r\n", REDIS_BAD},
    {"too deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", REDIS_BAD},
};

TEST(redis_replies_are_read_strictly)
{
    for (size_t i = 0; i < ARRAY_LEN(parse_cases); i++) {
        struct arena *arena = arena_new(MIB);
        struct redis_value value;
        struct err err = {0};
        size_t used = 0, need = 0;
        struct str bytes = str_from(parse_cases[i].bytes);
        enum redis_parse did = redis_parse(arena, bytes, &value, &used, &need, &err);

        EXPECT(did == parse_cases[i].want, "%s: %d %s", parse_cases[i].name, did, err.text);
        EXPECT(did != REDIS_OK || used == bytes.len, "%s", parse_cases[i].name);
        arena_end(&arena);
    }
}

static struct redis *open_client(struct arena *arena, const char *path, dur_ns timeout)
{
    struct redis_options options = {.url = arena_fmt(arena, "unix:%s", path), .timeout = timeout};
    struct redis *r = NULL;
    struct err err = {0};

    EXPECT(redis_open(&options, &r, &err), "%s", err.text);
    return r;
}

FIBER_TEST(redis_that_is_away_is_not_asked_again_and_again)
{
    struct arena *arena = arena_new(MIB);
    struct redis *r = open_client(arena, "/nonexistent/redis.sock", 0);
    struct str words[] = {STR("PING")};
    struct redis_command ping = {words, 1};
    struct redis_value reply;
    struct err err = {0};

    for (int i = 0; i < 10; i++)
        EXPECT(!redis_run(r, arena, 0, &ping, 1, &reply, &err) && err.code == ERR_UNAVAILABLE, "%s",
               err.text);
    EXPECT(redis_stats(r).calls == 3 && redis_stats(r).refused == 7 && redis_stats(r).open);
    redis_close(&r);
    arena_end(&arena);
}

/* What this machine lacks says nothing of the server: the next call tries again. */
FIBER_TEST(redis_is_tried_again_after_descriptors_ran_out)
{
    struct arena *arena = arena_new(MIB);
    struct redis *r = open_client(arena, "/nonexistent/redis.sock", 0);
    struct str words[] = {STR("PING")};
    struct redis_command ping = {words, 1};
    struct rlimit files, none;
    struct redis_value reply;
    struct err err = {0};

    for (int i = 0; i < 3; i++)
        EXPECT(!redis_run(r, arena, 0, &ping, 1, &reply, &err) && err.code == ERR_UNAVAILABLE);
    EXPECT(fiber_sleep(1100 * MILLISECOND, &err), "the breaker's first pause");
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    none = (struct rlimit){0, files.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    bool ran = redis_run(r, arena, 0, &ping, 1, &reply, &err);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    EXPECT(!ran && err.code == ERR_EXHAUSTED, "%s", err.text);
    EXPECT(!redis_run(r, arena, 0, &ping, 1, &reply, &err) && err.code == ERR_UNAVAILABLE);
    EXPECT(redis_stats(r).calls == 5 && redis_stats(r).refused == 0, "%s", err.text);
    redis_close(&r);
    arena_end(&arena);
}

static int knows_two(const char *name, char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                     size_t *count)
{
    (void)name;
    memcpy(hosts[(*count)++], "127.0.0.2", sizeof "127.0.0.2"); /* nobody listens there */
    memcpy(hosts[(*count)++], "127.0.0.1", sizeof "127.0.0.1");
    return 0;
}

static void say_pong(struct sock *s, int number)
{
    (void)number;
    if (swallow(s, "PING\r\n"))
        (void)!say_text(s, "+PONG\r\n");
    (void)!swallow(s, "never");
}

/* As with localhost, where the server listens on one of its two addresses. */
FIBER_TEST(redis_is_found_at_any_address_of_its_host)
{
    struct arena *arena = arena_new(MIB);
    struct resolve_options o = {.ask = knows_two};
    struct redis_options options = {.timeout = 5 * SECOND};
    struct str words[] = {STR("PING")};
    struct redis_command ping = {words, 1};
    struct redis_value reply = {0};
    struct redis *r = NULL;
    struct err err = {0};
    struct fake f;

    REQUIRE(resolve_init(&o, &err), "%s", err.text);
    REQUIRE(fake_start(&f, say_pong));
    options.url = arena_fmt(arena, "redis://two.example%s", strrchr(f.url, ':'));
    REQUIRE(redis_open(&options, &r, &err), "%s", err.text);
    EXPECT(redis_run(r, arena, 0, &ping, 1, &reply, &err) && str_eq(reply.text, STR("PONG")), "%s",
           err.text);
    EXPECT(err.code == ERR_NONE, "%s", err.text);
    scope_close(&f.scope);
    redis_close(&r);
    resolve_done();
    arena_end(&arena);
}

static void say_nothing(struct sock *s, int number)
{
    (void)number;
    (void)!swallow(s, "never");
}

static void ping_in_vain(void *arg)
{
    struct arena *arena = arena_new(MIB);
    struct str words[] = {STR("PING")};
    struct redis_value reply;
    struct err err = {0};

    EXPECT(!redis_run(arg, arena, 0, &(struct redis_command){words, 1}, 1, &reply, &err));
    arena_end(&arena);
}

/* Ten that fail together are one reason to pause. */
FIBER_TEST(redis_that_fails_many_at_once_is_tried_after_the_first_pause)
{
    struct arena *arena = arena_new(MIB);
    struct redis_options options = {.timeout = 50 * MILLISECOND};
    struct redis *r = NULL;
    struct scope all;
    struct err err = {0};
    struct fake f;

    REQUIRE(fake_start(&f, say_nothing));
    options.url = arena_fmt(arena, "redis%s", strchr(f.url, ':'));
    REQUIRE(redis_open(&options, &r, &err), "%s", err.text);
    scope_open(&all, 0);
    for (int i = 0; i < 10; i++)
        EXPECT(scope_spawn(&all, ping_in_vain, r, &err));
    EXPECT(scope_wait(&all, &err), "%s", err.text);
    scope_close(&all);
    EXPECT(redis_stats(r).failures == 10 && redis_stats(r).open);
    EXPECT(fiber_sleep(1100 * MILLISECOND, &err));
    ping_in_vain(r);
    EXPECT(redis_stats(r).calls == 11 && redis_stats(r).refused == 0);
    ping_in_vain(r);
    EXPECT(fiber_sleep(1100 * MILLISECOND, &err));
    ping_in_vain(r);
    EXPECT(redis_stats(r).calls == 11 && redis_stats(r).refused == 2, "the next is longer");
    scope_close(&f.scope);
    redis_close(&r);
    arena_end(&arena);
}

/* ---- the real one ---- */

struct server {
    struct arena *arena;
    const char *path;
    struct scope scope;
};

static SUSPENDS void run_server(void *arg)
{
    struct server *s = arg;
    const char *argv[] = {"/usr/bin/redis-server",
                          "--port",
                          "0",
                          "--unixsocket",
                          s->path,
                          "--save",
                          "",
                          "--appendonly",
                          "no",
                          "--requirepass",
                          "secret",
                          NULL};
    struct process_options options = {.argv = argv, .output_max = MIB};
    struct process_result result = {0};
    struct err err = {0};

    if (process_run(s->arena, &options, &result, &err))
        EXPECT(false, "it ended with %d: " STR_FMT STR_FMT, result.status, STR_ARG(result.output),
               STR_ARG(result.errors));
}

/* Its file is there a moment before anybody listens at it. */
static bool is_listening(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    EXPECT(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, MIN_OF(strlen(path) + 1, sizeof at.sun_path));
    ok = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return ok;
}

static struct redis *start(struct server *s, const char *name, dur_ns timeout)
{
    struct redis_options options = {.timeout = timeout};
    struct redis *r = NULL;
    struct err err = {0};

    s->arena = arena_new(16 * MIB);
    s->path = arena_fmt(s->arena, "/tmp/weir-test-%d-%s.sock", (int)getpid(), name).ptr;
    options.url = arena_fmt(s->arena, "unix:%s", s->path);
    scope_open(&s->scope, 0);
    EXPECT(scope_spawn(&s->scope, run_server, s, &err) &&
               secret_set(&options.password, "secret", 6, &err) && redis_open(&options, &r, &err),
           "%s", err.text);
    for (int i = 0; i < 500 && !is_listening(s->path); i++)
        EXPECT(fiber_sleep(10 * MILLISECOND, &err));
    secret_wipe(&options.password);
    return r;
}

static void stop(struct server *s, struct redis **r)
{
    scope_close(&s->scope);
    redis_close(r);
    unlink(s->path);
    arena_end(&s->arena);
}

#define WORDS(...)                                             \
    ((struct redis_command){(const struct str[]){__VA_ARGS__}, \
                            sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str)})

FIBER_TEST(redis_keeps_and_gives_back)
{
    struct server s;
    struct redis *r = start(&s, "keep", 2 * SECOND);
    struct str large = {arena_alloc(s.arena, MIB), MIB};
    struct redis_value replies[5] = {{0}};
    struct redis_command batch[] = {WORDS(STR("SET"), STR("a"), large), WORDS(STR("GET"), STR("a")),
                                    WORDS(STR("GET"), STR("none")), WORDS(STR("NOSUCH")),
                                    WORDS(STR("RPUSH"), STR("list"), STR("x"), STR(""))};
    struct err err = {0};

    EXPECT(redis_run(r, s.arena, 0, batch, 5, replies, &err), "%s", err.text);
    EXPECT(str_eq(replies[0].text, STR("OK")));
    EXPECT(replies[1].kind == REDIS_TEXT && str_eq(replies[1].text, large));
    EXPECT(replies[2].kind == REDIS_NIL);
    EXPECT(replies[3].kind == REDIS_ERROR && str_starts(replies[3].text, STR("ERR")));
    EXPECT(replies[4].kind == REDIS_INTEGER && replies[4].integer == 2);
    EXPECT(redis_run(r, s.arena, 0, &WORDS(STR("LRANGE"), STR("list"), STR("0"), STR("-1")), 1,
                     replies, &err),
           "%s", err.text);
    EXPECT(replies[0].kind == REDIS_ARRAY && replies[0].count == 2 &&
           replies[0].items[1].text.len == 0);
    EXPECT(redis_stats(r).failures == 0);
    stop(&s, &r);
}

FIBER_TEST(redis_scripts_are_sent_once)
{
    struct server s;
    struct redis *r = start(&s, "script", 2 * SECOND);
    struct redis_script script;
    struct redis_value reply = {0};
    struct str keys[] = {STR("n")}, args[] = {STR("5")};
    struct err err = {0};

    redis_script_init(&script, STR("return redis.call('INCRBY', KEYS[1], ARGV[1])"));
    for (int i = 1; i <= 3; i++)
        EXPECT(redis_eval(r, s.arena, &script, keys, 1, args, 1, &reply, &err) &&
                   reply.kind == REDIS_INTEGER && reply.integer == 5 * i,
               "%s " STR_FMT, err.text, STR_ARG(reply.text));
    EXPECT(redis_stats(r).calls == 4, "once by its text");
    stop(&s, &r);
}

struct one_of_many {
    struct redis *redis;
    int *answered;
};

static void ping_once(void *arg)
{
    struct one_of_many *one = arg;
    struct arena *arena = arena_new(MIB);
    struct redis_value reply;
    struct err err = {0};

    *one->answered += redis_run(one->redis, arena, 0, &WORDS(STR("PING")), 1, &reply, &err);
    EXPECT(err.code == ERR_NONE, "%s", err.text);
    arena_end(&arena);
}

/* More at once than a loop has connections: they wait for each other. */
FIBER_TEST(redis_answers_more_at_once_than_there_are_connections)
{
    struct server s;
    struct redis *r = start(&s, "many", 2 * SECOND);
    int answered = 0;
    struct one_of_many one = {r, &answered};
    struct scope all;
    struct err err = {0};

    scope_open(&all, 0);
    for (int i = 0; i < 100; i++)
        EXPECT(scope_spawn(&all, ping_once, &one, &err), "%s", err.text);
    EXPECT(scope_wait(&all, &err), "%s", err.text);
    scope_close(&all);
    EXPECT(answered == 100 && redis_stats(r).failures == 0, "%d", answered);
    stop(&s, &r);
}

FIBER_TEST(redis_that_is_slow_costs_its_timeout_three_times)
{
    struct server s;
    struct redis *r = start(&s, "slow", 100 * MILLISECOND);
    struct redis_value reply;
    struct err err = {0};

    EXPECT(redis_run(r, s.arena, 2 * SECOND, &WORDS(STR("CLIENT"), STR("PAUSE"), STR("60000")), 1,
                     &reply, &err),
           "%s", err.text);
    for (int i = 0; i < 10; i++)
        EXPECT(!redis_run(r, s.arena, 0, &WORDS(STR("GET"), STR("a")), 1, &reply, &err));
    EXPECT(redis_stats(r).failures == 3 && redis_stats(r).refused == 7, "%d",
           (int)redis_stats(r).failures);
    stop(&s, &r);
}

/* ---- over TLS, by a user of its own ---- */

struct secured {
    struct arena *arena;
    struct identity id;
    struct str port;
    struct scope scope;
};

static void run_secured(void *arg)
{
    struct secured *s = arg;
    const char *argv[] = {"/usr/bin/redis-server",
                          "--port",
                          "0",
                          "--bind",
                          "127.0.0.1",
                          "--tls-port",
                          s->port.ptr,
                          "--tls-cert-file",
                          s->id.certificate,
                          "--tls-key-file",
                          s->id.key,
                          "--tls-ca-cert-file",
                          s->id.certificate,
                          "--tls-auth-clients",
                          "no",
                          "--save",
                          "",
                          "--user",
                          "weir",
                          "on",
                          ">secret",
                          "~weir:*",
                          "+@all",
                          "--user",
                          "default",
                          "off",
                          NULL};
    struct process_options options = {.argv = argv, .output_max = MIB};
    struct process_result result = {0};
    struct err err = {0};

    if (process_run(s->arena, &options, &result, &err))
        EXPECT(false, "it ended with %d: " STR_FMT STR_FMT, result.status, STR_ARG(result.output),
               STR_ARG(result.errors));
}

static struct str free_port(struct arena *arena)
{
    struct listener *l = NULL;
    struct err err = {0};
    struct addr addr;
    struct str port;

    EXPECT(addr_parse(STR("127.0.0.1:0"), &addr, &err) && sock_listen(&addr, NULL, &l, &err), "%s",
           err.text);
    addr = listener_addr(l);
    port = arena_fmt(arena, "%s", strrchr(addr.text, ':') + 1);
    listener_close(&l);
    return port;
}

/* What a client with these settings is told when it sets weir:a; until the server has started. */
static struct str told(struct secured *s, const char *user, const char *password, const char *ca)
{
    struct redis_options options = {.url =
                                        arena_fmt(s->arena, "rediss://127.0.0.1:%s", s->port.ptr),
                                    .user = str_from(user),
                                    .ca_file = ca,
                                    .timeout = 5 * SECOND};
    struct str set[] = {STR("SET"), STR("weir:a"), STR("1")};
    struct redis *r = NULL;
    struct err err = {0};
    struct str text = STR("");

    EXPECT(secret_set(&options.password, password, strlen(password), &err) &&
               redis_open(&options, &r, &err),
           "%s", err.text);
    if (r) {
        struct redis_value reply = {0};
        bool ok = redis_run(r, s->arena, 0, &(struct redis_command){set, 3}, 1, &reply, &err);

        text = arena_str(s->arena, ok ? reply.text : str_from(err.text));
    }
    redis_close(&r);
    secret_wipe(&options.password);
    return text;
}

FIBER_TEST(redis_over_tls_by_a_user)
{
    struct secured s = {.arena = arena_new(16 * MIB)};
    const char *dir = test_dir();
    struct identity other;
    struct str text = STR("");
    struct err err = {0};

    REQUIRE(make_identity(&s.id, dir, "redis", "IP:127.0.0.1"));
    REQUIRE(make_identity(&other, dir, "other", "IP:127.0.0.1"));
    s.port = free_port(s.arena);
    scope_open(&s.scope, 0);
    EXPECT(scope_spawn(&s.scope, run_secured, &s, &err), "%s", err.text);
    for (int i = 0; i < 500 && !str_eq(text, STR("OK")); i++) {
        EXPECT(fiber_sleep(10 * MILLISECOND, &err));
        text = told(&s, "weir", "secret", s.id.certificate);
    }
    EXPECT(str_eq(text, STR("OK")), STR_FMT, STR_ARG(text));
    text = told(&s, "weir", "wrong", s.id.certificate);
    EXPECT(str_find(text, STR("WRONGPASS")) < text.len, STR_FMT, STR_ARG(text));
    text = told(&s, "", "secret", s.id.certificate);
    EXPECT(str_find(text, STR("WRONGPASS")) < text.len, STR_FMT, STR_ARG(text));
    text = told(&s, "weir", "secret", other.certificate);
    EXPECT(str_find(text, STR("certificate")) < text.len, STR_FMT, STR_ARG(text));
    scope_close(&s.scope);
    arena_end(&s.arena);
}
