/* app/serve.h: the daemon: loops, listeners, signals, reload, drain. */
#ifndef WEIR_APP_SERVE_H
#define WEIR_APP_SERVE_H

#include "app/house.h"

struct serve_options {
    struct settings *settings; /* taken over */
    const char *config_file;
    const char *const *environment;
};
/* Until SIGTERM or SIGINT; exit status. */
int serve(struct serve_options *options);

/* The house on its command socket only, for one fiber of a command-line tool: how `weir key` works when
 * no daemon runs. Runs work(arg) beside it in one loop. */
bool serve_beside(struct house *house, fiber_fn *work, void *arg, struct err *err) MUST_CHECK;

#endif
