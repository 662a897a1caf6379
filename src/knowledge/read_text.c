/* Plain text: paragraphs between blank lines, list items by their marks, headings by their looks. */
#include "base/utf8.h"
#include "knowledge/document_internal.h"

#define HEADING_BYTES_MAX 120

struct line {
    uint32_t at, len; /* without white space at both ends */
    uint32_t next;    /* where the next line begins */
};

static struct line line_at(const struct writer *w, uint32_t at, uint32_t to)
{
    struct str rest = str_slice(w->source, at, to);
    size_t end = str_find_char(rest, '\n');
    struct str trimmed = str_trim(str_slice(rest, 0, end));
    uint32_t begin = trimmed.len ? (uint32_t)(trimmed.ptr - w->source.ptr) : at;

    return (struct line){begin, (uint32_t)trimmed.len,
                         at + (uint32_t)end + (end < rest.len ? 1 : 0)};
}

static struct str text_of(const struct writer *w, struct line line)
{
    return str_slice(w->source, line.at, line.at + line.len);
}

static bool is_underline(struct str s, char mark)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != mark)
            return false;
    return s.len >= 3;
}

static bool ends_a_sentence(struct str s)
{
    static const char *const ends[] = {".",  "!",  "?",  ";",  ":",  ",", "。",
                                       "！", "？", "；", "：", "，", "、"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(s, str_from(ends[i])))
            return true;
    return false;
}

/* Bytes of "- ", "* ", "• ", "3. ", "3) ", "（3）", "3、" at the front; 0 for none. */
static uint32_t item_mark(struct str s)
{
    static const char *const bullets[] = {"- ", "* ", "+ ", "• ", "– ", "·", "•"};
    uint32_t digits = 0;

    for (size_t i = 0; i < ARRAY_LEN(bullets); i++)
        if (str_starts(s, str_from(bullets[i])))
            return (uint32_t)str_from(bullets[i]).len;
    uint32_t open = str_starts(s, STR("（")) ? 3 : str_starts(s, STR("(")) ? 1 : 0;
    while (open + digits < s.len && digits < 3 && s.ptr[open + digits] >= '0' &&
           s.ptr[open + digits] <= '9')
        digits++;
    struct str rest = str_slice(s, open + digits, s.len);
    if (!digits)
        return 0;
    if (str_starts(rest, STR("）")) || str_starts(rest, STR("、")) || str_starts(rest, STR("．")))
        return open + digits + 3;
    if (open ? str_starts(rest, STR(")"))
             : str_starts(rest, STR(". ")) || str_starts(rest, STR(") ")))
        return open + digits + 1;
    return 0;
}

/* A short line by itself, not a sentence, with something after it. */
static bool looks_like_heading(const struct writer *w, struct line line, struct line after,
                               uint32_t to)
{
    struct str s = text_of(w, line);

    return line.len <= HEADING_BYTES_MAX && after.len == 0 && after.next < to &&
           !ends_a_sentence(s) && !item_mark(s);
}

static int heading_level(const struct writer *w)
{
    return w->title.len ? 2 : 1;
}

void read_text(struct writer *w, uint32_t from, uint32_t to)
{
    bool fresh = true; /* a blank line, or nothing, was before */

    for (uint32_t at = from; at < to && !w->failed;) {
        struct line line = line_at(w, at, to), after = line_at(w, line.next, to);
        struct str s = text_of(w, line);
        uint32_t mark = item_mark(s);

        at = line.next;
        if (!line.len) {
            writer_end(w);
            fresh = true;
            continue;
        }
        bool underlined =
            is_underline(text_of(w, after), '=') || (fresh && is_underline(text_of(w, after), '-'));
        if (underlined || (fresh && looks_like_heading(w, line, after, to))) {
            writer_begin(w, BLOCK_HEADING, heading_level(w));
            at = underlined ? after.next : at;
        } else if (mark && mark < line.len) {
            writer_begin(w, BLOCK_ITEM, 1);
        } else if (!w->open || w->block.kind == BLOCK_HEADING) {
            writer_begin(w, BLOCK_PARAGRAPH, 0);
            mark = 0;
        } else {
            mark = 0;
        }
        /* With the line's end, so that lines are held apart. */
        writer_text(w, line.at + mark, line.next - line.at - mark);
        if (w->block.kind == BLOCK_HEADING)
            writer_end(w);
        fresh = false;
    }
}
