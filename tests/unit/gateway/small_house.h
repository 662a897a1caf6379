/* Accounts, audit, gateway and HTTP server around a fake provider, all in the fibers of one test; a
 * client to ask with; the audit log to read back. */
#ifndef WEIR_TESTS_SMALL_HOUSE_H
#define WEIR_TESTS_SMALL_HOUSE_H

#include "../models/fake_provider.h"
#include "accounts/directory.h"
#include "gateway/gateway.h"
#include "net/http_client.h"

#define BOOK_MODEL STR("book") /* answered in the house */

struct small_house {
    struct arena *arena;
    struct fake_provider fake;
    struct provider provider;
    struct model models[3]; /* m: priced; org/free: costs nothing; book */
    struct catalogue catalogue;
    struct answerer answerer; /* of book: set by the test */
    struct config config;
    struct snapshot *published;
    const char *dir;
    struct store *store;
    struct audit *audit;
    struct accounts *accounts;
    struct audit_bodies *bodies; /* of a house that names who is asked for; else NULL */
    struct gateway *gateway;
    struct http_server *server;
    struct scope scope;
    struct addr at;
    struct str token, key_id; /* of a key with the limits given to house_open() */
};

SUSPENDS void house_open(struct small_house *h, const struct limits *limits);
/* One that names whom a question is asked for, and keeps a hash of what was said. */
SUSPENDS void house_open_named(struct small_house *h, const struct limits *limits);
/* Nothing may be left: no hold, one whole chain of records. */
SUSPENDS void house_close(struct small_house *h);

struct reply {
    bool head;  /* one came */
    bool whole; /* the body ended as its framing says */
    int status;
    struct http_fields fields;
    struct str body;
};
/* token NULL: no key is shown. body NULL: GET. */
SUSPENDS struct reply *house_ask(struct small_house *h, const char *path, const char *token,
                                 const char *body);
SUSPENDS struct reply *house_chat(struct small_house *h, const char *body); /* with the key */
struct str reply_field(const struct reply *reply, const char *name);
/* A string of the reply's JSON, "" when there is none. */
struct str reply_text(struct small_house *h, const struct reply *reply, const char *path);

/* The audit log: how many records, and a field of the one given by its sequence, as raw JSON. */
uint64_t house_records(struct small_house *h);
struct str house_record(struct small_house *h, uint64_t seq, const char *field);

#endif
