/* One pass over the tags with a stack of what is open: each element knows its text and its links when it closes, and is
 * judged then. What is found inside of a part that is found later is a part of that. */
#include "knowledge/html_main.h"

#include <string.h>

#include "base/buf.h"
#include "knowledge/html_scan.h"

#define ELEMENTS_DEEP 256
#define PARTS_MAX     100000u
#define LINE_DEEP     8   /* </a> and the like close what is this near */
#define MAIN_ENOUGH   200 /* characters that make a main part, whatever stands around it */
#define NOTICE_MOST   1500
#define LITTLE        1000 /* characters of a part that is one by its class's name */
#define NOTHING       50

enum element {
    EL_NONE,
    EL_BLOCK, /* div, section, ul: what may be anything */
    EL_MAIN,
    EL_ARTICLE,
    EL_SECTION,
    EL_NAV,
    EL_HEADER,
    EL_FOOTER,
    EL_ASIDE,
    EL_DIALOG,
    EL_HEADING,
    EL_SPAN,
    EL_LINK,
    EL_MUTE, /* no text is read of it */
    EL_RAW,  /* what stands in it is no markup */
};
static const struct {
    const char *name;
    enum element element;
} elements[] = {
    {"a", EL_LINK},        {"article", EL_ARTICLE}, {"aside", EL_ASIDE},  {"body", EL_BLOCK},
    {"button", EL_MUTE},   {"canvas", EL_MUTE},     {"center", EL_BLOCK}, {"details", EL_BLOCK},
    {"dialog", EL_DIALOG}, {"div", EL_BLOCK},       {"dl", EL_BLOCK},     {"fieldset", EL_BLOCK},
    {"footer", EL_FOOTER}, {"form", EL_BLOCK},      {"h1", EL_HEADING},   {"h2", EL_HEADING},
    {"h3", EL_HEADING},    {"h4", EL_HEADING},      {"h5", EL_HEADING},   {"h6", EL_HEADING},
    {"header", EL_HEADER}, {"iframe", EL_RAW},      {"main", EL_MAIN},    {"menu", EL_BLOCK},
    {"nav", EL_NAV},       {"noscript", EL_MUTE},   {"object", EL_MUTE},  {"ol", EL_BLOCK},
    {"script", EL_RAW},    {"section", EL_SECTION}, {"select", EL_MUTE},  {"span", EL_SPAN},
    {"style", EL_RAW},     {"svg", EL_MUTE},        {"table", EL_BLOCK},  {"template", EL_MUTE},
    {"textarea", EL_RAW},  {"title", EL_RAW},       {"ul", EL_BLOCK},
};

/* What a part's role says for certain, and names of classes and ids that only hint at it. */
static const struct {
    const char *name;
    enum html_part_kind kind;
} roles[] =
    {
        {"navigation", PART_NAVIGATION}, {"menu", PART_NAVIGATION},    {"menubar", PART_NAVIGATION},
        {"search", PART_NAVIGATION},     {"banner", PART_HEADER},      {"contentinfo", PART_FOOTER},
        {"complementary", PART_ASIDE},   {"alertdialog", PART_NOTICE}, {"dialog", PART_NOTICE},
},
  hints[] = {
      {"nav", PART_NAVIGATION},
      {"navbar", PART_NAVIGATION},
      {"navigation", PART_NAVIGATION},
      {"menu", PART_NAVIGATION},
      {"breadcrumb", PART_NAVIGATION},
      {"breadcrumbs", PART_NAVIGATION},
      {"pagination", PART_NAVIGATION},
      {"pager", PART_NAVIGATION},
      {"toc", PART_NAVIGATION},
      {"skip", PART_NAVIGATION},
      {"navbox", PART_NAVIGATION},
      {"editsection", PART_NAVIGATION},
      {"headerlink", PART_NAVIGATION},
      {"noprint", PART_NAVIGATION},
      {"footer", PART_FOOTER},
      {"colophon", PART_FOOTER},
      {"sidebar", PART_SIDE},
      {"related", PART_SIDE},
      {"share", PART_SIDE},
      {"sharing", PART_SIDE},
      {"social", PART_SIDE},
      {"newsletter", PART_SIDE},
      {"subscribe", PART_SIDE},
      {"promo", PART_SIDE},
      {"advert", PART_SIDE},
      {"advertisement", PART_SIDE},
      {"sponsored", PART_SIDE},
      {"cookie", PART_NOTICE},
      {"cookies", PART_NOTICE},
      {"consent", PART_NOTICE},
      {"gdpr", PART_NOTICE},
};
static const char *const content_ids[] = {"content",     "main",         "main-content",
                                          "maincontent", "bodycontent",  "mw-content-text",
                                          "article",     "page-content", "post-content"};

