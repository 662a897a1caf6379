#include <string.h>

#include "accounts/token.h"
#include "books.h"
#include "sys/file.h"
#include "test.h"

static const struct limits unlimited;
static const struct key_info plain = {.name = {"x", 1}};

FIBER_TEST(key_lives_through_a_restart)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret token CLEANUP(secret_wipe) = {0};
    struct limits limits = {.requests_per_minute = 60, .spend_day = 5000000};
    const struct key_info wanted = {.name = STR("the first"), .role = ROLE_ADMIN, .limits = limits};
    struct key_info made;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    EXPECT(accounts_key_count(b.accounts) == 0);
    REQUIRE(key_create(b.accounts, &wanted, arena, &made, &token, &err), "%s", err.text);
    EXPECT(str_starts(made.id, STR("k_")) && made.id.len == 18);
    EXPECT(str_starts(secret_reveal(&token), STR("wr_")) && token.len == TOKEN_LEN);

    for (int round = 0; round < 3; round++) {
        const struct principal *who = NULL;
        struct key_info info = books_info(&b, made.id);

        EXPECT(accounts_key_count(b.accounts) == 1);
        EXPECT(str_eq(info.name, STR("the first")) && info.role == ROLE_ADMIN);
        EXPECT(info.limits.requests_per_minute == 60 && info.limits.spend_day == 5000000);
        EXPECT(info.created == made.created && info.revoked == 0 && info.balance.last_used == 0);
        for (int i = 0; i < 3; i++) { /* cold, then warm */
            REQUIRE(books_authenticate(&b, &token, &who, &err), "%s", err.text);
            EXPECT(str_eq(who->key_id, made.id) && str_eq(who->name, STR("the first")));
            EXPECT(str_eq(who->tenant, STR("default")) && who->role == ROLE_ADMIN);
            principal_release(&who);
            EXPECT(who == NULL);
        }
        books_close(&b);
        REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    }
    books_close(&b);
}

FIBER_TEST(key_revoked_is_refused_at_once_and_for_ever)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct hold hold = {0};
    struct key_info made;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    REQUIRE(key_create(b.accounts, &plain, arena, &made, &token, &err));
    REQUIRE(books_authenticate(&b, &token, &who, &err) &&
            books_authenticate(&b, &token, &who, &err));
    REQUIRE(key_revoke(b.accounts, made.id, &err), "%s", err.text);
    for (int round = 0; round < 2; round++) {
        const struct principal *nobody = NULL;

        err = (struct err){0};
        EXPECT(!books_authenticate(&b, &token, &nobody, &err) && !nobody);
        EXPECT(err.code == ERR_UNAUTHENTICATED && strstr(err.text, "is revoked"), "%s", err.text);
        EXPECT(books_info(&b, made.id).revoked > 0);
        if (round == 0) {
            EXPECT(!hold_take(b.accounts, who, (struct need){.cost = 1}, NOON, &hold,
                              &err)); /* got in just before */
            EXPECT(key_revoke(b.accounts, made.id, &err), "%s", err.text);
            books_close(&b);
            REQUIRE(books_open(&b, dir, &err), "%s", err.text);
        }
    }
    books_close(&b);
}

static const struct {
    const char *name, *token, *text;
} strangers[] = {
    {"nothing", "", "is empty"},
    {"nothing behind the scheme", "Bearer", "is empty"},
    {"other house", "sk-proj-123", "does not begin with"},
    {"cut", "wr_0123456789abcdefghjkm", "characters, not 42"},
    {"mistyped", "wr_0123456789abcdefghjkmnpqrstvwxyz0000000", "checksum does not fit"},
};

FIBER_TEST(key_strangers_are_told_why)
{
    const uint8_t random[TOKEN_RANDOM_BYTES] = {1, 2, 3};
    const struct principal *who = NULL;
    char well_made[TOKEN_LEN];
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        err = (struct err){0};
        EXPECT(!authenticate_key(b.accounts, str_from(strangers[i].token), &who, &err));
        EXPECT(err.code == ERR_UNAUTHENTICATED && strstr(err.text, strangers[i].text), "%s: %s",
               strangers[i].name, err.text);
    }
    token_make(random, well_made);
    for (int i = 0; i < 2; i++) {
        EXPECT(
            !authenticate_key(b.accounts, (struct str){well_made, sizeof well_made}, &who, &err));
        EXPECT(strstr(err.text, "not one of ours"), "%s", err.text);
        EXPECT(!strstr(err.text, "wr_")); /* errors are logged */
    }
    books_close(&b);
}

static const struct {
    const char *name, *key;
    struct limits limits;
    const char *text;
} bad_keys[] = {
    {"no name", "", {0}, "1 to 100 bytes"},
    {"long name",
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890",
     {0},
     "1 to 100 bytes"},
    {"name is no text", "\xff", {0}, "UTF-8"},
    {"negative requests", "x", {.requests_per_minute = -1}, "requests per minute"},
    {"too many requests", "x", {.requests_per_minute = (int64_t)UINT32_MAX + 1}, "requests"},
    {"negative day", "x", {.spend_day = -1}, "spend limits"},
    {"absurd month", "x", {.spend_month = INT64_MAX}, "spend limits"},
};

