/* A folder is walked first, so that it is known how much there is, and then compared file by file. */
#include "knowledge/source_folder.h"

#include <stdio.h>
#include <string.h>

#include "knowledge/knowledge_internal.h"
#include "knowledge/source_glob.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/path.h"

#define PATH_LEN_MAX 4000
#define DEPTH_MAX    32
#define NAMES_MAX    1000000 /* in one folder */
#define FOLDER_ARENA ((size_t)1024 * MIB)
#define FRESH_MS     2000 /* what changed so lately may change again within its times' resolution */

struct found_file {
    struct str path;
    struct file_info info;
};

struct folder {
    const struct folder_options *with;
    struct knowledge *knowledge;
    struct arena *arena;
    struct intake *intake;
    struct str root;  /* absolute; empty for a single file */
    struct str name;  /* last part of the root, or of the file */
    struct buf files; /* struct found_file, in order */
};

static struct str last_part(struct str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/')
        from--;
    return str_slice(path, from, path.len);
}

/* The name people see: the folder's own name and the way below it. */
static struct str shown_path(struct folder *f, struct str path)
{
    if (!f->root.len)
        return f->name;
    return arena_fmt(f->arena, STR_FMT STR_FMT, STR_ARG(f->name),
                     STR_ARG(str_slice(path, f->root.len, path.len)));
}

static struct str below(const struct folder *f, struct str path)
{
    return f->root.len ? str_slice(path, f->root.len + 1, path.len) : last_part(path);
}

/* --- the walk --------------------------------------------------------------------------------- */

static bool skip(struct folder *f, struct str path, const char *reason, struct err *err)
{
    struct str shown = shown_path(f, path);

    return shown.ptr ? intake_skip(f->intake, shown, reason, err) : err_arena(err, f->arena);
}

static bool fail(struct folder *f, struct str path, const struct err *why, struct err *err)
{
    struct str shown = shown_path(f, path);

    return shown.ptr ? intake_fail(f->intake, path, shown, why, err) : err_arena(err, f->arena);
}

/* A name whose real path is another is a link; what it points to is read by its own name, if it is
 * inside the folder at all. */
static bool is_link(struct arena *arena, struct str path)
{
    struct str real;
    struct err missing = {0};

    return path_absolute(arena, path.ptr, &real, &missing) && !str_eq(real, path);
}

/* What is said beside a document is read with it; beside nothing it would be lost in silence. */
static bool check_labels(struct folder *f, struct str path, struct err *err)
{
    struct str of = arena_str(f->arena, str_slice(path, 0, path.len - sizeof LABELS_ENDING + 1));
    struct file_info info;
    struct err why = {0};

    if (!of.ptr)
        return err_arena(err, f->arena);
    return file_stat(of.ptr, &info, &why) ||
           skip(f, path, "says something of a file that is not there", err);
}

static bool add_file(struct folder *f, struct str path, const struct file_info *info,
                     struct err *err)
{
    struct found_file file = {path, *info};
    enum document_type type;

    if (!globs_want(f->with->include, f->with->exclude, below(f, path)))
        return true; /* the setting says so */
    if (!document_type_of(last_part(path), &type))
        return skip(f, path, document_endings(), err);
    if (f->files.len / sizeof file >= f->knowledge->files_max)
        return err_set(err, ERR_TOO_LARGE, "more than %u files in one run",
                       f->knowledge->files_max);
    buf_put(&f->files, &file, sizeof file);
    return buf_ok(&f->files) || err_arena(err, f->arena);
}

static bool walk(struct folder *f, struct str dir, int depth, struct err *err);

static bool visit(struct folder *f, struct str path, int depth, struct err *err)
{
    struct file_info info;
    struct err why = {0};
    struct str name = last_part(path);
    size_t mark = arena_mark(f->arena);

    if (name.ptr[0] == '.')
        return skip(f, path, "hidden", err);
    if (path.len > PATH_LEN_MAX)
        return skip(f, path, "path too long", err);
    bool link = is_link(f->arena, path);
    arena_rewind(f->arena, mark);
    if (link)
        return skip(f, path, "a link", err);
    if (!file_stat(path.ptr, &info, &why)) {
        intake_is_incomplete(f->intake);
        return fail(f, path, &why, err);
    }
    if (!info.is_dir && !info.is_file)
        return skip(f, path, "a pipe, a socket or a device", err);
    if (!info.is_dir && str_ends(name, STR(LABELS_ENDING)))
        return check_labels(f, path, err);
    if (!info.is_dir)
        return add_file(f, path, &info, err);
    if (depth >= DEPTH_MAX)
        return skip(f, path, "folders nested too deep", err);
    return walk(f, path, depth + 1, err);
}

static bool walk(struct folder *f, struct str dir, int depth, struct err *err)
{
    struct str *names;
    size_t count;
    struct err why = {0};

    if (!file_list(f->arena, dir.ptr, NAMES_MAX, &names, &count, &why)) {
        intake_is_incomplete(f->intake);
        return fail(f, dir, &why, err);
    }
    for (size_t i = 0; i < count && !intake_is_stopped(f->intake); i++) {
        struct str path = arena_fmt(f->arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));

        if (!path.ptr)
            return err_arena(err, f->arena);
        if (!visit(f, path, depth, err))
            return false;
    }
    return true;
}

