/* Files of /v1/files that forgotten documents came from. */
#include "app/forget_internal.h"

static struct str shelf_of(struct forgetting *f)
{
    return arena_fmt(f->arena, STR_FMT "/files", STR_ARG(f->house->dir));
}

/* ---- who needs them ---- */

static bool add_needing(struct forgetting *f, struct forgotten_file *file, struct str base,
                        size_t most)
{
    if (!file->needed_by)
        file->needed_by = arena_array(f->arena, most, sizeof *file->needed_by);
    if (!file->needed_by)
        return false;
    file->needed_by[file->needed_count++] = base;
    return true;
}

/* A base that cannot be asked may need them all. */
static SUSPENDS bool ask_base(struct forgetting *f, struct str id, bool *needed, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_told *t = f->told;
    struct err why = {0};

    if (bases_borrow(f->house->bases, id, NULL, &base, &why) &&
        knowledge_needs(base_knowledge(base), t->documents.files, t->file_count, needed, &why))
        return true;
    for (size_t i = 0; i < t->file_count; i++)
        needed[i] = why.code != ERR_NOT_FOUND;
    if (why.code != ERR_CANCELLED)
        return true;
    *err = why;
    return false;
}

static SUSPENDS bool ask_bases(struct forgetting *f, struct err *err)
{
    struct forget_told *t = f->told;
    struct base_info *all;
    size_t count;

    if (!bases_list(f->house->bases, f->arena, NULL, &all, &count, err))
        return false;
    bool *needed = arena_array(f->arena, t->file_count + 1, sizeof *needed);
    if (!needed)
        return err_arena(err, f->arena);
    for (size_t b = 0; b < count; b++) {
        if (!ask_base(f, all[b].id, needed, err))
            return false;
        for (size_t i = 0; i < t->file_count; i++)
            if (needed[i] && !add_needing(f, &t->files[i], all[b].id, count))
                return err_arena(err, f->arena);
    }
    return true;
}

/* ---- removed ---- */

static bool is_in_base(const struct forgetting *f, struct str base)
{
    for (size_t i = 0; i < f->base_count; i++)
        if (str_eq(f->bases[i], base))
            return true;
    return false;
}

/* Whoever deletes a file itself does so, even where a base that is not theirs keeps what it has read of it. */
static bool goes(const struct forgetting *f, const struct forgotten_file *file)
{
    if (f->order->keep_files)
        return false;
    if (f->order->file.len)
        return true;
    for (size_t i = 0; i < file->needed_count; i++)
        if (!f->order->dry_run || !is_in_base(f, file->needed_by[i]))
            return false;
    return true;
}

static void run_files(void *arg)
{
    struct forgetting *f = arg;
    struct str dir = shelf_of(f);

    f->ok = dir.ptr || err_arena(&f->err, f->arena);
    for (size_t i = 0; f->ok && i < f->told->file_count; i++) {
        struct forgotten_file *file = &f->told->files[i];
        struct shelf_file found;
        struct err why = {0};

        if (f->off_shelf) { /* forget_file_first() */
            file->there = file->removed = true;
            file->bytes = f->file_bytes;
            continue;
        }
        if (shelf_find(dir.ptr, f->arena, file->id, STR(""), &found, &why)) {
            file->there = true;
            file->bytes = found.bytes;
            file->removed = goes(f, file);
        } else if (why.code == ERR_NOT_FOUND) {
            file->removed = f->resumed; /* before the process ended */
        } else if (why.code == ERR_EXHAUSTED) {
            f->err = why;
            f->ok = false;
        } else { /* nobody can read what it is: it can be removed all the same */
            file->there = true;
            file->removed = goes(f, file);
        }
        if (f->ok && file->there && file->removed && !f->order->dry_run)
            f->ok = shelf_remove(dir.ptr, f->arena, file->id, &f->err);
    }
}

static void run_first(void *arg)
{
    struct forgetting *f = arg;
    struct str dir = shelf_of(f);
    struct shelf_file found = {0};
    struct err why = {0};

    f->ok = dir.ptr || err_arena(&f->err, f->arena);
    if (!f->ok)
        return;
    bool known = shelf_find(dir.ptr, f->arena, f->order->file, STR(""), &found, &why);
    f->off_shelf = known || why.code != ERR_NOT_FOUND;
    f->file_bytes = found.bytes;
    f->ok = !f->off_shelf || shelf_remove(dir.ptr, f->arena, f->order->file, &f->err);
}

bool forget_file_first(struct forgetting *f, struct err *err)
{
    if (!f->order->file.len || f->order->keep_files)
        return true;
    if (!pool_run(f->house->documents, run_first, f, err))
        return false;
    if (!f->ok)
        *err = f->err;
    return f->ok || err_wrap(err, "files of /v1/files");
}

static bool list_files(struct forgetting *f, struct err *err)
{
    struct forget_report *r = &f->told->documents;
    struct str file = f->order->file;
    bool listed = !file.len;

    for (size_t i = 0; i < r->file_count; i++)
        listed |= str_eq(r->files[i], file);
    struct str *ids = arena_array(f->arena, r->file_count + 1, sizeof *ids);
    struct forgotten_file *files = arena_array(f->arena, r->file_count + 1, sizeof *files);
    if (!ids || !files)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < r->file_count; i++)
        ids[i] = r->files[i];
    if (!listed)
        ids[r->file_count++] = file;
    r->files = ids;
    for (size_t i = 0; i < r->file_count; i++)
        files[i].id = ids[i];
    f->told->files = files;
    f->told->file_count = r->file_count;
    return true;
}

static SUSPENDS bool do_files(struct forgetting *f, struct err *err)
{
    if (!list_files(f, err))
        return false;
    if (f->told->file_count == 0)
        return true;
    if (!ask_bases(f, err) || !pool_run(f->house->documents, run_files, f, err))
        return false;
    if (!f->ok)
        *err = f->err;
    return f->ok;
}

bool forget_files(struct forgetting *f, struct err *err)
{
    return do_files(f, err) || err_wrap(err, "files of /v1/files");
}
