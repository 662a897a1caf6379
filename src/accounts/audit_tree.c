#include "accounts/audit_tree_internal.h"

#include <string.h>

#include "accounts/audit_body.h"
#include "accounts/audit_query.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/pool.h"

#define ADVANCE_EVERY SECOND
#define ADVANCE_AFTER 1000u /* records */
#define KEEP_EVERY_MS ((wall_ms)60 * 60 * 1000)

/* ---- tiles ---- */

static bool make_tile_dir(char *path, struct err *err)
{
    char *slash = strrchr(path, '/');

    *slash = 0;

    bool ok = file_make_dir(path, 0700, err);

    *slash = '/';
    return ok;
}

/* Readers see a whole tile or none. Not synced it can be lost, and is made again. */
static bool write_beside(const char *path, struct str bytes, bool sync, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    char beside[AUDIT_PATH_MAX];
    struct buf b;

    buf_init_fixed(&b, beside, sizeof beside);
    buf_fmt(&b, "%s.new", path);
    buf_char(&b, 0);
    if (!buf_ok(&b))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    return file_open(beside, FILE_REPLACE, 0600, &file, err) &&
           file_append(file, bytes.ptr, bytes.len, err) && (!sync || file_sync(file, err)) &&
           file_rename(beside, path, err);
}

/* Its directory is there, but for the first tile in it. A full tile is synced; its name is with its
 * directory, by tree_grow(). */
static bool write_tile(const char *dir, int level, uint64_t index, const struct sha256 *tile,
                       uint32_t width, char path[AUDIT_PATH_MAX], struct err *err)
{
    struct str bytes = {(const char *)tile, (size_t)width * SHA256_BYTES};
    bool full = width == TILE_WIDTH, ok;
    struct err missing = {0};
    struct buf b;

    buf_init_fixed(&b, path, AUDIT_PATH_MAX - sizeof ".new");
    if (!audit_tile_path(&b, dir, level, index, width))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    ok = write_beside(path, bytes, full, &missing);
    if (!ok && missing.code == ERR_NOT_FOUND)
        ok = make_tile_dir(path, err) && write_beside(path, bytes, full, err);
    else if (!ok)
        *err = missing;
    return ok || err_wrap(err, "write tile of the audit tree");
}

/* Names of full tiles: one sync for all of a directory. */
static bool sync_names(struct audit_tree *tree, struct err *err)
{
    if (tree->names[0] && !file_sync_dir(tree->names, err))
        return err_wrap(err, "write tile of the audit tree");
    tree->names[0] = 0;
    return true;
}

static bool keep_tile(void *ctx, int level, uint64_t index, const struct sha256 *tile,
                      struct err *err)
{
    struct audit_tree *tree = ctx;
    char path[AUDIT_PATH_MAX];

    if (!write_tile(tree->dir, level, index, tile, TILE_WIDTH, path, err))
        return false;
    *strrchr(path, '/') = 0;
    if (strcmp(tree->names, path) != 0 && !sync_names(tree, err))
        return false;
    memcpy(tree->names, path, strlen(path) + 1);
    return true;
}

/* ---- parts come and go with each checkpoint ----
 * Their files and directories are used again: new ones, many a second, cost a file system more than all
 * else here, above all one that does not give inodes out again at once. */

static bool spare_path(const struct audit_tree *tree, uint32_t number, char path[AUDIT_PATH_MAX])
{
    struct buf b;

    buf_init_fixed(&b, path, AUDIT_PATH_MAX);
    buf_fmt(&b, "%s/tile/spare.%" PRIu32, tree->dir, number);
    buf_char(&b, 0);
    return buf_ok(&b);
}

#define SPARE_DIR SPARES_MAX /* behind the numbers of files */

/* Where a part is to be written. Without a spare file it is a new one. */
static NOINLINE void use_spare_file(struct audit_tree *tree, int level, struct tree_part part)
{
    char spare[AUDIT_PATH_MAX], path[AUDIT_PATH_MAX];
    struct err ignored = {0};
    struct buf b;

    buf_init_fixed(&b, path, sizeof path - sizeof ".new");
    if (!tree->spares || !spare_path(tree, tree->spares - 1, spare) ||
        !audit_tile_path(&b, tree->dir, level, part.index, part.width))
        return;
    memcpy(path + b.len - 1, ".new", sizeof ".new");
    if (file_rename(spare, path, &ignored))
        tree->spares--;
}

