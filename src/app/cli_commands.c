#include <string.h>

#include "accounts/audit.h"
#include "app/cli.h"
#include "app/log_queue.h"
#include "app/serve.h"
#include "base/log.h"
#include "base/utf8.h"
#include "net/sse.h"
#include "sys/loop.h"
#include "sys/path.h"
#include "sys/threads.h"

#define BODY_MAX (32 * MIB)

static bool wants(struct err *err, const char *command, const char *words)
{
    return err_set(err, ERR_INVALID, "expected: weir %s %s; `weir help %s` says more", command,
                   words, command);
}

static bool word_is(const struct cli *cli, int at, const char *word)
{
    return at < cli->word_count && strcmp(cli->words[at], word) == 0;
}

/* ---- serve ---- */

static int serve_worker(void *arg)
{
    return serve(arg);
}

bool cli_serve(struct cli *cli, struct err *err)
{
    if (cli->word_count > 0)
        return wants(err, "serve", "[OPTIONS]");
    if (!cli_settings(cli, err))
        return false;
    bool alone = !cli->settings->server.supervise;
    struct serve_options options = {
        .settings = cli->settings, .config_file = cli->config, .environment = cli->environment};

    log_without_queue();
    cli->status = alone ? serve(&options) : supervise(serve_worker, &options);
    if (alone)
        cli->settings = NULL; /* serve() took them over; under supervise() the child did */
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

static bool ask_body(struct cli *cli, struct str *out, struct err *err)
{
    struct buf b;
    struct json_writer w;

    buf_init(&b, cli->arena, BODY_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "model"), jw_str(&w, cli->model      ? str_from(cli->model)
                                    : cli->settings ? cli->settings->knowledge.model
                                                    : STR("weir"));
    jw_key(&w, "stream"), jw_bool(&w, !cli->whole && !cli->json);
    jw_key(&w, "messages");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "role"), jw_cstr(&w, "user");
    jw_key(&w, "content"), jw_str(&w, question_of(cli, err));
    jw_object_end(&w);
    jw_array_end(&w);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
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
    json_ref content = json_path(j, "choices.0.delta.content");
    if (content && json_str(j, content, cli->arena, &text))
        fwrite(text.ptr, 1, text.len, stdout);
    fflush(stdout);
    return true;
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
    if (cli->whole || cli->json) {
        if (!cli_call(cli, "POST", STR("/v1/chat/completions"), body, &j, err))
            return false;
        if (cli->json)
            cli_print_json(j);
        else if (json_str(j, json_path(j, "choices.0.message.content"), cli->arena, &text))
            printf(STR_FMT "\n", STR_ARG(text));
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

bool cli_ask(struct cli *cli, struct err *err)
{
    if (cli->word_count == 0)
        return wants(err, "ask", "QUESTION");
    return cli_with_weir(cli, ask, err);
}

/* ---- documents ---- */

static bool ingest_body(struct cli *cli, const char *path, struct str *out, struct err *err)
{
    struct buf b;
    struct json_writer w;
    struct str whole;

    if (cli->url) /* the path is one of that machine */
        whole = str_from(path);
    else if (!path_absolute(cli->arena, path, &whole, err))
        return false;
    buf_init(&b, cli->arena, 64 * KIB);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "path"), jw_str(&w, whole);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static void print_ingest(struct cli *cli, const char *path, const struct json *j)
{
    json_ref root = json_root(j), problems = json_get(j, root, STR("problems"));
    struct str added = cli_text(cli, j, root, "added"), changed = cli_text(cli, j, root, "changed");

    for (json_ref p = json_first(j, problems); p; p = json_next(j, p))
        fprintf(stderr, "weir: not ingested: " STR_FMT ": " STR_FMT "\n",
                STR_ARG(cli_text(cli, j, p, "path")), STR_ARG(cli_text(cli, j, p, "reason")));
    printf("%s: " STR_FMT " added, " STR_FMT " changed, " STR_FMT " unchanged, " STR_FMT
           " removed, " STR_FMT " failed, " STR_FMT " skipped; " STR_FMT " passages\n",
           path, STR_ARG(added), STR_ARG(changed), STR_ARG(cli_text(cli, j, root, "unchanged")),
           STR_ARG(cli_text(cli, j, root, "removed")), STR_ARG(cli_text(cli, j, root, "failed")),
           STR_ARG(cli_text(cli, j, root, "skipped")), STR_ARG(cli_text(cli, j, root, "passages")));
}

static bool ingest(struct cli *cli, struct err *err)
{
    for (int i = 0; i < cli->word_count; i++) {
        struct json *j;
        struct str body;

        if (!ingest_body(cli, cli->words[i], &body, err) ||
            !cli_call(cli, "POST", STR("/api/v1/documents"), body, &j, err))
            return false;
        if (cli->json)
            cli_print_json(j);
        else
            print_ingest(cli, cli->words[i], j);
        if (!str_eq(cli_text(cli, j, json_root(j), "failed"), STR("0")))
            cli->status = 1;
    }
    return true;
}

bool cli_ingest(struct cli *cli, struct err *err)
{
    if (cli->word_count == 0)
        return wants(err, "ingest", "PATH...");
    return cli_with_weir(cli, ingest, err);
}

#define COLUMNS_MAX 12

/* As wide as its widest cell; the last column runs free. */
static void measure(struct cli *cli, const struct json *j, json_ref items,
                    const char *const *columns, size_t widths[COLUMNS_MAX])
{
    for (size_t c = 0; columns[c]; c++) {
        widths[c] = strlen(columns[c]);
        for (json_ref item = json_first(j, items); item; item = json_next(j, item))
            widths[c] = MAX_OF(widths[c], utf8_count(cli_text(cli, j, item, columns[c])));
    }
}

static void print_cell(struct str text, size_t width, bool last)
{
    size_t shown = utf8_count(text);

    printf(STR_FMT "%*s", STR_ARG(text), last ? 0 : (int)(width + 2 - MIN_OF(shown, width)), "");
}

static bool print_list(struct cli *cli, const char *path, const char *list,
                       const char *const *columns, struct err *err)
{
    size_t widths[COLUMNS_MAX];
    struct json *j;

    if (!cli_call(cli, "GET", str_from(path), STR_NONE, &j, err))
        return false;
    if (cli->json) {
        cli_print_json(j);
        return true;
    }
    json_ref items = json_get(j, json_root(j), str_from(list));
    measure(cli, j, items, columns, widths);
    for (size_t c = 0; columns[c]; c++)
        print_cell(str_from(columns[c]), widths[c], !columns[c + 1]);
    printf("\n");
    for (json_ref item = json_first(j, items); item; item = json_next(j, item)) {
        for (size_t c = 0; columns[c]; c++)
            print_cell(cli_text(cli, j, item, columns[c]), widths[c], !columns[c + 1]);
        printf("\n");
    }
    return true;
}

static bool document_list(struct cli *cli, struct err *err)
{
    static const char *const columns[] = {"id",    "language", "passages", "ingested",
                                          "title", "path",     NULL};

    return print_list(cli, "/api/v1/documents", "documents", columns, err);
}

static bool document_forget(struct cli *cli, struct err *err)
{
    struct json *j;
    struct str path = arena_fmt(cli->arena, "/api/v1/documents/%s", cli->words[1]);

    if (!cli_call(cli, "DELETE", path, STR_NONE, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else
        printf(STR_FMT " forgotten\n", STR_ARG(cli_text(cli, j, json_root(j), "forgotten")));
    return true;
}

bool cli_document(struct cli *cli, struct err *err)
{
    if (word_is(cli, 0, "list") && cli->word_count == 1)
        return cli_with_weir(cli, document_list, err);
    if (word_is(cli, 0, "forget") && cli->word_count == 2)
        return cli_with_weir(cli, document_forget, err);
    return wants(err, "document", "list | forget ID");
}

/* ---- keys ---- */

static void body_limits(struct cli *cli, struct json_writer *w)
{
    if (cli->rpm)
        jw_key(w, "requests_per_minute"), jw_raw(w, str_from(cli->rpm));
    if (cli->day)
        jw_key(w, "spend_day_usd"), jw_raw(w, str_from(cli->day));
    if (cli->month)
        jw_key(w, "spend_month_usd"), jw_raw(w, str_from(cli->month));
}

static bool check_limits(const struct cli *cli, struct err *err)
{
    usd_micro usd;
    uint64_t n;

    if (cli->rpm && !u64_parse(str_from(cli->rpm), &n))
        return err_set(err, ERR_INVALID, "--rpm: expected a whole number, found \"%s\"", cli->rpm);
    if (cli->day && !usd_parse(str_from(cli->day), &usd))
        return err_set(err, ERR_INVALID, "--day: expected US dollars such as 2.50, found \"%s\"",
                       cli->day);
    if (cli->month && !usd_parse(str_from(cli->month), &usd))
        return err_set(err, ERR_INVALID, "--month: expected US dollars such as 2.50, found \"%s\"",
                       cli->month);
    return true;
}

static bool key_body(struct cli *cli, const char *name, struct str *out, struct err *err)
{
    struct buf b;
    struct json_writer w;

    buf_init(&b, cli->arena, 64 * KIB);
    jw_init(&w, &b);
    jw_object(&w);
    if (name) {
        jw_key(&w, "name"), jw_cstr(&w, name);
        jw_key(&w, "role"), jw_cstr(&w, cli->admin ? "admin" : "app");
    }
    body_limits(cli, &w);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static bool key_make(struct cli *cli, struct err *err)
{
    struct json *j;
    struct str body;

    if (!key_body(cli, cli->words[1], &body, err) ||
        !cli_call(cli, "POST", STR("/api/v1/keys"), body, &j, err))
        return false;
    if (cli->json) {
        cli_print_json(j);
        return true;
    }
    printf(STR_FMT "\n", STR_ARG(cli_text(cli, j, json_root(j), "key")));
    fprintf(stderr, "This key is shown this once. Its id is " STR_FMT ".\n",
            STR_ARG(cli_text(cli, j, json_root(j), "id")));
    return true;
}

static bool key_show(struct cli *cli, struct err *err)
{
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

    return print_list(cli, "/api/v1/keys", "keys", columns, err);
}

static bool key_change(struct cli *cli, struct err *err)
{
    struct json *j;
    struct str body = STR_NONE, path = arena_fmt(cli->arena, "/api/v1/keys/%s", cli->words[1]);
    bool revoke = word_is(cli, 0, "revoke");

    if (!revoke && !key_body(cli, NULL, &body, err))
        return false;
    if (!cli_call(cli, revoke ? "DELETE" : "PATCH", path, body, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else
        printf(STR_FMT " %s\n", STR_ARG(cli_text(cli, j, json_root(j), "id")),
               revoke ? "revoked" : "changed");
    return true;
}

bool cli_key(struct cli *cli, struct err *err)
{
    if (!check_limits(cli, err))
        return false;
    if (word_is(cli, 0, "create") && cli->word_count == 2)
        return cli_with_weir(cli, key_make, err);
    if (word_is(cli, 0, "list") && cli->word_count == 1)
        return cli_with_weir(cli, key_show, err);
    if ((word_is(cli, 0, "revoke") || word_is(cli, 0, "limit")) && cli->word_count == 2)
        return cli_with_weir(cli, key_change, err);
    return wants(err, "key", "create NAME | list | limit ID | revoke ID");
}

/* ---- models ---- */

static bool model_list(struct cli *cli, struct err *err)
{
    static const char *const columns[] = {
        "name", "provider", "remote_name", "price_input_usd", "price_output_usd", "url", NULL};

    return print_list(cli, "/api/v1/models", "models", columns, err);
}

bool cli_model(struct cli *cli, struct err *err)
{
    if (word_is(cli, 0, "list") && cli->word_count == 1)
        return cli_with_weir(cli, model_list, err);
    return wants(err, "model", "list");
}

/* ---- audit: from the files alone ---- */

static const char *audit_dir(struct cli *cli, struct err *err)
{
    if (cli->word_count > 1)
        return cli->words[1];
    if (!cli_settings(cli, err))
        return NULL;
    return arena_fmt(cli->arena, STR_FMT "/audit", STR_ARG(cli->settings->data.dir)).ptr;
}

static bool audit_check(struct cli *cli, struct err *err)
{
    struct audit_report r = {0};
    const char *dir = audit_dir(cli, err);
    char text[65];
    struct buf head;

    if (!dir || !audit_verify(dir, &r, err))
        return false;
    if (r.segments == 0)
        return err_set(err, ERR_NOT_FOUND, "there are no audit files in \"%s\"", dir);
    buf_init_fixed(&head, text, sizeof text - 1);
    buf_hex(&head, r.head.bytes, sizeof r.head.bytes);
    text[head.len] = 0;
    if (cli->json)
        printf("{\"ok\":true,\"records\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"first\":%" PRIu64
               ",\"last\":%" PRIu64 ",\"head\":\"%s\",\"torn_tail\":%s}\n",
               r.records, r.segments, r.first_seq, r.last_seq, text,
               r.torn_tail ? "true" : "false");
    else
        printf("%" PRIu64 " records in %" PRIu64 " files, %" PRIu64 " to %" PRIu64
               ", the chain holds%s\nhead %s\n",
               r.records, r.segments, r.first_seq, r.last_seq,
               r.torn_tail ? " (an unfinished record stands at the very end)" : "", text);
    return true;
}

struct tail {
    uint64_t next;
};

static bool print_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    (void)err;
    ((struct tail *)ctx)->next = seq + 1;
    fwrite(line.ptr, 1, line.len, stdout);
    if (!str_ends(line, STR("\n")))
        putchar('\n');
    return true;
}

struct following {
    const char *dir;
    struct tail tail;
    struct err *err;
    bool ok;
};

static void follow(void *arg)
{
    struct following *f = arg;

    do {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

        f->ok = arena && audit_read(arena, f->dir, f->tail.next, print_record, &f->tail, f->err);
        fflush(stdout);
    } while (f->ok && fiber_sleep(SECOND / 2, f->err));
}

static bool audit_tail(struct cli *cli, struct err *err)
{
    struct audit_report r = {0};
    uint64_t lines = 10;
    const char *dir = audit_dir(cli, err);

    if (cli->lines && !u64_parse(str_from(cli->lines), &lines))
        return err_set(err, ERR_INVALID, "--lines: expected a whole number, found \"%s\"",
                       cli->lines);
    if (!dir || !audit_verify(dir, &r, err))
        return false;
    struct following f = {
        .dir = dir, .err = err, .tail = {.next = r.last_seq >= lines ? r.last_seq - lines + 1 : 1}};
    if (!cli->follow)
        return audit_read(cli->arena, dir, f.tail.next, print_record, &f.tail, err);
    struct loop *loop = loop_new(NULL, err);
    if (!loop)
        return false;
    loop_run(loop, follow, &f);
    loop_free(&loop);
    return f.ok;
}

bool cli_audit(struct cli *cli, struct err *err)
{
    if (word_is(cli, 0, "verify") && cli->word_count <= 2)
        return audit_check(cli, err);
    if (word_is(cli, 0, "tail") && cli->word_count <= 2)
        return audit_tail(cli, err);
    return wants(err, "audit", "tail | verify [DIR]");
}

/* ---- settings ---- */

static bool print_buf(struct buf *b, struct err *err)
{
    struct str text;

    if (!buf_finish(b, &text, err))
        return false;
    fwrite(text.ptr, 1, text.len, stdout);
    if (!str_ends(text, STR("\n")))
        putchar('\n');
    return true;
}

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

bool cli_config(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, 4 * MIB);
    if (cli->word_count != 1)
        return wants(err, "config", "check | show | schema | docs");
    if (word_is(cli, 0, "check"))
        return config_check(cli, err);
    if (word_is(cli, 0, "schema"))
        settings_schema(&b);
    else if (word_is(cli, 0, "docs"))
        settings_docs(&b);
    else if (!word_is(cli, 0, "show"))
        return wants(err, "config", "check | show | schema | docs");
    else if (!cli_settings(cli, err))
        return false;
    else
        settings_show(cli->settings, cli->json, &b);
    return print_buf(&b, err);
}
