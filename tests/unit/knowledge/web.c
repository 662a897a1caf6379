/* What a crawler reads: addresses, robots.txt, sitemaps, links of pages, lists of buckets. */
#include <string.h>
#include <zlib.h>

#include "knowledge/source_links.h"
#include "knowledge/source_robots.h"
#include "knowledge/source_s3.h"
#include "knowledge/source_sitemap.h"
#include "knowledge/source_url.h"
#include "test.h"

/* The examples of RFC 3986, 5.4, of "http://a/b/c/d;p?q", and what crawlers meet. */
static const struct {
    const char *name, *reference, *want; /* want NULL: refused */
} url_cases[] = {
    {"a name", "g", "http://a/b/c/g"},
    {"this folder", "./g", "http://a/b/c/g"},
    {"a folder", "g/", "http://a/b/c/g/"},
    {"from the root", "/g", "http://a/g"},
    {"another host", "//g", "http://g/"},
    {"a query", "?y", "http://a/b/c/d;p?y"},
    {"a name and a query", "g?y", "http://a/b/c/g?y"},
    {"a fragment is none of it", "#s", "http://a/b/c/d;p?q"},
    {"behind a query too", "g?y#s", "http://a/b/c/g?y"},
    {"empty: itself", "", "http://a/b/c/d;p?q"},
    {"here", ".", "http://a/b/c/"},
    {"up", "..", "http://a/b/"},
    {"up and down", "../g", "http://a/b/g"},
    {"up twice", "../..", "http://a/"},
    {"above the root", "../../../g", "http://a/g"},
    {"dots in the middle", "./g/../h/.", "http://a/b/c/h/"},
    {"dots that are names", "..g", "http://a/b/c/..g"},
    {"whole", "HTTP://EXAMPLE.com:80/A?B", "http://example.com/A?B"},
    {"another port", "https://x:8443", "https://x:8443/"},
    {"no default port", "https://x:443/", "https://x/"},
    {"IPv6", "http://[::1]:81/x", "http://[::1]:81/x"},
    {"only a query behind a host", "http://x?y=1", "http://x/?y=1"},
    {"spaces around, breaks inside", "  /a\nb c \t", "http://a/ab%20c"},
    {"other scripts", "/\xc3\xa9", "http://a/%C3%A9"},
    {"a broken escape", "/100%", "http://a/100%25"},
    {"escapes stay", "/%c3%A9?%20", "http://a/%c3%A9?%20"},
    {"mail", "mailto:me@example.com", NULL},
    {"a program", "javascript:alert(1)", NULL},
    {"data", "data:text/html,x", NULL},
    {"a user's name", "http://user@host/", NULL},
    {"a socket", "unix:/tmp/x", NULL},
    {"no host", "http:///x", NULL},
    {"a bad port", "http://x:99999/", NULL},
};

TEST(references_become_addresses)
{
    struct arena *arena = arena_new(16 * MIB);
    struct err err = {0};
    struct url base, url, again;
    char line[3 * URL_BYTES_MAX];

    REQUIRE(url_resolve(arena, NULL, STR("http://a/b/c/d;p?q#f"), &base, &err));
    EXPECT(str_eq(base.site, STR("http://a")) && str_eq(base.path, STR("/b/c/d;p")) &&
           str_eq(base.target, STR("/b/c/d;p?q")));
    for (size_t i = 0; i < ARRAY_LEN(url_cases); i++) {
        bool ok = url_resolve(arena, &base, str_from(url_cases[i].reference), &url, &err);

        EXPECT(ok == (url_cases[i].want != NULL), "%s", url_cases[i].name);
        if (!ok || !url_cases[i].want)
            continue;
        EXPECT(str_eq(url.text, str_from(url_cases[i].want)), "%s: " STR_FMT, url_cases[i].name,
               STR_ARG(url.text));
        EXPECT(url_resolve(arena, NULL, url.text, &again, &err) && str_eq(again.text, url.text),
               "%s, once more", url_cases[i].name);
    }
    EXPECT(!url_resolve(arena, NULL, STR("/only/a/path"), &url, &err));
    memset(line, 'x', sizeof line);
    EXPECT(!url_resolve(arena, &base, (struct str){line, sizeof line}, &url, &err) &&
           err.code == ERR_INVALID);
    arena_end(&arena);
}

