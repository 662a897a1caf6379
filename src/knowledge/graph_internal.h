/* knowledge/graph_internal.h: what the seeds and the walk share: how often a name is mentioned.
 * Only passages that the asker may see count. */
#ifndef WEIR_KNOWLEDGE_GRAPH_INTERNAL_H
#define WEIR_KNOWLEDGE_GRAPH_INTERNAL_H

#include "knowledge/graph.h"

/* A name in more passages is too common to lead anywhere. */
uint64_t graph_hub(const struct access *access);
/* Passages that mention the name; above `most` it is most + 1. */
uint64_t graph_mentions(const struct access *access, struct str name, uint64_t most);

#endif
