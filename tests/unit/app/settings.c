/* Settings: what is read, and that every mistake is named with file, line, column and field. */
#include "app/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "sys/file.h"
#include "test.h"

static bool read(const char *text, const char *const *environment, struct settings_problems *p,
                 struct settings **s)
{
    return settings_read_text(str_from(text), "weir.yaml", environment, p, s);
}

static const struct {
    const char *name, *text, *want; /* want: the first problem */
} mistakes[] = {
    {"unknown section", "serer:\n  listen: 1\n",
     "weir.yaml:1:1: serer: unknown setting; did you mean \"server\"?"},
    {"unknown setting", "server:\n  lisen: 127.0.0.1:1\n",
     "weir.yaml:2:3: server.lisen: unknown setting; did you mean \"listen\"?"},
    {"words the other way round",
     "providers:\n  - {name: p, url: \"http://h/v1\"}\nmodels:\n  - {name: m, provider: p, "
     "input_price: 1}\n",
     "weir.yaml:4:28: models.0.input_price: unknown setting; did you mean \"price_input\"?"},
    {"nothing is near", "server:\n  zzzzzzzzzzzz: 1\n",
     "weir.yaml:2:3: server.zzzzzzzzzzzz: unknown setting; `weir config schema` lists them all"},
    {"not a duration", "server:\n  head_timeout: soon\n",
     "weir.yaml:2:17: server.head_timeout: expected a duration such as 10s from 10ms to 10m, found "
     "\"soon\""},
    {"below the minimum", "server:\n  head_timeout: 1ms\n",
     "weir.yaml:2:17: server.head_timeout: expected a duration such as 10s from 10ms to 10m, found "
     "\"1ms\""},
    {"above the maximum", "server:\n  loops: 257\n",
     "weir.yaml:2:10: server.loops: expected a whole number from 0 to 256, found \"257\""},
    {"not a size", "server:\n  body_bytes: 1XB\n",
     "weir.yaml:2:15: server.body_bytes: expected a size such as 64KiB from 1KiB to 64MiB, found "
     "\"1XB\""},
    {"not a truth", "log:\n  requests: maybe\n",
     "weir.yaml:2:13: log.requests: expected true or false, found \"maybe\""},
    {"not a choice", "log:\n  level: loud\n",
     "weir.yaml:2:10: log.level: expected one of error|warn|info|debug, found \"loud\""},
    {"a list where a value is meant", "log:\n  level: [a]\n",
     "weir.yaml:2:10: log.level: expected one of error|warn|info|debug, found a list"},
    {"a map where a list is meant", "models:\n  name: x\n",
     "weir.yaml:1:1: models: expected a list: lines that begin with \"- name:\""},
    {"a comma in a word of a list",
     "sources:\n  - {name: s, location: /srv, text: [Name, \"Price, EUR\"]}\n",
     "weir.yaml:2:44: sources.0.text: a word of a list cannot hold a comma"},
    {"a blank in a pattern of a list",
     "sources:\n  - {name: s, location: /srv, exclude: [\"our secrets.pdf\"]}\n",
     "weir.yaml:2:41: sources.0.exclude: a pattern cannot hold a comma or a blank: ? stands for "
     "either"},
    {"a key twice", "log:\n  level: info\n  level: warn\n",
     "weir.yaml:3:3: \"level\" stands twice, first in line 2"},
    {"an alias", "log: &a\n  level: info\n",
     "weir.yaml:1:6: anchors and tags are not used here: write the map itself"},
    {"two documents", "log:\n  level: info\n---\nlog:\n",
     "weir.yaml:3:1: a second document begins: one file, one document"},
    {"a secret in the file",
     "providers:\n  - name: a\n    url: http://h/v1\n    api_key: sk-secret\n",
     "weir.yaml:4:14: providers.0.api_key: expected env:NAME or file:PATH; a secret may not stand "
     "in the settings themselves"},
    {"a secret that is not set",
     "providers:\n  - name: a\n    url: http://h/v1\n    api_key: env:NOWHERE\n",
     "weir.yaml:4:14: providers.0.api_key: the environment variable NOWHERE is not set or empty"},
    {"a provider without a url", "providers:\n  - name: a\n",
     "weir.yaml:2:11: providers.0.url: must be given"},
    {"a model of nobody", "models:\n  - name: a\n    provider: b\n",
     "weir.yaml:3:15: models.0.provider: no provider has this name"},
    {"two models of one name",
     "providers:\n  - name: p\n    url: http://h/v1\nmodels:\n  - {name: a, provider: p}\n  - "
     "{name: a, provider: p}\n",
     "weir.yaml:6:12: models.1.name: another model has this name"},
    {"a price that another hides",
     "providers:\n  - {name: p, url: \"http://h/v1\"}\nmodels:\n  - {name: a, provider: "
     "p}\nprices:\n"
     "  - {model: a, hours: 8-18, price_input: 1}\n"
     "  - {model: a, hours: 9-12, prompt_tokens: 5-, price_input: 2}\n",
     "weir.yaml:7:13: prices.1: is never used: prices.0 above it holds wherever it would"},
    {"a certificate without its key", "server:\n  tls_certificate: a.pem\n",
     "weir.yaml:2:20: server.tls_certificate: tls_certificate and tls_key go together"},
    {"documents through a stranger", "knowledge:\n  through: gpt\n",
     "weir.yaml:2:12: knowledge.through: expected \"auto\", \"none\" or the name of one of "
     "`models`"},
    {"one below zero", "server:\n  connections: -1\n",
     "weir.yaml:2:16: server.connections: expected a whole number from 1 to 1000000, found \"-1\""},
    {"data nowhere", "data:\n  dir:\n", "weir.yaml:2:7: data.dir: expected a path, found \"\""},
    {"listening nowhere", "server:\n  listen: \"\"\n",
     "weir.yaml:2:11: server.listen: expected an address such as 127.0.0.1:8080, [::1]:8080 or "
     "unix:/path, found \"\""},
    {"a model without a name", "knowledge:\n  model: \"\"\n",
     "weir.yaml:2:10: knowledge.model: expected a name (letters, digits and ._-/:@+), found \"\""},
    {"a body that cannot fit", "server:\n  request_memory: 1MiB\n",
     "weir.yaml:2:19: server.request_memory: must be at least twice server.body_bytes"},
    {"a route that is never reached",
     "providers:\n  - {name: p, url: \"http://h/v1\"}\nmodels:\n  - {name: m, provider: p}\n"
     "routes:\n  - {name: a, models: x, use: m}\n  - {name: b, models: y, use: m}\n"
     "  - {name: c, models: y, use: m}\n  - {name: d, models: z, use: m}\n",
     "weir.yaml:8:12: routes.2: route \"c\" is never reached: \"b\" above it takes every request "
     "that fits it"},
    {"a cache that leaves requests no memory", "cache:\n  mode: on\n  memory: 1GiB\n",
     "weir.yaml:3:11: cache.memory: is more than half of server.memory, of which it is part: once "
     "it "
     "is full, requests find none"},
    {"spans that leave requests no memory",
     "server:\n  memory: 64MiB\ntelemetry:\n  endpoint: http://h:4318\n  queue: 33MiB\n",
     "weir.yaml:5:10: telemetry.queue: is more than half of server.memory, of which it is part: "
     "requests find none"},
    {"traces that leave requests no memory", "telemetry:\n  traces: 200000\n",
     "weir.yaml:2:11: telemetry.traces: take, with 4 KiB each, more than half of server.memory: "
     "requests find none"},
    {"a cache, spans and traces that leave requests none together",
     "server:\n  memory: 64MiB\ncache: {mode: on, memory: 32MiB}\ntelemetry:\n"
     "  endpoint: http://h:4318\n  queue: 12MiB\n  traces: 2000\n",
     "weir.yaml:2:11: server.memory: is less than a third more than what telemetry.queue, "
     "telemetry.traces (4 KiB each) and cache.memory take of it: requests find none"},
    {"more spans than there is room for in two blocks",
     "server: {memory: 4GiB}\ntelemetry: {endpoint: \"http://h:4318\", queue: 256MiB}\n",
     "weir.yaml:2:47: telemetry.queue: expected a size such as 64KiB from 256KiB to 128MiB, "
     "found \"256MiB\""},
    {"an attribute without a value",
     "telemetry:\n  endpoint: http://h:4318\n  resource: \"team=search, prod\"\n",
     "weir.yaml:3:13: telemetry.resource: \"prod\" is no attribute: expected NAME=VALUE, with "
     "commas "
     "between"},
};

