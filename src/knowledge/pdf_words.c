#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_layout.h"

#define WORD_GAP    0.15f /* ems between letters that end a word */
#define WORD_GLYPHS 128   /* longer words are not turned */

struct pdf_box pdf_union(struct pdf_box a, struct pdf_box b)
{
    return (struct pdf_box){fminf(a.x0, b.x0), fminf(a.y0, b.y0), fmaxf(a.x1, b.x1),
                            fmaxf(a.y1, b.y1)};
}

/* --- words ------------------------------------------------------------------------------------ */

struct speller {
    struct pdf *pdf;
    struct pdf_sheet *sheet;
    struct buf words, text;
    struct pdf_word word;
    size_t text_from;
    bool open, space;
    uint32_t cuts[WORD_GLYPHS]; /* where its glyphs' texts begin */
    size_t glyphs;
};

static bool is_rtl(uint32_t rune)
{
    return (rune >= 0x590 && rune <= 0x8FF) || (rune >= 0xFB1D && rune <= 0xFDFF) ||
           (rune >= 0xFE70 && rune <= 0xFEFC);
}

static bool word_is_rtl(struct str text)
{
    uint32_t rune;

    for (size_t at = 0; utf8_next(text, &at, &rune);)
        if (is_rtl(rune))
            return true;
    return false;
}

/* Letters that read from the right were drawn from the left: glyph by glyph they are turned, since one
 * glyph may be two letters; figures and Latin letters among them are turned back. */
static void turn_word(struct speller *s)
{
    struct str whole = str_slice(buf_view(&s->text), s->text_from, s->text.len);
    char *copy = arena_alloc_raw(s->sheet->arena, whole.len);
    size_t at = s->text_from;

    if (!copy) {
        pdf_stop(s->pdf, PDF_NO_MEMORY);
        return;
    }
    memcpy(copy, whole.ptr, whole.len);
    for (size_t i = s->glyphs; i > 0;) {
        size_t first = i - 1, end;

        while (
            first > 0 &&
            !word_is_rtl(str_slice((struct str){copy, whole.len}, s->cuts[first] - s->text_from,
                                   s->cuts[i] - s->text_from)) &&
            !word_is_rtl(str_slice((struct str){copy, whole.len}, s->cuts[first - 1] - s->text_from,
                                   s->cuts[first] - s->text_from)))
            first--;
        end = s->cuts[i];
        memcpy(s->text.ptr + at, copy + (s->cuts[first] - s->text_from), end - s->cuts[first]);
        at += end - s->cuts[first];
        i = first;
    }
}

static void end_word(struct speller *s)
{
    if (s->open && s->text.len > s->text_from) {
        if (s->glyphs > 1 && s->glyphs < WORD_GLYPHS && buf_ok(&s->text) &&
            word_is_rtl(str_slice(buf_view(&s->text), s->text_from, s->text.len))) {
            s->cuts[s->glyphs] = (uint32_t)s->text.len;
            turn_word(s);
        }
        s->word.text.len = s->text.len - s->text_from;
        buf_put(&s->words, &s->word, sizeof s->word);
    }
    s->open = false;
}

/* Letters go on where the last one ended, within what kerning moves them. */
static bool goes_on(const struct pdf_word *w, const struct pdf_glyph *g)
{
    float gap = g->x0 - w->box.x1, size = fmaxf(w->size, g->size);

    if (g->turn == PDF_SLANTED) /* each letter stands higher or lower than the one before */
        return w->turn == PDF_SLANTED && fabsf(g->y - w->y) < 1.2f * size &&
               fabsf(gap) < 0.5f * size;
    return g->turn == w->turn && g->mark == w->mark && g->bold == w->bold &&
           fabsf(g->y - w->y) < 0.12f * size && gap < WORD_GAP * size && gap > -0.4f * size &&
           g->size > 0.85f * w->size && g->size < 1.18f * w->size;
}

