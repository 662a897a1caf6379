/* index/vector_graph.h: a graph over the rows of one file, to find the nearest without reading all. Internal
 * to index/.
 * Source   Malkov & Yashunin 2018, "Efficient and robust approximate nearest neighbor search using
 *          hierarchical navigable small world graphs": levels, and neighbours in different directions.
 * Layout   GRAPH of a file of vectors:
 *            header   what stands in struct graph_header
 *            links    for each row GRAPH_WIDTH rows, GRAPH_NONE behind the last
 *            levels   for each level from 1 on: its rows, rising, then for each GRAPH_WIDTH / 2 links
 * Bytes    are decided by the rows and their order: levels come from the row's number, rows are inserted in
 *          order. Only a merge that is no lexical_compact() may take over the graph of a segment that most
 *          rows come from: what went is taken out, its neighbours are linked to each other, and the other
 *          rows are inserted. So a delete costs no new graph, and after a compact nothing tells how the rows
 *          came together.
 * Recall   is measured when a graph is made, with rows of its own as questions: `effort` is the least that
 *          finds GRAPH_RECALL of the true ten nearest. Rows for which no effort does get no graph.
 * Damage   every row number is checked when the file is opened. */
#ifndef WEIR_INDEX_VECTOR_GRAPH_H
#define WEIR_INDEX_VECTOR_GRAPH_H

#include "index/vector_file.h"
#include "index/vector_heap.h"
#include "index/vector_kernel.h"

#define GRAPH_WIDTH      32u
#define GRAPH_LEVELS_MAX 8u
#define GRAPH_NONE       UINT32_MAX
#define GRAPH_ROWS_MAX   ((uint32_t)8 * 1024 * 1024) /* above: none is made, every row is compared */
#define GRAPH_RECALL     0.95F
#define GRAPH_PREFETCHED \
    256 /* bytes of a row that are asked for ahead; the processor sees the rest coming */

struct graph_header {
    uint32_t entry;  /* where a search begins: a row of the highest level */
    uint32_t levels; /* above the first */
    uint32_t effort;
    float recall;
    uint32_t counts[GRAPH_LEVELS_MAX]; /* rows of level 1, 2, ...; zeros behind */
    uint32_t unused[4];
};
static_assert(sizeof(struct graph_header) == 64, "part of the file format");

struct graph {
    uint32_t rows, entry, levels, effort; /* rows 0: there is none */
    float recall;
    struct graph_level {
        uint32_t count, width;
        const uint32_t *rows;  /* of level 0: NULL, all */
        const uint32_t *links; /* [count][width] */
    } at[GRAPH_LEVELS_MAX + 1];
};
/* False: the bytes make no sense. */
bool graph_read(struct str bytes, uint32_t rows, struct graph *out) MUST_CHECK;
/* Links of a row in a level; NULL: the row is not in it. */
const uint32_t *graph_links(const struct graph *graph, uint32_t level, uint32_t row);

/* --- walking ---------------------------------------------------------------------------------- */

/* Rows in one piece of memory, or wherever refs lead. */
struct graph_space {
    const struct vector_rows *rows;
    const struct vector_ref *refs; /* NULL: rows[i] is row i */
    vector_dot *dot;
};
struct near_row {
    const int8_t *bytes;
    float scale;
};
/* Asks the memory for it. */
static inline void graph_prefetch(const struct graph_space *space, uint32_t row, size_t stride)
{
    const struct vector_rows *rows = space->rows;

    if (space->refs) {
        rows = space->refs[row].from;
        row = space->refs[row].row;
    }
    const int8_t *bytes = vector_row(rows, row);
    __builtin_prefetch(&rows->scales[row]);
    for (size_t at = 0; at < stride && at < GRAPH_PREFETCHED; at += 64)
        __builtin_prefetch(bytes + at);
}
static inline struct near_row graph_row(const struct graph_space *space, uint32_t row)
{
    const struct vector_rows *rows = space->rows;

    if (space->refs) {
        rows = space->refs[row].from;
        row = space->refs[row].row;
    }
    return (struct near_row){vector_row(rows, row), rows->scales[row]};
}

struct graph_walk {
    const struct graph *graph;
    const struct graph_space *space;
    size_t stride;
    struct near_row query;
    bool (*allows)(void *context, uint32_t row); /* NULL: all */
    void *context;
    uint64_t *seen;        /* a bit a row */
    struct near_heap todo; /* best on top; limit: how many rows may be looked at */
    struct near_heap found;
    uint32_t looked_at;
    bool gave_up; /* the limit was reached: what was found is not the nearest */
};
/* Room for a walk that looks at `looked_at_max` rows at most and finds `found_max`. */
bool graph_walk_init(struct graph_walk *w, struct arena *arena, size_t looked_at_max,
                     size_t found_max, struct err *err) MUST_CHECK;
/* The nearest `found_max` rows that are allowed into w->found, in no order. */
void graph_walk_find(struct graph_walk *w, size_t found_max);
/* One level, from the rows that are in w->todo. */
void graph_walk_level(struct graph_walk *w, uint32_t level);
void graph_walk_begin(struct graph_walk *w); /* forget what was seen, todo and found are empty */
void graph_walk_add(struct graph_walk *w, uint32_t row);

/* --- making ----------------------------------------------------------------------------------- */

struct graph_plan {
    const struct vector_ref *refs;
    uint32_t count;
    size_t stride;
    const struct vectors *parent; /* whose graph is taken over; NULL: none is */
};
/* *out has 0 rows when no graph of these rows is worth having. It points into the arena. */
bool graph_make(const struct graph_plan *plan, struct arena *arena, struct graph *out,
                struct err *err) MUST_CHECK;

#endif
