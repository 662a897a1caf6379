#include "base/fault.h"
#include "test.h"

#include <string.h>

static int run(void) /* which of three points failed; stops at the first */
{
    return fault_hit("one") ? 1 : fault_hit("two") ? 2 : fault_hit("three") ? 3 : 0;
}

TEST(each_point_is_failed_once)
{
    char seen[8] = "";
    uint64_t nth;

    for (nth = 1; fault_arm(nth); nth++)
        seen[nth - 1] = (char)('0' + run());
    EXPECT(strcmp(seen, "1230") == 0, "%s", seen);
    EXPECT(nth == 5);
    EXPECT(run() == 0, "disarmed after the last");
    EXPECT(strcmp(fault_last(), "three") == 0);
    EXPECT(fault_arm(1), "one begins anew");
    EXPECT(fault_last() == NULL);
    fault_disarm();
    EXPECT(run() == 0);
    EXPECT(!fault_arm(2), "nothing was armed before");
}

TEST(only_the_nth_point_fails)
{
    fault_arm(1);
    EXPECT(fault_hit("a") && !fault_hit("a") && !fault_hit("b"));
    EXPECT(fault_arm(2));
    EXPECT(!fault_hit("a") && fault_hit("b") && !fault_hit("b"));
    fault_disarm();
}

static bool decide(void *ctx, const char *point)
{
    return strcmp(ctx, point) == 0;
}

TEST(someone_else_may_decide)
{
    char two[] = "two";

    fault_decide(decide, two);
    EXPECT(run() == 2 && run() == 2);
    EXPECT(strcmp(fault_last(), "two") == 0);
    fault_decide(NULL, NULL);
    EXPECT(run() == 0);
}
