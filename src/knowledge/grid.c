#include "knowledge/grid.h"

#define HEADER_CELL_MAX 120 /* bytes: longer ones are no names of columns */
#define HEADER_ROWS_MAX 4u

void grid_init(struct grid *g, struct arena *arena)
{
    *g = (struct grid){.arena = arena, .header = GRID_HEADER_GUESS};
    buf_init(&g->cells, arena, GRID_CELLS_MAX * sizeof(struct grid_cell));
}

void grid_put(struct grid *g, const struct grid_cell *cell)
{
    struct grid_cell c = *cell;

    c.rows = MAX_OF(c.rows, 1u);
    c.columns = MIN_OF(MAX_OF(c.columns, 1u), GRID_COLUMNS_MAX);
    if (c.column >= GRID_COLUMNS_MAX)
        return; /* no program makes them */
    g->rows = MAX_OF(g->rows, c.row + 1);
    g->columns = MAX_OF(g->columns, MIN_OF(c.column + c.columns, GRID_COLUMNS_MAX));
    buf_put(&g->cells, &c, sizeof c);
}

/* --- the whole, spread out -------------------------------------------------------------------- */

static bool spans_are_bounded(const struct grid *g)
{
    const struct grid_cell *cells = (const struct grid_cell *)(void *)g->cells.ptr;
    uint64_t area = 0;

    if ((uint64_t)g->rows * g->columns > GRID_CELLS_MAX)
        return false;
    for (size_t i = 0; i < g->cells.len / sizeof *cells && area <= 2 * GRID_CELLS_MAX; i++)
        area += (uint64_t)MIN_OF(cells[i].rows, g->rows) * MIN_OF(cells[i].columns, g->columns);
    return area <= 2 * GRID_CELLS_MAX;
}

static struct str *spread(struct grid *g)
{
    const struct grid_cell *cells = (const struct grid_cell *)(void *)g->cells.ptr;
    struct str *all = arena_array(g->arena, (size_t)g->rows * g->columns, sizeof *all);
    size_t count = g->cells.len / sizeof *cells;

    for (size_t i = 0; all && i < count; i++) {
        const struct grid_cell *c = &cells[i];
        uint32_t bottom = MIN_OF(c->row + MIN_OF(c->rows, g->rows), g->rows);
        uint32_t right = MIN_OF(c->column + c->columns, g->columns);

        for (uint32_t row = c->row; row < bottom; row++)
            for (uint32_t column = c->column; column < right; column++)
                if (!all[(size_t)row * g->columns + column].ptr)
                    all[(size_t)row * g->columns + column] = c->text;
    }
    return all;
}

/* "2023", which heads a column as often as it stands in one. */
static bool is_year(struct str s)
{
    uint64_t n;

    return s.len == 4 && u64_parse(s, &n) && n >= 1900 && n <= 2100;
}

static bool begins_like_number(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+' || s.ptr[0] == '$' || s.ptr[0] == '('))
        s = str_slice(s, 1, s.len);
    return s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9';
}

static bool names_column(struct str s)
{
    return s.len > 0 && s.len <= HEADER_CELL_MAX && (!begins_like_number(s) || is_year(s));
}

/* The upper left corner may be empty; "Name:" beside a value is a form and no table. */
static bool looks_like_header(const struct grid *g, const struct str *all)
{
    size_t years = 0;

    if (g->rows < 2 || g->columns < 2)
        return false;
    for (uint32_t i = 0; i < g->columns; i++) {
        if (!names_column(all[i]) && !(i == 0 && !all[i].len))
            return false;
        if (str_ends(all[i], STR(":")) || str_ends(all[i], STR("：")))
            return false;
        years += is_year(all[i]);
    }
    return years < g->columns;
}

static uint32_t header_rows(const struct grid *g, const struct str *all)
{
    if (g->header == GRID_HEADER_MARKED)
        return g->header_rows < g->rows ? MIN_OF(g->header_rows, HEADER_ROWS_MAX) : 0;
    return g->header == GRID_HEADER_GUESS && looks_like_header(g, all) ? 1 : 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Two rows of header: "Revenue" above "2023" names the column "Revenue 2023". */
static void write_header(const struct grid *g, const struct str *all, uint32_t rows,
                         struct rendering *to)
{
    for (uint32_t column = 0; column < g->columns; column++) {
        rendering_begin(to, ELEMENT_CELL, 1, NULL);
        for (uint32_t row = 0; row < rows; row++) {
            struct str text = all[(size_t)row * g->columns + column];

            if (row > 0 && str_eq(text, all[(size_t)(row - 1) * g->columns + column]))
                continue;
            if (row > 0)
                rendering_text(to, STR(" "));
            rendering_text(to, text);
        }
    }
}

static bool row_is_empty(const struct grid *g, const struct str *row)
{
    for (uint32_t i = 0; i < g->columns; i++)
        if (row[i].len)
            return false;
    return true;
}

/* Without names of columns a merged value says no more the second time. */
static void write_cells(const struct grid *g, const struct str *cells, bool named,
                        struct rendering *to)
{
    for (uint32_t column = 0; column < g->columns; column++) {
        bool again = column > 0 && cells[column].ptr == cells[column - 1].ptr;

        rendering_begin(to, ELEMENT_CELL, 1, NULL);
        if (named || !again)
            rendering_text(to, cells[column]);
    }
}

bool grid_write(struct grid *g, struct rendering *to, const struct place *place,
                struct str (*label)(void *ctx, uint32_t row), void *ctx, struct err *err)
{
    struct place at = place ? *place : (struct place){0};
    struct str *all;

    if (!buf_ok(&g->cells) || !spans_are_bounded(g))
        return err_set(err, ERR_TOO_LARGE, "a table of more than %u cells", GRID_CELLS_MAX);
    all = spread(g);
    if (!all)
        return err_arena(err, g->arena);
    uint32_t header = header_rows(g, all);
    if (!header)
        rendering_begin(to, ELEMENT_HEADER, 1, &at); /* ends the names of a table before this one */
    for (uint32_t row = 0; row < g->rows; row++) {
        const struct str *cells = &all[(size_t)row * g->columns];

        if ((row > 0 && row < header) || row_is_empty(g, cells))
            continue;
        if (label)
            at.label = label(ctx, row);
        rendering_begin(to, row < header ? ELEMENT_HEADER : ELEMENT_ROW, 1, &at);
        if (row < header) {
            write_header(g, all, header, to);
            continue;
        }
        write_cells(g, cells, header > 0, to);
    }
    return true;
}
