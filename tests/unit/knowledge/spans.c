/* The words marked in an answer, and the verdicts: by what is asked for, exact in the file's bytes. */
#include <string.h>

#include "knowledge/settle.h"
#include "rig.h"
#include "test.h"

static const struct {
    const char *question, *words; /* NULL: none may be marked */
} asked[] = {
    {"How many days of leave do employees get?", "28"},
    {"When was the company founded?", "1987"},
    {"Who founded the company?", "Ingrid Solheim"},
    {"Where is the main office?", "Bergen"},
    {"What percentage of premiums is paid back?", "12"},
    {"Is the office open on Sunday?", NULL},
    {"公司成立于哪一年？", "1987年"},
    {"员工每年有多少天年假？", "28天"},
    {"公司成立的时间", "1987年"},
};
static const char text[] =
    "# Facts\n\nThe company was founded in 1987 by Ingrid Solheim. Employees get **28 days** of "
    "leave a "
    "year.\nThe main office is in Bergen. The office is open on Saturday and not open on Sunday.\n"
    "About 12 percent of premiums is paid back.\n";
static const char chinese[] = "# 公司\n\n公司成立于1987年，总部在上海。员工每年有28天年假。\n";

static const struct citation *marked(const struct grounded *g)
{
    const struct citation *found = NULL;

    for (size_t i = 0; i < g->citation_count; i++) {
        if (!g->citations[i].words.text.len)
            continue;
        EXPECT(!found, "more than one citation is marked");
        found = &g->citations[i];
    }
    return found;
}

static struct str file_of(const struct citation *c)
{
    return str_find(c->path, STR("zh.md")) < c->path.len ? str_from(chinese) : str_from(text);
}

TEST(words_that_answer_are_marked)
{
    struct rig rig;

    REQUIRE(rig_open(&rig));
    REQUIRE(rig_write(&rig, "en.md", text) && rig_write(&rig, "zh.md", chinese));
    EXPECT(rig_ingest(&rig, "").added == 2);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct grounded g = rig_ask(&rig, asked[i].question);
        const struct citation *c = marked(&g);

        if (!asked[i].words || !c) {
            EXPECT(!asked[i].words && !c, "%s", asked[i].question);
            continue;
        }
        const struct citation_words *w = &c->words;
        EXPECT(str_eq(w->text, str_from(asked[i].words)), "%s: " STR_FMT, asked[i].question,
               STR_ARG(w->text));
        EXPECT(str_eq(str_slice(c->quote, w->quote_first, w->quote_end), w->text));
        EXPECT(str_eq(str_slice(file_of(c), w->byte_first, w->byte_end), w->text), "%s",
               asked[i].question);
        EXPECT(w->byte_first >= c->byte_first && w->byte_end <= c->byte_end);
    }
    rig_close(&rig);
}

TEST(words_of_a_refusal_are_not_marked)
{
    struct rig rig;

    REQUIRE(rig_open(&rig));
    REQUIRE(rig_write(&rig, "en.md", text));
    EXPECT(rig_ingest(&rig, "").added == 1);
    struct grounded g = rig_ask(&rig, "Who painted the ceiling of the chapel in Rome?");
    EXPECT(!g.answered && !marked(&g));
    rig_close(&rig);
}

