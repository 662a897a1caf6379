/* EPUB (3.3, and 2): the chapters of the spine in order, each read as the page it is. */
#include "knowledge/package.h"
#include "knowledge/readers.h"

#define CHAPTERS_MAX 5000u

/* What the manifest calls `id`; a path beside the package document. */
static struct str manifest_item(const struct xml_node *manifest, struct str id)
{
    for (const struct xml_node *n = manifest ? manifest->first : NULL; n; n = n->next)
        if (n->name.len && str_eq(xml_get(n, "id"), id))
            return xml_get(n, "href");
    return STR_NONE;
}

/* "Chapter%201.xhtml" */
static struct str unescaped(struct arena *arena, struct str href)
{
    struct buf b;

    href = str_slice(href, 0, str_find_char(href, '#'));
    buf_init(&b, arena, href.len + 1);
    for (size_t i = 0; i < href.len; i++) {
        uint8_t byte;

        if (href.ptr[i] == '%' && hex_parse(str_slice(href, i + 1, i + 3), &byte, 1)) {
            buf_char(&b, (char)byte);
            i += 2;
        } else {
            buf_char(&b, href.ptr[i]);
        }
    }
    return buf_view(&b);
}

static bool read_chapter(struct zip *zip, struct str part, struct rendering *to, struct err *err)
{
    struct document chapter;
    struct str bytes;

    if (!zip_find(zip, part)) {
        rendering_note(to, "chapter \"" STR_FMT "\" is not there", STR_ARG(part));
        return true;
    }
    if (!package_bytes(zip, part, &bytes, err) ||
        !document_read(to->arena, bytes, DOCUMENT_HTML, &chapter, err))
        return err_wrap(err, "chapter \"" STR_FMT "\"", STR_ARG(str_slice(part, 0, 80)));
    rendering_document(to, &chapter, NULL);
    return true;
}

static bool read_spine(struct zip *zip, struct str main, struct rendering *to, struct err *err)
{
    const struct xml_node *root;
    uint32_t count = 0;

    if (!package_tree(zip, main, &root, err))
        return false;
    const struct xml_node *title = xml_path(root, "metadata/title"),
                          *spine = xml_child(root, "spine");
    if (title && title->first)
        rendering_title(to, title->first->text);
    if (!spine)
        return err_set(err, ERR_INVALID, "not an EPUB: it has no spine");
    for (const struct xml_node *n = spine->first; n; n = n->next) {
        struct str href = manifest_item(xml_child(root, "manifest"), xml_get(n, "idref")), part;

        if (!str_eq(n->name, STR("itemref")))
            continue;
        if (!href.len) {
            rendering_note(to, "chapter \"" STR_FMT "\" is not there",
                           STR_ARG(xml_get(n, "idref")));
            continue;
        }
        if (++count > CHAPTERS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %u chapters", CHAPTERS_MAX);
        if (!package_resolve(to->arena, main, unescaped(to->arena, href), &part))
            return err_arena(err, to->arena);
        if (!read_chapter(zip, part, to, err))
            return false;
    }
    return true;
}

bool read_epub(struct str bytes, struct rendering *to, struct err *err)
{
    const struct xml_node *container;
    struct zip zip;

    if (!zip_open(&zip, to->arena, bytes, err))
        return false;
    if (zip_find(&zip, STR("META-INF/rights.xml")))
        return err_set(err, ERR_INVALID, "protected by DRM");
    if (!package_tree(&zip, STR("META-INF/container.xml"), &container, err))
        return false;
    struct str main = xml_get(xml_path(container, "rootfiles/rootfile"), "full-path");
    return read_spine(&zip, main, to, err);
}
