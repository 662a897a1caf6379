/* accounts/sessions.c: sessions in the store, and what is remembered of them for a moment.
 *
 * A session that is ended must not be remembered by a request that read its row just before. So ends are
 * counted after the row is gone and before memory is cleared, and who read keeps what it read only when the
 * count is still the one from before its reading. */
#include "accounts/sessions.h"

#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/jwt.h"
#include "base/log.h"
#include "store/instances.h"
#include "sys/clock.h"

#define COOKIE_BYTES  32u
#define ID_BYTES      8u
#define SLOTS         1024u /* a power of two */
#define READ_MEMORY   ((size_t)64 * KIB)
#define PURGE_EVERY   (60 * SECOND)
#define USES_OF_IDLE  16 /* a use is known to this part of `idle` */
#define ISSUER_MAX    63u
#define PERSON_MEMORY ((size_t)256 * KIB)

struct remembered {
    uint64_t print[2];
    mono_ns until;
    struct session session;
};

struct sessions {
    struct arena *arena; /* holds this struct */
    struct session_options options;
    struct secret csrf_key;
    uint8_t print_key[16];
    _Atomic uint64_t ends;
    _Atomic uint32_t beginning; /* logins whose row is being written */
    struct mutex lock;          /* over slots */
    struct remembered slots[SLOTS];
};

/* ---- digests ---- */

static struct str hex_of(const struct sha256 *hash, char digits[2 * SHA256_BYTES])
{
    struct buf hex;

    buf_init_fixed(&hex, digits, 2 * SHA256_BYTES);
    buf_hex(&hex, hash->bytes, sizeof hash->bytes);
    return buf_view(&hex);
}

/* The cookie's and the CSRF token's are under different keys: neither says anything of the other. */
static struct str stored_hash(struct sessions *s, struct str cookie, char digits[2 * SHA256_BYTES])
{
    struct sha256 hash = hmac_sha256(&s->options.accounts->pepper, cookie);

    return hex_of(&hash, digits);
}

struct str session_csrf(struct sessions *s, struct str cookie, char out[SESSION_COOKIE_LEN])
{
    struct sha256 hash = hmac_sha256(&s->csrf_key, cookie);
    struct buf b;

    buf_init_fixed(&b, out, SESSION_COOKIE_LEN);
    base64url_encode(&b, hash_str(&hash));
    return buf_view(&b);
}

/* ---- what is remembered ---- */

struct prints {
    uint64_t at[2];
};

static struct prints print_of(const struct sessions *s, struct str cookie)
{
    struct prints prints;

    siphash128_keyed(s->print_key, cookie, prints.at);
    return prints;
}

static bool find_remembered(struct sessions *s, struct prints print, wall_ms now,
                            struct session *out)
{
    const struct principal *who = NULL;

    mutex_lock(&s->lock);
    const struct remembered *r = &s->slots[print.at[0] & (SLOTS - 1)];
    if (r->session.who && r->print[0] == print.at[0] && r->print[1] == print.at[1] &&
        fiber_now() < r->until && now < r->session.expires)
        who = principal_share(s->options.accounts, r->session.who);
    if (who) {
        *out = r->session;
        out->who = who;
    }
    mutex_unlock(&s->lock);
    return who != NULL;
}

static void remember(struct sessions *s, struct prints print, const struct session *session,
                     uint64_t ends)
{
    const struct principal *mine = principal_share(s->options.accounts, session->who), *old = NULL;

    if (!mine)
        return;
    mutex_lock(&s->lock);
    struct remembered *r = &s->slots[print.at[0] & (SLOTS - 1)];
    if (atomic_load(&s->ends) == ends) {
        old = r->session.who;
        *r = (struct remembered){.print = {print.at[0], print.at[1]},
                                 .until = fiber_now() + s->options.remember,
                                 .session = *session};
        r->session.who = mine;
        mine = NULL;
    }
    mutex_unlock(&s->lock);
    principal_release(&old);
    principal_release(&mine);
}

