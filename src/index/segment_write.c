#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "index/segment_format.h"
#include "sys/file.h"

#define STAGE_BYTES   ((size_t)256 * KIB) /* written out together */
#define TABLES_MAX    ((size_t)512 * MIB)
#define ARENA_MAX     ((size_t)1 * GIB)
#define RECORDS_BEGIN ((uint64_t)sizeof(struct segment_header))

/* Bytes for the end of the file: kept in blocks, so that nothing is copied or left behind as they grow. */
#define BLOCK_BYTES ((size_t)128 * KIB - 64)
struct pile {
    struct pile_block {
        struct pile_block *next;
        size_t len;
        char bytes[BLOCK_BYTES];
    } * first, *newest;
    size_t len;
};

struct segment_writer {
    struct arena *arena;
    uint64_t number;
    char path[SEGMENT_PATH_MAX], partial[SEGMENT_PATH_MAX + 8], dir[SEGMENT_PATH_MAX];
    struct file *file;
    struct buf stage;
    struct segment_header header;
    enum section section; /* the one being streamed */
    uint64_t at;          /* bytes of the file so far */
    struct pile documents, terms, term_text;
    struct buf passages;          /* looked at again, for skips */
    bool no_room;                 /* a pile could not grow */
    struct buf list, skips;       /* of the term being added */
    struct document_entry newest; /* put when the next one begins */
    bool has_newest;
};

uint32_t segment_header_crc(const struct segment_header *header)
{
    return crc32c(0, header, offsetof(struct segment_header, crc));
}

static bool open_partial(struct segment_writer *w, struct err *err)
{
    static const char blank[sizeof(struct segment_header)];

    (void)snprintf(w->partial, sizeof w->partial, "%s.part", w->path);
    return file_open(w->partial, FILE_REPLACE, 0600, &w->file, err) &&
           file_append(w->file, blank, sizeof blank, err);
}

bool segment_create(const char *dir, uint64_t number, struct segment_writer **out, struct err *err)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct segment_writer *w CLEANUP(segment_abandon) =
        arena ? arena_alloc(arena, sizeof *w) : NULL;

    if (!w) {
        arena_end(&arena);
        return err_no_room(err, "no memory to write an index segment");
    }
    w->arena = arena;
    w->number = number;
    segment_path(w->path, dir, number);
    (void)snprintf(w->dir, sizeof w->dir, "%s", dir);
    buf_init(&w->stage, arena, 2 * STAGE_BYTES);
    buf_init(&w->passages, arena, TABLES_MAX);
    buf_init(&w->list, arena, TABLES_MAX);
    buf_init(&w->skips, arena, TABLES_MAX);
    if (!open_partial(w, err))
        return err_wrap(err, "write index segment \"%s\"", w->path);
    w->at = RECORDS_BEGIN;
    w->section = RECORDS;
    w->header.sections[RECORDS].at = w->at;
    *out = w;
    w = NULL;
    return true;
}

static void pile_put(struct segment_writer *w, struct pile *to, const void *bytes, size_t len)
{
    if (!to->newest || to->newest->len + len > BLOCK_BYTES) {
        struct pile_block *block = arena_alloc_raw(w->arena, sizeof *block);

        if (!block || to->len + len > TABLES_MAX) {
            w->no_room = true;
            return;
        }
        block->next = NULL;
        block->len = 0;
        *(to->newest ? &to->newest->next : &to->first) = block;
        to->newest = block;
    }
    memcpy(to->newest->bytes + to->newest->len, bytes, len);
    to->newest->len += len;
    to->len += len;
}

static bool flush(struct segment_writer *w, struct err *err)
{
    if (w->stage.len && !file_append(w->file, w->stage.ptr, w->stage.len, err))
        return err_wrap(err, "write index segment \"%s\"", w->path);
    w->stage.len = 0;
    return true;
}

/* Append to the section being streamed. */
static bool put(struct segment_writer *w, struct str bytes, struct err *err)
{
    w->header.sections[w->section].crc =
        crc32c(w->header.sections[w->section].crc, bytes.ptr, bytes.len);
    w->header.sections[w->section].len += bytes.len;
    w->at += bytes.len;
    if (w->stage.len + bytes.len > STAGE_BYTES && !flush(w, err))
        return false;
    if (bytes.len > STAGE_BYTES)
        return file_append(w->file, bytes.ptr, bytes.len, err) ||
               err_wrap(err, "write index segment \"%s\"", w->path);
    buf_put(&w->stage, bytes.ptr, bytes.len);
    return buf_ok(&w->stage) || err_arena(err, w->arena);
}

