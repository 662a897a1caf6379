/* index/segment.h: one immutable file of documents, passages and postings. Internal to index/.
 *
 *   header     "WEIRLEX1", version, counts, lengths, section table, CRC of all that
 *   RECORDS    keys and records of documents, records of passages, as they came; behind a passage's the number
 *              of bytes (a varint) of what follows: where the words of its ideographs begin
 *   POSTINGS   for each term: (passage delta, count) as varints; the first delta counts from 0. In front
 *              of more than SKIP_BLOCK of them a skip for each block: what its best score can be, and
 *              where it ends, so that a search need not read it
 *   TERM_TEXT  the terms' bytes, each led by its field ('w', 'p', or 'm': a mark)
 *   TERMS      fixed entries sorted by those bytes
 *   DOCUMENTS  fixed entries
 *   PASSAGES   fixed entries
 * Little endian; sections begin at multiples of 8 and carry a CRC-32C each. */
#ifndef WEIR_INDEX_SEGMENT_H
#define WEIR_INDEX_SEGMENT_H

#include <assert.h>

#include "base/arena.h"
#include "base/table.h"
#include "index/terms.h"

#define SEGMENT_PATH_MAX     512
#define SEGMENT_PASSAGES_MAX ((uint32_t)1 << 28)

#define SEGMENT_TERM_MAX (TERM_BYTES_MAX + 1) /* bytes of a term: its letter and the word */
#define SKIP_BLOCK       128u
#define SKIP_BYTES       12u
#define SKIP_ANY_TIMES   UINT16_MAX /* more than fit */

enum section { RECORDS, POSTINGS, TERM_TEXT, TERMS, DOCUMENTS, PASSAGES, SECTIONS };

struct document_entry {
    uint64_t at; /* in RECORDS: key, then record */
    uint32_t key_len, record_len;
    uint32_t passage_first, passage_count;
};
struct passage_entry {
    uint64_t at;
    uint32_t record_len, document;
    uint32_t lengths[TERM_FIELDS]; /* terms indexed, header included */
};
struct term_entry {
    uint64_t at; /* in POSTINGS */
    uint32_t text_at, postings_len;
    uint32_t text_len, passages; /* passages: document frequency */
};
static_assert(sizeof(struct document_entry) == 24, "part of the file format");
static_assert(sizeof(struct passage_entry) == 24, "part of the file format");
static_assert(sizeof(struct term_entry) == 24, "part of the file format");

struct segment {
    struct arena *arena; /* owns this struct */
    uint64_t number;     /* the file's name */
    uint32_t holders;    /* views that know it; under lexical->mutex */
    char *map;
    size_t bytes;
    uint32_t documents, passages, terms, version, crc;
    const uint64_t *heads; /* of every head_step-th term; segment_narrow() */
    uint32_t head_count, head_step;
    /* Documents in order of their keys, as merged segments have them anyway: keys stand among the records, so one
     * look at each costs the index's pages, all of them. */
    const struct key_head {
        uint64_t head; /* of the key: segment_head() */
        uint32_t document;
    } * keys;
    uint64_t lengths[TERM_FIELDS]; /* sums over the passages */
    struct str sections[SECTIONS];
};

/* Map and check. */
bool segment_open(const char *dir, uint64_t number, struct segment **out, struct err *err)
    MUST_CHECK;
void segment_unmap(struct segment **segment);
/* Its pages are no memory of this process any more, until somebody reads them. */
void segment_forget(const struct segment *segment);
void segment_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number);

