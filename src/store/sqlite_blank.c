/* store/sqlite_blank.c: what SQLite leaves in its pages. secure_delete overwrites a row where it is deleted, but when pages are
 * split or joined rows move to others, and the page that they moved from keeps their bytes in the part that nobody uses, between
 * the places of its cells and the cells: of a row that is deleted later, too. These parts are overwritten here.
 * Safe     a page's unused part means nothing to whoever reads it. The writer is the caller's, and forgets its copies of
 *          pages, or it would write them back. Only through SQLite's own file: closing another would end its locks.
 * Source   https://www.sqlite.org/fileformat2.html, section 1.6 */
#include "store/sqlite_blank.h"

#include <string.h>

#include "base/pages.h"

#define CHUNK      ((int64_t)4 * 1024 * 1024) /* the writer waits for so much to be looked through */
#define FILE_HEAD  100                        /* before the first page's own */
#define PAGES_MOST ((int64_t)2 << 24) /* above, the first byte of a page does not tell its kind */

struct walk {
    sqlite3_file *file;
    int64_t bytes;
    uint32_t page_bytes, usable;
    char *chunk;
    bool blanked;
};

static uint32_t two(const char *at)
{
    return (uint32_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

static bool say(int rc, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "database: what was deleted could not be overwritten: %s",
                   sqlite3_errstr(rc));
}

/* Of a page of a tree. Any other begins with the number of the next, or has only zeros. */
static uint32_t head_bytes(char kind)
{
    switch (kind) {
    case 2:
    case 5: return 12;
    case 10:
    case 13: return 8;
    default: return 0;
    }
}

static bool is_blank(const char *at, uint32_t len)
{
    return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

static bool blank_page(struct walk *w, int64_t at, char *page, struct err *err)
{
    uint32_t first = at == 0 ? FILE_HEAD : 0, head = head_bytes(page[first]);
    uint32_t from = first + head + 2 * two(page + first + 3), to = two(page + first + 5);

    to = to == 0 ? 65536 : to;
    if (head == 0 || from >= to || to > w->usable || is_blank(page + from, to - from))
        return true;
    memset(page + from, 0, to - from);
    int rc = w->file->pMethods->xWrite(w->file, page + from, (int)(to - from), at + (int64_t)from);
    w->blanked = true;
    return rc == SQLITE_OK || say(rc, err);
}

static bool measure(struct walk *w, struct err *err)
{
    sqlite3_int64 bytes = 0;
    int rc = w->file->pMethods->xFileSize(w->file, &bytes);

    w->bytes = bytes;
    if (rc == SQLITE_OK && bytes >= FILE_HEAD)
        rc = w->file->pMethods->xRead(w->file, w->chunk, FILE_HEAD, 0);
    if (rc != SQLITE_OK)
        return say(rc, err);
    w->page_bytes = two(w->chunk + 16) == 1 ? 65536 : two(w->chunk + 16);
    w->usable = w->page_bytes - (unsigned char)w->chunk[20];
    return bytes == 0 ||
           (bytes >= FILE_HEAD && w->page_bytes >= 512 && bytes / w->page_bytes < PAGES_MOST) ||
           err_set(err, ERR_TOO_LARGE, "database: too large to be overwritten where it is unused");
}

static bool blank_some(struct walk *w, int64_t *at, struct err *err)
{
    int64_t some = MIN_OF(CHUNK, w->bytes - *at);

    some -= w->page_bytes ? some % w->page_bytes : 0;
    if (some <= 0) {
        *at = -1;
        return true;
    }
    int rc = w->file->pMethods->xRead(w->file, w->chunk, (int)some, *at);
    if (rc != SQLITE_OK)
        return say(rc, err);
    for (int64_t i = 0; i < some; i += w->page_bytes)
        if (!blank_page(w, *at + i, w->chunk + i, err))
            return false;
    *at += some;
    if (w->blanked && (rc = w->file->pMethods->xSync(w->file, SQLITE_SYNC_NORMAL)) != SQLITE_OK)
        return say(rc, err);
    return true;
}

bool sqlite_blank(sqlite3 *db, int64_t *at, struct err *err)
{
    struct walk w = {0};
    size_t got;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &w.file);

    if (rc != SQLITE_OK || !w.file || !w.file->pMethods)
        return say(rc == SQLITE_OK ? SQLITE_MISUSE : rc, err);
    w.chunk = pages_take((size_t)CHUNK, &got);
    if (!w.chunk)
        return err_no_room(err, "no memory to overwrite what was deleted");
    /* Nobody else may write, nor fold the log in, meanwhile. */
    rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    bool ok = (rc == SQLITE_OK || say(rc, err)) && measure(&w, err) && blank_some(&w, at, err);
    if (rc == SQLITE_OK)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    if (w.blanked)
        (void)sqlite3_db_release_memory(db);
    pages_give(w.chunk, got);
    return ok;
}
