#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "sys/sock_internal.h"
#include "sys/spawn_internal.h"

#define READ_STEP ((size_t)16 * 1024)
#define DRAIN     (1 * SECOND) /* a grandchild may hold the pipes open after the child's end */

enum { IN = SPAWN_IN, OUT = SPAWN_OUT, ERRORS = SPAWN_ERRORS, STREAMS = SPAWN_STREAMS };

struct run {
    const struct process_options *options;
    struct arena *arena;
    int child_ends[STREAMS]; /* -1 once closed */
    struct sock *our_ends[STREAMS];
    struct sock *exit; /* the pidfd: readable when the child has ended */
    pid_t pid;
    struct buf output, errors;
    struct scope scope; /* the child's life and that of the three fibers */
    bool has_ended, too_large;
};

/* ---- pipes ---- */

static bool open_pipe(struct run *r, int stream, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_sys(err, ERR_EXHAUSTED, errno, "could not open a pipe");
    int ours = spawn_raise_above_the_three(ends[stream == IN]);

    r->child_ends[stream] = spawn_raise_above_the_three(ends[stream != IN]);
    if (ours < 0 || r->child_ends[stream] < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) != 0) {
        close(ours);
        return err_sys(err, ERR_EXHAUSTED, errno, "could not set up a pipe");
    }
    if (!sock_adopt(ours, &r->our_ends[stream], err))
        return false;
    r->our_ends[stream]->is_pipe = true;
    return true;
}

static void close_child_ends(struct run *r)
{
    for (int i = 0; i < STREAMS; i++) {
        if (r->child_ends[i] >= 0)
            close(r->child_ends[i]);
        r->child_ends[i] = -1;
    }
}

static void kill_group(const struct run *r)
{
    kill(-r->pid, SIGKILL); /* not yet waited for, so the number is still the child's */
}

/* Whatever happened: no child is left behind, and no descriptor. */
static SUSPENDS void run_done(struct run *r, struct process_result *out)
{
    siginfo_t info = {0};

    close_child_ends(r);
    if (r->exit) {
        kill_group(r);
        while (!r->exit->readable)
            fiber_park_deaf(&r->exit->reader);
    }
    if (r->pid > 0 && waitid(P_PID, (id_t)r->pid, &info, WEXITED) == 0) {
        out->status = info.si_code == CLD_EXITED ? info.si_status : -1;
        out->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    }
    sock_close(&r->exit);
    for (int i = 0; i < STREAMS; i++)
        sock_close(&r->our_ends[i]);
}

static bool start(struct run *r, struct err *err)
{
    const char *path = r->options->argv[0];

    for (int i = 0; i < STREAMS; i++) {
        if (!open_pipe(r, i, err))
            return false;
    }
    struct spawn spawn = {.argv = r->options->argv,
                          .environment = r->options->environment,
                          .memory_max = r->options->memory_max,
                          .cpu_max = r->options->cpu_max};
    memcpy(spawn.ends, r->child_ends, sizeof spawn.ends);
    int failed = FAULT("process.start") ? EAGAIN : spawn_child(&spawn, &r->pid);

    close_child_ends(r);
    if (failed)
        return err_sys(err, failed == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, failed,
                       "could not start \"%s\"", path);
    int fd = pidfd_open(r->pid, PIDFD_NONBLOCK);

    if (fd >= 0 && sock_adopt(fd, &r->exit, err))
        return true;
    if (fd < 0)
        err_sys(err, ERR_EXHAUSTED, errno, "could not watch \"%s\"", path);
    kill_group(r);
    return false;
}

/* ---- the three streams, a fiber each ---- */

static SUSPENDS void feed(void *arg)
{
    struct run *r = arg;
    struct err err = {0};
    struct iovec iov = {(char *)(uintptr_t)r->options->input.ptr, r->options->input.len};

    /* A child that does not want all of it is no error. */
    if (iov.iov_len > 0)
        (void)!sock_write(r->our_ends[IN], &iov, 1, &err);
    sock_close(&r->our_ends[IN]);
}

static SUSPENDS void collect(struct run *r, struct sock *from, struct buf *to)
{
    struct err err = {0};
    char over[1];
    size_t got = 0;

    do {
        size_t room = MIN_OF(READ_STEP, to->max - to->len);
        char *at = room > 0 ? buf_room(to, room) : over;

        if (!at || !sock_read(from, at, MAX_OF(room, sizeof over), &got, &err))
            break;
        if (got > 0 && room == 0) {
            r->too_large = true;
            break;
        }
        buf_added(to, got);
    } while (got > 0);
    if (r->too_large || !buf_ok(to))
        scope_cancel(&r->scope);
}

static SUSPENDS void collect_output(void *arg)
{
    struct run *r = arg;

    collect(r, r->our_ends[OUT], &r->output);
}

static SUSPENDS void collect_errors(void *arg)
{
    struct run *r = arg;

    collect(r, r->our_ends[ERRORS], &r->errors);
}

static SUSPENDS bool talk(struct run *r, struct err *err)
{
    if (!scope_spawn(&r->scope, feed, r, err) || !scope_spawn(&r->scope, collect_output, r, err) ||
        !scope_spawn(&r->scope, collect_errors, r, err) || !sock_wait_readable(r->exit, err))
        return false;
    r->has_ended = true;
    kill_group(r); /* what it left behind */
    mono_ns latest = fiber_now() + DRAIN;

    if (!r->scope.deadline || r->scope.deadline > latest)
        scope_deadline(&r->scope, latest);
    return scope_wait(&r->scope, err);
}

static bool explain(const struct run *r, struct err *err)
{
    const struct process_options *o = r->options;
    struct err outer = {0};

    if (r->too_large)
        return err_set(err, ERR_TOO_LARGE, "\"%s\" wrote more than %zu bytes", o->argv[0],
                       o->output_max);
    if (!buf_ok(&r->output) || !buf_ok(&r->errors))
        return err_arena(err, r->arena);
    if (!fiber_still_wanted(&outer)) {
        *err = outer;
        return err_wrap(err, "run \"%s\"", o->argv[0]);
    }
    if (r->has_ended) /* its pipes stayed open: what came is what it wrote */
        return true;
    if (err->code != ERR_TIMEOUT)
        return err_wrap(err, "run \"%s\"", o->argv[0]);
    return err_set(err, ERR_TIMEOUT, "\"%s\" ran longer than %" PRId64 " ms", o->argv[0],
                   o->wall_max / MILLISECOND);
}

bool process_run(struct arena *arena, const struct process_options *options,
                 struct process_result *out, struct err *err)
{
    struct run r = {.options = options, .arena = arena, .child_ends = {-1, -1, -1}};
    struct process_result result = {.status = -1};
    struct err why = {0};

    if (!fiber_still_wanted(err))
        return err_wrap(err, "run \"%s\"", options->argv[0]);
    buf_init(&r.output, arena, options->output_max);
    buf_init(&r.errors, arena, options->output_max);
    bool started = start(&r, &why);

    if (started) {
        scope_open(&r.scope, options->wall_max ? fiber_now() + options->wall_max : 0);
        bool ok = talk(&r, &why);
        if (!ok)
            kill_group(&r);
        scope_close(&r.scope);
        started = ok || explain(&r, &why);
    }
    run_done(&r, &result);
    if (!started) {
        *err = why;
        return false;
    }
    result.output = buf_view(&r.output);
    result.errors = buf_view(&r.errors);
    *out = result;
    return true;
}
