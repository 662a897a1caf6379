/* Bases are made, changed and deleted. */
#include <stdio.h>
#include <string.h>

#include "knowledge/bases_internal.h"
#include "knowledge/dated_id.h"
#include "knowledge/forget.h"
#include "sys/clock.h"
#include "sys/file.h"

#define LEAVE_WAIT (30 * SECOND) /* for who works in a base that is to be deleted */
#define LEAVE_LOOK (5 * MILLISECOND)

/* ---- made ---- */

struct making {
    struct bases *bases;
    struct base_info info;
    struct base *made;
    bool ok;
    struct err *err;
};

static bool make_now(struct making *m, struct err *err)
{
    char from[BASE_PATH_MAX], to[BASE_PATH_MAX];
    const char *dir = m->bases->dir;

    (void)snprintf(to, sizeof to, "%s/" STR_FMT, dir, STR_ARG(m->info.id));
    (void)snprintf(from, sizeof from, "%s/" STR_FMT BASE_NEW, dir, STR_ARG(m->info.id));
    m->made = base_new(m->bases, m->info.id.ptr, to);
    if (!m->made)
        return err_no_room(err, "no memory for a knowledge base");
    m->made->facts = base_facts_new(&m->info);
    if (!m->made->facts)
        return err_no_room(err, "no memory for a knowledge base");
    return file_make_dir(from, 0700, err) && base_facts_store(from, &m->info, err) &&
           base_life_store(from, &m->info.life, err) && file_rename(from, to, err) &&
           file_sync_dir(dir, err) && base_open_now(m->made, &(struct err){0}, err);
}

static void run_make(void *arg)
{
    struct making *m = arg;
    struct base_removed removed = {0};
    char path[BASE_PATH_MAX];
    struct err lost = {0};

    m->ok = make_now(m, m->err);
    if (m->ok)
        return;
    base_free(&m->made);
    /* What stands of it goes: nobody knows of it yet. */
    (void)snprintf(path, sizeof path, "%s/" STR_FMT BASE_NEW, m->bases->dir, STR_ARG(m->info.id));
    (void)!tree_remove(path, &removed, &lost);
    path[strlen(path) - sizeof BASE_NEW + 1] = '\0';
    (void)!tree_remove(path, &removed, &lost);
}

/* Room for one more, which nobody else takes meanwhile. */
static bool reserve(struct bases *bases, struct err *err)
{
    mutex_lock(&bases->mutex);
    bool ok = bases->count - 1 + bases->reserved < bases->options.bases_max;
    bases->reserved += ok;
    mutex_unlock(&bases->mutex);
    return ok || err_set(err, ERR_EXHAUSTED,
                         "there are %u knowledge bases, as many as there may be (knowledge.bases)",
                         bases->options.bases_max);
}

bool bases_create(struct bases *bases, struct arena *arena, const struct base_info *wish,
                  struct base_info *out, struct err *err)
{
    struct making m = {.bases = bases, .info = *wish, .err = err};

    if (wish->name.len > 0 && !base_name_check(bases, wish->name, err))
        return false;
    if (wish->title.len > BASE_TITLE_MAX)
        return err_set(err, ERR_INVALID, "title: more than %u bytes", BASE_TITLE_MAX);
    m.info.created = clock_wall();
    if (!dated_id_new(arena, STR("vs_"), m.info.created, &m.info.id, err) || !reserve(bases, err))
        return false;
    if (m.info.name.len == 0)
        m.info.name = m.info.id;
    if (!m.info.life.description.ptr)
        m.info.life.description = STR("");
    m.info.life.used = m.info.created;
    m.info.is_default = false;
    bool ok = pool_run(bases->options.each.pool, run_make, &m, err) && m.ok;
    mutex_lock(&bases->mutex);
    bases->reserved--;
    if (ok)
        bases->at[bases->count++] = m.made;
    mutex_unlock(&bases->mutex);
    if (ok)
        *out = m.info;
    return ok;
}

/* ---- changed ---- */

struct editing {
    struct base *base;
    base_edit *edit;
    const void *with;
    bool ok;
    struct err *err;
};

/* What is known of it, as `edit` leaves it, in a copy of its own. */
static bool edit_copy(struct base *base, struct arena *arena, base_edit *edit, const void *with,
                      struct base_facts **out, struct err *err)
{
    struct base_info info;

