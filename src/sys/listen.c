#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"
#include "sys/sock_internal.h"

#define BACKLOG_DEFAULT   1024
#define UNIX_MODE_DEFAULT 0600
#define ACCEPTS_IN_A_ROW  64 /* then the others get a turn */
#define PAUSE_WHEN_FULL   (50 * MILLISECOND)

struct listener {
    struct sock *sock;
    struct addr addr;
    int in_a_row;
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* of a Unix socket, to remove */
};

/* A socket file that nobody listens behind was left by a process that died. Connecting to a file of another kind is refused in
 * the same way: that one is somebody's. */
static void remove_stale(const struct addr_bytes *at)
{
    struct stat what;

    if (stat(at->local.sun_path, &what) != 0 || !S_ISSOCK(what.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    if (connect(fd, &at->any, at->len) != 0 && errno == ECONNREFUSED)
        unlink(at->local.sun_path);
    close(fd);
}

static int bind_unix(int fd, const struct addr_bytes *at, int mode)
{
    remove_stale(at);
    /* The file is born with the socket's mode less the umask, so never wider than asked. */
    if (fchmod(fd, (mode_t)mode) != 0 || bind(fd, &at->any, at->len) != 0)
        return -1;
    return chmod(at->local.sun_path, (mode_t)mode);
}

static int bind_port(int fd, const struct addr_bytes *at, bool reuse_port)
{
    int one = 1;

    /* NODELAY is inherited by what is accepted, which saves a call each. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0))
        return -1;
    return bind(fd, &at->any, at->len);
}

static bool open_listening(const struct addr_bytes *at, const struct listen_options *options,
                           int *out, struct err *err)
{
    static const struct listen_options defaults;
    const struct listen_options *o = options ? options : &defaults;
    int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(err, ERR_EXHAUSTED, errno, "could not open a socket");
    int failed = at->any.sa_family == AF_UNIX
                     ? bind_unix(fd, at, o->mode ? o->mode : UNIX_MODE_DEFAULT)
                     : bind_port(fd, at, o->reuse_port);

    if (failed || listen(fd, o->backlog ? o->backlog : BACKLOG_DEFAULT) != 0) {
        err_sys(err, ERR_UNAVAILABLE, errno, "could not bind");
        close(fd);
        return false;
    }
    *out = fd;
    return true;
}

static struct addr real_addr(int fd)
{
    struct addr_bytes bytes = {.len = sizeof bytes.local};
    int failed = getsockname(fd, &bytes.any, &bytes.len);

    ASSERT(!failed);
    return addr_from_bytes(&bytes);
}

bool sock_listen(const struct addr *at, const struct listen_options *options, struct listener **out,
                 struct err *err)
{
    struct addr_bytes bytes;
    size_t got;
    int fd = -1;

    if (!addr_to_bytes(str_from(at->text), &bytes, err) ||
        !open_listening(&bytes, options, &fd, err))
        return err_wrap(err, "could not listen at \"%s\"", at->text);
    struct listener *l = pages_take(sizeof *l, &got);

    if (!l) {
        close(fd);
        return err_no_room(err, "no memory to listen at \"%s\"", at->text);
    }
    memset(l, 0, sizeof *l);
    l->addr = real_addr(fd);
    if (bytes.any.sa_family == AF_UNIX)
        memcpy(l->path, bytes.local.sun_path, sizeof l->path);
    if (!sock_adopt(fd, &l->sock, err)) {
        pages_give(l, got);
        return err_wrap(err, "could not listen at \"%s\"", at->text);
    }
    *out = l;
    return true;
}

struct addr listener_addr(const struct listener *l)
{
    return l->addr;
}

void listener_close(struct listener **listener)
{
    struct listener *l = *listener;

    if (!l)
        return;
    if (l->path[0])
        unlink(l->path);
    sock_close(&l->sock);
    pages_give(l, PAGE_BYTES);
    *listener = NULL;
}

static SUSPENDS bool wait_for_client(struct listener *l, struct err *err)
{
    if (++l->in_a_row >= ACCEPTS_IN_A_ROW) {
        l->in_a_row = 0;
        fiber_yield();
    }
    return sock_wait_readable(l->sock, err);
}

/* Out of descriptors or memory: the caller hears of it, but not more often than the pause. */
static SUSPENDS bool pause_when_full(struct listener *l, int error, struct err *err)
{
    if (!fiber_sleep(PAUSE_WHEN_FULL, err))
        return false;
    return err_sys(err, ERR_EXHAUSTED, error, "could not accept at \"%s\"", l->addr.text);
}

bool sock_accept(struct listener *l, struct sock **out, struct err *err)
{
    for (;;) {
        struct addr_bytes peer = {.len = sizeof peer.local};

        if (!wait_for_client(l, err))
            return false;
        int fd = accept4(l->sock->fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            if (!sock_adopt(fd, out, err))
                return false;
            if (peer.any.sa_family != AF_UNIX)
                memcpy(&(*out)->peer, &peer, sizeof(*out)->peer);
            return true;
        }
        if (errno == EAGAIN)
            l->sock->readable = false;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return pause_when_full(l, errno, err);
        /* else that one client was gone before we took it */
    }
}
