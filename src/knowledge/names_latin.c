/* Names in Latin letters: what is capitalised, abbreviated or quoted. */
#include <string.h>
#include <unicode/uchar.h>

#include "base/utf8.h"
#include "index/terms.h"
#include "knowledge/entities.h"

#define TOKENS_MAX    2048 /* of a sentence; what is longer is no prose */
#define RUN_WORDS_MAX 10
#define QUOTED_MAX    60 /* bytes */

enum token_kind { TOKEN_NAME, TOKEN_LOWER, TOKEN_NUMBER, TOKEN_WIDE };
struct name_token {
    uint32_t from, to;
    enum token_kind kind;
    bool joined; /* a space at most between it and the one before */
    bool first;  /* of the sentence, or behind a colon: its capital says nothing */
    bool caps;   /* all of it capitals */
};

static bool is_word_rune(uint32_t rune)
{
    return rune < 128
               ? (rune >= '0' && rune <= '9') || ((rune | 0x20) >= 'a' && (rune | 0x20) <= 'z')
               : u_isalnum((UChar32)rune) || (U_GET_GC_MASK((UChar32)rune) & U_GC_M_MASK);
}

static struct str words_between(struct str text, uint32_t from, uint32_t to)
{
    return str_slice(text, from, to);
}

static bool is_one_of(struct str word, const char *const *list, size_t count)
{
    /* Nearly all differ in their first letter, and this is asked of every word of every document. */
    for (size_t i = 0; i < count && word.len; i++)
        if ((list[i][0] | 0x20) == (word.ptr[0] | 0x20) && str_eq_nocase(word, str_from(list[i])))
            return true;
    return false;
}

/* A name does not begin with these, though a sentence does. */
static bool is_opening(struct str word)
{
    static const char *const list[] = {"the",
                                       "a",
                                       "an",
                                       "in",
                                       "on",
                                       "at",
                                       "for",
                                       "from",
                                       "to",
                                       "by",
                                       "with",
                                       "of",
                                       "as",
                                       "and",
                                       "or",
                                       "but",
                                       "if",
                                       "when",
                                       "while",
                                       "after",
                                       "before",
                                       "during",
                                       "since",
                                       "until",
                                       "under",
                                       "this",
                                       "that",
                                       "these",
                                       "those",
                                       "it",
                                       "its",
                                       "he",
                                       "she",
                                       "they",
                                       "we",
                                       "you",
                                       "i",
                                       "his",
                                       "her",
                                       "their",
                                       "our",
                                       "your",
                                       "my",
                                       "what",
                                       "which",
                                       "who",
                                       "where",
                                       "why",
                                       "how",
                                       "is",
                                       "are",
                                       "was",
                                       "were",
                                       "do",
                                       "does",
                                       "did",
                                       "has",
                                       "have",
                                       "had",
                                       "can",
                                       "may",
                                       "must",
                                       "will",
                                       "shall",
                                       "should",
                                       "not",
                                       "no",
                                       "all",
                                       "each",
                                       "every",
                                       "any",
                                       "both",
                                       "such",
                                       "there",
                                       "here",
                                       "also",
                                       "so",
                                       "then",
                                       "however",
                                       "additionally",
                                       "furthermore",
                                       "moreover",
                                       "according",
                                       "based",
                                       "compare",
                                       "summarize",
                                       "summarise",
                                       "firstly",
                                       "secondly",
                                       "finally",
                                       "overall",
                                       "despite",
                                       "between",
                                       "about",
                                       "mr",
                                       "mrs",
                                       "ms",
                                       "dr",
                                       "prof",
                                       "sir",
                                       "later",
                                       "meanwhile",
                                       "afterwards",
                                       "nevertheless",
                                       "similarly",
                                       "consequently",
                                       "subsequently",
                                       "therefore",
                                       "thus",
                                       "hence",
                                       "today",
                                       "instead",
                                       "indeed",
                                       "earlier",
                                       "because",
                                       "although",
                                       "though",
                                       "given",
                                       "see",
                                       "please",
                                       "dear",
                                       "another",
                                       "one",
                                       "two",
                                       "three",
                                       "first",
                                       "second",
                                       "third",
                                       "next",
                                       "last",
                                       "following",
                                       "due",
                                       "throughout",
                                       "through",
                                       "within",
                                       "without",
                                       "over",
                                       "upon",
                                       "notably",
                                       "specifically",
                                       "list",
                                       "describe",
                                       "explain",
                                       "outline"};

    return is_one_of(word, list, ARRAY_LEN(list));
}

