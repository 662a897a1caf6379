/* store/instances.c: who works on this database, and what they tell each other. */
#include "store/instances.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/file.h"

#define BEAT_EVERY       SECOND
#define TRIM_EVERY       (3600 * SECOND)
#define WAIT_STEP        (50 * MILLISECOND)
#define CHANGES_A_READ   200
#define READ_BYTES       ((size_t)4 * MIB)
#define OWN_BYTES        ((size_t)64 * KIB)
#define LISTED_MAX       1000
#define INSTANCE_ID_FILE 0600

/* change_counter has one row. Its lock is held up to the commit, so changes are numbered in the order in
 * which they can be seen. */
const struct migration store_migrations[] = {
    {"store", 1, "instances and changes",
     "CREATE TABLE instances ("
     " id TEXT PRIMARY KEY,"
     " boot TEXT NOT NULL," /* of the process that runs with this id */
     " version TEXT NOT NULL,"
     " knows TEXT NOT NULL,"
     " address TEXT NOT NULL,"
     " started BIGINT NOT NULL,"
     " seen BIGINT NOT NULL,"
     " stopped BIGINT NOT NULL,"  /* 0: not that anybody knew */
     " applied BIGINT NOT NULL);" /* changes that it has followed */
     "CREATE TABLE change_counter (n BIGINT NOT NULL);"
     "INSERT INTO change_counter VALUES (0);"
     "CREATE TABLE changes ("
     " n BIGINT PRIMARY KEY,"
     " kind TEXT NOT NULL,"
     " what TEXT NOT NULL,"
     " told_by TEXT NOT NULL,"
     " told BIGINT NOT NULL)",
     0},
};
const size_t store_migration_count = ARRAY_LEN(store_migrations);

struct instances {
    struct arena *arena;
    struct store *store;
    struct str id, boot;
    const struct follower *followers;
    size_t follower_count;

    /* the loop's own */
    int64_t applied;
    int64_t newest; /* when it was opened: what is told from there on is followed in any case */
    bool missed;    /* more than what is kept */
    bool failing;
    mono_ns beat, trim;

    atomic_uint alive;
    atomic_bool doubled;
};

