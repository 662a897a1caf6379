/* The walk. Nodes are made as they are reached; a passage's mentions are read when mass is given on from it,
 * a name's passages likewise. */
#include "knowledge/graph.h"

#include <stdlib.h>
#include <string.h>

#include "index/marks.h"

#define NODES_MAX    ((size_t)GRAPH_OPENED * (GRAPH_HUB + NAMES_PER_PASSAGE) + 4096)
#define NODE_NONE    UINT32_MAX
#define NEAR_WEIGHT  3.0 /* of a name beside one of the question, in its sentence; 1 elsewhere */
#define FOUND_WEIGHT 3.0 /* of a passage that the words found, at most, beside 1 for any */

struct node {
    double rank, rest;
    uint32_t from; /* the step before on the shortest way; NODE_NONE: the question, or no way */
    bool is_name, queued, is_open, is_reached;
    uint64_t passage;
    struct str name;
    /* once open: */
    uint32_t *next; /* nodes */
    float *weights;
    uint32_t degree;
    double weight_sum;
    struct mentions mentions; /* of a passage */
};

struct graph {
    const struct access *access;
    struct arena *arena;
    struct table by_key; /* name, or a passage's number as bytes -> struct node_place */
    struct node **nodes; /* pieces of NODE_PIECE */
    size_t count;
    uint32_t *queue; /* ring of NODES_MAX */
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

static struct node *node_at(const struct graph *g, uint32_t number)
{
    return &g->nodes[number / NODE_PIECE][number % NODE_PIECE];
}

static uint64_t passages_seen(const struct access *access)
{
    return access->filter ? lexical_filter_passages(access->filter)
                          : lexical_stats(access->view).passages;
}

static uint64_t hub_of(const struct access *access)
{
    uint64_t tenth = passages_seen(access) / 10;

    return MIN_OF(MAX_OF(tenth, (uint64_t)GRAPH_HUB_LEAST), (uint64_t)GRAPH_HUB);
}

static uint64_t mentions_of(const struct access *access, struct str name, uint64_t most)
{
    struct marked marked = {.most = most};

    marks_find(access->view, access->filter, name, &marked);
    return marked.count;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static bool add_node(struct graph *g, struct str key, const struct node *node, uint32_t *out,
                     struct err *err)
{
    struct node_place *place = arena_alloc(g->arena, sizeof *place);
    size_t piece = g->count / NODE_PIECE;

    if (g->count == NODES_MAX)
        return err_set(err, ERR_INTERNAL, "more than %zu nodes reached", NODES_MAX);
    if (!g->nodes[piece])
        g->nodes[piece] = arena_array(g->arena, NODE_PIECE, sizeof **g->nodes);
    if (!place || !g->nodes[piece] || !table_put(&g->by_key, key, place, NULL))
        return err_arena(err, g->arena);
    place->number = *out = (uint32_t)g->count++;
    *node_at(g, *out) = *node;
    return true;
}

static bool name_node(struct graph *g, struct str name, uint32_t *out, struct err *err)
{
    const struct node_place *place = table_get(&g->by_key, name);

    if (place) {
        *out = place->number;
        return true;
    }
    return add_node(g, name, &(struct node){.is_name = true, .name = name, .from = NODE_NONE}, out,
                    err);
}

/* Keys of names are text; nine bytes that begin with a zero are none. */
static bool passage_node(struct graph *g, uint64_t passage, uint32_t *out, struct err *err)
{
    char bytes[9] = {0};

    memcpy(bytes + 1, &passage, sizeof passage);
    const struct node_place *place = table_get(&g->by_key, (struct str){bytes, sizeof bytes});
    if (place) {
        *out = place->number;
        return true;
    }
    struct str key = arena_str(g->arena, (struct str){bytes, sizeof bytes});
    if (!key.ptr)
        return err_arena(err, g->arena);
    return add_node(g, key, &(struct node){.passage = passage, .from = NODE_NONE}, out, err);
}

/* --- edges ------------------------------------------------------------------------------------ */

static bool make_edges(struct graph *g, struct node *n, size_t most, struct err *err)
{
    n->next = arena_array(g->arena, most + 1, sizeof *n->next);
    n->weights = arena_array(g->arena, most + 1, sizeof *n->weights);
    n->is_open = true;
    return (n->next && n->weights) || err_arena(err, g->arena);
}

static void add_edge(struct node *n, uint32_t to, double weight)
{
    n->next[n->degree] = to;
    n->weights[n->degree++] = (float)weight;
    n->weight_sum += (double)(float)weight;
}

/* What the words say of a passage: 0 to 1. */
static double found_by_words(const struct graph *g, uint64_t passage)
{
    const struct lexical_hits *words = g->start->words;

    for (size_t i = 0; words && i < words->count; i++)
        if (words->at[i].passage == passage)
            return words->at[0].score > 0 ? (double)(words->at[i].score / words->at[0].score) : 0;
    return 0;
}

static bool open_name(struct graph *g, uint32_t number, struct err *err)
{
    struct node *n = node_at(g, number);
    struct marked marked = {.limit = g->hub, .most = g->hub};

    marked.passages = arena_array(g->arena, g->hub + 1, sizeof *marked.passages);
    if (!marked.passages)
        return err_arena(err, g->arena);
    marks_find(g->access->view, g->access->filter, n->name, &marked);
    if (!make_edges(g, n, marked.listed, err))
        return false;
    for (size_t i = 0; i < marked.listed && marked.count <= g->hub; i++) {
        uint32_t to;

        if (!passage_node(g, marked.passages[i], &to, err))
            return false;
        n = node_at(g, number);
        add_edge(n, to, 1 + FOUND_WEIGHT * found_by_words(g, marked.passages[i]));
    }
    return true;
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
    struct node *n = node_at(g, number);
    struct lexical_hit hit = lexical_hit_at(g->access->view, n->passage);

    if (!mentions_read(g->arena, hit.record, &n->mentions))
        return err_set(err, ERR_INTERNAL,
                       "could not read the names of a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit.key));
    if (!make_edges(g, n, n->mentions.count, err))
        return false;
    for (size_t i = 0; i < n->mentions.count; i++) {
        struct str name = n->mentions.names[i];
        uint64_t passages = mentions_of(g->access, name, g->hub);
        uint32_t to;

        if (passages < 2 || passages > g->hub)
            continue;
        if (!name_node(g, name, &to, err))
            return false;
        n = node_at(g, number);
        add_edge(n, to, is_near(g, &n->mentions, (uint32_t)i) ? NEAR_WEIGHT : 1);
    }
    return true;
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
    if (*opened == GRAPH_OPENED) {
        g->limited = n->is_open = true; /* without edges: what reaches it stays */
        return true;
    }
    ++*opened;
    return n->is_name ? open_name(g, number, err) : open_passage(g, number, err);
}

/* A share of what rests at a node stays, the remainder goes on; from where it leads nowhere all stays. */
static bool push(struct graph *g, uint32_t number, struct err *err)
{
    struct node *n = node_at(g, number);

    n->queued = false;
    if (n->rest < GRAPH_EPSILON)
        return true;
    if (!open_node(g, number, err))
        return false;
    n = node_at(g, number);
    if (n->rest < GRAPH_EPSILON * n->degree)
        return true;
    double rest = n->rest, share = n->degree ? GRAPH_RESTART : 1;

    n->rank += share * rest;
    n->rest = 0;
    g->edges += n->degree;
    for (uint32_t i = 0; i < n->degree; i++) {
        struct node *to = node_at(g, n->next[i]);

        to->rest += (1 - share) * rest * (double)n->weights[i] / n->weight_sum;
        if (to->rest >= GRAPH_EPSILON)
            enqueue(g, n->next[i]);
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
        const struct node_place *place = table_get(&g->by_key, g->start->seeds[i].name);

        if (place)
            reach(g, place->number, NODE_NONE);
    }
    while (g->queue_count > 0) {
        uint32_t number = g->queue[g->queue_at];
        const struct node *n = node_at(g, number);

        g->queue_at = (g->queue_at + 1) % NODES_MAX;
        g->queue_count--;
        for (uint32_t i = 0; i < n->degree; i++)
            reach(g, n->next[i], number);
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
        if (!tell_step(g, arena, n, name->name, next, &steps[length++], err))
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
    double names = 0, words = 0,
           share = start->words && start->words->count ? GRAPH_WORDS_SHARE : 0;
    uint32_t number;

    for (size_t i = 0; i < start->seed_count; i++)
        names += start->seeds[i].common ? 0 : 1.0 / (double)MAX_OF(start->seeds[i].passages, 1u);
    for (size_t i = 0; start->words && i < start->words->count; i++)
        words += (double)start->words->at[i].score;
    for (size_t i = 0; i < start->seed_count; i++) {
        const struct graph_seed *seed = &start->seeds[i];

        if (seed->common)
            continue;
        if (!name_node(g, seed->name, &number, err))
            return false;
        begin_at(g, number, (1 - share) / (double)MAX_OF(seed->passages, 1u) / names);
    }
    for (size_t i = 0; words > 0 && i < start->words->count; i++) {
        if (!passage_node(g, start->words->at[i].passage, &number, err))
            return false;
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

static bool collect(struct graph *g, struct graph_walk *out, struct err *err)
{
    out->hits = arena_array(g->arena, g->count + 1, sizeof *out->hits);
    if (!out->hits)
        return err_arena(err, g->arena);
    for (uint32_t i = 0; i < g->count; i++) {
        const struct node *n = node_at(g, i);

        if (!n->is_name && n->rank > 0)
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

    if (!g)
        return err_arena(err, arena);
    *g = (struct graph){.access = access, .arena = arena, .hub = hub_of(access), .start = start};
    table_init(&g->by_key, arena, NODES_MAX);
    g->nodes = arena_array(arena, NODES_MAX / NODE_PIECE + 1, sizeof(struct node *));
    g->queue = arena_alloc_raw(arena, NODES_MAX * sizeof *g->queue);
    if (!g->nodes || !g->queue)
        return err_arena(err, arena);
    if (!begin(g, err))
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
    *out = walk;
    return true;
}

/* --- seeds ------------------------------------------------------------------------------------ */

static bool is_wide_byte(char c)
{
    return (uint8_t)c >= 0xE0;
}

/* May a name begin or end at `at` of a key? Between words, or beside an ideograph. */
static bool is_edge(struct str key, size_t at)
{
    if (at == 0 || at == key.len || key.ptr[at] == ' ' || key.ptr[at - 1] == ' ')
        return true;
    return ((uint8_t)key.ptr[at] & 0xC0) != 0x80 &&
           (is_wide_byte(key.ptr[at]) || ((uint8_t)key.ptr[at - 1] & 0x80));
}

/* The longest name at `from`, or 0. */
static size_t name_at(const struct access *access, struct str key, size_t from, uint64_t *passages)
{
    size_t longest = 0;

    for (size_t to = from + 1; to <= key.len && to - from <= TERM_BYTES_MAX; to++) {
        struct str part = str_slice(key, from, to);

        if (!is_edge(key, to) || part.ptr[part.len - 1] == ' ')
            continue;
        if (!marks_begin(access->view, part))
            break;
        uint64_t count = part.len > 1 ? mentions_of(access, part, GRAPH_HUB) : 0;
        if (!count)
            continue;
        longest = part.len;
        *passages = count;
    }
    return longest;
}

static bool looks_named(struct str name, const struct key_origin *origin)
{
    bool wide = is_wide_byte(name.ptr[0]);

    return origin->named || (wide && name.len >= 9);
}

static bool known_seed(const struct graph_seed *seeds, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(seeds[i].name, name))
            return true;
    return false;
}

bool graph_seeds(const struct access *access, struct arena *arena, struct str question,
                 struct graph_seed **out, size_t *count, struct err *err)
{
    struct graph_seed *seeds = arena_array(arena, GRAPH_SEEDS_MAX, sizeof *seeds);
    uint64_t hub = hub_of(access);
    struct str key;
    struct key_origin *origins;
    size_t found = 0;

    if (!seeds || !name_key(arena, question, &key, &origins))
        return err_arena(err, arena);
    for (size_t at = 0; at < key.len && found < GRAPH_SEEDS_MAX;) {
        uint64_t passages = 0;
        bool begins = is_edge(key, at) && key.ptr[at] != ' ';
        size_t len = begins ? name_at(access, key, at, &passages) : 0;
        struct str name = str_slice(key, at, at + len);

        if (len && !known_seed(seeds, found, name))
            seeds[found++] = (struct graph_seed){.name = name,
                                                 .passages = passages,
                                                 .from = origins[at].from,
                                                 .to = origins[at + len - 1].to,
                                                 .compound = str_find_char(name, ' ') < name.len,
                                                 .named = looks_named(name, &origins[at]),
                                                 .common = passages > hub};
        at += len ? len : 1;
    }
    *out = seeds;
    *count = found;
    return true;
}
