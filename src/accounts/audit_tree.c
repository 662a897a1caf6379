#include "accounts/audit_tree.h"

#include <stdatomic.h>
#include <string.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"
#include "sys/pool.h"

#define ADVANCE_EVERY  SECOND
#define ADVANCE_AFTER  1000u /* records */
#define KEEP_EVERY_MS  ((wall_ms)60 * 60 * 1000)
#define OTHERS         077u
#define KEY_BYTES_MAX  ((size_t)1024)
#define KEYS_BYTES_MAX ((size_t)NOTE_KEYS_MAX * (NOTE_KEY_TEXT + 1))

struct audit_tree {
    struct arena *arena;
    struct audit *audit;
    const char *dir, *key_file, *public_file;
    struct pool *pool;
    atomic_bool queued; /* an advance that nobody waits for */

    struct mutex lock; /* over all below; held through an advance */
    struct note_signer *signer;
    struct note_key keys[NOTE_KEYS_MAX]; /* the one in use first */
    size_t key_count;
    struct merkle_edge *edge;
    struct audit_cursor cursor;
    bool positioned;   /* the cursor stands behind the edge's last leaf */
    uint64_t previous; /* size whose partial tiles are still there, beside those of `signed_size` */
    uint64_t signed_size;
    char note[NOTE_MAX]; /* the newest */
    size_t note_len;
    wall_ms kept; /* when a checkpoint was kept last */
};

/* ---- tiles ---- */

static bool tile_dir(char *path, struct err *err)
{
    char *slash = strrchr(path, '/');

    *slash = 0;

    bool ok = file_make_dir(path, 0700, err);

    *slash = '/';
    return ok;
}

/* Readers see a whole tile or none. A partial one is not synced: it can be made again. */
static bool write_beside(const char *path, struct str bytes, struct err *err)
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
           file_append(file, bytes.ptr, bytes.len, err) && file_rename(beside, path, err);
}

static bool write_tile(const char *dir, int level, uint64_t index, const struct sha256 *tile,
                       uint32_t width, struct err *err)
{
    struct str bytes = {(const char *)tile, (size_t)width * SHA256_BYTES};
    char path[AUDIT_PATH_MAX];
    struct buf b;

    buf_init_fixed(&b, path, sizeof path - sizeof ".new");
    if (!audit_tile_path(&b, dir, level, index, width))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    if (!tile_dir(path, err) || !(width == TILE_WIDTH ? file_store(path, bytes, 0600, err)
                                                      : write_beside(path, bytes, err)))
        return err_wrap(err, "write tile of the audit tree");
    return true;
}

static bool keep_tile(void *ctx, int level, uint64_t index, const struct sha256 *tile,
                      struct err *err)
{
    return write_tile(((struct audit_tree *)ctx)->dir, level, index, tile, TILE_WIDTH, err);
}

/* The part of the tree that is not in full tiles, as of `size`. */
struct part {
    uint64_t index;
    uint32_t width;
};

static struct part part_of(uint64_t size, int level)
{
    uint64_t width = size >> 8 * level;

    return (struct part){width / TILE_WIDTH, (uint32_t)(width % TILE_WIDTH)};
}

static bool write_parts(struct audit_tree *tree, struct err *err)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct part now = part_of(tree->edge->size, level);
        struct part was = part_of(tree->signed_size, level);

        if (now.width && (now.width != was.width || now.index != was.index) &&
            !write_tile(tree->dir, level, now.index, tree->edge->at[level], now.width, err))
            return false;
    }
    return true;
}

/* What only an older checkpoint needed. It is a matter of tidiness: failing is not an error. */
static void remove_parts(struct audit_tree *tree, uint64_t old)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct part was = part_of(old, level), now = part_of(tree->signed_size, level),
                    before = part_of(tree->previous, level);
        char path[AUDIT_PATH_MAX];
        struct err ignored = {0};
        struct buf b;

        if (!was.width || (was.index == now.index && was.width == now.width) ||
            (was.index == before.index && was.width == before.width))
            continue;
        buf_init_fixed(&b, path, sizeof path);
        if (!audit_tile_path(&b, tree->dir, level, was.index, was.width) ||
            !file_remove(path, &ignored))
            continue;
        if (was.index != now.index && was.index != before.index) {
            *strrchr(path, '/') = 0; /* the directory of a tile that is full now */
            (void)!file_remove(path, &ignored);
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

static bool grow(struct audit_tree *tree, uint64_t to, struct err *err)
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
    return true;
}

