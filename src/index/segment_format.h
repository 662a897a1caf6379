/* index/segment_format.h: the header of a segment file, for its reader and its writer. */
#ifndef WEIR_INDEX_SEGMENT_FORMAT_H
#define WEIR_INDEX_SEGMENT_FORMAT_H

#include "index/segment.h"

#define SEGMENT_MAGIC   "WEIRLEX1"
#define SEGMENT_VERSION 3u /* 1: no skips; 2: no cuts; still read */

struct segment_header {
    char magic[8];
    uint32_t version;
    uint32_t documents, passages, terms;
    uint64_t lengths[TERM_FIELDS];
    struct {
        uint64_t at, len;
        uint32_t crc, unused;
    } sections[SECTIONS];
    uint32_t unused;
    uint32_t crc; /* of everything before it; last */
};
static_assert(sizeof(struct segment_header) == 192, "part of the file format, no padding");

#define VARINT_MAX 5
size_t varint_put(uint8_t to[VARINT_MAX], uint32_t value);
uint32_t segment_header_crc(const struct segment_header *header);

#endif