static const struct {
    const char *name, *robots, *target;
    bool allow;
} robots_cases[] = {
    {"no rule", "", "/x", true},
    {"everything forbidden", "User-agent: *\nDisallow: /", "/x", false},
    {"but robots.txt", "User-agent: *\nDisallow: /", "/robots.txt", true},
    {"an empty rule allows", "User-agent: *\nDisallow:\n", "/x", true},
    {"others' rules", "User-agent: Other\nDisallow: /", "/x", true},
    {"ours before everyone's", "User-agent: *\nDisallow: /\nUser-agent: weir\nDisallow: /a", "/x",
     true},
    {"ours with a version", "User-agent: Weir/2.0\nDisallow: /a", "/a", false},
    {"a longer name is another", "User-agent: weirdo\nDisallow: /", "/x", true},
    {"two agents, one group", "User-agent: a\nUser-agent: weir\nDisallow: /a", "/a", false},
    {"two groups for us count both",
     "User-agent: weir\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: weir\nDisallow: /b",
     "/b", false},
    {"the longest decides", "User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", true},
    {"also in other order", "User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/b/c", true},
    {"of equals the kind one", "User-agent: *\nDisallow: /a\nAllow: /a", "/a", true},
    {"a star", "User-agent: *\nDisallow: /*.pdf", "/x/y.pdf?z", false},
    {"an end", "User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", true},
    {"an end that fits", "User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", false},
    {"a star goes back", "User-agent: *\nDisallow: /*a*b$", "/xaxabxb", false},
    {"case counts in paths", "User-agent: *\nDisallow: /A", "/a", true},
    {"not in words", "USER-AGENT: *\nDISALLOW: /a", "/a", false},
    {"comments and spaces", " User-agent : * # all\n Disallow : /a # this", "/a", false},
    {"carriage returns", "User-agent: *\rDisallow: /a\r\nDisallow: /b", "/b", false},
    {"escapes are alike", "User-agent: *\nDisallow: /%7ejoe", "/~joe/x", false},
    {"an escaped slash is none", "User-agent: *\nDisallow: /a%2Fb", "/a/b", true},
    {"a byte order mark", "\xEF\xBB\xBFUser-agent: *\nDisallow: /a", "/a", false},
    {"rules before any agent are nobody's", "Disallow: /\nUser-agent: *\nAllow: /", "/a", true},
    {"a sitemap ends no group", "User-agent: *\nSitemap: http://x/\nDisallow: /a", "/a", false},
    {"the query counts", "User-agent: *\nDisallow: /a?b", "/a?b=1", false},
};

TEST(robots_txt)
{
    struct arena *arena = arena_new(64 * MIB);
    struct robots robots;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(robots_cases); i++) {
        REQUIRE(robots_read(arena, str_from(robots_cases[i].robots), STR("Weir"), &robots, &err));
        EXPECT(robots_allow(&robots, str_from(robots_cases[i].target)) == robots_cases[i].allow,
               "%s", robots_cases[i].name);
    }
    REQUIRE(robots_read(arena,
                        STR("Sitemap: http://x/1\nUser-agent: *\nCrawl-delay: 2.5\n"
                            "User-agent: weir\nCrawl-delay: 1000\nsitemap:http://x/2"),
                        STR("Weir"), &robots, &err));
    EXPECT(robots.map_count == 2 && str_eq(robots.maps[1], STR("http://x/2")));
    EXPECT(robots.delay == 60 * SECOND, "a delay is bounded");
    REQUIRE(robots_read(arena, STR("User-agent: *\nCrawl-delay: 2.5"), STR("Weir"), &robots, &err));
    EXPECT(robots.delay == 2500 * MILLISECOND);
    arena_end(&arena);
}

static struct page_links links_of(struct arena *arena, const char *page)
{
    struct page_links links = {0};
    struct err err = {0};

    EXPECT(page_links(arena, str_from(page), STR("Weir"), &links, &err), "%s", err.text);
    return links;
}

static const struct {
    const char *name, *page;
    const char *links; /* with spaces between */
} link_cases[] = {
    {"quoted in every way", "<a href=\"/a\">x</a><A HREF='/b'><a href=/c>", "/a /b /c"},
    {"an area", "<map><area href=/a></map>", "/a"},
    {"spaces in the tag", "<a\n href = \"/a\" >", "/a"},
    {"other attributes", "<a class=x data-href=/no href=/a hidden>", "/a"},
    {"entities", "<a href='/a?b=1&amp;c=2&#38;d'>", "/a?b=1&c=2&d"},
    {"none is none", "<a name=x><a href=''><a href='#top'>", ""},
    {"nofollow of one", "<a rel='noopener nofollow' href=/a><a href=/b>", "/b"},
    {"comments", "<!-- <a href=/a> --><a href=/b>", "/b"},
    {"scripts", "<script>'<a href=/a>'</script><a href=/b>", "/b"},
    {"titles", "<title><a href=/a></title><a href=/b>", "/b"},
    {"a script that never ends", "<script><a href=/a>", ""},
    {"a comment that never ends", "<!-- <a href=/a>", ""},
    {"a tag that never ends", "<a href=/a", "/a"},
    {"a quote that never ends", "<a href='/a", "/a"},
    {"stray signs", "a < b <3 </a><<a href=/a>>", "/a"},
    {"control bytes", "<a href='/a\x01z'>", "/a z"},
    {"other elements", "<img src=/a><link href=/b><abbr href=/c>", ""},
};

