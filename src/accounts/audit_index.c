#include <assert.h>
#include <string.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_query.h"
#include "accounts/calendar.h"
#include "sys/file.h"

#define MAGIC       "weiridx1"
#define ROWS_FIRST  64u
#define LINE_USUAL  384u /* bytes of a record: a guess that saves growing */
#define HASH_MEMBER STR(",\"hash\":\"")
#define TABLE_BYTES ((size_t)1 * GIB) /* of one segment's rows, at most */

struct index_head {
    char magic[8];
    uint64_t first, count;
    wall_ms first_time, last_time;
    uint32_t crc; /* of the rows */
    uint32_t row_bytes;
};

static_assert(sizeof(struct audit_row) == 80, "as it stands in the file");
static_assert(sizeof(struct index_head) % 8 == 0, "rows are aligned behind it");

static const struct {
    struct str name;
    enum audit_column column;
} columns[] = {
    {{"key", 3}, COLUMN_KEY},     {{"tenant", 6}, COLUMN_TENANT},
    {{"team", 4}, COLUMN_TEAM},   {{"subject", 7}, COLUMN_SUBJECT},
    {{"model", 5}, COLUMN_MODEL}, {{"provider", 8}, COLUMN_PROVIDER},
    {{"route", 5}, COLUMN_ROUTE}, {{"outcome", 7}, COLUMN_OUTCOME},
};

/* ---- rows ---- */

uint32_t audit_column_hash(struct str raw)
{
    static const uint8_t key[16] = {'w', 'e', 'i', 'r', ' ', 'a', 'u', 'd', 'i', 't'};
    uint32_t hash = (uint32_t)siphash_keyed(key, raw);

    return hash ? hash : 1;
}

static struct str unquoted(struct str raw)
{
    return raw.len >= 2 && raw.ptr[0] == '"' ? str_slice(raw, 1, raw.len - 1) : STR_NONE;
}

static uint64_t id_of(struct str raw)
{
    uint8_t bytes[8];
    uint64_t id = 0;

    if (!hex_parse(unquoted(raw), bytes, sizeof bytes))
        return 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        id = id << 8 | bytes[i];
    return id;
}

static void read_member(const struct audit_member *m, struct audit_row *out)
{
    uint64_t status;

    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (str_eq(m->name, columns[i].name)) {
            out->columns[columns[i].column] = audit_column_hash(m->raw);
            return;
        }
    if (str_eq(m->name, STR("time")))
        (void)!wall_parse(unquoted(m->raw), &out->time);
    else if (str_eq(m->name, STR("request")))
        out->request = id_of(m->raw);
    else if (str_eq(m->name, STR("cost")))
        (void)!usd_parse(m->raw, &out->cost);
    else if (str_eq(m->name, STR("status")) && u64_parse(m->raw, &status) && status <= UINT32_MAX)
        out->status = (uint32_t)status;
}

/* The hash of the chain is the last member, and the longest; no column wants it. */
static struct str without_hash(struct str line)
{
    size_t len = HASH_MEMBER.len + 2 * sizeof(struct sha256) + 2;
    size_t at = line.len - MIN_OF(len, line.len);

    return str_starts(str_slice(line, at, line.len), HASH_MEMBER) ? str_slice(line, 0, at + 1)
                                                                  : line;
}

void audit_row_read(struct str line, struct audit_row *out)
{
    struct audit_member member;

    *out = (struct audit_row){.len = (uint32_t)line.len};
    line = without_hash(line);
    while (audit_member_next(&line, &member))
        read_member(&member, out);
}

/* ---- from the segment ---- */

/* Behind room for the file's head, so that an index is written as it stands. */
struct rows {
    struct arena *arena;
    struct index_head *head; /* its rows follow */
    size_t count, room;
};

static size_t bytes_of(size_t rows)
{
    return sizeof(struct index_head) + rows * sizeof(struct audit_row);
}

static struct audit_row *rows_of(const struct rows *rows)
{
    return (struct audit_row *)(void *)(rows->head + 1);
}

static bool make_room(struct rows *rows, size_t room, struct err *err)
{
    struct index_head *more =
        arena_grow(rows->arena, rows->head, bytes_of(rows->room), bytes_of(room));

    if (!more)
        return err_arena(err, rows->arena);
    rows->head = more;
    rows->room = room;
    return true;
}

static bool add_row(struct rows *rows, const struct audit_row *row, struct err *err)
{
    if (rows->count == rows->room && !make_room(rows, 2 * rows->room, err))
        return false;
    rows_of(rows)[rows->count++] = *row;
    return true;
}

static bool scan(struct rows *rows, struct audit_cursor *cursor, uint64_t first, struct err *err)
{
    struct str line;
    bool more = true;

    for (;;) {
        struct audit_row row;

        if (!audit_cursor_next(cursor, &line, &more, err))
            return false;
        if (!more || cursor->first != first)
            return true;
        audit_row_read(line, &row);
        row.at = (uint32_t)cursor->line_at;
        if (!add_row(rows, &row, err))
            return false;
    }
}

static void set_times(struct audit_table *table)
{
    table->first_time = INT64_MAX;
    table->last_time = INT64_MIN;
    for (size_t i = 0; i < table->count; i++) {
        table->first_time = MIN_OF(table->first_time, table->rows[i].time);
        table->last_time = MAX_OF(table->last_time, table->rows[i].time);
    }
}

