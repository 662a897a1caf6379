/* knowledge/forget.h: removing documents for good, with what a receipt needs: what went, what the index was before
 * and is now, and fingerprints by which anybody can look whether the text is back.
 * One commit: all that was meant goes, or nothing.
 * Files   of the shelf (shelf.h) stay: the report names those that went out of this base, and who has all bases says
 *         which of them nobody needs any more. */
#ifndef WEIR_KNOWLEDGE_FORGET_H
#define WEIR_KNOWLEDGE_FORGET_H

#include "base/hash.h"
#include "knowledge/fingerprint.h"
#include "knowledge/knowledge.h"

#define FORGET_DOCUMENTS_MAX 10000 /* at once: a receipt lists them all */
#define FORGET_PRINTS_MAX    8192  /* of all of them; of each document at least some */

struct forget_wish {
    struct str document; /* an id, a path, a folder with all that lay in it, a source; empty: */
    struct str person;   /* all whose metadata says owner, subject or person: this one; empty: */
    struct vanished *vanished; /* ... these, each as long as it is of this version; NULL: */
    size_t vanished_count;
    bool all; /* ... all there are */
    const struct fingerprint_way
        *way;     /* of taking fingerprints; NULL: a salt of its own, and as many as are
                                        * needed for each document to have some */
    bool dry_run; /* looks, and removes nothing */
    bool compact; /* leaves one segment, whose bytes say nothing of what was in the index */
};
enum forgotten_source { SOURCE_NONE, SOURCE_HAS_IT, SOURCE_MAY_HAVE_IT };
struct forgotten {
    struct str id;
    struct str path;              /* when it was only looked at; else empty: nothing of it stays */
    enum document_match how;      /* it was meant by wish.document */
    enum forgotten_source source; /* when it was looked at */
    struct str base;              /* for who has several; empty */
    uint64_t version, bytes, passages;
    uint32_t prints;    /* taken of it, that no other document of the base has */
    struct sha256 hash; /* SHA-256 over the receipt's salt and the SHA-256 of the file */
};
struct index_file {
    struct str name;
    uint64_t bytes;
    struct sha256 hash;
};
struct forget_report {
    struct forgotten *documents; /* in order of their ids */
    size_t count;
    uint64_t passages;
    struct fingerprints prints; /* nothing marked */
    size_t shared;              /* that other documents of the base have too: left out */
    struct str *files;          /* of the shelf: documents came from them, or should have */
    size_t file_count;
    uint32_t attached;  /* of them on their way into the base, or failed there */
    uint32_t originals; /* of documents that were sent: removed with them */
    struct index_file *before, *after;
    size_t before_count, after_count;
};
/* ERR_NOT_FOUND: no such document, nor a file on its way. A person without documents is none: then nothing goes. */
SUSPENDS bool knowledge_erase(struct knowledge *knowledge, struct arena *arena,
                              const struct forget_wish *wish, struct forget_report *out,
                              struct err *err) MUST_CHECK;
/* Marks those files of the shelf that the base needs: a document came from them, or is to. */
SUSPENDS bool knowledge_needs(struct knowledge *knowledge, const struct str *files, size_t count,
                              bool *needed, struct err *err) MUST_CHECK;
/* One segment, whose bytes are decided by the documents alone. COMPACTING stands in the directory meanwhile: who finds it
 * at a start does it again. */
#define COMPACTING "compacting"
SUSPENDS bool knowledge_compact(struct knowledge *knowledge, struct err *err) MUST_CHECK;

/* Blocking bodies, for tests. */
bool erase_now(struct knowledge *knowledge, struct arena *arena, const struct forget_wish *wish,
               struct forget_report *out, struct err *err) MUST_CHECK;
bool compact_now(struct knowledge *knowledge, struct err *err) MUST_CHECK;

#endif