/* Alone they name nothing. */
static bool is_common(struct str word)
{
    static const char *const list[] = {
        "january",   "february",  "march",   "april",    "may",        "june",      "july",
        "august",    "september", "october", "november", "december",   "jan",       "feb",
        "mar",       "apr",       "jun",     "jul",      "aug",        "sep",       "sept",
        "oct",       "nov",       "dec",     "monday",   "tuesday",    "wednesday", "thursday",
        "friday",    "saturday",  "mondays", "tuesdays", "wednesdays", "thursdays", "fridays",
        "saturdays", "sundays",   "sunday",  "chapter",  "section",    "article",   "table",
        "figure",    "appendix",  "annex",   "page",     "note",       "part",      "paragraph",
        "yes",       "no",        "st",      "nd",       "rd",         "th",        "usd",
        "eur",       "gbp",       "am",      "pm",       "inc",        "ltd",       "co",
        "q1",        "q2",        "q3",      "q4"};

    return is_one_of(word, list, ARRAY_LEN(list));
}

static bool is_connector(struct str word)
{
    static const char *const list[] = {"of", "for", "on", "de", "van", "von", "der", "den",
                                       "du", "la",  "le", "da", "di",  "del", "&"};

    return is_one_of(word, list, ARRAY_LEN(list));
}

/* --- tokens ----------------------------------------------------------------------------------- */

/* Between two tokens: nothing or a space keeps them together, "H. Walker" and "St. John" too. */
static bool keeps_together(struct str text, const struct name_token *before, uint32_t from)
{
    static const char *const shortened[] = {"mr", "mrs", "ms", "dr", "st", "prof", "mt"};
    struct str gap = words_between(text, before->to, from);
    struct str word = words_between(text, before->from, before->to);

    if (str_eq(gap, STR(" ")) || str_eq(gap, STR(" & ")))
        return true;
    return (str_eq(gap, STR(". ")) || str_eq(gap, STR("."))) && before->kind == TOKEN_NAME &&
           (word.len == 1 || is_one_of(word, shortened, ARRAY_LEN(shortened)));
}

static bool begins_anew(struct str text, const struct name_token *before, uint32_t from)
{
    struct str gap = before ? words_between(text, before->to, from) : STR_NONE;

    if (!before)
        return true;
    for (size_t i = 0; i < gap.len; i++)
        if (strchr(":;!?\"(|", gap.ptr[i]))
            return true;
    return false;
}

/* A word: letters and digits, with "-", "'" and "." between them. */
static size_t word_end(struct str text, size_t at, struct name_token *t)
{
    uint32_t rune, letters = 0, capitals = 0;

    for (size_t next = at; utf8_next(text, &next, &rune); at = next) {
        size_t behind = next;
        uint32_t after;

        if (is_word_rune(rune) && !rune_is_ideographic(rune)) {
            letters++;
            capitals += u_isupper((UChar32)rune) || (rune >= '0' && rune <= '9');
            continue;
        }
        if ((rune != '-' && rune != '.' && rune != '\'' && rune != 0x2019) ||
            !utf8_next(text, &behind, &after) || !is_word_rune(after) ||
            rune_is_ideographic(after) || (rune == '.' && at - t->from > 1))
            break;
    }
    t->caps = letters > 1 && capitals == letters;
    return at;
}

static size_t wide_end(struct str text, size_t at)
{
    uint32_t rune;

    for (size_t next = at; utf8_next(text, &next, &rune) && rune_is_ideographic(rune);)
        at = next;
    return at;
}

static size_t cut_tokens(struct str text, struct name_token *tokens)
{
    size_t count = 0;
    uint32_t rune;

    for (size_t at = 0, next = 0; count < TOKENS_MAX && utf8_next(text, &next, &rune); at = next) {
        struct name_token t = {.from = (uint32_t)at};
        const struct name_token *before = count ? &tokens[count - 1] : NULL;

        if (!is_word_rune(rune))
            continue;
        t.kind = rune_is_ideographic(rune)  ? TOKEN_WIDE
                 : u_isupper((UChar32)rune) ? TOKEN_NAME
                 : u_isdigit((UChar32)rune) ? TOKEN_NUMBER
                                            : TOKEN_LOWER;
        next = t.kind == TOKEN_WIDE ? wide_end(text, at) : word_end(text, at, &t);
        t.to = (uint32_t)next;
        t.first = begins_anew(text, before, t.from);
        t.joined = before && keeps_together(text, before, t.from);
        tokens[count++] = t;
    }
    return count;
}

/* --- runs ------------------------------------------------------------------------------------- */

static struct str word_of(struct str text, const struct name_token *t)
{
    return words_between(text, t->from, t->to);
}

