/* Answers that are kept: whose they are, how long and how many, and that what is deleted is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "models/responses_store.h"
#include "sys/file.h"
#include "test.h"

#define MEMORY (4 * MIB)

static const struct response_owner mine = {.tenant = {"t", 1}, .key_id = {"k1", 2}};
static const struct response_owner others[] = {
    {.tenant = {"t", 1}, .key_id = {"k2", 2}}, /* of the same tenant */
    {.tenant = {"u", 1}, .key_id = {"k1", 2}}, /* the same name elsewhere */
    {.tenant = {"", 0}, .key_id = {"k1", 2}},
};

struct kept_books {
    struct store *store;
    struct responses_store *responses;
    char path[512];
};

static bool open_books(struct kept_books *b, const char *name, int64_t count, int64_t bytes,
                       struct err *err)
{
    const struct store_options options = {.path = b->path,
                                          .migrations = responses_migrations,
                                          .migration_count = responses_migration_count};

    *b = (struct kept_books){0};
    snprintf(b->path, sizeof b->path, "%s/%s.db", test_dir(), name);
    if (!store_open(&options, &b->store, err))
        return false;
    return responses_store_open(
        &(struct responses_options){
            .store = b->store, .age_max = 3600 * SECOND, .count_max = count, .bytes_max = bytes},
        &b->responses, err);
}

static void close_books(struct kept_books *b)
{
    responses_store_close(&b->responses);
    store_close(&b->store);
}

/* In a copy: whoever closes a file of a database that his own process has open takes that one's locks away. */
static bool stands_in(const char *path, const char *ending, const char *word)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err missing = {0};
    struct str bytes;
    char command[1200];

    snprintf(command, sizeof command, "cp '%s%s' '%s.copy' 2>&-", path, ending, path);
    return system(command) == 0 &&
           file_load(arena, arena_fmt(arena, "%s.copy", path).ptr, MEMORY / 2, &bytes, &missing) &&
           str_find(bytes, str_from(word)) < bytes.len;
}

static bool stands_in_files(const struct kept_books *b, const char *word)
{
    return stands_in(b->path, "", word) || stands_in(b->path, "-wal", word);
}

static SUSPENDS bool keep(const struct kept_books *b, const char *id, const char *previous,
                          const char *said, struct err *err)
{
    char input[200], output[200];

    snprintf(input, sizeof input, "[{\"id\":\"in_%s\",\"said\":\"%s\"}]", id + 5, said);
    snprintf(output, sizeof output, "[{\"id\":\"msg_%s_0\",\"said\":\"%s\"}]", id + 5, said);
    return responses_keep(b->responses, &mine,
                          &(struct kept_response){.id = str_from(id),
                                                  .previous = str_from(previous),
                                                  .body = STR("{\"object\":\"response\"}"),
                                                  .input = str_from(input),
                                                  .output = str_from(output)},
                          err);
}

static SUSPENDS bool is_kept(const struct kept_books *b, const struct response_owner *owner,
                             const char *id)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct kept_response got;
    struct err err = {0};
    bool found = responses_find(b->responses, arena, owner, str_from(id), &got, &err);

    EXPECT(found || err.code == ERR_NOT_FOUND, "%s: %s", id, err.text);
    return found;
}

