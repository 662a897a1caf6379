/* accounts/windows.h: limits of a minute and of requests in progress that several instances share, in a Redis.
 * A request of an account with such a limit is counted there by one script, over key, team and tenant: all of
 * them take it, or none. What it came to is told a moment later (SETTLE_EVERY), in order before the next take
 * of this instance. Accounts without such limits ask nobody; a database of one's own neither.
 * Without   Redis each instance has its part of each limit (divided by the instances that are alive, at least
 *           1): said in the log, in refusals, and by the metric weir_limits_divided.
 * The dead  what an instance had in progress counts for ALIVE_SECONDS after its last word. */
#ifndef WEIR_ACCOUNTS_WINDOWS_H
#define WEIR_ACCOUNTS_WINDOWS_H

#include "accounts/accounts_internal.h"

/* Counted here already: now at all. *out says which limit refused. False with ERR_UNAVAILABLE: nobody to ask. */
SUSPENDS bool windows_take(struct accounts *accounts, struct account *const levels[LEVELS],
                           struct hold *out, struct err *err) MUST_CHECK;
/* Of a hold that ends; under the lock. */
void windows_settle(struct accounts *accounts, struct account *const levels[LEVELS],
                    const struct hold *hold, int64_t tokens);
/* What is counted of accounts that were removed goes. */
SUSPENDS bool windows_forget(struct accounts *accounts, struct account *const *gone, size_t count,
                             struct err *err) MUST_CHECK;
bool windows_concern(struct account *const levels[LEVELS]);
bool windows_are_asked(const struct accounts *accounts); /* there is a Redis and it answers */

#endif
