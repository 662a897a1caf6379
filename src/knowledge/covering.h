/* knowledge/covering.h: which words of a question a text speaks of: the words themselves, their kin, and the words for one
 * attribute ("phone", "telephone", 电话), in either language. Words that only ask ("get", "list", "compare", 哪个) and
 * numbers need not stand anywhere.
 * Chinese  is not looked at by words, which the dictionary cuts differently in question and text, but by what is left between
 *          those that ask: a character is spoken of where it stands beside the same neighbour.
 * Pure: everything in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_COVERING_H
#define WEIR_KNOWLEDGE_COVERING_H

#include "knowledge/choose.h"

/* An attribute whose value is known by its looks. */
enum attribute { ATTRIBUTE_NONE, ATTRIBUTE_TELEPHONE, ATTRIBUTE_MAIL };
enum attribute attribute_asked(struct str question);
/* Nothing else is asked: what has none of them does not answer. */
bool attribute_is_all(struct str question, enum attribute *attribute);
bool attribute_stands(enum attribute attribute, struct str text);

#define COVERING_PIECES 24
struct covering {
    struct analyser *analyser;
    struct arena *arena; /* of what is read, and given back */
    const struct question *question;
    uint64_t needed;                    /* bits of asked terms */
    struct str pieces[COVERING_PIECES]; /* Chinese: what is left of the question */
    size_t piece_count;
};
/* Sets what is needed of the question, but for the words of an attribute. */
bool covering_begin(struct covering *c, enum attribute without, struct err *err) MUST_CHECK;
/* *bits: of the needed words, those the text speaks of. */
bool covering_read(const struct covering *c, struct str text, uint64_t *bits, struct err *err)
    MUST_CHECK;
/* 1: all that is needed. English words count by their idf, Chinese characters alike. */
float covering_share(const struct covering *c, uint64_t bits);
/* A name, or two Chinese characters beside each other, that the bits lack. */
bool covering_lacks_name(const struct covering *c, uint64_t bits);
/* A word in Latin letters of a Chinese question, that the bits lack. */
bool covering_lacks_word(const struct covering *c, uint64_t bits);
size_t covering_words(const struct covering *c); /* that are needed; two characters are one */

#endif
