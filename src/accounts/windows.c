/* accounts/windows.c: counting of minutes and of what is in progress, for all instances in one place.
 *
 * An account is a hash: r<second> and t<second>, requests and tokens of a second by the server's clock, and
 * f<name>, what an instance has in progress. A name is of one process, and of one unbroken time with Redis:
 * after a gap, in which settlements may have been lost, another is taken, and the old one's count goes when
 * its sign of life ends. */
#include "accounts/windows.h"

#include <string.h>

#include "base/log.h"
#include "net/redis.h"
#include "sys/clock.h"

#define ALIVE_SECONDS  10
#define ALIVE_EVERY    (2 * SECOND)
#define SETTLE_EVERY   (10 * MILLISECOND)
#define DRAIN_STEP     MILLISECOND
#define SETTLE_MAX     16384u
#define SETTLE_A_TURN  256u
#define FORGET_AT_ONCE 100u
#define TAKE_BYTES     ((size_t)32 * KIB)
#define TURN_BYTES     ((size_t)512 * KIB)
#define NAME_BYTES     40u
#define NUMBERS        3u
#define WORDS_MAX      (NUMBERS + NUMBERS * LEVELS + 1)

/* Says {0, 0, second, and of each key requests and tokens of its minute by now}, or which key refuses, why, until when,
 * and with how much. */
static const char take_text[] =
    "local now, out = tonumber(redis.call('TIME')[1]), {0, 0, 0}\n"
    "local tokens, again = tonumber(ARGV[3]), ARGV[#ARGV] == '1'\n"
    "local function wait(at, many)\n" /* until so many are older than a minute */
    "  local seconds = {}\n"
    "  for s in pairs(at) do seconds[#seconds + 1] = s end\n"
    "  table.sort(seconds)\n"
    "  for _, s in ipairs(seconds) do\n"
    "    many = many - at[s]\n"
    "    if many <= 0 then return s + 61 - now end\n"
    "  end\n"
    "  return 61\n"
    "end\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local all, old, r, t, sums = redis.call('HGETALL', key), {}, {}, {}, {r = 0, t = 0, f = 0}\n"
    "  for j = 1, #all, 2 do\n"
    "    local kind, rest, n = all[j]:sub(1, 1), all[j]:sub(2), tonumber(all[j + 1])\n"
    "    if kind == 'f' then\n"
    "      if rest ~= ARGV[1] and redis.call('EXISTS', ARGV[2] .. rest) == 0 then\n"
    "        old[#old + 1] = all[j]\n"
    "      else\n"
    "        sums.f = sums.f + n\n"
    "      end\n"
    "    elseif tonumber(rest) <= now - 61 then\n"
    "      old[#old + 1] = all[j]\n"
    "    else\n"
    "      local at = kind == 'r' and r or t\n"
    "      at[tonumber(rest)] = n\n"
    "      sums[kind] = sums[kind] + n\n"
    "    end\n"
    "  end\n"
    "  for _, name in ipairs(old) do redis.call('HDEL', key, name) end\n"
    "  local rpm, tpm, most = tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2]),"
    " tonumber(ARGV[i * 3 + 3])\n"
    "  if most > 0 and sums.f >= most then return {i, 3, 1} end\n"
    "  if rpm > 0 and not again and sums.r >= rpm then return {i, 1, wait(r, sums.r - rpm + 1), "
    "sums.r} end\n"
    "  if tpm > 0 and tokens > 0 and sums.t + tokens > tpm then\n"
    "    return {i, 2, wait(t, sums.t + tokens - tpm), sums.t}\n"
    "  end\n"
    "  out[i * 2 + 2], out[i * 2 + 3] = sums.r + (again and 0 or 1), sums.t + tokens\n"
    "end\n"
    "for _, key in ipairs(KEYS) do\n"
    "  redis.call('HINCRBY', key, 'r' .. now, again and 0 or 1)\n"
    "  redis.call('HINCRBY', key, 't' .. now, tokens)\n"
    "  redis.call('HINCRBY', key, 'f' .. ARGV[1], 1)\n"
    "  redis.call('EXPIRE', key, 90000)\n"
    "end\n"
    "out[3] = now\n"
    "return out\n";

