#include "models/models.h"

void answer_end(struct answer **answer)
{
    if (*answer)
        (*answer)->end(*answer);
    *answer = NULL;
}

static bool next_bytes(struct answer *answer, struct str *bytes, bool *last, struct err *err)
{
    (void)err;
    *bytes = *(const struct str *)answer->own;
    *last = true;
    return true;
}

static void nothing_to_release(struct answer *answer)
{
    (void)answer;
}

struct answer *answer_from_bytes(struct arena *arena, int status, struct str content_type,
                                 struct str bytes)
{
    struct answer *answer = arena_alloc(arena, sizeof *answer);
    struct str *own = arena_alloc(arena, sizeof *own);

    if (!answer || !own)
        return NULL;
    *own = bytes;
    *answer = (struct answer){.status = status,
                              .content_type = content_type,
                              .next = next_bytes,
                              .end = nothing_to_release,
                              .own = own};
    return answer;
}
