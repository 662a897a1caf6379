/* Remembered keys: the same bytes of the same tenant, or nothing. */
#include "cache/recall.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/pages.h"
#include "test.h"

static const struct cache_identity usual = {.tenant = {"acme", 4},
                                            .space = {"acme", 4},
                                            .dialect = {"chat", 4},
                                            .model = {"m", 1},
                                            .target = {"p\nhttp://p\nremote-m", 19},
                                            .variant = {"v", 1}};

static const char question[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                               "\"where did it rain on the first of May?\"}]}";

static struct cache_identity with_body(struct arena *arena, struct cache_identity identity,
                                       const char *body)
{
    struct err err = {0};

    identity.text = str_from(body);
    identity.body = json_parse(arena, identity.text, &err);
    EXPECT(identity.body != NULL, "%s: %s", err.text, body);
    return identity;
}

static struct cache_key key_of(struct arena *arena, const struct cache_identity *identity)
{
    struct cache_key key = {{0}};
    struct err err = {0};

    EXPECT(cache_key_of(arena, identity, &key, &err), "%s", err.text);
    return key;
}

/* Known or not, it is the key that the long way gives. */
static bool recalled(struct arena *arena, struct recall *all, const struct cache_identity *identity)
{
    struct cache_key found, key = key_of(arena, identity);

    if (!recall_get(all, identity, &found))
        return false;
    EXPECT(memcmp(&found, &key, sizeof key) == 0);
    return true;
}

TEST(a_question_is_remembered_by_all_that_decides_its_key)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct recall *all = recall_new(arena);
    struct cache_identity asked, other;

    REQUIRE(all != NULL);
    asked = with_body(arena, usual, question);
    EXPECT(!recalled(arena, all, &asked));
    recall_put(all, &asked, &(struct cache_key){.bytes = {0}}, STR_NONE);
    recall_drop(all, &asked);
    EXPECT(!recalled(arena, all, &asked));

    struct cache_key key = key_of(arena, &asked);

    recall_put(all, &asked, &key, STR_NONE);
    EXPECT(recalled(arena, all, &asked));

    struct str *const texts[] = {&other.tenant, &other.space,  &other.dialect,
                                 &other.model,  &other.target, &other.variant};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        other = asked;
        *texts[i] = STR("q"); /* of the length of some, and of none */
        EXPECT(!recalled(arena, all, &other), "%zu", i);
        other = asked;
        *texts[i] = str_slice(*texts[i], 0, texts[i]->len - 1);
        EXPECT(!recalled(arena, all, &other), "%zu", i);
    }
    /* A piece that goes from one text to its neighbour is no other way to say the same. */
    other = asked;
    other.space = STR("acmec");
    other.dialect = STR("hat");
    EXPECT(!recalled(arena, all, &other));
    other = asked;
    other.stream = true;
    EXPECT(!recalled(arena, all, &other));
    other = with_body(arena, usual, "{\"messages\":[]}");
    EXPECT(!recalled(arena, all, &other));
    EXPECT(recalled(arena, all, &asked));
    recall_clear(all);
    EXPECT(!recalled(arena, all, &asked));
}

/* Each byte of the text counts, also where the slot does not depend on it. */
TEST(a_question_that_differs_in_a_byte_is_another)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct recall *all = recall_new(arena);
    struct cache_identity asked;
    struct cache_key key;
    size_t from = str_find(str_from(question), STR("where")),
           to = str_find(str_from(question), STR("?\"}"));

    REQUIRE(all != NULL);
    asked = with_body(arena, usual, question);
    key = key_of(arena, &asked);
    for (size_t i = from; i < to; i++) {
        char text[sizeof question];
        size_t mark = arena_mark(arena);
        struct cache_identity other;

        recall_put(all, &asked, &key, STR_NONE);
        memcpy(text, question, sizeof text);
        text[i] ^= 1;
        other = with_body(arena, usual, text);
        EXPECT(!recalled(arena, all, &other), "%zu", i);
        arena_rewind(arena, mark);
    }
    recall_clear(all);
}

#define NOTES "of 128 bytes at most"

static bool noted(struct recall *all, struct cache_identity *asked, const char *want)
{
    char notes[RECALL_NOTES];

    return recall_notes(all, asked, notes, strlen(want), &asked->seen) &&
           memcmp(notes, want, strlen(want)) == 0;
}

