/* knowledge/source.h: where documents come from by themselves: folders, web sites, buckets, rows of databases.
 * A kind   lists its items one after another and fetches those that the intake does not know as they are; one
 *          driver (source_run.c) does the rest: comparing, batches, removal, progress.
 * Errors   of next() and fetch(): the source as a whole cannot be used, and the run ends; what concerns one
 *          item is an outcome. What was not seen because of it makes the job incomplete, and nothing is
 *          removed then. */
#ifndef WEIR_KNOWLEDGE_SOURCE_H
#define WEIR_KNOWLEDGE_SOURCE_H

#include "base/secret.h"
#include "knowledge/intake.h"

enum source_type { SOURCE_FOLDER, SOURCE_WEB, SOURCE_S3, SOURCE_SQL };
#define SOURCE_TYPES "folder|web|s3|sql"

/* What the settings say. Texts and secrets are the settings'. */
struct source_spec {
    struct str name, base, location;
    enum source_type type;
    dur_ns every; /* 0: when somebody asks for it */
    bool watch;
    struct ingest_wish wish; /* labels of all its documents */
    struct str include, exclude;
    uint32_t delete_percent;
    size_t item_bytes;     /* of one item; 0: as a file */
    uint64_t items, bytes; /* of a run; 0: as a run of files, no limit */
    dur_ns time;           /* of a run; 0: no limit */
    uint32_t retries;      /* web, s3: of one thing; source_retry.h */
    dur_ns retry_wait;
    struct {
        struct str hosts, agent;
        uint32_t depth, rate;
        bool robots, private_addresses;
    } web;
    struct {
        struct str endpoint, region, access_key;
        const struct secret *secret_key, *session_token;
        bool path_style;
    } s3;
    struct {
        const struct secret *url; /* of PostgreSQL, with its password; else location is a file */
        struct str query, key, title, text, metadata;
        dur_ns timeout;
    } sql;
};
/* What can be known to be wrong before anything is asked: ERR_INVALID. */
bool source_check(const struct source_spec *spec, struct err *err) MUST_CHECK;

enum outcome {
    OUTCOME_BYTES, /* content->bytes, of item->type */
    OUTCOME_SAME,  /* as its mark says: the version that is known stays */
    OUTCOME_GONE,  /* it is not there */
    OUTCOME_SKIP,  /* not wanted: content->why */
    OUTCOME_FAIL,  /* it is there and cannot be had: content->why */
};
struct content {
    enum outcome outcome;
    struct str bytes;
    struct err why;
    struct str note; /* told beside it; may be empty */
};
struct source_item {
    struct item item;
    struct beside beside;  /* what is said of this one */
    struct str known_mark; /* for fetch: as the index has it; empty: not known */
};

struct source_job {
    const struct source_spec *spec;
    struct knowledge *knowledge;
    struct arena *arena; /* of the run */
    struct str root;     /* of its documents: "source:NAME" */
    struct run_slot *run;
    uint64_t known;  /* items it knows of so far */
    bool incomplete; /* not everything was seen */
    struct str why;  /* ... because of this; told once */
};
struct source_kind {
    bool blocks; /* its calls do, each on a thread of `rows`; else they wait in a fiber */
    bool (*begin)(struct source_job *job, void **self, struct err *err);
    /* false in *more: there are no more. The item's texts live in `scratch`, or longer. */
    bool (*next)(void *self, struct arena *scratch, struct source_item *out, bool *more,
                 struct err *err);
    bool (*fetch)(void *self, struct arena *scratch, struct source_item *item, struct content *out,
                  struct err *err);
    void (*close)(void **self);
};
extern const struct source_kind source_web, source_s3, source_sql;

/* One run, from its beginning to its end, which it tells the run of. force: however much goes at once. */
SUSPENDS bool source_run(const struct source_spec *spec, struct knowledge *knowledge,
                         struct run_slot **run, bool force, struct ingest_report *out,
                         struct err *err) MUST_CHECK;

#endif
