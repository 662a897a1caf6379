/* net/ring.h: lists through their members. A ring's head is a link of its own; a link that is in no
 * ring points at itself, so that taking it out twice does no harm. */
#ifndef WEIR_NET_RING_H
#define WEIR_NET_RING_H

#include "base/base.h"

struct ring {
    struct ring *before, *after;
};

#define RING_FIRST(head, type, member) \
    (ring_is_empty(head) ? NULL : CONTAINER_OF((head)->after, type, member))

static inline void ring_init(struct ring *r)
{
    r->before = r->after = r;
}

static inline bool ring_is_empty(const struct ring *head)
{
    return head->after == head;
}

static inline void ring_remove(struct ring *r)
{
    r->before->after = r->after;
    r->after->before = r->before;
    ring_init(r);
}

static inline void ring_append(struct ring *head, struct ring *r)
{
    r->before = head->before;
    r->after = head;
    head->before->after = r;
    head->before = r;
}

static inline void ring_prepend(struct ring *head, struct ring *r)
{
    ring_append(head->after, r);
}

#endif
