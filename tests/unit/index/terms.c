#include "index/terms.h"

#include <string.h>
#include <unicode/ubrk.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "index/dictionary.h"
#include "test.h"

/* Words that are indexed, then pairs after "|", stop words in brackets. */
static struct str render(struct arena *arena, struct analyser *analyser, const char *text)
{
    struct terms terms;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, MIB);
    if (!analyser_terms(analyser, arena, str_from(text), &terms, &err))
        return STR("failed");
    for (int field = TERM_WORD; field <= TERM_PAIR; field++) {
        if (field == TERM_PAIR)
            buf_str(&b, STR("|"));
        for (size_t i = 0; i < terms.count; i++) {
            const struct term *t = &terms.at[i];

            if ((int)t->field == field)
                buf_fmt(&b, t->stop ? "(" STR_FMT ") " : STR_FMT " ", STR_ARG(t->text));
        }
    }
    return buf_view(&b);
}

TEST(terms)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"stems and stop words", "The claims were handled", "(the) claim (were) handl |"},
        {"possessive is the owner", "the company's rules, employees\xE2\x80\x99 rights",
         "(the) compani rule employe right |"},
        {"contractions fall apart into stop words", "don't", "don (t) |"},
        {"thousands are one number", "EUR 1,500 or 1,500,000.50", "eur 1500 (or) 1500000.50 |"},
        {"a comma that parts two numbers", "1,5 and 2,0000", "1 5 (and) 2 0000 |"},
        {"a number and its unit", "30days B12 7th", "30days b12 7th |"},
        {"full-width forms are folded", "ＡＢＣ１２３", "abc123 |"},
        {"hyphens part words", "follow-up", "follow (up) |"},
        {"one letter and a hyphen do not", "e-mail X-rays", "email xray |"},
        {"accents stay", "Café", "café |"},
        {"chinese words and pairs", "员工年假", "员工 年假 |员工 工年 年假 "},
        {"chinese stop words", "保险的赔偿", "保险 (的) 赔偿 |保险 险的 的赔 赔偿 "},
        {"mixed scripts", "A4纸", "a4 纸 |"},
        {"punctuation ends a run", "年、假", "年 假 |"},
        {"bad bytes part words",
         "a1\xFF"
         "b2",
         "a1 b2 |"},
        {"nothing", "", "|"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = render(arena, analyser, cases[i].text);

        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
    }
}

TEST(terms_are_bounded)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct err err = {0};
    char text[400];

    REQUIRE(analyser_open(&analyser, &err));
    memset(text, 'x', sizeof text);
    REQUIRE(analyser_terms(analyser, arena, (struct str){text, sizeof text}, &terms, &err));
    EXPECT(terms.count == 1 && terms.at[0].text.len == TERM_BYTES_MAX);
}

/* What it met before says nothing of what it meets then. */
TEST(an_analyser_that_was_kept_is_as_good_as_new)
{
    static const char *const texts[] = {"The walkers walked past 1,500 houses", "年假有多少天",
                                        "walking, walkers; 年假 and e-mail"};
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL, *other CLEANUP(analyser_close) = NULL;
    struct analysers all = {.closed = {NULL}};
    struct err err = {0};
    struct terms terms;

    REQUIRE(analyser_open(&other, &err));
    for (int round = 0; round < 200; round++) {
        const char *text = texts[round % 3];

        REQUIRE(analyser_open_kept(&all, &analyser, &err), "%s", err.text);
        struct str got = render(arena, analyser, text);
        EXPECT(str_eq(got, render(arena, other, text)), "%d: " STR_FMT, round, STR_ARG(got));
        analyser_close(&analyser);
        EXPECT(!analyser && all.closed[0] && !all.closed[1]);
    }
    analysers_end(&all);
    EXPECT(!all.closed[0]);
    REQUIRE(analyser_terms(other, arena, STR("whole"), &terms, &err));
}

/* One that is out when they are dropped holds words that are not to be kept either. */
TEST(analysers_that_are_dropped_are_not_kept_later)
{
    struct analysers all = {.closed = {NULL}};
    struct analyser *one, *other;
    struct err err = {0};

    REQUIRE(analyser_open_kept(&all, &one, &err) && analyser_open_kept(&all, &other, &err));
    analyser_close(&other);
    EXPECT(atomic_load(&all.closed[0]) != NULL);
    analysers_drop(&all);
    EXPECT(atomic_load(&all.closed[0]) == NULL, "it was closed");
    analyser_close(&one);
    EXPECT(atomic_load(&all.closed[0]) == NULL, "it was out");
    REQUIRE(analyser_open_kept(&all, &one, &err));
    analyser_close(&one);
    EXPECT(atomic_load(&all.closed[0]) != NULL, "a new one is kept");
    analysers_end(&all);
}

