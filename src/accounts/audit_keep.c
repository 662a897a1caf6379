#include "accounts/audit_keep.h"

#include <string.h>

#include "accounts/audit_body.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_query.h"
#include "accounts/audit_tree.h"
#include "accounts/calendar.h"
#include "base/json.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"
#include "sys/pool.h"

#define HOLDS_FILE      "holds"
#define HOLDS_BYTES_MAX (4 * MIB)
#define PRUNE_FIRST     (60 * SECOND)
#define PRUNE_EVERY     (3600 * SECOND)
#define DRIFT_MAX_MS    ((wall_ms)60 * 60 * 1000)
#define GAP_MAX_MS      (30 * DAY_MS)
#define GAP_WAIT        (24 * 3600 * SECOND)

struct audit_keep {
    struct arena *arena;
    struct audit *audit;
    struct audit_tree *tree;
    const char *dir;
    struct audit_bodies *bodies;
    wall_ms retention;
    dur_ns first_prune;
    struct pool *pool;
    wall_ms opened_wall;
    mono_ns opened_mono;
    bool
        gap; /* within a day the clock was far behind at a checkpoint, or nobody had asked for long */

    struct mutex lock;
    struct arena *holds_arena;
    struct audit_hold *holds;
    size_t hold_count;
};

/* ---- the file ---- */

static void put_member(struct json_writer *w, const char *name, struct str text)
{
    if (!text.len)
        return;
    jw_key(w, name);
    jw_str(w, text);
}

static void put_time(struct json_writer *w, const char *name, wall_ms t)
{
    char text[25];

    if (!t)
        return;
    wall_format(t, text);
    jw_key(w, name);
    jw_cstr(w, text);
}

static void put_hold(const struct audit_hold *hold, struct buf *to)
{
    char id[16];
    struct json_writer w;
    struct buf b;

    jw_init(&w, to);
    jw_object(&w);
    put_member(&w, "id", hold->id);
    put_member(&w, "tenant", hold->tenant);
    put_member(&w, "key", hold->key);
    put_member(&w, "subject", hold->subject);
    if (hold->request) {
        buf_init_fixed(&b, id, sizeof id);
        buf_hex_u64(&b, hold->request);
        put_member(&w, "request", buf_view(&b));
    }
    put_time(&w, "from", hold->from);
    put_time(&w, "until", hold->until);
    put_member(&w, "reason", hold->reason);
    put_member(&w, "by", hold->by);
    put_time(&w, "made", hold->made);
    jw_object_end(&w);
    buf_char(to, '\n');
}

static bool text_member(const struct json *j, const char *name, struct arena *arena,
                        struct str *out, struct err *err)
{
    json_ref v = json_get(j, json_root(j), str_from(name));

    *out = STR("");
    if (!v)
        return true;
    if (!json_str(j, v, arena, out))
        return err_set(err, ERR_INVALID, "\"%s\" is not a text", name);
    *out = arena_str(arena, *out);
    return out->ptr || err_arena(err, arena);
}

static bool time_member(const struct json *j, const char *name, struct arena *arena, wall_ms *out,
                        struct err *err)
{
    struct str text;

    *out = 0;
    return text_member(j, name, arena, &text, err) &&
           (!text.len || wall_parse(text, out) ||
            err_set(err, ERR_INVALID, "\"%s\" is not a time", name));
}

static bool read_hold(struct arena *arena, struct str line, struct audit_hold *out, struct err *err)
{
    const struct json *j = json_parse(arena, line, err);
    struct str request;
    uint8_t bytes[8];

    *out = (struct audit_hold){0};
    if (!j || !text_member(j, "id", arena, &out->id, err) ||
        !text_member(j, "tenant", arena, &out->tenant, err) ||
        !text_member(j, "key", arena, &out->key, err) ||
        !text_member(j, "subject", arena, &out->subject, err) ||
        !text_member(j, "request", arena, &request, err) ||
        !time_member(j, "from", arena, &out->from, err) ||
        !time_member(j, "until", arena, &out->until, err) ||
        !text_member(j, "reason", arena, &out->reason, err) ||
        !text_member(j, "by", arena, &out->by, err) ||
        !time_member(j, "made", arena, &out->made, err))
        return false;
    if (!out->id.len || (request.len && !hex_parse(request, bytes, sizeof bytes)))
        return err_set(err, ERR_INVALID, "\"%s\" is not an id", out->id.len ? "request" : "id");
    for (size_t i = 0; request.len && i < sizeof bytes; i++)
        out->request = out->request << 8 | bytes[i];
    return true;
}

