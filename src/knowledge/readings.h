/* knowledge/readings.h: words of a question that no passage has, read as words that passages have (index/near.h).
 * Spelling "recieved" as "received": finds passages, and counts as the question's word in their sentences.
 * Family   "inflationary" as "inflation", also where no more than READINGS_RARE passages have the word itself: finds
 *          passages; sentences know kin without it (choose.h).
 * Told     what no passage has and was read as something else, as it is written in what was found. A search for
 *          "words in quotation marks" reads none of them otherwise.
 * Bounds   READINGS_WORDS of a question, those that no passage has first; what is above is told.
 * Hidden   what an asker may not see is neither read nor counted: index/near.h.
 * Pure. */
#ifndef WEIR_KNOWLEDGE_READINGS_H
#define WEIR_KNOWLEDGE_READINGS_H

#include "knowledge/access.h"

#define READINGS_WORDS 8
#define READINGS_RARE  1

struct word_reading {
    size_t term;      /* of the question */
    struct term as;   /* its text: of the arena */
    bool is_spelling; /* or of its family */
    bool is_unknown;  /* no passage has the word itself */
};
struct readings {
    struct word_reading *at;
    size_t count;
    bool limited; /* there were more words than are looked up */
};
/* What was looked up for a question, which its parts and its order ask again: a look at near words reads some
 * thousands of the dictionary's. Zeros and the arena are an empty one; access.memo. */
#define READINGS_REMEMBERED 32
struct readings_memo {
    struct arena *arena;
    struct looked_up *at;
    size_t count;
};
bool readings_find(const struct access *access, struct arena *arena, const struct terms *terms,
                   struct readings *out, struct err *err) MUST_CHECK;
/* Behind the question's own terms. */
bool readings_put(struct arena *arena, const struct readings *readings, struct terms *terms,
                  struct err *err) MUST_CHECK;
/* What a question asks the index for: question_terms() and what they are read as; readings: or NULL. */
bool search_terms(const struct access *access, struct analyser *analyser, struct arena *arena,
                  struct str text, struct terms *out, struct readings *readings, struct err *err)
    MUST_CHECK;

/* What was read as what, a sentence each in the question's language, into the notes of the question and *out; empty:
 * nothing was. */
struct readings_telling {
    struct analyser *analyser;
    struct arena *arena;
    struct str text;                 /* the question */
    const struct terms *terms;       /* its */
    const struct lexical_hits *hits; /* what was found */
};
bool readings_tell(const struct readings_telling *telling, const struct readings *readings,
                   struct search_notes *notes, struct str *out, struct err *err) MUST_CHECK;

#endif
