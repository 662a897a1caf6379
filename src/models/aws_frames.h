/* models/aws_frames.h: the framing of AWS event streams (application/vnd.amazon.eventstream), reading and
 * writing. A frame is
 *
 *   total length u32 | headers length u32 | CRC-32 of these 8 | headers | payload | CRC-32 of all before
 *
 * big-endian. The reader works on bytes as they arrive, cut anywhere, and gives whole frames whose both
 * checksums hold; anything else is an error and the stream is over.
 * Limits   a frame at most frame_bytes_max, known from its first 12 bytes: nothing is gathered for one
 *          that is too long.
 * Source   Smithy, "Amazon Event Stream specification". */
#ifndef WEIR_MODELS_AWS_FRAMES_H
#define WEIR_MODELS_AWS_FRAMES_H

#include "base/buf.h"

/* Views of the bytes fed, or of the reader's: good until the next aws_next() or aws_feed(). */
struct aws_frame {
    struct str message_type; /* event, exception, error */
    struct str type;         /* :event-type, :exception-type or :error-code */
    struct str content_type;
    struct str error_message; /* :error-message, of message_type error */
    struct str payload;
    struct str raw; /* all of its bytes */
};

struct aws_reader {
    struct arena *arena;
    size_t frame_bytes_max;
    struct str now; /* what is being read */
    size_t at;      /* in now: where the next frame begins */
    char *rest;     /* an unfinished frame */
    size_t rest_len, rest_cap;
    bool failed;
};
void aws_reader_init(struct aws_reader *r, struct arena *arena, size_t frame_bytes_max);
/* Give the next bytes. Ask aws_next() until *got is false before they go: then the reader has kept what
 * it still needs. */
bool aws_feed(struct aws_reader *r, struct str bytes, struct err *err) MUST_CHECK;
/* The next whole frame. ERR_UNAVAILABLE: a checksum, a length or a header is wrong; ERR_TOO_LARGE. */
bool aws_next(struct aws_reader *r, struct aws_frame *out, bool *got, struct err *err) MUST_CHECK;
size_t aws_left_over(const struct aws_reader *r); /* bytes that belong to no whole frame */

/* One frame with :message-type, :event-type (or :exception-type) and :content-type application/json. */
void aws_write(struct buf *out, struct str message_type, struct str type, struct str payload);
uint32_t aws_crc32(uint32_t crc, const void *bytes, size_t len); /* IEEE 802.3 */

#endif
