/* tests/quality/scratch_dir.h: where the tools of this folder put an index while they measure. */
#ifndef WEIR_TESTS_QUALITY_SCRATCH_DIR_H
#define WEIR_TESTS_QUALITY_SCRATCH_DIR_H

#include "base/base.h"

#define SCRATCH_DIR_MAX 256
/* A new one below $TMPDIR, else below /tmp. False: it could not be made, which is printed. */
bool scratch_dir_make(char out[SCRATCH_DIR_MAX]);
void scratch_dir_remove(const char *dir); /* with all that is in it */

#endif
