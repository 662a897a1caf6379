/* net/http_server_internal.h: the server's parts to each other.
 *   http_server.c    runs: accepting, limits, sweeping, drain, end
 *   http_share.c     what the servers of several loops count together
 *   http_conn.c      one connection: heads in, exchanges in order, rest, refusal, goodbye
 *   http_exchange.c  one exchange as its handler sees it: facts and body
 *   http_reply.c     what goes out
 *
 *   accepted ---------> RESTING --first byte--> WAKING --its fiber--> SERVING --+--> closed
 *                          ^                                             |
 *                          '------ answered, nothing left unread --------'
 * RESTING  in run->resting, no fiber, no page.  WAKING  its waker is about to run; nothing may free
 * it.  SERVING  a fiber of run->children owns it. */
#ifndef WEIR_NET_HTTP_SERVER_INTERNAL_H
#define WEIR_NET_HTTP_SERVER_INTERNAL_H

#include "base/table.h"
#include "net/http_server.h"
#include "net/ring.h"
#include "net/stock.h"

#define HTTP_DATE_SIZE 48

struct http_server {
    struct http_server_options options;
    struct arena *arena; /* owns this too */
    struct stock conns;
    struct http_share *own_share; /* where options name none */
    struct http_run *runs;
    struct event ended; /* pulsed when a run ends */
    struct http_server_stats stats;
    uint32_t refusing; /* connections over the limit that are being told so */
    bool leaving;      /* answers are the last of their connections */
    bool draining, cut;
    char date[HTTP_DATE_SIZE]; /* "Date: ...\r\n", good until date_until */
    size_t date_len;
    mono_ns date_until;
};

/* One http_server_run(): lives on the stack of its fiber. */
struct http_run {
    struct http_server *server;
    struct http_run *next;
    struct scope accepting, children;
    struct ring all;     /* every connection, through `in_all` */
    struct ring resting; /* by time of rest_until, through `in_resting` */
    bool ending;         /* nothing rests or wakes any more */
};

enum http_conn_state { CONN_RESTING, CONN_WAKING, CONN_SERVING };

struct http_caller; /* an address that has connections; http_share.c */

struct http_conn {
    struct http_run *run;
    struct sock *sock;     /* before TLS is shaken out; else NULL */
    struct stream *stream; /* owns the socket; NULL before TLS is shaken out */
    enum http_conn_state state;
    const char *unwelcome; /* over a limit: why; it gets 503 */
    struct ring in_all, in_resting;
    mono_ns rest_until;
    bool counted;               /* among those of connections_max */
    struct http_caller *caller; /* that it counts for, when connections per address are limited */
    struct http_exchange *exchange; /* while its handler runs */
    uint32_t requests;
    bool line_passed; /* the empty line that may come before a request */
    /* Bytes received and not yet consumed: page[at..end). No page when there are none. */
    char *page;
    size_t page_bytes, at, end;
};

enum http_reply_state { REPLY_NONE, REPLY_BEGUN, REPLY_DONE };

struct http_exchange {
    struct http_conn *conn;
    struct arena *arena; /* owns this too */
    struct scope scope;  /* the handler runs in it */
    struct scope *work;  /* ... and what of it ends when the server is cut; or NULL */
    uint64_t id;         /* 0: none */
    mono_ns started;
    uint64_t received, sent;
    struct http_field extra; /* http_reply_field() */

    struct str body;    /* once whole */
    bool nothing_asked; /* no more than an empty line has come */
    bool body_whole, continued;
    bool in_pieces, piece_given;   /* http_body_next(): begun; the view of a whole one is out */
    uint64_t body_left;            /* ... with a length: what has not come; else what has */
    struct http_chunks *in_chunks; /* ... without a length */
    bool keep;    /* the connection goes on after this; decided when the reply's head is made */
    bool failed;  /* a write failed or the handler gave up: no byte more */
    bool aborted; /* ... and the peer must see that it is cut */
    bool to_head, chunked;
    enum http_reply_state reply;
    bool head_out; /* at least one byte of the reply is out */
    struct str head_pending;

    int refusal;             /* status that the failed body asks for, 0: none */
    struct err *refusal_err; /* in the arena; NULL when that is full */

    char *old_page; /* holds the head when the body came through another page */
    size_t old_page_bytes;
    struct http_head head; /* last: large, and not cleared */
};

/* ---- http_server.c ---- */
bool http_conn_rest(struct http_conn *c); /* false: it cannot, close it */
void http_conn_free(struct http_conn *c); /* closes; not while it rests */
struct str http_date_line(struct http_server *server);
uint64_t http_next_id(struct http_server *server); /* 0: none are given */

/* ---- http_share.c ---- */
bool http_share_take(struct http_share *s, uint32_t most); /* false: there are as many already */
void http_share_give(struct http_share *s);
/* NULL: that address has as many already, or memory is gone. */
struct http_caller *http_share_count(struct http_share *s, struct str addr, uint32_t most);
void http_share_forget(struct http_share *s, struct http_caller *caller);

/* ---- http_conn.c ---- */
SUSPENDS void http_conn_serve(void *conn);
/* More bytes behind conn->end, moving what is left to the front when the page is full.
 * `deadline` is for all of what is being read. *end: the peer has ended its side. */
SUSPENDS bool http_conn_fill(struct http_conn *c, mono_ns deadline, bool *end, struct err *err)
    MUST_CHECK;
bool http_conn_take_page(struct http_conn *c, size_t bytes, struct err *err) MUST_CHECK;
void http_conn_drop_page(struct http_conn *c);

/* ---- http_exchange.c ---- */
/* After the head: what is known of the body already. */
void http_exchange_begin(struct http_exchange *x);

/* ---- http_reply.c ---- */
/* An error answer made by the server itself; the connection ends afterwards. */
SUSPENDS struct http_refusal {
    uint64_t id;
    struct str path; /* "" where no request was understood */
    int status;
};
void http_refuse(struct http_conn *c, const struct http_refusal *refusal, const struct err *why);

#endif
