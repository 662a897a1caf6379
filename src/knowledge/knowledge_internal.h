/* knowledge/knowledge_internal.h: the object behind the door, and the steps that run on the pool. */
#ifndef WEIR_KNOWLEDGE_KNOWLEDGE_INTERNAL_H
#define WEIR_KNOWLEDGE_KNOWLEDGE_INTERNAL_H

#include <stdatomic.h>

#include "base/hash.h"
#include "index/lexical.h"
#include "knowledge/document.h"
#include "knowledge/knowledge.h"
#include "knowledge/readers.h"
#include "sys/mutex.h"

struct knowledge {
    struct arena *arena;
    struct lexical *_Atomic index; /* NULL: damaged; set once, by a repair */
    struct mutex repairing;
    struct err damage; /* why there is none */
    const char *dir;
    struct pool *pool, *ingest, *rows;
    struct runs *runs;
    struct ingest_batch batch;
    atomic_int writers_waiting; /* beside a run, which lets them in after its batch */
    struct readers *readers;
    struct mutex originals; /* originals.h: held around pending and by a sweep */
    struct sha256 pending;  /* the one that is being written, before its document is there */
    bool is_pending;
    bool shares_readers; /* they are another's, and end later */
    struct accesses *accesses;
    struct analysers *analysers, own_analysers;
    struct embedder_options embedder;
    struct reranker_options reranker;
    struct str base;
    struct vanish_options vanish;
    struct vectors_state *vectors;
    atomic_bool is_marked; /* CHANGED stands on the disk: stands.h */
    atomic_bool closing;   /* long work on the pool looks at it */
    /* The index is not the one any more of which vectors are being made, or the base closes: what is made is of no use,
     * and what it is made of is held, though somebody may have forgotten it. */
    atomic_bool is_stale;
    size_t file_bytes_max;
    uint32_t files_max;
    int index_threads;
};

/* NULL, with the reason, while the index is damaged. */
struct lexical *index_of(struct knowledge *knowledge, struct err *err);
/* The index's writer; others write for moments only, and are waited for. Blocks. */
bool begin_change(struct knowledge *knowledge, struct lexical_writer **out, struct err *err)
    MUST_CHECK;
bool repair_now(struct knowledge *knowledge, uint32_t *dropped, struct err *err) MUST_CHECK;

/* Copied; false: the record cannot be read, or memory is gone. */
bool document_info_copy(struct arena *arena, const struct lexical_document_info *from,
                        struct document_info *to) MUST_CHECK;

/* Blocking bodies of the calls with the same names; tests and tools call them without a loop. */
bool ingest_now(struct knowledge *knowledge, struct arena *arena, const struct ingest_wish *wish,
                struct ingest_report *out, struct err *err) MUST_CHECK;
bool list_now(struct knowledge *knowledge, struct arena *arena, const struct principal *who,
              struct document_info **out, size_t *count, struct err *err) MUST_CHECK;
bool label_now(struct knowledge *knowledge, const struct ingest_wish *wish, uint32_t *documents,
               struct err *err) MUST_CHECK;
bool search_now(struct knowledge *knowledge, struct arena *arena,
                const struct knowledge_question *question, size_t limit, struct passages_found *out,
                struct err *err) MUST_CHECK;
bool forget_now(struct knowledge *knowledge, struct str id_or_path, uint32_t *documents,
                struct err *err) MUST_CHECK;
bool answer_now(struct knowledge *knowledge, struct arena *arena,
                const struct knowledge_question *question, struct grounded *out, struct err *err)
    MUST_CHECK;

struct briefing;
bool brief_now(struct knowledge *knowledge, struct arena *arena,
               const struct knowledge_question *question, struct briefing *out, struct err *err)
    MUST_CHECK;
struct base_set; /* knowledge/bases.h */
SUSPENDS bool bases_brief(const struct base_set *set, struct arena *arena,
                          const struct knowledge_question *question, struct briefing *out,
                          struct err *err) MUST_CHECK;
SUSPENDS bool knowledge_brief(struct knowledge *knowledge, struct arena *arena,
                              const struct knowledge_question *question, struct briefing *out,
                              struct err *err) MUST_CHECK;

/* What answers carry beside their text: {"answered", "confidence", "citations", "warnings"}. */
struct account {
    struct str text; /* the answer with its marks "[1]" */
    bool answered;
    enum polarity verdict;
    float confidence;
    const struct citation *citations;
    size_t count;
    const uint32_t *numbers; /* of the citations in the text; NULL: 1, 2, 3 ... */
    const char *retrieval;   /* how the passages were looked for, or NULL */
    const struct answered_part *parts;
    size_t part_count;
    const char *through; /* name of the model that wrote the text, or NULL */
    const char *warnings[4 + SEARCH_NOTES_MAX];
    size_t warning_count;
    struct str question;         /* what was asked of the documents, when it was completed */
    struct str links;            /* in front of the addresses of citations */
    const struct review *review; /* of the sentences a model wrote, or NULL */
};
void warn_of_notes(struct account *account, const struct search_notes *notes);
void write_account(struct buf *to, const struct account *account); /* the "weir" object */
void write_annotations(struct buf *to,
                       const struct account *account); /* as OpenAI clients know them */

/* knowledge_model_ask() with a provider: through.c. */
/* knowledge_model_ask() with a provider: through.c. */
struct through {
    const struct base_set *bases;
    const struct model *model;
    enum unsupported unsupported;
    struct str completed; /* the question, where it was completed */
};
SUSPENDS bool ask_through(const struct through *through, struct request *req,
                          const struct knowledge_question *question, struct answer **out,
                          struct err *err) MUST_CHECK;
/* Says in the request of which documents its answer is made, beside what was said before: whatever is kept of
 * the answer can then be found when one of them is forgotten. */
bool request_stands_on(struct request *req, const struct citation *citations, size_t count,
                       struct err *err) MUST_CHECK;
#define FILTER_BYTES_MAX ((size_t)32 * KIB)
/* What a request asks of the documents; search: how many passages, 0: an answer. */
bool knowledge_question_of(struct request *req, struct knowledge_question *out, int64_t *search,
                           struct err *err) MUST_CHECK;
/* Which bases the request names, for who asks. */
SUSPENDS bool knowledge_bases_of(struct request *req, struct bases *bases, struct base_set *out,
                                 struct err *err) MUST_CHECK;
/* The embedded answer, streaming or whole: model.c. */
struct answer *answer_here(struct request *req, const struct grounded *grounded, struct err *err)
    MUST_CHECK;

/* A document's bytes into the writer. `shown` and the others are the record's. ERR_INVALID: the bytes
 * are no document of this type or hurt their reader. */
struct document_source {
    struct str bytes, shown, source, root;
    struct str readers, metadata;
    struct str title; /* of those that have none; empty: the last part of `shown` */
    struct str mark;  /* of its record */
    struct chunking chunking;
    wall_ms since; /* when it came; 0: now */
    uint64_t version;
    enum document_type type;
};
struct document_ingest {
    struct lexical_writer *writer;
    struct readers *readers; /* NULL: text only */
    uint64_t passages;       /* added so far */
    bool no_reader;          /* set when none was to be had: nothing is known about the file */
    void (*note)(void *ctx, struct str text); /* or NULL */
    void *ctx;
};
bool add_document(struct document_ingest *in, const struct document_source *source, struct err *err)
    MUST_CHECK;
#define DOCUMENT_ID_LEN 18 /* "d_" and 16 hex digits of the source's hash */
void document_id(struct str source, char id[DOCUMENT_ID_LEN + 1]);

#endif
