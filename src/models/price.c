#include "models/price.h"

#define PER_TOKENS 1000000 /* prices are for a million */

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

static usd_micro said(usd_micro price, usd_micro otherwise)
{
    return price >= 0 ? price : otherwise;
}

/* What is not said follows its neighbour. */
static struct prices complete(struct prices p)
{
    p.in = said(p.in, 0);
    p.out = said(p.out, 0);
    p.cached = said(p.cached, p.in);
    p.cache_write = said(p.cache_write, p.in);
    p.cache_write_long = said(p.cache_write_long, p.cache_write);
    p.reasoning = said(p.reasoning, p.out);
    p.audio_in = said(p.audio_in, p.in);
    p.audio_out = said(p.audio_out, p.out);
    p.image_in = said(p.image_in, p.in);
    p.request = said(p.request, 0);
    return p;
}

/* A row that changes only the input price changes what follows it, unless the plain list says that. */
static struct prices over(const struct prices *row, const struct prices *plain)
{
    struct prices p = {
        .in = said(row->in, plain->in),
        .out = said(row->out, plain->out),
        .cached = said(row->cached, plain->cached),
        .cache_write = said(row->cache_write, plain->cache_write),
        .cache_write_long = said(row->cache_write_long, plain->cache_write_long),
        .reasoning = said(row->reasoning, plain->reasoning),
        .audio_in = said(row->audio_in, plain->audio_in),
        .audio_out = said(row->audio_out, plain->audio_out),
        .image_in = said(row->image_in, plain->image_in),
        .request = said(row->request, plain->request),
    };

    return complete(p);
}

static bool is_for(const struct price_row *row, struct str tenant)
{
    for (struct str rest = row->tenants, one; str_split(&rest, ',', &one);)
        if (str_eq(str_trim(one), tenant))
            return true;
    return row->tenants.len == 0;
}

static bool hides_tenants(const struct price_row *earlier, const struct price_row *later)
{
    struct str rest = later->tenants, one;

    if (!earlier->tenants.len)
        return true;
    while (str_split(&rest, ',', &one))
        if (!is_for(earlier, str_trim(one)))
            return false;
    return later->tenants.len > 0;
}

bool price_row_hides(const struct price_row *earlier, const struct price_row *later)
{
    const struct token_range *a = &earlier->prompt, *b = &later->prompt;

    if (a->from > b->from || (a->to && (!b->to || b->to > a->to)) || !hides_tenants(earlier, later))
        return false;
    for (int minute = 0; minute < MINUTES_OF_DAY; minute++)
        if (hours_hold(later->hours, minute) && !hours_hold(earlier->hours, minute))
            return false;
    return true;
}

struct prices prices_at(const struct price_list *list, int64_t tokens_in,
                        const struct price_for *buyer)
{
    int minute = hours_minute(buyer->when);

    for (size_t i = 0; i < list->row_count; i++)
        if (is_for(&list->rows[i], buyer->tenant) && hours_hold(list->rows[i].hours, minute) &&
            token_range_holds(list->rows[i].prompt, MAX_OF(tokens_in, 0)))
            return over(&list->rows[i].prices, &list->plain);
    return complete(list->plain);
}

/* So many of what is left, at this rate. */
static wide take(int64_t *left, int64_t tokens, usd_micro price)
{
    int64_t n = MIN_OF(MAX_OF(tokens, 0), *left);

    *left -= n;
    return part(n, price);
}

usd_micro price_usage(const struct price_list *list, const struct usage *usage,
                      const struct price_for *buyer)
{
    struct prices p = prices_at(list, usage->tokens_in, buyer);
    int64_t in = MAX_OF(usage->tokens_in, 0), out = MAX_OF(usage->tokens_out, 0);
    wide sum = 0;

    if (usage->tokens_in < 0 && usage->tokens_out < 0)
        return 0; /* nothing is known of it, so nobody was asked */
    sum += take(&in, usage->tokens_cached, p.cached);
    sum += take(&in, usage->tokens_cache_write_long, p.cache_write_long);
    sum += take(&in, usage->tokens_cache_write, p.cache_write);
    sum += take(&in, usage->tokens_audio_in, p.audio_in);
    sum += take(&in, usage->tokens_image_in, p.image_in);
    sum += part(in, p.in);
    sum += take(&out, usage->tokens_audio_out, p.audio_out);
    sum += take(&out, usage->tokens_reasoning, p.reasoning);
    sum += part(out, p.out);
    return round_up(sum + (wide)p.request * PER_TOKENS);
}

/* ---- the worst case ---- */

static usd_micro dearest(usd_micro a, usd_micro b)
{
    return MAX_OF(a, b);
}

static struct prices worst_of(const struct prices *p)
{
    usd_micro in = dearest(p->in, dearest(p->cached, p->cache_write));
    usd_micro out = dearest(p->out, dearest(p->reasoning, p->audio_out));

    in = dearest(in, dearest(p->cache_write_long, dearest(p->audio_in, p->image_in)));
    return (struct prices){.in = in, .out = out, .request = p->request};
}

usd_micro price_bound(const struct price_list *list, const struct price_bounds *bounds)
{
    struct prices p = complete(list->plain), worst = worst_of(&p);

    for (size_t i = 0; i < list->row_count; i++) {
        struct prices row = over(&list->rows[i].prices, &list->plain), other = worst_of(&row);

        if (!is_for(&list->rows[i], bounds->tenant))
            continue;
        worst.in = dearest(worst.in, other.in);
        worst.out = dearest(worst.out, other.out);
        worst.request = dearest(worst.request, other.request);
    }
    return round_up((wide)bounds->tokens_in * (wide)worst.in +
                    (wide)bounds->choices * ((wide)bounds->tokens_out * (wide)worst.out) +
                    (wide)worst.request * PER_TOKENS);
}
