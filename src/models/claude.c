#include "models/claude.h"

#include <math.h>
#include <string.h>

#define BUDGET_MIN 1024 /* fewer are refused */
#define ROOM       5    /* of so many parts of an answer's limit one is not for thinking */

/* ---- whom we speak to ---- */

/* What later models no longer take is refused with 400. 4.6 is 406; 0: the name does not say.
 *   ONE_SAMPLER     temperature or top_p, not both
 *   NO_PREFILL      no assistant turn that stands last; it thinks by an effort, xhigh comes with the next
 *   NO_SAMPLING     nor a budget: it thinks as much as it likes, where it is asked to
 *   THINKS_ALWAYS   so no tool can be forced */
enum version {
    ONE_SAMPLER = 401,
    NO_PREFILL = 406,
    NO_SAMPLING = 407,
    THINKS_UNASKED = 500,
    THINKS_ALWAYS = 505,
};

/* One or two digits: dates have more. */
static bool small_number(struct str s, size_t *at, int *out)
{
    size_t end = *at;

    *out = 0;
    for (; end < s.len && end < *at + 3 && s.ptr[end] >= '0' && s.ptr[end] <= '9'; end++)
        *out = 10 * *out + (s.ptr[end] - '0');
    if (end == *at || end == *at + 3)
        return false;
    *at = end;
    return true;
}

static int version_behind(struct str model, const char *word)
{
    size_t at = str_find(model, str_from(word)) + strlen(word);
    int major, minor = 0;

    if (at >= model.len || !small_number(model, &at, &major))
        return 0;
    if (at++ < model.len && (model.ptr[at - 1] == '-' || model.ptr[at - 1] == '.') &&
        !small_number(model, &at, &minor))
        minor = 0;
    return 100 * major + minor;
}

/* "claude-opus-4-6-v1", "claude-3-5-sonnet-20241022", "claude-sonnet-4.5". */
static int version_of(struct str model)
{
    static const char *const words[] = {"opus-", "sonnet-", "haiku-", "claude-"};
    static const char *const later[] = {"fable", "mythos"};
    int version = 0;

    for (size_t i = 0; i < ARRAY_LEN(later); i++)
        if (str_find(model, str_from(later[i])) < model.len)
            return THINKS_ALWAYS;
    for (size_t i = 0; i < ARRAY_LEN(words) && !version; i++)
        version = version_behind(model, words[i]);
    return version;
}

bool claude_takes_prefill(struct str model)
{
    return version_of(model) < NO_PREFILL;
}

/* ---- how it is told to think ---- */

