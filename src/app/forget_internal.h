/* app/forget_internal.h: an order on its way. Siblings only. */
#ifndef WEIR_APP_FORGET_INTERNAL_H
#define WEIR_APP_FORGET_INTERNAL_H

#include "app/forget.h"
#include "base/json.h"

struct forgetting {
    struct house *house;
    struct arena *arena;
    const struct forget_order *order;
    struct forget_told *told;
    struct str key_id; /* of a person who is a key */
    struct str former; /* their pseudonym from before the database was shared, or empty */
    struct str *bases; /* ids of those it works in */
    size_t base_count;
    wall_ms begun;
    bool resumed;   /* what is to go was read from `pending`; some of it may be gone */
    bool off_shelf; /* the file of an order for one was on the shelf, and went from there first */
    uint64_t file_bytes; /* ... with so many */
    const char *pending; /* file that says what is to go; NULL: not yet written */
    bool nothing;        /* there was nothing to be forgotten: all else is tried again */
    bool ok;
    struct err err;
};

/* All of it, written down or read before. */
SUSPENDS bool forget_carry_out(struct forgetting *f, struct err *err) MUST_CHECK;
bool forget_receipt(struct forgetting *f, struct err *err) MUST_CHECK; /* told->receipt */
/* In the audit log, of what nobody called for: the end of an order that was cut off, what vanished. */
SUSPENDS bool forget_record(struct forgetting *f, struct err *err) MUST_CHECK;

SUSPENDS bool forget_note_down(struct house *house, struct str route, struct str note,
                               struct err *err) MUST_CHECK;

/* ---- what is still being read (forget_held.c) ---- */
#define FORGOTTEN_DIR "forgotten" /* of the data directory */
#define READING_END   ".reading"
#define HELD_MARK     "still being read of " /* in the audit log, before a receipt's hash */
/* Until nobody reads what lost its name, or the time is up: told->held. */
SUSPENDS bool forget_wait(struct forgetting *f, struct err *err) MUST_CHECK;
struct held {
    struct str receipt; /* its SHA-256, in hexadecimal */
    struct file_nameless *list;
    size_t count;
};
void held_put(const struct held *held, struct buf *to);
bool held_read(struct arena *arena, struct str text, struct held *out, struct err *err) MUST_CHECK;
void held_put_files(struct json_writer *w, const struct file_nameless *list, size_t count);

/* ---- files of the shelf (forget_files.c) ---- */
/* told->files, of the documents that went: removed unless a base needs them; by a dry run only looked at. */
SUSPENDS bool forget_files(struct forgetting *f, struct err *err) MUST_CHECK;
/* Of an order for a file: it goes from the shelf before it goes out of any base, so that nobody puts it into one behind
 * that. Of other orders nothing. */
SUSPENDS bool forget_file_first(struct forgetting *f, struct err *err) MUST_CHECK;

/* ---- what is to go, on disk (forget_pending.c) ---- */
SUSPENDS bool pending_write(struct forgetting *f, struct err *err) MUST_CHECK;
/* The same; blocks. */
bool pending_write_now(struct forgetting *f, struct err *err) MUST_CHECK;
/* There was nothing to be forgotten. */
SUSPENDS void pending_drop(struct forgetting *f);
/* The receipt takes its place. */
SUSPENDS bool pending_end(struct forgetting *f, struct err *err) MUST_CHECK;

/* As it is written down, and back: what is read holds all that is to go. The arena keeps it. */
struct pending_order {
    struct forget_order order;
    struct forget_told told;
    struct forgetting f;
};
void pending_put(const struct forgetting *f, struct buf *to);
bool pending_read(struct arena *arena, struct str text, struct pending_order *out, struct err *err)
    MUST_CHECK;

/* ---- parts of receipts, for both kinds (receipt.c) ---- */
/* With their paths: what is only looked at. */
void receipt_put_documents(struct json_writer *w, const struct forget_report *report, size_t most,
                           bool paths);
void receipt_put_prints(struct json_writer *w, const struct forget_told *told);
bool receipt_read_documents(const struct json *j, struct arena *arena, struct forget_report *out,
                            struct err *err) MUST_CHECK;
bool receipt_read_prints(const struct json *j, struct arena *arena, struct fingerprints *out,
                         struct err *err) MUST_CHECK;

#endif
