/* knowledge/knowledge.h: answers from a company's own documents.
 * Documents are ingested from files and folders (docs/documents.md), cut into passages along their
 * structure, indexed, and answered from with citations: document, line, byte span, quoted sentence.
 * What the documents do not answer is said plainly.
 * Every passage keeps exact byte offsets into the file as it was ingested.
 * Truth    one: documents, passages and postings live in the index's segment files and change together
 *          by one rename; no database row can disagree with them, and a crash leaves the old state.
 * Exact delete: knowledge_forget() removes document, passages and index entries; a search that starts
 * afterwards cannot see them, and no file below `dir` holds a byte of their text. */
#ifndef WEIR_KNOWLEDGE_KNOWLEDGE_H
#define WEIR_KNOWLEDGE_KNOWLEDGE_H

#include "gateway/gateway.h"
#include "knowledge/chunks.h"
#include "knowledge/readers.h"
#include "knowledge/review.h"
#include "sys/pool.h"

struct analysers; /* index/terms.h */
struct table;     /* base/table.h */
struct knowledge;

/* What makes vectors of passages and questions: docs/documents.md#vectors */
enum embedder_kind {
    EMBEDDER_NONE,   /* nothing: passages are found by their words */
    EMBEDDER_HASHED, /* index/embed.h */
    EMBEDDER_LATENT, /* index/latent.h */
    EMBEDDER_MODEL,  /* a configured model, asked through `ask` */
};
struct embed_call {
    struct arena *arena;
    const struct principal *who; /* pays; NULL: the house */
    uint64_t request_id;         /* that it is recorded beside; 0: none */
    struct str model;
    const struct str *texts;
    size_t count;
    float *values; /* out: [count][dim] */
    uint32_t dim;  /* out */
};
struct embedder_options {
    enum embedder_kind kind;
    struct str model;      /* EMBEDDER_MODEL: its name */
    uint32_t batch;        /* texts of a call; default 32 */
    uint32_t weight;       /* of vectors beside words, in percent; 0: as learned */
    uint32_t graph_from;   /* vectors of a segment; 0: index/vector.h says */
    dur_ns question_limit; /* how long a question waits for its vector; default 2 s */
    SUSPENDS bool (*ask)(void *ctx, struct embed_call *call, struct err *err);
    void *ctx;
};

/* What puts passages into order after they are found: knowledge/rerank.h */
#define RERANK_PASSAGES_MAX 100u
#define RERANK_QUESTION_MAX 4000 /* bytes of it that are looked at */
struct rank_call {
    struct arena *arena;
    const struct principal *who; /* pays */
    uint64_t request_id;
    struct str model, question;
    const struct str *texts;
    size_t count;    /* at most RERANK_PASSAGES_MAX */
    uint32_t *order; /* out: [count] */
};
struct reranker_options {
    struct str model;
    uint32_t passages; /* shown to it */
    dur_ns limit;
    SUSPENDS bool (*ask)(void *ctx, struct rank_call *call, struct err *err); /* NULL: none */
    void *ctx;
};

/* How a name that was given means a document. */
enum document_match { MATCH_NONE, MATCH_DOCUMENT, MATCH_SOURCE, MATCH_FOLDER };

/* A document as a run knew it whose source no longer has it, or whose bytes cannot be read any more. */
struct vanished {
    struct str id;
    uint64_t version;
};
/* Who removes what was made from such documents; NULL: nobody. knowledge/vanish.h */
struct vanish_order;
struct vanish_options {
    /* Before they are removed: what is to go is written down. Blocks. */
    bool (*begin)(void *ctx, struct knowledge *knowledge, struct str base, struct vanished *list,
                  size_t count, struct vanish_order **out, struct err *err);
    /* Afterwards; not removed: nothing is to go. The order ends in any case. */
    SUSPENDS bool (*end)(void *ctx, struct vanish_order *order, bool removed, struct err *err);
    /* Documents of the base that were forgotten by an order: id -> struct str, when. Blocks. NULL: nobody knows. */
    bool (*forgotten)(void *ctx, struct arena *arena, struct str base, struct table *out,
                      struct err *err);
    /* A document has other bytes now, knowledge/stands.h; NULL: nobody keeps answers. Any thread. */
    void (*changed)(void *ctx);
    void *ctx;
};

