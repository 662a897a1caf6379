/* The graph finds what the scan finds, is made of the rows alone, and is refused where it makes no sense. */
#include "index/vector_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/lexical_internal.h"
#include "test.h"

#define DIM      24
#define CLUSTERS 20

struct rng {
    uint64_t state;
};

static uint64_t rng_below(struct rng *rng, uint64_t below)
{
    rng->state = rng->state * 6364136223846793005u + 1442695040888963407u;
    return (rng->state >> 33) % below;
}

/* Near one of a few centres, as texts are. */
static void draw(struct rng *rng, float *out)
{
    struct rng centre = {1 + rng_below(rng, CLUSTERS) * 7919};

    for (uint32_t i = 0; i < DIM; i++)
        out[i] = (float)rng_below(&centre, 2001) / 1000.0F - 1.0F +
                 (float)rng_below(rng, 1001) / 1000.0F - 0.5F;
}

static struct vector_field the_field(void)
{
    const uint8_t model[VECTOR_MODEL_BYTES] = {1};
    struct vector_field field = {0};
    struct err err = {0};

    EXPECT(vector_field_init(&field, STR("test"), DIM, model, &err), "%s", err.text);
    return field;
}

/* Documents first, first + step ... of one passage; every `copy`-th the same vector. */
static bool add_some(struct lexical *index, uint32_t first, uint32_t step, uint32_t end,
                     uint32_t copy, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    const struct vector_field field = the_field();

    if (!lexical_begin(index, &w, err))
        return false;
    for (uint32_t i = first; i < end; i += step) {
        struct rng rng = {copy && i % copy == 0 ? 1 : 100 + i};
        float values[DIM];
        char key[16];

        draw(&rng, values);
        (void)snprintf(key, sizeof key, "k%06u", i);
        struct lexical_vector vector = {&field, values};
        struct lexical_passage passage = {
            .record = str_from(key), .vectors = &vector, .vector_count = 1};
        struct lexical_document document = {str_from(key), STR("r"), &passage, 1};
        if (!lexical_add(w, &document, err))
            return false;
    }
    return lexical_commit(&w, err);
}

static bool compact(struct lexical *index, const char *without, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    if (!lexical_begin(index, &w, err) || (without && !lexical_remove(w, str_from(without), err)))
        return false;
    lexical_compact(w);
    return lexical_commit(&w, err);
}

static struct lexical *open_index(const char *dir, uint32_t graph_from)
{
    struct lexical *index = NULL;
    struct err err = {0};

    if (!lexical_open(dir, &index, &err))
        EXPECT(false, "%s", err.text);
    else
        vector_graph_from(index, graph_from);
    return index;
}

static bool ask(const struct lexical_view *view, struct arena *arena, struct rng *rng,
                struct vector_query query, struct lexical_hits hits[2])
{
    const struct vector_field field = the_field();
    struct err err = {0};
    float values[DIM];

    draw(rng, values);
    query.field = &field;
    query.values = values;
    for (int i = 0; i < 2; i++) {
        query.scan = i == 1;
        if (!vector_search(view, arena, &query, &hits[i], &err)) {
            EXPECT(false, "%s", err.text);
            return false;
        }
    }
    return true;
}

TEST(a_graph_finds_what_the_scan_finds)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir(), 100);
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct vector_stats stats[VECTOR_FIELDS_MAX];
    struct rng rng = {9};
    struct err err = {0};
    size_t same = 0, all = 0;

    REQUIRE(index && add_some(index, 0, 2, 3000, 0, &err) && add_some(index, 1, 2, 3000, 0, &err));
    REQUIRE(compact(index, NULL, &err), "%s", err.text);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    REQUIRE(vector_fields(view, stats) == 1);
    EXPECT(stats[0].graphed == 3000 && stats[0].vectors == 3000, "%" PRIu64, stats[0].graphed);
    EXPECT(stats[0].recall >= GRAPH_RECALL && stats[0].recall <= 1, "%f", (double)stats[0].recall);
    for (int q = 0; q < 100; q++) {
        struct lexical_hits hits[2];

        REQUIRE(ask(view, arena, &rng, (struct vector_query){.limit = 10}, hits));
        EXPECT(hits[0].count == 10 && hits[1].count == 10);
        for (size_t i = 0; i < 10; i++, all++)
            for (size_t k = 0; k < 10; k++)
                same += hits[0].at[i].passage == hits[1].at[k].passage;
    }
    EXPECT(same * 100 >= all * 95, "%zu of %zu", same, all);
}

