/* BM25, a passage at a time (MaxScore with block maxima: Turtle & Flood 1995, Ding & Suel 2011). Lists
 * are sorted by what they can add at most. Those that together cannot lift a passage above the worst
 * hit so far are only asked about passages that the others have found; and where the current blocks
 * together cannot, none of their postings is looked at. Where many lists matter they are added up a window of
 * passages at a time, so that no passage costs a look at each list. What is found is what adding everything up
 * would find: tests compare the two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/cursor.h"
#include "index/lexical_internal.h"

#define PAIR_WEIGHT 0.4
#define ASKED_MAX   512 /* distinct terms of a question that count */

struct str term_key(const struct term *term, char bytes[TERM_BYTES_MAX + 1])
{
    ASSERT(term->text.len <= TERM_BYTES_MAX);
    bytes[0] = term->field == TERM_WORD ? 'w' : 'p';
    memcpy(bytes + 1, term->text.ptr, term->text.len);
    return (struct str){bytes, term->text.len + 1};
}

/* --- what a term is worth --------------------------------------------------------------------- */

static double idf(uint64_t passages, uint64_t with_term)
{
    double n = (double)passages, df = (double)with_term;

    return log(1.0 + (n - df + 0.5) / (df + 0.5));
}

static uint64_t allowed_in(const struct lexical_filter *filter, uint32_t segment,
                           const struct term_entry *entry, uint64_t most)
{
    uint64_t sum = 0;

    for (struct postings p = segment_postings(filter->view->at[segment], entry);
         sum < most && postings_next(&p);)
        sum += filter_allows(filter, segment, p.passage);
    return sum;
}

static uint64_t count_with(const struct lexical_view *view, const struct lexical_filter *filter,
                           struct str key, uint64_t most)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < view->count && sum < most; i++) {
        struct term_entry entry;

        if (segment_find_term(view->at[i], key, &entry))
            sum += filter ? allowed_in(filter, i, &entry, most - sum) : entry.passages;
    }
    return MIN_OF(sum, most);
}

uint64_t passages_with(const struct lexical_view *view, const struct lexical_filter *filter,
                       struct str key)
{
    return count_with(view, filter, key, UINT64_MAX);
}

uint64_t lexical_passages_of(const struct lexical_view *view, const struct lexical_filter *filter,
                             const struct term *term, uint64_t most)
{
    char bytes[TERM_BYTES_MAX + 1];

    return count_with(view, filter, term_key(term, bytes), most);
}

static uint64_t passages_in(const struct lexical_view *view, const struct lexical_filter *filter)
{
    return filter ? filter->passages : view->passages;
}

float lexical_idf(const struct lexical_view *view, const struct lexical_filter *filter,
                  const struct term *term)
{
    char bytes[TERM_BYTES_MAX + 1];

    return (float)idf(passages_in(view, filter),
                      passages_with(view, filter, term_key(term, bytes)));
}

static struct worth worth_of(const struct lexical_view *view, const struct lexical_filter *filter,
                             const struct term *term, uint64_t with_term)
{
    uint64_t passages = passages_in(view, filter);
    uint64_t length = filter ? filter->lengths[term->field] : view->lengths[term->field];

    return (struct worth){
        .weight = idf(passages, with_term) * (term->field == TERM_PAIR ? PAIR_WEIGHT : 1.0),
        .average = passages && length ? (double)length / (double)passages : 1.0,
        .field = term->field,
    };
}

/* --- the best so far -------------------------------------------------------------------------- */

/* Where a cursor stands: of thirty cursors, too large to be near each other, this is asked for every passage. */
struct lane {
    uint32_t passage, block_last;
    double block_bound;
};

/* So many passages, to which many lists are added up one after the other: cheaper than to ask all of them for each passage
 * which one comes next. */
#define WINDOW       2048u
#define AHEAD        6            /* postings: how long a passage is lies in cold memory */
#define WINDOW_LISTS 6            /* or more; fewer are read side by side */
#define WINDOW_FOUND (64u * 1024) /* postings: of more than 32 lists the window is narrower */
struct window {
    uint64_t has[WINDOW / 64]; /* those that a list has */
    double sums[WINDOW];       /* of these lists */
    double norms[TERM_FIELDS][WINDOW];
    uint32_t found[WINDOW]; /* the newest of its postings, counted from 1 */
    struct found {
        uint32_t before; /* the passage's one before, or 0 */
        uint32_t cursor;
        double score;
    } * all; /* of the lists that matter */
    uint32_t count;
    uint32_t width; /* passages, at most WINDOW */
    double *parts;  /* of a passage's score, by cursor; those that it has are above 0 */
};

