/* knowledge/source_links.h: what a page of HTML says to crawlers: where it leads, and what they may do with it.
 * Read      <a href>, <area href>, <base href>, <link rel=canonical>, <meta name=robots> (and of our own name);
 *           not what stands in comments, scripts, styles, templates' text or attributes of other elements.
 * Bounds    LINKS_MAX links; what is beyond is counted. Work grows with the page's bytes.
 * Pure. Fuzzed by fuzz/links.c: what it gives is text of the page or its entities, without control bytes. */
#ifndef WEIR_KNOWLEDGE_SOURCE_LINKS_H
#define WEIR_KNOWLEDGE_SOURCE_LINKS_H

#include "base/arena.h"

#define LINKS_MAX 5000u

struct page_links {
    struct str *at; /* references, as written; entities resolved */
    size_t count, beyond;
    struct str base, canonical; /* empty: none */
    bool no_index, no_follow;
};
/* agent: what we are called, for <meta name=AGENT>. */
bool page_links(struct arena *arena, struct str page, struct str agent, struct page_links *out,
                struct err *err) MUST_CHECK;
/* "noindex, nofollow", "none", with or without an agent before: X-Robots-Tag and content of meta. */
void robots_words(struct str text, struct str agent, bool *no_index, bool *no_follow);

#endif
