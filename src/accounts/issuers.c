/* accounts/issuers.c: keys of issuers, and principals from claims. */
#include "accounts/issuers_internal.h"

#include "base/log.h"
#include "sys/clock.h"
#include "sys/snapshot.h"

#define DOCUMENT_MAX ((size_t)256 * KIB)
#define FETCH_MEMORY ((size_t)2 * MIB)
#define TOKEN_MEMORY ((size_t)512 * KIB)
#define LOOK_EVERY   SECOND
#define SOON_MIN     (10 * SECOND) /* between fetches that strangers' tokens ask for */
#define ENDPOINT_MAX 2048u
#define WARM_MAX_MS  ((wall_ms)5 * 60 * 1000) /* then the signature is looked at again */

static void keys_free(void *object)
{
    struct issuer_keys *keys = object;
    struct arena *arena = keys->arena;

    jwks_free(&keys->set);
    arena_end(&arena);
}

/* ---- fetching ---- */

static SUSPENDS bool get(struct arena *arena, const struct issuer *issuer, struct str url,
                         struct str *out, struct err *err)
{
    static const struct http_field accept = {STR("accept"), STR("application/json")};
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct http_url to;

    if (!http_url_parse(url, &to, err))
        return false;

    const struct http_outgoing send = {.method = STR("GET"),
                                       .path = STR(""),
                                       .fields = &accept,
                                       .field_count = 1,
                                       .trust = issuer->options.trust};

    if (!http_call(arena, &to, &send, &call, err) || !http_call_body(call, DOCUMENT_MAX, out, err))
        return false;
    return http_call_head(call)->status == 200 ||
           err_set(err, ERR_UNAVAILABLE, "answered with status %d", http_call_head(call)->status);
}

/* An endpoint in the clear where the issuer itself is not is somebody else's idea. */
static bool read_endpoint(struct arena *arena, const struct json *j, const char *name,
                          const struct issuer *issuer, struct str *out, struct err *err)
{
    struct str text = STR_NONE;
    struct http_url url;

    if (!json_str(j, json_get(j, json_root(j), str_from(name)), arena, &text))
        return true;
    if (text.len > ENDPOINT_MAX)
        return err_set(err, ERR_UNAVAILABLE, "openid-configuration: %s is too long", name);
    if (!http_url_parse(str_slice(text, 0, str_find_char(text, '?')), &url, err))
        return err_wrap(err, "openid-configuration: %s", name);
    if (!url.tls && str_starts(issuer->options.url, STR("https:")))
        return err_set(err, ERR_UNAVAILABLE, "openid-configuration: %s is not https", name);
    *out = text;
    return true;
}

/* RFC 8414: without the member, it is client_secret_basic. */
static bool takes_auth(struct arena *arena, const struct json *j, struct str method, bool unsaid)
{
    json_ref list = json_get(j, json_root(j), STR("token_endpoint_auth_methods_supported"));
    struct str name;

    if (json_kind(j, list) != JSON_ARRAY)
        return unsaid;
    for (json_ref at = json_first(j, list); at; at = json_next(j, at))
        if (json_str(j, at, arena, &name) && str_eq(name, method))
            return true;
    return false;
}

static SUSPENDS bool discover(struct arena *arena, const struct issuer *issuer,
                              struct issuer_endpoints *out, struct err *err)
{
    struct str base = issuer->options.url, url, text, said = STR_NONE;
    const struct json *j;

    if (str_ends(base, STR("/")))
        base.len--;
    url = arena_fmt(arena, STR_FMT "/.well-known/openid-configuration", STR_ARG(base));
    if (!url.ptr)
        return err_arena(err, arena);
    if (!get(arena, issuer, url, &text, err))
        return err_wrap(err, "openid-configuration");
    j = json_parse(arena, text, err);
    if (!j)
        return err_wrap(err, "openid-configuration");
    if (!json_str(j, json_get(j, json_root(j), STR("issuer")), arena, &said) ||
        !str_eq(said, issuer->options.url))
        return err_set(err, ERR_UNAVAILABLE, "openid-configuration is of another issuer");
    if (!read_endpoint(arena, j, "jwks_uri", issuer, &out->keys, err) ||
        !read_endpoint(arena, j, "authorization_endpoint", issuer, &out->authorization, err) ||
        !read_endpoint(arena, j, "token_endpoint", issuer, &out->token, err) ||
        !read_endpoint(arena, j, "end_session_endpoint", issuer, &out->end_session, err))
        return false;
    out->takes_basic = takes_auth(arena, j, STR("client_secret_basic"), true);
    out->takes_post = takes_auth(arena, j, STR("client_secret_post"), false);
    return true;
}

