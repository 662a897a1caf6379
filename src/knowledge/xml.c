#include "knowledge/xml.h"

#include <string.h>

#include "base/buf.h"
#include "knowledge/document_internal.h"

#define ENTITY_BYTES_MAX 32

struct xml *xml_new(struct arena *arena, struct str source)
{
    struct xml *x = arena_alloc(arena, sizeof *x);

    if (!x)
        return NULL;
    x->arena = arena;
    x->source = source;
    x->at = str_starts(source, STR("\xEF\xBB\xBF")) ? 3 : 0;
    return x;
}

static bool bad(const struct xml *x, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "damaged: XML with %s at byte %zu", what, x->at);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool ends_name(char c)
{
    return is_space(c) || c == '>' || c == '/' || c == '=' || c == '<' || c == '"' || c == '\'';
}

static struct str rest_of(const struct xml *x)
{
    return str_slice(x->source, x->at, x->source.len);
}

static void skip_space(struct xml *x)
{
    while (x->at < x->source.len && is_space(x->source.ptr[x->at]))
        x->at++;
}

static struct str take_name(struct xml *x)
{
    size_t from = x->at;

    while (x->at < x->source.len && !ends_name(x->source.ptr[x->at]))
        x->at++;
    return str_slice(x->source, from, x->at);
}

static struct str local_part(struct str name, struct str *prefix)
{
    size_t colon = str_find_char(name, ':');

    if (colon == name.len) {
        *prefix = STR_NONE;
        return name;
    }
    *prefix = str_slice(name, 0, colon);
    return str_slice(name, colon + 1, name.len);
}

/* --- references ------------------------------------------------------------------------------- */

/* What is no reference we know stays as it is written. */
static bool resolve(struct arena *arena, struct str s, struct str *out, struct err *err)
{
    struct buf b;

    if (str_find_char(s, '&') == s.len) {
        *out = s;
        return true;
    }
    buf_init(&b, arena, 2 * s.len + 8);
    while (s.len > 0) {
        size_t amp = str_find_char(s, '&');
        struct str rest = str_slice(s, amp, s.len);
        size_t end = str_find_char(str_slice(rest, 0, ENTITY_BYTES_MAX), ';');
        char bytes[8];

        buf_str(&b, str_slice(s, 0, amp));
        if (!rest.len)
            break;
        bool whole = end < MIN_OF(rest.len, (size_t)ENTITY_BYTES_MAX);
        size_t len = whole ? entity_text(str_slice(rest, 0, end + 1), bytes) : 0;
        if (len)
            buf_put(&b, bytes, len);
        else if (whole && rest.ptr[1] == '#') /* a control character */
            buf_char(&b, ' ');
        else
            buf_str(&b, str_slice(rest, 0, whole ? end + 1 : 1));
        s = str_slice(rest, whole ? end + 1 : 1, rest.len);
    }
    return buf_finish(&b, out, err);
}

/* --- markup ----------------------------------------------------------------------------------- */

static bool skip_past(struct xml *x, struct str what, struct err *err)
{
    size_t at = str_find(rest_of(x), what);

    if (at == rest_of(x).len)
        return bad(x, "something not ended", err);
    x->at += at + what.len;
    return true;
}

/* To the ">" that ends it, over quoted strings and the brackets of an internal subset. */
static bool skip_doctype(struct xml *x, struct err *err)
{
    int brackets = 0;

    for (; x->at < x->source.len; x->at++) {
        char c = x->source.ptr[x->at];

        if (c == '"' || c == '\'') {
            size_t len = str_find_char(str_slice(x->source, x->at + 1, x->source.len), c);
            x->at += len + 1;
        } else if (c == '[' || c == ']') {
            brackets += c == '[' ? 1 : -1;
        } else if (c == '>' && brackets <= 0) {
            x->at++;
            return true;
        }
    }
    return bad(x, "a DOCTYPE not ended", err);
}

