#include "base/fault.h"
#include "base/secret.h"
#include "test.h"

#include <string.h>

TEST(a_secret_is_kept_compared_and_wiped)
{
    struct secret a CLEANUP(secret_wipe) = {0}, b CLEANUP(secret_wipe) = {0};
    struct err err = {0};

    EXPECT(secret_is_empty(&a) && secret_equal(&a, &b));
    REQUIRE(secret_set(&a, "sk-1234", 7, &err));
    EXPECT(str_eq(secret_reveal(&a), STR("sk-1234")) && !secret_is_empty(&a));
    EXPECT(!secret_equal(&a, &b));
    REQUIRE(secret_copy(&b, &a, &err));
    EXPECT(secret_equal(&a, &b) && a.bytes != b.bytes);
    REQUIRE(secret_set(&b, "sk-1235", 7, &err));
    EXPECT(!secret_equal(&a, &b));
    REQUIRE(secret_set(&a, a.bytes + 3, 4, &err), "from its own bytes");
    EXPECT(str_eq(secret_reveal(&a), STR("1234")));
    REQUIRE(secret_copy(&a, &a, &err));
    EXPECT(str_eq(secret_reveal(&a), STR("1234")));
    secret_wipe(&a);
    EXPECT(secret_is_empty(&a) && a.bytes == NULL);
    secret_wipe(&a);
}

TEST(a_secret_has_a_limit)
{
    static const char bytes[SECRET_BYTES_MAX + 1];
    struct secret s CLEANUP(secret_wipe) = {0};
    struct err err = {0};

    EXPECT(secret_set(&s, bytes, SECRET_BYTES_MAX, &err));
    EXPECT(!secret_set(&s, bytes, SECRET_BYTES_MAX + 1, &err) && err.code == ERR_TOO_LARGE);
    EXPECT(s.len == SECRET_BYTES_MAX, "a refused secret leaves the old one");
    EXPECT(secret_set(&s, NULL, 0, &err) && secret_is_empty(&s));
}

TEST(bytes_are_wiped)
{
    char bytes[] = "secret";

    bytes_wipe(bytes, 3);
    EXPECT(memcmp(bytes, "\0\0\0ret", 7) == 0);
    bytes_wipe(NULL, 0);
}

#ifdef WEIR_FAULT
TEST(without_memory_there_is_no_secret)
{
    struct secret s CLEANUP(secret_wipe) = {0};
    struct err err = {0};

    fault_arm(1);
    EXPECT(!secret_set(&s, "x", 1, &err) && err.code == ERR_EXHAUSTED);
    EXPECT(strcmp(fault_last(), "secret.set") == 0);
    fault_disarm();
}
#endif
