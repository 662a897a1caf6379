#include "cache/flight.h"

#include <string.h>

#include "base/pages.h"
#include "base/spin.h"
#include "sys/mutex.h"

#define SHARDS      64
#define PORTS_MAX   48 /* loops that may wait for one flight */
#define ROOM_WAIT   (100 * MILLISECOND)
#define BLOCK_FIRST ((size_t)4096)
#define BLOCK_MOST  ((size_t)65536)

enum flight_state { LEADING, TALKING, DONE, FAILED };

struct flight_block {
    struct flight_block *next;
    size_t got; /* bytes of the page */
    size_t len, cap;
    uint32_t here; /* readers that stand in it */
    char bytes[];
};

/* Those who wait on one loop. */
struct flight_port {
    struct flight *flight;
    struct loop *loop;
    struct ring readers;
    uint32_t waiting;
    bool posted; /* a letter is under way, with a reference of its own */
};

struct flight {
    struct mutex lock; /* of everything below but refs, key and next */
    atomic_uint refs;
    size_t got;
    struct flights *all;
    struct cache_key key;
    struct flight *next; /* in its shard, under the shard's lock */
    bool listed;         /* the same */
    struct loop *home;   /* of the leader */
    enum flight_state state;
    struct flight_head head;
    struct chat_meter meter;
    struct err why;
    struct entry *entry;
    struct flight_block *first, *last;
    size_t total, outstanding;  /* bytes ever, bytes kept */
    uint32_t readers, unplaced; /* unplaced: have read nothing yet */
    bool closed;
    bool given_up;     /* its leader is gone and nobody reads: nobody joins any more */
    struct event room; /* home: the fetch waits for readers */
    bool room_wanted;
    void (*alone)(void *arg);
    void *alone_arg;
    uint32_t port_count;
    size_t text_len; /* of text[]: what the head views */
    struct flight_port ports[PORTS_MAX];
    char text[1024];
};

struct flights {
    size_t bytes_max;
    struct flight_shard {
        struct spin lock;
        struct flight *first;
        uint32_t count;
        char apart[64]; /* from the next one's cache line */
    } shards[SHARDS];
};

struct flights *flights_new(struct arena *arena, size_t bytes_max)
{
    struct flights *all = arena_alloc(arena, sizeof *all);

    if (all)
        all->bytes_max = bytes_max;
    return all;
}

uint32_t flights_count(struct flights *all)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        spin_lock(&all->shards[i].lock);
        count += all->shards[i].count;
        spin_unlock(&all->shards[i].lock);
    }
    return count;
}

void flights_close(struct flights *all)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct flight_shard *s = &all->shards[i];

        spin_lock(&s->lock);
        for (struct flight *f = s->first; f; f = f->next)
            f->listed = false;
        s->first = NULL;
        s->count = 0;
        spin_unlock(&s->lock);
    }
}

void flights_free(struct flights *all)
{
    ASSERT(flights_count(all) == 0);
}

static struct flight_shard *shard_of(struct flights *all, const struct cache_key *key)
{
    return &all->shards[key->bytes[1] % SHARDS];
}

static struct flight *new_flight(struct flights *all, const struct cache_key *key)
{
    size_t got;
    struct flight *f = pages_take(sizeof *f, &got);

    if (!f)
        return NULL;
    memset(f, 0,
           offsetof(struct flight, ports)); /* ports and texts are written before they are read */
    mutex_init(&f->lock);
    f->got = got;
    f->all = all;
    f->key = *key;
    f->home = loop_self();
    atomic_init(&f->refs, 1);
    return f;
}

static void free_flight(struct flight *f)
{
    ASSERT(!f->listed && f->readers == 0);
    for (struct flight_block *b = f->first, *next; b; b = next) {
        next = b->next;
        pages_give(b, b->got);
    }
    entry_unref(&f->entry);
    mutex_done(&f->lock);
    pages_give(f, f->got);
}

