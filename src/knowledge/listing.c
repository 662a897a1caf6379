#include "knowledge/listing.h"

#include "base/buf.h"
#include "knowledge/answer.h"

#define LABELS_MAX ((size_t)16 * KIB)
#define WIDE_KEY   6 /* bytes of the shortest name: 北京 */
#define LATIN_KEY  2

static enum block_kind kind_of(const struct found *found, uint32_t block)
{
    return found->passage.blocks[block].kind;
}

static bool is_listed(enum block_kind kind)
{
    return kind == BLOCK_ITEM || kind == BLOCK_ROW;
}

bool listing_next(const struct found *found, uint32_t *at, struct listing *out)
{
    uint32_t count = (uint32_t)found->passage.count, first = *at, end;

    while (first < count && !is_listed(kind_of(found, first)))
        first++;
    *at = first;
    if (first == count)
        return false;
    struct str label = row_label(found->passage.blocks[first].text);
    for (end = first + 1; end < count && kind_of(found, end) == kind_of(found, first); end++)
        if (kind_of(found, first) == BLOCK_ROW &&
            !str_eq(row_label(found->passage.blocks[end].text), label))
            break; /* another table */
    *out = (struct listing){found, first, end, kind_of(found, first) == BLOCK_ROW};
    *at = end;
    return true;
}

struct str listing_row(const struct listing *l, uint32_t i)
{
    return l->found->passage.blocks[l->first + i].text;
}

struct str listing_introduction(const struct listing *l)
{
    if (l->first == 0 || kind_of(l->found, l->first - 1) != BLOCK_PARAGRAPH)
        return STR_NONE;
    return l->found->passage.blocks[l->first - 1].text;
}

/* --- cells ------------------------------------------------------------------------------------ */

static size_t first_of(struct str s, struct str a, struct str b, size_t *len)
{
    size_t one = str_find(s, a), two = str_find(s, b);

    *len = one < two ? a.len : b.len;
    return MIN_OF(one, two);
}

static struct str first_cell(struct str row)
{
    size_t len;

    return str_slice(row, 0, first_of(row, STR("; "), STR("；"), &len));
}

struct str row_label(struct str row)
{
    struct str cell = first_cell(row);
    size_t len, at = first_of(cell, STR(": "), STR("："), &len);

    return at < cell.len ? str_trim(str_slice(cell, 0, at)) : STR_NONE;
}

struct str row_key(struct str row)
{
    struct str cell = first_cell(row);
    size_t len, at = first_of(cell, STR(": "), STR("："), &len);

    return str_trim(at < cell.len ? str_slice(cell, at + len, cell.len) : cell);
}

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_wide(struct str s)
{
    return s.len && (uint8_t)s.ptr[0] >= 0x80;
}

/* IT, US, May: as a name only where it is written like one. */
static bool is_everyday(struct str name)
{
    static const char *const words[] = {"it",  "us",  "or",  "in",  "on",  "no",  "me", "as",
                                        "at",  "am",  "be",  "so",  "to",  "do",  "go", "my",
                                        "is",  "an",  "we",  "he",  "by",  "if",  "of", "up",
                                        "and", "are", "can", "may", "who", "all", "any"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(name, str_from(words[i])))
            return true;
    return false;
}

static size_t find_words(struct str text, struct str what)
{
    bool everyday = is_everyday(what);

    for (size_t at = 0; at + what.len <= text.len; at++) {
        size_t end = at + what.len;

        if (!str_eq_nocase(str_slice(text, at, end), what) ||
            (everyday && !str_eq(str_slice(text, at, end), what)))
            continue;
        if (is_wide(what) || ((at == 0 || !is_word_byte(text.ptr[at - 1])) &&
                              (end == text.len || !is_word_byte(text.ptr[end]))))
            return at;
    }
    return text.len;
}

size_t row_named(struct str row, struct str text, size_t *len)
{
    struct str rest = row_key(row);

    while (rest.len) {
        size_t joint, at = first_of(rest, STR("、"), STR(", "), &joint);
        struct str name = str_trim(str_slice(rest, 0, at));
        size_t where = text.len;

        if (name.len >= (size_t)(is_wide(name) ? WIDE_KEY : LATIN_KEY) &&
            !is_word_byte(name.ptr[0]) == is_wide(name))
            where = find_words(text, name);
        if (where < text.len) {
            *len = name.len;
            return where;
        }
        rest = at < rest.len ? str_slice(rest, at + joint, rest.len) : STR_NONE;
    }
    *len = 0;
    return text.len;
}

