/* Sealed bodies: what comes back, what does not, and what erasing takes away for good. */
#include "accounts/audit_body.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "accounts/calendar.h"
#include "base/secret.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "test.h"

#define MASTER "0123456789abcdef0123456789abcdef"

struct bodies {
    struct arena *arena;
    struct audit_bodies *b;
    struct secret master;
    const char *dir, *keys;
};

static bool open_bodies(struct bodies *t, const char *dir, const char *master, struct err *err)
{
    if (!t->arena)
        t->arena = arena_new(64 * MIB);
    t->dir = arena_fmt(t->arena, "%s/bodies", dir).ptr;
    t->keys = arena_fmt(t->arena, "%s/body.keys", dir).ptr;
    secret_wipe(&t->master);
    if (master && !secret_set(&t->master, master, strlen(master), err))
        return false;

    const struct audit_bodies_options options = {.dir = t->dir,
                                                 .key_file = t->keys,
                                                 .master = &t->master,
                                                 .subjects_max = 50,
                                                 .segment_bytes = 64 * KIB};

    return audit_bodies_open(&options, &t->b, err);
}

static void bodies_done(struct bodies *t)
{
    audit_bodies_close(&t->b);
    secret_wipe(&t->master);
    arena_end(&t->arena);
}

static void name(const struct bodies *t, const char *user, char to[AUDIT_SUBJECT_TEXT])
{
    audit_subject(t->b, STR("acme"), str_from(user), STR("k_1"), to);
}

static bool seal(struct bodies *t, const char *user, struct str question, struct str answer,
                 struct audit_place *out, struct err *err)
{
    char subject[AUDIT_SUBJECT_TEXT];

    name(t, user, subject);

    const struct audit_body body = {str_from(subject), 77, question, answer};

    return audit_body_seal(t->b, &body, t->arena, out, err);
}

static bool open_body(struct bodies *t, const struct audit_place *place, struct audit_body *out,
                      struct err *err)
{
    return audit_body_open(t->b, str_from(place->place), str_from(place->hash), t->arena, out, err);
}

static bool erase(struct bodies *t, const char *user, bool *had, struct err *err)
{
    char subject[AUDIT_SUBJECT_TEXT];

    name(t, user, subject);
    return audit_body_erase(t->b, str_from(subject), had, err);
}

TEST(audit_body_comes_back_as_it_was)
{
    static char large[100000];
    const char *dir = test_dir();
    struct bodies t CLEANUP(bodies_done) = {0};
    struct str texts[] = {
        STR(""), STR("What is my balance?"), {large, sizeof large}, {"\0\xff\n\"", 4}};
    struct audit_place places[ARRAY_LEN(texts)];
    struct err err = {0};

    memset(large, 'x', sizeof large);
    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        EXPECT(seal(&t, "ann", texts[i], texts[ARRAY_LEN(texts) - 1 - i], &places[i], &err), "%s",
               err.text);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            struct audit_body body = {0};

            EXPECT(open_body(&t, &places[i], &body, &err), "%zu: %s", i, err.text);
            EXPECT(str_eq(body.question, texts[i]) &&
                       str_eq(body.answer, texts[ARRAY_LEN(texts) - 1 - i]) &&
                       body.request_id == 77,
                   "%zu", i);
        }
        audit_bodies_close(&t.b);
        REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text); /* a restart */
    }
}

TEST(audit_subjects_are_pseudonyms)
{
    struct bodies t CLEANUP(bodies_done) = {0}, other CLEANUP(bodies_done) = {0};
    char ann[AUDIT_SUBJECT_TEXT], again[AUDIT_SUBJECT_TEXT], bob[AUDIT_SUBJECT_TEXT];
    char key[AUDIT_SUBJECT_TEXT], elsewhere[AUDIT_SUBJECT_TEXT];
    struct err err = {0};

    REQUIRE(open_bodies(&t, test_dir(), NULL, &err), "%s", err.text);
    REQUIRE(open_bodies(&other, test_dir(), NULL, &err), "%s", err.text);
    name(&t, "ann", ann);
    name(&t, "ann", again);
    name(&t, "bob", bob);
    name(&t, "", key);
    name(&other, "ann", elsewhere);
    EXPECT(strcmp(ann, again) == 0 && strcmp(ann, bob) != 0 && strcmp(ann, key) != 0);
    EXPECT(strcmp(ann, elsewhere) != 0); /* another salt */
    audit_subject(t.b, STR("other"), STR("ann"), STR("k_1"), again);
    EXPECT(strcmp(ann, again) != 0); /* another tenant's ann */
    audit_subject(t.b, STR("acme"), STR("k_1"), STR("k_1"), again);
    EXPECT(strcmp(key, again) != 0); /* a user who calls herself like the key */
}

