/* XLSX (ECMA-376 part 1, SpreadsheetML): each sheet's cells as they are shown, cut into tables where rows or
 * columns are empty, each row with its reference. Formulas give the value that was stored with them. */
#include "knowledge/drawing.h"
#include "knowledge/number_format.h"
#include "knowledge/package.h"
#include "knowledge/readers.h"
#include "knowledge/sheet.h"

#define STRINGS_MAX 4000000u
#define FORMATS_MAX 100000u
#define CELL_BYTES  ((size_t)1 * MIB)
#define SHEETS_MAX  1000u

struct xlsx {
    struct arena *arena;
    struct zip zip;
    struct rendering *to;
    struct str main;
    struct relations relations;
    struct str *strings;
    size_t string_count;
    struct str *formats; /* by style */
    size_t format_count;
    bool from_1904;
    uint32_t without_value;
};

/* --- strings and styles ----------------------------------------------------------------------- */

/* "_x000D_" is how a control character is written; it is white space to us. */
static void put_unescaped(struct buf *to, struct str s)
{
    for (size_t at = 0; at < s.len;) {
        struct str rest = str_slice(s, at, s.len);
        bool escape = rest.len >= 7 && str_starts(rest, STR("_x00")) && rest.ptr[6] == '_';

        if (escape)
            buf_char(to, ' ');
        else
            buf_char(to, rest.ptr[0]);
        at += escape ? 7 : 1;
    }
}

/* The text of the element just opened: its t elements, without what is for reading aloud (rPh). */
static bool read_text_of(struct xml *x, struct arena *arena, struct str *out, struct err *err)
{
    int outside = x->depth - 1;
    bool in_text = false;
    enum xml_event event;
    struct buf b;

    buf_init(&b, arena, CELL_BYTES);
    while (x->depth > outside) {
        if (!xml_next(x, &event, err))
            return false;
        if (event == XML_OPEN && str_eq(x->name, STR("rPh")) && !xml_skip(x, err))
            return false;
        if (event != XML_TEXT)
            in_text = event == XML_OPEN && str_eq(x->name, STR("t"));
        else if (in_text)
            put_unescaped(&b, x->text);
    }
    return buf_finish(&b, out, err);
}

static bool read_strings(struct xlsx *b, struct err *err)
{
    struct str part = relation_of_type(&b->relations, "sharedStrings"), bytes, s;
    struct buf all;
    enum xml_event event = XML_OPEN;

    if (!part.len || !zip_find(&b->zip, part))
        return true;
    if (!package_bytes(&b->zip, part, &bytes, err))
        return false;
    struct xml *x = xml_new(b->arena, bytes);
    if (!x)
        return err_arena(err, b->arena);
    buf_init(&all, b->arena, STRINGS_MAX * sizeof s);
    while (event != XML_END) {
        if (!xml_next(x, &event, err))
            return err_wrap(err, "shared strings");
        if (event != XML_OPEN || !str_eq(x->name, STR("si")))
            continue;
        if (!read_text_of(x, b->arena, &s, err))
            return err_wrap(err, "shared strings");
        buf_put(&all, &s, sizeof s);
    }
    b->strings = (struct str *)(void *)all.ptr;
    b->string_count = all.len / sizeof s;
    return buf_ok(&all) || err_arena(err, b->arena);
}

static struct str own_format(const struct xml_node *formats, uint64_t id)
{
    for (const struct xml_node *n = formats ? formats->first : NULL; n; n = n->next) {
        uint64_t has;

        if (u64_parse(xml_get(n, "numFmtId"), &has) && has == id)
            return xml_get(n, "formatCode");
    }
    return id < UINT32_MAX ? number_format_of((uint32_t)id) : STR("");
}

static bool read_formats(struct xlsx *b, struct err *err)
{
    const struct xml_node *root;
    struct buf all;

    if (!package_tree_if_any(&b->zip, relation_of_type(&b->relations, "styles"), &root, err))
        return false;
    buf_init(&all, b->arena, FORMATS_MAX * sizeof(struct str));
    const struct xml_node *styles = xml_child(root, "cellXfs");
    for (const struct xml_node *n = styles ? styles->first : NULL; n; n = n->next) {
        uint64_t id = 0;

        if (!str_eq(n->name, STR("xf")))
            continue;
        (void)!u64_parse(xml_get(n, "numFmtId"), &id);
        struct str code = own_format(xml_child(root, "numFmts"), id);
        buf_put(&all, &code, sizeof code);
    }
    b->formats = (struct str *)(void *)all.ptr;
    b->format_count = all.len / sizeof(struct str);
    return buf_ok(&all) || err_arena(err, b->arena);
}

