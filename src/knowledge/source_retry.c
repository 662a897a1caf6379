#include "knowledge/source_retry.h"

#include <stdio.h>
#include <string.h>

#define FIRST_WAIT SECOND

bool retry_is_status(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

bool retry_is_error(const struct err *why)
{
    return why->code == ERR_UNAVAILABLE || why->code == ERR_TIMEOUT;
}

bool retry_again(struct retrying *r, const struct retry_so_far *asked, dur_ns *wait)
{
    dur_ns own = FIRST_WAIT << MIN_OF(asked->times - 1, 20u);

    if (r->lost >= RETRY_LOST_MAX || asked->times > r->most || asked->asked_for > r->wait_max) {
        r->lost++;
        return false;
    }
    *wait = asked->asked_for > 0 ? asked->asked_for : MIN_OF(own, r->wait_max);
    return true;
}

void retry_tell(const struct retrying *r, const struct retry_so_far *asked, struct err *why)
{
    size_t len = strlen(why->text), room = sizeof why->text - len;

    if (asked->times > 1) {
        (void)snprintf(why->text + len, room, "; asked %u times", asked->times);
        len = strlen(why->text);
        room = sizeof why->text - len;
    }
    if (asked->asked_for > r->wait_max)
        (void)snprintf(why->text + len, room,
                       "; it is to be left alone for %" PRId64 " s, longer than `retry_wait`",
                       asked->asked_for / SECOND);
}