/* ---- checkpoints ---- */

static bool path_of(char to[AUDIT_PATH_MAX], struct err *err, const char *dir, const char *name)
{
    struct buf b;

    buf_init_fixed(&b, to, AUDIT_PATH_MAX - sizeof ".new");
    buf_fmt(&b, "%s/%s", dir, name);
    buf_char(&b, 0);
    return buf_ok(&b) || err_set(err, ERR_INVALID, "path of audit directory is too long");
}

/* By the key in use, and, when it is being replaced, by its successor too. */
static void make_note(const struct audit_tree *tree, const struct note_signer *next, wall_ms now,
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

static bool keep_note(struct audit_tree *tree, struct str note, const char *suffix, struct err *err)
{
    char path[AUDIT_PATH_MAX], name[64];
    struct buf b;

    buf_init_fixed(&b, name, sizeof name);
    buf_fmt(&b, AUDIT_CHECKPOINTS "/%0*" PRIu64 "%s", AUDIT_NAME_DIGITS, tree->edge->size, suffix);
    buf_char(&b, 0);
    if (!path_of(path, err, tree->dir, name) || !file_store(path, note, 0600, err))
        return err_wrap(err, "keep a checkpoint of the audit log");
    return true;
}

/* Whoever collects our log has noted it, too. */
static bool keep_sometimes(struct audit_tree *tree, struct str note, wall_ms now, struct err *err)
{
    struct str text = note, origin, size, root;

    if (now - tree->kept < KEEP_EVERY_MS && now >= tree->kept)
        return true;
    if (!keep_note(tree, note, "", err))
        return false;
    tree->kept = now;
    if (str_split(&text, '\n', &origin) && str_split(&text, '\n', &size) &&
        str_split(&text, '\n', &root))
        log_info("audit checkpoint: " STR_FMT " has " STR_FMT " records, root " STR_FMT,
                 STR_ARG(origin), STR_ARG(size), STR_ARG(root));
    return true;
}

static bool publish(struct audit_tree *tree, struct str note, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    uint64_t old = tree->previous;

    if (!path_of(path, err, tree->dir, AUDIT_CHECKPOINT) || !file_store(path, note, 0600, err))
        return err_wrap(err, "write the checkpoint of the audit log");
    memcpy(tree->note, note.ptr, note.len);
    tree->note_len = note.len;
    tree->previous = tree->signed_size;
    tree->signed_size = tree->edge->size;
    remove_parts(tree, old);
    return true;
}

static bool sign(struct audit_tree *tree, struct err *err)
{
    wall_ms now = clock_wall();
    char note[NOTE_MAX];
    struct buf b;

    if (!write_parts(tree, err))
        return false;
    buf_init_fixed(&b, note, sizeof note);
    make_note(tree, NULL, now, &b);
    return publish(tree, buf_view(&b), err) && keep_sometimes(tree, buf_view(&b), now, err);
}

static void nudged(void *ctx);

static bool advance_locked(struct audit_tree *tree, struct err *err)
{
    bool ok = audit_sync(tree->audit, err) && grow(tree, audit_synced_seq(tree->audit), err) &&
              (tree->edge->size == tree->signed_size || sign(tree, err));

    audit_nudge_at(tree->audit, tree->edge->size + ADVANCE_AFTER, nudged, tree);
    return ok;
}

bool audit_tree_advance(struct audit_tree *tree, struct err *err)
{
    mutex_lock(&tree->lock);
    bool ok = advance_locked(tree, err);
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

        if (!pool_run(tree->pool, run_advance, &job, &job.err))
            job.ok = false;
        if (!job.ok && !failing)
            log_error("the audit log is not synced and signed: %s", job.err.text);
        if (job.ok && failing)
            log_info("the audit log is synced and signed again");
        failing = !job.ok;
    }
}

/* ---- keys ---- */

static bool store_key(const struct note_signer *signer, const char *path, struct err *err)
{
    char text[KEY_BYTES_MAX];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    note_signer_text(signer, &b);
    ASSERT(buf_ok(&b));

    bool ok = file_store(path, buf_view(&b), 0600, err);

    bytes_wipe(text, sizeof text);
    return ok || err_wrap(err, "signing key");
}

