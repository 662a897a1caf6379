/* The tee: an answer on its way to a client is kept, and read by whoever asked the same meanwhile.
 *
 * A whole answer is pulled here, by its own request. A stream is pulled by a fiber of its own without a
 * scope of the request, so that it goes on when the client that asked first has left and others still
 * read; that client's own reading is like theirs. What the request owns (arena, connection) stays until
 * that fiber has ended: cache_leave() waits for it. */
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "cache/cache_internal.h"
#include "sys/clock.h"

#define SHARING_MAX 256 /* answers that may be on their way to Redis; more are not sent */
#define WAITING_MAX \
    (16 * MIB) /* bytes of answers that may wait for the disk; more are not written */
#define WRITE_AFTER (10 * MILLISECOND)

/* ---- what may be kept ---- */

static bool is_good(const struct cache_ticket *t, const struct answer *answer)
{
    return t->ask.plan.may_store && answer->status == 200 && !answer->meter.failed &&
           chat_meter_is_answer(&answer->meter) && t->purges == atomic_load(&t->cache->purges);
}

static struct entry *new_entry(struct cache_ticket *t, const struct answer *answer, struct str body,
                               struct err *err)
{
    struct chat_meter meter = answer->meter;
    struct entry_facts facts = {.key = t->ask.key,
                                .status = answer->status,
                                .streaming = answer->streaming,
                                .stored = clock_wall(),
                                .citations = answer->citations,
                                .space = t->ask.space,
                                .model = t->ask.model,
                                .content_type = answer->content_type,
                                .provider = answer->provider,
                                .remote_model = answer->remote_model,
                                .request_id = answer->request_id,
                                .notes = t->notes,
                                .tag_count = t->ask.tag_count,
                                .body = body};

    if (answer->status < 300)
        chat_meter_close(&meter, t->ask.prompt_bytes);
    facts.usage = meter.usage;
    facts.content_bytes = meter.content_bytes;
    facts.events = meter.events;
    facts.expires = facts.stored + t->ask.plan.ttl / MILLISECOND;
    memcpy(facts.tags, t->ask.tags, sizeof facts.tags);
    if (is_good(t, answer))
        memory_room(t->cache->memory, facts.space, entry_bytes(&facts));
    return entry_new(&facts, err);
}

/* What waits longest. */
static struct disk_batch *take_waiting(struct cache *c)
{
    mutex_lock(&c->waiting.lock);
    struct disk_batch *b = c->waiting.first;

    if (b) {
        c->waiting.first = b->next;
        c->waiting.bytes -= b->len;
        if (!b->next)
            c->waiting.last = NULL;
    }
    mutex_unlock(&c->waiting.lock);
    return b;
}

/* The next answers find it warm. */
static void put_spare(struct cache *c, struct disk_batch *b)
{
    mutex_lock(&c->waiting.lock);
    if (!c->waiting.spare && b->got == DISK_BATCH_BYTES) {
        b->len = b->count = 0;
        b->next = NULL;
        c->waiting.spare = b;
        b = NULL;
    }
    mutex_unlock(&c->waiting.lock);
    disk_batch_free(&b);
}

static void write_batch(struct cache *c, const struct disk_batch *b)
{
    struct err err = {0};
    size_t wanted, kept = disk_put(c->disk, b, &c->purges, &wanted, &err);

    if (kept < wanted) {
        atomic_fetch_add(&c->dropped, wanted - kept);
        log_warn("%zu answers are not kept: %s", wanted - kept, err.text);
    }
}

/* In the pool, or when the cache closes. */
void keep_write_waiting(void *cache)
{
    struct cache *c = cache;
    struct disk_batch *b;

    while ((b = take_waiting(c)) != NULL) {
        write_batch(c, b);
        put_spare(c, b);
    }
}

static void call_writer(struct cache *c)
{
    struct err err = {0};

    mutex_lock(&c->waiting.lock);
    c->waiting.called = false;
    mutex_unlock(&c->waiting.lock);
    if (!pool_submit(c->pool, keep_write_waiting, c, &err))
        log_debug("%s", err.text); /* the next one writes them, or cache_close() */
}

/* A fiber: what is answered within a moment is written together. When the loop ends it does not wait. */
static void write_soon(void *cache)
{
    struct err err = {0};

    (void)!fiber_sleep(WRITE_AFTER, &err);
    call_writer(cache);
}

