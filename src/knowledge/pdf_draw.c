#include <math.h>

#include "knowledge/pdf_content.h"

/* A page drawn: its content streams as one, then the annotations that show text. */

/* User space to the page as it is shown: turned, from its upper left, y downwards. */
static struct matrix page_matrix(const struct pdf_page *p)
{
    const double *b = p->box;

    switch (p->rotate) {
    case 90: return (struct matrix){0, 1, 1, 0, -b[1], -b[0]};
    case 180: return (struct matrix){-1, 0, 0, 1, b[2], -b[1]};
    case 270: return (struct matrix){0, -1, -1, 0, b[3], b[2]};
    default: return (struct matrix){1, 0, 0, -1, -b[0], b[3]};
    }
}

/* The page's content streams are one, cut where the writer liked. */
static bool page_content(struct drawer *d, const struct pdf_object *contents, struct str *out)
{
    struct str one;
    struct buf all;

    *out = STR_NONE;
    if (contents->kind == PDF_STREAM)
        return pdf_unpack(d->pdf, d->sheet->arena, contents, out);
    buf_init(&all, d->sheet->arena, PDF_UNPACKED_MAX);
    for (uint32_t i = 0; contents->kind == PDF_ARRAY && i < contents->count; i++) {
        if (!pdf_unpack(d->pdf, d->sheet->arena, pdf_at(d->pdf, contents, i), &one)) {
            d->sheet->damaged = true;
            continue;
        }
        buf_str(&all, one);
        buf_char(&all, '\n');
    }
    if (!buf_ok(&all))
        return pdf_stop(d->pdf, PDF_NO_MEMORY);
    *out = buf_view(&all);
    return true;
}

/* Fields that were filled in and text boxes are drawn by their own streams, fitted into a rectangle. */
static void draw_annotation(struct drawer *d, const struct pdf_object *annotation)
{
    struct pdf *pdf = d->pdf;
    const struct pdf_object *look = pdf_get(pdf, pdf_get(pdf, annotation, "AP"), "N"), *state;
    double box[4], at[4], m[6] = {1, 0, 0, 1, 0, 0};
    bool kind = pdf_is_name(pdf_get(pdf, annotation, "Subtype"), "Widget") ||
                pdf_is_name(pdf_get(pdf, annotation, "Subtype"), "FreeText") ||
                pdf_is_name(pdf_get(pdf, annotation, "Subtype"), "Stamp");

    if (look->kind == PDF_DICT) {
        state = pdf_get(pdf, annotation, "AS");
        for (uint32_t i = 0; state->kind == PDF_NAME && i < look->count; i++)
            if (str_eq(look->entries[i].key, state->text)) {
                look = pdf_resolve(pdf, &look->entries[i].value);
                break;
            }
    }
    if (!kind || look->kind != PDF_STREAM || (pdf_integer(pdf_get(pdf, annotation, "F"), 0) & 2) ||
        !pdf_numbers(pdf, pdf_get(pdf, look, "BBox"), box, 4) ||
        !pdf_numbers(pdf, pdf_get(pdf, annotation, "Rect"), at, 4))
        return;
    pdf_numbers(pdf, pdf_get(pdf, look, "Matrix"), m, 6);
    double x0 = box[0] * m[0] + box[1] * m[2] + m[4], y0 = box[0] * m[1] + box[1] * m[3] + m[5];
    double x1 = box[2] * m[0] + box[3] * m[2] + m[4], y1 = box[2] * m[1] + box[3] * m[3] + m[5];
    double w = fabs(x1 - x0), h = fabs(y1 - y0);
    double sx = w > 0 ? fabs(at[2] - at[0]) / w : 1, sy = h > 0 ? fabs(at[3] - at[1]) / h : 1;

    draw_form(d, look,
              (struct matrix){sx, 0, 0, sy, fmin(at[0], at[2]) - fmin(x0, x1) * sx,
                              fmin(at[1], at[3]) - fmin(y0, y1) * sy});
}

static void sheet_init(struct pdf_sheet *s, const struct pdf_page *page, struct arena *arena)
{
    double w = page->box[2] - page->box[0], h = page->box[3] - page->box[1];
    bool turned = page->rotate == 90 || page->rotate == 270;

    *s = (struct pdf_sheet){
        .arena = arena, .page = *page, .width = turned ? h : w, .height = turned ? w : h};
    buf_init(&s->glyphs, arena, (size_t)PDF_GLYPHS_MAX * sizeof(struct pdf_glyph));
    buf_init(&s->rules, arena, (size_t)PDF_RULES_MAX * sizeof(struct pdf_box));
    buf_init(&s->text, arena, 64 * MIB);
}

bool pdf_draw(struct pdf_drawing *drawing, const struct pdf_page *page, struct arena *arena,
              struct pdf_sheet *out)
{
    struct pdf *pdf = drawing->pdf;
    struct arena *scratch CLEANUP(arena_end) = arena_new(PDF_STREAM_BYTES_MAX);
    struct drawer *d = arena_alloc(arena, sizeof *d);
    const struct pdf_object *notes;
    struct str content;

    if (!d || !scratch)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    sheet_init(out, page, arena);
    d->drawing = drawing;
    d->pdf = pdf;
    d->sheet = out;
    d->scratch = scratch;
    d->resources = page->resources;
    d->state.text.scale = 1;
    d->state.ctm = page_matrix(page);
    d->text = d->line = matrix_unit;
    if (page_content(d, pdf_get(pdf, page->dict, "Contents"), &content))
        draw_stream(d, content);
    else if (pdf_get(pdf, page->dict, "Contents")->kind != PDF_NULL)
        out->damaged = true;
    notes = pdf_get(pdf, page->dict, "Annots");
    for (uint32_t i = 0; notes->kind == PDF_ARRAY && i < notes->count; i++) {
        d->state = (struct state){.ctm = page_matrix(page), .text = {.scale = 1}};
        d->mark_count = d->state_count = 0;
        draw_annotation(d, pdf_at(pdf, notes, i));
    }
    if (!buf_ok(&out->glyphs) || !buf_ok(&out->text) || !buf_ok(&out->rules))
        return pdf_stop(pdf, PDF_NO_MEMORY);
    return pdf->stopped == PDF_GOES_ON;
}

void pdf_drawing_init(struct pdf_drawing *drawing, struct pdf *pdf)
{
    const struct pdf_object *root = pdf_get(pdf, &pdf->trailer, "Root");
    const struct pdf_object *usual = pdf_get(pdf, pdf_get(pdf, root, "OCProperties"), "D");

    *drawing = (struct pdf_drawing){.pdf = pdf,
                                    .layers_off = pdf_get(pdf, usual, "OFF"),
                                    .layers_on = pdf_get(pdf, usual, "ON"),
                                    .layers_base_off =
                                        pdf_is_name(pdf_get(pdf, usual, "BaseState"), "OFF")};
}
