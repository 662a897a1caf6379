/* accounts/keys.c: who a token belongs to, and the making and ending of keys.
 *
 * The warm way of authenticate_key() costs two SipHashes and a probe. A token's print is 128 bits of
 * SipHash-2-4 under two keys drawn at start and never shown: without them nobody finds a token with
 * the print of another but by trying 2^127 of them, over the network. The print only finds a key_state;
 * whether it is revoked is asked of the state itself, each time, so nothing has to be thrown out of the
 * cache when a key ends, and a state is never freed, so a slot is never stale. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/calendar.h"
#include "accounts/token.h"
#include "base/utf8.h"
#include "sys/clock.h"

#define KEY_ID_RANDOM 8
#define KEYS_A_LOCK   256u /* copied before others may have the lock again */

/* ---- authentication ---- */

static _Atomic(struct key_state *) *cache_slot(const struct accounts *accounts, uint64_t at)
{
    return &accounts->cache[at & (CACHE_SLOTS - 1)];
}

static struct key_state *find_warm(const struct accounts *accounts, const uint64_t print[2])
{
    for (uint64_t i = 0; i < CACHE_PROBES; i++) {
        struct key_state *key =
            atomic_load_explicit(cache_slot(accounts, print[0] + i), memory_order_acquire);

        if (key && key->print[0] == print[0] && key->print[1] == print[1])
            return key;
    }
    return NULL;
}

/* Under the lock. A print is written once, before the state can be seen through the cache. */
static void remember(struct accounts *accounts, struct key_state *key, const uint64_t print[2])
{
    uint64_t at = print[0] + print[1] % CACHE_PROBES; /* falls out when all are taken */

    if (!key->printed) {
        memcpy(key->print, print, sizeof key->print);
        key->printed = true;
    }
    for (uint64_t i = 0; i < CACHE_PROBES; i++)
        if (!atomic_load_explicit(cache_slot(accounts, print[0] + i), memory_order_relaxed)) {
            at = print[0] + i;
            break;
        }
    atomic_store_explicit(cache_slot(accounts, at), key, memory_order_release);
}

static struct str hash_str(const struct sha256 *hash)
{
    return (struct str){(const char *)hash->bytes, sizeof hash->bytes};
}

static struct key_state *find_cold(struct accounts *accounts, struct str token,
                                   const uint64_t print[2])
{
    struct sha256 hash = hmac_sha256(&accounts->pepper, token);

    mutex_lock(&accounts->lock);
    struct key_state *key = table_get(&accounts->by_hash, hash_str(&hash));
    if (key)
        remember(accounts, key, print);
    mutex_unlock(&accounts->lock);
    return key;
}

bool authenticate_key(struct accounts *accounts, struct str token, const struct principal **out,
                      struct err *err)
{
    if (token.len != TOKEN_LEN)
        return token_check(token, err);

    const uint64_t print[2] = {siphash_keyed(accounts->print_keys[0], token),
                               siphash_keyed(accounts->print_keys[1], token)};
    struct key_state *key = find_warm(accounts, print);

    if (!key) {
        if (!token_check(token, err))
            return false;
        key = find_cold(accounts, token, print);
    }
    if (!key)
        return err_set(err, ERR_UNAUTHENTICATED, "key is not one of ours");
    if (atomic_load_explicit(&key->refused, memory_order_acquire))
        return err_set(err, ERR_UNAUTHENTICATED, "key \"" STR_FMT "\" is revoked",
                       STR_ARG(key->who.key_id));
    *out = &key->who;
    return true;
}

void principal_release(const struct principal **who)
{
    *who = NULL; /* it lives as long as the accounts */
}

const struct principal *accounts_local_admin(struct accounts *accounts)
{
    return &accounts->house->who;
}

/* ---- the list ---- */

static bool copy_texts(struct arena *arena, struct principal *who, struct err *err)
{
    who->key_id = arena_str(arena, who->key_id);
    who->name = arena_str(arena, who->name);
    who->tenant = arena_str(arena, who->tenant);
    return (who->key_id.ptr && who->name.ptr && who->tenant.ptr) || err_arena(err, arena);
}

bool keys_add(struct accounts *accounts, const struct key_state *made, struct key_state **out,
              struct err *err)
{
    struct key_state *key = arena_alloc(accounts->arena, sizeof *key);

    if (!key)
        return err_arena(err, accounts->arena);
    *key = *made;
    if (!copy_texts(accounts->arena, &key->who, err))
        return false;
    key->who.state = key;
    if (!table_put(&accounts->by_id, key->who.key_id, key, NULL))
        return err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " keys",
                       accounts->keys_max);
    if (key->ordinal && !table_put(&accounts->by_hash, hash_str(&key->hash), key, NULL)) {
        table_remove(&accounts->by_id, key->who.key_id);
        return err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " keys",
                       accounts->keys_max);
    }
    *out = key;
    return true;
}