TEST(links_of_pages)
{
    struct arena *arena = arena_new(64 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(link_cases); i++) {
        struct page_links links = links_of(arena, link_cases[i].page);
        struct buf b;

        buf_init(&b, arena, KIB);
        for (size_t k = 0; k < links.count; k++) {
            buf_str(&b, k ? STR(" ") : STR(""));
            buf_str(&b, links.at[k]);
        }
        EXPECT(str_eq(buf_view(&b), str_from(link_cases[i].links)), "%s: " STR_FMT,
               link_cases[i].name, STR_ARG(buf_view(&b)));
    }
    arena_end(&arena);
}

TEST(what_pages_say_to_crawlers)
{
    struct arena *arena = arena_new(64 * MIB);
    struct page_links l = links_of(
        arena, "<head><base href=/x/><base href=/y/><link rel='Canonical' href='/c?a&amp;b'>"
               "<meta name=ROBOTS content='NOINDEX,follow'></head>");
    EXPECT(str_eq(l.base, STR("/x/")) && str_eq(l.canonical, STR("/c?a&b")));
    EXPECT(l.no_index && !l.no_follow);
    l = links_of(arena, "<meta name='weir' content='none'>");
    EXPECT(l.no_index && l.no_follow);
    l = links_of(arena, "<meta name='otherbot' content='none'><meta name=robots content='index'>");
    EXPECT(!l.no_index && !l.no_follow);
    bool no_index = false, no_follow = false;
    robots_words(STR("otherbot: noindex, nofollow"), STR("Weir"), &no_index, &no_follow);
    EXPECT(!no_index && !no_follow);
    robots_words(STR("weir: nofollow"), STR("Weir"), &no_index, &no_follow);
    EXPECT(!no_index && no_follow);
    robots_words(STR("noarchive, noindex"), STR("Weir"), &no_index, &no_follow);
    EXPECT(no_index);
    arena_end(&arena);
}

TEST(more_links_than_are_looked_at_are_counted)
{
    struct arena *arena = arena_new(64 * MIB);
    struct page_links links;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, MIB);
    for (unsigned i = 0; i < LINKS_MAX + 7; i++)
        buf_fmt(&b, "<a href=/%u>", i);
    REQUIRE(page_links(arena, buf_view(&b), STR("Weir"), &links, &err));
    EXPECT(links.count == LINKS_MAX && links.beyond == 7);
    arena_end(&arena);
}

#define XMLNS "xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\""

TEST(sitemaps)
{
    struct arena *arena = arena_new(64 * MIB);
    struct sitemap map;
    struct err err = {0};

    REQUIRE(
        sitemap_read(arena,
                     STR("<?xml version=\"1.0\"?><urlset " XMLNS ">"
                         "<url><loc> http://x/a?b&amp;c </loc><lastmod>2026</lastmod>"
                         "<image:image><image:loc>http://x/no.png</image:loc></image:image></url>"
                         "<url><loc><![CDATA[http://x/d]]></loc></url></urlset>"),
                     &map, &err));
    EXPECT(map.count == 2 && !map.is_index && str_eq(map.at[0], STR("http://x/a?b&c")) &&
           str_eq(map.at[1], STR("http://x/d")));
    REQUIRE(sitemap_read(arena,
                         STR("<sitemapindex " XMLNS "><sitemap><loc>http://x/1.xml</loc></sitemap>"
                             "</sitemapindex>"),
                         &map, &err));
    EXPECT(map.is_index && map.count == 1);
    REQUIRE(sitemap_read(arena, STR("http://x/a\r\n\nhttps://x/b\n"), &map, &err));
    EXPECT(map.count == 2 && str_eq(map.at[1], STR("https://x/b")));
    EXPECT(!sitemap_read(arena, STR("<html><body>no</body></html>"), &map, &err) &&
           err.code == ERR_INVALID);
    EXPECT(!sitemap_read(arena, STR("<urlset><url><loc>http://x"), &map, &err));
    EXPECT(!sitemap_read(arena, STR("just words"), &map, &err));
    arena_end(&arena);
}

TEST(packed_sitemaps)
{
    struct arena *arena = arena_new(64 * MIB);
    static char plain[100000];
    unsigned char packed[4096];
    struct err err = {0};
    struct str out;
    z_stream z = {0};

    memset(plain, 'x', sizeof plain);
    REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)plain;
    z.avail_in = sizeof plain;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
    struct str bytes = {(const char *)packed, sizeof packed - z.avail_out};
    (void)deflateEnd(&z);
    EXPECT(gunzip(arena, bytes, sizeof plain, &out, &err) && out.len == sizeof plain);
    EXPECT(!gunzip(arena, bytes, sizeof plain - 1, &out, &err) && err.code == ERR_TOO_LARGE);
    EXPECT(!gunzip(arena, str_slice(bytes, 0, bytes.len - 9), MIB, &out, &err) &&
           err.code == ERR_INVALID);
    EXPECT(gunzip(arena, STR("plain"), 10, &out, &err) && str_eq(out, STR("plain")));
    arena_end(&arena);
}

