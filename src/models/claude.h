/* models/claude.h: what Claude takes, in whichever cloud it runs: how it is told to think, and what thinking rules out.
 * Rules    a budget of tokens leaves a fifth of the answer's limit for what is said; where a tool must be called there
 *          is no thinking; with thinking the model samples as it likes.
 * Models   told apart by the version in their names: from 4.7 on there are neither budgets nor sampling, from 5 on they
 *          think unasked, from 5.5 on (and Fable, Mythos) always. A name that says none is believed to take all.
 * Losses   told by the client's own names. */
#ifndef WEIR_MODELS_CLAUDE_H
#define WEIR_MODELS_CLAUDE_H

#include "models/dialect.h"

struct claude_thinking {
    bool on, off, adaptive; /* neither on nor off: nothing is said of it */
    bool forces_none;       /* no tool can be forced beside it */
    int64_t budget;         /* on and not adaptive */
    const char *effort;     /* of later models; NULL: none is said */
};
/* max_tokens: of the answer, thinking included; 0: nobody said. */
bool claude_thinking_choose(const struct conversation *in, struct str model, int64_t max_tokens,
                            struct losses *losses, struct claude_thinking *out, struct err *err)
    MUST_CHECK;
/* Temperature, top_p and top_k as they may be beside it, written into `c`. */
bool claude_sampling_fit(struct conversation *c, struct str model, bool thinks,
                         struct losses *losses, struct err *err) MUST_CHECK;
/* Whether it goes on from an assistant turn that stands last: up to 4.5. */
bool claude_takes_prefill(struct str model);

#endif
