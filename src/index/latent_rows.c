/* Passages as sparse rows of weighted words, and the little arithmetic that latent vectors need. Sums are
 * taken in a fixed order, so that the same content gives the same bits. */
#include <math.h>
#include <string.h>

#include "index/latent_internal.h"

float latent_times(uint32_t times)
{
    return 1.0f + logf((float)times);
}

void latent_add(float *restrict to, const float *restrict from, float by, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 16)
        for (uint32_t k = 0; k < 16; k++)
            to[i + k] += by * from[i + k];
}

float latent_dot(const float *a, const float *b, size_t n)
{
    float sums[16] = {0}, sum = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        for (size_t k = 0; k < 16; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (size_t k = 0; k < 16; k++)
        sum += sums[k];
    return sum;
}

void latent_unit(float *v, uint32_t n)
{
    float length = sqrtf(latent_dot(v, v, n)), most = 0;

    if (length < 1e-12F) { /* squares of such numbers are too small to add up */
        for (uint32_t i = 0; i < n; i++)
            most = fmaxf(most, fabsf(v[i]));
        for (uint32_t i = 0; most > 0 && i < n; i++)
            v[i] /= most;
        length = sqrtf(latent_dot(v, v, n));
    }
    for (uint32_t i = 0; length > 0 && i < n; i++)
        v[i] /= length;
}

/* --- rows ------------------------------------------------------------------------------------- */

struct filling {
    const struct sparse_wish *wish;
    struct sparse *to;
    uint64_t *next; /* [rows]: where the row's next pair goes; NULL while pairs are counted */
};

/* Where passage `p`, counted over all that are read, has its row. */
static bool row_of(const struct filling *f, uint64_t p, uint32_t *row)
{
    *row = (uint32_t)(p / f->wish->step);
    return p % f->wish->step == 0;
}

static bool is_seen(const struct filling *f, uint32_t segment, uint32_t passage)
{
    return !f->wish->filter || filter_allows(f->wish->filter, segment, passage);
}

static void take_term(struct filling *f, uint32_t segment, uint64_t before, uint32_t column)
{
    const struct segment *s = f->wish->view->at[segment];
    struct term_entry entry;

    if (!segment_find_term(s, f->wish->columns[column].text, &entry))
        return;
    for (struct postings p = segment_postings(s, &entry); postings_next(&p);) {
        uint32_t row;

        if (!is_seen(f, segment, p.passage) || !row_of(f, before + p.passage, &row))
            continue;
        if (!f->next) {
            f->to->begins[row + 1]++;
            continue;
        }
        uint64_t at = f->next[row]++;
        f->to->column[at] = column;
        f->to->value[at] = latent_times(p.times) * f->wish->columns[column].weight;
    }
}

static void take_all(struct filling *f)
{
    const struct lexical_view *view = f->wish->view;

    for (uint32_t c = 0; c < f->wish->column_count; c++) {
        uint64_t before = 0;

        for (uint32_t i = 0; i < view->count; i++) {
            if (f->wish->segment != UINT32_MAX && f->wish->segment != i)
                continue;
            take_term(f, i, before, c);
            before += view->at[i]->passages;
        }
    }
}

bool sparse_make(const struct sparse_wish *wish, struct arena *arena, struct sparse *out,
                 struct err *err)
{
    uint64_t passages = wish->segment == UINT32_MAX ? wish->view->passages
                                                    : wish->view->at[wish->segment]->passages;
    struct sparse m = {.rows = (uint32_t)((passages + wish->step - 1) / wish->step),
                       .columns = wish->column_count};
    struct filling filling = {.wish = wish, .to = &m};

    m.begins = arena_array(arena, m.rows + (size_t)1, sizeof *m.begins);
    if (!m.begins)
        return err_arena(err, arena);
    take_all(&filling);
    for (uint32_t r = 0; r < m.rows; r++)
        m.begins[r + 1] += m.begins[r];
    m.column = arena_array(arena, m.begins[m.rows] + 1, sizeof *m.column);
    m.value = arena_array(arena, m.begins[m.rows] + 1, sizeof *m.value);
    filling.next = arena_array(arena, m.rows + (size_t)1, sizeof *filling.next);
    if (!m.column || !m.value || !filling.next)
        return err_arena(err, arena);
    memcpy(filling.next, m.begins, m.rows * sizeof *filling.next);
    take_all(&filling);
    for (uint32_t r = 0; r < m.rows; r++) {
        float *row = m.value + m.begins[r];
        size_t n = m.begins[r + 1] - m.begins[r];
        float length = sqrtf(latent_dot(row, row, n));

        for (size_t i = 0; i < n; i++)
            row[i] /= length;
    }
    *out = m;
    return true;
}
