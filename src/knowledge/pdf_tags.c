#include "knowledge/pdf_tags.h"

#include <stdlib.h>
#include <string.h>

#define ROLE_HOPS 8
#define SPAN_MAX  64

enum role {
    ROLE_HOLDER, /* holds others */
    ROLE_SECTION,
    ROLE_PARAGRAPH,
    ROLE_HEADING,
    ROLE_LIST,
    ROLE_ITEM,
    ROLE_TABLE,
    ROLE_HEAD_ROWS,
    ROLE_ROW,
    ROLE_HEAD_CELL,
    ROLE_CELL,
    ROLE_CODE,
    ROLE_FIGURE,
    ROLE_IN_LINE,
    ROLE_ARTIFACT,
};
static const struct {
    const char *name;
    enum role role;
    int level;
} roles[] = {
    {"Art", ROLE_SECTION, 0},
    {"Artifact", ROLE_ARTIFACT, 0},
    {"BibEntry", ROLE_PARAGRAPH, 0},
    {"BlockQuote", ROLE_HOLDER, 0},
    {"Caption", ROLE_PARAGRAPH, 0},
    {"Code", ROLE_CODE, 0},
    {"Div", ROLE_HOLDER, 0},
    {"Document", ROLE_HOLDER, 0},
    {"Em", ROLE_IN_LINE, 0},
    {"Figure", ROLE_FIGURE, 0},
    {"Formula", ROLE_FIGURE, 0},
    {"H", ROLE_HEADING, 0},
    {"H1", ROLE_HEADING, 1},
    {"H2", ROLE_HEADING, 2},
    {"H3", ROLE_HEADING, 3},
    {"H4", ROLE_HEADING, 4},
    {"H5", ROLE_HEADING, 5},
    {"H6", ROLE_HEADING, 6},
    {"L", ROLE_LIST, 0},
    {"LBody", ROLE_IN_LINE, 0},
    {"LI", ROLE_ITEM, 0},
    {"Lbl", ROLE_IN_LINE, 0},
    {"Link", ROLE_IN_LINE, 0},
    {"Note", ROLE_PARAGRAPH, 0},
    {"P", ROLE_PARAGRAPH, 0},
    {"Part", ROLE_SECTION, 0},
    {"Quote", ROLE_IN_LINE, 0},
    {"Reference", ROLE_IN_LINE, 0},
    {"Sect", ROLE_SECTION, 0},
    {"Span", ROLE_IN_LINE, 0},
    {"Strong", ROLE_IN_LINE, 0},
    {"Sub", ROLE_IN_LINE, 0},
    {"TD", ROLE_CELL, 0},
    {"TH", ROLE_HEAD_CELL, 0},
    {"THead", ROLE_HEAD_ROWS, 0},
    {"TOCI", ROLE_PARAGRAPH, 0},
    {"TR", ROLE_ROW, 0},
    {"Table", ROLE_TABLE, 0},
    {"Title", ROLE_HEADING, 1},
};

/* Where in the tree we are. block: from 1; 0: none is open. */
struct at {
    uint32_t page, block, table, row;
    int sections, lists;
    bool closed; /* what is within belongs to the open block */
    bool head;   /* rows are the table's header */
};
struct walk {
    struct pdf *pdf;
    const struct pdf_pages *pages;
    const struct pdf_object *role_map, *page_dict; /* the last one that was looked up */
    uint32_t page_number, elements, tables, rows;
    struct buf blocks, marks;
    bool has_headings, cut;
};

static const struct pdf_object *mapped(struct walk *w, const struct pdf_object *name)
{
    char key[64];

    for (int hop = 0; hop < ROLE_HOPS && name->kind == PDF_NAME && name->text.len < sizeof key;
         hop++) {
        memcpy(key, name->text.ptr, name->text.len);
        key[name->text.len] = 0;
        const struct pdf_object *next = pdf_get(w->pdf, w->role_map, key);
        if (next->kind != PDF_NAME || str_eq(next->text, name->text))
            break;
        name = next;
    }
    return name;
}

