/* POST /v1/rerank: what is asked, what providers answer, and what the client is told of it. */
#include "dialect_kit.h"
#include "test.h"

#define MEMORY (4 * MIB)

static const struct {
    const char *name, *body, *want;
} refused_cases[] = {
    {"no model", "{\"query\":\"q\",\"documents\":[\"a\"]}", "model: "},
    {"no query", "{\"model\":\"m\",\"documents\":[\"a\"]}", "query: "},
    {"an empty query", "{\"model\":\"m\",\"query\":\" \",\"documents\":[\"a\"]}", "query: "},
    {"a query that is none", "{\"model\":\"m\",\"query\":{},\"documents\":[\"a\"]}", "query: "},
    {"no documents", "{\"model\":\"m\",\"query\":\"q\"}", "documents: "},
    {"documents that are no list", "{\"model\":\"m\",\"query\":\"q\",\"documents\":\"a\"}",
     "documents: "},
    {"a document that is none", "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",[]]}",
     "documents.1: "},
    {"none wanted", "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":0}",
     "top_n: "},
    {"names that are none",
     "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"rank_fields\":[1]}",
     "rank_fields: "},
    {"no flag", "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"return_documents\":1}",
     "return_documents: "},
    {"no object", "[]", "the body"},
};

TEST(rerank_says_what_is_wrong_with_a_request)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, &dialect_rerank, refused_cases[i].body, &err) &&
                   err.code == ERR_INVALID &&
                   str_starts(str_from(err.text), str_from(refused_cases[i].want)),
               "%s: %s", refused_cases[i].name, err.text);
    }
}

TEST(rerank_asks_a_provider_with_strings_where_that_says_all)
{
    static const struct {
        const char *body, *want;
    } cases[] = {
        {"{\"model\":\"m\",\"query\":\"q\\u0041\",\"documents\":[\"a\",{\"text\":\"b\",\"id\":1},"
         "{\"image\":\"i\"}],\"return_documents\":true,\"truncate\":\"END\"}",
         "{\"model\":\"remote-m\",\"query\":\"qA\",\"documents\":[\"a\",\"b\",{\"image\":\"i\"}],"
         "\"truncate\":\"END\"}"},
        {"{\"model\":\"m\",\"query\":\"q\",\"documents\":[{\"text\":\"b\",\"x\":\"c\"}],"
         "\"rank_fields\":[\"x\"],\"top_n\":1}",
         "{\"model\":\"remote-m\",\"query\":\"q\",\"documents\":[{\"text\":\"b\",\"x\":\"c\"}],"
         "\"rank_fields\":[\"x\"],\"top_n\":1}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str sent =
            kit_request(arena, &dialect_rerank, &dialect_openai, cases[i].body, &losses, &err);

        REQUIRE(sent.ptr, "%s", err.text);
        kit_same_json(arena, cases[i].body, sent, cases[i].want);
        EXPECT(losses.count == 0, "%" PRIu32, losses.count);
    }
}

static const char asked[] =
    "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",\"b\",\"c\"],\"top_n\":2}";

/* The provider's reply as the client sees it. */
static struct str told(struct arena *arena, const char *reply, struct err *err)
{
    struct losses lost = {0};
    struct str got = kit_told(arena, &dialect_rerank, asked, reply, &lost, err);

    EXPECT(lost.count == 0, "%" PRIu32, lost.count);
    return got;
}

#define HEAD "{\"object\":\"list\",\"id\":\"rerank-1\",\"model\":\"m\",\"results\":"

TEST(rerank_tells_the_scores_of_every_kind_of_provider)
{
    static const struct {
        const char *name, *reply, *want;
    } cases[] = {
        {"Cohere",
         "{\"id\":\"x\",\"results\":[{\"index\":2,\"relevance_score\":0.9},{\"index\":0,"
         "\"relevance_score\":1e-3}],\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_"
         "units\":"
         "{\"search_units\":1},\"tokens\":{\"input_tokens\":7}}}",
         HEAD "[{\"index\":2,\"relevance_score\":0.9},{\"index\":0,\"relevance_score\":1e-3}],"
              "\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}"},
        {"Jina, more than wanted",
         "{\"model\":\"j\",\"usage\":{\"total_tokens\":9},\"results\":[{\"index\":0,\"document\":"
         "{\"text\":\"a\"},\"relevance_score\":0.1},{\"index\":1,\"relevance_score\":0.2},"
         "{\"index\":2,\"relevance_score\":0.3}]}",
         HEAD "[{\"index\":2,\"relevance_score\":0.3},{\"index\":1,\"relevance_score\":0.2}],"
              "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"},
        {"a count that nobody believes",
         "{\"usage\":{\"total_tokens\":9000000000000000000},\"results\":[{\"index\":0,\"score\":1}]"
         "}",
         HEAD "[{\"index\":0,\"relevance_score\":1}]}"},
        {"a list alone; equal scores keep their order",
         "[{\"score\":-1,\"index\":2},{\"score\":-1,\"index\":1}]",
         HEAD "[{\"index\":1,\"relevance_score\":-1},{\"index\":2,\"relevance_score\":-1}]}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = told(arena, cases[i].reply, &err);

        EXPECT(got.ptr, "%s: %s", cases[i].name, err.text);
        kit_same_json(arena, cases[i].name, got, cases[i].want);
    }
}

TEST(rerank_takes_no_answer_that_is_none)
{
    static const char *const replies[] = {
        "{\"results\":{}}",
        "{\"id\":\"x\"}",
        "{\"results\":[{\"index\":0}]}",
        "{\"results\":[{\"index\":0,\"relevance_score\":\"high\"}]}",
        "{\"results\":[{\"relevance_score\":1}]}",
        "{\"results\":[{\"index\":-1,\"relevance_score\":1}]}",
        "{\"results\":[{\"index\":3,\"relevance_score\":1}]}",
        "{\"results\":[{\"index\":1000000,\"relevance_score\":1}]}",
        "{\"results\":[{\"index\":0,\"relevance_score\":1e999}]}",
        "{\"results\":[{\"index\":1,\"relevance_score\":1},{\"index\":1,\"relevance_score\":2}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!told(arena, replies[i], &err).ptr && err.code == ERR_UNAVAILABLE, "%s: %s",
               replies[i], err.text);
    }
}
