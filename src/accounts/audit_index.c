#include <assert.h>
#include <string.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_query.h"
#include "accounts/calendar.h"
#include "base/log.h"
#include "sys/file.h"

#define MAGIC       "weiridx1"
#define ROWS_FIRST  64u
#define LINE_USUAL  384u /* bytes of a record: a guess that saves growing */
#define HASH_MEMBER STR(",\"hash\":\"")
#define TABLE_BYTES ((size_t)1 * GIB) /* of one segment's rows, at most */

static_assert(sizeof(struct audit_row) == 80, "as it stands in the file");
static_assert(sizeof(struct audit_index_head) % 8 == 0, "rows are aligned behind it");

/* What a row has of a record, by the first letter of its name. */
enum member { MEMBER_TIME = COLUMNS, MEMBER_REQUEST, MEMBER_COST, MEMBER_STATUS, MEMBER_OTHER };

static const struct named_member {
    struct str name;
    uint32_t is; /* enum audit_column, or enum member */
} members[26][3] = {
    ['c' - 'a'] = {{{"cost", 4}, MEMBER_COST}},
    ['k' - 'a'] = {{{"key", 3}, COLUMN_KEY}},
    ['m' - 'a'] = {{{"model", 5}, COLUMN_MODEL}},
    ['o' - 'a'] = {{{"outcome", 7}, COLUMN_OUTCOME}},
    ['p' - 'a'] = {{{"provider", 8}, COLUMN_PROVIDER}},
    ['r' - 'a'] = {{{"route", 5}, COLUMN_ROUTE}, {{"request", 7}, MEMBER_REQUEST}},
    ['s' - 'a'] = {{{"status", 6}, MEMBER_STATUS}, {{"subject", 7}, COLUMN_SUBJECT}},
    ['t' - 'a'] = {{{"time", 4}, MEMBER_TIME},
                   {{"tenant", 6}, COLUMN_TENANT},
                   {{"team", 4}, COLUMN_TEAM}},
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
    struct str text = unquoted(raw);
    uint64_t id = 0;

    if (text.len != 16)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - '0',
                 letter = ((unsigned char)text.ptr[i] | 0x20u) - 'a';

        if (digit > 9 && letter > 5)
            return 0;
        id = id << 4 | (digit <= 9 ? digit : letter + 10);
    }
    return id;
}

/* Neighbours were mostly written for the same key, in the same second. */
static uint32_t hash_as_before(struct audit_memo *memo, enum audit_column column, struct str raw)
{
    struct audit_memo_text *last = &memo->columns[column];

    if (raw.len == last->len && memcmp(raw.ptr, last->text, raw.len) == 0)
        return last->hash;
    uint32_t hash = audit_column_hash(raw);
    if (raw.len <= sizeof last->text) {
        memcpy(last->text, raw.ptr, raw.len);
        last->len = raw.len;
        last->hash = hash;
    }
    return hash;
}

static void read_time(struct audit_memo *memo, struct str text, wall_ms *out)
{
    uint64_t ms;

    if (memo->second[0] && text.len == sizeof memo->second + 4 &&
        memcmp(text.ptr, memo->second, sizeof memo->second) == 0 && text.ptr[23] == 'Z' &&
        u64_parse(str_slice(text, 20, 23), &ms)) {
        *out = memo->begun + (wall_ms)ms;
    } else if (wall_parse(text, out)) {
        memcpy(memo->second, text.ptr, sizeof memo->second);
        memo->begun = *out - *out % 1000;
    }
}

/* Which member it was, or MEMBER_OTHER. */
static uint32_t read_member(struct audit_memo *memo, const struct audit_member *m,
                            struct audit_row *out)
{
    unsigned letter = m->name.len ? (unsigned char)m->name.ptr[0] - 'a' : 26;
    uint64_t status;

