#include "app/cli.h"

#include <string.h>

#include "base/log.h"
#include "sys/clock.h"

#define CLI_MEMORY    (256 * MIB)
#define OVERRIDES     4
#define VARIABLES_MAX 4096

/* ---- what there is: read these tables first ---- */

static cli_fn help, version;

static const struct cli_command own_commands[] = {
    {"version", "print the version", "", NULL, version, NULL, NULL, NULL, NULL, NULL},
    {"help [COMMAND...]", "explain commands", "", NULL, help, NULL, NULL, NULL, NULL, NULL},
};
static const struct cli_part own_part = {"Help", own_commands, ARRAY_LEN(own_commands)};

/* Each part's commands stand in its own file. */
static const struct cli_part *const parts[] = {
    &cli_start_part,  &cli_ingest_part,    &cli_sources_part, &cli_documents_part, &cli_forget_part,
    &cli_keys_part,   &cli_models_part,    &cli_cache_part,   &cli_audit_part,     &cli_config_part,
    &cli_traces_part, &cli_instances_part, &cli_api_part,     &own_part,
};

/* Of every command. */
static const struct cli_option common[] = {
    {"--config", CLI_TEXT, "FILE", NULL,
     "settings file (WEIR_CONFIG); default weir.yaml if it exists"},
    {"--data-dir", CLI_TEXT, "DIR", NULL, "data directory (WEIR_DATA_DIR)"},
    {"--url", CLI_TEXT, "URL", NULL,
     "a Weir elsewhere (WEIR_URL); needs --key; SSL_CERT_FILE: a PEM file of authorities of one's "
     "own"},
    {"--key", CLI_TEXT, "KEY", NULL,
     "key for --url; better in WEIR_KEY, where no process list shows it"},
    {"--json", CLI_SWITCH, NULL, NULL, "answer as JSON"},
    {0},
};

/* ---- words of a row ---- */

static bool is_own_word(struct str word)
{
    return word.len > 0 && word.ptr[0] >= 'a' && word.ptr[0] <= 'z';
}

/* How many of the row's own words stand at the front of words; -1: not all of them. */
static int own_words(const struct cli_command *command, const char *const *words, int count)
{
    struct str rest = str_from(command->words), word;
    int own = 0;

    while (str_split(&rest, ' ', &word) && is_own_word(word)) {
        if (own == count || !str_eq(word, str_from(words[own])))
            return -1;
        own++;
    }
    return own;
}

static bool takes(const struct cli_command *command, int count)
{
    struct str rest = str_from(command->words), word;
    int least = 0, most = 0;

    while (str_split(&rest, ' ', &word)) {
        if (is_own_word(word))
            continue;
        least += word.ptr[0] != '[';
        most = str_find(word, STR("...")) < word.len ? CLI_WORDS_MAX : most + 1;
    }
    return count >= least && count <= most;
}

/* ---- help ---- */

static void print_options(const struct cli_option *options)
{
    int width = 14;

    for (const struct cli_option *o = options; o && o->name; o++)
        width = MAX_OF(width, (int)strlen(o->name));
    for (; options && options->name; options++)
        printf("  %-*s %-9s %s\n", width, options->name, options->value ? options->value : "",
               options->what);
}

static void help_as_json(void)
{
    static char text[16384];
    struct json_writer w;
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    jw_init(&w, &b);
    jw_object(&w);
    for (size_t p = 0; p < ARRAY_LEN(parts); p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            jw_key(&w, parts[p]->commands[i].words);
            jw_cstr(&w, parts[p]->commands[i].what);
        }
    jw_object_end(&w);
    ASSERT(buf_ok(&b));
    printf(STR_FMT "\n", STR_ARG(buf_view(&b)));
}

static void help_all(void)
{
    printf("Weir: your own AI gateway, with answers from your documents.\n\nusage: weir COMMAND "
           "[OPTIONS]\n");
    for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
        printf("\n%s\n", parts[p]->title);
        for (size_t i = 0; i < parts[p]->count; i++)
            printf("  %-30s %s\n", parts[p]->commands[i].words, parts[p]->commands[i].what);
    }
    printf("\nEvery command takes\n");
    print_options(common);
    printf("\n`weir help COMMAND` says more. Documentation: docs/ beside the README.\n");
}

static bool begins_with(const struct cli_command *command, const char *const *words, int count)
{
    struct str rest = str_from(command->words), word;

    for (int i = 0; i < count; i++)
        if (!str_split(&rest, ' ', &word) || !is_own_word(word) ||
            !str_eq(word, str_from(words[i])))
            return false;
    return true;
}

