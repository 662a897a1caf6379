/* accounts/audit.c: the writer. The current segment is mapped and reserved, so an append is a copy; a
 * spare is made ahead, so rolling over is a rename; full segments are synced, cut and closed later, by
 * audit_sync().
 *
 *   spare --roll--> current --roll--> retired --audit_sync--> closed
 */
#include <stdatomic.h>
#include <string.h>

#include "accounts/audit_internal.h"
#include "base/fault.h"
#include "base/log.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define SEGMENT_BYTES     (16 * MIB)
#define SEGMENT_BYTES_MIN (2 * AUDIT_LINE_MAX + AUDIT_HEADER_MAX)
#define SEGMENT_BYTES_MAX GIB
#define LEAVES            2048u         /* that wait for the tree; what is older it hashes again */
#define RETIRED_MAX       4             /* segments that wait to be synced */
#define EXPECT_BYTES      ((size_t)128) /* by which the next record may be longer than the last */
#define SPARE_PREFIX      "next."
#define AHEAD_MAX         MIB
#define AHEAD_LEAST       (64 * KIB)
#define FORGET_STEP       ((size_t)64 * KIB) /* at least a page, of whatever size */

struct segment {
    struct file *file;
    char *map;
    size_t bytes, used; /* reserved, written */
    size_t synced;      /* of what is written */
    size_t expected;    /* up to here its pages are made */
    char path[AUDIT_PATH_MAX];
};

struct audit {
    struct arena *arena;
    char dir[AUDIT_PATH_MAX];
    size_t segment_bytes;
    struct file *lock_file; /* one writer a directory */

    struct mutex lock; /* over all down to head */
    struct segment current, spare, retired[RETIRED_MAX];
    int retired_count;
    bool syncing;   /* audit_sync() is using the segments outside the lock */
    bool dir_dirty; /* names have changed since the last sync */
    uint64_t seq, synced;
    struct sha256 head;
    bool is_chained_last; /* the segment that was found may be gone on in: AUDIT_PREV_LAST */
    uint64_t leaves_from; /* the first whose leaf is known */
    struct sha256
        *leaves; /* of the records last appended, LEAVES of them, each where its sequence says */
    uint64_t nudge_seq; /* call nudge() with this record; UINT64_MAX: never */
    void (*nudge)(void *ctx);
    void *nudge_ctx;

    struct mutex sync_lock; /* one sync at a time; taken before lock */
    struct mutex making;    /* one spare at a time; taken before lock */
    uint32_t spares;        /* made so far, for their names; under lock */
    atomic_bool low;        /* less than half a segment left and no spare */
};

/* ---- segments ---- */

static void segment_close(struct segment *s)
{
    if (s->map)
        file_unmap(s->map, s->bytes);
    file_close(&s->file);
    *s = (struct segment){0};
}

static void segment_discard(struct segment *s)
{
    char path[AUDIT_PATH_MAX];
    struct err err = {0};

    if (!s->file)
        return;
    memcpy(path, s->path, sizeof path);
    segment_close(s);
    if (!file_remove(path, &err))
        log_warn("could not remove unused audit file: %s", err.text);
}

static bool segment_map(struct segment *s, size_t bytes, struct err *err)
{
    void *map;

    if (!file_reserve(s->file, (int64_t)bytes, err) || !file_map(s->file, bytes, true, &map, err))
        return false;
    s->map = map;
    s->bytes = bytes;
    return true;
}

/* Written in full and never again: durable, without its reservation, closed. */
static bool segment_finish(struct segment *s, struct err *err)
{
    if (!file_sync(s->file, err) || !file_cut(s->file, (int64_t)s->used, err))
        return err_wrap(err, "finish audit file \"%s\"", s->path);
    segment_close(s);
    return true;
}

static bool segment_has_room(const struct segment *s, size_t len)
{
    return s->file && s->bytes - s->used >= len;
}

