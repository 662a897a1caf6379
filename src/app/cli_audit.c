/* weir audit: from the files alone, where it can be. */
#include "accounts/audit_cursor.h"
#include "accounts/audit_export.h"
#include "accounts/audit_query.h"
#include "app/admin_fields.h"
#include "app/cli.h"
#include "base/log.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/threads.h"

#define BUNDLE_MAX (128 * MIB)

/* The word behind `before` others, else that of the settings. */
static const char *log_dir(struct cli *cli, int before, struct err *err)
{
    if (cli->word_count > before)
        return cli->words[before];
    if (!cli_settings_but_secrets(cli, err))
        return NULL;
    return arena_fmt(cli->arena, STR_FMT "/audit", STR_ARG(cli->settings->data.dir)).ptr;
}

/* ---- verify ---- */

static bool load_file(struct cli *cli, const char *path, size_t max, struct str *out,
                      struct err *err)
{
    return file_load(cli->arena, path, max, out, err);
}

/* What was named, else the file beside the log. *given false: there is none, and none was named. */
static bool load_trust(struct cli *cli, const char *dir, struct audit_trust *trust, bool *given,
                       struct err *err)
{
    const char *named = cli_option(cli, "--public-key");
    const char *path = named ? named : arena_fmt(cli->arena, "%s/../audit.pub", dir).ptr;
    struct err missing = {0};
    struct str text;

    if (!path)
        return err_arena(err, cli->arena);
    *given = load_file(cli, path, 64 * KIB, &text, &missing);
    if (!*given && (named || missing.code != ERR_NOT_FOUND)) {
        *err = missing;
        return false;
    }
    return !*given || note_keys_read(text, trust->keys, &trust->count, err) ||
           err_wrap(err, "public key \"%s\"", path);
}

static const char *hex_text(struct cli *cli, const struct sha256 *hash)
{
    struct buf b;

    buf_init(&b, cli->arena, 2 * SHA256_BYTES + 1);
    buf_hex(&b, hash->bytes, sizeof hash->bytes);
    buf_char(&b, 0);
    return buf_ok(&b) ? b.ptr : "";
}

static void print_verdict(struct cli *cli, const struct audit_verdict *v, bool with_key)
{
    const struct audit_report *r = &v->chain;
    char time[25];

    wall_format(v->signed_time, time);
    if (cli->json) {
        printf("{\"ok\":true,\"records\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"first\":%" PRIu64
               ",\"last\":%" PRIu64 ",\"head\":\"%s\",\"torn_tail\":%s,\"signed\":%s",
               r->records, r->segments, r->first_seq, r->last_seq, hex_text(cli, &r->head),
               r->torn_tail ? "true" : "false", with_key ? "true" : "false");
        if (with_key)
            printf(",\"signed_records\":%" PRIu64 ",\"signed_time\":\"%s\",\"root\":\"%s\","
                   "\"checkpoints\":%" PRIu64 ",\"passed_over\":%" PRIu64 ",\"pruned\":%" PRIu64,
                   v->signed_size, time, hex_text(cli, &v->root), v->checkpoints, v->passed_over,
                   v->pruned);
        printf("}\n");
        return;
    }
    printf("%" PRIu64 " records in %" PRIu64 " files, %" PRIu64 " to %" PRIu64
           ", the chain holds%s\n"
           "head %s\n",
           r->records, r->segments, r->first_seq, r->last_seq,
           r->torn_tail ? " (an unfinished record stands at the very end)" : "",
           hex_text(cli, &r->head));
    if (with_key)
        printf("%" PRIu64 " records are signed for, at %s; %" PRIu64
               " checkpoints fit the records\nroot %s\n",
               v->signed_size, time, v->checkpoints, hex_text(cli, &v->root));
    else
        printf("no public key: what was signed was not checked (--public-key FILE)\n");
    if (v->passed_over)
        printf("%" PRIu64 " checkpoints in the log are signed by keys that are not trusted here: "
               "not looked at\n",
               v->passed_over);
    if (v->pruned)
        printf("records 1 to %" PRIu64 " are not kept any more; their hashes are\n", v->pruned);
}

