/* OpenDocument 1.3: text, sheets and presentations. One content.xml for all three kinds. */
#include "base/table.h"
#include "knowledge/grid.h"
#include "knowledge/package.h"
#include "knowledge/readers.h"
#include "knowledge/sheet.h"

#define TEXT_BYTES_MAX ((size_t)4 * MIB)
#define REPEAT_MAX     1024u /* of a cell with something in it */
#define REPEAT_CELLS   8192u /* of a row: cells with something in them */
#define LIST_DEEP_MAX  60
#define MARGINS_MAX    1000

struct odf {
    struct arena *arena;
    struct rendering *to;
    struct place place;
    int list; /* depth; 0: none */
    uint32_t pages;
    uint32_t pictures, comments;
    struct buf aside; /* const struct xml_node *: notes and boxes inside a paragraph */
};

static bool read_blocks(struct odf *o, const struct xml_node *node, struct err *err);

static uint32_t count_of(const struct xml_node *n, const char *name)
{
    uint64_t count;

    return u64_parse(xml_get(n, name), &count) && count >= 1 && count <= UINT32_MAX
               ? (uint32_t)count
               : 1;
}

/* --- text ------------------------------------------------------------------------------------- */

static bool is_aside(struct str name)
{
    return str_eq(name, STR("note")) || str_eq(name, STR("text-box"));
}

static bool is_paragraph(const struct xml_node *n)
{
    return str_eq(n->name, STR("p")) || str_eq(n->name, STR("h"));
}

/* The title of a drawing says what it is called; in a paragraph it is a field that shows the document's. */
static bool is_field(const struct xml_node *in, const struct xml_node *n)
{
    return str_eq(n->name, STR("title")) &&
           (is_paragraph(in) || str_eq(in->name, STR("span")) || str_eq(in->name, STR("a")));
}

static bool is_silent(struct str name)
{
    return str_eq(name, STR("annotation")) || str_eq(name, STR("tracked-changes")) ||
           str_eq(name, STR("ruby-text")) || str_eq(name, STR("desc")) ||
           str_eq(name, STR("title"));
}

static void count_silent(struct odf *o, const struct xml_node *n)
{
    o->pictures += str_eq(n->name, STR("image"));
    o->comments += str_eq(n->name, STR("annotation"));
}

static void put_text(struct odf *o, const struct xml_node *node, struct buf *to)
{
    for (const struct xml_node *n = node->first; n; n = n->next) {
        count_silent(o, n);
        if (is_paragraph(n) && to->len) /* of a list, or of a table, in a cell */
            buf_char(to, ' ');
        if (!n->name.len)
            buf_str(to, n->text);
        else if (str_eq(n->name, STR("s")) || str_eq(n->name, STR("tab")) ||
                 str_eq(n->name, STR("line-break")))
            buf_char(to, ' ');
        else if (is_aside(n->name))
            buf_put(&o->aside, &n, sizeof(n));
        else if (!is_silent(n->name) || is_field(node, n))
            put_text(o, n, to);
    }
}

static bool text_of(struct odf *o, const struct xml_node *node, struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, o->arena, TEXT_BYTES_MAX);
    put_text(o, node, &b);
    if (!buf_finish(&b, out, err))
        return err_wrap(err, "a paragraph");
    *out = str_trim(*out);
    return true;
}

static bool read_aside(struct odf *o, struct err *err)
{
    struct buf aside = o->aside;

    buf_init(&o->aside, o->arena, MIB);
    for (size_t i = 0; i < aside.len / sizeof(struct xml_node *); i++) {
        const struct xml_node *n = ((const struct xml_node **)(void *)aside.ptr)[i];
        const struct xml_node *body = xml_child(n, "note-body");

        if (!read_blocks(o, body ? body : n, err))
            return false;
    }
    return buf_ok(&aside) || err_arena(err, o->arena);
}

static bool read_paragraph(struct odf *o, const struct xml_node *p, struct err *err)
{
    bool heading = str_eq(p->name, STR("h"));
    struct str text;

    if (!text_of(o, p, &text, err))
        return false;
    if (text.len) {
        rendering_begin(o->to,
                        heading   ? ELEMENT_HEADING
                        : o->list ? ELEMENT_ITEM
                                  : ELEMENT_PARAGRAPH,
                        heading ? (int)MIN_OF(count_of(p, "outline-level"), 9u)
                                : MAX_OF(o->list, 1),
                        &o->place);
        rendering_text(o->to, text);
    }
    return !o->aside.len || read_aside(o, err);
}

/* --- tables of text --------------------------------------------------------------------------- */

static bool cell_text(struct odf *o, const struct xml_node *cell, struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, o->arena, TEXT_BYTES_MAX);
    for (const struct xml_node *n = cell->first; n; n = n->next) {
        count_silent(o, n);
        if (!n->name.len || is_silent(n->name))
            continue;
        if (b.len)
            buf_char(&b, ' ');
        put_text(o, n, &b);
    }
    if (!buf_finish(&b, out, err))
        return err_wrap(err, "a cell");
    *out = str_trim(*out);
    return true;
}

