#include "gateway/gateway.h"

#include "gateway/gateway_internal.h"
#include "sys/clock.h"

#define OWN_MEMORY (16 * KIB)

struct owner {
    struct gateway gateway;
    struct arena *arena; /* holds this struct */
};

bool gateway_new(const struct gateway_options *options, struct gateway **out, struct err *err)
{
    struct arena *arena = arena_new(OWN_MEMORY);
    struct owner *owner = arena ? arena_alloc(arena, sizeof *owner) : NULL;

    ASSERT(options->accounts && options->config);
    if (!owner) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the gateway");
    }
    owner->arena = arena;
    owner->gateway.accounts = options->accounts;
    owner->gateway.bodies = options->bodies;
    owner->gateway.config = options->config;
    owner->gateway.responses = options->responses;
    owner->gateway.stands = options->stands;
    owner->gateway.stands_ctx = options->stands_ctx;
    owner->gateway.started = clock_wall() / 1000;
    owner->gateway.telemetry = options->telemetry;
    owner->gateway.traces = options->traces;
    clock_random(&owner->gateway.id_seed, sizeof owner->gateway.id_seed);
    clock_random(&owner->gateway.trace_seed, sizeof owner->gateway.trace_seed);
    *out = &owner->gateway;
    return true;
}

void gateway_free(struct gateway **gateway)
{
    if (*gateway) {
        struct arena *arena = CONTAINER_OF(*gateway, struct owner, gateway)->arena;

        arena_end(&arena);
    }
    *gateway = NULL;
}

/* SplitMix64 (Steele, Lea, Flood 2014) of a counter: a bijection, so ids look random and never repeat. */
uint64_t gateway_next_id(struct gateway *gateway)
{
    uint64_t id = 0;

    while (id == 0) {
        id = gateway->id_seed + atomic_fetch_add(&gateway->requests, 1) * 0x9e3779b97f4a7c15u;
        id = (id ^ (id >> 30)) * 0xbf58476d1ce4e5b9u;
        id = (id ^ (id >> 27)) * 0x94d049bb133111ebu;
        id ^= id >> 31;
    }
    return id;
}
