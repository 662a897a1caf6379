/* Forgetting with a receipt: what it lists went, what it does not is as it was, and its fingerprints find the text
 * wherever it stands. */
#include "knowledge/forget.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "index/terms.h"
#include "knowledge/access.h"
#include "knowledge/runs.h"
#include "knowledge/upload.h"
#include "rig.h"
#include "sys/file.h"
#include "sys/pool.h"
#include "test.h"

/* ---- fingerprints ---- */

struct taken {
    uint64_t at[512];
    size_t count;
};

static void take(void *ctx, uint64_t print)
{
    struct taken *t = ctx;

    if (t->count < ARRAY_LEN(t->at))
        t->at[t->count++] = print;
}

static const struct {
    const char *name, *text;
    size_t want; /* at every window */
} windows[] = {
    {"a window exactly", "abcdefghijklmnopqrstuvwx", 1},
    {"a byte less", "abcdefghijklmnopqrstuvw", 0},
    {"four more", "abcdefghijklmnopqrstuvwxyz01", 5},
    {"a quote in the middle", "abcdefghijklmnop\"qrstuvwxyz", 0},
    {"a break behind", "abcdefghijklmnopqrstuvwxy\nabc", 2},
    {"chinese", "港口灯笼铜果园天鹅绒", 7},
    {"nothing", "", 0},
};

TEST(fingerprints_are_taken_of_plain_windows_alone)
{
    struct fingerprint_way way = {.salt = {1, 2, 3}, .every = 0};

    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        struct taken t = {.count = 0};

        fingerprint_text(&way, str_from(windows[i].text), take, &t);
        EXPECT(t.count == windows[i].want, "%s: %zu", windows[i].name, t.count);
    }
}

/* Which windows are taken depends on them alone: behind any beginning, in any piece of a file, the same. */
TEST(fingerprints_are_found_wherever_the_text_stands)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    static const size_t befores[] = {0, 1, 1000, MIB - 100, MIB - 24, MIB - 1, MIB, 2 * MIB - 31};
    struct str text =
        STR("The harbour master keeps forty lanterns for the nights of thunder and of fog.");
    struct fingerprint_way way = {.salt = {7, 7}, .every = 2};
    struct taken t = {.count = 0};
    char path[512];

    fingerprint_text(&way, text, take, &t);
    REQUIRE(t.count > 3, "%zu", t.count);
    for (size_t i = 0; i < ARRAY_LEN(befores); i++) {
        bool found[512] = {false};
        struct fingerprints prints = {.way = way, .at = t.at, .count = t.count, .found = found};
        char *bytes = arena_alloc(arena, befores[i] + text.len + 7);
        uint64_t size = 0, seen = 0;
        struct err err = {0};

        REQUIRE(bytes);
        memset(bytes, 'x', befores[i]);
        memcpy(bytes + befores[i], text.ptr, text.len);
        (void)snprintf(path, sizeof path, "%s/file%zu", test_dir(), i);
        REQUIRE(file_store(path, (struct str){bytes, befores[i] + text.len + 7}, 0600, &err));
        fingerprints_sort(&prints);
        EXPECT(fingerprints_find(&prints, path, &size, &seen, &err), "%s", err.text);
        EXPECT(seen == prints.count && size == befores[i] + text.len + 7, "%zu: %" PRIu64 " of %zu",
               befores[i], seen, prints.count);
        fingerprints_drop_found(&prints);
        EXPECT(prints.count == 0);
        arena_rewind(arena, 0);
    }
}

TEST(another_salt_makes_other_fingerprints)
{
    struct str text = STR("The harbour master keeps forty lanterns for the nights of thunder.");
    struct taken a = {.count = 0}, b = {.count = 0};

    fingerprint_text(&(struct fingerprint_way){.salt = {1}}, text, take, &a);
    fingerprint_text(&(struct fingerprint_way){.salt = {1, 0, 0, 0, 0, 0, 0, 0, 1}}, text, take,
                     &b);
    REQUIRE(a.count == b.count && a.count > 0);
    for (size_t i = 0; i < a.count; i++)
        EXPECT(a.at[i] != b.at[i]);
}

/* ---- forgetting ---- */

static const char gone_text[] =
    "# Zyxwabba title\n\nThe Qwertzuiop clause pays 77 euros to whoever waits.\n";