/* Of all commands that begin with the first words; false: there is none. */
static bool help_of(const struct cli *cli, int word_count)
{
    bool found = false;

    for (size_t p = 0; p < ARRAY_LEN(parts); p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            const struct cli_command *one = &parts[p]->commands[i];

            if (!begins_with(one, cli->words, word_count))
                continue;
            printf("%sweir %s\n  %s\n", found ? "\n" : "", one->words, one->what);
            print_options(one->options);
            printf("%s%s", *one->more ? "\n" : "", one->more);
            found = true;
        }
    return found;
}

static bool help(struct cli *cli, struct err *err)
{
    bool found = false;

    if (cli->json) {
        help_as_json();
        return true;
    }
    if (cli->word_count == 0) {
        help_all();
        return true;
    }
    for (int count = cli->word_count; count > 0 && !found;
         count--) /* the last may be no command's */
        found = help_of(cli, count);
    return found || err_set(err, ERR_INVALID, "there is no command \"%s\"; `weir help` lists them",
                            cli->words[0]);
}

static bool version(struct cli *cli, struct err *err)
{
    (void)err;
    printf(cli->json ? "{\"version\":\"%s\"}\n" : "weir %s\n", WEIR_VERSION);
    return true;
}

/* ---- the command line ---- */

static const struct cli_option *option_in(const struct cli_option *table, struct str name)
{
    for (; table && table->name; table++)
        if (str_eq(str_from(table->name), name))
            return table;
    return NULL;
}

/* In any command's table: whether a value follows is the same wherever a name stands. */
static const struct cli_option *option_anywhere(struct str name)
{
    const struct cli_option *option = option_in(common, name);

    for (size_t p = 0; !option && p < ARRAY_LEN(parts); p++)
        for (size_t i = 0; !option && i < parts[p]->count; i++)
            option = option_in(parts[p]->commands[i].options, name);
    return option;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    for (int i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].option->name, name) == 0)
            return cli->given[i].value;
    return NULL;
}

bool cli_given(const struct cli *cli, const char *name)
{
    return cli_option(cli, name) != NULL;
}

uint64_t cli_number(const struct cli *cli, const char *name, uint64_t fallback)
{
    uint64_t n;

    return u64_parse(str_from(cli_option(cli, name)), &n) ? n : fallback;
}

