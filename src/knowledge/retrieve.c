/* Passages for a question, whole: what `weir search` and POST /api/v1/knowledge/search give. */
#include <stdlib.h>

#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/phrases.h"
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
    size_t kept = 0, looked = 0;

    for (; looked < hits->count && kept < limit; looked++) {
        struct arena *scratch CLEANUP(arena_end) = arena_new(8 * MIB);
        struct str fields[PHRASE_FIELDS];
        bool hold;

        if (!scratch)
            return err_no_room(err, "no memory to look for a phrase");
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

struct placed {
    struct lexical_hit hit;
    size_t best; /* place of its best sentence among all */
};

static int by_sentence(const void *a, const void *b)
{
    const struct placed *one = a, *other = b;

    return one->best < other->best ? -1 : one->best > other->best;
}

/* Where no reranker ordered them: the first few in the order of their best sentences, which read the question
 * closer than words do. The scores stay where they stood, best first. */
static bool order_by_sentence(const struct way_request *request, struct lexical_hits *hits,
                              struct err *err)
{
    size_t count = MIN_OF(hits->count, (size_t)PASSAGES_ASKED), ranked_count;
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical_hits first = {hits->at, count};
    struct placed placed[PASSAGES_ASKED];
    struct candidate *ranked;
    struct question question;
    struct found *found;

    if (!scratch)
        return err_no_room(err, "no memory to read passages");
    if (!question_read(request->access, request->analyser, scratch, request->text, &question,
                       err) ||
        !found_whole(scratch, &first, &found, err) ||
        !candidates_rank(request->analyser, scratch, &question, found, count, &ranked,
                         &ranked_count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        placed[i] = (struct placed){hits->at[i], ranked_count + i};
    for (size_t i = ranked_count; i-- > 0;)
        placed[ranked[i].found - found].best = i;
    qsort(placed, count, sizeof *placed, by_sentence);
    for (size_t i = 0; i < count; i++) {
        float score = hits->at[i].score;

        hits->at[i] = placed[i].hit;
        hits->at[i].score = score;
    }
    return true;
}

bool search_now(struct knowledge *k, struct arena *arena, const struct knowledge_question *question,
                size_t limit, struct passages_found *out, struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct access *access CLEANUP(access_release) = NULL;
    struct passages_found found = {0};
    struct way_request request = {.arena = arena, .limit = limit, .way = WAY_CHOOSE};
    struct way_found ways = {0};
    struct phrases phrases;
    struct terms terms;
    struct find_wish wish = {.knowledge = k, .question = question, .terms = &terms, .limit = limit};

    ASSERT(limit >= 1 && limit <= SEARCH_LIMIT_MAX);
    request.text = str_slice(question->text, 0, utf8_boundary(question->text, QUESTION_MAX));
    if (!access_borrow(k, question, &access, err) || !analyser_open(&analyser, err) ||
        !phrases_read(arena, request.text, &phrases, err) ||
        !analyser_terms(analyser, arena, phrases.text, &terms, err))
        return false;
    request.access = access;
    request.analyser = analyser;
    if (!find(&request, &phrases, &wish, &ways, err) ||
        (ways.way != WAY_GRAPH && !phrases.count && !question->order && ways.hits.count > 1 &&
         !order_by_sentence(&request, &ways.hits, err)))
        return false;
    found.retrieval = way_of(&wish, access, ways.way);
    found.list = arena_array(arena, ways.hits.count + 1, sizeof *found.list);
    if (!found.list)
        return err_arena(err, arena);
    for (; found.count < ways.hits.count; found.count++)
        if (!cite_hit(arena, &ways.hits.at[found.count], &found.list[found.count], err) ||
            (ways.paths &&
             !cite_way(access, arena, &ways.paths[found.count], &found.list[found.count], err)))
            return false;
    *out = found;
    return true;
}
