/* weir serve, weir ask. */
#include <unistd.h>

#include "app/cli.h"
#include "app/log_queue.h"
#include "app/serve.h"
#include "base/log.h"
#include "net/sse.h"
#include "sys/threads.h"

#define BODY_MAX (32 * MIB)

/* ---- serve ---- */

/* The settings are as the parent read them, at the start of it all. A file that is gone since is no file without
 * settings; one with mistakes ends it, as it ends any start: nobody knows any more what was in force. */
static bool read_again(struct cli *cli, struct err *err)
{
    struct settings *before = cli->settings;
    const char *named = cli->config;

    if (!named && before->file.len > 0)
        cli->config = before->file.ptr;
    cli->settings = NULL;
    bool ok = cli_settings(cli, err);
    cli->config = named;
    if (!ok)
        log_error("cannot start again: %s", err->text);
    else
        settings_free(&before);
    return ok;
}

static int serve_now(struct cli *cli)
{
    struct serve_options options = {
        .settings = cli->settings, .config_file = cli->config, .environment = cli->environment};

    cli->settings = NULL; /* it takes them over */
    return serve(&options);
}

static int serve_worker(void *arg, bool again)
{
    struct err err = {0};

    return again && !read_again(arg, &err) ? 1 : serve_now(arg);
}

static bool cli_serve(struct cli *cli, struct err *err)
{
    if (!cli_settings(cli, err))
        return false;
    log_without_queue();
    cli->status = cli->settings->server.supervise ? supervise(serve_worker, cli) : serve_now(cli);
    return true;
}

/* ---- ask ---- */

static struct str question_of(struct cli *cli, struct err *err)
{
    struct buf b;
    struct str text = STR_NONE;

    buf_init(&b, cli->arena, MIB);
    for (int i = 0; i < cli->word_count; i++)
        buf_fmt(&b, "%s%s", i ? " " : "", cli->words[i]);
    (void)!buf_finish(&b, &text, err);
    return text;
}

/* "--base a,b" */
static void put_bases(struct cli *cli, struct json_writer *w)
{
    struct str rest = str_from(cli_option(cli, "--base")), base;

    if (rest.len == 0)
        return;
    jw_key(w, "weir");
    jw_object(w);
    jw_key(w, "knowledge");
    jw_array(w);
    while (rest.len > 0 && str_split(&rest, ',', &base))
        jw_str(w, str_trim(base));
    jw_array_end(w);
    jw_object_end(w);
}

static bool ask_body(struct cli *cli, struct str *out, struct err *err)
{
    struct buf b;
    struct json_writer w;
    const char *model = cli_option(cli, "--model");

    buf_init(&b, cli->arena, BODY_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "model"), jw_str(&w, model           ? str_from(model)
                                    : cli->settings ? cli->settings->knowledge.model
                                                    : STR("weir"));
    jw_key(&w, "stream"), jw_bool(&w, !cli_given(cli, "--no-stream") && !cli->json);
    jw_key(&w, "messages");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "role"), jw_cstr(&w, "user");
    jw_key(&w, "content"), jw_str(&w, question_of(cli, err));
    jw_object_end(&w);
    jw_array_end(&w);
    put_bases(cli, &w);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

/* The words that answer, as the documents' model marks them: on a line of their own, for the sentences are
 * on their way before it is known which will be marked. */
static void print_words(struct cli *cli, const struct json *j)
{
    bool terminal = isatty(STDOUT_FILENO) == 1;
    json_ref citations = json_path(j, "weir.citations");

    if (!terminal && !cli_given(cli, "--words"))
        return;
    for (json_ref c = json_first(j, citations); c; c = json_next(j, c)) {
        struct str words = cli_text(cli, j, json_get(j, c, STR("answer")), "text");
        int64_t number = 0;

        if (!words.len || !json_i64(j, json_get(j, c, STR("number")), &number))
            continue;
        printf("\n\n%s" STR_FMT "%s [%" PRId64 "]", terminal ? "\033[1m" : "", STR_ARG(words),
               terminal ? "\033[0m" : "", number);
    }
}