/* With the lock held: in the batch that is being filled, or a new one. An answer that is longer than what is left
 * stands in the next, so that two of the same key are written in their order. */
static bool put_waiting(struct cache *c, const struct entry *e, uint64_t purges)
{
    struct disk_batch *b = c->waiting.last;
    size_t bytes = disk_record_bytes(e);

    if (c->waiting.bytes + bytes > WAITING_MAX)
        return false;
    if (!b || !disk_batch_fits(b, e)) {
        b = c->waiting.spare;
        c->waiting.spare = NULL;
        if (!b || !disk_batch_fits(b, e)) {
            disk_batch_free(&b);
            b = disk_batch_new(e);
        }
        if (!b)
            return false;
        *(c->waiting.last ? &c->waiting.last->next : &c->waiting.first) = b;
        c->waiting.last = b;
    }
    disk_batch_add(b, e, purges);
    c->waiting.bytes += bytes;
    return true;
}

static void send_to_disk(struct cache_ticket *t, const struct entry *e)
{
    struct cache *c = t->cache;
    struct err err = {0};
    bool call = false, fits;

    mutex_lock(&c->waiting.lock);
    fits = put_waiting(c, e, t->purges);
    if (fits) {
        call = !c->waiting.called;
        c->waiting.called = true;
    }
    mutex_unlock(&c->waiting.lock);
    if (!fits)
        atomic_fetch_add(&c->dropped, 1);
    if (call && !fiber_spawn(write_soon, c, &err))
        call_writer(c);
}

/* A fiber of its own: the client does not wait for it. */
static void write_shared(void *arg)
{
    struct entry *e = arg;
    struct cache *c = e->writer;
    struct cache_selector same = {.key = &e->facts.key};
    struct err err = {0};
    uint64_t gone = 0;

    if (e->purges != atomic_load(&c->purges) ||
        !shared_put(c->options.redis, c->options.redis_prefix, e, clock_wall(), &err))
        atomic_fetch_add(&c->dropped, 1);
    else if (e->purges != atomic_load(&c->purges) &&
             !shared_purge(c->options.redis, c->options.redis_prefix, &same, &gone, &err))
        log_error("an answer that was purged on its way is still in Redis: %s", err.text);
    atomic_fetch_sub(&c->sharing, 1);
    entry_unref(&e);
}

static void send_to_shared(struct cache_ticket *t, struct entry *e)
{
    struct cache *c = t->cache;
    struct err err = {0};

    if (atomic_fetch_add(&c->sharing, 1) < SHARING_MAX) {
        e->writer = c;
        e->purges = t->purges;
        if (fiber_spawn(write_shared, entry_ref(e), &err))
            return;
        entry_unref(&(struct entry *){e});
    }
    atomic_fetch_sub(&c->sharing, 1);
    atomic_fetch_add(&c->dropped, 1);
}

bool keep_entry(struct cache_ticket *t, struct entry *e)
{
    struct cache *c = t->cache;
    struct cache_selector same = {.key = &e->facts.key};
    bool kept = memory_put(c->memory, e);

    if (c->disk)
        send_to_disk(t, e);
    if (c->options.redis)
        send_to_shared(t, e);
    kept |= c->disk != NULL;
    if (t->purges != atomic_load(&c->purges)) {
        memory_purge(c->memory, &same);
        return false;
    }
    if (kept)
        atomic_fetch_add(&c->stored, 1);
    return kept;
}

static bool fits(struct cache_ticket *t, size_t bytes)
{
    if (bytes <= t->cache->options.entry_bytes_max)
        return true;
    atomic_fetch_add(&t->cache->too_large, 1);
    return false;
}

/* ---- whole answers ---- */

static bool next_whole(struct answer *answer, struct str *bytes, bool *last, struct err *err)
{
    struct cache_ticket *t = answer->own;

    (void)err;
    *bytes = t->whole;
    *last = true;
    return true;
}

static SUSPENDS void end_inner(struct answer *answer)
{
    struct cache_ticket *t = answer->own;

    ASSERT(t->left); /* cache_leave() comes first */
    answer_end(&t->inner);
}

/* An answer that others wait for becomes an entry also when it is not to be kept: a refusal is theirs too. */
static bool keep_whole(struct cache_ticket *t, struct answer *answer, struct str bytes,
                       struct err *err)
{
    bool good = is_good(t, answer) && fits(t, bytes.len), stored = false;
    struct entry *e CLEANUP(entry_unref) = NULL;

