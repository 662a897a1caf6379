/* index/vector_graph_make.h: a graph while it grows, for vector_graph_make.c and vector_graph_take.c. */
#ifndef WEIR_INDEX_VECTOR_GRAPH_MAKE_H
#define WEIR_INDEX_VECTOR_GRAPH_MAKE_H

#include "index/vector_graph.h"

#define GRAPH_SLACK       3 / 2 /* of links, while it grows */
#define GRAPH_GROWING_MAX (GRAPH_WIDTH * GRAPH_SLACK)
#define GRAPH_NEAR_MAX    200 /* candidates for links */

struct making {
    const struct graph_plan *plan;
    struct arena *arena;
    struct graph graph;
    uint32_t *links[GRAPH_LEVELS_MAX + 1]; /* of graph.at, to be written */
    uint8_t *levels;                       /* of each row */
    struct graph_space space;
    struct graph_walk walk;
    uint32_t *
        taken; /* the parent's row -> its number here, or GRAPH_NONE; NULL: nothing is taken over */
    uint8_t *was_taken; /* a byte a row */
};
uint32_t *graph_links_of(struct making *m, uint32_t level, uint32_t row);
float graph_nearness(const struct making *m, struct near_row a, struct near_row b);
/* Of candidates, nearest first, those that are nearer to the row than to any chosen before; then, where
 * there is room, the nearest of the others: many copies of one text must not be cut off from the rest. */
uint32_t graph_choose(const struct making *m, const struct near *from, size_t count,
                      uint32_t *chosen, uint32_t most);

/* Where the parent's rows are now. */
bool graph_take_begin(struct making *m, struct err *err) MUST_CHECK;
void graph_take_levels(struct making *m);
/* Their links, and where to begin. */
void graph_take_links(struct making *m);

#endif
