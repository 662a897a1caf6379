/* What keys, limits and records cost on the request path: figures for src/accounts/README.md.
 *   micro_accounts [DIR]   one thread; DIR (default: a new one in /tmp) is on the disk to measure
 * Processor time and not time of day: what the disk does in between is not the request's. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "accounts/audit_internal.h"
#include "accounts/directory.h"
#include "sys/threads.h"

#define ROUNDS  ((uint64_t)200000)
#define REPEATS 5

struct bench {
    const char *dir;
    struct store *store;
    struct audit *audit;
    struct accounts *accounts;
    struct secret token;
    const struct principal *who;
};

static void need(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static const char *path_in(const struct bench *b, const char *name)
{
    static char path[4][512];
    static int next;
    char *to = path[next++ % 4];

    snprintf(to, sizeof path[0], "%s/%s", b->dir, name);
    return to;
}

static void open_books(struct bench *b)
{
    const struct store_options store = {.path = path_in(b, "weir.db"),
                                        .migrations = accounts_migrations,
                                        .migration_count = accounts_migration_count};
    const struct audit_options audit = {.dir = path_in(b, "audit")};
    struct err err = {0};

    need(store_open(&store, &b->store, &err), &err);
    need(audit_open(&audit, &b->audit, &err), &err);

    const struct accounts_options accounts = {
        .store = b->store, .audit = b->audit, .pepper_file = path_in(b, "pepper")};

    need(accounts_open(&accounts, &b->accounts, &err), &err);
}

static void make_key(void *arg)
{
    struct bench *b = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct key_info wanted = {.name = STR("bench"),
                                    .limits = {.requests_per_minute = UINT32_MAX,
                                               .tokens_per_minute = 1000000000000,
                                               .in_flight = 1000000,
                                               .spend_day = (usd_micro)1000000 * 1000000,
                                               .spend_month = (usd_micro)1000000 * 1000000}};
    struct key_info info;
    struct err err = {0};

    need(key_create(b->accounts, &wanted, arena, &info, &b->token, &err), &err);
    need(authenticate_key(b->accounts, secret_reveal(&b->token), &b->who, &err), &err);
}

/* ---- what is measured ---- */

static struct audit_record typical(uint64_t i)
{
    return (struct audit_record){
        .time = 1795262400000 + (wall_ms)(i / 1000),
        .request_id = i * 0x9e3779b97f4a7c15u,
        .key_id = STR("k_0123456789abcdef"),
        .tenant = STR("default"),
        .route = STR("POST /v1/chat/completions"),
        .model = STR("weir-small"),
        .provider = STR("openai"),
        .remote_model = STR("gpt-4o-mini-2024-07-18"),
        .status = 200,
        .outcome = STR("complete"),
        .streamed = true,
        .tokens_in = 1234,
        .tokens_out = 567,
        .cost = 12345,
        .bytes_in = 4096,
        .bytes_out = 8192,
        .took = 1234567890,
    };
}

static void authenticate_warm(struct bench *b, uint64_t i)
{
    const struct principal *who;
    struct err err;
    (void)i;

    if (!authenticate_key(b->accounts, secret_reveal(&b->token), &who, &err))
        abort();
}

static void format(struct bench *b, uint64_t i)
{
    struct audit_record record = typical(i);
    struct audit_line line;
    (void)b;

    audit_line_format(&record, &line);
}

static void append(struct bench *b, uint64_t i)
{
    struct audit_record record = typical(i);
    struct err err = {0};

    need(audit_append(b->audit, &record, &err), &err);
}

static void hold_and_drop(struct bench *b, uint64_t i)
{
    struct hold hold = {0};
    struct err err = {0};

    need(hold_take(b->accounts, b->who, (struct need){.cost = 100},
                   1795262400000 + (wall_ms)(i / 1000), &hold, &err),
         &err);
    hold_drop(b->accounts, &hold);
}

static void whole_request(struct bench *b, uint64_t i)
{
    struct audit_record record = typical(i);
    const struct principal *who;
    struct hold hold = {0};
    struct err err = {0};

    need(authenticate_key(b->accounts, secret_reveal(&b->token), &who, &err), &err);
    need(audit_ready(b->audit, &err), &err);
    need(hold_take(b->accounts, who, (struct need){.cost = 20000}, record.time, &hold, &err), &err);
    need(accounts_record(b->accounts, &hold, &record, &err), &err);
}

static const struct {
    const char *name;
    void (*run)(struct bench *b, uint64_t i);
    bool writes; /* synced after each round, as the flush fiber does */
} measured[] = {
    {"authenticate, warm", authenticate_warm, false},
    {"format a record", format, false},
    {"append a record", append, true},
    {"hold and drop", hold_and_drop, false},
    {"authenticate, ready, hold, record", whole_request, true},
};

int main(int argc, char **argv)
{
    char made[] = "/tmp/weir-micro-XXXXXX";
    struct bench b = {.dir = argc > 1 ? argv[1] : mkdtemp(made)};
    void *args[] = {&b};
    struct err err = {0};

    open_books(&b);
    need(loops_run(1, NULL, make_key, args, &err), &err);
    for (size_t m = 0; m < ARRAY_LEN(measured); m++) {
        dur_ns best = INT64_MAX, sum = 0;

        for (int r = 0; r < REPEATS; r++) {
            clock_t start = clock();

            for (uint64_t i = 0; i < ROUNDS; i++)
                measured[m].run(&b, i);

            dur_ns took = (dur_ns)(clock() - start) * (SECOND / CLOCKS_PER_SEC);

            best = MIN_OF(best, took);
            sum += took;
            if (measured[m].writes)
                need(audit_sync(b.audit, &err), &err);
        }
        printf("%-36s %6.0f ns best, %6.0f ns mean\n", measured[m].name,
               (double)best / (double)ROUNDS, (double)sum / (double)(ROUNDS * REPEATS));
    }
    need(accounts_flush_now(b.accounts, &err), &err);
    accounts_close(&b.accounts);
    audit_close(&b.audit);
    store_close(&b.store);
    secret_wipe(&b.token);
    return 0;
}
