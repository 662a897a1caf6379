#include "accounts/audit_proof.h"

#include <string.h>

#include "accounts/audit_internal.h"
#include "base/base64.h"
#include "base/json.h"
#include "sys/file.h"

/* ---- making ---- */

bool audit_prover_open(struct audit_prover *p, struct arena *arena, const char *dir,
                       struct err *err)
{
    struct str path = arena_fmt(arena, "%s/" AUDIT_CHECKPOINT, dir), text;

    *p = (struct audit_prover){.arena = arena,
                               .tiles = arena_alloc(arena, sizeof *p->tiles),
                               .proof = arena_alloc(arena, sizeof *p->proof)};
    if (!path.ptr || !p->tiles || !p->proof)
        return err_arena(err, arena);
    if (!file_load(arena, path.ptr, NOTE_MAX, &p->note, err))
        return err_wrap(err, "nothing was signed yet");

    size_t end = str_find(p->note, STR("\n\n"));

    text = str_slice(p->note, 0, end + 1); /* who signed it is for those who check it */
    if (!checkpoint_read(text, &p->checkpoint, err))
        return err_wrap(err, "checkpoint \"%s\"", path.ptr);
    *p->tiles = (struct audit_tiles){.dir = dir, .level = -1};
    p->source = (struct merkle_source){audit_tiles_read, p->tiles, p->checkpoint.size};
    return true;
}

static void put_hashes(const struct merkle_proof *proof, struct buf *to)
{
    buf_char(to, '[');
    for (size_t i = 0; i < proof->count; i++) {
        buf_str(to, i ? STR(",\"") : STR("\""));
        buf_base64(to, proof->at[i].bytes, sizeof proof->at[i].bytes);
        buf_char(to, '"');
    }
    buf_char(to, ']');
}

static bool put_growth(struct audit_prover *p, struct str older, struct buf *to, struct err *err)
{
    struct checkpoint old;

    if (!checkpoint_read(str_slice(older, 0, str_find(older, STR("\n\n")) + 1), &old, err))
        return err_wrap(err, "the older checkpoint");
    if (old.size > p->checkpoint.size)
        return err_set(err, ERR_INVALID,
                       "the older checkpoint signs for %" PRIu64
                       " records, the newest only for %" PRIu64,
                       old.size, p->checkpoint.size);
    p->proof->count = 0;
    if (old.size && !merkle_prove_growth(&p->source, old.size, p->checkpoint.size, p->proof, err))
        return false;
    buf_str(to, STR(",\"older\":"));
    buf_json_str(to, older);
    buf_str(to, STR(",\"growth\":"));
    put_hashes(p->proof, to);
    return true;
}

bool audit_prove_head(struct audit_prover *p, struct str older, struct buf *to, struct err *err)
{
    buf_str(to, STR("{\"weir_proof\":1,\"checkpoint\":"));
    buf_json_str(to, p->note);
    if (older.len && !put_growth(p, older, to, err))
        return false;
    buf_str(to, STR("}\n"));
    return true;
}

static bool seq_of(struct str line, uint64_t *out)
{
    struct str prefix = STR("{\"seq\":"), rest = str_slice(line, prefix.len, line.len);

    return str_starts(line, prefix) &&
           u64_parse(str_slice(rest, 0, str_find_char(rest, ',')), out) && *out > 0;
}

bool audit_prove_record(struct audit_prover *p, struct str line, struct buf *to, struct err *err)
{
    uint64_t seq;

    if (!seq_of(line, &seq))
        return err_set(err, ERR_INVALID, "is not a record");
    if (seq > p->checkpoint.size)
        return err_set(err, ERR_NOT_FOUND,
                       "no checkpoint signs for record %" PRIu64 " yet: wait a second", seq);
    if (!merkle_prove_leaf(&p->source, seq - 1, p->checkpoint.size, p->proof, err))
        return false;
    buf_str(to, STR("{\"line\":"));
    buf_json_str(to, line);
    buf_str(to, STR(",\"path\":"));
    put_hashes(p->proof, to);
    buf_str(to, STR("}\n"));
    return true;
}

/* ---- checking ---- */

static bool read_hashes(const struct json *j, json_ref array, struct arena *arena,
                        struct merkle_proof *out, struct err *err)
{
    out->count = 0;
    if (json_kind(j, array) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "an array of hashes is missing");
    for (json_ref v = json_first(j, array); v; v = json_next(j, v)) {
        struct str text;
        size_t got;

        if (out->count == PROOF_HASHES || !json_str(j, v, arena, &text) ||
            !base64_parse(text, out->at[out->count].bytes, SHA256_BYTES, &got) ||
            got != SHA256_BYTES)
            return err_set(err, ERR_INVALID, "hash %zu of the proof is not one", out->count + 1);
        out->count++;
    }
    return true;
}

