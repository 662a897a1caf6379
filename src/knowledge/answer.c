#include "knowledge/answer.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/settle.h"
#include "knowledge/vectors.h"

#define TEXT_MAX       ((size_t)256 * KIB)
#define LIST_ITEMS_MAX 8    /* that follow their introduction into an answer */
#define EQUAL_SCORE    0.3f /* as good as the best: which of them answers cannot be told */
#define EQUAL_ELSEWHERE \
    0.1f                 /* ... in another passage: what is about something else scores well, too */
#define NEAR_SCORE  1.0f /* a further sentence may be this much below the best */
#define WORDS_SHARE 0.05f /* of all that could be marked: below it the words are a guess */
#define NEW_SHARE   0.15f /* ... and must cover this much more of the question */

/* --- document records ------------------------------------------------------------------------- */

void document_record_write(struct buf *to, const struct document_record *r)
{
    record_put_str(to, r->path);
    record_put_str(to, r->source);
    record_put_str(to, r->root);
    record_put_str(to, r->title);
    record_put_str(to, r->language);
    record_put_str(to, (struct str){(const char *)r->hash.bytes, sizeof r->hash.bytes});
    record_put_number(to, r->bytes);
    record_put_number(to, (uint64_t)r->ingested);
    record_put_str(to, r->readers);
    record_put_str(to, r->metadata);
    record_put_number(to, r->version);
    record_put_str(to, r->mark);
}

bool document_record_read(struct str bytes, struct document_record *out)
{
    struct document_record r = {.version = 1};
    struct str rest = bytes, hash;
    uint64_t ingested;

    if (!record_str(&rest, &r.path) || !record_str(&rest, &r.source) ||
        !record_str(&rest, &r.root) || !record_str(&rest, &r.title) ||
        !record_str(&rest, &r.language) || !record_str(&rest, &hash) ||
        hash.len != sizeof r.hash.bytes || !record_number(&rest, &r.bytes) ||
        !record_number(&rest, &ingested))
        return false;
    /* Records of the first format end here. */
    if (rest.len > 0 && (!record_str(&rest, &r.readers) || !record_str(&rest, &r.metadata) ||
                         !record_number(&rest, &r.version)))
        return false;
    /* Those of the second end here. */
    if (rest.len > 0 && !record_str(&rest, &r.mark))
        return false;
    memcpy(r.hash.bytes, hash.ptr, hash.len);
    r.ingested = (wall_ms)ingested;
    *out = r;
    return true;
}

uint64_t document_content_sign(const struct document_record *record)
{
    uint64_t sign;

    memcpy(&sign, record->hash.bytes, sizeof sign);
    return sign;
}

/* --- inquiry ---------------------------------------------------------------------------------- */

bool found_whole(struct arena *arena, const struct lexical_hits *hits, struct found **out,
                 struct err *err)
{
    if (!found_read(arena, hits, out, err))
        return false;
    for (size_t i = 0; i < hits->count; i++) {
        struct found *found = &(*out)[i];
        struct document_record record;

        if (!document_record_read(found->document_record, &record))
            return err_set(err, ERR_INTERNAL,
                           "could not read the record of document \"" STR_FMT "\"",
                           STR_ARG(found->key));
        found->title = record.title;
    }
    return true;
}

/* "What is the deductible?" rests on that word alone: another of its stem ("20 % are deducted") is no answer. */
static bool is_of_one_word(const struct question *q)
{
    return q->asked_count == 1 && str_eq(q->language, STR("en"));
}

bool inquire_in(const struct span_request *with, const struct lexical_hits *hits, struct inquiry *q,
                struct err *err)
{
    struct span_request r = *with;

    q->ranked_count = 0;
    q->confidence = q->answerable = 0;
    q->found_count = hits->count;
    if (!found_whole(r.arena, hits, &q->found, err) ||
        !candidates_rank(r.analyser, r.arena, &q->question, q->found, q->found_count, &q->ranked,
                         &q->ranked_count, err))
        return false;
    r.question = &q->question;
    r.ranked = q->ranked;
    r.count = q->ranked_count;
    if (!r.weights)
        r.weights = &span_weights[language_number(q->question.language)];
    if (!spans_rank(&r, &q->spans, err))
        return false;
    sentences_settle(language_number(q->question.language), q->ranked, q->ranked_count, &q->spans);
    q->verdict = POLARITY_NONE;
    if (q->ranked_count && !verdict_of(&r, &q->ranked[0], &q->verdict, err))
        return false;
    if (q->ranked_count) {
        signs_of(&q->question, q->ranked, q->ranked_count, &q->spans, q->signs);
        q->confidence = confidence_of(&q->question, q->signs);
        q->answerable = answerable_of(&q->question, q->signs);
    }
    if ((is_of_one_word(&q->question) && inquiry_lacks_thing(q)) || inquiry_has_other_row(q))
        q->answerable = 0;
    return true;
}

