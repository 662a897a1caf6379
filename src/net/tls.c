#include "net/tls.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/table.h"
#include "net/tls_internal.h"
#include "sys/file.h"
#include "sys/snapshot.h"

#define MEMORY_MAX   ((size_t)1024 * 1024)
#define SESSIONS_MAX 256 /* hosts whose newest session a client remembers */

struct tls_server {
    struct arena *arena; /* owns this too */
    struct tls_server_options options;
    struct snapshot *newest; /* SSL_CTX */
};

struct tls_client {
    struct arena *arena; /* owns this too */
    SSL_CTX *context;
    struct table sessions; /* host -> struct remembered */
};

struct remembered {
    SSL_SESSION *session;
};

bool err_tls(struct err *err, enum err_code code, const char *fmt, ...)
{
    char what[160], reason[128];
    unsigned long complaint = ERR_get_error();
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    ERR_error_string_n(complaint, reason, sizeof reason);
    const char *words = ERR_SYSTEM_ERROR(complaint) ? strerror(ERR_GET_REASON(complaint))
                                                    : ERR_reason_error_string(complaint);
    ERR_clear_error();
    if (complaint == 0)
        err_set(err, code, "%s", what);
    else
        err_set(err, code, "%s: %s", what, words ? words : reason);
    if (code == ERR_EXHAUSTED)
        err->sys = ENOMEM; /* OpenSSL had no memory: ours, not a limit of whoever asks */
    return false;
}

static const char *copy_text(struct arena *arena, const char *text)
{
    return text ? arena_str(arena, str_from(text)).ptr : NULL;
}

/* Nobody sits at a terminal: a locked key is an error, not a question. */
static int no_password(char *bytes, int size, int writing, void *ctx)
{
    (void)bytes, (void)size, (void)writing, (void)ctx;
    return 0;
}

static bool check_key_mode(const char *path, struct err *err)
{
    struct file_info info;

    if (!file_stat(path, &info, err))
        return err_wrap(err, "key file \"%s\"", path);
    if (info.mode & 0007)
        return err_set(err, ERR_INVALID,
                       "key file \"%s\" is open to every user (mode %03o): use chmod 600", path,
                       (unsigned)(info.mode & 0777));
    return true;
}

static bool load_pair(SSL_CTX *context, const char *certificate, const char *key, struct err *err)
{
    if (!check_key_mode(key, err))
        return false;
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return err_tls(err, ERR_INVALID, "could not load certificate file \"%s\"", certificate);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return err_tls(err, ERR_INVALID, "could not load key file \"%s\"", key);
    /* Loading it compared it only with a certificate of its own type. */
    if (SSL_CTX_check_private_key(context) != 1)
        return err_tls(err, ERR_INVALID, "key file \"%s\" is not that of certificate file \"%s\"",
                       key, certificate);
    return true;
}

/* Idle connections give their buffers back; a write may end early and be repeated from elsewhere. */
static SSL_CTX *context_new(const SSL_METHOD *method, int least_version, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(method);

    if (!context) {
        err_tls(err, ERR_EXHAUSTED, "could not make a TLS context");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context, least_version);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(context, 1); /* header and body of a record in one read */
    return context;
}

static void free_context(void *context)
{
    SSL_CTX_free(context);
}