void keys_link(struct accounts *accounts, struct key_state *key)
{
    if (!key->ordinal) {
        accounts->house = key;
        return;
    }
    if (accounts->last)
        accounts->last->next = key;
    else
        accounts->first = key;
    accounts->last = key;
    accounts->key_count++;
}

static void remove_unlinked(struct accounts *accounts, struct key_state *key)
{
    table_remove(&accounts->by_id, key->who.key_id);
    table_remove(&accounts->by_hash, hash_str(&key->hash));
}

/* Under the lock; the texts are the state's own and live as long. */
static struct key_info info_of(const struct key_state *key, wall_ms now)
{
    return (struct key_info){
        .id = key->who.key_id,
        .name = key->who.name,
        .tenant = key->who.tenant,
        .role = key->who.role,
        .limits = key->limits,
        .created = key->created,
        .last_used = key->spend.last_used,
        .revoked = key->revoked,
        .spent_day = spend_in_day(&key->spend, now),
        .spent_month = spend_in_month(&key->spend, now),
        .spent_total = key->spend.total,
        .held = key->held,
    };
}

bool key_list(struct accounts *accounts, struct arena *arena, struct key_info **out, size_t *count,
              struct err *err)
{
    size_t most = accounts_key_count(accounts), have = 0;
    struct key_info *list = arena_array(arena, most, sizeof *list);
    wall_ms now = clock_wall();

    if (!list)
        return err_arena(err, arena);

    mutex_lock(&accounts->lock);
    for (const struct key_state *key = accounts->first; key && have < most; key = key->next) {
        list[have++] = info_of(key, now);
        if (have % KEYS_A_LOCK == 0) {
            mutex_unlock(&accounts->lock); /* states stay, the list only grows */
            mutex_lock(&accounts->lock);
        }
    }
    mutex_unlock(&accounts->lock);
    *out = list;
    *count = have;
    return true;
}

size_t accounts_key_count(struct accounts *accounts)
{
    mutex_lock(&accounts->lock);
    size_t count = accounts->key_count;
    mutex_unlock(&accounts->lock);
    return count;
}

/* ---- making ---- */

static bool limits_check(const struct key_limits *limits, struct err *err)
{
    if (limits->requests_per_minute < 0 || limits->requests_per_minute > UINT32_MAX)
        return err_set(err, ERR_INVALID, "requests per minute must be 0 to %" PRIu32, UINT32_MAX);
    if (limits->spend_day < 0 || limits->spend_day > MONEY_MAX || limits->spend_month < 0 ||
        limits->spend_month > MONEY_MAX)
        return err_set(err, ERR_INVALID, "spend limits must be 0 to %" PRId64 " USD",
                       MONEY_MAX / 1000000);
    return true;
}

static bool name_check(struct str name, struct err *err)
{
    if (!name.len || name.len > KEY_NAME_MAX)
        return err_set(err, ERR_INVALID, "name of a key must have 1 to %u bytes", KEY_NAME_MAX);
    if (!utf8_valid(name))
        return err_set(err, ERR_INVALID, "name of a key must be valid UTF-8");
    return true;
}

static bool store_key(struct accounts *accounts, const struct key_state *key, struct err *err)
{
    char digits[2 * SHA256_BYTES];
    struct buf hex;

    buf_init_fixed(&hex, digits, sizeof digits);
    buf_hex(&hex, key->hash.bytes, sizeof key->hash.bytes);

    const struct value values[] = {
        V_TEXT(key->who.key_id),
        V_INT(key->ordinal),
        V_TEXT(key->who.name),
        V_TEXT(key->who.tenant),
        V_INT(key->who.role),
        V_TEXT(buf_view(&hex)),
        V_INT(key->limits.requests_per_minute),
        V_INT(key->limits.spend_day),
        V_INT(key->limits.spend_month),
        V_INT(key->created),
    };
    const struct statement insert = {
        "INSERT INTO keys (id, ordinal, name, tenant, role, hash, requests_per_minute, spend_day,"
        " spend_month, created, revoked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)",
        values, ARRAY_LEN(values)};

    return store_write(accounts->store, &insert, 1, NULL, err);
}

/* Refused until the store has it: memory can only run out before the key is durable, not after. */
static bool add_unborn(struct accounts *accounts, const struct key_state *made,
                       struct key_state **out, struct err *err)
{
    struct key_state unborn = *made;

    atomic_store(&unborn.refused, true);
    mutex_lock(&accounts->lock);
    bool ok =
        accounts->ordinals < accounts->keys_max ||
        err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " keys", accounts->keys_max);
    if (ok) {
        unborn.ordinal = ++accounts->ordinals;
        ok = keys_add(accounts, &unborn, out, err);
    }
    mutex_unlock(&accounts->lock);
    return ok;
}

