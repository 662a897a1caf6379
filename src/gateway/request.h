/* gateway/request.h: what one question owns between accept and goodbye. Each field is written by the
 * step named beside it. */
#ifndef WEIR_GATEWAY_REQUEST_H
#define WEIR_GATEWAY_REQUEST_H

#include "accounts/accounts.h"
#include "base/trace.h"
#include "cache/key.h"
#include "gateway/config.h"
#include "models/attempt.h"
#include "net/http_server.h"

#define REQUEST_MAGIC 0x52455153u

/* Who writes an answer that the house grounds in documents: "weir": {"knowledge": ...} with any model. */
struct request_writer {
    const struct model *model;
    const struct route *row;
    const struct route_group *groups;
    size_t group_count;
    const struct route_policy *policy;
};

/* What is read in a body before a model is asked, as far as it decides anything: the bytes alone make it (known.c). */
struct body_place {
    uint32_t at, len;
};
struct body_facts {
    size_t prompt_bytes, prompt_extra;
    int64_t max_tokens, n;
    uint32_t needs; /* enum ability */
    struct body_place model, user, weir;
    bool stream, include_usage, sampled;
};

struct request {
    uint32_t magic;              /* REQUEST_MAGIC: checked wherever it arrives as void * */
    uint64_t id;                 /* entry: the same in log, trace, audit and reply header */
    uint64_t parent_id;          /* ask: the request this one is asked for, or 0 */
    struct arena *arena;         /* owns every pointer below; ends with the exchange */
    const struct config *config; /* snapshot at accept: a reload cannot change it midway */
    void *config_held;           /* entry: what gives the snapshot back; NULL when asked inside */
    struct gateway *gateway;
    struct trace *trace;
    struct http_exchange *http;        /* entry; NULL when asked from inside the house */
    const struct gateway_entry *entry; /* entry; NULL: a list, a refusal, or asked from inside */
    const struct dialect *dialect;     /* entry: what the client speaks */
    struct str tags;                   /* of key and request, "batch,gold"; empty: the key's */
    struct str route;                  /* entry: "POST /v1/chat/completions" in the audit record */
    struct str label;                  /* entry: the same in metrics: "chat" */
    struct str token;                  /* entry: the key as it came; emptied by authenticate */
    struct str body;                   /* parse, or who asks from inside */
    struct str links;         /* entry: in front of the addresses of citations; may be empty */
    struct str subject;       /* subject: whom it is asked for, a pseudonym; may be empty */
    struct body_tap *tap;     /* subject: gathers the answer for the audit log, or NULL */
    struct chat_request chat; /* parse: what must be known, in whichever dialect */
    struct body_facts *
        facts; /* parse: of a body that was read before. Then chat.json is of "weir" alone, or NULL;
                               * look_up: NULL again unless it found the answer */
    uint64_t seen; /* parse: of which question these are, as the cache counts them */
    struct conversation *conversation; /* parse; chat completions: NULL until somebody needs it */
    const struct principal *who;       /* authenticate */
    const struct model *model;         /* route; call: who was asked last */
    const struct route *row;           /* route; NULL: the model was asked by its own name */
    const struct route_group *groups;  /* route: who may answer, best first */
    size_t group_count;
    const struct route_policy *policy; /* route */
    uint32_t needs;                    /* route: enum ability */
    bool only_first;                   /* route: the client wants no fallback */
    struct attempts *attempts;         /* call: who was asked; NULL: nobody */
    const struct answerer *answerer;   /* route: set when the house answers itself */
    const struct request_writer
        *writer;                 /* route: who writes for it, or NULL: as the settings say */
    struct cache_ticket *ticket; /* look_up: NULL when the cache has no part in it */
    struct cache_key cache_key;  /* look_up: with a ticket */
    bool kept;                   /* keep: the answer is in the cache, before it has left */
    struct hold hold;            /* budget: micro-dollars set aside, settled by record */
    bool asked;                  /* call: the question went to a provider */
    bool paid_inside;      /* call: a request asked inside answers, and its record has the tokens */
    struct answer *answer; /* call */
    struct losses *losses; /* call: what the model's provider could not be told, or NULL */
    const char *problem;   /* whoever refuses: the dialect's code, or NULL for the usual */
    int problem_status;    /* whoever refuses: status, or 0 for the usual */
    dur_ns retry_after;    /* budget: what a refused client is told; 0: nothing */
    bool head_sent;        /* deliver: from here an error can only end the stream */
    bool recorded;         /* record: exactly once, before the last byte leaves */
    struct str outcome;    /* record: complete, refused, failed, cancelled, cut */
    struct usage usage;    /* record: reported or estimated */
    bool prompt_cut;       /* record: the provider read less than was sent, and did not say so */
    usd_micro cost;        /* record: what the key was charged */
    int status;            /* deliver, finish: what the client was told */
    uint64_t sent_bytes;   /* deliver: of the body */
    mono_ns started;       /* entry */
    dur_ns first_byte;     /* deliver: until the first byte of the answer left, or 0 */
    dur_ns first_token;    /* deliver: until the first text of the answer was there, or 0 */
    mono_ns last_piece;    /* deliver: when the last bytes of a stream left */
    dur_ns gap_max;        /* deliver: the longest time between two pieces of a stream */
    uint64_t audit_seq;    /* record: number of the audit record, or 0 */
    bool
        overdue; /* pipeline: its own request_timeout ended it, which says nothing of the question */
    /* Whoever puts passages into the question, or answers from them: of which documents, as "ID@BASE". What is
     * kept of the answer goes when one of them does. */
    const struct str *documents;
    size_t document_count;
    /* ... and of what in them, as whoever answers from documents writes it down and reads it (gateway_options.stands). */
    const struct str *sources;
    size_t source_count;
    const struct str *subjects; /* parse: whom what it goes on from was asked for */
    size_t subject_count;
};

#endif