    if (!base_info(base, arena, &info, err) || !edit(&info, with, err))
        return false;
    if (info.is_default)
        return err_set(err, ERR_INVALID,
                       "the default knowledge base has neither title nor metadata, and stays");
    *out = base_facts_new(&info);
    return *out || err_no_room(err, "no memory to change a knowledge base");
}

static bool edit_alone(struct base *base, base_edit *edit, const void *with, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * KIB);
    struct base_facts *facts CLEANUP(base_facts_free) = NULL;

    if (!arena)
        return err_no_room(err, "no memory to change a knowledge base");
    if (!edit_copy(base, arena, edit, with, &facts, err) ||
        !base_life_store(base->dir, &facts->info.life, err) ||
        !base_facts_store(base->dir, &facts->info, err))
        return false;
    mutex_lock(&base->all->mutex);
    struct base_facts *old = base->facts;
    base->facts = facts;
    facts = old;
    mutex_unlock(&base->all->mutex);
    return true;
}

bool base_edit_now(struct base *base, base_edit *edit, const void *with, struct err *err)
{
    mutex_lock(&base->opening); /* one at a time */
    bool ok = edit_alone(base, edit, with, err);
    mutex_unlock(&base->opening);
    return ok;
}

static void run_edit(void *arg)
{
    struct editing *e = arg;

    e->ok = base_edit_now(e->base, e->edit, e->with, e->err);
}

bool base_edit_on_pool(struct base *base, base_edit *edit, const void *with, struct err *err)
{
    struct editing e = {base, edit, with, false, err};

    return pool_run(base->all->options.each.pool, run_edit, &e, err) && e.ok;
}

static bool change(struct base_info *info, const void *with, struct err *err)
{
    const struct base_changes *c = with;

    if (c->title.len > BASE_TITLE_MAX)
        return err_set(err, ERR_INVALID, "title: more than %u bytes", BASE_TITLE_MAX);
    if (c->title.ptr)
        info->title = c->title;
    if (c->metadata.ptr)
        info->metadata = c->metadata;
    if (c->says_days)
        info->life.days = c->days;
    return true;
}

bool base_change(struct base *base, const struct base_changes *changes, struct err *err)
{
    return base_use(base, err) && base_edit_on_pool(base, change, changes, err);
}

/* ---- deleted ---- */

struct deleting {
    struct base *base;
    const struct base_report_wish *wish;
    struct base_removed removed;
    bool ok;
    struct err *err;
};

/* Nobody else is in it: what is reported is what goes. A base that cannot be read is deleted all the same. */
static bool report_now(struct deleting *d, struct knowledge *knowledge, struct err *err)
{
    struct forget_wish all = {.all = true, .dry_run = true};
    struct forget_report *report;
    struct err unread = {0};

    if (!d->wish)
        return true;
    all.way = d->wish->way;
    report = arena_alloc(d->wish->arena, sizeof *report);
    if (!report)
        return err_arena(err, d->wish->arena);
    if (erase_now(knowledge, d->wish->arena, &all, report, &unread)) {
        d->removed.report = report;
        return true;
    }
    if (unread.code == ERR_EXHAUSTED || unread.code == ERR_TOO_LARGE) {
        *err = unread; /* no memory for the report: nothing was deleted */
        return false;
    }
    d->removed.unread = arena_fmt(d->wish->arena, "%s", unread.text).ptr;
    return d->removed.unread || err_arena(err, d->wish->arena);
}

static bool delete_now(struct deleting *d, struct err *err)
{
    struct knowledge *knowledge = atomic_load(&d->base->knowledge);
    struct file_info info;
    struct err gone = {0};
    char path[BASE_PATH_MAX];

    if (!report_now(d, knowledge, err))
        return false;
    d->removed.documents = knowledge_documents(knowledge);
    (void)snprintf(path, sizeof path, "%s" BASE_GONE, d->base->dir);
    if (!file_rename(d->base->dir, path, err))
        return false;
    atomic_store(&d->base->knowledge, NULL);
    knowledge_close(&knowledge);
    analysers_drop(&d->base->all->analysers);
    if (!file_sync_dir(d->base->all->dir, err) || !tree_remove(path, &d->removed, err) ||
        !file_sync_dir(d->base->all->dir, err))
        return err_wrap(err, "the knowledge base is gone, but not yet all of its files");
    if (file_stat(path, &info, &gone) || gone.code != ERR_NOT_FOUND)
        return err_set(err, ERR_INTERNAL, "directory \"%s\" is still there", path);
    return true;
}

