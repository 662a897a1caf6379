/* Candidates of the best sentences, their features, and the best of them. */
#include "knowledge/span.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/span_internal.h"

#define NEAR 0.8f /* how fast the question's words count for less with each word between */

/* --- one sentence ----------------------------------------------------------------------------- */

struct ids {
    uint16_t at[SPAN_IDS];
    size_t count;
    uint32_t template;
};
struct line {
    const struct candidate *sentence;
    struct str text; /* the block's */
    struct token_list tokens;
    float sum[SPAN_TOKENS + 1];      /* of weights before each token */
    float left[SPAN_TOKENS + 1];     /* weights before it, the nearer the more */
    float right[SPAN_TOKENS + 1];    /* from it on */
    uint16_t marks[SPAN_TOKENS + 1]; /* punctuation before each token */
    uint16_t prev[SPAN_TOKENS + 1], next[SPAN_TOKENS + 1]; /* words to the nearest shared one */
    size_t verb, last; /* the question's verb and last word here; SIZE_MAX: not */
    struct ids ids;    /* features that all its phrases have */
    float lead;        /* score behind the best sentence */
    uint32_t place;    /* among the sentences looked at */
};

static bool is_break(const struct token *t)
{
    return t->shape == SHAPE_MARK || t->shape == SHAPE_OPEN || t->shape == SHAPE_CLOSE;
}

static void measure(struct line *line)
{
    const struct token *at = line->tokens.at;
    size_t n = line->tokens.count;

    line->prev[0] = 99;
    for (size_t i = 0; i < n; i++) {
        bool hit = at[i].weight > 0;

        line->sum[i + 1] = line->sum[i] + at[i].weight;
        line->left[i + 1] = NEAR * (line->left[i] + at[i].weight);
        line->marks[i + 1] = (uint16_t)(line->marks[i] + is_break(&at[i]));
        line->prev[i + 1] = hit ? 0 : (uint16_t)MIN_OF(line->prev[i] + 1, 99);
    }
    line->next[n] = 99;
    line->right[n] = 0;
    for (size_t i = n; i-- > 0;) {
        line->right[i] = NEAR * (line->right[i + 1] + at[i].weight);
        line->next[i] = at[i].weight > 0 ? 0 : (uint16_t)MIN_OF(line->next[i + 1] + 1, 99);
    }
}

static void find_words(const struct asking *asking, struct line *line)
{
    line->verb = line->last = SIZE_MAX;
    for (size_t i = 0; i < line->tokens.count; i++) {
        const struct token *t = &line->tokens.at[i];

        if (!t->asked)
            continue;
        if (t->asked == asking->verb_asked && line->verb == SIZE_MAX)
            line->verb = i;
        if (t->asked == asking->last_asked && line->last == SIZE_MAX)
            line->last = i;
    }
}

/* --- features --------------------------------------------------------------------------------- */

struct ranking {
    const struct span_request *r;
    struct asking asking;
    bool zh;
    struct str title;
    float best;
    double all; /* sum of exp(score - best) */
    struct span_choice *out;
};
struct phrase { /* words [i, j) of a line */
    const struct line *line;
    size_t i, j;
    enum span_type type;
    uint32_t shared, content, stops, marks, names, numbers;
    float idf_max, weight;
    bool has_focus;
};

static void add(struct ids *ids, uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t h = (uint64_t)++ids->template * 0x9e3779b97f4a7c15u;

    h = (h ^ a) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 32 ^ b) * 0xc4ceb9fe1a85ec53u;
    h = (h ^ h >> 32 ^ c) * 0x9e3779b97f4a7c15u;
    ids->at[ids->count++] = (uint16_t)(h >> 40) % SPAN_SLOTS;
}

/* A feature that not every candidate has: its number is given. */
static void add_at(struct ids *ids, uint32_t template, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t kept = ids->template;

    ids->template = template - 1;
    add(ids, a, b, c);
    ids->template = kept;
}

static uint32_t step(float value, float size, uint32_t most)
{
    float n = value / size;

    return n <= 0 ? 0 : n >= (float)most ? most : (uint32_t)n;
}

static uint32_t length_step(size_t n)
{
    return n <= 6 ? (uint32_t)n : n <= 8 ? 7 : n <= 12 ? 8 : n <= 20 ? 9 : 10;
}