/* Keys are where the settings say; where logins go only the issuer's openid-configuration says. */
static SUSPENDS bool find_endpoints(struct arena *arena, const struct issuer *issuer,
                                    struct issuer_endpoints *out, struct err *err)
{
    bool logins = issuer->options.client_id.len > 0;

    if ((logins || !issuer->options.jwks_url.len) && !discover(arena, issuer, out, err))
        return false;
    if (issuer->options.jwks_url.len)
        out->keys = issuer->options.jwks_url;
    if (!out->keys.len)
        return err_set(err, ERR_UNAVAILABLE, "openid-configuration names no jwks_uri");
    return !logins || (out->authorization.len && out->token.len) ||
           err_set(err, ERR_UNAVAILABLE,
                   "openid-configuration names no authorization_endpoint or no token_endpoint");
}

static bool publish(struct issuer *issuer, struct jwks *set, const struct issuer_endpoints *found)
{
    struct arena *arena = arena_new(32 * KIB);
    struct issuer_keys *keys = arena ? arena_alloc(arena, sizeof *keys) : NULL;

    if (keys)
        keys->endpoints = (struct issuer_endpoints){
            .keys = arena_str(arena, found->keys),
            .authorization = arena_str(arena, found->authorization),
            .token = arena_str(arena, found->token),
            .end_session = arena_str(arena, found->end_session),
            .takes_basic = found->takes_basic,
            .takes_post = found->takes_post,
        };
    if (!keys || !keys->endpoints.keys.ptr || !keys->endpoints.authorization.ptr ||
        !keys->endpoints.token.ptr || !keys->endpoints.end_session.ptr) {
        arena_end(&arena);
        jwks_free(&set);
        return false;
    }
    keys->set = set;
    keys->fetched = fiber_now();
    keys->arena = arena;
    snapshot_publish(issuer->keys, keys);
    return true;
}

static SUSPENDS bool fetch(struct issuer *issuer, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FETCH_MEMORY);
    struct issuer_endpoints found = {0};
    struct jwks *set = NULL;
    struct scope limit;
    struct str text;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to fetch keys");
    scope_open(&limit, fiber_now() + issuer->options.timeout);
    bool ok = find_endpoints(arena, issuer, &found, err) &&
              get(arena, issuer, found.keys, &text, err) && jwks_parse(text, &set, err);
    scope_close(&limit);
    return ok && (publish(issuer, set, &found) ||
                  err_set(err, ERR_UNAVAILABLE, "no memory to keep keys"));
}

static SUSPENDS void refresh(struct issuer *issuer)
{
    struct err err = {0};

    issuer->tried = fiber_now();
    atomic_store(&issuer->wanted, false);
    bool ok = fetch(issuer, &err);
    if (ok)
        issuer->good = fiber_now();
    if (!ok && !issuer->failing)
        log_warn("keys of issuer \"" STR_FMT "\" could not be fetched, the last ones stay: %s",
                 STR_ARG(issuer->options.name), err.text);
    if (ok && issuer->failing)
        log_info("keys of issuer \"" STR_FMT "\" are fetched again", STR_ARG(issuer->options.name));
    issuer->failing = !ok;
}

void issuers_loop(void *arg)
{
    struct issuers *issuers = arg;
    struct err over = {0};

    do {
        for (size_t i = 0; i < issuers->count && fiber_still_wanted(&over); i++) {
            struct issuer *issuer = &issuers->at[i];
            dur_ns since = fiber_now() - issuer->tried;
            bool soon = issuer->failing || atomic_load(&issuer->wanted);

            if (!issuer->tried || since >= issuer->options.refresh || (soon && since >= SOON_MIN))
                refresh(issuer);
        }
    } while (fiber_sleep(LOOK_EVERY, &over));
}

/* ---- claims ---- */

/* "realm_access.roles" */
static json_ref claim_at(const struct json *claims, struct str path)
{
    json_ref v = json_root(claims);

    for (struct str part; path.ptr && v && str_split(&path, '.', &part);)
        v = json_get(claims, v, part);
    return v;
}

static struct str claim_text(struct arena *arena, const struct json *claims, struct str path)
{
    struct str text = STR_NONE;

    if (path.len && !json_str(claims, claim_at(claims, path), arena, &text))
        text = STR_NONE;
    return text;
}

