/* models/citation.h: a source that an answer names, as every dialect can say it. In no dialect (SAID_CITATION's
 * raw) it is a flat object: {"type","url","title","start_index","end_index","cited_text", ...}.
 * Places   start and end count characters of the choice's whole text. Places inside a document that the
 *          client sent have Anthropic's names (document_index, start_char_index, ...) and stand in `rest`.
 * Owner    the arena. */
#ifndef WEIR_MODELS_CITATION_H
#define WEIR_MODELS_CITATION_H

#include "base/arena.h"
#include "base/json.h"

struct citation {
    struct str url, title; /* url empty: a document; title is its name then */
    struct str file_id;    /* may be empty */
    struct str cited_text; /* of the source; may be empty */
    int64_t start, end;    /* -1: it is not said where in the answer */
    struct str rest;       /* raw object of all other members, or empty */
};

/* OpenAI's shapes, flat or with the members in "url_citation" / "file_citation". */
bool citation_read(struct arena *arena, struct str raw, struct citation *out, struct err *err)
    MUST_CHECK;
void citation_write(struct json_writer *w, const struct citation *c); /* flat */
void citation_write_chat(struct json_writer *w,
                         const struct citation *c); /* as the chat dialect nests it */
/* For SAID_CITATION: flat, in the arena. */
bool citation_raw(struct arena *arena, const struct citation *c, struct str *out, struct err *err)
    MUST_CHECK;

#define CITATION_END '\x1e' /* between several: JSON has no such byte */

/* A member of `rest` that is a number: "document_index"; false: it has none. */
bool citation_place(const struct json *rest, const char *name, int64_t *out);

struct said_writer; /* models/dialect.h */
/* For writers: members of `rest` that `kept` (a list ended by NULL) does not name have no place; each is named. */
void citation_lose(struct said_writer *w, const struct json *rest, const char *const *kept);

#endif