static void run_delete(void *arg)
{
    struct deleting *d = arg;

    d->ok = delete_now(d, d->err);
}

/* Nobody finds it from here; who is in it ends in their own time, or the base stays. */
static SUSPENDS bool wait_alone(struct base *base, struct err *err)
{
    mono_ns until = fiber_now() + LEAVE_WAIT;
    bool alone = false, taken;

    mutex_lock(&base->all->mutex);
    taken = base->leaving;
    base->leaving = true;
    mutex_unlock(&base->all->mutex);
    if (taken)
        return err_set(err, ERR_UNAVAILABLE, "knowledge base %s is being deleted", base->id);
    for (;;) {
        mutex_lock(&base->all->mutex);
        alone = base->holders == 1; /* who deletes */
        mutex_unlock(&base->all->mutex);
        if (alone || fiber_now() > until || !fiber_sleep(LEAVE_LOOK, err))
            break;
    }
    if (alone)
        return true;
    mutex_lock(&base->all->mutex);
    base->leaving = false;
    mutex_unlock(&base->all->mutex);
    return err->code
               ? false
               : err_set(err, ERR_UNAVAILABLE,
                         "somebody works in knowledge base %s: nothing was deleted", base->id);
}

static void take_out(struct base *base)
{
    struct bases *bases = base->all;

    mutex_lock(&bases->mutex);
    for (size_t i = 1; i < bases->count; i++)
        if (bases->at[i] == base) {
            memmove(&bases->at[i], &bases->at[i + 1], (bases->count - i - 1) * sizeof *bases->at);
            bases->count--;
            break;
        }
    base->holders = 0;
    mutex_unlock(&bases->mutex);
}

bool base_delete(struct base **at, const struct base_report_wish *report, struct base_removed *out,
                 struct err *err)
{
    struct base *base = *at;
    struct deleting d = {.base = base, .wish = report, .err = err};

    if (base == base->all->at[0]) {
        base_release(at);
        return err_set(err, ERR_INVALID,
                       "the default knowledge base stays: `weir document forget` empties it");
    }
    if (!wait_alone(base, err)) {
        base_release(at);
        return false;
    }
    *at = NULL;
    bool ran = pool_run(base->all->options.each.pool, run_delete, &d, err);
    if (!ran || (!d.ok && atomic_load(&base->knowledge))) { /* it is as it was */
        mutex_lock(&base->all->mutex);
        base->leaving = false;
        base->holders--;
        mutex_unlock(&base->all->mutex);
        return false;
    }
    take_out(base);
    base_free(&base);
    *out = d.removed;
    return d.ok;
}

/* ---- what is left ---- */

struct sweeping {
    struct bases *bases;
    struct str id;
    bool ok;
    struct err *err;
};

static bool sweep_now(const struct sweeping *s, struct err *err)
{
    struct base_removed removed = {0};
    struct file_info info;
    struct err none = {0};
    char path[BASE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/" STR_FMT BASE_GONE, s->bases->dir, STR_ARG(s->id));

    if (len < 0 || (size_t)len >= sizeof path)
        return err_set(err, ERR_INVALID, "a path below \"%s\" is too long", s->bases->dir);
    if (!file_stat(path, &info, &none))
        return none.code == ERR_NOT_FOUND || err_set(err, none.code, "%s", none.text);
    return tree_remove(path, &removed, err) && file_sync_dir(s->bases->dir, err);
}

static void run_sweep(void *arg)
{
    struct sweeping *s = arg;

    s->ok = sweep_now(s, s->err);
}

bool bases_sweep(struct bases *bases, struct str id, struct err *err)
{
    struct sweeping s = {.bases = bases, .id = id, .err = err};

    return pool_run(bases->options.each.pool, run_sweep, &s, err) &&
           (s.ok || err_wrap(err, "remove what is left of a knowledge base"));
}