static bool erase(struct rig *rig, struct forget_wish wish, struct forget_report *out)
{
    struct err err = {0};
    bool ok = erase_now(rig->knowledge, rig->arena, &wish, out, &err);

    EXPECT(ok, "%s", err.text);
    return ok;
}

/* How many of the fingerprints stand in files of the base. */
static uint64_t seen_in_base(struct rig *rig, struct fingerprints *prints)
{
    const char *base = rig_path(rig, "base");
    struct str *names;
    size_t count = 0;
    uint64_t sum = 0;
    struct err err = {0};

    if (!file_list(rig->arena, base, 1000, &names, &count, &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes, seen;

        if (!fingerprints_find(prints,
                               arena_fmt(rig->arena, "%s/" STR_FMT, base, STR_ARG(names[i])).ptr,
                               &bytes, &seen, &err))
            EXPECT(false, "%s", err.text);
        sum += seen;
    }
    return sum;
}

TEST(a_receipt_says_what_went_and_finds_it_no_more)
{
    struct rig rig;
    struct forget_report before, r, again;
    struct err err = {0};

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "keep.md", "# Keep\n\nOranges are kept in the yellow house by the harbour.\n");
    rig_write(&rig, "gone.md", gone_text);
    (void)rig_ingest(&rig, "");
    rig_write(&rig, "gone.md", "nothing of it"); /* version 2 */
    (void)rig_ingest(&rig, "");
    rig_write(&rig, "gone.md", gone_text);
    (void)rig_ingest(&rig, "");
    REQUIRE(erase(&rig, (struct forget_wish){.document = STR("docs/gone.md"), .dry_run = true},
                  &before));
    EXPECT(before.count == 1 && rig_documents(&rig) == 2, "a dry run removes nothing");
    EXPECT(seen_in_base(&rig, &before.prints) == before.prints.count && before.prints.count > 0);
    REQUIRE(erase(&rig, (struct forget_wish){.document = STR("docs/gone.md")}, &r));
    EXPECT(r.count == 1 && r.passages == 1 && r.documents[0].version == 3 &&
           r.documents[0].bytes == sizeof gone_text - 1 &&
           str_starts(r.documents[0].id, STR("d_")));
    EXPECT(memcmp(r.documents[0].hash.bytes, before.documents[0].hash.bytes, SHA256_BYTES) != 0,
           "another salt each time");
    struct sha256 hash = sha256((struct str){gone_text, sizeof gone_text - 1});
    hash = sha256_two((struct str){(const char *)r.prints.way.salt, FINGERPRINT_SALT},
                      (struct str){(const char *)hash.bytes, sizeof hash.bytes});
    EXPECT(memcmp(hash.bytes, r.documents[0].hash.bytes, SHA256_BYTES) == 0,
           "who has the original can check it");
    EXPECT(r.before_count > 1 && r.after_count > 1 &&
           str_eq(r.before[0].name, before.before[0].name));
    EXPECT(rig_documents(&rig) == 1 && seen_in_base(&rig, &r.prints) == 0);
    EXPECT(!erase_now(rig.knowledge, rig.arena,
                      &(struct forget_wish){.document = STR("docs/gone.md")}, &again, &err) &&
           err.code == ERR_NOT_FOUND);
    (void)rig_ingest(&rig, "");
    EXPECT(seen_in_base(&rig, &r.prints) == r.prints.count, "and it is found when it is back");
    rig_close(&rig);
}

/* How many originals the base keeps. */
static size_t originals_in_base(struct rig *rig)
{
    struct str *names;
    size_t count = 0;
    struct err err = {0};

    EXPECT(file_list_any(rig->arena, rig_path(rig, "base/originals"), 1000, &names, &count, &err),
           "%s", err.text);
    return count;
}

/* Each fallible step fails once, and the order is given again: whoever is told then that there is no such document, is told
 * so when nothing of it is there. */
