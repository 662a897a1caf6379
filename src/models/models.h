/* models/models.h: what can answer. The catalogue is immutable once published; a request keeps the one
 * it was accepted with. Filled from the settings (app). */
#ifndef WEIR_MODELS_MODELS_H
#define WEIR_MODELS_MODELS_H

#include "base/secret.h"
#include "base/table.h"
#include "models/chat.h"
#include "models/price.h"
#include "net/http_client.h"

struct dialect; /* models/dialect.h */

/* How a provider wants to be shown its key. */
enum auth {
    AUTH_BEARER,    /* Authorization: Bearer KEY */
    AUTH_API_KEY,   /* api-key: KEY (Azure) */
    AUTH_X_API_KEY, /* x-api-key: KEY (Anthropic) */
    AUTH_GOOGLE,    /* x-goog-api-key: KEY */
    AUTH_AWS,       /* Signature Version 4 over the request */
};

/* What kind of house it is: its habits beyond the dialect. */
enum provider_kind {
    KIND_OPENAI, /* and whatever speaks its dialect without habits of its own */
    KIND_AZURE,
    KIND_VLLM,
    KIND_SGLANG,
    KIND_LLAMA_CPP,
    KIND_OLLAMA,
    KIND_DEEPSEEK,
    KIND_DASHSCOPE,
    KIND_BAIDU,
    KIND_ANTHROPIC,
    KIND_GEMINI,
    KIND_BEDROCK,
};

/* What a kind of provider speaks, and how it wants to be shown its key. */
const struct dialect *dialect_of_kind(enum provider_kind kind);
enum auth auth_of_kind(enum provider_kind kind);

struct provider {
    struct str name;
    enum provider_kind kind;
    const struct dialect *dialect; /* NULL: the OpenAI dialect */
    enum auth auth;
    struct str api_version; /* Azure's query, Anthropic's header; empty: the dialect's default */
    struct str region;      /* AUTH_AWS */
    struct secret aws_secret_key, aws_session_token; /* AUTH_AWS; api_key is the access key's id */
    bool refuse_unsupported; /* fields that it has no place for: refused, not dropped */
    struct http_url url; /* up to and without /chat/completions, e.g. https://api.openai.com/v1 */
    struct str url_text;
    struct http_trust *trust; /* NULL: the system's authorities */
    struct secret api_key;    /* may be empty: none is sent */
    dur_ns connect_timeout, first_byte_timeout, gap_timeout, total_timeout;
    dur_ns probe_interval; /* 0: it is not probed */
    uint32_t probe_failures;
    size_t reply_bytes_max; /* whole answers; default 32 MiB */
    size_t event_bytes_max; /* one event of a stream; default 1 MiB */
};

enum zone { ZONE_UNSAID, ZONE_LOCAL, ZONE_TRUSTED, ZONE_PUBLIC };
enum lifecycle { LIFE_ACTIVE, LIFE_PREVIEW, LIFE_DEPRECATED, LIFE_RETIRED };

/* What a deployment can do. Unsaid in the settings: what its provider's kind usually can. */
enum ability {
    CAN_STREAM = 1 << 0,
    CAN_TOOLS = 1 << 1,
    CAN_PARALLEL_TOOLS = 1 << 2,
    CAN_IMAGES = 1 << 3,
    CAN_AUDIO = 1 << 4,
    CAN_FILES = 1 << 5,
    CAN_JSON = 1 << 6,
    CAN_SCHEMA = 1 << 7,
    CAN_REASON = 1 << 8,
    CAN_LOGPROBS = 1 << 9,
    CAN_SEED = 1 << 10,
    CAN_CHOICES = 1 << 11,  /* n > 1 */
    CAN_CONTINUE = 1 << 12, /* goes on from an assistant turn that stands last */
    CAN_EMBED = 1 << 13,
    CAN_CHAT = 1 << 14,
    CAN_RERANK = 1 << 15,
    CAN_MODERATE = 1 << 16,
};

/* The abilities that one usually finds at such a provider. */
uint32_t abilities_of_kind(enum provider_kind kind, struct str remote_name);
uint32_t ability_parse(struct str name); /* "parallel_tools"; 0: there is none of this name */
/* "stream, tools"; ERR_INVALID names the one that is none. */
bool abilities_parse(struct str words, uint32_t *out, struct err *err) MUST_CHECK;
/* ERR_INVALID: no endpoint of this dialect does that. */
bool abilities_fit(uint32_t bits, const struct dialect *spoken, struct err *err) MUST_CHECK;
void abilities_write(struct buf *out, uint32_t bits); /* "stream, tools" */
const char *zone_name(enum zone zone);
const char *lifecycle_name(enum lifecycle lifecycle);

struct deployment; /* models/health.h: how it fares; shared by loops, outlives catalogues */

/* Where a row of the catalogue comes from. */
enum model_origin { ORIGIN_FILE, ORIGIN_STORE, ORIGIN_HOUSE };

