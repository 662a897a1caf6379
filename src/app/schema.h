/* app/schema.h: shapes of JSON objects as tables of fields. One table checks what comes, documents it
 * (OpenAPI 3.1) and says what a reply looks like.
 * Limits   FAULTS_MAX mistakes are told of one body; nesting is bounded by the tables. */
#ifndef WEIR_APP_SCHEMA_H
#define WEIR_APP_SCHEMA_H

#include "base/json.h"

enum field_type {
    FIELD_TEXT,   /* string of min to max bytes, without control characters */
    FIELD_PROSE,  /* string of min to max bytes, line breaks too */
    FIELD_COUNT,  /* whole number of min to max; both 0: from 0 */
    FIELD_NUMBER, /* any number */
    FIELD_USD,    /* US dollars from 0, at most six decimals */
    FIELD_BOOL,
    FIELD_TIME,   /* RFC 3339 */
    FIELD_CHOICE, /* one of choices: "app|admin" */
    FIELD_OBJECT, /* of schema */
    FIELD_ANY,    /* any JSON */
};

/* A field is always there unless FIELD_OPTIONAL says otherwise. */
enum field_flags {
    FIELD_OPTIONAL = 1,
    FIELD_NULL = 2, /* may be null */
    FIELD_LIST = 4, /* an array of the type */
    FIELD_MAP = 8,  /* an object whose members, named freely, are of the type */
};

struct schema_field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    unsigned flags;
    const char *help;
    int64_t min, max; /* max 0: the type's own */
    const char *choices;
    const struct schema *schema;
};

struct schema {
    const char *name; /* unique: a component of the OpenAPI document */
    const char *help;
    const struct schema_field *fields; /* ends with a row without name */
    const struct schema *base;         /* its fields come first; NULL: none */
};

#define FAULTS_MAX 20
struct schema_fault {
    struct str field; /* "limits.spend_day_usd", "tags[2]" */
    struct str detail;
};
struct schema_faults {
    struct arena *arena;
    struct schema_fault at[FAULTS_MAX];
    size_t count;
};
/* False: the value at v is not of that shape; faults says why, as far as it has room. */
bool schema_check(const struct schema *schema, const struct json *j, json_ref v,
                  struct schema_faults *faults) MUST_CHECK;
/* The same for a value that came as text, as parameters of a query do. */
bool schema_check_text(const struct schema_field *field, struct str value,
                       struct schema_faults *faults) MUST_CHECK;
bool schema_is_time(struct str text); /* in the shape of RFC 3339 */

/* JSON Schema 2020-12: of the object, with references to "#/components/schemas/NAME"; of one field. */
void schema_write(const struct schema *schema, struct json_writer *w);
void schema_write_field(const struct schema_field *field, struct json_writer *w);
/* Calls fn for the schema and every one it refers to, inner ones first; a name may come twice. */
void schema_walk(const struct schema *schema, void (*fn)(const struct schema *, void *ctx),
                 void *ctx);
/* The index of text in "a|b|c", or -1. */
int choice_find(const char *choices, struct str text);

#endif