/* As one list, by words and by what else the base has; or as knowledge/way.h has it. */
const char *way_of(const struct find_wish *wish, const struct access *access, enum way way)
{
    struct vector_field field;

    if (way == WAY_OVERVIEW)
        way = WAY_WORDS; /* passages of one are found as any */
    return way == WAY_WORDS && wish->knowledge &&
                   vectors_field(wish->knowledge, access->view, &field)
               ? "hybrid"
               : way_name(way);
}

static bool find(const struct way_request *request, const struct find_wish *wish, struct inquiry *q,
                 struct lexical_hits *hits, struct err *err)
{
    struct question_parts parts;
    struct way_found found;

    if (!way_choose(request, &q->way, &parts, err))
        return false;
    q->retrieval = way_of(wish, request->access, q->way);
    if (q->way != WAY_GRAPH)
        return find_passages(request->access, request->arena, wish, hits, err);
    if (!ways_find(request, &found, err))
        return false;
    if (found.limited)
        search_note(wish->question->notes, WAY_LIMITED);
    q->ways = arena_array(request->arena, found.hits.count + 1, sizeof *q->ways);
    if (!q->ways)
        return err_arena(err, request->arena);
    for (size_t i = 0; i < found.hits.count; i++)
        if (!cite_way(request->access, request->arena, &found.paths[i], &q->ways[i], err))
            return false;
    *hits = found.hits;
    return true;
}

static bool tell_readings(const struct way_request *r, const struct find_wish *wish,
                          const struct lexical_hits *hits, struct inquiry *q, struct err *err)
{
    return readings_tell(
        &(struct readings_telling){r->analyser, r->arena, r->text, wish->terms, hits},
        &q->question.readings, wish->question->notes, &q->read_as, err);
}

bool inquire_of(struct knowledge *knowledge, const struct access *access, struct arena *arena,
                const struct knowledge_question *question, struct inquiry *out, struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct inquiry q = {0};
    struct str text = question->text;
    struct way_request request = {
        .access = access, .arena = arena, .limit = PASSAGES_ASKED, .way = WAY_CHOOSE};
    struct find_wish wish = {.knowledge = knowledge,
                             .question = question,
                             .terms = &q.question.terms,
                             .limit = PASSAGES_ASKED};
    struct lexical_hits hits;

    text = str_trim(str_slice(text, 0, utf8_boundary(text, QUESTION_MAX)));
    if (!(knowledge ? analyser_open_kept(knowledge->analysers, &analyser, err)
                    : analyser_open(&analyser, err)))
        return false;
    request.analyser = analyser;
    request.text = text;
    if (!question_read(access, analyser, arena, text, &q.question, err) ||
        !find(&request, &wish, &q, &hits, err) || !tell_readings(&request, &wish, &hits, &q, err) ||
        !inquire_in(&(struct span_request){.access = access, .analyser = analyser, .arena = arena},
                    &hits, &q, err))
        return false;
    *out = q;
    return true;
}

bool inquire(const struct access *access, struct arena *arena, struct str text, struct inquiry *out,
             struct err *err)
{
    struct knowledge_question question = {.text = text};

    return inquire_of(NULL, access, arena, &question, out, err);
}

/* --- citations -------------------------------------------------------------------------------- */

static struct str text_between(const struct found *found, struct sentence first,
                               struct sentence last, struct buf *b)
{
    size_t begin = b->len;

    for (uint32_t i = first.block; i <= last.block; i++) {
        struct str text = found->passage.blocks[i].text;

        if (b->len > begin)
            buf_char(b, ' ');
        buf_str(b, str_slice(text, i == first.block ? first.from : 0,
                             i == last.block ? last.to : text.len));
    }
    return str_slice(buf_view(b), begin, b->len);
}

/* The first block's page, and the box around all that stand on it. */
static struct place place_between(const struct passage *passage, uint32_t first, uint32_t last)
{
    struct place all = passage->blocks[first].place;

    for (uint32_t i = first + 1; i <= last; i++) {
        const struct place *p = &passage->blocks[i].place;

        if (p->page != all.page || p->right == 0 || all.right == 0)
            continue;
        all.left = MIN_OF(all.left, p->left);
        all.top = MIN_OF(all.top, p->top);
        all.right = MAX_OF(all.right, p->right);
        all.bottom = MAX_OF(all.bottom, p->bottom);
    }
    return all;
}

static void place(const struct found *found, struct sentence first, struct sentence last,
                  struct citation *c)
{
    struct origin begin = block_origin(&found->passage.blocks[first.block], first.from, first.to);
    struct origin end = block_origin(&found->passage.blocks[last.block], last.from, last.to);

    c->byte_first = begin.byte_first;
    c->byte_end = end.byte_end;
    c->line_first = begin.line_first;
    c->line_last = end.line_last;
    c->place = place_between(&found->passage, first.block, last.block);
}

