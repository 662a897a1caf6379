/* The text of a paragraph of a DOCX file: what a reader of the printed page sees. */
#include "base/utf8.h"
#include "knowledge/docx_internal.h"

static void put_aside(struct docx *d, const struct xml_node *node)
{
    buf_put(&d->aside, &node, sizeof node);
}

static void put_note(struct docx *d, const struct xml_node *notes, const struct xml_node *reference)
{
    struct str id = xml_get(reference, "id");

    for (const struct xml_node *n = notes ? notes->first : NULL; n; n = n->next)
        if (n->name.len && str_eq(xml_get(n, "id"), id)) {
            put_aside(d, n);
            return;
        }
}

static void text_of_children(struct docx *d, const struct xml_node *node, struct buf *to)
{
    for (const struct xml_node *n = node->first; n; n = n->next)
        docx_text(d, n, to);
}

static void plain_text(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)d;
    for (const struct xml_node *n = node->first; n; n = n->next)
        buf_str(to, n->text);
}

static void space(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)d, (void)node;
    buf_char(to, ' ');
}

static void hyphen(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)d, (void)node;
    buf_char(to, '-');
}

static void nothing(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)d, (void)node, (void)to;
}

static void comment(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)node, (void)to;
    d->comments++;
}

static void footnote(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)to;
    put_note(d, d->footnotes, node);
}

static void endnote(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)to;
    put_note(d, d->endnotes, node);
}

static void box(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)to;
    put_aside(d, node);
}

static void picture(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)node, (void)to;
    d->pictures++;
}

static void chart(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)node, (void)to;
    d->charts++;
}

static void diagram(struct docx *d, const struct xml_node *node, struct buf *to)
{
    (void)node, (void)to;
    d->diagrams++;
}

static bool is_private(uint32_t rune)
{
    return rune >= 0xE000 && rune <= 0xF8FF;
}

/* A character of a font; of most symbol fonts only the font knows what it means. */
static void symbol(struct docx *d, const struct xml_node *node, struct buf *to)
{
    struct str hex = xml_get(node, "char");
    uint8_t bytes[2];
    char text[4];
    uint32_t rune;
    size_t len;

    rune = hex.len == 4 && hex_parse(hex, bytes, 2) ? (uint32_t)bytes[0] << 8 | bytes[1] : 0;
    len = rune >= ' ' && !is_private(rune) ? utf8_put(text, rune) : 0;
    buf_put(to, text, len);
    d->symbols += !len;
}

/* Fields of forms from before there were others: their value stands nowhere else. */
static void check_box(struct docx *d, const struct xml_node *node, struct buf *to)
{
    const struct xml_node *checked = xml_child(node, "checked");

    (void)d;
    buf_str(to,
            docx_is_on(checked ? checked : xml_child(node, "default")) ? STR("[x]") : STR("[ ]"));
}

static void drop_down(struct docx *d, const struct xml_node *node, struct buf *to)
{
    const struct xml_node *result = xml_child(node, "result");
    uint64_t chosen = 0;

    (void)d;
    if (!result)
        result = xml_child(node, "default");
    (void)!u64_parse(xml_get(result, "val"), &chosen);
    for (const struct xml_node *n = node->first; n; n = n->next)
        if (str_eq(n->name, STR("listEntry")) && chosen-- == 0) {
            buf_str(to, xml_get(n, "val"));
            return;
        }
}

static void alternate(struct docx *d, const struct xml_node *node, struct buf *to)
{
    const struct xml_node *choice = xml_alternative(node);

    if (choice)
        text_of_children(d, choice, to);
}

/* Base and reading aloud: the base is the text. */
static void ruby(struct docx *d, const struct xml_node *node, struct buf *to)
{
    const struct xml_node *base = xml_child(node, "rubyBase");

    if (base)
        text_of_children(d, base, to);
}

void docx_text(struct docx *d, const struct xml_node *node, struct buf *to)
{
    static const struct {
        const char *name;
        void (*put)(struct docx *, const struct xml_node *, struct buf *);
    } kinds[] = {
        {"t", plain_text},
        {"tab", space},
        {"br", space},
        {"cr", space},
        {"noBreakHyphen", hyphen},
        {"footnoteReference", footnote},
        {"endnoteReference", endnote},
        {"txbxContent", box},
        {"blip", picture},
        {"imagedata", picture},
        {"chart", chart},
        {"relIds", diagram},
        {"sym", symbol},
        {"checkBox", check_box},
        {"ddList", drop_down},
        {"commentReference", comment},
        {"AlternateContent", alternate},
        {"ruby", ruby},
        /* deleted, moved away, or not to be seen */
        {"del", nothing},
        {"moveFrom", nothing},
        {"delText", nothing},
        {"instrText", nothing},
        {"pPr", nothing},
        {"rPr", nothing},
        {"tabs", nothing},
        {"sdtPr", nothing},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(node->name, str_from(kinds[i].name))) {
            kinds[i].put(d, node, to);
            return;
        }
    text_of_children(d, node, to);
}
