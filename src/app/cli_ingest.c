/* weir ingest, weir run: documents come in, and somebody watches. The run is Weir's own; this program looks
 * at it, and ends it when it is asked to leave. */
#include <signal.h>
#include <stdatomic.h>

#include "app/cli.h"
#include "base/utf8.h"
#include "sys/path.h"
#include "sys/process.h"
#include "sys/threads.h"

#define LOOK_FIRST  (10 * MILLISECOND)
#define LOOK_LAST   (250 * MILLISECOND)
#define LINE_EVERY  (10 * SECOND) /* where nobody watches a bar */
#define BAR_CELLS   24
#define SHOWN_CHARS 32

/* Where runs of this Weir's base are. */
static struct str runs_path(struct cli *cli)
{
    return arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/runs",
                     STR_ARG(cli_escape(cli, cli_base(cli))));
}

static bool ingest_body(struct cli *cli, const char *path, bool rebuild, struct str *out,
                        struct err *err)
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
    if (rebuild)
        jw_key(&w, "rebuild"), jw_bool(&w, true);
    if (!cli_put_labels(cli, &w, err))
        return false;
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

/* ---- watching ---- */

static atomic_int asked_to_leave; /* signals name no context */

static void on_signal(void *arg)
{
    int number = (int)(intptr_t)arg & ~SIGNAL_BY_PARENT;

    if (number == SIGINT || number == SIGTERM || number == SIGHUP)
        atomic_fetch_add(&asked_to_leave, 1);
}

struct watch {
    struct cli *cli;
    struct str path; /* of the run */
    bool terminal, shown;
    mono_ns line_at;
};

static uint64_t number_at(struct cli *cli, const struct json *j, const char *key)
{
    uint64_t n;

    return u64_parse(cli_text(cli, j, json_root(j), key), &n) ? n : 0;
}

/* The end of what it is at says more than its beginning. */
static struct str tail_of(struct str text)
{
    size_t chars = utf8_count(text), from = 0;

    for (; chars > SHOWN_CHARS && from < text.len; chars--)
        for (from++; from < text.len && ((unsigned char)text.ptr[from] & 0xc0) == 0x80;)
            from++;
    return str_slice(text, from, text.len);
}

/* ", 120 without vectors": they are made beside the run. */
static struct str vectors_of(const struct watch *w, const struct json *j)
{
    struct str text = STR("");

    if (number_at(w->cli, j, "without_vectors") > 0)
        text = arena_fmt(w->cli->arena, ", " STR_FMT " without vectors",
                         STR_ARG(cli_text(w->cli, j, json_root(j), "without_vectors")));
    return text.ptr ? text : STR("");
}

/* Without wrapping: of a line wider than the terminal the next one would wipe the last row alone. */
static void draw_bar(struct watch *w, const struct json *j)
{
    uint64_t known = number_at(w->cli, j, "known"), done = number_at(w->cli, j, "finished");
    unsigned cells = known ? (unsigned)(done * BAR_CELLS / known) : 0;
    char bar[BAR_CELLS + 1] = {0};

    for (unsigned i = 0; i < BAR_CELLS; i++)
        bar[i] = i < cells ? '#' : '-';
    fprintf(stderr,
            "\r\033[K\033[?7l[%s] %" PRIu64 "/%" PRIu64 ", " STR_FMT " passages, " STR_FMT
            " failed" STR_FMT "  " STR_FMT "\033[?7h",
            bar, done, known, STR_ARG(cli_text(w->cli, j, json_root(j), "passages")),
            STR_ARG(cli_text(w->cli, j, json_root(j), "failed")), STR_ARG(vectors_of(w, j)),
            STR_ARG(tail_of(cli_text(w->cli, j, json_root(j), "current"))));
    fflush(stderr);
    w->shown = true;
}

static void draw_line(struct watch *w, const struct json *j)
{
    if (fiber_now() < w->line_at)
        return;
    w->line_at = fiber_now() + LINE_EVERY;
    fprintf(stderr,
            "weir: %" PRIu64 " of %" PRIu64 " done, " STR_FMT " passages, " STR_FMT
            " failed" STR_FMT "\n",
            number_at(w->cli, j, "finished"), number_at(w->cli, j, "known"),
            STR_ARG(cli_text(w->cli, j, json_root(j), "passages")),
            STR_ARG(cli_text(w->cli, j, json_root(j), "failed")), STR_ARG(vectors_of(w, j)));
}

static void draw(struct watch *w, const struct json *j)
{
    if (w->cli->json)
        return;
    if (w->terminal)
        draw_bar(w, j);
    else
        draw_line(w, j);
}

static void wipe(struct watch *w)
{
    if (w->shown)
        fprintf(stderr, "\r\033[K");
    w->shown = false;
}

static bool has_ended(struct cli *cli, const struct json *j)
{
    return cli_text(cli, j, json_root(j), "ended").len > 0;
}

