/* Words to the blocks that the file's own tags name, in the order of its tags. */
#include <stdlib.h>
#include <string.h>

#include "knowledge/pdf_tags.h"

#define COVERED_TENTHS 7 /* of a page's words, that the tags must know */
#define LUMP_CHARS \
    2000 /* a page of so many with nearly all in one paragraph is not tagged in earnest */
#define COLUMNS_MAX 64u
#define NO_GAP      1e6f /* lines are not cut at gaps: one element is one text */

struct piece { /* a word, or what stands for a picture, in the order of the tags */
    const struct pdf_tag_mark *mark;
    struct pdf_word *word;
    const struct pdf_leaf *leaf;
    uint32_t drawn;
};
struct cells { /* rows of a table that is being filled */
    struct pdf_table *table;
    uint32_t number, row, page;
    uint32_t reach[COLUMNS_MAX]; /* rows that a cell above still covers */
    struct buf rows;             /* struct pdf_row_cells */
    size_t columns, at;
};
struct making {
    const struct pdf_tagged *t;
    struct piece *list;
    size_t count;
    struct cells cells;
};

/* --- which pages ------------------------------------------------------------------------------ */

/* Tags that cover most of the words, and tell them apart. */
static bool is_tagged_well(const struct pdf_tagged *t, const struct pdf_leaf *leaf, uint32_t *lumps)
{
    size_t all = 0, known = 0, largest = 0;

    for (size_t i = 0; i < leaf->words.count; i++) {
        const struct pdf_word *w = &leaf->words.list[i];
        const struct pdf_tag_mark *m = pdf_tags_find(t->tags, leaf->page, w->mark);

        all += w->text.len;
        if (!m)
            continue;
        known += w->text.len;
        lumps[m->block] += (uint32_t)w->text.len;
        if (t->tags->blocks[m->block].kind != PDF_TABLE)
            largest = MAX_OF(largest, (size_t)lumps[m->block]);
    }
    for (size_t i = 0; i < leaf->words.count; i++) {
        const struct pdf_tag_mark *m = pdf_tags_find(t->tags, leaf->page, leaf->words.list[i].mark);

        if (m)
            lumps[m->block] = 0;
    }
    return known > 0 && known * 10 >= all * COVERED_TENTHS &&
           !(all >= LUMP_CHARS && largest * 10 >= all * 9);
}

/* The words are taken out of the leaf: what is left is laid out by its looks. */
static bool collect(struct making *m, const struct pdf_leaf *leaf)
{
    struct pdf_word *copies = arena_array(m->t->pdf->arena, leaf->words.count + 1, sizeof *copies);

    if (!copies)
        return pdf_stop(m->t->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < leaf->words.count; i++) {
        struct pdf_word *w = &leaf->words.list[i];
        const struct pdf_tag_mark *mark =
            w->text.len ? pdf_tags_find(m->t->tags, leaf->page, w->mark) : NULL;

        if (!mark)
            continue;
        copies[i] = *w;
        w->text.len = 0;
        m->list[m->count++] = (struct piece){mark, &copies[i], leaf, (uint32_t)i};
    }
    return pdf_spend(m->t->pdf, 40 * (uint64_t)leaf->words.count);
}

static int by_order(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    if (x->mark->order != y->mark->order)
        return x->mark->order < y->mark->order ? -1 : 1;
    return x->drawn < y->drawn ? -1 : x->drawn > y->drawn;
}

/* Words of all pages that are tagged well, and pictures that are described. */
static bool gather(struct making *m, uint32_t *pages)
{
    const struct pdf_tagged *t = m->t;
    size_t room = 1;
    uint32_t *lumps = arena_array(t->pdf->arena, t->tags->block_count + 1, sizeof *lumps);

    for (size_t i = 0; i < t->leaf_count; i++)
        room += t->leaves[i].words.count;
    for (size_t i = 0; i < t->tags->mark_count; i++)
        room += t->tags->marks[i].alt.len > 0;
    m->list = arena_array(t->pdf->arena, room, sizeof *m->list);
    if (!m->list || !lumps)
        return pdf_stop(t->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < t->leaf_count; i++) {
        if (t->turns[i] != PDF_UPRIGHT || !is_tagged_well(t, &t->leaves[i], lumps))
            continue;
        if (!collect(m, &t->leaves[i]))
            return false;
        ++*pages;
    }
    for (size_t i = 0; *pages > 0 && i < t->tags->mark_count; i++)
        if (t->tags->marks[i].alt.len > 0)
            m->list[m->count++] = (struct piece){.mark = &t->tags->marks[i]};
    qsort(m->list, m->count, sizeof *m->list, by_order);
    return pdf_spend(t->pdf, 40 * (uint64_t)m->count);
}

