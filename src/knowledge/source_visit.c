/* "etag \n last-modified \n", and for pages "h", or "l", the rules' tag and the links, deflated. */
#include "knowledge/source_visit.h"

#include <zlib.h>

#include "base/buf.h"

static bool pack(struct buf *b, struct str links)
{
    uLongf len = VISIT_PACKED_MAX;
    char *room = buf_room(b, VISIT_PACKED_MAX);

    if (!room || links.len > VISIT_LINKS_MAX ||
        compress2((Bytef *)room, &len, (const Bytef *)links.ptr, links.len, Z_BEST_COMPRESSION) !=
            Z_OK)
        return false;
    buf_added(b, len);
    return true;
}

struct str visit_write(struct arena *arena, const struct visit *v, struct str rules)
{
    struct buf b;

    buf_init(&b, arena, 2 * VISIT_PACKED_MAX);
    buf_str(&b, v->etag);
    buf_char(&b, '\n');
    buf_str(&b, v->modified);
    buf_char(&b, '\n');
    size_t before = b.len;
    if (v->html && v->links.ptr) {
        buf_char(&b, 'l');
        buf_str(&b, str_slice(rules, 0, VISIT_RULES));
        if (pack(&b, v->links))
            return buf_ok(&b) ? buf_view(&b) : STR_NONE;
        b.len = before;
    }
    buf_str(&b, v->html ? STR("h") : STR(""));
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

bool visit_read(struct arena *arena, struct str mark, struct str rules, struct visit *out)
{
    struct visit v = {.etag = STR(""), .modified = STR(""), .links = STR("")};
    bool whole = str_split(&mark, '\n', &v.etag) && str_split(&mark, '\n', &v.modified);

    *out = v;
    if (!whole || mark.len == 0)
        return true;
    out->html = true;
    struct str tag = str_slice(mark, 1, 1 + VISIT_RULES);
    if (mark.ptr[0] != 'l' || !str_eq(tag, str_slice(rules, 0, VISIT_RULES)))
        return true;
    char *room = arena_alloc(arena, VISIT_LINKS_MAX);
    uLongf len = VISIT_LINKS_MAX;
    struct str packed = str_slice(mark, 1 + VISIT_RULES, mark.len);
    if (!room)
        return false;
    out->has_links = uncompress((Bytef *)room, &len, (const Bytef *)packed.ptr, packed.len) == Z_OK;
    out->links = out->has_links ? (struct str){room, len} : STR("");
    return true;
}
