#include "app/log_queue.h"

#include <stdio.h>
#include <string.h>

#include "base/pages.h"
#include "sys/mutex.h"

/* Two halves: lines are added to one while the other is written. */
static struct {
    struct mutex lock; /* guards all below */
    struct mutex
        output; /* held while writing: keeps the order; taken before `lock`, never inside it */
    char *half[2];
    size_t len[2];
    int adding;
    bool called; /* the writer was called and has not come yet */
    uint64_t dropped;
    struct pool *writer; /* NULL before log_queue_loop() and after it */
} queue;

/* True when it is time to call the writer before its hour. */
static bool add(struct str line)
{
    mutex_lock(&queue.lock);
    size_t *len = &queue.len[queue.adding];
    char *at = queue.half[queue.adding];
    if (*len + line.len + 1 <= LOG_QUEUE_BYTES / 2) {
        memcpy(at + *len, line.ptr, line.len);
        at[*len + line.len] = '\n';
        *len += line.len + 1;
    } else {
        queue.dropped++;
    }
    bool call = queue.writer && !queue.called && *len > LOG_QUEUE_BYTES / 8;
    queue.called |= call;
    mutex_unlock(&queue.lock);
    return call;
}

/* The half that was filled, to be written by the caller; its length becomes 0 for the time after. */
static struct str take(uint64_t *dropped)
{
    mutex_lock(&queue.lock);
    struct str filled = {queue.half[queue.adding], queue.len[queue.adding]};
    queue.adding ^= 1;
    queue.len[queue.adding] = 0;
    *dropped = queue.dropped;
    queue.dropped = 0;
    queue.called = false;
    mutex_unlock(&queue.lock);
    return filled;
}

/* Blocks while standard error is full: never from a loop but for what must not wait. */
static void write_queued(void *unused)
{
    uint64_t dropped;

    (void)unused;
    mutex_lock(&queue.output);
    struct str filled = take(&dropped);
    if (filled.len > 0)
        fwrite(filled.ptr, 1, filled.len, stderr);
    if (dropped > 0)
        fprintf(stderr,
                "{\"level\":\"warn\",\"msg\":\"%" PRIu64
                " log lines were dropped: standard error was not taken\"}\n",
                dropped);
    mutex_unlock(&queue.output);
}

static void sink(void *ctx, enum log_level level, struct str line)
{
    struct err err = {0};

    (void)ctx;
    bool call = add(line);
    if (level <= LOG_WARN)
        write_queued(NULL);
    else if (call)
        (void)!pool_submit(queue.writer, write_queued, NULL, &err); /* else at its hour */
}

bool log_queue_start(struct err *err)
{
    size_t got;

    mutex_init(&queue.lock);
    mutex_init(&queue.output);
    for (int i = 0; i < 2; i++) {
        queue.half[i] = pages_take(LOG_QUEUE_BYTES / 2, &got);
        if (!queue.half[i])
            return err_set(err, ERR_EXHAUSTED, "no memory for the log");
    }
    log_to(sink, NULL);
    return true;
}

static void set_writer(struct pool *pool)
{
    mutex_lock(&queue.lock);
    queue.writer = pool;
    mutex_unlock(&queue.lock);
}

void log_queue_loop(void *pool)
{
    struct err err = {0};

    set_writer(pool);
    while (fiber_sleep(LOG_QUEUE_EVERY, &err)) {
        mutex_lock(&queue.lock);
        bool any = queue.len[queue.adding] > 0;
        mutex_unlock(&queue.lock);
        if (any)
            (void)!pool_run(pool, write_queued, NULL, &err); /* a full pool: at the next turn */
        err = (struct err){0};
    }
    set_writer(NULL);
}

void log_queue_stop(void)
{
    log_to(NULL, NULL);
    write_queued(NULL);
    for (int i = 0; i < 2; i++) {
        pages_give(queue.half[i], LOG_QUEUE_BYTES / 2);
        queue.half[i] = NULL;
    }
    mutex_done(&queue.lock);
    mutex_done(&queue.output);
}
