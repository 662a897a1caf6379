/* A web site as a source: addresses wait in a line, each is asked once, what a page leads to joins the line.
 *   next()    the first of the line that may be asked; sitemaps are read on the way
 *   fetch()   waits for the site's turn, asks, reads what the page says to crawlers: source_web_page.c */
#include <string.h>

#include "base/hash.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/source_glob.h"
#include "knowledge/source_links.h"
#include "knowledge/source_sitemap.h"
#include "knowledge/source_web_internal.h"
#include "net/http.h"
#include "sys/file.h"

#define LINE_MAX_URLS  500000u
#define MAPS_DEPTH     3 /* an index of indexes of sitemaps */
#define SLEEP_SLICE    (200 * MILLISECOND)
#define LIST_BYTES_MAX (16 * MIB)
#define RATE_DEFAULT   60u
#define SITEMAP_BYTES  ((size_t)50 * MIB)

static char present;

void web_incomplete(struct web *w, struct str why)
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

bool web_wants(const struct web *w, const struct url *url)
{
    return is_inside(w, url) && globs_want(w->spec->include, w->spec->exclude,
                                           str_slice(url->target, 1, url->target.len));
}

/* --- the line --------------------------------------------------------------------------------- */

static bool keep_url(struct web *w, const struct url *from, struct url *to, struct err *err)
{
    return url_resolve(w->arena, NULL, from->text, to, err);
}

bool web_push(struct web *w, const struct url *url, enum entry_kind kind, uint32_t depth,
              struct err *err)
{
    struct entry place = {.kind = kind, .depth = depth};