    if (good || flight_readers(t->flight) > 0) {
        e = new_entry(t, answer, bytes, err);
        if (!e)
            return false;
        if (good)
            stored = keep_entry(t, e);
    }
    flight_say_when(t->flight, answer->retry_after);
    if (e)
        flight_finish(t->flight, e, &answer->meter);
    else
        flight_fail(t->flight, &(struct err){.code = ERR_CANCELLED}, NULL);
    return stored;
}

/* ---- streams ---- */

static SUSPENDS bool pull_all(struct cache_ticket *t, struct err *err)
{
    struct answer *inner = t->inner;
    bool last = false;
    struct str bytes;

    while (!last)
        if (!inner->next(inner, &bytes, &last, err) ||
            !flight_append(t->flight, bytes, &inner->meter, err))
            return false;
    return true;
}

static void keep_stream(struct cache_ticket *t)
{
    struct entry *e CLEANUP(entry_unref) = NULL;
    struct err err = {0};
    char *copy;
    size_t total, got;

    if (!is_good(t, t->inner) || !flight_bytes(t->flight, &total) || !fits(t, total))
        return;
    copy = pages_take(MAX_OF(total, (size_t)1), &got);
    if (!copy)
        return;
    flight_copy(t->flight, copy);
    e = new_entry(t, t->inner, (struct str){copy, total}, &err);
    pages_give(copy, got);
    if (e)
        (void)keep_entry(t, e);
}

/* The fiber that fetches. */
static void fetch(void *arg)
{
    struct cache_ticket *t = arg;
    struct err err = {0};
    struct scope work;

    scope_open(&work, 0);
    t->work = &work;
    bool ok = pull_all(t, &err);
    t->work = NULL;
    scope_close(&work);
    if (ok) {
        keep_stream(t);
        flight_finish(t->flight, NULL, &t->inner->meter);
    } else {
        flight_fail(t->flight, &err, &t->inner->meter);
    }
    event_set(&t->fetched);
}

static SUSPENDS bool next_read(struct answer *answer, struct str *bytes, bool *last,
                               struct err *err)
{
    struct cache_ticket *t = answer->own;

    return flight_read(&t->reader, bytes, last, &answer->meter, err);
}

static void tell_inner(struct answer *answer, struct buf *out, const struct err *why)
{
    struct cache_ticket *t = answer->own;

    t->inner->tell_failure(t->inner, out, why);
}

static struct answer *outer_answer(struct cache_ticket *t, const struct answer *like)
{
    struct answer *outer = arena_alloc(t->arena, sizeof *outer);

    if (outer) {
        *outer = *like;
        outer->own = t;
        outer->end = end_inner;
        outer->tell_failure = like->tell_failure ? tell_inner : NULL;
    }
    return outer;
}

static struct flight_head head_of(const struct cache_ticket *t, const struct answer *answer)
{
    return (struct flight_head){.status = answer->status,
                                .streaming = answer->streaming,
                                .citations = answer->citations,
                                .content_type = answer->content_type,
                                .provider = answer->provider,
                                .remote_model = answer->remote_model,
                                .request_id = answer->request_id,
                                .notes = t->notes};
}

static SUSPENDS bool start_stream(struct cache_ticket *t, struct str first, struct err *err)
{
    struct flight_head head = head_of(t, t->inner);

    if (!flight_attach(t->flight, &t->reader)) /* never closed yet: there are too many loops */
        return err_no_room(err, "too many loops wait for one answer");
    if (!flight_begin(t->flight, &head, err) ||
        !flight_append(t->flight, first, &t->inner->meter, err) || !fiber_spawn(fetch, t, err))
        return false;
    t->fetches = true;
    return true;
}

bool cache_keep(struct cache_ticket *t, struct str notes, struct answer **answer, bool *stored,
                struct err *err)
{
    struct answer *inner = *answer, *outer;
    struct str bytes = STR_NONE;
    bool last = false;

    ASSERT(t->part == CACHE_LEADS && !t->inner);
    t->notes = notes;
    *stored = false;
    do {
        if (!inner->next(inner, &bytes, &last, err))
            return false;
    } while (!last && bytes.len == 0);
    outer = outer_answer(t, inner);
    if (!outer)
        return err_arena(err, t->arena);
    t->inner = inner;
    t->outer = outer;
    *answer = outer;
    if (!last) {
        outer->next = next_read;
        return start_stream(t, bytes, err);
    }
    outer->next = next_whole;
    t->whole = bytes;
    *stored = keep_whole(t, inner, bytes, err);
    if (!flight_is_over(t->flight)) { /* no memory to keep it: the client gets it all the same */
        flight_fail(t->flight, err, NULL);
        *err = (struct err){0};
    }
    return true;
}

