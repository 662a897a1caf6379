#include "accounts/token.h"

#include <string.h>

#include "test.h"

static const uint8_t counting[TOKEN_RANDOM_BYTES] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54,
                                                     0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56,
                                                     0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf};

static struct str make(char text[TOKEN_LEN])
{
    token_make(counting, text);
    return (struct str){text, TOKEN_LEN};
}

/* Five bits a digit, most significant first: these bytes count from 0 to 31. */
TEST(token_has_crockfords_digits)
{
    char text[TOKEN_LEN];
    struct str token = make(text);

    EXPECT(str_starts(token, STR("wr_0123456789abcdefghjkmnpqrstvwxyz")), STR_FMT, STR_ARG(token));
}

TEST(token_that_was_made_is_accepted)
{
    for (unsigned i = 0; i < 256; i++) {
        uint8_t random[TOKEN_RANDOM_BYTES];
        char text[TOKEN_LEN];
        struct err err = {0};

        for (size_t j = 0; j < sizeof random; j++)
            random[j] = (uint8_t)(i * (j + 1) + 7 * j);
        token_make(random, text);
        EXPECT(token_check((struct str){text, sizeof text}, &err), "%s", err.text);
    }
}

TEST(token_with_one_wrong_character_is_mistyped)
{
    char text[TOKEN_LEN];
    struct str token = make(text);

    for (size_t i = 3; i < TOKEN_LEN; i++)
        for (int c = 1; c < 256; c++) {
            struct err err = {0};
            char right = text[i];

            text[i] = (char)(right ^ c);
            EXPECT(!token_check(token, &err), "%zu", i);
            EXPECT(strstr(err.text, "mistyped"), "%s", err.text);
            text[i] = right;
        }
}

TEST(token_with_swapped_neighbours_is_mistyped)
{
    char text[TOKEN_LEN];
    struct str token = make(text);

    for (size_t i = 3; i + 1 < TOKEN_LEN; i++) {
        struct err err = {0};
        char a = text[i], b = text[i + 1];

        text[i] = b, text[i + 1] = a;
        EXPECT(a == b || !token_check(token, &err), "%zu", i);
        text[i] = a, text[i + 1] = b;
    }
}

static const struct {
    const char *name, *token, *text;
} refusals[] = {
    {"empty", "", "is empty"},
    {"of another house", "sk-0123456789abcdefghjkmnpqrstvwxyz0000000", "does not begin"},
    {"prefix alone", "wr_", "has 3 characters, not 42"},
    {"cut", "wr_0123456789abcdefghjkmnpqrstvwxyz", "has 35 characters"},
    {"long", "wr_0123456789abcdefghjkmnpqrstvwxyz00000000", "has 43 characters"},
    {"upper case", "WR_0123456789abcdefghjkmnpqrstvwxyz0000000", "does not begin"},
    {"no checksum", "wr_0123456789abcdefghjkmnpqrstvwxyz0000000", "mistyped"},
};

TEST(token_refusals_say_why)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct err err = {0};

        EXPECT(!token_check(str_from(refusals[i].token), &err), "%s", refusals[i].name);
        EXPECT(err.code == ERR_UNAUTHENTICATED && strstr(err.text, refusals[i].text), "%s: %s",
               refusals[i].name, err.text);
    }
}