/* A deployment: one model at one provider, with its prices. */
struct model {
    struct str name;                 /* what a client says */
    const struct provider *provider; /* NULL: answered in the house by `answerer` */
    struct str remote_name;          /* what the provider calls it */
    struct price_list prices;
    int64_t output_tokens_max; /* assumed for the hold when the request names none */
    int64_t window;            /* tokens in and out together; 0: not known */
    uint32_t abilities;        /* enum ability, or 0: not known */
    enum zone zone;
    enum lifecycle lifecycle;
    struct str successor; /* of one that is deprecated or retired; may be empty */
    struct str licence;   /* "apache-2.0", "proprietary"; for people */
    int cache; /* whether answers are kept: 0 as cache.mode, else one more than enum cache_rule */
    int64_t in_flight_max; /* requests at once, all loops; 0: unlimited */
    enum model_origin origin;
    bool pinned;                   /* abilities were measured by `weir model test` */
    struct deployment *deployment; /* NULL: nobody counts */
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
/* Who stands in for it, past successors that are retired themselves; NULL: nobody who is in service. */
const struct model *catalogue_successor(const struct catalogue *c, const struct model *model);
/* ERR_NOT_FOUND names the successor of one that is retired. */
bool model_still_served(const struct catalogue *c, const struct model *model, struct err *err)
    MUST_CHECK;
/* price_usage() and price_bound() of this model; no tokenizer makes more tokens than bytes. */
usd_micro price_of(const struct model *model, const struct usage *usage,
                   const struct price_for *buyer);
usd_micro price_worst(const struct model *model, const struct chat_request *request,
                      struct str tenant);

/* An answer on its way, whoever gives it: pull the next bytes, already in the client's dialect. */
struct answer {
    int status;     /* 200, or the provider's own error status */
    bool streaming; /* bytes are whole server-sent events */
    struct str content_type;
    struct str provider, remote_model;
    struct str retry_after, request_id; /* the provider's, passed on; may be empty */
    struct chat_meter meter;
    const struct losses *lost; /* of it, what the client's dialect has no place for; may be NULL */
    uint32_t citations;
    /* Some bytes, as many as are there, good until the next call. *last: nothing follows; the bytes
     * given with it are the end. A stream that is cut, late or failing is an error, never *last. */
    SUSPENDS bool (*next)(struct answer *answer, struct str *bytes, bool *last, struct err *err);
    /* Releases the connection; called once, on every path. */
    SUSPENDS void (*end)(struct answer *answer);
    /* The event that says, in the client's dialect, that a stream has failed. NULL: the dialect's own
     * writer does without what this answer remembers. It changes nothing and does not look at `own`: another
     * fiber may be inside next(), for others who read the same. */
    void (*tell_failure)(struct answer *answer, struct buf *out, const struct err *why);
    void *own;
};
SUSPENDS void answer_end(struct answer **answer); /* CLEANUP-able */
/* One that is in memory already; bytes stay the caller's. NULL when the arena is used up. */
struct answer *answer_from_bytes(struct arena *arena, int status, struct str content_type,
                                 struct str bytes) MUST_CHECK;

/* What a provider answered instead of an answer. */
struct refusal {
    int status;                            /* its own; 0: there was no reply */
    struct str type, message, param, code; /* its own words */
    struct str body, content_type;         /* as they came */
    struct str request_id, retry_text;     /* of its head; may be empty */
    dur_ns retry_after;                    /* 0: it said nothing, or a date */
    bool
        is_ours; /* it refused our key or our url: status stays 0, as it is nothing to the client */
};

/* A question as the gateway asks it of one candidate after the other. */
struct conversation;
struct losses;
struct model_question {
    const struct dialect *client;      /* what the answer is to be written in */
    const struct chat_request *chat;   /* client is OpenAI's: can be spliced; else NULL */
    struct conversation *conversation; /* NULL until somebody needs it: question_conversation() */
    const struct json *json;           /* the client's body */
    struct losses *losses;             /* what was left out for the last candidate asked, or NULL */
    uint64_t request_id;
    /* Several prompts, asked one by one (models/prompts.h): how many at once, 0 is one; each beside the first only
     * when `widen` says that there is room. NULL: always. */
    uint32_t prompts_at_once;
    bool (*widen)(void *room);
    void (*narrow)(void *room);
    void *room;
    struct usage
        spent; /* out, when there is no answer: what was answered all the same; tokens_in 0: nothing */
};
/* Ask one deployment: spliced where client and provider speak the same, else translated. On success the
 * head of a good answer has come (200); its first bytes need not have. A provider's error status is a
 * failure with *why filled: ERR_UNAVAILABLE, ERR_INVALID (4xx: the request's fault), ERR_EXHAUSTED (429),
 * ERR_TIMEOUT. */
/* The body as a conversation, read once. ERR_INVALID names the field. */
bool question_conversation(struct arena *arena, struct model_question *question, struct err *err)
    MUST_CHECK;
SUSPENDS bool model_ask(struct arena *arena, const struct model *model,
                        struct model_question *question, struct answer **out, struct refusal *why,
                        struct err *err) MUST_CHECK;

/* Ask a provider. On success *out is in the arena and its head has arrived. Deadlines: the provider's,
 * inside the fiber's own. ERR_UNAVAILABLE, ERR_TIMEOUT before the head; the provider's own error
 * statuses are answers, not errors, except 401, 407 and redirects: those are our settings' mistake.
 * status, streaming and content_type hold from the first next() on: a stream that begins with an error
 * becomes a whole answer with status 503. */
SUSPENDS bool provider_ask(struct arena *arena, const struct model *model,
                           const struct model_question *question, struct answer **out,
                           struct refusal *why, struct err *err) MUST_CHECK;

/* The same in the dialect that client and provider share, where it has made `splicing` and `outgoing`
 * (dialect.h). */
struct splicing;
struct outgoing;
SUSPENDS bool provider_ask_same(struct arena *arena, const struct model *model,
                                const struct model_question *question,
                                const struct splicing *splicing, struct outgoing *outgoing,
                                struct answer **out, struct refusal *why, struct err *err)
    MUST_CHECK;

#endif
