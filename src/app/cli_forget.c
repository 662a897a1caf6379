/* weir forget: removing for good, and looking from the files alone whether it is still gone. */
#include "accounts/audit.h"
#include "app/cli.h"
#include "app/forget_internal.h"
#include "sys/file.h"
#include "sys/path.h"

#define SHOWN_MAX 50 /* documents; the receipt lists more */

static struct str hash_text(struct cli *cli, struct str text)
{
    struct sha256 hash = sha256(text);
    struct buf b;

    buf_init(&b, cli->arena, 2 * SHA256_BYTES + 1);
    buf_hex(&b, hash.bytes, sizeof hash.bytes);
    return buf_view(&b);
}

/* ---- forget ---- */

static bool write_body(struct cli *cli, struct str what, struct str *out, struct err *err)
{
    const char *tenant = cli_option(cli, "--tenant");
    bool is_person = cli_given(cli, "--person");
    struct json_writer w;
    struct buf b;

    buf_init(&b, cli->arena, 16 * KIB);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, is_person ? "person" : "document"), jw_str(&w, what);
    if (is_person && tenant)
        jw_key(&w, "tenant"), jw_cstr(&w, tenant);
    if (cli_given(cli, "--dry-run"))
        jw_key(&w, "dry_run"), jw_bool(&w, true);
    if (!is_person && cli_given(cli, "--base"))
        jw_key(&w, "knowledge"), jw_cstr(&w, cli_option(cli, "--base"));
    if (!is_person && cli_given(cli, "--compact"))
        jw_key(&w, "compact"), jw_bool(&w, true);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static struct str number_at(const struct json *j, const char *path)
{
    json_ref v = json_path(j, path);

    return v ? json_raw(j, v) : STR("0");
}

/* "1 document", "2 documents" */
static struct str counted(struct cli *cli, const struct json *j, const char *path, const char *one)
{
    struct str number = number_at(j, path);

    return arena_fmt(cli->arena, STR_FMT " %s%s", STR_ARG(number), one,
                     str_eq(number, STR("1")) ? "" : "s");
}

static void print_files(struct cli *cli, const struct json *j, bool dry_run)
{
    for (json_ref f = json_first(j, json_path(j, "files")); f; f = json_next(j, f)) {
        json_ref needed = json_get(j, f, STR("needed_by"));
        bool removed = false;

        (void)!json_bool(j, json_get(j, f, STR("removed")), &removed);
        fprintf(stderr, "weir: " STR_FMT " of /v1/files %s", STR_ARG(cli_text(cli, j, f, "id")),
                !removed  ? "stays"
                : dry_run ? "would go"
                          : "is gone");
        for (json_ref b = json_first(j, needed); b; b = json_next(j, b))
            fprintf(stderr, "%s" STR_FMT, b == json_first(j, needed) ? ": needed by " : ", ",
                    STR_ARG(json_raw(j, b)));
        fputc('\n', stderr);
    }
}

static void print_not_covered(struct cli *cli, const struct json *j)
{
    json_ref list = json_path(j, "not_covered");

    (void)cli;
    for (json_ref i = json_first(j, list); i; i = json_next(j, i))
        fprintf(stderr,
                "weir: NOT at instance " STR_FMT ": each instance has documents, files and sealed "
                "bodies of its own; ask that one too\n",
                STR_ARG(json_raw(j, i)));
}

static void print_match(struct cli *cli, const struct json *j)
{
    json_ref source = json_path(j, "at_source");
    struct str how = cli_text(cli, j, json_root(j), "matched");

    if (str_eq(how, STR("folder")))
        fprintf(stderr, "weir: that is a folder below what was ingested: all that lay in it\n");
    else if (str_eq(how, STR("source")))
        fprintf(stderr, "weir: that is what was ingested: all that came with it\n");
    if (source && !str_eq(number_at(j, "at_source.there"), STR("0")))
        fprintf(stderr,
                "weir: " STR_FMT " of their files still lie where they came from: the next run "
                "brings them back; remove them there too\n",
                STR_ARG(number_at(j, "at_source.there")));
    if (source && !str_eq(number_at(j, "at_source.not_known"), STR("0")))
        fprintf(stderr,
                "weir: " STR_FMT " came from a source that may still have them: its next run "
                "brings them back; remove them there too\n",
                STR_ARG(number_at(j, "at_source.not_known")));
}

