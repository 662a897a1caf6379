#include "app/log_queue.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/pages.h"
#include "sys/mutex.h"
#include "sys/process.h"

#define WRITER_PATIENCE \
    (50 * MILLISECOND)             /* of the pool's thread, before it lets others have a turn */
#define EXPECT_BYTES  ((size_t)64) /* by which the next line may be longer than the last */
#define URGENT_ROOM   (64 * KIB)   /* of a half, that requests cannot fill */
#define LAST_PATIENCE (1 * SECOND) /* of the process, before it ends with lines unwritten */

/* Two halves: lines are added to one while the other is written. */
static struct {
    struct mutex lock; /* guards all down to writer; never held while something is written */
    char *half[2];
    size_t len[2];
    int adding;
    bool called; /* the writer was called and has not come yet */
    uint64_t dropped;
    struct pool *writer; /* NULL before log_queue_loop() and after it */

    atomic_bool unfinished; /* the last one who wrote left something */
    atomic_bool busy;       /* somebody writes: owns all below, which keeps the order */
    struct str left;        /* of the half that is being written */
    char note[128];         /* how many were dropped: comes behind that half */
    size_t note_len;
} queue;

/* True when it is time to call the writer before its hour. */
static bool add(struct str line, bool urgent)
{
    mutex_lock(&queue.lock);
    size_t *len = &queue.len[queue.adding];
    char *at = queue.half[queue.adding];
    size_t room = LOG_QUEUE_BYTES / 2 - (urgent ? 0 : URGENT_ROOM);
    if (*len + line.len + 1 <= room) {
        memcpy(at + *len, line.ptr, line.len);
        at[*len + line.len] = '\n';
        *len += line.len + 1;
        expect_write(at + *len, MIN_OF(LOG_QUEUE_BYTES / 2 - *len, line.len + EXPECT_BYTES));
    } else {
        queue.dropped++;
    }
    bool call = queue.writer && !queue.called && (urgent || *len > LOG_QUEUE_BYTES / 8);
    queue.called |= call;
    mutex_unlock(&queue.lock);
    return call;
}

static void write_note(uint64_t dropped)
{
    struct buf b;

    buf_init_fixed(&b, queue.note, sizeof queue.note);
    buf_fmt(&b,
            "{\"level\":\"warn\",\"msg\":\"%" PRIu64
            " log lines were dropped: standard error was not taken\"}\n",
            dropped);
    queue.note_len = b.len;
}

/* What is to be written next, nothing when all has been. By whoever is busy. */
static struct str next_piece(void)
{
    if (queue.left.len > 0)
        return queue.left;
    if (queue.note_len > 0) {
        queue.left = (struct str){queue.note, queue.note_len};
        queue.note_len = 0;
        return queue.left;
    }
    mutex_lock(&queue.lock);
    queue.left = (struct str){queue.half[queue.adding], queue.len[queue.adding]};
    queue.adding ^= 1;
    queue.len[queue.adding] = 0;
    if (queue.dropped > 0)
        write_note(queue.dropped);
    queue.dropped = 0;
    queue.called = false;
    mutex_unlock(&queue.lock);
    return queue.left;
}

/* As much as is taken without waiting longer than `patience` for room. Who finds another one writing
 * leaves it to them. */
static void write_queued(dur_ns patience)
{
    struct str piece;
    size_t put = 1;

    if (atomic_exchange(&queue.busy, true))
        return;
    while (put > 0 && (piece = next_piece(), piece.len > 0)) {
        put = standard_error_put(piece, patience);
        queue.left = str_slice(piece, put, piece.len);
    }
    atomic_store(&queue.unfinished, put == 0);
    atomic_store(&queue.busy, false);
}

static void write_job(void *unused)
{
    (void)unused;
    write_queued(WRITER_PATIENCE);
}

/* Under the lock: the writer leaves, and its pool ends, only behind it. */
static void call_writer(void)
{
    struct err err = {0};

    mutex_lock(&queue.lock);
    if (queue.writer)
        (void)!pool_submit(queue.writer, write_job, NULL, &err); /* else at its hour */
    mutex_unlock(&queue.lock);
}

static void sink(void *ctx, enum log_level level, struct str line)
{
    bool urgent = level <= LOG_WARN, call = add(line, urgent);

    (void)ctx;
    if (urgent)
        write_queued(0); /* what is not taken at once is the writer's */
    if (call)
        call_writer();
}

/* One line after the other, without a queue; a line that is not taken is lost. */
static void sink_directly(void *ctx, enum log_level level, struct str line)
{
    struct str left[2] = {line, STR("\n")};
    size_t put = 1;

    (void)ctx, (void)level;
    for (int i = 0; i < 2; i++)
        for (; put > 0 && left[i].len > 0; left[i] = str_slice(left[i], put, left[i].len))
            put = standard_error_put(left[i], WRITER_PATIENCE);
}

void log_without_queue(void)
{
    log_to(sink_directly, NULL);
}

bool log_queue_start(struct err *err)
{
    size_t got;

    mutex_init(&queue.lock);
    for (int i = 0; i < 2; i++) {
        queue.half[i] = pages_take(LOG_QUEUE_BYTES / 2, &got);
        if (!queue.half[i])
            return err_no_room(err, "no memory for the log");
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

/* Lines wait, also those of a half that somebody began to write and that was not taken. */
static bool is_waiting(void)
{
    mutex_lock(&queue.lock);
    bool waiting = queue.len[queue.adding] > 0 || queue.dropped > 0;
    mutex_unlock(&queue.lock);
    return waiting || atomic_load(&queue.unfinished);
}

void log_queue_loop(void *pool)
{
    struct err err = {0};

    set_writer(pool);
    while (fiber_sleep(LOG_QUEUE_EVERY, &err)) {
        if (is_waiting())
            (void)!pool_run(pool, write_job, NULL, &err); /* a full pool: at the next turn */
        err = (struct err){0};
    }
    set_writer(NULL);
}

void log_queue_stop(void)
{
    log_without_queue();
    write_queued(LAST_PATIENCE);
    for (int i = 0; i < 2; i++) {
        pages_give(queue.half[i], LOG_QUEUE_BYTES / 2);
        queue.half[i] = NULL;
    }
    mutex_done(&queue.lock);
}
