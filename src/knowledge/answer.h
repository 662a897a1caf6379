/* knowledge/answer.h: from a question to chosen sentences with citations, and their words. Internal to
 * knowledge/ and its tests. */
#ifndef WEIR_KNOWLEDGE_ANSWER_H
#define WEIR_KNOWLEDGE_ANSWER_H

#include "base/hash.h"
#include "knowledge/choose.h"
#include "knowledge/knowledge.h"
#include "knowledge/missing.h"
#include "knowledge/pick.h"
#include "knowledge/span.h"
#include "knowledge/support.h"
#include "knowledge/verdict.h"
#include "knowledge/way.h"

#define PASSAGES_ASKED 8 /* found by the index and read by sentence */
#define CITATIONS_MAX  3
#define CITED_MAX      PICKED_MAX /* of them, or of rows that were picked */
#define QUESTION_MAX   4000       /* bytes that are looked at; of a longer one its notes say so */

static_assert(CITATIONS_MAX <= CITED_MAX, "the citations of any answer have room");

/* What the index keeps of a document beside its passages. */
struct document_record {
    struct str path;   /* as shown: "handbook/claims.md" */
    struct str source; /* absolute */
    struct str root;   /* absolute, the folder it was ingested with; empty for a single file */
    struct str title, language;
    struct sha256 hash; /* of the file */
    uint64_t bytes;
    wall_ms ingested;
    struct str readers, metadata; /* knowledge/rights.h, metadata.h */
    uint64_t version;
    struct str
        mark; /* of its source: as long as it is the same, so is the document; empty: unknown */
    struct chunking chunking;
};
void document_record_write(struct buf *to, const struct document_record *record);
bool document_record_read(struct str bytes, struct document_record *out) MUST_CHECK;
uint64_t document_content_sign(const struct document_record *record); /* of its bytes */
/* wanted: an id, a path as shown, a file, the folder or source it came with, or a folder it lay in, below that or above. */
enum document_match document_is_meant(struct str wanted, struct str id,
                                      const struct document_record *record);

/* Search, read, rank. The access must be held while anything of `out` is used. */
struct inquiry {
    struct question question;
    struct str read_as; /* readings_tell() */
    enum way way;
    const char *retrieval; /* as replies call it */
    struct citation *ways; /* [found_count], their steps alone; or NULL */
    struct found *found;   /* best first */
    size_t found_count;
    struct candidate *ranked;
    size_t ranked_count;
    struct span_choice spans;
    enum polarity verdict;  /* of the best sentence, for what wants a yes or no */
    struct missing missing; /* of what is not answered */
    struct pick pick;       /* by rule: goes before the best sentence */
    float signs[SIGNS];
    float confidence, answerable;
};
bool inquire(const struct access *access, struct arena *arena, struct str question,
             struct inquiry *out, struct err *err) MUST_CHECK;
void note_long_question(const struct knowledge_question *question);
/* The same, with what the base can find beside words. */
bool inquire_of(struct knowledge *knowledge, const struct access *access, struct arena *arena,
                const struct knowledge_question *question, struct inquiry *out, struct err *err)
    MUST_CHECK;
/* What a question asks the value of, or kin of it that people would take for it, stands in none of the passage that would
 * answer: it answers something else. */
bool inquiry_lacks_thing(const struct inquiry *inquiry);
/* The office of "who is the ..." has a word that the passage does not. */
bool inquiry_lacks_office(const struct inquiry *inquiry);
/* A row of a table would answer that is of another than the question names: 深圳分公司的负责人 by Beijing's. Chinese; elsewhere
 * the signs see it. */
bool inquiry_has_other_row(const struct inquiry *inquiry);
/* The passages that `hits` found, read and ranked; question and span weights (NULL: those that ship) are
 * given. What inquire() does, for measuring. */
bool inquire_in(const struct span_request *with, const struct lexical_hits *hits,
                struct inquiry *out, struct err *err) MUST_CHECK;
/* What a search found, as a citation: retrieve.c. */
bool cite_hit(struct arena *arena, const struct lexical_hit *hit, struct citation *out,
              struct err *err) MUST_CHECK;
/* What a question asks, and how it is to be looked for; one part where it asks one thing. */
bool parts_of(const struct access *access, struct arena *arena, struct str question, enum way *way,
              struct question_parts *out, struct err *err) MUST_CHECK;
