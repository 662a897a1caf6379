#include "knowledge/runs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/knowledge_internal.h"
#include "sys/clock.h"
#include "sys/mutex.h"

#define RUN_ARENA     ((size_t)8 * MIB) /* what a run leaves behind to be read */
#define CURRENT_MAX   400
#define PROBLEMS_KEPT 10000

/* Instead of why a run failed: not of its arena. */
static const char no_reason[] = "no memory is left to say why";
static const char forgotten[] = "it failed at a document that is forgotten";

struct run_slot {
    struct runs *all;
    struct arena *arena; /* NULL: a free place */
    struct ingest_run view;
    char current[CURRENT_MAX];
    atomic_bool stop;
};

struct runs {
    struct mutex mutex;
    struct run_slot at[RUNS_MAX];
    uint64_t last; /* id */
    bool closing;
};

struct runs *runs_new(struct arena *arena)
{
    struct runs *runs = arena_alloc(arena, sizeof *runs);

    if (runs)
        mutex_init(&runs->mutex);
    return runs;
}

void runs_free(struct runs **held)
{
    struct runs *runs = *held;

    if (!runs)
        return;
    for (size_t i = 0; i < RUNS_MAX; i++) {
        ASSERT(!runs->at[i].arena || runs->at[i].view.state >= RUN_DONE);
        arena_end(&runs->at[i].arena);
    }
    mutex_done(&runs->mutex);
    *held = NULL;
}

/* --- a run's own side ------------------------------------------------------------------------- */

static struct run_slot *free_slot(struct runs *runs)
{
    struct run_slot *oldest = NULL;

    for (size_t i = 0; i < RUNS_MAX; i++) {
        struct run_slot *slot = &runs->at[i];

        if (!slot->arena)
            return slot;
        if (slot->view.state >= RUN_DONE && (!oldest || slot->view.id < oldest->view.id))
            oldest = slot;
    }
    return oldest;
}

/* Ids go on rising over a restart, so that an old one does not name another run. */
static uint64_t next_id(struct runs *runs)
{
    runs->last = MAX_OF(runs->last + 1, (uint64_t)clock_wall());
    return runs->last;
}

static bool fill_slot(struct runs *runs, struct str what, bool is_source, struct run_slot **out,
                      struct err *err)
{
    struct run_slot *slot = free_slot(runs);

    if (!slot)
        return err_set(err, ERR_EXHAUSTED, "%d runs are going on already", RUNS_MAX);
    arena_end(&slot->arena);
    slot->arena = arena_new(RUN_ARENA);
    slot->view = (struct ingest_run){
        .id = next_id(runs), .is_source = is_source, .state = RUN_WAITING, .begun = clock_wall()};
    slot->view.what = slot->arena ? arena_str(slot->arena, what) : STR_NONE;
    if (!slot->view.what.ptr) {
        arena_end(&slot->arena);
        return err_no_room(err, "no memory for a run");
    }
    slot->all = runs;
    slot->view.current = STR("");
    atomic_store(&slot->stop, runs->closing);
    *out = slot;
    return true;
}

bool run_begin(struct runs *runs, struct str what, bool is_source, struct run_slot **out,
               struct err *err)
{
    mutex_lock(&runs->mutex);
    bool ok = fill_slot(runs, what, is_source, out, err);
    mutex_unlock(&runs->mutex);
    return ok;
}

uint64_t run_id(const struct run_slot *run)
{
    return run->view.id; /* does not change while it is the caller's */
}

bool run_is_stopped(const struct run_slot *run)
{
    return run && atomic_load_explicit(&run->stop, memory_order_relaxed);
}

static struct ingest_report without_lists(const struct ingest_report *report)
{
    struct ingest_report counts = *report;

    counts.problems = counts.notes = NULL;
    counts.problem_count = counts.note_count = 0;
    return counts;
}

void run_tell(struct run_slot *run, const struct run_progress *progress)
{
    size_t len = progress->current.len;

    if (!run)
        return;
    mutex_lock(&run->all->mutex);
    run->view.state = RUN_WORKING;
    run->view.report = without_lists(progress->report);
    run->view.known = progress->known;
    run->view.done = progress->done;
    len = len <= CURRENT_MAX ? len : utf8_boundary(progress->current, CURRENT_MAX);
    if (len > 0)
        memcpy(run->current, progress->current.ptr, len);
    run->view.current = (struct str){run->current, len};
    mutex_unlock(&run->all->mutex);
}

static bool copy_list(struct arena *arena, const struct ingest_problem *list, size_t *count,
                      struct ingest_problem **out)
{
    *count = MIN_OF(*count, PROBLEMS_KEPT);
    struct ingest_problem *copy = arena_array(arena, *count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < *count; i++) {
        copy[i].path = arena_str(arena, list[i].path);
        copy[i].reason = arena_str(arena, list[i].reason);
        if (!copy[i].path.ptr || !copy[i].reason.ptr)
            return false;
    }
    *out = copy;
    return copy != NULL;
}

static bool copy_report(struct arena *arena, const struct ingest_report *from,
                        struct ingest_report *to)
{
    *to = *from;
    return copy_list(arena, from->problems, &to->problem_count, &to->problems) &&
           copy_list(arena, from->notes, &to->note_count, &to->notes);
}

