/* index/terms.h: text to the terms that are indexed and asked for.
 * Words    runs of letters and digits, NFKC, lower case, English Snowball stems; "1,500" is one number
 *          "1500". Chinese, Japanese and Korean runs are cut by ICU's dictionary.
 * Pairs    every two neighbouring characters of such a run: a second field, for what the dictionary
 *          cuts differently in question and text.
 * Stop     words that say nothing about the subject are marked, kept out of the index, and still given
 *          to callers who look for cues ("who", "多少").
 * Cost     opening loads ICU's and Snowball's tables (about 1 ms the first time): open one a job, never
 *          at start, or take one that was kept.  Plain English text never touches ICU.
 * Threads  one analyser, one thread; neither library's objects may be shared. */
#ifndef WEIR_INDEX_TERMS_H
#define WEIR_INDEX_TERMS_H

#include <stdatomic.h>

#include "base/arena.h"

enum term_field { TERM_WORD, TERM_PAIR };
#define TERM_FIELDS    2
#define TERM_BYTES_MAX 64 /* longer words are cut: identifiers, base64 */

#define ANALYSED_BYTES_MAX ((size_t)64 * MIB) /* one text; a longer one is ERR_TOO_LARGE */

struct term {
    struct str text; /* normalised */
    enum term_field field;
    uint32_t position; /* words count from 0; a pair stands at its first character's word */
    bool stop;         /* not indexed */
    bool name;         /* began with a capital letter */
    bool number;       /* began with a digit */
};
struct terms {
    struct term *at;
    size_t count;
    uint32_t words; /* of the field TERM_WORD, stop words included */
};

struct analyser;
bool analyser_open(struct analyser **out, struct err *err) MUST_CHECK;
void analyser_close(struct analyser **analyser);

/* Those that were closed, for who opens one next: with the tables, and the stems of the words that it met last.
 * Zeros are an empty one. Threads any. */
#define ANALYSERS_KEPT 4 /* half a MiB each */
struct analysers {
    struct analyser *_Atomic closed[ANALYSERS_KEPT];
    _Atomic uint32_t dropped; /* how often */
};
bool analyser_open_kept(struct analysers *all, struct analyser **out, struct err *err) MUST_CHECK;
void analysers_end(struct analysers *all); /* none may be out */
/* What is kept of words met so far goes; of those that are out, when they are closed. */
void analysers_drop(struct analysers *all);
/* Terms in order of the text; everything in the arena. Bad UTF-8 separates words. */
bool analyser_terms(struct analyser *analyser, struct arena *arena, struct str text,
                    struct terms *out, struct err *err) MUST_CHECK;
/* Where words begin among a text's ideographs, a bit for each in order: asking the dictionary is most of what
 * Chinese costs, and of a text that is kept it need be asked once. */
struct word_cuts {
    const uint8_t *bits;
    uint32_t count, at; /* at: those that were taken */
};
/* The same, and *cuts to be kept: bytes, empty where there is no ideograph. */
bool analyser_cut(struct analyser *analyser, struct arena *arena, struct str text,
                  struct terms *out, struct str *cuts, struct err *err) MUST_CHECK;
/* Of bytes that make no sense there are none. */
struct word_cuts word_cuts_of(struct str cuts);
/* The terms of the next part of a text whose cuts are known: it takes those of its ideographs. A run for which they
 * cannot be right (it begins within a word, or they are at an end) is the dictionary's. */
bool analyser_terms_cut(struct analyser *analyser, struct arena *arena, struct str text,
                        struct word_cuts *cuts, struct terms *out, struct err *err) MUST_CHECK;
/* An earlier one has the same text, in the same field. */
bool terms_is_repeat(const struct terms *terms, size_t i);

bool rune_is_ideographic(uint32_t rune); /* Han, kana, hangul letters; no punctuation */
/* "zh" when Chinese carries the text, else "en": names in Latin letters do not outvote the question. */
struct str text_language(struct str text);

#endif
