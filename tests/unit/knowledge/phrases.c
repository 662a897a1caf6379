/* What a search insists on: reading it, and finding it in texts. */
#include "knowledge/phrases.h"

#include <string.h>

#include "rig.h"
#include "test.h"

static const struct {
    const char *name, *question, *text; /* text: of the question, white space aside */
    const char *words[3];
    enum phrase_field fields[3];
} readings[] = {
    {"nothing", "how much is a fee", "how much is a fee", {0}, {0}},
    {"a phrase", "is \"Water  Damage\" covered", "is Water  Damage covered", {"water damage"}, {0}},
    {"two kinds of marks", "“a b” \"c d\"", "a b c d", {"a b", "c d"}, {0}},
    {"Chinese marks", "「水损」是什么", "水损 是什么", {"水损"}, {0}},
    {"a field", "title:fees card", "fees card", {"fees"}, {PHRASE_TITLE}},
    {"a field with a phrase",
     "path:\"docs/a b.md\" x",
     "docs/a b.md x",
     {"docs/a b.md"},
     {PHRASE_PATH}},
    {"a heading", "x heading:Limits", "x Limits", {"limits"}, {PHRASE_HEADING}},
    {"not a field within a word", "subtitle:fees", "subtitle:fees", {0}, {0}},
    {"a field of nothing", "title: fees", "title: fees", {0}, {0}},
    {"not closed", "the 5\" pipe", "the 5\" pipe", {0}, {0}},
    {"empty", "\"\" and \" \"", "\"\" and \" \"", {0}, {0}},
};

static bool same_words(struct str a, const char *want)
{
    struct str b = str_from(want), x, y;

    for (;;) {
        bool more_a = false, more_b = false;

        while ((more_a = str_split(&a, ' ', &x)) && x.len == 0) {
        }
        while ((more_b = str_split(&b, ' ', &y)) && y.len == 0) {
        }
        if (!more_a || !more_b)
            return more_a == more_b;
        if (!str_eq(x, y))
            return false;
    }
}

TEST(phrases_are_read)
{
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct phrases p = {0};
        struct err err = {0};
        size_t want = 0;

        EXPECT(phrases_read(arena, str_from(readings[i].question), &p, &err), "%s", err.text);
        while (want < 3 && readings[i].words[want])
            want++;
        EXPECT(p.count == want, "%s: %zu", readings[i].name, p.count);
        for (size_t k = 0; k < p.count && k < want; k++)
            EXPECT(str_eq(p.at[k].words, str_from(readings[i].words[k])) &&
                       p.at[k].field == readings[i].fields[k],
                   "%s: " STR_FMT, readings[i].name, STR_ARG(p.at[k].words));
        EXPECT(same_words(p.text, readings[i].text), "%s: " STR_FMT, readings[i].name,
               STR_ARG(p.text));
    }
}

TEST(too_many_phrases_are_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct phrases p;
    struct err err = {0};

    EXPECT(!phrases_read(arena, STR("\"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\""), &p,
                         &err) &&
           err.code == ERR_INVALID);
}

TEST(phrases_hold_or_not)
{
    static const struct {
        const char *question, *text;
        bool hold;
    } cases[] = {
        {"\"water damage\"", "Water\n damage is covered", true},
        {"\"water damage\"", "water-damage", false},
        {"\"water damage\"", "damage by water", false},
        {"\"art\"", "start of the art", true},
        {"\"art\"", "start of party", false},
        {"\"claim\"", "claims", false},
        {"\"水损\"", "保险水损赔偿", true},
        {"\"(a)\"", "under (a) and", true},
        {"\"b\" \"a\"", "a and b", true},
        {"\"b\" \"c\"", "a and b", false},
        {"title:handbook", "handbook", false}, /* of the text, not the title */
        {"title:rules", "", true},
        {"path:docs/rules.md heading:part", "", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        const struct str fields[PHRASE_FIELDS] = {str_from(cases[i].text), STR("The Rules"),
                                                  STR("Part 1"), STR("docs/rules.md")};
        struct phrases p;
        struct err err = {0};
        bool hold = !cases[i].hold;

        EXPECT(phrases_read(arena, str_from(cases[i].question), &p, &err) &&
                   phrases_hold(arena, &p, fields, &hold, &err),
               "%s", err.text);
        EXPECT(hold == cases[i].hold, "%s in %s", cases[i].question, cases[i].text);
    }
}

TEST(a_search_finds_what_it_insists_on)
{
    static const struct {
        const char *question, *titles;
    } cases[] = {
        {"\"hot oven\"", "Bread "},      {"\"oven hot\"", ""},
        {"title:cake oven", "Cake "},    {"path:bread.md oven", "Bread "},
        {"title:cake \"hot oven\"", ""},
    };
    struct rig rig CLEANUP(rig_close) = {0};

    if (!rig_open(&rig) ||
        !rig_write(&rig, "bread.md", "# Bread\n\nBread comes from a hot oven.\n") ||
        !rig_write(&rig, "cake.md", "# Cake\n\nThe oven must not be too hot for a cake.\n"))
        return;
    (void)rig_ingest(&rig, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct knowledge_question q = {.text = str_from(cases[i].question)};
        struct passages_found list = {0};
        struct err err = {0};
        char titles[64] = "";

        EXPECT(search_now(rig.knowledge, rig.arena, &q, 5, &list, &err), "%s", err.text);
        for (size_t k = 0; k < list.count; k++) {
            (void)strncat(titles, list.list[k].title.ptr, 20);
            (void)strncat(titles, " ", 2);
        }
        EXPECT(strcmp(titles, cases[i].titles) == 0, "%s: %s", cases[i].question, titles);
    }
}