bool listing_labels(const struct listing *l, struct arena *arena, struct str *out, struct err *err)
{
    struct str rest = listing_row(l, 0);
    struct buf b;

    buf_init(&b, arena, LABELS_MAX);
    while (l->is_table && rest.len) {
        size_t len, end = first_of(rest, STR("; "), STR("；"), &len), colon;
        struct str cell = str_slice(rest, 0, end);
        size_t at = first_of(cell, STR(": "), STR("："), &colon);

        if (at < cell.len) {
            buf_str(&b, str_slice(cell, 0, at));
            buf_str(&b, STR(". "));
        }
        rest = end < rest.len ? str_slice(rest, end + len, rest.len) : STR_NONE;
    }
    return buf_finish(&b, out, err);
}

/* --- whole ------------------------------------------------------------------------------------ */

static uint64_t passages_of(const struct lexical_view *view)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < lexical_stats(view).segments; i++)
        all += lexical_segment_passages(view, i);
    return all;
}

/* Could the group of `found` go on in passage `number` of the same document? */
static bool goes_on_in(const struct found *found, const struct access *access, struct arena *arena,
                       uint64_t number, bool behind)
{
    if (number >= passages_of(access->view))
        return false;
    struct lexical_hit hit = lexical_hit_at(access->view, number);
    struct passage p;

    if (!str_eq(hit.key, found->key))
        return false;
    if (!passage_read(arena, hit.record, &p) || !p.count)
        return true; /* not known: then it is not whole */
    return str_eq(p.heading, found->passage.heading) &&
           is_listed(p.blocks[behind ? 0 : p.count - 1].kind);
}

/* Behind what a chunk repeats of the passage before it. */
bool listing_goes_on(const struct found *found, const struct access *access, struct arena *arena)
{
    struct document_record record;
    struct passage next;

    if (found->number + 1 >= passages_of(access->view))
        return false;
    struct lexical_hit hit = lexical_hit_at(access->view, found->number + 1);
    if (!str_eq(hit.key, found->key) || !passage_read(arena, hit.record, &next) ||
        !document_record_read(hit.document_record, &record))
        return false;
    size_t repeated = record.chunking.overlap ? passage_repeats(&found->passage, &next) : 0;
    return repeated < next.count && str_eq(next.heading, found->passage.heading) &&
           next.blocks[repeated].kind == kind_of(found, (uint32_t)found->passage.count - 1) &&
           is_listed(next.blocks[repeated].kind);
}

/* Has the row a cell below this label? */
static bool has_label(struct str row, struct str label)
{
    while (row.len) {
        size_t len, end = first_of(row, STR("; "), STR("；"), &len);

        if (str_eq(row_label(row), label))
            return true;
        row = end < row.len ? str_slice(row, end + len, row.len) : STR_NONE;
    }
    return false;
}

/* A row beside it whose first cell is empty begins with the label of another column. */
static bool goes_on_beside(const struct listing *l, uint32_t block)
{
    struct str beside = l->found->passage.blocks[block].text;

    if (!l->is_table || kind_of(l->found, block) != BLOCK_ROW)
        return false;
    for (uint32_t i = 0; i < l->end - l->first; i++)
        if (has_label(listing_row(l, i), row_label(beside)))
            return true;
    return has_label(beside, row_label(listing_row(l, 0)));
}

bool listing_is_whole(const struct listing *l, const struct access *access, struct arena *arena)
{
    uint64_t number = l->found->number;

    if ((l->first > 0 && goes_on_beside(l, l->first - 1)) ||
        (l->end < l->found->passage.count && goes_on_beside(l, l->end)))
        return false;
    if (l->first == 0 && number > 0 && goes_on_in(l->found, access, arena, number - 1, false))
        return false;
    return l->end < l->found->passage.count ||
           !goes_on_in(l->found, access, arena, number + 1, true);
}
