/* index/latent_format.h: a model's bytes: this header, then weights and scales (f32 a word), ends of the
 * texts (u32 a word), rows (i8 a word and dimension), texts. Little endian. The file around it has the
 * checksum. */
#ifndef WEIR_INDEX_LATENT_FORMAT_H
#define WEIR_INDEX_LATENT_FORMAT_H

#include <assert.h>
#include <stdint.h>

#define LATENT_MAGIC   "WEIRLAT1"
#define LATENT_VERSION 1u

struct latent_header {
    char magic[8];
    uint32_t version, dimensions, words, learned_from, text_bytes, unused;
};
static_assert(sizeof(struct latent_header) == 32, "part of the file format, no padding");

#endif
