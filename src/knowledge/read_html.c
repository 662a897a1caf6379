/* HTML by a tokenizer of our own, because exact bytes matter: libxml2 repairs first and then no longer
 * knows where a text stood. It knows tags, comments, raw text and entities and builds no tree: blocks
 * begin and end at the tags that make lines, and unknown tags are nothing. Every step goes forward. */
#include <string.h>

#include "base/utf8.h"
#include "knowledge/html_internal.h"
#include "knowledge/html_scan.h"

#define HEADER_ROW_MAX 16384 /* bytes looked ahead: keeps the work linear */

static const struct {
    const char *name;
    enum tag tag;
} tags[] = {
    {"address", TAG_LINE},    {"article", TAG_LINE},    {"aside", TAG_LINE},
    {"audio", TAG_EMBEDDED},  {"blockquote", TAG_LINE}, {"body", TAG_LINE},
    {"br", TAG_BREAK},        {"button", TAG_BUTTON},   {"canvas", TAG_EMBEDDED},
    {"caption", TAG_LINE},    {"datalist", TAG_SELECT}, {"dd", TAG_DEFINITION},
    {"details", TAG_LINE},    {"div", TAG_LINE},        {"dl", TAG_LINE},
    {"dt", TAG_TERM},         {"fieldset", TAG_LINE},   {"figcaption", TAG_LINE},
    {"figure", TAG_LINE},     {"footer", TAG_LINE},     {"form", TAG_LINE},
    {"h1", TAG_HEADING},      {"h2", TAG_HEADING},      {"h3", TAG_HEADING},
    {"h4", TAG_HEADING},      {"h5", TAG_HEADING},      {"h6", TAG_HEADING},
    {"head", TAG_LINE},       {"header", TAG_LINE},     {"hr", TAG_LINE},
    {"iframe", TAG_FRAME},    {"img", TAG_PICTURE},     {"input", TAG_INPUT},
    {"li", TAG_ITEM},         {"main", TAG_LINE},       {"math", TAG_MATH},
    {"menu", TAG_LIST},       {"nav", TAG_LINE},        {"noscript", TAG_SCRIPTLESS},
    {"object", TAG_EMBEDDED}, {"ol", TAG_LIST},         {"option", TAG_OPTION},
    {"p", TAG_LINE},          {"pre", TAG_PRE},         {"script", TAG_RAW},
    {"section", TAG_LINE},    {"select", TAG_SELECT},   {"style", TAG_RAW},
    {"summary", TAG_LINE},    {"svg", TAG_DRAWING},     {"table", TAG_TABLE},
    {"td", TAG_CELL},         {"template", TAG_SKIP},   {"textarea", TAG_TEXT_AREA},
    {"th", TAG_HEAD_CELL},    {"title", TAG_RAW},       {"tr", TAG_ROW},
    {"ul", TAG_LIST},         {"video", TAG_EMBEDDED},
};

static enum tag tag_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        if (str_eq_nocase(name, str_from(tags[i].name)))
            return tags[i].tag;
    return TAG_OTHER;
}

/* --- text ------------------------------------------------------------------------------------- */

bool html_is_blank(struct str s)
{
    return str_trim(s).len == 0;
}

void html_want_block(struct html *h)
{
    if (h->w->open)
        return;
    if (h->heading)
        writer_begin(h->w, BLOCK_HEADING, h->heading);
    else if (h->pre)
        writer_begin(h->w, BLOCK_CODE, 0);
    else if (h->in_item)
        writer_begin(h->w, BLOCK_ITEM, MAX_OF(h->lists, 1));
    else
        writer_begin(h->w, BLOCK_PARAGRAPH, 0);
}

static uint32_t entity_end(const struct html *h, uint32_t at)
{
    uint32_t limit = MIN_OF(h->to, at + 12);

    for (uint32_t i = at + 1; i < limit; i++)
        if (h->w->source.ptr[i] == ';')
            return i + 1;
    return at;
}

/* Text up to the next "<" that may begin a tag, entities decoded. */
void html_read_chars(struct html *h, uint32_t end)
{
    if (html_is_blank(str_slice(h->w->source, h->at, end)) && !h->w->open) {
        h->at = end;
        return;
    }
    html_want_block(h);
    while (h->at < end) {
        struct str rest = str_slice(h->w->source, h->at, end);
        uint32_t amp = h->at + (uint32_t)str_find_char(rest, '&');
        char bytes[8];

        if (amp > h->at)
            writer_text(h->w, h->at, amp - h->at);
        h->at = amp;
        if (amp == end)
            break;
        uint32_t stop = entity_end(h, amp);
        size_t len = entity_text(str_slice(h->w->source, amp, stop), bytes);
        if (len && stop <= end) {
            writer_put(h->w, (struct str){bytes, len}, amp, stop - amp);
            h->at = stop;
        } else {
            writer_text(h->w, amp, 1);
            h->at = amp + 1;
        }
    }
}

/* --- tags ------------------------------------------------------------------------------------- */