struct search {
    const struct lexical_view *view;
    const struct lexical_query *query;
    struct asked {
        char bytes[TERM_BYTES_MAX + 1];
        struct str key;
        struct worth worth;
        struct term_entry *entries; /* [view->count]; no passages: the segment has no such term */
    } * asked;
    size_t asked_count;
    struct lexical_hits hits;
    double *scores;                     /* of the hits */
    double most;                        /* what must be exceeded */
    struct cursor *cursors, **by_bound; /* of the segment being read */
    struct lane *lanes;                 /* of by_bound */
    double *sums;                       /* bounds of by_bound[0..i] */
    size_t count;
    uint32_t normed; /* the passage whose norms these are */
    double norms[TERM_FIELDS];
    struct worth fields[TERM_FIELDS]; /* of any term of the field */
    uint32_t sure_below;              /* until this passage skip_blocks() would skip nothing */
    struct window *window;
    uint32_t segment;
    uint64_t numbered; /* passages of the segments before */
};

/* Equals stand by their documents' keys, so that neither what is found nor its order tells how the index came
 * to be what it is. */
static bool comes_before(const struct search *s, double score, uint64_t passage, size_t hit)
{
    uint64_t other = s->hits.at[hit].passage;

    if (score != s->scores[hit])
        return score > s->scores[hit];
    int order = str_cmp(lexical_hit_at(s->view, passage).key, lexical_hit_at(s->view, other).key);
    return order ? order < 0 : passage < other;
}

/* Hits are a heap while they are collected: each stands behind those below it, the worst is the first. */
static void put_hit(struct search *s, size_t at, double score, uint64_t passage)
{
    s->hits.at[at] = (struct lexical_hit){.passage = passage, .score = (float)score};
    s->scores[at] = score;
}

static void move_hit(struct search *s, size_t from, size_t to)
{
    put_hit(s, to, s->scores[from], s->hits.at[from].passage);
}

/* The free place moves down from `at` until the hit may stand there. */
static void sink(struct search *s, size_t at, size_t count, double score, uint64_t passage)
{
    for (size_t below; (below = 2 * at + 1) < count; at = below) {
        if (below + 1 < count &&
            comes_before(s, s->scores[below], s->hits.at[below].passage, below + 1))
            below++;
        if (!comes_before(s, score, passage, below))
            break;
        move_hit(s, below, at);
    }
    put_hit(s, at, score, passage);
}

static void rise(struct search *s, size_t at, double score, uint64_t passage)
{
    for (size_t above; at > 0 && !comes_before(s, score, passage, above = (at - 1) / 2); at = above)
        move_hit(s, above, at);
    put_hit(s, at, score, passage);
}

static void keep(struct search *s, double score, uint64_t passage)
{
    struct lexical_hits *hits = &s->hits;

    if (score <= s->most)
        return;
    if (hits->count < s->query->limit)
        rise(s, hits->count++, score, passage);
    else if (comes_before(s, score, passage, 0))
        sink(s, 0, hits->count, score, passage);
    if (hits->count == s->query->limit) /* what equals the worst hit may still come before it */
        s->most = nextafter(s->scores[0], 0.0);
}

/* Best first: the worst goes behind the rest, again and again. */
static void sort_hits(struct search *s)
{
    for (size_t left = s->hits.count; left-- > 1;) {
        double score = s->scores[left];
        uint64_t passage = s->hits.at[left].passage;

        move_hit(s, 0, left);
        sink(s, 0, left, score, passage);
    }
}

/* --- one segment ------------------------------------------------------------------------------ */

static int compare_bounds(const void *a, const void *b)
{
    const struct cursor *const *left = a, *const *right = b;

    if ((*left)->bound != (*right)->bound)
        return (*left)->bound > (*right)->bound ? 1 : -1;
    return ((*left)->order > (*right)->order) - ((*left)->order < (*right)->order);
}

static void look(struct search *s, size_t i)
{
    const struct cursor *c = s->by_bound[i];

    s->lanes[i] = (struct lane){c->passage, c->block_last, c->block_bound};
}

static void seek(struct search *s, size_t i, uint32_t passage)
{
    cursor_seek(s->by_bound[i], passage);
    look(s, i);
}

