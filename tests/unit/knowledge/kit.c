#include "kit.h"

#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "test.h"

#define ARCHIVE_MAX ((size_t)64 * MIB)

static void put_16(struct buf *to, size_t n)
{
    buf_char(to, (char)n);
    buf_char(to, (char)(n >> 8));
}

static void put_32(struct buf *to, size_t n)
{
    put_16(to, n & 0xFFFF);
    put_16(to, n >> 16);
}

static struct str deflated(struct arena *arena, struct str s)
{
    z_stream z = {0};
    size_t room = s.len + 1000;
    char *to = arena_alloc_raw(arena, room);

    ASSERT(to && deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)s.ptr;
    z.avail_in = (uInt)s.len;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    struct str out = {to, z.total_out};
    deflateEnd(&z);
    return out;
}

/* What local header and directory have in common, from "version" on. */
static void put_head(struct buf *to, bool deflate, struct str whole, size_t packed, size_t name)
{
    put_16(to, 20);
    put_16(to, 0);
    put_16(to, deflate ? 8 : 0);
    put_32(to, 0);
    put_32(to, crc32_z(0, (const Bytef *)whole.ptr, whole.len));
    put_32(to, packed);
    put_32(to, whole.len);
    put_16(to, name);
    put_16(to, 0);
}

struct str kit_zip(struct arena *arena, const struct kit_part *parts, size_t count)
{
    struct buf b, directory;

    buf_init(&b, arena, ARCHIVE_MAX);
    buf_init(&directory, arena, MIB);
    for (size_t i = 0; i < count; i++) {
        struct str name = str_from(parts[i].name);
        struct str whole = parts[i].text ? str_from(parts[i].text) : parts[i].bytes;
        bool deflate = name.ptr[0] == '*';
        struct str packed = deflate ? deflated(arena, whole) : whole;
        size_t offset = b.len;

        name = str_slice(name, deflate, name.len);
        buf_str(&b, STR("PK\x03\x04"));
        put_head(&b, deflate, whole, packed.len, name.len);
        buf_str(&b, name);
        buf_str(&b, packed);
        buf_str(&directory, STR("PK\x01\x02"));
        put_16(&directory, 20);
        put_head(&directory, deflate, whole, packed.len, name.len);
        put_16(&directory, 0); /* comment */
        put_32(&directory, 0); /* disk, internal attributes */
        put_32(&directory, 0);
        put_32(&directory, offset);
        buf_str(&directory, name);
    }
    size_t at = b.len;
    buf_str(&b, buf_view(&directory));
    buf_str(&b, STR("PK\x05\x06"));
    put_32(&b, 0);
    put_16(&b, count);
    put_16(&b, count);
    put_32(&b, directory.len);
    put_32(&b, at);
    put_16(&b, 0);
    ASSERT(buf_ok(&b) && buf_ok(&directory));
    return buf_view(&b);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void put_block(struct buf *to, const struct block *b)
{
    static const char *const marks[] = {"#", "", "-", "|", "`"};

    for (int i = 0; i < (b->kind == BLOCK_HEADING || b->kind == BLOCK_ITEM ? b->level : 1); i++)
        buf_str(to, str_from(marks[b->kind]));
    if (marks[b->kind][0])
        buf_char(to, ' ');
    buf_str(to, b->text);
    if (b->place.page)
        buf_fmt(to, " (page %u)", b->place.page);
    if (b->place.label.len)
        buf_fmt(to, " [" STR_FMT "]", STR_ARG(b->place.label));
    buf_char(to, '\n');
}

static void put_document(struct buf *to, const struct document *d)
{
    for (size_t i = 0; i < d->count; i++)
        put_block(to, &d->blocks[i]);
}

struct str kit_document_lines(struct arena *arena, const struct document *d)
{
    struct buf b;

    buf_init(&b, arena, 16 * MIB);
    put_document(&b, d);
    return buf_view(&b);
}

/* The rendition goes through the pipe's bytes, as it does in life. */
static bool through_pipe(struct arena *arena, reader_fn *read, struct str bytes,
                         struct rendition *out, struct err *err)
{
    struct rendering *r = arena_alloc(arena, sizeof *r);
    struct rendition made;
    struct buf pipe;

    rendering_init(r, arena);
    if (!read(bytes, r, err) || !rendering_end(r, &made, err))
        return false;
    buf_init(&pipe, arena, 256 * MIB);
    rendition_write(&pipe, &made);
    return rendition_read(arena, buf_view(&pipe), out) ||
           err_set(err, ERR_INTERNAL, "the rendition does not read back");
}

struct str kit_lines(struct arena *arena, reader_fn *read, struct str bytes)
{
    struct rendition rendition;
    struct document d;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, 16 * MIB);
    if (!through_pipe(arena, read, bytes, &rendition, &err) ||
        !rendition_document(arena, &rendition, &d, &err)) {
        buf_fmt(&b, "error: %s", err.text);
        return buf_view(&b);
    }
    if (rendition.title.len)
        buf_fmt(&b, "= " STR_FMT "\n", STR_ARG(rendition.title));
    put_document(&b, &d);
    for (size_t i = 0; i < rendition.note_count; i++)
        buf_fmt(&b, "! " STR_FMT "\n", STR_ARG(rendition.notes[i]));
    return buf_view(&b);
}
