/* Runs in batches: what they commit, what they skip, what they do not dare to remove. */
#include "knowledge/intake.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"
#include "knowledge/source_folder.h"
#include "knowledge/source_glob.h"
#include "rig.h"
#include "test.h"

static const struct {
    const char *name, *pattern, *text;
    bool fits;
} glob_cases[] = {
    {"itself", "a.md", "a.md", true},
    {"of the last part", "*.md", "sub/deep/a.md", true},
    {"not of a longer name", "*.md", "a.mdx", false},
    {"a whole path", "sub/*.md", "sub/a.md", true},
    {"a star crosses no folder", "sub/*.md", "sub/deep/a.md", false},
    {"two stars do", "sub/**.md", "sub/deep/a.md", true},
    {"folders or none: none", "**/a.md", "a.md", true},
    {"folders or none: some", "**/a.md", "x/y/a.md", true},
    {"folders are whole", "**/a.md", "x/ya.md", false},
    {"in the middle, none", "x/**/a.md", "x/a.md", true},
    {"in the middle, some", "x/**/a.md", "x/y/z/a.md", true},
    {"in the middle, whole", "x/**/a.md", "x/ya.md", false},
    {"a folder and all below", "drafts/**", "drafts/x/y.md", true},
    {"not its neighbour", "drafts/**", "drafts2/y.md", false},
    {"one character", "?.md", "a.md", true},
    {"of a slash none", "a?b/c", "a/b/c", false},
    {"goes back", "*ab", "aab", true},
    {"goes back far", "**/x*y/z", "xy/q/xay/z", true},
    {"empty fits empty", "", "", true},
    {"empty fits nothing else", "", "a", false},
    {"a star fits nothing", "*", "", true},
    {"hostile", "*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

TEST(patterns_of_names)
{
    for (size_t i = 0; i < ARRAY_LEN(glob_cases); i++)
        EXPECT(glob_fits(str_from(glob_cases[i].pattern), str_from(glob_cases[i].text)) ==
                   glob_cases[i].fits,
               "%s: \"%s\" of \"%s\"", glob_cases[i].name, glob_cases[i].pattern,
               glob_cases[i].text);
    EXPECT(globs_want(STR(""), STR(""), STR("a.md")));
    EXPECT(globs_want(STR("*.md, *.txt"), STR("drafts/**"), STR("b.txt")));
    EXPECT(!globs_want(STR("*.md *.txt"), STR("drafts/**"), STR("drafts/b.txt")));
    EXPECT(!globs_want(STR("*.md *.txt"), STR(""), STR("b.pdf")));
}

static struct ingest_report ingest(struct rig *rig, const struct folder_options *with)
{
    struct folder_options options = *with;
    struct ingest_wish wish = {.path = str_from(rig_path(rig, "docs"))};
    struct ingest_report report = {0};
    struct err err = {0};

    options.wish = &wish;
    if (!folder_ingest(rig->knowledge, rig->arena, &options, &report, &err))
        EXPECT(false, "%s", err.text);
    return report;
}

static void write_many(struct rig *rig, int count)
{
    char name[32], text[64];

    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "f%02d.md", i);
        (void)snprintf(text, sizeof text, "The fee of kind %d is %d euros.\n", i, 100 + i);
        rig_write(rig, name, text);
    }
}

static void remove_many(struct rig *rig, int from, int to)
{
    char name[32];

    for (int i = from; i < to; i++) {
        (void)snprintf(name, sizeof name, "docs/f%02d.md", i);
        EXPECT(unlink(rig_path(rig, name)) == 0);
    }
}

TEST(a_mass_removal_is_held_unless_forced)
{
    struct folder_options careful = {.delete_percent = 50}, forced = {.delete_percent = 100};
    struct rig rig;

    REQUIRE(rig_open(&rig));
    write_many(&rig, 24);
    EXPECT(ingest(&rig, &careful).added == 24);
    remove_many(&rig, 0, 13);
    struct ingest_report r = ingest(&rig, &careful);
    EXPECT(r.held == 13 && r.removed == 0 && rig_documents(&rig) == 24);
    EXPECT(r.problem_count == 1 &&
           str_find(r.problems[0].reason, STR("13 of its 24")) < r.problems[0].reason.len);
    r = ingest(&rig, &forced);
    EXPECT(r.held == 0 && r.removed == 13 && rig_documents(&rig) == 11);
    remove_many(&rig, 13, 23);
    r = ingest(&rig, &careful);
    EXPECT(r.removed == 10 && rig_documents(&rig) == 1, "ten are never too many");
    rig_close(&rig);
}

