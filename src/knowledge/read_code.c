/* Source code and settings: lines as they are, cut where something new begins at the margin after an empty
 * line, so that a function or a section is found as a whole. */
#include "knowledge/document_internal.h"

#define LINES_MAX 80 /* of one piece, if nothing begins anew */

struct line {
    uint32_t at, len, next; /* len: without the white space at its end */
    bool indented;
};

static struct line line_at(struct str s, uint32_t at, uint32_t to)
{
    struct str rest = str_slice(s, at, to);
    size_t end = str_find_char(rest, '\n'), len = end;

    while (len > 0 && (uint8_t)rest.ptr[len - 1] <= ' ')
        len--;
    return (struct line){.at = at,
                         .len = (uint32_t)len,
                         .next = at + (uint32_t)end + (end < rest.len),
                         .indented = len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t')};
}

/* Closing brackets at the margin belong to what they close. */
static bool begins_anew(struct str s, struct line line)
{
    char c = line.len ? s.ptr[line.at] : 0;

    return line.len > 0 && !line.indented && c != '}' && c != ')' && c != ']' && c != '#';
}

static void put_piece(struct writer *w, uint32_t from, uint32_t to)
{
    if (from >= to)
        return;
    writer_begin(w, BLOCK_CODE, 1);
    writer_text(w, from, to - from);
    writer_end(w);
}

void read_code(struct writer *w, uint32_t from, uint32_t to)
{
    uint32_t begin = from, end = from, lines = 0;
    bool after_blank = false;

    for (uint32_t at = from; at < to && !w->failed;) {
        struct line line = line_at(w->source, at, to);

        if (lines > 0 && ((after_blank && begins_anew(w->source, line)) || lines >= LINES_MAX)) {
            put_piece(w, begin, end);
            begin = at;
            lines = 0;
        }
        if (!lines && !line.len)
            begin = line.next; /* no piece begins with an empty line */
        else
            lines++;
        if (line.len)
            end = line.at + line.len;
        after_blank = !line.len;
        at = line.next;
    }
    put_piece(w, begin, MAX_OF(begin, end));
}