TEST(mistakes_are_named)
{
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct settings_problems p = {0};
        struct settings *s = NULL;

        EXPECT(!read(mistakes[i].text, NULL, &p, &s), "%s", mistakes[i].name);
        EXPECT(p.count > 0 && str_eq(p.at[0], str_from(mistakes[i].want)), "%s: " STR_FMT,
               mistakes[i].name, STR_ARG(p.count ? p.at[0] : STR("no problem")));
        EXPECT(p.count == 1, "%s: one mistake, %zu problems", mistakes[i].name, p.count);
        settings_free(&s);
        settings_problems_free(&p);
    }
}

TEST(as_many_models_and_prices_as_lists_may_have_fit_into_a_file)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct settings_problems p = {0};
    struct settings *s = NULL;
    struct buf b;

    buf_init(&b, arena, 2 * MIB);
    buf_str(&b, STR("providers:\n  - {name: p, url: \"http://127.0.0.1:9/v1\"}\nmodels:\n"));
    for (int i = 0; i < 1000; i++)
        buf_fmt(&b,
                "  - {name: m%d, provider: p, remote_name: r%d, window: 128000, price_input: 1.25,"
                " price_output: 10, price_cached: 0.1, abilities: [chat, tools], zone: local}\n",
                i, i);
    buf_str(&b, STR("prices:\n"));
    for (int i = 0; i < 2000; i++)
        buf_fmt(&b,
                "  - {model: m%d, hours: \"%s\", price_input: 0.5, price_output: 5,"
                " price_cached: 0.05}\n",
                i / 2, i % 2 ? "22:00-06:00" : "06:00-07:00");
    buf_char(&b, 0);
    REQUIRE(buf_ok(&b));
    EXPECT(read(b.ptr, NULL, &p, &s), STR_FMT, STR_ARG(p.count ? p.at[0] : STR("")));
    EXPECT(s && s->model_count == 1000 && s->price_count == 2000);
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(a_resource_that_no_span_has_room_for_is_a_mistake)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct settings_problems p = {0};
    struct settings *s = NULL;
    struct buf b;

    buf_init(&b, arena, MIB);
    buf_str(&b, STR("telemetry:\n  endpoint: http://h:4318\n  resource: \"team="));
    for (int i = 0; i < 2040; i++)
        buf_char(&b, 'a');
    buf_str(&b, STR("\"\n"));
    buf_char(&b, 0);
    REQUIRE(buf_ok(&b));
    EXPECT(!read(b.ptr, NULL, &p, &s));
    EXPECT(p.count == 1 && str_eq(p.at[0], STR("weir.yaml:3:13: telemetry.resource: has with "
                                               "service and instance more than 2048 bytes")),
           STR_FMT, STR_ARG(p.count ? p.at[0] : STR("no problem")));
    settings_free(&s);
    settings_problems_free(&p);
}