static bool read_option(struct cli *cli, int argc, char **argv, int *at, struct err *err)
{
    struct str word = str_from(argv[*at]), name = str_slice(word, 0, str_find_char(word, '='));
    const struct cli_option *option = option_anywhere(name);
    const char *value = "";

    if (!option)
        return err_set(err, ERR_INVALID,
                       "there is no option " STR_FMT
                       "; `weir help COMMAND` lists those of a command",
                       STR_ARG(str_slice(name, 0, 40)));
    if (option->kind == CLI_SWITCH && name.len < word.len)
        return err_set(err, ERR_INVALID, "%s takes no value", option->name);
    if (option->kind != CLI_SWITCH && name.len == word.len && *at + 1 >= argc)
        return err_set(err, ERR_INVALID, "%s needs a value: %s %s", option->name, option->name,
                       option->value);
    if (cli->given_count == CLI_OPTIONS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d options", CLI_OPTIONS_MAX);
    if (option->kind != CLI_SWITCH)
        value = name.len < word.len ? word.ptr + name.len + 1 : argv[++*at];
    cli->given[cli->given_count].option = option;
    cli->given[cli->given_count++].value = value;
    return true;
}

static bool read_words(struct cli *cli, int argc, char **argv, struct err *err)
{
    bool only_words = false;

    for (int at = 1; at < argc; at++) {
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

/* Every form of what was meant: "weir key create NAME | weir key list". */
static bool explain_words(const struct cli *cli, struct err *err)
{
    char text[sizeof err->text];
    struct buf forms;

    buf_init_fixed(&forms, text, sizeof text);
    for (size_t p = 0; p < ARRAY_LEN(parts); p++)
        for (size_t i = 0; i < parts[p]->count; i++)
            if (begins_with(&parts[p]->commands[i], cli->words, 1))
                buf_fmt(&forms, "%sweir %s", forms.len ? " | " : "", parts[p]->commands[i].words);
    if (forms.len == 0)
        return err_set(err, ERR_INVALID, "there is no command \"%s\"; `weir help` lists them",
                       cli->words[0]);
    return err_set(err, ERR_INVALID, "expected: " STR_FMT "; `weir help %s` says more",
                   STR_ARG(buf_view(&forms)), cli->words[0]);
}

/* The row with the most words of its own; the rest of the words are what it takes. */
static bool find_command(struct cli *cli, struct err *err)
{
    int most = -1;

    for (size_t p = 0; p < ARRAY_LEN(parts); p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            int own = own_words(&parts[p]->commands[i], cli->words, cli->word_count);

            if (own > most && takes(&parts[p]->commands[i], cli->word_count - own)) {
                most = own;
                cli->command = &parts[p]->commands[i];
            }
        }
    if (!cli->command)
        return explain_words(cli, err);
    cli->word_count -= most;
    for (int i = 0; i < cli->word_count; i++)
        cli->words[i] = cli->words[i + most];
    return true;
}

static bool check_option(const struct cli_option *option, const char *value, struct err *err)
{
    struct str text = str_from(value);
    usd_micro usd;
    uint64_t n;

    switch (option->kind) {
    case CLI_SWITCH:
    case CLI_TEXT:
    case CLI_ROW:
    case CLI_FILE:
    case CLI_LIST: return true;
    case CLI_COUNT:
        return u64_parse(text, &n) ||
               err_set(err, ERR_INVALID, "%s: expected a whole number, found \"%s\"", option->name,
                       value);
    case CLI_USD:
        return usd_parse(text, &usd) ||
               err_set(err, ERR_INVALID, "%s: expected US dollars such as 2.50, found \"%s\"",
                       option->name, value);
    }
    return false;
}

static struct str field_of(const struct cli_option *option)
{
    struct str field = str_from(option->field);

    return str_slice(field, 0, str_find_char(field, '='));
}

/* Which of two would win is nothing to guess. Rows may be several. */
static bool says_it_once(const struct cli *cli, int at, struct err *err)
{
    const struct cli_option *option = cli->given[at].option;

    for (int i = 0; i < at; i++) {
        const struct cli_option *before = cli->given[i].option;

        if (before == option && option->kind != CLI_ROW &&
            (option->field || option->kind != CLI_SWITCH))
            return err_set(err, ERR_INVALID, "%s is given twice", option->name);
        if (before != option && option->field && before->field &&
            str_eq(field_of(before), field_of(option)))
            return err_set(err, ERR_INVALID, "%s and %s say the same: give one of them",
                           before->name, option->name);
    }
    return true;
}

/* An option that does nothing must not look like one that does. */
static bool check_options(struct cli *cli, struct err *err)
{
    for (int i = 0; i < cli->given_count; i++) {
        struct str name = str_from(cli->given[i].option->name);
        const struct cli_option *own = option_in(cli->command->options, name);

        if (!own)
            own = option_in(common, name);
        if (!own)
            return err_set(err, ERR_INVALID, "`weir %s` has no option " STR_FMT,
                           cli->command->words, STR_ARG(name));
        cli->given[i].option = own;
        if (cli->command->here && str_eq(name, STR("--url")))
            return err_set(err, ERR_INVALID,
                           "`weir %s` goes by files of this machine: it has no --url",
                           cli->command->words);
        if (!check_option(own, cli->given[i].value, err) || !says_it_once(cli, i, err))
            return false;
    }
    return true;
}

/* One that is empty is as good as none. */
static const char *variable(char **environment, const char *name)
{
    size_t len = strlen(name);

    for (; *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return (*environment)[len + 1] ? *environment + len + 1 : NULL;
    return NULL;
}

/* Options that are settings go in front of the environment, where the first of a name counts. */
static bool override_environment(struct cli *cli, char **environment, struct err *err)
{
    static const char *const settings[][2] = {{"--data-dir", "WEIR_DATA_DIR"},
                                              {"--listen", "WEIR_SERVER_LISTEN"}};
    const char **all = arena_array(cli->arena, VARIABLES_MAX + OVERRIDES, sizeof *all);
    size_t count = 0;

    if (!all)
        return err_arena(err, cli->arena);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (cli_given(cli, settings[i][0]))
            all[count++] =
                arena_fmt(cli->arena, "%s=%s", settings[i][1], cli_option(cli, settings[i][0])).ptr;
    for (size_t i = 0; environment[i]; i++) {
        if (count == VARIABLES_MAX)
            return err_set(err, ERR_TOO_LARGE, "the environment has more than %d variables",
                           VARIABLES_MAX);
        all[count++] = environment[i];
    }
    cli->environment = all;
    const char *config = cli_option(cli, "--config"), *url = cli_option(cli, "--url");
    const char *key = cli_option(cli, "--key");
    cli->config = config ? config : variable(environment, "WEIR_CONFIG");
    cli->url = url ? url : variable(environment, "WEIR_URL");
    cli->key = key ? key : variable(environment, "WEIR_KEY");
    if (key && !cli->url) /* it would do nothing, and who meant records of a key would see all */
        return err_set(err, ERR_INVALID,
                       "--key is the key for --url; whose records or usage is meant says --of-key");
    return true;
}

static bool took_settings(struct cli *cli, bool ok, struct settings_problems *problems,
                          struct err *err)
{
    for (size_t i = 0; i < problems->count; i++)
        fprintf(stderr, STR_FMT "\n", STR_ARG(problems->at[i]));
    if (problems->beyond > 0)
        fprintf(stderr, "... and %zu more\n", problems->beyond);
    size_t count = problems->count + problems->beyond;
    settings_problems_free(problems);
    cli->status = ok ? cli->status : 1;
    return ok || err_set(err, ERR_INVALID, "the settings have %zu mistake%s (above)", count,
                         count == 1 ? "" : "s");
}

bool cli_settings(struct cli *cli, struct err *err)
{
    struct settings_problems problems = {0};
    bool ok = settings_read_to_start(cli->config, cli->environment, &problems, &cli->settings);

    for (size_t i = 0; i < problems.warning_count; i++)
        fprintf(stderr, "weir: " STR_FMT "\n", STR_ARG(problems.warnings[i]));
    return took_settings(cli, ok, &problems, err);
}

bool cli_settings_but_secrets(struct cli *cli, struct err *err)
{
    struct settings_problems problems = {0};
    bool ok = settings_read_but_secrets(cli->config, cli->environment, &problems, &cli->settings);
    size_t count = problems.count + problems.beyond;

    if (!ok)
        return took_settings(cli, ok, &problems, err);
    if (count) /* a running Weir has others, and the file may be half written */
        fprintf(stderr, "weir: " STR_FMT " has %zu mistake%s, which `weir config check` names\n",
                STR_ARG(cli->settings->file), count, count == 1 ? "" : "s");
    settings_problems_free(&problems);
    return true;
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
        char text[sizeof err->text];

        memcpy(text, err->text, sizeof text);
        cli_disarm(text, strlen(text));
        fprintf(stderr, "weir: %s\n", text);
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

static bool run(struct cli *cli, struct err *err)
{
    return cli->command->run ? cli->command->run(cli, err) : cli_with_weir(cli, cli_plain, err);
}

/* "weir usage --help"; -h only where it cannot be a value. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return argc == 3 && strcmp(argv[2], "-h") == 0;
}

static void help_words_of(int *argc, char ***argv)
{
    static char *words[CLI_WORDS_MAX + 2] = {"weir", "help"};
    int count = 2;

    for (int i = 1; i < *argc && count < CLI_WORDS_MAX && (*argv)[i][0] != '-'; i++)
        words[count++] = (*argv)[i];
    *argc = count;
    *argv = words;
}

/* What other programs answer to, beside the commands of the tables. */
static void customary(int *argc, char ***argv)
{
    static char *help_words[] = {"weir", "help"}, *version_words[] = {"weir", "version"};
    const char *first = *argc > 1 ? (*argv)[1] : "--help";

    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        *argc = 2, *argv = help_words;
    else if (strcmp(first, "--version") == 0)
        *argc = 2, *argv = version_words;
    else if (asks_for_help(*argc, *argv))
        help_words_of(argc, argv);
}

int cli_main(int argc, char **argv, char **environment)
{
    struct cli cli = {.json = wants_json(argc, argv)};
    struct err err = {0};

    log_set_clock(clock_wall);
    customary(&argc, &argv);
    cli.arena = arena_new(CLI_MEMORY);
    bool ok =
        (cli.arena || err_no_room(&err, "no memory")) && read_words(&cli, argc, argv, &err) &&
        (cli.word_count > 0 || err_set(&err, ERR_INVALID, "`weir help` lists the commands")) &&
        find_command(&cli, &err) && check_options(&cli, &err) &&
        override_environment(&cli, environment, &err) && run(&cli, &err);
    ok = ok && flush_output(&err);
    int status = ok ? cli.status : report(&err, cli.json);

    if (!ok && cli.status)
        status = cli.status;
    settings_free(&cli.settings);
    arena_end(&cli.arena);
    return status;
}
