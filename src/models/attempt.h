/* models/attempt.h: one question, asked of one candidate after the other until an answer has begun.
 *
 *   choose --> ask --> first token --> the answer, handed over
 *     ^         | failed, late, empty, 429
 *     '---------'   the next candidate at once; one that was asked already after a pause
 *
 * Begun    a stream has begun with its first token, a whole answer with its last byte: until then the
 *          client has seen nothing, and another may answer instead.
 * Faults   what is wrong with the request itself is never asked twice: 4xx but 408, 409, 424, 425 and 429.
 *          401, 402, 403 and 404 speak of the deployment: the next candidate is asked, this one not again.
 * Cost     of attempts that came to nothing is noted with them; money beyond the first hold is asked for
 *          before it is spent (afford).
 * Owner    the plan's arena. */
#ifndef WEIR_MODELS_ATTEMPT_H
#define WEIR_MODELS_ATTEMPT_H

#include "base/trace.h"
#include "models/health.h"
#include "models/route.h"

#define ATTEMPTS_MAX 16

enum attempt_end {
    ATTEMPT_ANSWERED,
    ATTEMPT_REFUSED, /* 4xx: the request's fault, or the deployment's settings */
    ATTEMPT_LIMITED, /* 429 */
    ATTEMPT_FAILED,  /* no connection, 5xx, an answer that cannot be read */
    ATTEMPT_LATE,    /* no first token in time */
    ATTEMPT_EMPTY,   /* an answer with nothing in it */
    ATTEMPT_CUT,     /* broke off after it had begun */
    ATTEMPT_LOST,    /* another was quicker */
    ATTEMPT_LEFT,    /* the client went */
};
const char *attempt_end_name(enum attempt_end end); /* "answered", "limited", ... */

struct attempt {
    const struct model *model;
    enum attempt_end end;
    int status; /* the provider's; 0: there was no reply */
    dur_ns took;
    bool is_hedge;
    bool is_ours;       /* refused for our key or our url, which is nothing to the client */
    struct usage usage; /* of one that came to nothing: what it may be billed for, an estimate */
    usd_micro cost;     /* of that */
};
struct attempts {
    struct attempt at[ATTEMPTS_MAX];
    uint32_t count;
    usd_micro cost_apart; /* sum of cost */
    struct usage carried; /* of cost_apart, what stands in the answer's own usage as well */
};
/* "a failed 503 in 12 ms; b answered in 340 ms" */
void attempts_write(const struct attempts *attempts, struct buf *out);

/* Who gave the answer's end; otherwise when nobody did. */
const struct model *attempts_speaker(const struct attempts *attempts,
                                     const struct model *otherwise);

struct attempt_plan {
    struct arena *arena;
    const struct route_group *groups;
    size_t group_count;
    const struct route_policy *policy;
    struct str label;              /* the name that was asked for: for errors */
    bool only_first;               /* no retry, no fallback, no hedge: the client said so */
    uint32_t needs;                /* enum ability */
    int64_t tokens_in, tokens_out; /* estimates: what fits into a window */
    struct str tenant;             /* who pays */
    uint32_t zones;                /* a bit each enum zone that is allowed */
    bool (*may_ask)(void *ctx, const struct model *model); /* by its name; NULL: any */
    const struct chat_request *chat; /* what is known of the request, in whichever dialect */
    struct model_question *question; /* out: conversation and losses of the one who answers */
    uint64_t request_id;
    /* May so much more be spent than was held? NULL: always. */
    bool (*afford)(void *ctx, usd_micro more);
    void (*give_back)(void *ctx,
                      usd_micro less); /* of what afford() has allowed; set when that is */
    void *ctx;
    usd_micro held; /* covers one attempt with any candidate */
    struct trace *trace;
    struct attempts *log;
    dur_ns retry_after; /* out: when nobody could be asked, or 0 */
    struct refusal
        why; /* out: the words of the last one that was asked, if it had any; else status 0 */
};
/* On success *out has begun and *by says who answers. Else err says what went wrong with the last one,
 * or why nobody could be asked. The plan is used until the answer ends. */
SUSPENDS bool attempt_all(struct attempt_plan *plan, struct answer **out, const struct model **by,
                          struct err *err) MUST_CHECK;

#endif
