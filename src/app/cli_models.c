/* weir model. */
#include "app/cli.h"

static const char *const columns[] = {
    "name",      "provider",        "remote_name",      "zone", "lifecycle", "breaker",
    "in_flight", "price_input_usd", "price_output_usd", "url",  NULL};

static const struct cli_command commands[] = {
    {"model list", "show what clients may ask for",
     "Models come from the settings: docs/configuration.md.\n", NULL, NULL, "GET", "/api/v1/models",
     NULL, columns, NULL},
    {"model show NAME", "show one: what it can do and how it fares",
     "Abilities, window, lifecycle, prices now, breaker, requests in flight, latency.\n", NULL,
     NULL, "GET", "/api/v1/models/{NAME}", NULL, NULL, NULL},
};
const struct cli_part cli_models_part = {"Models", commands, ARRAY_LEN(commands)};
