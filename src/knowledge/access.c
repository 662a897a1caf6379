#include "knowledge/access.h"

#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/metadata.h"
#include "knowledge/rights.h"
#include "sys/mutex.h"

#define ACCESS_ARENA ((size_t)256 * MIB)
#define SCRATCH_MAX  ((size_t)1 * MIB)
#define IDENTITY_MAX ((size_t)64 * KIB)

struct kept {
    struct access access; /* first: what the caller holds */
    struct accesses *all;
    struct arena *arena;
    struct str identity; /* whose, and by which filter; empty: everyone's, without one */
    struct lexical_view *view;
    uint32_t holders; /* under all->mutex, like what follows */
    uint64_t used;    /* when last, by all->clock */
    bool listed;      /* in all->at; else it goes with its last holder */
};

struct accesses {
    struct arena *arena;
    struct knowledge *knowledge;
    struct mutex mutex;
    struct kept *at[ACCESSES_MAX];
    size_t count;
    uint64_t clock;
    /* Of the newest view: does any document have readers? Asked of each view once. */
    uint64_t known_view; /* its number; 0: none */
    bool restricted;
};

struct accesses *accesses_new(struct knowledge *knowledge)
{
    struct arena *arena = arena_new(64 * KIB);
    struct accesses *all = arena ? arena_alloc(arena, sizeof *all) : NULL;

    if (!all) {
        arena_end(&arena);
        return NULL;
    }
    all->arena = arena;
    all->knowledge = knowledge;
    mutex_init(&all->mutex);
    return all;
}

static void drop(struct kept *kept)
{
    struct arena *arena = kept->arena;

    lexical_release(&kept->view);
    arena_end(&arena);
}

/* Under the mutex. */
static void unlist(struct accesses *all, size_t i)
{
    struct kept *kept = all->at[i];

    all->at[i] = all->at[--all->count];
    kept->listed = false;
    if (kept->holders == 0)
        drop(kept);
}

void accesses_free(struct accesses **accesses)
{
    struct accesses *all = *accesses;

    if (!all)
        return;
    while (all->count > 0) {
        ASSERT(all->at[0]->holders == 0);
        unlist(all, 0);
    }
    mutex_done(&all->mutex);
    struct arena *arena = all->arena;
    arena_end(&arena);
    *accesses = NULL;
}

static void forget_others(struct accesses *all, const struct lexical_view *newest)
{
    for (size_t i = all->count; i-- > 0;)
        if (all->at[i]->view != newest)
            unlist(all, i);
}

void accesses_forget(struct knowledge *knowledge)
{
    struct lexical *index = atomic_load(&knowledge->index);
    struct lexical_view *newest CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct accesses *all = knowledge->accesses;

    atomic_store(&knowledge->is_stale, true);
    mutex_lock(&all->mutex);
    forget_others(all, newest);
    mutex_unlock(&all->mutex);
}

void access_release(struct access **held)
{
    struct kept *kept = (struct kept *)(void *)*held;

    if (!kept)
        return;
    struct accesses *all = kept->all;
    mutex_lock(&all->mutex);
    ASSERT(kept->holders > 0);
    if (--kept->holders == 0 && !kept->listed)
        drop(kept);
    mutex_unlock(&all->mutex);
    *held = NULL;
}

/* --- whose ------------------------------------------------------------------------------------ */

static bool any_readers(const struct lexical_view *view)
{
    for (uint64_t i = 0; i < lexical_stats(view).documents; i++) {
        struct lexical_document_info info = lexical_document_at(view, i);
        struct document_record record;

        if (!document_record_read(info.record, &record) || record.readers.len > 0)
            return true; /* what cannot be read is looked at with care */
    }
    return false;
}

static bool is_restricted(struct accesses *all, const struct lexical_view *view)
{
    bool known, restricted;

    mutex_lock(&all->mutex);
    known = all->known_view == lexical_view_number(view);
    restricted = all->restricted;
    mutex_unlock(&all->mutex);
    if (known)
        return restricted;
    restricted = any_readers(view);
    mutex_lock(&all->mutex);
    all->known_view = lexical_view_number(view);
    all->restricted = restricted;
    mutex_unlock(&all->mutex);
    return restricted;
}

static bool identity_of(struct arena *arena, const struct knowledge_question *q, bool restricted,
                        struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, arena, IDENTITY_MAX);
    if (q->who && restricted)
        buf_fmt(&b, STR_FMT "\n" STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(q->who->tenant),
                STR_ARG(q->who->team), STR_ARG(q->who->key_id), STR_ARG(q->who->tag_list));
    if (q->filter.len > 0)
        buf_fmt(&b, "\n\n" STR_FMT, STR_ARG(q->filter));
    return buf_finish(&b, out, err);
}

