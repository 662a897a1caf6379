/* sys/path.h: where things are, by the kernel's word. Short calls; both may be made from a fiber. */
#ifndef WEIR_SYS_PATH_H
#define WEIR_SYS_PATH_H

#include "base/arena.h"

/* The path without links, "." and ".."; ERR_NOT_FOUND names what is missing. */
bool path_absolute(struct arena *arena, const char *path, struct str *out, struct err *err)
    MUST_CHECK;
/* Of the running program; empty when the kernel does not tell. */
struct str path_program(struct arena *arena);

#endif
