#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_layout.h"
#include "knowledge/pdf_tags.h"
#include "knowledge/readers.h"

/* A PDF's bytes to a rendition: every page is drawn and its words kept; what repeats at the pages' edges
 * is taken out; each page is laid out; then headings are told from paragraphs over the whole file. */

#define PAGE_MEMORY ((size_t)256 * MIB) /* while a page is drawn */
#define HALF_POINTS 400                 /* sizes up to 200 points, in halves */

struct reading {
    struct pdf pdf;
    struct rendering *to;
    struct pdf_pages pages;
    struct pdf_drawing drawing;
    struct pdf_leaf *leaves; /* one a page and direction of text */
    size_t leaf_count, leaf_cap;
    uint8_t *turns; /* of the leaves */
    struct pdf_blocks blocks;
    uint32_t sizes[HALF_POINTS]; /* characters of each size */
    float body;
    struct buf no_text, unreadable; /* page numbers */
    uint64_t lost, chars;           /* characters without a meaning; all */
    bool cut, outside, damaged;
    size_t laid_out; /* leaves */
    struct pdf_tags tags;
    uint32_t tagged; /* leaves that were read by them */
};

/* --- pages ------------------------------------------------------------------------------------ */

static struct pdf_box turned(const struct pdf_sheet *s, enum pdf_turn turn, struct pdf_box b)
{
    float w = (float)s->width, h = (float)s->height;

    switch (turn) {
    case PDF_TURNED_90: return (struct pdf_box){b.y0, w - b.x1, b.y1, w - b.x0};
    case PDF_TURNED_180: return (struct pdf_box){w - b.x1, h - b.y1, w - b.x0, h - b.y0};
    case PDF_TURNED_270: return (struct pdf_box){h - b.y1, b.x0, h - b.y0, b.x1};
    case PDF_UPRIGHT:
    case PDF_SLANTED:
    case PDF_TURNS: break;
    }
    return b;
}

static struct pdf_leaf *add_leaf(struct reading *r, enum pdf_turn turn)
{
    struct arena *arena = r->pdf.arena;

    if (r->leaf_count == r->leaf_cap) {
        size_t cap = MAX_OF((size_t)16, 2 * r->leaf_cap);
        struct pdf_leaf *grown =
            arena_grow(arena, r->leaves, r->leaf_cap * sizeof *grown, cap * sizeof *grown);
        uint8_t *turns;

        if (!grown)
            return NULL;
        r->leaves = grown;
        turns = arena_grow(arena, r->turns, r->leaf_cap, cap);
        if (!turns)
            return NULL;
        r->turns = turns;
        r->leaf_cap = cap;
    }
    r->turns[r->leaf_count] = (uint8_t)turn;
    memset(&r->leaves[r->leaf_count], 0, sizeof *r->leaves);
    return &r->leaves[r->leaf_count++];
}

/* The words of one direction, with the page's lines turned like them. */
static bool keep_leaf(struct reading *r, const struct pdf_sheet *sheet, enum pdf_turn turn,
                      const struct pdf_words *words, size_t count)
{
    struct pdf_leaf *leaf = add_leaf(r, turn);
    const struct pdf_box *rules = (const struct pdf_box *)(const void *)sheet->rules.ptr;
    bool sideways = turn == PDF_TURNED_90 || turn == PDF_TURNED_270;
    struct pdf_view v;

    if (!leaf)
        return pdf_stop(&r->pdf, PDF_NO_MEMORY);
    leaf->page = sheet->page.number;
    leaf->width = (float)(sideways ? sheet->height : sheet->width);
    leaf->height = (float)(sideways ? sheet->width : sheet->height);
    leaf->rule_count = sheet->rules.len / sizeof *rules;
    leaf->rules = arena_array(r->pdf.arena, leaf->rule_count + 1, sizeof *leaf->rules);
    leaf->words.list = arena_array(r->pdf.arena, count + 1, sizeof *leaf->words.list);
    if (!leaf->rules || !leaf->words.list)
        return pdf_stop(&r->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < leaf->rule_count; i++)
        leaf->rules[i] = turned(sheet, turn, rules[i]);
    for (size_t i = 0; i < words->count; i++)
        if (words->list[i].turn == turn)
            leaf->words.list[leaf->words.count++] = words->list[i];
    v = (struct pdf_view){.pdf = &r->pdf,
                          .arena = sheet->arena,
                          .page = leaf->page,
                          .width = leaf->width,
                          .height = leaf->height};
    return pdf_edges(&v, leaf);
}

