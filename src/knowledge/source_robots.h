/* knowledge/source_robots.h: robots.txt, RFC 9309.
 * Groups    all groups that name our agent count together; where none does, those of "*".
 * Rules     the longest pattern that fits decides, of two the one that allows; "*" any bytes, "$" at the end
 *           the end. What no rule fits may be fetched. "/robots.txt" itself always.
 * Beside    Crawl-delay (no part of the RFC, and common), Sitemap (of all, whatever group they stand in).
 * Bounds    ROBOTS_BYTES_MAX, ROBOTS_RULES_MAX: what is behind them is not read, and that is told. */
#ifndef WEIR_KNOWLEDGE_SOURCE_ROBOTS_H
#define WEIR_KNOWLEDGE_SOURCE_ROBOTS_H

#include "base/arena.h"

#define ROBOTS_BYTES_MAX ((size_t)512 * KIB)
#define ROBOTS_RULES_MAX 10000u
#define ROBOTS_MAPS_MAX  100u

struct robots_rule {
    struct str pattern;
    bool allow;
};
struct robots {
    struct robots_rule *rules;
    size_t rule_count;
    struct str *maps; /* as written */
    size_t map_count;
    dur_ns delay; /* between two requests; 0: none is named */
    bool cut;     /* there was more than is read */
};
/* agent: the product's name, "Weir". Any bytes are read; what makes no sense is skipped. */
bool robots_read(struct arena *arena, struct str text, struct str agent, struct robots *out,
                 struct err *err) MUST_CHECK;
bool robots_allow(const struct robots *robots, struct str target); /* path and query */

#endif
