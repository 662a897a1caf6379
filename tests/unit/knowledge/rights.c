/* Who may read what: readers as a table; every way to the documents by every asker, where what one may not
 * read must not show in an answer, a count or a score; changed rights; labels from files beside documents. */
#include "knowledge/rights.h"

#include <stdio.h>
#include <string.h>

#include "knowledge/answer.h"
#include "rig.h"
#include "sys/file.h"
#include "test.h"

static const struct str secret_tag[] = {STR("class-secret")};

static const struct principal askers[] = {
    {.key_id = STR("k_ann"), .tenant = STR("acme"), .team = STR("acme/claims")},
    {.key_id = STR("k_bob"), .tenant = STR("acme"), .team = STR("acme/leave")},
    {.key_id = STR("u_cat"), .tenant = STR("other"), .team = STR("other/claims")},
    {.key_id = STR("k_dan"),
     .tenant = STR("acme"),
     .tag_list = STR("class-secret"),
     .tags = secret_tag,
     .tag_count = 1},
};
enum { ANN = 1, BOB = 2, CAT = 4, DAN = 8, ALL = 15, NOBODY = 0 };

TEST(readers_let_in_whom_they_name)
{
    static const struct {
        const char *readers;
        unsigned who;
    } cases[] = {
        {"", ALL},
        {"everyone", ALL},
        {"tenant:acme", ANN | BOB | DAN},
        {"tenant:acm", NOBODY},
        {"tenant:ACME", NOBODY},
        {"team:acme/claims", ANN},
        {"team:claims", NOBODY},
        {"key:k_bob", BOB},
        {"key:u_cat", CAT},
        {"tag:class-secret", DAN},
        {"tag:class", NOBODY},
        {"key:k_ann\nkey:u_cat", ANN | CAT},
        {"team:acme/leave\ntenant:other", BOB | CAT},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t w = 0; w < ARRAY_LEN(askers); w++)
            EXPECT(readers_allow(str_from(cases[i].readers), &askers[w]) == (cases[i].who >> w & 1),
                   "\"%s\", " STR_FMT, cases[i].readers, STR_ARG(askers[w].key_id));
}

TEST(readers_are_checked)
{
    static const char *const wrong[] = {"",      "nobody",  "tenant:",       "team",
                                        "key: ", "tag:a b", "everyone:else", "Tenant:acme"};
    static const struct str given[] = {STR("tenant:b"), STR("key:a"), STR("tenant:b")};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str out;
    struct err err = {0};

    REQUIRE(readers_join(arena, given, ARRAY_LEN(given), &out, &err));
    EXPECT(str_eq(out, STR("key:a\ntenant:b")), STR_FMT, STR_ARG(out));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct str one = str_from(wrong[i]);

        EXPECT(!readers_join(arena, &one, 1, &out, &err) && err.code == ERR_INVALID, "\"%s\"",
               wrong[i]);
    }
}

/* --- every way, every asker ------------------------------------------------------------------- */

static const struct {
    const char *file, *text, *question, *words; /* words: stand in this document alone */
    const char *readers;
    unsigned who;
} documents[] = {
    {"open.md", "# Open\n\nThe canteen opens at seven.\n", "When does the canteen open?", "canteen",
     "", ALL},
    {"claims.md", "# Claims\n\nClaims above 9000 euros go to the board.\n",
     "Where do claims above 9000 euros go?", "board", "\"team:acme/claims\"", ANN},
    {"leave.md", "# Leave\n\nSabbaticals last up to 90 days.\n", "How long do sabbaticals last?",
     "Sabbaticals", "\"team:acme/leave\",\"key:u_cat\"", BOB | CAT},
    {"board.md", "# Board\n\nThe merger closes in spring.\n", "When does the merger close?",
     "spring", "\"tag:class-secret\"", DAN},
    {"acme.md", "# Acme\n\nThe strike fund holds two million.\n", "What does the strike fund hold?",
     "million", "\"tenant:acme\"", ANN | BOB | DAN},
};

