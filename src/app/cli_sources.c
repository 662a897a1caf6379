/* weir source: where documents come from by themselves. */
#include "app/cli.h"
#include "sys/threads.h"

static struct str path_of(struct cli *cli, const char *behind)
{
    struct str base = cli_escape(cli, cli_base(cli));

    if (cli->word_count == 0)
        return arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/sources", STR_ARG(base));
    return arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/sources/" STR_FMT "%s",
                     STR_ARG(base), STR_ARG(cli_escape(cli, str_from(cli->words[0]))), behind);
}

static bool list(struct cli *cli, struct err *err)
{
    static const char *const columns[] = {"name", "kind", "watched",  "paused",  "going",
                                          "run",  "next", "location", "problem", NULL};
    struct str path = path_of(cli, "");

    return (path.ptr || err_arena(err, cli->arena)) && cli_list(cli, path, columns, err);
}

static bool call(struct cli *cli, const char *method, const char *body, struct json **out,
                 struct err *err)
{
    struct str path = path_of(cli, *method == 'P' && method[1] == 'O' ? "/run" : "");

    return (path.ptr || err_arena(err, cli->arena)) &&
           cli_call(cli, method, path, str_from(body), out, err);
}

static bool show(struct cli *cli, struct err *err)
{
    static const char *const fields[] = {"name",   "kind",  "location", "every_seconds", "watched",
                                         "paused", "going", "run",      "next",          "problem"};
    struct json *j;

    if (!call(cli, "GET", NULL, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    for (size_t i = 0; !cli->json && i < ARRAY_LEN(fields); i++)
        printf("%-14s " STR_FMT "\n", fields[i],
               STR_ARG(cli_text(cli, j, json_root(j), fields[i])));
    return true;
}

static bool set_paused(struct cli *cli, const char *body, const char *said, struct err *err)
{
    struct json *j;

    if (!call(cli, "PATCH", body, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else
        printf("%s %s\n", cli->words[0], said);
    return true;
}

static bool pause_source(struct cli *cli, struct err *err)
{
    return set_paused(cli, "{\"paused\":true}", "paused", err);
}

static bool resume_source(struct cli *cli, struct err *err)
{
    return set_paused(cli, "{\"paused\":false}", "goes on", err);
}

static bool run_watched(struct cli *cli, struct err *err)
{
    struct json *j;

    return call(cli, "POST", cli_given(cli, "--force") ? "{\"force\":true}" : "{}", &j, err) &&
           cli_watch(cli, cli->words[0], j, err);
}

static bool run(struct cli *cli, struct err *err)
{
    if (!cli_watching(err))
        return false;
    bool ok = run_watched(cli, err);
    signals_done();
    return ok;
}

static bool cli_list_sources(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, list, err);
}

static bool cli_show_source(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, show, err);
}

static bool cli_pause_source(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, pause_source, err);
}

static bool cli_resume_source(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, resume_source, err);
}

static bool cli_run_source(struct cli *cli, struct err *err)
{
    signals_block();
    return cli_with_weir(cli, run, err);
}

static const struct cli_option base_options[] = {CLI_BASE_OPTION, {0}};
static const struct cli_option run_options[] = {
    CLI_BASE_OPTION,
    {"--detach", CLI_SWITCH, NULL, NULL, "do not wait for it"},
    {"--force", CLI_SWITCH, NULL, NULL, "remove what is gone, however much it is"},
    {0},
};
static const struct cli_command commands[] = {
    {"source list", "show where documents come from by themselves",
     "The settings name them: `sources`.\n", base_options, cli_list_sources, NULL, NULL, NULL, NULL,
     NULL},
    {"source show NAME", "show a source", "", base_options, cli_show_source, NULL, NULL, NULL, NULL,
     NULL},
    {"source run NAME", "compare a source now", "  weir source run handbook --force\n", run_options,
     cli_run_source, NULL, NULL, NULL, NULL, NULL},
    {"source pause NAME", "let a source not run by itself", "", base_options, cli_pause_source,
     NULL, NULL, NULL, NULL, NULL},
    {"source resume NAME", "let a source run by itself again", "", base_options, cli_resume_source,
     NULL, NULL, NULL, NULL, NULL},
};
const struct cli_part cli_sources_part = {"Sources", commands, ARRAY_LEN(commands)};