static bool check_log(struct cli *cli, const char *dir, struct err *err)
{
    struct audit_trust *trust = arena_alloc(cli->arena, sizeof *trust);
    const char *file = cli_option(cli, "--checkpoint");
    struct audit_noted noted = {.name = str_from(file)};
    struct audit_verdict verdict = {0};
    bool with_key = false;

    if (!trust)
        return err_arena(err, cli->arena);
    if (!load_trust(cli, dir, trust, &with_key, err) ||
        (file && !load_file(cli, file, NOTE_MAX, &noted.note, err)))
        return false;
    if (file && !with_key)
        return err_set(err, ERR_INVALID, "--checkpoint needs the public key: --public-key FILE");
    if (!(with_key ? audit_verify_signed(dir, trust, &noted, file != NULL, &verdict, err)
                   : audit_verify(dir, &verdict.chain, err)))
        return false;
    if (verdict.chain.segments == 0)
        return err_set(err, ERR_NOT_FOUND, "there are no audit files in \"%s\"", dir);
    print_verdict(cli, &verdict, with_key);
    return true;
}

static bool check_bundle(struct cli *cli, const char *path, struct err *err)
{
    struct audit_trust *trust = arena_alloc(cli->arena, sizeof *trust);
    struct audit_bundle bundle = {.trust = trust};
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *noted = cli_option(cli, "--checkpoint");
    struct str text, line;
    char time[25];
    bool given;
    uint64_t number = 0;

    if (!trust || !scratch)
        return err_no_room(err, "no memory");
    if (!cli_option(cli, "--public-key"))
        return err_set(err, ERR_INVALID, "--bundle needs the public key: --public-key FILE");
    if (!load_trust(cli, "", trust, &given, err) ||
        (noted && !load_file(cli, noted, NOTE_MAX, &bundle.noted, err)) ||
        !load_file(cli, path, BUNDLE_MAX, &text, err))
        return false;
    if (noted && !bundle.noted.len)
        return err_set(err, ERR_INVALID, "checkpoint \"%s\" is empty", noted);
    while (str_split(&text, '\n', &line)) {
        number++;
        if (line.len && !audit_bundle_line(&bundle, scratch, line, err))
            return err_wrap(err, "bundle \"%s\" line %" PRIu64, path, number);
    }
    if (!bundle.has_head)
        return err_set(err, ERR_INVALID, "bundle \"%s\" is empty", path);
    wall_format(bundle.time, time);
    if (cli->json)
        printf("{\"ok\":true,\"proved\":%" PRIu64 ",\"signed_records\":%" PRIu64
               ",\"signed_time\":\"%s\",\"grown_from\":%" PRIu64 "}\n",
               bundle.records, bundle.size, time, bundle.older_size);
    else
        printf("%" PRIu64 " records proved to be among the %" PRIu64 " signed for at %s\n",
               bundle.records, bundle.size, time);
    if (!cli->json && bundle.older_size)
        printf("the log goes on from the older checkpoint of %" PRIu64 " records\n",
               bundle.older_size);
    return true;
}

static bool audit_check(struct cli *cli, struct err *err)
{
    const char *bundle = cli_option(cli, "--bundle"), *dir;

    if (bundle && cli->word_count > 0)
        return err_set(err, ERR_INVALID,
                       "\"%s\" is a log, --bundle a proof without one: give one of them",
                       cli->words[0]);
    if (bundle)
        return check_bundle(cli, bundle, err);
    dir = log_dir(cli, 0, err);
    return dir && check_log(cli, dir, err);
}

/* ---- prove ---- */

/* A record by its number, or by the request id that a client was given. */
struct wanted {
    uint64_t seq, request; /* 0: not that */
    struct str line;       /* found */
    struct arena *arena;
};

