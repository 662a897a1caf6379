/* The walk. Nodes are made as they are reached; a passage's mentions are read when mass is given on from it,
 * a name's passages likewise. */
#include "knowledge/graph_internal.h"

#include <stdlib.h>
#include <string.h>

#include "index/marks.h"

#define NODES_MAX    ((size_t)GRAPH_OPENED * (GRAPH_HUB + NAMES_PER_PASSAGE) + 4096)
#define NODE_NONE    UINT32_MAX
#define NEAR_WEIGHT  3.0 /* of a name beside one of the question, in its sentence; 1 elsewhere */
#define FOUND_WEIGHT 3.0 /* of a passage that the words found, at most, beside 1 for any */

/* What mass may be given on to; an edge's weight counts beside the sum of all. */
struct edges {
    uint32_t *next; /* nodes */
    float *weights;
    double weight_sum;
    uint32_t count;
};
/* A walk reaches some ten times more nodes than it opens, so what stands here is what reaching touches. */
struct node {
    double rank, rest;
    const struct edges *edges; /* once it is open; NULL: none */
    union {
        uint64_t passage;
        const char *name;
    };
    uint32_t from; /* the step before on the shortest way; NODE_NONE: the question, or no way */
    float found;   /* a passage, by the words that the walk began with: 0 to 1 */
    uint16_t name_len;
    bool is_name, queued, is_open, is_left, is_reached, is_wanted;
};
static_assert(sizeof(struct node) <= 48, "what a walk touches most");
static_assert(TERM_BYTES_MAX <= UINT16_MAX, "name_len");

static struct str name_of(const struct node *name)
{
    return (struct str){name->name, name->name_len};
}

/* A passage's number -> its node; open addressing, at most half full. */
struct passage_map {
    uint64_t *passages;
    uint32_t *nodes; /* NODE_NONE: a free place */
    size_t count, cap;
};
#define PASSAGE_MAP_FIRST 4096 /* a power of two, as all that follow */

struct graph {
    const struct access *access;
    struct arena *arena;
    struct table by_name; /* -> struct node_place */
    struct passage_map by_passage;
    struct table *looked_up; /* name -> struct name_count */
    struct node **nodes;     /* pieces of NODE_PIECE */
    size_t count;
    uint32_t *queue;  /* ring of NODES_MAX */
    uint64_t *marked; /* room for the passages of one name */
    size_t queue_at, queue_count;
    uint64_t hub; /* a name in more passages is too common */
    size_t opened_names, opened_passages;
    bool limited;
    const struct graph_start *start;
    uint64_t edges;
};
#define NODE_PIECE 256
struct node_place {
    uint32_t number;
};
struct name_count {
    uint64_t passages; /* at most the hub's and one more */
};

static struct node *node_at(const struct graph *g, uint32_t number)
{
    return &g->nodes[number / NODE_PIECE][number % NODE_PIECE];
}

/* --- nodes ------------------------------------------------------------------------------------ */

static bool add_node(struct graph *g, const struct node *node, uint32_t *out, struct err *err)
{
    size_t piece = g->count / NODE_PIECE;

    if (g->count == NODES_MAX)
        return err_set(err, ERR_INTERNAL, "more than %zu nodes reached", NODES_MAX);
    if (!g->nodes[piece])
        g->nodes[piece] = arena_array(g->arena, NODE_PIECE, sizeof **g->nodes);
    if (!g->nodes[piece])
        return err_arena(err, g->arena);
    *out = (uint32_t)g->count++;
    *node_at(g, *out) = *node;
    return true;
}

static bool name_node(struct graph *g, struct str name, uint32_t *out, struct err *err)
{
    struct node_place *place = table_get(&g->by_name, name);

    if (!place) {
        place = arena_alloc(g->arena, sizeof *place);
        if (!place || !table_put(&g->by_name, name, place, NULL))
            return err_arena(err, g->arena);
        if (!add_node(g,
                      &(struct node){.is_name = true,
                                     .name = name.ptr,
                                     .name_len = (uint16_t)name.len,
                                     .from = NODE_NONE},
                      &place->number, err))
            return false;
    }
    *out = place->number;
    return true;
}

