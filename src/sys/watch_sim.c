#include "sys/watch.h"

bool watch_open(struct watch **out, struct err *err)
{
    (void)out;
    return err_set(err, ERR_UNAVAILABLE, "nothing watches folders in the simulator");
}

void watch_close(struct watch **watch)
{
    *watch = NULL;
}

bool watch_add(struct watch *watch, const char *dir, struct err *err)
{
    (void)watch;
    return err_set(err, ERR_UNAVAILABLE, "nothing watches folder \"%s\" in the simulator", dir);
}

enum watch_news watch_read(struct watch *watch)
{
    (void)watch;
    return WATCH_NOTHING;
}
