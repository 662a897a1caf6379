/* accounts/audit_tiles.c: where tiles lie, and reading them. */
#include <string.h>

#include "accounts/audit_internal.h"
#include "accounts/audit_tree.h"
#include "sys/file.h"

/* C2SP tlog-tiles: the number in groups of three digits, an x before all but the last. */
static void put_index(struct buf *to, uint64_t index)
{
    uint64_t groups[8];
    size_t count = 0;

    do {
        ASSERT(count < ARRAY_LEN(groups));
        groups[count++] = index % 1000;
        index /= 1000;
    } while (index);
    while (count--)
        buf_fmt(to, "/%s%03" PRIu64, count ? "x" : "", groups[count]);
}

bool audit_tile_path(struct buf *to, const char *dir, int level, uint64_t index, uint32_t width)
{
    buf_fmt(to, "%s/tile/%d", dir, level);
    put_index(to, index);
    if (width < TILE_WIDTH)
        buf_fmt(to, ".p/%" PRIu32, width);
    buf_char(to, 0);
    return buf_ok(to);
}

bool audit_tile_read(const char *dir, int level, uint64_t index, uint32_t width,
                     struct sha256 out[TILE_WIDTH], struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct file *file CLEANUP(file_close) = NULL;
    size_t got = 0, want = (size_t)width * SHA256_BYTES;
    int64_t size;
    struct buf b;

    buf_init_fixed(&b, path, sizeof path);
    if (!audit_tile_path(&b, dir, level, index, width))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    if (!file_open(path, FILE_READ, 0, &file, err) || !file_size(file, &size, err))
        return err_wrap(err, "tile of the audit tree");
    if (size != (int64_t)want)
        return err_set(err, ERR_INVALID, "tile \"%s\" has %" PRId64 " bytes, not %zu",
                       path + strlen(dir) + 1, size, want);
    for (size_t have = 0; have < want; have += got)
        if (!file_read_at(file, (int64_t)have, (char *)out + have, want - have, &got, err) || !got)
            return err_wrap(err, "read tile of the audit tree");
    return true;
}

bool audit_tiles_read(void *ctx, int level, uint64_t index, uint32_t width,
                      const struct sha256 **tile, struct err *err)
{
    struct audit_tiles *tiles = ctx;

    if (tiles->level != level || tiles->index != index) {
        tiles->level = -1;
        if (!audit_tile_read(tiles->dir, level, index, width, tiles->tile, err))
            return false;
        tiles->level = level;
        tiles->index = index;
    }
    *tile = tiles->tile;
    return true;
}