static NOINLINE void use_spare_dir(struct audit_tree *tree, int level, struct tree_part part)
{
    char spare[AUDIT_PATH_MAX], path[AUDIT_PATH_MAX];
    struct err ignored = {0};
    struct buf b;

    buf_init_fixed(&b, path, sizeof path);
    if (!tree->spare_dir || !spare_path(tree, SPARE_DIR, spare) ||
        !audit_tile_path(&b, tree->dir, level, part.index, part.width))
        return;
    *strrchr(path, '/') = 0;
    if (file_rename(spare, path, &ignored))
        tree->spare_dir = false;
}

static NOINLINE bool drop_part(struct audit_tree *tree, const char *path)
{
    char spare[AUDIT_PATH_MAX];
    struct err ignored = {0};

    if (tree->spares < SPARES_MAX && spare_path(tree, tree->spares, spare) &&
        file_rename(path, spare, &ignored)) {
        tree->spares++;
        return true;
    }
    return file_remove(path, &ignored);
}

static bool is_empty(struct audit_tree *tree, const char *dir)
{
    size_t mark = arena_mark(tree->arena), count = 1;
    struct err ignored = {0};
    struct str *names;
    bool empty = file_list(tree->arena, dir, 1, &names, &count, &ignored) && count == 0;

    arena_rewind(tree->arena, mark);
    return empty;
}

/* Of a tile that is full now. With something in it that a crash left it would make a part elsewhere. */
static NOINLINE void drop_dir(struct audit_tree *tree, const char *path)
{
    char spare[AUDIT_PATH_MAX];
    struct err ignored = {0};

    if (!tree->spare_dir && spare_path(tree, SPARE_DIR, spare) && is_empty(tree, path) &&
        file_rename(path, spare, &ignored))
        tree->spare_dir = true;
    else
        (void)!file_remove(path, &ignored);
}

static bool write_parts(struct audit_tree *tree, struct err *err)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct tree_part now = tree_part_of(tree->edge->size, level);
        struct tree_part was = tree_part_of(tree->signed_size, level);
        char path[AUDIT_PATH_MAX];

        if (!now.width || (now.width == was.width && now.index == was.index))
            continue;
        if (!was.width || now.index != was.index)
            use_spare_dir(tree, level, now);
        use_spare_file(tree, level, now);
        if (!write_tile(tree->dir, level, now.index, tree->edge->at[level], now.width, path, err))
            return false;
    }
    return true;
}

/* What only an older checkpoint needed. It is a matter of tidiness: failing is not an error. */
static void remove_parts(struct audit_tree *tree, uint64_t old)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct tree_part was = tree_part_of(old, level),
                         now = tree_part_of(tree->signed_size, level),
                         before = tree_part_of(tree->previous, level);
        char path[AUDIT_PATH_MAX];
        struct buf b;

        if (!was.width || (was.index == now.index && was.width == now.width) ||
            (was.index == before.index && was.width == before.width))
            continue;
        buf_init_fixed(&b, path, sizeof path);
        if (!audit_tile_path(&b, tree->dir, level, was.index, was.width) || !drop_part(tree, path))
            continue;
        if (was.index != now.index && was.index != before.index) {
            *strrchr(path, '/') = 0;
            drop_dir(tree, path);
        }
    }
}

/* ---- growing ---- */

static bool position(struct audit_tree *tree, struct err *err)
{
    if (tree->positioned)
        return true;
    audit_cursor_close(&tree->cursor);
    tree->positioned =
        audit_cursor_open(&tree->cursor, tree->arena, tree->dir, tree->edge->size + 1, err);
    return tree->positioned;
}

bool tree_grow(struct audit_tree *tree, uint64_t to, struct err *err)
{
    struct str line;
    bool more = true;

    if (tree->edge->size >= to)
        return true;
    if (!position(tree, err))
        return false;
    while (tree->edge->size < to) {
        struct sha256 leaf;

        tree->positioned = false; /* unless all of it goes well */
        if (!audit_cursor_next(&tree->cursor, &line, &more, err))
            return false;
        if (!more)
            return err_set(err, ERR_INTERNAL, "audit record %" PRIu64 " cannot be read",
                           tree->edge->size + 1);
        leaf = merkle_leaf(line);
        if (!merkle_add(tree->edge, &leaf, keep_tile, tree, err))
            return false;
        tree->positioned = true;
    }
    return sync_names(tree, err);
}

