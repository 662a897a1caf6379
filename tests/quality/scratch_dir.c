#include "scratch_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

bool scratch_dir_make(char out[SCRATCH_DIR_MAX])
{
    const char *below = getenv("TMPDIR");
    int len = snprintf(out, SCRATCH_DIR_MAX, "%s/weir-quality-XXXXXX", below ? below : "/tmp");

    if (len < SCRATCH_DIR_MAX && mkdtemp(out))
        return true;
    perror(out);
    return false;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

void scratch_dir_remove(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
