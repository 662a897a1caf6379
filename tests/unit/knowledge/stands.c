/* What an answer was made from, looked for in the documents as they are: found where it stands, wherever that is in a
 * passage, and not found once a byte of it, of its heading or of its title is another. */
#include "knowledge/stands.h"

#include "knowledge/knowledge_internal.h"
#include "rig.h"
#include "sys/file.h"
#include "test.h"

#define BASE STR("default")

static bool stands(struct rig *rig, struct str line)
{
    struct err err = {0};
    enum made_from out = MADE_CHANGED;

    EXPECT(line.ptr && stand_now(rig->knowledge, line, BASE, NULL, &out, &err), "%s", err.text);
    return out == MADE_STANDS;
}

/* As if the document had other bytes since: its text decides. */
static bool still_stands(struct rig *rig, struct citation c)
{
    c.content++;
    return stands(rig, stands_line(rig->arena, &c, BASE));
}

static void check_citation(struct rig *rig, const struct citation *c)
{
    struct citation other = *c;
    char *quote;

    EXPECT(still_stands(rig, *c), STR_FMT, STR_ARG(c->quote));
    quote = arena_str(rig->arena, c->quote).ptr ? arena_alloc(rig->arena, c->quote.len) : NULL;
    REQUIRE(quote && c->quote.len > 0);
    for (size_t i = 0; i < c->quote.len; i++)
        quote[i] = c->quote.ptr[i];
    quote[c->quote.len / 2] ^= 1;
    other.quote = (struct str){quote, c->quote.len};
    EXPECT(!still_stands(rig, other), "changed: " STR_FMT, STR_ARG(other.quote));
    other.content = c->content;
    EXPECT(stands(rig, stands_line(rig->arena, &other, BASE)), "the same bytes are not looked at");
}

TEST(what_was_cited_stands)
{
    static const char *const questions[] = {
        "How many days of annual leave do employees get?",
        "What does the customer need to file a claim?",
        "What is the daily allowance in France?",
        "When is the Munich branch open?",
        "What is the hotel limit in Zurich?",
        "工龄满十年的员工有几天年假？",
        "香港的住宿上限是多少？",
        "上海分公司的负责人是谁？",
    };
    struct ingest_report report;
    struct err err = {0};
    struct rig rig;

    REQUIRE(rig_open(&rig));
    REQUIRE(ingest_now(rig.knowledge, rig.arena,
                       &(struct ingest_wish){.path = STR("examples/handbook")}, &report, &err),
            "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct knowledge_question q = {.text = str_from(questions[i])};
        struct grounded g = {0};
        struct passages_found found = {0};

        REQUIRE(answer_now(rig.knowledge, rig.arena, &q, &g, &err), "%s", err.text);
        EXPECT(g.citation_count > 0, "%s", questions[i]);
        for (size_t k = 0; k < g.citation_count; k++)
            check_citation(&rig, &g.citations[k]);
        REQUIRE(search_now(rig.knowledge, rig.arena, &q, 10, &found, &err), "%s", err.text);
        for (size_t k = 0; k < found.count; k++)
            check_citation(&rig, &found.list[k]);
    }
    rig_close(&rig);
}

TEST(where_it_stood_counts)
{
    static const struct {
        const char *text;
        bool stands;
    } cases[] = {
        {"# Rules\n\nThe fee is 3 euros. It is due in May.\n", true},
        {"# Rules\n\nBefore that. The fee is 3 euros.\n", true},
        {"# Rules\n\nThe fee is 3 euros.\n", true},
        {"# Rules\n\nOne.\n\nTwo.\n\nSo: The fee is 3 euros. Four.\n", true},
        {"# Rules\n\nThe fee is 13 euros.\n", false},
        {"# Rules\n\nThe fee is 3 euros\n", false},
        {"# Rules\n\nThe fee\n", false},
        {"# Rule\n\nThe fee is 3 euros.\n", false}, /* its title */
        {"# Rules\n\n## Former\n\nThe fee is 3 euros.\n", false},
    };
    struct rig rig;

    REQUIRE(rig_open(&rig));
    REQUIRE(rig_write(&rig, "fees.md", "# Rules\n\nThe fee is 3 euros. Nothing else.\n"));
    (void)rig_ingest(&rig, "");
    struct grounded g = rig_ask(&rig, "How much is the fee?");
    REQUIRE(g.answered && g.citation_count == 1);
    struct str line = stands_line(rig.arena, &g.citations[0], BASE);
    struct citation_step step = {.document = g.citations[0].document,
                                 .quote = STR("Rules"),
                                 .content = g.citations[0].content};
    struct str title = stands_line_of_step(rig.arena, &step, BASE);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        REQUIRE(rig_write(&rig, "fees.md", cases[i].text));
        EXPECT(rig_ingest(&rig, "").changed == 1);
        EXPECT(stands(&rig, line) == cases[i].stands, "%s", cases[i].text);
    }
    EXPECT(stands(&rig, title), "a step may have its name from the title");
    rig_close(&rig);
}

