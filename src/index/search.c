/* BM25 term at a time: each posting adds its share to its passage's sum, then the best are picked.
 * Cost is the sum of the posting lists and a float a passage: over 100,000 passages a question takes
 * well below a millisecond, so the lists carry no skip data. */
#include <math.h>
#include <string.h>

#include "index/lexical_internal.h"

#define K1          1.2
#define B           0.75
#define PAIR_WEIGHT 0.4
#define ASKED_MAX   512 /* distinct terms of a question that count */
#define LIMIT_MAX   1000

struct str term_key(const struct term *term, char bytes[TERM_BYTES_MAX + 1])
{
    ASSERT(term->text.len <= TERM_BYTES_MAX);
    bytes[0] = term->field == TERM_WORD ? 'w' : 'p';
    memcpy(bytes + 1, term->text.ptr, term->text.len);
    return (struct str){bytes, term->text.len + 1};
}

static double idf(uint64_t passages, uint64_t with_term)
{
    double n = (double)passages, df = (double)with_term;

    return log(1.0 + (n - df + 0.5) / (df + 0.5));
}

static uint64_t passages_with(const struct lexical_view *view, struct str key)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < view->count; i++) {
        struct term_entry entry;

        if (segment_find_term(view->at[i], key, &entry))
            sum += entry.passages;
    }
    return sum;
}

float lexical_idf(const struct lexical_view *view, const struct term *term)
{
    char bytes[TERM_BYTES_MAX + 1];

    return (float)idf(view->passages, passages_with(view, term_key(term, bytes)));
}

static void add_scores(const struct lexical_view *view, const struct segment *s,
                       const struct term_entry *entry, const struct term *term, double weight,
                       float *scores)
{
    for (struct postings p = segment_postings(s, entry); postings_next(&p);) {
        double length = segment_passage(s, p.passage).lengths[term->field];
        double norm = K1 * (1.0 - B + B * length / view->average[term->field]);

        scores[p.passage] += (float)(weight * p.times * (K1 + 1.0) / (p.times + norm));
    }
}

static bool is_repeat(const struct terms *terms, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (terms->at[j].field == terms->at[i].field &&
            str_eq(terms->at[j].text, terms->at[i].text))
            return true;
    return false;
}

static void score_term(const struct lexical_view *view, const struct term *term, float **scores)
{
    char bytes[TERM_BYTES_MAX + 1];
    struct str key = term_key(term, bytes);
    double weight = idf(view->passages, passages_with(view, key)) *
                    (term->field == TERM_PAIR ? PAIR_WEIGHT : 1.0);

    for (uint32_t i = 0; i < view->count; i++) {
        struct term_entry entry;

        if (segment_find_term(view->at[i], key, &entry))
            add_scores(view, view->at[i], &entry, term, weight, scores[i]);
    }
}

/* Keep hits sorted, best first; the limit is small, so insertion does. */
static void keep(struct lexical_hits *hits, size_t limit, float score, uint64_t passage)
{
    if (hits->count == limit && score <= hits->at[limit - 1].score)
        return;
    size_t at = hits->count < limit ? hits->count++ : limit - 1;
    for (; at > 0 && hits->at[at - 1].score < score; at--)
        hits->at[at] = hits->at[at - 1];
    hits->at[at] = (struct lexical_hit){.passage = passage, .score = score};
}

static void fill_hit(const struct lexical_view *view, struct lexical_hit *hit)
{
    uint64_t i = hit->passage;
    const struct segment *const *s = (const struct segment *const *)view->at;

    for (; i >= (*s)->passages; s++)
        i -= (*s)->passages;
    struct passage_entry passage = segment_passage(*s, (uint32_t)i);
    struct document_entry document = segment_document(*s, passage.document);
    hit->record = segment_passage_record(*s, &passage);
    hit->key = segment_key(*s, &document);
    hit->document_record = segment_document_record(*s, &document);
}

static void pick(const struct lexical_view *view, float *const *scores, size_t limit,
                 struct lexical_hits *hits)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < view->count; i++)
        for (uint32_t p = 0; p < view->at[i]->passages; p++, number++)
            if (scores[i][p] > 0)
                keep(hits, limit, scores[i][p], number);
    for (size_t i = 0; i < hits->count; i++)
        fill_hit(view, &hits->at[i]);
}

bool lexical_search(const struct lexical_view *view, struct arena *arena, const struct terms *terms,
                    size_t limit, struct lexical_hits *out, struct err *err)
{
    float **scores = arena_array(arena, view->count + (size_t)1, sizeof *scores);
    struct lexical_hits hits = {arena_array(arena, limit + 1, sizeof *hits.at), 0};

    ASSERT(limit > 0 && limit <= LIMIT_MAX);
    if (!scores || !hits.at)
        return err_arena(err, arena);
    for (uint32_t i = 0; i < view->count; i++) {
        scores[i] = arena_array(arena, view->at[i]->passages + (size_t)1, sizeof *scores[i]);
        if (!scores[i])
            return err_arena(err, arena);
    }
    size_t asked = MIN_OF(terms->count, (size_t)ASKED_MAX);
    for (size_t i = 0; i < asked; i++)
        if (!terms->at[i].stop && !is_repeat(terms, i))
            score_term(view, &terms->at[i], scores);
    pick(view, scores, limit, &hits);
    *out = hits;
    return true;
}
