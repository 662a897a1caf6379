#include "sys/process.h"

SUSPENDS bool process_run(struct arena *arena, const struct process_options *options,
                          struct process_result *out, struct err *err)
{
    (void)arena, (void)out;
    return err_set(err, ERR_UNAVAILABLE,
                   "could not run \"%s\": there are no processes in the simulator",
                   options->argv[0]);
}
