#include "models/claude.h"

#include <math.h>

#define BUDGET_MIN 1024 /* fewer are refused */
#define ROOM       5    /* of so many parts of an answer's limit one is not for thinking */

/* Models up to 4.5 want a budget of tokens; later ones decide themselves how much, guided by an effort. */
static bool wants_budget(struct str model)
{
    static const char *const older[] = {"claude-2", "claude-3", "-4-0",          "-4-1",
                                        "-4-5",     "-4.5",     "-4-2025",       "claude-opus-4@",
                                        "-4.1",     "-4-v1",    "claude-instant"};

    for (size_t i = 0; i < ARRAY_LEN(older); i++)
        if (str_find(model, str_from(older[i])) < model.len)
            return true;
    return false;
}

static const struct {
    const char *effort;
    int64_t budget;   /* tokens, for models that want one; 0: none */
    const char *name; /* what this wire calls the effort; NULL: no thinking */
} efforts[] = {
    {"none", 0, NULL},          {"minimal", BUDGET_MIN, "low"}, {"low", 2048, "low"},
    {"medium", 8192, "medium"}, {"high", 16384, "high"},        {"xhigh", 32768, "xhigh"},
    {"max", 32768, "max"},
};

static bool choose_effort(const struct conversation *in, struct str model, struct losses *losses,
                          struct claude_thinking *out, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(efforts); i++) {
        if (!str_eq(in->reasoning_effort, str_from(efforts[i].effort)))
            continue;
        out->off = !efforts[i].name;
        out->on = efforts[i].name;
        out->budget = efforts[i].budget;
        out->adaptive = out->on && !wants_budget(model);
        out->effort = out->adaptive ? efforts[i].name : NULL;
        return true;
    }
    return fields_lose(in, "reasoning_effort", "the provider knows no such effort", losses, err);
}

/* What was asked for, by the name of the field that asked. */
static bool lose_thinking(const struct conversation *in, const char *why, struct losses *losses,
                          struct err *err)
{
    return fields_lose(in,
                       in->reasoning_effort.ptr && in->reasoning_budget < 0 ? "reasoning_effort"
                                                                            : "reasoning_budget",
                       why, losses, err);
}

/* With a budget the last turn of the assistant has to begin with its own thoughts, where it called tools or is to be gone
 * on with: a conversation that came in another dialect may not hold them. */
static bool lacks_thoughts(const struct conversation *in)
{
    const struct turn *last = NULL;
    bool calls = false;

    for (const struct turn *t = in->turns; t; t = t->next)
        last = t->role == TURN_ASSISTANT ? t : last;
    for (const struct part *p = last ? last->parts : NULL; p; p = p->next) {
        if (p->kind == PART_REASONING && (p->is_redacted || p->signature.len))
            return false;
        calls = calls || p->kind == PART_TOOL_CALL;
    }
    return last && (calls || !last->next);
}

/* An answer whose limit is spent on thoughts says nothing. */
static bool leave_room(const struct conversation *in, int64_t max_tokens, struct losses *losses,
                       struct claude_thinking *out, struct err *err)
{
    int64_t most = max_tokens - max_tokens / ROOM;

    if (max_tokens <= 0 || out->budget <= most)
        return true;
    if (most < BUDGET_MIN) {
        *out = (struct claude_thinking){0};
        return lose_thinking(in, "max_tokens leaves the provider no room to think", losses, err);
    }
    out->budget = most;
    return in->reasoning_budget < 0 || in->reasoning_budget <= most ||
           lose_thinking(in, "max_tokens leaves the provider no room to think as much", losses,
                         err);
}

bool claude_thinking_choose(const struct conversation *in, struct str model, int64_t max_tokens,
                            struct losses *losses, struct claude_thinking *out, struct err *err)
{
    *out = (struct claude_thinking){0};
    if (in->reasoning_budget >= 0 && in->reasoning_effort.ptr &&
        !fields_lose(in, "reasoning_effort", "the provider is told a budget or an effort", losses,
                     err))
        return false;
    if (in->reasoning_budget == 0) {
        out->off = true;
    } else if (in->reasoning_budget > 0) {
        out->on = true;
        out->budget = MAX_OF(in->reasoning_budget, BUDGET_MIN);
        if (in->reasoning_budget < BUDGET_MIN &&
            !lose_thinking(in, "the provider thinks with 1024 tokens at least", losses, err))
            return false;
    } else if (in->reasoning_effort.ptr) {
        if (!choose_effort(in, model, losses, out, err))
            return false;
    } else if (in->reasoning_adaptive && wants_budget(model)) {
        return lose_thinking(in, "the model thinks by a budget of tokens alone", losses, err);
    } else if (in->reasoning_adaptive) {
        out->on = out->adaptive = true;
    }
    if (!out->on)
        return true;
    if (in->tool_choice == CHOOSE_ANY || in->tool_choice == CHOOSE_NAMED) {
        *out = (struct claude_thinking){0};
        return lose_thinking(in, "the provider cannot think where a tool must be called", losses,
                             err);
    }
    if (!out->adaptive && lacks_thoughts(in)) {
        *out = (struct claude_thinking){0};
        return lose_thinking(in, "the provider goes on thinking from its own signed thoughts only",
                             losses, err);
    }
    return out->adaptive || leave_room(in, max_tokens, losses, out, err);
}

bool claude_sampling_fit(struct conversation *c, bool thinks, struct losses *losses,
                         struct err *err)
{
    static const char *const why = "the provider takes it only without reasoning";

    if (c->temperature > 1) {
        c->temperature = 1;
        if (!fields_lose(c, "temperature", "the provider takes 0 to 1", losses, err))
            return false;
    }
    if (!thinks)
        return true;
    if (c->temperature < 1 && !fields_lose(c, "temperature", why, losses, err))
        return false;
    if (c->top_p < 0.95 && !fields_lose(c, "top_p", why, losses, err))
        return false;
    if (c->top_k > 0 && !fields_lose(c, "top_k", why, losses, err))
        return false;
    c->temperature = (double)NAN;
    c->top_p = c->top_p < 0.95 ? (double)NAN : c->top_p;
    c->top_k = -1;
    return true;
}