TEST(lists_of_buckets)
{
    struct arena *arena = arena_new(64 * MIB);
    struct bucket_page page;
    struct str bucket, prefix;
    struct err err = {0};

    REQUIRE(bucket_page_read(
        arena,
        STR("<?xml version=\"1.0\"?><ListBucketResult "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>"
            "<Contents><Key>a%2Bb+c%C3%A9.md</Key><Size>5</Size><ETag>&quot;abc&quot;</ETag></"
            "Contents>"
            "<Contents><Key>d.md</Key><ETag>\"def-2\"</ETag><Size>0</Size></Contents>"
            "<NextContinuationToken>t&amp;1=</NextContinuationToken></ListBucketResult>"),
        &page, &err));
    EXPECT(page.count == 2 && str_eq(page.at[0].key, STR("a+b c\xc3\xa9.md")) &&
           str_eq(page.at[0].etag, STR("abc")) && page.at[0].bytes == 5 &&
           str_eq(page.at[1].etag, STR("def-2")) && str_eq(page.next, STR("t&1=")));
    EXPECT(!bucket_page_read(arena,
                             STR("<ListBucketResult><IsTruncated>true</IsTruncated>"
                                 "</ListBucketResult>"),
                             &page, &err));
    EXPECT(!bucket_page_read(arena,
                             STR("<ListBucketResult><Contents><Key>a</Key></Contents>"
                                 "</ListBucketResult>"),
                             &page, &err));
    EXPECT(!bucket_page_read(arena, STR("<Error><Code>No</Code></Error>"), &page, &err));
    EXPECT(str_eq(bucket_error(arena, STR("<Error><Code>NoSuchKey</Code><Message>It is not there"
                                          "</Message></Error>")),
                  STR("NoSuchKey: It is not there")));
    EXPECT(bucket_error(arena, STR("<html>")).len == 0);
    EXPECT(bucket_location(STR("s3://b/p/q"), &bucket, &prefix) && str_eq(bucket, STR("b")) &&
           str_eq(prefix, STR("p/q")));
    EXPECT(bucket_location(STR("s3://b"), &bucket, &prefix) && prefix.len == 0);
    EXPECT(!bucket_location(STR("s3:///p"), &bucket, &prefix) &&
           !bucket_location(STR("http://b"), &bucket, &prefix) &&
           !bucket_location(STR("s3://b?x"), &bucket, &prefix));
    arena_end(&arena);
}

/* SHA-256, CRC-32 and CRC-32C of "hello" as coreutils, zlib and RFC 3720 have them. */
static const struct {
    const char *name;
    struct bucket_claims claims;
    uint64_t listed;
    bool ok;
} bytes_cases[] = {
    {"nothing is said", {{0}, {0}, {0}, {0}}, 5, true},
    {"as long as listed", {.etag = STR("\"e\"")}, 5, true},
    {"shorter than listed", {.etag = STR("\"e\"")}, 6, false},
    {"another by now", {.etag = STR("\"f\"")}, 6, true},
    {"its checksum", {.sha256 = STR("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")}, 5, true},
    {"another's checksum",
     {.sha256 = STR("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCU=")},
     5,
     false},
    {"a short checksum", {.sha256 = STR("LPJNul8=")}, 5, false},
    {"no base64", {.sha256 = STR("what")}, 5, false},
    {"of parts", {.sha256 = STR("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCU=-2")}, 5, true},
    {"CRC-32", {.crc32 = STR("NhCmhg==")}, 5, true},
    {"another CRC-32", {.crc32 = STR("NhCmhw==")}, 5, false},
    {"CRC-32C", {.crc32c = STR("mnG7TA==")}, 5, true},
    {"another CRC-32C", {.crc32c = STR("mnG7TQ==")}, 5, false},
};

TEST(bytes_of_buckets)
{
    for (size_t i = 0; i < ARRAY_LEN(bytes_cases); i++) {
        struct bucket_object listed = {.etag = STR("e"), .bytes = bytes_cases[i].listed};
        struct err err = {0};
        bool ok = bucket_bytes_check(&listed, &bytes_cases[i].claims, STR("hello"), &err);

        EXPECT(ok == bytes_cases[i].ok && (ok || err.code == ERR_UNAVAILABLE), "%s: %s",
               bytes_cases[i].name, err.text);
    }
}
