/* base/pages.h: the blocks that arenas and network buffers are made of.
 * One pool for the process with a ceiling set at start. Sizes are powers of two from PAGE_BYTES to
 * PAGE_BYTES_MAX; freed blocks are kept per thread (a few) and then per process, so that a 256 KB
 * prompt does not fault its pages in anew each time. Blocks are not zeroed; poisoned under ASan
 * while free.
 * Threads  any; the lock is inside.  Errors  NULL when the ceiling is reached. */
#ifndef WEIR_BASE_PAGES_H
#define WEIR_BASE_PAGES_H

#include "base/base.h"

#define PAGE_BYTES     ((size_t)4096)
#define PAGE_BYTES_MAX ((size_t)64 * 1024 * 1024)

void pages_limit(size_t bytes_max);                        /* the ceiling; default 1 GiB */
void *pages_take(size_t at_least, size_t *got) MUST_CHECK; /* got: the real size of the block */
void pages_give(void *block, size_t got);
size_t pages_in_use(void);    /* bytes out, all threads: 0 when nothing leaks */
size_t pages_held(void);      /* bytes out plus bytes kept free */
void pages_trim(void);        /* give kept blocks back to the system */
void pages_thread_done(void); /* a thread that ends hands its kept blocks back */

#endif
