/* sys/snapshot.h: publish an immutable object; readers keep the one they borrowed until they release
 * it; the last reader of an old one frees it. Readers may hold 65,535 versions at once.
 * Threads  any.  Cost  two atomic operations a borrow. */
#ifndef WEIR_SYS_SNAPSHOT_H
#define WEIR_SYS_SNAPSHOT_H

#include "base/base.h"

struct snapshot; /* the place where the newest stands */
struct snapshot *snapshot_new(void (*free_object)(void *object));
void snapshot_publish(struct snapshot *s, void *object); /* takes ownership */
/* The newest object, NULL before the first publish. *held is what snapshot_release() wants. */
const void *snapshot_borrow(struct snapshot *s, void **held);
void snapshot_release(void **held);                  /* CLEANUP-able */
uint64_t snapshot_version(const struct snapshot *s); /* counts publishes */
void snapshot_free(struct snapshot **s);

#endif
