/* An answer that does not end where its stream breaks off: the next candidate is given what was said and
 * goes on.
 *
 *   first speaker   BEGIN  text text text -- cut
 *   next speaker                              (BEGIN) text text FINISH USAGE END
 *   what is heard   BEGIN  text text text     text text FINISH USAGE(both) END
 *
 * Text       goes out at once. Who can go on from an assistant turn that stands last gets it so; who
 *            cannot gets it with a turn that asks to go on, and what it repeats is left out (overlap.h).
 * Tool calls are held back until the answer's FINISH, so that no half call is ever heard: after a cut the
 *            next speaker makes them anew.
 * Reasoning  goes out at once; the next speaker thinks again, as a part of its own.
 * A cut behind FINISH is an end: everything was said, only the count of tokens is missing.
 * One choice only: with n > 1 a cut stays an error. */
#include "models/attempt_internal.h"
#include "models/openai_internal.h"
#include "models/overlap.h"
#include "models/speech.h"

#define SAID_MEMORY (64 * MIB) /* held steps and text, at most */
#define WEIR_MAX    (16 * KIB)

static const char go_on_words[] =
    "Your last message was cut off in transmission. Go on exactly where it ends, from the next "
    "character, without repeating any of it, without an introduction and without a comment.";

struct held_step {
    struct held_step *next;
    struct said said;
};

struct going_on {
    struct speech speech;
    struct attempting *attempting;
    struct tended *tended;
    struct arena *arena;
    struct speech *inner;
    const struct conversation *asked;
    struct buf text;        /* all of it */
    struct overlap overlap; /* of a speaker after the first, with the end of that */
    bool in_overlap;
    bool begun, reasoned, finished, ended;
    bool is_first_part;   /* of this speaker */
    bool text_is_open;    /* the part that is being said is text */
    uint32_t part, shift; /* newest part that was heard; added to this speaker's */
    uint32_t parts;       /* so many were heard */
    struct said current;
    struct held_step *first, **last; /* to be given out */
    bool holding;                    /* tool calls, until FINISH */
    struct usage usage;              /* of this speaker */
    struct usage carried;            /* of those before */
    uint32_t cuts;
    size_t text_before; /* said by others before this speaker */
    size_t made;        /* bytes by this one: text, thoughts and calls, heard or not */
    mono_ns first_by; /* a speaker who goes on has said something by then; 0: it has, or may wait */
};

/* Behind tokens no words can stand, and where the answer repeats its prompt nobody knows where that ends. */
static bool has_end(const struct conversation *c)
{
    return !c || c->kind != ASK_COMPLETION || (c->turns && !str_eq(c->echo, STR("true")));
}

bool attempt_goes_on(const struct attempting *a)
{
    return a->plan->policy->on_cut == CUT_CONTINUE && a->plan->chat->stream &&
           !a->plan->only_first && a->plan->chat->n <= 1 &&
           has_end(a->plan->question->conversation);
}

/* ---- steps that wait ---- */

static bool push(struct going_on *g, const struct said *said, struct err *err)
{
    struct held_step *step = arena_alloc(g->arena, sizeof *step);
    struct str *texts[7];

    if (!step)
        return err_arena(err, g->arena);
    step->said = *said;
    texts[0] = &step->said.id, texts[1] = &step->said.name, texts[2] = &step->said.model;
    texts[3] = &step->said.text, texts[4] = &step->said.signature, texts[5] = &step->said.raw;
    texts[6] = &step->said.media_type;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!texts[i]->ptr)
            continue;
        *texts[i] = arena_str(g->arena, *texts[i]);
        if (!texts[i]->ptr)
            return err_arena(err, g->arena);
    }
    *g->last = step;
    g->last = &step->next;
    return true;
}

static void forget_held(struct going_on *g)
{
    g->first = NULL;
    g->last = &g->first;
    g->holding = false;
}

/* ---- parts: a text goes on in the same one ---- */