/* The first byte goes last: until then a zero byte says that nothing stands here. */
static void segment_put(struct segment *s, struct str line)
{
    _Atomic char *first = (_Atomic char *)(void *)(s->map + s->used);

    memcpy(s->map + s->used + 1, line.ptr + 1, line.len - 1);
    atomic_store_explicit(first, line.ptr[0], memory_order_release);
    s->used += line.len;
    expect_write(s->map + s->used, MIN_OF(s->bytes - s->used, line.len + EXPECT_BYTES));
}

/* ---- spares ---- */

static bool make_spare(const struct audit *audit, uint32_t number, struct segment *out,
                       struct err *err)
{
    struct segment spare CLEANUP(segment_discard) = {0};
    struct buf path;

    buf_init_fixed(&path, spare.path, sizeof spare.path);
    buf_fmt(&path, "%s/" SPARE_PREFIX "%" PRIu32, audit->dir, number);
    buf_char(&path, 0);
    if (!buf_ok(&path))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    if (!file_open(spare.path, FILE_REPLACE, 0600, &spare.file, err) ||
        !segment_map(&spare, audit->segment_bytes, err))
        return err_wrap(err, "reserve room for audit records");
    *out = spare;
    spare = (struct segment){0};
    return true;
}

static void note_room(struct audit *audit)
{
    bool low = !audit->spare.file && !segment_has_room(&audit->current, audit->segment_bytes / 2);

    if (low != atomic_load_explicit(&audit->low, memory_order_relaxed))
        atomic_store_explicit(&audit->low, low, memory_order_relaxed);
}

/* Reserving blocks takes the disk's time, so it happens outside the lock that appends wait for. */
static bool add_spare(struct audit *audit, struct err *err)
{
    struct segment spare = {0};
    bool ok = true;

    mutex_lock(&audit->making);
    if (atomic_load(&audit->low)) {
        mutex_lock(&audit->lock);
        uint32_t number = audit->spares++;
        mutex_unlock(&audit->lock);
        ok = make_spare(audit, number, &spare, err);
    }
    mutex_lock(&audit->lock);
    if (spare.file && !audit->spare.file) {
        audit->spare = spare;
        spare = (struct segment){0};
        note_room(audit);
    }
    mutex_unlock(&audit->lock);
    segment_discard(&spare); /* an append was faster */
    mutex_unlock(&audit->making);
    return ok;
}

/* ---- rolling over; under the lock ---- */

/* Those that are finished, from the oldest on. */
static void drop_retired(struct audit *audit, int finished)
{
    audit->retired_count -= finished;
    memmove(audit->retired, audit->retired + finished,
            (size_t)audit->retired_count * sizeof audit->retired[0]);
}

/* Room for one more that waits for its sync. Normally audit_sync() has made it long ago. The oldest first: where one is
 * finished, a start trusts all before it. */
static bool make_retired_room(struct audit *audit, struct err *err)
{
    int finished = 0;
    bool ok = true;

    if (audit->retired_count < RETIRED_MAX)
        return true;
    if (audit->syncing)
        return err_set(err, ERR_UNAVAILABLE, "the disk does not keep up with the audit log");
    while (ok && finished < audit->retired_count) {
        ok = segment_finish(&audit->retired[finished], err);
        finished += ok;
    }
    drop_retired(audit, finished);
    return ok;
}

/* The header stands in the file before the file gets its name: readers never see one without. */
static bool roll(struct audit *audit, struct err *err)
{
    char header[AUDIT_HEADER_MAX], path[AUDIT_PATH_MAX];

    if (!make_retired_room(audit, err) ||
        (!audit->spare.file && !make_spare(audit, audit->spares++, &audit->spare, err)) ||
        !audit_path(path, audit->dir, audit->seq + 1, ".log", err))
        return false;
    audit->spare.used = 0;
    segment_put(&audit->spare, audit_header(header, AUDIT_PREV_LAST, audit->seq + 1, &audit->head));
    if (!file_rename(audit->spare.path, path, err))
        return err_wrap(err, "begin audit file \"%s\"", path);
    if (audit->current.file)
        audit->retired[audit->retired_count++] = audit->current;
    audit->current = audit->spare;
    audit->spare = (struct segment){0};
    memcpy(audit->current.path, path, sizeof path);
    audit->dir_dirty = true;
    note_room(audit);
    return true;
}

