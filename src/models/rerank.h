/* models/rerank.h: POST /v1/rerank for the family that has it: what a provider is sent and what it says. */
#ifndef WEIR_MODELS_RERANK_H
#define WEIR_MODELS_RERANK_H

#include "models/dialect.h"

#define RERANK_DOCUMENTS_MAX 1000 /* of one request */

bool rerank_write_request(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err) MUST_CHECK;
/* A whole answer: SAID_SCORE for each document, in the provider's order. */
bool rerank_read_results(struct said_reader *r, const struct json *j, struct err *err) MUST_CHECK;
bool rerank_read_usage(const struct json *j, struct usage *out) MUST_CHECK; /* false: not said */

#endif
