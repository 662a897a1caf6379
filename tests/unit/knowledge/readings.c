/* Words of a question that no passage has, read as words that passages have, and said so. */
#include "knowledge/readings.h"

#include "base/buf.h"
#include "rig.h"
#include "test.h"

static bool shows(struct str text, const char *words)
{
    return str_find(text, str_from(words)) < text.len;
}

static bool write_documents(struct rig *rig)
{
    return rig_write(
               rig, "claims.md",
               "# Claims\n\n## At home\n\nThe deductible of the household insurance is 150 "
               "euros.\n\n"
               "## Travel\n\nReceipts of the hotel are sent to Ms Möller within 14 days.\n") &&
           rig_write(rig, "money.md",
                     "# Money\n\nIn times of inflation the premiums rise by four percent.\n") &&
           rig_write(rig, "rent.md",
                     "# Rent\n\nThe flat costs 700 euros.\n\nThe fleet is insured by Norda.\n") &&
           rig_ingest(rig, "").added == 3;
}

static const struct {
    const char *question, *told, *quote; /* quote: begins so; NULL: it is refused */
} reading_cases[] = {
    {"What is the deductable of the houshold insurrance?",
     "\"houshold\" was not found and was read as \"household\". "
     "\"insurrance\" was not found and was read as \"insurance\".\n\n",
     "The deductible of the household insurance is 150 euros."},
    {"Who is sent the reciepts of the hotel?",
     "\"reciepts\" was not found and was read as \"Receipts\".\n\n", "Receipts of the hotel"},
    {"What do premiums do in inflationary times?",
     "\"inflationary\" was not found and was read as \"inflation\".\n\n", "In times of inflation"},
    {"When are receipts sent to Moller?",
     "\"Moller\" was not found and was read as \"Möller\".\n\n", "Receipts of the hotel"},
    {"What is the deductible of the household insurance?", "",
     "The deductible of the household insurance is 150 euros."},
    {"Who is the president of Paraguay?", "", NULL},
    {"insurrance 是多少？", "没有找到“insurrance”，按“insurance”查找。\n\n", ""},
};

TEST(words_that_are_nowhere_are_read_as_what_they_look_like_and_said_so)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && write_documents(&rig));
    for (size_t i = 0; i < ARRAY_LEN(reading_cases); i++) {
        struct search_notes notes = {0}, others = {0};
        struct knowledge_question q = {.text = str_from(reading_cases[i].question),
                                       .notes = &notes};
        struct str told = str_from(reading_cases[i].told);
        struct passages_found found = {0};
        struct grounded g = {0};
        struct err err = {0};

        REQUIRE(answer_now(rig.knowledge, rig.arena, &q, &g, &err), "%s", err.text);
        q.notes = &others;
        REQUIRE(search_now(rig.knowledge, rig.arena, &q, 5, &found, &err), "%s", err.text);
        EXPECT(str_starts(g.text, told) && (told.len || !shows(g.text, "was read as")),
               "%s: " STR_FMT, reading_cases[i].question, STR_ARG(g.text));
        EXPECT(notes.count == (told.len > 0) && others.count == notes.count, "%u, %u", notes.count,
               others.count);
        if (told.len)
            EXPECT(str_eq(str_from(notes.at[0]), str_slice(told, 0, told.len - 2)) &&
                       str_eq(str_from(others.at[0]), str_from(notes.at[0])),
                   "%s | %s", notes.at[0], others.at[0]);
        if (!reading_cases[i].quote)
            EXPECT(!g.answered, STR_FMT, STR_ARG(g.text));
        else if (*reading_cases[i].quote)
            EXPECT(g.answered && g.citation_count > 0 &&
                       str_starts(g.citations[0].quote, str_from(reading_cases[i].quote)) &&
                       found.count > 0 && shows(found.list[0].quote, reading_cases[i].quote),
                   "%s: " STR_FMT, reading_cases[i].question, STR_ARG(g.text));
    }
}

