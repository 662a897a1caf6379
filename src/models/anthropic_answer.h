/* models/anthropic_answer.h: an answer on its way to a client of Anthropic. Siblings only.
 *   anthropic_answer.c   what is said, and the message around it
 *   anthropic_blocks.c   blocks: their events, when they open and close
 *   anthropic_sources.c  tools of the provider's own, and what a text stands on */
#ifndef WEIR_MODELS_ANTHROPIC_ANSWER_H
#define WEIR_MODELS_ANTHROPIC_ANSWER_H

#include "models/anthropic.h"

/* BLOCK_SERVER, BLOCK_ANSWERED: a tool of the provider's own, and what came of it. */
enum anthropic_block_kind {
    BLOCK_TEXT,
    BLOCK_THINKING,
    BLOCK_REDACTED,
    BLOCK_TOOL,
    BLOCK_MEDIA,
    BLOCK_SERVER,
    BLOCK_ANSWERED
};
enum anthropic_block_state { BLOCK_WAITING, BLOCK_OPEN, BLOCK_CLOSED };

struct anthropic_block {
    struct anthropic_block *next;
    enum anthropic_block_kind kind;
    enum anthropic_block_state state;
    uint32_t part;
    struct str id, name;  /* BLOCK_TOOL, BLOCK_SERVER; name: BLOCK_MEDIA's type, BLOCK_ANSWERED's */
    struct buf kept;      /* text or arguments that have not been written */
    struct str signature; /* BLOCK_THINKING, when it has come */
    struct buf citations; /* raw, a line each: not written yet */
    int64_t from, characters; /* BLOCK_TEXT: where in the whole text it begins, how long it is */
    bool ended;               /* nothing more can come */
    /* Where the arguments stand: whole when an object was opened and is closed again. */
    uint32_t depth;
    bool in_string, escaped, whole, any;
};

struct anthropic_telling {
    struct anthropic_block *first, **end;
    struct anthropic_block *open;
    uint32_t blocks; /* in all */
    uint32_t index;  /* of the next to open */
    bool begun;
    enum finish_reason finish;
    struct str stop_sequence;
    bool refused;
    int64_t characters; /* of text, in all */
    struct str tier;    /* in this wire's words; may be empty */
    struct usage usage;
};

/* ---- anthropic_blocks.c ---- */
void anthropic_event_end(struct buf *out, struct json_writer *w);
/* As a start announces it and a whole message holds it. `input`: raw, of a tool call. The object stays open: what stands
 * on it may follow. */
void anthropic_block_write(struct json_writer *w, const struct anthropic_block *b, struct str text,
                           struct str input);
void anthropic_citations_write(struct buf *out, uint32_t index, struct anthropic_block *b);
/* Open what may be opened, in order, each as soon as the one before may close; `all`: nothing more comes. */
void anthropic_blocks_advance(struct anthropic_telling *own, struct buf *out, bool all);
struct anthropic_block *anthropic_block_find(const struct anthropic_telling *own, uint32_t part,
                                             enum anthropic_block_kind kind);
struct anthropic_block *anthropic_block_add(struct said_writer *w, enum anthropic_block_kind kind,
                                            uint32_t part, struct err *err);
/* false: they go on behind their end. */
bool anthropic_arguments_follow(struct anthropic_block *b, struct str text) MUST_CHECK;
bool anthropic_block_put(struct said_writer *w, struct anthropic_block *b, struct str text,
                         struct buf *out, struct err *err) MUST_CHECK;

/* ---- anthropic_sources.c ---- */
bool anthropic_say_server(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err) MUST_CHECK;
bool anthropic_say_answered(struct said_writer *w, const struct said *said, struct buf *out,
                            struct err *err) MUST_CHECK;
bool anthropic_say_citation(struct said_writer *w, const struct said *said, struct buf *out,
                            struct err *err) MUST_CHECK;

#endif
