/* Runs of ideographs: words by the dictionary, or by cuts that are known, and the pairs between. */
#include "index/terms_internal.h"

#define HAN_BYTES 3 /* of a character of dictionary_has(), in UTF-8 */

void cutter_end(struct cutter *cutter)
{
    if (cutter->words)
        ubrk_close(cutter->words);
    dictionary_close(cutter->dictionary);
}

static void note_cut(struct scan *scan, int32_t begin, int32_t end)
{
    struct making_cuts *m = scan->making;

    m->bits[m->count / 8] |= (uint8_t)(1u << m->count % 8);
    for (int32_t i = begin; i < end; m->count++)
        U16_FWD_1(scan->text, i, end);
}

static bool begins_word(const struct word_cuts *cuts, uint32_t i)
{
    return cuts->bits[i / 8] >> i % 8 & 1;
}

/* --- Chinese alone: nearly all that there is ---------------------------------------------------- */

/* What is neither shorter nor longer in UTF-8, nor has a lower case: terms are parts of one text. */
static char *spell(struct scan *scan, int32_t from, int32_t len)
{
    char *text = arena_alloc_raw(scan->arena, (size_t)len * HAN_BYTES);

    for (int32_t i = 0; text && i < len; i++) {
        uint32_t unit = scan->text[from + i];

        text[i * HAN_BYTES] = (char)(0xE0 | unit >> 12);
        text[i * HAN_BYTES + 1] = (char)(0x80 | (unit >> 6 & 0x3F));
        text[i * HAN_BYTES + 2] = (char)(0x80 | (unit & 0x3F));
    }
    return text;
}

static struct str spelt(const char *text, int32_t from, int32_t to)
{
    return (struct str){text + from * HAN_BYTES, (size_t)(to - from) * HAN_BYTES};
}

/* Words that end there, each followed by the pairs that begin in it. */
static bool add_chinese(struct scan *scan, int32_t from, const uint16_t *ends, int32_t count,
                        struct err *err)
{
    int32_t len = ends[count - 1], begin = 0;
    char *text = spell(scan, from, len);
    struct term *to = scan_room(scan, (size_t)count + (size_t)len), *first = to;

    if (!text || !to)
        return scan_no_memory(scan, err);
    for (int32_t i = 0; i < count; i++) {
        int32_t end = ends[i];
        struct str word = spelt(text, begin, end);
        uint32_t position = scan->words++;

        word.len = MIN_OF(word.len, (size_t)TERM_BYTES_MAX / HAN_BYTES * HAN_BYTES);
        *to++ = (struct term){.text = word,
                              .position = position,
                              .stop = may_be_stop_word(scan->stops, word) && is_stop_word(word)};
        for (; begin < end; begin++)
            if (begin + 1 < len)
                *to++ = (struct term){.text = spelt(text, begin, begin + 2),
                                      .field = TERM_PAIR,
                                      .position = position};
    }
    scan->count += (size_t)(to - first);
    return true;
}

/* The dictionary is there, if need be. */
static bool is_chinese(struct scan *scan, int32_t from, int32_t to)
{
    struct cutter *cutter = scan->cutter;

    if (cutter->no_dictionary || !dictionary_has(scan->text + from, to - from))
        return false;
    if (!cutter->dictionary && !scan->known)
        cutter->no_dictionary = !(cutter->dictionary = dictionary_open(cutter->arena));
    return !cutter->no_dictionary;
}

static bool cut_chinese(struct scan *scan, int32_t from, int32_t to, struct err *err)
{
    uint16_t ends[DICTIONARY_RUN_MAX];
    int32_t count = dictionary_cut(scan->cutter->dictionary, scan->text + from, to - from, ends);

    for (int32_t i = 0, begin = 0; scan->making && i < count; begin = ends[i++])
        note_cut(scan, from + begin, from + ends[i]);
    return add_chinese(scan, from, ends, count, err);
}

