#include "base/fault.h"
#include "base/pages.h"
#include "test.h"

#include <pthread.h>
#include <string.h>

static const struct {
    size_t at_least, want; /* 0: refused */
} size_cases[] = {
    {0, PAGE_BYTES},
    {1, PAGE_BYTES},
    {PAGE_BYTES, PAGE_BYTES},
    {PAGE_BYTES + 1, 2 * PAGE_BYTES},
    {3 * PAGE_BYTES, 4 * PAGE_BYTES},
    {256 * KIB, 256 * KIB},
    {256 * KIB + 1, 512 * KIB},
    {PAGE_BYTES_MAX - 1, PAGE_BYTES_MAX},
    {PAGE_BYTES_MAX, PAGE_BYTES_MAX},
    {PAGE_BYTES_MAX + 1, 0},
    {SIZE_MAX, 0},
};

TEST(blocks_are_powers_of_two)
{
    for (size_t i = 0; i < ARRAY_LEN(size_cases); i++) {
        size_t before = pages_in_use(), got = 0;
        void *block = pages_take(size_cases[i].at_least, &got);

        EXPECT(got == size_cases[i].want, "%zu: %zu", size_cases[i].at_least, got);
        EXPECT(!block == !size_cases[i].want);
        EXPECT(pages_in_use() - before == got);
        if (block)
            pages_give(block, got);
        EXPECT(pages_in_use() == before);
    }
    pages_trim();
}

TEST(a_block_given_back_is_used_again)
{
    static const size_t sizes[] = {PAGE_BYTES, 64 * KIB, 256 * KIB, MIB, 16 * MIB};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t got, again, held;
        char *block = pages_take(sizes[i], &got);

        REQUIRE(block);
        memset(block, 1, got);
        held = pages_held();
        pages_give(block, got);
        EXPECT(pages_held() == held, "kept, not freed");
        EXPECT(pages_take(sizes[i], &again) == block, "%zu", sizes[i]);
        EXPECT(pages_held() == held);
        pages_give(block, again);
    }
    pages_trim();
    EXPECT(pages_held() == pages_in_use());
}

TEST(at_the_ceiling_there_is_nothing_until_something_comes_back)
{
    size_t got;

    pages_limit(pages_in_use() + 3 * PAGE_BYTES);
    void *one = pages_take(2 * PAGE_BYTES, &got), *two = pages_take(1, &got);
    EXPECT(one && two);
    EXPECT(pages_take(1, &got) == NULL);
    EXPECT(pages_take(PAGE_BYTES_MAX, &got) == NULL);
    pages_give(two, PAGE_BYTES);
    two = pages_take(1, &got);
    EXPECT(two != NULL);
    pages_give(one, 2 * PAGE_BYTES);
    pages_give(two, PAGE_BYTES);
    pages_limit(GIB);
}

TEST(kept_blocks_of_other_sizes_make_way_at_the_ceiling)
{
    size_t got, before = pages_in_use();

    pages_trim();
    pages_limit(before + MIB);
    pages_give(pages_take(MIB, &got), MIB);
    EXPECT(pages_held() - before == MIB);
    void *block = pages_take(512 * KIB, &got);
    EXPECT(block != NULL);
    EXPECT(pages_held() - before == 512 * KIB, "%zu", pages_held() - before);
    pages_give(block, got);
    pages_limit(GIB);
    pages_trim();
}

TEST(what_is_kept_is_bounded)
{
    static void *blocks[8];
    size_t got, before = pages_in_use();

    pages_trim();
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        blocks[i] = pages_take(32 * MIB, &got);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        if (blocks[i])
            pages_give(blocks[i], 32 * MIB);
    EXPECT(pages_held() - before == 128 * MIB, "%zu", pages_held() - before);
    pages_trim();
    EXPECT(pages_held() == before);
}

static void *churn(void *arg)
{
    struct {
        void *block;
        size_t got;
    } mine[16] = {{0}};
    uint32_t state = (uint32_t)(uintptr_t)arg;

    for (int turn = 0; turn < 4000; turn++) {
        state = state * 1664525u + 1013904223u;
        size_t i = state >> 28, size = PAGE_BYTES << (state >> 8 & 7);

        if (mine[i].block) {
            pages_give(mine[i].block, mine[i].got);
            mine[i].block = NULL;
        } else {
            mine[i].block = pages_take(size, &mine[i].got);
            if (mine[i].block)
                *(uint32_t *)mine[i].block = state;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(mine); i++)
        if (mine[i].block)
            pages_give(mine[i].block, mine[i].got);
    pages_thread_done();
    return NULL;
}

TEST(the_books_balance_over_threads)
{
    pthread_t threads[4];
    size_t before = pages_in_use();

    for (uintptr_t i = 0; i < ARRAY_LEN(threads); i++)
        REQUIRE(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    EXPECT(pages_in_use() == before);
    pages_trim();
    EXPECT(pages_held() == before, "ended threads left nothing: %zu", pages_held());
}

static void *hand_over(void *arg)
{
    size_t got;
    void **block = arg;

    if (*block)
        pages_give(*block, PAGE_BYTES);
    *block = pages_take(1, &got);
    pages_thread_done();
    return NULL;
}

TEST(a_block_may_be_given_back_by_another_thread)
{
    size_t got, before = pages_in_use();
    void *block = pages_take(1, &got);
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, hand_over, &block) == 0);
    pthread_join(thread, NULL);
    EXPECT(block != NULL);
    EXPECT(pages_in_use() == before + PAGE_BYTES);
    pages_give(block, PAGE_BYTES);
    EXPECT(pages_in_use() == before);
}