static void open_cursors(struct search *s)
{
    double sum = 0;

    s->count = 0;
    s->sure_below = 0;
    s->normed = CURSOR_END;
    for (size_t i = 0; i < s->asked_count; i++) {
        const struct term_entry *entry = &s->asked[i].entries[s->segment];

        if (!entry->passages)
            continue;
        struct cursor *c = &s->cursors[s->count];
        c->order = (uint32_t)i;
        cursor_open(c, s->view->at[s->segment], entry, &s->asked[i].worth);
        s->by_bound[s->count++] = c;
    }
    qsort(s->by_bound, s->count, sizeof *s->by_bound, compare_bounds);
    for (size_t i = 0; i < s->count; i++) {
        s->sums[i] = sum += s->by_bound[i]->bound;
        look(s, i);
    }
}

/* The lists before this one together cannot lift a passage above the threshold. */
static size_t first_that_matters(const struct search *s, size_t from)
{
    while (from < s->count && s->sums[from] <= s->most)
        from++;
    return from;
}

static uint32_t next_passage(const struct search *s, size_t first)
{
    uint32_t next = CURSOR_END;

    for (size_t i = first; i < s->count; i++)
        next = MIN_OF(next, s->lanes[i].passage);
    return next;
}

/* Where the blocks of the lists that matter stand, nothing can exceed the threshold: behind the first of
 * them to end there may be something. */
static bool skip_blocks(struct search *s, size_t first)
{
    double sum = first ? s->sums[first - 1] : 0;
    uint32_t end = CURSOR_END;

    for (size_t i = first; i < s->count; i++) {
        if (s->lanes[i].passage == CURSOR_END)
            continue;
        sum += s->lanes[i].block_bound;
        end = MIN_OF(end, s->lanes[i].block_last);
    }
    s->sure_below = end;
    if (sum > s->most || end == CURSOR_END)
        return false;
    for (size_t i = first; i < s->count; i++)
        seek(s, i, end + 1);
    return true;
}

/* The passage's length is read once for all lists that have it. */
static double score_here(struct search *s, const struct cursor *c)
{
    if (s->normed != c->passage) {
        struct passage_entry entry = segment_passage(c->segment, c->passage);

        for (int f = 0; f < TERM_FIELDS; f++)
            s->norms[f] = cursor_norm(&s->fields[f], entry.lengths[f]);
        s->normed = c->passage;
    }
    return cursor_score(c, s->norms[c->worth.field]);
}

/* With what the lists that matter say, and then the others, largest first, while it is worth asking. */
static bool may_exceed(struct search *s, size_t first, uint32_t passage)
{
    double known = 0, bound = first ? s->sums[first - 1] : 0, most = s->most;

    for (size_t i = first; i < s->count; i++)
        if (s->lanes[i].passage == passage)
            bound += cursor_score_bound(s->by_bound[i]);
    if (bound * (1.0 + 1e-9) <= most)
        return false;
    for (size_t i = first; i < s->count; i++)
        if (s->lanes[i].passage == passage)
            known += score_here(s, s->by_bound[i]);
    for (size_t i = first; i-- > 0;) {
        struct cursor *c = s->by_bound[i];
        double rest = i ? s->sums[i - 1] : 0;

        if ((known + s->sums[i]) * (1.0 + 1e-9) <= most ||
            (known + rest + cursor_bound_at(c, passage)) * (1.0 + 1e-9) <= most)
            return false;
        seek(s, i, passage);
        if (c->passage == passage)
            known += score_here(s, c);
    }
    return known * (1.0 + 1e-9) > most;
}

/* In the order of the question's terms, so that a score does not depend on what was skipped. */
static double score_of(struct search *s, uint32_t passage)
{
    double sum = 0;

    for (size_t i = 0; i < s->count; i++)
        if (s->cursors[i].passage == passage)
            sum += score_here(s, &s->cursors[i]);
    return sum;
}

/* --- many lists at once ----------------------------------------------------------------------- */

static void enter(struct search *s, struct window *w, uint32_t at, uint32_t passage)
{
    struct passage_entry entry = segment_passage(s->view->at[s->segment], passage);

    w->has[at / 64] |= 1ull << at % 64;
    w->sums[at] = 0;
    w->found[at] = 0;
    for (int f = 0; f < TERM_FIELDS; f++)
        w->norms[f][at] = cursor_norm(&s->fields[f], entry.lengths[f]);
}

