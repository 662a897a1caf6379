#include "knowledge/rendition.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/document_internal.h"
#include "knowledge/passage.h"

#define LEVEL_MAX      64
#define NOTE_BYTES_MAX 240
static const char magic[] = "weir rendition 1\n";

/* --- writing ---------------------------------------------------------------------------------- */

void rendering_init(struct rendering *r, struct arena *arena)
{
    *r = (struct rendering){.arena = arena};
    buf_init(&r->text, arena, RENDITION_BYTES_MAX + 4);
    buf_init(&r->elements, arena, (size_t)RENDITION_ELEMENTS_MAX * sizeof(struct element));
}

static struct element *last_element(struct rendering *r)
{
    ASSERT(r->elements.len >= sizeof(struct element));
    return (struct element *)(void *)(r->elements.ptr + r->elements.len - sizeof(struct element));
}

/* Text of which nobody promised that it is UTF-8, without control characters. */
static void put_text(struct buf *to, struct str text, bool keep_lines)
{
    uint32_t rune;

    for (size_t at = 0, from = 0; utf8_next(text, &at, &rune); from = at)
        if (rune == 0xFFFD)
            buf_str(to, STR("\xEF\xBF\xBD"));
        else if ((rune < ' ' || rune == 0x7F) && !(rune == '\n' && keep_lines))
            buf_char(to, ' ');
        else
            buf_str(to, str_slice(text, from, at));
}

void rendering_title(struct rendering *r, struct str title)
{
    struct buf b;

    buf_init(&b, r->arena, 4 * KIB);
    put_text(&b, str_slice(title, 0, utf8_boundary(title, 1000)), false);
    if (!buf_ok(&b))
        r->failed = true;
    else
        r->title = str_trim(buf_view(&b));
}

void rendering_note(struct rendering *r, const char *fmt, ...)
{
    char text[NOTE_BYTES_MAX];
    struct buf b;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_init(&b, r->arena, 4 * NOTE_BYTES_MAX);
    struct str s = str_from(text);
    put_text(&b, str_slice(s, 0, utf8_boundary(s, s.len)), false);
    for (size_t i = 0; i < r->note_count; i++)
        if (str_eq(r->notes[i], buf_view(&b)))
            return;
    r->failed = r->failed || !buf_ok(&b);
    if (!r->failed && r->note_count < RENDITION_NOTES_MAX)
        r->notes[r->note_count++] = buf_view(&b);
    else if (!r->failed)
        r->notes[RENDITION_NOTES_MAX - 1] = STR("and more notes than are kept");
}

/* "offer.docx: page 3, Fees!A4": a page of a file inside is none of the file's own. */
static void set_place(struct rendering *r, struct element *e, const struct place *place)
{
    static const struct place none;
    const struct place *p = place ? place : &none;
    struct buf b;

    buf_init(&b, r->arena, 4 * KIB);
    buf_str(&b, r->within);
    if (r->within.len && (p->page || p->label.len))
        buf_str(&b, STR(": "));
    if (r->within.len && p->page)
        buf_fmt(&b, "page %u%s", p->page, p->label.len ? ", " : "");
    buf_str(&b, str_slice(p->label, 0, KIB));
    e->place = r->within.len ? none : *p;
    e->place.label = buf_view(&b);
    r->failed = r->failed || !buf_ok(&b);
}

void rendering_begin(struct rendering *r, enum element_kind kind, int level,
                     const struct place *place)
{
    struct element e = {.kind = kind, .level = MIN_OF(MAX_OF(level, 1), LEVEL_MAX)};

    if (r->failed || r->too_large)
        return;
    ASSERT(kind != ELEMENT_CELL || r->elements.len > 0);
    if (r->elements.len / sizeof e >= RENDITION_ELEMENTS_MAX) {
        r->too_large = true;
        return;
    }
    if (r->elements.len > 0)
        buf_char(&r->text, '\n');
    e.from = e.to = (uint32_t)r->text.len;
    if (kind != ELEMENT_CELL)
        set_place(r, &e, place);
    buf_put(&r->elements, &e, sizeof e);
    r->failed = r->failed || !buf_ok(&r->elements) || !buf_ok(&r->text);
}

void rendering_text(struct rendering *r, struct str text)
{
    struct element *e;

    if (r->failed || r->too_large || !text.len)
        return;
    e = last_element(r);
    ASSERT(e->kind != ELEMENT_ROW && e->kind != ELEMENT_HEADER); /* text stands in cells */
    /* A byte that is no character takes three. */
    if (text.len > (RENDITION_BYTES_MAX - r->text.len) / 3) {
        r->too_large = true;
        return;
    }
    put_text(&r->text, text, e->kind == ELEMENT_CODE);
    e->to = (uint32_t)r->text.len;
    r->failed = !buf_ok(&r->text);
}

bool rendering_end(struct rendering *r, struct rendition *out, struct err *err)
{
    if (r->too_large)
        return err_set(err, ERR_TOO_LARGE, "more than %zu MiB of text or %u pieces of it",
                       RENDITION_BYTES_MAX / MIB / 3, RENDITION_ELEMENTS_MAX);
    struct str *notes = arena_array(r->arena, r->note_count + 1, sizeof *notes);
    if (r->failed || !notes)
        return err_arena(err, r->arena);
    memcpy(notes, r->notes, r->note_count * sizeof *notes);
    *out = (struct rendition){.title = r->title,
                              .notes = notes,
                              .note_count = r->note_count,
                              .text = buf_view(&r->text),
                              .elements = (struct element *)(void *)r->elements.ptr,
                              .count = r->elements.len / sizeof(struct element)};
    return true;
}

/* --- through a pipe --------------------------------------------------------------------------- */

