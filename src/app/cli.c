#include "app/cli.h"

#include <string.h>

#include "app/serve.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/path.h"
#include "sys/threads.h"

#define CLI_MEMORY    (256 * MIB)
#define ANSWER_MAX    (64 * MIB)
#define OVERRIDES     4
#define VARIABLES_MAX 4096

/* ---- what there is: read these tables first ---- */

static const struct command {
    const char *name, *words, *what, *more;
    cli_fn *run;
} commands[] = {
    {"serve", "", "start Weir",
     "Reads weir.yaml if there is one (--config FILE names another), keeps everything in the data\n"
     "directory (--data-dir DIR), listens on --listen ADDRESS (default 127.0.0.1:8080). The first "
     "start\n"
     "makes keys and prints them once. SIGHUP reads the settings again, SIGTERM finishes what is "
     "in\n"
     "progress and stops.\n",
     cli_serve},
    {"ask", "QUESTION", "ask a model, by default the documents",
     "  weir ask 'How many days of annual leave do employees get?'\n"
     "  weir ask --model gpt-4o-mini 'Write a haiku about rain'\n"
     "--no-stream waits for the whole answer; --json prints it as the API gives it.\n",
     cli_ask},
    {"ingest", "PATH...", "add documents: files or whole folders (text, Markdown, HTML)",
     "Files that did not change cost nothing; files gone from a folder are removed. Every file "
     "that could\n"
     "not be used is named with the reason, and makes the exit status 1.\n",
     cli_ingest},
    {"document", "list | forget ID", "show documents, or remove one everywhere",
     "  weir document list\n  weir document forget d_1f3a\n", cli_document},
    {"key", "create NAME | list | limit ID | revoke ID", "make, show, limit and revoke keys",
     "  weir key create 'web shop' --rpm 60 --day 5.00 --month 100    limits: requests a minute, "
     "US dollars\n"
     "  weir key create ops --admin                                   a key that administers\n"
     "  weir key limit k_1f3a --rpm 120\n"
     "A key is shown once, when it is made.\n",
     cli_key},
    {"model", "list", "show what clients may ask for",
     "Models come from the settings: docs/configuration.md.\n", cli_model},
    {"audit", "tail | verify [DIR]", "read the audit log, or prove that nobody changed it",
     "  weir audit tail --lines 20 --follow\n"
     "  weir audit verify            from the files alone, also beside a running Weir\n",
     cli_audit},
    {"config", "check | show | schema | docs", "check and explain the settings",
     "check   every mistake with file, line, column and field; exit status 1 if there is one\n"
     "show    what is in force and where each value comes from (secrets only by their source)\n"
     "schema  JSON Schema for editors        docs    the page docs/configuration.md\n",
     cli_config},
    {"version", "", "print the version", "", cli_version},
    {"help", "[COMMAND]", "explain a command", "", cli_help},
};

