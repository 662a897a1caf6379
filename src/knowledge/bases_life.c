/* How long bases are there: when each was used last, and when it ends for that. */
#include "base/log.h"
#include "knowledge/bases_internal.h"
#include "sys/clock.h"

#define DAY_MS  ((wall_ms)24 * 3600 * 1000)
#define KEEP_MS ((wall_ms)60 * 1000) /* what was used is written down no closer than this */

wall_ms base_expires_at(const struct base_info *info)
{
    wall_ms from = info->life.used ? info->life.used : info->created;

    return info->life.days ? from + (wall_ms)info->life.days * DAY_MS : 0;
}

bool base_is_expired(const struct base_info *info, wall_ms now)
{
    wall_ms at = base_expires_at(info);

    return info->life.expired || (at && now >= at);
}

struct base_life base_life_now(const struct base *base)
{
    struct base_life life = base->facts->info.life;

    life.used = MAX_OF(life.used, base->used);
    return life;
}

/* Under the mutex. */
static bool is_over(const struct base *base, wall_ms now)
{
    struct base_info info = base->facts->info;

    info.life = base_life_now(base);
    return base_is_expired(&info, now);
}

static bool say_expired(const struct base *base, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "vector store %s has expired: it was not used for as long as its expires_after "
                   "says; what was in it is removed, its files stay",
                   base->id);
}

bool base_alive(struct base *base, struct err *err)
{
    mutex_lock(&base->all->mutex);
    bool over = is_over(base, clock_wall());
    mutex_unlock(&base->all->mutex);
    return !over || say_expired(base, err);
}

bool base_use(struct base *base, struct err *err)
{
    wall_ms now = clock_wall();

    mutex_lock(&base->all->mutex);
    bool over = is_over(base, now);
    if (!over)
        base->used = MAX_OF(base->used, now);
    mutex_unlock(&base->all->mutex);
    return !over || say_expired(base, err);
}

/* ---- its end ---- */

bool bases_find_expired(struct bases *bases, struct arena *arena, struct str **ids, size_t *count,
                        struct err *err)
{
    struct str *list = arena_array(arena, (size_t)bases->options.bases_max + 1, sizeof *list);
    wall_ms now = clock_wall();
    bool ok = list != NULL;
    size_t found = 0;

    mutex_lock(&bases->mutex);
    for (size_t i = 1; i < bases->count && ok; i++) {
        struct base *base = bases->at[i];

        if (base->leaving || base->facts->info.life.emptied || !is_over(base, now))
            continue;
        list[found] = arena_str(arena, str_from(base->id));
        ok = list[found++].ptr != NULL;
    }
    mutex_unlock(&bases->mutex);
    *ids = list;
    *count = found;
    return ok || err_arena(err, arena);
}

static bool end(struct base_info *info, const void *with, struct err *err)
{
    wall_ms now = clock_wall();

    (void)with;
    (void)err;
    if (!info->life.expired && base_is_expired(info, now))
        info->life.expired = now;
    return true;
}

bool base_end(struct base *base, bool *out, struct err *err)
{
    if (!base_edit_on_pool(base, end, NULL, err))
        return false;
    mutex_lock(&base->all->mutex);
    *out = base->facts->info.life.expired != 0;
    mutex_unlock(&base->all->mutex);
    return true;
}

static bool empty(struct base_info *info, const void *with, struct err *err)
{
    (void)with;
    (void)err;
    info->life.emptied = info->life.expired != 0;
    return true;
}

bool base_emptied(struct base *base, struct err *err)
{
    return base_edit_on_pool(base, empty, NULL, err);
}

bool base_is_alone(struct base *base)
{
    struct knowledge *knowledge = base_knowledge(base);

    if (knowledge)
        ingest_runs_stop(knowledge);
    mutex_lock(&base->all->mutex);
    bool alone = base->holders == 1;
    mutex_unlock(&base->all->mutex);
    return alone;
}

/* ---- when it was used ---- */

static bool keep(struct base_info *info, const void *with, struct err *err)
{
    (void)info; /* base_info() has put in what was noted */
    (void)with;
    (void)err;
    return true;
}

static bool is_unkept(const struct base *base, wall_ms apart)
{
    return !base->leaving && !base->facts->unreadable && base->used &&
           base->used >= base->facts->info.life.used + apart;
}

/* The first from *at on whose note on the disk is old, held; NULL: none is. */
static struct base *next_unkept(struct bases *bases, size_t *at)
{
    struct base *found = NULL;

    mutex_lock(&bases->mutex);
    for (; *at < bases->count && !found; ++*at)
        if (is_unkept(bases->at[*at], KEEP_MS)) {
            found = bases->at[*at];
            found->holders++;
        }
    mutex_unlock(&bases->mutex);
    return found;
}

void bases_keep_used(struct bases *bases)
{
    struct base *base;

    for (size_t at = 1; (base = next_unkept(bases, &at));) {
        struct err why = {0};

        if (!base_edit_on_pool(base, keep, NULL, &why) && why.code != ERR_CANCELLED)
            log_warn("knowledge base %s: when it was used could not be written down: %s", base->id,
                     why.text);
        base_release(&base);
    }
}

void bases_keep_used_now(struct bases *bases)
{
    for (size_t i = 1; i < bases->count; i++) {
        struct base *base = bases->at[i];
        struct err why = {0};

        if (is_unkept(base, 1) && !base_edit_now(base, keep, NULL, &why))
            log_warn("knowledge base %s: when it was used could not be written down: %s", base->id,
                     why.text);
    }
}
