/* knowledge/support.h: does a sentence that somebody else wrote say only what passages say? By rule, without
 * a model: the words it says something with, every number, every name, and "not".
 *   number    each must stand in the passage, with the same unit, in a sentence about the same thing
 *   name      each must stand in the passage or its heading
 *   negation  what the passage denies must not be said, nor the other way round
 *   opposite  nor may it lie on the other side of a number ("at most", "at least"), or say the other word of a
 *             pair ("before", "after"; "allowed", "forbidden")
 *   words     enough of what is said must stand in one place of the passage
 * A passage in another language says nothing about words: numbers are compared alone, and `foreign` is set.
 * Figures   docs/quality.md: what it lets through and what it stops wrongly.
 * Bounded   a sentence of SUPPORT_SENTENCE_MAX bytes; longer ones are looked at up to there and are never supported.
 * Threads   evidence is read once and then only looked at; an analyser belongs to one thread. */
#ifndef WEIR_KNOWLEDGE_SUPPORT_H
#define WEIR_KNOWLEDGE_SUPPORT_H

#include "index/terms.h"

#define SUPPORT_SENTENCE_MAX ((size_t)4000)
#define SUPPORT_PASSAGES_MAX 64

struct evidence_source {
    struct str above; /* path, title, heading: what is said without being written below */
    const struct str *sentences;
    size_t count;
};
struct evidence;
bool evidence_read(struct analyser *analyser, struct arena *arena,
                   const struct evidence_source *sources, size_t count, struct evidence **out,
                   struct err *err) MUST_CHECK;

enum lack {
    LACK_NOTHING,
    LACK_NUMBER,
    LACK_NAME,
    LACK_NEGATION,
    LACK_OPPOSITE,
    LACK_WORDS,
    LACK_PASSAGE,
    LACKS
};
struct support {
    enum lack lack;
    struct str what;  /* the number, name or word that has no support; views the sentence */
    uint32_t passage; /* from 1: the one that supports it best; 0: none was looked at */
    float share;      /* of its words that stand there */
    bool foreign;     /* only numbers could be compared */
    bool empty;       /* says nothing that could be wrong: "In summary:" */
};
/* Against the passages whose bits are set (bit 0: the first); none set: against all. `sentence` is free of
 * marks like "[1]". */
bool support_find(struct analyser *analyser, struct arena *scratch, const struct evidence *evidence,
                  uint64_t passages, struct str sentence, struct support *out, struct err *err)
    MUST_CHECK;
const char *lack_name(enum lack lack); /* "number", "name" ... */

#endif
