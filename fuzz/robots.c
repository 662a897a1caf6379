/* Any robots.txt gives rules that view it, within their bounds; robots.txt itself may be asked. The same bytes as a sitemap or a bucket's list are
 * refused with a reason, or give texts within their bounds. */
#include <string.h>

#include "fuzz.h"
#include "knowledge/source_robots.h"
#include "knowledge/source_s3.h"
#include "knowledge/source_sitemap.h"

static void check_robots(struct arena *arena, struct str text)
{
    struct robots robots;
    struct err err = {0};

    ASSERT(robots_read(arena, text, STR("Weir"), &robots, &err));
    ASSERT(robots.rule_count <= ROBOTS_RULES_MAX && robots.map_count <= ROBOTS_MAPS_MAX);
    ASSERT(robots.delay >= 0 && robots.delay <= 60 * SECOND);
    ASSERT(robots_allow(&robots, STR("/robots.txt")));
    for (size_t i = 0; i < robots.rule_count; i++)
        ASSERT(robots.rules[i].pattern.len > 0);
    (void)robots_allow(&robots, str_slice(text, 0, 200));
    (void)robots_allow(&robots, STR("/a/b.html?c=%2F*$"));
}

static void check_lists(struct arena *arena, struct str text)
{
    struct bucket_page page;
    struct sitemap map;
    struct str unpacked;
    struct err err = {0};

    if (!gunzip(arena, text, MIB, &unpacked, &err)) {
        ASSERT(err.code == ERR_INVALID || err.code == ERR_TOO_LARGE);
        return;
    }
    ASSERT(unpacked.len <= MAX_OF(text.len, (size_t)MIB));
    if (sitemap_read(arena, unpacked, &map, &err))
        ASSERT(map.count <= SITEMAP_URLS_MAX);
    else
        ASSERT(err.code != ERR_NONE);
    err = (struct err){0};
    if (!bucket_page_read(arena, unpacked, &page, &err)) {
        ASSERT(err.code != ERR_NONE);
        return;
    }
    for (size_t i = 0; i < page.count; i++)
        ASSERT(page.at[i].key.len > 0 && !memchr(page.at[i].key.ptr, 0, page.at[i].key.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(128 * MIB);
    struct str text = {(const char *)data, size};

    if (size > 64 * KIB || !arena)
        return 0;
    check_robots(arena, text);
    check_lists(arena, text);
    return 0;
}
