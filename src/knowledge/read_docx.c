/* DOCX (ECMA-376 part 1, WordprocessingML): headings by style and outline level, numbered items, tables,
 * notes after the paragraph that bears them, text boxes after the paragraph they hang on, page headers
 * and footers once at the end. What was deleted under tracking is left out. */
#include "knowledge/docx_internal.h"
#include "knowledge/grid.h"
#include "knowledge/readers.h"

#define PARAGRAPH_BYTES_MAX ((size_t)16 * MIB)
#define HEADING_BYTES_MAX   500 /* longer ones are paragraphs in a heading's dress */
#define TABLES_DEEP_MAX     20
#define ASIDES_DEEP_MAX     20

static bool read_blocks(struct docx *d, const struct xml_node *node, struct err *err);

/* --- paragraphs ------------------------------------------------------------------------------- */

static bool read_aside(struct docx *d, struct err *err)
{
    struct buf aside = d->aside;
    const char *label = d->label;

    if (d->asides >= ASIDES_DEEP_MAX) /* a note may refer to itself */
        return err_set(err, ERR_TOO_LARGE, "notes and boxes nested deeper than %d",
                       ASIDES_DEEP_MAX);
    d->asides++;
    buf_init(&d->aside, d->arena, MIB);
    for (size_t i = 0; i < aside.len / sizeof(struct xml_node *); i++) {
        const struct xml_node *n = ((const struct xml_node **)(void *)aside.ptr)[i];
        struct str id = xml_get(n, "id");

        if (str_eq(n->name, STR("footnote")) || str_eq(n->name, STR("endnote")))
            d->label = arena_fmt(d->arena, STR_FMT " " STR_FMT, STR_ARG(n->name),
                                 STR_ARG(str_slice(id, 0, 10)))
                           .ptr;
        if (!read_blocks(d, n, err))
            return false;
        d->label = label;
    }
    d->asides--;
    return buf_ok(&aside) || err_arena(err, d->arena);
}

static void begin_paragraph(struct docx *d, const struct docx_paragraph *p, bool is_item,
                            size_t bytes)
{
    struct place place = {.label = str_from(d->label)};

    if ((p->is_title || p->outline >= 0) && bytes <= HEADING_BYTES_MAX)
        rendering_begin(d->to, ELEMENT_HEADING, p->is_title ? 1 : p->outline + 1, &place);
    else if (is_item)
        rendering_begin(d->to, ELEMENT_ITEM, p->list_level + 1, &place);
    else
        rendering_begin(d->to, ELEMENT_PARAGRAPH, 1, &place);
}

static void write_paragraph(struct docx *d, const struct docx_paragraph *p, struct str text)
{
    char memory[200];
    struct buf number;

    if (p->is_contents) {
        rendering_note(d->to,
                       "the table of contents is left out: the headings stand where they are");
        return;
    }
    buf_init_fixed(&number, memory, sizeof memory);
    bool is_item = docx_number(d, p->list, p->list_level, &number);
    begin_paragraph(d, p, is_item, text.len);
    if (number.len && buf_ok(&number)) {
        rendering_text(d->to, buf_view(&number));
        rendering_text(d->to, STR(" "));
    }
    rendering_text(d->to, text);
}

static bool read_paragraph(struct docx *d, const struct xml_node *node, struct err *err)
{
    struct docx_paragraph p = docx_paragraph_of(d, node);
    struct buf b;
    struct str text;

    buf_init(&b, d->arena, PARAGRAPH_BYTES_MAX);
    docx_text(d, node, &b);
    if (!buf_finish(&b, &text, err))
        return err_wrap(err, "a paragraph");
    text = str_trim(text);
    if (d->in_cell && text.len) {
        if (d->cell.len)
            buf_char(&d->cell, ' ');
        char memory[200];
        struct buf number;
        buf_init_fixed(&number, memory, sizeof memory);
        if (docx_number(d, p.list, p.list_level, &number) && number.len && buf_ok(&number)) {
            buf_str(&d->cell, buf_view(&number));
            buf_char(&d->cell, ' ');
        }
        buf_str(&d->cell, text);
    } else if (text.len) {
        write_paragraph(d, &p, text);
    }
    return d->aside.len == 0 || read_aside(d, err);
}

/* --- tables ----------------------------------------------------------------------------------- */

static uint32_t span_of(const struct xml_node *properties, const char *name, uint32_t otherwise)
{
    uint64_t n;

    return u64_parse(xml_get(xml_child(properties, name), "val"), &n) && n <= 1000 ? (uint32_t)n
                                                                                   : otherwise;
}

