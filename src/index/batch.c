#include "index/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "index/lexical_internal.h"

#define ARENA_MAX   ((size_t)512 * MIB)
#define FIRST_SLOTS ((uint32_t)4096) /* a power of two, like all that follow */
#define LIST_TERMS  ((uint32_t)4096) /* of a block of terms by number */
#define BLOCK_USES  ((size_t)16 * 1024)
#define AT_ONCE     16 /* terms looked up side by side */
#define AHEAD       16 /* postings */

/* A term, its key behind it: one look at cold memory says whether it is the one. */
struct batch_term {
    uint32_t number;   /* in order of first use */
    uint32_t passages; /* its list's length so far */
    uint32_t hash;
    uint8_t key_len;
    char key[];
};
struct use {
    uint32_t term, passage, times;
};
struct use_block {
    struct use_block *next;
    size_t count;
    struct use at[BLOCK_USES];
};

struct batch {
    struct arena *arena;
    struct arena *slot_arena;  /* of the slots alone: they go when twice as many take their place */
    struct batch_term **slots; /* by hash; NULL is free */
    uint32_t slot_count;
    struct batch_term **lists[BATCH_TERMS_MAX / LIST_TERMS]; /* by number */
    uint32_t terms, terms_max;
    struct use_block *first, *newest;
    size_t uses;
};

bool batch_new(uint32_t terms, struct batch **out, struct err *err)
{
    ASSERT(terms <= BATCH_TERMS_MAX);
    struct arena *arena = arena_new(ARENA_MAX);
    struct batch *b = arena ? arena_alloc(arena, sizeof *b) : NULL;

    if (!b) {
        arena_end(&arena);
        return err_no_room(err, "no memory to index documents");
    }
    b->arena = arena;
    b->terms_max = terms;
    *out = b;
    return true;
}

void batch_end(struct batch **batch)
{
    struct batch *b = *batch;

    if (!b)
        return;
    arena_end(&b->slot_arena);
    struct arena *arena = b->arena;
    arena_end(&arena);
    *batch = NULL;
}

size_t batch_postings(const struct batch *b)
{
    return b->uses;
}

bool batch_has_room(const struct batch *b, size_t postings)
{
    return b->uses + postings <= BATCH_USES_MAX && b->terms + postings <= b->terms_max;
}

/* --- terms ------------------------------------------------------------------------------------ */

static struct batch_term *term_at(const struct batch *b, uint32_t number)
{
    return b->lists[number / LIST_TERMS][number % LIST_TERMS];
}

static void place(struct batch_term **slots, uint32_t count, struct batch_term *term)
{
    uint32_t at = term->hash & (count - 1);

    while (slots[at])
        at = (at + 1) & (count - 1);
    slots[at] = term;
}

/* At most half of the slots are taken. */
static bool make_slots(struct batch *b, struct err *err)
{
    uint32_t count = b->slot_count ? 2 * b->slot_count : FIRST_SLOTS;
    struct arena *arena = arena_new(2 * count * sizeof(struct batch_term *) + 64 * KIB);
    struct batch_term **slots =
        arena ? arena_array(arena, count, sizeof(struct batch_term *)) : NULL;

    if (!slots) {
        arena_end(&arena);
        return err_no_room(err, "no memory to index documents");
    }
    for (uint32_t i = 0; i < b->terms; i++)
        place(slots, count, term_at(b, i));
    arena_end(&b->slot_arena);
    b->slot_arena = arena;
    b->slots = slots;
    b->slot_count = count;
    return true;
}

static bool new_term(struct batch *b, const struct inverted_term *from, struct batch_term **out,
                     struct err *err)
{
    struct batch_term ***list = &b->lists[b->terms / LIST_TERMS % ARRAY_LEN(b->lists)];

    if (b->terms == b->terms_max)
        return err_set(err, ERR_TOO_LARGE, "more than %u different words to index at once",
                       b->terms_max);
    struct batch_term *term = arena_alloc_raw(b->arena, sizeof *term + from->key.len);
    if (!*list)
        *list = arena_array(b->arena, LIST_TERMS, sizeof(struct batch_term *));
    if (!term || !*list)
        return err_arena(err, b->arena);
    *term = (struct batch_term){
        .number = b->terms, .hash = from->hash, .key_len = (uint8_t)from->key.len};
    memcpy(term->key, from->key.ptr, from->key.len);
    (*list)[b->terms++ % LIST_TERMS] = term;
    place(b->slots, b->slot_count, term);
    *out = term;
    return true;
}

static bool is_term(const struct batch_term *term, const struct inverted_term *wanted)
{
    return term->hash == wanted->hash && term->key_len == wanted->key.len &&
           memcmp(term->key, wanted->key.ptr, wanted->key.len) == 0;
}

static struct batch_term *find(const struct batch *b, const struct inverted_term *wanted)
{
    struct batch_term *term;

    for (uint32_t at = wanted->hash & (b->slot_count - 1); (term = b->slots[at]);
         at = (at + 1) & (b->slot_count - 1))
        if (is_term(term, wanted))
            return term;
    return NULL;
}

/* --- postings --------------------------------------------------------------------------------- */

