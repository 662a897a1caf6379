/* Rows and items by what stands in front: a name the question has, or bounds its number falls into. */
#include <math.h>

#include "knowledge/pick.h"

#define ROWS_SHARE     0.7f
#define ROW_SHARE      0.85f
#define BOUNDED_SHARE  0.6f
#define BOUNDED_NEAR   0.3f  /* of it not in the document's title alone */
#define NEAR_RANK      0.01f /* of two that speak of as much, the one that does so nearer */
#define SENTENCE_SHARE 0.75f
#define EITHER_WORDS   3 /* of fewer a rule of something else has them all */

/* --- names ------------------------------------------------------------------------------------ */

struct naming {
    uint32_t rows[PICKED_MAX]; /* of the listing */
    size_t at[PICKED_MAX], len[PICKED_MAX];
    size_t count;
    bool more;
};

/* "Complete" within "Complete Plus" is not named beside it. */
static void take_name(struct naming *n, uint32_t row, size_t at, size_t len)
{
    for (size_t i = 0; i < n->count; i++) {
        if (at + len <= n->at[i] || n->at[i] + n->len[i] <= at)
            continue;
        if (len > n->len[i]) {
            n->rows[i] = row;
            n->at[i] = at;
            n->len[i] = len;
        }
        return;
    }
    if (n->count == PICKED_MAX) {
        n->more = true;
        return;
    }
    n->rows[n->count] = row;
    n->at[n->count] = at;
    n->len[n->count++] = len;
}

static struct naming named_rows(const struct listing *l, struct str question)
{
    struct naming n = {0};

    for (uint32_t i = 0; i < l->end - l->first; i++) {
        size_t len, at = row_named(listing_row(l, i), question, &len);

        if (len)
            take_name(&n, i, at, len);
    }
    return n;
}

static bool share_of_rows(const struct picking *p, const struct listing *l, const struct naming *n,
                          float *share, struct err *err)
{
    struct above above;
    uint64_t bits, row;

    *share = 0;
    if (!pick_above(p, l, &above, err))
        return false;
    bits = above.near;
    for (size_t i = 0; i < n->count; i++) {
        if (!covering_read(&p->covering, listing_row(l, n->rows[i]), &row, err))
            return false;
        bits |= row;
    }
    if (!pick_lacks_name(p, bits | above.title))
        *share = covering_share(&p->covering, bits | above.title) +
                 NEAR_RANK * covering_share(&p->covering, bits);
    return true;
}

static void take_rows(const struct listing *l, const struct naming *n, float share,
                      struct pick *out)
{
    *out = (struct pick){.kind = PICK_ROWS, .share = MIN_OF(share, 1.0f), .is_table = l->is_table};
    for (size_t i = 0; i < n->count; i++)
        out->at[out->count++] = pick_blocks(l, n->rows[i], n->rows[i] + 1);
    out->compares = n->count > 1;
}

static bool is_row(const struct candidate *c)
{
    return c->found->passage.blocks[c->found->sentences[c->sentence].block].kind == BLOCK_ROW;
}

bool pick_named(const struct picking *p, struct pick *out, struct err *err)
{
    float best = 0;

    for (size_t i = 0; i < p->found_count; i++) {
        struct listing l;

        for (uint32_t at = 0; listing_next(&p->found[i], &at, &l);) {
            struct naming n = named_rows(&l, p->covering.question->text);
            float share;

            if (!l.is_table || !n.count || n.more)
                continue;
            if (!share_of_rows(p, &l, &n, &share, err))
                return false;
            if (share < (n.count > 1 ? ROWS_SHARE : ROW_SHARE) || share <= best)
                continue;
            best = share;
            take_rows(&l, &n, share, out);
        }
    }
    /* One row: what words found is right, unless it is a row of another name. */
    if (out->count == 1 &&
        (pick_is_best(p, &out->at[0]) ? p->answered : p->answered && !is_row(&p->ranked[0])))
        *out = (struct pick){0};
    return true;
}

/* --- bounds ----------------------------------------------------------------------------------- */

struct members {
    struct interval of[PICKED_MAX * 4];
    bool has[PICKED_MAX * 4];
    size_t count, bounds;
};

static bool unit_of_label(struct arena *arena, struct str label, enum numeral_unit *unit,
                          struct err *err)
{
    struct intervals all;
    struct str text = arena_fmt(arena, "1 " STR_FMT, STR_ARG(label));

