/* index/lexical_internal.h: the index object and its views, for lexical.c, write.c and search.c. */
#ifndef WEIR_INDEX_LEXICAL_INTERNAL_H
#define WEIR_INDEX_LEXICAL_INTERNAL_H

#include <stdatomic.h>

#include "index/lexical.h"
#include "index/segment.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define SEGMENTS_MAX 8 /* above, a commit merges the smallest */

struct lexical_view {
    struct arena *arena; /* owns this struct */
    struct lexical *lexical;
    uint32_t holders; /* under lexical->mutex, like the segments' readers */
    struct segment **at;
    uint32_t count;
    uint64_t documents, passages, bytes;
    double average[TERM_FIELDS]; /* length of a passage */
};

struct lexical {
    struct arena *arena;
    char dir[SEGMENT_PATH_MAX - 32];
    struct file *lock;
    struct mutex mutex;
    struct lexical_view *newest; /* holds one reference */
    uint64_t next_number;        /* of the next segment file; the writer's */
    atomic_bool writing;
};

/* The manifest names the segments that count; it is replaced as a whole. */
struct manifest {
    uint64_t next_number;
    uint64_t *numbers;
    size_t count;
};
bool manifest_load(const char *dir, struct arena *arena, struct manifest *out, struct err *err)
    MUST_CHECK; /* empty when there is none yet */
bool manifest_store(const char *dir, const struct manifest *manifest, struct err *err) MUST_CHECK;

/* Open what is not open yet, share what is, publish. */
bool lexical_publish(struct lexical *lexical, const struct manifest *manifest, struct err *err)
    MUST_CHECK;
/* The bytes under which a term is stored: its field's letter, then its text. */
struct str term_key(const struct term *term, char bytes[TERM_BYTES_MAX + 1]);

#endif
