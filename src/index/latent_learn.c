/* Learning: which words count, the passages as sparse rows A, and a basis V of the space that A's rows span
 * best, by V <- orth(A' A V) from a fixed random start. Cosines do not change when the basis is turned, so
 * singular values and vectors themselves are not needed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "index/latent_format.h"
#include "index/latent_internal.h"

#define WORK_ARENA      ((size_t)3 * GIB)
#define CANDIDATES_MAX  ((size_t)4 * 1024 * 1024)
#define PASSAGES_WITH   2u /* a word of one passage connects it to none */
#define TINY            1e-12f
#define LOOK_EVERY      1024u /* rows between looks at `stop` */
#define EVERYWHERE_PART 2u    /* a word in more than one of so many passages says nothing */

const struct latent_limits latent_default = {.dimensions = 256,
                                             .words = 65536,
                                             .passages = 100000,
                                             .rounds = 3};

struct learning {
    const struct latent_lesson *lesson;
    struct arena *work;
    struct latent_column *columns; /* sorted by text */
    uint32_t column_count, dimensions;
    struct sparse a;
    float *basis, *product; /* [columns][dimensions] */
};

static bool is_over(const struct learning *l, struct err *err)
{
    if (!l->lesson->stop || !atomic_load(l->lesson->stop))
        return false;
    (void)err_set(err, ERR_CANCELLED, "learning was stopped");
    return true;
}

static uint64_t passages_seen(const struct latent_lesson *lesson)
{
    return lesson->filter ? lexical_filter_passages(lesson->filter) : lesson->view->passages;
}

/* --- words ------------------------------------------------------------------------------------ */

static int compare_texts(const void *a, const void *b)
{
    const struct latent_column *left = a, *right = b;

    return str_cmp(left->text, right->text);
}

static int compare_passages(const void *a, const void *b)
{
    const struct latent_column *left = a, *right = b;

    if (left->passages != right->passages)
        return left->passages < right->passages ? 1 : -1;
    return str_cmp(left->text, right->text);
}

/* The first of the terms that the segments stand at, in order of text. */
static bool first_term(const struct lexical_view *view, const uint32_t *next, struct str *out)
{
    bool found = false;

    for (uint32_t i = 0; i < view->count; i++) {
        if (next[i] >= view->at[i]->terms)
            continue;
        struct term_entry entry = segment_term(view->at[i], next[i]);
        struct str text = segment_term_text(view->at[i], &entry);

        if (!found || str_cmp(text, *out) < 0)
            *out = text;
        found = true;
    }
    return found;
}

static uint32_t seen_of(const struct latent_lesson *lesson, uint32_t segment,
                        const struct term_entry *entry)
{
    uint32_t seen = 0;

    if (!lesson->filter)
        return entry->passages;
    for (struct postings p = segment_postings(lesson->view->at[segment], entry); postings_next(&p);)
        seen += filter_allows(lesson->filter, segment, p.passage);
    return seen;
}

static uint32_t pass_term(const struct latent_lesson *lesson, uint32_t *next, struct str text)
{
    const struct lexical_view *view = lesson->view;
    uint32_t passages = 0;

    for (uint32_t i = 0; i < view->count; i++) {
        if (next[i] >= view->at[i]->terms)
            continue;
        struct term_entry entry = segment_term(view->at[i], next[i]);

        if (!str_eq(segment_term_text(view->at[i], &entry), text))
            continue;
        passages += seen_of(lesson, i, &entry);
        next[i]++;
    }
    return passages;
}