static bool want_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct wanted *want = ctx;
    struct str id = audit_member_raw(line, STR("request"));
    uint8_t bytes[8];
    uint64_t request = 0;

    if (want->request && id.len == 18 && hex_parse(str_slice(id, 1, 17), bytes, sizeof bytes))
        for (size_t i = 0; i < sizeof bytes; i++)
            request = request << 8 | bytes[i];
    if (seq != want->seq && (!request || request != want->request))
        return true;
    want->line = arena_str(want->arena, line);
    return want->line.ptr || err_arena(err, want->arena);
}

static bool read_wanted(const char *word, struct wanted *out, struct err *err)
{
    struct str text = str_from(word);
    uint8_t bytes[8];

    if (u64_parse(text, &out->seq) && out->seq > 0 && text.len < 16)
        return true;
    if (str_starts(text, STR("req_")))
        text = str_slice(text, 4, text.len);
    out->seq = 0;
    if (!hex_parse(text, bytes, sizeof bytes))
        return err_set(err, ERR_INVALID,
                       "\"%.40s\" is neither the number of a record nor the id of a request", word);
    for (size_t i = 0; i < sizeof bytes; i++)
        out->request = out->request << 8 | bytes[i];
    return true;
}

static bool audit_prove(struct cli *cli, struct err *err)
{
    const char *dir = log_dir(cli, 1, err), *file = cli_option(cli, "--from");
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct wanted want = {.arena = cli->arena};
    struct audit_prover prover;
    struct str older = STR_NONE;
    struct buf b;

    buf_init(&b, cli->arena, 4 * MIB);
    if (!dir || (file && !load_file(cli, file, NOTE_MAX, &older, err)) ||
        !read_wanted(cli->words[0], &want, err) || (!scratch && !err_no_room(err, "no memory")) ||
        !audit_read(scratch, dir, MAX_OF(want.seq, 1), want_record, &want, err))
        return false;
    if (!want.line.ptr)
        return err_set(err, ERR_NOT_FOUND, "there is no record \"%.40s\"", cli->words[0]);
    return audit_prover_open(&prover, cli->arena, dir, err) &&
           audit_prove_head(&prover, older, &b, err) &&
           audit_prove_record(&prover, want.line, &b, err) && cli_print_buf(&b, err);
}

/* ---- export ---- */

struct exporting {
    struct audit_export as;
    struct arena *line; /* what a record needs */
    struct buf out;
    uint64_t last;
};

static bool flush_export(struct exporting *e, struct err *err)
{
    struct str text;

    if (!buf_finish(&e->out, &text, err))
        return false;
    fwrite(text.ptr, 1, text.len, stdout);
    arena_rewind(e->line, 0);
    buf_init(&e->out, e->line, MIB);
    return true;
}

static bool export_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct exporting *e = ctx;

    if (seq > e->last)
        return true;
    return audit_export_record(&e->as, line, &e->out, err) && flush_export(e, err);
}

static bool time_option(struct cli *cli, const char *name, wall_ms *out, struct err *err)
{
    const char *text = cli_option(cli, name);

    return !text || time_parse(str_from(text), out) ||
           err_set(err, ERR_INVALID, "%s: expected a time such as 2026-11-21T00:00:00Z", name);
}

static bool read_export(struct cli *cli, struct audit_query *q, struct exporting *e,
                        struct err *err)
{
    const char *name = cli_option(cli, "--format");
    int format = name ? choice_find(AUDIT_EXPORT_FORMATS, str_from(name)) : EXPORT_JSONL;
    uint64_t first = cli_number(cli, "--first", 1);

