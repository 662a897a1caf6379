#include "knowledge/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "knowledge/grid.h"

#define SPLITS_MAX 12 /* rows, columns, rows ...: deeper is no layout of people */

void sheet_init(struct sheet *s, struct arena *arena, struct str name, uint32_t number)
{
    *s = (struct sheet){.arena = arena, .name = name, .number = number};
    buf_init(&s->cells, arena, SHEET_CELLS_MAX * sizeof(struct sheet_cell));
    buf_init(&s->merges, arena, SHEET_MERGES_MAX * sizeof(struct sheet_cell));
}

void sheet_put(struct sheet *s, uint32_t row, uint32_t column, struct str text)
{
    struct sheet_cell cell = {row, column, 1, 1, str_trim(text)};

    if (cell.text.len && row < SHEET_ROWS_MAX && column < SHEET_COLUMNS_MAX)
        buf_put(&s->cells, &cell, sizeof cell);
}

bool sheet_reference(struct str r, uint32_t *row, uint32_t *column)
{
    uint64_t n = 0, number;
    size_t at = 0;

    while (at < r.len && at < 3 && r.ptr[at] >= 'A' && r.ptr[at] <= 'Z')
        n = n * 26 + (uint64_t)(r.ptr[at++] - 'A' + 1);
    if (!at || n > SHEET_COLUMNS_MAX || !u64_parse(str_slice(r, at, r.len), &number) ||
        number < 1 || number > SHEET_ROWS_MAX)
        return false;
    *column = (uint32_t)n - 1;
    *row = (uint32_t)number - 1;
    return true;
}

void sheet_merge(struct sheet *s, struct str reference)
{
    struct sheet_cell m = {0};
    size_t colon = str_find_char(reference, ':');
    uint32_t row, column;

    if (!sheet_reference(str_slice(reference, 0, colon), &m.row, &m.column) ||
        !sheet_reference(str_slice(reference, colon + 1, reference.len), &row, &column) ||
        row < m.row || column < m.column)
        return;
    m.rows = row - m.row + 1;
    m.columns = column - m.column + 1;
    buf_put(&s->merges, &m, sizeof m);
}

void sheet_span(struct sheet *s, struct sheet_cell cell)
{
    if (cell.row >= SHEET_ROWS_MAX || cell.column >= SHEET_COLUMNS_MAX)
        return;
    cell.rows = MIN_OF(cell.rows, SHEET_ROWS_MAX - cell.row);
    cell.columns = MIN_OF(cell.columns, SHEET_COLUMNS_MAX - cell.column);
    buf_put(&s->merges, &cell, sizeof cell);
}

/* --- cells in order --------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct sheet_cell *x = a, *y = b;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static bool is_sorted(const struct sheet_cell *cells, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (by_place(&cells[i - 1], &cells[i]) > 0)
            return false;
    return true;
}

/* Both lists are in order, so that one walk finds the cell of each merged range. */
static void apply_merges(struct sheet *s)
{
    struct sheet_cell *cells = (struct sheet_cell *)(void *)s->cells.ptr;
    struct sheet_cell *merges = (struct sheet_cell *)(void *)s->merges.ptr;
    size_t count = s->cells.len / sizeof *cells, merge_count = s->merges.len / sizeof *merges;

    if (merge_count)
        qsort(merges, merge_count, sizeof *merges, by_place);
    for (size_t i = 0, m = 0; i < count && m < merge_count;) {
        int order = by_place(&cells[i], &merges[m]);

        if (order == 0) {
            cells[i].rows = merges[m].rows;
            cells[i].columns = merges[m].columns;
        }
        i += order <= 0;
        m += order >= 0;
    }
}

/* --- cutting ---------------------------------------------------------------------------------- */

/* Cells of a rectangle, in order. A merged cell reaches no further than the rectangle. */
struct region {
    struct sheet_cell *cells;
    size_t count;
    uint32_t top, left, bottom, right; /* the last ones: behind the end */
};

