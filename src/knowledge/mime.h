/* knowledge/mime.h: the parts of a mail: headers, encodings, pieces between boundaries (RFC 5322, 2045 to
 * 2047, 2231). Lenient, as mail is: what is broken is read as it stands.
 * Pure     in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_MIME_H
#define WEIR_KNOWLEDGE_MIME_H

#include "base/arena.h"

struct mime_part {
    struct str headers, body; /* body as it is sent */
};
struct mime_part mime_split(struct str bytes);
/* A header's value, unfolded, encoded words decoded, UTF-8; STR_NONE when absent. */
struct str mime_header(struct arena *arena, const struct mime_part *part, const char *name);
/* "text/plain" in lower case; "" when there is none. */
struct str mime_type(struct arena *arena, const struct mime_part *part);
/* Of Content-Type or Content-Disposition: charset, boundary, name, filename; STR_NONE when absent. */
struct str mime_parameter(struct arena *arena, const struct mime_part *part, const char *header,
                          const char *name);
/* The body without its transfer encoding. */
bool mime_body(struct arena *arena, const struct mime_part *part, struct str *out, struct err *err)
    MUST_CHECK;
/* The next piece of a multipart body; false behind the last. */
bool mime_next(struct str *rest, struct str boundary, struct mime_part *out);

#endif
