/* Replies of a Redis: any bytes are refused with a reason or are replies, and where they are cut makes no
 * difference: a reply that is whole is not read from less. */
#include "fuzz.h"

#include "net/redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str bytes = {(const char *)data, size};
    struct redis_value value;
    struct err err = {0};
    size_t used = 0, need = 0;
    enum redis_parse did = redis_parse(arena, bytes, &value, &used, &need, &err);

    ASSERT(did != REDIS_BAD || err.code != ERR_NONE);
    ASSERT(did != REDIS_MORE || need > size);
    if (did != REDIS_OK)
        return 0;
    ASSERT(used > 0 && used <= size);
    for (size_t cut = 0; cut < MIN_OF(used, (size_t)200); cut++) {
        size_t less;

        did = redis_parse(arena, str_slice(bytes, 0, cut), &value, &less, &need, &err);
        ASSERT(did == REDIS_MORE && need > cut && need <= used);
    }
    return 0;
}
