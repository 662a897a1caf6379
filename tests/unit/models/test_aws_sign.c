#include <string.h>

#include "base/pages.h"
#include "models/aws_sign.h"
#include "test.h"

#define KEY     "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SUITE   ((wall_ms)1440938160000) /* 2015-08-30T12:36:00Z */
#define VANILLA "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

static struct secret secret_view(const char *text)
{
    struct str s = str_from(text);

    return (struct secret){(uint8_t *)(uintptr_t)s.ptr, s.len};
}

/* Cases of the published suite, their names kept; the host is example.amazonaws.com. */
static const struct {
    const char *name, *method, *path, *body, *region, *service, *host, *want;
    struct http_field more[2]; /* beside host and x-amz-date; in order around them */
} cases[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     "us-east-1",
     "service",
     "example.amazonaws.com",
     VANILLA,
     {{STR_NONE, STR_NONE}}},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/?Param2=value2&Param1=value1",
     "",
     "us-east-1",
     "service",
     "example.amazonaws.com",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
     {{STR_NONE, STR_NONE}}},
    {"post-vanilla",
     "POST",
     "/",
     "",
     "us-east-1",
     "service",
     "example.amazonaws.com",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
     {{STR_NONE, STR_NONE}}},
    {"get-relative",
     "GET",
     "/example/..",
     "",
     "us-east-1",
     "service",
     "example.amazonaws.com",
     VANILLA,
     {{STR_NONE, STR_NONE}}},
    {"get-slash-dot-slash",
     "GET",
     "/./",
     "",
     "us-east-1",
     "service",
     "example.amazonaws.com",
     VANILLA,
     {{STR_NONE, STR_NONE}}},
    {"get-slash",
     "GET",
     "//",
     "",
     "us-east-1",
     "service",
     "example.amazonaws.com",
     VANILLA,
     {{STR_NONE, STR_NONE}}},
    {"the guide's ListUsers",
     "GET",
     "/?Action=ListUsers&Version=2010-05-08",
     "",
     "us-east-1",
     "iam",
     "iam.amazonaws.com",
     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
     {{{"content-type", 12}, {"application/x-www-form-urlencoded; charset=utf-8", 48}}, {{0}}}},
};

TEST(aws_signatures_of_the_suite)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret key = secret_view(KEY);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = str_from(cases[i].body);
        struct aws_request request = {str_from(cases[i].method), str_from(cases[i].host),
                                      str_from(cases[i].path), &body, 1};
        struct aws_identity who = {STR("AKIDEXAMPLE"), &key, NULL, str_from(cases[i].region),
                                   str_from(cases[i].service)};
        struct http_field fields[4];
        struct err err = {0};
        char hex[64];
        size_t n = 0;

        if (cases[i].more[0].name.len)
            fields[n++] = cases[i].more[0];
        fields[n++] = (struct http_field){STR("host"), request.host};
        fields[n++] = (struct http_field){STR("x-amz-date"), STR("20150830T123600Z")};
        REQUIRE(aws_signature(arena, &request, &who, SUITE, fields, n, hex, &err), "%s: %s",
                cases[i].name, err.text);
        EXPECT(str_eq((struct str){hex, 64}, str_from(cases[i].want)), "%s: %.64s", cases[i].name,
               hex);
    }
}

/* The colon of a model's name is encoded on the wire and once more under the signature; the fields that
 * leave are those that were signed. The figures were made by another
 * implementation of the rules. */
TEST(aws_sign_converse)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret key = secret_view(KEY), token = secret_view("session/token+1==");
    struct str body[2] = {STR("{\"messages\":"), STR("[]}")};
    struct aws_request request = {STR("POST"), STR("bedrock-runtime.eu-central-1.amazonaws.com"),
                                  STR("/model/anthropic.claude-v2%3A1/converse"), body, 2};
    struct aws_identity who = {STR("AKIDEXAMPLE"), &key, &token, STR("eu-central-1"),
                               STR("bedrock")};
    struct http_field fields[AWS_FIELDS_MAX];
    struct err err = {0};
    size_t count;

    REQUIRE(aws_sign(arena, &request, &who, (wall_ms)1709210096789, fields, &count, &err), "%s",
            err.text);
    REQUIRE(count == 4);
    EXPECT(str_eq(fields[0].value,
                  STR("5e4ce7b36ba37b78a5d5f9fd08e6b7b54ba6879d651aa46ec9e1d6fa24ebe30a")),
           STR_FMT, STR_ARG(fields[0].value));
    EXPECT(str_eq(fields[1].value, STR("20240229T123456Z")), STR_FMT, STR_ARG(fields[1].value));
    EXPECT(str_eq(fields[2].value, STR("session/token+1==")));
    EXPECT(
        str_eq(
            fields[3].value,
            STR("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240229/eu-central-1/bedrock/aws4_reque"
                "st, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "
                "Signature=04a"
                "fa365132bc0ece2b8f4675f82a46078f382f75a4ca57676063fba4bc2dc4c")),
        STR_FMT, STR_ARG(fields[3].value));
}

