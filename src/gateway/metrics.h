/* gateway/metrics.h: what is counted of requests: numbers, times, tokens, money, failures. Labels are
 * names of the catalogue, statuses and fixed words, never what a client made up. */
#ifndef WEIR_GATEWAY_METRICS_H
#define WEIR_GATEWAY_METRICS_H

#include "gateway/request.h"

void gateway_metrics_register(void); /* once, before loops run */
void metrics_begin(const struct request *req);
void metrics_end(const struct request *req, const struct err *why);

#endif