/* Not all is gone before they have ended. */
static void print_held(struct cli *cli, const struct json *j)
{
    json_ref list = json_path(j, "still_read");

    for (json_ref f = json_first(j, list); f; f = json_next(j, f)) {
        fprintf(stderr,
                "weir: STILL BEING READ: " STR_FMT " (" STR_FMT
                " bytes): its bytes go when that reading ends; `weir forget --verify` says when\n",
                STR_ARG(cli_text(cli, j, f, "file")), STR_ARG(cli_text(cli, j, f, "bytes")));
        cli->status = 1;
    }
    if (json_path(j, "still_read_unknown")) {
        fprintf(stderr, "weir: whether it is still being read is not known: " STR_FMT "\n",
                STR_ARG(cli_text(cli, j, json_root(j), "still_read_unknown")));
        cli->status = 1;
    }
}

static void print_summary(struct cli *cli, const struct json *j, bool dry_run)
{
    json_ref found = json_path(j, "searched.found"), documents = json_path(j, "documents");

    fprintf(stderr, "weir: %s " STR_FMT " (" STR_FMT "), " STR_FMT,
            dry_run ? "would forget" : "forgot",
            STR_ARG(counted(cli, j, "removed.documents", "document")),
            STR_ARG(counted(cli, j, "removed.passages", "passage")),
            STR_ARG(counted(cli, j, "removed.kept_answers", "kept answer")));
    if (!dry_run)
        fprintf(stderr, ", " STR_FMT "; looked through " STR_FMT,
                STR_ARG(counted(cli, j, "removed.cached_answers", "cached answer")),
                STR_ARG(counted(cli, j, "searched.files", "file")));
    fputc('\n', stderr);
    size_t shown = 0;
    for (json_ref d = json_first(j, documents); d && shown < SHOWN_MAX;
         d = json_next(j, d), shown++)
        fprintf(stderr, "weir: " STR_FMT ", version " STR_FMT "%s" STR_FMT "\n",
                STR_ARG(cli_text(cli, j, d, "id")), STR_ARG(cli_text(cli, j, d, "version")),
                dry_run ? ": " : "", STR_ARG(cli_text(cli, j, d, "path")));
    if (json_count(j, documents) > shown)
        fprintf(stderr, "weir: and %zu more, which the receipt lists\n",
                json_count(j, documents) - shown);
    print_match(cli, j);
    print_files(cli, j, dry_run);
    print_not_covered(cli, j);
    for (json_ref f = json_first(j, found); f; f = json_next(j, f))
        fprintf(stderr,
                "weir: text of it still stands in " STR_FMT " (fingerprints: " STR_FMT ")\n",
                STR_ARG(cli_text(cli, j, f, "file")), STR_ARG(cli_text(cli, j, f, "fingerprints")));
    print_held(cli, j);
    if (found && json_count(j, found) > 0)
        cli->status = 1;
}

static bool keep_receipt(struct cli *cli, const struct json *j, struct err *err)
{
    const char *file = cli_option(cli, "--receipt");
    struct str line;

    if (!file) {
        cli_print_json(j);
        return true;
    }
    line = arena_fmt(cli->arena, STR_FMT "\n", STR_ARG(str_trim(json_raw(j, json_root(j)))));
    return line.ptr ? file_store(file, line, 0600, err) : err_arena(err, cli->arena);
}

static SUSPENDS bool order_of(struct cli *cli, struct str what, struct json **out, struct err *err)
{
    struct str body;

    return write_body(cli, what, &body, err) &&
           cli_call(cli, "POST",
                    cli_given(cli, "--person") ? STR("/api/v1/forget/person")
                                               : STR("/api/v1/forget/document"),
                    body, out, err);
}

/* Weir knows what was ingested by its whole path, as `weir ingest` sent it; here it may be called by another. */
static SUSPENDS bool order_by_path(struct cli *cli, struct json **out, struct err *err)
{
    struct str whole;
    struct err why = {0};

    if (err->code != ERR_NOT_FOUND || cli->url || cli_given(cli, "--person"))
        return false;
    if (path_absolute(cli->arena, cli->words[0], &whole, &why) && order_of(cli, whole, out, &why))
        return true;
    if (why.code != ERR_NOT_FOUND) /* else what was said by the word that was given stays */
        *err = why;
    return false;
}

static SUSPENDS bool order(struct cli *cli, struct err *err)
{
    struct json *j;

    if (!order_of(cli, str_from(cli->words[0]), &j, err) && !order_by_path(cli, &j, err))
        return false;
    print_summary(cli, j, cli_given(cli, "--dry-run"));
    return keep_receipt(cli, j, err);
}

