#include "knowledge/encoding.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uclean.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>
#include <unicode/udata.h>

#include "base/buf.h"
#include "base/utf8.h"

#define CHUNK       4096 /* UTF-16 units at a time */
#define NAME_MAX_   60
#define SAMPLE      ((size_t)64 * KIB) /* looked at to guess */
#define GROWTH      3                  /* a byte becomes at most three of UTF-8 (and a rest) */
#define STEPS_BYTES ((size_t)60 * MIB)

/* --- converting ------------------------------------------------------------------------------- */

struct conversion {
    UConverter *converter;
    struct str source;
    struct buf text, steps;
    UChar *units;
    int32_t *offsets;
    bool with_steps;
    uint32_t last_at; /* of the source: where the character begun last began */
    uint8_t last_width;
    uint32_t pending; /* a lead surrogate at the end of a chunk */
};

static struct encoding_step *last_step(struct conversion *c)
{
    return c->steps.len ? (struct encoding_step *)(void *)(c->steps.ptr + c->steps.len -
                                                           sizeof(struct encoding_step))
                        : NULL;
}

/* A character of `text_width` bytes began at last_at; it ends where the next one begins. */
static bool close_character(struct conversion *c, uint32_t source_end)
{
    uint32_t width = source_end - c->last_at;
    struct encoding_step *last = last_step(c);

    if (!c->with_steps || !c->last_width)
        return true;
    if (width > UINT8_MAX)
        return false;
    if (!last || last->text_width != c->last_width || last->source_width != width) {
        struct encoding_step step = {.text_at = (uint32_t)c->text.len - c->last_width,
                                     .source_at = c->last_at,
                                     .text_width = c->last_width,
                                     .source_width = (uint8_t)width};
        buf_put(&c->steps, &step, sizeof step);
    }
    return true;
}

static bool put_units(struct conversion *c, const UChar *units, int32_t count, uint32_t base)
{
    for (int32_t i = 0; i < count; i++) {
        uint32_t rune = units[i], at = base + (uint32_t)(c->offsets[i] < 0 ? 0 : c->offsets[i]);
        char bytes[4];

        if (U16_IS_LEAD(units[i])) {
            c->pending = units[i];
            if (!close_character(c, at))
                return false;
            c->last_at = at;
            c->last_width = 0;
            continue;
        }
        if (U16_IS_TRAIL(units[i]) && c->pending)
            rune = (uint32_t)U16_GET_SUPPLEMENTARY(c->pending, units[i]);
        else if (!close_character(c, at))
            return false;
        if (!c->pending || rune < 0x10000)
            c->last_at = at;
        c->pending = 0;
        size_t len = utf8_put(bytes, rune);
        if (!len)
            len = utf8_put(bytes, 0xFFFD);
        buf_put(&c->text, bytes, len);
        c->last_width = (uint8_t)len;
    }
    return true;
}

static bool convert_all(struct conversion *c, struct err *err)
{
    const char *from = c->source.ptr, *end;
    UErrorCode status = U_BUFFER_OVERFLOW_ERROR;

    if (c->source.len == 0)
        return true;
    end = from + c->source.len;
    while (status == U_BUFFER_OVERFLOW_ERROR) {
        UChar *to = c->units;
        uint32_t base = (uint32_t)(from - c->source.ptr);

        status = U_ZERO_ERROR;
        ucnv_toUnicode(c->converter, &to, c->units + CHUNK, &from, end, c->offsets, true, &status);
        if (U_FAILURE(status) && status != U_BUFFER_OVERFLOW_ERROR)
            return err_set(err, ERR_INVALID, "not in the encoding it should be in: byte %zu",
                           (size_t)(from - c->source.ptr));
        if (!put_units(c, c->units, (int32_t)(to - c->units), base))
            return err_set(err, ERR_INVALID, "with a character of more than 255 bytes");
    }
    if (!close_character(c, (uint32_t)c->source.len))
        return err_set(err, ERR_INVALID, "with a character of more than 255 bytes");
    return true;
}

static void close_converter(UConverter **converter)
{
    if (*converter)
        ucnv_close(*converter);
    *converter = NULL;
}