static void count_sizes(struct reading *r, const struct pdf_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        int half = (int)(2 * words->list[i].size + 0.5f);

        if (half > 0 && half < HALF_POINTS)
            r->sizes[half] += (uint32_t)utf8_count(words->list[i].text);
    }
}

/* "3", "7-9": pages come in order. */
static void note_page(struct buf *list, uint32_t page)
{
    if (list->len)
        buf_str(list, STR(", "));
    buf_u64(list, page);
}

static void judge(struct reading *r, const struct pdf_sheet *sheet)
{
    r->lost += sheet->unreadable;
    r->chars += sheet->chars;
    r->cut = r->cut || sheet->cut;
    r->outside = r->outside || sheet->outside;
    r->damaged = r->damaged || sheet->damaged;
    if (sheet->chars == 0 && sheet->image_area > 0.05)
        note_page(&r->no_text, sheet->page.number);
    else if (sheet->chars > 0 && 2 * sheet->unreadable > sheet->chars)
        note_page(&r->unreadable, sheet->page.number);
}

static bool read_page(struct reading *r, const struct pdf_page *page)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(PAGE_MEMORY);
    struct pdf_sheet sheet;
    struct pdf_words words;
    size_t counts[PDF_TURNS] = {0};

    if (!arena)
        return pdf_stop(&r->pdf, PDF_NO_MEMORY);
    if (!pdf_draw(&r->drawing, page, arena, &sheet))
        return false;
    judge(r, &sheet);
    if (!pdf_words(&sheet, r->pdf.arena, &r->pdf, &words))
        return false;
    count_sizes(r, &words);
    for (size_t i = 0; i < words.count; i++)
        counts[words.list[i].turn]++;
    for (int done = 0; done < PDF_TURNS; done++) { /* what most words follow comes first */
        int most = 0;

        for (int t = 1; t < PDF_TURNS; t++)
            most = counts[t] > counts[most] ? t : most;
        if (!counts[most])
            break;
        if (!keep_leaf(r, &sheet, (enum pdf_turn)most, &words, counts[most]))
            return false;
        counts[most] = 0;
    }
    return true;
}

static bool lay_out(struct reading *r, const struct pdf_leaf *leaf, enum pdf_turn turn)
{
    struct pdf_view v = {.pdf = &r->pdf,
                         .arena = r->pdf.arena,
                         .page = leaf->page,
                         .width = leaf->width,
                         .height = leaf->height,
                         .words = leaf->words,
                         .rules = leaf->rules,
                         .rule_count = leaf->rule_count,
                         .body = r->body};
    struct pdf_word **words = arena_array(v.arena, leaf->words.count + 1, sizeof *words);
    struct pdf_segment *text, *grids;
    size_t count = 0, text_count, first = r->blocks.count;
    /* Boxes go back to the page as it is seen. */
    struct pdf_sheet sheet = {.width = (double)leaf->width, .height = (double)leaf->height};

    if (!words)
        return pdf_stop(&r->pdf, PDF_NO_MEMORY);
    if (turn == PDF_TURNED_90 || turn == PDF_TURNED_270)
        sheet = (struct pdf_sheet){.width = (double)leaf->height, .height = (double)leaf->width};
    if (!pdf_grids(&v))
        return false;
    for (size_t i = 0; i < leaf->words.count; i++)
        if (leaf->words.list[i].text.len)
            words[count++] = &leaf->words.list[i];
    if (!pdf_segments(&v, words, count, 0.85f, &text, &text_count))
        return false;
    grids = v.segments;
    v.segments = arena_array(v.arena, text_count + v.segment_count + 1, sizeof *v.segments);
    if (!v.segments)
        return pdf_stop(&r->pdf, PDF_NO_MEMORY);
    if (v.segment_count)
        memcpy(v.segments, grids, v.segment_count * sizeof *grids);
    if (text_count)
        memcpy(v.segments + v.segment_count, text, text_count * sizeof *text);
    v.segment_count += text_count;
    if (!pdf_page_blocks(&v, &r->blocks))
        return false;
    for (size_t i = first; i < r->blocks.count; i++) {
        struct pdf_block *b = &r->blocks.list[i];

        b->box = pdf_unturn(&sheet, turn, b->box);
        for (size_t k = 0; b->table && k < b->table->count; k++)
            b->table->rows[k].box = pdf_unturn(&sheet, turn, b->table->rows[k].box);
    }
    return true;
}

