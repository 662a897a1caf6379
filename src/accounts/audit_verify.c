/* accounts/audit_verify.c: the log, its tiles and its checkpoints, each against the others. The tree is
 * computed once more, from the records and, where they are not kept any more, from their hashes. */
#include <stdlib.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_proof.h"
#include "base/log.h"
#include "sys/file.h"

#define CHECKPOINTS_MAX 100000u
#define REMOVAL \
    STR(",\"note\":\"records ") /* as audit_keep.c writes it: no text of others stands so in a line */

/* A root that somebody signed. */
struct claim {
    struct str name;
    uint64_t size;
    struct sha256 root;
    wall_ms time;
};

struct check {
    struct arena *arena;
    const char *dir;
    struct audit_trust *trust;
    struct claim *claims; /* by size */
    size_t claim_count, next;
    uint64_t passed_over;
    struct claim newest;
    struct merkle_edge *edge;
    struct sha256 *tile; /* TILE_WIDTH, as the file has it */
    bool has_tiles;
    uint64_t pruned;  /* records that are not there, from the first on */
    uint64_t removed; /* up to here a record that is signed for says so */
};

/* ---- checkpoints ---- */

static bool add_claim(struct check *check, struct str name, struct str note, struct claim *out,
                      struct err *err)
{
    struct checkpoint checkpoint;
    struct note_key next;
    struct str text;
    uint64_t by;

    if (!note_open(note, check->trust->keys, check->trust->count, &text, &by, err) ||
        !checkpoint_read(text, &checkpoint, err))
        return err_wrap(err, "checkpoint \"" STR_FMT "\"", STR_ARG(name));
    if (checkpoint.next_key.len && check->trust->count < NOTE_KEYS_MAX &&
        note_key_read(checkpoint.next_key, &next, err))
        check->trust->keys[check->trust->count++] = next;
    *out = (struct claim){name, checkpoint.size, checkpoint.root, checkpoint.time};
    check->claims[check->claim_count++] = *out;
    return true;
}

static bool load_note(struct check *check, const char *name, struct str *out, struct err *err)
{
    struct str path = arena_fmt(check->arena, "%s/%s", check->dir, name);

    return path.ptr ? file_load(check->arena, path.ptr, NOTE_MAX, out, err)
                    : err_arena(err, check->arena);
}

/* In the order of their names, which is that of their sizes: a key's successor is known before it signs. Those of keys
 * that are not trusted, as former ones may not be, say nothing. */
static bool kept_claims(struct check *check, const struct str *names, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct str name = arena_fmt(check->arena, AUDIT_CHECKPOINTS "/" STR_FMT, STR_ARG(names[i]));
        struct err why = {0};
        struct claim claim;
        struct str note;

        if (str_ends(names[i], STR(".new"))) /* was being written when the process died */
            continue;
        if (!name.ptr)
            return err_arena(err, check->arena);
        if (!load_note(check, name.ptr, &note, err))
            return false;
        if (add_claim(check, name, note, &claim, &why))
            continue;
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        check->passed_over++;
    }
    return true;
}

static bool list_kept(struct check *check, struct str **names, size_t *count, struct err *err)
{
    struct str path = arena_fmt(check->arena, "%s/" AUDIT_CHECKPOINTS, check->dir);
    struct file_info info;
    struct err missing = {0};

    *count = 0;
    if (!path.ptr)
        return err_arena(err, check->arena);
    if (!file_stat(path.ptr, &info, &missing) && missing.code == ERR_NOT_FOUND)
        return true;
    return file_list(check->arena, path.ptr, CHECKPOINTS_MAX, names, count, err);
}

static int by_size(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;

    return x->size < y->size ? -1 : x->size > y->size;
}

static bool load_claims(struct check *check, const struct audit_noted *noted, size_t noted_count,
                        struct err *err)
{
    struct str *names = NULL, note;
    size_t count;

    if (!list_kept(check, &names, &count, err))
        return false;
    check->claims = arena_array(check->arena, count + noted_count + 1, sizeof *check->claims);
    if (!check->claims)
        return err_arena(err, check->arena);
    if (!kept_claims(check, names, count, err))
        return false;
    for (size_t i = 0; i < noted_count; i++) {
        struct claim claim;

        if (!add_claim(check, noted[i].name, noted[i].note, &claim, err))
            return false;
    }

    struct err missing = {0};

    if (!load_note(check, AUDIT_CHECKPOINT, &note, &missing))
        return missing.code == ERR_NOT_FOUND
                   ? err_set(err, ERR_INVALID,
                             "there is no checkpoint: nothing was signed yet, or it was taken away")
                   : err_set(err, missing.code, "%s", missing.text);
    if (!add_claim(check, STR(AUDIT_CHECKPOINT), note, &check->newest, err))
        return false;
    qsort(check->claims, check->claim_count, sizeof *check->claims, by_size);
    return true;
}

/* ---- the tree once more ---- */

static bool check_claims(struct check *check, struct err *err)
{
    for (; check->next < check->claim_count && check->claims[check->next].size <= check->edge->size;
         check->next++) {
        const struct claim *claim = &check->claims[check->next];
        struct sha256 root = merkle_root(check->edge);
        char time[25];

        if (claim->size == check->edge->size && sha256_equal(&root, &claim->root))
            continue;
        wall_format(claim->time, time);
        return err_set(err, ERR_INVALID,
                       "the first %" PRIu64
                       " records do not give the root that checkpoint \"" STR_FMT
                       "\" signed at %s: records were changed, put in or taken out",
                       claim->size, STR_ARG(claim->name), time);
    }
    return true;
}

