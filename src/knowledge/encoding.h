/* knowledge/encoding.h: text in other encodings as UTF-8, and the way back to the bytes it came from.
 * Known    by byte order mark, by being valid UTF-8, by what the file declares, else by ICU's detection
 *          over a fixed list (GB 18030, Big5, Shift_JIS, EUC, windows-125x, KOI8-R ...): a guess, and said so.
 * Map      for every stretch of characters of one width here and there; ASCII text costs one step.
 * Pure     in the caller's arena; ICU's converters allocate for themselves. */
#ifndef WEIR_KNOWLEDGE_ENCODING_H
#define WEIR_KNOWLEDGE_ENCODING_H

#include "base/arena.h"

/* From text_at on, each `text_width` bytes of the UTF-8 stand for `source_width` bytes of the file. */
struct encoding_step {
    uint32_t text_at, source_at;
    uint8_t text_width, source_width;
};
struct decoded {
    struct str text;      /* UTF-8 */
    const char *encoding; /* "UTF-8", "GB18030" ... */
    bool guessed;
    struct encoding_step *steps; /* NULL: text is the file, byte for byte */
    size_t step_count;
};

/* ERR_INVALID: binary, or in none of the encodings. `declared` may be empty. */
bool encoding_decode(struct arena *arena, struct str bytes, struct str declared,
                     struct decoded *out, struct err *err) MUST_CHECK;
/* Where in the file the character at text[at] begins; at == text.len: the end. */
uint32_t encoding_source_at(const struct decoded *decoded, uint32_t at);
/* The step that text[at] lies in; `end`: where the next one begins. */
const struct encoding_step *encoding_step_at(const struct decoded *decoded, uint32_t at,
                                             uint32_t *end);
/* Of one known by name, as mail and XML have it; what is broken in it becomes U+FFFD. */
bool encoding_convert(struct arena *arena, struct str bytes, struct str name, struct str *out,
                      struct err *err) MUST_CHECK;
/* By its mark or declaration; UTF-8 comes back as it is. */
bool encoding_of_xml(struct arena *arena, struct str bytes, struct str *out, struct err *err)
    MUST_CHECK;
/* Load what is loaded on first use: before the sandbox. */
void encodings_touch(void);

#endif
