#include "knowledge/html_scan.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
    return (uint8_t)c <= ' ';
}

bool html_is_markup(struct str s)
{
    if (s.len < 2 || s.ptr[0] != '<')
        return false;
    return is_letter(s.ptr[1]) || s.ptr[1] == '!' || s.ptr[1] == '?' ||
           (s.ptr[1] == '/' && s.len > 2 && is_letter(s.ptr[2]));
}

struct str html_name(struct str s, uint32_t at)
{
    size_t end = at;

    while (end < s.len && !is_blank(s.ptr[end]) && s.ptr[end] != '/' && s.ptr[end] != '>')
        end++;
    return str_slice(s, at, end);
}

uint32_t html_tag_end(struct str s, uint32_t at)
{
    char quote = 0;

    for (; at < s.len; at++) {
        char c = s.ptr[at];

        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return at + 1;
    }
    return (uint32_t)s.len;
}

uint32_t html_after(struct str s, uint32_t at, struct str what)
{
    struct str rest = str_slice(s, at, s.len);
    size_t found = str_find(rest, what);

    return found == rest.len ? (uint32_t)s.len : at + (uint32_t)(found + what.len);
}

uint32_t html_find_close(struct str s, uint32_t at, struct str name)
{
    while (at < s.len) {
        at = html_after(s, at, STR("</"));
        if (at < s.len && str_eq_nocase(html_name(s, at), name))
            return at - 2;
    }
    return (uint32_t)s.len;
}

uint32_t html_skip_other(struct str s, uint32_t at)
{
    struct str rest = str_slice(s, at, s.len);

    if (str_starts(rest, STR("<!--")))
        return html_after(s, at + 4, STR("-->"));
    if (str_starts(rest, STR("<![CDATA[")))
        return html_after(s, at, STR("]]>"));
    if (rest.len > 1 && (rest.ptr[1] == '!' || rest.ptr[1] == '?'))
        return html_after(s, at, STR(">"));
    return at;
}

static struct str value_at(struct str tag, size_t *at)
{
    char quote = *at < tag.len ? tag.ptr[*at] : 0;
    size_t from;

    if (quote == '"' || quote == '\'') {
        from = ++*at;
        *at += str_find_char(str_slice(tag, from, tag.len), quote);
        struct str value = str_slice(tag, from, *at);
        *at += *at < tag.len;
        return value;
    }
    for (from = *at; *at < tag.len && !is_blank(tag.ptr[*at]) && tag.ptr[*at] != '>'; ++*at)
        continue;
    return str_slice(tag, from, *at);
}

static void skip_blank(struct str tag, size_t *at)
{
    while (*at < tag.len && is_blank(tag.ptr[*at]))
        ++*at;
}

struct str html_attribute(struct str tag, struct str name)
{
    for (size_t at = 0; at < tag.len;) {
        size_t from = at;
        struct str value = STR("");

        if (is_blank(tag.ptr[at]) || tag.ptr[at] == '/' || tag.ptr[at] == '>') {
            at++;
            continue;
        }
        for (at++; at < tag.len && !is_blank(tag.ptr[at]) && !(tag.ptr[at] == '=') &&
                   tag.ptr[at] != '/' && tag.ptr[at] != '>';)
            at++;
        struct str found = str_slice(tag, from, at);
        skip_blank(tag, &at);
        if (at < tag.len && tag.ptr[at] == '=') {
            at++;
            skip_blank(tag, &at);
            value = value_at(tag, &at);
        }
        if (str_eq_nocase(found, name))
            return value;
    }
    return STR_NONE;
}

bool html_is_xml(struct str page)
{
    struct str head = str_slice(page, 0, 1024), start = head;

    if (str_starts(start, STR("\xEF\xBB\xBF")))
        start = str_slice(start, 3, start.len);
    return str_starts(str_trim(start), STR("<?xml")) ||
           str_find(head, STR("http://www.w3.org/1999/xhtml")) < head.len;
}