/* Before anything else of the question is known; then the rest is compared of that very question. */
TEST(what_was_noted_of_a_text_is_found_by_its_bytes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct recall *all = recall_new(arena);
    struct cache_identity asked, first, other;
    struct cache_key key, newer = {{7}}, found;

    REQUIRE(all != NULL);
    asked = with_body(arena, usual, question);
    key = key_of(arena, &asked);
    first = (struct cache_identity){
        .tenant = asked.tenant, .dialect = asked.dialect, .text = asked.text};
    recall_put(all, &asked, &key, STR_NONE);
    EXPECT(!noted(all, &first, NOTES), "nothing was");
    recall_put(all, &asked, &key, STR(NOTES));
    EXPECT(!noted(all, &first, "shorter"));
    other = first;
    other.tenant = STR("acne");
    EXPECT(!noted(all, &other, NOTES));
    other = first;
    other.dialect = STR("ask");
    EXPECT(!noted(all, &other, NOTES));
    other = first;
    other.text = str_slice(first.text, 0, first.text.len - 1);
    EXPECT(!noted(all, &other, NOTES));
    EXPECT(noted(all, &first, NOTES) && first.seen != 0);

    asked.seen = first.seen;
    EXPECT(recall_get(all, &asked, &found) && memcmp(&found, &key, sizeof key) == 0);
    other = asked;
    other.space = STR("*");
    EXPECT(!recall_get(all, &other, &found), "what was not compared then is compared now");
    other = asked;
    other.target = STR("");
    EXPECT(!recall_get(all, &other, &found));

    recall_put(all, &asked, &newer, STR(NOTES)); /* by somebody else, meanwhile */
    EXPECT(recall_get(all, &asked, &found) && memcmp(&found, &newer, sizeof key) == 0);
    recall_clear(all);
    EXPECT(!recall_get(all, &asked, &found) && !noted(all, &first, NOTES));

    other = with_body(arena, usual, "{\"messages\":[\"of the same length or not\"]}");
    recall_put(all, &asked, &key, STR(NOTES));
    EXPECT(noted(all, &first, NOTES));
    other.seen = first.seen + 1; /* of a question that is not there */
    EXPECT(!recall_get(all, &other, &found));
    recall_clear(all);
}

TEST(remembered_questions_are_bounded)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct recall *all = recall_new(arena);
    static char text[RECALL_QUESTION + 64];
    struct cache_key key = {{1}};
    size_t most = 0;

    REQUIRE(all != NULL);
    for (size_t i = 0; i < 400; i++) {
        size_t len = i % 9 == 0 ? RECALL_QUESTION - 100 : 5000 + 53 * i, mark = arena_mark(arena);

        memset(text, 'a' + (int)(i % 26), sizeof text);
        memcpy(text, "{\"input\":\"", 10);
        snprintf(text + len, 64, "%zu\"}", i);

        struct cache_identity asked = with_body(arena, usual, text);

        recall_put(all, &asked, &key, STR_NONE);
        EXPECT(recall_bytes(all) <= RECALL_BYTES, "%zu", recall_bytes(all));
        most = MAX_OF(most, recall_bytes(all));
        arena_rewind(arena, mark);
    }
    EXPECT(most > RECALL_BYTES / 2, "%zu",
           most); /* what comes to the bound is not kept, nothing else is lost */
    recall_clear(all);

    struct cache_identity large;

    memset(text, 'x', sizeof text - 1); /* one byte above the most, and the least there is */
    memcpy(text, "{\"input\":\"", 10);
    memcpy(text + RECALL_QUESTION - 1, "\"}", 3);
    large = with_body(arena, usual, text);
    recall_put(all, &large, &key, STR_NONE);
    EXPECT(!recall_get(all, &large, &key));
    large = with_body(arena, usual, "{}");
    recall_put(all, &large, &key, STR_NONE);
    EXPECT(!recall_get(all, &large, &key));
    recall_drop(all, &large);
    EXPECT(recall_bytes(all) == 0, "%zu", recall_bytes(all));
}

/* Four threads ask, remember, drop and clear the same few questions: what is found is always whole. */
struct churn {
    struct recall *all;
    struct cache_identity asked[3];
    struct cache_key keys[3];
    unsigned wrong, found;
};

static void *churn(void *arg)
{
    struct churn *c = arg;
    char notes[RECALL_NOTES];

    for (unsigned i = 0; i < 20000; i++) {
        struct cache_identity seen = c->asked[i % 3];
        const struct cache_identity *asked = &seen;
        struct cache_key key;

        if (i % 2 && recall_notes(c->all, asked, notes, strlen(NOTES), &seen.seen))
            c->wrong += memcmp(notes, NOTES, strlen(NOTES)) != 0;
        if (recall_get(c->all, asked, &key)) {
            c->found++;
            c->wrong += memcmp(&key, &c->keys[i % 3], sizeof key) != 0;
        } else {
            recall_put(c->all, asked, &c->keys[i % 3], STR(NOTES));
        }
        if (i % 17 == 5)
            recall_drop(c->all, asked);
        if (i % 997 == 5)
            recall_clear(c->all);
    }
    pages_thread_done();
    return NULL;
}

TEST(questions_are_remembered_by_several_threads)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct recall *all = recall_new(arena);
    struct churn threads[4] = {0};
    pthread_t ids[4];

    REQUIRE(all != NULL);
    for (size_t t = 0; t < ARRAY_LEN(threads); t++) {
        threads[t].all = all;
        for (size_t i = 0; i < 3; i++) {
            struct cache_identity asked = usual;

            asked.tenant = str_slice(STR("abc"), i, i + 1); /* another slot each */
            threads[t].asked[i] = with_body(arena, asked, question);
            threads[t].keys[i] = key_of(arena, &threads[t].asked[i]);
        }
    }
    for (size_t t = 0; t < ARRAY_LEN(threads); t++)
        REQUIRE(pthread_create(&ids[t], NULL, churn, &threads[t]) == 0);
    for (size_t t = 0; t < ARRAY_LEN(threads); t++)
        pthread_join(ids[t], NULL);
    for (size_t t = 0; t < ARRAY_LEN(threads); t++)
        EXPECT(threads[t].wrong == 0 && threads[t].found > 0, "%u of %u", threads[t].wrong,
               threads[t].found);
    recall_clear(all);
    EXPECT(recall_bytes(all) == 0);
}