/* ---- appending ---- */

bool audit_ready(struct audit *audit, struct err *err)
{
    if (FAULT("audit.ready"))
        return err_set(err, ERR_UNAVAILABLE, "reserve room for audit records: no space left");
    if (LIKELY(!atomic_load_explicit(&audit->low, memory_order_relaxed)))
        return true;
    return add_spare(audit, err);
}

bool audit_append_line(struct audit *audit, const struct audit_line *line, uint64_t *seq,
                       struct err *err)
{
    struct audit_sealed sealed;
    bool ok;

    mutex_lock(&audit->lock);
    ok = segment_has_room(&audit->current, AUDIT_LINE_MAX) || roll(audit, err);
    if (ok) {
        audit_line_seal(line, audit->seq + 1, &audit->head, &sealed);
        segment_put(&audit->current, sealed.text);
        *seq = ++audit->seq;
        audit->leaves[*seq % LEAVES] = sealed.leaf;
        note_room(audit);
        if (UNLIKELY(audit->seq >= audit->nudge_seq)) {
            audit->nudge_seq = UINT64_MAX;
            audit->nudge(audit->nudge_ctx);
        }
    }
    mutex_unlock(&audit->lock);
    return ok;
}

void audit_nudge_at(struct audit *audit, uint64_t seq, void (*fn)(void *ctx), void *ctx)
{
    mutex_lock(&audit->lock);
    audit->nudge_seq = fn ? seq : UINT64_MAX;
    audit->nudge = fn;
    audit->nudge_ctx = ctx;
    mutex_unlock(&audit->lock);
}

uint64_t audit_synced_seq(struct audit *audit)
{
    mutex_lock(&audit->lock);
    uint64_t seq = audit->synced;
    mutex_unlock(&audit->lock);
    return seq;
}

size_t audit_leaves(struct audit *audit, uint64_t first, size_t count, struct sha256 *out)
{
    size_t got = 0;

    mutex_lock(&audit->lock);
    if (first >= audit->leaves_from && first + LEAVES > audit->seq)
        for (; got < count && first + got <= audit->seq; got++)
            out[got] = audit->leaves[(first + got) % LEAVES];
    mutex_unlock(&audit->lock);
    return got;
}

bool audit_append(struct audit *audit, struct audit_record *record, struct err *err)
{
    struct audit_line line;

    audit_line_format(record, &line);
    return audit_append_line(audit, &line, &record->seq, err);
}

uint64_t audit_last_seq(struct audit *audit)
{
    mutex_lock(&audit->lock);
    uint64_t seq = audit->seq;
    mutex_unlock(&audit->lock);
    return seq;
}

const char *audit_dir(const struct audit *audit)
{
    return audit->dir;
}

/* ---- syncing ---- */

/* What a sync works on outside the lock: rolls may retire segments meanwhile, but close none. */
struct sync {
    struct file *current;
    char *map;
    size_t from, used; /* of the current one: what was synced before, and what is now */
    size_t bytes, expected;
    int retired;
    bool dir;
    uint64_t seq;
};

static bool sync_begin(struct audit *audit, struct sync *s)
{
    mutex_lock(&audit->lock);
    bool wanted = audit->synced < audit->seq || audit->retired_count || audit->dir_dirty;

    if (wanted) {
        *s = (struct sync){.current = audit->current.file,
                           .map = audit->current.map,
                           .from = audit->current.synced,
                           .used = audit->current.used,
                           .bytes = audit->current.bytes,
                           .expected = audit->current.expected,
                           .retired = audit->retired_count,
                           .dir = audit->dir_dirty,
                           .seq = audit->seq};
        audit->syncing = true;
        audit->dir_dirty = false;
    }
    mutex_unlock(&audit->lock);
    return wanted;
}

