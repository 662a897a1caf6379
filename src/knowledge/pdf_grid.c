#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "knowledge/pdf_layout.h"

/* Tables with a grid of ruling lines. Lines that touch are one drawing; one with at least two columns and
 * two rows of cells that hold words is a table. Where a line between two cells is missing they are one. */

#define LINES_MAX   3000
#define COLUMNS_MAX 60
#define ROWS_MAX    1000
#define NEAR        3.0f /* points */

struct line {
    float at, from, to; /* where it stands or lies, and its ends */
    int group;
};
struct lines {
    struct line *list;
    size_t count;
};
struct ruling {
    struct pdf_view *view;
    struct lines lying, standing; /* of this drawing */
    float xs[COLUMNS_MAX + 1], ys[ROWS_MAX + 1];
    size_t columns, rows, apart;
    struct pdf_box box;
};

static int by_position(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Pieces of one line put together; rules of a page lie in pieces, cell by cell. */
static void merge(struct lines *l)
{
    size_t kept = 0;

    qsort(l->list, l->count, sizeof *l->list, by_position);
    for (size_t i = 0; i < l->count; i++) {
        bool joined = false;

        for (size_t k = kept; k > 0 && l->list[i].at - l->list[k - 1].at < 1.5f && !joined; k--) {
            struct line *other = &l->list[k - 1];

            if (l->list[i].from <= other->to + NEAR && l->list[i].to >= other->from - NEAR) {
                other->from = fminf(other->from, l->list[i].from);
                other->to = fmaxf(other->to, l->list[i].to);
                joined = true;
            }
        }
        if (!joined)
            l->list[kept++] = l->list[i];
    }
    l->count = kept;
}

static bool collect(struct pdf_view *v, struct lines *lying, struct lines *standing)
{
    lying->list = arena_array(v->arena, v->rule_count + 1, sizeof *lying->list);
    standing->list = arena_array(v->arena, v->rule_count + 1, sizeof *standing->list);
    if (!lying->list || !standing->list)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < v->rule_count; i++) {
        const struct pdf_box *b = &v->rules[i];

        if (b->x1 - b->x0 > b->y1 - b->y0)
            lying->list[lying->count++] =
                (struct line){.at = (b->y0 + b->y1) / 2, .from = b->x0, .to = b->x1};
        else
            standing->list[standing->count++] =
                (struct line){.at = (b->x0 + b->x1) / 2, .from = b->y0, .to = b->y1};
    }
    merge(lying);
    merge(standing);
    return true;
}

static bool touch(const struct line *lying, const struct line *standing)
{
    return standing->at >= lying->from - NEAR && standing->at <= lying->to + NEAR &&
           lying->at >= standing->from - NEAR && lying->at <= standing->to + NEAR;
}

/* Numbers the drawings: all lines that touch, directly or through others, have one number. */
static int group_lines(struct pdf_view *v, struct lines *lying, struct lines *standing)
{
    int groups = 0;
    bool changed = true;

    for (size_t i = 0; i < lying->count; i++)
        lying->list[i].group = ++groups;
    while (changed && pdf_spend(v->pdf, lying->count * standing->count / 8)) {
        changed = false;
        for (size_t s = 0; s < standing->count; s++) {
            struct line *stand = &standing->list[s];
            int low = stand->group;

            for (size_t i = 0; i < lying->count; i++)
                if (touch(&lying->list[i], stand) && (!low || lying->list[i].group < low))
                    low = lying->list[i].group;
            changed = changed || low != stand->group;
            stand->group = low;
            for (size_t i = 0; i < lying->count && low; i++)
                if (touch(&lying->list[i], stand) && lying->list[i].group != low) {
                    lying->list[i].group = low;
                    changed = true;
                }
        }
    }
    return groups;
}

static int by_float(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Places of lines, near ones as one, with the drawing's edges; 0: too many. */
static size_t places(const struct lines *l, float low, float high, float *out, size_t max)
{
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (count == max)
            return 0;
        out[count++] = l->list[i].at;
    }
    if (count + 2 > max)
        return 0;
    out[count++] = low;
    out[count++] = high;
    qsort(out, count, sizeof *out, by_float);
    for (size_t i = 0; i < count; i++)
        if (!kept || out[i] - out[kept - 1] > NEAR)
            out[kept++] = out[i];
    return kept;
}

