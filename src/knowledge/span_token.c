/* Sentences as tokens: words, numbers, marks, each with what it looks like and what the question has of it. */
#include <string.h>

#include "base/utf8.h"
#include "knowledge/span_internal.h"

#define KIN_WEIGHT  0.6f /* of the idf of a word that is only of the same family */
#define PART_WEIGHT 0.3f /* Chinese: some of its characters are the question's */

uint32_t text_hash(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        h = (h ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c)) * 0x100000001b3u;
    }
    return (uint32_t)(h ^ h >> 29) | 1;
}

bool is_one_of_words(struct str s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count && s.len > 0; i++)
        if (((s.ptr[0] ^ words[i][0]) & ~0x20) == 0 && str_eq_nocase(s, str_from(words[i])))
            return true;
    return false;
}

static const char *const months[] = {"january",  "february", "march",    "april",     "may",
                                     "june",     "july",     "august",   "september", "october",
                                     "november", "december", "monday",   "tuesday",   "wednesday",
                                     "thursday", "friday",   "saturday", "sunday"};
static const char *const number_words[] = {
    "one",      "two",     "three",    "four",     "five",      "six",     "seven",    "eight",
    "nine",     "ten",     "eleven",   "twelve",   "twenty",    "thirty",  "forty",    "fifty",
    "sixty",    "hundred", "hundreds", "thousand", "thousands", "million", "millions", "billion",
    "trillion", "dozen",   "half",     "third",    "quarter",   "first",   "second",   "twice"};
