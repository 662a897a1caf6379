/* Reading a graph, and walking along it. */
#include "index/vector_graph.h"

#include <string.h>

/* --- reading ---------------------------------------------------------------------------------- */

static bool take(struct str *rest, size_t count, const uint32_t **out)
{
    if (count > rest->len / sizeof **out)
        return false;
    *out = (const uint32_t *)(const void *)rest->ptr;
    *rest = str_slice(*rest, count * sizeof **out, rest->len);
    return true;
}

static bool rows_rise(const uint32_t *rows, uint32_t count, uint32_t below)
{
    for (uint32_t i = 0; i < count; i++)
        if (rows[i] >= below || (i && rows[i] <= rows[i - 1]))
            return false;
    return true;
}

static bool links_are_rows(const struct graph_level *level, uint32_t rows)
{
    for (size_t i = 0; i < (size_t)level->count * level->width; i++)
        if (level->links[i] >= rows && level->links[i] != GRAPH_NONE)
            return false;
    return true;
}

static bool read_level(struct str *rest, uint32_t i, uint32_t count, uint32_t rows,
                       struct graph_level *out)
{
    out->count = count;
    out->width = i ? GRAPH_WIDTH / 2 : GRAPH_WIDTH;
    if (i && (!take(rest, count, &out->rows) || !rows_rise(out->rows, count, rows)))
        return false;
    return take(rest, (size_t)count * out->width, &out->links) && links_are_rows(out, rows);
}

bool graph_read(struct str bytes, uint32_t rows, struct graph *out)
{
    struct graph_header header;
    struct str rest = str_slice(bytes, sizeof header, bytes.len);

    *out = (struct graph){0};
    if (bytes.len == 0)
        return true;
    if (bytes.len < sizeof header)
        return false;
    memcpy(&header, bytes.ptr, sizeof header);
    if (header.levels > GRAPH_LEVELS_MAX || header.effort == 0 || rows == 0 ||
        rows > GRAPH_ROWS_MAX)
        return false;
    for (uint32_t i = 0; i <= header.levels; i++)
        if (!read_level(&rest, i, i ? header.counts[i - 1] : rows, rows, &out->at[i]))
            return false;
    out->levels = header.levels;
    out->entry = header.entry;
    if (rest.len || header.entry >= rows || !graph_links(out, header.levels, header.entry))
        return false;
    out->effort = header.effort;
    out->recall = header.recall;
    out->rows = rows;
    return true;
}

const uint32_t *graph_links(const struct graph *graph, uint32_t level, uint32_t row)
{
    const struct graph_level *of = &graph->at[level];
    uint32_t from = 0, to = of->count;

    if (level == 0)
        return of->links + (size_t)row * of->width;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (of->rows[middle] < row)
            from = middle + 1;
        else
            to = middle;
    }
    return from < of->count && of->rows[from] == row ? of->links + (size_t)from * of->width : NULL;
}

/* --- walking ---------------------------------------------------------------------------------- */

bool graph_walk_init(struct graph_walk *w, struct arena *arena, size_t looked_at_max,
                     size_t found_max, struct err *err)
{
    size_t words = w->graph->at[0].count / 64 + (size_t)1;

    w->seen = arena_array(arena, words, sizeof *w->seen);
    w->todo = (struct near_heap){.at = arena_alloc_raw(arena, looked_at_max * sizeof *w->todo.at),
                                 .limit = looked_at_max};
    w->found = (struct near_heap){.at = arena_array(arena, found_max, sizeof *w->found.at),
                                  .limit = found_max,
                                  .worst_on_top = true};
    return (w->seen && w->todo.at && w->found.at) || err_arena(err, arena);
}

void graph_walk_begin(struct graph_walk *w)
{
    memset(w->seen, 0, (w->graph->at[0].count / 64 + (size_t)1) * sizeof *w->seen);
    w->todo.count = w->found.count = 0;
    w->looked_at = 0;
    w->gave_up = false;
}

static bool was_seen(struct graph_walk *w, uint32_t row)
{
    uint64_t *word = &w->seen[row / 64], bit = (uint64_t)1 << (row % 64);

    if (*word & bit)
        return true;
    *word |= bit;
    return false;
}

static void look_at(struct graph_walk *w, uint32_t row)
{
    struct near_row of = graph_row(w->space, row);
    struct near near = {(float)w->space->dot(w->query.bytes, of.bytes, w->stride) * of.scale, row};

    w->looked_at++;
    if (!near_is_wanted(&w->found, near))
        return;
    near_push(&w->todo, near);
    if (!w->allows || w->allows(w->context, row))
        near_keep(&w->found, near);
}

void graph_walk_add(struct graph_walk *w, uint32_t row)
{
    if (!was_seen(w, row))
        look_at(w, row);
}

/* The rows are somewhere in memory: all are asked for before the first is used. */
static void look_at_links(struct graph_walk *w, const uint32_t *links, uint32_t width)
{
    uint32_t fresh[2 * GRAPH_WIDTH], count = 0;

    for (uint32_t i = 0; i < width && links[i] != GRAPH_NONE; i++) {
        if (was_seen(w, links[i]))
            continue;
        graph_prefetch(w->space, links[i], w->stride);
        fresh[count++] = links[i];
    }
    for (uint32_t i = 0; i < count; i++)
        look_at(w, fresh[i]);
}

void graph_walk_level(struct graph_walk *w, uint32_t level)
{
    uint32_t width = w->graph->at[level].width;

    ASSERT(width <= 2 * GRAPH_WIDTH);
    while (w->todo.count) {
        struct near next = near_pop(&w->todo);
        const uint32_t *links = graph_links(w->graph, level, next.row);

        /* It may be the worst of the found itself: what it leads to is still looked at. */
        if (w->found.count == w->found.limit && near_before(w->found.at[0], next))
            return;
        if (w->looked_at + (size_t)width > w->todo.limit) {
            w->gave_up = true;
            return;
        }
        if (links)
            look_at_links(w, links, width);
    }
}

/* Down to the level above the last, each time to the nearest row alone; what may be seen does not matter
 * there. */
static uint32_t descend(struct graph_walk *w)
{
    bool (*allows)(void *, uint32_t) = w->allows;
    uint32_t at = w->graph->entry;

    w->allows = NULL;
    w->found.limit = 1;
    for (uint32_t level = w->graph->levels; level > 0; level--) {
        graph_walk_begin(w);
        graph_walk_add(w, at);
        graph_walk_level(w, level);
        at = w->found.at[0].row;
    }
    w->allows = allows;
    return at;
}

void graph_walk_find(struct graph_walk *w, size_t found_max)
{
    uint32_t from = descend(w);

    w->found.limit = found_max;
    graph_walk_begin(w);
    graph_walk_add(w, from);
    graph_walk_level(w, 0);
}