/* ---- the id ---- */

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!((id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f')))
            return false;
    return id.len == INSTANCE_ID_LEN;
}

static struct str random_id(struct arena *arena)
{
    uint8_t bytes[INSTANCE_ID_LEN / 2];
    struct buf hex;
    struct str id;
    struct err err = {0};

    clock_random(bytes, sizeof bytes);
    buf_init(&hex, arena, INSTANCE_ID_LEN + 1);
    buf_hex(&hex, bytes, sizeof bytes);
    buf_char(&hex, 0);
    return buf_finish(&hex, &id, &err) ? str_slice(id, 0, INSTANCE_ID_LEN) : STR_NONE;
}

bool instance_id_load(struct arena *arena, const char *path, struct str *out, struct err *err)
{
    struct str text, id;
    struct err missing = {0};

    if (file_load(arena, path, KIB, &text, &missing)) {
        id = str_trim(text);
        if (!is_id(id))
            return err_set(err, ERR_INVALID,
                           "\"%s\" has no id of an instance: bring it back from a backup", path);
        *out = arena_fmt(arena, STR_FMT, STR_ARG(id));
        return out->ptr || err_arena(err, arena);
    }
    if (missing.code != ERR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    id = random_id(arena);
    if (!id.ptr)
        return err_arena(err, arena);
    struct str line = arena_fmt(arena, STR_FMT "\n", STR_ARG(id));
    if (!line.ptr)
        return err_arena(err, arena);
    *out = id;
    return file_store(path, line, INSTANCE_ID_FILE, err);
}

int64_t instance_knows(struct str knows, struct str module)
{
    int64_t n = 0;

    for (struct str word; str_split(&knows, ' ', &word);) {
        size_t sign = str_find_char(word, '=');

        if (str_eq(str_slice(word, 0, sign), module))
            return i64_parse(str_slice(word, sign + 1, word.len), &n) ? n : 0;
    }
    return 0;
}

/* ---- telling ---- */

bool change_write(struct store *store, const char *kind, struct str what,
                  const struct statement *statements, size_t count, int64_t *changed,
                  struct err *err)
{
    const struct value values[] = {V_TEXT(str_from(kind)), V_TEXT(what),
                                   V_TEXT(store_instance(store)), V_INT(clock_wall())};
    struct statement all[CHANGE_WRITES_MAX + 2];
    int64_t rows = 0;

    ASSERT(count <= CHANGE_WRITES_MAX);
    if (!store_is_shared(store))
        return store_write(store, statements, count, changed, err);
    all[0] = (struct statement){"UPDATE change_counter SET n = n + 1", NULL, 0};
    for (size_t i = 0; i < count; i++)
        all[i + 1] = statements[i];
    all[count + 1] = (struct statement){
        "INSERT INTO changes (n, kind, what, told_by, told)"
        " SELECT n, CAST(?1 AS TEXT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS BIGINT)"
        " FROM change_counter",
        values, ARRAY_LEN(values)};
    if (!store_write(store, all, count + 2, &rows, err))
        return false;
    if (changed)
        *changed = rows - 2;
    return true;
}

/* ---- following ---- */

static bool read_rows(struct instances *in, struct arena *arena, const char *sql, int64_t after,
                      struct rows *out, struct err *err)
{
    const struct value values[] = {V_INT(after), V_INT(CHANGES_A_READ)};
    const struct statement read = {sql, values, ARRAY_LEN(values)};

    return store_read(in->store, arena, &read, out, err);
}

static bool follow(struct instances *in, struct str kind, struct str what, bool own,
                   struct err *err)
{
    for (size_t i = 0; i < in->follower_count; i++) {
        const struct follower *f = &in->followers[i];

        if (str_eq(kind, str_from(f->kind)))
            return (own && f->others_only) || f->follow(f->ctx, what, err) ||
                   err_wrap(err, "follow a change (" STR_FMT ")", STR_ARG(kind));
    }
    log_debug("a change of kind " STR_FMT " does not concern this Weir", STR_ARG(kind));
    return true;
}

static bool follow_all(struct instances *in, struct err *err)
{
    log_warn("this instance was away for longer than changes are kept: everything counts as "
             "changed");
    for (size_t i = 0; i < in->follower_count; i++)
        if (in->followers[i].follow_all && !in->followers[i].follow_all(in->followers[i].ctx, err))
            return false;
    return true;
}

/* In their order; one that fails is tried again the next time, and those behind it wait. */
static bool follow_page(struct instances *in, struct arena *arena, size_t *count, struct err *err)
{
    struct rows rows;

    if (!read_rows(in, arena,
                   "SELECT n, kind, what, told_by FROM changes WHERE n > ?1 ORDER BY n LIMIT ?2",
                   in->applied, &rows, err))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        bool own = str_eq(rows_at(&rows, i, 3).s, in->id);

        if (!follow(in, rows_at(&rows, i, 1).s, rows_at(&rows, i, 2).s, own, err))
            return false;
        in->applied = rows_at(&rows, i, 0).i;
    }
    *count = rows.count;
    return true;
}

static bool follow_changes(struct instances *in, bool *any, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(READ_BYTES);
    const struct statement counter = {"SELECT n FROM change_counter", NULL, 0};
    struct rows rows;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to read changes");
    if (!store_read(in->store, arena, &counter, &rows, err))
        return false;

    int64_t newest = rows_at(&rows, 0, 0).i;

    *any = newest > in->applied || in->missed;
    if (in->missed) {
        if (!follow_all(in, err))
            return false;
        in->missed = false;
        in->applied = in->newest;
    }
    while (in->applied < newest) {
        size_t mark = arena_mark(arena), count = 0;

        if (!follow_page(in, arena, &count, err))
            return false;
        arena_rewind(arena, mark);
        if (!count)
            return err_set(err, ERR_INTERNAL, "change %" PRId64 " is counted, but it is not there",
                           in->applied + 1);
    }
    return true;
}

/* ---- beating ---- */

static void note_doubled(struct instances *in, bool doubled)
{
    if (doubled && !atomic_exchange(&in->doubled, true))
        log_error("another Weir runs with the id of this one (" STR_FMT "): a data directory was "
                  "copied. This one takes no more requests; remove the file \"instance\" and the "
                  "audit log from the copy",
                  STR_ARG(in->id));
}

static bool beat(struct instances *in, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(OWN_BYTES);
    wall_ms now;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to say that this instance is alive");
    if (!store_clock(in->store, &now, err))
        return false;

    const struct value values[] = {V_TEXT(in->id), V_TEXT(in->boot), V_INT(now),
                                   V_INT(in->applied)};
    const struct statement update = {
        "UPDATE instances SET seen = ?3, applied = ?4, stopped = 0 WHERE id = ?1 AND boot = ?2",
        values, ARRAY_LEN(values)};
    const struct value since[] = {V_INT(now - INSTANCE_ALIVE_MS)};
    const struct statement count = {
        "SELECT COUNT(*) FROM instances WHERE stopped = 0 AND seen > ?1", since, 1};
    struct rows rows;
    int64_t changed = 0;

    if (!store_write(in->store, &update, 1, &changed, err) ||
        !store_read(in->store, arena, &count, &rows, err))
        return false;
    note_doubled(in, changed == 0);
    atomic_store(&in->alive, (unsigned)MAX_OF(rows_at(&rows, 0, 0).i, 1));
    return true;
}

static bool trim(struct instances *in, struct err *err)
{
    const struct value values[] = {V_INT(clock_wall() - CHANGES_KEPT_MS)};
    const struct statement trim = {"DELETE FROM changes WHERE told < ?1", values, 1};

    return store_write(in->store, &trim, 1, NULL, err);
}

/* One that cannot do what it was told beats all the same: it goes on serving, so others must see that it is behind. */
static bool turn(struct instances *in, struct err *err)
{
    bool any = false, followed = follow_changes(in, &any, err);
    struct err why = {0};

    if ((followed && any) || fiber_now() >= in->beat) {
        in->beat = fiber_now() + BEAT_EVERY;
        if (!beat(in, followed ? err : &why))
            return false;
    }
    if (!followed)
        return false;
    if (fiber_now() >= in->trim) {
        in->trim = fiber_now() + TRIM_EVERY;
        return trim(in, err);
    }
    return true;
}

bool instances_catch_up(struct instances *in, struct err *err)
{
    return !store_is_shared(in->store) || turn(in, err) ||
           err_wrap(err, "catch up with the other instances");
}

void instances_loop(void *arg)
{
    struct instances *in = arg;
    struct err over = {0};

    while (store_is_shared(in->store) && fiber_sleep(CHANGES_EVERY, &over)) {
        struct err err = {0};
        bool ok = turn(in, &err);

        if (!ok && !in->failing)
            log_warn("changes of other instances cannot be followed now: %s", err.text);
        if (ok && in->failing)
            log_info("changes of other instances are followed again");
        in->failing = !ok;
    }
}

uint32_t instances_alive(const struct instances *in)
{
    return atomic_load(&in->alive);
}

bool instances_is_doubled(const struct instances *in)
{
    return atomic_load(&in->doubled);
}

static bool read_behind(struct instances *in, int64_t upto, struct arena *arena, struct str *out,
                        struct err *err)
{
    wall_ms now;

    if (!store_clock(in->store, &now, err))
        return false;

    const struct value values[] = {V_INT(upto), V_INT(now - INSTANCE_ALIVE_MS), V_TEXT(in->id)};
    const struct statement read = {"SELECT id FROM instances WHERE applied < ?1 AND seen > ?2"
                                   " AND stopped = 0 AND id <> ?3 ORDER BY id",
                                   values, ARRAY_LEN(values)};
    struct rows rows;
    struct buf b;

    if (!store_read(in->store, arena, &read, &rows, err))
        return false;
    buf_init(&b, arena, rows.count * (INSTANCE_ID_LEN + 1) + 1);
    for (size_t i = 0; i < rows.count; i++) {
        buf_str(&b, i ? STR(" ") : STR(""));
        buf_str(&b, rows_at(&rows, i, 0).s);
    }
    return buf_finish(&b, out, err);
}

bool instances_wait(struct instances *in, dur_ns most, struct arena *arena, struct str *behind,
                    struct err *err)
{
    const struct statement counter = {"SELECT n FROM change_counter", NULL, 0};
    mono_ns until = fiber_now() + most;
    struct rows rows;

    *behind = STR("");
    if (!store_is_shared(in->store))
        return true;
    if (!store_read(in->store, arena, &counter, &rows, err))
        return false;
    for (;;) {
        if (!read_behind(in, rows_at(&rows, 0, 0).i, arena, behind, err))
            return false;
        if (!behind->len || fiber_now() >= until)
            return true;
        if (!fiber_sleep(WAIT_STEP, err))
            return false;
    }
}

/* ---- opening and closing ---- */

/* An instance that was here before goes on where it was; a new one has nothing to catch up with. */
static bool read_place(struct instances *in, struct err *err)
{
    const struct value values[] = {V_TEXT(in->id)};
    const struct statement read = {
        "SELECT (SELECT n FROM change_counter), (SELECT applied FROM instances WHERE id = ?1),"
        " (SELECT MIN(n) FROM changes)",
        values, 1};
    struct rows rows;

    if (!store_read_now(in->store, in->arena, &read, &rows, err))
        return false;

    int64_t newest = rows_at(&rows, 0, 0).i;
    struct value before = rows_at(&rows, 0, 1), oldest = rows_at(&rows, 0, 2);

    in->newest = newest;
    in->applied = before.kind == VALUE_NULL ? newest : before.i;
    in->missed = in->applied < newest && (oldest.kind == VALUE_NULL || oldest.i > in->applied + 1);
    return true;
}

static bool announce(struct instances *in, const struct instances_options *options, struct err *err)
{
    wall_ms now;

    if (!store_clock_now(in->store, &now, err))
        return false;

    const struct value values[] = {V_TEXT(in->id),
                                   V_TEXT(in->boot),
                                   V_TEXT(str_from(options->version)),
                                   V_TEXT(store_knows(in->store)),
                                   V_TEXT(options->address),
                                   V_INT(now),
                                   V_INT(in->applied)};
    const struct statement upsert = {
        "INSERT INTO instances (id, boot, version, knows, address, started, seen, stopped, applied)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 0, ?7) ON CONFLICT (id) DO UPDATE SET"
        " boot = excluded.boot, version = excluded.version, knows = excluded.knows,"
        " address = excluded.address, started = excluded.started, seen = excluded.seen,"
        " stopped = 0",
        values, ARRAY_LEN(values)};

    return store_write_now(in->store, &upsert, 1, NULL, err);
}

bool instances_open(const struct instances_options *options, struct instances **out,
                    struct err *err)
{
    struct arena *arena = arena_new(OWN_BYTES);
    struct instances *in = arena ? arena_alloc(arena, sizeof *in) : NULL;

    if (!in) {
        arena_end(&arena);
        return err_no_room(err, "no memory for an instance");
    }
    in->arena = arena;
    in->store = options->store;
    in->id = store_instance(options->store);
    in->boot = random_id(arena);
    in->followers = options->followers;
    in->follower_count = options->follower_count;
    atomic_store(&in->alive, 1u);
    if ((!store_is_shared(in->store) || read_place(in, err)) && announce(in, options, err)) {
        *out = in;
        return true;
    }
    arena_end(&arena);
    return err_wrap(err, "announce this instance");
}

void instances_close(struct instances **at)
{
    struct instances *in = *at;
    struct err err = {0};

    *at = NULL;
    if (!in)
        return;

    const struct value values[] = {V_TEXT(in->id), V_TEXT(in->boot), V_INT(clock_wall()),
                                   V_INT(in->applied)};
    const struct statement update = {
        "UPDATE instances SET stopped = ?3, applied = ?4 WHERE id = ?1 AND boot = ?2", values,
        ARRAY_LEN(values)};

    if (!store_write_now(in->store, &update, 1, NULL, &err))
        log_warn("others learn only in a while that this instance stopped: %s", err.text);
    struct arena *arena = in->arena;
    arena_end(&arena);
}

/* ---- for people ---- */

bool instance_list(struct store *store, struct arena *arena, struct instance_info **out,
                   size_t *count, struct err *err)
{
    const struct value values[] = {V_INT(LISTED_MAX)};
    const struct statement read = {"SELECT id, version, address, started, seen, stopped"
                                   " FROM instances ORDER BY id LIMIT ?1",
                                   values, 1};
    struct rows rows;
    wall_ms now;

    if (!store_read(store, arena, &read, &rows, err) || !store_clock(store, &now, err))
        return false;

    struct instance_info *list = arena_array(arena, rows.count, sizeof *list);

    if (!list)
        return err_arena(err, arena);
    for (size_t i = 0; i < rows.count; i++) {
        list[i] = (struct instance_info){.id = rows_at(&rows, i, 0).s,
                                         .version = rows_at(&rows, i, 1).s,
                                         .address = rows_at(&rows, i, 2).s,
                                         .started = rows_at(&rows, i, 3).i,
                                         .seen = rows_at(&rows, i, 4).i,
                                         .stopped = rows_at(&rows, i, 5).i};
        list[i].alive = !list[i].stopped && list[i].seen > now - INSTANCE_ALIVE_MS;
        list[i].self = str_eq(list[i].id, store_instance(store));
        if (list[i].self) { /* it answers; one alone beats for nobody */
            list[i].alive = true;
            list[i].seen = now;
        }
    }
    *out = list;
    *count = rows.count;
    return true;
}
