#include "index/invert.h"

#include <string.h>

#include "base/hash.h"
#include "index/lexical_internal.h"
#include "sys/mutex.h"
#include "sys/pool.h"

#define SLOT_ARENA    ((size_t)512 * MIB)
#define SCRATCH_ARENA ((size_t)512 * MIB)
#define THREADS_FROM  4 /* documents waiting */
#define THREADS_MAX   64

/* --- one passage ------------------------------------------------------------------------------ */

/* The passage's terms so far: places of `terms` by hash, 0 is free. */
struct counting {
    uint32_t *places;
    size_t mask;
    struct counted {
        const struct term *term;
        uint32_t hash, times;
    } * terms;
    size_t bytes; /* packed */
    struct inverted *out;
};
#define PACKED_HEAD 9 /* hash, times, length of the key */

static void count_term(struct counting *c, const struct term *term)
{
    char bytes[TERM_BYTES_MAX + 1];
    struct str key = term_key(term, bytes);
    uint32_t hash = (uint32_t)siphash(key);
    size_t at = hash & c->mask;

    for (; c->places[at]; at = (at + 1) & c->mask) {
        struct counted *counted = &c->terms[c->places[at] - 1];

        if (counted->hash == hash && counted->term->field == term->field &&
            str_eq(counted->term->text, term->text)) {
            counted->times++;
            return;
        }
    }
    c->terms[c->out->count++] = (struct counted){term, hash, 1};
    c->places[at] = (uint32_t)c->out->count;
    c->bytes += PACKED_HEAD + key.len;
}

static void count_terms(struct counting *c, const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++) {
        if (terms->at[i].stop)
            continue;
        c->out->lengths[terms->at[i].field]++;
        count_term(c, &terms->at[i]);
    }
}

/* In as few bytes as may be: many passages wait like this. */
static bool pack(const struct counting *c, struct arena *arena, struct err *err)
{
    char *packed = arena_alloc_raw(arena, c->bytes), *to = packed;

    if (!packed)
        return err_arena(err, arena);
    for (size_t i = 0; i < c->out->count; i++) {
        const struct counted *counted = &c->terms[i];
        char bytes[TERM_BYTES_MAX + 1];
        struct str key = term_key(counted->term, bytes);

        memcpy(to, &counted->hash, sizeof counted->hash);
        memcpy(to + 4, &counted->times, sizeof counted->times);
        to[8] = (char)key.len;
        memcpy(to + PACKED_HEAD, key.ptr, key.len);
        to += PACKED_HEAD + key.len;
    }
    c->out->terms = (struct str){packed, c->bytes};
    return true;
}

bool inverted_next(struct str *rest, struct inverted_term *out)
{
    if (!rest->len)
        return false;
    memcpy(&out->hash, rest->ptr, sizeof out->hash);
    memcpy(&out->times, rest->ptr + 4, sizeof out->times);
    out->key = (struct str){rest->ptr + PACKED_HEAD, (uint8_t)rest->ptr[8]};
    *rest = str_slice(*rest, PACKED_HEAD + out->key.len, rest->len);
    return true;
}

bool invert(struct analyser *analyser, struct arena *arena, struct arena *scratch,
            const struct lexical_passage *passage, struct inverted *out, struct err *err)
{
    struct counting c = {.mask = 64, .out = out};
    struct terms header, text;

    *out = (struct inverted){0};
    if (!analyser_terms(analyser, scratch, passage->header, &header, err) ||
        !analyser_cut(analyser, scratch, passage->text, &text, &out->cuts, err))
        return false;
    out->cuts = arena_str(arena, out->cuts);
    if (!out->cuts.ptr)
        return err_arena(err, arena);
    size_t most = header.count + text.count;
    while (c.mask < 2 * most)
        c.mask *= 2;
    c.places = arena_array(scratch, c.mask, sizeof *c.places);
    c.terms = arena_array(scratch, most + 1, sizeof *c.terms);
    c.mask--;
    if (!c.places || !c.terms)
        return err_arena(err, scratch);
    count_terms(&c, &header);
    count_terms(&c, &text);
    return pack(&c, arena, err);
}

/* --- the queue -------------------------------------------------------------------------------- */

