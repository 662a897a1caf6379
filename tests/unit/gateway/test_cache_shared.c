/* Two Weirs share a real Redis: what one has asked the other has; a purge at one deletes it there. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cache/cache.h"
#include "net/redis.h"
#include "small_house.h"
#include "sys/process.h"
#include "test.h"

#define ASK "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define REPLY                                                                                      \
    "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"     \
    "\"Hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}" \
    "}"

struct server {
    struct arena *arena;
    const char *path;
};

static SUSPENDS void run_server(void *arg)
{
    struct server *s = arg;
    const char *argv[] = {
        "/usr/bin/redis-server", "--port", "0", "--unixsocket", s->path, "--save", "",
        "--appendonly",          "no",     NULL};
    struct process_options options = {.argv = argv, .output_max = MIB};
    struct process_result result = {0};
    struct err err = {0};

    if (process_run(s->arena, &options, &result, &err))
        EXPECT(false, "it ended with %d: " STR_FMT, result.status, STR_ARG(result.output));
}

static struct cache *new_cache(struct redis *redis)
{
    struct cache_options options = {.bytes_max = MIB,
                                    .tenant_bytes_max = MIB,
                                    .entry_bytes_max = MIB,
                                    .redis = redis,
                                    .redis_prefix = STR("weir:cache:")};
    struct cache *cache = NULL;
    struct err err = {0};

    EXPECT(cache_open(&options, &cache, &err), "%s", err.text);
    return cache;
}

static void use_cache(struct small_house *h, struct cache *cache)
{
    h->config.cache = (struct cache_config){.cache = cache,
                                            .rules = {.use = CACHE_ALWAYS,
                                                      .sampled = CACHE_ALWAYS,
                                                      .ttl = 3600 * SECOND,
                                                      .ttl_max = 3600 * SECOND}};
}

static bool said(struct small_house *h, const char *want)
{
    struct reply *r = house_chat(h, ASK);
    struct str got = reply_field(r, "x-weir-cache");

    EXPECT(r->status == 200 && str_eq(r->body, STR(REPLY)));
    EXPECT(str_eq(got, str_from(want)), STR_FMT, STR_ARG(got));
    return str_eq(got, str_from(want));
}

static int64_t keys_in(struct redis *redis, struct arena *arena)
{
    struct str words[] = {STR("DBSIZE")};
    struct redis_value reply = {0};
    struct err err = {0};

    if (!redis_run(redis, arena, 0, &(struct redis_command){words, 1}, 1, &reply, &err))
        EXPECT(false, "%s", err.text);
    return reply.integer;
}

/* What is kept goes to Redis behind the answer. */
static void wait_for_a_key(struct redis *redis, struct arena *arena)
{
    struct err err = {0};

    for (int i = 0; i < 2000 && keys_in(redis, arena) == 0; i++)
        EXPECT(fiber_sleep(5 * MILLISECOND, &err));
    EXPECT(keys_in(redis, arena) == 1);
}

static char told[2048];

static void keep_line(void *ctx, enum log_level level, struct str line)
{
    (void)ctx;
    if (level == LOG_WARN)
        snprintf(told, sizeof told, STR_FMT, STR_ARG(str_slice(line, 0, sizeof told - 1)));
}

/* One that has no room takes nothing: the answer is given all the same, and the log says why. */
static void fill_up(struct small_house *h, struct cache *cache, struct redis *redis)
{
    struct str words[] = {STR("CONFIG"), STR("SET"), STR("maxmemory"), STR("1")};
    struct redis_value reply = {0};
    uint64_t before = cache_stats(cache).dropped;
    struct err err = {0};

    EXPECT(redis_run(redis, h->arena, 0, &(struct redis_command){words, 4}, 1, &reply, &err));
    log_to(keep_line, NULL);
    use_cache(h, cache);
    said(h, "stored");
    for (int i = 0; i < 2000 && cache_stats(cache).dropped == before; i++)
        EXPECT(fiber_sleep(5 * MILLISECOND, &err));
    log_to(NULL, NULL);
    EXPECT(str_find(str_from(told), STR("Redis does not keep answers")) < strlen(told) &&
               str_find(str_from(told), STR("OOM command not allowed")) < strlen(told),
           "%s", told);
}

static void let_read(struct small_house *h, struct redis *redis, bool may)
{
    struct str words[] = {STR("ACL"), STR("SETUSER"), STR("default"),
                          may ? STR("+get") : STR("-get")};
    struct redis_value reply = {0};
    struct err err = {0};

    EXPECT(redis_run(redis, h->arena, 0, &(struct redis_command){words, 4}, 1, &reply, &err) &&
               reply.kind != REDIS_ERROR,
           "%s" STR_FMT, err.text, STR_ARG(reply.text));
}

/* Whose rights do not let it look at what is there cannot say that it is gone. */
static void purge_blindly(struct small_house *h, struct cache *cache, struct redis *redis)
{
    uint64_t gone = 0;
    struct err err = {0};

    let_read(h, redis, false);
    EXPECT(!cache_purge(cache, &(struct cache_selector){.model = STR("m")}, &gone, &err) &&
               str_find(str_from(err.text), STR("NOPERM")) < strlen(err.text),
           "%s", err.text);
    let_read(h, redis, true);
}

FIBER_TEST(two_weirs_share_a_redis)
{
    struct small_house h;
    struct server s = {.arena = arena_new(16 * MIB)};
    struct redis_options options = {.timeout = 2 * SECOND};
    struct redis *redis = NULL;
    struct scope scope;
    struct err err = {0};
    uint64_t gone = 0;

    s.path = arena_fmt(s.arena, "/tmp/weir-test-%d-shared.sock", (int)getpid()).ptr;
    options.url = arena_fmt(s.arena, "unix:%s", s.path);
    house_open(&h, NULL);
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, run_server, &s, &err) && redis_open(&options, &redis, &err), "%s",
           err.text);
    for (int i = 0; i < 500 && access(s.path, F_OK) != 0; i++)
        EXPECT(fiber_sleep(10 * MILLISECOND, &err));
    struct cache *one = new_cache(redis), *other = new_cache(redis);
    struct fake_move moves[] = {{FAKE_WRITE,
                                 arena_fmt(h.arena,
                                           "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                           "Content-Length: %zu\r\n\r\n" REPLY,
                                           sizeof REPLY - 1)
                                     .ptr,
                                 0},
                                {0}};
    h.fake.moves = moves;
    use_cache(&h, one);
    said(&h, "stored");
    wait_for_a_key(redis, h.arena);
    use_cache(&h, other);
    said(&h, "hit");
    EXPECT(cache_stats(other).hits_shared == 1 && h.fake.requests == 1);
    said(&h, "hit");
    EXPECT(cache_stats(other).hits_memory == 1);
    EXPECT(cache_purge(other, &(struct cache_selector){.model = STR("m")}, &gone, &err) &&
               gone == 2,
           "%s %d", err.text, (int)gone);
    said(&h, "stored");
    EXPECT(h.fake.requests == 2);
    wait_for_a_key(redis, h.arena);
    purge_blindly(&h, other, redis);
    EXPECT(cache_purge(other, &(struct cache_selector){.tag = STR("none")}, &gone, &err));
    EXPECT(cache_purge(one, &(struct cache_selector){0}, &gone, &err), "%s", err.text);
    EXPECT(keys_in(redis, h.arena) == 0, "nothing is left in Redis");
    fill_up(&h, one, redis);
    scope_close(&scope); /* inside the house's */
    house_close(&h);
    cache_close(&one);
    cache_close(&other);
    redis_close(&redis);
    unlink(s.path);
    arena_end(&s.arena);
}
