/* Passages for a question, whole: what `weir search` and POST /api/v1/knowledge/search give. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/feedback.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/likely.h"
#include "knowledge/number_forms.h"
#include "knowledge/phrases.h"
#include "knowledge/ranking.h"
#include "knowledge/readings.h"
#include "knowledge/vectors.h"

bool cite_hit(struct arena *arena, const struct lexical_hit *hit, struct citation *out,
              struct err *err)
{
    struct found found = {.key = hit->key,
                          .document_record = hit->document_record,
                          .score = hit->score,
                          .number = hit->passage};

    if (!passage_read(arena, hit->record, &found.passage) || found.passage.count == 0)
        return err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit->key));
    return cite_passage(arena, &found, out, err);
}

/* A passage's title, headings, path and all of them with its text. */
static bool read_fields(struct arena *arena, const struct lexical_hit *hit,
                        struct str fields[PHRASE_FIELDS], struct err *err)
{
    struct document_record record;
    struct passage passage;

    if (!document_record_read(hit->document_record, &record) ||
        !passage_read(arena, hit->record, &passage))
        return err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit->key));
    fields[PHRASE_TITLE] = record.title;
    fields[PHRASE_HEADING] = passage.heading;
    fields[PHRASE_PATH] = record.path;
    return vectors_text(arena, hit, &fields[PHRASE_ANYWHERE], err);
}

/* Those that hold what is insisted on, up to the limit. All that words can find are looked at, or as many as
 * are found at once: then it is said. */
static bool keep_those_that_hold(const struct phrases *phrases, const struct find_wish *wish,
                                 size_t limit, struct lexical_hits *hits, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(8 * MIB);
    size_t kept = 0, looked = 0;

    if (!scratch)
        return err_no_room(err, "no memory to look for a phrase");
    for (; looked < hits->count && kept < limit; looked++) {
        struct str fields[PHRASE_FIELDS];
        bool hold;

        arena_rewind(scratch, 0);
        if (!read_fields(scratch, &hits->at[looked], fields, err) ||
            !phrases_hold(scratch, phrases, fields, &hold, err))
            return false;
        if (hold)
            hits->at[kept++] = hits->at[looked];
    }
    if (kept < limit && looked == wish->limit)
        search_note(wish->question->notes,
                    "only the 1,000 best passages by their words were looked "
                    "at for what was to be found literally");
    hits->count = kept;
    return true;
}

/* Passages in order; what is to be found literally is found by words alone. */
static bool find(const struct way_request *request, const struct phrases *phrases,
                 struct find_wish *wish, struct way_found *out, struct err *err)
{
    struct question_parts parts;

    out->way = WAY_WORDS;
    if (!phrases->count && !way_choose(request, &out->way, &parts, err))
        return false;
    if (out->way == WAY_GRAPH) {
        if (!ways_find(request, out, err))
            return false;
        if (out->limited)
            search_note(wish->question->notes, WAY_LIMITED);
        return true;
    }
    if (phrases->count)
        wish->limit = LEXICAL_LIMIT_MAX;
    return find_passages(request->access, request->arena, wish, &out->hits, err) &&
           (!phrases->count ||
            keep_those_that_hold(phrases, wish, request->limit, &out->hits, err));
}

/* What no reranker ordered: the first passages are read; where they are unsure, the question is asked again. */
static bool put_in_order(const struct ranking_request *order, const struct find_wish *wish,
                         struct lexical_hits *hits, struct err *err)
{
    struct lexical_hits by_words = {0};
    struct feedback_request again = {order->access, order->analyser, order->arena,
                                     wish->terms,   &by_words,       wish->limit};
    float shares[RANKING_DEPTH];

    by_words.at = arena_array(order->arena, hits->count + 1, sizeof *by_words.at);
    if (!by_words.at)
        return err_arena(err, order->arena);
    memcpy(by_words.at, hits->at, hits->count * sizeof *hits->at);
    by_words.count = hits->count;
    return ranking_passages(order, hits, shares, err) &&
           (!feedback_wanted(&again) || feedback_find(&again, shares, hits, err));
}