    if (table_get(&w->seen, url->text))
        return true;
    if (w->line.len / sizeof place >= LINE_MAX_URLS) {
        if (!w->full)
            web_incomplete(w, STR("it leads to more than 500000 addresses: nothing is removed"));
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
bool web_push_reference(struct web *w, struct arena *scratch, const struct url *base,
                        struct str reference, const struct entry *like, struct err *err)
{
    struct err why = {0};
    struct url url;

    if (!url_resolve(scratch, base, reference, &url, &why))
        return why.code != ERR_EXHAUSTED || err_no_room(err, "no memory for addresses");
    if (like->kind == PAGE ? !web_wants(w, &url) : !is_inside(w, &url))
        return true;
    if (w->keeping) {
        buf_str(w->keeping, url.text);
        buf_char(w->keeping, '\n');
    }
    return web_push(w, &url, like->kind, like->depth, err);
}

/* --- sites ------------------------------------------------------------------------------------ */

struct site *web_site(struct web *w, const struct url *url, struct err *err)
{
    for (size_t i = 0; i < w->site_count; i++)
        if (str_eq(w->sites[i].name, url->site))
            return &w->sites[i];
    if (w->site_count == SITES_MAX) {
        err_set(err, ERR_TOO_LARGE, "more than %u sites in one source", SITES_MAX);
        return NULL;
    }
    struct site *site = &w->sites[w->site_count++];
    *site = (struct site){.name = arena_str(w->arena, url->site),
                          .retrying = {w->spec->retries, w->spec->retry_wait, 0}};
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
    w->led_inside = true;
    if (!site || site->state == ROBOTS_UNKNOWN)
        return web_push(w, to, w->now.kind, w->now.depth, err) &&
               err_set(err, ERR_DENIED, "which is asked by itself");
    if (site->state != ROBOTS_READ || !robots_allow(&site->robots, to->target))
        return err_set(err, ERR_DENIED, "which robots.txt forbids");
    w->led_inside = false;
    return true;
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

struct fetching web_how(struct web *w)
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

static bool ends_run(const struct err *why)
{
    return why->code == ERR_CANCELLED || (why->code == ERR_EXHAUSTED && why->sys);
}

/* What an answer's status is to be called, where it may have to be told. */
static void name_status(struct web_question *q)
{
    if (q->got_it && q->got.status >= 400)
        err_set(&q->why, ERR_UNAVAILABLE, "the server says %d %s", q->got.status,
                http_reason(q->got.status));
}

/* While one thing of a site is waited for, nothing else of it is asked. */
bool web_ask(struct web *w, struct site *site, struct arena *scratch, struct web_question *q,
             struct err *err)
{
    struct retry_so_far asked = {0};
    size_t mark = arena_mark(scratch);
    dur_ns wait = 0;

    for (;;) {
        arena_rewind(scratch, mark);
        q->why = (struct err){0};
        site->next_at = MAX_OF(site->next_at, fiber_now() + wait);
        if (!wait_turn(w, site, err))
            return false;
        q->got_it = web_fetch(scratch, q->url, &q->with, &q->got, &q->why);
        if (!q->got_it && ends_run(&q->why)) {
            *err = q->why;
            return false;
        }
        name_status(q);
        asked.times++;
        asked.asked_for = q->got_it ? q->got.retry_after : 0;
        if (q->got_it ? !retry_is_status(q->got.status) : !retry_is_error(&q->why)) {
            site->retrying.lost = 0;
            return true;
        }
        if (!retry_again(&site->retrying, &asked, &wait)) {
            retry_tell(&site->retrying, &asked, &q->why);
            return true;
        }
    }
}

static void forbid(struct web *w, struct site *site, const char *why)
{
    site->state = ROBOTS_FORBID;
    web_incomplete(w,
                   arena_fmt(w->arena,
                             "could not read " STR_FMT "/robots.txt (%s), so nothing there may be "
                             "asked and nothing is removed",
                             STR_ARG(site->name), why));
}

struct str web_product(struct str agent)
{
    return str_trim(
        str_slice(agent, 0, MIN_OF(str_find_char(agent, '/'), str_find_char(agent, ' '))));
}

/* RFC 9309, 2.3.1: 4xx allows everything, 5xx and silence nothing; so does "too many requests". */
static SUSPENDS bool read_robots(struct web *w, struct site *site, struct arena *scratch,
                                 struct err *err)
{
    struct url url;
    struct web_question q = {.url = &url, .with = web_how(w)};

    site->state = ROBOTS_READ;
    if (!w->spec->web.robots)
        return true;
    q.with.may = NULL;
    q.with.bytes_max = 2 * ROBOTS_BYTES_MAX;
    struct str where = arena_fmt(scratch, STR_FMT "/robots.txt", STR_ARG(site->name));
    if (!where.ptr || !url_resolve(scratch, NULL, where, &url, err))
        return err_arena(err, scratch);
    if (!web_ask(w, site, scratch, &q, err))
        return false;
    if (!q.got_it || q.got.status >= 500 || q.got.status == 429) {
        forbid(w, site, q.why.text);
        return true;
    }
    if (q.got.status < 200 || q.got.status >= 300)
        return true;
    struct str text = arena_str(w->arena, q.got.body);
    if (!text.ptr)
        return err_arena(err, w->arena);
    if (!robots_read(w->arena, text, web_product(w->spec->web.agent), &site->robots, err))
        return false;
    if (!site->robots.cut)
        return true;
    w->cut = arena_fmt(w->arena,
                       STR_FMT "/robots.txt has more than %zu KiB or %u rules: what is behind "
                               "them is not read, and not kept to",
                       STR_ARG(site->name), ROBOTS_BYTES_MAX / KIB, ROBOTS_RULES_MAX);
    return w->cut.ptr || err_arena(err, w->arena);
}

/* Sitemaps are named in robots.txt; a crawl that follows links reads them, too. */
static bool push_maps(struct web *w, struct site *site, struct arena *scratch, struct err *err)
{
    struct entry map = {.kind = SITEMAP, .depth = 0};
    struct url base;

    if (!url_resolve(scratch, NULL, site->name, &base, err))
        return false;
    for (size_t i = 0; w->spec->web.depth > 0 && i < site->robots.map_count; i++)
        if (!web_push_reference(w, scratch, &base, site->robots.maps[i], &map, err))
            return false;
    return true;
}

static SUSPENDS bool know_site(struct web *w, const struct url *url, struct arena *scratch,
                               struct site **out, struct err *err)
{
    struct site *site = web_site(w, url, err);

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
    web_incomplete(w, arena_fmt(w->arena, "sitemap " STR_FMT ": %s; nothing is removed",
                                STR_ARG(at->url.text), why));
    return true;
}

static SUSPENDS bool read_map(struct web *w, const struct entry *at, struct arena *scratch,
                              struct err *err)
{
    struct web_question q = {.url = &at->url, .with = web_how(w)};
    struct sitemap map;
    struct site *site;

    q.with.bytes_max = SITEMAP_BYTES;
    if (!know_site(w, &at->url, scratch, &site, err) || !web_ask(w, site, scratch, &q, err))
        return false;
    if (!q.got_it)
        return map_failed(w, at, q.why.text);
    if (q.got.status != 200)
        return map_failed(w, at, q.got.status == 404 ? "it is not there" : q.why.text);
    if (!gunzip(scratch, q.got.body, SITEMAP_BYTES, &q.got.body, &q.why) ||
        !sitemap_read(scratch, q.got.body, &map, &q.why))
        return map_failed(w, at, q.why.text);
    if (map.is_index && at->depth >= MAPS_DEPTH)
        return map_failed(w, at, "indexes of indexes are nested too deep");
    struct entry like = {.kind = map.is_index ? SITEMAP : PAGE,
                         .depth = map.is_index ? at->depth + 1 : 0};
    for (size_t i = 0; i < map.count; i++)
        if (!web_push_reference(w, scratch, &q.got.url, map.at[i], &like, err))
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
    if (!web_site(w, &url, err))
        return false;
    w->seed_sites = w->site_count;
    return web_push(w, &url, is_map_name(url.path) ? SITEMAP : PAGE, 0, err);
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

/* Links that were chosen by other sites or patterns are not those of today. */
static bool name_rules(struct web *w, struct err *err)
{
    struct buf b;

    buf_init(&b, w->arena, MIB);
    for (size_t i = 0; i < w->seed_sites; i++)
        buf_fmt(&b, STR_FMT "\n", STR_ARG(w->sites[i].name));
    buf_fmt(&b, STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(w->spec->web.hosts),
            STR_ARG(w->spec->include), STR_ARG(w->spec->exclude));
    struct sha256 hash = sha256(buf_view(&b));
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < VISIT_RULES; i++)
        w->rules[i] = digits[(hash.bytes[i / 2] >> (i % 2 ? 0 : 4)) & 15];
    return buf_ok(&b) || err_arena(err, w->arena);
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
    bool ok = str_starts(where, STR("file:")) ? push_list(w, str_slice(where, 5, where.len), err)
                                              : push_words(w, where, err);
    return ok && name_rules(w, err);
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

const struct source_kind source_web = {.blocks = false,
                                       .begin = open_web,
                                       .next = next,
                                       .fetch = web_fetch_page,
                                       .close = close_web};