/* --- cells ------------------------------------------------------------------------------------ */

static bool show_value(struct xlsx *b, struct str type, struct str style, struct str value,
                       struct str *out, struct err *err)
{
    uint64_t index;
    double number;
    struct buf text;

    *out = value;
    if (str_eq(type, STR("s"))) {
        if (!u64_parse(value, &index) || index >= b->string_count)
            return err_set(err, ERR_INVALID, "damaged: a string that is not there");
        *out = b->strings[index];
    } else if (str_eq(type, STR("b"))) {
        *out = str_eq(value, STR("1")) ? STR("TRUE") : STR("FALSE");
    } else if ((!type.len || str_eq(type, STR("n"))) && f64_parse(value, &number)) {
        bool styled = u64_parse(style, &index) && index < b->format_count;

        buf_init(&text, b->arena, 4 * KIB);
        number_format(&text, number, styled ? b->formats[index] : STR(""), b->from_1904);
        if (!buf_ok(&text)) /* a format that writes a novel */
            return true;
        *out = buf_view(&text);
    }
    return true;
}

struct raw_cell {
    struct str type, style, value;
    bool has_value, has_formula;
};

static bool read_cell(struct xlsx *b, struct xml *x, struct raw_cell *cell, struct str *text,
                      struct err *err)
{
    int outside = x->depth - 1;
    enum xml_event event;

    while (x->depth > outside) {
        if (!xml_next(x, &event, err))
            return false;
        if (event != XML_OPEN)
            continue;
        if (str_eq(x->name, STR("is"))) {
            cell->type = STR("inlineStr");
            cell->has_value = true;
            if (!read_text_of(x, b->arena, &cell->value, err))
                return false;
        } else if (str_eq(x->name, STR("v"))) {
            if (!xml_next(x, &event, err))
                return false;
            cell->has_value = event == XML_TEXT;
            cell->value = event == XML_TEXT ? x->text : STR_NONE;
        } else {
            cell->has_formula = cell->has_formula || str_eq(x->name, STR("f"));
            if (!xml_skip(x, err))
                return false;
        }
    }
    if (!cell->has_value) {
        b->without_value += cell->has_formula;
        *text = STR_NONE;
        return true;
    }
    return show_value(b, cell->type, cell->style, cell->value, text, err);
}

static bool read_one(struct xlsx *b, struct xml *x, struct sheet *sheet, uint32_t *row,
                     uint32_t *column, struct err *err)
{
    struct str text;

    if (str_eq(x->name, STR("row"))) {
        uint64_t n;
        *row = u64_parse(xml_attribute(x, STR("r")), &n) && n >= 1 && n <= SHEET_ROWS_MAX
                   ? (uint32_t)n - 1
                   : *row + 1;
        *column = 0;
    } else if (str_eq(x->name, STR("c"))) {
        struct raw_cell cell = {.type = xml_attribute(x, STR("t")),
                                .style = xml_attribute(x, STR("s"))};

        (void)!sheet_reference(xml_attribute(x, STR("r")), row, column);
        if (!read_cell(b, x, &cell, &text, err))
            return false;
        sheet_put(sheet, *row, (*column)++, text);
    } else if (str_eq(x->name, STR("mergeCell"))) {
        sheet_merge(sheet, xml_attribute(x, STR("ref")));
    }
    return true;
}

static bool read_sheet(struct xlsx *b, struct str part, struct sheet *sheet, struct err *err)
{
    struct str bytes;
    enum xml_event event = XML_OPEN;
    uint32_t row = UINT32_MAX, column = 0;

    if (!package_bytes(&b->zip, part, &bytes, err))
        return false;
    struct xml *x = xml_new(b->arena, bytes);
    if (!x)
        return err_arena(err, b->arena);
    while (event != XML_END) {
        if (!xml_next(x, &event, err) ||
            (event == XML_OPEN && !read_one(b, x, sheet, &row, &column, err)))
            return false;
    }
    return true;
}

/* --- what hangs on a sheet -------------------------------------------------------------------- */

struct hanging {
    struct xlsx *book;
    struct place place;
    uint32_t pictures, others;
};

