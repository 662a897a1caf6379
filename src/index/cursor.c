#include "index/cursor.h"

#define K1 1.2
#define B  0.75

double cursor_norm(const struct worth *w, uint32_t length)
{
    return K1 * (1.0 - B + B * (double)length / w->average);
}

static double score(const struct worth *w, double times, double norm)
{
    return w->weight * times * (K1 + 1.0) / (times + norm);
}

/* Sums of bounds are compared with sums taken in another order: a hair above keeps them bounds. */
static double bound_of(const struct cursor *c, const struct skip *skip)
{
    double most = skip->times_max == SKIP_ANY_TIMES
                      ? c->worth.weight * (K1 + 1.0)
                      : score(&c->worth, skip->times_max, cursor_norm(&c->worth, skip->length_min));

    return most * (1.0 + 1e-9);
}

double cursor_score(const struct cursor *c, double norm)
{
    return score(&c->worth, c->times[c->at], norm);
}

double cursor_score_bound(const struct cursor *c)
{
    return score(&c->worth, c->times[c->at], c->norm_least) * (1.0 + 1e-9);
}

static double best_of_block(const struct cursor *c)
{
    double best = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t length = segment_passage(c->segment, c->passages[i]).lengths[c->worth.field];

        best = MAX_OF(best, score(&c->worth, c->times[i], cursor_norm(&c->worth, length)));
    }
    return best * (1.0 + 1e-9);
}

/* The next block, from where the bytes stand. */
static void read_block(struct cursor *c)
{
    c->count = c->at = 0;
    while (c->count < SKIP_BLOCK && c->left > 0 && postings_next(&c->blocks)) {
        c->passages[c->count] = c->blocks.passage;
        c->times[c->count++] = c->blocks.times;
        c->left--;
    }
    if (c->count == 0) { /* the end, or bytes that make no sense */
        c->left = 0;
        c->passage = CURSOR_END;
        return;
    }
    c->passage = c->passages[0];
    c->block_last = c->passages[c->count - 1];
    c->block_bound = c->bound;
    c->norm_least = K1 * (1.0 - B);
    if (c->block < c->blocks.skip_count) {
        struct skip skip = skip_at(&c->blocks, c->block);

        c->block_bound = bound_of(c, &skip);
        c->norm_least = cursor_norm(&c->worth, skip.length_min);
    }
}

/* Stand before block i, having read none of those between. */
static void jump(struct cursor *c, uint32_t i)
{
    struct skip before = skip_at(&c->blocks, i - 1);

    c->block = i;
    c->left = c->total - MIN_OF(i * SKIP_BLOCK, c->total);
    if (before.end > (size_t)(c->blocks.end - c->first) || before.last >= c->blocks.limit) {
        c->left = 0; /* cannot be, but for a checksum that lies */
        return;
    }
    c->blocks.at = c->first + before.end;
    c->blocks.passage = before.last;
}

void cursor_open(struct cursor *c, const struct segment *segment, const struct term_entry *entry,
                 const struct worth *worth)
{
    c->segment = segment;
    c->worth = *worth;
    c->blocks = segment_postings(segment, entry);
    c->first = c->blocks.at;
    c->left = c->total = entry->passages;
    c->block = 0;
    c->bound = worth->weight * (K1 + 1.0);
    if (c->blocks.skip_count > 0) {
        c->bound = 0;
        for (uint32_t i = 0; i < c->blocks.skip_count; i++) {
            struct skip skip = skip_at(&c->blocks, i);

            c->bound = MAX_OF(c->bound, bound_of(c, &skip));
        }
    }
    read_block(c);
    if (c->left == 0 && c->count > 0) /* one block: read, so known exactly */
        c->bound = c->block_bound = best_of_block(c);
}

void cursor_next(struct cursor *c)
{
    if (++c->at < c->count) {
        c->passage = c->passages[c->at];
        return;
    }
    c->block++;
    read_block(c);
}

static uint32_t block_of(const struct cursor *c, uint32_t passage)
{
    uint32_t from = c->block + 1, to = c->blocks.skip_count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (skip_at(&c->blocks, middle).last < passage)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void cursor_seek(struct cursor *c, uint32_t passage)
{
    if (c->passage >= passage)
        return;
    if (c->block_last < passage && c->blocks.skip_count > 0) {
        uint32_t block = block_of(c, passage);

        if (block >= c->blocks.skip_count) {
            c->left = c->count = 0;
            c->passage = CURSOR_END;
            return;
        }
        jump(c, block);
        read_block(c);
    }
    while (c->passage < passage && c->passage != CURSOR_END)
        cursor_next(c);
}

double cursor_bound_at(const struct cursor *c, uint32_t passage)
{
    if (c->passage == CURSOR_END || c->passage > passage)
        return 0;
    if (passage <= c->block_last)
        return c->block_bound;
    if (c->blocks.skip_count == 0)
        return c->bound;
    uint32_t block = block_of(c, passage);
    if (block >= c->blocks.skip_count)
        return 0;
    struct skip skip = skip_at(&c->blocks, block);
    return bound_of(c, &skip);
}
