/* knowledge/sources.h: the sources of the settings: when they run, who may see it, and who stops them.
 * When     at the start, then every so often as the settings say; folders also when something in them changes.
 *          One run of a source at a time. A paused one runs when somebody asks for it, and not by itself; that
 *          is kept over restarts.
 * Watched  folders by the kernel: a run follows WATCH_QUIET after the last change, WATCH_LATEST after the first.
 *          Each run compares everything, so nothing hangs on a single event.
 * Threads  any; sources_loop() is a fiber of one loop. */
#ifndef WEIR_KNOWLEDGE_SOURCES_H
#define WEIR_KNOWLEDGE_SOURCES_H

#include "knowledge/bases.h"
#include "knowledge/source.h"

#define SOURCES_MAX  64
#define WATCH_QUIET  SECOND
#define WATCH_LATEST (10 * SECOND)

struct sources;
struct sources_options {
    struct bases *bases;
    const struct source_spec *specs; /* outlive the sources */
    size_t count;
    const char *state_file; /* which are paused */
    struct pool *pool;      /* for that, and for looking for folders to watch */
};
/* Blocks. */
bool sources_open(struct arena *arena, const struct sources_options *options, struct sources **out,
                  struct err *err) MUST_CHECK;
void sources_close(struct sources **sources);
SUSPENDS void sources_loop(void *sources);

struct source_view {
    const struct source_spec *spec;
    bool paused, going, watched;
    uint64_t run;       /* the last, or the one that goes on; 0: none since the start */
    wall_ms next;       /* when it runs by itself; 0: not by time */
    struct str problem; /* why its last run failed, or why it is not watched; empty: nothing */
};
/* Of a base, by its name or id as the settings have it; base STR_NONE: of all. */
bool source_list(struct sources *sources, struct arena *arena, struct str base,
                 struct source_view **out, size_t *count, struct err *err) MUST_CHECK;
/* ERR_NOT_FOUND. */
bool source_find(struct sources *sources, struct arena *arena, struct str name,
                 struct source_view *out, struct err *err) MUST_CHECK;
/* Begins a run, or gives the one that goes on. */
SUSPENDS bool source_start(struct sources *sources, struct str name, bool force, uint64_t *run,
                           struct err *err) MUST_CHECK;
SUSPENDS bool source_pause(struct sources *sources, struct str name, bool paused, struct err *err)
    MUST_CHECK;

#endif
