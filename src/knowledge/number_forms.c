#include "knowledge/number_forms.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "knowledge/numeral.h"

#define SMALL      10
#define FORMS_EACH 3    /* digits, English, Chinese */
#define VALUE_MAX  1e15 /* above it digits are no number one asks for */

/* As the index stems them. */
static const struct {
    uint16_t value;
    const char *stem;
} english[] = {
    {2, "two"},        {3, "three"},     {4, "four"},      {5, "five"},     {6, "six"},
    {7, "seven"},      {8, "eight"},     {9, "nine"},      {10, "ten"},     {11, "eleven"},
    {12, "twelv"},     {13, "thirteen"}, {14, "fourteen"}, {15, "fifteen"}, {16, "sixteen"},
    {17, "seventeen"}, {18, "eighteen"}, {19, "nineteen"}, {20, "twenti"},  {30, "thirti"},
    {40, "forti"},     {50, "fifti"},    {60, "sixti"},    {70, "seventi"}, {80, "eighti"},
    {90, "nineti"},
};

/* 三百二十, 一千零五, 十五; from 1 to NUMBER_FORM_MAX. */
static void write_chinese(struct buf *b, uint32_t n)
{
    static const char *const digits[] = {"零", "一", "二", "三", "四",
                                         "五", "六", "七", "八", "九"};
    static const struct {
        uint32_t value;
        const char *word;
    } scales[] = {{1000, "千"}, {100, "百"}, {10, "十"}, {1, ""}};
    bool any = false, gap = false;

    for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
        uint32_t digit = n / scales[i].value % 10;

        gap = gap || (any && !digit);
        if (!digit)
            continue;
        if (gap)
            buf_str(b, STR("零"));
        gap = false;
        if (any || digit > 1 || scales[i].value != 10) /* 十五, not 一十五 */
            buf_str(b, str_from(digits[digit]));
        buf_str(b, str_from(scales[i].word));
        any = true;
    }
}

/* Where the terms of the number's own text stand among those of the whole; terms->count: nowhere. */
static size_t place_of(const struct terms *own, const struct terms *terms)
{
    for (size_t i = 0; own->count && i < terms->count; i++)
        if (terms->at[i].field == TERM_WORD && str_eq(terms->at[i].text, own->at[0].text))
            return i;
    return terms->count;
}

static bool put_form(struct arena *arena, const struct terms *terms, size_t place, struct str text,
                     struct number_form **at, struct err *err)
{
    struct term as = {.text = arena_str(arena, text),
                      .field = TERM_WORD,
                      .position = terms->at[place].position,
                      .number = true};

    if (!as.text.ptr)
        return err_arena(err, arena);
    if (str_eq(as.text, terms->at[place].text))
        return true;
    *(*at)++ = (struct number_form){.term = place, .as = as};
    return true;
}

static bool put_forms(struct arena *arena, const struct terms *terms, size_t place, double value,
                      struct number_form **at, struct err *err)
{
    char memory[64];
    struct buf b;

