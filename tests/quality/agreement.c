#include "agreement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/utf8.h"
#include "knowledge/document_internal.h"
#include "knowledge/readers.h"
#include "sys/file.h"

#define FILE_MAX  ((size_t)63 * MIB)
#define FILES_MAX 10000
#define LIST_MAX  200000

bool parse_file(struct arena *arena, const char *path, struct parsed *out, struct err *err)
{
    enum document_type type;
    struct str bytes;
    struct rendering *rendering = arena_alloc(arena, sizeof *rendering);
    struct rendition rendition;

    *out = (struct parsed){0};
    if (!document_type_of(str_from(path), &type))
        return err_set(err, ERR_INVALID, "%s", document_endings());
    if (!rendering || !file_load(arena, path, FILE_MAX, &bytes, err))
        return false;
    if (!document_type_is_apart(type))
        return document_read(arena, bytes, type, &out->document, err);
    rendering_init(rendering, arena);
    if (!document_reader(type)(bytes, rendering, err) ||
        !rendering_end(rendering, &rendition, err) ||
        !rendition_document(arena, &rendition, &out->document, err))
        return false;
    out->notes = rendition.notes;
    out->note_count = rendition.note_count;
    return true;
}

/* --- lists of words --------------------------------------------------------------------------- */

struct list {
    struct buf at; /* struct str */
};

static size_t list_len(const struct list *l)
{
    return l->at.len / sizeof(struct str);
}

static struct str list_get(const struct list *l, size_t i)
{
    return ((const struct str *)(void *)l->at.ptr)[i];
}

static struct list list_new(struct arena *arena)
{
    struct list l;

    buf_init(&l.at, arena, LIST_MAX * sizeof(struct str));
    return l;
}

static bool is_word_rune(uint32_t r)
{
    return (r >= '0' && r <= '9') || ((r | 32) >= 'a' && (r | 32) <= 'z') || r > 0xBF;
}