FIBER_TEST(responses_belong_to_the_key_they_were_made_with)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct kept_books b;
    struct err err = {0};
    struct str items;

    REQUIRE(open_books(&b, "owners", 100, MIB, &err), "%s", err.text);
    EXPECT(keep(&b, "resp_1", "", "first", &err) && keep(&b, "resp_2", "resp_1", "second", &err),
           "%s", err.text);
    EXPECT(is_kept(&b, &mine, "resp_1"));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        err = (struct err){0};
        EXPECT(!is_kept(&b, &others[i], "resp_1"), "%zu", i);
        EXPECT(!responses_delete(b.responses, &others[i], STR("resp_1"), &err) &&
                   err.code == ERR_NOT_FOUND,
               "%zu: %s", i, err.text);
        err = (struct err){0};
        EXPECT(!responses_history(b.responses, arena, &others[i], STR("resp_2"), &items, &err) &&
                   err.code == ERR_NOT_FOUND,
               "%zu: %s", i, err.text);
        err = (struct err){0};
        EXPECT(!responses_item(b.responses, arena, &others[i], STR("msg_1_0"), &items, &err) &&
                   err.code == ERR_NOT_FOUND,
               "%zu: %s", i, err.text);
    }
    EXPECT(is_kept(&b, &mine, "resp_1"), "what another wanted to delete is there");
    err = (struct err){0};
    EXPECT(responses_history(b.responses, arena, &mine, STR("resp_2"), &items, &err), "%s",
           err.text);
    EXPECT(str_eq(items, STR("[{\"id\":\"in_1\",\"said\":\"first\"},{\"id\":\"msg_1_0\",\"said\":"
                             "\"first\"},{\"id\":\"in_2\",\"said\":\"second\"},{\"id\":\"msg_2_0\","
                             "\"said\":\"second\"}]")),
           STR_FMT, STR_ARG(items));
    EXPECT(responses_item(b.responses, arena, &mine, STR("msg_1_0"), &items, &err) &&
               str_find(items, STR("first")) < items.len,
           "%s", err.text);
    close_books(&b);
}

/* Deleting is exact: the row goes, what went on from it can go on no more, the rest stays; and the bytes are in
 * no file of the database. */
FIBER_TEST(responses_that_are_deleted_are_gone)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct kept_books b;
    struct err err = {0};
    struct str items;

    REQUIRE(open_books(&b, "gone", 100, MIB, &err), "%s", err.text);
    EXPECT(keep(&b, "resp_1", "", "Zanzibar-secret", &err) &&
               keep(&b, "resp_2", "resp_1", "second", &err) &&
               keep(&b, "resp_3", "", "third", &err),
           "%s", err.text);
    EXPECT(responses_delete(b.responses, &mine, STR("resp_1"), &err), "%s", err.text);
    EXPECT(!is_kept(&b, &mine, "resp_1") && is_kept(&b, &mine, "resp_2") &&
           is_kept(&b, &mine, "resp_3"));
    EXPECT(!responses_delete(b.responses, &mine, STR("resp_1"), &err) &&
               err.code == ERR_NOT_FOUND && strstr(err.text, "resp_1"),
           "%s", err.text);
    err = (struct err){0};
    EXPECT(!responses_history(b.responses, arena, &mine, STR("resp_2"), &items, &err) &&
               err.code == ERR_NOT_FOUND && strstr(err.text, "resp_1"),
           "%s", err.text);
    close_books(&b);
    EXPECT(!stands_in_files(&b, "Zanzibar-secret") && stands_in_files(&b, "third"));
}

FIBER_TEST(responses_are_bounded_by_count_and_bytes)
{
    struct kept_books b;
    struct err err = {0};
    char id[32], last[32] = "";
    int kept = 0;

    REQUIRE(open_books(&b, "bounds", 5, MIB, &err), "%s", err.text);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "resp_%d", i);
        EXPECT(keep(&b, id, "", "x", &err), "%s", err.text);
        memcpy(last, id, sizeof last);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "resp_%d", i);
        kept += is_kept(&b, &mine, id);
    }
    EXPECT(kept <= 5 && kept >= 1, "%d", kept);
    EXPECT(is_kept(&b, &mine, last), "the newest is there");
    close_books(&b);
    REQUIRE(open_books(&b, "bounds", 100, 300, &err), "%s", err.text); /* opened again: less room */
    EXPECT(keep(&b, "resp_new", "", "y", &err), "%s", err.text);
    EXPECT(is_kept(&b, &mine, "resp_new") && !is_kept(&b, &mine, "resp_0"));
    close_books(&b);
}