/* Sources and probabilities of a text stand in its part. */
static bool is_of_text(enum said_kind kind)
{
    return kind == SAID_TEXT || kind == SAID_CITATION || kind == SAID_LOGPROBS;
}

static void place(struct going_on *g, struct said *said)
{
    bool is_text = is_of_text(said->kind);
    uint32_t part = said->part;

    if (g->is_first_part) {
        g->shift = g->parts == 0 ? 0 : is_text && g->text_is_open ? g->part : g->part + 1;
        g->shift -= part;
        g->is_first_part = false;
    }
    said->part = part + g->shift;
    if (g->parts == 0 || said->part > g->part) {
        g->part = said->part;
        g->parts = g->part + 1;
    }
    g->text_is_open = is_text;
}

/* ---- what is heard ---- */

static void alive(struct going_on *g)
{
    if (g->tended->limit) /* calls that are held back are a sign of life, too */
        scope_deadline(g->tended->limit, 0);
}

static bool hear_text(struct going_on *g, const struct said *said, bool *give, struct err *err)
{
    g->current = *said;
    if (g->in_overlap && !overlap_add(&g->overlap, said->text, &g->current.text, err))
        return false;
    g->in_overlap = g->in_overlap && !g->overlap.decided;
    *give = g->current.text.len > 0;
    if (!*give)
        return true;
    place(g, &g->current);
    buf_str(&g->text, g->current.text);
    g->begun = true;
    return buf_ok(&g->text) || err_arena(err, g->arena);
}

/* What was held to be compared turns out to be new. In front of its first word there is nothing to tell that by. */
static bool end_overlap(struct going_on *g, struct err *err)
{
    struct said rest = {.kind = SAID_TEXT};

    if (!g->in_overlap || !g->overlap.held.len)
        return true;
    g->in_overlap = false;
    rest.text = overlap_end(&g->overlap);
    if (!rest.text.len)
        return true;
    rest.part = g->is_first_part ? 0 : g->part - g->shift;
    place(g, &rest);
    buf_str(&g->text, rest.text);
    g->begun = true;
    return buf_ok(&g->text) ? push(g, &rest, err) : err_arena(err, g->arena);
}

static bool hear_finish(struct going_on *g, const struct said *said, struct err *err)
{
    g->finished = true;
    g->holding = false;
    return end_overlap(g, err) && push(g, said, err);
}

/* What nobody counted of this speaker is estimated, so that the sum is one. */
static bool hear_end(struct going_on *g, const struct said *said, struct err *err)
{
    struct said counted = {.kind = SAID_USAGE};

    if (g->cuts && (g->usage.tokens_in < 0 || g->usage.tokens_out < 0)) {
        if (g->usage.tokens_in < 0)
            g->usage.tokens_in = chat_estimate_tokens(g->asked->prompt_bytes + g->text_before);
        if (g->usage.tokens_out < 0)
            g->usage.tokens_out = chat_estimate_tokens(g->made);
        g->usage.estimated = true;
        counted.usage = usage_sum(&g->usage, &g->carried);
        if (!push(g, &counted, err))
            return false;
    }
    return push(g, said, err);
}

