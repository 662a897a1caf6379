/* knowledge/rerank.h: a model of a provider puts the passages that were found into its own order, before any
 * of them is answered from. It is shown the question and the numbered passages, whole, and replies with numbers
 * (listwise ranking: Sun et al. 2023, arXiv:2304.09542); so any chat model will do; one that only
 * reranks (abilities: rerank) is asked as /v1/rerank is, and gives scores.
 * Order    what it names comes first, as it says; what it does not name follows as it was found. Numbers that
 *          are none of the passages, or repeated, are passed over.
 * Fails    open: late, refused or unreadable, the passages stand as they were found, and the notes say so.
 * Costs    one question of the asker's, asked, held and recorded like any other of theirs. */
#ifndef WEIR_KNOWLEDGE_RERANK_H
#define WEIR_KNOWLEDGE_RERANK_H

#include "knowledge/knowledge.h"

/* Passages of one view, best first. */
struct reranked {
    uint64_t view; /* lexical_view_number() */
    uint64_t *passages;
    float *scores; /* as they were found, falling: they belong to the places */
    size_t count;
};
SUSPENDS void rerank_question(struct knowledge *knowledge, struct arena *arena,
                              struct knowledge_question *question);

/* order[i]: which of `count` passages comes at place i. false: the text names none of them. */
bool rerank_read(struct str text, size_t count, uint32_t *order) MUST_CHECK;

SUSPENDS bool rerank_through_gateway(struct gateway *gateway, const struct config *config,
                                     struct rank_call *call, struct err *err) MUST_CHECK;

#endif
