/* Runs of sources over a network: a site of the test's own, crawled by the driver as it is. */
#include <stdio.h>
#include <string.h>

#include "../net/net_rig.h"
#include "base/fault.h"
#include "knowledge/runs.h"
#include "knowledge/source.h"
#include "knowledge/source_visit.h"
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
        .retries = 2,
        .retry_wait = 10 * MILLISECOND,
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

/* Rules that are not read are not kept to: who crawls a site hears of it. */
FIBER_TEST(a_robots_txt_that_is_too_long_is_told)
{
    struct ingest_run run;
    struct ingest_run *runs;
    struct buf text;
    struct crawl c;
    size_t count;

    REQUIRE(crawl_open(&c));
    three_pages();
    buf_init(&text, c.rig.arena, MIB);
    buf_str(&text, STR("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nUser-agent: *\n"));
    for (int i = 0; i < 10001; i++)
        buf_fmt(&text, "Disallow: /no/%d\n", i);
    buf_char(&text, 0);
    REQUIRE(buf_ok(&text));
    page_is("/robots.txt", text.ptr);
    c.spec.web.robots = true;
    crawl_now(&c);
    EXPECT(c.ok && c.report.added == 3, "%s", c.err.text);
    REQUIRE(ingest_run_list(c.rig.knowledge, c.rig.arena, &runs, &count, &c.err) && count == 1);
    REQUIRE(ingest_run_find(c.rig.knowledge, c.rig.arena, runs[0].id, &run, &c.err));
    EXPECT(run.report.note_count == 1 &&
               str_find(run.report.notes[0].reason, STR("/robots.txt has more than")) <
                   run.report.notes[0].reason.len,
           "%zu", run.report.note_count);
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

/* --- what cannot be had ----------------------------------------------------------------------- */

static const struct {
    const char *name, *answer; /* of a page that is known */
    bool stays, told;          /* told: as failed; else it is gone */
    int asked;
} failures[] = {
    {"not there", STATUS("404 Not Found"), false, false, 1},
    {"gone", STATUS("410 Gone"), false, false, 1},
    {"busy", STATUS("503 Service Unavailable"), true, true, 3},
    {"too many", STATUS("429 Too Many Requests"), true, true, 3},
    {"broken", STATUS("500 Internal Server Error"), true, true, 3},
    {"a gateway's", STATUS("502 Bad Gateway"), true, true, 3},
    {"a gateway's patience", STATUS("504 Gateway Timeout"), true, true, 3},
    {"wants an hour", "HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", true,
     true, 1},
    {"not ours", STATUS("403 Forbidden"), true, true, 1},
    {"a teapot", STATUS("418 Teapot"), true, true, 1},
    {"not changed, though nobody asked", STATUS("304 Not Modified"), true, true, 1},
    {"cut", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 900\r\n\r\n<p>App", true,
     true, 3},
    {"cut in the head", "HTTP/1.1 200 OK\r\nContent-Ty", true, true, 3},
    {"closed", "", true, true, 3},
    {"packed as nobody asked",
     "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx", true, true, 1},
    {"moved away for now",
     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n", true, true,
     1},
    {"moved away for good",
     "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n", false,
     false, 1},
    {"goes round", "HTTP/1.1 301 Moved\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", true, true,
     6},
};

FIBER_TEST(only_what_is_gone_is_removed)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        const char *name = failures[i].name;
        struct crawl c;

        REQUIRE(crawl_open(&c));
        three_pages();
        crawl_now(&c);
        EXPECT(c.ok && c.report.added == 3, "%s: %s", name, c.err.text);
        page_is("/b", failures[i].answer);
        page_of("/b")->asked = 0;
        crawl_now(&c);
        EXPECT(c.ok && c.report.failed == failures[i].told &&
                   c.report.removed == !failures[i].stays && c.report.unchanged == 2,
               "%s: %u failed, %u removed", name, c.report.failed, c.report.removed);
        EXPECT(knowledge_documents(c.rig.knowledge) == 2u + failures[i].stays, "%s", name);
        EXPECT(page_of("/b")->asked == failures[i].asked, "%s: asked %d times", name,
               page_of("/b")->asked);
        crawl_close(&c);
    }
}

static struct {
    int times;
    mono_ns first, second;
} busy;

static void busy_once(struct sock *s, int number)
{
    struct err err = {0};
    (void)number;

    if (!hear_question(s))
        return;
    busy.times++;
    *(busy.times == 1 ? &busy.first : &busy.second) = fiber_now();
    say_text(s, busy.times == 1 ? "HTTP/1.1 429 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
                                : HTML("<p>The gate opens at nine.</p>"));
    (void)!fiber_sleep(0, &err);
}

FIBER_TEST(who_says_when_is_asked_then)
{
    struct crawl c;

    memset(&busy, 0, sizeof busy);
    REQUIRE(crawl_open(&c));
    c.spec.retry_wait = 5 * SECOND;
    c.fake.script = busy_once;
    crawl_now(&c);
    EXPECT(c.ok && c.report.added == 1 && c.report.failed == 0 && busy.times == 2, "%s",
           c.err.text);
    EXPECT(busy.second - busy.first >= SECOND);
    crawl_close(&c);
}

