/* index/lexical.h: an inverted index over passages with BM25 ranking, on immutable mapped segments.
 * A document is a key, an opaque record and passages; a passage is text to be found by (header and
 * body) and an opaque record to be given back. What the records mean is the caller's business.
 * Scores   BM25, k1 1.2, b 0.75 (Robertson & Zaragoza 2009), idf over all segments; words count 1,
 *          pairs of ideographs 0.4, each with its own length (index/terms.h has the two fields).
 * Writing  one writer at a time. Nothing is visible or kept until lexical_commit(); a commit is one
 *          rename, so a crash leaves the index before or after it, never between.
 * Delete   exact: a commit that removes documents writes the segments they stood in anew without them
 *          and unlinks the old ones; no byte of them is left in any file of the directory.
 * Search   document at a time with block maxima: blocks that cannot reach the best so far are not read.
 * Reading  searches are pure functions over a borrowed view; any number of threads. A view keeps what
 *          it saw until it is released, even after a commit.
 * Damage   every section is checked by CRC when a segment is opened: ERR_UNAVAILABLE with the file's
 *          name. Files a crash left behind are removed at open.
 * Blocks   these calls do file work: inside pool_run() only, except borrow, release and the getters. */
#ifndef WEIR_INDEX_LEXICAL_H
#define WEIR_INDEX_LEXICAL_H

#include "base/arena.h"
#include "index/terms.h"

struct lexical;
struct lexical_view;
struct lexical_writer;

/* The directory is made if need be and locked: a second process is refused. */
bool lexical_open(const char *dir, struct lexical **out, struct err *err) MUST_CHECK;
void lexical_close(struct lexical **lexical); /* no view may be out */
/* For a directory that cannot be opened because of damage: removes the segments that are damaged or
 * gone, and keeps those that are whole. Where the manifest is damaged or gone all go: nobody can say any
 * more which of them hold what was deleted; and where records that were set anew are: nobody can say whose are of before,
 * and they hold who may read. Files that could not be read for another reason (rights, a
 * failing disk) are an error, and nothing is removed. A segment whose vectors are damaged keeps its words
 * and loses that field. *dropped: how many segments and fields of segments are gone. */
bool lexical_repair(const char *dir, uint32_t *dropped, struct err *err) MUST_CHECK;

struct vector_field; /* index/vector.h */
struct lexical_vector {
    const struct vector_field *field;
    const float *values; /* [field->dim] */
};
struct lexical_passage {
    struct str header; /* title and heading path: found by, like the text */
    struct str text;
    struct str record;
    const struct str *marks; /* index/marks.h; each 1 to TERM_BYTES_MAX bytes, no two alike */
    size_t mark_count;
    const struct lexical_vector *vectors; /* at most one a field */
    size_t vector_count;
};
struct lexical_document {
    struct str key; /* adding a key again replaces the document */
    struct str record;
    const struct lexical_passage *passages;
    size_t passage_count;
};
bool lexical_begin(struct lexical *lexical, struct lexical_writer **out, struct err *err)
    MUST_CHECK; /* ERR_UNAVAILABLE while another writer is open */
/* From now on passages are analysed by that many threads, the caller's own included, and documents may be
 * written some calls after they were added: an error can be of an earlier one. The bytes of the index are the
 * same for any number. Before the first document. */
bool lexical_share(struct lexical_writer *writer, int threads, struct err *err) MUST_CHECK;
/* Refused with ERR_INVALID or ERR_TOO_LARGE a document leaves nothing, and the run goes on; where it failed with something
 * written of it already, the commit fails, too. */
bool lexical_add(struct lexical_writer *writer, const struct lexical_document *document,
                 struct err *err) MUST_CHECK;
bool lexical_remove(struct lexical_writer *writer, struct str key, struct err *err) MUST_CHECK;
/* Another record for a document that stays as it is otherwise: without writing its segment anew.
 * ERR_NOT_FOUND: no such document, or added in this run. */