/* A disk that gives zeros instead of files must not empty the index either. */
TEST(files_that_become_unreadable_count_as_removal)
{
    struct folder_options careful = {.delete_percent = 50}, forced = {.delete_percent = 100};
    char name[32];
    struct rig rig;

    REQUIRE(rig_open(&rig));
    write_many(&rig, 12);
    EXPECT(ingest(&rig, &careful).added == 12);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof name, "f%02d.md", i);
        rig_write_bytes(&rig, name, (struct str){"\0\0\0\0", 4});
    }
    struct ingest_report r = ingest(&rig, &careful);
    EXPECT(r.failed == 12 && r.held == 12 && rig_documents(&rig) == 12);
    r = ingest(&rig, &forced);
    EXPECT(r.failed == 12 && rig_documents(&rig) == 0);
    rig_close(&rig);
}

TEST(patterns_choose_files_and_what_is_left_out_later_goes)
{
    struct folder_options all = {.delete_percent = 100};
    struct folder_options some = {
        .delete_percent = 100, .include = STR("*.md"), .exclude = STR("drafts/**")};
    struct rig rig;

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "a.md", "Apples.\n");
    rig_write(&rig, "b.txt", "Pears.\n");
    rig_write(&rig, "drafts/c.md", "Plums.\n");
    EXPECT(ingest(&rig, &all).added == 3);
    struct ingest_report r = ingest(&rig, &some);
    EXPECT(r.unchanged == 1 && r.removed == 2 && r.skipped == 0 && rig_documents(&rig) == 1);
    rig_close(&rig);
}

TEST(a_stopped_run_keeps_what_it_did_and_removes_nothing)
{
    struct rig rig;
    struct run_slot *run;
    struct ingest_run *runs, one;
    struct err err = {0};
    size_t count;

    REQUIRE(rig_open(&rig));
    write_many(&rig, 3);
    REQUIRE(run_begin(rig.knowledge->runs, STR("docs"), false, &run, &err));
    uint64_t id = run_id(run);
    struct folder_options with = {.delete_percent = 100, .run = run};
    struct ingest_report r = ingest(&rig, &with);
    EXPECT(r.added == 3);
    EXPECT(ingest_run_find(rig.knowledge, rig.arena, id, &one, &err) && one.known == 3 &&
           one.done == 3 && one.state == RUN_WORKING && one.report.added == 3);
    remove_many(&rig, 0, 2);
    EXPECT(ingest_run_stop(rig.knowledge, id, &err));
    r = ingest(&rig, &with);
    EXPECT(r.stopped && r.removed == 0 && rig_documents(&rig) == 3);
    run_finish(&run, &r, NULL);
    EXPECT(ingest_run_find(rig.knowledge, rig.arena, id, &one, &err) && one.state == RUN_STOPPED &&
           one.ended > 0);
    EXPECT(ingest_run_list(rig.knowledge, rig.arena, &runs, &count, &err) && count == 1);
    EXPECT(!ingest_run_stop(rig.knowledge, id + 1, &err) && err.code == ERR_NOT_FOUND);
    rig_close(&rig);
}

