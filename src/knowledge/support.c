#include "knowledge/support.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/choose.h"
#include "knowledge/numeral.h"

#define WORDS_MAX    64 /* of a claim; one bit each */
#define RUN_MAX      6  /* words of one name */
#define WIDE_DENIED  15 /* bytes behind 不 in which stands what it denies */
#define CLAUSES_MAX  16
#define CLAUSE_WORDS 2 /* a clause with fewer is read with the others */

/* Set on generated statements, docs/quality.md: what of a claim must stand ... */
#define SHARE_ALL    0.60f /* ... anywhere in the passages */
#define SHARE_WINDOW 0.50f /* ... in a sentence with its neighbours and headings */
#define NEAR_NUMBER  0.65f /* a number: in a sentence this much about the same as the best */
#define NEAR_NAME    0.50f /* a name */
#define ABOUT_RATIO  0.70f /* sentences that are heard about "not" */
#define KIN_SHARE    0.8f  /* "located" for "location" */
#define CONTEXT_PART 0.4f  /* of a word that only the sentence before or the heading has */

struct fact { /* a sentence of a passage */
    struct str text;
    struct terms terms;
    const struct numeral *numbers;
    size_t number_count;
    uint32_t passage;
    bool denies; /* "excluded", "refused": a "not" in other words */
};
struct evidence {
    struct fact *facts, *above; /* above: one a passage */
    size_t count, passages;
    bool wide; /* mostly ideographs */
};

/* --- words that deny -------------------------------------------------------------------------- */

static const char *const not_words[] = {
    "not",  "never", "no",    "cannot", "neither", "nor",     "none", "isn",   "doesn",  "don",
    "aren", "wasn",  "weren", "won",    "didn",    "without", "hasn", "haven", "couldn", "shouldn"};
static const char *const wide_not[] = {"不", "没", "沒", "未", "无", "無", "非"};
/* ... and words in which they mean something else. */
static const char *const wide_idle[] = {
    "不但",   "不仅",   "不僅",   "不过",   "不過",   "不同",   "不久",   "不少", "无论",
    "無論",   "非常",   "除非",   "未来",   "未來",   "不断",   "不斷",   "不管", "不超过",
    "不超過", "不晚于", "不迟于", "不低于", "不高于", "不少于", "不多于", "非洲", "不足"};
static const char *const denials[] = {
    "exclud", "except",  "prohibit", "forbid", "forbidden", "refus",   "deni",   "deny",  "reject",
    "inelig", "invalid", "unabl",    "lack",   "fail",      "without", "unless", "lapse", "void"};
static const char *const wide_denials[] = {"禁止", "除外", "拒绝", "拒絕",
                                           "免除", "除非", "例外", "不予"};

static bool is_one(struct str s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(s, str_from(list[i])))
            return true;
    return false;
}

static bool holds_one(struct str s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_find(s, str_from(list[i])) < s.len)
            return true;
    return false;
}

/* "No later than", "not more than", "not only" deny nothing. */
static bool is_idle_not(const struct terms *terms, size_t at)
{
    static const char *const idle[] = {"later", "more",   "less",  "onli",
                                       "only",  "longer", "fewer", "earlier"};

    for (size_t k = at + 1; k < terms->count && k < at + 2; k++)
        if (is_one(terms->at[k].text, idle, ARRAY_LEN(idle)))
            return true;
    return false;
}

static bool is_idle_wide(struct str text, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(wide_idle); i++)
        if (str_starts(str_slice(text, at, text.len), str_from(wide_idle[i])))
            return true;
    return at >= 3 && str_starts(str_slice(text, at - 3, text.len), STR("除非"));
}

/* A "not" and the word it denies: the first behind it that says something. */
struct denied {
    size_t count;
    struct str what[8]; /* stems; Chinese: the characters behind it */
};

static void put_denied(struct denied *d, struct str what)
{
    if (d->count < ARRAY_LEN(d->what))
        d->what[d->count++] = what;
}

