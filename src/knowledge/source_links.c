#include "knowledge/source_links.h"

#include <string.h>

#include "base/buf.h"
#include "knowledge/document_internal.h"

#define VALUE_MAX      4096u
#define ATTRIBUTES_MAX 64

struct attribute {
    struct str name, value; /* value as written */
};
struct tag {
    struct str name;
    struct attribute at[ATTRIBUTES_MAX];
    size_t count;
};
struct scan {
    struct arena *arena;
    struct str page, agent;
    size_t at;
    struct tag tag;
    struct page_links *out;
    bool failed;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static char byte(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->page.len ? s->page.ptr[s->at + ahead] : 0;
}

static bool more(const struct scan *s)
{
    return s->at < s->page.len;
}

static bool is_alpha(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* --- values ----------------------------------------------------------------------------------- */

/* Without entities; control bytes become spaces, so that no value breaks a line of a log. */
static struct str value_text(struct scan *s, struct str raw)
{
    struct buf b;

    raw = str_slice(raw, 0, VALUE_MAX);
    buf_init(&b, s->arena, VALUE_MAX + 8);
    for (size_t i = 0; i < raw.len; i++) {
        char text[8];
        struct str rest = str_slice(raw, i, MIN_OF(raw.len, i + 12));
        size_t end = rest.ptr[0] == '&' ? str_find_char(rest, ';') : rest.len;
        size_t len = end < rest.len ? entity_text(str_slice(rest, 0, end + 1), text) : 0;

        if (len > 0) {
            for (size_t k = 0; k < len; k++)
                buf_char(&b, (unsigned char)text[k] < ' ' || text[k] == 0x7f ? ' ' : text[k]);
            i += end;
        } else {
            unsigned char c = (unsigned char)raw.ptr[i];

            buf_char(&b, c < ' ' || c == 0x7f ? ' ' : (char)c);
        }
    }
    s->failed |= !buf_ok(&b);
    return buf_ok(&b) ? str_trim(buf_view(&b)) : STR("");
}

static struct str attribute(const struct tag *tag, const char *name)
{
    for (size_t i = 0; i < tag->count; i++)
        if (str_eq_nocase(tag->at[i].name, str_from(name)))
            return tag->at[i].value;
    return STR_NONE;
}

static bool has_word(struct str text, const char *word)
{
    size_t at = 0;

    while (at < text.len) {
        size_t end = at;

        while (end < text.len && !is_space(text.ptr[end]) && text.ptr[end] != ',')
            end++;
        if (str_eq_nocase(str_slice(text, at, end), str_from(word)))
            return true;
        at = end + 1;
    }
    return false;
}

void robots_words(struct str text, struct str agent, bool *no_index, bool *no_follow)
{
    size_t colon = str_find_char(text, ':');
    struct str before = str_trim(str_slice(text, 0, colon));

    /* "agent: noindex"; "unavailable_after: ..." is a rule of its own and no agent of ours. */
    if (colon < text.len && str_find_char(before, ',') == before.len) {
        if (!str_eq_nocase(before, agent))
            return;
        text = str_slice(text, colon + 1, text.len);
    }
    *no_index |= has_word(text, "noindex") || has_word(text, "none");
    *no_follow |= has_word(text, "nofollow") || has_word(text, "none");
}

/* --- tags ------------------------------------------------------------------------------------- */

static struct str read_value(struct scan *s)
{
    char quote = byte(s, 0);
    size_t from;

    if (quote == '"' || quote == '\'') {
        from = ++s->at;
        while (more(s) && byte(s, 0) != quote)
            s->at++;
        struct str value = str_slice(s->page, from, s->at);
        s->at += more(s);
        return value;
    }
    from = s->at;
    while (more(s) && !is_space(byte(s, 0)) && byte(s, 0) != '>')
        s->at++;
    return str_slice(s->page, from, s->at);
}

static void skip_space(struct scan *s)
{
    while (more(s) && is_space(byte(s, 0)))
        s->at++;
}

static void read_attribute(struct scan *s)
{
    struct attribute a = {.value = STR("")};
    size_t from = s->at;

    s->at++; /* even "=" may begin a name */
    while (more(s) && !is_space(byte(s, 0)) && byte(s, 0) != '=' && byte(s, 0) != '>' &&
           byte(s, 0) != '/')
        s->at++;
    a.name = str_slice(s->page, from, s->at);
    skip_space(s);
    if (byte(s, 0) == '=') {
        s->at++;
        skip_space(s);
        a.value = read_value(s);
    }
    if (s->tag.count < ATTRIBUTES_MAX)
        s->tag.at[s->tag.count++] = a;
}

static void read_tag(struct scan *s)
{
    size_t from = s->at;

    while (more(s) && !is_space(byte(s, 0)) && byte(s, 0) != '>' && byte(s, 0) != '/')
        s->at++;
    s->tag.name = str_slice(s->page, from, s->at);
    s->tag.count = 0;
    while (more(s) && byte(s, 0) != '>') {
        if (is_space(byte(s, 0)) || byte(s, 0) == '/')
            s->at++;
        else
            read_attribute(s);
    }
    s->at += more(s);
}

/* What stands in them is no markup, up to their end tag. */
static void skip_raw(struct scan *s)
{
    static const char *const raw[] = {"script",   "style",    "textarea", "title",
                                      "noscript", "template", "xmp",      "iframe"};
    struct str name = s->tag.name;
    bool is_raw = false;

    for (size_t i = 0; i < ARRAY_LEN(raw); i++)
        is_raw |= str_eq_nocase(name, str_from(raw[i]));
    while (is_raw && more(s)) {
        s->at += str_find_char(str_slice(s->page, s->at, s->page.len), '<');
        if (byte(s, 1) == '/' &&
            str_eq_nocase(str_slice(s->page, s->at + 2, s->at + 2 + name.len), name))
            return;
        s->at += more(s);
    }
}

/* --- what they say ---------------------------------------------------------------------------- */

static void add_link(struct scan *s)
{
    struct str href = attribute(&s->tag, "href"), text;

    if (!href.ptr || has_word(attribute(&s->tag, "rel"), "nofollow"))
        return;
    if (s->out->count == LINKS_MAX) {
        s->out->beyond++;
        return;
    }
    text = value_text(s, href);
    if (text.len > 0 && text.ptr[0] != '#')
        s->out->at[s->out->count++] = text;
}

static void read_meta(struct scan *s)
{
    struct str name = str_trim(attribute(&s->tag, "name")), content = attribute(&s->tag, "content");

    if (str_eq_nocase(name, STR("robots")) || str_eq_nocase(name, s->agent))
        robots_words(value_text(s, content), s->agent, &s->out->no_index, &s->out->no_follow);
}

static void say(struct scan *s)
{
    struct str name = s->tag.name;

    if (str_eq_nocase(name, STR("a")) || str_eq_nocase(name, STR("area")))
        add_link(s);
    else if (str_eq_nocase(name, STR("meta")))
        read_meta(s);
    else if (str_eq_nocase(name, STR("base")) && s->out->base.len == 0)
        s->out->base = value_text(s, attribute(&s->tag, "href"));
    else if (str_eq_nocase(name, STR("link")) && s->out->canonical.len == 0 &&
             has_word(attribute(&s->tag, "rel"), "canonical"))
        s->out->canonical = value_text(s, attribute(&s->tag, "href"));
}

static void skip_comment(struct scan *s)
{
    struct str rest = str_slice(s->page, s->at, s->page.len);
    bool is_comment = str_starts(rest, STR("<!--"));
    size_t end = is_comment ? str_find(str_slice(rest, 4, rest.len), STR("-->")) + 7
                            : str_find_char(rest, '>') + 1;

    s->at = MIN_OF(s->page.len, s->at + end);
}

static void scan_all(struct scan *s)
{
    while (more(s) && !s->failed) {
        s->at += str_find_char(str_slice(s->page, s->at, s->page.len), '<');
        char c = byte(s, 1);

        if (c == '!' || c == '?') {
            skip_comment(s);
        } else if (is_alpha(c)) {
            s->at++;
            read_tag(s);
            say(s);
            skip_raw(s);
        } else if (more(s)) {
            s->at++;
        }
    }
}

bool page_links(struct arena *arena, struct str page, struct str agent, struct page_links *out,
                struct err *err)
{
    struct scan *s = arena_alloc(arena, sizeof *s);

    *out = (struct page_links){.base = STR(""), .canonical = STR("")};
    out->at = arena_array(arena, LINKS_MAX, sizeof *out->at);
    if (!s || !out->at)
        return err_arena(err, arena);
    s->arena = arena;
    s->page = page;
    s->agent = agent;
    s->out = out;
    scan_all(s);
    return !s->failed || err_arena(err, arena);
}
