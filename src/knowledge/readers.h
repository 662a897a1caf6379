/* knowledge/readers.h: readers of files that are not text, and the children without rights they run in.
 * A reader  turns a file's bytes into a rendition, element by element, in `to->arena`, which is also all
 *           the memory it may take. It opens nothing, starts nothing, keeps nothing between files.
 * Errors    ERR_INVALID: the bytes are no file of this type, or one that cannot be read (encrypted);
 *           ERR_TOO_LARGE names the bound that was met. What was left out is said with rendering_note().
 * Promise   for any bytes: an error with a reason, or a rendition that rendition_read() accepts.
 * Fuzzed    by fuzz/, a target each. */
#ifndef WEIR_KNOWLEDGE_READERS_H
#define WEIR_KNOWLEDGE_READERS_H

#include "knowledge/rendition.h"

typedef bool reader_fn(struct str bytes, struct rendering *to, struct err *err);

reader_fn read_docx, read_xlsx, read_pptx, read_odf, read_epub, read_mail;
reader_fn read_pdf;

/* The reader of a type that needs a child; NULL for text types, which document_read() reads. */
reader_fn *document_reader(enum document_type type);

/* --- the children ----------------------------------------------------------------------------- */

/* Threads  any; blocking, as sys/worker.h is.
 * Limits   of one file: memory on top of the program's own, processor time (and four times that by the
 *          clock), bytes of its rendition. A child serves many files and is replaced when it dies. */
struct readers;
struct readers_options {
    const char *const *argv; /* NULL-ended, of the child; NULL: this program, as main() knows it */
    size_t memory_max;       /* default 512 MiB */
    size_t output_max;       /* default 64 MiB */
    dur_ns time_max;         /* default 20 s */
    uint32_t children_max;   /* at once, up to READERS_CHILDREN_MAX; default 2 */
    bool without_sandbox;    /* where the kernel has none: read all the same */
};
#define READERS_CHILDREN_MAX 64
bool readers_open(struct arena *arena, const struct readers_options *options, struct readers **out,
                  struct err *err) MUST_CHECK;
void readers_close(struct readers **readers);
/* false: the kernel has no sandbox, and `why` says what follows from that. */
bool readers_have_sandbox(const struct readers *readers, struct err *why) MUST_CHECK;
/* ERR_INVALID, ERR_TOO_LARGE: about this file, whatever it did to the child. ERR_UNAVAILABLE: there
 * is no child to be had, and nothing is known about the file. The rendition is in the arena. */
bool readers_read(struct readers *readers, struct arena *arena, enum document_type type,
                  struct str bytes, struct rendition *out, struct err *err) MUST_CHECK;

/* What the child does: main() calls it when argv[1] is READER_WORD. Gives the exit status. */
#define READER_WORD "read-documents"
int reader_main(int argc, char **argv);

#endif
