/* Runs a target over the files of its corpus, or over those named, each once: TAP on stdout.
 *   replay_NAME [FILE...]      from the top of the source tree when no file is given */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_BYTES_MAX MIB

static size_t kept; /* pages that the target's beginning holds for all inputs */

/* An exact copy on the heap, so that the address sanitizer sees a read past the end. */
static bool replay(const char *path)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");

    if (!file)
        return false;
    size_t len = fread(bytes, 1, sizeof bytes, file);
    bool whole = feof(file) && !ferror(file);
    fclose(file);
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy || !whole) {
        free(copy);
        return false;
    }
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    return pages_in_use() == kept;
}

/* The name comes first: what breaks a property does not return. */
static int replay_one(const char *path, int number)
{
    printf("# %s\n", path);
    bool ok = replay(path);
    printf("%sok %d - %s\n", ok ? "" : "not ", number, path);
    return ok ? 0 : 1;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_dir(const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, is_visible, alphasort), failed = 0;

    if (count <= 0) {
        printf("1..1\nnot ok 1 - no inputs in %s\n", dir);
        return 1;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        failed += replay_one(path, i + 1);
        free(entries[i]);
    }
    free(entries);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (LLVMFuzzerInitialize && LLVMFuzzerInitialize(&argc, &argv) != 0)
        return 1;
    kept = pages_in_use();
    if (argc < 2)
        return replay_dir(FUZZ_CORPUS);
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++)
        failed += replay_one(argv[i], i);
    return failed ? 1 : 0;
}
