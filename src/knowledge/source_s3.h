/* knowledge/source_s3.h: what a bucket of S3 answers when it is asked what is in it. Pure; fuzzed by
 * fuzz/bucket.c. */
#ifndef WEIR_KNOWLEDGE_SOURCE_S3_H
#define WEIR_KNOWLEDGE_SOURCE_S3_H

#include "base/arena.h"

struct bucket_object {
    struct str key, etag;
    uint64_t bytes;
};
struct bucket_page {
    struct bucket_object *at;
    size_t count;
    struct str next; /* token of the next page; empty: this was the last */
};
/* ListBucketResult of ListObjectsV2. ERR_INVALID: something else, or a page that says there are more and not
 * where. */
bool bucket_page_read(struct arena *arena, struct str xml, struct bucket_page *out, struct err *err)
    MUST_CHECK;
/* What an answer says of the bytes it brings; empty: nothing. */
struct bucket_claims {
    struct str etag, sha256, crc32, crc32c; /* checksums in base64, as x-amz-checksum-* has them */
};
/* Are they what the list and the answer say they are? ERR_UNAVAILABLE: no. An object that is another by now than
 * the one that was listed need not be as long; a checksum of checksums of parts cannot be compared. */
bool bucket_bytes_check(const struct bucket_object *listed, const struct bucket_claims *claims,
                        struct str bytes, struct err *err) MUST_CHECK;
/* <Error><Code>..</Code><Message>..</Message>: "Code: Message"; empty when it is none. */
struct str bucket_error(struct arena *arena, struct str xml);
/* "s3://bucket/some/prefix". */
bool bucket_location(struct str location, struct str *bucket, struct str *prefix);

#endif