static SUSPENDS bool delete_base(struct cli *cli, struct err *err)
{
    struct str path = arena_fmt(cli->arena, "/api/v1/knowledge/" STR_FMT,
                                STR_ARG(cli_escape(cli, str_from(cli->words[0]))));
    struct json *j;

    if (!path.ptr)
        return err_arena(err, cli->arena);
    if (!cli_call(cli, "DELETE", path, STR_NONE, &j, err))
        return false;
    print_summary(cli, j, false);
    return keep_receipt(cli, j, err);
}

static bool cli_base_delete(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, delete_base, err);
}

/* ---- verify ---- */

struct wanted_note {
    struct str hash;
    uint64_t seq;   /* 0: not found */
    uint64_t ended; /* the record that says that nobody reads what it left any more */
};

static bool look_at_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct wanted_note *want = ctx;
    size_t at = str_find(line, want->hash);

    (void)err;
    if (at < line.len && str_ends(str_slice(line, 0, at), STR("receipt ")))
        want->seq = seq;
    if (at < line.len && str_ends(str_slice(line, 0, at), STR(HELD_MARK)))
        want->ended = seq;
    return true;
}

static bool find_record(struct cli *cli, struct str dir, struct wanted_note *want, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str audit = arena_fmt(cli->arena, STR_FMT "/audit", STR_ARG(dir));

    if (!scratch || !audit.ptr)
        return err_no_room(err, "no memory");
    return audit_read(scratch, audit.ptr, 1, look_at_record, want, err);
}

static bool is_read_on(const struct receipt *r, const struct wanted_note *note)
{
    return r->held_unknown.len > 0 || (r->held > 0 && !note->ended);
}

static void print_reading(const struct receipt *r, const struct wanted_note *note)
{
    if (r->held_unknown.len)
        printf("whether it was still being read when the receipt was made is not known: " STR_FMT
               "\n",
               STR_ARG(r->held_unknown));
    if (r->held && note->ended)
        printf("what was still being read when the receipt was made is gone, says audit record "
               "%" PRIu64 "\n",
               note->ended);
    else if (r->held)
        printf("NOT GONE: %zu files were still being read when the receipt was made, and no record "
               "says that this has ended (a running Weir records it within seconds, else its next "
               "start)\n",
               r->held);
}

static void print_verdict(struct cli *cli, const struct receipt *r, const struct file_search *s,
                          const struct wanted_note *note)
{
    uint64_t seq = note->seq;
    bool read_on = is_read_on(r, note);

    if (cli->json) {
        printf("{\"gone\":%s,\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"fingerprints\":%zu,\"record\":%" PRIu64 ",\"still_read\":%s}\n",
               s->found_count || read_on ? "false" : "true", s->files, s->bytes, r->prints.count,
               seq, read_on ? "true" : "false");
        return;
    }
    for (size_t i = 0; i < s->found_count; i++)
        printf("found in " STR_FMT ": %" PRIu64 " of %zu fingerprints\n", STR_ARG(s->found[i].name),
               s->found[i].prints, r->prints.count);
    print_reading(r, note);
    if (!s->found_count && r->prints.count && !read_on)
        printf("gone: none of %zu fingerprints stands in %" PRIu64 " files, %" PRIu64 " bytes\n",
               r->prints.count, s->files, s->bytes);
    if (!r->prints.count)
        printf("there is nothing to look for: the receipt has no fingerprints\n");
    if (seq)
        printf("the receipt stands in audit record %" PRIu64 ": weir audit prove %" PRIu64 "\n",
               seq, seq);
    else if (r->pending)
        printf(
            "it is not finished: the next start of Weir finishes it and leaves the receipt beside "
            "this file\n");
    else
        printf("no audit record knows this receipt: it was changed, or made elsewhere\n");
}