static void sync_end(struct audit *audit, const struct sync *s, int finished, bool ok)
{
    mutex_lock(&audit->lock);
    drop_retired(audit, finished);
    if (ok)
        audit->synced = s->seq;
    if (ok && audit->current.map == s->map) {
        audit->current.synced = s->used;
        audit->current.expected = s->expected;
    }
    if (!ok)
        audit->dir_dirty = audit->dir_dirty || s->dir;
    audit->syncing = false;
    mutex_unlock(&audit->lock);
}

/* A page that is written for the first time costs who writes it some microseconds, and a request in nine comes to one. Where
 * many are written, twice as many as since the last sync are made here. */
static void expect_pages(struct sync *s)
{
    size_t written = s->from ? s->used - s->from : 0, /* else nobody knows in what time */
        from = MAX_OF(s->expected, s->used),
           to = MIN_OF(s->used + MIN_OF(2 * written, AHEAD_MAX), s->bytes);

    if (to < from + AHEAD_LEAST)
        return;
    file_expect(s->map, from, to);
    s->expected = to;
}

static bool sync_all(struct audit *audit, struct err *err)
{
    struct sync s;
    bool ok = true;
    int finished = 0;

    if (!sync_begin(audit, &s))
        return true;
    while (ok && finished < s.retired) {
        ok = segment_finish(&audit->retired[finished], err);
        finished += ok;
    }
    /* A full segment would count as 16 MiB of memory; and a page that is not mapped is synced for a fifth less. */
    if (s.current)
        file_forget(s.map, s.from / FORGET_STEP * FORGET_STEP, s.used);
    ok = ok && (!s.current || file_sync_part(s.current, s.map, s.from, s.used, err)) &&
         (!s.dir || file_sync_dir(audit->dir, err));
    if (ok && s.current)
        expect_pages(&s);
    sync_end(audit, &s, finished, ok);
    return ok;
}

/* Makes a spare too, ahead of need, so that hardly a request ever waits for one. */
bool audit_sync(struct audit *audit, struct err *err)
{
    mutex_lock(&audit->sync_lock);
    bool ok = sync_all(audit, err);
    mutex_unlock(&audit->sync_lock);
    if (ok && atomic_load_explicit(&audit->low, memory_order_relaxed))
        ok = add_spare(audit, err);
    return ok;
}

/* ---- opening ---- */

/* What is left of a process that was killed while it kept a spare. */
static bool remove_spares(struct arena *arena, const char *dir, struct err *err)
{
    struct str *names;
    size_t count;

    if (!file_list(arena, dir, AUDIT_FILES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(names[i]));

        if (!path.ptr)
            return err_arena(err, arena);
        if (str_starts(names[i], STR(SPARE_PREFIX)) && !file_remove(path.ptr, err))
            return false;
    }
    return true;
}

/* Records after a hole were answered for but never synced: kept for whoever has to look into it. */
static bool set_aside(struct arena *arena, struct file *file, const struct audit_end *end,
                      const char *to, struct err *err)
{
    size_t len = (size_t)end->size - end->used, got = 0;
    size_t mark = arena_mark(arena);
    char *bytes = arena_alloc_raw(arena, len);

    if (!bytes)
        return err_arena(err, arena);
    for (size_t have = 0; have < len; have += got)
        if (!file_read_at(file, (int64_t)(end->used + have), bytes + have, len - have, &got, err) ||
            !got)
            return err_wrap(err, "set damaged audit records aside");

    bool ok = file_store(to, (struct str){bytes, len}, 0600, err);

    arena_rewind(arena, mark);
    return ok;
}