FIBER_TEST(responses_expire)
{
    struct kept_books b;
    struct err err = {0};
    const struct value old[] = {V_INT(3600 * 1000 + 1), V_TEXT(STR("resp_1"))};
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct rows rows;
    int64_t gone = 0;

    REQUIRE(open_books(&b, "age", 100, MIB, &err), "%s", err.text);
    EXPECT(keep(&b, "resp_1", "", "x", &err) && keep(&b, "resp_2", "resp_1", "y", &err), "%s",
           err.text);
    EXPECT(store_write(b.store,
                       &(struct statement){
                           "UPDATE responses SET created = created - ?1 WHERE id = ?2", old, 2},
                       1, NULL, &err),
           "%s", err.text);
    EXPECT(!is_kept(&b, &mine, "resp_1"), "too old, though the row is there");
    EXPECT(is_kept(&b, &mine, "resp_2"));
    EXPECT(keep(&b, "resp_3", "", "z", &err), "%s", err.text);
    EXPECT(responses_expire(b.responses, &gone, &err) && gone == 1, "%s", err.text);
    EXPECT(store_read(b.store, arena,
                      &(struct statement){"SELECT COUNT(*) FROM responses", NULL, 0}, &rows, &err),
           "%s", err.text);
    EXPECT(rows_at(&rows, 0, 0).i == 2, "%" PRId64, rows_at(&rows, 0, 0).i);
    close_books(&b);
}

#ifdef WEIR_FAULT
/* ---- whatever fails ---- */

/* One after the other each thing that can fail does: an error says so, or the answer is kept; never half of it. */
FIBER_TEST(responses_survive_every_fault)
{
    const char *failed = "";
    uint64_t nth;
    int tried = 0;

    for (nth = 1; failed && nth < 500; nth++, tried++) {
        struct kept_books b;
        struct err err = {0};
        char name[32];
        bool kept;

        snprintf(name, sizeof name, "fault%" PRIu64, nth);
        REQUIRE(open_books(&b, name, 100, MIB, &err), "%s", err.text);
        fault_begin(nth);
        kept = keep(&b, "resp_1", "", "x", &err);
        failed = fault_end();
        EXPECT(kept || err.code, "%s failed without a word", failed);
        EXPECT(!kept || is_kept(&b, &mine, "resp_1"), "%s: kept, and not there", failed);
        err = (struct err){0};
        EXPECT(keep(&b, "resp_2", "", "y", &err), "after %s: %s", failed, err.text);
        close_books(&b);
    }
    EXPECT(tried > 1, "nothing could fail");
}
#endif

/* Tokens that are half a character stand in what a provider said. */
FIBER_TEST(responses_are_read_as_kindly_as_they_were_heard)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str raw = STR_NONE;
    struct kept_books b;
    struct err err = {0};

    REQUIRE(open_books(&b, "kindly", 1000, MEMORY, &err), "%s", err.text);
    REQUIRE(keep(&b, "resp_a", "", "half \\ud83d", &err), "%s", err.text);
    EXPECT(responses_item(b.responses, arena, &mine, STR("msg_a_0"), &raw, &err), "%s", err.text);
    EXPECT(responses_item(b.responses, arena, &mine, STR("in_a"), &raw, &err), "%s", err.text);
    close_books(&b);
}

/* One that is larger than all that may be kept takes nobody else's place. */
FIBER_TEST(responses_that_are_too_large_push_nothing_out)
{
    struct kept_books b;
    struct err err = {0};
    char large[600];

    REQUIRE(open_books(&b, "large", 1000, 500, &err), "%s", err.text);
    REQUIRE(keep(&b, "resp_a", "", "first words", &err), "%s", err.text);
    memset(large, 'x', sizeof large);
    EXPECT(!responses_keep(b.responses, &others[0],
                           &(struct kept_response){.id = STR("resp_b"),
                                                   .body = {large, sizeof large},
                                                   .input = STR("[]"),
                                                   .output = STR("[]")},
                           &err) &&
               err.code == ERR_TOO_LARGE,
           "%s", err.text);
    EXPECT(is_kept(&b, &mine, "resp_a"));
    EXPECT(!is_kept(&b, &others[0], "resp_b"));
    close_books(&b);
}

