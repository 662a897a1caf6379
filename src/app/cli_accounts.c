/* weir key, team, tenant, usage. */
#include "app/cli.h"

static bool make(struct cli *cli, struct err *err);
static bool usage(struct cli *cli, struct err *err);

#define LIMITS                                                                                     \
    {"--rpm", CLI_COUNT, "N", "requests_per_minute", "requests a minute, 0 is unlimited"},         \
        {"--tpm", CLI_COUNT, "N", "tokens_per_minute", "tokens a minute, 0 is unlimited"},         \
        {"--in-flight", CLI_COUNT, "N", "requests_in_flight", "requests at once, 0 is unlimited"}, \
        {"--day", CLI_USD, "USD", "spend_day_usd", "spend a day, 0 is unlimited"},                 \
        {"--month", CLI_USD, "USD", "spend_month_usd", "spend a month, 0 is unlimited"},           \
        {"--models", CLI_LIST, "A,B*", "models", "models that may be asked; \"\": any"},           \
        {"--zones", CLI_LIST, "A,B", "zones", "local, trusted, public; \"\": any"},                \
    {                                                                                              \
        "--tags", CLI_LIST, "A,B", "tags", "for routes and for usage"                              \
    }
#define ROLE                                                                          \
    {                                                                                 \
        "--role", CLI_TEXT, "ROLE", "role", "app, developer, auditor, admin or owner" \
    }
#define EXPIRES                                                          \
    {                                                                    \
        "--expires", CLI_TEXT, "TIME", "expires", "2027-01-01T00:00:00Z" \
    }
#define NAME                                             \
    {                                                    \
        "--name", CLI_TEXT, "NAME", "name", "for people" \
    }

static const struct cli_option limits[] = {LIMITS, {0}};
static const struct cli_option create[] = {
    LIMITS,
    ROLE,
    EXPIRES,
    {"--admin", CLI_SWITCH, NULL, "role=admin", "the same as --role admin"},
    {"--tenant", CLI_TEXT, "TENANT", "tenant", "whose it is"},
    {"--team", CLI_TEXT, "TENANT/TEAM", "team", "a team of it"},
    {0}};
static const struct cli_option change[] = {LIMITS, ROLE, EXPIRES, NAME, {0}};
static const struct cli_option rotate[] = {{"--overlap", CLI_COUNT, "SECONDS", "overlap_seconds",
                                            "how long the old key goes on working; default a day"},
                                           {0}};
static const struct cli_option keys_of[] = {
    {"--tenant", CLI_TEXT, "TENANT", "tenant", "only of this tenant"},
    {"--team", CLI_TEXT, "TENANT/TEAM", "team", "only of this team"},
    {0}};
static const struct cli_option teams_of[] = {
    {"--tenant", CLI_TEXT, "TENANT", "tenant", "whose teams; default: one's own"},
    {0}};
static const struct cli_option unit[] = {LIMITS, NAME, {0}};
static const struct cli_option usage_of[] = {
    {"--by", CLI_TEXT, "A,B", "group_by",
     "day, tenant, team, key, model, deployment, provider, route, tag; default day"},
    {"--from", CLI_TEXT, "DAY", "from", "first day, 2026-11-01; default: 30 days up to the last"},
    {"--to", CLI_TEXT, "DAY", "to", "last day; default: today"},
    {"--tenant", CLI_TEXT, "TENANT", "tenant", "only of this tenant"},
    {"--team", CLI_TEXT, "TENANT/TEAM", "team", "only of this team"},
    {"--of-key", CLI_TEXT, "ID", "key", "only of this key"},
    {"--model", CLI_TEXT, "MODEL", "model", "only of this model, as asked for"},
    {"--deployment", CLI_TEXT, "MODEL", "deployment", "only what this model of the catalogue did"},
    {"--provider", CLI_TEXT, "PROVIDER", "provider", "only of this provider"},
    {"--route", CLI_TEXT, "ROUTE", "route", "only by this route"},
    {"--tag", CLI_TEXT, "TAG", "tag", "only with this tag"},
    {"--parts", CLI_SWITCH, NULL, NULL,
     "too what of the tokens was written to a provider's cache, spent on reasoning, or sound"},
    {"--apart", CLI_SWITCH, NULL, NULL,
     "too what of the cost bought nothing: clients that left, hedges that lost, failed attempts"},
    {0}};

