/* index/terms_internal.h: a text on its way to terms, for terms.c and terms_wide.c; the word lists. */
#ifndef WEIR_INDEX_TERMS_INTERNAL_H
#define WEIR_INDEX_TERMS_INTERNAL_H

#include <unicode/ubrk.h>

#include "index/dictionary.h"
#include "index/terms.h"

bool is_stop_word(struct str word); /* lower case, not stemmed */

/* What lets most words be told from stop words at a look. */
#define STOP_MARKS 2048 /* a power of two */
struct stop_marks {
    uint64_t bits[STOP_MARKS / 64];
};
void stop_marks_make(struct stop_marks *marks);
bool may_be_stop_word(const struct stop_marks *marks, struct str word);

/* What cuts runs of ideographs. */
struct cutter {
    struct arena *arena;
    UBreakIterator *words;         /* NULL until a text needs it */
    struct dictionary *dictionary; /* the same */
    bool no_dictionary;            /* there is none to be had */
};
void cutter_end(struct cutter *cutter);

struct making_cuts {
    uint8_t *bits;
    uint32_t count;
};

struct scan {
    struct analyser *tools;
    struct cutter *cutter;
    const struct stop_marks *stops;
    struct arena *arena;
    const UChar *text; /* NFKC */
    int32_t len;
    struct term *at;
    size_t count, cap;
    uint32_t words;
    struct word_cuts *known;    /* or NULL */
    struct making_cuts *making; /* or NULL */
};

/* Room for so many more terms behind those there are, or NULL. */
struct term *scan_room(struct scan *scan, size_t count);
bool scan_add_term(struct scan *scan, struct term term, struct err *err) MUST_CHECK;
/* One word, lower case, in `word`: stop it, stem it, add it. */
bool scan_add_word(struct scan *scan, struct term term, const char *word, size_t len,
                   struct err *err) MUST_CHECK;
/* Lower case UTF-8 of text[from, to) into word; what does not fit is cut at a character. */
size_t scan_lower(const struct scan *scan, int32_t from, int32_t to, char word[TERM_BYTES_MAX]);
bool scan_no_memory(const struct scan *scan, struct err *err); /* false */
/* The ideographs of [from, to), dictionary words. */
bool scan_run(struct scan *scan, int32_t from, int32_t to, struct err *err) MUST_CHECK;

/* The character at *at, stepping over it. NFKC leaves no lone surrogates; one would stand for itself. */
static inline uint32_t scan_next_rune(const struct scan *scan, int32_t *at)
{
    uint32_t unit = scan->text[(*at)++];

    if (!U16_IS_LEAD(unit) || *at >= scan->len || !U16_IS_TRAIL(scan->text[*at]))
        return unit;
    return 0x10000 + ((unit - 0xD800) << 10) + (scan->text[(*at)++] - 0xDC00u);
}

#endif
