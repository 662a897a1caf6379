#include "cache/shared.h"

#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "sys/fiber.h"

#define WARN_EVERY    (60 * SECOND)
#define PURGE_TIMEOUT (10 * SECOND)
#define SCAN_COUNT    STR("200")
#define SCAN_MEMORY   (512 * MIB) /* of a step: what so many answers hold at most */

static struct str name_of(struct arena *arena, struct str prefix, const struct cache_key *key)
{
    char hex[CACHE_KEY_TEXT];

    cache_key_write(key, hex);
    return arena_fmt(arena, STR_FMT "%.*s", STR_ARG(prefix), CACHE_KEY_TEXT, hex);
}

/* A server that is full, or lets this user do less than it needs, answers every time: once a minute is enough. */
static COLD void warn_refused(const char *what, struct str why)
{
    static _Atomic int64_t told;
    int64_t before = atomic_load(&told), now = fiber_now();

    if ((before && now < before + WARN_EVERY) ||
        !atomic_compare_exchange_strong(&told, &before, now))
        return;
    log_warn(
        "Redis does not %s answers (maxmemory and its policy, or rights of redis_user): " STR_FMT,
        what, STR_ARG(str_slice(why, 0, 160)));
}

struct entry *shared_get(struct redis *redis, struct arena *arena, struct str prefix,
                         const struct cache_key *key)
{
    size_t mark = arena_mark(arena);
    struct str words[] = {STR("GET"), name_of(arena, prefix, key)};
    struct redis_value reply;
    struct entry *e = NULL;
    struct err err = {0};

    if (words[1].ptr &&
        redis_run(redis, arena, 0, &(struct redis_command){words, 2}, 1, &reply, &err)) {
        if (reply.kind == REDIS_ERROR)
            warn_refused("give", reply.text);
        if (reply.kind == REDIS_TEXT)
            e = entry_parse(reply.text, &err);
    }
    if (e && memcmp(&e->facts.key, key, sizeof *key) != 0)
        entry_unref(&e); /* somebody else writes there */
    arena_rewind(arena, mark);
    return e;
}

bool shared_put(struct redis *redis, struct str prefix, const struct entry *e, wall_ms now,
                struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * e->text.len + 64 * KIB);
    struct redis_value reply;

    if (!arena)
        return err_no_room(err, "no memory to share an answer");
    struct str words[] = {STR("SET"), name_of(arena, prefix, &e->facts.key), e->text, STR("PX"),
                          arena_fmt(arena, "%" PRId64, MAX_OF(e->facts.expires - now, 1))};
    if (!words[1].ptr || !words[4].ptr)
        return err_arena(err, arena);
    if (!redis_run(redis, arena, 0, &(struct redis_command){words, ARRAY_LEN(words)}, 1, &reply,
                   err))
        return false;
    if (reply.kind == REDIS_ERROR)
        warn_refused("keep", reply.text);
    return reply.kind != REDIS_ERROR ||
           err_set(err, ERR_UNAVAILABLE, "Redis refused an answer: " STR_FMT,
                   STR_ARG(str_slice(reply.text, 0, 100)));
}

/* Limits of minutes are counted under the same prefix: they are no answers. */
static bool is_name_of_answer(struct str name, struct str prefix)
{
    struct cache_key key;

    return str_starts(name, prefix) && cache_key_read(str_slice(name, prefix.len, name.len), &key);
}

/* SCAN takes patterns: the prefix means itself. */
static struct str pattern_of(struct arena *arena, struct str prefix)
{
    struct buf b;

    buf_init(&b, arena, 2 * prefix.len + 1);
    for (size_t i = 0; i < prefix.len; i++) {
        if (memchr("*?[]\\^", prefix.ptr[i], 6))
            buf_char(&b, '\\');
        buf_char(&b, prefix.ptr[i]);
    }
    buf_char(&b, '*');
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

/* What is there under the name of an answer is deleted if it fits; what cannot be read is deleted too. */
static SUSPENDS bool purge_one(struct redis *redis, struct arena *arena, struct str name,
                               const struct cache_selector *what, uint64_t *gone, struct err *err)
{
    struct str get[] = {STR("GET"), name}, del[] = {STR("DEL"), name};
    struct redis_value reply;
    struct err damaged = {0};

    if (what->space.len || what->model.len || what->tag.len) {
        if (!redis_run(redis, arena, PURGE_TIMEOUT, &(struct redis_command){get, 2}, 1, &reply,
                       err))
            return false;
        if (reply.kind == REDIS_ERROR && !str_starts(reply.text, STR("WRONGTYPE")))
            return err_set(err, ERR_UNAVAILABLE, "Redis does not show an answer: " STR_FMT,
                           STR_ARG(str_slice(reply.text, 0, 160)));
        if (reply.kind == REDIS_NIL)
            return true; /* it has expired meanwhile */
        struct entry *e CLEANUP(entry_unref) =
            reply.kind == REDIS_TEXT ? entry_parse(reply.text, &damaged) : NULL;
        if (e && !entry_matches(e, what))
            return true;
    }
    if (!redis_run(redis, arena, PURGE_TIMEOUT, &(struct redis_command){del, 2}, 1, &reply, err))
        return false;
    *gone += reply.kind == REDIS_INTEGER && reply.integer > 0;
    return reply.kind == REDIS_INTEGER ||
           err_set(err, ERR_UNAVAILABLE, "Redis did not delete an answer");
}

static SUSPENDS bool purge_step(struct redis *redis, struct arena *arena, struct str prefix,
                                const struct cache_selector *what, struct str *cursor,
                                uint64_t *gone, struct err *err)
{
    struct str words[] = {STR("SCAN"),  *cursor,   STR("MATCH"), pattern_of(arena, prefix),
                          STR("COUNT"), SCAN_COUNT};
    struct redis_value reply;

    if (!words[3].ptr)
        return err_arena(err, arena);
    if (!redis_run(redis, arena, PURGE_TIMEOUT, &(struct redis_command){words, ARRAY_LEN(words)}, 1,
                   &reply, err))
        return false;
    if (reply.kind != REDIS_ARRAY || reply.count != 2 || reply.items[1].kind != REDIS_ARRAY)
        return err_set(err, ERR_UNAVAILABLE, "Redis did not answer SCAN");
    *cursor = reply.items[0].text;
    for (size_t i = 0; i < reply.items[1].count; i++) {
        struct str name = reply.items[1].items[i].text;
        size_t mark = arena_mark(arena);
        bool ok =
            !is_name_of_answer(name, prefix) || purge_one(redis, arena, name, what, gone, err);

        arena_rewind(arena, mark);
        if (!ok)
            return false;
    }
    return true;
}

bool shared_purge(struct redis *redis, struct str prefix, const struct cache_selector *what,
                  uint64_t *gone, struct err *err)
{
    char memory[32];
    struct str cursor = STR("0");
    bool ok = true;

    do {
        struct arena *arena CLEANUP(arena_end) = arena_new(SCAN_MEMORY);

        if (!arena)
            return err_no_room(err, "no memory to purge Redis");
        if (what->key) {
            struct str name = name_of(arena, prefix, what->key);

            return purge_one(redis, arena, name, what, gone, err);
        }
        ok = purge_step(redis, arena, prefix, what, &cursor, gone, err);
        if (ok && cursor.len > sizeof memory)
            return err_set(err, ERR_UNAVAILABLE, "Redis gave a cursor that is none");
        memcpy(memory, cursor.ptr, ok ? cursor.len : 0);
        cursor.ptr = memory;
    } while (ok && !str_eq(cursor, STR("0")));
    return ok;
}
