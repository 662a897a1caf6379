/* The order of a search: what reading the passages adds to counting their words. */
#include "knowledge/ranking.h"

#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "test.h"

static struct passages_found search(struct rig *rig, const char *question, size_t limit)
{
    struct knowledge_question q = {.text = str_from(question)};
    struct passages_found found = {0};
    struct err err = {0};

    EXPECT(search_now(rig->knowledge, rig->arena, &q, limit, &found, &err), "%s", err.text);
    for (size_t i = 1; i < found.count; i++)
        EXPECT(found.list[i].score <= found.list[i - 1].score, "%zu", i);
    return found;
}

static bool is_found(const struct passages_found *found, const char *path)
{
    for (size_t i = 0; i < found->count; i++)
        if (str_ends(found->list[i].path, str_from(path)))
            return true;
    return false;
}

static struct str first_by_words(struct rig *rig, const char *question)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig->knowledge->index);
    struct lexical_hits hits = {0};
    struct document_record record = {0};
    struct terms terms;
    struct err err = {0};

    if (!analyser_open(&analyser, &err) ||
        !analyser_terms(analyser, rig->arena, str_from(question), &terms, &err) ||
        !lexical_search(view, rig->arena, &(struct lexical_query){&terms, NULL, 1}, &hits, &err) ||
        !hits.count || !document_record_read(hits.at[0].document_record, &record)) {
        EXPECT(false, "%s", err.text);
        return STR_NONE;
    }
    return arena_str(rig->arena, record.path);
}

TEST(a_sentence_that_has_the_words_together_comes_first)
{
    static const char question[] = "Who repairs the boiler valve?";
    struct rig rig CLEANUP(rig_close) = {0};

    if (!rig_open(&rig) ||
        !rig_write(
            &rig, "parts.md",
            "# Parts\n\nA valve is in the store. Boiler paint is red. The valve list names each "
            "valve. Old boiler, new boiler. Repairs take a day.\n") ||
        !rig_write(
            &rig, "duties.md",
            "# Duties\n\nEach flat has a caretaker who sweeps the stairs on Monday and looks "
            "after the bins in the yard. The caretaker repairs the boiler valve. Post is left "
            "in the hall, and parcels are kept in the cellar until Friday.\n"))
        return;
    (void)rig_ingest(&rig, "");
    EXPECT(str_ends(first_by_words(&rig, question), STR("parts.md")), "or the test shows nothing");
    struct passages_found found = search(&rig, question, 10);
    REQUIRE(found.count == 2);
    EXPECT(str_ends(found.list[0].path, STR("duties.md")), STR_FMT, STR_ARG(found.list[0].path));
    EXPECT(str_eq(found.retrieval ? str_from(found.retrieval) : STR_NONE, STR("words")));
    /* However few are wanted. */
    found = search(&rig, question, 1);
    REQUIRE(found.count == 1);
    EXPECT(str_ends(found.list[0].path, STR("duties.md")), STR_FMT, STR_ARG(found.list[0].path));
}

#define TOPIC "harbour pilots mooring tides cargo anchors lanterns"

/* Twelve passages of a topic, each with other words of the question and all with words of their own. */
static bool write_topic(struct rig *rig)
{
    static const char *const words[] = {"harbour", "pilots",  "mooring", "tides",
                                        "cargo",   "anchors", "lanterns"};
    char name[32], text[256];

    for (size_t i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof name, "ship%02zu.md", i);
        (void)snprintf(text, sizeof text,
                       "# Ship\n\nThe %s and the %s, %s too, with stevedores and lighterage.\n",
                       words[i % 7], words[(i + 1) % 7], words[(i + 3) % 7]);
        if (!rig_write(rig, name, text))
            return false;
    }
    for (size_t i = 0; i < 30; i++) { /* so that words of the topic are rare */
        (void)snprintf(name, sizeof name, "loaf%02zu.md", i);
        if (!rig_write(rig, name, "# Loaf\n\nFlour, water and salt are left to rise.\n"))
            return false;
    }
    return rig_write(rig, "quay.md",
                     "# Quay\n\nStevedores are paid for lighterage by the hour.\n") &&
           rig_write(rig, "bread.md", "# Bread\n\nBread is paid for by the loaf.\n");
}

TEST(a_topic_is_asked_again_with_the_words_of_what_was_found)
{
    struct rig rig CLEANUP(rig_close) = {0};

    if (!rig_open(&rig) || !write_topic(&rig))
        return;
    (void)rig_ingest(&rig, "");
    struct passages_found found = search(&rig, TOPIC, 20);
    EXPECT(found.count == 13, "%zu", found.count);
    EXPECT(is_found(&found, "quay.md") && !is_found(&found, "bread.md"));
    found = search(&rig, "harbour pilots", 20);
    EXPECT(!is_found(&found, "quay.md"), "a short question is asked once");
    EXPECT(search(&rig, TOPIC, 3).count == 3);
}

/* Passages of the same topic that are labelled, and what alone they could lead to. */
static bool write_secrets(struct rig *rig)
{
    char name[48], text[256];

    for (size_t i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof name, "secret%02zu.md", i);
        (void)snprintf(text, sizeof text,
                       "# Plan\n\n" TOPIC ": all of it by zeppelin and dirigible.\n");
        if (!rig_write(rig, name, text))
            return false;
        (void)snprintf(name, sizeof name, "secret%02zu.md.metadata.json", i);
        if (!rig_write(rig, name, "{\"metadataAttributes\":{\"kind\":\"secret\"}}"))
            return false;
    }
    return rig_write(rig, "sky.md", "# Sky\n\nA zeppelin is a dirigible with a frame.\n");
}

TEST(what_is_left_out_teaches_nothing)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct knowledge_question q = {
        .text = STR(TOPIC),
        .filter = STR("{\"notEquals\":{\"key\":\"kind\",\"value\":\"secret\"}}")};
    struct passages_found found = {0};
    struct err err = {0};

    if (!rig_open(&rig) || !write_topic(&rig) || !write_secrets(&rig))
        return;
    (void)rig_ingest(&rig, "");
    found = search(&rig, TOPIC, 40);
    EXPECT(is_found(&found, "sky.md"), "or the test shows nothing");
    EXPECT(search_now(rig.knowledge, rig.arena, &q, 40, &found, &err), "%s", err.text);
    EXPECT(is_found(&found, "quay.md") && !is_found(&found, "sky.md"));
}