static bool convert(struct arena *arena, struct str bytes, const char *name, bool strict,
                    struct decoded *out, struct err *err)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *converter CLEANUP(close_converter) = ucnv_open(name, &status);
    struct conversion c = {.converter = converter, .source = bytes, .with_steps = strict};
    struct str text, steps;

    if (U_FAILURE(status))
        return err_set(err, ERR_INVALID, "in an encoding that is not known: \"%s\"", name);
    if (strict)
        ucnv_setToUCallBack(converter, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
    c.units = arena_array(arena, CHUNK, sizeof *c.units);
    c.offsets = arena_array(arena, CHUNK, sizeof *c.offsets);
    buf_init(&c.text, arena, GROWTH * bytes.len + 16);
    buf_init(&c.steps, arena, STEPS_BYTES);
    if (!c.units || !c.offsets)
        return err_arena(err, arena);
    if (!convert_all(&c, err) || !buf_finish(&c.text, &text, err) ||
        !buf_finish(&c.steps, &steps, err))
        return false;
    *out = (struct decoded){.text = text,
                            .encoding = name,
                            .steps = (struct encoding_step *)(void *)c.steps.ptr,
                            .step_count = steps.len / sizeof(struct encoding_step)};
    return true;
}

/* --- which one -------------------------------------------------------------------------------- */

/* What ICU may guess, in its words. ISO-2022 and UTF-32 carry marks of their own. */
static const char *const guessable[] = {
    "GB18030",      "Big5",         "Shift_JIS",    "EUC-JP",       "EUC-KR",       "ISO-2022-JP",
    "ISO-2022-CN",  "ISO-2022-KR",  "windows-1250", "windows-1251", "windows-1252", "windows-1253",
    "windows-1254", "windows-1255", "windows-1256", "KOI8-R",       "ISO-8859-1",   "ISO-8859-2",
    "ISO-8859-5",   "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9"};

/* The name that ICU has, of one that people write; NULL: none that is read. What is called Latin-1 is
 * windows-1252 wherever it matters (WHATWG says so, too), and GB 18030 contains its forerunners. */
static const char *known_name(struct str name)
{
    static const char *const aliases[][2] = {
        {"ISO-8859-1", "windows-1252"}, {"latin1", "windows-1252"}, {"us-ascii", "windows-1252"},
        {"gb2312", "GB18030"},          {"gbk", "GB18030"},         {"hz-gb-2312", "GB18030"},
        {"sjis", "Shift_JIS"},          {"x-sjis", "Shift_JIS"},    {"cp1252", "windows-1252"},
        {"cp1251", "windows-1251"},     {"cp936", "GB18030"},       {"big5-hkscs", "Big5"}};

    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (str_eq_nocase(name, str_from(aliases[i][0])))
            return aliases[i][1];
    for (size_t i = 0; i < ARRAY_LEN(guessable); i++)
        if (str_eq_nocase(name, str_from(guessable[i])))
            return guessable[i];
    return NULL;
}

/* Text has no control characters; what decodes to some was not in this encoding. */
static bool is_plain(struct str text)
{
    uint32_t rune;

    for (size_t at = 0; utf8_next(text, &at, &rune);)
        if ((rune < ' ' && rune != '\n' && rune != '\r' && rune != '\t' && rune != '\f') ||
            (rune >= 0x7F && rune < 0xA0 && rune != 0x85) || rune == 0xFFFD)
            return false;
    return true;
}

static bool try_one(struct arena *arena, struct str bytes, const char *name, struct decoded *out)
{
    size_t mark = arena_mark(arena);
    struct err err = {0};

    if (convert(arena, bytes, name, true, out, &err) && is_plain(out->text))
        return true;
    arena_rewind(arena, mark);
    return false;
}

static void close_detector(UCharsetDetector **detector)
{
    if (*detector)
        ucsdet_close(*detector);
    *detector = NULL;
}

static bool guess(struct arena *arena, struct str bytes, struct decoded *out)
{
    UErrorCode status = U_ZERO_ERROR;
    UCharsetDetector *detector CLEANUP(close_detector) = ucsdet_open(&status);
    int32_t count = 0;

    ucsdet_setText(detector, bytes.ptr, (int32_t)MIN_OF(bytes.len, SAMPLE), &status);
    const UCharsetMatch **found = ucsdet_detectAll(detector, &count, &status);
    for (int32_t i = 0; U_SUCCESS(status) && i < count; i++) {
        const char *name = known_name(str_from(ucsdet_getName(found[i], &status)));

        if (name && try_one(arena, bytes, name, out)) {
            out->guessed = true;
            return true;
        }
    }
    if (!try_one(arena, bytes, "windows-1252", out))
        return false;
    out->guessed = true;
    return true;
}

/* Two bytes a character and Latin letters among them: every other byte is 0. */
static const char *utf16_of(struct str bytes)
{
    size_t zeros[2] = {0}, look = MIN_OF(bytes.len, (size_t)4096) & ~(size_t)1;

    if (str_starts(bytes, STR("\xFF\xFE")))
        return "UTF-16LE";
    if (str_starts(bytes, STR("\xFE\xFF")))
        return "UTF-16BE";
    for (size_t i = 0; i < look; i++)
        zeros[i & 1] += bytes.ptr[i] == 0;
    if (zeros[1] > look / 8 && zeros[0] == 0)
        return "UTF-16LE";
    return zeros[0] > look / 8 && zeros[1] == 0 ? "UTF-16BE" : NULL;
}

