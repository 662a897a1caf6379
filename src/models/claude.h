/* models/claude.h: what Claude takes, in whichever cloud it runs: how it is told to think, and what thinking rules out.
 * Rules    a budget of tokens leaves a fifth of the answer's limit for what is said; where a tool must be called there
 *          is no thinking; with thinking the model samples as it likes.
 * Losses   told by the client's own names. */
#ifndef WEIR_MODELS_CLAUDE_H
#define WEIR_MODELS_CLAUDE_H

#include "models/dialect.h"

struct claude_thinking {
    bool on, off, adaptive; /* neither on nor off: nothing is said of it */
    int64_t budget;         /* on and not adaptive */
    const char *effort;     /* of later models; NULL: none is said */
};
/* max_tokens: of the answer, thinking included; 0: nobody said. */
bool claude_thinking_choose(const struct conversation *in, struct str model, int64_t max_tokens,
                            struct losses *losses, struct claude_thinking *out, struct err *err)
    MUST_CHECK;
/* Temperature, top_p and top_k as they may be beside it, written into `c`. */
bool claude_sampling_fit(struct conversation *c, bool thinks, struct losses *losses,
                         struct err *err) MUST_CHECK;

#endif