TEST(runs_are_forgotten_oldest_first_and_never_while_they_go_on)
{
    struct rig rig;
    struct run_slot *runs[RUNS_MAX], *more;
    struct ingest_report nothing = {0};
    struct ingest_run one;
    struct err err = {0};

    REQUIRE(rig_open(&rig));
    for (size_t i = 0; i < RUNS_MAX; i++)
        REQUIRE(run_begin(rig.knowledge->runs, STR("x"), false, &runs[i], &err));
    uint64_t first = run_id(runs[0]), second = run_id(runs[1]);
    EXPECT(!run_begin(rig.knowledge->runs, STR("y"), false, &more, &err) &&
           err.code == ERR_EXHAUSTED);
    run_finish(&runs[1], &nothing, &(struct err){.code = ERR_INTERNAL, .text = "broke"});
    EXPECT(ingest_run_find(rig.knowledge, rig.arena, second, &one, &err) &&
           one.state == RUN_FAILED && str_eq(one.error, STR("broke")));
    REQUIRE(run_begin(rig.knowledge->runs, STR("y"), false, &more, &err));
    EXPECT(!ingest_run_find(rig.knowledge, rig.arena, second, &one, &err));
    EXPECT(ingest_run_find(rig.knowledge, rig.arena, first, &one, &err));
    run_finish(&more, &nothing, NULL);
    for (size_t i = 0; i < RUNS_MAX; i++)
        run_finish(&runs[i], &nothing, NULL);
    rig_close(&rig);
}

/* --- item by item ----------------------------------------------------------------------------- */

static bool put(struct rig *rig, struct intake *in, const char *mark, const char *text)
{
    struct item item = {.source = STR("x://one"),
                        .shown = STR("one"),
                        .mark = str_from(mark),
                        .type = DOCUMENT_TEXT};
    struct intake_known known;
    struct beside nothing = {0};
    struct err err = {0};
    bool ok = intake_look(in, rig->arena, &item, &known, &err) &&
              (known.is_same ? intake_keep(in, &item, &nothing, &err)
                             : intake_put(in, &item, &nothing, str_from(text), &err));

    EXPECT(ok, "%s", err.text);
    return known.is_same;
}

static bool run_once(struct rig *rig, const char *mark, const char *text,
                     struct ingest_report *report)
{
    struct ingest_wish nothing = {0};
    struct intake_options options = {
        .knowledge = rig->knowledge, .root = STR("x"), .wish = &nothing, .delete_percent = 100};
    struct intake *in = NULL;
    struct err err = {0};

    if (!intake_open(rig->arena, &options, &in, &err))
        return false;
    bool same = put(rig, in, mark, text);
    EXPECT(intake_finish(in, &err), "%s", err.text);
    *report = *intake_report(in);
    intake_close(&in);
    return same;
}

TEST(a_mark_decides_and_without_one_the_hash_does)
{
    struct ingest_report r;
    struct rig rig;

    REQUIRE(rig_open(&rig));
    EXPECT(!run_once(&rig, "m1", "Apples.", &r) && r.added == 1);
    EXPECT(run_once(&rig, "m1", "not even looked at", &r) && r.unchanged == 1 && !r.changed);
    EXPECT(!run_once(&rig, "m2", "Apples.", &r) && r.unchanged == 1 && !r.changed);
    EXPECT(run_once(&rig, "m2", "", &r) && r.unchanged == 1, "the new mark was kept");
    EXPECT(!run_once(&rig, "", "Apples.", &r) && r.unchanged == 1);
    EXPECT(!run_once(&rig, "", "Apples.", &r) && r.unchanged == 1);
    EXPECT(!run_once(&rig, "m2", "Pears.", &r) && r.changed == 1);
    rig_close(&rig);
}

/* What an administrator says between two batches must not be undone by what the run knew before. */
TEST(labels_set_during_a_run_hold)
{
    struct ingest_wish said = {.path = STR("one"), .says_readers = true, .readers = STR("key:k_1")};
    struct ingest_wish nothing = {0};
    struct document_info *list;
    struct ingest_report r;
    struct err err = {0};
    uint32_t changed;
    size_t count;
    struct rig rig;

    REQUIRE(rig_open(&rig));
    EXPECT(!run_once(&rig, "m1", "Apples.", &r));
    struct intake_options options = {
        .knowledge = rig.knowledge, .root = STR("x"), .wish = &nothing, .delete_percent = 100};
    struct intake *in = NULL;
    REQUIRE(intake_open(rig.arena, &options, &in, &err));
    EXPECT(label_now(rig.knowledge, &said, &changed, &err) && changed == 1, "%s", err.text);
    EXPECT(!put(&rig, in, "m2", "Pears."));
    EXPECT(intake_finish(in, &err), "%s", err.text);
    intake_close(&in);
    REQUIRE(list_now(rig.knowledge, rig.arena, NULL, &list, &count, &err) && count == 1);
    EXPECT(str_eq(list[0].readers, STR("key:k_1")) && list[0].version == 2);
    rig_close(&rig);
}

