/* Styles and lists of a DOCX file: which paragraph is a heading, and what number an item bears. */
#include "knowledge/docx_internal.h"

#define STYLES_MAX  10000
#define PARENTS_MAX 20
#define LISTS_MAX   20000

static int number_of(struct str s, int most)
{
    uint64_t n;

    return u64_parse(s, &n) && n <= (uint64_t)most ? (int)n : -1;
}

static struct str val(const struct xml_node *node, const char *path)
{
    return xml_get(xml_path(node, path), "val");
}

/* --- styles ----------------------------------------------------------------------------------- */

/* The name is English in every language's Word, the styleId is not: "heading 2" and "berschrift2". */
static int outline_of_name(struct str name)
{
    struct str heading = STR("heading ");

    if (name.len <= heading.len || !str_eq_nocase(str_slice(name, 0, heading.len), heading))
        return -1;
    int level = number_of(str_slice(name, heading.len, name.len), DOCX_LEVELS);
    return level > 0 ? level - 1 : -1;
}

static void read_own(struct docx_style *s)
{
    struct str name = val(s->node, "name");
    const struct xml_node *num = xml_path(s->node, "pPr/numPr");

    s->outline = number_of(val(s->node, "pPr/outlineLvl"), DOCX_LEVELS - 1);
    if (s->outline < 0)
        s->outline = outline_of_name(name);
    s->list = number_of(val(num, "numId"), INT32_MAX);
    s->list_level = number_of(val(num, "ilvl"), DOCX_LEVELS - 1);
    s->is_title = str_eq_nocase(name, STR("Title"));
    s->is_contents = str_starts(name, STR("toc ")) || str_starts(name, STR("TOC "));
}

/* What a style does not say, the one it is based on says; a ring of styles ends by itself. */
static void inherit(struct docx *d, struct docx_style *s, int parents)
{
    struct docx_style *parent = table_get(&d->styles, val(s->node, "basedOn"));

    if (s->resolved)
        return;
    s->resolved = true;
    read_own(s);
    if (!parent || parents == 0)
        return;
    inherit(d, parent, parents - 1);
    s->outline = s->outline < 0 ? parent->outline : s->outline;
    s->list = s->list < 0 ? parent->list : s->list;
    s->list_level = s->list_level < 0 ? parent->list_level : s->list_level;
}

bool docx_styles(struct docx *d, struct err *err)
{
    const struct xml_node *root;

    table_init(&d->styles, d->arena, STYLES_MAX);
    if (!package_tree_if_any(&d->zip, relation_of_type(&d->relations, "styles"), &root, err))
        return false;
    for (const struct xml_node *n = root ? root->first : NULL; n; n = n->next) {
        if (!str_eq(n->name, STR("style")))
            continue;
        struct docx_style *s = arena_alloc(d->arena, sizeof *s);
        if (!s)
            return err_arena(err, d->arena);
        s->node = n;
        if (!table_put(&d->styles, xml_get(n, "styleId"), s, NULL))
            return err_set(err, ERR_TOO_LARGE, "more than %d styles", STYLES_MAX);
        if (str_eq(xml_get(n, "default"), STR("1")) && str_eq(xml_get(n, "type"), STR("paragraph")))
            d->default_style = xml_get(n, "styleId");
    }
    return true;
}

struct docx_paragraph docx_paragraph_of(struct docx *d, const struct xml_node *p)
{
    const struct xml_node *own = xml_child(p, "pPr"), *num = xml_child(own, "numPr");
    struct str name = val(own, "pStyle");
    struct docx_style *style = table_get(&d->styles, name.len ? name : d->default_style);
    struct docx_paragraph out = {.outline = number_of(val(own, "outlineLvl"), DOCX_LEVELS - 1),
                                 .list = number_of(val(num, "numId"), INT32_MAX),
                                 .list_level = number_of(val(num, "ilvl"), DOCX_LEVELS - 1)};

    if (style) {
        inherit(d, style, PARENTS_MAX);
        out.outline =
            out.outline < 0 && !xml_child(own, "outlineLvl") ? style->outline : out.outline;
        out.list = out.list < 0 ? style->list : out.list;
        out.list_level = out.list_level < 0 ? style->list_level : out.list_level;
        out.is_title = style->is_title;
        out.is_contents = style->is_contents;
    }
    out.list_level = MAX_OF(out.list_level, 0);
    return out;
}

/* --- lists ------------------------------------------------------------------------------------ */

static void read_levels(struct docx_list_kind *kind, const struct xml_node *from)
{
    for (const struct xml_node *n = from->first; n; n = n->next) {
        int level = number_of(xml_get(n, "ilvl"), DOCX_LEVELS - 1);

        if (level < 0 || !str_eq(n->name, STR("lvl")))
            continue;
        int start = number_of(val(n, "start"), INT32_MAX);
        kind->levels[level] = (struct docx_level){n, start < 0 ? 0 : (uint32_t)start};
    }
}

static bool read_list(struct docx *d, const struct xml_node *n, const struct table *kinds,
                      struct err *err)
{
    struct docx_list *list = arena_alloc(d->arena, sizeof *list);

