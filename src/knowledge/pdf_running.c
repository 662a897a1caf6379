#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "knowledge/pdf_layout.h"

/* Running headers, footers and page numbers: rows at a page's edge that stand at the same place on at
 * least three pages (or on both of two), when figures are not looked at. */

#define EDGE_ROWS 4
#define ZONE      0.12f /* of the page's height */

/* Letters only, lower case, a run of digits as one sign. */
static struct str plain(struct arena *arena, struct str text, bool *number)
{
    struct buf b;
    bool digits = false;

    *number = true;
    buf_init(&b, arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c >= '0' && c <= '9') {
            if (!digits)
                buf_char(&b, '#');
            digits = true;
            continue;
        }
        digits = false;
        if (c == ' ')
            continue;
        *number = *number && (c == '-' || c == '.' || c == '|' || c == '/');
        buf_char(&b, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    struct str s = buf_view(&b);

    *number = (*number && s.len && memchr(s.ptr, '#', s.len)) || str_eq(s, STR("page#")) ||
              str_eq(s, STR("page#of#")) || str_eq(s, STR("#of#"));
    return s;
}

struct row {
    size_t from, to; /* segments */
};

static size_t rows_of(const struct pdf_segment *s, size_t count, struct row *out, size_t max)
{
    size_t rows = 0;

    for (size_t i = 0; i < count && rows < max; rows++) {
        out[rows] = (struct row){i, i + 1};
        while (out[rows].to < count && s[out[rows].to].y == s[i].y)
            out[rows].to++;
        i = out[rows].to;
    }
    return rows;
}

static bool put_edge(struct pdf_view *v, struct arena *keep, const struct pdf_segment *s,
                     const struct row *row, struct pdf_edge *out)
{
    size_t words = 0;
    struct str key;

    *out = (struct pdf_edge){0}; /* tried before for a row that was not kept */

    for (size_t i = row->from; i < row->to; i++)
        words += s[i].count;
    out->words = arena_array(keep, words + 1, sizeof *out->words);
    if (!out->words)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    for (size_t i = row->from; i < row->to; i++) {
        memcpy(out->words + out->word_count, s[i].words, s[i].count * sizeof *out->words);
        out->word_count += s[i].count;
    }
    out->text = arena_str(keep, pdf_words_text(v, out->words, out->word_count));
    if (!out->text.ptr)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    key = plain(v->arena, out->text, &out->number);
    out->hash = siphash(key);
    out->y = s[row->from].y;
    return true;
}

/* A number that grows with the pages is the page's, wherever it stands: what it is ahead of them is the
 * same on all. */
static bool count_page(struct pdf_edge *edge, uint32_t page)
{
    uint64_t n;
    uint32_t ahead;

    if (edge->text.len > 5 || !u64_parse(edge->text, &n))
        return false;
    ahead = (uint32_t)n - page;
    edge->hash = siphash((struct str){(const char *)&ahead, sizeof ahead});
    edge->y = 0;
    return true;
}

bool pdf_edges(struct pdf_view *v, struct pdf_leaf *leaf)
{
    struct arena *keep = v->pdf->arena;
    struct pdf_word **words = arena_array(v->arena, leaf->words.count + 1, sizeof *words);
    struct pdf_segment *s;
    struct row *rows;
    size_t count, row_count;

    leaf->edges = arena_array(keep, 2 * EDGE_ROWS, sizeof *leaf->edges);
    if (!words || !leaf->edges)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < leaf->words.count; i++)
        words[i] = &leaf->words.list[i];
    if (!pdf_segments(v, words, leaf->words.count, 1.0f, &s, &count))
        return false;
    rows = arena_array(v->arena, count + 1, sizeof *rows);
    if (!rows)
        return pdf_stop(v->pdf, PDF_NO_MEMORY);
    row_count = rows_of(s, count, rows, count);
    for (size_t k = 0; k < 2 * EDGE_ROWS; k++) {
        bool top = k < EDGE_ROWS;
        size_t rank = k % EDGE_ROWS;
        struct pdf_edge *edge = &leaf->edges[leaf->edge_count];

        if (rank >= row_count)
            continue;
        const struct row *row = &rows[top ? rank : row_count - 1 - rank];

        bool inside =
            top ? s[row->from].y > ZONE * v->height : s[row->from].y < (1 - ZONE) * v->height;

        if (inside && rank > 0)
            continue;
        if (!put_edge(v, keep, s, row, edge))
            return false;
        if (!count_page(edge, leaf->page) && inside)
            continue;
        edge->top = top;
        edge->rank = (int)rank;
        leaf->edge_count++;
    }
    return true;
}

/* --- comparing -------------------------------------------------------------------------------- */

struct seen { /* one text at one place, and on how many pages */
    uint64_t hash;
    float y;
    uint32_t pages, last;
    bool top, used;
};

/* Open addressing over all edges; a place within a few points is the same. */
static struct seen *slot_of(struct seen *table, size_t size, const struct pdf_edge *e)
{
    size_t at = (size_t)(e->hash & (size - 1));

    while (table[at].used &&
           !(table[at].hash == e->hash && table[at].top == e->top && fabsf(table[at].y - e->y) < 6))
        at = (at + 1) & (size - 1);
    return &table[at];
}

static void mark_leaf(struct pdf_leaf *leaf, struct seen *table, size_t size, size_t pages)
{
    bool open[2] = {true, true}; /* everything further out runs, too */

    for (size_t i = 0; i < leaf->edge_count; i++) {
        struct pdf_edge *e = &leaf->edges[i];
        uint32_t on = slot_of(table, size, e)->pages;

        if (e->rank > 0 && !open[e->top])
            continue;
        e->running = on >= 3 || (pages == 2 && on == 2) || (pages == 1 && e->number && !e->rank);
        open[e->top] = e->running;
    }
}

bool pdf_drop_running(struct pdf *pdf, struct pdf_leaf *leaves, size_t count, struct str out[3])
{
    size_t size = 64, kept = 0;
    uint64_t said[3];
    struct seen *table;

    while (size < 4 * EDGE_ROWS * count)
        size *= 2;
    table = arena_array(pdf->arena, size, sizeof *table);
    if (!table)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < leaves[i].edge_count && pdf_spend(pdf, 4); k++) {
            const struct pdf_edge *e = &leaves[i].edges[k];
            struct seen *s = slot_of(table, size, e);

            if (!s->used)
                *s = (struct seen){.hash = e->hash, .y = e->y, .top = e->top, .used = true};
            s->pages += s->last != leaves[i].page;
            s->last = leaves[i].page;
        }
    for (size_t i = 0; i < count && pdf_spend(pdf, 4); i++) {
        mark_leaf(&leaves[i], table, size, count);
        for (size_t k = 0; k < leaves[i].edge_count; k++) {
            const struct pdf_edge *e = &leaves[i].edges[k];
            bool known = !e->running || e->number;

            for (size_t n = 0; n < kept; n++)
                known = known || said[n] == e->hash;
            if (!known && kept < 3) {
                said[kept] = e->hash;
                out[kept++] = e->text;
            }
            for (size_t w = 0; e->running && w < e->word_count; w++)
                e->words[w]->text.len = 0;
        }
    }
    return pdf->stopped == PDF_GOES_ON;
}
