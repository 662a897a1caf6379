#include "base/log.h"
#include "test.h"

#include <string.h>

static char got[LOG_LINE_MAX + 1];
static size_t got_len;
static int lines;
static enum log_level got_level;

static void catch_line(void *ctx, enum log_level level, struct str line)
{
    (void)ctx;
    lines++;
    got_level = level;
    got_len = line.len;
    memcpy(got, line.ptr, line.len);
    got[line.len] = 0;
}

static wall_ms at_a_time(void)
{
    return 1767225599999; /* 2025-12-31T23:59:59.999Z */
}

static void begin(enum log_level level)
{
    log_to(catch_line, NULL);
    log_set_clock(at_a_time);
    log_set_level(level);
    lines = 0;
    got[0] = 0;
}

static void end(void)
{
    log_to(NULL, NULL);
    log_set_clock(NULL);
    log_set_level(LOG_INFO);
}

TEST(a_line_is_one_json_object)
{
    begin(LOG_INFO);
    log_line(LOG_WARN, 0xabc, "provider \"%s\" is slow", "one");
    EXPECT(strcmp(got, "{\"ts\":\"2025-12-31T23:59:59.999Z\",\"level\":\"warn\",\"request\":"
                       "\"0000000000000abc\",\"msg\":\"provider \\\"one\\\" is slow\"}") == 0,
           "%s", got);
    EXPECT(got_level == LOG_WARN);
    log_info("ready");
    EXPECT(
        strcmp(got, "{\"ts\":\"2025-12-31T23:59:59.999Z\",\"level\":\"info\",\"msg\":\"ready\"}") ==
            0,
        "%s", got);
    end();
}

static const struct {
    const char *name, *text, *want;
} escape_cases[] = {
    {"quotes and backslashes", "a\"b\\c", "a\\\"b\\\\c"},
    {"a line end cannot fake a line", "a\nb\rc\td", "a\\nb\\rc\\td"},
    {"control characters", "\x01\x1b[31m\x7f", "\\u0001\\u001b[31m\\u007f"},
    {"other languages stay", "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82",
     "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82"},
    {"bad bytes are replaced", "a\xff\xc3z", "a\xef\xbf\xbd\xef\xbf\xbdz"},
    {"nothing", "", ""},
};

TEST(messages_are_escaped)
{
    begin(LOG_INFO);
    for (size_t i = 0; i < ARRAY_LEN(escape_cases); i++) {
        log_info("%s", escape_cases[i].text);
        const char *msg = strstr(got, "\"msg\":\"");
        REQUIRE(msg);
        struct str text = {msg + 7, strlen(msg) - 7 - 2};
        EXPECT(str_eq(text, str_from(escape_cases[i].want)), "%s: %s", escape_cases[i].name, got);
    }
    end();
}

TEST(lines_below_the_level_are_not_written)
{
    begin(LOG_WARN);
    log_info("not wanted");
    log_debug("not wanted");
    log_record(LOG_INFO, STR("{}"));
    EXPECT(lines == 0);
    log_error("wanted");
    log_warn("wanted");
    EXPECT(lines == 2);
    log_set_level(LOG_DEBUG);
    log_debug("wanted now");
    EXPECT(lines == 3 && got_level == LOG_DEBUG);
    EXPECT(log_wants(LOG_DEBUG));
    end();
}

static const struct {
    const char *name, *piece;
    size_t pieces;
    bool cut;
} long_cases[] = {
    {"fits", "x", 8000, false},
    {"too long when formatted", "x", 9000, true},
    {"too long only when escaped", "\n", 5000, true},
    {"three-byte characters", "\xe4\xbd\xa0", 3000, true},
    {"escapes of six", "\x01", 2000, true},
};

TEST(a_long_line_is_cut_and_says_so)
{
    static char text[9001];

    begin(LOG_INFO);
    for (size_t i = 0; i < ARRAY_LEN(long_cases); i++) {
        size_t len = strlen(long_cases[i].piece);

        for (size_t at = 0; at < long_cases[i].pieces; at++)
            memcpy(text + at * len, long_cases[i].piece, len);
        text[long_cases[i].pieces * len] = 0;
        log_info("%s", text);
        struct str line = {got, got_len};
        EXPECT(line.len <= LOG_LINE_MAX, "%s", long_cases[i].name);
        EXPECT(str_ends(line, STR("\",\"cut\":true}")) == long_cases[i].cut, "%s",
               long_cases[i].name);
        EXPECT(str_ends(line, STR("\"}")) == !long_cases[i].cut, "%s", long_cases[i].name);
        EXPECT(str_find(line, STR("\xef\xbf\xbd")) == line.len, "%s: no half character",
               long_cases[i].name);
    }
    end();
}

TEST(a_record_goes_out_as_it_is_or_not_at_all)
{
    static char big[LOG_LINE_MAX + 1];

    begin(LOG_INFO);
    log_record(LOG_INFO, STR("{\"status\":200}"));
    EXPECT(strcmp(got, "{\"status\":200}") == 0);
    log_record(LOG_INFO, (struct str){big, LOG_LINE_MAX});
    EXPECT(got_len == LOG_LINE_MAX);
    log_record(LOG_INFO, (struct str){big, LOG_LINE_MAX + 1});
    EXPECT(got_level == LOG_ERROR);
    EXPECT(strstr(got, "dropped a record of 8193 bytes"), "%s", got);
    end();
}

static const struct {
    wall_ms t;
    const char *want;
} wall_cases[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {-1, "1970-01-01T00:00:00.000Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {951868800000, "2000-03-01T00:00:00.000Z"},
    {1709251199999, "2024-02-29T23:59:59.999Z"},
    {1767225600000, "2026-01-01T00:00:00.000Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {4107542399999, "2100-02-28T23:59:59.999Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
    {INT64_MAX, "9999-12-31T23:59:59.999Z"},
};

TEST(wall_format)
{
    for (size_t i = 0; i < ARRAY_LEN(wall_cases); i++) {
        char text[25];

        wall_format(wall_cases[i].t, text);
        EXPECT(strcmp(text, wall_cases[i].want) == 0, "%s", text);
    }
}
