#include "score.h"

#include <string.h>

#include "base/utf8.h"

#define UNITS_MAX 400 /* of an answer; what is longer is compared by its beginning */

struct units {
    uint32_t at[UNITS_MAX]; /* a character, or the hash of a word with the top bit set */
    size_t count;
};

static bool is_mark(uint32_t rune, bool zh)
{
    if (rune < 0x80)
        return rune < '0' || (rune > '9' && rune < 'A') || (rune > 'Z' && rune < 'a') ||
               (rune > 'z');
    if (!zh) /* Python's string.punctuation is ASCII */
        return false;
    return (rune >= 0x2010 && rune <= 0x2027) || (rune >= 0x3001 && rune <= 0x3015) ||
           (rune >= 0xFF01 && rune <= 0xFF0F) || (rune >= 0xFF1A && rune <= 0xFF1F) ||
           rune == 0xFF5E || rune == 0xB7;
}

static void put_word(struct units *units, uint64_t *word)
{
    static const uint64_t articles[] = {97, 97 * 31 + 110, (116 * 31 + 104) * 31 + 101};
    bool article = false;

    for (size_t i = 0; i < ARRAY_LEN(articles); i++)
        article = article || *word == articles[i];
    if (*word && !article && units->count < UNITS_MAX)
        units->at[units->count++] = (uint32_t)(*word ^ *word >> 31) | 0x80000000u;
    *word = 0;
}

static struct units read_units(struct str text, bool zh)
{
    struct units units = {.count = 0};
    uint64_t word = 0;
    uint32_t rune;

    for (size_t at = 0; utf8_next(text, &at, &rune);) {
        bool space = rune <= ' ' || rune == 0xA0 || rune == 0x3000;

        if (space) {
            put_word(&units, &word);
        } else if (is_mark(rune, zh)) {
            continue;
        } else if (zh && rune_is_cjk(rune)) {
            put_word(&units, &word);
            if (units.count < UNITS_MAX)
                units.at[units.count++] = rune;
        } else {
            word = word * 31 + (rune >= 'A' && rune <= 'Z' ? rune + 32 : rune);
        }
    }
    put_word(&units, &word);
    return units;
}

/* Words in common, each as often as both have it. */
static size_t common(const struct units *a, const struct units *b)
{
    bool used[UNITS_MAX] = {false};
    size_t count = 0;

    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (!used[k] && a->at[i] == b->at[k]) {
                used[k] = true;
                count++;
                break;
            }
    return count;
}

static size_t longest_run(const struct units *a, const struct units *b)
{
    uint16_t row[UNITS_MAX + 1] = {0};
    size_t best = 0;

    for (size_t i = 0; i < a->count; i++)
        for (size_t k = b->count; k-- > 0;) {
            row[k + 1] = a->at[i] == b->at[k] ? (uint16_t)(row[k] + 1) : 0;
            best = MAX_OF(best, row[k + 1]);
        }
    return best;
}

static double f1(size_t same, size_t given, size_t wanted)
{
    return same ? 2 * (double)same / (double)(given + wanted) : 0;
}

struct score score_answer(struct str given, const struct str *answers, size_t count, bool zh)
{
    struct units mine = read_units(given, zh);
    struct score best = {0};

    for (size_t i = 0; i < count; i++) {
        struct units gold = read_units(answers[i], zh);
        bool exact =
            mine.count == gold.count && memcmp(mine.at, gold.at, gold.count * sizeof *gold.at) == 0;
        double f = f1((zh ? longest_run : common)(&mine, &gold), mine.count, gold.count);

        best.exact = exact ? 1 : best.exact;
        best.f1 = f > best.f1 ? f : best.f1;
    }
    return best;
}