/* Of a session or of a person: ids of the two are never the same. Empty: all. */
static void forget(struct sessions *s, struct str id)
{
    atomic_fetch_add(&s->ends, 1u);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct principal *gone = NULL;

        mutex_lock(&s->lock);
        struct remembered *r = &s->slots[i];
        if (r->session.who && (!id.len || str_eq(str_from(r->session.id), id) ||
                               str_eq(r->session.who->key_id, id))) {
            gone = r->session.who;
            *r = (struct remembered){0};
        }
        mutex_unlock(&s->lock);
        principal_release(&gone);
    }
}

/* ---- reading ---- */

#define COLUMNS                                                                             \
    "SELECT s.id, s.key_id, k.name, s.tenant, s.team, s.issuer, s.role, s.created, s.used," \
    " s.expires FROM sessions s JOIN keys k ON k.id = s.key_id"

static void read_row(const struct rows *rows, size_t row, struct session_info *out)
{
    *out = (struct session_info){.id = rows_at(rows, row, 0).s,
                                 .person = rows_at(rows, row, 1).s,
                                 .name = rows_at(rows, row, 2).s,
                                 .tenant = rows_at(rows, row, 3).s,
                                 .team = rows_at(rows, row, 4).s,
                                 .issuer = rows_at(rows, row, 5).s,
                                 .role = (enum role)rows_at(rows, row, 6).i,
                                 .created = rows_at(rows, row, 7).i,
                                 .used = rows_at(rows, row, 8).i,
                                 .expires = rows_at(rows, row, 9).i};
}

static wall_ms idle_since(const struct sessions *s, wall_ms now)
{
    return now - s->options.idle / MILLISECOND;
}

static bool is_over(const struct sessions *s, const struct session_info *info, wall_ms now)
{
    return now >= info->expires || info->used <= idle_since(s, now);
}

static SUSPENDS bool read_one(struct sessions *s, struct arena *arena, const struct statement *read,
                              struct session_info *out, struct err *err)
{
    struct rows rows;

    if (!store_read(s->options.store, arena, read, &rows, err))
        return err_wrap(err, "session");
    if (rows.count == 0)
        return err_set(err, ERR_NOT_FOUND, "the session has ended, or there was none");
    read_row(&rows, 0, out);
    if (is_over(s, out, clock_wall()))
        return err_set(err, ERR_NOT_FOUND, "the session has expired");
    return true;
}

/* Written at most 2 * USES_OF_IDLE times within `idle`, so that what is not written, with what is remembered, is no
 * more than the part of it that USES_OF_IDLE says. That it cannot be written ends nobody's session now. */
static SUSPENDS void touch(struct sessions *s, const struct session_info *info, wall_ms now)
{
    const struct value values[] = {V_TEXT(info->id), V_INT(now)};
    const struct statement update = {"UPDATE sessions SET used = ?2 WHERE id = ?1 AND used < ?2",
                                     values, ARRAY_LEN(values)};
    struct err err = {0};

    if (now - info->used < s->options.idle / MILLISECOND / (2 * USES_OF_IDLE))
        return;
    if (!store_write(s->options.store, &update, 1, NULL, &err))
        log_warn("use of a session could not be written, it may seem idle: %s", err.text);
}

static void put_text(char *to, size_t room, struct str text)
{
    size_t len = MIN_OF(text.len, room - 1);

    memcpy(to, text.ptr ? text.ptr : "", len);
    to[len] = 0;
}

static SUSPENDS bool enter_cold(struct sessions *s, struct str cookie, struct session *out,
                                struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(READ_MEMORY);
    char digits[2 * SHA256_BYTES];
    const struct value values[] = {V_TEXT(stored_hash(s, cookie, digits))};
    const struct statement read = {COLUMNS " WHERE s.hash = ?1", values, ARRAY_LEN(values)};
    struct session_info info;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to look a session up");
    if (!read_one(s, arena, &read, &info, err)) {
        if (err->code == ERR_NOT_FOUND)
            err->code = ERR_UNAUTHENTICATED;
        return false;
    }

    const struct identity identity = {.tenant = info.tenant, .team = info.team, .role = info.role};

    *out = (struct session){.expires = info.expires};
    put_text(out->id, sizeof out->id, info.id);
    put_text(out->issuer, sizeof out->issuer, info.issuer);
    if (!identity_resume(s->options.accounts, info.person, &identity, &out->who, err))
        return false;
    touch(s, &info, clock_wall());
    return true;
}

