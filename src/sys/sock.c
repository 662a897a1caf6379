#include "sys/sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/sanitize.h"
#include "sys/sock_internal.h"

#define POINTER_BITS    48
#define STARTS_PER_TURN 32   /* connections that wake; each turn looks for events again */
#define WRITE_PIECES    32   /* what sock_write() copies of the caller's list at a time */
#define WRITE_LIST_MAX  1024 /* IOV_MAX */

/* ---- events: on the loop's own stack, no fiber runs meanwhile ---- */

/* A line of those that rested and have something to read: the one who waits longest stands first. */
static void due_join(struct loop_body *body, struct sock *s)
{
    s->is_due = true;
    s->next_due = NULL;
    s->before_due = body->due_last;
    if (s->before_due)
        s->before_due->next_due = s;
    else
        body->due = s;
    body->due_last = s;
}

static void due_leave(struct loop_body *body, struct sock *s)
{
    if (s->before_due)
        s->before_due->next_due = s->next_due;
    else
        body->due = s->next_due;
    if (s->next_due)
        s->next_due->before_due = s->before_due;
    else
        body->due_last = s->before_due;
    s->is_due = false;
}

static bool start_rested(struct sock *s)
{
    struct err err = {0};

    if (!fiber_new(s->loop, s->rest_fn, s->rest_arg, &err))
        return false;
    s->rest_fn = NULL;
    return true;
}

/* What was begun goes on first, and in a turn no more is begun than will still be warm when its answer
 * is there: where a thousand ask at once, a thousand stacks and arenas would be touched in turn, each
 * of them cold. */
void sock_start_due(struct loop *loop)
{
    struct loop_body *body = loop->body;

    for (int i = 0; i < STARTS_PER_TURN && body->due && !loop->spawn_blocked; i++) {
        if (!start_rested(body->due))
            break;
        due_leave(body, body->due);
    }
}

void sock_event(struct sock *s, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        s->readable = true;
        fiber_wake_all(&s->reader);
        if (s->rest_fn && !s->is_due)
            due_join(s->loop->body, s);
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        s->writable = true;
        fiber_wake_all(&s->writer);
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        s->hung_up = true;
        if (s->on_hangup)
            scope_cancel(s->on_hangup);
    }
}

/* ---- opening and closing ---- */

bool sock_adopt(int fd, struct sock **out, struct err *err)
{
    struct loop *loop = loop_current();
    struct sock *s = slab_take(&loop->body->socks);

    if (!s) {
        close(fd);
        return err_no_room(err, "no memory for another socket");
    }
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = (uint64_t)(uintptr_t)s | (s->generation & 0xffff) << POINTER_BITS,
    };

    if (epoll_ctl(loop->body->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        err_sys(err, ERR_EXHAUSTED, errno, "could not wait for a socket");
        slab_give(&loop->body->socks, s);
        close(fd);
        return false;
    }
    s->loop = loop;
    s->fd = fd;
    s->writable = true;
    loop->stats.socks++;
    *out = s;
    return true;
}

void sock_close(struct sock **sock)
{
    struct sock *s = *sock;

    if (!s)
        return;
    ASSERT(s->loop == loop_self() && !s->reader && !s->writer);
    if (s->is_due)
        due_leave(s->loop->body, s);
    close(s->fd); /* leaves epoll too, unless a child process holds a copy until it executes */
    s->generation++;
    s->loop->stats.socks--;
    slab_give(&s->loop->body->socks, s);
    *sock = NULL;
}

