/* models/dialect.h: a dialect is four verbs, written once for clients and for providers:
 *
 *   client's body  --read_request-->  conversation  --write_request-->  provider's body
 *   client's bytes <--write_said---      said       <---read_said-----  provider's bytes
 *
 * Fields   each dialect has a table of its request's fields (struct field): it makes the reader, the
 *          writer, the check of kinds and ranges, and docs/dialects.md (make docs).
 * Losses   what the target cannot take is refused with the field's name, or left out and told to the
 *          client, as the setting says: losses_note().
 * Threads  no state outside the arguments. */
#ifndef WEIR_MODELS_DIALECT_H
#define WEIR_MODELS_DIALECT_H

#include "base/buf.h"
#include "models/conversation.h"
#include "net/http_parse.h"
#include "net/sse.h"

/* ---- what could not be said in another dialect ---- */

#define LOSSES_MAX 32
struct losses {
    bool refuse; /* the setting: the first loss is an error */
    uint32_t count;
    struct str fields[LOSSES_MAX]; /* "seed", "messages.2.content.1" */
    uint32_t more;                 /* past LOSSES_MAX */
    int64_t
        max_tokens_assumed; /* the target must be told a limit and the client gave none; 0: no */
    /* part_path(): the part it was asked for last, so that it need not count from the first again. */
    const struct turn *turn;
    const struct part *part;
    uint32_t part_at;
};
/* Nothing is lost yet. The list itself is left as it is: it is long, and read as far as `count`. */
static inline void losses_clear(struct losses *losses, bool refuse)
{
    losses->refuse = refuse;
    losses->count = losses->more = 0;
    losses->max_tokens_assumed = 0;
    losses->turn = NULL;
}
/* false: refused, ERR_INVALID "seed: anthropic has no such field; ...". The field is copied by nobody:
 * it must live as long as the losses. */
bool losses_note(struct losses *losses, struct str field, const char *why, struct err *err)
    MUST_CHECK;

/* "dropped":[...],"assumed":{"max_tokens":4096}: into the reply's member "weir". */
void losses_tell(struct json_writer *w, const struct losses *losses);

/* ---- the fields table ---- */

enum field_kind {
    FIELD_BOOL,    /* bool */
    FIELD_TRI,     /* int: -1, 0, 1 */
    FIELD_INT,     /* int64_t in [min, max] */
    FIELD_NUMBER,  /* double in [min, max] */
    FIELD_TEXT,    /* struct str */
    FIELD_RAW,     /* struct str: JSON as it came, any kind but null */
    FIELD_OWN,     /* read and written by functions of the dialect */
    FIELD_EXTRA,   /* known, with a meaning in dialects of the same family only: kept in extras */
    FIELD_IGNORED, /* known, without meaning here: dropped with a loss */
};

struct field;
struct field_reader { /* what functions of a dialect get */
    struct arena *arena;
    const struct json *json;
    struct conversation *to;
    const char *path;          /* in front of names in errors: "generationConfig."; NULL: nothing */
    struct extra **inside_end; /* of to->inside, or on the way there; NULL: nobody went yet */
    const struct part *old_call; /* the newest call in the older form, which has no ids */
    uint32_t old_calls;
};

struct field {
    const char *name;
    enum field_kind kind;
    uint16_t at;     /* offsetof(struct conversation, ...) */
    double min, max; /* both 0: anything above -1e15 and below 1e15 */
    bool (*read)(struct field_reader *r, json_ref value, struct err *err); /* FIELD_OWN */
    const char *help;
};
/* Every member of the object by the table: wrong kinds and ranges are ERR_INVALID with the field's name;
 * null is absent; what no row names goes to to->extras. */
bool fields_read(struct field_reader *r, json_ref object, const struct field *fields, size_t count,
                 struct err *err) MUST_CHECK;
/* For functions of a dialect: an integer in the range of `field`. */
bool fields_read_int(const struct field_reader *r, json_ref v, const struct field *field,
                     int64_t *out, struct err *err) MUST_CHECK;
/* Members of every row but FIELD_OWN and FIELD_IGNORED whose value is present. */
void fields_write(struct json_writer *w, const struct conversation *from,
                  const struct field *fields, size_t count);
/* What `from` has, and no row of `fields` covers, is a loss: by the offset of the member. FIELD_OWN rows
 * cover their `at`; a dialect lists further members it handles as rows with kind FIELD_OWN and no read. */
bool fields_losses(const struct conversation *from, const struct field *fields, size_t count,
                   struct losses *losses, struct err *err) MUST_CHECK;
/* One of them that the target can do in part or not with what stands beside it: `name` is the chat dialect's, what is
 * told is the client's own name for it. */
bool fields_lose(const struct conversation *from, const char *name, const char *why,
                 struct losses *losses, struct err *err) MUST_CHECK;
/* Fields that the client's dialect does not know mean nothing to another family: all are losses. */
bool extras_losses(const struct conversation *from, struct losses *losses, struct err *err)
    MUST_CHECK;

/* ---- a request for a provider ---- */

