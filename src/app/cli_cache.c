/* weir cache. */
#include "app/cli.h"

static const struct cli_option purge_options[] = {
    {"--cache-key", CLI_TEXT, "KEY", "key", "one answer: x-weir-cache-key of its reply"},
    {"--model", CLI_TEXT, "NAME", "model", "answers of this model"},
    {"--tenant", CLI_TEXT, "NAME", "tenant", "answers of this tenant; '*': the shared ones"},
    {"--tag", CLI_TEXT, "TAG", "tag", "answers whose request gave this tag"},
    {"--all", CLI_SWITCH, NULL, "all", "everything"},
    {0},
};

static const struct cli_command commands[] = {
    {"cache stats", "show what the cache holds and did", "", NULL, NULL, "GET", "/api/v1/cache",
     NULL, NULL, NULL},
    {"cache purge", "throw answers out of every level",
     "  weir cache purge --model gpt-4o-mini --tag prices    all that is said must fit\n"
     "  weir cache purge --all\n"
     "When it returns the answers are nowhere, and none that was on its way is kept.\n",
     purge_options, NULL, "POST", "/api/v1/cache/purge", NULL, NULL,
     "{purged} copies of answers purged, over all levels"},
};
const struct cli_part cli_cache_part = {"Cache", commands, ARRAY_LEN(commands)};