static bool verify(struct cli *cli, const char *file, struct err *err)
{
    struct file_search search;
    struct receipt receipt;
    struct wanted_note note = {0};
    struct str text;

    if (!cli_settings_but_secrets(cli, err) ||
        !file_load(cli->arena, file, RECEIPT_MAX, &text, err))
        return false;
    if (!receipt_read(cli->arena, text, &receipt, err))
        return err_wrap(err, "receipt \"%s\"", file);
    struct str dir = arena_str(cli->arena, cli->settings->data.dir);
    struct search_where where = {.dir = dir.ptr};
    if (!dir.ptr)
        return err_arena(err, cli->arena);
    note.hash = hash_text(cli, receipt.text);
    if (!search_files(cli->arena, &where, &receipt.prints, &search, err) ||
        !find_record(cli, dir, &note, err))
        return false;
    print_verdict(cli, &receipt, &search, &note);
    cli->status =
        search.found_count || !note.seq || !receipt.prints.count || is_read_on(&receipt, &note) ? 1
                                                                                                : 0;
    return true;
}

/* What would be passed over: who says it means something else than what would be done. */
static bool options_fit(const struct cli *cli, struct err *err)
{
    static const struct {
        const char *name;
        bool person, document, receipt; /* it is for */
    } fits[] = {
        {"--tenant", true, false, false},  {"--base", false, true, false},
        {"--compact", false, true, false}, {"--dry-run", true, true, false},
        {"--receipt", true, true, false},  {"--person", true, true, false},
        {"--url", true, true, false},
    };
    bool receipt = cli_given(cli, "--verify"), person = cli_given(cli, "--person");

    for (size_t i = 0; i < ARRAY_LEN(fits); i++)
        if (cli_given(cli, fits[i].name) && !(receipt  ? fits[i].receipt
                                              : person ? fits[i].person
                                                       : fits[i].document))
            return err_set(err, ERR_INVALID, "%s does not go %s", fits[i].name,
                           receipt  ? "with --verify"
                           : person ? "with --person"
                                    : "without --person");
    return true;
}

static bool cli_forget(struct cli *cli, struct err *err)
{
    const char *receipt = cli_option(cli, "--verify");

    if ((receipt != NULL) == (cli->word_count == 1))
        return err_set(err, ERR_INVALID, "name what to forget, or a receipt with --verify");
    if (!options_fit(cli, err))
        return false;
    if (receipt)
        return verify(cli, receipt, err);
    return cli_with_weir(cli, order, err);
}

static const struct cli_option options[] = {
    {"--person", CLI_SWITCH, NULL, NULL,
     "WHAT is an end user's name, a pseudonym, or the id of a key or person"},
    {"--base", CLI_TEXT, "NAME", NULL, "of which knowledge base; else the default one"},
    {"--tenant", CLI_TEXT, "TENANT", NULL, "whose end user it is"},
    {"--dry-run", CLI_SWITCH, NULL, NULL, "tell what would go, and remove nothing"},
    {"--compact", CLI_SWITCH, NULL, NULL,
     "write the whole index anew: its bytes are those of one that never had it"},
    {"--receipt", CLI_TEXT, "FILE", NULL, "write the receipt there instead of printing it"},
    {"--verify", CLI_TEXT, "FILE", NULL, "look whether what a receipt names is still gone"},
    {0},
};
static const struct cli_option delete_options[] = {
    {"--receipt", CLI_TEXT, "FILE", NULL, "write the receipt there instead of printing it"},
    {0},
};
static const struct cli_option compact_options[] = {
    {"--base", CLI_TEXT, "NAME", "knowledge", "of which knowledge base; else the default one"},
    {0},
};
static const struct cli_command commands[] = {
    {"forget [WHAT]", "remove a document or a person everywhere, with a receipt",
     "  weir forget handbook/claims.md --receipt claims.json\n"
     "  weir forget --verify claims.json\n"
     "  weir forget anna --person --tenant acme --dry-run\n"
     "WHAT is a document's id or path, or a folder: then all that lay in it. What still lies at "
     "its source\n"
     "comes back with the next run, which both say. The audit log has the receipt's hash, which "
     "`weir audit prove` proves to others.\n",
     options, cli_forget, NULL, NULL, NULL, NULL, NULL},
    {"base delete NAME", "delete a knowledge base with all that is in it, with a receipt",
     "  weir base delete claims --receipt claims.json\n"
     "  weir forget --verify claims.json\n"
     "Answers that were kept or cached from its documents go too, and its files of /v1/files "
     "that no\n"
     "other base needs.\n",
     delete_options, cli_base_delete, NULL, NULL, NULL, NULL, NULL},
    {"document compact", "write the index anew as one segment", "", compact_options, NULL, "POST",
     "/api/v1/forget/compact", NULL, NULL, "compacted"},
};
const struct cli_part cli_forget_part = {"Forgetting", commands, ARRAY_LEN(commands)};
