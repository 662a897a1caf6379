/* Which sentences an answer cites, and the answer. */
#include "knowledge/answer.h"

#include <math.h>

#include "knowledge/listing.h"

#define TEXT_MAX       ((size_t)256 * KIB)
#define LIST_ITEMS_MAX 64   /* that follow their introduction into an answer */
#define EQUAL_SCORE    0.3f /* as good as the best: which of them answers cannot be told */
#define EQUAL_ELSEWHERE \
    0.1f                 /* ... in another passage: what is about something else scores well, too */
#define NEAR_SCORE  1.0f /* a further sentence may be this much below the best */
#define WORDS_SHARE 0.05f /* of all that could be marked: below it the words are a guess */
#define NEW_SHARE   0.15f /* ... and must cover this much more of the question */

static enum block_kind kind_of(const struct found *found, size_t sentence)
{
    return found->passage.blocks[found->sentences[sentence].block].kind;
}

static struct str words_of(const struct found *found, size_t sentence)
{
    struct sentence s = found->sentences[sentence];

    return str_slice(found->passage.blocks[s.block].text, s.from, s.to);
}

/* "You need:" says nothing without the items below it. */
static size_t last_of_list(const struct found *found, size_t sentence)
{
    struct str text = words_of(found, sentence);
    size_t last = sentence;

    if (!str_ends(text, STR(":")) && !str_ends(text, STR("：")))
        return sentence;
    while (last + 1 < found->sentence_count && last < sentence + LIST_ITEMS_MAX &&
           (kind_of(found, last + 1) == BLOCK_ITEM || kind_of(found, last + 1) == BLOCK_ROW))
        last++;
    return last;
}

/* --- choosing --------------------------------------------------------------------------------- */

static float share_of(const struct question *q, uint64_t bits)
{
    float sum = 0;

    for (size_t i = 0; i < q->asked_count; i++)
        if (bits >> i & 1 && q->asked[i].term.field == TERM_WORD)
            sum += q->asked[i].idf;
    return q->word_idf > 0 ? sum / q->word_idf : 0;
}

/* "Is X covered?" is answered by the sentence that says so together with the one that says when not. */
static bool is_exception(const struct inquiry *q, const struct candidate *c)
{
    const struct candidate *best = &q->ranked[0];

    return q->question.polar && c->found == best->found &&
           c->features[F_NEGATED] != best->features[F_NEGATED] &&
           share_of(&q->question, c->words) >= share_of(&q->question, best->words);
}

/* The best sentence, and at most two more: those as good as it, and those nearly as good that add to what
 * is covered. */
static size_t choose_sentences(const struct inquiry *q, const struct candidate *chosen[])
{
    uint64_t covered = q->ranked[0].words;
    size_t count = 1;

    chosen[0] = &q->ranked[0];
    for (size_t i = 1; i < q->ranked_count && count < CITATIONS_MAX; i++) {
        const struct candidate *c = &q->ranked[i];

        if (c->score < q->ranked[0].score - 2 * NEAR_SCORE)
            break;
        if (is_exception(q, c)) {
            chosen[count++] = c;
            continue;
        }
        if (c->score < q->ranked[0].score - NEAR_SCORE)
            continue;
        float equal = c->found == q->ranked[0].found ? EQUAL_SCORE : EQUAL_ELSEWHERE;
        if (c->score < q->ranked[0].score - equal &&
            share_of(&q->question, c->words & ~covered) < NEW_SHARE)
            continue;
        if (c->found == chosen[0]->found && c->sentence <= chosen[0]->sentence + 1 &&
            c->sentence + 1 >= chosen[0]->sentence && refers_back(words_of(c->found, c->sentence)))
            continue; /* it comes along with its neighbour */
        covered |= c->words;
        chosen[count++] = c;
    }
    return count;
}

static bool same_block(const struct found *found, size_t a, size_t b)
{
    return found->sentences[a].block == found->sentences[b].block;
}

static uint64_t words_of_sentence(const struct inquiry *q, const struct found *found, size_t i)
{
    for (size_t k = 0; k < q->ranked_count; k++)
        if (q->ranked[k].found == found && q->ranked[k].sentence == i)
            return q->ranked[k].words;
    return 0;
}

/* "Its limit is ..." needs the sentence before it, and "They expire on ..." belongs to the one before when
 * it says what was asked. */
