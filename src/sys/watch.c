#include "sys/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"

/* A file is looked at when who writes it closes it: one that grows for hours does not call each second. */
#define EVENTS                                                                          \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)
#define READ_BYTES 3000
#define READS_MAX  1000 /* at once: 250,000 events, more than a queue holds */

struct watch {
    int fd;
    size_t bytes; /* of this */
};

bool watch_open(struct watch **out, struct err *err)
{
    size_t bytes;
    struct watch *w = pages_take(sizeof *w, &bytes);

    if (!w)
        return err_no_room(err, "no memory to watch folders");
    *w = (struct watch){.bytes = bytes};
    w->fd = FAULT("watch.open") ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        int sys = errno;

        pages_give(w, bytes);
        return err_sys(err, ERR_EXHAUSTED, sys, "could not watch folders");
    }
    *out = w;
    return true;
}

void watch_close(struct watch **held)
{
    struct watch *w = *held;

    if (!w)
        return;
    close(w->fd);
    pages_give(w, w->bytes);
    *held = NULL;
}

bool watch_add(struct watch *w, const char *dir, struct err *err)
{
    if (!FAULT("watch.add") && inotify_add_watch(w->fd, dir, EVENTS) >= 0)
        return true;
    enum err_code code = errno == ENOSPC                       ? ERR_EXHAUSTED
                         : errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
                                                               : ERR_UNAVAILABLE;
    return err_sys(err, code, errno, "could not watch folder \"%s\"", dir);
}

enum watch_news watch_read(struct watch *w)
{
    _Alignas(struct inotify_event) char bytes[READ_BYTES];
    enum watch_news news = WATCH_NOTHING;
    ssize_t got;

    for (int i = 0; i < READS_MAX && (got = read(w->fd, bytes, sizeof bytes)) > 0; i++)
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)got;) {
            struct inotify_event event;

            memcpy(&event, bytes + at, sizeof event);
            at += sizeof event + event.len;
            if (event.mask & IN_Q_OVERFLOW)
                news = WATCH_OVERFLOWED;
            else if (news == WATCH_NOTHING && !(event.mask & IN_IGNORED))
                news = WATCH_CHANGED;
        }
    return news;
}
