#include "models/attempt.h"

#include <string.h>

#include "models/attempt_internal.h"
#include "models/dialect.h"
#include "net/http.h"
#include "sys/clock.h"

#define REFUSAL_BYTES_MAX (256 * KIB)    /* of an error's body that is kept */
#define PARK_MAX          (300 * SECOND) /* whatever a provider wants */
#define PAUSE_LEAST       (10 * MILLISECOND)
#define LOOK_AGAIN        (50 * MILLISECOND) /* at one whose probe is out */

const char *attempt_end_name(enum attempt_end end)
{
    static const char *const names[] = {"answered", "refused", "limited", "failed", "late",
                                        "empty",    "cut",     "lost",    "left"};

    return names[end];
}

void attempts_write(const struct attempts *attempts, struct buf *out)
{
    for (uint32_t i = 0; i < attempts->count; i++) {
        const struct attempt *at = &attempts->at[i];

        buf_str(out, i ? STR("; ") : STR(""));
        buf_str(out, at->model->name);
        buf_str(out, at->is_hedge ? STR(" (hedge) ") : STR(" "));
        buf_str(out, str_from(attempt_end_name(at->end)));
        if (at->status) {
            buf_char(out, ' ');
            buf_i64(out, at->status);
        }
        buf_str(out, STR(" in "));
        buf_i64(out, at->took / MILLISECOND);
        buf_str(out, STR(" ms"));
    }
}

const struct model *attempts_speaker(const struct attempts *attempts, const struct model *otherwise)
{
    for (uint32_t i = attempts ? attempts->count : 0; i > 0; i--)
        if (attempts->at[i - 1].end == ATTEMPT_ANSWERED)
            return attempts->at[i - 1].model;
    return otherwise;
}

struct breaker_rules breaker_rules_of(const struct route_policy *policy)
{
    return (struct breaker_rules){.failures = policy->breaker_failures,
                                  .open_time = policy->breaker_time};
}

/* ---- an answer that has begun, looked after until its end ---- */

static void settle(struct tended *t, enum fared how)
{
    mono_ns now = fiber_now();

    if (t->settled)
        return;
    t->settled = true;
    if (how == FARED_WELL)
        deployment_took(t->deployment, now - t->started, now);
    deployment_done(t->deployment, t->turn, how, &t->rules, now);
}

static void note_cut(struct tended *t, const struct err *err)
{
    bool provider = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;

    if (t->note)
        t->note->end = provider ? ATTEMPT_CUT : ATTEMPT_LEFT;
    settle(t, provider ? FARED_ILL : FARED_NEITHER);
}

static SUSPENDS bool next_tended(struct answer *answer, struct str *bytes, bool *last,
                                 struct err *err)
{
    struct tended *t = answer->own;
    bool ok;

    if (t->is_held) {
        t->is_held = false;
        *bytes = t->held;
        *last = t->held_last;
        return true;
    }
    answer->own = t->own;
    ok = t->next(answer, bytes, last, err);
    answer->own = t;
    if (!ok)
        note_cut(t, err);
    else if (*last)
        settle(t, FARED_WELL);
    return ok;
}

static SUSPENDS void end_tended(struct answer *answer)
{
    struct tended *t = answer->own;

    if (!t->settled && t->note)
        t->note->end = ATTEMPT_LEFT;
    settle(t, FARED_NEITHER);
    answer->own = t->own;
    t->end(answer);
}

static void tend(struct tended *t, struct answer *answer)
{
    t->answer = answer;
    t->next = answer->next;
    t->end = answer->end;
    t->own = answer->own;
    answer->next = next_tended;
    answer->end = end_tended;
    answer->own = t;
}

/* ---- until it has begun ---- */

/* One piece is handed on as it is; of several each is copied, as the next one takes its place. */
static bool keep(struct arena *arena, struct buf *all, struct str bytes, bool is_first, bool more,
                 struct str *out, struct err *err)
{
    if (is_first && !more) {
        *out = bytes;
        return true;
    }
    if (is_first)
        buf_init(all, arena, REFUSAL_BYTES_MAX + 64 * MIB);
    buf_str(all, bytes);
    return buf_finish(all, out, err);
}

