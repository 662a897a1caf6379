/* accounts/audit_tiles.c: where the hashes of the tree lie, and reading them. */
#include <string.h>

#include "accounts/audit_internal.h"
#include "accounts/audit_tree.h"
#include "sys/file.h"

bool audit_run_path(struct buf *to, const char *dir, int level, uint64_t hash)
{
    buf_fmt(to, "%s/" AUDIT_TREE "/%d/%0*" PRIu64, dir, level, AUDIT_NAME_DIGITS,
            hash / AUDIT_RUN_HASHES * AUDIT_RUN_HASHES);
    buf_char(to, 0);
    return buf_ok(to);
}

/* ---- as versions before had them: a file a tile ----
 * C2SP tlog-tiles: the number in groups of three digits, an x before all but the last. */

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

static bool tile_path(struct buf *to, const char *dir, int level, uint64_t index, uint32_t width)
{
    buf_fmt(to, "%s/" AUDIT_TILES "/%d", dir, level);
    put_index(to, index);
    if (width < TILE_WIDTH)
        buf_fmt(to, ".p/%" PRIu32, width);
    buf_char(to, 0);
    return buf_ok(to);
}

/* ---- reading ---- */

/* *there false: the file is not there, or not so long, or has a hole: tiles of before the first that this
 * version wrote. No SHA-256 is all zeros. */
static bool read_hashes(const char *path, int64_t at, struct sha256 *out, uint32_t width,
                        bool *there, struct err *err)
{
    static const struct sha256 hole;
    struct file *file CLEANUP(file_close) = NULL;
    size_t want = (size_t)width * sizeof *out, got = 1;
    struct err missing = {0};

    *there = false;
    if (!file_open(path, FILE_READ, 0, &file, &missing)) {
        if (missing.code == ERR_NOT_FOUND)
            return true;
        *err = missing;
        return false;
    }
    for (size_t have = 0; have < want; have += got) {
        if (!file_read_at(file, at + (int64_t)have, (char *)out + have, want - have, &got, err))
            return false;
        if (!got)
            return true;
    }
    *there = !sha256_equal(&out[0], &hole) && !sha256_equal(&out[width - 1], &hole);
    return true;
}

bool audit_tile_read(const char *dir, int level, uint64_t index, uint32_t width,
                     struct sha256 out[TILE_WIDTH], struct err *err)
{
    uint64_t first = index * TILE_WIDTH;
    char run[AUDIT_PATH_MAX], tile[AUDIT_PATH_MAX];
    bool there = false;
    struct buf b;

    ASSERT(width > 0 && width <= TILE_WIDTH);
    buf_init_fixed(&b, run, sizeof run);
    if (!audit_run_path(&b, dir, level, first))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    buf_init_fixed(&b, tile, sizeof tile);
    if (!tile_path(&b, dir, level, index, width))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    if (!read_hashes(run, (int64_t)(first % AUDIT_RUN_HASHES * sizeof *out), out, width, &there,
                     err) ||
        (!there && !read_hashes(tile, 0, out, width, &there, err)))
        return err_wrap(err, "tile of the audit tree");
    return there ||
           err_set(err, ERR_NOT_FOUND, "tile %d/%" PRIu64 " of the audit tree is not in \"%s\"",
                   level, index, run + strlen(dir) + 1);
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
