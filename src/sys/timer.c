#include "sys/timer.h"

static bool is_earlier(const struct timer *a, const struct timer *b)
{
    return a->when < b->when || (a->when == b->when && a->order < b->order);
}

/* Both are roots without siblings; NULL is an empty heap. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (is_earlier(b, a)) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

static struct timer *detach(struct timer *t)
{
    t->next = t->prev = NULL;
    return t;
}

/* The two passes: meld neighbours from the left, then all pairs from the right. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL, *all = NULL;

    while (first) {
        struct timer *a = first, *b = first->next;
        first = b ? b->next : NULL;
        a = detach(a);
        struct timer *pair = meld(a, b ? detach(b) : NULL);
        pair->next = pairs; /* a stack: the rightmost pair comes out first */
        pairs = pair;
    }
    while (pairs) {
        struct timer *pair = pairs;
        pairs = pair->next;
        all = meld(all, detach(pair));
    }
    return all;
}

void timer_remove(struct timers *all, struct timer *t)
{
    if (!t->armed)
        return;
    struct timer *below = meld_siblings(t->child);

    if (t == all->root) {
        all->root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        all->root = meld(all->root, below);
    }
    t->child = NULL;
    detach(t);
    t->armed = false;
    all->count--;
}

void timer_add(struct timers *all, struct timer *t, mono_ns when)
{
    timer_remove(all, t);
    t->when = when;
    t->order = all->added++;
    t->child = NULL;
    t->armed = true;
    all->root = meld(all->root, detach(t));
    all->count++;
}

bool timer_fire_next(struct timers *all, mono_ns now)
{
    struct timer *t = all->root;

    if (!t || t->when > now)
        return false;
    timer_remove(all, t);
    t->fire(t, now);
    return true;
}