static bool of_every(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)document;
    return i % *(const uint32_t *)context == 0;
}

/* Whatever the limit and however little is left: as many as there are, and nothing that may not be seen. */
TEST(never_fewer_than_there_are)
{
    static const uint32_t shares[] = {1, 2, 3, 10, 100, 1499, 1500};
    static const size_t limits[] = {1, 10, 500, 1000};
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir(), 1);
    struct rng rng = {9};
    struct err err = {0};

    REQUIRE(index && add_some(index, 0, 1, 900, 3, &err) && add_some(index, 900, 1, 1500, 3, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    for (size_t s = 0; s < ARRAY_LEN(shares); s++)
        for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
            uint32_t every = shares[s];
            struct lexical_filter *filter;
            struct lexical_hits hits[2];

            REQUIRE(lexical_filter_make(view, arena, of_every, &every, &filter, &err));
            struct vector_query query = {.filter = filter, .limit = limits[l]};
            REQUIRE(ask(view, arena, &rng, query, hits));
            EXPECT(hits[0].count == MIN_OF(limits[l], (1500 + every - 1) / every),
                   "one in %u, limit %zu: %zu", every, limits[l], hits[0].count);
            EXPECT(hits[0].count == hits[1].count);
            for (size_t i = 0; i < hits[0].count; i++)
                EXPECT(hits[0].at[i].passage % every == 0);
        }
}

static struct str graph_bytes(const char *dir, struct arena *arena)
{
    struct str *names, bytes = STR_NONE;
    struct err err = {0};
    size_t count;

    if (!file_list(arena, dir, 1000, &names, &count, &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        char path[512];

        (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[i]));
        if (str_ends(names[i], STR(".vectors")) && !file_load(arena, path, 16 * MIB, &bytes, &err))
            EXPECT(false, "%s", err.text);
    }
    return bytes;
}

/* --- taken over ------------------------------------------------------------------------------- */

/* The best ten of questions, by the graph and by the scan; in percent. */
static size_t percent_found(struct lexical *index)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct rng rng = {77};
    size_t same = 0, all = 0;

    for (int q = 0; q < 50; q++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct lexical_hits hits[2];

        if (!ask(view, arena, &rng, (struct vector_query){.limit = 10}, hits))
            return 0;
        for (size_t i = 0; i < hits[1].count; i++, all++)
            for (size_t k = 0; k < hits[0].count; k++)
                same += hits[0].at[k].passage == hits[1].at[i].passage;
    }
    return all ? same * 100 / all : 0;
}

static bool replace_some(struct lexical *index, uint32_t round, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    char key[16];

    if (!lexical_begin(index, &w, err))
        return false;
    for (uint32_t i = round; i < 2000; i += 10) {
        (void)snprintf(key, sizeof key, "k%06u", i);
        if (!lexical_remove(w, str_from(key), err))
            return false;
    }
    return lexical_commit(&w, err);
}

static struct vector_stats the_stats(struct lexical *index)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct vector_stats stats[VECTOR_FIELDS_MAX] = {0};

    (void)vector_fields(view, stats);
    return stats[0];
}

/* A tenth goes, five times over: the graph that is left still leads everywhere. */
TEST(a_graph_without_some_rows_is_taken_over)
{
    const char *dir = test_dir();
    struct lexical *index CLEANUP(lexical_close) = open_index(dir, 500);
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};

    REQUIRE(index && add_some(index, 0, 1, 2000, 0, &err));
    for (uint32_t round = 0; round < 5; round++) {
        struct vector_stats stats;

        REQUIRE(replace_some(index, round, &err), "%s", err.text);
        stats = the_stats(index);
        EXPECT(stats.vectors == 1800 - 200 * round && stats.graphed == stats.vectors);
        EXPECT(stats.recall >= GRAPH_RECALL, "%f", (double)stats.recall);
        EXPECT(percent_found(index) >= 95, "%zu", percent_found(index));
    }
    struct str taken = graph_bytes(dir, arena);
    REQUIRE(compact(index, NULL, &err));
    struct str anew = graph_bytes(dir, arena);
    EXPECT(taken.len && anew.len && !str_eq(taken, anew), "a compact makes it anew");
}

