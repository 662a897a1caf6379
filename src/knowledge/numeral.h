/* knowledge/numeral.h: the numbers a text says, however it writes them: "1,500", "thirty", "三十", "5万", "12 %",
 * "百分之十二", "31 March 2026", "2026年3月31日", "14:30".
 * Loose   what may be no number at all or counts what is listed ("one of them", "the two plans", "一般"): it is
 *         wrong only where a text counts the same thing otherwise.
 * Bounded NUMERALS_MAX of one text; what is behind them is not read and `more` says so.
 * Pure: a function of the text. */
#ifndef WEIR_KNOWLEDGE_NUMERAL_H
#define WEIR_KNOWLEDGE_NUMERAL_H

#include "base/str.h"

#define NUMERALS_MAX 64

enum numeral_kind { NUMERAL_PLAIN, NUMERAL_PERCENT, NUMERAL_DATE, NUMERAL_TIME, NUMERAL_CODE };
enum numeral_unit {
    UNIT_NONE,
    UNIT_SECOND,
    UNIT_MINUTE,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_WEEK,
    UNIT_MONTH,
    UNIT_YEAR,
    UNIT_EURO,
    UNIT_DOLLAR,
    UNIT_POUND,
    UNIT_YUAN,
};
struct numeral {
    uint32_t from, to; /* bytes of the text, with its sign for money or percent */
    enum numeral_kind kind;
    enum numeral_unit unit; /* of a plain one: right before or shortly behind it */
    double value;           /* plain, percent; of a time: minutes */
    uint16_t year;          /* of a date; 0: not said */
    uint8_t month, day;     /* 0: not said */
    bool loose;
    struct str behind; /* the word or character right behind it: what is counted */
    struct str text;   /* of a code ("12/4/7"): compared as it stands */
};
struct numerals {
    struct numeral at[NUMERALS_MAX];
    size_t count;
    bool more;
};
void numerals_read(struct str text, struct numerals *out);
/* Does `said` say what `claim` says? A year agrees with a date in it, a date with one that says less. */
bool numeral_agrees(const struct numeral *claim, const struct numeral *said);
/* The same thing counted, and another number: "two plans" and "three plans". */
bool numeral_contradicts(const struct numeral *claim, const struct numeral *said);
/* Behind its unit, where that stands right behind it: "500 EUR", "5 days"; else its own end. */
size_t numeral_unit_end(struct str text, const struct numeral *n);
/* A word alone: "thirty" 30, "三十" 30; false: it is no number. Lower case; stems ("thirti") too. */
bool numeral_word(struct str word, double *value);

#endif
