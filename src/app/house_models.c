#include "app/house_models.h"

#include "sys/fiber.h"

#define TRY_EVERY MILLISECOND

/* ---- the store's rows over those of the settings ---- */

struct model_settings kept_as_settings(const struct kept_model *row)
{
    return (struct model_settings){
        .name = row->name,
        .provider = row->provider,
        .remote_name = row->remote_name,
        .prices = row->prices,
        .output_tokens_max = row->output_tokens_max,
        .window = row->window,
        .in_flight = row->in_flight,
        .abilities = row->abilities,
        .licence = row->licence,
        .successor = row->successor,
        .zone = row->zone,
        .lifecycle = MAX_OF(row->lifecycle, 0),
        .cache = row->cache,
    };
}

struct str model_measured_of(const struct model *m, struct arena *arena)
{
    return arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(m->provider->name),
                     STR_ARG(m->remote_name));
}

void kept_apply(const struct kept_model *row, struct model *m, struct arena *arena)
{
    struct str successor = arena_str(arena, row->successor);

    if (row->lifecycle >= 0) {
        m->lifecycle = (enum lifecycle)row->lifecycle;
        m->successor = successor.ptr ? successor : m->successor;
    }
    m->pinned = row->measured && str_eq(row->measured_of, model_measured_of(m, arena));
    if (m->pinned)
        m->abilities = (m->abilities & ~row->measured) | row->works;
}

/* ---- one at a time ---- */

bool catalogue_hold(struct house *house, struct err *err)
{
    while (atomic_exchange(&house->changing, true))
        if (!fiber_sleep(TRY_EVERY, err))
            return err_wrap(err, "another change of the models is on its way");
    return true;
}

void catalogue_let_go(struct house *house)
{
    atomic_store(&house->changing, false);
}

static bool in_settings(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->model_count; i++)
        if (str_eq(s->models[i].name, name))
            return true;
    return false;
}

bool model_change_begin(struct house *house, struct arena *arena, struct str name,
                        struct model_change *out, struct err *err)
{
    const struct kept_model *row;

    if (!catalogue_hold(house, err))
        return false;
    *out = (struct model_change){.house = house, .arena = arena};
    if (!kept_models_read(house->store, arena, &out->kept, err))
        return false;
    row = kept_models_find(&out->kept, name);
    out->is_kept = row != NULL;
    out->in_settings = in_settings(house->settings, name);
    if (row)
        out->row = *row;
    else
        out->row = (struct kept_model){.name = name, .prices = PRICES_UNSAID, .lifecycle = -1};
    return true;
}

/* kept_models_read() left room for one more. */
static bool put_in_place(struct model_change *change, struct err *err)
{
    struct kept_model *row = kept_models_find(&change->kept, change->row.name);

    if (change->remove) {
        for (size_t i = (size_t)(row - change->kept.at); i + 1 < change->kept.count; i++)
            change->kept.at[i] = change->kept.at[i + 1];
        change->kept.count--;
        return true;
    }
    if (!row && change->kept.count == KEPT_MODELS_MAX)
        return err_set(err, ERR_EXHAUSTED, "the store has %d models, no more are kept",
                       KEPT_MODELS_MAX);
    if (!row)
        row = &change->kept.at[change->kept.count++];
    *row = change->row;
    return true;
}

bool model_change_commit(struct model_change *change, struct err *err)
{
    struct house *house = change->house;
    struct house_config *made = NULL;

    ASSERT(!change->remove || change->is_kept);
    if (!put_in_place(change, err) ||
        !house_make(house, house->settings, &change->kept, &made, err))
        return false;
    bool ok = change->remove ? kept_model_remove(house->store, change->row.name, err)
                             : kept_model_put(house->store, &change->row, err);
    if (!ok) {
        house_unmake(made);
        return false;
    }
    house_put(house, made);
    return true;
}

void model_change_end(struct model_change *change)
{
    if (change->house)
        catalogue_let_go(change->house);
    change->house = NULL;
}
