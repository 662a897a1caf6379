#include "app/house_changes.h"

#include "app/house_models.h"
#include "base/json.h"
#include "base/log.h"
#include "models/responses_store.h"

#define CHANGE_PURGE  "cache purge"
#define CHANGE_FORGET "forget"
#define PURGE_BYTES   ((size_t)16 * KIB)
#define PURGE_WAIT    (10 * SECOND)

/* ---- accounts and models ---- */

static SUSPENDS bool follow_key(void *house, struct str id, struct err *err)
{
    return accounts_follow_key(((struct house *)house)->accounts, id, err);
}

static SUSPENDS bool follow_unit(void *house, struct str id, struct err *err)
{
    return accounts_follow_unit(((struct house *)house)->accounts, id, err);
}

static SUSPENDS bool follow_removal(void *house, struct str id, struct err *err)
{
    return accounts_follow_removal(((struct house *)house)->accounts, id, err);
}

static SUSPENDS bool follow_session(void *house, struct str id, struct err *err)
{
    return sessions_follow_end(((struct house *)house)->sessions, id, err);
}

static SUSPENDS bool forget_sessions(void *house, struct err *err)
{
    return sessions_follow_all(((struct house *)house)->sessions, err);
}

/* What the settings here cannot carry is said, and does not hold up what is told after it. */
static SUSPENDS bool follow_model(void *arg, struct str name, struct err *err)
{
    struct house *house = arg;

    if (!catalogue_hold(house, err))
        return false;
    bool ok = house_publish(house, err);
    catalogue_let_go(house);
    if (!ok && err->code == ERR_INVALID) {
        log_error("what another instance says of model \"" STR_FMT "\" cannot hold here: %s",
                  STR_ARG(name), err->text);
        *err = (struct err){0};
        return true;
    }
    return ok;
}

/* ---- the cache ---- */

static bool write_purge(struct arena *arena, const struct cache_selector *what, struct str *out,
                        struct err *err)
{
    char key[CACHE_KEY_TEXT];
    struct json_writer w;
    struct buf b;

    buf_init(&b, arena, PURGE_BYTES);
    jw_init(&w, &b);
    jw_object(&w);
    if (what->key) {
        cache_key_write(what->key, key);
        jw_key(&w, "key"), jw_str(&w, (struct str){key, sizeof key});
    }
    jw_key(&w, "model"), jw_str(&w, what->model);
    jw_key(&w, "tenant"), jw_str(&w, what->space);
    jw_key(&w, "tag"), jw_str(&w, what->tag);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static bool read_purge(struct arena *arena, struct str text, struct cache_key *key,
                       struct cache_selector *out, struct err *err)
{
    struct json *j = json_parse(arena, text, err);
    struct str hex = STR_NONE;

    *out = (struct cache_selector){0};
    if (!j)
        return false;
    if (!json_str(j, json_path(j, "model"), arena, &out->model) ||
        !json_str(j, json_path(j, "tenant"), arena, &out->space) ||
        !json_str(j, json_path(j, "tag"), arena, &out->tag))
        return err_set(err, ERR_INVALID, "a purge is not one");
    if (!json_path(j, "key"))
        return true;
    if (!json_str(j, json_path(j, "key"), arena, &hex) || !cache_key_read(hex, key))
        return err_set(err, ERR_INVALID, "a purge has a key that is none");
    out->key = key;
    return true;
}

/* One that cannot be read is of a newer Weir: then everything goes. */
static SUSPENDS bool follow_purge(void *arg, struct str text, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * PURGE_BYTES);
    struct house *house = arg;
    struct cache_selector what;
    struct err unread = {0};
    struct cache_key key;
    uint64_t gone = 0;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory for a purge");
    if (!read_purge(arena, text, &key, &what, &unread)) {
        log_warn("all of the cache is thrown out: %s", unread.text);
        what = (struct cache_selector){0};
    }
    if (!cache_purge(house->cache, &what, &gone, err))
        return false;
    log_info("cache purged as another instance said: %" PRIu64 " answers", gone);
    return true;
}

static SUSPENDS bool purge_all(void *arg, struct err *err)
{
    const struct cache_selector all = {0};
    struct house *house = arg;
    uint64_t gone = 0;

    return cache_purge(house->cache, &all, &gone, err);
}

static SUSPENDS bool wait_for_others(struct house *house, struct arena *arena, const char *done,
                                     struct err *err)
{
    struct str behind;

    if (!instances_wait(house->instances, PURGE_WAIT, arena, &behind, err))
        return err_wrap(err, "%s here, but the other instances do not know of it; ask again", done);
    return !behind.len ||
           err_set(err, ERR_UNAVAILABLE,
                   "%s here; not yet by instance " STR_FMT ", which does it as soon as it can "
                   "and before it serves anything after a restart",
                   done, STR_ARG(behind));
}

bool house_purge(struct house *house, struct arena *arena, const struct cache_selector *what,
                 uint64_t *gone, struct err *err)
{
    struct str text;

    if (!write_purge(arena, what, &text, err) || !cache_purge(house->cache, what, gone, err))
        return false;
    if (!store_is_shared(house->store))
        return true;
    if (!change_write(house->store, CHANGE_PURGE, text, NULL, 0, NULL, err))
        return err_wrap(err, "purged here, but the other instances do not know of it; ask again");
    return wait_for_others(house, arena, "purged", err);
}

/* ---- kept answers ---- */

static SUSPENDS bool follow_forget(void *arg, struct str what, struct err *err)
{
    struct house *house = arg;

    (void)what, (void)err;
    if (house->responses)
        responses_overtake(house->responses);
    return true;
}

static SUSPENDS bool overtake_all(void *arg, struct err *err)
{
    return follow_forget(arg, STR(""), err);
}

bool house_overtake(struct house *house, struct arena *arena, struct err *err)
{
    if (house->responses)
        responses_overtake(house->responses);
    if (!store_is_shared(house->store))
        return true;
    if (!change_write(house->store, CHANGE_FORGET, STR(""), NULL, 0, NULL, err))
        return err_wrap(err, "the other instances do not know of it; ask again");
    return wait_for_others(house, arena, "forgotten", err);
}

const struct follower *house_followers(struct house *house, size_t *count)
{
    const struct follower all[] = {
        {CHANGE_KEY, follow_key, NULL, house, false},
        {CHANGE_UNIT, follow_unit, NULL, house, false},
        {CHANGE_UNIT_REMOVED, follow_removal, NULL, house, true},
        {CHANGE_SESSION, follow_session, forget_sessions, house, true},
        {CHANGE_MODEL, follow_model, NULL, house, false},
        {CHANGE_PURGE, follow_purge, purge_all, house, true},
        {CHANGE_FORGET, follow_forget, overtake_all, house, true},
    };
    struct follower *out = arena_array(house->arena, ARRAY_LEN(all), sizeof *out);

    for (size_t i = 0; out && i < ARRAY_LEN(all); i++)
        out[i] = all[i];
    *count = ARRAY_LEN(all);
    return out;
}
