/* knowledge/pick.h: what answers by its place and not by its words alone, chosen by rule among the passages found.
 * Rows      that the question names: two or more are a comparison, and one goes before a row of another name
 * Bounds    "750 euros" among "up to EUR 500", "up to EUR 5,000", "above": the row it falls into, or the sentence whose
 *           bound it meets; of "more than 5,000" each row that it may fall into
 * Counts    "how many branches are there": the rows of a table or the items of a list that is whole in its passage and
 *           called so; said with what was counted
 * Lists     the whole list whose heading or introduction has what is asked
 * Contacts  a telephone or mail address: the sentence that has one and speaks of the rest
 * Items     of a list, where it and its introduction have all that is asked
 * Careful   each asks for what of the question must be spoken of (covering.h); a name that is not there picks nothing.
 * Pure      a function of the view, the passages and the question. */
#ifndef WEIR_KNOWLEDGE_PICK_H
#define WEIR_KNOWLEDGE_PICK_H

#include "knowledge/covering.h"
#include "knowledge/interval.h"
#include "knowledge/listing.h"

#define PICKED_MAX 6 /* rows and sentences, each a citation; of what is more nothing is picked */

enum pick_kind { PICK_NONE, PICK_ROWS, PICK_SENTENCE, PICK_LIST, PICK_COUNT };
struct picked {
    const struct found *found;
    struct sentence first, last;
};
struct pick {
    enum pick_kind kind;
    struct picked at[PICKED_MAX];
    size_t count;
    size_t counted; /* PICK_COUNT: rows or items */
    bool is_table;
    bool compares; /* rows of several names */
    float share;   /* of what the question is about, that is spoken of there */
};
struct picking {
    struct covering covering;
    const struct access *access;
    const struct found *found;
    size_t found_count;
    const struct candidate *ranked;
    size_t ranked_count;
    bool answered; /* by its words */
    bool lacks;    /* set: nothing is picked, and what words found is of something else */
};
bool pick_find(struct picking *p, struct pick *out, struct err *err) MUST_CHECK;

/* --- for its parts ---------------------------------------------------------------------------- */

/* What stands above a group: title, heading, introduction, labels; in bits of needed words. */
struct above {
    uint64_t title, near; /* near: all but the title */
};
bool pick_above(const struct picking *p, const struct listing *listing, struct above *out,
                struct err *err) MUST_CHECK;
/* A name or a number that must be there and is not. */
bool pick_lacks_name(const struct picking *p, uint64_t bits);
struct picked pick_blocks(const struct listing *listing, uint32_t from, uint32_t end);
bool pick_is_best(const struct picking *p, const struct picked *picked);
bool pick_named(const struct picking *p, struct pick *out, struct err *err) MUST_CHECK;
bool pick_bounded(const struct picking *p, struct pick *out, struct err *err) MUST_CHECK;
/* "How many plans are there?"; *units: of a unit ("how many euros"). */
bool pick_asks_count(const struct picking *p, bool *units);
bool pick_counted(const struct picking *p, struct pick *out, struct err *err) MUST_CHECK;

#endif