static void put_keys(const struct audit_tree *tree, struct buf *to)
{
    char key[NOTE_KEY_TEXT];

    for (size_t i = 0; i < tree->key_count; i++) {
        buf_str(to, note_key_text(&tree->keys[i], key));
        buf_char(to, '\n');
    }
}

static bool store_keys(const struct audit_tree *tree, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * KEYS_BYTES_MAX);
    struct buf b;
    struct str text;

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory for public keys");
    buf_init(&b, arena, KEYS_BYTES_MAX);
    put_keys(tree, &b);
    return (buf_finish(&b, &text, err) && file_store(tree->public_file, text, 0644, err)) ||
           err_wrap(err, "public key of the audit log");
}

/* In front of the others. */
static bool add_key(struct audit_tree *tree, const struct note_key *key, struct err *err)
{
    if (tree->key_count == NOTE_KEYS_MAX)
        return err_set(err, ERR_TOO_LARGE, "the audit log has had %d keys, which is the most",
                       NOTE_KEYS_MAX);
    memmove(&tree->keys[1], &tree->keys[0], tree->key_count * sizeof tree->keys[0]);
    tree->keys[0] = *key;
    tree->key_count++;
    return true;
}

/* The key in use stands first, also when the process died between the two files. */
static bool settle_keys(struct audit_tree *tree, struct err *err)
{
    const struct note_key *in_use = note_signer_key(tree->signer);
    size_t at = 0;

    while (at < tree->key_count && memcmp(&tree->keys[at], in_use, sizeof *in_use) != 0)
        at++;
    if (at == 0 && tree->key_count)
        return true;
    if (at < tree->key_count) {
        memmove(&tree->keys[1], &tree->keys[0], at * sizeof tree->keys[0]);
        tree->keys[0] = *in_use;
    } else if (!add_key(tree, in_use, err)) {
        return false;
    }
    return store_keys(tree, err);
}

static bool read_signer(struct audit_tree *tree, const struct file_info *info, struct err *err)
{
    char text[KEY_BYTES_MAX];
    struct file *file CLEANUP(file_close) = NULL;
    size_t got = 0;

    if (info->mode & OTHERS)
        return err_set(err, ERR_DENIED, "may be read by others (mode %03o): chmod 600 it",
                       info->mode & 0777u);
    if (!file_open(tree->key_file, FILE_READ, 0, &file, err) ||
        !file_read_at(file, 0, text, sizeof text, &got, err))
        return false;

    bool ok = note_signer_read((struct str){text, got}, &tree->signer, err);

    bytes_wipe(text, sizeof text);
    return ok;
}

static bool open_keys(struct audit_tree *tree, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * KEYS_BYTES_MAX);
    struct file_info key, public;
    struct err missing = {0};
    struct str text;

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory for public keys");

    bool has_public = file_stat(tree->public_file, &public, &missing);

    if (has_public && (!file_load(arena, tree->public_file, KEYS_BYTES_MAX, &text, err) ||
                       !note_keys_read(text, tree->keys, &tree->key_count, err)))
        return err_wrap(err, "public keys of the audit log \"%s\"", tree->public_file);
    if (file_stat(tree->key_file, &key, &missing))
        return (read_signer(tree, &key, err) && settle_keys(tree, err)) ||
               err_wrap(err, "signing key \"%s\"", tree->key_file);
    if (missing.code != ERR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (has_public)
        return err_set(err, ERR_NOT_FOUND,
                       "signing key \"%s\" is missing: bring it back from a backup; without it, "
                       "move \"%s\" away, and checkpoints go on under a new key that no older one "
                       "vouches for",
                       tree->key_file, tree->public_file);
    return note_signer_new(&tree->signer, err) && store_key(tree->signer, tree->key_file, err) &&
           settle_keys(tree, err);
}

static bool replace_key(struct audit_tree *tree, struct note_signer *next, struct str note,
                        struct err *err)
{
    size_t count = tree->key_count;

    if (!keep_note(tree, note, "-key", err) || !add_key(tree, note_signer_key(next), err))
        return false;
    if (store_keys(tree, err) && store_key(next, tree->key_file, err))
        return true;
    memmove(&tree->keys[0], &tree->keys[1], count * sizeof tree->keys[0]);
    tree->key_count = count;
    return false;
}

