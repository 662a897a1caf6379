/* Records set after their segments were written:
 *   "WEIRREC1", count, (key length, record length, key, record) ..., CRC-32C of all before it
 * Numbers are 32 bits, little endian. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "index/lexical_internal.h"

#define MAGIC "WEIRREC1"

void records_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number)
{
    (void)snprintf(path, SEGMENT_PATH_MAX, "%s/%08" PRIu64 ".records", dir, number);
}

static bool take_number(struct str *rest, uint32_t *out)
{
    if (rest->len < sizeof *out)
        return false;
    memcpy(out, rest->ptr, sizeof *out);
    *rest = str_slice(*rest, sizeof *out, rest->len);
    return true;
}

static bool take(struct str *rest, uint32_t len, struct str *out)
{
    if (len > rest->len)
        return false;
    *out = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, rest->len);
    return true;
}

/* false with err as it was: the bytes make no sense. */
static bool parse(struct str bytes, struct arena *arena, struct table *out, struct err *err)
{
    struct str rest = bytes, seal = str_slice(bytes, bytes.len >= 4 ? bytes.len - 4 : 0, bytes.len);
    uint32_t crc, count;

    if (!str_starts(bytes, STR(MAGIC)) || !take_number(&seal, &crc) ||
        crc32c(0, bytes.ptr, bytes.len - 4) != crc)
        return false;
    rest = str_slice(bytes, sizeof MAGIC - 1, bytes.len - 4);
    if (!take_number(&rest, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct str *record = arena_alloc(arena, sizeof *record), key;
        uint32_t key_len, record_len;

        if (!record)
            return err_arena(err, arena);
        if (!take_number(&rest, &key_len) || !take_number(&rest, &record_len) ||
            !take(&rest, key_len, &key) || !take(&rest, record_len, record))
            return false;
        if (!table_put(out, key, record, NULL))
            return err_arena(err, arena);
    }
    return rest.len == 0;
}

bool records_load(const char *dir, uint64_t number, struct arena *arena, struct table *out,
                  struct err *err)
{
    char path[SEGMENT_PATH_MAX];
    struct err no_room = {0};
    struct str bytes;

    records_path(path, dir, number);
    if (!file_load(arena, path, 4 * RECORDS_BYTES_MAX, &bytes, err))
        return err_wrap(err, "open index in \"%s\"", dir);
    if (parse(bytes, arena, out, &no_room))
        return true;
    if (no_room.code != ERR_NONE) {
        *err = no_room;
        return err_wrap(err, "open index in \"%s\"", dir);
    }
    return err_set(err, ERR_UNAVAILABLE, "index records \"%s\" are damaged", path);
}

bool records_store(const char *dir, uint64_t number, const struct table *records, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * RECORDS_BYTES_MAX);
    char path[SEGMENT_PATH_MAX];
    uint32_t count = (uint32_t)records->count, crc;
    struct str key, bytes;
    struct buf b;
    void *value;

    if (!arena)
        return err_no_room(err, "no memory to write index records");
    buf_init(&b, arena, 4 * RECORDS_BYTES_MAX);
    buf_str(&b, STR(MAGIC));
    buf_put(&b, &count, sizeof count);
    for (size_t at = 0; table_next(records, &at, &key, &value);) {
        const struct str *record = value;
        uint32_t lengths[2] = {(uint32_t)key.len, (uint32_t)record->len};

        buf_put(&b, lengths, sizeof lengths);
        buf_str(&b, key);
        buf_str(&b, *record);
    }
    crc = crc32c(0, b.ptr, b.len);
    buf_put(&b, &crc, sizeof crc);
    records_path(path, dir, number);
    return buf_finish(&b, &bytes, err) && file_store(path, bytes, 0600, err);
}
