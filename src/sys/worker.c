#include "sys/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"
#include "sys/clock.h"
#include "sys/sandbox.h"
#include "sys/sanitize.h"
#include "sys/spawn_internal.h"

#define LENGTH_BYTES ((size_t)8)
#define WORDS_MAX    512 /* of the child's standard error: the last ones */
#define END_LOOKS    200
#define END_LOOK_MS  10
#define LOOK_AGAIN   (50 * MILLISECOND) /* at the child's clock */

/* One socket is both standard input and output: a pipe would make SIGPIPE of a dead child. */
struct worker {
    pid_t pid;          /* 0: gone */
    int talk, words_fd; /* -1: closed */
    char words[WORDS_MAX];
    size_t words_len;
};

static void put_length(char bytes[LENGTH_BYTES], uint64_t n)
{
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        bytes[i] = (char)(n >> (8 * i));
}

static uint64_t get_length(const char bytes[LENGTH_BYTES])
{
    uint64_t n = 0;

    for (size_t i = LENGTH_BYTES; i-- > 0;)
        n = n << 8 | (uint8_t)bytes[i];
    return n;
}

/* Signals must end the child as they do in the product; a report would have to open files. */
static const char *const asan_environment[] = {
    "ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:detect_leaks=0:"
    "detect_stack_use_after_return=0:symbolize=0:allocator_may_return_null=1",
    NULL};

/* --- its life --------------------------------------------------------------------------------- */

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* talk: ours, the child's; words: ours, the child's. None is one of the three. */
static bool open_ends(int ends[4], struct err *err)
{
    bool ok = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 &&
              pipe2(ends + 2, O_CLOEXEC) == 0;

    for (int i = 0; ok && i < 4; i++) {
        ends[i] = spawn_raise_above_the_three(ends[i]);
        ok = ends[i] >= 0;
    }
    ok = ok && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(ends[2], F_SETFL, O_NONBLOCK) == 0;
    return ok || err_sys(err, ERR_EXHAUSTED, errno, "could not open a pipe to a child");
}

bool worker_start(const char *const *argv, struct worker **out, struct err *err)
{
    size_t got;
    int ends[4] = {-1, -1, -1, -1};
    struct worker *w = pages_take(sizeof *w, &got);

    if (!w)
        return err_no_room(err, "no memory to start a child");
    bool ok = open_ends(ends, err);
    *w = (struct worker){.talk = ends[0], .words_fd = ends[2]};
    if (ok) {
        struct spawn spawn = {.argv = argv, .ends = {ends[1], ends[1], ends[3]}};
        if (SANITIZE_ADDRESS)
            spawn.environment = asan_environment;
        int failed = FAULT("worker.start") ? EAGAIN : spawn_child(&spawn, &w->pid);
        ok = !failed || err_sys(err, ERR_UNAVAILABLE, failed, "could not start \"%s\"", argv[0]);
    }
    close_all((int[]){ends[1], ends[3]}, 2);
    if (ok)
        *out = w;
    else
        worker_stop(&w);
    return ok;
}

static void read_words(struct worker *w)
{
    char bytes[WORDS_MAX];

    for (ssize_t got; (got = read(w->words_fd, bytes, sizeof bytes)) > 0;) {
        size_t keep = MIN_OF(w->words_len, WORDS_MAX - (size_t)got);

        memmove(w->words, w->words + w->words_len - keep, keep);
        memcpy(w->words + keep, bytes, (size_t)got);
        w->words_len = keep + (size_t)got;
    }
}

static bool has_ended(const struct worker *w)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* Waits for its end, which has come or is made now; what it died of. One that closed its side without
 * ending is not waited for. */
static siginfo_t bury(struct worker *w, bool kill_it)
{
    siginfo_t info = {0};

    if (w->pid > 0) {
        for (int i = 0; !kill_it && !has_ended(w) && i < END_LOOKS; i++)
            (void)!poll(NULL, 0, END_LOOK_MS);
        kill(-w->pid, SIGKILL); /* too late for one that has ended: it keeps its reason */
        while (waitid(P_PID, (id_t)w->pid, &info, WEXITED) != 0 && errno == EINTR)
            continue;
        read_words(w);
    }
    w->pid = 0;
    return info;
}