/* One step of the speaker; *give: g->current is to be heard now. What is not may stand in the queue. */
static bool hear(struct going_on *g, const struct said *said, bool *give, struct err *err)
{
    g->current = *said;
    *give = false;
    if (said->kind == SAID_TEXT || said->kind == SAID_REFUSAL || said->kind == SAID_REASONING ||
        said->kind == SAID_ARGUMENTS)
        g->made += said->text.len;
    if (said->kind == SAID_TEXT && !g->holding)
        return hear_text(g, said, give, err);
    switch (said->kind) {
    case SAID_BEGIN: *give = g->cuts == 0; return true;
    case SAID_PING: *give = true; return true;
    case SAID_USAGE:
        g->usage = said->usage;
        g->current.usage = usage_sum(&said->usage, &g->carried);
        return push(g, &g->current, err);
    case SAID_FINISH: return hear_finish(g, said, err);
    case SAID_END: return hear_end(g, said, err);
    default: break;
    }
    alive(g);
    if (said->kind == SAID_TIER || said->kind == SAID_OTHER) { /* of the answer, no part of it */
        g->begun = g->begun || !g->holding;
        return push(g, said, err);
    }
    if (said->kind != SAID_LOGPROBS && !end_overlap(g, err))
        return false;
    g->holding = g->holding || said->kind == SAID_TOOL || said->kind == SAID_ARGUMENTS;
    g->reasoned = g->reasoned || (said->kind == SAID_REASONING && !g->holding);
    g->begun = g->begun || !g->holding;
    place(g, &g->current);
    return push(g, &g->current, err);
}

/* ---- going on ---- */

static bool is_prefilled(const struct turn *last)
{
    return last && last->role == TURN_ASSISTANT && last->parts && !last->parts->next &&
           last->parts->kind == PART_TEXT;
}

static struct turn *add_turn(struct arena *arena, struct turn ***at, enum turn_role role,
                             struct str text)
{
    struct turn *turn = arena_alloc(arena, sizeof *turn);
    struct part *part = arena_alloc(arena, sizeof *part);

    if (!turn || !part)
        return NULL;
    *part = (struct part){.kind = PART_TEXT, .text = text};
    *turn = (struct turn){.role = role, .parts = part, .path = STR("weir.continue")};
    **at = turn;
    *at = &turn->next;
    return turn;
}

/* The turns before what was said, copied so that others may still use the list. */
static bool copy_turns(struct going_on *g, struct conversation *c, struct turn ***at,
                       struct str *prefill)
{
    *at = &c->turns;
    for (const struct turn *turn = g->asked->turns; turn; turn = turn->next) {
        struct turn *copy;

        if (!turn->next && is_prefilled(turn)) {
            *prefill = turn->parts->text;
            break;
        }
        copy = arena_alloc(g->arena, sizeof *copy);
        if (!copy)
            return false;
        *copy = *turn;
        **at = copy;
        *at = &copy->next;
    }
    **at = NULL;
    return true;
}

/* It takes the prompt as it is: what was said stands right behind it. */
static bool takes_prompt(const struct going_on *g, const struct model *to)
{
    const struct dialect *spoken = to->provider->dialect;

    return g->asked->kind == ASK_COMPLETION && (!spoken || spoken == &dialect_openai) &&
           completions_are_native(to);
}

/* Nothing that was said is to be repeated. */
static bool is_prefilled_for(const struct going_on *g, const struct model *to)
{
    return (to->abilities & CAN_CONTINUE) || takes_prompt(g, to);
}

static bool prompt_goes_on(struct going_on *g, struct conversation *c, struct str said)
{
    const struct str prompt = g->asked->turns->parts->text;
    struct str all = arena_fmt(g->arena, STR_FMT STR_FMT, STR_ARG(prompt), STR_ARG(said));
    struct err full = {0};
    struct buf raw;

    if (!all.ptr)
        return false;
    buf_init(&raw, g->arena, 6 * all.len + 2);
    buf_json_str(&raw, all);
    return buf_finish(&raw, &c->inputs, &full);
}

static bool turns_go_on(struct going_on *g, struct conversation *c, const struct model *to,
                        struct str said)
{
    struct str prefill = STR_NONE, all;
    struct turn **at;

    if (!copy_turns(g, c, &at, &prefill))
        return false;
    all = arena_fmt(g->arena, STR_FMT STR_FMT, STR_ARG(prefill), STR_ARG(said));
    if (!all.ptr || !add_turn(g->arena, &at, TURN_ASSISTANT, all))
        return false;
    c->goes_on = to->abilities & CAN_CONTINUE;
    return c->goes_on || add_turn(g->arena, &at, TURN_USER, str_from(go_on_words));
}

