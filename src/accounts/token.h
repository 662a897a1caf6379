/* accounts/token.h: the text of a key. "wr_" + 32 digits for 160 random bits + 7 digits of CRC-32C over
 * all before, in base 32 with Crockford's digits (no i, l, o, u), lower case.
 * The checksum protects against typing, not against guessing: it tells a mistyped key from a wrong one. */
#ifndef WEIR_ACCOUNTS_TOKEN_H
#define WEIR_ACCOUNTS_TOKEN_H

#include "base/str.h"

#define TOKEN_RANDOM_BYTES 20
#define TOKEN_LEN          (sizeof "wr_" - 1 + 32 + 7)

void token_make(const uint8_t random[TOKEN_RANDOM_BYTES], char out[TOKEN_LEN]);
/* ERR_UNAUTHENTICATED that says what is wrong with it. */
bool token_check(struct str token, struct err *err) MUST_CHECK;

#endif
