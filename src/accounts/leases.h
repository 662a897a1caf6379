/* accounts/leases.h: spend limits that several instances share, exactly.
 * An instance may spend of an account's day or month only up to its share: a row of the database, taken in
 * one transaction that leaves the sum of all shares within the limit. Holds are local, against the share, so
 * a request asks nobody while it suffices. When it does not, one fiber takes more; when others have what is
 * left, they are asked to give back what they do not need, and the request waits, at most LEASE_WAIT.
 * The dead  a share stays with an instance that is gone, for what it spent last is not known: until it is
 *           back and has read its audit log again, or `weir instance retire` says that it never will be.
 * Errors    ERR_EXHAUSTED: the limit; ERR_UNAVAILABLE: the database is away, and the share used up. */
#ifndef WEIR_ACCOUNTS_LEASES_H
#define WEIR_ACCOUNTS_LEASES_H

#include "accounts/accounts_internal.h"

#define LEASE_WAIT (1500 * MILLISECOND)

extern const char *const leases_settle_sql; /* ?1: of which instance; up to what it has spent */

/* Of one with a limit of spend, where the database is shared; under the lock. */
bool lease_make(struct accounts *accounts, struct account *account, struct err *err) MUST_CHECK;
/* Its limit was changed: what it does not need goes back soon. Under the lock. */
void lease_forget_use(struct account *account);
/* What the share of its tightest period has left; INT64_MAX where there is no limit. Under the lock. */
bool lease_allows(const struct account *account, usd_micro worst, wall_ms now);
/* Until the shares suffice for so much more. False with why they never will. */
SUSPENDS bool lease_wait(struct accounts *accounts, struct account *const levels[LEVELS],
                         usd_micro worst, struct err *err) MUST_CHECK;
/* At start, when the log has been read again, and at stop: nothing is kept that is not spent. Blocks. */
bool leases_settle_now(struct accounts *accounts, struct err *err) MUST_CHECK;

#endif