void worker_stop(struct worker **worker)
{
    struct worker *w = *worker;

    if (!w)
        return;
    bury(w, true);
    close_all((int[]){w->talk, w->words_fd}, 2);
    pages_give(w, PAGE_BYTES);
    *worker = NULL;
}

bool worker_is_alive(const struct worker *w)
{
    return w->pid > 0;
}

/* --- what became of it ------------------------------------------------------------------------ */

/* Its last line, as far as it can be shown: the child is not to be trusted. */
static struct str last_words(struct worker *w)
{
    struct str all = str_trim((struct str){w->words, w->words_len});
    size_t from = all.len;

    while (from > 0 && all.ptr[from - 1] != '\n')
        from--;
    for (size_t i = 0; i < w->words_len; i++)
        if (w->words[i] < ' ' || w->words[i] > '~')
            w->words[i] = ' ';
    return str_slice(all, from, from + 150);
}

static bool explain_end(struct worker *w, struct err *err)
{
    siginfo_t info = bury(w, false);
    struct str words = last_words(w), tag = STR(SANDBOX_WORDS);

    if (info.si_code != CLD_EXITED && info.si_status == SIGXCPU)
        return err_set(err, ERR_TIMEOUT, "took too much processor time");
    if (info.si_code != CLD_EXITED && info.si_status == SIGKILL)
        return err_set(err, ERR_UNAVAILABLE,
                       "was killed (signal 9), perhaps because the machine is out of memory");
    if (info.si_code != CLD_EXITED)
        return err_set(err, ERR_UNAVAILABLE, "crashed (signal %d)", info.si_status);
    if (info.si_status == SANDBOX_EXIT && str_starts(words, tag))
        return err_set(err, ERR_UNAVAILABLE, STR_FMT ": refused by the sandbox",
                       STR_ARG(str_slice(words, tag.len, words.len)));
    return err_set(err, ERR_UNAVAILABLE, "ended with status %d%s" STR_FMT, info.si_status,
                   words.len ? ": " : "", STR_ARG(words));
}

/* --- asking ----------------------------------------------------------------------------------- */

struct exchange {
    struct worker *worker;
    struct arena *arena;
    const struct worker_call *call;
    size_t part, part_at; /* what of the question is sent; part 0 is its length */
    char question_length[LENGTH_BYTES];
    char answer_length[LENGTH_BYTES];
    size_t length_got, got;
    char *answer;
    mono_ns begin;
    dur_ns cpu_begin;
};

static dur_ns cpu_used(const struct worker *w)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(w->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (dur_ns)t.tv_sec * SECOND + t.tv_nsec;
}

static bool check_time(const struct exchange *x, struct err *err)
{
    dur_ns wall = clock_mono() - x->begin;

    if (wall > x->call->wall_max)
        return err_set(err, ERR_TIMEOUT, "took longer than %" PRId64 " ms",
                       x->call->wall_max / MILLISECOND);
    if (wall > x->call->cpu_max && cpu_used(x->worker) - x->cpu_begin > x->call->cpu_max)
        return err_set(err, ERR_TIMEOUT, "took more than %" PRId64 " ms of processor time",
                       x->call->cpu_max / MILLISECOND);
    return true;
}

static struct str part_of(const struct exchange *x)
{
    if (x->part == 0)
        return (struct str){x->question_length, LENGTH_BYTES};
    return x->call->parts[x->part - 1];
}

static bool is_sending(const struct exchange *x)
{
    return x->part <= x->call->part_count;
}

static bool send_some(struct exchange *x)
{
    while (is_sending(x)) {
        struct str rest = part_of(x);

        rest = str_slice(rest, x->part_at, rest.len);
        ssize_t put = rest.len ? send(x->worker->talk, rest.ptr, rest.len, MSG_NOSIGNAL) : 0;
        if (put < 0)
            return errno == EAGAIN || errno == EINTR;
        x->part_at += (size_t)put;
        if ((size_t)put == rest.len)
            x->part++, x->part_at = 0;
    }
    return true;
}

static bool make_room(struct exchange *x, struct err *err)
{
    uint64_t len = get_length(x->answer_length);

    if (len > x->call->answer_max)
        return err_set(err, ERR_TOO_LARGE, "wrote more than %zu bytes", x->call->answer_max);
    x->answer = arena_alloc_raw(x->arena, len);
    return x->answer || err_arena(err, x->arena);
}