/* --- an element's text ------------------------------------------------------------------------ */

/* Up to where the text goes on downwards on one page: what is behind a jump up is another column. */
static size_t stretch(const struct piece *p, size_t count)
{
    size_t n = 1;
    float lowest = p->word->y;

    while (n < count && p[n].word && p[n].leaf == p->leaf &&
           p[n].word->y > lowest - 2 * p[n].word->size) {
        lowest = p[n].word->y > lowest ? p[n].word->y : lowest;
        n++;
    }
    return n;
}

static bool read_stretch(const struct pdf_tagged *t, const struct piece *p, size_t count,
                         struct buf *text, struct pdf_block *block)
{
    struct pdf_view v = {.pdf = t->pdf,
                         .arena = t->pdf->arena,
                         .page = p->leaf->page,
                         .width = p->leaf->width,
                         .height = p->leaf->height,
                         .body = t->body};
    struct pdf_word **words = arena_array(v.arena, count, sizeof *words);
    struct pdf_segment *lines;
    size_t line_count;

    if (!words)
        return pdf_stop(t->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        words[i] = p[i].word;
    if (!pdf_segments(&v, words, count, NO_GAP, &lines, &line_count))
        return false;
    for (size_t i = 0; i < line_count; i++) {
        struct str line = pdf_segment_text(&v, &lines[i]);

        if (block->kind == PDF_CODE && text->len > 0) {
            buf_char(text, '\n');
            buf_str(text, line);
        } else {
            pdf_join_line(text, line);
        }
        if (block->page == v.page)
            block->box = block->lines ? pdf_union(block->box, lines[i].box) : lines[i].box;
        block->size = block->size > lines[i].size ? block->size : lines[i].size;
        block->bold = lines[i].bold && (block->lines == 0 || block->bold);
        block->italic = lines[i].italic && (block->lines == 0 || block->italic);
        block->lines++;
    }
    block->page_end = v.page == block->page ? 0 : v.page;
    return buf_ok(text) || pdf_stop(t->pdf, PDF_NO_MEMORY);
}

static bool read_element(const struct pdf_tagged *t, const struct piece *p, size_t count,
                         struct pdf_block *block)
{
    struct buf text;
    size_t bytes = 64;

