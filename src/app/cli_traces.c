/* weir trace. */
#include "app/cli.h"

static struct str member(struct cli *cli, const struct json *j, const char *key)
{
    return cli_text(cli, j, json_root(j), key);
}

static void line(struct cli *cli, const struct json *j, const char *label, const char *key,
                 const char *unit)
{
    struct str text = member(cli, j, key);

    if (text.len == 0)
        return;
    printf("  %-12s ", label);
    cli_print_line(text);
    printf("%s\n", unit);
}

static void print_step(struct cli *cli, const struct json *j, json_ref step)
{
    struct str at = cli_text(cli, j, step, "at_ms"), ms = cli_text(cli, j, step, "ms");
    struct str name = cli_text(cli, j, step, "name"), kind = cli_text(cli, j, step, "kind");
    struct str notes = cli_text(cli, j, step, "notes");
    int64_t depth = 0;

    if (!json_i64(j, json_get(j, step, STR("depth")), &depth))
        depth = 0;
    printf("%10.*s %10.*s  %*s%s" STR_FMT "%s", STR_ARG(at), STR_ARG(ms), (int)(2 * depth), "",
           str_eq(kind, STR("event")) ? "* " : "", STR_ARG(name), notes.len ? "  " : "");
    cli_print_line(notes);
    printf("\n");
}

static void print_trace(struct cli *cli, const struct json *j)
{
    struct str missing = member(cli, j, "steps_missing");

    printf(STR_FMT "  " STR_FMT "  " STR_FMT " " STR_FMT "  " STR_FMT " ms\n",
           STR_ARG(member(cli, j, "id")), STR_ARG(member(cli, j, "route")),
           STR_ARG(member(cli, j, "status")), STR_ARG(member(cli, j, "outcome")),
           STR_ARG(member(cli, j, "ms")));
    line(cli, j, "time", "time", "");
    line(cli, j, "model", "model", "");
    line(cli, j, "deployment", "deployment", "");
    line(cli, j, "provider", "provider", "");
    line(cli, j, "remote model", "remote_model", "");
    line(cli, j, "key", "key", "");
    line(cli, j, "tenant", "tenant", "");
    line(cli, j, "why", "why", "");
    line(cli, j, "first byte", "ms_first_byte", " ms");
    line(cli, j, "first token", "ms_first_token", " ms");
    line(cli, j, "tokens in", "tokens_in", "");
    line(cli, j, "tokens out", "tokens_out", "");
    line(cli, j, "cached", "tokens_cached", "");
    if (str_eq(member(cli, j, "estimated"), STR("true")))
        printf("  %-12s the provider counted no tokens: they are estimated\n", "");
    line(cli, j, "cost", "cost_usd", " USD");
    line(cli, j, "audit", "audit_sequence", "");
    line(cli, j, "parent", "parent", "");
    line(cli, j, "trace", "trace_id", "");
    printf("\n%10s %10s\n", "at ms", "took ms");
    json_ref steps = json_get(j, json_root(j), STR("steps"));
    for (json_ref step = json_first(j, steps); step; step = json_next(j, step))
        print_step(cli, j, step);
    if (!str_eq(missing, STR("0")))
        printf("... and " STR_FMT " that there was no room for\n", STR_ARG(missing));
}

static bool ask(struct cli *cli, struct err *err)
{
    struct str id = cli_escape(cli, str_from(cli->words[0]));
    struct json *j;

    if (!cli_call(cli, "GET", arena_fmt(cli->arena, "/api/v1/traces/" STR_FMT, STR_ARG(id)),
                  STR_NONE, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else
        print_trace(cli, j);
    return true;
}

static bool show(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, ask, err);
}

static const char *const columns[] = {"time",  "id",       "status",   "ms",    "outcome",
                                      "model", "provider", "cost_usd", "route", NULL};

static const struct cli_option list_options[] = {
    {"--failed", CLI_SWITCH, NULL, "failed", "only those that failed"},
    {"--ms", CLI_COUNT, "N", "ms_min", "only those that took so long"},
    {0},
};

static const struct cli_command commands[] = {
    {"trace list", "show recent requests, newest first", "", list_options, NULL, "GET",
     "/api/v1/traces", NULL, columns, NULL},
    {"trace ID", "show a recent request step by step",
     "  weir trace req_5b0c1f2e3d4a5b6c\n"
     "The id is the x-request-id of the reply. Recent requests are kept in memory "
     "(telemetry.traces);\n"
     "those that failed or were slow longer than the others.\n",
     NULL, show, NULL, NULL, NULL, NULL, NULL},
};
const struct cli_part cli_traces_part = {"Traces", commands, ARRAY_LEN(commands)};
