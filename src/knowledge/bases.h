/* knowledge/bases.h: several knowledge bases below one data directory.
 * Default   the base that stood in the directory before there were others: always there, everyone's, named
 *           BASE_DEFAULT. The others stand in bases/ID beside its files, each a `struct knowledge` of its own
 *           (index, documents, rights), and base.json with what is said of it.
 * Owner     a tenant, or everyone. Who belongs to another tenant is told that there is no such base.
 * Names     [a-z0-9][a-z0-9._-]*, BASE_NAME_MAX at most, each once among those that one tenant sees. A base is
 *           also found by its id, "vs_" and 24 hex digits, which is never given again.
 * Shared    pool and readers of files; a base is opened when it is first asked, and stays open: a lock file and
 *           the maps of its segments, so `bases_max` bounds them.
 * Damage    of one base costs that base alone: it is listed, and each call to it is refused with the reason.
 * Life      life.json beside base.json: a description, when it was last used, and when it ends: bases_life.c. One that
 *           has ended answers nothing and takes nothing; who empties it is the house's business. A Weir of before
 *           life.json does not know it and leaves it as it is.
 * Delete    exact: the directory is renamed out of sight, and removed file by file; what a crash left of that
 *           is removed at the next start. Who works in the base is waited for.
 * Threads   any; bases_open() blocks. */
#ifndef WEIR_KNOWLEDGE_BASES_H
#define WEIR_KNOWLEDGE_BASES_H

#include "knowledge/knowledge.h"

#define BASE_DEFAULT         STR("default")
#define BASE_NAME_MAX        64u
#define BASE_TITLE_MAX       256u
#define BASE_DESCRIPTION_MAX 2048u
#define BASE_DAYS_MAX        365u
#define BASES_ASKED_MAX      8u /* by one question */

struct bases;
struct bases_options {
    struct knowledge_options each; /* dir: of the default base; readers: one set for all */
    struct str alias;              /* the default base's other name: the model's */
    uint32_t bases_max;            /* beside the default; default 100 */
};
/* Blocks. *damage: what is wrong with the default base, whose calls are refused until it is repaired. */
bool bases_open(const struct bases_options *options, struct bases **out, struct err *damage,
                struct err *err) MUST_CHECK;
void bases_close(struct bases **bases);
/* The default base's other name, from now on. One at a time. */
bool bases_rename(struct bases *bases, struct str alias, struct err *err) MUST_CHECK;

/* How long a base is there. */
struct base_life {
    struct str description;   /* free text; may be empty */
    struct chunking chunking; /* of files that come into it and say none */
    uint32_t days;            /* after it was last used it expires; 0: never */
    wall_ms used;             /* asked or changed last; 0: not since it was made, or never noted */
    wall_ms expired;          /* when that was found; 0: it is not. For good */
    bool emptied;             /* ... and nothing of what it held is there any more */
};
/* What is known of a base beside its documents. */
struct base_info {
    struct str id, name;
    struct str title;    /* free text; may be empty */
    struct str tenant;   /* whose; empty: everyone's */
    struct str metadata; /* JSON object of whoever made it, or empty */
    wall_ms created;
    struct base_life life;
    bool is_default;
    int64_t documents;  /* -1: not known before it was asked */
    const char *damage; /* what is wrong with it, or NULL; not known before it was asked */
};
bool base_may_see(const struct base_info *info, const struct principal *who);
/* Make, change, fill and delete: operators each, others those of their tenant. */
bool base_may_change(const struct base_info *info, const struct principal *who);

/* One that is to be made: name empty: its id. ERR_INVALID names what is wrong with it, ERR_EXHAUSTED: there
 * are bases_max. */
SUSPENDS bool bases_create(struct bases *bases, struct arena *arena, const struct base_info *wish,
                           struct base_info *out, struct err *err) MUST_CHECK;
/* How a base is asked as a model: "weir/claims"; STR_NONE: no memory. */
struct str bases_model_name(const struct bases *bases, struct arena *arena, struct str name);
bool bases_has_name(struct bases *bases, struct str name, struct str tenant);
/* Those that `who` may see (NULL: all), the default first, the others as they were made. */
bool bases_list(struct bases *bases, struct arena *arena, const struct principal *who,
                struct base_info **out, size_t *count, struct err *err) MUST_CHECK;

/* ---- one base, in use ---- */
struct base;
/* By name or id, of those that `who` may see; the tenant's own before everyone's. Opens it. Release it. */
SUSPENDS bool bases_borrow(struct bases *bases, struct str name, const struct principal *who,
                           struct base **out, struct err *err) MUST_CHECK;
