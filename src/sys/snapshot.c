/* A borrow reads the newest object and counts itself in one atomic addition: the word `newest` holds
 * the place of the object above and the number of borrows since its publication below. Releases are
 * counted in the place itself. As long as the object is the newest its count only sinks; whoever
 * replaces it adds the number of borrows, and from then on it is the number of readers left, so that
 * exactly one, the replacer or the last reader, brings it to zero and frees the object. */
#include "sys/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pages.h"

/* Versions that readers may hold at once: more than there is memory for. Of their room only what was ever used is real. */
#define PLACES     65536
#define PLACE_BITS 16
#define COUNT_BITS (64 - PLACE_BITS)
#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)

struct place {
    struct snapshot *home;
    void *object;
    _Atomic int64_t readers; /* see above */
    atomic_bool is_taken;
};

struct snapshot {
    void (*free_object)(void *object);
    _Atomic uint64_t newest, version;
    pthread_mutex_t publishing;
    size_t bytes;
    uint64_t used;        /* places up to here were taken once; under `publishing` */
    struct place *places; /* place 0 stands for "nothing published" and is never freed */
};

#define PLACES_BYTES (PLACES * sizeof(struct place))
static_assert(PLACES <= 1 << PLACE_BITS, "a place fits its bits");

struct snapshot *snapshot_new(void (*free_object)(void *object))
{
    size_t bytes;
    struct snapshot *s = pages_take(sizeof *s, &bytes);

    if (!s)
        return NULL;
    memset(s, 0, sizeof *s);
    s->places = mmap(NULL, PLACES_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->places == MAP_FAILED) {
        pages_give(s, bytes);
        return NULL;
    }
    s->free_object = free_object;
    s->bytes = bytes;
    pthread_mutex_init(&s->publishing, NULL);
    s->places[0].is_taken = true;
    return s;
}

static void free_place(struct place *p)
{
    void *object = p->object;
    const struct snapshot *home = p->home;

    p->object = NULL;
    atomic_store_explicit(&p->is_taken, false,
                          memory_order_release); /* from here it may be another's */
    if (object)
        home->free_object(object);
}

static uint64_t take_place(struct snapshot *s, void *object)
{
    for (uint64_t i = 1; i < PLACES; i++) {
        struct place *p = &s->places[i];

        if (atomic_load_explicit(&p->is_taken, memory_order_acquire))
            continue;
        p->home = s;
        p->object = object;
        s->used = MAX_OF(s->used, i);
        atomic_store_explicit(&p->readers, 0, memory_order_relaxed);
        atomic_store_explicit(&p->is_taken, true, memory_order_relaxed);
        return i;
    }
    ASSERT(false); /* somebody borrows and does not release */
    return 0;
}

static void replace(struct snapshot *s, uint64_t place)
{
    uint64_t old = atomic_exchange_explicit(&s->newest, place << COUNT_BITS, memory_order_acq_rel);
    struct place *p = &s->places[old >> COUNT_BITS];
    int64_t borrows = (int64_t)(old & COUNT_MASK);

    if (p == &s->places[0])
        return;
    if (atomic_fetch_add_explicit(&p->readers, borrows, memory_order_acq_rel) + borrows == 0)
        free_place(p);
}

void snapshot_publish(struct snapshot *s, void *object)
{
    pthread_mutex_lock(&s->publishing);
    replace(s, take_place(s, object));
    atomic_fetch_add_explicit(&s->version, 1, memory_order_relaxed);
    pthread_mutex_unlock(&s->publishing);
}

const void *snapshot_borrow(struct snapshot *s, void **held)
{
    uint64_t newest = atomic_fetch_add_explicit(&s->newest, 1, memory_order_acquire);
    struct place *p = &s->places[newest >> COUNT_BITS];

    *held = p;
    return p->object;
}

void snapshot_release(void **held)
{
    struct place *p = *held;

    if (!p)
        return;
    *held = NULL;
    if (atomic_fetch_sub_explicit(&p->readers, 1, memory_order_acq_rel) == 1)
        free_place(p);
}

uint64_t snapshot_version(const struct snapshot *s)
{
    return atomic_load_explicit(&s->version, memory_order_relaxed);
}

void snapshot_free(struct snapshot **snapshot)
{
    struct snapshot *s = *snapshot;

    if (!s)
        return;
    replace(s, 0);
    for (uint64_t i = 1; i <= s->used; i++)
        ASSERT(!s->places[i].is_taken); /* a reader is left */
    munmap(s->places, PLACES_BYTES);
    pthread_mutex_destroy(&s->publishing);
    pages_give(s, s->bytes);
    *snapshot = NULL;
}