/* *done: the answer is whole. false with an empty err: the child has closed its side. */
static bool receive_some(struct exchange *x, bool *done, struct err *err)
{
    while (!*done) {
        bool in_length = x->length_got < LENGTH_BYTES;
        char *to = in_length ? x->answer_length + x->length_got : x->answer + x->got;
        size_t want =
            in_length ? LENGTH_BYTES - x->length_got : get_length(x->answer_length) - x->got;
        ssize_t got = want ? recv(x->worker->talk, to, want, 0) : 0;

        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0 && want > 0)
            return false;
        *(in_length ? &x->length_got : &x->got) += (size_t)got;
        if (in_length && x->length_got == LENGTH_BYTES && !make_room(x, err))
            return false;
        *done = x->answer && x->got == get_length(x->answer_length);
    }
    return true;
}

static bool exchange(struct exchange *x, struct err *err)
{
    struct worker *w = x->worker;

    for (bool done = false; !done;) {
        struct pollfd fds[] = {
            {.fd = w->talk, .events = (short)(POLLIN | (is_sending(x) ? POLLOUT : 0))},
            {.fd = w->words_fd, .events = POLLIN}};

        /* The words' pipe ends only with the child, whose other end tells, too. */
        if (poll(fds, ARRAY_LEN(fds), (int)(LOOK_AGAIN / MILLISECOND)) < 0 && errno != EINTR)
            return err_sys(err, ERR_INTERNAL, errno, "could not wait for a child");
        read_words(w);
        if (!check_time(x, err))
            return false;
        bool sent = send_some(x);
        if (!receive_some(x, &done, err) || (!done && !sent))
            return false;
    }
    return true;
}

bool worker_ask(struct worker *w, struct arena *arena, const struct worker_call *call,
                struct str *answer, struct err *err)
{
    struct exchange x = {.worker = w, .arena = arena, .call = call, .begin = clock_mono()};
    struct err why = {0};
    uint64_t len = 0;

    ASSERT(w->pid > 0);
    for (size_t i = 0; i < call->part_count; i++)
        len += call->parts[i].len;
    put_length(x.question_length, len);
    x.cpu_begin = cpu_used(w);
    if (exchange(&x, &why)) {
        if (is_sending(&x)) /* it did not want all of it: the rest would be its next question */
            bury(w, true);
        *answer = (struct str){x.answer, x.got};
        return true;
    }
    if (why.code == ERR_NONE)
        return explain_end(w, err);
    bury(w, true);
    *err = why;
    return false;
}

/* --- in the child ----------------------------------------------------------------------------- */

/* Bytes read before the end, or -1. */
static ssize_t read_whole(char *to, size_t len)
{
    size_t at = 0;

    while (at < len) {
        ssize_t got = read(STDIN_FILENO, to + at, len - at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        at += (size_t)got;
    }
    return (ssize_t)at;
}

bool worker_receive(struct arena *arena, size_t bytes_max, struct str *question, struct err *err)
{
    char length[LENGTH_BYTES];
    ssize_t got = read_whole(length, sizeof length);

    if (got == 0)
        return false;
    if (got != (ssize_t)sizeof length)
        return err_set(err, ERR_UNAVAILABLE, "the question broke off");
    uint64_t len = get_length(length);
    if (len > bytes_max)
        return err_set(err, ERR_TOO_LARGE, "a question of more than %zu bytes", bytes_max);
    char *bytes = arena_alloc_raw(arena, len);
    if (!bytes)
        return err_arena(err, arena);
    if (read_whole(bytes, len) != (ssize_t)len)
        return err_set(err, ERR_UNAVAILABLE, "the question broke off");
    *question = (struct str){bytes, len};
    return true;
}

static bool write_whole(struct str s, struct err *err)
{
    while (s.len > 0) {
        ssize_t put = write(STDOUT_FILENO, s.ptr, s.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_sys(err, ERR_UNAVAILABLE, errno, "could not reply");
        s = str_slice(s, (size_t)put, s.len);
    }
    return true;
}

bool worker_reply(const struct str *parts, size_t part_count, struct err *err)
{
    char length[LENGTH_BYTES];
    uint64_t len = 0;

    for (size_t i = 0; i < part_count; i++)
        len += parts[i].len;
    put_length(length, len);
    bool ok = write_whole((struct str){length, sizeof length}, err);
    for (size_t i = 0; ok && i < part_count; i++)
        ok = write_whole(parts[i], err);
    return ok;
}