struct writing {
    struct sheet *sheet;
    struct rendering *to;
};

static bool write_region(struct writing *w, struct region *r, int splits, struct err *err);

static void measure(struct region *r)
{
    r->top = r->left = UINT32_MAX;
    r->bottom = r->right = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct sheet_cell *c = &r->cells[i];

        r->top = MIN_OF(r->top, c->row);
        r->left = MIN_OF(r->left, c->column);
        r->bottom = MAX_OF(r->bottom, c->row + 1);
        r->right = MAX_OF(r->right, c->column + 1);
    }
}

/* 1 where a cell lies, by rows or by columns. */
static uint8_t *occupied(struct arena *arena, const struct region *r, bool by_rows)
{
    uint32_t from = by_rows ? r->top : r->left, to = by_rows ? r->bottom : r->right;
    uint8_t *marks = arena_alloc(arena, to - from);
    uint32_t reached = 0;

    for (size_t i = 0; marks && i < r->count; i++) {
        const struct sheet_cell *c = &r->cells[i];
        uint32_t at = by_rows ? c->row : c->column;
        uint32_t end = MIN_OF(at + (by_rows ? c->rows : c->columns), to);

        /* Rows come in order: what is marked already is not marked again. */
        if (by_rows)
            at = MAX_OF(at, reached);
        if (at < end)
            memset(marks + (at - from), 1, end - at);
        reached = MAX_OF(reached, by_rows ? end : 0);
    }
    return marks;
}

/* The cells between two empty rows or columns, and on with the rest. */
static bool write_parts(struct writing *w, struct region *r, const uint8_t *marks, bool by_rows,
                        int splits, struct err *err)
{
    uint32_t first = by_rows ? r->top : r->left, last = by_rows ? r->bottom : r->right;
    struct arena *arena = w->sheet->arena;

    for (uint32_t from = first; from < last;) {
        uint32_t to = from;
        struct region part = {.cells = arena_array(arena, r->count, sizeof *part.cells)};

        if (!part.cells)
            return err_arena(err, arena);
        while (to < last && marks[to - first])
            to++;
        for (size_t i = 0; i < r->count; i++) {
            uint32_t at = by_rows ? r->cells[i].row : r->cells[i].column;
            if (at >= from && at < to)
                part.cells[part.count++] = r->cells[i];
        }
        if (part.count && !write_region(w, &part, splits - 1, err))
            return false;
        from = to;
        while (from < last && !marks[from - first])
            from++;
    }
    return true;
}

static bool has_gap(const uint8_t *marks, uint32_t count)
{
    return memchr(marks, 0, count) != NULL;
}

/* Tables side by side have two columns each at least. A single column beside an empty one is part of a
 * form, whose rows belong together across it: "Rated voltage |  | kV | 130". */
static bool has_tables_beside(const uint8_t *marks, uint32_t count)
{
    for (uint32_t i = 0; i < count;) {
        uint32_t end = i;

        while (end < count && marks[end])
            end++;
        if (end == i + 1)
            return false;
        i = MAX_OF(end, i + 1);
    }
    return has_gap(marks, count);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_column(struct buf *to, uint32_t column)
{
    if (column >= 26)
        put_column(to, column / 26 - 1);
    buf_char(to, (char)('A' + column % 26));
}

static bool needs_quotes(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '_' &&
            (uint8_t)c < 0x80)
            return true;
    }
    return false;
}

struct labelling {
    struct sheet *sheet;
    uint32_t top, left, right;
};

/* "Fees!A4:D4", as it can be typed into the program that made the file. */
static struct str label_of(void *ctx, uint32_t row)
{
    const struct labelling *l = ctx;
    const char *quote = needs_quotes(l->sheet->name) ? "'" : "";
    struct buf b;

