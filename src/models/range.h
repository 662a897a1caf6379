/* models/range.h: hours of a day and ranges of tokens, as settings write them and rows compare them. */
#ifndef WEIR_MODELS_RANGE_H
#define WEIR_MODELS_RANGE_H

#include "base/buf.h"

#define MINUTES_OF_DAY 1440

/* Minutes of a day, UTC; to < from: over midnight; equal: the whole day. */
struct hours {
    int from, to;
};
/* "16:30-00:30", "8-18"; empty is the whole day. ERR_INVALID says what is expected. */
bool hours_parse(struct str text, struct hours *out, struct err *err) MUST_CHECK;
bool hours_hold(struct hours h, int minute);
int hours_minute(wall_ms when);                    /* of its day */
void hours_write(struct buf *out, struct hours h); /* "16:30-00:30"; the whole day: nothing */

/* From (included) to (not included); to 0: no end. */
struct token_range {
    int64_t from, to;
};
/* "200000-", "0-128000"; empty is all. */
bool token_range_parse(struct str text, struct token_range *out, struct err *err) MUST_CHECK;
bool token_range_holds(struct token_range r, int64_t tokens);
void token_range_write(struct buf *out, struct token_range r); /* "200000-"; all: nothing */

#endif
