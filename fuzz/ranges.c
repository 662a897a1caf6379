/* Conditions of routes and Retry-After, as strangers and settings write them: what is read is within its bounds,
 * what is not says so. The first byte chooses the reader. */
#include "fuzz.h"
#include "models/attempt_internal.h"

#define NOW ((wall_ms)784111777000)

static void check_hours(struct str text)
{
    struct hours h = {0, 0};
    struct err err = {0};
    int held = 0;

    if (!hours_parse(text, &h, &err)) {
        ASSERT(err.code == ERR_INVALID);
        return;
    }
    ASSERT(h.from >= 0 && h.from < MINUTES_OF_DAY && h.to >= 0 && h.to < MINUTES_OF_DAY);
    for (int minute = 0; minute < MINUTES_OF_DAY; minute++)
        held += hours_hold(h, minute);
    int length = (h.to - h.from + MINUTES_OF_DAY) % MINUTES_OF_DAY;
    ASSERT(held == (length ? length : MINUTES_OF_DAY));
}

static void check_tokens(struct str text)
{
    struct token_range r = {0, 0};
    struct err err = {0};

    if (!token_range_parse(text, &r, &err)) {
        ASSERT(err.code == ERR_INVALID);
        return;
    }
    ASSERT(r.from >= 0 && (r.to == 0 || r.to > r.from));
    ASSERT(token_range_holds(r, r.from));
    ASSERT(r.to == 0 || (!token_range_holds(r, r.to) && token_range_holds(r, r.to - 1)));
}

static void check_retry_after(struct str text)
{
    dur_ns wait = retry_after_read(text, NOW);

    ASSERT(wait >= 0 && wait <= (dur_ns)31536000 * SECOND);
}

static void check_row(struct str text)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct route_text row = {.name = STR("r"), .models = STR("r"), .use = text};
    struct route_table *table = NULL;
    struct err err = {0};

    if (!route_table_read(arena, &row, 1, NULL, &table, &err)) {
        ASSERT(err.code == ERR_INVALID || err.code == ERR_EXHAUSTED);
        return;
    }
    ASSERT(route_count(table) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);

    switch (fuzz_choice(&text) % 4) {
    case 0: check_row(text); break;
    case 1: check_hours(text); break;
    case 2: check_tokens(text); break;
    default: check_retry_after(text); break;
    }
    return 0;
}
