#include "rgb.h"

#include <math.h>
#include <stdlib.h>

#include "measure.h"

#define DOCUMENTS 5 /* shown with each question, as RGB does */

/* All that is wanted stands in the text; of alternatives one. */
static bool holds_all(const struct noisy_question *q, struct str text)
{
    for (size_t i = 0; i < q->answer_count;) {
        uint32_t part = q->part[i];
        bool found = false;

        for (; i < q->answer_count && q->part[i] == part; i++)
            found = found || (q->answers[i].len && str_find(text, q->answers[i]) < text.len);
        if (!found)
            return false;
    }
    return q->answer_count > 0;
}

struct noise_level {
    double share;
    const char *best, *three; /* what their figures are called */
};

static bool is_among(const struct noisy_question *q, struct str key, size_t positive,
                     size_t negative)
{
    for (size_t i = 0; i < positive && i < q->positive; i++)
        if (str_eq(q->documents[i], key))
            return true;
    for (size_t i = 0; i < negative && i < q->negative; i++)
        if (str_eq(q->documents[q->positive + i], key))
            return true;
    return false;
}

/* The question over `positive` documents that answer it and `negative` that do not. */
static bool ask_among(const struct noisy_eval *e, const struct noisy_question *q, size_t positive,
                      size_t negative, struct inquiry *in, struct err *err)
{
    struct span_request request = {
        .access = e->access, .analyser = e->analyser, .arena = e->scratch, .weights = e->weights};
    struct lexical_hits hits;
    size_t kept = 0;

    *in = (struct inquiry){0};
    if (!question_read(e->access, e->analyser, e->scratch, q->text, &in->question, err) ||
        !lexical_search(e->access->view, e->scratch,
                        &(struct lexical_query){&in->question.terms, NULL, LEXICAL_LIMIT_MAX},
                        &hits, err))
        return false;
    for (size_t i = 0; i < hits.count; i++)
        if (is_among(q, hits.at[i].key, positive, negative))
            hits.at[kept++] = hits.at[i];
    hits.count = kept;
    return inquire_in(&request, &hits, in, err);
}

static struct str text_of(const struct candidate *c)
{
    struct sentence s = c->found->sentences[c->sentence];

    return str_slice(c->found->passage.blocks[s.block].text, s.from, s.to);
}

/* Does one of the best `count` sentences hold it, or all of them together? */
static bool best_hold(const struct noisy_eval *e, const struct noisy_question *q,
                      const struct inquiry *in, size_t count)
{
    struct buf all;

    buf_init(&all, e->scratch, MIB);
    for (size_t i = 0; i < count && i < in->ranked_count; i++) {
        buf_str(&all, text_of(&in->ranked[i]));
        buf_char(&all, '\n');
    }
    return holds_all(q, buf_view(&all));
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void add(const struct noisy_eval *e, const char *table, const char *measure, double value,
                size_t count)
{
    figures_add(e->figures,
                (struct figure){table, measure, e->set, (uint32_t)count, value / (double)count});
}

/* Of pairs (with, without an answer) in order; and what is refused when nine of ten with one are kept. */
static void add_refusal(const struct noisy_eval *e, double *with, double *without, size_t count)
{
    double refused = 0;

    qsort(with, count, sizeof *with, compare_doubles);
    for (size_t k = 0; k < count; k++)
        refused += without[k] < with[count / 10];
    add(e, "refusal", "AUC", area(with, count, without, count) * (double)count, count);
    add(e, "refusal", "refused, .9 kept", refused, count);
}

/* Is one of the documents that answer among the first ten of all? */
static bool ask_search(const struct noisy_eval *e, const struct noisy_question *q, size_t found[3],
                       double *reciprocal, struct err *err)
{
    struct passages_found got;

    if (!search_now(e->knowledge, e->scratch, &(struct knowledge_question){.text = q->text}, 10,
                    &got, err))
        return false;
    size_t at = 0;
    while (at < got.count && !is_among(q, got.list[at].document, q->positive, 0))
        at++;
    if (at > 0)
        miss(e->misses, at == got.count ? "not among ten" : "not first", e->set, q->text,
             got.count ? got.list[0].quote : STR_NONE);
    if (at == got.count)
        return true;
    found[0] += at < 1;
    found[1] += at < 5;
    found[2]++;
    *reciprocal += 1.0 / (double)(at + 1);
    return true;
}

static bool search_all(const struct noisy_eval *e, const struct noisy_question *q, size_t count,
                       struct err *err)
{
    size_t found[3] = {0};
    double reciprocal = 0;

    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(e->scratch);

        if (!ask_search(e, &q[i], found, &reciprocal, err))
            return false;
        arena_rewind(e->scratch, mark);
    }
    add(e, "passage", "@1", (double)found[0], count);
    add(e, "passage", "@5", (double)found[1], count);
    add(e, "passage", "@10", (double)found[2], count);
    add(e, "passage", "MRR", reciprocal, count);
    return true;
}

static bool noise(const struct noisy_eval *e, const struct noisy_question *q, size_t count,
                  const struct noise_level *level, struct err *err)
{
    size_t negative = (size_t)ceil(DOCUMENTS * level->share), one = 0, three = 0;

    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(e->scratch);
        struct inquiry in;

        if (!ask_among(e, &q[i], DOCUMENTS - negative, negative, &in, err))
            return false;
        one += best_hold(e, &q[i], &in, 1);
        if (best_hold(e, &q[i], &in, 3))
            three++;
        else
            miss(e->misses, level->three, e->set, q[i].text,
                 arena_fmt(e->scratch, STR_FMT " <- " STR_FMT,
                           STR_ARG(q[i].answer_count ? q[i].answers[0] : STR_NONE),
                           STR_ARG(in.ranked_count ? text_of(&in.ranked[0]) : STR_NONE)));
        arena_rewind(e->scratch, mark);
    }
    add(e, "noise", level->best, (double)one, count);
    add(e, "noise", level->three, (double)three, count);
    return true;
}

/* Only documents that do not answer, against only such that do. */
static bool negatives(const struct noisy_eval *e, const struct noisy_question *q, size_t count,
                      struct err *err)
{
    double *with = arena_array(e->scratch, count + 1, sizeof *with);
    double *without = arena_array(e->scratch, count + 1, sizeof *without);

    if (!with || !without)
        return err_arena(err, e->scratch);
    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(e->scratch);
        struct inquiry in;

        if (!ask_among(e, &q[i], DOCUMENTS, 0, &in, err))
            return false;
        with[i] = (double)in.answerable;
        if (!ask_among(e, &q[i], 0, DOCUMENTS, &in, err))
            return false;
        without[i] = (double)in.answerable;
        arena_rewind(e->scratch, mark);
    }
    add_refusal(e, with, without, count);
    return true;
}

bool noisy_run(const struct noisy_eval *e, const struct noisy_question *q, size_t count,
               struct err *err)
{
    static const struct noise_level levels[] = {{0, "0: best", "0: three"},
                                                {0.4, "0.4: best", "0.4: three"},
                                                {0.8, "0.8: best", "0.8: three"}};

    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (!noise(e, q, count, &levels[i], err))
            return false;
    return search_all(e, q, count, err) && negatives(e, q, count, err);
}
