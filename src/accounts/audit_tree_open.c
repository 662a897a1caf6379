/* accounts/audit_tree_open.c: the signing key, and the tree as a start finds it. */
#include <string.h>

#include "accounts/audit_tree_internal.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/pool.h"

#define OTHERS        077u
#define KEY_BYTES_MAX ((size_t)1024)

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

static bool store_keys(const struct audit_tree *tree, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * TREE_KEYS_BYTES_MAX);
    struct buf b;
    struct str text;

    if (!arena)
        return err_no_room(err, "no memory for public keys");
    buf_init(&b, arena, TREE_KEYS_BYTES_MAX);
    tree_put_keys(tree, &b);
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
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * TREE_KEYS_BYTES_MAX);
    struct file_info key, public;
    struct err missing = {0};
    struct str text;

    if (!arena)
        return err_no_room(err, "no memory for public keys");

    bool has_public = file_stat(tree->public_file, &public, &missing);

    if (has_public && (!file_load(arena, tree->public_file, TREE_KEYS_BYTES_MAX, &text, err) ||
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
    char suffix[16];
    struct buf b;

    /* One of its own for each: two keys may come in turn with no record between. */
    buf_init_fixed(&b, suffix, sizeof suffix);
    buf_fmt(&b, "-key%02zu", count);
    buf_char(&b, 0);
    if (!tree_keep_note(tree, note, suffix, err) || !add_key(tree, note_signer_key(next), err))
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

    bool ok = tree_advance(tree, true, err);

    if (ok) {
        tree_make_note(tree, next, clock_wall(), &b);
        ok = replace_key(tree, next, buf_view(&b), err);
    }
    if (ok) {
        struct note_signer *old = tree->signer;

        tree->signer = next;
        next = old;
        ok = tree_publish(tree, buf_view(&b), err);
    }
    mutex_unlock(&tree->lock);
    return ok || err_wrap(err, "replace the signing key of the audit log");
}

/* ---- opening ---- */

static bool first_record(struct audit_tree *tree, uint64_t *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    uint64_t *firsts;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to open the audit tree");
    if (!audit_segments(arena, tree->dir, &firsts, &count, err))
        return false;
    *out = count ? firsts[0] : 1;
    return true;
}

/* Leaves of the tile that is not full: from the records, as far as they are kept, else from the tile. */
static bool load_leaves(struct audit_tree *tree, uint64_t size, uint64_t first, struct err *err)
{
    struct tree_part part = tree_part_of(size, 0);
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
        return err_no_room(err, "no memory to open the audit tree");
    for (int level = 1; level < TILE_LEVELS; level++) {
        struct tree_part part = tree_part_of(size, level);

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
                       " are not kept any more: bring \"%s/" AUDIT_TREE
                       "\" back from a backup (%s)",
                       first - 1, tree->dir, why->text);
    log_warn("the audit tree is made again from the records: %s", why->text);
    tree->edge->size = 0;
    tree->positioned = false;
    audit_runs_begin(&tree->runs, 0);
    return tree_grow(tree, size, err);
}

static bool fits(const struct audit_tree *tree, const struct checkpoint *checkpoint)
{
    struct sha256 root = merkle_root(tree->edge);

    return sha256_equal(&root, &checkpoint->root);
}

/* The last leaves may not have reached the disk: from the records again, as far as these are kept, which are
 * only removed when their leaves are sure. */
static bool go_on(struct audit_tree *tree, uint64_t size, uint64_t first, struct err *err)
{
    uint64_t sure = size / TILE_WIDTH * TILE_WIDTH,
             kept = (first - 1 + TILE_WIDTH - 1) / TILE_WIDTH * TILE_WIDTH;

    sure = MAX_OF(sure - MIN_OF(sure, (uint64_t)AUDIT_LEAVES_WAITING), kept);
    sure = MIN_OF(sure, size);
    if (!load_edge(tree, sure, first, err))
        return false;
    audit_runs_begin(&tree->runs, sure);
    return tree_grow(tree, size, err);
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
    if (first > checkpoint->size + 1)
        return err_set(err, ERR_INVALID,
                       "the checkpoint signs %" PRIu64 " records, but the log begins at record "
                       "%" PRIu64 ": records are missing; bring the log back from a backup",
                       checkpoint->size, first);
    if (go_on(tree, checkpoint->size, first, &why) && fits(tree, checkpoint))
        return tree_write(tree, true,
                          err); /* what is not in full tiles power loss may have taken */
    if (!why.code)
        err_set(&why, ERR_INVALID, "the tiles do not give the root that was signed");
    if (!rebuild(tree, checkpoint->size, first, &why, err))
        return false;
    if (fits(tree, checkpoint))
        return tree_write(tree, true, err);
    return err_set(err, ERR_INVALID,
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
        return err_no_room(err, "no memory to open the audit tree");
    if (!tree_path(path, err, tree->dir, AUDIT_CHECKPOINT))
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

/* When the newest of those that are kept was written: a restart is no reason to keep another. */
static bool find_kept(struct audit_tree *tree, const char *dir, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    char path[AUDIT_PATH_MAX], name[64];
    struct file_info info;
    struct str *names;
    size_t count;
    struct buf b;

    if (!arena)
        return err_no_room(err, "no memory to open the audit tree");
    if (!file_list(arena, dir, AUDIT_FILES_MAX, &names, &count, err))
        return false;
    if (!count || names[count - 1].len >= sizeof name)
        return true;
    buf_init_fixed(&b, name, sizeof name);
    buf_str(&b, names[count - 1]);
    buf_char(&b, 0);
    if (!tree_path(path, err, dir, name) || !file_stat(path, &info, err))
        return false;
    tree->kept = info.changed;
    return true;
}

/* From here on there always is a checkpoint: one that is missing was taken away. */
static bool begin(struct audit_tree *tree, struct err *err)
{
    return audit_sync(tree->audit, err) && tree_grow(tree, audit_synced_seq(tree->audit), err) &&
           tree_sign(tree, true, err);
}

static bool open_tree(struct audit_tree *tree, struct err *err)
{
    static const struct pool_options pool = {.name = "audit tree", .threads = 1, .queue_max = 16};
    char path[AUDIT_PATH_MAX];
    struct checkpoint checkpoint;
    uint64_t first = 0;
    bool some = false;

    tree->pool = pool_new(&pool, err);
    if (!tree->pool || !open_keys(tree, err) ||
        !tree_path(path, err, tree->dir, AUDIT_CHECKPOINTS) || !file_make_dir(path, 0700, err) ||
        !find_kept(tree, path, err) || !first_record(tree, &first, err) ||
        !read_checkpoint(tree, &checkpoint, &some, err))
        return false;
    if (!some && first > 1)
        return err_set(err, ERR_INVALID,
                       "there is no checkpoint, and the records before %" PRIu64 " are not kept "
                       "any more: bring \"%s/checkpoint\" and \"%s/" AUDIT_TREE
                       "\" back from a backup",
                       first, tree->dir, tree->dir);
    if (some && !load_signed(tree, &checkpoint, first, err))
        return false;
    tree->signed_size = tree->edge->size;
    atomic_store(&tree->done, tree->signed_size);
    tree_nudge(tree);
    return some || begin(tree, err);
}

bool audit_tree_open(struct audit *audit, const struct audit_tree_options *options,
                     struct audit_tree **out, struct err *err)
{
    struct arena *arena = arena_new(256 * MIB);
    struct audit_tree *tree CLEANUP(audit_tree_close) =
        arena ? arena_alloc(arena, sizeof *tree) : NULL;

    if (!tree) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the audit tree");
    }
    tree->arena = arena;
    tree->audit = audit;
    tree->bodies = options->bodies;
    tree->dir = audit_dir(audit);
    tree->key_file = arena_str(arena, str_from(options->key_file)).ptr;
    tree->public_file = arena_str(arena, str_from(options->public_file)).ptr;
    tree->edge = arena_alloc(arena, sizeof *tree->edge);
    mutex_init(&tree->lock);
    if (!tree->key_file || !tree->public_file || !tree->edge)
        return err_arena(err, arena);
    if (!audit_runs_init(&tree->runs, arena, tree->dir, err))
        return err_wrap(err, "audit tree");
    if (!open_tree(tree, err))
        return err_wrap(err, "audit tree");
    *out = tree;
    tree = NULL;
    return true;
}

void audit_tree_close(struct audit_tree **tree)
{
    struct audit_tree *t = *tree;
    struct err err = {0};

    if (!t)
        return;
    audit_nudge_at(t->audit, UINT64_MAX, NULL, NULL);
    pool_free(&t->pool);
    audit_cursor_close(&t->cursor);
    if (!audit_runs_write(&t->runs, true, &err))
        log_debug("%s", err.text); /* a start makes sure of it */
    audit_runs_done(&t->runs);
    audit_rows_drop(&t->rows);
    note_signer_free(&t->signer);
    mutex_done(&t->lock);
    *tree = NULL;

    struct arena *arena = t->arena;
    arena_end(&arena);
}
