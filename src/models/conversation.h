/* models/conversation.h: what a client asks and what it is told, in no dialect: every client dialect is
 * read into it and every provider dialect is written from it, so that N + M translations reach N x M.
 * Same dialect on both sides needs none of this: there the bytes are spliced (chat.h).
 * Shapes   lists in the order of the text; texts are views of the client's body or of the arena.
 *          Raw is JSON text, kept as it came.
 * Owner    the request's arena.
 * Absent   numbers -1 (double: NAN; a seed: SEED_UNSAID), enums 0, texts with ptr NULL. */
#ifndef WEIR_MODELS_CONVERSATION_H
#define WEIR_MODELS_CONVERSATION_H

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

/* ---- what is asked ---- */

enum part_kind {
    PART_TEXT,
    PART_IMAGE,
    PART_AUDIO,
    PART_FILE,
    PART_REASONING, /* of an assistant's earlier turn */
    PART_REFUSAL,
    PART_TOOL_CALL,
    PART_TOOL_RESULT,
    PART_OTHER, /* extra: all of it, raw; only the dialect it came in (conversation.spoken) knows it */
};

struct part {
    struct part *next;
    enum part_kind kind;
    struct str text;       /* TEXT, REASONING, REFUSAL */
    struct str media_type; /* IMAGE, AUDIO, FILE: "image/png" */
    struct str data;       /* base64 as it came, or */
    struct str url;        /* where it is, or */
    struct str file_id;    /* what the provider calls it */
    struct str file_name;
    struct str detail; /* IMAGE: low, high, auto */
    struct str id;     /* TOOL_CALL and TOOL_RESULT: the call's id; REASONING: the item's */
    struct str
        name; /* TOOL_CALL: the function; TOOL_RESULT: where the dialect needs it, else empty */
    struct str arguments; /* TOOL_CALL: JSON text, an object when the model did as it was told */
    struct str custom; /* TOOL_CALL whose input is text: all of it, raw; arguments: {"input": it} */
    struct str signature;     /* REASONING, TOOL_CALL: opaque, must come back as it was */
    bool is_redacted;         /* REASONING: text is opaque data */
    bool is_error;            /* TOOL_RESULT */
    struct part *inner;       /* TOOL_RESULT: its content */
    struct str cache_control; /* raw {"type":"ephemeral",...} or empty: cache up to here */
    struct str extra;         /* raw object of members that this house does not know, or empty */
};

enum turn_role { TURN_SYSTEM, TURN_DEVELOPER, TURN_USER, TURN_ASSISTANT, TURN_TOOL };

struct turn {
    struct turn *next;
    enum turn_role role;
    struct str name; /* of the speaker */
    struct part *parts;
    struct str path;  /* "messages.2": for errors */
    struct str extra; /* raw object of members that this house does not know, or empty */
};
struct conversation;
/* Put one more at the end of a list: `*tail` starts as &list and moves on. NULL: no memory. */
struct turn *turn_add(struct arena *arena, struct turn ***tail, enum turn_role role) MUST_CHECK;
struct part *part_add(struct arena *arena, struct part ***tail, enum part_kind kind) MUST_CHECK;
/* A copy of a conversation for another ear: `rewrite` gets each turn and its copy, whose parts are still the
 * old ones, and gives it others. NULL: err. */
typedef bool turn_rewrite(void *ctx, const struct turn *from, struct turn *to, struct err *err);
const struct conversation *conversation_rewrite(struct arena *arena, const struct conversation *in,
                                                turn_rewrite *rewrite, void *ctx, struct err *err)
    MUST_CHECK;
/* "data:image/png;base64,AAAA" to its halves; false: no such url. */
bool data_url_read(struct str url, struct str *media_type, struct str *data) MUST_CHECK;
/* Where a client says that a part is: a data: URL becomes its media type and data, all else is an address. What was
 * expected instead, for "expected %s"; NULL: it is taken. */
const char *part_take_url(struct part *part, struct str url) MUST_CHECK;
/* What a picture, sound or file counts for in prompt_bytes: its base64 says nothing about its tokens. */
#define MEDIA_BYTES ((size_t)6000)

