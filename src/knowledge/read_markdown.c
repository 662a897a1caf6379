/* Markdown by md4c, whose texts point into the source: that is where origins come from. */
#include <md4c.h>

#include "knowledge/document_internal.h"

struct markdown {
    struct writer *w;
    const char *begin, *end; /* of the source given to md4c */
    int lists;               /* depth */
    int items;
    bool item_begun; /* the item's first block is open: its first paragraph goes into it */
    bool in_html;
    uint32_t html_from, html_to;
    struct table_state table;
};

static void begin_paragraph(struct markdown *md)
{
    if (md->items && md->item_begun)
        return;
    writer_begin(md->w, md->items ? BLOCK_ITEM : BLOCK_PARAGRAPH, md->lists);
}

static void begin_item(struct markdown *md)
{
    md->items++;
    md->item_begun = true;
    writer_begin(md->w, BLOCK_ITEM, md->lists);
}

static void begin_list(struct markdown *md)
{
    writer_end(md->w);
    md->lists++;
    md->item_begun = false;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *user)
{
    struct markdown *md = user;

    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL: begin_list(md); break;
    case MD_BLOCK_LI: begin_item(md); break;
    case MD_BLOCK_P: begin_paragraph(md); break;
    case MD_BLOCK_H:
        writer_begin(md->w, BLOCK_HEADING, (int)((const MD_BLOCK_H_DETAIL *)detail)->level);
        break;
    case MD_BLOCK_CODE: writer_begin(md->w, BLOCK_CODE, 0); break;
    case MD_BLOCK_HTML:
        writer_end(md->w);
        md->in_html = true;
        md->html_from = md->html_to = 0;
        break;
    case MD_BLOCK_TABLE:
        writer_end(md->w);
        md->table.header_count = 0;
        break;
    case MD_BLOCK_THEAD: md->table.in_header = true; break;
    case MD_BLOCK_TBODY: md->table.in_header = false; break;
    case MD_BLOCK_TR: row_begin(md->w, &md->table, md->table.in_header); break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD: cell_begin(md->w, &md->table, md->w->reached); break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_QUOTE:
    case MD_BLOCK_HR: writer_end(md->w); break;
    }
    return md->w->failed;
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *user)
{
    struct markdown *md = user;

    (void)detail;
    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        writer_end(md->w);
        md->lists--;
        break;
    case MD_BLOCK_LI:
        writer_end(md->w);
        md->items--;
        md->item_begun = false;
        break;
    case MD_BLOCK_P:
        writer_end(md->w);
        md->item_begun = false;
        break;
    case MD_BLOCK_HTML:
        md->in_html = false;
        read_html(md->w, md->html_from, md->html_to);
        break;
    case MD_BLOCK_TR: row_end(md->w, &md->table); break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD: cell_end(md->w, &md->table); break;
    case MD_BLOCK_H:
    case MD_BLOCK_CODE:
    case MD_BLOCK_TABLE: writer_end(md->w); break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_QUOTE:
    case MD_BLOCK_HR:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY: break;
    }
    return md->w->failed;
}

static int enter_span(MD_SPANTYPE type, void *detail, void *user)
{
    (void)type, (void)detail, (void)user;
    return 0;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *user)
{
    (void)type, (void)detail, (void)user;
    return 0;
}

/* md4c hands out static strings for breaks and indentation; everything else is the source itself. */
static bool from_source(const struct markdown *md, const char *text, size_t size, uint32_t *at)
{
    uintptr_t begin = (uintptr_t)md->begin, end = (uintptr_t)md->end, p = (uintptr_t)text;

    if (p < begin || p > end || size > end - p)
        return false;
    *at = (uint32_t)(text - md->w->source.ptr);
    return true;
}

static void add_entity(struct markdown *md, struct str entity, uint32_t at)
{
    char bytes[8];
    size_t len = entity_text(entity, bytes);

    if (len)
        writer_put(md->w, (struct str){bytes, len}, at, (uint32_t)entity.len);
    else
        writer_text(md->w, at, (uint32_t)entity.len);
}

static int add_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *user)
{
    struct markdown *md = user;
    uint32_t at = md->w->reached;
    bool real = from_source(md, text, size, &at);

    if (md->in_html) {
        if (real) {
            md->html_from = md->html_to ? md->html_from : at;
            md->html_to = at + size;
        }
        return 0;
    }
    if (!md->w->open)
        writer_begin(md->w, md->items ? BLOCK_ITEM : BLOCK_PARAGRAPH, md->lists);
    if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR)
        writer_break(md->w, at);
    else if (type == MD_TEXT_HTML)
        writer_space(md->w, at);
    else if (!real)
        writer_put(md->w, (struct str){text, size}, at, 0);
    else if (type == MD_TEXT_ENTITY)
        add_entity(md, (struct str){text, size}, at);
    else
        writer_text(md->w, at, size);
    return md->w->failed;
}

void read_markdown(struct writer *w, uint32_t from, uint32_t to)
{
    struct markdown md = {.w = w, .begin = w->source.ptr + from, .end = w->source.ptr + to};
    const MD_PARSER parser = {.flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS |
                                       MD_FLAG_NOINDENTEDCODEBLOCKS,
                              .enter_block = enter_block,
                              .leave_block = leave_block,
                              .enter_span = enter_span,
                              .leave_span = leave_span,
                              .text = add_text};

    if (md_parse(md.begin, to - from, &parser, &md) != 0)
        w->failed = true;
}