bool audit_tree_rotate(struct audit_tree *tree, struct err *err)
{
    struct note_signer *next CLEANUP(note_signer_free) = NULL;
    char note[NOTE_MAX];
    struct buf b;

    if (!note_signer_new(&next, err))
        return false;
    buf_init_fixed(&b, note, sizeof note);
    mutex_lock(&tree->lock);

    bool ok = advance_locked(tree, err);

    if (ok) {
        make_note(tree, next, clock_wall(), &b);
        ok = replace_key(tree, next, buf_view(&b), err);
    }
    if (ok) {
        struct note_signer *old = tree->signer;

        tree->signer = next;
        next = old;
        ok = publish(tree, buf_view(&b), err);
    }
    mutex_unlock(&tree->lock);
    return ok || err_wrap(err, "replace the signing key of the audit log");
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

    buf_init(&b, arena, KEYS_BYTES_MAX);
    mutex_lock(&tree->lock);
    put_keys(tree, &b);
    mutex_unlock(&tree->lock);
    return buf_finish(&b, out, err);
}

/* ---- opening ---- */

static bool first_record(struct audit_tree *tree, uint64_t *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    uint64_t *firsts;
    size_t count;

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to open the audit tree");
    if (!audit_segments(arena, tree->dir, &firsts, &count, err))
        return false;
    *out = count ? firsts[0] : 1;
    return true;
}

/* Leaves of the tile that is not full: from the records, as far as they are kept, else from the tile. */
static bool load_leaves(struct audit_tree *tree, uint64_t size, uint64_t first, struct err *err)
{
    struct part part = part_of(size, 0);
    uint64_t from = MAX_OF(part.index * TILE_WIDTH + 1, first);
    struct str line;
    bool more = true;

    if (from > part.index * TILE_WIDTH + 1 && part.width &&
        !audit_tile_read(tree->dir, 0, part.index, part.width, tree->edge->at[0], err))
        return false;
    if (!audit_cursor_open(&tree->cursor, tree->arena, tree->dir, from, err))
        return false;
    for (uint64_t seq = from; seq <= size; seq++) {
        if (!audit_cursor_next(&tree->cursor, &line, &more, err) || !more)
            return more || err_set(err, ERR_INVALID, "record %" PRIu64 " is missing", seq);
        tree->edge->at[0][(seq - 1) % TILE_WIDTH] = merkle_leaf(line);
    }
    tree->positioned = true;
    return true;
}

/* The edge as of `size`: each level from the full tiles of the one below. */
static bool load_edge(struct audit_tree *tree, uint64_t size, uint64_t first, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct sha256 *tile = arena ? arena_array(arena, TILE_WIDTH, sizeof *tile) : NULL;

    if (!tile)
        return err_set(err, ERR_EXHAUSTED, "no memory to open the audit tree");
    for (int level = 1; level < TILE_LEVELS; level++) {
        struct part part = part_of(size, level);

        for (uint32_t i = 0; i < part.width; i++) {
            if (!audit_tile_read(tree->dir, level - 1, part.index * TILE_WIDTH + i, TILE_WIDTH,
                                 tile, err))
                return false;
            tree->edge->at[level][i] = merkle_fold(tile, TILE_WIDTH);
        }
    }
    if (!load_leaves(tree, size, first, err))
        return false;
    tree->edge->size = size;
    return true;
}

static bool rebuild(struct audit_tree *tree, uint64_t size, uint64_t first, const struct err *why,
                    struct err *err)
{
    if (first > 1)
        return err_set(err, ERR_INVALID,
                       "the tiles cannot be made again, because records 1 to %" PRIu64
                       " are not kept any more: bring \"%s/tile\" back from a backup (%s)",
                       first - 1, tree->dir, why->text);
    log_warn("the audit tree is made again from the records: %s", why->text);
    tree->edge->size = 0;
    tree->positioned = false;
    return grow(tree, size, err);
}

static bool fits(const struct audit_tree *tree, const struct checkpoint *checkpoint)
{
    struct sha256 root = merkle_root(tree->edge);

    return sha256_equal(&root, &checkpoint->root);
}

