/* What finding the nearest vectors costs, and how many of the true ones are found.
 *   micro_vectors [VECTORS [DIMENSIONS [SPREAD]]]    100000, 384 and 80 when not given
 * Vectors in clusters, as encoders make them; SPREAD is how far from the centre, in percent of its length:
 * with 10000 they point anywhere, which is the worst there is for a graph. Prints microseconds of CPU of one thread, and ratios to the
 * exact scan of this run; beside it hnswlib where it was built in (-Dhnswlib=true).
 * Not a test: times depend on the machine. The figures of docs/performance.md come from here. */
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "index/vector_file.h"
#include "index/vector_kernel.h"
#ifdef HNSWLIB
#    include "hnswlib_oracle.h"
#endif

#define QUESTIONS 200
#define NEAREST   10

static uint32_t vectors = 100000, dim = 384;
static float spread = 0.8F;
static float *all, *questions;             /* at unit length */
static uint64_t truth[QUESTIONS][NEAREST]; /* by floats, over all */
static double scan_us;

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void print_line(const char *what, double us, double recall)
{
    printf("%-44s %9.0f us  %6.2f of the scan  recall@%d %.3f\n", what, us,
           scan_us > 0 ? us / scan_us : 1.0, NEAREST, recall);
    (void)fflush(stdout);
}

/* --- data ------------------------------------------------------------------------------------- */

static float uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) / (float)(1 << 24);
}

static float normal(uint64_t *state)
{
    float sum = 0;

    for (int i = 0; i < 6; i++)
        sum += uniform(state);
    return (sum - 3.0F) * 1.41421356F;
}

static void draw(uint64_t *state, uint32_t clusters, float *out)
{
    uint64_t centre = (uint64_t)(uniform(state) * (float)clusters) * 7919 + 1;
    float *raw = malloc(dim * sizeof *raw), scale = 1.0F / sqrtf((float)dim);

    for (uint32_t i = 0; i < dim; i++) {
        raw[i] = normal(&centre) * scale;
        raw[i] += spread * normal(state) * scale;
    }
    if (!vector_normalise(raw, dim, out))
        exit(2);
    free(raw);
}

static void make_data(void)
{
    uint64_t state = 1;

    all = malloc((size_t)vectors * dim * sizeof *all);
    questions = malloc((size_t)QUESTIONS * dim * sizeof *questions);
    if (!all || !questions)
        exit(2);
    for (uint32_t i = 0; i < vectors; i++)
        draw(&state, vectors / 100 + 1, all + (size_t)i * dim);
    for (uint32_t i = 0; i < QUESTIONS; i++)
        draw(&state, vectors / 100 + 1, questions + (size_t)i * dim);
}

static float product(const float *a, const float *b)
{
    float sums[16] = {0}, sum = 0;
    uint32_t i = 0;

    for (; i + 16 <= dim; i += 16)
        for (uint32_t k = 0; k < 16; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < dim; i++)
        sum += a[i] * b[i];
    for (uint32_t k = 0; k < 16; k++)
        sum += sums[k];
    return sum;
}

/* The nearest of those whose number leaves no rest. */
static void nearest(const float *question, uint32_t every, uint64_t out[NEAREST])
{
    float scores[NEAREST];
    size_t count = 0;

    for (uint32_t i = 0; i < vectors; i += every) {
        float score = product(question, all + (size_t)i * dim);
        size_t at = count;

        if (count == NEAREST && score <= scores[NEAREST - 1])
            continue;
        count = MIN_OF(count + 1, (size_t)NEAREST);
        for (at = MIN_OF(at, (size_t)NEAREST - 1); at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            out[at] = out[at - 1];
        }
        scores[at] = score;
        out[at] = i;
    }
}

static void find_truth(void)
{
    double from = now_us();

    for (uint32_t i = 0; i < QUESTIONS; i++)
        nearest(questions + (size_t)i * dim, 1, truth[i]);
    printf("%-44s %9.0f us\n", "float32, every vector (the truth)", (now_us() - from) / QUESTIONS);
}

/* --- Weir ------------------------------------------------------------------------------------- */

static struct vector_field the_field(void)
{
    const uint8_t model[VECTOR_MODEL_BYTES] = {1};
    struct vector_field field;
    struct err err = {0};

    if (!vector_field_init(&field, STR("bench"), dim, model, &err))
        exit(2);
    return field;
}

static bool fill(struct lexical *index, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    const struct vector_field field = the_field();

    if (!lexical_begin(index, &w, err))
        return false;
    for (uint32_t i = 0; i < vectors; i++) {
        size_t mark = arena_mark(arena);
        struct lexical_vector vector = {&field, all + (size_t)i * dim};
        struct lexical_passage passage = {
            .record = arena_fmt(arena, "%u", i), .vectors = &vector, .vector_count = 1};
        struct lexical_document document = {
            .key = arena_fmt(arena, "d%08u", i), .passages = &passage, .passage_count = 1};

        if (!lexical_add(w, &document, err))
            return false;
        arena_rewind(arena, mark);
    }
    lexical_compact(w);
    return lexical_commit(&w, err);
}

static bool of_every(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)document;
    return i % *(const uint32_t *)context == 0;
}

static size_t count_right(const struct lexical_hits *hits, const uint64_t want[NEAREST])
{
    size_t right = 0;

    for (size_t i = 0; i < hits->count; i++)
        for (size_t k = 0; k < NEAREST; k++)
            right += hits->at[i].passage == want[k];
    return right;
}

