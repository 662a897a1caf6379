#include <string.h>

#include "base/pages.h"
#include "cache/memory.h"
#include "test.h"

static struct entry *make(const char *space, uint64_t n, size_t body_bytes, wall_ms expires)
{
    static char body[70000];
    struct err err = {0};
    struct entry_facts facts = {.status = 200,
                                .stored = 1000,
                                .expires = expires,
                                .space = str_from(space),
                                .model = n % 2 ? STR("odd") : STR("even"),
                                .tags = {n % 3 ? STR("some") : STR("third")},
                                .tag_count = 1,
                                .body = {body, body_bytes}};

    memset(body, 'x', sizeof body);
    facts.key.bytes[0] = (uint8_t)n;
    memcpy(facts.key.bytes + 8, &n, sizeof n);
    struct entry *e = entry_new(&facts, &err);
    EXPECT(e != NULL, "%s", err.text);
    return e;
}

static struct cache_key key_of(uint64_t n)
{
    struct cache_key key = {{0}};

    key.bytes[0] = (uint8_t)n;
    memcpy(key.bytes + 8, &n, sizeof n);
    return key;
}

static void put(struct memory *m, const char *space, uint64_t n, size_t bytes)
{
    struct entry *e CLEANUP(entry_unref) = make(space, n, bytes, 100000);

    EXPECT(memory_put(m, e));
}

static bool has(struct memory *m, uint64_t n)
{
    struct cache_key key = key_of(n);
    struct entry *e CLEANUP(entry_unref) = memory_get(m, &key, 2000, -1);

    return e != NULL;
}

#define BEGIN(bytes, tenant)                   \
    size_t before = pages_in_use();            \
    struct arena *arena = arena_new(16 * MIB); \
    struct memory *m = memory_new(             \
        arena, &(struct memory_options){.bytes_max = bytes, .tenant_bytes_max = tenant})
#define END()          \
    memory_clear(m);   \
    arena_end(&arena); \
    EXPECT(pages_in_use() == before, "%zu bytes are left", pages_in_use() - before)

TEST(what_is_put_is_found_and_replaced)
{
    BEGIN(MIB, MIB);
    put(m, "a", 1, 100);
    put(m, "a", 1, 200);
    struct cache_key key = key_of(1);
    struct entry *e = memory_get(m, &key, 2000, -1);
    EXPECT(e && e->facts.body.len == 200);
    EXPECT(memory_stats(m).entries == 1 && memory_stats(m).bytes == 4096, "%zu",
           memory_stats(m).bytes);
    memory_purge(m, &(struct cache_selector){0});
    EXPECT(e && e->facts.body.ptr[199] == 'x', "what is being sent stays");
    entry_unref(&e);
    EXPECT(memory_stats(m).bytes == 0);
    END();
}

TEST(old_answers_are_not_given)
{
    BEGIN(MIB, MIB);
    struct entry *e CLEANUP(entry_unref) = make("a", 1, 10, 5000);
    struct cache_key key = key_of(1);

    EXPECT(memory_put(m, e));
    struct entry *got = memory_get(m, &key, 4999, -1);
    EXPECT(got != NULL);
    entry_unref(&got);
    got = memory_get(m, &key, 3000, SECOND);
    EXPECT(!got, "2 s old, at most 1 s was asked for");
    got = memory_get(m, &key, 2000, SECOND);
    EXPECT(got != NULL);
    entry_unref(&got);
    EXPECT(!memory_get(m, &key, 5000, -1) && memory_stats(m).entries == 0, "expired: gone");
    EXPECT(memory_stats(m).expired == 1);
    entry_unref(&e);
    END();
}

TEST(second_chance)
{
    BEGIN(10 * 4096, 10 * 4096);
    for (uint64_t n = 0; n < 10; n++)
        put(m, "a", n, 10);
    EXPECT(has(m, 0) && has(m, 5));
    for (uint64_t n = 10; n < 18; n++)
        put(m, "a", n, 10);
    for (uint64_t n = 0; n < 10; n++)
        EXPECT(has(m, n) == (n == 0 || n == 5), "%" PRIu64, n);
    EXPECT(memory_stats(m).entries == 10 && memory_stats(m).evictions == 8);
    END();
}

TEST(a_tenant_throws_out_its_own)
{
    BEGIN(100 * 4096, 10 * 4096);
    put(m, "small", 1000, 10);
    for (uint64_t n = 0; n < 50; n++)
        put(m, "large", n, 10);
    EXPECT(has(m, 1000));
    EXPECT(memory_tenant_bytes(m, STR("large")) == (size_t)10 * 4096);
    EXPECT(memory_tenant_bytes(m, STR("small")) == 4096);
    END();
}

TEST(over_the_whole_bound_the_largest_pays)
{
    BEGIN(12 * 4096, 10 * 4096);
    for (uint64_t n = 0; n < 10; n++)
        put(m, "large", n, 10);
    for (uint64_t n = 100; n < 105; n++)
        put(m, "small", n, 10);
    EXPECT(memory_stats(m).bytes == (size_t)12 * 4096);
    EXPECT(memory_tenant_bytes(m, STR("small")) == (size_t)5 * 4096);
    END();
}

TEST(what_does_not_fit_is_not_kept)
{
    BEGIN(8 * 4096, 8 * 4096);
    struct entry *e CLEANUP(entry_unref) = make("a", 1, 60000, 5000);

    EXPECT(!memory_put(m, e) && memory_stats(m).bytes == 0);
    entry_unref(&e);
    END();
}

TEST(purges_hit_what_they_name)
{
    BEGIN(MIB, MIB);
    for (uint64_t n = 0; n < 30; n++)
        put(m, n < 15 ? "a" : "b", n, 10);
    struct cache_key key = key_of(7);
    EXPECT(memory_purge(m, &(struct cache_selector){.key = &key}) == 1 && !has(m, 7));
    EXPECT(memory_purge(m, &(struct cache_selector){.key = &key}) == 0);
    EXPECT(memory_purge(m, &(struct cache_selector){.space = STR("a"), .tag = STR("third")}) == 5);
    EXPECT(memory_purge(m, &(struct cache_selector){.model = STR("even")}) == 15 - 3);
    EXPECT(memory_purge(m, &(struct cache_selector){.tag = STR("none")}) == 0);
    EXPECT(memory_purge(m, &(struct cache_selector){.space = STR("b")}) == 8, "odd ones are left");
    EXPECT(memory_purge(m, &(struct cache_selector){0}) == 4);
    END();
}

TEST(an_entry_survives_its_form)
{
    struct err err = {0};
    struct entry *e = make("a", 3, 1000, 5000);
    struct entry *back = entry_parse(e->text, &err);
    char damaged[2048];

    EXPECT(back && str_eq(back->facts.body, e->facts.body) && str_eq(back->facts.space, STR("a")) &&
           back->facts.tag_count == 1 && str_eq(back->facts.tags[0], STR("third")) &&
           back->facts.expires == 5000 && str_eq(back->facts.model, STR("odd")));
    entry_unref(&back);
    for (size_t cut = 0; cut < e->text.len; cut++) {
        back = entry_parse(str_slice(e->text, 0, cut), &err);
        EXPECT(!back && err.code == ERR_INVALID);
    }
    REQUIRE(e->text.len + 1 <= sizeof damaged);
    memcpy(damaged, e->text.ptr, e->text.len);
    damaged[e->text.len] = 0;
    EXPECT(!entry_parse((struct str){damaged, e->text.len + 1}, &err), "a byte too many");
    entry_unref(&e);
}