static const struct option {
    const char *name;
    const char *value; /* what it takes, NULL: a switch */
    size_t offset;
    const char *what;
} options[] = {
    {"--config", "FILE", offsetof(struct cli, config),
     "settings file (WEIR_CONFIG); default weir.yaml if it exists"},
    {"--data-dir", "DIR", offsetof(struct cli, data_dir), "data directory (WEIR_DATA_DIR)"},
    {"--listen", "ADDRESS", offsetof(struct cli, listen), "serve: where clients connect"},
    {"--url", "URL", offsetof(struct cli, url), "a Weir elsewhere (WEIR_URL); needs --key"},
    {"--key", "KEY", offsetof(struct cli, key),
     "key for --url; better in WEIR_KEY, where no process list shows it"},
    {"--model", "NAME", offsetof(struct cli, model), "ask: which model"},
    {"--rpm", "N", offsetof(struct cli, rpm), "key: requests a minute, 0 is unlimited"},
    {"--day", "USD", offsetof(struct cli, day), "key: spend a day"},
    {"--month", "USD", offsetof(struct cli, month), "key: spend a month"},
    {"--lines", "N", offsetof(struct cli, lines), "audit tail: how many"},
    {"--json", NULL, offsetof(struct cli, json), "answer as JSON"},
    {"--admin", NULL, offsetof(struct cli, admin), "key create: a key that administers"},
    {"--follow", NULL, offsetof(struct cli, follow), "audit tail: go on as records come"},
    {"--no-stream", NULL, offsetof(struct cli, whole), "ask: wait for the whole answer"},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void help_as_json(void)
{
    char text[2048];
    struct json_writer w;
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    jw_init(&w, &b);
    jw_object(&w);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        jw_key(&w, commands[i].name), jw_cstr(&w, commands[i].what);
    jw_object_end(&w);
    ASSERT(buf_ok(&b));
    printf(STR_FMT "\n", STR_ARG(buf_view(&b)));
}

bool cli_help(struct cli *cli, struct err *err)
{
    const struct command *one = cli->word_count > 0 ? find_command(cli->words[0]) : NULL;

    if (cli->word_count > 0 && !one)
        return err_set(err, ERR_INVALID, "there is no command \"%s\"; `weir help` lists them",
                       cli->words[0]);
    if (cli->json) {
        help_as_json();
        return true;
    }
    if (one) {
        printf("weir %s %s\n  %s\n\n%s", one->name, one->words, one->what, one->more);
        return true;
    }
    printf("Weir: your own AI gateway, with answers from your documents.\n\nusage: weir COMMAND "
           "[OPTIONS]\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-8s %-42s %s\n", commands[i].name, commands[i].words, commands[i].what);
    printf("\n");
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        printf("  %-12s %-9s %s\n", options[i].name, options[i].value ? options[i].value : "",
               options[i].what);
    printf("\n`weir help COMMAND` says more. Documentation: docs/ beside the README.\n");
    return true;
}

bool cli_version(struct cli *cli, struct err *err)
{
    (void)err;
    printf(cli->json ? "{\"version\":\"%s\"}\n" : "weir %s\n", WEIR_VERSION);
    return true;
}

/* ---- the command line ---- */

static const struct option *find_option(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, word, len) == 0)
            return &options[i];
    return NULL;
}

static bool read_option(struct cli *cli, int argc, char **argv, int *at, struct err *err)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct option *option = find_option(word, len);
    char *field = (char *)cli + (option ? option->offset : 0);

    if (!option)
        return err_set(err, ERR_INVALID, "there is no option %.*s; `weir help` lists them",
                       (int)MIN_OF(len, (size_t)40), word);
    if (!option->value) {
        if (equals)
            return err_set(err, ERR_INVALID, "%s takes no value", option->name);
        *(bool *)(void *)field = true;
        return true;
    }
    if (!equals && *at + 1 >= argc)
        return err_set(err, ERR_INVALID, "%s needs a value: %s %s", option->name, option->name,
                       option->value);
    *(const char **)(void *)field = equals ? equals + 1 : argv[++*at];
    return true;
}

