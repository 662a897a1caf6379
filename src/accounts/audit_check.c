/* accounts/audit_check.c: reads segments and checks the chain. Everything here works from the files
 * alone, also while a daemon appends to the last of them. */
#include <assert.h>
#include <string.h>

#include "accounts/audit_internal.h"
#include "sys/file.h"

#define WINDOW_BYTES ((size_t)128 * KIB)
#define NO_LINE      SIZE_MAX
#define HASH_TAIL    (sizeof ",\"hash\":\"\"}" - 1 + (size_t)2 * SHA256_BYTES)
#define PAGE         ((size_t)4096) /* what a disk keeps or loses as one */

static_assert(WINDOW_BYTES >= 2 * AUDIT_LINE_MAX, "an unfinished record can be seen whole");

/* ---- lines ---- */

static bool damage(const struct audit_chain *chain, struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "audit file \"%s\" line %" PRIu64 ": %s", chain->name,
                   chain->line + 1, what);
}

static void set_name(struct audit_chain *chain, const char *name)
{
    struct str cut = str_slice(str_from(name), 0, sizeof chain->name - 1);

    memcpy(chain->name, cut.ptr, cut.len);
    chain->name[cut.len] = 0;
}

/* The number after `prefix` and up to the first `end`; only as we would write it. */
static bool number_after(struct str line, struct str prefix, char end, uint64_t *out)
{
    if (!str_starts(line, prefix))
        return false;

    struct str rest = str_slice(line, prefix.len, line.len);
    struct str number = str_slice(rest, 0, str_find_char(rest, end));

    return number.len < rest.len && (number.len == 1 || number.ptr[0] != '0') &&
           u64_parse(number, out);
}

static bool read_header(struct str line, uint64_t *first, struct sha256 *prev)
{
    struct str tail = STR(",\"prev\":\"");
    size_t at = str_find(line, tail);

    return (number_after(line, STR("{\"weir_audit\":1,\"first\":"), ',', first) ||
            number_after(line, STR("{\"weir_audit\":2,\"first\":"), ',', first)) &&
           *first && at < line.len &&
           hex_parse(str_slice(line, at + tail.len, at + tail.len + (size_t)2 * SHA256_BYTES),
                     prev->bytes, sizeof prev->bytes);
}

/* The header is determined by what went before, so it is compared byte by byte. */
static bool check_header(struct audit_chain *chain, struct str line, struct err *err)
{
    char text[AUDIT_HEADER_MAX];
    uint64_t first;
    struct sha256 prev;

    for (chain->version = AUDIT_PREV_FIRST; chain->version <= AUDIT_PREV_LAST; chain->version++) {
        struct str want = audit_header(text, chain->version, chain->seq + 1, &chain->head);

        if (str_eq(line, str_slice(want, 0, want.len - 1)))
            return true;
    }
    if (number_after(line, STR("{\"weir_audit\":"), ',', &first) && first > AUDIT_PREV_LAST)
        return damage(chain, err, "was written by a newer Weir");
    if (!read_header(line, &first, &prev))
        return damage(chain, err, "is not the header of an audit file");
    if (first != chain->seq + 1)
        return err_set(err, ERR_INVALID,
                       "audit file \"%s\" line 1: starts at record %" PRIu64 " where %" PRIu64
                       " belongs",
                       chain->name, first, chain->seq + 1);
    return damage(chain, err, "the hash of the record before does not fit");
}

/* Hashes the text again and compares the digits, so that no other spelling of the hash passes. */
static bool check_hash(const struct audit_chain *chain, struct str line, struct sha256 *out)
{
    char digits[HASH_TAIL];
    struct str text = str_slice(line, 0, line.len - HASH_TAIL);
    struct sha256 hash = audit_hash(chain->version, &chain->head, text);
    struct buf want;

    buf_init_fixed(&want, digits, sizeof digits);
    buf_str(&want, STR(",\"hash\":\""));
    buf_hex(&want, hash.bytes, sizeof hash.bytes);
    buf_str(&want, STR("\"}"));
    ASSERT(buf_ok(&want));
    *out = hash;
    return str_eq(buf_view(&want), str_slice(line, text.len, line.len));
}