struct model;          /* models.h */
struct model_question; /* models.h */
struct chat_meter;     /* chat.h */

/* A client's body for a provider of the same dialect: its bytes with these edits. */
#define SPLICE_EDITS_MAX 4
struct splicing {
    struct json_edit edits[SPLICE_EDITS_MAX];
    size_t edit_count;
};

struct outgoing {
    struct str method; /* "POST" */
    struct str path;   /* with query, after the provider's url */
    struct str body;
    struct http_field
        fields[8]; /* beside Content-Type, Accept, User-Agent, X-Request-Id; no secrets */
    size_t field_count;
};

/* ---- answers ---- */

struct table; /* base/table.h */

/* What a reader remembers of one answer. `own` is the dialect's. */
struct said_reader {
    struct arena *arena;   /* lives as long as the answer: for what is remembered */
    struct arena *scratch; /* for one event: emptied by the caller before the next read_said() */
    const struct conversation *asked;
    const struct model *model; /* who answers */
    bool streamed;
    void *own;
    bool passes; /* the bytes go on as they came: nothing is lost, SAID_OTHER is not said */
    struct table *others; /* names of what was told as SAID_OTHER, each once; NULL: nothing yet */
    /* Called for every step, in order. Texts stand in `scratch`, in `arena` or in the event. */
    bool (*take)(void *ctx, const struct said *said, struct err *err);
    void *ctx;
};

/* What a writer remembers. A streamed answer is written step by step into `out`; a whole one is kept
 * and written at SAID_END. */
struct said_writer {
    struct arena *arena;
    const struct conversation *asked; /* the client's request: model, stream, include_usage, ... */
    bool streamed;
    struct str id;    /* of the answer, without a prefix: "7f3a..." */
    struct str model; /* as the client asked for it */
    int64_t created;  /* seconds */
    struct str weir;  /* raw: the member "weir" of the reply, or empty; whole at SAID_END */
    const struct dialect *heard; /* whose steps these are; NULL: nobody else's */
    struct losses *lost;      /* of the answer, what this dialect has no place for; may be NULL */
    struct table *lost_names; /* of those, each once; NULL: nothing yet */
    bool usage_estimated;     /* nobody counted it, or not all of it */
    void *own;
};

/* ---- what of an answer has no place at the client (tell.c) ---- */

/* One step to the client: what its dialect cannot carry is left out and noted in w->lost, and told in
 * the member "weir" of the end. All steps go through here. */
bool said_tell(const struct dialect *client, struct said_writer *w, const struct said *said,
               struct buf *out, struct err *err) MUST_CHECK;
/* What has passed of an answer, but for the number of events. */
void said_measure(struct chat_meter *meter, const struct said *said);
/* For writers: something of this name was left out. */
void said_lost(struct said_writer *w, struct str name);
/* What a provider has said, raw, read as kindly as its reader did. NULL: err. */
struct json *said_json(struct arena *arena, struct str raw, struct err *err) MUST_CHECK;
/* "event: TYPE", and its data's object as far as "type": written in place, as JSON has no line ends. */
void said_event_begin(struct buf *out, struct json_writer *w, const char *type);
/* For readers: members of the object that `known` (a list ended by NULL) does not name and that hold
 * something are told as SAID_OTHER, each name once; `where` stands in front of it: "usage.". */
bool said_others(struct said_reader *r, const struct json *j, json_ref object,
                 const char *const *known, const char *where, struct err *err) MUST_CHECK;
bool said_other(struct said_reader *r, struct str where, struct str name, struct str raw,
                struct err *err) MUST_CHECK;
/* For readers: the arguments of a call that the dialect has as a value. Not said: {}. What is no object is the model's
 * word all the same: its text, or what stands in the string. */
bool said_arguments(const struct said_reader *r, const struct json *j, json_ref v, struct str *out,
                    struct err *err) MUST_CHECK;
/* Whose signature it would be, were there no mark on it; signatures go back to their own house only. */
enum signer { SIGNER_ANTHROPIC, SIGNER_GEMINI, SIGNER_OPENAI };
enum signer dialect_signer(const struct dialect *dialect, bool of_call);
/* A mark of who made it, where the client's dialect would take it for another's. */
bool signature_mark(struct arena *arena, const struct dialect *made, const struct dialect *client,
                    bool of_call, struct str *signature, struct err *err) MUST_CHECK;
/* What is asked, with those signatures only that this dialect's provider can have made; the others are
 * losses. *out is `in` where there is nothing to take away. */
bool signatures_fit(struct arena *arena, const struct conversation *in, const struct dialect *to,
                    struct losses *losses, const struct conversation **out, struct err *err)
    MUST_CHECK;
/* Stands in front of a signature that was made elsewhere: the bytes of a body with it are not spliced. */
#define SIGNED_MARK "weir-signed:"

