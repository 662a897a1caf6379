/* accounts/keys.c: the making, changing and ending of keys, and of the identities that come with tokens of
 * an issuer: those are keys without a token of ours. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/token.h"
#include "store/instances.h"
#include "sys/clock.h"

#define KEY_ID_RANDOM 8
#define ORDINAL_BITS  20
#define KEYS_A_LOCK   256u /* copied before others may have the lock again */
#define OVERLAP_MAX   ((dur_ns)400 * 24 * 3600 * SECOND)
#define CHANGE_STEP   (2 * MILLISECOND)

/* ---- the list ---- */

struct str hash_str(const struct sha256 *hash)
{
    return (struct str){(const char *)hash->bytes, sizeof hash->bytes};
}

struct credential *credential_add(struct accounts *accounts, struct key_state *key,
                                  const struct sha256 *hash, struct err *err)
{
    struct credential *c = arena_alloc(accounts->arena, sizeof *c);

    if (!c) {
        err_arena(err, accounts->arena);
        return NULL;
    }
    c->key = key;
    c->hash = *hash;
    if (table_put(&accounts->by_hash, hash_str(&c->hash), c, NULL))
        return c;
    err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " keys", accounts->keys_max);
    return NULL;
}

static COLD bool is_homeless(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "tenant or team of key \"" STR_FMT "\" is not there",
                   STR_ARG(id));
}

bool keys_add(struct accounts *accounts, const struct key_info *made, int64_t ordinal,
              struct key_state **out, struct err *err)
{
    struct key_state *key = NULL;

    if (accounts->states <= accounts->keys_max) /* and the house */
        key = arena_alloc(accounts->arena, sizeof *key);
    else
        return err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " keys",
                       accounts->keys_max);
    if (!key)
        return err_arena(err, accounts->arena);
    key->account.level = LEVEL_KEY;
    key->account.id = arena_str(accounts->arena, made->id);
    key->tenant = units_get(accounts, made->tenant);
    key->team = made->team.len ? units_get(accounts, made->team) : NULL;
    key->source = made->source;
    key->ordinal = ordinal;
    key->role = made->role;
    key->created = made->created;
    key->revoked = made->revoked;
    atomic_store(&key->expires, made->expires);
    if (!key->account.id.ptr)
        return err_arena(err, accounts->arena);
    if (!key->tenant || (made->team.len && !key->team))
        return is_homeless(made->id, err);
    if (!kept_set(accounts, &key->name, made->name, err) ||
        !kept_policy_set(accounts, &key->policy, &made->policy, err) ||
        !account_limits_set(accounts, &key->account, &made->limits, err))
        return false;
    if (!table_put(&accounts->by_id, key->account.id, key, NULL))
        return err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " keys",
                       accounts->keys_max);
    accounts->states++;
    *out = key;
    return true;
}

void keys_link(struct accounts *accounts, struct key_state *key)
{
    if (!key->ordinal) {
        accounts->house = key;
        return;
    }
    struct key_state **at = &accounts->first;

    if (accounts->last && accounts->last->ordinal < key->ordinal)
        at = &accounts->last->next;
    while (*at && (*at)->ordinal < key->ordinal) /* of another instance, made at the same time */
        at = &(*at)->next;
    key->next = *at;
    *at = key;
    if (!key->next)
        accounts->last = key;
    accounts->key_count += key->source == KEY_TOKEN;
}

/* Of one that the store did not take. Its memory stays. */
static void remove_unlinked(struct accounts *accounts, struct key_state *key)
{
    table_remove(&accounts->by_id, key->account.id);
    if (key->current)
        table_remove(&accounts->by_hash, hash_str(&key->current->hash));
}

/* Under the lock. */
static struct key_info info_of(const struct key_state *key, struct arena *arena, wall_ms now)
{
    return (struct key_info){
        .id =
            key->account.id, /* lives as long as the accounts, like those of its team and tenant */
        .name = arena_str(arena, key->name.s),
        .tenant = key->tenant->account.id,
        .team = key->team ? key->team->account.id : STR(""),
        .source = key->source,
        .role = key->role,
        .limits = key->account.limits,
        .policy = kept_policy_copy(arena, &key->policy),
        .balance = balance_of(&key->account, now),
        .created = key->created,
        .revoked = key->revoked,
        .expires = atomic_load(&key->expires),
        .old_until = key->old ? atomic_load(&key->old->until) : 0,
    };
}

