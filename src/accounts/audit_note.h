/* accounts/audit_note.h: signed notes (C2SP signed-note) by Ed25519, and the checkpoints in them (C2SP
 * tlog-checkpoint): who signed how many records with which root.
 *   note        text, an empty line, then lines "— NAME base64(key id || signature)"
 *   checkpoint  origin, size and root on a line each, then our lines "time RFC3339" and, where a key is
 *               replaced, "next-key VKEY": the old key's word for the new one
 *   vkey        NAME+HEX8+base64(1 || public key): what verifiers everywhere take
 * Secrets  the private key leaves the signer only into its file, of mode 0600. */
#ifndef WEIR_ACCOUNTS_AUDIT_NOTE_H
#define WEIR_ACCOUNTS_AUDIT_NOTE_H

#include "base/buf.h"
#include "base/hash.h"

#define NOTE_NAME_MAX 64
#define NOTE_KEY_TEXT 160            /* a vkey */
#define NOTE_MAX      ((size_t)2048) /* of a note that we write or read */
#define NOTE_KEYS_MAX 64             /* that one log can have had */

struct note_key {
    char name[NOTE_NAME_MAX];
    uint8_t id[4];
    uint8_t bytes[32];
};
bool note_key_read(struct str vkey, struct note_key *out, struct err *err) MUST_CHECK;
struct str note_key_text(const struct note_key *key, char to[NOTE_KEY_TEXT]);

/* A vkey a line; what begins with # is a comment. Adds to out[*count]; at most NOTE_KEYS_MAX. */
bool note_keys_read(struct str text, struct note_key *out, size_t *count, struct err *err)
    MUST_CHECK;

struct note_signer;
/* Made from fresh random bytes, or read back from its own text. */
bool note_signer_new(struct note_signer **out, struct err *err) MUST_CHECK;
bool note_signer_read(struct str text, struct note_signer **out, struct err *err) MUST_CHECK;
/* The text for its file; wipe it. */
void note_signer_text(const struct note_signer *signer, struct buf *to);
const struct note_key *note_signer_key(const struct note_signer *signer);
void note_signer_free(struct note_signer **signer);

/* Adds the signature's line to a note that has its empty line already, or another signature. `text` is
 * what is signed, with its last \n. */
void note_sign(const struct note_signer *signer, struct str text, struct buf *note);
/* Which of the keys signed it: a bit each. *text views what was signed. ERR_NOT_FOUND: none of them did. */
bool note_open(struct str note, const struct note_key *keys, size_t count, struct str *text,
               uint64_t *by, struct err *err) MUST_CHECK;

struct checkpoint {
    struct str origin;
    uint64_t size;
    struct sha256 root;
    wall_ms time;        /* 0: it says none */
    struct str next_key; /* vkey, or "" */
};
void checkpoint_write(const struct checkpoint *checkpoint, struct buf *to);
bool checkpoint_read(struct str text, struct checkpoint *out, struct err *err) MUST_CHECK;

#endif
