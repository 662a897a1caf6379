/* accounts/login.c: state and its signature, the exchange of a code, the ID token. */
#include "accounts/login.h"

#include <string.h>

#include "accounts/issuers_internal.h"
#include "base/base64.h"
#include "sys/clock.h"

#define BINDING_BYTES 32u
#define BINDING_LEN   43u /* base64url of them */
#define STATE_MAX     2048u
#define CODE_MAX      4096u
#define URL_MAX       ((size_t)8 * KIB)
#define REPLY_MAX     ((size_t)64 * KIB)
#define TOKEN_MEMORY  ((size_t)512 * KIB)
#define ADDRESSES     1024u /* counted at once; a power of two */
#define MINUTE        60000 /* ms */

/* Attempts of an address in a minute; addresses that share a slot share its count. */
struct attempts {
    wall_ms minute;
    uint32_t count;
};

struct logins {
    struct arena *arena; /* holds this struct */
    struct login_options options;
    struct secret key;
    struct mutex lock; /* over what follows */
    struct attempts all, of[ADDRESSES];
};

/* ---- attempts ---- */

static bool count_attempt(struct attempts *a, wall_ms minute, uint32_t most)
{
    if (a->minute != minute)
        *a = (struct attempts){.minute = minute};
    if (a->count >= most)
        return false;
    a->count++;
    return true;
}

bool login_allowed(struct logins *l, struct str address, wall_ms now, struct err *err)
{
    size_t end = address.len;

    while (end > 0 && address.ptr[end - 1] != ':') /* another port is the same address */
        end--;

    uint64_t slot = siphash(end ? str_slice(address, 0, end - 1) : address) & (ADDRESSES - 1);
    wall_ms minute = now / MINUTE;

    mutex_lock(&l->lock);
    bool own = count_attempt(&l->of[slot], minute, l->options.per_minute_address);
    bool ok = own && count_attempt(&l->all, minute, l->options.per_minute);
    mutex_unlock(&l->lock);
    if (ok)
        return true;
    return err_set(err, ERR_EXHAUSTED,
                   "too many logins from %s within a minute (login.%s): try again in a minute",
                   own ? "everywhere" : "this address", own ? "per_minute" : "per_address");
}

/* ---- texts ---- */

/* Browsers read "\" as "/" and drop tabs and line ends: neither may be in it. */
bool login_next_is_safe(struct str next)
{
    if (next.len == 0 || next.len > LOGIN_NEXT_MAX || next.ptr[0] != '/')
        return false;
    if (next.len > 1 && next.ptr[1] == '/')
        return false;
    for (size_t i = 0; i < next.len; i++)
        if (next.ptr[i] <= ' ' || next.ptr[i] == '\\' || next.ptr[i] > '~')
            return false;
    return true;
}

static struct str url_text(struct arena *arena, const void *bytes, size_t len)
{
    struct buf b;

    buf_init(&b, arena, STATE_MAX);
    base64url_encode(&b, (struct str){bytes, len});
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

/* Of `what` for one login: nobody has it who has not both the browser's cookie and our key. */
static struct str derive(struct logins *l, struct arena *arena, const char *what,
                         struct str binding, struct str text)
{
    struct str whole =
        arena_fmt(arena, "%s " STR_FMT " " STR_FMT, what, STR_ARG(binding), STR_ARG(text));

    if (!whole.ptr)
        return STR_NONE;

    struct sha256 hash = hmac_sha256(&l->key, whole);

