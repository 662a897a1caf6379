/* app/admin_fields.h: what handlers of /api/v1 read and write with. Body and query have been checked
 * against the route's tables before a handler runs, so reading fails only when memory is gone. */
#ifndef WEIR_APP_ADMIN_FIELDS_H
#define WEIR_APP_ADMIN_FIELDS_H

#include "app/admin.h"

#define PAGE_LIMIT     100 /* items of a page when the caller does not say */
#define PAGE_LIMIT_MAX 1000

/* ---- the body ---- */
bool field_given(const struct admin_call *call, const char *name); /* also as null */
/* A field that is absent or null leaves *out alone. */
bool field_text(struct admin_call *call, const char *name, struct str *out, struct err *err)
    MUST_CHECK;
void field_count(const struct admin_call *call, const char *name, int64_t *out);
void field_usd(const struct admin_call *call, const char *name, usd_micro *out);
void field_bool(const struct admin_call *call, const char *name, bool *out);
/* *out: which of the choices of the route's table. */
bool field_choice(struct admin_call *call, const char *name, int *out, struct err *err) MUST_CHECK;
bool field_time(struct admin_call *call, const char *name, wall_ms *out, struct err *err)
    MUST_CHECK;
/* Texts of a list, in the arena. */
bool field_list(struct admin_call *call, const char *name, struct str **out, size_t *count,
                struct err *err) MUST_CHECK;
/* What the tables cannot say is wrong with a field: 422, and the field is named. Returns false. */
bool field_wrong(struct admin_call *call, const char *name, struct err *err, const char *fmt, ...)
    PRINTF(4, 5);

/* ---- the query ---- */
struct str query_text(struct admin_call *call, const char *name); /* STR_NONE when absent */
int64_t query_count(struct admin_call *call, const char *name, int64_t fallback);
int query_choice(struct admin_call *call, const char *name, int fallback);
bool query_bool(struct admin_call *call, const char *name, bool fallback);
bool query_time(struct admin_call *call, const char *name, wall_ms *out, struct err *err)
    MUST_CHECK; /* absent: *out is left alone */

/* ---- pages ----
 * Items come in ascending order of a unique key, and a cursor is the key of the last one given, so that
 * what comes or goes between two pages moves nothing else.
 *     if (!page_begin(call, &page, err)) return false;
 *     for (each item) if (page_wants(&page, item->id)) { write the item with call->reply }
 *     page_end(call, &page); */
struct page {
    size_t limit, taken;
    struct str after; /* key of the last item of the page before, "" at the start */
    struct str last;  /* key of the last item taken */
    bool more;
};
bool page_begin(struct admin_call *call, struct page *page, struct err *err) MUST_CHECK;
bool page_wants(struct page *page, struct str key); /* to be written? */
bool page_is_full(const struct page *page);         /* nothing more will be wanted: stop looking */
void page_end(struct admin_call *call, const struct page *page);

/* ---- the reply ---- */
void reply_text(struct json_writer *w, const char *name, struct str s);
void reply_count(struct json_writer *w, const char *name, int64_t n);
void reply_usd(struct json_writer *w, const char *name, usd_micro n);
void reply_bool(struct json_writer *w, const char *name, bool b);
void reply_time(struct json_writer *w, const char *name, wall_ms t); /* 0: null */

/* RFC 3339 to milliseconds. False for other shapes, and for 31 February and the like. */
bool time_parse(struct str text, wall_ms *out) MUST_CHECK;

#endif
