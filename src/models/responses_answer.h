/* models/responses_answer.h: an answer on its way to a client of Responses. Siblings only.
 *   responses_answer.c   what is said, item by item
 *   responses_events.c   items, the response object and the events that tell them */
#ifndef WEIR_MODELS_RESPONSES_ANSWER_H
#define WEIR_MODELS_RESPONSES_ANSWER_H

#include "models/responses.h"

enum item_kind {
    ITEM_TEXT,
    ITEM_REFUSAL,
    ITEM_REASONING,
    ITEM_CALL,
    ITEM_IMAGE,
    ITEM_SEARCH,
    ITEM_WEB,
    ITEM_CODE
};

struct responses_item {
    struct responses_item *next;
    enum item_kind kind;
    uint32_t part, index;
    bool done;
    struct str call_id, name, signature;
    bool is_redacted, failed;
    bool answered;          /* WEB, CODE: what came of it is known, and stands in `result` */
    struct str result;      /* WEB: raw, a list; CODE: text */
    struct buf text;        /* words, arguments, thoughts, base64, code */
    struct buf annotations; /* raw, with commas */
    uint32_t annotation_count;
    struct buf logprobs; /* raw, with commas */
    const struct responses_search *search;
    char id[48];
};

struct responses_telling {
    struct responses_item *first, **end;
    uint32_t count;
    uint64_t sequence;
    bool begun;
    bool refused;
    enum finish_reason finish;
    struct str tier; /* raw; may be empty */
    struct usage usage;
    struct str failure; /* why it failed */
};

/* What the client asked for; nothing in particular where it spoke another dialect. */
struct responses_asked *responses_asked_of(const struct said_writer *w);
void responses_text_member(struct json_writer *w, const char *key, struct str text);
void responses_write_output(struct json_writer *w, const struct responses_telling *own, bool sign);
const char *responses_status_of(const struct responses_telling *own, bool at_end);
void responses_write_head(struct json_writer *w, const struct said_writer *to, bool at_end);
void responses_write_object(struct json_writer *w, const struct said_writer *to, bool at_end);
void responses_event_begin(struct said_writer *to, struct buf *out, struct json_writer *w,
                           const char *type);
void responses_event_end(struct buf *out, struct json_writer *w);
void responses_event(struct said_writer *to, struct buf *out, const char *type, bool at_end);
void responses_item_event_begin(struct said_writer *to, struct buf *out, struct json_writer *w,
                                const struct responses_item *it, const char *type);
void responses_item_event(struct said_writer *to, struct buf *out, const struct responses_item *it,
                          bool done);
void responses_part_event(struct said_writer *to, struct buf *out, const struct responses_item *it,
                          bool done);
void responses_delta_event(struct said_writer *to, struct buf *out, const struct responses_item *it,
                           struct str text, struct str logprobs);
void responses_words_done_event(struct said_writer *to, struct buf *out,
                                const struct responses_item *it);

#endif