static bool mend(struct audit *audit, struct arena *arena, const struct audit_end *end,
                 uint64_t number, struct err *err)
{
    char aside[AUDIT_PATH_MAX];
    struct segment *s = &audit->current;

    if (end->tail == AUDIT_TORN)
        log_warn("audit file \"%s\": cut an unfinished record after record %" PRIu64, s->path,
                 audit->seq);
    if (end->tail == AUDIT_HOLE) {
        if (!audit_path(aside, audit->dir, number, ".torn", err) ||
            !set_aside(arena, s->file, end, aside, err))
            return false;
        log_error(
            "audit file \"%s\": records after %" PRIu64
            " did not reach the disk before power was lost; what is left of them is in \"%s\"",
            s->path, audit->seq, aside);
    }
    return true;
}

/* Cutting first makes sure that everything after the last record reads as zero. */
static bool go_on_in(struct audit *audit, struct arena *arena, const struct audit_end *end,
                     uint64_t number, struct err *err)
{
    struct segment *s = &audit->current;

    s->used = end->used;
    if (!file_open(s->path, FILE_WRITE, 0600, &s->file, err) ||
        !mend(audit, arena, end, number, err) || !file_cut(s->file, (int64_t)end->used, err) ||
        !segment_map(s, MAX_OF(audit->segment_bytes, end->used), err))
        return err_wrap(err, "open audit file \"%s\"", s->path);
    if ((int64_t)end->used < end->size)
        log_info("audit log was not closed in order; it is whole up to record %" PRIu64,
                 audit->seq);
    return true;
}

/* A segment is cut behind its records once it is synced: one that ends so has all it ever had. */
static bool is_finished(const struct audit *audit, uint64_t number, bool *out, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    char path[AUDIT_PATH_MAX], last = 0;
    int64_t size;
    size_t got = 0;

    if (!audit_path(path, audit->dir, number, ".log", err) ||
        !file_open(path, FILE_READ, 0, &file, err) || !file_size(file, &size, err) ||
        (size > 0 && !file_read_at(file, size - 1, &last, 1, &got, err)))
        return false;
    *out = last == '\n';
    return true;
}

static bool is_whole(const struct audit *audit, const uint64_t *firsts, bool *out, struct err *err)
{
    struct audit_chain chain = {.seq = firsts[0] - 1};
    char path[AUDIT_PATH_MAX];
    struct audit_end end;

    if (!audit_path(path, audit->dir, firsts[0], ".log", err) ||
        (!audit_check_file(&chain, path, true, true, &end, err) && end.tail != AUDIT_HOLE))
        return false;
    *err = (struct err){0};
    *out = end.used > 0 && end.tail == AUDIT_CLEAN && chain.seq + 1 == firsts[1];
    return true;
}

static bool set_file_aside(const struct audit *audit, uint64_t number, struct err *err)
{
    char path[AUDIT_PATH_MAX], aside[AUDIT_PATH_MAX];

    if (!audit_path(path, audit->dir, number, ".log", err) ||
        !audit_path(aside, audit->dir, number, ".torn", err) || !file_rename(path, aside, err))
        return false;
    log_error("audit file \"%s\": records before it did not reach the disk before power was lost; "
              "it is now \"%s\"",
              path, aside);
    return true;
}

/* Power may fail before the segments in front of the last one are synced. The log ends in the first
 * of them that has lost records; the files behind it are set aside. */
static bool drop_beyond_loss(const struct audit *audit, const uint64_t *firsts, size_t *count,
                             struct err *err)
{
    size_t sure = *count ? *count - 1 : 0;
    bool ok = true;

    for (bool finished = false; sure > 0 && !finished; sure -= !finished)
        if (!is_finished(audit, firsts[sure - 1], &finished, err))
            return false;
    for (bool whole = true; sure + 1 < *count; sure++) {
        if (!is_whole(audit, &firsts[sure], &whole, err))
            return false;
        if (whole)
            continue;
        while (ok && *count > sure + 1)
            ok = set_file_aside(audit, firsts[--*count], err);
    }
    return ok;
}

