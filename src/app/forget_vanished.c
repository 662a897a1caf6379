/* Documents that a run of their source removes: what was made from them goes as with an order to forget. It is written down
 * before the run's commit, so that no end of the process leaves it behind; a start that finds the documents still there
 * drops the order. */
#include "app/forget_internal.h"
#include "sys/clock.h"

struct vanish_order {
    struct arena *arena;
    struct forget_order order;
    struct forget_told told;
    struct forgetting f;
};

static bool look(struct vanish_order *v, struct knowledge *knowledge, struct str base,
                 struct err *err)
{
    struct forget_wish wish = {
        .vanished = v->order.vanished, .vanished_count = v->order.vanished_count, .dry_run = true};
    struct forget_report *r = &v->told.documents;

    if (!erase_now(knowledge, v->arena, &wish, r, err))
        return false;
    for (size_t i = 0; i < r->count; i++)
        r->documents[i].base = base;
    r->before_count = r->after_count = 0; /* of the run's commit, which brings in more */
    return true;
}

bool house_vanish_begin(void *ctx, struct knowledge *knowledge, struct str base,
                        struct vanished *list, size_t count, struct vanish_order **out,
                        struct err *err)
{
    struct arena *arena = arena_new(FORGET_MEMORY);
    struct vanish_order *v = arena ? arena_alloc(arena, sizeof *v) : NULL;
    struct house *house = ctx;

    if (!v) {
        arena_end(&arena);
        return err_no_room(err, "no memory to forget what vanished");
    }
    v->arena = arena;
    v->order = (struct forget_order){
        .base = arena_str(arena, base), .vanished = list, .vanished_count = count};
    v->told.vanished = true;
    v->f = (struct forgetting){.house = house,
                               .arena = arena,
                               .order = &v->order,
                               .told = &v->told,
                               .bases = &v->order.base,
                               .base_count = 1,
                               .begun = clock_wall()};
    atomic_fetch_add(&house->forgetting, 1);
    if (v->order.base.ptr && look(v, knowledge, v->order.base, err) &&
        pending_write_now(&v->f, err)) {
        *out = v;
        return true;
    }
    atomic_fetch_sub(&house->forgetting, 1);
    arena_end(&arena);
    return false;
}

bool house_vanish_end(void *ctx, struct vanish_order *v, bool removed, struct err *err)
{
    struct house *house = ctx;
    struct arena *arena = v->arena;
    bool ok = true;

    if (!removed)
        pending_drop(&v->f);
    else
        ok = forget_carry_out(&v->f, err) && forget_receipt(&v->f, err) &&
             forget_record(&v->f, err) && pending_end(&v->f, err);
    atomic_fetch_sub(&house->forgetting, 1);
    arena_end(&arena);
    return ok || err_wrap(err, "not all is gone yet, the rest is tried again by itself");
}