/* Rows of a graph and others beside them, in one segment. */
TEST(a_graph_takes_more_rows_in)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir(), 500);
    struct vector_field field = the_field();
    struct err err = {0};

    REQUIRE(index && add_some(index, 0, 1, 2000, 7, &err));
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    REQUIRE(lexical_begin(index, &w, &err));
    for (uint32_t i = 0; i < 2000; i += 5) { /* other vectors for a fifth */
        struct rng rng = {9000 + i};
        float values[DIM];
        char key[16];

        draw(&rng, values);
        (void)snprintf(key, sizeof key, "k%06u", i);
        REQUIRE(vector_set(w, str_from(key), &field, values, 1, &err), "%s", err.text);
    }
    REQUIRE(lexical_commit(&w, &err), "%s", err.text);
    EXPECT(the_stats(index).graphed == 2000, "%" PRIu64, the_stats(index).graphed);
    EXPECT(percent_found(index) >= 95, "%zu", percent_found(index));
}

/* --- the walk --------------------------------------------------------------------------------- */

static bool of_seven(void *context, uint32_t row)
{
    (void)context;
    return row % 7 == 3;
}

/* Through rows that may not be seen, to those that may. */
TEST(a_walk_keeps_what_is_allowed)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir(), 1);
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct err err = {0};

    REQUIRE(index && add_some(index, 0, 1, 2000, 0, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    const struct vectors *v = view->vectors[0].vectors;
    const struct graph_space space = {.rows = &v->rows, .dot = vector_kernel_best().dot};
    struct graph_walk w = {.graph = v->graph,
                           .space = &space,
                           .stride = v->rows.stride,
                           .query = graph_row(&space, 3),
                           .allows = of_seven};
    REQUIRE(v->graph->rows == 2000 && graph_walk_init(&w, arena, 4000, 100, &err));
    graph_walk_find(&w, 100);
    EXPECT(w.found.count == 100 && !w.gave_up, "%zu", w.found.count);
    qsort(w.found.at, w.found.count, sizeof *w.found.at, near_compare);
    EXPECT(w.found.at[0].row == 3, "itself first");
    for (size_t i = 0; i < w.found.count; i++)
        EXPECT(of_seven(NULL, w.found.at[i].row));
    /* No more is looked at than there is room for. */
    REQUIRE(graph_walk_init(&w, arena, 100, 100, &err));
    graph_walk_find(&w, 100);
    EXPECT(w.gave_up && w.looked_at <= 100, "%u", w.looked_at);
}

/* The upper levels bring a walk near before it looks at all rows: from where it begins it goes on while something is
 * nearer. */
TEST(a_walk_goes_down_the_levels)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir(), 1);
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct err err = {0};
    uint32_t nearer = 0, asked = 0;

    REQUIRE(index && add_some(index, 0, 1, 2000, 0, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    const struct vectors *v = view->vectors[0].vectors;
    const struct graph *g = v->graph;
    const struct graph_space space = {.rows = &v->rows, .dot = vector_kernel_best().dot};
    struct graph_walk w = {.graph = g, .space = &space, .stride = v->rows.stride};
    REQUIRE(g->rows == 2000 && g->levels > 0 && graph_walk_init(&w, arena, 4000, 1, &err));
    for (uint32_t i = 0; i < g->at[1].count; i++, asked++) {
        w.query = graph_row(&space, g->at[1].rows[i]);
        graph_walk_begin(&w);
        graph_walk_add(&w, g->entry);
        graph_walk_level(&w, 1);
        nearer += w.found.at[0].row == g->at[1].rows[i];
    }
    EXPECT(nearer * 2 > asked, "%u of %u rows of the level were reached", nearer, asked);
}

/* --- bytes ------------------------------------------------------------------------------------ */

TEST(a_graph_without_a_row_is_as_if_it_never_was)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    char dirs[2][256];
    struct err err = {0};

    for (int i = 0; i < 2; i++)
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%d", test_dir(), i);
    struct lexical *with CLEANUP(lexical_close) = open_index(dirs[0], 100);
    struct lexical *never CLEANUP(lexical_close) = open_index(dirs[1], 100);
    REQUIRE(with && never && add_some(never, 0, 1, 700, 5, &err));
    for (uint32_t i = 0; i < 3; i++)
        REQUIRE(add_some(with, i, 3, i == 1 ? 701 : 700, 5, &err), "%s", err.text);
    REQUIRE(compact(with, "k000700", &err) && compact(never, NULL, &err), "%s", err.text);
    struct str a = graph_bytes(dirs[0], arena), b = graph_bytes(dirs[1], arena);
    EXPECT(a.len > (size_t)700 * GRAPH_WIDTH * 4 && str_eq(a, b), "%zu, %zu", a.len, b.len);
}

