/* knowledge/support_internal.h: what the files of the check share: a claim, the sentences of the passages it is
 * held against, and what of the one stands in the other. */
#ifndef WEIR_KNOWLEDGE_SUPPORT_INTERNAL_H
#define WEIR_KNOWLEDGE_SUPPORT_INTERNAL_H

#include "knowledge/numeral.h"
#include "knowledge/support.h"

#define WORDS_MAX   64 /* of a claim; one bit each */
#define CLAUSES_MAX 16

struct fact { /* a sentence of a passage */
    struct str text;
    struct terms terms;
    const struct numeral *numbers;
    size_t number_count;
    uint32_t passage;
    bool denies; /* "excluded", "refused": a "not" in other words */
};
struct evidence {
    struct fact *facts, *above; /* above: one a passage */
    size_t count, passages;
    bool wide; /* mostly ideographs */
};

/* --- words that deny: support_negation.c --- */

/* A "not" and the word it denies: the first behind it that says something. */
struct denied {
    size_t count;
    struct str what[8]; /* stems; Chinese: the characters behind it */
};

struct denied denied_find(struct str text, const struct terms *terms);
bool denies_otherwise(struct str text, const struct terms *terms); /* "excluded", "refused" */
bool is_not_word(struct str word);

/* --- a claim, and what of it stands where: support_claim.c --- */

struct claim {
    struct str text;
    struct terms terms;
    const struct numeral *numbers;
    size_t number_count;
    const struct term *words[WORDS_MAX]; /* that say something; no numbers */
    size_t count;
    uint64_t clauses[CLAUSES_MAX]; /* their words, as bits */
    uint32_t clause_ends[CLAUSES_MAX];
    size_t clause_count;
    uint32_t position;
    struct denied denied;
    bool denies, wide;
};

bool numbers_copy(struct arena *arena, struct str text, const struct numeral **out, size_t *count,
                  struct err *err) MUST_CHECK;
bool claim_read(struct analyser *analyser, struct arena *scratch, struct str text,
                struct claim *out, struct err *err) MUST_CHECK;
/* The words that do not count beside a number or name: those of other clauses, where its own has enough. */
uint64_t apart_from(uint64_t own);
uint64_t clause_of(const struct claim *c, uint64_t words);
uint64_t clause_at(const struct claim *c, uint32_t byte);

/* How much of a claim each fact has, by word: 1 the word, KIN_SHARE its kin. */
struct hits {
    float at[WORDS_MAX];
};

/* One passage set against a claim. */
struct reading {
    const struct evidence *e;
    const struct claim *c;
    uint64_t passages;
    struct hits *own;  /* of each fact */
    struct hits *near; /* ... with the sentence before and the heading, in part */
    struct hits all;
    float window;
    bool foreign;
};

bool reading_hits(struct reading *r, struct arena *scratch, struct err *err) MUST_CHECK;
/* `but`: words that do not count, as bits. */
float sum_of(const struct claim *c, const struct hits *h, uint64_t but);
float near_of(const struct reading *r, size_t fact, uint64_t but);
float best_near(const struct reading *r, uint64_t but);
/* Without what stands beside it: "not" is heard of its own sentence. */
float about_own(const struct reading *r, size_t fact);

/* --- what is lacking: support_names.c, support_negation.c --- */

const struct numeral *lacking_number(const struct reading *r); /* NULL: none */
const struct term *lacking_name(const struct reading *r);      /* the first word of it, or NULL */
struct str lacking_wide_name(const struct reading *r);         /* or empty */
/* support_opposite.c: the other side of a number, or the other word of a pair. */
const struct numeral *turned_number(const struct reading *r);
bool lacks_side(const struct reading *r, struct str *what);
bool lacks_negation(const struct reading *r, struct str *what);
bool claim_names(const struct claim *c, size_t word);

/* --- small things --- */

static inline bool is_wide(struct str s)
{
    return s.len && (uint8_t)s.ptr[0] >= 0xE0;
}

static inline bool is_meant(const struct reading *r, uint32_t passage)
{
    return r->passages >> passage & 1;
}

static inline bool is_one(struct str s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(s, str_from(list[i])))
            return true;
    return false;
}

#endif
