/* Any bytes as a PDF: refused with a reason, or a rendition that survives the pipe and becomes blocks and
 * passages; its places lie on pages. Within the memory that it is given. */
#include "fuzz.h"
#include "knowledge/passage.h"
#include "knowledge/readers.h"

static void check_rendition(struct arena *arena, const struct rendition *made)
{
    struct rendition back;
    struct document d;
    struct passage *passages;
    struct err err = {0};
    struct buf bytes;
    size_t count;

    buf_init(&bytes, arena, 64 * MIB);
    rendition_write(&bytes, made);
    if (!buf_ok(&bytes))
        return; /* larger than a child may send */
    ASSERT(rendition_read(arena, buf_view(&bytes), &back) && back.count == made->count);
    for (size_t i = 0; i < back.count; i++) {
        const struct place *p = &back.elements[i].place;

        ASSERT(back.elements[i].kind == ELEMENT_CELL ||
               (p->page > 0 && p->left < p->right && p->top < p->bottom));
    }
    if (rendition_document(arena, &back, &d, &err))
        ASSERT(passages_cut(arena, &d, &passages, &count, &err) || err.code == ERR_EXHAUSTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct rendering r;
    struct rendition made;
    struct err err = {0};

    if (size > 256 * KIB)
        return 0;
    rendering_init(&r, arena);
    if (read_pdf((struct str){(const char *)data, size}, &r, &err) &&
        rendering_end(&r, &made, &err))
        check_rendition(arena, &made);
    else
        ASSERT(err.code != ERR_NONE && err.text[0]);
    return 0;
}
