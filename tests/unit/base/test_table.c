#include "base/fault.h"
#include "base/table.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

TEST(put_get_remove)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    int one = 1, two = 2;
    void *old = &one;
    struct table t;

    table_init(&t, arena, 100);
    EXPECT(table_get(&t, STR("a")) == NULL && table_remove(&t, STR("a")) == NULL);
    EXPECT(table_put(&t, STR("a"), &one, &old) && old == NULL);
    EXPECT(table_get(&t, STR("a")) == &one && table_get(&t, STR("b")) == NULL);
    EXPECT(table_put(&t, STR("a"), &two, &old) && old == &one);
    EXPECT(table_put(&t, STR("a"), &one, NULL) && t.count == 1);
    EXPECT(table_put(&t, STR(""), &two, NULL) && table_get(&t, STR_NONE) == &two);
    EXPECT(table_get(&t, STR("a\0")) == NULL, "all bytes of a key count");
    EXPECT(table_remove(&t, STR("a")) == &one && table_remove(&t, STR("a")) == NULL);
    EXPECT(t.count == 1 && table_get(&t, STR("")) == &two);
}

enum { KEYS = 5000 };
static char keys[KEYS][16];
static bool present[KEYS];

static void check(const struct table *t)
{
    size_t at = 0, count = 0, want = 0;
    struct str key;
    void *value;

    for (size_t i = 0; i < KEYS; i++) {
        want += present[i];
        EXPECT(table_get(t, str_from(keys[i])) == (present[i] ? keys[i] : NULL), "%s", keys[i]);
    }
    while (table_next(t, &at, &key, &value)) {
        EXPECT(str_eq(key, str_from(value)));
        count++;
    }
    EXPECT(count == want && t->count == want, "%zu of %zu", count, want);
}

/* Random puts and removes against an array of truths, on both kinds of memory. */
static void exercise(struct arena *arena)
{
    uint32_t state = 7;
    struct table t;

    table_init(&t, arena, KEYS);
    memset(present, 0, sizeof present);
    for (int i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "k%d", i);
    for (int turn = 0; turn < 40000; turn++) {
        state = state * 1664525u + 1013904223u;
        size_t i = (state >> 12) % KEYS;

        if (state >> 31) {
            EXPECT(table_put(&t, str_from(keys[i]), keys[i], NULL));
            present[i] = true;
        } else {
            EXPECT(table_remove(&t, str_from(keys[i])) == (present[i] ? keys[i] : NULL));
            present[i] = false;
        }
        if (turn % 10000 == 0)
            check(&t);
    }
    check(&t);
    table_done(&t);
    EXPECT(t.count == 0 && table_get(&t, str_from(keys[0])) == NULL);
}

TEST(many_puts_and_removes_in_an_arena)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);

    exercise(arena);
}

TEST(many_puts_and_removes_on_the_heap)
{
    exercise(NULL);
}

TEST(a_full_table_refuses_new_keys_only)
{
    int value = 0;
    struct table t;

    table_init(&t, NULL, 3);
    EXPECT(table_put(&t, STR("a"), &value, NULL) && table_put(&t, STR("b"), &value, NULL));
    EXPECT(table_put(&t, STR("c"), &value, NULL));
    EXPECT(!table_put(&t, STR("d"), &value, NULL));
    EXPECT(table_put(&t, STR("a"), &value, NULL), "replacing needs no room");
    EXPECT(table_remove(&t, STR("b")) && table_put(&t, STR("d"), &value, NULL));
    table_done(&t);
    table_init(&t, NULL, 0);
    EXPECT(!table_put(&t, STR("a"), &value, NULL));
    table_done(&t);
}

TEST(without_memory_a_table_stays_as_it_was)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(300);
    int value = 0, put = 0;
    struct table t;

    table_init(&t, arena, 100);
    while (put < 26 &&
           table_put(&t, (struct str){&"abcdefghijklmnopqrstuvwxyz"[put], 1}, &value, NULL))
        put++;
    EXPECT(put == 6, "%d", put);
    for (int i = 0; i < put; i++)
        EXPECT(table_get(&t, (struct str){&"abcdef"[i], 1}) == &value);
    EXPECT(t.count == 6);
}
