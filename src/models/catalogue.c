#include "models/models.h"

#define PER_TOKENS 1000000 /* prices are for a million */

const struct model *catalogue_find(const struct catalogue *c, struct str name)
{
    return table_get(&c->by_name, name);
}

/* Tokens times micro-dollars a million: past 64 bits for absurd counts, so the sum is wider. */
typedef unsigned __int128 wide;

static wide part(int64_t tokens, usd_micro price)
{
    return tokens > 0 && price > 0 ? (wide)tokens * (wide)price : 0;
}

static usd_micro round_up(wide sum)
{
    wide cost = (sum + PER_TOKENS - 1) / PER_TOKENS;

    return cost > (wide)PRICE_MAX ? PRICE_MAX : (usd_micro)cost;
}

usd_micro price_of(const struct model *model, const struct usage *usage)
{
    usd_micro price_cached = model->price_cached < 0 ? model->price_in : model->price_cached;
    int64_t in = MAX_OF(usage->tokens_in, 0);
    int64_t cached = MIN_OF(MAX_OF(usage->tokens_cached, 0), in); /* counted inside tokens_in */

    return round_up(part(in - cached, model->price_in) + part(cached, price_cached) +
                    part(usage->tokens_out, model->price_out));
}

usd_micro price_worst(const struct model *model, const struct chat_request *request)
{
    int64_t out = request->max_tokens >= 0 ? request->max_tokens : model->output_tokens_max;
    usd_micro price_in = MAX_OF(model->price_in, model->price_cached);
    wide choices = (wide)MAX_OF(request->n, 1);

    return round_up(part((int64_t)request->prompt_bytes, price_in) +
                    choices * part(out, model->price_out));
}