    buf_init(&b, l->sheet->arena, KIB);
    buf_fmt(&b, "%s" STR_FMT "%s!", quote, STR_ARG(str_slice(l->sheet->name, 0, 100)), quote);
    put_column(&b, l->left);
    buf_fmt(&b, "%u", l->top + row + 1);
    if (l->right > l->left + 1) {
        buf_char(&b, ':');
        put_column(&b, l->right - 1);
        buf_fmt(&b, "%u", l->top + row + 1);
    }
    return buf_view(&b);
}

static void write_paragraph(struct writing *w, const struct sheet_cell *c)
{
    struct labelling l = {w->sheet, c->row, c->column, c->column + 1};
    struct place place = {.page = w->sheet->number, .label = label_of(&l, 0)};

    rendering_begin(w->to, ELEMENT_PARAGRAPH, 1, &place);
    rendering_text(w->to, c->text);
}

static bool write_table(struct writing *w, const struct region *r, struct err *err)
{
    struct labelling l = {w->sheet, r->top, r->left, r->right};
    struct place place = {.page = w->sheet->number};
    struct grid g;

    grid_init(&g, w->sheet->arena);
    for (size_t i = 0; i < r->count; i++) {
        const struct sheet_cell *c = &r->cells[i];
        struct grid_cell cell = {.row = c->row - r->top,
                                 .column = c->column - r->left,
                                 .rows = MIN_OF(c->rows, r->bottom - c->row),
                                 .columns = MIN_OF(c->columns, r->right - c->column),
                                 .text = c->text};
        grid_put(&g, &cell);
    }
    return grid_write(&g, w->to, &place, label_of, &l, err);
}

/* A line above a table that is alone in its row: what the table is about. */
static size_t take_titles(struct writing *w, struct region *r)
{
    size_t taken = 0;

    while (taken + 1 < r->count && r->right > r->left + 1 &&
           r->cells[taken].row != r->cells[taken + 1].row) {
        write_paragraph(w, &r->cells[taken]);
        taken++;
    }
    r->cells += taken;
    r->count -= taken;
    return taken;
}

static bool write_region(struct writing *w, struct region *r, int splits, struct err *err)
{
    struct arena *arena = w->sheet->arena;

    measure(r);
    const uint8_t *rows = occupied(arena, r, true), *columns = occupied(arena, r, false);
    if (!rows || !columns)
        return err_arena(err, arena);
    if (splits > 0 && has_gap(rows, r->bottom - r->top))
        return write_parts(w, r, rows, true, splits, err);
    if (splits > 0 && has_tables_beside(columns, r->right - r->left))
        return write_parts(w, r, columns, false, splits, err);
    if (splits > 0 && take_titles(w, r))
        return write_region(w, r, splits - 1, err);
    if (r->right > r->left + 1)
        return write_table(w, r, err);
    for (size_t i = 0; i < r->count; i++)
        write_paragraph(w, &r->cells[i]);
    return true;
}

bool sheet_write(struct sheet *s, struct rendering *to, struct err *err)
{
    struct sheet_cell *cells = (struct sheet_cell *)(void *)s->cells.ptr;
    struct region all = {.cells = cells, .count = s->cells.len / sizeof *cells};
    struct writing w = {s, to};
    struct place place = {.page = s->number, .label = s->name};

    if (s->cells.too_large || s->merges.too_large)
        return err_set(err, ERR_TOO_LARGE, "more than %u cells or %u merged ones", SHEET_CELLS_MAX,
                       SHEET_MERGES_MAX);
    if (!buf_ok(&s->cells) || !buf_ok(&s->merges))
        return err_arena(err, s->arena);
    if (!all.count)
        return true;
    if (!is_sorted(cells, all.count))
        qsort(cells, all.count, sizeof *cells, by_place);
    apply_merges(s);
    rendering_begin(to, ELEMENT_HEADING, 2, &place); /* level 1 would be the file's title */
    rendering_text(to, s->name);
    return write_region(&w, &all, SPLITS_MAX, err);
}
