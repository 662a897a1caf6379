/* PPTX (ECMA-376 part 1, PresentationML): slide by slide in the order of the show, the title as heading, text
 * boxes in reading order, tables, charts' data, speaker notes. A slide is a page. */
#include "knowledge/drawing.h"
#include "knowledge/grid.h"
#include "knowledge/readers.h"

#define SLIDES_MAX 10000u
#define LABEL_MAX  40

struct pptx {
    struct arena *arena;
    struct zip zip;
    struct rendering *to;
    struct relations relations; /* of the presentation */
    struct relations beside;    /* of the slide being read */
    struct place place;
    uint32_t pictures, others, commented;
    bool titled; /* this slide has had its heading */
};

static bool read_shapes(struct pptx *p, const struct xml_node *tree, bool titles, struct err *err);

/* --- shapes ----------------------------------------------------------------------------------- */

/* "title", "body", "dt" ...; "" is a place for content; STR_NONE: a shape of its own. */
static struct str placeholder_of(const struct xml_node *shape)
{
    for (const struct xml_node *n = shape->first; n; n = n->next) {
        const struct xml_node *ph = xml_path(n, "nvPr/ph");

        if (ph) {
            struct str type = xml_get(ph, "type");
            return type.ptr ? type : STR("");
        }
    }
    return STR_NONE;
}

static bool is_title(struct str placeholder)
{
    return str_eq(placeholder, STR("title")) || str_eq(placeholder, STR("ctrTitle"));
}

/* Date, footer and number of the slide: on every slide, and about none. */
static bool is_margin(struct str placeholder)
{
    return str_eq(placeholder, STR("dt")) || str_eq(placeholder, STR("ftr")) ||
           str_eq(placeholder, STR("sldNum")) || str_eq(placeholder, STR("hdr"));
}

static bool read_title(struct pptx *p, const struct xml_node *body, struct err *err)
{
    struct str text;
    bool begun = false;

    for (const struct xml_node *n = body ? body->first : NULL; n; n = n->next) {
        if (!str_eq(n->name, STR("p")))
            continue;
        if (!drawing_text(p->arena, n, &text, err))
            return false;
        if (!text.len)
            continue;
        if (!begun)
            rendering_begin(p->to, ELEMENT_HEADING, p->titled ? 2 : 1, &p->place);
        else
            rendering_text(p->to, STR(" "));
        rendering_text(p->to, text);
        begun = p->titled = true;
    }
    return true;
}

static bool read_shape(struct pptx *p, const struct xml_node *shape, bool titles, struct err *err)
{
    struct str ph = placeholder_of(shape);
    const struct xml_node *body = xml_child(shape, "txBody");

    if (is_margin(ph) || is_title(ph) != titles)
        return true;
    if (titles)
        return read_title(p, body, err);
    bool bullets = ph.ptr && (!ph.len || str_eq(ph, STR("body")) || str_eq(ph, STR("obj")));
    return drawing_body(p->to, body, bullets ? DRAWING_BULLETS : DRAWING_PLAIN, &p->place, err);
}

/* --- charts ----------------------------------------------------------------------------------- */

/* The points that the program kept with the chart: c:pt idx, c:v. */
static bool put_points(struct grid *g, const struct xml_node *cache, uint32_t column)
{
    for (const struct xml_node *n = cache ? cache->first : NULL; n; n = n->next) {
        const struct xml_node *v = xml_child(n, "v");
        uint64_t index;
        struct grid_cell cell = {.column = column};

        if (!str_eq(n->name, STR("pt")) || !v || !v->first ||
            !u64_parse(xml_get(n, "idx"), &index) || index >= GRID_CELLS_MAX)
            continue;
        cell.row = (uint32_t)index + 1;
        cell.text = v->first->text;
        grid_put(g, &cell);
    }
    return buf_ok(&g->cells);
}

static const struct xml_node *cache_of(const struct xml_node *series, const char *name)
{
    static const char *const ways[] = {"strRef/strCache", "numRef/numCache", "strLit", "numLit"};
    const struct xml_node *data = xml_child(series, name);

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        const struct xml_node *found = xml_path(data, ways[i]);
        if (found)
            return found;
    }
    return NULL;
}

static void put_series(struct grid *g, const struct xml_node *series, uint32_t column)
{
    const struct xml_node *name = xml_path(cache_of(series, "tx"), "pt/v");
    struct grid_cell cell = {.column = column};

    if (column == 1)
        put_points(g, cache_of(series, xml_child(series, "cat") ? "cat" : "xVal"), 0);
    cell.text = name && name->first ? name->first->text : STR("value");
    grid_put(g, &cell);
    put_points(g, cache_of(series, xml_child(series, "val") ? "val" : "yVal"), column);
}

static void find_series(struct grid *g, const struct xml_node *node, uint32_t *column)
{
    for (const struct xml_node *n = node->first; n; n = n->next) {
        if (str_eq(n->name, STR("ser")))
            put_series(g, n, ++*column);
        else if (n->name.len)
            find_series(g, n, column);
    }
}

static bool read_chart(struct pptx *p, const struct xml_node *reference, struct err *err)
{
    struct str part = relation_target(&p->beside, xml_get_prefixed(reference, "id"));
    const struct xml_node *root;
    uint32_t column = 0;
    struct grid g;

    if (!package_tree_if_any(&p->zip, part, &root, err))
        return false;
    grid_init(&g, p->arena);
    g.header = GRID_HEADER_MARKED;
    g.header_rows = 1;
    if (root)
        find_series(&g, root, &column);
    p->others += !column; /* of a kind from after 2013 */
    return !column || grid_write(&g, p->to, &p->place, NULL, NULL, err);
}

