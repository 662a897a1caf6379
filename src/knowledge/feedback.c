#include "knowledge/feedback.h"

#include <math.h>
#include <stdlib.h>

#include "base/table.h"
#include "knowledge/ranking.h"
#include "knowledge/vectors.h"

#define WORDS_LEAST    7    /* of the question that count */
#define EQUAL_PLACE    5    /* the passage at this place ... */
#define EQUAL_SHARE    0.4f /* ... has this share of the best one's score */
#define PASSAGES_READ  10
#define WORDS_WEIGHED  96 /* whose rarity is looked up */
#define WORDS_TAKEN    15
#define QUESTION_SHARE 0.35 /* of all weight, the question's own words */
#define SHARE_WEIGHT   0.2f /* a passage that surely answers, beside the best by feedback */
#define READ_ARENA     ((size_t)32 * MIB)
#define WORDS_MAX      ((size_t)100000)
#define TIMES_HALF     1.2f /* BM25's k1 and b: a word's tenth mention says little */
#define LENGTH_SHARE   0.75f

struct word {
    struct term term;
    float weight;
    uint32_t times, passage; /* in the passage being read */
};
struct feedback {
    const struct feedback_request *request;
    struct arena *scratch;
    struct table words; /* text -> struct word */
    struct terms read[PASSAGES_READ];
    size_t count;
    struct word **list;
    size_t list_count;
};

static size_t count_words(const struct terms *terms)
{
    size_t count = 0;

    for (size_t i = 0; i < terms->count; i++)
        count +=
            terms->at[i].field == TERM_WORD && !terms->at[i].stop && !terms_is_repeat(terms, i);
    return count;
}

/* Chinese: no set to measure on, and of Chinese facts fewer passages stand out. */
static bool has_wide(const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++)
        if (terms->at[i].field == TERM_PAIR)
            return true;
    return false;
}

bool feedback_wanted(const struct feedback_request *r)
{
    return r->found->count >= PASSAGES_READ &&
           r->found->at[EQUAL_PLACE - 1].score >= EQUAL_SHARE * r->found->at[0].score &&
           count_words(r->terms) >= WORDS_LEAST && !has_wide(r->terms);
}

static bool read_passages(struct feedback *f, struct err *err)
{
    f->count = MIN_OF(f->request->found->count, (size_t)PASSAGES_READ);
    for (size_t i = 0; i < f->count; i++) {
        struct str text;

        if (!vectors_text(f->scratch, &f->request->found->at[i], &text, err) ||
            !analyser_terms(f->request->analyser, f->scratch, text, &f->read[i], err))
            return false;
    }
    return true;
}

static bool count_term(struct feedback *f, const struct term *term, uint32_t passage,
                       struct err *err)
{
    struct word *word = table_get(&f->words, term->text);

    if (!word) {
        word = arena_alloc(f->scratch, sizeof *word);
        if (!word || !table_put(&f->words, term->text, word, NULL))
            return err_no_room(err, "no memory to read passages");
        *word = (struct word){.term = *term, .passage = passage};
    }
    word->times = word->passage == passage ? word->times + 1 : 1;
    word->passage = passage;
    return true;
}

/* What the passage adds: a word's mentions, counted as BM25 does, by how well the passage was found. */
static void weigh_passage(struct feedback *f, uint32_t passage, float share, float length)
{
    const struct terms *terms = &f->read[passage];

    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];
        struct word *word =
            term->field == TERM_WORD && !term->stop ? table_get(&f->words, term->text) : NULL;

        if (!word || word->passage != passage || word->times == 0)
            continue;
        word->weight +=
            share * (float)word->times /
            ((float)word->times + TIMES_HALF * (1 - LENGTH_SHARE + LENGTH_SHARE * length));
        word->times = 0; /* once a passage */
    }
}

static bool count_words_of(struct feedback *f, struct err *err)
{
    float all = 0, lengths = 0;

    for (size_t i = 0; i < f->count; i++) {
        all += f->request->found->at[i].score;
        lengths += (float)f->read[i].words;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        const struct terms *terms = &f->read[i];

        for (size_t k = 0; k < terms->count; k++)
            if (terms->at[k].field == TERM_WORD && !terms->at[k].stop &&
                !count_term(f, &terms->at[k], i, err))
                return false;
        weigh_passage(f, i, f->request->found->at[i].score / all,
                      (float)f->read[i].words * (float)f->count / lengths);
    }
    return true;
}

static int compare_words(const void *a, const void *b)
{
    const struct word *const *left = a, *const *right = b;

    if ((*left)->weight < (*right)->weight || (*left)->weight > (*right)->weight)
        return (*left)->weight < (*right)->weight ? 1 : -1;
    return str_cmp((*left)->term.text, (*right)->term.text);
}