static bool is_wanted(const struct key_filter *f, const struct key_state *key)
{
    return (!f->tenant.len || str_eq(key->tenant->account.id, f->tenant)) &&
           (!f->team.len || (key->team && str_eq(key->team->account.id, f->team)));
}

bool key_list(struct accounts *accounts, const struct key_filter *filter, struct arena *arena,
              struct key_info **out, size_t *count, struct err *err)
{
    struct key_info *list;
    size_t have = 0, seen = 0;
    wall_ms now = clock_wall();

    mutex_lock(&accounts->lock);
    const struct key_state *after =
        filter->after.len ? table_get(&accounts->by_id, filter->after) : NULL;
    int64_t ordinal = after ? after->ordinal : 0;
    size_t most = filter->most ? MIN_OF(filter->most, accounts->states) : accounts->states;
    mutex_unlock(&accounts->lock);
    if (filter->after.len && !after)
        return err_set(err, ERR_NOT_FOUND, "no key has the id \"" STR_FMT "\"",
                       STR_ARG(str_slice(filter->after, 0, 60)));
    list = arena_array(arena, most, sizeof *list);
    if (!list)
        return err_arena(err, arena);

    mutex_lock(&accounts->lock);
    for (const struct key_state *key = accounts->first; key && have < most; key = key->next) {
        if (key->ordinal > ordinal && is_wanted(filter, key))
            list[have++] = info_of(key, arena, now);
        if (++seen % KEYS_A_LOCK == 0) {
            mutex_unlock(&accounts->lock); /* states stay, also those that leave the list */
            mutex_lock(&accounts->lock);
        }
    }
    mutex_unlock(&accounts->lock);
    for (size_t i = 0; i < have; i++)
        if (!list[i].name.ptr || !list[i].policy.models.ptr || !list[i].policy.tags.ptr)
            return err_arena(err, arena);
    *out = list;
    *count = have;
    return true;
}

bool key_find(struct accounts *accounts, struct str id, struct arena *arena, struct key_info *out,
              struct err *err)
{
    wall_ms now = clock_wall();

    mutex_lock(&accounts->lock);
    const struct key_state *key = table_get(&accounts->by_id, id);
    bool there = key && key->ordinal;
    if (there)
        *out = info_of(key, arena, now);
    mutex_unlock(&accounts->lock);
    return there || err_set(err, ERR_NOT_FOUND,
                            "no key has the id \"" STR_FMT "\"; `weir key list` shows them",
                            STR_ARG(str_slice(id, 0, 60)));
}

size_t accounts_key_count(struct accounts *accounts)
{
    mutex_lock(&accounts->lock);
    size_t count = accounts->key_count;
    mutex_unlock(&accounts->lock);
    return count;
}

/* ---- making ---- */

#define KEY_VALUES 18u

static struct str or_empty(struct str s)
{
    return s.ptr ? s : STR("");
}

static void bind_key(const struct key_info *k, int64_t ordinal, struct value v[KEY_VALUES])
{
    const struct value all[KEY_VALUES] = {
        V_TEXT(k->id),
        V_TEXT(or_empty(k->name)),
        V_INT(k->role),
        V_INT(k->limits.requests_per_minute),
        V_INT(k->limits.tokens_per_minute),
        V_INT(k->limits.in_flight),
        V_INT(k->limits.spend_day),
        V_INT(k->limits.spend_month),
        V_TEXT(or_empty(k->policy.models)),
        V_INT(k->policy.zones),
        V_TEXT(or_empty(k->policy.tags)),
        V_INT(k->expires), /* up to here the same in an update */
        V_INT(ordinal),
        V_TEXT(k->tenant),
        V_TEXT(or_empty(k->team)),
        V_INT(k->created),
        V_INT(k->source),
        V_NULL,
    };

    memcpy(v, all, sizeof all);
}

