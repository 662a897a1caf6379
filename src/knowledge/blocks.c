/* Writing blocks: folding white space, keeping origins, table rows. */
#include <string.h>

#include "base/utf8.h"
#include "index/terms.h"
#include "knowledge/document_internal.h"

#define BLOCKS_BYTES_MAX ((size_t)512 * MIB)
#define TEXT_BYTES_MAX   ((size_t)512 * MIB)

static bool index_lines(struct writer *w, struct err *err)
{
    size_t count = 1;

    for (size_t i = 0; i < w->source.len; i++)
        count += w->source.ptr[i] == '\n';
    w->lines = arena_array(w->arena, count, sizeof *w->lines);
    if (!w->lines)
        return err_arena(err, w->arena);
    w->line_count = 1;
    for (size_t i = 0; i < w->source.len; i++)
        if (w->source.ptr[i] == '\n')
            w->lines[w->line_count++] = (uint32_t)i + 1;
    return true;
}

bool blocks_init(struct writer *w, struct arena *arena, struct str source, struct err *err)
{
    *w = (struct writer){.arena = arena, .source = source};
    buf_init(&w->blocks, arena, BLOCKS_BYTES_MAX);
    return index_lines(w, err);
}

static uint32_t line_of(const struct writer *w, uint32_t at)
{
    size_t from = 0, to = w->line_count;

    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;

        if (w->lines[middle] <= at)
            from = middle;
        else
            to = middle;
    }
    return (uint32_t)from + 1;
}

void writer_begin(struct writer *w, enum block_kind kind, int level)
{
    writer_end(w);
    w->open = true;
    w->block = (struct block){.kind = kind, .level = level};
    w->space = false;
    buf_init(&w->text, w->arena, TEXT_BYTES_MAX);
    buf_init(&w->runs, w->arena, TEXT_BYTES_MAX);
}

static bool extends(const struct run *last, const struct run *next)
{
    return last->text_len == last->source_len && next->text_len == next->source_len &&
           last->line == next->line && last->source_at + last->source_len == next->source_at;
}

/* Every run goes through here: what would step back in the file is pinned to where we are, so that the
 * order of origins does not depend on the readers. */
static void add_run(struct writer *w, struct str text, uint32_t source_at, uint32_t source_len)
{
    struct run run = {.text_at = (uint32_t)w->text.len, .text_len = (uint32_t)text.len};

    if (!text.len)
        return;
    if (source_at < w->reached) {
        source_at = w->reached;
        source_len = 0;
    }
    w->reached = source_at + source_len;
    run.source_at = source_at;
    run.source_len = source_len;
    run.line = line_of(w, source_at);
    buf_str(&w->text, text);
    struct run *last =
        w->runs.len ? (struct run *)(void *)(w->runs.ptr + w->runs.len - sizeof run) : NULL;
    if (last && extends(last, &run)) {
        last->text_len += run.text_len;
        last->source_len += run.source_len;
    } else {
        buf_put(&w->runs, &run, sizeof run);
    }
    w->failed = w->failed || !buf_ok(&w->text) || !buf_ok(&w->runs);
}

static bool ends_in_ideograph(struct str text)
{
    size_t at = text.len;
    uint32_t rune = 0;

    while (at > 0 && ((uint8_t)text.ptr[--at] & 0xC0) == 0x80)
        continue;
    return utf8_next(text, &at, &rune) && rune_is_cjk(rune);
}

static bool begins_with_ideograph(struct str text)
{
    size_t at = 0;
    uint32_t rune = 0;

    return utf8_next(text, &at, &rune) && rune_is_cjk(rune);
}

/* White space becomes text only when more text follows. */
static void flush_space(struct writer *w, struct str before)
{
    if (!w->space)
        return;
    w->space = false;
    struct str text = buf_view(&w->text);
    if (!text.len || text.ptr[text.len - 1] == '\n')
        return;
    if (w->space_has_break && ends_in_ideograph(text) && begins_with_ideograph(before))
        return;
    add_run(w, STR(" "), w->space_at, w->space_len);
}

static size_t space_bytes(struct str s)
{
    if ((uint8_t)s.ptr[0] <= ' ')
        return 1;
    if (str_starts(s, STR("\xC2\xA0")))
        return 2;
    return str_starts(s, STR("\xE3\x80\x80")) ? 3 : 0;
}

static void note_space(struct writer *w, uint32_t at, uint32_t len, bool has_break)
{
    if (!w->space) {
        w->space = true;
        w->space_has_break = false;
        w->space_at = at;
        w->space_len = 0;
    }
    if (at + len > w->space_at + w->space_len)
        w->space_len = at + len - w->space_at;
    w->space_has_break = w->space_has_break || has_break;
}

