/* Reaching a Weir, and what most commands are: one call of /api/v1, its reply shown. */
#include "app/cli.h"

#include <errno.h>
#include <string.h>

#include "app/serve.h"
#include "base/log.h"
#include "base/utf8.h"
#include "net/resolve.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/path.h"
#include "sys/threads.h"

#define ANSWER_MAX  (64 * MIB)
#define BODY_MAX    MIB
#define PAGE_MEMORY (256 * MIB)
#define PAGE_ITEMS  1000
#define PAGES_MAX   100000 /* of a list: a Weir that never ends one is broken */

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
    return err_set(err,
                   status >= 500   ? ERR_UNAVAILABLE
                   : status == 404 ? ERR_NOT_FOUND
                                   : ERR_DENIED,
                   STR_FMT, STR_ARG(text.len ? text : str_from(http_reason(status))));
}

static SUSPENDS bool read_answer(struct cli *cli, struct http_call *call, struct json **out,
                                 struct err *err)
{
    struct str text;

    if (!http_call_body(call, ANSWER_MAX, &text, err))
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

SUSPENDS bool cli_call(struct cli *cli, const char *method, struct str path, struct str body,
                       struct json **out, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;

    return cli_open(cli, method, path, body, &call, err) && read_answer(cli, call, out, err);
}

void cli_disarm(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i], next = i + 1 < len ? (uint8_t)text[i + 1] : 0;

        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
            text[i] = '?';
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* U+0080 to U+009F */
            text[i] = text[i + 1] = '?';
    }
}

struct str cli_string(struct cli *cli, const struct json *j, json_ref v)
{
    struct str text;

    if (!v || !json_str(j, v, cli->arena, &text))
        return STR_NONE;
    char *shown = arena_alloc_raw(cli->arena, text.len + 1);
    if (!shown)
        return STR_NONE;
    memcpy(shown, text.ptr, text.len);
    cli_disarm(shown, text.len);
    return (struct str){shown, text.len};
}

struct str cli_text(struct cli *cli, const struct json *j, json_ref object, const char *key)
{
    json_ref v = json_get(j, object, str_from(key));
    struct str text = STR("");