/* No key outlives its tenant, which somebody may be removing: a start would stop at it. */
static bool store_key(struct accounts *accounts, const struct key_info *made, int64_t ordinal,
                      const struct sha256 *hash, struct err *err)
{
    char digits[2 * SHA256_BYTES];
    struct value values[KEY_VALUES];
    struct buf hex;

    bind_key(made, ordinal, values);
    buf_init_fixed(&hex, digits, sizeof digits);
    if (hash) {
        buf_hex(&hex, hash->bytes, sizeof hash->bytes);
        values[KEY_VALUES - 1] = V_TEXT(buf_view(&hex));
    }

    const struct statement insert = {
        "INSERT INTO keys (id, name, role, requests_per_minute, tokens_per_minute, in_flight,"
        " spend_day, spend_month, models, zones, tags, expires, ordinal, tenant, team, created,"
        " kind, hash, revoked) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
        " ?14, ?15, ?16, ?17, ?18, 0 WHERE EXISTS (SELECT 1 FROM units t WHERE t.id = ?14)"
        " AND (?15 = '' OR EXISTS (SELECT 1 FROM units t WHERE t.id = ?15))",
        values, KEY_VALUES};
    int64_t changed = 0;

    return change_write(accounts->store, CHANGE_KEY, made->id, &insert, 1, &changed, err) &&
           (changed || is_homeless(made->id, err));
}

/* The order of making. Where several instances make keys it is the time, and a number that tells those of one
 * millisecond apart. */
static int64_t next_ordinal(const struct accounts *accounts)
{
    uint32_t random;

    if (!store_is_shared(accounts->store))
        return accounts->ordinals + 1;
    clock_random(&random, sizeof random);
    return MAX_OF(accounts->ordinals + 1,
                  clock_wall() << ORDINAL_BITS | (random & ((1u << ORDINAL_BITS) - 1)));
}

/* Refused until the store has it: memory can only run out before the key is durable, not after. */
static bool add_unborn(struct accounts *accounts, const struct key_info *made,
                       const struct sha256 *hash, struct key_state **out, struct err *err)
{
    mutex_lock(&accounts->lock);
    int64_t ordinal = next_ordinal(accounts);
    bool ok = keys_add(accounts, made, ordinal, out, err);
    if (ok) {
        atomic_store(&(*out)->refused, true);
        accounts->ordinals = ordinal;
        (*out)->account.stored_seq = audit_last_seq(accounts->audit);
        (*out)->current = hash ? credential_add(accounts, *out, hash, err) : NULL;
        ok = !hash || (*out)->current;
        if (!ok)
            remove_unlinked(accounts, *out);
    }
    mutex_unlock(&accounts->lock);
    return ok;
}

/* Under the lock. */
static bool has_home(struct accounts *accounts, const struct key_state *key)
{
    return units_get(accounts, key->tenant->account.id) == key->tenant &&
           (!key->team || units_get(accounts, key->team->account.id) == key->team);
}