/* What the next one is asked: the conversation, and what was said so far as the assistant's turn. */
static struct conversation *ask_to_go_on(struct going_on *g, const struct model *to,
                                         struct err *err)
{
    struct conversation *c = arena_alloc(g->arena, sizeof *c);
    struct str said = buf_view(&g->text);

    if (!c)
        goto out;
    *c = *g->asked;
    if (!said.len)
        return c; /* only thoughts, or calls that were held back: from the start */
    if (takes_prompt(g, to) ? !prompt_goes_on(g, c, said) : !turns_go_on(g, c, to, said))
        goto out;
    if (c->max_tokens > 0)
        c->max_tokens = MAX_OF(c->max_tokens - chat_estimate_tokens(said.len), 1);
    return c;
out:
    err_arena(err, g->arena);
    return NULL;
}

/* What the one that broke off has cost, as far as can be known. */
static void carry(struct going_on *g)
{
    struct attempting *a = g->attempting;
    struct usage used = g->usage;
    int64_t out = chat_estimate_tokens(g->made);

    if (used.tokens_in < 0) {
        used.tokens_in = chat_estimate_tokens(g->asked->prompt_bytes + g->text_before);
        used.estimated = true;
    }
    if (used.tokens_out < out) { /* some count as they begin, and what came then is not in it */
        used.tokens_out = out;
        used.estimated = true;
    }
    if (g->tended->note)
        attempt_bill(a, g->tended->note, &used);
    g->carried = usage_sum(&g->carried, &used);
    a->plan->log->carried = g->carried;
    g->usage = usage_unknown;
    g->cuts++;
}

