/* What is answered by its place: rows, bounds, counts, lists, contacts; and what a refusal names. */
#include "knowledge/answer.h"
#include "knowledge/covering.h"
#include "rig.h"
#include "test.h"

static const char offices[] =
    "# Offices\n\n## Our offices\n\n"
    "| Office | City | Telephone | Opens |\n|---|---|---|---|\n"
    "| North | Oslo | +47 22 5550 10 | 8:00 |\n| South | Rome | +39 06 5550 20 | 9:00 |\n"
    "| South East | Athens | +30 21 5550 30 | 7:00 |\n\n"
    "## Purchases\n\nFor purchases:\n\n"
    "- up to EUR 500 the buyer signs,\n- up to EUR 5,000 the team lead signs,\n"
    "- above EUR 5,000 the director signs.\n\n"
    "## Parking\n\nA space is free for cars that stay less than 3 hours. After a breakdown in the "
    "garage "
    "call +47 22 5550 99.\n\n"
    "## Reasons for absence\n\nPaid time off is given for:\n\n"
    "- jury duty: 3 days,\n- moving: 1 day,\n- exams: 2 days.\n";

struct asking {
    const char *question;
    const char *has[3]; /* of the answer's text; none: refused */
    const char *lacks;
};

static bool shows(struct str text, const char *what)
{
    return str_find(text, str_from(what)) < text.len;
}

static void ask_all(struct rig *rig, const struct asking *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct grounded g = rig_ask(rig, cases[i].question);

        EXPECT(g.answered == (cases[i].has[0] != NULL), "%s: " STR_FMT, cases[i].question,
               STR_ARG(g.text));
        for (size_t k = 0; k < ARRAY_LEN(cases[i].has) && cases[i].has[k]; k++)
            EXPECT(shows(g.text, cases[i].has[k]), "%s: no %s in " STR_FMT, cases[i].question,
                   cases[i].has[k], STR_ARG(g.text));
        EXPECT(!cases[i].lacks || !shows(g.text, cases[i].lacks), "%s: %s in " STR_FMT,
               cases[i].question, cases[i].lacks, STR_ARG(g.text));
    }
}

TEST(english_picks)
{
    static const struct asking cases[] = {
        {"Compare the telephone of North and South", {"22 5550 10", "06 5550 20"}, "21 5550 30"},
        {"When do North and South East open?", {"8:00", "7:00"}, "9:00"},
        {"Who signs a purchase of 300 euros?", {"the buyer"}, "director"},
        {"Who signs a purchase of EUR 500?", {"the buyer"}, "team lead"},
        {"Who signs a purchase of 501 euros?", {"the team lead"}, "buyer"},
        {"Who signs purchases of more than 5k?", {"the director"}, "team lead"},
        {"Who signs purchases above 400 euros?",
         {"the buyer", "the team lead", "the director"},
         NULL},
        {"How many offices are there?", {"3, counted as the rows", "Athens"}, NULL},
        {"How many reasons for absence are there?", {"3, counted as the items", "jury duty"}, NULL},
        {"How many offices are there in Spain?", {NULL}, "counted"},
        {"Whom do I call after a breakdown in the garage?", {"22 5550 99"}, "5550 10"},
        {"Do I get time off for moving?", {"moving: 1 day"}, "jury"},
        {"Do I get time off for a funeral?", {NULL}, NULL},
    };
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && rig_write(&rig, "offices.md", offices));
    EXPECT(rig_ingest(&rig, "").added == 1);
    ask_all(&rig, cases, ARRAY_LEN(cases));
    struct grounded g = rig_ask(&rig, "Do I get time off for a funeral?");
    EXPECT(shows(g.text, "They do not mention \"funeral\"."), STR_FMT, STR_ARG(g.text));
}

static const char shops[] =
    "# 门店\n\n## 我们的门店\n\n"
    "| 门店 | 电话 | 开门时间 |\n|---|---|---|\n"
    "| 城东店 | 010-5550-1000 | 8:00 |\n| 城西店 | 010-5550-2000 | 9:00 |\n\n"
    "## 采购\n\n采购的签字权限：\n\n"
    "- 5,000 元以下由采购员签字；\n- 5 万元以下由经理签字；\n- 5 万元以上由总监签字。\n\n"
    "## 请假事由\n\n以下情况给予带薪假：\n\n- 陪审：3 天；\n- 搬家：1 天；\n- 考试：2 天。\n";

