/* models/speech.h: an answer on its way in no dialect, pulled step by step, whoever gives it: a provider
 * (speech_open), another speech (fallback, continuation, hedging), a cache. Above it stands struct answer
 * (models.h): bytes in the client's dialect, made by answer_from_speech().
 * Owner    the arena; end it on every path. */
#ifndef WEIR_MODELS_SPEECH_H
#define WEIR_MODELS_SPEECH_H

#include "models/dialect.h"
#include "models/models.h"

struct speech {
    const struct model *model;          /* who is speaking: changes when another goes on */
    struct str request_id, retry_after; /* the provider's; may be empty */
    /* The next step, good until the next call; SAID_END is the last. A stream that is cut, late or
     * failing is an error, never SAID_END. */
    SUSPENDS bool (*next)(struct speech *s, const struct said **out, struct err *err);
    SUSPENDS void (*end)(struct speech *s);
    /* A step, or the failure, is there without a wait; the step given before is void from here. NULL:
     * not known, each step is passed on at once. */
    bool (*ready)(struct speech *s);
    struct str weir; /* raw object: what the client is told of the way it took; or empty */
    uint32_t citations;
    void *own;
};
SUSPENDS void speech_end(struct speech **s); /* CLEANUP-able */

/* Ask `model` in its provider's dialect. On success the head has come with 200. On failure err is set,
 * and *why where the provider refused. */
SUSPENDS bool speech_open(struct arena *arena, const struct model *model,
                          const struct conversation *asked, struct losses *losses,
                          uint64_t request_id, struct speech **out, struct refusal *why,
                          struct err *err) MUST_CHECK;

/* An answer in the bytes of `dialect`, heard: for those that are made in the house in one dialect. The
 * answer becomes the speech's. Its member "weir" goes to speech.weir. */
bool speech_from_answer(struct arena *arena, const struct dialect *dialect,
                        const struct conversation *asked, struct answer *answer,
                        struct speech **out, struct err *err) MUST_CHECK;

/* Bytes in the client's dialect. The speech becomes the answer's. id: of the answer, without a prefix. */
struct answer *answer_from_speech(struct arena *arena, const struct dialect *client,
                                  const struct conversation *asked, struct speech *speech,
                                  struct str id, struct err *err) MUST_CHECK;

#endif