void flight_unref(struct flight **at)
{
    struct flight *f = *at;

    *at = NULL;
    if (f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
        free_flight(f);
}

static struct flight *find(struct flight_shard *s, const struct cache_key *key)
{
    struct flight *f = s->first;

    while (f && memcmp(&f->key, key, sizeof *key) != 0)
        f = f->next;
    return f;
}

enum flight_part flight_board(struct flights *all, const struct cache_key *key, bool alone,
                              struct flight **out)
{
    struct flight_shard *s = shard_of(all, key);
    struct flight *made = new_flight(all, key), *found;

    if (!made)
        return FLIGHT_NONE;
    spin_lock(&s->lock);
    found = find(s, key);
    if (found) {
        atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
    } else {
        made->next = s->first;
        made->listed = true;
        s->first = made;
        s->count++;
    }
    spin_unlock(&s->lock);
    if (!found) {
        *out = made;
        return FLIGHT_LEADS;
    }
    flight_unref(&made);
    if (alone) {
        flight_unref(&found);
        return FLIGHT_NONE;
    }
    *out = found;
    return FLIGHT_JOINS;
}

/* From here on who asks the same leads anew. */
static void unlist(struct flight *f)
{
    struct flight_shard *s = shard_of(f->all, &f->key);

    spin_lock(&s->lock);
    if (f->listed) {
        struct flight **at = &s->first;

        while (*at != f)
            at = &(*at)->next;
        *at = f->next;
        f->listed = false;
        s->count--;
    }
    spin_unlock(&s->lock);
}

/* ---- waking ---- */

/* With the lock held, on the port's own loop. */
static void wake_readers(struct flight_port *port)
{
    for (struct ring *at = port->readers.after; at != &port->readers; at = at->after) {
        struct flight_reader *r = CONTAINER_OF(at, struct flight_reader, link);

        if (r->waiting) {
            r->waiting = false;
            port->waiting--;
            event_set(&r->news);
        }
    }
}

static void letter_arrives(void *arg)
{
    struct flight_port *port = arg;
    struct flight *f = port->flight;

    mutex_lock(&f->lock);
    port->posted = false;
    wake_readers(port);
    mutex_unlock(&f->lock);
    flight_unref(&f);
}

/* With the lock held: readers that wait keep their loops alive, so a letter reaches someone. A full
 * letter box is tried again with the next piece, and at the end until it is not (flight_end()). */
static bool tell_readers(struct flight *f)
{
    bool all_told = true;

    for (uint32_t i = 0; i < f->port_count; i++) {
        struct flight_port *port = &f->ports[i];

        if (port->waiting == 0 || port->posted)
            continue;
        if (port->loop == loop_self()) {
            wake_readers(port);
            continue;
        }
        atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
        port->posted = loop_post(port->loop, letter_arrives, port);
        if (!port->posted)
            atomic_fetch_sub_explicit(&f->refs, 1, memory_order_relaxed);
        all_told &= port->posted;
    }
    return all_told;
}

static void room_arrives(void *arg)
{
    struct flight *f = arg;

    event_set(&f->room);
    flight_unref(&f);
}

/* Nobody reads: it ends, and who would join now had the beginning of an answer and then an error. Somebody does,
 * who came since the letter was written: the last of them to leave writes another. */
static void end_if_alone(struct flight *f)
{
    mutex_lock(&f->lock);
    void (*fn)(void *arg) = f->readers == 0 ? f->alone : NULL;
    f->given_up |= fn != NULL;
    mutex_unlock(&f->lock);
    if (!fn)
        return;
    unlist(f);
    fn(f->alone_arg);
}

static void alone_arrives(void *arg)
{
    struct flight *f = arg;

    end_if_alone(f);
    flight_unref(&f);
}

/* With the lock held. The leader waits on its loop until the flight is over, so that loop is alive. False: its letter
 * box is full. */
static bool tell_home(struct flight *f, fiber_fn *letter)
{
    bool told;

    if (letter == room_arrives && f->home == loop_self()) {
        event_set(&f->room);
        return true;
    }
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    told = loop_post(f->home, letter, f);
    if (!told)
        atomic_fetch_sub_explicit(&f->refs, 1, memory_order_relaxed);
    return told;
}

/* With the lock held. Nobody comes after the last reader who could tell it again: true once it need not be told. */
static bool tell_alone(struct flight *f)
{
    return !f->alone || f->readers > 0 || tell_home(f, alone_arrives);
}

/* ---- who leads ---- */

static struct str keep_text(struct flight *f, struct str s)
{
    struct str kept = {f->text + f->text_len,
                       MIN_OF(s.len, MIN_OF((size_t)200, sizeof f->text - f->text_len))};

    if (kept.len)
        memcpy(f->text + f->text_len, s.ptr, kept.len);
    f->text_len += kept.len;
    return kept;
}

bool flight_begin(struct flight *f, const struct flight_head *head, struct err *err)
{
    (void)err;
    mutex_lock(&f->lock);
    ASSERT(f->state == LEADING);
    f->head = *head;
    f->head.content_type = keep_text(f, head->content_type);
    f->head.provider = keep_text(f, head->provider);
    f->head.remote_model = keep_text(f, head->remote_model);
    f->head.request_id = keep_text(f, head->request_id);
    f->head.notes = keep_text(f, head->notes);
    f->state = TALKING;
    (void)tell_readers(f);
    mutex_unlock(&f->lock);
    return true;
}

static struct flight_block *new_block(size_t least, size_t before)
{
    size_t want = MIN_OF(MAX_OF(2 * before, BLOCK_FIRST), BLOCK_MOST), got;
    struct flight_block *b = pages_take(MAX_OF(want, least + sizeof *b), &got);

    if (b)
        *b = (struct flight_block){.got = got, .cap = got - sizeof *b};
    return b;
}

/* A piece stands in one block, so that no reader ever holds half an event. */
static bool put_piece(struct flight *f, struct str bytes)
{
    struct flight_block *b = f->last;

    if (!b || b->cap - b->len < bytes.len) {
        b = new_block(bytes.len, b ? b->got : 0);
        if (!b)
            return false;
        if (f->last)
            f->last->next = b;
        else
            f->first = b;
        f->last = b;
    }
    memcpy(b->bytes + b->len, bytes.ptr, bytes.len);
    b->len += bytes.len;
    f->total += bytes.len;
    f->outstanding += bytes.len;
    return true;
}

/* With the lock held: what nobody needs any more. Newcomers begin at the first block, so only when there
 * are none to come. */
static void drop_read(struct flight *f)
{
    while (f->closed && f->unplaced == 0 && f->first != f->last && f->first->here == 0) {
        struct flight_block *b = f->first;

        f->first = b->next;
        f->outstanding -= b->len;
        pages_give(b, b->got);
    }
}

/* By whole blocks: one is always there. */
static bool is_behind(const struct flight *f)
{
    return f->outstanding > f->all->bytes_max && f->first != f->last;
}

static bool is_full(struct flight *f)
{
    bool full;

    mutex_lock(&f->lock);
    drop_read(f);
    full = f->closed && f->readers > 0 && is_behind(f);
    f->room_wanted = full;
    if (full)
        event_clear(&f->room);
    mutex_unlock(&f->lock);
    return full;
}

/* A while and no longer: the letter that says there is room may not have found a place. */
static SUSPENDS bool wait_for_room(struct flight *f, struct err *err)
{
    struct scope limit;
    struct err late;

    scope_open(&limit, fiber_now() + ROOM_WAIT);
    (void)!event_wait(&f->room, &late);
    scope_close(&limit);
    return fiber_still_wanted(err);
}

bool flight_append(struct flight *f, struct str bytes, const struct chat_meter *meter,
                   struct err *err)
{
    bool ok = true, closes;

    mutex_lock(&f->lock);
    ASSERT(f->state == TALKING);
    f->meter = *meter;
    if (bytes.len)
        ok = put_piece(f, bytes);
    closes = !f->closed && f->total > f->all->bytes_max;
    f->closed |= closes;
    (void)tell_readers(f);
    mutex_unlock(&f->lock);
    if (!ok)
        return err_no_room(err, "no memory for an answer that others wait for");
    if (closes)
        unlist(f);
    while (is_full(f))
        if (!wait_for_room(f, err))
            return false;
    return true;
}

/* Unlisted first: who comes now finds the entry, or leads anew. */
static void end(struct flight *f, enum flight_state state, struct entry *entry,
                const struct err *why, const struct chat_meter *meter)
{
    bool all_told;

    unlist(f);
    mutex_lock(&f->lock);
    ASSERT(f->state == LEADING || f->state == TALKING);
    f->state = state;
    if (entry)
        f->entry = entry_ref(entry);
    if (why)
        f->why = *why;
    f->alone = NULL;
    if (meter)
        f->meter = *meter;
    all_told = tell_readers(f);
    mutex_unlock(&f->lock);
    while (!all_told) { /* a letter box is full: its loop is alive and will empty it */
        fiber_yield();
        mutex_lock(&f->lock);
        all_told = tell_readers(f);
        mutex_unlock(&f->lock);
    }
}

void flight_say_when(struct flight *f, struct str retry_after)
{
    mutex_lock(&f->lock);
    f->head.retry_after = keep_text(f, retry_after);
    mutex_unlock(&f->lock);
}

void flight_finish(struct flight *f, struct entry *entry, const struct chat_meter *meter)
{
    end(f, DONE, entry, NULL, meter);
}

void flight_fail(struct flight *f, const struct err *why, const struct chat_meter *meter)
{
    end(f, FAILED, NULL, why, meter);
}

bool flight_bytes(struct flight *f, size_t *total)
{
    mutex_lock(&f->lock);
    bool whole = !f->closed;
    *total = f->total;
    mutex_unlock(&f->lock);
    return whole;
}

void flight_copy(struct flight *f, char *to)
{
    for (const struct flight_block *b = f->first; b; b = b->next) { /* only the fetch appends */
        memcpy(to, b->bytes, b->len);
        to += b->len;
    }
}

uint32_t flight_readers(struct flight *f)
{
    mutex_lock(&f->lock);
    uint32_t readers = f->readers;
    mutex_unlock(&f->lock);
    return readers;
}

struct chat_meter flight_meter(struct flight *f)
{
    mutex_lock(&f->lock);
    struct chat_meter meter = f->meter;
    mutex_unlock(&f->lock);
    return meter;
}

bool flight_is_over(struct flight *f)
{
    mutex_lock(&f->lock);
    bool over = f->state == DONE || f->state == FAILED;
    mutex_unlock(&f->lock);
    return over;
}

void flight_when_alone(struct flight *f, void (*fn)(void *arg), void *arg)
{
    mutex_lock(&f->lock);
    bool over = f->state == DONE || f->state == FAILED;
    f->alone = over ? NULL : fn;
    f->alone_arg = arg;
    mutex_unlock(&f->lock);
    end_if_alone(f);
}

/* ---- who reads ---- */

static struct flight_port *port_of(struct flight *f)
{
    struct loop *here = loop_self();

    for (uint32_t i = 0; i < f->port_count; i++)
        if (f->ports[i].loop == here)
            return &f->ports[i];
    if (f->port_count == PORTS_MAX)
        return NULL;
    struct flight_port *port = &f->ports[f->port_count++];

    *port = (struct flight_port){.flight = f, .loop = here};
    ring_init(&port->readers);
    return port;
}

bool flight_attach(struct flight *f, struct flight_reader *r)
{
    *r = (struct flight_reader){.flight = f};
    mutex_lock(&f->lock);
    r->port = f->closed || f->given_up ? NULL : port_of(f);
    if (r->port) {
        ring_append(&r->port->readers, &r->link);
        f->readers++;
        f->unplaced++;
    }
    mutex_unlock(&f->lock);
    return r->port != NULL;
}

void flight_detach(struct flight_reader *r)
{
    struct flight *f = r->flight;
    bool told;

    if (!r->port)
        return;
    mutex_lock(&f->lock);
    ring_remove(&r->link);
    r->port->waiting -= r->waiting;
    r->port = NULL;
    if (r->block)
        r->block->here--;
    else
        f->unplaced--;
    f->readers--;
    if (f->room_wanted)
        (void)tell_home(f, room_arrives); /* else wait_for_room() looks by itself */
    told = tell_alone(f);
    mutex_unlock(&f->lock);
    while (!told) {
        fiber_yield();
        mutex_lock(&f->lock);
        told = tell_alone(f);
        mutex_unlock(&f->lock);
    }
}

/* With the lock held; released. Waits until something has changed. */
static SUSPENDS bool wait_unlocked(struct flight_reader *r, struct err *err)
{
    event_clear(&r->news);
    r->waiting = true;
    r->port->waiting++;
    mutex_unlock(&r->flight->lock);
    if (event_wait(&r->news, err))
        return true;
    mutex_lock(&r->flight->lock);
    r->port->waiting -= r->waiting;
    r->waiting = false;
    mutex_unlock(&r->flight->lock);
    return false;
}

static void head_of_entry(const struct entry *e, struct flight_head *out)
{
    *out = (struct flight_head){.status = e->facts.status,
                                .streaming = e->facts.streaming,
                                .citations = e->facts.citations,
                                .content_type = e->facts.content_type,
                                .provider = e->facts.provider,
                                .remote_model = e->facts.remote_model,
                                .request_id = e->facts.request_id,
                                .notes = e->facts.notes,
                                .stored = e->facts.stored};
}

bool flight_wait_head(struct flight_reader *r, struct flight_head *out, struct chat_meter *meter,
                      bool *failed, struct err *err)
{
    struct flight *f = r->flight;
    bool ok;

    *failed = false;
    mutex_lock(&f->lock);
    while (f->state == LEADING) {
        if (!wait_unlocked(r, err))
            return false;
        mutex_lock(&f->lock);
    }
    ok = f->state != FAILED || f->total > 0;
    *meter = f->meter;
    if (!ok) {
        *err = f->why;
        *failed = true;
    } else if (f->entry) {
        head_of_entry(f->entry, out);
        out->retry_after = f->head.retry_after;
    } else {
        *out = f->head;
    }
    mutex_unlock(&f->lock);
    return ok;
}

/* With the lock held: step into the next block that has something; empty when there is nothing yet. */
static struct str take_view(struct flight_reader *r)
{
    struct flight *f = r->flight;
    struct flight_block *b = r->block ? r->block : f->first;
    struct str view = STR_NONE;

    if (b && !r->block) {
        b->here++;
        f->unplaced--;
    }
    while (b && r->at == b->len && b->next) {
        b->here--;
        b = b->next;
        b->here++;
        r->at = 0;
    }
    r->block = b;
    if (b)
        view = (struct str){b->bytes + r->at, b->len - r->at};
    r->at += view.len;
    if (f->room_wanted) {
        drop_read(f);
        if (!is_behind(f))
            (void)tell_home(f, room_arrives);
    }
    return view;
}

bool flight_read(struct flight_reader *r, struct str *bytes, bool *last, struct chat_meter *meter,
                 struct err *err)
{
    struct flight *f = r->flight;

    if (!fiber_still_wanted(err))
        return false;
    mutex_lock(&f->lock);
    for (;;) {
        struct str view = f->entry ? f->entry->facts.body : take_view(r);
        bool over = f->state == DONE || f->state == FAILED;
        bool at_end = f->entry || !r->block || (!r->block->next && r->at == r->block->len);

        *meter = f->meter;
        if (view.len > 0 || (over && at_end)) {
            bool failed = f->state == FAILED && view.len == 0;

            *bytes = view;
            *last = f->state == DONE && at_end;
            if (failed)
                *err = f->why;
            mutex_unlock(&f->lock);
            return !failed;
        }
        if (!wait_unlocked(r, err))
            return false;
        mutex_lock(&f->lock);
    }
}