TEST(chinese_picks)
{
    static const struct asking cases[] = {
        {"比较城东店和城西店的电话", {"5550-1000", "5550-2000"}, NULL},
        {"采购金额3000元由谁签字？", {"采购员"}, "总监"},
        {"2万元的采购由谁签字？", {"由经理"}, "采购员"},
        {"采购超过6万元由谁签字？", {"总监"}, "由经理"},
        {"门店一共有几家？", {"2（", "城东店"}, NULL},
        {"搬家有带薪假吗？", {"搬家：1 天"}, "考试"},
        {"结婚有带薪假吗？", {NULL}, NULL},
    };
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && rig_write(&rig, "shops.md", shops));
    EXPECT(rig_ingest(&rig, "").added == 1);
    ask_all(&rig, cases, ARRAY_LEN(cases));
    struct grounded g = rig_ask(&rig, "结婚有带薪假吗？");
    EXPECT(shows(g.text, "文档中没有提到“结婚”。"), STR_FMT, STR_ARG(g.text));
}

/* A table that is cut into several passages is whole in none of them. */
TEST(what_is_not_whole_is_not_counted)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct buf b;

    REQUIRE(rig_open(&rig));
    buf_init(&b, rig.arena, MIB);
    buf_str(&b, STR("# Depots\n\n## Depots\n\n| Depot | Street |\n|---|---|\n"));
    for (int i = 0; i < 60; i++)
        buf_fmt(&b, "| D%d | Long street of many words in the town of number %d, %d |\n", i, i, i);
    REQUIRE(buf_ok(&b) && rig_write_bytes(&rig, "depots.md", buf_view(&b)));
    EXPECT(rig_ingest(&rig, "").added == 1);
    struct grounded g = rig_ask(&rig, "How many depots are there?");
    EXPECT(!shows(g.text, "counted"), STR_FMT, STR_ARG(g.text));
}

static void ask_in(const char *text, const struct asking *cases, size_t count)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && rig_write(&rig, "text.md", text));
    EXPECT(rig_ingest(&rig, "").added == 1);
    ask_all(&rig, cases, count);
}

static const char limits[] =
    "# Limits\n\n## Purchases\n\nFor purchases:\n\n"
    "- not exceeding EUR 500 the buyer signs,\n- not exceeding EUR 5,000 the team lead signs,\n"
    "- above EUR 5,000 the director signs.\n\n"
    "## 采购\n\n采购的签字权限：\n\n"
    "- 不高于 5,000 元由采购员签字；\n- 不高于 5 万元由经理签字；\n- 高于 5 万元由总监签字。\n";

TEST(bounds_that_are_said_with_not)
{
    static const struct asking cases[] = {
        {"Who signs a purchase of 300 euros?", {"the buyer"}, "director"},
        {"Who signs a purchase of 700 euros?", {"the team lead"}, "buyer"},
        {"2万元的采购由谁签字？", {"由经理"}, "采购员"},
    };

    ask_in(limits, cases, ARRAY_LEN(cases));
}

TEST(amounts_in_groups_behind_spaces)
{
    static const char refunds[] =
        "# Refunds\n\nFor refunds:\n\n- up to EUR 500 the clerk decides,\n"
        "- up to EUR 5 000 the supervisor decides,\n"
        "- above EUR 5 000 the board decides.\n";
    static const struct asking cases[] = {
        {"Who decides a refund of 10 000 euros?", {"the board"}, "clerk"},
        {"Who decides a refund of EUR 2 500?", {"the supervisor"}, "clerk"},
    };

    ask_in(refunds, cases, ARRAY_LEN(cases));
}

TEST(a_row_is_picked_once)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && rig_write(&rig, "offices.md", offices));
    EXPECT(rig_ingest(&rig, "").added == 1);
    struct grounded g = rig_ask(&rig, "Who signs a purchase of 300 euros or of 350 euros?");
    EXPECT(g.answered && g.citation_count == 1, STR_FMT, STR_ARG(g.text));
}

TEST(a_year_is_no_amount)
{
    static const struct asking cases[] = {
        {"Who signs a purchase of 300 euros in 2026?", {"the buyer"}, "team lead"},
    };

    ask_in(offices, cases, ARRAY_LEN(cases));
}

TEST(rows_beside_an_empty_first_cell_are_not_all)
{
    static const char depots[] = "# Depots\n\n## Our depots\n\n| Depot | Street |\n|---|---|\n"
                                 "| Alba | Hill |\n| Bora | Lake |\n| | Mill |\n| Cita | Dock |\n";
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(rig_open(&rig) && rig_write(&rig, "depots.md", depots));
    EXPECT(rig_ingest(&rig, "").added == 1);
    struct grounded g = rig_ask(&rig, "How many depots are there?");
    EXPECT(!shows(g.text, "counted"), STR_FMT, STR_ARG(g.text));
    g = rig_ask(&rig, "What are the depots?");
    EXPECT(!shows(g.text, "Bora") || shows(g.text, "Cita"), STR_FMT, STR_ARG(g.text));
}

