#include "sys/sandbox.h"
#include "sys/worker.h"

/* There are no processes in the simulator, so nobody to shut in and nobody to ask. */

bool worker_start(const char *const *argv, struct worker **out, struct err *err)
{
    (void)out;
    return err_set(err, ERR_UNAVAILABLE,
                   "could not start \"%s\": there are no processes in the simulator", argv[0]);
}

void worker_stop(struct worker **worker)
{
    *worker = NULL;
}

bool worker_ask(struct worker *worker, struct arena *arena, const struct worker_call *call,
                struct str *answer, struct err *err)
{
    (void)worker, (void)arena, (void)call, (void)answer;
    return err_set(err, ERR_UNAVAILABLE, "there are no processes in the simulator");
}

bool worker_is_alive(const struct worker *worker)
{
    (void)worker;
    return false;
}

bool worker_receive(struct arena *arena, size_t bytes_max, struct str *question, struct err *err)
{
    (void)arena, (void)bytes_max, (void)question;
    return err_set(err, ERR_UNAVAILABLE, "there are no processes in the simulator");
}

bool worker_reply(const struct str *parts, size_t part_count, struct err *err)
{
    (void)parts, (void)part_count;
    return err_set(err, ERR_UNAVAILABLE, "there are no processes in the simulator");
}

bool sandbox_enter(const struct sandbox_limits *limits, struct err *err)
{
    (void)limits;
    return err_set(err, ERR_UNAVAILABLE, "there is no sandbox in the simulator");
}

bool sandbox_is_possible(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "there is no sandbox in the simulator");
}
