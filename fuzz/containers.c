/* Any bytes as a file of a type that a child reads: refused with a reason, or a rendition that reads back.
 * What is inside archives meets fuzz/office.c; here are the archive, the mail and its parts. The first byte
 * chooses the type. */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static reader_fn *const readers[] = {read_mail, read_docx, read_xlsx,
                                         read_pptx, read_odf,  read_epub};
    struct arena *arena CLEANUP(arena_end) = arena_new(512 * MIB);

    if (size > 1 && size < 64 * KIB)
        fuzz_reader(arena, readers[data[0] % ARRAY_LEN(readers)],
                    (struct str){(const char *)data + 1, size - 1});
    return 0;
}