static bool same_terms(const struct terms *a, const struct terms *b)
{
    bool same = a->count == b->count && a->words == b->words;

    for (size_t i = 0; same && i < a->count; i++)
        same = str_eq(a->at[i].text, b->at[i].text) && a->at[i].field == b->at[i].field &&
               a->at[i].position == b->at[i].position && a->at[i].stop == b->at[i].stop;
    return same;
}

/* A part of the text by the cuts of all of it, and by the dictionary. */
static void expect_part(struct arena *arena, struct analyser *analyser, struct str part,
                        struct word_cuts *cuts)
{
    struct terms got, want;
    struct err err = {0};

    EXPECT(analyser_terms_cut(analyser, arena, part, cuts, &got, &err), "%s", err.text);
    EXPECT(analyser_terms(analyser, arena, part, &want, &err), "%s", err.text);
    EXPECT(same_terms(&got, &want), STR_FMT, STR_ARG(part));
}

TEST(parts_are_cut_as_the_whole_was)
{
    static const struct {
        const char *name, *parts[4];
        uint32_t count; /* ideographs */
    } cases[] = {
        {"sentences", {"员工每年有十五天年假。", "保险的赔偿，需要审批！", "谁批准？"}, 22},
        {"scripts", {"A4纸 and 500 pages。", "サーバー室へ。", "국민 연금"}, 11},
        {"full-width forms and a letter that becomes two", {"ＡＢＣ，公司㍿。", "ｶﾞｲﾄﾞ"}, 9},
        {"beyond the basic plane", {"𠮷野家的年假。", "𠀋𠀋"}, 8},
        {"no ideograph", {"Twelve days of leave.", "None."}, 0},
    };
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str packed, whole = STR_NONE;
        struct terms terms;

        for (size_t p = 0; p < 4 && cases[i].parts[p]; p++)
            whole = arena_fmt(arena, STR_FMT "%s\n", STR_ARG(whole), cases[i].parts[p]);
        REQUIRE(analyser_cut(analyser, arena, whole, &terms, &packed, &err), "%s", err.text);
        struct word_cuts cuts = word_cuts_of(packed);
        EXPECT(cuts.count == cases[i].count, "%s: %u", cases[i].name, cuts.count);
        EXPECT((packed.len == 0) == (cuts.count == 0), "%s", cases[i].name);
        for (size_t p = 0; p < 4 && cases[i].parts[p]; p++)
            expect_part(arena, analyser, str_from(cases[i].parts[p]), &cuts);
        EXPECT(cuts.at == cuts.count, "%s: %u", cases[i].name, cuts.at);
    }
}

/* Cuts are believed only where a word begins, and bytes only where they are as many as they say. */
TEST(cuts_that_cannot_be_right_are_not_used)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};
    struct str packed;
    struct terms terms, want;

    REQUIRE(analyser_open(&analyser, &err));
    REQUIRE(analyser_cut(analyser, arena, STR("员工年假"), &terms, &packed, &err));
    for (size_t len = 0; len < packed.len; len++)
        EXPECT(word_cuts_of(str_slice(packed, 0, len)).count == 0, "%zu", len);
    struct word_cuts cuts = word_cuts_of(packed);
    REQUIRE(cuts.count == 4 && cuts.bits[0] == 5);
    cuts.at = 1; /* within a word, and three are left for four */
    expect_part(arena, analyser, STR("员工年假"), &cuts);
    EXPECT(cuts.at == 5);
    expect_part(arena, analyser, STR("年假"), &cuts); /* none are left */
    cuts = (struct word_cuts){(const uint8_t[]){15}, 4, 0};
    REQUIRE(analyser_terms_cut(analyser, arena, STR("员工年假"), &cuts, &terms, &err));
    REQUIRE(analyser_terms(analyser, arena, STR("员工年假"), &want, &err));
    EXPECT(terms.words == 4 && want.words == 2, "as they say: %u, %u", terms.words, want.words);
}

TEST(terms_flags)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err));
    REQUIRE(analyser_terms(analyser, arena, STR("ask Maria about 14 days"), &terms, &err));
    REQUIRE(terms.count == 5);
    EXPECT(!terms.at[0].name && terms.at[1].name);
    EXPECT(terms.at[2].stop && terms.at[3].number && !terms.at[4].number);
    EXPECT(terms.at[4].position == 4 && terms.words == 5);
}

TEST(language)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"How many days of leave?", "en"},  {"年假有多少天？", "zh"},
        {"Kawann Short是谁？", "zh"},       {"", "en"},
        {"what does 保险 mean here", "en"}, {"黑豹队 NFL 2016", "zh"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(str_eq(text_language(str_from(cases[i].text)), str_from(cases[i].want)), "%s",
               cases[i].text);
}

/* --- the dictionary ----------------------------------------------------------------------------- */