static bool scan_segment(struct rows *rows, struct audit_table *table, const char *dir,
                         uint64_t first, struct err *err)
{
    struct arena *window CLEANUP(arena_end) = arena_new((size_t)64 * MIB);
    struct audit_cursor cursor CLEANUP(audit_cursor_close) = {0};
    int64_t bytes;

    if (!window)
        return err_no_room(err, "no memory to read the audit log");
    if (!audit_cursor_open(&cursor, window, dir, first, err) ||
        !file_size(cursor.file, &bytes, err) ||
        !make_room(rows, ROWS_FIRST + (size_t)bytes / LINE_USUAL, err) ||
        !scan(rows, &cursor, first, err))
        return false;
    *table = (struct audit_table){.rows = rows_of(rows), .count = rows->count};
    set_times(table);
    return true;
}

/* ---- from the index ---- */

static bool index_path(char to[AUDIT_PATH_MAX], const char *dir, uint64_t first, struct err *err)
{
    struct buf b;

    buf_init_fixed(&b, to, AUDIT_PATH_MAX - sizeof ".new");
    buf_fmt(&b, "%s/" AUDIT_INDEX "/%0*" PRIu64, dir, AUDIT_NAME_DIGITS, first);
    buf_char(&b, 0);
    return buf_ok(&b) || err_set(err, ERR_INVALID, "path of audit directory is too long");
}

bool audit_table_check(struct str bytes, uint64_t first, struct audit_table *out)
{
    struct index_head head;

    if (bytes.len < sizeof head)
        return false;
    memcpy(&head, bytes.ptr, sizeof head);

    struct str rows = str_slice(bytes, sizeof head, bytes.len);

    if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0 || head.first != first ||
        head.row_bytes != sizeof(struct audit_row) || head.count > TABLE_BYTES ||
        rows.len != head.count * sizeof(struct audit_row) ||
        head.crc != crc32c(0, rows.ptr, rows.len))
        return false;
    out->rows = (const struct audit_row *)(const void *)rows.ptr;
    out->count = head.count;
    out->first_time = head.first_time;
    out->last_time = head.last_time;
    return true;
}

/* False: there is none, or none that is whole; then the segment is read. */
static bool map_index(struct audit_table *table, const char *dir, uint64_t first)
{
    char path[AUDIT_PATH_MAX];
    struct file *file CLEANUP(file_close) = NULL;
    struct audit_table found = {0};
    struct err err = {0};
    int64_t size;

    if (!index_path(path, dir, first, &err) || !file_open(path, FILE_READ, 0, &file, &err) ||
        !file_size(file, &size, &err) || size < (int64_t)sizeof(struct index_head) ||
        !file_map(file, (size_t)size, false, &found.map, &err))
        return false;
    found.map_bytes = (size_t)size;
    if (!audit_table_check((struct str){found.map, found.map_bytes}, first, &found)) {
        audit_table_close(&found);
        return false;
    }
    *table = found;
    return true;
}

bool audit_table_open(struct audit_table *table, struct arena *arena, const char *dir,
                      uint64_t first, struct err *err)
{
    struct rows rows = {.arena = arena};

    *table = (struct audit_table){0};
    return map_index(table, dir, first) || scan_segment(&rows, table, dir, first, err);
}

void audit_table_close(struct audit_table *table)
{
    if (table->map)
        file_unmap(table->map, table->map_bytes);
    *table = (struct audit_table){0};
}

/* ---- making it ---- */

static bool make_index(const char *dir, uint64_t first, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * TABLE_BYTES);
    struct rows rows = {.arena = arena};
    struct audit_table table;
    char path[AUDIT_PATH_MAX];

    if (!arena)
        return err_no_room(err, "no memory to index the audit log");
    if (!index_path(path, dir, first, err) || !scan_segment(&rows, &table, dir, first, err))
        return false;
    *rows.head = (struct index_head){.first = first,
                                     .count = table.count,
                                     .first_time = table.first_time,
                                     .last_time = table.last_time,
                                     .crc = crc32c(0, table.rows, table.count * sizeof *table.rows),
                                     .row_bytes = sizeof *table.rows};
    memcpy(rows.head->magic, MAGIC, sizeof rows.head->magic);
    return file_store(path, (struct str){(const char *)rows.head, bytes_of(table.count)}, 0600,
                      err);
}

bool audit_index_missing(const char *dir, uint64_t before, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    uint64_t *firsts;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to index the audit log");

    struct str folder = arena_fmt(arena, "%s/" AUDIT_INDEX, dir);

    if (!folder.ptr || !file_make_dir(folder.ptr, 0700, err) ||
        !audit_segments(arena, dir, &firsts, &count, err))
        return folder.ptr ? false : err_arena(err, arena);
    for (size_t i = 0; i + 1 < count && firsts[i + 1] <= before; i++) {
        char path[AUDIT_PATH_MAX];
        struct file_info info;
        struct err missing = {0};

        if (!index_path(path, dir, firsts[i], err))
            return false;
        if (!file_stat(path, &info, &missing) && !make_index(dir, firsts[i], err))
            return err_wrap(err, "index audit file %" PRIu64, firsts[i]);
    }
    return true;
}