/* Of several choices one that has ended has begun, also without a word; a single one that has said nothing
 * is read to its end: it is empty. */
static bool has_begun(const struct answer *answer)
{
    const struct chat_meter *meter = &answer->meter;

    if (meter->choices > 1 && meter->finished_count > 0)
        return true;
    return meter->content_bytes > 0 || meter->spoke || meter->done || !answer->streaming;
}

static SUSPENDS bool first_token(struct tended *t, struct arena *arena, struct err *err)
{
    struct answer *answer = t->answer;
    struct str bytes = STR_NONE;
    bool last = false, is_first = true;
    struct buf all;

    do {
        if (!answer->next(answer, &bytes, &last, err))
            return false;
        bool more = !last && !has_begun(answer);
        if (!keep(arena, &all, bytes, is_first, more, &t->held, err))
            return false;
        is_first = false;
        if (!more)
            break;
    } while (true);
    t->held_last = last;
    t->is_held = true;
    return true;
}

/* ---- what an end means ---- */

static bool says(struct str body, struct str words)
{
    return str_find(body, words) < body.len;
}

/* As OpenAI and vLLM say it, Anthropic in two ways, Gemini, Bedrock, llama.cpp. */
static bool is_too_long(const struct refusal *why)
{
    static const char *const words[] = {
        "context_length_exceeded",
        "maximum context length",
        "prompt is too long",
        "exceed context limit",
        "maximum number of tokens allowed",
        "Input is too long for requested model",
        "exceed_context_size_error",
    };

    if (why->status != 400)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (says(why->body, str_from(words[i])))
            return true;
    return str_eq(why->code, STR("context_length_exceeded"));
}

static void judge_status(int status, struct outcome *how)
{
    how->status = status;
    how->too_long = is_too_long(&how->why);
    how->not_again = how->too_long;
    switch (status) {
    case 429: how->end = ATTEMPT_LIMITED; return;
    case 408:
    case 409:
    case 424: /* Bedrock's model failed, not what it was asked */
    case 425: how->end = ATTEMPT_FAILED; return;
    case 401:
    case 402:
    case 403:
    case 404:
    case 407:
        how->end = ATTEMPT_REFUSED;
        how->not_again = true;
        return;
    default: break;
    }
    how->end = status >= 500 ? ATTEMPT_FAILED : ATTEMPT_REFUSED;
    how->request_at_fault = status < 500 && !how->too_long;
}

/* There is no answer, only an error. */
static void judge_error(const struct err *err, struct outcome *how)
{
    struct err over = {0};

    how->end = err->code == ERR_TIMEOUT ? ATTEMPT_LATE : ATTEMPT_FAILED;
    if (how->why.is_ours) { /* it will not like the key any better the next time */
        how->end = ATTEMPT_REFUSED;
        how->not_again = true;
        return;
    }
    if (err->code == ERR_UNAVAILABLE || (err->code == ERR_TIMEOUT && fiber_still_wanted(&over)))
        return;
    if (err->code == ERR_INVALID) { /* it cannot be told what is asked: another may */
        how->end = ATTEMPT_REFUSED;
        how->not_again = true;
        return;
    }
    how->end = err->code == ERR_CANCELLED ? ATTEMPT_LEFT : how->end;
    how->request_at_fault = true;
}

/* A filter's rejection is an answer, also without a word: asked once, as one that comes with a status. */
static bool was_filtered(const struct chat_meter *meter)
{
    for (int64_t i = 0; i < MIN_OF(meter->choices, (int64_t)CHAT_CHOICES_MAX); i++)
        if (meter->finish[i] == FINISH_CONTENT_FILTER || meter->finish[i] == FINISH_REFUSAL)
            return true;
    return false;
}

static bool is_empty(const struct answer *answer, bool held_last, const struct chat_request *chat)
{
    return held_last && answer->meter.content_bytes == 0 && !answer->meter.spoke &&
           answer->meter.usage.tokens_out <= 1 && chat->max_tokens != 0 &&
           !was_filtered(&answer->meter);
}

