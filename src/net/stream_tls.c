/* TLS over a stream's socket. OpenSSL never sees a file descriptor: a BIO of our own goes through
 * sys/sock, so that the simulator carries TLS too. Its error queue is per thread and fibers share the
 * thread: it is cleared before each call and read right after, with no wait between. */
#include <openssl/err.h>
#include <string.h>

#include "base/pages.h"
#include "net/stock.h"
#include "net/stream_internal.h"
#include "net/tls_internal.h"

#define RECORD_BYTES   ((size_t)16 * 1024)
#define PEER_NAME_SIZE 256

struct tls_half {
    SSL *ssl;
    struct sock *sock;  /* the stream's */
    struct err io_err;  /* why the socket failed, for the call that OpenSSL made it in */
    bool drained;       /* the last read found no whole record */
    bool broken, ended; /* a fatal error: no goodbye any more; the peer's goodbye was seen */
    char peer_name[PEER_NAME_SIZE];
};

static _Thread_local struct stock halves = {.size = sizeof(struct tls_half)};

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *bytes, size_t size, size_t *got)
{
    struct tls_half *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    switch (sock_try_read(tls->sock, bytes, size, got, &tls->io_err)) {
    case IO_DONE: return 1;
    case IO_AGAIN: BIO_set_retry_read(bio); break;
    case IO_END: BIO_set_flags(bio, BIO_FLAGS_IN_EOF); break;
    case IO_FAILED: break;
    }
    *got = 0;
    return 0;
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *put)
{
    struct tls_half *tls = BIO_get_data(bio);
    struct iovec iov = {(void *)(uintptr_t)bytes, size};

    BIO_clear_retry_flags(bio);
    switch (sock_try_write(tls->sock, &iov, 1, put, &tls->io_err)) {
    case IO_DONE: return 1;
    case IO_AGAIN: BIO_set_retry_write(bio); break;
    case IO_END:
    case IO_FAILED: break;
    }
    *put = 0;
    return 0;
}

static long bio_control(BIO *bio, int command, long number, void *ptr)
{
    (void)number, (void)ptr;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *bio_method; /* made once a process */
static CRYPTO_ONCE bio_method_once = CRYPTO_ONCE_STATIC_INIT;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sock");
    if (bio_method) {
        BIO_meth_set_read_ex(bio_method, bio_read);
        BIO_meth_set_write_ex(bio_method, bio_write);
        BIO_meth_set_ctrl(bio_method, bio_control);
    }
}

static BIO *bio_new(struct tls_half *tls)
{
    CRYPTO_THREAD_run_once(&bio_method_once, make_bio_method);

    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    if (bio) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- errors ---- */

/* What a failed call of OpenSSL means for the caller. */
static enum io judge(struct tls_half *tls, int returned, const char *doing, struct err *err)
{
    int why = SSL_get_error(tls->ssl, returned);

    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return IO_AGAIN;
    if (why == SSL_ERROR_ZERO_RETURN) {
        tls->ended = true;
        return IO_END;
    }
    tls->broken = true;
    if (tls->io_err.code) {
        *err = tls->io_err;
        ERR_clear_error();
    } else {
        err_tls(err, ERR_UNAVAILABLE, "could not %s by TLS", doing);
    }
    return IO_FAILED;
}

static void begin_call(struct tls_half *tls)
{
    tls->io_err.code = ERR_NONE;
    ERR_clear_error();
}

/* ---- reading and writing ---- */

enum io tls_half_try_read(struct tls_half *tls, void *bytes, size_t size, size_t *got,
                          struct err *err)
{
    begin_call(tls);
    int read = SSL_read_ex(tls->ssl, bytes, size, got);

    if (read == 1) {
        tls->drained = false;
        return IO_DONE;
    }
    tls->drained = true;
    return judge(tls, read, "read", err);
}

/* Small pieces travel in one record: a head and its body must not cost two writes. */
static size_t gather(char *into, size_t room, const struct iovec *iov, int count)
{
    size_t len = 0;

    for (int i = 0; i < count && len < room; i++) {
        size_t part = MIN_OF(iov[i].iov_len, room - len);

        if (part > 0)
            memcpy(into + len, iov[i].iov_base, part);
        len += part;
    }
    return len;
}

static enum io write_bytes(struct tls_half *tls, const void *bytes, size_t len, size_t *put,
                           struct err *err)
{
    begin_call(tls);
    int written = SSL_write_ex(tls->ssl, bytes, len, put);

    return written == 1 ? IO_DONE : judge(tls, written, "write", err);
}

/* After IO_AGAIN the same bytes come again: OpenSSL insists on that, and stream.c does it. */
enum io tls_half_try_write(struct tls_half *tls, const struct iovec *iov, int count, size_t *put,
                           struct err *err)
{
    size_t room;

    if (count == 1 || iov[0].iov_len >= RECORD_BYTES)
        return write_bytes(tls, iov[0].iov_base, MIN_OF(iov[0].iov_len, RECORD_BYTES), put, err);

    char *record = pages_take(RECORD_BYTES, &room);
    if (!record) {
        err_no_room(err, "no memory for a TLS record");
        return IO_FAILED;
    }
    enum io did = write_bytes(tls, record, gather(record, RECORD_BYTES, iov, count), put, err);
    pages_give(record, room);
    return did;
}

bool tls_half_must_read(const struct tls_half *tls)
{
    return SSL_want_read(tls->ssl);
}

/* With read-ahead OpenSSL may hold part of a record; `drained` tells that from a whole one. */
bool tls_half_holds_bytes(const struct tls_half *tls)
{
    return !tls->drained && SSL_has_pending(tls->ssl);
}

const char *tls_half_peer_name(const struct tls_half *tls)
{
    return tls->peer_name;
}

void tls_half_end_writing(struct tls_half *tls)
{
    if (tls->broken || !SSL_is_init_finished(tls->ssl))
        return;
    begin_call(tls);
    SSL_shutdown(tls->ssl); /* our close_notify; the peer's is not waited for */
    ERR_clear_error();
}

void tls_half_cut(struct tls_half *tls)
{
    tls->broken = true;
}

void tls_half_free(struct tls_half **tls)
{
    if (!*tls)
        return;
    if (!(SSL_get_shutdown((*tls)->ssl) & SSL_SENT_SHUTDOWN))
        tls_half_end_writing(*tls);
    SSL_free((*tls)->ssl);
    ERR_clear_error();
    stock_give(&halves, *tls);
    *tls = NULL;
}

/* ---- hand-shaking ---- */

static void note_peer(struct tls_half *tls)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);

    if (certificate && SSL_get_verify_result(tls->ssl) == X509_V_OK)
        X509_NAME_oneline(X509_get_subject_name(certificate), tls->peer_name, PEER_NAME_SIZE);
}