static bool check_record(struct audit_chain *chain, struct str line, struct err *err)
{
    struct sha256 hash;
    uint64_t seq;

    if (line.len <= HASH_TAIL || !number_after(line, STR("{\"seq\":"), ',', &seq))
        return damage(chain, err, "is not a record");
    if (seq != chain->seq + 1)
        return err_set(err, ERR_INVALID,
                       "audit file \"%s\" line %" PRIu64 ": record %" PRIu64
                       " stands where %" PRIu64 " belongs",
                       chain->name, chain->line + 1, seq, chain->seq + 1);
    if (!check_hash(chain, line, &hash))
        return damage(chain, err, "the hash does not fit the record");
    if (chain->fn && seq >= chain->from && !chain->fn(chain->ctx, seq, line, err))
        return false;
    chain->head = hash;
    chain->seq = seq;
    return true;
}

/* Length of the whole line at the start of bytes, without its \n. */
static size_t line_length(struct str bytes)
{
    struct str near = str_slice(bytes, 0, AUDIT_LINE_MAX);
    size_t len = str_find_char(near, '\n');

    return len == near.len || (len && memchr(near.ptr, 0, len)) ? NO_LINE : len;
}

/* Whole lines from *at on; *at moves behind the last one that fits. */
static bool check_lines(struct audit_chain *chain, struct str bytes, size_t *at, struct err *err)
{
    for (;;) {
        struct str rest = str_slice(bytes, *at, bytes.len);
        size_t len = rest.len ? line_length(rest) : NO_LINE;

        if (len == NO_LINE)
            return true;

        struct str line = str_slice(rest, 0, len);

        if (!(chain->line ? check_record(chain, line, err) : check_header(chain, line, err)))
            return false;
        chain->line++;
        *at += len + 1;
    }
}

/* ---- the end of a file ---- */

static size_t without_zeros(struct str bytes)
{
    size_t len = bytes.len;

    while (len && !bytes.ptr[len - 1])
        len--;
    return len;
}

/* The first zero byte of rest and all up to the end of its page: so looks a page that was written
 * before the records on it, or never. `at` is where rest begins in the file. */
static bool is_hole(struct str rest, size_t at)
{
    size_t zero = str_find_char(rest, 0);
    size_t page_end = (at + zero + PAGE) / PAGE * PAGE - at;

    return zero < rest.len && without_zeros(str_slice(rest, zero, MIN_OF(page_end, rest.len))) == 0;
}

/* What may follow the last whole line: nothing but zeros, or one unfinished record. A record is
 * unfinished when its first byte is missing (killed inside an append) or its end (a copy that was cut). */
static bool check_tail(const struct audit_chain *chain, struct str rest, bool is_last,
                       enum audit_tail *out, struct err *err)
{
    struct str left = str_slice(rest, 0, without_zeros(rest));

    *out = left.len ? AUDIT_TORN : AUDIT_CLEAN;
    if (!left.len && (chain->line || is_last))
        return true;
    if (!is_last)
        return damage(chain, err, "the file ends inside a record");
    if (left.len > AUDIT_LINE_MAX && line_length(left) == NO_LINE &&
        !memchr(left.ptr, 0, AUDIT_LINE_MAX))
        return damage(chain, err, "is longer than any record");
    if (left.len <= AUDIT_LINE_MAX &&
        (left.ptr[0] ? !memchr(left.ptr, 0, left.len) : str_find_char(left, '\n') + 1 >= left.len))
        return true;
    return damage(chain, err, "zero bytes stand where a record should be");
}

bool audit_check_segment(struct str bytes, const char *name, bool is_last, struct sha256 *prev,
                         uint64_t *seq, audit_reader *fn, void *ctx, bool *torn, struct err *err)
{
    struct audit_chain chain = {.seq = *seq, .head = *prev, .fn = fn, .ctx = ctx};
    enum audit_tail tail = AUDIT_CLEAN;
    size_t at = 0;

    set_name(&chain, name);

    bool ok = check_lines(&chain, bytes, &at, err) &&
              check_tail(&chain, str_slice(bytes, at, bytes.len), is_last, &tail, err);

    *prev = chain.head;
    *seq = chain.seq;
    if (ok)
        *torn = tail == AUDIT_TORN;
    return ok;
}

