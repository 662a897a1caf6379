/* app/admin_documents.h: what the endpoints of documents, runs and sources share. */
#ifndef WEIR_APP_ADMIN_DOCUMENTS_H
#define WEIR_APP_ADMIN_DOCUMENTS_H

#include "app/admin_fields.h"
#include "knowledge/bases.h"

/* Of a schema: what a body may say of documents. READER_LEN_MAX is rights.h's. */
#define LABEL_FIELDS                                                                              \
    {"readers",                                                                                   \
     FIELD_TEXT,                                                                                  \
     FIELD_OPTIONAL | FIELD_LIST,                                                                 \
     "Who may read: everyone, tenant:NAME, team:TENANT/TEAM, key:ID, tag:NAME; empty: everyone.", \
     1,                                                                                           \
     READER_LEN_MAX,                                                                              \
     NULL,                                                                                        \
     NULL},                                                                                       \
    {                                                                                             \
        "metadata", FIELD_ANY, FIELD_OPTIONAL,                                                    \
            "An object of strings, numbers, true, false and lists of strings.", 0, 0, NULL, NULL  \
    }
extern const struct schema trouble_schema;

/* What the body says of documents, into the wish. */
bool read_labels(struct admin_call *call, struct ingest_wish *wish, struct err *err) MUST_CHECK;
/* The path too, and with "rebuild" the index is made whole: *dropped, -1 when it was not asked for. */
SUSPENDS bool read_ingest(struct admin_call *call, struct base *base, struct ingest_wish *wish,
                          int64_t *dropped, struct err *err) MUST_CHECK;
/* The members of a report, into an object that is open. */
void reply_ingest_report(struct json_writer *w, const struct ingest_report *report);

#endif
