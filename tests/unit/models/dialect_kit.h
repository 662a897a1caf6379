/* tests/unit/models/dialect_kit.h: requests and answers taken through dialects, as the gateway does it but
 * without a provider. What fails is recorded as the test's failure with the error's text. */
#ifndef WEIR_TESTS_DIALECT_KIT_H
#define WEIR_TESTS_DIALECT_KIT_H

#include "models/dialect.h"
#include "models/models.h"

extern const struct model kit_model; /* remote_name "remote-m", output_tokens_max 4096 */

/* The body as `from` reads it; NULL and err set where it is refused. */
struct conversation *kit_read(struct arena *arena, const struct dialect *from, const char *body,
                              struct err *err);
/* From the one dialect's body to the other's; ptr NULL where it is refused. */
struct str kit_request(struct arena *arena, const struct dialect *from, const struct dialect *to,
                       const char *body, struct losses *losses, struct err *err);

/* The client asks for all that its dialect gives only to who asks for it. */
extern bool kit_wants_all;

/* A writer at work: what it has written is in `out`. */
struct kit_client {
    struct said_writer writer;
    struct conversation asked;
    struct losses lost;
    struct buf out;
    uint32_t said;
};
void kit_client_init(struct kit_client *k, struct arena *arena, const struct dialect *dialect,
                     bool streamed);
void kit_say(struct kit_client *k, const struct dialect *dialect, const struct said *said);

/* A provider's bytes (a stream, cut after `cut` bytes into two reads; or a whole body) as a client sees
 * them; ptr NULL and err set where reading failed. */
struct str kit_answer(struct arena *arena, const struct dialect *from, const struct dialect *to,
                      bool streamed, struct str bytes, size_t cut, struct err *err);

/* A whole reply of OpenAI's kind to what a client asks in `client`, as it sees it; likewise. */
struct str kit_told(struct arena *arena, const struct dialect *client, const char *asked,
                    const char *reply, struct losses *lost, struct err *err);

/* Equal as JSON; records both where they are not. */
bool kit_same_json(struct arena *arena, const char *name, struct str got, const char *want);

#endif
