/* models/reported.h: what a provider's own list of models says, where it has one (GET .../models). */
#ifndef WEIR_MODELS_REPORTED_H
#define WEIR_MODELS_REPORTED_H

#include "models/models.h"

/* Tokens of prompt and answer together; 0: the list does not say, or there is none. Asks the provider,
 * which charges nothing for it. */
SUSPENDS int64_t reported_window(struct arena *arena, const struct model *model,
                                 uint64_t request_id);

#endif