static bool choose_words(struct learning *l, struct err *err)
{
    const struct lexical_view *view = l->lesson->view;
    uint64_t all = passages_seen(l->lesson);
    uint32_t *next = arena_array(l->work, view->count + (size_t)1, sizeof *next);
    struct buf list;
    struct str text;

    if (!next)
        return err_arena(err, l->work);
    buf_init(&list, l->work, CANDIDATES_MAX * sizeof(struct latent_column));
    while (first_term(view, next, &text)) {
        struct latent_column c = {.text = text, .passages = pass_term(l->lesson, next, text)};

        if (c.passages < PASSAGES_WITH || text.ptr[0] != 'w' ||
            c.passages > all / EVERYWHERE_PART + 1 || c.passages >= all) /* would weigh nothing */
            continue;
        c.weight = logf((float)all / (float)c.passages);
        buf_put(&list, &c, sizeof c);
    }
    if (!buf_ok(&list))
        return err_set(err, ERR_TOO_LARGE, "more than %zu different words to learn from",
                       CANDIDATES_MAX);
    l->columns = (struct latent_column *)(void *)list.ptr;
    size_t count = list.len / sizeof *l->columns;
    if (!count)
        return true;
    qsort(l->columns, count, sizeof *l->columns, compare_passages);
    l->column_count = (uint32_t)MIN_OF(count, (size_t)l->lesson->limits->words);
    qsort(l->columns, l->column_count, sizeof *l->columns, compare_texts);
    return true;
}

/* --- the basis -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static void random_start(struct learning *l)
{
    size_t n = (size_t)l->column_count * l->dimensions;

    for (size_t i = 0; i < n; i++)
        l->product[i] = (float)((double)(mix(i) >> 11) / 4503599627370496.0 - 1.0);
}

/* product = A' (A basis), a passage at a time. */
static bool multiply(struct learning *l, struct err *err)
{
    const struct sparse *a = &l->a;
    float *y = arena_array(l->work, l->dimensions, sizeof *y);

    if (!y)
        return err_arena(err, l->work);
    memset(l->product, 0, (size_t)l->column_count * l->dimensions * sizeof *l->product);
    for (uint32_t r = 0; r < a->rows; r++) {
        if (r % LOOK_EVERY == 0 && is_over(l, err))
            return false;
        memset(y, 0, l->dimensions * sizeof *y);
        for (uint64_t i = a->begins[r]; i < a->begins[r + 1]; i++)
            latent_add(y, l->basis + (size_t)a->column[i] * l->dimensions, a->value[i],
                       l->dimensions);
        for (uint64_t i = a->begins[r]; i < a->begins[r + 1]; i++)
            latent_add(l->product + (size_t)a->column[i] * l->dimensions, y, a->value[i],
                       l->dimensions);
    }
    return true;
}

/* Columns of `product` as rows of `to`, where they can be gone through one after the other. */
static void turn(const float *from, float *to, uint32_t rows, uint32_t columns)
{
    for (uint32_t r = 0; r < rows; r += 16)
        for (uint32_t c = 0; c < columns; c++)
            for (uint32_t k = r; k < rows && k < r + 16; k++)
                to[(size_t)c * rows + k] = from[(size_t)k * columns + c];
}

/* v -= (v . q) q, for all q before it; twice is enough (Giraud et al. 2005). */
static void clear_of(float *v, const float *others, uint32_t count, uint32_t n)
{
    for (int twice = 0; twice < 2; twice++)
        for (uint32_t j = 0; j < count; j++) {
            const float *q = others + (size_t)j * n;
            float share = latent_dot(v, q, n);

            for (uint32_t i = 0; i < n; i++)
                v[i] -= share * q[i];
        }
}

/* basis = orth(product). What depends on the others to within rounding becomes zero. */
static bool orthonormal(struct learning *l, struct err *err)
{
    uint32_t n = l->column_count;

    turn(l->product, l->basis, n, l->dimensions);
    for (uint32_t c = 0; c < l->dimensions; c++) {
        float *v = l->basis + (size_t)c * n;
        float before = sqrtf(latent_dot(v, v, n));

        if (is_over(l, err))
            return false;
        clear_of(v, l->basis, c, n);
        float length = sqrtf(latent_dot(v, v, n));
        bool depends = length <= before * 1e-4f || length <= TINY;
        for (uint32_t i = 0; i < n; i++)
            v[i] = depends ? 0 : v[i] / length;
    }
    memcpy(l->product, l->basis, (size_t)n * l->dimensions * sizeof *l->product);
    turn(l->product, l->basis, l->dimensions, n);
    return true;
}

