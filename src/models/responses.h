/* models/responses.h: what the files of the Responses dialect share, and what the gateway keeps of it.
 *   responses.c          the table of fields, usage, errors
 *   responses_read.c     a client's request; responses_items.c: its input, read and as it is kept
 *   responses_write.c    a request for a provider
 *   responses_said.c     a provider's answer
 *   responses_answer.c   an answer for a client; responses_events.c: what it is written of
 *   responses_store.c    answers that are kept: previous_response_id */
#ifndef WEIR_MODELS_RESPONSES_H
#define WEIR_MODELS_RESPONSES_H

#include "models/dialect.h"
#include "models/store_filter.h"

/* The tool file_search over the house's own knowledge bases: wished by the client, filled by who answers before
 * the answer begins. The text marks passage i as "[i + 1]". */
struct responses_search {
    struct str ids;    /* raw array of names or ids */
    struct str filter; /* as knowledge bases have it; may be empty */
    int64_t most;      /* passages; 0: not said */
    struct store_ranking ranking;
    bool shows; /* the results are part of the answer */
    bool done;
    struct str query;
    struct responses_hit {
        struct str file, name, text, attributes; /* attributes: raw, or empty */
        float score;
    } * hits;
    size_t hit_count;
};

/* conversation.own: what an answer repeats of its request, as it came, and what is to be kept. */
struct responses_asked {
    struct str instructions, tools, tool_choice, text, reasoning, metadata, truncation; /* raw */
    struct str include;                                                                 /* raw */
    struct str input;                /* raw: a string or an array of items */
    struct str previous_response_id; /* "resp_..." */
    bool store;                      /* true where the client says nothing */
    uint32_t references;             /* items of input that only name what is kept */
    size_t input_bytes;              /* of prompt_bytes */
    struct responses_search *search; /* NULL: none, or a provider's */
    bool include_sources, include_outputs,
        include_results;    /* file_search_call.results were asked for */
    bool include_encrypted; /* reasoning.encrypted_content was asked for */
    /* Left by the writer at the end of a good answer, for whoever keeps it: */
    struct str response; /* the object, as the client has it */
    struct str output;   /* raw array of its items, reasoning with its signature */
};

extern const struct field responses_fields[];
extern const size_t responses_field_count;

/* ---- a client's request: fields of the table ---- */
bool responses_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                            struct err *err);
bool responses_read_model(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_input(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_instructions(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_tools(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_tool_choice(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_text(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_reasoning(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_include(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_metadata(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_truncation(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_store(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_previous(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_background(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_unkept(struct field_reader *r, json_ref v, struct err *err);
bool responses_read_stream_options(struct field_reader *r, json_ref v, struct err *err);

bool responses_write_request(struct arena *arena, const struct conversation *in,
                             const struct model *to, struct losses *losses, struct outgoing *out,
                             struct err *err);

bool responses_splice_request(struct arena *arena, const struct model_question *question,
                              const struct model *to, struct losses *losses,
                              struct splicing *splicing, struct outgoing *out, bool *fits,
                              struct err *err) MUST_CHECK;

/* ---- file_search (responses_search.c) ---- */
/* A tool of the list: *ours when it is a search of the house's own; then the question has one. */
bool responses_read_search(struct field_reader *r, json_ref v, bool *ours, struct err *err)
    MUST_CHECK;
/* {"weir": {...}} as the client would have written it for the same documents, with what it wrote besides. */
bool responses_search_wish(struct arena *arena, const struct responses_search *search,
                           const struct json *j, json_ref weir, struct json **out, struct err *err)
    MUST_CHECK;
void responses_write_search(struct json_writer *w, const struct responses_search *search,
                            bool whole);
/* The annotation of passage i in the text; STR_NONE: the text does not mark it. */
bool responses_search_cited(const struct responses_search *search, size_t i, struct str text,
                            struct arena *arena, struct str *out, struct err *err) MUST_CHECK;

/* ---- answers ---- */
bool responses_reader_init(struct said_reader *r, struct err *err);
bool responses_read_said(struct said_reader *r, struct str type, struct str data, struct err *err);
bool responses_at_end(struct said_reader *r, struct err *err);
bool responses_writer_init(struct said_writer *w, struct err *err);
bool responses_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err);
void responses_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err);
void responses_read_usage(const struct json *j, json_ref usage, struct usage *out);
void responses_write_usage(struct json_writer *w, const struct usage *usage);

/* Other items in place of the input's: what was kept before them, what they only name. The text must
 * live as long as the conversation. */
bool responses_replace_input(struct arena *arena, struct conversation *c, struct str items,
                             struct err *err) MUST_CHECK;
/* The input's own items with an id each, as they are kept; `id`: of the answer, without its mark. */
bool responses_own_items(struct arena *arena, const struct responses_asked *asked, struct str id,
                         struct str *out, struct err *err) MUST_CHECK;

/* Reasoning that is opaque altogether goes where its signature goes, under this mark. */
#define RESPONSES_REDACTED "weir-redacted:"

#endif