/* Boxes with text are read; how much else there is is counted. */
static bool read_hanging(struct hanging *h, const struct xml_node *node, struct err *err)
{
    for (const struct xml_node *n = node ? node->first : NULL; n; n = n->next) {
        bool ok = true;

        if (str_eq(n->name, STR("sp")))
            ok = drawing_body(h->book->to, xml_child(n, "txBody"), DRAWING_PLAIN, &h->place, err);
        else if (str_eq(n->name, STR("pic")))
            h->pictures++;
        else if (str_eq(n->name, STR("graphicFrame")))
            h->others++;
        else if (str_eq(n->name, STR("AlternateContent")))
            ok = read_hanging(h, xml_alternative(n), err);
        else if (n->name.len)
            ok = read_hanging(h, n, err);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_beside(struct xlsx *b, struct str part, struct str name, uint32_t number,
                        struct err *err)
{
    struct hanging h = {.book = b, .place = {.page = number, .label = name}};
    const struct xml_node *root;
    struct relations beside;

    if (!package_relations(&b->zip, part, &beside, err) ||
        !package_tree_if_any(&b->zip, relation_of_type(&beside, "drawing"), &root, err) ||
        !read_hanging(&h, root, err))
        return false;
    if (h.pictures)
        rendering_note(b->to, "sheet \"" STR_FMT "\": %u pictures are not read", STR_ARG(name),
                       h.pictures);
    if (h.others)
        rendering_note(b->to, "sheet \"" STR_FMT "\": %u charts or diagrams are not read",
                       STR_ARG(name), h.others);
    if (relation_of_type(&beside, "comments").len ||
        relation_of_type(&beside, "threadedComment").len)
        rendering_note(b->to, "sheet \"" STR_FMT "\": review comments are left out", STR_ARG(name));
    return true;
}

/* --- the book --------------------------------------------------------------------------------- */

static bool read_named_sheet(struct xlsx *b, const struct xml_node *node, uint32_t number,
                             struct err *err)
{
    struct str name = xml_get(node, "name"), state = xml_get(node, "state");
    struct str part = relation_target(&b->relations, xml_get_prefixed(node, "id"));
    struct sheet sheet;

    if (!part.len || !zip_find(&b->zip, part)) {
        rendering_note(b->to, "sheet \"" STR_FMT "\" is not there", STR_ARG(name));
        return true;
    }
    if (state.len && !str_eq(state, STR("visible")))
        rendering_note(b->to, "sheet \"" STR_FMT "\" is hidden; it is read", STR_ARG(name));
    sheet_init(&sheet, b->arena, name, number);
    if (!read_sheet(b, part, &sheet, err) || !sheet_write(&sheet, b->to, err) ||
        !read_beside(b, part, name, number, err))
        return err_wrap(err, "sheet \"" STR_FMT "\"", STR_ARG(str_slice(name, 0, 60)));
    return true;
}

static bool read_book(struct xlsx *b, struct err *err)
{
    const struct xml_node *root;
    struct relations top;
    uint32_t number = 0;

    if (!package_relations(&b->zip, STR(""), &top, err))
        return false;
    b->main = relation_of_type(&top, "officeDocument");
    if (!b->main.len)
        return err_set(err, ERR_INVALID, "not a workbook: it has no main part");
    if (!package_title(&b->zip, b->to, err) || !package_tree(&b->zip, b->main, &root, err) ||
        !package_relations(&b->zip, b->main, &b->relations, err) || !read_strings(b, err) ||
        !read_formats(b, err))
        return false;
    const struct xml_node *sheets = xml_child(root, "sheets");
    struct str epoch = xml_get(xml_child(root, "workbookPr"), "date1904");
    b->from_1904 = str_eq(epoch, STR("1")) || str_eq(epoch, STR("true"));
    if (!sheets)
        return err_set(err, ERR_INVALID, "not a workbook: it has no sheets");
    for (const struct xml_node *n = sheets->first; n; n = n->next) {
        if (!str_eq(n->name, STR("sheet")))
            continue;
        if (++number > SHEETS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %u sheets", SHEETS_MAX);
        if (!read_named_sheet(b, n, number, err))
            return false;
    }
    return true;
}

bool read_xlsx(struct str bytes, struct rendering *to, struct err *err)
{
    struct xlsx *b = arena_alloc(to->arena, sizeof *b);

    if (!b)
        return err_arena(err, to->arena);
    b->arena = to->arena;
    b->to = to;
    if (!zip_open(&b->zip, b->arena, bytes, err) || !read_book(b, err))
        return false;
    if (b->without_value)
        rendering_note(to, "%u formulas have no stored value: open and save it once",
                       b->without_value);
    return true;
}
