#include "accounts/audit_cursor.h"

#include "accounts/audit_internal.h"

#include "base/scan.h"
#include "sys/file.h"

#define WINDOW_BYTES ((size_t)128 * KIB)

static bool damaged(const struct audit_cursor *c, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "audit file \"%0*" PRIu64 ".log\": record %" PRIu64 " is not where it belongs",
                   AUDIT_NAME_DIGITS, c->first, c->seq + 1);
}

static bool open_segment(struct audit_cursor *c, uint64_t first, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct file *file;

    if (!audit_path(path, c->dir, first, ".log", err) || !file_open(path, FILE_READ, 0, &file, err))
        return false;
    file_close(&c->file);
    c->file = file;
    c->first = first;
    c->have = c->at = 0;
    c->offset = 0;
    return true;
}

/* Drops what was given and reads on. What was read behind the last line may have been filled in since,
 * so it is read again. */
static bool refill(struct audit_cursor *c, struct err *err)
{
    size_t got = 1;

    c->offset += (int64_t)c->at;
    c->have = c->at = 0;
    while (c->have < WINDOW_BYTES && got) {
        if (!file_read_at(c->file, c->offset + (int64_t)c->have, c->bytes + c->have,
                          WINDOW_BYTES - c->have, &got, err))
            return false;
        c->have += got;
    }
    return true;
}

static bool line_here(const struct audit_cursor *c, struct str *line)
{
    struct str rest = {c->bytes + c->at, c->have - c->at};
    size_t len = rest.len ? str_find_char(str_slice(rest, 0, AUDIT_LINE_MAX), '\n') : 0;

    if (!rest.len || !rest.ptr[0] || len == MIN_OF(rest.len, AUDIT_LINE_MAX))
        return false;
    *line = str_slice(rest, 0, len);
    return true;
}

/* One line of the open segment, header or record. */
static bool take_line(struct audit_cursor *c, struct str *line, bool *more, struct err *err)
{
    *more = line_here(c, line);
    if (!*more) {
        if (!refill(c, err))
            return false;
        *more = line_here(c, line);
    }
    if (*more) {
        c->line_at = c->offset + (int64_t)c->at;
        c->at += line->len + 1;
    }
    return true;
}

static bool next_segment(struct audit_cursor *c, bool *there, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct err missing = {0};
    struct file_info info;

    *there = false;
    if (c->seq + 1 == c->first)
        return true;
    if (!audit_path(path, c->dir, c->seq + 1, ".log", err))
        return false;
    if (!file_stat(path, &info, &missing)) {
        if (missing.code == ERR_NOT_FOUND)
            return true;
        *err = missing;
        return false;
    }
    *there = true;
    return open_segment(c, c->seq + 1, err);
}

static bool seq_of(struct str line, uint64_t *out)
{
    struct str rest = str_slice(line, sizeof "{\"seq\":" - 1, line.len);

    return str_starts(line, STR("{\"seq\":")) &&
           u64_parse(str_slice(rest, 0, str_find_char(rest, ',')), out);
}

bool audit_cursor_next(struct audit_cursor *c, struct str *line, bool *more, struct err *err)
{
    uint64_t seq;

    for (bool there = true; there;) {
        if (!take_line(c, line, more, err))
            return false;
        if (*more && c->line_at == 0) /* the header */
            continue;
        if (*more) {
            if (!seq_of(*line, &seq) || seq != c->seq + 1)
                return damaged(c, err);
            c->seq = seq;
            return true;
        }
        if (!next_segment(c, &there, err))
            return false;
    }
    return true;
}

/* The segment that holds `from`, or the last one when it is still to come. */
static bool find_segment(struct audit_cursor *c, struct arena *arena, uint64_t from,
                         struct err *err)
{
    size_t mark = arena_mark(arena), count, at = 0;
    uint64_t *firsts;

    if (!audit_segments(arena, c->dir, &firsts, &count, err))
        return false;
    if (!count || firsts[0] > from)
        return err_set(err, ERR_NOT_FOUND, "there is no audit file with record %" PRIu64, from);
    while (at + 1 < count && firsts[at + 1] <= from)
        at++;

    uint64_t first = firsts[at];

    arena_rewind(arena, mark);
    c->seq = first - 1;
    return open_segment(c, first, err);
}

bool audit_cursor_open(struct audit_cursor *c, struct arena *arena, const char *dir, uint64_t from,
                       struct err *err)
{
    struct str line;
    bool more = true;

    c->dir = dir;
    if (!c->bytes)
        c->bytes = arena_alloc_raw(arena, WINDOW_BYTES);
    if (!c->bytes)
        return err_arena(err, arena);
    if (!find_segment(c, arena, from, err))
        return false;
    while (more && c->seq + 1 < from)
        if (!audit_cursor_next(c, &line, &more, err))
            return false;
    return c->seq + 1 == from ||
           err_set(err, ERR_NOT_FOUND, "the audit log ends at record %" PRIu64, c->seq);
}

bool audit_extent(struct arena *arena, const char *dir, uint64_t *first, uint64_t *last,
                  struct err *err)
{
    struct audit_cursor c = {.dir = dir, .bytes = arena_alloc_raw(arena, WINDOW_BYTES)};
    uint64_t *firsts;
    struct str line;
    size_t count;
    bool more = true, ok;

    if (!c.bytes)
        return err_arena(err, arena);
    if (!audit_segments(arena, dir, &firsts, &count, err))
        return false;
    if (!count)
        return err_set(err, ERR_NOT_FOUND, "there is no audit log in \"%s\"", dir);
    c.seq = firsts[count - 1] - 1;
    ok = open_segment(&c, firsts[count - 1], err);
    while (ok && more)
        ok = audit_cursor_next(&c, &line, &more, err);
    audit_cursor_close(&c);
    *first = firsts[0];
    *last = c.seq;
    return ok;
}

void audit_cursor_close(struct audit_cursor *c)
{
    file_close(&c->file);
}

/* ---- members ---- */

SCANNER(scan_text_end, scan_or(scan_equal(b, '"'), scan_equal(b, '\\')), c == '"' || c == '\\')

/* Behind the value that begins at p, or NULL. */
static const char *value_end(const char *p, const char *end)
{
    if (p == end)
        return NULL;
    if (*p != '"') {
        const char *begin = p;

        while (p < end && *p != ',' && *p != '}')
            p++;
        return p < end && p > begin ? p : NULL;
    }
    for (p = scan_text_end(p + 1, end); p < end && *p == '\\';)
        p = end - p > 2 ? scan_text_end(p + 2, end) : end;
    return p < end ? p + 1 : NULL;
}

bool audit_member_next(struct str *rest, struct audit_member *out)
{
    const char *name, *end, *at, *after;
    struct str s = *rest;

    *rest = STR_NONE;
    if (s.len < 2 || (s.ptr[0] != '{' && s.ptr[0] != ',') || s.ptr[1] != '"')
        return false;
    name = s.ptr + 2;
    end = s.ptr + s.len;
    for (at = name; at < end && *at != '"'; at++)
        ;
    if (end - at < 3 || at[1] != ':')
        return false;
    after = value_end(at + 2, end);
    if (!after)
        return false;
    out->name = (struct str){name, (size_t)(at - name)};
    out->raw = (struct str){at + 2, (size_t)(after - at - 2)};
    *rest = (struct str){after, (size_t)(end - after)};
    return true;
}

struct str audit_member_raw(struct str line, struct str name)
{
    struct audit_member member;

    while (audit_member_next(&line, &member))
        if (str_eq(member.name, name))
            return member.raw;
    return STR_NONE;
}