struct odf_rows {
    struct grid *grid;   /* of text */
    struct sheet *sheet; /* of a spreadsheet; one of the two */
    uint32_t row;
};

static void put_cell(struct odf_rows *t, const struct grid_cell *cell, bool covered)
{
    if (t->grid && !covered)
        grid_put(t->grid, cell);
    if (!t->sheet)
        return;
    sheet_put(t->sheet, cell->row, cell->column, cell->text);
    if (!covered && (cell->rows > 1 || cell->columns > 1))
        sheet_span(t->sheet, (struct sheet_cell){cell->row, cell->column, cell->rows, cell->columns,
                                                 STR_NONE});
}

/* What is repeated is written out, but not the million empty cells behind the last. */
static uint32_t repeated(struct odf *o, const char *what, uint32_t repeat, uint32_t most)
{
    if (repeat > most)
        rendering_note(o->to, "a %s that is repeated %u times is read %u times", what, repeat,
                       most);
    return MIN_OF(repeat, most);
}

/* *cells: with something in them. */
static bool read_row(struct odf *o, struct odf_rows *t, const struct xml_node *row, uint32_t *cells,
                     struct err *err)
{
    struct grid_cell cell = {.row = t->row};

    for (const struct xml_node *n = row->first; n; n = n->next) {
        uint32_t repeat = count_of(n, "number-columns-repeated");
        bool covered = str_eq(n->name, STR("covered-table-cell"));

        if (!str_eq(n->name, STR("table-cell")) && !covered)
            continue;
        cell.rows = count_of(n, "number-rows-spanned");
        cell.columns = count_of(n, "number-columns-spanned");
        if (!cell_text(o, n, &cell.text, err))
            return false;
        uint32_t first = cell.column,
                 last = cell.text.len ? repeated(o, "cell", repeat, REPEAT_MAX) : 0;
        for (uint32_t i = 0; i < last; i++, cell.column++)
            put_cell(t, &cell, covered);
        *cells += last;
        cell.column = repeat > SHEET_COLUMNS_MAX ? SHEET_COLUMNS_MAX : first + repeat;
        if (cell.column >= SHEET_COLUMNS_MAX)
            break;
    }
    return true;
}

/* Rows that are alike stand in the file once. Their notes do so, too. */
static bool read_row_times(struct odf *o, struct odf_rows *t, const struct xml_node *row,
                           struct err *err)
{
    uint32_t repeat = count_of(row, "number-rows-repeated"), first = t->row, times = 1;
    uint32_t cells = 0;

    if (!read_row(o, t, row, &cells, err))
        return false;
    struct odf before = *o;
    if (cells)
        times = repeated(o, "row", repeat, MAX_OF(REPEAT_CELLS / cells, 1u));
    for (uint32_t i = 1; i < times; i++) {
        t->row = first + i;
        if (!read_row(o, t, row, &cells, err))
            return false;
        o->aside.len = before.aside.len;
    }
    o->pictures = before.pictures;
    o->comments = before.comments;
    t->row = repeat > SHEET_ROWS_MAX ? SHEET_ROWS_MAX : first + repeat;
    return true;
}

static bool read_rows(struct odf *o, struct odf_rows *t, const struct xml_node *table,
                      struct err *err)
{
    for (const struct xml_node *n = table->first; n; n = n->next) {
        if (str_eq(n->name, STR("table-row"))) {
            if (!read_row_times(o, t, n, err))
                return false;
        } else if (str_eq(n->name, STR("shapes"))) { /* boxes that hang on the sheet */
            buf_put(&o->aside, &n, sizeof(n));
        } else if (n->name.len) { /* header rows, groups */
            if (!read_rows(o, t, n, err))
                return false;
            if (t->grid && str_eq(n->name, STR("table-header-rows"))) {
                t->grid->header = GRID_HEADER_MARKED;
                t->grid->header_rows = t->row;
            }
        }
        if (t->row >= SHEET_ROWS_MAX)
            break;
    }
    return true;
}

static bool read_table(struct odf *o, const struct xml_node *table, struct err *err)
{
    struct grid g;
    struct odf_rows rows = {.grid = &g};

    grid_init(&g, o->arena);
    return read_rows(o, &rows, table, err) && grid_write(&g, o->to, &o->place, NULL, NULL, err) &&
           (!o->aside.len || read_aside(o, err)); /* notes and boxes of its cells */
}

static bool read_sheet(struct odf *o, const struct xml_node *table, struct err *err)
{
    struct sheet sheet;
    struct odf_rows rows = {.sheet = &sheet};

    sheet_init(&sheet, o->arena, xml_get(table, "name"), ++o->pages);
    if (!read_rows(o, &rows, table, err) || !sheet_write(&sheet, o->to, err))
        return err_wrap(err, "sheet %u", o->pages);
    o->place = (struct place){.page = o->pages, .label = xml_get(table, "name")};
    bool ok = !o->aside.len || read_aside(o, err);
    o->place = (struct place){0};
    return ok;
}