/* ICU's own way to cut a run, for comparison. */
static int32_t cut_by_icu(UBreakIterator *icu, const UChar *run, int32_t len,
                          uint16_t ends[DICTIONARY_RUN_MAX])
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t count = 0;

    ubrk_setText(icu, run, len, &status);
    for (int32_t end; (end = ubrk_next(icu)) != UBRK_DONE && count < DICTIONARY_RUN_MAX;)
        ends[count++] = (uint16_t)end;
    return U_SUCCESS(status) ? count : -1;
}

/* Words of every kind come about by chance where characters are frequent ones; the others are rarely in any. */
static UChar some_character(uint64_t *seed)
{
    static const UChar frequent[] = u"的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出"
                                    u"就分对成会可主发年动同工也能下过子说产种面而方后多定"
                                    u"行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现"
                                    u"实加量都两体制机当使点从业本去把性好应开它合还因由其"
                                    u"些然前外天政四日社义事平形相全表间样与关各重新线内数正心反明"
                                    u"看原利比或但质气第向道命此变条只没结解问意建月公无系"
                                    u"軍華電國會學東車馬龍";

    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t n = *seed >> 33;
    if (n % 8 == 0)
        return (UChar)(0x4E00 + n / 8 % (0x9FFF - 0x4E00 + 1));
    return frequent[n / 8 % (ARRAY_LEN(frequent) - 1)];
}

TEST(the_dictionary_cuts_as_icu_does)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct dictionary *dictionary = dictionary_open(arena);
    UErrorCode status = U_ZERO_ERROR;
    UBreakIterator *icu = ubrk_open(UBRK_WORD, "zh", NULL, 0, &status);
    uint64_t seed = 1, words = 0, long_words = 0;

    REQUIRE(dictionary && U_SUCCESS(status));
    for (int round = 0; round < 2000; round++) {
        uint16_t ours[DICTIONARY_RUN_MAX], theirs[DICTIONARY_RUN_MAX];
        int32_t len = 1 + round % (round % 50 ? 60 : DICTIONARY_RUN_MAX);
        UChar run[DICTIONARY_RUN_MAX];

        for (int32_t i = 0; i < len; i++)
            run[i] = some_character(&seed);
        REQUIRE(dictionary_has(run, len));
        int32_t count = dictionary_cut(dictionary, run, len, ours);
        REQUIRE(count == cut_by_icu(icu, run, len, theirs), "round %d", round);
        REQUIRE(memcmp(ours, theirs, (size_t)count * sizeof *ours) == 0, "round %d", round);
        for (int32_t i = 0; i < count; i++)
            long_words += ours[i] - (i ? ours[i - 1] : 0) > 1;
        words += (uint64_t)count;
    }
    EXPECT(long_words > words / 20, "%" PRIu64 " of %" PRIu64 " words", long_words, words);
    ubrk_close(icu);
    dictionary_close(dictionary);
}

TEST(the_dictionary_is_for_unified_ideographs_alone)
{
    static const UChar kana[] = u"漢かな", hangul[] = u"한글", mark[] = u"人々",
                       compatible[] = {0xF900}, pair[] = {0xD840, 0xDC00}, chinese[] = u"人工智能",
                       last[] = {0x9FFF};

    EXPECT(!dictionary_has(kana, 3) && !dictionary_has(hangul, 2) && !dictionary_has(mark, 2));
    EXPECT(!dictionary_has(compatible, 1) && !dictionary_has(pair, 2));
    EXPECT(dictionary_has(chinese, 4) && dictionary_has(last, 1));
}

/* Runs at the bound, beyond it and of several scripts have the same terms with known cuts as without. */
TEST(cuts_of_any_run_give_its_terms_again)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};
    uint64_t seed = 3;

    REQUIRE(analyser_open(&analyser, &err));
    for (int32_t len = DICTIONARY_RUN_MAX - 2; len < DICTIONARY_RUN_MAX + 3; len++) {
        struct terms asked, known;
        struct str packed;
        struct buf b;

        buf_init(&b, arena, MIB);
        for (int32_t i = 0; i < len; i++) {
            char bytes[4];

            buf_put(&b, bytes, utf8_put(bytes, some_character(&seed)));
        }
        buf_str(&b, STR("，東京タワー、한국어。人々 and 𠀀𠀁 so on"));
        REQUIRE(analyser_cut(analyser, arena, buf_view(&b), &asked, &packed, &err));
        struct word_cuts cuts = word_cuts_of(packed);
        REQUIRE(analyser_terms_cut(analyser, arena, buf_view(&b), &cuts, &known, &err));
        REQUIRE(asked.count == known.count && asked.words == known.words && cuts.at == cuts.count);
        for (size_t i = 0; i < asked.count; i++)
            EXPECT(str_eq(asked.at[i].text, known.at[i].text) &&
                   asked.at[i].field == known.at[i].field && asked.at[i].stop == known.at[i].stop &&
                   asked.at[i].position == known.at[i].position);
    }
}
