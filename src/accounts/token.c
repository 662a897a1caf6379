#include "accounts/token.h"

#include <string.h>

#include "base/hash.h"

#define PREFIX_LEN   3u
#define RANDOM_LEN   32u
#define CHECKSUM_LEN 7u

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void put_checksum(const char *text, char out[CHECKSUM_LEN])
{
    uint32_t sum = crc32c(0, text, PREFIX_LEN + RANDOM_LEN);

    for (size_t i = CHECKSUM_LEN; i--; sum >>= 5)
        out[i] = digits[sum & 31];
}

void token_make(const uint8_t random[TOKEN_RANDOM_BYTES], char out[TOKEN_LEN])
{
    uint32_t bits = 0, have = 0;
    char *to = out + PREFIX_LEN;

    memcpy(out, "wr_", PREFIX_LEN);
    for (size_t i = 0; i < TOKEN_RANDOM_BYTES; i++) {
        bits = bits << 8 | random[i];
        for (have += 8; have >= 5; have -= 5)
            *to++ = digits[bits >> (have - 5) & 31];
    }
    put_checksum(out, out + PREFIX_LEN + RANDOM_LEN);
}

bool token_check(struct str token, struct err *err)
{
    char sum[CHECKSUM_LEN];

    if (token.len == 0 || str_eq_nocase(token, STR("Bearer"))) /* of a variable that is not set */
        return err_set(err, ERR_UNAUTHENTICATED, "the key that was sent is empty");
    if (!str_starts(token, STR("wr_")))
        return err_set(err, ERR_UNAUTHENTICATED, "key does not begin with \"wr_\"");
    if (token.len != TOKEN_LEN)
        return err_set(err, ERR_UNAUTHENTICATED, "key has %zu characters, not %zu", token.len,
                       TOKEN_LEN);
    put_checksum(token.ptr, sum);
    if (memcmp(sum, token.ptr + PREFIX_LEN + RANDOM_LEN, CHECKSUM_LEN) != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "key is mistyped: its checksum does not fit");
    return true;
}
