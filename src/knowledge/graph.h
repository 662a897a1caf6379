/* knowledge/graph.h: from the names of a question to passages, over names, sentences and passages.
 * Nodes     the names and the passages that the asker may see; a name and a passage are joined where the
 *           passage mentions it, more firmly in a sentence together with a name of the question.
 * Rank      personalised PageRank by forward push (Andersen, Chung, Lang 2006: "Local graph partitioning
 *           using PageRank vectors"): restart GRAPH_RESTART at the question's names and the passages that its
 *           words found; what is left undone at a node is below GRAPH_EPSILON times its degree.
 * Work      so at most 1 / (GRAPH_RESTART * GRAPH_EPSILON) edges are looked at, however large the graph; of names
 *           and of passages GRAPH_OPENED each give on what reaches them; at later ones the walk ends, which is told.
 * Names     too common to lead anywhere: in more than GRAPH_HUB passages that the asker may see, or a tenth of
 *           them, if that is at least GRAPH_HUB_LEAST; one that stands in a single passage leads nowhere either.
 * Rights    what the asker may not see is no node, no edge and no count: the numbers are those of an index
 *           without it (the_walk_knows_nothing_of_what_is_hidden).
 * Paths     every passage reached knows its shortest way from a name of the question, with the sentences.
 * Pure      a function of the view and the question; the same numbers for the same. Fuzzed by fuzz/entities.c
 *           as far as records go. */
#ifndef WEIR_KNOWLEDGE_GRAPH_H
#define WEIR_KNOWLEDGE_GRAPH_H

#include "knowledge/access.h"
#include "knowledge/entities.h"

#define GRAPH_RESTART   0.5
#define GRAPH_EPSILON   1e-4
#define GRAPH_HUB       256 /* passages */
#define GRAPH_HUB_LEAST 12
#define GRAPH_SEEDS_MAX 12
#define GRAPH_OPENED    150
#define GRAPH_PATH_MAX  8 /* steps that are told; a longer way is not told */

/* A name of the question that passages mention. */
struct graph_seed {
    struct str name;   /* as a key */
    uint64_t passages; /* that mention it, at most GRAPH_HUB + 1 */
    uint32_t from, to; /* in the question */
    bool named;        /* written as a name: with a capital, or Chinese */
    bool compound;     /* of several words */
    bool common;       /* in too many passages to lead anywhere */
};
/* The longest names first come first, as they stand in the question; GRAPH_SEEDS_MAX of them. */
bool graph_seeds(const struct access *access, struct arena *arena, struct str question,
                 struct graph_seed **out, size_t *count, struct err *err) MUST_CHECK;
struct graph_start {
    const struct graph_seed *seeds;
    size_t seed_count;
    const struct lexical_hits *words; /* that the question's words found; may be NULL */
    size_t begin; /* at so many of them the walk begins, too, with GRAPH_WORDS_SHARE in all */
    size_t most;  /* the best hits are told, their equals and all in `words`; 0: every one */
    struct table *looked_up; /* for the walks of one question, of GRAPH_LOOKED_UP; or NULL */
};
#define GRAPH_WORDS_SHARE 0.4
#define GRAPH_LOOKED_UP   ((size_t)GRAPH_OPENED * NAMES_PER_PASSAGE)

struct graph_hit {
    struct str document; /* key */
    uint64_t passage;
    float score;   /* PageRank */
    uint32_t node; /* for graph_path() */
};
struct graph_walk {
    struct graph_hit *hits; /* best first; equals by document and place */
    size_t count;
    uint64_t edges; /* looked at */
    bool limited;   /* GRAPH_OPENED was reached */
    struct graph *graph;
};
bool graph_rank(const struct access *access, struct arena *arena, const struct graph_start *start,
                struct graph_walk *out, struct err *err) MUST_CHECK;

/* "name", where a sentence has it, "name" ...: the last is the sentence of the passage itself. */
struct graph_step {
    struct str name;
    uint64_t passage;                 /* that has the sentence */
    struct mention_sentence sentence; /* to == 0: title or heading has it */
};
/* How a passage was reached; *count 0: by its words. At most GRAPH_PATH_MAX steps. */
bool graph_path(const struct graph_walk *walk, struct arena *arena, uint32_t node,
                struct graph_step **out, size_t *count, struct err *err) MUST_CHECK;

#endif
