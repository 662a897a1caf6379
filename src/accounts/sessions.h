/* accounts/sessions.h: people who logged in. A session is a row of the store, so that it holds on every Weir
 * over the same database and survives restarts; its cookie is 256 random bits, of which the store has
 * HMAC-SHA-256 under the pepper.
 * Ends      by session_end(), when its person is revoked or its tenant removed, `lifetime` after the
 *           login and `idle` after the last use (to within a sixteenth of it, as uses are written).
 * Memory    what the store said of a session is believed for `remember`. An end that is made here holds at
 *           once, one on another Weir as soon as its change is followed (instances.h), and after
 *           `remember` also when it is not.
 * Limits    total_max, person_max: a person's oldest ends when there would be more.
 * Threads   any.
 * Errors    ERR_UNAUTHENTICATED: no session, or none any more; ERR_EXHAUSTED: total_max;
 *           ERR_UNAVAILABLE: the store. */
#ifndef WEIR_ACCOUNTS_SESSIONS_H
#define WEIR_ACCOUNTS_SESSIONS_H

#include "accounts/directory.h"

#define SESSION_COOKIE_LEN 43u /* base64url of 32 bytes */
#define SESSION_ID_LEN     18u /* "s_" and 16 digits */

struct sessions;

struct session_options {
    struct accounts *accounts;
    struct store *store;
    dur_ns lifetime, idle, remember;
    uint32_t total_max, person_max;
};
bool sessions_new(const struct session_options *options, struct sessions **out, struct err *err)
    MUST_CHECK;
void sessions_free(struct sessions **sessions);
SUSPENDS void sessions_loop(void *sessions); /* a fiber's function: removes rows of those over */

struct session_info {
    struct str id, person, name, tenant, team, issuer; /* person: "u_..." */
    enum role role;
    wall_ms created, used, expires;
};

/* Somebody has logged in as `identity`. *cookie goes to the browser and is wiped. *replaced: how many of the
 * person's older sessions ended for it. */
SUSPENDS bool session_begin(struct sessions *sessions, const struct identity *identity,
                            struct arena *arena, struct session_info *out, struct secret *cookie,
                            uint32_t *replaced, struct err *err) MUST_CHECK;

/* What a request that shows a cookie needs to know. */
struct session {
    const struct principal *who; /* to be released */
    char id[SESSION_ID_LEN + 1];
    char issuer[64]; /* its name in the settings */
    wall_ms expires;
};
SUSPENDS bool session_enter(struct sessions *sessions, struct str cookie, struct session *out,
                            struct err *err) MUST_CHECK;
/* What has to stand in x-weir-csrf of calls that change something: of this cookie alone. */
struct str session_csrf(struct sessions *sessions, struct str cookie, char out[SESSION_COOKIE_LEN]);

/* ERR_NOT_FOUND when it is over already. */
SUSPENDS bool session_end(struct sessions *sessions, struct str id, struct err *err) MUST_CHECK;
/* Those of a person that are within reach; NULL: all. */
struct session_reach {
    struct str tenant; /* empty: any */
    unsigned roles;    /* bits 1 << enum role */
};
SUSPENDS bool session_end_person(struct sessions *sessions, struct str person,
                                 const struct session_reach *reach, int64_t *ended, struct err *err)
    MUST_CHECK;
/* Another Weir ended a session, or all of a person's: CHANGE_SESSION. */
#define CHANGE_SESSION "session"
SUSPENDS bool sessions_follow_end(void *sessions, struct str id, struct err *err) MUST_CHECK;
SUSPENDS bool sessions_follow_all(void *sessions, struct err *err) MUST_CHECK;
SUSPENDS bool session_find(struct sessions *sessions, struct str id, struct arena *arena,
                           struct session_info *out, struct err *err) MUST_CHECK;
/* Those that are not over, by ids: pages. */
struct session_filter {
    struct str tenant, person; /* empty: any */
    struct str after;
    size_t most; /* above 0 */
};
SUSPENDS bool session_list(struct sessions *sessions, const struct session_filter *filter,
                           struct arena *arena, struct session_info **out, size_t *count,
                           struct err *err) MUST_CHECK;

#endif