    if (format < 0)
        return err_set(err, ERR_INVALID, "--format: expected jsonl, csv or proof");
    e->as.format = (enum audit_export_format)format;
    e->last = cli_number(cli, "--last", UINT64_MAX);
    *q = (struct audit_query){.oldest_first = true,
                              .key = str_from(cli_option(cli, "--of-key")),
                              .tenant = str_from(cli_option(cli, "--tenant")),
                              .team = str_from(cli_option(cli, "--team")),
                              .subject = str_from(cli_option(cli, "--subject")),
                              .model = str_from(cli_option(cli, "--model")),
                              .deployment = str_from(cli_option(cli, "--deployment")),
                              .outcome = str_from(cli_option(cli, "--outcome")),
                              .limit = cli_number(cli, "--limit", 0),
                              .after =
                                  MAX_OF(cli_number(cli, "--after", 0), first > 0 ? first - 1 : 0)};
    if (q->subject.len && !str_starts(q->subject, STR("s_")))
        return err_set(err, ERR_INVALID,
                       "--subject: no record has a name, and the files alone do not say whose "
                       "pseudonym is whose: name the pseudonym (s_...), or ask a Weir");
    return time_option(cli, "--from", &q->from, err) && time_option(cli, "--until", &q->until, err);
}

static bool export_files(struct cli *cli, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(16 * MIB);
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct arena *line CLEANUP(arena_end) = arena_new(16 * MIB);
    struct exporting e = {.as.scratch = scratch, .line = line};
    const char *dir = log_dir(cli, 0, err);
    struct audit_query query;
    uint64_t next;

    if (!dir || !read_export(cli, &query, &e, err))
        return false;
    if (!scratch || !line || !arena)
        return err_no_room(err, "no memory");
    buf_init(&e.out, line, MIB);
    if (!audit_export_begin(&e.as, arena, dir, &e.out, err))
        return false;
    e.last = MIN_OF(e.last, audit_export_last(&e.as));
    return audit_query(dir, &query, export_record, &e, &next, err) && flush_export(&e, err);
}

/* What the start of the line that is coming says: {"seq":N. */
struct line_start {
    char text[32];
    size_t len;
    bool over;           /* of this line enough is known */
    uint64_t seq, whole; /* of the line that is coming, and of the last one that came whole */
};

static void follow_lines(struct line_start *s, struct str bytes)
{
    static const struct str mark = {"{\"seq\":", 7};

    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];

        if (c == '\n') {
            s->whole = s->seq ? s->seq : s->whole;
            s->len = 0;
            s->over = false;
            s->seq = 0;
        } else if (!s->over && s->len < sizeof s->text && (c != ',' || s->len < mark.len)) {
            s->text[s->len++] = c;
        } else if (!s->over) {
            struct str text = {s->text, s->len};

            s->over = true;
            if (!str_starts(text, mark) || !u64_parse(str_slice(text, mark.len, text.len), &s->seq))
                s->seq = 0;
        }
    }
}

/* As it comes, so that any log fits. */
static bool export_call(struct cli *cli, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct line_start lines = {.len = 0};
    struct str bytes;

    if (!cli_send_open(cli, STR("oldest_first=true"), &call, err))
        return false;
    do {
        if (http_call_next(call, &bytes, err)) {
            fwrite(bytes.ptr, 1, bytes.len, stdout);
            follow_lines(&lines, bytes);
        } else if (lines.whole)
            return err_wrap(err, "cut off behind record %" PRIu64 ", go on with --after %" PRIu64,
                            lines.whole, lines.whole);
        else
            return err_wrap(err, "cut off");
    } while (bytes.len > 0);
    return true;
}

/* A directory that is named is one of this machine, whatever WEIR_URL says. */
static bool audit_export(struct cli *cli, struct err *err)
{
    bool named = cli->word_count > 0;

    if (named && cli_given(cli, "--url"))
        return err_set(err, ERR_INVALID,
                       "\"%s\" is of this machine, --url of another: give one of them",
                       cli->words[0]);
    if (cli_number(cli, "--limit", 1) == 0)
        return err_set(err, ERR_INVALID, "--limit: expected a whole number from 1");
    return cli->url && !named ? cli_with_weir(cli, export_call, err) : export_files(cli, err);
}