/* Words of letters and digits; an ideograph by itself. Lower case, so that styles do not matter. */
static void add_words(struct arena *arena, struct list *to, struct str text)
{
    struct str low = arena_str(arena, text);
    char *bytes = (char *)(uintptr_t)low.ptr;
    size_t from = 0;
    bool in_word = false;
    uint32_t rune;

    for (size_t i = 0; i < low.len; i++)
        bytes[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? (char)(bytes[i] + 32) : bytes[i];
    for (size_t at = 0, before = 0; utf8_next(low, &at, &rune); before = at) {
        bool is_word = is_word_rune(rune), alone = rune_is_cjk(rune);

        if (in_word && (!is_word || alone)) {
            struct str word = str_slice(low, from, before);
            buf_put(&to->at, &word, sizeof word);
            in_word = false;
        }
        if (is_word && alone) {
            struct str word = str_slice(low, before, at);
            buf_put(&to->at, &word, sizeof word);
        } else if (is_word && !in_word) {
            from = before;
            in_word = true;
        }
    }
    if (in_word) {
        struct str word = str_slice(low, from, low.len);
        buf_put(&to->at, &word, sizeof word);
    }
}

static struct str words_of(struct arena *arena, struct str text)
{
    struct list words = list_new(arena);
    struct buf b;

    add_words(arena, &words, text);
    buf_init(&b, arena, MIB);
    for (size_t i = 0; i < list_len(&words); i++) {
        buf_char(&b, ' ');
        buf_str(&b, list_get(&words, i));
    }
    return buf_view(&b);
}

/* How many of `wanted` are in `have`, each as often as it is there. */
static uint64_t count_common(struct arena *arena, const struct list *wanted,
                             const struct list *have)
{
    struct table counts;
    uint64_t found = 0;

    table_init(&counts, arena, 2 * LIST_MAX);
    for (size_t i = 0; i < list_len(have); i++) {
        uint64_t *n = table_get(&counts, list_get(have, i));

        if (!n) {
            n = arena_alloc(arena, sizeof *n);
            (void)!table_put(&counts, list_get(have, i), n, NULL);
        }
        ++*n;
    }
    for (size_t i = 0; i < list_len(wanted); i++) {
        uint64_t *n = table_get(&counts, list_get(wanted, i));

        if (n && *n > 0)
            --*n, found++;
    }
    return found;
}

static uint64_t common_in_order(struct arena *arena, const struct list *a, const struct list *b)
{
    size_t n = list_len(a), m = list_len(b);
    uint32_t *row = arena_array(arena, m + 1, sizeof *row);

    for (size_t i = 0; i < n; i++) {
        uint32_t diagonal = 0;

        for (size_t k = 1; k <= m; k++) {
            uint32_t above = row[k];
            if (str_eq(list_get(a, i), list_get(b, k - 1)))
                row[k] = diagonal + 1;
            else
                row[k] = MAX_OF(row[k], row[k - 1]);
            diagonal = above;
        }
    }
    return row[m];
}

/* --- both sides ------------------------------------------------------------------------------- */

struct side {
    struct list words, headings, pairs; /* pairs: " left words| words" */
    struct list stood;                  /* ours: the words that have an origin in the file */
};

static void add_words_as_one(struct arena *arena, struct list *to, struct str text)
{
    struct str words = words_of(arena, text);

    if (words.len)
        buf_put(&to->at, &words, sizeof words);
}

static void add_pair(struct arena *arena, struct list *to, struct str left, struct str right)
{
    struct str pair = arena_fmt(arena, STR_FMT "|" STR_FMT, STR_ARG(words_of(arena, left)),
                                STR_ARG(words_of(arena, right)));

    if (pair.len > 1)
        buf_put(&to->at, &pair, sizeof pair);
}

/* Our rows as their cells: what lies between the labels has an origin, labels have none. */
static void add_our_row(struct arena *arena, struct side *s, const struct block *b)
{
    struct str left = STR_NONE;
    struct buf cell;

    buf_init(&cell, arena, 16 * MIB);
    for (size_t i = 0; i <= b->run_count; i++) {
        const struct run *r = i < b->run_count ? &b->runs[i] : NULL;

        if (r && r->source_len > 0) {
            buf_str(&cell, str_slice(b->text, r->text_at, r->text_at + r->text_len));
            continue;
        }
        if (cell.len) {
            add_pair(arena, &s->pairs, left, buf_view(&cell));
            left = buf_view(&cell);
            buf_init(&cell, arena, 16 * MIB);
        }
    }
}

/* Without what was put in: labels before cells, names of sheets and slides. */
static struct str text_that_stood(struct arena *arena, const struct block *b)
{
    struct buf text;

    buf_init(&text, arena, 16 * MIB);
    for (size_t i = 0; i < b->run_count; i++) {
        const struct run *r = &b->runs[i];

        if (r->source_len > 0)
            buf_str(&text, str_slice(b->text, r->text_at, r->text_at + r->text_len));
        else
            buf_char(&text, ' ');
    }
    return buf_view(&text);
}

static struct side our_side(struct arena *arena, const struct document *d)
{
    struct side s = {list_new(arena), list_new(arena), list_new(arena), list_new(arena)};

    for (size_t i = 0; i < d->count; i++) {
        const struct block *b = &d->blocks[i];

        add_words(arena, &s.words, b->text);
        add_words(arena, &s.stood, text_that_stood(arena, b));
        if (b->kind == BLOCK_HEADING)
            add_words_as_one(arena, &s.headings, b->text);
        if (b->kind == BLOCK_ROW)
            add_our_row(arena, &s, b);
    }
    return s;
}

/* Cells that hold nothing are not cells for us either. */
static void add_expected_row(struct arena *arena, struct side *s, struct str line)
{
    struct str left = STR_NONE;

    line = str_slice(line, 1, line.len - 1);
    for (struct str rest = line, cell; str_split(&rest, '|', &cell);) {
        if (!words_of(arena, cell).len)
            continue;
        add_pair(arena, &s->pairs, left, cell);
        left = cell;
    }
}

static bool is_rule(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != '|' && line.ptr[i] != '-' && line.ptr[i] != ' ' && line.ptr[i] != ':')
            return false;
    return true;
}

