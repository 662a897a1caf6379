/* models/openai_internal.h: what the files of the OpenAI family share: chat (openai_*.c), completions and
 * embeddings. */
#ifndef WEIR_MODELS_OPENAI_INTERNAL_H
#define WEIR_MODELS_OPENAI_INTERNAL_H

#include "models/dialect.h"
#include "models/models.h"

/* A member that may be absent or null. */
static inline json_ref openai_given(const struct json *j, json_ref object, struct str key)
{
    json_ref v = json_get(j, object, key);

    return json_kind(j, v) == JSON_NULL ? 0 : v;
}

/* Strings of a body count as written, which errs on the large side. */
static inline size_t openai_string_bytes(const struct json *j, json_ref v)
{
    return json_kind(j, v) == JSON_STRING ? json_raw(j, v).len - 2 : 0;
}

/* ---- requests ---- */

bool openai_read_messages(struct field_reader *r, json_ref v, struct err *err) MUST_CHECK;
bool openai_write_request(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err) MUST_CHECK;

/* Rows that chat and completions share. */
bool openai_read_model(struct field_reader *r, json_ref v, struct err *err) MUST_CHECK;
bool openai_read_stop(struct field_reader *r, json_ref v, struct err *err) MUST_CHECK;
bool openai_read_stream_options(struct field_reader *r, json_ref v, struct err *err) MUST_CHECK;
/* "model" was there. */
bool openai_check_model(const struct conversation *c, struct err *err) MUST_CHECK;
/* All fields of the dialect's table into r->to, which is begun here. `what`: "a completion request". */
bool openai_begin_fields(struct field_reader *r, const struct dialect *dialect, enum ask_kind kind,
                         const char *what, struct err *err) MUST_CHECK;
/* The same, and a model is among them. */
bool openai_read_fields(struct field_reader *r, const struct dialect *dialect, enum ask_kind kind,
                        const char *what, struct err *err) MUST_CHECK;
/* An object of every member of `object` that is not in the NULL-ended list of names; empty: none. */
bool openai_read_extra(struct field_reader *r, json_ref object, const char *const *known,
                       struct str *out, struct err *err) MUST_CHECK;

/* An answer that is read (openai_hear.c); what its choices say is read in openai_deltas.c. */
struct openai_call {
    struct openai_call *next;
    struct str id;
    int64_t index;
    uint32_t part;
};

struct openai_choice {
    struct openai_choice *next;
    uint32_t number, parts, call_count;
    uint32_t text_part;     /* the newest of text: what citations and probabilities are for */
    bool is_open, finished; /* is_open: part `parts - 1` of kind `open` takes more */
    enum said_kind open;
    struct openai_call *calls; /* the newest first */
};
COLD bool openai_unreadable(struct err *err, const char *what);
/* A string in the scratch; absent, null and other kinds: empty. */
bool openai_text_of(const struct said_reader *r, const struct json *j, json_ref v, struct str *out,
                    struct err *err) MUST_CHECK;
bool openai_say_member(struct said_reader *r, struct openai_choice *c, const struct json *j,
                       json_ref v, enum said_kind kind, struct err *err) MUST_CHECK;
bool openai_read_message(struct said_reader *r, struct openai_choice *c, const struct json *j,
                         json_ref m, struct err *err) MUST_CHECK;

/* The provider is OpenAI's own house, which refuses fields that it does not know, or Azure's. */
bool openai_is_original(const struct model *to);
/* How much the model is to think, in the family's words; a budget of tokens is told as an effort, and that it was lost,
 * but for who takes one. NONE: nothing is said. */
bool openai_effort(const struct conversation *in, const struct model *to, struct losses *losses,
                   struct str *out, struct err *err) MUST_CHECK;
/* The conversation as OpenAI's own model can be asked it (gpt.h); `in` where it is another's or nothing is to be changed.
 * NULL: err. */
const struct conversation *openai_fitted(struct arena *arena, const struct conversation *in,
                                         const struct model *to, struct losses *losses,
                                         struct err *err) MUST_CHECK;
/* A request on its way (openai_write.c); its turns are written in openai_turns.c. */
struct openai_writing {
    struct json_writer w;
    struct arena *arena;
    const struct conversation *in;
    const struct model *to;
    struct losses *losses;
    bool same_family; /* the client's own parts and tools are the provider's too */
};
/* Nothing where there is no value. */
void openai_member(struct json_writer *w, const char *key, struct str text);
void openai_raw_member(struct json_writer *w, const char *key, struct str raw);
/* {"type":"...": the object stays open. */
void openai_part_begin(struct json_writer *w, const char *type);
bool openai_write_turn(struct openai_writing *o, const struct turn *turn, struct err *err)
    MUST_CHECK;