/* ---- one attempt ---- */

/* A question of its own, as two may be asked at once. */
static SUSPENDS bool open_and_begin(struct attempting *a, const struct asking *asking,
                                    struct tended *t, struct outcome *how, struct err *err)
{
    t->question = *a->plan->question;
    t->question.losses = &t->losses;
    losses_clear(&t->losses, false);
    if (attempt_goes_on(a)) {
        if (!attempt_open_going_on(a, asking, t, how, err))
            return false;
    } else if (!model_ask(asking->arena, asking->who.model, &t->question, &t->answer, &how->why,
                          err)) {
        return false;
    }
    return first_token(t, asking->arena, err);
}

/* We have left it, not it us. */
NOINLINE bool attempt_was_late(const struct attempting *a, const struct model *model,
                               const struct scope *limit, struct err *err)
{
    struct err over = {0};

    if (limit->over != ERR_TIMEOUT || !fiber_still_wanted(&over))
        return false;
    err_set(err, ERR_TIMEOUT,
            "model \"" STR_FMT "\" gave no first token within %" PRId64 " ms (first_token_timeout)",
            STR_ARG(model->name), a->plan->policy->first_token_timeout / MILLISECOND);
    return true;
}

/* Within the time for a first token, which only a stream has. */
static SUSPENDS bool begin_within(struct attempting *a, const struct asking *asking,
                                  struct tended *t, struct outcome *how, struct err *err)
{
    dur_ns most = a->plan->chat->stream ? a->plan->policy->first_token_timeout : 0;
    struct scope limit;
    bool ok;

    scope_open(&limit, most > 0 ? fiber_now() + most : 0);
    t->limit = &limit;
    ok = open_and_begin(a, asking, t, how, err);
    t->limit = NULL;
    scope_close(&limit);
    if (!ok && attempt_was_late(a, asking->who.model, &limit, err))
        attempt_bill_prompt(a, how);
    return ok;
}

/* An error that called itself an answer: its words outlive its connection. */
static bool is_refusal(struct arena *arena, const struct tended *t, struct outcome *how,
                       struct err *err)
{
    const struct answer *answer = t->answer;
    struct str body;

    if (LIKELY(answer->status < 400))
        return false;
    body = arena_str(arena, str_slice(t->held, 0, REFUSAL_BYTES_MAX));
    how->why = (struct refusal){.status = answer->status,
                                .message = answer->meter.error_text,
                                .content_type = answer->content_type,
                                .body = body.ptr ? body : STR("")};
    judge_status(answer->status, how);
    err_set(err, ERR_UNAVAILABLE, "provider \"" STR_FMT "\" answered with an error: " STR_FMT,
            STR_ARG(answer->provider), STR_ARG(str_slice(answer->meter.error_text, 0, 140)));
    return true;
}

static bool judge_answer(struct attempting *a, const struct asking *asking, const struct tended *t,
                         struct outcome *how, struct err *err)
{
    const struct answer *answer = t->answer;

    if (is_refusal(asking->arena, t, how, err))
        return false;
    if (a->plan->policy->retry_empty && !asking->is_last &&
        is_empty(answer, t->held_last, a->plan->chat)) {
        how->end = ATTEMPT_EMPTY;
        attempt_bill_prompt(a, how);
        if (answer->meter.usage.tokens_in >= 0)
            how->usage = answer->meter.usage;
        return err_set(err, ERR_UNAVAILABLE, "provider \"" STR_FMT "\" gave an empty answer",
                       STR_ARG(answer->provider));
    }
    how->end = ATTEMPT_ANSWERED;
    how->status = answer->status;
    return true;
}

/* It could not be told what is asked: nobody asked it. */
static bool was_not_asked(const struct outcome *how)
{
    return how->end == ATTEMPT_REFUSED && !how->status && !how->why.is_ours;
}