    if (json_kind(j, v) == JSON_STRING) {
        text = cli_string(cli, j, v);
        return text.ptr ? text : STR("");
    }
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

/* Whoever may not look in there would do Weir's work beside it, and be told that no directory can be made. */
static bool may_look(struct cli *cli, struct str dir, int missing, struct err *err)
{
    struct file_info info;
    struct err why = {.sys = missing};

    if (dir.len > 0)
        (void)!file_stat(arena_fmt(cli->arena, STR_FMT "/weir.sock", STR_ARG(dir)).ptr, &info,
                         &why);
    return why.sys == 0 || why.sys == ENOENT ||
           err_set(err, ERR_DENIED,
                   "cannot look for Weir in \"" STR_FMT "\": %s: run this as Weir's user, or say "
                   "--url and --key",
                   STR_ARG(cli->data_path), strerror(why.sys));
}

/* *nobody: there is no data directory yet, so no daemon works in it. */
static bool target_of(struct cli *cli, bool *nobody, struct err *err)
{
    struct str dir = STR(""), url = str_from(cli->url);
    struct err missing = {0};

    if (cli->url && !cli->key)
        return err_set(err, ERR_INVALID, "--url needs a key: --key or WEIR_KEY");
    if (!cli->url) {
        *nobody = !path_absolute(cli->arena, cli->data_path.ptr, &dir, &missing);
        if (!may_look(cli, dir, missing.sys, err))
            return false;
        url =
            arena_fmt(cli->arena, "unix:" STR_FMT "/weir.sock", STR_ARG(*nobody ? STR("/") : dir));
    }
    return http_url_parse(url, &cli->target, err);
}

bool cli_with_weir(struct cli *cli, cli_fn *fn, struct err *err)
{
    struct errand errand = {.cli = cli, .fn = fn, .err = err};

    if (!cli->url) {
        if (!cli_settings_but_secrets(cli, err))
            return false;
        cli->data_path = arena_str(cli->arena, cli->settings->data.dir);
        if (!cli->data_path.ptr)
            return err_arena(err, cli->arena);
    }
    if (!target_of(cli, &errand.nobody, err))
        return false;
    if (errand.nobody && !cli->command->begins) /* who looks here looks in the wrong place */
        return err_set(err, ERR_NOT_FOUND,
                       "there is no data directory \"" STR_FMT
                       "\": run this where Weir runs, or name it with --data-dir or --config",
                       STR_ARG(cli->data_path));
    http_client_init(NULL);
    if (cli->url && !resolve_init(NULL, err)) /* without it only numeric hosts are known */
        return false;
    struct loop *loop = loop_new(NULL, err);
    if (!loop)
        return false;
    if (!errand.nobody)
        loop_run(loop, probe_then_run, &errand);
    loop_free(&loop);
    if (cli->url)
        resolve_done();
    if (!errand.nobody)
        return errand.ok;

    struct house *house = NULL;
    settings_free(&cli->settings);
    if (!cli_settings(cli, err)) /* now with secrets: the work is done here */
        return false;
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

bool cli_print_buf(struct buf *b, struct err *err)
{
    struct str text;

    if (!buf_finish(b, &text, err))
        return false;
    fwrite(text.ptr, 1, text.len, stdout);
    if (!str_ends(text, STR("\n")))
        putchar('\n');
    return true;
}

/* ---- lists ---- */

/* A list may be longer than memory is large: it is shown a page at a time. */
struct listing {
    struct str path;
    const char *const *columns;
    size_t widths[CLI_COLUMNS_MAX]; /* as wide as the widest cell so far */
    const char *before;             /* the next item of JSON */
    uint64_t left;                  /* items that are still wanted */
};

static bool read_page(struct cli *cli, const struct listing *list, struct str cursor,
                      struct json **out, struct err *err)
{
    bool asks = str_find_char(list->path, '?') < list->path.len;
    struct str path = arena_fmt(
        cli->arena, STR_FMT "%climit=%" PRIu64 "%s" STR_FMT, STR_ARG(list->path), asks ? '&' : '?',
        MIN_OF(list->left, (uint64_t)PAGE_ITEMS), cursor.len ? "&cursor=" : "", STR_ARG(cursor));

    if (!path.ptr)
        return err_arena(err, cli->arena);
    return cli_call(cli, "GET", path, STR_NONE, out, err);
}

static json_ref first_item(const struct json *j)
{
    return json_first(j, json_get(j, json_root(j), STR("items")));
}

/* The last column runs free. */
static void measure(struct cli *cli, struct listing *list, const struct json *page)
{
    for (size_t c = 0; list->columns[c]; c++) {
        ASSERT(c < CLI_COLUMNS_MAX);
        list->widths[c] = MAX_OF(list->widths[c], strlen(list->columns[c]));
        for (json_ref item = first_item(page); item; item = json_next(page, item))
            list->widths[c] =
                MAX_OF(list->widths[c], utf8_count(cli_text(cli, page, item, list->columns[c])));
    }
}

void cli_print_line(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        putchar(text.ptr[i] == '\n' || text.ptr[i] == '\t' ? ' ' : text.ptr[i]);
}

static void print_cell(struct str text, size_t width, bool last)
{
    if (text.len == 0)
        text = STR("-");
    size_t shown = utf8_count(text);

    cli_print_line(text);
    printf("%*s", last ? 0 : (int)(width + 2 - MIN_OF(shown, width)), "");
}

static void print_rows(struct cli *cli, struct listing *list, const struct json *page, bool first)
{
    const char *const *columns = list->columns;

    measure(cli, list, page);
    for (size_t c = 0; first && columns[c]; c++)
        print_cell(str_from(columns[c]), list->widths[c], !columns[c + 1]);
    printf("%s", first ? "\n" : "");
    for (json_ref item = first_item(page); item; item = json_next(page, item)) {
        for (size_t c = 0; columns[c]; c++)
            print_cell(cli_text(cli, page, item, columns[c]), list->widths[c], !columns[c + 1]);
        printf("\n");
    }
}

static void print_items(struct listing *list, const struct json *page, bool first)
{
    printf("%s", first ? "{\"items\":[" : "");
    for (json_ref item = first_item(page); item; item = json_next(page, item), list->before = ",")
        printf("%s" STR_FMT, list->before, STR_ARG(json_raw(page, item)));
}

/* In memory of its own, but for where the next one begins. */
static bool show_page(struct cli *cli, struct listing *list, struct str *cursor, struct err *err)
{
    struct arena *own CLEANUP(arena_end) = arena_new(PAGE_MEMORY), *all = cli->arena;
    bool first = cursor->len == 0;
    struct json *page;

    if (!own)
        return err_no_room(err, "no memory for a page of the list");
    cli->arena = own;
    bool ok = read_page(cli, list, *cursor, &page, err);

    if (ok && cli->json)
        print_items(list, page, first);
    else if (ok)
        print_rows(cli, list, page, first);
    if (ok) {
        size_t items = json_count(page, json_get(page, json_root(page), STR("items")));

        list->left -= MIN_OF(items, list->left);
        *cursor = arena_str(all, cli_text(cli, page, json_root(page), "next_cursor"));
    }
    cli->arena = all;
    return ok && (cursor->ptr || err_arena(err, all));
}

bool cli_list(struct cli *cli, struct str path, const char *const *columns, struct err *err)
{
    struct listing list = {.path = path,
                           .columns = columns,
                           .before = "",
                           .left = cli_number(cli, "--limit", UINT64_MAX)};
    struct str cursor = STR("");
    int pages = 0;

    if (!list.left)
        return err_set(err, ERR_INVALID, "--limit: expected a whole number from 1");
    do {
        if (pages++ == PAGES_MAX)
            return err_set(err, ERR_TOO_LARGE, "the list has more than %d pages", PAGES_MAX);
        if (!show_page(cli, &list, &cursor, err))
            return false;
    } while (cursor.len > 0 && list.left > 0);
    if (cli->json)
        printf("],\"next_cursor\":%s" STR_FMT "%s}\n", cursor.len ? "\"" : "null", STR_ARG(cursor),
               cursor.len ? "\"" : "");
    return true;
}

/* ---- a plain call ---- */

struct str cli_escape(struct cli *cli, struct str text)
{
    struct buf b;

    buf_init(&b, cli->arena, 3 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            memchr("-._~", c, 4))
            buf_char(&b, c);
        else
            buf_fmt(&b, "%%%02X", (unsigned)(unsigned char)c);
    }
    return buf_view(&b);
}

/* What stood for NAME on the command line: "key create NAME", its first word. STR_NONE: absent. */
static struct str word_for(const struct cli *cli, struct str name)
{
    struct str rest = str_from(cli->command->words), word;
    int at = 0;

