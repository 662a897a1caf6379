#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "knowledge/pdf_object.h"

/* Filters of streams. Each takes the bytes so far and gives new ones in the arena; what is damaged gives
 * what could be had and marks the file. Images' filters are not ours: nothing reads pictures. */

struct unpack {
    struct pdf *pdf;
    struct arena *arena;
    const struct pdf_object *parameters;
};

/* A buffer that counts against the file's bound. */
static void out_init(struct unpack *u, struct buf *b)
{
    buf_init(b, u->arena, PDF_STREAM_BYTES_MAX);
}

static bool out_done(struct unpack *u, struct buf *b, struct str *bytes)
{
    struct pdf *pdf = u->pdf;

    if (b->no_memory)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    pdf->unpacked += b->len;
    if (b->too_large || pdf->unpacked > PDF_UNPACKED_MAX)
        return pdf_stop(pdf, PDF_TOO_MUCH_UNPACKED);
    *bytes = buf_view(b);
    return pdf_spend(pdf, b->len / 64);
}

/* --- Flate ------------------------------------------------------------------------------------ */

struct pdf_inflate {
    z_stream z;
};

static voidpf zlib_alloc(voidpf arena, uInt count, uInt size)
{
    size_t bytes;

    return size_mul(count, size, &bytes) ? arena_alloc_raw(arena, bytes) : NULL;
}

static void zlib_free(voidpf arena, voidpf piece)
{
    (void)arena; /* goes with its arena */
    (void)piece;
}

static struct pdf_inflate *inflate_take(struct pdf *pdf)
{
    struct pdf_inflate *i = pdf->inflate;

    if (i)
        return inflateReset(&i->z) == Z_OK ? i : NULL;
    i = arena_alloc(pdf->arena, sizeof *i);
    if (!i)
        return NULL;
    i->z.zalloc = zlib_alloc;
    i->z.zfree = zlib_free;
    i->z.opaque = pdf->arena;
    if (inflateInit(&i->z) != Z_OK)
        return NULL;
    pdf->inflate = i;
    return i;
}

static bool flate(struct unpack *u, struct str *bytes)
{
    struct pdf_inflate *i = inflate_take(u->pdf);
    struct buf b;
    int result = Z_OK;

    if (!i)
        return pdf_stop(u->pdf, PDF_NO_MEMORY);
    out_init(u, &b);
    i->z.next_in = (const Bytef *)bytes->ptr;
    i->z.avail_in = (uInt)bytes->len;
    while (result == Z_OK) {
        size_t room = MAX_OF((size_t)4096, MIN_OF(4 * bytes->len, (size_t)256 * KIB));
        char *to = buf_room(&b, room);

        if (!to)
            break;
        i->z.next_out = (Bytef *)to;
        i->z.avail_out = (uInt)room;
        result = inflate(&i->z, Z_NO_FLUSH);
        buf_added(&b, room - i->z.avail_out);
        if (result == Z_OK && i->z.avail_in == 0 && i->z.avail_out > 0)
            break; /* ended early */
    }
    if (buf_ok(&b) && result != Z_STREAM_END)
        u->pdf->streams_damaged = true;
    return out_done(u, &b, bytes);
}

/* --- LZW -------------------------------------------------------------------------------------- */

#define LZW_CODES 4096
struct lzw {
    uint16_t before[LZW_CODES]; /* the code this one goes on from */
    uint16_t length[LZW_CODES];
    uint8_t last[LZW_CODES];
};

static void lzw_put(struct buf *b, const struct lzw *t, unsigned code)
{
    size_t len = t->length[code];
    char *to = buf_room(b, len);

    if (!to)
        return;
    for (size_t i = len; i-- > 0; code = t->before[code])
        to[i] = (char)t->last[code];
    buf_added(b, len);
}

static bool lzw(struct unpack *u, struct str *bytes)
{
    struct lzw *t = arena_alloc(u->arena, sizeof *t);
    unsigned early = pdf_integer(pdf_get(u->pdf, u->parameters, "EarlyChange"), 1) != 0;
    unsigned next = 258, width = 9, held = 0, previous = LZW_CODES;
    uint32_t bits = 0;
    struct buf b;

    if (!t)
        return pdf_stop(u->pdf, PDF_NO_MEMORY);
    for (unsigned i = 0; i < 256; i++) {
        t->length[i] = 1;
        t->last[i] = (uint8_t)i;
    }
    out_init(u, &b);
    for (size_t i = 0; i < bytes->len && buf_ok(&b);) {
        while (held < width && i < bytes->len) {
            bits = bits << 8 | (uint8_t)bytes->ptr[i++];
            held += 8;
        }
        if (held < width)
            break;
        unsigned code = bits >> (held - width) & ((1u << width) - 1), first;

        held -= width;
        if (code == 257)
            break;
        if (code == 256) {
            next = 258;
            width = 9;
            previous = LZW_CODES;
            continue;
        }
        if (code > next || (code == next && previous == LZW_CODES) || code == LZW_CODES) {
            u->pdf->streams_damaged = true;
            break;
        }
        if (previous != LZW_CODES && next < LZW_CODES) {
            for (first = code < next ? code : previous; t->length[first] > 1;)
                first = t->before[first];
            t->before[next] = (uint16_t)previous;
            t->length[next] = (uint16_t)(t->length[previous] + 1);
            t->last[next++] = t->last[first];
        }
        lzw_put(&b, t, code);
        previous = code;
        if (next + early >= 1u << width && width < 12)
            width++;
    }
    return out_done(u, &b, bytes);
}

