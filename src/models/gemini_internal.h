/* models/gemini_internal.h: the parts of dialect_gemini. Siblings only.
 *   gemini.c         the table of fields, errors, the dialect itself and its two sisters
 *   gemini_read.c    client's body -> conversation
 *   gemini_config.c  its generationConfig and tools
 *   gemini_schema.c  JSON schemas there and back
 *   gemini_places.c  places of sources: bytes here, characters elsewhere
 *   gemini_write.c   conversation -> provider's body
 *   gemini_said.c    provider's answer -> steps
 *   gemini_reply.c   steps -> client's answer */
#ifndef WEIR_MODELS_GEMINI_INTERNAL_H
#define WEIR_MODELS_GEMINI_INTERNAL_H

#include "models/dialect.h"
#include "models/gemini.h"

/* Rows of generationConfig first, then those of the body, then members that are handled without a row
 * of the same name. */
extern const struct field gemini_fields[];
extern const size_t gemini_config_count, gemini_body_count, gemini_field_count;
/* The rows of generationConfig, in both spellings. */
extern const struct field gemini_config_read[];
extern const size_t gemini_config_read_count;

bool gemini_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err) MUST_CHECK;
bool gemini_read_config(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_contents(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_system(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_tools(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_tool_config(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_allow_tools(struct field_reader *r, struct err *err)
    MUST_CHECK; /* when all of the body has been read */
bool gemini_read_stops(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_mime(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_schema(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_json_schema(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_thinking(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;
bool gemini_read_modalities(struct field_reader *r, json_ref value, struct err *err) MUST_CHECK;

bool gemini_write_request(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err) MUST_CHECK;
bool gemini_splice_request(struct arena *arena, const struct model_question *question,
                           const struct model *to, struct losses *losses, struct splicing *splicing,
                           struct outgoing *out, bool *fits, struct err *err) MUST_CHECK;
bool gemini_is_ours(const struct conversation *in); /* the client speaks it */

/* Of a request for embeddings: what stands beside each text. */
struct gemini_embed_asked {
    struct str *beside; /* raw objects of members, or empty: taskType, title */
    size_t count;
};

bool gemini_reader_init(struct said_reader *r, struct err *err) MUST_CHECK;
bool gemini_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
    MUST_CHECK;
bool gemini_at_end(struct said_reader *r, struct err *err) MUST_CHECK;

bool gemini_writer_init(struct said_writer *w, struct err *err) MUST_CHECK;
bool gemini_array_writer_init(struct said_writer *w, struct err *err) MUST_CHECK;
bool gemini_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err) MUST_CHECK;
void gemini_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err);
void gemini_write_error(struct buf *out, int status, const char *code, const struct err *err);

/* Of one text, of at most GEMINI_TEXT_MAX bytes, that grows at its end. -1: no memory. */
#define GEMINI_TEXT_MAX (4 * MIB)
struct gemini_places {
    uint32_t *marks; /* characters in front of each step of bytes */
    size_t count;
};
int64_t gemini_character_at(struct arena *arena, struct gemini_places *p, struct str text,
                            size_t byte) MUST_CHECK;
int64_t gemini_byte_at(struct arena *arena, struct gemini_places *p, struct str text,
                       int64_t character) MUST_CHECK;

/* The client's schema in Gemini's OpenAPI subset -> JSON schema. */
bool gemini_schema_read(struct arena *arena, const struct json *json, json_ref schema,
                        struct str *out, struct err *err) MUST_CHECK;
/* JSON schema -> what responseJsonSchema and parametersJsonSchema take; keywords that are not heeded are
 * losses "field.keyword". */
bool gemini_schema_write(struct arena *arena, struct str schema, struct str field,
                         struct losses *losses, struct str *out, struct err *err) MUST_CHECK;

#endif
