#include "knowledge/document.h"

#include <string.h>

#include "knowledge/document_internal.h"
#include "knowledge/encoding.h"
#include "knowledge/readers.h"

static const struct {
    void (*read)(struct writer *, uint32_t, uint32_t);
    reader_fn *apart;
    const char *endings; /* with a space between them */
} kinds[] = {
    [DOCUMENT_TEXT] = {read_text, NULL, ".txt .text .log .rst .adoc .asciidoc .org .tex .srt .vtt"},
    [DOCUMENT_MARKDOWN] = {read_markdown, NULL, ".md .markdown .mdx"},
    [DOCUMENT_HTML] = {read_page, NULL, ".html .htm .xhtml"},
    [DOCUMENT_CSV] = {read_csv, NULL, ".csv .tsv .tab"},
    [DOCUMENT_JSON] = {read_json, NULL, ".json .jsonl .ndjson .geojson"},
    [DOCUMENT_CODE] =
        {read_code, NULL,
         ".c .h .cc .cpp .cxx .hpp .cs .go .java .js .jsx .kt .lua .m .php .pl .proto "
         ".ps1 .py .r .rb .rs .scala .sh .sql .swift .ts .tsx .css .tf .yaml .yml "
         ".toml .ini .cfg .conf .xml"},
    [DOCUMENT_DOCX] = {NULL, read_docx, ".docx .docm .dotx"},
    [DOCUMENT_XLSX] = {NULL, read_xlsx, ".xlsx .xlsm .xltx"},
    [DOCUMENT_PPTX] = {NULL, read_pptx, ".pptx .pptm .potx .ppsx"},
    [DOCUMENT_ODF] = {NULL, read_odf, ".odt .ods .odp .ott .ots .otp"},
    [DOCUMENT_EPUB] = {NULL, read_epub, ".epub"},
    [DOCUMENT_MAIL] = {NULL, read_mail, ".eml"},
    [DOCUMENT_PDF] = {NULL, read_pdf, ".pdf"},
};
static_assert(ARRAY_LEN(kinds) == DOCUMENT_TYPES, "every type has its row");

