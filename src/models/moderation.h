/* models/moderation.h: POST /v1/moderations: what texts and pictures hold that a house may not want. Asked at
 * /moderations of providers of OpenAI's kind, and of Mistral's, whose results have no `flagged`. */
#ifndef WEIR_MODELS_MODERATION_H
#define WEIR_MODELS_MODERATION_H

#include "models/dialect.h"

/* Asked where no model is named, as at OpenAI. */
#define MODERATION_MODEL "omni-moderation-latest"

bool moderation_write_request(struct arena *arena, const struct conversation *in,
                              const struct model *to, struct losses *losses, struct outgoing *out,
                              struct err *err) MUST_CHECK;
/* A whole answer: SAID_VERDICT for each input, in their order. */
bool moderation_read_results(struct said_reader *r, const struct json *j, struct err *err)
    MUST_CHECK;

#endif