static bool open_for(const struct addr_bytes *to, int *fd, struct err *err)
{
    int one = 1;

    *fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return err_sys(err, ERR_EXHAUSTED, errno, "could not open a socket");
    if (to->any.sa_family != AF_UNIX)
        setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

static SUSPENDS bool finish_connect(struct sock *s, const struct addr *to, struct err *err)
{
    int error = 0;
    socklen_t len = sizeof error;

    s->writable = false;
    if (!sock_wait_writable(s, err))
        return err_wrap(err, "could not connect to \"%s\"", to->text);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    return !error || err_sys(err, ERR_UNAVAILABLE, error, "could not connect to \"%s\"", to->text);
}

bool sock_connect(const struct addr *to, struct sock **out, struct err *err)
{
    struct addr_bytes bytes;
    struct sock *s CLEANUP(sock_close) = NULL;
    int fd = -1;

    if (!fiber_still_wanted(err) || !addr_to_bytes(str_from(to->text), &bytes, err) ||
        !open_for(&bytes, &fd, err))
        return err_wrap(err, "could not connect to \"%s\"", to->text);
    /* Before epoll knows it: an unconnected socket reports a hang-up. */
    int failed = connect(fd, &bytes.any, bytes.len) != 0 ? errno : 0;

    if (failed && failed != EINPROGRESS && failed != EINTR) {
        close(fd);
        return err_sys(err, ERR_UNAVAILABLE, failed, "could not connect to \"%s\"", to->text);
    }
    if (!sock_adopt(fd, &s, err) || (failed && !finish_connect(s, to, err)))
        return false;
    if (bytes.any.sa_family != AF_UNIX)
        memcpy(&s->peer, &bytes, sizeof s->peer);
    *out = s;
    s = NULL;
    return true;
}

struct addr sock_peer(const struct sock *s)
{
    struct addr_bytes bytes = {.any.sa_family = s->peer.any.sa_family};

    if (bytes.any.sa_family) {
        memcpy(&bytes, &s->peer, sizeof s->peer);
    } else {
        bytes.len = sizeof bytes.local;
        if (getpeername(s->fd, &bytes.any, &bytes.len) != 0)
            return (struct addr){"gone"};
    }
    return addr_from_bytes(&bytes);
}

uint32_t sock_peer_uid(const struct sock *s)
{
    struct ucred who;
    socklen_t len = sizeof who;
    int family = AF_UNSPEC;
    socklen_t family_len = sizeof family;

    if (getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &family, &family_len) != 0 || family != AF_UNIX ||
        getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return UINT32_MAX;
    return who.uid;
}

int sock_fd(const struct sock *s)
{
    return s->fd;
}

/* ---- bytes ---- */

/* The library's recv(), send() and sendmsg() are points at which a thread may be cancelled: two atomic exchanges around each
 * call, six times a request, for what nobody here does. */
static ssize_t receive_bytes(int fd, void *bytes, size_t size, int flags)
{
    return SANITIZE_CALLS ? recv(fd, bytes, size, flags)
                          : syscall(SYS_recvfrom, fd, bytes, size, flags, NULL, NULL);
}

static ssize_t send_one(int fd, const struct iovec *piece)
{
    return SANITIZE_CALLS
               ? send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL)
               : syscall(SYS_sendto, fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t send_many(int fd, const struct msghdr *message)
{
    return SANITIZE_CALLS ? sendmsg(fd, message, MSG_NOSIGNAL)
                          : syscall(SYS_sendmsg, fd, message, MSG_NOSIGNAL);
}

static enum io failed_io(const struct sock *s, const char *what, struct err *err)
{
    int error = errno;

    err_sys(err, ERR_UNAVAILABLE, error, "could not %s \"%s\"", what,
            s->is_pipe ? "pipe" : sock_peer(s).text);
    return IO_FAILED;
}

enum io sock_try_read(struct sock *s, void *bytes, size_t size, size_t *got, struct err *err)
{
    ssize_t n;

    ASSERT(size > 0);
    if (!s->readable)
        return IO_AGAIN;
    do {
        n = s->is_pipe ? read(s->fd, bytes, size) : receive_bytes(s->fd, bytes, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return IO_END;
    if (n < 0 && errno != EAGAIN)
        return failed_io(s, "read from", err);
    if (n < 0 || (n < (ssize_t)size && !s->hung_up))
        s->readable = false; /* drained: what comes now makes an edge */
    if (n < 0)
        return IO_AGAIN;
    *got = (size_t)n;
    return IO_DONE;
}

static ssize_t send_pieces(struct sock *s, const struct iovec *iov, int count)
{
    if (s->is_pipe)
        return writev(s->fd, iov, count);
    if (count == 1)
        return send_one(s->fd, iov);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)count};

    return send_many(s->fd, &message);
}

enum io sock_try_write(struct sock *s, const struct iovec *iov, int count, size_t *put,
                       struct err *err)
{
    size_t all = 0;
    ssize_t n;

    if (!s->writable)
        return IO_AGAIN;
    count = MIN_OF(count, WRITE_LIST_MAX);
    for (int i = 0; i < count; i++)
        all += iov[i].iov_len;
    if (all == 0) {
        *put = 0;
        return IO_DONE;
    }
    do {
        n = send_pieces(s, iov, count);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        return failed_io(s, "write to", err);
    if (n < 0 || (n < (ssize_t)all && !s->hung_up))
        s->writable = false;
    if (n < 0)
        return IO_AGAIN;
    *put = (size_t)n;
    return IO_DONE;
}

bool sock_wait_readable(struct sock *s, struct err *err)
{
    struct loop_body *body = s->loop->body;

    if (s->readable)
        return fiber_still_wanted(err);
    ASSERT(!s->reader && !s->rest_fn);
    body->waiting++;
    bool ok = fiber_park(&s->reader, err);
    body->waiting--;
    return ok;
}

bool sock_wait_writable(struct sock *s, struct err *err)
{
    if (s->writable)
        return fiber_still_wanted(err);
    ASSERT(!s->writer);
    return fiber_park(&s->writer, err);
}

bool sock_read(struct sock *s, void *bytes, size_t size, size_t *got, struct err *err)
{
    for (;;) {
        if (!sock_wait_readable(s, err))
            return false;
        switch (sock_try_read(s, bytes, size, got, err)) {
        case IO_DONE: return true;
        case IO_END: *got = 0; return true;
        case IO_FAILED: return false;
        case IO_AGAIN: break;
        }
    }
}

/* The rest of the caller's list, `skip` bytes into it, as far as `window` holds. */
static int copy_rest(struct iovec *window, const struct iovec *iov, int count, size_t skip)
{
    int n = 0;

    for (int i = 0; i < count && n < WRITE_PIECES; i++) {
        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        window[n++] = (struct iovec){(char *)iov[i].iov_base + skip, iov[i].iov_len - skip};
        skip = 0;
    }
    return n;
}

/* The first try has not taken all: from here on by copies of the list that can be cut. */
static SUSPENDS bool write_rest(struct sock *s, const struct iovec *iov, int count, size_t done,
                                struct err *err)
{
    for (;;) {
        struct iovec window[WRITE_PIECES];
        int pieces = copy_rest(window, iov, count, done);
        size_t put = 0;

        if (pieces == 0)
            return true;
        if (!sock_wait_writable(s, err))
            return false;
        if (sock_try_write(s, window, pieces, &put, err) == IO_FAILED)
            return false;
        done += put;
    }
}

bool sock_write(struct sock *s, const struct iovec *iov, int count, struct err *err)
{
    size_t all = 0, put = 0;

    if (!fiber_still_wanted(err) || sock_try_write(s, iov, count, &put, err) == IO_FAILED)
        return false;
    for (int i = 0; i < count; i++)
        all += iov[i].iov_len;
    return put == all ? true : write_rest(s, iov, count, put, err);
}

/* ---- idle connections and leaving peers ---- */

/* Anything to read, an end or an error included? Asks the kernel only when it may be. */
static bool has_input(struct sock *s)
{
    char byte;

    if (!s->readable || s->hung_up)
        return s->hung_up;
    if (receive_bytes(s->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN)
        s->readable = false;
    return s->readable;
}

bool sock_rest(struct sock *s, fiber_fn *fn, void *arg, struct err *err)
{
    (void)err;
    ASSERT(!s->rest_fn && !s->reader && !s->is_pipe);
    s->rest_fn = fn;
    s->rest_arg = arg;
    if (has_input(s) && !start_rested(s))
        due_join(s->loop->body, s);
    return true;
}

bool sock_rest_cancel(struct sock *s)
{
    if (s->is_due) { /* it has something to read: that is not lost, unless no fiber can be had */
        if (s->loop->running) /* else the loop has ended, and runs none any more */
            start_rested(s);
        due_leave(s->loop->body, s);
    }
    bool rested = s->rest_fn != NULL;

    s->rest_fn = NULL;
    return rested;
}

void sock_on_hangup(struct sock *s, struct scope *scope)
{
    s->on_hangup = scope;
    if (scope && s->hung_up)
        scope_cancel(scope);
}

bool sock_is_alive(struct sock *s)
{
    return !has_input(s);
}

void sock_end_writing(struct sock *s)
{
    shutdown(s->fd, SHUT_WR);
}