struct knowledge_options {
    const char *dir;       /* data directory's knowledge/ */
    struct str base;       /* its id among others; may be empty */
    struct pool *pool;     /* searching and answering happen here */
    struct pool *ingest;   /* runs do, one after another; NULL: `pool` */
    struct pool *rows;     /* of runs, what waits for databases; NULL: `ingest` */
    size_t file_bytes_max; /* default 16 MiB a file */
    uint32_t files_max;    /* a run; default 100,000 */
    struct ingest_batch {  /* what a run commits at once: one that is killed goes on behind it */
        uint32_t files;    /* default 1,000 */
        size_t bytes;      /* default 32 MiB */
        dur_ns time;       /* default 5 s */
    } batch;
    int index_threads; /* of a run, to analyse texts; default 1 */
    struct embedder_options embedder;
    struct reranker_options reranker;
    struct vanish_options vanish;
    struct readers_options readers;
    struct readers *share;       /* those of another base, which outlive this one; NULL: its own */
    struct analysers *analysers; /* likewise */
};
/* Blocks: at start only. A directory that another process works in is refused. */
bool knowledge_open(const struct knowledge_options *options, struct knowledge **out,
                    struct err *err) MUST_CHECK;
/* The same without its index, which could not be opened: every call is refused with what was wrong, until
 * knowledge_repair(). */
bool knowledge_open_damaged(const struct knowledge_options *options, const struct err *why,
                            struct knowledge **out, struct err *err) MUST_CHECK;
/* What is wrong with the index; NULL: nothing. */
const char *knowledge_damage(struct knowledge *knowledge);
/* Removes the damaged parts of the index and opens what is whole: lexical_repair(). What stood in them is
 * to be ingested again. A sound index stays as it is. */
SUSPENDS bool knowledge_repair(struct knowledge *knowledge, uint32_t *dropped, struct err *err)
    MUST_CHECK;
void knowledge_close(struct knowledge **knowledge);
uint64_t knowledge_documents(struct knowledge *knowledge); /* how many; 0 while it is damaged */
/* false: PDF and office files are refused, or read without a sandbox; `why` says which and why. */
bool knowledge_has_sandbox(const struct knowledge *knowledge, struct err *why) MUST_CHECK;

struct ingest_report {
    uint32_t added, changed, unchanged, removed, failed, skipped; /* files */
    uint32_t held; /* gone from their source, and kept: there were too many at once */
    bool stopped;  /* somebody ended it: what it had done stays, nothing was removed */
    uint64_t passages, bytes;
    struct ingest_problem {
        struct str path, reason;
    } * problems; /* every failed or skipped file with its reason */
    size_t problem_count;
    struct ingest_problem *notes; /* of files that were read: what was left out or guessed */
    size_t note_count;
    struct vanish_order *vanish; /* begun: who runs it calls knowledge_vanish() */
    bool vanished;               /* ... and the documents are removed */
};
/* What is to be ingested, and what is said of its documents. A file NAME.metadata.json beside NAME, as Amazon
 * Bedrock knows it, says it of that one document and comes first:
 *   {"metadataAttributes": {"year": 2026}, "readers": ["team:acme/claims"]}
 * What nobody says stays as it was. */
struct ingest_wish {
    struct str path;
    bool says_readers, says_metadata;
    struct str readers;  /* readers_join() */
    struct str metadata; /* metadata_read() */
};
/* A file or a folder (all files below it, sorted; hidden files, links and unknown types are skipped and
 * said so). Unchanged files, known by size, times and inode, or else by hash, keep what they have; files
 * gone from an ingested folder are removed at the end. A bad file is reported and stops nothing; the
 * version of it that was known goes, unless it could not be read at all.
 * Batches of files become visible as they are committed, each whole; a run that is killed is taken up by
 * the next, which finds the rest unchanged. Runs wait for each other. Who waits for a run ends it by
 * leaving: what is committed stays. */
SUSPENDS bool knowledge_ingest(struct knowledge *knowledge, struct arena *arena,
                               const struct ingest_wish *wish, struct ingest_report *out,
                               struct err *err) MUST_CHECK;
/* The same, and nobody waits: see ingest_run_find(). What keeps the knowledge base open is released when it
 * has ended, also when it could not begin. */
struct run_owner {
    void (*release)(void *what); /* in a fiber of this loop; NULL: nothing to release */
    void *what;
};
bool knowledge_ingest_detached(struct knowledge *knowledge, const struct ingest_wish *wish,
                               const struct run_owner *owner, uint64_t *run, struct err *err)
    MUST_CHECK;

