/* A web site as a source: addresses wait in a line, each is asked once, what a page leads to joins the line.
 *   next()    the first of the line that may be asked; sitemaps are read on the way
 *   fetch()   waits for the site's turn, asks, reads what the page says to crawlers
 * A page whose links count is asked without "if changed": what has not changed has no body, and its links would
 * be lost. Where no links are wanted (the last depth, and what is no HTML) the server may answer 304. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/source.h"
#include "knowledge/source_fetch.h"
#include "knowledge/source_glob.h"
#include "knowledge/source_links.h"
#include "knowledge/source_robots.h"
#include "knowledge/source_sitemap.h"
#include "sys/file.h"

#define LINE_MAX_URLS  500000u
#define SITES_MAX      64u
#define MAPS_DEPTH     3 /* an index of indexes of sitemaps */
#define SLEEP_SLICE    (200 * MILLISECOND)
#define LIST_BYTES_MAX (16 * MIB)
#define RATE_DEFAULT   60u
#define SITEMAP_BYTES  ((size_t)50 * MIB)

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
    bool full;
};

static char present;

static void incomplete(struct web *w, struct str why)
{
    w->job->incomplete = true;
    if (w->job->why.len == 0 && why.ptr)
        w->job->why = why;
}

/* --- what belongs to it ----------------------------------------------------------------------- */

static bool host_is_listed(struct str hosts, const struct url *url)
{
    struct str name = str_slice(url->site, str_find(url->site, STR("://")) + 3, url->site.len),
               part;

    for (struct str rest = hosts; rest.len > 0 && str_split(&rest, ',', &part);)
        if (str_eq_nocase(str_trim(part), name))
            return true;
    return false;
}

static bool is_inside(const struct web *w, const struct url *url)
{
    for (size_t i = 0; i < w->seed_sites; i++)
        if (str_eq(w->sites[i].name, url->site))
            return true;
    return host_is_listed(w->spec->web.hosts, url);
}

static bool is_wanted(const struct web *w, const struct url *url)
{
    return is_inside(w, url) && globs_want(w->spec->include, w->spec->exclude,
                                           str_slice(url->target, 1, url->target.len));
}

/* --- the line --------------------------------------------------------------------------------- */

static bool keep_url(struct web *w, const struct url *from, struct url *to, struct err *err)
{
    return url_resolve(w->arena, NULL, from->text, to, err);
}

static bool push(struct web *w, const struct url *url, enum entry_kind kind, uint32_t depth,
                 struct err *err)
{
    struct entry place = {.kind = kind, .depth = depth};

    if (table_get(&w->seen, url->text))
        return true;
    if (w->line.len / sizeof place >= LINE_MAX_URLS) {
        if (!w->full)
            incomplete(w, STR("it leads to more than 500000 addresses: nothing is removed"));
        w->full = true;
        return true;
    }
    if (!keep_url(w, url, &place.url, err))
        return false;
    if (!table_put(&w->seen, place.url.text, &present, NULL))
        return err_arena(err, w->arena);
    buf_put(&w->line, &place, sizeof place);
    w->job->known = w->line.len / sizeof place;
    return buf_ok(&w->line) || err_arena(err, w->arena);
}

/* A reference of a page or sitemap; what is no address of the web, or not ours, is no news. */
static bool push_reference(struct web *w, struct arena *scratch, const struct url *base,
                           struct str reference, const struct entry *like, struct err *err)
{
    struct err why = {0};
    struct url url;

    if (!url_resolve(scratch, base, reference, &url, &why))
        return why.code != ERR_EXHAUSTED || err_no_room(err, "no memory for addresses");
    if (like->kind == PAGE ? !is_wanted(w, &url) : !is_inside(w, &url))
        return true;
    return push(w, &url, like->kind, like->depth, err);
}

/* --- sites ------------------------------------------------------------------------------------ */