static enum fared fared(const struct outcome *how)
{
    if (how->end == ATTEMPT_LIMITED || how->end == ATTEMPT_LEFT || how->end == ATTEMPT_LOST ||
        how->request_at_fault || how->too_long || was_not_asked(how))
        return FARED_NEITHER;
    return how->end == ATTEMPT_ANSWERED ? FARED_WELL : FARED_ILL;
}

void attempt_settle(const struct attempting *a, struct deployment *deployment,
                    const struct outcome *how)
{
    struct breaker_rules rules = breaker_rules_of(a->plan->policy);

    deployment_done(deployment, how->who.turn, fared(how), &rules, fiber_now());
    if (how->why.retry_after > 0 && a->plan->policy->attempts_max > 1)
        deployment_park(deployment, fiber_now() + MIN_OF(how->why.retry_after, PARK_MAX));
}

/* It has begun: from here on it is looked after until it ends. */
static void hand_over(struct attempting *a, const struct asking *asking, struct tended *t,
                      struct outcome *how)
{
    dur_ns took = fiber_now() - t->started;

    deployment_first_token(t->deployment, took);
    attempt_note(a, how, took, asking->is_hedge);
    t->note = how->note;
    tend(t, t->answer);
    if (t->held_last)
        settle(t, FARED_WELL);
    how->answer = t->answer;
    how->question = &t->question;
}

void attempt_judge(const struct err *err, struct outcome *how)
{
    if (how->why.status && !how->why.retry_after)
        how->why.retry_after = retry_after_read(how->why.retry_text, clock_wall());
    if (how->why.status)
        judge_status(how->why.status, how);
    else
        judge_error(err, how);
}

static void judge_end(struct attempting *a, const struct asking *asking, const struct err *err,
                      struct outcome *how)
{
    attempt_judge(err, how);
    if (how->end != ATTEMPT_LEFT || !asking->given_up || !*asking->given_up)
        return;
    how->end = ATTEMPT_LOST;
    attempt_bill_prompt(a, how);
}

/* Of several prompts some were answered before another failed. */
static void bill_spent(const struct tended *t, struct outcome *how)
{
    if (t->question.spent.tokens_in <= 0)
        return;
    how->billed = true;
    how->usage = t->question.spent;
}

static SUSPENDS bool attempt_with(struct attempting *a, const struct asking *asking,
                                  struct tended *t, struct outcome *how, struct err *err)
{
    if (!begin_within(a, asking, t, how, err)) {
        judge_end(a, asking, err, how);
        bill_spent(t, how);
    } else if (judge_answer(a, asking, t, how, err)) {
        hand_over(a, asking, t, how);
        return true;
    }
    if (t->answer)
        answer_end(&t->answer);
    attempt_settle(a, t->deployment, how);
    attempt_note(a, how, fiber_now() - t->started, asking->is_hedge);
    return false;
}

bool attempt_once(struct attempting *a, const struct asking *asking, struct outcome *how,
                  struct err *err)
{
    struct tended *t = arena_alloc_raw(asking->arena, sizeof *t);
    struct breaker_rules rules = breaker_rules_of(a->plan->policy);
    struct deployment *deployment = asking->who.model->deployment;

    *how = (struct outcome){.who = asking->who};
    if (!t) {
        how->request_at_fault = true;
        deployment_done(deployment, asking->who.turn, FARED_NEITHER, &rules, fiber_now());
        return err_arena(err, asking->arena);
    }
    memset(t, 0, offsetof(struct tended, losses));
    t->deployment = deployment;
    t->turn = asking->who.turn;
    t->rules = rules;
    t->started = fiber_now();
    return attempt_with(a, asking, t, how, err);
}

void attempt_moved(struct tended *t, const struct chosen *to, struct attempt *note)
{
    if (t->note)
        t->note->end = ATTEMPT_CUT;
    settle(t, FARED_ILL);
    t->settled = false;
    t->deployment = to->model->deployment;
    t->turn = to->turn;
    t->started = fiber_now();
    t->note = note;
}

