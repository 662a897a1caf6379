/* Making a graph: rows go in one after another, each with links to its nearest in different directions.
 * While it grows a row may have half as many links again as it will have in the end, so that choosing among
 * them, which costs most, is done now and then instead of each time. */
#include <stdlib.h>
#include <string.h>

#include "index/vector_graph_make.h"

#define EFFORT  100 /* nearest rows among which a new row's links are chosen */
#define SAMPLE  100 /* rows asked for, to measure recall */
#define NEAREST 10

/* --- levels ----------------------------------------------------------------------------------- */

/* Each level has about one row in sixteen of the one below; which, only the number says (splitmix64). */
static uint32_t level_of(uint32_t row)
{
    uint64_t x = (row + (uint64_t)1) * 0x9E3779B97F4A7C15u;
    uint32_t level = 0;

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    for (x ^= x >> 31; level < GRAPH_LEVELS_MAX && (x & 15) == 0; x >>= 4)
        level++;
    return level;
}

static bool make_level(struct making *m, uint32_t i, struct err *err)
{
    struct graph_level *level = &m->graph.at[i];
    uint32_t count = 0, *rows = NULL;

    level->width = (i ? GRAPH_WIDTH / 2 : GRAPH_WIDTH) * GRAPH_SLACK;
    for (uint32_t row = 0; row < m->plan->count; row++)
        level->count += m->levels[row] >= i;
    m->links[i] = arena_alloc_raw(m->arena, (size_t)level->count * level->width * sizeof(uint32_t));
    if (i)
        rows = arena_array(m->arena, level->count + (size_t)1, sizeof *rows);
    if (!m->links[i] || (i && !rows))
        return err_arena(err, m->arena);
    memset(m->links[i], 0xFF, (size_t)level->count * level->width * sizeof(uint32_t));
    for (uint32_t row = 0; i && row < m->plan->count; row++)
        if (m->levels[row] >= i)
            rows[count++] = row;
    level->rows = rows;
    level->links = m->links[i];
    return true;
}

/* All that the rows have, and room for what they link to. */
static bool make_levels(struct making *m, struct err *err)
{
    uint32_t levels = 0;

    m->levels = arena_array(m->arena, m->plan->count, sizeof *m->levels);
    if (!m->levels)
        return err_arena(err, m->arena);
    for (uint32_t row = 0; row < m->plan->count; row++)
        m->levels[row] = (uint8_t)level_of(row);
    if (m->taken)
        graph_take_levels(m);
    for (uint32_t row = 0; row < m->plan->count; row++)
        levels = MAX_OF(levels, m->levels[row]);
    for (uint32_t i = 0; i <= levels; i++)
        if (!make_level(m, i, err))
            return false;
    return true;
}

uint32_t *graph_links_of(struct making *m, uint32_t level, uint32_t row)
{
    const uint32_t *links = graph_links(&m->graph, level, row);

    ASSERT(links);
    return m->links[level] + (links - m->graph.at[level].links);
}

/* --- links ------------------------------------------------------------------------------------ */

float graph_nearness(const struct making *m, struct near_row a, struct near_row b)
{
    return (float)m->space.dot(a.bytes, b.bytes, m->plan->stride) * a.scale * b.scale;
}

uint32_t graph_choose(const struct making *m, const struct near *from, size_t count,
                      uint32_t *chosen, uint32_t most)
{
    uint32_t chosen_count = 0, passed[GRAPH_NEAR_MAX], passed_count = 0;
    struct near_row rows[GRAPH_GROWING_MAX];

    for (size_t i = 0; i < count && chosen_count < most; i++) {
        struct near_row candidate = graph_row(&m->space, from[i].row);
        bool stays = true;

        for (uint32_t k = 0; stays && k < chosen_count; k++)
            stays = graph_nearness(m, candidate, rows[k]) < from[i].score;
        if (stays) {
            rows[chosen_count] = candidate;
            chosen[chosen_count++] = from[i].row;
        } else if (passed_count < GRAPH_NEAR_MAX) {
            passed[passed_count++] = from[i].row;
        }
    }
    for (uint32_t i = 0; i < passed_count && chosen_count < most; i++)
        chosen[chosen_count++] = passed[i];
    return chosen_count;
}

