/* app/cli.h: the command line: tables of commands over one way to reach a Weir. Commands talk to the
 * daemon over its command socket (or --url with --key); when none runs they open the data directory
 * themselves and do the same over the same socket.
 *
 * Each part of the house has its commands in cli_<part>.c, as a table that cli.c lists. Most are one row
 * and no code: which endpoint of /api/v1 is asked, and how its reply is shown (cli_call.c). */
#ifndef WEIR_APP_CLI_H
#define WEIR_APP_CLI_H

#include <stdio.h>

#include "app/settings.h"
#include "base/json.h"
#include "net/http_client.h"

#define CLI_WORDS_MAX   64
#define CLI_OPTIONS_MAX 32
#define CLI_COLUMNS_MAX 24

struct cli;
typedef bool cli_fn(struct cli *cli, struct err *err);

enum cli_kind {
    CLI_SWITCH,
    CLI_TEXT,
    CLI_LIST, /* by commas; "": none */
    CLI_COUNT,
    CLI_USD,
    CLI_ROW, /* a row as the settings have it, "{hours: 8-18, ...}"; given again: one more */
    CLI_FILE, /* a file with a row as the settings have it, "-": standard input; its members are fields */
};

struct cli_option {
    const char *name; /* "--rpm"; NULL ends a table */
    enum cli_kind kind;
    const char *value; /* what it takes, as help names it: "N"; NULL for switches */
    /* Of a plain call: the field of the body, or of the query for GET, that it becomes. "role=admin": a
     * switch that sets the field to that. NULL: none. */
    const char *field;
    const char *what;
};

struct cli_command {
    /* "key create NAME": first the command's own words, then what it takes, in capitals; "[DIR]" may be
     * absent, "PATH..." is one or more. */
    const char *words;
    const char *what, *more;
    const struct cli_option *options; /* beside those of every command; NULL: none */
    cli_fn *run;                      /* NULL: a plain call of: */
    const char *method, *path;        /* "/api/v1/keys/{ID}": what ID stood for */
    const char *body;           /* "NAME=name WHY=reason": which field each becomes; or NULL */
    const char *const *columns; /* of a list, NULL-ended; else NULL */
    const char *done;           /* said when it is done: "{id} revoked"; NULL: all of the reply */
    bool begins; /* may be done before any Weir was started here: the data directory is made */
    bool
        here; /* by files of this machine: of a Weir elsewhere it says nothing, so --url is refused */
};
struct cli_part {
    const char *title; /* over its commands in `weir help` */
    const struct cli_command *commands;
    size_t count;
};

struct cli {
    struct arena *arena;
    const struct cli_command *command;
    const char *words[CLI_WORDS_MAX]; /* what is given behind the command's own words */
    int word_count;
    struct {
        const struct cli_option *option;
        const char *value;
    } given[CLI_OPTIONS_MAX];
    int given_count;
    bool json; /* --json: known before anything can be wrong */
    const char *config, *url, *key;
    const char *const *environment; /* the process's, with what options override in front */
    struct settings *settings;
    struct str data_path; /* as the settings name it */
    struct http_url target;
    int status; /* exit status */
};

/* Exit status: 0 done, 1 it could not be done, 2 the command line is wrong. */
int cli_main(int argc, char **argv, char **environment);

/* ---- for the commands ---- */
const char *cli_option(const struct cli *cli,
                       const char *name); /* its value, NULL when not given */