/* ARGV: name, second, correction of the tokens, whether it was in progress under this name. */
static const char settle_text[] =
    "for _, key in ipairs(KEYS) do\n"
    "  if redis.call('HEXISTS', key, 't' .. ARGV[2]) == 1 then\n"
    "    redis.call('HINCRBY', key, 't' .. ARGV[2], ARGV[3])\n"
    "  end\n"
    "  if ARGV[4] == '1' and redis.call('HINCRBY', key, 'f' .. ARGV[1], -1) <= 0 then\n"
    "    redis.call('HDEL', key, 'f' .. ARGV[1])\n"
    "  end\n"
    "end\n"
    "return 0\n";

struct settlement {
    struct account *levels[LEVELS]; /* NULL: nothing was counted there */
    int64_t second, correction;
    uint32_t epoch;
};

struct windows {
    struct redis *redis;
    struct str prefix;
    struct redis_script take, settle;
    char boot[2 * 8 + 1];
    atomic_bool away, draining;
    atomic_uint epoch; /* of the name */

    /* under accounts->lock: a ring */
    struct settlement *queue;
    uint32_t first, count;
};

static void name_of(const struct windows *w, uint32_t epoch, char to[NAME_BYTES])
{
    struct buf b;

    buf_init_fixed(&b, to, NAME_BYTES - 1);
    buf_fmt(&b, "%s-%" PRIu32, w->boot, epoch);
    to[b.len] = 0;
}

bool windows_concern(struct account *const levels[LEVELS])
{
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i] && (levels[i]->limits.requests_per_minute ||
                          levels[i]->limits.tokens_per_minute || levels[i]->limits.in_flight))
            return true;
    return false;
}

static bool is_limited(const struct account *a)
{
    return a &&
           (a->limits.requests_per_minute || a->limits.tokens_per_minute || a->limits.in_flight);
}

bool windows_are_asked(const struct accounts *accounts)
{
    return accounts->windows &&
           !atomic_load_explicit(&accounts->windows->away, memory_order_relaxed);
}

bool accounts_limits_divided(const struct accounts *accounts)
{
    return store_is_shared(accounts->store) && !windows_are_asked(accounts) &&
           accounts_alive(accounts) > 1;
}

/* Once, until it is back. */
static void note_away(struct windows *w, bool away, const char *why)
{
    if (atomic_exchange(&w->away, away) == away)
        return;
    if (away)
        log_warn("limits of a minute and of requests in progress are divided among the instances, "
                 "for Redis is away: %s",
                 why);
    else
        log_info("Redis is back: limits of a minute and of requests in progress hold over all "
                 "instances again");
    if (!away)
        atomic_fetch_add(&w->epoch, 1u); /* what was not told counts no more */
}

static struct str key_of(struct arena *arena, const struct windows *w, const struct account *a)
{
    return arena_fmt(arena, STR_FMT "w:%d:" STR_FMT, STR_ARG(w->prefix), (int)a->level,
                     STR_ARG(a->id));
}

static struct str number(struct arena *arena, int64_t n)
{
    return arena_fmt(arena, "%" PRId64, n);
}

/* ---- settling ---- */

void windows_settle(struct accounts *accounts, struct account *const levels[LEVELS],
                    const struct hold *hold, int64_t tokens)
{
    struct windows *w = accounts->windows;

    if (!w || !hold->shared_second)
        return;
    if (w->count == SETTLE_MAX) { /* Redis is away, or will be said to be */
        atomic_fetch_add(&w->epoch, 1u);
        w->count = 0;
    }

    struct settlement *s = &w->queue[(w->first + w->count++) % SETTLE_MAX];

    *s = (struct settlement){.second = hold->shared_second,
                             .correction = tokens - hold->tokens,
                             .epoch = hold->shared_epoch};
    for (size_t i = 0; i < LEVELS; i++) /* limits may have come or gone meanwhile */
        s->levels[i] = hold->shared_levels >> i & 1u ? levels[i] : NULL;
}

static bool take_settlement(struct accounts *accounts, struct settlement *out)
{
    struct windows *w = accounts->windows;

    mutex_lock(&accounts->lock);
    bool any = w->count > 0;
    if (any) {
        *out = w->queue[w->first];
        w->first = (w->first + 1) % SETTLE_MAX;
        w->count--;
    }
    mutex_unlock(&accounts->lock);
    return any;
}

