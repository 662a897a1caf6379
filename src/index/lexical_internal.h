/* index/lexical_internal.h: the index object and its views, for lexical.c, write.c and search.c. */
#ifndef WEIR_INDEX_LEXICAL_INTERNAL_H
#define WEIR_INDEX_LEXICAL_INTERNAL_H

#include <stdatomic.h>

#include "base/table.h"
#include "index/lexical.h"
#include "index/segment.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define SEGMENTS_MAX   8                         /* above, a commit merges the smallest */
#define BATCH_POSTINGS ((size_t)2 * 1024 * 1024) /* in memory before a flush: 24 MiB */

struct lexical_view {
    struct arena *arena; /* owns this struct */
    struct lexical *lexical;
    uint64_t number;
    uint32_t holders; /* under lexical->mutex, like the segments' readers */
    struct segment **at;
    uint32_t count;
    struct view_vectors {
        uint32_t segment; /* which of the view's */
        struct vectors *vectors;
    } * vectors; /* segments rising */
    uint32_t vector_count;
    uint64_t documents, passages, bytes;
    uint64_t lengths[TERM_FIELDS];
    struct table records; /* key -> struct str: newer than in the segments */
    uint64_t records_file;
    struct str latent; /* bytes of the model, in the arena; empty: none */
    uint64_t latent_file;
};

struct lexical {
    struct arena *arena;
    char dir[SEGMENT_PATH_MAX - 32];
    struct file *lock;
    struct mutex mutex;
    struct lexical_view *newest; /* holds one reference */
    uint64_t views;              /* made so far; the writer's */
    uint64_t next_number;        /* of the next segment file; the writer's */
    atomic_bool writing;
    bool unlisted;         /* files were left: the next commit sweeps them; the writer's */
    uint32_t graph_from;   /* vector_graph_from(); the writer's */
    size_t batch_postings; /* of a run before they are written as a segment; the writer's */
    uint32_t batch_terms;  /* different ones of what is in memory; the writer's */
    /* What the commit that goes on has open already, checked: the view it publishes shares it, for mapped twice it
     * would count twice. The writer's. */
    const struct merge_input *fresh;
    size_t fresh_count;
};

/* The manifest names the segments that count; it is replaced as a whole. */
struct manifest {
    uint64_t next_number;
    uint64_t *numbers;
    size_t count;
    uint64_t records; /* file of records set since the segments were written; 0: none */
    struct manifest_vectors {
        uint64_t segment, number;
    } * vectors;
    size_t vector_count;
    uint64_t latent; /* file of the model learned from the segments; 0: none */
};
void manifest_path(char path[SEGMENT_PATH_MAX], const char *dir);
bool manifest_damaged(struct err *err, const char *dir);
bool manifest_load(const char *dir, struct arena *arena, struct manifest *out, struct err *err)
    MUST_CHECK; /* empty when there is none yet */
bool manifest_store(const char *dir, const struct manifest *manifest, struct err *err) MUST_CHECK;

/* Open what is not open yet, share what is, publish. */
bool lexical_publish(struct lexical *lexical, const struct manifest *manifest, struct err *err)
    MUST_CHECK;
/* A crash, or a commit that failed, leaves files that nobody lists, and half-written ones: they go. */
bool lexical_sweep(const struct lexical *lexical, struct arena *arena,
                   const struct manifest *manifest, struct err *err) MUST_CHECK;
/* Records set anew, in a file of their own that the manifest names: key -> struct str in the arena. */
bool records_load(const char *dir, uint64_t number, struct arena *arena, struct table *out,
                  struct err *err) MUST_CHECK;
bool records_store(const char *dir, uint64_t number, const struct table *records, struct err *err)
    MUST_CHECK;
/* The model learned from the segments: latent_file.c. */
bool latent_load(const char *dir, uint64_t number, struct arena *arena, struct str *out,
                 struct err *err) MUST_CHECK;
bool latent_store(const char *dir, uint64_t number, struct str bytes, struct err *err) MUST_CHECK;
#define LATENT_BYTES_MAX ((size_t)64 * MIB)
void latent_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number);
void records_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number);
#define RECORDS_BYTES_MAX ((size_t)16 * MIB) /* above, a commit writes them into their segments */
/* The record of a segment's document, the newest. */
struct str newest_record(const struct lexical_view *view, const struct segment *s,
                         const struct document_entry *entry);

/* What may be seen: a bit a passage, and what is counted of it. */
struct lexical_filter {
    const struct lexical_view *view;
    uint64_t **bits; /* [segment] */
    uint64_t passages;
    uint64_t lengths[TERM_FIELDS];
};
static inline bool filter_allows(const struct lexical_filter *filter, uint32_t segment,
                                 uint32_t passage)
{
    return filter->bits[segment][passage / 64] >> (passage % 64) & 1;
}

/* The bytes under which a term is stored: its field's letter, then its text. */
struct str term_key(const struct term *term, char bytes[TERM_BYTES_MAX + 1]);
/* How many passages have what is stored under a key, of those that may be seen. */
uint64_t passages_with(const struct lexical_view *view, const struct lexical_filter *filter,
                       struct str key);
struct str mark_key(struct str mark, char bytes[TERM_BYTES_MAX + 1]);

#endif