/* The row's links, and perhaps one more, down to so many. */
static void thin(struct making *m, uint32_t row, uint32_t *links, uint32_t width, uint32_t more,
                 uint32_t most)
{
    struct near near[GRAPH_GROWING_MAX + 1];
    struct near_row centre = graph_row(&m->space, row);
    uint32_t count = 0;

    for (uint32_t i = 0; i <= width; i++) {
        uint32_t to = i < width ? links[i] : more;

        if (to != GRAPH_NONE)
            near[count++] = (struct near){graph_nearness(m, centre, graph_row(&m->space, to)), to};
    }
    qsort(near, count, sizeof *near, near_compare);
    count = graph_choose(m, near, count, links, most);
    for (; count < width; count++)
        links[count] = GRAPH_NONE;
}

static void link_back(struct making *m, uint32_t level, uint32_t from, uint32_t to)
{
    uint32_t width = m->graph.at[level].width, *links = graph_links_of(m, level, from);

    for (uint32_t i = 0; i < width; i++)
        if (links[i] == GRAPH_NONE) {
            links[i] = to;
            return;
        }
    thin(m, from, links, width, to, width * 2 / 3);
}

/* --- inserting -------------------------------------------------------------------------------- */

static void connect(struct making *m, uint32_t level, uint32_t row)
{
    struct graph_walk *w = &m->walk;
    uint32_t *links = graph_links_of(m, level, row);

    /* The walk's scores leave the row's own scale out: the same for all. */
    qsort(w->found.at, w->found.count, sizeof *w->found.at, near_compare);
    struct near near[EFFORT];
    for (size_t i = 0; i < w->found.count; i++)
        near[i] = (struct near){w->found.at[i].score * w->query.scale, w->found.at[i].row};
    uint32_t count = graph_choose(m, near, w->found.count, links, GRAPH_WIDTH / 2);
    for (uint32_t i = 0; i < count; i++)
        link_back(m, level, links[i], row);
}

static void insert(struct making *m, uint32_t row)
{
    struct graph_walk *w = &m->walk;
    struct graph *g = &m->graph;
    uint32_t top = m->levels[row], at = g->entry;

    w->query = graph_row(&m->space, row);
    for (uint32_t level = g->levels; level > top; level--) {
        w->found.limit = 1;
        graph_walk_begin(w);
        graph_walk_add(w, at);
        graph_walk_level(w, level);
        at = w->found.at[0].row;
    }
    w->found.limit = EFFORT;
    for (uint32_t level = MIN_OF(top, g->levels) + 1; level-- > 0;) {
        graph_walk_begin(w);
        graph_walk_add(w, at);
        graph_walk_level(w, level);
        connect(m, level, row);
        at = w->found.at[0].row; /* sorted: the nearest */
    }
    if (top > g->levels) {
        g->levels = top;
        g->entry = row;
    }
}

/* What the file holds: the lists without their slack. */
static void tighten(struct making *m)
{
    for (uint32_t i = 0; i <= m->graph.levels; i++) {
        struct graph_level *level = &m->graph.at[i];
        uint32_t narrow = level->width * 2 / 3;

        for (uint32_t k = 0; k < level->count; k++) {
            uint32_t *links = m->links[i] + (size_t)k * level->width;

            if (links[narrow] != GRAPH_NONE)
                thin(m, level->rows ? level->rows[k] : k, links, level->width, GRAPH_NONE, narrow);
            memmove(m->links[i] + (size_t)k * narrow, links, narrow * sizeof *links);
        }
        level->width = narrow;
    }
}

/* --- measuring -------------------------------------------------------------------------------- */

/* The nearest rows of one of them, itself not among them. */
static size_t nearest(struct making *m, uint32_t row, struct near *out)
{
    struct near_row query = graph_row(&m->space, row);
    struct near_heap best = {.at = out, .limit = NEAREST, .worst_on_top = true};

    for (uint32_t i = 0; i < m->plan->count; i++) {
        struct near_row of = graph_row(&m->space, i);
        struct near near = {(float)m->space.dot(query.bytes, of.bytes, m->plan->stride) * of.scale,
                            i};

        if (i != row)
            near_keep(&best, near);
    }
    return best.count;
}