static bool read_frame(struct pptx *p, const struct xml_node *frame, struct err *err)
{
    const struct xml_node *data = xml_path(frame, "graphic/graphicData"),
                          *table = xml_child(data, "tbl"), *chart = xml_child(data, "chart");

    if (table)
        return drawing_table(p->to, table, &p->place, err);
    if (chart)
        return read_chart(p, chart, err);
    p->others++;
    return true;
}

/* Twice over the shapes: the title first, wherever it stands. */
static bool read_shapes(struct pptx *p, const struct xml_node *tree, bool titles, struct err *err)
{
    for (const struct xml_node *n = tree ? tree->first : NULL; n; n = n->next) {
        bool ok = true;

        if (str_eq(n->name, STR("sp")))
            ok = read_shape(p, n, titles, err);
        else if (str_eq(n->name, STR("grpSp")))
            ok = read_shapes(p, n, titles, err);
        else if (str_eq(n->name, STR("AlternateContent")))
            ok = read_shapes(p, xml_alternative(n), titles, err);
        else if (!titles && str_eq(n->name, STR("graphicFrame")))
            ok = read_frame(p, n, err);
        else if (!titles && str_eq(n->name, STR("pic")))
            p->pictures++;
        if (!ok)
            return false;
    }
    return true;
}

/* --- slides ----------------------------------------------------------------------------------- */

static bool read_notes(struct pptx *p, uint32_t number, struct err *err)
{
    struct str part = relation_of_type(&p->beside, "notesSlide");
    const struct xml_node *root;

    if (!package_tree_if_any(&p->zip, part, &root, err))
        return false;
    const struct xml_node *tree = xml_path(root, "cSld/spTree");
    p->place.label = arena_fmt(p->arena, "slide %u, notes", number);
    for (const struct xml_node *n = tree ? tree->first : NULL; n; n = n->next)
        if (str_eq(n->name, STR("sp")) && str_eq(placeholder_of(n), STR("body")) &&
            !drawing_body(p->to, xml_child(n, "txBody"), DRAWING_PLAIN, &p->place, err))
            return false;
    return true;
}

static bool read_slide(struct pptx *p, struct str part, uint32_t number, struct err *err)
{
    const struct xml_node *root;

    p->titled = false;
    p->place = (struct place){.page = number, .label = arena_fmt(p->arena, "slide %u", number)};
    if (!package_tree(&p->zip, part, &root, err) ||
        !package_relations(&p->zip, part, &p->beside, err))
        return false;
    p->commented += relation_of_type(&p->beside, "comments").len > 0;
    struct str show = xml_get(root, "show");
    if (str_eq(show, STR("0")) || str_eq(show, STR("false")))
        rendering_note(p->to, "slide %u is hidden; it is read", number);
    const struct xml_node *tree = xml_path(root, "cSld/spTree");
    if (!read_shapes(p, tree, true, err))
        return false;
    if (!p->titled) { /* or it would stand below the heading of the slide before; never the title */
        rendering_begin(p->to, ELEMENT_HEADING, number == 1 ? 2 : 1, &p->place);
        rendering_text(p->to, arena_fmt(p->arena, "Slide %u", number));
    }
    return read_shapes(p, tree, false, err) && read_notes(p, number, err);
}

static bool read_show(struct pptx *p, struct err *err)
{
    struct relations top;
    const struct xml_node *root;
    uint32_t number = 0;

    if (!package_relations(&p->zip, STR(""), &top, err))
        return false;
    struct str main = relation_of_type(&top, "officeDocument");
    if (!main.len)
        return err_set(err, ERR_INVALID, "not a presentation: it has no main part");
    if (!package_title(&p->zip, p->to, err) || !package_tree(&p->zip, main, &root, err) ||
        !package_relations(&p->zip, main, &p->relations, err))
        return false;
    const struct xml_node *list = xml_child(root, "sldIdLst");
    for (const struct xml_node *n = list ? list->first : NULL; n; n = n->next) {
        struct str part = relation_target(&p->relations, xml_get_prefixed(n, "id"));

        if (!str_eq(n->name, STR("sldId")))
            continue;
        if (++number > SLIDES_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %u slides", SLIDES_MAX);
        if (!part.len)
            rendering_note(p->to, "slide %u is not there", number);
        else if (!read_slide(p, part, number, err))
            return err_wrap(err, "slide %u", number);
    }
    return true;
}

bool read_pptx(struct str bytes, struct rendering *to, struct err *err)
{
    struct pptx *p = arena_alloc(to->arena, sizeof *p);

    if (!p)
        return err_arena(err, to->arena);
    p->arena = to->arena;
    p->to = to;
    if (!zip_open(&p->zip, p->arena, bytes, err) || !read_show(p, err))
        return false;
    if (p->pictures)
        rendering_note(to, "%u pictures are not read", p->pictures);
    if (p->commented)
        rendering_note(to, "review comments of %u slides are left out", p->commented);
    if (p->others)
        rendering_note(to, "%u diagrams or embedded objects are not read", p->others);
    return true;
}
