/* knowledge/readers_internal.h: what the two sides of the pipe say to each other. A question is a type's
 * number and the file; an answer begins with one of these. */
#ifndef WEIR_KNOWLEDGE_READERS_INTERNAL_H
#define WEIR_KNOWLEDGE_READERS_INTERNAL_H

#define READER_DONE      'r' /* a rendition follows */
#define READER_INVALID   'i' /* a reason follows */
#define READER_TOO_LARGE 'l' /* a reason follows */
#define READER_NO_MEMORY 'm'
#define READER_OVERHEAD  ((size_t)16 * MIB) /* elements and places beside the text */

/* Last of the child's arguments, after memory in bytes and its life in processor seconds. */
#define READER_SHUT "sandbox"
#define READER_FREE "free"

#endif
