#include "knowledge/source_sitemap.h"

#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "knowledge/xml.h"

#define GUNZIP_STEP ((size_t)64 * KIB)

static bool is_gzip(struct str bytes)
{
    return str_starts(bytes, STR("\x1f\x8b"));
}

static bool inflate_all(z_stream *z, struct buf *b, struct err *err)
{
    for (int status = Z_OK; status != Z_STREAM_END;) {
        char *room = buf_room(b, GUNZIP_STEP);

        if (!room)
            return err_set(err, ERR_TOO_LARGE, "unpacks to more than %zu bytes", b->max);
        z->next_out = (Bytef *)room;
        z->avail_out = (uInt)GUNZIP_STEP;
        status = inflate(z, Z_NO_FLUSH);
        buf_added(b, GUNZIP_STEP - z->avail_out);
        if (status != Z_OK && status != Z_STREAM_END)
            return err_set(err, ERR_INVALID, "the gzip data is damaged");
        if (status == Z_OK && z->avail_in == 0 && z->avail_out > 0)
            return err_set(err, ERR_INVALID, "the gzip data ends too early");
    }
    return true;
}

bool gunzip(struct arena *arena, struct str bytes, size_t max, struct str *out, struct err *err)
{
    z_stream z = {.avail_in = (uInt)MIN_OF(bytes.len, (size_t)UINT32_MAX)};
    struct buf b;

    if (!is_gzip(bytes)) {
        *out = bytes;
        return true;
    }
    memcpy(&z.next_in, &bytes.ptr, sizeof z.next_in); /* zlib reads it only */
    buf_init(&b, arena, max + GUNZIP_STEP);
    if (inflateInit2(&z, 31) != Z_OK)
        return err_no_room(err, "no memory to unpack");
    bool ok = inflate_all(&z, &b, err);
    (void)inflateEnd(&z);
    if (ok && b.len > max)
        return err_set(err, ERR_TOO_LARGE, "unpacks to more than %zu bytes", max);
    *out = buf_view(&b);
    return ok;
}

static bool add(struct sitemap *map, struct str text, struct err *err)
{
    text = str_trim(text);
    if (text.len == 0)
        return true;
    if (map->count == SITEMAP_URLS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a sitemap of more than %u addresses", SITEMAP_URLS_MAX);
    map->at[map->count++] = text;
    return true;
}

/* Only <urlset><url><loc> and <sitemapindex><sitemap><loc>: images and videos have <loc>s of their own. */
static bool read_xml(struct arena *arena, struct str text, struct sitemap *out, struct err *err)
{
    struct xml *x = xml_new(arena, text);
    enum xml_event event = XML_TEXT;
    bool in_loc = false;

    if (!x)
        return err_arena(err, arena);
    while (event != XML_END) {
        if (!xml_next(x, &event, err))
            return false;
        if (event == XML_OPEN && x->depth == 1) {
            out->is_index = str_eq(x->name, STR("sitemapindex"));
            if (!out->is_index && !str_eq(x->name, STR("urlset")))
                return err_set(err, ERR_INVALID, "no sitemap: the root is <" STR_FMT ">",
                               STR_ARG(str_slice(x->name, 0, 40)));
        }
        if (event == XML_OPEN)
            in_loc = x->depth == 3 && str_eq(x->name, STR("loc"));
        else if (event == XML_CLOSE)
            in_loc = false;
        else if (event == XML_TEXT && in_loc && !add(out, x->text, err))
            return false;
    }
    return true;
}

static bool read_text(struct str text, struct sitemap *out, struct err *err)
{
    struct str rest = text, line;

    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0 && !str_starts(line, STR("http://")) && !str_starts(line, STR("https://")))
            return err_set(err, ERR_INVALID, "no sitemap: neither XML nor a list of addresses");
        if (!add(out, line, err))
            return false;
    }
    return true;
}

bool sitemap_read(struct arena *arena, struct str text, struct sitemap *out, struct err *err)
{
    struct sitemap map = {.at = arena_array(arena, SITEMAP_URLS_MAX, sizeof *map.at)};

    if (!map.at)
        return err_arena(err, arena);
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_slice(text, 3, text.len);
    text = str_trim(text);
    if (!(str_starts(text, STR("<")) ? read_xml(arena, text, &map, err)
                                     : read_text(text, &map, err)))
        return false;
    *out = map;
    return true;
}