static bool lay_out_before(void *ctx, uint32_t page)
{
    struct reading *r = ctx;

    for (; r->laid_out < r->leaf_count && r->leaves[r->laid_out].page < page; r->laid_out++)
        if (!lay_out(r, &r->leaves[r->laid_out], (enum pdf_turn)r->turns[r->laid_out]))
            return false;
    return true;
}

/* Pages whose tags can be trusted are read by them; what they do not name stands behind. */
static bool read_tagged(struct reading *r)
{
    struct pdf_tagged t = {.pdf = &r->pdf,
                           .tags = &r->tags,
                           .leaves = r->leaves,
                           .turns = r->turns,
                           .leaf_count = r->leaf_count,
                           .body = r->body,
                           .blocks = &r->blocks,
                           .before = lay_out_before,
                           .ctx = r};

    return pdf_tags_read(&r->pdf, &r->pages, &r->tags) &&
           (r->tags.mark_count == 0 || pdf_tagged_blocks(&t, &r->tagged));
}

/* --- out -------------------------------------------------------------------------------------- */

static uint32_t tenths(float points)
{
    return points > 0 ? (uint32_t)fminf(points * 10 + 0.5f, 1e8f) : 0;
}

static struct place place_of(uint32_t page, struct pdf_box b)
{
    struct place p = {.page = page,
                      .left = tenths(b.x0),
                      .top = tenths(b.y0),
                      .right = tenths(b.x1),
                      .bottom = tenths(b.y1)};

    /* A box of nothing would read as "unknown". */
    p.right = MAX_OF(p.right, p.left + 1);
    p.bottom = MAX_OF(p.bottom, p.top + 1);
    return p;
}

static void put_row(struct rendering *to, const struct pdf_block *b,
                    const struct pdf_row_cells *row, bool header)
{
    struct place place = place_of(b->page, row->box);

    rendering_begin(to, header ? ELEMENT_HEADER : ELEMENT_ROW, 1, &place);
    for (size_t c = 0; c < b->table->columns; c++) {
        rendering_begin(to, ELEMENT_CELL, 1, NULL);
        rendering_text(to, row->cells[c]);
    }
}

/* A table behind another has no claim on its header, unless it is its rest on the next page. */
static void put_table(struct rendering *to, const struct pdf_block *b,
                      const struct pdf_block *before)
{
    const struct pdf_table *t = b->table;
    bool follows = before && before->kind == PDF_TABLE;
    bool rest = follows && before->page + 1 == b->page && before->table->columns == t->columns;

    if (follows && !rest && !t->rows[0].header) {
        struct place place = place_of(b->page, t->rows[0].box);

        rendering_begin(to, ELEMENT_HEADER, 1, &place);
        for (size_t c = 0; c < t->columns; c++)
            rendering_begin(to, ELEMENT_CELL, 1, NULL);
    }
    for (size_t i = 0; i < t->count; i++)
        put_row(to, b, &t->rows[i], t->rows[i].header);
}

static void put_blocks(struct reading *r)
{
    static const enum element_kind kinds[] = {[PDF_PARAGRAPH] = ELEMENT_PARAGRAPH,
                                              [PDF_ITEM] = ELEMENT_ITEM,
                                              [PDF_HEADING] = ELEMENT_HEADING,
                                              [PDF_CODE] = ELEMENT_CODE};
    const struct pdf_block *before = NULL;

    for (size_t i = 0; i < r->blocks.count; i++) {
        const struct pdf_block *b = &r->blocks.list[i];
        struct place place = place_of(b->page, b->box);

        if (b->kind == PDF_TABLE) {
            put_table(r->to, b, before);
        } else {
            rendering_begin(r->to, kinds[b->kind], b->level, &place);
            rendering_text(r->to, b->text);
        }
        before = b;
    }
}

/* --- what was not read ------------------------------------------------------------------------ */

static void note_pages(struct reading *r, const struct buf *list, const char *what)
{
    struct str s = buf_view(list);

    if (s.len)
        rendering_note(r->to, "%s " STR_FMT "%s %s", memchr(s.ptr, ',', s.len) ? "pages" : "page",
                       STR_ARG(str_slice(s, 0, MIN_OF(s.len, (size_t)90))),
                       s.len > 90 ? " ..." : "", what);
}