static bool make_durable(struct accounts *accounts, struct key_state *key,
                         const struct key_info *made, const struct sha256 *hash, struct err *err)
{
    bool ok = store_key(accounts, made, key->ordinal, hash, err);

    mutex_lock(&accounts->lock);
    if (ok && !has_home(accounts, key)) /* removed since, and its row with it */
        ok = is_homeless(made->id, err);
    if (ok) {
        keys_link(accounts, key);
        atomic_store(&key->refused, atomic_load(&key->tenant->removed) ||
                                        (key->team && atomic_load(&key->team->removed)));
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

/* "k_" and enough digits that no two keys of an installation share them. */
static bool write_id(struct arena *arena, const char *prefix, const uint8_t bytes[KEY_ID_RANDOM],
                     struct str *out, struct err *err)
{
    struct buf text;

    buf_init(&text, arena, 2 + 2 * KEY_ID_RANDOM);
    buf_str(&text, str_from(prefix));
    buf_hex(&text, bytes, KEY_ID_RANDOM);
    return buf_finish(&text, out, err);
}

/* The team's tenant, the tenant's own name, or the operators'. */
static bool place(struct accounts *accounts, struct key_info *made, struct err *err)
{
    if (!made->tenant.len)
        made->tenant = made->team.len ? str_slice(made->team, 0, str_find_char(made->team, '/'))
                                      : TENANT_OPERATOR;
    mutex_lock(&accounts->lock);
    const struct unit *tenant = units_get(accounts, made->tenant);
    const struct unit *team = made->team.len ? units_get(accounts, made->team) : NULL;
    bool ok = tenant && !tenant->is_team && !atomic_load(&tenant->removed) &&
              (!made->team.len ||
               (team && team->is_team && team->tenant == tenant && !atomic_load(&team->removed)));
    mutex_unlock(&accounts->lock);
    if (ok)
        return true;
    if (!tenant || tenant->is_team)
        return err_set(err, ERR_NOT_FOUND, "tenant \"" STR_FMT "\" is not there",
                       STR_ARG(str_slice(made->tenant, 0, 100)));
    return err_set(err, ERR_NOT_FOUND,
                   "team \"" STR_FMT "\" is not there in tenant \"" STR_FMT "\"",
                   STR_ARG(str_slice(made->team, 0, 130)), STR_ARG(str_slice(made->tenant, 0, 64)));
}

static bool check(const struct key_info *wanted, struct arena *arena, struct key_info *out,
                  struct err *err)
{
    *out = *wanted;
    if ((unsigned)wanted->role >= ROLES)
        return err_set(err, ERR_INVALID, "role is not known");
    if (wanted->expires < 0)
        return err_set(err, ERR_INVALID, "expiry must be a time after 1970");
    return name_check(wanted->name, "key", false, err) && limits_check(&wanted->limits, err) &&
           policy_check(arena, &wanted->policy, &out->policy, err);
}

bool key_create(struct accounts *accounts, const struct key_info *wanted, struct arena *arena,
                struct key_info *out, struct secret *token, struct err *err)
{
    struct secret made_token CLEANUP(secret_wipe) = {0};
    uint8_t random[KEY_ID_RANDOM];
    struct key_info made;
    struct key_state *key;
    struct sha256 hash;

    clock_random(random, sizeof random);
    if (!check(wanted, arena, &made, err) || !place(accounts, &made, err) ||
        !write_id(arena, "k_", random, &made.id, err))
        return false;
    made.created = clock_wall();
    made.source = KEY_TOKEN;
    made.revoked = made.old_until = 0;
    made.balance = (struct balance){0};
    if (!make_token(accounts, &made_token, &hash, err) ||
        !add_unborn(accounts, &made, &hash, &key, err) ||
        !make_durable(accounts, key, &made, &hash, err))
        return false;
    *out = made;
    *token = made_token;
    made_token = (struct secret){0};
    return true;
}

/* ---- changing ---- */

bool changes_hold(struct accounts *accounts, struct err *err)
{
    while (atomic_exchange(&accounts->changing, true))
        if (!fiber_sleep(CHANGE_STEP, err))
            return false;
    return true;
}

void changes_let_go(struct accounts *accounts)
{
    atomic_store(&accounts->changing, false);
}

static bool not_there(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "key \"" STR_FMT "\" is not there", STR_ARG(id));
}

static struct key_state *find_by_id(struct accounts *accounts, struct str id, struct err *err)
{
    mutex_lock(&accounts->lock);
    struct key_state *key = table_get(&accounts->by_id, id);
    mutex_unlock(&accounts->lock);
    if (!key || !key->ordinal) {
        (void)not_there(id, err);
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

    const struct value values[] = {V_TEXT(key->account.id), V_INT(when)};
    const struct statement update = {"UPDATE keys SET revoked = ?2 WHERE id = ?1", values,
                                     ARRAY_LEN(values)};

    return change_write(accounts->store, CHANGE_KEY, key->account.id, &update, 1, NULL, err) ||
           err_wrap(err,
                    "key \"" STR_FMT "\" is refused until the next start only, revoke it again",
                    STR_ARG(id));
}

static bool write_change(struct accounts *accounts, struct key_state *key,
                         const struct key_info *made, struct err *err)
{
    struct value values[KEY_VALUES];

    bind_key(made, key->ordinal, values);

    const struct statement update = {
        "UPDATE keys SET name = ?2, role = ?3, requests_per_minute = ?4, tokens_per_minute = ?5,"
        " in_flight = ?6, spend_day = ?7, spend_month = ?8, models = ?9, zones = ?10, tags = ?11,"
        " expires = ?12 WHERE id = ?1",
        values, 12};

    int64_t changed = 0;

    if (!change_write(accounts->store, CHANGE_KEY, made->id, &update, 1, &changed, err))
        return false;
    if (!changed)
        return not_there(made->id, err);
    mutex_lock(&accounts->lock);
    bool ok = kept_set(accounts, &key->name, made->name, err) &&
              kept_policy_set(accounts, &key->policy, &made->policy, err) &&
              account_limits_set(accounts, &key->account, &made->limits, err);
    key->role = made->role;
    atomic_store(&key->expires, made->expires);
    atomic_fetch_add(&accounts->generation, 1u);
    mutex_unlock(&accounts->lock);
    return ok;
}

bool key_change(struct accounts *accounts, struct str id, const struct key_info *wanted,
                struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct key_state *key = find_by_id(accounts, id, err);
    struct key_info made;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to change a key");
    if (!key || !check(wanted, arena, &made, err) || !changes_hold(accounts, err))
        return false;
    made.id = id;
    bool ok = write_change(accounts, key, &made, err);
    changes_let_go(accounts);
    return ok;
}

/* From the store, for others may be other instances; nobody changes it between that and what is written. */
static bool amend(struct accounts *accounts, struct str id, key_edit *edit, void *ctx,
                  struct arena *arena, struct err *err)
{
    struct key_state *key = find_by_id(accounts, id, err);
    struct key_info wanted, made;

    if (!key || !key_reread(accounts, id, err) || !key_find(accounts, id, arena, &wanted, err) ||
        !edit(ctx, &wanted, err) || !check(&wanted, arena, &made, err))
        return false;
    made.id = id;
    return write_change(accounts, key, &made, err);
}

bool key_amend(struct accounts *accounts, struct str id, key_edit *edit, void *ctx,
               struct arena *arena, struct err *err)
{
    if (!changes_hold(accounts, err))
        return false;
    bool ok = amend(accounts, id, edit, ctx, arena, err);
    changes_let_go(accounts);
    return ok;
}

/* ---- rotation ---- */

static bool store_rotation(struct accounts *accounts, struct str id, const struct sha256 *hash,
                           wall_ms until, struct err *err)
{
    char digits[2 * SHA256_BYTES];
    struct buf hex;

    buf_init_fixed(&hex, digits, sizeof digits);
    buf_hex(&hex, hash->bytes, sizeof hash->bytes);

    const struct value values[] = {V_TEXT(id), V_TEXT(buf_view(&hex)), V_INT(until)};
    const struct statement update = {
        "UPDATE keys SET old_hash = hash, old_until = ?3, hash = ?2 WHERE id = ?1", values,
        ARRAY_LEN(values)};
    int64_t changed = 0;

    return change_write(accounts->store, CHANGE_KEY, id, &update, 1, &changed, err) &&
           (changed || not_there(id, err));
}

/* Under the lock: the token of before the one before works no more. */
static void replace_token(struct accounts *accounts, struct key_state *key, struct credential *made,
                          wall_ms until)
{
    if (key->old) {
        atomic_store(&key->old->until, (wall_ms)1);
        table_remove(&accounts->by_hash, hash_str(&key->old->hash));
    }
    key->old = key->current;
    if (key->old)
        atomic_store(&key->old->until, until);
    key->current = made;
}

/* In the store and in memory. */
static bool put_token(struct accounts *accounts, struct key_state *key, struct str id,
                      const struct sha256 *hash, wall_ms until, struct err *err)
{
    mutex_lock(&accounts->lock);
    struct credential *made = credential_add(accounts, key, hash, err);
    if (made)
        atomic_store(&made->until, (wall_ms)1); /* until the store has it */
    mutex_unlock(&accounts->lock);
    if (!made)
        return false;

    bool ok = store_rotation(accounts, id, hash, until, err);

    mutex_lock(&accounts->lock);
    if (ok) {
        atomic_store(&made->until, (wall_ms)0);
        replace_token(accounts, key, made, until);
    } else {
        table_remove(&accounts->by_hash, hash_str(&made->hash));
    }
    mutex_unlock(&accounts->lock);
    return ok;
}

bool key_rotate(struct accounts *accounts, struct str id, dur_ns overlap, struct secret *token,
                wall_ms *old_until, struct err *err)
{
    struct secret made_token CLEANUP(secret_wipe) = {0};
    struct key_state *key = find_by_id(accounts, id, err);
    wall_ms until = clock_wall() + overlap / MILLISECOND;
    struct sha256 hash;

    if (!key)
        return false;
    if (key->source != KEY_TOKEN)
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" has no token of Weir's to rotate",
                       STR_ARG(id));
    if (atomic_load(&key->refused))
        return err_set(err, ERR_INVALID, "key \"" STR_FMT "\" is revoked", STR_ARG(id));
    if (overlap < 0 || overlap > OVERLAP_MAX)
        return err_set(err, ERR_INVALID, "the old token may live on for 0 to 400 days");
    if (!make_token(accounts, &made_token, &hash, err) || !changes_hold(accounts, err))
        return false;
    bool ok = put_token(accounts, key, id, &hash, until, err);
    changes_let_go(accounts);
    if (!ok)
        return false;
    *token = made_token;
    made_token = (struct secret){0};
    *old_until = until;
    return true;
}

/* ---- identities ---- */

static bool identity_id(struct accounts *accounts, const struct identity *who, struct arena *arena,
                        struct str *out, struct err *err)
{
    struct str text =
        arena_fmt(arena, STR_FMT " " STR_FMT, STR_ARG(who->issuer), STR_ARG(who->subject));

    if (!text.ptr)
        return err_arena(err, arena);

    struct sha256 hash = hmac_sha256(&accounts->pepper, text); /* an issuer holds no space */

    return write_id(arena, "u_", hash.bytes, out, err);
}

static bool make_identity(struct accounts *accounts, const struct identity *who, struct str id,
                          struct arena *arena, struct err *err)
{
    struct key_info made = {.id = id,
                            .name = who->name.len ? str_slice(who->name, 0, KEY_NAME_MAX)
                                                  : STR("unnamed"),
                            .tenant = who->tenant,
                            .team = who->team,
                            .source = KEY_IDENTITY,
                            .role = who->role,
                            .created = clock_wall()};
    struct key_info checked;
    struct key_state *key;

    if (!check(&made, arena, &checked, err) || !place(accounts, &checked, err))
        return false;
    if (!add_unborn(accounts, &checked, NULL, &key, err))
        return false;
    if (make_durable(accounts, key, &checked, NULL, err))
        return true;
    /* Another instance may have met the same one just now. */
    return err->code == ERR_INVALID && store_is_shared(accounts->store) &&
           accounts_follow_key(accounts, id, err);
}

/* Also while it is being removed nobody gets in. */
static bool is_open(const struct unit *unit)
{
    return unit && !atomic_load(&unit->removed);
}

/* *found: somebody has the id, and *out or err says whether he may. */
static bool enter_known(struct accounts *accounts, struct str id, const struct identity *who,
                        bool *found, const struct principal **out, struct err *err)
{
    mutex_lock(&accounts->lock);
    struct key_state *key = table_get(&accounts->by_id, id);
    struct unit *tenant = units_get(accounts, who->tenant);
    struct unit *team = who->team.len ? units_get(accounts, who->team) : NULL;
    mutex_unlock(&accounts->lock);
    *found = true;
    if (!is_open(tenant) || tenant->is_team ||
        (who->team.len && (!is_open(team) || team->tenant != tenant)))
        return err_set(err, ERR_DENIED,
                       "the token is of tenant \"" STR_FMT "\", team \"" STR_FMT "\": not there",
                       STR_ARG(str_slice(who->tenant, 0, 64)),
                       STR_ARG(str_slice(who->team, 0, 64)));
    if (key && !key_holds(key, err))
        return false;
    *found = key != NULL;
    if (!key)
        return false;
    *out = principal_make(accounts, key, tenant, team, who->role);
    return *out || err_set(err, ERR_UNAVAILABLE, "no memory to say who asks");
}

bool identity_resume(struct accounts *accounts, struct str id, const struct identity *who,
                     const struct principal **out, struct err *err)
{
    bool found;

    if (enter_known(accounts, id, who, &found, out, err))
        return true;
    if (found)
        return false;
    if (store_is_shared(accounts->store)) { /* another instance may have met them just now */
        if (!accounts_follow_key(accounts, id, err))
            return false;
        if (enter_known(accounts, id, who, &found, out, err))
            return true;
    }
    return !found &&
           err_set(err, ERR_UNAUTHENTICATED, "\"" STR_FMT "\" is not known any more", STR_ARG(id));
}

bool identity_enter(struct accounts *accounts, const struct identity *who,
                    const struct principal **out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    bool found;
    struct str id;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to say who asks");
    if (!identity_id(accounts, who, arena, &id, err))
        return false;
    for (int tries = 0; tries < 2; tries++) {
        if (enter_known(accounts, id, who, &found, out, err))
            return true;
        if (found || !make_identity(accounts, who, id, arena, err))
            return false;
    }
    return err_set(err, ERR_UNAVAILABLE, "the identity could not be kept");
}
