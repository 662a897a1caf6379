/* models/upstream.h: one request to a provider and its body, within the provider's deadlines and shown its
 * key: what asking by splice (provider.c) and asking by translation (speech.c) share.
 * Nothing of the client's head goes to a provider.
 * Errors  name the provider, and of its limits the one that was hit. */
#ifndef WEIR_MODELS_UPSTREAM_H
#define WEIR_MODELS_UPSTREAM_H

#include "base/trace.h"
#include "models/models.h"

/* Bytes of names in the span of a request: the provider's, and what it calls the model. */
#define UPSTREAM_NAME_SHOWN  60
#define UPSTREAM_MODEL_SHOWN 100

struct upstream {
    struct arena *arena;
    const struct provider *provider;
    struct http_call *call;
    mono_ns deadline;  /* of the whole answer; 0: none */
    bool ended;        /* the body has been read to its end */
    bool refused_us;   /* it answered, and the answer speaks of our key or our url */
    struct span *span; /* of the trace that the fiber carries */
    uint64_t received; /* bytes of the body */
};

void upstream_register(void); /* metrics; once, before threads */

struct upstream_question {
    struct str method, path; /* path with query, after the provider's url */
    const struct str *body;  /* pieces */
    size_t body_count;
    struct str accept;
    const struct http_field *fields; /* the dialect's */
    size_t field_count;
    uint64_t request_id;
    struct str model; /* as the provider calls it: for the trace; may be empty */
};

/* Send, and wait for the head. On success the call is open until upstream_end(). */
SUSPENDS bool upstream_ask(struct upstream *u, struct arena *arena, const struct provider *provider,
                           const struct upstream_question *q, struct err *err) MUST_CHECK;
/* A copy of a field of the head: the head's own text moves before a wait. Absent: STR_NONE. */
bool upstream_field(const struct upstream *u, struct str name, struct str *out, struct err *err)
    MUST_CHECK;
/* What the provider calls the request; Anthropic leaves out the x-. */
bool upstream_request_id(const struct upstream *u, struct str *out, struct err *err) MUST_CHECK;
/* Bytes of the body, within the gap and the whole time; empty at the end. */
SUSPENDS bool upstream_read(struct upstream *u, struct str *bytes, struct err *err) MUST_CHECK;
/* All of the body: where it came in one piece, that piece. At most reply_bytes_max. */
SUSPENDS bool upstream_whole(struct upstream *u, struct str *out, struct err *err) MUST_CHECK;
/* `complete`: the answer is, though perhaps not its framing, which comes just behind it: worth a short
 * wait, as a connection goes back to its pool only after the framing's end. */
SUSPENDS void upstream_end(struct upstream *u, bool complete);

/* why->status and body are there: the words in it, and an error for them. Returns false. */
bool refusal_read(struct arena *arena, const struct dialect *dialect,
                  const struct provider *provider, struct refusal *why, struct err *err);

#endif