/* All of them, and nothing that only follows from one of them. */
static const struct {
    const char *name, *text, *want; /* want: the problems, a line each */
} many[] = {
    {"values", "log:\n  level: a\n  requests: b\nserver:\n  loops: 999\n",
     "weir.yaml:2:10: log.level: expected one of error|warn|info|debug, found \"a\"\n"
     "weir.yaml:3:13: log.requests: expected true or false, found \"b\"\n"
     "weir.yaml:5:10: server.loops: expected a whole number from 0 to 256, found \"999\"\n"},
    {"a value and what does not fit together",
     "providers:\n  - name: p\n    url: http://h/v1\n    kind: opnai\nmodels:\n  - name: a\n"
     "    provider: q\n    successor: nobody\n",
     "weir.yaml:4:11: providers.0.kind: expected one of "
     "openai|azure|vllm|sglang|llama.cpp|ollama|deepseek|dashscope|baidu|anthropic|gemini|bedrock, "
     "found \"opnai\"\n"
     "weir.yaml:7:15: models.0.provider: no provider has this name\n"
     "weir.yaml:8:16: models.0.successor: no model has this name\n"},
    {"a reranker where there is none",
     "providers:\n  - {name: p, url: \"http://h/v1\", kind: gemini}\n  - {name: q, url: "
     "\"http://h/v1\", kind: "
     "gemini, dialect: openai}\nmodels:\n  - {name: a, provider: p, abilities: rerank}\n  - {name: "
     "b, provider: "
     "q, abilities: rerank}\n",
     "weir.yaml:5:39: models.0.abilities: rerank: a provider that speaks the gemini dialect has no "
     "reranker; take one of kind bedrock, or one with /rerank (openai, vllm, sglang, llama.cpp)\n"},
    {"a name that could not be read is not missed elsewhere",
     "providers:\n  - name: \"a b\"\n    url: http://h/v1\nmodels:\n  - name: m\n"
     "    provider: \"a b\"\n  - name: n\n    provider: a\n",
     "weir.yaml:2:11: providers.0.name: expected a name (letters, digits and ._-/:@+), "
     "found \"a b\"\n"
     "weir.yaml:6:15: models.0.provider: expected a name (letters, digits and ._-/:@+), "
     "found \"a b\"\n"},
    {"a name that was misspelt is not missed as well",
     "providers:\n  - nmae: p\n    url: http://h/v1\n",
     "weir.yaml:2:5: providers.0.nmae: unknown setting; did you mean \"name\"?\n"},
    {"two routes",
     "providers:\n  - name: p\n    url: http://h/v1\nmodels:\n  - name: m\n    provider: p\n"
     "routes:\n  - name: a\n    models: \"x*y\"\n    use: m\n  - name: b\n    hours: 9\n"
     "    use: m\n",
     "weir.yaml:8:11: routes.0: route \"a\": \"x*y\": \"*\" may only stand at the end\n"
     "weir.yaml:11:11: routes.1: route \"b\": expected hours such as 16:30-00:30 (UTC), found "
     "\"9\"\n"},
};