static void widen(const struct inquiry *q, const struct candidate *c, size_t *first, size_t *last)
{
    const struct found *found = c->found;
    size_t i = c->sentence;

    *first = i;
    *last = last_of_list(found, i);
    if (i > 0 && same_block(found, i - 1, i) && refers_back(words_of(found, i)))
        *first = i - 1;
    if (*last == i && i + 1 < found->sentence_count && same_block(found, i, i + 1) &&
        refers_back(words_of(found, i + 1)) &&
        share_of(&q->question, words_of_sentence(q, found, i + 1) & ~c->words) > 0)
        *last = i + 1;
}

/* The best words within what is cited. None for "yes or no?", and none when they are as good as guessed. */
struct cited {
    const struct found *found;
    size_t first, last; /* sentences */
};
static void mark_words(const struct inquiry *q, const struct cited *cited, struct grounded *out)
{
    const struct span *best = NULL;
    size_t where = 0;

    for (size_t i = 0; i < SPAN_SENTENCES && !q->question.polar; i++) {
        const struct span *span = &q->spans.of[i];

        for (size_t k = 0; k < out->citation_count && span->words; k++) {
            const struct candidate *c = span->sentence;

            if (c->found == cited[k].found && c->sentence >= cited[k].first &&
                c->sentence <= cited[k].last && (!best || best->score < span->score)) {
                best = span;
                where = k;
            }
        }
    }
    if (!best || expf(best->score - q->spans.odds) < WORDS_SHARE)
        return;
    const struct found *found = cited[where].found;
    struct citation *c = &out->citations[where];
    uint32_t block = found->sentences[best->sentence->sentence].block;
    struct origin origin = block_origin(&found->passage.blocks[block], best->from, best->to);
    size_t at = cite_place(found, found->sentences[cited[where].first], block, best->from);

    c->words = (struct citation_words){.text = str_slice(c->quote, at, at + best->to - best->from),
                                       .byte_first = origin.byte_first,
                                       .byte_end = origin.byte_end,
                                       .quote_first = (uint32_t)at,
                                       .quote_end = (uint32_t)(at + best->to - best->from)};
}

void inquiry_tell_way(const struct inquiry *q, const struct found *found, struct citation *c)
{
    if (!q->ways)
        return;
    c->steps = q->ways[found - q->found].steps;
    c->step_count = q->ways[found - q->found].step_count;
}

/* "What special leave is there?" is answered by the list, not by a sentence beside it: the one in the passage of the best
 * sentence, if there is one alone. */
static bool find_list(const struct candidate *best, struct cited *out)
{
    const struct found *found = best->found;
    size_t lists = 0;

    for (size_t i = 0; i + 1 < found->sentence_count; i++) {
        size_t last = last_of_list(found, i);

        if (last == i || kind_of(found, i + 1) != BLOCK_ITEM)
            continue;
        *out = (struct cited){found, i, last};
        lists++;
        i = last;
    }
    return lists == 1;
}

static void take_list(const struct inquiry *q, const struct candidate *best, struct cited *at)
{
    struct cited list;

    if (kind_of(best->found, best->sentence) != BLOCK_ROW && asks_for_list(q->question.text) &&
        find_list(best, &list))
        *at = list;
}

static bool lies_within(const struct cited *one, const struct cited *other)
{
    return one->found == other->found && one->first >= other->first && one->last <= other->last;
}

static bool is_listed(const struct found *found, size_t sentence)
{
    enum block_kind kind = kind_of(found, sentence);

    return kind == BLOCK_ITEM || kind == BLOCK_ROW;
}

/* Of a list below its introduction only the first are shown, or it ends with its passage and not in its document. */
static bool list_goes_on(const struct access *access, struct arena *arena, const struct cited *at)
{
    const struct found *found = at->found;

    if (same_block(found, at->first, at->last) || !is_listed(found, at->last))
        return false;
    return at->last + 1 < found->sentence_count ? is_listed(found, at->last + 1)
                                                : listing_goes_on(found, access, arena);
}

/* Nobody takes a part of a list for the whole. */
static bool mark_rest(const struct access *access, struct arena *arena, const struct cited *at,
                      struct citation *c, struct err *err)
{
    c->goes_on = list_goes_on(access, arena, at);
    if (c->goes_on)
        c->said = arena_fmt(arena, STR_FMT "\n- …", STR_ARG(c->said));
    return c->said.ptr || err_arena(err, arena);
}

static bool cite_chosen(const struct access *access, struct arena *arena, const struct inquiry *q,
                        struct grounded *out, struct err *err)
{
    const struct candidate *chosen[CITATIONS_MAX];
    struct cited cited[CITATIONS_MAX];
    size_t count = choose_sentences(q, chosen);

