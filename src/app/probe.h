/* app/probe.h: providers with a probe_interval are asked for their list of models that often, which costs
 * nothing; one that cannot be reached or answers 5xx counts against the breakers of its deployments, and
 * comes back when it answers again. Off unless a provider's settings say so. */
#ifndef WEIR_APP_PROBE_H
#define WEIR_APP_PROBE_H

#include "app/house.h"

void probe_loop(void *house); /* a fiber of loop 0, until its scope ends */

#endif
