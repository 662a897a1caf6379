/* A claim in its clauses, and what of its words stands in each sentence of the passages. */
#include <math.h>

#include "knowledge/choose.h"
#include "knowledge/support_internal.h"

#define CLAUSE_WORDS 2    /* a clause with fewer is read with the others */
#define KIN_SHARE    0.8f /* "located" for "location" */
#define CONTEXT_PART 0.4f /* of a word that only the sentence before or the heading has */

/* --- the claim -------------------------------------------------------------------------------- */

/* Words about the answer and not about its matter. */
static bool is_meta(struct str stem)
{
    static const char *const meta[] = {
        "accord",  "document", "passag", "answer", "question", "yes",  "state", "mention", "provid",
        "summari", "follow",   "specif", "根据",   "文档",     "文件", "资料",  "以下",    "规定"};

    return is_one(stem, meta, ARRAY_LEN(meta));
}

static bool is_digit_text(struct str s)
{
    return s.len && s.ptr[0] >= '0' && s.ptr[0] <= '9';
}

static bool says_something(const struct term *t)
{
    double value;

    return t->field == TERM_WORD && !t->stop && !is_digit_text(t->text) && !is_meta(t->text) &&
           !numeral_word(t->text, &value) && !is_not_word(t->text);
}

/* Bytes of what parts clauses at `at`, or 0: "..., and ...", "...；...". */
static size_t parting(struct str s, size_t at)
{
    static const char *const marks[] = {", ", "; ", " and ", " but ", " or ",
                                        ": ", "，", "；",    "：",    "、"};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_starts(str_slice(s, at, s.len), str_from(marks[i])))
            return str_from(marks[i]).len;
    return 0;
}

/* One clause's words behind those of the clauses before it. */
static bool read_clause(struct analyser *analyser, struct arena *scratch, struct str text,
                        struct claim *c, struct err *err)
{
    struct terms terms;
    uint64_t bits = 0;

    if (!analyser_terms(analyser, scratch, text, &terms, err))
        return false;
    for (size_t i = 0; i < terms.count && c->count < WORDS_MAX; i++) {
        terms.at[i].position += c->position;
        if (!says_something(&terms.at[i]))
            continue;
        bits |= 1ull << c->count;
        c->words[c->count++] = &terms.at[i];
    }
    c->position += terms.words;
    c->clauses[c->clause_count] = bits;
    c->clause_ends[c->clause_count++] = (uint32_t)(text.ptr + text.len - c->text.ptr);
    return true;
}

static bool read_clauses(struct analyser *analyser, struct arena *scratch, struct claim *c,
                         struct err *err)
{
    size_t from = 0;

    for (size_t at = 0; at < c->text.len && c->clause_count + 1 < CLAUSES_MAX; at++) {
        size_t mark = parting(c->text, at);

        if (!mark)
            continue;
        if (!read_clause(analyser, scratch, str_slice(c->text, from, at), c, err))
            return false;
        from = at + mark;
        at = from - 1;
    }
    return read_clause(analyser, scratch, str_slice(c->text, from, c->text.len), c, err);
}

bool claim_read(struct analyser *analyser, struct arena *scratch, struct str text,
                struct claim *out, struct err *err)
{
    out->text = text;
    if (!numbers_copy(scratch, text, &out->numbers, &out->number_count, err) ||
        !analyser_terms(analyser, scratch, text, &out->terms, err) ||
        !read_clauses(analyser, scratch, out, err))
        return false;
    out->denied = denied_find(text, &out->terms);
    out->denies = denies_otherwise(text, &out->terms);
    out->wide = str_eq(text_language(text), STR("zh"));
    return true;
}

uint64_t apart_from(uint64_t own)
{
    return __builtin_popcountll(own) >= CLAUSE_WORDS ? ~own : 0;
}

uint64_t clause_of(const struct claim *c, uint64_t words)
{
    for (size_t i = 0; i < c->clause_count; i++)
        if (c->clauses[i] & words)
            return c->clauses[i];
    return 0;
}

