/* knowledge/source_watch.h: a folder with all below it, watched.
 * Hidden folders and links are not, as they are not read. */
#ifndef WEIR_KNOWLEDGE_SOURCE_WATCH_H
#define WEIR_KNOWLEDGE_SOURCE_WATCH_H

#include "base/str.h"
#include "sys/pool.h"
#include "sys/watch.h"

/* Begins it (*watch NULL), or adds what came since. On failure what is watched stays so. watch_close() it. */
SUSPENDS bool folder_watch(struct pool *pool, struct str folder, struct watch **watch,
                           struct err *err) MUST_CHECK;

#endif