enum run_state { RUN_WAITING, RUN_WORKING, RUN_DONE, RUN_STOPPED, RUN_FAILED };
struct ingest_run {
    uint64_t id;
    struct str what; /* a path, or the name of a source */
    bool is_source;
    enum run_state state;
    wall_ms begun, ended;        /* ended 0: it goes on */
    uint64_t known, done;        /* files or items it knows of so far, and of them */
    struct str current;          /* what it is at */
    struct ingest_report report; /* lists: once it has ended */
    struct str error;            /* RUN_FAILED: why */
};
/* The newest first; without their lists. */
bool ingest_run_list(struct knowledge *knowledge, struct arena *arena, struct ingest_run **out,
                     size_t *count, struct err *err) MUST_CHECK;
bool ingest_run_find(struct knowledge *knowledge, struct arena *arena, uint64_t id,
                     struct ingest_run *out, struct err *err) MUST_CHECK;
/* It ends at the next file; what it has done stays. ERR_NOT_FOUND; one that has ended stays as it is. */
bool ingest_run_stop(struct knowledge *knowledge, uint64_t id, struct err *err) MUST_CHECK;
void ingest_runs_stop(struct knowledge *knowledge); /* all of them, and those that begin later */

struct document_info {
    struct str id, path, title, language; /* "en", "zh" */
    struct str source;                    /* where it was read: an absolute path, "file/ID" ... */
    struct str readers, metadata;         /* a line each; JSON text or empty */
    struct chunking chunking;             /* as it was asked for; none: along its structure */
    uint64_t bytes, passages, version;    /* version: 1, and one more for each change of the file */
    wall_ms ingested;
};
/* Those that `who` may read; NULL: all. */
SUSPENDS bool knowledge_list(struct knowledge *knowledge, struct arena *arena,
                             const struct principal *who, struct document_info **out, size_t *count,
                             struct err *err) MUST_CHECK;
/* Who may read them and what is known of them, for one document (id or path) or all of a folder; holds for
 * the next question. wish->path: which. */
SUSPENDS bool knowledge_label(struct knowledge *knowledge, const struct ingest_wish *wish,
                              uint32_t *documents, struct err *err) MUST_CHECK;
SUSPENDS bool knowledge_forget(struct knowledge *knowledge, struct str id_or_path,
                               uint32_t *documents, struct err *err) MUST_CHECK;

#define SEARCH_NOTES_MAX 10u
struct search_notes {
    const char *at[SEARCH_NOTES_MAX]; /* sentences: fixed, or of the question's arena */
    uint32_t count;
};

/* A question, and whose. Documents that `who` may not read are as if they were not there: not found, not
 * counted, in no score. */
struct knowledge_question {
    struct str text;
    const struct principal *who; /* NULL: no rights are asked for; for tools without a request */
    struct str filter;           /* JSON of a metadata filter (knowledge/metadata.h), or empty */
    size_t passages;             /* that a model writes from; 0: as many as usual */
    bool scored;         /* each passage is told how likely it answers: knowledge/likely.h */
    float least;         /* ... and those below this are left out */
    bool unranked;       /* as they were found: neither a reranker nor ranking.h */
    uint64_t request_id; /* 0: none; what is asked of models for it is recorded beside */
    struct search_notes
        *notes;          /* what went wrong without ending the search is put there; or NULL */
    const float *vector; /* internal: what an embedding model made of the text */
    uint32_t dim;
    const struct reranked *order; /* internal: what a reranker made of what was found */
};