static bool ask_all(struct lexical *index, const char *what, uint32_t every, bool scan,
                    struct err *err)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct vector_field field = the_field();
    struct lexical_filter *filter = NULL;
    size_t right = 0;
    double sum = 0;

    if (every > 1 && !lexical_filter_make(view, arena, of_every, &every, &filter, err))
        return false;
    for (uint32_t i = 0; i < QUESTIONS; i++) {
        struct vector_query query = {.field = &field,
                                     .values = questions + (size_t)i * dim,
                                     .filter = filter,
                                     .limit = NEAREST,
                                     .scan = scan};
        size_t mark = arena_mark(arena);
        uint64_t want[NEAREST];
        struct lexical_hits hits;

        if (every > 1)
            nearest(query.values, every, want);
        double from = now_us();
        if (!vector_search(view, arena, &query, &hits, err))
            return false;
        sum += now_us() - from;
        right += count_right(&hits, every > 1 ? want : truth[i]);
        arena_rewind(arena, mark);
    }
    if (scan && every == 1)
        scan_us = sum / QUESTIONS;
    print_line(what, sum / QUESTIONS, (double)right / QUESTIONS / NEAREST);
    return true;
}

static bool filters(struct lexical *index, const char *how, bool scan, struct err *err)
{
    static const struct {
        const char *name;
        uint32_t every;
    } shares[] = {{"all", 1}, {"50 %", 2}, {"10 %", 10}, {"1 %", 100}};
    char what[64];

    for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
        (void)snprintf(what, sizeof what, "%s, %s may be seen", how, shares[i].name);
        if (!ask_all(index, what, shares[i].every, scan, err))
            return false;
    }
    return true;
}

static bool with_index(const char *dir, uint32_t graph_from, struct err *err)
{
    struct lexical *index CLEANUP(lexical_close) = NULL;
    struct vector_stats stats[VECTOR_FIELDS_MAX];

    if (!lexical_open(dir, &index, err))
        return false;
    vector_graph_from(index, graph_from);
    double from = now_us();
    if (!fill(index, err))
        return false;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    (void)vector_fields(view, stats);
    printf("%s: written in %.1f s, %.1f MB, %.0f %% by graph, recall of itself %.3f\n",
           graph_from ? "graph" : "scan", (now_us() - from) / 1e6, (double)stats[0].bytes / 1e6,
           (double)stats[0].graphed * 100 / (double)stats[0].vectors, (double)stats[0].recall);
    return graph_from ? filters(index, "graph", false, err)
                      : filters(index, "int8 scan", true, err);
}

static void kernels(void)
{
    struct vector_kernel known[VECTOR_KERNELS_MAX];
    size_t count = vector_kernels(known), stride = vector_stride(dim), rows = 64;
    int8_t *bytes = calloc(rows + 1, stride);
    double best = 0;

    if (!bytes)
        exit(2);
    for (size_t k = 0; k < count; k++) {
        volatile int32_t sum = 0;
        double from = now_us();

        for (uint32_t i = 0; i < 500000; i++)
            sum = sum + known[k].dot(bytes, bytes + (i % rows + 1) * stride, stride);
        double ns = (now_us() - from) / 500;
        best = k ? best : ns;
        printf("kernel %-12s %7.1f ns a row from the cache, %.1f times the best\n", known[k].name,
               ns, ns / best);
    }
    free(bytes);
}

/* --- hnswlib ---------------------------------------------------------------------------------- */

#ifdef HNSWLIB
static void oracle(void)
{
    static const size_t efforts[] = {16, 32, 64, 128, 256, 512};
    double from = now_us();
    struct oracle *o = oracle_new(dim, vectors, 16, 100);

    for (uint32_t i = 0; i < vectors; i++)
        oracle_add(o, all + (size_t)i * dim, i);
    printf("hnswlib 0.6.2, M 16, efConstruction 100: built in %.1f s, %.1f MB\n",
           (now_us() - from) / 1e6, (double)oracle_bytes(o) / 1e6);
    for (size_t e = 0; e < ARRAY_LEN(efforts); e++) {
        size_t right = 0;
        char what[64];

        from = now_us();
        for (uint32_t i = 0; i < QUESTIONS; i++) {
            uint64_t found[NEAREST];
            size_t count = oracle_find(o, questions + (size_t)i * dim, NEAREST, efforts[e], found);

            for (size_t k = 0; k < count; k++)
                for (size_t t = 0; t < NEAREST; t++)
                    right += found[k] == truth[i][t];
        }
        (void)snprintf(what, sizeof what, "hnswlib, ef %zu", efforts[e]);
        print_line(what, (now_us() - from) / QUESTIONS, (double)right / QUESTIONS / NEAREST);
    }
    oracle_free(o);
}
#else
static void oracle(void)
{
    printf("hnswlib: not built in (meson configure build -Dhnswlib=true)\n");
}
#endif

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/weir-bench-XXXXXX", sub[64];
    uint64_t number;
    struct err err = {0};

    if (argc > 1 && u64_parse(str_from(argv[1]), &number))
        vectors = (uint32_t)number;
    if (argc > 2 && u64_parse(str_from(argv[2]), &number))
        dim = (uint32_t)number;
    if (argc > 3 && u64_parse(str_from(argv[3]), &number))
        spread = (float)number / 100.0F;
    if (!mkdtemp(dir) || dim == 0 || dim > VECTOR_DIM_MAX || vectors < 1000)
        return 2;
    kernels();
    make_data();
    printf("%u vectors of %u dimensions, %d questions\n", vectors, dim, QUESTIONS);
    find_truth();
    (void)snprintf(sub, sizeof sub, "%s/scan", dir);
    bool ok = with_index(sub, 0, &err);
    (void)snprintf(sub, sizeof sub, "%s/graph", dir);
    ok = ok && with_index(sub, 1, &err);
    if (ok)
        oracle();
    else
        fprintf(stderr, "%s\n", err.text);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return !ok;
}
