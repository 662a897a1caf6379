/* gateway/protobuf.h: as much of Protocol Buffers as OTLP needs: a writer over a buf, and a reader that
 * skips what it does not know. Source: protobuf.dev, "Encoding". */
#ifndef WEIR_GATEWAY_PROTOBUF_H
#define WEIR_GATEWAY_PROTOBUF_H

#include "base/buf.h"

/* ---- writing; empty strings and zeros are left out, as proto3 does ---- */
void pb_varint(struct buf *b, uint32_t field, uint64_t n);
void pb_fixed64(struct buf *b, uint32_t field, uint64_t n);
void pb_fixed32(struct buf *b, uint32_t field, uint32_t n);
void pb_bytes(struct buf *b, uint32_t field, struct str bytes);
/* A string, which has to be UTF-8, or nobody reads the message: bytes that are none become U+FFFD. */
void pb_text(struct buf *b, uint32_t field, struct str text);
/* A message inside: what is written between the two is its content. */
size_t pb_open(struct buf *b, uint32_t field);
void pb_close(struct buf *b, size_t opened);
/* The head of a message of `len` bytes that follow elsewhere. */
void pb_head(struct buf *b, uint32_t field, size_t len);
size_t pb_head_bytes(uint32_t field, size_t len);

/* ---- reading ---- */
struct pb_field {
    uint32_t number;
    uint64_t n;       /* varint, fixed */
    struct str bytes; /* strings and messages */
};
/* The next field of *rest; false at its end, or with *bad when it is no message. */
bool pb_next(struct str *rest, struct pb_field *out, bool *bad);

#endif