static void add_glyph(struct speller *s, const struct pdf_glyph *g)
{
    struct str text = str_slice(buf_view(&s->sheet->text), g->text_at, g->text_at + g->text_len);
    struct pdf_box box = {g->x0, g->y - g->ascent * g->size, g->x1, g->y - g->descent * g->size};

    if (g->space) {
        end_word(s);
        s->space = true;
        return;
    }
    if (s->open && (g->text_len == 0 || goes_on(&s->word, g))) {
        s->word.box = pdf_union(s->word.box, box);
        if (g->turn == PDF_SLANTED) {
            s->word.box.x1 = g->x1;
            s->word.y = g->y;
        }
    } else {
        end_word(s);
        s->word = (struct pdf_word){.box = box,
                                    .y = g->y,
                                    .size = g->size,
                                    .bold = g->bold,
                                    .italic = g->italic,
                                    .fixed = g->fixed,
                                    .turn = g->turn,
                                    .mark = g->mark,
                                    .space_before = s->space};
        s->text_from = s->text.len;
        s->glyphs = 0;
        s->open = true;
        s->space = false;
    }
    if (s->glyphs < WORD_GLYPHS)
        s->cuts[s->glyphs++] = (uint32_t)s->text.len;
    for (size_t i = 0; i < text.len; i++) /* spaces inside ligatures and ActualText */
        buf_char(&s->text, text.ptr[i] == '\n' || text.ptr[i] == '\r' ? ' ' : text.ptr[i]);
}

