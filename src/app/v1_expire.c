/* What has had its time: vector stores that nobody used, files that were sent for so long, uploads that were not
 * completed. Each goes as by an order to forget, with a receipt in forgotten/, a record and a line of log. It is tried
 * again until it is done, also by the next start. Kept answers of Responses are counted alone, as those that go
 * because there are too many. */
#include "accounts/accounts.h"
#include "app/forget_internal.h"
#include "app/v1.h"
#include "base/log.h"
#include "base/metrics.h"
#include "knowledge/pieces.h"
#include "models/responses_store.h"
#include "sys/clock.h"

#define LOOK_EVERY  SECOND
#define RETRY_AFTER (30 * SECOND)
#define KEEP_EVERY  (60 * SECOND)
#define ALONE_LOOK  (20 * MILLISECOND)
#define ALONE_WAIT  (10 * SECOND) /* for runs and calls that are in an expired store */
#define SCRUB_LOOKS 10
#define LIST_ARENA  ((size_t)256 * MIB)

enum { EXPIRED };
static struct metric rows[] = {
    [EXPIRED] = {"weir_expired",
                 METRIC_COUNTER,
                 "",
                 "What has expired and is removed: vector stores that were not used, files whose "
                 "time was over, uploads that were not completed, kept answers of /v1/responses.",
                 {"kind", NULL},
                 0},
};

void v1_expire_register(void)
{
    metrics_register(rows, ARRAY_LEN(rows));
}

static void count_all(const char *kind, uint64_t n)
{
    struct str value = str_from(kind);

    series_add(metrics_series(&rows[EXPIRED], &value), n);
}

static void count(const char *kind)
{
    count_all(kind, 1);
}

static SUSPENDS bool record(struct house *house, struct str note, struct err *err)
{
    return forget_note_down(house, STR("expire"), note, err);
}

/* It holds up no others: *late, it is tried again. */
static void put_off(const struct err *why, bool *late)
{
    if (why->code != ERR_CANCELLED)
        log_error("%s, and is not removed yet: it is tried again in %" PRId64 " s", why->text,
                  RETRY_AFTER / SECOND);
    *late = true;
}

/* ---- vector stores ---- */

static SUSPENDS bool wait_alone(struct base *base, struct err *err)
{
    mono_ns until = fiber_now() + ALONE_WAIT;

    while (!base_is_alone(base)) {
        if (fiber_now() > until)
            return err_set(err, ERR_UNAVAILABLE, "somebody still works in it");
        if (!fiber_sleep(ALONE_LOOK, err))
            return false;
    }
    return true;
}

/* What was in it goes, it stays by name: "expired". Recorded before that is noted, so that no end of the process leaves it
 * out. */
static SUSPENDS bool empty(struct house *house, struct arena *arena, struct base *base,
                           struct err *err)
{
    struct forget_order order = {.base = base_id(base), .emptied = true, .keep_files = true};
    struct forget_told told;

    if (!wait_alone(base, err) || !house_forget(house, arena, &order, &told, err) ||
        !record(house, forget_note(arena, &told), err) || !base_emptied(base, err))
        return false;
    log_info("vector store " STR_FMT " has expired: %zu documents of it are removed",
             STR_ARG(base_id(base)), told.documents.count);
    count("vector_store");
    return true;
}

static SUSPENDS bool expire_store(struct house *house, struct str id, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FORGET_MEMORY);
    struct base *base CLEANUP(base_release) = NULL;
    struct err gone = {0};
    bool over = false;

    if (!arena)
        return err_no_room(err, "no memory to empty it");
    if (!bases_borrow(house->bases, id, NULL, &base, &gone)) {
        *err = gone;
        return gone.code == ERR_NOT_FOUND && (*err = (struct err){0}, true);
    }
    return base_end(base, &over, err) && (!over || empty(house, arena, base, err));
}

static SUSPENDS bool expire_stores(struct house *house, bool *late, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str *ids;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to look which vector stores have expired");
    if (!bases_find_expired(house->bases, arena, &ids, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = {0};

        if (expire_store(house, ids[i], &why))
            continue;
        err_wrap(&why, "vector store " STR_FMT " has expired", STR_ARG(ids[i]));
        put_off(&why, late);
    }
    return true;
}

/* ---- files ---- */

struct look {
    const char *dir;
    struct arena *arena;
    struct shelf_file *list;
    size_t count;
    bool ok;
    struct err *err;
};

static void run_list(void *arg)
{
    struct look *l = arg;

    l->ok = shelf_list(l->dir, l->arena, STR(""), &l->list, &l->count, l->err);
}

/* Out of every store, and itself: as DELETE /v1/files/{id} does it. */
static SUSPENDS bool expire_file(struct house *house, const struct shelf_file *file,
                                 struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FORGET_MEMORY);
    struct forget_order order = {.file = file->id};
    struct forget_told told;

    if (!arena)
        return err_no_room(err, "no memory to remove it");
    struct str before =
        arena_fmt(arena, "file " STR_FMT " has expired: it and what was made from it is removed",
                  STR_ARG(file->id));
    if (!before.ptr)
        return err_arena(err, arena);
    if (!record(house, before, err) || !house_forget(house, arena, &order, &told, err))
        return false;
    struct str after = arena_fmt(arena, "file " STR_FMT " expired: " STR_FMT, STR_ARG(file->id),
                                 STR_ARG(forget_note(arena, &told)));
    if (!after.ptr)
        return err_arena(err, arena);
    log_info("file " STR_FMT " has expired: it is removed, with %zu documents", STR_ARG(file->id),
             told.documents.count);
    count("file");
    return record(house, after, err);
}

