#include "app/settings.h"

static struct route_policy policy_of(const struct route_settings *from)
{
    return (struct route_policy){
        .attempts_max = (uint32_t)from->attempts,
        .attempts_time = from->attempts_time,
        .backoff = from->backoff,
        .backoff_max = from->backoff_max,
        .retry_after_max = from->retry_after_max,
        .first_token_timeout = from->first_token_timeout,
        .on_cut = (enum on_cut)from->on_cut,
        .hedge_delay = from->hedge_delay,
        .hedge_percentile = (uint32_t)from->hedge_percentile,
        .breaker_failures = (uint32_t)from->breaker_failures,
        .breaker_time = from->breaker_time,
        .retry_empty = from->retry_empty,
    };
}

bool settings_routes(const struct settings *settings, struct arena *arena, struct route_text **out,
                     struct err *err)
{
    struct route_text *rows = arena_array(arena, settings->route_count + 1, sizeof *rows);

    if (!rows)
        return err_arena(err, arena);
    for (size_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *from = &settings->routes[i];

        rows[i] = (struct route_text){.name = from->name,
                                      .models = from->models,
                                      .tenants = from->tenants,
                                      .teams = from->teams,
                                      .tags = from->tags,
                                      .data_classes = from->data_classes,
                                      .hours = from->hours,
                                      .prompt_tokens = from->prompt_tokens,
                                      .needs = from->needs,
                                      .use = from->use,
                                      .policy = policy_of(from)};
    }
    *out = rows;
    return true;
}