/* ---- show ---- */

static bool show_one(struct cli *cli, struct err *err)
{
    struct json *j;
    struct str path = arena_fmt(cli->arena, "/api/v1/audit/records/" STR_FMT "/body",
                                STR_ARG(cli_escape(cli, str_from(cli->words[0]))));

    if (!cli_given(cli, "--body"))
        return cli_plain(cli, err);
    if (!cli_call(cli, "GET", path, STR_NONE, &j, err))
        return false;
    cli_print_json(j);
    return true;
}

static bool audit_show(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, show_one, err);
}

/* ---- keys ---- */

static bool audit_key(struct cli *cli, struct err *err)
{
    const char *dir = log_dir(cli, 0, err);
    struct str text, path, key;

    if (!dir)
        return false;
    path = arena_fmt(cli->arena, "%s/../audit.pub", dir);
    if (!path.ptr || !load_file(cli, path.ptr, 64 * KIB, &text, err))
        return false;
    if (!cli->json) {
        printf(STR_FMT, STR_ARG(text));
        return true;
    }
    printf("{\"keys\":[");
    for (int n = 0; str_split(&text, '\n', &key) && key.len; n++)
        printf("%s\"" STR_FMT "\"", n ? "," : "", STR_ARG(key));
    printf("]}\n");
    return true;
}

/* ---- tail ---- */

static bool print_new(struct audit_cursor *at, struct err *err)
{
    struct str line;
    bool more = true;

    while (more) {
        if (!audit_cursor_next(at, &line, &more, err))
            return false;
        if (more)
            printf(STR_FMT "\n", STR_ARG(line));
    }
    return true;
}

struct following {
    struct audit_cursor *at;
    struct err *err;
    bool ok;
};

static void follow(void *arg)
{
    struct following *f = arg;

    do { /* a loop leaves it to us to see that nobody reads */
        f->ok = print_new(f->at, f->err);
        if (fflush(stdout) != 0 || ferror(stdout))
            f->ok = err_set(f->err, ERR_UNAVAILABLE, "could not write to standard output");
    } while (f->ok && fiber_sleep(SECOND / 2, f->err));
}

static bool print_and_follow(struct audit_cursor *at, struct err *err)
{
    struct following f = {.at = at, .err = err};
    struct loop *loop = loop_new(NULL, err);

    if (!loop)
        return false;
    loop_run(loop, follow, &f);
    loop_free(&loop);
    return f.ok;
}

static bool audit_tail(struct cli *cli, struct err *err)
{
    uint64_t lines = cli_number(cli, "--lines", 10), first, last;
    const char *dir = log_dir(cli, 0, err);
    struct audit_cursor at = {0};

    if (!dir || !audit_extent(cli->arena, dir, &first, &last, err))
        return false;
    uint64_t from = MAX_OF(first, last >= lines ? last - lines + 1 : 1);
    bool ok = audit_cursor_open(&at, cli->arena, dir, from, err) &&
              (cli_given(cli, "--follow") ? print_and_follow(&at, err) : print_new(&at, err));
    audit_cursor_close(&at);
    return ok;
}

static const struct cli_option tail_options[] = {
    {"--lines", CLI_COUNT, "N", NULL, "how many; default 10"},
    {"--follow", CLI_SWITCH, NULL, NULL, "go on as records come"},
    {0},
};

static const struct cli_option verify_options[] = {
    {"--public-key", CLI_TEXT, "FILE", NULL, "whom to trust; default audit.pub beside the log"},
    {"--checkpoint", CLI_TEXT, "FILE", NULL, "one that you noted: the log has to go on from it"},
    {"--bundle", CLI_TEXT, "FILE", NULL, "check what `audit prove` made, without the log"},
    {0},
};

