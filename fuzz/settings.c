/* Any bytes are settings or are refused with at least one problem that says where; what was accepted can be
 * shown. */
#include "app/settings.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const environment[] = {"FUZZ_KEY=k", NULL};
    struct settings_problems problems = {0};
    struct settings *settings = NULL;
    struct str text = fuzz_text(data, size);

    if (settings_read_text(text, "weir.yaml", environment, &problems, &settings)) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct buf shown;

        ASSERT(settings && problems.count == 0);
        buf_init(&shown, arena, 32 * MIB);
        settings_show(settings, true, &shown);
        ASSERT(buf_ok(&shown));
        settings_free(&settings);
    } else {
        ASSERT(!settings && problems.count > 0);
        for (size_t i = 0; i < problems.count; i++)
            ASSERT(str_starts(problems.at[i], STR("weir.yaml")));
    }
    settings_problems_free(&problems);
    ASSERT(pages_in_use() == 0);
    return 0;
}
