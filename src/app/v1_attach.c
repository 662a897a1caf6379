/* Files of the shelf on their way into knowledge bases. */
#include "app/v1.h"
#include "base/log.h"
#include "knowledge/upload.h"
#include "sys/clock.h"

#define LOOK_EVERY  (100 * MILLISECOND)
#define RETRY_AFTER (2 * SECOND)
#define LOOP_ARENA  ((size_t)64 * MIB)

/* ---- wanted ---- */

struct attaching {
    struct admin_call *call;
    const char *base;
    const struct attached *files;
    size_t count;
};

static bool attach_now(void *arg, struct err *err)
{
    const struct attaching *a = arg;
    struct shelf_file file;

    for (size_t i = 0; i < a->count; i++)
        if (!shelf_find(v1_shelf(a->call), a->call->arena, a->files[i].file, a->call->who->tenant,
                        &file, err) ||
            (shelf_is_over(&file, clock_wall()) && !shelf_unknown(file.id, err)))
            return false;
    for (size_t i = 0; i < a->count; i++)
        if (!attached_store(a->base, &a->files[i], err))
            return false;
    return true;
}

bool v1_attach(struct admin_call *call, struct base *base, const struct attached *files,
               size_t count, struct err *err)
{
    struct attaching a = {call, base_dir(base), files, count};
    struct str *ids = arena_array(call->arena, count + 1, sizeof *ids);

    if (!ids)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < count; i++)
        ids[i] = files[i].file;
    if (!v1_may_attach(call, ids, count, err) || !base_use(base, err) ||
        !v1_block(call, attach_now, &a, err))
        return false;
    atomic_store(&call->house->attaching, true);
    return true;
}

/* ---- done ---- */

struct work {
    struct house *house;
    struct arena *arena; /* of one file */
    struct base *base;
    const char *shelf;
    struct attached *list;
    size_t count;
    struct attached one; /* as it stands */
    struct attached taken;
    bool ended;
    bool damaged; /* what failed is what is known of this file: others may get on */
    struct shelf_file file;
    struct err *err;
    bool ok;
};

static void run_list(void *arg)
{
    struct work *w = arg;

    w->ok = attached_list(base_dir(w->base), w->arena, &w->list, &w->count, w->err);
}

/* Still wanted, and still there? */
static void run_find(void *arg)
{
    struct work *w = arg;

    w->ok = attached_find(base_dir(w->base), w->arena, w->one.file, &w->one, w->err) &&
            shelf_find(w->shelf, w->arena, w->one.file, STR(""), &w->file, w->err);
}

/* Nothing of what was forgotten meanwhile is written down again. */
static void run_failed(void *arg)
{
    struct work *w = arg;

    w->ok = attached_end(base_dir(w->base), &w->taken, &w->one, &w->ended, w->err);
}

/* Nobody took it back, as far as is known. */
static void run_wanted(void *arg)
{
    struct work *w = arg;
    struct attached now;
    struct err gone = {0};

    w->ok = attached_find(base_dir(w->base), w->arena, w->one.file, &now, &gone)
                ? now.state == ATTACH_IN_PROGRESS
                : gone.code != ERR_NOT_FOUND;
}

static bool is_wanted(void *ctx, struct err *err)
{
    const struct work *w = ctx;
    struct attached now;

    return attached_find(base_dir(w->base), w->arena, w->one.file, &now, err) &&
           (now.state == ATTACH_IN_PROGRESS ||
            err_set(err, ERR_NOT_FOUND, "file \"" STR_FMT "\" is not wanted any more",
                    STR_ARG(w->one.file)));
}

static void run_done(void *arg)
{
    struct work *w = arg;

    w->ok = attached_end(base_dir(w->base), &w->taken, NULL, &w->ended, w->err);
}

static SUSPENDS bool on_pool(struct work *w, void (*fn)(void *arg), struct err *err)
{
    w->err = err;
    return pool_run(w->house->documents, fn, w, err) && w->ok;
}

/* What is wrong with the file stays with it; what is wrong with the house is tried again. */
static SUSPENDS bool note_failure(struct work *w, const struct err *why, struct err *err)
{
    if (why->code != ERR_INVALID && why->code != ERR_TOO_LARGE && why->code != ERR_NOT_FOUND) {
        *err = *why;
        return false;
    }
    w->one.state = ATTACH_FAILED;
    w->one.code = why->code == ERR_INVALID ? STR("unsupported_file") : STR("invalid_file");
    w->one.message = arena_str(w->arena, str_from(why->text));
    return on_pool(w, run_failed, err);
}

static SUSPENDS bool is_no_more(struct work *w, struct err *err)
{
    return !on_pool(w, run_wanted, err) && err->code == ERR_NONE;
}