/* How many of the found are as near as the true ones; copies of one text are as good as each other. */
static size_t count_found(const struct making *m, uint32_t row, const struct near *nearest_rows,
                          size_t count)
{
    const struct near_heap *found = &m->walk.found;
    size_t right = 0;

    for (size_t i = 0; i < found->count; i++)
        right += found->at[i].row != row && found->at[i].score >= nearest_rows[0].score;
    return MIN_OF(right, count);
}

/* The least effort that finds enough, or 0. */
static void measure(struct making *m, struct near (*truth)[NEAREST], const size_t *counts,
                    uint32_t sample)
{
    struct graph *g = &m->graph;

    for (uint32_t effort = 64; effort <= GRAPH_NEAR_MAX * 4; effort *= 2) {
        size_t right = 0, all = 0;

        for (uint32_t i = 0; i < sample; i++) {
            uint32_t row = (uint32_t)((uint64_t)i * m->plan->count / sample);

            m->walk.query = graph_row(&m->space, row);
            graph_walk_find(&m->walk, effort);
            right += count_found(m, row, truth[i], counts[i]);
            all += counts[i];
        }
        g->recall = all ? (float)right / (float)all : 0;
        g->effort = effort;
        if (g->recall >= GRAPH_RECALL)
            return;
    }
    g->effort = 0;
}

static bool judge(struct making *m, struct err *err)
{
    uint32_t sample = MIN_OF(m->plan->count, (uint32_t)SAMPLE);
    struct near(*truth)[NEAREST] = arena_array(m->arena, sample, sizeof *truth);
    size_t *counts = arena_array(m->arena, sample, sizeof *counts);

    if (!truth || !counts)
        return err_arena(err, m->arena);
    for (uint32_t i = 0; i < sample; i++)
        counts[i] = nearest(m, (uint32_t)((uint64_t)i * m->plan->count / sample), truth[i]);
    measure(m, truth, counts, sample);
    return true;
}

static bool grow(struct making *m, struct err *err)
{
    if (!make_levels(m, err) ||
        !graph_walk_init(&m->walk, m->arena, m->plan->count + (size_t)GRAPH_GROWING_MAX,
                         GRAPH_NEAR_MAX * 4, err))
        return false;
    if (m->taken) {
        graph_take_links(m);
    } else {
        m->graph.levels = m->levels[0];
        m->graph.entry = 0;
    }
    for (uint32_t row = m->taken ? 0 : 1; row < m->plan->count; row++)
        if (!m->taken || !m->was_taken[row])
            insert(m, row);
    tighten(m);
    return judge(m, err);
}

static bool make(const struct graph_plan *plan, struct arena *arena, bool taking, struct graph *out,
                 struct err *err)
{
    struct making *m = arena_alloc(arena, sizeof *m);

    if (!m)
        return err_arena(err, arena);
    *m = (struct making){.plan = plan,
                         .arena = arena,
                         .space = {.refs = plan->refs, .dot = vector_kernel_best().dot},
                         .walk = {.graph = &m->graph, .space = &m->space, .stride = plan->stride}};
    if ((taking && !graph_take_begin(m, err)) || !grow(m, err))
        return false;
    m->graph.rows = m->graph.effort ? plan->count : 0;
    *out = m->graph;
    return true;
}

bool graph_make(const struct graph_plan *plan, struct arena *arena, struct graph *out,
                struct err *err)
{
    size_t mark = arena_mark(arena);

    *out = (struct graph){0};
    if (plan->count == 0 || plan->count > GRAPH_ROWS_MAX)
        return true;
    if (plan->parent && !make(plan, arena, true, out, err))
        return false;
    if (out->rows)
        return true;
    arena_rewind(arena, mark); /* none to take over, or it became too bad */
    return make(plan, arena, false, out, err);
}