    return url_text(arena, hash.bytes, sizeof hash.bytes);
}

static void add_parameter(struct buf *b, char before, const char *name, struct str value)
{
    buf_char(b, before);
    buf_str(b, str_from(name));
    buf_char(b, '=');
    http_escape(b, value);
}

static char first_separator(struct str url)
{
    return str_find_char(url, '?') < url.len ? '&' : '?';
}

/* Copies in the arena: the fetcher may replace them meanwhile. */
static bool endpoints_of(struct issuer *issuer, struct arena *arena, struct issuer_endpoints *out,
                         struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct issuer_keys *keys = snapshot_borrow(issuer->keys, &held);

    if (!keys)
        return err_set(err, ERR_UNAVAILABLE,
                       "issuer \"" STR_FMT "\" has not answered yet: try again in a moment",
                       STR_ARG(issuer->options.name));
    *out = keys->endpoints;
    out->authorization = arena_str(arena, out->authorization);
    out->token = arena_str(arena, out->token);
    out->end_session = arena_str(arena, out->end_session);
    return (out->authorization.ptr && out->token.ptr && out->end_session.ptr) ||
           err_arena(err, arena);
}

size_t login_issuers(struct logins *l, struct arena *arena, struct str **out)
{
    struct issuers *all = l->options.issuers;
    size_t count = 0;

    *out = arena_array(arena, ISSUERS_MAX, sizeof **out);
    for (size_t i = 0; *out && i < all->count; i++)
        if (all->at[i].options.client_id.len)
            (*out)[count++] = all->at[i].options.name;
    return count;
}

static struct issuer *login_issuer(struct logins *l, struct str name, struct err *err)
{
    struct issuer *issuer = issuer_named(l->options.issuers, name);

    if (issuer && issuer->options.client_id.len)
        return issuer;
    err_set(err, ERR_NOT_FOUND, "nobody logs in at an issuer \"" STR_FMT "\"",
            STR_ARG(str_slice(name, 0, 60)));
    return NULL;
}

/* ---- beginning ---- */

/* "SLOT EXPIRES ISSUER NEXT", none of which holds a space. */
static struct str make_state(struct logins *l, struct arena *arena, const struct login_begun *begun,
                             struct str issuer, struct str next)
{
    struct str text = arena_fmt(arena, "%c %" PRId64 " " STR_FMT " " STR_FMT, begun->slot,
                                clock_wall() + l->options.timeout / MILLISECOND, STR_ARG(issuer),
                                STR_ARG(next)),
               encoded, mac;

    if (!text.ptr)
        return STR_NONE;
    encoded = url_text(arena, text.ptr, text.len);
    mac = derive(l, arena, "state", begun->cookie, text);
    return encoded.ptr && mac.ptr
               ? arena_fmt(arena, STR_FMT "." STR_FMT, STR_ARG(encoded), STR_ARG(mac))
               : STR_NONE;
}

static struct str challenge_of(struct arena *arena, struct str verifier)
{
    struct sha256 hash = sha256(verifier);

    return verifier.ptr ? url_text(arena, hash.bytes, sizeof hash.bytes) : STR_NONE;
}

static bool write_address(struct logins *l, struct arena *arena, struct str endpoint,
                          const struct issuer_options *o, struct str state,
                          struct login_begun *begun, struct err *err)
{
    struct str nonce = derive(l, arena, "nonce", begun->cookie, STR("")),
               verifier = derive(l, arena, "verifier", begun->cookie, STR("")),
               challenge = challenge_of(arena, verifier);
    struct buf b;

    if (!state.ptr || !nonce.ptr || !challenge.ptr)
        return err_arena(err, arena);
    buf_init(&b, arena, URL_MAX);
    buf_str(&b, endpoint);
    add_parameter(&b, first_separator(endpoint), "response_type", STR("code"));
    add_parameter(&b, '&', "client_id", o->client_id);
    add_parameter(&b, '&', "redirect_uri", l->options.callback);
    add_parameter(&b, '&', "scope", o->scopes);
    add_parameter(&b, '&', "state", state);
    add_parameter(&b, '&', "nonce", nonce);
    add_parameter(&b, '&', "code_challenge", challenge);
    add_parameter(&b, '&', "code_challenge_method", STR("S256"));
    return buf_finish(&b, &begun->url, err);
}

bool login_begin(struct logins *l, struct str name, struct str next, struct arena *arena,
                 struct login_begun *out, struct err *err)
{
    struct issuer *issuer = login_issuer(l, name, err);
    uint8_t random[BINDING_BYTES], slot;
    struct issuer_endpoints to;

