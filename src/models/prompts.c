#include "models/prompts.h"

#include "models/bedrock.h"
#include "models/health.h"
#include "models/openai_internal.h"
#include "sys/fiber.h"

#define PROMPT_MEMORY \
    (128 * MIB) /* at most, of one that is being asked: pages come as they are needed */

struct prompts;

struct asker {
    struct prompts *of;
    struct scope *scope; /* of its fiber, while that runs */
    bool is_beside;      /* not the first: counts as one more in flight */
    uint32_t turn;       /* in which that one was let in */
    uint32_t prompt;     /* which it asks now */
    struct said step;    /* for the reader */
    bool has_step;       /* not read yet */
    struct event read;
    struct conversation asked;
    struct usage usage; /* of this prompt, as reported */
    size_t content;     /* bytes of the answer that were handed on */
};

struct step { /* of a whole answer */
    struct step *next;
    struct said said;
};

struct prompts {
    struct speech speech;
    struct arena *arena;
    struct model_question *question;
    const struct conversation *asked;
    struct str *texts;
    uint32_t count, taken, choices; /* prompts; how many are or were asked; choices of each */
    struct asker *askers;
    uint32_t asker_most, asker_count, running, turn;
    struct asker *reading; /* whose step was given out last */
    struct event changed;  /* for the reader */
    struct event left;     /* no asker runs any more */
    void *carried;
    struct usage used; /* of all that ended; tokens_in -1: none did */
    struct said own;   /* usage and end */
    struct err failure;
    struct refusal why;
    bool over, has_losses, told_usage;
    struct step *first, **last;
};

bool prompts_are_apart(const struct model *model, const struct conversation *asked)
{
    const struct dialect *provider = model->provider->dialect;
    bool openai = !provider || provider == &dialect_openai;

    if (asked->kind == ASK_EMBEDDING)
        return provider == &dialect_bedrock && bedrock_takes_one_text(model->remote_name) &&
               str_starts(asked->inputs, STR("["));
    return asked->kind == ASK_COMPLETION && asked->prompt_count > 1 &&
           !(openai && completions_are_native(model));
}

static const char *field_of(const struct conversation *asked)
{
    return asked->kind == ASK_EMBEDDING ? "input" : "prompt";
}

/* ---- what it comes to ---- */

/* So much has been read and said, whether the provider counts it or not. */
static struct usage counted(const struct asker *a)
{
    struct usage usage = a->usage;

    if (usage.tokens_in >= 0)
        return usage;
    usage = usage_unknown;
    usage.tokens_in = chat_estimate_tokens(a->asked.prompt_bytes);
    usage.tokens_out = chat_estimate_tokens(a->content);
    usage.estimated = true;
    return usage;
}

static void add_usage(struct asker *a)
{
    struct usage usage = counted(a);

    a->of->used = a->of->used.tokens_in < 0 ? usage : usage_sum(&a->of->used, &usage);
}

/* ---- an asker ---- */

static bool copy_text(struct arena *arena, struct str *text)
{
    if (text->ptr)
        *text = arena_str(arena, *text);
    return true;
}

/* The words outlive the prompt's arena. */
static void keep_refusal(struct prompts *p, const struct refusal *why)
{
    struct str *texts[] = {&p->why.type,       &p->why.message,   &p->why.param,
                           &p->why.code,       &p->why.body,      &p->why.content_type,
                           &p->why.request_id, &p->why.retry_text};

    p->why = *why;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        (void)copy_text(p->arena, texts[i]);
}

/* The same of every prompt: told once. */
static bool keep_losses(struct prompts *p, const struct losses *losses, struct err *err)
{
    struct losses *to = p->question->losses;

    if (p->has_losses)
        return true;
    p->has_losses = true;
    *to = *losses;
    to->turn = NULL; /* it ends with the prompt's arena */
    for (uint32_t i = 0; i < to->count; i++) {
        to->fields[i] = arena_str(p->arena, losses->fields[i]);
        if (!to->fields[i].ptr)
            return err_arena(err, p->arena);
    }
    return true;
}

