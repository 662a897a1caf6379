/* models/store_filter.h: what OpenAI's vector stores and file_search have in common. */
#ifndef WEIR_MODELS_STORE_FILTER_H
#define WEIR_MODELS_STORE_FILTER_H

#include "base/json.h"

/* Comparison and compound filters of the dialect as a filter of knowledge bases; "" for none. */
bool responses_filter(struct arena *arena, const struct json *j, json_ref v, struct str *out,
                      struct err *err) MUST_CHECK;
/* "ranking_options": absent, as the dialect has it when nothing is said. */
struct store_ranking {
    double least;  /* score_threshold, 0 to 1 */
    bool unranked; /* ranker: none */
};
bool responses_read_ranking(struct arena *arena, const struct json *j, json_ref v,
                            struct store_ranking *out, struct err *err) MUST_CHECK;

#endif
