/* knowledge/zip.h: a zip archive in memory, as office files, OpenDocument and EPUB are.
 * Reads   the central directory; stored and deflated entries, zip64 sizes; checks lengths and CRC-32.
 * Refuses encrypted entries, other methods, archives cut off.
 * Bounds  below; a bomb is ERR_TOO_LARGE before it has grown. Names are of the archive and used for
 *         nothing but finding entries.
 * Pure    everything in the caller's arena. Source: PKWARE APPNOTE 6.3.10. */
#ifndef WEIR_KNOWLEDGE_ZIP_H
#define WEIR_KNOWLEDGE_ZIP_H

#include "base/arena.h"

#define ZIP_ENTRIES_MAX     20000u
#define ZIP_ENTRY_BYTES_MAX ((size_t)60 * MIB)
#define ZIP_TOTAL_BYTES_MAX ((size_t)400 * MIB) /* of what was read, unpacked */
#define ZIP_RATIO_MAX       250u                /* of entries that unpack to more than: */
#define ZIP_RATIO_FREE      ((size_t)8 * MIB)

struct zip_entry {
    struct str name;
    uint64_t packed, size, offset;
    uint32_t crc;
    uint16_t method, flags;
};
struct zip {
    struct arena *arena;
    struct str bytes;
    struct zip_entry *entries;
    size_t count;
    size_t unpacked; /* by zip_read() so far */
};

/* ERR_INVALID: not a zip archive, or one that is encrypted by the office program. */
bool zip_open(struct zip *zip, struct arena *arena, struct str bytes, struct err *err) MUST_CHECK;
/* Without regard to case and a leading slash; NULL when there is none. */
const struct zip_entry *zip_find(const struct zip *zip, struct str name);
bool zip_read(struct zip *zip, const struct zip_entry *entry, struct str *out, struct err *err)
    MUST_CHECK;

#endif
