/* A file of vectors with its graph, changed anywhere, all checksums made right again: it is refused with a
 * reason, or answers from what it holds and never from outside.
 * Input: how much is cut off (2 bytes), then changes of 6 bytes: where (2 bytes, in fours), and what. */
#include "files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "index/lexical_internal.h"
#include "index/vector_graph.h"

#define ROWS 80
#define DIM  8

static struct lexical *index_;
static struct lexical_view *view;
static struct lexical_filter *filter;
static struct str original; /* the file as it was written */

static struct vector_field the_field(void)
{
    const uint8_t model[VECTOR_MODEL_BYTES] = {1};
    struct vector_field field;
    struct err err = {0};

    ASSERT(vector_field_init(&field, STR("fuzz"), DIM, model, &err));
    return field;
}

static bool fill(struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    const struct vector_field field = the_field();
    uint32_t state = 1;

    if (!lexical_begin(index_, &w, err))
        return false;
    for (uint32_t i = 0; i < ROWS; i++) {
        float values[DIM];
        char key[2] = {(char)('0' + i / 10), (char)('0' + i % 10)};
        struct lexical_vector vector = {&field, values};
        struct lexical_passage passages[2] = {{.text = STR("no vector")},
                                              {.vectors = &vector, .vector_count = 1}};
        struct lexical_document document = {{key, 2}, STR("r"), passages + i % 2, 2 - i % 2};

        for (uint32_t k = 0; k < DIM; k++) {
            state = state * 1664525u + 1013904223u;
            values[k] = (float)(state >> 16) / 32768.0F - 1.0F;
        }
        passages[0].vectors = passages[1].vectors;
        if (!lexical_add(w, &document, err))
            return false;
    }
    return lexical_commit(&w, err);
}

static bool is_even(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)context, (void)document;
    return i % 2 == 0;
}

static bool begin(void)
{
    static char dir[] = FUZZ_DIR;
    struct arena *arena = arena_new(16 * MIB);
    struct err err = {0};

    if (!mkdtemp(dir) || !arena || !lexical_open(dir, &index_, &err))
        return false;
    vector_graph_from(index_, 1);
    if (!fill(&err))
        return false;
    view = lexical_borrow(index_);
    const struct vectors *v = view->vectors[0].vectors;
    original = (struct str){v->map, v->bytes};
    fuzz_remove_all(dir); /* what is mapped stays */
    ASSERT(v->graph->rows == ROWS && view->passages == ROWS * 3 / 2);
    return lexical_filter_make(view, arena, is_even, NULL, &filter, &err);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return begin() ? 0 : 1;
}

static void seal(char *bytes, size_t len)
{
    struct vector_header header;

    if (len < sizeof header)
        return;
    memcpy(&header, bytes, sizeof header);
    for (int i = 0; i < VECTOR_SECTIONS; i++)
        if (header.sections[i].at <= len && header.sections[i].len <= len - header.sections[i].at)
            header.sections[i].crc =
                crc32c(0, bytes + header.sections[i].at, header.sections[i].len);
    header.crc = vector_header_crc(&header);
    memcpy(bytes, &header, sizeof header);
}

static void check_hits(const struct lexical_hits *hits, const struct lexical_filter *seen)
{
    for (size_t i = 0; i < hits->count; i++) {
        ASSERT(hits->at[i].passage < view->passages);
        ASSERT(isfinite(hits->at[i].score));
        ASSERT(i == 0 || hits->at[i - 1].score >= hits->at[i].score);
        ASSERT(!seen || lexical_filter_allows(seen, hits->at[i].passage));
    }
}

static void ask(struct arena *arena, const struct vectors *v)
{
    static const float values[VECTOR_DIM_MAX] = {0.5F, -1, 0.25F};
    static float kept[VECTOR_DIM_MAX];
    const struct lexical_vector asked = {&v->field, values};
    struct err err = {0};

    for (int i = 0; i < 8; i++) {
        struct vector_query query = {.field = &v->field,
                                     .values = values,
                                     .filter = i & 1 ? filter : NULL,
                                     .limit = i & 2 ? 3 : LEXICAL_LIMIT_MAX,
                                     .scan = i & 4};
        struct lexical_hits hits;

        ASSERT(vector_search(view, arena, &query, &hits, &err));
        ASSERT(query.filter || hits.count == MIN_OF(query.limit, (size_t)v->count));
        check_hits(&hits, query.filter);
    }
    for (uint64_t p = 0; p < view->passages; p++) {
        float score;
        bool has = vector_get(view, &v->field, p, kept);

        ASSERT(vector_scores(view, &asked, &p, 1, &score, &err));
        ASSERT(has == !isnan(score));
    }
}

/* What a merge would do with it. */
static void make_again(struct arena *arena, const struct vectors *v)
{
    struct vector_ref *refs = arena_array(arena, v->count + (size_t)1, sizeof *refs);
    struct graph graph;
    struct err err = {0};

    ASSERT(refs);
    for (uint32_t i = 0; i < v->count; i++)
        refs[i] = (struct vector_ref){&v->rows, i, v->passage[i]};
    struct graph_plan plan = {.refs = refs, .count = v->count, .stride = v->rows.stride};
    ASSERT(graph_make(&plan, arena, &graph, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};

    ASSERT(arena);
    struct str bytes = fuzz_change(arena, original, 4, data, size);
    seal((char *)(uintptr_t)bytes.ptr, bytes.len);
    struct graph graph = {0};
    char *map = arena_alloc(arena, bytes.len);
    ASSERT(map);
    memcpy(map, bytes.ptr, bytes.len);
    struct vectors v = {.number = 2, .map = map, .bytes = bytes.len, .graph = &graph};
    if (!vectors_check(&v, view->at[0], &err)) {
        ASSERT(err.code == ERR_UNAVAILABLE);
        return 0;
    }
    struct vectors *good = view->vectors[0].vectors;
    view->vectors[0].vectors = &v;
    ask(arena, &v);
    make_again(arena, &v);
    view->vectors[0].vectors = good;
    return 0;
}
