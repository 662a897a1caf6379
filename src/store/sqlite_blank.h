/* store/sqlite_blank.h: what SQLite leaves of deleted rows in its pages, overwritten. Blocks. Siblings only. */
#ifndef WEIR_STORE_SQLITE_BLANK_H
#define WEIR_STORE_SQLITE_BLANK_H

#include <sqlite3.h>

#include "base/err.h"

/* Some megabytes from *at on, with the log folded in just before; *at: where to go on, -1: that was all. */
bool sqlite_blank(sqlite3 *db, int64_t *at, struct err *err) MUST_CHECK;

#endif
