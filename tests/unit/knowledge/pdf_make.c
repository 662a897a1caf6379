#include "pdf_make.h"

#include <stdarg.h>
#include <stdio.h>

#include "knowledge/readers.h"
#include "test.h"

void maker_init(struct pdf_maker *m, struct arena *arena)
{
    *m = (struct pdf_maker){.arena = arena};
    buf_init(&m->out, arena, 16 * MIB);
    buf_str(&m->out, STR("%PDF-1.7\n"));
}

static int begin(struct pdf_maker *m)
{
    ASSERT(m->count < MADE_OBJECTS_MAX);
    m->places[m->count++] = m->out.len;
    buf_fmt(&m->out, "%d 0 obj\n", m->count);
    return m->count;
}

int maker_object(struct pdf_maker *m, const char *fmt, ...)
{
    int number = begin(m);
    char body[8192];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(body, sizeof body, fmt, args);
    va_end(args);
    ASSERT(len >= 0 && (size_t)len < sizeof body);
    buf_fmt(&m->out, "%s\nendobj\n", body);
    return number;
}

int maker_stream(struct pdf_maker *m, const char *keys, struct str bytes)
{
    int number = begin(m);

    buf_fmt(&m->out, "<< /Length %zu %s >>\nstream\n", bytes.len, keys);
    buf_str(&m->out, bytes);
    buf_str(&m->out, STR("\nendstream\nendobj\n"));
    return number;
}

struct str maker_finish(struct pdf_maker *m, int root, const char *trailer_keys)
{
    size_t at = m->out.len;

    buf_fmt(&m->out, "xref\n0 %d\n0000000000 65535 f \n", m->count + 1);
    for (int i = 0; i < m->count; i++)
        buf_fmt(&m->out, "%010zu 00000 n \n", m->places[i]);
    buf_fmt(&m->out, "trailer\n<< /Size %d /Root %d 0 R %s >>\nstartxref\n%zu\n%%%%EOF\n",
            m->count + 1, root, trailer_keys, at);
    ASSERT(buf_ok(&m->out));
    return buf_view(&m->out);
}

struct str made_pages(struct arena *arena, const char *const *contents, int count, const char *font)
{
    struct pdf_maker *m = arena_alloc(arena, sizeof *m);
    struct buf kids;

    ASSERT(m);
    maker_init(m, arena);
    buf_init(&kids, arena, 4 * KIB);
    maker_object(m, "<< /Type /Catalog /Pages 2 0 R >>");
    for (int i = 0; i < count; i++)
        buf_fmt(&kids, "%d 0 R ", 7 + 2 * i);
    maker_object(
        m,
        "<< /Type /Pages /Count %d /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R "
        "/F2 4 0 R /F3 5 0 R /F4 6 0 R >> >> /Kids [%.*s] >>",
        count, (int)kids.len, kids.ptr);
    maker_object(
        m, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    maker_object(
        m,
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>");
    maker_object(m,
                 "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>");
    maker_object(m, "%s", font ? font : "null");
    for (int i = 0; i < count; i++) {
        maker_object(m, "<< /Type /Page /Parent 2 0 R /Contents %d 0 R >>", 8 + 2 * i);
        maker_stream(m, "", str_from(contents[i]));
    }
    return maker_finish(m, 1, "");
}

struct str made_page(struct arena *arena, const char *content)
{
    return made_pages(arena, &content, 1, NULL);
}

static void put_lines(struct buf *out, const struct rendition *r, bool places)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct element *e = &r->elements[i];
        struct str text = str_slice(r->text, e->from, e->to);

        if (e->kind == ELEMENT_CELL) {
            buf_str(out, i > 0 && r->elements[i - 1].kind == ELEMENT_CELL ? STR("|") : STR(" "));
            buf_str(out, text);
            continue;
        }
        if (out->len)
            buf_char(out, '\n');
        if (places)
            buf_fmt(out, "%u: %u %u %u %u ", e->place.page, e->place.left / 10, e->place.top / 10,
                    e->place.right / 10, e->place.bottom / 10);
        if (e->kind == ELEMENT_HEADING)
            buf_fmt(out, "#%d ", e->level);
        else if (e->kind == ELEMENT_ITEM)
            buf_fmt(out, "-%d ", e->level);
        else
            buf_str(out, e->kind == ELEMENT_CODE     ? STR("CODE ")
                         : e->kind == ELEMENT_HEADER ? STR("TH")
                         : e->kind == ELEMENT_ROW    ? STR("TR")
                                                     : STR("P "));
        buf_str(out, text);
    }
}

static struct str lines(struct arena *arena, struct str pdf, bool places)
{
    struct rendering r;
    struct rendition made;
    struct err err = {0};
    struct buf out;

    buf_init(&out, arena, 4 * MIB);
    rendering_init(&r, arena);
    if (!read_pdf(pdf, &r, &err) || !rendering_end(&r, &made, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        buf_fmt(&out, "! %s", err.text);
        return buf_view(&out);
    }
    put_lines(&out, &made, places);
    for (size_t i = 0; i < made.note_count; i++)
        buf_fmt(&out, "\n* " STR_FMT, STR_ARG(made.notes[i]));
    return buf_view(&out);
}

struct str read_lines(struct arena *arena, struct str pdf)
{
    return lines(arena, pdf, false);
}

struct str read_places(struct arena *arena, struct str pdf)
{
    return lines(arena, pdf, true);
}
