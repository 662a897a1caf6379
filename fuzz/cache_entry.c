/* A kept answer as it comes from a file or from Redis: any bytes are refused, or are an entry whose form is
 * those bytes. */
#include "fuzz.h"

#include <string.h>

#include "cache/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct err err = {0};
    struct entry *e = entry_parse(text, &err);

    if (!e) {
        ASSERT(err.code == ERR_INVALID || err.code == ERR_EXHAUSTED);
        return 0;
    }
    ASSERT(str_eq(e->text, text) && e->facts.body.len <= size);
    for (uint32_t i = 0; i < e->facts.tag_count; i++)
        ASSERT(entry_has_tag(e, e->facts.tags[i]));
    struct entry *again = entry_new(&e->facts, &err);
    ASSERT(again && str_eq(again->facts.body, e->facts.body) &&
           str_eq(again->facts.model, e->facts.model));
    entry_unref(&again);
    entry_unref(&e);
    return 0;
}
