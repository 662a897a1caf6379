/* Folders come, change and go; what is forgotten is gone from every file. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"
#include "rig.h"
#include "sys/file.h"
#include "test.h"

static bool has_problem(const struct ingest_report *r, const char *path, const char *reason)
{
    for (size_t i = 0; i < r->problem_count; i++)
        if (str_ends(r->problems[i].path, str_from(path)) &&
            str_find(r->problems[i].reason, str_from(reason)) < r->problems[i].reason.len)
            return true;
    return false;
}

TEST(a_folder_comes_changes_and_goes)
{
    struct rig rig;
    struct ingest_report r;

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "a.md", "# Apples\n\nThe apple tax is 14 euros.\n");
    rig_write(&rig, "sub/b.txt", "Pears\n\nThe pear tax is 15 euros.\n");
    r = rig_ingest(&rig, "");
    EXPECT(r.added == 2 && r.passages == 2 && r.problem_count == 0);
    r = rig_ingest(&rig, "");
    EXPECT(r.added == 0 && r.unchanged == 2 && r.changed == 0 && r.removed == 0);
    rig_write(&rig, "a.md", "# Apples\n\nThe apple tax is 16 euros.\n");
    r = rig_ingest(&rig, "");
    EXPECT(r.changed == 1 && r.unchanged == 1);
    struct grounded g = rig_ask(&rig, "How much is the apple tax?");
    EXPECT(g.answered && str_find(g.text, STR("16 euros. [1]")) < g.text.len, STR_FMT,
           STR_ARG(g.text));
    EXPECT(g.citation_count == 1 && str_eq(g.citations[0].path, STR("docs/a.md")));
    EXPECT(unlink(rig_path(&rig, "docs/sub/b.txt")) == 0);
    r = rig_ingest(&rig, "");
    EXPECT(r.removed == 1 && r.unchanged == 1 && rig_documents(&rig) == 1);
    rig_close(&rig);
}

TEST(bad_files_are_told_and_stop_nothing)
{
    struct rig rig;
    struct ingest_report r;

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "good.md", "Fine.\n");
    rig_write(&rig, "latin.txt", "\x01\xE9\x02");
    rig_write(&rig, "empty.md", "\n");
    rig_write(&rig, ".hidden.md", "secret");
    rig_write(&rig, "photo.jpg", "x");
    rig_write(&rig, "outside/x.md", "x");
    EXPECT(symlink("/etc/hostname", rig_path(&rig, "docs/link.txt")) == 0);
    EXPECT(mkfifo(rig_path(&rig, "docs/pipe.txt"), 0600) == 0);
    r = rig_ingest(&rig, "");
    EXPECT(r.added == 2 && r.failed == 2 && r.skipped == 4, "%u %u %u", r.added, r.failed,
           r.skipped);
    EXPECT(has_problem(&r, "latin.txt", "neither UTF-8"));
    EXPECT(has_problem(&r, "empty.md", "no text"));
    EXPECT(has_problem(&r, ".hidden.md", "hidden"));
    EXPECT(has_problem(&r, "photo.jpg", "not of a type that is read"));
    EXPECT(has_problem(&r, "link.txt", "link"));
    EXPECT(has_problem(&r, "pipe.txt", "a pipe"));
    rig_write(&rig, "good.md", "\x01\xE9\x02");
    r = rig_ingest(&rig, "");
    EXPECT(r.failed == 3 && rig_documents(&rig) == 1, "what became unreadable does not stay");
    rig_close(&rig);
}

TEST(limits)
{
    struct rig rig;
    struct ingest_report r;
    struct err err = {0};

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "a.md", "More than ten bytes.\n");
    rig.knowledge->file_bytes_max = 10;
    r = rig_ingest(&rig, "");
    EXPECT(r.failed == 1 && r.added == 0);
    rig.knowledge->file_bytes_max = 1000;
    rig_write(&rig, "b.md", "Another.\n");
    rig.knowledge->files_max = 1;
    EXPECT(!ingest_now(rig.knowledge, rig.arena,
                       &(struct ingest_wish){.path = str_from(rig_path(&rig, "docs"))}, &r, &err) &&
           err.code == ERR_TOO_LARGE);
    EXPECT(rig_documents(&rig) == 0, "a failed run leaves nothing");
    EXPECT(!ingest_now(rig.knowledge, rig.arena,
                       &(struct ingest_wish){.path = STR("/nowhere/at/all")}, &r, &err) &&
           err.code == ERR_NOT_FOUND);
    rig_close(&rig);
}

/* --- exact delete ----------------------------------------------------------------------------- */