TEST(aws_sign_bounds)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    static uint8_t long_key[600];
    struct secret key = {long_key, sizeof long_key};
    struct aws_request request = {STR("GET"), STR("h"), STR("/"), NULL, 0};
    struct aws_identity who = {STR("A"), &key, NULL, STR("r"), STR("s")};
    struct http_field fields[AWS_FIELDS_MAX];
    struct err err = {0};
    size_t count;

    EXPECT(!aws_sign(arena, &request, &who, 0, fields, &count, &err));
    EXPECT(err.code == ERR_INVALID, "%s", err.text);
    key.len = 40;
    REQUIRE(aws_sign(arena, &request, &who, 0, fields, &count, &err));
    EXPECT(count == 3 && str_eq(fields[1].value, STR("19700101T000000Z")));
}

#define NO_BODY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Amazon S3 API Reference, "Examples: Signature Calculations in AWS Signature Version 4". */
static const struct {
    const char *path, *range, *want;
} s3_cases[] = {
    {"/test.txt", "bytes=0-9", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"/?lifecycle", NULL, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"/?max-keys=2&prefix=J", NULL,
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

TEST(aws_signatures_of_s3)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret key = secret_view("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    struct aws_identity who = {STR("AKIAIOSFODNN7EXAMPLE"), &key, NULL, STR("us-east-1"),
                               STR("s3")};

    for (size_t i = 0; i < ARRAY_LEN(s3_cases); i++) {
        struct aws_request request = {.method = STR("GET"),
                                      .host = STR("examplebucket.s3.amazonaws.com"),
                                      .path = str_from(s3_cases[i].path),
                                      .path_as_sent = true};
        struct http_field fields[4] = {{STR("host"), request.host}};
        struct err err = {0};
        size_t count = 1;
        char hex[64];

        if (s3_cases[i].range)
            fields[count++] = (struct http_field){STR("range"), str_from(s3_cases[i].range)};
        fields[count++] = (struct http_field){STR("x-amz-content-sha256"), STR(NO_BODY)};
        fields[count++] = (struct http_field){STR("x-amz-date"), STR("20130524T000000Z")};
        REQUIRE(
            aws_signature(arena, &request, &who, (wall_ms)1369353600000, fields, count, hex, &err),
            "%s", err.text);
        EXPECT(str_eq((struct str){hex, sizeof hex}, str_from(s3_cases[i].want)), "%s: %.64s",
               s3_cases[i].path, hex);
    }
}

/* A key may hold what a path of other services does not: it is signed as it is sent. */
TEST(aws_signs_a_key_of_s3_as_it_is_sent)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret key = secret_view(KEY);
    struct aws_identity who = {STR("A"), &key, NULL, STR("r"), STR("s3")};
    struct http_field fields[1] = {{STR("host"), STR("h")}};
    char plain[64], kept[64], again[64];
    struct aws_request request = {.method = STR("GET"), .host = STR("h"), .path = STR("/a//b")};
    struct err err = {0};

    REQUIRE(aws_signature(arena, &request, &who, 0, fields, 1, plain, &err));
    request.path_as_sent = true;
    REQUIRE(aws_signature(arena, &request, &who, 0, fields, 1, kept, &err));
    request.path = STR("/a/b");
    REQUIRE(aws_signature(arena, &request, &who, 0, fields, 1, again, &err));
    EXPECT(memcmp(plain, again, sizeof plain) == 0, "others fold slashes");
    EXPECT(memcmp(kept, again, sizeof kept) != 0, "S3 does not");
}