static struct site *site_of(struct web *w, const struct url *url, struct err *err)
{
    for (size_t i = 0; i < w->site_count; i++)
        if (str_eq(w->sites[i].name, url->site))
            return &w->sites[i];
    if (w->site_count == SITES_MAX) {
        err_set(err, ERR_TOO_LARGE, "more than %u sites in one source", SITES_MAX);
        return NULL;
    }
    struct site *site = &w->sites[w->site_count++];
    *site = (struct site){.name = arena_str(w->arena, url->site)};
    return site;
}

/* A redirect is a link: inside, and by robots.txt. Where that is not known yet, it is asked by itself. */
static bool may_go(void *ctx, const struct url *to, struct err *err)
{
    struct web *w = ctx;
    struct site *site = NULL;

    if (!is_inside(w, to))
        return err_set(err, ERR_DENIED, "which is not of this source");
    for (size_t i = 0; i < w->site_count && !site; i++)
        if (str_eq(w->sites[i].name, to->site))
            site = &w->sites[i];
    if (!site || site->state == ROBOTS_UNKNOWN)
        return push(w, to, w->now.kind, w->now.depth, err) &&
               err_set(err, ERR_DENIED, "which is asked by itself");
    return (site->state == ROBOTS_READ && robots_allow(&site->robots, to->target)) ||
           err_set(err, ERR_DENIED, "which robots.txt forbids");
}

static SUSPENDS bool wait_turn(struct web *w, struct site *site, struct err *err)
{
    uint32_t rate = w->spec->web.rate ? w->spec->web.rate : RATE_DEFAULT;
    dur_ns gap = MAX_OF(60 * SECOND / rate, site->robots.delay);

    while (fiber_now() < site->next_at) {
        if (run_is_stopped(w->job->run))
            return err_set(err, ERR_CANCELLED, "stopped");
        if (!fiber_sleep(MIN_OF(site->next_at - fiber_now(), SLEEP_SLICE), err))
            return false;
    }
    site->next_at = fiber_now() + gap;
    return true;
}

static struct fetching how(struct web *w)
{
    size_t own = w->spec->item_bytes, most = w->job->knowledge->file_bytes_max;

    return (struct fetching){.agent = w->spec->web.agent,
                             .private_addresses = w->spec->web.private_addresses,
                             .bytes_max = own ? MIN_OF(own, most) : most,
                             .etag = STR(""),
                             .modified = STR(""),
                             .may = may_go,
                             .ctx = w};
}

static void forbid(struct web *w, struct site *site, const char *why)
{
    site->state = ROBOTS_FORBID;
    incomplete(w, arena_fmt(w->arena,
                            "could not read " STR_FMT "/robots.txt (%s), so nothing there may be "
                            "asked and nothing is removed",
                            STR_ARG(site->name), why));
}

static struct str product(struct str agent)
{
    return str_trim(
        str_slice(agent, 0, MIN_OF(str_find_char(agent, '/'), str_find_char(agent, ' '))));
}

/* RFC 9309, 2.3.1: 4xx allows everything, 5xx and silence nothing. */
static SUSPENDS bool read_robots(struct web *w, struct site *site, struct arena *scratch,
                                 struct err *err)
{
    struct fetching with = how(w);
    struct fetched got;
    struct url url;
    struct err why = {0};
    char status[32];

    site->state = ROBOTS_READ;
    if (!w->spec->web.robots)
        return true;
    with.may = NULL;
    with.bytes_max = 2 * ROBOTS_BYTES_MAX;
    struct str where = arena_fmt(scratch, STR_FMT "/robots.txt", STR_ARG(site->name));
    if (!where.ptr || !url_resolve(scratch, NULL, where, &url, err))
        return err_arena(err, scratch);
    if (!wait_turn(w, site, err))
        return false;
    if (!web_fetch(scratch, &url, &with, &got, &why)) {
        if (why.code == ERR_CANCELLED) {
            *err = why;
            return false;
        }
        forbid(w, site, why.text);
        return true;
    }
    if (got.status >= 500) {
        (void)snprintf(status, sizeof status, "status %d", got.status);
        forbid(w, site, status);
    }
    if (got.status < 200 || got.status >= 300)
        return true;
    struct str text = arena_str(w->arena, str_slice(got.body, 0, ROBOTS_BYTES_MAX));
    return text.ptr ? robots_read(w->arena, text, product(w->spec->web.agent), &site->robots, err)
                    : err_arena(err, w->arena);
}