    for (size_t i = 0; i < count; i++) {
        struct citation *c = &out->citations[out->citation_count];
        struct cited *at = &cited[out->citation_count];

        *at = (struct cited){.found = chosen[i]->found};
        widen(q, chosen[i], &at->first, &at->last);
        if (i == 0)
            take_list(q, chosen[0], at);
        else if (lies_within(at, &cited[0]))
            continue;
        if (!cite_sentences(arena, at->found, at->first, at->last, c, err) ||
            !cite_said(arena, at->found, at->first, at->last, c, err) ||
            !mark_rest(access, arena, at, c, err))
            return false;
        inquiry_tell_way(q, at->found, c);
        out->citation_count++;
    }
    mark_words(q, cited, out);
    out->verdict = q->verdict;
    for (size_t i = 1; i < count; i++) /* two sentences, two minds: the reader's */
        if (is_exception(q, chosen[i]))
            out->verdict = POLARITY_NONE;
    return true;
}

/* The sentences of what a rule picked. */
static struct cited sentences_of(const struct picked *picked)
{
    const struct found *found = picked->found;
    struct cited c = {.found = found};

    while (c.first + 1 < found->sentence_count &&
           (found->sentences[c.first].block < picked->first.block ||
            (found->sentences[c.first].block == picked->first.block &&
             found->sentences[c.first].from < picked->first.from)))
        c.first++;
    for (c.last = c.first; c.last + 1 < found->sentence_count; c.last++) {
        struct sentence next = found->sentences[c.last + 1];

        if (next.block > picked->last.block ||
            (next.block == picked->last.block && next.to > picked->last.to))
            break;
    }
    return c;
}

static bool cite_picked(struct arena *arena, const struct inquiry *q, struct grounded *out,
                        struct err *err)
{
    struct cited cited[PICKED_MAX];

    for (size_t i = 0; i < q->pick.count; i++) {
        struct citation *c = &out->citations[i];
        struct cited *at = &cited[i];

        *at = sentences_of(&q->pick.at[i]);
        if (!cite_sentences(arena, at->found, at->first, at->last, c, err) ||
            !cite_said(arena, at->found, at->first, at->last, c, err))
            return false;
        inquiry_tell_way(q, at->found, c);
        out->citation_count++;
    }
    if (q->pick.count == 1 && q->pick.kind != PICK_COUNT)
        mark_words(q, cited, out);
    return true;
}

/* The best sentence of each of the nearest passages. */
static bool cite_nearest(struct arena *arena, const struct inquiry *q, struct grounded *out,
                         struct err *err)
{
    for (size_t i = 0; i < q->found_count && out->citation_count < CITATIONS_MAX; i++) {
        for (size_t k = 0; k < q->ranked_count; k++) {
            if (q->ranked[k].found != &q->found[i])
                continue;
            if (!cite_sentences(arena, &q->found[i], q->ranked[k].sentence, q->ranked[k].sentence,
                                &out->citations[out->citation_count], err))
                return false;
            inquiry_tell_way(q, &q->found[i], &out->citations[out->citation_count]);
            out->citation_count++;
            break;
        }
    }
    return true;
}

/* --- the whole ------------------------------------------------------------------------------------ */

/* Also where there are documents that this one may not see: it must not matter whether there are. */
static bool is_empty(const struct access *access)
{
    return access->filter ? lexical_filter_passages(access->filter) == 0
                          : lexical_stats(access->view).documents == 0;
}

bool ground(const struct access *access, struct arena *arena, const struct inquiry *q,
            struct grounded *out, struct err *err)
{
    bool zh = str_eq(q->question.language, STR("zh"));
    struct grounded g = {
        .language = q->question.language, .confidence = q->confidence, .retrieval = q->retrieval};
    struct buf b;

    g.answered = q->ranked_count > 0 && q->answerable >= answer_bar;
    g.citations = arena_array(arena, CITED_MAX, sizeof *g.citations);
    if (!g.citations)
        return err_arena(err, arena);
    if (!(!g.answered    ? cite_nearest(arena, q, &g, err)
          : q->pick.kind ? cite_picked(arena, q, &g, err)
                         : cite_chosen(access, arena, q, &g, err)))
        return false;
    buf_init(&b, arena, 4 * TEXT_MAX);
    if (q->read_as.len)
        buf_fmt(&b, STR_FMT "\n\n", STR_ARG(q->read_as));
    if (g.answered && q->pick.kind == PICK_COUNT)
        answer_write_count(&b, &q->pick, zh);
    if (g.answered)
        answer_write(&b, &g, zh);
    else if (is_empty(access))
        refusal_write_empty(&b, zh);
    else
        refusal_write(&b, &g, &q->missing, zh);
    if (!buf_finish(&b, &g.text, err))
        return false;
    *out = g;
    return true;
}
