/* Names as keys: how a name is written does not matter. */
#include <string.h>
#include <unicode/uchar.h>

#include "base/utf8.h"
#include "index/terms.h"
#include "knowledge/entities.h"

/* What the end of a company's name says of its legal form. */
static const char *const forms[] = {" inc", " ltd",     " llc",     " plc",         " gmbh",
                                    " ag",  " corp",    " co",      " corporation", " company",
                                    " sa",  " limited", " holding", " holdings"};

struct key_writer {
    char *at;
    struct key_origin *origins;
    struct key_origin here; /* the character being read */
    size_t len;
    bool gap;       /* a space is due before the next letter */
    bool wide;      /* the last was an ideograph */
    bool word_name; /* the word being written begins with a capital */
};

static bool is_part(uint32_t rune)
{
    if (rune < 128)
        return (rune >= '0' && rune <= '9') || ((rune | 0x20) >= 'a' && (rune | 0x20) <= 'z') ||
               rune == '&';
    return u_isalnum((UChar32)rune) || (U_GET_GC_MASK((UChar32)rune) & U_GC_M_MASK);
}

static void put_rune(struct key_writer *w, uint32_t rune)
{
    bool wide = rune_is_ideographic(rune);
    size_t before = w->len;

    if (w->gap && w->len > 0 && !wide && !w->wide)
        w->at[w->len++] = ' ';
    if (w->gap || w->len == 0 || wide != w->wide)
        w->word_name = !wide && u_isupper((UChar32)rune);
    w->len += utf8_put(w->at + w->len, (uint32_t)u_tolower((UChar32)rune));
    w->here.named = w->word_name;
    for (size_t i = before; i < w->len; i++)
        w->origins[i] = w->here;
    w->gap = false;
    w->wide = wide;
}

static uint32_t rune_after(struct str text, size_t at)
{
    uint32_t rune;

    return utf8_next(text, &at, &rune) ? rune : 0;
}

/* "R.B.A." is one word, "COVID-19" keeps its hyphen, "company's" loses its end. */
static void put_mark(struct key_writer *w, struct str text, size_t *at, uint32_t rune)
{
    uint32_t next = rune_after(text, *at);
    bool within = w->len > 0 && !w->gap && !w->wide && is_part(next) && !rune_is_ideographic(next);

    if ((rune == '\'' || rune == 0x2019) && within) {
        size_t behind = *at + 1;

        if ((next | 0x20) == 's' && !is_part(rune_after(text, behind)))
            *at = behind;
        else
            return;
    } else if (rune == '-' && within) {
        w->at[w->len] = '-';
        w->origins[w->len++] = w->here;
        return;
    } else if (rune == '.' && within) {
        return;
    }
    w->gap = true;
}

bool name_key(struct arena *arena, struct str text, struct str *key, struct key_origin **origins)
{
    /* A letter's lower case is at most half as long again, and each may have a space before it. */
    size_t room = 3 * text.len + 8;
    struct key_writer w = {.at = arena_alloc_raw(arena, room),
                           .origins = arena_array(arena, room, sizeof(struct key_origin))};
    uint32_t rune;

    if (!w.at || !w.origins)
        return false;
    for (size_t at = 0, from = 0; utf8_next(text, &at, &rune); from = at) {
        w.here = (struct key_origin){(uint32_t)from, (uint32_t)at, w.word_name};
        if (rune >= 0xFF01 && rune <= 0xFF5E)
            rune -= 0xFEE0; /* full width */
        if (rune == 0xFFFD)
            rune = ' ';
        if (is_part(rune))
            put_rune(&w, rune);
        else
            put_mark(&w, text, &at, rune);
    }
    *key = (struct str){w.at, w.len};
    if (origins)
        *origins = w.origins;
    return true;
}

struct str name_stem(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (str_ends(key, str_from(forms[i])))
            return name_stem(str_slice(key, 0, key.len - str_from(forms[i]).len));
    return key;
}