void v1_expects(struct house *house, wall_ms expires)
{
    wall_ms next = atomic_load(&house->file_expires);

    while (expires < next && !atomic_compare_exchange_weak(&house->file_expires, &next, expires))
        ;
}

static SUSPENDS void expire_listed(struct house *house, const struct shelf_file *file, wall_ms now,
                                   bool *late)
{
    struct err why = {0};

    if (!shelf_is_over(file, now))
        v1_expects(house, file->expires);
    else if (!expire_file(house, file, &why)) {
        err_wrap(&why, "file " STR_FMT " has expired", STR_ARG(file->id));
        put_off(&why, late);
        atomic_store(&house->file_expires, 0);
    }
}

/* The shelf is read when the next of its files is due, and at the start. */
static SUSPENDS bool expire_files(struct house *house, bool *late, struct err *err)
{
    wall_ms now = clock_wall();

    if (now < atomic_load(&house->file_expires))
        return true;
    struct arena *arena CLEANUP(arena_end) = arena_new(LIST_ARENA);
    struct look l = {.arena = arena, .err = err};
    if (!arena)
        return err_no_room(err, "no memory to look which files have expired");
    l.dir = arena_fmt(arena, STR_FMT "/files", STR_ARG(house->dir)).ptr;
    if (!l.dir)
        return err_arena(err, arena);
    atomic_store(&house->file_expires, INT64_MAX); /* one that comes meanwhile lowers it */
    bool ok = pool_run(house->documents, run_list, &l, err) && l.ok;
    for (size_t i = 0; ok && i < l.count; i++)
        if (l.list[i].expires)
            expire_listed(house, &l.list[i], now, late);
    if (!ok)
        atomic_store(&house->file_expires, 0);
    return ok;
}

/* ---- uploads ---- */

/* Nobody made anything of them: what came of them goes, without a receipt. */
struct uploads {
    const char *dir;
    struct arena *arena;
    struct str id;
    bool ok;
    struct err *err;
};

/* What is removed is swept by the next turn, together with what could not be removed before. */
static bool end_one(struct uploads *u, struct err *err)
{
    struct err why = {0};

    if (!pieces_sweep(u->dir, u->arena, err) ||
        !pieces_expired(u->dir, u->arena, clock_wall(), &u->id, err))
        return false;
    if (!u->id.ptr ||
        (pieces_take(u->dir, u->arena, u->id, &why) && pieces_end(u->dir, u->arena, u->id, &why)))
        return true;
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    u->id = STR_NONE; /* it was put together just now */
    return true;
}

static void run_uploads(void *arg)
{
    struct uploads *u = arg;

    u->ok = end_one(u, u->err);
}

static SUSPENDS bool expire_uploads(struct house *house, bool *late, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LIST_ARENA);
    struct uploads u = {.arena = arena, .err = err};

    (void)late;
    if (!arena)
        return err_no_room(err, "no memory to look which uploads have expired");
    u.dir = arena_fmt(arena, STR_FMT "/pieces", STR_ARG(house->dir)).ptr;
    if (!u.dir)
        return err_arena(err, arena);
    do {
        if (!pool_run(house->documents, run_uploads, &u, err) || !u.ok)
            return err_wrap(err, "an upload has expired");
        if (!u.id.ptr)
            return true;
        log_info("upload " STR_FMT " was not completed in time: it is removed", STR_ARG(u.id));
        count("upload");
        struct str note = arena_fmt(
            arena, "upload " STR_FMT " expired: it was not completed in time", STR_ARG(u.id));
        if (!note.ptr)
            return err_arena(err, arena);
        if (!record(house, note, err))
            return false;
    } while (u.id.ptr);
    return true;
}

/* ---- kept answers ---- */

static SUSPENDS bool expire_responses(struct house *house, bool *late, struct err *err)
{
    int64_t gone = 0;

    (void)late;
    if (!responses_expire(house->responses, &gone, err))
        return err_wrap(err, "kept answers have expired");
    if (gone > 0)
        count_all("response", (uint64_t)gone);
    return true;
}

/* Also of those that their clients delete. */
static SUSPENDS bool scrub_responses(struct house *house, bool *late, struct err *err)
{
    (void)late;
    for (int look = 1; !responses_scrub(house->responses, err); look++) {
        if (err->code != ERR_UNAVAILABLE || look == SCRUB_LOOKS)
            return err_wrap(err, "what was said in kept answers is deleted");
        *err = (struct err){0}; /* somebody reads */
        if (!fiber_sleep(ALONE_LOOK, err))
            return false;
    }
    return true;
}

/* ---- the loop ---- */

/* Of each kind, whatever the others say. */
static SUSPENDS bool expire_all(struct house *house, bool minute)
{
    static const struct {
        SUSPENDS bool (*run)(struct house *house, bool *late, struct err *err);
        bool each_minute;
    } kinds[] = {{expire_stores, false},
                 {expire_files, false},
                 {expire_uploads, true},
                 {expire_responses, true},
                 {scrub_responses, false}};
    bool late = false;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct err why = {0};

        if ((!kinds[i].each_minute || minute) && !kinds[i].run(house, &late, &why))
            put_off(&why, &late);
    }
    return !late;
}

void v1_expire_loop(void *arg)
{
    struct house *house = arg;
    mono_ns kept = 0;
    struct err err = {0};

    while (fiber_sleep(LOOK_EVERY, &err)) {
        bool minute = !kept || fiber_now() >= kept + KEEP_EVERY; /* ... is over, or at the start */

        if (minute) {
            bases_keep_used(house->bases);
            kept = fiber_now();
        }
        if (!expire_all(house, minute) && !fiber_sleep(RETRY_AFTER, &err))
            return;
    }
}
