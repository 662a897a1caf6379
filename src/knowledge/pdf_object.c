#include "knowledge/pdf_object.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

const struct pdf_object *pdf_resolve(struct pdf *pdf, const struct pdf_object *o)
{
    for (unsigned i = 0; o->kind == PDF_REF; i++) {
        if (i >= PDF_DEPTH_MAX)
            return &pdf_nothing;
        o = pdf_fetch(pdf, o->ref);
    }
    return o;
}

const struct pdf_object *pdf_get_raw(struct pdf *pdf, const struct pdf_object *dict,
                                     const char *key)
{
    struct str wanted = str_from(key);

    if (dict->kind == PDF_STREAM)
        dict = &dict->stream->dict;
    if (dict->kind != PDF_DICT || !pdf_spend(pdf, dict->count / 8))
        return &pdf_nothing;
    for (uint32_t i = 0; i < dict->count; i++)
        if (str_eq(dict->entries[i].key, wanted))
            return &dict->entries[i].value;
    return &pdf_nothing;
}

const struct pdf_object *pdf_get(struct pdf *pdf, const struct pdf_object *dict, const char *key)
{
    return pdf_resolve(pdf, pdf_get_raw(pdf, dict, key));
}

const struct pdf_object *pdf_at(struct pdf *pdf, const struct pdf_object *array, uint32_t i)
{
    return array->kind == PDF_ARRAY && i < array->count ? pdf_resolve(pdf, &array->items[i])
                                                        : &pdf_nothing;
}

double pdf_number(const struct pdf_object *o, double otherwise)
{
    return o->kind == PDF_NUMBER && isfinite(o->number) ? o->number : otherwise;
}

int64_t pdf_integer(const struct pdf_object *o, int64_t otherwise)
{
    double n = pdf_number(o, (double)NAN);

    return n >= -9e15 && n <= 9e15 ? (int64_t)n : otherwise;
}

bool pdf_is_name(const struct pdf_object *o, const char *name)
{
    return o->kind == PDF_NAME && str_eq(o->text, str_from(name));
}

bool pdf_is_dict(const struct pdf_object *o)
{
    return o->kind == PDF_DICT || o->kind == PDF_STREAM;
}

bool pdf_numbers(struct pdf *pdf, const struct pdf_object *array, double *out, uint32_t count)
{
    if (array->kind != PDF_ARRAY || array->count < count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct pdf_object *o = pdf_at(pdf, array, i);

        if (o->kind != PDF_NUMBER || !isfinite(o->number))
            return false;
        out[i] = o->number;
    }
    return true;
}

/* --- text strings ----------------------------------------------------------------------------- */

/* PDFDocEncoding where it is not Latin-1: 0x18 to 0x1F and 0x80 to 0xA0. */
static const uint16_t doc_low[] = {0x2D8, 0x2C7, 0x2C6, 0x2D9, 0x2DD, 0x2DB, 0x2DA, 0x2DC};
static const uint16_t doc_high[] = {
    0x2022, 0x2020, 0x2021, 0x2026, 0x2014, 0x2013, 0x192,  0x2044, 0x2039, 0x203A, 0x2212,
    0x2030, 0x201E, 0x201C, 0x201D, 0x2018, 0x2019, 0x201A, 0x2122, 0xFB01, 0xFB02, 0x141,
    0x152,  0x160,  0x178,  0x17D,  0x131,  0x142,  0x153,  0x161,  0x17E,  0xFFFD, 0x20AC};

static uint32_t doc_rune(uint8_t c)
{
    if (c >= 0x18 && c < 0x20)
        return doc_low[c - 0x18];
    return c >= 0x80 && c <= 0xA0 ? doc_high[c - 0x80] : c;
}

static void put_rune(struct buf *b, uint32_t rune)
{
    char bytes[4];
    size_t len = utf8_put(bytes, rune);

    if (len)
        buf_put(b, bytes, len);
    else
        buf_str(b, STR("\xEF\xBF\xBD"));
}

static void put_utf16(struct buf *b, struct str s, bool big)
{
    for (size_t i = 0; i + 1 < s.len; i += 2) {
        uint32_t hi = (uint8_t)s.ptr[i + (big ? 0 : 1)], lo = (uint8_t)s.ptr[i + (big ? 1 : 0)];
        uint32_t unit = hi << 8 | lo, next;

        if (unit >= 0xD800 && unit < 0xDC00 && i + 3 < s.len) {
            hi = (uint8_t)s.ptr[i + (big ? 2 : 3)];
            lo = (uint8_t)s.ptr[i + (big ? 3 : 2)];
            next = hi << 8 | lo;
            if (next >= 0xDC00 && next < 0xE000) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + (next - 0xDC00);
                i += 2;
            }
        }
        put_rune(b, unit);
    }
}

struct str pdf_text(struct pdf *pdf, const struct pdf_object *string)
{
    struct str s = string->kind == PDF_STRING ? string->text : STR_NONE;
    struct buf b;

    buf_init(&b, pdf->arena, 4 * s.len + 4);
    if (str_starts(s, STR("\xFE\xFF")) || str_starts(s, STR("\xFF\xFE")))
        put_utf16(&b, str_slice(s, 2, s.len), (uint8_t)s.ptr[0] == 0xFE);
    else if (str_starts(s, STR("\xEF\xBB\xBF")))
        buf_str(&b, str_slice(s, 3, s.len));
    else
        for (size_t i = 0; i < s.len; i++)
            put_rune(&b, doc_rune((uint8_t)s.ptr[i]));
    if (!buf_ok(&b))
        pdf_stop(pdf, PDF_NO_MEMORY);
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}
