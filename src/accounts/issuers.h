/* accounts/issuers.h: those whose tokens are believed: their keys, kept fresh in the background, and whom a
 * token speaks for. Settings "issuers" say who they are and which claims mean tenant, team and role.
 * Keys     fetched from jwks_url, or from where the issuer's openid-configuration says; again every
 *          refresh, and soon after a token named a key that is not among them. While the issuer is away
 *          the last keys go on for `stale`.
 * Warm     a token that was verified is known by its print until it expires or its key is revoked: two
 *          SipHashes instead of a signature.
 * Threads  any; fetching is loop 0's. */
#ifndef WEIR_ACCOUNTS_ISSUERS_H
#define WEIR_ACCOUNTS_ISSUERS_H

#include "accounts/directory.h"
#include "accounts/jwt.h"
#include "net/http_client.h"

struct issuers;

/* How a client shows its secret; auto: basic, unless the issuer takes post alone. */
enum client_auth { CLIENT_AUTH_AUTO, CLIENT_AUTH_BASIC, CLIENT_AUTH_POST };

/* Texts live as long as the issuers. */
struct issuer_options {
    struct str name, url; /* the issuer, exactly as "iss" has it */
    struct str audience;
    struct str jwks_url;            /* empty: by discovery */
    const struct http_trust *trust; /* NULL: the system's */
    uint32_t algs;
    dur_ns skew, refresh, stale, timeout;
    struct str tenant_claim, team_claim,
        role_claim;         /* "a.b" reaches into objects; empty: no claim */
    struct str tenant;      /* when the claim is not there; empty: refused */
    struct str role_prefix; /* "weir-": of roles' names in the claim; the strongest counts */
    bool has_default_role;  /* else who has none is refused */
    enum role default_role;
    struct str client_id;               /* of logins: login.h; empty: none */
    const struct secret *client_secret; /* empty: a public client */
    enum client_auth client_auth;
    struct str scopes; /* asked for at a login, "openid" among them */
};

bool issuers_new(struct accounts *accounts, const struct issuer_options *options, size_t count,
                 struct issuers **out, struct err *err) MUST_CHECK;
void issuers_free(struct issuers **issuers);
/* A fiber's function, on one loop: keeps every issuer's keys fresh until cancelled. */
SUSPENDS void issuers_loop(void *issuers);

/* Does it look like a token of an issuer rather than one of our keys? */
bool issuers_take(struct str token);
/* Whom a token speaks for; *out is to be released. ERR_UNAUTHENTICATED, ERR_DENIED (no tenant, team or role
 * for it), ERR_UNAVAILABLE: the issuer's keys could not be fetched yet. */
SUSPENDS bool issuers_authenticate(struct issuers *issuers, struct str token,
                                   const struct principal **out, struct err *err) MUST_CHECK;

#endif
