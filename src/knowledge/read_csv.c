/* CSV and TSV (RFC 4180): the delimiter is the one that cuts the first lines alike, the first row names the
 * columns when it looks like names. A row may span lines inside quotes. */
#include "knowledge/document_internal.h"

#define LINES_LOOKED_AT 20
#define NAME_BYTES_MAX  120
#define COLUMNS_MAX     4096

struct cell {
    uint32_t at, to; /* without quotes */
    bool quoted, last;
    uint32_t next; /* where the next cell or row begins */
};

/* Behind the quotes something stands: then they are part of the text, as in "M8" bolts. */
static bool is_more(struct str s, uint32_t at, uint32_t to)
{
    return !str_is_empty(str_trim(str_slice(s, at, to)));
}

static struct cell cell_at(struct str s, uint32_t at, uint32_t to, char delimiter)
{
    struct cell c = {.at = at, .last = true, .next = to};
    uint32_t i = at, behind;

    c.quoted = i < to && s.ptr[i] == '"';
    if (c.quoted) {
        c.at = ++i;
        while (i < to && !(s.ptr[i] == '"' && !(i + 1 < to && s.ptr[i + 1] == '"')))
            i += s.ptr[i] == '"' ? 2 : 1;
        c.to = i;
        i += i < to;
    }
    behind = i;
    while (i < to && s.ptr[i] != delimiter && s.ptr[i] != '\n')
        i++;
    if (c.quoted && is_more(s, behind, i)) {
        c.quoted = false;
        c.at = at;
    }
    if (!c.quoted)
        c.to = i;
    if (i < to) {
        c.last = s.ptr[i] == '\n';
        c.next = i + 1;
    }
    return c;
}

/* --- which delimiter -------------------------------------------------------------------------- */

/* Columns that most of the first rows share; 0 when they differ or there is but one. */
static uint32_t columns_by(struct str s, uint32_t from, uint32_t to, char delimiter)
{
    uint32_t counts[LINES_LOOKED_AT] = {0}, rows = 0, best = 0, votes = 0;

    for (uint32_t at = from; at < to && rows < LINES_LOOKED_AT;) {
        struct cell c = cell_at(s, at, to, delimiter);

        counts[rows]++;
        rows += c.last;
        at = c.next;
    }
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t same = 0;

        for (uint32_t k = 0; k < rows; k++)
            same += counts[k] == counts[i];
        if (counts[i] > 1 && same > votes) {
            votes = same;
            best = counts[i];
        }
    }
    return votes * 2 > rows ? best * votes : 0;
}

static char delimiter_of(struct str s, uint32_t *from, uint32_t to)
{
    static const char candidates[] = {',', ';', '\t', '|'};
    char found = ',';
    uint32_t most = 0;

    /* What Excel writes above: "sep=;". */
    if (str_starts(str_slice(s, *from, to), STR("sep=")) && *from + 5 < to) {
        found = s.ptr[*from + 4];
        *from = cell_at(s, *from, to, '\n').next;
        return found;
    }
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        uint32_t columns = columns_by(s, *from, to, candidates[i]);

        if (columns > most) {
            most = columns;
            found = candidates[i];
        }
    }
    return found;
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_number(struct str s)
{
    size_t digits = 0;

    s = str_trim(s);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        digits += c >= '0' && c <= '9';
        if (!(c >= '0' && c <= '9') && c != '.' && c != ',' && c != '-' && c != '%' && c != '/' &&
            c != ':' && c != ' ')
            return false;
    }
    return digits > 0;
}

static bool names_columns(struct str s, uint32_t from, uint32_t to, char delimiter)
{
    uint32_t columns = 0, years = 0;

    for (uint32_t at = from; at < to;) {
        struct cell c = cell_at(s, at, to, delimiter);
        struct str text = str_trim(str_slice(s, c.at, c.to));
        uint64_t n;
        bool year = text.len == 4 && u64_parse(text, &n) && n >= 1900 && n <= 2100;

        if (text.len > NAME_BYTES_MAX || (is_number(text) && !year) ||
            (!text.len && columns > 0 && !c.last))
            return false;
        years += year;
        columns++;
        at = c.next;
        if (c.last)
            break;
    }
    return columns > years;
}

static void put_cell(struct writer *w, struct cell c)
{
    uint32_t from = c.at;

    for (uint32_t i = c.at; c.quoted && i + 1 < c.to; i++)
        if (w->source.ptr[i] == '"') { /* two for one */
            writer_text(w, from, i - from);
            writer_put(w, STR("\""), i, 2);
            from = ++i + 1;
        }
    if (c.to > from)
        writer_text(w, from, c.to - from);
}

void read_csv(struct writer *w, uint32_t from, uint32_t to)
{
    struct table_state table = {.header_count = 0};
    char delimiter = delimiter_of(w->source, &from, to);
    bool header = names_columns(w->source, from, to, delimiter);
    bool in_row = false;
    uint32_t columns = 0;

    for (uint32_t at = from; at < to && !w->failed;) {
        struct cell c = cell_at(w->source, at, to, delimiter);

        if (!in_row)
            row_begin(w, &table, header);
        in_row = true;
        if (++columns > COLUMNS_MAX) {
            w->problem = "a row of more than 4096 columns";
            w->problem_at = at;
            return;
        }
        cell_begin(w, &table, c.at);
        put_cell(w, c);
        cell_end(w, &table);
        at = c.next;
        if (c.last || at >= to) {
            row_end(w, &table);
            in_row = header = false;
            columns = 0;
        }
    }
}
