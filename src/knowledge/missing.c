#include "knowledge/missing.h"

#include "base/buf.h"

#define ONE  3 /* bytes of an ideograph */
#define RUNE 6 /* two of them */

static bool is_nowhere(const struct access *access, const struct term *term)
{
    return lexical_passages_of(access->view, access->filter, term, 1) == 0;
}

static void put(struct missing *m, struct str word)
{
    for (size_t i = 0; i < m->count; i++)
        if (str_eq_nocase(m->at[i], word))
            return;
    if (m->count < MISSING_MAX)
        m->at[m->count++] = word;
}

/* --- Latin letters ---------------------------------------------------------------------------- */

static bool is_read_as_another(const struct question *q, struct str stem)
{
    for (size_t i = 0; i < q->readings.count; i++)
        if (str_eq(q->terms.at[q->readings.at[i].term].text, stem))
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The question's needed word that this is, when it stands nowhere. */
static bool is_missing_word(const struct covering *c, const struct access *access, struct str word,
                            bool *missing, struct err *err)
{
    size_t mark = arena_mark(c->arena);
    struct terms terms;

    *missing = false;
    if (!analyser_terms(c->analyser, c->arena, word, &terms, err))
        return false;
    if (terms.count == 1 && !terms.at[0].stop) {
        const struct asked *asked = question_word(c->question, terms.at[0].text);

        *missing = asked && c->needed >> asked->number & 1 && is_nowhere(access, &terms.at[0]) &&
                   !is_read_as_another(c->question, terms.at[0].text);
    }
    arena_rewind(c->arena, mark);
    return true;
}

static bool find_words(const struct covering *c, const struct access *access, struct missing *m,
                       struct err *err)
{
    struct str text = c->question->text;

    for (size_t from = 0, end; from < text.len; from = end + 1) {
        bool missing;

        for (end = from; end < text.len && is_letter(text.ptr[end]);)
            end++;
        if (end - from < 2)
            continue;
        if (!is_missing_word(c, access, str_slice(text, from, end), &missing, err))
            return false;
        if (missing)
            put(m, str_slice(text, from, end));
    }
    return true;
}

/* --- Chinese ---------------------------------------------------------------------------------- */

static bool pair_stands(const struct covering *c, const struct access *access, struct str pair)
{
    const struct asked *asked = question_pair(c->question, pair);

    return !asked || !is_nowhere(access, &asked->term);
}

/* A word of the dictionary that begins at `at` and stands nowhere; its length, or 0. */
static size_t word_missing(const struct covering *c, const struct access *access, struct str piece,
                           size_t at)
{
    size_t longest = 0;

    for (size_t i = 0; i < c->question->asked_count; i++) {
        const struct term *term = &c->question->asked[i].term;

        if (term->field == TERM_WORD && term->text.len >= RUNE && term->text.len > longest &&
            str_starts(str_slice(piece, at, piece.len), term->text) && is_nowhere(access, term))
            longest = term->text.len;
    }
    return longest;
}

static bool character_is_missing(const struct covering *c, const struct access *access,
                                 struct str piece, size_t at)
{
    return (at < ONE || !pair_stands(c, access, str_slice(piece, at - ONE, at + ONE))) &&
           (at + RUNE > piece.len || !pair_stands(c, access, str_slice(piece, at, at + RUNE)));
}

static void find_characters(const struct covering *c, const struct access *access, struct str piece,
                            struct missing *m)
{
    size_t from = 0, word_end = 0;

    if (piece.len < RUNE)
        return;
    for (size_t at = 0; at + ONE <= piece.len; at += ONE) {
        size_t word = word_missing(c, access, piece, at);

        word_end = MAX_OF(word_end, at + word);
        if (at < word_end || character_is_missing(c, access, piece, at))
            continue;
        if (at - from >= RUNE)
            put(m, str_slice(piece, from, at));
        from = at + ONE;
    }
    if (piece.len - from >= RUNE)
        put(m, str_slice(piece, from, piece.len));
}

bool missing_find(const struct covering *c, const struct access *access, struct missing *out,
                  struct err *err)
{
    *out = (struct missing){0};
    for (size_t i = 0; i < c->piece_count; i++)
        find_characters(c, access, c->pieces[i], out);
    return find_words(c, access, out, err);
}

void missing_write(struct buf *b, const struct missing *m, bool zh)
{
    if (!m->count)
        return;
    buf_str(b, zh ? STR("文档中没有提到") : STR("They do not mention "));
    for (size_t i = 0; i < m->count; i++) {
        if (i)
            buf_str(b, zh ? STR("、") : i + 1 == m->count ? STR(" or ") : STR(", "));
        buf_fmt(b, zh ? "“" STR_FMT "”" : "\"" STR_FMT "\"", STR_ARG(m->at[i]));
    }
    buf_str(b, zh ? STR("。") : STR(". "));
}
