/* knowledge/vectors.h: vectors of a base's passages, and what asks by them.
 * Made     after a document's words are in the index and can be found: in the background, in batches, each
 *          visible with its commit; so a provider that is away costs no document. What has no vectors yet is
 *          found by its words alone, and counted as missing (struct vectors_status).
 * Kept     in the index (index/vector.h), under the embedder's name and a hash of all that decides what its
 *          vectors look like: another embedder's vectors are dropped, and made anew.
 * Learned  a latent model (index/latent.h) is learned from documents that everyone of the base may read, for
 *          no number of what an asker may not see may reach a score. It goes with any of them, and is learned
 *          anew once the index has been still for a moment.
 * Threads  the state has a lock; everything that reads or writes the index runs on the pool. */
#ifndef WEIR_KNOWLEDGE_VECTORS_H
#define WEIR_KNOWLEDGE_VECTORS_H

#include "index/vector.h"
#include "knowledge/access.h"

#define VECTORS_ROUND  2048u /* passages that are embedded between two commits */
#define VECTORS_GROWTH 4     /* a model is learned anew when a fourth more passages are there */

/* The field that questions are compared in: there is one, and something stands in it. */
bool vectors_field(const struct knowledge *knowledge, const struct lexical_view *view,
                   struct vector_field *out);

/* A passage as it is embedded: title, headings, text. */
bool vectors_text(struct arena *arena, const struct lexical_hit *hit, struct str *out,
                  struct err *err) MUST_CHECK;

/* Passages for a question, best first: by words, and by vectors where there are some. terms: of its text. */
struct find_wish {
    struct knowledge *knowledge;
    const struct knowledge_question *question;
    const struct terms *terms;
    size_t limit;
};
bool find_passages(const struct access *access, struct arena *arena, const struct find_wish *wish,
                   struct lexical_hits *out, struct err *err) MUST_CHECK;

/* Who may read a document changes: a model learned from it may hold what only some may see. */
bool vectors_rights(struct lexical_writer *writer, struct str before, struct str after,
                    struct err *err) MUST_CHECK;

/* One turn of making vectors; blocks. *more: there is work left. For a provider's: what waits. */
bool vectors_make_now(struct knowledge *knowledge, bool *more, struct err *err) MUST_CHECK;
struct vectors_round {
    struct arena *arena;
    struct vectors_document {
        struct str key;
        uint64_t version;         /* ... and what it was: */
        uint64_t content;         /* document_content_sign() */
        uint32_t passages, first; /* of `texts` */
        bool failed;
    } * documents;
    size_t document_count;
    struct str *texts;
    size_t text_count;
    float *values; /* [text_count][dim]; whoever embeds them sets both */
    uint32_t dim;
};
bool vectors_collect_now(struct knowledge *knowledge, struct vectors_round *out, struct err *err)
    MUST_CHECK;
bool vectors_keep_now(struct knowledge *knowledge, const struct vectors_round *round,
                      struct err *err) MUST_CHECK;

/* The question with its vector, where a model makes them: asked for now, unless it has one. What goes wrong
 * costs the vector alone, and is said in the question's notes. */
SUSPENDS void vectors_question(struct knowledge *knowledge, struct arena *arena,
                               struct knowledge_question *question);
void search_note(struct search_notes *notes, const char *text); /* notes: NULL is fine */

/* embedder_options.ask by the gateway's way: keyed, held, recorded. */
SUSPENDS bool vectors_through_gateway(struct gateway *gateway, const struct config *config,
                                      struct embed_call *call, struct err *err) MUST_CHECK;

/* Part of struct knowledge. */
struct vectors_state;
struct vectors_state *vectors_new(struct knowledge *knowledge); /* NULL: no memory */
void vectors_free(struct vectors_state **state);

#endif