    if (!issuer)
        return false;
    if (!login_next_is_safe(next))
        return err_set(err, ERR_INVALID, "\"next\" has to be a path here, such as /auth/me");
    if (!endpoints_of(issuer, arena, &to, err))
        return false;
    clock_random(random, sizeof random);
    clock_random(&slot, sizeof slot);
    out->slot = "0123456789abcdef"[slot & 15];
    out->cookie = url_text(arena, random, sizeof random);
    bytes_wipe(random, sizeof random);
    if (!out->cookie.ptr)
        return err_arena(err, arena);
    return write_address(l, arena, to.authorization, &issuer->options,
                         make_state(l, arena, out, name, next), out, err);
}

/* ---- the callback ---- */

struct begun {
    struct str issuer, next;
    wall_ms expires;
};

static bool decode_state(struct arena *arena, struct str state, struct str *text)
{
    return state.len <= STATE_MAX &&
           base64url_decode(arena, str_slice(state, 0, str_find_char(state, '.')), text);
}

char login_slot(struct arena *arena, struct str state)
{
    struct str text;

    if (!decode_state(arena, state, &text) || text.len < 2 || text.ptr[1] != ' ')
        return 0;

    char c = text.ptr[0];

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? c : 0;
}

static COLD bool not_ours(struct err *err)
{
    return err_set(err, ERR_DENIED,
                   "this login was not begun in this browser, or is over: begin again");
}

static bool read_state(struct logins *l, struct arena *arena, struct str state, struct str cookie,
                       struct begun *out, struct err *err)
{
    struct str text, rest, slot, part,
        mac = str_slice(state, str_find_char(state, '.') + 1, state.len);
    int64_t expires;

    if (cookie.len != BINDING_LEN || !decode_state(arena, state, &text))
        return not_ours(err);

    struct str right = derive(l, arena, "state", cookie, text);

    if (!right.ptr)
        return err_arena(err, arena);
    if (!str_equal_secret(mac, right))
        return not_ours(err);
    rest = text;
    if (!str_split(&rest, ' ', &slot) || !str_split(&rest, ' ', &part) ||
        !i64_parse(part, &expires) || !str_split(&rest, ' ', &out->issuer) ||
        !str_split(&rest, ' ', &out->next))
        return not_ours(err);
    return clock_wall() < expires ||
           err_set(err, ERR_DENIED, "this login took too long (login.timeout): begin again");
}

/* ---- the exchange ---- */

struct exchange {
    struct issuer *issuer;
    struct issuer_endpoints to;
    struct str code, verifier;
};

static bool has_secret(const struct issuer_options *o)
{
    return o->client_secret && !secret_is_empty(o->client_secret);
}

static bool shows_basic(const struct exchange *x)
{
    enum client_auth how = x->issuer->options.client_auth;

    return how == CLIENT_AUTH_AUTO ? x->to.takes_basic || !x->to.takes_post
                                   : how == CLIENT_AUTH_BASIC;
}

/* RFC 6749, 2.3.1: both escaped, then as Basic. */
static bool basic_value(struct arena *arena, const struct issuer_options *o, struct str *out,
                        struct err *err)
{
    struct buf pair, value;

    buf_init(&pair, arena, URL_MAX);
    http_escape(&pair, o->client_id);
    buf_char(&pair, ':');
    http_escape(&pair, secret_reveal(o->client_secret));
    buf_init(&value, arena, 2 * URL_MAX);
    buf_str(&value, STR("Basic "));
    if (buf_ok(&pair))
        buf_base64(&value, buf_view(&pair).ptr, buf_view(&pair).len);
    return buf_ok(&pair) ? buf_finish(&value, out, err) : err_arena(err, arena);
}

/* With Basic the client stands in the head alone: it may show itself in one way only. */
static bool write_form(struct logins *l, struct arena *arena, const struct exchange *x, bool basic,
                       struct str *out, struct err *err)
{
    const struct issuer_options *o = &x->issuer->options;
    struct buf b;