/* Where a passage is, or the free place where it belongs. Numbers of passages are dense: a product spreads them. */
static size_t map_find(const struct passage_map *map, uint64_t passage)
{
    size_t at = (size_t)(passage * 0x9E3779B97F4A7C15u >> 32) & (map->cap - 1);

    while (map->nodes[at] != NODE_NONE && map->passages[at] != passage)
        at = (at + 1) & (map->cap - 1);
    return at;
}

static bool map_grow(struct graph *g, struct err *err)
{
    struct passage_map *map = &g->by_passage,
                       more = {.count = map->count,
                               .cap = map->cap ? 2 * map->cap : PASSAGE_MAP_FIRST};

    more.passages = arena_alloc_raw(g->arena, more.cap * sizeof *more.passages);
    more.nodes = arena_alloc_raw(g->arena, more.cap * sizeof *more.nodes);
    if (!more.passages || !more.nodes)
        return err_arena(err, g->arena);
    memset(more.nodes, 0xFF, more.cap * sizeof *more.nodes);
    for (size_t i = 0; i < map->cap; i++) {
        if (map->nodes[i] == NODE_NONE)
            continue;
        size_t at = map_find(&more, map->passages[i]);

        more.passages[at] = map->passages[i];
        more.nodes[at] = map->nodes[i];
    }
    *map = more;
    return true;
}
static_assert(NODE_NONE == UINT32_MAX, "free places are set byte by byte");

static bool passage_node(struct graph *g, uint64_t passage, uint32_t *out, struct err *err)
{
    struct passage_map *map = &g->by_passage;

    if (2 * (map->count + 1) > map->cap && !map_grow(g, err))
        return false;
    size_t at = map_find(map, passage);
    if (map->nodes[at] == NODE_NONE) {
        if (!add_node(g, &(struct node){.passage = passage, .from = NODE_NONE}, out, err))
            return false;
        map->passages[at] = passage;
        map->nodes[at] = *out;
        map->count++;
    }
    *out = map->nodes[at];
    return true;
}

/* Passages that are near each other share their names: each is looked up once. */
static bool count_name(struct graph *g, struct str name, uint64_t *passages, struct err *err)
{
    struct name_count *known = table_get(g->looked_up, name);

    if (known) {
        *passages = known->passages;
        return true;
    }
    *passages = graph_mentions(g->access, name, g->hub);
    if (g->looked_up->count == GRAPH_LOOKED_UP)
        return true;
    known = arena_alloc(g->arena, sizeof *known);
    if (!known || !table_put(g->looked_up, name, known, NULL))
        return err_arena(err, g->arena);
    known->passages = *passages;
    return true;
}

/* --- edges ------------------------------------------------------------------------------------ */

static struct edges *make_edges(struct graph *g, size_t most, struct err *err)
{
    struct edges *edges = arena_alloc(g->arena, sizeof *edges);

    if (edges) {
        edges->next = arena_alloc_raw(g->arena, (most + 1) * sizeof *edges->next);
        edges->weights = arena_alloc_raw(g->arena, (most + 1) * sizeof *edges->weights);
    }
    if (edges && edges->next && edges->weights)
        return edges;
    (void)err_arena(err, g->arena);
    return NULL;
}

static void add_edge(struct edges *edges, uint32_t to, double weight)
{
    edges->next[edges->count] = to;
    edges->weights[edges->count++] = (float)weight;
    edges->weight_sum += (double)(float)weight;
}

static bool open_name(struct graph *g, uint32_t number, struct err *err)
{
    struct marked marked = {.limit = g->hub, .most = g->hub, .passages = g->marked};
    struct edges *edges;

    marks_find(g->access->view, g->access->filter, name_of(node_at(g, number)), &marked);
    edges = make_edges(g, marked.listed, err);
    for (size_t i = 0; edges && i < marked.listed && marked.count <= g->hub; i++) {
        uint32_t to;

        if (!passage_node(g, marked.passages[i], &to, err))
            return false;
        add_edge(edges, to, 1 + FOUND_WEIGHT * (double)node_at(g, to)->found);
    }
    node_at(g, number)->edges = edges;
    return edges;
}

static bool has(const uint32_t *list, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == number)
            return true;
    return false;
}

