#include "index/embed.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"

#define GRAM_MIN    3u
#define GRAM_MAX    5u
#define GRAM_WEIGHT 0.3f /* of a run of letters, beside its word */
#define PAIR_WEIGHT 0.5f
#define RUNE_WEIGHT 0.3f

/* The key is part of what a vector means: changed, all must be made anew. */
static const uint8_t key[16] = "weir hashed v 1";

static void put(float *out, char kind, struct str text, float weight)
{
    char bytes[TERM_BYTES_MAX + 3];

    bytes[0] = kind;
    memcpy(bytes + 1, text.ptr, MIN_OF(text.len, sizeof bytes - 1));
    uint64_t h = siphash_keyed(key, (struct str){bytes, 1 + MIN_OF(text.len, sizeof bytes - 1)});
    out[h % EMBED_HASHED_DIMENSIONS] += h >> 63 ? weight : -weight;
}

/* "^water$": "^wa", "wat", ... */
static void put_grams(float *out, struct str word)
{
    char marked[TERM_BYTES_MAX + 2];

    marked[0] = '^';
    memcpy(marked + 1, word.ptr, word.len);
    marked[word.len + 1] = '$';
    for (size_t n = GRAM_MIN; n <= GRAM_MAX; n++)
        for (size_t at = 0; at + n <= word.len + 2; at++)
            put(out, 'g', (struct str){marked + at, n}, GRAM_WEIGHT);
}

static void put_runes(float *out, struct str word)
{
    size_t at = 0, before = 0;
    uint32_t rune;

    for (; utf8_next(word, &at, &rune); before = at)
        put(out, 'r', str_slice(word, before, at), RUNE_WEIGHT);
}

static bool is_ascii(struct str word)
{
    for (size_t i = 0; i < word.len; i++)
        if ((uint8_t)word.ptr[i] >= 0x80)
            return false;
    return true;
}

bool embed_hashed(const struct terms *terms, float out[EMBED_HASHED_DIMENSIONS])
{
    double squares = 0;
    bool any = false;

    memset(out, 0, EMBED_HASHED_DIMENSIONS * sizeof *out);
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->stop)
            continue;
        any = true;
        if (term->field == TERM_PAIR) {
            put(out, 'p', term->text, PAIR_WEIGHT);
            continue;
        }
        put(out, 'w', term->text, 1);
        if (is_ascii(term->text))
            put_grams(out, term->text);
        else
            put_runes(out, term->text);
    }
    /* What stands there often says less the more often: as square roots, like counts of words elsewhere. */
    for (size_t i = 0; i < EMBED_HASHED_DIMENSIONS; i++) {
        out[i] = copysignf(sqrtf(fabsf(out[i])), out[i]);
        squares += (double)(out[i] * out[i]);
    }
    for (size_t i = 0; squares > 0 && i < EMBED_HASHED_DIMENSIONS; i++)
        out[i] = (float)((double)out[i] / sqrt(squares));
    return any;
}
