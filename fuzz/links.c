/* Any page's links are text without control bytes, no more than there may be; what becomes an address of them
 * is spelled so that it stays as it is, and no part of it could end a line or begin another part of a request. */
#include "fuzz.h"
#include "knowledge/source_links.h"
#include "knowledge/source_url.h"

static void check_text(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        ASSERT((unsigned char)text.ptr[i] >= ' ' && text.ptr[i] != 0x7f);
}

static void check_reference(struct arena *arena, const struct url *base, struct str text)
{
    struct err err = {0}, none = {0};
    struct url url, again;

    if (!url_resolve(arena, base, text, &url, &err)) {
        ASSERT(err.code != ERR_NONE);
        return;
    }
    ASSERT(url.text.len <= URL_BYTES_MAX && url.path.len > 0 && url.path.ptr[0] == '/');
    for (size_t i = 0; i < url.text.len; i++)
        ASSERT(url.text.ptr[i] > ' ' && url.text.ptr[i] < 0x7f && url.text.ptr[i] != '#' &&
               url.text.ptr[i] != '"' && url.text.ptr[i] != '<');
    ASSERT(url_resolve(arena, NULL, url.text, &again, &none));
    ASSERT(str_eq(again.text, url.text) && str_eq(again.site, url.site));
    ASSERT(url_resolve(arena, base, url.text, &again, &none) && str_eq(again.text, url.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str page = {(const char *)data, size};
    struct page_links links;
    struct err err = {0};
    struct url base;

    if (size > 64 * KIB || !arena)
        return 0;
    ASSERT(url_resolve(arena, NULL, STR("https://example.com:8443/a/b;c?d"), &base, &err));
    check_reference(arena, &base, page);
    ASSERT(page_links(arena, page, STR("Weir"), &links, &err));
    ASSERT(links.count <= LINKS_MAX);
    check_text(links.base);
    check_text(links.canonical);
    for (size_t i = 0; i < links.count && i < 50; i++) {
        check_text(links.at[i]);
        check_reference(arena, &base, links.at[i]);
    }
    return 0;
}
