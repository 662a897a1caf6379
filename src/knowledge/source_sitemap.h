/* knowledge/source_sitemap.h: sitemaps: lists of addresses as XML, as an index of such lists, or as text.
 * Bounds  SITEMAP_URLS_MAX addresses of one, and what a packed one unpacks to: ERR_TOO_LARGE.
 * Source  sitemaps.org, protocol 0.9. */
#ifndef WEIR_KNOWLEDGE_SOURCE_SITEMAP_H
#define WEIR_KNOWLEDGE_SOURCE_SITEMAP_H

#include "base/arena.h"

#define SITEMAP_URLS_MAX 50000u

struct sitemap {
    struct str *at; /* <loc>, as written */
    size_t count;
    bool is_index; /* they are sitemaps themselves */
};
/* ERR_INVALID: neither. */
bool sitemap_read(struct arena *arena, struct str text, struct sitemap *out, struct err *err)
    MUST_CHECK;
/* gzip unpacked to `max` bytes at most; what is not gzip stays as it is. */
bool gunzip(struct arena *arena, struct str bytes, size_t max, struct str *out, struct err *err)
    MUST_CHECK;

#endif