bool session_enter(struct sessions *s, struct str cookie, struct session *out, struct err *err)
{
    struct prints print = print_of(s, cookie);
    uint64_t ends = atomic_load(&s->ends);

    if (cookie.len != SESSION_COOKIE_LEN)
        return err_set(err, ERR_UNAUTHENTICATED, "the session's cookie is none of ours");
    if (find_remembered(s, print, clock_wall(), out))
        return true;
    if (!enter_cold(s, cookie, out, err))
        return false;
    remember(s, print, out, ends);
    return true;
}

/* ---- beginning ---- */

/* Counted before the row is there, so that logins at the same moment do not pass the limit together. */
static SUSPENDS bool is_room(struct sessions *s, struct arena *arena, struct err *err)
{
    wall_ms now = clock_wall();
    const struct value values[] = {V_INT(now), V_INT(idle_since(s, now))};
    const struct statement read = {"SELECT COUNT(*) FROM sessions WHERE expires > ?1 AND used > ?2",
                                   values, ARRAY_LEN(values)};
    struct rows rows;

    if (!store_read(s->options.store, arena, &read, &rows, err))
        return err_wrap(err, "sessions");
    if (rows_at(&rows, 0, 0).i + (int64_t)atomic_load(&s->beginning) <=
        (int64_t)s->options.total_max)
        return true;
    return err_set(err, ERR_EXHAUSTED,
                   "there are %" PRIu32 " sessions, no more may be (login.sessions)",
                   s->options.total_max);
}

/* The oldest make room, all but `most`: a person who lost a browser must not be shut out by what it left. */
static SUSPENDS bool end_oldest(struct sessions *s, struct str person, uint32_t most,
                                uint32_t *ended, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(PERSON_MEMORY);
    const struct value values[] = {V_TEXT(person), V_INT(most)};
    const struct statement read = {"SELECT id FROM sessions WHERE key_id = ?1"
                                   " ORDER BY created DESC, id LIMIT 1000 OFFSET ?2",
                                   values, ARRAY_LEN(values)};
    struct rows rows;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to begin a session");
    if (!store_read(s->options.store, arena, &read, &rows, err))
        return err_wrap(err, "sessions");
    for (size_t i = 0; i < rows.count; i++) {
        struct err gone = {0};

        if (session_end(s, rows_at(&rows, i, 0).s, &gone))
            ++*ended;
        else if (gone.code != ERR_NOT_FOUND) {
            *err = gone;
            return false;
        }
    }
    return true;
}

/* Nobody logs in to a tenant that somebody has removed: one made anew by its name would have the session. */
static SUSPENDS bool store_row(struct sessions *s, const struct session_info *info,
                               struct str cookie, struct err *err)
{
    char digits[2 * SHA256_BYTES];
    const struct value values[] = {
        V_TEXT(stored_hash(s, cookie, digits)),
        V_TEXT(info->id),
        V_TEXT(info->person),
        V_TEXT(info->tenant),
        V_TEXT(info->team),
        V_TEXT(info->issuer),
        V_INT(info->role),
        V_INT(info->created),
        V_INT(info->expires),
    };
    const struct statement insert = {
        "INSERT INTO sessions (hash, id, key_id, tenant, team, issuer, role, created, used,"
        " expires) SELECT CAST(?1 AS TEXT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT),"
        " CAST(?5 AS TEXT), CAST(?6 AS TEXT), CAST(?7 AS BIGINT), CAST(?8 AS BIGINT),"
        " CAST(?8 AS BIGINT), CAST(?9 AS BIGINT)"
        " WHERE EXISTS (SELECT 1 FROM keys k WHERE k.id = CAST(?3 AS TEXT))"
        " AND EXISTS (SELECT 1 FROM units t WHERE t.id = CAST(?4 AS TEXT))"
        " AND (CAST(?5 AS TEXT) = '' OR EXISTS (SELECT 1 FROM units t WHERE t.id ="
        " CAST(?5 AS TEXT)))",
        values, ARRAY_LEN(values)};
    int64_t changed = 0;

    if (!store_write(s->options.store, &insert, 1, &changed, err))
        return err_wrap(err, "session");
    return changed || err_set(err, ERR_DENIED, "tenant or team \"" STR_FMT "\" was removed",
                              STR_ARG(info->team.len ? info->team : info->tenant));
}

