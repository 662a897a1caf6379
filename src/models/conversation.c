#include "models/conversation.h"

#include <math.h>

const struct usage usage_unknown = {.tokens_in = -1,
                                    .tokens_out = -1,
                                    .tokens_cached = -1,
                                    .tokens_cache_write = -1,
                                    .tokens_cache_write_long = -1,
                                    .tokens_reasoning = -1,
                                    .tokens_audio_in = -1,
                                    .tokens_audio_out = -1,
                                    .tokens_image_in = -1};

void conversation_init(struct conversation *c)
{
    *c = (struct conversation){.parallel_tools = -1,
                               .schema_strict = -1,
                               .max_tokens = -1,
                               .n = -1,
                               .seed = -1,
                               .top_k = -1,
                               .logprobs = -1,
                               .top_logprobs = -1,
                               .reasoning_budget = -1,
                               .dimensions = -1,
                               .temperature = NAN,
                               .top_p = NAN,
                               .frequency_penalty = NAN,
                               .presence_penalty = NAN,
                               .min_p = NAN};
}