/* What an answer's writer can say: a bit for each enum said_kind, and these. */
#define CARRIES(kind)        ((uint64_t)1 << (kind))
#define CARRIES_CHOICES      ((uint64_t)1 << 40) /* more than the first */
#define CARRIES_STOP         ((uint64_t)1 << 41) /* which stop sequence it was */
#define CARRIES_PAUSE        ((uint64_t)1 << 42) /* FINISH_PAUSE */
#define CARRIES_SIGNED_TEXT  ((uint64_t)1 << 43) /* a signature of a text */
#define CARRIES_SIGNED_CALL  ((uint64_t)1 << 44) /* a signature of a tool call */
#define CARRIES_SIGNED_THINK ((uint64_t)1 << 45) /* a signature of reasoning */
#define CARRIES_REDACTED     ((uint64_t)1 << 46) /* reasoning that nobody can read */
#define CARRIES_SOUND        ((uint64_t)1 << 47) /* media that are no images */
#define CARRIES_CACHE_WRITES ((uint64_t)1 << 48) /* of usage */
#define CARRIES_MODALITIES   ((uint64_t)1 << 49) /* of usage: tokens of audio and images */
#define CARRIES_REASONED     ((uint64_t)1 << 50) /* of usage: tokens of reasoning */
#define CARRIES_ALWAYS                                                                          \
    (CARRIES(SAID_BEGIN) | CARRIES(SAID_PING) | CARRIES(SAID_PART_END) | CARRIES(SAID_FINISH) | \
     CARRIES(SAID_USAGE) | CARRIES(SAID_FAILED) | CARRIES(SAID_END))

enum framing { FRAMING_SSE, FRAMING_AWS };

struct dialect {
    const char *name; /* "openai", "completions", "responses", "anthropic", "gemini", "bedrock" */
    enum framing framing;
    const struct field *fields;
    size_t field_count;
    /* Client's body -> conversation. ERR_INVALID names the field: "messages.2.role: expected ...".
     * body has been parsed strictly; "weir" is skipped. */
    bool (*read_request)(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err);
    /* Conversation -> what this provider is sent. NULL: no provider speaks it. */
    bool (*write_request)(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err);
    /* The same where the client speaks it too: all but the body, and what is to be changed in that. *fits:
     * false where this request must be written anew. NULL: it always must. */
    bool (*splice_request)(struct arena *arena, const struct model_question *question,
                           const struct model *to, struct losses *losses, struct splicing *edits,
                           struct outgoing *out, bool *fits, struct err *err);
    /* Before the first bytes. */
    bool (*reader_init)(struct said_reader *r, struct err *err);
    /* One event of a stream (type and data; for FRAMING_AWS the :event-type and payload), or the whole
     * body with type empty. ERR_UNAVAILABLE for what the dialect does not allow. At the clean end of the
     * framing `at_end` is called: it says SAID_END, or that the stream was cut. */
    bool (*read_said)(struct said_reader *r, struct str type, struct str data, struct err *err);
    bool (*at_end)(struct said_reader *r, struct err *err);
    /* Error bodies of this provider's error statuses: the words and the field, for the client. */
    void (*read_error)(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code);
    /* Seconds after which the provider wants to be asked again, where the body says it and the head does not;
     * NULL: bodies never do. */
    struct str (*read_retry)(struct arena *arena, struct str body);
    bool (*writer_init)(struct said_writer *w, struct err *err); /* NULL: no client speaks it */
    bool (*write_said)(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err);
    uint64_t carries;       /* of an answer: what has a place in it */
    struct str stream_type; /* content type of a streamed answer */
    /* A refusal in this dialect's shape; code and param may be empty. */
    void (*write_error)(struct buf *out, int status, const char *code, const struct err *err);
    /* Into what write_error() has written: the request's id. NULL: it has no place there. */
    void (*write_request_id)(struct buf *out, struct str id);
    /* The event that says a stream has failed; nothing follows it. */
    void (*write_stream_error)(struct said_writer *w, struct buf *out, const struct err *err);
};

extern const struct dialect dialect_openai;          /* /v1/chat/completions */
extern const struct dialect dialect_completions;     /* /v1/completions */
extern const struct dialect dialect_embeddings;      /* /v1/embeddings */
extern const struct dialect dialect_rerank;          /* /v1/rerank */
extern const struct dialect dialect_moderation;      /* /v1/moderations */
extern const struct dialect dialect_responses;       /* /v1/responses */
extern const struct dialect dialect_anthropic;       /* /v1/messages */
extern const struct dialect dialect_gemini;          /* models/M:generateContent */
extern const struct dialect dialect_bedrock;         /* model/M/converse */
const struct dialect *dialect_find(struct str name); /* NULL */
const struct dialect *dialect_at(size_t i);          /* all of them, in order; NULL past the last */
/* Chat, completions, embeddings and responses: they share extras and ways to call things. */
void dialects_docs(struct buf *out); /* docs/dialects.md */
/* Edits that all dialects make: the model's name, where the body has one, and "weir". */
bool splice_usual(struct arena *arena, const struct json *json, struct str remote_name,
                  struct splicing *out, struct err *err) MUST_CHECK;
bool dialect_is_openai(const struct dialect *dialect);

#endif
