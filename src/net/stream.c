#include "net/stream.h"

#include <sys/socket.h>

#include "net/stock.h"
#include "net/stream_internal.h"

#define WINDOW 16 /* pieces handed to the kernel at a time */

/* Where a write of many pieces has got to; the caller's array is never changed. */
struct progress {
    const struct iovec *iov;
    int count;
    size_t skip; /* bytes of iov[0] that are out already */
};

/* Fibers never leave their thread, so a stock of the thread is a stock of the loop. */
static _Thread_local struct stock streams = {.size = sizeof(struct stream)};

struct stream *stream_new(struct sock **s, struct err *err)
{
    struct stream *stream = stock_take(&streams);

    if (!stream) {
        err_no_room(err, "no memory for a connection");
        sock_close(s);
        return NULL;
    }
    stream->sock = *s;
    *s = NULL;
    return stream;
}

bool stream_plain(struct sock **s, struct stream **out, struct err *err)
{
    struct stream *stream = stream_new(s, err);

    if (!stream)
        return false;
    *out = stream;
    return true;
}

enum io stream_try_read(struct stream *s, void *bytes, size_t size, size_t *got, struct err *err)
{
    if (s->tls)
        return tls_half_try_read(s->tls, bytes, size, got, err);
    return sock_try_read(s->sock, bytes, size, got, err);
}

enum io stream_try_write(struct stream *s, const struct iovec *iov, int count, size_t *put,
                         struct err *err)
{
    if (s->tls)
        return tls_half_try_write(s->tls, iov, count, put, err);
    return sock_try_write(s->sock, iov, count, put, err);
}

bool stream_wait_readable(struct stream *s, struct err *err)
{
    if (stream_holds_bytes(s))
        return fiber_still_wanted(err);
    return sock_wait_readable(s->sock, err);
}

bool stream_read(struct stream *s, void *bytes, size_t size, size_t *got, struct err *err)
{
    while (stream_wait_readable(s, err)) {
        switch (stream_try_read(s, bytes, size, got, err)) {
        case IO_DONE: return true;
        case IO_END: *got = 0; return true;
        case IO_FAILED: return false;
        case IO_AGAIN: break;
        }
    }
    return false;
}

static int fill_window(const struct progress *left, struct iovec window[WINDOW])
{
    int count = MIN_OF(left->count, WINDOW);

    for (int i = 0; i < count; i++)
        window[i] = left->iov[i];
    window[0].iov_base = (char *)window[0].iov_base + left->skip;
    window[0].iov_len -= left->skip;
    return count;
}

static void step_over(struct progress *left, size_t bytes)
{
    left->skip += bytes;
    while (left->count > 0 && left->skip >= left->iov->iov_len) {
        left->skip -= left->iov->iov_len;
        left->iov++;
        left->count--;
    }
}

/* Until all is out (IO_DONE) or the peer's side is full (IO_AGAIN). */
static enum io write_what_fits(struct stream *s, struct progress *left, struct err *err)
{
    step_over(left, 0); /* empty pieces in front */
    while (left->count > 0) {
        struct iovec window[WINDOW];
        size_t put = 0;
        int count = fill_window(left, window);
        enum io did = stream_try_write(s, window, count, &put, err);

        if (did != IO_DONE)
            return did == IO_END ? IO_FAILED : did;
        step_over(left, put);
    }
    return IO_DONE;
}

static SUSPENDS bool wait_to_write(struct stream *s, struct err *err)
{
    return s->tls && tls_half_must_read(s->tls) ? sock_wait_readable(s->sock, err)
                                                : sock_wait_writable(s->sock, err);
}

static bool write_slowly(struct stream *s, struct progress *left, dur_ns gap, struct err *err)
{
    struct scope pace;
    enum io did = IO_AGAIN;

    scope_open(&pace, gap > 0 ? fiber_now() + gap : 0);
    while (did == IO_AGAIN) {
        size_t pieces_left = (size_t)left->count, skip = left->skip;

        if (!wait_to_write(s, err))
            did = IO_FAILED;
        else
            did = write_what_fits(s, left, err);
        if (gap > 0 && ((size_t)left->count != pieces_left || left->skip != skip))
            scope_deadline(&pace, fiber_now() + gap);
    }
    scope_close(&pace);
    return did == IO_DONE;
}

bool stream_write_paced(struct stream *s, const struct iovec *iov, int count, dur_ns gap,
                        struct err *err)
{
    struct progress left = {iov, count, 0};

    fiber_step_aside();
    if (!fiber_still_wanted(err))
        return false;
    switch (write_what_fits(s, &left, err)) {
    case IO_DONE: return true;
    case IO_AGAIN: return write_slowly(s, &left, gap, err);
    case IO_END:
    case IO_FAILED: break;
    }
    return false;
}

bool stream_write(struct stream *s, const struct iovec *iov, int count, struct err *err)
{
    return stream_write_paced(s, iov, count, 0, err);
}

bool stream_holds_bytes(const struct stream *s)
{
    return s->tls && tls_half_holds_bytes(s->tls);
}

struct sock *stream_sock(struct stream *s)
{
    return s->sock;
}

/* With TLS, bytes that wait may be no more than a new session ticket: read to tell. */
bool stream_is_alive(struct stream *s)
{
    struct err ignored = {0};
    char unexpected;
    size_t got;

    if (sock_is_alive(s->sock) && !stream_holds_bytes(s))
        return true;
    return s->tls && tls_half_try_read(s->tls, &unexpected, 1, &got, &ignored) == IO_AGAIN;
}

const char *stream_peer_name(struct stream *s)
{
    return s->tls ? tls_half_peer_name(s->tls) : "";
}

void stream_end_writing(struct stream *s)
{
    if (s->tls)
        tls_half_end_writing(s->tls);
    sock_end_writing(s->sock);
}

void stream_cut(struct stream *s, bool reset)
{
    struct linger at_once = {.l_onoff = 1};

    if (s->tls)
        tls_half_cut(s->tls);
    else if (reset && sock_fd(s->sock) >= 0)
        setsockopt(sock_fd(s->sock), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void stream_close(struct stream **s)
{
    if (!*s)
        return;
    tls_half_free(&(*s)->tls);
    sock_close(&(*s)->sock);
    stock_give(&streams, *s);
    *s = NULL;
}