/* The words that say most of these passages and are rare elsewhere. */
static bool choose_words(struct feedback *f, struct err *err)
{
    const struct access *access = f->request->access;
    struct str key;
    void *word;

    f->list = arena_array(f->scratch, f->words.count + 1, sizeof *f->list);
    if (!f->list)
        return err_arena(err, f->scratch);
    for (size_t at = 0; table_next(&f->words, &at, &key, &word);)
        f->list[f->list_count++] = word;
    if (f->list_count)
        qsort(f->list, f->list_count, sizeof(struct word *), compare_words);
    f->list_count = MIN_OF(f->list_count, (size_t)WORDS_WEIGHED);
    for (size_t i = 0; i < f->list_count; i++)
        f->list[i]->weight *= lexical_idf(access->view, access->filter, &f->list[i]->term);
    if (f->list_count)
        qsort(f->list, f->list_count, sizeof(struct word *), compare_words);
    f->list_count = MIN_OF(f->list_count, (size_t)WORDS_TAKEN);
    return true;
}

/* The question's terms alike, then the words of the passages by their weights. */
static bool ask_again(struct feedback *f, struct terms *terms, float **weights, struct err *err)
{
    const struct terms *asked = f->request->terms;
    size_t own = 0, most = asked->count + f->list_count + 1;
    double all = 0;

    terms->at = arena_array(f->scratch, most, sizeof *terms->at);
    *weights = arena_array(f->scratch, most, sizeof **weights);
    if (!terms->at || !*weights)
        return err_arena(err, f->scratch);
    for (size_t i = 0; i < f->list_count; i++)
        all += (double)f->list[i]->weight;
    for (size_t i = 0; i < asked->count; i++)
        if (!asked->at[i].stop && !terms_is_repeat(asked, i))
            terms->at[own++] = asked->at[i];
    terms->count = own;
    for (size_t i = 0; i < own; i++)
        (*weights)[i] = (float)(QUESTION_SHARE / (double)own);
    for (size_t i = 0; i < f->list_count && all > 0; i++) {
        const struct word *word = f->list[i];
        float weight = (float)((1 - QUESTION_SHARE) * (double)word->weight / all);
        size_t at = 0;

        while (at < own &&
               !(terms->at[at].field == TERM_WORD && str_eq(terms->at[at].text, word->term.text)))
            at++;
        if (at == own) {
            at = terms->count++;
            terms->at[at] = word->term;
        }
        (*weights)[at] += weight;
    }
    return true;
}

struct placed {
    struct lexical_hit hit;
    float score;
};

static int compare_passages(const void *a, const void *b)
{
    const struct placed *left = a, *right = b;

    return (left->hit.passage > right->hit.passage) - (left->hit.passage < right->hit.passage);
}

static int compare_placed(const void *a, const void *b)
{
    const struct placed *left = a, *right = b;

    if (left->score < right->score || left->score > right->score)
        return left->score < right->score ? 1 : -1;
    int order = str_cmp(left->hit.key, right->hit.key);
    return order ? order
                 : (left->hit.passage > right->hit.passage) -
                       (left->hit.passage < right->hit.passage);
}

/* Both lists as one: what feedback says of the best, and how likely a passage answers. */
static bool unite(const struct feedback *f, const struct lexical_hits *again, const float *shares,
                  struct lexical_hits *hits, struct err *err)
{
    size_t all = again->count + hits->count, kept = 0;
    struct placed *list = arena_array(f->scratch, all + 1, sizeof *list);
    struct lexical_hit *out = arena_array(f->request->arena, all + 1, sizeof *out);

    if (!list || !out)
        return err_arena(err, f->scratch);
    for (size_t i = 0; i < hits->count; i++)
        list[i] = (struct placed){hits->at[i], i < RANKING_DEPTH ? SHARE_WEIGHT * shares[i] : 0};
    for (size_t i = 0; i < again->count; i++)
        list[hits->count + i] =
            (struct placed){again->at[i], again->at[i].score / again->at[0].score};
    qsort(list, all, sizeof *list, compare_passages);
    for (size_t i = 0; i < all; i++) {
        if (kept && list[kept - 1].hit.passage == list[i].hit.passage)
            list[kept - 1].score += list[i].score;
        else
            list[kept++] = list[i];
    }
    qsort(list, kept, sizeof *list, compare_placed);
    for (size_t i = 0; i < kept; i++) {
        out[i] = list[i].hit;
        out[i].score = hits->at[MIN_OF(i, hits->count - 1)].score;
    }
    *hits = (struct lexical_hits){out, kept};
    return true;
}

bool feedback_find(const struct feedback_request *request, const float *shares,
                   struct lexical_hits *hits, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(READ_ARENA);
    struct feedback f = {.request = request, .scratch = scratch};
    struct lexical_hits again;
    struct terms terms = {0};
    float *weights;

    if (!scratch)
        return err_no_room(err, "no memory to read passages");
    table_init(&f.words, scratch, WORDS_MAX);
    if (!read_passages(&f, err) || !count_words_of(&f, err) || !choose_words(&f, err) ||
        !ask_again(&f, &terms, &weights, err))
        return false;
    struct lexical_query query = {.terms = &terms,
                                  .filter = request->access->filter,
                                  .limit = request->limit,
                                  .weights = weights};
    return lexical_search(request->access->view, scratch, &query, &again, err) &&
           (!again.count || unite(&f, &again, shares, hits, err));
}
