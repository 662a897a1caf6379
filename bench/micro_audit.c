/* What the audit log costs behind the requests: tree, signature, index; and how fast a million records
 * are searched and verified.
 *   micro_audit [DIR [RECORDS]]   one thread; DIR (default: a new one in /tmp) is on the disk to measure
 * Processor time where the disk's is not meant. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "accounts/audit_body.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_proof.h"
#include "accounts/audit_query.h"
#include "accounts/audit_tree.h"

#define RECORDS ((uint64_t)1000000)
#define SIGNED  200

static void need(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void append(struct audit *audit, uint64_t i)
{
    static const struct str tenants[] = {{"acme", 4}, {"blue", 4}, {"default", 7}};
    struct err err = {0};
    struct audit_record record = {
        .time = 1795262400000 + (wall_ms)(i / 100),
        .request_id = i * 0x9e3779b97f4a7c15u,
        .key_id = STR("k_0123456789abcdef"),
        .tenant = i % 100000 == 7 ? STR("rare") : tenants[i % 3],
        .route = STR("POST /v1/chat/completions"),
        .model = STR("small"),
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

    need(audit_append(audit, &record, &err), &err);
}

static bool count(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    (void)seq, (void)line, (void)err;
    ++*(uint64_t *)ctx;
    return true;
}

static void search(const char *dir, const char *what, const struct audit_query *query)
{
    struct err err = {0};
    uint64_t found = 0, next;
    double start = now(CLOCK_MONOTONIC);

    need(audit_query(dir, query, count, &found, &next, &err), &err);
    printf("query: %-44s %8.1f ms, %" PRIu64 " found\n", what, (now(CLOCK_MONOTONIC) - start) * 1e3,
           found);
}

static void hashing(void)
{
    static struct merkle_edge edge;
    struct sha256 leaf = {0};
    char line[480] = {0};
    double start = now(CLOCK_THREAD_CPUTIME_ID);

    for (int i = 0; i < 200000; i++) {
        line[i % 480] ^= 1;
        leaf = merkle_leaf((struct str){line, sizeof line});
        edge.at[0][i % 256] = leaf;
        if (i % 256 == 255)
            leaf = merkle_fold(edge.at[0], 256);
    }
    printf("tree: hashes of a record of 480 bytes            %8.2f us\n",
           (now(CLOCK_THREAD_CPUTIME_ID) - start) / 200000 * 1e6);
}

static void growing(struct audit *audit, struct audit_tree *tree, uint64_t records)
{
    struct err err = {0};
    double begun = now(CLOCK_PROCESS_CPUTIME_ID), appending = 0, cpu;

    for (uint64_t i = 0; i < records; i += 10000) {
        double start = now(CLOCK_THREAD_CPUTIME_ID);

        for (uint64_t k = 0; k < 10000; k++)
            append(audit, i + k);
        appending += now(CLOCK_THREAD_CPUTIME_ID) - start;
        need(audit_tree_advance(tree, &err), &err);
    }
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - begun - appending; /* in whichever thread */
    printf("append: a record, on the request's path          %8.2f us\n",
           appending / (double)records * 1e6);
    printf("tree: a record, read, hashed, tiles, index       %8.2f us, behind it\n",
           cpu / (double)records * 1e6);
}

static void signing(struct audit *audit, struct audit_tree *tree)
{
    struct err err = {0};
    double cpu = 0, wall = 0;

    for (int i = 0; i < SIGNED; i++) {
        double c = now(CLOCK_THREAD_CPUTIME_ID), w = now(CLOCK_MONOTONIC);

        append(audit, (uint64_t)i);
        need(audit_tree_advance(tree, &err), &err);
        cpu += now(CLOCK_THREAD_CPUTIME_ID) - c;
        wall += now(CLOCK_MONOTONIC) - w;
    }
    printf("checkpoint: sync, tile, signature, file          %8.1f us of processor, %.1f ms\n",
           cpu / SIGNED * 1e6, wall / SIGNED * 1e3);
}

int main(int argc, char **argv)
{
    char fresh[] = "/tmp/weir-audit-XXXXXX", dir[512], key[512], pub[512];
    const char *top = argc > 1 ? argv[1] : mkdtemp(fresh);
    uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : RECORDS;
    static struct audit_trust trust;
    struct audit_verdict verdict;
    struct audit *audit = NULL;
    struct audit_tree *tree = NULL;
    struct err err = {0};

    snprintf(dir, sizeof dir, "%s/audit", top);
    snprintf(key, sizeof key, "%s/audit.key", top);
    snprintf(pub, sizeof pub, "%s/audit.pub", top);

    const struct audit_options options = {.dir = dir};
    const struct audit_tree_options tree_options = {.key_file = key, .public_file = pub};

    hashing();
    need(audit_open(&options, &audit, &err), &err);
    need(audit_tree_open(audit, &tree_options, &tree, &err), &err);
    growing(audit, tree, records);
    signing(audit, tree);
    search(dir, "a page of the newest", &(struct audit_query){.limit = 100});
    search(dir, "a rare tenant, all of them", &(struct audit_query){.tenant = STR("rare")});
    search(dir, "one request", &(struct audit_query){.request = 77 * 0x9e3779b97f4a7c15u});
    search(dir, "nobody", &(struct audit_query){.tenant = STR("nobody")});
    search(dir, "a third of all, read",
           &(struct audit_query){.tenant = STR("acme"), .limit = records / 3});

    struct arena *arena = arena_new(MIB);
    struct str text;
    double start = now(CLOCK_MONOTONIC);

    need(audit_tree_keys(tree, arena, &text, &err), &err);
    need(note_keys_read(text, trust.keys, &trust.count, &err), &err);
    need(audit_verify_signed(dir, &trust, NULL, 0, &verdict, &err), &err);
    printf("verify: %" PRIu64 " records                          %8.0f ms\n", verdict.chain.records,
           (now(CLOCK_MONOTONIC) - start) * 1e3);
    arena_end(&arena);
    audit_tree_close(&tree);
    audit_close(&audit);
    return 0;
}
