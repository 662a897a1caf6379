#include "sys/slab.h"

#include <string.h>
#include <sys/mman.h>

#include "sys/sanitize.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNK_HEAD  ((size_t)16)

void slab_init(struct slab *s, size_t item_bytes)
{
    ASSERT(item_bytes >= SLAB_HEAD + sizeof(void *) && item_bytes < CHUNK_BYTES / 4);
    *s = (struct slab){.item_bytes = (item_bytes + 15) & ~(size_t)15};
}

static void **link_of(void *item)
{
    return (void **)(void *)((char *)item + SLAB_HEAD);
}

static void push_free(struct slab *s, void *item)
{
    *link_of(item) = s->free;
    s->free = item;
    SANITIZE_POISON((char *)item + SLAB_HEAD, s->item_bytes - SLAB_HEAD);
}

static bool add_chunk(struct slab *s)
{
    char *chunk =
        mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t items = (CHUNK_BYTES - CHUNK_HEAD) / s->item_bytes;

    if (chunk == MAP_FAILED)
        return false;
    *(void **)(void *)chunk = s->chunks;
    s->chunks = chunk;
    while (items-- > 0) /* from the end: the first one taken is the lowest */
        push_free(s, chunk + CHUNK_HEAD + items * s->item_bytes);
    return true;
}

void *slab_take(struct slab *s)
{
    if (!s->free && !add_chunk(s))
        return NULL;
    char *item = s->free;

    SANITIZE_UNPOISON(item + SLAB_HEAD, s->item_bytes - SLAB_HEAD);
    s->free = *link_of(item);
    memset(item + SLAB_HEAD, 0, s->item_bytes - SLAB_HEAD);
    s->in_use++;
    return item;
}

void slab_give(struct slab *s, void *item)
{
    ASSERT(s->in_use > 0);
    s->in_use--;
    push_free(s, item);
}

void slab_done(struct slab *s)
{
    while (s->chunks) {
        void *chunk = s->chunks;
        s->chunks = *(void **)chunk;
        SANITIZE_UNPOISON(chunk, CHUNK_BYTES);
        munmap(chunk, CHUNK_BYTES);
    }
    s->free = NULL;
    s->in_use = 0;
}
