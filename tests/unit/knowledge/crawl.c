/* Runs of sources over a network: a site of the test's own, crawled by the driver as it is. */
#include <stdio.h>
#include <string.h>

#include "../net/net_rig.h"
#include "base/fault.h"
#include "knowledge/runs.h"
#include "knowledge/source.h"
#include "rig.h"
#include "sys/pool.h"

#define PAGES_MAX 16

struct page {
    const char *path, *answer; /* the whole of it, from the status line on; NULL: hangs */
    int asked;
};
static struct {
    struct page pages[PAGES_MAX];
    size_t count;
    char last[4096]; /* the newest question */
} site;

static struct page *page_of(const char *path)
{
    for (size_t i = 0; i < site.count; i++)
        if (strcmp(site.pages[i].path, path) == 0)
            return &site.pages[i];
    return NULL;
}

static void page_is(const char *path, const char *answer)
{
    struct page *page = page_of(path);

    if (!page)
        page = &site.pages[site.count++];
    ASSERT(site.count <= PAGES_MAX);
    page->path = path;
    page->answer = answer;
}

#define HTML(text)   "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" text
#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static bool hear_question(struct sock *s)
{
    struct err err = {0};
    size_t len = 0, got = 1;

    memset(site.last, 0, sizeof site.last);
    while (len < sizeof site.last - 1 && !strstr(site.last, "\r\n\r\n") && got > 0) {
        if (!sock_read(s, site.last + len, sizeof site.last - 1 - len, &got, &err))
            return false;
        len += got;
    }
    return got > 0;
}

static void serve(struct sock *s, int number)
{
    struct err err = {0};
    struct event never = {0};
    char path[256] = "";
    (void)number;

    if (!hear_question(s) || sscanf(site.last, "GET %255s ", path) != 1)
        return;
    struct page *page = page_of(path);
    if (page)
        page->asked++;
    if (page && !page->answer)
        (void)!event_wait(&never, &err);
    else
        say_text(s, page ? page->answer : STATUS("404 Not Found"));
}

/* --- a base with pools, and one source -------------------------------------------------------- */

struct crawl {
    struct fake fake;
    struct rig rig;
    struct pool *pool;
    struct source_spec spec;
    struct ingest_report report;
    struct err err;
    bool ok, over;
};

static bool crawl_open(struct crawl *c)
{
    struct pool_options one = {.name = "ingest", .threads = 1, .queue_max = 4};
    struct knowledge_options options = {.readers = {.argv = rig_reader}};

    *c = (struct crawl){.rig = {.arena = arena_new(64 * MIB), .dir = test_dir()}};
    http_client_init(NULL);
    memset(&site, 0, sizeof site);
    c->pool = pool_new(&one, &c->err);
    options.dir = rig_path(&c->rig, "base");
    options.pool = options.ingest = c->pool;
    if (!c->pool || !knowledge_open(&options, &c->rig.knowledge, &c->err) ||
        !fake_start(&c->fake, serve)) {
        EXPECT(false, "%s", c->err.text);
        return false;
    }
    c->spec = (struct source_spec){
        .name = STR("site"),
        .type = SOURCE_WEB,
        .location = arena_fmt(c->rig.arena, "%s/", c->fake.url),
        .delete_percent = 100,
        .web = {.agent = STR("Weir"), .depth = 3, .rate = 600000, .private_addresses = true}};
    return true;
}

static void crawl_close(struct crawl *c)
{
    fake_stop(&c->fake);
    knowledge_close(&c->rig.knowledge);
    pool_free(&c->pool);
    arena_end(&c->rig.arena);
}

static void crawl_now(void *arg)
{
    struct crawl *c = arg;
    struct run_slot *run;

    c->err = (struct err){0};
    c->report = (struct ingest_report){0};
    c->over = false;
    c->ok = run_begin(c->rig.knowledge->runs, c->spec.name, true, &run, &c->err) &&
            source_run(&c->spec, c->rig.knowledge, &run, false, &c->report, &c->err);
    c->over = true;
}

/* Nobody holds the index's writer. */
static bool is_free(struct crawl *c)
{
    struct lexical_writer *writer = NULL;
    struct err err = {0};
    bool ok = lexical_begin(index_of(c->rig.knowledge, &err), &writer, &err);

    lexical_abandon(&writer);
    return ok;
}

static void three_pages(void)
{
    page_is("/", HTML("<title>Home</title><p>The gate opens at nine.</p>"
                      "<a href=/a>a</a> <a href=/b>b</a>"));
    page_is("/a", HTML("<p>Apples cost three euros.</p>"));
    page_is("/b", HTML("<p>Pears cost four euros.</p>"));
}

FIBER_TEST(a_crawl_comes_to_its_end)
{
    struct crawl c;

    REQUIRE(crawl_open(&c));
    three_pages();
    crawl_now(&c);
    EXPECT(c.ok && c.report.added == 3 && is_free(&c), "%s", c.err.text);
    crawl_now(&c);
    EXPECT(c.ok && c.report.unchanged == 3 && is_free(&c), "%s", c.err.text);
    crawl_close(&c);
}

/* Others write while a page is waited for, however long that takes. */
FIBER_TEST(nobody_waits_to_write_while_a_site_is_slow)
{
    struct crawl c;
    struct scope scope;
    struct err err = {0};

    REQUIRE(crawl_open(&c));
    three_pages();
    page_is("/b", NULL);
    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, crawl_now, &c, &err), "%s", err.text);
    while (!page_of("/b") || page_of("/b")->asked == 0)
        EXPECT(fiber_sleep(MILLISECOND, &err));
    EXPECT(is_free(&c));
    scope_close(&scope);
    EXPECT(c.over && is_free(&c) && knowledge_documents(c.rig.knowledge) == 2,
           "who is cancelled keeps what is whole");
    crawl_close(&c);
}

#ifdef WEIR_FAULT
static struct {
    int from, seen;
} refusing;

static bool refuse_pool(void *ctx, const char *point)
{
    (void)ctx;
    return strcmp(point, "pool.full") == 0 && ++refusing.seen >= refusing.from;
}

/* From any step on nothing more gets into the pool's line: the run ends all the same, and the next one begins. */
FIBER_TEST(a_run_ends_when_the_pool_is_full)
{
    for (int from = 1; from < 12; from++) {
        struct crawl c;

        REQUIRE(crawl_open(&c));
        three_pages();
        refusing.from = from;
        refusing.seen = 0;
        fault_decide(refuse_pool, NULL);
        crawl_now(&c);
        fault_decide(NULL, NULL);
        EXPECT(c.over && is_free(&c), "refused from step %d on", from);
        if (is_free(&c)) {
            crawl_now(&c);
            EXPECT(c.ok && c.report.added + c.report.unchanged == 3, "%s", c.err.text);
        }
        crawl_close(&c);
    }
}
#endif