struct open {
    enum element element;
    uint32_t from;
    uint32_t text, link_text, links;
    uint32_t head_from, head_to; /* of the first heading within */
    size_t parts;                /* found before it */
    enum html_part_kind kind;    /* PART_KINDS: none is known yet */
    bool sure;                   /* the kind is said by element or role */
    bool in_main, is_content, behind_heading;
};
struct candidate {
    uint32_t from, to, text;
    int count;
};
struct survey {
    struct str page;
    uint32_t at, to;
    struct open *stack;
    size_t depth, lost;
    int mute;
    struct buf parts; /* struct html_part */
    struct candidate main, article, content;
    uint32_t title_from, title_to; /* the first <h1> */
    bool is_xml;
    bool has_layout; /* it has parts that are named for what they are */
};

/* --- what a tag says of itself ---------------------------------------------------------------- */

static enum element element_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(elements); i++)
        if (str_eq_nocase(name, str_from(elements[i].name)))
            return elements[i].element;
    return EL_NONE;
}

static bool is_part_of_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "site-footer", "footer_2", "page footer" have the word "footer"; "footerless" has not. */
static bool has_word(struct str names, struct str word)
{
    for (size_t at = 0; at + word.len <= names.len; at++)
        if (str_eq_nocase(str_slice(names, at, at + word.len), word) &&
            (at == 0 || !is_part_of_name(names.ptr[at - 1])) &&
            (at + word.len == names.len || !is_part_of_name(names.ptr[at + word.len])))
            return true;
    return false;
}

static enum html_part_kind hint_of(struct str names)
{
    for (size_t i = 0; names.len > 0 && i < ARRAY_LEN(hints); i++)
        if (has_word(names, str_from(hints[i].name)))
            return hints[i].kind;
    return PART_KINDS;
}

static bool has_style(struct str style, const char *property, const char *value)
{
    size_t at = str_find(style, str_from(property));
    struct str rest = str_slice(style, at + strlen(property), style.len);

    rest = str_trim(rest);
    return at < style.len && str_starts(rest, STR(":")) &&
           str_starts(str_trim(str_slice(rest, 1, rest.len)), str_from(value));
}

/* Panels that a click shows are hidden for the moment only. */
static bool is_hidden(struct str tag, struct str names, struct str role)
{
    struct str hidden = html_attribute(tag, STR("hidden")),
               style = html_attribute(tag, STR("style"));

    if (str_eq_nocase(role, STR("tabpanel")) || has_word(names, STR("tab")) ||
        has_word(names, STR("collapse")) || has_word(names, STR("accordion")))
        return false;
    return (hidden.ptr && !str_eq_nocase(hidden, STR("until-found"))) ||
           has_style(style, "display", "none") || has_style(style, "visibility", "hidden");
}

static enum html_part_kind kind_of_element(enum element element)
{
    switch (element) {
    case EL_NAV: return PART_NAVIGATION;
    case EL_HEADER: return PART_HEADER;
    case EL_FOOTER: return PART_FOOTER;
    case EL_ASIDE: return PART_ASIDE;
    default: return PART_KINDS;
    }
}

