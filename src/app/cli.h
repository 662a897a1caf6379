/* app/cli.h: the command line: a table of commands over one way to reach a Weir. Commands talk to the
 * daemon over its command socket (or --url with --key); when none runs they open the data directory
 * themselves and do the same over the same socket. */
#ifndef WEIR_APP_CLI_H
#define WEIR_APP_CLI_H

#include <stdio.h>

#include "app/settings.h"
#include "base/json.h"
#include "net/http_client.h"

#define CLI_WORDS_MAX 64

struct cli {
    struct arena *arena;
    const char *words[CLI_WORDS_MAX]; /* what is no option, behind the command */
    int word_count;
    bool json, admin, follow, whole; /* --json --admin --follow --no-stream */
    const char *config, *data_dir, *listen, *url, *key, *model, *rpm, *day, *month, *lines;
    const char *const *environment; /* the process's, with what options override in front */
    struct settings *settings;
    struct str data_path; /* as the settings name it */
    struct http_url target;
    int status; /* exit status */
};

typedef bool cli_fn(struct cli *cli, struct err *err);

/* Exit status: 0 done, 1 it could not be done, 2 the command line is wrong. */
int cli_main(int argc, char **argv, char **environment);

/* ---- for the commands ---- */
bool cli_settings(struct cli *cli, struct err *err) MUST_CHECK; /* prints problems itself */
/* Run fn in a fiber with a Weir to talk to; it may call cli_call() and cli_open(). */
bool cli_with_weir(struct cli *cli, cli_fn *fn, struct err *err) MUST_CHECK;
/* One call; *out is the parsed answer. An answer that is an error becomes err with its own words. */
SUSPENDS bool cli_call(struct cli *cli, const char *method, struct str path, struct str body,
                       struct json **out, struct err *err) MUST_CHECK;
/* The same, for answers that are read as they come. */
SUSPENDS bool cli_open(struct cli *cli, const char *method, struct str path, struct str body,
                       struct http_call **out, struct err *err) MUST_CHECK;
/* Text at a path of the answer, "" when absent. */
struct str cli_text(struct cli *cli, const struct json *j, json_ref object, const char *key);
void cli_print_json(const struct json *j);

cli_fn cli_serve, cli_ask, cli_ingest, cli_document, cli_key, cli_model, cli_audit, cli_config,
    cli_version, cli_help;

#endif
