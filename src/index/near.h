/* index/near.h: words of the index that look like another: as one that no passage has may have been meant when it was
 * mistyped, and others of its family, whose endings the stemmer does not take away.
 * Spelling "recieved", "received": letters changed, missing, too many, or changed over (optimal string alignment: Damerau
 *          1964), accents for nothing; from NEAR_ONE_FROM letters on one is forgiven, from NEAR_TWO_FROM two.
 *          One at most puts another letter in a letter's place: a vowel for a vowel from NEAR_VOWEL_FROM on, any from
 *          NEAR_OTHER_FROM on, as "password" is no "passport", "resort" no "report" and "conventional" no "consent". The
 *          first letter is right, or changed over with the second; below NEAR_OTHER_FROM letters the last, too.
 * Family   "hyperinflationari", "hyperinfl": NEAR_SAME letters at least, and behind them endings by which English makes
 *          one word of another; of a word that is right also itself with other accents.
 * Seen     only words of passages that may be seen: what a filter hides is neither found nor counted, and crowds
 *          nothing out. Words with digits or ideographs have nothing near: another number is another thing.
 * Cost     the dictionary's words with the same first letter are read, some 50 ns each.
 * Pure. */
#ifndef WEIR_INDEX_NEAR_H
#define WEIR_INDEX_NEAR_H

#include "index/lexical.h"

#define NEAR_ONE_FROM   5
#define NEAR_TWO_FROM   8 /* with as many letters; any from NEAR_OTHER_FROM on */
#define NEAR_VOWEL_FROM 6
#define NEAR_OTHER_FROM 9
#define NEAR_SAME       5
#define NEAR_EACH       3               /* words of a kind that are given */
#define NEAR_WORDS_MAX  (2 * NEAR_EACH) /* of both */

enum near_kind { NEAR_SPELLING, NEAR_FAMILY };
struct near_word {
    struct str text; /* as the index has it: a stem; good as long as the view is held */
    enum near_kind kind;
    uint32_t apart;    /* spelling: changes; family: letters that are not shared */
    uint64_t passages; /* that have it and may be seen */
};
struct near_query {
    const struct term *term;
    const struct lexical_filter *filter; /* of the view, or NULL */
    bool family_alone;                   /* the word is right */
};
/* Whether it is a word that can have any. */
bool term_may_have_near(const struct term *term);
/* Of spellings those with the fewest changes, of the family the nearest; of equals what more passages have. A word that
 * is both stands as one of the family, which is no mistake. Returns how many. */
size_t lexical_near(const struct lexical_view *view, const struct near_query *query,
                    struct near_word out[NEAR_WORDS_MAX]);

#endif
