/* weir instance. */
#include "app/cli.h"

static const char *const columns[] = {"id",      "version", "address", "alive", "self",
                                      "started", "seen",    "stopped", NULL};

static const struct cli_command commands[] = {
    {"instance list", "show the Weirs over this database", "", NULL, NULL, "GET",
     "/api/v1/instances", NULL, columns, NULL},
    {"instance retire ID", "free what a dead one had taken of spend limits",
     "  weir instance retire 3f2a90c1d4e5b678\n"
     "What an instance had taken of a limit and nobody knows to be spent stays with it: until it "
     "is\n"
     "back, or is retired. If it comes back after all, what it spent counts, and can exceed a "
     "limit.\n",
     NULL, NULL, "POST", "/api/v1/instances/{ID}/retire", NULL, NULL, "{id} retired"},
};
const struct cli_part cli_instances_part = {"Instances", commands, ARRAY_LEN(commands)};