static void find_denied_latin(const struct terms *terms, struct denied *out)
{
    for (size_t i = 0; i < terms->count; i++) {
        if (terms->at[i].field != TERM_WORD ||
            !is_one(terms->at[i].text, not_words, ARRAY_LEN(not_words)) || is_idle_not(terms, i))
            continue;
        struct str what = STR_NONE;

        for (size_t k = i + 1; k < terms->count && k <= i + 4 && !what.len; k++)
            if (terms->at[k].field == TERM_WORD && !terms->at[k].stop && terms->at[k].text.len > 1)
                what = terms->at[k].text;
        put_denied(out, what);
    }
}

static void find_denied_wide(struct str text, struct denied *out)
{
    for (size_t at = 0; at + 3 <= text.len; at++) {
        if (!is_one(str_slice(text, at, at + 3), wide_not, ARRAY_LEN(wide_not)))
            continue;
        if (!is_idle_wide(text, at))
            put_denied(out, str_slice(text, at + 3, MIN_OF(at + 3 + WIDE_DENIED, text.len)));
        at += 2;
    }
}

static struct denied find_denied(struct str text, const struct terms *terms)
{
    struct denied d = {0};

    find_denied_latin(terms, &d);
    find_denied_wide(text, &d);
    return d;
}

static bool denies_otherwise(struct str text, const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++)
        if (terms->at[i].field == TERM_WORD &&
            is_one(terms->at[i].text, denials, ARRAY_LEN(denials)))
            return true;
    return holds_one(text, wide_denials, ARRAY_LEN(wide_denials));
}

/* --- evidence --------------------------------------------------------------------------------- */

static bool copy_numbers(struct arena *arena, struct str text, const struct numeral **out,
                         size_t *count, struct err *err)
{
    size_t mark = arena_mark(arena);
    struct numerals *all = arena_alloc_raw(arena, sizeof *all);

    if (!all)
        return err_arena(err, arena);
    numerals_read(text, all);
    *count = all->count;
    *out = all->at;
    if (!all->count) {
        arena_rewind(arena, mark);
        *out = NULL;
    }
    return true;
}

static bool read_fact(struct analyser *analyser, struct arena *arena, struct str text,
                      struct fact *out, struct err *err)
{
    out->text = text;
    if (!copy_numbers(arena, text, &out->numbers, &out->number_count, err) ||
        !analyser_terms(analyser, arena, text, &out->terms, err))
        return false;
    out->denies = denies_otherwise(text, &out->terms);
    return true;
}

bool evidence_read(struct analyser *analyser, struct arena *arena,
                   const struct evidence_source *sources, size_t count, struct evidence **out,
                   struct err *err)
{
    struct evidence *e = arena_alloc(arena, sizeof *e);
    size_t all = 0, wide = 0;

    ASSERT(count <= SUPPORT_PASSAGES_MAX);
    for (size_t i = 0; i < count; i++)
        all += sources[i].count;
    if (!e)
        return err_arena(err, arena);
    e->facts = arena_array(arena, all + 1, sizeof *e->facts);
    e->above = arena_array(arena, count + 1, sizeof *e->above);
    if (!e->facts || !e->above)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++) {
        if (!read_fact(analyser, arena, sources[i].above, &e->above[i], err))
            return false;
        for (size_t k = 0; k < sources[i].count; k++) {
            struct fact *f = &e->facts[e->count++];

            if (!read_fact(analyser, arena, sources[i].sentences[k], f, err))
                return false;
            f->passage = (uint32_t)i;
            wide += str_eq(text_language(f->text), STR("zh"));
        }
    }
    e->wide = wide * 2 > e->count;
    e->passages = count;
    *out = e;
    return true;
}

/* --- the claim -------------------------------------------------------------------------------- */

struct claim {
    struct str text;
    struct terms terms;
    const struct numeral *numbers;
    size_t number_count;
    const struct term *words[WORDS_MAX]; /* that say something; no numbers */
    size_t count;
    uint64_t clauses[CLAUSES_MAX]; /* their words, as bits */
    uint32_t clause_ends[CLAUSES_MAX];
    size_t clause_count;
    uint32_t position;
    struct denied denied;
    bool denies, wide;
};

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
           !numeral_word(t->text, &value) && !is_one(t->text, not_words, ARRAY_LEN(not_words)) &&
           !is_one(t->text, wide_not, ARRAY_LEN(wide_not));
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

