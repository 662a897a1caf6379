#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_layout.h"

#define LEVELS       6
#define OUTLINES_MAX 20000u
#define SIZES_MAX    64

/* --- the outline ------------------------------------------------------------------------------ */

struct bookmark {
    struct str title; /* letters and digits only */
    int level;
};
struct outline {
    struct pdf *pdf;
    struct bookmark *list;
    size_t count;
};

/* Letters and digits of all scripts, ASCII in lower case: what stays the same in outline and text. */
static struct str squeeze(struct pdf *pdf, struct str s)
{
    struct buf b;

    buf_init(&b, pdf->arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c >= 'A' && c <= 'Z')
            buf_char(&b, (char)(c + 32));
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (uint8_t)c >= 0x80)
            buf_char(&b, c);
    }
    if (!buf_ok(&b))
        pdf_stop(pdf, PDF_NO_MEMORY);
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

static void read_outline(struct outline *o, const struct pdf_object *item, int level)
{
    for (; pdf_is_dict(item) && level <= 12 && o->count < OUTLINES_MAX && pdf_spend(o->pdf, 4);
         item = pdf_get(o->pdf, item, "Next")) {
        struct str title = pdf_text(o->pdf, pdf_get(o->pdf, item, "Title"));

        o->list[o->count++] = (struct bookmark){squeeze(o->pdf, title), level};
        read_outline(o, pdf_get(o->pdf, item, "First"), level + 1);
    }
}

static int by_title(const void *a, const void *b)
{
    const struct bookmark *x = a, *y = b;

    return str_cmp(x->title, y->title);
}

static bool open_outline(struct pdf *pdf, struct outline *o)
{
    const struct pdf_object *root = pdf_get(pdf, &pdf->trailer, "Root");
    const struct pdf_object *first = pdf_get(pdf, pdf_get(pdf, root, "Outlines"), "First");

    *o = (struct outline){.pdf = pdf};
    if (!pdf_is_dict(first))
        return true;
    o->list = arena_array(pdf->arena, OUTLINES_MAX, sizeof *o->list);
    if (!o->list)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    read_outline(o, first, 1);
    qsort(o->list, o->count, sizeof *o->list, by_title);
    return true;
}

static int outline_level(const struct outline *o, struct str text)
{
    struct bookmark wanted = {.title = o->count ? squeeze(o->pdf, text) : STR_NONE}, *found;

    if (wanted.title.len < 2)
        return 0;
    found = bsearch(&wanted, o->list, o->count, sizeof wanted, by_title);
    return found ? found->level : 0;
}

/* --- by looks --------------------------------------------------------------------------------- */

static size_t letters_of(struct str s)
{
    size_t letters = 0;
    uint32_t rune;

    for (size_t at = 0; utf8_next(s, &at, &rune);)
        letters += (rune >= 'A' && rune <= 'Z') || (rune >= 'a' && rune <= 'z') || rune >= 0xC0;
    return letters;
}

/* "2.1.3 Title": how deep its number goes; 0: none. */
static int number_depth(struct str s)
{
    int depth = 0;
    size_t i = 0;

    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9') {
        size_t from = i;

        while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
            i++;
        if (i - from > 2)
            return 0;
        depth++;
        if (i >= s.len || s.ptr[i] != '.')
            break;
        i++;
    }
    return depth > 0 && i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t') ? depth : 0;
}

static bool looks_like_heading(const struct pdf_block *b, const struct pdf_block *next, float body)
{
    bool item = b->kind == PDF_ITEM && b->bold && number_depth(b->text);

    if ((b->kind != PDF_PARAGRAPH && !item) || b->tagged || b->lines > 4 || b->text.len > 240 ||
        letters_of(b->text) < 2)
        return false;
    if (b->size >= 1.13f * body)
        return b->lines <= 3 || b->size >= 1.4f * body;
    /* A line in italics above a paragraph that is not. */
    if (b->italic && b->lines == 1 && b->text.len <= 80 && b->size >= 0.94f * body && next &&
        next->kind == PDF_PARAGRAPH && !next->italic && next->page == b->page && next->lines > 1 &&
        !pdf_ends_sentence(b->text) && !(b->text.ptr[0] >= 'a' && b->text.ptr[0] <= 'z'))
        return true;
    return b->bold && b->size >= 0.94f * body && b->lines <= 2 && b->text.len <= 160 &&
           !str_ends(b->text, STR(",")) && !str_ends(b->text, STR(";")) &&
           !(str_ends(b->text, STR(".")) && b->text.len > 60);
}

