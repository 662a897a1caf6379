/* weir document, weir search. */
#include "app/cli.h"

/* A daemon at --url knows its default base by that name, whatever its model is called. */
struct str cli_base(const struct cli *cli)
{
    const char *base = cli_option(cli, "--base");

    return base ? str_from(base) : STR("default");
}

bool cli_put_labels(struct cli *cli, struct json_writer *w, struct err *err)
{
    const char *readers = cli_option(cli, "--readers"), *metadata = cli_option(cli, "--metadata");
    struct str rest = str_from(readers), reader;

    if (readers) {
        jw_key(w, "readers");
        jw_array(w);
        while (rest.len > 0 && str_split(&rest, ',', &reader))
            jw_str(w, str_trim(reader));
        jw_array_end(w);
    }
    if (!metadata)
        return true;
    if (!json_parse(cli->arena, str_from(metadata), err))
        return err_wrap(err, "--metadata: expected a JSON object");
    jw_key(w, "metadata"), jw_raw(w, str_from(metadata));
    return true;
}

static const char *const columns[] = {"id",    "language", "passages", "ingested",
                                      "title", "path",     NULL};

static bool label(struct cli *cli, struct err *err)
{
    struct buf b;
    struct json_writer w;
    struct json *j;
    struct str body, path;

    if (!cli_given(cli, "--readers") && !cli_given(cli, "--metadata"))
        return err_set(err, ERR_INVALID, "nothing to set: give --readers, --metadata or both");
    buf_init(&b, cli->arena, 64 * KIB);
    jw_init(&w, &b);
    jw_object(&w);
    if (!cli_put_labels(cli, &w, err))
        return false;
    jw_object_end(&w);
    path = arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/documents/" STR_FMT,
                     STR_ARG(cli_escape(cli, cli_base(cli))),
                     STR_ARG(cli_escape(cli, str_from(cli->words[0]))));
    if (!buf_finish(&b, &body, err) || !cli_call(cli, "PATCH", path, body, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else
        printf(STR_FMT " changed\n", STR_ARG(cli_text(cli, j, json_root(j), "changed")));
    return true;
}

static bool cli_label(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, label, err);
}

static bool documents(struct cli *cli, struct err *err)
{
    struct str path = arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/documents",
                                STR_ARG(cli_escape(cli, cli_base(cli))));

    return (path.ptr || err_arena(err, cli->arena)) && cli_list(cli, path, columns, err);
}

static bool cli_documents(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, documents, err);
}

static bool forget(struct cli *cli, struct err *err)
{
    struct str path = arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/documents/" STR_FMT,
                                STR_ARG(cli_escape(cli, cli_base(cli))),
                                STR_ARG(cli_escape(cli, str_from(cli->words[0]))));
    struct json *j;

    if (!path.ptr)
        return err_arena(err, cli->arena);
    if (!cli_call(cli, "DELETE", path, STR_NONE, &j, err))
        return false;
    if (cli->json)
        cli_print_json(j);
    else
        printf(STR_FMT " forgotten\n", STR_ARG(cli_text(cli, j, json_root(j), "forgotten")));
    return true;
}

static bool cli_forget(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, forget, err);
}

/* ---- search ---- */

static bool search_body(struct cli *cli, struct str *out, struct err *err)
{
    const char *filter = cli_option(cli, "--filter");
    struct buf b, words;
    struct json_writer w;

    buf_init(&words, cli->arena, 64 * KIB);
    for (int i = 0; i < cli->word_count; i++)
        buf_fmt(&words, "%s%s", i ? " " : "", cli->words[i]);
    buf_init(&b, cli->arena, 256 * KIB);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "query"), jw_str(&w, buf_view(&words));
    jw_key(&w, "limit"), jw_u64(&w, cli_number(cli, "--limit", 5));
    if (filter) {
        if (!json_parse(cli->arena, str_from(filter), err))
            return err_wrap(err, "--filter: expected a JSON object");
        jw_key(&w, "filter"), jw_raw(&w, str_from(filter));
    }
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static void print_passage(struct cli *cli, const struct json *j, json_ref passage)
{
    struct str page = cli_text(cli, j, passage, "page"), label = cli_text(cli, j, passage, "label");
    json_ref lines = json_get(j, passage, STR("lines"));

    printf("[" STR_FMT "] " STR_FMT, STR_ARG(cli_text(cli, j, passage, "number")),
           STR_ARG(cli_text(cli, j, passage, "path")));
    if (label.len > 0)
        printf(", " STR_FMT, STR_ARG(label));
    else if (page.len > 0)
        printf(", page " STR_FMT, STR_ARG(page));
    else
        printf(", line " STR_FMT, STR_ARG(json_raw(j, json_at(j, lines, 0))));
    printf("  (score " STR_FMT ")\n" STR_FMT "\n\n", STR_ARG(cli_text(cli, j, passage, "score")),
           STR_ARG(cli_text(cli, j, passage, "quote")));
}