TEST(totals_are_not_counted)
{
    static const char vans[] =
        "# Vans\n\n## Our vans\n\n| Van | Seats |\n|---|---|\n| Red | 3 |\n| Blue | 5 |\n"
        "| Total | 8 |\n\n## 我们的货车\n\n| 货车 | 座位 |\n|---|---|\n| 红车 | 3 |\n| 蓝车 | 5 |\n"
        "| 合计 | 8 |\n";
    static const struct asking cases[] = {
        {"How many vans are there?", {"2, counted as the rows", "Blue"}, "Total"},
        {"货车一共有几个？", {"2（", "蓝车"}, "合计"},
    };

    ask_in(vans, cases, ARRAY_LEN(cases));
}

TEST(everyday_words_name_no_row)
{
    static const char departments[] =
        "# Departments\n\n| Department | Head | Floor |\n|---|---|---|\n| IT | Ann Lee | 3 |\n"
        "| Finance | Bob Ray | 4 |\n| HR | Cy Poe | 5 |\n";
    static const struct asking cases[] = {
        {"On which floor is the Finance department and who is the head of it?",
         {"Bob Ray"},
         "Ann Lee"},
        {"Compare the floor of IT and Finance", {"Ann Lee", "Bob Ray"}, "Cy Poe"},
    };

    ask_in(departments, cases, ARRAY_LEN(cases));
}

TEST(what_is_picked_for_a_part_is_told_whole)
{
    static const struct asking cases[] = {
        {"How many offices are there, and who signs a purchase of 300 euros?",
         {"3, counted as the rows", "Athens", "the buyer"},
         NULL},
        {"Who signs purchases above 400 euros, and when does North open?",
         {"the buyer", "the director", "8:00"},
         NULL},
    };

    ask_in(offices, cases, ARRAY_LEN(cases));
}

TEST(a_bound_of_another_unit_ends_no_row)
{
    static const char leave[] =
        "# Leave\n\nFor unpaid leave:\n\n- up to 2 weeks the foreman approves,\n"
        "- up to 3 months the director approves,\n"
        "- above 3 months the board approves.\n";
    static const struct asking cases[] = {
        {"Who approves unpaid leave of 1 month?", {"the director"}, "foreman"},
        {"Who approves unpaid leave of 2 months?", {"the director"}, "board"},
    };

    ask_in(leave, cases, ARRAY_LEN(cases));
}

TEST(a_list_is_told_to_its_end)
{
    static const char claims[] =
        "# Claims\n\n## Documents\n\nFor a claim after a theft you need:\n\n- the policy number,\n"
        "- the police report,\n- a list of the stolen things,\n- the receipts,\n- photographs,\n"
        "- the keys,\n- your bank account,\n- the name of the landlord,\n- the lease,\n"
        "- a signed statement.\n";
    static const struct asking cases[] = {
        {"What do I need for a claim after a theft?", {"policy number", "signed statement"}, NULL},
    };

    ask_in(claims, cases, ARRAY_LEN(cases));
}

/* Who writes a letter and asks at its end is told that nobody has read so far. */
TEST(a_question_that_is_not_read_to_its_end_says_so)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct search_notes notes = {0};
    struct knowledge_question question = {.notes = &notes};
    struct passages_found found;
    struct briefing briefing;
    struct grounded g;
    struct err err = {0};
    struct buf b;

    if (!rig_open(&rig))
        return;
    rig_write(&rig, "visa.md", "# Work visa\n\nA work visa costs 80 euros.\n");
    EXPECT(rig_ingest(&rig, "").added == 1);
    buf_init(&b, rig.arena, 64 * KIB);
    while (b.len < 3950)
        buf_str(&b, STR("What does it cost? "));
    question.text = buf_view(&b);
    EXPECT(answer_now(rig.knowledge, rig.arena, &question, &g, &err), "%s", err.text);
    EXPECT(notes.count == 0);
    buf_str(&b, STR("And before I forget it: what does a work visa cost, and when?"));
    question.text = buf_view(&b);
    EXPECT(search_now(rig.knowledge, rig.arena, &question, 5, &found, &err), "%s", err.text);
    EXPECT(notes.count == 1 && strstr(notes.at[0], "first 4,000 bytes"));
    notes.count = 0;
    EXPECT(answer_now(rig.knowledge, rig.arena, &question, &g, &err), "%s", err.text);
    EXPECT(notes.count == 1);
    notes.count = 0;
    EXPECT(brief_now(rig.knowledge, rig.arena, &question, &briefing, &err), "%s", err.text);
    EXPECT(notes.count == 1);
}