/* Whoever copies one in capitals means the same person: in holds, answers and the cache it is compared as text. */
TEST(audit_subjects_are_read_in_one_spelling)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"s_00112233445566778899aabbccddeeff", "s_00112233445566778899aabbccddeeff"},
        {"s_00112233445566778899AABBccddeEFF", "s_00112233445566778899aabbccddeeff"},
        {"S_00112233445566778899aabbccddeeff", ""},
        {"s_00112233445566778899aabbccddeef", ""},
        {"s_00112233445566778899aabbccddeeff0", ""},
        {"s_0011223344556677889 aabbccddeeff", ""},
        {"anna", ""},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[AUDIT_SUBJECT_TEXT] = "";
        bool is = audit_subject_read(str_from(cases[i].text), got);

        EXPECT(is == (cases[i].want[0] != 0) && strcmp(got, cases[i].want) == 0, "%s: %s",
               cases[i].text, got);
    }
}

/* Two key files, one secret: the same person; and the former pseudonym is still known, to be erased too. */
TEST(audit_subjects_are_the_same_where_a_secret_is_shared)
{
    struct bodies one CLEANUP(bodies_done) = {0}, other CLEANUP(bodies_done) = {0};
    char a[AUDIT_SUBJECT_TEXT], b[AUDIT_SUBJECT_TEXT], former[AUDIT_SUBJECT_TEXT];
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};

    const char *dir = test_dir(); /* emptied by each call */
    const char *there = arena_fmt(arena, "%s/other", dir).ptr;
    REQUIRE(there && file_make_dir(there, 0700, &err));
    REQUIRE(open_bodies(&one, dir, MASTER, &err) && open_bodies(&other, there, MASTER, &err), "%s",
            err.text);
    name(&one, "ann", a);
    name(&other, "ann", b);
    EXPECT(strcmp(a, b) != 0, "each key file has a salt of its own");
    EXPECT(!audit_former_subject(one.b, STR("acme"), STR("ann"), STR("k_1"), former));
    REQUIRE(audit_bodies_share(one.b, STR("of both"), &err) &&
            audit_bodies_share(other.b, STR("of both"), &err));
    EXPECT(audit_former_subject(one.b, STR("acme"), STR("ann"), STR("k_1"), former) &&
           strcmp(former, a) == 0);
    name(&one, "ann", a);
    name(&other, "ann", b);
    EXPECT(strcmp(a, b) == 0 && strcmp(a, former) != 0);
    name(&other, "bob", b);
    EXPECT(strcmp(a, b) != 0);
}

TEST(audit_body_needs_its_master_key)
{
    const char *dir = test_dir();
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_place place;
    struct audit_body body;
    struct err err = {0};

    REQUIRE(open_bodies(&t, dir, NULL, &err), "%s", err.text);
    EXPECT(!audit_bodies_can_seal(t.b));
    EXPECT(!seal(&t, "ann", STR("q"), STR("a"), &place, &err) && strstr(err.text, "no master key"));
    audit_bodies_close(&t.b);
    EXPECT(!open_bodies(&t, dir, "short", &err) && strstr(err.text, "at least 32"), "%s", err.text);
    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    REQUIRE(seal(&t, "ann", STR("q"), STR("a"), &place, &err), "%s", err.text);
    audit_bodies_close(&t.b);
    EXPECT(!open_bodies(&t, dir, "another key of at least 32 bytes...", &err) &&
               strstr(err.text, "not the one"),
           "%s", err.text);
    REQUIRE(open_bodies(&t, dir, NULL, &err), "%s", err.text);
    EXPECT(!open_body(&t, &place, &body, &err));
}