TEST(all_mistakes_are_named_and_each_once)
{
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        struct settings_problems p = {0};
        struct settings *s = NULL;
        char text[2048];
        struct buf b;

        buf_init_fixed(&b, text, sizeof text - 1);
        EXPECT(!read(many[i].text, NULL, &p, &s), "%s", many[i].name);
        for (size_t j = 0; j < p.count; j++)
            buf_fmt(&b, STR_FMT "\n", STR_ARG(p.at[j]));
        text[b.len] = 0;
        EXPECT(strcmp(text, many[i].want) == 0, "%s: found\n%s", many[i].name, text);
        settings_free(&s);
        settings_problems_free(&p);
    }
}

TEST(a_candidate_that_the_file_does_not_know_is_a_warning)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(read("providers:\n  - name: p\n    url: http://h/v1\nmodels:\n  - name: m\n"
                "    provider: p\nroutes:\n  - name: a\n    use: m*2 > nobody\n",
                NULL, &p, &s));
    EXPECT(p.warning_count == 1 &&
               str_eq(p.warnings[0],
                      STR("weir.yaml:8:11: routes.0: no model of this file is called \"nobody\": "
                          "the start fails unless `weir model add` made it")),
           STR_FMT, STR_ARG(p.warning_count ? p.warnings[0] : STR("none")));
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(a_route_of_retired_models_alone_is_a_warning)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(read("providers:\n  - name: p\n    url: http://h/v1\nmodels:\n  - name: m\n"
                "    provider: p\n    lifecycle: retired\nroutes:\n  - name: a\n    use: m\n",
                NULL, &p, &s));
    EXPECT(p.warning_count == 1 &&
               str_starts(p.warnings[0], STR("weir.yaml:9:11: routes.0: all models it names are"
                                             " retired")),
           STR_FMT, STR_ARG(p.warning_count ? p.warnings[0] : STR("none")));
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(a_model_without_a_price_at_who_wants_a_key_is_a_warning)
{
#define PROVIDER "providers:\n  - name: p\n    url: http://h/v1\n"
#define KEY      "    api_key: \"env:KEY\"\n"
#define MODEL    "models:\n  - name: m\n    provider: p\n"
    static const struct {
        const char *name, *text;
        bool warns;
    } rows[] = {
        {"none", PROVIDER KEY MODEL, true},
        {"nothing, and said so", PROVIDER KEY MODEL "    price_input: 0\n", false},
        {"a request", PROVIDER KEY MODEL "    price_request: 0.01\n", false},
        {"in a row", PROVIDER KEY MODEL "prices:\n  - model: m\n    price_input: 2\n", false},
        {"another's row",
         PROVIDER KEY MODEL "  - name: n\n    provider: p\n    price_input: 1\n"
                            "prices:\n  - model: n\n    price_input: 2\n",
         true},
        {"an engine without a key", PROVIDER MODEL, false},
    };
    const char *const environment[] = {"KEY=sk-1", NULL};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct settings_problems p = {0};
        struct settings *s = NULL;

        EXPECT(read(rows[i].text, environment, &p, &s), "%s: " STR_FMT, rows[i].name,
               STR_ARG(p.count ? p.at[0] : STR_NONE));
        EXPECT(p.warning_count == rows[i].warns, "%s: %zu", rows[i].name, p.warning_count);
        EXPECT(!rows[i].warns ||
                   str_starts(p.warnings[0], STR("weir.yaml:6:11: models.0: no price is given")),
               "%s: " STR_FMT, rows[i].name,
               STR_ARG(p.warning_count ? p.warnings[0] : STR("none")));
        settings_free(&s);
        settings_problems_free(&p);
    }
}