    buf_init_fixed(&b, memory, sizeof memory);
    buf_fmt(&b, "%.0f", value);
    if (!put_form(arena, terms, place, buf_view(&b), at, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(english); i++)
        if (fabs(value - english[i].value) < 0.5 &&
            !put_form(arena, terms, place, str_from(english[i].stem), at, err))
            return false;
    if (value < 2 || value > NUMBER_FORM_MAX)
        return true;
    buf_init_fixed(&b, memory, sizeof memory);
    write_chinese(&b, (uint32_t)value);
    return put_form(arena, terms, place, buf_view(&b), at, err);
}

/* "In 2022": years are written in digits everywhere. */
static bool is_year(const struct numeral *n)
{
    return n->kind == NUMERAL_PLAIN && n->unit == UNIT_NONE && n->value >= 1000 && n->value < 2200;
}

/* "Season 4", "iPhone 11": part of a name, and written like it. */
static bool is_label(struct str text, const struct numeral *n)
{
    size_t end = n->from, from;
    bool capital = false;

    while (end > 0 && text.ptr[end - 1] == ' ')
        end--;
    for (from = end; from > 0 && text.ptr[from - 1] != ' '; from--)
        capital = capital || (text.ptr[from - 1] >= 'A' && text.ptr[from - 1] <= 'Z');
    return n->unit == UNIT_NONE && n->kind == NUMERAL_PLAIN && from > 0 && capital;
}

/* Chinese counts in front of every noun: only what measures is asked for otherwise, and no 第三. */
static bool is_wide_count(struct str text, const struct numeral *n)
{
    if (!str_eq(text_language(text), STR("zh")))
        return false;
    return (n->kind == NUMERAL_PLAIN && n->unit == UNIT_NONE) ||
           str_ends(str_slice(text, 0, n->from), STR("第"));
}

/* "First", "20th": a place in a row. */
static bool is_ordinal(struct str text, const struct numeral *n)
{
    static const char *const ends[] = {"st", "nd", "rd", "th"};
    struct str own = str_slice(text, n->from, MIN_OF(n->to + 2, text.len));

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(str_trim(own), str_from(ends[i])) ||
            str_ends(str_slice(text, n->from, n->to), str_from(ends[i])))
            return true;
    return false;
}

/* A whole number of something. */
static bool is_asked(struct str text, const struct numeral *n)
{
    if (is_year(n) || is_label(text, n) || is_ordinal(text, n) || is_wide_count(text, n))
        return false;
    return (n->kind == NUMERAL_PLAIN || n->kind == NUMERAL_PERCENT) && !n->loose && n->value >= 1 &&
           n->value < VALUE_MAX && fabs(n->value - floor(n->value)) < 1e-9;
}

bool number_forms(struct analyser *analyser, struct arena *arena, struct str text,
                  const struct terms *terms, struct number_form **out, size_t *count,
                  struct err *err)
{
    struct numerals *all = arena_alloc_raw(arena, sizeof *all);
    struct number_form *at;

    if (!all)
        return err_arena(err, arena);
    numerals_read(text, all);
    *out = at = arena_array(arena, all->count * FORMS_EACH + 1, sizeof *at);
    if (!at)
        return err_arena(err, arena);
    for (size_t i = 0; i < all->count; i++) {
        const struct numeral *n = &all->at[i];
        struct terms own;

        if (!is_asked(text, n))
            continue;
        if (!analyser_terms(analyser, arena, str_slice(text, n->from, n->to), &own, err))
            return false;
        struct number_form *from = at;
        size_t place = place_of(&own, terms);
        if (place < terms->count && !put_forms(arena, terms, place, n->value, &at, err))
            return false;
        for (; from < at; from++)
            from->is_small = n->value <= SMALL;
    }
    *count = (size_t)(at - *out);
    return true;
}

bool number_forms_add(struct arena *arena, const struct number_form *forms, size_t count,
                      struct terms *terms, struct err *err)
{
    struct term *all;

    if (!count)
        return true;
    all = arena_array(arena, terms->count + count, sizeof *all);
    if (!all)
        return err_arena(err, arena);
    memcpy(all, terms->at, terms->count * sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[terms->count + i] = forms[i].as;
    terms->at = all;
    terms->count += count;
    return true;
}

size_t number_forms_finding(struct number_form *forms, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!forms[i].is_small)
            forms[kept++] = forms[i];
    return kept;
}

bool question_terms(struct analyser *analyser, struct arena *arena, struct str text,
                    struct terms *out, struct err *err)
{
    struct number_form *forms;
    size_t count;

    return analyser_terms(analyser, arena, text, out, err) &&
           number_forms(analyser, arena, text, out, &forms, &count, err) &&
           number_forms_add(arena, forms, number_forms_finding(forms, count), out, err);
}
