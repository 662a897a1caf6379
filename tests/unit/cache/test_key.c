/* The key: what must change it, what must not. */
#include <string.h>

#include "cache/key.h"
#include "models/dialect.h"
#include "test.h"

#define BODY(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"

static const struct cache_identity usual = {.space = {"acme", 4},
                                            .dialect = {"chat", 4},
                                            .model = {"m", 1},
                                            .target = {"p\nhttp://p\nremote-m", 19}};

static struct cache_key key_of(struct arena *arena, struct cache_identity identity,
                               const char *body)
{
    struct err err = {0};
    struct cache_key key = {{0}};

    identity.body = json_parse(arena, str_from(body), &err);
    EXPECT(identity.body != NULL, "%s: %s", err.text, body);
    if (identity.body)
        EXPECT(cache_key_of(arena, &identity, &key, &err), "%s", err.text);
    return key;
}

static bool same(const struct cache_key *a, const struct cache_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static const struct {
    const char *name, *one, *other;
} same_cases[] = {
    {"order of members", BODY(",\"seed\":1,\"top_p\":1"), BODY(",\"top_p\":1,\"seed\":1")},
    {"order inside", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
     "{\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}]}"},
    {"white space", BODY(""),
     "{ \"model\" : \"m\",\n\"messages\":[ {\"role\":\"user\" , \"content\":\"hi\"} ] }"},
    {"spelling of numbers", BODY(",\"temperature\":1"), BODY(",\"temperature\":10.0e-1")},
    {"zeros", BODY(",\"temperature\":0"), BODY(",\"temperature\":-0.00E+5")},
    {"large numbers", BODY(",\"seed\":1200"), BODY(",\"seed\":1.2e3")},
    {"escapes", BODY(",\"stop\":\"a\\u0041\""), BODY(",\"stop\":\"aA\"")},
    {"escaped names", BODY(",\"stop\":\"x\""), BODY(",\"st\\u006fp\":\"x\"")},
    {"null is absent", BODY(""), BODY(",\"stop\":null")},
    {"who asks", BODY(""), BODY(",\"user\":\"u1\"")},
    {"who asks, newer", BODY(",\"safety_identifier\":\"a\""), BODY("")},
    {"notes of the client", BODY(",\"metadata\":{\"trace\":\"1\"}"), BODY("")},
    {"our own options", BODY(",\"weir\":{\"cache\":\"on\"}"), BODY("")},
    {"where the prompt is cached", BODY(",\"prompt_cache_key\":\"k\""), BODY("")},
    {"the model is named elsewhere", BODY(""),
     "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"},
    {"stream is a flag", BODY(",\"stream\":false"), BODY("")},
};

TEST(key_does_not_change_with)
{
    struct arena *arena = arena_new(MIB);

    for (size_t i = 0; i < ARRAY_LEN(same_cases); i++) {
        struct cache_key one = key_of(arena, usual, same_cases[i].one);
        struct cache_key other = key_of(arena, usual, same_cases[i].other);

        EXPECT(same(&one, &other), "%s", same_cases[i].name);
    }
    arena_end(&arena);
}

static const char *const other_bodies[] = {
    BODY(""),
    BODY(",\"seed\":1"),
    BODY(",\"seed\":10"),
    BODY(",\"seed\":-1"),
    BODY(",\"seed\":\"1\""),
    BODY(",\"seed\":true"),
    BODY(",\"seed\":[1]"),
    BODY(",\"seed\":{}"),
    BODY(",\"seed\":[]"),
    BODY(",\"seed\":[[]]"),
    BODY(",\"seed\":[null]"),
    BODY(",\"seed\":0.1"),
    BODY(",\"seed\":1e-10"),
    BODY(",\"seed\":9007199254740993"),
    BODY(",\"seed\":9007199254740992"),
    BODY(",\"stop\":[\"a\",\"b\"]"),
    BODY(",\"stop\":[\"b\",\"a\"]"),
    BODY(",\"stop\":[\"ab\"]"),
    BODY(",\"stop\":[\"\",\"ab\"]"),
    BODY(",\"logit_bias\":{\"1\":1}"),
    BODY(",\"logit_bias\":{\"user\":1}"), /* ignored at the top alone */
    BODY(",\"tomorrows_field\":1"),
    "{\"messages\":[{\"role\":\"user\",\"content\":\"hi \"}]}",
    "{\"messages\":[{\"role\":\"system\",\"content\":\"hi\"}]}",
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
     "{\"role\":\"user\",\"content\":\"hi\"}]}"),
    "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"name\":null}]}",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"user\":\"u\"}]}",
};