bool audit_holds_read(struct arena *arena, struct str text, struct audit_hold **holds,
                      size_t *count, struct err *err)
{
    struct audit_hold *all = arena_array(arena, AUDIT_HOLDS_MAX + 1, sizeof *all);
    size_t have = 0, number = 0;
    struct str line;

    if (!all)
        return err_arena(err, arena);
    while (str_split(&text, '\n', &line)) {
        number++;
        if (!line.len)
            continue;
        if (have == AUDIT_HOLDS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %u holds", AUDIT_HOLDS_MAX);
        if (!read_hold(arena, line, &all[have], err))
            return err_wrap(err, "line %zu", number);
        have++;
    }
    *holds = all;
    *count = have;
    return true;
}

static bool holds_path(const struct audit_keep *keep, char to[AUDIT_PATH_MAX], struct err *err)
{
    struct buf b;

    buf_init_fixed(&b, to, AUDIT_PATH_MAX - sizeof ".new");
    buf_fmt(&b, "%s/" HOLDS_FILE, keep->dir);
    buf_char(&b, 0);
    return buf_ok(&b) || err_set(err, ERR_INVALID, "path of audit directory is too long");
}

/* From the file, replacing what is in memory; no file: no holds. */
static bool load_holds(struct audit_keep *keep, struct err *err)
{
    struct arena *arena = arena_new(8 * HOLDS_BYTES_MAX);
    char path[AUDIT_PATH_MAX];
    struct file_info info;
    struct err missing = {0};
    struct audit_hold *holds = NULL;
    struct str text = STR("");
    size_t count = 0;
    bool ok = arena != NULL || err_no_room(err, "no memory for holds");

    ok = ok && holds_path(keep, path, err);
    if (ok && file_stat(path, &info, &missing))
        ok = file_load(arena, path, HOLDS_BYTES_MAX, &text, err);
    else if (ok && missing.code != ERR_NOT_FOUND)
        ok = err_set(err, missing.code, "%s", missing.text);
    if (!ok || !audit_holds_read(arena, text, &holds, &count, err)) {
        arena_end(&arena);
        return err_wrap(err, "holds of the audit log");
    }
    arena_end(&keep->holds_arena);
    keep->holds_arena = arena;
    keep->holds = holds;
    keep->hold_count = count;
    return true;
}

/* All but the one at `without`, and `more`, if any. */
static bool store_holds(struct audit_keep *keep, size_t without, const struct audit_hold *more,
                        struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * HOLDS_BYTES_MAX);
    char path[AUDIT_PATH_MAX];
    struct str text;
    struct buf b;

    if (!arena)
        return err_no_room(err, "no memory for holds");
    buf_init(&b, arena, HOLDS_BYTES_MAX);
    for (size_t i = 0; i < keep->hold_count; i++)
        if (i != without)
            put_hold(&keep->holds[i], &b);
    if (more)
        put_hold(more, &b);
    return holds_path(keep, path, err) && buf_finish(&b, &text, err) &&
           file_store(path, text, 0600, err) && load_holds(keep, err);
}

/* ---- holds ---- */

bool audit_hold_add(struct audit_keep *keep, struct audit_hold *hold, struct arena *arena,
                    struct err *err)
{
    uint8_t random[4];
    char text[2 * sizeof random + 2];
    struct buf b;
    bool ok;

