/* What was taken out of a document by a change goes from the answers that are kept too: those made from text that it does
 * not have any more, and what went on from them. Answers whose every source still stands there stay, so that a talk
 * survives a correction elsewhere. Until one has gone nobody is given it: bases_stand() is asked whenever one is. */
#include "app/forget.h"
#include "base/log.h"
#include "knowledge/stands.h"
#include "models/responses_store.h"

#define LOOK_EVERY  (100 * MILLISECOND)
#define RETRY_AFTER (30 * SECOND)
#define LOOK_ARENA  ((size_t)64 * MIB)

bool house_stands(void *ctx, struct arena *arena, struct str sources, const struct principal *who,
                  enum made_from *out, struct err *err)
{
    struct house *house = ctx;

    return bases_stand(house->bases, arena, sources, who, out, err);
}

void house_documents_changed(void *ctx)
{
    struct house *house = ctx;

    atomic_store(&house->changed, true);
}

/* Those of one page that do not stand go; *last: its last id, empty: there is no more. */
static SUSPENDS bool look_at_page(struct house *house, struct str base, char last[64],
                                  int64_t *gone, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOOK_ARENA);
    struct responses_made *made;
    size_t count;
    struct buf b;

    if (!arena)
        return err_no_room(err, "no memory to look through kept answers");
    if (!responses_of_base(house->responses, arena, base, str_from(last), &made, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t some = 0;
        enum made_from found;

        if (!bases_stand(house->bases, arena, made[i].sources, NULL, &found, err) ||
            (found != MADE_STANDS && !responses_drop(house->responses, made[i].id, &some, err)))
            return false;
        if (found == MADE_UNREADABLE)
            log_warn("kept answer " STR_FMT " goes: what is written down of the documents it was "
                     "made from is damaged",
                     STR_ARG(made[i].id));
        *gone += some;
    }
    buf_init_fixed(&b, last, 63);
    if (count > 0)
        buf_str(&b, str_slice(made[count - 1].id, 0, 60));
    last[b.len] = '\0';
    return true;
}

static SUSPENDS bool look_through(struct house *house, struct str id, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    bool scrubbed;
    int64_t gone = 0;
    char last[64] = "";

    if (!bases_borrow(house->bases, id, NULL, &base, err) ||
        !stands_take(base_knowledge(base), err))
        return false;
    do {
        if (house->responses && !look_at_page(house, id, last, &gone, err))
            return false;
    } while (last[0]);
    if (gone > 0 && !store_scrub(house->store, &scrubbed, err))
        return false;
    if (gone > 0)
        log_info("knowledge base " STR_FMT ": %" PRId64
                 " kept answers are gone: they were made from text that its documents do not have "
                 "any more",
                 STR_ARG(id), gone);
    return stands_done(base_knowledge(base), err);
}

/* A base whose documents did not change is not opened for it; one that cannot be looked through keeps its mark. */
static SUSPENDS bool look_everywhere(struct house *house, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOOK_ARENA);
    struct base_info *all;
    size_t count;
    bool ok = true;

    if (!arena)
        return err_no_room(err, "no memory to look through kept answers");
    if (!bases_list(house->bases, arena, NULL, &all, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = {0};

        if (!bases_has_file(house->bases, all[i].id, CHANGED) &&
            !bases_has_file(house->bases, all[i].id, CHANGED_TAKEN))
            continue;
        if (look_through(house, all[i].id, &why) || why.code == ERR_NOT_FOUND)
            continue;
        *err = why;
        ok = false;
        if (why.code == ERR_CANCELLED)
            return false;
    }
    return ok;
}

void house_changed_loop(void *arg)
{
    struct house *house = arg;
    struct err err = {0};

    atomic_store(&house->changed, true); /* what the last process left */
    while (fiber_sleep(LOOK_EVERY, &err)) {
        struct err why = {0};

        if (!atomic_exchange(&house->changed, false))
            continue;
        if (look_everywhere(house, &why))
            continue;
        if (why.code != ERR_CANCELLED)
            log_warn(
                "kept answers made from what documents had before are not given, but stand in the "
                "database until it can be looked through: %s",
                why.text);
        atomic_store(&house->changed, true);
        if (!fiber_sleep(RETRY_AFTER, &err))
            return;
    }
}