/* --- text filters and run lengths ------------------------------------------------------------- */

static bool ascii_hex(struct unpack *u, struct str *bytes)
{
    struct buf b;
    int half = -1;

    out_init(u, &b);
    for (size_t i = 0; i < bytes->len && bytes->ptr[i] != '>'; i++) {
        char c = bytes->ptr[i], lower = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9'           ? c - '0'
                    : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                   : -1;
        if (digit < 0)
            continue;
        if (half >= 0)
            buf_char(&b, (char)(half << 4 | digit));
        half = half >= 0 ? -1 : digit;
    }
    if (half >= 0)
        buf_char(&b, (char)(half << 4));
    return out_done(u, &b, bytes);
}

static bool ascii_85(struct unpack *u, struct str *bytes)
{
    struct buf b;
    uint64_t group = 0;
    int held = 0;

    out_init(u, &b);
    for (size_t i = 0; i < bytes->len && bytes->ptr[i] != '~'; i++) {
        char c = bytes->ptr[i];

        if (c == 'z' && held == 0) {
            buf_put(&b, "\0\0\0\0", 4);
            continue;
        }
        if (c < '!' || c > 'u')
            continue;
        group = group * 85 + (uint64_t)(c - '!');
        if (++held < 5)
            continue;
        for (int shift = 24; shift >= 0; shift -= 8)
            buf_char(&b, (char)(group >> shift & 0xFF));
        group = 0;
        held = 0;
    }
    for (int i = held; held > 1 && i < 5; i++)
        group = group * 85 + 84;
    for (int i = 0; i + 1 < held; i++)
        buf_char(&b, (char)(group >> (24 - 8 * i) & 0xFF));
    return out_done(u, &b, bytes);
}

static bool run_length(struct unpack *u, struct str *bytes)
{
    struct buf b;

    out_init(u, &b);
    for (size_t i = 0; i < bytes->len && buf_ok(&b);) {
        uint8_t n = (uint8_t)bytes->ptr[i++];

        if (n == 128)
            break;
        if (n < 128) {
            struct str run = str_slice(*bytes, i, i + n + 1u);

            buf_str(&b, run);
            i += n + 1u;
            continue;
        }
        for (unsigned k = 0; i < bytes->len && k < 257u - n; k++)
            buf_char(&b, bytes->ptr[i]);
        i++;
    }
    return out_done(u, &b, bytes);
}

/* --- predictors ------------------------------------------------------------------------------- */

struct shape {
    size_t pixel, row; /* bytes */
    int64_t colors, bits;
};

static bool shape_of(struct unpack *u, struct shape *out)
{
    int64_t colors = pdf_integer(pdf_get(u->pdf, u->parameters, "Colors"), 1);
    int64_t bits = pdf_integer(pdf_get(u->pdf, u->parameters, "BitsPerComponent"), 8);
    int64_t columns = pdf_integer(pdf_get(u->pdf, u->parameters, "Columns"), 1);

    if (colors < 1 || colors > 64 || bits < 1 || bits > 16 || columns < 1 || columns > 10000000)
        return false;
    *out = (struct shape){.pixel = (size_t)MAX_OF(colors * bits / 8, 1),
                          .row = (size_t)(colors * bits * columns + 7) / 8,
                          .colors = colors,
                          .bits = bits};
    return true;
}