/* The list's postings from `begin` to the window's end. */
static void add_list(struct search *s, size_t i, uint32_t begin)
{
    struct cursor *c = s->by_bound[i];
    struct window *w = s->window;
    uint32_t which = (uint32_t)(c - s->cursors);

    /* A list has a passage once, so there is room, but for a checksum that lies. */
    for (; c->passage - begin < w->width && w->count < WINDOW_FOUND; cursor_next(c)) {
        uint32_t at = c->passage - begin;

        segment_passage_soon(c->segment, c->passages[MIN_OF(c->at + AHEAD, c->count - 1)]);
        if (!(w->has[at / 64] >> at % 64 & 1))
            enter(s, w, at, c->passage);
        double score = cursor_score(c, w->norms[c->worth.field][at]);
        w->all[w->count] = (struct found){w->found[at], which, score};
        w->found[at] = ++w->count;
        w->sums[at] += score;
    }
    look(s, i);
}

/* The others, largest first, while it is worth asking; what they add is put down in parts. */
static bool others_lift(struct search *s, size_t first, uint32_t passage, double known)
{
    for (size_t i = first; i-- > 0;) {
        struct cursor *c = s->by_bound[i];
        double rest = i ? s->sums[i - 1] : 0;

        if ((known + s->sums[i]) * (1.0 + 1e-9) <= s->most ||
            (known + rest + cursor_bound_at(c, passage)) * (1.0 + 1e-9) <= s->most)
            return false;
        seek(s, i, passage);
        if (c->passage == passage)
            known += s->window->parts[c - s->cursors] = score_here(s, c);
    }
    return known * (1.0 + 1e-9) > s->most;
}

/* In the order of the question's terms, like score_of(). */
static void weigh(struct search *s, size_t first, uint32_t at, uint32_t passage)
{
    struct window *w = s->window;
    double sum = 0;

    for (size_t i = 0; i < s->count; i++)
        w->parts[i] = 0;
    for (uint32_t n = w->found[at]; n; n = w->all[n - 1].before)
        w->parts[w->all[n - 1].cursor] = w->all[n - 1].score;
    if (!others_lift(s, first, passage, w->sums[at]))
        return;
    for (size_t i = 0; i < s->count; i++)
        sum += w->parts[i];
    keep(s, sum, s->numbered + passage);
}

static void read_window(struct search *s, size_t first, uint32_t begin)
{
    const struct lexical_filter *filter = s->query->filter;
    struct window *w = s->window;
    double others = first ? s->sums[first - 1] : 0;

    w->count = 0;
    w->width = MIN_OF(WINDOW, WINDOW_FOUND / (uint32_t)(s->count - first));
    memset(w->has, 0, sizeof w->has);
    for (size_t i = first; i < s->count; i++)
        add_list(s, i, begin);
    for (uint32_t n = 0; n < WINDOW / 64; n++)
        for (uint64_t bits = w->has[n]; bits; bits &= bits - 1) {
            uint32_t at = n * 64 + (uint32_t)__builtin_ctzll(bits);

            if ((w->sums[at] + others) * (1.0 + 1e-9) > s->most &&
                (!filter || filter_allows(filter, s->segment, begin + at)))
                weigh(s, first, at, begin + at);
        }
}

static void read_segment(struct search *s)
{
    const struct lexical_filter *filter = s->query->filter;
    size_t first = first_that_matters(s, 0);
    uint32_t passage;

    while ((passage = next_passage(s, first)) != CURSOR_END) {
        if (passage >= s->sure_below && skip_blocks(s, first))
            continue;
        if (s->count - first >= WINDOW_LISTS) {
            read_window(s, first, passage);
            first = first_that_matters(s, first);
            s->sure_below = 0;
            continue;
        }
        if ((!filter || filter_allows(filter, s->segment, passage)) &&
            may_exceed(s, first, passage)) {
            keep(s, score_of(s, passage), s->numbered + passage);
            first = first_that_matters(s, first);
            s->sure_below = 0;
        }
        for (size_t i = first; i < s->count; i++) {
            if (s->lanes[i].passage != passage)
                continue;
            cursor_next(s->by_bound[i]);
            look(s, i);
        }
    }
}

/* --- the door --------------------------------------------------------------------------------- */

static bool is_repeat(const struct search *s, struct str key)
{
    for (size_t j = 0; j < s->asked_count; j++)
        if (str_eq(s->asked[j].key, key))
            return true;
    return false;
}

/* How many passages have it, that may be seen. */
static uint64_t look_up(const struct search *s, const struct asked *asked)
{
    const struct lexical_filter *filter = s->query->filter;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < s->view->count; i++) {
        struct term_entry *entry = &asked->entries[i];

        if (!segment_find_term(s->view->at[i], asked->key, entry))
            entry->passages = 0;
        sum +=
            filter && entry->passages ? allowed_in(filter, i, entry, UINT64_MAX) : entry->passages;
    }
    return sum;
}