static bool pick(struct ruling *g, const struct lines *lying, const struct lines *standing,
                 int group)
{
    size_t xs, ys;
    bool first = true;

    g->lying.count = g->standing.count = 0;
    for (size_t i = 0; i < lying->count; i++)
        if (lying->list[i].group == group)
            g->lying.list[g->lying.count++] = lying->list[i];
    for (size_t i = 0; i < standing->count; i++)
        if (standing->list[i].group == group)
            g->standing.list[g->standing.count++] = standing->list[i];
    if (g->lying.count < 2 || g->standing.count < 1)
        return false;
    for (size_t i = 0; i < g->lying.count; i++) {
        const struct line *l = &g->lying.list[i];
        struct pdf_box b = {l->from, l->at, l->to, l->at};

        g->box = first ? b : pdf_union(g->box, b);
        first = false;
    }
    for (size_t i = 0; i < g->standing.count; i++) {
        const struct line *l = &g->standing.list[i];

        g->box = pdf_union(g->box, (struct pdf_box){l->at, l->from, l->at, l->to});
    }
    xs = places(&g->standing, g->box.x0, g->box.x1, g->xs, COLUMNS_MAX + 1);
    ys = places(&g->lying, g->box.y0, g->box.y1, g->ys, ROWS_MAX + 1);
    g->columns = xs ? xs - 1 : 0;
    g->rows = ys ? ys - 1 : 0;
    return g->columns >= 2 && g->rows >= 2;
}

/* --- cells ------------------------------------------------------------------------------------ */

static bool line_between(const struct lines *l, float at, float across)
{
    for (size_t i = 0; i < l->count; i++)
        if (fabsf(l->list[i].at - at) <= NEAR && l->list[i].from <= across &&
            l->list[i].to >= across)
            return true;
    return false;
}

/* For each cell the one that its text is kept in: its own number, or that of the cell it is part of. */
static void join_cells(const struct ruling *g, uint32_t *root)
{
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0; c < g->columns; c++) {
            size_t cell = r * g->columns + c;
            float x = (g->xs[c] + g->xs[c + 1]) / 2, y = (g->ys[r] + g->ys[r + 1]) / 2;

            root[cell] = (uint32_t)cell;
            if (c > 0 && !line_between(&g->standing, g->xs[c], y))
                root[cell] = root[cell - 1];
            else if (r > 0 && !line_between(&g->lying, g->ys[r], x))
                root[cell] = root[cell - g->columns];
        }
}

static size_t interval(const float *edges, size_t count, float at)
{
    size_t i = 0;

    while (i + 1 < count && at >= edges[i + 1])
        i++;
    return i;
}

/* Lines of a cell that fall apart at wide gaps: the grid is only a frame around a table. */
static size_t apart(struct pdf_view *v, struct pdf_word **words, size_t count)
{
    struct pdf_segment *s;
    size_t segments, rows = 0;

    if (count < 4 || !pdf_segments(v, words, count, 1.2f, &s, &segments))
        return 0;
    for (size_t i = 1; i < segments; i++)
        rows += s[i].y == s[i - 1].y && !pdf_marker(pdf_segment_text(v, &s[i - 1])) &&
                s[i].box.x0 - s[i - 1].box.x1 > 0;
    return rows;
}

/* The lines of a cell as its text. */
static struct str cell_text(struct pdf_view *v, struct pdf_word **words, size_t count)
{
    struct pdf_segment *lines;
    size_t line_count;
    struct buf b;

