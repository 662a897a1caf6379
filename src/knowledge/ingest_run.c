/* Runs that people start: in a fiber of their own, so that who waits for one can leave. */
#include "knowledge/knowledge_internal.h"
#include "knowledge/runs.h"
#include "knowledge/source_folder.h"
#include "knowledge/vanish.h"
#include "sys/fiber.h"

#define RUN_MEMORY ((size_t)512 * MIB)

struct errand {
    struct knowledge *knowledge;
    struct arena *arena; /* of the report; the errand's own when nobody waits */
    struct ingest_wish wish;
    struct run_slot *run;
    struct ingest_report report;
    struct err err;
    struct event done;
    struct run_owner owner; /* of a detached one */
    bool ok, detached;
};

static void work(void *arg)
{
    struct errand *e = arg;
    struct folder_options options = {.wish = &e->wish, .delete_percent = 100, .run = e->run};

    if (run_is_stopped(e->run)) {
        e->report.stopped = true;
        e->ok = true;
    } else {
        e->ok = folder_ingest(e->knowledge, e->arena, &options, &e->report, &e->err);
    }
}

static void release(const struct run_owner *owner)
{
    if (owner->release)
        owner->release(owner->what);
}

static void run_errand(void *arg)
{
    struct errand *e = arg;
    struct knowledge *k = e->knowledge;

    struct err ignored = {0};

    if (!pool_run(k->ingest, work, e, &e->err))
        e->ok = false;
    e->ok = knowledge_vanish(k, &e->report, e->ok ? &e->err : &ignored) && e->ok;
    run_finish(&e->run, &e->report, e->ok ? NULL : &e->err);
    if (e->detached) {
        struct arena *arena = e->arena; /* the errand lives in it */
        struct run_owner owner = e->owner;

        arena_end(&arena);
        release(&owner);
    } else {
        event_set(&e->done);
    }
}

bool knowledge_ingest(struct knowledge *k, struct arena *arena, const struct ingest_wish *wish,
                      struct ingest_report *out, struct err *err)
{
    struct errand e = {.knowledge = k, .arena = arena, .wish = *wish};
    struct run_slot *run;
    struct err left = {0};

    if (!run_begin(k->runs, wish->path, false, &run, err))
        return false;
    e.run = run;
    uint64_t id = run_id(run);
    if (!fiber_spawn(run_errand, &e, err)) {
        run_finish(&run, &e.report, err);
        return false;
    }
    if (!event_wait(&e.done, &left)) {
        (void)!ingest_run_stop(k, id, &left);
        event_await(&e.done);
    }
    if (e.ok)
        *out = e.report;
    else
        *err = e.err;
    return e.ok;
}

static bool copy_wish(struct arena *arena, const struct ingest_wish *from, struct ingest_wish *to)
{
    *to = *from;
    to->path = arena_str(arena, from->path);
    to->readers = arena_str(arena, from->readers);
    to->metadata = arena_str(arena, from->metadata);
    return to->path.ptr && to->readers.ptr && to->metadata.ptr;
}

static bool start(struct errand *e, uint64_t *run, struct err *err)
{
    if (!run_begin(e->knowledge->runs, e->wish.path, false, &e->run, err))
        return false;
    *run = run_id(e->run);
    if (fiber_spawn(run_errand, e, err))
        return true;
    run_finish(&e->run, &e->report, err);
    return false;
}

bool knowledge_ingest_detached(struct knowledge *k, const struct ingest_wish *wish,
                               const struct run_owner *owner, uint64_t *run, struct err *err)
{
    struct arena *arena = arena_new(RUN_MEMORY);
    struct errand *e = arena ? arena_alloc(arena, sizeof *e) : NULL;
    bool ok = e && copy_wish(arena, wish, &e->wish);

    if (ok) {
        e->knowledge = k;
        e->arena = arena;
        e->owner = *owner;
        e->detached = true;
        ok = start(e, run, err);
    } else {
        err_no_room(err, "no memory for a run");
    }
    if (ok)
        return true;
    arena_end(&arena);
    release(owner);
    return false;
}
