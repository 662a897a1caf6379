/* cache/disk.h: the second level: files that survive a restart and kill -9.
 * Files     cache/NNNNNNNN.seg, records one after the other: a head with its own checksum, the entry with
 *           another. Written once; a record's end is known from its head, so a torn one at the end is cut
 *           off at the next start, which says so. Nothing is synced: what power loss takes is asked again.
 * Bounds    bytes of all files, and entries in the index that is held in memory. Over either the oldest
 *           file goes; what was asked for since it was written moves to the newest (second chance), as
 *           long as that is less than half of the file.
 * Purge     overwrites the record's bytes with zeros and syncs, before it returns.
 * Threads   any; the calls that say "blocks" read and write files: in a pool. */
#ifndef WEIR_CACHE_DISK_H
#define WEIR_CACHE_DISK_H

#include "cache/disk_batch.h"

struct disk;

struct disk_options {
    const char *dir;
    int64_t bytes_max, segment_bytes;
    uint32_t entries_max;
};
struct disk_stats {
    uint64_t bytes, entries, evictions, damaged;
    uint32_t segments;
};

bool disk_open(const struct disk_options *options, struct disk **out, struct err *err)
    MUST_CHECK; /* blocks */
void disk_close(struct disk **disk);
void disk_expect(struct disk *d, const struct cache_key *key);           /* asked for soon */
bool disk_has(struct disk *d, const struct cache_key *key, wall_ms now); /* from memory alone */
struct entry *disk_get(struct disk *d, const struct cache_key *key, wall_ms now, dur_ns max_age)
    MUST_CHECK; /* blocks */
/* Those with the mark that stands in *mark when it is the batch's turn to be written, after purges that came first: one
 * after the other, as few writes as possible. How many are kept, of so many; *err has the last reason why one is not. */
size_t disk_put(struct disk *d, const struct disk_batch *batch, const atomic_uint_fast64_t *mark,
                size_t *of, struct err *err) MUST_CHECK; /* blocks */
bool disk_purge(struct disk *d, const struct cache_selector *what, uint64_t *gone, struct err *err)
    MUST_CHECK; /* blocks */
struct disk_stats disk_stats(struct disk *d);

#endif