    buf_init(&b, arena, 2 * URL_MAX);
    buf_str(&b, STR("grant_type=authorization_code"));
    add_parameter(&b, '&', "code", x->code);
    add_parameter(&b, '&', "redirect_uri", l->options.callback);
    add_parameter(&b, '&', "code_verifier", x->verifier);
    if (!basic)
        add_parameter(&b, '&', "client_id", o->client_id);
    if (!basic && has_secret(o))
        add_parameter(&b, '&', "client_secret", secret_reveal(o->client_secret));
    return buf_finish(&b, out, err);
}

static struct str plain_text(struct arena *arena, struct str text, size_t most)
{
    char *out = arena_alloc_raw(arena, MAX_OF(MIN_OF(text.len, most), (size_t)1));
    size_t len = out ? MIN_OF(text.len, most) : 0;

    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
    return (struct str){out, len};
}

/* A code that was used, or is another's, is the browser's matter; all else is between us and the issuer. */
static bool refused_code(struct arena *arena, int status, struct str text, struct err *err)
{
    struct err none = {0};
    const struct json *j = json_parse(arena, text, &none);
    struct str error = STR_NONE;

    if (j)
        (void)!json_str(j, json_get(j, json_root(j), STR("error")), arena, &error);
    if (str_eq(error, STR("invalid_grant")))
        return err_set(err, ERR_DENIED,
                       "the issuer does not take this login's code (it may have been used): begin "
                       "again");
    error = plain_text(arena, error, 60);
    return err_set(err, ERR_UNAVAILABLE,
                   "the issuer refused to exchange the login's code: status %d " STR_FMT, status,
                   STR_ARG(error));
}

static SUSPENDS bool post_form(struct arena *arena, const struct exchange *x,
                               const struct http_field *fields, size_t count, struct str form,
                               struct str *out, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    size_t mark = str_find_char(x->to.token, '?');
    struct http_url to;
    const struct http_outgoing send = {.method = STR("POST"),
                                       .path = str_slice(x->to.token, mark, x->to.token.len),
                                       .fields = fields,
                                       .field_count = count,
                                       .body = &form,
                                       .body_count = 1,
                                       .trust = x->issuer->options.trust};

    if (!http_url_parse(str_slice(x->to.token, 0, mark), &to, err) ||
        !http_call(arena, &to, &send, &call, err) || !http_call_body(call, REPLY_MAX, out, err)) {
        if (err->code == ERR_TOO_LARGE) /* the issuer's fault, not the browser's */
            err->code = ERR_UNAVAILABLE;
        return false;
    }

    int status = http_call_head(call)->status;

    return status == 200 || refused_code(arena, status, *out, err);
}

static SUSPENDS bool ask_token(struct logins *l, struct arena *arena, const struct exchange *x,
                               struct str *id_token, struct err *err)
{
    const struct issuer_options *o = &x->issuer->options;
    bool basic = has_secret(o) && shows_basic(x);
    struct http_field fields[3] = {
        {STR("content-type"), STR("application/x-www-form-urlencoded")},
        {STR("accept"), STR("application/json")},
        {STR("authorization"), STR("")},
    };
    struct str form, text;

    if ((basic && !basic_value(arena, o, &fields[2].value, err)) ||
        !write_form(l, arena, x, basic, &form, err) ||
        !post_form(arena, x, fields, basic ? 3 : 2, form, &text, err))
        return false;

    const struct json *j = json_parse(arena, text, err);

    if (!j) {
        err->code = ERR_UNAVAILABLE;
        return err_wrap(err, "the issuer's reply");
    }
    return json_str(j, json_get(j, json_root(j), STR("id_token")), arena, id_token) ||
           err_set(err, ERR_UNAVAILABLE,
                   "the issuer's reply has no id_token: is \"openid\" among the scopes?");
}

/* OpenID Connect Core, 3.1.3.7: a token that is for several says for whom it was made. */
static bool check_party(struct arena *arena, const struct jwt *token, struct str client_id,
                        struct err *err)
{
    const struct json *claims = token->claims;
    json_ref party = json_get(claims, json_root(claims), STR("azp")),
             aud = json_get(claims, json_root(claims), STR("aud"));
    struct str name = STR_NONE;

    if (!party && (json_kind(claims, aud) != JSON_ARRAY || json_count(claims, aud) == 1))
        return true;
    return (json_str(claims, party, arena, &name) && str_eq(name, client_id)) ||
           err_set(err, ERR_UNAUTHENTICATED, "token was made for another party (azp)");
}

static SUSPENDS bool exchange(struct logins *l, struct arena *arena, const struct exchange *x,
                              struct str nonce, struct identity *out, struct err *err)
{
    struct issuer_options *o = &x->issuer->options;
    struct issuer_ask ask = {.audience = o->client_id, .nonce = nonce};
    struct scope limit;
    struct jwt jwt;