static bool write_prompt(struct asker *a, struct arena *arena, struct err *err)
{
    struct prompts *p = a->of;
    struct conversation *c = &a->asked;
    struct turn **turns = &c->turns, *turn;
    struct part **parts, *text;
    struct json_writer w;
    struct buf raw;

    *c = *p->asked;
    c->turns = NULL;
    c->prompt_count = 1;
    c->prompt_bytes = p->texts[a->prompt].len;
    turn = turn_add(arena, &turns, TURN_USER);
    if (!turn)
        return err_arena(err, arena);
    turn->path = arena_fmt(arena, "prompt.%" PRIu32, a->prompt);
    parts = &turn->parts;
    text = part_add(arena, &parts, PART_TEXT);
    if (!text || !turn->path.ptr)
        return err_arena(err, arena);
    text->text = p->texts[a->prompt];
    buf_init(&raw, arena, OPENAI_BODY_MAX);
    jw_init(&w, &raw);
    jw_str(&w, text->text);
    return buf_finish(&raw, &c->inputs, err);
}

/* Of vectors one beginning is enough, and none of them finishes for a reason of its own. */
static bool says_nothing(const struct asker *a, const struct said *said)
{
    if (a->of->asked->kind != ASK_EMBEDDING)
        return false;
    return said->kind == SAID_FINISH || (said->kind == SAID_BEGIN && a->prompt > 0);
}

/* Until the reader has had it. */
static SUSPENDS bool hand_on(struct asker *a, const struct said *said, struct err *err)
{
    if (said->kind == SAID_TEXT || said->kind == SAID_REASONING || said->kind == SAID_ARGUMENTS)
        a->content += said->text.len;
    a->step = *said;
    a->step.choice += a->prompt * a->of->choices;
    a->has_step = true;
    event_pulse(&a->of->changed);
    while (a->has_step)
        if (!event_wait(&a->read, err))
            return false;
    return true;
}

static SUSPENDS bool hear(struct asker *a, struct speech *speech, struct err *err)
{
    const struct said *said;

    for (;;) {
        if (!speech->next(speech, &said, err))
            return false;
        if (said->kind == SAID_END)
            return true;
        if (said->kind == SAID_USAGE)
            a->usage = said->usage;
        else if (!says_nothing(a, said) && !hand_on(a, said, err))
            return false;
    }
}

static SUSPENDS bool ask_prompt(struct asker *a, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(PROMPT_MEMORY);
    struct speech *speech CLEANUP(speech_end) = NULL;
    struct prompts *p = a->of;
    struct losses losses = {.refuse = p->question->losses->refuse};
    struct refusal why = {0};
    bool ok;

    a->usage = usage_unknown;
    a->content = 0;
    if (!arena)
        return err_no_room(err, "no memory to ask a model");
    if (!write_prompt(a, arena, err))
        return false;
    if (!speech_open(arena, p->speech.model, &a->asked, &losses, p->question->request_id, &speech,
                     &why, err)) {
        if (!p->failure.code)
            keep_refusal(p, &why);
        if (err->code == ERR_CANCELLED) /* it has the question */
            add_usage(a);
        return false;
    }
    if (!p->speech.request_id.ptr)
        p->speech.request_id = arena_str(p->arena, speech->request_id);
    ok = keep_losses(p, &losses, err) && hear(a, speech, err);
    if (ok || a->content || a->usage.tokens_in >= 0 || err->code == ERR_CANCELLED)
        add_usage(a);
    return ok;
}

static void leave(struct asker *a)
{
    struct prompts *p = a->of;
    const struct model_question *q = p->question;

    if (a->is_beside) {
        deployment_done(p->speech.model->deployment, a->turn, FARED_NEITHER,
                        &(struct breaker_rules){0}, fiber_now());
        if (q->narrow)
            q->narrow(q->room);
    }
    a->scope = NULL;
    p->running--;
    if (p->over && !p->running)
        event_set(&p->left);
    event_pulse(&p->changed);
}

static SUSPENDS void ask_prompts(struct asker *a)
{
    struct prompts *p = a->of;
    struct err err = {0};

    while (!p->over && p->taken < p->count) {
        a->prompt = p->taken++;
        if (ask_prompt(a, &err))
            continue;
        if (!p->failure.code && !p->over) {
            err_wrap(&err, "%s.%" PRIu32, field_of(p->asked), a->prompt);
            p->failure = err;
        }
        return;
    }
}