    if (!hold->tenant.len && !hold->key.len && !hold->subject.len && !hold->request &&
        !hold->from && !hold->until)
        return err_set(err, ERR_INVALID,
                       "a hold needs a tenant, key, subject, request or range of time");
    if (!hold->reason.len || hold->reason.len > 200)
        return err_set(err, ERR_INVALID, "a hold needs a reason of 1 to 200 bytes");
    clock_random(random, sizeof random);
    buf_init_fixed(&b, text, sizeof text);
    buf_str(&b, STR("h_"));
    buf_hex(&b, random, sizeof random);
    hold->id = arena_str(arena, buf_view(&b));
    if (!hold->id.ptr)
        return err_arena(err, arena);
    mutex_lock(&keep->lock);
    ok =
        keep->hold_count < AUDIT_HOLDS_MAX
            ? store_holds(keep, SIZE_MAX, hold, err)
            : err_set(err, ERR_EXHAUSTED, "there are %u holds, which is the most", AUDIT_HOLDS_MAX);
    mutex_unlock(&keep->lock);
    return ok;
}

bool audit_hold_release(struct audit_keep *keep, struct str id, struct err *err)
{
    size_t at = 0;
    bool ok;

    mutex_lock(&keep->lock);
    while (at < keep->hold_count && !str_eq(keep->holds[at].id, id))
        at++;
    ok = at < keep->hold_count ? store_holds(keep, at, NULL, err)
                               : err_set(err, ERR_NOT_FOUND, "no hold has the id \"" STR_FMT "\"",
                                         STR_ARG(str_slice(id, 0, 60)));
    mutex_unlock(&keep->lock);
    return ok;
}

static bool copy_hold(struct arena *arena, const struct audit_hold *from, struct audit_hold *to)
{
    *to = *from;
    to->id = arena_str(arena, from->id);
    to->tenant = arena_str(arena, from->tenant);
    to->key = arena_str(arena, from->key);
    to->subject = arena_str(arena, from->subject);
    to->reason = arena_str(arena, from->reason);
    to->by = arena_str(arena, from->by);
    return to->id.ptr && to->tenant.ptr && to->key.ptr && to->subject.ptr && to->reason.ptr &&
           to->by.ptr;
}

bool audit_hold_list(struct audit_keep *keep, struct arena *arena, struct audit_hold **out,
                     size_t *count, struct err *err)
{
    bool ok;

    mutex_lock(&keep->lock);
    *count = keep->hold_count;
    *out = arena_array(arena, keep->hold_count + 1, sizeof **out);
    ok = *out != NULL;
    for (size_t i = 0; ok && i < keep->hold_count; i++)
        ok = copy_hold(arena, &keep->holds[i], &(*out)[i]);
    mutex_unlock(&keep->lock);
    return ok || err_arena(err, arena);
}

static bool note_found(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    (void)seq, (void)line, (void)err;
    *(bool *)ctx = true;
    return true;
}

/* `subject` empty: whoever. */
static struct audit_query query_of(const struct audit_hold *hold, struct str subject)
{
    return (struct audit_query){.from = hold->from,
                                .until = hold->until,
                                .request = hold->request,
                                .key = hold->key,
                                .tenant = hold->tenant,
                                .subject = subject.len ? subject : hold->subject,
                                .limit = 1};
}

bool audit_hold_on_subject(struct audit_keep *keep, struct str subject, struct arena *arena,
                           struct str *id, struct err *err)
{
    struct audit_hold *holds;
    size_t count;

    *id = STR("");
    if (!audit_hold_list(keep, arena, &holds, &count, err))
        return false;
    for (size_t i = 0; i < count && !id->len; i++) {
        struct audit_query query = query_of(&holds[i], subject);
        bool found = false;
        uint64_t next;

        if (holds[i].subject.len && !str_eq(holds[i].subject, subject))
            continue;
        if (!audit_query(keep->dir, &query, note_found, &found, &next, err))
            return false;
        if (found)
            *id = holds[i].id;
    }
    return true;
}

