#include "knowledge/drawing.h"

#include "knowledge/grid.h"

#define TEXT_BYTES_MAX ((size_t)4 * MIB)
#define LEVELS         9

static void put_text(struct buf *to, const struct xml_node *node);

static void put_alternative(struct buf *to, const struct xml_node *node)
{
    const struct xml_node *choice = xml_alternative(node);

    if (choice)
        put_text(to, choice);
}

static void put_text(struct buf *to, const struct xml_node *node)
{
    for (const struct xml_node *n = node->first; n; n = n->next) {
        if (str_eq(n->name, STR("t")))
            for (const struct xml_node *t = n->first; t; t = t->next)
                buf_str(to, t->text);
        else if (str_eq(n->name, STR("br")) || str_eq(n->name, STR("tab")))
            buf_char(to, ' ');
        else if (str_eq(n->name, STR("AlternateContent")))
            put_alternative(to, n);
        else if (!str_eq(n->name, STR("pPr")) && !str_eq(n->name, STR("rPr")))
            put_text(to, n);
    }
}

bool drawing_text(struct arena *arena, const struct xml_node *p, struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, arena, TEXT_BYTES_MAX);
    put_text(&b, p);
    if (!buf_finish(&b, out, err))
        return err_wrap(err, "a paragraph");
    *out = str_trim(*out);
    return true;
}

static bool is_item(const struct xml_node *properties, enum drawing_default kind)
{
    if (xml_child(properties, "buNone"))
        return false;
    return kind == DRAWING_BULLETS || xml_child(properties, "buChar") ||
           xml_child(properties, "buAutoNum") || xml_child(properties, "buBlip");
}

/* "1." of numbered paragraphs, counted per level; others start the count anew. */
static void put_count(struct rendering *to, const struct xml_node *properties, uint32_t *counts,
                      int level)
{
    const struct xml_node *number = xml_child(properties, "buAutoNum");
    char memory[16];
    struct buf b;
    uint64_t start;

    for (int i = level + 1; i < LEVELS; i++)
        counts[i] = 0;
    if (!number) {
        counts[level] = 0;
        return;
    }
    if (counts[level] == 0 && u64_parse(xml_get(number, "startAt"), &start) && start < 100000)
        counts[level] = (uint32_t)start - (start > 0);
    buf_init_fixed(&b, memory, sizeof memory);
    buf_u64(&b, ++counts[level]);
    buf_str(&b, STR(". "));
    rendering_text(to, buf_view(&b));
}

bool drawing_body(struct rendering *to, const struct xml_node *body, enum drawing_default kind,
                  const struct place *place, struct err *err)
{
    uint32_t counts[LEVELS] = {0};

    for (const struct xml_node *p = body ? body->first : NULL; p; p = p->next) {
        const struct xml_node *properties = xml_child(p, "pPr");
        uint64_t level = 0;
        struct str text;

        if (!str_eq(p->name, STR("p")))
            continue;
        if (!drawing_text(to->arena, p, &text, err))
            return false;
        if (!text.len)
            continue;
        if (!u64_parse(xml_get(properties, "lvl"), &level) || level >= LEVELS)
            level = 0;
        rendering_begin(to, is_item(properties, kind) ? ELEMENT_ITEM : ELEMENT_PARAGRAPH,
                        (int)level + 1, place);
        put_count(to, properties, counts, (int)level);
        rendering_text(to, text);
    }
    return true;
}

static uint32_t span(const struct xml_node *cell, const char *name)
{
    uint64_t n;

    return u64_parse(xml_get(cell, name), &n) && n >= 1 && n <= 1000 ? (uint32_t)n : 1;
}

static bool is_covered(const struct xml_node *cell)
{
    struct str across = xml_get(cell, "hMerge"), down = xml_get(cell, "vMerge");

    return str_eq(across, STR("1")) || str_eq(across, STR("true")) || str_eq(down, STR("1")) ||
           str_eq(down, STR("true"));
}

static bool cell_text(struct rendering *to, const struct xml_node *tc, struct str *out,
                      struct err *err)
{
    const struct xml_node *body = xml_child(tc, "txBody");
    struct buf b;

    buf_init(&b, to->arena, TEXT_BYTES_MAX);
    for (const struct xml_node *p = body ? body->first : NULL; p; p = p->next) {
        if (!str_eq(p->name, STR("p")))
            continue;
        if (b.len)
            buf_char(&b, ' ');
        put_text(&b, p);
    }
    if (!buf_finish(&b, out, err))
        return err_wrap(err, "a cell");
    *out = str_trim(*out);
    return true;
}

bool drawing_table(struct rendering *to, const struct xml_node *table, const struct place *place,
                   struct err *err)
{
    struct str first = xml_get(xml_child(table, "tblPr"), "firstRow");
    struct grid g;
    uint32_t row = 0;

    grid_init(&g, to->arena);
    if (str_eq(first, STR("1")) || str_eq(first, STR("true"))) {
        g.header = GRID_HEADER_MARKED;
        g.header_rows = 1;
    }
    for (const struct xml_node *tr = table->first; tr; tr = tr->next) {
        struct grid_cell cell = {.row = row};

        if (!str_eq(tr->name, STR("tr")))
            continue;
        for (const struct xml_node *tc = tr->first; tc; tc = tc->next) {
            if (!str_eq(tc->name, STR("tc")))
                continue;
            cell.rows = span(tc, "rowSpan");
            cell.columns = span(tc, "gridSpan");
            if (!is_covered(tc)) {
                if (!cell_text(to, tc, &cell.text, err))
                    return false;
                grid_put(&g, &cell);
            }
            cell.column++;
        }
        row++;
    }
    return grid_write(&g, to, place, NULL, NULL, err);
}
