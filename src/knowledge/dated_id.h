/* knowledge/dated_id.h: ids of what stands in files: a mark such as "file-" and 24 hexadecimal digits, the first twelve
 * of which are the time, so that ids stand in the order in which they were made. An id that is one is safe as a file's
 * name. Errors: ERR_EXHAUSTED. */
#ifndef WEIR_KNOWLEDGE_DATED_ID_H
#define WEIR_KNOWLEDGE_DATED_ID_H

#include "base/arena.h"

/* In the arena, a C string too. */
bool dated_id_new(struct arena *arena, struct str mark, wall_ms now, struct str *out,
                  struct err *err) MUST_CHECK;
bool dated_id_is(struct str mark, struct str id);      /* digits in small letters alone */
wall_ms dated_id_time(struct str mark, struct str id); /* of one that is */

#endif
