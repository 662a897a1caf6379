#include "knowledge/originals.h"

#include <stdio.h>

#include "base/table.h"
#include "sys/file.h"

#define ORIGINALS     "originals"
#define KEEP          "KEEP"
#define NAMES_MAX     1000000
#define SWEEP_ARENA   ((size_t)512 * MIB)
#define ORIGINAL_PATH 1024

static void path_of(const struct knowledge *k, struct str name, char out[ORIGINAL_PATH])
{
    (void)snprintf(out, ORIGINAL_PATH, "%s/" ORIGINALS "%s" STR_FMT, k->dir, name.len ? "/" : "",
                   STR_ARG(name));
}

static struct str name_of(const struct sha256 *hash, char memory[2 * SHA256_BYTES + 1])
{
    struct buf b;

    buf_init_fixed(&b, memory, 2 * SHA256_BYTES + 1);
    buf_hex(&b, hash->bytes, sizeof hash->bytes);
    return buf_view(&b);
}

bool is_sent(const struct document_record *record)
{
    return str_starts(record->source, STR("upload/")) || str_starts(record->source, STR("file/"));
}

bool original_put(struct knowledge *k, const struct sha256 *hash, struct str bytes, struct err *err)
{
    char path[ORIGINAL_PATH], name[2 * SHA256_BYTES + 1];

    mutex_lock(&k->originals);
    k->pending = *hash;
    k->is_pending = true;
    mutex_unlock(&k->originals);
    path_of(k, STR(""), path);
    if (!file_make_dir(path, 0700, err))
        return false;
    path_of(k, name_of(hash, name), path);
    return file_store(path, bytes, 0600, err);
}

bool original_load(struct knowledge *k, struct arena *arena, const struct sha256 *hash,
                   struct str *out, struct err *err)
{
    char path[ORIGINAL_PATH], name[2 * SHA256_BYTES + 1];

    path_of(k, name_of(hash, name), path);
    return file_load(arena, path, k->file_bytes_max, out, err);
}

bool originals_keep(struct knowledge *k, struct err *err)
{
    struct file_info info;
    struct err missing = {0};
    char path[ORIGINAL_PATH];

    path_of(k, STR(""), path);
    if (!file_stat(path, &info, &missing))
        return missing.code == ERR_NOT_FOUND || err_set(err, missing.code, "%s", missing.text);
    path_of(k, STR(KEEP), path);
    return file_store(path, STR("documents were lost: these are what was sent\n"), 0600, err);
}

/* Every hash that a document was sent with. */
static bool used(const struct lexical_view *view, struct arena *arena, struct table *out,
                 struct err *err)
{
    uint64_t count = lexical_stats(view).documents;

    table_init(out, arena, 2 * count + 16);
    for (uint64_t i = 0; i < count; i++) {
        struct lexical_document_info info = lexical_document_at(view, i);
        char memory[2 * SHA256_BYTES + 1];
        struct document_record record;

        if (!document_record_read(info.record, &record))
            return err_set(err, ERR_INTERNAL,
                           "could not read the record of document \"" STR_FMT "\"",
                           STR_ARG(info.key));
        if (!is_sent(&record))
            continue;
        struct str name = arena_str(arena, name_of(&record.hash, memory));
        if (!name.ptr || !table_put(out, name, out, NULL))
            return err_arena(err, arena);
    }
    return true;
}

struct dropping {
    const struct sha256 *hashes;
    size_t count;
    uint32_t removed;
};

static bool is_dropped(const struct dropping *d, struct str name)
{
    char memory[2 * SHA256_BYTES + 1];

    for (size_t i = 0; i < d->count; i++)
        if (str_eq(name, name_of(&d->hashes[i], memory)))
            return true;
    return false;
}

/* Under k->originals. */
static bool sweep(struct knowledge *k, struct arena *arena, struct dropping *d, struct err *err)
{
    struct lexical *index = atomic_load(&k->index);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    char path[ORIGINAL_PATH], memory[2 * SHA256_BYTES + 1];
    struct str pending = k->is_pending ? name_of(&k->pending, memory) : STR("");
    struct file_info info;
    struct err missing = {0};
    struct table names;
    struct str *there;
    size_t count;
    bool keeps = false;

    path_of(k, STR(""), path);
    if (!view || (!file_stat(path, &info, &missing) && missing.code == ERR_NOT_FOUND))
        return true;
    if (!file_list(arena, path, NAMES_MAX, &there, &count, err) || !used(view, arena, &names, err))
        return false;
    for (size_t i = 0; i < count; i++)
        keeps = keeps || str_eq(there[i], STR(KEEP));
    for (size_t i = 0; i < count; i++) {
        if (keeps && !is_dropped(d, there[i]))
            continue;
        if (table_get(&names, there[i]) || (pending.len > 0 && str_starts(there[i], pending)))
            continue;
        path_of(k, there[i], path);
        if (!file_remove(path, err))
            return false;
        d->removed++;
    }
    path_of(k, STR(""), path);
    return d->removed == 0 || file_sync_dir(path, err);
}

bool originals_drop(struct knowledge *k, const struct sha256 *hashes, size_t count,
                    uint32_t *removed, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(SWEEP_ARENA);
    struct dropping d = {.hashes = hashes, .count = count};

    if (!arena)
        return err_no_room(err, "no memory to look for originals that nobody needs");
    mutex_lock(&k->originals);
    bool ok = sweep(k, arena, &d, err);
    mutex_unlock(&k->originals);
    if (removed)
        *removed = d.removed;
    return ok || err_wrap(err, "remove the originals of documents that are gone");
}

bool originals_sweep(struct knowledge *k, uint32_t *removed, struct err *err)
{
    return originals_drop(k, NULL, 0, removed, err);
}