static bool is_seed(const struct graph *g, struct str name)
{
    for (size_t i = 0; i < g->start->seed_count; i++)
        if (str_eq(g->start->seeds[i].name, name))
            return true;
    return false;
}

/* Stands in a sentence with a name of the question. */
static bool is_near(const struct graph *g, const struct mentions *m, uint32_t number)
{
    for (size_t s = 0; s < m->sentence_count; s++) {
        const struct mention_sentence *sentence = &m->sentences[s];

        if (!has(sentence->names, sentence->count, number))
            continue;
        for (size_t i = 0; i < sentence->count; i++)
            if (sentence->names[i] != number && is_seed(g, m->names[sentence->names[i]]))
                return true;
    }
    return false;
}

static bool open_passage(struct graph *g, uint32_t number, struct err *err)
{
    struct lexical_hit hit = lexical_hit_at(g->access->view, node_at(g, number)->passage);
    struct mentions mentions;
    struct edges *edges;

    if (!mentions_read(g->arena, hit.record, &mentions))
        return err_set(err, ERR_INTERNAL,
                       "could not read the names of a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit.key));
    edges = make_edges(g, mentions.count, err);
    for (size_t i = 0; edges && i < mentions.count; i++) {
        uint64_t passages = 0;
        uint32_t to;

        if (!count_name(g, mentions.names[i], &passages, err))
            return false;
        if (passages < 2 || passages > g->hub)
            continue;
        if (!name_node(g, mentions.names[i], &to, err))
            return false;
        add_edge(edges, to, is_near(g, &mentions, (uint32_t)i) ? NEAR_WEIGHT : 1);
    }
    node_at(g, number)->edges = edges;
    return edges;
}

/* --- pushing ---------------------------------------------------------------------------------- */

static void enqueue(struct graph *g, uint32_t number)
{
    struct node *n = node_at(g, number);

    if (n->queued)
        return;
    n->queued = true;
    g->queue[(g->queue_at + g->queue_count++) % NODES_MAX] = number;
}

static bool open_node(struct graph *g, uint32_t number, struct err *err)
{
    struct node *n = node_at(g, number);
    size_t *opened = n->is_name ? &g->opened_names : &g->opened_passages;

    if (n->is_open)
        return true;
    n->is_open = true;
    if (*opened == GRAPH_OPENED) {
        g->limited = n->is_left = true;
        return true;
    }
    ++*opened;
    return n->is_name ? open_name(g, number, err) : open_passage(g, number, err);
}

/* A share of what rests at a node stays, the remainder goes on; from where it leads nowhere all stays. Of a node
 * that was left off nobody knows: it keeps no more than one that was opened. */
static bool push(struct graph *g, uint32_t number, struct err *err)
{
    struct node *n = node_at(g, number);

    n->queued = false;
    if (n->rest < GRAPH_EPSILON)
        return true;
    if (!open_node(g, number, err))
        return false;
    const struct edges *edges = n->edges;
    uint32_t degree = edges ? edges->count : 0;

    if (n->rest < GRAPH_EPSILON * degree)
        return true;
    double rest = n->rest, share = degree || n->is_left ? GRAPH_RESTART : 1;

    n->rank += share * rest;
    n->rest = 0;
    g->edges += degree;
    for (uint32_t i = 0; i < degree; i++) {
        struct node *to = node_at(g, edges->next[i]);

        to->rest += (1 - share) * rest * (double)edges->weights[i] / edges->weight_sum;
        if (to->rest >= GRAPH_EPSILON)
            enqueue(g, edges->next[i]);
    }
    return true;
}

/* --- ways ------------------------------------------------------------------------------------- */

/* Breadth first from the question's names, over what the walk opened: the shortest way to everything. */
static void reach(struct graph *g, uint32_t number, uint32_t from)
{
    struct node *n = node_at(g, number);

    if (n->is_reached)
        return;
    n->is_reached = true;
    n->from = from;
    enqueue(g, number);
}

static void find_ways(struct graph *g)
{
    ASSERT(g->queue_count == 0);
    for (size_t i = 0; i < g->start->seed_count; i++) {
        const struct node_place *place = table_get(&g->by_name, g->start->seeds[i].name);

        if (place)
            reach(g, place->number, NODE_NONE);
    }
    while (g->queue_count > 0) {
        uint32_t number = g->queue[g->queue_at];
        const struct node *n = node_at(g, number);

        g->queue_at = (g->queue_at + 1) % NODES_MAX;
        g->queue_count--;
        for (uint32_t i = 0; n->edges && i < n->edges->count; i++)
            reach(g, n->edges->next[i], number);
    }
}

/* Where a passage has a name, best together with another; its title where no sentence has it. */
static struct mention_sentence sentence_with(const struct mentions *m, struct str name,
                                             struct str other)
{
    struct mention_sentence found = {0};

    for (size_t s = 0; s < m->sentence_count; s++) {
        bool one = false, both = false;

        for (size_t i = 0; i < m->sentences[s].count; i++) {
            one = one || str_eq(m->names[m->sentences[s].names[i]], name);
            both = both || str_eq(m->names[m->sentences[s].names[i]], other);
        }
        if (one && (both || found.to == 0))
            found = m->sentences[s];
        if (one && both)
            return found;
    }
    return found;
}

static bool tell_step(const struct graph *g, struct arena *arena, const struct node *passage,
                      struct str name, struct str next, struct graph_step *out, struct err *err)
{
    struct lexical_hit hit = lexical_hit_at(g->access->view, passage->passage);
    struct mentions m;

    if (!mentions_read(arena, hit.record, &m))
        return err_set(err, ERR_INTERNAL, "could not read the names of a passage");
    *out = (struct graph_step){name, passage->passage, sentence_with(&m, name, next)};
    return true;
}

bool graph_path(const struct graph_walk *walk, struct arena *arena, uint32_t node,
                struct graph_step **out, size_t *count, struct err *err)
{
    const struct graph *g = walk->graph;
    struct graph_step *steps = arena_array(arena, GRAPH_PATH_MAX, sizeof *steps);
    size_t length = 0;

    if (!steps)
        return err_arena(err, arena);
    /* Backwards: a passage, the name that led to it, the passage that name was found in ... */
    for (const struct node *n = node_at(g, node); n->from != NODE_NONE;) {
        const struct node *name = node_at(g, n->from);
        struct str next = length ? steps[length - 1].name : STR_NONE;

        if (length == GRAPH_PATH_MAX) {
            length = 0; /* too long a way says nothing */
            break;
        }
        if (!tell_step(g, arena, n, name_of(name), next, &steps[length++], err))
            return false;
        if (name->from == NODE_NONE)
            break;
        n = node_at(g, name->from);
    }
    for (size_t i = 0; i < length / 2; i++) {
        struct graph_step step = steps[i];

        steps[i] = steps[length - 1 - i];
        steps[length - 1 - i] = step;
    }
    *out = steps;
    *count = length;
    return true;
}

/* --- the door --------------------------------------------------------------------------------- */

static void begin_at(struct graph *g, uint32_t number, double share)
{
    node_at(g, number)->rest += share;
    enqueue(g, number);
}

/* Names count by how few passages have them. */
static bool begin(struct graph *g, struct err *err)
{
    const struct graph_start *start = g->start;
    size_t found = start->words ? MIN_OF(start->words->count, start->begin) : 0;
    double names = 0, words = 0, share = found ? GRAPH_WORDS_SHARE : 0;
    uint32_t number;

    for (size_t i = 0; i < start->seed_count; i++)
        names += start->seeds[i].common ? 0 : 1.0 / (double)MAX_OF(start->seeds[i].passages, 1u);
    for (size_t i = 0; i < found; i++)
        words += (double)start->words->at[i].score;
    for (size_t i = 0; i < start->seed_count; i++) {
        const struct graph_seed *seed = &start->seeds[i];

        if (seed->common)
            continue;
        if (!name_node(g, seed->name, &number, err))
            return false;
        begin_at(g, number, (1 - share) / (double)MAX_OF(seed->passages, 1u) / names);
    }
    for (size_t i = 0; words > 0 && i < found; i++) {
        if (!passage_node(g, start->words->at[i].passage, &number, err))
            return false;
        if (start->words->at[0].score > 0)
            node_at(g, number)->found = start->words->at[i].score / start->words->at[0].score;
        begin_at(g, number, share * (double)start->words->at[i].score / words);
    }
    return true;
}

static int compare_hits(const void *a, const void *b)
{
    const struct graph_hit *left = a, *right = b;

    if (left->score > right->score || left->score < right->score)
        return left->score > right->score ? -1 : 1;
    if (!str_eq(left->document, right->document))
        return str_cmp(left->document, right->document);
    return (left->passage > right->passage) - (left->passage < right->passage);
}

static int compare_ranks(const void *a, const void *b)
{
    const float *left = a, *right = b;

    return (*left < *right) - (*left > *right);
}

/* What a passage has to have at least to be told. */
static bool least_rank(const struct graph *g, float *out, struct err *err)
{
    float *ranks = arena_array(g->arena, g->count + 1, sizeof *ranks);
    size_t count = 0;

    if (!ranks)
        return err_arena(err, g->arena);
    for (uint32_t i = 0; i < g->count; i++)
        if (!node_at(g, i)->is_name && node_at(g, i)->rank > 0)
            ranks[count++] = (float)node_at(g, i)->rank;
    *out = 0;
    if (g->start->most && count > g->start->most) {
        qsort(ranks, count, sizeof *ranks, compare_ranks);
        *out = ranks[g->start->most - 1];
    }
    return true;
}

/* Documents' keys stand all over the index: only those of passages that are told are read. */
static bool collect(struct graph *g, struct graph_walk *out, struct err *err)
{
    const struct lexical_hits *words = g->start->words;
    float least = 0;

    for (size_t i = 0; words && i < words->count; i++) {
        size_t at = map_find(&g->by_passage, words->at[i].passage);

        if (g->by_passage.nodes[at] != NODE_NONE)
            node_at(g, g->by_passage.nodes[at])->is_wanted = true;
    }
    out->hits = arena_array(g->arena, g->count + 1, sizeof *out->hits);
    if (!out->hits)
        return err_arena(err, g->arena);
    if (!least_rank(g, &least, err))
        return false;
    for (uint32_t i = 0; i < g->count; i++) {
        const struct node *n = node_at(g, i);

        if (!n->is_name && n->rank > 0 && (n->is_wanted || (float)n->rank >= least))
            out->hits[out->count++] =
                (struct graph_hit){.document = lexical_hit_at(g->access->view, n->passage).key,
                                   .passage = n->passage,
                                   .score = (float)n->rank,
                                   .node = i};
    }
    qsort(out->hits, out->count, sizeof *out->hits, compare_hits);
    return true;
}

bool graph_rank(const struct access *access, struct arena *arena, const struct graph_start *start,
                struct graph_walk *out, struct err *err)
{
    struct graph *g = arena_alloc(arena, sizeof *g);
    struct graph_walk walk = {.graph = g};
    struct table own;

    if (!g)
        return err_arena(err, arena);
    *g = (struct graph){.access = access,
                        .arena = arena,
                        .hub = graph_hub(access),
                        .start = start,
                        .looked_up = start->looked_up};
    table_init(&g->by_name, arena, NODES_MAX);
    if (!g->looked_up) {
        table_init(&own, arena, GRAPH_LOOKED_UP);
        g->looked_up = &own;
    }
    g->nodes = arena_array(arena, NODES_MAX / NODE_PIECE + 1, sizeof(struct node *));
    g->queue = arena_alloc_raw(arena, NODES_MAX * sizeof *g->queue);
    g->marked = arena_array(arena, g->hub + 1, sizeof *g->marked);
    if (!g->nodes || !g->queue || !g->marked)
        return err_arena(err, arena);
    if (!map_grow(g, err) || !begin(g, err))
        return false;
    while (g->queue_count > 0) {
        uint32_t number = g->queue[g->queue_at];

        g->queue_at = (g->queue_at + 1) % NODES_MAX;
        g->queue_count--;
        if (!push(g, number, err))
            return err_wrap(err, "walk the graph");
    }
    walk.edges = g->edges;
    walk.limited = g->limited;
    find_ways(g);
    if (!collect(g, &walk, err))
        return false;
    g->looked_up = NULL; /* the walk is told of later than that may live */
    *out = walk;
    return true;
}
