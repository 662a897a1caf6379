#include "knowledge/document.h"

#include <string.h>

#include "base/utf8.h"
#include "knowledge/document_internal.h"

bool document_type_of(struct str name, enum document_type *out)
{
    static const struct {
        const char *ending;
        enum document_type type;
    } endings[] = {
        {".txt", DOCUMENT_TEXT},          {".text", DOCUMENT_TEXT}, {".md", DOCUMENT_MARKDOWN},
        {".markdown", DOCUMENT_MARKDOWN}, {".html", DOCUMENT_HTML}, {".htm", DOCUMENT_HTML},
    };

    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct str ending = str_from(endings[i].ending);

        if (name.len > ending.len &&
            str_eq_nocase(str_slice(name, name.len - ending.len, name.len), ending)) {
            *out = endings[i].type;
            return true;
        }
    }
    return false;
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
    static void (*const readers[])(struct writer *, uint32_t, uint32_t) = {
        [DOCUMENT_TEXT] = read_text,
        [DOCUMENT_MARKDOWN] = read_markdown,
        [DOCUMENT_HTML] = read_page,
    };
    struct writer w;
    uint32_t from = str_starts(source, STR("\xEF\xBB\xBF")) ? 3 : 0;

    if (!check_bytes(source, err) || !blocks_init(&w, arena, source, err))
        return false;
    readers[type](&w, from, (uint32_t)source.len);
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
