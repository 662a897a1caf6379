#include "base/base.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN_MAX 480 /* with a file's name in front still far below what a pipe takes at once */

/* The worker dies here and the supervisor restarts it. Nothing is unwound: state that broke a
 * promise must not be written anywhere. Nor may dying wait: nobody may be reading our standard error,
 * and a writer that hangs in a full pipe is not restarted. */
void assert_failed(const char *file, int line, const char *what)
{
    char text[1024];
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    int len = snprintf(text, sizeof text, "%.*s:%d: assertion failed: %.*s\n", SHOWN_MAX, file,
                       line, SHOWN_MAX, what);

    /* A pipe that polls writable has room for PIPE_BUF bytes, which is more than this. */
    if (len > 0 && poll(&out, 1, 0) == 1 && out.revents & POLLOUT)
        (void)!write(STDERR_FILENO, text, MIN_OF((size_t)len, sizeof text - 1));
    abort();
}
