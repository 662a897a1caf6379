/* models/bedrock.h: what the gateway needs to know of Converse's way to be asked: the model and whether to
 * stream stand in the path. */
#ifndef WEIR_MODELS_BEDROCK_H
#define WEIR_MODELS_BEDROCK_H

#include "models/dialect.h"

/* "/model/NAME/converse" and "/model/NAME/converse-stream"; the name may be escaped. */
bool bedrock_path_read(struct arena *arena, struct str path, struct str *model, bool *stream,
                       struct err *err) MUST_CHECK;

/* Embeddings: by a model that takes one text a request. */
bool bedrock_takes_one_text(struct str remote);

#endif
