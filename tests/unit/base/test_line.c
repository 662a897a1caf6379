/* Lines written by hand are those that the usual writers make. */
#include "base/line.h"

#include <string.h>

#include "base/json.h"
#include "test.h"

static const char *const texts[] = {
    "a",
    "chat",
    "exactly sixteen.",
    "seventeen letters",
    "POST /v1/chat/completions",
    "thirty-two letters, and not more",
    "thirty-three letters, and not one",
    "a name that is longer than all the others, so that it is copied by the library",
    "\"",
    "a \\ in the middle of a name",
    "the last is a quote: \"",
    "tab\there",
    "\x7f is no control here",
    "gr\xc3\xbc\xc3\x9f dich, Wien",
    "\xff is no UTF-8 at all, is it",
    "controls \x01 are written as numbers",
    "sixteen and then\n",
};

static struct str usual(struct arena *arena, struct str name, struct str text)
{
    struct buf b;

    buf_init(&b, arena, KIB);
    buf_str(&b, name);
    buf_json_str(&b, text);
    return buf_view(&b);
}

/* Every text, every beginning of it, behind names of several lengths. */
TEST(line_texts_are_those_of_json)
{
    static const char names[] = ",\"a_name_of_more_than_thirty_two_letters\":";
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (size_t len = 0; len <= strlen(texts[i]); len++)
            for (size_t name_len = 1; name_len < sizeof names; name_len += 7) {
                struct str name = {names, name_len}, text = {texts[i], len};
                char memory[KIB];
                size_t mark = arena_mark(arena);
                struct line l;

                line_init(&l, memory, sizeof memory);
                line_text(&l, name, text);
                EXPECT(!l.over && str_eq(line_view(&l), usual(arena, name, text)), STR_FMT,
                       STR_ARG(line_view(&l)));
                arena_rewind(arena, mark);
            }
}

TEST(line_numbers_are_those_of_a_buf)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);

    for (int bit = 0; bit < 64; bit++)
        for (int64_t off = -101; off <= 101; off++) {
            int64_t n = (int64_t)(((uint64_t)1 << bit) + (uint64_t)off);
            char memory[256];
            size_t mark = arena_mark(arena);
            struct line l;
            struct buf b;

            line_init(&l, memory, sizeof memory);
            line_number(&l, STR(",\"n\":"), n);
            line_usd(&l, STR(",\"usd\":"), n);
            line_put(&l, STR(" "));
            line_id(&l, (uint64_t)n);
            line_thousandths(&l, STR(" "), n < 0 ? 0 : n);
            buf_init(&b, arena, 256);
            buf_str(&b, STR(",\"n\":"));
            buf_i64(&b, n);
            buf_str(&b, STR(",\"usd\":"));
            buf_usd(&b, n);
            buf_char(&b, ' ');
            buf_hex_u64(&b, (uint64_t)n);
            buf_fmt(&b, " %" PRId64 ".%03d", (n < 0 ? 0 : n) / 1000, (int)((n < 0 ? 0 : n) % 1000));
            EXPECT(!l.over && str_eq(line_view(&l), buf_view(&b)), STR_FMT " is not " STR_FMT,
                   STR_ARG(line_view(&l)), STR_ARG(buf_view(&b)));
            arena_rewind(arena, mark);
        }
}

/* Whatever room there is: the whole line or none, and never a byte behind its end (the sanitizer looks). */
TEST(line_says_when_it_is_full)
{
    size_t whole = 0;

    for (size_t room = 0; room < 200; room++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
        char *memory = arena_alloc_raw(arena, room + 1);
        struct line l;

        REQUIRE(memory != NULL);
        memory[room] = 'x';
        line_init(&l, memory, room);
        line_text(&l, STR("\"text\":"), STR("plain"));
        line_text(&l, STR(",\"escaped\":"), STR("a\nb"));
        line_number(&l, STR(",\"number\":"), -5);
        line_usd(&l, STR(",\"usd\":"), 1);
        line_thousandths(&l, STR(",\"ms\":"), 1);
        line_id(&l, 77);
        line_put(&l, STR("end"));
        EXPECT(memory[room] == 'x' && line_view(&l).len <= room);
        EXPECT(l.over ||
               str_eq(line_view(&l), STR("\"text\":\"plain\",\"escaped\":\"a\\nb\",\"number\":-5,"
                                         "\"usd\":0.000001,\"ms\":0.001000000000000004dend")));
        whole += !l.over;
    }
    EXPECT(whole > 70, "%zu", whole);
}
