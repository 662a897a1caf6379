#include "rgb.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Of pairs (with, without an answer) in order; and what is refused when nine of ten with one are kept. */
static void print_refusal(const char *name, double *with, double *without, size_t count)
{
    double pairs = 0, refused = 0;

    qsort(with, count, sizeof *with, compare_doubles);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            pairs += with[i] > without[k] ? 1 : with[i] < without[k] ? 0 : 0.5;
    for (size_t k = 0; k < count; k++)
        refused += without[k] < with[count / 10];
    printf("    %-13s AUC %.3f, refused %.3f\n", name, pairs / (double)count / (double)count,
           refused / (double)count);
}

static bool noise(const struct noisy_eval *e, const struct noisy_question *q, size_t count,
                  double share, struct err *err)
{
    size_t negative = (size_t)ceil(DOCUMENTS * share), one = 0, three = 0;

    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(e->scratch);
        struct inquiry in;

        if (!ask_among(e, &q[i], DOCUMENTS - negative, negative, &in, err))
            return false;
        one += best_hold(e, &q[i], &in, 1);
        three += best_hold(e, &q[i], &in, 3);
        arena_rewind(e->scratch, mark);
    }
    printf("    noise %.1f     best sentence holds the answer %.3f, the best three %.3f\n", share,
           (double)one / (double)count, (double)three / (double)count);
    return true;
}

bool noisy_run(const struct noisy_eval *e, const struct noisy_question *q, size_t count,
               struct err *err)
{
    double *with = arena_array(e->scratch, count + 1, sizeof *with);
    double *without = arena_array(e->scratch, count + 1, sizeof *without);
    double *odds_with = arena_array(e->scratch, count + 1, sizeof *with);
    double *odds_without = arena_array(e->scratch, count + 1, sizeof *without);

    if (!with || !without || !odds_with || !odds_without)
        return err_arena(err, e->scratch);
    printf("  rgb-zh: %zu questions, %d documents each\n", count, DOCUMENTS);
    if (!noise(e, q, count, 0, err) || !noise(e, q, count, 0.4, err) ||
        !noise(e, q, count, 0.8, err))
        return false;
    printf("    baselines     .873 .793 .547, the best three .987 .953 .713\n");
    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(e->scratch);
        struct inquiry in;

        if (!ask_among(e, &q[i], DOCUMENTS, 0, &in, err))
            return false;
        with[i] = (double)in.answerable;
        odds_with[i] = (double)in.spans.odds;
        if (!ask_among(e, &q[i], 0, DOCUMENTS, &in, err))
            return false;
        without[i] = (double)in.answerable;
        odds_without[i] = (double)in.spans.odds;
        arena_rewind(e->scratch, mark);
    }
    printf(
        "    only such that do not (baseline: AUC .80, .55 refused while .9 of the answerable are "
        "kept)\n");
    print_refusal("as it answers", with, without, count);
    print_refusal("words alone", odds_with, odds_without, count);
    return true;
}