static bool make_durable(struct accounts *accounts, struct key_state *key, struct err *err)
{
    bool ok = store_key(accounts, key, err);

    mutex_lock(&accounts->lock);
    if (ok) {
        keys_link(accounts, key);
        atomic_store(&key->refused, false);
    } else {
        remove_unlinked(accounts, key);
    }
    mutex_unlock(&accounts->lock);
    return ok;
}

static bool make_token(struct accounts *accounts, struct secret *token, struct sha256 *hash,
                       struct err *err)
{
    uint8_t random[TOKEN_RANDOM_BYTES];
    char text[TOKEN_LEN];

    clock_random(random, sizeof random);
    token_make(random, text);
    *hash = hmac_sha256(&accounts->pepper, (struct str){text, sizeof text});

    bool ok = secret_set(token, text, sizeof text, err);

    bytes_wipe(random, sizeof random);
    bytes_wipe(text, sizeof text);
    return ok;
}

/* "k_" and enough random digits that no two keys of an installation share them. */
static bool describe(struct arena *arena, struct str name, enum role role, struct principal *out,
                     struct err *err)
{
    uint8_t random[KEY_ID_RANDOM];
    char id[2 + 2 * KEY_ID_RANDOM];
    struct buf text;

    clock_random(random, sizeof random);
    buf_init_fixed(&text, id, sizeof id);
    buf_str(&text, STR("k_"));
    buf_hex(&text, random, sizeof random);
    *out = (struct principal){
        .key_id = buf_view(&text), .name = name, .tenant = STR("default"), .role = role};
    return copy_texts(arena, out, err);
}

bool key_create(struct accounts *accounts, struct str name, enum role role,
                const struct key_limits *limits, struct arena *arena, struct key_info *out,
                struct secret *token, struct err *err)
{
    struct secret made_token CLEANUP(secret_wipe) = {0};
    struct key_state made = {.limits = *limits, .created = clock_wall()};
    struct key_state *key;

    if (!name_check(name, err) || !limits_check(limits, err) ||
        !describe(arena, name, role, &made.who, err) ||
        !make_token(accounts, &made_token, &made.hash, err) ||
        !add_unborn(accounts, &made, &key, err) || !make_durable(accounts, key, err))
        return false;
    *out = info_of(&made, made.created);
    *token = made_token;
    made_token = (struct secret){0};
    return true;
}

/* ---- changing ---- */

static struct key_state *find_by_id(struct accounts *accounts, struct str id, struct err *err)
{
    mutex_lock(&accounts->lock);
    struct key_state *key = table_get(&accounts->by_id, id);
    mutex_unlock(&accounts->lock);
    if (!key || !key->ordinal) {
        err_set(err, ERR_NOT_FOUND, "key \"" STR_FMT "\" is not there", STR_ARG(id));
        return NULL;
    }
    return key;
}

/* Refuses first and asks the store second: a disk that fails must not keep a lost key alive. */
bool key_revoke(struct accounts *accounts, struct str id, struct err *err)
{
    struct key_state *key = find_by_id(accounts, id, err);

    if (!key)
        return false;
    atomic_store_explicit(&key->refused, true, memory_order_release);
    mutex_lock(&accounts->lock);
    if (!key->revoked)
        key->revoked = clock_wall();
    wall_ms when = key->revoked;
    mutex_unlock(&accounts->lock);

    const struct value values[] = {V_TEXT(key->who.key_id), V_INT(when)};
    const struct statement update = {"UPDATE keys SET revoked = ?2 WHERE id = ?1", values,
                                     ARRAY_LEN(values)};

    return store_write(accounts->store, &update, 1, NULL, err) ||
           err_wrap(err,
                    "key \"" STR_FMT "\" is refused until the next start only, revoke it again",
                    STR_ARG(id));
}

bool key_limits_set(struct accounts *accounts, struct str id, const struct key_limits *limits,
                    struct err *err)
{
    struct key_state *key = find_by_id(accounts, id, err);

    if (!key || !limits_check(limits, err))
        return false;

    const struct value values[] = {V_TEXT(key->who.key_id), V_INT(limits->requests_per_minute),
                                   V_INT(limits->spend_day), V_INT(limits->spend_month)};
    const struct statement update = {"UPDATE keys SET requests_per_minute = ?2, spend_day = ?3,"
                                     " spend_month = ?4 WHERE id = ?1",
                                     values, ARRAY_LEN(values)};

    if (!store_write(accounts->store, &update, 1, NULL, err))
        return false;
    mutex_lock(&accounts->lock);
    key->limits = *limits;
    mutex_unlock(&accounts->lock);
    return true;
}
