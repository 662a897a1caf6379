/* models/prompts.h: several prompts of one completion, or texts to be embedded, each asked as a question of its own
 * where the provider takes one at a time. What comes back is one speech: choice i * n + k is the k-th of prompt i,
 * vectors stand in the order of their texts, usage is the sum.
 *
 *   asker (a fiber each)   takes the next prompt, opens it, hands on step after step, until no prompt is left
 *   reader (next)          gives out the steps, in turn from each asker that has one
 *
 * An asker waits until its step has been read, so a stream of any number of prompts takes the memory of a step an
 * asker. A whole answer is gathered before it begins: until then another candidate may answer instead.
 * Bounds   question.prompts_at_once askers, as far as the key (widen) and the deployment have room; one always.
 * Cost     what was answered, and what had passed of the rest, stands in the usage also when it fails; of a
 *          question that came to nothing in question.spent.
 * Owner    the arena; speech_end() stops the askers. */
#ifndef WEIR_MODELS_PROMPTS_H
#define WEIR_MODELS_PROMPTS_H

#include "models/speech.h"

#define PROMPTS_AT_ONCE_MAX 64
#define PROMPTS_MAX         2048

/* More than one, or a list of texts, and this deployment takes them one at a time. */
bool prompts_are_apart(const struct model *model, const struct conversation *asked);
/* As speech_open(). Prompts of tokens: ERR_INVALID names the one. */
SUSPENDS bool prompts_open(struct arena *arena, const struct model *model,
                           struct model_question *question, struct speech **out,
                           struct refusal *why, struct err *err) MUST_CHECK;

#endif