/* Of the same model alone, and only where the earlier one holds wherever the later would. */
TEST(prices_that_only_overlap_are_good)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(read("providers:\n  - {name: p, url: \"http://h/v1\"}\n"
                "models:\n  - {name: a, provider: p}\n  - {name: b, provider: p}\nprices:\n"
                "  - {model: a, hours: 22-6, price_input: 1}\n"
                "  - {model: a, prompt_tokens: 5-, tenants: acme, price_input: 2}\n"
                "  - {model: a, prompt_tokens: 3-9, tenants: \"acme, other\", price_input: 2}\n"
                "  - {model: b, hours: 23-5, price_input: 1}\n"
                "  - {model: a, price_input: 3}\n",
                NULL, &p, &s),
           STR_FMT, STR_ARG(p.count ? p.at[0] : STR("none")));
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(a_master_key_that_is_too_short_is_a_mistake)
{
    static const char *const environment[] = {"SHORT=0123456789012345678901234567890",
                                              "LONG=01234567890123456789012345678901", NULL};
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(!read("audit:\n  master_key: env:SHORT\n", environment, &p, &s));
    EXPECT(p.count == 1 && str_eq(p.at[0], STR("weir.yaml:2:15: audit.master_key: has 31 bytes, at "
                                               "least 32 are needed")),
           STR_FMT, STR_ARG(p.count ? p.at[0] : STR("none")));
    settings_problems_free(&p);
    EXPECT(read("audit:\n  master_key: env:LONG\n", environment, &p, &s));
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(a_secret_is_never_repeated)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(!read("providers:\n  - name: a\n    url: http://h/v1\n    api_key: sk-hush-hush\n", NULL,
                 &p, &s));
    for (size_t i = 0; i < p.count; i++)
        EXPECT(str_find(p.at[i], STR("hush")) == p.at[i].len);
    settings_problems_free(&p);
}

