#include "knowledge/package.h"

#include "base/buf.h"
#include "knowledge/encoding.h"

#define TITLE_BYTES_MAX 400

static struct str last_of(struct str s, char sep)
{
    size_t from = s.len;

    while (from > 0 && s.ptr[from - 1] != sep)
        from--;
    return str_slice(s, from, s.len);
}

bool package_bytes(struct zip *zip, struct str part, struct str *out, struct err *err)
{
    const struct zip_entry *entry = zip_find(zip, part);
    struct str bytes;

    if (!entry)
        return err_set(err, ERR_NOT_FOUND, "without a part \"" STR_FMT "\"",
                       STR_ARG(str_slice(part, 0, 80)));
    return zip_read(zip, entry, &bytes, err) && encoding_of_xml(zip->arena, bytes, out, err);
}

bool package_tree(struct zip *zip, struct str part, const struct xml_node **out, struct err *err)
{
    struct str bytes;
    struct xml_node *root;

    if (!package_bytes(zip, part, &bytes, err)) {
        if (err->code == ERR_NOT_FOUND) {
            err->code = ERR_INVALID;
            return err_wrap(err, "damaged");
        }
        return false;
    }
    if (!xml_tree(zip->arena, bytes, &root, err))
        return err_wrap(err, "\"" STR_FMT "\"", STR_ARG(str_slice(part, 0, 80)));
    *out = root;
    return true;
}

bool package_tree_if_any(struct zip *zip, struct str part, const struct xml_node **out,
                         struct err *err)
{
    *out = NULL;
    return !part.len || !zip_find(zip, part) || package_tree(zip, part, out, err);
}

/* --- relations -------------------------------------------------------------------------------- */

bool package_resolve(struct arena *arena, struct str beside, struct str target, struct str *out)
{
    struct str dir = str_slice(beside, 0, beside.len - last_of(beside, '/').len);
    struct buf b;

    buf_init(&b, arena, dir.len + target.len + 2);
    if (!str_starts(target, STR("/")))
        buf_str(&b, dir);
    for (struct str rest = target, part; str_split(&rest, '/', &part);) {
        if (!part.len || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            struct str so_far = str_slice(buf_view(&b), 0, b.len ? b.len - 1 : 0);
            b.len = so_far.len - last_of(so_far, '/').len;
            continue;
        }
        buf_str(&b, part);
        if (rest.ptr)
            buf_char(&b, '/');
    }
    *out = buf_view(&b);
    return buf_ok(&b);
}

static size_t count_children(const struct xml_node *node)
{
    size_t n = 0;

    for (const struct xml_node *c = node ? node->first : NULL; c; c = c->next)
        n++;
    return n;
}

bool package_relations(struct zip *zip, struct str part, struct relations *out, struct err *err)
{
    struct str name = last_of(part, '/');
    struct str path = arena_fmt(zip->arena, STR_FMT "_rels/" STR_FMT ".rels",
                                STR_ARG(str_slice(part, 0, part.len - name.len)), STR_ARG(name));
    const struct xml_node *root;

    if (!path.ptr)
        return err_arena(err, zip->arena);
    if (!package_tree_if_any(zip, path, &root, err))
        return false;
    *out = (struct relations){
        .at = arena_array(zip->arena, count_children(root) + 1, sizeof *out->at)};
    for (const struct xml_node *n = root ? root->first : NULL; n && out->at; n = n->next) {
        struct relation r = {xml_get(n, "Id"), last_of(xml_get(n, "Type"), '/'), STR_NONE};

        if (!str_eq(n->name, STR("Relationship")) ||
            str_eq(xml_get(n, "TargetMode"), STR("External")))
            continue;
        if (!package_resolve(zip->arena, part, xml_get(n, "Target"), &r.target))
            return err_arena(err, zip->arena);
        out->at[out->count++] = r;
    }
    return out->at || err_arena(err, zip->arena);
}

struct str relation_target(const struct relations *relations, struct str id)
{
    for (size_t i = 0; i < relations->count; i++)
        if (str_eq(relations->at[i].id, id))
            return relations->at[i].target;
    return STR_NONE;
}

struct str relation_of_type(const struct relations *relations, const char *type)
{
    for (size_t i = 0; i < relations->count; i++)
        if (str_eq(relations->at[i].type, str_from(type)))
            return relations->at[i].target;
    return STR_NONE;
}

/* --- properties ------------------------------------------------------------------------------- */

static bool is_a_title(struct str s)
{
    static const char *const none[] = {"PowerPoint Presentation",
                                       "Slide 1",
                                       "Untitled",
                                       "Document",
                                       "Document1",
                                       "Presentation",
                                       "Book1",
                                       "Title",
                                       "Word Document"};

    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        if (str_eq_nocase(s, str_from(none[i])))
            return false;
    return s.len > 0 && s.len <= TITLE_BYTES_MAX && !str_starts(s, STR("Microsoft "));
}

bool package_title(struct zip *zip, struct rendering *to, struct err *err)
{
    struct relations relations;
    const struct xml_node *core;

    if (!package_relations(zip, STR(""), &relations, err) ||
        !package_tree_if_any(zip, relation_of_type(&relations, "core-properties"), &core, err))
        return false;
    const struct xml_node *title = xml_child(core, "title");
    if (title && title->first && is_a_title(str_trim(title->first->text)))
        rendering_title(to, title->first->text);
    return true;
}
