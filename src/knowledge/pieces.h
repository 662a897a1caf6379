/* knowledge/pieces.h: files that come piece by piece, as OpenAI's uploads do: a directory ID with upload.json, what is
 * to come, and a file PART for each piece that has; nobody sees any of it before it is put together.
 * Whole    it is put together in memory, checked against the size that was said and an MD5 if there is one, and only then
 *          becomes a file of the shelf. What is wrong leaves all pieces as they were. Who does it has it alone:
 *          of two one finds that there is none.
 * Ends     by being put together, given up, or after PIECES_TIME, also one of which nobody can read any more what was to
 *          come; then nothing of it is left. What a crash left in the middle of that goes at pieces_clean(); what was
 *          on its way goes on.
 * These block. */
#ifndef WEIR_KNOWLEDGE_PIECES_H
#define WEIR_KNOWLEDGE_PIECES_H

#include "base/arena.h"

#define PIECES_TIME     ((wall_ms)3600 * 1000)
#define PIECES_MAX      1000u /* of one file */
#define PIECES_OPEN_MAX 1000u /* files on their way */

struct pieces_wish {
    struct str id; /* "upload_" and 24 hex digits */
    struct str name, purpose, tenant;
    uint64_t bytes;
    wall_ms created;
    wall_ms stays; /* the file, in ms from when it is whole; 0: until it is deleted */
};
/* ERR_EXHAUSTED: too many are on their way. Fills id and created. */
bool pieces_begin(const char *dir, struct arena *arena, struct pieces_wish *wish, struct err *err)
    MUST_CHECK;
/* ERR_NOT_FOUND: none has this id, it is another tenant's (empty: whosever it is), or its time is over at `now`.
 * ERR_UNAVAILABLE: somebody puts it together, which may not succeed: to be asked again. */
bool pieces_find(const char *dir, struct arena *arena, struct str id, struct str tenant,
                 wall_ms now, struct pieces_wish *out, struct err *err) MUST_CHECK;
/* Takes the file at `from` away. ERR_TOO_LARGE: more than was said; ERR_EXHAUSTED: too many; else as pieces_find(). */
bool pieces_add(const char *dir, struct arena *arena, const struct pieces_wish *wish,
                const char *from, struct str *part, struct err *err) MUST_CHECK;
/* Alone from here until it is dropped or given back: found by nobody. ERR_NOT_FOUND: somebody else has it. */
bool pieces_take(const char *dir, struct arena *arena, struct str id, struct err *err) MUST_CHECK;
bool pieces_give_back(const char *dir, struct arena *arena, struct str id, struct err *err)
    MUST_CHECK;
/* The pieces of one that is taken, in this order, into a file at `to`. md5: 32 hex digits, or empty. ERR_INVALID says what does not fit. */
bool pieces_join(const char *dir, const struct pieces_wish *wish, const struct str *parts,
                 size_t count, struct str md5, const char *to, struct err *err) MUST_CHECK;
/* One that is taken has ended, for good: pieces_sweep() removes what is left of it. Where that fails it is given back. */
bool pieces_end(const char *dir, struct arena *arena, struct str id, struct err *err) MUST_CHECK;
/* Nothing is left of those that have ended. */
bool pieces_sweep(const char *dir, struct arena *arena, struct err *err) MUST_CHECK;
/* Of those whose time is over one, or none. */
bool pieces_expired(const char *dir, struct arena *arena, wall_ms now, struct str *id,
                    struct err *err) MUST_CHECK;
/* At a start. shelf: where files are that may have been put together from some that had not ended yet. */
bool pieces_clean(const char *dir, const char *shelf, struct err *err) MUST_CHECK;

#endif
