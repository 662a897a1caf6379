/* Using a model: from words to vectors. */
#include "index/latent.h"

#include <string.h>

#include "index/latent_format.h"
#include "index/latent_internal.h"

static float f32_at(const uint8_t *list, uint32_t i)
{
    float f;

    memcpy(&f, list + (size_t)i * sizeof f, sizeof f);
    return f;
}

static uint32_t u32_at(const uint8_t *list, uint32_t i)
{
    uint32_t n;

    memcpy(&n, list + (size_t)i * sizeof n, sizeof n);
    return n;
}

static bool makes_no_sense(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the latent model is damaged");
}

bool latent_read(struct str bytes, struct latent *out, struct err *err)
{
    struct latent_header h;

    if (bytes.len < sizeof h)
        return makes_no_sense(err);
    memcpy(&h, bytes.ptr, sizeof h);
    size_t words = h.words, want = sizeof h + words * (12 + (size_t)h.dimensions) + h.text_bytes;
    if (memcmp(h.magic, LATENT_MAGIC, sizeof h.magic) != 0 || h.version != LATENT_VERSION ||
        h.dimensions < 16 || h.dimensions > LATENT_DIMENSIONS_MAX || h.dimensions % 16 ||
        bytes.len < want)
        return makes_no_sense(err);
    const uint8_t *at = (const uint8_t *)bytes.ptr + sizeof h;
    struct latent m = {
        .dimensions = h.dimensions,
        .words = h.words,
        .learned_from = h.learned_from,
        .weights = at,
        .scales = at + 4 * words,
        .text_ends = at + 8 * words,
        .rows = (const int8_t *)(at + 12 * words),
        .texts = {(const char *)at + words * (12 + (size_t)h.dimensions), h.text_bytes},
        .bytes = want};
    for (uint32_t i = 0, before = 0; i < m.words; i++) {
        uint32_t end = u32_at(m.text_ends, i);

        if (end < before || end > h.text_bytes)
            return makes_no_sense(err);
        before = end;
    }
    *out = m;
    return true;
}

static struct str text_of(const struct latent *m, uint32_t i)
{
    return str_slice(m->texts, i ? u32_at(m->text_ends, i - 1) : 0, u32_at(m->text_ends, i));
}

static bool find_word(const struct latent *m, struct str text, uint32_t *out)
{
    uint32_t low = 0, high = m->words;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(text_of(m, middle), text);

        if (order == 0) {
            *out = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void add_word(const struct latent *m, uint32_t word, float by, float *to)
{
    const int8_t *row = m->rows + (size_t)word * m->dimensions;
    float scale = by * f32_at(m->scales, word);

    for (uint32_t i = 0; i < m->dimensions; i += 16)
        for (uint32_t k = 0; k < 16; k++)
            to[i + k] += scale * (float)row[i + k];
}

static uint32_t times_of(const struct terms *terms, size_t i)
{
    uint32_t times = 0;

    for (size_t k = 0; k < terms->count; k++)
        times += terms->at[k].field == TERM_WORD && str_eq(terms->at[k].text, terms->at[i].text);
    return times;
}

bool latent_vector(const struct latent *m, const struct terms *terms, float *out)
{
    bool known = false;

    memset(out, 0, m->dimensions * sizeof *out);
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];
        char bytes[TERM_BYTES_MAX + 1];
        uint32_t word;

        if (term->field != TERM_WORD || term->stop || terms_is_repeat(terms, i) ||
            !find_word(m, term_key(term, bytes), &word))
            continue;
        add_word(m, word, latent_times(times_of(terms, i)) * f32_at(m->weights, word), out);
        known = true;
    }
    latent_unit(out, m->dimensions);
    return known;
}

bool latent_passages(const struct latent *m, const struct lexical_view *view, uint32_t segment,
                     struct arena *arena, float **out, struct err *err)
{
    size_t passages = view->at[segment]->passages;
    float *vectors = arena_array(arena, passages * m->dimensions + 1, sizeof *vectors);
    struct latent_column *columns = arena_array(arena, m->words + (size_t)1, sizeof *columns);
    struct sparse_wish wish = {
        .view = view, .columns = columns, .column_count = m->words, .segment = segment, .step = 1};
    struct sparse rows;

    if (!vectors || !columns)
        return err_arena(err, arena);
    for (uint32_t w = 0; w < m->words; w++)
        columns[w] = (struct latent_column){.text = text_of(m, w), .weight = f32_at(m->weights, w)};
    size_t mark = arena_mark(arena);
    if (!sparse_make(&wish, arena, &rows, err))
        return false;
    for (uint32_t r = 0; r < rows.rows; r++) {
        float *v = vectors + (size_t)r * m->dimensions;

        for (uint64_t i = rows.begins[r]; i < rows.begins[r + 1]; i++)
            add_word(m, rows.column[i], rows.value[i], v);
        latent_unit(v, m->dimensions);
    }
    arena_rewind(arena, mark);
    *out = vectors;
    return true;
}
