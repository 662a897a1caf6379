#include "knowledge/zip.h"

#include <string.h>
#include <zlib.h>

#define END_MARK     0x06054b50u
#define CENTRAL_MARK 0x02014b50u
#define LOCAL_MARK   0x04034b50u
#define END_BYTES    22u
#define CENTRAL_SIZE 46u
#define LOCAL_SIZE   30u
#define COMMENT_MAX  65535u
#define ZIP64_EXTRA  1u
#define STORED       0
#define DEFLATED     8
#define ENCRYPTED    1u

static uint32_t u16(struct str s, size_t at)
{
    return (uint32_t)(uint8_t)s.ptr[at] | (uint32_t)(uint8_t)s.ptr[at + 1] << 8;
}

static uint32_t u32(struct str s, size_t at)
{
    return u16(s, at) | u16(s, at + 2) << 16;
}

static uint64_t u64(struct str s, size_t at)
{
    return u32(s, at) | (uint64_t)u32(s, at + 4) << 32;
}

/* --- the directory ---------------------------------------------------------------------------- */

static bool find_end(struct str bytes, size_t *out)
{
    size_t least = bytes.len > END_BYTES + COMMENT_MAX ? bytes.len - END_BYTES - COMMENT_MAX : 0;

    for (size_t at = bytes.len < END_BYTES ? 0 : bytes.len - END_BYTES + 1; at-- > least;)
        if (u32(bytes, at) == END_MARK) {
            *out = at;
            return true;
        }
    return false;
}

static bool not_a_zip(struct str bytes, struct err *err)
{
    if (str_starts(bytes, STR("\xD0\xCF\x11\xE0")))
        return err_set(err, ERR_INVALID,
                       "encrypted with a password, or of the format before 2007: save it as a "
                       "new file without a password");
    return err_set(err, ERR_INVALID, "damaged: not a whole zip archive");
}

/* Sizes that do not fit stand in the extra field, in this order, as far as they do not fit. */
static bool read_zip64(struct str extra, struct zip_entry *e)
{
    uint64_t *const wanted[] = {&e->size, &e->packed, &e->offset};

    while (extra.len >= 4) {
        size_t len = u16(extra, 2), at = 4;

        if (len + 4 > extra.len)
            return false;
        for (size_t i = 0; u16(extra, 0) == ZIP64_EXTRA && i < ARRAY_LEN(wanted); i++) {
            if (*wanted[i] != UINT32_MAX)
                continue;
            if (at + 8 > len + 4)
                return false;
            *wanted[i] = u64(extra, at);
            at += 8;
        }
        extra = str_slice(extra, len + 4, extra.len);
    }
    return true;
}

static bool read_central(struct str bytes, size_t *at, struct zip_entry *out)
{
    struct str s = str_slice(bytes, *at, bytes.len);

    if (s.len < CENTRAL_SIZE || u32(s, 0) != CENTRAL_MARK)
        return false;
    size_t name = u16(s, 28), extra = u16(s, 30), whole = CENTRAL_SIZE + name + extra + u16(s, 32);
    if (whole > s.len)
        return false;
    *out = (struct zip_entry){.name = str_slice(s, CENTRAL_SIZE, CENTRAL_SIZE + name),
                              .flags = (uint16_t)u16(s, 8),
                              .method = (uint16_t)u16(s, 10),
                              .crc = u32(s, 16),
                              .packed = u32(s, 20),
                              .size = u32(s, 24),
                              .offset = u32(s, 42)};
    *at += whole;
    return read_zip64(str_slice(s, CENTRAL_SIZE + name, CENTRAL_SIZE + name + extra), out);
}

bool zip_open(struct zip *zip, struct arena *arena, struct str bytes, struct err *err)
{
    size_t end;

    *zip = (struct zip){.arena = arena, .bytes = bytes};
    if (!find_end(bytes, &end))
        return not_a_zip(bytes, err);
    size_t count = u16(bytes, end + 10), at = u32(bytes, end + 16);
    if (count > ZIP_ENTRIES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a zip archive of more than %u entries",
                       ZIP_ENTRIES_MAX);
    zip->entries = arena_array(arena, count + 1, sizeof *zip->entries);
    if (!zip->entries)
        return err_arena(err, arena);
    for (; zip->count < count; zip->count++)
        if (at > bytes.len || !read_central(bytes, &at, &zip->entries[zip->count]))
            return not_a_zip(bytes, err);
    return true;
}