bool document_type_of(struct str name, enum document_type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (struct str rest = str_from(kinds[i].endings), ending; str_split(&rest, ' ', &ending);)
            if (name.len > ending.len &&
                str_eq_nocase(str_slice(name, name.len - ending.len, name.len), ending)) {
                *out = (enum document_type)i;
                return true;
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
    return "not of a type that is read: see docs/documents.md";
}

/* --- text ------------------------------------------------------------------------------------- */

/* What a page says of its encoding: <meta charset="gbk">, or inside of http-equiv. */
static struct str declared_charset(struct str source)
{
    struct str head = str_slice(source, 0, 2048);
    size_t at = str_find(head, STR("charset="));
    struct str name = str_slice(head, at + 8, head.len);
    size_t end = 0;

    if (str_starts(name, STR("\"")) || str_starts(name, STR("'")))
        name = str_slice(name, 1, name.len);
    while (end < name.len && (name.ptr[end] == '-' || name.ptr[end] == '_' ||
                              (name.ptr[end] >= '0' && name.ptr[end] <= '9') ||
                              ((name.ptr[end] | 32) >= 'a' && (name.ptr[end] | 32) <= 'z')))
        end++;
    return str_slice(name, 0, end);
}

/* A run of the decoded text as runs of the file: one for every stretch of one width. */
static size_t put_pieces(struct run *to, const struct run *run, const struct decoded *d)
{
    uint32_t at = run->source_at, end = at + run->source_len;
    size_t count = 0;

    if (run->text_len != run->source_len) {
        struct run whole = *run;

        whole.source_at = encoding_source_at(d, at);
        whole.source_len = encoding_source_at(d, end) - whole.source_at;
        if (to)
            to[0] = whole;
        return 1;
    }
    while (at < end) {
        uint32_t step_end;
        const struct encoding_step *s = encoding_step_at(d, at, &step_end);
        uint32_t len = MIN_OF(step_end, end) - at;

        if (to)
            to[count] = (struct run){.text_at = run->text_at + (at - run->source_at),
                                     .text_len = len,
                                     .source_at = encoding_source_at(d, at),
                                     .source_len = len / s->text_width * s->source_width,
                                     .line = run->line,
                                     .text_step = s->text_width,
                                     .source_step = s->source_width};
        count++;
        at += len;
    }
    return count;
}

static bool map_runs(struct arena *arena, struct block *b, const struct decoded *d)
{
    size_t count = 0, at = 0;

    for (size_t i = 0; i < b->run_count; i++)
        count += put_pieces(NULL, &b->runs[i], d);
    struct run *runs = arena_array(arena, count, sizeof *runs);
    for (size_t i = 0; runs && i < b->run_count; i++)
        at += put_pieces(runs + at, &b->runs[i], d);
    b->runs = runs;
    b->run_count = count;
    return runs != NULL;
}

static bool decode(struct arena *arena, struct str source, enum document_type type,
                   struct decoded *out, struct err *err)
{
    if (source.len > DOCUMENT_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "larger than %zu bytes", DOCUMENT_BYTES_MAX);
    return encoding_decode(arena, source,
                           type == DOCUMENT_HTML ? declared_charset(source) : STR_NONE, out, err);
}

bool document_read(struct arena *arena, struct str source, enum document_type type,
                   struct document *out, struct err *err)
{
    struct decoded d;
    struct writer w;

    ASSERT(kinds[type].read);
    if (!decode(arena, source, type, &d, err) || !blocks_init(&w, arena, d.text, err))
        return false;
    uint32_t from = str_starts(d.text, STR("\xEF\xBB\xBF")) ? 3 : 0;
    kinds[type].read(&w, from, (uint32_t)d.text.len);
    writer_end(&w);
    if (w.problem)
        return err_set(err, ERR_INVALID, "%s at byte %u", w.problem,
                       encoding_source_at(&d, w.problem_at));
    *out = (struct document){.title = w.title,
                             .blocks = (struct block *)(void *)w.blocks.ptr,
                             .count = w.blocks.len / sizeof(struct block),
                             .note = w.note,
                             .encoding = d.encoding,
                             .encoding_guessed = d.guessed};
    for (size_t i = 0; d.steps && !w.failed && i < out->count; i++)
        w.failed = !map_runs(arena, &out->blocks[i], &d);
    return !w.failed || err_arena(err, arena);
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

struct run run_part(const struct run *run, uint32_t from, uint32_t to)
{
    struct run part = *run;
    uint32_t skipped = from - run->text_at, text = run->text_step, source = run->source_step;

    ASSERT(from >= run->text_at && from <= to && to <= run->text_at + run->text_len);
    part.text_at = from;
    part.text_len = to - from;
    if (text) {
        uint32_t begin = MIN_OF(skipped / text * source, run->source_len);
        uint32_t end = MIN_OF((to - run->text_at + text - 1) / text * source, run->source_len);

        part.source_at += begin;
        part.source_len = MAX_OF(end, begin) - begin;
    } else if (run->text_len == run->source_len) {
        part.source_at += skipped;
        part.source_len = to - from;
    }
    return part;
}

struct origin block_origin(const struct block *block, uint32_t from, uint32_t to)
{
    ASSERT(from < to && to <= block->text.len && block->run_count > 0);
    const struct run *first = run_at(block, from), *last = run_at(block, to - 1);
    uint32_t begin = from, end = to;

    /* Labels stand nowhere: the origin is what is between them, when there is anything. */
    while (first < last && first->source_len == 0)
        begin = (++first)->text_at;
    while (last > first && last->source_len == 0) {
        end = last->text_at;
        last--;
    }
    struct run a = run_part(first, begin, first->text_at + first->text_len);
    struct run b = run_part(last, last->text_at, end);
    return (struct origin){.byte_first = a.source_at,
                           .byte_end = b.source_at + b.source_len,
                           .line_first = first->line,
                           .line_last = last->line};
}