enum slot_state { SLOT_WAITS, SLOT_TAKEN, SLOT_DONE };
struct slot {
    struct arena *arena; /* of what it holds; kept when it is used again */
    enum slot_state state;
    struct inverted_document held;
    size_t bytes;
    struct err err; /* code set: it could not be inverted */
};
struct tools { /* of one thread at a time */
    struct analyser *analyser;
    struct arena *scratch;
};

struct inverting {
    struct mutex lock;     /* guards what follows */
    struct condition done; /* a slot came to be SLOT_DONE */
    struct slot slots[WAITING_MAX];
    size_t first, count; /* the oldest, how many */
    size_t taken_last;   /* the oldest is handed out and goes with the next call: 0 or 1 */
    size_t bytes;
    struct tools tools[THREADS_MAX]; /* those nobody uses */
    int tool_count;
    int threads;
    bool alone;        /* no helpers to be had */
    struct pool *pool; /* NULL until there is something for it */
};

bool inverting_new(struct arena *arena, int threads, struct inverting **out, struct err *err)
{
    struct inverting *q = arena_alloc(arena, sizeof *q);

    if (!q)
        return err_arena(err, arena);
    mutex_init(&q->lock);
    condition_init(&q->done);
    q->threads = MIN_OF(threads, THREADS_MAX);
    *out = q;
    return true;
}

void inverting_end(struct inverting **inverting)
{
    struct inverting *q = *inverting;

    if (!q)
        return;
    mutex_lock(&q->lock);
    for (size_t i = 0; i < q->count; i++) /* nothing is left to be begun */
        if (q->slots[(q->first + i) % WAITING_MAX].state == SLOT_WAITS)
            q->slots[(q->first + i) % WAITING_MAX].state = SLOT_DONE;
    mutex_unlock(&q->lock);
    pool_free(&q->pool);
    for (size_t i = 0; i < WAITING_MAX; i++)
        arena_end(&q->slots[i].arena);
    for (int i = 0; i < q->tool_count; i++) {
        analyser_close(&q->tools[i].analyser);
        arena_end(&q->tools[i].scratch);
    }
    condition_done(&q->done);
    mutex_done(&q->lock);
    *inverting = NULL;
}

/* What it may come to while it waits. */
static size_t bytes_of(const struct lexical_document *document)
{
    size_t bytes = document->record.len;

    for (size_t i = 0; i < document->passage_count; i++)
        bytes += (document->passages[i].header.len + document->passages[i].text.len) *
                     (1 + WAITING_TERMS) +
                 document->passages[i].record.len;
    return bytes;
}

size_t inverting_count(const struct inverting *q)
{
    return q->count - q->taken_last;
}

bool inverting_has_room(const struct inverting *q, const struct lexical_document *document)
{
    return inverting_count(q) == 0 ||
           (q->count < WAITING_MAX && q->bytes + bytes_of(document) <= WAITING_BYTES);
}

/* The slot that was handed out goes. */
static void drop_taken(struct inverting *q)
{
    if (!q->taken_last)
        return;
    q->bytes -= q->slots[q->first].bytes;
    arena_rewind(q->slots[q->first].arena, 0); /* who waits in other slots may be large, too */
    q->first = (q->first + 1) % WAITING_MAX;
    q->count--;
    q->taken_last = 0;
}

static struct str copy(struct arena *arena, struct str s, bool *ok)
{
    struct str copied = arena_str(arena, s);

    *ok = *ok && copied.ptr;
    return copied;
}

static bool copy_passage(struct arena *arena, const struct lexical_passage *from,
                         struct lexical_passage *to)
{
    struct str *marks = arena_array(arena, from->mark_count + 1, sizeof *marks);
    bool ok = marks != NULL;

    for (size_t i = 0; ok && i < from->mark_count; i++)
        marks[i] = copy(arena, from->marks[i], &ok);
    *to = (struct lexical_passage){.header = copy(arena, from->header, &ok),
                                   .text = copy(arena, from->text, &ok),
                                   .record = copy(arena, from->record, &ok),
                                   .marks = marks,
                                   .mark_count = from->mark_count};
    return ok;
}