/* ---- files ---- */

/* A part of the file that moves on with the check. */
struct window {
    struct file *file;
    char *bytes; /* WINDOW_BYTES */
    size_t have;
    int64_t at; /* of bytes[0] in the file */
    bool ended;
};

static bool fill(struct window *w, struct err *err)
{
    w->ended = false;
    while (w->have < WINDOW_BYTES && !w->ended) {
        size_t got = 0;

        if (!file_read_at(w->file, w->at + (int64_t)w->have, w->bytes + w->have,
                          WINDOW_BYTES - w->have, &got, err))
            return false;
        w->have += got;
        w->ended = got == 0;
    }
    return true;
}

static void drop(struct window *w, size_t len)
{
    memmove(w->bytes, w->bytes + len, w->have - len);
    w->have -= len;
    w->at += (int64_t)len;
}

/* All whole lines. Beside a running daemon the newest record may be seen half: such a line is read
 * once more before it counts as damage. */
static bool check_whole_lines(struct audit_chain *chain, struct window *w, struct err *err)
{
    uint64_t doubted = UINT64_MAX;

    for (;;) {
        struct err why = {0};
        size_t used = 0;

        if (!fill(w, err))
            return false;

        bool ok = check_lines(chain, (struct str){w->bytes, w->have}, &used, &why);

        drop(w, used);
        if (!ok && (doubted == chain->line || why.code != ERR_INVALID)) {
            *err = why;
            return false;
        }
        if (!ok) {
            doubted = chain->line;
            w->have = 0;
        } else if (!used) {
            return true;
        }
    }
}

static bool rest_is_zero(struct window *w, struct err *err)
{
    while (!w->ended) {
        drop(w, w->have);
        if (!fill(w, err))
            return false;
        if (without_zeros((struct str){w->bytes, w->have}))
            return false;
    }
    return true;
}

static bool check_end(const struct audit_chain *chain, struct window *w, bool is_last,
                      struct audit_end *out, struct err *err)
{
    struct str rest = {w->bytes, w->have};
    bool hole = is_last && is_hole(rest, (size_t)w->at);

    out->used = (size_t)w->at;
    if (check_tail(chain, rest, is_last, &out->tail, err)) {
        struct err failed = {0};

        if (rest_is_zero(w, &failed))
            return true;
        if (failed.code) {
            *err = failed;
            return false;
        }
        damage(chain, err, "zero bytes stand where a record should be");
    }
    if (hole)
        out->tail = AUDIT_HOLE;
    return false;
}

/* The oldest segment that is kept says itself what came before it. */
static void start_chain(struct audit_chain *chain, const struct window *w)
{
    struct str bytes = {w->bytes, w->have};
    size_t len = w->have ? line_length(bytes) : NO_LINE;
    struct sha256 prev;
    uint64_t first;

    if (len != NO_LINE && read_header(str_slice(bytes, 0, len), &first, &prev) && first > 1)
        chain->head = prev;
}

bool audit_check_file(struct audit_chain *chain, const char *path, bool first, bool is_last,
                      struct audit_end *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * WINDOW_BYTES);
    struct file *file CLEANUP(file_close) = NULL;
    struct window w = {.bytes = arena ? arena_alloc_raw(arena, WINDOW_BYTES) : NULL};

    *out = (struct audit_end){0};
    chain->line = 0;
    set_name(chain, strrchr(path, '/') + 1);
    if (!w.bytes)
        return err_no_room(err, "no memory to check audit file \"%s\"", chain->name);
    if (!file_open(path, FILE_READ, 0, &file, err) || !file_size(file, &out->size, err))
        return false;
    w.file = file;
    if (!fill(&w, err))
        return false;
    if (first)
        start_chain(chain, &w);
    return check_whole_lines(chain, &w, err) && check_end(chain, &w, is_last, out, err);
}

