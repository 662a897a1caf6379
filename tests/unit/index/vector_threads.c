/* Searches on other threads while a writer commits: each sees one state, whole. */
#include <stdatomic.h>
#include <stdio.h>

#include "index/vector.h"
#include "sys/pool.h"
#include "test.h"

#define DOCUMENTS 60
#define ROUNDS    12

static struct vector_field field;
static atomic_bool written;

struct work {
    struct pool *pool;
    struct lexical *index;
    void (*run)(void *arg);
    uint32_t searches;
    bool ok;
    struct err err;
};

/* In round r all vectors point at r degrees of a quarter, as it were: a search that saw two states at
 * once would find two scores. */
static bool write_round(struct lexical *index, uint32_t round, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    float values[2] = {(float)(ROUNDS - round), (float)(round + 1)};

    if (!lexical_begin(index, &w, err))
        return false;
    for (uint32_t i = 0; i < DOCUMENTS; i++) {
        struct lexical_vector vector = {&field, values};
        struct lexical_passage passage = {
            .text = STR("apples"), .vectors = &vector, .vector_count = 1};
        char key[8];

        (void)snprintf(key, sizeof key, "k%02u", i);
        struct lexical_document document = {str_from(key), STR("r"), &passage, 1};
        if (!(round % 2 ? vector_set(w, str_from(key), &field, values, 1, err)
                        : lexical_add(w, &document, err)))
            return false;
    }
    if (round % 5 == 4)
        lexical_compact(w);
    return lexical_commit(&w, err);
}

static void write_all(void *arg)
{
    struct work *work = arg;

    work->ok = true;
    for (uint32_t round = 1; work->ok && round < ROUNDS; round++)
        work->ok = write_round(work->index, round, &work->err);
    atomic_store(&written, true);
}

static bool search_once(struct work *work)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(work->index);
    struct vector_query query = {
        .field = &field, .values = (float[]){1, 0}, .limit = DOCUMENTS, .scan = work->searches % 2};
    struct lexical_hits hits;

    if (!vector_search(view, arena, &query, &hits, &work->err))
        return false;
    work->searches++;
    for (size_t i = 1; i < hits.count; i++)
        if (hits.at[i].score != hits.at[0].score)
            return err_set(&work->err, ERR_INTERNAL, "two states at once");
    return hits.count == DOCUMENTS ||
           err_set(&work->err, ERR_INTERNAL, "%zu of %d found", hits.count, DOCUMENTS);
}

static void search_on(void *arg)
{
    struct work *work = arg;

    do
        work->ok = search_once(work);
    while (work->ok && !atomic_load(&written));
}

static void in_fiber(void *arg)
{
    struct work *work = arg;
    struct err err = {0};

    EXPECT(pool_run(work->pool, work->run, work, &err), "%s", err.text);
}

FIBER_TEST(searches_see_one_state_while_vectors_are_written)
{
    const uint8_t model[VECTOR_MODEL_BYTES] = {1};
    struct lexical *index CLEANUP(lexical_close) = NULL;
    struct err err = {0};
    struct scope s;

    atomic_store(&written, false);
    REQUIRE(vector_field_init(&field, STR("test"), 2, model, &err));
    REQUIRE(lexical_open(test_dir(), &index, &err), "%s", err.text);
    vector_graph_from(index, 10);
    REQUIRE(write_round(index, 0, &err), "%s", err.text);
    struct pool *pool =
        pool_new(&(struct pool_options){.name = "test", .threads = 3, .queue_max = 8}, &err);
    REQUIRE(pool, "%s", err.text);
    struct work work[3] = {{.run = search_on}, {.run = search_on}, {.run = write_all}};
    scope_open(&s, 0);
    for (int i = 0; i < 3; i++) {
        work[i].pool = pool;
        work[i].index = index;
        EXPECT(scope_spawn(&s, in_fiber, &work[i], &err));
    }
    EXPECT(scope_wait(&s, &err));
    scope_close(&s);
    for (int i = 0; i < 3; i++)
        EXPECT(work[i].ok, "%d: %s", i, work[i].err.text);
    EXPECT(work[0].searches > 0 && work[1].searches > 0);
    pool_free(&pool);
}
