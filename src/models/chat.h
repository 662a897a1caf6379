/* models/chat.h: a chat request and its answer as the gateway sees them, and the OpenAI dialect of
 * both. The body stays the bytes that came; what we must know is read from its index, what we must
 * change is spliced. Unknown fields pass both ways.
 * Error shapes and rules that break peers: see docs/api.md. */
#ifndef WEIR_MODELS_CHAT_H
#define WEIR_MODELS_CHAT_H

#include "models/conversation.h"
#include "net/sse.h"

/* What a provider's server wants otherwise (habits.h). */
struct chat_habits {
    bool older_names; /* max_completion_tokens is not read: it is sent as max_tokens */
    struct str add_key,
        add_value; /* a member to add where the body has none of this name, or empty */
};

struct chat_request {
    struct json *json;
    struct str body;  /* what json indexes */
    struct str model; /* as asked for */
    bool stream;
    bool include_usage;  /* stream_options.include_usage was asked for by the client */
    int64_t max_tokens;  /* max_completion_tokens or max_tokens; -1: not given */
    int64_t n;           /* choices; 1 */
    struct str question; /* chat_read_question(): what documents are asked; empty till then */
    const struct chat_habits *habits; /* of who is asked; NULL: none */
    size_t prompt_bytes;              /* text of messages and tools: for the estimate of tokens */
    size_t
        prompt_extra; /* tokens that nobody wrote and a provider may count: see chat_prompt_extra() */
    uint32_t needs;   /* enum ability */
    json_ref messages, weir; /* weir: our own options, removed before it leaves */
    json_ref weir_said;      /* the same, also when it is null */
    json_ref user;           /* "user" or metadata.user_id, of whatever kind; 0: neither */
};

/* ERR_INVALID names the field: "messages.2.role: expected a string". */
bool chat_read_request(struct arena *arena, struct str body, struct chat_request *out,
                       struct err *err) MUST_CHECK;
/* What must be known of a request in another dialect; messages and needs stay 0. */
void chat_from_conversation(const struct conversation *c, struct json *json, struct str body,
                            struct chat_request *out);
/* The body is another: our own options and who asks are looked for again. */
void chat_take_json(struct chat_request *chat, struct json *json);
/* What templates put around messages, hidden system prompts and tools' instructions count for at most. */
size_t chat_prompt_extra(size_t turns, bool tools);
/* The most tokens that a provider counts for the prompt, for no tokenizer makes more of a text than it has
 * bytes: what budgets and tokens a minute hold before. */
int64_t chat_prompt_worst(const struct chat_request *chat);
/* The text of the last user message into chat->question. Apart, because a long prompt that only passes
 * through need not be decoded. */
bool chat_read_question(struct arena *arena, struct chat_request *chat, struct err *err) MUST_CHECK;
/* The body for the provider, as pieces over the old text: model replaced, "weir" removed, usage asked
 * for in streams. At most CHAT_PIECES_MAX pieces. */
#define CHAT_PIECES_MAX 32
bool chat_write_request(struct arena *arena, const struct chat_request *in, struct str remote_model,
                        struct str pieces[CHAT_PIECES_MAX], size_t *count, struct err *err)
    MUST_CHECK;

/* What has passed of an answer. */
#define CHAT_CHOICES_MAX 128
#define CHAT_NAME_BYTES  96
struct chat_meter {
    struct usage usage;
    int64_t choices;                  /* that are to come: the request's n */
    uint8_t finish[CHAT_CHOICES_MAX]; /* by index: enum finish_reason; 0: not finished yet */
    int32_t finished_count;           /* of them */
    bool finished;                    /* every choice has had its finish_reason */
    bool done;                        /* [DONE] came */
    bool failed;                      /* an error came inside a 200 stream; error_text says what */
    uint64_t content_bytes;           /* of text and tool arguments: for the estimate of tokens */
    bool spoke;   /* something came that is no text: a call, a picture, a vector */
    bool refused; /* the model said that it will not answer */
    uint32_t events;
    struct str error_text;
    uint8_t id_len, model_len;
    char id[CHAT_NAME_BYTES], model[CHAT_NAME_BYTES]; /* the provider's own words, cut */
};
void chat_meter_init(struct chat_meter *meter, int64_t choices); /* nothing has passed */
/* A choice has ended; again, or past CHAT_CHOICES_MAX: nothing. */
void chat_meter_finish(struct chat_meter *meter, int64_t choice, enum finish_reason how);
/* What the provider calls the answer, and the model that gives it; empty: it did not say. */
void chat_meter_name(struct chat_meter *meter, struct str id, struct str model);
/* It may be told again to who asks the same: nobody refused, filtered or paused it, and no tool call was cut
 * short. */
bool chat_meter_is_answer(const struct chat_meter *meter);
/* Nothing follows: what nobody counted is estimated and marked. */
void chat_meter_close(struct chat_meter *meter, size_t prompt_bytes);
/* One event of a stream. *drop: the client did not ask for this one (the usage chunk we asked for). */
bool chat_read_event(struct arena *scratch, const struct sse_event *event, bool client_wants_usage,
                     struct chat_meter *meter, bool *drop, struct err *err) MUST_CHECK;
/* A whole answer that is not streamed: usage and content. */
bool chat_read_reply(struct arena *arena, struct str body, struct chat_meter *meter,
                     struct err *err) MUST_CHECK;
/* {"error":{"message","type","param","code"}} as OpenAI clients expect it; param is the field that the
 * text of an ERR_INVALID names. _as: with a code of the caller's instead of the usual one. */
void chat_write_error(struct buf *out, int status, const struct err *err);
void chat_write_error_as(struct buf *out, const char *code, const struct err *err);
/* Tokens of a text nobody counted: bytes and scripts; always marked as an estimate. */
int64_t chat_estimate_tokens(size_t bytes);

/* Writers for answers made here (documents). id: "chatcmpl-..." */
struct chat_answer {
    struct str id, model, content, finish_reason;
    struct str annotations; /* JSON array or empty */
    struct str weir;        /* JSON object or empty */
    int64_t created;        /* seconds */
    struct usage usage;
};
void chat_write_reply(struct buf *out, const struct chat_answer *answer);
/* Events: role, content piece, finish, usage (if wanted), [DONE]. */
void chat_write_event_role(struct buf *out, const struct chat_answer *answer);
void chat_write_event_content(struct buf *out, const struct chat_answer *answer, struct str piece);
void chat_write_event_finish(struct buf *out, const struct chat_answer *answer, bool with_usage);
void chat_write_event_error(struct buf *out,
                            const struct err *err); /* data: {"error":...}; nothing after it */

#endif
