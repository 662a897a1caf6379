/* knowledge/choose.h: which sentences of the passages found answer a question, and how sure that is.
 * A linear ranker over plain features of each sentence, corrected by small trees and three rules, picks;
 * a logistic model over features of the pick says how likely it is right. Weights stand in weights.c and
 * trees.c and come from tests/quality/train.c, trained on development splits whose licences allow it;
 * docs/quality.md has the figures.
 * Pure: a function of the view, the passages and the question; everything in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_CHOOSE_H
#define WEIR_KNOWLEDGE_CHOOSE_H

#include "base/table.h"
#include "index/lexical.h"
#include "knowledge/access.h"
#include "knowledge/overlap.h"
#include "knowledge/passage.h"
#include "knowledge/readings.h"

/* What kind of thing is asked for. */
enum cue { CUE_NONE, CUE_PERSON, CUE_TIME, CUE_DURATION, CUE_NUMBER, CUE_PLACE, CUE_CAUSE, CUES };

struct asked { /* a distinct term of the question that says something */
    struct term term;
    float idf;
    uint32_t number; /* its bit; words stand before pairs */
    size_t family;   /* family_of() */
};
#define ASKED_MARKS 512 /* a power of two */
struct question {
    struct str text, language;
    struct terms terms; /* with other forms of numbers, and what words are read as */
    struct readings readings;
    struct asked *asked;
    size_t asked_count;
    struct table words, pairs;         /* term -> struct asked; question_word() */
    uint64_t may_be[ASKED_MARKS / 64]; /* what some bytes of such terms come to */
    float word_idf, pair_idf;          /* sums */
    enum cue cue;
    bool polar;   /* "is ...", "...吗": yes or no */
    bool negated; /* says "not", "without", "不" itself */
    struct grams *grams;
    uint64_t focus; /* bits of `asked`: "what COUNTRY", whose place the answer takes */
};
#define ASKED_MAX 64 /* terms that count; a question is a sentence, not a document */

/* Which of the question's terms that is, or NULL. Most words of a text are none: that is seen without a hash. */
struct asked *question_word(const struct question *q, struct str word);
struct asked *question_pair(const struct question *q, struct str pair);

/* How rare a term is, among whatever is asked. */
struct rarity {
    float (*idf)(const void *ctx, const struct term *term);
    const void *ctx;
};
bool question_read_among(const struct rarity *rarity, struct analyser *analyser,
                         struct arena *arena, struct str text, struct question *out,
                         struct err *err) MUST_CHECK;
/* Among the passages that may be seen. */
bool question_read(const struct access *access, struct analyser *analyser, struct arena *arena,
                   struct str text, struct question *out, struct err *err) MUST_CHECK;

/* Another word of the same family: "located" and "location". */
bool asked_has_kin(const struct asked *asked, struct str stem);

