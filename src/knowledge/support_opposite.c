/* Opposites: a claim that lies on the other side of a number than the passages ("at most" for "at least"), or says
 * the other word of a pair ("before" for "after", "allowed" for "forbidden"). Found only where both say the same
 * otherwise and neither denies anything besides: what is denied turns its words in ways that no rule over words
 * follows. */
#include <math.h>

#include "knowledge/bound.h"
#include "knowledge/support_internal.h"

#define NEAR_BOUND  0.65f /* a number: in a sentence this much about the same as the best */
#define ABOUT_RATIO 0.80f /* of pairs: sentences that are heard */
#define STEMS       4     /* of one side of a pair */
#define NOT_NEAR    3     /* words between "not" and what it turns */
#define BESIDE      2     /* words between one of a pair and what it is said of */
#define BESIDE_WIDE 6     /* bytes of it in Chinese */

/* --- bounds ----------------------------------------------------------------------------------- */

/* Agreeing numbers of one sentence: on the other side, and none on this or on neither. */
static bool fact_turns(const struct fact *f, const struct numeral *n, enum bound_side side,
                       bool *stands)
{
    struct denied denied = denied_find(f->text, &f->terms);
    bool turned = false;

    for (size_t i = 0; i < f->number_count; i++) {
        if (!numeral_agrees(n, &f->numbers[i]))
            continue;
        enum bound_side said = bound_side_of(f->text, &f->numbers[i]);
        if (said == BOUND_NONE || said == side || denied.count || f->denies)
            *stands = true;
        else
            turned = true;
    }
    return turned;
}

static bool is_turned(const struct reading *r, const struct numeral *n)
{
    enum bound_side own = bound_side_of(r->c->text, n);
    uint64_t but = apart_from(clause_at(r->c, n->from));
    float bar = r->foreign ? 0 : NEAR_BOUND * best_near(r, but);
    bool turned = false, stands = false;

    if (own == BOUND_NONE || r->c->denied.count || r->c->denies)
        return false;
    for (size_t i = 0; i < r->e->count; i++)
        if (is_meant(r, r->e->facts[i].passage) && near_of(r, i, but) >= bar)
            turned |= fact_turns(&r->e->facts[i], n, own, &stands);
    return turned && !stands;
}

const struct numeral *turned_number(const struct reading *r)
{
    for (size_t i = 0; i < r->c->number_count; i++)
        if (is_turned(r, &r->c->numbers[i]))
            return &r->c->numbers[i];
    return NULL;
}

/* --- pairs of words --------------------------------------------------------------------------- */

/* Whether what a word is said of must be the same: nothing, the word behind it or the one before. */
enum said_of { OF_ALL, OF_NEXT, OF_LAST };
static const struct pair {
    enum said_of of;
    const char *sides[2][STEMS];
} pairs[] = {
    {OF_NEXT, {{"befor", "prior"}, {"after"}}},
    {OF_NEXT,
     {{"minimum", "lowest", "shortest", "smallest"}, {"maximum", "highest", "longest", "largest"}}},
    {OF_NEXT, {{"earliest"}, {"latest"}}},
    {OF_ALL, {{"allow", "permit", "legal"}, {"forbid", "forbidden", "prohibit", "ban"}}},
    {OF_ALL, {{"includ"}, {"exclud"}}},
    {OF_ALL, {{"mandatori", "compulsori", "obligatori"}, {"voluntari"}}},
};
static const struct pair wide_pairs[] = {
    {OF_LAST, {{"之前", "以前"}, {"之后", "以后", "之後", "以後"}}},
    {OF_NEXT, {{"最高", "最大", "最多", "最长"}, {"最低", "最小", "最少", "最短"}}},
    {OF_NEXT, {{"最早"}, {"最晚", "最迟"}}},
    {OF_ALL, {{"允许", "准许", "允許"}, {"禁止", "严禁", "不准", "不许"}}},
    {OF_ALL, {{"必须", "強制", "强制"}, {"自愿", "自願"}}},
};

/* One of a pair as a text says it. */
struct pole {
    int side; /* of the pair; -1: none, or both */
    struct str word, of;
    bool turned;
};

static bool is_of(const struct pair *pair, int side, struct str stem)
{
    for (size_t i = 0; i < STEMS && pair->sides[side][i]; i++)
        if (str_eq(stem, str_from(pair->sides[side][i])))
            return true;
    return false;
}

