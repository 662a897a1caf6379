/* knowledge/communities.h: documents that speak of the same, by the names they share: label propagation over documents
 * (Raghavan, Albert, Kumara 2007), in a fixed order and with whole weights, so that the same documents always give
 * the same communities, however they came into the index.
 * A name counts the less the more documents have it, and not at all in more than a quarter of them: what everybody
 * says joins nothing.
 * Bounded  COMMUNITY_ROUNDS rounds; a name joins COMMUNITY_NAME_MOST documents at most. */
#ifndef WEIR_KNOWLEDGE_COMMUNITIES_H
#define WEIR_KNOWLEDGE_COMMUNITIES_H

#include "base/arena.h"

#define COMMUNITY_ROUNDS    20
#define COMMUNITY_NAME_MOST 64u

struct community_pair { /* this document has that name; each pair once, in order of documents */
    uint32_t document, name;
};
/* out[document]: the least document of its community. */
bool communities_find(struct arena *arena, const struct community_pair *pairs, size_t count,
                      uint32_t documents, uint32_t names, uint32_t *out, struct err *err)
    MUST_CHECK;

#endif