static const struct cli_option sessions_of[] = {
    {"--person", CLI_TEXT, "ID", "person", "only of this person: an id of `weir key list`"},
    {"--tenant", CLI_TEXT, "TENANT", "tenant", "only of this tenant"},
    {0}};
static const char *const session_columns[] = {"id",     "person",  "name", "tenant",  "role",
                                              "issuer", "created", "used", "expires", NULL};

static const char *const key_columns[] = {"id",
                                          "name",
                                          "role",
                                          "team",
                                          "requests_per_minute",
                                          "spend_day_usd",
                                          "spent_day_usd",
                                          "spend_month_usd",
                                          "spent_month_usd",
                                          "last_used",
                                          "revoked",
                                          NULL};
static const char *const unit_columns[] = {"id",
                                           "name",
                                           "requests_per_minute",
                                           "tokens_per_minute",
                                           "spend_day_usd",
                                           "spent_day_usd",
                                           "spend_month_usd",
                                           "spent_month_usd",
                                           "spent_total_usd",
                                           "last_used",
                                           NULL};

static const struct cli_command commands[] = {
    {"key create NAME", "make a key; it is shown this once",
     "  weir key create 'web shop' --rpm 60 --day 5.00 --month 100\n"
     "  weir key create search --team acme/search --models 'gpt-4*,weir'\n"
     "  weir key create ops --role admin\n",
     create, make, "POST", "/api/v1/keys", "NAME=name", NULL, "{key}", true},
    {"key list", "show keys with limits and what they spent", "", keys_of, NULL, "GET",
     "/api/v1/keys", NULL, key_columns, NULL},
    {"key show ID", "show all there is about a key", "", NULL, NULL, "GET", "/api/v1/keys/{ID}",
     NULL, NULL, NULL},
    {"key change ID", "change a key: name, role, limits, models, tags, expiry",
     "  weir key change k_1f3a --rpm 120 --models ''\n", change, NULL, "PATCH", "/api/v1/keys/{ID}",
     NULL, NULL, "{id} changed"},
    {"key limit ID", "change a key's limits", "  weir key limit k_1f3a --rpm 120\n", limits, NULL,
     "PATCH", "/api/v1/keys/{ID}", NULL, NULL, "{id} changed"},
    {"key rotate ID", "give a key another secret; the old one works for a while",
     "  weir key rotate k_1f3a --overlap 3600\n", rotate, make, "POST", "/api/v1/keys/{ID}/rotate",
     NULL, NULL, "{key}"},
    {"key revoke ID", "make a key useless, at once", "", NULL, NULL, "DELETE", "/api/v1/keys/{ID}",
     NULL, NULL, "{id} revoked"},
    {"tenant create ID", "make a tenant", "  weir tenant create acme --month 1000\n", unit, NULL,
     "POST", "/api/v1/tenants", "ID=id", NULL, "{id} made", true},
    {"tenant list", "show tenants with limits and what they spent", "", NULL, NULL, "GET",
     "/api/v1/tenants", NULL, unit_columns, NULL},
    {"tenant show ID", "show all there is about a tenant", "", NULL, NULL, "GET",
     "/api/v1/tenants/{ID}", NULL, NULL, NULL},
    {"tenant change ID", "change a tenant: name, limits, models, zones, tags", "", unit, NULL,
     "PATCH", "/api/v1/tenants/{ID}", NULL, NULL, "{id} changed"},
    {"tenant remove ID", "remove a tenant with its teams, keys and usage", "", NULL, NULL, "DELETE",
     "/api/v1/tenants/{ID}", NULL, NULL, "{id} removed with {keys_removed} keys; {note}"},
    {"team create TENANT/TEAM", "make a team of a tenant",
     "  weir team create acme/search --rpm 600\n", unit, NULL, "POST", "/api/v1/teams",
     "TENANT/TEAM=id", NULL, "{id} made", true},
    {"team list", "show teams with limits and what they spent", "", teams_of, NULL, "GET",
     "/api/v1/teams", NULL, unit_columns, NULL},
    {"team show TENANT TEAM", "show all there is about a team", "", NULL, NULL, "GET",
     "/api/v1/teams/{TENANT}/{TEAM}", NULL, NULL, NULL},
    {"team change TENANT TEAM", "change a team: name, limits, models, zones, tags", "", unit, NULL,
     "PATCH", "/api/v1/teams/{TENANT}/{TEAM}", NULL, NULL, "{id} changed"},
    {"team remove TENANT TEAM", "remove a team with its keys and usage", "", NULL, NULL, "DELETE",
     "/api/v1/teams/{TENANT}/{TEAM}", NULL, NULL, "{id} removed with {keys_removed} keys; {note}"},
    {"session list", "show who is logged in", "", sessions_of, NULL, "GET", "/api/v1/sessions",
     NULL, session_columns, NULL},
    {"session end ID", "end a session, or all of a person's",
     "  weir session end s_1f3a...    one\n  weir session end u_77c0...    all of that person\n",
     NULL, NULL, "DELETE", "/api/v1/sessions/{ID}", NULL, NULL, "{ended} sessions of {id} ended"},
    {"usage", "show what was used and what it cost",
     "  weir usage --by team,model --from 2026-11-01\n", usage_of, usage, NULL, NULL, NULL, NULL,
     NULL},
};
const struct cli_part cli_keys_part = {"Keys, teams, tenants", commands, ARRAY_LEN(commands)};