    while (str_split(&rest, ' ', &word)) {
        if (word.ptr[0] >= 'a' && word.ptr[0] <= 'z')
            continue;
        if (word.ptr[0] == '[')
            word = str_slice(word, 1, word.len - 1);
        if (str_eq(word, name))
            return at < cli->word_count ? str_from(cli->words[at]) : STR_NONE;
        at++;
    }
    return STR_NONE;
}

static void put_query(struct cli *cli, struct buf *path)
{
    char before = '?';

    for (int i = 0; i < cli->given_count; i++) {
        const struct cli_option *option = cli->given[i].option;
        struct str field = str_from(option->field), value = str_from(cli->given[i].value);

        if (!option->field)
            continue;
        if (option->kind == CLI_SWITCH) {
            size_t equals = str_find_char(field, '=');

            value = equals < field.len ? str_slice(field, equals + 1, field.len) : STR("true");
            field = str_slice(field, 0, equals);
        }
        buf_fmt(path, "%c" STR_FMT "=" STR_FMT, before, STR_ARG(field),
                STR_ARG(cli_escape(cli, value)));
        before = '&';
    }
}

static bool make_path(struct cli *cli, struct str *out, struct err *err)
{
    struct str rest = str_from(cli->command->path), part;
    struct buf b;

    buf_init(&b, cli->arena, 64 * KIB);
    for (bool first = true; str_split(&rest, '{', &part); first = false) {
        size_t end = first ? 0 : str_find_char(part, '}');

        if (!first) {
            buf_str(&b, cli_escape(cli, word_for(cli, str_slice(part, 0, end))));
            end++;
        }
        buf_str(&b, str_slice(part, end, part.len));
    }
    if (strcmp(cli->command->method, "GET") == 0)
        put_query(cli, &b);
    return buf_finish(&b, out, err);
}

bool cli_send_open(struct cli *cli, struct str more, struct http_call **out, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct str path;
    struct json *j;

    if (!make_path(cli, &path, err))
        return false;
    path = arena_fmt(cli->arena, STR_FMT "%c" STR_FMT, STR_ARG(path),
                     str_find_char(path, '?') < path.len ? '&' : '?', STR_ARG(more));
    if (!path.ptr)
        return err_arena(err, cli->arena);
    if (!cli_open(cli, cli->command->method, path, STR_NONE, &call, err))
        return false;
    if (http_call_head(call)->status >= 400)
        return read_answer(cli, call, &j, err) ||
               err_set(err, ERR_UNAVAILABLE, "the answer is no error");
    *out = call;
    call = NULL;
    return true;
}

static void put_list(struct str list, struct json_writer *w)
{
    jw_array(w);
    for (struct str part; list.len && str_split(&list, ',', &part);)
        if (str_trim(part).len)
            jw_str(w, str_trim(part));
    jw_array_end(w);
}

static void put_option(const struct cli_option *option, const char *value, struct json_writer *w)
{
    struct str field = str_from(option->field);
    size_t equals = str_find_char(field, '=');
    usd_micro usd = 0;
    uint64_t n = 0;

    jw_key_str(w, str_slice(field, 0, equals));
    switch (option->kind) {
    case CLI_SWITCH:
        field = equals < field.len ? str_slice(field, equals + 1, field.len) : STR("true");
        if (str_eq(field, STR("true")) || str_eq(field, STR("false")) || str_eq(field, STR("[]")))
            jw_raw(w, field);
        else
            jw_str(w, field);
        break;
    case CLI_TEXT: jw_cstr(w, value); break;
    case CLI_LIST: put_list(str_from(value), w); break;
    case CLI_COUNT: /* "010" is ten, and no number of JSON */
        (void)!u64_parse(str_from(value), &n);
        jw_u64(w, n);
        break;
    case CLI_USD:
        (void)!usd_parse(str_from(value), &usd);
        jw_usd(w, usd);
        break;
    case CLI_ROW:
    case CLI_FILE: break; /* cli_put_rows() */
    }
}

static bool make_body(struct cli *cli, struct str *out, struct err *err)
{
    struct str rest = str_from(cli->command->body), pair;
    struct json_writer w;
    struct buf b;

    buf_init(&b, cli->arena, BODY_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    while (str_split(&rest, ' ', &pair)) {
        size_t equals = str_find_char(pair, '=');
        struct str value = word_for(cli, str_slice(pair, 0, equals));

        if (value.ptr) {
            jw_key_str(&w, str_slice(pair, equals + 1, pair.len));
            jw_str(&w, value);
        }
    }
    for (int i = 0; i < cli->given_count; i++)
        if (cli->given[i].option->field && cli->given[i].option->kind < CLI_ROW)
            put_option(cli->given[i].option, cli->given[i].value, &w);
    if (!cli_put_rows(cli, str_from(cli->word_count ? cli->words[0] : ""), &w, err))
        return false;
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static void print_done(struct cli *cli, const struct json *j)
{
    struct str rest = str_from(cli->command->done), part;

    for (bool first = true; str_split(&rest, '{', &part); first = false) {
        size_t end = first ? 0 : str_find_char(part, '}');
        char key[64];
        struct buf name;

        if (!first) {
            buf_init_fixed(&name, key, sizeof key - 1);
            buf_str(&name, str_slice(part, 0, end++));
            key[name.len] = 0;
            printf(STR_FMT, STR_ARG(cli_text(cli, j, json_root(j), key)));
        }
        printf(STR_FMT, STR_ARG(str_slice(part, end, part.len)));
    }
    printf("\n");
}

static struct str text_of(struct cli *cli, const struct json *j, json_ref v)
{
    struct str text = json_raw(j, v);

    if (json_kind(j, v) == JSON_STRING)
        text = cli_string(cli, j, v);
    return json_kind(j, v) == JSON_NULL ? STR("-") : text;
}

/* "hours=08:00-18:00 tenants=acme,other": an object in a reply, on one line. */
static void print_object(struct cli *cli, const struct json *j, json_ref object)
{
    const char *before = "";

    for (json_ref m = json_first(j, object); m; m = json_next(j, m), before = " ") {
        const char *comma = "";

        printf("%s" STR_FMT "=", before, STR_ARG(json_key_raw(j, m)));
        if (json_kind(j, m) != JSON_ARRAY) {
            cli_print_line(text_of(cli, j, m));
            continue;
        }
        for (json_ref v = json_first(j, m); v; v = json_next(j, v), comma = ",") {
            printf("%s", comma);
            cli_print_line(text_of(cli, j, v));
        }
    }
    printf("\n");
}

/* What stands in the left column: the key; of a list of objects "key[0]", a line each. */
static struct str label(struct cli *cli, const struct json *j, json_ref m, size_t i)
{
    if (json_kind(j, json_first(j, m)) != JSON_OBJECT || json_kind(j, m) != JSON_ARRAY)
        return json_key_raw(j, m);
    return arena_fmt(cli->arena, STR_FMT "[%zu]", STR_ARG(json_key_raw(j, m)), i);
}

static void print_label(struct str key, size_t width)
{
    printf(STR_FMT "%*s", STR_ARG(key), (int)(width + 2 - key.len), "");
}

static void print_member(struct cli *cli, const struct json *j, json_ref m, size_t width)
{
    bool is_rows = json_kind(j, m) == JSON_ARRAY && json_kind(j, json_first(j, m)) == JSON_OBJECT;
    size_t i = 0;

    if (is_rows)
        for (json_ref row = json_first(j, m); row; row = json_next(j, row)) {
            print_label(label(cli, j, m, i++), width);
            print_object(cli, j, row);
        }
    else {
        print_label(json_key_raw(j, m), width);
        if (json_kind(j, m) == JSON_OBJECT)
            print_object(cli, j, m);
        else {
            cli_print_line(text_of(cli, j, m));
            printf("\n");
        }
    }
}

/* A line a member. */
static void print_members(struct cli *cli, const struct json *j)
{
    size_t width = 0;

    for (json_ref m = json_first(j, json_root(j)); m; m = json_next(j, m))
        width = MAX_OF(width, label(cli, j, m, json_count(j, m)).len);
    for (json_ref m = json_first(j, json_root(j)); m; m = json_next(j, m))
        print_member(cli, j, m, width);
}

/* Else Weir would record a change that is none. */
static bool says_what(const struct cli *cli, struct err *err)
{
    bool said = strcmp(cli->command->method, "PATCH") != 0;

    for (int i = 0; i < cli->given_count; i++)
        said |= cli->given[i].option->field || cli->given[i].option->kind >= CLI_ROW;
    return said || err_set(err, ERR_INVALID,
                           "nothing is said that is to change; `weir help %s` has what may",
                           cli->command->words);
}

bool cli_send(struct cli *cli, struct json **out, struct err *err)
{
    const char *method = cli->command->method;
    bool sends = strcmp(method, "GET") != 0 && strcmp(method, "DELETE") != 0;
    struct str path, body = STR_NONE;

    return says_what(cli, err) && make_path(cli, &path, err) &&
           (!sends || make_body(cli, &body, err)) && cli_call(cli, method, path, body, out, err);
}

bool cli_plain(struct cli *cli, struct err *err)
{
    const struct cli_command *command = cli->command;
    struct str path;
    struct json *j;

    if (command->columns)
        return make_path(cli, &path, err) && cli_list(cli, path, command->columns, err);
    if (!cli_send(cli, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else if (command->done)
        print_done(cli, j);
    else
        print_members(cli, j);
    return true;
}