/* A server that is down costs three pages their tries, and the others one each. */
FIBER_TEST(a_server_that_is_down_is_not_asked_for_ever)
{
    static const char *const names[] = {"/1", "/2", "/3", "/4", "/5"};
    struct crawl c;

    REQUIRE(crawl_open(&c));
    page_is("/", HTML("<p>Home.</p><a href=1>1</a><a href=2>2</a><a href=3>3</a><a href=4>4</a>"
                      "<a href=5>5</a>"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        page_is(names[i], STATUS("503 Service Unavailable"));
    crawl_now(&c);
    EXPECT(c.ok && c.report.failed == 5 && c.report.added == 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        EXPECT(page_of(names[i])->asked == (i < 3 ? 3 : 1), "%s: %d", names[i],
               page_of(names[i])->asked);
    crawl_close(&c);
}

/* --- what has not changed --------------------------------------------------------------------- */

static void modified_or_not(struct sock *s, int number)
{
    char path[256] = "";
    (void)number;

    if (!hear_question(s) || sscanf(site.last, "GET %255s ", path) != 1)
        return;
    struct page *page = page_of(path);
    page->asked += strstr(site.last, "if-none-match: \"v1\"") != NULL;
    say_text(s, strstr(site.last, "if-none-match") ? STATUS("304 Not Modified") : page->answer);
}

#define TAGGED(text) \
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"v1\"\r\nConnection: close\r\n\r\n" text

FIBER_TEST(a_page_that_has_not_changed_leads_where_it_led)
{
    struct crawl c;

    REQUIRE(crawl_open(&c));
    c.fake.script = modified_or_not;
    page_is("/", TAGGED("<p>Home.</p><a href=/a>a</a>"));
    page_is("/a", TAGGED("<p>Apples cost three euros.</p><a href=/b>b</a>"));
    page_is("/b", TAGGED("<p>Pears cost four euros.</p><a href=/c>c</a>"));
    page_is("/c", TAGGED("<p>Plums cost five euros.</p>"));
    crawl_now(&c);
    EXPECT(c.ok && c.report.added == 4 && page_of("/a")->asked == 0, "%s", c.err.text);
    crawl_now(&c);
    EXPECT(c.ok && c.report.unchanged == 4 && c.report.removed == 0, "%u unchanged, %u removed",
           c.report.unchanged, c.report.removed);
    EXPECT(page_of("/")->asked == 1 && page_of("/a")->asked == 1 && page_of("/b")->asked == 1 &&
           page_of("/c")->asked == 1);
    /* Other patterns choose other links: those of the last visit do not count. */
    c.spec.exclude = STR("c");
    crawl_now(&c);
    EXPECT(c.ok && c.report.unchanged == 3 && c.report.removed == 1, "%u removed",
           c.report.removed);
    EXPECT(page_of("/")->asked == 1 && page_of("/b")->asked == 1);
    c.spec.exclude = STR("");
    crawl_now(&c);
    EXPECT(c.ok && c.report.unchanged == 3 && c.report.added == 1, "%u added", c.report.added);
    crawl_close(&c);
}

/* A page that cannot be had leads where it led: what is behind it is looked at, and what is gone there goes. */
FIBER_TEST(a_page_that_cannot_be_had_leads_where_it_led)
{
    struct crawl c;

    REQUIRE(crawl_open(&c));
    page_is("/", HTML("<p>Home.</p><a href=/a>a</a>"));
    page_is("/a", HTML("<p>Apples cost three euros.</p><a href=/b>b</a><a href=/c>c</a>"));
    page_is("/b", HTML("<p>Pears cost four euros.</p>"));
    page_is("/c", HTML("<p>Plums cost five euros.</p>"));
    crawl_now(&c);
    EXPECT(c.ok && c.report.added == 4);
    page_is("/a", STATUS("503 Service Unavailable"));
    page_is("/c", STATUS("404 Not Found"));
    crawl_now(&c);
    EXPECT(c.ok && c.report.failed == 1 && c.report.unchanged == 2 && c.report.removed == 1,
           "%u unchanged, %u removed", c.report.unchanged, c.report.removed);
    EXPECT(knowledge_documents(c.rig.knowledge) == 3);
    crawl_close(&c);
}

TEST(visits_are_kept_whole_or_not_at_all)
{
    struct arena *arena = arena_new(16 * MIB);
    struct visit v = {.etag = STR("\"e\""),
                      .modified = STR("Mon"),
                      .html = true,
                      .links = STR("http://a/b\nhttp://a/c\n")},
                 got;
    struct str mark = visit_write(arena, &v, STR("12345678"));

    REQUIRE(mark.ptr && visit_read(arena, mark, STR("12345678"), &got));
    EXPECT(got.html && got.has_links && str_eq(got.links, v.links) && str_eq(got.etag, v.etag) &&
           str_eq(got.modified, v.modified));
    EXPECT(visit_read(arena, mark, STR("12345679"), &got) && got.html && !got.has_links);
    for (size_t cut = 0; cut < mark.len; cut++)
        EXPECT(visit_read(arena, str_slice(mark, 0, cut), STR("12345678"), &got) && !got.has_links);
    v.links = STR_NONE;
    EXPECT(visit_read(arena, visit_write(arena, &v, STR("12345678")), STR("12345678"), &got) &&
           got.html && !got.has_links);
    char *long_links = arena_alloc(arena, VISIT_LINKS_MAX + 1);
    uint32_t noise = 1;
    for (size_t i = 0; i <= VISIT_LINKS_MAX; i++)
        long_links[i] = (char)(' ' + (noise = noise * 1664525 + 1013904223) / 50000000);
    v.links = (struct str){long_links, VISIT_LINKS_MAX};
    EXPECT(visit_read(arena, visit_write(arena, &v, STR("12345678")), STR("12345678"), &got) &&
               got.html && !got.has_links,
           "what does not pack");
    v.html = false;
    EXPECT(visit_read(arena, visit_write(arena, &v, STR("12345678")), STR("12345678"), &got) &&
           !got.html);
    arena_end(&arena);
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
