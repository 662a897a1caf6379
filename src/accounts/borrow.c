/* accounts/borrow.c: who a token belongs to, and the principals that requests hold.
 *
 * The warm way of authenticate_key() costs two SipHashes, a probe and a count. A token's print is 128 bits
 * of SipHash-2-4 under two keys drawn at start and never shown: without them nobody finds a token with
 * the print of another but by trying 2^127 of them, over the network. The print only finds a credential;
 * whether it and its key still hold is asked of them, each time, so nothing has to be thrown out of the
 * cache when a key ends, and a credential is never freed, so a slot is never stale.
 *
 * Principals are blocks with a count of who holds them: the key itself holds its newest, requests hold what
 * they began with. A change of any policy makes a new generation, and who borrows next makes the new block. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/token.h"
#include "base/log.h"
#include "sys/clock.h"

/* ---- the cache of tokens ---- */

static _Atomic(struct credential *) *cache_slot(const struct accounts *accounts, uint64_t at)
{
    return &accounts->cache[at & (CACHE_SLOTS - 1)];
}

static struct credential *find_warm(const struct accounts *accounts, const uint64_t print[2])
{
    for (uint64_t i = 0; i < CACHE_PROBES; i++) {
        struct credential *c =
            atomic_load_explicit(cache_slot(accounts, print[0] + i), memory_order_acquire);

        if (c && c->print[0] == print[0] && c->print[1] == print[1])
            return c;
    }
    return NULL;
}

/* Under the lock. A print is written once, before the credential can be seen through the cache. */
static void remember(struct accounts *accounts, struct credential *c, const uint64_t print[2])
{
    uint64_t at = print[0] + print[1] % CACHE_PROBES; /* falls out when all are taken */

    if (!c->printed) {
        memcpy(c->print, print, sizeof c->print);
        c->printed = true;
    }
    for (uint64_t i = 0; i < CACHE_PROBES; i++)
        if (!atomic_load_explicit(cache_slot(accounts, print[0] + i), memory_order_relaxed)) {
            at = print[0] + i;
            break;
        }
    atomic_store_explicit(cache_slot(accounts, at), c, memory_order_release);
}

static struct credential *find_cold(struct accounts *accounts, struct str token,
                                    const uint64_t print[2])
{
    struct sha256 hash = hmac_sha256(&accounts->pepper, token);

    mutex_lock(&accounts->lock);
    struct credential *c = table_get(&accounts->by_hash, hash_str(&hash));
    if (c)
        remember(accounts, c, print);
    mutex_unlock(&accounts->lock);
    return c;
}

/* ---- making principals ---- */

static struct principal_block *block_new(struct accounts *accounts, size_t bytes)
{
    uint32_t size = 0;

    while (size < PRINCIPAL_SIZES && PRINCIPAL_BYTES << size < bytes)
        size++;
    ASSERT(size < PRINCIPAL_SIZES); /* policies are bounded */

    struct principal_block *b = accounts->free_blocks[size];

    if (b)
        accounts->free_blocks[size] = b->next_free;
    else
        b = arena_alloc_raw(accounts->arena, PRINCIPAL_BYTES << size);
    if (b)
        *b = (struct principal_block){.home = accounts, .size_class = size};
    return b;
}

static uint32_t count_parts(struct str list)
{
    uint32_t n = 0;

    for (struct str part; list.len && str_split(&list, ',', &part);)
        n++;
    return n;
}

/* What is being written behind the block. */
struct behind {
    struct str *parts;
    char *text;
};

static struct str put_text(struct behind *b, struct str s)
{
    struct str out = {b->text, s.len};

    memcpy(b->text, s.ptr ? s.ptr : "", s.len);
    b->text += s.len;
    return out;
}

static struct allowed put_list(struct behind *b, struct str list)
{
    struct str copy = put_text(b, list);
    struct allowed out = {.at = b->parts};

