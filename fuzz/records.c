/* What knowledge/ keeps beside a text, and what people say of documents. The first byte chooses:
 *   records of documents and passages, renditions from the child: refused, or every text lies inside the bytes, and
 *     what is written of it reads back the same;
 *   metadata: refused with a reason, or its text reads as itself; a filter: refused with a reason, or fits that metadata
 *     or not, each time the same, and "not" of what fits does not;
 *   readers: refused with a reason, or joined in an order that joins to itself, and never lets in who is named nowhere;
 *   receipts of what was forgotten: refused with a reason, or with fingerprints in order. */
#include <string.h>

#include "app/forget.h"
#include "base/json.h"
#include "fuzz.h"
#include "knowledge/answer.h"
#include "knowledge/metadata.h"
#include "knowledge/passage.h"
#include "knowledge/rendition.h"
#include "knowledge/rights.h"

static bool lies_in(struct str all, struct str s)
{
    return s.len == 0 || (s.ptr >= all.ptr && s.ptr + s.len <= all.ptr + all.len);
}

static void read_document(struct arena *arena, struct str bytes)
{
    struct document_record record, back;
    struct buf written;

    if (!document_record_read(bytes, &record))
        return;
    const struct str texts[] = {record.path,     record.source,  record.root,    record.title,
                                record.language, record.readers, record.metadata};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        ASSERT(lies_in(bytes, texts[i]));
    buf_init(&written, arena, 4 * MIB);
    document_record_write(&written, &record);
    ASSERT(buf_ok(&written) && document_record_read(buf_view(&written), &back));
    ASSERT(str_eq(record.path, back.path) && str_eq(record.source, back.source) &&
           str_eq(record.readers, back.readers) && str_eq(record.metadata, back.metadata) &&
           record.version == back.version && record.bytes == back.bytes);
}

static void read_passage(struct arena *arena, struct str bytes)
{
    struct passage passage, back;
    struct buf written;

    if (!passage_read(arena, bytes, &passage))
        return;
    ASSERT(lies_in(bytes, passage.heading));
    for (size_t i = 0; i < passage.count; i++)
        ASSERT(lies_in(bytes, passage.blocks[i].text) &&
               lies_in(bytes, passage.blocks[i].place.label));
    buf_init(&written, arena, 8 * MIB);
    passage_write(&written, &passage);
    ASSERT(buf_ok(&written) && passage_read(arena, buf_view(&written), &back));
    ASSERT(back.count == passage.count && str_eq(back.heading, passage.heading));
    for (size_t i = 0; i < back.count; i++)
        ASSERT(str_eq(back.blocks[i].text, passage.blocks[i].text) &&
               back.blocks[i].run_count == passage.blocks[i].run_count);
}

static void read_rendition(struct arena *arena, struct str bytes)
{
    struct rendition rendition;
    struct document document;
    struct passage *passages;
    struct err err = {0};
    size_t count;

    if (!rendition_read(arena, bytes, &rendition))
        return;
    ASSERT(lies_in(bytes, rendition.title) && lies_in(bytes, rendition.text));
    for (size_t i = 0; i < rendition.note_count; i++)
        ASSERT(lies_in(bytes, rendition.notes[i]));
    if (rendition_document(arena, &rendition, &document, &err))
        ASSERT(passages_cut(arena, &document, &passages, &count, &err) ||
               err.code == ERR_EXHAUSTED);
    else
        ASSERT(err.code != ERR_NONE);
}

/* "text\nfilter": both JSON. */
static void read_metadata(struct arena *arena, struct str text)
{
    struct str object, again, filter_text = text;
    struct err err = {0};

    (void)str_split(&filter_text, '\n', &object);
    struct json *j = json_parse(arena, object, &err);
    if (!j)
        return;
    if (!metadata_read(arena, j, json_root(j), &object, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        object = STR("");
    } else {
        ASSERT(object.len <= METADATA_BYTES_MAX);
        j = json_parse(arena, object, &err);
        ASSERT(j && metadata_read(arena, j, json_root(j), &again, &err) && str_eq(object, again));
    }
    struct json *f = filter_text.len ? json_parse(arena, filter_text, &err) : NULL;
    struct metadata_filter *filter;
    if (!f)
        return;
    err = (struct err){0};
    if (!metadata_filter_read(arena, f, json_root(f), &filter, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return;
    }
    bool fits = metadata_filter_fits(filter, arena, object);
    ASSERT(fits == metadata_filter_fits(filter, arena, object));
}

#define LINES_MAX (2 * READERS_MAX)

static void read_readers(struct arena *arena, struct str text)
{
    const struct principal stranger = {
        .key_id = STR("k_stranger"), .tenant = STR("t"), .team = STR(""), .tag_list = STR("")};
    struct str lines[LINES_MAX] = {{0}}, joined, again, line;
    struct err err = {0};
    bool open = false;
    size_t count = 0;

    while (text.len && count < LINES_MAX && str_split(&text, '\n', &line))
        lines[count++] = line;
    if (!readers_join(arena, lines, count, &joined, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        open = open || str_eq(lines[i], STR("everyone")) || str_eq(lines[i], STR("tenant:t")) ||
               str_eq(lines[i], STR("key:k_stranger"));
    ASSERT(readers_allow(joined, &stranger) == (open || joined.len == 0));
    count = 0;
    for (struct str rest = joined; rest.len && str_split(&rest, '\n', &line);)
        lines[count++] = line;
    ASSERT(readers_join(arena, lines, count, &again, &err) && str_eq(joined, again));
}

static void read_receipt(struct arena *arena, struct str text)
{
    struct receipt receipt;
    struct err err = {0};

    if (!receipt_read(arena, text, &receipt, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return;
    }
    ASSERT(lies_in(text, receipt.text) && receipt.prints.way.every <= FINGERPRINT_EVERY_MAX);
    for (size_t i = 1; i < receipt.prints.count; i++)
        ASSERT(receipt.prints.at[i - 1] < receipt.prints.at[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct arena * arena, struct str bytes) = {
        read_document, read_passage, read_rendition, read_metadata, read_readers, read_receipt};
    struct arena *arena CLEANUP(arena_end) = arena_new(128 * MIB);
    struct str bytes = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&bytes);

    ASSERT(arena);
    if (bytes.len <= 256 * KIB)
        readers[choice % ARRAY_LEN(readers)](arena, bytes);
    return 0;
}