static bool find_role(const struct pdf_object *name, enum role *role, int *level)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (pdf_is_name(name, roles[i].name)) {
            *role = roles[i].role;
            *level = roles[i].level;
            return true;
        }
    return false;
}

/* What a name means: as it stands, when it is one of the standard's; else as the file maps it. */
static enum role role_of(struct walk *w, const struct pdf_object *element, int *level)
{
    const struct pdf_object *name = pdf_get(w->pdf, element, "S");
    enum role role = ROLE_HOLDER;

    *level = 0;
    if (!find_role(name, &role, level))
        (void)!find_role(mapped(w, name), &role, level);
    return role;
}

static uint32_t page_of(struct walk *w, const struct pdf_object *element, uint32_t otherwise)
{
    const struct pdf_object *page = pdf_get(w->pdf, element, "Pg");

    if (!pdf_is_dict(page))
        return otherwise;
    if (page != w->page_dict) {
        if (!pdf_spend(w->pdf, w->pages->count))
            return 0;
        w->page_dict = page;
        w->page_number = pdf_page_number(w->pages, page);
    }
    return w->page_number;
}

/* A number among an element's attributes, which are a dictionary or several. */
static uint32_t span_of(struct walk *w, const struct pdf_object *element, const char *key)
{
    const struct pdf_object *a = pdf_get(w->pdf, element, "A");
    int64_t span = 0;

    if (pdf_is_dict(a))
        span = pdf_integer(pdf_get(w->pdf, a, key), 0);
    for (uint32_t i = 0; a->kind == PDF_ARRAY && i < a->count && i < 16 && span == 0; i++)
        span = pdf_integer(pdf_get(w->pdf, pdf_at(w->pdf, a, i), key), 0);
    return span < 1 ? 1 : (uint32_t)MIN_OF(span, (int64_t)SPAN_MAX);
}

static uint32_t add_block(struct walk *w, const struct pdf_tag_block *block)
{
    buf_put(&w->blocks, block, sizeof *block);
    return (uint32_t)(w->blocks.len / sizeof *block);
}

static void add_mark(struct walk *w, struct at *at, uint32_t page, int64_t id, struct str alt)
{
    struct pdf_tag_block paragraph = {.kind = PDF_PARAGRAPH};

    if (page == 0 || id > INT32_MAX || (id < 0 && !alt.len))
        return;
    if (at->block == 0)
        at->block = add_block(w, &paragraph);
    struct pdf_tag_mark mark = {.page = page,
                                .id = (int32_t)id,
                                .block = at->block - 1,
                                .order = (uint32_t)(w->marks.len / sizeof mark),
                                .alt = alt};
    buf_put(&w->marks, &mark, sizeof mark);
}

static void open_cell(struct walk *w, const struct pdf_object *element, struct at *at, bool header)
{
    struct pdf_tag_block cell = {.kind = PDF_TABLE,
                                 .table = at->table,
                                 .row = at->row,
                                 .columns = span_of(w, element, "ColSpan"),
                                 .rows = span_of(w, element, "RowSpan"),
                                 .header = header || at->head};

    if (at->table == 0 || at->row == 0)
        cell = (struct pdf_tag_block){.kind = PDF_PARAGRAPH};
    at->block = add_block(w, &cell);
    at->closed = true;
}

static void open_figure(struct walk *w, const struct pdf_object *element, struct at *at)
{
    struct pdf_tag_block block = {.kind = PDF_PARAGRAPH};
    const struct pdf_object *alt = pdf_get(w->pdf, element, "Alt");

    struct str said = alt->kind == PDF_STRING ? str_trim(pdf_text(w->pdf, alt)) : STR_NONE;

    if (said.len > 0 &&
        !str_eq_nocase(said, STR("figure"))) { /* what programs write says nothing */
        if (!at->closed)
            at->block = add_block(w, &block);
        add_mark(w, at, at->page, -1, said);
    }
    if (!at->closed)
        at->block = add_block(w, &block);
    at->closed = true;
}

