#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "index/segment_format.h"
#include "sys/file.h"

#define CHECK_STEP    ((uint64_t)4 * MIB)
#define HEAD_STEP     8 /* terms */
#define HEADS_MAX     ((uint32_t)64 * 1024)
#define SEGMENT_ARENA ((size_t)4 * GIB) /* of entries that the file is as large as */

static const size_t entry_bytes[SECTIONS] = {
    [TERMS] = sizeof(struct term_entry),
    [DOCUMENTS] = sizeof(struct document_entry),
    [PASSAGES] = sizeof(struct passage_entry),
};

void segment_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number)
{
    (void)snprintf(path, SEGMENT_PATH_MAX, "%s/%08" PRIu64 ".segment", dir, number);
}

static struct str section_entry(const struct segment *s, enum section which, uint32_t i)
{
    size_t size = entry_bytes[which];

    ASSERT((i + (size_t)1) * size <= s->sections[which].len);
    return (struct str){s->sections[which].ptr + i * size, size};
}

struct document_entry segment_document(const struct segment *s, uint32_t i)
{
    struct document_entry entry;

    memcpy(&entry, section_entry(s, DOCUMENTS, i).ptr, sizeof entry);
    return entry;
}

struct passage_entry segment_passage(const struct segment *s, uint32_t i)
{
    struct passage_entry entry;

    memcpy(&entry, section_entry(s, PASSAGES, i).ptr, sizeof entry);
    return entry;
}

struct term_entry segment_term(const struct segment *s, uint32_t i)
{
    struct term_entry entry;

    memcpy(&entry, section_entry(s, TERMS, i).ptr, sizeof entry);
    return entry;
}

/* Part of a section; empty when it would reach outside. */
static struct str section_part(const struct segment *s, enum section which, uint64_t at,
                               uint64_t len)
{
    struct str section = s->sections[which];

    if (at > section.len || len > section.len - at)
        at = len = 0;
    return (struct str){section.ptr + at, len};
}

struct str segment_term_text(const struct segment *s, const struct term_entry *term)
{
    return section_part(s, TERM_TEXT, term->text_at, term->text_len);
}

struct str segment_key(const struct segment *s, const struct document_entry *document)
{
    return section_part(s, RECORDS, document->at, document->key_len);
}

struct str segment_document_record(const struct segment *s, const struct document_entry *document)
{
    return section_part(s, RECORDS, document->at + document->key_len, document->record_len);
}

struct str segment_passage_record(const struct segment *s, const struct passage_entry *passage)
{
    return section_part(s, RECORDS, passage->at, passage->record_len);
}

static bool varint_next(const uint8_t **at, const uint8_t *end, uint32_t *out)
{
    uint32_t value = 0;

    for (int shift = 0; shift < 35 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 128) {
            *out = value;
            return true;
        }
    }
    return false;
}

struct str segment_passage_cuts(const struct segment *s, const struct passage_entry *passage)
{
    struct str rest = s->sections[RECORDS];
    uint64_t at = passage->at + passage->record_len;
    uint32_t len;

    if (s->version < 3 || at > rest.len)
        return STR_NONE;
    const uint8_t *next = (const uint8_t *)rest.ptr + at,
                  *end = (const uint8_t *)rest.ptr + rest.len;
    if (!varint_next(&next, end, &len))
        return STR_NONE;
    return section_part(s, RECORDS, (uint64_t)(next - (const uint8_t *)rest.ptr), len);
}

