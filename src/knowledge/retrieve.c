/* Passages for a question, whole: what `weir search` and POST /api/v1/knowledge/search give. */
#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
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

bool search_now(struct knowledge *k, struct arena *arena, const struct knowledge_question *question,
                size_t limit, struct passages_found *out, struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct access *access CLEANUP(access_release) = NULL;
    struct passages_found found = {0};
    struct lexical_hits hits;
    struct terms terms;

    ASSERT(limit >= 1 && limit <= SEARCH_LIMIT_MAX);
    if (!access_borrow(k, question, &access, err) || !analyser_open(&analyser, err) ||
        !analyser_terms(analyser, arena, str_slice(question->text, 0, QUESTION_MAX), &terms, err))
        return false;
    struct find_wish wish = {
        .knowledge = k, .question = question, .terms = &terms, .limit = limit};
    if (!find_passages(access, arena, &wish, &hits, err))
        return false;
    found.list = arena_array(arena, hits.count + 1, sizeof *found.list);
    if (!found.list)
        return err_arena(err, arena);
    for (; found.count < hits.count; found.count++)
        if (!cite_hit(arena, &hits.at[found.count], &found.list[found.count], err))
            return false;
    *out = found;
    return true;
}