static bool read_cell(struct docx *d, const struct xml_node *tc, struct str *out, struct err *err)
{
    struct buf outer = d->cell;
    bool was_in_cell = d->in_cell;

    buf_init(&d->cell, d->arena, PARAGRAPH_BYTES_MAX);
    d->in_cell = true;
    bool ok = read_blocks(d, tc, err) && buf_finish(&d->cell, out, err);
    d->cell = outer;
    d->in_cell = was_in_cell;
    return ok;
}

/* A vertically merged cell goes on below: it reaches as far as its continuations. */
static void extend_above(struct grid *g, uint32_t row, uint32_t column)
{
    struct grid_cell *cells = (struct grid_cell *)(void *)g->cells.ptr;

    for (size_t i = g->cells.len / sizeof *cells; i-- > 0;)
        if (cells[i].column == column && cells[i].row + cells[i].rows == row) {
            cells[i].rows++;
            return;
        }
}

bool docx_is_on(const struct xml_node *flag)
{
    struct str v = xml_get(flag, "val");

    return flag && !str_eq(v, STR("0")) && !str_eq(v, STR("false")) && !str_eq(v, STR("off"));
}

static bool read_table_cell(struct docx *d, struct grid *g, const struct xml_node *tc,
                            struct grid_cell *at, struct err *err)
{
    const struct xml_node *properties = xml_child(tc, "tcPr"),
                          *merge = xml_child(properties, "vMerge");

    at->rows = 1;
    at->columns = MAX_OF(span_of(properties, "gridSpan", 1), 1u);
    if (!read_cell(d, tc, &at->text, err))
        return false;
    if (merge && !str_eq(xml_get(merge, "val"), STR("restart")))
        extend_above(g, at->row, at->column);
    else
        grid_put(g, at);
    g->rows = MAX_OF(g->rows, at->row + 1);
    at->column += at->columns;
    return true;
}

/* Rows and cells stand in marks of other programs, too: where they do, or NULL. */
static const struct xml_node *around(const struct xml_node *n)
{
    if (str_eq(n->name, STR("AlternateContent")))
        return xml_alternative(n);
    return str_eq(n->name, STR("sdt")) || str_eq(n->name, STR("sdtContent")) ||
                   str_eq(n->name, STR("customXml")) || str_eq(n->name, STR("ins"))
               ? n
               : NULL;
}

static bool read_cells(struct docx *d, struct grid *g, const struct xml_node *in,
                       struct grid_cell *at, struct err *err)
{
    for (const struct xml_node *n = in->first; n; n = n->next) {
        bool is_cell = str_eq(n->name, STR("tc"));
        const struct xml_node *inside = around(n);

        if ((is_cell && !read_table_cell(d, g, n, at, err)) ||
            (inside && !read_cells(d, g, inside, at, err)))
            return false;
    }
    return true;
}

static bool read_row(struct docx *d, struct grid *g, const struct xml_node *tr, uint32_t row,
                     struct err *err)
{
    const struct xml_node *properties = xml_child(tr, "trPr");
    struct grid_cell at = {.row = row, .column = span_of(properties, "gridBefore", 0)};

    if (docx_is_on(xml_child(properties, "tblHeader")) && g->header_rows == row) {
        g->header = GRID_HEADER_MARKED;
        g->header_rows = row + 1;
    }
    return read_cells(d, g, tr, &at, err);
}

static bool read_rows(struct docx *d, struct grid *g, const struct xml_node *table, uint32_t *row,
                      struct err *err)
{
    for (const struct xml_node *n = table->first; n; n = n->next) {
        const struct xml_node *deleted = xml_path(n, "trPr/del"), *inside = around(n);

        if (inside && !read_rows(d, g, inside, row, err))
            return false;
        if (str_eq(n->name, STR("tr")) && !deleted && !read_row(d, g, n, (*row)++, err))
            return false;
    }
    return true;
}

/* One cell is a frame around text; a table inside a cell is text of the cell. */
static bool read_table(struct docx *d, const struct xml_node *table, struct err *err)
{
    struct place place = {.label = str_from(d->label)};
    struct buf aside = d->aside;
    struct grid g;
    uint32_t row = 0;

    if (d->depth >= TABLES_DEEP_MAX)
        return err_set(err, ERR_TOO_LARGE, "tables nested deeper than %d", TABLES_DEEP_MAX);
    grid_init(&g, d->arena);
    buf_init(&d->aside, d->arena, MIB);
    d->depth++;
    bool ok = read_rows(d, &g, table, &row, err);
    d->depth--;
    d->aside = aside;
    if (!ok)
        return false;
    if (!d->in_cell)
        return grid_write(&g, d->to, &place, NULL, NULL, err);
    const struct grid_cell *cells = (const struct grid_cell *)(void *)g.cells.ptr;
    for (size_t i = 0; i < g.cells.len / sizeof *cells; i++) {
        if (d->cell.len && cells[i].text.len)
            buf_str(&d->cell, cells[i].column ? STR("; ") : STR(" "));
        buf_str(&d->cell, cells[i].text);
    }
    return buf_ok(&g.cells) || err_arena(err, d->arena);
}