    for (struct str part; copy.len && str_split(&copy, ',', &part); out.count++)
        *b->parts++ = part;
    return out;
}

/* The tags of all levels, sorted, once each. Lists are sorted already. */
static void put_tags(struct behind *b, struct str lists[LEVELS], struct principal *who)
{
    who->tag_list = (struct str){b->text, 0};
    who->tags = b->parts;
    for (;;) {
        struct str least = STR_NONE;

        for (size_t i = 0; i < LEVELS; i++) {
            struct str head = str_slice(lists[i], 0, str_find_char(lists[i], ','));

            if (head.len && (!least.len || str_cmp(head, least) < 0))
                least = head;
        }
        if (!least.len)
            return;
        if (who->tag_count)
            *b->text++ = ',';
        *b->parts++ = put_text(b, least);
        who->tag_count++;
        who->tag_list.len = (size_t)(b->text - who->tag_list.ptr);
        for (size_t i = 0; i < LEVELS; i++) {
            size_t end = str_find_char(lists[i], ',');

            if (str_eq(str_slice(lists[i], 0, end), least))
                lists[i] = str_slice(lists[i], end + 1, lists[i].len);
        }
    }
}

/* Under the lock. */
static struct principal_block *make_locked(struct accounts *accounts, struct key_state *key,
                                           struct unit *tenant, struct unit *team, enum role role)
{
    const struct kept_policy *policies[LEVELS] = {[LEVEL_TENANT] = &tenant->policy,
                                                  [LEVEL_TEAM] = team ? &team->policy : NULL,
                                                  [LEVEL_KEY] = &key->policy};
    size_t text = key->name.s.len + LEVELS, parts = 0;
    struct str tags[LEVELS] = {0};

    for (size_t i = 0; i < LEVELS; i++) {
        if (!policies[i])
            continue;
        tags[i] = policies[i]->tags.s;
        text += policies[i]->models.s.len + tags[i].len;
        parts += count_parts(policies[i]->models.s) + count_parts(tags[i]);
    }

    struct principal_block *block =
        block_new(accounts, sizeof *block + parts * sizeof(struct str) + text);

    if (!block)
        return NULL;

    struct behind b = {.parts = (struct str *)(void *)(block + 1)};

    b.text = (char *)(b.parts + parts);
    block->generation = atomic_load(&accounts->generation);
    block->who = (struct principal){.key_id = key->account.id,
                                    .name = put_text(&b, key->name.s),
                                    .tenant = tenant->account.id,
                                    .team = team ? team->account.id : STR(""),
                                    .role = role,
                                    .zones = UINT32_MAX,
                                    .key = key,
                                    .tenant_unit = tenant,
                                    .team_unit = team};
    for (size_t i = 0; i < LEVELS; i++) {
        if (!policies[i])
            continue;
        block->who.models[i] = put_list(&b, policies[i]->models.s);
        if (policies[i]->zones)
            block->who.zones &= policies[i]->zones;
    }
    put_tags(&b, tags, &block->who);
    return block;
}

const struct principal *principal_make(struct accounts *accounts, struct key_state *key,
                                       struct unit *tenant, struct unit *team, enum role role)
{
    mutex_lock(&accounts->lock);
    struct principal_block *block = make_locked(accounts, key, tenant, team, role);
    mutex_unlock(&accounts->lock);
    if (!block)
        return NULL;
    atomic_store(&block->refs, 1u);
    return &block->who;
}

/* ---- whether it still holds ---- */

static COLD bool refuse_late(struct str id, const char *what, wall_ms when, struct err *err)
{
    char text[25];

    wall_format(when, text);
    return err_set(err, ERR_UNAUTHENTICATED, "key \"" STR_FMT "\" %s at %.19sZ", STR_ARG(id), what,
                   text);
}