/* "ISO 27001" and "Article 5" go on, "June 2021" does not: a year is no part of a name. */
static bool is_number_of_name(struct str text, const struct name_token *t)
{
    struct str word = word_of(text, t);

    return t->kind == TOKEN_NUMBER && t->joined && word.len <= 5 &&
           !(word.len == 4 && (str_starts(word, STR("19")) || str_starts(word, STR("20"))));
}

/* How many tokens from `i` on are one run; it ends with a name or a number. */
static size_t run_length(struct str text, const struct name_token *tokens, size_t count, size_t i)
{
    size_t end = i + 1, last = i + 1;

    for (; end < count && end - i < RUN_WORDS_MAX; end++) {
        const struct name_token *t = &tokens[end];

        if (!t->joined)
            break;
        if (t->kind == TOKEN_NAME || is_number_of_name(text, t))
            last = end + 1;
        else if (t->kind != TOKEN_LOWER ||
                 !(is_connector(word_of(text, t)) ||
                   (str_eq(word_of(text, t), STR("the")) && is_connector(word_of(text, t - 1)))))
            break;
    }
    while (last > i + 1 &&
           (tokens[last - 1].kind == TOKEN_LOWER || is_common(word_of(text, &tokens[last - 1]))))
        last--; /* "Acme on Monday" */
    return last - i;
}

static bool says_something(struct str text, const struct name_token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tokens[i].kind == TOKEN_NAME && !is_common(word_of(text, &tokens[i])) &&
            !is_opening(word_of(text, &tokens[i])))
            return true;
    return false;
}

/* The abbreviation behind a name: "(BCBS)". Its letters are the first ones of the name's last words. */
static bool is_abbreviation_of(struct str text, const struct name_token *tokens, size_t count,
                               struct str letters)
{
    size_t left = letters.len;

    for (size_t i = count; i-- > 0 && left > 0;) {
        char c = text.ptr[tokens[i].from];

        if (tokens[i].kind == TOKEN_LOWER && (c & ~0x20) != letters.ptr[left - 1])
            continue; /* "of" may be left out */
        if ((c & ~0x20) != letters.ptr[left - 1])
            return false;
        left--;
    }
    return left == 0;
}

static void sight_abbreviation(struct recogniser *r, struct str text,
                               const struct name_token *tokens, size_t count,
                               const struct name_token *behind, struct name *means)
{
    struct str word = word_of(text, behind);
    struct str gap = words_between(text, tokens[count - 1].to, behind->from);

    if (!means || !behind->caps || !str_eq(gap, STR(" (")) || word.len < 2 ||
        !is_abbreviation_of(text, tokens, count, word))
        return;
    struct name *name = sight(r, word, true);
    if (name && name != means)
        name->is = means;
}

/* One run of capitalised words at tokens[i]; how many tokens were used. */
static size_t take_run(struct recogniser *r, struct str text, const struct name_token *tokens,
                       size_t count, size_t i)
{
    size_t length = run_length(text, tokens, count, i), used = length;

    while (length > 0 && (is_opening(word_of(text, &tokens[i])) || tokens[i].kind != TOKEN_NAME)) {
        i++;
        length--;
    }
    if (length == 0 || !says_something(text, tokens + i, length))
        return used;
    bool sure = length > 1 || !tokens[i].first || tokens[i].caps;
    struct name *name =
        sight(r, words_between(text, tokens[i].from, tokens[i + length - 1].to), sure);
    if (i + length < count)
        sight_abbreviation(r, text, tokens + i, length, &tokens[i + length], name);
    return used;
}

/* --- what is quoted --------------------------------------------------------------------------- */

static void find_quoted(struct recogniser *r, struct str text, struct str open, struct str close)
{
    for (size_t at = 0; at < text.len;) {
        size_t from = at + str_find(str_slice(text, at, text.len), open) + open.len;
        struct str rest = str_slice(text, from, text.len);
        size_t len = str_find(rest, close);

        if (from >= text.len || len >= rest.len)
            return;
        if (len > 0 && len <= QUOTED_MAX && rest.ptr[0] != ' ' && rest.ptr[len - 1] != ' ')
            (void)sight(r, str_slice(rest, 0, len), true);
        at = from + len + close.len;
    }
}

void find_latin_names(struct recogniser *r, struct str text)
{
    size_t count;

    if (!r->tokens)
        r->tokens = arena_array(r->arena, TOKENS_MAX, sizeof *r->tokens);
    if (!r->tokens)
        return; /* the arena says so where it is asked next */
    struct name_token *tokens = r->tokens;
    count = cut_tokens(text, tokens);
    for (size_t i = 0; i < count;)
        i += tokens[i].kind == TOKEN_NAME ? take_run(r, text, tokens, count, i) : 1;
    find_quoted(r, text, STR("\""), STR("\""));
    find_quoted(r, text, STR("“"), STR("”"));
}