/* --- a file ----------------------------------------------------------------------------------- */

static struct str mark_of(struct arena *arena, const struct file_info *info)
{
    wall_ms newest = MAX_OF(info->changed, info->touched);

    if (newest > clock_wall() - FRESH_MS)
        return STR("");
    return arena_fmt(arena, "%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64,
                     (uint64_t)info->bytes, (uint64_t)info->changed, (uint64_t)info->touched,
                     info->device, info->inode);
}

static bool take_file(struct folder *f, struct arena *scratch, const struct item *item,
                      struct err *err)
{
    struct intake_known known;
    struct beside beside;
    struct err why = {0};
    struct str bytes;

    if (!intake_look(f->intake, scratch, item, &known, err))
        return false;
    if (!beside_load(scratch, item->source, &beside, &why)) {
        if (why.code != ERR_EXHAUSTED)
            return intake_fail(f->intake, item->source, item->shown, &why, err);
        *err = why;
        return false;
    }
    if (known.is_same)
        return intake_keep(f->intake, item, &beside, err);
    if (!file_load(scratch, item->source.ptr, f->knowledge->file_bytes_max, &bytes, &why))
        return intake_fail(f->intake, item->source, item->shown, &why, err);
    return intake_put(f->intake, item, &beside, bytes, err);
}

static bool take(struct folder *f, const struct found_file *file, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(f->knowledge->file_bytes_max + 2 * MIB);
    size_t before = arena_mark(f->arena);

    if (!scratch)
        return err_no_room(err, "no memory to read a file");
    struct item item = {.source = file->path,
                        .shown = shown_path(f, file->path),
                        .mark = mark_of(scratch, &file->info)};
    (void)document_type_of(last_part(file->path), &item.type); /* add_file() has asked */
    if (!item.shown.ptr || !item.mark.ptr)
        return err_no_room(err, "no memory to read a file");
    bool ok = take_file(f, scratch, &item, err);
    arena_rewind(f->arena, before);
    return ok;
}

/* --- the run ---------------------------------------------------------------------------------- */

static bool find_start(struct folder *f, struct str *absolute, struct file_info *info,
                       struct err *err)
{
    struct str terminated = arena_str(f->arena, f->with->wish->path);

    if (!terminated.ptr)
        return err_arena(err, f->arena);
    if (!path_absolute(f->arena, terminated.ptr, absolute, err) ||
        !file_stat(absolute->ptr, info, err))
        return false;
    f->name = last_part(*absolute);
    if (info->is_dir)
        f->root = *absolute;
    return true;
}

static bool list(struct folder *f, struct str start, const struct file_info *info, struct err *err)
{
    buf_init(&f->files, f->arena, (size_t)f->knowledge->files_max * sizeof(struct found_file));
    if (!(info->is_dir ? walk(f, start, 0, err) : add_file(f, start, info, err)))
        return false;
    intake_expect(f->intake, f->files.len / sizeof(struct found_file));
    return true;
}

static bool take_all(struct folder *f, struct err *err)
{
    const struct found_file *files = (const struct found_file *)(const void *)f->files.ptr;

    for (size_t i = 0; i < f->files.len / sizeof *files && !intake_is_stopped(f->intake); i++)
        if (!take(f, &files[i], err))
            return false;
    return true;
}

bool folder_ingest(struct knowledge *k, struct arena *arena, const struct folder_options *options,
                   struct ingest_report *out, struct err *err)
{
    struct arena *own CLEANUP(arena_end) = arena_new(FOLDER_ARENA);
    struct intake *intake CLEANUP(intake_close) = NULL;
    struct folder f = {.with = options, .knowledge = k, .arena = own};
    struct str start;
    struct file_info info;

    if (!own)
        return err_no_room(err, "no memory for an ingest");
    if (!index_of(k, err) || !find_start(&f, &start, &info, err))
        return err_wrap(err, "ingest");
    struct intake_options in = {.knowledge = k,
                                .root = f.root,
                                .wish = options->wish,
                                .run = options->run,
                                .delete_percent = options->delete_percent};
    in.root = arena_str(arena, f.root);
    if (!in.root.ptr)
        return err_arena(err, arena);
    if (!intake_open(arena, &in, &intake, err))
        return err_wrap(err, "ingest");
    f.intake = intake;
    bool ok = list(&f, start, &info, err) && take_all(&f, err) && intake_finish(intake, err);
    *out = *intake_report(intake);
    return ok || err_wrap(err, "ingest");
}

bool ingest_now(struct knowledge *k, struct arena *arena, const struct ingest_wish *wish,
                struct ingest_report *out, struct err *err)
{
    struct folder_options options = {.wish = wish, .delete_percent = 100};

    return folder_ingest(k, arena, &options, out, err);
}
