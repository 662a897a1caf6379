/* "Not", in all its words: what a claim denies and the passages do not, or the other way round. */
#include <math.h>

#include "knowledge/support_internal.h"

#define WIDE_DENIED 15    /* bytes behind 不 in which stands what it denies */
#define ABOUT_RATIO 0.70f /* sentences that are heard about "not" */

/* --- words that deny -------------------------------------------------------------------------- */

static const char *const not_words[] = {
    "not",  "never", "no",    "cannot", "neither", "nor",     "none", "isn",   "doesn",  "don",
    "aren", "wasn",  "weren", "won",    "didn",    "without", "hasn", "haven", "couldn", "shouldn"};
static const char *const wide_not[] = {"不", "没", "沒", "未", "无", "無", "非"};
/* ... and words in which they mean something else. */
static const char *const wide_idle[] = {
    "不但",     "不仅",     "不僅",     "不过",     "不過",     "不同",     "不久",     "不少",
    "无论",     "無論",     "非常",     "除非",     "未来",     "未來",     "不断",     "不斷",
    "不管",     "不超过",   "不超過",   "不晚于",   "不迟于",   "不低于",   "不高于",   "不少于",
    "不多于",   "不早于",   "不大于",   "不小于",   "不得超过", "不得超過", "不得多于", "不得少于",
    "不得低于", "不得高于", "不得晚于", "不得早于", "不得迟于", "不满",     "不滿",     "未满",
    "未滿",     "非洲",     "不足"};
static const char *const currencies[] = {"eur", "usd", "gbp", "cny"};
static const char *const denials[] = {
    "exclud", "except",  "prohibit", "forbid", "forbidden", "refus",   "deni",   "deny",  "reject",
    "inelig", "invalid", "unabl",    "lack",   "fail",      "without", "unless", "lapse", "void"};
static const char *const wide_denials[] = {"禁止", "除外", "拒绝", "拒絕",
                                           "免除", "除非", "例外", "不予"};

static bool holds_one(struct str s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_find(s, str_from(list[i])) < s.len)
            return true;
    return false;
}

static const struct term *word_behind(const struct terms *terms, size_t at, size_t *place)
{
    static const char *const between[] = {"be", "to", "any", "t"};

    for (size_t k = at + 1; k < terms->count; k++)
        if (terms->at[k].field == TERM_WORD &&
            !is_one(terms->at[k].text, between, ARRAY_LEN(between))) {
            *place = k;
            return &terms->at[k];
        }
    return NULL;
}

/* "No later than", "not be more than", "not only" deny nothing; "not exceed" and "not before" only turn the number
 * behind them: bound.h. */
static bool is_idle_not(const struct terms *terms, size_t at)
{
    static const char *const idle[] = {"later", "more",   "less",  "onli",
                                       "only",  "longer", "fewer", "earlier"};
    static const char *const turning[] = {"exceed", "befor", "after"};
    const struct term *word = word_behind(terms, at, &at), *next;

    if (!word || is_one(word->text, idle, ARRAY_LEN(idle)))
        return word != NULL;
    next = is_one(word->text, turning, ARRAY_LEN(turning)) ? word_behind(terms, at, &at) : NULL;
    if (next && next->text.len == 3 && is_one(next->text, currencies, ARRAY_LEN(currencies)))
        next = word_behind(terms, at, &at);
    return next && next->number;
}

static bool is_idle_wide(struct str text, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(wide_idle); i++)
        if (str_starts(str_slice(text, at, text.len), str_from(wide_idle[i])))
            return true;
    return at >= 3 && str_starts(str_slice(text, at - 3, text.len), STR("除非"));
}

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

struct denied denied_find(struct str text, const struct terms *terms)
{
    struct denied d = {0};

    find_denied_latin(terms, &d);
    find_denied_wide(text, &d);
    return d;
}

bool denies_otherwise(struct str text, const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++)
        if (terms->at[i].field == TERM_WORD &&
            is_one(terms->at[i].text, denials, ARRAY_LEN(denials)))
            return true;
    return holds_one(text, wide_denials, ARRAY_LEN(wide_denials));
}

bool is_not_word(struct str word)
{
    return is_one(word, not_words, ARRAY_LEN(not_words)) ||
           is_one(word, wide_not, ARRAY_LEN(wide_not));
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

        if (about_own(r, i) < bar || !is_meant(r, f->passage))
            continue;
        struct denied d = denied_find(f->text, &f->terms);
        for (size_t k = 0; k < d.count && !f->denies && d.count == 1; k++)
            if (place_of(r->c, d.what[k]) < r->c->count)
                found = place_of(r->c, d.what[k]);
        if (!d.count && !f->denies && found < r->c->count && r->own[i].at[found] > 0)
            return false;
    }
    for (size_t i = 0; i < r->e->count && found < r->c->count; i++) {
        const struct fact *f = &r->e->facts[i];

        if (about_own(r, i) >= bar && is_meant(r, f->passage) && r->own[i].at[found] > 0 &&
            !denied_find(f->text, &f->terms).count)
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

        if (is_meant(r, f->passage) && about_own(r, i) >= bar &&
            (f->denies || denied_find(f->text, &f->terms).count))
            return false;
    }
    return true;
}

bool lacks_negation(const struct reading *r, struct str *what)
{
    float bar = 0;

    for (size_t i = 0; i < r->e->count; i++)
        bar = fmaxf(bar, ABOUT_RATIO * about_own(r, i));
    if (r->foreign || bar <= 0)
        return false;
    if (r->c->denied.count) {
        *what = r->c->denied.what[0];
        return !r->c->denies && denies_alone(r, bar);
    }
    return !r->c->denies && is_denied(r, bar, what);
}
