/* From a question to its passages, their sentences in order, and what a rule picks among them. */
#include <math.h>

#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/likely.h"
#include "knowledge/settle.h"
#include "knowledge/vectors.h"

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

/* What a rule picks is answered; how sure that is, is how much of the question stands there. */
#define PICK_SURE 0.9f

static bool pick_by_rule(const struct access *access, struct analyser *analyser,
                         struct arena *arena, struct inquiry *q, struct err *err)
{
    struct picking picking = {.covering = {analyser, arena, &q->question},
                              .access = access,
                              .found = q->found,
                              .found_count = q->found_count,
                              .ranked = q->ranked,
                              .ranked_count = q->ranked_count,
                              .answered = q->ranked_count && q->answerable >= answer_bar};

    if (!pick_find(&picking, &q->pick, err))
        return false;
    if (picking.lacks)
        q->answerable = 0;
    if (q->pick.kind) {
        q->answerable = fmaxf(q->answerable, answer_bar);
        q->confidence = PICK_SURE * q->pick.share;
    }
    q->missing = (struct missing){0};
    return q->answerable >= answer_bar || missing_find(&picking.covering, access, &q->missing, err);
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
    q->pick = (struct pick){0};
    q->verdict = POLARITY_NONE;
    if (q->ranked_count && !verdict_of(&r, &q->ranked[0], &q->verdict, err))
        return false;
    if (q->ranked_count) {
        signs_of(&q->question, q->ranked, q->ranked_count, &q->spans, q->signs);
        q->confidence = confidence_of(&q->question, q->signs);
        q->answerable = answerable_of(&q->question, q->signs);
    }
    if ((is_of_one_word(&q->question) && inquiry_lacks_thing(q)) || inquiry_has_other_row(q) ||
        inquiry_lacks_office(q))
        q->answerable = 0;
    return pick_by_rule(with->access, r.analyser, r.arena, q, err);
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

/* "Munich 分公司的电话": what is written in another script than the question is in documents of another language, and
 * words of the question's own would put all of them behind. The best for these words alone come last. */
#define OTHER_SCRIPT 2 /* passages */

static bool is_latin_word(const struct term *term)
{
    return term->field == TERM_WORD && !term->stop && !term->number &&
           (uint8_t)term->text.ptr[0] < 0x80;
}

static bool has_hit(const struct lexical_hits *hits, size_t count, uint64_t passage)
{
    for (size_t i = 0; i < count; i++)
        if (hits->at[i].passage == passage)
            return true;
    return false;
}

static bool find_other_script(const struct access *access, struct arena *arena,
                              const struct question *q, struct lexical_hits *hits, struct err *err)
{
    struct terms latin = {.at = arena_array(arena, q->terms.count + 1, sizeof *latin.at)};
    struct lexical_hits all = {.at =
                                   arena_array(arena, hits->count + OTHER_SCRIPT, sizeof *all.at)};
    struct lexical_hits more;

    if (!latin.at || !all.at)
        return err_arena(err, arena);
    for (size_t i = 0; i < q->terms.count && str_eq(q->language, STR("zh")); i++)
        if (is_latin_word(&q->terms.at[i]))
            latin.at[latin.count++] = q->terms.at[i];
    if (!latin.count)
        return true;
    if (!lexical_search(access->view, arena,
                        &(struct lexical_query){
                            .terms = &latin, .filter = access->filter, .limit = OTHER_SCRIPT},
                        &more, err))
        return false;
    for (size_t i = 0; i < hits->count; i++)
        all.at[all.count++] = hits->at[i];
    for (size_t i = 0; i < more.count; i++)
        if (!has_hit(hits, hits->count, more.at[i].passage))
            all.at[all.count++] = more.at[i];
    *hits = all;
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
    float *scores = NULL;

    text = str_trim(str_slice(text, 0, utf8_boundary(text, QUESTION_MAX)));
    if (!(knowledge ? analyser_open_kept(knowledge->analysers, &analyser, err)
                    : analyser_open(&analyser, err)))
        return false;
    request.analyser = analyser;
    request.text = text;
    if (!question_read(access, analyser, arena, text, &q.question, err) ||
        !find(&request, &wish, &q, &hits, err) ||
        (!q.ways && !find_other_script(access, arena, &q.question, &hits, err)) ||
        !tell_readings(&request, &wish, &hits, &q, err) ||
        (question->scored && !likely_keep(&(struct likely_request){analyser, arena, &q.question},
                                          &hits, question->least, &scores, err)) ||
        !inquire_in(&(struct span_request){.access = access, .analyser = analyser, .arena = arena},
                    &hits, &q, err))
        return false;
    for (size_t i = 0; scores && i < q.found_count; i++) {
        q.found[i].likely = scores[i];
        q.found[i].is_scored = true;
    }
    *out = q;
    return true;
}

bool inquire(const struct access *access, struct arena *arena, struct str text, struct inquiry *out,
             struct err *err)
{
    struct knowledge_question question = {.text = text};

    return inquire_of(NULL, access, arena, &question, out, err);
}