static void open_plain(struct walk *w, enum role role, int level, struct at *at)
{
    struct pdf_tag_block block = {.kind = role == ROLE_HEADING ? PDF_HEADING
                                          : role == ROLE_ITEM  ? PDF_ITEM
                                          : role == ROLE_CODE  ? PDF_CODE
                                                               : PDF_PARAGRAPH};

    if (at->closed && role != ROLE_ITEM)
        return;
    if (role == ROLE_HEADING)
        block.level = level ? level : MIN_OF(MAX_OF(at->sections, 1), 6);
    if (role == ROLE_ITEM)
        block.level = MIN_OF(MAX_OF(at->lists, 1), 6);
    w->has_headings |= role == ROLE_HEADING;
    at->block = add_block(w, &block);
    at->closed = true;
}

/* false: nothing of it is text of the file. */
static bool open_element(struct walk *w, const struct pdf_object *element, struct at *at)
{
    int level;
    enum role role = role_of(w, element, &level);

    at->page = page_of(w, element, at->page);
    switch (role) {
    case ROLE_ARTIFACT: return false;
    case ROLE_IN_LINE: break;
    case ROLE_SECTION:
    case ROLE_HOLDER:
        at->sections += role == ROLE_SECTION;
        at->block = at->closed ? at->block : 0;
        break;
    case ROLE_LIST:
        at->lists++;
        at->closed = false;
        at->block = 0;
        break;
    case ROLE_TABLE:
        at->table = ++w->tables;
        at->row = at->block = 0;
        at->closed = at->head = false;
        break;
    case ROLE_HEAD_ROWS: at->head = true; break;
    case ROLE_ROW: at->row = ++w->rows; break;
    case ROLE_HEAD_CELL:
    case ROLE_CELL: open_cell(w, element, at, role == ROLE_HEAD_CELL); break;
    case ROLE_FIGURE: open_figure(w, element, at); break;
    case ROLE_PARAGRAPH:
    case ROLE_HEADING:
    case ROLE_ITEM:
    case ROLE_CODE: open_plain(w, role, level, at); break;
    }
    return true;
}

#define FORM_MARK 0x40000000
#define FORM_BITS \
    15 /* of the form's number, and of the id in it; files that need more are rare: read by their looks */

int32_t pdf_mark_in_form(uint32_t form, int64_t id)
{
    if (form >> FORM_BITS || id < 0 || id >> FORM_BITS)
        return FORM_MARK; /* of no form: nothing is tagged so */
    return (int32_t)(FORM_MARK | form << FORM_BITS | (uint32_t)id);
}

/* Of a reference to marked content, which may be a form's. */
static void add_reference(struct walk *w, const struct pdf_object *kid, struct at *at)
{
    const struct pdf_object *form = pdf_get(w->pdf, kid, "Stm");
    int64_t id = pdf_integer(pdf_get(w->pdf, kid, "MCID"), -1);

    if (form->kind == PDF_STREAM)
        id = pdf_mark_in_form(form->stream->number, id);
    if (id != FORM_MARK)
        add_mark(w, at, page_of(w, kid, at->page), id, STR_NONE);
}

static void walk(struct walk *w, const struct pdf_object *kid, struct at *at, unsigned depth);

static void walk_element(struct walk *w, const struct pdf_object *element, const struct at *around,
                         unsigned depth)
{
    struct at at = *around;

    if (depth >= PDF_TAGS_DEEP || ++w->elements > PDF_TAGS_MAX) {
        w->cut = true;
        return;
    }
    if (open_element(w, element, &at))
        walk(w, pdf_get(w->pdf, element, "K"), &at, depth + 1);
}

