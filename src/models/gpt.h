/* models/gpt.h: what OpenAI's own models take, for who asks in another family's words: clients of this family know the
 * model they ask, and are told by it what it does not take.
 * Models   told apart by their names: up to GPT-4.1 they do not reason; o1 to o4 and GPT-5 always do, and sample as they
 *          like; from 5.1 on they sample as they are told where they do not reason. A name that says nothing is believed
 *          to take all.
 * Losses   told by the client's own names. */
#ifndef WEIR_MODELS_GPT_H
#define WEIR_MODELS_GPT_H

#include "models/dialect.h"

/* Whether there is anything to fit: `to` is OpenAI's own, its name says what it is, and another family asks. */
bool gpt_is_known(const struct conversation *in, const struct model *to);
/* The nearest effort that the model knows; *effort NULL: nothing is said of it. */
bool gpt_effort_fit(const struct conversation *in, const struct model *to, struct losses *losses,
                    struct str *effort, struct err *err) MUST_CHECK;
/* Temperature, top_p, penalties and probabilities as they may be beside that effort, written into `c`. */
bool gpt_sampling_fit(struct conversation *c, const struct model *to, struct str effort,
                      struct losses *losses, struct err *err) MUST_CHECK;

#endif
