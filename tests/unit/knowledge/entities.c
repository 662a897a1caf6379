#include "knowledge/entities.h"

#include <string.h>

#include "test.h"

/* Names of a document's passages: those of headings, "|", then those of sentences in order, ";" between. */
static struct str names_of(struct arena *arena, const char *text)
{
    struct document d;
    struct passage *passages;
    struct mentions *m;
    struct err err = {0};
    struct buf b;
    size_t count;

    if (!document_read(arena, str_from(text), DOCUMENT_MARKDOWN, &d, &err) ||
        !passages_cut(arena, &d, &passages, &count, &err) ||
        !entities_find(arena, &d, passages, count, &m, &err)) {
        EXPECT(false, "%s", err.text);
        return STR_NONE;
    }
    buf_init(&b, arena, MIB);
    for (size_t p = 0; p < count; p++) {
        buf_str(&b, p ? STR("\n") : STR(""));
        for (size_t i = 0; i < m[p].head_count; i++)
            buf_fmt(&b, "%s" STR_FMT, i ? ";" : "", STR_ARG(m[p].names[m[p].head[i]]));
        for (size_t s = 0; s < m[p].sentence_count; s++)
            for (size_t i = 0; i < m[p].sentences[s].count; i++)
                buf_fmt(&b, "%s" STR_FMT, i ? ";" : "|",
                        STR_ARG(m[p].names[m[p].sentences[s].names[i]]));
    }
    return buf_view(&b);
}

static const struct {
    const char *name, *text, *want;
} cases[] = {
    {"a run of capitals", "We asked the Bank of England about it.", "|bank of england"},
    {"the beginning of a sentence says nothing", "Claims are paid.", ""},
    {"unless it is one elsewhere", "Acme pays. We like Acme.", "|acme|acme"},
    {"an article does not belong", "The Basel Committee met.", "|basel committee"},
    {"an abbreviation means the name", "The Basel Committee on Banking (BCB) met. The BCB decided.",
     "|basel committee on banking;bcb|bcb;basel committee on banking"},
    {"defined", "The Basel Committee (BC) met. Later BC decided.",
     "|basel committee;bc|bc;basel committee"},
    {"a surname means the person", "We met Ingrid Solheim. Ms Solheim agreed.",
     "|ingrid solheim|solheim;ingrid solheim"},
    {"not when there are two", "We met Ingrid Solheim and Ada Solheim. Then Solheim left.",
     "|ada solheim;ingrid solheim|solheim"},
    {"initials", "We saw H. Walker there.", "|h walker"},
    {"legal form", "We bought Green Fields Ltd. in June 2021.", "|green fields"},
    {"dates are no names", "It was on Monday in June.", ""},
    {"a number that belongs", "We follow ISO 27001 here.", "|iso 27001"},
    {"quoted", "It is called \"blue box\" here.", "|blue box"},
    {"possessive", "See the Acme Group's plan.", "|acme group"},
    {"code is no prose", "```\nclass FooBar Baz\n```\n", ""},
    {"organisation", "公司收购了草莓文化传媒有限公司。", "|草莓文化传媒;草莓文化传媒有限公司"},
    {"book title", "根据《保险法》办理。", "|保险法"},
    {"short form", "华夏娱乐有限公司成立于2001年。我们喜欢华夏娱乐。",
     "|华夏娱乐;华夏娱乐有限公司|华夏娱乐;华夏娱乐有限公司"},
    {"defined short form", "银杏市正源机械厂集团（以下简称“正源”）招聘。正源很大。",
     "正源;银杏市正源机械厂集团|正源;银杏市正源机械厂集团;银杏市正源机械厂|正源;"
     "银杏市正源机械厂集团"},
    {"a role before", "理赔总监是沈若兰，她很忙。", "|沈若兰"},
    {"a role behind", "请找王小明先生。", "|王小明"},
    {"unnamed", "被告人谈某到庭。", "|谈某"},
    {"year before", "2017年度华夏银行盈利。", "|华夏银行"},
    {"mixed", "结合ACME研发有限公司的报告。", "|acme;acme研发;acme研发有限公司"},
    {"headings", "# Leave\n\n## Sick Pay\n\nhello there\n", "leave;sick pay"},
    {"subject",
     "# Report\n\nGreen Fields grew. In May Green Fields hired. So Green Fields won.\n\n## "
     "Risks\n\n"
     "The company has risks.\n",
     "green fields;report|green fields|green fields|green fields\ngreen fields;report;risks"},
};

TEST(names_are_found)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct str got = names_of(arena, cases[i].text);

        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
    }
}

static const struct {
    const char *text, *key;
} keys[] = {
    {"Bank of England", "bank of england"},
    {"Acme's", "acme"},
    {"R.B.A.", "rba"},
    {"COVID-19", "covid-19"},
    {"  A  &  B ", "a & b"},
    {"Österreich", "österreich"},
    {"ＡＣＭＥ研发", "acme研发"},
    {"华夏 娱乐", "华夏娱乐"},
    {"R&D", "r&d"},
    {"O'Neill", "oneill"},
    {"...", ""},
    {"", ""},
    {"bad \xFF bytes", "bad bytes"},
};

TEST(keys_do_not_depend_on_writing)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct str got = STR_NONE;

        REQUIRE(name_key(arena, str_from(keys[i].text), &got, NULL));
        EXPECT(str_eq(got, str_from(keys[i].key)), "%s: " STR_FMT, keys[i].text, STR_ARG(got));
    }
    EXPECT(str_eq(name_stem(STR("acme solutions co inc")), STR("acme solutions")));
}

TEST(mentions_survive_their_record)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    uint32_t head[] = {1}, first[] = {0, 2}, second[] = {1};
    struct str names[] = {STR("acme"), STR("草莓"), STR("x 1")};
    struct mention_sentence sentences[] = {{0, 3, 20, first, 2}, {300, 0, 70000, second, 1}};
    struct mentions m = {names, 3, head, 1, sentences, 2}, got;
    struct run run = {.text_len = 5, .source_len = 5, .line = 1};
    struct block block = {
        .kind = BLOCK_PARAGRAPH, .text = STR("hello"), .runs = &run, .run_count = 1};
    struct passage passage = {.heading = STR("h"), .blocks = &block, .count = 1}, read;
    struct buf b;

    buf_init(&b, arena, MIB);
    passage_write(&b, &passage);
    REQUIRE(mentions_read(arena, buf_view(&b), &got) && got.count == 0); /* of before */
    mentions_write(&b, &m);
    struct str record = buf_view(&b);
    REQUIRE(mentions_read(arena, record, &got) && passage_read(arena, record, &read));
    EXPECT(got.count == 3 && str_eq(got.names[1], STR("草莓")) && got.head_count == 1 &&
           got.head[0] == 1 && got.sentence_count == 2 && got.sentences[1].block == 300 &&
           got.sentences[1].to == 70000 && got.sentences[0].count == 2 &&
           got.sentences[0].names[1] == 2);
    for (size_t len = 0; len < record.len; len++) { /* cut anywhere: refused, or it had ended */
        bool ok = mentions_read(arena, str_slice(record, 0, len), &got);

        EXPECT(!ok || got.count == 0, "%zu bytes", len);
    }
}
