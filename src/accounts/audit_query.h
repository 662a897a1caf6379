/* accounts/audit_query.h: finding records. Beside each finished segment lies a table of its records,
 * index/NNN, 80 bytes each: numbers and hashes of texts. A query runs over the tables and looks at the
 * lines that may fit; a segment without its table, as the newest, is read instead. Tables are made from
 * the records by audit_index_missing() and hold nothing of their own: they may be deleted at any time.
 * Answers are as good as the files: what proves them is the tree.
 * Threads  any; blocks. */
#ifndef WEIR_ACCOUNTS_AUDIT_QUERY_H
#define WEIR_ACCOUNTS_AUDIT_QUERY_H

#include "accounts/audit.h"
#include "accounts/audit_cursor.h"

#define AUDIT_INDEX "index"

/* What is zero or empty does not matter. */
struct audit_query {
    wall_ms from, until; /* until: and no more */
    uint64_t request;
    struct str key, tenant, team, subject, model, provider, route, outcome; /* equal */
    struct str error, cache, route_name, remote_model, deployment;          /* equal */
    struct str tag;                                                         /* one of the tags */
    int64_t status_min, status_max;
    usd_micro cost_min;
    uint64_t after;    /* goes on behind this record, in the direction of the query */
    bool oldest_first; /* else the newest first */
    size_t limit;      /* 0: none */
};
/* Shows up to `limit` records that fit. *next: what to put in `after` for more, or 0: there are none. */
bool audit_query(const char *dir, const struct audit_query *query, audit_reader *fn, void *ctx,
                 uint64_t *next, struct err *err) MUST_CHECK;
/* Makes the tables of segments before that of record `before` that have none. */
bool audit_index_missing(const char *dir, uint64_t before, struct err *err) MUST_CHECK;

/* ---- shared with the index ---- */

enum audit_column {
    COLUMN_KEY,
    COLUMN_TENANT,
    COLUMN_TEAM,
    COLUMN_SUBJECT,
    COLUMN_MODEL,
    COLUMN_PROVIDER,
    COLUMN_ROUTE,
    COLUMN_OUTCOME,
    COLUMNS
};
struct audit_row {
    uint64_t request;
    wall_ms time;
    usd_micro cost;
    uint32_t at, len;          /* of the line in its segment */
    uint32_t status;           /* 0: none */
    uint32_t columns[COLUMNS]; /* hashes of the texts, 0: absent */
    uint32_t unused[3];        /* 0 */
};
struct audit_table {
    const struct audit_row *rows;
    size_t count;
    wall_ms first_time, last_time; /* the earliest and the latest */
    void *map;
    size_t map_bytes;
};
uint32_t audit_column_hash(struct str raw); /* of a value as it stands in the line */
void audit_row_read(struct str line, struct audit_row *out);
struct audit_memo;
/* The same, sooner when the line is much like the one before. */
void audit_row_read_after(struct audit_memo *memo, struct str line, struct audit_row *out);
/* From the index, or else from the segment itself. `arena` holds the rows in the second case. */
bool audit_table_open(struct audit_table *table, struct arena *arena, const char *dir,
                      uint64_t first, struct err *err) MUST_CHECK;
void audit_table_close(struct audit_table *table);
struct audit_index_head {
    char magic[8];
    uint64_t first, count;
    wall_ms first_time, last_time;
    uint32_t crc; /* of the rows */
    uint32_t row_bytes;
};
/* What the rows read last say, which the next mostly say too. Zeroed to begin with. */
struct audit_memo {
    struct audit_memo_text {
        char text[56];
        size_t len; /* 0: none */
        uint32_t hash;
    } columns[COLUMNS];
    char second[20]; /* 2026-11-22T10:00:00. */
    wall_ms begun;   /* of that second */
    /* What stands between a record's request and its tokens, and what a row has of it. */
    size_t middle_len; /* 0: none */
    uint32_t middle_status, middle_columns[COLUMNS];
    char middle[768];
};
/* Rows of a segment in memory: made while its lines are read for another reason. Zeroed to begin with. */
struct audit_rows {
    struct arena *arena;           /* NULL: not of this segment, whose first lines passed unseen */
    struct audit_index_head *head; /* the rows follow, so that an index is written as it stands */
    size_t count, room;
    uint64_t first; /* of the segment */
    struct audit_memo memo;
};
/* The line that the cursor gave last. Lines of another segment begin anew: store first. */
void audit_rows_add(struct audit_rows *rows, const struct audit_cursor *cursor, struct str line);
/* As the table of a segment that is finished; false: there are not all rows, or the disk says no. */
bool audit_rows_store(struct audit_rows *rows, const char *dir);
void audit_rows_drop(struct audit_rows *rows);
/* An index file's bytes, checked: what the fuzz target calls. */
bool audit_table_check(struct str bytes, uint64_t first, struct audit_table *out);

/* ---- for spreadsheets ---- */

/* The names of all columns, and one record, as RFC 4180. A text that a spreadsheet would take for a
 * formula gets an apostrophe in front. `scratch` may not be the arena that `to` grows in. ERR_INVALID: no record. */
void audit_csv_head(struct buf *to);
bool audit_csv_line(struct str line, struct arena *scratch, struct buf *to, struct err *err)
    MUST_CHECK;

#endif