void rendition_write(struct buf *to, const struct rendition *rendition)
{
    uint32_t at = 0;

    buf_put(to, magic, sizeof magic - 1);
    record_put_str(to, rendition->title);
    record_put_number(to, rendition->note_count);
    for (size_t i = 0; i < rendition->note_count; i++)
        record_put_str(to, rendition->notes[i]);
    record_put_str(to, rendition->text);
    record_put_number(to, rendition->count);
    for (size_t i = 0; i < rendition->count; i++) {
        const struct element *e = &rendition->elements[i];

        record_put_number(to, (uint64_t)e->kind);
        record_put_number(to, (uint64_t)e->level);
        record_put_number(to, e->from - at);
        record_put_number(to, e->to - e->from);
        if (e->kind != ELEMENT_CELL)
            place_write(to, &e->place);
        at = e->to;
    }
}

static bool read_element(struct str *rest, struct str text, uint32_t reached, struct element *out)
{
    uint64_t kind, level, gap, len;

    if (!record_number(rest, &kind) || kind >= ELEMENT_KINDS || !record_number(rest, &level) ||
        level < 1 || level > LEVEL_MAX || !record_number(rest, &gap) || gap > text.len - reached ||
        !record_number(rest, &len) || len > text.len - reached - gap)
        return false;
    *out = (struct element){.kind = (enum element_kind)kind,
                            .level = (int)level,
                            .from = reached + (uint32_t)gap,
                            .to = reached + (uint32_t)(gap + len)};
    return utf8_boundary(text, out->from) == out->from && utf8_boundary(text, out->to) == out->to &&
           (kind == ELEMENT_CELL || place_read(rest, &out->place));
}

static bool is_one_line(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ')
            return false;
    return utf8_valid(s);
}

static bool read_notes(struct arena *arena, struct str *rest, struct rendition *r)
{
    uint64_t count;

    if (!record_number(rest, &count) || count > RENDITION_NOTES_MAX)
        return false;
    r->notes = arena_array(arena, count + 1, sizeof *r->notes);
    for (; r->notes && r->note_count < count; r->note_count++) {
        struct str *note = &r->notes[r->note_count];

        if (!record_str(rest, note) || note->len > 4 * NOTE_BYTES_MAX || !is_one_line(*note))
            return false;
    }
    return r->notes != NULL;
}

bool rendition_read(struct arena *arena, struct str bytes, struct rendition *out)
{
    struct rendition r = {0};
    struct str rest = bytes;
    uint32_t reached = 0;
    bool in_row = false;
    uint64_t count;

    if (!str_starts(rest, str_from(magic)))
        return false;
    rest = str_slice(rest, sizeof magic - 1, rest.len);
    if (!record_str(&rest, &r.title) || !read_notes(arena, &rest, &r) ||
        !record_str(&rest, &r.text) || r.text.len > RENDITION_BYTES_MAX || !utf8_valid(r.text) ||
        !utf8_valid(r.title) || memchr(r.text.ptr, 0, r.text.len) ||
        !record_number(&rest, &count) || count > RENDITION_ELEMENTS_MAX || count > rest.len)
        return false;
    r.elements = arena_array(arena, count + 1, sizeof *r.elements);
    if (!r.elements)
        return false;
    for (; r.count < count; r.count++) {
        struct element *e = &r.elements[r.count];

        if (!read_element(&rest, r.text, reached, e) || (e->kind == ELEMENT_CELL && !in_row))
            return false;
        in_row = e->kind == ELEMENT_CELL || e->kind == ELEMENT_ROW || e->kind == ELEMENT_HEADER;
        reached = e->to;
    }
    if (rest.len > 0)
        return false;
    *out = r;
    return true;
}

/* --- as blocks -------------------------------------------------------------------------------- */

static size_t put_row(struct writer *w, struct table_state *table, const struct rendition *r,
                      size_t at)
{
    const struct element *row = &r->elements[at++];

    row_begin(w, table, row->kind == ELEMENT_HEADER);
    w->block.place = row->place;
    for (; at < r->count && r->elements[at].kind == ELEMENT_CELL; at++) {
        const struct element *cell = &r->elements[at];

        cell_begin(w, table, cell->from);
        writer_text(w, cell->from, cell->to - cell->from);
        cell_end(w, table);
    }
    row_end(w, table);
    return at;
}

bool rendition_document(struct arena *arena, const struct rendition *rendition,
                        struct document *out, struct err *err)
{
    static const enum block_kind kinds[] = {[ELEMENT_HEADING] = BLOCK_HEADING,
                                            [ELEMENT_PARAGRAPH] = BLOCK_PARAGRAPH,
                                            [ELEMENT_ITEM] = BLOCK_ITEM,
                                            [ELEMENT_CODE] = BLOCK_CODE};
    struct table_state *table = arena_alloc(arena, sizeof *table);
    struct writer w;

    if (!table || !blocks_init(&w, arena, rendition->text, err))
        return err_arena(err, arena);
    for (size_t i = 0; i < rendition->count;) {
        const struct element *e = &rendition->elements[i];

        if (e->kind == ELEMENT_ROW || e->kind == ELEMENT_HEADER) {
            i = put_row(&w, table, rendition, i);
            continue;
        }
        table->header_count = 0; /* what stands between two tables ends the first */
        writer_begin(&w, kinds[e->kind], e->level);
        w.block.place = e->place;
        writer_text(&w, e->from, e->to - e->from);
        i++;
    }
    writer_end(&w);
    if (w.failed)
        return err_arena(err, arena);
    *out = (struct document){.title = rendition->title.len ? rendition->title : w.title,
                             .text = rendition->text,
                             .blocks = (struct block *)(void *)w.blocks.ptr,
                             .count = w.blocks.len / sizeof(struct block)};
    return true;
}
