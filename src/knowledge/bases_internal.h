/* knowledge/bases_internal.h: the set of bases, for its files. Siblings only. */
#ifndef WEIR_KNOWLEDGE_BASES_INTERNAL_H
#define WEIR_KNOWLEDGE_BASES_INTERNAL_H

#include "knowledge/bases.h"
#include "knowledge/knowledge_internal.h"
#include "sys/mutex.h"

#define BASE_ID_LEN   27u /* "vs_" and 24 hex digits */
#define BASES_DIR     "bases"
#define BASE_FILE     "base.json"
#define BASE_LIFE     "life.json"
#define BASE_GONE     ".gone" /* ending of a directory that is being removed */
#define BASE_NEW      ".new"  /* ... that is being made */
#define BASE_PATH_MAX 1024u   /* an index takes a directory of less than half of that */

/* What is said of it, replaced as a whole under bases->mutex. */
struct base_facts {
    struct arena *arena;
    struct base_info info;
    bool unreadable; /* base.json says nothing: nobody knows whose it is */
};
struct base {
    struct bases *all;
    struct arena *arena;
    char id[BASE_ID_LEN + 1];
    const char *dir;
    struct mutex opening;                /* held by who opens it, on the pool */
    struct knowledge *_Atomic knowledge; /* NULL: not yet asked */
    struct base_facts *facts;            /* under all->mutex, as what follows */
    uint32_t holders;
    wall_ms used; /* 0: not since the start; newer than facts->info.life.used */
    bool leaving; /* is being deleted: found by nobody */
};
struct bases {
    struct arena *arena;
    struct mutex mutex; /* never held across a suspension or a file */
    struct bases_options options;
    _Atomic(const struct str *)
        alias; /* those of before stay in the arena: who reads has one of them */
    struct readers *readers;
    struct analysers analysers;
    const char *dir; /* <data>/bases */
    struct base **at;
    size_t count, reserved; /* reserved: being made */
};

/* ---- base.json (bases_files.c): these block ---- */
struct base_facts *base_facts_new(const struct base_info *info); /* NULL: no memory */
void base_facts_free(struct base_facts **facts);
bool base_facts_store(const char *dir, const struct base_info *info, struct err *err) MUST_CHECK;
/* ERR_INVALID, ERR_NOT_FOUND: it says nothing. */
bool base_facts_load(const char *dir, struct base_facts **out, struct err *err) MUST_CHECK;
/* life.json: what is not there, or cannot be read (*why says it), leaves the base as one that stays. */
void base_life_load(const char *dir, struct arena *arena, struct base_life *out, struct err *why);
bool base_life_store(const char *dir, const struct base_life *life, struct err *err) MUST_CHECK;
/* Of what base_info() copies; under the mutex: with what was noted since. */
struct base_life base_life_now(const struct base *base);
/* Read, changed and written by one at a time. Blocks. */
typedef bool base_edit(struct base_info *info, const void *with, struct err *err);
bool base_edit_now(struct base *base, base_edit *edit, const void *with, struct err *err)
    MUST_CHECK;
SUSPENDS bool base_edit_on_pool(struct base *base, base_edit *edit, const void *with,
                                struct err *err) MUST_CHECK;
void bases_keep_used_now(struct bases *bases); /* all of it, when they are closed; blocks */
/* A directory and all below it; what was removed is counted on top of *out. */
bool tree_remove(const char *dir, struct base_removed *out, struct err *err) MUST_CHECK;

bool base_name_check(const struct bases *bases, struct str name, struct err *err) MUST_CHECK;
struct base *base_new(struct bases *all, const char *id, const char *dir);
void base_free(struct base **base);
/* Opens the base when nobody has: on the pool, or before any loop runs. */
bool base_open_now(struct base *base, struct err *damage, struct err *err) MUST_CHECK;

#endif
