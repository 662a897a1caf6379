/* models/openai_tell.h: an answer on its way to a client of chat. Siblings only.
 *   openai_tell.c    what both have, and a stream: chunks as steps come
 *   openai_whole.c   a whole answer: kept step by step, written at its end */
#ifndef WEIR_MODELS_OPENAI_TELL_H
#define WEIR_MODELS_OPENAI_TELL_H

#include "models/chat.h"
#include "models/citation.h"
#include "models/openai_internal.h"

#define OPENAI_TEXT_MAX \
    (64 * MIB) /* of one member of a whole answer; the request's arena is the limit */

struct openai_told_call {
    struct openai_told_call *next;
    uint32_t part, index;
    struct str id, name, signature;
    struct buf arguments;
};

/* What has been told of a choice: all of it for a whole answer, the calls' numbers for a stream. */
struct openai_told {
    struct openai_told *next;
    uint32_t number, call_count;
    struct buf text, reasoning, refusal, citations, documents, images, thoughts;
    struct openai_logprobs probs;
    size_t thought_from; /* in reasoning: where the block that is open begins */
    struct str audio;
    struct openai_told_call *calls, **calls_tail;
    bool finished;
    enum finish_reason finish;
    struct str stop; /* which of the stop sequences it was */
};

struct openai_telling {
    struct openai_told *choices;
    struct str head; /* of every chunk, up to the list of choices */
    struct str tier; /* that answered; may be empty */
    struct usage usage;
    bool has_usage;
};

/* ---- openai_tell.c ---- */
void openai_member_or_null(struct json_writer *w, const char *key, struct str text);
void openai_list_member(struct json_writer *w, const char *key, const struct buf *items);
void openai_list_add(struct buf *list, struct str raw);
void openai_write_top(struct json_writer *w, const struct said_writer *sw, const char *object);
struct openai_told *openai_told_of(const struct said_writer *sw, uint32_t number);
struct openai_told_call *openai_told_call(const struct openai_told *told, uint32_t part);
bool openai_told_call_add(const struct said_writer *sw, struct openai_told *told,
                          const struct said *said, struct openai_told_call **out, struct err *err);
void openai_write_signature(struct json_writer *w, struct str signature);
void openai_write_thought(struct json_writer *w, struct str text, const struct said *said);
void openai_write_image(struct json_writer *w, const struct said *said);
bool openai_is_image(const struct said *said);
void openai_write_audio(struct json_writer *w, const struct said *said);
bool openai_keep_finish(const struct said_writer *sw, const struct said *said, struct err *err);

/* ---- openai_whole.c ---- */
bool openai_write_whole(const struct said_writer *sw, struct buf *out, struct err *err) MUST_CHECK;
bool openai_keep_step(struct said_writer *sw, const struct said *said, struct err *err) MUST_CHECK;

#endif