/* Sentences first to last of one passage as a citation, copied out of the view. */
bool cite_between(struct arena *arena, const struct found *found, struct sentence first,
                  struct sentence last, struct citation *out, struct err *err)
{
    struct document_record record;
    struct citation c = {.score = found->score};
    struct buf b;

    if (!document_record_read(found->document_record, &record))
        return err_set(err, ERR_INTERNAL, "could not read a document's record");
    buf_init(&b, arena, TEXT_MAX);
    c.quote = text_between(found, first, last, &b);
    if (!buf_ok(&b))
        return err_arena(err, arena);
    place(found, first, last, &c);
    c.version = record.version;
    c.content = document_content_sign(&record);
    c.document = arena_str(arena, found->key);
    c.path = arena_str(arena, record.path);
    if (str_starts(record.source, STR("file/")))
        c.file = arena_str(arena, str_slice(record.source, 5, record.source.len));
    c.title = arena_str(arena, record.title);
    c.heading = arena_str(arena, found->passage.heading);
    c.place.label = arena_str(arena, c.place.label);
    c.metadata = arena_str(arena, record.metadata);
    if (!c.document.ptr || !c.path.ptr || !c.title.ptr || !c.heading.ptr)
        return err_arena(err, arena);
    *out = c;
    return true;
}

static bool cite(struct arena *arena, const struct found *found, size_t first, size_t last,
                 struct citation *out, struct err *err)
{
    return cite_between(arena, found, found->sentences[first], found->sentences[last], out, err);
}

bool cite_passage(struct arena *arena, const struct found *found, struct citation *out,
                  struct err *err)
{
    uint32_t end = (uint32_t)found->passage.count - 1;
    struct sentence first = {.block = 0, .to = (uint32_t)found->passage.blocks[0].text.len};
    struct sentence last = {.block = end, .to = (uint32_t)found->passage.blocks[end].text.len};

    return cite_between(arena, found, first, last, out, err);
}

static bool is_listed(const struct found *found, uint32_t block)
{
    enum block_kind kind = found->passage.blocks[block].kind;

    return kind == BLOCK_ITEM || kind == BLOCK_ROW;
}

/* As an answer says it: items and rows a line each, without what ends them in their list. */
static bool say(struct arena *arena, const struct found *found, size_t first, size_t last,
                struct citation *c, struct err *err)
{
    const struct sentence *from = &found->sentences[first], *to = &found->sentences[last];
    struct buf b;

    buf_init(&b, arena, TEXT_MAX);
    for (uint32_t i = from->block; i <= to->block; i++) {
        const struct block *block = &found->passage.blocks[i];
        struct str text = str_slice(block->text, i == from->block ? from->from : 0,
                                    i == to->block ? to->to : block->text.len);

        answer_write_block(&b, block->kind, text, from->block == to->block);
    }
    c->is_listed = is_listed(found, from->block) || is_listed(found, to->block);
    return buf_finish(&b, &c->said, err);
}

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

/* Where byte `at` of a block stands in a quote that begins with sentence `first`. */
static size_t place_in_quote(const struct found *found, struct sentence first, uint32_t block,
                             uint32_t at)
{
    size_t before = 0;

    for (uint32_t i = first.block; i < block; i++)
        before += found->passage.blocks[i].text.len + 1;
    return before + at - first.from;
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
    size_t at = place_in_quote(found, found->sentences[cited[where].first], block, best->from);

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

static bool cite_chosen(struct arena *arena, const struct inquiry *q, struct grounded *out,
                        struct err *err)
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
        if (!cite(arena, at->found, at->first, at->last, c, err) ||
            !say(arena, at->found, at->first, at->last, c, err))
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

/* The best sentence of each of the nearest passages. */
static bool cite_nearest(struct arena *arena, const struct inquiry *q, struct grounded *out,
                         struct err *err)
{
    for (size_t i = 0; i < q->found_count && out->citation_count < CITATIONS_MAX; i++) {
        for (size_t k = 0; k < q->ranked_count; k++) {
            if (q->ranked[k].found != &q->found[i])
                continue;
            if (!cite(arena, &q->found[i], q->ranked[k].sentence, q->ranked[k].sentence,
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
    g.citations = arena_array(arena, CITATIONS_MAX, sizeof *g.citations);
    if (!g.citations)
        return err_arena(err, arena);
    if (!(g.answered ? cite_chosen : cite_nearest)(arena, q, &g, err))
        return false;
    buf_init(&b, arena, 4 * TEXT_MAX);
    if (q->read_as.len)
        buf_fmt(&b, STR_FMT "\n\n", STR_ARG(q->read_as));
    if (g.answered)
        answer_write(&b, &g, zh);
    else
        refusal_write(&b, &g, is_empty(access), zh);
    if (!buf_finish(&b, &g.text, err))
        return false;
    *out = g;
    return true;
}