static bool write_all(struct rig *rig)
{
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        char name[64], labels[256];

        if (!rig_write(rig, documents[i].file, documents[i].text))
            return false;
        if (!*documents[i].readers)
            continue;
        (void)snprintf(name, sizeof name, "%s.metadata.json", documents[i].file);
        (void)snprintf(labels, sizeof labels,
                       "{\"readers\":[%s],\"metadataAttributes\":{\"number\":%zu}}",
                       documents[i].readers, i);
        if (!rig_write(rig, name, labels))
            return false;
    }
    return true;
}

static bool shows(struct str text, const char *words)
{
    return str_find(text, str_from(words)) < text.len;
}

static bool citations_show(const struct citation *list, size_t count, size_t document)
{
    for (size_t i = 0; i < count; i++)
        if (shows(list[i].quote, documents[document].words) ||
            shows(list[i].path, documents[document].file))
            return true;
    return false;
}

/* Does anything of the document reach this asker by any way, asked for by its own words? */
static bool leaks(struct rig *rig, size_t document, const struct principal *who, bool *answered)
{
    struct knowledge_question q = {.text = str_from(documents[document].question), .who = who};
    struct passages_found found = {0};
    struct briefing briefing = {0};
    struct grounded g = {0};
    struct document_info *list = NULL;
    struct err err = {0};
    size_t count = 0;
    bool leaked = false;

    if (!answer_now(rig->knowledge, rig->arena, &q, &g, &err) ||
        !search_now(rig->knowledge, rig->arena, &q, 10, &found, &err) ||
        !brief_now(rig->knowledge, rig->arena, &q, &briefing, &err) ||
        !list_now(rig->knowledge, rig->arena, who, &list, &count, &err))
        EXPECT(false, "%s", err.text);
    *answered = g.answered;
    leaked |= shows(g.text, documents[document].words) ||
              citations_show(g.citations, g.citation_count, document);
    leaked |= citations_show(found.list, found.count, document);
    leaked |= shows(briefing.text, documents[document].words) ||
              citations_show(briefing.citations, briefing.count, document);
    for (size_t i = 0; i < count; i++)
        leaked |= shows(list[i].path, documents[document].file);
    return leaked;
}

/* What a refusal says of the question's words is of what its asker may read, and the same without the document. */
TEST(a_refusal_does_not_tell_of_what_is_hidden)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct knowledge_question q = {.text = STR("When does the merger close?"), .who = &askers[0]};
    struct grounded before = {0}, after = {0};
    struct err err = {0};

    REQUIRE(rig_open(&rig) && rig_write(&rig, documents[0].file, documents[0].text));
    EXPECT(rig_ingest(&rig, "").added == 1);
    REQUIRE(answer_now(rig.knowledge, rig.arena, &q, &before, &err), "%s", err.text);
    EXPECT(!before.answered && shows(before.text, "They do not mention \"merger\""), STR_FMT,
           STR_ARG(before.text));
    REQUIRE(write_all(&rig));
    (void)rig_ingest(&rig, "");
    REQUIRE(answer_now(rig.knowledge, rig.arena, &q, &after, &err), "%s", err.text);
    EXPECT(!after.answered && shows(after.text, "They do not mention \"merger\""), STR_FMT,
           STR_ARG(after.text));
}

TEST(nobody_sees_what_he_may_not_read_by_any_way)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && write_all(&rig));
    struct ingest_report report = rig_ingest(&rig, "");
    EXPECT(report.added == ARRAY_LEN(documents) && report.failed == 0 && report.skipped == 0,
           "%u added, %u skipped", report.added, report.skipped);
    for (int round = 0; round < 2; round++) { /* the second finds what was kept of the first */
        for (size_t d = 0; d < ARRAY_LEN(documents); d++)
            for (size_t w = 0; w < ARRAY_LEN(askers); w++) {
                bool may = documents[d].who >> w & 1, answered;

                EXPECT(leaks(&rig, d, &askers[w], &answered) == may, "%s, " STR_FMT,
                       documents[d].file, STR_ARG(askers[w].key_id));
                EXPECT(answered == may, "%s, " STR_FMT, documents[d].file,
                       STR_ARG(askers[w].key_id));
            }
        REQUIRE(rig_reopen(&rig));
    }
}