TEST(what_failed_behind_its_commit_is_gone_when_it_is_tried_again)
{
    const char *failed = "";

    for (uint64_t nth = 1; failed; nth++) {
        const struct forget_wish wish = {.document = STR("docs/gone.md")};
        struct forget_wish look = wish;
        struct forget_report before, r;
        struct err err = {0};
        struct rig rig;

        look.dry_run = true;
        REQUIRE(rig_open(&rig));
        rig_write(&rig, "keep.md", "# Keep\n\nOranges are kept in the yellow house.\n");
        (void)rig_ingest(&rig, "");
        size_t originals = originals_in_base(&rig);
        rig_write(&rig, "gone.md", gone_text);
        (void)rig_ingest(&rig, "");
        REQUIRE(erase(&rig, look, &before));
        fault_begin(nth);
        bool ok = erase_now(rig.knowledge, rig.arena, &wish, &r, &err);
        failed = fault_end();
        err = (struct err){0};
        EXPECT(ok || erase_now(rig.knowledge, rig.arena, &wish, &r, &err) ||
                   err.code == ERR_NOT_FOUND,
               "after failing %s: %s", failed, err.text);
        EXPECT(seen_in_base(&rig, &before.prints) == 0 && originals_in_base(&rig) == originals,
               "after failing %s, the %zuth", failed ? failed : "nothing", (size_t)nth);
        rig_close(&rig);
    }
}

TEST(short_documents_have_fingerprints_too)
{
    struct rig rig;
    struct forget_report r;

    REQUIRE(rig_open(&rig));
    for (int i = 0; i < 20; i++) {
        char name[16], text[64];

        (void)snprintf(name, sizeof name, "%d.txt", i);
        (void)snprintf(text, sizeof text, "The parking number is %d.\n", 10000 + i);
        rig_write(&rig, name, text);
    }
    rig_write(&rig, "tiny.txt", "Pear.\n");
    (void)rig_ingest(&rig, "");
    REQUIRE(erase(&rig, (struct forget_wish){.document = str_from(rig_path(&rig, "docs"))}, &r));
    EXPECT(r.count == 21 && rig_documents(&rig) == 0);
    for (size_t i = 0; i < r.count; i++)
        EXPECT((r.documents[i].prints > 0) == (r.documents[i].bytes > 10), "%zu", i);
    rig_close(&rig);
}

static const struct {
    const char *name, *metadata;
    bool goes;
} owners[] = {
    {"owner.txt", "{\"metadataAttributes\":{\"owner\":\"anna\"}}", true},
    {"subject.txt", "{\"metadataAttributes\":{\"subject\":\"anna\"}}", true},
    {"listed.txt", "{\"metadataAttributes\":{\"person\":[\"bert\",\"anna\"]}}", true},
    {"of bert.txt", "{\"metadataAttributes\":{\"owner\":\"bert\"}}", false},
    {"longer.txt", "{\"metadataAttributes\":{\"owner\":\"annabel\"}}", false},
    {"other key.txt", "{\"metadataAttributes\":{\"editor\":\"anna\"}}", false},
    {"a number.txt", "{\"metadataAttributes\":{\"owner\":7}}", false},
    {"unsaid.txt", NULL, false},
};

/* All but a word of it stands in other documents too: the proof is made of that word's windows. */
TEST(a_document_that_is_mostly_like_others_has_fingerprints_of_its_own)
{
    static const char shared[] =
        "The journey by train is paid by the company after the report.\n\n";
    struct rig rig;
    struct forget_report r;
    char name[16], text[1024];

    REQUIRE(rig_open(&rig));
    for (int i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof name, "%d.txt", i);
        (void)snprintf(text, sizeof text, "%s%s%sThe hall number %d is green.\n\n%s%s%s", shared,
                       shared, shared, 1000 + i, shared, shared, shared);
        rig_write(&rig, name, text);
    }
    (void)rig_ingest(&rig, "");
    REQUIRE(erase(&rig, (struct forget_wish){.document = STR("docs/7.txt")}, &r));
    EXPECT(r.count == 1 && r.documents[0].prints > 0 && r.shared > 0, "%u, %zu",
           r.documents[0].prints, r.shared);
    EXPECT(r.prints.count > 0 && seen_in_base(&rig, &r.prints) == 0);
    (void)rig_ingest(&rig, "");
    EXPECT(seen_in_base(&rig, &r.prints) == r.prints.count, "and it is found when it is back");
    rig_close(&rig);
}