/* Until it has ended; *j: the run as it was last seen. */
static bool watch_run(struct watch *w, struct json **j, struct err *err)
{
    struct cli *cli = w->cli;
    dur_ns pause = LOOK_FIRST;
    size_t mark = arena_mark(cli->arena); /* what is told later goes with the next look */
    bool told = false;

    while (!has_ended(cli, *j)) {
        if (atomic_load(&asked_to_leave) > 0 && !told) {
            told = true;
            wipe(w);
            fprintf(stderr, "weir: stopping at the next file; what is read stays\n");
            if (!cli_call(cli, "DELETE", w->path, STR_NONE, j, err))
                return false;
        }
        if (atomic_load(&asked_to_leave) > 1)
            return err_set(err, ERR_CANCELLED, "left; Weir ends the run at its next file");
        if (!fiber_sleep(pause, err))
            return false;
        pause = MIN_OF(pause * 2, LOOK_LAST);
        arena_rewind(cli->arena, mark);
        if (!cli_call(cli, "GET", w->path, STR_NONE, j, err))
            return false;
        if (!has_ended(cli, *j))
            draw(w, *j);
    }
    wipe(w);
    return true;
}

/* ---- the end ---- */

static void print_lists(struct cli *cli, const struct json *j)
{
    json_ref root = json_root(j), problems = json_get(j, root, STR("problems")),
             notes = json_get(j, root, STR("notes"));

    for (json_ref p = json_first(j, problems); p; p = json_next(j, p))
        fprintf(stderr, "weir: not ingested: " STR_FMT ": " STR_FMT "\n",
                STR_ARG(cli_text(cli, j, p, "path")), STR_ARG(cli_text(cli, j, p, "reason")));
    for (json_ref n = json_first(j, notes); n; n = json_next(j, n))
        fprintf(stderr, "weir: note: " STR_FMT ": " STR_FMT "\n",
                STR_ARG(cli_text(cli, j, n, "path")), STR_ARG(cli_text(cli, j, n, "reason")));
}

/* They follow in the background; what is in their way is said. */
static void print_vectors(struct cli *cli, const char *what, const struct json *j)
{
    struct str problem = cli_text(cli, j, json_root(j), "vectors_problem");

    if (number_at(cli, j, "without_vectors") == 0)
        return;
    printf("%s: " STR_FMT
           " passages of the base have no vectors yet; they are found by their words "
           "until those are made%s" STR_FMT "\n",
           what, STR_ARG(cli_text(cli, j, json_root(j), "without_vectors")),
           problem.len ? ": " : "", STR_ARG(problem));
    if (number_at(cli, j, "vectors_refused") > 0)
        printf("%s: the embedder would not take " STR_FMT " documents\n", what,
               STR_ARG(cli_text(cli, j, json_root(j), "vectors_refused")));
}

static void print_ended(struct cli *cli, const char *what, const struct json *j)
{
    static const char *const counts[] = {"added",   "changed", "unchanged",
                                         "removed", "failed",  "skipped"};
    json_ref root = json_root(j);

    print_lists(cli, j);
    printf("%s: ", what);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        printf("%s" STR_FMT " %s", i ? ", " : "", STR_ARG(cli_text(cli, j, root, counts[i])),
               counts[i]);
    printf("; " STR_FMT " passages\n", STR_ARG(cli_text(cli, j, root, "passages")));
    if (number_at(cli, j, "held") > 0)
        printf("%s: " STR_FMT " are gone from there and were kept: too many at once\n", what,
               STR_ARG(cli_text(cli, j, root, "held")));
    print_vectors(cli, what, j);
    if (str_eq(cli_text(cli, j, root, "stopped"), STR("true")))
        printf("%s: stopped before its end; the next run goes on from here\n", what);
}

static void print_dropped(struct cli *cli, const struct json *j)
{
    if (number_at(cli, j, "dropped") > 0)
        fprintf(stderr,
                "weir: " STR_FMT " damaged files of the index are gone; ingest everything that was "
                "known before again, `weir document list` shows what is\n",
                STR_ARG(cli_text(cli, j, json_root(j), "dropped")));
}

/* The run that was started: watched, or left to itself. */
bool cli_watch(struct cli *cli, const char *what, struct json *run, struct err *err)
{
    struct watch w = {
        .cli = cli, .terminal = standard_error_is_terminal(), .line_at = fiber_now() + LINE_EVERY};
    struct str id = cli_text(cli, run, json_root(run), "id");

    if (cli_given(cli, "--detach")) {
        if (cli->json)
            cli_print_json(run);
        else
            printf("%s: run " STR_FMT "; `weir run show " STR_FMT "` says how far it is\n", what,
                   STR_ARG(id), STR_ARG(id));
        return true;
    }
    w.path = arena_fmt(cli->arena, STR_FMT "/" STR_FMT, STR_ARG(runs_path(cli)), STR_ARG(id));
    if (!w.path.ptr)
        return err_arena(err, cli->arena);
    if (!watch_run(&w, &run, err))
        return false;
    struct str error = cli_text(cli, run, json_root(run), "error");
    if (error.len > 0 && !cli->json)
        return err_set(err, ERR_UNAVAILABLE, STR_FMT, STR_ARG(error));
    if (cli->json)
        cli_print_json(run);
    else
        print_ended(cli, what, run);
    bool bad = error.len > 0 || number_at(cli, run, "failed") > 0 ||
               number_at(cli, run, "held") > 0 || atomic_load(&asked_to_leave) > 0;
    cli->status = bad ? 1 : cli->status;
    return true;
}

