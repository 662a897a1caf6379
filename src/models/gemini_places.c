/* Places in a text, counted in bytes by Gemini and in characters by everybody else. How many characters stand in front
 * of every so many bytes is kept, so that a text with many sources is not counted from its beginning for each. */
#include "base/utf8.h"
#include "models/gemini_internal.h"

#define STEP      ((size_t)4096)
#define STEPS_MAX (GEMINI_TEXT_MAX / STEP + 1)

/* As far as the text goes by now. A mark is at the end of the last whole character. */
static bool mark_all(struct arena *arena, struct gemini_places *p, struct str text)
{
    if (!p->marks)
        p->marks = arena_array(arena, STEPS_MAX, sizeof *p->marks);
    if (!p->marks)
        return false;
    for (p->count = MAX_OF(p->count, 1u); p->count < STEPS_MAX && p->count * STEP <= text.len;
         p->count++) {
        size_t from = utf8_boundary(text, (p->count - 1) * STEP);
        size_t to = utf8_boundary(text, p->count * STEP);

        p->marks[p->count] =
            p->marks[p->count - 1] + (uint32_t)utf8_count(str_slice(text, from, to));
    }
    return true;
}

int64_t gemini_character_at(struct arena *arena, struct gemini_places *p, struct str text,
                            size_t byte)
{
    size_t i;

    byte = MIN_OF(byte, text.len);
    if (!mark_all(arena, p, text))
        return -1;
    i = MIN_OF(byte / STEP, p->count - 1);
    return p->marks[i] + (int64_t)utf8_count(str_slice(text, utf8_boundary(text, i * STEP), byte));
}

int64_t gemini_byte_at(struct arena *arena, struct gemini_places *p, struct str text,
                       int64_t character)
{
    size_t low = 0, high, at;
    uint32_t rune;

    if (!mark_all(arena, p, text))
        return -1;
    for (high = p->count; high - low > 1;) {
        size_t middle = low + (high - low) / 2;

        if (p->marks[middle] <= character)
            low = middle;
        else
            high = middle;
    }
    at = utf8_boundary(text, low * STEP);
    for (int64_t i = p->marks[low]; i < character; i++)
        if (!utf8_next(text, &at, &rune))
            break;
    return (int64_t)at;
}