/* ---- a directory ---- */

bool audit_path(char to[AUDIT_PATH_MAX], const char *dir, uint64_t first, const char *suffix,
                struct err *err)
{
    struct buf b;

    buf_init_fixed(&b, to, AUDIT_PATH_MAX);
    buf_fmt(&b, "%s/%0*" PRIu64 "%s", dir, AUDIT_NAME_DIGITS, first, suffix);
    buf_char(&b, 0);
    return buf_ok(&b) ||
           err_set(err, ERR_INVALID, "path of audit directory \"%.80s...\" is too long", dir);
}

bool audit_segments(struct arena *arena, const char *dir, uint64_t **firsts, size_t *count,
                    struct err *err)
{
    struct str *names;
    size_t all, ours = 0;

    if (!file_list(arena, dir, AUDIT_FILES_MAX, &names, &all, err))
        return false;

    uint64_t *numbers = arena_array(arena, all + 1, sizeof *numbers);

    if (!numbers)
        return err_arena(err, arena);
    for (size_t i = 0; i < all; i++)
        if (names[i].len == AUDIT_NAME_BYTES - 1 && str_ends(names[i], STR(".log")) &&
            u64_parse(str_slice(names[i], 0, AUDIT_NAME_DIGITS), &numbers[ours]))
            ours++;
    *firsts = numbers;
    *count = ours;
    return true;
}

/* Which segment holds record `from`: the last one that starts at or before it. */
static size_t segment_of(const uint64_t *firsts, size_t count, uint64_t from)
{
    size_t at = 0;

    while (at + 1 < count && firsts[at + 1] <= from)
        at++;
    return at;
}

/* A segment stands where its name says, so a file that is missing is named. */
static bool check_one(struct audit_chain *chain, const char *dir, uint64_t number, bool is_last,
                      struct audit_end *end, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    bool first = !chain->started;

    chain->started = true;
    if (!first && number != chain->seq + 1)
        return err_set(err, ERR_INVALID,
                       "audit file \"%0*" PRIu64 ".log\" stands where record %" PRIu64 " belongs",
                       AUDIT_NAME_DIGITS, number, chain->seq + 1);
    if (first)
        chain->seq = number - 1;
    return audit_path(path, dir, number, ".log", err) &&
           audit_check_file(chain, path, first, is_last, end, err);
}

bool audit_check_dir(struct arena *arena, const char *dir, struct audit_chain *chain,
                     struct audit_report *report, struct err *err)
{
    uint64_t *firsts;
    size_t count;

    if (!audit_segments(arena, dir, &firsts, &count, err))
        return false;

    size_t start = segment_of(firsts, count, chain->from);

    for (size_t i = start; i < count; i++) {
        struct audit_end end;

        if (!check_one(chain, dir, firsts[i], i + 1 == count, &end, err))
            return false;
        if (i == start)
            report->first_seq = firsts[i];
        report->torn_tail = end.tail == AUDIT_TORN;
        report->segments++;
    }
    report->last_seq = chain->seq;
    report->head = chain->head;
    if (count)
        report->records = chain->seq + 1 - report->first_seq;
    return true;
}

bool audit_read(struct arena *arena, const char *dir, uint64_t from, audit_reader *fn, void *ctx,
                struct err *err)
{
    struct audit_chain chain = {.from = from, .fn = fn, .ctx = ctx};
    struct audit_report report = {0};
    size_t mark = arena_mark(arena);
    bool ok = audit_check_dir(arena, dir, &chain, &report, err);

    arena_rewind(arena, mark);
    return ok;
}

bool audit_verify(const char *dir, struct audit_report *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)512 * MIB);
    struct audit_chain chain = {0};
    struct audit_report report = {0};

    if (!arena)
        return err_no_room(err, "no memory to verify the audit log");
    if (!audit_check_dir(arena, dir, &chain, &report, err))
        return false;
    *out = report;
    return true;
}
