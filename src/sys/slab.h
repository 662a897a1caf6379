/* sys/slab.h: many objects of one size, given out and taken back without a search. Internal to sys.
 * Memory is mapped in chunks and unmapped only by slab_done(): a pointer into a slab stays readable,
 * so a late event may look at an object that was given back and see by its generation that it is
 * gone. Under ASan what is free is poisoned, except for its first SLAB_HEAD bytes.
 * Threads  one at a time. */
#ifndef WEIR_SYS_SLAB_H
#define WEIR_SYS_SLAB_H

#include "base/base.h"

#define SLAB_HEAD ((size_t)16) /* survives slab_give(); the link of the free list follows it */

struct slab {
    size_t item_bytes;
    void *free;   /* list through the bytes after the head */
    void *chunks; /* list through their first words */
    uint32_t in_use;
};

void slab_init(struct slab *s, size_t item_bytes); /* at least 24 bytes; rounded up to 16 */
/* Zeroed, except for the head of an item used before; NULL when the system has no memory. */
void *slab_take(struct slab *s) MUST_CHECK;
void slab_give(struct slab *s, void *item);
void slab_done(struct slab *s);

#endif
