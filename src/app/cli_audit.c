/* weir audit: from the files alone. */
#include "accounts/audit.h"
#include "app/cli.h"
#include "sys/loop.h"
#include "sys/threads.h"

static const char *audit_dir(struct cli *cli, struct err *err)
{
    if (cli->word_count > 0)
        return cli->words[0];
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
    uint64_t lines = cli_number(cli, "--lines", 10);
    const char *dir = audit_dir(cli, err);

    if (!dir || !audit_verify(dir, &r, err))
        return false;
    struct following f = {
        .dir = dir, .err = err, .tail = {.next = r.last_seq >= lines ? r.last_seq - lines + 1 : 1}};
    if (!cli_given(cli, "--follow"))
        return audit_read(cli->arena, dir, f.tail.next, print_record, &f.tail, err);
    struct loop *loop = loop_new(NULL, err);
    if (!loop)
        return false;
    loop_run(loop, follow, &f);
    loop_free(&loop);
    return f.ok;
}

static const struct cli_option tail_options[] = {
    {"--lines", CLI_COUNT, "N", NULL, "how many; default 10"},
    {"--follow", CLI_SWITCH, NULL, NULL, "go on as records come"},
    {0},
};

static const struct cli_command commands[] = {
    {"audit tail [DIR]", "show the newest records of the audit log",
     "  weir audit tail --lines 20 --follow\n", tail_options, audit_tail, NULL, NULL, NULL, NULL,
     NULL},
    {"audit verify [DIR]", "prove that nobody changed the audit log",
     "From the files alone, also beside a running Weir.\n", NULL, audit_check, NULL, NULL, NULL,
     NULL, NULL},
};
const struct cli_part cli_audit_part = {"Audit", commands, ARRAY_LEN(commands)};