static bool explain_refusal(struct tls_half *tls, struct err *err)
{
    long verdict = SSL_get_verify_result(tls->ssl);

    if (verdict != X509_V_OK && !SSL_is_server(tls->ssl))
        return err_set(err, ERR_UNAVAILABLE, "certificate refused: %s",
                       X509_verify_cert_error_string(verdict));
    return err_wrap(err, "TLS handshake");
}

SUSPENDS static bool shake_hands(struct tls_half *tls, struct err *err)
{
    for (;;) {
        begin_call(tls);
        int shaken = SSL_do_handshake(tls->ssl);

        if (shaken == 1)
            return true;
        bool wants_write = SSL_want_write(tls->ssl);
        switch (judge(tls, shaken, "shake hands", err)) {
        case IO_AGAIN: break;
        case IO_END: return err_set(err, ERR_UNAVAILABLE, "TLS handshake: the peer said goodbye");
        case IO_DONE:
        case IO_FAILED: return explain_refusal(tls, err);
        }
        if (!(wants_write ? sock_wait_writable(tls->sock, err)
                          : sock_wait_readable(tls->sock, err)))
            return err_wrap(err, "TLS handshake");
    }
}

static struct tls_half *half_new(SSL *ssl, struct sock *sock, struct err *err)
{
    struct tls_half *tls = stock_take(&halves);
    BIO *bio = tls ? bio_new(tls) : NULL;

    if (!bio) {
        stock_give(&halves, tls);
        SSL_free(ssl);
        err_no_room(err, "no memory for a TLS connection");
        return NULL;
    }
    tls->ssl = ssl;
    tls->sock = sock;
    SSL_set_bio(ssl, bio, bio);
    return tls;
}

/* Owns `ssl` from here. */
SUSPENDS static bool secure(struct sock **s, SSL *ssl, struct stream **out, struct err *err)
{
    struct stream *stream CLEANUP(stream_close) = NULL;

    if (!ssl) {
        sock_close(s);
        return false;
    }
    stream = stream_new(s, err);
    if (!stream) {
        SSL_free(ssl);
        return false;
    }
    stream->tls = half_new(ssl, stream->sock, err);
    if (!stream->tls || !shake_hands(stream->tls, err))
        return false;
    note_peer(stream->tls);
    *out = stream;
    stream = NULL;
    return true;
}

bool stream_tls_accept(struct sock **s, struct tls_server *tls, struct stream **out,
                       struct err *err)
{
    return secure(s, tls_server_begin(tls, err), out, err);
}

bool stream_tls_connect(struct sock **s, struct tls_client *tls, const char *host,
                        struct stream **out, struct err *err)
{
    return secure(s, tls_client_begin(tls, host, err), out, err);
}
