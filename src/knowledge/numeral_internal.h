/* knowledge/numeral_internal.h: what the readers of numbers share. A reader looks at `at` and gives where it ended;
 * `at` itself: there is none. */
#ifndef WEIR_KNOWLEDGE_NUMERAL_INTERNAL_H
#define WEIR_KNOWLEDGE_NUMERAL_INTERNAL_H

#include "knowledge/numeral.h"

#define LOOSE_MAX 10 /* in words and without a unit */

struct reader {
    struct str text;
    struct numerals *out;
};

/* --- characters --- */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_latin(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool starts_at(struct str s, size_t at, const char *what)
{
    return str_starts(str_slice(s, at, s.len), str_from(what));
}

size_t skip_spaces(struct str s, size_t at);
struct str word_at(struct str s, size_t at); /* the Latin word at `at`, or empty */

/* --- what is read --- */

void numeral_put(struct reader *r, struct numeral n);
enum numeral_unit unit_behind(struct str s, size_t at);
size_t finish_plain(struct reader *r, struct numeral *n, size_t at);
size_t digits_at(struct str s, size_t at, size_t most, uint32_t *value);
size_t ordinal_behind(struct str s, size_t at);
size_t day_and_month(struct str s, size_t at, uint32_t day, struct numeral *n);
size_t month_first(struct str s, struct str word, size_t at, struct numeral *n);
size_t wide_date(struct str s, size_t at, uint32_t first, struct numeral *n);
bool digits_date(struct str s, struct numeral *n);
size_t take_word(struct reader *r, size_t at);
size_t wide_value(struct str s, size_t at, double *value, size_t *count);
bool is_wide_number(uint32_t rune);
size_t take_wide(struct reader *r, size_t at);
/* "thirty", "thirti" and "thousand", "m" alone. */
bool small_word(struct str word, double *value);
bool scale_word(struct str word, double *value);

#endif