/* Sitemaps are named in robots.txt; a crawl that follows links reads them, too. */
static bool push_maps(struct web *w, struct site *site, struct arena *scratch, struct err *err)
{
    struct entry map = {.kind = SITEMAP, .depth = 0};
    struct url base;

    if (!url_resolve(scratch, NULL, site->name, &base, err))
        return false;
    for (size_t i = 0; w->spec->web.depth > 0 && i < site->robots.map_count; i++)
        if (!push_reference(w, scratch, &base, site->robots.maps[i], &map, err))
            return false;
    return true;
}

static SUSPENDS bool know_site(struct web *w, const struct url *url, struct arena *scratch,
                               struct site **out, struct err *err)
{
    struct site *site = site_of(w, url, err);

    if (!site)
        return false;
    if (site->state == ROBOTS_UNKNOWN &&
        (!read_robots(w, site, scratch, err) || !push_maps(w, site, scratch, err)))
        return false;
    *out = site;
    return true;
}

/* --- sitemaps --------------------------------------------------------------------------------- */

static bool map_failed(struct web *w, const struct entry *at, const char *why)
{
    incomplete(w, arena_fmt(w->arena, "sitemap " STR_FMT ": %s; nothing is removed",
                            STR_ARG(at->url.text), why));
    return true;
}

static SUSPENDS bool read_map(struct web *w, const struct entry *at, struct arena *scratch,
                              struct err *err)
{
    struct fetching with = how(w);
    struct fetched got;
    struct sitemap map;
    struct site *site;
    struct err why = {0};

    with.bytes_max = SITEMAP_BYTES;
    if (!know_site(w, &at->url, scratch, &site, err) || !wait_turn(w, site, err))
        return false;
    if (!web_fetch(scratch, &at->url, &with, &got, &why)) {
        if (why.code != ERR_CANCELLED)
            return map_failed(w, at, why.text);
        *err = why;
        return false;
    }
    if (got.status != 200)
        return map_failed(w, at, got.status == 404 ? "it is not there" : "it was not given");
    if (!gunzip(scratch, got.body, SITEMAP_BYTES, &got.body, &why) ||
        !sitemap_read(scratch, got.body, &map, &why))
        return map_failed(w, at, why.text);
    if (map.is_index && at->depth >= MAPS_DEPTH)
        return map_failed(w, at, "indexes of indexes are nested too deep");
    struct entry like = {.kind = map.is_index ? SITEMAP : PAGE,
                         .depth = map.is_index ? at->depth + 1 : 0};
    for (size_t i = 0; i < map.count; i++)
        if (!push_reference(w, scratch, &got.url, map.at[i], &like, err))
            return false;
    return true;
}

/* --- beginning -------------------------------------------------------------------------------- */

static bool is_map_name(struct str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/')
        from--;
    struct str name = str_slice(path, from, path.len);
    return str_ends(name, STR(".xml")) || str_ends(name, STR(".xml.gz")) ||
           (str_find(name, STR("sitemap")) < name.len &&
            (str_ends(name, STR(".txt")) || str_ends(name, STR(".gz"))));
}

static bool push_seed(struct web *w, struct str text, struct err *err)
{
    struct url url;

    if (!url_resolve(w->arena, NULL, text, &url, err))
        return err_wrap(err, "address \"" STR_FMT "\"", STR_ARG(str_slice(text, 0, 100)));
    if (!site_of(w, &url, err))
        return false;
    w->seed_sites = w->site_count;
    return push(w, &url, is_map_name(url.path) ? SITEMAP : PAGE, 0, err);
}

static bool push_words(struct web *w, struct str text, struct err *err)
{
    size_t at = 0;

    while (at < text.len) {
        size_t end = at;

        while (end < text.len && !strchr(" \t\r\n,", text.ptr[end]))
            end++;
        if (end > at && !push_seed(w, str_slice(text, at, end), err))
            return false;
        at = end + 1;
    }
    return true;
}

