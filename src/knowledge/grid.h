/* knowledge/grid.h: a table as it stands in a file, with merged cells, written as rows that read by
 * themselves: a merged value stands in each of its cells, and the header row names the columns.
 * Header   what the file marks as one, else a first row that looks like one: words above values.
 * Bounds   GRID_CELLS_MAX cells; past it grid_write() says so. */
#ifndef WEIR_KNOWLEDGE_GRID_H
#define WEIR_KNOWLEDGE_GRID_H

#include "knowledge/rendition.h"

#define GRID_CELLS_MAX   2000000u
#define GRID_COLUMNS_MAX 16384u

struct grid_cell {
    uint32_t row, column, rows, columns; /* rows, columns: how far it reaches, at least 1 */
    struct str text;
};
enum grid_header { GRID_HEADER_NONE, GRID_HEADER_GUESS, GRID_HEADER_MARKED };

struct grid {
    struct arena *arena;
    struct buf cells; /* struct grid_cell */
    uint32_t rows, columns;
    enum grid_header header;
    uint32_t header_rows; /* when marked */
};
void grid_init(struct grid *grid, struct arena *arena);
void grid_put(struct grid *grid, const struct grid_cell *cell);
/* Rows below each other at `place`; with `label`, each row's own label instead of the place's. */
bool grid_write(struct grid *grid, struct rendering *to, const struct place *place,
                struct str (*label)(void *ctx, uint32_t row), void *ctx, struct err *err)
    MUST_CHECK;

#endif
