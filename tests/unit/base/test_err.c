#include "base/err.h"
#include "base/str.h"
#include "base/utf8.h"
#include "test.h"

#include <errno.h>
#include <string.h>

TEST(an_error_has_a_code_and_a_text)
{
    struct err err = {0};

    EXPECT(!err_set(&err, ERR_DENIED, "model \"%s\" is not for %s", "m", "you"));
    EXPECT(err.code == ERR_DENIED && err.sys == 0);
    EXPECT(strcmp(err.text, "model \"m\" is not for you") == 0, "%s", err.text);
}

TEST(context_grows_outwards)
{
    struct err err = {0};

    err_sys(&err, ERR_UNAVAILABLE, ENOENT, "could not open \"%s\"", "x");
    EXPECT(!err_wrap(&err, "read cache %d", 3));
    EXPECT(!err_wrap(&err, "start"));
    EXPECT(strcmp(err.text,
                  "start: read cache 3: could not open \"x\": No such file or directory") == 0,
           "%s", err.text);
    EXPECT(err.code == ERR_UNAVAILABLE && err.sys == ENOENT, "wrapping keeps both");
    err_set(&err, ERR_INTERNAL, "again: %s", err.text);
    EXPECT(strncmp(err.text, "again: start: read", 18) == 0, "the old text may be an argument");
    EXPECT(err.sys == 0);
}

TEST(a_long_text_is_cut_between_characters)
{
    for (int before = 220; before < 250; before++) {
        struct err err = {0};
        struct str text;

        err_set(&err, ERR_INVALID, "%*d%s", before, 1,
                "\xe4\xbd\xa0\xf0\x9f\x99\x82\xc3\xa4\xe4\xbd\xa0\xf0\x9f\x99\x82\xc3\xa4");
        text = str_from(err.text);
        EXPECT(text.len < sizeof err.text);
        EXPECT(utf8_valid(text), "%d", before);
        EXPECT(str_ends(text, STR("...")) == (before + 18 >= 240), "%d: %s", before, err.text);
        EXPECT(text.len == (size_t)before + 18 || text.len > sizeof err.text - 5);
    }
}

TEST(wrapping_a_full_text_keeps_the_outer_context)
{
    struct err err = {0};

    err_set(&err, ERR_INVALID, "%239d", 1);
    EXPECT(strlen(err.text) == 239);
    err_wrap(&err, "outer");
    EXPECT(strncmp(err.text, "outer:   ", 9) == 0);
    EXPECT(str_ends(str_from(err.text), STR("...")));
    err_wrap(&err, "%300s", "x");
    EXPECT(str_ends(str_from(err.text), STR("...")));
    EXPECT(strlen(err.text) == 239);
    err_sys(&err, ERR_INVALID, EINVAL, "%300s", "x");
    EXPECT(str_ends(str_from(err.text), STR("...")) && err.sys == EINVAL);
}

static const struct {
    enum err_code code;
    int status;
    const char *name;
} code_cases[] = {
    {ERR_NONE, 200, "none"},
    {ERR_INVALID, 400, "invalid"},
    {ERR_UNAUTHENTICATED, 401, "unauthenticated"},
    {ERR_DENIED, 403, "denied"},
    {ERR_NOT_FOUND, 404, "not_found"},
    {ERR_TOO_LARGE, 413, "too_large"},
    {ERR_EXHAUSTED, 429, "exhausted"},
    {ERR_UNAVAILABLE, 503, "unavailable"},
    {ERR_TIMEOUT, 504, "timeout"},
    {ERR_CANCELLED, 499, "cancelled"},
    {ERR_INTERNAL, 500, "internal"},
};

TEST(codes_have_names_and_statuses)
{
    for (size_t i = 0; i < ARRAY_LEN(code_cases); i++) {
        EXPECT(err_http_status(code_cases[i].code) == code_cases[i].status);
        EXPECT(strcmp(err_code_name(code_cases[i].code), code_cases[i].name) == 0);
    }
}

TEST(what_is_ours_is_no_limit_of_who_asks)
{
    struct err err = {0};

    EXPECT(!err_no_room(&err, "no memory for %d %s", 3, "things"));
    EXPECT(err.code == ERR_EXHAUSTED && err.sys == ENOMEM);
    EXPECT(strcmp(err.text, "no memory for 3 things") == 0, "%s", err.text);
    err_set(&err, ERR_EXHAUSTED, "limit of 3 requests");
    EXPECT(err.sys == 0, "a limit has no errno");
}

TEST(another_code_is_given_to_all_but_what_is_ours)
{
    struct err why = {0}, err = {0};

    err_set(&why, ERR_INVALID, "line 1: no object");
    EXPECT(!err_recast(&err, &why, ERR_UNAVAILABLE, "event %d", 7));
    EXPECT(err.code == ERR_UNAVAILABLE && err.sys == 0);
    EXPECT(strcmp(err.text, "event 7: line 1: no object") == 0, "%s", err.text);
    err_no_room(&why, "no memory");
    EXPECT(!err_recast(&err, &why, ERR_UNAVAILABLE, "event"));
    EXPECT(err.code == ERR_EXHAUSTED && err.sys == ENOMEM);
    EXPECT(strcmp(err.text, "event: no memory") == 0, "%s", err.text);
    EXPECT(!err_recast(&err, &err, ERR_UNAVAILABLE, "the same"));
    EXPECT(strcmp(err.text, "the same: event: no memory") == 0, "%s", err.text);
}
