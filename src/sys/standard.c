/* Standard streams as they were handed to us: perhaps closed, perhaps pipes that nobody reads. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/process.h"

void standard_streams_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            _exit(71); /* not even that: nothing could be said either */
}

/* A pipe that is writable takes PIPE_BUF bytes without blocking, so no more are put at a time. The
 * descriptor is shared with whoever started us, so it is not ours to make non-blocking. A file takes what
 * it is given, whether it is asked before or not. */
static bool may_work_later(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOSPC || error == EDQUOT ||
           error == EFBIG;
}

size_t standard_error_put(struct str bytes, dur_ns patience)
{
    struct pollfd to = {.fd = STDERR_FILENO, .events = POLLOUT};
    struct stat what;
    bool is_file = fstat(STDERR_FILENO, &what) == 0 && S_ISREG(what.st_mode);
    int ready = is_file ? 1 : poll(&to, 1, (int)(patience / MILLISECOND));

    if (ready == 0 || (ready < 0 && errno == EINTR))
        return 0;
    ssize_t put =
        write(STDERR_FILENO, bytes.ptr, is_file ? bytes.len : MIN_OF(bytes.len, (size_t)PIPE_BUF));

    if (put < 0 && may_work_later(errno))
        return 0;
    return put < 0 ? bytes.len : (size_t)put;
}

bool standard_error_is_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}
