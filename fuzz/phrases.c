/* What people and models write: a question's phrases are found in a text made of them; a ranking names each
 * passage once, whatever it says. Input: the question, a zero byte, the ranking. */
#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "knowledge/phrases.h"
#include "knowledge/rerank.h"

#define PASSAGES 20

static void rank(struct str text)
{
    uint32_t order[PASSAGES];
    bool seen[PASSAGES] = {false};

    (void)!rerank_read(text, PASSAGES, order);
    for (size_t i = 0; i < PASSAGES; i++) {
        ASSERT(order[i] < PASSAGES && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct str all = {(const char *)data, MIN_OF(size, (size_t)16 * KIB)}, question;
    struct str fields[PHRASE_FIELDS] = {{0}};
    struct phrases p;
    struct err err = {0};
    bool hold = false;

    (void)str_split(&all, '\0', &question);
    rank(all);
    if (!phrases_read(arena, question, &p, &err)) {
        ASSERT(err.code == ERR_INVALID && err.text[0]);
        return 0;
    }
    ASSERT(p.count <= PHRASES_MAX);
    for (int f = 0; f < PHRASE_FIELDS; f++) {
        struct buf b;

        buf_init(&b, arena, MIB);
        for (size_t i = 0; i < p.count; i++) {
            ASSERT(p.at[i].words.len > 0);
            buf_fmt(&b, " " STR_FMT " ", STR_ARG(p.at[i].words));
        }
        fields[f] = buf_view(&b);
    }
    ASSERT(phrases_hold(arena, &p, fields, &hold, &err) && hold);
    return 0;
}