static bool fill_slot(struct slot *slot, const struct lexical_document *from, struct err *err)
{
    struct arena *arena = slot->arena;
    bool ok = true;

    arena_rewind(arena, 0);
    struct lexical_passage *passages =
        arena_array(arena, from->passage_count + 1, sizeof *passages);
    struct inverted *inverted = arena_array(arena, from->passage_count + 1, sizeof *inverted);
    if (!passages || !inverted)
        return err_arena(err, arena);
    for (size_t i = 0; ok && i < from->passage_count; i++) {
        ASSERT(from->passages[i].vector_count == 0);
        ok = copy_passage(arena, &from->passages[i], &passages[i]);
    }
    slot->held =
        (struct inverted_document){{copy(arena, from->key, &ok), copy(arena, from->record, &ok),
                                    passages, from->passage_count},
                                   inverted};
    slot->bytes = bytes_of(from);
    slot->state = SLOT_WAITS;
    slot->err = (struct err){0};
    return ok || err_arena(err, arena);
}

/* --- working ---------------------------------------------------------------------------------- */

/* Without the lock: the slot is taken. */
static bool invert_slot(struct slot *slot, struct tools *tools, struct err *err)
{
    for (size_t i = 0; i < slot->held.document.passage_count; i++) {
        arena_rewind(tools->scratch, 0);
        if (!invert(tools->analyser, slot->arena, tools->scratch, &slot->held.document.passages[i],
                    &slot->held.passages[i], err))
            return false;
    }
    return true;
}

static bool open_tools(struct tools *tools, struct err *err)
{
    *tools = (struct tools){.scratch = arena_new(SCRATCH_ARENA)};
    if (!tools->scratch)
        return err_no_room(err, "no memory to index documents");
    if (analyser_open(&tools->analyser, err))
        return true;
    arena_end(&tools->scratch);
    return false;
}

/* Take the oldest that nobody has begun and invert it; false: there is none. Called and left with the lock. */
static bool work(struct inverting *q)
{
    struct slot *slot = NULL;
    struct tools tools = {0};

    for (size_t i = q->taken_last; i < q->count && !slot; i++)
        if (q->slots[(q->first + i) % WAITING_MAX].state == SLOT_WAITS)
            slot = &q->slots[(q->first + i) % WAITING_MAX];
    if (!slot)
        return false;
    slot->state = SLOT_TAKEN;
    if (q->tool_count)
        tools = q->tools[--q->tool_count];
    mutex_unlock(&q->lock);
    if (tools.analyser || open_tools(&tools, &slot->err))
        (void)!invert_slot(slot, &tools, &slot->err); /* slot->err says so */
    mutex_lock(&q->lock);
    if (tools.analyser)
        q->tools[q->tool_count++] = tools;
    slot->state = SLOT_DONE;
    condition_wake(&q->done);
    return true;
}

static void help(void *queue)
{
    struct inverting *q = queue;

    mutex_lock(&q->lock);
    (void)!work(q);
    mutex_unlock(&q->lock);
}

/* A helper for what was just put; without one the writer does it. */
static void call_help(struct inverting *q)
{
    struct pool_options options = {
        .name = "index", .threads = q->threads - 1, .queue_max = 2 * WAITING_MAX};
    struct err ignored = {0};

    if (q->threads < 2 || q->alone)
        return;
    if (!q->pool && q->count < THREADS_FROM)
        return;
    if (!q->pool && !(q->pool = pool_new(&options, &ignored))) {
        q->alone = true;
        return;
    }
    (void)!pool_submit(q->pool, help, q, &ignored);
}

bool inverting_put(struct inverting *q, const struct lexical_document *document, struct err *err)
{
    mutex_lock(&q->lock);
    drop_taken(q);
    ASSERT(q->count < WAITING_MAX);
    struct slot *slot = &q->slots[(q->first + q->count) % WAITING_MAX];
    mutex_unlock(&q->lock);
    if (!slot->arena && !(slot->arena = arena_new(SLOT_ARENA)))
        return err_no_room(err, "no memory to index documents");
    if (!fill_slot(slot, document, err))
        return false;
    mutex_lock(&q->lock);
    q->count++;
    q->bytes += slot->bytes;
    mutex_unlock(&q->lock);
    call_help(q);
    return true;
}

bool inverting_take(struct inverting *q, struct inverted_document *out, struct err *err)
{
    mutex_lock(&q->lock);
    drop_taken(q);
    ASSERT(q->count > 0);
    struct slot *slot = &q->slots[q->first];
    while (slot->state != SLOT_DONE)
        if (!work(q))
            condition_wait(&q->done, &q->lock);
    q->taken_last = 1;
    mutex_unlock(&q->lock);
    if (slot->err.code != ERR_NONE) {
        *err = slot->err;
        return false;
    }
    *out = slot->held;
    return true;
}
