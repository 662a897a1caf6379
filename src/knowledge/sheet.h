/* knowledge/sheet.h: the cells of a sheet as tables: cut where rows or columns are empty; titles above a table,
 * single columns and single cells become paragraphs. For XLSX and ODS.
 * Order    cells may come in any; they are sorted by row and column. */
#ifndef WEIR_KNOWLEDGE_SHEET_H
#define WEIR_KNOWLEDGE_SHEET_H

#include "knowledge/rendition.h"

#define SHEET_ROWS_MAX    1048576u
#define SHEET_COLUMNS_MAX 16384u
#define SHEET_CELLS_MAX   2000000u
#define SHEET_MERGES_MAX  100000u

struct sheet_cell {
    uint32_t row, column, rows, columns;
    struct str text;
};
struct sheet {
    struct arena *arena;
    struct str name;
    uint32_t number; /* from 1: the page of its places */
    struct buf cells, merges;
};
void sheet_init(struct sheet *sheet, struct arena *arena, struct str name, uint32_t number);
void sheet_put(struct sheet *sheet, uint32_t row, uint32_t column, struct str text);
void sheet_merge(struct sheet *sheet, struct str reference);  /* "A1:B3" */
void sheet_span(struct sheet *sheet, struct sheet_cell cell); /* the same, as numbers */
/* "BC12" counted from 0; false: none, and nothing is changed. */
bool sheet_reference(struct str reference, uint32_t *row, uint32_t *column) MUST_CHECK;
bool sheet_write(struct sheet *sheet, struct rendering *to, struct err *err) MUST_CHECK;

#endif