bool audit_erase_bodies(struct audit_keep *keep, const struct str *subjects, size_t count,
                        struct arena *arena, struct str *hold, bool *had, struct err *err)
{
    *had = false;
    *hold = STR("");
    for (size_t i = 0; i < count && !hold->len; i++)
        if (!audit_hold_on_subject(keep, subjects[i], arena, hold, err))
            return false;
    for (size_t i = 0; i < count && !hold->len; i++) {
        bool one = false;

        if (!audit_body_erase(keep->bodies, subjects[i], &one, err))
            return false;
        *had = *had || one;
    }
    return true;
}

/* ---- pruning ---- */

/* Hashes may meet by chance: then more is held than has to be. */
static bool row_is_held(const struct audit_hold *hold, const uint32_t want[3],
                        const struct audit_row *row)
{
    return (!want[0] || want[0] == row->columns[COLUMN_TENANT]) &&
           (!want[1] || want[1] == row->columns[COLUMN_KEY]) &&
           (!want[2] || want[2] == row->columns[COLUMN_SUBJECT]) &&
           (!hold->request || hold->request == row->request) &&
           (!hold->from || row->time >= hold->from) && (!hold->until || row->time < hold->until);
}

static uint32_t hash_of(struct str text)
{
    char memory[1400]; /* six bytes for each of the 200 that a text has */
    struct buf b;

    if (!text.len)
        return 0;
    buf_init_fixed(&b, memory, sizeof memory);
    buf_json_str(&b, text);
    return buf_ok(&b) ? audit_column_hash(buf_view(&b)) : 0; /* 0 fits any row */
}

static bool is_held(const struct audit_keep *keep, const struct audit_table *table)
{
    for (size_t h = 0; h < keep->hold_count; h++) {
        const struct audit_hold *hold = &keep->holds[h];
        const uint32_t want[3] = {hash_of(hold->tenant), hash_of(hold->key),
                                  hash_of(hold->subject)};

        for (size_t i = 0; i < table->count; i++)
            if (row_is_held(hold, want, &table->rows[i]))
                return true;
    }
    return false;
}

static bool may_go(struct audit_keep *keep, uint64_t first, uint64_t end, wall_ms cutoff, bool *out,
                   struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    struct audit_table table CLEANUP(audit_table_close) = {0};
    uint64_t whole =
        audit_tree_settled(keep->tree) / 256 * 256; /* in full tiles, which are synced */

    if (!arena)
        return err_no_room(err, "no memory to look at old records");
    *out = end <= whole;
    if (!*out)
        return true;
    if (!audit_table_open(&table, arena, keep->dir, first, err))
        return false;
    *out = table.last_time < cutoff && !is_held(keep, &table);
    return true;
}

static bool remove_segment(const struct audit_keep *keep, uint64_t first, struct err *err)
{
    char path[AUDIT_PATH_MAX];

    return audit_path(path, keep->dir, first, ".log", err) && file_remove(path, err);
}

static bool is_segment(const uint64_t *firsts, size_t count, struct str name)
{
    uint64_t first;

    if (!u64_parse(str_slice(name, 0, AUDIT_NAME_DIGITS), &first))
        return true; /* not ours to judge */
    for (size_t i = 0; i < count; i++)
        if (firsts[i] == first)
            return true;
    return false;
}

/* Tables of segments that are gone say when what was asked: they go too, also those that a removal which was
 * cut off has left. */
static bool sweep_tables(const struct audit_keep *keep, struct arena *arena, struct err *err)
{
    struct str folder = arena_fmt(arena, "%s/" AUDIT_INDEX, keep->dir), *names;
    struct err missing = {0};
    struct file_info info;
    size_t count, name_count;
    uint64_t *firsts;

    if (!folder.ptr)
        return err_arena(err, arena);
    if (!file_stat(folder.ptr, &info, &missing) && missing.code == ERR_NOT_FOUND)
        return true;
    if (!audit_segments(arena, keep->dir, &firsts, &count, err) ||
        !file_list(arena, folder.ptr, AUDIT_FILES_MAX, &names, &name_count, err))
        return false;
    for (size_t i = 0; i < name_count; i++) {
        if (is_segment(firsts, count, names[i]))
            continue;
        struct str path = arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(names[i]));
        if (!path.ptr)
            return err_arena(err, arena);
        if (!file_remove(path.ptr, err))
            return false;
    }
    return true;
}

