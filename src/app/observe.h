/* app/observe.h: what a monitoring system asks: /metrics (OpenMetrics), /healthz, /readyz. No key is
 * needed for them; nothing in them names a person, a prompt or a key. */
#ifndef WEIR_APP_OBSERVE_H
#define WEIR_APP_OBSERVE_H

#include "app/house.h"
#include "net/http_server.h"

void observe_register(void);              /* every metric of the process; once, before threads */
SUSPENDS void observe_loop(void *house);  /* a fiber of every loop: its gauges, each second */
SUSPENDS void observe_house(void *house); /* a fiber of one loop: the gauges of the process */
void observe_ready(bool ready); /* true once all listeners stand, false from the first SIGTERM */
SUSPENDS void observe_metrics(struct http_exchange *x, struct house *house);
SUSPENDS void observe_health(struct http_exchange *x,
                             struct house *house); /* the process answers */
SUSPENDS void observe_readiness(struct http_exchange *x,
                                struct house *house); /* it takes requests */

#endif