/* --- the body --------------------------------------------------------------------------------- */

static bool is_left_out(struct str name)
{
    static const char *const names[] = {"sectPr", "sdtPr", "tcPr", "del", "moveFrom", "pPr"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, str_from(names[i])))
            return true;
    return false;
}

static bool read_alternative(struct docx *d, const struct xml_node *node, struct err *err)
{
    const struct xml_node *choice = xml_alternative(node);

    return !choice || read_blocks(d, choice, err);
}

static bool read_blocks(struct docx *d, const struct xml_node *node, struct err *err)
{
    for (const struct xml_node *n = node->first; n; n = n->next) {
        bool ok = true;

        if (str_eq(n->name, STR("p")))
            ok = read_paragraph(d, n, err);
        else if (str_eq(n->name, STR("tbl")))
            ok = read_table(d, n, err);
        else if (str_eq(n->name, STR("altChunk")))
            rendering_note(d->to, "an embedded document is not read");
        else if (str_eq(n->name, STR("AlternateContent")))
            ok = read_alternative(d, n, err);
        else if (n->name.len && !is_left_out(n->name))
            ok = read_blocks(d, n, err);
        if (!ok)
            return false;
    }
    return true;
}

/* Of the first page, of even pages, of sections: often the same text several times. */
static bool read_margins(struct docx *d, const char *type, const char *label, struct err *err)
{
    struct table seen;

    table_init(&seen, d->arena, 1000);
    d->label = label;
    for (size_t i = 0; i < d->relations.count; i++) {
        const struct xml_node *root;
        struct str text;

        if (!str_eq(d->relations.at[i].type, str_from(type)))
            continue;
        if (!package_tree_if_any(&d->zip, d->relations.at[i].target, &root, err) ||
            (root && !read_cell(d, root, &text, err)))
            return false;
        if (!root || !text.len || table_get(&seen, text))
            continue;
        if (!table_put(&seen, text, d, NULL))
            return err_set(err, ERR_TOO_LARGE, "more than 1000 page %ss", type);
        struct place place = {.label = str_from(label)};
        rendering_begin(d->to, ELEMENT_PARAGRAPH, 1, &place);
        rendering_text(d->to, text);
    }
    return true;
}

static bool open_parts(struct docx *d, struct err *err)
{
    struct relations top;

    if (!package_relations(&d->zip, STR(""), &top, err))
        return false;
    d->main = relation_of_type(&top, "officeDocument");
    if (!d->main.len)
        return err_set(err, ERR_INVALID, "not a Word document: it has no text part");
    return package_title(&d->zip, d->to, err) &&
           package_relations(&d->zip, d->main, &d->relations, err) && docx_styles(d, err) &&
           docx_lists(d, err) &&
           package_tree_if_any(&d->zip, relation_of_type(&d->relations, "footnotes"), &d->footnotes,
                               err) &&
           package_tree_if_any(&d->zip, relation_of_type(&d->relations, "endnotes"), &d->endnotes,
                               err);
}

static void say_what_is_missing(const struct docx *d)
{
    if (d->pictures)
        rendering_note(d->to, "%u pictures are not read", d->pictures);
    if (d->charts)
        rendering_note(d->to, "%u charts are not read", d->charts);
    if (d->diagrams)
        rendering_note(d->to, "%u diagrams are not read", d->diagrams);
    if (d->symbols)
        rendering_note(d->to, "%u characters of symbol fonts are not read", d->symbols);
    if (d->comments)
        rendering_note(d->to, "%u review comments are left out", d->comments);
}

bool read_docx(struct str bytes, struct rendering *to, struct err *err)
{
    struct docx *d = arena_alloc(to->arena, sizeof *d);
    const struct xml_node *root;

    if (!d)
        return err_arena(err, to->arena);
    d->arena = to->arena;
    d->to = to;
    d->label = "";
    buf_init(&d->aside, d->arena, MIB);
    if (!zip_open(&d->zip, d->arena, bytes, err) || !open_parts(d, err) ||
        !package_tree(&d->zip, d->main, &root, err))
        return false;
    const struct xml_node *body = xml_child(root, "body");
    if (!body)
        return err_set(err, ERR_INVALID, "not a Word document: it has no body");
    if (!read_blocks(d, body, err) || !read_margins(d, "header", "page header", err) ||
        !read_margins(d, "footer", "page footer", err))
        return false;
    say_what_is_missing(d);
    return true;
}