static void print_warnings(struct cli *cli, const struct json *j)
{
    json_ref warnings = json_get(j, json_root(j), STR("warnings"));

    for (json_ref w = json_first(j, warnings); w; w = json_next(j, w)) {
        struct str text = cli_string(cli, j, w);

        if (text.ptr)
            fprintf(stderr, "weir: " STR_FMT "\n", STR_ARG(text));
    }
}

static bool search(struct cli *cli, struct err *err)
{
    struct str body, path;
    struct json *j;

    path = arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT "/search",
                     STR_ARG(cli_escape(cli, cli_base(cli))));
    if (!search_body(cli, &body, err) || !cli_call(cli, "POST", path, body, &j, err))
        return false;
    if (cli->json) {
        cli_print_json(j);
        return true;
    }
    json_ref passages = json_get(j, json_root(j), STR("passages"));
    for (json_ref p = json_first(j, passages); p; p = json_next(j, p))
        print_passage(cli, j, p);
    if (json_count(j, passages) == 0)
        printf("nothing found\n");
    print_warnings(cli, j);
    return true;
}

static bool cli_search(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, search, err);
}

static const struct cli_option label_options[] = {CLI_LABEL_OPTIONS, CLI_BASE_OPTION, {0}};
static const struct cli_option base_options[] = {CLI_BASE_OPTION, {0}};
static const struct cli_option search_options[] = {
    CLI_BASE_OPTION,
    {"--limit", CLI_COUNT, "N", NULL, "passages, 5 when not given"},
    {"--filter", CLI_TEXT, "JSON", NULL, "a condition on metadata"},
    {0},
};
static const struct cli_option create_options[] = {
    {"--tenant", CLI_TEXT, "NAME", "tenant", "whose it is; one's own when not given"},
    {"--title", CLI_TEXT, "TEXT", "title", "what it is, in words"},
    {"--shared", CLI_SWITCH, NULL, "shared=true", "everyone's"},
    {0},
};
static const char *const base_columns[] = {"id", "name", "tenant", "documents", "title", NULL};

static const struct cli_command commands[] = {
    {"search WORDS...", "find passages of documents",
     "  weir search --limit 3 water damage\n"
     "  weir search --filter '{\"equals\":{\"key\":\"year\",\"value\":2026}}' fees\n",
     search_options, cli_search, NULL, NULL, NULL, NULL, NULL},
    {"document list", "show documents", "", base_options, cli_documents, NULL, NULL, NULL, columns,
     NULL},
    {"document label ID", "say who may read a document and what is known of it",
     "  weir document label handbook/fees.md --readers team:acme/claims\n"
     "  weir document label d_1f3a --metadata '{\"year\":2026}'\n"
     "ID may also be its path, or the folder it came with: then all of it.\n",
     label_options, cli_label, NULL, NULL, NULL, NULL, NULL},
    {"document forget ID", "remove a document everywhere", "  weir document forget d_1f3a\n",
     base_options, cli_forget, NULL, NULL, NULL, NULL, NULL},
    {"base list", "show the knowledge bases", "", NULL, NULL, "GET", "/api/v1/knowledge", NULL,
     base_columns, NULL},
    {"base show NAME", "show a knowledge base", "", NULL, NULL, "GET", "/api/v1/knowledge/{NAME}",
     NULL, NULL, NULL},
    {"base vectors NAME", "show how many passages have vectors", "", NULL, NULL, "GET",
     "/api/v1/knowledge/{NAME}/vectors", NULL, NULL, NULL},
    {"base create NAME", "make a knowledge base",
     "  weir base create claims --tenant acme\n"
     "  weir ingest --base claims FOLDER\n"
     "It is asked as model weir/NAME, or with \"weir\": {\"knowledge\": [\"NAME\"]} in the "
     "body.\n",
     create_options, NULL, "POST", "/api/v1/knowledge", "NAME=name", NULL, "{id} created", true},
};
const struct cli_part cli_documents_part = {"Documents", commands, ARRAY_LEN(commands)};