void base_release(struct base **base); /* CLEANUP-able; takes NULL */
struct knowledge *base_knowledge(struct base *base);
struct str base_id(const struct base *base);
const char *base_dir(const struct base *base);
/* Copied. */
bool base_info(struct base *base, struct arena *arena, struct base_info *out, struct err *err)
    MUST_CHECK;
struct base_changes {
    struct str title, metadata; /* STR_NONE leaves one as it is */
    bool says_days;
    uint32_t days; /* 0: it stays */
};
/* ERR_INVALID: it has expired, or it is the default one. Counts as use. */
SUSPENDS bool base_change(struct base *base, const struct base_changes *changes, struct err *err)
    MUST_CHECK;

/* ---- how long (bases_life.c) ---- */
wall_ms base_expires_at(const struct base_info *info); /* 0: never */
bool base_is_expired(const struct base_info *info, wall_ms now);
/* Somebody asks it, or changes what is in it: it is used now. ERR_INVALID: it has expired. */
bool base_use(struct base *base, struct err *err) MUST_CHECK;
bool base_alive(struct base *base, struct err *err)
    MUST_CHECK; /* the same, and it is no use of it */
/* Those that have expired and are not emptied: their ids. */
bool bases_find_expired(struct bases *bases, struct arena *arena, struct str **ids, size_t *count,
                        struct err *err) MUST_CHECK;
/* What was found of it, for good: that it expired (true as well where somebody used it meanwhile: *out), then that
 * nothing is in it any more. */
SUSPENDS bool base_end(struct base *base, bool *out, struct err *err) MUST_CHECK;
SUSPENDS bool base_emptied(struct base *base, struct err *err) MUST_CHECK;
/* Whether no run and no call is in it beside who asks. Runs are told to stop. */
bool base_is_alone(struct base *base);
/* Writes down when bases were used, of those that may expire: what a crash takes is a minute of it. */
SUSPENDS void bases_keep_used(struct bases *bases);
struct forget_report; /* knowledge/forget.h */
struct fingerprint_way;
struct base_report_wish {
    struct arena *arena;
    const struct fingerprint_way *way; /* NULL: one of its own */
};
struct base_removed {
    uint64_t documents, files, bytes;
    struct forget_report *report; /* what stood in it; NULL: not asked for, or not known: */
    const char *unread;           /* ... as its index could not be read; or NULL */
};
/* Releases it. Report: NULL: none is wanted. ERR_INVALID: the default base; ERR_UNAVAILABLE: somebody works in it and did not end in time,
 * and nothing has changed. */
SUSPENDS bool base_delete(struct base **base, const struct base_report_wish *report,
                          struct base_removed *out, struct err *err) MUST_CHECK;

/* What base_delete() left of its files, where it could not remove them all; of a base that is there nothing. */
SUSPENDS bool bases_sweep(struct bases *bases, struct str id, struct err *err) MUST_CHECK;

/* Is there a file of that name in the directory of the base with this id? Without opening it. */
bool bases_has_file(struct bases *bases, struct str id, const char *name);
struct base_damage {
    struct str id;
    const char *why;
    bool of_facts; /* base.json; else the index, and no document is found */
};
/* How many are damaged, of those that were asked since the start and those whose facts cannot be read. `tell`, or NULL, is
 * called for each, under a lock: it waits for nothing. */
uint32_t bases_damaged(struct bases *bases, void (*tell)(void *ctx, const struct base_damage *),
                       void *ctx);
struct knowledge *bases_default(struct bases *bases);
/* Of every base that is open: ingest_runs_stop(). */
void bases_stop_runs(struct bases *bases);

/* ---- several at once ---- */
struct base_set {
    struct base *at[BASES_ASKED_MAX];
    size_t count;
};
/* A base that is not the default counts as model "<alias>/NAME" for the lists of models of who asks, and of who reads what
 * it answers from: ERR_DENIED. */
bool base_may_be_asked(struct base *base, const struct principal *who, struct err *err) MUST_CHECK;
/* By names, each once; none: the default base. A base that is not the default counts as model
 * "<alias>/NAME" for the lists of models of who asks: ERR_DENIED. */
SUSPENDS bool bases_choose(struct bases *bases, const struct str *names, size_t count,
                           const struct principal *who, struct base_set *out, struct err *err)
    MUST_CHECK;
void base_set_release(struct base_set *set); /* CLEANUP-able */
/* As the calls of one base; the citations say of which. Passages of several are merged by their scores; of
 * several answers the surest is given; where none answers, the refusal with the nearest passage. */
SUSPENDS bool bases_search(const struct base_set *set, struct arena *arena,
                           const struct knowledge_question *question, size_t limit,
                           struct passages_found *out, struct err *err) MUST_CHECK;
SUSPENDS bool bases_answer(const struct base_set *set, struct arena *arena,
                           const struct knowledge_question *question, struct grounded *out,
                           struct err *err) MUST_CHECK;

#endif