static bool cut_chinese_as_known(struct scan *scan, int32_t from, int32_t to, struct err *err)
{
    uint16_t ends[DICTIONARY_RUN_MAX];
    int32_t count = 0, len = to - from;

    for (int32_t i = 1; i < len; i++)
        if (begins_word(scan->known, scan->known->at + (uint32_t)i))
            ends[count++] = (uint16_t)i;
    ends[count++] = (uint16_t)len;
    return add_chinese(scan, from, ends, count, err);
}

/* --- any ---------------------------------------------------------------------------------------- */

static bool open_breaker(struct cutter *cutter, struct err *err)
{
    UErrorCode status = U_ZERO_ERROR;

    if (cutter->words)
        return true;
    cutter->words = ubrk_open(UBRK_WORD, "zh", NULL, 0, &status);
    if (U_SUCCESS(status))
        return true;
    cutter->words = NULL;
    return err_set(err, ERR_UNAVAILABLE, "could not open the word dictionary: %s",
                   u_errorName(status));
}

static bool add_pair(struct scan *scan, int32_t at, uint32_t position, struct err *err)
{
    int32_t end = at;
    char word[TERM_BYTES_MAX];

    U16_FWD_1(scan->text, end, scan->len);
    U16_FWD_1(scan->text, end, scan->len);
    struct term term = {.field = TERM_PAIR, .position = position};
    term.text = arena_str(scan->arena, (struct str){word, scan_lower(scan, at, end, word)});
    if (!term.text.ptr)
        return scan_no_memory(scan, err);
    return scan_add_term(scan, term, err);
}

/* A word of a run that ends at `to`, followed by the pairs that begin in it. */
static bool add_wide(struct scan *scan, int32_t begin, int32_t end, int32_t to, struct err *err)
{
    char word[TERM_BYTES_MAX];
    size_t len = scan_lower(scan, begin, end, word);

    if (!scan_add_word(scan, (struct term){0}, word, len, err))
        return false;
    for (int32_t i = begin; i < end;) {
        int32_t next = i;

        U16_FWD_1(scan->text, next, to);
        if (next < to && !add_pair(scan, i, scan->words - 1, err))
            return false;
        i = next;
    }
    return true;
}

/* As the dictionary has them. */
static bool cut_by_dictionary(struct scan *scan, int32_t from, int32_t to, struct err *err)
{
    UErrorCode status = U_ZERO_ERROR;

    if (!open_breaker(scan->cutter, err))
        return false;
    ubrk_setText(scan->cutter->words, scan->text + from, to - from, &status);
    if (U_FAILURE(status))
        return err_set(err, ERR_INTERNAL, "could not cut a text into words: %s",
                       u_errorName(status));
    int32_t begin = 0;
    for (int32_t end; (end = ubrk_next(scan->cutter->words)) != UBRK_DONE; begin = end) {
        if (scan->making)
            note_cut(scan, from + begin, from + end);
        if (!add_wide(scan, from + begin, from + end, to, err))
            return false;
    }
    return true;
}

static bool cut_as_known(struct scan *scan, int32_t from, int32_t to, struct err *err)
{
    uint32_t at = scan->known->at;

    for (int32_t begin = from, end = from; begin < to; begin = end) {
        do {
            U16_FWD_1(scan->text, end, to);
            at++;
        } while (end < to && !begins_word(scan->known, at));
        if (!add_wide(scan, begin, end, to, err))
            return false;
    }
    return true;
}

bool scan_run(struct scan *scan, int32_t from, int32_t to, struct err *err)
{
    struct word_cuts *known = scan->known;
    bool chinese = is_chinese(scan, from, to);
    uint32_t count = 0;

    if (!known)
        return (chinese ? cut_chinese : cut_by_dictionary)(scan, from, to, err);
    for (int32_t i = from; i < to; count++)
        U16_FWD_1(scan->text, i, to);
    bool holds = known->at < known->count && count <= known->count - known->at &&
                 begins_word(known, known->at);
    if (!holds) { /* the dictionary's, then */
        scan->known = NULL;
        bool ok = scan_run(scan, from, to, err);
        scan->known = known;
        if (!ok)
            return false;
    } else if (!(chinese ? cut_chinese_as_known : cut_as_known)(scan, from, to, err)) {
        return false;
    }
    known->at += count;
    return true;
}
