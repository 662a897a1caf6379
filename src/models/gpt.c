#include "models/gpt.h"

#include <math.h>

#include "models/models.h"
#include "models/openai_internal.h"

enum generation { /* GPT-5.1 is 501 */
                  GPT_UNKNOWN = 0,
                  GPT_ANSWERS = 1, /* without reasoning */
                  GPT_O_SERIES = 2,
                  GPT_5 = 500,
                  GPT_5_1 = 501,
                  GPT_5_2 = 502,
                  GPT_6 = 600,
};

static int digit_at(struct str s, size_t at)
{
    return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9' ? s.ptr[at] - '0' : -1;
}

static bool has(struct str s, struct str word)
{
    return str_find(s, word) < s.len;
}

/* "gpt-4o-mini", "ft:gpt-4.1:...", "gpt-5-nano-2025-08-07", "gpt-5.2", "o3-mini". */
static int generation_of(struct str model)
{
    size_t at = str_find(model, STR("gpt-")) + 4;
    int major = digit_at(model, at), minor;

    if (model.len > 1 && model.ptr[0] == 'o' && digit_at(model, 1) > 0 &&
        (model.len == 2 || model.ptr[2] == '-'))
        return GPT_O_SERIES;
    if (major == 3 || major == 4 || (major == 5 && has(model, STR("gpt-5-chat"))))
        return GPT_ANSWERS;
    if (major < 0 || digit_at(model, at + 1) >= 0 || has(model, STR("codex")) ||
        has(model, STR("chat")))
        return GPT_UNKNOWN;
    minor = at + 1 < model.len && model.ptr[at + 1] == '.' ? digit_at(model, at + 2) : 0;
    return 100 * major + MAX_OF(minor, 0);
}

static int generation_for(const struct conversation *in, const struct model *to)
{
    return dialect_is_openai(in->spoken) || !openai_is_original(to)
               ? GPT_UNKNOWN
               : generation_of(to->remote_name);
}

bool gpt_is_known(const struct conversation *in, const struct model *to)
{
    return generation_for(in, to) != GPT_UNKNOWN;
}

/* ---- efforts ---- */

static const char *const efforts[] = {"none", "minimal", "low", "medium", "high", "xhigh"};

/* Bits of them; 0: whatever is said. */
static uint32_t known_to(int generation)
{
    if (generation == GPT_O_SERIES)
        return 1 << 2 | 1 << 3 | 1 << 4;
    if (generation == GPT_5)
        return 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4;
    if (generation == GPT_5_1)
        return 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4;
    return generation >= GPT_5_2 && generation < GPT_6 ? 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5
                                                       : 0;
}

static bool lose_effort(const struct conversation *in, const char *why, struct losses *losses,
                        struct err *err)
{
    return fields_lose(in, in->reasoning_effort.ptr ? "reasoning_effort" : "reasoning_budget", why,
                       losses, err);
}

bool gpt_effort_fit(const struct conversation *in, const struct model *to, struct losses *losses,
                    struct str *effort, struct err *err)
{
    int generation = generation_for(in, to);
    uint32_t known = known_to(generation);
    bool none = str_eq(*effort, STR("none"));
    size_t at = 0, i;

    if (!effort->ptr || (generation != GPT_ANSWERS && !known))
        return true;
    if (generation == GPT_ANSWERS) {
        *effort = STR_NONE;
        return none || lose_effort(in, "the model does not reason", losses, err);
    }
    while (at < ARRAY_LEN(efforts) && !str_is(*effort, efforts[at]))
        at++;
    if (at == ARRAY_LEN(efforts) || known >> at & 1)
        return true; /* what nobody here knows is the provider's to refuse */
    for (i = at; i < ARRAY_LEN(efforts) && !(known >> i & 1);)
        i++;
    for (; i == ARRAY_LEN(efforts) || !(known >> i & 1);)
        i--;
    *effort = str_from(efforts[i]);
    return lose_effort(in, "the model knows no such effort", losses, err);
}

/* ---- sampling ---- */

bool gpt_sampling_fit(struct conversation *c, const struct model *to, struct str effort,
                      struct losses *losses, struct err *err)
{
    static const char *const why = "the model takes it only without reasoning";
    int generation = generation_for(c, to);
    bool reasons = generation == GPT_O_SERIES || generation == GPT_5 ||
                   (generation > GPT_5 && effort.ptr && !str_eq(effort, STR("none")));
    const struct {
        const char *name;
        double *at, dull;
    } numbers[] = {{"temperature", &c->temperature, 1},
                   {"top_p", &c->top_p, 1},
                   {"frequency_penalty", &c->frequency_penalty, 0},
                   {"presence_penalty", &c->presence_penalty, 0}};

    if (!reasons)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        bool asked = !isnan(*numbers[i].at) && *numbers[i].at != numbers[i].dull;

        *numbers[i].at = (double)NAN;
        if (asked && !fields_lose(c, numbers[i].name, why, losses, err))
            return false;
    }
    if ((c->logprobs > 0 && !fields_lose(c, "logprobs", why, losses, err)) ||
        (c->top_logprobs > 0 && !fields_lose(c, "top_logprobs", why, losses, err)))
        return false;
    c->logprobs = -1;
    c->top_logprobs = -1;
    return true;
}
