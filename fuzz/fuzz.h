/* fuzz/fuzz.h: what a target is. Each fuzz/NAME.c defines the one function below: any bytes go in, and
 * what must always hold is an ASSERT. libFuzzer looks for bytes that break it; fuzz/replay.c runs the
 * kept ones in every test run, without libFuzzer. */
#ifndef WEIR_FUZZ_FUZZ_H
#define WEIR_FUZZ_FUZZ_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target that has one is given it once, before the first input. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static inline struct str fuzz_text(const uint8_t *data, size_t size)
{
    return (struct str){size ? (const char *)data : "", size};
}

/* The first byte of an input chooses how the rest is used. */
static inline uint8_t fuzz_choice(struct str *text)
{
    uint8_t choice = text->len ? (uint8_t)*text->ptr : 0;

    *text = str_slice(*text, 1, text->len);
    return choice;
}

#endif