TEST(every_other_question_has_another_key)
{
    struct arena *arena = arena_new(MIB);
    struct cache_key keys[ARRAY_LEN(other_bodies)];

    for (size_t i = 0; i < ARRAY_LEN(other_bodies); i++)
        keys[i] = key_of(arena, usual, other_bodies[i]);
    for (size_t i = 0; i < ARRAY_LEN(other_bodies); i++)
        for (size_t j = 0; j < i; j++)
            EXPECT(!same(&keys[i], &keys[j]), "%s and %s", other_bodies[i], other_bodies[j]);
    arena_end(&arena);
}

TEST(who_and_where_are_part_of_the_key)
{
    struct arena *arena = arena_new(MIB);
    struct cache_key base = key_of(arena, usual, BODY(""));
    struct cache_identity others[6];

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        others[i] = usual;
    others[0].space = STR("other");
    others[1].dialect = STR("messages");
    others[2].model = STR("m2");
    others[3].target = STR("p\nhttp://p\nremote-m2");
    others[4].variant = STR("beta");
    others[5].stream = true;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct cache_key other = key_of(arena, others[i], BODY(""));

        EXPECT(!same(&base, &other), "%zu", i);
    }
    others[0] = usual, others[1] = usual; /* what ends one must not begin the next */
    others[0].space = STR("ac"), others[0].dialect = STR("mechat");
    struct cache_key moved = key_of(arena, others[0], BODY(""));
    EXPECT(!same(&base, &moved));
    arena_end(&arena);
}

static bool is_ignored(const char *name)
{
    for (const char *const *at = key_ignored; *at; at++)
        if (strcmp(*at, name) == 0)
            return true;
    return false;
}

/* Every field that a dialect knows, from its own table: two values of it are two keys, or it is on the list
 * of those that do not count. */
TEST(every_field_of_every_dialect_counts_or_is_listed)
{
    static const char *const names[] = {"openai",    "completions", "embeddings", "responses",
                                        "anthropic", "gemini",      "bedrock"};
    struct arena *arena = arena_new(MIB);
    size_t seen = 0;

    for (size_t d = 0; d < ARRAY_LEN(names); d++) {
        const struct dialect *dialect = dialect_find(str_from(names[d]));

        for (size_t i = 0; dialect && i < dialect->field_count; i++) {
            const char *name = dialect->fields[i].name;
            size_t mark = arena_mark(arena);

            if (!name || !*name)
                continue;
            struct cache_key one =
                key_of(arena, usual, arena_fmt(arena, "{\"%s\":\"a\"}", name).ptr);
            struct cache_key other =
                key_of(arena, usual, arena_fmt(arena, "{\"%s\":\"b\"}", name).ptr);
            struct cache_key none = key_of(arena, usual, "{}");
            bool counts = !same(&one, &other) && !same(&one, &none);

            EXPECT(counts != is_ignored(name), "%s.%s", names[d], name);
            EXPECT(counts || (same(&one, &other) && same(&one, &none)), "%s", name);
            seen++;
            arena_rewind(arena, mark);
        }
    }
    EXPECT(seen > 30, "the tables were not found: %zu", seen);
    arena_end(&arena);
}

TEST(a_key_is_written_and_read)
{
    struct arena *arena = arena_new(MIB);
    struct cache_key key = key_of(arena, usual, BODY("")), back;
    char text[CACHE_KEY_TEXT];

    cache_key_write(&key, text);
    EXPECT(cache_key_read((struct str){text, sizeof text}, &back) && same(&key, &back));
    EXPECT(!cache_key_read(STR("12"), &back));
    arena_end(&arena);
}

TEST(many_members_are_sorted)
{
    struct arena *arena = arena_new(64 * MIB);
    struct cache_key keys[2];

    for (int way = 0; way < 2; way++) {
        struct buf b;

        buf_init(&b, arena, 8 * MIB);
        buf_char(&b, '{');
        for (int i = 0; i < 5000; i++)
            buf_fmt(&b, "%s\"k%d\":%d", i ? "," : "", way ? 4999 - i : i, way ? 4999 - i : i);
        buf_str(&b, STR("}"));
        buf_char(&b, 0);
        keys[way] = key_of(arena, usual, b.ptr);
    }
    EXPECT(same(&keys[0], &keys[1]));
    arena_end(&arena);
}
