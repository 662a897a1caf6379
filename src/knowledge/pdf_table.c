#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_layout.h"

/* Tables without a grid: rows whose segments stand below each other. Columns are the islands between
 * the gutters that (nearly) no row crosses; what stands above the first figures names them. */

#define COLUMNS_MAX 60
#define ROWS_MAX    2000
#define WIDTH_MAX   3000 /* points */
#define HEADERS_MAX 5

/* --- what a cell is --------------------------------------------------------------------------- */

bool pdf_is_numeric(struct str s)
{
    static const char *const words[] = {"N/A", "n/a", "NM", "nm", "N.M.", "US"};
    bool digit = false, sign = false;
    uint32_t rune;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(s, str_from(words[i])))
            return true;
    for (size_t at = 0; utf8_next(s, &at, &rune);) {
        if (rune >= '0' && rune <= '9')
            digit = true;
        else if (rune == '-' || rune == 0x2013 || rune == 0x2014 || rune == 0x2212)
            sign = true;
        else if (!strchr("$%().,+/ x*<>~", (int)(rune < 128 ? rune : 1)) && rune != 0x20AC &&
                 rune != 0xA3 && rune != 0xA5 && rune != 0xA0)
            return false;
    }
    return s.len > 0 && (digit || (sign && s.len <= 4));
}

static bool is_year(struct str s)
{
    return s.len == 4 && (str_starts(s, STR("19")) || str_starts(s, STR("20"))) &&
           s.ptr[2] >= '0' && s.ptr[2] <= '9' && s.ptr[3] >= '0' && s.ptr[3] <= '9';
}

static bool is_bullet(uint32_t rune)
{
    static const uint16_t bullets[] = {0x2022, 0x2023, 0x25E6, 0x2043, 0x25CF, 0x25CB, 0x25A0,
                                       0x25A1, 0x25AA, 0x25AB, 0x25B6, 0x25B8, 0x25BA, 0x25C6,
                                       0x25C7, 0x2713, 0x2714, 0x27A2, 0x2794, 0x2756, 0x274F,
                                       0x2751, 0xB7,   0x2219, 0x2611, 0x2610, 0x2612, 0x204C};

    for (size_t i = 0; i < ARRAY_LEN(bullets); i++)
        if (rune == bullets[i])
            return true;
    return false;
}

static size_t spaces_end(struct str s, size_t at)
{
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    return at;
}

