#include "index/near.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include "base/utf8.h"
#include "index/lexical_internal.h"

#define LETTERS_OF_ONE 2 /* of a word's letters as a set: a change takes one out and puts one in */
#define CHANGE         2 /* in halves */
#define OTHER_LETTER   3
#define OTHER_WORD     4 /* as one missing and one too many */

/* What the stemmer leaves of endings by which English makes one word of another: "inflationary", "sovereignty",
 * "Californian", "martyrdom". Not "e", which is what it leaves of "employee": the other side of "employer". */
static const char *const endings[] = {
    "",      "a",    "ac",    "aci",      "al",   "ali", "an",  "anc", "ant",  "ar", "ari",
    "arili", "at",   "ation", "ationari", "dom",  "ed",  "en",  "enc", "ent",  "er", "eri",
    "es",    "ess",  "est",   "ful",      "hood", "i",   "ia",  "ial", "ian",  "ic", "ici",
    "if",    "ifi",  "ion",   "ionari",   "ish",  "ism", "ist", "it",  "iti",  "iv", "iz",
    "less",  "like", "ment",  "n",        "on",   "or",  "ori", "ous", "ship", "th", "ti",
    "um",    "ur",   "us",    "ward",     "wis",  "y",
};

/* A word by its letters, without their accents. */
struct shape {
    uint32_t runes[TERM_BYTES_MAX];
    size_t count;
    uint64_t letters; /* as a set, by the last six bits */
};

struct looking {
    const struct lexical_view *view;
    const struct near_query *query;
    struct shape wanted;
    size_t most; /* changes that are forgiven */
    struct near_list {
        struct near_word at[NEAR_EACH];
        size_t count;
    } lists[2]; /* by enum near_kind */
};

/* --- letters ---------------------------------------------------------------------------------- */

static uint32_t without_accent(uint32_t rune)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar parts[8];

    if (rune < 0xC0)
        return rune;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&status);
    int32_t len = U_SUCCESS(status) ? unorm2_getDecomposition(nfd, (UChar32)rune, parts,
                                                              ARRAY_LEN(parts), &status)
                                    : -1;
    return U_FAILURE(status) || len < 1 || U16_IS_SURROGATE(parts[0]) ? rune : parts[0];
}

/* false: a digit or an ideograph is in it. */
static bool shape_read(struct shape *shape, struct str text)
{
    uint32_t rune;

    shape->count = 0;
    shape->letters = 0;
    for (size_t at = 0; utf8_next(text, &at, &rune) && shape->count < TERM_BYTES_MAX;) {
        if ((rune >= '0' && rune <= '9') || rune_is_ideographic(rune))
            return false;
        rune = without_accent(rune);
        shape->runes[shape->count++] = rune;
        shape->letters |= (uint64_t)1 << (rune & 63);
    }
    return shape->count > 0;
}

static size_t same_beginning(const struct shape *a, const struct shape *b)
{
    size_t same = 0;

    while (same < a->count && same < b->count && a->runes[same] == b->runes[same])
        same++;
    return same;
}

static bool is_ending(const struct shape *shape, size_t from)
{
    size_t len = shape->count - from;

    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t k = 0;

        while (k < len && endings[i][k] && (uint8_t)endings[i][k] == shape->runes[from + k])
            k++;
        if (k == len && !endings[i][k])
            return true;
    }
    return false;
}

static bool is_vowel(uint32_t rune)
{
    return rune == 'a' || rune == 'e' || rune == 'i' || rune == 'o' || rune == 'u' || rune == 'y';
}

static size_t other_letter(const struct shape *wanted, uint32_t a, uint32_t b)
{
    bool vowels = is_vowel(a) && is_vowel(b) && wanted->count >= NEAR_VOWEL_FROM;

    if (a == b)
        return 0;
    return vowels || wanted->count >= NEAR_OTHER_FROM ? OTHER_LETTER : OTHER_WORD;
}

static bool is_changed_over(const struct shape *a, size_t i, const struct shape *b, size_t k)
{
    return i > 1 && k > 1 && a->runes[i - 1] == b->runes[k - 2] &&
           a->runes[i - 2] == b->runes[k - 1];
}

/* In halves of a change, another letter in a letter's place being one and a half, so that of two changes one may be
 * such. What is more than `most` is not counted farther. */
static size_t changes_between(const struct shape *a, const struct shape *b, size_t most)
{
    uint8_t rows[3][TERM_BYTES_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t k = 0; k <= b->count; k++)
        last[k] = (uint8_t)(k * CHANGE);
    for (size_t i = 1; i <= a->count; i++) {
        size_t least = i * CHANGE;

        now[0] = (uint8_t)least;
        for (size_t k = 1; k <= b->count; k++) {
            size_t cost = (size_t)MIN_OF(last[k], now[k - 1]) + (size_t)CHANGE;
            size_t other = other_letter(a, a->runes[i - 1], b->runes[k - 1]);

            cost = MIN_OF(cost, last[k - 1] + other);
            if (is_changed_over(a, i, b, k))
                cost = MIN_OF(cost, before[k - 2] + (size_t)CHANGE);
            now[k] = (uint8_t)cost;
            least = MIN_OF(least, cost);
        }
        if (least > most)
            return most + 1;
        uint8_t *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b->count];
}

/* --- candidates ------------------------------------------------------------------------------- */

static int compare_near(const struct near_word *a, const struct near_word *b)
{
    if (a->apart != b->apart)
        return a->apart < b->apart ? -1 : 1;
    if (a->passages != b->passages)
        return a->passages > b->passages ? -1 : 1;
    return str_cmp(a->text, b->text);
}

static bool is_listed(const struct near_list *list, struct str text)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->at[i].text, text))
            return true;
    return false;
}