static bool terminate(struct str name, char out[NAME_MAX_])
{
    name = str_trim(name);
    if (!name.len || name.len >= NAME_MAX_ || str_find_char(name, 0) < name.len)
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = 0;
    return true;
}

/* The mark is no text: the map begins behind it. */
static void drop_mark(struct decoded *d)
{
    if (!str_starts(d->text, STR("\xEF\xBB\xBF")) || !d->steps)
        return;
    d->text = str_slice(d->text, 3, d->text.len);
    for (size_t i = 0; i < d->step_count; i++) {
        struct encoding_step *s = &d->steps[i];

        if (s->text_at >= 3)
            s->text_at -= 3;
        else
            s->source_at += s->source_width;
    }
}

bool encoding_decode(struct arena *arena, struct str bytes, struct str declared,
                     struct decoded *out, struct err *err)
{
    const char *wide = utf16_of(bytes), *said = known_name(str_trim(declared));
    size_t zero = str_find_char(bytes, 0);

    if (!wide && zero == bytes.len && utf8_valid(bytes)) {
        *out = (struct decoded){.text = bytes, .encoding = "UTF-8"};
        return true;
    }
    if (!wide && zero < bytes.len)
        return err_set(err, ERR_INVALID, "binary: a zero byte at %zu", zero);
    if (wide && !try_one(arena, bytes, wide, out))
        return err_set(err, ERR_INVALID, "binary, or broken %s", wide);
    if (!wide && !(said && try_one(arena, bytes, said, out)) && !guess(arena, bytes, out))
        return err_set(err, ERR_INVALID, "neither UTF-8 nor another encoding that is known");
    drop_mark(out);
    return true;
}

/* --- the way back ----------------------------------------------------------------------------- */

const struct encoding_step *encoding_step_at(const struct decoded *d, uint32_t at, uint32_t *end)
{
    size_t from = 0, to = d->step_count;

    ASSERT(d->step_count > 0);
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;

        if (d->steps[middle].text_at <= at)
            from = middle;
        else
            to = middle;
    }
    *end = from + 1 < d->step_count ? d->steps[from + 1].text_at : (uint32_t)d->text.len;
    return &d->steps[from];
}

uint32_t encoding_source_at(const struct decoded *d, uint32_t at)
{
    uint32_t end;

    if (!d->steps)
        return at;
    const struct encoding_step *s = encoding_step_at(d, at, &end);
    return s->source_at + (at - s->text_at) / s->text_width * s->source_width;
}

/* --- by name ---------------------------------------------------------------------------------- */

bool encoding_convert(struct arena *arena, struct str bytes, struct str name, struct str *out,
                      struct err *err)
{
    char written[NAME_MAX_];
    struct decoded d;
    const char *known = known_name(str_trim(name));

    if (!known && !terminate(name, written))
        return err_set(err, ERR_INVALID, "in an encoding without a name");
    if (str_eq_nocase(str_trim(name), STR("utf-8"))) {
        *out = bytes;
        return true;
    }
    if (!convert(arena, bytes, known ? known : written, false, &d, err))
        return false;
    *out = d.text;
    return true;
}

bool encoding_of_xml(struct arena *arena, struct str bytes, struct str *out, struct err *err)
{
    const char *wide = utf16_of(bytes);
    struct str head = str_slice(bytes, 0, 200), name;
    size_t end = str_find(head, STR("?>")), at = str_find(head, STR("encoding="));

    if (wide)
        return encoding_convert(arena, bytes, str_from(wide), out, err);
    *out = bytes;
    if (!str_starts(head, STR("<?xml")) || end == head.len || at > end)
        return true;
    name = str_slice(head, at + 10, end);
    name = str_slice(name, 0, str_find_char(name, head.ptr[at + 9]));
    return encoding_convert(arena, bytes, name, out, err);
}

void encodings_touch(void)
{
    static const char sample[] = "\xB9\xAB\xCB\xBE\xB5\xC4\xD6\xC6\xB6\xC8\xCA\xC7\xCA\xB2\xC3\xB4";
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    UErrorCode status = U_ZERO_ERROR;
    struct decoded d;
    struct err err = {0};

    udata_setFileAccess(UDATA_NO_FILES, &status);
    u_init(&status);
    for (size_t i = 0; arena && i < ARRAY_LEN(guessable); i++)
        (void)!convert(arena, STR("touched"), guessable[i], true, &d, &err);
    if (arena)
        (void)!encoding_decode(arena, (struct str){sample, sizeof sample - 1}, STR_NONE, &d, &err);
}