/* One event of the stream: print its text; false with err when it reports a failure. */
static bool print_event(struct cli *cli, const struct sse_event *event, bool *done, struct err *err)
{
    struct str text;

    if (!event->has_data || str_eq(event->data, STR("[DONE]"))) {
        *done |= event->has_data;
        return true;
    }
    struct json *j = json_parse(cli->arena, event->data, err);
    if (!j)
        return err_wrap(err, "an event of the answer is not JSON");
    if (json_path(j, "error"))
        return err_set(err, ERR_UNAVAILABLE, "the answer broke off: " STR_FMT,
                       STR_ARG(cli_text(cli, j, json_path(j, "error"), "message")));
    text = cli_string(cli, j, json_path(j, "choices.0.delta.content"));
    if (text.ptr)
        fwrite(text.ptr, 1, text.len, stdout);
    print_words(cli, j);
    return (fflush(stdout) == 0 && !ferror(stdout)) || /* what follows costs, and nobody has it */
           err_set(err, ERR_UNAVAILABLE, "could not write to standard output");
}

static bool print_stream(struct cli *cli, struct http_call *call, struct err *err)
{
    struct sse_reader reader;
    struct sse_event event;
    struct str bytes;
    bool done = false;

    sse_reader_init(&reader, cli->arena, BODY_MAX);
    for (;;) {
        if (!http_call_next(call, &bytes, err))
            return false;
        if (bytes.len == 0)
            break;
        if (!sse_feed(&reader, bytes, err))
            return false;
        while (sse_next(&reader, &event))
            if (!print_event(cli, &event, &done, err))
                return false;
    }
    printf("\n");
    return done || err_set(err, ERR_UNAVAILABLE, "the answer broke off before its end");
}

static bool ask(struct cli *cli, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct json *j = NULL;
    struct str body, text;

    if (!ask_body(cli, &body, err))
        return false;
    if (cli_given(cli, "--no-stream") || cli->json) {
        if (!cli_call(cli, "POST", STR("/v1/chat/completions"), body, &j, err))
            return false;
        if (cli->json)
            cli_print_json(j);
        else
            printf(STR_FMT, STR_ARG(cli_string(cli, j, json_path(j, "choices.0.message.content")))),
                print_words(cli, j), printf("\n");
        return true;
    }
    if (!cli_open(cli, "POST", STR("/v1/chat/completions"), body, &call, err))
        return false;
    if (http_call_head(call)->status == 200)
        return print_stream(cli, call, err);
    if (!http_call_body(call, BODY_MAX, &text, err))
        return false;
    j = json_parse(cli->arena, text, err);
    return j && err_set(err, ERR_DENIED, STR_FMT,
                        STR_ARG(cli_text(cli, j, json_path(j, "error"), "message")));
}

static bool cli_ask(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, ask, err);
}

static const struct cli_option serve_options_table[] = {
    {"--listen", CLI_TEXT, "ADDRESS", NULL, "where clients connect"},
    {0},
};

static const struct cli_option ask_options[] = {
    {"--model", CLI_TEXT, "NAME", NULL, "which model; default: the documents"},
    {"--base", CLI_LIST, "A,B", NULL, "which knowledge bases; default: the default one"},
    {"--no-stream", CLI_SWITCH, NULL, NULL, "wait for the whole answer"},
    {"--words", CLI_SWITCH, NULL, NULL,
     "the words that answer on a line of their own, as on a terminal"},
    {0},
};

static const struct cli_command commands[] = {
    {"serve", "start Weir",
     "Reads weir.yaml if there is one (--config FILE names another), keeps everything in the data\n"
     "directory (--data-dir DIR), listens on --listen ADDRESS (default 127.0.0.1:8080). The first "
     "start\n"
     "makes keys and prints them once. SIGHUP reads the settings again, SIGTERM finishes what is "
     "in\n"
     "progress and stops.\n",
     serve_options_table, cli_serve, NULL, NULL, NULL, NULL, NULL, false, true},
    {"ask QUESTION...", "ask a model, by default the documents",
     "  weir ask 'How many days of annual leave do employees get?'\n"
     "  weir ask --model gpt-4o-mini 'Write a haiku about rain'\n"
     "--json prints the whole answer as the API gives it.\n",
     ask_options, cli_ask, NULL, NULL, NULL, NULL, NULL},
};
const struct cli_part cli_start_part = {"Start and ask", commands, ARRAY_LEN(commands)};