/* Tiles that no checkpoint covers yet may still be missing. */
static bool compare_tile(void *ctx, int level, uint64_t index, const struct sha256 *tile,
                         struct err *err)
{
    struct check *check = ctx;
    uint64_t leaves = (index + 1) << 8 * (level + 1);

    if (!check->has_tiles || leaves > check->newest.size)
        return true;
    if (!audit_tile_read(check->dir, level, index, TILE_WIDTH, check->tile, err))
        return false;
    for (uint32_t i = 0; i < TILE_WIDTH; i++)
        if (!sha256_equal(&check->tile[i], &tile[i]))
            return err_set(err, ERR_INVALID,
                           "tile %d/%" PRIu64 " of the audit tree: hash %" PRIu32
                           " is not that of the records from %" PRIu64 " on",
                           level, index, i, ((index * TILE_WIDTH + i) << 8 * level) + 1);
    return true;
}

static bool add_leaf(struct check *check, const struct sha256 *leaf, struct err *err)
{
    return merkle_add(check->edge, leaf, compare_tile, check, err) && check_claims(check, err);
}

/* "records 1 to 700 are removed: ..." is said before it is done, by the house itself. */
static void note_removal(struct check *check, uint64_t seq, struct str line)
{
    size_t at = str_find(line, REMOVAL);
    struct str text = str_slice(line, at + REMOVAL.len, line.len), from;
    uint64_t to;

    if (at == line.len || seq > check->claims[check->claim_count - 1].size ||
        audit_member_raw(line, STR("route")).len)
        return;
    (void)str_split(&text, ' ', &from);
    if (str_starts(text, STR("to ")))
        text = str_slice(text, 3, text.len);
    if (u64_parse(str_slice(text, 0, str_find_char(text, ' ')), &to))
        check->removed = MAX_OF(check->removed, to);
}

static bool add_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct check *check = ctx;
    struct sha256 leaf = merkle_leaf(line);

    if (check->removed < check->pruned)
        note_removal(check, seq, line);
    if (seq == check->edge->size) /* what does not fit is shown twice, see audit_check.c */
        return check_claims(check, err);
    if (seq != check->edge->size + 1)
        return err_set(err, ERR_UNAVAILABLE,
                       "records up to %" PRIu64 " were removed meanwhile: verify once more",
                       seq - 1);
    return add_leaf(check, &leaf, err);
}

/* The hashes of records that are not kept any more. */
static bool add_pruned(struct check *check, uint64_t count, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct sha256 *tile = arena ? arena_array(arena, TILE_WIDTH, sizeof *tile) : NULL;

    if (!tile)
        return err_no_room(err, "no memory to verify the audit log");
    for (uint64_t i = 0; i < count; i++) {
        uint32_t width = merkle_tile_width(check->newest.size, 0, i / TILE_WIDTH);

        if (i >= check->newest.size)
            return err_set(err, ERR_INVALID,
                           "no checkpoint signs for record %" PRIu64 ", and it is not kept", i + 1);
        if (i % TILE_WIDTH == 0 &&
            !audit_tile_read(check->dir, 0, i / TILE_WIDTH, width, tile, err))
            return false;
        if (!add_leaf(check, &tile[i % TILE_WIDTH], err))
            return false;
    }
    return true;
}

static bool missing_records(const struct check *check, uint64_t last, struct err *err)
{
    const struct claim *claim = &check->claims[check->claim_count - 1];
    char time[25];

    wall_format(claim->time, time);
    return err_set(err, ERR_INVALID,
                   "checkpoint \"" STR_FMT "\" of %s signs for %" PRIu64
                   " records, but the log ends at "
                   "record %" PRIu64 ": %" PRIu64 " are missing",
                   STR_ARG(claim->name), time, claim->size, last, claim->size - last);
}

/* Before the checkpoints: what was removed by now these sign for. */
static bool count_pruned(struct check *check, struct err *err)
{
    uint64_t *firsts;
    size_t count;

    if (!audit_segments(check->arena, check->dir, &firsts, &count, err))
        return false;
    check->pruned = count ? firsts[0] - 1 : 0;
    return true;
}

static bool check_log(struct check *check, struct audit_verdict *out, struct err *err)
{
    struct audit_chain chain = {.fn = add_record, .ctx = check};

    if (!check_claims(check, err) || /* of no records */
        !add_pruned(check, check->pruned, err) ||
        !audit_check_dir(check->arena, check->dir, &chain, &out->chain, err))
        return false;
    if (check->removed < check->pruned)
        return err_set(err, ERR_INVALID,
                       "records %" PRIu64 " to %" PRIu64 " are not there, and no record that was "
                       "signed for says that they were removed: they were taken away",
                       check->removed + 1, check->pruned);
    return check->next == check->claim_count || missing_records(check, check->edge->size, err);
}

bool audit_verify_signed(const char *dir, struct audit_trust *trust,
                         const struct audit_noted *noted, size_t noted_count,
                         struct audit_verdict *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)512 * MIB);
    struct check check = {.arena = arena, .dir = dir, .trust = trust, .has_tiles = true};
    struct audit_verdict verdict = {0};

    if (!arena)
        return err_no_room(err, "no memory to verify the audit log");
    check.edge = arena_alloc(arena, sizeof *check.edge);
    check.tile = arena_array(arena, TILE_WIDTH, sizeof *check.tile);
    if (!check.edge || !check.tile)
        return err_arena(err, arena);
    if (!count_pruned(&check, err) || !load_claims(&check, noted, noted_count, err) ||
        !check_log(&check, &verdict, err))
        return false;
    verdict.pruned = check.pruned;
    verdict.signed_size = check.newest.size;
    verdict.signed_time = check.newest.time;
    verdict.root = check.newest.root;
    verdict.checkpoints = check.claim_count;
    verdict.passed_over = check.passed_over;
    *out = verdict;
    return true;
}