static bool role_of(struct str name, struct str prefix, enum role *out)
{
    return str_starts(name, prefix) && role_parse(str_slice(name, prefix.len, name.len), out);
}

static int strength(enum role role)
{
    int n = 0;

    for (unsigned r = 0; r < RIGHTS; r++)
        n += role_may(role, (enum right)r);
    return n;
}

static bool read_role(struct arena *arena, const struct issuer_options *o,
                      const struct json *claims, enum role *out)
{
    json_ref v = o->role_claim.len ? claim_at(claims, o->role_claim) : 0;
    bool found = false, list = json_kind(claims, v) == JSON_ARRAY;
    struct str name;
    enum role role;

    for (json_ref at = list ? json_first(claims, v) : v; at; at = list ? json_next(claims, at) : 0)
        if (json_str(claims, at, arena, &name) && role_of(name, o->role_prefix, &role) &&
            (!found || strength(role) > strength(*out))) {
            *out = role;
            found = true;
        }
    if (!found && o->has_default_role)
        *out = o->default_role;
    return found || o->has_default_role;
}

static struct str shown_name(struct arena *arena, const struct json *claims, struct str subject)
{
    static const char *const names[] = {"name", "email", "preferred_username", "client_id"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str text = claim_text(arena, claims, str_from(names[i]));
        struct err ignored = {0};

        if (name_check(text, "person", false, &ignored))
            return text;
    }
    return str_slice(subject, 0, KEY_NAME_MAX);
}

/* A team may come as "acme/search" or as "search". */
bool issuer_identity(struct arena *arena, const struct issuer_options *o, const struct jwt *token,
                     struct identity *out, struct err *err)
{
    struct str tenant = claim_text(arena, token->claims, o->tenant_claim),
               team = claim_text(arena, token->claims, o->team_claim);

    if (!tenant.len)
        tenant = o->tenant;
    if (!tenant.len)
        return err_set(err, ERR_DENIED, "the token names no tenant (claim \"" STR_FMT "\")",
                       STR_ARG(o->tenant_claim));
    if (team.len && str_find_char(team, '/') == team.len)
        team = arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(tenant), STR_ARG(team));
    *out = (struct identity){.issuer = o->url,
                             .issuer_name = o->name,
                             .subject = token->subject,
                             .name = shown_name(arena, token->claims, token->subject),
                             .tenant = tenant,
                             .team = team};
    return read_role(arena, o, token->claims, &out->role) ||
           err_set(err, ERR_DENIED, "the token names no role of Weir's (claim \"" STR_FMT "\")",
                   STR_ARG(o->role_claim));
}

/* ---- tokens that were verified before ---- */

static struct warm *slot_of(struct issuers *issuers, const uint64_t print[2])
{
    return &issuers->warm[print[0] & (WARM_SLOTS - 1)];
}

static const struct principal *find_warm(struct issuers *issuers, const uint64_t print[2],
                                         wall_ms now)
{
    const struct principal *who = NULL;

    mutex_lock(&issuers->lock);
    struct warm *w = slot_of(issuers, print);
    if (w->who && w->print[0] == print[0] && w->print[1] == print[1] && now < w->until)
        who = principal_share(issuers->accounts, w->who);
    mutex_unlock(&issuers->lock);
    return who;
}

static void keep_warm(struct issuers *issuers, const uint64_t print[2], wall_ms until,
                      const struct principal *who)
{
    const struct principal *mine = principal_share(issuers->accounts, who), *old;

    mutex_lock(&issuers->lock);
    struct warm *w = slot_of(issuers, print);
    old = w->who;
    *w = (struct warm){.print = {print[0], print[1]}, .until = until, .who = mine};
    mutex_unlock(&issuers->lock);
    principal_release(&old);
}

/* ---- verifying ---- */

bool issuers_take(struct str token)
{
    return !str_starts(token, STR("wr_")) && str_find_char(token, '.') < token.len;
}

struct issuer *issuer_named(struct issuers *issuers, struct str name)
{
    for (size_t i = 0; i < issuers->count; i++)
        if (str_eq(issuers->at[i].options.name, name))
            return &issuers->at[i];
    return NULL;
}

/* One may stand several times, with an audience and a mapping of claims each: the first whose audience it is, else the
 * first, which says that it is not. */
static struct issuer *find_issuer(struct issuers *issuers, struct arena *arena, struct str url,
                                  struct str token)
{
    struct issuer *first = NULL;

