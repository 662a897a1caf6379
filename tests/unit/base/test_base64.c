#include "base/base64.h"
#include "test.h"

/* RFC 4648, section 10, and every length around a group. */
static const struct {
    const char *bytes, *text;
} cases[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfb\xef", "//777w=="},
};

TEST(base64_both_ways)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[64], bytes[64];
        struct buf b;
        size_t got = 99;

        buf_init_fixed(&b, text, sizeof text);
        buf_base64(&b, cases[i].bytes, strlen(cases[i].bytes));
        EXPECT(str_eq(buf_view(&b), str_from(cases[i].text)), "%s", cases[i].text);
        EXPECT(base64_parse(str_from(cases[i].text), bytes, sizeof bytes, &got), "%s",
               cases[i].text);
        EXPECT(got == strlen(cases[i].bytes) && !memcmp(bytes, cases[i].bytes, got), "%s",
               cases[i].text);
    }
}

TEST(base64_refuses_other_spellings)
{
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"no padding", "Zg"},           {"too much padding", "Z==="},
        {"padding inside", "Zg==Zg=="}, {"padding first", "=Zg="},
        {"unused bits", "Zh=="},        {"unused bits of two", "Zm9="},
        {"a line break", "Zm9v\nZm9"},  {"the alphabet of URLs", "_-_-"},
    };
    char bytes[64];
    size_t got;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT(!base64_parse(str_from(bad[i].text), bytes, sizeof bytes, &got), "%s", bad[i].name);
    EXPECT(!base64_parse(STR("Zm9v"), bytes, 2, &got), "more than there is room for");
}