static size_t files_holding(struct rig *rig, const char *needle)
{
    struct str *names, bytes;
    size_t count, found = 0;
    struct err err = {0};
    const char *base = rig_path(rig, "base");

    if (!file_list(rig->arena, base, 1000, &names, &count, &err))
        return 999;
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_fmt(rig->arena, "%s/" STR_FMT, base, STR_ARG(names[i])).ptr;

        if (!file_load(rig->arena, path, 16 * MIB, &bytes, &err))
            return 999;
        found += str_find(bytes, str_from(needle)) < bytes.len;
    }
    return found;
}

TEST(what_is_forgotten_is_in_no_file)
{
    struct rig rig;
    uint32_t gone = 0;
    struct err err = {0};
    struct lexical_view *view;

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "keep.md", "# Keep\n\nOranges are kept.\n");
    rig_write(&rig, "gone.md", "# Zyxwabba title\n\nThe Qwertzuiop clause pays 77 euros.\n");
    (void)rig_ingest(&rig, "");
    EXPECT(files_holding(&rig, "Qwertzuiop") == 1 && files_holding(&rig, "Zyxwabba") == 1);
    view = lexical_borrow(rig.knowledge->index); /* a search that is still running */
    REQUIRE(forget_now(rig.knowledge, STR("docs/gone.md"), &gone, &err), "%s", err.text);
    EXPECT(gone == 1 && rig_documents(&rig) == 1);
    EXPECT(files_holding(&rig, "Qwertzuiop") == 0, "text");
    EXPECT(files_holding(&rig, "qwertzuiop") == 0, "terms");
    EXPECT(files_holding(&rig, "Zyxwabba") == 0 && files_holding(&rig, "gone.md") == 0,
           "title, path");
    EXPECT(files_holding(&rig, "Oranges") == 1);
    lexical_release(&view);
    struct grounded g = rig_ask(&rig, "What does the Qwertzuiop clause pay?");
    EXPECT(!g.answered && str_find(g.text, STR("77")) == g.text.len, STR_FMT, STR_ARG(g.text));
    EXPECT(!forget_now(rig.knowledge, STR("docs/gone.md"), &gone, &err) &&
           err.code == ERR_NOT_FOUND);
    REQUIRE(rig_reopen(&rig));
    EXPECT(rig_documents(&rig) == 1);
    REQUIRE(forget_now(rig.knowledge, str_from(rig_path(&rig, "docs")), &gone, &err), "the folder");
    EXPECT(gone == 1 && rig_documents(&rig) == 0);
    rig_close(&rig);
}

TEST(an_old_version_is_in_no_file)
{
    struct rig rig;

    REQUIRE(rig_open(&rig));
    rig_write(&rig, "a.md", "The Qwertzuiop clause.\n");
    (void)rig_ingest(&rig, "");
    rig_write(&rig, "a.md", "A better clause.\n");
    (void)rig_ingest(&rig, "");
    EXPECT(files_holding(&rig, "Qwertzuiop") == 0 && files_holding(&rig, "better") == 1);
    rig_close(&rig);
}

TEST(no_documents)
{
    struct rig rig;

    REQUIRE(rig_open(&rig));
    struct grounded g = rig_ask(&rig, "Is there anything?");
    EXPECT(!g.answered && str_find(g.text, STR("weir ingest")) < g.text.len);
    g = rig_ask(&rig, "有什么？");
    EXPECT(!g.answered && str_eq(g.language, STR("zh")) &&
           str_find(g.text, STR("weir ingest")) < g.text.len);
    g = rig_ask(&rig, "");
    EXPECT(!g.answered);
    rig_close(&rig);
}

#ifdef WEIR_FAULT
/* Each fallible step of an ingest fails once: either the run failed and the old version answers, or it
 * says which files it could not read; nothing is lost without a word. */
TEST(a_failing_ingest_keeps_what_was)
{
    const char *failed = "";
    size_t pages = pages_in_use();

    for (uint64_t nth = 1; failed; nth++) {
        struct rig rig;
        struct ingest_report r = {0};
        struct err err = {0};

        REQUIRE(rig_open(&rig));
        rig_write(&rig, "a.md", "The apple tax is 14 euros.\n");
        (void)rig_ingest(&rig, "");
        rig_write(&rig, "a.md", "The apple tax is 16 euros.\n");
        struct str docs = str_from(rig_path(&rig, "docs"));
        fault_begin(nth);
        bool ok =
            ingest_now(rig.knowledge, rig.arena, &(struct ingest_wish){.path = docs}, &r, &err);
        failed = fault_end();
        struct grounded g = rig_ask(&rig, "How much is the apple tax?");
        bool old = str_find(g.text, STR("14 euros")) < g.text.len;
        bool new = str_find(g.text, STR("16 euros")) < g.text.len;
        EXPECT(old != new, "after failing %s: " STR_FMT, failed ? failed : "nothing",
               STR_ARG(g.text));
        EXPECT(new || !ok || r.failed == 1 || r.skipped == 1, "after failing %s",
               failed ? failed : "nothing");
        rig_close(&rig);
    }
    EXPECT(pages_in_use() == pages);
}
#endif