static int choose_http1(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                        const unsigned char *in, unsigned in_len, void *ctx)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl, (void)ctx;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool ask_clients(SSL_CTX *context, const char *ca_file, struct err *err)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);

    if (!names || SSL_CTX_load_verify_file(context, ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return err_tls(err, ERR_INVALID, "could not load client CA file \"%s\"", ca_file);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

bool tls_server_reload(struct tls_server *tls, struct err *err)
{
    const struct tls_server_options *o = &tls->options;
    SSL_CTX *context = context_new(TLS_server_method(), TLS1_3_VERSION, err);

    if (!context)
        return false;
    if (!load_pair(context, o->certificate_file, o->key_file, err) ||
        (o->client_ca_file && !ask_clients(context, o->client_ca_file, err))) {
        SSL_CTX_free(context);
        return false;
    }
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"weir", 4);
    SSL_CTX_set_alpn_select_cb(context, choose_http1, NULL);
    snapshot_publish(tls->newest, context);
    return true;
}

bool tls_server_new(const struct tls_server_options *options, struct tls_server **out,
                    struct err *err)
{
    struct arena *arena = arena_new(MEMORY_MAX);
    struct tls_server *tls = arena ? arena_alloc(arena, sizeof *tls) : NULL;

    if (!tls) {
        arena_end(&arena);
        return err_no_room(err, "no memory for a TLS server");
    }
    tls->arena = arena;
    tls->options.certificate_file = copy_text(arena, options->certificate_file);
    tls->options.key_file = copy_text(arena, options->key_file);
    tls->options.client_ca_file = copy_text(arena, options->client_ca_file);
    tls->newest = snapshot_new(free_context);
    if (!tls->newest || !tls->options.certificate_file || !tls->options.key_file ||
        !tls_server_reload(tls, err)) {
        if (!tls->newest || !tls->options.certificate_file || !tls->options.key_file)
            err_no_room(err, "no memory for a TLS server");
        tls_server_free(&tls);
        return false;
    }
    *out = tls;
    return true;
}

void tls_server_free(struct tls_server **tls)
{
    if (!*tls)
        return;
    struct arena *arena = (*tls)->arena;

    if ((*tls)->newest)
        snapshot_free(&(*tls)->newest);
    *tls = NULL;
    arena_end(&arena);
}

uint64_t tls_server_resumed(struct tls_server *tls)
{
    void *held = NULL;
    const SSL_CTX *newest = snapshot_borrow(tls->newest, &held);
    long hits = SSL_CTX_sess_hits((SSL_CTX *)(uintptr_t)newest);

    snapshot_release(&held);
    return (uint64_t)hits;
}

SSL *tls_server_begin(struct tls_server *tls, struct err *err)
{
    void *held = NULL;
    const SSL_CTX *newest = snapshot_borrow(tls->newest, &held);

    ERR_clear_error();
    /* SSL_new() only counts the context up. */
    SSL *ssl = SSL_new((SSL_CTX *)(uintptr_t)newest);
    snapshot_release(&held);
    if (!ssl)
        err_tls(err, ERR_EXHAUSTED, "no memory for a TLS connection");
    else
        SSL_set_accept_state(ssl);
    return ssl;
}

/* A session ticket came: keep the newest of the host. 1 means that we keep the reference. */
static int remember_session(SSL *ssl, SSL_SESSION *session)
{
    struct remembered *known = SSL_get_app_data(ssl);

    if (!known)
        return 0;
    SSL_SESSION_free(known->session);
    known->session = session;
    return 1;
}

static bool trust(SSL_CTX *context, const char *ca_file, struct err *err)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (!ca_file)
        return SSL_CTX_set_default_verify_paths(context) == 1 ||
               err_tls(err, ERR_INVALID, "could not load the system's CA certificates");
    return SSL_CTX_load_verify_file(context, ca_file) == 1 ||
           err_tls(err, ERR_INVALID, "could not load CA file \"%s\"", ca_file);
}

static bool set_up_client(SSL_CTX *context, const struct tls_client_options *options,
                          struct err *err)
{
    static const unsigned char http1[] = "\x08http/1.1";

    if (!trust(context, options->ca_file, err))
        return false;
    if (options->certificate_file &&
        !load_pair(context, options->certificate_file, options->key_file, err))
        return false;
    if (SSL_CTX_set_alpn_protos(context, http1, sizeof http1 - 1) != 0)
        return err_tls(err, ERR_EXHAUSTED, "no memory for a TLS client");
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, remember_session);
    return true;
}

bool tls_client_new(const struct tls_client_options *options, struct tls_client **out,
                    struct err *err)
{
    struct arena *arena = arena_new(MEMORY_MAX);
    struct tls_client *tls = arena ? arena_alloc(arena, sizeof *tls) : NULL;

    if (!tls) {
        arena_end(&arena);
        return err_no_room(err, "no memory for a TLS client");
    }
    tls->arena = arena;
    table_init(&tls->sessions, arena, SESSIONS_MAX);
    tls->context = context_new(TLS_client_method(), TLS1_2_VERSION, err);
    if (!tls->context || !set_up_client(tls->context, options, err)) {
        tls_client_free(&tls);
        return false;
    }
    *out = tls;
    return true;
}

void tls_client_free(struct tls_client **tls)
{
    struct str host;
    void *known;

    if (!*tls)
        return;
    struct arena *arena = (*tls)->arena;

    for (size_t at = 0; table_next(&(*tls)->sessions, &at, &host, &known);)
        SSL_SESSION_free(((struct remembered *)known)->session);
    SSL_CTX_free((*tls)->context);
    *tls = NULL;
    arena_end(&arena);
}

/* Where sessions of this host are kept; NULL when too many hosts are known: then none is resumed. */
static struct remembered *remembered_of(struct tls_client *tls, struct str host)
{
    struct remembered *known = table_get(&tls->sessions, host);

    if (known)
        return known;
    struct str key = arena_str(tls->arena, host);
    known = arena_alloc(tls->arena, sizeof *known);
    if (!key.ptr || !known || !table_put(&tls->sessions, key, known, NULL))
        return NULL;
    return known;
}

/* The certificate must be for the host asked for; names travel as SNI, addresses do not. */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *verify = SSL_get0_param(ssl);

    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, host) == 1)
        return true;
    /* what SSL_set_tlsext_host_name() does, without its cast */
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)host) == 1 &&
           SSL_set1_host(ssl, host) == 1;
}

SSL *tls_client_begin(struct tls_client *tls, const char *host, struct err *err)
{
    struct remembered *known = remembered_of(tls, str_from(host));

    ERR_clear_error();
    SSL *ssl = SSL_new(tls->context);
    if (!ssl || !expect_host(ssl, host)) {
        err_tls(err, ERR_EXHAUSTED, "could not begin TLS with \"%s\"", host);
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_app_data(ssl, known);
    if (known && known->session && SSL_SESSION_is_resumable(known->session))
        SSL_set_session(ssl, known->session);
    SSL_set_connect_state(ssl);
    ERR_clear_error();
    return ssl;
}