void attempt_bill_prompt(const struct attempting *a, struct outcome *how)
{
    how->billed = true;
    how->usage = usage_unknown;
    how->usage.tokens_in = chat_estimate_tokens(a->plan->chat->prompt_bytes);
    how->usage.estimated = true;
}

void attempt_bill(struct attempting *a, struct attempt *at, const struct usage *usage)
{
    const struct price_for buyer = {a->plan->tenant, clock_wall()};

    at->usage = *usage;
    at->cost = price_of(at->model, usage, &buyer);
    a->plan->log->cost_apart += at->cost;
}

void attempt_note(struct attempting *a, struct outcome *how, dur_ns took, bool is_hedge)
{
    const struct model *model = how->who.model;
    struct attempts *log = a->plan->log;
    struct attempt *at = &log->at[MIN_OF(log->count, (uint32_t)ATTEMPTS_MAX - 1)];

    *at = (struct attempt){.model = model,
                           .end = how->end,
                           .status = how->status,
                           .took = took,
                           .is_hedge = is_hedge,
                           .is_ours = how->why.is_ours};
    log->count = MIN_OF(log->count + 1, (uint32_t)ATTEMPTS_MAX);
    if (how->billed)
        attempt_bill(a, at, &how->usage);
    how->note = at;
    const struct trace_part parts[] = {
        trace_text(STR("model"), str_slice(model->name, 0, 60)),
        trace_text(STR("end"), str_from(attempt_end_name(how->end))),
        trace_number(STR("status"), how->status),
    };
    trace_event_add(a->plan->trace, "call.attempt", parts, ARRAY_LEN(parts));
}

void attempt_lost(struct attempting *a, struct outcome *how)
{
    answer_end(&how->answer);
    attempt_bill_prompt(a, how);
    how->note->end = ATTEMPT_LOST;
    attempt_bill(a, how->note, &how->usage);
}

/* ---- one after the other ---- */

uint32_t attempts_max(const struct attempting *a)
{
    uint32_t most = MAX_OF(a->plan->policy->attempts_max, 1u);

    return a->plan->only_first ? 1 : MIN_OF(most, (uint32_t)ATTEMPTS_MAX);
}

bool attempts_time_is_up(const struct attempting *a, dur_ns pause)
{
    dur_ns most = a->plan->policy->attempts_time;

    return most > 0 && fiber_now() + pause - a->started > most;
}

/* Full jitter (Brooker 2015, "Exponential backoff and jitter"): anything up to the step. */
static SUSPENDS bool pause_before_again(struct attempting *a, struct err *err)
{
    const struct route_policy *policy = a->plan->policy;
    dur_ns step = MIN_OF(policy->backoff << MIN_OF(a->round, 20u),
                         MAX_OF(policy->backoff_max, policy->backoff));

    a->chance = a->chance * 6364136223846793005u + 1442695040888963407u;
    a->pause = MAX_OF((dur_ns)((a->chance >> 16) % (uint64_t)MAX_OF(step, 1)), PAUSE_LEAST);
    if (attempts_time_is_up(a, a->pause))
        return false;
    a->round++;
    return fiber_sleep(a->pause, err);
}

static bool say_nobody_free(struct attempting *a, mono_ns until, struct err *err)
{
    dur_ns wait = until ? MAX_OF(until - fiber_now(), MILLISECOND) : 0;
    const struct str label = str_slice(a->plan->label, 0, 80);
    bool alone = candidate_count(a->plan) == 1 &&
                 str_eq(a->plan->groups[0].candidates[0].model->name, a->plan->label);

    a->plan->retry_after = wait;
    if (a->plan->log->count)
        return false; /* the last one's words say more */
    if (!until) {
        a->plan->retry_after = SECOND; /* nobody knows when one ends */
        return err_set(err, ERR_EXHAUSTED,
                       "%s \"" STR_FMT "\" has as many requests in flight as it may",
                       alone ? "model" : "every model of", STR_ARG(label));
    }
    return err_set(err, ERR_UNAVAILABLE,
                   "%s \"" STR_FMT "\" is resting, after failures or as its provider asked by"
                   " Retry-After; %s is tried again in %" PRId64 ".%" PRId64 " s",
                   alone ? "model" : "every model of", STR_ARG(label), alone ? "it" : "the first",
                   wait / SECOND, wait % SECOND / (100 * MILLISECOND));
}