/* All files of a directory, below it too: does any hold the bytes? */
static bool any_file_holds(struct arena *arena, const char *path, struct str what)
{
    struct err err = {0};
    struct file_info info;
    struct str *names, bytes;
    size_t count;

    if (!file_stat(path, &info, &err))
        return false;
    if (!info.is_dir)
        return file_load(arena, path, 16 * MIB, &bytes, &err) && str_find(bytes, what) < bytes.len;
    EXPECT(file_list(arena, path, 1000, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++)
        if (any_file_holds(arena, arena_fmt(arena, "%s/" STR_FMT, path, STR_ARG(names[i])).ptr,
                           what))
            return true;
    return false;
}

TEST(audit_body_of_an_erased_subject_is_nowhere)
{
    const char *dir = test_dir();
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_place ann[3], bob;
    struct audit_body body;
    struct err err = {0};
    struct str backup, wrapped, path;
    bool had = false;

    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    for (int i = 0; i < 3; i++)
        REQUIRE(seal(&t, "ann", STR("my secret plan"), STR("a fine plan"), &ann[i], &err));
    REQUIRE(seal(&t, "bob", STR("q"), STR("a"), &bob, &err));
    EXPECT(!any_file_holds(t.arena, dir, STR("secret plan"))); /* sealed, not written */
    REQUIRE(file_load(t.arena, t.keys, MIB, &wrapped, &err));
    wrapped = arena_str(t.arena, str_slice(wrapped, 128 + 16, 128 + 76)); /* ann's, wrapped */
    path = arena_fmt(t.arena, "%s/%016d", t.dir, 1);
    REQUIRE(file_load(t.arena, path.ptr, MIB, &backup, &err));
    EXPECT(any_file_holds(t.arena, dir, wrapped));
    REQUIRE(erase(&t, "ann", &had, &err), "%s", err.text);
    EXPECT(had);
    EXPECT(!any_file_holds(t.arena, dir, wrapped)); /* her key is in no file */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            EXPECT(!open_body(&t, &ann[i], &body, &err) && err.code == ERR_NOT_FOUND, "%s",
                   err.text);
        EXPECT(open_body(&t, &bob, &body, &err), "%s", err.text);
        if (round == 1) { /* she comes back, under a new key, and the old bodies stay shut */
            struct audit_place fresh;

            EXPECT(seal(&t, "ann", STR("hello"), STR("hi"), &fresh, &err), "%s", err.text);
            EXPECT(open_body(&t, &fresh, &body, &err), "%s", err.text);
            continue;
        }
        audit_bodies_close(&t.b);
        if (round == 0) /* a backup of the bodies, brought back */
            REQUIRE(file_store(path.ptr, backup, 0600, &err));
        REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    }
    EXPECT(erase(&t, "carol", &had, &err) && !had);
    EXPECT(!audit_body_erase(t.b, STR("carol"), &had, &err));
}

TEST(audit_body_that_was_changed_does_not_open)
{
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_place place;
    struct audit_body body;
    struct str path, bytes;
    struct err err = {0};
    uint64_t opened = 0;

    REQUIRE(open_bodies(&t, test_dir(), MASTER, &err), "%s", err.text);
    REQUIRE(seal(&t, "ann", STR("question"), STR("answer"), &place, &err), "%s", err.text);
    path = arena_fmt(t.arena, "%s/%016d", t.dir, 1);
    REQUIRE(file_load(t.arena, path.ptr, MIB, &bytes, &err));
    for (size_t i = 0; i < bytes.len; i++) {
        struct audit_place honest = place;
        struct sha256 sum;
        struct buf b;

        ((char *)(uintptr_t)bytes.ptr)[i] ^= 1;
        REQUIRE(file_store(path.ptr, bytes, 0600, &err));
        opened += open_body(&t, &place, &body, &err);
        sum = sha256(bytes); /* also when the hash is made anew: the tag tells */
        buf_init_fixed(&b, honest.hash, sizeof honest.hash);
        buf_hex(&b, sum.bytes, sizeof sum.bytes);
        opened += open_body(&t, &honest, &body, &err);
        ((char *)(uintptr_t)bytes.ptr)[i] ^= 1;
    }
    EXPECT(opened == 0, "%" PRIu64, opened);
}