/* Longer than is shown, and longer than a passage: what is shown is not taken for the whole. */
TEST(a_list_that_is_not_told_to_its_end_says_so)
{
    static const struct {
        const char *name;
        int items;
        const char *more; /* of each */
        bool goes_on;
    } cases[] = {
        {"whole", 20, "", false},
        {"more items than are shown", 70, "", true},
        {"more than a passage has", 90, ", as the office gives it", true},
        {"as many as are shown", 64, "", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig CLEANUP(rig_close) = {0};
        struct buf b;

        if (!rig_open(&rig))
            return;
        buf_init(&b, rig.arena, 64 * KIB);
        buf_str(&b, STR("# Parking permit\n\nFor a parking permit you need:\n\n"));
        for (int k = 1; k <= cases[i].items; k++)
            buf_fmt(&b, "- paper %d%s\n", k, cases[i].more);
        buf_char(&b, 0);
        rig_write(&rig, "permits.md", b.ptr);
        rig_write(&rig, "visa.md", "# Work visa\n\nFor a work visa you need:\n\n- a passport\n");
        EXPECT(rig_ingest(&rig, "").added == 2);
        struct grounded g = rig_ask(&rig, "What do you need for a parking permit?");
        EXPECT(g.answered && g.citation_count == 1, "%s", cases[i].name);
        EXPECT(g.citations[0].goes_on == cases[i].goes_on, "%s: " STR_FMT, cases[i].name,
               STR_ARG(g.text));
        EXPECT((str_find(g.text, STR("\n- … [1]")) < g.text.len) == cases[i].goes_on, "%s",
               cases[i].name);
    }
}

TEST(amounts_of_several_scales)
{
    static const struct asking cases[] = {
        {"1万5千元的采购由谁签字？", {"由经理"}, "采购员"},
    };

    ask_in(shops, cases, ARRAY_LEN(cases));
}

/* --- attributes ------------------------------------------------------------------------------- */

TEST(a_line_is_asked_for_by_words_and_not_by_parts_of_them)
{
    static const struct {
        const char *question;
        enum attribute attribute;
    } cases[] = {
        {"Whom do I call about a claim?", ATTRIBUTE_TELEPHONE},
        {"Who is called after a breakdown?", ATTRIBUTE_TELEPHONE},
        {"What is the Telephone number of the office in Rome?", ATTRIBUTE_TELEPHONE},
        {"Who decides on a recall of products?", ATTRIBUTE_NONE},
        {"Who may systematically inspect parcels?", ATTRIBUTE_NONE},
        {"Which microphones may be borrowed?", ATTRIBUTE_NONE},
        {"How long is a radial tyre used?", ATTRIBUTE_NONE},
        {"该打哪个电话？", ATTRIBUTE_TELEPHONE},
        {"Which e-mail address is for claims?", ATTRIBUTE_MAIL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(attribute_asked(str_from(cases[i].question)) == cases[i].attribute, "%s: %d",
               cases[i].question, (int)attribute_asked(str_from(cases[i].question)));
}

/* --- quotes ----------------------------------------------------------------------------------- */

/* An item that was cut in two has no space where it was cut, and the item behind it has one. */
TEST(a_place_in_a_quote_counts_what_stands_between_blocks)
{
    struct run runs[] = {{0, 3, 0, 3, 1, 1, 1}, {0, 4, 3, 4, 1, 1, 1}, {0, 5, 10, 5, 2, 1, 1}};
    const char *const texts[] = {"one", "two.", "three"};
    struct block blocks[ARRAY_LEN(runs)];
    struct found found = {.passage = {.blocks = blocks, .count = ARRAY_LEN(blocks)}};
    struct sentence first = {.block = 0, .from = 1, .to = 3};

    for (size_t i = 0; i < ARRAY_LEN(runs); i++)
        blocks[i] = (struct block){.kind = BLOCK_ITEM,
                                   .level = 1,
                                   .text = str_from(texts[i]),
                                   .runs = &runs[i],
                                   .run_count = 1};
    /* "netwo. three" */
    EXPECT(cite_place(&found, first, 0, 2) == 1);
    EXPECT(cite_place(&found, first, 1, 0) == 2, "%zu", cite_place(&found, first, 1, 0));
    EXPECT(cite_place(&found, first, 2, 1) == 8, "%zu", cite_place(&found, first, 2, 1));
}
