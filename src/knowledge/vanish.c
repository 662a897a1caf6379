#include "knowledge/vanish.h"

#include "knowledge/forget.h"
#include "knowledge/knowledge_internal.h"

#define MEMORY ((size_t)256 * MIB)

/* At once so many as a receipt lists. */
static size_t next_part(const struct ingest_report *report, size_t from)
{
    return MIN_OF(report->vanished_count - from, (size_t)FORGET_DOCUMENTS_MAX);
}

/* What cannot be read is counted as failed. */
static void count(struct ingest_report *report, uint64_t removed)
{
    report->removed = (uint32_t)(removed - MIN_OF(removed, (uint64_t)report->unreadable));
}

static bool erase_part(struct knowledge *k, struct vanished *list, size_t n, uint64_t *removed,
                       struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct forget_wish wish = {.vanished = list, .vanished_count = n};
    struct forget_report went;

    if (!arena)
        return err_no_room(err, "no memory to remove what vanished");
    if (!erase_now(k, arena, &wish, &went, err))
        return false;
    *removed += went.count;
    return true;
}

static bool erase_all(struct knowledge *k, struct ingest_report *report, struct err *err)
{
    uint64_t removed = 0;
    size_t part;

    for (size_t i = 0; i < report->vanished_count; i += part) {
        part = next_part(report, i);
        if (!erase_part(k, report->vanished + i, part, &removed, err))
            return false;
        count(report, removed);
    }
    return true;
}

/* The list lives no longer than the run. */
static bool end(struct ingest_report *report, bool ok, struct err *err)
{
    report->vanished = NULL;
    report->vanished_count = 0;
    return ok || err_wrap(err, "remove documents that their source no longer has");
}

bool vanish_now(struct knowledge *k, struct ingest_report *report, struct err *err)
{
    return end(report, erase_all(k, report, err), err);
}

struct vanishing {
    struct knowledge *knowledge;
    struct ingest_report *report;
    bool ok;
    struct err *err;
};

static void run_vanish(void *arg)
{
    struct vanishing *v = arg;

    v->ok = erase_all(v->knowledge, v->report, v->err);
}

static SUSPENDS bool tell(struct knowledge *k, struct ingest_report *report, struct err *err)
{
    uint64_t removed = 0;
    size_t part;

    for (size_t i = 0; i < report->vanished_count; i += part) {
        uint64_t went = 0;

        part = next_part(report, i);
        if (!k->vanish.fn(k->vanish.ctx, k->base, report->vanished + i, part, &went, err))
            return false;
        removed += went;
        count(report, removed);
    }
    return true;
}

bool knowledge_vanish(struct knowledge *k, struct ingest_report *report, struct err *err)
{
    struct vanishing v = {.knowledge = k, .report = report, .err = err};

    if (report->vanished_count == 0)
        return true;
    bool ok =
        k->vanish.fn ? tell(k, report, err) : pool_run(k->ingest, run_vanish, &v, err) && v.ok;
    return end(report, ok, err);
}