/* A file without its header was being made when power was lost: the one before it is the last. */
static bool open_last(struct audit *audit, struct arena *arena, struct err *err)
{
    uint64_t *firsts;
    size_t count;

    if (!remove_spares(arena, audit->dir, err) ||
        !audit_segments(arena, audit->dir, &firsts, &count, err) ||
        !drop_beyond_loss(audit, firsts, &count, err))
        return false;
    while (count--) {
        struct audit_chain chain = {.seq = firsts[count] - 1};
        struct audit_end end;

        if (!audit_path(audit->current.path, audit->dir, firsts[count], ".log", err) ||
            (!audit_check_file(&chain, audit->current.path, true, true, &end, err) &&
             end.tail != AUDIT_HOLE))
            return false;
        if (end.used) {
            *err = (struct err){0};
            audit->seq = audit->synced = chain.seq;
            audit->head = chain.head;
            audit->is_chained_last = chain.version == AUDIT_PREV_LAST;
            return go_on_in(audit, arena, &end, firsts[count], err);
        }
        log_warn("audit file \"%s\" holds no record; it is removed", audit->current.path);
        if (!file_remove(audit->current.path, err))
            return false;
    }
    return true;
}

static bool lock_dir(struct audit *audit, struct arena *arena, struct err *err)
{
    struct str path = arena_fmt(arena, "%s/lock", audit->dir);

    if (!path.ptr)
        return err_arena(err, arena);
    return file_make_dir(audit->dir, 0700, err) &&
           file_open(path.ptr, FILE_WRITE, 0600, &audit->lock_file, err) &&
           file_lock(audit->lock_file, err);
}

static bool open_all(struct audit *audit, const struct audit_options *options, struct err *err)
{
    size_t bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * SEGMENT_BYTES_MAX);
    struct buf dir;

    if (!arena)
        return err_no_room(err, "no memory");
    buf_init_fixed(&dir, audit->dir, sizeof audit->dir - AUDIT_NAME_BYTES - 1);
    buf_str(&dir, str_from(options->dir));
    if (!buf_ok(&dir))
        return err_set(err, ERR_INVALID, "path is too long");
    audit->segment_bytes = MIN_OF(MAX_OF(bytes, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
    if (!lock_dir(audit, arena, err) || !open_last(audit, arena, err))
        return false;
    audit->leaves_from = audit->seq + 1;
    return audit->is_chained_last || roll(audit, err);
}

bool audit_open(const struct audit_options *options, struct audit **out, struct err *err)
{
    struct arena *arena = arena_new((size_t)64 * KIB + LEAVES * sizeof(struct sha256));
    struct audit *audit CLEANUP(audit_close) = arena ? arena_alloc(arena, sizeof *audit) : NULL;

    if (!audit) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the audit log");
    }
    audit->arena = arena;
    audit->leaves = arena_alloc_raw(arena, LEAVES * sizeof *audit->leaves);
    if (!audit->leaves)
        return err_arena(err, arena);
    audit->nudge_seq = UINT64_MAX;
    mutex_init(&audit->lock);
    mutex_init(&audit->sync_lock);
    mutex_init(&audit->making);
    if (!open_all(audit, options, err))
        return err_wrap(err, "audit log \"%s\"", options->dir);
    note_room(audit);
    *out = audit;
    audit = NULL;
    return true;
}

/* Leaves no reservation behind: that is how the next start knows that all went in order. */
void audit_close(struct audit **audit)
{
    struct audit *a = *audit;
    struct err err = {0};

    if (!a)
        return;
    if (!sync_all(a, &err) || (a->current.map && !segment_finish(&a->current, &err)))
        log_error("could not close the audit log in order: %s", err.text);
    while (a->retired_count)
        segment_close(&a->retired[--a->retired_count]);
    segment_close(&a->current);
    segment_discard(&a->spare);
    file_close(&a->lock_file);
    mutex_done(&a->lock);
    mutex_done(&a->sync_lock);
    mutex_done(&a->making);
    *audit = NULL;

    struct arena *arena = a->arena;
    arena_end(&arena);
}