static SUSPENDS bool keep(struct sessions *s, const struct session_info *info, struct arena *arena,
                          struct str cookie, struct err *err)
{
    atomic_fetch_add(&s->beginning, 1u);
    bool ok = is_room(s, arena, err) && store_row(s, info, cookie, err);
    atomic_fetch_sub(&s->beginning, 1u);
    return ok;
}

static bool make_texts(struct arena *arena, struct session_info *out, struct secret *cookie,
                       struct err *err)
{
    uint8_t random[COOKIE_BYTES], id[ID_BYTES];
    char text[SESSION_COOKIE_LEN];
    struct buf b, name;

    clock_random(random, sizeof random);
    clock_random(id, sizeof id);
    buf_init_fixed(&b, text, sizeof text);
    base64url_encode(&b, (struct str){(const char *)random, sizeof random});
    buf_init(&name, arena, SESSION_ID_LEN);
    buf_str(&name, STR("s_"));
    buf_hex(&name, id, sizeof id);

    bool ok = buf_finish(&name, &out->id, err) && secret_set(cookie, text, sizeof text, err);

    bytes_wipe(random, sizeof random);
    bytes_wipe(text, sizeof text);
    return ok;
}

bool session_begin(struct sessions *s, const struct identity *identity, struct arena *arena,
                   struct session_info *out, struct secret *cookie, uint32_t *replaced,
                   struct err *err)
{
    const struct principal *who CLEANUP(principal_release) = NULL;
    struct secret made CLEANUP(secret_wipe) = {0};
    wall_ms now = clock_wall();

    *replaced = 0;
    if (!identity_enter(s->options.accounts, identity, &who, err))
        return false;

    struct session_info info = {.person = who->key_id,
                                .name = arena_str(arena, who->name),
                                .tenant = who->tenant,
                                .team = who->team,
                                .issuer = str_slice(identity->issuer_name, 0, ISSUER_MAX),
                                .role = who->role,
                                .created = now,
                                .used = now,
                                .expires = now + s->options.lifetime / MILLISECOND};

    if (!info.name.ptr)
        return err_arena(err, arena);
    uint32_t most = s->options.person_max;

    if (!make_texts(arena, &info, &made, err) ||
        !end_oldest(s, info.person, most - 1, replaced, err) ||
        !keep(s, &info, arena, secret_reveal(&made), err) ||
        !end_oldest(s, info.person, most, replaced, err)) /* of those that began together */
        return false;
    *out = info;
    *cookie = made;
    made = (struct secret){0};
    return true;
}

/* ---- ending and listing ---- */

bool session_end(struct sessions *s, struct str id, struct err *err)
{
    const struct value values[] = {V_TEXT(id)};
    const struct statement remove = {"DELETE FROM sessions WHERE id = ?1", values,
                                     ARRAY_LEN(values)};
    int64_t changed = 0;

    if (!change_write(s->options.store, CHANGE_SESSION, id, &remove, 1, &changed, err))
        return err_wrap(err, "session");
    forget(s, id);
    return changed > 0 || err_set(err, ERR_NOT_FOUND, "no session has the id \"" STR_FMT "\"",
                                  STR_ARG(str_slice(id, 0, 60)));
}

bool session_end_person(struct sessions *s, struct str person, const struct session_reach *reach,
                        int64_t *ended, struct err *err)
{
    static const struct session_reach all = {.roles = (1u << ROLES) - 1};
    const struct session_reach *r = reach ? reach : &all;
    struct value values[2 + ROLES] = {V_TEXT(person), V_TEXT(r->tenant.ptr ? r->tenant : STR(""))};
    const struct statement remove = {"DELETE FROM sessions WHERE key_id = ?1 AND (?2 = '' OR"
                                     " tenant = ?2) AND role IN (?3, ?4, ?5, ?6, ?7)",
                                     values, ARRAY_LEN(values)};

    static_assert(ROLES == 5, "the statement names as many");
    for (unsigned role = 0; role < ROLES; role++)
        values[2 + role] = V_INT(r->roles >> role & 1u ? (int64_t)role : -1);
    *ended = 0;
    if (!change_write(s->options.store, CHANGE_SESSION, person, &remove, 1, ended, err))
        return err_wrap(err, "sessions");
    forget(s, person);
    return true;
}

