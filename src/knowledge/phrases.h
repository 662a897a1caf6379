/* knowledge/phrases.h: what a search insists on: "these words" together, and title:, heading: or path: with a
 * word or a phrase. Read from the question's text, and looked up in the passages themselves, so it is exact.
 * Alike    upper and lower case of Latin letters, runs of white space, and the two kinds of quotation marks;
 *          nothing else: no stems. Where a phrase begins or ends with a Latin letter or a digit, a word begins
 *          or ends there.
 * Quotes   "…", “…”, 「…」, 『…』; one that is not closed is a character like any other.
 * Bounds   PHRASES_MAX in a question. */
#ifndef WEIR_KNOWLEDGE_PHRASES_H
#define WEIR_KNOWLEDGE_PHRASES_H

#include "base/arena.h"

#define PHRASES_MAX 8u

enum phrase_field { PHRASE_ANYWHERE, PHRASE_TITLE, PHRASE_HEADING, PHRASE_PATH };
#define PHRASE_FIELDS 4
struct phrases {
    struct {
        enum phrase_field field;
        struct str words; /* folded */
    } at[PHRASES_MAX];
    size_t count;
    struct str text; /* the question without names of fields */
};
/* ERR_INVALID: more than PHRASES_MAX. */
bool phrases_read(struct arena *arena, struct str text, struct phrases *out, struct err *err)
    MUST_CHECK;
/* fields: of a passage, by enum phrase_field; anywhere: its own text. */
bool phrases_hold(struct arena *arena, const struct phrases *phrases,
                  const struct str fields[PHRASE_FIELDS], bool *hold, struct err *err) MUST_CHECK;

#endif