/* Signed for before it is done. */
static bool record_prune(struct audit_keep *keep, uint64_t from, uint64_t to, wall_ms now,
                         struct err *err)
{
    char note[160];
    struct audit_record record = {
        .time = now, .outcome = STR("complete"), .tokens_in = -1, .tokens_out = -1};
    struct buf b;

    buf_init_fixed(&b, note, sizeof note);
    buf_fmt(&b, "records %" PRIu64 " to %" PRIu64 " are removed: older than %" PRId64 " days", from,
            to, keep->retention / DAY_MS);
    record.note = buf_view(&b);
    return audit_append(keep->audit, &record, err) && audit_tree_advance(keep->tree, err);
}

static bool clock_is_sound(const struct audit_keep *keep, wall_ms now, struct err *err)
{
    dur_ns run = clock_mono() - keep->opened_mono;
    wall_ms drift = now - keep->opened_wall - run / MILLISECOND;

    if (drift > DRIFT_MAX_MS || drift < -DRIFT_MAX_MS)
        return err_set(err, ERR_UNAVAILABLE,
                       "the clock has jumped by %" PRId64 " minutes since the start: nothing is "
                       "removed until the next start",
                       drift / 60000);
    if (keep->gap && run < GAP_WAIT)
        return err_set(err, ERR_UNAVAILABLE,
                       "the last checkpoints are more than 30 days apart by the clock: nothing "
                       "is removed in the first day");
    return true;
}

/* Segments from the oldest on that may go; a hold keeps its segment and all that follow. */
static bool prune_locked(struct audit_keep *keep, wall_ms now, uint64_t *gone, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    size_t count, can = 0;
    uint64_t *firsts;
    bool go = true;

    if (!arena)
        return err_no_room(err, "no memory to look at old records");
    if (!audit_segments(arena, keep->dir, &firsts, &count, err))
        return false;
    for (; can + 1 < count; can++) {
        if (!may_go(keep, firsts[can], firsts[can + 1] - 1, now - keep->retention, &go, err))
            return false;
        if (!go)
            break;
    }
    if (!can)
        return sweep_tables(keep, arena, err);
    if (!record_prune(keep, firsts[0], firsts[can] - 1, now, err))
        return false;
    for (size_t i = 0; i < can; i++) {
        if (!remove_segment(keep, firsts[i], err))
            return false;
        *gone += firsts[i + 1] - firsts[i];
    }
    return sweep_tables(keep, arena, err);
}

/* A body lives as long as its record could: while there is any hold all of them stay. */
static bool prune_bodies(struct audit_keep *keep, wall_ms now, struct err *err)
{
    return !keep->bodies || keep->hold_count ||
           audit_bodies_prune(keep->bodies, now - keep->retention, err);
}

bool audit_prune(struct audit_keep *keep, wall_ms now, uint64_t *gone, struct err *err)
{
    *gone = 0;
    mutex_lock(&keep->lock);
    bool ok = clock_is_sound(keep, now, err) && prune_locked(keep, now, gone, err) &&
              prune_bodies(keep, now, err);
    mutex_unlock(&keep->lock);
    return ok || err_wrap(err, "remove old audit records");
}

struct prune_job {
    struct audit_keep *keep;
    struct err err;
    uint64_t gone;
    bool ok;
};

static void run_prune(void *arg)
{
    struct prune_job *job = arg;

    job->ok = audit_prune(job->keep, clock_wall(), &job->gone, &job->err);
}