struct document_entry segment_document(const struct segment *s, uint32_t i);
struct passage_entry segment_passage(const struct segment *s, uint32_t i);
/* It will be asked for: fetched into the processor's cache. */
static inline void segment_passage_soon(const struct segment *s, uint32_t i)
{
    __builtin_prefetch(s->sections[PASSAGES].ptr + (size_t)i * sizeof(struct passage_entry));
}
struct term_entry segment_term(const struct segment *s, uint32_t i);
struct str segment_term_text(const struct segment *s, const struct term_entry *term);
struct str segment_key(const struct segment *s, const struct document_entry *document);
struct str segment_key_at(const struct segment *s, uint32_t document);
bool segment_find_document(const struct segment *s, struct str key, uint32_t *out);
struct str segment_document_record(const struct segment *s, const struct document_entry *document);
struct str segment_passage_record(const struct segment *s, const struct passage_entry *passage);
/* word_cuts_of() its text; empty: it has no ideographs, or was written before these were kept. */
struct str segment_passage_cuts(const struct segment *s, const struct passage_entry *passage);
bool segment_find_term(const struct segment *s, struct str text, struct term_entry *out);
/* A text's first eight bytes as a number that is ordered as they are. */
uint64_t segment_head(struct str text);
/* The first term that is not before the text; s->terms: all are. */
uint32_t segment_first_from(const struct segment *s, struct str text);

/* for (struct postings p = segment_postings(s, &term); postings_next(&p);)  p.passage, p.times */
struct postings {
    const uint8_t *at, *end;
    uint32_t passage, times, limit;
    const uint8_t *skips; /* or NULL */
    uint32_t skip_count;
};
struct skip {
    uint32_t last;       /* passage of the block */
    uint32_t end;        /* of the block, counted from the first block's begin */
    uint16_t times_max;  /* SKIP_ANY_TIMES: unknown */
    uint16_t length_min; /* of a passage, in the term's field */
};
struct skip skip_at(const struct postings *p, uint32_t i);
struct postings segment_postings(const struct segment *s, const struct term_entry *term);
bool postings_next(struct postings *p); /* false at the end, or where the bytes make no sense */
size_t postings_put(uint8_t to[10], uint32_t delta, uint32_t times);

/* Writing: documents with their passages, then terms in order, then finish. Nothing has the final
 * name before finish; what is abandoned is removed. */
struct segment_writer;
bool segment_create(const char *dir, uint64_t number, struct segment_writer **out, struct err *err)
    MUST_CHECK;
bool segment_add_document(struct segment_writer *w, struct str key, struct str record,
                          struct err *err) MUST_CHECK;
bool segment_add_passage(struct segment_writer *w, struct str record, struct str cuts,
                         const uint32_t lengths[TERM_FIELDS], struct err *err)
    MUST_CHECK; /* belongs to the newest document */
struct posting {
    uint32_t passage, times;
};
bool segment_add_term(struct segment_writer *w, struct str text, const struct posting *postings,
                      uint32_t count, struct err *err) MUST_CHECK; /* passages rising */
uint32_t segment_writer_passages(const struct segment_writer *w);
/* Which segment, and what its header's checksum says of all that is in it. */
struct segment_id {
    uint64_t number;
    uint32_t passages, crc;
};
bool segment_seal(struct segment_writer **w, struct segment_id *id, struct err *err) MUST_CHECK;
void segment_abandon(struct segment_writer **w); /* CLEANUP-able */

/* Several segments into one, documents in order of their keys: what it holds decides its bytes, not how it
 * came about. Without the documents whose byte is set in drop[i]; with newer records where there are some.
 * *empty: nothing was left, no file was made. */
struct vectors;
struct vector_run;
struct vector_made;
#define SEGMENT_VECTORS_MAX 8 /* index/vector.h: VECTOR_FIELDS_MAX */
struct merge_input {
    struct segment *segment;
    const uint8_t *drop;         /* a byte a document, or NULL */
    const struct table *records; /* key -> struct str, or NULL */
    struct vectors *vectors[SEGMENT_VECTORS_MAX];
    uint32_t vector_count;
    bool fresh; /* written by this run: nothing that it sets is for these documents */
};
struct merge_document {
    struct str key;
    uint32_t input, document;
};
struct merge_plan {
    const char *dir;
    uint64_t number;
    const struct merge_input *inputs;
    size_t count;
    const struct vector_run *vectors; /* what the run sets, or drops */
    bool anew;                        /* bytes decided by what it holds alone, graphs too */
};
bool segment_merge(const struct merge_plan *plan, bool *empty, struct vector_made *vectors,
                   struct err *err) MUST_CHECK;

#endif
