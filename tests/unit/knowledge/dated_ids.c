#include "knowledge/dated_id.h"

#include <string.h>

#include "test.h"

TEST(dated_ids_stand_in_the_order_of_their_times)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str before = STR("");
    struct err err = {0};

    for (wall_ms now = 1; now < (wall_ms)1 << 47; now *= 3) {
        struct str id;

        REQUIRE(dated_id_new(arena, STR("part_"), now, &id, &err), "%s", err.text);
        EXPECT(dated_id_is(STR("part_"), id) && strlen(id.ptr) == id.len && id.len == 29);
        EXPECT(str_cmp(before, id) < 0);
        before = id;
    }
}

TEST(dated_ids_are_nothing_else)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        {"vs_0123456789abcdef01234567", true},
        {"vs_0123456789abcdef0123456", false},
        {"vs_0123456789abcdef012345678", false},
        {"vs_0123456789ABCDEF01234567", false},
        {"vs_0123456789abcdef0123/../", false},
        {"vt_0123456789abcdef01234567", false},
        {"0123456789abcdef01234567", false},
        {"vs_", false},
        {"", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        EXPECT(dated_id_is(STR("vs_"), str_from(rows[i].text)) == rows[i].is, "%s", rows[i].text);
}