bool key_holds(const struct key_state *key, struct err *err)
{
    wall_ms expires = atomic_load_explicit(&key->expires, memory_order_relaxed);

    if (atomic_load_explicit(&key->refused, memory_order_acquire))
        return err_set(err, ERR_UNAUTHENTICATED, "key \"" STR_FMT "\" is revoked",
                       STR_ARG(key->account.id));
    return LIKELY(!expires) || clock_wall() < expires ||
           refuse_late(key->account.id, "expired", expires, err);
}

/* ---- borrowing ---- */

const struct principal *principal_share(struct accounts *accounts, const struct principal *who)
{
    struct principal_block *block = (void *)(uintptr_t)who; /* its first member */
    struct err over = {0};

    if (!key_holds(who->key, &over) || block->generation != atomic_load(&accounts->generation))
        return NULL;
    atomic_fetch_add_explicit(&block->refs, 1u, memory_order_relaxed);
    return who;
}

static struct principal_block *take_current(struct accounts *accounts, struct key_state *key)
{
    spin_lock(&key->spin);
    struct principal_block *block = key->who;
    if (block &&
        block->generation == atomic_load_explicit(&accounts->generation, memory_order_acquire))
        atomic_fetch_add_explicit(&block->refs, 1u, memory_order_relaxed);
    else
        block = NULL;
    spin_unlock(&key->spin);
    return block;
}

static COLD struct principal_block *make_current(struct accounts *accounts, struct key_state *key)
{
    mutex_lock(&accounts->lock);
    struct principal_block *made = make_locked(accounts, key, key->tenant, key->team, key->role);
    mutex_unlock(&accounts->lock);
    if (!made)
        return NULL;
    atomic_store(&made->refs, 2u); /* the key's and the caller's */
    spin_lock(&key->spin);
    struct principal_block *old = key->who;
    key->who = made;
    spin_unlock(&key->spin);

    const struct principal *gone = old ? &old->who : NULL;

    principal_release(&gone);
    return made;
}

const struct principal *key_borrow(struct accounts *accounts, struct key_state *key)
{
    struct principal_block *block = take_current(accounts, key);

    if (!block)
        block = make_current(accounts, key);
    return block ? &block->who : NULL;
}

void principal_release(const struct principal **who)
{
    if (!*who)
        return;

    struct principal_block *block = (void *)(uintptr_t)*who; /* its first member */

    *who = NULL;
    ASSERT(atomic_load_explicit(&block->refs, memory_order_relaxed) > 0);
    if (atomic_fetch_sub_explicit(&block->refs, 1u, memory_order_acq_rel) > 1)
        return;

    struct accounts *accounts = block->home;

    mutex_lock(&accounts->lock);
    block->next_free = accounts->free_blocks[block->size_class];
    accounts->free_blocks[block->size_class] = block;
    mutex_unlock(&accounts->lock);
}

const struct principal *accounts_local_admin(struct accounts *accounts)
{
    return key_borrow(accounts, accounts->house);
}

/* ---- authentication ---- */

static bool still_holds(const struct credential *c, struct err *err)
{
    wall_ms until = atomic_load_explicit(&c->until, memory_order_relaxed);

    if (!key_holds(c->key, err))
        return false;
    return LIKELY(!until) || clock_wall() < until ||
           refuse_late(c->key->account.id, "was replaced by another", until, err);
}

bool authenticate_key(struct accounts *accounts, struct str token, const struct principal **out,
                      struct err *err)
{
    if (token.len != TOKEN_LEN)
        return token_check(token, err);

    uint64_t print[2];

    siphash128_keyed(accounts->print_key, token, print);
    struct credential *c = find_warm(accounts, print);

    if (!c) {
        if (!token_check(token, err))
            return false;
        c = find_cold(accounts, token, print);
    }
    if (!c)
        return err_set(err, ERR_UNAUTHENTICATED, "key is not one of ours");
    if (!still_holds(c, err))
        return false;

    const struct principal *who = key_borrow(accounts, c->key);

    if (!who)
        return err_set(err, ERR_UNAVAILABLE, "no memory to say who asks");
    *out = who;
    return true;
}