static bool read_claim(struct analyser *analyser, struct arena *scratch, struct str text,
                       struct claim *out, struct err *err)
{
    out->text = text;
    if (!copy_numbers(scratch, text, &out->numbers, &out->number_count, err) ||
        !analyser_terms(analyser, scratch, text, &out->terms, err) ||
        !read_clauses(analyser, scratch, out, err))
        return false;
    out->denied = find_denied(text, &out->terms);
    out->denies = denies_otherwise(text, &out->terms);
    out->wide = str_eq(text_language(text), STR("zh"));
    return true;
}

/* The words that do not count beside a number or name: those of other clauses, where its own has enough. */
static uint64_t apart_from(uint64_t own)
{
    return __builtin_popcountll(own) >= CLAUSE_WORDS ? ~own : 0;
}

static uint64_t clause_of(const struct claim *c, uint64_t words)
{
    for (size_t i = 0; i < c->clause_count; i++)
        if (c->clauses[i] & words)
            return c->clauses[i];
    return 0;
}

static uint64_t clause_at(const struct claim *c, uint32_t byte)
{
    size_t i = 0;

    while (i + 1 < c->clause_count && c->clause_ends[i] < byte)
        i++;
    return c->clauses[i];
}

/* --- what of a claim stands where ------------------------------------------------------------- */

/* How much of a claim each fact has, by word: 1 the word, KIN_SHARE its kin. */
struct hits {
    float at[WORDS_MAX];
};

static bool is_wide(struct str s)
{
    return s.len && (uint8_t)s.ptr[0] >= 0xE0;
}

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

/* `but`: words that do not count, as bits. */
static float sum_of(const struct claim *c, const struct hits *h, uint64_t but)
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

/* One passage set against a claim. */
struct reading {
    const struct evidence *e;
    const struct claim *c;
    uint64_t passages;
    struct hits *own;  /* of each fact */
    struct hits *near; /* ... with the sentence before and the heading, in part */
    struct hits all;
    float window;
    bool foreign;
};

