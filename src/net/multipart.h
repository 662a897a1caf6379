/* net/multipart.h: multipart/form-data (RFC 7578), read as it comes.
 * Feed     bytes of any cut; ask for events until MULTIPART_MORE, then feed again. A view that an event gives
 *          is good until the next feed.
 * Order    PART, its DATA (none, one or many), PART_END, the next PART, ..., END. What stands before the
 *          first delimiter and behind the last is dropped, as RFC 2046 wants it.
 * Names    of fields and files: %22, %0D and %0A are decoded, as browsers and their kin escape them, and
 *          backslash escapes of a quoted string; filename* is not read.
 * Limits   MULTIPART_HEAD_MAX bytes of a part's fields; MULTIPART_FEED_MAX of one feed; the data as who reads
 *          it bounds it. ERR_INVALID says what is wrong with the form.
 * Memory   one buffer, in the arena. */
#ifndef WEIR_NET_MULTIPART_H
#define WEIR_NET_MULTIPART_H

#include "base/buf.h"

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 */
#define MULTIPART_HEAD_MAX     ((size_t)8 * KIB)
#define MULTIPART_FEED_MAX     ((size_t)64 * KIB)

enum multipart_event {
    MULTIPART_MORE,
    MULTIPART_PART,
    MULTIPART_DATA,
    MULTIPART_PART_END,
    MULTIPART_END
};

struct multipart_part {
    struct str name;     /* of the field */
    struct str filename; /* ptr NULL: it is no file */
    struct str type;     /* content-type, or empty */
};
struct multipart {
    struct arena *arena;
    char *bytes; /* [at, end) is not used yet */
    size_t at, end;
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* CR LF "--" boundary */
    size_t delimiter_len;
    int state;
};

/* type: the content-type of the body. ERR_INVALID: not multipart/form-data, or without a boundary. */
bool multipart_init(struct multipart *m, struct arena *arena, struct str type, struct err *err)
    MUST_CHECK;
/* At most MULTIPART_FEED_MAX bytes, when the last event was MULTIPART_MORE. */
void multipart_feed(struct multipart *m, struct str bytes);
/* part: of MULTIPART_PART, in the arena; data: of MULTIPART_DATA, a view. */
bool multipart_next(struct multipart *m, enum multipart_event *event, struct multipart_part *part,
                    struct str *data, struct err *err) MUST_CHECK;

/* Parameter of a field such as `form-data; name="x"`, unquoted, in the arena; ptr NULL: it has none. */
bool multipart_parameter(struct arena *arena, struct str field, struct str name, struct str *out,
                         struct err *err) MUST_CHECK;

#endif
