#include "knowledge/overlap.h"

#include <math.h>

#include "base/utf8.h"

float local_weight(size_t having, size_t count)
{
    float n = (float)count, h = (float)having;

    if (!having)
        return 1;
    return logf(1 + (n - h + 0.5f) / (h + 0.5f)) / logf(1 + (n + 0.5f) / 0.5f);
}

/* --- grams of a text -------------------------------------------------------------------------- */

typedef void gram_taker(void *to, uint64_t code);

static void walk_letters(const struct terms *terms, gram_taker *take, void *to)
{
    uint64_t last = ' ';
    size_t seen = 1;

    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field != TERM_WORD || term->stop)
            continue;
        for (size_t k = 0; k <= term->text.len; k++) {
            last =
                (last << 8 | (uint8_t)(k < term->text.len ? term->text.ptr[k] : ' ')) & UINT32_MAX;
            if (++seen >= 4)
                take(to, last);
        }
    }
}

static void walk_characters(const struct terms *terms, gram_taker *take, void *to)
{
    uint64_t before = 0;

    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];
        uint32_t rune;

        if (term->field != TERM_WORD || term->stop)
            continue;
        for (size_t at = 0; utf8_next(term->text, &at, &rune); before = rune) {
            if (rune >= 0x80)
                take(to, rune);
            if (before)
                take(to, before << 32 | rune);
        }
    }
}

static void walk(const struct grams *grams, const struct terms *terms, gram_taker *take, void *to)
{
    (grams->wide ? walk_characters : walk_letters)(terms, take, to);
}

/* --- sets of them ----------------------------------------------------------------------------- */

/* The slot that holds the code, or the free one where it belongs: a quarter of them is in use at most. */
static size_t find_slot(const struct grams *grams, uint64_t code)
{
    size_t slot = (size_t)(code * 0x9e3779b97f4a7c15u >> 54) % GRAM_SLOTS;

    while (grams->slots[slot] && grams->codes[grams->slots[slot] - 1] != code)
        slot = (slot + 1) % GRAM_SLOTS;
    return slot;
}

static void add_gram(void *to, uint64_t code)
{
    struct grams *grams = to;
    size_t slot = find_slot(grams, code);

    if (grams->slots[slot] || grams->count == GRAMS_MAX)
        return;
    grams->codes[grams->count++] = code;
    grams->slots[slot] = (uint16_t)grams->count;
}

void grams_read(struct grams *grams, const struct terms *question, bool wide)
{
    *grams = (struct grams){.wide = wide};
    walk(grams, question, add_gram, grams);
}

struct marking {
    const struct grams *grams;
    struct gram_set set;
};

static void mark_gram(void *to, uint64_t code)
{
    struct marking *m = to;
    size_t number = m->grams->slots[find_slot(m->grams, code)];

    if (number)
        m->set.bits[(number - 1) / 64] |= 1ull << (number - 1) % 64;
}

struct gram_set grams_in(const struct grams *grams, const struct terms *text)
{
    struct marking m = {.grams = grams};

    walk(grams, text, mark_gram, &m);
    return m.set;
}

static bool has(const struct gram_set *set, size_t number)
{
    return set->bits[number / 64] >> number % 64 & 1;
}

float grams_share(const struct grams *grams, const struct gram_set *set)
{
    size_t there = 0;

    for (size_t i = 0; i < grams->count; i++)
        there += has(set, i);
    return grams->count ? (float)there / (float)grams->count : 0;
}

void grams_weigh(const struct grams *grams, const struct gram_set *sentences, size_t count,
                 float *weights)
{
    for (size_t i = 0; i < grams->count; i++) {
        size_t having = 0;

        for (size_t k = 0; k < count; k++)
            having += has(&sentences[k], i);
        weights[i] = local_weight(having, count);
    }
}

float grams_weighed(const struct grams *grams, const struct gram_set *set, const float *weights)
{
    float sum = 0, all = 0;

    for (size_t i = 0; i < grams->count; i++) {
        all += weights[i];
        sum += has(set, i) ? weights[i] : 0;
    }
    return all > 0 ? sum / all : 0;
}
