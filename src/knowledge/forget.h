/* knowledge/forget.h: removing documents for good, with what a receipt needs: what went, what the index was before
 * and is now, and fingerprints by which anybody can look whether the text is back.
 * One commit: all that was meant goes, or nothing. */
#ifndef WEIR_KNOWLEDGE_FORGET_H
#define WEIR_KNOWLEDGE_FORGET_H

#include "base/hash.h"
#include "knowledge/fingerprint.h"
#include "knowledge/knowledge.h"

#define FORGET_DOCUMENTS_MAX 10000 /* at once: a receipt lists them all */
#define FORGET_PRINTS_MAX    8192  /* of all of them; of each document at least some */

struct forget_wish {
    struct str document; /* an id, a path, or a folder with all that came with it; empty: */
    struct str person;   /* all whose metadata says owner, subject or person: this one */
    const struct fingerprint_way
        *way;     /* of taking fingerprints; NULL: a salt of its own, and as many as are
                                        * needed for each document to have some */
    bool dry_run; /* looks, and removes nothing */
    bool compact; /* leaves one segment, whose bytes say nothing of what was in the index */
};
struct forgotten {
    struct str id;
    uint64_t version, bytes, passages;
    uint32_t prints;    /* taken of it */
    struct sha256 hash; /* SHA-256 over the receipt's salt and the SHA-256 of the file */
};
struct index_file {
    struct str name;
    uint64_t bytes;
    struct sha256 hash;
};
struct forget_report {
    struct forgotten *documents; /* in order of their ids */
    size_t count;
    uint64_t passages;
    struct fingerprints prints; /* nothing marked */
    struct index_file *before, *after;
    size_t before_count, after_count;
};
/* ERR_NOT_FOUND: no such document. A person without documents is none: then nothing goes. */
SUSPENDS bool knowledge_erase(struct knowledge *knowledge, struct arena *arena,
                              const struct forget_wish *wish, struct forget_report *out,
                              struct err *err) MUST_CHECK;
/* One segment, whose bytes are decided by the documents alone. */
SUSPENDS bool knowledge_compact(struct knowledge *knowledge, struct err *err) MUST_CHECK;

/* Blocking bodies, for tests. */
bool erase_now(struct knowledge *knowledge, struct arena *arena, const struct forget_wish *wish,
               struct forget_report *out, struct err *err) MUST_CHECK;
bool compact_now(struct knowledge *knowledge, struct err *err) MUST_CHECK;

#endif
