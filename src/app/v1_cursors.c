#include <string.h>

#include "app/v1.h"
#include "base/hash.h"
#include "sys/mutex.h"

struct cursors {
    struct mutex mutex;
    struct cursor {
        struct sha256 of; /* the list and the item */
        wall_ms created;
    } at[CURSORS_MAX];
    size_t next;
};

struct cursors *cursors_new(struct arena *arena)
{
    struct cursors *cursors = arena_alloc(arena, sizeof *cursors);

    if (cursors)
        mutex_init(&cursors->mutex);
    return cursors;
}

void cursors_done(struct cursors *cursors)
{
    if (cursors)
        mutex_done(&cursors->mutex);
}

void cursors_keep(struct cursors *cursors, struct str list, const struct v1_page *page)
{
    mutex_lock(&cursors->mutex);
    for (size_t i = 0; i < page->count; i++)
        cursors->at[cursors->next++ % CURSORS_MAX] =
            (struct cursor){sha256_two(list, page->items[i].id), page->items[i].created};
    mutex_unlock(&cursors->mutex);
}

bool cursors_find(struct cursors *cursors, struct str list, struct str id, wall_ms *created)
{
    struct sha256 of = sha256_two(list, id);
    bool found = false;

    mutex_lock(&cursors->mutex);
    for (size_t i = 1; i <= MIN_OF(cursors->next, (size_t)CURSORS_MAX) && !found; i++) {
        const struct cursor *c = &cursors->at[(cursors->next - i) % CURSORS_MAX];

        found = memcmp(&c->of, &of, sizeof of) == 0;
        *created = c->created;
    }
    mutex_unlock(&cursors->mutex);
    return found;
}
