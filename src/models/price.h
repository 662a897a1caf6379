/* models/price.h: what tokens cost, as providers bill them.
 * Counts are those of struct usage: cached, written, audio and image tokens are inside tokens_in,
 * reasoning and audio inside tokens_out, whatever the provider's own habit of counting is (readers of
 * dialects translate). A token is paid once: at the rate of the first of cached, written, audio, image
 * it belongs to, else at the plain one.
 * Rows     apply in place of the plain prices at some hours (UTC), prompt sizes and for some tenants: the first
 *          that fits, for all tokens of the request, as providers with tiers do. What a row leaves out is as plain.
 * Money    summed in 128 bits, rounded up to a micro-dollar once, at most PRICE_MAX. Tokens not known
 *          cost nothing. */
#ifndef WEIR_MODELS_PRICE_H
#define WEIR_MODELS_PRICE_H

#include "models/conversation.h"
#include "models/range.h"

#define PRICE_MAX ((usd_micro)1000000000000)

/* Per million tokens. Below 0: not said. */
struct prices {
    usd_micro in, out;
    usd_micro cached;                        /* read from the provider's cache; not said: as in */
    usd_micro cache_write;                   /* written to it for minutes; not said: as in */
    usd_micro cache_write_long;              /* for an hour; not said: as cache_write */
    usd_micro reasoning;                     /* not said: as out */
    usd_micro audio_in, audio_out, image_in; /* not said: as in, out, in */
    usd_micro request;                       /* for each request, in micro-dollars; not said: 0 */
};
#define PRICES_UNSAID                          \
    {                                          \
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 \
    }
#define PRICES(in_, out_)                             \
    {                                                 \
        (in_), (out_), -1, -1, -1, -1, -1, -1, -1, -1 \
    }

struct price_row {
    struct prices prices;
    struct hours hours;
    struct token_range prompt; /* tokens_in */
    struct str tenants;        /* "acme, other"; empty: whoever asks */
};

/* Who pays when. */
struct price_for {
    struct str tenant;
    wall_ms when;
};

struct price_list {
    struct prices plain;
    const struct price_row *rows;
    size_t row_count;
};

/* Whether the earlier row holds wherever the later one does, which is then never used. */
bool price_row_hides(const struct price_row *earlier, const struct price_row *later);
/* The prices that hold for a prompt of so many tokens, everything said. */
struct prices prices_at(const struct price_list *list, int64_t tokens_in,
                        const struct price_for *buyer);
usd_micro price_usage(const struct price_list *list, const struct usage *usage,
                      const struct price_for *buyer);

/* What a request can cost at most, whatever the hour and the tier. */
struct price_bounds {
    struct str tenant;   /* who would pay */
    uint64_t tokens_in;  /* no more than these are read */
    uint64_t tokens_out; /* in each choice */
    uint64_t choices;
};
usd_micro price_bound(const struct price_list *list, const struct price_bounds *bounds);

#endif
