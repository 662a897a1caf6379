/* cache/disk_internal.h: records, segments and index, for disk.c (finding, purging) and disk_write.c
 * (opening, writing, making room). */
#ifndef WEIR_CACHE_DISK_INTERNAL_H
#define WEIR_CACHE_DISK_INTERNAL_H

#include <stdatomic.h>

#include "base/table.h"
#include "cache/disk.h"
#include "net/ring.h"
#include "net/stock.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define RECORD_LIVE 0x4c434557u /* "WECL" */
#define RECORD_DEAD 0x44434557u /* "WECD" */

/* Before each entry's text, in the machine's byte order. */
struct record_head {
    uint32_t magic, head_crc; /* head_crc: of the head with this field 0 */
    uint32_t bytes, body_crc; /* of the text */
    struct cache_key key;
    int64_t expires;
    uint64_t space, model; /* hashes of the names: for the index */
    uint32_t tagged, pad;
};
static_assert(sizeof(struct record_head) == 80, "it goes to disk as it is");

struct segment {
    struct segment *newer;
    struct file *file;
    size_t got; /* of the page that this struct stands in */
    uint64_t number;
    int64_t bytes, live; /* written; of records in the index */
    uint32_t entries, users;
    struct ring items; /* of the index, that stand in this file */
    bool gone, dirty;  /* dirty: wiped in it, and not yet synced */
    bool leftover;     /* what no index has may still be read in it: the next purge wipes that */
};

struct disk_item {    /* of the index */
    struct ring link; /* in its segment */
    struct cache_key key;
    struct segment *segment;
    int64_t at, expires;
    uint64_t space, model;
    uint32_t bytes;
    bool tagged, recent;
    bool purged; /* nobody finds it, but it could not be wiped: the next purge tries again */
};

/* What is written at once: records of a batch that follow each other. */
struct disk_run {
    struct segment *segment;
    const struct disk_batch *batch;
    size_t first, count, len;
    struct disk_item old[DISK_BATCH_ITEMS]; /* what stood under the same keys */
    bool lost[DISK_BATCH_ITEMS];            /* no memory for it in the index */
};

/* How many keys of the index end in the same bits: none for most that are asked for and not there, which then cost
 * neither the lock nor a cold line of the index. Written with the lock held, read without; 255 stays. */
struct disk_filter {
    atomic_uchar *_Atomic counts; /* NULL: the index has never had a key */
    size_t mask, got;
};

struct disk {
    struct disk_options options;
    struct arena *arena; /* holds this struct */
    struct disk_filter filter;
    struct disk_run run;  /* of who holds `writing` */
    struct mutex writing; /* one writes, makes room or purges; taken before `lock` */
    struct mutex lock;    /* index and segments; held for a moment */
    struct table by_key;  /* key -> struct disk_item */
    struct stock items;
    struct segment *oldest, *newest;
    uint32_t segment_count;
    bool removed; /* a file, and the directory not synced since; `writing` guards it */
    uint64_t next_number, evictions;
    int64_t bytes;
    atomic_uint_fast64_t damaged;
};

uint32_t record_head_crc(const struct record_head *head);
void record_head_fill(struct record_head *head, const struct entry *e);
uint64_t disk_name_hash(struct str name); /* the same in every process */
struct str disk_item_key(const struct disk_item *item);
struct disk_item *disk_find(struct disk *d, const struct cache_key *key);
bool disk_index(struct disk *d, const struct disk_item *from, struct disk_item *old) MUST_CHECK;
void disk_unindex(struct disk *d, struct disk_item *item);
void disk_release(struct disk *d, struct segment *s);
struct entry *disk_read(const struct disk_item *item) MUST_CHECK;
bool disk_wipe(struct disk *d, const struct disk_item *item, struct err *err) MUST_CHECK;

#endif
