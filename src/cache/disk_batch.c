#include "cache/disk_batch.h"

#include <string.h>

#include "base/pages.h"
#include "cache/disk_internal.h"

#define EXPECT_BYTES ((size_t)2048) /* of the next record */

size_t disk_record_bytes(const struct entry *e)
{
    return sizeof(struct record_head) + e->text.len;
}

struct disk_batch *disk_batch_new(const struct entry *e)
{
    size_t got, least = sizeof(struct disk_batch) + disk_record_bytes(e);
    struct disk_batch *b = pages_take(MAX_OF(least, DISK_BATCH_BYTES), &got);

    if (!b)
        return NULL;
    b->next = NULL;
    b->got = got;
    b->cap = got - sizeof *b;
    b->len = b->count = 0;
    return b;
}

void disk_batch_free(struct disk_batch **batch)
{
    struct disk_batch *b = *batch;

    *batch = NULL;
    if (b)
        pages_give(b, b->got);
}

bool disk_batch_fits(const struct disk_batch *b, const struct entry *e)
{
    return b->count < DISK_BATCH_ITEMS && disk_record_bytes(e) <= b->cap - b->len;
}

void disk_batch_add(struct disk_batch *b, const struct entry *e, uint64_t mark)
{
    struct record_head head;

    ASSERT(disk_batch_fits(b, e));
    record_head_fill(&head, e);
    b->items[b->count++] = (struct disk_batch_item){.key = head.key,
                                                    .expires = head.expires,
                                                    .space = head.space,
                                                    .model = head.model,
                                                    .mark = mark,
                                                    .at = b->len,
                                                    .text_bytes = head.bytes,
                                                    .tagged = head.tagged};
    memcpy(b->bytes + b->len, &head, sizeof head);
    memcpy(b->bytes + b->len + sizeof head, e->text.ptr, e->text.len);
    b->len += sizeof head + e->text.len;
    expect_write(b->bytes + b->len, MIN_OF(b->cap - b->len, EXPECT_BYTES));
}
