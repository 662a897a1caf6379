/* tests/sim/provider.h: the providers of a story: HTTP and server-sent events written by hand, and
 * broken as the story says. */
#ifndef WEIR_TESTS_SIM_PROVIDER_H
#define WEIR_TESTS_SIM_PROVIDER_H

#include "story.h"
#include "sys/fiber.h"

#define PROVIDER_PAUSE (10 * SECOND) /* longer than the gap the house allows */

/* Listen and answer in children of `scope` until it ends. */
bool providers_open(struct story *story, struct scope *scope, struct err *err) MUST_CHECK;
const char *provider_url(int provider);
void providers_close(void); /* after the scope */

#endif
