/* models/models.h: what can answer. The catalogue is immutable once published; a request keeps the one
 * it was accepted with. Filled from the settings (app). */
#ifndef WEIR_MODELS_MODELS_H
#define WEIR_MODELS_MODELS_H

#include "base/secret.h"
#include "base/table.h"
#include "models/chat.h"
#include "net/http_client.h"

struct provider {
    struct str name;
    struct http_url url; /* up to and without /chat/completions, e.g. https://api.openai.com/v1 */
    struct str url_text;
    struct http_trust *trust; /* NULL: the system's authorities */
    struct secret api_key;    /* may be empty: no Authorization is sent */
    dur_ns connect_timeout, first_byte_timeout, gap_timeout, total_timeout;
    size_t reply_bytes_max; /* whole answers; default 32 MiB */
    size_t event_bytes_max; /* one event of a stream; default 1 MiB */
};

struct model {
    struct str name;                             /* what a client says */
    const struct provider *provider;             /* NULL: answered in the house by `answerer` */
    struct str remote_name;                      /* what the provider calls it */
    usd_micro price_in, price_out, price_cached; /* per million tokens; cached < 0: as price_in */
    int64_t output_tokens_max; /* assumed for the hold when the request names none */
};

struct catalogue {
    struct arena *arena;
    struct provider *providers;
    size_t provider_count;
    struct model *models; /* in the order of the settings */
    size_t model_count;
    struct table by_name; /* name -> struct model */
};
const struct model *catalogue_find(const struct catalogue *c, struct str name); /* NULL */
/* Rounded up to a micro-dollar once, at the end; at most PRICE_MAX. Tokens not known cost nothing. */
#define PRICE_MAX ((usd_micro)1000000000000)
usd_micro price_of(const struct model *model, const struct usage *usage);
/* What the request can cost at most: no tokenizer makes more tokens than bytes. */
usd_micro price_worst(const struct model *model, const struct chat_request *request);

/* An answer on its way, whoever gives it: pull the next bytes, already in the client's dialect. */
struct answer {
    int status;     /* 200, or the provider's own error status */
    bool streaming; /* bytes are whole server-sent events */
    struct str content_type;
    struct str provider, remote_model;
    struct str retry_after, request_id; /* the provider's, passed on; may be empty */
    struct chat_meter meter;
    uint32_t citations;
    /* Some bytes, as many as are there, good until the next call. *last: nothing follows; the bytes
     * given with it are the end. A stream that is cut, late or failing is an error, never *last. */
    SUSPENDS bool (*next)(struct answer *answer, struct str *bytes, bool *last, struct err *err);
    /* Releases the connection; called once, on every path. */
    SUSPENDS void (*end)(struct answer *answer);
    void *own;
};
SUSPENDS void answer_end(struct answer **answer); /* CLEANUP-able */
/* One that is in memory already; bytes stay the caller's. NULL when the arena is used up. */
struct answer *answer_from_bytes(struct arena *arena, int status, struct str content_type,
                                 struct str bytes) MUST_CHECK;

/* Ask a provider. On success *out is in the arena and its head has arrived. Deadlines: the provider's,
 * inside the fiber's own. ERR_UNAVAILABLE, ERR_TIMEOUT before the head; the provider's own error
 * statuses are answers, not errors, except 401, 407 and redirects: those are our settings' mistake.
 * status, streaming and content_type hold from the first next() on: a stream that begins with an error
 * becomes a whole answer with status 503. */
SUSPENDS bool provider_ask(struct arena *arena, const struct model *model,
                           const struct chat_request *request, uint64_t request_id,
                           struct answer **out, struct err *err) MUST_CHECK;

#endif