/* ---- who only reads ---- */

static void nothing_to_end(struct answer *answer)
{
    (void)answer;
}

/* In place: a meter is half a kilobyte, nearly all of it zeros. */
static void put_meter(struct chat_meter *zeroed, const struct entry *e)
{
    zeroed->usage = e->facts.usage;
    zeroed->finished = true;
    zeroed->done = true;
    zeroed->content_bytes = e->facts.content_bytes;
    zeroed->events = e->facts.events;
}

struct chat_meter meter_of(const struct entry *e)
{
    struct chat_meter meter = {0};

    put_meter(&meter, e);
    return meter;
}

struct answer *cache_answer(struct cache_ticket *t)
{
    struct answer *answer = arena_alloc(t->arena, sizeof *answer);
    const struct entry_facts *f = &t->entry->facts;

    if (!answer)
        return NULL;
    answer->status = f->status;
    answer->streaming = f->streaming;
    answer->content_type = f->content_type;
    answer->provider = f->provider;
    answer->remote_model = f->remote_model;
    answer->request_id = f->request_id;
    answer->citations = f->citations;
    answer->next = next_whole;
    answer->end = nothing_to_end;
    answer->own = t;
    put_meter(&answer->meter, t->entry);
    t->whole = f->body;
    t->notes = f->notes;
    return answer;
}

/* What ends a leader and says nothing of the question: others ask for themselves. */
static bool is_own_failure(enum err_code code)
{
    return code == ERR_CANCELLED || code == ERR_EXHAUSTED || code == ERR_DENIED ||
           code == ERR_UNAUTHENTICATED;
}

/* What the leader found further down may be good for it and not for who wants none so old. */
static bool is_too_old(const struct cache_ticket *t, const struct flight_head *head)
{
    dur_ns most = t->ask.plan.max_age;

    return head->stored && most >= 0 && clock_wall() - head->stored > most / MILLISECOND;
}

bool cache_join(struct cache_ticket *t, struct answer **out, bool *again, struct err *err)
{
    struct answer *answer = arena_alloc(t->arena, sizeof *answer);
    struct chat_meter meter;
    struct flight_head head;
    bool failed;

    ASSERT(t->part == CACHE_JOINS);
    *again = false;
    if (!answer)
        return err_arena(err, t->arena);
    if (!flight_wait_head(&t->reader, &head, &meter, &failed, err)) {
        *again = failed && is_own_failure(err->code);
        return false;
    }
    *again = is_too_old(t, &head);
    if (*again)
        return err_set(err, ERR_CANCELLED, "the answer that came is older than was asked for");
    *answer = (struct answer){.status = head.status,
                              .streaming = head.streaming,
                              .content_type = head.content_type,
                              .provider = head.provider,
                              .remote_model = head.remote_model,
                              .request_id = head.request_id,
                              .retry_after = head.retry_after,
                              .citations = head.citations,
                              .meter = meter,
                              .next = next_read,
                              .end = nothing_to_end,
                              .own = t};
    t->notes = head.notes;
    *out = answer;
    return true;
}

/* ---- leaving ---- */

static void give_up(void *arg)
{
    struct cache_ticket *t = arg;

    if (t->work)
        scope_cancel(t->work);
}

/* The others may read on; the last of them to leave ends it. */
static SUSPENDS void wait_for_fetch(struct cache_ticket *t)
{
    if (!t->fetched.set)
        flight_when_alone(t->flight, give_up, t);
    event_await(&t->fetched);
}

void cache_leave(struct cache_ticket *t, const struct err *why)
{
    struct err gone = {.code = ERR_CANCELLED};

    if (!t || t->left)
        return;
    t->left = true;
    if (t->flight) {
        flight_detach(&t->reader);
        if (t->fetches)
            wait_for_fetch(t);
        else if (t->part == CACHE_LEADS && !flight_is_over(t->flight))
            flight_fail(t->flight, why->code ? why : &gone, NULL);
        if (t->fetches) /* what was paid for is known now */
            t->outer->meter = flight_meter(t->flight);
    }
}
