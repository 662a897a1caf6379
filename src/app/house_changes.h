/* app/house_changes.h: what this instance does about changes that others over the same database made, and how
 * it tells them of a purge and of forgetting. The kinds: keys, tenants and teams (accounts), models, the cache, kept answers. */
#ifndef WEIR_APP_HOUSE_CHANGES_H
#define WEIR_APP_HOUSE_CHANGES_H

#include "app/house.h"

/* For instances_open(); in the house's arena, NULL when it is full. */
const struct follower *house_followers(struct house *house, size_t *count);

/* Throws answers out here, and returns when every instance that is alive has too. ERR_UNAVAILABLE names
 * those that have not said so in time: they do it as soon as they can, and before they serve anything. */
SUSPENDS bool house_purge(struct house *house, struct arena *arena,
                          const struct cache_selector *what, uint64_t *gone, struct err *err)
    MUST_CHECK;

/* Answers of /v1/responses that anybody had begun before it returns are not kept. The same errors. */
SUSPENDS bool house_overtake(struct house *house, struct arena *arena, struct err *err) MUST_CHECK;

#endif
