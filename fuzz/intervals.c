/* What numbers bound: whatever a text says, each interval has its ends in order and stands in the text; every interval of
 * a number meets itself, and two meet or not whichever is asked first. */
#include "fuzz.h"

#include "knowledge/interval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str text = {(const char *)data, MIN_OF(size, (size_t)4 * KIB)};
    struct intervals all;
    struct err err = {0};

    ASSERT(arena && intervals_read(arena, text, &all, &err));
    ASSERT(all.count <= INTERVALS_MAX);
    for (size_t i = 0; i < all.count; i++) {
        const struct interval *v = &all.at[i];

        ASSERT(v->from <= v->to && v->at < v->end && v->end <= text.len);
        ASSERT(v->is_bound || v->from == v->to);
        ASSERT(i == 0 || all.at[i - 1].at < v->at);
        ASSERT(intervals_compare(v, v) && (v->is_bound || intervals_meet(v, v)));
        for (size_t k = 0; k < i; k++)
            ASSERT(intervals_meet(v, &all.at[k]) == intervals_meet(&all.at[k], v) &&
                   intervals_compare(v, &all.at[k]) == intervals_compare(&all.at[k], v));
    }
    return 0;
}