/* They are on the heap: what is not wiped is told as lost when the test ends. */
TEST(secrets_end_with_the_settings)
{
    static const char *const environment[] = {"S=hush-and-so-on-to-thirty-two-bytes", NULL};
    static const char text[] =
        "data: {store: \"env:S\"}\naudit: {master_key: \"env:S\"}\n"
        "telemetry: {header_value: \"env:S\"}\ncache: {redis_password: \"env:S\"}\n"
        "providers: [{name: p, url: \"http://h/v1\", api_key: \"env:S\"}]\n"
        "sources: [{name: s, location: /s, database: \"env:S\"}]\n"
        "issuers: [{name: i, url: \"https://i\", audience: w, client_secret: \"env:S\"}]\n";
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(read(text, environment, &p, &s), STR_FMT, STR_ARG(p.count ? p.at[0] : STR("")));
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(the_environment_comes_over_the_file)
{
    static const char *const environment[] = {"WEIR_SERVER_LISTEN=127.0.0.1:9",
                                              "WEIR_PROVIDERS_0_API_KEY=env:THE_KEY",
                                              "THE_KEY=k-1",
                                              "WEIR_PROVIDERS_1_NAME=second",
                                              "WEIR_PROVIDERS_1_URL=https://two/v1",
                                              "WEIR_SERVRE=1",
                                              "WEIR_SERVICE_HOST=x",
                                              NULL};
    struct settings_problems p = {0};
    struct settings *s = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct buf b;

    bool ok = read(
        "server: {listen: 127.0.0.1:1, loops: 3}\nproviders: [{name: first, url: http://one/v1}]\n",
        environment, &p, &s);
    EXPECT(ok, STR_FMT, STR_ARG(p.at[0]));
    REQUIRE(s);
    EXPECT(str_eq(s->server.listen, STR("127.0.0.1:9")));
    EXPECT(s->server.loops == 3);
    EXPECT(s->provider_count == 2 && str_eq(s->providers[1].name, STR("second")));
    EXPECT(str_eq(secret_reveal(&s->providers[0].api_key), STR("k-1")));
    EXPECT(s->providers[1].gap_timeout == 60 * SECOND);
    EXPECT(p.warning_count == 1 && str_starts(p.warnings[0], STR("WEIR_SERVRE: ")), "%zu",
           p.warning_count);

    buf_init(&b, arena, MIB);
    settings_show(s, false, &b);
    EXPECT(str_find(buf_view(&b), STR("k-1")) == b.len);
    EXPECT(str_find(buf_view(&b), STR("env:THE_KEY")) < b.len);
    EXPECT(str_find(buf_view(&b), STR("# WEIR_SERVER_LISTEN")) < b.len);
    EXPECT(str_find(buf_view(&b), STR("# weir.yaml:1")) < b.len);
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(a_long_value_is_shown_whole)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct settings_problems p = {0};
    struct settings *s = NULL;
    struct buf text, out;

    buf_init(&text, arena, MIB);
    buf_str(&text, STR("sources: [{name: s, kind: web, location: ["));
    for (int i = 0; i < 100; i++)
        buf_fmt(&text, "\"https://docs.example.com/page-%d\", ", i);
    buf_str(&text, STR("\"https://docs.example.com/the-last\"]}]\n"));
    REQUIRE(settings_read_text(buf_view(&text), "weir.yaml", NULL, &p, &s), STR_FMT,
            STR_ARG(p.count ? p.at[0] : STR("")));
    for (int json = 0; json < 2; json++) {
        buf_init(&out, arena, MIB);
        settings_show(s, json, &out);
        EXPECT(str_find(buf_view(&out), STR("the-last")) < out.len, "json %d", json);
    }
    settings_free(&s);
    settings_problems_free(&p);
}

TEST(defaults_alone_are_good)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(read("", NULL, &p, &s));
    REQUIRE(s);
    EXPECT(str_eq(s->server.listen, STR("127.0.0.1:8080")));
    EXPECT(s->server.body_bytes == (int64_t)(32 * MIB) && s->server.head_timeout == 10 * SECOND);
    EXPECT(s->log.level == 2 && s->log.requests && s->provider_count == 0);
    settings_free(&s);
    settings_problems_free(&p);
}

/* At a reload the old certificates go on, so only a start and `weir config check` look. */
TEST(certificates_that_cannot_be_used_are_mistakes)
{
    static const char text[] =
        "server:\n  tls_certificate: /nowhere/a.pem\n  tls_key: /nowhere/a.key\n"
        "telemetry:\n  endpoint: https://h\n  ca_file: /nowhere/b.pem\n"
        "cache:\n  mode: on\n  redis: rediss://h:1\n  redis_ca: /nowhere/c.pem\n"
        "providers:\n  - name: p\n    url: https://h/v1\n"
        "    ca_file: /nowhere/d.pem\n"
        "issuers:\n  - name: i\n    url: https://i\n    audience: w\n"
        "    tenant: t\n    default_role: app\n    ca_file: /nowhere/e.pem\n";
    static const char *const want[] = {
        ":2:20: server.tls_certificate: ", ":6:12: telemetry.ca_file: ", ":10:13: cache.redis_ca: ",
        ":14:14: providers.0.ca_file: ", ":21:14: issuers.0.ca_file: "};
    struct settings_problems p = {0};
    struct settings *s = NULL;
    struct err err = {0};
    char path[256];

    snprintf(path, sizeof path, "%s/weir.yaml", test_dir());
    REQUIRE(file_store(path, str_from(text), 0600, &err), "%s", err.text);
    EXPECT(!settings_read_to_start(path, NULL, &p, &s));
    EXPECT(p.count == ARRAY_LEN(want), "%zu", p.count);
    for (size_t i = 0; i < MIN_OF(p.count, ARRAY_LEN(want)); i++)
        EXPECT(str_find(p.at[i], str_from(want[i])) < p.at[i].len &&
                   str_find(p.at[i], STR("/nowhere/")) < p.at[i].len,
               STR_FMT, STR_ARG(p.at[i]));
    settings_problems_free(&p);
    EXPECT(settings_read(path, NULL, &p, &s), STR_FMT, STR_ARG(p.count ? p.at[0] : STR_NONE));
    settings_free(&s);
    settings_problems_free(&p);
    EXPECT(file_remove(path, &err), "%s", err.text);
}

