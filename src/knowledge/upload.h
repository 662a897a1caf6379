/* knowledge/upload.h: documents that are sent, one at a time, and the bytes of documents.
 * Identity   an upload is known by its name within its base: the same name again is a new version of it, the
 *            same bytes again change nothing. Its source is "upload/NAME", or another that the caller says; no
 *            path of a file begins like that.
 * Originals  what was sent stands in originals/SHA256 below the base's directory until no document has these
 *            bytes any more: written before the commit that names it, removed behind the one that does not,
 *            and what a crash left between the two is removed when the base is opened.
 * Refused    a file that cannot be read leaves the version before it as it was, and nothing of itself. */
#ifndef WEIR_KNOWLEDGE_UPLOAD_H
#define WEIR_KNOWLEDGE_UPLOAD_H

#include "knowledge/knowledge.h"

#define UPLOAD_NAME_MAX 255u

struct upload {
    struct str name;           /* as shown; its ending says the type, else its bytes */
    struct str source;         /* empty: "upload/NAME" */
    wall_ms since;             /* when it came; 0: now */
    const char *file;          /* where its bytes stand meanwhile; stays the caller's */
    struct ingest_wish labels; /* path: not looked at */
    struct chunking chunking;  /* another one is another version of it */
    /* Asked with the index's writer held, before a byte of it is kept: whoever forgets the file holds that too, so that
     * what is forgotten while it is on its way does not come in behind it. NULL: it is. Blocks. */
    bool (*wanted)(void *ctx, struct err *err);
    void *ctx;
};
struct upload_report {
    enum became { UPLOAD_ADDED, UPLOAD_CHANGED, UPLOAD_UNCHANGED } became;
    struct document_info document;
    struct str *notes; /* what was left out or guessed */
    size_t note_count;
};
/* ERR_INVALID, ERR_TOO_LARGE: about this file, which is then not there. ERR_UNAVAILABLE: another run is writing
 * and did not end in UPLOAD_WAIT, or there is no reader to be had. */
SUSPENDS bool knowledge_upload(struct knowledge *knowledge, struct arena *arena,
                               const struct upload *upload, struct upload_report *out,
                               struct err *err) MUST_CHECK;
#define UPLOAD_WAIT (30 * SECOND)

/* One that `who` (NULL: everybody) may read, by its id; else ERR_NOT_FOUND, as if it were not there. */
SUSPENDS bool knowledge_document(struct knowledge *knowledge, struct arena *arena, struct str id,
                                 const struct principal *who, struct document_info *out,
                                 struct err *err) MUST_CHECK;
struct document_content {
    struct document_info document;
    struct str bytes;
    const char
        *media;    /* "application/pdf"; text of all kinds is text/plain: nothing of it is run */
    bool is_shown; /* a browser may show it where it stands; else it is one to be saved */
};
/* The original's bytes, those that citations count in: ERR_NOT_FOUND too when the file of a folder is gone or
 * another than the one that was read. */
SUSPENDS bool knowledge_content(struct knowledge *knowledge, struct arena *arena, struct str id,
                                const struct principal *who, struct document_content *out,
                                struct err *err) MUST_CHECK;

/* Its passages in order, as a search would give them, by its id or source. */
SUSPENDS bool knowledge_text(struct knowledge *knowledge, struct arena *arena, struct str id,
                             const struct principal *who, struct passages_found *out,
                             struct err *err) MUST_CHECK;

#endif
