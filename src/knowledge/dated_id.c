#include "knowledge/dated_id.h"

#include "base/buf.h"
#include "sys/clock.h"

#define BYTES      12
#define TIME_BYTES 6

bool dated_id_new(struct arena *arena, struct str mark, wall_ms now, struct str *out,
                  struct err *err)
{
    uint8_t bytes[BYTES];
    struct buf b;

    clock_random(bytes, sizeof bytes);
    for (int i = 0; i < TIME_BYTES; i++)
        bytes[i] = (uint8_t)((uint64_t)now >> (8 * (TIME_BYTES - 1 - i)));
    buf_init(&b, arena, mark.len + 2 * BYTES + 1);
    buf_str(&b, mark);
    buf_hex(&b, bytes, sizeof bytes);
    buf_char(&b, '\0'); /* behind its end */
    b.len -= buf_ok(&b);
    return buf_finish(&b, out, err);
}

bool dated_id_is(struct str mark, struct str id)
{
    bool ok = id.len == mark.len + 2 * (size_t)BYTES && str_starts(id, mark);

    for (size_t i = mark.len; ok && i < id.len; i++)
        ok = (id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f');
    return ok;
}

wall_ms dated_id_time(struct str mark, struct str id)
{
    uint8_t bytes[BYTES];
    uint64_t at = 0;

    ASSERT(dated_id_is(mark, id) && hex_parse(str_slice(id, mark.len, id.len), bytes, BYTES));
    for (int i = 0; i < TIME_BYTES; i++)
        at = at << 8 | bytes[i];
    return (wall_ms)at;
}