/* Counted only when it is near enough: under a filter that reads all that have it. */
static void offer(struct looking *l, struct near_word word, struct str key)
{
    struct near_list *list = &l->lists[word.kind];
    size_t at;

    if (is_listed(list, word.text) ||
        (list->count == NEAR_EACH && word.apart > list->at[NEAR_EACH - 1].apart))
        return;
    word.passages = passages_with(l->view, l->query->filter, key);
    if (!word.passages)
        return;
    if (list->count < NEAR_EACH)
        list->count++;
    else if (compare_near(&word, &list->at[NEAR_EACH - 1]) > 0)
        return;
    for (at = list->count - 1; at > 0 && compare_near(&word, &list->at[at - 1]) < 0; at--)
        list->at[at] = list->at[at - 1];
    list->at[at] = word;
}

/* Who mistypes seldom misses a word's end, and many words are another's beginning: "thought", "though". */
static bool ends_alike(const struct shape *wanted, const struct shape *other)
{
    const uint32_t *w = wanted->runes + wanted->count, *o = other->runes + other->count;
    bool is_over = wanted->count > 1 && other->count > 1 && w[-1] == o[-2] && w[-2] == o[-1];

    return w[-1] == o[-1] || is_over || wanted->count >= NEAR_OTHER_FROM;
}

/* By length, letters and end alone, so that few are compared letter by letter. */
static bool may_be_spelling(const struct looking *l, const struct shape *shape)
{
    uint64_t other = l->wanted.letters ^ shape->letters;

    return shape->count <= l->wanted.count + l->most && l->wanted.count <= shape->count + l->most &&
           (size_t)__builtin_popcountll(other) <= LETTERS_OF_ONE * l->most &&
           ends_alike(&l->wanted, shape);
}

/* In halves. Of two changes in a word that is not long none may take a letter away: "concentration" is no "concert". */
static size_t most_changes(const struct looking *l, const struct shape *shape)
{
    bool as_many = shape->count == l->wanted.count || l->wanted.count >= NEAR_OTHER_FROM;

    return (size_t)CHANGE * (as_many ? l->most : 1) + 1;
}

static void look_at(struct looking *l, struct str key)
{
    struct near_word word = {.text = str_slice(key, 1, key.len)};
    struct shape shape;

    if (word.text.len > TERM_BYTES_MAX || str_eq(word.text, l->query->term->text) ||
        !shape_read(&shape, word.text))
        return;
    size_t same = same_beginning(&l->wanted, &shape);
    bool is_same = same == l->wanted.count && same == shape.count; /* but for accents */

    if (!(is_same && l->most) && same >= NEAR_SAME && is_ending(&l->wanted, same) &&
        is_ending(&shape, same)) {
        word.kind = NEAR_FAMILY;
        word.apart = (uint32_t)(l->wanted.count + shape.count - 2 * same);
        offer(l, word, key);
    } else if (l->most && may_be_spelling(l, &shape)) {
        size_t most = most_changes(l, &shape);
        size_t changes = changes_between(&l->wanted, &shape, most);

        word.apart = (uint32_t)(changes / CHANGE);
        if (changes <= most)
            offer(l, word, key);
    }
}

/* --- the dictionary --------------------------------------------------------------------------- */

/* Words between two beginnings, those of the last one included. */
static void look_between(struct looking *l, struct str first, struct str last)
{
    for (uint32_t i = 0; i < l->view->count; i++) {
        const struct segment *s = l->view->at[i];

        for (uint32_t t = segment_first_from(s, first); t < s->terms; t++) {
            struct term_entry entry = segment_term(s, t);
            struct str key = segment_term_text(s, &entry);

            if (str_cmp(str_slice(key, 0, MIN_OF(key.len, last.len)), last) > 0)
                break;
            look_at(l, key);
        }
    }
}

static struct str beginning(char bytes[9], const uint32_t *runes, size_t count)
{
    size_t len = 1;

    bytes[0] = 'w';
    for (size_t i = 0; i < count; i++)
        len += utf8_put(bytes + len, runes[i]);
    return (struct str){bytes, len};
}

static void look_everywhere(struct looking *l)
{
    const uint32_t *runes = l->wanted.runes, over[2] = {runes[1], runes[0]};
    char bytes[9];
    struct str first = beginning(bytes, runes, 1);

    look_between(l, first, first);
    if (runes[0] >= 'a' && runes[0] <= 'z') /* Latin letters with accents: U+00C0 to U+023F */
        look_between(l, STR("w\xC3"), STR("w\xC8"));
    if (l->wanted.count > 1 && runes[0] != runes[1]) {
        first = beginning(bytes, over, 2);
        look_between(l, first, first);
    }
}

bool term_may_have_near(const struct term *term)
{
    struct shape shape;

    return term->field == TERM_WORD && !term->stop && shape_read(&shape, term->text);
}

size_t lexical_near(const struct lexical_view *view, const struct near_query *query,
                    struct near_word out[NEAR_WORDS_MAX])
{
    struct looking l = {.view = view, .query = query};
    const struct near_list *spellings = &l.lists[NEAR_SPELLING], *family = &l.lists[NEAR_FAMILY];
    size_t count = 0;

    if (!term_may_have_near(query->term) || !shape_read(&l.wanted, query->term->text))
        return 0;
    if (!query->family_alone && l.wanted.count >= NEAR_ONE_FROM)
        l.most = l.wanted.count >= NEAR_TWO_FROM ? 2 : 1;
    look_everywhere(&l);
    for (size_t i = 0; i < spellings->count; i++)
        if (spellings->at[i].apart == spellings->at[0].apart)
            out[count++] = spellings->at[i];
    for (size_t i = 0; i < family->count; i++)
        out[count++] = family->at[i];
    return count;
}