/* What a line says that cannot be read, nobody knows: the answer may be of what is gone. */
TEST(a_damaged_line_is_no_line_that_stands)
{
    static const char *const lines[] = {
        "%s@default 12 x7 9 1\n",
        "%s@default 12\n",
        "%s@default 12 7 9\n",
        "@default\n",
        " 12 7 9 1\n",
        "%s@default -1 7 9 1\n",
        "%s@default 1 2 3 4 5\n",
        "%s@default 18446744073709551616 7 9 1\n",
        "%s@default\n\001\n",
    };
    struct err err = {0};
    struct rig rig;

    REQUIRE(rig_open(&rig));
    REQUIRE(rig_write(&rig, "fees.md", "# Rules\n\nThe fee is 3 euros.\n"));
    (void)rig_ingest(&rig, "");
    struct grounded g = rig_ask(&rig, "How much is the fee?");
    REQUIRE(g.answered);
    struct str good = stands_line(rig.arena, &g.citations[0], BASE);
    EXPECT(stands(&rig, good));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct str id = g.citations[0].document, at = str_from(lines[i]);
        bool named = str_starts(at, STR("%s"));
        struct str line =
            arena_fmt(rig.arena, STR_FMT "\n" STR_FMT STR_FMT, STR_ARG(good),
                      STR_ARG(named ? id : STR("")), STR_ARG(str_slice(at, named ? 2 : 0, at.len)));
        enum made_from out = MADE_STANDS;

        EXPECT(stand_now(rig.knowledge, line, BASE, NULL, &out, &err) && out == MADE_UNREADABLE,
               "%s: %d", lines[i], (int)out);
    }
    rig_close(&rig);
}

TEST(of_no_document_and_of_nothing_known)
{
    static const struct principal ann = {.key_id = STR("k_ann"), .tenant = STR("acme")};
    struct err err = {0};
    struct rig rig;
    enum made_from out;

    REQUIRE(rig_open(&rig));
    REQUIRE(rig_write(&rig, "fees.md", "# Rules\n\nThe fee is 3 euros.\n"));
    (void)rig_ingest(&rig, "");
    struct grounded g = rig_ask(&rig, "How much is the fee?");
    REQUIRE(g.answered);
    struct str known =
        arena_fmt(rig.arena, STR_FMT "@default\n\nd_0@other\n", STR_ARG(g.citations[0].document));
    REQUIRE(stand_now(rig.knowledge, known, BASE, &ann, &out, &err) && out == MADE_STANDS);
    REQUIRE(stand_now(rig.knowledge, STR("d_0000000000000000@default\n"), BASE, &ann, &out, &err) &&
            out == MADE_CHANGED);
    REQUIRE(stand_now(rig.knowledge, STR("d_0000000000000000@default\n"), BASE, NULL, &out, &err) &&
            out == MADE_STANDS);
    /* As it was written down before there were bases. */
    REQUIRE(stand_now(rig.knowledge, g.citations[0].document, BASE, &ann, &out, &err) &&
            out == MADE_STANDS);
    REQUIRE(stand_now(rig.knowledge, STR("d_0"), BASE, &ann, &out, &err) && out == MADE_CHANGED);
    struct ingest_wish wish = {
        .path = g.citations[0].document, .says_readers = true, .readers = STR("tenant:other")};
    uint32_t changed;
    REQUIRE(label_now(rig.knowledge, &wish, &changed, &err) && changed == 1, "%s", err.text);
    REQUIRE(stand_now(rig.knowledge, known, BASE, &ann, &out, &err) && out == MADE_CHANGED);
    REQUIRE(stand_now(rig.knowledge, known, BASE, NULL, &out, &err) && out == MADE_STANDS);
    rig_close(&rig);
}

static void count_changes(void *ctx)
{
    ++*(int *)ctx;
}

TEST(a_document_that_is_taken_out_marks_what_was_made_from_it)
{
    struct err err = {0}, none = {0};
    struct file_info info;
    uint32_t gone = 0;
    int changes = 0;
    struct rig rig;

    REQUIRE(rig_open(&rig));
    struct knowledge_options options = {.dir = rig_path(&rig, "base"),
                                        .readers = {.argv = rig_reader},
                                        .vanish = {.changed = count_changes, .ctx = &changes}};
    knowledge_close(&rig.knowledge);
    REQUIRE(knowledge_open(&options, &rig.knowledge, &err), "%s", err.text);
    rig_write(&rig, "a.md", "# Fees\n\nThe fee is 12 euros.\n");
    rig_write(&rig, "b.md", "# Lunch\n\nLunch is at noon.\n");
    EXPECT(rig_ingest(&rig, "").added == 2 && changes == 0);
    EXPECT(!forget_now(rig.knowledge, STR("docs/c.md"), &gone, &none) && changes == 0);
    EXPECT(forget_now(rig.knowledge, STR("docs/a.md"), &gone, &err) && gone == 1, "%s", err.text);
    EXPECT(changes == 1 && file_stat(rig_path(&rig, "base/" CHANGED), &info, &err),
           "kept answers are not looked through: %d", changes);
    rig_close(&rig);
}
