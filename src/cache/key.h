/* cache/key.h: what decides an answer, as 32 bytes. Two requests have the same key when nobody could tell
 * from the answer which of them was asked.
 * Body     every member counts, known or not, but those of key_ignored[]: a field that is new tomorrow
 *          makes another key by itself. Order of members, white space, escapes and the spelling of
 *          numbers make no difference; order of elements does.
 * Strength SHA-256 over a form in which no two values look alike, so nobody can make two requests meet. */
#ifndef WEIR_CACHE_KEY_H
#define WEIR_CACHE_KEY_H

#include "base/hash.h"
#include "base/json.h"

#define CACHE_KEY_TEXT (2 * SHA256_BYTES) /* in hexadecimal: what x-weir-cache-key says */

struct cache_key {
    uint8_t bytes[SHA256_BYTES];
};

struct cache_identity {
    struct str space;   /* whose answers these are: the tenant, or CACHE_SPACE_SHARED */
    struct str dialect; /* that the answer is written in */
    struct str model;   /* as asked for */
    struct str target;  /* what stands behind the name: provider, its name for the model, ... */
    struct str
        variant; /* what decides beside the body, or empty: a path, a header that is passed on */
    bool stream; /* events or one body */
    const struct json *body; /* an object */
    /* For recall.h alone; nothing of it is part of the key. */
    struct str tenant; /* who asks, whosever answers are meant */
    struct str text;   /* the body's bytes */
    uint64_t seen;     /* as recall_notes() said it of this text, or 0 */
};
#define CACHE_SPACE_SHARED STR("*") /* no tenant is called that */

/* Members of the body that do not decide the answer: who asks, and what concerns Weir alone. NULL-ended. */
extern const char *const key_ignored[];

bool cache_key_of(struct arena *arena, const struct cache_identity *from, struct cache_key *out,
                  struct err *err) MUST_CHECK;
void cache_key_write(const struct cache_key *key, char out[CACHE_KEY_TEXT]);
bool cache_key_read(struct str text, struct cache_key *out) MUST_CHECK;

#endif
