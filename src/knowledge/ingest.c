/* One document into the index: its bytes are read, cut into passages, added. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/entities.h"
#include "knowledge/knowledge_internal.h"
#include "sys/clock.h"

#define LANGUAGE_SAMPLE 4000                /* bytes that tell a document's language */
#define FILE_ARENA      ((size_t)768 * MIB) /* a file, its blocks, passages and records */

void document_id(struct str source, char id[DOCUMENT_ID_LEN + 1])
{
    struct sha256 hash = sha256(source);

    (void)snprintf(id, DOCUMENT_ID_LEN + 1, "d_%02x%02x%02x%02x%02x%02x%02x%02x", hash.bytes[0],
                   hash.bytes[1], hash.bytes[2], hash.bytes[3], hash.bytes[4], hash.bytes[5],
                   hash.bytes[6], hash.bytes[7]);
}

/* --- one document ----------------------------------------------------------------------------- */

static struct str last_part(struct str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/')
        from--;
    return str_slice(path, from, path.len);
}

static bool fill_text(struct arena *arena, const struct document *document,
                      const struct passage *passage, struct lexical_passage *out, struct err *err)
{
    out->header =
        arena_fmt(arena, STR_FMT "\n" STR_FMT, STR_ARG(document->title), STR_ARG(passage->heading));
    return (out->header.ptr || err_arena(err, arena)) &&
           passage_text(arena, passage, &out->text, err);
}

static bool fill_marks(struct arena *arena, const struct passage *passage,
                       const struct mentions *mentions, struct lexical_passage *out,
                       struct err *err)
{
    struct buf record;

    buf_init(&record, arena, FILE_ARENA);
    passage_write(&record, passage);
    mentions_write(&record, mentions);
    out->marks = mentions->names;
    out->mark_count = mentions->count;
    return buf_finish(&record, &out->record, err);
}

/* The first blocks: markup and other encodings say nothing of the language. */
static struct str language_sample(const struct document *document)
{
    static const struct block none;
    const struct block *longest = &none;
    size_t seen = 0;

    for (size_t i = 0; i < document->count && seen < LANGUAGE_SAMPLE; i++) {
        const struct block *b = &document->blocks[i];

        seen += b->text.len;
        if (b->text.len > longest->text.len)
            longest = b;
    }
    return str_slice(longest->text, 0, utf8_boundary(longest->text, LANGUAGE_SAMPLE));
}

static bool fill_record(struct arena *arena, const struct document_source *source,
                        const struct document *document, struct str *out, struct err *err)
{
    struct str sample = language_sample(document);
    struct document_record record = {.path = source->shown,
                                     .source = source->source,
                                     .root = source->root,
                                     .title = document->title,
                                     .language = text_language(sample),
                                     .hash = sha256(source->bytes),
                                     .bytes = source->bytes.len,
                                     .ingested = source->since ? source->since : clock_wall(),
                                     .readers = source->readers,
                                     .metadata = source->metadata,
                                     .version = source->version,
                                     .chunking = source->chunking,
                                     .mark = source->mark};
    struct buf b;

    buf_init(&b, arena, MIB);
    document_record_write(&b, &record);
    return buf_finish(&b, out, err);
}

static bool write_document(struct lexical_writer *writer, struct arena *arena,
                           const struct document_source *source, const struct document *document,
                           uint64_t *passages, struct err *err)
{
    struct lexical_document added = {0};
    struct mentions *mentions;
    struct passage *cut;
    char id[DOCUMENT_ID_LEN + 1];
    size_t count;

    if (!passages_chunk(arena, document, source->chunking, &cut, &count, err))
        return false;
    if (!count)
        return err_set(err, ERR_INVALID, "no text in it");
    struct lexical_passage *list = arena_array(arena, count, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    if (!entities_find(arena, document, cut, count, &mentions, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!fill_text(arena, document, &cut[i], &list[i], err) ||
            !fill_marks(arena, &cut[i], &mentions[i], &list[i], err))
            return false;
    document_id(source->source, id);
    added.key = str_from(id);
    added.passages = list;
    added.passage_count = count;
    *passages += count;
    return fill_record(arena, source, document, &added.record, err) &&
           lexical_add(writer, &added, err);
}

static bool read_apart(struct document_ingest *in, struct arena *arena,
                       const struct document_source *source, struct document *out, struct err *err)
{
    struct rendition rendition;

    ASSERT(in->readers);
    if (!readers_read(in->readers, arena, source->type, source->bytes, &rendition, err)) {
        in->no_reader = err->code == ERR_UNAVAILABLE;
        return false;
    }
    if (!rendition_document(arena, &rendition, out, err))
        return false;
    for (size_t i = 0; in->note && i < rendition.note_count; i++)
        in->note(in->ctx, rendition.notes[i]);
    return true;
}

bool add_document(struct document_ingest *in, const struct document_source *source, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FILE_ARENA);
    struct document document;

    if (!arena)
        return err_no_room(err, "no memory to read a document");
    if (!(document_type_is_apart(source->type)
              ? read_apart(in, arena, source, &document, err)
              : document_read(arena, source->bytes, source->type, &document, err)))
        return false;
    if (document.encoding_guessed && in->note) {
        struct str text = arena_fmt(arena, "read as %s, which is a guess", document.encoding);
        in->note(in->ctx, text);
    }
    if (document.note.len > 0 && in->note)
        in->note(in->ctx, document.note);
    if (!document.title.len)
        document.title = source->title.len ? source->title : last_part(source->shown);
    return write_document(in->writer, arena, source, &document, &in->passages, err);
}
