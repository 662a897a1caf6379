/* Every term of a segment is found, and what lies between two is not: whatever their first bytes share. */
#include <stdio.h>
#include <stdlib.h>

#include "index/segment.h"
#include "test.h"

#define TERMS_MANY 700

struct made {
    char texts[TERMS_MANY][24];
    uint32_t count;
};

/* In order. */
static void make_terms(struct made *made, const char *first, uint32_t count)
{
    made->count = count;
    for (uint32_t i = 0; i < count; i++)
        (void)snprintf(made->texts[i], sizeof made->texts[i], "%s%05u", first, 2 * i + 1);
}

static struct segment *write_terms(const char *dir, uint64_t number, const struct made *made)
{
    struct segment_writer *w CLEANUP(segment_abandon) = NULL;
    const uint32_t lengths[TERM_FIELDS] = {1};
    const struct posting posting = {0, 1};
    struct segment *s = NULL;
    struct segment_id id;
    struct err err = {0};
    bool ok = segment_create(dir, number, &w, &err) &&
              segment_add_document(w, STR("key"), STR("record"), &err) &&
              segment_add_passage(w, STR("passage"), STR_NONE, lengths, &err);

    for (uint32_t i = 0; ok && i < made->count; i++)
        ok = segment_add_term(w, str_from(made->texts[i]), &posting, 1, &err);
    if (!ok || !segment_seal(&w, &id, &err) || !segment_open(dir, number, &s, &err))
        EXPECT(false, "%s", err.text);
    return s;
}

static uint32_t first_not_before(const struct segment *s, struct str text)
{
    uint32_t i = 0;

    for (; i < s->terms; i++) {
        struct term_entry entry = segment_term(s, i);

        if (str_cmp(segment_term_text(s, &entry), text) >= 0)
            break;
    }
    return i;
}

static void expect_first(const struct segment *s, struct str text)
{
    uint32_t first = first_not_before(s, text), found = segment_first_from(s, text);

    EXPECT(found == first, STR_FMT ": %u, not %u", STR_ARG(text), found, first);
}

TEST(every_term_is_found_whatever_its_first_bytes_share)
{
    static const struct {
        const char *first;
        uint32_t count;
    } cases[] = {{"", TERMS_MANY}, {"", 1},           {"", 32},
                 {"", 33},         {"", 64},          {"same-first-", TERMS_MANY},
                 {"same-", 300},   {"m\xC3\xA9", 100}};
    struct made *made = malloc(sizeof *made);

    REQUIRE(made);
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        make_terms(made, cases[c].first, cases[c].count);
        struct segment *s CLEANUP(segment_unmap) = write_terms(test_dir(), c + 1, made);
        struct term_entry entry;

        REQUIRE(s);
        for (uint32_t i = 0; i < made->count; i++) {
            struct str text = str_from(made->texts[i]), before = {text.ptr, text.len - 1};
            char behind[32];

            EXPECT(segment_find_term(s, text, &entry) && str_eq(segment_term_text(s, &entry), text),
                   STR_FMT, STR_ARG(text));
            (void)snprintf(behind, sizeof behind, "%s!", made->texts[i]);
            EXPECT(!segment_find_term(s, str_from(behind), &entry), "%s", behind);
            expect_first(s, text);
            expect_first(s, before);
            expect_first(s, str_from(behind));
        }
        expect_first(s, STR(""));
        expect_first(s, STR("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
    }
    free(made);
}