struct sizes {
    float list[SIZES_MAX]; /* falling */
    size_t count;
};

static void add_size(struct sizes *s, float size)
{
    size_t at = 0;

    while (at < s->count && s->list[at] > size + 0.6f)
        at++;
    if ((at < s->count && fabsf(s->list[at] - size) <= 0.6f) || s->count == SIZES_MAX)
        return;
    memmove(s->list + at + 1, s->list + at, (s->count - at) * sizeof *s->list);
    s->list[at] = size;
    s->count++;
}

static int size_level(const struct sizes *s, float size)
{
    size_t at = 0;

    while (at + 1 < s->count && s->list[at] > size + 0.6f)
        at++;
    return (int)at + 1;
}

static float bold_share(const struct pdf_blocks *blocks)
{
    size_t bold = 0, all = 1;

    for (size_t i = 0; i < blocks->count; i++)
        if (blocks->list[i].kind != PDF_TABLE) {
            all += blocks->list[i].text.len;
            bold += blocks->list[i].bold ? blocks->list[i].text.len : 0;
        }
    return (float)bold / (float)all;
}

float pdf_body_size(const struct pdf_blocks *blocks, float otherwise)
{
    size_t weights[400] = {0}, best = 0, all = 0; /* by half points */

    for (size_t i = 0; i < blocks->count; i++) {
        const struct pdf_block *b = &blocks->list[i];
        size_t half = (size_t)(2 * b->size + 0.5f);

        if (b->kind > PDF_ITEM || b->lines < 2 || half >= ARRAY_LEN(weights))
            continue;
        weights[half] += b->text.len;
        all += b->text.len;
        best = weights[half] > weights[best] ? half : best;
    }
    return all >= 200 ? (float)best / 2 : otherwise;
}

bool pdf_headings(struct pdf *pdf, struct pdf_blocks *blocks, float body)
{
    bool bold_means = bold_share(blocks) < 0.5f;
    struct sizes sizes = {0};
    struct outline outline;

    if (!open_outline(pdf, &outline))
        return false;
    for (size_t i = 0; i < blocks->count && pdf_spend(pdf, 8); i++) {
        struct pdf_block *b = &blocks->list[i];
        int level =
            b->kind == PDF_PARAGRAPH || b->kind == PDF_ITEM ? outline_level(&outline, b->text) : 0;

        if (level && b->text.len <= 240 && !b->tagged) {
            b->kind = PDF_HEADING;
            b->level = MIN_OF(level, LEVELS);
            b->tagged = true;
        } else if (looks_like_heading(b, i + 1 < blocks->count ? b + 1 : NULL, body) &&
                   (bold_means || !b->bold || b->size >= 1.13f * body)) {
            b->kind = PDF_HEADING;
            b->level = 0;
            add_size(&sizes, b->size);
        }
    }
    for (size_t i = 0; i < blocks->count; i++) {
        struct pdf_block *b = &blocks->list[i];
        int depth = b->kind == PDF_HEADING ? number_depth(b->text) : 0;

        if (b->kind == PDF_HEADING && !b->level)
            b->level = MIN_OF(depth > 1 ? MAX_OF(depth, size_level(&sizes, b->size))
                                        : size_level(&sizes, b->size),
                              LEVELS);
    }
    return pdf->stopped == PDF_GOES_ON;
}

/* --- the title -------------------------------------------------------------------------------- */