static const struct cli_option prove_options[] = {
    {"--from", CLI_TEXT, "FILE", NULL, "prove too that the log goes on from this checkpoint"},
    {0},
};

static const struct cli_option export_options[] = {
    {"--format", CLI_TEXT, "NAME", "format", "jsonl (default), csv, or proof: a bundle of proofs"},
    {"--of-key", CLI_TEXT, "ID", "key", "records of this key"},
    {"--tenant", CLI_TEXT, "NAME", "tenant", "of this tenant"},
    {"--team", CLI_TEXT, "NAME", "team", "of this team"},
    {"--subject", CLI_TEXT, "WHO", "subject",
     "of this end user, by pseudonym, or by name with --tenant"},
    {"--model", CLI_TEXT, "NAME", "model", "for this model"},
    {"--deployment", CLI_TEXT, "NAME", "deployment", "answered by this model of the catalogue"},
    {"--outcome", CLI_TEXT, "NAME", "outcome", "complete, refused, failed, cancelled, cut"},
    {"--from", CLI_TEXT, "TIME", "from", "not before, such as 2026-11-21T00:00:00Z"},
    {"--until", CLI_TEXT, "TIME", "until", "before"},
    {"--first", CLI_COUNT, "N", "first", "records from this number on"},
    {"--last", CLI_COUNT, "N", "last", "up to this number"},
    {"--limit", CLI_COUNT, "N", "limit", "at most so many"},
    {"--after", CLI_COUNT, "N", "after", "go on behind this record, where an export was cut off"},
    {0},
};

static const struct cli_option query_options[] = {
    {"--of-key", CLI_TEXT, "ID", "key", "records of this key"},
    {"--tenant", CLI_TEXT, "NAME", "tenant", "of this tenant"},
    {"--team", CLI_TEXT, "NAME", "team", "of this team"},
    {"--subject", CLI_TEXT, "WHO", "subject",
     "of this end user, by pseudonym, or by name with --tenant"},
    {"--model", CLI_TEXT, "NAME", "model", "for this model"},
    {"--deployment", CLI_TEXT, "NAME", "deployment", "answered by this model of the catalogue"},
    {"--provider", CLI_TEXT, "NAME", "provider", "answered by this provider"},
    {"--route", CLI_TEXT, "ROUTE", "route", "method and path"},
    {"--outcome", CLI_TEXT, "NAME", "outcome", "complete, refused, failed, cancelled, cut"},
    {"--tag", CLI_TEXT, "NAME", "tag", "with this tag"},
    {"--request", CLI_TEXT, "ID", "request", "of this request"},
    {"--from", CLI_TEXT, "TIME", "from", "not before, such as 2026-11-21T00:00:00Z"},
    {"--until", CLI_TEXT, "TIME", "until", "before"},
    {"--status-min", CLI_COUNT, "N", "status_min", "HTTP status from"},
    {"--status-max", CLI_COUNT, "N", "status_max", "HTTP status to"},
    {"--cost-min", CLI_USD, "USD", "cost_min", "charged at least"},
    {"--limit", CLI_COUNT, "N", NULL, "at most so many"},
    {0},
};

static const struct cli_option show_options[] = {
    {"--body", CLI_SWITCH, NULL, NULL, "open the question and the answer"},
    {0},
};

static const struct cli_option erase_options[] = {
    {"--tenant", CLI_TEXT, "NAME", "tenant", "whose user; default your own"},
    {0},
};

static const struct cli_option hold_options[] = {
    {"--tenant", CLI_TEXT, "NAME", "tenant", "records of this tenant"},
    {"--of-key", CLI_TEXT, "ID", "key", "of this key"},
    {"--subject", CLI_TEXT, "WHO", "subject",
     "of this end user, by pseudonym, or by name with --tenant"},
    {"--request", CLI_TEXT, "ID", "request", "of this request"},
    {"--from", CLI_TEXT, "TIME", "from", "not before"},
    {"--until", CLI_TEXT, "TIME", "until", "before"},
    {0},
};