/* Who is next, waiting for them when it is worth it. False: nobody, or no longer wanted. */
SUSPENDS bool attempt_next(struct attempting *a, struct chosen *out, struct err *err)
{
    for (;;) {
        mono_ns until;
        enum choice choice = choose_candidate(a, out, &until, err);

        if (choice == CHOSE)
            return true;
        if (choice == NOBODY_LEFT) {
            if (!a->plan->log->count || !somebody_again(a) || !pause_before_again(a, err))
                return false;
            continue;
        }
        dur_ns wait = until > fiber_now() ? until - fiber_now() : LOOK_AGAIN;
        if (until && !a->plan->only_first && wait <= a->plan->policy->retry_after_max &&
            !attempts_time_is_up(a, wait)) {
            if (!fiber_sleep(wait, err))
                return false;
            continue;
        }
        /* Who cannot be waited for keeps nobody from being asked again. */
        if (!somebody_asked(a) || !pause_before_again(a, err))
            return say_nobody_free(a, until, err);
    }
}

/* A further attempt may cost as much as the first. */
bool attempt_affordable(struct attempting *a)
{
    const struct attempt_plan *plan = a->plan;

    if (!plan->afford || plan->log->cost_apart <= a->spent)
        return true;
    if (!plan->afford(plan->ctx, plan->log->cost_apart - a->spent))
        return false;
    a->spent = plan->log->cost_apart;
    return true;
}

static SUSPENDS bool ask(struct attempting *a, const struct chosen *who, struct outcome *how,
                         struct err *err)
{
    const struct route_policy *policy = a->plan->policy;
    struct asking asking = {.who = *who,
                            .arena = a->plan->arena,
                            .is_last = a->plan->log->count + 1 >= attempts_max(a)};

    if ((policy->hedge_delay > 0 || policy->hedge_percentile > 0) && !a->plan->only_first)
        return attempt_hedged(a, &asking, how, err);
    return attempt_once(a, &asking, how, err);
}

void attempt_learn(struct attempting *a, const struct outcome *how)
{
    if (how->not_again)
        a->tried[how->who.place].never_again = true;
    if (how->too_long)
        a->window_above = MAX_OF(a->window_above, MAX_OF(how->who.model->window, 1));
}

/* One after the other until one has begun, or nobody else is to be asked. */
static SUSPENDS bool ask_around(struct attempting *a, struct outcome *how, struct err *err)
{
    struct chosen who;

    while (a->plan->log->count < attempts_max(a) && attempt_affordable(a) &&
           !attempts_time_is_up(a, 0)) {
        struct err why = {0};

        if (!attempt_next(a, &who, &why)) {
            if (why.code) {
                how->why = (struct refusal){0};
                *err = why;
            }
            return false;
        }
        if (ask(a, &who, how, &why))
            return true;
        *err = why;
        attempt_learn(a, how);
        if (how->request_at_fault)
            return false;
    }
    return false;
}

bool attempt_all(struct attempt_plan *plan, struct answer **out, const struct model **by,
                 struct err *err)
{
    struct attempting *a = arena_alloc(plan->arena, sizeof *a);
    struct outcome *how = arena_alloc(plan->arena, sizeof *how);
    struct err last = {0}; /* of those that failed before another answered, nobody needs to know */

    ASSERT(candidate_count(plan) <= CANDIDATES_MAX && plan->log);
    if (!a || !how)
        return err_arena(err, plan->arena);
    *a = (struct attempting){
        .plan = plan, .chance = plan->request_id, .window_doubt = 1, .started = fiber_now()};
    bool ok = ask_around(a, how, &last);
    if (how->who.model)
        *by = how->who.model;
    if (!ok) {
        plan->why = how->why;
        *err = last;
        return false;
    }
    *plan->question = *how->question;
    *out = how->answer;
    return true;
}
