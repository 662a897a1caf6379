/* tests/quality/score.h: how well a given text answers, as the sets' own programs count it.
 * English  SQuAD's evaluation: lower case, without punctuation and articles; F1 over words.
 * Chinese  CMRC 2018's evaluation: lower case, without punctuation; a character is a unit, a Latin word or
 *          number is one; F1 from the longest common run of units. */
#ifndef WEIR_TESTS_QUALITY_SCORE_H
#define WEIR_TESTS_QUALITY_SCORE_H

#include "base/str.h"

struct score {
    double exact, f1; /* against the best of the answers */
};
struct score score_answer(struct str given, const struct str *answers, size_t count, bool zh);

#endif