uint64_t clause_at(const struct claim *c, uint32_t byte)
{
    size_t i = 0;

    while (i + 1 < c->clause_count && c->clause_ends[i] < byte)
        i++;
    return c->clauses[i];
}

/* --- what of a claim stands where ------------------------------------------------------------- */

static float word_in(const struct term *word, const struct fact *fact)
{
    struct asked asked = {.term = *word, .family = 0};
    float best = 0;

    if (is_wide(word->text) && str_find(fact->text, word->text) < fact->text.len)
        return 1;
    asked.family = family_of(word->text);
    for (size_t i = 0; i < fact->terms.count; i++) {
        const struct term *t = &fact->terms.at[i];

        if (t->field != TERM_WORD || t->stop)
            continue;
        if (str_eq(t->text, word->text))
            return 1;
        if (best <= 0 && asked_has_kin(&asked, t->text))
            best = KIN_SHARE;
    }
    return best;
}

static void hit(const struct claim *c, const struct fact *fact, struct hits *out)
{
    for (size_t i = 0; i < c->count; i++)
        out->at[i] = fmaxf(out->at[i], word_in(c->words[i], fact));
}

float sum_of(const struct claim *c, const struct hits *h, uint64_t but)
{
    float sum = 0;
    size_t counted = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (but >> i & 1)
            continue;
        sum += h->at[i];
        counted++;
    }
    return counted ? sum / (float)counted : 1;
}

static void join(struct hits *to, const struct hits *from, float part)
{
    for (size_t i = 0; i < WORDS_MAX; i++)
        to->at[i] = fmaxf(to->at[i], part * from->at[i]);
}

static void read_window(struct reading *r, size_t i, const struct hits *above)
{
    const struct fact *f = r->e->facts;
    struct hits window = r->own[i];

    r->near[i] = r->own[i];
    join(&r->near[i], above, CONTEXT_PART);
    join(&window, above, 1);
    if (i > 0 && f[i - 1].passage == f[i].passage) {
        join(&r->near[i], &r->own[i - 1], CONTEXT_PART);
        join(&window, &r->own[i - 1], 1);
    }
    if (i + 1 < r->e->count && f[i + 1].passage == f[i].passage)
        join(&window, &r->own[i + 1], 1);
    r->window = fmaxf(r->window, sum_of(r->c, &window, 0));
    join(&r->all, &window, 1);
}

bool reading_hits(struct reading *r, struct arena *scratch, struct err *err)
{
    r->own = arena_array(scratch, r->e->count + 1, sizeof *r->own);
    r->near = arena_array(scratch, r->e->count + 1, sizeof *r->near);
    if (!r->own || !r->near)
        return err_arena(err, scratch);
    for (size_t i = 0; i < r->e->count; i++)
        if (is_meant(r, r->e->facts[i].passage))
            hit(r->c, &r->e->facts[i], &r->own[i]);
    for (uint32_t p = 0; p < r->e->passages; p++) {
        struct hits above = {0};

        if (!is_meant(r, p))
            continue;
        hit(r->c, &r->e->above[p], &above);
        join(&r->all, &above, 1);
        for (size_t i = 0; i < r->e->count; i++)
            if (r->e->facts[i].passage == p)
                read_window(r, i, &above);
    }
    return true;
}

float near_of(const struct reading *r, size_t fact, uint64_t but)
{
    return is_meant(r, r->e->facts[fact].passage) ? sum_of(r->c, &r->near[fact], but) : 0;
}

float about_own(const struct reading *r, size_t fact)
{
    return is_meant(r, r->e->facts[fact].passage) ? sum_of(r->c, &r->own[fact], 0) : 0;
}

float best_near(const struct reading *r, uint64_t but)
{
    float best = 0;

    for (size_t i = 0; i < r->e->count; i++)
        best = fmaxf(best, near_of(r, i, but));
    return best;
}
