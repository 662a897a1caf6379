/* models/attempt_internal.h: what choosing, asking and hedging share. Siblings only. */
#ifndef WEIR_MODELS_ATTEMPT_INTERNAL_H
#define WEIR_MODELS_ATTEMPT_INTERNAL_H

#include "models/attempt.h"
#include "models/dialect.h"
#include "sys/fiber.h"

/* What became of each candidate so far, by its place over all groups. */
struct tried {
    uint8_t times;
    bool never_again; /* refused us, or cannot take it */
    bool passed_over; /* and the trace says why */
};

struct attempting {
    struct attempt_plan *plan;
    struct tried tried[CANDIDATES_MAX];
    uint32_t round;       /* candidates asked less often than this are tried next */
    int64_t window_above; /* one whose window was too small: others need more */
    int64_t window_doubt; /* an estimate of tokens is divided by it: 1 while somebody surely fits */
    uint64_t chance;
    mono_ns started;
    dur_ns pause; /* before somebody is asked again */
    usd_micro spent;
};

struct chosen {
    const struct model *model;
    size_t place;
    uint32_t turn; /* of deployment_admit() */
};
enum choice { CHOSE, NOBODY_LEFT, NOBODY_FREE };
/* Somebody who has not been asked in this round and is let in now; deployment_done() is owed.
 * NOBODY_FREE: some are left, *until says when one may be free (0: it cannot be known). NOBODY_LEFT: all
 * have been asked, or err says why nobody can take this request at all. */
enum choice choose_candidate(struct attempting *a, struct chosen *out, mono_ns *until,
                             struct err *err) MUST_CHECK;
bool somebody_again(const struct attempting *a); /* in another round */
bool somebody_asked(const struct attempting *a); /* in this one, and may be in another */
size_t candidate_count(const struct attempt_plan *plan);

/* Stands in front of the answer's own functions; the answer itself stays where it is, so that its meter is
 * read without a copy. */
struct tended {
    struct answer *answer;
    SUSPENDS bool (*next)(struct answer *answer, struct str *bytes, bool *last, struct err *err);
    SUSPENDS void (*end)(struct answer *answer);
    void *own;
    struct deployment *deployment;
    uint32_t turn; /* in which it was let in */
    struct breaker_rules rules;
    mono_ns started;
    struct str held; /* what was read until it had begun */
    bool is_held, held_last;
    bool settled;
    struct attempt *note;
    struct model_question question;
    struct scope *limit;  /* on a first token, while there is none */
    struct losses losses; /* last: large, and not cleared */
};
/* Another goes on with the answer: the first one has failed. */
void attempt_moved(struct tended *t, const struct chosen *to, struct attempt *note);

/* How one attempt ended. */
struct outcome {
    struct chosen who;
    struct answer *answer; /* begun; NULL: it came to nothing */
    enum attempt_end end;
    int status;
    bool request_at_fault; /* ask nobody else */
    bool not_again;        /* not this one */
    bool too_long;         /* for its window */
    bool billed;           /* it came to nothing, and the provider may count `usage` all the same */
    struct usage usage;
    struct refusal why;              /* status 0: err has all */
    struct attempt *note;            /* in the log */
    struct model_question *question; /* as it was asked: losses */
};
struct asking {
    struct chosen who;
    struct arena *arena;
    bool is_hedge;
    bool is_last;         /* an empty answer is an answer */
    const bool *given_up; /* another was quicker; NULL: there is none */
};
/* Ask one deployment and wait until its answer has begun. It has been let in; whatever comes of it,
 * deployment_done() is called, for an answer when that ends. */
SUSPENDS bool attempt_once(struct attempting *a, const struct asking *asking, struct outcome *how,
                           struct err *err) MUST_CHECK;
/* What an end without an answer means: how->why where the provider said something, else err. */
void attempt_judge(const struct err *err, struct outcome *how);
/* deployment_done() for it, and its Retry-After. */
void attempt_settle(const struct attempting *a, struct deployment *deployment,
                    const struct outcome *how);
/* For those who are asked next. */
void attempt_learn(struct attempting *a, const struct outcome *how);
/* It was the time for a first token that ran out: err says so. We have left it, not it us. */
bool attempt_was_late(const struct attempting *a, const struct model *model,
                      const struct scope *limit, struct err *err);
/* The prompt has been read, whatever came of it. */
void attempt_bill_prompt(const struct attempting *a, struct outcome *how);
void attempt_bill(struct attempting *a, struct attempt *at, const struct usage *usage);
void attempt_note(struct attempting *a, struct outcome *how, dur_ns took, bool is_hedge);
/* One that had begun is not wanted any more. */
void attempt_lost(struct attempting *a, struct outcome *how);
struct breaker_rules breaker_rules_of(const struct route_policy *policy);

/* Who is next, waiting for them when it is worth it. False: nobody (err may be none), or not wanted. */
SUSPENDS bool attempt_next(struct attempting *a, struct chosen *out, struct err *err) MUST_CHECK;
bool attempt_affordable(struct attempting *a); /* what came to nothing so far, and one more */
bool attempts_time_is_up(const struct attempting *a, dur_ns pause);
uint32_t attempts_max(const struct attempting *a);

/* Answers that another may go on with (continue.c). */
bool attempt_goes_on(const struct attempting *a);
SUSPENDS bool attempt_open_going_on(struct attempting *a, const struct asking *asking,
                                    struct tended *t, struct outcome *how, struct err *err)
    MUST_CHECK;

/* attempt_once() with a second deployment after a while; the better one wins. */
SUSPENDS bool attempt_hedged(struct attempting *a, const struct asking *first, struct outcome *how,
                             struct err *err) MUST_CHECK;

#endif