/* Members for sampling that all of the family have, stop and the stream's options included. */
bool openai_write_sampling(struct json_writer *w, const struct conversation *in,
                           const struct model *to, struct losses *losses, struct err *err)
    MUST_CHECK;
/* Extras of the client, when it speaks a dialect of the family; else each is a loss. */
bool openai_write_extras(struct json_writer *w, const struct conversation *in,
                         struct losses *losses, struct err *err) MUST_CHECK;
/* {"model":...: what the model is called there; the object stays open. */
void openai_body_begin(struct json_writer *w, struct buf *body, struct arena *arena,
                       const struct model *to);
/* The client's extras, and the end. */
bool openai_body_end(struct json_writer *w, const struct conversation *in, struct losses *losses,
                     const char *path, struct outgoing *out, struct err *err) MUST_CHECK;
/* The body is done: *out gets it with the path. */
bool openai_outgoing(struct buf *body, const char *path, struct outgoing *out, struct err *err)
    MUST_CHECK;
#define OPENAI_BODY_MAX \
    (256 * MIB) /* the request's arena is the limit; this only bounds the buffer */

bool completions_write_request(struct arena *arena, const struct conversation *in,
                               const struct model *to, struct losses *losses, struct outgoing *out,
                               struct err *err) MUST_CHECK;
bool embeddings_write_request(struct arena *arena, const struct conversation *in,
                              const struct model *to, struct losses *losses, struct outgoing *out,
                              struct err *err) MUST_CHECK;
/* The provider takes prompts at /completions; else they become a user's turn. */
bool completions_are_native(const struct model *to);

/* ---- answers, read ---- */

struct openai_choice;
struct openai_reader {
    struct openai_choice *choices; /* a list, in the order of their beginning */
    struct str id, model;
    int64_t created;
    uint32_t finished, events;
    struct usage usage;
    bool has_usage, has_tier, ended;
    struct str weir; /* raw: what another Weir, or this one, says about the answer */
};
bool openai_reader_init(struct said_reader *r, struct err *err) MUST_CHECK;
bool openai_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
    MUST_CHECK;
bool openai_at_end(struct said_reader *r, struct err *err) MUST_CHECK;
void openai_read_error(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code);
void openai_read_usage(const struct json *j, json_ref usage, struct usage *out);
bool openai_say(struct said_reader *r, const struct said *said, struct err *err) MUST_CHECK;
/* {"data":[{"index","embedding"}]} */
bool embeddings_read_data(struct said_reader *r, const struct json *j, struct err *err) MUST_CHECK;

/* ---- answers, written ---- */

bool openai_writer_init(struct said_writer *w, struct err *err) MUST_CHECK;
bool openai_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err) MUST_CHECK;
enum finish_reason openai_finish_of(struct str name);
/* Servers that gave up say so where the reason stands: that is an error inside a good answer. */
bool openai_gave_up(struct str reason);
#define OPENAI_GAVE_UP "the provider gave up before the end of the answer"
bool openai_keep_tier(struct arena *arena, struct str tier, struct str *raw, struct err *err)
    MUST_CHECK; /* quoted */
const char *openai_finish_name(enum finish_reason finish, bool functions);
void openai_write_usage(struct json_writer *w, const struct usage *usage);
/* "usage" of what is only read: nothing is made. */
void openai_write_read(struct json_writer *w, int64_t tokens);
/* The member "weir", where there is something to say, and the end of the reply. */
void openai_reply_end(struct json_writer *w, const struct said_writer *sw);

/* ---- usage that a provider left out, for clients whose dialect it speaks (uncounted.c) ---- */

bool usage_is_left_out(const struct chat_meter *meter);
/* The event of a stream that says the estimate that is charged, and that it is one. */
bool uncounted_event(struct arena *arena, const struct chat_meter *meter, size_t prompt_bytes,
                     struct str *out, struct err *err) MUST_CHECK;
void openai_write_error(struct buf *out, int status, const char *code, const struct err *err);
void openai_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err);
/* The list of "logprobs.content" (and "refusal"), of pieces put together. */
struct openai_logprobs {
    struct buf content, refusal;
};

#endif