/* What an asker sees is the same, to the last digit, where others' documents never were; a word that only they have is
 * what a mistyped one is never read as. */
TEST(what_is_hidden_changes_no_number)
{
    static const char *const questions[] = {
        "How long do sabbaticals last in the canteen?",
        "How long do sabbattcals last in the cantteen?", /* both may be seen */
        "When does the merrger close in the canteen?",   /* "merger" may not */
        "Where do claimms go before the canteen opens?", /* nor "claims" */
    };
    struct rig all CLEANUP(rig_close) = {0}, few CLEANUP(rig_close) = {0};
    struct err err = {0};
    char dir[512];

    REQUIRE(rig_open(&all) && write_all(&all));
    (void)rig_ingest(&all, "");
    few = (struct rig){.arena = arena_new(64 * MIB)};
    (void)snprintf(dir, sizeof dir, "%s/few", all.dir);
    REQUIRE(file_make_dir(dir, 0700, &err));
    few.dir = dir;
    REQUIRE(rig_reopen(&few));
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        if (documents[i].who & BOB)
            REQUIRE(rig_write(&few, documents[i].file, documents[i].text));
    (void)rig_ingest(&few, "");
    for (size_t k = 0; k < ARRAY_LEN(questions); k++) {
        struct search_notes notes = {0}, others = {0};
        struct knowledge_question q = {
            .text = str_from(questions[k]), .who = &askers[1], .notes = &notes};
        struct passages_found a = {0}, b = {0};
        struct grounded g = {0}, h = {0};

        REQUIRE(search_now(all.knowledge, all.arena, &q, 10, &a, &err));
        REQUIRE(answer_now(all.knowledge, all.arena, &q, &g, &err));
        q.who = NULL;
        q.notes = &others;
        REQUIRE(search_now(few.knowledge, few.arena, &q, 10, &b, &err));
        REQUIRE(answer_now(few.knowledge, few.arena, &q, &h, &err));
        REQUIRE(a.count == b.count && a.count > 0, "%zu, %zu", a.count, b.count);
        for (size_t i = 0; i < a.count; i++)
            EXPECT(a.list[i].score == b.list[i].score && str_eq(a.list[i].quote, b.list[i].quote));
        EXPECT(str_eq(g.text, h.text) && g.confidence == h.confidence, STR_FMT, STR_ARG(g.text));
        EXPECT(notes.count == others.count && notes.count == (k == 1), "%s: %u", questions[k],
               notes.count);
        EXPECT(!shows(g.text, "merger") && !shows(g.text, "laims\""), STR_FMT, STR_ARG(g.text));
    }
}

TEST(changed_rights_hold_at_the_next_question)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct ingest_wish wish = {
        .path = STR("docs/leave.md"), .says_readers = true, .readers = STR("key:k_ann")};
    uint32_t changed = 0;
    struct err err = {0};
    bool answered;

    REQUIRE(rig_open(&rig) && write_all(&rig));
    (void)rig_ingest(&rig, "");
    EXPECT(leaks(&rig, 2, &askers[1], &answered) && !leaks(&rig, 2, &askers[0], &answered));
    REQUIRE(label_now(rig.knowledge, &wish, &changed, &err), "%s", err.text);
    EXPECT(changed == 1);
    EXPECT(!leaks(&rig, 2, &askers[1], &answered) && leaks(&rig, 2, &askers[0], &answered));
    REQUIRE(rig_reopen(&rig));
    EXPECT(!leaks(&rig, 2, &askers[1], &answered) && leaks(&rig, 2, &askers[0], &answered));
    wish.path = STR("nowhere.md");
    EXPECT(!label_now(rig.knowledge, &wish, &changed, &err) && err.code == ERR_NOT_FOUND);
}