/* Code keeps its white space but for carriage returns. */
static void code_text(struct writer *w, struct str s, uint32_t at)
{
    for (struct str rest = s, line; str_split(&rest, '\n', &line);) {
        uint32_t begin = at + (uint32_t)(line.ptr - s.ptr), len = (uint32_t)line.len;

        add_run(w, str_ends(line, STR("\r")) ? str_slice(line, 0, line.len - 1) : line, begin,
                str_ends(line, STR("\r")) ? len - 1 : len);
        if (rest.ptr)
            add_run(w, STR("\n"), begin + len, 1);
    }
}

void writer_text(struct writer *w, uint32_t at, uint32_t len)
{
    struct str s = str_slice(w->source, at, (size_t)at + len);
    size_t i = 0;

    ASSERT(w->open);
    if (w->block.kind == BLOCK_CODE) {
        code_text(w, s, at);
        return;
    }
    while (i < s.len && !w->failed) {
        size_t space = space_bytes(str_slice(s, i, s.len));

        if (space) {
            note_space(w, at + (uint32_t)i, (uint32_t)space, s.ptr[i] == '\n');
            i += space;
            continue;
        }
        size_t end = i + 1;
        while (end < s.len && !space_bytes(str_slice(s, end, s.len)))
            end++;
        struct str word = str_slice(s, i, end);
        flush_space(w, word);
        add_run(w, word, at + (uint32_t)i, (uint32_t)word.len);
        i = end;
    }
}

void writer_put(struct writer *w, struct str text, uint32_t source_at, uint32_t source_len)
{
    ASSERT(w->open);
    if (w->block.kind != BLOCK_CODE && text.len && space_bytes(text) == text.len) {
        note_space(w, source_at, source_len, false);
        return;
    }
    flush_space(w, text);
    add_run(w, text, source_at, source_len);
}

void writer_space(struct writer *w, uint32_t at)
{
    note_space(w, at, 0, false);
}

void writer_break(struct writer *w, uint32_t at)
{
    note_space(w, at, 0, true);
}

void writer_end(struct writer *w)
{
    if (!w->open)
        return;
    w->open = false;
    w->space = false;
    if (w->failed || str_is_empty(str_trim(buf_view(&w->text))))
        return;
    w->block.text = buf_view(&w->text);
    w->block.runs = (struct run *)(void *)w->runs.ptr;
    w->block.run_count = w->runs.len / sizeof(struct run);
    buf_put(&w->blocks, &w->block, sizeof w->block);
    w->failed = !buf_ok(&w->blocks);
    if (w->block.kind == BLOCK_HEADING && !w->title.len)
        w->title = w->block.text;
}

/* --- tables ----------------------------------------------------------------------------------- */

void row_begin(struct writer *w, struct table_state *table, bool header)
{
    writer_begin(w, BLOCK_ROW, 1);
    table->column = -1;
    table->in_header = header;
    table->in_cell = false;
    if (header)
        table->header_count = 0;
}

static struct str label_of(const struct table_state *table)
{
    if (table->in_header || table->column >= table->header_count)
        return STR_NONE;
    return table->headers[table->column];
}

/* "; Limit: " before the cell's own text; taken back when the cell stays empty. */
void cell_begin(struct writer *w, struct table_state *table, uint32_t at)
{
    if (table->in_cell)
        cell_end(w, table);
    table->in_cell = true;
    table->column++;
    table->text_before = w->text.len;
    table->runs_before = w->runs.len;
    w->space = false;
    struct str label = label_of(table);
    bool wide = ends_in_ideograph(label);
    if (w->text.len)
        add_run(w, wide ? STR("；") : STR("; "), at, 0);
    if (label.len) {
        add_run(w, label, at, 0);
        add_run(w, wide ? STR("：") : STR(": "), at, 0);
    }
    table->text_label = w->text.len;
}

void cell_end(struct writer *w, struct table_state *table)
{
    if (!table->in_cell || !w->open)
        return;
    table->in_cell = false;
    w->space = false;
    if (table->in_header && table->column < TABLE_COLUMNS_MAX) {
        struct str text = buf_view(&w->text);

        table->headers[table->column] = str_slice(text, table->text_label, text.len);
        table->header_count = table->column + 1;
    }
    if (w->text.len == table->text_label) {
        w->text.len = table->text_before;
        w->runs.len = table->runs_before;
    }
}

void row_end(struct writer *w, struct table_state *table)
{
    cell_end(w, table);
    if (table->in_header)
        w->open = false; /* it names the columns of the rows below, and is no row itself */
    table->in_header = false;
    writer_end(w);
}
