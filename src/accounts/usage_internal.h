/* accounts/usage_internal.h: usage as the record's step and the flush see it. */
#ifndef WEIR_ACCOUNTS_USAGE_INTERNAL_H
#define WEIR_ACCOUNTS_USAGE_INTERNAL_H

#include "accounts/accounts_internal.h"
#include "accounts/audit_internal.h"
#include "accounts/usage.h"

#define USAGE_KEY_MAX 2048u /* the names of a cell, joined */

/* One kind of usage of one day; `key` is the names joined by zero bytes in the order of enum usage_by. */
struct usage_cell {
    struct usage_cell *next;
    int64_t day;
    struct str key;
    int64_t counts[USAGE_COUNTS];
};

/* What was counted of records from..to. */
struct usage_page {
    struct arena *arena; /* the cells; emptied when they are written */
    struct table by_key;
    struct usage_cell *cells, *last; /* last: counted into last */
    uint64_t from, to;
    bool full; /* counting has stopped at `to` */
};

struct usage_book {
    uint32_t cells_max;
    uint64_t stored_seq; /* the store has everything up to it; the flush's alone */
    struct usage_page pages[2];
    struct usage_page *live; /* under accounts->lock */
};

bool usage_open(struct accounts *accounts, uint32_t cells_max, uint64_t stored_seq, struct err *err)
    MUST_CHECK;
void usage_close(struct accounts *accounts);
/* A record was appended; `counts`: of somebody known. Under the lock. */
void usage_follow(struct usage_book *book, const struct audit_record *record, bool counts);
/* The same into a page. False: it is full, and the record is not counted. */
bool usage_follow_record(struct usage_page *page, const struct audit_record *record, bool counts);
/* A tenant, or a team of it, was removed: what is counted of it and not written yet. Under the lock. */
void usage_forget(struct usage_book *book, struct str tenant, struct str team);
void usage_page_clear(struct usage_page *page, uint32_t cells_max);

#endif
