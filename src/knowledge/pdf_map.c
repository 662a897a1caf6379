#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_font.h"

/* CMaps are little PostScript programs; all that matters in them stands between "begin..." and "end...". */

#define RANGES_MAX 200000u

struct mapper {
    struct pdf *pdf;
    struct pdf_map *map;
    struct buf ranges;
    bool texts;
};

static uint32_t code_of(struct str bytes)
{
    uint32_t code = 0;

    for (size_t i = 0; i < bytes.len && i < 4; i++)
        code = code << 8 | (uint8_t)bytes.ptr[i];
    return code;
}

/* Without what is no character; ligatures as letters. */
static struct str clean(struct mapper *m, struct str text)
{
    char *to = arena_alloc_raw(m->pdf->arena, 2 * text.len + 4);
    size_t len = 0;
    uint32_t rune;

    if (!to) {
        pdf_stop(m->pdf, PDF_NO_MEMORY);
        return STR_NONE;
    }
    for (size_t at = 0; utf8_next(text, &at, &rune);)
        len += pdf_put_rune(to + len, rune);
    return (struct str){to, len};
}

/* UTF-16 big endian to UTF-8; *single gets the character when there is just one. */
static struct str utf16_text(struct mapper *m, struct str s, uint32_t *single)
{
    struct pdf_object o = {.kind = PDF_STRING};
    struct str text;
    size_t at = 0;
    char *marked = arena_alloc_raw(m->pdf->arena, s.len + 2);

    if (!marked) {
        pdf_stop(m->pdf, PDF_NO_MEMORY);
        return STR_NONE;
    }
    memcpy(marked, "\xFE\xFF", 2);
    if (s.len)
        memcpy(marked + 2, s.ptr, s.len);
    o.text = (struct str){marked, s.len + 2};
    text = pdf_text(m->pdf, &o);
    *single = 0;
    if (text.len && utf8_next(text, &at, single) && at == text.len)
        return text;
    *single = 0;
    return clean(m, text);
}

static void add(struct mapper *m, uint32_t from, uint32_t to, const struct pdf_object *value)
{
    struct pdf_map_range r = {.from = from, .to = to};

    if (to < from || m->ranges.len / sizeof r >= RANGES_MAX)
        return;
    if (value->kind == PDF_NUMBER && !m->texts) {
        r.value = (uint32_t)pdf_integer(value, 0);
    } else if (value->kind == PDF_STRING && m->texts) {
        /* One byte is Latin-1, against the standard, in files of some writers. */
        if (value->text.len == 1)
            r.value = (uint8_t)value->text.ptr[0];
        else
            r.text = utf16_text(m, value->text, &r.value);
        if (r.value)
            r.text = STR_NONE;
        if (!r.value && !r.text.len)
            return;
    } else {
        return;
    }
    buf_put(&m->ranges, &r, sizeof r);
}

static bool is_end(const struct pdf_object *o)
{
    return o->kind == PDF_KEYWORD && str_starts(o->text, STR("end"));
}

static void read_spaces(struct mapper *m, struct pdf_lexer *l)
{
    struct pdf_object low, high;

    while (pdf_lex(l, &low) && !is_end(&low) && pdf_lex(l, &high) && !is_end(&high)) {
        if (low.kind != PDF_STRING || high.kind != PDF_STRING || !low.text.len ||
            low.text.len > 4 || low.text.len != high.text.len ||
            m->map->space_count == ARRAY_LEN(m->map->spaces))
            continue;
        m->map->spaces[m->map->space_count++] =
            (struct pdf_code_space){code_of(low.text), code_of(high.text), (unsigned)low.text.len};
    }
}

static void read_chars(struct mapper *m, struct pdf_lexer *l)
{
    struct pdf_object code, value;

    while (pdf_lex(l, &code) && !is_end(&code) && pdf_lex(l, &value) && !is_end(&value))
        if (code.kind == PDF_STRING)
            add(m, code_of(code.text), code_of(code.text), &value);
}

static void read_ranges(struct mapper *m, struct pdf_lexer *l)
{
    struct pdf_object from, to, value;

    while (pdf_lex(l, &from) && !is_end(&from) && pdf_lex(l, &to) && !is_end(&to) &&
           pdf_lex(l, &value) && !is_end(&value)) {
        uint32_t low = code_of(from.kind == PDF_STRING ? from.text : STR_NONE);
        uint32_t high = code_of(to.kind == PDF_STRING ? to.text : STR_NONE);

        if (value.kind != PDF_ARRAY)
            add(m, low, high, &value);
        for (uint32_t i = 0; value.kind == PDF_ARRAY && i < value.count && low + i <= high; i++)
            add(m, low + i, low + i, &value.items[i]);
    }
}

static int by_from(const void *a, const void *b)
{
    const struct pdf_map_range *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

bool pdf_map_read(struct pdf *pdf, struct str bytes, bool texts, struct pdf_map *out)
{
    struct pdf_lexer l = {.pdf = pdf, .arena = pdf->arena, .bytes = bytes};
    struct mapper m = {.pdf = pdf, .map = out, .texts = texts};
    struct pdf_object o, before = pdf_nothing;

    *out = (struct pdf_map){0};
    buf_init(&m.ranges, pdf->arena, RANGES_MAX * sizeof(struct pdf_map_range));
    while (pdf_lex(&l, &o)) {
        if (o.kind == PDF_KEYWORD) {
            if (str_eq(o.text, STR("begincodespacerange")))
                read_spaces(&m, &l);
            else if (str_eq(o.text, STR("beginbfchar")) || str_eq(o.text, STR("begincidchar")))
                read_chars(&m, &l);
            else if (str_eq(o.text, STR("beginbfrange")) || str_eq(o.text, STR("begincidrange")))
                read_ranges(&m, &l);
        }
        if (before.kind == PDF_NAME && str_eq(before.text, STR("WMode")) && o.kind == PDF_NUMBER)
            out->vertical = pdf_integer(&o, 0) == 1;
        before = o.kind == PDF_NUMBER ? pdf_nothing : o;
    }
    if (!buf_ok(&m.ranges))
        return pdf_stop(pdf, PDF_NO_MEMORY);
    out->ranges = (struct pdf_map_range *)(void *)m.ranges.ptr;
    out->count = m.ranges.len / sizeof *out->ranges;
    if (out->count)
        qsort(out->ranges, out->count, sizeof *out->ranges, by_from);
    return pdf_spend(pdf, out->count);
}

const struct pdf_map_range *pdf_map_find(const struct pdf_map *map, uint32_t code)
{
    size_t low = 0, high = map->count;

    while (low < high) { /* the first that begins behind the code */
        size_t middle = (low + high) / 2;

        if (map->ranges[middle].from <= code)
            low = middle + 1;
        else
            high = middle;
    }
    /* Ranges may lie in each other: look at a few before. */
    for (size_t i = low; i > 0 && low - i < 8; i--)
        if (map->ranges[i - 1].to >= code)
            return &map->ranges[i - 1];
    return NULL;
}
