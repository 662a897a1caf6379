/* store/query_internal.h: the two bodies of a query. Siblings only. */
#ifndef WEIR_STORE_QUERY_INTERNAL_H
#define WEIR_STORE_QUERY_INTERNAL_H

#include "store/query.h"

struct query_body {
    bool (*begin)(struct query *q, struct str database, struct str sql, struct err *err);
    void (*close)(struct query *q);
    bool (*next)(struct query *q, struct arena *arena, struct str **cells, bool *more,
                 struct err *err);
};
struct query {
    const struct query_body *body;
    struct arena *arena;
    dur_ns timeout;
    struct str columns[QUERY_COLUMNS_MAX];
    size_t column_count;
    void *own; /* the body's connection */
};
extern const struct query_body query_postgres, query_sqlite;
bool query_take_columns(struct query *q, int count, const char *(*name)(void *own, int i),
                        struct err *err) MUST_CHECK;

#endif