/* What programs write when nobody gave a title. */
static bool is_no_title(struct str s)
{
    static const char *const none[] = {"untitled", "powerpoint presentation", "document", "slide 1",
                                       "title",    "microsoft word"};
    static const char *const endings[] = {".doc", ".docx", ".pdf", ".qxd", ".indd", ".xls", ".xlsx",
                                          ".ppt", ".pptx", ".tex", ".dvi", ".htm",  ".html"};

    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        if (str_eq_nocase(s, str_from(none[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct str ending = str_from(endings[i]);

        if (s.len > ending.len && str_eq_nocase(str_slice(s, s.len - ending.len, s.len), ending))
            return true;
    }
    return letters_of(s) < 3 || 4 * letters_of(s) < utf8_count(s);
}

static struct str xmp_title(struct pdf *pdf)
{
    const struct pdf_object *root = pdf_get(pdf, &pdf->trailer, "Root");
    struct str xml, inner;
    size_t at;

    if (!pdf_unpack(pdf, pdf->arena, pdf_get(pdf, root, "Metadata"), &xml))
        return STR_NONE;
    at = str_find(xml, STR("<dc:title"));
    inner = str_slice(xml, at, xml.len);
    inner = str_slice(inner, 0, str_find(inner, STR("</dc:title>")));
    at = str_find(inner, STR("<rdf:li"));
    inner = str_slice(inner, at, inner.len);
    inner = str_slice(inner, str_find_char(inner, '>') + 1, str_find(inner, STR("</rdf:li>")));
    return memchr(inner.ptr ? inner.ptr : "", '<', inner.len) ? STR_NONE : str_trim(inner);
}

struct str pdf_title(struct pdf *pdf, const struct pdf_blocks *blocks)
{
    const struct pdf_object *info = pdf_get(pdf, &pdf->trailer, "Info");
    struct str title = str_trim(pdf_text(pdf, pdf_get(pdf, info, "Title"))), best = STR_NONE;
    float size = 0;

    if (str_starts(title, STR("Microsoft Word - ")) ||
        str_starts(title, STR("Microsoft PowerPoint - ")))
        title = STR_NONE;
    if (title.len && utf8_valid(title) && !is_no_title(title))
        return title;
    title = xmp_title(pdf);
    if (title.len && utf8_valid(title) && !is_no_title(title))
        return title;
    for (size_t i = 0; i < blocks->count && blocks->list[i].page <= blocks->list[0].page + 1; i++) {
        const struct pdf_block *b = &blocks->list[i];

        if (b->kind == PDF_HEADING && letters_of(b->text) >= 3 &&
            (b->size > size + 0.5f && (!best.len || b->page == blocks->list[0].page))) {
            size = b->size;
            best = b->text;
        }
    }
    return best;
}

/* --- paragraphs that go on -------------------------------------------------------------------- */

static bool goes_on(const struct pdf_block *a, const struct pdf_block *b, float body)
{
    uint32_t last = 0, first = 0;
    size_t at = 0;

    if ((a->kind != PDF_PARAGRAPH && a->kind != PDF_ITEM) || b->kind != PDF_PARAGRAPH ||
        !a->text.len || !b->text.len || a->size < 0.92f * body ||
        fabsf(a->size - b->size) > 0.06f * a->size || pdf_ends_sentence(a->text) ||
        a->bold != b->bold)
        return false;
    if (a->page == b->page && b->box.y0 > a->box.y0)
        return false; /* below it: they were told apart on purpose */
    utf8_next(b->text, &at, &first);
    at = utf8_boundary(a->text, a->text.len - 1);
    utf8_next(a->text, &at, &last);
    if (rune_is_cjk(last) && rune_is_cjk(first))
        return a->lines > 1;
    return (first >= 'a' && first <= 'z') || last == '-' || last == ',';
}

/* The last block of a page that notes at its foot do not hide. */
static size_t last_of_page(const struct pdf_blocks *blocks, size_t end, float body)
{
    size_t i = end;

    while (i > 0 && blocks->list[i - 1].page == blocks->list[end - 1].page &&
           blocks->list[i - 1].kind != PDF_TABLE && blocks->list[i - 1].size < 0.92f * body)
        i--;
    return i > 0 ? i - 1 : 0;
}

bool pdf_join_blocks(struct pdf *pdf, struct pdf_blocks *blocks, float body)
{
    size_t kept = 0;

    for (size_t i = 0; i < blocks->count && pdf_spend(pdf, 2); i++) {
        const struct pdf_block *b = &blocks->list[i];
        struct pdf_block *a = kept ? &blocks->list[last_of_page(blocks, kept, body)] : NULL;
        struct buf text;

        if (!a || b->page > MAX_OF(a->page, a->page_end) + 1 || !goes_on(a, b, body)) {
            blocks->list[kept++] = *b;
            continue;
        }
        buf_init(&text, pdf->arena, a->text.len + b->text.len + 2);
        buf_str(&text, a->text);
        pdf_join_line(&text, b->text);
        if (!buf_ok(&text))
            return pdf_stop(pdf, PDF_NO_MEMORY);
        a->text = buf_view(&text);
        a->lines += b->lines;
        a->page_end = b->page;
        if (a->page == b->page)
            a->box = pdf_union(a->box, b->box);
    }
    blocks->count = kept;
    return pdf->stopped == PDF_GOES_ON;
}
