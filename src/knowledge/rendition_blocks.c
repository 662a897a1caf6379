/* Blocks that were read from text (a mail's HTML, a chapter of an EPUB) as elements of a rendition. */
#include "knowledge/rendition.h"

static void put_block(struct rendering *to, const struct block *b, const struct place *place)
{
    static const enum element_kind kinds[] = {[BLOCK_HEADING] = ELEMENT_HEADING,
                                              [BLOCK_PARAGRAPH] = ELEMENT_PARAGRAPH,
                                              [BLOCK_ITEM] = ELEMENT_ITEM,
                                              [BLOCK_ROW] = ELEMENT_ROW,
                                              [BLOCK_CODE] = ELEMENT_CODE};

    rendering_begin(to, kinds[b->kind], b->level, place);
    if (b->kind == BLOCK_ROW) /* labels and all: it has read its table already */
        rendering_begin(to, ELEMENT_CELL, 1, NULL);
    rendering_text(to, b->text);
}

void rendering_document(struct rendering *to, const struct document *document,
                        const struct place *place)
{
    bool in_rows = false;

    if (document->note.len > 0)
        rendering_note(to, STR_FMT, STR_ARG(document->note));
    for (size_t i = 0; i < document->count; i++) {
        const struct block *b = &document->blocks[i];

        if (b->kind == BLOCK_ROW && !in_rows) /* its labels are its own */
            rendering_begin(to, ELEMENT_HEADER, 1, place);
        in_rows = b->kind == BLOCK_ROW;
        put_block(to, b, place);
    }
}