static bool find_basis(struct learning *l, struct err *err)
{
    size_t n = (size_t)l->column_count * l->dimensions;

    l->basis = arena_array(l->work, n + 1, sizeof *l->basis);
    l->product = arena_array(l->work, n + 1, sizeof *l->product);
    if (!l->basis || !l->product)
        return err_arena(err, l->work);
    random_start(l);
    for (uint32_t round = 0; round < l->lesson->limits->rounds; round++)
        if (!orthonormal(l, err) || !multiply(l, err))
            return false;
    return orthonormal(l, err);
}

/* --- the model's bytes ------------------------------------------------------------------------ */

/* Rows as whole numbers, each with a scale of its own. */
static void put_rows(const struct learning *l, struct buf *scales, struct buf *rows)
{
    for (uint32_t w = 0; w < l->column_count; w++) {
        const float *row = l->basis + (size_t)w * l->dimensions;
        float most = 0;
        int8_t cells[LATENT_DIMENSIONS_MAX];

        for (uint32_t d = 0; d < l->dimensions; d++)
            most = MAX_OF(most, fabsf(row[d]));
        for (uint32_t d = 0; d < l->dimensions; d++)
            cells[d] = most > 0 ? (int8_t)lrintf(row[d] / most * 127.0f) : 0;
        float scale = most / 127.0f;
        buf_put(scales, &scale, sizeof scale);
        buf_put(rows, cells, l->dimensions);
    }
}

static bool write_model(const struct learning *l, struct arena *arena, struct str *out,
                        struct err *err)
{
    struct latent_header header = {.magic = LATENT_MAGIC,
                                   .version = LATENT_VERSION,
                                   .dimensions = l->dimensions,
                                   .words = l->column_count,
                                   .learned_from = (uint32_t)passages_seen(l->lesson)};
    struct buf texts, ends, scales, all;

    buf_init(&texts, l->work, WORK_ARENA);
    buf_init(&ends, l->work, WORK_ARENA);
    buf_init(&scales, l->work, WORK_ARENA);
    for (uint32_t w = 0; w < l->column_count; w++) {
        buf_str(&texts, l->columns[w].text);
        uint32_t end = (uint32_t)texts.len;
        buf_put(&ends, &end, sizeof end);
    }
    header.text_bytes = (uint32_t)texts.len;
    buf_init(&all, arena, WORK_ARENA);
    buf_put(&all, &header, sizeof header);
    for (uint32_t w = 0; w < l->column_count; w++)
        buf_put(&all, &l->columns[w].weight, sizeof(float));
    size_t scales_at = all.len;
    buf_put(&all, l->product, l->column_count * sizeof(float)); /* room; written below */
    buf_str(&all, buf_view(&ends));
    put_rows(l, &scales, &all);
    buf_str(&all, buf_view(&texts));
    if (!buf_ok(&texts) || !buf_ok(&ends) || !buf_ok(&scales))
        return err_arena(err, l->work);
    if (!buf_finish(&all, out, err))
        return false;
    memcpy(all.ptr + scales_at, scales.ptr, scales.len);
    return true;
}

bool latent_learn(const struct latent_lesson *lesson, struct arena *arena, struct str *out,
                  struct err *err)
{
    struct arena *work CLEANUP(arena_end) = arena_new(WORK_ARENA);
    const struct latent_limits *limits = lesson->limits;
    struct learning l = {.lesson = lesson, .work = work, .dimensions = limits->dimensions};

    ASSERT(limits->dimensions >= 16 && limits->dimensions <= LATENT_DIMENSIONS_MAX &&
           limits->dimensions % 16 == 0 && limits->passages > 0);
    if (!work)
        return err_no_room(err, "no memory to learn latent vectors");
    if (!choose_words(&l, err))
        return err_wrap(err, "learn latent vectors");
    if (!l.column_count) {
        *out = STR_NONE;
        return true;
    }
    struct sparse_wish wish = {
        .view = lesson->view,
        .filter = lesson->filter,
        .columns = l.columns,
        .column_count = l.column_count,
        .segment = UINT32_MAX,
        .step = (uint32_t)((lesson->view->passages + limits->passages - 1) / limits->passages)};
    if (!sparse_make(&wish, work, &l.a, err) || !find_basis(&l, err) ||
        !write_model(&l, arena, out, err))
        return err_wrap(err, "learn latent vectors");
    return true;
}