bool lexical_set_record(struct lexical_writer *writer, struct str key, struct str record,
                        struct err *err) MUST_CHECK;
/* The commit writes one segment, whose bytes depend only on what the index holds. */
void lexical_compact(struct lexical_writer *writer);
bool lexical_commit(struct lexical_writer **writer, struct err *err)
    MUST_CHECK; /* ends the writer, also when it fails: then searches see what they saw before */
void lexical_abandon(struct lexical_writer **writer); /* CLEANUP-able */

/* What stood in the index when it was borrowed. Strings of the getters are views of mapped memory:
 * good until the release. */
struct lexical_view *lexical_borrow(struct lexical *lexical);
void lexical_release(struct lexical_view **view); /* CLEANUP-able */

/* Another number for every state of the index in this process. */
/* Pages that were looked at are no memory of this process any more, until somebody looks again: for who goes through all
 * documents, and would leave the index in memory. */
void lexical_rest(const struct lexical_view *view);
uint64_t lexical_view_number(const struct lexical_view *view);

struct lexical_stats {
    uint64_t documents, passages, bytes;
    uint32_t segments;
};
struct lexical_stats lexical_stats(const struct lexical_view *view);

/* Of one of the segments; documents and passages are numbered segment by segment. */
uint32_t lexical_segment_passages(const struct lexical_view *view, uint32_t segment);

struct lexical_document_info {
    struct str key, record;
    uint32_t passages;
    uint64_t first; /* passage of the view: lexical_hit_at() */
};
/* i below lexical_stats().documents; in the order they were written. */
struct lexical_document_info lexical_document_at(const struct lexical_view *view, uint64_t i);
bool lexical_find(const struct lexical_view *view, struct str key,
                  struct lexical_document_info *out);

/* Which documents a search may see. What is not allowed is as if it were not there: it is not found, and
 * no number that a score is made of counts it. */
struct lexical_filter;
typedef bool lexical_allows(void *context, uint64_t i,
                            const struct lexical_document_info *document);
bool lexical_filter_make(const struct lexical_view *view, struct arena *arena,
                         lexical_allows *allows, void *context, struct lexical_filter **out,
                         struct err *err) MUST_CHECK;
uint64_t lexical_filter_passages(const struct lexical_filter *filter);
bool lexical_filter_allows(const struct lexical_filter *filter, uint64_t passage);

struct lexical_hit {
    struct str key, document_record, record;
    struct str cuts;  /* word_cuts_of() the passage's text, or empty */
    uint64_t passage; /* its number in this view */
    float score;
};
struct lexical_hits {
    struct lexical_hit *at; /* best first; equal scores in order of keys and passages */
    size_t count;
};
/* The best passages for a question's terms (analyser_terms); stop words and repeats do not count. */
struct lexical_query {
    const struct terms *terms;
    const struct lexical_filter *filter; /* of this view; NULL: everything */
    size_t limit;                        /* 1 to LEXICAL_LIMIT_MAX */
    const float *weights; /* [terms->count], above 0: how much each counts; NULL: 1 */
};
#define LEXICAL_LIMIT_MAX 1000
bool lexical_search(const struct lexical_view *view, struct arena *arena,
                    const struct lexical_query *query, struct lexical_hits *out, struct err *err)
    MUST_CHECK;
/* The hit for a passage that was found otherwise. */
struct lexical_hit lexical_hit_at(const struct lexical_view *view, uint64_t passage);
/* ln(1 + (N - df + 0.5) / (df + 0.5)); the largest value for terms nobody uses. */
float lexical_idf(const struct lexical_view *view, const struct lexical_filter *filter,
                  const struct term *term);
/* How many passages that may be seen have a term; it is not counted farther than `most`. */
uint64_t lexical_passages_of(const struct lexical_view *view, const struct lexical_filter *filter,
                             const struct term *term, uint64_t most);

#endif
