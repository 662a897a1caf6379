#include "knowledge/settle.h"

#include <string.h>

/* By: weir_eval DATA --train FILE; weir_train_answers FILE settle zh (docs/quality.md). */
const float settle_gain[LANGUAGES] = {0, 0.26f};

float settle_distance(const struct span_choice *spans, size_t sentence)
{
    float best = -1e9f;

    for (size_t i = 0; i < SPAN_SENTENCES; i++)
        if (spans->of[i].words)
            best = MAX_OF(best, spans->of[i].score);
    if (!spans->of[sentence].words)
        return -SETTLE_FAR;
    return MAX_OF(spans->of[sentence].score - best, -SETTLE_FAR);
}

/* Where each of the first `count` goes: the best score first, equals as they stood. */
static void order(const struct candidate *ranked, size_t count, size_t place[SPAN_SENTENCES])
{
    for (size_t i = 0; i < count; i++) {
        place[i] = 0;
        for (size_t k = 0; k < count; k++)
            place[i] +=
                ranked[k].score > ranked[i].score || (k < i && ranked[k].score >= ranked[i].score);
    }
}

static void move(struct span *span, struct candidate *ranked, const size_t place[SPAN_SENTENCES])
{
    if (span->words)
        span->sentence = &ranked[place[span->sentence - ranked]];
}

void sentences_settle(int language, struct candidate *ranked, size_t count,
                      struct span_choice *spans)
{
    size_t place[SPAN_SENTENCES], n = MIN_OF(count, (size_t)SPAN_SENTENCES);
    struct candidate old[SPAN_SENTENCES];
    struct span of[SPAN_SENTENCES];

    if (!spans->count || settle_gain[language] <= 0)
        return;
    for (size_t i = 0; i < count; i++)
        ranked[i].score +=
            settle_gain[language] * (i < n ? settle_distance(spans, i) : -SETTLE_FAR);
    order(ranked, n, place);
    memcpy(old, ranked, n * sizeof *old);
    memcpy(of, spans->of, sizeof of);
    for (size_t i = 0; i < n; i++) {
        ranked[place[i]] = old[i];
        move(&of[i], ranked, place);
        spans->of[place[i]] = of[i];
    }
    for (size_t i = 0; i < spans->count; i++)
        move(&spans->best[i], ranked, place);
}
