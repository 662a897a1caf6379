/* knowledge/choose.h: which sentences of the passages found answer a question, and how sure that is.
 * A linear ranker over a dozen plain features per sentence picks; a logistic model over features of the
 * pick says how likely it is right. Weights stand in weights.c and come from tests/quality/train.c,
 * trained on development splits whose licences allow it; docs/quality.md has the figures.
 * Pure: a function of the view, the passages and the question; everything in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_CHOOSE_H
#define WEIR_KNOWLEDGE_CHOOSE_H

#include "base/table.h"
#include "index/lexical.h"
#include "knowledge/passage.h"

/* What kind of thing is asked for. */
enum cue { CUE_NONE, CUE_PERSON, CUE_TIME, CUE_NUMBER, CUE_PLACE, CUE_CAUSE, CUES };

struct asked { /* a distinct term of the question that says something */
    struct term term;
    float idf;
    uint32_t number; /* among the terms of its field */
};
struct question {
    struct str text, language;
    struct terms terms;
    struct asked *asked;
    size_t asked_count;
    struct table words, pairs; /* term -> struct asked */
    float word_idf, pair_idf;  /* sums */
    enum cue cue;
};
#define ASKED_MAX 64 /* terms that count; a question is a sentence, not a document */

bool question_read(const struct lexical_view *view, struct analyser *analyser, struct arena *arena,
                   struct str text, struct question *out, struct err *err) MUST_CHECK;

/* A passage found, decoded, cut into sentences. */
struct found {
    struct str key, document_record, title;
    struct passage passage;
    struct sentence *sentences;
    size_t sentence_count;
    float score; /* of the search */
    uint64_t number;
};

enum feature {
    F_WORDS,   /* share of the question's idf that stands in the sentence */
    F_PAIRS,   /* the same over pairs; English: neighbouring words kept together */
    F_SOFT,    /* share of words that are not there, but others with the same beginning */
    F_CONTEXT, /* share that only title, heading or the list's introduction has */
    F_BEFORE,  /* share that only the sentence before has */
    F_AFTER,   /* share that only the sentence after has */
    F_REFERS,  /* F_BEFORE again when the sentence begins with "it", "this", "其" ... */
    F_PASSAGE, /* search score against the best passage */
    F_FIRST,   /* the best passage */
    F_CUE, /* how surely a person, time, number ... as asked for is here, beside what was asked */
    F_NO_CUE,   /* ... is asked for and not here */
    F_CUE_NEAR, /* how close such a name or number stands to the words asked for */
    F_NAMED,    /* who is asked for: a new name right beside words that are all there */
    F_LENGTH,   /* log of words */
    F_SHORT,    /* hardly a sentence */
    F_NEW,      /* share of words the question does not have */
    F_OPENING,  /* first sentence of its passage */
    F_LISTED,   /* list item or table row */
    F_ASKS,     /* a question itself */
    F_TIGHT,    /* the words asked for stand close together */
    F_NAMES,    /* share of the question's names and numbers that stand in sentence or context */
    FEATURES
};
struct candidate {
    const struct found *found;
    size_t sentence;
    float features[FEATURES];
    float score;
    uint64_t words;  /* bits: which asked terms stand here, by their place in question.asked */
    uint64_t around; /* ... or in its context and neighbours */
};

enum sign { /* of the answer as a whole, for the confidence */
            S_WORDS,
            S_PAIRS,
            S_AROUND,  /* idf share of sentence, context and neighbours together */
            S_PASSAGE, /* idf share of the passage with its heading */
            S_BM25,    /* search score against what this question could reach */
            S_MARGIN,  /* lead over the best sentence of another passage */
            S_SHARE,   /* softmax share of the pick among all */
            S_MISSING, /* largest idf share of a single term the passage lacks */
            S_NAME,    /* a name or number of the question that the passage lacks */
            S_CUE,
            S_NO_CUE,
            S_TERMS, /* log of terms asked */
            S_TIGHT,
            S_SOFT,
            SIGNS
};

#define LANGUAGES 2 /* of the weights: en, zh */
int language_number(struct str language);
extern const float sentence_weights[LANGUAGES][FEATURES];
extern const float confidence_weights[LANGUAGES][SIGNS + 1]; /* last: the constant */
extern const float answerable_weights[LANGUAGES][SIGNS + 1];

extern const float answer_bar; /* answerable_of() below it is a refusal */

/* The passages a search found, decoded; a damaged record is ERR_INTERNAL. */
bool found_read(struct arena *arena, const struct lexical_hits *hits, struct found **out,
                struct err *err) MUST_CHECK;
/* All sentences of the passages with features and score, best first. */
bool candidates_rank(struct analyser *analyser, struct arena *arena,
                     const struct question *question, const struct found *found, size_t count,
                     struct candidate **out, size_t *out_count, struct err *err) MUST_CHECK;
void signs_of(const struct question *question, const struct candidate *ranked, size_t count,
              float signs[SIGNS]);
/* How likely the picked sentence holds the answer; and how likely the passages answer the question at all.
 * Two questions: a wrong pick from the right passage is one thing, an answer that is not there another. */
float confidence_of(const struct question *question, const float signs[SIGNS]);
float answerable_of(const struct question *question, const float signs[SIGNS]);

enum cue cue_of(struct str question, struct str language);
/* Does a sentence hold such a thing, not counting the terms the question has itself? 0 no, 0.5 a word
 * for it, 1 the thing. */
float cue_stands(enum cue cue, struct str sentence, const struct terms *terms,
                 const struct question *question);
bool is_cue_term(enum cue cue, const struct term *term, const struct question *question);
/* "How far", "how many": words that say what is asked for and not what about become stop words. */
void stop_cue_words(struct terms *terms);
bool refers_back(struct str sentence); /* begins with a pronoun for what was said before */

#endif
