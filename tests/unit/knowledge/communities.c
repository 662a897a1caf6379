/* Documents that speak of the same, by the names they share. */
#include "knowledge/communities.h"

#include "test.h"

#define DOCUMENTS 9
#define PAIRS     40

/* A row a document: the names it has, as letters. */
static const struct {
    const char *name, *documents[DOCUMENTS], *want; /* a digit a document: its community's first */
} community_cases[] = {
    {"two subjects", {"abc", "abd", "acd", "bcd", "xyz", "xyw", "xzw", "yzw"}, "00004444"},
    {"two subjects, one name of both",
     {"abc", "abd", "acdx", "bcd", "xyz", "xyw", "xzw", "yzw"},
     "00004444"},
    {"what everybody has joins nothing",
     {"aq", "aq", "bq", "bq", "cq", "cq", "dq", "eq"},
     "00224467"},
    {"names of one document alone", {"a", "b", "c", "d"}, "0123"},
    {"no names", {"", "", ""}, "012"},
    {"a chain is cut somewhere and always the same", {"ab", "bc", "cd", "de", "ef"}, NULL},
    {"none", {NULL}, ""},
};

static bool find(struct arena *arena, size_t row, uint32_t *out, uint32_t *documents)
{
    struct community_pair pairs[PAIRS];
    struct err err = {0};
    size_t count = 0;
    uint32_t d = 0;

    for (; d < DOCUMENTS && community_cases[row].documents[d]; d++)
        for (const char *at = community_cases[row].documents[d]; *at; at++)
            pairs[count++] = (struct community_pair){d, (uint32_t)(*at - 'a')};
    *documents = d;
    return communities_find(arena, pairs, count, d, 26, out, &err);
}

TEST(communities_of_documents)
{
    for (size_t i = 0; i < ARRAY_LEN(community_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        uint32_t labels[DOCUMENTS + 1] = {0}, again[DOCUMENTS + 1] = {0}, documents;

        REQUIRE(find(arena, i, labels, &documents) && find(arena, i, again, &documents));
        for (uint32_t d = 0; d < documents; d++) {
            EXPECT(labels[d] == again[d] && labels[d] < documents, "%s: %u",
                   community_cases[i].name, d);
            EXPECT(!community_cases[i].want ||
                       labels[d] == (uint32_t)(community_cases[i].want[d] - '0'),
                   "%s: document %u is in %u", community_cases[i].name, d, labels[d]);
        }
    }
}
