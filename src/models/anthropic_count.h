/* models/anthropic_count.h: POST /v1/messages/count_tokens, asked of a provider that has it. */
#ifndef WEIR_MODELS_ANTHROPIC_COUNT_H
#define WEIR_MODELS_ANTHROPIC_COUNT_H

#include "models/models.h"

/* The client's body, with the provider's name for the model and without our own options; *reply is the
 * provider's. On its refusal *why is filled. */
SUSPENDS bool anthropic_count_tokens(struct arena *arena, const struct model *model,
                                     const struct model_question *question, struct str *reply,
                                     struct refusal *why, struct err *err) MUST_CHECK;

#endif
