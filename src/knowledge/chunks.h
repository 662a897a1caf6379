/* knowledge/chunks.h: passages of a size that somebody asks for, as OpenAI's `chunking_strategy: static` does.
 * Size     at most `tokens`, counted as four letters or one and a half ideographs each, which is what tokenizers of
 *          models come to; title and headings, which lead a passage in the index, are not counted.
 * Overlap  the end of a passage is repeated at the beginning of the next, at most `overlap` tokens of it: whole blocks
 *          and sentences, and only where none fits, words.
 * Structure a heading always begins a passage, and nothing is repeated over it: each stands below its own heading. A
 *          block stays whole where it fits; what does not is cut between sentences, lines of code, then words.
 * Origins  exact, as those of passages_cut(): two passages may hold the same bytes. */
#ifndef WEIR_KNOWLEDGE_CHUNKS_H
#define WEIR_KNOWLEDGE_CHUNKS_H

#include "knowledge/passage.h"

#define CHUNK_TOKENS_MIN 100u
#define CHUNK_TOKENS_MAX 4096u
#define CHUNK_TOKENS     800u /* when only the overlap is said */
#define CHUNK_OVERLAP    400u /* ... only the size */
#define TOKEN_WEIGHT     (4 * LETTER_WEIGHT)

/* {0}: none: along the structure alone, by passages_cut(). */
struct chunking {
    uint32_t tokens, overlap;
};
bool chunking_is(struct chunking a, struct chunking b); /* the same */
/* From members chunk_tokens and chunk_overlap, as they are kept; not there: along the structure, as all were that were written
 * down before this could be said. */
struct json;
bool chunking_read(const struct json *j, struct chunking *out) MUST_CHECK;
/* Of numbers that come from outside. */
bool chunking_fits(struct chunking chunking);

bool passages_chunk(struct arena *arena, const struct document *document, struct chunking chunking,
                    struct passage **out, size_t *count, struct err *err) MUST_CHECK;
/* How many of a passage's first blocks are the end of the one before it, once more: the same text from the same
 * bytes. */
size_t passage_repeats(const struct passage *before, const struct passage *passage);

#endif
