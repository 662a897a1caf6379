/* weir status. */
#include "app/cli.h"

static const struct cli_command commands[] = {
    {"status", "show what runs", "", NULL, NULL, "GET", "/api/v1/status", NULL, NULL, NULL},
};
const struct cli_part cli_api_part = {"Watching", commands, ARRAY_LEN(commands)};
