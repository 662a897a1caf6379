/* Words that look like another: what is near, what is not, and what may not be seen. */
#include "index/near.h"

#include "base/buf.h"
#include "test.h"

/* A document a word, so that passages are counted by how often it is listed. */
static const char *const dictionary[] = {
    "gandhi",     "gandhi",    "grandeur",   "granite",   "hyperinflation", "inflation",
    "revolution", "anarchist", "california", "martyr",    "céloron",        "möngke",
    "monk",       "élysée",    "disclosed",  "dispose",   "dislocate",      "disclosed",
    "church",     "quarter",   "priest",     "shoulder",  "port",           "version 1492 x1y2z",
    "ecxess",     "Медведев",  "house",      "hose",      "horse",          "organ",
    "organist",   "人工智能",  "excess",     "superbowl", "superb",         "passport",
    "report",     "consent",   "africa",     "though",    "employee",
};

static struct lexical *make_index(struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    struct lexical *index = NULL;

    if (!lexical_open(test_dir(), &index, err) || !lexical_begin(index, &writer, err))
        return index;
    for (size_t i = 0; i < ARRAY_LEN(dictionary); i++) {
        char key[2] = {(char)('A' + i), 0};
        struct lexical_passage passage = {.text = str_from(dictionary[i]), .record = STR("r")};
        struct lexical_document document = {str_from(key), STR("record"), &passage, 1};

        if (!lexical_add(writer, &document, err))
            return index;
    }
    EXPECT(lexical_commit(&writer, err), "%s", err->text);
    return index;
}

/* "S1:gandhi/2 F8:hyperinfl/1" */
static void write_near(struct buf *b, const struct near_word *near, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_fmt(b, "%s%c%u:" STR_FMT "/%u", i ? " " : "", near[i].kind == NEAR_FAMILY ? 'F' : 'S',
                near[i].apart, STR_ARG(near[i].text), (unsigned)near[i].passages);
}

static const struct {
    const char *name, *word, *near;
    bool family_alone;
} near_cases[] = {
    {"letters changed over", "gnadhi", "S1:gandhi/2", false},
    {"one too many", "gaandhi", "S1:gandhi/2", false},
    {"one missing", "gandi", "S1:gandhi/2", false},
    {"another vowel", "grenite", "S1:granit/1", false},
    {"... in five letters", "mynk", "", false},
    {"another consonant is another word", "resort", "", false},
    {"... by its stem, too", "conventional", "", false},
    {"... but in a long one", "calilornia", "S1:california/1", false},
    {"moved farther than by one: two", "ghandi", "", false},
    {"the first two changed over", "agndhi", "S1:gandhi/2", false},
    {"another first letter is another word", "pandhi", "", false},
    {"two in eight letters", "shuoldar", "S2:shoulder/1", false},
    {"two in nine letters", "calefornai", "S2:california/1", false},
    {"... that replace letters are another word", "password", "", false},
    {"two in fewer, too", "disclsy", "", false},
    {"four letters forgive none", "hous", "", false},
    {"of several the one that more passages have", "dislose", "S1:disclos/2", false},
    {"the right word is not near itself", "excess", "S1:ecxess/1", false},
    {"accents count for nothing", "elysée", "S0:élysé/1", false},
    {"... of a word that is right, too: of its family", "elysée", "F0:élysé/1", true},
    {"... and then a letter", "celeron", "S1:céloron/1", false},
    {"other scripts", "Медвдев", "S1:медведев/1", false},
    {"an adjective the stemmer leaves", "hyperinflationary", "F8:hyperinfl/1", false},
    {"... when it is right itself", "revolutionary", "F6:revolut/1", true},
    {"who does it, and what", "anarchism", "F3:anarchist/1", false},
    {"both: as its family, which is no mistake", "Californian", "F1:california/1", false},
    {"... in five letters", "African", "F1:africa/1", false},
    {"another last letter is another word", "thought", "", false},
    {"whom it is done to is not who does it", "employer", "", false},
    {"its state", "martyrdom", "F3:martyr/1", false},
    {"names that begin like a word", "churchill", "", true},
    {"... with what is no ending", "quarterback", "", true},
    {"... nor this", "priestley", "", true},
    {"short roots are no family", "porter", "", true},
    {"a stop word has none", "those", "", false},
    {"a number has none", "1493", "", false},
    {"what has digits has none", "x1y2y", "", false},
    {"ideographs have none", "人工", "", false},
};

