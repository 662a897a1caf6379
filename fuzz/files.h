/* fuzz/files.h: what targets over files share: a directory that goes with the process, and an input that says what to
 * change in a file's bytes: how much is cut off (2 bytes), then changes of 6 bytes each: where (2), and what (4). */
#ifndef WEIR_FUZZ_FILES_H
#define WEIR_FUZZ_FILES_H

#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#define FUZZ_DIR "/tmp/weir-fuzz-XXXXXX"

static inline int fuzz_remove_one(const char *path, const struct stat *info, int flag,
                                  struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static inline void fuzz_remove_all(const char *dir)
{
    (void)nftw(dir, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Little-endian. */
static inline uint32_t fuzz_number(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;

    for (size_t i = 0; i < count; i++)
        value |= (uint32_t)bytes[i] << (8 * i);
    return value;
}

/* A copy of the bytes, changed; a place counts in steps of so many bytes. */
static inline struct str fuzz_change(struct arena *arena, struct str from, size_t step,
                                     const uint8_t *data, size_t size)
{
    size_t len = size >= 2 ? from.len - fuzz_number(data, 2) % from.len : from.len;
    char *bytes = arena_alloc(arena, from.len);

    ASSERT(bytes);
    memcpy(bytes, from.ptr, from.len);
    for (size_t i = 2; i + 6 <= size; i += 6)
        memcpy(bytes + fuzz_number(data + i, 2) * step % (from.len - 3), data + i + 2, 4);
    return (struct str){bytes, len};
}

#endif
