/* knowledge/order.h: texts in the order in which they answer a query, without a model: /v1/rerank of the model
 * "weir". BM25 among the texts themselves, then the ranker of sentences (choose.h); a text is as good as its best
 * sentence.
 * Scores   from 0 to 1, falling with the order; they compare texts of one query, not queries.
 * Bounded  RERANK_DOCUMENTS_MAX texts of ORDER_BYTES_MAX together: ERR_TOO_LARGE.
 * Index    none is looked at: what comes out is a function of query and texts. */
#ifndef WEIR_KNOWLEDGE_ORDER_H
#define WEIR_KNOWLEDGE_ORDER_H

#include "knowledge/knowledge.h"

#define ORDER_BYTES_MAX ((size_t)2 * MIB)

/* scores[i]: of texts[i]. Blocks: it reads all of them. */
bool order_texts(struct str query, const struct str *texts, size_t count, float *scores,
                 struct err *err) MUST_CHECK;
SUSPENDS bool order_documents(const struct knowledge_model *model, struct request *req,
                              struct answer **out, struct err *err) MUST_CHECK;

#endif
