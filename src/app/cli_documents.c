/* weir ingest, weir document. */
#include "app/cli.h"
#include "sys/path.h"

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
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static void print_ingest(struct cli *cli, const char *path, const struct json *j)
{
    json_ref root = json_root(j), problems = json_get(j, root, STR("problems")),
             notes = json_get(j, root, STR("notes"));
    struct str added = cli_text(cli, j, root, "added"), changed = cli_text(cli, j, root, "changed");

    for (json_ref p = json_first(j, problems); p; p = json_next(j, p))
        fprintf(stderr, "weir: not ingested: " STR_FMT ": " STR_FMT "\n",
                STR_ARG(cli_text(cli, j, p, "path")), STR_ARG(cli_text(cli, j, p, "reason")));
    for (json_ref n = json_first(j, notes); n; n = json_next(j, n))
        fprintf(stderr, "weir: note: " STR_FMT ": " STR_FMT "\n",
                STR_ARG(cli_text(cli, j, n, "path")), STR_ARG(cli_text(cli, j, n, "reason")));
    printf("%s: " STR_FMT " added, " STR_FMT " changed, " STR_FMT " unchanged, " STR_FMT
           " removed, " STR_FMT " failed, " STR_FMT " skipped; " STR_FMT " passages\n",
           path, STR_ARG(added), STR_ARG(changed), STR_ARG(cli_text(cli, j, root, "unchanged")),
           STR_ARG(cli_text(cli, j, root, "removed")), STR_ARG(cli_text(cli, j, root, "failed")),
           STR_ARG(cli_text(cli, j, root, "skipped")), STR_ARG(cli_text(cli, j, root, "passages")));
    struct str dropped = cli_text(cli, j, root, "dropped");
    if (dropped.len > 0 && !str_eq(dropped, STR("0")))
        fprintf(stderr,
                "weir: " STR_FMT " damaged files of the index are gone; ingest everything that was "
                "known before again, `weir document list` shows what is\n",
                STR_ARG(dropped));
}

static bool ingest(struct cli *cli, struct err *err)
{
    for (int i = 0; i < cli->word_count; i++) {
        struct json *j;
        struct str body;

        if (!ingest_body(cli, cli->words[i], i == 0 && cli_given(cli, "--rebuild"), &body, err) ||
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

static bool cli_ingest(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, ingest, err);
}

static const char *const columns[] = {"id",    "language", "passages", "ingested",
                                      "title", "path",     NULL};

static const struct cli_option ingest_options[] = {
    {"--rebuild", CLI_SWITCH, NULL, NULL, "first remove what is damaged of the index"},
    {0},
};

static const struct cli_command commands[] = {
    {"ingest PATH...", "add documents: files or whole folders (text, HTML, office files)",
     "Files that did not change cost nothing; files gone from a folder are removed. Every file "
     "that could\n"
     "not be used is named with the reason, and makes the exit status 1.\n",
     ingest_options, cli_ingest, NULL, NULL, NULL, NULL, NULL},
    {"document list", "show documents", "", NULL, NULL, "GET", "/api/v1/documents", NULL, columns,
     NULL},
    {"document forget ID", "remove a document everywhere", "  weir document forget d_1f3a\n", NULL,
     NULL, "DELETE", "/api/v1/documents/{ID}", NULL, NULL, "{forgotten} forgotten"},
};
const struct cli_part cli_documents_part = {"Documents", commands, ARRAY_LEN(commands)};
