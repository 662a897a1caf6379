/* What train.c and train_spans.c learn from. */
#include <stdio.h>

#include "knowledge/settle.h"
#include "measure.h"

struct str candidate_text(const struct candidate *c)
{
    struct sentence s = c->found->sentences[c->sentence];

    return str_slice(c->found->passage.blocks[s.block].text, s.from, s.to);
}

void miss(FILE *to, const char *measure, struct str set, struct str question, struct str given)
{
    if (to)
        fprintf(to, "%s\t" STR_FMT "\t" STR_FMT "\t" STR_FMT "\n", measure, STR_ARG(set),
                STR_ARG(question), STR_ARG(given));
}

void dump_candidates(struct eval *e, const struct asked_question *q, const struct candidate *list,
                     size_t count, char kind)
{
    if (!q->answer_count)
        return;
    for (size_t i = 0; i < count && i < 60; i++) {
        bool gold =
            str_eq(list[i].found->key, q->document) && holds_answer(q, candidate_text(&list[i]));

        fprintf(e->train, "%c\t" STR_FMT "\t%u\t%u\t%d", kind, STR_ARG(q->set), e->question_number,
                e->article, gold);
        for (int f = 0; f < FEATURES; f++)
            fprintf(e->train, "\t%.5g", (double)list[i].features[f]);
        fputc('\n', e->train);
    }
}

void dump_signs(struct eval *e, const struct asked_question *q, const struct inquiry *in, bool good,
                char kind)
{
    fprintf(e->train, "%c\t" STR_FMT "\t%u\t%u\t%d", kind, STR_ARG(q->set), e->question_number,
            e->article, q->answer_count ? (good ? 2 : 1) : 0);
    for (int i = 0; i < SIGNS; i++)
        fprintf(e->train, "\t%.5g", (double)in->signs[i]);
    fputc('\n', e->train);
}

/* The best sentences: the score before their words were known, and what these say. */
void dump_settling(struct eval *e, const struct asked_question *q, const struct inquiry *in,
                   char kind)
{
    float gain = settle_gain[language_number(in->question.language)];

    for (size_t i = 0; i < SPAN_SENTENCES && i < in->ranked_count && q->answer_count; i++) {
        const struct candidate *c = &in->ranked[i];
        float far = settle_distance(&in->spans, i);

        fprintf(e->train, "%c\t" STR_FMT "\t%u\t%u\t%d\t%.5g\t%.5g\n", kind, STR_ARG(q->set),
                e->question_number, e->article, holds_answer(q, candidate_text(c)),
                (double)(c->score - gain * far), (double)far);
    }
}