/* A graph of 40 rows with one level above, and what is wrong with it. */
struct small {
    struct graph_header header;
    uint32_t links[40][GRAPH_WIDTH];
    uint32_t rows[3];
    uint32_t above[3][GRAPH_WIDTH / 2];
};

static struct small small_graph(void)
{
    struct small g = {.header = {.entry = 20, .levels = 1, .effort = 64, .counts = {3}},
                      .rows = {0, 20, 39}};

    memset(g.links, 0xFF, sizeof g.links);
    memset(g.above, 0xFF, sizeof g.above);
    for (uint32_t i = 0; i < 40; i++)
        g.links[i][0] = (i + 1) % 40;
    g.above[0][0] = 20;
    return g;
}

TEST(a_graph_that_makes_no_sense_is_refused)
{
    static const struct {
        const char *name;
        size_t at; /* of a number in the bytes */
        uint32_t value;
    } cases[] = {
        {"the entry is no row", offsetof(struct small, header.entry), 40},
        {"the entry is not in the highest level", offsetof(struct small, header.entry), 21},
        {"no effort", offsetof(struct small, header.effort), 0},
        {"more levels than there are", offsetof(struct small, header.levels), 2},
        {"many more", offsetof(struct small, header.levels), UINT32_MAX},
        {"fewer levels: bytes are left", offsetof(struct small, header.levels), 0},
        {"a level of more rows", offsetof(struct small, header.counts), 4},
        {"a level of very many", offsetof(struct small, header.counts), UINT32_MAX},
        {"a link to no row", offsetof(struct small, links[7][3]), 40},
        {"a link to no row, above", offsetof(struct small, above[2][15]), 1000},
        {"rows that do not rise", offsetof(struct small, rows[1]), 0},
        {"a row above the last", offsetof(struct small, rows[2]), 40},
    };
    struct graph graph;
    static struct small good, bad;

    good = small_graph();
    EXPECT(graph_read((struct str){(const char *)&good, sizeof good}, 40, &graph));
    EXPECT(graph.rows == 40 && graph_links(&graph, 1, 20) && !graph_links(&graph, 1, 21));
    EXPECT(graph_read(STR_NONE, 40, &graph) && graph.rows == 0, "no bytes: no graph");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bad = good;

        memcpy((char *)&bad + cases[i].at, &cases[i].value, sizeof cases[i].value);
        EXPECT(!graph_read((struct str){(const char *)&bad, sizeof bad}, 40, &graph), "%s",
               cases[i].name);
    }
    for (size_t len = 1; len < sizeof good; len++)
        if (graph_read((struct str){(const char *)&good, len}, 40, &graph))
            EXPECT(false, "cut at %zu", len);
    EXPECT(!graph_read((struct str){(const char *)&good, sizeof good}, 39, &graph));
    EXPECT(!graph_read((struct str){(const char *)&good, sizeof good}, 0, &graph));
}

TEST(heaps_keep_the_best)
{
    struct near at[8];
    struct near_heap heap = {.at = at, .limit = 8, .worst_on_top = true};
    struct rng rng = {4};

    for (uint32_t i = 0; i < 100; i++)
        near_keep(&heap, (struct near){(float)(i * 37 % 50), i});
    for (uint32_t i = 0; i < 8; i++) {
        struct near worst = near_pop(&heap);

        /* 49 to 46, twice each; of equals the lower row is better */
        EXPECT(worst.score == (float)(46 + i / 2), "%f", (double)worst.score);
        EXPECT(worst.row >= 50 || i % 2 == 1, "%u", worst.row);
    }
    heap = (struct near_heap){.at = at, .limit = 8};
    for (uint32_t i = 0; i < 8; i++)
        near_push(&heap, (struct near){(float)rng_below(&rng, 5), i});
    for (struct near before = near_pop(&heap); heap.count;) {
        struct near next = near_pop(&heap);

        EXPECT(near_before(before, next));
        before = next;
    }
}
