/* A store, an audit log and the accounts over them, in a directory of their own. */
#ifndef WEIR_TESTS_ACCOUNTS_BOOKS_H
#define WEIR_TESTS_ACCOUNTS_BOOKS_H

#include "accounts/directory.h"

#define NOON ((wall_ms)1795262400000) /* 2026-11-21T12:00:00Z */

struct books {
    char dir[512];
    struct store *store;
    struct audit *audit;
    struct accounts *accounts;
    struct arena *arena; /* of what books_info() shows */
};

bool books_open(struct books *b, const char *dir, struct err *err) MUST_CHECK;
void books_close(struct books *b); /* as at a stop: spend is written back first */
void books_drop(struct books *b);  /* closes without writing back: for copies that only look */
/* What kill -9 would leave at this moment, in another directory. */
void books_copy(const struct books *b, const char *to);

/* From a fiber: makes a key and gives its principal, asked for with its token. */
const struct principal *books_key(struct books *b, const char *name, const struct limits *limits);
bool books_authenticate(struct books *b, const struct secret *token, const struct principal **out,
                        struct err *err);
struct key_info books_info(struct books *b, struct str id); /* id empty when it is not there */
/* One request: hold `worst`, record `cost`. */
bool books_request(struct books *b, const struct principal *who, usd_micro worst, usd_micro cost,
                   wall_ms now);

#endif