static const char *const units[] = {
    "year",       "years",      "month",   "months",  "week",    "weeks",   "day",       "days",
    "hour",       "hours",      "minute",  "minutes", "seconds", "century", "centuries", "decade",
    "decades",    "am",         "pm",      "bc",      "ad",      "bce",     "ce",        "km",
    "kilometres", "kilometers", "miles",   "mile",    "feet",    "foot",    "metres",    "meters",
    "acres",      "inches",     "degrees", "tons",    "tonnes",  "pounds",  "dollars",   "euros",
    "°c",         "°f",         "yards",   "points"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool ends(struct str s, const char *with)
{
    return s.len > str_from(with).len + 1 && str_ends(s, str_from(with));
}

static enum shape number_shape(struct str s)
{
    bool year = s.len == 4 && (s.ptr[0] == '1' || (s.ptr[0] == '2' && s.ptr[1] == '0'));

    for (size_t i = 0; i < s.len; i++)
        year = year && is_digit(s.ptr[i]);
    if (s.len == 5 && is_digit(s.ptr[0]) && str_ends(s, STR("0s")))
        year = true;
    return year ? SHAPE_YEAR : SHAPE_NUMBER;
}

static enum shape lower_shape(struct str s)
{
    if (is_one_of_words(s, number_words, ARRAY_LEN(number_words)))
        return SHAPE_NUMBER_WORD;
    if (is_one_of_words(s, units, ARRAY_LEN(units)))
        return SHAPE_UNIT;
    if (ends(s, "ing"))
        return SHAPE_ING;
    if (ends(s, "ed"))
        return SHAPE_ED;
    if (ends(s, "ly"))
        return SHAPE_LY;
    if (ends(s, "ion") || ends(s, "ity") || ends(s, "ment") || ends(s, "ness"))
        return SHAPE_TION;
    return ends(s, "s") ? SHAPE_PLURAL : SHAPE_LOWER;
}

static enum shape word_shape(struct str s, bool stop, bool first)
{
    if (is_digit(s.ptr[0]))
        return number_shape(s);
    if (is_upper(s.ptr[0]) && is_one_of_words(s, months, ARRAY_LEN(months)))
        return SHAPE_MONTH;
    if (stop)
        return SHAPE_FUNCTION;
    if (is_upper(s.ptr[0]) && s.len > 1 && is_upper(s.ptr[s.len - 1]))
        return SHAPE_ACRONYM;
    if (is_upper(s.ptr[0]) || (uint8_t)s.ptr[0] == 0xC3)
        return first ? SHAPE_OPENING : SHAPE_NAME;
    return lower_shape(s);
}

static enum shape mark_shape(struct str s)
{
    static const char *const open[] = {"(", "[", "“", "‘", "「", "『", "（", "《", "【", "〈"};
    static const char *const close[] = {")", "]", "”", "’", "」", "』", "）", "》", "】", "〉"};
    static const char *const money[] = {"$", "€", "£", "¥", "￥"};
    static const char *const percent[] = {"%", "％", "‰"};

    if (is_one_of_words(s, open, ARRAY_LEN(open)))
        return SHAPE_OPEN;
    if (is_one_of_words(s, close, ARRAY_LEN(close)))
        return SHAPE_CLOSE;
    if (is_one_of_words(s, money, ARRAY_LEN(money)))
        return SHAPE_MONEY;
    return is_one_of_words(s, percent, ARRAY_LEN(percent)) ? SHAPE_PERCENT : SHAPE_MARK;
}

/* --- cutting ---------------------------------------------------------------------------------- */

struct cutter {
    const struct span_request *r;
    struct str text;
    size_t end;
    bool of_question;
    struct token_list *out;
    struct err *err;
};

static uint32_t rune_at(struct str s, size_t at)
{
    uint32_t rune = 0;

    return at < s.len && utf8_next(s, &at, &rune) ? rune : 0;
}

static bool is_word_rune(uint32_t rune)
{
    if (rune < 0x80)
        return (rune | 0x20) - 'a' < 26 || rune - '0' < 10;
    if (rune < 0x300)
        return rune >= 0xC0 && rune != 0xD7 && rune != 0xF7;
    return (rune < 0x2000 || rune == 0x30FB) && !rune_is_ideographic(rune) && rune != 0x30FB;
}

/* "U.S.", "well-known", "1,500", "3.5", "O'Brien": one token. */
static bool joins(struct str s, size_t at, bool number)
{
    uint32_t next = rune_at(s, at + 1);
    char c = s.ptr[at];

    if (c == '-')
        return is_word_rune(next);
    if (c == '.' || c == ',' || c == ':')
        return number && next < 0x80 && is_digit((char)next);
    return (c == '\'' || c == '&') && (next | 0x20) - 'a' < 26 &&
           !((next | 0x20) == 's' && !is_word_rune(rune_at(s, at + 2)));
}

static size_t word_end(struct str s, size_t at)
{
    bool number = is_digit(s.ptr[at]);

    while (at < s.len) {
        size_t next = at;
        uint32_t rune;

        if (!utf8_next(s, &next, &rune) || (!is_word_rune(rune) && !joins(s, at, number)))
            break;
        number = is_digit(s.ptr[at]);
        at = next;
    }
    return at;
}

static struct str last_rune(struct str s)
{
    size_t at = s.len ? s.len - 1 : 0;

    while (at > 0 && ((uint8_t)s.ptr[at] & 0xC0) == 0x80)
        at--;
    return str_slice(s, at, s.len);
}

static bool shares_rune(struct str text, struct str word)
{
    for (size_t at = 0; at < word.len;) {
        size_t from = at;
        uint32_t rune;

        (void)utf8_next(word, &at, &rune);
        if (str_find(text, str_slice(word, from, at)) < text.len)
            return true;
    }
    return false;
}

static void compare_with_question(const struct cutter *c, const struct term *term, struct str word,
                                  struct token *token)
{
    const struct question *q = c->r->question;
    const struct asked *asked = term->stop ? NULL : question_word(q, term->text);
    bool wide = token->shape == SHAPE_WIDE;

    token->idf = term->stop ? 0
                            : (asked ? asked->idf
                                     : lexical_idf(c->r->access->view, c->r->access->filter, term));
    if (asked) {
        token->asked = asked->number + 1;
        token->shared = true;
        token->weight = asked->idf;
        return;
    }
    for (size_t i = 0; i < q->asked_count && !term->stop; i++) {
        if (q->asked[i].term.field != TERM_WORD || !asked_has_kin(&q->asked[i], term->text))
            continue;
        token->asked = q->asked[i].number + 1;
        token->weight = KIN_WEIGHT * q->asked[i].idf;
        return;
    }
    if (!wide || term->stop)
        return;
    if (word.len > 3 && str_find(q->text, word) < q->text.len)
        token->weight = KIN_WEIGHT * token->idf;
    else if (shares_rune(q->text, word))
        token->weight = PART_WEIGHT * token->idf;
}

static bool is_wide_number(struct str word)
{
    static const char *const digits[] = {"一", "二", "三", "四", "五", "六", "七", "八", "九", "十",
                                         "百", "千", "万", "萬", "两", "兩", "半", "亿", "億"};

    return word.len >= 3 && is_one_of_words(str_slice(word, 0, 3), digits, ARRAY_LEN(digits));
}

static bool put_token(struct cutter *c, struct str word, const struct term *term, bool spaced)
{
    struct token *t = &c->out->at[c->out->count];
    bool wide = rune_is_ideographic(rune_at(word, 0));
    bool stop = term && term->stop;
    size_t from = (size_t)(word.ptr - c->text.ptr);

    *t = (struct token){.from = (uint32_t)from,
                        .to = (uint32_t)(from + word.len),
                        .word = text_hash(word),
                        .spaced = spaced};
    t->stem = term ? text_hash(term->text) : t->word;
    if (!term)
        t->shape = mark_shape(word);
    else if (wide)
        t->shape = stop ? SHAPE_FUNCTION : SHAPE_WIDE;
    else
        t->shape = word_shape(word, stop, c->out->count == 0);
    if (wide && !stop)
        t->look = text_hash(last_rune(word));
    else if (t->shape == SHAPE_MARK || t->shape == SHAPE_FUNCTION || t->shape == SHAPE_OPEN ||
             t->shape == SHAPE_CLOSE)
        t->look = t->word;
    else
        t->look = t->shape;
    t->counts = t->shape == SHAPE_WIDE && is_wide_number(word);
    if (term)
        compare_with_question(c, term, word, t);
    c->out->count++;
    return c->out->count < SPAN_TOKENS;
}

/* One word, or a run of ideographs as the dictionary cuts it. */
static bool put_words(struct cutter *c, size_t from, size_t to, bool spaced)
{
    struct str run = str_slice(c->text, from, to);
    size_t mark = arena_mark(c->r->arena), at = 0;
    bool wide = rune_is_ideographic(rune_at(run, 0)), more = true;
    struct terms terms;

    if (!analyser_terms(c->r->analyser, c->r->arena, run, &terms, c->err))
        return false;
    for (size_t i = 0; i < terms.count && at < run.len && more; i++) {
        const struct term *term = &terms.at[i];

        if (term->field != TERM_WORD)
            continue;
        size_t end = wide ? at : run.len;
        uint32_t rune;
        for (size_t n = utf8_count(term->text); wide && n > 0 && end < run.len; n--)
            (void)utf8_next(run, &end, &rune);
        more = put_token(c, str_slice(run, at, end), term, spaced && at == 0);
        at = end;
    }
    arena_rewind(c->r->arena, mark);
    return true;
}

static bool cut(struct cutter *c, size_t at)
{
    struct str text = str_slice(c->text, 0, c->end);
    bool spaced = true;

    while (at < text.len && c->out->count < SPAN_TOKENS) {
        size_t next = at;
        uint32_t rune;

        (void)utf8_next(text, &next, &rune);
        if (rune <= ' ' || rune == 0x3000 || rune == 0xA0) {
            spaced = true;
            at = next;
            continue;
        }
        bool wide = rune_is_ideographic(rune), word = is_word_rune(rune);
        if (wide)
            while (next < text.len && rune_is_ideographic(rune_at(text, next)))
                (void)utf8_next(text, &next, &rune);
        else if (word)
            next = word_end(text, at);
        else if (text.ptr[at] == '\'' && at + 1 < text.len && (text.ptr[at + 1] | 0x20) == 's' &&
                 !spaced)
            next = at + 2;
        if ((wide || word) && !put_words(c, at, next, spaced))
            return false;
        if (!wide && !word)
            (void)put_token(c, str_slice(text, at, next), NULL, spaced);
        spaced = false;
        at = next;
    }
    return true;
}

bool tokens_read(const struct span_request *r, struct str text, uint32_t from, uint32_t to,
                 bool of_question, struct token_list *out, struct err *err)
{
    struct cutter c = {
        .r = r, .text = text, .end = to, .of_question = of_question, .out = out, .err = err};

    *out = (struct token_list){arena_array(r->arena, SPAN_TOKENS, sizeof *out->at), 0};
    if (!out->at)
        return err_arena(err, r->arena);
    return cut(&c, from);
}