uint64_t segment_head(struct str text)
{
    uint8_t bytes[8] = {0};
    uint64_t head = 0;

    memcpy(bytes, text.ptr, MIN_OF(text.len, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++)
        head = head << 8 | bytes[i];
    return head;
}

/* Heads that are before (or, with `equal`, not behind) another. */
static uint32_t heads_before(const struct segment *s, uint64_t head, bool equal)
{
    uint32_t from = 0, to = s->head_count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (s->heads[middle] < head || (equal && s->heads[middle] == head))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Terms and their texts are cold; what tells most of them apart is not: the first is one of *from to *to. */
static void narrow(const struct segment *s, struct str text, uint32_t *from, uint32_t *to)
{
    uint64_t head = segment_head(text);
    uint32_t before = heads_before(s, head, false), behind = heads_before(s, head, true);

    *from = before ? (before - 1) * s->head_step : 0;
    *to = behind < s->head_count ? behind * s->head_step : s->terms;
}

uint32_t segment_first_from(const struct segment *s, struct str text)
{
    uint32_t from, to;

    narrow(s, text, &from, &to);
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct term_entry entry = segment_term(s, middle);

        if (str_cmp(segment_term_text(s, &entry), text) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool segment_find_term(const struct segment *s, struct str text, struct term_entry *out)
{
    uint32_t at = segment_first_from(s, text);

    if (at == s->terms)
        return false;
    *out = segment_term(s, at);
    return str_eq(segment_term_text(s, out), text);
}

struct postings segment_postings(const struct segment *s, const struct term_entry *term)
{
    struct str bytes = section_part(s, POSTINGS, term->at, term->postings_len);
    const uint8_t *at = (const uint8_t *)bytes.ptr;

    struct postings p = {.at = at, .end = at + bytes.len, .limit = s->passages};
    uint32_t blocks = term->passages / SKIP_BLOCK + (term->passages % SKIP_BLOCK != 0);

    if (s->version > 1 && blocks > 1 && bytes.len / SKIP_BYTES >= blocks) {
        p.skips = at;
        p.skip_count = blocks;
        p.at += (size_t)blocks * SKIP_BYTES;
    }
    return p;
}

struct skip skip_at(const struct postings *p, uint32_t i)
{
    struct skip skip;

    ASSERT(i < p->skip_count);
    memcpy(&skip, p->skips + (size_t)i * SKIP_BYTES, sizeof skip);
    return skip;
}
static_assert(sizeof(struct skip) == SKIP_BYTES, "part of the file format");

bool postings_next(struct postings *p)
{
    uint32_t delta;

    if (!varint_next(&p->at, p->end, &delta) || !varint_next(&p->at, p->end, &p->times) ||
        delta >= p->limit - p->passage)
        return false;
    p->passage += delta;
    return true;
}

size_t varint_put(uint8_t to[VARINT_MAX], uint32_t value)
{
    size_t len = 0;

    for (; value >= 128; value >>= 7)
        to[len++] = (uint8_t)(value | 0x80);
    to[len++] = (uint8_t)value;
    return len;
}

size_t postings_put(uint8_t to[2 * VARINT_MAX], uint32_t delta, uint32_t times)
{
    size_t len = varint_put(to, delta);

    return len + varint_put(to + len, times);
}

struct str segment_key_at(const struct segment *s, uint32_t i)
{
    struct document_entry entry = segment_document(s, i);

    return segment_key(s, &entry);
}

static int compare_key(const struct segment *s, const struct key_head *left, uint64_t head,
                       struct str key)
{
    if (left->head != head)
        return left->head < head ? -1 : 1;
    return str_cmp(segment_key_at(s, left->document), key);
}

/* Heap sort, in place: documents of one run are few, and what is merged stands in order. */
static void sink(const struct segment *s, struct key_head *keys, uint32_t at, uint32_t count)
{
    struct key_head moved = keys[at];
    struct str key = segment_key_at(s, moved.document);

    for (uint32_t below; (below = 2 * at + 1) < count; at = below) {
        if (below + 1 < count && compare_key(s, &keys[below], keys[below + 1].head,
                                             segment_key_at(s, keys[below + 1].document)) < 0)
            below++;
        if (compare_key(s, &keys[below], moved.head, key) <= 0)
            break;
        keys[at] = keys[below];
    }
    keys[at] = moved;
}

static void sort_keys(const struct segment *s, struct key_head *keys)
{
    for (uint32_t i = s->documents / 2; i-- > 0;)
        sink(s, keys, i, s->documents);
    for (uint32_t left = s->documents; left-- > 1;) {
        struct key_head last = keys[left];

        keys[left] = keys[0];
        keys[0] = last;
        sink(s, keys, 0, left);
    }
}

static bool read_keys(struct segment *s, struct err *err)
{
    struct key_head *keys = arena_alloc_raw(s->arena, ((size_t)s->documents + 1) * sizeof *keys);
    bool in_order = true;

    if (!keys)
        return err_arena(err, s->arena);
    for (uint32_t i = 0; i < s->documents; i++) {
        struct str key = segment_key_at(s, i);

        keys[i] = (struct key_head){segment_head(key), i};
        in_order = in_order && (i == 0 || compare_key(s, &keys[i - 1], keys[i].head, key) < 0);
    }
    if (!in_order)
        sort_keys(s, keys);
    s->keys = keys;
    return true;
}

bool segment_find_document(const struct segment *s, struct str key, uint32_t *out)
{
    uint32_t from = 0, to = s->documents;
    uint64_t head = segment_head(key);

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = compare_key(s, &s->keys[middle], head, key);

        if (order == 0) {
            *out = s->keys[middle].document;
            return true;
        }
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

static bool damaged(struct err *err, uint64_t number, const char *what)
{
    return err_set(err, ERR_UNAVAILABLE, "index segment %08" PRIu64 " is damaged: %s", number,
                   what);
}

/* What was looked at is let go: a process that has checked an index does not hold it. */
static uint32_t sum(const struct segment *s, uint64_t from, uint64_t to, bool let_go)
{
    uint32_t crc = 0;

    for (uint64_t next; from < to; from = next) {
        next = MIN_OF(to, from + CHECK_STEP);
        crc = crc32c(crc, s->map + from, next - from);
        if (let_go)
            file_forget(s->map, from, next);
    }
    return crc;
}

static bool check_section(struct segment *s, const struct segment_header *header, enum section i,
                          uint64_t *end, struct err *err)
{
    uint64_t at = header->sections[i].at, len = header->sections[i].len;

    /* One behind the other, zeros up to the next multiple of 8: no byte is without a check. */
    while (*end % 8 && *end < s->bytes && s->map[*end] == 0)
        ++*end;
    if (at != *end || at > s->bytes || len > s->bytes - at)
        return damaged(err, s->number, "a section is not where it should be");
    *end = at + len;
    s->sections[i] = (struct str){s->map + at, len};
    if (sum(s, at, at + len, i < TERM_TEXT) != header->sections[i].crc)
        return damaged(err, s->number, "a checksum does not match");
    return true;
}

/* Their passages stand one document's behind the other's, and are all there are. */
static bool check_documents(const struct segment *s, struct err *err)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < s->documents; i++) {
        struct document_entry entry = segment_document(s, i);

        if (entry.passage_first != next || entry.passage_count > s->passages - next)
            return damaged(err, s->number, "a document without its passages");
        next += entry.passage_count;
    }
    return next == s->passages || damaged(err, s->number, "a passage of no document");
}

static bool check(struct segment *s, struct err *err)
{
    struct segment_header header;
    uint64_t end = sizeof header;

    if (s->bytes < sizeof header)
        return damaged(err, s->number, "shorter than its header");
    memcpy(&header, s->map, sizeof header);
    if (memcmp(header.magic, SEGMENT_MAGIC, sizeof header.magic) != 0)
        return damaged(err, s->number, "not an index segment");
    if (header.version < 1 || header.version > SEGMENT_VERSION)
        return err_set(err, ERR_UNAVAILABLE,
                       "index segment %08" PRIu64 " has version %u, this Weir reads 1 to %u",
                       s->number, header.version, SEGMENT_VERSION);
    if (header.crc != segment_header_crc(&header))
        return damaged(err, s->number, "the header's checksum does not match");
    for (int i = 0; i < SECTIONS; i++)
        if (!check_section(s, &header, (enum section)i, &end, err))
            return false;
    if (end != s->bytes)
        return damaged(err, s->number, "more bytes than its sections");
    s->documents = header.documents;
    s->passages = header.passages;
    s->terms = header.terms;
    s->version = header.version;
    s->crc = header.crc;
    memcpy(s->lengths, header.lengths, sizeof s->lengths);
    if (s->sections[DOCUMENTS].len != (uint64_t)s->documents * sizeof(struct document_entry) ||
        s->sections[PASSAGES].len != (uint64_t)s->passages * sizeof(struct passage_entry) ||
        s->sections[TERMS].len != (uint64_t)s->terms * sizeof(struct term_entry) ||
        s->passages > SEGMENT_PASSAGES_MAX)
        return damaged(err, s->number, "counts and sections do not agree");
    for (uint32_t i = 0; i < s->passages; i++)
        if (segment_passage(s, i).document >= s->documents)
            return damaged(err, s->number, "a passage without a document");
    return check_documents(s, err);
}

/* A byte a term, up to half a MiB. */
static bool read_heads(struct segment *s, struct err *err)
{
    uint32_t step = HEAD_STEP;

    while (s->terms / step >= HEADS_MAX)
        step *= 2;
    uint64_t *heads = arena_alloc_raw(s->arena, ((size_t)s->terms / step + 1) * sizeof *heads);
    if (!heads)
        return err_arena(err, s->arena);
    for (uint32_t i = 0; i < s->terms; i += step) {
        struct term_entry entry = segment_term(s, i);

        heads[s->head_count++] = segment_head(segment_term_text(s, &entry));
        if (s->terms - i <= step)
            break;
    }
    s->heads = heads;
    s->head_step = step;
    return true;
}

static bool map_segment(const char *dir, struct segment *s, struct err *err)
{
    char path[SEGMENT_PATH_MAX];
    struct file *file CLEANUP(file_close) = NULL;
    int64_t size = 0;
    void *map = NULL;

    segment_path(path, dir, s->number);
    if (!file_open(path, FILE_READ, 0, &file, err) || !file_size(file, &size, err))
        return false;
    if (size <= 0)
        return damaged(err, s->number, "empty");
    if (!file_map(file, (size_t)size, false, &map, err))
        return false;
    s->map = map;
    s->bytes = (size_t)size;
    return true;
}

bool segment_open(const char *dir, uint64_t number, struct segment **out, struct err *err)
{
    struct arena *arena = arena_new(SEGMENT_ARENA);
    struct segment *s CLEANUP(segment_unmap) = arena ? arena_alloc(arena, sizeof *s) : NULL;

    if (!s) {
        arena_end(&arena);
        return err_no_room(err, "no memory to open an index segment");
    }
    s->arena = arena;
    s->number = number;
    if (!map_segment(dir, s, err) || !check(s, err) || !read_heads(s, err) || !read_keys(s, err))
        return err_wrap(err, "open index in \"%s\"", dir);
    segment_forget(s); /* entries and terms were read once */
    *out = s;
    s = NULL;
    return true;
}

void segment_forget(const struct segment *segment)
{
    file_forget(segment->map, 0, segment->bytes);
}

void segment_unmap(struct segment **segment)
{
    struct segment *s = *segment;

    if (!s)
        return;
    if (s->map)
        file_unmap(s->map, s->bytes);
    struct arena *arena = s->arena;
    arena_end(&arena);
    *segment = NULL;
}
