/* knowledge/source_glob.h: patterns of names: which files, addresses or keys of a source are wanted.
 *   *   any characters but "/"        **  any characters
 *   ?   one character but "/"         other characters: themselves
 * "**" + "/" also fits nothing, so that "**" + "/x" fits "x". A pattern without "/" is of the last part of the
 * name; others of all of it. Several stand in one text with commas or spaces between.
 * Cost  pattern x name, whatever they are. */
#ifndef WEIR_KNOWLEDGE_SOURCE_GLOB_H
#define WEIR_KNOWLEDGE_SOURCE_GLOB_H

#include "base/str.h"

bool glob_fits(struct str pattern, struct str name);
bool globs_fit(struct str patterns, struct str name); /* any of them */
/* Of include (empty: all) and not of exclude. */
bool globs_want(struct str include, struct str exclude, struct str name);

#endif
