/* knowledge/span.h: the words of the chosen sentences that answer, and how sure that is.
 * Candidates  runs of words of the best sentences that begin and end where a phrase may: numbers with
 *             units, dates, names, noun phrases between function words, clauses; Chinese by ICU's words.
 * Ranking     a linear model over hashed features (what is asked for, what the candidate looks like, what
 *             stands beside it, how far the question's words are). Weights: span_weights.c, printed
 *             by tests/quality/train_spans.c; docs/quality.md has the figures.
 * Bounded     SPAN_SENTENCES sentences of SPAN_TOKENS words; what is behind them is no candidate.
 * Pure: a function of the view, the question and the sentences; everything in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_SPAN_H
#define WEIR_KNOWLEDGE_SPAN_H

#include "knowledge/choose.h"

#define SPAN_SENTENCES 5   /* the best ranked */
#define SPAN_TOKENS    160 /* of one sentence */
#define SPAN_WORDS     12  /* of a phrase; longer ones are clauses */
#define SPAN_CLAUSE    40  /* ... and no longer than that */
#define SPAN_IDS       96  /* features of one candidate, at most */
#define SPAN_SLOTS     32768
#define SPANS_KEPT     4

struct span_weights { /* of one language */
    float scale;
    int8_t at[SPAN_SLOTS]; /* times scale */
};
extern const struct span_weights span_weights[LANGUAGES];

struct span {
    const struct candidate *sentence;
    uint32_t from, to; /* bytes of its block's text */
    uint32_t words;
    uint8_t type; /* enum span_type */
    float score;
};
/* Every candidate, with the slots of its features; for training. */
typedef void span_taker(void *to, const struct span *span, const uint16_t *ids, size_t count);

struct span_request {
    const struct access *access; /* what may be read: nothing else counts in idf */
    struct analyser *analyser;
    struct arena *arena;
    const struct question *question;
    const struct candidate *ranked;
    size_t count;
    const struct span_weights *weights;
    span_taker *take; /* or NULL */
    void *to;
};
struct span_choice {
    struct span best[SPANS_KEPT]; /* best first, none within another */
    size_t count;
    struct span of[SPAN_SENTENCES]; /* the best of each sentence; words 0: none */
    float share;                    /* softmax share of the best among all */
    float margin;                   /* lead over the second */
    float odds;  /* log, any of them against none: scores are trained with "none" at 0 */
    float agree; /* is it of the kind that is asked for? 0 no, 0.5 nothing known, 1 yes */
};
bool spans_rank(const struct span_request *request, struct span_choice *out, struct err *err)
    MUST_CHECK;

#endif