    if (!list)
        return err_arena(err, d->arena);
    list->kind = table_get(kinds, val(n, "abstractNumId"));
    for (int i = 0; i < DOCX_LEVELS; i++)
        list->starts[i] = -1;
    for (const struct xml_node *o = n->first; o; o = o->next) {
        int level = number_of(xml_get(o, "ilvl"), DOCX_LEVELS - 1);

        if (level >= 0 && str_eq(o->name, STR("lvlOverride")))
            list->starts[level] = number_of(val(o, "startOverride"), INT32_MAX);
    }
    if (list->kind && !table_put(&d->lists, xml_get(n, "numId"), list, NULL))
        return err_set(err, ERR_TOO_LARGE, "more than %d lists", LISTS_MAX);
    return true;
}

bool docx_lists(struct docx *d, struct err *err)
{
    const struct xml_node *root;
    struct table kinds;

    table_init(&d->lists, d->arena, LISTS_MAX);
    table_init(&kinds, d->arena, LISTS_MAX);
    if (!package_tree_if_any(&d->zip, relation_of_type(&d->relations, "numbering"), &root, err))
        return false;
    for (const struct xml_node *n = root ? root->first : NULL; n; n = n->next) {
        if (str_eq(n->name, STR("num")) && !read_list(d, n, &kinds, err))
            return false;
        if (!str_eq(n->name, STR("abstractNum")))
            continue;
        struct docx_list_kind *kind = arena_alloc(d->arena, sizeof *kind);
        if (!kind)
            return err_arena(err, d->arena);
        read_levels(kind, n);
        if (!table_put(&kinds, xml_get(n, "abstractNumId"), kind, NULL))
            return err_set(err, ERR_TOO_LARGE, "more than %d lists", LISTS_MAX);
    }
    return true;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void put_roman(struct buf *to, uint32_t n, bool upper)
{
    static const struct {
        uint32_t value;
        const char *upper, *lower;
    } signs[] = {{1000, "M", "m"}, {900, "CM", "cm"}, {500, "D", "d"}, {400, "CD", "cd"},
                 {100, "C", "c"},  {90, "XC", "xc"},  {50, "L", "l"},  {40, "XL", "xl"},
                 {10, "X", "x"},   {9, "IX", "ix"},   {5, "V", "v"},   {4, "IV", "iv"},
                 {1, "I", "i"}};

    for (size_t i = 0; n < 4000 && i < ARRAY_LEN(signs); i++)
        for (; n >= signs[i].value; n -= signs[i].value)
            buf_str(to, str_from(upper ? signs[i].upper : signs[i].lower));
}

/* 1 to 99; above that plain figures, as nobody counts further so. */
static void put_chinese(struct buf *to, uint32_t n)
{
    static const char *const digits[] = {"〇", "一", "二", "三", "四",
                                         "五", "六", "七", "八", "九"};

    if (n >= 100) {
        buf_u64(to, n);
        return;
    }
    if (n >= 20)
        buf_str(to, str_from(digits[n / 10]));
    if (n >= 10)
        buf_str(to, STR("十"));
    if (n % 10 || !n)
        buf_str(to, str_from(digits[n % 10]));
}

static void put_count(struct buf *to, uint32_t n, struct str format)
{
    if (str_eq(format, STR("lowerLetter")) && n >= 1)
        buf_char(to, (char)('a' + (n - 1) % 26));
    else if (str_eq(format, STR("upperLetter")) && n >= 1)
        buf_char(to, (char)('A' + (n - 1) % 26));
    else if (str_eq(format, STR("lowerRoman")) || str_eq(format, STR("upperRoman")))
        put_roman(to, n, format.ptr[0] == 'u');
    else if (str_starts(format, STR("chinese")) || str_starts(format, STR("ideograph")) ||
             str_eq(format, STR("japaneseCounting")))
        put_chinese(to, n);
    else
        buf_u64(to, n);
}

static bool is_counted(const struct xml_node *level)
{
    struct str format = val(level, "numFmt");

    return format.len && !str_eq(format, STR("bullet")) && !str_eq(format, STR("none"));
}

static void count(struct docx_list *list, int level)
{
    struct docx_list_kind *kind = list->kind;

    for (int i = 0; i < DOCX_LEVELS && !list->begun; i++)
        if (list->starts[i] >= 0)
            kind->counting[i] = false;
    for (int i = 0; i <= level; i++) {
        int64_t start = list->starts[i] >= 0 ? list->starts[i] : (int64_t)kind->levels[i].start;

        if (kind->counting[i] && i == level)
            kind->counters[i]++;
        else if (!kind->counting[i])
            kind->counters[i] = (uint32_t)start;
        kind->counting[i] = true;
    }
    for (int i = level + 1; i < DOCX_LEVELS; i++)
        kind->counting[i] = false;
    list->begun = true;
}

bool docx_number(struct docx *d, int list_id, int level, struct buf *to)
{
    char digits[16];
    struct buf key;

    buf_init_fixed(&key, digits, sizeof digits);
    buf_i64(&key, list_id);
    struct docx_list *list = list_id > 0 ? table_get(&d->lists, buf_view(&key)) : NULL;
    if (!list || level < 0 || level >= DOCX_LEVELS)
        return false;
    const struct docx_list_kind *kind = list->kind;
    const struct xml_node *node = kind->levels[level].node;
    count(list, level);
    if (!node || !is_counted(node))
        return true;
    struct str text = val(node, "lvlText");
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.ptr[i] == '%' && i + 1 < text.len && text.ptr[i + 1] >= '1' &&
                     text.ptr[i + 1] <= '9';
        if (!digit) {
            buf_char(to, text.ptr[i]);
            continue;
        }
        int which = text.ptr[++i] - '1';
        put_count(to, kind->counters[which], val(kind->levels[which].node, "numFmt"));
    }
    return true;
}