TEST(what_was_said_of_a_document_stays_until_something_else_is_said)
{
    struct rig rig CLEANUP(rig_close) = {0};
    bool answered;

    REQUIRE(rig_open(&rig) && write_all(&rig));
    (void)rig_ingest(&rig, "");
    /* The file changes, the label file is gone: the readers stay. */
    REQUIRE(rig_write(&rig, "leave.md", "# Leave\n\nSabbaticals last up to 60 days.\n"));
    EXPECT(remove(rig_path(&rig, "docs/leave.md.metadata.json")) == 0);
    struct ingest_report report = rig_ingest(&rig, "");
    EXPECT(report.changed == 1, "%u", report.changed);
    EXPECT(!leaks(&rig, 2, &askers[0], &answered) && leaks(&rig, 2, &askers[1], &answered));
    /* A label file that makes no sense: the document stays as it was, and the run says so. */
    REQUIRE(rig_write(&rig, "leave.md.metadata.json", "{\"readers\":[\"somebody\"]}"));
    report = rig_ingest(&rig, "");
    EXPECT(report.failed == 1 && report.removed == 0, "%u, %u", report.failed, report.removed);
    EXPECT(shows(report.problems[0].reason, "somebody") &&
               shows(report.problems[0].reason, ".metadata.json"),
           STR_FMT, STR_ARG(report.problems[0].reason));
    EXPECT(!leaks(&rig, 2, &askers[0], &answered) && leaks(&rig, 2, &askers[1], &answered));
    /* The same bytes with other labels. */
    REQUIRE(rig_write(&rig, "leave.md.metadata.json", "{\"readers\":[\"key:k_ann\"]}"));
    report = rig_ingest(&rig, "");
    EXPECT(report.changed == 1 && report.failed == 0, "%u", report.changed);
    EXPECT(leaks(&rig, 2, &askers[0], &answered) && !leaks(&rig, 2, &askers[1], &answered));
    REQUIRE(rig_write(&rig, "lonely.md.metadata.json", "{}"));
    report = rig_ingest(&rig, "");
    EXPECT(report.skipped == 1, "labels of nothing are told: %u", report.skipped);
}

TEST(filters_leave_documents_out)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct knowledge_question q = {.text = STR("canteen board sabbaticals merger strike"),
                                   .filter =
                                       STR("{\"lessThan\":{\"key\":\"number\",\"value\":3}}")};
    struct passages_found found = {0};
    struct err err = {0};

    REQUIRE(rig_open(&rig) && write_all(&rig));
    (void)rig_ingest(&rig, "");
    REQUIRE(search_now(rig.knowledge, rig.arena, &q, 10, &found, &err), "%s", err.text);
    EXPECT(found.count == 2, "%zu", found.count);
    q.who = &askers[0];
    REQUIRE(search_now(rig.knowledge, rig.arena, &q, 10, &found, &err));
    EXPECT(found.count == 1 && shows(found.list[0].path, "claims.md") &&
               str_eq(found.list[0].metadata, STR("{\"number\":1}")),
           "%zu", found.count);
    q.filter = STR("{\"equal\":1}");
    EXPECT(!search_now(rig.knowledge, rig.arena, &q, 10, &found, &err) && err.code == ERR_INVALID);
    q.filter = STR("{");
    EXPECT(!search_now(rig.knowledge, rig.arena, &q, 10, &found, &err) && err.code == ERR_INVALID);
}

TEST(more_askers_than_are_kept)
{
    struct rig rig CLEANUP(rig_close) = {0};
    bool answered;

    REQUIRE(rig_open(&rig) && write_all(&rig));
    (void)rig_ingest(&rig, "");
    for (int i = 0; i < 100; i++) {
        char id[32];
        struct principal who = askers[1];

        (void)snprintf(id, sizeof id, "k_%d", i % 50);
        who.key_id = str_from(id);
        EXPECT(leaks(&rig, 2, &who, &answered) && !leaks(&rig, 1, &who, &answered), "%d", i);
    }
}
