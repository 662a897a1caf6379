/* knowledge/readers.h: readers of files that are not text. Each runs in a child without rights.
 * A reader  turns a file's bytes into a rendition, element by element, in `to->arena`, which is also all
 *           the memory it may take. It opens nothing, starts nothing, keeps nothing between files.
 * Errors    ERR_INVALID: the bytes are no file of this type, or one that cannot be read (encrypted);
 *           ERR_TOO_LARGE names the bound that was met. What was left out is said with rendering_note().
 * Promise   for any bytes: an error with a reason, or a rendition that rendition_read() accepts.
 * Fuzzed    by fuzz/, a target each. */
#ifndef WEIR_KNOWLEDGE_READERS_H
#define WEIR_KNOWLEDGE_READERS_H

#include "knowledge/rendition.h"

typedef bool reader(struct str bytes, struct rendering *to, struct err *err);

#endif