const struct zip_entry *zip_find(const struct zip *zip, struct str name)
{
    if (str_starts(name, STR("/")))
        name = str_slice(name, 1, name.len);
    for (size_t i = 0; i < zip->count; i++) {
        struct str has = zip->entries[i].name;

        if (str_eq_nocase(str_starts(has, STR("/")) ? str_slice(has, 1, has.len) : has, name))
            return &zip->entries[i];
    }
    return NULL;
}

/* --- an entry --------------------------------------------------------------------------------- */

static void *take(void *arena, unsigned count, unsigned size)
{
    return arena_array(arena, count, size);
}

static void leave(void *arena, void *piece)
{
    (void)arena, (void)piece; /* goes with the arena */
}

static bool check_size(const struct zip *zip, const struct zip_entry *e, struct err *err)
{
    if (e->size > ZIP_ENTRY_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "\"" STR_FMT "\" in it is larger than %zu MiB",
                       STR_ARG(str_slice(e->name, 0, 80)), ZIP_ENTRY_BYTES_MAX / MIB);
    if (e->size > ZIP_TOTAL_BYTES_MAX - zip->unpacked)
        return err_set(err, ERR_TOO_LARGE, "it unpacks to more than %zu MiB",
                       ZIP_TOTAL_BYTES_MAX / MIB);
    if (e->size > ZIP_RATIO_FREE && e->size / ZIP_RATIO_MAX > e->packed)
        return err_set(err, ERR_TOO_LARGE,
                       "\"" STR_FMT
                       "\" in it unpacks to more than %u times its size, as a bomb does",
                       STR_ARG(str_slice(e->name, 0, 80)), ZIP_RATIO_MAX);
    return true;
}

/* The directory says where the local header is; that one's own lengths say where the data is. */
static bool find_data(const struct zip *zip, const struct zip_entry *e, struct str *out)
{
    struct str s = str_slice(zip->bytes, e->offset, zip->bytes.len);

    if (e->offset > zip->bytes.len || s.len < LOCAL_SIZE || u32(s, 0) != LOCAL_MARK)
        return false;
    size_t head = LOCAL_SIZE + u16(s, 26) + u16(s, 28);
    if (head > s.len || e->packed > s.len - head)
        return false;
    *out = str_slice(s, head, head + e->packed);
    return true;
}

/* Whole and exactly as long as the directory says. */
static bool unpack(struct arena *arena, struct str packed, char *to, size_t size)
{
    z_stream z = {.zalloc = take, .zfree = leave, .opaque = arena};
    char spare; /* zlib wants an address even for nothing */

    z.next_in = (Bytef *)(uintptr_t)packed.ptr;
    z.avail_in = (uInt)packed.len;
    z.next_out = (Bytef *)(size ? to : &spare);
    z.avail_out = (uInt)(size ? size : 1);
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return false;
    int status = inflate(&z, Z_FINISH);
    return status == Z_STREAM_END && z.total_out == size;
}

bool zip_read(struct zip *zip, const struct zip_entry *e, struct str *out, struct err *err)
{
    struct str name = str_slice(e->name, 0, 80), data;

    if (e->flags & ENCRYPTED)
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" in it is encrypted", STR_ARG(name));
    if (e->method != STORED && e->method != DEFLATED)
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" in it is packed by method %u",
                       STR_ARG(name), e->method);
    if (!check_size(zip, e, err))
        return false;
    char *to = arena_alloc_raw(zip->arena, e->size);
    if (!to)
        return err_arena(err, zip->arena);
    size_t mark = arena_mark(zip->arena);
    bool ok = find_data(zip, e, &data) && data.len <= UINT32_MAX;
    if (ok && e->method == STORED)
        ok = data.len == e->size && (memcpy(to, data.ptr, data.len), true);
    else
        ok = ok && unpack(zip->arena, data, to, e->size);
    arena_rewind(zip->arena, mark);
    if (!ok || (uint32_t)crc32_z(0, (const Bytef *)to, e->size) != e->crc)
        return err_set(err, ERR_INVALID, "damaged: \"" STR_FMT "\" in it cannot be unpacked",
                       STR_ARG(name));
    zip->unpacked += e->size;
    *out = (struct str){to, e->size};
    return true;
}