static void end_line(struct html *h)
{
    if (h->in_row)
        writer_space(h->w, h->at);
    else
        writer_end(h->w);
}

static void end_row(struct html *h)
{
    if (h->in_row)
        row_end(h->w, &h->table);
    h->in_row = false;
}

/* A row of nothing but th cells names the columns: look ahead to its end. */
static bool is_header_row(const struct html *h)
{
    struct str rest = str_slice(h->w->source, h->at, MIN_OF(h->to, h->at + HEADER_ROW_MAX));
    size_t end = MIN_OF(str_find(rest, STR("</tr")), str_find(rest, STR("<tr")));
    struct str row = str_slice(rest, 0, end);

    return str_find(row, STR("<th")) < row.len && str_find(row, STR("<td")) == row.len;
}

static void begin_cell(struct html *h)
{
    if (!h->in_row) {
        row_begin(h->w, &h->table, false);
        h->in_row = true;
    }
    cell_begin(h->w, &h->table, h->at);
}

static void begin_definition(struct html *h)
{
    if (h->w->open && h->w->block.kind == BLOCK_ITEM && h->w->text.len)
        writer_put(h->w, STR(": "), h->at, 0);
}

static void begin_item(struct html *h)
{
    end_line(h);
    h->in_item = true;
}

void html_skip(struct html *h, struct str name, uint32_t *count)
{
    h->skipping = name;
    h->skip_depth = 1;
    h->skipped = count;
}

/* A list of choices that nobody closed ends where there is what cannot stand in one. */
static bool ends_choices(enum tag tag, struct str name)
{
    return (tag >= TAG_HEADING && tag <= TAG_CELL) || tag == TAG_INPUT || tag == TAG_TEXT_AREA ||
           (tag == TAG_LINE && !str_eq_nocase(name, STR("hr")));
}

static void open_tag(struct html *h, enum tag tag, struct str name)
{
    h->in_select = h->in_select && !ends_choices(tag, name);
    switch (tag) {
    case TAG_OTHER: break;
    case TAG_LINE: end_line(h); break;
    case TAG_BREAK:
        if (h->w->open)
            writer_break(h->w, h->at);
        break;
    case TAG_HEADING:
        end_line(h);
        h->heading = name.ptr[1] - '0';
        break;
    case TAG_LIST:
        end_line(h);
        h->lists++;
        h->in_item = false;
        break;
    case TAG_ITEM:
    case TAG_TERM: begin_item(h); break;
    case TAG_DEFINITION: begin_definition(h); break;
    case TAG_PRE:
        end_line(h);
        h->pre = true;
        break;
    case TAG_TABLE:
        end_row(h);
        writer_end(h->w);
        h->table.header_count = 0;
        break;
    case TAG_ROW:
        end_row(h);
        row_begin(h->w, &h->table, is_header_row(h));
        h->in_row = true;
        break;
    case TAG_HEAD_CELL:
    case TAG_CELL: begin_cell(h); break;
    case TAG_MATH:
        h->in_math = true;
        h->math = (struct math){0};
        break;
    case TAG_BUTTON:
        if (h->heading)
            break; /* what it folds out is called so */
        h->told.buttons++;
        html_skip(h, name, NULL);
        break;
    case TAG_SELECT:
        h->in_select = true;
        h->is_selected = false;
        break;
    case TAG_EMBEDDED:
        h->told.embedded++;
        html_skip(h, name, NULL);
        break;
    case TAG_FRAME:
        h->told.embedded++;
        html_skip(h, name, NULL);
        break;
    case TAG_SCRIPTLESS: html_skip(h, name, &h->told.scriptless); break;
    case TAG_DRAWING: html_skip(h, name, &h->told.drawn); break;
    case TAG_SKIP:
    case TAG_RAW: html_skip(h, name, NULL); break;
    case TAG_PICTURE:
    case TAG_INPUT:
    case TAG_TEXT_AREA:
    case TAG_OPTION: break; /* by what stands in the tag */
    }
}

static void close_tag(struct html *h, enum tag tag)
{
    switch (tag) {
    case TAG_OTHER:
    case TAG_BREAK:
    case TAG_TERM:
    case TAG_MATH:
    case TAG_PICTURE:
    case TAG_INPUT:
    case TAG_TEXT_AREA:
    case TAG_BUTTON:
    case TAG_SCRIPTLESS:
    case TAG_DRAWING:
    case TAG_EMBEDDED:
    case TAG_FRAME:
    case TAG_SKIP:
    case TAG_RAW: break;
    case TAG_SELECT:
    case TAG_OPTION:
        h->in_select = h->in_select && tag == TAG_OPTION;
        h->is_selected = false;
        if (h->w->open)
            writer_space(h->w, h->at);
        break;
    case TAG_LINE: end_line(h); break;
    case TAG_HEADING:
        end_line(h);
        h->heading = 0;
        break;
    case TAG_LIST:
        end_line(h);
        h->lists -= h->lists > 0;
        h->in_item = h->lists > 0; /* what follows a list inside an item belongs to the item */
        break;
    case TAG_ITEM:
    case TAG_DEFINITION:
        end_line(h);
        h->in_item = false;
        break;
    case TAG_PRE:
        end_line(h);
        h->pre = false;
        break;
    case TAG_TABLE:
    case TAG_ROW: end_row(h); break;
    case TAG_HEAD_CELL:
    case TAG_CELL: cell_end(h->w, &h->table); break;
    }
}