TEST(audit_subjects_are_bounded_and_erasing_makes_room)
{
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_place place;
    struct err err = {0};
    bool had;

    REQUIRE(open_bodies(&t, test_dir(), MASTER, &err), "%s", err.text);
    for (int i = 0; i < 50; i++)
        EXPECT(seal(&t, arena_fmt(t.arena, "user %d", i).ptr, STR("q"), STR("a"), &place, &err),
               "%s", err.text);
    EXPECT(!seal(&t, "one more", STR("q"), STR("a"), &place, &err) &&
               strstr(err.text, "more than 50 subjects"),
           "%s", err.text);
    EXPECT(erase(&t, "user 7", &had, &err) && had);
    EXPECT(seal(&t, "one more", STR("q"), STR("a"), &place, &err), "%s", err.text);
}

/* Nothing was written there for so long. */
static void make_old(const struct bodies *t, int number, wall_ms ago)
{
    const time_t then = (time_t)((clock_wall() - ago) / 1000);
    const struct timespec times[2] = {{.tv_sec = then}, {.tv_sec = then}};

    EXPECT(utimensat(AT_FDCWD, arena_fmt(t->arena, "%s/%016d", t->dir, number).ptr, times, 0) == 0);
}

/* Also the last file, that all which are few are in, and with sealing turned off for good. */
TEST(audit_bodies_that_are_old_go)
{
    const char *dir = test_dir();
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_body body;
    struct audit_place place;
    struct file_info info;
    struct err err = {0};
    const wall_ms before = clock_wall() - 180 * DAY_MS;
    const char *path;

    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    path = arena_fmt(t.arena, "%s/%016d", t.dir, 1).ptr;
    REQUIRE(seal(&t, "ann", STR("what?"), STR("that"), &place, &err), "%s", err.text);
    EXPECT(audit_bodies_prune(t.b, before, &err), "%s", err.text);
    EXPECT(open_body(&t, &place, &body, &err), "%s", err.text);
    audit_bodies_close(&t.b);
    make_old(&t, 1, 181 * DAY_MS);
    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    EXPECT(audit_bodies_prune(t.b, before, &err), "%s", err.text);
    EXPECT(!file_stat(path, &info, &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    err = (struct err){0};
    REQUIRE(seal(&t, "ann", STR("what?"), STR("that"), &place, &err), "%s", err.text);
    EXPECT(open_body(&t, &place, &body, &err), "%s", err.text);
}

/* A few a day would fill a file in years, and the first of them would live as long as the last. */
TEST(audit_bodies_of_another_month_have_another_file)
{
    const char *dir = test_dir();
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_place place;
    struct err err = {0};

    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    REQUIRE(seal(&t, "ann", STR("what?"), STR("that"), &place, &err), "%s", err.text);
    audit_bodies_close(&t.b);
    make_old(&t, 1, 31 * DAY_MS);
    REQUIRE(open_bodies(&t, dir, MASTER, &err), "%s", err.text);
    REQUIRE(seal(&t, "ann", STR("what?"), STR("that"), &place, &err), "%s", err.text);
    EXPECT(str_starts(str_from(place.place), STR("2:0:")), "%s", place.place);
    REQUIRE(seal(&t, "ann", STR("what?"), STR("that"), &place, &err), "%s", err.text);
    EXPECT(str_starts(str_from(place.place), STR("2:")), "%s", place.place);
}

TEST(audit_body_hash_tells_texts_apart)
{
    struct bodies t CLEANUP(bodies_done) = {0};
    struct audit_body one = {STR("s_"), 1, STR("ab"), STR("c")},
                      two = {STR("s_"), 1, STR("a"), STR("bc")};
    char first[65], second[65];
    struct err err = {0};

    REQUIRE(open_bodies(&t, test_dir(), NULL, &err), "%s", err.text);
    audit_body_hash(t.b, &one, first);
    audit_body_hash(t.b, &two, second);
    EXPECT(strlen(first) == 64 && strcmp(first, second) != 0);
    audit_body_hash(t.b, &one, second);
    EXPECT(strcmp(first, second) == 0);
}