    for (size_t i = 0; i < count; i++)
        bytes += (p[i].word ? p[i].word->text.len : p[i].mark->alt.len) + 2;
    buf_init(&text, t->pdf->arena, 2 * bytes);
    for (size_t i = 0; i < count;) {
        if (!p[i].word) {
            pdf_join_line(&text, p[i++].mark->alt);
            continue;
        }
        size_t n = stretch(p + i, count - i);
        if (!read_stretch(t, p + i, n, &text, block))
            return false;
        i += n;
    }
    block->text = buf_view(&text);
    return buf_ok(&text) || pdf_stop(t->pdf, PDF_NO_MEMORY);
}

/* --- tables ----------------------------------------------------------------------------------- */

static bool put(struct making *m, const struct pdf_block *block)
{
    struct pdf_view v = {.pdf = m->t->pdf, .arena = m->t->pdf->arena, .page = block->page};

    return pdf_add_block(&v, m->t->blocks, block);
}

/* The table so far, or its part on a page. */
static bool end_table(struct making *m)
{
    struct cells *c = &m->cells;
    struct pdf_row_cells *rows = (struct pdf_row_cells *)(void *)c->rows.ptr;
    struct pdf_table *table = arena_alloc(m->t->pdf->arena, sizeof *table);
    struct pdf_block block = {
        .kind = PDF_TABLE, .page = c->page, .table = table, .tagged = true, .size = m->t->body};

    if (c->number == 0 || c->rows.len == 0)
        return true;
    if (!table || !buf_ok(&c->rows))
        return pdf_stop(m->t->pdf, PDF_NO_MEMORY);
    *table = (struct pdf_table){rows, c->rows.len / sizeof *rows, c->columns, rows[0].box};
    for (size_t i = 1; i < table->count; i++)
        table->box = pdf_union(table->box, rows[i].box);
    block.box = table->box;
    c->number = 0;
    return put(m, &block);
}

static bool begin_row(struct making *m, const struct pdf_tag_block *tag,
                      const struct pdf_block *cell)
{
    struct cells *c = &m->cells;
    struct pdf_row_cells row = {.box = cell->box, .header = true};

    if (c->number != tag->table || c->page != cell->page) {
        bool goes_on = c->number == tag->table;

        if (!end_table(m))
            return false;
        if (!goes_on)
            memset(c->reach, 0, sizeof c->reach);
        buf_init(&c->rows, m->t->pdf->arena, 64 * MIB);
        c->number = tag->table;
        c->page = cell->page;
        c->columns = 0;
        c->row = 0;
    }
    if (c->row == tag->row)
        return true;
    for (size_t i = 0; i < COLUMNS_MAX && c->row; i++)
        c->reach[i] -= c->reach[i] > 0;
    row.cells = arena_array(m->t->pdf->arena, COLUMNS_MAX, sizeof *row.cells);
    if (!row.cells)
        return pdf_stop(m->t->pdf, PDF_NO_MEMORY);
    c->row = tag->row;
    c->at = 0;
    buf_put(&c->rows, &row, sizeof row);
    return buf_ok(&c->rows) || pdf_stop(m->t->pdf, PDF_NO_MEMORY);
}

static bool put_cell(struct making *m, const struct pdf_tag_block *tag,
                     const struct pdf_block *cell)
{
    struct cells *c = &m->cells;

    if (!begin_row(m, tag, cell))
        return false;
    struct pdf_row_cells *row =
        (struct pdf_row_cells *)(void *)(c->rows.ptr + c->rows.len - sizeof *row);
    while (c->at < COLUMNS_MAX && c->reach[c->at] > 0)
        c->at++;
    if (c->at >= COLUMNS_MAX) /* kept, and not to be told from its neighbour */
        c->at = COLUMNS_MAX - 1;
    row->cells[c->at] = cell->text;
    row->box = pdf_union(row->box, cell->box);
    row->header &= tag->header;
    for (uint32_t i = 0; i < tag->columns && c->at < COLUMNS_MAX; i++)
        c->reach[c->at++] = tag->rows;
    c->columns = MAX_OF(c->columns, c->at);
    return true;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool put_element(struct making *m, const struct piece *p, size_t count)
{
    const struct pdf_tagged *t = m->t;
    const struct pdf_tag_block *tag = &t->tags->blocks[p->mark->block];
    struct pdf_block block = {.kind = tag->kind,
                              .level = tag->level,
                              .page = p->mark->page,
                              .size = 0,
                              /* where nothing is tagged as a heading, looks decide */
                              .tagged = tag->kind != PDF_PARAGRAPH || t->tags->has_headings};

    if (!t->before(t->ctx, block.page) || !read_element(t, p, count, &block))
        return false;
    if (block.text.len == 0)
        return true;
    if (tag->kind == PDF_TABLE)
        return put_cell(m, tag, &block);
    return end_table(m) && put(m, &block);
}

bool pdf_tagged_blocks(const struct pdf_tagged *t, uint32_t *pages)
{
    struct making *m = arena_alloc(t->pdf->arena, sizeof *m);

    *pages = 0;
    if (!m)
        return pdf_stop(t->pdf, PDF_NO_MEMORY);
    m->t = t;
    if (!gather(m, pages))
        return false;
    for (size_t i = 0; i < m->count;) {
        size_t n = 1;

        while (i + n < m->count && m->list[i + n].mark->block == m->list[i].mark->block)
            n++;
        if (!put_element(m, m->list + i, n))
            return false;
        i += n;
    }
    return end_table(m);
}
