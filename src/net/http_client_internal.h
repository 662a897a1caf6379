/* net/http_client_internal.h: the client's parts to each other.
 *   http_client.c  options, URLs, stats
 *   http_pool.c    origins and their connections
 *   http_call.c    one request out and its head back
 *   http_answer.c  the body of the answer */
#ifndef WEIR_NET_HTTP_CLIENT_INTERNAL_H
#define WEIR_NET_HTTP_CLIENT_INTERNAL_H

#include "base/table.h"
#include "net/http_client.h"
#include "net/ring.h"
#include "net/stock.h"

#define ORIGINS_RECENT   4
#define ORIGIN_HOST_SIZE 256
#define ORIGIN_NAME_SIZE (ORIGIN_HOST_SIZE + 16) /* with scheme and port */
#define ORIGIN_KEY_SIZE \
    (ORIGIN_NAME_SIZE + 2 * SHA256_BYTES + 1) /* with whom it trusts, where it may go */

/* One loop's side of the client. */
struct http_client {
    struct arena *arena;                        /* owns this too */
    struct table origins;                       /* name -> struct http_origin */
    struct http_origin *recent[ORIGINS_RECENT]; /* asked first; some may be NULL */
    unsigned recent_next;
    struct stock origin_stock, conn_stock;
    struct ring idle;       /* kept connections of all origins, the oldest first */
    struct tls_client *tls; /* made for the first https origin that trusts as options say */
    struct http_client_stats stats;
};

struct http_origin {
    struct http_client *client;
    struct semaphore room;      /* connections_max less those in use */
    struct ring idle;           /* its kept connections, the newest first */
    uint32_t idle_count, users; /* users: calls that hold or wait for a connection */
    dur_ns connect_timeout;     /* as the newest call wants it */
    bool tls, public_only;
    uint16_t port;
    size_t host_len;
    char host[ORIGIN_HOST_SIZE]; /* or "unix:/path" */
    struct tls_client *own_tls;  /* where its trust is not the client's; else NULL */
    char name[ORIGIN_NAME_SIZE]; /* "https://host:port", in errors */
    char key[ORIGIN_KEY_SIZE];   /* the same and the tag of its trust; not terminated */
};

/* In use: owned by a call. Idle: in both rings, resting, so that the peer's goodbye is noticed.
 * Doomed: taken out while its waker was on the way; that one closes it. */
struct http_link {
    struct http_origin *origin;
    struct stream *stream;
    struct ring in_origin, in_client;
    mono_ns idle_until;
    bool doomed;
};

struct http_call {
    struct arena *arena;
    struct http_origin *origin;
    struct http_link *link; /* NULL once back in the pool or closed */
    bool reused, to_head;
    bool died;      /* the connection ended or failed, as opposed to us giving up */
    bool ended;     /* ... and that in order */
    bool complete;  /* the whole answer has come */
    bool body_kept; /* http_call_body() gave a view of the page: it stays as long as the arena */
    bool head_moved;
    int interim;         /* 1xx heads so far */
    uint64_t left;       /* HTTP_LENGTH: bytes to come */
    uint64_t body_bytes; /* given out */
    struct http_chunks chunks;
    /* Bytes of the answer not yet given out: page[at..end). No page while waiting. */
    char *page;
    size_t page_bytes, at, end;
    size_t page_wanted;     /* of the next page */
    struct str head_text;   /* what the head's views are of */
    struct http_head *head; /* cut to the fields there are once it is parsed */
};

/* ---- http_client.c ---- */
const struct http_client_options *http_client_options(void);
struct http_client *http_client_here(struct err *err); /* this loop's */
void http_client_free(struct http_client *client);
bool http_still_wanted(void); /* fiber_still_wanted(), where the reason is known already */

/* ---- http_pool.c ---- */
struct http_origin *http_origin_of(const struct http_url *url, const struct http_trust *trust,
                                   bool public_only, struct err *err);
void http_origin_free(struct http_origin *origin);
/* A connection for one call: a kept one, or with `fresh` or none at hand a new one. Waits its turn. */
SUSPENDS bool http_link_borrow(struct http_origin *origin, bool fresh, struct http_link **out,
                               bool *reused, struct err *err) MUST_CHECK;
void http_link_keep(struct http_link **link); /* the answer was whole: back to the pool */
void http_link_drop(struct http_link **link); /* close */
void http_pool_drop_idle(struct http_client *client, mono_ns until); /* idle_until at most that */

/* ---- http_answer.c ---- */
/* Wait until something has come and read it behind `end`. False at the end of the connection too:
 * then call->died is set and err says so. */
SUSPENDS bool http_call_fill(struct http_call *call, struct err *err) MUST_CHECK;
void http_call_drop_page(struct http_call *call);
bool http_call_fail(struct http_call *call, struct err *err); /* closes; false */
void http_call_begin_body(struct http_call *call);            /* after the head */

#endif
