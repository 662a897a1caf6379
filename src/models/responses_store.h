/* models/responses_store.h: answers of the Responses dialect that are kept, so that a client may go on from
 * one by its id, look at it and delete it.
 * Owner    each belongs to the key it was made with: to every other key it does not exist. Ids can be
 *          guessed, keys cannot.
 * At rest  as text in the database, like the rest of it; not encrypted by Weir.
 * Limits   age, count and bytes by settings; above them the oldest go. One that is larger than all may be is not
 *          kept. Deleting removes the row: nothing else holds what was said once responses_scrub() is through, but for
 *          backups and the audit log's hashes.
 * Threads  any; it calls the store. */
#ifndef WEIR_MODELS_RESPONSES_STORE_H
#define WEIR_MODELS_RESPONSES_STORE_H

#include "base/arena.h"
#include "store/store.h"

struct responses_store;

extern const struct migration responses_migrations[];
extern const size_t responses_migration_count;

struct responses_options {
    struct store *store;
    dur_ns age_max;    /* 0: nothing is kept */
    int64_t count_max; /* answers */
    int64_t bytes_max; /* of all of them */
};
/* Blocks: at start only. */
bool responses_store_open(const struct responses_options *options, struct responses_store **out,
                          struct err *err) MUST_CHECK;
void responses_store_close(struct responses_store **store);
bool responses_store_keeps(const struct responses_store *store); /* whether anything is kept */

/* What is older than answers are kept goes. */
SUSPENDS bool responses_expire(struct responses_store *store, int64_t *gone, struct err *err)
    MUST_CHECK;
/* Where rows went since the last time, their bytes go from the database's files too: from its log at once, from pages that rows
 * were moved from within a second for each 4 MiB of the database, called each second: store_scrub_part(). */
SUSPENDS bool responses_scrub(struct responses_store *store, struct err *err) MUST_CHECK;

struct kept_response {
    struct str id;               /* "resp_..." */
    struct str previous;         /* what it went on from, or "" */
    struct str body;             /* raw: the object, as the client had it */
    struct str input;            /* raw array: its own items, each with an id */
    struct str output;           /* raw array: items with what must come back */
    struct str subject;          /* whom it was asked for, a pseudonym, or "" */
    const struct str *documents; /* it was made from, "ID@BASE"; of no use when read back */
    size_t document_count;
    const struct str *sources; /* ... and what of them: a line each; of no use when read back */
    size_t source_count;
    const struct str
        *subjects; /* whom what it goes on from was asked for; of no use when read back */
    size_t subject_count;
    bool inherits; /* these three are also those of all before it */
    mono_ns begun; /* when it was asked; one asked before something was forgotten is not kept */
};
struct response_owner {
    struct str tenant, key_id;
};

SUSPENDS bool responses_keep(struct responses_store *store, const struct response_owner *owner,
                             const struct kept_response *response, struct err *err) MUST_CHECK;
/* ERR_NOT_FOUND for what is not kept, or another's. */
SUSPENDS bool responses_find(struct responses_store *store, struct arena *arena,
                             const struct response_owner *owner, struct str id,
                             struct kept_response *out, struct err *err) MUST_CHECK;
/* What it and all before it were made from, and whom they were asked for, a line each: of one that is not kept: none. An
 * item's id is as good as its answer's. */
struct responses_origin {
    struct str sources, subjects;
};
SUSPENDS bool responses_origin(struct responses_store *store, struct arena *arena,
                               const struct response_owner *owner, struct str id,
                               struct responses_origin *out, struct err *err) MUST_CHECK;
bool responses_unknown(struct str id,
                       struct err *err); /* as it is said of one that is not kept; false */
SUSPENDS bool responses_delete(struct responses_store *store, const struct response_owner *owner,
                               struct str id, struct err *err) MUST_CHECK;
/* All that was said up to this answer, the oldest first: items in a raw array. ERR_NOT_FOUND also where
 * one before it is gone. */
SUSPENDS bool responses_history(struct responses_store *store, struct arena *arena,
                                const struct response_owner *owner, struct str id,
                                struct str *items, struct err *err) MUST_CHECK;
/* One item of an answer, by its own id. */
SUSPENDS bool responses_item(struct responses_store *store, struct arena *arena,
                             const struct response_owner *owner, struct str item_id,
                             struct str *raw, struct err *err) MUST_CHECK;

/* Answers that this process's house made from documents of a base, a page of them behind the id `after`, in order. */
struct responses_made {
    struct str id, sources;
};
SUSPENDS bool responses_of_base(struct responses_store *store, struct arena *arena, struct str base,
                                struct str after, struct responses_made **out, size_t *count,
                                struct err *err) MUST_CHECK;
/* One, and all that went on from it. */
SUSPENDS bool responses_drop(struct responses_store *store, struct str id, int64_t *gone,
                             struct err *err) MUST_CHECK;

/* What is to go for good: answers of a person, or made from documents, and all that went on from them, as
 * their model had read it. Empty members name nobody. */
#define RESPONSES_DOCUMENTS_MAX 4
struct responses_document {
    struct str id, base;
};
struct responses_selector {
    struct str tenant, key_id;                  /* of whom, by key */
    bool all_keys;                              /* ... every one of the tenant */
    struct str subject;                         /* ... by pseudonym */
    const struct responses_document *documents; /* at most RESPONSES_DOCUMENTS_MAX */
    size_t document_count;
    wall_ms since; /* only what was kept since then, and what went on from it; 0: ever */
};
SUSPENDS bool responses_count(struct responses_store *store, const struct responses_selector *what,
                              int64_t *count, struct err *err) MUST_CHECK;
/* Answers that were asked for before now are not kept any more: by this process. Others that share the database have
 * to be told before responses_forget(), and again between it and another with `since`: what had begun in between. */
void responses_overtake(struct responses_store *store);
/* The rows are gone; store_scrub() sees to the bytes. */
SUSPENDS bool responses_forget(struct responses_store *store, const struct responses_selector *what,
                               int64_t *gone, struct err *err) MUST_CHECK;

#endif
