/* knowledge/passage.h: a document's blocks as passages, the unit that is indexed, found and cited from.
 * Cut      along the structure: a heading begins a new passage, a passage ends at a block, and only a
 *          block larger than a passage is cut, between sentences.
 * Size     about 1,600 characters of English or 600 of Chinese (facts: larger ones are found better,
 *          the sentence is chosen afterwards).
 * Records  a passage as bytes in the index and back; reading checks every length. */
#ifndef WEIR_KNOWLEDGE_PASSAGE_H
#define WEIR_KNOWLEDGE_PASSAGE_H

#include "base/buf.h"
#include "knowledge/document.h"

struct passage {
    struct str heading; /* path below the document's title: "Water damage > Limits" */
    struct block *blocks;
    size_t count;
};

bool passages_cut(struct arena *arena, const struct document *document, struct passage **out,
                  size_t *count, struct err *err) MUST_CHECK;

/* --- parts of cutting, for who cuts otherwise: chunks.c -------------------------------------- */

#define LETTER_WEIGHT 3u /* an ideograph weighs 8/3 of a letter */
uint32_t passage_weight(struct str text);
#define HEADING_LEVELS 6
struct headings { /* those that a block stands below */
    struct str at[HEADING_LEVELS + 1];
};
void headings_enter(struct headings *headings, const struct block *heading);
struct str headings_path(const struct headings *headings, struct arena *arena, struct str title);
/* text[from, to) of a block with its runs: identity runs are cut, others go with their beginning. */
bool block_slice(struct arena *arena, const struct block *block, uint32_t from, uint32_t to,
                 struct block *out) MUST_CHECK;
/* Pieces of one block that stand side by side in it: nothing belongs between their texts. */
bool blocks_join(const struct block *block, const struct block *next);
/* The blocks' texts, a line each. */
bool passage_text(struct arena *arena, const struct passage *passage, struct str *out,
                  struct err *err) MUST_CHECK;
void passage_write(struct buf *to, const struct passage *passage);
/* Texts view the record. false: the bytes make no sense or memory is gone. */
bool passage_read(struct arena *arena, struct str record, struct passage *out) MUST_CHECK;
/* Steps over what passage_write() wrote; what its owner put behind it is left. */
bool passage_skip(struct str *rest) MUST_CHECK;

/* Small records of our own, for documents too. */
void place_write(struct buf *to, const struct place *place);
bool place_read(struct str *rest, struct place *out) MUST_CHECK;
void record_put_number(struct buf *to, uint64_t n);
void record_put_str(struct buf *to, struct str s);
bool record_number(struct str *rest, uint64_t *out) MUST_CHECK;
bool record_str(struct str *rest, struct str *out) MUST_CHECK;

/* --- sentences -------------------------------------------------------------------------------- */

struct sentence {
    uint32_t block, from, to; /* text[from, to) of the passage's block, trimmed */
};
/* Paragraphs and items are split at sentence ends, code at lines; a table row is one. */
bool sentences_split(struct arena *arena, const struct passage *passage, struct sentence **out,
                     size_t *count, struct err *err) MUST_CHECK;
/* The end of the sentence that begins at `from`, behind its closing quotes and brackets. */
size_t sentence_end(struct str text, size_t from);

#endif
