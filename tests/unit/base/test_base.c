#include "base/base.h"
#include "test.h"

static int asked;

static int below_zero_the_second_time(void)
{
    return asked++ == 0 ? 5 : -5;
}

/* A loop asked the clock for what is left until its next timer; where the second look was behind it, it slept for ever. */
TEST(the_lesser_and_the_larger_evaluate_each_argument_once)
{
    asked = 0;
    int larger = MAX_OF(below_zero_the_second_time(), 0);
    EXPECT(larger == 5 && asked == 1, "%d, asked %d times", larger, asked);

    asked = 0;
    int lesser = MIN_OF(10, below_zero_the_second_time());
    EXPECT(lesser == 5 && asked == 1, "%d, asked %d times", lesser, asked);
}

TEST(the_lesser_of_the_larger)
{
    size_t few = 3, many = 9;
    uint8_t least = 7;

    EXPECT(MIN_OF(MAX_OF(few, least), many) == 7, "%zu", MIN_OF(MAX_OF(few, least), many));
    EXPECT(MAX_OF(MIN_OF(few, many), (size_t)4) == 4, "%zu", MAX_OF(MIN_OF(few, many), (size_t)4));
}