static bool read_words(struct cli *cli, int argc, char **argv, struct err *err)
{
    bool only_words = false;

    for (int at = 2; at < argc; at++) {
        bool option = !only_words && argv[at][0] == '-' && argv[at][1] != 0;

        if (option && strcmp(argv[at], "--") == 0)
            only_words = true;
        else if (option && !read_option(cli, argc, argv, &at, err))
            return false;
        else if (!option && cli->word_count == CLI_WORDS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %d words", CLI_WORDS_MAX);
        else if (!option)
            cli->words[cli->word_count++] = argv[at];
    }
    return true;
}

static const char *variable(char **environment, const char *name)
{
    size_t len = strlen(name);

    for (; *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    return NULL;
}

/* Options that are settings go in front of the environment, where the first of a name counts. */
static bool override_environment(struct cli *cli, char **environment, struct err *err)
{
    const char **all = arena_array(cli->arena, VARIABLES_MAX + OVERRIDES, sizeof *all);
    size_t count = 0;

    if (!all)
        return err_arena(err, cli->arena);
    if (cli->data_dir)
        all[count++] = arena_fmt(cli->arena, "WEIR_DATA_DIR=%s", cli->data_dir).ptr;
    if (cli->listen)
        all[count++] = arena_fmt(cli->arena, "WEIR_SERVER_LISTEN=%s", cli->listen).ptr;
    for (size_t i = 0; environment[i]; i++) {
        if (count == VARIABLES_MAX)
            return err_set(err, ERR_TOO_LARGE, "the environment has more than %d variables",
                           VARIABLES_MAX);
        all[count++] = environment[i];
    }
    cli->environment = all;
    if (!cli->config)
        cli->config = variable(environment, "WEIR_CONFIG");
    if (!cli->url)
        cli->url = variable(environment, "WEIR_URL");
    if (!cli->key)
        cli->key = variable(environment, "WEIR_KEY");
    return true;
}

bool cli_settings(struct cli *cli, struct err *err)
{
    struct settings_problems problems = {0};
    bool ok = settings_read(cli->config, cli->environment, &problems, &cli->settings);

    for (size_t i = 0; i < problems.warning_count; i++)
        fprintf(stderr, "weir: " STR_FMT "\n", STR_ARG(problems.warnings[i]));
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, STR_FMT "\n", STR_ARG(problems.at[i]));
    if (problems.beyond > 0)
        fprintf(stderr, "... and %zu more\n", problems.beyond);
    size_t count = problems.count + problems.beyond;
    settings_problems_free(&problems);
    cli->status = ok ? cli->status : 1;
    return ok || err_set(err, ERR_INVALID, "the settings have %zu mistake%s (above)", count,
                         count == 1 ? "" : "s");
}

static int report(const struct err *err, bool json)
{
    if (json) {
        char text[2048]; /* an err's text, escaped at worst */
        struct buf b;

        buf_init_fixed(&b, text, sizeof text - 1);
        buf_str(&b, STR("{\"error\":"));
        buf_json_str(&b, str_from(err->text));
        buf_str(&b, STR("}"));
        text[b.len] = 0;
        printf("%s\n", text);
    } else {
        fprintf(stderr, "weir: %s\n", err->text);
    }
    return err->code == ERR_INVALID ? 2 : 1;
}

/* Known before anything can be wrong with the rest: errors are JSON then, too. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* An answer that did not reach its file, the disk being full, is no answer. */
static bool flush_output(struct err *err)
{
    return (fflush(stdout) == 0 && !ferror(stdout)) ||
           err_set(err, ERR_UNAVAILABLE, "could not write to standard output");
}

int cli_main(int argc, char **argv, char **environment)
{
    struct cli cli = {0};
    struct err err = {0};
    const struct command *command = find_command(argc > 1 ? argv[1] : "help");

    log_set_clock(clock_wall);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        command = find_command("help");
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        command = find_command("version");
    cli.json = wants_json(argc, argv);
    if (!command) {
        err_set(&err, ERR_INVALID, "there is no command \"%s\"; `weir help` lists them", argv[1]);
        return report(&err, cli.json);
    }
    cli.arena = arena_new(CLI_MEMORY);
    bool ok = (cli.arena || err_set(&err, ERR_EXHAUSTED, "no memory")) &&
              read_words(&cli, argc, argv, &err) && override_environment(&cli, environment, &err) &&
              command->run(&cli, &err);
    ok = ok && flush_output(&err);
    int status = ok ? cli.status : report(&err, cli.json);

    if (!ok && cli.status)
        status = cli.status;
    settings_free(&cli.settings);
    arena_end(&cli.arena);
    return status;
}

/* ---- reaching a Weir ---- */

SUSPENDS bool cli_open(struct cli *cli, const char *method, struct str path, struct str body,
                       struct http_call **out, struct err *err)
{
    struct http_field fields[2] = {{STR("content-type"), STR("application/json")}};
    struct http_outgoing send = {
        .method = str_from(method), .path = path, .fields = fields, .field_count = 1};

    if (body.len > 0) {
        send.body = &body;
        send.body_count = 1;
    }
    if (cli->url && cli->key)
        fields[send.field_count++] =
            (struct http_field){STR("authorization"), arena_fmt(cli->arena, "Bearer %s", cli->key)};
    return http_call(cli->arena, &cli->target, &send, out, err);
}

/* Our own words for an answer that is an error: both shapes carry a message. */
static bool refuse_answer(struct cli *cli, int status, const struct json *j, struct err *err)
{
    struct str text = cli_text(cli, j, json_root(j), "detail");

    if (text.len == 0)
        text = cli_text(cli, j, json_get(j, json_root(j), STR("error")), "message");
    return err_set(err, status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED, STR_FMT,
                   STR_ARG(text.len ? text : str_from(http_reason(status))));
}

SUSPENDS bool cli_call(struct cli *cli, const char *method, struct str path, struct str body,
                       struct json **out, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct str text;

    if (!cli_open(cli, method, path, body, &call, err) ||
        !http_call_body(call, ANSWER_MAX, &text, err))
        return false;
    struct json *j = json_parse(cli->arena, text, err);
    if (!j)
        return err_wrap(err, "the answer is not JSON");
    int status = http_call_head(call)->status;
    if (status >= 400)
        return refuse_answer(cli, status, j, err);
    *out = j;
    return true;
}

struct str cli_text(struct cli *cli, const struct json *j, json_ref object, const char *key)
{
    json_ref v = json_get(j, object, str_from(key));
    struct str text = STR("");

    if (json_kind(j, v) == JSON_STRING)
        return json_str(j, v, cli->arena, &text) ? text : STR("");
    return v && json_kind(j, v) != JSON_NULL ? json_raw(j, v) : text;
}

void cli_print_json(const struct json *j)
{
    printf(STR_FMT "\n", STR_ARG(str_trim(json_raw(j, json_root(j)))));
}

struct errand {
    struct cli *cli;
    cli_fn *fn;
    struct err *err;
    bool ok, nobody; /* nobody: no daemon answers */
};

static void run_errand(void *arg)
{
    struct errand *e = arg;

    e->ok = e->fn(e->cli, e->err);
}

static void probe_then_run(void *arg)
{
    struct errand *e = arg;
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct err err = {0};

    e->nobody = !e->cli->url && !cli_open(e->cli, "GET", STR("/healthz"), STR_NONE, &call, &err);
    http_call_end(&call);
    if (!e->nobody)
        run_errand(e);
}

/* *nobody: there is no data directory yet, so no daemon works in it. */
static bool target_of(struct cli *cli, bool *nobody, struct err *err)
{
    struct str dir = STR(""), url = str_from(cli->url);
    struct err missing = {0};

    if (cli->url && !cli->key)
        return err_set(err, ERR_INVALID, "--url needs an admin key: --key or WEIR_KEY");
    if (!cli->url) {
        *nobody = !path_absolute(cli->arena, cli->data_path.ptr, &dir, &missing);
        url =
            arena_fmt(cli->arena, "unix:" STR_FMT "/weir.sock", STR_ARG(*nobody ? STR("/") : dir));
    }
    return http_url_parse(url, &cli->target, err);
}

bool cli_with_weir(struct cli *cli, cli_fn *fn, struct err *err)
{
    struct errand errand = {.cli = cli, .fn = fn, .err = err};

    if (!cli_settings(cli, err))
        return false;
    cli->data_path = arena_str(cli->arena, cli->settings->data.dir);
    if (!cli->data_path.ptr)
        return err_arena(err, cli->arena);
    if (!target_of(cli, &errand.nobody, err))
        return false;
    http_client_init(NULL);
    struct loop *loop = loop_new(NULL, err);
    if (!loop)
        return false;
    if (!errand.nobody)
        loop_run(loop, probe_then_run, &errand);
    loop_free(&loop);
    if (!errand.nobody)
        return errand.ok;

    struct house *house = NULL;
    log_set_level(LOG_WARN);
    cli->settings->log.level = LOG_WARN;
    cli->settings->log.requests = false;
    if (!house_open(&cli->settings, &house, err))
        return false;
    bool ok = target_of(cli, &errand.nobody, err) &&
              serve_beside(house, run_errand, &errand, err) && errand.ok;
    house_close(&house);
    return ok;
}
