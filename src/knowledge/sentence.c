#include <string.h>

#include "base/utf8.h"
#include "knowledge/passage.h"

/* Words a full stop belongs to; lower case, without it. */
static const char *const abbreviations[] = {
    "mr",   "mrs",  "ms",  "dr",  "prof", "st",     "sr",  "jr",   "vs",   "etc", "e.g",
    "i.e",  "cf",   "no",  "nos", "inc",  "ltd",    "co",  "corp", "dept", "fig", "art",
    "sec",  "vol",  "pp",  "ed",  "jan",  "feb",    "mar", "apr",  "jun",  "jul", "aug",
    "sep",  "sept", "oct", "nov", "dec",  "approx", "gen", "col",  "capt", "lt",  "sgt",
    "rev",  "hon",  "gov", "sen", "rep",  "est",    "al",  "u.s",  "u.k",  "a.m", "p.m",
    "ph.d", "b.c",  "a.d", "op",  "mt",   "ca",
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* "E.I": initials with full stops between. */
static bool are_initials(struct str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (i % 2 ? word.ptr[i] != '.' : !(word.ptr[i] >= 'A' && word.ptr[i] <= 'Z'))
            return false;
    return word.len % 2 == 1;
}

/* Does the full stop at `at` belong to the word before it? That of initials does, too. */
static bool is_abbreviation(struct str text, size_t from, size_t at)
{
    size_t begin = at, hyphen;

    while (begin > from && !is_space(text.ptr[begin - 1]) && text.ptr[begin - 1] != '(')
        begin--;
    struct str word = str_slice(text, begin, at);
    if (word.len == 1)
        return is_letter(word.ptr[0]) && word.ptr[0] != 'I';
    if (are_initials(word))
        return true;
    while ((hyphen = str_find_char(word, '-')) < word.len) /* "Trinity-St. Paul's" */
        word = str_slice(word, hyphen + 1, word.len);
    for (size_t i = 0; i < ARRAY_LEN(abbreviations); i++)
        if (str_eq_nocase(word, str_from(abbreviations[i])))
            return true;
    return false;
}

/* Bytes of a closing quote or bracket at `at`, or 0. */
static size_t closing(struct str text, size_t at)
{
    static const char *const marks[] = {"\"", "'",  ")",  "]",  "”", "’",
                                        "」", "』", "）", "》", "】"};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_starts(str_slice(text, at, text.len), str_from(marks[i])))
            return str_from(marks[i]).len;
    return 0;
}

/* Bytes of an ideographic sentence end at `at`, or 0. */
static size_t wide_end(struct str text, size_t at)
{
    static const struct str marks[] = {STR("。"), STR("！"), STR("？"), STR("；")};
    char c = text.ptr[at];

    if (c == '!' || c == '?')
        return 1;
    if (c != marks[0].ptr[0] && c != marks[1].ptr[0]) /* the others begin as the second */
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_starts(str_slice(text, at, text.len), marks[i]))
            return marks[i].len;
    return 0;
}

/* May a sentence begin here? Not with a lower-case letter: "approx. three", "yahoo! groups". */
static bool may_begin(struct str text, size_t at)
{
    if (at >= text.len)
        return true;
    return !(text.ptr[at] >= 'a' && text.ptr[at] <= 'z');
}

static size_t skip_closing(struct str text, size_t at)
{
    for (size_t len; at < text.len && (len = closing(text, at)) > 0;)
        at += len;
    return at;
}

size_t sentence_end(struct str text, size_t from)
{
    for (size_t at = from; at < text.len;) {
        size_t wide = wide_end(text, at);
        bool ascii = wide == 1;

        if (!wide && text.ptr[at] != '.') {
            at++;
            continue;
        }
        size_t end = skip_closing(text, at + (wide ? wide : 1));
        if (wide && !ascii)
            return end;
        if (end == text.len)
            return end;
        size_t next = end;
        while (next < text.len && is_space(text.ptr[next]))
            next++;
        bool apart = next > end || (uint8_t)text.ptr[end] >= 0x80;
        if (apart && may_begin(text, next) && (wide || !is_abbreviation(text, from, at)))
            return end;
        at++;
    }
    return text.len;
}

static bool put_sentence(struct buf *to, struct str text, uint32_t block, size_t from, size_t end)
{
    struct str s = str_trim(str_slice(text, from, end));
    size_t at = s.len ? (size_t)(s.ptr - text.ptr) : from;
    struct sentence sentence = {block, (uint32_t)at, (uint32_t)(at + s.len)};

    if (s.len)
        buf_put(to, &sentence, sizeof sentence);
    return buf_ok(to);
}

static size_t unit_end(const struct block *block, size_t from)
{
    struct str rest = str_slice(block->text, from, block->text.len);

    switch (block->kind) {
    case BLOCK_PARAGRAPH:
    case BLOCK_ITEM: return sentence_end(block->text, from);
    case BLOCK_CODE: return from + MIN_OF(str_find_char(rest, '\n') + 1, rest.len);
    case BLOCK_HEADING:
    case BLOCK_ROW: return block->text.len;
    }
    return block->text.len;
}

bool sentences_split(struct arena *arena, const struct passage *passage, struct sentence **out,
                     size_t *count, struct err *err)
{
    struct buf all;
    struct str bytes;

    buf_init(&all, arena, 64 * MIB);
    for (size_t i = 0; i < passage->count; i++) {
        const struct block *block = &passage->blocks[i];

        for (size_t at = 0; at < block->text.len;) {
            size_t end = unit_end(block, at);

            if (!put_sentence(&all, block->text, (uint32_t)i, at, end))
                break;
            at = end;
        }
    }
    if (!buf_finish(&all, &bytes, err))
        return false;
    *out = (struct sentence *)(void *)all.ptr;
    *count = bytes.len / sizeof **out;
    return true;
}