    scope_open(&limit, fiber_now() + o->timeout);
    bool ok = ask_token(l, arena, x, &ask.token, err);
    scope_close(&limit);
    return ok && issuer_verify(arena, x->issuer, &ask, clock_wall(), &jwt, err) &&
           check_party(arena, &jwt, o->client_id, err) && issuer_identity(arena, o, &jwt, out, err);
}

/* RFC 9207: what another issuer answered is not taken to this one. */
static bool check_answer(struct arena *arena, const struct login_callback *came,
                         const struct issuer_options *o, struct err *err)
{
    if (came->issuer.ptr && !str_eq(came->issuer, o->url))
        return err_set(err, ERR_DENIED, "the answer is of another issuer (iss)");
    if (came->error.len)
        return err_set(err, ERR_DENIED, "the issuer refused the login: " STR_FMT "%s" STR_FMT,
                       STR_ARG(plain_text(arena, came->error, 60)),
                       came->error_description.len ? ", " : "",
                       STR_ARG(plain_text(arena, came->error_description, 100)));
    return (came->code.len && came->code.len <= CODE_MAX) ||
           err_set(err, ERR_INVALID, "the issuer's answer holds no code");
}

bool login_finish(struct logins *l, const struct login_callback *came, struct str cookie,
                  struct arena *arena, struct identity *out, struct str *next, struct err *err)
{
    struct exchange x = {.code = came->code};
    struct str nonce;
    struct begun begun;

    if (!came->state.len)
        return err_set(err, ERR_INVALID, "this is no answer to a login: it has no state");
    if (!read_state(l, arena, came->state, cookie, &begun, err))
        return false;
    x.issuer = login_issuer(l, begun.issuer, err);
    if (!x.issuer || !check_answer(arena, came, &x.issuer->options, err) ||
        !endpoints_of(x.issuer, arena, &x.to, err))
        return false;
    x.verifier = derive(l, arena, "verifier", cookie, STR(""));
    nonce = derive(l, arena, "nonce", cookie, STR(""));
    if (!x.verifier.ptr || !nonce.ptr)
        return err_arena(err, arena);
    if (!exchange(l, arena, &x, nonce, out, err))
        return err_wrap(err, "login at \"" STR_FMT "\"", STR_ARG(begun.issuer));
    *next = begun.next;
    return true;
}

struct str login_end_url(struct logins *l, struct str name, struct arena *arena)
{
    struct issuer *issuer = issuer_named(l->options.issuers, name);
    struct issuer_endpoints to;
    struct err none = {0};
    struct buf b;

    if (!issuer || !endpoints_of(issuer, arena, &to, &none) || !to.end_session.len)
        return STR_NONE;
    buf_init(&b, arena, URL_MAX);
    buf_str(&b, to.end_session);
    add_parameter(&b, first_separator(to.end_session), "client_id", issuer->options.client_id);
    add_parameter(&b, '&', "post_logout_redirect_uri", l->options.home);
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

/* ---- making and ending ---- */

bool logins_new(const struct login_options *options, struct logins **out, struct err *err)
{
    struct arena *arena = arena_new(sizeof(struct logins) + 64 * KIB);
    struct logins *l = arena ? arena_alloc(arena, sizeof *l) : NULL;

    if (!l) {
        arena_end(&arena);
        return err_set(err, ERR_UNAVAILABLE, "no memory for logins");
    }
    l->arena = arena;
    l->options = *options;
    mutex_init(&l->lock);

    struct sha256 key = hmac_sha256(&options->accounts->pepper, STR("weir login"));
    bool ok = secret_set(&l->key, key.bytes, sizeof key.bytes, err);

    bytes_wipe(&key, sizeof key);
    *out = l;
    if (!ok)
        logins_free(out);
    return ok;
}

void logins_free(struct logins **at)
{
    struct logins *l = *at;

    if (!l)
        return;
    secret_wipe(&l->key);
    mutex_done(&l->lock);
    *at = NULL;

    struct arena *arena = l->arena;
    arena_end(&arena);
}
