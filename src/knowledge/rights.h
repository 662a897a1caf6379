/* knowledge/rights.h: who may read a document.
 * Readers  any one of them lets in; none: everyone whose key may ask the model.
 *            everyone          tenant:NAME      team:TENANT/TEAM
 *            key:ID            a key, or a person ("u_...") as the audit log names them
 *            tag:NAME          keys and people with this tag: classes such as tag:class-secret
 * Names are compared whole; there are no patterns, so a reader is never let in by accident.
 * Bounds   READERS_MAX of READER_LEN_MAX bytes a document. */
#ifndef WEIR_KNOWLEDGE_RIGHTS_H
#define WEIR_KNOWLEDGE_RIGHTS_H

#include "accounts/principal.h"
#include "base/arena.h"

#define READERS_MAX    64u
#define READER_LEN_MAX 200u

/* Sorted, each once, a line each; "" for none. ERR_INVALID names the one that is no reader. */
bool readers_join(struct arena *arena, const struct str *list, size_t count, struct str *out,
                  struct err *err) MUST_CHECK;
/* readers: of readers_join(). */
bool readers_allow(struct str readers, const struct principal *who);

#endif