struct citation_words {              /* the words of a quote that answer */
    struct str text;                 /* empty: none are marked */
    uint64_t byte_first, byte_end;   /* in the original file */
    uint32_t quote_first, quote_end; /* bytes of the quote */
};
/* A step from a question to a passage: a name, and the sentence that has it. */
struct citation_step {
    struct str name;
    struct str document, path,
        quote;        /* quote: the sentence, or the title or heading that has the name */
    uint64_t content; /* as of a citation */
    uint32_t line_first, line_last; /* 0: of title or heading */
    uint64_t byte_first, byte_end;
    struct place place;
};
struct citation {
    struct str base;    /* name of the knowledge base, when several may be asked; or empty */
    struct str base_id; /* ... and its id: names are given again */
    struct str file;    /* the id of /v1/files it was sent by, or empty */
    struct str document, path, title, heading; /* heading path "Cover > Water damage" */
    uint64_t version;                          /* of the document */
    uint64_t content;                          /* of the document: a hash of its bytes */
    struct str metadata;                       /* of the document: JSON text, or empty */
    uint32_t line_first, line_last;            /* 1-based, in the original file */
    uint64_t byte_first, byte_end;             /* [first, end) in the original file */
    struct place
        place;        /* page and box, in files that have them: then lines and bytes are of the text
                         * that was read from the file */
    struct str quote; /* the text of these bytes: markup taken out, white space folded */
    struct str said;  /* ... as an answer says it: items and rows a line each; empty: as it is */
    bool is_listed;   /* ... an item or row: a line of its own */
    bool goes_on;     /* ... a list that has more than is cited; its last line says so */
    float score;
    float likely; /* of a question that is scored: 0 to 1 */
    bool is_scored;
    struct citation_words words;       /* of at most one citation of an answer, or of each part */
    const struct citation_step *steps; /* how the graph came here; none: by the question's words */
    size_t step_count;
};
struct answered_part {
    struct str question;
    bool answered;
    uint32_t first, count; /* of the citations, from 0 */
};
enum polarity { POLARITY_NONE, POLARITY_YES, POLARITY_NO };
struct grounded {
    bool answered;       /* false: nothing above the bar; citations are then the nearest passages */
    struct str language; /* of the question */
    struct str
        question; /* as it was completed from what was said before; empty: it was asked as it is */
    struct str text; /* sentences with [1] [2], or the plain refusal, in that language */
    struct citation *citations;
    size_t citation_count;
    enum polarity verdict; /* where the first citation says so word by word */
    float confidence;      /* 0 to 1, calibrated on the development splits; docs/quality.md */
    const struct search_notes *notes;  /* of the question; or NULL */
    const char *retrieval;             /* "words", "graph", "overview": knowledge/way.h */
    const struct answered_part *parts; /* of a question that asks several things; or none */
    size_t part_count;
};
SUSPENDS bool knowledge_answer(struct knowledge *knowledge, struct arena *arena,
                               const struct knowledge_question *question, struct grounded *out,
                               struct err *err) MUST_CHECK;

/* Whole passages, best first: their quotes are their texts. What words found stands in the order of ranking.h, for
 * a described topic with what feedback.h adds; scores are of the words, in descending order, and belong to places,
 * not to passages. What the graph found stands in its order, each part's first as ranking.h has them; there each
 * passage keeps its score, and what no word of the question led to has 0. */
struct passages_found {
    struct citation *list;
    size_t count;
    const char *retrieval; /* as of an answer */
};
#define SEARCH_LIMIT_MAX 100
SUSPENDS bool knowledge_search(struct knowledge *knowledge, struct arena *arena,
                               const struct knowledge_question *question, size_t limit,
                               struct passages_found *out, struct err *err) MUST_CHECK;

struct vectors_status {
    const char *embedder;       /* "none", "hashed", "latent", or "model" */
    struct str model;           /* of EMBEDDER_MODEL */
    uint64_t passages, vectors; /* in use: of the embedder as it is now; the others wait */
    uint64_t graphed;           /* of them: found by a graph */
    float recall;               /* of the graphs, measured when they were made */
    uint64_t learned_from;      /* latent: passages; 0: there is no model now, and none asked */
    char problem[240];          /* the newest; empty: none */
    uint32_t failed;            /* documents that the model would not take */
};
void knowledge_vectors(struct knowledge *knowledge, struct vectors_status *out);
/* Makes the vectors that are missing, a bounded step; *more: there is work left, and it was not refused. */
SUSPENDS bool knowledge_vectors_step(struct knowledge *knowledge, bool *more, struct err *err)
    MUST_CHECK;

/* The model "weir": fills gateway/config.h's struct answerer. Asked is the default base; "weir/NAME" asks
 * another, and "weir": {"knowledge": ["a", "b"]} in the body several. With `through` set, that model writes the
 * answer from the same passages (asked through gateway_ask); its sentences are checked (knowledge/review.h)
 * and the citations it used are told; with NULL the sentences themselves are the answer. */
struct bases; /* knowledge/bases.h */
struct knowledge_model {
    struct bases *bases;
    enum unsupported unsupported; /* what becomes of sentences of `through` without support */
    const struct model *(*through)(
        const struct config *config); /* NULL or returns NULL: no provider */
};
SUSPENDS bool knowledge_model_ask(void *knowledge_model, struct request *req, struct answer **out,
                                  struct err *err) MUST_CHECK;
/* The bases that `who` may see, as they are asked: "weir/claims". The default one is "weir" itself. */
bool knowledge_model_names(void *knowledge_model, struct arena *arena, const struct principal *who,
                           struct str **out, size_t *count, struct err *err) MUST_CHECK;

#endif