static uint32_t distance_step(size_t n)
{
    return n <= 4 ? (uint32_t)n : n <= 6 ? 5 : n <= 10 ? 6 : n < 99 ? 7 : 8;
}

static const struct token *token_at(const struct line *line, size_t i)
{
    static const struct token none = {.shape = SHAPE_NONE};

    return i < line->tokens.count ? &line->tokens.at[i] : &none;
}

static const struct token *token_at_list(const struct token_list *list, size_t i)
{
    return &list->at[i];
}

/* Bytes that end `a` and end `b`, in whole characters, up to four. */
static uint32_t same_before(struct str a, struct str b)
{
    uint32_t n = 0;

    while (n < 12 && n < a.len && n < b.len && a.ptr[a.len - 1 - n] == b.ptr[b.len - 1 - n])
        n++;
    return n / 3;
}

static uint32_t same_after(struct str a, struct str b)
{
    uint32_t n = 0;

    while (n < 12 && n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
        n++;
    return n / 3;
}

static uint32_t beside(const struct token *t)
{
    return t->shape == SHAPE_NONE ? 3 : t->shared ? 2 : t->weight > 0;
}

static void add_shape(struct ids *ids, const struct ranking *k, const struct phrase *p)
{
    const struct token *first = token_at(p->line, p->i), *last = token_at(p->line, p->j - 1);
    const struct token *prev = token_at(p->line, p->i - 1), *next = token_at(p->line, p->j);
    uint32_t ask = k->asking.ask, length = length_step(p->j - p->i);

    add(ids, ask, first->look, 0);
    add(ids, ask, last->look, 0);
    add(ids, ask, prev->look, 0);
    add(ids, ask, next->look, 0);
    add(ids, first->look, 0, 0);
    add(ids, last->look, 0, 0);
    add(ids, prev->look, 0, 0);
    add(ids, next->look, 0, 0);
    add(ids, prev->look, first->look, 0);
    add(ids, last->look, next->look, 0);
    add(ids, prev->look, next->look, 0);
    add(ids, first->shape, prev->shape, ask);
    add(ids, last->shape, next->shape, ask);
    add(ids, ask, length, 0);
    add(ids, length, p->type, 0);
    add(ids, ask, p->type, 0);
    add(ids, ask, p->type, prev->look);
    add(ids, k->asking.focus, p->type, 0);
    add(ids, k->asking.focus, last->look, 0);
    add(ids, k->asking.opening, p->type, 0);
    add(ids, k->asking.before, prev->look, 0);
    add(ids, k->asking.before, first->look, 0);
    add(ids, ask, first->shape, last->shape);
    add(ids, first->spaced, next->spaced, 0);
}

static void add_overlap(struct ids *ids, const struct ranking *k, const struct phrase *p)
{
    const struct token *prev = token_at(p->line, p->i - 1), *next = token_at(p->line, p->j);
    const struct line *l = p->line;
    float all = k->r->question->word_idf > 0 ? k->r->question->word_idf : 1;
    uint32_t ask = k->asking.ask, form = k->asking.form;
    uint32_t before = distance_step(l->prev[p->i]), after = distance_step(l->next[p->j]);

    add(ids, p->shared, p->content > 3 ? 3 : p->content, 0);
    add(ids, p->shared == p->content, p->shared > 0, ask);
    add(ids, step(p->weight / all, 0.1f, 5), 0, 0);
    add(ids, form, beside(prev), beside(next));
    add(ids, ask, beside(prev), beside(next));
    add(ids, ask, before, 0);
    add(ids, ask, after, 0);
    add(ids, form, before, 0);
    add(ids, form, after, 0);
    add(ids, MIN_OF(before, after), 0, 0);
    add(ids, form, step(l->left[p->i] / all, 0.06f, 10), 0);
    add(ids, form, step(l->right[p->j] / all, 0.06f, 10), 0);
    add(ids, ask, step((l->left[p->i] + l->right[p->j]) / all, 0.06f, 12), 0);
    add(ids, step((l->left[p->i] + l->right[p->j]) / all, 0.03f, 24), 0, 0);
    add(ids, p->has_focus, k->asking.focus != 0, ask);
    add(ids, k->asking.focus && next->stem == k->asking.focus,
        k->asking.focus && prev->stem == k->asking.focus, ask);
    add(ids, k->asking.verb && next->stem == k->asking.verb,
        k->asking.verb && prev->stem == k->asking.verb, form);
    add(ids, k->asking.last && next->stem == k->asking.last,
        k->asking.last && prev->stem == k->asking.last, form);
    add(ids, prev->word == k->asking.before, next->word == k->asking.after, ask);
    add(ids, step(p->idf_max, 1, 8), p->content > 2 ? 2 : p->content, 0);
    if (!k->zh)
        return;
    uint32_t left = same_before(k->asking.left, str_slice(l->text, 0, token_at(l, p->i)->from));
    uint32_t right =
        same_after(k->asking.right, str_slice(l->text, token_at(l, p->j - 1)->to, l->text.len));
    add(ids, left, right, 0);
    add(ids, left, ask, 0);
    add(ids, right, ask, 0);
    add(ids, prev->stem && prev->stem == k->asking.before,
        token_at(l, p->j - 1)->word == k->asking.focus_word, ask);
}

static bool cuts_name(const struct token *outside, const struct token *inside)
{
    return (outside->shape == SHAPE_NAME || outside->shape == SHAPE_ACRONYM ||
            outside->shape == SHAPE_OPENING) &&
           (inside->shape == SHAPE_NAME || inside->shape == SHAPE_ACRONYM);
}

static void add_place(struct ids *ids, const struct ranking *k, const struct phrase *p)
{
    const struct line *l = p->line;
    const struct token *first = token_at(l, p->i), *last = token_at(l, p->j - 1);
    const struct token *prev = token_at(l, p->i - 1), *next = token_at(l, p->j);
    uint32_t ask = k->asking.ask, marks = p->marks > 3 ? 3 : p->marks;
    size_t from = p->i >= l->prev[p->i] ? p->i - l->prev[p->i] : 0;
    size_t to = MIN_OF(p->j + l->next[p->j], l->tokens.count);
    uint32_t before = l->marks[p->i], after = l->marks[to];
    uint32_t near = MIN_OF(before - l->marks[from], after - l->marks[p->j]);
    struct str words = str_slice(l->text, first->from, last->to);

    add(ids, l->place, 0, 0);
    add(ids, step(l->lead, 0.25f, 16), 0, 0);
    add(ids, step(l->lead, 0.25f, 16), ask, 0);
    add(ids, marks, length_step(p->j - p->i), 0);
    add(ids, p->stops > 3 ? 3 : p->stops, length_step(p->j - p->i), 0);
    add(ids, near > 3 ? 3 : near, ask, 0);
    add(ids, cuts_name(prev, first), cuts_name(next, last), 0);
    add(ids, is_break(prev) || prev->shape == SHAPE_NONE,
        is_break(next) || next->shape == SHAPE_NONE, ask);
    add(ids, prev->shape == SHAPE_OPEN, next->shape == SHAPE_CLOSE, 0);
    add(ids, step((float)p->i / (float)l->tokens.count, 0.2f, 5), ask, 0);
    add(ids, p->i == 0, p->j + 1 >= l->tokens.count, 0);
    add(ids, k->title.len && str_find(k->title, words) < k->title.len, ask, 0);
    add(ids, p->names > 3 ? 3 : p->names, ask, 0);
    add(ids, p->numbers > 2 ? 2 : p->numbers, ask, 0);
}

/* --- what the whole sentence has of the question ---------------------------------------------- */

static uint32_t side(size_t at, const struct phrase *p)
{
    return at == SIZE_MAX ? 0 : at < p->i ? 1 : at >= p->j ? 2 : 3;
}

static void add_order(struct ids *ids, const struct ranking *k, const struct phrase *p)
{
    const struct line *l = p->line;
    uint32_t verb = side(l->verb, p), last = side(l->last, p);
    uint32_t order = l->verb == SIZE_MAX || l->last == SIZE_MAX ? 0 : l->verb < l->last ? 1 : 2;

    add(ids, k->asking.form, verb, last);
    add(ids, k->asking.form * 3 + order, verb, k->asking.ask);
}

/* Words of the question that are not here, by what they look like. */
static void add_missing(struct ids *ids, const struct ranking *k, const struct line *line,
                        uint64_t passage)
{
    const struct question *q = k->r->question;
    uint64_t here = line->sentence->words | line->sentence->kin;
    uint32_t absent = 0, strange = 0, listed = 0;
    float most = 0;

    for (size_t i = 0; i < k->asking.tokens.count; i++) {
        const struct token *t = token_at_list(&k->asking.tokens, i);

        if (!t->asked || q->asked[t->asked - 1].term.field != TERM_WORD ||
            here >> (t->asked - 1) & 1)
            continue;
        bool nowhere = !(passage >> (t->asked - 1) & 1);
        absent++;
        strange += nowhere;
        if (nowhere)
            most = fmaxf(most, t->weight / (q->word_idf > 0 ? q->word_idf : 1));
        if (listed++ < 5)
            add_at(ids, 200 + nowhere, t->shape, t->stem == k->asking.verb,
                   t->stem == k->asking.focus);
    }
    add_at(ids, 202, absent > 5 ? 5 : absent, 0, 0);
    add_at(ids, 203, strange > 4 ? 4 : strange, 0, 0);
    add_at(ids, 204, strange > 4 ? 4 : strange, k->asking.ask, 0);
    add_at(ids, 205, step(most, 0.08f, 8), 0, 0);
}

static void add_sentence(struct ids *ids, const struct ranking *k, const struct line *line)
{
    const struct candidate *c = line->sentence;
    const struct question *q = k->r->question;
    uint64_t passage = c->around | c->kin;

    for (size_t i = 0; i < k->r->count; i++)
        if (k->r->ranked[i].found == c->found)
            passage |= k->r->ranked[i].around | k->r->ranked[i].kin;
    add_missing(ids, k, line, passage);
    add_at(ids, 210, k->asking.ask, 0, 0);
    add_at(ids, 211, k->asking.form, k->asking.ask, 0);
    add_at(ids, 212, step(c->features[F_WORDS] + c->features[F_SOFT], 0.1f, 10), 0, 0);
    add_at(ids, 213, step(c->features[F_GRAMS], 0.1f, 10), 0, 0);
    add_at(ids, 214, step(c->features[F_LOCAL], 0.1f, 10), 0, 0);
    add_at(ids, 215, step(c->features[F_PAIRS], 0.15f, 7), 0, 0);
    add_at(ids, 216, step(c->features[F_TIGHT], 0.15f, 7), 0, 0);
    add_at(ids, 217, step(c->features[F_NAMES], 0.25f, 4), 0, 0);
    add_at(ids, 218, c->features[F_NUMBERS] > 0, q->negated, c->features[F_NEGATED] > 0);
    add_at(ids, 219, step(c->features[F_CUE], 0.4f, 3), q->cue, 0);
    add_at(ids, 220, step(c->passage_grams, 0.08f, 12), 0, 0);
    add_at(ids, 221, line->verb != SIZE_MAX, line->last != SIZE_MAX, k->asking.form);
    add_at(ids, 222, line->verb != SIZE_MAX && line->tokens.at[line->verb].shared,
           line->last != SIZE_MAX && line->tokens.at[line->last].shared, 0);
    add_at(ids, 223, q->asked_count > 12 ? 12 : (uint32_t)q->asked_count, 0, 0);
}

/* --- phrases ---------------------------------------------------------------------------------- */

static enum span_type chinese_type(const struct line *line, const struct phrase *p)
{
    static const char *const places[] = {"国", "國", "省", "市", "县", "縣", "区", "區", "州",
                                         "岛", "島", "镇", "鎮", "村", "洲", "湖", "河", "路"};
    static const char *const times[] = {"年", "月", "日", "纪", "紀", "代", "时", "時"};
    struct str words =
        str_slice(line->text, token_at(line, p->i)->from, token_at(line, p->j - 1)->to);
    struct str end = words.len >= 3 ? str_slice(words, words.len - 3, words.len) : words;

    if (p->numbers && is_one_of_words(end, times, ARRAY_LEN(times)))
        return TYPE_DATE;
    if (p->numbers)
        return p->j - p->i == 1 ? TYPE_NUMBER : TYPE_QUANTITY;
    if (str_find(words, STR("·")) < words.len || str_find(words, STR("‧")) < words.len)
        return TYPE_PERSON;
    if (token_at(line, p->i)->shape != SHAPE_WIDE && token_at(line, p->j - 1)->shape != SHAPE_WIDE)
        return TYPE_LATIN;
    if (is_one_of_words(end, places, ARRAY_LEN(places)))
        return TYPE_PLACE;
    return is_surname(str_slice(words, 0, 3)) && words.len <= 12 && words.len >= 6 ? TYPE_PERSON
                                                                                   : TYPE_LOWER;
}

static enum span_type english_type(const struct line *line, const struct phrase *p)
{
    enum span_type type = TYPE_LOWER;
    bool date = false;

    for (size_t n = p->i; n < p->j; n++) {
        switch ((int)token_at(line, n)->shape) {
        case SHAPE_MONEY: return TYPE_MONEY;
        case SHAPE_PERCENT: return TYPE_PERCENT;
        case SHAPE_MONTH: date = true; break;
        case SHAPE_YEAR: date = true; break;
        default: break;
        }
        if (token_at(line, n)->word == text_hash(STR("percent")))
            return TYPE_PERCENT;
    }
    if (date)
        return p->j - p->i == 1 ? TYPE_YEAR : TYPE_DATE;
    if (p->numbers)
        return p->numbers == p->content ? TYPE_NUMBER : TYPE_QUANTITY;
    if (p->names)
        type = p->names == p->content ? TYPE_NAME : TYPE_PART_NAME;
    return type;
}

static void extend(const struct ranking *k, struct phrase *p)
{
    const struct token *t = token_at(p->line, p->j++);

    p->shared += t->shared;
    p->content += t->shape > SHAPE_FUNCTION;
    p->stops += t->shape == SHAPE_FUNCTION;
    p->marks += t->shape == SHAPE_MARK;
    p->names += t->shape == SHAPE_NAME || t->shape == SHAPE_ACRONYM || t->shape == SHAPE_OPENING;
    p->numbers += t->shape == SHAPE_NUMBER || t->shape == SHAPE_YEAR ||
                  t->shape == SHAPE_NUMBER_WORD || (k->zh && t->counts);
    p->idf_max = fmaxf(p->idf_max, t->idf);
    p->weight += t->weight;
    p->has_focus = p->has_focus || (k->asking.focus && t->stem == k->asking.focus);
}

static bool may_begin(const struct ranking *k, const struct line *line, size_t i)
{
    const struct token *t = token_at(line, i);

    if (t->shape == SHAPE_MARK)
        return t->word == text_hash(STR("\""));
    if (t->shape == SHAPE_CLOSE || t->shape == SHAPE_PERCENT)
        return false;
    return !k->zh || t->shape != SHAPE_FUNCTION || i == 0 || is_break(token_at(line, i - 1));
}

static bool may_end(const struct ranking *k, const struct line *line, size_t last)
{
    const struct token *t = token_at(line, last);

    (void)k;
    if (t->shape == SHAPE_MARK)
        return t->word == text_hash(STR("\""));
    if (t->shape == SHAPE_FUNCTION)
        return last + 1 == line->tokens.count || is_break(token_at(line, last + 1));
    return t->shape != SHAPE_OPEN && t->shape != SHAPE_MONEY;
}

/* A phrase longer than SPAN_WORDS is a clause: from mark to mark. */
static bool is_clause(const struct line *line, size_t i, size_t j)
{
    return (i == 0 || is_break(token_at(line, i - 1)) ||
            token_at(line, i - 1)->shape == SHAPE_FUNCTION) &&
           (j == line->tokens.count || is_break(token_at(line, j)));
}

static bool inside(const struct span *a, const struct span *b)
{
    return a->sentence == b->sentence && a->from < b->to && b->from < a->to;
}

static void keep(struct span_choice *out, const struct span *span)
{
    size_t at = out->count, drop = SPANS_KEPT;

    for (size_t i = out->count; i-- > 0;) {
        if (inside(&out->best[i], span)) {
            if (out->best[i].score >= span->score)
                return;
            drop = i;
        }
        if (out->best[i].score < span->score)
            at = i;
    }
    if (at == SPANS_KEPT)
        return;
    if (drop == SPANS_KEPT)
        drop = out->count < SPANS_KEPT ? out->count++ : SPANS_KEPT - 1;
    memmove(&out->best[at + 1], &out->best[at], (drop - at) * sizeof *out->best);
    out->best[at] = *span;
}

static void judge(struct ranking *k, struct phrase *p)
{
    const struct line *l = p->line;
    struct ids ids = l->ids;
    int32_t sum = 0;
    struct span span = {.sentence = l->sentence,
                        .from = token_at(l, p->i)->from,
                        .to = token_at(l, p->j - 1)->to,
                        .words = (uint32_t)(p->j - p->i)};

    p->type = k->zh ? chinese_type(l, p) : english_type(l, p);
    span.type = (uint8_t)p->type;
    add_shape(&ids, k, p);
    add_overlap(&ids, k, p);
    add_place(&ids, k, p);
    add_order(&ids, k, p);
    ASSERT(ids.count <= SPAN_IDS);
    for (size_t i = 0; i < ids.count; i++)
        sum += k->r->weights->at[ids.at[i]];
    span.score = (float)sum * k->r->weights->scale;
    if (k->r->take)
        k->r->take(k->r->to, &span, ids.at, ids.count);
    if (span.score > k->best) {
        k->all = k->all * exp((double)(k->best - span.score)) + 1;
        k->best = span.score;
    } else {
        k->all += exp((double)(span.score - k->best));
    }
    keep(k->out, &span);
    if (!k->out->of[l->place].words || k->out->of[l->place].score < span.score)
        k->out->of[l->place] = span;
}

static void walk(struct ranking *k, const struct line *line)
{
    for (size_t i = 0; i < line->tokens.count; i++) {
        struct phrase p = {.line = line, .i = i, .j = i};

        if (!may_begin(k, line, i))
            continue;
        while (p.j < line->tokens.count && p.j - i < SPAN_CLAUSE) {
            extend(k, &p);
            if (p.marks > 4)
                break;
            if (p.content && may_end(k, line, p.j - 1) &&
                (p.j - i <= SPAN_WORDS || is_clause(line, i, p.j)))
                judge(k, &p);
        }
    }
}

static float agreement(enum ask ask, enum span_type type)
{
    static const uint32_t wanted[ASKS] = {
        [ASK_WHO] = 1u << TYPE_NAME | 1u << TYPE_PART_NAME | 1u << TYPE_PERSON | 1u << TYPE_LATIN,
        [ASK_WHEN] = 1u << TYPE_DATE | 1u << TYPE_YEAR,
        [ASK_YEAR] = 1u << TYPE_DATE | 1u << TYPE_YEAR,
        [ASK_DURATION] = 1u << TYPE_QUANTITY | 1u << TYPE_DATE,
        [ASK_COUNT] =
            1u << TYPE_NUMBER | 1u << TYPE_QUANTITY | 1u << TYPE_MONEY | 1u << TYPE_PERCENT,
        [ASK_MUCH] =
            1u << TYPE_NUMBER | 1u << TYPE_QUANTITY | 1u << TYPE_MONEY | 1u << TYPE_PERCENT,
        [ASK_PERCENT] = 1u << TYPE_PERCENT | 1u << TYPE_NUMBER | 1u << TYPE_QUANTITY,
        [ASK_WHERE] = 1u << TYPE_NAME | 1u << TYPE_PART_NAME | 1u << TYPE_PLACE,
    };

    return wanted[ask] == 0 ? 0.5f : (wanted[ask] >> type & 1 ? 1 : 0);
}

bool spans_rank(const struct span_request *r, struct span_choice *out, struct err *err)
{
    struct ranking k = {
        .r = r, .zh = str_eq(r->question->language, STR("zh")), .best = -1e9f, .out = out};
    size_t mark = arena_mark(r->arena);
    struct line *line = arena_alloc(r->arena, sizeof *line);

    *out = (struct span_choice){0};
    if (!line)
        return err_arena(err, r->arena);
    if (!asking_read(r, &k.asking, err))
        return false;
    for (size_t i = 0; i < r->count && i < SPAN_SENTENCES; i++) {
        const struct candidate *c = &r->ranked[i];
        struct sentence s = c->found->sentences[c->sentence];

        *line = (struct line){.sentence = c,
                              .text = c->found->passage.blocks[s.block].text,
                              .lead = r->ranked[0].score - c->score,
                              .place = (uint32_t)i};
        k.title = c->found->title;
        if (!tokens_read(r, line->text, s.from, s.to, false, &line->tokens, err))
            return false;
        measure(line);
        find_words(&k.asking, line);
        add_sentence(&line->ids, &k, line);
        walk(&k, line);
    }
    if (out->count) {
        out->share = (float)(1 / k.all);
        out->odds = k.best + (float)log(k.all);
        out->margin = out->count > 1 ? out->best[0].score - out->best[1].score : 4;
        out->agree = agreement(k.asking.ask, (enum span_type)out->best[0].type);
    }
    arena_rewind(r->arena, mark);
    return true;
}
