#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_layout.h"

/* Columns, and in each what its lines are. */

#define CUTS_MAX       10
#define CANDIDATES_MAX 12
#define BINS           1500 /* of two points: pages are narrower */

/* --- blocks ----------------------------------------------------------------------------------- */

bool pdf_add_block(struct pdf_view *v, struct pdf_blocks *blocks, const struct pdf_block *block)
{
    if (blocks->count == blocks->cap) {
        size_t cap = MAX_OF((size_t)64, 2 * blocks->cap);
        struct pdf_block *grown =
            arena_grow(v->arena, blocks->list, blocks->cap * sizeof *grown, cap * sizeof *grown);

        if (!grown)
            return pdf_stop(v->pdf, PDF_NO_MEMORY);
        blocks->list = grown;
        blocks->cap = cap;
    }
    blocks->list[blocks->count++] = *block;
    return true;
}

/* --- columns ---------------------------------------------------------------------------------- */

struct cutter {
    struct pdf_view *view;
    struct pdf_blocks *out;
};

static int by_place(const void *a, const void *b)
{
    const struct pdf_segment *const *x = a, *const *y = b;

    if ((*x)->y != (*y)->y)
        return (*x)->y < (*y)->y ? -1 : 1;
    if ((*x)->box.x0 != (*y)->box.x0)
        return (*x)->box.x0 < (*y)->box.x0 ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

struct side {
    size_t lines, numbers, table;
    float x0, x1, widths;
    uint32_t chars;
};

static void side_add(struct pdf_view *v, struct side *side, struct pdf_segment *s)
{
    side->x0 = side->lines ? fminf(side->x0, s->box.x0) : s->box.x0;
    side->x1 = side->lines ? fmaxf(side->x1, s->box.x1) : s->box.x1;
    side->lines++;
    side->widths += s->box.x1 - s->box.x0;
    side->chars += s->chars;
    side->numbers += !s->table && pdf_is_numeric(pdf_segment_text(v, s));
    side->table += s->table != NULL;
}

/* Prose fills its column, line by line; the cells of a table do not. */
static bool side_is_prose(const struct side *side)
{
    if (side->table && side->lines <= 3)
        return true;
    return side->lines >= 3 && side->chars >= 18 * side->lines &&
           side->widths > 0.5f * (float)side->lines * (side->x1 - side->x0) &&
           4 * side->numbers <= side->lines;
}

/* A band: segments on both sides of x, none across. */
static bool band_is_columns(struct pdf_view *v, struct pdf_segment **s, size_t count, float x)
{
    struct side left = {0}, right = {0};

    for (size_t i = 0; i < count; i++)
        side_add(v, s[i]->box.x1 <= x ? &left : &right, s[i]);
    return left.lines + right.lines >= 7 && side_is_prose(&left) && side_is_prose(&right) &&
           right.x0 - left.x1 >= 4;
}

static bool crosses(const struct pdf_segment *s, float x)
{
    return s->box.x0 < x - 1 && s->box.x1 > x + 1;
}

/* How many segments stand in columns when the page is cut at x. */
static size_t gutter_score(struct pdf_view *v, struct pdf_segment **s, size_t count, float x)
{
    size_t from = 0, score = 0;

    for (size_t i = 0; i <= count; i++)
        if (i == count || crosses(s[i], x)) {
            if (i - from >= 7 && band_is_columns(v, s + from, i - from, x))
                score += i - from;
            from = i + 1;
        }
    return score;
}

/* The places that most gaps between neighbours on a row have in common. */
static float best_gutter(struct pdf_view *v, struct pdf_segment **s, size_t count, size_t *score)
{
    uint32_t *bins = arena_array(v->arena, BINS, sizeof *bins);
    float best = 0;

    *score = 0;
    if (!bins) {
        pdf_stop(v->pdf, PDF_NO_MEMORY);
        return 0;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        size_t from, to;

        if (fabsf(s[i]->y - s[i + 1]->y) > 0.7f * s[i]->size || s[i + 1]->box.x0 <= s[i]->box.x1)
            continue;
        from = (size_t)fmaxf(s[i]->box.x1 / 2, 0) + 1;
        to = (size_t)fmaxf(s[i + 1]->box.x0 / 2, 0);
        for (size_t b = from; b < to && b < BINS; b++)
            bins[b]++;
    }
    for (int tries = 0; tries < CANDIDATES_MAX && pdf_spend(v->pdf, count + BINS); tries++) {
        size_t top = 0, end, found;

        for (size_t b = 1; b < BINS; b++)
            if (bins[b] > bins[top])
                top = b;
        if (bins[top] < 2)
            break;
        for (end = top; end < BINS && bins[end] == bins[top];)
            end++;
        float x = (float)(top + end - 1); /* the middle, two points a bin */

        found = gutter_score(v, s, count, x);
        if (found > *score) {
            *score = found;
            best = x;
        }
        memset(bins + top, 0, (end - top) * sizeof *bins);
    }
    return best;
}

static bool leaf(struct cutter *c, struct pdf_segment **segments, size_t count);

static bool cut(struct cutter *c, struct pdf_segment **s, size_t count, int depth);

static bool cut_band(struct cutter *c, struct pdf_segment **s, size_t count, float x, int depth)
{
    struct pdf_segment **sides = arena_array(c->view->arena, count + 1, sizeof *sides);
    size_t left = 0, right = count;

    if (!sides)
        return pdf_stop(c->view->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        if (s[i]->box.x1 <= x)
            sides[left++] = s[i];
    right = left;
    for (size_t i = 0; i < count; i++)
        if (s[i]->box.x1 > x)
            sides[right++] = s[i];
    return cut(c, sides, left, depth + 1) && cut(c, sides + left, right - left, depth + 1);
}

/* Segments in order of their rows: full-width parts and parts in columns by turns. */
static bool cut(struct cutter *c, struct pdf_segment **s, size_t count, int depth)
{
    size_t score = 0, from = 0, plain = 0;
    float x = depth < CUTS_MAX && count >= 7 ? best_gutter(c->view, s, count, &score) : 0;

    if (!score)
        return count == 0 || leaf(c, s, count);
    for (size_t i = 0; i <= count; i++) {
        if (i < count && !crosses(s[i], x))
            continue;
        if (i - from >= 7 && band_is_columns(c->view, s + from, i - from, x)) {
            if ((from > plain && !cut(c, s + plain, from - plain, depth + 1)) ||
                !cut_band(c, s + from, i - from, x, depth))
                return false;
            plain = i;
        }
        from = i + 1;
    }
    return plain >= count || cut(c, s + plain, count - plain, depth + 1);
}

/* --- lines ------------------------------------------------------------------------------------ */

struct line {
    struct pdf_box box;
    float y, size;
    bool bold, italic, fixed;
    struct str text;
    size_t marker;
};

static bool row_line(struct pdf_view *v, struct pdf_segment **s, size_t count, struct line *out)
{
    size_t words = 0, at = 0;
    struct pdf_word **all;
    uint32_t chars = 0, bold = 0, fixed = 0;
    float size = 0;

    for (size_t i = 0; i < count; i++)
        words += s[i]->count;
    all = arena_array(v->arena, words + 1, sizeof *all);
    if (!all)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    *out = (struct line){.box = s[0]->box, .y = s[0]->y, .italic = true};
    for (size_t i = 0; i < count; i++) {
        memcpy(all + at, s[i]->words, s[i]->count * sizeof *all);
        at += s[i]->count;
        out->box = pdf_union(out->box, s[i]->box);
        chars += s[i]->chars;
        out->italic = out->italic && s[i]->italic;
        bold += s[i]->bold ? s[i]->chars : 0;
        fixed += s[i]->fixed ? s[i]->chars : 0;
        size += s[i]->size * (float)s[i]->chars;
    }
    out->text = pdf_words_text(v, all, words);
    out->size = chars ? size / (float)chars : s[0]->size;
    out->bold = 2 * bold > chars;
    out->fixed = 10 * fixed > 9 * chars;
    out->marker = pdf_marker(out->text);
    return v->pdf->stopped == PDF_GOES_ON;
}

/* --- paragraphs ------------------------------------------------------------------------------- */

struct setter { /* lines of a leaf between two tables */
    struct cutter *cutter;
    struct line *lines;
    size_t count;
    float left, right, leading; /* leading in ems: what most lines are apart */
    float levels[8];            /* left edges of markers */
    int level_count;
};

bool pdf_ends_sentence(struct str s)
{
    static const char *const ends[] = {
        ".",  "!", "?", ":", "\xE3\x80\x82", "\xEF\xBC\x81", "\xEF\xBC\x9F", ".\xE2\x80\x9D",
        ".)", ";"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(s, str_from(ends[i])))
            return true;
    return false;
}

static bool starts_lower(struct str s)
{
    return s.len && s.ptr[0] >= 'a' && s.ptr[0] <= 'z';
}

/* The line could have held the first word of the next: it ended on purpose. */
static bool ended_early(const struct setter *s, const struct line *line, const struct line *next)
{
    size_t word = MIN_OF(str_find_char(next->text, ' '), (size_t)40);
    float per_char = (next->box.x1 - next->box.x0) / fmaxf((float)utf8_count(next->text), 1);

    if (rune_is_cjk(0x4E00) && (uint8_t)next->text.ptr[0] >= 0xE3)
        word = 2;
    return s->right - line->box.x1 > per_char * ((float)word + 2) + 0.5f * line->size;
}

static bool same_paragraph(const struct setter *s, const struct line *first,
                           const struct line *line, const struct line *next)
{
    float gap = next->y - line->y, size = fmaxf(line->size, next->size);
    bool centred = fabsf(line->box.x0 + line->box.x1 - next->box.x0 - next->box.x1) < size &&
                   fabsf(line->box.x0 - next->box.x0) > size;

    if (next->marker || gap > fmaxf(1.25f * s->leading, 1.1f) * size || gap < -0.5f * size)
        return false;
    if (fabsf(line->size - next->size) > 0.09f * size)
        return false;
    if (line->italic && !next->italic && !first->marker && ended_early(s, line, next) &&
        !starts_lower(next->text))
        return false;
    if (line->bold != next->bold && !first->marker &&
        (ended_early(s, line, next) || (line->bold && !starts_lower(next->text))) &&
        !(line->text.len && line->text.ptr[line->text.len - 1] == ','))
        return false;
    if (first->marker)
        return next->box.x0 > first->box.x0 + 0.3f * size ||
               (!ended_early(s, line, next) && !pdf_ends_sentence(line->text)) ||
               starts_lower(next->text);
    if (starts_lower(next->text) || centred)
        return true;
    if (next->box.x0 - s->left > 0.8f * size && line->box.x0 - s->left < 0.5f * size &&
        (pdf_ends_sentence(line->text) || ended_early(s, line, next)))
        return false; /* first line indented */
    return !(ended_early(s, line, next) &&
             (pdf_ends_sentence(line->text) || line->bold ||
              s->right - line->box.x1 > 0.25f * (s->right - s->left)));
}

static int marker_level(struct setter *s, float x)
{
    while (s->level_count > 0 && s->levels[s->level_count - 1] > x + 4)
        s->level_count--;
    if (s->level_count == 0 || (s->levels[s->level_count - 1] < x - 4 && s->level_count < 8))
        s->levels[s->level_count++] = x;
    return s->level_count;
}

static int by_float(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool measure(struct setter *s)
{
    struct pdf_view *v = s->cutter->view;
    float *gaps = arena_array(v->arena, s->count + 1, sizeof *gaps);
    size_t count = 0;

    if (!gaps)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    s->left = s->lines[0].box.x0;
    s->right = s->lines[0].box.x1;
    for (size_t i = 0; i < s->count; i++) {
        s->left = fminf(s->left, s->lines[i].box.x0);
        s->right = fmaxf(s->right, s->lines[i].box.x1);
        if (i > 0 && fabsf(s->lines[i].size - s->lines[i - 1].size) < 0.5f) {
            float gap = (s->lines[i].y - s->lines[i - 1].y) / fmaxf(s->lines[i].size, 1);

            if (gap > 0.8f && gap < 2.2f)
                gaps[count++] = gap;
        }
    }
    qsort(gaps, count, sizeof *gaps, by_float);
    /* Lines of a paragraph are nearer to each other than paragraphs are: low in the order. */
    s->leading = count ? gaps[count / 3] : 1.25f;
    return true;
}

static bool put_paragraph(struct setter *s, size_t from, size_t to)
{
    struct pdf_view *v = s->cutter->view;
    const struct line *first = &s->lines[from];
    struct pdf_block block = {.kind = PDF_PARAGRAPH,
                              .level = 1,
                              .page = v->page,
                              .box = first->box,
                              .size = first->size,
                              .bold = true,
                              .italic = true,
                              .lines = (unsigned)(to - from)};
    struct buf text;
    bool fixed = to - from >= 2;

    buf_init(&text, v->arena, 16 * MIB);
    for (size_t i = from; i < to; i++) {
        block.box = pdf_union(block.box, s->lines[i].box);
        block.bold = block.bold && s->lines[i].bold;
        block.italic = block.italic && s->lines[i].italic;
        fixed = fixed && s->lines[i].fixed;
    }
    for (size_t i = from; i < to; i++) {
        if (fixed && i > from)
            buf_char(&text, '\n');
        if (fixed)
            buf_str(&text, s->lines[i].text);
        else
            pdf_join_line(&text, str_slice(s->lines[i].text, i == from ? first->marker : 0,
                                           s->lines[i].text.len));
    }
    if (!buf_ok(&text))
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    block.text = buf_view(&text);
    block.centred = fabsf(block.box.x0 + block.box.x1 - v->width) < 0.06f * v->width &&
                    block.box.x0 > s->left + 2 * block.size;
    if (fixed)
        block.kind = PDF_CODE;
    else if (first->marker) {
        block.kind = PDF_ITEM;
        block.level = marker_level(s, first->box.x0);
        /* "3. Fees" keeps its number: it is how people speak of it. */
        if (first->text.ptr[0] > 0 && first->marker > 2)
            block.text =
                arena_fmt(v->arena, STR_FMT STR_FMT,
                          STR_ARG(str_slice(first->text, 0, first->marker)), STR_ARG(block.text));
        if (!block.text.ptr)
            return pdf_stop(v->pdf, PDF_NO_MEMORY);
    }
    return !block.text.len || pdf_add_block(v, s->cutter->out, &block);
}

static bool set_lines(struct setter *s)
{
    size_t from = 0;

    if (!s->count)
        return true;
    if (!measure(s))
        return false;
    for (size_t i = 1; i <= s->count; i++) {
        if (i < s->count && same_paragraph(s, &s->lines[from], &s->lines[i - 1], &s->lines[i]))
            continue;
        if (!put_paragraph(s, from, i))
            return false;
        from = i;
    }
    s->count = 0;
    return true;
}

static bool put_table(struct cutter *c, struct pdf_table *table)
{
    struct pdf_block block = {.kind = PDF_TABLE,
                              .page = c->view->page,
                              .box = table->box,
                              .table = table,
                              .size = c->view->body};

    return table->count == 0 || pdf_add_block(c->view, c->out, &block);
}

static size_t row_end(struct pdf_segment **s, size_t count, size_t from)
{
    size_t end = from + 1;

    while (end < count && !s[end]->table && !s[from]->table &&
           s[end]->y - s[from]->y <= 0.35f * fminf(s[end]->size, s[from]->size))
        end++;
    return end;
}

/* A bullet and its text, a currency sign and its amount, an amount and what closes it: one piece. */
static bool belongs(struct pdf_view *v, struct pdf_segment *a, struct pdf_segment *b)
{
    struct str left = pdf_segment_text(v, a), right = pdf_segment_text(v, b);
    float gap = b->box.x0 - a->box.x1, size = fmaxf(a->size, b->size);
    static const char *const signs[] = {"$",  "\xE2\x82\xAC", "\xC2\xA3", "\xC2\xA5", "US$",
                                        "A$", "C$",           "(",        "$("};
    static const char *const closers[] = {")", "%", ")%", "%)", "pts"};

    if (gap < -size)
        return false;
    if (pdf_marker(left) == left.len && left.len > 0 && gap < 4 * size)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (str_eq(left, str_from(signs[i])) && gap < 8 * size)
            return pdf_is_numeric(right);
    for (size_t i = 0; i < ARRAY_LEN(closers); i++)
        if (str_eq(right, str_from(closers[i])) && gap < 2 * size)
            return pdf_is_numeric(left);
    return false;
}

static size_t join_neighbours(struct pdf_view *v, struct pdf_segment **s, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct pdf_segment *last = kept ? s[kept - 1] : NULL, *next = s[i];

        if (last && !last->table && !next->table && last->y == next->y &&
            last->words + last->count == next->words && belongs(v, last, next)) {
            last->count += next->count;
            last->chars += next->chars;
            last->box = pdf_union(last->box, next->box);
            last->text = STR_NONE;
        } else {
            s[kept++] = next;
        }
    }
    return kept;
}

static bool leaf(struct cutter *c, struct pdf_segment **s, size_t count)
{
    struct setter set = {.cutter = c,
                         .lines = arena_array(c->view->arena, count + 1, sizeof *set.lines)};
    struct pdf_table *table;

    if (!set.lines)
        return pdf_stop(c->view->pdf, PDF_NO_MEMORY);
    count = join_neighbours(c->view, s, count);
    for (size_t i = 0, end; i < count; i = end) {
        size_t rows = s[i]->table ? 0 : pdf_aligned_table(c->view, s + i, count - i, &table);

        end = rows ? i + rows : row_end(s, count, i);
        if (s[i]->table)
            table = s[i]->table;
        if (s[i]->table || rows) {
            if (!set_lines(&set) || !put_table(c, table))
                return false;
        } else if (!row_line(c->view, s + i, end - i, &set.lines[set.count++])) {
            return false;
        }
    }
    return set_lines(&set);
}

bool pdf_page_blocks(struct pdf_view *v, struct pdf_blocks *out)
{
    struct cutter c = {.view = v, .out = out};
    struct pdf_segment **s = arena_array(v->arena, v->segment_count + 1, sizeof *s);

    if (!s)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < v->segment_count; i++)
        s[i] = &v->segments[i];
    qsort(s, v->segment_count, sizeof *s, by_place);
    return cut(&c, s, v->segment_count, 0) && v->pdf->stopped == PDF_GOES_ON;
}
