/* Which rows take requests from which. A row is a box: values in each condition, hours, prompt sizes,
 * needed abilities. Of two rows, the earlier one first:
 *   apart                          good
 *   the earlier inside the later   good: an exception, then the rule
 *   the later inside the earlier   the later is never reached: refused
 *   otherwise                      some requests fit both and order decides in silence: refused, unless a
 *                                  row above both takes exactly those
 * A row may also be covered by several rows together that split the day or the prompt sizes. */
#include <string.h>

#include "models/route.h"

#define DAY_WORDS     ((MINUTES_OF_DAY + 63) / 64)
#define TOGETHER_MAX  32 /* rows that are looked at as covering one together */
#define SEGMENT_MAX   (2 * TOGETHER_MAX + 2)
#define TOKENS_NO_END INT64_MAX

struct box {
    struct route_words sets[ROUTE_SETS];
    uint64_t day[DAY_WORDS];
    int64_t from, to;
    uint32_t needs;
};

static void box_of(const struct route *r, struct box *out)
{
    *out = (struct box){.from = r->prompt.from,
                        .to = r->prompt.to ? r->prompt.to : TOKENS_NO_END,
                        .needs = r->needs};
    memcpy(out->sets, r->sets, sizeof out->sets);
    for (int minute = 0; minute < MINUTES_OF_DAY; minute++)
        if (hours_hold(r->hours, minute))
            out->day[minute / 64] |= (uint64_t)1 << (minute % 64);
}

/* ---- names and beginnings ---- */

static struct str stem(struct str pattern)
{
    return str_ends(pattern, STR("*")) ? str_slice(pattern, 0, pattern.len - 1) : pattern;
}

static bool value_covers(enum route_set set, struct str a, struct str b)
{
    if (set == MATCH_MODEL && str_ends(a, STR("*")))
        return str_starts(stem(b), stem(a));
    return str_eq(a, b);
}

static bool value_meets(enum route_set set, struct str a, struct str b)
{
    return value_covers(set, a, b) || value_covers(set, b, a);
}

static bool words_cover(enum route_set set, const struct route_words *a,
                        const struct route_words *b)
{
    if (a->count == 0)
        return true;
    for (size_t i = 0; i < b->count; i++) {
        bool covered = false;

        for (size_t k = 0; k < a->count && !covered; k++)
            covered = value_covers(set, a->at[k], b->at[i]);
        if (!covered)
            return false;
    }
    return b->count > 0;
}

static bool words_meet(enum route_set set, const struct route_words *a, const struct route_words *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (value_meets(set, a->at[i], b->at[k]))
                return true;
    return a->count == 0 || b->count == 0;
}

static bool words_both(struct arena *arena, enum route_set set, const struct route_words *a,
                       const struct route_words *b, struct route_words *out, struct err *err)
{
    struct str *at;

    *out = a->count == 0 ? *b : *a;
    if (a->count == 0 || b->count == 0)
        return true;
    at = arena_array(arena, a->count * b->count, sizeof *at);
    if (!at)
        return err_arena(err, arena);
    *out = (struct route_words){.at = at};
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (value_meets(set, a->at[i], b->at[k]))
                at[out->count++] = value_covers(set, a->at[i], b->at[k]) ? b->at[k] : a->at[i];
    return true;
}

/* ---- boxes ---- */

static bool sets_cover(const struct box *a, const struct box *b)
{
    for (enum route_set set = 0; set < ROUTE_SETS; set++)
        if (!words_cover(set, &a->sets[set], &b->sets[set]))
            return false;
    return (a->needs & ~b->needs) == 0;
}

static bool box_covers(const struct box *a, const struct box *b)
{
    if (!sets_cover(a, b) || a->from > b->from || a->to < b->to)
        return false;
    for (size_t i = 0; i < DAY_WORDS; i++)
        if (b->day[i] & ~a->day[i])
            return false;
    return true;
}

static bool boxes_meet(const struct box *a, const struct box *b)
{
    uint64_t minutes = 0;

    for (enum route_set set = 0; set < ROUTE_SETS; set++)
        if (!words_meet(set, &a->sets[set], &b->sets[set]))
            return false;
    for (size_t i = 0; i < DAY_WORDS; i++)
        minutes |= a->day[i] & b->day[i];
    return minutes && a->from < b->to && b->from < a->to;
}

static bool box_both(struct arena *arena, const struct box *a, const struct box *b, struct box *out,
                     struct err *err)
{
    *out = (struct box){
        .from = MAX_OF(a->from, b->from), .to = MIN_OF(a->to, b->to), .needs = a->needs | b->needs};
    for (size_t i = 0; i < DAY_WORDS; i++)
        out->day[i] = a->day[i] & b->day[i];
    for (enum route_set set = 0; set < ROUTE_SETS; set++)
        if (!words_both(arena, set, &a->sets[set], &b->sets[set], &out->sets[set], err))
            return false;
    return true;
}