/* Deleted or cancelled while it was read: then it must not stay. False with no error: it is out again. */
static SUSPENDS bool still_wanted(struct work *w, struct str source, struct err *err)
{
    struct err why = {0};
    uint32_t gone;

    if (on_pool(w, run_find, &why) && w->one.state == ATTACH_IN_PROGRESS)
        return true;
    if (why.code != ERR_NONE && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    why = (struct err){0};
    if (!knowledge_forget(base_knowledge(w->base), source, &gone, &why) &&
        why.code != ERR_NOT_FOUND)
        *err = why;
    return false;
}

static SUSPENDS bool take(struct work *w, struct str file, struct err *err)
{
    struct upload upload = {.labels.says_metadata = true};
    struct upload_report report;
    struct err why = {0};

    w->one.file = file;
    bool found = on_pool(w, run_find, &why);

    w->taken = w->one;
    if (!found) {
        w->damaged = why.code != ERR_EXHAUSTED && why.code != ERR_CANCELLED;
        if (w->one.state == ATTACH_IN_PROGRESS && w->one.created > 0)
            return note_failure(w, &why, err);
        return why.code == ERR_NOT_FOUND || err_set(err, why.code, "%s", why.text);
    }
    if (w->one.state != ATTACH_IN_PROGRESS)
        return true;
    upload.name = w->file.name;
    upload.source = arena_fmt(w->arena, ATTACH_SOURCE STR_FMT, STR_ARG(file));
    upload.file = shelf_path(w->shelf, w->arena, file);
    upload.since = w->one.created; /* on its way and there: one time, one place in lists */
    upload.labels.metadata = w->one.attributes;
    upload.chunking = w->one.chunking;
    if (!upload.source.ptr || !upload.file)
        return err_arena(err, w->arena);
    upload.wanted = is_wanted;
    upload.ctx = w;
    if (!knowledge_upload(base_knowledge(w->base), w->arena, &upload, &report, &why))
        return is_no_more(w, err) || (err->code == ERR_NONE && note_failure(w, &why, err));
    if (!still_wanted(w, upload.source, err) || !on_pool(w, run_done, err))
        return err->code == ERR_NONE;
    /* Not ended: cancelled since, or asked for anew, which the next turn takes. */
    return w->ended || still_wanted(w, upload.source, err) || err->code == ERR_NONE;
}

/* One whose own facts are damaged holds up none behind it; what the first says is told. */
static SUSPENDS bool take_each(struct work *w, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; i < w->count; i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(LOOP_ARENA);
        const struct attached *one = &w->list[i];
        struct err why = {0};

        if (one->state != ATTACH_IN_PROGRESS && !one->unreadable)
            continue;
        if (!arena)
            return err_no_room(err, "no memory for a file on its way");
        w->arena = arena;
        w->one = (struct attached){0};
        w->damaged = false;
        if (take(w, one->file, &why))
            continue;
        if (ok)
            *err = why;
        ok = false;
        if (!w->damaged)
            break;
    }
    return ok;
}

static SUSPENDS bool take_all(struct house *house, struct str base, struct err *err)
{
    struct arena *all CLEANUP(arena_end) = arena_new(LOOP_ARENA);
    struct base *held CLEANUP(base_release) = NULL;
    struct work w = {.house = house, .arena = all};
    struct err gone = {0};

    if (!all)
        return err_no_room(err, "no memory for files on their way");
    if (!bases_borrow(house->bases, base, NULL, &held, &gone))
        return gone.code == ERR_NOT_FOUND || err_set(err, gone.code, "%s", gone.text);
    if (!base_alive(held, &gone)) /* what is on its way there goes with the rest of it */
        return true;
    w.base = held;
    w.shelf = arena_fmt(all, STR_FMT "/files", STR_ARG(house->dir)).ptr;
    if (!w.shelf)
        return err_arena(err, all);
    return on_pool(&w, run_list, err) && take_each(&w, err);
}

/* A base that has none on their way is not opened for it. One that fails holds up no other; what the first says is told. */
static SUSPENDS bool take_everywhere(struct house *house, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOOP_ARENA);
    struct base_info *bases;
    size_t count;
    bool ok = true;

    if (!arena)
        return err_no_room(err, "no memory for files on their way");
    if (!bases_list(house->bases, arena, NULL, &bases, &count, err))
        return false;
    for (size_t i = 0; i < count && fiber_still_wanted(err); i++) {
        struct err why = {0};

        if (!bases_has_file(house->bases, bases[i].id, "attached") ||
            take_all(house, bases[i].id, &why))
            continue;
        if (ok)
            err_set(err, why.code, "knowledge base " STR_FMT ": %s", STR_ARG(bases[i].id),
                    why.text);
        ok = false;
    }
    return ok && !err->code;
}

void v1_attach_loop(void *arg)
{
    struct house *house = arg;
    struct err err = {0};

    atomic_store(&house->attaching, true); /* what the last process left */
    while (fiber_sleep(LOOK_EVERY, &err)) {
        struct err why = {0};

        if (!atomic_exchange(&house->attaching, false))
            continue;
        if (take_everywhere(house, &why))
            continue;
        if (why.code != ERR_CANCELLED)
            log_warn("files on their way into knowledge bases wait: %s", why.text);
        atomic_store(&house->attaching, true);
        if (!fiber_sleep(RETRY_AFTER, &err))
            return;
    }
}