bool cli_watching(struct err *err)
{
    return signals_start(loop_self(), on_signal, err);
}

static bool ingest_all(struct cli *cli, struct err *err)
{
    for (int i = 0; i < cli->word_count && atomic_load(&asked_to_leave) == 0; i++) {
        struct json *run;
        struct str body;

        if (!ingest_body(cli, cli->words[i], i == 0 && cli_given(cli, "--rebuild"), &body, err) ||
            !cli_call(cli, "POST", runs_path(cli), body, &run, err))
            return false;
        print_dropped(cli, run);
        if (!cli_watch(cli, cli->words[i], run, err))
            return false;
    }
    return true;
}

static bool ingest(struct cli *cli, struct err *err)
{
    if (!cli_watching(err))
        return false;
    bool ok = ingest_all(cli, err);
    signals_done();
    return ok;
}

static bool cli_ingest(struct cli *cli, struct err *err)
{
    signals_block();
    return cli_with_weir(cli, ingest, err);
}

static bool list_runs(struct cli *cli, struct err *err)
{
    static const char *const columns[] = {"id",    "state",   "finished", "known",
                                          "added", "changed", "removed",  "failed",
                                          "begun", "what",    NULL};

    return cli_list(cli, runs_path(cli), columns, err);
}

static bool cli_runs(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, list_runs, err);
}

static bool one_run(struct cli *cli, const char *method, struct err *err)
{
    struct json *run;
    struct str path = arena_fmt(cli->arena, STR_FMT "/" STR_FMT, STR_ARG(runs_path(cli)),
                                STR_ARG(cli_escape(cli, str_from(cli->words[0]))));

    if (!path.ptr)
        return err_arena(err, cli->arena);
    if (!cli_call(cli, method, path, STR_NONE, &run, err))
        return false;
    if (cli->json) {
        cli_print_json(run);
        return true;
    }
    json_ref root = json_root(run);
    struct str current = cli_text(cli, run, root, "current"),
               error = cli_text(cli, run, root, "error");
    printf(STR_FMT ": " STR_FMT ", " STR_FMT " of " STR_FMT "%s" STR_FMT "%s" STR_FMT "\n",
           STR_ARG(cli_text(cli, run, root, "what")), STR_ARG(cli_text(cli, run, root, "state")),
           STR_ARG(cli_text(cli, run, root, "finished")),
           STR_ARG(cli_text(cli, run, root, "known")), current.len ? ", at " : "", STR_ARG(current),
           error.len ? ": " : "", STR_ARG(error));
    if (has_ended(cli, run))
        print_ended(cli, arena_str(cli->arena, cli_text(cli, run, root, "what")).ptr, run);
    return true;
}

static bool show_run(struct cli *cli, struct err *err)
{
    return one_run(cli, "GET", err);
}

static bool stop_run(struct cli *cli, struct err *err)
{
    return one_run(cli, "DELETE", err);
}

static bool cli_show_run(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, show_run, err);
}

static bool cli_stop_run(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, stop_run, err);
}

static const struct cli_option base_options[] = {CLI_BASE_OPTION, {0}};
static const struct cli_option ingest_options[] = {
    CLI_BASE_OPTION,
    CLI_LABEL_OPTIONS,
    {"--detach", CLI_SWITCH, NULL, NULL, "do not wait for it"},
    {"--rebuild", CLI_SWITCH, NULL, NULL, "first remove what is damaged of the index"},
    {0},
};

static const struct cli_command commands[] = {
    {"ingest PATH...",
     "add documents: files or whole folders (PDF, office files, mail, HTML, text)",
     "Files that did not change cost nothing; files gone from a folder are removed. Every file "
     "that could\n"
     "not be used is named with the reason, and makes the exit status 1. Ctrl-C ends it at the "
     "next\n"
     "file: what is read stays, and the next `weir ingest` goes on from there.\n",
     ingest_options, cli_ingest, NULL, NULL, NULL, NULL, NULL, true},
    {"run list", "show ingest runs since Weir started", "", base_options, cli_runs, NULL, NULL,
     NULL, NULL, NULL},
    {"run show ID", "show how far an ingest run is, or what came of it", "", base_options,
     cli_show_run, NULL, NULL, NULL, NULL, NULL},
    {"run stop ID", "end an ingest run at its next file", "", base_options, cli_stop_run, NULL,
     NULL, NULL, NULL, NULL},
};
const struct cli_part cli_ingest_part = {"Documents come in", commands, ARRAY_LEN(commands)};