static void name_kind(struct open *o, struct str tag)
{
    struct str role = str_trim(html_attribute(tag, STR("role"))),
               names = html_attribute(tag, STR("class")), id = html_attribute(tag, STR("id"));

    o->kind = kind_of_element(o->element);
    for (size_t i = 0; i < ARRAY_LEN(roles) && role.len > 0; i++)
        if (str_eq_nocase(role, str_from(roles[i].name)))
            o->kind = roles[i].kind;
    o->sure = o->kind != PART_KINDS;
    if (is_hidden(tag, names, role) ||
        (o->element == EL_DIALOG && !html_attribute(tag, STR("open")).ptr)) {
        o->kind = PART_HIDDEN;
        o->sure = true;
    }
    if (str_eq_nocase(role, STR("main")))
        o->element = EL_MAIN;
    for (size_t i = 0; i < ARRAY_LEN(content_ids) && id.len > 0; i++)
        o->is_content |= str_eq_nocase(id, str_from(content_ids[i]));
    bool is_note = str_eq_nocase(role, STR("note")); /* "Main article: ..." */
    if (!o->sure && !is_note && o->element != EL_MAIN && o->element != EL_ARTICLE &&
        !o->is_content) {
        o->kind = hint_of(names);
        o->kind = o->kind == PART_KINDS ? hint_of(id) : o->kind;
    }
}

/* --- judging ---------------------------------------------------------------------------------- */

static bool is_half_links(const struct open *o)
{
    return o->links > 0 && (uint64_t)o->link_text * 10 >= (uint64_t)o->text * 5;
}

static bool is_surely_out(const struct open *o)
{
    if (o->kind == PART_NAVIGATION || o->kind == PART_HIDDEN)
        return true;
    return !o->in_main || (o->kind != PART_HEADER && is_half_links(o));
}

/* A name alone is no proof: "menu" may be what a restaurant has, "cookies" what a page is about. */
static bool is_likely_out(const struct open *o)
{
    bool apart = !o->in_main && o->head_to == 0;

    if (o->element == EL_SPAN || o->element == EL_LINK) /* "[edit]", "#" beside a heading */
        return o->kind == PART_NAVIGATION && o->text <= 20;
    if (is_half_links(o))
        return true;
    if (o->kind == PART_NOTICE)
        return apart && o->text <= NOTICE_MOST;
    return apart && o->text <= LITTLE && o->kind != PART_NAVIGATION;
}

static bool is_block_of_links(const struct open *o)
{
    return (o->element == EL_BLOCK || o->element == EL_SECTION) && !o->in_main && o->head_to == 0 &&
           !o->behind_heading && !o->is_content && o->links >= 8 &&
           (uint64_t)o->link_text * 10 >= (uint64_t)o->text * 8 && o->text / o->links < 60;
}

static void put_part(struct survey *s, const struct html_part *part)
{
    if (part->from < part->to && s->parts.len / sizeof *part < PARTS_MAX)
        buf_put(&s->parts, part, sizeof *part);
}

/* What was found within it goes with it. The heading of a page's header is not left out. */
static void leave_out(struct survey *s, const struct open *o, uint32_t end)
{
    struct html_part part = {o->from, end, o->text, o->kind}, before = part;

    s->parts.len = o->parts * sizeof part;
    if (o->kind == PART_HEADER && o->head_to > 0) {
        before.to = o->head_from;
        part.from = o->head_to;
        part.text = 0;
        put_part(s, &before);
    }
    put_part(s, &part);
}

static bool judge(struct survey *s, struct open *o, uint32_t end)
{
    if (o->kind != PART_KINDS && (o->sure ? is_surely_out(o) : is_likely_out(o))) {
        leave_out(s, o, end);
        return true;
    }
    if (!is_block_of_links(o))
        return false;
    o->kind = PART_LINKS;
    leave_out(s, o, end);
    return true;
}

static void consider(struct candidate *c, const struct open *o, uint32_t end)
{
    c->count++;
    if (o->text >= c->text && o->text > 0) {
        c->from = o->from;
        c->to = end;
        c->text = o->text;
    }
}

