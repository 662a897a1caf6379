/* base/line.h: a line of JSON written member by member into fixed memory, on every request's path. The bytes are
 * those that buf.h and json.h write; the few functions here are shared by all lines of a request, so that their
 * code is warm when the second one is written.
 * Limit    what does not fit sets `over`, sticky; the line is then worth nothing. A number wants room for
 *          LINE_DIGITS, however short it is.
 * Names    are given with their marks: STR(",\"tenant\":"). */
#ifndef WEIR_BASE_LINE_H
#define WEIR_BASE_LINE_H

#include <string.h>

#include "base/base.h"
#include "base/digits.h"
#include "base/str.h"

#define LINE_DIGITS DIGITS_MAX /* of any number, without its sign */

/* Names and words are short: their ends overlap, and nobody is called for them. */
static inline ALWAYS_INLINE char *line_copy(char *to, const char *from, size_t len)
{
    if (len > 32) {
        memcpy(to, from, len);
    } else if (len >= 16) {
        char first[16], last[16];

        memcpy(first, from, 16);
        memcpy(last, from + len - 16, 16);
        memcpy(to, first, 16);
        memcpy(to + len - 16, last, 16);
    } else if (len >= 8) {
        uint64_t first, last;

        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first, last;

        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    }
    return to + len;
}

struct line {
    char *begin, *at, *end;
    bool over;
};

static inline void line_init(struct line *l, char *memory, size_t size)
{
    *l = (struct line){.begin = memory, .at = memory, .end = memory + size};
}

static inline struct str line_view(const struct line *l)
{
    return (struct str){l->begin, (size_t)(l->at - l->begin)};
}

/* A literal: its length is known where this is compiled. */
static inline ALWAYS_INLINE void line_put(struct line *l, struct str s)
{
    if (LIKELY((size_t)(l->end - l->at) >= s.len)) {
        memcpy(l->at, s.ptr, s.len);
        l->at += s.len;
    } else {
        l->over = true;
    }
}

void line_text(struct line *l, struct str name, struct str text); /* in quotes, escaped */
void line_number(struct line *l, struct str name, int64_t n);
void line_usd(struct line *l, struct str name, usd_micro n);       /* dollars, all six decimals */
void line_thousandths(struct line *l, struct str name, int64_t n); /* 1234: 1.234; from 0 */
void line_id(struct line *l, uint64_t id); /* sixteen digits of hexadecimal */

#endif