/* What nobody who spoke could be told; and, after a cut, who goes on (to). */
static bool tell(struct going_on *g, const struct model *to, struct err *err)
{
    const struct losses *losses = &g->tended->losses;
    struct json_writer w;
    struct buf b;

    if (!to && !losses->count && !losses->max_tokens_assumed)
        return true;
    buf_init(&b, g->arena, WEIR_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    losses_tell(&w, losses);
    if (to) {
        jw_key(&w, "continued"), jw_u64(&w, g->cuts);
        jw_key(&w, "continued_by"), jw_str(&w, str_slice(to->name, 0, 128));
        jw_key(&w, "cut_after_bytes"), jw_u64(&w, g->text.len);
    }
    jw_object_end(&w);
    return buf_finish(&b, &g->speech.weir, err);
}

/* The names live as long as the request: what has been lost is told and recorded when the speakers are gone. */
static bool add_losses(struct going_on *g, const struct losses *from, struct err *err)
{
    struct arena *arena = g->attempting->plan->arena;
    struct losses *to = &g->tended->losses;

    to->refuse = false; /* it was the first one's wish, who was told all */
    for (uint32_t i = 0; i < from->count; i++) {
        struct str name = arena_str(arena, from->fields[i]);

        if (!name.ptr)
            return err_arena(err, arena);
        if (!losses_note(to, name, "", err))
            return false;
    }
    to->more += from->more;
    if (from->max_tokens_assumed)
        to->max_tokens_assumed = from->max_tokens_assumed;
    return true;
}

static mono_ns first_token_by(const struct going_on *g)
{
    dur_ns most = g->attempting->plan->policy->first_token_timeout;

    return most > 0 ? fiber_now() + most : 0;
}

static void hand_to(struct going_on *g, struct speech *next, struct outcome *how)
{
    const struct model *to = how->who.model;
    bool prefilled = is_prefilled_for(g, to);

    attempt_note(g->attempting, how, 0, false);
    attempt_moved(g->tended, &how->who, how->note);
    speech_end(&g->inner);
    g->inner = next;
    g->speech.model = to;
    g->is_first_part = true;
    g->first_by = first_token_by(g);
    g->text_before = g->text.len;
    g->made = 0;
    forget_held(g);
    g->in_overlap = g->text.len > 0;
    overlap_init(&g->overlap, g->arena, buf_view(&g->text), prefilled ? 1 : OVERLAP_LEAST);
    if (!prefilled)
        return;
    g->in_overlap = false;
    if (to->provider->dialect ==
        &dialect_anthropic) { /* it may repeat the white space that is taken off its last turn */
        size_t end = g->text.len, from = end;

        while (from > 0 && (g->text.ptr[from - 1] == ' ' || g->text.ptr[from - 1] == '\n'))
            from--;
        g->overlap.said = str_slice(buf_view(&g->text), from, end);
        g->in_overlap = from < end;
        g->overlap.decided = !g->in_overlap;
    }
}

/* Within the time for a first token. */
static SUSPENDS bool open_next(struct going_on *g, struct outcome *how, struct losses *losses,
                               struct speech **out, struct err *err)
{
    const struct model *model = how->who.model;
    struct attempting *a = g->attempting;
    struct conversation *c = ask_to_go_on(g, model, err);
    struct scope limit;
    bool ok;

    if (!c)
        return false;
    if (!losses)
        return err_arena(err, g->arena);
    losses->refuse = model->provider->refuse_unsupported;
    scope_open(&limit, first_token_by(g));
    ok = speech_open(g->arena, model, c, losses, a->plan->request_id, out, &how->why, err);
    scope_close(&limit);
    if (!ok && attempt_was_late(a, model, &limit, err))
        attempt_bill_prompt(a, how);
    return ok;
}

static SUSPENDS bool ask_one(struct going_on *g, const struct chosen *who, struct err *err)
{
    struct attempting *a = g->attempting;
    struct outcome how = {.who = *who};
    struct losses *losses = arena_alloc(g->arena, sizeof *losses);
    mono_ns asked = fiber_now();
    struct speech *next = NULL;

    if (open_next(g, &how, losses, &next, err)) {
        how.end = ATTEMPT_ANSWERED;
        how.status = 200;
        hand_to(g, next, &how);
        return add_losses(g, losses, err) && tell(g, who->model, err);
    }
    attempt_judge(err, &how);
    attempt_settle(a, who->model->deployment, &how);
    attempt_note(a, &how, fiber_now() - asked, false);
    if (how.not_again || how.request_at_fault) /* of it, that is: others may take such a question */
        a->tried[who->place].never_again = true;
    return false;
}

static bool may_go_on(const struct going_on *g, const struct err *why)
{
    struct err over = {0};

    return g->begun && g->tended->note &&
           (why->code == ERR_UNAVAILABLE || why->code == ERR_TIMEOUT) && fiber_still_wanted(&over);
}

/* Until somebody goes on. False: nobody does, and *why of the one that broke off stays. */
static SUSPENDS bool go_on(struct going_on *g, const struct err *why)
{
    struct attempting *a = g->attempting;
    struct err ignored = {0};
    struct chosen who;

    trace_event(a->plan->trace, "call.cut", "bytes=%zu why=%s", g->text.len, why->text);
    carry(g);
    while (a->plan->log->count < attempts_max(a) && attempt_affordable(a) &&
           attempt_next(a, &who, &ignored)) {
        if (ask_one(g, &who, &ignored))
            return true;
        ignored = (struct err){0};
    }
    return false;
}

/* ---- the speech above ---- */

static bool give_held(struct going_on *g, const struct said **out)
{
    if (g->holding || !g->first)
        return false;
    g->current = g->first->said;
    g->first = g->first->next;
    if (!g->first)
        g->last = &g->first;
    g->ended = g->current.kind == SAID_END;
    *out = &g->current;
    return true;
}

/* The speaker broke off: everything was said, or another goes on, or it is an error. */
static SUSPENDS bool after_cut(struct going_on *g, struct err *err)
{
    if (!may_go_on(g, err))
        return false;
    if (g->finished) {
        struct said end = {.kind = SAID_END};

        struct err full = {0};

        if (!hear_end(g, &end, &full)) {
            *err = full;
            return false;
        }
        *err = (struct err){0};
        return true;
    }
    forget_held(g);
    struct err why = *err;
    if (!go_on(g, &why))
        return false;
    *err = (struct err){0};
    return true;
}

static SUSPENDS bool listen(struct going_on *g, const struct said **said, struct err *err)
{
    struct scope limit;
    bool ok;

    if (!g->first_by)
        return g->inner->next(g->inner, said, err);
    scope_open(&limit, g->first_by);
    ok = g->inner->next(g->inner, said, err);
    scope_close(&limit);
    if (!ok)
        (void)attempt_was_late(g->attempting, g->speech.model, &limit, err);
    else if ((*said)->kind != SAID_BEGIN && (*said)->kind != SAID_PING &&
             (*said)->kind != SAID_USAGE)
        g->first_by = 0;
    return ok;
}

static SUSPENDS bool next_going_on(struct speech *s, const struct said **out, struct err *err)
{
    struct going_on *g = s->own;
    const struct said *said;
    bool give = false;

    ASSERT(!g->ended);
    for (;;) {
        if (give_held(g, out))
            return true;
        if (!listen(g, &said, err)) {
            if (!after_cut(g, err))
                return false;
            continue;
        }
        if (!hear(g, said, &give, err))
            return false;
        if (give) {
            *out = &g->current;
            return true;
        }
    }
}

static bool is_ready(struct speech *s)
{
    struct going_on *g = s->own;

    if (!g->holding && g->first)
        return true;
    /* Until the answer has begun each step is given by itself: a cut right behind the first must find
     * this speaker in the log. */
    return g->tended->note && !g->holding && !g->in_overlap && g->inner->ready &&
           g->inner->ready(g->inner);
}

static SUSPENDS void end_going_on(struct speech *s)
{
    struct going_on *g = s->own;

    speech_end(&g->inner);
    arena_end(&g->arena);
}

static struct going_on *new_going_on(struct attempting *a, struct arena *arena, struct tended *t)
{
    struct going_on *g = arena_alloc(arena, sizeof *g);

    if (!g)
        return NULL;
    g->arena = arena_new(SAID_MEMORY);
    if (!g->arena)
        return NULL;
    buf_init(&g->text, g->arena, SAID_MEMORY);
    g->attempting = a;
    g->tended = t;
    g->usage = g->carried = usage_unknown;
    g->is_first_part = true;
    g->last = &g->first;
    return g;
}

bool attempt_open_going_on(struct attempting *a, const struct asking *asking, struct tended *t,
                           struct outcome *how, struct err *err)
{
    struct str id = arena_fmt(asking->arena, "%016" PRIx64, a->plan->request_id);
    struct going_on *g = new_going_on(a, asking->arena, t);

    if (!g || !id.ptr)
        return err_arena(err, asking->arena);
    t->losses.refuse = asking->who.model->provider->refuse_unsupported;
    if (!question_conversation(asking->arena, &t->question, err) ||
        !speech_open(asking->arena, asking->who.model, t->question.conversation, &t->losses,
                     a->plan->request_id, &g->inner, &how->why, err)) {
        arena_end(&g->arena);
        return false;
    }
    g->speech = (struct speech){.model = asking->who.model,
                                .request_id = g->inner->request_id,
                                .retry_after = g->inner->retry_after,
                                .next = next_going_on,
                                .end = end_going_on,
                                .ready = is_ready,
                                .own = g};
    g->asked = t->question.conversation;
    if (tell(g, NULL, err))
        t->answer =
            answer_from_speech(asking->arena, t->question.client, g->asked, &g->speech, id, err);
    if (t->answer)
        return true;
    end_going_on(&g->speech);
    return false;
}
