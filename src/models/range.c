#include "models/range.h"

#define MS_OF_MINUTE 60000

static bool minute_parse(struct str text, int *out)
{
    size_t colon = str_find_char(text, ':');
    struct str minute_text = str_slice(text, colon + 1, text.len);
    uint64_t hour, minute = 0;

    if (!u64_parse(str_slice(text, 0, colon), &hour) || hour > 24)
        return false;
    if (colon < text.len && (minute_text.len != 2 || !u64_parse(minute_text, &minute)))
        return false;
    if (minute > 59 || (hour == 24 && minute > 0))
        return false;
    *out = (int)(hour * 60 + minute);
    return true;
}

bool hours_parse(struct str text, struct hours *out, struct err *err)
{
    size_t dash = str_find_char(text, '-');
    struct hours h = {0, 0};

    if (text.len > 0) {
        if (dash == text.len || !minute_parse(str_trim(str_slice(text, 0, dash)), &h.from) ||
            !minute_parse(str_trim(str_slice(text, dash + 1, text.len)), &h.to) ||
            h.from == MINUTES_OF_DAY || h.from == h.to)
            return err_set(err, ERR_INVALID,
                           "expected hours such as 16:30-00:30 (UTC), found \"" STR_FMT "\"",
                           STR_ARG(str_slice(text, 0, 40)));
        h.to %= MINUTES_OF_DAY;
    }
    *out = h;
    return true;
}

bool hours_hold(struct hours h, int minute)
{
    if (h.from == h.to)
        return true;
    return h.to < h.from ? minute >= h.from || minute < h.to : minute >= h.from && minute < h.to;
}

int hours_minute(wall_ms when)
{
    return (int)((MAX_OF(when, 0) / MS_OF_MINUTE) % MINUTES_OF_DAY);
}

void hours_write(struct buf *out, struct hours h)
{
    if (h.from != h.to)
        buf_fmt(out, "%02d:%02d-%02d:%02d", h.from / 60, h.from % 60, h.to / 60, h.to % 60);
}

bool token_range_parse(struct str text, struct token_range *out, struct err *err)
{
    size_t dash = str_find_char(text, '-');
    struct str end = str_trim(str_slice(text, dash + 1, text.len));
    uint64_t from = 0, to = 0;

    if (text.len > 0 &&
        (dash == text.len || !u64_parse(str_trim(str_slice(text, 0, dash)), &from) ||
         from > INT64_MAX ||
         (end.len > 0 && (!u64_parse(end, &to) || to <= from || to > INT64_MAX))))
        return err_set(err, ERR_INVALID,
                       "expected a range of tokens such as 200000- or 0-128000, found \"" STR_FMT
                       "\"",
                       STR_ARG(str_slice(text, 0, 40)));
    *out = (struct token_range){(int64_t)from, (int64_t)to};
    return true;
}

bool token_range_holds(struct token_range r, int64_t tokens)
{
    return tokens >= r.from && (r.to == 0 || tokens < r.to);
}

void token_range_write(struct buf *out, struct token_range r)
{
    if (r.from == 0 && r.to == 0)
        return;
    buf_fmt(out, "%" PRId64 "-", r.from);
    if (r.to)
        buf_i64(out, r.to);
}