/* "file:/path": a list of addresses, a line each. */
static bool push_list(struct web *w, struct str path, struct err *err)
{
    struct str name = arena_str(w->arena, path), text;

    if (!name.ptr)
        return err_arena(err, w->arena);
    return file_load(w->arena, name.ptr, LIST_BYTES_MAX, &text, err) && push_words(w, text, err);
}

static bool open_web(struct source_job *job, void **self, struct err *err)
{
    struct web *w = arena_alloc(job->arena, sizeof *w);
    struct str where = job->spec->location;

    if (!w)
        return err_arena(err, job->arena);
    w->job = job;
    w->spec = job->spec;
    w->arena = job->arena;
    buf_init(&w->line, job->arena, (size_t)LINE_MAX_URLS * sizeof(struct entry));
    table_init(&w->seen, job->arena, 4 * LINE_MAX_URLS);
    table_init(&w->aliased, job->arena, LINE_MAX_URLS);
    *self = w;
    if (str_starts(where, STR("file:")))
        return push_list(w, str_slice(where, 5, where.len), err);
    return push_words(w, where, err);
}

static void close_web(void **self)
{
    *self = NULL; /* all of it is the job's */
}

/* --- next ------------------------------------------------------------------------------------- */

static SUSPENDS bool choose(struct web *w, struct arena *scratch, bool *given, struct err *err)
{
    struct site *site;

    *given = false;
    if (w->now.kind == SITEMAP)
        return read_map(w, &w->now, scratch, err);
    if (!know_site(w, &w->now.url, scratch, &site, err))
        return false;
    if (site->state == ROBOTS_FORBID)
        w->forbidden = "robots.txt of its site could not be read";
    else if (!robots_allow(&site->robots, w->now.url.target))
        w->forbidden = "robots.txt forbids it";
    else
        w->forbidden = NULL;
    *given = true;
    return true;
}

static SUSPENDS bool next(void *self, struct arena *scratch, struct source_item *out, bool *more,
                          struct err *err)
{
    struct web *w = self;
    bool given = false;

    while (!given && w->at < w->line.len / sizeof(struct entry)) {
        memcpy(&w->now, w->line.ptr + w->at++ * sizeof w->now, sizeof w->now);
        size_t mark = arena_mark(scratch);
        if (!choose(w, scratch, &given, err))
            return false;
        arena_rewind(scratch, mark);
    }
    *more = given;
    if (given)
        out->item = (struct item){
            .source = w->now.url.text, .shown = w->now.url.text, .mark = STR(""), .title = STR("")};
    return true;
}

/* --- fetch ------------------------------------------------------------------------------------ */

static const struct {
    const char *media;
    enum document_type type;
} media_types[] = {
    {"text/html", DOCUMENT_HTML},
    {"application/xhtml+xml", DOCUMENT_HTML},
    {"text/markdown", DOCUMENT_MARKDOWN},
    {"text/csv", DOCUMENT_CSV},
    {"text/tab-separated-values", DOCUMENT_CSV},
    {"application/json", DOCUMENT_JSON},
    {"application/ld+json", DOCUMENT_JSON},
    {"application/x-ndjson", DOCUMENT_JSON},
    {"application/pdf", DOCUMENT_PDF},
    {"message/rfc822", DOCUMENT_MAIL},
    {"application/epub+zip", DOCUMENT_EPUB},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", DOCUMENT_DOCX},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", DOCUMENT_XLSX},
    {"application/vnd.openxmlformats-officedocument.presentationml.presentation", DOCUMENT_PPTX},
    {"application/vnd.oasis.opendocument.text", DOCUMENT_ODF},
    {"application/vnd.oasis.opendocument.spreadsheet", DOCUMENT_ODF},
    {"application/vnd.oasis.opendocument.presentation", DOCUMENT_ODF},
};