#ifdef WEIR_FAULT
/* What was written down of documents that go. */
struct watched {
    int begun, changed;
};

static bool begin_vanish(void *ctx, struct knowledge *knowledge, struct str base,
                         struct vanished *list, size_t count, struct vanish_order **out,
                         struct err *err)
{
    struct watched *w = ctx;

    (void)knowledge, (void)base, (void)list, (void)count, (void)err;
    w->begun++;
    *out = (struct vanish_order *)(void *)w;
    return true;
}

static void note_changed(void *ctx)
{
    struct watched *w = ctx;

    w->changed++;
}

static bool is_there(struct rig *rig, const char *text)
{
    struct str answer = rig_ask(rig, "How much is the fee of kind 0?").text;

    return str_find(answer, str_from(text)) < answer.len;
}

/* Each fallible step fails once: what a commit that failed has taken out all the same goes from everything else too. */
TEST(what_a_failed_run_has_taken_out_is_told)
{
    const char *failed = "";
    size_t behind = 0;

    for (uint64_t nth = 1; failed; nth++) {
        struct watched watched = {0};
        struct ingest_report r = {0};
        struct err err = {0};
        struct rig rig;

        REQUIRE(rig_open(&rig));
        write_many(&rig, 3);
        (void)rig_ingest(&rig, "");
        remove_many(&rig, 1, 2);
        rig_write(&rig, "f00.md", "The fee of kind 0 is 999 euros.\n");
        rig.knowledge->vanish.begin = begin_vanish;
        rig.knowledge->vanish.changed = note_changed;
        rig.knowledge->vanish.ctx = &watched;
        struct str docs = str_from(rig_path(&rig, "docs"));
        fault_begin(nth);
        bool ok =
            ingest_now(rig.knowledge, rig.arena, &(struct ingest_wish){.path = docs}, &r, &err);
        failed = fault_end();
        bool gone = rig_documents(&rig) == 2;
        EXPECT(!ok || gone || r.failed + r.skipped > 0, "after failing %s", failed ? failed : "");
        EXPECT(!gone || (r.vanish && r.vanished), "after failing %s, the %zuth", failed,
               (size_t)nth);
        EXPECT(gone || !r.vanished, "after failing %s, the %zuth", failed, (size_t)nth);
        EXPECT(!gone || !is_there(&rig, "999") || watched.changed, "after failing %s, the %zuth",
               failed, (size_t)nth);
        behind += !ok && gone;
        rig_close(&rig);
    }
    EXPECT(behind > 0, "some run failed behind its commit");
}

/* Each fallible step fails once, a batch a file: what was committed is found unchanged by the next run,
 * which brings the rest, so that in the end everything is there once. */
TEST(a_run_that_fails_is_taken_up_where_it_stood)
{
    const char *failed = "";
    size_t pages = pages_in_use(), resumed = 0;

    for (uint64_t nth = 1; failed; nth++) {
        struct rig rig;
        struct ingest_report r = {0};
        struct err err = {0};

        REQUIRE(rig_open(&rig));
        rig.knowledge->batch.files = 1;
        write_many(&rig, 3);
        struct str docs = str_from(rig_path(&rig, "docs"));
        fault_begin(nth);
        bool ok =
            ingest_now(rig.knowledge, rig.arena, &(struct ingest_wish){.path = docs}, &r, &err);
        failed = fault_end();
        size_t there = rig_documents(&rig);
        EXPECT(!ok || there == 3 || r.failed + r.skipped > 0, "after failing %s",
               failed ? failed : "nothing");
        resumed += !ok && there > 0 && there < 3;
        r = rig_ingest(&rig, "");
        EXPECT(r.unchanged == there && r.added == 3 - there && rig_documents(&rig) == 3,
               "after failing %s: %zu there, %u unchanged, %u added", failed ? failed : "nothing",
               there, r.unchanged, r.added);
        rig_close(&rig);
    }
    EXPECT(resumed > 0, "some run was taken up half-way");
    EXPECT(pages_in_use() == pages);
}
#endif