    buf_init(&b, v->arena, 4 * MIB);
    if (!pdf_segments(v, words, count, 1e6f, &lines, &line_count))
        return STR_NONE;
    for (size_t i = 0; i < line_count; i++)
        pdf_join_line(&b, pdf_segment_text(v, &lines[i]));
    if (!buf_ok(&b))
        pdf_stop(v->pdf, PDF_NO_MEMORY);
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

static bool fill_cells(struct ruling *g, const uint32_t *root, struct str *texts)
{
    struct pdf_view *v = g->view;
    size_t cells = g->columns * g->rows;
    struct pdf_word **sorted = arena_array(v->arena, v->words.count + 1, sizeof *sorted);
    uint32_t *counts = arena_array(v->arena, cells + 1, sizeof *counts);

    if (!sorted || !counts)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    for (int pass = 0; pass < 2; pass++) { /* count, then place: a sort by cell */
        uint32_t sum = 0;

        for (size_t c = 0; pass == 1 && c <= cells; c++) {
            uint32_t here = counts[c];

            counts[c] = sum;
            sum += here;
        }
        for (size_t i = 0; i < v->words.count; i++) {
            struct pdf_word *w = &v->words.list[i];
            float x = (w->box.x0 + w->box.x1) / 2, y = (w->box.y0 + w->box.y1) / 2;

            if (!w->text.len || x < g->box.x0 || x > g->box.x1 || y < g->box.y0 || y > g->box.y1)
                continue;
            size_t cell =
                root[interval(g->ys, g->rows, y) * g->columns + interval(g->xs, g->columns, x)];

            if (pass == 0)
                counts[cell]++;
            else
                sorted[counts[cell]++] = w;
        }
    }
    for (size_t c = 0; c < cells; c++) {
        uint32_t from = c ? counts[c - 1] : 0;

        if (counts[c] > from)
            g->apart += apart(v, sorted + from, counts[c] - from);
        if (counts[c] > from)
            texts[c] = cell_text(v, sorted + from, counts[c] - from);
    }
    return pdf_spend(v->pdf, cells + 2 * v->words.count);
}

static bool worth_it(const struct ruling *g, const struct str *texts)
{
    size_t filled = 0, bytes = 0;

    for (size_t c = 0; c < g->columns * g->rows; c++) {
        filled += texts[c].len > 0;
        bytes += texts[c].len;
    }
    if (g->apart >= 2 && 4 * g->apart >= filled)
        return false;
    /* Frames that a page's text is laid out in hold much in few cells. */
    return filled >= 3 && bytes / filled < 700;
}

static bool is_header(const struct ruling *g, const struct str *row, const uint32_t *root)
{
    size_t filled = 0;

    for (size_t c = 0; c < g->columns; c++) {
        if (row[c].len && pdf_is_numeric(row[c]))
            return false;
        filled += row[c].len > 0 && (c == 0 || root[c] != root[c - 1]);
    }
    return filled >= 2;
}

static void take_words(struct ruling *g)
{
    for (size_t i = 0; i < g->view->words.count; i++) {
        struct pdf_word *w = &g->view->words.list[i];
        float x = (w->box.x0 + w->box.x1) / 2, y = (w->box.y0 + w->box.y1) / 2;

        if (x >= g->box.x0 && x <= g->box.x1 && y >= g->box.y0 && y <= g->box.y1)
            w->text.len = 0;
    }
}

/* A second row of headers: some cell of the first reaches down into it. */
static bool hangs_on(const struct ruling *g, const uint32_t *root, size_t r)
{
    for (size_t c = 0; r > 0 && c < g->columns; c++)
        if (root[r * g->columns + c] / g->columns < r)
            return true;
    return false;
}

/* "TEDs" over "simple" is "TEDs simple". */
static bool join_header(struct ruling *g, struct pdf_row_cells *upper,
                        const struct pdf_row_cells *lower, const uint32_t *root, size_t r)
{
    for (size_t c = 0; c < g->columns; c++) {
        struct str over = upper->cells[c], under = lower->cells[c];

        if (!under.len || root[r * g->columns + c] / g->columns < r)
            continue;
        upper->cells[c] =
            over.len ? arena_fmt(g->view->arena, STR_FMT " " STR_FMT, STR_ARG(over), STR_ARG(under))
                     : under;
        if (!upper->cells[c].ptr)
            return pdf_stop(g->view->pdf, PDF_NO_MEMORY);
    }
    upper->box = pdf_union(upper->box, lower->box);
    return true;
}

/* Spanned cells say their text in every row and column that they span. */
static struct pdf_table *build(struct ruling *g, const uint32_t *root, struct str *texts)
{
    struct pdf_view *v = g->view;
    struct pdf_table *t = arena_alloc(v->arena, sizeof *t);
    bool header_seen = false;
    size_t header_row = 0;