bool cli_given(const struct cli *cli, const char *name);
/* Whole number of an option of kind CLI_COUNT, which has been checked. */
uint64_t cli_number(const struct cli *cli, const char *name, uint64_t fallback);
bool cli_settings(struct cli *cli, struct err *err) MUST_CHECK; /* prints problems itself */
/* For who asks a running Weir or reads its files: no secrets, no warnings. */
bool cli_settings_but_secrets(struct cli *cli, struct err *err) MUST_CHECK;
/* Run fn in a fiber with a Weir to talk to; it may call cli_call() and cli_open(). */
bool cli_with_weir(struct cli *cli, cli_fn *fn, struct err *err) MUST_CHECK;
/* What a command without a function of its own does; needs a Weir to talk to. */
SUSPENDS bool cli_plain(struct cli *cli, struct err *err) MUST_CHECK;
/* The call of its row, with the words and options given; *out is the parsed answer. */
SUSPENDS bool cli_send(struct cli *cli, struct json **out, struct err *err) MUST_CHECK;
/* One call; *out is the parsed answer. An answer that is an error becomes err with its own words. */
SUSPENDS bool cli_call(struct cli *cli, const char *method, struct str path, struct str body,
                       struct json **out, struct err *err) MUST_CHECK;
/* The same, for answers that are read as they come. */
SUSPENDS bool cli_open(struct cli *cli, const char *method, struct str path, struct str body,
                       struct http_call **out, struct err *err) MUST_CHECK;
/* The call of a row that reads, with `more` in its query, for an answer of any length; one that is an error
 * becomes err. */
SUSPENDS bool cli_send_open(struct cli *cli, struct str more, struct http_call **out,
                            struct err *err) MUST_CHECK;
/* Every page of a list, or the first of it up to --limit, as a table of those columns, or with --json as one list. */
SUSPENDS bool cli_list(struct cli *cli, struct str path, const char *const *columns,
                       struct err *err) MUST_CHECK;
/* A word or text as one segment of a path or one value of a query. */
struct str cli_escape(struct cli *cli, struct str text);
/* Text at a path of the answer, "" when absent. */
struct str cli_text(struct cli *cli, const struct json *j, json_ref object, const char *key);
/* As a terminal may be shown it: files and texts are whoever's, and control characters of theirs (but line feed and tab)
 * would be orders to it. Each byte of one is "?" then; in place. */
void cli_disarm(char *text, size_t len);
/* A string of a reply, so; STR_NONE: it is none, or memory is gone. */
struct str cli_string(struct cli *cli, const struct json *j, json_ref v);
void cli_print_json(const struct json *j);
/* A text that others wrote, where the line is ours: line ends and tabs as blanks. Printed as it stands, it could make
 * rows of its own. */
void cli_print_line(struct str text);
bool cli_print_buf(struct buf *b, struct err *err) MUST_CHECK; /* with a line end */

#define CLI_LABEL_OPTIONS                                                                      \
    {"--readers", CLI_LIST, "A,B", NULL,                                                       \
     "who may read: everyone, tenant:NAME, team:TENANT/TEAM, key:ID, tag:NAME; \"\": anyone"}, \
    {                                                                                          \
        "--metadata", CLI_TEXT, "JSON", NULL, "what is known of it, for filters"               \
    }
#define CLI_BASE_OPTION                                                                   \
    {                                                                                     \
        "--base", CLI_TEXT, "NAME", NULL, "of which knowledge base; else the default one" \
    }
struct str cli_base(const struct cli *cli);
/* "--readers a,b" and "--metadata {...}" as fields of the body. */
bool cli_put_labels(struct cli *cli, struct json_writer *w, struct err *err) MUST_CHECK;

/* What rows and files of settings say, as fields of the body (cli_rows.c). ERR_INVALID names file, line and
 * field. `word`: what the command names; rows may name it too. */
bool cli_put_rows(struct cli *cli, struct str word, struct json_writer *w, struct err *err)
    MUST_CHECK;

/* The ingest run of a reply, until it ends or somebody leaves; not with --detach. */
SUSPENDS bool cli_watch(struct cli *cli, const char *what, struct json *run, struct err *err)
    MUST_CHECK;
/* Ctrl-C ends the run, not this program: after signals_block(), in the loop; then signals_done(). */
bool cli_watching(struct err *err) MUST_CHECK;

extern const struct cli_part cli_ingest_part, cli_sources_part;
extern const struct cli_part cli_start_part, cli_documents_part, cli_keys_part, cli_models_part,
    cli_cache_part, cli_audit_part, cli_config_part, cli_traces_part, cli_api_part,
    cli_instances_part, cli_forget_part;

#endif
