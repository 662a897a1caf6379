#include "models/overlap.h"
#include "test.h"

static const struct {
    const char *claim, *said, *next, *want;
} cases[] = {
    {"goes on cleanly", "One two three", " four", " four"},
    {"repeats the last words", "The quick brown fox", "brown fox jumps", " jumps"},
    {"repeats a sentence", "It is late. Now we go", "Now we go home.", " home."},
    {"repeats all from the start", "Once upon a time", "Once upon a time there was", " there was"},
    {"repeats all of a short text", "Hi", "Hi there", " there"},
    {"too short to be no chance", "I saw a", "a cat", "a cat"},
    {"begins alike and goes another way", "The quick brown fox", "The quick red fox",
     "The quick red fox"},
    {"the longest counts", "abcabcabc abcabcabc", "abcabcabc!", "!"},
    {"nothing was said", "", "Hello", "Hello"},
    {"beyond ASCII", "Der Bär läuft über", "läuft über die Straße", " die Straße"},
};

/* In pieces of every size: what comes out never depends on how the text was cut. */
TEST(what_a_second_speaker_repeats_is_left_out)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str next = str_from(cases[i].next);

        for (size_t size = 1; size <= next.len; size++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
            struct overlap o;
            struct buf heard;
            struct err err = {0};

            buf_init(&heard, arena, 64 * KIB);
            overlap_init(&o, arena, str_from(cases[i].said), OVERLAP_LEAST);
            for (size_t at = 0; at < next.len; at += size) {
                struct str out;

                EXPECT(overlap_add(&o, str_slice(next, at, at + size), &out, &err));
                buf_str(&heard, out);
            }
            buf_str(&heard, overlap_end(&o));
            EXPECT(str_eq(buf_view(&heard), str_from(cases[i].want)),
                   "%s, pieces of %zu: \"" STR_FMT "\"", cases[i].claim, size,
                   STR_ARG(buf_view(&heard)));
        }
    }
}

/* Some begin the paragraph anew that they were cut in. */
TEST(a_whole_paragraph_that_is_repeated_is_left_out)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    char said[6000];
    struct overlap o;
    struct str out;
    struct err err = {0};

    for (size_t i = 0; i < sizeof said; i++)
        said[i] = (char)('a' + (i * i / 7 + i % 13) % 26);
    for (size_t again = 500; again <= OVERLAP_MOST; again += 899) {
        struct str all = {said, sizeof said};

        overlap_init(&o, arena, all, OVERLAP_LEAST);
        EXPECT(overlap_add(&o, str_slice(all, sizeof said - again, sizeof said), &out, &err));
        EXPECT(out.len == 0, "%zu", again);
        EXPECT(overlap_add(&o, STR(" and on"), &out, &err));
        EXPECT(str_eq(out, STR(" and on")), "%zu: %zu bytes", again, out.len);
    }
}
