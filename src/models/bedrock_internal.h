/* models/bedrock_internal.h: the parts of dialect_bedrock. Siblings only.
 *   bedrock.c        the table of fields, errors, the dialect itself
 *   bedrock_write.c  conversation -> Converse, and InvokeModel for embeddings
 *   bedrock_said.c   answers and events -> steps
 *   bedrock_read.c   a client's Converse -> conversation
 *   bedrock_reply.c  steps -> a client's answer and events */
#ifndef WEIR_MODELS_BEDROCK_INTERNAL_H
#define WEIR_MODELS_BEDROCK_INTERNAL_H

#include "models/dialect.h"

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
/* By its id or its profile's: "eu.anthropic.claude-...", "arn:aws:bedrock:...". */
bool bedrock_is_by(struct str remote, const char *maker);

bool bedrock_reader_init(struct said_reader *r, struct err *err) MUST_CHECK;
bool bedrock_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
    MUST_CHECK;
bool bedrock_at_end(struct said_reader *r, struct err *err) MUST_CHECK;

#endif