static bool read_note(const struct audit_bundle *b, const struct json *j, const char *name,
                      struct arena *arena, struct checkpoint *out, struct err *err)
{
    struct str note, text;
    uint64_t by;

    if (!json_str(j, json_get(j, json_root(j), str_from(name)), arena, &note))
        return err_set(err, ERR_INVALID, "\"%s\" is missing", name);
    return (note_open(note, b->trust->keys, b->trust->count, &text, &by, err) &&
            checkpoint_read(text, out, err)) ||
           err_wrap(err, "\"%s\" of the bundle", name);
}

/* What is not understood is not proved: of another version, or with a member that says something else. */
static bool is_understood(const struct json *j, struct err *err)
{
    static const char *const known[] = {"weir_proof", "checkpoint", "older", "growth"};
    int64_t version;

    if (!json_i64(j, json_get(j, json_root(j), STR("weir_proof")), &version) || version != 1)
        return err_set(err, ERR_INVALID, "\"weir_proof\" is not 1: made by another Weir");
    for (json_ref m = json_first(j, json_root(j)); m; m = json_next(j, m)) {
        bool found = false;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || str_eq(json_key_raw(j, m), str_from(known[i]));
        if (!found)
            return err_set(err, ERR_INVALID, "the bundle's first line has a member not known here");
    }
    return true;
}

/* Whoever noted a checkpoint wants to know of that one. */
static bool check_noted(const struct audit_bundle *b, const struct json *j, struct arena *arena,
                        struct err *err)
{
    struct str older;

    return !b->noted.len ||
           (json_str(j, json_get(j, json_root(j), STR("older")), arena, &older) &&
            str_eq(older, b->noted)) ||
           err_set(err, ERR_INVALID,
                   "the bundle does not say that the log goes on from the checkpoint that was "
                   "noted: make it with --from");
}

static bool check_head(struct audit_bundle *b, const struct json *j, struct arena *arena,
                       struct err *err)
{
    struct merkle_proof *proof = arena_alloc(arena, sizeof *proof);
    struct checkpoint now, old = {0};

    if (!proof)
        return err_arena(err, arena);
    if (b->has_head) /* the first would be taken for the one that all is proved by, or this */
        return err_set(err, ERR_INVALID, "the bundle has a second checkpoint");
    if (!check_noted(b, j, arena, err) || !is_understood(j, err) ||
        !read_note(b, j, "checkpoint", arena, &now, err))
        return false;
    if (json_get(j, json_root(j), STR("older"))) {
        if (!read_note(b, j, "older", arena, &old, err) ||
            !read_hashes(j, json_get(j, json_root(j), STR("growth")), arena, proof, err))
            return false;
        if (!str_eq(old.origin, now.origin))
            return err_set(err, ERR_INVALID, "the two checkpoints are of different logs");
        if (old.size && !merkle_check_growth(proof, old.size, now.size, &old.root, &now.root))
            return err_set(err, ERR_INVALID,
                           "the log of %" PRIu64 " records does not go on from the one of %" PRIu64
                           ": its past was changed",
                           now.size, old.size);
    }
    b->has_head = true;
    b->root = now.root;
    b->size = now.size;
    b->time = now.time;
    b->older_size = old.size;
    return true;
}

static bool check_record(struct audit_bundle *b, const struct json *j, struct arena *arena,
                         struct err *err)
{
    struct merkle_proof *proof = arena_alloc(arena, sizeof *proof);
    struct str line;
    uint64_t seq;

    if (!proof)
        return err_arena(err, arena);
    if (!json_str(j, json_get(j, json_root(j), STR("line")), arena, &line) || !seq_of(line, &seq))
        return err_set(err, ERR_INVALID, "\"line\" is not a record");
    if (!read_hashes(j, json_get(j, json_root(j), STR("path")), arena, proof, err))
        return false;

    struct sha256 leaf = merkle_leaf(line);

    if (!merkle_check_leaf(proof, seq - 1, b->size, &leaf, &b->root))
        return err_set(err, ERR_INVALID,
                       "record %" PRIu64 " is not what the checkpoint of %" PRIu64
                       " records signs for",
                       seq, b->size);
    b->records++;
    return true;
}

bool audit_bundle_line(struct audit_bundle *b, struct arena *arena, struct str line,
                       struct err *err)
{
    size_t mark = arena_mark(arena);
    struct json *j = json_parse(arena, line, err);
    bool ok = j != NULL;

    if (ok && json_get(j, json_root(j), STR("weir_proof")))
        ok = check_head(b, j, arena, err);
    else if (ok && !b->has_head)
        ok = err_set(err, ERR_INVALID, "the bundle does not begin with its checkpoint");
    else if (ok)
        ok = check_record(b, j, arena, err);
    arena_rewind(arena, mark);
    return ok;
}
