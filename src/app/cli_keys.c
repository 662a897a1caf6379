/* weir key. */
#include "app/cli.h"

static bool make(struct cli *cli, struct err *err);

#define LIMITS                                                                             \
    {"--rpm", CLI_COUNT, "N", "requests_per_minute", "requests a minute, 0 is unlimited"}, \
        {"--day", CLI_USD, "USD", "spend_day_usd", "spend a day, 0 is unlimited"},         \
    {                                                                                      \
        "--month", CLI_USD, "USD", "spend_month_usd", "spend a month, 0 is unlimited"      \
    }

static const struct cli_option limits[] = {LIMITS, {0}};
static const struct cli_option create[] = {
    LIMITS,
    {"--admin", CLI_SWITCH, NULL, "role=admin", "a key that administers"},
    {0}};

static const char *const columns[] = {"id",
                                      "name",
                                      "role",
                                      "requests_per_minute",
                                      "spend_day_usd",
                                      "spent_day_usd",
                                      "spend_month_usd",
                                      "spent_month_usd",
                                      "last_used",
                                      "revoked",
                                      NULL};

static const struct cli_command commands[] = {
    {"key create NAME", "make a key; it is shown this once",
     "  weir key create 'web shop' --rpm 60 --day 5.00 --month 100\n"
     "  weir key create ops --admin\n",
     create, make, "POST", "/api/v1/keys", "NAME=name", NULL, "{key}"},
    {"key list", "show keys with limits and what they spent", "", NULL, NULL, "GET", "/api/v1/keys",
     NULL, columns, NULL},
    {"key limit ID", "change a key's limits", "  weir key limit k_1f3a --rpm 120\n", limits, NULL,
     "PATCH", "/api/v1/keys/{ID}", NULL, NULL, "{id} changed"},
    {"key revoke ID", "make a key useless, at once", "", NULL, NULL, "DELETE", "/api/v1/keys/{ID}",
     NULL, NULL, "{id} revoked"},
};
const struct cli_part cli_keys_part = {"Keys", commands, ARRAY_LEN(commands)};

/* The key alone on standard output, for scripts. */
static bool make(struct cli *cli, struct err *err)
{
    if (!cli_with_weir(cli, cli_plain, err))
        return false;
    if (!cli->json)
        fprintf(stderr, "This key is shown this once; `weir key list` shows its id.\n");
    return true;
}
