/* accounts/login.h: people log in at an issuer that the settings name a client_id for: OpenID Connect's
 * authorization code with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 6749, 7636, 9207).
 *
 *   browser            Weir                                    issuer
 *     | GET /auth/login  | login_begin(): cookie + address        |
 *     |------------------------------------------------------------> asks who it is
 *     | GET /auth/callback?code&state  <---------------------------|
 *     |----------------->| login_finish(): code -> ID token ------->|
 *     |   session cookie |   signature, audience, nonce, claims     |
 *
 * Nothing is kept between the two: the cookie is 256 random bits, state says what was begun and is signed
 * together with them, nonce and code_verifier are made from them. So a callback counts only in the
 * browser that began, on every Weir with the same pepper, and a flood of beginnings fills nothing.
 * No token is kept: neither the ID token nor what came with it.
 * Limits   attempts a minute, of one address and of all together: ERR_EXHAUSTED.
 * Threads  any.
 * Errors   ERR_INVALID: the callback is none; ERR_DENIED: not begun here, refused by the issuer, or whom
 *          it names may not enter; ERR_UNAUTHENTICATED: its ID token does not hold; ERR_UNAVAILABLE: it
 *          could not be asked. */
#ifndef WEIR_ACCOUNTS_LOGIN_H
#define WEIR_ACCOUNTS_LOGIN_H

#include "accounts/issuers.h"

#define LOGIN_NEXT_MAX 512u

struct logins;

struct login_options {
    struct accounts *accounts;
    struct issuers *issuers;
    struct str callback; /* redirect_uri, exactly as the issuer knows it */
    struct str home;     /* where a logout at the issuer leads back to */
    dur_ns timeout;      /* from the beginning to the callback */
    uint32_t per_minute, per_minute_address;
};
bool logins_new(const struct login_options *options, struct logins **out, struct err *err)
    MUST_CHECK;
void logins_free(struct logins **logins);

/* Names of the issuers where people can log in; *out[] in the arena. */
size_t login_issuers(struct logins *logins, struct arena *arena, struct str **out);

/* One more attempt of this address, "10.0.0.1:4711"; false: wait. */
bool login_allowed(struct logins *logins, struct str address, wall_ms now, struct err *err)
    MUST_CHECK;

/* A path of ours to go on at: "/..." without another host in it, as browsers read it. */
bool login_next_is_safe(struct str next);

struct login_begun {
    struct str url;    /* where the browser is sent */
    struct str cookie; /* to come back with the callback */
    char slot;         /* of the cookie's name: several logins at once do not mix */
};
bool login_begin(struct logins *logins, struct str issuer, struct str next, struct arena *arena,
                 struct login_begun *out, struct err *err) MUST_CHECK;

/* What came back. */
struct login_callback {
    struct str state, code, issuer, error, error_description; /* issuer: "iss", or none */
};
/* Which cookie belongs to a state, as it says itself; 0: it is no state. */
char login_slot(struct arena *arena, struct str state);
/* *next: where to go on. */
SUSPENDS bool login_finish(struct logins *logins, const struct login_callback *came,
                           struct str cookie, struct arena *arena, struct identity *out,
                           struct str *next, struct err *err) MUST_CHECK;

/* Where the browser ends its session at the issuer too; STR_NONE: there is no such place. */
struct str login_end_url(struct logins *logins, struct str issuer, struct arena *arena);

#endif