/* What the server says; where that says little, the name's ending. */
static bool type_of(const struct fetched *got, enum document_type *out)
{
    struct str type = got->type;

    for (size_t i = 0; i < ARRAY_LEN(media_types); i++)
        if (str_eq(type, str_from(media_types[i].media))) {
            *out = media_types[i].type;
            return true;
        }
    bool vague = type.len == 0 || str_eq(type, STR("text/plain")) ||
                 str_eq(type, STR("application/octet-stream")) ||
                 str_eq(type, STR("binary/octet-stream"));
    if (vague && document_type_of(got->url.path, out))
        return true;
    *out = DOCUMENT_TEXT;
    return str_starts(type, STR("text/"));
}

/* "etag \n last-modified \n h": h for pages, whose links count. */
static struct str mark_part(struct str mark, int which)
{
    struct str part = STR("");

    for (int i = 0; i <= which; i++)
        if (mark.len == 0 || !str_split(&mark, '\n', &part))
            return STR("");
    return part;
}

static void refuse(struct content *out, enum outcome outcome, const char *why)
{
    out->outcome = outcome;
    err_set(&out->why, ERR_INVALID, "%s", why);
}

static bool answer_failed(struct web *w, const struct fetched *got, struct content *out)
{
    if (got->status == 200 || got->status == 203)
        return false;
    if (got->status == 304) {
        out->outcome = OUTCOME_SAME;
        return true;
    }
    out->outcome = got->status == 404 || got->status == 410 ? OUTCOME_GONE : OUTCOME_FAIL;
    err_set(&out->why, ERR_UNAVAILABLE, "the server says %d %s", got->status,
            http_reason(got->status));
    if (out->outcome == OUTCOME_FAIL) /* what it would lead to is not known */
        incomplete(w, arena_fmt(w->arena, STR_FMT " answered %d: nothing is removed",
                                STR_ARG(got->url.text), got->status));
    return true;
}

/* The address under which the page wants to be known. true: not this one, which is told. */
static bool is_alias(struct web *w, struct arena *scratch, const struct fetched *got,
                     const struct page_links *links, struct content *out)
{
    struct err ignored = {0};
    struct url canonical;

    if (links->canonical.len == 0 ||
        !url_resolve(scratch, &got->url, links->canonical, &canonical, &ignored) ||
        str_eq(canonical.text, got->url.text) || !is_wanted(w, &canonical))
        return false;
    if (table_get(&w->aliased, canonical.text)) /* they name each other, or go in a ring */
        return false;
    struct str from = arena_str(w->arena, got->url.text);
    if (!from.ptr || !table_put(&w->aliased, from, &present, NULL) ||
        !push(w, &canonical, PAGE, w->now.depth, &ignored))
        return false;
    out->outcome = OUTCOME_SKIP;
    err_set(&out->why, ERR_INVALID, "its canonical address is " STR_FMT,
            STR_ARG(str_slice(canonical.text, 0, 150)));
    return true;
}

static bool read_page(struct web *w, struct arena *scratch, const struct fetched *got,
                      struct content *out, struct err *err)
{
    struct entry like = {.kind = PAGE, .depth = w->now.depth + 1};
    struct str agent = product(w->spec->web.agent);
    struct page_links links;
    struct url base = got->url;
    struct err ignored = {0};

    if (!page_links(scratch, got->body, agent, &links, err))
        return false;
    robots_words(got->robots, agent, &links.no_index, &links.no_follow);
    if (links.base.len > 0 && !url_resolve(scratch, &got->url, links.base, &base, &ignored))
        base = got->url;
    for (size_t i = 0; !links.no_follow && w->now.depth < w->spec->web.depth && i < links.count;
         i++) {
        size_t mark = arena_mark(scratch);

        if (!push_reference(w, scratch, &base, links.at[i], &like, err))
            return false;
        arena_rewind(scratch, mark);
    }
    if (links.beyond > 0) {
        incomplete(w, STR_NONE);
        out->note = arena_fmt(scratch, "%zu of its links were not looked at: more than %u",
                              links.beyond, LINKS_MAX);
    }
    if (links.no_index)
        refuse(out, OUTCOME_SKIP, "it says noindex");
    else
        (void)is_alias(w, scratch, got, &links, out);
    return true;
}