/* --- the stack -------------------------------------------------------------------------------- */

static void pop(struct survey *s, uint32_t end)
{
    struct open *o = &s->stack[--s->depth], *under = s->depth ? o - 1 : NULL;
    bool out = judge(s, o, end);

    s->mute -= o->element == EL_MUTE;
    if (o->element == EL_HEADING && s->title_to == 0 && s->page.ptr[o->from + 2] == '1') {
        s->title_from = o->from;
        s->title_to = end;
    }
    if (!out && o->element == EL_MAIN)
        consider(&s->main, o, end);
    else if (!out && o->element == EL_ARTICLE && !(under && under->in_main))
        consider(&s->article, o, end);
    else if (!out && o->is_content)
        consider(&s->content, o, end);
    if (!under)
        return;
    if (out) {
        under->behind_heading = false;
        return; /* its text is no text of what is around it */
    }
    under->text += o->text;
    under->links += o->links + (o->element == EL_LINK);
    under->link_text += o->element == EL_LINK ? o->text : o->link_text;
    under->behind_heading = o->element == EL_HEADING || (under->behind_heading && o->text == 0);
    if (under->head_to == 0 && o->element == EL_HEADING && o->text > 0) {
        under->head_from = o->from;
        under->head_to = end;
    } else if (under->head_to == 0) {
        under->head_from = o->head_from;
        under->head_to = o->head_to;
    }
}

static void push(struct survey *s, enum element element, struct str tag, uint32_t from)
{
    const struct open *under = s->depth ? &s->stack[s->depth - 1] : NULL;

    if (s->depth == ELEMENTS_DEEP) {
        s->lost++;
        return;
    }
    struct open *o = &s->stack[s->depth++];
    *o = (struct open){.element = element,
                       .from = from,
                       .kind = PART_KINDS,
                       .parts = s->parts.len / sizeof(struct html_part)};
    if (element != EL_MUTE && element != EL_HEADING)
        name_kind(o, tag);
    o->in_main = (under && under->in_main) || o->element == EL_MAIN || element == EL_ARTICLE;
    s->mute += element == EL_MUTE;
    s->has_layout |= o->element == EL_MAIN ||
                     (element >= EL_ARTICLE && element != EL_SECTION && element <= EL_FOOTER);
}

static bool is_in_line(enum element element)
{
    return element == EL_LINK || element == EL_SPAN || element == EL_HEADING;
}

/* An end without its beginning is nothing. */
static void close_tag(struct survey *s, enum element element, uint32_t end)
{
    size_t deep = is_in_line(element) ? LINE_DEEP : ELEMENTS_DEEP, i = s->depth;

    if (s->lost > 0) {
        s->lost--;
        return;
    }
    for (size_t looked = 0; i > 0 && looked < deep; looked++, i--) {
        enum element at = s->stack[i - 1].element;

        if (at == element || (element == EL_BLOCK && at == EL_MAIN)) /* role=main */
            break;
        if (is_in_line(element) && !is_in_line(at))
            return;
    }
    if (i == 0 || s->depth - i >= deep)
        return;
    while (s->depth >= i)
        pop(s, end);
}

static void read_tag(struct survey *s)
{
    uint32_t from = s->at;
    bool closing = s->page.ptr[from + 1] == '/';
    struct str name = html_name(s->page, from + 1 + closing);
    uint32_t end = html_tag_end(s->page, from);
    enum element element = element_of(name);
    struct str tag = str_slice(s->page, from + 1 + closing + name.len, end);

    s->at = end;
    if (element == EL_RAW && !closing && !(s->is_xml && str_ends(tag, STR("/>"))))
        s->at = html_find_close(s->page, end, name);
    if (element == EL_NONE || element == EL_RAW)
        return;
    if (closing)
        close_tag(s, element, end);
    else if (!str_ends(tag, STR("/>"))) {
        if (element == EL_LINK) /* links do not nest: one that is open was not closed */
            close_tag(s, element, from);
        push(s, element, tag, from);
    }
}

