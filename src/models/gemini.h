/* models/gemini.h: what the gateway needs to know of Gemini's way to be asked: the model and whether to
 * stream stand in the path, and an answer can be a stream in two shapes. */
#ifndef WEIR_MODELS_GEMINI_H
#define WEIR_MODELS_GEMINI_H

#include "models/dialect.h"

extern const struct dialect dialect_gemini_array; /* streamed as one JSON array: without alt=sse */
extern const struct dialect dialect_gemini_embed; /* models/M:embedContent, :batchEmbedContents */

/* "models/M:generateContent" behind "/v1beta/", with its query. */
struct gemini_path {
    struct str model, verb; /* decoded as far as a name can need it; verb without the colon */
    const struct dialect
        *speaks; /* NULL: a verb that is none of the dialects' (countTokens, none) */
    bool stream;
};
bool gemini_path_read(struct arena *arena, struct str path, struct gemini_path *out,
                      struct err *err) MUST_CHECK;

#endif