    if (!text.ptr)
        return err_arena(err, arena);
    if (!intervals_read(arena, text, &all, err))
        return false;
    *unit = all.count ? all.at[0].unit : UNIT_NONE;
    return true;
}

/* Only what bounds; the rest of a row are its values. */
static bool read_members(const struct listing *l, struct arena *arena, struct members *m,
                         struct err *err)
{
    *m = (struct members){.count = l->end - l->first};
    if (m->count > ARRAY_LEN(m->of))
        m->count = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct str row = listing_row(l, i), text = l->is_table ? row_key(row) : row;
        struct intervals all;

        if (!intervals_read(arena, text, &all, err))
            return false;
        if (!all.count || !all.at[0].is_bound)
            continue;
        if (l->is_table && !all.at[0].unit &&
            !unit_of_label(arena, row_label(row), &all.at[0].unit, err))
            return false;
        m->of[i] = all.at[0];
        m->has[i] = true;
        m->bounds++;
    }
    return true;
}

/* "up to 500", "up to 5,000": the second begins where the first ends; "5 years", "10 years and more" likewise. */
static struct interval own_part(const struct members *m, size_t i)
{
    struct interval v = m->of[i];

    for (size_t k = 0; k < m->count; k++) {
        const struct interval *other = &m->of[k];

        if (!m->has[k] || k == i || !intervals_compare(&m->of[i], other))
            continue;
        if (m->of[i].from == (double)-INFINITY && other->from == (double)-INFINITY &&
            other->to < v.to && other->to >= v.from) {
            v.from = other->to;
            v.from_out = !other->to_out;
        }
        if (m->of[i].to == (double)INFINITY && other->to == (double)INFINITY &&
            other->from > v.from && other->from <= v.to) {
            v.to = other->from;
            v.to_out = !other->from_out;
        }
    }
    return v;
}

/* By another number of the question. */
static bool is_taken(const struct pick *pick, const struct picked *picked)
{
    for (size_t i = 0; i < pick->count; i++)
        if (pick->at[i].first.block == picked->first.block)
            return true;
    return false;
}

static bool take_members(const struct listing *l, const struct members *m,
                         const struct interval *asked, struct pick *out)
{
    for (size_t i = 0; i < m->count; i++) {
        struct interval part = own_part(m, i);
        struct picked picked = pick_blocks(l, (uint32_t)i, (uint32_t)i + 1);

        if (!m->has[i] || !intervals_compare(&part, asked) || !intervals_meet(&part, asked))
            continue;
        if (is_taken(out, &picked))
            continue;
        if (out->count == PICKED_MAX)
            return false;
        out->at[out->count++] = picked;
    }
    return true;
}

/* "In 2026": when, and not how much. */
static bool is_year(struct str text, const struct interval *v)
{
    static const char *const words[] = {" in", " since", " during", " until", " year"};
    struct str front = str_trim(str_slice(text, 0, v->at));

    if (v->unit || v->is_bound || v->end - v->at != 4 || v->from < 1900 || v->from >= 2100)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str word = str_from(words[i]);

        if (front.len >= word.len &&
            str_eq_nocase(str_slice(front, front.len - word.len, front.len), word))
            return true;
    }
    return false;
}

static bool read_asked(const struct picking *p, struct intervals *out, struct err *err)
{
    struct str text = p->covering.question->text;
    size_t kept = 0;

    if (!intervals_read(p->covering.arena, text, out, err))
        return false;
    for (size_t i = 0; i < out->count; i++)
        if (!is_year(text, &out->at[i]))
            out->at[kept++] = out->at[i];
    out->count = kept;
    return true;
}

/* What the question counts: intervals that say nothing else (a day of the year, "24 hours") are left to its words. */
struct bounding {
    struct intervals asked;
    float best;
};
#define SAME_BOUND 0.1f /* of what is asked: "above 50,000" is rather of a list that says 50,000 */

static float same_bound(const struct bounding *b, const struct members *m)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < b->asked.count; k++) {
            const struct interval *one = &m->of[i], *asked = &b->asked.at[k];

            if (m->has[i] && asked->is_bound && one->from == asked->from && one->to == asked->to)
                return SAME_BOUND;
        }
    return 0;
}

static bool bounded_by_listing(const struct picking *p, const struct listing *l, struct bounding *b,
                               struct pick *out, struct err *err)
{
    struct pick pick = {.kind = PICK_ROWS, .is_table = l->is_table};
    struct members m;
    struct above above;
    uint64_t bits = 0, row;