/* ---- covered by several together ---- */

struct together {
    const struct box *boxes[TOGETHER_MAX];
    size_t count;
    int64_t edges[SEGMENT_MAX]; /* where one of them begins or ends, ascending */
    size_t edge_count;
};

static void add_edge(struct together *t, int64_t edge)
{
    size_t at = t->edge_count;

    while (at > 0 && t->edges[at - 1] > edge) {
        t->edges[at] = t->edges[at - 1];
        at--;
    }
    t->edges[at] = edge;
    t->edge_count++;
}

static bool minute_covered(const struct together *t, const struct box *b, int minute)
{
    for (size_t e = 0; e < t->edge_count; e++) {
        int64_t tokens = t->edges[e];
        bool covered = tokens < b->from || tokens >= b->to;

        for (size_t i = 0; i < t->count && !covered; i++)
            covered = (t->boxes[i]->day[minute / 64] >> (minute % 64) & 1) &&
                      tokens >= t->boxes[i]->from && tokens < t->boxes[i]->to;
        if (!covered)
            return false;
    }
    return true;
}

/* Rows before `b` that could take all of it if hours and sizes are split between them. */
static bool covered_together(const struct box *boxes, size_t b, struct together *t)
{
    *t = (struct together){0};
    for (size_t i = 0; i < b && t->count < TOGETHER_MAX; i++)
        if (sets_cover(&boxes[i], &boxes[b]) && boxes_meet(&boxes[i], &boxes[b]))
            t->boxes[t->count++] = &boxes[i];
    if (t->count < 2)
        return false;
    add_edge(t, boxes[b].from);
    for (size_t i = 0; i < t->count; i++) {
        add_edge(t, t->boxes[i]->from);
        add_edge(t, t->boxes[i]->to);
    }
    for (int minute = 0; minute < MINUTES_OF_DAY; minute++)
        if ((boxes[b].day[minute / 64] >> (minute % 64) & 1) &&
            !minute_covered(t, &boxes[b], minute))
            return false;
    return true;
}

/* ---- all pairs ---- */

static bool out_of_reach(const struct route *above, const struct route *row, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "route \"" STR_FMT "\" is never reached: \"" STR_FMT
                   "\" above it takes every request that fits it",
                   STR_ARG(str_slice(row->name, 0, 60)), STR_ARG(str_slice(above->name, 0, 60)));
}

static bool overlap(const struct route *a, const struct route *b, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "routes \"" STR_FMT "\" and \"" STR_FMT "\" overlap: some requests fit both; "
                   "make one narrower, or put a row for those above both",
                   STR_ARG(str_slice(a->name, 0, 60)), STR_ARG(str_slice(b->name, 0, 60)));
}

static bool check_pair(struct arena *arena, const struct route *routes, const struct box *boxes,
                       size_t a, size_t b, struct err *err)
{
    struct box both;

    if (!boxes_meet(&boxes[a], &boxes[b]))
        return true;
    if (box_covers(&boxes[a], &boxes[b]))
        return out_of_reach(&routes[a], &routes[b], err);
    if (box_covers(&boxes[b], &boxes[a]))
        return true;
    size_t mark = arena_mark(arena);
    if (!box_both(arena, &boxes[a], &boxes[b], &both, err))
        return false;
    bool taken = false;
    for (size_t i = 0; i < a && !taken; i++)
        taken = box_covers(&boxes[i], &both);
    arena_rewind(arena, mark);
    return taken || overlap(&routes[a], &routes[b], err);
}

bool routes_check(struct arena *arena, const struct route *routes, size_t count, struct err *err)
{
    size_t mark = arena_mark(arena);
    struct box *boxes = arena_array(arena, MAX_OF(count, 1), sizeof *boxes);
    struct together together;

    if (!boxes)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++)
        box_of(&routes[i], &boxes[i]);
    for (size_t b = 0; b < count; b++) {
        if (covered_together(boxes, b, &together))
            return err_set(err, ERR_INVALID,
                           "route \"" STR_FMT "\" is never reached: \"" STR_FMT "\", \"" STR_FMT
                           "\" and others above it take every request that fits it",
                           STR_ARG(str_slice(routes[b].name, 0, 50)),
                           STR_ARG(str_slice(routes[together.boxes[0] - boxes].name, 0, 50)),
                           STR_ARG(str_slice(routes[together.boxes[1] - boxes].name, 0, 50)));
        for (size_t a = 0; a < b; a++)
            if (!check_pair(arena, routes, boxes, a, b, err))
                return false;
    }
    arena_rewind(arena, mark);
    return true;
}