static bool load_signed(struct audit_tree *tree, const struct checkpoint *checkpoint,
                        uint64_t first, struct err *err)
{
    uint64_t last = audit_last_seq(tree->audit);
    struct err why = {0};

    if (checkpoint->size > last)
        return err_set(err, ERR_INVALID,
                       "the checkpoint signs %" PRIu64 " records, but the log ends at record "
                       "%" PRIu64 ": records are missing; bring the log back from a backup",
                       checkpoint->size, last);
    if (load_edge(tree, checkpoint->size, first, &why) && fits(tree, checkpoint))
        return true;
    if (!why.code)
        err_set(&why, ERR_INVALID, "the tiles do not give the root that was signed");
    if (!rebuild(tree, checkpoint->size, first, &why, err))
        return false;
    return fits(tree, checkpoint) ||
           err_set(err, ERR_INVALID,
                   "the records up to %" PRIu64 " do not give the root that was signed for them: "
                   "they were changed; `weir audit verify` says more",
                   checkpoint->size);
}

/* *some false: nothing was signed yet. */
static bool read_checkpoint(struct audit_tree *tree, struct checkpoint *out, bool *some,
                            struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    char path[AUDIT_PATH_MAX];
    struct str note, text;
    struct file_info info;
    struct err missing = {0};
    uint64_t by;

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to open the audit tree");
    if (!path_of(path, err, tree->dir, AUDIT_CHECKPOINT))
        return false;
    *some = file_stat(path, &info, &missing);
    if (!*some && missing.code != ERR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (!*some)
        return true;
    if (!file_load(arena, path, NOTE_MAX, &note, err) ||
        !note_open(note, tree->keys, tree->key_count, &text, &by, err))
        return err_wrap(err, "checkpoint \"%s\"", path);
    memcpy(tree->note, note.ptr, note.len);
    tree->note_len = note.len;
    tree->signed_size = 0;
    return checkpoint_read(str_slice((struct str){tree->note, tree->note_len}, 0, text.len), out,
                           err) ||
           err_wrap(err, "checkpoint \"%s\"", path);
}

static bool open_tree(struct audit_tree *tree, struct err *err)
{
    static const struct pool_options pool = {.name = "audit tree", .threads = 1, .queue_max = 16};
    char path[AUDIT_PATH_MAX];
    struct checkpoint checkpoint;
    uint64_t first;
    bool some;

    tree->pool = pool_new(&pool, err);
    if (!tree->pool || !open_keys(tree, err) || !path_of(path, err, tree->dir, AUDIT_CHECKPOINTS) ||
        !file_make_dir(path, 0700, err) || !first_record(tree, &first, err) ||
        !read_checkpoint(tree, &checkpoint, &some, err))
        return false;
    if (!some && first > 1)
        return err_set(err, ERR_INVALID,
                       "there is no checkpoint, and the records before %" PRIu64 " are not kept "
                       "any more: bring \"%s/checkpoint\" and \"%s/tile\" back from a backup",
                       first, tree->dir, tree->dir);
    if (some && !load_signed(tree, &checkpoint, first, err))
        return false;
    tree->signed_size = tree->previous = tree->edge->size;
    audit_nudge_at(tree->audit, tree->signed_size + ADVANCE_AFTER, nudged, tree);
    return true;
}

bool audit_tree_open(struct audit *audit, const struct audit_tree_options *options,
                     struct audit_tree **out, struct err *err)
{
    struct arena *arena = arena_new(256 * MIB);
    struct audit_tree *tree CLEANUP(audit_tree_close) =
        arena ? arena_alloc(arena, sizeof *tree) : NULL;

    if (!tree) {
        arena_end(&arena);
        return err_set(err, ERR_EXHAUSTED, "no memory for the audit tree");
    }
    tree->arena = arena;
    tree->audit = audit;
    tree->dir = audit_dir(audit);
    tree->key_file = arena_str(arena, str_from(options->key_file)).ptr;
    tree->public_file = arena_str(arena, str_from(options->public_file)).ptr;
    tree->edge = arena_alloc(arena, sizeof *tree->edge);
    mutex_init(&tree->lock);
    if (!tree->key_file || !tree->public_file || !tree->edge)
        return err_arena(err, arena);
    if (!open_tree(tree, err))
        return err_wrap(err, "audit tree");
    *out = tree;
    tree = NULL;
    return true;
}

void audit_tree_close(struct audit_tree **tree)
{
    struct audit_tree *t = *tree;

    if (!t)
        return;
    audit_nudge_at(t->audit, UINT64_MAX, NULL, NULL);
    pool_free(&t->pool);
    audit_cursor_close(&t->cursor);
    note_signer_free(&t->signer);
    mutex_done(&t->lock);
    *tree = NULL;

    struct arena *arena = t->arena;
    arena_end(&arena);
}
