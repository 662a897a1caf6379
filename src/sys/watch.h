/* sys/watch.h: told by the kernel that something in a folder changed (inotify).
 * Of one folder, not of those below it: each is added by itself. Names do not come out, as whoever is told
 * looks at everything anyway.
 * Limits  the kernel's: fs.inotify.max_user_watches, max_user_instances: ERR_EXHAUSTED.
 * Simulator  ERR_UNAVAILABLE: nothing watches there. */
#ifndef WEIR_SYS_WATCH_H
#define WEIR_SYS_WATCH_H

#include "base/err.h"

struct watch;
bool watch_open(struct watch **out, struct err *err) MUST_CHECK;
void watch_close(struct watch **watch); /* CLEANUP-able */
/* Again for one that is watched: nothing happens. ERR_NOT_FOUND: it is gone. */
bool watch_add(struct watch *watch, const char *dir, struct err *err) MUST_CHECK;
enum watch_news {
    WATCH_NOTHING,
    WATCH_CHANGED,
    WATCH_OVERFLOWED /* so much that the kernel stopped counting */
};
/* What came since it was asked last; never waits. */
enum watch_news watch_read(struct watch *watch);

#endif
