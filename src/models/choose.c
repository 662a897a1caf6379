/* Who is asked next: of the first group that has somebody left, one drawn by weight over load. A draw
 * and not the least loaded, so that weights mean something while nobody is busy, and so that many
 * gateways do not all run to the same one. */
#include "models/attempt_internal.h"
#include "models/openai_internal.h"

#define WINDOW_DOUBT 2 /* tokens are estimated: nobody is too small before twice its window */

enum misfit { FITS, OUT_OF_SERVICE, MODEL_DENIED, ZONE_DENIED, CANNOT, TOO_LONG, MISFITS };
static const char *const misfit_names[MISFITS] = {
    [FITS] = "none",        [OUT_OF_SERVICE] = "retired", [MODEL_DENIED] = "model_not_allowed",
    [ZONE_DENIED] = "zone", [CANNOT] = "abilities",       [TOO_LONG] = "window",
};

size_t candidate_count(const struct attempt_plan *plan)
{
    size_t count = 0;

    for (size_t g = 0; g < plan->group_count; g++)
        count += plan->groups[g].count;
    return count;
}

/* Who takes prompts as they are need not chat to go on with one. */
static bool can_all(const struct attempt_plan *plan, const struct model *m)
{
    const struct conversation *c = plan->question ? plan->question->conversation : NULL;
    uint32_t needs = plan->needs;

    if (c && c->kind == ASK_COMPLETION && m->provider && completions_are_native(m))
        needs &= ~(uint32_t)CAN_CHAT;
    return !m->abilities || (needs & ~m->abilities) == 0;
}

static enum misfit misfit_of(const struct attempting *a, const struct model *m)
{
    const struct attempt_plan *plan = a->plan;
    int64_t tokens = plan->tokens_in + MAX_OF(plan->tokens_out, 0);

    if (m->lifecycle == LIFE_RETIRED)
        return OUT_OF_SERVICE;
    if (plan->may_ask && !plan->may_ask(plan->ctx, m))
        return MODEL_DENIED;
    if (!(plan->zones & 1u << m->zone))
        return ZONE_DENIED;
    if (!can_all(plan, m))
        return CANNOT;
    if (m->window > 0 && (tokens / a->window_doubt > m->window || m->window <= a->window_above))
        return TOO_LONG;
    return FITS;
}

static bool nobody_can(const struct attempting *a, const bool seen[MISFITS], struct err *err)
{
    const struct str label = str_slice(a->plan->label, 0, 80);
    char text[160];
    struct buf b;

    if (seen[TOO_LONG])
        return err_set(err, ERR_INVALID,
                       "the request has about %" PRId64 " tokens and its answer up to %" PRId64
                       ": more than the window of any model of \"" STR_FMT "\" that could take it",
                       a->plan->tokens_in, MAX_OF(a->plan->tokens_out, 0), STR_ARG(label));
    buf_init_fixed(&b, text, sizeof text);
    abilities_write(&b, a->plan->needs);
    if (seen[CANNOT])
        return err_set(err, ERR_INVALID,
                       "no model of \"" STR_FMT "\" can do all that the request needs: " STR_FMT,
                       STR_ARG(label), STR_ARG(buf_view(&b)));
    if (seen[ZONE_DENIED])
        return err_set(err, ERR_DENIED,
                       "this key may not use the zones of the models of \"" STR_FMT "\"",
                       STR_ARG(label));
    if (seen[MODEL_DENIED])
        return err_set(err, ERR_DENIED,
                       "this key may not ask any of the models that answer as \"" STR_FMT "\"",
                       STR_ARG(label));
    return err_set(err, ERR_NOT_FOUND, "every model of \"" STR_FMT "\" is retired", STR_ARG(label));
}

