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

/* ---- growing ---- */

static bool keep_tile(void *ctx, int level, uint64_t index, const struct sha256 *tile,
                      struct err *err)
{
    struct audit_tree *tree = ctx;

    return audit_runs_add(&tree->runs, level, index, tile, TILE_WIDTH, err);
}

/* With what is not in full tiles, so that proofs are made from files alone. */
bool tree_write(struct audit_tree *tree, bool settle, struct err *err)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct tree_part part = tree_part_of(tree->edge->size, level);

        if (part.width &&
            !audit_runs_add(&tree->runs, level, part.index, tree->edge->at[level], part.width, err))
            return false;
    }
    atomic_store(&tree->unsettled, !settle);
    return audit_runs_write(&tree->runs, settle, err);
}

static bool position(struct audit_tree *tree, struct err *err)
{
    if (tree->positioned)
        return true;
    audit_cursor_close(&tree->cursor);
    tree->positioned =
        audit_cursor_open(&tree->cursor, tree->arena, tree->dir, tree->edge->size + 1, err);
    return tree->positioned;
}

/* Into the table of its segment, which saves reading it once more when it is full. */
static void add_row(struct audit_tree *tree, struct str line)
{
    uint64_t before = tree->rows.first;

    if (before && before != tree->cursor.first && audit_rows_store(&tree->rows, tree->dir) &&
        tree->indexed == before)
        tree->indexed = tree->cursor.first;
    audit_rows_add(&tree->rows, &tree->cursor, line);
}

/* As it was hashed when the record was appended; else of what stands in the file. */
static struct sha256 leaf_of(struct audit_tree *tree, uint64_t seq, struct str line)
{
    if (seq - tree->leaves_first >= tree->leaves_count) {
        tree->leaves_first = seq;
        tree->leaves_count = audit_leaves(tree->audit, seq, ARRAY_LEN(tree->leaves), tree->leaves);
    }
    return tree->leaves_count ? tree->leaves[seq - tree->leaves_first] : merkle_leaf(line);
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
        leaf = leaf_of(tree, tree->edge->size + 1, line);
        if (!merkle_add(tree->edge, &leaf, keep_tile, tree, err))
            return false;
        add_row(tree, line);
        tree->positioned = true;
    }
    return true;
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

/* That of the checkpoint before, and of the first key at the beginning: keys come and go, and which of them are known
 * may change, but not the log. */
static struct str origin_of(const struct audit_tree *tree)
{
    struct str note = {tree->note, tree->note_len};

    return note.len ? str_slice(note, 0, str_find_char(note, '\n'))
                    : str_from(tree->keys[tree->key_count - 1].name);
}

/* By the key in use, and, when it is being replaced, by its successor too. */
void tree_make_note(const struct audit_tree *tree, const struct note_signer *next, wall_ms now,
                    struct buf *note)
{
    char text[NOTE_MAX / 2], key[NOTE_KEY_TEXT];
    const struct note_key *in_use = note_signer_key(tree->signer);
    struct checkpoint checkpoint = {.origin = origin_of(tree),
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

/* Written over the note before the last, which stands beside it: a new file, or one that is cut to nothing, costs
 * the file system more than the note. */
static bool write_over(struct file *file, struct str note, struct err *err)
{
    int64_t size;

    return file_size(file, &size, err) && file_write_at(file, 0, note.ptr, note.len, err) &&
           (size <= (int64_t)note.len || file_cut(file, (int64_t)note.len, err)) &&
           file_sync(file, err);
}

static NOINLINE bool store_note(const struct audit_tree *tree, struct str note, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    char path[AUDIT_PATH_MAX], beside[AUDIT_PATH_MAX];

    return tree_path(path, err, tree->dir, AUDIT_CHECKPOINT) &&
           tree_path(beside, err, tree->dir, AUDIT_CHECKPOINT ".new") &&
           file_open(beside, FILE_WRITE, 0600, &file, err) && write_over(file, note, err) &&
           file_swap(beside, path, err) && file_sync_dir(tree->dir, err);
}

bool tree_publish(struct audit_tree *tree, struct str note, struct err *err)
{
    if (!store_note(tree, note, err))
        return err_wrap(err, "write the checkpoint of the audit log");
    memcpy(tree->note, note.ptr, note.len);
    tree->note_len = note.len;
    tree->signed_size = tree->edge->size;
    atomic_store(&tree->done, tree->signed_size);
    return true;
}

bool tree_sign(struct audit_tree *tree, bool settle, struct err *err)
{
    wall_ms now = clock_wall();
    char note[NOTE_MAX];
    struct buf b;

    if (!tree_write(tree, settle, err))
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

/* What was signed before, whose leaves wait in memory. */
static bool tree_settle(struct audit_tree *tree, struct err *err)
{
    if (!audit_runs_write(&tree->runs, true, err))
        return false;
    atomic_store(&tree->unsettled, false);
    return true;
}

bool tree_advance(struct audit_tree *tree, bool settle, struct err *err)
{
    bool ok = (!tree->bodies || audit_bodies_sync(tree->bodies, err)) &&
              audit_sync(tree->audit, err) && tree_grow(tree, audit_synced_seq(tree->audit), err) &&
              (tree->edge->size == tree->signed_size ? !settle || tree_settle(tree, err)
                                                     : tree_sign(tree, settle, err));

    tree_nudge(tree);
    if (ok)
        index_finished(tree);
    return ok;
}

static bool advance(struct audit_tree *tree, bool settle, struct err *err)
{
    mutex_lock(&tree->lock);
    bool ok = tree_advance(tree, settle, err);
    mutex_unlock(&tree->lock);
    return ok || err_wrap(err, "audit tree");
}

bool audit_tree_advance(struct audit_tree *tree, struct err *err)
{
    return advance(tree, true, err);
}

/* ---- in the background ---- */

/* Leaves are not synced for each thousand of them: the loop does it, or many that wait. */
static void advance_unwatched(void *arg)
{
    struct audit_tree *tree = arg;
    struct err err = {0};

    atomic_store(&tree->queued, false);
    if (!advance(tree, false, &err))
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

        if (audit_last_seq(tree->audit) == atomic_load(&tree->done) &&
            !atomic_load(&tree->unsettled))
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

uint64_t audit_tree_settled(struct audit_tree *tree)
{
    mutex_lock(&tree->lock);
    uint64_t leaves = MIN_OF(tree->runs.at[0].first, tree->signed_size);
    mutex_unlock(&tree->lock);
    return leaves;
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