/* The length of "](address)", brackets within it included; 0: no link ends here. */
static size_t link_end(struct str rest)
{
    int depth = 0;

    if (!str_starts(rest, STR("](")))
        return 0;
    for (size_t i = 1; i < rest.len; i++) {
        depth += (rest.ptr[i] == '(') - (rest.ptr[i] == ')');
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

/* "<!-- image -->", "\_", "&amp;" and the addresses of links are Markdown's, not the document's. */
static struct str plain(struct arena *arena, struct str line)
{
    struct buf b;

    buf_init(&b, arena, line.len + 16);
    for (size_t i = 0; i < line.len; i++) {
        struct str rest = str_slice(line, i, line.len);
        size_t end = str_find_char(str_slice(rest, 0, 10), ';');
        char bytes[8];
        size_t len = rest.ptr[0] == '&' && end < MIN_OF(rest.len, (size_t)10)
                         ? entity_text(str_slice(rest, 0, end + 1), bytes)
                         : 0;

        if (str_starts(rest, STR("<!--")))
            break;
        if (link_end(rest)) {
            buf_char(&b, ' ');
            i += link_end(rest) - 1;
        } else if (len) {
            buf_put(&b, bytes, len);
            i += end;
        } else if (rest.ptr[0] != '\\') {
            buf_char(&b, rest.ptr[0]);
        }
    }
    return buf_view(&b);
}

static struct side expected_side(struct arena *arena, struct str markdown)
{
    struct side s = {list_new(arena), list_new(arena), list_new(arena), list_new(arena)};
    bool in_table = false;

    for (struct str rest = markdown, line; str_split(&rest, '\n', &line);) {
        line = plain(arena, str_trim(line));
        size_t marks = 0;
        while (marks < line.len && line.ptr[marks] == '#')
            marks++;
        bool is_row = str_starts(line, STR("|"));

        if (!(is_row && is_rule(line)))
            add_words(arena, &s.words, line);
        if (marks > 0 && marks < 7)
            add_words_as_one(arena, &s.headings, str_slice(line, marks, line.len));
        if (is_row && in_table && !is_rule(line)) /* the first one is the header */
            add_expected_row(arena, &s, line);
        in_table = is_row;
    }
    return s;
}

static void compare(struct arena *arena, const struct document *d, struct str markdown,
                    struct agreement *a)
{
    struct side ours = our_side(arena, d), expected = expected_side(arena, markdown);

    *a = (struct agreement){.files = 1};
    a->words = list_len(&expected.words);
    a->words_found = count_common(arena, &expected.words, &ours.words);
    a->words_read = list_len(&ours.stood);
    a->read_expected = count_common(arena, &expected.words, &ours.stood);
    a->headings = MAX_OF(list_len(&expected.headings), list_len(&ours.headings));
    a->headings_found = common_in_order(arena, &expected.headings, &ours.headings);
    a->cells = list_len(&expected.pairs);
    a->cells_found = count_common(arena, &expected.pairs, &ours.pairs);
}

/* --- a folder --------------------------------------------------------------------------------- */

double share(uint64_t found, uint64_t all)
{
    return all ? (double)found / (double)all : 1.0;
}

void print_agreement(const char *name, const struct agreement *a)
{
    const char *slash = strrchr(name, '/');

    printf("| %s | %u | %.3f | %.3f | %.3f | %.3f |", slash ? slash + 1 : name, a->files,
           share(a->words_found, a->words), share(a->read_expected, a->words_read),
           share(a->headings_found, a->headings), share(a->cells_found, a->cells));
    if (a->failed)
        printf(" %u failed", a->failed);
    printf("\n");
}

static void add_up(struct agreement *sum, const struct agreement *a)
{
    sum->files += a->files;
    sum->failed += a->failed;
    sum->words += a->words;
    sum->words_found += a->words_found;
    sum->words_read += a->words_read;
    sum->read_expected += a->read_expected;
    sum->headings += a->headings;
    sum->headings_found += a->headings_found;
    sum->cells += a->cells;
    sum->cells_found += a->cells_found;
}

/* NAME.md, or for "NAME.pdf" what was made of NAME. */
static bool load_expected(struct arena *arena, const char *dir, struct str name, struct str *out)
{
    struct str whole = arena_fmt(arena, "%s/expected/" STR_FMT ".md", dir, STR_ARG(name));
    struct str stem = str_slice(name, 0, name.len - (str_ends(name, STR(".pdf")) ? 4 : 0));
    struct str short_name = arena_fmt(arena, "%s/expected/" STR_FMT ".md", dir, STR_ARG(stem));
    struct err absent = {0};

    return file_load(arena, whole.ptr, FILE_MAX, out, &absent) ||
           file_load(arena, short_name.ptr, FILE_MAX, out, &absent);
}

bool compare_dir(const char *dir, bool tell, struct agreement *sum, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    struct str *names;
    size_t count;

    if (!arena || !file_list(arena, dir, FILES_MAX, &names, &count, err))
        return arena || err_set(err, ERR_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(arena);
        struct str path = arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(names[i])), markdown;
        struct agreement one;
        struct parsed parsed;
        struct err why = {0};

        if (!load_expected(arena, dir, names[i], &markdown))
            continue;
        bool failed = !parse_file(arena, path.ptr, &parsed, &why);
        compare(arena, &parsed.document, markdown, &one); /* nothing, when it failed */
        one.failed = failed;
        if (tell && why.code)
            fprintf(stderr, STR_FMT ": %s\n", STR_ARG(names[i]), why.text);
        else if (tell)
            fprintf(stderr, STR_FMT ": text %.3f, of ours %.3f, headings %.3f, tables %.3f\n",
                    STR_ARG(names[i]), share(one.words_found, one.words),
                    share(one.read_expected, one.words_read),
                    share(one.headings_found, one.headings), share(one.cells_found, one.cells));
        add_up(sum, &one);
        arena_rewind(arena, mark);
    }
    return true;
}