static bool put_use(struct batch *b, struct use use, struct err *err)
{
    if (b->uses == BATCH_USES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %zu words of passages to index at once",
                       BATCH_USES_MAX);
    if (!b->newest || b->newest->count == BLOCK_USES) {
        struct use_block *block = arena_alloc_raw(b->arena, sizeof *block);

        if (!block)
            return err_arena(err, b->arena);
        block->next = NULL;
        block->count = 0;
        *(b->newest ? &b->newest->next : &b->first) = block;
        b->newest = block;
    }
    b->newest->at[b->newest->count++] = use;
    b->uses++;
    return true;
}

static bool add_use(struct batch *b, const struct inverted_term *from, uint32_t passage,
                    struct err *err)
{
    struct batch_term *term = find(b, from);

    if (!term && !new_term(b, from, &term, err))
        return false;
    term->passages++;
    return put_use(b, (struct use){term->number, passage, from->times}, err);
}

/* Slots and terms are cold memory: those of several terms are on their way at once. */
static bool add_some(struct batch *b, const struct inverted_term *some, size_t count,
                     uint32_t passage, struct err *err)
{
    if (b->slot_count < 2 * (b->terms + AT_ONCE) && !make_slots(b, err))
        return false;
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(&b->slots[some[i].hash & (b->slot_count - 1)], 1);
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(b->slots[some[i].hash & (b->slot_count - 1)], 1);
    for (size_t i = 0; i < count; i++)
        if (!add_use(b, &some[i], passage, err))
            return false;
    return true;
}

bool batch_add_terms(struct batch *b, const struct inverted *passage, uint32_t number,
                     struct err *err)
{
    struct inverted_term some[AT_ONCE];
    struct str rest = passage->terms;
    size_t count;

    do {
        for (count = 0; count < AT_ONCE && inverted_next(&rest, &some[count]);)
            count++;
        if (!add_some(b, some, count, number, err))
            return false;
    } while (count == AT_ONCE);
    return true;
}

bool batch_add_marks(struct batch *b, const struct lexical_passage *passage, uint32_t number,
                     struct err *err)
{
    for (size_t i = 0; i < passage->mark_count; i++) {
        char bytes[TERM_BYTES_MAX + 1];
        struct str key = mark_key(passage->marks[i], bytes);
        struct inverted_term mark = {key, (uint32_t)siphash(key), (uint32_t)i + 1};

        if (!add_some(b, &mark, 1, number, err))
            return false;
    }
    return true;
}

/* --- in order --------------------------------------------------------------------------------- */

struct ordered {
    uint64_t head; /* of the key: tells most of them apart */
    const struct batch_term *term;
};

static struct str key_of(const struct batch_term *term)
{
    return (struct str){term->key, term->key_len};
}

static int compare_ordered(const void *a, const void *b)
{
    const struct ordered *left = a, *right = b;

    if (left->head != right->head)
        return left->head < right->head ? -1 : 1;
    return str_cmp(key_of(left->term), key_of(right->term));
}

static struct ordered *in_order(const struct batch *b, struct err *err)
{
    struct ordered *list = arena_array(b->arena, (size_t)b->terms + 1, sizeof *list);

    if (!list) {
        (void)err_arena(err, b->arena);
        return NULL;
    }
    for (uint32_t i = 0; i < b->terms; i++) {
        const struct batch_term *term = term_at(b, i);

        list[i] = (struct ordered){segment_head(key_of(term)), term};
    }
    if (b->terms) /* none: no text had a word */
        qsort(list, b->terms, sizeof *list, compare_ordered);
    return list;
}

/* Postings sorted by term by counting: ends[t] is where term t's next posting goes, and in the end where its
 * list ends. */
static struct posting *by_term(const struct batch *b, uint32_t *ends, struct err *err)
{
    struct posting *sorted = arena_alloc_raw(b->arena, (b->uses + 1) * sizeof *sorted);
    uint32_t sum = 0;

    if (!sorted) {
        (void)err_arena(err, b->arena);
        return NULL;
    }
    for (uint32_t t = 0; t < b->terms; t++) {
        ends[t] = sum;
        sum += term_at(b, t)->passages;
    }
    for (const struct use_block *block = b->first; block; block = block->next)
        for (size_t i = 0; i < block->count; i++) {
            const struct use *use = &block->at[i];

            /* Lists lie all over cold memory: where the next ones end is fetched first, then their ends. */
            if (i + 2 * AHEAD < block->count)
                __builtin_prefetch(&ends[use[2 * AHEAD].term], 1);
            if (i + AHEAD < block->count)
                __builtin_prefetch(&sorted[ends[use[AHEAD].term]], 1);
            sorted[ends[use->term]++] = (struct posting){use->passage, use->times};
        }
    return sorted;
}

bool batch_write(struct batch *b, struct segment_writer *to, struct err *err)
{
    uint32_t *ends = arena_array(b->arena, (size_t)b->terms + 1, sizeof *ends);
    const struct posting *sorted = ends ? by_term(b, ends, err) : NULL;

    if (!ends)
        return err_arena(err, b->arena);
    arena_end(&b->slot_arena); /* nothing is looked up any more */
    const struct ordered *terms = sorted ? in_order(b, err) : NULL;
    for (uint32_t i = 0; terms && i < b->terms; i++) {
        const struct batch_term *term = terms[i].term;

        if (!segment_add_term(to, key_of(term), sorted + ends[term->number] - term->passages,
                              term->passages, err))
            return false;
    }
    return terms != NULL;
}