static void run_asker(void *arg)
{
    struct asker *a = arg;
    struct scope scope;

    fiber_carry(a->of->carried);
    scope_open(&scope, 0);
    a->scope = &scope;
    ask_prompts(a);
    scope_close(&scope);
    leave(a);
}

/* One more, if there is work and room for it. */
static bool start_asker(struct prompts *p, struct err *err)
{
    struct asker *a = &p->askers[p->asker_count];
    const struct model_question *q = p->question;
    const struct model *model = p->speech.model;
    mono_ns until;

    *a = (struct asker){.of = p, .is_beside = p->asker_count > 0};
    if (a->is_beside) {
        if (q->widen && !q->widen(q->room))
            return false;
        if (deployment_admit(model->deployment, model->in_flight_max, fiber_now(), &until,
                             &a->turn) != ADMITTED) {
            if (q->narrow)
                q->narrow(q->room);
            return false;
        }
    }
    p->running++;
    if (!fiber_spawn(run_asker, a, err)) {
        leave(a);
        return false;
    }
    p->asker_count++;
    return true;
}

static bool start(struct prompts *p, struct err *err)
{
    struct err none = {0};

    p->carried = fiber_carried();
    if (!start_asker(p, err))
        return false;
    while (p->asker_count < p->asker_most && start_asker(p, &none))
        ;
    return true;
}

/* Also in a scope that is over: nobody may write into what the arena takes with it. */
static SUSPENDS void stop(struct prompts *p)
{
    p->over = true;
    for (uint32_t i = 0; i < p->asker_count; i++)
        if (p->askers[i].scope)
            scope_cancel(p->askers[i].scope);
    if (p->running)
        event_await(&p->left);
}

/* ---- the reader ---- */

static void release(struct prompts *p)
{
    if (!p->reading)
        return;
    p->reading->has_step = false;
    event_pulse(&p->reading->read);
    p->reading = NULL;
}

static struct asker *who_has_a_step(struct prompts *p)
{
    for (uint32_t i = 0; i < p->asker_count; i++) {
        uint32_t at = (p->turn + i) % p->asker_count;

        if (p->askers[at].has_step) {
            p->turn = at + 1;
            return &p->askers[at];
        }
    }
    return NULL;
}

/* The next step of whoever has one. NULL in *out: all have ended, or one has failed. */
static SUSPENDS bool pull(struct prompts *p, const struct said **out, struct err *err)
{
    struct asker *a;

    release(p);
    *out = NULL;
    while (!p->failure.code) {
        a = who_has_a_step(p);
        if (a) {
            p->reading = a;
            *out = &a->step;
            return true;
        }
        if (!p->running)
            return true;
        if (!event_wait(&p->changed, err))
            return false;
    }
    stop(p);
    return true;
}

/* Behind the last step: what it came to, then its end or its failure. */
static bool give_end(struct prompts *p, const struct said **out, struct err *err)
{
    if (!p->told_usage && p->used.tokens_in >= 0) {
        p->told_usage = true;
        p->own = (struct said){.kind = SAID_USAGE, .usage = p->used};
    } else if (p->failure.code) {
        *err = p->failure;
        if (err->code != ERR_TIMEOUT && err->code != ERR_CANCELLED)
            err->code = ERR_UNAVAILABLE; /* it has begun: no status can tell any more */
        return false;
    } else {
        p->own = (struct said){.kind = SAID_END};
    }
    *out = &p->own;
    return true;
}

static SUSPENDS bool next_said(struct speech *s, const struct said **out, struct err *err)
{
    struct prompts *p = s->own;

    if (p->first) {
        *out = &p->first->said;
        p->first = p->first->next;
        return true;
    }
    if (!pull(p, out, err))
        return false;
    return *out || give_end(p, out, err);
}

static bool is_ready(struct speech *s)
{
    struct prompts *p = s->own;

    if (p->first)
        return true;
    release(p);
    return who_has_a_step(p) || !p->running;
}

static SUSPENDS void end_prompts(struct speech *s)
{
    stop(s->own);
}

/* ---- opening ---- */

/* As they come; vectors in the order of their texts, whoever was answered first. */
static void put_step(struct prompts *p, struct step *step)
{
    struct step **at = p->last;

    if (p->asked->kind == ASK_EMBEDDING)
        for (at = &p->first; *at && (*at)->said.choice <= step->said.choice;)
            at = &(*at)->next;
    step->next = *at;
    *at = step;
    if (!step->next)
        p->last = &step->next;
}