/* A passage found, decoded, cut into sentences. */
struct found {
    struct str key, document_record, title;
    struct str cuts; /* of its text, where the index has them */
    struct passage passage;
    struct sentence *sentences;
    size_t sentence_count;
    float score;  /* of the search */
    float likely; /* likely_scores(), where they were asked for; and */
    bool is_scored;
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
    F_NO_CUE,     /* ... is asked for and not here */
    F_CUE_NEAR,   /* how close such a name or number stands to the words asked for */
    F_NAMED,      /* who is asked for: a new name right beside words that are all there */
    F_LENGTH,     /* log of words */
    F_SHORT,      /* hardly a sentence */
    F_NEW,        /* share of words the question does not have */
    F_OPENING,    /* first sentence of its passage */
    F_LISTED,     /* list item or table row */
    F_ASKS,       /* a question itself */
    F_TIGHT,      /* the words asked for stand close together */
    F_NAMES,      /* share of the question's names and numbers that stand in sentence or context */
    F_LOCAL,      /* F_WORDS, each counted by how few sentences of the passage have it */
    F_GRAMS,      /* the same over grams */
    F_GRAMS_NEAR, /* grams only the sentences beside it have */
    F_FOCUS,      /* the thing asked for is named: "what COUNTRY" */
    F_NUMBERS,    /* a number of the question that is not here */
    F_NEGATED,    /* says "not" and the question does not, or the other way round */
    FEATURES
};
struct candidate {
    const struct found *found;
    size_t sentence;
    float features[FEATURES];
    float score;
    uint64_t words;      /* bits: which asked terms stand here, by their place in question.asked */
    uint64_t around;     /* ... or in its context and neighbours */
    uint64_t kin;        /* terms that are not here, but words of the same family */
    uint64_t above;      /* terms that title, heading or the list's introduction has */
    float passage_grams; /* share of the question's grams in the whole passage */
    const struct gram_set *passage; /* those that it has */
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
            S_LOCAL,
            S_GRAMS,
            S_GRAMS_PASSAGE, /* share of grams in the passage */
            S_NAMES_OWN,     /* share of names and numbers in the sentence itself */
            S_NAMES_PASSAGE, /* ... in the passage */
            S_NUMBER,        /* a number of the question that the passage lacks */
            S_NEGATED,
            S_CUE_NEAR,
            S_FOCUS,
            S_SPAN_ODDS,   /* of the best words against "none answers" */
            S_SPAN_SHARE,  /* their softmax share */
            S_SPAN_MARGIN, /* their lead over others */
            S_SPAN_AGREE,  /* they are of the kind asked for */
            S_SPAN_SAME,   /* they stand in the picked sentence */
            SIGNS
};

/* What the linear ranker cannot say: boosted trees of three questions each on top of it, for "a number is
 * asked for and the words stand close" and the like. Node n asks "above the bar?", its children are
 * 2n + 1 (no) and 2n + 2. */
#define TREES       120
#define TREE_NODES  7
#define TREE_LEAVES 8
struct tree {
    uint8_t feature[TREE_NODES];
    float bar[TREE_NODES];
    float leaf[TREE_LEAVES];
};
float tree_score(const struct tree *tree, const float features[FEATURES]);

#define LANGUAGES 2 /* of the weights: en, zh */
int language_number(struct str language);
extern const float sentence_weights[LANGUAGES][FEATURES];
extern const struct tree sentence_trees[LANGUAGES][TREES];
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
struct span_choice; /* knowledge/span.h */
void signs_of(const struct question *question, const struct candidate *ranked, size_t count,
              const struct span_choice *spans, float signs[SIGNS]);
/* How likely the picked sentence holds the answer; and how likely the passages answer the question at all.
 * Two questions: a wrong pick from the right passage is one thing, an answer that is not there another. */
float confidence_of(const struct question *question, const float signs[SIGNS]);
float answerable_of(const struct question *question, const float signs[SIGNS]);

enum cue cue_of(struct str question, struct str language);
enum cue closing_cue(struct str question); /* Chinese without a question word: by its last word */
/* Does a sentence hold such a thing, not counting the terms the question has itself? 0 no, 0.5 a word
 * for it, 1 the thing. */
float cue_stands(enum cue cue, struct str sentence, const struct terms *terms,
                 const struct question *question);
bool is_cue_term(enum cue cue, const struct term *term, const struct question *question);
/* "How far", "how many": words that say what is asked for and not what about become stop words. */
void stop_cue_words(struct terms *terms);
/* Words companies use for one another, "approv" and "decid": 0 is none. */
size_t family_of(struct str stem);
bool is_of_family(struct str stem, size_t family);
bool is_surname(struct str s); /* the character a Chinese name begins with */
bool is_polar(struct str question, struct str language);
bool is_negated(struct str text);
bool is_asking(struct str sentence);     /* a question, or tells what is asked */
bool asks_for_list(struct str question); /* "what ... are there", 有哪些 */
bool refers_back(struct str sentence);   /* begins with a pronoun for what was said before */

#endif
