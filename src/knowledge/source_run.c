/* The driver: a source's items through the intake. Each step that touches the index goes to the pool of runs by
 * itself; kinds that block (a database) are asked on a thread of another pool. Items are gathered and go in
 * together, so that the index's writer is never held while a source is waited for, and no other run waits for one
 * that does. */
#include "knowledge/source.h"

#include <string.h>

#include "knowledge/knowledge_internal.h"
#include "knowledge/source_folder.h"
#include "knowledge/vanish.h"
#include "sys/clock.h"

#define JOB_ARENA      ((size_t)256 * MIB)
#define GATHERED_MAX   64
#define GATHERED_BYTES (16 * MIB)
#define ROWS_MAX       1000 /* gathered: they are small, and share their memory */
#define ROWS_BYTES     (4 * GATHERED_BYTES)

/* An item that is fetched and not in the index yet, with its memory. */
struct gathered {
    struct arena *scratch;
    struct source_item item;
    struct content content;
    bool same; /* by its mark: there is no content */
};

struct drive {
    struct source_job job;
    const struct source_kind *kind;
    void *self;
    struct intake *intake;
    bool force;
    uint64_t items, bytes; /* so far */
    mono_ns until;         /* 0: no limit */
    struct arena *rows;    /* memory of what is gathered by a kind that blocks */
    bool on_thread;        /* where such a kind is asked: steps are just called */
    struct gathered *gathered;
    size_t gathered_count, gathered_max, gathered_bytes;
    mono_ns gathered_since;
};

/* --- steps that block ------------------------------------------------------------------------- */

struct step {
    struct drive *drive;
    struct gathered *one; /* look() */
    bool ok;
    struct err *err;
};

static void open_intake(void *arg)
{
    struct step *s = arg;
    const struct source_job *job = &s->drive->job;
    struct intake_options options = {
        .knowledge = job->knowledge,
        .root = job->root,
        .wish = &job->spec->wish,
        .run = job->run,
        .delete_percent = s->drive->force ? 100 : job->spec->delete_percent,
    };

    s->ok = intake_open(job->arena, &options, &s->drive->intake, s->err);
}

static bool is_of_another(const struct drive *d, const struct intake_known *known)
{
    return known->is_known && str_starts(known->root, STR("source:")) &&
           !str_eq(known->root, d->job.root);
}

static void look(void *arg)
{
    struct step *s = arg;
    struct gathered *g = s->one;
    struct intake_known known;

    s->ok = intake_look(s->drive->intake, g->scratch, &g->item.item, &known, s->err);
    if (!s->ok)
        return;
    g->same = known.is_same;
    g->item.known_mark = known.is_known ? known.mark : STR("");
    if (!is_of_another(s->drive, &known))
        return;
    struct str reason =
        arena_fmt(g->scratch, "comes with " STR_FMT " already", STR_ARG(known.root));
    g->item.item.source = STR("");
    s->ok = reason.ptr ? intake_pass(s->drive->intake, g->item.item.shown, reason.ptr, s->err)
                       : err_arena(s->err, g->scratch);
}

static bool settle(struct intake *in, const struct gathered *g, struct err *err)
{
    const struct item *item = &g->item.item;
    const struct content *content = &g->content;

    if (g->same)
        return intake_keep(in, item, &g->item.beside, err);
    if (content->note.len > 0)
        intake_note(in, item->shown, content->note);
    switch (content->outcome) {
    case OUTCOME_BYTES: return intake_put(in, item, &g->item.beside, content->bytes, err);
    case OUTCOME_SAME: return intake_keep(in, item, &g->item.beside, err);
    case OUTCOME_GONE:
    case OUTCOME_SKIP: return intake_pass(in, item->shown, content->why.text, err);
    case OUTCOME_FAIL: break;
    }
    return intake_fail(in, item->source, item->shown, &content->why, err);
}

static void settle_gathered(void *arg)
{
    struct step *s = arg;
    struct drive *d = s->drive;

    s->ok = true;
    for (size_t i = 0; i < d->gathered_count; i++) {
        s->ok = s->ok && settle(d->intake, &d->gathered[i], s->err);
        if (!d->rows)
            arena_end(&d->gathered[i].scratch);
    }
    if (d->rows)
        arena_rewind(d->rows, 0);
    d->gathered_count = d->gathered_bytes = 0;
    s->ok = s->ok && intake_rest(d->intake, s->err);
}

/* What is whole stays, whatever ended the run. */
static void finish(void *arg)
{
    struct step *s = arg;
    struct source_job *job = &s->drive->job;

    settle_gathered(s);
    if (job->incomplete) {
        intake_is_incomplete(s->drive->intake);
        if (job->why.len > 0)
            s->ok = s->ok && intake_skip(s->drive->intake, job->root, job->why.ptr, s->err);
    }
    s->ok = s->ok && intake_finish(s->drive->intake, s->err);
}

