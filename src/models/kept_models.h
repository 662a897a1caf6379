/* models/kept_models.h: what the store says of the catalogue, over the rows of the settings: models that
 * were added, what became of others (retired, with which successor), and what a test measured.
 * Limits   KEPT_MODELS_MAX rows; texts as the arena has room.
 * Errors   the store's. */
#ifndef WEIR_MODELS_KEPT_MODELS_H
#define WEIR_MODELS_KEPT_MODELS_H

#include "models/models.h"
#include "models/price_rows.h"
#include "store/store.h"

#define KEPT_MODELS_MAX 1000

#define CHANGE_MODEL "model" /* told to other instances: store/instances.h */
extern const struct migration kept_models_migrations[];
extern const size_t kept_models_migration_count;

struct kept_model {
    struct str name;
    bool added; /* the whole row; else the settings have it, and this says only what is below */
    struct str provider, remote_name, licence, abilities;
    struct prices prices;
    struct price_rows price_rows;
    int64_t output_tokens_max, window, in_flight;
    int zone;  /* enum zone */
    int cache; /* 0: as the settings' cache.mode; else one more than enum cache_rule */
    /* of any */
    int lifecycle; /* enum lifecycle; below 0: as the settings say */
    struct str successor;
    /* of a test */
    uint32_t measured; /* enum ability: which were tried; 0: none */
    uint32_t works;    /* which of them work */
    wall_ms measured_at;
    struct str measured_of; /* "provider/remote name": a test of something else tells nothing */
};
struct kept_models {
    struct kept_model *at;
    size_t count;
};

/* By name. Outside fibers: blocking. */
SUSPENDS bool kept_models_read(struct store *store, struct arena *arena, struct kept_models *out,
                               struct err *err) MUST_CHECK;
/* Puts the row in place of the one of its name. */
SUSPENDS bool kept_model_put(struct store *store, const struct kept_model *row, struct err *err)
    MUST_CHECK;
SUSPENDS bool kept_model_remove(struct store *store, struct str name, struct err *err) MUST_CHECK;

struct kept_model *kept_models_find(const struct kept_models *all, struct str name); /* NULL */

#endif