    if (!t || !(t->rows = arena_array(v->arena, g->rows, sizeof *t->rows))) {
        pdf_stop(v->pdf, PDF_NO_MEMORY);
        return NULL;
    }
    t->columns = g->columns;
    t->box = g->box;
    for (size_t r = 0; r < g->rows; r++) {
        struct pdf_row_cells *row = &t->rows[t->count];
        bool any = false;

        for (size_t c = 0; c < g->columns; c++) {
            size_t cell = r * g->columns + c, from = root[cell];

            if (from != cell)
                texts[cell] = texts[from];
            any = any || texts[cell].len > 0;
        }
        if (!any)
            continue;
        row->cells = texts + r * g->columns;
        row->box = (struct pdf_box){g->xs[0], g->ys[r], g->xs[g->columns], g->ys[r + 1]};
        if (header_seen && t->count == header_row + 1 && hangs_on(g, root, r) &&
            is_header(g, row->cells, root + r * g->columns)) {
            if (!join_header(g, &t->rows[header_row], row, root, r))
                return NULL;
            continue;
        }
        row->header =
            t->count <= 1 && !header_seen && is_header(g, row->cells, root + r * g->columns);
        header_row = row->header ? t->count : header_row;
        header_seen = header_seen || row->header;
        t->count++;
    }
    /* A title over all columns is no row of cells. */
    for (size_t r = 0; r < t->count; r++)
        for (size_t c = 1; !t->rows[r].header && c < t->columns; c++) {
            size_t cell = (size_t)(t->rows[r].cells - texts) + c;

            if (root[cell] == root[cell - 1] && root[cell] / t->columns == cell / t->columns)
                t->rows[r].cells[c] = STR_NONE;
        }
    return t;
}

static bool put_segment(struct pdf_view *v, struct pdf_table *table)
{
    size_t bytes = v->segment_count * sizeof *v->segments;
    struct pdf_segment *grown =
        arena_grow(v->arena, v->segments, bytes, bytes + sizeof *v->segments);

    if (!grown)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    v->segments = grown;
    grown[v->segment_count++] = (struct pdf_segment){
        .table = table, .box = table->box, .y = table->box.y0 + v->body, .size = v->body};
    return true;
}

bool pdf_grids(struct pdf_view *v)
{
    struct lines lying = {0}, standing = {0};
    struct ruling *g;
    int groups;

    if (v->rule_count < 5 || v->words.count == 0)
        return true;
    g = arena_alloc(v->arena, sizeof *g);
    if (!g || !collect(v, &lying, &standing))
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    if (lying.count > LINES_MAX || standing.count > LINES_MAX)
        return true; /* a drawing, no table */
    g->view = v;
    g->lying.list = arena_array(v->arena, lying.count + 1, sizeof *g->lying.list);
    g->standing.list = arena_array(v->arena, standing.count + 1, sizeof *g->standing.list);
    if (!g->lying.list || !g->standing.list)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    groups = group_lines(v, &lying, &standing);
    for (int i = 1; i <= groups && pdf_spend(v->pdf, 16); i++) {
        struct pdf_table *table;
        struct str *texts;
        uint32_t *root;

        if (!pick(g, &lying, &standing, i))
            continue;
        texts = arena_array(v->arena, g->columns * g->rows + 1, sizeof *texts);
        root = arena_array(v->arena, g->columns * g->rows + 1, sizeof *root);
        if (!texts || !root)
            return pdf_stop(v->pdf, PDF_NO_MEMORY);
        g->apart = 0;
        join_cells(g, root);
        if (!fill_cells(g, root, texts))
            return false;
        if (!worth_it(g, texts))
            continue;
        table = build(g, root, texts);
        if (!table || !put_segment(v, table))
            return false;
        take_words(g);
    }
    return true;
}
