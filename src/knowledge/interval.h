/* knowledge/interval.h: the numbers of a text as what they bound: "up to EUR 5,000", "more than ten hours", "5 to 10",
 * "3 万元以上", "不满五年". A number that bounds nothing is the interval of itself alone.
 * Bounded  INTERVALS_MAX of one text; the numbers behind them are not read.
 * Pure: a function of the text; the arena is for the while. */
#ifndef WEIR_KNOWLEDGE_INTERVAL_H
#define WEIR_KNOWLEDGE_INTERVAL_H

#include "base/arena.h"
#include "knowledge/numeral.h"

#define INTERVALS_MAX 12

struct interval {
    double from, to;        /* -INFINITY, INFINITY: nothing bounds it there */
    bool from_out, to_out;  /* the bound itself is not in it */
    bool is_share;          /* per cent */
    bool is_bound;          /* the text says a bound, or two */
    enum numeral_unit unit; /* UNIT_NONE: none is said */
    uint32_t at, end;       /* bytes: of the numbers, without the words that bound */
};
struct intervals {
    struct interval at[INTERVALS_MAX];
    size_t count;
};
/* The arena is given back. */
bool intervals_read(struct arena *arena, struct str text, struct intervals *out, struct err *err)
    MUST_CHECK;
/* Behind the Chinese unit at `at`; `at` itself where there is none. */
size_t wide_unit_end(struct str text, size_t at);
/* Does one number lie in both? What they touch at a bound only counts where one of them is a number alone. */
bool intervals_meet(const struct interval *a, const struct interval *b);
/* May they be of the same thing? Without a unit an amount of money may be meant, as may a plain number. */
bool intervals_compare(const struct interval *a, const struct interval *b);

#endif