static bool begin_section(struct segment_writer *w, enum section which, struct err *err)
{
    static const char zeros[8];
    size_t pad = (size_t)(-w->at & 7);

    ASSERT(which == w->section + 1);
    buf_put(&w->stage, zeros, pad);
    w->at += pad;
    if (w->stage.len > STAGE_BYTES && !flush(w, err))
        return false;
    w->section = which;
    w->header.sections[which].at = w->at;
    return buf_ok(&w->stage) || err_arena(err, w->arena);
}

static void put_newest(struct segment_writer *w)
{
    if (!w->has_newest)
        return;
    w->newest.passage_count = w->header.passages - w->newest.passage_first;
    pile_put(w, &w->documents, &w->newest, sizeof w->newest);
    w->has_newest = false;
}

bool segment_add_document(struct segment_writer *w, struct str key, struct str record,
                          struct err *err)
{
    ASSERT(w->section == RECORDS);
    put_newest(w);
    w->newest = (struct document_entry){.at = w->header.sections[RECORDS].len,
                                        .key_len = (uint32_t)key.len,
                                        .record_len = (uint32_t)record.len,
                                        .passage_first = w->header.passages};
    w->has_newest = true;
    w->header.documents++;
    return put(w, key, err) && put(w, record, err);
}

bool segment_add_passage(struct segment_writer *w, struct str record, struct str cuts,
                         const uint32_t lengths[TERM_FIELDS], struct err *err)
{
    uint8_t len[VARINT_MAX];
    struct passage_entry entry = {.at = w->header.sections[RECORDS].len,
                                  .record_len = (uint32_t)record.len,
                                  .document = w->header.documents - 1};

    ASSERT(w->section == RECORDS && w->has_newest);
    if (w->header.passages >= SEGMENT_PASSAGES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %u passages in a segment",
                       SEGMENT_PASSAGES_MAX);
    for (int i = 0; i < TERM_FIELDS; i++) {
        entry.lengths[i] = lengths[i];
        w->header.lengths[i] += lengths[i];
    }
    buf_put(&w->passages, &entry, sizeof entry);
    w->header.passages++;
    return put(w, record, err) &&
           put(w, (struct str){(const char *)len, varint_put(len, (uint32_t)cuts.len)}, err) &&
           put(w, cuts, err);
}

static uint32_t length_of(const struct segment_writer *w, uint32_t passage, enum term_field field)
{
    struct passage_entry entry;

    ASSERT(passage < w->header.passages);
    memcpy(&entry, w->passages.ptr + passage * sizeof entry, sizeof entry);
    return entry.lengths[field];
}

/* What no passage of the block can be better than. */
static struct skip summarise(const struct segment_writer *w, const struct posting *block,
                             uint32_t count, enum term_field field)
{
    uint32_t times = 0, length = UINT16_MAX;

    for (uint32_t i = 0; i < count; i++) {
        times = MAX_OF(times, block[i].times);
        length = MIN_OF(length, length_of(w, block[i].passage, field));
    }
    return (struct skip){.last = block[count - 1].passage,
                         .times_max = (uint16_t)MIN_OF(times, (uint32_t)SKIP_ANY_TIMES),
                         .length_min = (uint16_t)length};
}

/* Skips into w->skips, the blocks one behind the other into w->list. */
static bool encode(struct segment_writer *w, const struct posting *postings, uint32_t count,
                   enum term_field field)
{
    uint32_t last = 0;

    w->list.len = w->skips.len = 0;
    for (uint32_t begin = 0; begin < count; begin += SKIP_BLOCK) {
        uint32_t size = MIN_OF(count - begin, SKIP_BLOCK);
        struct skip skip = {0};

        if (count > SKIP_BLOCK) /* shorter lists have none */
            skip = summarise(w, postings + begin, size, field);
        for (uint32_t i = begin; i < begin + size; i++) {
            char *to = buf_room(&w->list, 2 * VARINT_MAX);

            if (!to)
                return false;
            w->list.len +=
                postings_put((uint8_t *)to, postings[i].passage - last, postings[i].times);
            last = postings[i].passage;
        }
        skip.end = (uint32_t)w->list.len;
        buf_put(&w->skips, &skip, sizeof skip);
    }
    return buf_ok(&w->list) && buf_ok(&w->skips);
}

