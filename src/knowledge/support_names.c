/* Numbers and names: each must stand in the passages, in a sentence about the same. */
#include "knowledge/choose.h"
#include "knowledge/support_internal.h"

#define RUN_MAX 6 /* words of one name */

/* Set on generated statements, docs/quality.md. */
#define NEAR_NUMBER 0.65f /* a number: in a sentence this much about the same as the best */
#define NEAR_NAME   0.50f /* a name */

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

const struct numeral *lacking_number(const struct reading *r)
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

bool claim_names(const struct claim *c, size_t word)
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
const struct term *lacking_name(const struct reading *r)
{
    const struct claim *c = r->c;

    for (size_t i = 0; i < c->count; i++) {
        uint64_t run = 0;
        size_t end = i;

        if (!claim_names(c, i))
            continue;
        if (i > 0 && c->words[i - 1]->position == 0 && c->words[i]->position == 1 &&
            c->words[i - 1]->name)
            run |= 1ull << (i - 1);
        while (end < c->count && end < i + RUN_MAX && claim_names(c, end) &&
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

struct str lacking_wide_name(const struct reading *r)
{
    for (size_t i = 0; i < r->c->terms.count && r->c->wide; i++) {
        struct str name = wide_name_at(r, i);

        if (name.len && !text_stands(r, name))
            return name;
    }
    return STR_NONE;
}
