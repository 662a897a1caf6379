/* knowledge/stands.h: whether what an answer was made from still stands in the documents. An answer that is kept
 * has a line for each place it was made from: document, base, what the document's bytes were, and hashes of the text
 * that was used. It is given out for as long as who asks may read each of these documents, and each still has that
 * text under the same path, title and headings; what was taken out of a document goes from the answers too.
 * Damaged  a line that cannot be read says nothing of what the answer was made from: such an answer is not given, and goes.
 * Changed  a document with other bytes: CHANGED stands in the base's directory from before the commit that brings it
 *          in until somebody has looked through the answers that are kept, so that no end of the process passes one
 *          over. */
#ifndef WEIR_KNOWLEDGE_STANDS_H
#define WEIR_KNOWLEDGE_STANDS_H

#include "gateway/gateway.h"
#include "knowledge/bases.h"

#define CHANGED       "changed"
#define CHANGED_TAKEN "changed.now"

/* STR_NONE: no memory. */
struct str stands_line(struct arena *arena, const struct citation *citation, struct str base);
struct str stands_line_of_step(struct arena *arena, const struct citation_step *step,
                               struct str base);

/* Each line, or "ID@BASE" alone, where nothing is known but the document. `who` NULL: the house, to whom a document
 * that is not there says nothing: who removes one removes what was made from it. */
SUSPENDS bool bases_stand(struct bases *bases, struct arena *arena, struct str lines,
                          const struct principal *who, enum made_from *out, struct err *err)
    MUST_CHECK;
/* Its body: the lines of one base. Blocks. */
bool stand_now(struct knowledge *knowledge, struct str lines, struct str base,
               const struct principal *who, enum made_from *out, struct err *err) MUST_CHECK;

/* With the writer held, before the commit that has a document's new text; who looks through the answers is told
 * afterwards. Blocks. */
bool stands_mark(struct knowledge *knowledge, struct err *err) MUST_CHECK;
void stands_changed(struct knowledge *knowledge);
/* The mark is taken: what comes in from here on sets another. Afterwards stands_done(). */
SUSPENDS bool stands_take(struct knowledge *knowledge, struct err *err) MUST_CHECK;
SUSPENDS bool stands_done(struct knowledge *knowledge, struct err *err) MUST_CHECK;

#endif
