#include "app/probe.h"

#include "base/log.h"
#include "models/reported.h"
#include "sys/fiber.h"

#define PROVIDERS_MAX 64 /* as the settings allow */
#define TICK          (50 * MILLISECOND)
#define TICK_IDLE     SECOND
#define PROBE_TIME    (10 * SECOND)
#define PROBE_MEMORY  MIB

/* By the place of the provider in the catalogue: a reload that moves them moves a probe once. */
struct slot {
    struct house *house;
    size_t index;
    mono_ns asked; /* last; 0: never. When it is due the settings of now say */
    bool busy;
};

static void tell(const struct config *config, const struct provider *p, bool well)
{
    const struct probe_rules rules = {.failures = p->probe_failures, .interval = p->probe_interval};

    for (size_t i = 0; i < config->catalogue->model_count; i++)
        if (config->catalogue->models[i].provider == p)
            deployment_probed(config->catalogue->models[i].deployment, well, &rules, fiber_now());
}

static SUSPENDS void ask_one(struct slot *slot)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(PROBE_MEMORY);
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(slot->house->config, &held);
    struct err err = {0};
    struct scope limit;

    if (!arena || slot->index >= config->catalogue->provider_count)
        return;
    const struct provider *p = &config->catalogue->providers[slot->index];
    scope_open(&limit, fiber_now() + PROBE_TIME);
    bool well = provider_answers(arena, p, gateway_next_id(slot->house->gateway), &err);
    scope_close(&limit);
    if (!well && (err.code == ERR_CANCELLED || err.code == ERR_EXHAUSTED))
        return; /* ours, not the provider's */
    if (!well)
        log_debug("probe: %s", err.text);
    tell(config, p, well);
}

static void probe(void *arg)
{
    struct slot *slot = arg;

    ask_one(slot);
    slot->busy = false;
}

/* True: some provider wants to be probed. */
static bool start_due(struct scope *scope, struct slot slots[PROVIDERS_MAX], struct house *house)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(house->config, &held);
    struct err err = {0};
    bool any = false;

    for (size_t i = 0; i < MIN_OF(config->catalogue->provider_count, (size_t)PROVIDERS_MAX); i++) {
        dur_ns interval = config->catalogue->providers[i].probe_interval;

        any |= interval > 0;
        if (interval <= 0 || slots[i].busy ||
            (slots[i].asked && fiber_now() < slots[i].asked + interval))
            continue;
        slots[i].house = house;
        slots[i].index = i;
        slots[i].asked = fiber_now();
        slots[i].busy = scope_spawn(scope, probe, &slots[i], &err);
    }
    return any;
}

void probe_loop(void *arg)
{
    struct slot slots[PROVIDERS_MAX] = {0};
    struct err err = {0};
    struct scope scope;

    scope_open(&scope, 0);
    while (fiber_sleep(start_due(&scope, slots, arg) ? TICK : TICK_IDLE, &err)) {
    }
    scope_close(&scope);
}
