/* knowledge/source_web_internal.h: the parts of a crawl: source_web.c has the line of addresses, the sites and what is
 * asked next; source_web_page.c what becomes of a page. */
#ifndef WEIR_KNOWLEDGE_SOURCE_WEB_INTERNAL_H
#define WEIR_KNOWLEDGE_SOURCE_WEB_INTERNAL_H

#include "base/buf.h"
#include "base/table.h"
#include "knowledge/source.h"
#include "knowledge/source_fetch.h"
#include "knowledge/source_retry.h"
#include "knowledge/source_robots.h"
#include "knowledge/source_visit.h"

#define SITES_MAX 64u

enum entry_kind { PAGE, SITEMAP };
struct entry {
    struct url url;
    enum entry_kind kind;
    uint32_t depth;
};
struct site {
    struct str name;
    struct robots robots;
    enum { ROBOTS_UNKNOWN, ROBOTS_READ, ROBOTS_FORBID } state;
    mono_ns next_at;
    struct retrying retrying;
};
struct web {
    struct source_job *job;
    const struct source_spec *spec;
    struct arena *arena; /* of the job */
    struct buf line;     /* struct entry; what is before `at` was asked */
    size_t at;
    struct table seen;    /* addresses in the line, or led to */
    struct table aliased; /* addresses that were left for their canonical ones */
    struct site sites[SITES_MAX];
    size_t site_count, seed_sites;
    struct entry now;      /* the one that was given out */
    const char *forbidden; /* why it is not asked; or NULL */
    struct str
        cut; /* of a robots.txt that was not read to its end: told with the next page; or empty */
    bool full;
    bool led_inside;         /* a redirect was not followed that leads to what is ours */
    struct buf *keeping;     /* links of the page that is read, for its next visit; or NULL */
    char rules[VISIT_RULES]; /* by which links are chosen */
};
struct web_question {
    const struct url *url;
    struct fetching with;
    bool got_it;
    struct fetched got;
    struct err why;
};

/* Not everything was seen; the first reason is told. */
void web_incomplete(struct web *w, struct str why);
struct str web_product(struct str agent); /* "Weir/1.0 (...)": Weir */
bool web_wants(const struct web *w, const struct url *url);
bool web_push(struct web *w, const struct url *url, enum entry_kind kind, uint32_t depth,
              struct err *err) MUST_CHECK;
/* A reference of a page or sitemap; what is no address of the web, or not ours, is no news. */
bool web_push_reference(struct web *w, struct arena *scratch, const struct url *base,
                        struct str reference, const struct entry *like, struct err *err) MUST_CHECK;
struct site *web_site(struct web *w, const struct url *url, struct err *err);
struct fetching web_how(struct web *w);
/* One answer, when it is the site's turn, asked for again while it may yet come: false in *got_it, and why. false: the
 * run has to end. */
SUSPENDS bool web_ask(struct web *w, struct site *site, struct arena *scratch,
                      struct web_question *q, struct err *err) MUST_CHECK;
SUSPENDS bool web_fetch_page(void *self, struct arena *scratch, struct source_item *item,
                             struct content *out, struct err *err) MUST_CHECK;

#endif
