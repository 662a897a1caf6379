/* knowledge/fingerprint.h: a text as salted hashes of some of its windows: enough to find it again in any file,
 * too little to read it from.
 * Window   FINGERPRINT_WINDOW bytes of letters, digits, spaces and plain punctuation, so that it stands in JSON as it
 *          stands in the document. Which windows are taken is decided by their own bytes and the salt (one in
 *          2^every), so that who looks need not know where the text began.
 * Kept     the first 8 bytes of SHA-256 over salt and window. Who holds the text, or guesses 24 bytes of it, can
 *          check the guess; nobody else learns anything.
 * Blind    texts without such a window, and texts cut into pieces (events of a stream, compression).
 * Source   Schleimer, Wilkerson, Aiken 2003, "Winnowing: local algorithms for document fingerprinting". */
#ifndef WEIR_KNOWLEDGE_FINGERPRINT_H
#define WEIR_KNOWLEDGE_FINGERPRINT_H

#include "base/arena.h"
#include "base/buf.h"

#define FINGERPRINT_WINDOW    24
#define FINGERPRINT_SALT      16
#define FINGERPRINT_EVERY_MAX 6

struct fingerprint_way {
    uint8_t salt[FINGERPRINT_SALT];
    uint32_t every; /* one window in 2^every; 0 to FINGERPRINT_EVERY_MAX */
};
typedef void fingerprint_fn(void *ctx, uint64_t print);
void fingerprint_text(const struct fingerprint_way *way, struct str text, fingerprint_fn *fn,
                      void *ctx);

/* What is looked for. */
struct fingerprints {
    struct fingerprint_way way;
    uint64_t *at; /* rising, each once */
    size_t count;
    bool *found; /* beside them */
};
void fingerprints_sort(struct fingerprints *prints); /* brings `at` into its order */
/* Marks those that stand in the file. *seen: how many of them do, marked before or not. Blocks. */
bool fingerprints_find(struct fingerprints *prints, const char *path, uint64_t *bytes,
                       uint64_t *seen, struct err *err) MUST_CHECK;
/* Marks those that stand in the text. */
void fingerprints_mark(struct fingerprints *prints, struct str text);
/* Of a list of some of them: how many are not marked. */
size_t fingerprints_unmarked(const struct fingerprints *prints, const uint64_t *list, size_t count);
/* Takes out those that were found. */
void fingerprints_drop_found(struct fingerprints *prints);

#endif