static void end_intake(void *arg)
{
    struct step *s = arg;

    intake_close(&s->drive->intake);
    s->ok = true;
}

/* A run has one step in the pool's line at a time, and runs are bounded: none is refused, for one that holds the
 * writer must come to its end. */
static bool offload(struct drive *d, void (*fn)(void *), struct step *s)
{
    s->drive = d;
    if (d->on_thread)
        fn(s);
    else
        pool_run_always(d->job.knowledge->ingest, fn, s);
    return s->ok;
}

/* --- the drive -------------------------------------------------------------------------------- */

static void stop_short(struct drive *d, struct str why)
{
    d->job.incomplete = true;
    if (d->job.why.len == 0 && why.ptr)
        d->job.why = why;
}

/* Bounds of the whole run; what is behind them was not seen. */
static bool is_within(struct drive *d)
{
    const struct source_spec *spec = d->job.spec;

    if (spec->items && d->items >= spec->items)
        stop_short(d,
                   arena_fmt(d->job.arena,
                             "stopped after %" PRIu64 " items, as `items` says: nothing is removed",
                             spec->items));
    else if (spec->bytes && d->bytes >= spec->bytes)
        stop_short(d,
                   arena_fmt(d->job.arena,
                             "stopped after %" PRIu64 " bytes, as `bytes` says: nothing is removed",
                             d->bytes));
    else if (d->until && clock_mono() >= d->until)
        stop_short(d, arena_fmt(d->job.arena,
                                "stopped after %" PRId64 " s, as `time` says: nothing is removed",
                                spec->time / SECOND));
    else
        return true;
    return false;
}

/* Bytes that wait, and what a run that is killed would have to fetch again, are bounded. */
static bool is_to_settle(const struct drive *d)
{
    const struct ingest_batch *most = &d->job.knowledge->batch;

    if (d->gathered_count == 0)
        return false;
    return d->gathered_count >= MIN_OF(d->gathered_max, most->files) ||
           d->gathered_bytes >= MIN_OF(GATHERED_BYTES, most->bytes) ||
           (d->rows && arena_mark(d->rows) >= ROWS_BYTES) ||
           clock_mono() - d->gathered_since >= most->time;
}

/* *kept: it is gathered, with its memory. */
static bool take(struct drive *d, struct gathered *g, bool *kept, struct err *err)
{
    struct step s = {.one = g, .err = err};

    intake_expect(d->intake, d->job.known);
    intake_is_at(d->intake, g->item.item.shown);
    if (!offload(d, look, &s))
        return false;
    if (g->item.item.source.len == 0)
        return true; /* another's */
    if (!g->same && !d->kind->fetch(d->self, g->scratch, &g->item, &g->content, err))
        return false;
    d->bytes += g->content.bytes.len;
    d->gathered_bytes += g->content.bytes.len;
    if (d->gathered_count++ == 0)
        d->gathered_since = clock_mono();
    *kept = true;
    return true;
}

static size_t item_memory(const struct drive *d)
{
    return 4 * d->job.knowledge->file_bytes_max + 8 * MIB;
}

static bool drive_one(struct drive *d, bool *more, struct err *err)
{
    struct gathered *g = &d->gathered[d->gathered_count];
    size_t before = d->rows ? arena_mark(d->rows) : 0;
    bool kept = false;

    *g = (struct gathered){.scratch = d->rows ? d->rows : arena_new(item_memory(d)),
                           .item.item.source = STR(""),
                           .content.outcome = OUTCOME_BYTES};
    if (!g->scratch)
        return err_no_room(err, "no memory for an item of a source");
    bool ok = d->kind->next(d->self, g->scratch, &g->item, more, err) &&
              (!*more || take(d, g, &kept, err));
    if (!kept && d->rows)
        arena_rewind(d->rows, before);
    else if (!kept)
        arena_end(&g->scratch);
    d->items += ok && *more;
    return ok;
}

/* Until enough is gathered to be brought in. */
static bool gather(struct drive *d, bool *more, struct err *err)
{
    while (*more && !is_to_settle(d) && !intake_is_stopped(d->intake) && is_within(d))
        if (!drive_one(d, more, err))
            return false;
    return true;
}

struct asking {
    struct drive *drive;
    bool ok, more;
    struct err *err;
};

static void begin_here(void *arg)
{
    struct asking *a = arg;

    a->ok = a->drive->kind->begin(&a->drive->job, &a->drive->self, a->err);
}

static void gather_here(void *arg)
{
    struct asking *a = arg;

    a->ok = gather(a->drive, &a->more, a->err);
}

