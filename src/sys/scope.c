/* Scopes end eagerly: whoever ends one marks it, the scopes inside it and all their children, and
 * wakes whoever waits there. So a wait looks at one field, the innermost scope's, to know.
 * Deadlines are kept lazily: one timer per fiber, armed when the fiber waits, for the earliest of
 * its scopes. Moving a deadline later only stores; a timer that comes early is armed again. */
#include "sys/fiber.h"
#include "sys/loop_internal.h"

static enum err_code over_of(const struct fiber *f)
{
    return f->scope ? f->scope->over : f->over;
}

bool fiber_report_over(struct fiber *f, struct err *err)
{
    return over_of(f) == ERR_TIMEOUT ? err_set(err, ERR_TIMEOUT, "the deadline passed")
                                     : err_set(err, ERR_CANCELLED, "cancelled");
}

/* ---- ending ---- */

static void add_children(struct scope *s, struct fiber **work)
{
    struct fiber *child = s->children;

    if (!child)
        return;
    do {
        if (!child->over) {
            child->next_ended = *work;
            *work = child;
        }
        child = child->sibling_after;
    } while (child != s->children);
}

/* Mark the open scopes of `f` from the innermost to `last` (NULL: all). */
static void mark_scopes(struct fiber *f, struct scope *last, enum err_code why, struct fiber **work)
{
    for (struct scope *s = f->scope; s; s = s->outer) {
        if (!s->over) {
            s->over = why;
            add_children(s, work);
        }
        if (s == last)
            break;
    }
    fiber_interrupt(f);
}

/* A work list and no recursion: a tree of children may be as deep as there are fibers. */
static void end_all(struct fiber *work, enum err_code why)
{
    while (work) {
        struct fiber *f = work;
        work = f->next_ended;
        f->over = why;
        mark_scopes(f, NULL, why, &work);
    }
}

static void scope_end(struct scope *s, enum err_code why)
{
    struct fiber *work = NULL;

    if (s->over)
        return;
    mark_scopes(s->owner, s, why, &work);
    end_all(work, why);
}

void fiber_end_from_outside(struct fiber *f, enum err_code why)
{
    if (f->over)
        return;
    f->next_ended = NULL;
    end_all(f, why);
}

void scope_cancel(struct scope *s)
{
    scope_end(s, ERR_CANCELLED);
}

/* ---- deadlines ---- */

static struct scope *outermost_overdue(const struct fiber *f, mono_ns now)
{
    struct scope *found = NULL;

    for (struct scope *s = f->scope; s; s = s->outer) {
        if (s->deadline && s->deadline <= now && !s->over)
            found = s;
    }
    return found;
}

/* A scope has this deadline now. Of those that close or move theirs the earliest is forgotten when it comes. */
static void count_on(struct fiber *f, mono_ns deadline)
{
    if (deadline && deadline < f->fine_until)
        f->fine_until = deadline;
}

static NOINLINE void end_overdue(struct fiber *f, mono_ns now)
{
    struct scope *overdue = outermost_overdue(f, now);

    if (overdue)
        scope_end(overdue, ERR_TIMEOUT);
    f->fine_until = LOOP_NEVER;
    for (const struct scope *s = f->scope; s; s = s->outer)
        if (!s->over)
            count_on(f, s->deadline);
}

bool fiber_still_wanted(struct err *err)
{
    struct fiber *f = fiber_self();

    ASSERT(f);
    if (UNLIKELY(f->loop->now >= f->fine_until))
        end_overdue(f, f->loop->now);
    return over_of(f) == ERR_NONE ? true : fiber_report_over(f, err);
}

void fiber_arm(struct fiber *f)
{
    mono_ns when = f->alarm ? f->alarm : LOOP_NEVER;

    for (const struct scope *s = f->scope; s; s = s->outer) {
        if (s->deadline && s->deadline < when && !s->over)
            when = s->deadline;
    }
    if (when != LOOP_NEVER && (!f->timer.armed || when < f->timer.when))
        timer_add(&f->loop->timers, &f->timer, when);
}

void fiber_timer_fired(struct timer *t, mono_ns now)
{
    struct fiber *f = CONTAINER_OF(t, struct fiber, timer);
    struct scope *overdue = outermost_overdue(f, now);

    if (overdue)
        scope_end(overdue, ERR_TIMEOUT);
    if (f->alarm && f->alarm <= now)
        fiber_wake(f);
    else if (f->state != FIBER_READY) /* woken early for a deadline that has moved, or deaf */
        fiber_arm(f);
}

/* ---- the life of a scope ---- */

void scope_open(struct scope *s, mono_ns deadline)
{
    struct fiber *f = fiber_self();

    ASSERT(f && deadline >= 0);
    *s = (struct scope){.outer = f->scope, .owner = f, .deadline = deadline, .over = over_of(f)};
    f->scope = s;
    count_on(f, deadline);
}

void scope_deadline(struct scope *s, mono_ns deadline)
{
    struct fiber *f = s->owner;

    ASSERT(deadline >= 0);
    s->deadline = deadline;
    count_on(f, deadline);
    if (f->state == FIBER_PARKED || f->state == FIBER_DEAF) /* moved by another fiber */
        fiber_arm(f);
}

bool scope_is_over(const struct scope *s)
{
    return s->over != ERR_NONE;
}

void scope_adopt(struct scope *s, struct fiber *child)
{
    struct fiber *first = s->children;

    child->parent = s;
    child->sibling_after = first ? first : child;
    child->sibling_before = first ? first->sibling_before : child;
    child->sibling_before->sibling_after = child;
    child->sibling_after->sibling_before = child;
    if (!first)
        s->children = child;
}

void scope_leave(struct fiber *child)
{
    struct scope *s = child->parent;

    if (!s)
        return;
    child->sibling_before->sibling_after = child->sibling_after;
    child->sibling_after->sibling_before = child->sibling_before;
    if (s->children == child)
        s->children = child->sibling_after != child ? child->sibling_after : NULL;
    child->parent = NULL;
    if (!s->children && s->joining)
        fiber_wake(s->owner);
}

bool scope_wait(struct scope *s, struct err *err)
{
    bool ok = true;

    ASSERT(s->owner == fiber_self());
    if (!s->children)
        return fiber_still_wanted(err);
    s->joining = true;
    ok = fiber_park(NULL, err);
    s->joining = false;
    ASSERT(!ok || !s->children);
    return ok;
}

void scope_close(struct scope *s)
{
    struct fiber *f = fiber_self();

    ASSERT(s->owner == f && f->scope == s); /* the innermost, by the one who opened it */
    if (s->children) {
        scope_end(s, ERR_CANCELLED);
        s->joining = true;
        fiber_park_deaf(NULL);
        ASSERT(!s->children);
    }
    f->scope = s->outer;
    s->owner = NULL;
}