static void read_text(struct survey *s, uint32_t end)
{
    uint32_t count = 0;

    for (; s->at < end; s->at++) {
        uint8_t c = (uint8_t)s->page.ptr[s->at];

        count += c > ' ' && (c & 0xC0) != 0x80;
    }
    if (s->mute == 0 && s->depth > 0)
        s->stack[s->depth - 1].text += count;
    if (count > 0 && s->depth > 0)
        s->stack[s->depth - 1].behind_heading = false;
}

static void read_all(struct survey *s)
{
    push(s, EL_BLOCK, STR(""), s->at); /* the page itself */
    while (s->at < s->to) {
        struct str rest = str_slice(s->page, s->at, s->to);

        if (html_is_markup(rest)) {
            uint32_t behind = html_skip_other(s->page, s->at);

            if (behind > s->at)
                s->at = behind;
            else
                read_tag(s);
            if (s->depth == 0) /* one end too many */
                push(s, EL_BLOCK, STR(""), s->at);
            continue;
        }
        read_text(s, s->at + 1 + (uint32_t)str_find_char(str_slice(rest, 1, rest.len), '<'));
    }
}

/* --- choosing --------------------------------------------------------------------------------- */

/* The main part, when one is named as such and holds enough of what is left. */
static const struct candidate *choose(const struct survey *s, uint32_t left)
{
    const struct candidate *m = &s->main, *a = &s->article, *c = &s->content;

    if (m->text > 0 && (m->text >= MAIN_ENOUGH || (uint64_t)m->text * 4 >= left))
        return m;
    if (a->count == 1 && a->text > 0 && (uint64_t)a->text * 10 >= (uint64_t)left * 4)
        return a;
    if (c->text > 0 && (uint64_t)c->text * 10 >= (uint64_t)left * 6)
        return c;
    return NULL;
}

static bool stays(const struct survey *s, const struct html_part *part, uint32_t whole)
{
    return (part->kind == PART_ASIDE && !s->has_layout) ||
           (part->kind != PART_NAVIGATION && (uint64_t)part->text * 2 > whole);
}

static bool is_for_all(const struct html_part *part)
{
    return part->kind == PART_HIDDEN || part->kind == PART_NOTICE;
}

static void keep_parts(struct survey *s, struct html_parts *out)
{
    const struct html_part *found = (const struct html_part *)(const void *)s->parts.ptr;
    size_t count = s->parts.len / sizeof *found, kept = 0;
    uint32_t left = s->stack[0].text;

    out->text = left;
    for (size_t i = 0; i < count; i++)
        out->text += found[i].text;
    for (size_t i = 0; i < count; i++)
        if (stays(s, &found[i], out->text))
            left += found[i].text;
        else
            out->out[out->count++] = found[i];
    out->all_stays = left < NOTHING && (uint64_t)left * 10 < out->text;
    for (size_t i = 0; i < out->count; i++)
        if (!out->all_stays || is_for_all(&out->out[i]))
            out->out[kept++] = out->out[i];
    out->count = kept;
}

/* --- around the main part --------------------------------------------------------------------- */

struct outside {
    const struct html_parts *found;
    struct html_part *list;
    size_t count;
    uint32_t text;               /* of it, told with its first piece */
    uint32_t head_from, head_to; /* the page's title, which stays */
};

static void put_gap(struct outside *o, uint32_t from, uint32_t to)
{
    if (o->head_from >= from && o->head_to <= to && o->head_from < o->head_to) {
        uint32_t head_to = o->head_to, head_from = o->head_from;

        o->head_to = o->head_from; /* done */
        put_gap(o, from, head_from);
        put_gap(o, head_to, to);
        return;
    }
    if (from >= to)
        return;
    o->list[o->count++] = (struct html_part){from, to, o->text, PART_OUTSIDE};
    o->text = 0;
}

