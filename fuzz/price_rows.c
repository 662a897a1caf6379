/* Rows of prices as administrators send them and the store keeps them: what is refused names its place, what is
 * read survives being written and read again. */
#include "models/price_rows.h"
#include "fuzz.h"

static struct str written(struct arena *arena, const struct price_rows *rows)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, arena, 4 * MIB);
    jw_init(&w, &b);
    price_rows_write(&w, rows->at, rows->count);
    ASSERT(buf_ok(&b));
    return buf_view(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(32 * MIB);
    struct price_rows once = {0}, again = {0};
    struct price_rows_fault where;
    struct err err = {0};
    struct json *j = json_parse(arena, fuzz_text(data, size), &err);

    if (!j)
        return 0;
    if (!price_rows_read(arena, j, json_root(j), &once, &where, &err)) {
        ASSERT(err.code == ERR_INVALID && (where.field[0] == '[' || where.field[0] == 0));
        return 0;
    }
    struct str first = written(arena, &once);
    j = json_parse(arena, first, &err);
    ASSERT(j && price_rows_read(arena, j, json_root(j), &again, &where, &err));
    ASSERT(again.count == once.count && str_eq(written(arena, &again), first));
    return 0;
}
