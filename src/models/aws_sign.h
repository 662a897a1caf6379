/* models/aws_sign.h: Signature Version 4 of requests to AWS.
 * What is signed is what is sent: path and query as they stand on the wire, Host, the date, the body's hash
 * and the session's token. A path is encoded once more before it is signed, as every service but S3 wants.
 * Owner    the texts of the fields live in the arena; the session's token is a view of its secret.
 * Source   AWS General Reference, "Create a signed AWS API request". */
#ifndef WEIR_MODELS_AWS_SIGN_H
#define WEIR_MODELS_AWS_SIGN_H

#include "base/arena.h"
#include "base/secret.h"
#include "net/http_parse.h"

struct aws_identity {
    struct str access_key; /* the id: no secret */
    const struct secret *secret_key;
    const struct secret *session_token; /* NULL or empty: none */
    struct str region, service;         /* "us-east-1", "bedrock" */
};

struct aws_request {
    struct str method, host; /* host as in the Host field: with the port where one is written */
    struct str path;         /* with query, as on the wire */
    const struct str *body;  /* pieces */
    size_t body_count;
    bool path_as_sent; /* S3: its keys may hold "//" and "..", and are encoded once only */
    bool checksums;    /* S3: the answer is to carry those that are known of the object */
};

/* X-Amz-Date, X-Amz-Content-Sha256, Authorization, and X-Amz-Security-Token and X-Amz-Checksum-Mode where they
 * are wanted. */
#define AWS_FIELDS_MAX 5
bool aws_sign(struct arena *arena, const struct aws_request *request,
              const struct aws_identity *who, wall_ms now, struct http_field fields[AWS_FIELDS_MAX],
              size_t *count, struct err *err) MUST_CHECK;
/* The signature alone, for whoever checks one: over the fields given, names in lower case and in order.
 * hex: 64 digits. */
bool aws_signature(struct arena *arena, const struct aws_request *request,
                   const struct aws_identity *who, wall_ms now, const struct http_field *fields,
                   size_t field_count, char hex[64], struct err *err) MUST_CHECK;

#endif