    if (letter >= ARRAY_LEN(members))
        return MEMBER_OTHER;
    const struct named_member *at = members[letter], *end = at + ARRAY_LEN(members[letter]);
    while (at < end && !str_eq(at->name, m->name))
        at++;
    if (at == end)
        return MEMBER_OTHER;
    switch (at->is) {
    case MEMBER_TIME: read_time(memo, unquoted(m->raw), &out->time); break;
    case MEMBER_REQUEST: out->request = id_of(m->raw); break;
    case MEMBER_COST: (void)!usd_parse(m->raw, &out->cost); break;
    case MEMBER_STATUS:
        if (u64_parse(m->raw, &status) && status <= UINT32_MAX)
            out->status = (uint32_t)status;
        break;
    default: out->columns[at->is] = hash_as_before(memo, (enum audit_column)at->is, m->raw);
    }
    return at->is;
}

/* ---- the middle of a line, from behind the request to the outcome: mostly that of the line before ---- */

/* False: it says something else, and is read. The row has nothing of it yet. */
static bool take_middle(const struct audit_memo *memo, struct str *rest, struct audit_row *out)
{
    size_t len = memo->middle_len;

    if (!len || rest->len <= len || (rest->ptr[len] != ',' && rest->ptr[len] != '}') ||
        memcmp(rest->ptr, memo->middle, len) != 0)
        return false;
    out->status = memo->middle_status;
    memcpy(out->columns, memo->middle_columns, sizeof out->columns);
    *rest = str_slice(*rest, len, rest->len);
    return true;
}

static void keep_middle(struct audit_memo *memo, const char *begin, const char *end,
                        const struct audit_row *row)
{
    size_t len = (size_t)(end - begin);

    memo->middle_len = len <= sizeof memo->middle ? len : 0;
    if (!memo->middle_len)
        return;
    memcpy(memo->middle, begin, len);
    memo->middle_status = row->status;
    memcpy(memo->middle_columns, row->columns, sizeof memo->middle_columns);
}

/* The hash of the chain is the last member, and the longest; no column wants it. */
static struct str without_hash(struct str line)
{
    size_t len = HASH_MEMBER.len + 2 * sizeof(struct sha256) + 2;
    size_t at = line.len - MIN_OF(len, line.len);

    return str_starts(str_slice(line, at, line.len), HASH_MEMBER) ? str_slice(line, 0, at + 1)
                                                                  : line;
}

void audit_row_read_after(struct audit_memo *memo, struct str line, struct audit_row *out)
{
    struct audit_member member;
    const char *begin = NULL;
    bool plain = true; /* nothing that a row has, but the time, stands before it */

    *out = (struct audit_row){.len = (uint32_t)line.len};
    line = without_hash(line);
    while (audit_member_next(&line, &member)) {
        uint32_t is = read_member(memo, &member, out);

        if (is == COLUMN_OUTCOME && begin)
            keep_middle(memo, begin, line.ptr, out);
        if (is == MEMBER_TIME || is == MEMBER_REQUEST || is == MEMBER_COST || is == COLUMN_OUTCOME)
            begin = NULL;
        if (is == MEMBER_REQUEST && plain && !take_middle(memo, &line, out))
            begin = line.ptr;
        plain = plain && (is == MEMBER_TIME || is == MEMBER_OTHER);
    }
}

void audit_row_read(struct str line, struct audit_row *out)
{
    struct audit_memo memo = {0};

    audit_row_read_after(&memo, line, out);
}

/* ---- from the segment ---- */

static size_t bytes_of(size_t rows)
{
    return sizeof(struct audit_index_head) + rows * sizeof(struct audit_row);
}

static struct audit_row *rows_of(const struct audit_rows *rows)
{
    return (struct audit_row *)(void *)(rows->head + 1);
}

static bool make_room(struct audit_rows *rows, size_t room, struct err *err)
{
    struct audit_index_head *more =
        arena_grow(rows->arena, rows->head, rows->head ? bytes_of(rows->room) : 0, bytes_of(room));

    if (!more)
        return err_arena(err, rows->arena);
    rows->head = more;
    rows->room = room;
    return true;
}

/* For most lines that a file of so many bytes can have. */
static bool make_room_for(struct audit_rows *rows, const struct file *file, struct err *err)
{
    int64_t bytes;

    return file_size((struct file *)(uintptr_t)file, &bytes, err) &&
           make_room(rows, ROWS_FIRST + (size_t)bytes / LINE_USUAL, err);
}