size_t pdf_marker(struct str s)
{
    size_t at = 0, from, digits;
    uint32_t rune;

    if (!utf8_next(s, &at, &rune))
        return 0;
    if (is_bullet(rune))
        return spaces_end(s, at);
    if ((rune == '-' || rune == '*' || rune == 0x2013 || rune == 0x2014 || rune == 'o') &&
        (at == s.len || s.ptr[at] == ' '))
        return rune == 'o' && s.len > 1 && !(s.len > 2 && s.ptr[2] >= 'A' && s.ptr[2] <= 'Z')
                   ? 0
                   : spaces_end(s, at);
    from = at = s.ptr[0] == '(' ? 1 : 0;
    while (at < s.len && at - from < 3 && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    digits = at - from;
    if (!digits && at < s.len &&
        ((s.ptr[at] >= 'a' && s.ptr[at] <= 'z') ||
         (from && s.ptr[at] >= 'A' && s.ptr[at] <= 'Z'))) {
        at++;
        while (at < s.len && at - from < 4 && strchr("ivx", s.ptr[at]) &&
               strchr("ivx", s.ptr[at - 1]))
            at++;
    }
    if (at == from || at >= s.len || (s.ptr[at] != ')' && (from || s.ptr[at] != '.')))
        return 0;
    at++;
    return at == s.len || s.ptr[at] == ' ' ? spaces_end(s, at) : 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

struct band {
    size_t from, to; /* segments */
    float y, size;
};
struct finder {
    struct pdf_view *view;
    struct pdf_segment **segments;
    size_t count;
    struct band *bands;
    size_t band_count, multi;
    float left, right; /* of segments in rows with several */
    float x0[COLUMNS_MAX], x1[COLUMNS_MAX];
    size_t columns;
};

static struct band band_at(const struct finder *f, size_t from)
{
    struct pdf_segment **s = f->segments;
    struct band b = {.from = from, .to = from + 1, .y = s[from]->y, .size = s[from]->size};

    while (b.to < f->count && !s[b.to]->table &&
           s[b.to]->y - b.y <= 0.35f * fminf(s[b.to]->size, b.size))
        b.to++;
    return b;
}

/* Text that runs over the table's width belongs below it, not into it. */
static bool is_prose(const struct finder *f, const struct band *b)
{
    const struct pdf_segment *s = f->segments[b->from];

    return b->to - b->from == 1 &&
           ((s->box.x1 - s->box.x0 > 0.8f * (f->right - f->left) && s->chars > 60) ||
            s->chars > 110);
}

static void widen(struct finder *f, const struct band *b)
{
    f->left = fminf(f->left, f->segments[b->from]->box.x0);
    f->right = fmaxf(f->right, f->segments[b->to - 1]->box.x1);
}

/* Rows that may be one table: how many, the last one with several segments. */
static size_t run_of(struct finder *f)
{
    struct band last = band_at(f, 0);
    size_t rows = 1, good = 1, singles = 0;

    f->multi = 1;
    f->left = f->segments[0]->box.x0;
    f->right = f->segments[last.to - 1]->box.x1;
    while (last.to < f->count && !f->segments[last.to]->table && rows < ROWS_MAX) {
        struct band next = band_at(f, last.to);

        if (next.y - last.y > 3.3f * fmaxf(next.size, last.size) || is_prose(f, &next))
            break;
        rows++;
        if (next.to - next.from > 1) {
            widen(f, &next);
            f->multi++;
            good = rows;
            singles = 0;
        } else if (++singles > (f->segments[next.from]->box.x0 < f->left + 4 * next.size ? 6 : 3)) {
            break;
        }
        last = next;
    }
    return good;
}

static bool keep_bands(struct finder *f, size_t rows)
{
    size_t at = 0;

    f->bands = arena_array(f->view->arena, rows, sizeof *f->bands);
    if (!f->bands)
        return pdf_stop(f->view->pdf, PDF_NO_MEMORY);
    for (; f->band_count < rows; at = f->bands[f->band_count++].to)
        f->bands[f->band_count] = band_at(f, at);
    return true;
}

/* --- columns ---------------------------------------------------------------------------------- */

static bool find_columns(struct finder *f)
{
    size_t width = (size_t)fminf(fmaxf(f->right - f->left, 0) + 2, WIDTH_MAX), tolerated;
    uint16_t *cover = arena_array(f->view->arena, width + 1, sizeof *cover);
    float size = f->bands[0].size;
    size_t from = 0;

    if (!cover)
        return pdf_stop(f->view->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < f->band_count; i++)
        for (size_t k = f->bands[i].from; k < f->bands[i].to; k++) {
            const struct pdf_box *box = &f->segments[k]->box;
            size_t a = (size_t)fmaxf(box->x0 - f->left, 0), b = (size_t)fmaxf(box->x1 - f->left, 0);

            if (f->bands[i].to - f->bands[i].from > 1)
                for (; a <= b && a < width; a++)
                    cover[a]++;
        }
    tolerated = f->multi < 4 ? 0 : f->multi < 8 ? 1 : f->multi / 6;
    f->columns = 0;
    for (size_t x = 0; x <= width; x++) {
        bool empty = x == width || cover[x] <= tolerated;

        if (!empty)
            continue;
        size_t end = x;
        while (end < width && cover[end] <= tolerated)
            end++;
        if (x > from && (end == width || (float)(end - x) >= fmaxf(0.3f * size, 2))) {
            if (f->columns == COLUMNS_MAX)
                return false;
            f->x0[f->columns] = f->left + (float)from;
            f->x1[f->columns++] = f->left + (float)x;
            from = end;
        } else if (x == from) {
            from = end;
        }
        x = end;
    }
    return f->columns >= 2 && pdf_spend(f->view->pdf, width);
}

/* The column that shares most with a segment. */
static size_t column_of(const struct finder *f, const struct pdf_box *box)
{
    size_t best = 0;
    float most = -1e9f;

    for (size_t c = 0; c < f->columns; c++) {
        float shared = fminf(box->x1, f->x1[c]) - fmaxf(box->x0, f->x0[c]);

        if (shared > most) {
            most = shared;
            best = c;
        }
    }
    return best;
}

/* Rows must stand in their columns, one piece in each, and be short of words: else it was prose. */
static bool is_table(struct finder *f)
{
    size_t fitting = 0, numbers = 0, cells = 0, chars = 0;

    for (size_t i = 0; i < f->band_count; i++) {
        const struct band *b = &f->bands[i];
        size_t last = COLUMNS_MAX;
        bool fits = true;

        for (size_t k = b->from; k < b->to && b->to - b->from > 1; k++) {
            size_t column = column_of(f, &f->segments[k]->box);

            fits = fits && column != last;
            last = column;
            cells++;
            chars += f->segments[k]->chars;
            numbers += pdf_is_numeric(pdf_segment_text(f->view, f->segments[k]));
        }
        fitting += fits && b->to - b->from > 1;
    }
    if (5 * fitting < 3 * f->multi || (f->multi < 3 && f->columns < 3 && numbers < 2))
        return false;
    return 10 * numbers >= 3 * cells || chars <= 34 * cells;
}

/* --- cells ------------------------------------------------------------------------------------ */

static bool append(struct pdf_view *v, struct str *to, struct str text)
{
    struct buf b;

    if (!to->len) {
        *to = text;
        return true;
    }
    buf_init(&b, v->arena, to->len + text.len + 2);
    buf_str(&b, *to);
    pdf_join_line(&b, text);
    *to = buf_view(&b);
    return buf_ok(&b) || pdf_stop(v->pdf, PDF_NO_MEMORY);
}

/* What a header stands over: the line drawn below it, or itself. */
static struct pdf_box reach_of(const struct finder *f, const struct pdf_segment *s)
{
    float middle = (s->box.x0 + s->box.x1) / 2;

    for (size_t r = 0; r < f->view->rule_count; r++) {
        const struct pdf_box *b = &f->view->rules[r];

        if (b->y0 > s->y - 1 && b->y1 < s->y + 0.9f * s->size && b->x0 <= middle &&
            b->x1 >= middle && b->x1 - b->x0 > s->box.x1 - s->box.x0 &&
            b->x1 - b->x0 < 0.9f * (f->right - f->left))
            return pdf_union(s->box, *b);
    }
    return s->box;
}

static bool fill_row(struct finder *f, const struct band *b, bool header, struct pdf_row_cells *row)
{
    row->cells = arena_array(f->view->arena, f->columns, sizeof *row->cells);
    if (!row->cells)
        return pdf_stop(f->view->pdf, PDF_NO_MEMORY);
    row->box = f->segments[b->from]->box;
    for (size_t k = b->from; k < b->to; k++) {
        struct pdf_segment *s = f->segments[k];
        struct str text = pdf_segment_text(f->view, s);
        size_t best = column_of(f, &s->box);
        struct pdf_box reach = header ? reach_of(f, s) : s->box;
        bool several = false;

        for (size_t c = 0; header && c + 1 < f->columns; c++)
            several = several || (reach.x0 < f->x1[c] - 2 && reach.x1 > f->x0[c + 1] + 2);
        row->box = pdf_union(row->box, s->box);
        for (size_t c = 0; c < f->columns; c++) {
            bool covers = several && reach.x0 < f->x1[c] - 2 && reach.x1 > f->x0[c] + 2;

            if ((c == best || covers) && !append(f->view, &row->cells[c], text))
                return false;
        }
    }
    return true;
}

static bool has_figures(struct finder *f, const struct band *b)
{
    for (size_t k = b->from; k < b->to; k++) {
        struct str text = pdf_segment_text(f->view, f->segments[k]);

        if (column_of(f, &f->segments[k]->box) > 0 && pdf_is_numeric(text) && !is_year(text))
            return true;
    }
    return false;
}

static bool band_is_bold(const struct finder *f, const struct band *b)
{
    for (size_t k = b->from; k < b->to; k++)
        if (!f->segments[k]->bold)
            return false;
    return true;
}

static bool rule_below(const struct finder *f, size_t i)
{
    float top = f->bands[i].y, bottom = f->bands[i + 1].y - 0.5f * f->bands[i + 1].size;

    for (size_t r = 0; r < f->view->rule_count; r++) {
        const struct pdf_box *b = &f->view->rules[r];

        if (b->y0 > top - 1 && b->y1 < bottom + 1 &&
            fminf(b->x1, f->right) - fmaxf(b->x0, f->left) > 0.5f * (f->right - f->left))
            return true;
    }
    return false;
}

/* Rows at the top that name columns. */
static size_t header_rows(struct finder *f)
{
    size_t figures = 0, headers = 0;

    while (figures < f->band_count && !has_figures(f, &f->bands[figures]))
        figures++;
    if (figures == f->band_count) /* no figures at all: look at how it is set */
        return f->band_count > 1 &&
                       ((band_is_bold(f, &f->bands[0]) && !band_is_bold(f, &f->bands[1])) ||
                        rule_below(f, 0))
                   ? 1
                   : 0;
    for (size_t i = 0; i < figures && i < HEADERS_MAX; i++)
        if (column_of(f, &f->segments[f->bands[i].to - 1]->box) > 0)
            headers = i + 1;
    return headers;
}

/* --- rows that were wrapped ------------------------------------------------------------------- */

static bool only_first(const struct pdf_table *t, const struct pdf_row_cells *row)
{
    for (size_t c = 1; c < t->columns; c++)
        if (row->cells[c].len)
            return false;
    return row->cells[0].len > 0;
}

static bool no_figures(const struct pdf_table *t, const struct pdf_row_cells *row)
{
    for (size_t c = 0; c < t->columns; c++)
        if (row->cells[c].len && pdf_is_numeric(row->cells[c]))
            return false;
    return true;
}

static bool starts_lower(struct str s)
{
    return s.len && s.ptr[0] >= 'a' && s.ptr[0] <= 'z';
}

/* The second row goes on where the first was too long for its column. */
static bool is_wrapped(const struct pdf_table *t, const struct pdf_row_cells *a,
                       const struct pdf_row_cells *b)
{
    float gap = b->box.y0 - a->box.y1, height = fmaxf(b->box.y1 - b->box.y0, 1);

    if (a->header || b->header || gap > 0.6f * height)
        return false;
    if (only_first(t, a) && starts_lower(b->cells[0]) && !str_ends(a->cells[0], STR(":")))
        return true;
    if (only_first(t, b) && starts_lower(b->cells[0]))
        return true;
    return !b->cells[0].len && a->cells[0].len && !only_first(t, a) && no_figures(t, b) &&
           gap < 0.35f * height;
}

static bool join_wrapped(struct pdf_view *v, struct pdf_table *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        struct pdf_row_cells *last = kept ? &t->rows[kept - 1] : NULL;

        if (!last || !is_wrapped(t, last, &t->rows[i])) {
            t->rows[kept++] = t->rows[i];
            continue;
        }
        for (size_t c = 0; c < t->columns; c++)
            if (t->rows[i].cells[c].len && !append(v, &last->cells[c], t->rows[i].cells[c]))
                return false;
        last->box = pdf_union(last->box, t->rows[i].box);
    }
    t->count = kept;
    return true;
}

static bool build(struct finder *f, struct pdf_table *t)
{
    size_t headers = header_rows(f);

    t->columns = f->columns;
    t->rows = arena_array(f->view->arena, f->band_count + 1, sizeof *t->rows);
    if (!t->rows)
        return pdf_stop(f->view->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < f->band_count; i++) {
        struct pdf_row_cells *row = &t->rows[t->count], next;

        if (!fill_row(f, &f->bands[i], i < headers, &next))
            return false;
        if (i > 0 && i < headers) { /* headers of several lines are one row */
            row = &t->rows[0];
            for (size_t c = 0; c < t->columns; c++)
                if (next.cells[c].len && !append(f->view, &row->cells[c], next.cells[c]))
                    return false;
            row->box = pdf_union(row->box, next.box);
        } else {
            *row = next;
            row->header = i < headers;
            t->count++;
        }
    }
    if (!join_wrapped(f->view, t))
        return false;
    t->box = t->rows[0].box;
    for (size_t i = 1; i < t->count; i++)
        t->box = pdf_union(t->box, t->rows[i].box);
    return true;
}

size_t pdf_aligned_table(struct pdf_view *v, struct pdf_segment **segments, size_t count,
                         struct pdf_table **out)
{
    struct finder f = {.view = v, .segments = segments, .count = count};
    struct band first = band_at(&f, 0);
    size_t rows;

    if (first.to < 2)
        return 0;
    rows = run_of(&f);
    if (f.multi < 2 || !pdf_spend(v->pdf, rows) || !keep_bands(&f, rows) || !find_columns(&f) ||
        !is_table(&f))
        return 0;
    *out = arena_alloc(v->arena, sizeof **out);
    if (!*out) {
        pdf_stop(v->pdf, PDF_NO_MEMORY);
        return 0;
    }
    return build(&f, *out) ? f.bands[rows - 1].to : 0;
}
