/* models/anthropic.h: what the files of the Anthropic dialect share. Siblings only.
 *   anthropic.c          the table of fields, usage, errors
 *   anthropic_read.c     a client's request
 *   anthropic_write.c    a request for a provider
 *   anthropic_turns.c    its turns and tools
 *   anthropic_said.c     a provider's answer
 *   anthropic_answer.c   an answer for a client */
#ifndef WEIR_MODELS_ANTHROPIC_H
#define WEIR_MODELS_ANTHROPIC_H

#include "models/dialect.h"

/* conversation.own: fields whose whole meaning only this dialect knows, as they came. */
struct anthropic_asked {
    struct str thinking, output_config, output_format, tool_choice, metadata, service_tier;
};

extern const struct field anthropic_fields[];
extern const size_t anthropic_field_count;

/* ---- a client's request: fields of the table ---- */
bool anthropic_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                            struct err *err);
bool anthropic_read_model(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_messages(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_system(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_tools(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_tool_choice(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_thinking(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_output_config(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_output_format(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_stops(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_metadata(struct field_reader *r, json_ref v, struct err *err);
bool anthropic_read_service_tier(struct field_reader *r, json_ref v, struct err *err);

bool anthropic_write_request(struct arena *arena, const struct conversation *in,
                             const struct model *to, struct losses *losses, struct outgoing *out,
                             struct err *err);
bool anthropic_splice_request(struct arena *arena, const struct model_question *question,
                              const struct model *to, struct losses *losses,
                              struct splicing *splicing, struct outgoing *out, bool *fits,
                              struct err *err) MUST_CHECK;
/* Version and features, for the head of a request; how many fields they are. */
#define ANTHROPIC_FIELDS_MAX 2
size_t anthropic_head(const struct model *to, const struct conversation *in,
                      struct http_field out[ANTHROPIC_FIELDS_MAX]);
/* The members system, messages and tools. */
struct anthropic_writing {
    struct arena *arena;
    struct json_writer *w;
    const struct conversation *in;
    struct losses *losses;
    bool same;        /* the client speaks this dialect too: what only it knows is passed on */
    bool has_tools;   /* there are some left */
    bool forces_none; /* the model lets no tool be forced */
};
bool anthropic_write_turns(struct anthropic_writing *to, struct err *err) MUST_CHECK;
bool anthropic_write_tools(struct anthropic_writing *to, struct err *err) MUST_CHECK;

/* ---- answers ---- */
bool anthropic_reader_init(struct said_reader *r, struct err *err);
bool anthropic_read_said(struct said_reader *r, struct str type, struct str data, struct err *err);
bool anthropic_at_end(struct said_reader *r, struct err *err);
bool anthropic_writer_init(struct said_writer *w, struct err *err);
bool anthropic_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err);

/* On the wire input_tokens leaves out what was read from and written to a cache. What is not reported
 * stays as it is. */
void anthropic_read_usage(const struct json *j, json_ref usage, struct usage *out);
void anthropic_write_usage(struct json_writer *w, const struct usage *usage, struct str tier);
/* The chat dialect calls the standard tier default, this one standard. */
struct str anthropic_tier(struct arena *arena, struct str tier);
struct str anthropic_tier_read(struct str tier);
enum finish_reason anthropic_finish(struct str stop_reason);
const char *anthropic_stop_reason(enum finish_reason finish, bool by_stop_sequence);

#endif
