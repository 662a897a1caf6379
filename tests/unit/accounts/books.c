#include "books.h"

#include <string.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "test.h"

static const char *path_in(char to[512], const char *dir, const char *name)
{
    struct buf b;

    buf_init_fixed(&b, to, 512);
    buf_fmt(&b, "%s/%s", dir, name);
    buf_char(&b, 0);
    EXPECT(buf_ok(&b));
    return to;
}

bool books_open(struct books *b, const char *dir, struct err *err)
{
    char database[512], log[512], pepper[512];

    memset(b, 0, sizeof *b);
    b->arena = arena_new(64 * MIB);
    path_in(b->dir, dir, "");

    const struct store_options store = {.path = path_in(database, dir, "weir.db"),
                                        .migrations = accounts_migrations,
                                        .migration_count = accounts_migration_count};
    const struct audit_options audit = {.dir = path_in(log, dir, "audit"), .segment_bytes = 1};

    if (!store_open(&store, &b->store, err) || !audit_open(&audit, &b->audit, err))
        return false;

    const struct accounts_options accounts = {.store = b->store,
                                              .audit = b->audit,
                                              .pepper_file = path_in(pepper, dir, "pepper"),
                                              .keys_max = 50,
                                              .usage_cells = 16};

    return accounts_open(&accounts, &b->accounts, err);
}

void books_drop(struct books *b)
{
    accounts_close(&b->accounts);
    audit_close(&b->audit);
    store_close(&b->store);
    arena_end(&b->arena);
}

void books_close(struct books *b)
{
    struct err err = {0};

    EXPECT(accounts_flush_now(b->accounts, &err), "%s", err.text);
    EXPECT(accounts_holds_open(b->accounts) == 0);
    books_drop(b);
}

static void copy_file(const char *from_dir, const char *to_dir, struct str name)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str bytes, from = arena_fmt(arena, "%s/" STR_FMT, from_dir, STR_ARG(name)),
                      to = arena_fmt(arena, "%s/" STR_FMT, to_dir, STR_ARG(name));
    struct file_info info;
    struct err err = {0};

    EXPECT(file_stat(from.ptr, &info, &err), "%s", err.text);
    if (info.is_dir)
        return;
    EXPECT(file_load(arena, from.ptr, 32 * MIB, &bytes, &err), "%s", err.text);
    EXPECT(file_store(to.ptr, bytes, 0600, &err), "%s", err.text);
}

static void copy_dir(const char *from, const char *to)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str *names;
    size_t count;
    struct err err = {0};

    EXPECT(file_make_dir(to, 0700, &err), "%s", err.text);
    if (!file_list(arena, from, 1000, &names, &count, &err)) {
        EXPECT(false, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!str_ends(names[i], STR("-shm"))) /* made anew from the WAL */
            copy_file(from, to, names[i]);
}

void books_copy(const struct books *b, const char *to)
{
    char from_log[512], to_log[512];

    copy_dir(b->dir, to);
    copy_dir(path_in(from_log, b->dir, "audit"), path_in(to_log, to, "audit"));
}

bool books_authenticate(struct books *b, const struct secret *token, const struct principal **out,
                        struct err *err)
{
    return authenticate_key(b->accounts, secret_reveal(token), out, err);
}

const struct principal *books_key(struct books *b, const char *name, const struct limits *limits)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    const struct key_info wanted = {.name = str_from(name), .limits = *limits};
    struct key_info info;
    struct err err = {0};

    EXPECT(key_create(b->accounts, &wanted, arena, &info, &token, &err), "%s", err.text);
    EXPECT(books_authenticate(b, &token, &who, &err), "%s", err.text);
    return who;
}

struct key_info books_info(struct books *b, struct str id)
{
    struct key_info *list, none = {0};
    size_t count;
    struct err err = {0};

    EXPECT(key_list(b->accounts, &(struct key_filter){0}, b->arena, &list, &count, &err), "%s",
           err.text);
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].id, id))
            return list[i];
    return none;
}

bool books_request(struct books *b, const struct principal *who, usd_micro worst, usd_micro cost,
                   wall_ms now)
{
    struct hold hold = {0};
    struct err err = {0};

    if (!hold_take(b->accounts, who, (struct need){.cost = worst}, now, &hold, &err))
        return false;

    struct audit_record record = {.time = now,
                                  .route = STR("POST /v1/chat/completions"),
                                  .status = 200,
                                  .outcome = STR("complete"),
                                  .cost = cost};

    EXPECT(accounts_record(b->accounts, &hold, &record, &err), "%s", err.text);
    EXPECT(!hold.open);
    return true;
}
