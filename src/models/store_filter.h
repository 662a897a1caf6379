/* models/store_filter.h: what OpenAI's vector stores and file_search have in common. */
#ifndef WEIR_MODELS_STORE_FILTER_H
#define WEIR_MODELS_STORE_FILTER_H

#include "base/json.h"

/* Comparison and compound filters of the dialect as a filter of knowledge bases; "" for none. */
bool responses_filter(struct arena *arena, const struct json *j, json_ref v, struct str *out,
                      struct err *err) MUST_CHECK;
bool responses_check_ranking(struct arena *arena, const struct json *j, json_ref ranking,
                             struct err *err) MUST_CHECK;

#endif