/* Led elsewhere: it is known under the address where it was found. */
static bool was_led(struct web *w, struct source_item *item, const struct fetched *got,
                    struct content *out, struct err *err)
{
    if (str_eq(got->url.text, w->now.url.text))
        return true;
    if (table_get(&w->seen, got->url.text) || !is_wanted(w, &got->url)) {
        out->outcome = OUTCOME_SKIP;
        err_set(&out->why, ERR_INVALID, "it leads to " STR_FMT,
                STR_ARG(str_slice(got->url.text, 0, 150)));
        return true;
    }
    struct str name = arena_str(w->arena, got->url.text);
    if (!name.ptr || !table_put(&w->seen, name, &present, NULL))
        return err_arena(err, w->arena);
    item->item.source = item->item.shown = name;
    return true;
}

static bool take_answer(struct web *w, struct arena *scratch, struct source_item *item,
                        const struct fetched *got, struct content *out, struct err *err)
{
    bool html;

    item->item.mark = item->known_mark;
    if (answer_failed(w, got, out))
        return true;
    if (!was_led(w, item, got, out, err) || out->outcome != OUTCOME_BYTES)
        return out->outcome != OUTCOME_BYTES;
    if (!type_of(got, &item->item.type)) {
        out->outcome = OUTCOME_SKIP;
        err_set(&out->why, ERR_INVALID, "of type " STR_FMT ", which is not read",
                STR_ARG(str_slice(got->type, 0, 100)));
        return true;
    }
    html = item->item.type == DOCUMENT_HTML;
    item->item.mark = arena_fmt(scratch, STR_FMT "\n" STR_FMT "\n%s", STR_ARG(got->etag),
                                STR_ARG(got->modified), html ? "h" : "");
    if (!item->item.mark.ptr)
        return err_arena(err, scratch);
    out->bytes = got->body;
    if (html)
        return read_page(w, scratch, got, out, err);
    bool no_index = false, ignored = false;
    robots_words(got->robots, product(w->spec->web.agent), &no_index, &ignored);
    if (no_index)
        refuse(out, OUTCOME_SKIP, "it says noindex");
    return true;
}

static SUSPENDS bool fetch_page(void *self, struct arena *scratch, struct source_item *item,
                                struct content *out, struct err *err)
{
    struct web *w = self;
    struct fetching with = how(w);
    struct fetched got;
    struct site *site = site_of(w, &w->now.url, err);
    bool has_links = str_eq(mark_part(item->known_mark, 2), STR("h"));

    if (!site)
        return false;
    if (w->forbidden) {
        refuse(out, site->state == ROBOTS_FORBID ? OUTCOME_FAIL : OUTCOME_SKIP, w->forbidden);
        return true;
    }
    if (!has_links || w->now.depth >= w->spec->web.depth) {
        with.etag = mark_part(item->known_mark, 0);
        with.modified = mark_part(item->known_mark, 1);
    }
    if (!wait_turn(w, site, err))
        return false;
    if (web_fetch(scratch, &w->now.url, &with, &got, &out->why))
        return take_answer(w, scratch, item, &got, out, err);
    if (out->why.code == ERR_CANCELLED || (out->why.code == ERR_EXHAUSTED && out->why.sys)) {
        *err = out->why;
        return false;
    }
    bool denied = out->why.code == ERR_DENIED || out->why.code == ERR_TOO_LARGE;
    out->outcome = denied ? OUTCOME_SKIP : OUTCOME_FAIL;
    if (!denied)
        incomplete(w, arena_fmt(w->arena, STR_FMT " could not be had: nothing is removed",
                                STR_ARG(w->now.url.text)));
    return true;
}

const struct source_kind source_web = {.blocks = false,
                                       .begin = open_web,
                                       .next = next,
                                       .fetch = fetch_page,
                                       .close = close_web};
