/* weir config. */
#include "app/cli.h"
#include "models/dialect.h"

static bool config_check(struct cli *cli, struct err *err)
{
    if (!cli_settings(cli, err)) {
        cli->status = 1;
        return false;
    }
    const char *file =
        cli->settings->file.len ? cli->settings->file.ptr : "defaults and environment";
    if (cli->json)
        printf("{\"ok\":true}\n");
    else
        printf("%s: good; %zu providers, %zu models\n", file, cli->settings->provider_count,
               cli->settings->model_count);
    return true;
}

static bool config_show(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, 4 * MIB);
    if (!cli_settings(cli, err))
        return false;
    settings_show(cli->settings, cli->json, &b);
    return cli_print_buf(&b, err);
}

static bool config_schema(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, 4 * MIB);
    settings_schema(&b);
    return cli_print_buf(&b, err);
}

static bool config_docs(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, 4 * MIB);
    settings_docs(&b);
    return cli_print_buf(&b, err);
}

static bool config_dialects(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, 4 * MIB);
    dialects_docs(&b);
    return cli_print_buf(&b, err);
}

static const struct cli_command commands[] = {
    {"config check", "every mistake with file, line, column and field",
     "The exit status is 1 if there is one.\n", NULL, config_check, NULL, NULL, NULL, NULL, NULL,
     false, true},
    {"config show", "what is in force and where each value comes from",
     "Secrets are shown only by their source.\n", NULL, config_show, NULL, NULL, NULL, NULL, NULL,
     false, true},
    {"config schema", "JSON Schema of the settings, for editors", "", NULL, config_schema, NULL,
     NULL, NULL, NULL, NULL},
    {"config docs", "the page docs/configuration.md", "", NULL, config_docs, NULL, NULL, NULL, NULL,
     NULL},
    {"config dialects", "the page docs/dialects.md", "", NULL, config_dialects, NULL, NULL, NULL,
     NULL, NULL},
};
const struct cli_part cli_config_part = {"Settings", commands, ARRAY_LEN(commands)};
