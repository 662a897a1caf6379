/* index/lexical_writer.h: a run, for write.c that fills it and commit.c that ends it. */
#ifndef WEIR_INDEX_LEXICAL_WRITER_H
#define WEIR_INDEX_LEXICAL_WRITER_H

#include "base/table.h"
#include "index/batch.h"
#include "index/lexical_internal.h"
#include "index/vector_run.h"

#define RUN_MAX  1024 /* segments in a manifest or a run */
#define KEYS_MAX ((size_t)10 * 1000 * 1000)

struct lexical_writer {
    struct arena *arena;
    struct lexical *lexical;
    struct lexical_view *view; /* what the commit builds on */
    struct analyser *analyser;
    struct inverting
        *waiting;        /* documents that are not in the batch yet; NULL: one thread does all */
    struct batch *batch; /* what was added since the last flush, or NULL */
    struct segment_writer *to; /* where it goes; NULL with the batch */
    size_t batch_records;      /* bytes */
    struct table gone;         /* keys that old segments lose */
    struct table added;        /* keys of this run */
    struct table set;          /* keys -> struct str: records set in this run */
    struct vector_run vectors;
    bool compact;
    bool broken; /* a document was to be written and is not whole: nothing of the run may be kept */
    bool latent_changes;
    struct str latent; /* the model to be, in the arena; empty: none */
    struct flushed {
        uint64_t segment;
        struct vector_made vectors;
    } flushed[RUN_MAX]; /* written, listed by nobody yet */
    size_t flushed_count;
    uint64_t first_number; /* files from here on are this run's and not listed */
};

/* What is in memory becomes a segment, documents that wait included. */
bool lexical_flush(struct lexical_writer *w, struct err *err) MUST_CHECK;

#endif
