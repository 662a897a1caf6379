/* tests/quality/headless.h: questions without a question word, made of those that have one; for training. */
#ifndef WEIR_TESTS_QUALITY_HEADLESS_H
#define WEIR_TESTS_QUALITY_HEADLESS_H

#include "base/arena.h"

/* STR_NONE: it cannot be said so. */
struct str headless(struct arena *arena, struct str question);

#endif