bool sessions_follow_end(void *sessions, struct str id, struct err *err)
{
    (void)err;
    forget(sessions, id);
    return true;
}

bool sessions_follow_all(void *sessions, struct err *err)
{
    return sessions_follow_end(sessions, STR_NONE, err);
}

bool session_find(struct sessions *s, struct str id, struct arena *arena, struct session_info *out,
                  struct err *err)
{
    const struct value values[] = {V_TEXT(id)};
    const struct statement read = {COLUMNS " WHERE s.id = ?1", values, ARRAY_LEN(values)};

    return read_one(s, arena, &read, out, err);
}

bool session_list(struct sessions *s, const struct session_filter *f, struct arena *arena,
                  struct session_info **out, size_t *count, struct err *err)
{
    wall_ms now = clock_wall();
    const struct value values[] = {
        V_TEXT(f->tenant.ptr ? f->tenant : STR("")),
        V_TEXT(f->person.ptr ? f->person : STR("")),
        V_TEXT(f->after.ptr ? f->after : STR("")),
        V_INT((int64_t)f->most),
        V_INT(now),
        V_INT(idle_since(s, now)),
    };
    const struct statement read = {
        COLUMNS " WHERE (?1 = '' OR s.tenant = ?1) AND (?2 = '' OR s.key_id = ?2) AND s.id > ?3"
                " AND s.expires > ?5 AND s.used > ?6 ORDER BY s.id LIMIT ?4",
        values, ARRAY_LEN(values)};
    struct rows rows;

    if (!store_read(s->options.store, arena, &read, &rows, err))
        return err_wrap(err, "sessions");
    *out = arena_array(arena, MAX_OF(rows.count, (size_t)1), sizeof **out);
    if (!*out)
        return err_arena(err, arena);
    for (size_t i = 0; i < rows.count; i++)
        read_row(&rows, i, &(*out)[i]);
    *count = rows.count;
    return true;
}

static SUSPENDS void purge(struct sessions *s)
{
    wall_ms now = clock_wall();
    const struct value values[] = {V_INT(now), V_INT(idle_since(s, now))};
    const struct statement remove = {"DELETE FROM sessions WHERE expires <= ?1 OR used <= ?2",
                                     values, ARRAY_LEN(values)};
    struct err err = {0};

    if (!store_write(s->options.store, &remove, 1, NULL, &err) && err.code != ERR_CANCELLED)
        log_warn("sessions that are over could not be removed: %s", err.text);
}

void sessions_loop(void *sessions)
{
    struct err over = {0};

    while (fiber_sleep(PURGE_EVERY, &over))
        purge(sessions);
}

/* ---- making and ending all ---- */

bool sessions_new(const struct session_options *options, struct sessions **out, struct err *err)
{
    struct arena *arena = arena_new(sizeof(struct sessions) + 64 * KIB);
    struct sessions *s = arena ? arena_alloc(arena, sizeof *s) : NULL;
    struct sha256 key;

    if (!s) {
        arena_end(&arena);
        return err_set(err, ERR_UNAVAILABLE, "no memory for sessions");
    }
    s->arena = arena;
    s->options = *options;
    /* Who is remembered is not seen to be in use. */
    s->options.remember = MIN_OF(options->remember, options->idle / (2 * USES_OF_IDLE));
    mutex_init(&s->lock);
    clock_random(s->print_key, sizeof s->print_key);
    key = hmac_sha256(&options->accounts->pepper, STR("weir session csrf"));

    bool ok = secret_set(&s->csrf_key, key.bytes, sizeof key.bytes, err);

    bytes_wipe(&key, sizeof key);
    *out = s;
    if (!ok)
        sessions_free(out);
    return ok;
}

void sessions_free(struct sessions **at)
{
    struct sessions *s = *at;

    if (!s)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        principal_release(&s->slots[i].session.who);
    secret_wipe(&s->csrf_key);
    mutex_done(&s->lock);
    *at = NULL;

    struct arena *arena = s->arena;
    arena_end(&arena);
}
