/* app/house_models.h: changing the catalogue while it is in use. One change at a time, whichever loop it
 * comes from, and none beside a reload: what is built, kept and published fits together.
 *
 *     struct model_change change CLEANUP(model_change_end) = {0};
 *     model_change_begin(house, arena, name, &change, err)      what is known of the model
 *     ... change.row ...
 *     model_change_commit(&change, err)      built and checked, then kept, then published */
#ifndef WEIR_APP_HOUSE_MODELS_H
#define WEIR_APP_HOUSE_MODELS_H

#include "app/house.h"
#include "models/kept_models.h"

struct model_change {
    struct house *house; /* NULL: not begun */
    struct arena *arena;
    struct kept_models kept;
    struct kept_model row; /* what the store has, or a row that says nothing yet */
    bool is_kept;          /* the store has one */
    bool in_settings;      /* the settings have the model */
    bool remove;           /* commit takes the row away */
};
SUSPENDS bool model_change_begin(struct house *house, struct arena *arena, struct str name,
                                 struct model_change *out, struct err *err) MUST_CHECK;
/* ERR_INVALID: the catalogue cannot be like that; nothing has changed then. */
SUSPENDS bool model_change_commit(struct model_change *change, struct err *err) MUST_CHECK;
void model_change_end(struct model_change *change);

/* For a reload: waits until no change is on its way; then none begins until the end. */
SUSPENDS bool catalogue_hold(struct house *house, struct err *err) MUST_CHECK;
void catalogue_let_go(struct house *house);

/* ---- for house.c ---- */
/* The row of an added model as settings would have it. */
struct model_settings kept_as_settings(const struct kept_model *row);
/* What the store says of a model that stands in the catalogue now. */
void kept_apply(const struct kept_model *row, struct model *m, struct arena *arena);
/* "provider/remote name" */
struct str model_measured_of(const struct model *m, struct arena *arena);

#endif
