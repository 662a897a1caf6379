/* base/utf8.h: UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include "base/str.h"

bool utf8_valid(struct str s);
/* Decode the character at *at and step over it; false at the end. Bad bytes give U+FFFD, one each. */
bool utf8_next(struct str s, size_t *at, uint32_t *rune);
size_t utf8_put(char out[4], uint32_t rune);        /* bytes written; 0 for an invalid rune */
size_t utf8_boundary(struct str s, size_t at_most); /* largest character boundary <= at_most */
size_t utf8_count(struct str s);                    /* characters */
bool rune_is_cjk(uint32_t rune);                    /* Han, kana, hangul, CJK punctuation */

#endif
