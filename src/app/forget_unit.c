/* A tenant or team goes with what is kept of its answers: whoever gets its name later is another. */
#include "accounts/directory.h"
#include "app/forget.h"
#include "app/house_changes.h"
#include "models/responses_store.h"

#define KEYS_EACH 32 /* above, the whole cache goes: each key costs a walk over it */

struct leaving {
    struct house *house;
    struct arena *arena;
    struct str tenant; /* empty: of a team, one key after the other */
    struct key_info *keys;
    size_t count;
};

static SUSPENDS bool purge(struct leaving *l, const struct cache_selector *what, struct err *err)
{
    uint64_t gone = 0;

    return house_purge(l->house, l->arena, what, &gone, err);
}

/* Also what its keys shared with other tenants. */
static SUSPENDS bool purge_all(struct leaving *l, struct err *err)
{
    if (l->count > KEYS_EACH)
        return purge(l, &(struct cache_selector){0}, err);
    if (l->tenant.len && !purge(l, &(struct cache_selector){.space = l->tenant}, err))
        return false;
    for (size_t i = 0; i < l->count; i++) {
        struct cache_selector of = {
            .tag = arena_fmt(l->arena, CACHE_OF_KEY STR_FMT, STR_ARG(l->keys[i].id))};

        if (!of.tag.ptr)
            return err_arena(err, l->arena);
        if (!purge(l, &of, err))
            return false;
    }
    return true;
}

static SUSPENDS bool forget_kept(struct leaving *l, struct err *err)
{
    struct responses_selector what = {.tenant = l->tenant, .all_keys = true};
    int64_t gone = 0;
    bool scrubbed;

    if (!l->house->responses)
        return true;
    if (!house_overtake(l->house, l->arena, err) ||
        (l->tenant.len && !responses_forget(l->house->responses, &what, &gone, err)))
        return false;
    what.all_keys = false;
    for (size_t i = 0; !l->tenant.len && i < l->count; i++) {
        what.tenant = l->keys[i].tenant;
        what.key_id = l->keys[i].id;
        if (!responses_forget(l->house->responses, &what, &gone, err))
            return false;
    }
    return store_scrub(l->house->store, &scrubbed, err);
}

bool house_forget_unit(struct house *house, struct arena *arena, struct str id, bool is_team,
                       struct err *err)
{
    struct leaving l = {.house = house, .arena = arena, .tenant = is_team ? STR("") : id};
    const struct key_filter filter = {.tenant = l.tenant, .team = is_team ? id : STR("")};

    return key_list(house->accounts, &filter, arena, &l.keys, &l.count, err) &&
           purge_all(&l, err) && forget_kept(&l, err);
}