static bool settle_one(struct windows *w, struct arena *arena, const struct settlement *s,
                       struct err *err)
{
    char name[NAME_BYTES];
    struct str keys[LEVELS], args[4];
    struct redis_value reply;
    size_t n = 0;

    name_of(w, s->epoch, name);
    for (size_t i = 0; i < LEVELS; i++)
        if (s->levels[i])
            keys[n++] = key_of(arena, w, s->levels[i]);
    args[0] = str_from(name);
    args[1] = number(arena, s->second);
    args[2] = number(arena, s->correction);
    args[3] = s->epoch == atomic_load(&w->epoch) ? STR("1") : STR("0");
    if (!n)
        return true;
    if (!redis_eval(w->redis, arena, &w->settle, keys, n, args, ARRAY_LEN(args), &reply, err))
        return false;
    return reply.kind != REDIS_ERROR ||
           err_set(err, ERR_UNAVAILABLE, "Redis: " STR_FMT, STR_ARG(str_slice(reply.text, 0, 120)));
}

/* In order. What cannot be told is lost, and with it the name under which it was in progress. */
static SUSPENDS bool settle_all(struct accounts *accounts, struct err *err)
{
    struct windows *w = accounts->windows;
    struct arena *arena CLEANUP(arena_end) = arena_new(TURN_BYTES);
    struct settlement s;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to count requests");
    while (take_settlement(accounts, &s)) {
        size_t mark = arena_mark(arena);

        if (!settle_one(w, arena, &s, err))
            return false;
        arena_rewind(arena, mark);
    }
    return true;
}

/* ---- taking ---- */

static bool refuse(const struct account *a, int64_t kind, int64_t seconds, struct hold *out,
                   struct err *err)
{
    static const char *const whose[LEVELS] = {"tenant", "team", "key"};
    const struct limits *l = &a->limits;

    out->refused_by = a->level;
    out->retry_after = MAX_OF(seconds, 1) * SECOND;
    out->refused = kind == 1 ? LIMIT_REQUESTS : kind == 2 ? LIMIT_TOKENS : LIMIT_IN_FLIGHT;
    if (kind == 3)
        return err_set(err, ERR_EXHAUSTED,
                       "limit of %" PRId64 " requests in progress of %s \"" STR_FMT
                       "\" is reached, on all instances together",
                       l->in_flight, whose[a->level], STR_ARG(a->id));
    return err_set(err, ERR_EXHAUSTED,
                   "limit of %" PRId64 " %s a minute of %s \"" STR_FMT
                   "\" is used up, on all instances together; enough are free in %" PRId64 " s",
                   kind == 1 ? l->requests_per_minute : l->tokens_per_minute,
                   kind == 1 ? "requests" : "tokens", whose[a->level], STR_ARG(a->id),
                   MAX_OF(seconds, 1));
}

/* Key before team before tenant, as limits are looked at elsewhere. */
static size_t put_words(struct arena *arena, const struct windows *w,
                        struct account *const levels[LEVELS], const struct hold *hold,
                        struct str keys[LEVELS], struct str args[WORDS_MAX],
                        struct account *who[LEVELS])
{
    size_t n = 0;

    for (size_t i = LEVELS; i-- > 0;) {
        const struct limits *l = levels[i] ? &levels[i]->limits : NULL;

        if (!is_limited(levels[i]))
            continue;
        who[n] = levels[i];
        keys[n] = key_of(arena, w, levels[i]);
        args[NUMBERS + NUMBERS * n] = number(arena, l->requests_per_minute);
        args[NUMBERS + NUMBERS * n + 1] = number(arena, l->tokens_per_minute);
        args[NUMBERS + NUMBERS * n + 2] = number(arena, l->in_flight);
        n++;
    }
    args[1] = arena_fmt(arena, STR_FMT "a:", STR_ARG(w->prefix));
    args[2] = number(arena, hold->tokens);
    args[NUMBERS + NUMBERS * n] = hold->again ? STR("1") : STR("0");
    return n;
}