/* --- the body --------------------------------------------------------------------------------- */

static bool read_page(struct odf *o, const struct xml_node *page, struct err *err)
{
    o->pages++;
    o->place = (struct place){.page = o->pages, .label = arena_fmt(o->arena, "slide %u", o->pages)};
    rendering_begin(o->to, ELEMENT_HEADING, 2, &o->place);
    rendering_text(o->to, arena_fmt(o->arena, "Slide %u", o->pages));
    bool ok = read_blocks(o, page, err);
    o->place = (struct place){0};
    return ok;
}

static bool read_list(struct odf *o, const struct xml_node *list, struct err *err)
{
    if (o->list >= LIST_DEEP_MAX)
        return err_set(err, ERR_TOO_LARGE, "lists nested deeper than %d", LIST_DEEP_MAX);
    o->list++;
    bool ok = read_blocks(o, list, err);
    o->list--;
    return ok;
}

static bool read_blocks(struct odf *o, const struct xml_node *node, struct err *err)
{
    for (const struct xml_node *n = node->first; n; n = n->next) {
        bool ok = true;

        count_silent(o, n);
        if (is_paragraph(n))
            ok = read_paragraph(o, n, err);
        else if (str_eq(n->name, STR("list")))
            ok = read_list(o, n, err);
        else if (str_eq(n->name, STR("table")))
            ok = read_table(o, n, err);
        else if (str_eq(n->name, STR("page")))
            ok = read_page(o, n, err);
        else if (str_eq(n->name, STR("table-of-content")))
            rendering_note(o->to, "the table of contents is left out: the headings stand where "
                                  "they are");
        else if (n->name.len && !is_silent(n->name))
            ok = read_blocks(o, n, err);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_body(struct odf *o, const struct xml_node *body, struct err *err)
{
    const struct xml_node *book = xml_child(body, "spreadsheet");

    if (!book)
        return read_blocks(o, body, err);
    for (const struct xml_node *n = book->first; n; n = n->next)
        if (str_eq(n->name, STR("table")) && !read_sheet(o, n, err))
            return false;
    return true;
}

/* Headers and footers of pages: often the same text several times. */
static bool read_margin(struct odf *o, const struct xml_node *n, struct table *seen,
                        struct err *err)
{
    bool header = str_starts(n->name, STR("header"));
    struct place place = {.label = header ? STR("page header") : STR("page footer")};
    struct str text;

    if (!header && !str_starts(n->name, STR("footer")))
        return true;
    if (!cell_text(o, n, &text, err))
        return false;
    o->aside.len = 0;
    if (!text.len || table_get(seen, text))
        return true;
    if (!table_put(seen, text, o, NULL))
        return err_set(err, ERR_TOO_LARGE, "more than %d page headers and footers", MARGINS_MAX);
    rendering_begin(o->to, ELEMENT_PARAGRAPH, 1, &place);
    rendering_text(o->to, text);
    return true;
}

static bool read_margins(struct odf *o, const struct xml_node *styles, struct err *err)
{
    const struct xml_node *masters = xml_child(styles, "master-styles");
    struct table seen;

    table_init(&seen, o->arena, MARGINS_MAX);
    for (const struct xml_node *m = masters ? masters->first : NULL; m; m = m->next)
        for (const struct xml_node *n = m->first; n; n = n->next)
            if (!read_margin(o, n, &seen, err))
                return false;
    return true;
}

bool read_odf(struct str bytes, struct rendering *to, struct err *err)
{
    struct odf *o = arena_alloc(to->arena, sizeof *o);
    const struct xml_node *content, *meta, *styles;
    struct zip zip;

    if (!o)
        return err_arena(err, to->arena);
    o->arena = to->arena;
    o->to = to;
    buf_init(&o->aside, o->arena, MIB);
    if (!zip_open(&zip, o->arena, bytes, err) ||
        !package_tree(&zip, STR("content.xml"), &content, err) ||
        !package_tree_if_any(&zip, STR("meta.xml"), &meta, err) ||
        !package_tree_if_any(&zip, STR("styles.xml"), &styles, err))
        return false;
    const struct xml_node *title = xml_path(meta, "meta/title"), *body = xml_child(content, "body");
    if (title && title->first)
        rendering_title(to, title->first->text);
    if (!body)
        return err_set(err, ERR_INVALID, "not an OpenDocument file: it has no body");
    if (!read_body(o, body, err) || (xml_child(body, "text") && !read_margins(o, styles, err)))
        return false;
    if (o->pictures)
        rendering_note(to, "%u pictures are not read", o->pictures);
    if (o->comments)
        rendering_note(to, "%u review comments are left out", o->comments);
    return true;
}