/* What was looked up once is given again, a word that is right and one that is not apart. */
TEST(what_was_looked_up_for_a_question_is_remembered)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(rig_open(&rig) && write_documents(&rig) && analyser_open(&analyser, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    struct readings_memo memo = {.arena = rig.arena};
    const struct access plain = {.view = view}, remembers = {.view = view, .memo = &memo};
    for (int round = 0; round < 3; round++) {
        struct terms terms;
        struct readings want, got;

        REQUIRE(analyser_terms(analyser, rig.arena, STR("houshold inflationary reciepts times"),
                               &terms, &err));
        REQUIRE(readings_find(&plain, rig.arena, &terms, &want, &err), "%s", err.text);
        REQUIRE(readings_find(&remembers, rig.arena, &terms, &got, &err), "%s", err.text);
        REQUIRE(want.count >= 3 && got.count == want.count, "%zu", got.count);
        for (size_t i = 0; i < want.count; i++)
            EXPECT(str_eq(got.at[i].as.text, want.at[i].as.text) &&
                       got.at[i].is_spelling == want.at[i].is_spelling &&
                       got.at[i].term == want.at[i].term,
                   "%d: " STR_FMT, round, STR_ARG(got.at[i].as.text));
        EXPECT(memo.count >= 3 && memo.count <= terms.count, "%zu", memo.count);
    }
}

/* What somebody insists on is what he means. */
TEST(quoted_words_are_read_as_nothing_else)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct search_notes notes = {0};
    struct knowledge_question q = {.text = STR("\"houshold\" insurrance"), .notes = &notes};
    struct passages_found found = {0};
    struct err err = {0};

    REQUIRE(rig_open(&rig) && write_documents(&rig));
    REQUIRE(search_now(rig.knowledge, rig.arena, &q, 5, &found, &err), "%s", err.text);
    EXPECT(found.count == 0 && notes.count == 0);
}

TEST(each_part_of_a_question_says_how_it_was_read)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && write_documents(&rig));
    struct grounded g = rig_ask(
        &rig, "What is the deductible of the houshold insurance and what does the flatt cost?");
    EXPECT(g.part_count == 2, STR_FMT, STR_ARG(g.text));
    EXPECT(shows(g.text, "\"houshold\" was not found and was read as \"household\"."), STR_FMT,
           STR_ARG(g.text));
    EXPECT(shows(g.text, "\"flatt\" was not found and was read as \"flat\"."), STR_FMT,
           STR_ARG(g.text));
}

TEST(more_words_than_are_looked_up_are_told)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct search_notes notes = {0};
    struct knowledge_question q = {
        .text = STR("aaaaaq bbbbbq cccccq dddddq eeeeeq fffffq gggggq hhhhhq inssurance"),
        .notes = &notes};
    struct passages_found found = {0};
    struct err err = {0};

    REQUIRE(rig_open(&rig) && write_documents(&rig));
    REQUIRE(search_now(rig.knowledge, rig.arena, &q, 5, &found, &err), "%s", err.text);
    EXPECT(notes.count == 1 && shows(str_from(notes.at[0]), "the first 8"), "%u", notes.count);
    q.text = str_slice(q.text, 7, q.text.len);
    notes.count = 0;
    REQUIRE(search_now(rig.knowledge, rig.arena, &q, 5, &found, &err), "%s", err.text);
    EXPECT(notes.count == 1 && shows(str_from(notes.at[0]), "\"insurance\"") && found.count == 2,
           "%u", notes.count);
}

/* A word that went with its document is read as nothing. */
TEST(forgotten_words_are_not_what_others_are_read_as)
{
    struct rig rig CLEANUP(rig_close) = {0};
    uint32_t gone = 0;
    struct err err = {0};

    REQUIRE(rig_open(&rig) && write_documents(&rig));
    EXPECT(shows(rig_ask(&rig, "Who insures the fleeet?").text, "read as \"fleet\""));
    REQUIRE(forget_now(rig.knowledge, STR("docs/rent.md"), &gone, &err) && gone == 1);
    EXPECT(!shows(rig_ask(&rig, "Who insures the fleeet?").text, "fleet\""));
}
