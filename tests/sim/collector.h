/* tests/sim/collector.h: whoever gathers spans, as good or bad as the story says. */
#ifndef WEIR_TESTS_SIM_COLLECTOR_H
#define WEIR_TESTS_SIM_COLLECTOR_H

#include "story.h"
#include "sys/fiber.h"

#define COLLECTOR_URL "http://127.0.0.1:4318"

/* Listens, unless it is absent, and answers in children of `scope` until it ends. */
bool collector_open(struct story *story, struct scope *scope, struct err *err) MUST_CHECK;
void collector_close(void); /* after the scope */
/* What became of spans, by Weir's own count: "exported", "dropped", "lost", "rejected". */
uint64_t collector_spans(const char *outcome);

#endif
