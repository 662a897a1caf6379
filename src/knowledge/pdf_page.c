#include "knowledge/pdf_page.h"

#include <math.h>

struct inherited {
    const struct pdf_object *resources, *media, *crop, *rotate;
};

struct walker {
    struct pdf *pdf;
    struct pdf_pages *out;
    uint32_t cap;
};

static const struct pdf_object *or_inherit(const struct pdf_object *own,
                                           const struct pdf_object *above)
{
    return own->kind == PDF_NULL ? above : own;
}

static void sort_box(double b[4])
{
    double low[2] = {fmin(b[0], b[2]), fmin(b[1], b[3])};

    b[2] = fmax(b[0], b[2]);
    b[3] = fmax(b[1], b[3]);
    b[0] = low[0];
    b[1] = low[1];
}

/* The crop box inside the media box; American letter when neither makes sense. */
static void page_box(struct pdf *pdf, const struct inherited *in, double out[4])
{
    double media[4] = {0, 0, 612, 792}, crop[4];

    if (pdf_numbers(pdf, in->media, media, 4))
        sort_box(media);
    if (!(media[2] - media[0] >= 1 && media[3] - media[1] >= 1 && media[2] - media[0] < 1e5 &&
          media[3] - media[1] < 1e5)) {
        media[0] = media[1] = 0;
        media[2] = 612;
        media[3] = 792;
    }
    if (pdf_numbers(pdf, in->crop, crop, 4)) {
        sort_box(crop);
        for (int i = 0; i < 2; i++) {
            crop[i] = fmax(crop[i], media[i]);
            crop[i + 2] = fmin(crop[i + 2], media[i + 2]);
        }
        if (crop[2] - crop[0] >= 1 && crop[3] - crop[1] >= 1)
            for (int i = 0; i < 4; i++)
                media[i] = crop[i];
    }
    for (int i = 0; i < 4; i++)
        out[i] = media[i];
}

static void add_page(struct walker *w, const struct pdf_object *dict, const struct inherited *in)
{
    struct pdf_pages *pages = w->out;
    struct pdf_page *p;

    if (pages->count >= PDF_PAGES_MAX) {
        pages->more = true;
        return;
    }
    if (pages->count == w->cap) {
        uint32_t cap = MAX_OF(64u, 2 * w->cap);
        struct pdf_page *grown =
            arena_grow(w->pdf->arena, pages->list, w->cap * sizeof *grown, cap * sizeof *grown);

        if (!grown) {
            pdf_stop(w->pdf, PDF_NO_MEMORY);
            return;
        }
        pages->list = grown;
        w->cap = cap;
    }
    p = &pages->list[pages->count++];
    *p = (struct pdf_page){.dict = dict,
                           .resources = in->resources,
                           .number = pages->count,
                           .rotate = (int)(pdf_integer(in->rotate, 0) % 360)};
    p->rotate = (p->rotate + 360) % 360 / 90 * 90;
    page_box(w->pdf, in, p->box);
}

static void walk(struct walker *w, const struct pdf_object *node, struct inherited in,
                 unsigned depth)
{
    struct pdf *pdf = w->pdf;
    const struct pdf_object *kids = pdf_get(pdf, node, "Kids");

    if (!pdf_is_dict(node) || depth > PDF_DEPTH_MAX || w->out->more || !pdf_spend(pdf, 1))
        return;
    in.resources = or_inherit(pdf_get(pdf, node, "Resources"), in.resources);
    in.media = or_inherit(pdf_get(pdf, node, "MediaBox"), in.media);
    in.crop = or_inherit(pdf_get(pdf, node, "CropBox"), in.crop);
    in.rotate = or_inherit(pdf_get(pdf, node, "Rotate"), in.rotate);
    if (kids->kind != PDF_ARRAY || pdf_is_name(pdf_get(pdf, node, "Type"), "Page")) {
        add_page(w, node, &in);
        return;
    }
    for (uint32_t i = 0; i < kids->count && !pdf->stopped; i++)
        walk(w, pdf_at(pdf, kids, i), in, depth + 1);
}

void pdf_pages(struct pdf *pdf, struct pdf_pages *out)
{
    struct walker w = {.pdf = pdf, .out = out};
    struct inherited in = {&pdf_nothing, &pdf_nothing, &pdf_nothing, &pdf_nothing};

    *out = (struct pdf_pages){0};
    walk(&w, pdf_get(pdf, pdf_get(pdf, &pdf->trailer, "Root"), "Pages"), in, 0);
}

uint32_t pdf_page_number(const struct pdf_pages *pages, const struct pdf_object *dict)
{
    for (uint32_t i = 0; i < pages->count; i++)
        if (pages->list[i].dict == dict)
            return pages->list[i].number;
    return 0;
}

struct pdf_box pdf_unturn(const struct pdf_sheet *s, enum pdf_turn turn, struct pdf_box b)
{
    float w = (float)s->width, h = (float)s->height;

    switch (turn) {
    case PDF_TURNED_90: return (struct pdf_box){w - b.y1, b.x0, w - b.y0, b.x1};
    case PDF_TURNED_180: return (struct pdf_box){w - b.x1, h - b.y1, w - b.x0, h - b.y0};
    case PDF_TURNED_270: return (struct pdf_box){b.y0, h - b.x1, b.y1, h - b.x0};
    case PDF_UPRIGHT:
    case PDF_SLANTED:
    case PDF_TURNS: break;
    }
    return b;
}