static bool take_attribute(struct xml *x, struct err *err)
{
    struct xml_attribute a;
    struct str name = take_name(x);

    skip_space(x);
    if (!name.len || x->at >= x->source.len || x->source.ptr[x->at] != '=')
        return bad(x, "a broken attribute", err);
    x->at++;
    skip_space(x);
    char quote = x->at < x->source.len ? x->source.ptr[x->at] : 0;
    if (quote != '"' && quote != '\'')
        return bad(x, "a broken attribute", err);
    struct str value = str_slice(x->source, x->at + 1, x->source.len);
    size_t end = str_find_char(value, quote);
    if (end == value.len)
        return bad(x, "an attribute not ended", err);
    x->at += end + 2;
    if (x->attribute_count == XML_ATTRIBUTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "XML with more than %d attributes at byte %zu",
                       XML_ATTRIBUTES_MAX, x->at);
    a.name = local_part(name, &a.prefix);
    if (!resolve(x->arena, str_slice(value, 0, end), &a.value, err))
        return false;
    x->attributes[x->attribute_count++] = a;
    return true;
}

static bool open_element(struct xml *x, struct err *err)
{
    struct str prefix;

    x->at++;
    struct str whole = take_name(x);
    if (!whole.len)
        return bad(x, "an element without a name", err);
    if (x->depth == XML_DEPTH_MAX)
        return err_set(err, ERR_TOO_LARGE, "XML nested deeper than %d", XML_DEPTH_MAX);
    x->open[x->depth++] = whole;
    x->name = local_part(whole, &prefix);
    x->attribute_count = 0;
    for (;;) {
        skip_space(x);
        struct str rest = rest_of(x);
        if (str_starts(rest, STR(">")) || str_starts(rest, STR("/>"))) {
            x->close_follows = rest.ptr[0] == '/';
            x->at += x->close_follows ? 2 : 1;
            return true;
        }
        if (!take_attribute(x, err))
            return false;
    }
}

static bool close_element(struct xml *x, struct err *err)
{
    struct str prefix;

    x->at += 2;
    struct str whole = take_name(x);
    if (x->depth == 0 || !str_eq(whole, x->open[x->depth - 1]))
        return bad(x, "an end tag that does not fit", err);
    x->depth--;
    x->name = local_part(whole, &prefix);
    skip_space(x);
    if (!str_starts(rest_of(x), STR(">")))
        return bad(x, "a broken end tag", err);
    x->at++;
    return true;
}

/* Comments, instructions and the document type; false with an empty err: there is none here. */
static bool skip_misc(struct xml *x, struct err *err)
{
    struct str rest = rest_of(x);

    if (str_starts(rest, STR("<!--")))
        return skip_past(x, STR("-->"), err);
    if (str_starts(rest, STR("<?")))
        return skip_past(x, STR("?>"), err);
    if (str_starts(rest, STR("<!DOCTYPE")))
        return skip_doctype(x, err);
    return false;
}

static bool take_text(struct xml *x, struct err *err)
{
    struct str rest = rest_of(x);

    if (str_starts(rest, STR("<![CDATA["))) {
        size_t end = str_find(rest, STR("]]>"));

        x->text = str_slice(rest, 9, end);
        x->at += end + 3;
        return end < rest.len || bad(x, "CDATA not ended", err);
    }
    size_t end = str_find_char(rest, '<');
    x->at += end;
    return resolve(x->arena, str_slice(rest, 0, end), &x->text, err);
}

bool xml_next(struct xml *x, enum xml_event *event, struct err *err)
{
    struct err none = {0};
    struct str prefix;

    if (x->close_follows) {
        x->close_follows = false;
        x->name = local_part(x->open[--x->depth], &prefix);
        *event = XML_CLOSE;
        return true;
    }
    while (skip_misc(x, &none))
        continue;
    if (none.code) {
        *err = none;
        return false;
    }
    struct str rest = rest_of(x);
    if (!rest.len) {
        *event = XML_END;
        return x->depth == 0 || bad(x, "an element not ended", err);
    }
    *event = str_starts(rest, STR("</"))                                 ? XML_CLOSE
             : rest.ptr[0] == '<' && !str_starts(rest, STR("<![CDATA[")) ? XML_OPEN
                                                                         : XML_TEXT;
    return *event == XML_CLOSE  ? close_element(x, err)
           : *event == XML_OPEN ? open_element(x, err)
                                : take_text(x, err);
}