void audit_keep_loop(void *arg)
{
    struct audit_keep *keep = arg;
    struct err over = {0};
    dur_ns wait = keep->first_prune; /* who starts often gets no further */

    while (fiber_sleep(wait, &over)) {
        struct prune_job job = {.keep = keep};

        wait = PRUNE_EVERY;
        if (!pool_run(keep->pool, run_prune, &job, &job.err))
            job.ok = false;
        if (!job.ok)
            log_warn("%s", job.err.text);
        if (job.gone)
            log_info("%" PRIu64 " audit records older than %" PRId64 " days are removed", job.gone,
                     keep->retention / DAY_MS);
    }
}

/* ---- opening ---- */

static bool time_of(struct str note, wall_ms *out)
{
    struct checkpoint checkpoint;
    struct err ignored = {0};

    if (!checkpoint_read(str_slice(note, 0, str_find(note, STR("\n\n")) + 1), &checkpoint,
                         &ignored))
        return false;
    *out = checkpoint.time;
    return true;
}

/* A start signs by a clock that has jumped, too: so those of the last day are looked at, and the one before them. */
static bool look_at_kept(struct audit_keep *keep, wall_ms later, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    struct str folder = arena ? arena_fmt(arena, "%s/" AUDIT_CHECKPOINTS, keep->dir) : STR_NONE;
    struct str *names, path, note;
    wall_ms day_ago = keep->opened_wall - DAY_MS, time;
    size_t count;

    if (!folder.ptr)
        return err_no_room(err, "no memory to look at the clock");
    if (!file_list_any(arena, folder.ptr, AUDIT_FILES_MAX, &names, &count, err))
        return false;
    while (count-- && later > day_ago && !keep->gap) {
        path = arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(names[count]));
        if (!path.ptr)
            return err_arena(err, arena);
        if (!file_load(arena, path.ptr, NOTE_MAX, &note, err))
            return false;
        if (!time_of(note, &time)) /* was being written when the process died */
            continue;
        keep->gap = later - time > GAP_MAX_MS;
        later = time;
    }
    return true;
}

/* Since the last checkpoint, by its own word. */
static bool look_at_clock(struct audit_keep *keep, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct str note;
    wall_ms last;

    if (!arena)
        return err_no_room(err, "no memory to look at the clock");
    keep->opened_wall = clock_wall();
    keep->opened_mono = clock_mono();
    if (!audit_tree_note(keep->tree, arena, &note, err))
        return false;
    if (!time_of(note, &last))
        return err_set(err, ERR_INVALID, "the newest checkpoint of the audit log is not one");
    keep->gap = keep->opened_wall - last > GAP_MAX_MS;
    return look_at_kept(keep, last, err);
}

bool audit_keep_open(struct audit *audit, struct audit_tree *tree,
                     const struct audit_keep_options *options, struct audit_keep **out,
                     struct err *err)
{
    static const struct pool_options pool = {.name = "audit keep", .threads = 1, .queue_max = 16};
    struct arena *arena = arena_new((size_t)64 * KIB);
    struct audit_keep *keep CLEANUP(audit_keep_close) =
        arena ? arena_alloc(arena, sizeof *keep) : NULL;

    if (!keep) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the retention of the audit log");
    }
    keep->arena = arena;
    keep->audit = audit;
    keep->tree = tree;
    keep->dir = audit_dir(audit);
    keep->retention = options->retention;
    keep->first_prune = options->first_prune ? options->first_prune : PRUNE_FIRST;
    mutex_init(&keep->lock);
    if (options->retention < AUDIT_RETENTION_DAYS_MIN * DAY_MS)
        return err_set(err, ERR_INVALID, "audit records are kept for at least %d days",
                       AUDIT_RETENTION_DAYS_MIN);
    keep->bodies = options->bodies;
    keep->pool = pool_new(&pool, err);
    if (!keep->pool || !load_holds(keep, err) || !look_at_clock(keep, err))
        return false;
    *out = keep;
    keep = NULL;
    return true;
}

void audit_keep_close(struct audit_keep **keep)
{
    struct audit_keep *k = *keep;

    if (!k)
        return;
    pool_free(&k->pool);
    arena_end(&k->holds_arena);
    mutex_done(&k->lock);
    *keep = NULL;

    struct arena *arena = k->arena;
    arena_end(&arena);
}