TEST(documents_of_a_person_are_those_whose_metadata_names_them)
{
    struct rig rig;
    struct forget_report r;
    size_t want = 0;

    REQUIRE(rig_open(&rig));
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        char beside[64];

        rig_write(&rig, owners[i].name, "Something that was written by somebody.\n");
        (void)snprintf(beside, sizeof beside, "%s.metadata.json", owners[i].name);
        if (owners[i].metadata)
            rig_write(&rig, beside, owners[i].metadata);
        want += owners[i].goes;
    }
    (void)rig_ingest(&rig, "");
    REQUIRE(rig_documents(&rig) == ARRAY_LEN(owners));
    REQUIRE(erase(&rig, (struct forget_wish){.person = STR("anna")}, &r));
    EXPECT(r.count == want && rig_documents(&rig) == ARRAY_LEN(owners) - want, "%zu", r.count);
    struct document_info *list;
    size_t count = 0;
    struct err err = {0};
    REQUIRE(list_now(rig.knowledge, rig.arena, NULL, &list, &count, &err));
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        bool there = false;

        for (size_t d = 0; d < count; d++)
            there = there || str_ends(list[d].path, str_from(owners[i].name));
        EXPECT(there != owners[i].goes, "%s", owners[i].name);
    }
    REQUIRE(erase(&rig, (struct forget_wish){.person = STR("anna")}, &r));
    EXPECT(r.count == 0 && r.before_count == r.after_count, "nobody's documents: nothing changes");
    rig_close(&rig);
}

TEST(compacting_leaves_one_segment)
{
    struct rig rig;
    struct forget_report r;
    struct err err = {0};
    size_t segments = 0;

    REQUIRE(rig_open(&rig));
    for (int i = 0; i < 4; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "%d.txt", i);
        rig_write(&rig, name, "Something.\n");
        (void)rig_ingest(&rig, "");
    }
    REQUIRE(erase(&rig, (struct forget_wish){.document = STR("docs/2.txt"), .compact = true}, &r));
    for (size_t i = 0; i < r.after_count; i++)
        segments += str_ends(r.after[i].name, STR(".segment"));
    EXPECT(segments == 1 && r.before_count > r.after_count);
    rig_write(&rig, "5.txt", "Something more.\n");
    (void)rig_ingest(&rig, "");
    REQUIRE(compact_now(rig.knowledge, &err), "%s", err.text);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    EXPECT(lexical_stats(view).segments == 1 && lexical_stats(view).documents == 5,
           "the file is still there, and came again");
    lexical_release(&view);
    rig_close(&rig);
}

/* ---- in memory ---- */

static void finish_run(struct rig *rig, const char *what)
{
    struct ingest_problem lists[2][2] = {
        {{STR("docs/anna.md"), STR("odd")}, {STR("docs/bert.md"), STR("odd")}},
        {{STR("docs/bert.md"), STR("left out")}, {STR("docs/anna.md"), STR("left out")}}};
    struct ingest_report report = {
        .problems = lists[0], .problem_count = 2, .notes = lists[1], .note_count = 2};
    struct run_slot *run;
    struct err err = {0};

    REQUIRE(run_begin(rig->knowledge->runs, str_from(what), false, &run, &err), "%s", err.text);
    err_set(&err, ERR_INTERNAL, "ingest \"docs/anna.md\": the index is full");
    run_finish(&run, &report, &err);
}

/* What runs are told of is the names of documents; what analysers keep are words of them. */
TEST(nothing_in_memory_names_what_was_forgotten)
{
    struct forget_report report;
    struct ingest_run *list, run;
    struct err err = {0};
    struct rig rig;
    size_t count;

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "anna.md", "The fee of Anna is three euros.\n");
    rig_write(&rig, "bert.md", "The fee of Bert is four euros.\n");
    (void)rig_ingest(&rig, "");
    finish_run(&rig, rig_path(&rig, "docs/anna.md"));
    finish_run(&rig, rig_path(&rig, "docs"));
    EXPECT(rig_ask(&rig, "How much is the fee of Anna?").answered);
    EXPECT(atomic_load(&rig.knowledge->analysers->closed[0]) != NULL, "one is kept");
    REQUIRE(erase(&rig, (struct forget_wish){.document = STR("docs/anna.md")}, &report));
    EXPECT(atomic_load(&rig.knowledge->analysers->closed[0]) == NULL, "none is kept");
    REQUIRE(ingest_run_list(rig.knowledge, rig.arena, &list, &count, &err) && count == 2);
    for (size_t i = 0; i < count; i++) {
        EXPECT(str_find(list[i].what, STR("anna")) == list[i].what.len, STR_FMT,
               STR_ARG(list[i].what));
        REQUIRE(ingest_run_find(rig.knowledge, rig.arena, list[i].id, &run, &err));
        EXPECT(run.report.problem_count == 1 && run.report.note_count == 1 &&
               str_eq(run.report.problems[0].path, STR("docs/bert.md")) &&
               str_eq(run.report.notes[0].path, STR("docs/bert.md")));
        EXPECT(run.error.len && str_find(run.error, STR("anna")) == run.error.len, STR_FMT,
               STR_ARG(run.error));
    }
    rig_close(&rig);
}