/* Models up to 4.5 want a budget of tokens; later ones decide themselves how much, guided by an effort. */
static bool wants_budget(struct str model)
{
    static const char *const older[] = {"claude-v2", "claude-instant"};
    int version = version_of(model);

    for (size_t i = 0; i < ARRAY_LEN(older); i++)
        if (str_find(model, str_from(older[i])) < model.len)
            return true;
    return version && version < NO_PREFILL;
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

/* What was asked for, by the name of the field that asked. */
static bool lose_thinking(const struct conversation *in, const char *why, struct losses *losses,
                          struct err *err)
{
    return fields_lose(in,
                       in->reasoning_effort.ptr && in->reasoning_budget < 0 ? "reasoning_effort"
                                                                            : "reasoning_budget",
                       why, losses, err);
}

/* What does not think unless it is asked to need not be told; what always does can be told to do so little. */
static bool choose_off(const struct conversation *in, int version, struct losses *losses,
                       struct claude_thinking *out, struct err *err)
{
    if (version >= THINKS_ALWAYS) {
        out->effort = "low";
        return lose_thinking(in, "the model always thinks", losses, err);
    }
    out->off = version < NO_SAMPLING || version >= THINKS_UNASKED;
    return true;
}

static bool choose_effort(const struct conversation *in, struct str model, struct losses *losses,
                          struct claude_thinking *out, struct err *err)
{
    int version = version_of(model);
    size_t i = 0;

    while (i < ARRAY_LEN(efforts) && !str_eq(in->reasoning_effort, str_from(efforts[i].effort)))
        i++;
    if (i == ARRAY_LEN(efforts))
        return fields_lose(in, "reasoning_effort", "the provider knows no such effort", losses,
                           err);
    if (!efforts[i].name)
        return choose_off(in, version, losses, out, err);
    out->on = true;
    out->budget = efforts[i].budget;
    out->adaptive = !wants_budget(model);
    if (!out->adaptive)
        return true;
    out->effort = efforts[i].name;
    if (version != NO_PREFILL || !str_eq(str_from(out->effort), STR("xhigh")))
        return true;
    out->effort = "high";
    return fields_lose(in, "reasoning_effort", "the model knows no effort between high and max",
                       losses, err);
}

/* The effort whose budget comes nearest from below stands in where there are none. */
static bool choose_budget(const struct conversation *in, int version, struct losses *losses,
                          struct claude_thinking *out, struct err *err)
{
    out->on = true;
    out->budget = MAX_OF(in->reasoning_budget, BUDGET_MIN);
    if (version >= NO_SAMPLING) {
        out->adaptive = true;
        for (size_t i = 0; i < ARRAY_LEN(efforts); i++)
            if (efforts[i].name && efforts[i].budget <= out->budget &&
                !str_eq(str_from(efforts[i].name), STR("max")))
                out->effort = efforts[i].name;
        return lose_thinking(in, "the model takes an effort, not a number of tokens", losses, err);
    }
    return in->reasoning_budget >= BUDGET_MIN ||
           lose_thinking(in, "the provider thinks with 1024 tokens at least", losses, err);
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

/* An effort, a budget or neither. */
static bool choose(const struct conversation *in, struct str model, struct losses *losses,
                   struct claude_thinking *out, struct err *err)
{
    int version = version_of(model);
    bool by_effort = in->reasoning_effort.ptr && in->reasoning_budget > 0 && version >= NO_SAMPLING;

    if (in->reasoning_budget >= 0 && in->reasoning_effort.ptr &&
        !fields_lose(in, by_effort ? "reasoning_budget" : "reasoning_effort",
                     "the provider is told a budget or an effort", losses, err))
        return false;
    if (in->reasoning_budget == 0)
        return choose_off(in, version, losses, out, err);
    if (in->reasoning_budget > 0 && !by_effort)
        return choose_budget(in, version, losses, out, err);
    if (in->reasoning_effort.ptr)
        return choose_effort(in, model, losses, out, err);
    if (in->reasoning_adaptive && wants_budget(model))
        return lose_thinking(in, "the model thinks by a budget of tokens alone", losses, err);
    out->on = out->adaptive = in->reasoning_adaptive;
    return true;
}

/* It cannot think where a tool must be called: one of both is left out. */
static bool make_way(const struct conversation *in, int version, struct losses *losses,
                     struct claude_thinking *out, struct err *err)
{
    bool thought = out->on;

    if (in->tool_choice != CHOOSE_ANY && in->tool_choice != CHOOSE_NAMED)
        return true;
    if (version >= THINKS_ALWAYS) {
        out->forces_none = true;
        return fields_lose(in, "tool_choice", "the model always thinks, and forces no tool then",
                           losses, err);
    }
    if (thought || version >= THINKS_UNASKED)
        *out = (struct claude_thinking){.off = version >= THINKS_UNASKED};
    return !thought ||
           lose_thinking(in, "the provider cannot think where a tool must be called", losses, err);
}

bool claude_thinking_choose(const struct conversation *in, struct str model, int64_t max_tokens,
                            struct losses *losses, struct claude_thinking *out, struct err *err)
{
    *out = (struct claude_thinking){0};
    if (!choose(in, model, losses, out, err) || !make_way(in, version_of(model), losses, out, err))
        return false;
    if (!out->on || out->adaptive)
        return true;
    if (lacks_thoughts(in)) {
        *out = (struct claude_thinking){0};
        return lose_thinking(in, "the provider goes on thinking from its own signed thoughts only",
                             losses, err);
    }
    return leave_room(in, max_tokens, losses, out, err);
}

/* ---- how it samples ---- */

static bool lose_sampling(struct conversation *c, double top_p_least, const char *why,
                          struct losses *losses, struct err *err)
{
    if (c->temperature < 1 && !fields_lose(c, "temperature", why, losses, err))
        return false;
    if (c->top_p < top_p_least && !fields_lose(c, "top_p", why, losses, err))
        return false;
    if (c->top_k > 0 && !fields_lose(c, "top_k", why, losses, err))
        return false;
    c->temperature = (double)NAN;
    c->top_p = c->top_p < top_p_least || top_p_least >= 1 ? (double)NAN : c->top_p;
    c->top_k = -1;
    return true;
}

/* Of two the one that asks for nothing goes. */
static bool choose_sampler(struct conversation *c, struct losses *losses, struct err *err)
{
    if (isnan(c->temperature) || isnan(c->top_p))
        return true;
    if (c->top_p < 1 && c->temperature == 1) {
        c->temperature = (double)NAN;
        return true;
    }
    bool lost = c->top_p < 1;
    c->top_p = (double)NAN;
    return !lost || fields_lose(c, "top_p", "the model takes it or temperature", losses, err);
}

bool claude_sampling_fit(struct conversation *c, struct str model, bool thinks,
                         struct losses *losses, struct err *err)
{
    int version = version_of(model);

    if (c->temperature > 1) {
        c->temperature = 1;
        if (!fields_lose(c, "temperature", "the provider takes 0 to 1", losses, err))
            return false;
    }
    if (version >= NO_SAMPLING)
        return lose_sampling(c, 1, "the model samples as it likes", losses, err);
    if (thinks &&
        !lose_sampling(c, 0.95, "the provider takes it only without reasoning", losses, err))
        return false;
    return version < ONE_SAMPLER || choose_sampler(c, losses, err);
}