/* Nobody need keep anything for it, nor is anything kept from then on. */
FIBER_TEST(responses_that_are_too_old_go_by_themselves)
{
    struct kept_books b;
    struct err err = {0};
    int64_t gone = -1;

    REQUIRE(open_books(&b, "expire", 1000, MEMORY, &err), "%s", err.text);
    REQUIRE(keep(&b, "resp_a", "", "first words", &err), "%s", err.text);
    REQUIRE(keep(&b, "resp_b", "resp_a", "last words", &err), "%s", err.text);
    REQUIRE(fiber_sleep(5 * MILLISECOND, &err), "%s", err.text);
    REQUIRE(responses_expire(b.responses, &gone, &err), "%s", err.text);
    EXPECT(gone == 0, "%" PRId64, gone);
    responses_store_close(&b.responses);
    REQUIRE(responses_store_open(
                &(struct responses_options){
                    .store = b.store, .age_max = 0, .count_max = 1000, .bytes_max = MEMORY},
                &b.responses, &err),
            "%s", err.text);
    REQUIRE(responses_expire(b.responses, &gone, &err), "%s", err.text);
    EXPECT(gone == 2, "%" PRId64, gone);
    close_books(&b);
}

/* ---- forgetting ---- */

struct said {
    const char *id, *previous, *subject, *document, *body,
        *before; /* before: subject of those before it */
};

static SUSPENDS bool keep_said(const struct kept_books *b, const struct response_owner *owner,
                               const struct said *said, struct err *err)
{
    struct str document = str_from(said->document);
    struct str before = str_from(said->before ? said->before : "");

    return responses_keep(b->responses, owner,
                          &(struct kept_response){.id = str_from(said->id),
                                                  .previous = str_from(said->previous),
                                                  .body = str_from(said->body),
                                                  .input = STR("[]"),
                                                  .output = STR("[]"),
                                                  .subject = str_from(said->subject),
                                                  .documents = &document,
                                                  .document_count = document.len > 0,
                                                  .subjects = &before,
                                                  .subject_count = before.len > 0,
                                                  .inherits = before.len > 0},
                          err);
}

static const struct said all_said[] = {
    {"resp_a", "", "s_anna", "", "{\"secret\":\"alder\"}"},
    {"resp_b", "", "s_bert", "d_00000000000000aa", "{\"secret\":\"birch\"}"},
    {"resp_c", "resp_b", "s_bert", "", "{\"secret\":\"cedar\"}"},
    {"resp_d", "resp_c", "s_bert", "d_00000000000000bb", "{\"secret\":\"damson\"}"},
    {"resp_e", "", "s_bert", "", "{\"document\":\"d_00000000000000cc\",\"secret\":\"elder\"}"},
    {"resp_f", "resp_a", "s_bert", "", "{\"secret\":\"fig\"}"},
    {"resp_g", "", "s_bert", "d_00000000000000ee@vs_1", "{\"secret\":\"grape\"}"},
    {"resp_h", "resp_deleted", "s_bert", "", "{\"secret\":\"hazel\"}", "s_anna"},
    {"resp_i", "resp_h", "s_carl", "", "{\"secret\":\"iris\"}", "s_dora"},
};