bool segment_add_term(struct segment_writer *w, struct str text, const struct posting *postings,
                      uint32_t count, struct err *err)
{
    ASSERT(text.len > 0 && text.len <= SEGMENT_TERM_MAX && count > 0);
    if (w->section == RECORDS && !begin_section(w, POSTINGS, err))
        return false;
    if (!encode(w, postings, count, text.ptr[0] == 'w' ? TERM_WORD : TERM_PAIR))
        return err_arena(err, w->arena);
    struct str skips = count > SKIP_BLOCK ? buf_view(&w->skips) : STR_NONE;
    struct term_entry entry = {.at = w->header.sections[POSTINGS].len,
                               .text_at = (uint32_t)w->term_text.len,
                               .text_len = (uint32_t)text.len,
                               .postings_len = (uint32_t)(skips.len + w->list.len),
                               .passages = count};

    ASSERT(w->section == POSTINGS && skips.len + w->list.len < UINT32_MAX);
    pile_put(w, &w->terms, &entry, sizeof entry);
    pile_put(w, &w->term_text, text.ptr, text.len);
    w->header.terms++;
    return put(w, skips, err) && put(w, buf_view(&w->list), err);
}

uint32_t segment_writer_passages(const struct segment_writer *w)
{
    return w->header.passages;
}

static bool put_pile(struct segment_writer *w, enum section which, const struct pile *pile,
                     struct err *err)
{
    if (!begin_section(w, which, err))
        return false;
    for (const struct pile_block *b = pile->first; b; b = b->next)
        if (!put(w, (struct str){b->bytes, b->len}, err))
            return false;
    return true;
}

static bool put_tables(struct segment_writer *w, struct err *err)
{
    struct str passages;

    put_newest(w);
    if (w->no_room)
        return err_arena(err, w->arena);
    if (w->section == RECORDS && !begin_section(w, POSTINGS, err))
        return false;
    static_assert(TERM_TEXT + 1 == TERMS && TERMS + 1 == DOCUMENTS && DOCUMENTS + 1 == PASSAGES,
                  "written in their order");
    return put_pile(w, TERM_TEXT, &w->term_text, err) && put_pile(w, TERMS, &w->terms, err) &&
           put_pile(w, DOCUMENTS, &w->documents, err) && buf_finish(&w->passages, &passages, err) &&
           begin_section(w, PASSAGES, err) && put(w, passages, err) && flush(w, err);
}

static bool seal(struct segment_writer *w, struct err *err)
{
    memcpy(w->header.magic, SEGMENT_MAGIC, sizeof w->header.magic);
    w->header.version = SEGMENT_VERSION;
    w->header.crc = segment_header_crc(&w->header);
    if (!file_write_at(w->file, 0, &w->header, sizeof w->header, err) || !file_sync(w->file, err) ||
        !file_rename(w->partial, w->path, err) || !file_sync_dir(w->dir, err))
        return err_wrap(err, "write index segment \"%s\"", w->path);
    return true;
}

bool segment_seal(struct segment_writer **writer, struct segment_id *id, struct err *err)
{
    struct segment_writer *w = *writer;

    if (!put_tables(w, err) || !seal(w, err)) {
        segment_abandon(writer);
        return false;
    }
    *id = (struct segment_id){w->number, w->header.passages, w->header.crc};
    w->partial[0] = 0; /* it has its name: nothing to remove */
    segment_abandon(writer);
    return true;
}

void segment_abandon(struct segment_writer **writer)
{
    struct segment_writer *w = *writer;
    struct err ignored = {0};

    if (!w)
        return;
    file_close(&w->file);
    if (w->partial[0])
        (void)!file_remove(w->partial, &ignored); /* open removes what is left */
    struct arena *arena = w->arena;
    arena_end(&arena);
    *writer = NULL;
}