struct tool {
    struct tool *next;
    struct str name, description;
    struct str parameters; /* raw JSON schema, or empty */
    int strict;            /* -1, 0, 1 */
    struct str cache_control;
    struct str
        builtin;      /* raw: a provider's own tool (web search, ...): only its dialect knows it */
    struct str extra; /* raw object of members that only the dialect it came in knows, or empty */
};

enum tool_choice { CHOOSE_UNSAID, CHOOSE_AUTO, CHOOSE_NONE, CHOOSE_ANY, CHOOSE_NAMED };
enum reply_format { FORMAT_UNSAID, FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };
enum ask_kind { ASK_CHAT, ASK_COMPLETION, ASK_EMBEDDING, ASK_RERANK, ASK_MODERATION };
/* Those that are answered whole, and whose answers are not made of tokens. */
static inline bool ask_is_whole(enum ask_kind kind)
{
    return kind == ASK_EMBEDDING || kind == ASK_RERANK || kind == ASK_MODERATION;
}

struct extra { /* a top-level field that the reader's table does not know */
    struct extra *next;
    struct str name, raw;
    bool is_own;  /* its dialect alone knows it, not the family */
    bool is_lost; /* of `inside`: its own dialect's writer has no place for it either */
};

struct dialect; /* models/dialect.h */

#define SEED_UNSAID INT64_MIN /* -1 is a seed like any other */

struct conversation {
    enum ask_kind kind;
    const struct dialect *spoken; /* the client's: whose extras, builtin tools and other parts these
                                     are; NULL: nobody's */
    void *own;                    /* what its reader keeps for its writer */
    struct str model;
    bool stream, include_usage;
    bool pad_events;    /* of a stream, against who listens to their lengths: asked for */
    struct turn *turns; /* system turns stand where they stood */
    struct tool *tools;
    enum tool_choice tool_choice;
    struct str tool_name; /* CHOOSE_NAMED */
    int parallel_tools;   /* -1, 0, 1 */
    enum reply_format format;
    struct str schema, schema_name, schema_description; /* FORMAT_SCHEMA: raw schema */
    int schema_strict;
    int64_t max_tokens, n, seed, top_k, top_logprobs;
    int logprobs; /* -1, 0, 1 */
    double temperature, top_p, frequency_penalty, presence_penalty, min_p;
    struct str stops[16];
    uint32_t stop_count;
    struct str reasoning_effort;  /* none, minimal, low, medium, high, xhigh, max */
    int64_t reasoning_budget;     /* tokens; 0: off */
    bool reasoning_adaptive;      /* asked for, and the model is to decide how much */
    struct str reasoning_summary; /* auto, concise, detailed */
    struct str user, service_tier, verbosity;
    struct str beta;    /* of the client's head: features it asks its own dialect's provider for */
    struct str version; /* likewise: of the dialect */
    struct str logit_bias, metadata, modalities, audio, prediction; /* raw */
    struct str suffix;                                              /* ASK_COMPLETION */
    struct str echo;                                                /* raw */
    struct str inputs; /* ASK_EMBEDDING: raw array of strings or of token arrays, or one string;
                            ASK_COMPLETION: the prompt, raw; one string is also a turn;
                            ASK_RERANK: the documents, a raw array of strings and objects;
                            ASK_MODERATION: a raw string, or an array of strings or of parts */
    struct str query;  /* ASK_RERANK */
    struct str rank_fields; /* ASK_RERANK: raw array of names, or empty */
    int64_t top_n;          /* ASK_RERANK */
    bool return_documents;  /* ASK_RERANK */
    uint32_t prompt_count;  /* ASK_COMPLETION: how many prompts; each gets n choices */
    uint32_t input_count;   /* ASK_EMBEDDING: how many vectors are to come; 0: not known;
                               ASK_MODERATION: how many verdicts */
    int64_t dimensions;     /* ASK_EMBEDDING */
    struct str encoding;    /* ASK_EMBEDDING: float, base64 */
    bool goes_on;   /* the last turn is the assistant's, and its words are to be gone on with */
    bool functions; /* asked with the older `functions`: told with `function_call` */
    struct extra *extras;
    struct extra *
        inside; /* members of known fields that the reader does not know: "thinking.mood"; their own dialect's
                             writer has the field as it came */
    size_t prompt_bytes; /* text of turns and tools: for the estimate of tokens */
    mono_ns started;     /* when the client asked; 0: nobody did */
};
void conversation_init(struct conversation *c); /* everything absent */
/* How many choices are to come: n, for each prompt. */
uint32_t conversation_choices(const struct conversation *c);

