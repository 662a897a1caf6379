#include "gateway/traces.h"

#include <stdlib.h>
#include <string.h>

#include "base/spin.h"
#include "base/utf8.h"

#define TEXT_BYTES 2048 /* of all names and texts of one request */
#define OWN_MEMORY (64 * KIB)

struct slot {
    struct kept_trace trace; /* its texts are in `text` */
    mono_ns started;         /* which its entries' `at` will count from when they are read */
    size_t text_len;
    char text[TEXT_BYTES];
};

/* Of a slot. Apart from it, so that one that was never used is no memory yet. */
struct door {
    struct spin lock;
    bool used;
};

/* No block of memory is larger than 64 MiB, which a setting knows nothing of: slots come in pieces. */
#define PIECE_SLOTS 256u

static_assert(sizeof(struct slot) + sizeof(struct door) + sizeof(void *) <= TRACE_KEPT_BYTES,
              "what the settings are checked by");

struct ring {
    struct door *doors;
    struct slot **pieces;
    uint32_t count;
    atomic_uint next, expected;
};

enum { USUAL, NOTABLE, RINGS };

struct traces {
    struct arena *arena;
    struct ring rings[RINGS];
};

static struct slot *slot_at(const struct ring *ring, uint32_t at)
{
    return &ring->pieces[at / PIECE_SLOTS][at % PIECE_SLOTS];
}

static bool make_ring(struct ring *ring, uint32_t count, struct arena *arena)
{
    uint32_t pieces = (count + PIECE_SLOTS - 1) / PIECE_SLOTS;

    ring->doors = arena_array(arena, count, sizeof *ring->doors);
    ring->pieces = arena_array(arena, pieces, sizeof *ring->pieces);
    for (uint32_t i = 0; ring->pieces && i < pieces; i++) {
        uint32_t slots = MIN_OF(count - i * PIECE_SLOTS, PIECE_SLOTS);

        ring->pieces[i] = arena_alloc_raw(arena, slots * sizeof(struct slot));
        if (!ring->pieces[i])
            return false;
    }
    ring->count = count;
    return ring->doors && ring->pieces;
}

bool traces_open(uint32_t count, struct traces **out, struct err *err)
{
    struct arena *arena = arena_new(OWN_MEMORY + ((size_t)count + RINGS) * TRACE_KEPT_BYTES);
    struct traces *traces = arena ? arena_alloc(arena, sizeof *traces) : NULL;

    if (!traces) {
        arena_end(&arena);
        return err_no_room(err, "no memory for %u traces", count);
    }
    traces->arena = arena;
    for (int i = 0; i < RINGS && count > 0; i++)
        if (!make_ring(&traces->rings[i], (count + RINGS - 1) / RINGS, arena)) {
            arena_end(&arena);
            return err_no_room(err, "no memory for %u traces", count);
        }
    *out = traces;
    return true;
}

void traces_close(struct traces **traces)
{
    struct arena *arena = *traces ? (*traces)->arena : NULL;

    arena_end(&arena);
    *traces = NULL;
}

/* ---- keeping ---- */

static struct str keep_text(struct slot *slot, struct str text)
{
    if (!text.len)
        return STR("");

    size_t len = MIN_OF(text.len, sizeof slot->text - slot->text_len);
    char *to = slot->text + slot->text_len;

    if (len < text.len)
        return STR("");
    memcpy(to, text.ptr, len);
    slot->text_len += len;
    return (struct str){to, len};
}

#define CUT_MARK  STR("...")
/* Before what every entry may need to say that its text was cut. */
#define NOTES_END (TEXT_BYTES - 3 * KEPT_ENTRIES_MAX)

/* As much as there is room for, marked where it was cut. */
static struct str keep_note(struct slot *slot, struct str text)
{
    size_t room = NOTES_END - MIN_OF(slot->text_len, (size_t)NOTES_END);
    struct str part, mark;