bool xml_skip(struct xml *x, struct err *err)
{
    enum xml_event event;
    int depth = x->depth - 1;

    while (x->depth > depth)
        if (!xml_next(x, &event, err))
            return false;
    return true;
}

struct str xml_attribute(const struct xml *x, struct str name)
{
    struct str found = STR_NONE;

    for (size_t i = 0; i < x->attribute_count; i++) {
        const struct xml_attribute *a = &x->attributes[i];

        if (!str_eq(a->name, name))
            continue;
        if (!a->prefix.len)
            return a->value;
        found = a->value;
    }
    return found;
}

/* --- trees ------------------------------------------------------------------------------------ */

static struct xml_node *make_node(struct xml *x, enum xml_event event)
{
    struct xml_node *n = arena_alloc(x->arena, sizeof *n);
    size_t bytes = x->attribute_count * sizeof *n->attributes;

    if (!n)
        return NULL;
    if (event == XML_TEXT) {
        n->text = x->text;
        return n;
    }
    n->name = x->name;
    n->attribute_count = x->attribute_count;
    n->attributes = bytes ? arena_alloc(x->arena, bytes) : NULL;
    if (bytes && !n->attributes)
        return NULL;
    if (bytes)
        memcpy(n->attributes, x->attributes, bytes);
    return n;
}

bool xml_tree(struct arena *arena, struct str source, struct xml_node **out, struct err *err)
{
    struct xml *x = xml_new(arena, source);
    struct xml_node root = {0}, **ends[XML_DEPTH_MAX + 1] = {&root.first};
    enum xml_event event;

    if (!x)
        return err_arena(err, arena);
    for (;;) {
        if (!xml_next(x, &event, err))
            return false;
        if (event == XML_END)
            break;
        if (event == XML_CLOSE || (event == XML_TEXT && x->depth == 0))
            continue;
        struct xml_node *n = make_node(x, event), ***end = &ends[x->depth - (event == XML_OPEN)];
        if (!n)
            return err_arena(err, arena);
        **end = n;
        *end = &n->next;
        if (event == XML_OPEN)
            ends[x->depth] = &n->first;
    }
    if (!root.first)
        return bad(x, "no element", err);
    *out = root.first;
    return true;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
    struct str wanted = str_from(name);

    for (const struct xml_node *n = node ? node->first : NULL; n; n = n->next)
        if (str_eq(n->name, wanted))
            return n;
    return NULL;
}

const struct xml_node *xml_path(const struct xml_node *node, const char *slashed)
{
    for (struct str rest = str_from(slashed), part; node && str_split(&rest, '/', &part);) {
        const struct xml_node *n = node->first;

        while (n && !str_eq(n->name, part))
            n = n->next;
        node = n;
    }
    return node;
}

const struct xml_node *xml_alternative(const struct xml_node *node)
{
    const struct xml_node *choice = xml_child(node, "Choice");

    return choice ? choice : xml_child(node, "Fallback");
}

static struct str get(const struct xml_node *node, const char *name, bool prefixed)
{
    struct str wanted = str_from(name), found = STR_NONE;

    for (size_t i = 0; node && i < node->attribute_count; i++) {
        const struct xml_attribute *a = &node->attributes[i];

        if (!str_eq(a->name, wanted))
            continue;
        if (prefixed == (a->prefix.len > 0))
            return a->value;
        found = a->value;
    }
    return prefixed ? STR_NONE : found;
}

struct str xml_get(const struct xml_node *node, const char *name)
{
    return get(node, name, false);
}

struct str xml_get_prefixed(const struct xml_node *node, const char *name)
{
    return get(node, name, true);
}