static const struct {
    const char *name, *says, *question;
    enum polarity want;
} verdicts[] = {
    {"its own words", "Water damage is covered.", "Is water damage covered?", POLARITY_YES},
    {"everywhere", "Water damage is covered in all plans.", "Is water damage covered?",
     POLARITY_YES},
    {"denied", "Water damage is not covered.", "Is water damage covered?", POLARITY_NO},
    {"never", "Rain through an open window is never covered.",
     "Is rain through an open window covered?", POLARITY_NO},
    {"do", "The plan covers theft.", "Does the plan cover theft?", POLARITY_YES},
    {"do not", "The plan does not cover theft.", "Does the plan cover theft?", POLARITY_NO},
    {"a condition", "Water damage is covered if the home was heated.", "Is water damage covered?",
     POLARITY_NONE},
    {"before it", "In the plan Plus water damage is covered.", "Is water damage covered?",
     POLARITY_NONE},
    {"a part", "Water damage is covered in Japan.", "Is water damage covered?", POLARITY_NONE},
    {"hardly", "Water damage is hardly covered.", "Is water damage covered?", POLARITY_NONE},
    {"twice denied", "Water damage is not never covered.", "Is water damage covered?",
     POLARITY_NONE},
    {"the other way round", "Dogs bite cats.", "Do cats bite dogs?", POLARITY_NONE},
    {"another modal", "Guests may smoke.", "Must guests smoke?", POLARITY_NONE},
    {"another time", "Water damage was covered.", "Is water damage covered?", POLARITY_NONE},
    {"a denied question", "Water damage is covered.", "Is water damage not covered?",
     POLARITY_NONE},
    {"a longer question", "Water damage is covered.", "Is water damage covered in winter?",
     POLARITY_NONE},
    {"whose", "Water damage is covered.", "What is covered?", POLARITY_NONE},
    {"Chinese", "年假可以结转。", "年假是否可以结转？", POLARITY_YES},
    {"Chinese, at the end", "年假可以结转。", "年假可以结转吗？", POLARITY_YES},
    {"Chinese, denied", "年假不可以结转。", "年假可以结转吗？", POLARITY_NO},
    {"Chinese, a condition", "年假经批准可以结转。", "年假可以结转吗？", POLARITY_NONE},
    {"Chinese, more", "年假可以结转到三月。", "年假可以结转吗？", POLARITY_NONE},
};

TEST(a_verdict_only_word_by_word)
{
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        struct rig rig;
        struct grounded g;

        REQUIRE(rig_open(&rig));
        REQUIRE(rig_write(&rig, "a.txt", verdicts[i].says));
        EXPECT(rig_ingest(&rig, "").passages == 1);
        g = rig_ask(&rig, verdicts[i].question);
        EXPECT(g.answered || verdicts[i].want == POLARITY_NONE, "%s: refused", verdicts[i].name);
        EXPECT(g.verdict == verdicts[i].want, "%s: %d", verdicts[i].name, (int)g.verdict);
        EXPECT(str_starts(g.text, STR("Yes: ")) + str_starts(g.text, STR("是：")) ==
                   (g.verdict == POLARITY_YES),
               "%s", verdicts[i].name);
        rig_close(&rig);
    }
}

/* Four sentences by their scores; the first says nothing, the third has the best phrase. */
static void fill_settling(struct candidate ranked[4], struct span_choice *spans)
{
    static const float scores[] = {5, 4.9f, 4.8f, -20}, phrases[] = {0, -5, 3, 2};

    *spans = (struct span_choice){.count = 2};
    for (size_t i = 0; i < 4; i++) {
        ranked[i] = (struct candidate){.sentence = i, .score = scores[i]};
        if (i > 0)
            spans->of[i] = (struct span){
                .sentence = &ranked[i], .words = 1, .score = phrases[i], .from = (uint32_t)i};
    }
    spans->best[0] = spans->of[2];
    spans->best[1] = spans->of[3];
}

TEST(a_sentence_without_an_answer_steps_back)
{
    struct candidate ranked[4];
    struct span_choice spans;

    fill_settling(ranked, &spans);
    EXPECT(settle_distance(&spans, 0) <= -SETTLE_FAR && settle_distance(&spans, 2) >= 0);
    sentences_settle(language_number(STR("zh")), ranked, 4, &spans);
    EXPECT(ranked[0].sentence == 2, "%zu", ranked[0].sentence);
    EXPECT(ranked[3].sentence == 3, "%zu", ranked[3].sentence);
    for (size_t i = 1; i < 4; i++)
        EXPECT(ranked[i].score <= ranked[i - 1].score, "%zu", i);
    for (size_t i = 0; i < 4; i++)
        EXPECT(!spans.of[i].words ||
                   (spans.of[i].sentence == &ranked[i] && spans.of[i].from == ranked[i].sentence),
               "%zu", i);
    EXPECT(spans.best[0].sentence == &ranked[0]);
    EXPECT(spans.best[1].sentence == &ranked[3]);
}

TEST(where_nothing_is_learned_nothing_moves)
{
    struct candidate ranked[4];
    struct span_choice spans;

    fill_settling(ranked, &spans);
    sentences_settle(language_number(STR("en")), ranked, 4, &spans);
    spans.count = 0;
    sentences_settle(language_number(STR("zh")), ranked, 4, &spans);
    for (size_t i = 0; i < 4; i++)
        EXPECT(ranked[i].sentence == i, "%zu", i);
}
