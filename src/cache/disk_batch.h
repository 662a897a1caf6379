/* cache/disk_batch.h: answers on their way to disk, as they will stand there: copied while they are warm, written
 * together. The caller hangs batches in a list of its own and guards them.
 * Memory   a block of base/pages: DISK_BATCH_BYTES, more for one long answer. */
#ifndef WEIR_CACHE_DISK_BATCH_H
#define WEIR_CACHE_DISK_BATCH_H

#include "cache/entry.h"

#define DISK_BATCH_ITEMS 64
#define DISK_BATCH_BYTES (128 * KIB)

/* What the index is told of a record. */
struct disk_batch_item {
    struct cache_key key;
    int64_t expires;
    uint64_t space, model; /* hashes of the names */
    uint64_t mark;         /* the caller's: disk_put() writes those of one mark */
    size_t at;             /* of the record in `bytes` */
    uint32_t text_bytes;
    bool tagged;
};

struct disk_batch {
    struct disk_batch *next; /* the caller's */
    size_t got, len, cap;
    size_t count;
    struct disk_batch_item items[DISK_BATCH_ITEMS];
    char bytes[];
};

/* NULL: no memory. With room for `e`, whatever its size. */
struct disk_batch *disk_batch_new(const struct entry *e) MUST_CHECK;
void disk_batch_free(struct disk_batch **batch);
bool disk_batch_fits(const struct disk_batch *batch, const struct entry *e);
void disk_batch_add(struct disk_batch *batch, const struct entry *e, uint64_t mark); /* it fits */
size_t disk_record_bytes(const struct entry *e); /* what it takes, head included */

#endif
