/* models/bedrock_internal.h: the parts of dialect_bedrock. Siblings only.
 *   bedrock.c        the table of fields, errors, the dialect itself
 *   bedrock_write.c  conversation -> Converse, and InvokeModel for embeddings
 *   bedrock_said.c   answers and events -> steps */
#ifndef WEIR_MODELS_BEDROCK_INTERNAL_H
#define WEIR_MODELS_BEDROCK_INTERNAL_H

#include "models/dialect.h"

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
