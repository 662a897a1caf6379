#include "knowledge/document.h"

#include <string.h>

#include "base/utf8.h"
#include "knowledge/document_internal.h"
#include "knowledge/readers.h"

static const struct {
    void (*read)(struct writer *, uint32_t, uint32_t);
    reader_fn *apart;
    const char *endings[4];
} kinds[] = {
    [DOCUMENT_TEXT] = {read_text, NULL, {".txt", ".text"}},
    [DOCUMENT_MARKDOWN] = {read_markdown, NULL, {".md", ".markdown"}},
    [DOCUMENT_HTML] = {read_page, NULL, {".html", ".htm"}},
    [DOCUMENT_DOCX] = {NULL, read_docx, {".docx", ".docm", ".dotx"}},
    [DOCUMENT_PPTX] = {NULL, read_pptx, {".pptx", ".pptm", ".potx", ".ppsx"}},
    [DOCUMENT_XLSX] = {NULL, read_xlsx, {".xlsx", ".xlsm", ".xltx"}},
    [DOCUMENT_PDF] = {NULL, read_pdf, {".pdf"}},
};
static_assert(ARRAY_LEN(kinds) == DOCUMENT_TYPES, "every type has its row");

bool document_type_of(struct str name, enum document_type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (size_t k = 0; k < ARRAY_LEN(kinds[i].endings) && kinds[i].endings[k]; k++) {
            struct str ending = str_from(kinds[i].endings[k]);

            if (name.len > ending.len &&
                str_eq_nocase(str_slice(name, name.len - ending.len, name.len), ending)) {
                *out = (enum document_type)i;
                return true;
            }
        }
    return false;
}

bool document_type_is_apart(enum document_type type)
{
    return kinds[type].apart != NULL;
}

reader_fn *document_reader(enum document_type type)
{
    return kinds[type].apart;
}

const char *document_endings(void)
{
    return "not of a type that is read: text, Markdown, HTML, DOCX, PDF";
}

static bool check_bytes(struct str source, struct err *err)
{
    if (source.len > DOCUMENT_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "larger than %zu bytes", DOCUMENT_BYTES_MAX);
    if (str_starts(source, STR("\xFF\xFE")) || str_starts(source, STR("\xFE\xFF")))
        return err_set(err, ERR_INVALID, "UTF-16, not UTF-8: save it as UTF-8");
    size_t zero = str_find_char(source, 0);
    if (zero < source.len)
        return err_set(err, ERR_INVALID, "binary: a zero byte at %zu", zero);
    if (!utf8_valid(source))
        return err_set(err, ERR_INVALID, "not UTF-8: save it as UTF-8");
    return true;
}

bool document_read(struct arena *arena, struct str source, enum document_type type,
                   struct document *out, struct err *err)
{
    struct writer w;
    uint32_t from = str_starts(source, STR("\xEF\xBB\xBF")) ? 3 : 0;

    ASSERT(kinds[type].read);
    if (!check_bytes(source, err) || !blocks_init(&w, arena, source, err))
        return false;
    kinds[type].read(&w, from, (uint32_t)source.len);
    writer_end(&w);
    if (w.failed)
        return err_arena(err, arena);
    *out = (struct document){.title = w.title,
                             .blocks = (struct block *)(void *)w.blocks.ptr,
                             .count = w.blocks.len / sizeof(struct block)};
    return true;
}

static const struct run *run_at(const struct block *block, uint32_t at)
{
    size_t from = 0, to = block->run_count;

    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;

        if (block->runs[middle].text_at <= at)
            from = middle;
        else
            to = middle;
    }
    return &block->runs[from];
}

static bool is_identity(const struct run *run)
{
    return run->text_len == run->source_len;
}

struct origin block_origin(const struct block *block, uint32_t from, uint32_t to)
{
    ASSERT(from < to && to <= block->text.len && block->run_count > 0);
    const struct run *first = run_at(block, from), *last = run_at(block, to - 1);

    /* Labels stand nowhere: the origin is what is between them, when there is anything. */
    while (first < last && first->source_len == 0)
        first++;
    while (last > first && last->source_len == 0)
        last--;
    return (struct origin){
        .byte_first = first->source_at +
                      (is_identity(first) && from > first->text_at ? from - first->text_at : 0),
        .byte_end =
            last->source_at +
            (is_identity(last) ? MIN_OF(to - last->text_at, last->source_len) : last->source_len),
        .line_first = first->line,
        .line_last = last->line,
    };
}