static bool keep_step(struct prompts *p, const struct said *said, struct err *err)
{
    struct step *step = arena_alloc(p->arena, sizeof *step);

    if (!step)
        return err_arena(err, p->arena);
    step->said = *said;
    struct str *texts[] = {&step->said.id,        &step->said.name,      &step->said.model,
                           &step->said.text,      &step->said.signature, &step->said.raw,
                           &step->said.media_type};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i]->ptr) {
            *texts[i] = arena_str(p->arena, *texts[i]);
            if (!texts[i]->ptr)
                return err_arena(err, p->arena);
        }
    put_step(p, step);
    return true;
}

/* All of it: while nothing has been told, a refusal is still one. */
static SUSPENDS bool gather(struct prompts *p, struct err *err)
{
    const struct said *said;

    do {
        if (!pull(p, &said, err) || (said && !keep_step(p, said, err)))
            return false;
    } while (said);
    return true;
}

static SUSPENDS bool wait_for_the_first(struct prompts *p, struct err *err)
{
    while (!p->failure.code && p->running && !who_has_a_step(p))
        if (!event_wait(&p->changed, err))
            return false;
    return true;
}

static bool read_prompts(struct prompts *p, const struct json *j, struct err *err)
{
    uint32_t i = 0;

    p->texts = arena_array(p->arena, p->count, sizeof *p->texts);
    if (!p->texts)
        return err_arena(err, p->arena);
    for (json_ref v = json_first(j, json_root(j)); v && i < p->count; v = json_next(j, v), i++) {
        if (json_kind(j, v) != JSON_STRING)
            return err_set(err, ERR_INVALID,
                           "%s.%" PRIu32 ": the model's provider takes text, no tokens",
                           field_of(p->asked), i);
        if (!json_str(j, v, p->arena, &p->texts[i]))
            return err_arena(err, p->arena);
    }
    return true;
}

static struct prompts *new_prompts(struct arena *arena, const struct model *model,
                                   struct model_question *question, size_t count)
{
    struct prompts *p = arena_alloc(arena, sizeof *p);

    if (!p)
        return NULL;
    p->arena = arena;
    p->question = question;
    p->asked = question->conversation;
    p->count = (uint32_t)count;
    p->choices = MAX_OF((uint32_t)MAX_OF(p->asked->n, 1), 1u);
    p->asker_most = MIN_OF(
        MIN_OF(MAX_OF(question->prompts_at_once, 1u), (uint32_t)PROMPTS_AT_ONCE_MAX), p->count);
    p->askers = arena_array(arena, p->asker_most, sizeof *p->askers);
    if (!p->askers)
        return NULL;
    p->used = usage_unknown;
    p->last = &p->first;
    p->speech = (struct speech){
        .model = model, .next = next_said, .end = end_prompts, .ready = is_ready, .own = p};
    return p;
}

static SUSPENDS bool begin(struct prompts *p, struct err *err)
{
    if (!start(p, err) || !(p->asked->stream ? wait_for_the_first(p, err) : gather(p, err)))
        return false;
    if (p->failure.code)
        *err = p->failure;
    return !p->failure.code;
}

bool prompts_open(struct arena *arena, const struct model *model, struct model_question *question,
                  struct speech **out, struct refusal *why, struct err *err)
{
    const struct conversation *asked = question->conversation;
    struct json *j = json_parse(arena, asked->inputs, err);
    size_t count = j ? json_count(j, json_root(j)) : 0;
    struct prompts *p;

    if (!j)
        return err_wrap(err, "%s", field_of(asked));
    if (count == 0 || count > PROMPTS_MAX)
        return err_set(err, ERR_INVALID, "%s: expected 1 to %d", field_of(asked), PROMPTS_MAX);
    p = new_prompts(arena, model, question, count);
    if (!p)
        return err_arena(err, arena);
    if (!read_prompts(p, j, err))
        return false;
    if (begin(p, err)) {
        *out = &p->speech;
        return true;
    }
    stop(p);
    question->spent = p->used;
    *why = p->why;
    return false;
}
