#include "app/house_vectors.h"

#include "base/log.h"
#include "knowledge/rerank.h"
#include "knowledge/vectors.h"

#define TICK       (1 * SECOND)
#define TICK_BUSY  (10 * MILLISECOND)
#define LIST_ARENA MIB

/* Passages are embedded for the house; a question pays for itself. */
static SUSPENDS bool ask(void *ctx, struct embed_call *call, struct err *err)
{
    struct house *house = ctx;
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(house->config, &held);

    if (!call->who)
        call->who = accounts_local_admin(house->accounts);
    return vectors_through_gateway(house->gateway, config, call, err);
}

void house_embedder(struct house *house, struct embedder_options *out)
{
    const struct settings *s = house->settings;
    struct str name = s->knowledge.embedder;

    *out = (struct embedder_options){.kind = EMBEDDER_MODEL,
                                     .batch = (uint32_t)s->knowledge.embed_batch,
                                     .weight = (uint32_t)s->knowledge.vector_weight,
                                     .graph_from = (uint32_t)s->knowledge.graph_from,
                                     .question_limit = s->knowledge.embed_limit,
                                     .ask = ask,
                                     .ctx = house};
    if (str_eq(name, STR("none")))
        out->kind = EMBEDDER_NONE;
    else if (str_eq(name, STR("hashed")))
        out->kind = EMBEDDER_HASHED;
    else if (str_eq(name, STR("latent")))
        out->kind = EMBEDDER_LATENT;
    else
        out->model = arena_str(house->arena, name);
}

static SUSPENDS bool rank(void *ctx, struct rank_call *call, struct err *err)
{
    struct house *house = ctx;
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(house->config, &held);

    return rerank_through_gateway(house->gateway, config, call, err);
}

void house_reranker(struct house *house, struct reranker_options *out)
{
    const struct settings *s = house->settings;

    *out = (struct reranker_options){.passages = (uint32_t)s->knowledge.rerank_passages,
                                     .limit = s->knowledge.rerank_limit,
                                     .ctx = house};
    if (str_eq(s->knowledge.reranker, STR("none")))
        return;
    out->model = arena_str(house->arena, s->knowledge.reranker);
    out->ask = rank;
}

static SUSPENDS bool step(struct house *house, const struct base_info *info)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct err err = {0};
    bool more = false;

    if (!bases_borrow(house->bases, info->is_default ? BASE_DEFAULT : info->id, NULL, &base, &err))
        return false; /* damaged: said where it is listed */
    if (!knowledge_vectors_step(base_knowledge(base), &more, &err) && err.code != ERR_CANCELLED)
        log_warn("vectors of knowledge base \"" STR_FMT
                 "\" are not made, and tried again later: %s",
                 STR_ARG(info->name), err.text);
    return more;
}

static SUSPENDS bool step_all(struct house *house)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LIST_ARENA);
    struct base_info *list;
    struct err err = {0};
    size_t count = 0;
    bool more = false;

    if (!arena || !bases_list(house->bases, arena, NULL, &list, &count, &err))
        return false;
    for (size_t i = 0; i < count; i++)
        more = step(house, &list[i]) || more;
    return more;
}

void vectors_loop(void *arg)
{
    struct house *house = arg;
    struct err err = {0};

    if (str_eq(house->running->knowledge.embedder, STR("none")))
        return;
    while (fiber_sleep(step_all(house) ? TICK_BUSY : TICK, &err)) {
    }
}
