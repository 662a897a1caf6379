#include "models/claude.h"
#include "models/models.h"

#define SUCCESSORS_MAX 16 /* one behind the other */

const struct model *catalogue_find(const struct catalogue *c, struct str name)
{
    return table_get(&c->by_name, name);
}

uint32_t abilities_of_kind(enum provider_kind kind, struct str remote_name)
{
    static const uint32_t usual =
        CAN_STREAM | CAN_TOOLS | CAN_PARALLEL_TOOLS | CAN_JSON | CAN_SCHEMA | CAN_CHAT | CAN_EMBED;
    static const uint32_t by_kind[] = {
        [KIND_OPENAI] =
            CAN_IMAGES | CAN_AUDIO | CAN_FILES | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CHOICES,
        [KIND_AZURE] =
            CAN_IMAGES | CAN_AUDIO | CAN_FILES | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CHOICES,
        [KIND_VLLM] = CAN_IMAGES | CAN_AUDIO | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CHOICES |
                      CAN_CONTINUE,
        [KIND_SGLANG] =
            CAN_IMAGES | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CHOICES | CAN_CONTINUE,
        [KIND_LLAMA_CPP] = CAN_IMAGES | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CONTINUE,
        [KIND_OLLAMA] = CAN_IMAGES | CAN_REASON | CAN_LOGPROBS | CAN_SEED,
        [KIND_DEEPSEEK] = CAN_REASON | CAN_LOGPROBS,
        [KIND_DASHSCOPE] =
            CAN_IMAGES | CAN_AUDIO | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CHOICES,
        [KIND_BAIDU] = CAN_IMAGES | CAN_REASON,
        [KIND_ANTHROPIC] = CAN_IMAGES | CAN_FILES | CAN_REASON | CAN_CONTINUE,
        [KIND_GEMINI] =
            CAN_IMAGES | CAN_AUDIO | CAN_FILES | CAN_REASON | CAN_LOGPROBS | CAN_SEED | CAN_CHOICES,
        [KIND_BEDROCK] = CAN_IMAGES | CAN_FILES | CAN_REASON,
    };
    uint32_t own = (size_t)kind < ARRAY_LEN(by_kind) ? by_kind[kind] : 0;

    if (kind != KIND_ANTHROPIC)
        return usual | own;
    if (!claude_takes_prefill(remote_name))
        own &= ~(uint32_t)CAN_CONTINUE;
    return (usual | own) & ~(uint32_t)CAN_EMBED;
}

static const struct {
    const char *name;
    uint32_t bit;
} abilities[] = {
    {"stream", CAN_STREAM},
    {"tools", CAN_TOOLS},
    {"parallel_tools", CAN_PARALLEL_TOOLS},
    {"images", CAN_IMAGES},
    {"audio", CAN_AUDIO},
    {"files", CAN_FILES},
    {"json", CAN_JSON},
    {"schema", CAN_SCHEMA},
    {"reasoning", CAN_REASON},
    {"logprobs", CAN_LOGPROBS},
    {"seed", CAN_SEED},
    {"choices", CAN_CHOICES},
    {"continue", CAN_CONTINUE},
    {"embeddings", CAN_EMBED},
    {"chat", CAN_CHAT},
    {"rerank", CAN_RERANK},
    {"moderation", CAN_MODERATE},
};

uint32_t ability_parse(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(abilities); i++)
        if (str_eq(name, str_from(abilities[i].name)))
            return abilities[i].bit;
    return 0;
}

static bool no_ability(struct str word, struct err *err)
{
    char text[200];
    struct buf all;

    buf_init_fixed(&all, text, sizeof text);
    abilities_write(&all, UINT32_MAX);
    return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is no ability; there are " STR_FMT,
                   STR_ARG(str_slice(word, 0, 40)), STR_ARG(buf_view(&all)));
}

bool abilities_parse(struct str words, uint32_t *out, struct err *err)
{
    uint32_t bits = 0;

    for (struct str rest = words, word; str_trim(words).len > 0 && str_split(&rest, ',', &word);) {
        uint32_t bit = ability_parse(str_trim(word));

        if (!bit)
            return no_ability(str_trim(word), err);
        bits |= bit;
    }
    *out = bits;
    return true;
}

bool abilities_fit(uint32_t bits, const struct dialect *spoken, struct err *err)
{
    if ((bits & CAN_MODERATE) && !dialect_is_openai(spoken))
        return err_set(err, ERR_INVALID,
                       "moderation: a provider that speaks the %s dialect has no moderation; take "
                       "one with /moderations (OpenAI, Mistral)",
                       spoken->name);
    if (!(bits & CAN_RERANK) || (spoken != &dialect_anthropic && spoken != &dialect_gemini))
        return true;
    return err_set(
        err, ERR_INVALID,
        "rerank: a provider that speaks the %s dialect has no reranker; take one of kind "
        "bedrock, or one with /rerank (openai, vllm, sglang, llama.cpp)",
        spoken->name);
}

void abilities_write(struct buf *out, uint32_t bits)
{
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(abilities); i++) {
        if (!(bits & abilities[i].bit))
            continue;
        buf_str(out, any ? STR(", ") : STR(""));
        buf_str(out, str_from(abilities[i].name));
        any = true;
    }
}

static const char *const zone_names[] = {"unsaid", "local", "trusted", "public"};
static const char *const life_names[] = {"active", "preview", "deprecated", "retired"};

const char *zone_name(enum zone zone)
{
    return zone_names[zone];
}

const char *lifecycle_name(enum lifecycle lifecycle)
{
    return life_names[lifecycle];
}

const struct model *catalogue_successor(const struct catalogue *c, const struct model *model)
{
    for (int i = 0; model && i < SUCCESSORS_MAX; i++) {
        model = model->successor.len ? catalogue_find(c, model->successor) : NULL;
        if (model && model->lifecycle != LIFE_RETIRED)
            return model;
    }
    return NULL;
}

bool model_still_served(const struct catalogue *c, const struct model *model, struct err *err)
{
    const struct model *next;

    if (model->lifecycle != LIFE_RETIRED)
        return true;
    next = catalogue_successor(c, model);
    if (next)
        return err_set(err, ERR_NOT_FOUND,
                       "model \"" STR_FMT "\" is retired; ask for its successor \"" STR_FMT "\"",
                       STR_ARG(model->name), STR_ARG(next->name));
    return err_set(err, ERR_NOT_FOUND,
                   "model \"" STR_FMT "\" is retired and has no successor in service",
                   STR_ARG(model->name));
}

/* ---- money ---- */

usd_micro price_of(const struct model *model, const struct usage *usage,
                   const struct price_for *buyer)
{
    return price_usage(&model->prices, usage, buyer);
}

usd_micro price_worst(const struct model *model, const struct chat_request *request,
                      struct str tenant)
{
    struct price_bounds bounds = {
        .tenant = tenant,
        .tokens_in = (uint64_t)chat_prompt_worst(request),
        .tokens_out = (uint64_t)(request->max_tokens >= 0 ? request->max_tokens
                                                          : MAX_OF(model->output_tokens_max, 0)),
        .choices = (uint64_t)MAX_OF(request->n, 1),
    };

    return price_bound(&model->prices, &bounds);
}