/* ---- what is told ---- */

/* Tokens as the house counts them, whatever the provider's habit: tokens_in is everything that was read,
 * cached and written to a cache included; tokens_out is everything that was made, reasoning included.
 * -1: not reported. */
struct usage {
    int64_t tokens_in, tokens_out;
    int64_t tokens_cached;           /* of tokens_in: read from the provider's cache */
    int64_t tokens_cache_write;      /* of tokens_in: written to it, kept 5 minutes or unsaid */
    int64_t tokens_cache_write_long; /* of tokens_in: written to it, kept an hour */
    int64_t tokens_reasoning;        /* of tokens_out */
    int64_t tokens_audio_in, tokens_audio_out, tokens_image_in; /* of tokens_in, tokens_out */
    bool estimated;
};
extern const struct usage usage_unknown; /* every count -1 */
/* What is known of either. */
struct usage usage_sum(const struct usage *a, const struct usage *b);

enum finish_reason {
    FINISH_UNSAID,
    FINISH_STOP,
    FINISH_LENGTH,
    FINISH_TOOL_CALLS,
    FINISH_CONTENT_FILTER,
    FINISH_REFUSAL,
    FINISH_PAUSE, /* the provider wants to be asked to go on */
    FINISH_CONTEXT,
};

/* One step of an answer. A whole answer is the same steps at once. Order, for each choice: BEGIN once;
 * parts one after the other, each part's steps side by side where the provider interleaves tool calls
 * (`part` tells them apart); FINISH once. Then USAGE at most once, END once. FAILED instead of the rest. */
enum said_kind {
    SAID_BEGIN,     /* id, model: the provider's */
    SAID_TEXT,      /* text: a piece */
    SAID_REASONING, /* text: a piece; signature: comes with the last, text empty; is_redacted */
    SAID_REFUSAL,   /* text: a piece */
    SAID_TOOL,      /* a call begins: id, name, (signature) */
    SAID_ARGUMENTS, /* of the call `part`: text, a piece of JSON */
    SAID_CITATION,  /* raw: a source of the text before it, as models/citation.h writes it */
    SAID_MEDIA,     /* media_type, text: base64 */
    SAID_LOGPROBS,  /* raw: OpenAI's shape */
    SAID_PART_END,  /* of `part`; optional: the next part's first step ends the one before */
    SAID_VECTOR,    /* ASK_EMBEDDING: choice is the index; raw: array of numbers, or text: base64 */
    SAID_SCORE,     /* ASK_RERANK: choice is the document; raw: its score */
    SAID_VERDICT,   /* ASK_MODERATION: choice is the input; raw: its result, an object */
    SAID_FINISH,    /* finish; stop_sequence in text */
    SAID_USAGE,     /* usage */
    SAID_TIER,      /* text: the service tier that answered, in the chat dialect's words */
    SAID_SEARCHED, /* the provider has searched the web: id, text: for what; name: as SAID_OTHER's */
    SAID_FOUND, /* what came of it: id; raw: [{"url":...,"title":...}], empty where nobody says; name */
    SAID_RAN, /* the provider ran code: id, text: the code, language; name: as SAID_OTHER's, or none where the
                      code is for everybody's eyes: then it is text to who has no place for it */
    SAID_PRINTED, /* what came of it: id, text, failed; name: likewise */
    SAID_OTHER,   /* what has no place here; name: what its dialect calls it, raw: what it says */
    SAID_PING,    /* nothing: the provider lives */
    SAID_FAILED,  /* an error inside a good answer: err_type in name, text says what */
    SAID_END,     /* the answer is complete */
};

struct said {
    enum said_kind kind;
    uint32_t choice; /* from 0 */
    uint32_t part;   /* from 0, in the order in which parts began, over all kinds of a choice */
    struct str id, name, model, text, signature, raw, media_type;
    struct str language; /* RAN: python, bash; empty: not said */
    bool is_redacted, failed;
    enum finish_reason finish;
    struct usage usage;
    int64_t created; /* BEGIN: seconds, or 0 */
};

#endif