static void walk(struct walk *w, const struct pdf_object *kid, struct at *at, unsigned depth)
{
    if (!pdf_spend(w->pdf, 4))
        return;
    if (kid->kind == PDF_NUMBER) {
        add_mark(w, at, at->page, pdf_integer(kid, -1), STR_NONE);
    } else if (kid->kind == PDF_ARRAY) {
        for (uint32_t i = 0; i < kid->count && depth < PDF_TAGS_DEEP && !w->cut; i++)
            walk(w, pdf_at(w->pdf, kid, i), at, depth + 1);
        w->cut |= depth >= PDF_TAGS_DEEP;
    } else if (pdf_is_dict(kid) && pdf_get(w->pdf, kid, "MCID")->kind == PDF_NUMBER) {
        add_reference(w, kid, at);
    } else if (pdf_is_dict(kid) && !pdf_is_name(pdf_get(w->pdf, kid, "Type"), "OBJR")) {
        walk_element(w, kid, at, depth);
        if (!at->closed)
            at->block = 0; /* what follows directly is a paragraph of its own */
    }
}

static int by_place(const void *a, const void *b)
{
    const struct pdf_tag_mark *x = *(struct pdf_tag_mark *const *)a,
                              *y = *(struct pdf_tag_mark *const *)b;

    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool sort_marks(struct pdf *pdf, struct pdf_tags *tags)
{
    tags->sorted = arena_array(pdf->arena, tags->mark_count + 1, sizeof *tags->sorted);
    if (!tags->sorted)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < tags->mark_count; i++)
        tags->sorted[i] = &tags->marks[i];
    qsort(tags->sorted, tags->mark_count, sizeof *tags->sorted, by_place);
    return pdf_spend(pdf, 20 * (uint64_t)tags->mark_count);
}

bool pdf_tags_read(struct pdf *pdf, const struct pdf_pages *pages, struct pdf_tags *out)
{
    const struct pdf_object *root = pdf_get(pdf, &pdf->trailer, "Root"),
                            *tree = pdf_get(pdf, root, "StructTreeRoot");
    struct walk w = {.pdf = pdf, .pages = pages, .role_map = pdf_get(pdf, tree, "RoleMap")};
    struct at at = {0};

    *out = (struct pdf_tags){0};
    if (!pdf_is_dict(tree))
        return true;
    buf_init(&w.blocks, pdf->arena, 2 * (size_t)PDF_TAGS_MAX * sizeof(struct pdf_tag_block));
    buf_init(&w.marks, pdf->arena, 4 * (size_t)PDF_TAGS_MAX * sizeof(struct pdf_tag_mark));
    walk(&w, pdf_get(pdf, tree, "K"), &at, 0);
    if (!buf_ok(&w.blocks) || !buf_ok(&w.marks))
        return pdf_stop(pdf, PDF_NO_MEMORY);
    out->blocks = (struct pdf_tag_block *)(void *)w.blocks.ptr;
    out->marks = (struct pdf_tag_mark *)(void *)w.marks.ptr;
    out->block_count = w.blocks.len / sizeof *out->blocks;
    out->mark_count = w.marks.len / sizeof *out->marks;
    out->has_headings = w.has_headings;
    out->cut = w.cut;
    return pdf->stopped == PDF_GOES_ON && sort_marks(pdf, out);
}

const struct pdf_tag_mark *pdf_tags_find(const struct pdf_tags *tags, uint32_t page, int32_t id)
{
    size_t from = 0, to = tags->mark_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct pdf_tag_mark *m = tags->sorted[middle];

        if (m->page < page || (m->page == page && m->id < id))
            from = middle + 1;
        else
            to = middle;
    }
    const struct pdf_tag_mark *m = from < tags->mark_count ? tags->sorted[from] : NULL;
    return m && id >= 0 && m->page == page && m->id == id ? m : NULL;
}
