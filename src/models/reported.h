/* models/reported.h: what a provider's own list of models says, where it has one (GET .../models). */
#ifndef WEIR_MODELS_REPORTED_H
#define WEIR_MODELS_REPORTED_H

#include "models/models.h"

/* Tokens of prompt and answer together; 0: the list does not say, or there is none. Asks the provider,
 * which charges nothing for it. */
SUSPENDS int64_t reported_window(struct arena *arena, const struct model *model,
                                 uint64_t request_id);

/* Is the provider there? Any answer but a 5xx of its own says yes: 501 and the 4xx come from a house that
 * stands. */
SUSPENDS bool provider_answers(struct arena *arena, const struct provider *provider,
                               uint64_t request_id, struct err *err) MUST_CHECK;

#endif
