#include "net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "net_rig.h"

static const struct {
    const char *name, *host;
    uint16_t port;
    const char *want; /* NULL: refused */
} numeric_cases[] = {
    {"v4", "127.0.0.1", 80, "127.0.0.1:80"},
    {"v6", "::1", 8080, "[::1]:8080"},
    {"unix", "unix:/run/x", 0, "unix:/run/x"},
    {"simulated", "host-7.sim", 80, "10.0.0.7:80"},
    {"simulated, large", "host-66051.sim", 80, "10.1.2.3:80"},
    {"simulated, too large", "host-16777216.sim", 80, NULL},
    {"empty", "", 80, NULL},
    {"a name before there is a resolver", "example.com", 80, NULL},
};

FIBER_TEST(numbers_need_no_question)
{
    for (size_t i = 0; i < ARRAY_LEN(numeric_cases); i++) {
        struct addr out[RESOLVE_ADDRS_MAX] = {0};
        struct err err = {0};
        size_t count = 0;
        bool ok =
            resolve(str_from(numeric_cases[i].host), numeric_cases[i].port, out, &count, &err);

        EXPECT(ok == (numeric_cases[i].want != NULL), "%s: %s", numeric_cases[i].name, err.text);
        EXPECT(!ok || (count == 1 && strcmp(out[0].text, numeric_cases[i].want) == 0), "%s: %s",
               numeric_cases[i].name, out[0].text);
    }
}

FIBER_TEST(host_names_have_limits)
{
    struct addr out[RESOLVE_ADDRS_MAX];
    char name[300];
    struct err err = {0};
    size_t count = 0;

    memset(name, 'a', sizeof name);
    EXPECT(!resolve((struct str){name, 254}, 80, out, &count, &err) && err.code == ERR_INVALID);
    EXPECT(!resolve((struct str){"a\0b", 3}, 80, out, &count, &err) && err.code == ERR_INVALID);
    memcpy(name, "unix:/", 6);
    EXPECT(!resolve((struct str){name, 200}, 80, out, &count, &err) && err.code == ERR_INVALID);
}

struct question {
    int *answers;
};

static void ask_localhost(void *arg)
{
    struct question *q = arg;
    struct addr out[RESOLVE_ADDRS_MAX] = {0};
    struct err err = {0};
    size_t count = 0;

    EXPECT(resolve(STR("localhost"), 99, out, &count, &err), "%s", err.text);
    EXPECT(count > 0 &&
               (strcmp(out[0].text, "127.0.0.1:99") == 0 || strcmp(out[0].text, "[::1]:99") == 0),
           "%s", out[0].text);
    ++*q->answers;
}

FIBER_TEST(localhost_is_asked_once_and_remembered)
{
    struct err err = {0};
    struct scope all;
    int answers = 0;
    struct question q = {&answers};

    REQUIRE(resolve_init(NULL, &err), "%s", err.text);
    uint64_t before = resolve_questions();
    scope_open(&all, fiber_now() + PATIENCE);
    for (int i = 0; i < 5; i++)
        EXPECT(scope_spawn(&all, ask_localhost, &q, &err));
    EXPECT(scope_wait(&all, &err), "%s", err.text);
    scope_close(&all);
    ask_localhost(&q);
    EXPECT(answers == 6);
    EXPECT(resolve_questions() - before == 1, "%" PRIu64, resolve_questions() - before);
    resolve_done();
}

FIBER_TEST(names_below_localhost_are_this_machine)
{
    struct addr out[RESOLVE_ADDRS_MAX] = {0};
    struct err err = {0};
    size_t count = 0;

    REQUIRE(resolve_init(NULL, &err), "%s", err.text);
    EXPECT(resolve(STR("shelf.localhost"), 99, out, &count, &err) && count > 0, "%s", err.text);
    EXPECT(strcmp(out[0].text, "127.0.0.1:99") == 0 || strcmp(out[0].text, "[::1]:99") == 0, "%s",
           out[0].text);
    resolve_done();
}

/* No test asks the network: what is there differs from machine to machine, and may be silent. */
static int knows_nobody(const char *name, char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                        size_t *count)
{
    (void)name, (void)hosts, (void)count;
    return EAI_NONAME;
}

FIBER_TEST(failures_are_remembered_and_names_are_bounded)
{
    struct resolve_options o = {.names_max = 3, .ask = knows_nobody};
    struct addr out[RESOLVE_ADDRS_MAX];
    struct err err = {0};
    size_t count = 0;
    char name[32];

    REQUIRE(resolve_init(&o, &err), "%s", err.text);
    uint64_t before = resolve_questions();
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "no-host-%d.invalid", i % 3);
        err = (struct err){0};
        EXPECT(!resolve(str_from(name), 80, out, &count, &err) && err.code == ERR_UNAVAILABLE &&
                   strstr(err.text, name),
               "%s", err.text);
    }
    EXPECT(resolve_questions() - before == 3);
    EXPECT(!resolve(STR("no-host-4.invalid"), 80, out, &count, &err), "the oldest makes room");
    EXPECT(!resolve(STR("no-host-0.invalid"), 80, out, &count, &err) &&
           resolve_questions() - before == 5);
    resolve_done();
}

