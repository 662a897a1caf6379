/* accounts/audit_body.h: questions and answers beside the audit log, encrypted, one key a subject, so that
 * a subject is erased by dropping its key.
 *   subject    the end user of a tenant, or the key when nobody is named; in the log a pseudonym:
 *              "s_" + 32 hex digits of an HMAC under a random salt of the key file; where several Weirs share a
 *              database under a secret of theirs, so that a person has one pseudonym at all of them
 *   key file   a slot of 128 bytes a subject: its data key, wrapped by the master key (AES-256-GCM).
 *              Erasing overwrites the slot in place and syncs. It must not be in long-lived backups:
 *              who has an old copy of it and the master key can read what was erased since.
 *   bodies/N   append-only, of one month of 30 days at most, so that what is old goes with its file; a body is a nonce, AES-256-GCM of question and answer, and a tag. The
 *              request's id and the subject are authenticated with it; its SHA-256 is in the record.
 * Limits     body_bytes of question and of answer each; what is longer is cut and marked in the record.
 * Threads    any; one lock inside. Sealing writes to the page cache, opening and erasing block. */
#ifndef WEIR_ACCOUNTS_AUDIT_BODY_H
#define WEIR_ACCOUNTS_AUDIT_BODY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

#define AUDIT_SUBJECT_TEXT   35 /* with its NUL */
#define AUDIT_PLACE_TEXT     64
#define AUDIT_MASTER_KEY_MIN 32u /* bytes */

enum audit_body_policy { BODIES_NONE, BODIES_HASH, BODIES_SEALED };

struct audit_bodies;

struct audit_bodies_options {
    const char *dir;             /* of the segments */
    const char *key_file;        /* made at first start, mode 0600 */
    const struct secret *master; /* or empty: nothing can be sealed */
    uint32_t subjects_max;       /* default 1,000,000 */
    size_t segment_bytes;        /* default 64 MiB */
};
bool audit_bodies_open(const struct audit_bodies_options *options, struct audit_bodies **out,
                       struct err *err) MUST_CHECK;
bool audit_bodies_can_seal(const struct audit_bodies *bodies);
bool audit_bodies_sync(struct audit_bodies *bodies, struct err *err) MUST_CHECK; /* blocks */
/* Removes the files in which nothing was written since then, also the last one. */
bool audit_bodies_prune(struct audit_bodies *bodies, wall_ms before, struct err *err) MUST_CHECK;
void audit_bodies_close(struct audit_bodies **bodies);

/* The pseudonym of a tenant's user, or, when `user` is empty, of the key. */
void audit_subject(const struct audit_bodies *bodies, struct str tenant, struct str user,
                   struct str key_id, char to[AUDIT_SUBJECT_TEXT]);

/* One that somebody wrote down, as it is written everywhere; false: it is none. */
bool audit_subject_read(struct str text, char to[AUDIT_SUBJECT_TEXT]);

/* From here on under this secret, before anybody is served. */
bool audit_bodies_share(struct audit_bodies *bodies, struct str secret, struct err *err) MUST_CHECK;
/* The pseudonym from before that; false: there was no before. */
bool audit_former_subject(const struct audit_bodies *bodies, struct str tenant, struct str user,
                          struct str key_id, char to[AUDIT_SUBJECT_TEXT]);

struct audit_body {
    struct str subject; /* a pseudonym */
    uint64_t request_id;
    struct str question, answer;
};
/* What goes into the record: where, and which hash; hex. */
struct audit_place {
    char place[AUDIT_PLACE_TEXT], hash[2 * SHA256_BYTES + 1];
};
bool audit_body_seal(struct audit_bodies *bodies, const struct audit_body *body,
                     struct arena *scratch, struct audit_place *out, struct err *err) MUST_CHECK;
/* HMAC of question and answer under the salt: "was exactly this asked and answered?" can be checked,
 * and nothing can be read. */
void audit_body_hash(const struct audit_bodies *bodies, const struct audit_body *body,
                     char to[2 * SHA256_BYTES + 1]);
/* The texts, in the arena; out->subject and out->request_id say which. ERR_NOT_FOUND: erased. */
bool audit_body_open(struct audit_bodies *bodies, struct str place, struct str hash,
                     struct arena *arena, struct audit_body *out, struct err *err) MUST_CHECK;
/* *had: there was a key. Durable when it returns. */
bool audit_body_erase(struct audit_bodies *bodies, struct str subject, bool *had, struct err *err)
    MUST_CHECK;

#endif