static const struct {
    const char *name;
    struct responses_selector what;
    const char *gone, *secrets; /* letters of ids; what stands in no file afterwards */
} forgettings[] = {
    {"a person's, and what went on from it",
     {.subject = {"s_anna", 6}},
     "afhi",
     "alder fig hazel iris"},
    {"one's whose answer was deleted before", {.subject = {"s_dora", 6}}, "i", "iris"},
    {"one's whose name begins like another's", {.subject = {"s_ann", 5}}, "", ""},
    {"what was kept since tomorrow", {.subject = {"s_anna", 6}, .since = INT64_MAX}, "", ""},
    {"a document's, down the whole chain",
     {.documents = &(struct responses_document){{"d_00000000000000aa", 18}, {"default", 7}},
      .document_count = 1},
     "bcd",
     "birch cedar damson"},
    {"two documents at once",
     {.documents = (struct responses_document[]){{{"d_00000000000000bb", 18}, {"default", 7}},
                                                 {{"d_00000000000000cc", 18}, {"default", 7}}},
      .document_count = 2},
     "de",
     "damson elder"},
    {"one at the end of a chain",
     {.documents = &(struct responses_document){{"d_00000000000000bb", 18}, {"default", 7}},
      .document_count = 1},
     "d",
     "damson"},
    {"one that only its body names",
     {.documents = &(struct responses_document){{"d_00000000000000cc", 18}, {"default", 7}},
      .document_count = 1},
     "e",
     "elder"},
    {"a key's", {.tenant = {"t", 1}, .key_id = {"k1", 2}}, "abcdefghi", "alder birch elder fig"},
    {"a key of that name elsewhere", {.tenant = {"x", 1}, .key_id = {"k1", 2}}, "", ""},
    {"every key's of a tenant", {.tenant = {"t", 1}, .all_keys = true}, "abcdefghi", "alder iris"},
    {"every key's of another", {.tenant = {"x", 1}, .all_keys = true}, "", ""},
    {"nobody's", {.tenant = {"t", 1}}, "", ""},
    {"one of a base, by its base",
     {.documents = &(struct responses_document){{"d_00000000000000ee", 18}, {"vs_1", 4}},
      .document_count = 1},
     "g",
     "grape"},
    {"one of that name in another base",
     {.documents = &(struct responses_document){{"d_00000000000000ee", 18}, {"vs_2", 4}},
      .document_count = 1},
     "",
     ""},
    {"a document that nobody used",
     {.documents = &(struct responses_document){{"d_00000000000000dd", 18}, {"default", 7}},
      .document_count = 1},
     "",
     ""},
};

/* What goes on from an answer goes with those whom all before it were asked for. */
FIBER_TEST(an_answer_says_whom_all_before_it_were_asked_for)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    static const struct {
        const char *id, *subjects;
    } cases[] = {
        {"resp_a", "s_anna\n"},
        {"resp_f", "s_bert\ns_anna\n"},
        {"resp_h", "s_bert\ns_anna\n"},
        {"resp_i", "s_carl\ns_dora\n"}, /* it says all, and is believed */
        {"msg_f_0", "s_bert\ns_anna\n"},
        {"resp_nowhere", ""},
        {"nothing", ""},
    };
    struct kept_books b;
    struct err err = {0};
    struct responses_origin of;

    REQUIRE(open_books(&b, "origin", 1000, MEMORY, &err), "%s", err.text);
    for (size_t s = 0; s < ARRAY_LEN(all_said); s++)
        REQUIRE(keep_said(&b, &mine, &all_said[s], &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EXPECT(responses_origin(b.responses, arena, &mine, str_from(cases[i].id), &of, &err), "%s",
               err.text);
        EXPECT(str_eq(of.subjects, str_from(cases[i].subjects)), "%s: " STR_FMT, cases[i].id,
               STR_ARG(of.subjects));
    }
    EXPECT(responses_origin(b.responses, arena, &others[0], STR("resp_a"), &of, &err) &&
           !of.subjects.len);
    close_books(&b);
}