static pthread_mutex_t silence = PTHREAD_MUTEX_INITIALIZER; /* held: the name server says nothing */

static int answers_late(const char *name, char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                        size_t *count)
{
    (void)name;
    pthread_mutex_lock(&silence);
    pthread_mutex_unlock(&silence);
    memcpy(hosts[(*count)++], "192.0.2.7", sizeof "192.0.2.7");
    return 0;
}

FIBER_TEST(who_waits_for_a_silent_name_server_can_leave)
{
    struct resolve_options o = {.ask = answers_late};
    struct addr out[RESOLVE_ADDRS_MAX];
    struct err err = {0};
    struct scope limit;
    size_t count = 0;

    REQUIRE(resolve_init(&o, &err), "%s", err.text);
    uint64_t before = resolve_questions();
    pthread_mutex_lock(&silence);
    for (int i = 0; i < 2; i++) {
        err = (struct err){0};
        scope_open(&limit, fiber_now() + 20 * MILLISECOND);
        EXPECT(!resolve(STR("late.example"), 80, out, &count, &err) && err.code == ERR_TIMEOUT &&
                   strstr(err.text, "late.example"),
               "%s", err.text);
        scope_close(&limit);
    }
    pthread_mutex_unlock(&silence);
    err = (struct err){0};
    EXPECT(resolve(STR("late.example"), 80, out, &count, &err) && count == 1 &&
               strcmp(out[0].text, "192.0.2.7:80") == 0,
           "%s", err.text);
    EXPECT(resolve_questions() - before == 1, "asked once, the answer came late and was kept");
    resolve_done();
}

enum { ASKED_MANY = 257 }; /* by one thread, and as many as may wait for it */

static void ask_one_of_many(void *arg)
{
    struct addr out[RESOLVE_ADDRS_MAX];
    struct err err = {0};
    size_t count = 0;
    char name[32];

    snprintf(name, sizeof name, "late-%d.example", ++*(int *)arg);
    EXPECT(resolve(str_from(name), 80, out, &count, &err), "%s", err.text);
}

FIBER_TEST(one_question_too_many_is_refused_at_once)
{
    struct resolve_options o = {.ask = answers_late, .threads = 1};
    struct addr out[RESOLVE_ADDRS_MAX];
    struct err err = {0};
    struct scope all, limit;
    size_t count = 0;
    int asked = 0;

    REQUIRE(resolve_init(&o, &err), "%s", err.text);
    uint64_t before = resolve_questions();
    pthread_mutex_lock(&silence);
    scope_open(&all, fiber_now() + PATIENCE);
    EXPECT(scope_spawn(&all, ask_one_of_many, &asked, &err));
    while (resolve_questions() == before)
        fiber_yield();
    for (int i = 1; i < ASKED_MANY; i++)
        EXPECT(scope_spawn(&all, ask_one_of_many, &asked, &err));
    for (int i = 0; i < 5; i++)
        fiber_yield();
    scope_open(&limit, fiber_now() + 500 * MILLISECOND);
    EXPECT(!resolve(STR("one-more.example"), 80, out, &count, &err) && err.code == ERR_EXHAUSTED,
           "%s", err.text);
    scope_close(&limit);
    pthread_mutex_unlock(&silence);
    EXPECT(scope_wait(&all, &err), "%s", err.text);
    scope_close(&all);
    err = (struct err){0};
    EXPECT(resolve(STR("one-more.example"), 80, out, &count, &err), "%s", err.text);
    resolve_done();
}

static int answers_late_unless_well(const char *name,
                                    char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                                    size_t *count)
{
    if (strncmp(name, "late-", 5) == 0)
        return answers_late(name, hosts, count);
    memcpy(hosts[(*count)++], "192.0.2.8", sizeof "192.0.2.8");
    return 0;
}

FIBER_TEST(a_name_that_had_an_answer_does_not_wait_for_strangers)
{
    struct resolve_options o = {.ask = answers_late_unless_well, .ttl = MILLISECOND};
    struct addr out[RESOLVE_ADDRS_MAX];
    struct err err = {0};
    struct scope all, limit;
    size_t count = 0;
    int asked = 0;

    REQUIRE(resolve_init(&o, &err), "%s", err.text);
    uint64_t before = resolve_questions();
    EXPECT(resolve(STR("provider.example"), 80, out, &count, &err), "%s", err.text);
    pthread_mutex_lock(&silence);
    scope_open(&all, fiber_now() + PATIENCE);
    for (int i = 0; i < 8; i++)
        EXPECT(scope_spawn(&all, ask_one_of_many, &asked, &err), "%s", err.text);
    while (resolve_questions() < before + 1 + 4)
        fiber_yield();
    EXPECT(fiber_sleep(2 * MILLISECOND, &err), "%s", err.text);
    scope_open(&limit, fiber_now() + PATIENCE / 2);
    EXPECT(resolve(STR("provider.example"), 80, out, &count, &err) &&
               strcmp(out[0].text, "192.0.2.8:80") == 0,
           "%s", err.text);
    scope_close(&limit);
    pthread_mutex_unlock(&silence);
    EXPECT(scope_wait(&all, &err), "%s", err.text);
    scope_close(&all);
    resolve_done();
}
