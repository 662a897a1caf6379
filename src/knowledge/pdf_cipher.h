/* knowledge/pdf_cipher.h: the ciphers that encrypted PDF files use, to read those whose password is empty.
 * Not for keeping secrets: RC4 and MD5 are broken, and that is what these files have. They are our own
 * because a reader runs where no library may load its providers or open its configuration. */
#ifndef WEIR_KNOWLEDGE_PDF_CIPHER_H
#define WEIR_KNOWLEDGE_PDF_CIPHER_H

#include "base/str.h"

void pdf_md5(struct str s, uint8_t out[16]);
/* FIPS 180-4; bits is 256, 384 or 512; out has bits / 8 bytes. */
void pdf_sha2(int bits, struct str s, uint8_t *out);
void pdf_rc4(struct str key, const uint8_t *in, uint8_t *out, size_t len);
/* CBC without padding; len is a multiple of 16; key_len 16 or 32. */
void pdf_aes_decrypt(const uint8_t *key, size_t key_len, const uint8_t iv[16], const uint8_t *in,
                     uint8_t *out, size_t len);
void pdf_aes_encrypt(const uint8_t *key, size_t key_len, const uint8_t iv[16], const uint8_t *in,
                     uint8_t *out, size_t len);

#endif