/* Each part of a question for itself, as one answer. out->answered: any part is; nothing is said else. */
struct parts_request {
    struct knowledge *knowledge;
    const struct access *access;
    const struct knowledge_question *question;
};
bool ground_parts(const struct parts_request *request, struct arena *arena,
                  const struct question_parts *parts, struct grounded *out, struct err *err)
    MUST_CHECK;
/* What the documents are about: at most OVERVIEW_SENTENCES of their sentences, by the names they share.
 * !out->answered: no name stands in two passages. */
#define OVERVIEW_SENTENCES 8
bool ground_overview(const struct access *access, struct arena *arena, struct str question,
                     struct grounded *out, struct err *err) MUST_CHECK;
/* What a way is called: "hybrid" where vectors stand beside the words. */
struct find_wish; /* knowledge/vectors.h */
const char *way_of(const struct find_wish *wish, const struct access *access, enum way way);
/* The same by their numbers in the passage; and as an answer says them: items and rows a line each, without what ends
 * them in their list. */
bool cite_sentences(struct arena *arena, const struct found *found, size_t first, size_t last,
                    struct citation *out, struct err *err) MUST_CHECK;
bool cite_said(struct arena *arena, const struct found *found, size_t first, size_t last,
               struct citation *c, struct err *err) MUST_CHECK;
/* Sentences first to last of one passage, copied out of the view. */
bool cite_between(struct arena *arena, const struct found *found, struct sentence first,
                  struct sentence last, struct citation *out, struct err *err) MUST_CHECK;
/* Where byte `at` of a block stands in the quote of one that begins with sentence `first`. */
size_t cite_place(const struct found *found, struct sentence first, uint32_t block, uint32_t at);
/* The way to a citation's passage, copied out of the view. */
bool cite_way(const struct access *access, struct arena *arena, const struct way_path *path,
              struct citation *out, struct err *err) MUST_CHECK;
/* found_read() with the titles of their documents. */
bool found_whole(struct arena *arena, const struct lexical_hits *hits, struct found **out,
                 struct err *err) MUST_CHECK;
/* A passage whole, as a citation of its text. */
bool cite_passage(struct arena *arena, const struct found *found, struct citation *out,
                  struct err *err) MUST_CHECK;
/* Sentences, citations, text; everything copied into the arena. */
bool ground(const struct access *access, struct arena *arena, const struct inquiry *inquiry,
            struct grounded *out, struct err *err) MUST_CHECK;

/* By which steps of the graph the passage was found, when it was. */
void inquiry_tell_way(const struct inquiry *inquiry, const struct found *found,
                      struct citation *citation);

/* Whole passages for a model to write from, numbered from 1; each citation is one of them. Empty when
 * nothing was found. */
struct briefing {
    struct str text; /* "[1] path (Title > Heading)", the passage, a blank line ... */
    struct str language;
    struct citation *citations;
    size_t count;
    float confidence; /* of the embedded answer to the same question */
    /* The same passages by sentence, for who checks what is written from them. */
    struct evidence_source *sources;
    struct evidence *evidence; /* bases_brief() reads it from them */
};
bool brief(struct arena *arena, const struct inquiry *inquiry, struct briefing *out,
           struct err *err) MUST_CHECK;
const char *refusal_in(struct str language); /* the sentence that says no */

/* What answers say: answer_text.c. A block of a citation; `alone`: the only one of it. */
void answer_write_block(struct buf *b, enum block_kind kind, struct str text, bool alone);
/* "... [1] ... [2]", the first of them with this number. */
void answer_write_citations(struct buf *b, const struct citation *list, size_t count,
                            size_t number);
void answer_write(struct buf *b, const struct grounded *g, bool zh);
void answer_write_count(struct buf *b, const struct pick *pick, bool zh); /* "5, counted in ..." */
void refusal_write(struct buf *b, const struct grounded *g, const struct missing *missing, bool zh);
void refusal_write_empty(struct buf *b, bool zh); /* there is nothing to answer from */
/* "[1] path, line 12 (Title > Heading)" */
void citation_write_source(struct buf *b, const struct citation *c, size_t number, bool zh);

#endif