/* [from, to) is outside: parts that are named stay what they are, the rest is just that. */
static void put_outside(struct outside *o, uint32_t from, uint32_t to)
{
    uint32_t at = from;

    for (size_t i = 0; i < o->found->count; i++) {
        const struct html_part *part = &o->found->out[i];

        if (part->from < from || part->to > to)
            continue;
        put_gap(o, at, part->from);
        o->list[o->count++] = *part;
        at = part->to;
    }
    put_gap(o, at, to);
}

static bool is_covered(const struct html_parts *parts, const struct candidate *c)
{
    for (size_t i = 0; i < parts->count; i++)
        if (parts->out[i].from <= c->from && parts->out[i].to >= c->to)
            return true;
    return false;
}

static void leave_outside(const struct survey *s, struct html_parts *parts, struct html_part *list,
                          const struct candidate *chosen, uint32_t from)
{
    struct outside o = {.found = parts,
                        .list = list,
                        .text = s->stack[0].text - MIN_OF(chosen->text, s->stack[0].text)};

    o.head_from = s->title_from;
    o.head_to = s->title_to;
    put_outside(&o, from, chosen->from);
    for (size_t i = 0; i < parts->count; i++)
        if (parts->out[i].from >= chosen->from && parts->out[i].to <= chosen->to)
            list[o.count++] = parts->out[i];
    put_outside(&o, chosen->to, s->to);
    parts->out = list;
    parts->count = o.count;
}

bool html_parts_find(struct arena *arena, struct str page, uint32_t from, uint32_t to,
                     struct html_parts *out)
{
    struct survey s = {
        .page = str_slice(page, 0, to), .at = from, .to = to, .is_xml = html_is_xml(page)};

    *out = (struct html_parts){0};
    s.stack = arena_array(arena, ELEMENTS_DEEP, sizeof *s.stack);
    buf_init(&s.parts, arena, PARTS_MAX * sizeof(struct html_part));
    if (!s.stack)
        return false;
    read_all(&s);
    while (s.depth > 1)
        pop(&s, to);
    size_t count = s.parts.len / sizeof(struct html_part);
    out->out = arena_array(arena, count + 1, sizeof *out->out);
    struct html_part *list = arena_array(arena, 2 * count + 6, sizeof *list);
    if (!out->out || !list || !buf_ok(&s.parts))
        return false;
    keep_parts(&s, out);
    const struct candidate *chosen = out->all_stays ? NULL : choose(&s, s.stack[0].text);
    if (chosen && !is_covered(out, chosen))
        leave_outside(&s, out, list, chosen, from);
    return true;
}

/* --- telling ---------------------------------------------------------------------------------- */

struct str html_parts_note(struct arena *arena, const struct html_parts *parts)
{
    static const char *const names[PART_KINDS] = {[PART_NAVIGATION] = "navigation",
                                                  [PART_HEADER] = "page header",
                                                  [PART_FOOTER] = "footer",
                                                  [PART_ASIDE] = "what stands aside",
                                                  [PART_SIDE] = "sidebars and promotion",
                                                  [PART_NOTICE] = "notices of consent",
                                                  [PART_HIDDEN] = "hidden elements",
                                                  [PART_LINKS] = "blocks of links",
                                                  [PART_OUTSIDE] = "what is outside of it"};
    uint32_t by_kind[PART_KINDS] = {0};
    struct buf b;

    buf_init(&b, arena, 4 * KIB);
    for (size_t i = 0; i < parts->count; i++)
        by_kind[parts->out[i].kind] += parts->out[i].text;
    if (parts->all_stays)
        buf_str(&b, STR("no main part was found: navigation and the like are kept"));
    for (size_t k = 0, told = 0; k < PART_KINDS; k++)
        if (by_kind[k] > 0)
            buf_fmt(&b, "%s%s (%u characters)",
                    told++      ? ", "
                    : b.len > 0 ? "; left out: "
                                : "left out beside the main part: ",
                    names[k], by_kind[k]);
    if (!buf_ok(&b))
        return STR_NONE;
    return b.len ? buf_view(&b) : STR("");
}
