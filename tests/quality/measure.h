/* tests/quality/measure.h: one question of a set, asked every way that is measured. */
#ifndef WEIR_TESTS_QUALITY_MEASURE_H
#define WEIR_TESTS_QUALITY_MEASURE_H

#include <stdio.h>

#include "figures.h"
#include "sets.h"
#include "span_file.h"

#define SCRATCH_MAX ((size_t)64 * MIB)
#define SETS_MAX    16

struct tally {
    struct str set;
    uint32_t asked, answerable;
    uint32_t first, five, ten; /* the passage among the best 1, 5, 10 of the search */
    double reciprocal;         /* 1 / its place there, 0 below the tenth */
    uint32_t chosen;           /* the passage of the best sentence is the right one */
    uint32_t given1, given3;   /* right passage given: the best sentence, the best three */
    uint32_t overlap; /* ... the one with most of the question's words, counted by their idf */
    uint32_t shown, letters; /* ... what is cited holds the answer; bytes of it in all */
    double exact, f1;        /* passage given: the best words */
    double marked, exact_shown, f1_shown; /* ... marked in what is cited */
    uint32_t spanned;                     /* the sentence of the best span holds the answer */
    uint32_t cited, cited_first;          /* over all passages: a cited sentence holds the answer */
    uint32_t answered, right, refused_well, refused_badly;
    double *sure, *unsure; /* answerable_of() of both kinds, over all passages */
    double *given_sure, *given_unsure, *away;
    double *words_sure, *words_unsure; /* by the score of the best words alone */
    uint32_t sure_count, unsure_count, away_count;
};

struct eval {
    struct collection *c;
    struct figures *figures;
    struct lexical_view *view;
    struct access access; /* all of it */
    struct analyser *analyser;
    struct arena *scratch;
    FILE *train, *spans, *ranking, *likely, *misses;
    struct span_weights *unseen; /* [LANGUAGES][SPAN_FOLDS], or NULL: those that ship */
    uint32_t every;
    const char *data, *language, *only; /* NULL: the sample; both; every set */
    struct tally *tallies;              /* SETS_MAX */
    struct tally *aside;                /* of questions that are only trained on */
    size_t tally_count;
    uint32_t question_number, article; /* the same number for all questions of one title */
};

/* The tally of the question's set learns all of it. */
bool measure_question(struct eval *e, const struct asked_question *q, struct err *err) MUST_CHECK;
void tally_report(struct tally *t, struct figures *to);

/* Share of pairs (with, without an answer) that are in order; both are sorted. */
double area(double *sure, size_t n, double *unsure, size_t m);
/* Right at a bar: what has an answer stands at or above it, what has none below. */
double accuracy_at(const double *sure, size_t n, const double *unsure, size_t m, double bar);

/* A question that a measure counts as failed, with what was given instead; to may be NULL. */
void miss(FILE *to, const char *measure, struct str set, struct str question, struct str given);
/* Features for train.c. */
void dump_candidates(struct eval *e, const struct asked_question *q, const struct candidate *list,
                     size_t count, char kind);
void dump_signs(struct eval *e, const struct asked_question *q, const struct inquiry *in, bool good,
                char kind);
void dump_settling(struct eval *e, const struct asked_question *q, const struct inquiry *in,
                   char kind);
struct str candidate_text(const struct candidate *c);

#endif