/* For who is told how much is left. */
static void note_everywhere(struct accounts *accounts, struct account *const who[LEVELS], size_t n,
                            const struct redis_value *reply)
{
    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < n && reply->count >= NUMBERS + 2 * (i + 1); i++)
        who[i]->everywhere =
            (struct everywhere){reply->items[NUMBERS + 2 * i].integer,
                                reply->items[NUMBERS + 2 * i + 1].integer, fiber_now()};
    mutex_unlock(&accounts->lock);
}

static void note_refused(struct accounts *accounts, struct account *a,
                         const struct redis_value *reply)
{
    struct everywhere *all = &a->everywhere;

    if (reply->count <= NUMBERS)
        return;
    mutex_lock(&accounts->lock);
    *(reply->items[1].integer == 1 ? &all->requests : &all->tokens) = reply->items[NUMBERS].integer;
    all->at = fiber_now();
    mutex_unlock(&accounts->lock);
}

static bool ask(struct accounts *accounts, struct account *const levels[LEVELS], struct hold *out,
                struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(TAKE_BYTES);
    struct windows *w = accounts->windows;
    struct str keys[LEVELS], args[WORDS_MAX];
    struct account *who[LEVELS];
    struct redis_value reply;
    char name[NAME_BYTES];

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to count requests");

    size_t n = put_words(arena, w, levels, out, keys, args, who);

    out->shared_levels = 0;
    for (size_t i = 0; i < n; i++)
        out->shared_levels |= 1u << who[i]->level;
    out->shared_epoch = atomic_load(&w->epoch);
    name_of(w, out->shared_epoch, name);
    args[0] = str_from(name);
    if (!redis_eval(w->redis, arena, &w->take, keys, n, args, NUMBERS + NUMBERS * n + 1, &reply,
                    err))
        return false;
    if (reply.kind != REDIS_ARRAY || reply.count < NUMBERS)
        return err_set(err, ERR_UNAVAILABLE, "Redis: " STR_FMT,
                       STR_ARG(reply.kind == REDIS_ERROR ? str_slice(reply.text, 0, 120)
                                                         : STR("an answer that is none")));

    int64_t at = reply.items[0].integer;

    if (at > 0 && at <= (int64_t)n) {
        note_refused(accounts, who[at - 1], &reply);
        return refuse(who[at - 1], reply.items[1].integer, reply.items[2].integer, out, err);
    }
    out->shared_second = reply.items[2].integer;
    note_everywhere(accounts, who, n, &reply);
    return true;
}

struct errand {
    struct accounts *accounts;
    struct account *const *levels;
    struct hold *out;
    struct err *err;
    struct event done;
    bool ok;
};

/* False: somebody else is at it. */
static SUSPENDS bool settle_first(struct errand *e)
{
    struct windows *w = e->accounts->windows;

    if (atomic_exchange(&w->draining, true))
        return false;
    e->ok = settle_all(e->accounts, e->err);
    atomic_store(&w->draining, false);
    return true;
}

/* What somebody else is telling of may reach the server behind this take: a refusal counts when it has. */
static SUSPENDS void settle_then_ask(struct errand *e)
{
    struct err over = {0};

    *e->err = (struct err){0};
    e->out->refused = LIMIT_NONE;
    e->ok = true;
    while (!settle_first(e) && fiber_sleep(DRAIN_STEP, &over))
        ;
    e->ok = e->ok && ask(e->accounts, e->levels, e->out, e->err);
}

static void run_errand(void *arg)
{
    struct errand *e = arg;
    bool first = settle_first(e);

    e->ok = e->ok && ask(e->accounts, e->levels, e->out, e->err);
    if (!e->ok && !first && e->out->refused > LIMIT_REQUESTS)
        settle_then_ask(e);
    event_set(&e->done);
}

/* In a fiber that no client's leaving cancels: Redis would have counted what nobody here knows of, and it would be
 * in progress for ever. Redis has little time, so whoever leaves waits no longer than that. */
bool windows_take(struct accounts *accounts, struct account *const levels[LEVELS], struct hold *out,
                  struct err *err)
{
    struct errand e = {.accounts = accounts, .levels = levels, .out = out, .err = err, .ok = true};