/* --- making ----------------------------------------------------------------------------------- */

struct sieve {
    const struct principal *who; /* NULL: all readers */
    const struct metadata_filter *filter;
    struct arena *scratch;
};

static bool allows(void *context, uint64_t i, const struct lexical_document_info *document)
{
    const struct sieve *sieve = context;
    struct document_record record;
    bool fits;

    (void)i;
    if (!document_record_read(document->record, &record))
        return false;
    if (sieve->who && !readers_allow(record.readers, sieve->who))
        return false;
    if (!sieve->filter)
        return true;
    size_t mark = arena_mark(sieve->scratch);
    fits = metadata_filter_fits(sieve->filter, sieve->scratch, record.metadata);
    arena_rewind(sieve->scratch, mark);
    return fits;
}

static bool make_filter(struct kept *kept, const struct knowledge_question *q, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(SCRATCH_MAX);
    struct metadata_filter *filter = NULL;
    struct lexical_filter *made;
    struct json *j;

    if (!scratch)
        return err_no_room(err, "no memory to see who may read what");
    if (q->filter.len > 0) {
        j = json_parse(scratch, q->filter, err);
        if (!j)
            return err_wrap(err, "filter");
        if (!metadata_filter_read(scratch, j, json_root(j), &filter, err))
            return false;
    }
    struct sieve sieve = {.who = q->who, .filter = filter, .scratch = scratch};
    if (!lexical_filter_make(kept->view, kept->arena, allows, &sieve, &made, err))
        return false;
    kept->access.filter = made;
    return true;
}

static struct kept *make(struct accesses *all, struct lexical_view *view, struct str identity,
                         const struct knowledge_question *q, struct err *err)
{
    struct arena *arena = arena_new(ACCESS_ARENA);
    struct kept *kept = arena ? arena_alloc(arena, sizeof *kept) : NULL;

    if (!kept) {
        arena_end(&arena);
        err_no_room(err, "no memory to see who may read what");
        return NULL;
    }
    *kept = (struct kept){.all = all, .arena = arena, .view = view, .holders = 1};
    kept->access.view = view;
    kept->identity = arena_str(arena, identity);
    if (!kept->identity.ptr)
        err_arena(err, arena);
    else if (identity.len == 0 || make_filter(kept, q, err))
        return kept;
    arena_end(&arena); /* the view is still the caller's */
    return NULL;
}

/* --- keeping ---------------------------------------------------------------------------------- */

/* Under the mutex: one of this view, for this identity, or NULL. */
static struct kept *find(struct accesses *all, const struct lexical_view *view, struct str identity)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i]->view == view && str_eq(all->at[i]->identity, identity)) {
            all->at[i]->holders++;
            all->at[i]->used = ++all->clock;
            return all->at[i];
        }
    return NULL;
}

/* What others take over. One of a view that is the newest no more is not kept: a commit has forgotten those that were, and
 * nobody would forget this one, nor what the commit removed. */
static void keep(struct accesses *all, struct kept *kept)
{
    struct lexical *index = atomic_load(&all->knowledge->index);
    struct lexical_view *newest CLEANUP(lexical_release) = lexical_borrow(index);
    size_t oldest = 0;

    if (kept->view != newest)
        return;
    forget_others(all, newest);
    if (all->count == ACCESSES_MAX) {
        for (size_t i = 1; i < all->count; i++)
            if (all->at[i]->used < all->at[oldest]->used)
                oldest = i;
        unlist(all, oldest);
    }
    kept->listed = true;
    kept->used = ++all->clock;
    all->at[all->count++] = kept;
}

bool access_borrow(struct knowledge *knowledge, const struct knowledge_question *q,
                   struct access **out, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(IDENTITY_MAX + 16 * KIB);
    struct lexical *index = index_of(knowledge, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct accesses *all = knowledge->accesses;
    struct str identity;
    struct kept *kept;

    if (!view)
        return false;
    if (!scratch)
        return err_no_room(err, "no memory to see who may read what");
    if (!identity_of(scratch, q, is_restricted(all, view), &identity, err))
        return false;
    mutex_lock(&all->mutex);
    kept = find(all, view, identity);
    mutex_unlock(&all->mutex);
    if (!kept) {
        kept = make(all, view, identity, q, err);
        if (!kept)
            return false;
        view = NULL; /* the access's now */
        mutex_lock(&all->mutex);
        keep(all, kept);
        mutex_unlock(&all->mutex);
    }
    *out = &kept->access;
    return true;
}