/* The key alone on standard output, for scripts. */
static SUSPENDS bool show_key(struct cli *cli, struct err *err)
{
    struct str until;
    struct json *j;

    if (!cli_send(cli, &j, err))
        return false;
    if (cli->json) {
        cli_print_json(j);
        return true;
    }
    printf(STR_FMT "\n", STR_ARG(cli_text(cli, j, json_root(j), "key")));
    until = cli_text(cli, j, json_root(j), "old_key_until");
    fprintf(stderr, "This key is shown this once; `weir key list` shows its id.\n");
    if (until.len)
        fprintf(stderr, "The key before it works until " STR_FMT ", older ones no more.\n",
                STR_ARG(until));
    return true;
}

static bool make(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, show_key, err);
}

static SUSPENDS bool list_usage(struct cli *cli, struct err *err)
{
    static const struct {
        const char *name, *asked_by;
    } counts[] = {
        {"requests", NULL},
        {"failed", NULL},
        {"tokens_in", NULL},
        {"tokens_out", NULL},
        {"tokens_cached", NULL},
        {"tokens_cache_write", "--parts"},
        {"tokens_reasoning", "--parts"},
        {"tokens_audio", "--parts"},
        {"estimated", NULL},
        {"cost_usd", NULL},
        {"cost_left_usd", "--apart"},
        {"cost_hedge_usd", "--apart"},
        {"cost_attempts_usd", "--apart"},
    };
    const char *columns[CLI_COLUMNS_MAX] = {0};
    const char *by = cli_option(cli, "--by");
    struct str rest = str_from(by ? by : "day"), name, path;
    size_t count = 0;
    struct buf b;

    while (str_split(&rest, ',', &name)) {
        if (count + ARRAY_LEN(counts) + 1 >= ARRAY_LEN(columns))
            return err_set(err, ERR_INVALID, "--by: there are not so many");
        columns[count++] = arena_str(cli->arena, str_trim(name)).ptr;
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (!counts[i].asked_by || cli_given(cli, counts[i].asked_by))
            columns[count++] = counts[i].name;
    buf_init(&b, cli->arena, 8 * KIB);
    buf_str(&b, STR("/api/v1/usage"));
    for (int i = 0, sent = 0; i < cli->given_count; i++)
        if (cli->given[i].option->field)
            buf_fmt(&b, "%c%s=" STR_FMT, sent++ ? '&' : '?', cli->given[i].option->field,
                    STR_ARG(cli_escape(cli, str_from(cli->given[i].value))));
    return buf_finish(&b, &path, err) && cli_list(cli, path, columns, err);
}

static bool usage(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, list_usage, err);
}
