/* accounts/audit_internal.h: the text of a record and of a segment, shared by what writes, checks and
 * replays it.
 *   segment  header line, record lines, zero bytes
 *   header   {"weir_audit":2,"first":N,"prev":"<64 hex>"}
 *   record   {"seq":N,<fields>,"hash":"<64 hex>"}
 * The number in the header says what a hash is of (audit_hash()): 2 is written, both are read, and a log may have both.
 * Lines end with one \n. A record becomes visible by its first byte, which is written last: a zero
 * byte where a line should begin means that nothing, or something unfinished, follows. */
#ifndef WEIR_ACCOUNTS_AUDIT_INTERNAL_H
#define WEIR_ACCOUNTS_AUDIT_INTERNAL_H

#include "accounts/audit.h"

#define AUDIT_LINE_MAX    ((size_t)24 * KIB) /* with its \n */
#define AUDIT_HEADER_MAX  ((size_t)128)
#define AUDIT_NAME_DIGITS 16
#define AUDIT_NAME_BYTES  (AUDIT_NAME_DIGITS + sizeof ".log")
#define AUDIT_FILES_MAX   1000000u
#define AUDIT_PATH_MAX    ((size_t)1024)

/* A record as text, without its sequence and hash, in memory of this thread: valid until the next. */
struct audit_line {
    char *body;
    size_t len;
};
void audit_line_format(const struct audit_record *record, struct audit_line *out);
struct audit_sealed {
    struct str text;    /* the whole line with its \n */
    struct sha256 leaf; /* of the line: merkle_leaf(), which costs next to nothing here */
};
/* Adds both, and moves *head on to this record. */
void audit_line_seal(const struct audit_line *line, uint64_t seq, struct sha256 *head,
                     struct audit_sealed *out);

/* What a segment's records are chained by. */
enum audit_version {
    AUDIT_PREV_FIRST = 1, /* SHA-256(the hash before || the line up to its hash) */
    AUDIT_PREV_LAST =
        2 /* SHA-256(0x00 || the line up to its hash || the hash before): begins as the leaf does */
};
struct sha256 audit_hash(enum audit_version version, const struct sha256 *prev, struct str text);
/* The header of the segment whose first record will be `first`. */
struct str audit_header(char to[AUDIT_HEADER_MAX], enum audit_version version, uint64_t first,
                        const struct sha256 *prev);

/* The parts of a record that money and usage depend on; the rest of *out is empty. Texts are in the arena,
 * or views of the line. */
bool audit_line_read(struct arena *arena, struct str line, struct audit_record *out,
                     struct err *err) MUST_CHECK;

/* ---- checking ---- */

/* Where a check stands: after record `seq`, whose hash is `head`. */
struct audit_chain {
    char name[48];              /* of the file, for messages */
    enum audit_version version; /* of this file */
    uint64_t line;              /* lines of this file that fit so far */
    uint64_t seq;
    struct sha256 head;
    bool started;  /* a segment was checked before this one */
    uint64_t from; /* records before are checked and not shown */
    audit_reader *fn;
    void *ctx;
};
enum audit_tail {
    AUDIT_CLEAN,
    AUDIT_TORN, /* one unfinished record at the very end */
    AUDIT_HOLE  /* a page that never reached the disk: only after power loss */
};
struct audit_end {
    enum audit_tail tail;
    size_t used;  /* bytes up to and with the last whole record */
    int64_t size; /* of the file */
};
/* One segment's file, whose first record is chain->seq + 1. `first`: nothing is known of what came
 * before, the header is believed. False with out->tail AUDIT_HOLE when all fits up to a hole. */
bool audit_check_file(struct audit_chain *chain, const char *path, bool first, bool is_last,
                      struct audit_end *out, struct err *err) MUST_CHECK;

/* Every segment from that of chain->from on. */
bool audit_check_dir(struct arena *arena, const char *dir, struct audit_chain *chain,
                     struct audit_report *report, struct err *err) MUST_CHECK;

/* Segment numbers of a directory, ascending; other names are not ours. */
bool audit_segments(struct arena *arena, const char *dir, uint64_t **firsts, size_t *count,
                    struct err *err) MUST_CHECK;
bool audit_path(char to[AUDIT_PATH_MAX], const char *dir, uint64_t first, const char *suffix,
                struct err *err) MUST_CHECK;

/* ---- for accounts ---- */

/* audit_append() in its two parts, so that the text is made outside the caller's lock. */
bool audit_append_line(struct audit *audit, const struct audit_line *line, uint64_t *seq,
                       struct err *err) MUST_CHECK;
const char *audit_dir(const struct audit *audit);

/* ---- for the tree ---- */

uint64_t audit_synced_seq(struct audit *audit); /* up to it power loss takes nothing back */
/* The leaves of up to `count` records from `first` on, as they were appended; how many there are: none when the
 * records are too long ago, or of a life before. */
size_t audit_leaves(struct audit *audit, uint64_t first, size_t count, struct sha256 *out);
/* Call fn(ctx) once, from the append of record `seq` or a later one; fn may not append or wait. NULL:
 * never. */
void audit_nudge_at(struct audit *audit, uint64_t seq, void (*fn)(void *ctx), void *ctx);

#endif