static const struct term *beside(const struct terms *terms, size_t i, int step)
{
    for (size_t k = i, left = BESIDE + 1; left > 0; left--) {
        do
            k += (size_t)step;
        while (k < terms->count && terms->at[k].field != TERM_WORD);
        if (k >= terms->count)
            return NULL;
        if (!terms->at[k].stop)
            return &terms->at[k];
    }
    return NULL;
}

static bool is_turned_word(const struct terms *terms, size_t i)
{
    for (size_t k = i, left = NOT_NEAR + 1; k-- > 0 && left > 0;) {
        if (terms->at[k].field != TERM_WORD)
            continue;
        if (is_not_word(terms->at[k].text))
            return true;
        left--;
    }
    return false;
}

static void put_pole(struct pole *p, int side, bool turned, struct str word, struct str of)
{
    bool again = p->word.len > 0 && p->side != (turned ? !side : side);

    *p = (struct pole){again ? -1 : turned ? !side : side, word, of, turned};
}

static struct pole pole_of(const struct pair *pair, const struct terms *terms)
{
    struct pole p = {.side = -1};

    for (size_t i = 0; i < terms->count; i++)
        for (int side = 0; side < 2; side++) {
            if (terms->at[i].field != TERM_WORD || !is_of(pair, side, terms->at[i].text))
                continue;
            const struct term *of = beside(terms, i, pair->of == OF_LAST ? -1 : 1);
            put_pole(&p, side, is_turned_word(terms, i), terms->at[i].text,
                     of ? of->text : STR_NONE);
        }
    return p;
}

static struct pole wide_pole_of(const struct pair *pair, struct str text)
{
    struct pole p = {.side = -1};

    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < STEMS && pair->sides[side][i]; i++) {
            struct str word = str_from(pair->sides[side][i]);
            size_t at = str_find(text, word), end = at + word.len;

            if (at == text.len)
                continue;
            put_pole(&p, side, at >= 3 && is_not_word(str_slice(text, at - 3, at)),
                     str_slice(text, at, end),
                     pair->of == OF_LAST
                         ? str_slice(text, at > BESIDE_WIDE ? at - BESIDE_WIDE : 0, at)
                         : str_slice(text, end, MIN_OF(end + BESIDE_WIDE, text.len)));
        }
    return p;
}

static struct pole find_pole(const struct reading *r, const struct pair *pair, struct str text,
                             const struct terms *terms)
{
    return r->c->wide ? wide_pole_of(pair, text) : pole_of(pair, terms);
}

/* "Not" that turns one of the pair is all the text may deny; "forbidden" is one of a pair itself. */
static bool denies_besides(const struct denied *denied, bool denies, const struct pair *pair,
                           const struct pole *p)
{
    return (denies && pair->of != OF_ALL) || denied->count > (p->turned ? 1u : 0u);
}

static bool says_opposite(const struct reading *r, const struct pair *pair, float bar,
                          struct str *what)
{
    struct pole own = find_pole(r, pair, r->c->text, &r->c->terms);
    bool found = false;

    if (own.side < 0 || (pair->of != OF_ALL && !own.of.len) ||
        denies_besides(&r->c->denied, r->c->denies, pair, &own))
        return false;
    for (size_t i = 0; i < r->e->count; i++) {
        const struct fact *f = &r->e->facts[i];

        if (!is_meant(r, f->passage) || about_own(r, i) < bar)
            continue;
        struct pole said = find_pole(r, pair, f->text, &f->terms);
        struct denied denied = denied_find(f->text, &f->terms);
        if (said.side == own.side || (said.side < 0 && said.word.len) ||
            denies_besides(&denied, f->denies, pair, &said))
            return false;
        found |= said.side >= 0 && (pair->of == OF_ALL || str_eq(said.of, own.of));
    }
    *what = own.word;
    return found;
}

bool lacks_side(const struct reading *r, struct str *what)
{
    const struct pair *list = r->c->wide ? wide_pairs : pairs;
    size_t count = r->c->wide ? ARRAY_LEN(wide_pairs) : ARRAY_LEN(pairs);
    float bar = 0;

    for (size_t i = 0; i < r->e->count; i++)
        bar = fmaxf(bar, ABOUT_RATIO * about_own(r, i));
    for (size_t i = 0; i < count && bar > 0; i++)
        if (says_opposite(r, &list[i], bar, what))
            return true;
    return false;
}