TEST(a_file_that_was_named_must_exist)
{
    struct settings_problems p = {0};
    struct settings *s = NULL;

    EXPECT(!settings_read("/nowhere/weir.yaml", NULL, &p, &s));
    EXPECT(p.count == 1, "%zu", p.count);
    settings_problems_free(&p);
}

TEST(the_schema_and_the_page_name_every_setting)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct err err = {0};
    struct buf schema, page;

    buf_init(&schema, arena, MIB);
    buf_init(&page, arena, MIB);
    settings_schema(&schema);
    settings_docs(&page);
    struct json *j = json_parse(arena, buf_view(&schema), &err);
    REQUIRE(j, "%s", err.text);
    EXPECT(json_path(j, "properties.server.properties.listen.default"));
    EXPECT(json_path(j, "properties.providers.items.properties.url.description"));
    EXPECT(str_find(buf_view(&page), STR("| `gap_timeout` |")) < page.len);
}

#define ISSUER "issuers: [{name: i, url: \"https://i\", audience: w, client_secret: \"env:S\"}]\n"

static const struct {
    const char *name, *was, *is, *want; /* want: the names that are told */
} changes[] = {
    {"a value", "", "server: {listen: 127.0.0.1:2}\nlog: {level: warn}\n", "server.listen"},
    {"a secret", "data: {store: \"env:S\"}\n", "data: {store: \"env:T\"}\n", "data.store"},
    {"a value in a list", ISSUER,
     "issuers: [{name: i, url: \"https://i\", audience: x, client_secret: \"env:T\"}]\n",
     "issuers.0.audience, issuers.0.client_secret"},
    {"a row that came", "", ISSUER "log: {level: warn}\n", "issuers"},
    {"a row that went", "sources: [{name: a, location: /a}, {name: b, location: /b}]\n",
     "sources: [{name: b, location: /b}]\n", "sources"},
    {"rows that are taken over", "", "providers: [{name: p, url: \"http://h/v1\"}]\n", ""},
};

TEST(more_changes_than_there_is_room_for_are_told_to_be_more)
{
    struct settings_problems p = {0};
    struct settings *a = NULL, *b = NULL;
    char text[40];
    struct buf names;

    REQUIRE(read("", NULL, &p, &a) &&
            read("server: {listen: 127.0.0.1:2, loops: 3, fibers: 500, memory: 2GiB}\n"
                 "data: {dir: other}\n",
                 NULL, &p, &b));
    buf_init_fixed(&names, text, sizeof text);
    settings_need_restart(a, b, &names);
    EXPECT(str_eq(buf_view(&names), STR("server.listen, server.loops, ...")), STR_FMT,
           STR_ARG(buf_view(&names)));
    settings_free(&a);
    settings_free(&b);
    settings_problems_free(&p);
}

TEST(a_change_that_waits_for_a_restart_is_told)
{
    static const char *const environment[] = {"S=one", "T=other", NULL};

    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct settings_problems p = {0};
        struct settings *a = NULL, *b = NULL;
        char text[200];
        struct buf names;

        REQUIRE(read(changes[i].was, environment, &p, &a) &&
                    read(changes[i].is, environment, &p, &b),
                "%s: " STR_FMT, changes[i].name, STR_ARG(p.count ? p.at[0] : STR("")));
        buf_init_fixed(&names, text, sizeof text);
        settings_need_restart(a, b, &names);
        EXPECT(str_eq(buf_view(&names), str_from(changes[i].want)), "%s: " STR_FMT, changes[i].name,
               STR_ARG(buf_view(&names)));
        settings_free(&a);
        settings_free(&b);
        settings_problems_free(&p);
    }
}