void run_finish(struct run_slot **held, const struct ingest_report *report, const struct err *why)
{
    struct run_slot *run = *held;
    struct ingest_report kept = {0};
    struct str error = STR("");

    if (!run)
        return;
    /* Its arena is still the caller's alone. Lists that do not fit are as good as too long: counted. */
    if (!copy_report(run->arena, report, &kept))
        kept = without_lists(report);
    if (why)
        error = arena_str(run->arena, str_from(why->text));
    mutex_lock(&run->all->mutex);
    run->view.report = kept;
    run->view.error = error.ptr ? error : str_from(no_reason);
    run->view.ended = clock_wall();
    run->view.current = STR("");
    run->view.state = why ? RUN_FAILED : report->stopped ? RUN_STOPPED : RUN_DONE;
    mutex_unlock(&run->all->mutex);
    *held = NULL;
}

/* --- forgotten -------------------------------------------------------------------------------- */

static void wipe(struct str text)
{
    if (text.len)
        memset((char *)(uintptr_t)text.ptr, 0, text.len); /* the slot's own copy */
}

static void leave_out(struct ingest_problem *list, size_t *count, struct str path)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        if (str_eq(list[i].path, path)) {
            wipe(list[i].path);
            wipe(list[i].reason);
        } else {
            list[kept++] = list[i];
        }
    }
    *count = kept;
}

static void forget_error(struct ingest_run *run, struct str name)
{
    bool own = run->error.ptr != no_reason && run->error.ptr != forgotten;

    if (!own || !name.len || str_find(run->error, name) == run->error.len)
        return;
    wipe(run->error);
    run->error = str_from(forgotten);
}

static void forget_in(struct run_slot *slot, struct str path, struct str source)
{
    struct ingest_run *run = &slot->view;

    if (str_eq(run->what, source)) {
        wipe(run->what);
        run->what = STR("a document that is forgotten");
    }
    if (run->state < RUN_DONE) /* its lists come with its end */
        return;
    forget_error(run, path);
    forget_error(run, source);
    leave_out(run->report.problems, &run->report.problem_count, path);
    leave_out(run->report.notes, &run->report.note_count, path);
    memset(slot->current, 0, sizeof slot->current);
}

void runs_forget(struct runs *runs, struct str path, struct str source)
{
    mutex_lock(&runs->mutex);
    for (size_t i = 0; i < RUNS_MAX; i++)
        if (runs->at[i].arena)
            forget_in(&runs->at[i], path, source);
    mutex_unlock(&runs->mutex);
}

/* --- those who look --------------------------------------------------------------------------- */

static bool copy_run(struct arena *arena, const struct run_slot *slot, bool lists,
                     struct ingest_run *out, struct err *err)
{
    *out = slot->view;
    out->what = arena_str(arena, slot->view.what);
    out->current = arena_str(arena, slot->view.current);
    out->error = arena_str(arena, slot->view.error);
    if (!lists)
        out->report = without_lists(&slot->view.report);
    else if (!copy_report(arena, &slot->view.report, &out->report))
        return err_arena(err, arena);
    return (out->what.ptr && out->current.ptr && out->error.ptr) || err_arena(err, arena);
}

static int compare_newest(const void *a, const void *b)
{
    const struct ingest_run *left = a, *right = b;

    return (left->id < right->id) - (left->id > right->id);
}

bool ingest_run_list(struct knowledge *k, struct arena *arena, struct ingest_run **out,
                     size_t *count, struct err *err)
{
    struct ingest_run *list = arena_array(arena, RUNS_MAX, sizeof *list);
    size_t seen = 0;
    bool ok = true;

    if (!list)
        return err_arena(err, arena);
    mutex_lock(&k->runs->mutex);
    for (size_t i = 0; i < RUNS_MAX && ok; i++)
        if (k->runs->at[i].arena)
            ok = copy_run(arena, &k->runs->at[i], false, &list[seen++], err);
    mutex_unlock(&k->runs->mutex);
    if (!ok)
        return false;
    qsort(list, seen, sizeof *list, compare_newest);
    *out = list;
    *count = seen;
    return true;
}

static struct run_slot *slot_of(struct runs *runs, uint64_t id)
{
    for (size_t i = 0; i < RUNS_MAX; i++)
        if (runs->at[i].arena && runs->at[i].view.id == id)
            return &runs->at[i];
    return NULL;
}

static bool unknown(uint64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "no run %" PRIu64 ": the last %d are known, since Weir started", id, RUNS_MAX);
}

bool ingest_run_find(struct knowledge *k, struct arena *arena, uint64_t id, struct ingest_run *out,
                     struct err *err)
{
    mutex_lock(&k->runs->mutex);
    const struct run_slot *slot = slot_of(k->runs, id);
    bool ok = slot ? copy_run(arena, slot, slot->view.ended > 0, out, err) : unknown(id, err);
    mutex_unlock(&k->runs->mutex);
    return ok;
}

bool ingest_run_stop(struct knowledge *k, uint64_t id, struct err *err)
{
    mutex_lock(&k->runs->mutex);
    struct run_slot *slot = slot_of(k->runs, id);
    if (slot)
        atomic_store(&slot->stop, true);
    mutex_unlock(&k->runs->mutex);
    return slot || unknown(id, err);
}

void ingest_runs_stop(struct knowledge *k)
{
    atomic_store(&k->closing, true);
    atomic_store(&k->is_stale, true);
    mutex_lock(&k->runs->mutex);
    k->runs->closing = true;
    for (size_t i = 0; i < RUNS_MAX; i++)
        atomic_store(&k->runs->at[i].stop, true);
    mutex_unlock(&k->runs->mutex);
}