static void close_here(void *arg)
{
    struct asking *a = arg;

    a->drive->kind->close(&a->drive->self);
}

/* What blocks does so on a thread that runs nothing else: neither the index nor other runs wait for it. */
static SUSPENDS void ask_source(struct asking *a, void (*fn)(void *))
{
    struct drive *d = a->drive;

    if (!d->kind->blocks) {
        fn(a);
        return;
    }
    d->on_thread = true;
    pool_run_always(d->job.knowledge->rows, fn, a);
    d->on_thread = false;
}

static SUSPENDS bool drive_on(struct drive *d, struct err *err)
{
    struct asking a = {.drive = d, .more = true, .err = err};
    struct step s = {.err = err};

    ask_source(&a, begin_here);
    while (a.ok && a.more && !intake_is_stopped(d->intake) && is_within(d)) {
        ask_source(&a, gather_here);
        a.ok = a.ok && (d->gathered_count == 0 || offload(d, settle_gathered, &s));
    }
    return a.ok;
}

/* Who was cancelled keeps what is committed, like who was stopped. */
static SUSPENDS bool drive(struct drive *d, struct ingest_report *out, struct err *err)
{
    struct asking a = {.drive = d};
    struct step s = {.err = err};

    if (!offload(d, open_intake, &s))
        return false;
    bool ok = drive_on(d, err);
    struct err ignored = {0};
    if (!ok && intake_is_stopped(d->intake)) {
        *err = ignored;
        ok = true;
    } else if (!ok) { /* what is whole stays */
        stop_short(d, STR_NONE);
    }
    s.err = ok ? err : &ignored;
    ok = offload(d, finish, &s) && ok;
    if (d->self)
        ask_source(&a, close_here);
    *out = *intake_report(d->intake);
    offload(d, end_intake, &s);
    return ok;
}

struct errand {
    struct drive *drive;
    struct ingest_report *out;
    struct err *err;
    bool ok;
};

static void folder_here(void *arg)
{
    struct errand *e = arg;
    const struct source_job *job = &e->drive->job;
    struct ingest_wish wish = job->spec->wish;
    struct folder_options options = {
        .wish = &wish,
        .include = job->spec->include,
        .exclude = job->spec->exclude,
        .delete_percent = e->drive->force ? 100 : job->spec->delete_percent,
        .run = job->run,
    };

    wish.path = job->spec->location;
    e->ok = folder_ingest(job->knowledge, job->arena, &options, e->out, e->err);
}

static SUSPENDS bool run(struct drive *d, struct ingest_report *out, struct err *err)
{
    static const struct source_kind *const kinds[] = {
        [SOURCE_WEB] = &source_web, [SOURCE_S3] = &source_s3, [SOURCE_SQL] = &source_sql};
    struct errand e = {d, out, err, false};
    enum source_type type = d->job.spec->type;
    struct pool *pool = d->job.knowledge->ingest;

    if (run_is_stopped(d->job.run)) {
        out->stopped = true;
        return true;
    }
    if (type == SOURCE_FOLDER)
        return pool_run(pool, folder_here, &e, err) && e.ok;
    d->kind = kinds[type];
    d->until = d->job.spec->time ? clock_mono() + d->job.spec->time : 0;
    d->gathered_max = d->kind->blocks ? ROWS_MAX : GATHERED_MAX;
    d->gathered = arena_array(d->job.arena, d->gathered_max, sizeof *d->gathered);
    if (!d->gathered)
        return err_arena(err, d->job.arena);
    d->rows = d->kind->blocks ? arena_new(ROWS_BYTES + item_memory(d)) : NULL;
    if (d->kind->blocks && !d->rows)
        return err_no_room(err, "no memory for rows of a source");
    bool ok = drive(d, out, err);
    arena_end(&d->rows);
    return ok;
}

bool source_run(const struct source_spec *spec, struct knowledge *k, struct run_slot **slot,
                bool force, struct ingest_report *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(JOB_ARENA);
    struct drive d = {.job = {.spec = spec, .knowledge = k, .arena = arena, .run = *slot},
                      .force = force};
    struct ingest_report report = {0};

    d.job.root = arena ? arena_fmt(arena, "source:" STR_FMT, STR_ARG(spec->name)) : STR_NONE;
    bool ok =
        d.job.root.ptr ? run(&d, &report, err) : err_no_room(err, "no memory for a source's run");
    struct err ignored = {0};
    ok = knowledge_vanish(k, &report, ok ? err : &ignored) && ok;
    run_finish(slot, &report, ok ? NULL : err);
    *out = report; /* its lists go with the arena: the run has copied them */
    out->problems = out->notes = NULL;
    out->problem_count = out->note_count = 0;
    return ok;
}
