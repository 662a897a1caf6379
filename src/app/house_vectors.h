/* app/house_vectors.h: the vectors of all knowledge bases: what the settings say of them, and who makes them. */
#ifndef WEIR_APP_HOUSE_VECTORS_H
#define WEIR_APP_HOUSE_VECTORS_H

#include "app/house.h"

void house_embedder(struct house *house, struct embedder_options *out);
void house_reranker(struct house *house, struct reranker_options *out);
/* A fiber of loop 0, until its scope ends: bases are looked at each second, and what has no vectors gets them. */
void vectors_loop(void *house);

#endif