static void note_running(struct reading *r, const struct str texts[3])
{
    for (int i = 0; i < 3; i++)
        if (texts[i].len)
            rendering_note(
                r->to, "left out as running header or footer: \"" STR_FMT "\"",
                STR_ARG(str_slice(texts[i], 0,
                                  utf8_boundary(texts[i], MIN_OF(texts[i].len, (size_t)120)))));
}

static void put_notes(struct reading *r)
{
    note_pages(r, &r->no_text, "without text, only pictures of it: OCR is not done");
    note_pages(r, &r->unreadable, "mostly unreadable: fonts do not say what their characters mean");
    if (r->lost)
        rendering_note(r->to,
                       "%" PRIu64 " of %" PRIu64
                       " characters have no meaning in their fonts and read as U+FFFD",
                       r->lost, r->chars);
    if (r->tagged)
        rendering_note(
            r->to, "headings, order, lists and tables of %u of %u pages are as the file is tagged",
            r->tagged, r->pages.count);
    if (r->tags.mark_count && r->tagged < r->leaf_count)
        rendering_note(r->to,
                       "tags that do not cover their page were not used: it was read by its looks");
    if (r->tags.cut)
        rendering_note(
            r->to, "more than %u tags, or more than %u within each other: the rest was not used",
            PDF_TAGS_MAX, PDF_TAGS_DEEP);
    if (r->pdf.damaged)
        rendering_note(r->to,
                       "damaged: its objects were searched for, the newest of each was taken");
    if (r->damaged || r->pdf.streams_damaged)
        rendering_note(r->to,
                       "damaged: some of its content could not be unpacked, the rest was read");
    if (r->cut)
        rendering_note(r->to,
                       "a page has more than %u characters or %u lines: the rest was left out",
                       PDF_GLYPHS_MAX, PDF_RULES_MAX);
    if (r->outside)
        rendering_note(r->to, "text beyond the edges of its page was left out");
    if (r->pages.more)
        rendering_note(r->to, "more than %u pages: the rest was left out", PDF_PAGES_MAX);
}

/* --- the whole -------------------------------------------------------------------------------- */

static float body_size(const struct reading *r)
{
    int best = 0;

    for (int i = 1; i < HALF_POINTS; i++)
        best = r->sizes[i] > r->sizes[best] ? i : best;
    return best ? (float)best / 2 : 10;
}

static bool read_all(struct reading *r, struct err *err)
{
    struct str running[3] = {{0}};

    pdf_pages(&r->pdf, &r->pages);
    pdf_drawing_init(&r->drawing, &r->pdf);
    for (uint32_t i = 0; i < r->pages.count; i++)
        if (!read_page(r, &r->pages.list[i]))
            return pdf_end(&r->pdf, err);
    r->body = body_size(r);
    if (r->pages.count == 0)
        return err_set(err, ERR_INVALID, "PDF has no pages");
    if (!pdf_drop_running(&r->pdf, r->leaves, r->leaf_count, running))
        return pdf_end(&r->pdf, err);
    if (!read_tagged(r) || !lay_out_before(r, UINT32_MAX))
        return pdf_end(&r->pdf, err);
    r->body = pdf_body_size(&r->blocks, r->body);
    if (!pdf_headings(&r->pdf, &r->blocks, r->body) ||
        !pdf_join_blocks(&r->pdf, &r->blocks, r->body))
        return pdf_end(&r->pdf, err);
    note_running(r, running);
    return pdf_end(&r->pdf, err);
}

bool read_pdf(struct str bytes, struct rendering *to, struct err *err)
{
    struct reading *r = arena_alloc(to->arena, sizeof *r);
    bool ok;

    if (!r)
        return err_arena(err, to->arena);
    r->to = to;
    buf_init(&r->no_text, to->arena, MIB);
    buf_init(&r->unreadable, to->arena, MIB);
    ok = pdf_open(&r->pdf, to->arena, bytes, err) && read_all(r, err);
    if (!ok)
        return false;
    if (r->blocks.count == 0)
        return err_set(err, ERR_INVALID,
                       r->no_text.len
                           ? "PDF has no text: its %u pages are pictures, and OCR is not done"
                           : "PDF has no text on its %u pages",
                       r->pages.count);
    rendering_title(to, pdf_title(&r->pdf, &r->blocks));
    put_blocks(r);
    put_notes(r);
    return true;
}