FIBER_TEST(key_create_refuses)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(bad_keys); i++) {
        struct secret token CLEANUP(secret_wipe) = {0};
        const struct key_info wanted = {.name = str_from(bad_keys[i].key),
                                        .limits = bad_keys[i].limits};
        struct key_info made;

        err = (struct err){0};
        EXPECT(!key_create(b.accounts, &wanted, arena, &made, &token, &err), "%s",
               bad_keys[i].name);
        EXPECT(err.code == ERR_INVALID && strstr(err.text, bad_keys[i].text), "%s: %s",
               bad_keys[i].name, err.text);
        EXPECT(secret_is_empty(&token));
    }
    EXPECT(accounts_key_count(b.accounts) == 0);
    EXPECT(!key_revoke(b.accounts, STR("k_nobody"), &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!key_revoke(b.accounts, STR("k_local"), &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!key_change(b.accounts, STR("k_nobody"), &plain, &err) && err.code == ERR_NOT_FOUND);
    books_close(&b);
}

FIBER_TEST(keys_have_a_ceiling)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret token CLEANUP(secret_wipe) = {0};
    struct key_info made, *list;
    size_t count;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (int i = 0; i < 50; i++)
        EXPECT(books_key(&b, "one of many", &unlimited));
    EXPECT(!key_create(b.accounts, &plain, arena, &made, &token, &err));
    EXPECT(err.code == ERR_EXHAUSTED && strstr(err.text, "50 keys"), "%s", err.text);
    EXPECT(accounts_key_count(b.accounts) == 50);
    REQUIRE(key_list(b.accounts, &(struct key_filter){0}, arena, &list, &count, &err) &&
            count == 50);
    for (size_t i = 1; i < count; i++)
        EXPECT(!str_eq(list[i].id, list[i - 1].id) && list[i].created >= list[i - 1].created);
    books_close(&b);
}

FIBER_TEST(key_limits_change_at_once_and_stay)
{
    const char *dir = test_dir();
    struct limits two = {.requests_per_minute = 2};
    const struct key_info three = {.name = STR("x"), .limits = {.requests_per_minute = 3}};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &two);

    REQUIRE(who);
    EXPECT(books_request(&b, who, 0, 0, NOON) && books_request(&b, who, 0, 0, NOON));
    EXPECT(!books_request(&b, who, 0, 0, NOON));
    REQUIRE(key_change(b.accounts, who->key_id, &three, &err), "%s", err.text);
    EXPECT(books_request(&b, who, 0, 0, NOON) && !books_request(&b, who, 0, 0, NOON));

    char id[64];
    size_t len = who->key_id.len;

    memcpy(id, who->key_id.ptr, len);
    books_close(&b);
    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    EXPECT(books_info(&b, (struct str){id, len}).limits.requests_per_minute == 3);
    books_close(&b);
}

/* ---- pepper ---- */

static bool open_again(struct books *b, struct err *err)
{
    char dir[512];

    memcpy(dir, b->dir, sizeof dir);
    *err = (struct err){0};
    return books_open(b, dir, err);
}

FIBER_TEST(pepper_is_private_and_belongs_to_the_store)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct books b;
    struct file_info info;
    struct str path, bytes;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    path = arena_fmt(arena, "%s/pepper", b.dir);
    books_close(&b);
    REQUIRE(file_stat(path.ptr, &info, &err) && file_load(arena, path.ptr, 100, &bytes, &err));
    EXPECT((info.mode & 0777u) == 0600u && info.bytes == 32);

    REQUIRE(file_remove(path.ptr, &err) && file_store(path.ptr, bytes, 0640, &err));
    EXPECT(!open_again(&b, &err));
    EXPECT(err.code == ERR_DENIED && strstr(err.text, "read by others (mode 640)"), "%s", err.text);
    books_drop(&b);

    REQUIRE(file_remove(path.ptr, &err));
    EXPECT(!open_again(&b, &err));
    EXPECT(err.code == ERR_NOT_FOUND && strstr(err.text, "is missing"), "%s", err.text);
    books_drop(&b);

    REQUIRE(file_store(path.ptr, STR("short"), 0600, &err));
    EXPECT(!open_again(&b, &err) && strstr(err.text, "5 bytes"), "%s", err.text);
    books_drop(&b);

    REQUIRE(file_store(path.ptr, STR("thirty-two bytes of another one!"), 0600, &err));
    EXPECT(!open_again(&b, &err) && strstr(err.text, "not the one"), "%s", err.text);
    books_drop(&b);

    REQUIRE(file_store(path.ptr, bytes, 0600, &err));
    EXPECT(open_again(&b, &err), "%s", err.text);
    books_close(&b);
}