static bool is_meant(const struct reading *r, uint32_t passage)
{
    return r->passages >> passage & 1;
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

static bool read_hits(struct reading *r, struct arena *scratch, struct err *err)
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

static float near_of(const struct reading *r, size_t fact, uint64_t but)
{
    return is_meant(r, r->e->facts[fact].passage) ? sum_of(r->c, &r->near[fact], but) : 0;
}

/* Without what stands beside it: "not" is heard of its own sentence. */
static float about(const struct reading *r, size_t fact)
{
    return is_meant(r, r->e->facts[fact].passage) ? sum_of(r->c, &r->own[fact], 0) : 0;
}

static float best_near(const struct reading *r, uint64_t but)
{
    float best = 0;

    for (size_t i = 0; i < r->e->count; i++)
        best = fmaxf(best, near_of(r, i, but));
    return best;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static bool has_number(const struct fact *f, const struct numeral *n)
{
    for (size_t i = 0; i < f->number_count; i++)
        if (numeral_agrees(n, &f->numbers[i]))
            return true;
    return false;
}

static bool number_stands(const struct reading *r, const struct numeral *n)
{
    uint64_t but = apart_from(clause_at(r->c, n->from));
    float bar = r->foreign ? 0 : NEAR_NUMBER * best_near(r, but);

    for (size_t i = 0; i < r->e->count; i++)
        if (is_meant(r, r->e->facts[i].passage) && has_number(&r->e->facts[i], n) &&
            near_of(r, i, but) >= bar)
            return true;
    for (uint32_t p = 0; p < r->e->passages; p++)
        if (is_meant(r, p) && has_number(&r->e->above[p], n))
            return true;
    return false;
}

/* "Two plans", and the passage has three. */
static bool is_counted_otherwise(const struct reading *r, const struct numeral *n)
{
    uint64_t but = apart_from(clause_at(r->c, n->from));
    float bar = NEAR_NUMBER * best_near(r, but);
    bool other = false;

    for (size_t i = 0; i < r->e->count && !r->foreign; i++) {
        const struct fact *f = &r->e->facts[i];

        if (!is_meant(r, f->passage) || near_of(r, i, but) < bar)
            continue;
        if (has_number(f, n))
            return false;
        for (size_t k = 0; k < f->number_count; k++)
            other = other || numeral_contradicts(n, &f->numbers[k]);
    }
    return other;
}

static const struct numeral *lacking_number(const struct reading *r)
{
    for (size_t i = 0; i < r->c->number_count; i++) {
        const struct numeral *n = &r->c->numbers[i];

        if (n->loose ? is_counted_otherwise(r, n) : !number_stands(r, n))
            return n;
    }
    return NULL;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_calendar(struct str stem)
{
    static const char *const words[] = {"januari",  "februari", "march",    "april",   "may",
                                        "june",     "juli",     "august",   "septemb", "octob",
                                        "novemb",   "decemb",   "monday",   "tuesday", "wednesday",
                                        "thursday", "friday",   "saturday", "sunday"};

    return is_one(stem, words, ARRAY_LEN(words));
}

static bool is_name(const struct claim *c, size_t word)
{
    const struct term *t = c->words[word];

    return t->name && !is_wide(t->text) && t->text.len > 1 && !is_calendar(t->text) &&
           (t->position > 0 || c->wide);
}

/* In the sentence, the one before or the heading. */
static bool fact_has(const struct reading *r, size_t fact, uint64_t words)
{
    for (size_t i = 0; i < r->c->count; i++)
        if (words >> i & 1 && r->near[fact].at[i] <= 0)
            return false;
    return true;
}

/* The words of a name stand together in a sentence that is about the same; or, where they stand in none
 * together, each somewhere. */
static bool run_stands(const struct reading *r, uint64_t run)
{
    uint64_t but = run | apart_from(clause_of(r->c, run) & ~run);
    float bar = NEAR_NAME * best_near(r, but);
    bool together = false;

    for (size_t i = 0; i < r->c->count; i++)
        if (run >> i & 1 && r->all.at[i] <= 0)
            return false;
    if (r->foreign)
        return true;
    for (size_t i = 0; i < r->e->count; i++) {
        if (!is_meant(r, r->e->facts[i].passage) || !fact_has(r, i, run))
            continue;
        together = true;
        if (near_of(r, i, but) >= bar)
            return true;
    }
    return !together;
}

/* The first word of a name that has no support, or NULL. */
static const struct term *lacking_name(const struct reading *r)
{
    const struct claim *c = r->c;

    for (size_t i = 0; i < c->count; i++) {
        uint64_t run = 0;
        size_t end = i;

        if (!is_name(c, i))
            continue;
        if (i > 0 && c->words[i - 1]->position == 0 && c->words[i]->position == 1 &&
            c->words[i - 1]->name)
            run |= 1ull << (i - 1);
        while (end < c->count && end < i + RUN_MAX && is_name(c, end) &&
               (end == i || c->words[end]->position == c->words[end - 1]->position + 1))
            run |= 1ull << end++;
        if (!run_stands(r, run))
            return c->words[i];
        i = end - 1;
    }
    return NULL;
}

static bool text_stands(const struct reading *r, struct str text)
{
    for (size_t i = 0; i < r->e->count; i++)
        if (is_meant(r, r->e->facts[i].passage) &&
            str_find(r->e->facts[i].text, text) < r->e->facts[i].text.len)
            return true;
    for (uint32_t p = 0; p < r->e->passages; p++)
        if (is_meant(r, p) && str_find(r->e->above[p].text, text) < r->e->above[p].text.len)
            return true;
    return false;
}

static bool is_character(const struct term *t)
{
    return t->field == TERM_WORD && !t->stop && is_wide(t->text) && t->text.len == 3;
}

static size_t next_word(const struct terms *terms, size_t i)
{
    do
        i++;
    while (i < terms->count && terms->at[i].field != TERM_WORD);
    return i;
}

/* A surname standing by itself with single characters behind it: the dictionary knows no names. */
static struct str wide_name_at(const struct reading *r, size_t i)
{
    const struct terms *terms = &r->c->terms;
    const struct term *t = &terms->at[i];
    size_t next = next_word(terms, i), len = 0;

    if (t->field != TERM_WORD || t->stop || t->text.len != 3 || !is_surname(t->text))
        return STR_NONE;
    for (int k = 0; k < 2 && next < terms->count && is_character(&terms->at[next]); k++) {
        len += terms->at[next].text.len;
        next = next_word(terms, next);
    }
    size_t at = str_find(r->c->text, t->text);
    return len ? str_slice(r->c->text, at, at + t->text.len + len) : STR_NONE;
}

static struct str lacking_wide_name(const struct reading *r)
{
    for (size_t i = 0; i < r->c->terms.count && r->c->wide; i++) {
        struct str name = wide_name_at(r, i);

        if (name.len && !text_stands(r, name))
            return name;
    }
    return STR_NONE;
}

/* --- "not" ------------------------------------------------------------------------------------ */

/* Where in the claim stands what the fact denies? claim->count: nowhere. */
static size_t place_of(const struct claim *c, struct str denied)
{
    for (size_t i = 0; i < c->count && denied.len; i++) {
        struct str word = c->words[i]->text;

        if (is_wide(word) ? str_find(denied, word) + word.len <= denied.len : str_eq(denied, word))
            return i;
    }
    return c->count;
}

/* Among the sentences about the same: one denies what the claim says, and none says it. */
static bool is_denied(const struct reading *r, float bar, struct str *what)
{
    size_t found = r->c->count;

    for (size_t i = 0; i < r->e->count; i++) {
        const struct fact *f = &r->e->facts[i];

        if (about(r, i) < bar || !is_meant(r, f->passage))
            continue;
        struct denied d = find_denied(f->text, &f->terms);
        for (size_t k = 0; k < d.count && !f->denies && d.count == 1; k++)
            if (place_of(r->c, d.what[k]) < r->c->count)
                found = place_of(r->c, d.what[k]);
        if (!d.count && !f->denies && found < r->c->count && r->own[i].at[found] > 0)
            return false;
    }
    for (size_t i = 0; i < r->e->count && found < r->c->count; i++) {
        const struct fact *f = &r->e->facts[i];

        if (about(r, i) >= bar && is_meant(r, f->passage) && r->own[i].at[found] > 0 &&
            !find_denied(f->text, &f->terms).count)
            return false;
    }
    if (found < r->c->count)
        *what = r->c->words[found]->text;
    return found < r->c->count;
}

/* The claim denies, and nothing about the same does. */
static bool denies_alone(const struct reading *r, float bar)
{
    for (size_t i = 0; i < r->e->count; i++) {
        const struct fact *f = &r->e->facts[i];

        if (is_meant(r, f->passage) && about(r, i) >= bar &&
            (f->denies || find_denied(f->text, &f->terms).count))
            return false;
    }
    return true;
}

static bool lacks_negation(const struct reading *r, struct str *what)
{
    float bar = 0;

    for (size_t i = 0; i < r->e->count; i++)
        bar = fmaxf(bar, ABOUT_RATIO * about(r, i));
    if (r->foreign || bar <= 0)
        return false;
    if (r->c->denied.count) {
        *what = r->c->denied.what[0];
        return !r->c->denies && denies_alone(r, bar);
    }
    return !r->c->denies && is_denied(r, bar, what);
}

/* --- together --------------------------------------------------------------------------------- */

static struct str spot(struct str text, uint32_t from, uint32_t to)
{
    return str_slice(text, from, to);
}

/* The word as the claim has it: stems are not words. */
static struct str as_written(const struct claim *c, struct str stem)
{
    size_t same = MIN_OF(stem.len, (size_t)3);

    for (size_t at = 0; at + same <= c->text.len; at++) {
        bool begins = at == 0 || is_wide(stem) || c->text.ptr[at - 1] == ' ' ||
                      c->text.ptr[at - 1] == '-' || c->text.ptr[at - 1] == '(';

        if (!begins || !str_eq_nocase(str_slice(c->text, at, at + same), str_slice(stem, 0, same)))
            continue;
        size_t end = at + stem.len;
        while (!is_wide(stem) && end < c->text.len && (c->text.ptr[end] | 0x20) >= 'a' &&
               (c->text.ptr[end] | 0x20) <= 'z')
            end++;
        return str_slice(c->text, at, end);
    }
    return stem;
}

static uint32_t best_passage(const struct reading *r)
{
    float best = -1;
    uint32_t passage = 0;

    for (size_t i = 0; i < r->e->count; i++) {
        float near = near_of(r, i, 0);

        if (is_meant(r, r->e->facts[i].passage) && near > best) {
            best = near;
            passage = r->e->facts[i].passage + 1;
        }
    }
    return passage;
}

static void judge_words(const struct reading *r, struct support *out)
{
    if (out->share >= SHARE_ALL && r->window >= SHARE_WINDOW)
        return;
    out->lack = LACK_WORDS;
    for (size_t i = 0; i < r->c->count && !out->what.len; i++)
        if (r->all.at[i] <= 0)
            out->what = as_written(r->c, r->c->words[i]->text);
}

static void judge(const struct reading *r, struct support *out)
{
    const struct numeral *number = lacking_number(r);
    const struct term *name = number ? NULL : lacking_name(r);
    struct str wide_name = number || name ? STR_NONE : lacking_wide_name(r), denied = STR_NONE;

    *out = (struct support){
        .passage = best_passage(r), .share = sum_of(r->c, &r->all, 0), .foreign = r->foreign};
    if (number) {
        out->lack = LACK_NUMBER;
        out->what = spot(r->c->text, number->from, number->to);
    } else if (name) {
        out->lack = LACK_NAME;
        out->what = as_written(r->c, name->text);
    } else if (wide_name.len) {
        out->lack = LACK_NAME;
        out->what = wide_name;
    } else if (!r->foreign && lacks_negation(r, &denied)) {
        out->lack = LACK_NEGATION;
        out->what = as_written(r->c, denied);
    } else if (!r->foreign) {
        judge_words(r, out);
    }
}

static bool judge_passages(const struct evidence *e, const struct claim *c, struct arena *scratch,
                           uint64_t passages, struct support *out, struct err *err)
{
    size_t mark = arena_mark(scratch);
    struct reading r = {.e = e, .c = c, .passages = passages, .foreign = c->wide != e->wide};

    if (!read_hits(&r, scratch, err))
        return false;
    judge(&r, out);
    arena_rewind(scratch, mark);
    return true;
}

static bool is_better(const struct support *a, const struct support *b)
{
    if ((a->lack == LACK_NOTHING) != (b->lack == LACK_NOTHING))
        return a->lack == LACK_NOTHING;
    return a->share > b->share;
}

static bool says_nothing(const struct claim *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (is_name(c, i))
            return false;
    return c->count <= 1 && c->number_count == 0 && !c->denied.count;
}

bool support_find(struct analyser *analyser, struct arena *scratch, const struct evidence *e,
                  uint64_t passages, struct str sentence, struct support *out, struct err *err)
{
    struct claim *c = arena_alloc(scratch, sizeof *c);
    struct str looked = str_slice(sentence, 0, utf8_boundary(sentence, SUPPORT_SENTENCE_MAX));
    struct support best = {.lack = LACK_PASSAGE}, one;

    if (!c)
        return err_arena(err, scratch);
    if (!read_claim(analyser, scratch, looked, c, err))
        return false;
    if (says_nothing(c)) {
        *out = (struct support){.empty = true};
        return true;
    }
    if (passages && !judge_passages(e, c, scratch, passages, &best, err))
        return false;
    for (uint32_t p = 0; p < e->passages && !passages; p++) {
        if (!judge_passages(e, c, scratch, 1ull << p, &one, err))
            return false;
        if (p == 0 || is_better(&one, &best))
            best = one;
    }
    if (looked.len < sentence.len && best.lack == LACK_NOTHING)
        best.lack = LACK_WORDS;
    *out = best;
    return true;
}

const char *lack_name(enum lack lack)
{
    static const char *const names[LACKS] = {"nothing",  "number", "name",
                                             "negation", "words",  "passage"};

    return names[lack];
}