static SUSPENDS void check_gone(struct kept_books *b, const char *gone, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct kept_response found;

    for (size_t i = 0; i < ARRAY_LEN(all_said); i++) {
        bool is_there =
            responses_find(b->responses, arena, &mine, str_from(all_said[i].id), &found, err);

        EXPECT(is_there == !strchr(gone, all_said[i].id[5]), "%s", all_said[i].id);
        *err = (struct err){0};
    }
    EXPECT(responses_find(b->responses, arena, &others[1], STR("resp_z"), &found, err), "%s",
           err->text);
}

/* Whoever deletes waits for nobody; what he deleted is in no file a second later, though the database is open. */
FIBER_TEST(what_was_deleted_or_made_room_leaves_the_files_too)
{
    struct kept_books b;
    struct err err = {0};

    REQUIRE(open_books(&b, "leaves", 3, MIB, &err), "%s", err.text);
    EXPECT(responses_scrub(b.responses, &err), "%s", err.text); /* as at each start */
    EXPECT(keep(&b, "resp_1", "", "Zanzibar", &err) && keep(&b, "resp_2", "", "Samarkand", &err) &&
               keep(&b, "resp_3", "", "Timbuktu", &err),
           "%s", err.text);
    EXPECT(responses_delete(b.responses, &mine, STR("resp_1"), &err), "%s", err.text);
    EXPECT(stands_in_files(&b, "Zanzibar"), "as nobody waits for it");
    EXPECT(responses_scrub(b.responses, &err), "%s", err.text);
    EXPECT(!stands_in_files(&b, "Zanzibar") && stands_in_files(&b, "Samarkand"));
    EXPECT(keep(&b, "resp_4", "", "Ulan Bator", &err) && keep(&b, "resp_5", "", "Tashkent", &err),
           "%s", err.text); /* one too many */
    EXPECT(!is_kept(&b, &mine, "resp_2") && is_kept(&b, &mine, "resp_3"));
    EXPECT(responses_scrub(b.responses, &err), "%s", err.text);
    EXPECT(!stands_in_files(&b, "Zanzibar") && !stands_in_files(&b, "Samarkand"));
    EXPECT(stands_in_files(&b, "Timbuktu") && stands_in_files(&b, "Tashkent"));
    close_books(&b);
}

static void check_files(const struct kept_books *b, const char *secrets)
{
    char word[32];

    for (const char *at = secrets; sscanf(at, "%31s", word) == 1;
         at += strspn(at, " "), at += strcspn(at, " "))
        EXPECT(!stands_in_files(b, word), "%s", word);
    EXPECT(stands_in_files(b, "s_zoe"), "the rest is there");
}

FIBER_TEST(what_is_to_be_forgotten_is_in_no_file_of_the_database)
{
    for (size_t i = 0; i < ARRAY_LEN(forgettings); i++) {
        struct kept_books b;
        struct err err = {0};
        int64_t count = -1, gone = -1;
        bool scrubbed = false;
        char name[16];

        snprintf(name, sizeof name, "forget%zu", i);
        REQUIRE(open_books(&b, name, 1000, MEMORY, &err), "%s", err.text);
        for (size_t s = 0; s < ARRAY_LEN(all_said); s++)
            REQUIRE(keep_said(&b, &mine, &all_said[s], &err), "%s", err.text);
        REQUIRE(keep_said(&b, &others[1], &(struct said){"resp_z", "", "s_zoe", "", "{}"}, &err));
        EXPECT(responses_count(b.responses, &forgettings[i].what, &count, &err), "%s", err.text);
        EXPECT(responses_forget(b.responses, &forgettings[i].what, &gone, &err), "%s", err.text);
        EXPECT(count == gone && gone == (int64_t)strlen(forgettings[i].gone),
               "%s: %" PRId64 " of %" PRId64, forgettings[i].name, gone, count);
        EXPECT(store_scrub(b.store, &scrubbed, &err) && scrubbed, "%s", err.text);
        check_gone(&b, forgettings[i].gone, &err);
        check_files(&b, forgettings[i].secrets);
        close_books(&b);
    }
}
