/* Taking over the graph of a segment that is written anew without some of its rows, or with others beside. */
#include <stdlib.h>
#include <string.h>

#include "index/vector_graph_make.h"

bool graph_take_begin(struct making *m, struct err *err)
{
    const struct vectors *parent = m->plan->parent;

    m->taken = arena_array(m->arena, parent->count, sizeof *m->taken);
    m->was_taken = arena_array(m->arena, m->plan->count, sizeof *m->was_taken);
    if (!m->taken || !m->was_taken)
        return err_arena(err, m->arena);
    memset(m->taken, 0xFF, parent->count * sizeof *m->taken);
    for (uint32_t row = 0; row < m->plan->count; row++) {
        const struct vector_ref *ref = &m->plan->refs[row];

        if (ref->from != &parent->rows)
            continue;
        m->taken[ref->row] = row;
        m->was_taken[row] = 1;
    }
    return true;
}

static const struct graph *parent_of(const struct making *m)
{
    return m->plan->parent->graph;
}

void graph_take_levels(struct making *m)
{
    const struct graph *parent = parent_of(m);

    for (uint32_t row = 0; row < m->plan->count; row++)
        if (m->was_taken[row])
            m->levels[row] = 0;
    for (uint32_t level = 1; level <= parent->levels; level++)
        for (uint32_t i = 0; i < parent->at[level].count; i++) {
            uint32_t row = m->taken[parent->at[level].rows[i]];

            if (row != GRAPH_NONE)
                m->levels[row] = (uint8_t)level;
        }
}

struct candidates {
    struct near at[GRAPH_NEAR_MAX];
    uint32_t count;
};

/* A row here, unless it is the centre itself or is not in this level any more. */
static void consider(struct making *m, struct candidates *among, uint32_t level, uint32_t centre,
                     uint32_t row)
{
    if (row == GRAPH_NONE || row == centre || m->levels[row] < level ||
        among->count == GRAPH_NEAR_MAX)
        return;
    for (uint32_t i = 0; i < among->count; i++)
        if (among->at[i].row == row)
            return;
    among->at[among->count++] = (struct near){
        graph_nearness(m, graph_row(&m->space, centre), graph_row(&m->space, row)), row};
}

/* Where a neighbour went, its neighbours are the row's. */
static void take_row(struct making *m, uint32_t level, uint32_t old)
{
    const struct graph *parent = parent_of(m);
    uint32_t width = parent->at[level].width, row = m->taken[old], lost = 0;
    const uint32_t *from = graph_links(parent, level, old);
    struct candidates among = {.count = 0};

    for (uint32_t i = 0; i < width && from[i] != GRAPH_NONE; i++)
        consider(m, &among, level, row, m->taken[from[i]]);
    for (uint32_t i = 0; i < width && from[i] != GRAPH_NONE; i++) {
        const uint32_t *beyond =
            m->taken[from[i]] == GRAPH_NONE ? graph_links(parent, level, from[i]) : NULL;

        lost += beyond != NULL;
        for (uint32_t k = 0; beyond && k < width && beyond[k] != GRAPH_NONE; k++)
            consider(m, &among, level, row, m->taken[beyond[k]]);
    }
    qsort(among.at, among.count, sizeof *among.at, near_compare);
    uint32_t *links = graph_links_of(m, level, row);
    if (lost)
        (void)graph_choose(m, among.at, among.count, links, width);
    for (uint32_t i = 0; !lost && i < among.count; i++)
        links[i] = among.at[i].row;
}

void graph_take_links(struct making *m)
{
    const struct graph *parent = parent_of(m);

    m->graph.levels = 0;
    m->graph.entry = GRAPH_NONE;
    for (uint32_t level = 0; level <= parent->levels; level++)
        for (uint32_t i = 0; i < parent->at[level].count; i++) {
            uint32_t old = level ? parent->at[level].rows[i] : i;

            if (m->taken[old] == GRAPH_NONE)
                continue;
            take_row(m, level, old);
            if (m->graph.entry == GRAPH_NONE || level > m->graph.levels) {
                m->graph.entry = m->taken[old];
                m->graph.levels = level;
            }
        }
    ASSERT(m->graph.entry != GRAPH_NONE); /* most of the parent's rows are here */
}
