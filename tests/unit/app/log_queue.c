/* The queue of log lines at its ends: other threads go on logging there. */
#include "app/log_queue.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "sys/loop.h"
#include "test.h"

static atomic_bool over;

static void *complain(void *arg)
{
    (void)arg;
    while (!over)
        log_error("again");
    return NULL;
}

static void write_for_a_moment(void *pool)
{
    struct err err = {0};
    struct scope scope;

    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, log_queue_loop, pool, &err) && fiber_sleep(MILLISECOND, &err), "%s",
           err.text);
    scope_close(&scope);
}

static bool begin_and_end(struct err *err)
{
    struct pool_options options = {.name = "log", .threads = 1, .queue_max = 4};
    struct pool *pool CLEANUP(pool_free) = pool_new(&options, err);
    struct loop *loop CLEANUP(loop_free) = pool ? loop_new(NULL, err) : NULL;

    if (!loop)
        return false;
    loop_run(loop, write_for_a_moment, pool);
    return true;
}

/* The loop that has the writer ends, and its pool after it, while pools of the house still say what they do. */
TEST(who_logs_while_the_writer_leaves_calls_nobody)
{
    int before = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    struct err err = {0};
    pthread_t other;
    bool ok = true;

    REQUIRE(before >= 0 && nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
    REQUIRE(log_queue_start(&err), "%s", err.text);
    REQUIRE(pthread_create(&other, NULL, complain, NULL) == 0);
    for (int i = 0; ok && i < 200; i++)
        ok = begin_and_end(&err);
    over = true;
    pthread_join(other, NULL);
    log_queue_stop();
    log_to(NULL, NULL);
    dup2(before, STDERR_FILENO);
    close(before);
    close(nowhere);
    EXPECT(ok, "%s", err.text);
}