    if (!read_members(l, p->covering.arena, &m, err))
        return false;
    for (size_t i = 0; i < b->asked.count && m.bounds >= 2; i++)
        if (!take_members(l, &m, &b->asked.at[i], &pick))
            return true;
    if (!pick.count)
        return true;
    if (!pick_above(p, l, &above, err))
        return false;
    for (size_t i = 0; i < pick.count; i++) {
        if (!covering_read(&p->covering, l->found->passage.blocks[pick.at[i].first.block].text,
                           &row, err))
            return false;
        bits |= row;
    }
    bits |= above.near;
    pick.share = covering_share(&p->covering, bits | above.title);
    float near = covering_share(&p->covering, bits);
    float rank = pick.share + NEAR_RANK * near + same_bound(b, &m);
    if (pick.share < BOUNDED_SHARE || near < BOUNDED_NEAR || rank <= b->best ||
        pick_lacks_name(p, bits | above.title))
        return true;
    b->best = rank;
    pick.compares = pick.count > 1;
    *out = pick;
    return true;
}

static struct str text_of(const struct found *found, size_t i)
{
    struct sentence s = found->sentences[i];

    return str_slice(found->passage.blocks[s.block].text, s.from, s.to);
}

/* Does the sentence bound what is asked, so that it holds for it? For "may I?" it answers either way. */
static bool bounds_asked(const struct intervals *all, const struct bounding *b, bool polar)
{
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; k < b->asked.count && all->at[i].is_bound; k++)
            if (intervals_compare(&all->at[i], &b->asked.at[k]) && all->at[i].unit != UNIT_NONE &&
                (polar || intervals_meet(&all->at[i], &b->asked.at[k])))
                return true;
    return false;
}

static bool bounded_by_sentence(const struct picking *p, const struct bounding *b, struct pick *out,
                                struct err *err)
{
    float best = 0;
    bool either = p->covering.question->polar && covering_words(&p->covering) >= EITHER_WORDS;

    for (size_t i = 0; i < p->found_count; i++)
        for (size_t k = 0; k < p->found[i].sentence_count; k++) {
            const struct found *found = &p->found[i];
            struct sentence s = found->sentences[k];
            struct intervals all;
            uint64_t own, heading;

            if (!intervals_read(p->covering.arena, text_of(found, k), &all, err))
                return false;
            if (found->passage.blocks[s.block].kind == BLOCK_ROW || !bounds_asked(&all, b, either))
                continue;
            if (!covering_read(&p->covering, text_of(found, k), &own, err) ||
                !covering_read(&p->covering, found->passage.heading, &heading, err))
                return false;
            float share = covering_share(&p->covering, own | heading);
            float rank = share + NEAR_RANK * covering_share(&p->covering, own);
            if (share < SENTENCE_SHARE || rank <= best || pick_lacks_name(p, own | heading))
                continue;
            best = rank;
            *out = (struct pick){
                .kind = PICK_SENTENCE, .at = {{found, s, s}}, .count = 1, .share = share};
        }
    return true;
}

/* What words found has the number itself, or a bound that it meets. */
static bool meets_already(const struct picking *p, const struct bounding *b, bool *meets,
                          struct err *err)
{
    const struct candidate *best = &p->ranked[0];
    struct intervals all;

    *meets = false;
    if (!p->answered)
        return true;
    if (!intervals_read(p->covering.arena, text_of(best->found, best->sentence), &all, err))
        return false;
    for (size_t i = 0; i < all.count; i++)
        for (size_t k = 0; k < b->asked.count; k++)
            *meets = *meets || (intervals_compare(&all.at[i], &b->asked.at[k]) &&
                                intervals_meet(&all.at[i], &b->asked.at[k]));
    return true;
}

static bool is_in_passage(const struct picking *p, const struct pick *pick)
{
    return p->ranked[0].found == pick->at[0].found;
}

bool pick_bounded(const struct picking *p, struct pick *out, struct err *err)
{
    struct bounding b = {.best = 0};
    bool meets;

    if (!read_asked(p, &b.asked, err))
        return false;
    for (size_t i = 0; i < p->found_count && b.asked.count; i++) {
        struct listing l;

        for (uint32_t at = 0; listing_next(&p->found[i], &at, &l);)
            if (!bounded_by_listing(p, &l, &b, out, err))
                return false;
    }
    if (out->kind && !meets_already(p, &b, &meets, err))
        return false;
    if (out->kind && meets && !is_in_passage(p, out))
        *out = (struct pick){0};
    return out->kind || p->answered || !b.asked.count || bounded_by_sentence(p, &b, out, err);
}
