/* gateway/request.h: what one question owns between accept and goodbye. Each field is written by the
 * step named beside it. */
#ifndef WEIR_GATEWAY_REQUEST_H
#define WEIR_GATEWAY_REQUEST_H

#include "accounts/accounts.h"
#include "base/trace.h"
#include "gateway/config.h"
#include "net/http_server.h"

#define REQUEST_MAGIC 0x52455153u

struct request {
    uint32_t magic;              /* REQUEST_MAGIC: checked wherever it arrives as void * */
    uint64_t id;                 /* the same in log, trace, audit and reply header */
    uint64_t parent_id;          /* ask: the request this one is asked for, or 0 */
    struct arena *arena;         /* owns every pointer below; ends with the exchange */
    const struct config *config; /* snapshot at accept: a reload cannot change it midway */
    struct gateway *gateway;
    struct trace *trace;
    struct http_exchange *http;      /* entry; NULL when asked from inside the house */
    struct str token;                /* entry: the key as it came; emptied by authenticate */
    struct chat_request chat;        /* parse */
    const struct principal *who;     /* authenticate */
    const struct model *model;       /* route */
    const struct answerer *answerer; /* route: set when the house answers itself */
    struct hold hold;                /* budget: micro-dollars set aside, settled by record */
    struct answer *answer;           /* call */
    bool head_sent;                  /* deliver: from here an error can only end the stream */
    bool recorded;                   /* record: exactly once, before the last byte leaves */
    int status;                      /* deliver, finish: what the client was told */
    uint64_t sent_bytes;             /* deliver */
    mono_ns started;                 /* entry */
    dur_ns first_byte;               /* deliver: until the first byte of the answer left, or 0 */
};

#endif