/* ---- checkpoints ---- */

bool tree_path(char to[AUDIT_PATH_MAX], struct err *err, const char *dir, const char *name)
{
    struct buf b;

    buf_init_fixed(&b, to, AUDIT_PATH_MAX - sizeof ".new");
    buf_fmt(&b, "%s/%s", dir, name);
    buf_char(&b, 0);
    return buf_ok(&b) || err_set(err, ERR_INVALID, "path of audit directory is too long");
}

/* By the key in use, and, when it is being replaced, by its successor too. */
void tree_make_note(const struct audit_tree *tree, const struct note_signer *next, wall_ms now,
                    struct buf *note)
{
    char text[NOTE_MAX / 2], key[NOTE_KEY_TEXT];
    const struct note_key *in_use = note_signer_key(tree->signer);
    struct checkpoint checkpoint = {.origin = str_from(tree->keys[tree->key_count - 1].name),
                                    .size = tree->edge->size,
                                    .root = merkle_root(tree->edge),
                                    .time = now};
    struct buf b;

    ASSERT(memcmp(in_use->bytes, tree->keys[0].bytes, sizeof in_use->bytes) == 0);
    if (next)
        checkpoint.next_key = note_key_text(note_signer_key(next), key);
    buf_init_fixed(&b, text, sizeof text);
    checkpoint_write(&checkpoint, &b);
    ASSERT(buf_ok(&b));
    buf_str(note, buf_view(&b));
    buf_char(note, '\n');
    note_sign(tree->signer, buf_view(&b), note);
    if (next)
        note_sign(next, buf_view(&b), note);
    ASSERT(buf_ok(note));
}

bool tree_keep_note(struct audit_tree *tree, struct str note, const char *suffix, struct err *err)
{
    char path[AUDIT_PATH_MAX], name[64];
    struct buf b;

    buf_init_fixed(&b, name, sizeof name);
    buf_fmt(&b, AUDIT_CHECKPOINTS "/%0*" PRIu64 "%s", AUDIT_NAME_DIGITS, tree->edge->size, suffix);
    buf_char(&b, 0);
    if (!tree_path(path, err, tree->dir, name) || !file_store(path, note, 0600, err))
        return err_wrap(err, "keep a checkpoint of the audit log");
    return true;
}

/* Whoever collects our log has noted it, too. */
static bool keep_sometimes(struct audit_tree *tree, struct str note, wall_ms now, struct err *err)
{
    struct str text = note, origin, size, root;

    if (now - tree->kept < KEEP_EVERY_MS && now >= tree->kept)
        return true;
    if (!tree_keep_note(tree, note, "", err))
        return false;
    tree->kept = now;
    if (str_split(&text, '\n', &origin) && str_split(&text, '\n', &size) &&
        str_split(&text, '\n', &root))
        log_info("audit checkpoint: " STR_FMT " has " STR_FMT " records, root " STR_FMT,
                 STR_ARG(origin), STR_ARG(size), STR_ARG(root));
    return true;
}

/* The one before stands beside it afterwards, to be written over. */
static NOINLINE bool store_note(const struct audit_tree *tree, struct str note, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    char path[AUDIT_PATH_MAX], beside[AUDIT_PATH_MAX];

    return tree_path(path, err, tree->dir, AUDIT_CHECKPOINT) &&
           tree_path(beside, err, tree->dir, AUDIT_CHECKPOINT ".new") &&
           file_open(beside, FILE_REPLACE, 0600, &file, err) &&
           file_append(file, note.ptr, note.len, err) && file_sync(file, err) &&
           file_swap(beside, path, err) && file_sync_dir(tree->dir, err);
}

bool tree_publish(struct audit_tree *tree, struct str note, struct err *err)
{
    uint64_t old = tree->previous;

    if (!store_note(tree, note, err))
        return err_wrap(err, "write the checkpoint of the audit log");
    memcpy(tree->note, note.ptr, note.len);
    tree->note_len = note.len;
    tree->previous = tree->signed_size;
    tree->signed_size = tree->edge->size;
    atomic_store(&tree->done, tree->signed_size);
    remove_parts(tree, old);
    return true;
}