    if (text.len <= room)
        return keep_text(slot, text);
    part = keep_text(slot, str_slice(text, 0, utf8_boundary(text, room)));
    mark = keep_text(slot, CUT_MARK);
    return part.len ? (struct str){part.ptr, part.len + mark.len} : mark;
}

/* Of too many the last ones say how it ended. */
static void keep_entries(struct slot *slot, const struct summary *s)
{
    struct kept_trace *k = &slot->trace;
    uint32_t count = trace_copy(s->trace, k->entries, KEPT_ENTRIES_MAX);

    slot->started = s->started;
    k->entry_count = count;
    k->entries_missing = trace_count(s->trace) - count + trace_dropped(s->trace);
    for (uint32_t done = 0, run; done < count; done += run) {
        /* The copies are still on their way to memory. */
        const struct trace_entry *from =
            trace_run(s->trace, trace_count(s->trace) - count + done, &run);

        for (uint32_t i = 0; i < run; i++)
            if (from[i].text.len)
                k->entries[done + i].text = keep_note(slot, from[i].text);
    }
}

static void keep(struct slot *slot, const struct summary *s)
{
    const struct trace_context *context = trace_joined(s->trace);
    struct kept_trace *k = &slot->trace;

    slot->text_len = 0;
    k->id = s->id;
    k->parent_id = s->parent_id;
    k->root = trace_root_span(s->trace);
    k->joined = context != NULL;
    k->sampled = context && context->recorded;
    if (context)
        memcpy(k->trace_id, context->trace_id, sizeof k->trace_id);
    k->streaming = s->streaming;
    k->estimated = s->usage.estimated;
    k->began = s->began;
    k->took = s->took;
    k->first_byte = s->first_byte;
    k->first_token = s->first_token;
    k->route = keep_text(slot, s->route);
    k->model = keep_text(slot, s->model);
    k->deployment = keep_text(slot, s->deployment);
    k->provider = keep_text(slot, s->provider);
    k->remote_model = keep_text(slot, s->remote_model);
    k->key_id = keep_text(slot, s->key_id);
    k->tenant = keep_text(slot, s->tenant);
    k->outcome = keep_text(slot, s->outcome);
    k->error = keep_text(slot, s->error);
    k->why = keep_text(slot, s->why);
    k->status = s->status;
    k->tokens_in = s->usage.tokens_in;
    k->tokens_out = s->usage.tokens_out;
    k->tokens_cached = s->usage.tokens_cached;
    k->cost = s->cost;
    k->audit_seq = s->audit_seq;
    k->bytes_in = s->bytes_in;
    k->bytes_out = s->bytes_out;
    keep_entries(slot, s);
}

/* As much as most requests write. */
#define EXPECT_BYTES (offsetof(struct slot, trace.entries) + 12 * sizeof(struct trace_entry))
#define EXPECT_TEXT  512
#define AHEAD_MAX    64u

/* Of several requests that are answered in one turn each expects a place of its own. They may take them in another order,
 * and some that were expected do not come: who is too far ahead begins anew with the next. */
void traces_expect(struct traces *traces)
{
    struct ring *ring = traces ? &traces->rings[USUAL] : NULL;

    if (!ring || ring->count == 0)
        return;
    uint32_t next = atomic_load_explicit(&ring->next, memory_order_relaxed),
             at = atomic_load_explicit(&ring->expected, memory_order_relaxed);
    if (at - next >= AHEAD_MAX)
        at = next;
    atomic_store_explicit(&ring->expected, at + 1, memory_order_relaxed);
    const struct slot *slot = slot_at(ring, at % ring->count);
    expect_write(slot, EXPECT_BYTES);
    expect_write(slot->text, EXPECT_TEXT);
}