/* Shadows and fat type drawn as the same word twice, almost at the same place. */
static int by_text(const void *a, const void *b)
{
    const struct pdf_word *const *x = a, *const *y = b;
    int order = str_cmp((*x)->text, (*y)->text);

    if (order)
        return order;
    if ((*x)->box.x0 != (*y)->box.x0)
        return (*x)->box.x0 < (*y)->box.x0 ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

static bool drop_doubles(struct speller *s, struct pdf_words *words)
{
    struct pdf_word **sorted = arena_array(s->sheet->arena, words->count + 1, sizeof *sorted);
    size_t kept = 0;

    if (!sorted)
        return pdf_stop(s->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < words->count; i++)
        sorted[i] = &words->list[i];
    qsort(sorted, words->count, sizeof *sorted, by_text);
    for (size_t i = 0; i < words->count; i++)
        for (size_t k = i + 1; k < words->count && k < i + 40; k++) {
            struct pdf_word *a = sorted[i], *b = sorted[k];

            if (!str_eq(a->text, b->text) || b->box.x0 - a->box.x0 > 0.25f * a->size)
                break;
            if (fabsf(a->y - b->y) < 0.25f * a->size && a->turn == b->turn && a->text.len &&
                b->text.len && fabsf(a->box.x1 - b->box.x1) < 0.25f * a->size)
                b->text.len = 0;
        }
    for (size_t i = 0; i < words->count; i++)
        if (words->list[i].text.len)
            words->list[kept++] = words->list[i];
    words->count = kept;
    return pdf_spend(s->pdf, 8 * words->count);
}

bool pdf_words(struct pdf_sheet *sheet, struct arena *arena, struct pdf *pdf, struct pdf_words *out)
{
    struct speller s = {.pdf = pdf, .sheet = sheet};
    const struct pdf_glyph *glyphs = (const struct pdf_glyph *)(const void *)sheet->glyphs.ptr;
    size_t count = sheet->glyphs.len / sizeof *glyphs, at = 0;
    struct str text;

    buf_init(&s.words, sheet->arena, count * sizeof(struct pdf_word) + 1);
    buf_init(&s.text, sheet->arena, sheet->text.len + 1);
    for (size_t i = 0; i < count; i++)
        add_glyph(&s, &glyphs[i]);
    end_word(&s);
    if (!buf_ok(&s.words) || !buf_ok(&s.text))
        return pdf_stop(pdf, PDF_NO_MEMORY);
    text = arena_str(arena, buf_view(&s.text));
    out->count = s.words.len / sizeof(struct pdf_word);
    out->list = arena_array(arena, out->count + 1, sizeof *out->list);
    if (!text.ptr || !out->list)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    if (out->count)
        memcpy(out->list, s.words.ptr, s.words.len);
    for (size_t i = 0; i < out->count; i++) {
        out->list[i].text.ptr = text.ptr + at;
        at += out->list[i].text.len;
    }
    return drop_doubles(&s, out) && pdf_spend(pdf, count);
}

/* --- rows and segments ------------------------------------------------------------------------ */

static int by_baseline(const void *a, const void *b)
{
    const struct pdf_word *const *x = a, *const *y = b;

    if ((*x)->y != (*y)->y)
        return (*x)->y < (*y)->y ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

static int by_left(const void *a, const void *b)
{
    const struct pdf_word *const *x = a, *const *y = b;

    if ((*x)->box.x0 != (*y)->box.x0)
        return (*x)->box.x0 < (*y)->box.x0 ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

static bool beside(const struct pdf_word *small, const struct pdf_word *big)
{
    float gap = fmaxf(small->box.x0 - big->box.x1, big->box.x0 - small->box.x1);

    return gap < 0.4f * big->size && gap > -0.6f * big->size;
}

/* Raised and lowered marks stand on the row of the larger word they touch: their baseline becomes its. */
static void settle_marks(struct pdf_view *v, struct pdf_word **words, size_t count)
{
    for (size_t i = 0; i < count && pdf_spend(v->pdf, 16); i++) {
        struct pdf_word *small = words[i];
        size_t low = i - MIN_OF(i, (size_t)60), high = MIN_OF(i + 60, count);

        for (size_t k = low; k < high; k++) {
            struct pdf_word *big = words[k];
            float up = big->y - small->y;

            if (small->size < 0.85f * big->size && small->size > 0.4f * big->size &&
                up < 0.55f * big->size && up > -0.3f * big->size && fabsf(up) > 0.02f * big->size &&
                beside(small, big)) {
                small->y = big->y;
                break;
            }
        }
    }
}

static void segment_finish(struct pdf_segment *s)
{
    uint32_t bold = 0, italic = 0, fixed = 0;
    float size = 0;

    s->box = s->words[0]->box;
    s->chars = 0;
    for (size_t i = 0; i < s->count; i++) {
        uint32_t chars = (uint32_t)utf8_count(s->words[i]->text);

        s->box = pdf_union(s->box, s->words[i]->box);
        s->chars += chars;
        bold += s->words[i]->bold ? chars : 0;
        italic += s->words[i]->italic ? chars : 0;
        fixed += s->words[i]->fixed ? chars : 0;
        size += s->words[i]->size * (float)chars;
    }
    s->size = s->chars ? size / (float)s->chars : s->words[0]->size;
    s->bold = 2 * bold > s->chars;
    s->italic = 10 * italic > 9 * s->chars;
    s->fixed = 10 * fixed > 9 * s->chars;
}

/* "$" leads the amount behind it, however near the one before. */
static bool is_sign(struct str s)
{
    return str_eq(s, STR("$")) || str_eq(s, STR("\xE2\x82\xAC")) || str_eq(s, STR("\xC2\xA3"));
}

/* The words of one row, sorted from the left, as segments. */
static bool cut_row(struct pdf_view *v, struct pdf_word **row, size_t count, float gap,
                    struct buf *out)
{
    size_t from = 0, tallest = 0;

    qsort(row, count, sizeof *row, by_left);
    for (size_t i = 1; i < count; i++)
        tallest = row[i]->size > row[tallest]->size ? i : tallest;
    for (size_t i = 1; i <= count; i++) {
        float reach = i < count ? row[i]->box.x0 - row[i - 1]->box.x1 : 0;

        float limit = gap * fmaxf(i < count ? row[i]->size : 0, row[i - 1]->size);

        if (i < count && reach <= limit &&
            !(is_sign(row[i]->text) && reach > 0.3f * row[i]->size && gap < 2 &&
              pdf_is_numeric(row[i - 1]->text)))
            continue;
        struct pdf_segment s = {.words = row + from, .count = i - from};

        segment_finish(&s);
        s.y = row[tallest]->y; /* so that a row stays one when its segments are sorted */
        buf_put(out, &s, sizeof s);
        from = i;
    }
    return buf_ok(out) || pdf_stop(v->pdf, PDF_NO_MEMORY);
}

bool pdf_segments(struct pdf_view *v, struct pdf_word **words, size_t count, float gap,
                  struct pdf_segment **out, size_t *out_count)
{
    struct buf segments;
    size_t from = 0;

    buf_init(&segments, v->arena, (count + 1) * sizeof(struct pdf_segment));
    qsort(words, count, sizeof *words, by_baseline);
    settle_marks(v, words, count);
    qsort(words, count, sizeof *words, by_baseline);
    for (size_t i = 1; i <= count; i++) {
        if (i < count &&
            words[i]->y - words[from]->y <= 0.3f * fminf(words[i]->size, words[from]->size))
            continue;
        if (i > from && !cut_row(v, words + from, i - from, gap, &segments))
            return false;
        from = i;
    }
    *out = (struct pdf_segment *)(void *)segments.ptr;
    *out_count = segments.len / sizeof **out;
    return pdf_spend(v->pdf, 8 * count);
}

/* --- text ------------------------------------------------------------------------------------- */

static bool needs_space(const struct pdf_word *left, const struct pdf_word *right)
{
    float gap = right->box.x0 - left->box.x1, size = fmaxf(left->size, right->size);
    uint32_t last = 0, first = 0;

    for (size_t at = 0; utf8_next(left->text, &at, &last);)
        ;
    size_t at = 0;
    utf8_next(right->text, &at, &first);
    if (rune_is_cjk(last) && rune_is_cjk(first))
        return gap > 0.6f * size;
    return gap > WORD_GAP * size || (right->space_before && gap > 0.02f * size) ||
           (left->space_before && word_is_rtl(left->text) && gap > 0.02f * size);
}

/* Runs of words that read from the left inside a line that reads from the right keep their order. */
static void turn_line(struct pdf_word **words, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct pdf_word *swap = words[i];

        words[i] = words[count - 1 - i];
        words[count - 1 - i] = swap;
    }
    for (size_t i = 0; i < count;) {
        size_t end = i;

        while (end < count && !word_is_rtl(words[end]->text))
            end++;
        for (size_t a = i, b = end; a + 1 < b; a++, b--) {
            struct pdf_word *swap = words[a];

            words[a] = words[b - 1];
            words[b - 1] = swap;
        }
        i = end + 1;
    }
}

static bool line_is_rtl(struct pdf_word **words, size_t count)
{
    size_t rtl = 0;

    for (size_t i = 0; i < count; i++)
        rtl += word_is_rtl(words[i]->text);
    return 2 * rtl > count;
}

struct str pdf_words_text(struct pdf_view *v, struct pdf_word **words, size_t count)
{
    struct pdf_word **order = arena_array(v->arena, count + 1, sizeof *order);
    struct buf b;
    bool rtl = line_is_rtl(words, count);
    size_t total = 8;

    for (size_t i = 0; i < count; i++)
        total += words[i]->text.len + 1;
    buf_init(&b, v->arena, total);
    if (!order) {
        pdf_stop(v->pdf, PDF_NO_MEMORY);
        return STR_NONE;
    }
    if (count)
        memcpy(order, words, count * sizeof *order);
    if (rtl)
        turn_line(order, count);
    for (size_t i = 0; i < count; i++) {
        const struct pdf_word *left = i ? order[i - 1] : NULL, *right = order[i];

        if (left && left->box.x0 > right->box.x0) {
            left = order[i];
            right = order[i - 1];
        }
        if (left && needs_space(left, right))
            buf_char(&b, ' ');
        buf_str(&b, order[i]->text);
    }
    if (!buf_ok(&b))
        pdf_stop(v->pdf, PDF_NO_MEMORY);
    return buf_ok(&b) ? str_trim(buf_view(&b)) : STR_NONE;
}

struct str pdf_segment_text(struct pdf_view *v, struct pdf_segment *s)
{
    if (!s->text.ptr)
        s->text = pdf_words_text(v, s->words, s->count);
    return s->text;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

void pdf_join_line(struct buf *to, struct str line)
{
    struct str so_far = buf_view(to);
    uint32_t last = 0, first = 0;
    size_t at = 0;

    if (!line.len)
        return;
    if (!so_far.len) {
        buf_str(to, line);
        return;
    }
    utf8_next(line, &at, &first);
    at = utf8_boundary(so_far, so_far.len - 1);
    utf8_next(so_far, &at, &last);
    if ((last == '-' || last == 0xAD || last == 0x2010) && so_far.len > 2 &&
        is_lower(line.ptr[0])) {
        size_t hyphen = utf8_boundary(so_far, so_far.len - 1);

        if (last == 0xAD || ((uint8_t)so_far.ptr[hyphen - 1] >= 0x80) ||
            is_lower(so_far.ptr[hyphen - 1]))
            to->len = hyphen;
    } else if (!(rune_is_cjk(last) && rune_is_cjk(first))) {
        buf_char(to, ' ');
    }
    buf_str(to, line);
}