TEST(words_that_look_alike_are_near)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct err err = {0};
    struct lexical *index = make_index(&err);

    REQUIRE(index && analyser_open(&analyser, &err), "%s", err.text);
    struct lexical_view *view = lexical_borrow(index);
    for (size_t i = 0; i < ARRAY_LEN(near_cases); i++) {
        struct near_word near[NEAR_WORDS_MAX];
        struct terms terms;
        char memory[256];
        struct buf b;

        buf_init_fixed(&b, memory, sizeof memory);
        REQUIRE(analyser_terms(analyser, arena, str_from(near_cases[i].word), &terms, &err));
        struct near_query query = {.term = &terms.at[0],
                                   .family_alone = near_cases[i].family_alone};
        write_near(&b, near, lexical_near(view, &query, near));
        EXPECT(str_eq(buf_view(&b), str_from(near_cases[i].near)), "%s: " STR_FMT,
               near_cases[i].name, STR_ARG(buf_view(&b)));
    }
    lexical_release(&view);
    lexical_close(&index);
}

static bool is_not_first(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)context, (void)document;
    return i != 0;
}

static bool is_neither(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)context, (void)document;
    return i > 1;
}

/* "gandhi" stands in the first two documents. */
TEST(what_is_hidden_is_near_nothing)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct err err = {0};
    struct lexical *index = make_index(&err);
    lexical_allows *const who[] = {is_not_first, is_neither};
    struct terms terms;

    REQUIRE(index && analyser_open(&analyser, &err) &&
                analyser_terms(analyser, arena, STR("gondhi gandhi"), &terms, &err),
            "%s", err.text);
    struct lexical_view *view = lexical_borrow(index);
    for (uint64_t i = 0; i < 2; i++) {
        struct near_word near[NEAR_WORDS_MAX];
        struct near_query query = {.term = &terms.at[0]};
        struct lexical_filter *filter;

        REQUIRE(lexical_filter_make(view, arena, who[i], NULL, &filter, &err));
        query.filter = filter;
        size_t count = lexical_near(view, &query, near);
        EXPECT(count == 1 - i && (i || near[0].passages == 1), "%" PRIu64 ": %zu", i, count);
        EXPECT(lexical_passages_of(view, filter, &terms.at[1], 5) == 1 - i);
    }
    EXPECT(lexical_passages_of(view, NULL, &terms.at[1], 5) == 2);
    EXPECT(lexical_passages_of(view, NULL, &terms.at[1], 1) == 1, "not counted farther");
    lexical_release(&view);
    lexical_close(&index);
}

/* Over several segments a word counts once, with all of its passages, and a deleted one not at all. */
TEST(near_words_are_those_of_the_index_as_it_is)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct err err = {0};
    struct lexical *index = make_index(&err);
    struct near_word near[NEAR_WORDS_MAX];
    struct terms terms;

    REQUIRE(index && analyser_open(&analyser, &err) &&
                analyser_terms(analyser, arena, STR("gondhi"), &terms, &err),
            "%s", err.text);
    struct near_query query = {.term = &terms.at[0]};
    struct lexical_passage passage = {.text = STR("gandhi"), .record = STR("r")};
    struct lexical_document document = {STR("z"), STR("record"), &passage, 1};
    for (int step = 0; step < 2; step++) {
        struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;

        REQUIRE(lexical_begin(index, &writer, &err));
        if (step == 0) {
            REQUIRE(lexical_add(writer, &document, &err));
        } else {
            REQUIRE(lexical_remove(writer, STR("z"), &err) &&
                    lexical_remove(writer, STR("A"), &err) &&
                    lexical_remove(writer, STR("B"), &err));
        }
        REQUIRE(lexical_commit(&writer, &err), "%s", err.text);
        struct lexical_view *view = lexical_borrow(index);
        size_t count = lexical_near(view, &query, near);
        EXPECT(step ? count == 0 : count == 1 && near[0].passages == 3, "%zu", count);
        lexical_release(&view);
    }
    lexical_close(&index);
}