static void ask(struct search *s, size_t i)
{
    const struct term *term = &s->query->terms->at[i];
    struct asked *asked = &s->asked[s->asked_count];

    asked->key = term_key(term, asked->bytes);
    if (term->stop || is_repeat(s, asked->key))
        return;
    asked->worth = worth_of(s->view, s->query->filter, term, look_up(s, asked));
    s->fields[term->field] = asked->worth;
    asked->worth.weight *= s->query->weights ? (double)s->query->weights[i] : 1.0;
    s->asked_count++;
}

/* In an arena of its own, which goes with the search: whoever asks keeps what is found. */
static bool make_window(struct search *s, struct arena **arena, struct err *err)
{
    struct window *w;

    *arena =
        arena_new(sizeof *w + WINDOW_FOUND * sizeof *w->all + ASKED_MAX * sizeof *w->parts + KIB);
    w = *arena ? arena_alloc_raw(*arena, sizeof *w) : NULL;
    if (!w)
        return err_no_room(err, "no memory to search");
    w->all = arena_alloc_raw(*arena, WINDOW_FOUND * sizeof *w->all);
    w->parts = arena_array(*arena, ASKED_MAX, sizeof *w->parts);
    s->window = w;
    return (w->all && w->parts) || err_arena(err, *arena);
}

static bool prepare(struct search *s, struct arena *arena, struct err *err)
{
    size_t terms = MIN_OF(s->query->terms->count, (size_t)ASKED_MAX);

    s->hits.at = arena_array(arena, s->query->limit + 1, sizeof *s->hits.at);
    s->scores = arena_array(arena, s->query->limit + 1, sizeof *s->scores);
    s->asked = arena_array(arena, terms + 1, sizeof *s->asked);
    if (!s->hits.at || !s->scores || !s->asked)
        return err_arena(err, arena);
    for (size_t i = 0; i < terms; i++) {
        s->asked[i].entries = arena_array(arena, s->view->count + 1, sizeof *s->asked[i].entries);
        if (!s->asked[i].entries)
            return err_arena(err, arena);
    }
    for (size_t i = 0; i < s->query->terms->count && s->asked_count < terms; i++)
        ask(s, i);
    s->cursors = arena_array(arena, s->asked_count + 1, sizeof *s->cursors);
    s->by_bound = arena_array(arena, s->asked_count + 1, sizeof *s->by_bound);
    s->lanes = arena_array(arena, s->asked_count + 1, sizeof *s->lanes);
    s->sums = arena_array(arena, s->asked_count + 1, sizeof *s->sums);
    return (s->cursors && s->by_bound && s->lanes && s->sums) || err_arena(err, arena);
}

struct lexical_hit lexical_hit_at(const struct lexical_view *view, uint64_t passage)
{
    const struct segment *const *s = (const struct segment *const *)view->at;
    uint64_t i = passage;

    ASSERT(passage < view->passages);
    for (; i >= (*s)->passages; s++)
        i -= (*s)->passages;
    struct passage_entry entry = segment_passage(*s, (uint32_t)i);
    struct document_entry document = segment_document(*s, entry.document);
    return (struct lexical_hit){.key = segment_key(*s, &document),
                                .document_record = newest_record(view, *s, &document),
                                .record = segment_passage_record(*s, &entry),
                                .cuts = segment_passage_cuts(*s, &entry),
                                .passage = passage};
}

bool lexical_search(const struct lexical_view *view, struct arena *arena,
                    const struct lexical_query *query, struct lexical_hits *out, struct err *err)
{
    struct arena *own CLEANUP(arena_end) = NULL;
    struct search s = {.view = view, .query = query};

    for (int f = 0; f < TERM_FIELDS; f++)
        s.fields[f].average = 1;

    ASSERT(query->limit > 0 && query->limit <= LEXICAL_LIMIT_MAX);
    ASSERT(!query->filter || query->filter->view == view);
    if (!prepare(&s, arena, err) || (s.asked_count >= WINDOW_LISTS && !make_window(&s, &own, err)))
        return false;
    for (; s.segment < view->count; s.segment++) {
        open_cursors(&s);
        read_segment(&s);
        s.numbered += view->at[s.segment]->passages;
    }
    sort_hits(&s);
    for (size_t i = 0; i < s.hits.count; i++) {
        struct lexical_hit *hit = &s.hits.at[i];
        float score = hit->score;

        *hit = lexical_hit_at(view, hit->passage);
        hit->score = score;
    }
    *out = s.hits;
    return true;
}