    for (size_t i = 0; i < issuers->count; i++) {
        struct issuer *issuer = &issuers->at[i];

        if (!str_eq(issuer->options.url, url))
            continue;
        if (jwt_peek_audience(arena, token, issuer->options.audience))
            return issuer;
        first = first ? first : issuer;
    }
    return first;
}

bool issuer_verify(struct arena *arena, struct issuer *issuer, const struct issuer_ask *ask,
                   wall_ms now, struct jwt *out, struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct issuer_keys *keys = snapshot_borrow(issuer->keys, &held);
    const struct jwt_rules rules = {.issuer = issuer->options.url,
                                    .audience = ask->audience,
                                    .nonce = ask->nonce,
                                    .algs = issuer->options.algs,
                                    .skew = issuer->options.skew};
    bool unknown_key = false;

    if (!keys)
        return err_set(err, ERR_UNAVAILABLE, "keys of the token's issuer are not there yet");
    if (fiber_now() - keys->fetched > issuer->options.stale)
        return err_set(err, ERR_UNAVAILABLE,
                       "keys of the token's issuer are too old, it does not answer");
    if (jwt_verify(arena, ask->token, keys->set, &rules, now, out, &unknown_key, err))
        return true;
    if (unknown_key)
        atomic_store(&issuer->wanted, true);
    return false;
}

static SUSPENDS bool enter(struct issuers *issuers, struct str token, wall_ms now, wall_ms *until,
                           const struct principal **out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(TOKEN_MEMORY);
    struct identity identity;
    struct issuer *issuer;
    struct str url;
    struct jwt jwt;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to verify a token");
    if (!jwt_peek_issuer(arena, token, &url))
        return err_set(err, ERR_UNAUTHENTICATED, "token is neither a key nor a JWT");
    issuer = find_issuer(issuers, arena, url, token);
    if (!issuer)
        return err_set(err, ERR_UNAUTHENTICATED, "token is of an issuer that is not believed");

    const struct issuer_ask ask = {.token = token, .audience = issuer->options.audience};

    if (!issuer_verify(arena, issuer, &ask, now, &jwt, err) ||
        !issuer_identity(arena, &issuer->options, &jwt, &identity, err) ||
        !identity_enter(issuers->accounts, &identity, out, err))
        return false;
    *until = MIN_OF(jwt.expires, now + WARM_MAX_MS);
    return true;
}

bool issuers_authenticate(struct issuers *issuers, struct str token, const struct principal **out,
                          struct err *err)
{
    wall_ms now = clock_wall(), until = 0;
    uint64_t print[2];

    siphash128_keyed(issuers->print_key, token, print);
    *out = find_warm(issuers, print, now);
    if (*out)
        return true;
    if (!enter(issuers, token, now, &until, out, err))
        return false;
    keep_warm(issuers, print, until, *out);
    return true;
}

void accounts_trust(struct accounts *accounts, struct issuers *issuers)
{
    accounts->issuers = issuers;
}

bool authenticate_token(struct accounts *accounts, struct str token, const struct principal **out,
                        struct err *err)
{
    if (accounts->issuers && issuers_take(token))
        return issuers_authenticate(accounts->issuers, token, out, err);
    return authenticate_key(accounts, token, out, err);
}

/* ---- making and ending ---- */

bool issuers_new(struct accounts *accounts, const struct issuer_options *options, size_t count,
                 struct issuers **out, struct err *err)
{
    struct arena *arena = arena_new(sizeof(struct issuers) + 64 * KIB);
    struct issuers *issuers = arena ? arena_alloc(arena, sizeof *issuers) : NULL;

    if (!issuers || count > ISSUERS_MAX) {
        arena_end(&arena);
        return err_set(err, ERR_INVALID, "no room for more than %u issuers", ISSUERS_MAX);
    }
    issuers->arena = arena;
    issuers->accounts = accounts;
    issuers->count = count;
    mutex_init(&issuers->lock);
    clock_random(issuers->print_key, sizeof issuers->print_key);
    for (size_t i = 0; i < count; i++) {
        issuers->at[i].options = options[i];
        issuers->at[i].keys = snapshot_new(keys_free);
    }
    *out = issuers;
    return true;
}

void issuers_free(struct issuers **at)
{
    struct issuers *issuers = *at;

    if (!issuers)
        return;
    for (size_t i = 0; i < WARM_SLOTS; i++)
        principal_release(&issuers->warm[i].who);
    for (size_t i = 0; i < issuers->count; i++)
        snapshot_free(&issuers->at[i].keys);
    mutex_done(&issuers->lock);
    struct arena *arena = issuers->arena;
    arena_end(&arena);
    *at = NULL;
}