/* Words of what a document said before. */
FIBER_TEST(nothing_in_memory_is_of_what_was_sent_anew)
{
    struct pool *pool = NULL;
    struct upload upload = {.name = STR("fee.md")};
    struct upload_report report;
    struct err err = {0};
    struct rig rig;

    pool = pool_new(&(struct pool_options){.name = "test", .threads = 1, .queue_max = 10}, &err);
    REQUIRE(pool && rig_open(&rig));
    rig.knowledge->pool = pool;
    upload.file = rig_path(&rig, "sent");
    for (int i = 0; i < 2; i++) {
        const char *text = i ? "The fee of Bert is four euros.\n" : "The fee of Anna is three.\n";

        EXPECT(file_store(upload.file, str_from(text), 0600, &err) &&
                   knowledge_upload(rig.knowledge, rig.arena, &upload, &report, &err),
               "%s", err.text);
        EXPECT(atomic_load(&rig.knowledge->analysers->closed[0]) == NULL, "none is kept");
        (void)rig_ask(&rig, "How much is the fee of Anna?");
        EXPECT(atomic_load(&rig.knowledge->analysers->closed[0]) != NULL, "one is kept");
    }
    rig_close(&rig);
    pool_free(&pool);
}

/* ---- beside readers ---- */

#define ROUNDS 12
#define MANY \
    600 /* so many documents are looked at by a filter: time for a commit to come between */

static size_t nameless(const struct rig *rig)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct file_nameless *list;
    struct err err = {0};
    size_t count = 99;

    EXPECT(file_nameless(arena, rig->dir, &list, &count, &err), "%s", err.text);
    return count;
}

struct seeing {
    struct rig *rig;
    uint64_t first; /* the view's number before */
    uint32_t round;
    struct event done;
};

static uint64_t number_of(const struct rig *rig)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig->knowledge->index);

    return lexical_view_number(view);
}

/* Sees what it may, by another filter each time, until the index has changed; then not once more. */
static void see(void *arg)
{
    struct seeing *s = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    for (uint32_t i = 0; number_of(s->rig) == s->first; i++) {
        struct knowledge_question q = {.text = STR("fee")};
        struct access *access = NULL;
        struct err err = {0};

        q.filter =
            arena_fmt(arena, "{\"notEquals\":{\"key\":\"kind\",\"value\":\"%u-%u\"}}", s->round, i);
        EXPECT(access_borrow(s->rig->knowledge, &q, &access, &err), "%s", err.text);
        access_release(&access);
    }
}

static SUSPENDS void run_see(void *arg)
{
    struct seeing *s = arg;
    struct err err = {0};

    EXPECT(pool_run(s->rig->knowledge->pool, see, s, &err), "%s", err.text);
    event_set(&s->done);
}

/* What somebody saw while a document was forgotten is kept for nobody: its view would hold the document for ever. */
FIBER_TEST(no_view_from_before_is_kept)
{
    struct pool_options options = {.name = "test", .threads = 2, .queue_max = 10};
    struct forget_report report;
    struct err err = {0};
    struct pool *pool = pool_new(&options, &err);
    struct rig rig;
    char name[32];

    REQUIRE(pool && rig_open(&rig));
    rig.knowledge->pool = pool;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "%d.txt", i);
        rig_write(&rig, name, "The fee of something is of some euros.\n");
    }
    (void)rig_ingest(&rig, "");
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct seeing s = {.rig = &rig, .first = number_of(&rig), .round = round};
        struct forget_wish wish = {0};

        (void)snprintf(name, sizeof name, "docs/%u.txt", round);
        wish.document = str_from(name);
        REQUIRE(fiber_spawn(run_see, &s, &err), "%s", err.text);
        REQUIRE(knowledge_erase(rig.knowledge, rig.arena, &wish, &report, &err), "%s", err.text);
        event_await(&s.done);
        EXPECT(nameless(&rig) == 0, "round %u", round);
    }
    rig.knowledge->pool = NULL;
    pool_free(&pool);
    rig_close(&rig);
}
