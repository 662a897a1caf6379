/* Lists and tables as a whole: shown, or counted. */
#include "knowledge/pick.h"

#define WHOLE_SHARE 0.95f
#define LISTED_MAX  64 /* longer ones are neither shown nor counted */

static bool says_one_of(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < text.len; at++)
            if (str_eq_nocase(str_slice(text, at, at + str_from(list[i]).len), str_from(list[i])))
                return true;
    return false;
}

/* Not how many days, nor how many of this year. */
bool pick_asks_count(const struct picking *p, bool *units)
{
    const struct question *q = p->covering.question;
    static const char *const asking[] = {"how many", "几种",   "几个",  "几项",   "几类",
                                         "几家",     "几条",   "几名",  "多少种", "多少个",
                                         "多少项",   "多少家", "多少名"};
    static const char *const measures[] = {
        "euro", "dollar", "pound", "yuan", "minute",  "hour", "second",
        "day",  "week",   "month", "year", "percent", "元",   "小时",
        "分钟", "个月",   "天",    "年",   "周",      "星期", "时间"};

    *units = says_one_of(q->text, measures, ARRAY_LEN(measures));
    return q->cue != CUE_DURATION && q->cue != CUE_TIME &&
           says_one_of(q->text, asking, ARRAY_LEN(asking));
}

static bool asks_count(const struct picking *p)
{
    const struct question *q = p->covering.question;
    bool units;

    for (size_t i = 0; i < q->asked_count; i++)
        if (q->asked[i].term.number)
            return false;
    return pick_asks_count(p, &units);
}

static bool asks_list(const struct question *q)
{
    static const char *const asking[] = {"what are the", "which are the", "哪些",     "哪几",
                                         "列出",         "列举",          "name the", "list "};

    return asks_for_list(q->text) || says_one_of(q->text, asking, ARRAY_LEN(asking));
}

/* All that the nearest heading or the first label says is asked for: it is of this that there is a list. */
static bool is_called(const struct picking *p, const struct listing *l, bool *called,
                      struct err *err)
{
    struct str heading =
        l->found->passage.heading.len ? l->found->passage.heading : l->found->title;
    struct str names[2] = {heading, row_label(listing_row(l, 0))};
    size_t mark = arena_mark(p->covering.arena);

    *called = false;
    for (size_t at; (at = str_find(names[0], STR(" > "))) < names[0].len;)
        names[0] = str_slice(names[0], at + 3, names[0].len);
    for (size_t i = 0; i < 2 && !*called; i++) {
        struct covering back = p->covering;
        struct question of;
        uint64_t bits;

        if (!names[i].len)
            continue;
        if (!question_read(p->access, back.analyser, back.arena, names[i], &of, err))
            return false;
        back.question = &of;
        if (!covering_begin(&back, ATTRIBUTE_NONE, err) ||
            !covering_read(&back, p->covering.question->text, &bits, err))
            return false;
        *called = back.needed && covering_share(&back, bits) >= WHOLE_SHARE;
    }
    arena_rewind(p->covering.arena, mark);
    return true;
}

static bool keys_differ(const struct listing *l)
{
    for (uint32_t i = 0; i < l->end - l->first; i++)
        for (uint32_t k = 0; k < i; k++)
            if (str_eq_nocase(row_key(listing_row(l, i)), row_key(listing_row(l, k))))
                return false;
    return true;
}

/* "Total | 45": of the rows above it. */
static bool sums_up(struct str key)
{
    static const char *const sums[] = {"total", "totals",  "grand total", "subtotal",
                                       "sum",   "average", "合计",        "总计",
                                       "共计",  "小计",    "平均"};

    for (size_t i = 0; i < ARRAY_LEN(sums); i++)
        if (str_eq_nocase(key, str_from(sums[i])))
            return true;
    return false;
}

static bool any_sums_up(const struct listing *l)
{
    for (uint32_t i = 0; i < l->end - l->first; i++)
        if (sums_up(row_key(listing_row(l, i))))
            return true;
    return false;
}

/* Items below items are counted with none. */
static bool is_flat(const struct listing *l)
{
    const struct block *blocks = l->found->passage.blocks;

    for (uint32_t i = l->first; i < l->end; i++)
        if (blocks[i].level != blocks[l->first].level)
            return false;
    return true;
}

/* "three plans", "五名委员": a sentence that says how many is better than a count. */
static bool says_how_many(const struct picking *p)
{
    size_t mark = arena_mark(p->covering.arena);
    struct numerals *all = arena_alloc(p->covering.arena, sizeof *all);
    const struct candidate *best = &p->ranked[0];
    struct sentence s = best->found->sentences[best->sentence];
    const struct question *q = p->covering.question;
    bool counts = !all; /* not known: nothing is counted */

    if (all)
        numerals_read(str_slice(best->found->passage.blocks[s.block].text, s.from, s.to), all);
    for (size_t i = 0; all && p->answered && i < all->count; i++)
        for (size_t k = 0; k < q->asked_count; k++) {
            struct str word = q->asked[k].term.text, behind = all->at[i].behind;

            counts = counts || (q->asked[k].term.field == TERM_WORD && word.len >= 3 &&
                                (str_find(behind, word) < behind.len ||
                                 str_eq_nocase(str_slice(behind, 0, word.len), word)));
        }
    arena_rewind(p->covering.arena, mark);
    return counts;
}

struct whole {
    struct listing of;
    float rank;
    bool found, tie;
};

static bool find_whole(const struct picking *p, struct whole *out, struct err *err)
{
    for (size_t i = 0; i < p->found_count; i++) {
        struct listing l;

        for (uint32_t at = 0; listing_next(&p->found[i], &at, &l);) {
            struct above above;
            bool called;

            if (l.end - l.first < 2 || l.end - l.first > LISTED_MAX)
                continue;
            if (!pick_above(p, &l, &above, err))
                return false;
            float share = covering_share(&p->covering, above.near | above.title);
            float rank = covering_share(&p->covering, above.near);
            if (share < WHOLE_SHARE || pick_lacks_name(p, above.near | above.title) ||
                rank < out->rank)
                continue;
            if (!is_called(p, &l, &called, err))
                return false;
            if (!called || is_negated(l.found->passage.heading) != p->covering.question->negated)
                continue;
            out->tie = out->found && rank <= out->rank;
            out->found = true;
            out->of = l;
            out->rank = rank;
        }
    }
    return true;
}

bool pick_counted(const struct picking *p, struct pick *out, struct err *err)
{
    bool counts = asks_count(p), lists = asks_list(p->covering.question);
    struct whole whole = {0};

    if (!counts && !lists)
        return true;
    if (!find_whole(p, &whole, err))
        return false;
    struct listing *l = &whole.of;
    if (!whole.found || whole.tie || !listing_is_whole(l, p->access, p->covering.arena))
        return true;
    while (counts && l->is_table && l->end - l->first > 1 &&
           sums_up(row_key(listing_row(l, l->end - l->first - 1))))
        l->end--;
    if (counts && (says_how_many(p) || !keys_differ(l) || !is_flat(l) || any_sums_up(l)))
        return true;
    *out = (struct pick){.kind = counts ? PICK_COUNT : PICK_LIST,
                         .at = {pick_blocks(l, 0, l->end - l->first)},
                         .count = 1,
                         .counted = l->end - l->first,
                         .is_table = l->is_table,
                         .share = whole.rank};
    if (lists && !counts && p->answered && pick_is_best(p, &out->at[0]) && !l->is_table)
        *out = (struct pick){0}; /* as words found it, with its introduction */
    return true;
}
