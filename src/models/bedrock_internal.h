/* models/bedrock_internal.h: the parts of dialect_bedrock. Siblings only.
 *   bedrock.c        the table of fields, errors, the dialect itself
 *   bedrock_write.c  conversation -> Converse, and InvokeModel for embeddings
 *   bedrock_turns.c  its turns and tools
 *   bedrock_said.c   answers and events -> steps
 *   bedrock_read.c   a client's Converse -> conversation
 *   bedrock_reply.c  steps -> a client's answer and events */
#ifndef WEIR_MODELS_BEDROCK_INTERNAL_H
#define WEIR_MODELS_BEDROCK_INTERNAL_H

#include "base/json.h"
#include "models/claude.h"

/* conversation.own */
struct bedrock_asked {
    const struct json *json; /* the body: for a provider of this dialect it passes whole */
};

/* "image", "png" -> "image/png"; STR_NONE: there is no such format. */
struct str bedrock_media_type(const char *block, struct str format);
bool bedrock_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                          struct err *err) MUST_CHECK;
bool bedrock_writer_init(struct said_writer *w, struct err *err) MUST_CHECK;
bool bedrock_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                        struct err *err) MUST_CHECK;
void bedrock_write_error(struct buf *out, int status, const char *code, const struct err *err);
void bedrock_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err);

extern const struct field bedrock_fields[];
extern const size_t bedrock_config_count, bedrock_field_count; /* inferenceConfig's come first */

bool bedrock_write_request(struct arena *arena, const struct conversation *in,
                           const struct model *to, struct losses *losses, struct outgoing *out,
                           struct err *err) MUST_CHECK;
/* A request on its way (bedrock_write.c), and its parts that are written in bedrock_turns.c. */
struct bedrock_writing {
    struct arena *arena;
    const struct conversation *in;
    struct str remote;
    struct losses *losses;
    struct claude_thinking thinking; /* of Claude alone */
    struct json_writer w;
    struct str open; /* role of the message that is open, or empty */
    bool has_calls;  /* a tool was called or answered before */
    unsigned documents;
};
/* Nothing where there is no value. */
void bedrock_member(struct json_writer *w, const char *key, struct str value);
bool bedrock_is_id_char(char c);
void bedrock_write_system(struct bedrock_writing *k);
bool bedrock_write_messages(struct bedrock_writing *k, struct err *err) MUST_CHECK;
bool bedrock_write_tools(struct bedrock_writing *k, struct err *err) MUST_CHECK;

/* By its id or its profile's: "eu.anthropic.claude-...", "arn:aws:bedrock:...". */
bool bedrock_is_by(struct str remote, const char *maker);

bool bedrock_reader_init(struct said_reader *r, struct err *err) MUST_CHECK;
bool bedrock_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
    MUST_CHECK;
bool bedrock_at_end(struct said_reader *r, struct err *err) MUST_CHECK;

#endif