static bool add_row(struct audit_rows *rows, const struct audit_cursor *cursor, struct str line,
                    struct err *err)
{
    if (rows->count == rows->room && !make_room(rows, 2 * rows->room, err))
        return false;

    struct audit_row *row = &rows_of(rows)[rows->count++];

    audit_row_read_after(&rows->memo, line, row);
    row->at = (uint32_t)cursor->line_at;
    return true;
}

static bool scan(struct audit_rows *rows, struct audit_cursor *cursor, uint64_t first,
                 struct err *err)
{
    struct str line;
    bool more = true;

    for (;;) {
        if (!audit_cursor_next(cursor, &line, &more, err))
            return false;
        if (!more || cursor->first != first)
            return true;
        if (!add_row(rows, cursor, line, err))
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

static bool scan_segment(struct audit_rows *rows, struct audit_table *table, const char *dir,
                         uint64_t first, struct err *err)
{
    struct arena *window CLEANUP(arena_end) = arena_new((size_t)64 * MIB);
    struct audit_cursor cursor CLEANUP(audit_cursor_close) = {0};

    if (!window)
        return err_no_room(err, "no memory to read the audit log");
    if (!audit_cursor_open(&cursor, window, dir, first, err) ||
        !make_room_for(rows, cursor.file, err) || !scan(rows, &cursor, first, err))
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
    struct audit_index_head head;

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
        !file_size(file, &size, &err) || size < (int64_t)sizeof(struct audit_index_head) ||
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
    struct audit_rows rows = {.arena = arena};

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

static bool store_rows(const struct audit_rows *rows, const struct audit_table *table,
                       const char *dir, uint64_t first, struct err *err)
{
    char path[AUDIT_PATH_MAX];

    if (!index_path(path, dir, first, err))
        return false;
    *rows->head =
        (struct audit_index_head){.first = first,
                                  .count = table->count,
                                  .first_time = table->first_time,
                                  .last_time = table->last_time,
                                  .crc = crc32c(0, table->rows, table->count * sizeof *table->rows),
                                  .row_bytes = sizeof *table->rows};
    memcpy(rows->head->magic, MAGIC, sizeof rows->head->magic);
    return file_store(path, (struct str){(const char *)rows->head, bytes_of(table->count)}, 0600,
                      err);
}

static bool make_index(const char *dir, uint64_t first, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * TABLE_BYTES);
    struct audit_rows rows = {.arena = arena};
    struct audit_table table;

    if (!arena)
        return err_no_room(err, "no memory to index the audit log");
    return scan_segment(&rows, &table, dir, first, err) &&
           store_rows(&rows, &table, dir, first, err);
}

/* ---- while the lines pass by anyway ---- */

void audit_rows_drop(struct audit_rows *rows)
{
    arena_end(&rows->arena);
    *rows = (struct audit_rows){.first = rows->first, .memo = rows->memo};
}

static bool begin_rows(struct audit_rows *rows, const struct audit_cursor *cursor)
{
    struct err ignored = {0};

    audit_rows_drop(rows);
    rows->first = cursor->first;
    if (cursor->seq != cursor->first)
        return false;
    rows->arena = arena_new(2 * TABLE_BYTES);
    if (rows->arena && make_room_for(rows, cursor->file, &ignored))
        return true;
    audit_rows_drop(rows);
    return false;
}

void audit_rows_add(struct audit_rows *rows, const struct audit_cursor *cursor, struct str line)
{
    struct err ignored = {0};

    if (rows->first != cursor->first ? !begin_rows(rows, cursor) : !rows->arena)
        return;
    rows->count = MIN_OF(rows->count, cursor->seq - cursor->first); /* given again */
    if (rows->count != cursor->seq - cursor->first || !add_row(rows, cursor, line, &ignored))
        audit_rows_drop(rows);
}

bool audit_rows_store(struct audit_rows *rows, const char *dir)
{
    struct audit_table table;
    struct err err = {0};
    bool ok;

    if (!rows->arena)
        return false;
    table = (struct audit_table){.rows = rows_of(rows), .count = rows->count};
    set_times(&table);
    ok = store_rows(rows, &table, dir, rows->first, &err);
    if (!ok)
        log_debug("%s", err.text);
    audit_rows_drop(rows);
    return ok;
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