/* How likely each answers, by what is asked, and those that are not likely enough out of it. */
static bool score(const struct ranking_request *with, float least, struct lexical_hits *hits,
                  float **scores, struct err *err)
{
    struct question question;

    return question_read(with->access, with->analyser, with->arena, with->text, &question, err) &&
           likely_keep(&(struct likely_request){with->analyser, with->arena, &question}, hits,
                       least, scores, err);
}

/* What is to be found literally is read as nothing else. */
static bool read_terms(const struct way_request *r, const struct phrases *phrases,
                       struct terms *terms, struct readings *readings, struct err *err)
{
    *readings = (struct readings){0};
    return phrases->count ? question_terms(r->analyser, r->arena, phrases->text, terms, err)
                          : search_terms(r->access, r->analyser, r->arena, phrases->text, terms,
                                         readings, err);
}

static bool tell_readings(const struct way_request *r, const struct find_wish *wish,
                          const struct readings *readings, const struct lexical_hits *hits,
                          struct err *err)
{
    const struct readings_telling telling = {r->analyser, r->arena, r->text, wish->terms, hits};
    struct str read_as;

    return readings_tell(&telling, readings, wish->question->notes, &read_as, err);
}

bool search_now(struct knowledge *k, struct arena *arena, const struct knowledge_question *question,
                size_t limit, struct passages_found *out, struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct access *borrowed CLEANUP(access_release) = NULL;
    struct readings_memo memo = {.arena = arena};
    struct access access;
    struct passages_found found = {0};
    struct way_request request = {
        .arena = arena, .limit = limit, .way = WAY_CHOOSE, .reads = !question->order};
    struct way_found ways = {0};
    struct phrases phrases;
    struct readings readings;
    struct terms terms;
    struct ranking_request order = {.arena = arena};
    float *scores = NULL;
    struct find_wish wish = {
        .knowledge = k,
        .question = question,
        .terms = &terms,
        .limit = question->order ? limit : MAX_OF(limit, (size_t)RANKING_DEPTH),
    };

    ASSERT(limit >= 1 && limit <= SEARCH_LIMIT_MAX);
    note_long_question(question);
    request.text = str_slice(question->text, 0, utf8_boundary(question->text, QUESTION_MAX));
    if (!access_borrow(k, question, &borrowed, err) ||
        !analyser_open_kept(k->analysers, &analyser, err) ||
        !phrases_read(arena, request.text, &phrases, err))
        return false;
    access = (struct access){borrowed->view, borrowed->filter, &memo};
    request.access = &access;
    request.analyser = analyser;
    if (!read_terms(&request, &phrases, &terms, &readings, err))
        return false;
    order.access = &access;
    order.analyser = analyser;
    order.text = request.text;
    if (!find(&request, &phrases, &wish, &ways, err) ||
        (ways.way != WAY_GRAPH && !phrases.count && !question->order && !question->unranked &&
         ways.hits.count > 1 && !put_in_order(&order, &wish, &ways.hits, err)))
        return false;
    ways.hits.count = MIN_OF(ways.hits.count, limit);
    if (question->scored && !score(&order, question->least, &ways.hits, &scores, err))
        return false;
    if (!tell_readings(&request, &wish, &readings, &ways.hits, err))
        return false;
    found.retrieval = way_of(&wish, &access, ways.way);
    found.list = arena_array(arena, ways.hits.count + 1, sizeof *found.list);
    if (!found.list)
        return err_arena(err, arena);
    for (; found.count < ways.hits.count; found.count++) {
        struct citation *c = &found.list[found.count];

        if (!cite_hit(arena, &ways.hits.at[found.count], c, err) ||
            (ways.paths && !cite_way(&access, arena, &ways.paths[found.count], c, err)))
            return false;
        c->is_scored = scores != NULL;
        c->likely = scores ? scores[found.count] : 0;
    }
    *out = found;
    return true;
}