/* call.passed: a candidate of the route that this request cannot be given to, and why; said once. */
static void note_passed(struct attempting *a, size_t place, const struct model *m,
                        enum misfit misfit)
{
    if (a->tried[place].passed_over)
        return;
    a->tried[place].passed_over = true;
    trace_event(a->plan->trace, "call.passed", "model=" STR_FMT " why=%s",
                STR_ARG(str_slice(m->name, 0, 60)), misfit_names[misfit]);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t chance(struct attempting *a)
{
    uint64_t z = a->chance += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct draw {
    double shares[CANDIDATES_MAX]; /* of the group's; 0: not in it */
    double sum;
    size_t count; /* that could be drawn, also when they are not free just now */
};

static void gather(struct attempting *a, const struct route_group *group, size_t place,
                   struct draw *draw, bool seen[MISFITS])
{
    draw->sum = 0;
    draw->count = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct tried *tried = &a->tried[place + i];
        const struct model *model = group->candidates[i].model;
        enum misfit misfit = misfit_of(a, model);

        draw->shares[i] = 0;
        seen[misfit] = true;
        if (misfit != FITS)
            note_passed(a, place + i, model, misfit);
        if (misfit != FITS || tried->never_again || tried->times > a->round)
            continue;
        draw->shares[i] = group->count == 1 ? 1
                                            : (double)group->candidates[i].weight /
                                                  deployment_load(model->deployment);
        draw->sum += draw->shares[i];
        draw->count++;
    }
}

static size_t take(struct attempting *a, struct draw *draw, size_t count)
{
    if (count == 1)
        return 0; /* as most models that are asked by their own name */

    double at = (double)(chance(a) >> 11) / (double)((uint64_t)1 << 53) * draw->sum;
    size_t last = 0;

    for (size_t i = 0; i < count; i++) {
        if (draw->shares[i] <= 0)
            continue;
        last = i;
        if (at < draw->shares[i])
            break;
        at -= draw->shares[i];
    }
    draw->sum -= draw->shares[last];
    draw->shares[last] = 0;
    return last;
}

/* Draw until somebody lets us in. */
static bool choose_in(struct attempting *a, const struct route_group *group, size_t place,
                      struct draw *draw, struct chosen *out, mono_ns *until)
{
    for (size_t left = draw->count; left > 0; left--) {
        size_t i = take(a, draw, group->count);
        const struct model *m = group->candidates[i].model;
        mono_ns when = 0;

        uint32_t turn;

        if (deployment_admit(m->deployment, m->in_flight_max, fiber_now(), &when, &turn) ==
            ADMITTED) {
            *out = (struct chosen){m, place + i, turn};
            a->tried[place + i].times++;
            return true;
        }
        if (when && (!*until || when < *until))
            *until = when;
    }
    return false;
}

enum choice choose_candidate(struct attempting *a, struct chosen *out, mono_ns *until,
                             struct err *err)
{
    bool seen[MISFITS] = {false};
    size_t place = 0, left = 0;
    struct draw draw;

    *until = 0;
    for (size_t g = 0; g < a->plan->group_count; g++) {
        gather(a, &a->plan->groups[g], place, &draw, seen);
        if (choose_in(a, &a->plan->groups[g], place, &draw, out, until))
            return CHOSE;
        place += a->plan->groups[g].count;
        left += draw.count;
    }
    if (left > 0)
        return NOBODY_FREE;
    if (seen[FITS] || a->plan->log->count)
        return NOBODY_LEFT;
    if (seen[TOO_LONG] && a->window_doubt < WINDOW_DOUBT) {
        a->window_doubt = WINDOW_DOUBT; /* the provider counts exactly: let it say so */
        return choose_candidate(a, out, until, err);
    }
    (void)nobody_can(a, seen, err);
    return NOBODY_LEFT;
}

/* Whom one may ask again, and who was asked more often than `times`. */
static bool any_again(const struct attempting *a, int64_t times)
{
    size_t place = 0;

    for (size_t g = 0; g < a->plan->group_count; g++)
        for (size_t i = 0; i < a->plan->groups[g].count; i++, place++)
            if (!a->tried[place].never_again && a->tried[place].times > times &&
                misfit_of(a, a->plan->groups[g].candidates[i].model) == FITS)
                return true;
    return false;
}

bool somebody_again(const struct attempting *a)
{
    return any_again(a, -1);
}

bool somebody_asked(const struct attempting *a)
{
    return any_again(a, a->round);
}