    out->refused = LIMIT_NONE; /* for a share that was taken since */
    if (!fiber_spawn(run_errand, &e, err)) {
        err->code = ERR_UNAVAILABLE; /* this request alone: Redis is well */
        return false;
    }
    event_await(&e.done);
    if (!e.ok && !out->refused) { /* by no limit: also when it is this loop that has no room */
        note_away(accounts->windows, true, err->text);
        err->code = ERR_UNAVAILABLE;
    }
    return e.ok;
}

/* ---- forgetting ---- */

static bool delete_some(struct windows *w, struct account *const *gone, size_t count,
                        struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(TURN_BYTES);
    struct str words[1 + FORGET_AT_ONCE] = {STR("DEL")};
    struct redis_value reply;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to delete what was counted");
    for (size_t i = 0; i < count; i++)
        words[1 + i] = key_of(arena, w, gone[i]);
    if (!redis_run(w->redis, arena, 0, &(struct redis_command){words, 1 + count}, 1, &reply, err))
        return false;
    return reply.kind != REDIS_ERROR ||
           err_set(err, ERR_UNAVAILABLE, "Redis: " STR_FMT, STR_ARG(str_slice(reply.text, 0, 120)));
}

bool windows_forget(struct accounts *accounts, struct account *const *gone, size_t count,
                    struct err *err)
{
    for (size_t i = 0; accounts->windows && i < count; i += FORGET_AT_ONCE)
        if (!delete_some(accounts->windows, gone + i, MIN_OF(count - i, (size_t)FORGET_AT_ONCE),
                         err))
            return false;
    return true;
}

/* ---- the fiber: settling, the sign of life, and trying again ---- */

static bool say_alive(struct windows *w, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(TAKE_BYTES);
    char name[NAME_BYTES];
    struct redis_value reply;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to count requests");
    name_of(w, atomic_load(&w->epoch), name);

    struct str words[] = {STR("SET"), arena_fmt(arena, STR_FMT "a:%s", STR_ARG(w->prefix), name),
                          STR("1"), STR("EX"), number(arena, ALIVE_SECONDS)};

    if (!redis_run(w->redis, arena, 0, &(struct redis_command){words, ARRAY_LEN(words)}, 1, &reply,
                   err))
        return false;
    return reply.kind != REDIS_ERROR ||
           err_set(err, ERR_UNAVAILABLE, STR_FMT, STR_ARG(str_slice(reply.text, 0, 120)));
}

void accounts_windows_loop(void *arg)
{
    struct accounts *accounts = arg;
    struct windows *w = accounts->windows;
    struct err over = {0};
    mono_ns said = 0;
    uint32_t epoch = UINT32_MAX;

    while (w && fiber_sleep(SETTLE_EVERY, &over)) {
        struct err err = {0};
        bool ok = true;

        if (fiber_now() - said > ALIVE_EVERY || epoch != atomic_load(&w->epoch)) {
            epoch = atomic_load(&w->epoch);
            said = fiber_now();
            ok = say_alive(w, &err);
            note_away(w, !ok, err.text);
        }
        if (ok && !atomic_load(&w->away) && !atomic_exchange(&w->draining, true)) {
            ok = settle_all(accounts, &err);
            atomic_store(&w->draining, false);
            if (!ok)
                note_away(w, true, err.text);
        }
    }
}

bool accounts_share_windows(struct accounts *accounts, struct redis *redis, struct str prefix,
                            struct err *err)
{
    struct windows *w;
    uint8_t random[8];
    struct buf hex;

    if (!store_is_shared(accounts->store) || !redis)
        return true;
    w = arena_alloc(accounts->arena, sizeof *w);
    if (w)
        w->queue = arena_array(accounts->arena, SETTLE_MAX, sizeof *w->queue);
    if (w)
        w->prefix = arena_str(accounts->arena, prefix);
    if (!w || !w->queue || !w->prefix.ptr)
        return err_arena(err, accounts->arena);
    w->redis = redis;
    redis_script_init(&w->take, str_from(take_text));
    redis_script_init(&w->settle, str_from(settle_text));
    clock_random(random, sizeof random);
    buf_init_fixed(&hex, w->boot, sizeof w->boot - 1);
    buf_hex(&hex, random, sizeof random);
    accounts->windows = w;
    return true;
}
