/* cache/entry.h: one whole answer as it is kept: facts, tags and the bytes that a client gets, in one
 * block. Immutable from entry_new() on; counted, so that what is being sent cannot be thrown out.
 * Form     the block's text is the same in memory, on disk and in Redis; entry_parse() believes nothing.
 * Memory   a block of base/pages: a power of two from 4 KiB; entry_cost() says how large.
 * Threads  any; the count is atomic. */
#ifndef WEIR_CACHE_ENTRY_H
#define WEIR_CACHE_ENTRY_H

#include <stdatomic.h>

#include "cache/key.h"
#include "cache/policy.h"
#include "models/models.h"

/* What a request gives, and what the house adds: whose answer it is and which documents it was made from. */
#define ENTRY_TAGS_MAX    24
#define CACHE_OF_KEY      "key:"      /* and the id of the key or person that asked */
#define CACHE_OF_SUBJECT  "subject:"  /* and the pseudonym of whom it was asked for */
#define CACHE_OF_DOCUMENT "document:" /* and "ID@BASE" */

struct entry_facts {
    struct cache_key key;
    int status;
    bool streaming;
    wall_ms stored, expires;
    struct usage usage; /* as reported or estimated when it was made */
    uint64_t content_bytes;
    uint32_t events, citations;
    struct str space, model; /* for purges */
    struct str content_type, provider, remote_model, request_id;
    struct str notes; /* of the gateway: fields of the reply that a hit repeats */
    struct str tags[ENTRY_TAGS_MAX];
    uint32_t tag_count;
    struct str body;
};

struct tenant_pool;

/* Who looks for room in memory goes over many that nobody asked for in a while: what that takes stands in the first
 * line of the processor's cache, and the key in the second. */
struct entry {
    atomic_uint refs;
    bool in_shard;
    atomic_bool recent;
    size_t block_bytes;
    /* memory.c: guarded by its shard's lock (as in_shard), and by its tenant's */
    struct entry *chain;
    struct entry *ring_before, *ring_after;
    struct tenant_pool *tenant;
    struct str text; /* the form, in the block; facts view it */
    struct entry_facts facts;
    /* while it waits to be written to Redis */
    void *writer;
    uint64_t purges;
};

size_t entry_bytes(const struct entry_facts *facts); /* what entry_cost() will be */
/* One reference is the caller's. NULL: no memory. */
struct entry *entry_new(const struct entry_facts *facts, struct err *err) MUST_CHECK;
/* From bytes of disk or Redis; they are copied. ERR_INVALID for what was never written by entry_new(). */
struct entry *entry_parse(struct str text, struct err *err) MUST_CHECK;
size_t entry_cost(const struct entry *e); /* bytes of memory */
struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry **e); /* CLEANUP-able */
bool entry_is_fresh(const struct entry *e, wall_ms now, dur_ns max_age);
bool entry_has_tag(const struct entry *e, struct str tag);

/* What a purge names: all that is given must fit; nothing given: everything. */
struct cache_selector {
    const struct cache_key *key;
    struct str space, model, tag; /* empty: any */
};
bool entry_matches(const struct entry *e, const struct cache_selector *what);

#endif