static uint8_t paeth(uint8_t a, uint8_t b, uint8_t c)
{
    int p = a + b - c, pa = p > a ? p - a : a - p, pb = p > b ? p - b : b - p;
    int pc = p > c ? p - c : c - p;

    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* One row of PNG: `kind` says how it was written; `above` is the row before or zeros. */
static void png_row(int kind, uint8_t *row, const uint8_t *above, const struct shape *shape)
{
    for (size_t i = 0; i < shape->row; i++) {
        uint8_t a = i >= shape->pixel ? row[i - shape->pixel] : 0, b = above[i];
        uint8_t c = i >= shape->pixel ? above[i - shape->pixel] : 0;
        int add = kind == 1   ? a
                  : kind == 2 ? b
                  : kind == 3 ? (a + b) / 2
                  : kind == 4 ? paeth(a, b, c)
                              : 0;

        row[i] = (uint8_t)(row[i] + add);
    }
}

static bool unpredict_png(struct unpack *u, const struct shape *shape, struct str *bytes)
{
    size_t rows = (bytes->len + shape->row) / (shape->row + 1);
    uint8_t *out, *above;

    if (rows > PDF_STREAM_BYTES_MAX / shape->row)
        return pdf_stop(u->pdf, PDF_TOO_MUCH_UNPACKED);
    out = arena_alloc(u->arena, (rows + 1) * shape->row); /* the first stands above all */
    if (!out)
        return pdf_stop(u->pdf, PDF_NO_MEMORY);
    above = out;
    for (size_t r = 0; r < rows; r++, above += shape->row) {
        struct str row = str_slice(*bytes, r * (shape->row + 1), (r + 1) * (shape->row + 1));

        if (row.len > 1)
            memcpy(above + shape->row, row.ptr + 1, row.len - 1);
        png_row(row.len ? (uint8_t)row.ptr[0] : 0, above + shape->row, above, shape);
    }
    size_t missing = rows ? rows * (shape->row + 1) - bytes->len : 0;
    *bytes = (struct str){(char *)out + shape->row, rows * shape->row - missing};
    return true;
}

static bool unpredict_tiff(struct unpack *u, const struct shape *shape, struct str *bytes)
{
    uint8_t *out = arena_alloc_raw(u->arena, bytes->len);

    if (!out)
        return pdf_stop(u->pdf, PDF_NO_MEMORY);
    if (bytes->len)
        memcpy(out, bytes->ptr, bytes->len);
    /* Other depths are of pictures. */
    for (size_t at = 0; shape->bits == 8 && at < bytes->len; at += shape->row)
        for (size_t i = shape->pixel; i < shape->row && at + i < bytes->len; i++)
            out[at + i] = (uint8_t)(out[at + i] + out[at + i - shape->pixel]);
    *bytes = (struct str){(char *)out, bytes->len};
    return true;
}

static bool unpredict(struct unpack *u, struct str *bytes)
{
    int64_t predictor = pdf_integer(pdf_get(u->pdf, u->parameters, "Predictor"), 1);
    struct shape shape;

    if (predictor < 2)
        return true;
    if (!shape_of(u, &shape)) {
        u->pdf->streams_damaged = true;
        return true;
    }
    return predictor == 2 ? unpredict_tiff(u, &shape, bytes) : unpredict_png(u, &shape, bytes);
}

/* --- a stream's filters ----------------------------------------------------------------------- */

static const struct {
    const char *name, *short_name;
    bool (*run)(struct unpack *u, struct str *bytes);
    bool predicts;
} filters[] = {
    {"FlateDecode", "Fl", flate, true},           {"LZWDecode", "LZW", lzw, true},
    {"ASCIIHexDecode", "AHx", ascii_hex, false},  {"ASCII85Decode", "A85", ascii_85, false},
    {"RunLengthDecode", "RL", run_length, false},
};

bool pdf_filter(struct pdf *pdf, struct arena *arena, struct str name,
                const struct pdf_object *parameters, struct str *bytes)
{
    struct unpack u = {pdf, arena, parameters};

    if (str_eq(name, STR("Crypt")))
        return true; /* only ever "Identity" for what we read */
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        if (str_eq(name, str_from(filters[i].name)) ||
            str_eq(name, str_from(filters[i].short_name)))
            return filters[i].run(&u, bytes) && (!filters[i].predicts || unpredict(&u, bytes));
    pdf->filter_unknown = true;
    return false;
}

bool pdf_unpack(struct pdf *pdf, struct arena *arena, const struct pdf_object *stream,
                struct str *out)
{
    const struct pdf_object *names, *parameters;
    struct str bytes;

    if (stream->kind != PDF_STREAM || pdf->stopped)
        return false;
    bytes = pdf_decipher_stream(pdf, arena, stream->stream);
    names = pdf_get(pdf, stream, "Filter");
    parameters = pdf_get(pdf, stream, "DecodeParms");
    if (names->kind == PDF_NAME &&
        !pdf_filter(pdf, arena, names->text,
                    parameters->kind == PDF_ARRAY ? pdf_at(pdf, parameters, 0) : parameters,
                    &bytes))
        return false;
    for (uint32_t i = 0; names->kind == PDF_ARRAY && i < names->count; i++) {
        const struct pdf_object *name = pdf_at(pdf, names, i);

        if (i >= 16 || name->kind != PDF_NAME ||
            !pdf_filter(pdf, arena, name->text,
                        parameters->kind == PDF_ARRAY ? pdf_at(pdf, parameters, i) : parameters,
                        &bytes))
            return false;
    }
    *out = bytes;
    return pdf->stopped == PDF_GOES_ON;
}