bool tree_sign(struct audit_tree *tree, struct err *err)
{
    wall_ms now = clock_wall();
    char note[NOTE_MAX];
    struct buf b;

    if (!write_parts(tree, err))
        return false;
    buf_init_fixed(&b, note, sizeof note);
    tree_make_note(tree, NULL, now, &b);
    return tree_publish(tree, buf_view(&b), err) && keep_sometimes(tree, buf_view(&b), now, err);
}

/* Queries do without, more slowly: failing is not an error of the log. */
static void index_finished(struct audit_tree *tree)
{
    struct err err = {0};

    if (!tree->cursor.file || tree->cursor.first == tree->indexed)
        return;
    if (audit_index_missing(tree->dir, tree->cursor.first, &err))
        tree->indexed = tree->cursor.first;
    else
        log_debug("%s", err.text);
}

bool tree_advance(struct audit_tree *tree, struct err *err)
{
    bool ok = (!tree->bodies || audit_bodies_sync(tree->bodies, err)) &&
              audit_sync(tree->audit, err) && tree_grow(tree, audit_synced_seq(tree->audit), err) &&
              (tree->edge->size == tree->signed_size || tree_sign(tree, err));

    tree_nudge(tree);
    if (ok)
        index_finished(tree);
    return ok;
}

bool audit_tree_advance(struct audit_tree *tree, struct err *err)
{
    mutex_lock(&tree->lock);
    bool ok = tree_advance(tree, err);
    mutex_unlock(&tree->lock);
    return ok || err_wrap(err, "audit tree");
}

/* ---- in the background ---- */

static void advance_unwatched(void *arg)
{
    struct audit_tree *tree = arg;
    struct err err = {0};

    atomic_store(&tree->queued, false);
    if (!audit_tree_advance(tree, &err))
        log_debug("%s", err.text); /* the loop says it, and when it is over */
}

/* From an append: so many records are not signed for yet. */
static void nudged(void *ctx)
{
    struct audit_tree *tree = ctx;
    struct err ignored = {0};

    if (!atomic_exchange(&tree->queued, true) &&
        !pool_submit(tree->pool, advance_unwatched, tree, &ignored))
        atomic_store(&tree->queued, false); /* the loop will do it */
}

void tree_nudge(struct audit_tree *tree)
{
    audit_nudge_at(tree->audit, tree->edge->size + ADVANCE_AFTER, nudged, tree);
}

struct advance_job {
    struct audit_tree *tree;
    struct err err;
    bool ok;
};

static void run_advance(void *arg)
{
    struct advance_job *job = arg;

    job->ok = audit_tree_advance(job->tree, &job->err);
}

void audit_tree_loop(void *arg)
{
    struct audit_tree *tree = arg;
    struct err over = {0};
    bool failing = false;

    while (fiber_sleep(ADVANCE_EVERY, &over)) {
        struct advance_job job = {.tree = tree};

        if (audit_last_seq(tree->audit) == atomic_load(&tree->done))
            continue;
        if (!pool_run(tree->pool, run_advance, &job, &job.err))
            job.ok = false;
        if (!job.ok && !failing)
            log_error("the audit log is not synced and signed: %s", job.err.text);
        if (job.ok && failing)
            log_info("the audit log is synced and signed again");
        failing = !job.ok;
    }
}

/* ---- for others ---- */

void tree_put_keys(const struct audit_tree *tree, struct buf *to)
{
    char key[NOTE_KEY_TEXT];

    for (size_t i = 0; i < tree->key_count; i++) {
        buf_str(to, note_key_text(&tree->keys[i], key));
        buf_char(to, '\n');
    }
}

bool audit_tree_note(struct audit_tree *tree, struct arena *arena, struct str *out, struct err *err)
{
    mutex_lock(&tree->lock);
    *out = arena_str(arena, (struct str){tree->note, tree->note_len});
    mutex_unlock(&tree->lock);
    return out->ptr || err_arena(err, arena);
}

uint64_t audit_tree_size(struct audit_tree *tree)
{
    mutex_lock(&tree->lock);
    uint64_t size = tree->signed_size;
    mutex_unlock(&tree->lock);
    return size;
}

bool audit_tree_keys(struct audit_tree *tree, struct arena *arena, struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, arena, TREE_KEYS_BYTES_MAX);
    mutex_lock(&tree->lock);
    tree_put_keys(tree, &b);
    mutex_unlock(&tree->lock);
    return buf_finish(&b, out, err);
}
