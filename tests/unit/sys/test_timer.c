#include "sys/clock.h"
#include "sys/slab.h"
#include "sys/timer.h"
#include "test.h"

enum { TIMERS = 300 };
static struct timer all[TIMERS];
static uint64_t dice_state;
static mono_ns fired_at;
static struct timer *fired;

static uint32_t dice(uint32_t sides)
{
    dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice_state >> 33) % sides;
}

static void note(struct timer *t, mono_ns now)
{
    fired = t;
    fired_at = now;
}

static const struct timer *earliest(void)
{
    const struct timer *found = NULL;

    for (int i = 0; i < TIMERS; i++) {
        const struct timer *t = &all[i];
        if (t->armed && (!found || t->when < found->when ||
                         (t->when == found->when && t->order < found->order)))
            found = t;
    }
    return found;
}

static uint32_t count_armed(void)
{
    uint32_t n = 0;

    for (int i = 0; i < TIMERS; i++)
        n += all[i].armed;
    return n;
}

TEST(timers_fire_in_order_whatever_is_added_moved_and_removed)
{
    struct timers heap = {0};

    dice_state = 7;
    for (int i = 0; i < TIMERS; i++)
        all[i] = (struct timer){.fire = note};
    for (int step = 0; step < 20000; step++) {
        struct timer *t = &all[dice(TIMERS)];
        const struct timer *want = earliest();

        switch (dice(4)) {
        case 0: timer_remove(&heap, t); break;
        case 1:
            if (want) {
                EXPECT(timer_fire_next(&heap, want->when) && fired == want && !fired->armed);
                EXPECT(fired_at == want->when);
            }
            break;
        default: timer_add(&heap, t, 1 + dice(500)); break; /* often equal times */
        }
        EXPECT(heap.root == earliest() && heap.count == count_armed(), "step %d", step);
    }
}

TEST(a_timer_does_not_fire_early)
{
    struct timers heap = {0};
    struct timer t = {.fire = note};

    timer_add(&heap, &t, 100);
    EXPECT(!timer_fire_next(&heap, 99));
    EXPECT(timer_fire_next(&heap, 100));
    EXPECT(!timer_fire_next(&heap, 1000) && heap.count == 0);
}

TEST(a_slab_keeps_the_heads_of_what_was_given_back)
{
    struct slab slab;
    static uint64_t *items[3000];

    slab_init(&slab, 40);
    for (uint64_t i = 0; i < ARRAY_LEN(items); i++) {
        items[i] = slab_take(&slab);
        REQUIRE(items[i]);
        EXPECT(items[i][2] == 0 && items[i][4] == 0);
        items[i][0] = i + 1;
        items[i][4] = 77;
    }
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        slab_give(&slab, items[i]);
    EXPECT(slab.in_use == 0 && items[5][0] == 6, "a late event may still read it");
    uint64_t *again = slab_take(&slab);
    REQUIRE(again);
    EXPECT(again == items[ARRAY_LEN(items) - 1] && again[0] == ARRAY_LEN(items));
    EXPECT(again[2] == 0 && again[4] == 0, "the rest comes zeroed");
    slab_give(&slab, again);
    slab_done(&slab);
}

/* However far apart two looks are: what is counted on, what is read anew, and what comes after a rest. */
TEST(the_fine_clock_keeps_between_readings_of_the_other)
{
    mono_ns last = clock_fine(), end = clock_mono() + 200 * MILLISECOND;

    for (uint32_t n = 1; clock_mono() < end; n++) {
        mono_ns before = clock_mono(), now = clock_fine(), after = clock_mono();

        EXPECT(now >= last && now >= before - MILLISECOND / 10 && now <= after + MILLISECOND / 10,
               "%" PRId64 " between %" PRId64 " and %" PRId64 ", after %" PRId64, now, before,
               after, last);
        last = now;
        if (n % 100000 == 0)
            clock_rest(n / 20000 * MILLISECOND);
    }
}