void traces_keep(struct traces *traces, const struct summary *s, dur_ns slow)
{
    bool notable = s->status >= 400 || s->error.len > 0 || (slow > 0 && s->took >= slow);
    struct ring *ring = traces ? &traces->rings[notable ? NOTABLE : USUAL] : NULL;

    if (!ring || ring->count == 0 || !s->trace)
        return;
    uint32_t at = atomic_fetch_add_explicit(&ring->next, 1, memory_order_relaxed) % ring->count;
    spin_lock(&ring->doors[at].lock);
    ring->doors[at].used = true;
    keep(slot_at(ring, at), s);
    spin_unlock(&ring->doors[at].lock);
}

/* ---- reading ---- */

/* Under the slot's lock: its texts are copied into memory that was taken before. */
static void copy_out(const struct slot *slot, struct kept_trace *k, char *text)
{
    *k = slot->trace;
    memcpy(text, slot->text, slot->text_len);
    struct str *texts[] = {&k->route,  &k->model,  &k->deployment, &k->provider, &k->remote_model,
                           &k->key_id, &k->tenant, &k->outcome,    &k->error,    &k->why};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i]->len)
            texts[i]->ptr = text + (texts[i]->ptr - slot->text);
    for (uint32_t i = 0; i < k->entry_count; i++) {
        struct trace_entry *e = &k->entries[i];

        e->at -= slot->started;
        e->text =
            e->text.len ? (struct str){text + (e->text.ptr - slot->text), e->text.len} : STR("");
    }
}

/* *out: the slot's trace; NULL when it is another. False: there is no memory for it. */
static bool take(const struct ring *ring, uint32_t at, uint64_t id, struct arena *arena,
                 struct kept_trace **out)
{
    const struct slot *slot = slot_at(ring, at);
    size_t mark = arena_mark(arena);
    struct kept_trace *k = arena_alloc(arena, sizeof *k);
    char *text = arena_alloc_raw(arena, TEXT_BYTES);
    bool found;

    *out = NULL;
    if (!k || !text)
        return false;
    spin_lock(&ring->doors[at].lock);
    found = ring->doors[at].used && slot->trace.id == id;
    if (found)
        copy_out(slot, k, text);
    spin_unlock(&ring->doors[at].lock);
    if (found)
        *out = k;
    else
        arena_rewind(arena, mark);
    return true;
}

struct kept_trace *traces_find(struct traces *traces, uint64_t id, struct arena *arena)
{
    struct kept_trace *k = NULL;

    ASSERT(id);
    for (int r = 0; traces && r < RINGS; r++)
        for (uint32_t i = 0; i < traces->rings[r].count; i++)
            if (!take(&traces->rings[r], i, id, arena, &k) || k)
                return k;
    return NULL;
}

bool traces_take(struct traces *traces, const struct trace_place *place, struct arena *arena,
                 struct kept_trace **out, struct err *err)
{
    return take(&traces->rings[place->ring], place->slot, place->id, arena, out) ||
           err_arena(err, arena);
}

static int newest_first(const void *one, const void *other)
{
    const struct trace_place *a = one, *b = other;

    if (a->began != b->began)
        return a->began > b->began ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

bool traces_list(struct traces *traces, struct arena *arena, struct trace_place **out,
                 size_t *count, struct err *err)
{
    size_t most = traces ? traces->rings[USUAL].count + traces->rings[NOTABLE].count : 0, have = 0;
    struct trace_place *list = arena_array(arena, most + 1, sizeof *list);

    if (!list)
        return err_arena(err, arena);
    for (uint32_t r = 0; traces && r < RINGS; r++)
        for (uint32_t i = 0; i < traces->rings[r].count; i++) {
            const struct ring *ring = &traces->rings[r];
            const struct kept_trace *k = &slot_at(ring, i)->trace;

            spin_lock(&ring->doors[i].lock);
            if (ring->doors[i].used)
                list[have++] = (struct trace_place){k->began, k->id, r, i};
            spin_unlock(&ring->doors[i].lock);
        }
    qsort(list, have, sizeof *list, newest_first);
    *out = list;
    *count = have;
    return true;
}