/* Inside a skipped element only its own name counts, so that nested ones are balanced. */
static void skip_tag(struct html *h, struct str name, bool closing)
{
    if (!str_eq_nocase(name, h->skipping))
        return;
    h->skip_depth += closing ? -1 : 1;
    if (h->skip_depth == 0)
        h->skipping = STR_NONE;
}

static void end_empty(struct html *h, enum tag tag)
{
    h->skipping = STR_NONE;
    h->in_math = h->in_math && tag != TAG_MATH;
    close_tag(h, tag);
}

static void read_tag(struct html *h)
{
    const char *p = h->w->source.ptr;
    uint32_t from = h->at;
    bool closing = p[h->at + 1] == '/';
    struct str name = html_name(h->source, h->at + 1 + closing);
    uint32_t end = html_tag_end(h->source, h->at);
    enum tag tag = tag_of(name);

    bool empty = h->is_xml && !closing && end > from + 2 && p[end - 2] == '/';

    h->at = end;
    if (h->skipping.len) {
        if (!empty)
            skip_tag(h, name, closing);
    } else if (h->in_math && html_read_math_tag(h, tag, name, closing)) {
        return;
    } else if (closing) {
        close_tag(h, tag);
    } else {
        open_tag(h, tag, name);
        if (!empty || tag != TAG_TEXT_AREA)
            html_read_inside(h, tag, from, end);
        if (empty)
            end_empty(h, tag);
    }
    if ((tag == TAG_RAW || tag == TAG_FRAME) && !closing && !empty)
        h->at = html_find_close(h->source, end, name);
}

static void read_markup(struct html *h)
{
    uint32_t behind = html_skip_other(h->source, h->at);

    if (behind > h->at)
        h->at = behind;
    else
        read_tag(h);
}

/* What is open ends where a part is left out: what is before and behind it are no neighbours. */
static bool skip_part(struct html *h)
{
    while (h->out < h->out_end && h->out->to <= h->at)
        h->out++;
    if (h->out == h->out_end || h->at < h->out->from)
        return false;
    end_line(h);
    h->at = h->out->to;
    return true;
}

static void pass(struct html *h, uint32_t to)
{
    for (; h->at < to; h->at++)
        if (h->skipped && h->skipping.len)
            *h->skipped += (uint8_t)h->source.ptr[h->at] > ' ';
}

static void read_all(struct html *h)
{
    writer_end(h->w);
    while (h->at < h->to && !h->w->failed) {
        if (skip_part(h))
            continue;
        struct str rest = str_slice(h->source, h->at, h->to);
        if (html_is_markup(rest)) {
            read_markup(h);
            continue;
        }
        uint32_t next = h->at + 1 + (uint32_t)str_find_char(str_slice(rest, 1, rest.len), '<');
        if (h->skipping.len || (h->in_select && !h->is_selected) ||
            (h->in_math && html_is_blank(str_slice(h->source, h->at, next))))
            pass(h, next);
        else
            html_read_chars(h, next);
    }
    end_row(h);
    writer_end(h->w);
}

static struct html html_of(struct writer *w, uint32_t from, uint32_t to)
{
    return (struct html){.w = w, .source = str_slice(w->source, 0, to), .at = from, .to = to};
}

void read_html(struct writer *w, uint32_t from, uint32_t to)
{
    struct html h = html_of(w, from, to);

    read_all(&h);
}

/* --- the page --------------------------------------------------------------------------------- */

static void read_title(struct html *h)
{
    for (uint32_t at = h->at; at < h->to;) {
        at = html_after(h->source, at, STR("<"));
        if (at == h->to || !str_eq_nocase(html_name(h->source, at), STR("title")))
            continue;
        uint32_t inside = html_tag_end(h->source, at);
        if (h->is_xml && h->source.ptr[inside - 2] == '/')
            break;
        struct html title = html_of(h->w, inside, html_find_close(h->source, inside, STR("title")));
        html_read_chars(&title, title.to);
        break;
    }
    if (!h->w->open)
        return;
    h->w->title = str_trim(buf_view(&h->w->text));
    h->w->open = false; /* it is no text of the page */
}

void read_page(struct writer *w, uint32_t from, uint32_t to)
{
    struct html h = html_of(w, from, to);
    struct html_parts parts;

    h.is_xml = html_is_xml(str_slice(w->source, from, to));
    read_title(&h);
    if (!html_parts_find(w->arena, w->source, from, to, &parts)) {
        w->failed = true;
        return;
    }
    h.out = parts.out;
    h.out_end = parts.out + parts.count;
    read_all(&h);
    w->note = html_note(&h, html_parts_note(w->arena, &parts));
    w->failed |= !w->note.ptr;
}