static const char *const query_columns[] = {
    "seq", "time", "request", "key", "tenant", "model", "status", "outcome", "cost", "note", NULL};
static const char *const hold_columns[] = {"id",   "reason", "tenant", "key",  "subject", "request",
                                           "from", "until",  "by",     "made", NULL};

static const struct cli_command commands[] = {
    {"audit tail [DIR]", "show the newest records of the audit log",
     "As they stand: `audit verify` proves them.\n"
     "  weir audit tail --lines 20 --follow\n",
     tail_options, audit_tail, NULL, NULL, NULL, NULL, NULL, false, true},
    {"audit verify [DIR]", "prove that nobody changed the audit log",
     "From the files alone, also beside a running Weir.\n"
     "  weir audit verify /mnt/copy/audit --public-key audit.pub --checkpoint noted-in-march\n"
     "  weir audit verify --bundle proof.jsonl --public-key audit.pub\n",
     verify_options, audit_check, NULL, NULL, NULL, NULL, NULL, false, true},
    {"audit prove ID [DIR]", "prove a record to somebody who does not have the log",
     "ID is the number of a record or the x-request-id of a reply. Prints a bundle for\n"
     "`weir audit verify --bundle`, from the files alone.\n",
     prove_options, audit_prove, NULL, NULL, NULL, NULL, NULL, false, true},
    {"audit query", "find records, the newest first",
     "  weir audit query --tenant acme --status-min 400 --from 2026-11-01T00:00:00Z\n",
     query_options, NULL, "GET", "/api/v1/audit/records", NULL, query_columns, NULL},
    {"audit show ID", "show one record",
     "ID is the number of a record or the x-request-id of a reply. --body opens what was sealed;\n"
     "that it was opened is recorded.\n",
     show_options, audit_show, "GET", "/api/v1/audit/records/{ID}", NULL, NULL, NULL},
    {"audit export [DIR]", "write records to standard output",
     "From the files alone; with --url from a Weir elsewhere, as a stream. --format proof makes a\n"
     "bundle for `weir audit verify --bundle`.\n",
     export_options, audit_export, "GET", "/api/v1/audit/export", NULL, NULL, NULL},
    {"audit key [DIR]", "show the public keys of the audit log, the newest first",
     "Keep them elsewhere: they are what others verify with.\n", NULL, audit_key, NULL, NULL, NULL,
     NULL, NULL, false, true},
    {"audit erase SUBJECT", "erase a subject: none of its sealed bodies can be opened any more",
     "  weir audit erase ann@example.com --tenant acme\n"
     "SUBJECT is a user's id as requests named it, or the pseudonym of a record (s_...).\n",
     erase_options, NULL, "POST", "/api/v1/audit/erasures", "SUBJECT=subject", NULL,
     "{subject} erased; it had sealed bodies: {had_bodies}"},
    {"audit rotate", "replace the key that signs", "The old key signs for the new one.\n", NULL,
     NULL, "POST", "/api/v1/audit/keys", NULL, NULL, "signing with {key} from now on"},
    {"audit hold list", "show holds on records", "", NULL, NULL, "GET", "/api/v1/audit/holds", NULL,
     hold_columns, NULL},
    {"audit hold add REASON", "hold records: they are not removed",
     "  weir audit hold add 'case 12' --tenant acme --from 2026-01-01T00:00:00Z\n"
     "All that is given has to fit a record.\n",
     hold_options, NULL, "POST", "/api/v1/audit/holds", "REASON=reason", NULL, "{id} made"},
    {"audit hold release ID", "release a hold", "", NULL, NULL, "DELETE",
     "/api/v1/audit/holds/{ID}", NULL, NULL, "{id} released"},
};
const struct cli_part cli_audit_part = {"Audit", commands, ARRAY_LEN(commands)};
